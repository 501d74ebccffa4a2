//! Changes of access in groups: by kind, and by audience.
//!
//! Invariant: widened access comes before uncertain changes, and these before narrowed access.

use std::collections::BTreeMap;

use crate::plan::meaning::{AccessChange, Audience, Changes, Meaning};

/// The attention that a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It widens access.
    Danger,
    /// It may widen access, or is uncertain.
    Careful,
    /// It narrows access.
    Calm,
}

/// Access that changes in the same way for the same audience.
#[derive(Debug)]
pub struct Group<'a> {
    /// The attention that it needs.
    pub tone: Tone,
    /// `+`, `?` or `-`.
    pub sign: char,
    /// The kind of change: `gained by`, to be followed by the audience.
    pub happens: &'static str,
    /// The same, to follow the audience: `gains`.
    pub does: &'static str,
    /// The audience.
    pub audience: &'a Audience,
    /// The access that changes; never empty.
    pub gains: Vec<&'a AccessChange>,
}

/// The changes by kind, widened access first, and then by audience.
#[must_use]
pub fn groups(meaning: &Meaning) -> Vec<Group<'_>> {
    let changes: &Changes = meaning.changes();
    let certain = |gains, tone, sign, happens, does| (gains, tone, sign, happens, does);
    let uncertain = |widens, narrows| {
        let gains: Vec<&AccessChange> = changes
            .uncertain
            .iter()
            .filter(|gain| (gain.widens, gain.narrows) == (widens, narrows))
            .collect();
        gains
    };
    let sections: [(Vec<&AccessChange>, Tone, char, &str, &str); 6] = [
        certain(changes.widened.iter().collect(), Tone::Danger, '+', "gained by", "gains"),
        (uncertain(true, false), Tone::Careful, '?', "may be gained by", "may gain"),
        (uncertain(true, true), Tone::Careful, '?', "may change for", "may gain or lose"),
        (uncertain(false, false), Tone::Careful, '?', "may change for", "may gain or lose"),
        (uncertain(false, true), Tone::Careful, '?', "may be lost by", "may lose"),
        certain(changes.narrowed.iter().collect(), Tone::Calm, '-', "lost by", "loses"),
    ];
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (gains, tone, sign, happens, does) in sections {
        let mut audiences: BTreeMap<&Audience, Vec<&AccessChange>> = BTreeMap::new();
        for gain in gains {
            audiences.entry(&*gain.audience).or_default().push(gain);
        }
        let group = |(audience, gains)| Group { tone, sign, happens, does, audience, gains };
        groups.extend(audiences.into_iter().map(group));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::super::tests::gain;
    use super::super::{groups, headline};
    use crate::plan::meaning::{Changes, Found, Meaning};

    #[test]
    fn widened_access_comes_first_and_each_audience_is_named_once() {
        let changes = Changes {
            widened: ["a", "b", "a"].map(|team| gain(team, "1", true, false)).to_vec(),
            narrowed: vec![gain("a", "4", false, true)],
            uncertain: vec![gain("a", "5", false, true), gain("a", "6", true, false)],
        };
        let meaning = Meaning { found: Found::Complete(changes), governed: Vec::new() };
        assert_eq!(
            headline(&meaning, str::to_owned),
            "widens access for 2 audiences, may change and narrows access for members of a"
        );
        let shown: Vec<(&str, String, usize)> = groups(&meaning)
            .iter()
            .map(|group| (group.happens, group.audience.to_string(), group.gains.len()))
            .collect();
        assert_eq!(
            shown,
            [
                ("gained by", "a".into(), 2),
                ("gained by", "b".into(), 1),
                ("may be gained by", "a".into(), 1),
                ("may be lost by", "a".into(), 1),
                ("lost by", "a".into(), 1)
            ]
        );
    }

    #[test]
    fn audiences_come_sorted() {
        let changes = Changes {
            widened: ["zeta", "alpha", "mid", "alpha"]
                .map(|team| gain(team, "1", true, false))
                .to_vec(),
            narrowed: ["zeta", "alpha"].map(|team| gain(team, "2", false, true)).to_vec(),
            ..Changes::default()
        };
        let meaning = Meaning { found: Found::Complete(changes), governed: Vec::new() };
        let listed: Vec<(&str, String)> = groups(&meaning)
            .iter()
            .map(|group| (group.happens, group.audience.to_string()))
            .collect();
        let expected = [
            ("gained by", "alpha"),
            ("gained by", "mid"),
            ("gained by", "zeta"),
            ("lost by", "alpha"),
            ("lost by", "zeta"),
        ];
        assert_eq!(listed, expected.map(|(happens, team)| (happens, team.to_owned())));
    }
}
