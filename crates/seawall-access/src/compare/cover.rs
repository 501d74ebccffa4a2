//! Describes classes in the patterns of the rules.
//!
//! Invariant: the descriptions together cover every class to report, and none claims more than is true.

use std::collections::{BTreeMap, BTreeSet};

use crate::hash::HashMap;

/// The largest number of exceptions in a description.
const SPELLED_OUT: usize = 5;

/// The suffix of a pattern of which only a part is meant, if no other pattern describes that part.
pub(super) const IN_PART: &str = " in part";

/// The patterns of rules, and the classes that each one certainly matches.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    texts: Vec<String>,
    members: Vec<Vec<usize>>,
    /// By class: the patterns that certainly match it.
    patterns: Vec<Vec<usize>>,
    /// By pattern: the classes that it also matches if these are another spelling. As an exception, it excludes these
    /// only if they are to be excluded.
    loose_members: Vec<Vec<usize>>,
    /// By class: these patterns.
    loose: HashMap<usize, Vec<usize>>,
    known: HashMap<String, usize>,
}

/// Texts for classes that no pattern describes, with the classes that each is about.
pub(super) type Named = Vec<(String, Vec<usize>)>;

/// A description of some classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) text: String,
    /// The number of classes that the text covers.
    pub(super) size: usize,
    /// The classes to report that this text covers.
    pub(super) covered: Vec<usize>,
}

/// A pattern with exceptions.
#[derive(Debug)]
struct Excepted {
    /// The number of classes that are not meant and that no pattern excludes.
    unnamed: usize,
    exceptions: usize,
    text: String,
    covered: BTreeSet<usize>,
}

impl Catalogue {
    /// A catalogue for this number of classes, each with the texts of the patterns that match it.
    pub(super) fn new(classes: impl IntoIterator<Item = Vec<String>>) -> Self {
        let mut catalogue = Self::default();
        for (class, texts) in classes.into_iter().enumerate() {
            let mut own: Vec<usize> = texts.into_iter().map(|text| catalogue.pattern(text)).collect();
            own.sort_unstable();
            own.dedup();
            for &pattern in &own {
                if let Some(members) = catalogue.members.get_mut(pattern) {
                    members.push(class);
                }
            }
            catalogue.patterns.push(own);
        }
        catalogue
    }

    /// Adds the patterns that may match a class.
    pub(super) fn add_loose(&mut self, class: usize, texts: Vec<String>) {
        if texts.is_empty() {
            return;
        }
        let own: BTreeSet<usize> = texts.into_iter().map(|text| self.pattern(text)).collect();
        for &pattern in &own {
            if let Some(members) = self.loose_members.get_mut(pattern) {
                members.push(class);
            }
        }
        self.loose.insert(class, own.into_iter().collect());
    }

    fn pattern(&mut self, text: String) -> usize {
        if let Some(at) = self.known.get(&text) {
            return *at;
        }
        let at = self.texts.len();
        self.known.insert(text.clone(), at);
        self.texts.push(text);
        self.members.push(Vec::new());
        self.loose_members.push(Vec::new());
        at
    }

    /// The patterns that may match some of the classes if these are another spelling.
    fn loosely(&self, classes: &BTreeSet<usize>) -> Vec<(usize, usize)> {
        let patterns: BTreeSet<usize> =
            classes.iter().filter_map(|class| self.loose.get(class)).flatten().copied().collect();
        patterns.into_iter().map(|pattern| (pattern, 0)).collect()
    }

    fn members(&self, pattern: usize) -> &[usize] {
        self.members.get(pattern).map(Vec::as_slice).unwrap_or_default()
    }

    fn text(&self, pattern: usize) -> &str {
        self.texts.get(pattern).map(String::as_str).unwrap_or_default()
    }

    fn patterns(&self, class: usize) -> &[usize] {
        self.patterns.get(class).map(Vec::as_slice).unwrap_or_default()
    }

    /// Describes the classes of `report`. `is_true` returns whether the description may include a class; `exists`
    /// returns which classes exist at all. `name` describes classes that no pattern does.
    pub(super) fn describe(
        &self,
        report: &[usize],
        is_true: &dyn Fn(usize) -> bool,
        exists: &dyn Fn(usize) -> bool,
        name: &dyn Fn(&BTreeSet<usize>) -> Named,
    ) -> Vec<Description> {
        let mut left: BTreeSet<usize> = report.iter().copied().collect();
        let mut descriptions = Vec::new();
        for (pattern, _) in self.by_gain(report) {
            if !self.members(pattern).iter().all(|class| is_true(*class) || !exists(*class)) {
                continue;
            }
            let gained: Vec<usize> =
                self.members(pattern).iter().filter(|class| left.contains(class)).copied().collect();
            if gained.is_empty() {
                continue;
            }
            gained.iter().for_each(|class| {
                left.remove(class);
            });
            let size = self.members(pattern).len();
            descriptions.push(Description { text: self.text(pattern).to_owned(), size, covered: gained });
        }
        let mut excepted: BTreeMap<usize, Excepted> = BTreeMap::new();
        let mut unnamed = BTreeSet::new();
        while let Some(class) = left.pop_first() {
            for &pattern in self.patterns(class) {
                // A description for another class applies to this one, unless it excludes this one.
                if excepted.get(&pattern).is_none_or(|known| !known.covered.contains(&class)) {
                    let inside = self.members(pattern).iter().filter(|class| exists(**class)).copied().collect();
                    excepted.insert(pattern, self.with_exceptions(pattern, inside, (class, &left), is_true));
                }
            }
            let candidates = self.patterns(class).iter().filter_map(|pattern| Some((*pattern, excepted.get(pattern)?)));
            let best = candidates
                // Among equivalent descriptions, the shortest, which has no superfluous parts.
                .min_by_key(|(pattern, best)| {
                    (best.unnamed, best.exceptions, best.covered.len(), best.text.len(), self.text(*pattern))
                });
            match best {
                Some((_, best)) => {
                    let rest = best.covered.iter().filter(|other| left.remove(other)).copied();
                    let covered = std::iter::once(class).chain(rest).collect();
                    descriptions.push(Description { text: best.text.clone(), size: best.covered.len(), covered });
                }
                None => {
                    unnamed.insert(class);
                }
            }
        }
        let named = name(&unnamed).into_iter().map(|(text, covered)| Description { text, size: 1, covered });
        descriptions.extend(named);
        descriptions
    }

