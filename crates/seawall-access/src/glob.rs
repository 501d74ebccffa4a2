//! Wildcards inside one label or segment: `api-*`, `v?`, `node[1-3]`.
//!
//! Invariant: [`representatives`] returns, for every combination of globs that some text matches,
//! one text that matches exactly these; [`fewest`] does so for the combinations of a few globs,
//! each with as few of the others as possible. Both report if they stopped early.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::hash::{HashMap, HashSet};

/// The number of steps of a glob by one character after which a search for texts stops.
const LIMIT: usize = 3_000_000;

/// The error for more distinctions than can be explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

/// A pattern for the characters of one label or segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Glob {
    parts: Vec<Part>,
    text: String,
}

/// A character in the other case, if that is a single character.
fn other_case(c: char) -> Option<char> {
    let (mut lower, mut upper) = (c.to_lowercase(), c.to_uppercase());
    let single =
        |other: Option<char>, rest: Option<char>| other.filter(|own| *own != c && rest.is_none());
    single(lower.next(), lower.next()).or_else(|| single(upper.next(), upper.next()))
}

/// A range of characters, and its letters in the other case.
fn both_cases(from: char, to: char) -> impl Iterator<Item = (char, char)> {
    let letters = |first: char, last: char| {
        Some((from.max(first), to.min(last))).filter(|(from, to)| from <= to)
    };
    let swapped = [letters('a', 'z'), letters('A', 'Z')].into_iter().flatten();
    let swapped = swapped.filter_map(|(from, to)| other_case(from).zip(other_case(to)));
    let single = Some(from)
        .filter(|from| *from == to && !from.is_ascii())
        .and_then(other_case)
        .map(|c| (c, c));
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
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated
            }
        }
    }
}

impl Glob {
    /// Parses a label or segment; a `[` without its `]` is an ordinary character.
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

    /// The text with its wildcards as ordinary characters.
    fn exactly(text: &str) -> Self {
        Self { parts: text.chars().map(Part::One).collect(), text: text.to_owned() }
    }

    /// The same pattern, ignoring case.
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

    /// Returns `true` if the whole text matches, or is the pattern's own text.
    pub(super) fn matches(&self, text: &str) -> bool {
        text == self.text || self.accepts(text)
    }

    /// A star first takes nothing, and one character more whenever the rest does not fit; only the
    /// last star needs to, since it takes whatever an earlier one could.
    fn accepts(&self, text: &str) -> bool {
        let (mut parts, mut rest) = (self.parts.as_slice(), text.chars());
        // The parts behind the last star, and the text from where these are tried.
        let mut last: Option<(&[Part], std::str::Chars<'_>)> = None;
        loop {
            let taken = rest.clone().next();
            match (parts, taken) {
                ([Part::Star, behind @ ..], _) => {
                    parts = behind;
                    last = Some((behind, rest.clone()));
                    continue;
                }
                ([], None) => return true,
                ([part, behind @ ..], Some(c)) if part.takes(c) => {
                    parts = behind;
                    rest.next();
                    continue;
                }
                _ => {}
            }
            let Some((behind, from)) = &mut last else { return false };
            if from.next().is_none() {
                return false;
            }
            (parts, rest) = (behind, from.clone());
        }
    }

    /// Returns `true` if no text matches both, judging by their beginnings and ends.
    pub(super) fn is_disjoint(&self, other: &Self) -> bool {
        fn ends<'a>(
            parts: impl Iterator<Item = &'a Part>,
            others: impl Iterator<Item = &'a Part>,
        ) -> bool {
            let fixed =
                |part: &Part| matches!(part, Part::One(c) if c.is_ascii()) || *part == Part::Any;
            let mut pairs = parts.zip(others).take_while(|(one, other)| fixed(one) && fixed(other));
            pairs.any(|pair| matches!(pair, (Part::One(one), Part::One(other)) if !one.eq_ignore_ascii_case(other)))
        }
        ends(self.parts.iter(), other.parts.iter())
            || ends(self.parts.iter().rev(), other.parts.iter().rev())
    }

