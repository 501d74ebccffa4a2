//! Describes classes in the patterns of the rules.
//!
//! Invariant: the descriptions together cover every class to report, and none claims more than is
//! true.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::alike::AlikeHosts;
use crate::few::Few;
use crate::hash::{HashMap, IndexSet};

/// The largest number of exceptions in a description.
const SPELLED_OUT: usize = 5;

/// The suffix of a pattern of which only a part is meant, if no other pattern describes that part.
pub(super) const IN_PART: &str = " in part";

/// The patterns of rules, and the classes that each one certainly matches.
///
/// A pattern that is about one of several hosts that are alike stands for one pattern of each of
/// them. In every count such a host has the weight of all of them, except beside a pattern that is
/// about itself.
#[derive(Debug)]
pub(super) struct Catalogue<'a> {
    alike: &'a AlikeHosts<'a>,
    texts: IndexSet<String>,
    /// By pattern: the host that stands for others, if the pattern is about it.
    hosts: Vec<Option<&'a str>>,
    /// By pattern: the number of classes that it matches.
    sizes: Vec<usize>,
    /// By class: the number of hosts that it stands for.
    weights: Vec<usize>,
    members: Vec<Few<usize>>,
    /// By class: the patterns that certainly match it.
    patterns: Vec<Vec<usize>>,
    /// By pattern: the classes that it also matches if these are another spelling. As an exception,
    /// it excludes these only if they are to be excluded.
    loose_members: Vec<Few<usize>>,
    /// By class: these patterns.
    loose: HashMap<usize, Vec<usize>>,
}

/// Texts for classes that no pattern describes, with the classes that each is about.
pub(super) type Named = Vec<(String, Vec<usize>)>;

/// A description of some classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description<'a> {
    pub(super) text: String,
    /// The host that the text is about, if that stands for others: it is true of each of them.
    pub(super) host: Option<&'a str>,
    /// The number of classes that the text covers.
    pub(super) size: usize,
    /// The classes to report that this text covers.
    pub(super) covered: Vec<usize>,
}

/// A pattern with exceptions.
#[derive(Debug)]
struct Excepted<'a> {
    /// The number of classes that are not meant and that no pattern excludes.
    unnamed: usize,
    exceptions: usize,
    text: String,
    host: Option<&'a str>,
    covered: BTreeSet<usize>,
    /// The number of classes that it covers.
    size: usize,
}

/// A pattern that excludes wrong classes.
#[derive(Clone, Copy, Debug)]
struct Exception {
    pattern: usize,
    /// The number of the attempt that found it.
    attempt: usize,
    /// The number of wrong classes that it matches.
    gain: usize,
}

impl<'a> Catalogue<'a> {
    /// A catalogue without classes.
    pub(super) fn new(alike: &'a AlikeHosts<'a>) -> Self {
        Self {
            alike,
            texts: IndexSet::default(),
            hosts: Vec::new(),
            sizes: Vec::new(),
            weights: Vec::new(),
            members: Vec::new(),
            patterns: Vec::new(),
            loose_members: Vec::new(),
            loose: HashMap::default(),
        }
    }

    /// Makes room for so many texts and classes.
    pub(super) fn reserve(&mut self, texts: usize, classes: usize) {
        self.texts.reserve(texts);
        self.hosts.reserve(texts);
        self.sizes.reserve(texts);
        self.members.reserve(texts);
        self.loose_members.reserve(texts);
        self.weights.reserve(classes);
        self.patterns.reserve(classes);
    }

    /// Adds classes, each with the positions of the texts of the patterns that match it.
    pub(super) fn add(&mut self, texts: Vec<String>, classes: Vec<Vec<u32>>) {
        let patterns: Vec<usize> = texts.into_iter().map(|text| self.pattern(text)).collect();
        for texts in classes {
            let own = texts.iter().filter_map(|text| patterns.get(*text as usize));
            let mut own: Vec<usize> = own.copied().collect();
            own.sort_unstable();
            own.dedup();
            let class = self.patterns.len();
            self.weights.push(own.iter().map(|pattern| self.copies(*pattern)).max().unwrap_or(1));
            for &pattern in &own {
                let weight = self.weight(class, self.host(pattern));
                if let Some((members, size)) =
                    self.members.get_mut(pattern).zip(self.sizes.get_mut(pattern))
                {
                    members.push(class);
                    *size += weight;
                }
            }
            self.patterns.push(own);
        }
    }

