//! The effect of a plan as a short phrase, and what an incomplete comparison means.

use std::collections::BTreeSet;

use super::{count, enumerate, people};
use crate::diagnostic::list;
use crate::plan::governed::AudienceChange;
use crate::plan::meaning::{AccessChange, Audience, Found, Incomplete, Meaning};

/// The effect of a plan as a short phrase: `widens access for 2 audiences`, `no access change`. An
/// incomplete comparison is stated first. A single audience is named; `write` formats the names of
/// teams.
#[must_use]
pub fn headline(meaning: &Meaning, write: impl Fn(&str) -> String) -> String {
    let whom = |audiences: BTreeSet<&Audience>| match audiences.first() {
        Some(one) if audiences.len() == 1 => (people(one, &write), true),
        Some(_) | None => (count(audiences.len(), "audience"), false),
    };
    let (cut, changes) = match &meaning.found {
        Found::Complete(changes) => (None, changes),
        Found::Incomplete(changes, Incomplete { rules, .. }) => {
            let about = if rules.is_empty() {
                String::new()
            } else {
                format!(" for {}", count(rules.len(), "rule"))
            };
            (Some(format!("the comparison is incomplete{about}")), changes)
        }
    };
    let may = |widens: bool| {
        changes.uncertain.iter().all(|gain| (gain.widens, gain.narrows) == (widens, !widens))
    };
    let uncertain = match (may(true), may(false)) {
        (true, _) => "may widen",
        (_, true) => "may narrow",
        (false, false) => "may change",
    };
    // What is certain says more.
    let audiences = |gains: &'_ [AccessChange]| -> BTreeSet<Audience> {
        gains.iter().map(|gain| Audience::clone(&gain.audience)).collect()
    };
    let is_said = match uncertain {
        "may widen" => audiences(&changes.uncertain).is_subset(&audiences(&changes.widened)),
        "may narrow" => audiences(&changes.uncertain).is_subset(&audiences(&changes.narrowed)),
        _ => false,
    };
    let none = Vec::new();
    let changes = [
        ("widens", &changes.widened),
        (uncertain, if is_said { &none } else { &changes.uncertain }),
        ("narrows", &changes.narrowed),
    ];
    // What changes for one audience alone is said in one part.
    let mut parts: Vec<(Vec<&str>, (String, bool))> = Vec::new();
    for (verb, gains) in changes.into_iter().filter(|(_, gains)| !gains.is_empty()) {
        let whom = whom(gains.iter().map(|gain| &*gain.audience).collect());
        match parts.last_mut() {
            Some((verbs, last)) if whom.1 && *last == whom => verbs.push(verb),
            Some(_) | None => parts.push((vec![verb], whom)),
        }
    }
    let parts = parts
        .into_iter()
        .map(|(verbs, (whom, _))| format!("{} access for {whom}", enumerate(&verbs, "and")));
    let mut parts: Vec<String> = cut.into_iter().chain(parts).collect();
    // A first policy closes what local rules opened, whatever its own rules are.
    let audiences = |wanted: AudienceChange| {
        let own = meaning.governed.iter().filter(|one| one.change == wanted);
        let audiences: BTreeSet<&Audience> = own.map(|one| &one.audience).collect();
        (!audiences.is_empty()).then(|| whom(audiences).0)
    };
    let mut first = audiences(AudienceChange::First);
    if let Some(to) = &first
        && let Some(part) = parts.iter_mut().find(|part| part.ends_with(&format!(" for {to}")))
    {
        part.push_str(" (first policy)");
        first = None;
    }
    let first = first.map(|to| format!("first policy for {to}"));
    let last = audiences(AudienceChange::Last).map(|to| format!("no policy is left for {to}"));
    let governed: Vec<String> = first.into_iter().chain(last).collect();
    match (parts.as_slice(), governed.as_slice()) {
        ([], []) => "no access change".to_owned(),
        ([], governed) => format!("{}, no access change by rules", governed.join(", ")),
        (parts, governed) => [parts, governed].concat().join(", "),
    }
}

/// The text for a comparison that is incomplete, before the reasons.
pub const INCOMPLETE: &str = "The comparison is incomplete";

/// The meaning of an incomplete comparison.
pub const INCOMPLETE_MEANS: &str =
    "the rules are listed as they are written: their audiences may gain or lose any of it";

/// The advice about an incomplete comparison. `write` formats patterns.
#[must_use]
pub fn incomplete_help(incomplete: &Incomplete, write: impl Fn(&str) -> String) -> String {
    let patterns: Vec<String> = incomplete.patterns.iter().map(|one| write(one)).collect();
    let first = match patterns.as_slice() {
        [] => String::new(),
        patterns => format!(", first in {}", list::listed(patterns)),
    };
    format!(
        "use fewer wildcards{first}, whichever rule has them; or judge the listed rules by hand, \
         and lift the guards that refuse"
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::gain;
    use super::headline;
    use crate::plan::meaning::{AccessChange, Changes, Found, Incomplete, Meaning};

    #[test]
    fn an_incomplete_comparison_is_never_no_change() {
        let cut = |rules: &[&str]| Incomplete {
            why: "too many".to_owned(),
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            audiences: Vec::new(),
            patterns: Vec::new(),
        };
        let meaning = |rules: &[&str], uncertain: Vec<AccessChange>| Meaning {
            found: Found::Incomplete(Changes { uncertain, ..Changes::default() }, cut(rules)),
            governed: Vec::new(),
        };
        let may = vec![gain("a", "5", true, false)];
        assert_eq!(
            headline(&meaning(&["r"], may), str::to_owned),
            "the comparison is incomplete for 1 rule, may widen access for members of a"
        );
        let bare = meaning(&[], Vec::new());
        assert_eq!(headline(&bare, str::to_owned), "the comparison is incomplete");
        assert!(!bare.is_nothing());
        let saved = serde_json::to_value(&bare).unwrap();
        assert_eq!(
            (&saved["exact"], &saved["incomplete"]["why"]),
            (&false.into(), &"too many".into())
        );
        // The form in which an older version saved an incomplete comparison.
        let older = r#"{"exact": false, "widened": [], "narrowed": [], "uncertain": []}"#;
        let older: Meaning = serde_json::from_str(older).unwrap();
        assert!(matches!(older.found, Found::Incomplete(..)), "{older:?}");
    }
}
