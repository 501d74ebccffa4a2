//! Wildcards inside one label or segment: `api-*`, `v?`, `node[1-3]`.
//!
//! Invariant: [`representatives`] gives, for every combination of globs that some text matches, one text that matches
//! exactly these, or says that it stopped early.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many character positions are explored before [`representatives`] stops.
const LIMIT: usize = 20_000;

/// A pattern for the characters of one label or segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Glob {
    parts: Vec<Part>,
    text: String,
}

/// A character in the other case, where that is one character.
fn other_case(c: char) -> Option<char> {
    let (mut lower, mut upper) = (c.to_lowercase(), c.to_uppercase());
    let single = |other: Option<char>, rest: Option<char>| other.filter(|own| *own != c && rest.is_none());
    single(lower.next(), lower.next()).or_else(|| single(upper.next(), upper.next()))
}

/// A stretch of characters and its letters in the other case.
fn both_cases(from: char, to: char) -> impl Iterator<Item = (char, char)> {
    let letters = |first: char, last: char| Some((from.max(first), to.min(last))).filter(|(from, to)| from <= to);
    let swapped = [letters('a', 'z'), letters('A', 'Z')].into_iter().flatten();
    let swapped = swapped.filter_map(|(from, to)| other_case(from).zip(other_case(to)));
    let single = Some(from).filter(|from| *from == to && !from.is_ascii()).and_then(other_case).map(|c| (c, c));
    std::iter::once((from, to)).chain(swapped).chain(single)
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    One(char),
    Any,
    Star,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::One(own) => *own == c,
            Self::Any | Self::Star => true,
            Self::Class { negated, ranges } => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated,
        }
    }
}

impl Glob {
    /// Reads a label or segment; a `[` without its `]` is an ordinary character.
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let part = match c {
                '*' if parts.last() == Some(&Part::Star) => continue,
                '*' => Part::Star,
                '?' => Part::Any,
                '[' => match class(rest.as_str()) {
                    Some((class, after)) => {
                        rest = after.chars();
                        class
                    }
                    None => Part::One(c),
                },
                _ => Part::One(c),
            };
            parts.push(part);
        }
        Self { parts, text: text.to_owned() }
    }

    /// The text without any meaning of its wildcards.
    fn exactly(text: &str) -> Self {
        Self { parts: text.chars().map(Part::One).collect(), text: text.to_owned() }
    }

    /// The same pattern where case does not matter.
    pub(super) fn in_any_case(&self) -> Self {
        let part = |part: &Part| match part {
            Part::One(c) if other_case(*c).is_some() => {
                Part::Class { negated: false, ranges: both_cases(*c, *c).collect() }
            }
            Part::Class { negated, ranges } => Part::Class {
                negated: *negated,
                ranges: ranges.iter().flat_map(|(from, to)| both_cases(*from, *to)).collect(),
            },
            Part::One(_) | Part::Any | Part::Star => part.clone(),
        };
        Self { parts: self.parts.iter().map(part).collect(), text: self.text.clone() }
    }

    /// Whether the whole text matches, or is the pattern's own text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let end = text.chars().fold(self.start(), |at, c| self.step(&at, c));
        self.accepts(&end) || text == self.text
    }

    fn start(&self) -> BTreeSet<usize> {
        self.skip_stars(0)
    }

    /// `at` and every position after it that needs no character.
    fn skip_stars(&self, at: usize) -> BTreeSet<usize> {
        let stars = self.parts.iter().skip(at).take_while(|part| **part == Part::Star).count();
        (at..=at + stars).collect()
    }

    fn step(&self, at: &BTreeSet<usize>, c: char) -> BTreeSet<usize> {
        let mut next = BTreeSet::new();
        for &position in at {
            match self.parts.get(position) {
                Some(Part::Star) => next.extend(self.skip_stars(position)),
                Some(part) if part.takes(c) => next.extend(self.skip_stars(position + 1)),
                Some(_) | None => {}
            }
        }
        next
    }

    fn accepts(&self, at: &BTreeSet<usize>) -> bool {
        at.contains(&self.parts.len())
    }

    /// The first characters of the stretches of characters that the pattern treats alike.
    fn boundaries(&self, into: &mut BTreeSet<u32>) {
        for part in &self.parts {
            match part {
                Part::One(c) => into.extend([*c as u32, *c as u32 + 1]),
                Part::Any | Part::Star => {}
                Part::Class { ranges, .. } => {
                    into.extend(ranges.iter().flat_map(|(from, to)| [*from as u32, *to as u32 + 1]));
                }
            }
        }
    }
}