    /// Adds the patterns that may match classes from `first` on, each with the positions of their
    /// texts.
    pub(super) fn add_loose(&mut self, first: usize, texts: Vec<String>, classes: Vec<Vec<u32>>) {
        let patterns: Vec<usize> = texts.into_iter().map(|text| self.pattern(text)).collect();
        for (class, texts) in (first..).zip(classes) {
            let own = texts.iter().filter_map(|text| patterns.get(*text as usize));
            let mut own: Vec<usize> = own.copied().collect();
            if own.is_empty() {
                continue;
            }
            own.sort_unstable();
            own.dedup();
            for &pattern in &own {
                if let Some(members) = self.loose_members.get_mut(pattern) {
                    members.push(class);
                }
            }
            self.loose.insert(class, own);
        }
    }

    fn pattern(&mut self, text: String) -> usize {
        let (at, is_new) = self.texts.insert_full(text);
        if is_new {
            self.hosts.push(self.alike.of_pattern(self.text(at)));
            self.sizes.push(0);
            self.members.push(Few::None);
            self.loose_members.push(Few::None);
        }
        at
    }

    /// The patterns that may match some of the classes if these are another spelling.
    fn loosely(&self, classes: &BTreeSet<usize>) -> Vec<(usize, usize)> {
        let patterns: BTreeSet<usize> =
            classes.iter().filter_map(|class| self.loose.get(class)).flatten().copied().collect();
        patterns.into_iter().map(|pattern| (pattern, 0)).collect()
    }