    /// The patterns that match some of the classes, each with their number; those that match most first, and among
    /// these the narrowest.
    fn by_gain(&self, classes: &[usize]) -> Vec<(usize, usize)> {
        let mut matched: Vec<usize> = classes.iter().flat_map(|class| self.patterns(*class)).copied().collect();
        matched.sort_unstable();
        let runs = matched.chunk_by(|one, other| one == other);
        let mut patterns: Vec<(usize, usize)> =
            runs.filter_map(|run| run.first().map(|pattern| (*pattern, run.len()))).collect();
        let order = |(pattern, gain): &(usize, usize)| {
            (std::cmp::Reverse(*gain), self.members(*pattern).len(), self.text(*pattern))
        };
        patterns.sort_by(|one, other| order(one).cmp(&order(other)));
        patterns
    }

    /// A pattern of which a part is not true, with corrections: further patterns that narrow it if that is enough,
    /// otherwise exceptions. An exception may exclude true classes as long as it keeps `class`: the others are
    /// described elsewhere, preferably already, so that they are not among those that are `left`. If patterns cannot
    /// distinguish them, the text says so, since excluding one member of a class would claim the others.
    fn with_exceptions(
        &self,
        pattern: usize,
        mut inside: BTreeSet<usize>,
        (class, left): (usize, &BTreeSet<usize>),
        is_true: &dyn Fn(usize) -> bool,
    ) -> Excepted {
        let mut text = self.text(pattern).to_owned();
        let (mut exceptions, mut wrong) = self.exceptions(&inside, (class, left), is_true);
        while !wrong.is_empty() {
            let kept = |other: usize| self.members(other).iter().filter(|member| wrong.contains(member)).count();
            let narrower = self.patterns(class).iter().copied().min_by_key(|other| (kept(*other), *other));
            let Some(narrower) = narrower.filter(|other| kept(*other) < wrong.len()) else { break };
            text = format!("{text} within {}", self.text(narrower));
            inside = self.members(narrower).iter().filter(|member| inside.contains(member)).copied().collect();
            (exceptions, wrong) = self.exceptions(&inside, (class, left), is_true);
        }
        let taken: BTreeSet<usize> = exceptions.iter().flat_map(|other| self.members(*other)).copied().collect();
        let covered = inside.into_iter().filter(|member| is_true(*member) && !taken.contains(member)).collect();
        let unnamed = wrong.len();
        if unnamed > 0 {
            text.push_str(IN_PART);
        }
        let texts: Vec<&str> = exceptions.iter().map(|other| self.text(*other)).collect();
        // A list never leaves out just one item.
        let spelled_out = if texts.len() <= SPELLED_OUT + 1 { texts.len() } else { SPELLED_OUT };
        if let Some(shown) = texts.get(..spelled_out).filter(|shown| !shown.is_empty()) {
            text = format!("{text} except {}", shown.join(", "));
        }
        if texts.len() > spelled_out {
            text = format!("{text} and {} more", texts.len() - spelled_out);
        }
        Excepted { unnamed, exceptions: texts.len(), text, covered }
    }

    /// Patterns that exclude wrong classes from `inside`, and the wrong classes that remain.
    fn exceptions(
        &self,
        inside: &BTreeSet<usize>,
        (class, left): (usize, &BTreeSet<usize>),
        is_true: &dyn Fn(usize) -> bool,
    ) -> (Vec<usize>, BTreeSet<usize>) {
        let mut wrong: BTreeSet<usize> = inside.iter().copied().filter(|member| !is_true(*member)).collect();
        let mut exceptions = Vec::new();
        // A class that is wrong if letter case matters has a pattern that certainly excludes it; the others may be
        // another spelling.
        for (loosely, may_take_left) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut others = if loosely {
                self.loosely(&wrong)
            } else {
                self.by_gain(&wrong.iter().copied().collect::<Vec<usize>>())
            };
            // Among patterns that exclude equally many classes, the shortest text.
            others.sort_by_key(|(other, gain)| (std::cmp::Reverse(*gain), self.text(*other).len()));
            for (other, _) in others {
                let loose = if loosely { self.loose_members.get(other) } else { None };
                let all = || self.members(other).iter().chain(loose.into_iter().flatten());
                let members = || all().filter(|member| inside.contains(member));
                let takes = |member: &usize| *member == class || !may_take_left && left.contains(member);
                if !members().any(takes) && members().any(|member| wrong.contains(member)) {
                    members().for_each(|member| {
                        wrong.remove(member);
                    });
                    exceptions.push(other);
                }
            }
        }
        (exceptions, wrong)
    }
}