impl std::fmt::Display for Glob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// What follows a `[` up to its `]`, and the rest.
fn class(text: &str) -> Option<(Part, &str)> {
    let (negated, body) = match text.strip_prefix(['!', '^']) {
        Some(body) => (true, body),
        None => (false, text),
    };
    // A `]` right after the opening bracket is a member of the class, as in every shell.
    let close = body.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
    let (members, after) = body.split_at_checked(close)?;
    let mut ranges = Vec::new();
    let mut rest = members.chars().peekable();
    while let Some(from) = rest.next() {
        let mut ahead = rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) => {
                ranges.push((from, to));
                rest = ahead;
            }
            _ => ranges.push((from, from)),
        }
    }
    Some((Part::Class { negated, ranges }, after.strip_prefix(']')?))
}

/// One text for every combination of `globs` that a text other than `taken` can match, shortest first; and whether all
/// combinations were found. Characters are chosen among those that `allowed` admits. With `cased`, a text is told from
/// others in another case, and none is one of `taken` in another case.
pub(super) fn representatives(
    globs: &[&Glob],
    taken: &[&str],
    cased: bool,
    allowed: fn(char) -> bool,
) -> (Vec<String>, bool) {
    let own_texts: Vec<&str> = globs.iter().map(|glob| glob.text.as_str()).collect();
    let exactly = |text: &&str| Glob::exactly(text);
    let mut excluded: Vec<Glob> = taken.iter().chain(&own_texts).map(exactly).collect();
    let loose: Vec<Glob> = if cased { globs.iter().map(|glob| glob.in_any_case()).collect() } else { Vec::new() };
    if cased {
        excluded = excluded.iter().map(Glob::in_any_case).collect();
    }
    let globs: Vec<&Glob> = globs.iter().copied().chain(&loose).collect();
    let all: Vec<&Glob> = globs.iter().copied().chain(&excluded).collect();
    let alphabet = alphabet(&all, allowed);
    let mut found: BTreeMap<Vec<bool>, String> = BTreeMap::new();
    let start: Vec<BTreeSet<usize>> = all.iter().map(|glob| glob.start()).collect();
    let mut seen = BTreeSet::from([start.clone()]);
    let mut queue = VecDeque::from([(start, String::new())]);
    while let Some((state, text)) = queue.pop_front() {
        let accepted: Vec<bool> = all.iter().zip(&state).map(|(glob, at)| glob.accepts(at)).collect();
        let (matched, excluded) = accepted.split_at_checked(globs.len()).unwrap_or((&accepted, &[]));
        if !text.is_empty() && !excluded.contains(&true) {
            found.entry(matched.to_vec()).or_insert_with(|| text.clone());
        }
        if seen.len() > LIMIT {
            return (found.into_values().collect(), false);
        }
        for &c in &alphabet {
            let next: Vec<_> = all.iter().zip(&state).map(|(glob, at)| glob.step(at, c)).collect();
            if seen.insert(next.clone()) {
                queue.push_back((next, format!("{text}{c}")));
            }
        }
    }
    (found.into_values().collect(), true)
}

/// The ways to write a text in letters of another case that globs tell apart, `written` aside.
pub(super) fn spellings(text: &str, globs: &[&Glob], written: &[&str]) -> Vec<String> {
    type State = (Vec<BTreeSet<usize>>, Vec<bool>);
    let start: State = (globs.iter().map(|glob| glob.start()).collect(), vec![true; written.len()]);
    let mut states: BTreeMap<State, String> = BTreeMap::from([(start, String::new())]);
    for (at, c) in text.chars().enumerate() {
        let mut next: BTreeMap<State, String> = BTreeMap::new();
        for ((positions, same), start) in states {
            for c in std::iter::once(c).chain(other_case(c)) {
                let positions = globs.iter().zip(&positions).map(|(glob, own)| glob.step(own, c)).collect();
                let is = |other: &&str| other.chars().nth(at) == Some(c);
                let same = written.iter().zip(&same).map(|(other, same)| *same && is(other)).collect();
                next.entry((positions, same)).or_insert_with(|| format!("{start}{c}"));
            }
        }
        states = next;
    }
    let mut found: BTreeMap<Vec<bool>, String> = BTreeMap::new();
    for ((positions, same), spelling) in states {
        // Those as long as the text are the same to the end.
        if !same.contains(&true) {
            let accepted = globs.iter().zip(&positions).map(|(glob, at)| glob.accepts(at)).collect();
            found.entry(accepted).or_insert(spelling);
        }
    }
    found.into_values().collect()
}