    /// The host that a pattern is about, if that stands for others.
    fn host(&self, pattern: usize) -> Option<&'a str> {
        self.hosts.get(pattern).copied().flatten()
    }

    /// The number of patterns that a pattern stands for.
    fn copies(&self, pattern: usize) -> usize {
        self.host(pattern).map_or(1, |host| self.alike.names(host).len())
    }

    /// The number of classes that a class stands for in a description that is about `host`.
    fn weight(&self, class: usize, host: Option<&str>) -> usize {
        if host.is_some() { 1 } else { self.weights.get(class).copied().unwrap_or(1) }
    }

    fn count<'b>(&self, classes: impl Iterator<Item = &'b usize>, host: Option<&str>) -> usize {
        classes.map(|class| self.weight(*class, host)).sum()
    }

    /// The number of classes that a pattern matches.
    fn size(&self, pattern: usize) -> usize {
        self.sizes.get(pattern).copied().unwrap_or_default()
    }

    fn members(&self, pattern: usize) -> &[usize] {
        self.members.get(pattern).map(Few::as_slice).unwrap_or_default()
    }

    fn text(&self, pattern: usize) -> &str {
        self.texts.get_index(pattern).map(String::as_str).unwrap_or_default()
    }

    fn patterns(&self, class: usize) -> &[usize] {
        self.patterns.get(class).map(Vec::as_slice).unwrap_or_default()
    }

    /// Describes the classes of `report`. `is_true` returns whether the description may include a
    /// class; `exists` returns which classes exist at all. `name` describes classes that no pattern
    /// does.
    pub(super) fn describe(
        &self,
        report: &[usize],
        is_true: &dyn Fn(usize) -> bool,
        exists: &dyn Fn(usize) -> bool,
        name: &dyn Fn(&BTreeSet<usize>) -> Named,
    ) -> Vec<Description<'a>> {
        let mut left: BTreeSet<usize> = report.iter().copied().collect();
        let mut descriptions = Vec::new();
        for (pattern, _) in self.by_gain(report, None) {
            if !self.members(pattern).iter().all(|class| is_true(*class) || !exists(*class)) {
                continue;
            }
            let gained: Vec<usize> = self
                .members(pattern)
                .iter()
                .filter(|class| left.contains(class))
                .copied()
                .collect();
            if gained.is_empty() {
                continue;
            }
            gained.iter().for_each(|class| {
                left.remove(class);
            });
            let (text, host, size) =
                (self.text(pattern).to_owned(), self.host(pattern), self.size(pattern));
            descriptions.push(Description { text, host, size, covered: gained });
        }
        let mut excepted: BTreeMap<usize, Excepted> = BTreeMap::new();
        let mut told: BTreeMap<usize, Option<&'a str>> = BTreeMap::new();
        let whole = descriptions.len();
        let mut unnamed = BTreeSet::new();
        while let Some(class) = left.pop_first() {
            for &pattern in self.patterns(class) {
                // A description for another class applies to this one, unless it excludes this one.
                if excepted.get(&pattern).is_none_or(|known| !known.covered.contains(&class)) {
                    let inside = self
                        .members(pattern)
                        .iter()
                        .filter(|class| exists(**class))
                        .copied()
                        .collect();
                    excepted.insert(
                        pattern,
                        self.with_exceptions(pattern, inside, (class, &left), is_true),
                    );
                }
            }
            let candidates = self
                .patterns(class)
                .iter()
                .filter_map(|pattern| Some((*pattern, excepted.get(pattern)?)));
            let best = candidates
                // Among equivalent descriptions, the shortest, which has no superfluous parts.
                .min_by_key(|(pattern, best)| {
                    (best.unnamed, best.exceptions, best.size, best.text.len(), self.text(*pattern))
                });
            match best {
                Some((_, best)) => {
                    let rest = best.covered.iter().filter(|other| left.remove(other)).copied();
                    let covered = std::iter::once(class).chain(rest).collect();
                    let Excepted { ref text, host, size, unnamed, .. } = *best;
                    if unnamed == 0 {
                        for covered in &best.covered {
                            let known = told.entry(*covered).or_insert(host);
                            *known = known.and(host);
                        }
                    }
                    descriptions.push(Description { text: text.clone(), host, size, covered });
                }
                None => {
                    unnamed.insert(class);
                }
            }
        }
        // A pattern with exceptions may cover what another one describes.
        let is_told = |description: &Description<'a>| {
            let own = description.host;
            let by = |host: &Option<&str>| host.is_none() || *host == own;
            description.covered.iter().all(|class| told.get(class).is_some_and(by))
        };
        let mut number = 0;
        descriptions.retain(|description| {
            number += 1;
            number > whole || !is_told(description)
        });
        for (text, covered) in name(&unnamed) {
            let host = self.alike.of_pattern(&text);
            descriptions.push(Description { text, host, size: 1, covered });
        }
        descriptions
    }

    /// The patterns that match some of the classes, each with their number; those that match most
    /// first, and among these the narrowest. The classes are counted for a description that is
    /// about `host`.
    fn by_gain(&self, classes: &[usize], host: Option<&str>) -> Vec<(usize, usize)> {
        let count = classes.iter().map(|class| self.patterns(*class).len()).sum();
        let mut matched: Vec<(usize, usize)> = Vec::with_capacity(count);
        for &class in classes {
            let weight = |pattern: &usize| self.weight(class, host.or(self.host(*pattern)));
            matched.extend(self.patterns(class).iter().map(|pattern| (*pattern, weight(pattern))));
        }
        matched.sort_unstable();
        let runs = matched.chunk_by(|one, other| one.0 == other.0);
        let gain = |run: &[(usize, usize)]| run.iter().map(|(_, weight)| weight).sum();
        let mut patterns: Vec<(usize, usize)> =
            runs.filter_map(|run| run.first().map(|(pattern, _)| (*pattern, gain(run)))).collect();
        let order = |(pattern, gain): &(usize, usize)| {
            (Reverse(*gain), self.size(*pattern), self.text(*pattern))
        };
        patterns.sort_by(|one, other| order(one).cmp(&order(other)));
        patterns
    }

    /// A pattern of which a part is not true, with corrections: further patterns that narrow it if
    /// that is enough, otherwise exceptions. An exception may exclude true classes as long as it
    /// keeps `class`: the others are described elsewhere, preferably already, so that they are not
    /// among those that are `left`. If patterns cannot distinguish them, the text says so, since
    /// excluding one member of a class would claim the others.
    fn with_exceptions(
        &self,
        pattern: usize,
        mut inside: BTreeSet<usize>,
        kept: (usize, &BTreeSet<usize>),
        is_true: &dyn Fn(usize) -> bool,
    ) -> Excepted<'a> {
        let mut host = self.host(pattern);
        let mut text = self.text(pattern).to_owned();
        let (mut exceptions, mut wrong) = self.exceptions(&inside, kept, host, is_true);
        while !wrong.is_empty() {
            let rest = |other: usize| {
                let members = self.members(other).iter().filter(|member| wrong.contains(member));
                self.count(members, host.or(self.host(other)))
            };
            let narrower =
                self.patterns(kept.0).iter().copied().min_by_key(|other| (rest(*other), *other));
            let all = self.count(wrong.iter(), host);
            let Some(narrower) = narrower.filter(|other| rest(*other) < all) else { break };
            text = format!("{text} within {}", self.text(narrower));
            host = host.or(self.host(narrower));
            inside = self
                .members(narrower)
                .iter()
                .filter(|member| inside.contains(member))
                .copied()
                .collect();
            (exceptions, wrong) = self.exceptions(&inside, kept, host, is_true);
        }
        let taken: BTreeSet<usize> =
            exceptions.iter().flat_map(|other| self.members(other.pattern)).copied().collect();
        let covered: BTreeSet<usize> = inside
            .into_iter()
            .filter(|member| is_true(*member) && !taken.contains(member))
            .collect();
        let unnamed = self.count(wrong.iter(), host);
        if unnamed > 0 {
            text.push_str(IN_PART);
        }
        let (texts, count) = self.exception_texts(&exceptions, host);
        // A list never leaves out just one item.
        let spelled_out = if count <= SPELLED_OUT + 1 { count } else { SPELLED_OUT };
        if let Some(shown) = texts.get(..spelled_out).filter(|shown| !shown.is_empty()) {
            text = format!("{text} except {}", shown.join(", "));
        }
        if count > spelled_out {
            text = format!("{text} and {} more", count - spelled_out);
        }
        let size = self.count(covered.iter(), host);
        Excepted { unnamed, exceptions: count, text, host, covered, size }
    }

    /// The texts of exceptions, in order, and their number; for a host that stands for others, those
    /// of all of them. All that can be spelled out are among the texts.
    fn exception_texts(
        &self,
        exceptions: &[Exception],
        host: Option<&str>,
    ) -> (Vec<Cow<'_, str>>, usize) {
        if host.is_some() || exceptions.iter().all(|other| self.host(other.pattern).is_none()) {
            let texts = exceptions.iter().map(|other| Cow::Borrowed(self.text(other.pattern)));
            return (texts.collect(), exceptions.len());
        }
        let (mut texts, mut count) = (Vec::new(), 0);
        for &Exception { pattern, attempt, gain } in exceptions {
            let text = self.text(pattern);
            let mut add = |text: Cow<'a, str>| {
                texts.push((attempt, Reverse(gain), text.len(), self.size(pattern), text))
            };
            match self.host(pattern) {
                Some(host) => {
                    let mut names = self.alike.names(host).to_vec();
                    count += names.len();
                    if names.len() > SPELLED_OUT + 1 {
                        names.select_nth_unstable_by_key(SPELLED_OUT, |name| (name.len(), *name));
                        names.truncate(SPELLED_OUT + 1);
                    }
                    names.iter().for_each(|name| add(text.replace(host, name).into()));
                }
                None => {
                    count += 1;
                    add(text.to_owned().into());
                }
            }
        }
        texts.sort_unstable();
        (texts.into_iter().map(|(.., text)| text).collect(), count)
    }

    /// Patterns that exclude wrong classes from `inside`, and the wrong classes that remain.
    fn exceptions(
        &self,
        inside: &BTreeSet<usize>,
        (class, left): (usize, &BTreeSet<usize>),
        host: Option<&str>,
        is_true: &dyn Fn(usize) -> bool,
    ) -> (Vec<Exception>, BTreeSet<usize>) {
        let mut wrong: BTreeSet<usize> =
            inside.iter().copied().filter(|member| !is_true(*member)).collect();
        let mut exceptions = Vec::new();
        // A class that is wrong if letter case matters has a pattern that certainly excludes it;
        // the others may be another spelling.
        for (attempt, (loosely, may_take_left)) in
            [(false, false), (false, true), (true, false), (true, true)].into_iter().enumerate()
        {
            let mut others = if loosely {
                self.loosely(&wrong)
            } else {
                self.by_gain(&wrong.iter().copied().collect::<Vec<usize>>(), host)
            };
            // Among patterns that exclude equally many classes, the shortest text.
            others.sort_by_key(|(other, gain)| (Reverse(*gain), self.text(*other).len()));
            for (pattern, gain) in others {
                let loose = if loosely { self.loose_members.get(pattern) } else { None };
                let all =
                    || self.members(pattern).iter().chain(loose.into_iter().flat_map(Few::iter));
                let members = || all().filter(|member| inside.contains(member));
                let takes =
                    |member: &usize| *member == class || !may_take_left && left.contains(member);
                if !members().any(takes) && members().any(|member| wrong.contains(member)) {
                    members().for_each(|member| {
                        wrong.remove(member);
                    });
                    exceptions.push(Exception { pattern, attempt, gain });
                }
            }
        }
        (exceptions, wrong)
    }
}
