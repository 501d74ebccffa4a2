//! Says which classes are meant, in the patterns that the rules themselves use.
//!
//! Invariant: the descriptions together cover every class to report, and none says more than is true.

use std::collections::{BTreeMap, BTreeSet};

use crate::hash::HashMap;

/// The number of exceptions that are spelled out.
const SPELLED_OUT: usize = 5;

/// Behind a pattern of which only some is meant, and no other pattern says which.
pub(super) const IN_PART: &str = " in part";

/// The patterns of rules, and the classes that each one certainly matches.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    texts: Vec<String>,
    members: Vec<Vec<usize>>,
    /// By class.
    patterns: Vec<Vec<usize>>,
    /// By pattern: the classes that it matches too if these are another spelling. As an exception it takes these away, just
    /// where they are to be taken away.
    loose_members: Vec<Vec<usize>>,
    /// By class: these patterns.
    loose: HashMap<usize, Vec<usize>>,
    known: HashMap<String, usize>,
}

/// Texts for classes that no pattern describes, with the classes that each one is about.
pub(super) type Named = Vec<(String, Vec<usize>)>;

/// Some classes, described.
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
    /// The number of classes that are not meant, and that no pattern takes away.
    unnamed: usize,
    exceptions: usize,
    text: String,
    covered: BTreeSet<usize>,
}

impl Catalogue {
    /// A catalogue for as many classes, each with the texts of the patterns that match it.
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

    /// Describes the classes of `report`. `is_true` tells of these and of every other class whether the same may be said;
    /// `exists` tells which classes there are at all. Classes that no pattern describes are left to `name`.
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
                // What was worked out for another class holds for this one, unless it takes this one away.
                if excepted.get(&pattern).is_none_or(|known| !known.covered.contains(&class)) {
                    let inside = self.members(pattern).iter().filter(|class| exists(**class)).copied().collect();
                    excepted.insert(pattern, self.with_exceptions(pattern, inside, (class, &left), is_true));
                }
            }
            let candidates = self.patterns(class).iter().filter_map(|pattern| Some((*pattern, excepted.get(pattern)?)));
            let best = candidates
                // Of those that say the same, the shortest, which is the one without what narrows nothing.
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

    /// The patterns that match some of the classes, each with how many; those that match most of them first, of these the narrowest.
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

    /// A pattern of which not everything is true, with what is not: narrowed by further patterns where that takes, with
    /// exceptions. An exception may take away what is true as long as it leaves `class`: the rest is described elsewhere,
    /// best where it is already, so that it is not among those that are `left`. Where patterns do not tell all of it apart,
    /// the text says so: to except one member of a class would claim the others.
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
        // One alone is never left out.
        let spelled_out = if texts.len() <= SPELLED_OUT + 1 { texts.len() } else { SPELLED_OUT };
        if let Some(shown) = texts.get(..spelled_out).filter(|shown| !shown.is_empty()) {
            text = format!("{text} except {}", shown.join(", "));
        }
        if texts.len() > spelled_out {
            text = format!("{text} and {} more", texts.len() - spelled_out);
        }
        Excepted { unnamed, exceptions: texts.len(), text, covered }
    }

    /// Patterns that take what is wrong away from `inside`, and what they leave of it.
    fn exceptions(
        &self,
        inside: &BTreeSet<usize>,
        (class, left): (usize, &BTreeSet<usize>),
        is_true: &dyn Fn(usize) -> bool,
    ) -> (Vec<usize>, BTreeSet<usize>) {
        let mut wrong: BTreeSet<usize> = inside.iter().copied().filter(|member| !is_true(*member)).collect();
        let mut exceptions = Vec::new();
        // What is wrong if letter case matters has a pattern that takes it away for certain; the rest may be another spelling.
        for (loosely, may_take_left) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut others = if loosely {
                self.loosely(&wrong)
            } else {
                self.by_gain(&wrong.iter().copied().collect::<Vec<usize>>())
            };
            // Of patterns that take away as much, the shortest text.
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