/// One allowed character of every stretch that the globs treat alike, a letter or digit where there is one.
fn alphabet(globs: &[&Glob], allowed: fn(char) -> bool) -> Vec<char> {
    let mut cuts = BTreeSet::from([0, 0x7f]);
    globs.iter().for_each(|glob| glob.boundaries(&mut cuts));
    let ends = cuts.iter().skip(1).copied().chain([0x11_0000]);
    cuts.iter()
        .zip(ends)
        .filter_map(|(&from, to)| {
            let mut members = (from..to.min(from + 0x400)).filter_map(char::from_u32).filter(|c| allowed(*c));
            let first = members.clone().next()?;
            Some(members.find(char::is_ascii_alphanumeric).unwrap_or(first))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        for (pattern, text, expected) in [
            ("api-*", "api-eu", true),    // a star takes a part
            ("api-*", "api-", true),      // or nothing
            ("api-*", "api", false),      // the rest is literal
            ("v?", "v1", true),           // exactly one character
            ("v?", "v", false),           //
            ("v?", "v10", false),         //
            ("n[1-3]", "n2", true),       // a range
            ("n[1-3]", "n4", false),      //
            ("n[!1]", "n2", true),        // a negated class
            ("n[!1]", "n1", false),       //
            ("n[1", "n[1", true),         // an unclosed bracket is a character
            ("n[ab]", "n[ab]", true),     // a folder may be called like that
            ("*a*b*", "xxaxxbxx", true),  // several stars
            ("*a*b*", "xxbxxaxx", false), //
        ] {
            assert_eq!(Glob::parse(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn representatives_cover_every_combination() {
        let globs = [Glob::parse("api*"), Glob::parse("*1"), Glob::parse("n[12]")];
        let borrowed: Vec<&Glob> = globs.iter().collect();
        let (texts, complete) = representatives(&borrowed, &["n1", "n2"], false, |c| c.is_ascii_alphanumeric());
        assert!(complete);
        let combinations: BTreeSet<Vec<bool>> =
            texts.iter().map(|text| globs.iter().map(|glob| glob.matches(text)).collect()).collect();
        // `n1` and `n2` are taken, so that nothing else matches the third: none, first, second, first and second.
        assert_eq!(combinations.len(), 4, "{texts:?}");
        assert!(texts.iter().all(|text| text != "n1" && text != "n2"));
    }

    #[test]
    fn case_is_looked_through() {
        for (pattern, text, expected) in [
            ("Api-*", "aPI-x", true), // letters in either case
            ("n[a-c]", "nB", true),   // and in a class
            ("n[!a]", "nA", false),   // also in one that is negated
            ("n[0-Z]", "nz", true),   // a stretch that has more than letters
            ("É?", "éx", true),       //
            ("api-*", "apj-x", false),
        ] {
            assert_eq!(Glob::parse(pattern).in_any_case().matches(text), expected, "{pattern} {text}");
        }
        let globs = [Glob::parse("S*"), Glob::parse("*t")];
        let spelled = spellings("secret", &globs.each_ref(), &["secret", "SECRET"]);
        let combinations: BTreeSet<Vec<bool>> =
            spelled.iter().map(|text| globs.iter().map(|glob| glob.matches(text)).collect()).collect();
        assert_eq!((spelled.len(), combinations.len()), (4, 4), "{spelled:?}");
        assert!(spelled.iter().all(|text| text != "secret" && text != "SECRET" && text.to_lowercase() == "secret"));
        assert_eq!(spellings("c", &[], &["c", "C"]), [""; 0]);
        assert_eq!(spellings("42", &[], &["42"]), [""; 0]);
    }
}