    /// The first characters of the ranges that the pattern treats alike.
    fn boundaries(&self, into: &mut BTreeSet<u32>) {
        for part in &self.parts {
            match part {
                Part::One(c) => into.extend([*c as u32, *c as u32 + 1]),
                Part::Any | Part::Star => {}
                Part::Class { ranges, .. } => {
                    into.extend(
                        ranges.iter().flat_map(|(from, to)| [*from as u32, *to as u32 + 1]),
                    );
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

/// The class after a `[`, up to its `]`, and the rest of the text.
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

/// Positions in a pattern, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Positions([u64; 4]);

impl Positions {
    /// The largest number of parts that are followed.
    const MOST: usize = 255;

    fn at(position: usize) -> Self {
        let mut bits = [0; 4];
        if let Some(word) = bits.get_mut(position / 64) {
            *word = 1_u64 << (position % 64);
        }
        Self(bits)
    }

    fn both(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([join(a, e), join(b, f), join(c, g), join(d, h)])
    }

    fn union(self, other: Self) -> Self {
        self.both(other, |one, other| one | other)
    }

    fn intersection(self, other: Self) -> Self {
        self.both(other, |one, other| one & other)
    }

    fn next(self) -> Self {
        let Self([a, b, c, d]) = self;
        Self([a << 1, b << 1 | a >> 63, c << 1 | b >> 63, d << 1 | c >> 63])
    }

    fn is_subset(self, other: Self) -> bool {
        self.intersection(other) == self
    }
}

/// A pattern ready to be walked by the characters of an alphabet.
struct Walker {
    start: Positions,
    stars: Positions,
    end: Positions,
    /// By character: the positions that accept it.
    takes: Vec<Positions>,
}

impl Walker {
    fn new(glob: &Glob, alphabet: &[char]) -> Result<Self, TooMany> {
        if glob.parts.len() > Positions::MOST {
            return Err(TooMany);
        }
        let those = |wanted: &dyn Fn(&Part) -> bool| {
            let parts = glob.parts.iter().enumerate().filter(|(_, part)| wanted(part));
            parts.fold(Positions::default(), |all, (at, _)| all.union(Positions::at(at)))
        };
        let stars = those(&|part| *part == Part::Star);
        let takes =
            alphabet.iter().map(|c| those(&|part| *part != Part::Star && part.takes(*c))).collect();
        let start = Self::closed(Positions::at(0), stars);
        Ok(Self { start, stars, end: Positions::at(glob.parts.len()), takes })
    }

    /// The positions, and those after stars among them: two stars never follow each other.
    fn closed(at: Positions, stars: Positions) -> Positions {
        at.union(at.intersection(stars).next())
    }

    fn step(&self, at: Positions, character: usize) -> Positions {
        let takes = self.takes.get(character).copied().unwrap_or_default();
        Self::closed(at.intersection(takes).next().union(at.intersection(self.stars)), self.stars)
    }

    fn accepts(&self, at: Positions) -> bool {
        self.end.is_subset(at)
    }
}

/// Walkers for all of these, with the alphabet that they distinguish.
fn walkers(
    globs: &[&Glob],
    allowed: fn(char) -> bool,
) -> Result<(Vec<Walker>, Vec<char>), TooMany> {
    let alphabet = alphabet(globs, allowed);
    let walkers =
        globs.iter().map(|glob| Walker::new(glob, &alphabet)).collect::<Result<_, _>>()?;
    Ok((walkers, alphabet))
}

/// Patterns for exactly these texts; with `cased`, in any case.
fn exactly(texts: &[&str], cased: bool) -> Vec<Glob> {
    let exact = texts.iter().map(|text| Glob::exactly(text));
    if cased { exact.map(|glob| glob.in_any_case()).collect() } else { exact.collect() }
}

/// One text for every combination of `globs` that a text other than `taken` can match, shortest
/// first, made of characters that `allowed` accepts. With `cased`, texts are distinguished from
/// others in another case, and none is one of `taken` in another case.
pub(super) fn representatives(
    globs: &[&Glob],
    taken: &[&str],
    cased: bool,
    allowed: fn(char) -> bool,
) -> Result<Vec<String>, TooMany> {
    let own_texts = globs.iter().map(|glob| glob.text.as_str());
    let excluded = exactly(&taken.iter().copied().chain(own_texts).collect::<Vec<&str>>(), cased);
    let loose: Vec<Glob> =
        if cased { globs.iter().map(|glob| glob.in_any_case()).collect() } else { Vec::new() };
    let globs: Vec<&Glob> = globs.iter().copied().chain(&loose).collect();
    let all: Vec<&Glob> = globs.iter().copied().chain(&excluded).collect();
    let (walkers, alphabet) = walkers(&all, allowed)?;
    let mut found: BTreeMap<Vec<bool>, String> = BTreeMap::new();
    let start: Vec<Positions> = walkers.iter().map(|walker| walker.start).collect();
    let mut seen = HashSet::from_iter([start.clone()]);
    let mut queue = VecDeque::from([(start, String::new())]);
    let mut moves = 0;
    while let Some((state, text)) = queue.pop_front() {
        let accepted: Vec<bool> =
            walkers.iter().zip(&state).map(|(walker, at)| walker.accepts(*at)).collect();
        let (matched, excluded) =
            accepted.split_at_checked(globs.len()).unwrap_or((&accepted, &[]));
        if !text.is_empty() && !excluded.contains(&true) {
            found.entry(matched.to_vec()).or_insert_with(|| text.clone());
        }
        moves += alphabet.len() * walkers.len();
        if moves > LIMIT {
            return Err(TooMany);
        }
        for (number, c) in alphabet.iter().enumerate() {
            let next: Vec<_> =
                walkers.iter().zip(&state).map(|(walker, at)| walker.step(*at, number)).collect();
            if seen.insert(next.clone()) {
                queue.push_back((next, format!("{text}{c}")));
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The other globs that a text may still match, by number; sorted.
type Others = Vec<(usize, Positions)>;

/// For every combination of the `few` globs, texts that match these and as few of the `others`, and
/// of the texts `taken`, as possible: for every text, one of these matches the same of the few, and
/// no other glob that it does not match.
pub(super) fn fewest(
    few: &[&Glob],
    others: &[&Glob],
    taken: &[&str],
    cased: bool,
    allowed: fn(char) -> bool,
) -> Result<Vec<String>, TooMany> {
    let loose = |globs: &[&Glob]| -> Vec<Glob> {
        if cased { globs.iter().map(|glob| glob.in_any_case()).collect() } else { Vec::new() }
    };
    let (loose_few, loose_others) = (loose(few), loose(others));
    let own_texts = few.iter().chain(others).map(|glob| glob.text.as_str());
    let taken = exactly(&taken.iter().copied().chain(own_texts).collect::<Vec<&str>>(), cased);
    let few: Vec<&Glob> = few.iter().copied().chain(&loose_few).collect();
    let all: Vec<&Glob> = few
        .iter()
        .copied()
        .chain(others.iter().copied())
        .chain(&loose_others)
        .chain(&taken)
        .collect();
    let (walkers, alphabet) = walkers(&all, allowed)?;
    let (own, others) = walkers.split_at_checked(few.len()).unwrap_or((&walkers, &[]));
    // By combination of the few: the others that each text matches.
    let mut found: BTreeMap<Vec<bool>, Vec<(BTreeSet<usize>, String)>> = BTreeMap::new();
    let mut seen: HashMap<Vec<Positions>, Vec<Others>> = HashMap::default();
    let at = own.iter().map(|walker| walker.start).collect::<Vec<_>>();
    let beside = others.iter().map(|walker| walker.start).enumerate().collect::<Others>();
    let mut queue = VecDeque::from([(at, beside, String::new())]);
    let mut moves = 0;
    while let Some((at, beside, text)) = queue.pop_front() {
        if !text.is_empty() {
            let matched: Vec<bool> =
                own.iter().zip(&at).map(|(walker, at)| walker.accepts(*at)).collect();
            let accepts = |(number, at): &&(usize, Positions)| {
                others.get(*number).is_some_and(|own| own.accepts(*at))
            };
            let with: BTreeSet<usize> =
                beside.iter().filter(accepts).map(|(number, _)| *number).collect();
            let known = found.entry(matched).or_default();
            if !known.iter().any(|(other, _)| other.is_subset(&with)) {
                known.retain(|(other, _)| !with.is_subset(other));
                known.push((with, text.clone()));
            }
        }
        moves += alphabet.len() * (own.len() + beside.len() + 1);
        if moves > LIMIT {
            return Err(TooMany);
        }
        for (number, c) in alphabet.iter().enumerate() {
            let next: Vec<Positions> =
                own.iter().zip(&at).map(|(walker, at)| walker.step(*at, number)).collect();
            let step = |(other, at): &(usize, Positions)| {
                let next = others.get(*other)?.step(*at, number);
                (next != Positions::default()).then_some((*other, next))
            };
            let beside: Others = beside.iter().filter_map(step).collect();
            let known = seen.entry(next.clone()).or_default();
            if !known.iter().any(|other| is_within(other, &beside)) {
                known.retain(|other| !is_within(&beside, other));
                known.push(beside.clone());
                queue.push_back((next, beside, format!("{text}{c}")));
            }
        }
    }
    Ok(found.into_values().flatten().map(|(_, text)| text).collect())
}

/// Returns `true` if everything that may still match in one state may match in the other.
fn is_within(one: &Others, other: &Others) -> bool {
    one.len() <= other.len()
        && one.iter().all(|(number, at)| {
            let own = other
                .binary_search_by_key(number, |(number, _)| *number)
                .ok()
                .and_then(|at| other.get(at));
            own.is_some_and(|(_, wider)| at.is_subset(*wider))
        })
}

/// The other spellings of a text in letters of another case that globs distinguish, without
/// `written`.
pub(super) fn spellings(
    text: &str,
    globs: &[&Glob],
    written: &[&str],
) -> Result<Vec<String>, TooMany> {
    if globs.is_empty() && written == [text] {
        // Nearly always, a label has one spelling, and any other one will do.
        let other = text.char_indices().find_map(|(at, c)| {
            let (start, rest) = text.split_at_checked(at)?;
            Some([start, rest.get(c.len_utf8()..)?].join(&String::from(other_case(c)?)))
        });
        return Ok(other.into_iter().collect());
    }
    type State = (Vec<Positions>, Vec<bool>);
    let letters: Vec<char> =
        text.chars().flat_map(|c| std::iter::once(c).chain(other_case(c))).collect();
    let walkers =
        globs.iter().map(|glob| Walker::new(glob, &letters)).collect::<Result<Vec<_>, _>>()?;
    let start: State =
        (walkers.iter().map(|walker| walker.start).collect(), vec![true; written.len()]);
    let mut states: BTreeMap<State, String> = BTreeMap::from([(start, String::new())]);
    let mut moves = 0;
    for (at, c) in text.chars().enumerate() {
        let mut next: BTreeMap<State, String> = BTreeMap::new();
        for ((positions, same), start) in states {
            moves += 2 * (walkers.len() + 1);
            if moves > LIMIT {
                return Err(TooMany);
            }
            for c in std::iter::once(c).chain(other_case(c)) {
                let number = letters.iter().position(|letter| *letter == c).unwrap_or_default();
                let positions = walkers
                    .iter()
                    .zip(&positions)
                    .map(|(walker, own)| walker.step(*own, number))
                    .collect();
                let is = |other: &&str| other.chars().nth(at) == Some(c);
                let same =
                    written.iter().zip(&same).map(|(other, same)| *same && is(other)).collect();
                next.entry((positions, same)).or_insert_with(|| format!("{start}{c}"));
            }
        }
        states = next;
    }
    let mut found: BTreeMap<Vec<bool>, String> = BTreeMap::new();
    for ((positions, same), spelling) in states {
        // Those as long as the text are the same to the end.
        if !same.contains(&true) {
            let accepted =
                walkers.iter().zip(&positions).map(|(walker, at)| walker.accepts(*at)).collect();
            found.entry(accepted).or_insert(spelling);
        }
    }
    Ok(found.into_values().collect())
}

/// One allowed character of every range that the globs treat alike, a letter or digit if possible.
fn alphabet(globs: &[&Glob], allowed: fn(char) -> bool) -> Vec<char> {
    let mut cuts = BTreeSet::from([0, 0x7f]);
    globs.iter().for_each(|glob| glob.boundaries(&mut cuts));
    let ends = cuts.iter().skip(1).copied().chain([0x11_0000]);
    cuts.iter()
        .zip(ends)
        .filter_map(|(&from, to)| {
            let mut members =
                (from..to.min(from + 0x400)).filter_map(char::from_u32).filter(|c| allowed(*c));
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
        let texts = representatives(&borrowed, &["n1", "n2"], false, |c| c.is_ascii_alphanumeric())
            .unwrap();
        let combinations: BTreeSet<Vec<bool>> = texts
            .iter()
            .map(|text| globs.iter().map(|glob| glob.matches(text)).collect())
            .collect();
        // `n1` and `n2` are taken, so that nothing else matches the third: none, first, second,
        // first and second.
        assert_eq!(combinations.len(), 4, "{texts:?}");
        assert!(texts.iter().all(|text| text != "n1" && text != "n2"));
    }

    #[test]
    fn the_fewest_others_are_matched() {
        let few = [Glob::parse("a*")];
        let others: Vec<Glob> =
            (0..40).map(|n| Glob::parse(&format!("*{}*", char::from(b'b' + n % 20)))).collect();
        let texts = |others: &[Glob], taken: &[&str]| {
            let others: Vec<&Glob> = others.iter().collect();
            let mut texts =
                fewest(&few.each_ref(), &others, taken, false, |c| c.is_ascii_lowercase()).unwrap();
            texts.sort();
            texts
        };
        // One text that matches and one that does not, whatever the others are.
        assert_eq!(texts(&others, &["a"]), ["aa", "v"]);
        // A match that cannot be avoided is included in every minimal way.
        let all = [Glob::parse("*[a-m]"), Glob::parse("*[n-z]")];
        assert_eq!(texts(&all, &[]), ["a", "an", "b", "n"]);
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
            assert_eq!(
                Glob::parse(pattern).in_any_case().matches(text),
                expected,
                "{pattern} {text}"
            );
        }
        let globs = [Glob::parse("S*"), Glob::parse("*t")];
        let spelled = spellings("secret", &globs.each_ref(), &["secret", "SECRET"]).unwrap();
        let combinations: BTreeSet<Vec<bool>> = spelled
            .iter()
            .map(|text| globs.iter().map(|glob| glob.matches(text)).collect())
            .collect();
        assert_eq!((spelled.len(), combinations.len()), (4, 4), "{spelled:?}");
        assert!(
            spelled.iter().all(|text| text != "secret"
                && text != "SECRET"
                && text.to_lowercase() == "secret")
        );
        assert_eq!(spellings("c", &[], &["c", "C"]).unwrap(), [""; 0]);
        assert_eq!(spellings("42", &[], &["42"]).unwrap(), [""; 0]);
    }
}
