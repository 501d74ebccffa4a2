//! The patterns that cover each pattern, computed once for all checks.
//!
//! Rules repeat each other's patterns, so that patterns are compared instead of the items that have
//! them. Invariant: the cost is limited by [`MOST_STEPS`]; beyond it, nothing counts as covered,
//! and [`Coverage::is_complete`] is false.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Item;
use super::item::Subject;
use crate::clause::Target;
use crate::hash::HashMap;
use crate::parallel;

/// The largest number of nodes that are visited to look up patterns, and of pairs of patterns that
/// are kept.
const MOST_STEPS: u64 = 60_000_000;

/// The number of patterns that are looked up at a time.
const PATTERNS_AT_A_TIME: usize = 500;

/// The work of looking up patterns so far.
#[derive(Debug)]
pub(super) struct Steps {
    taken: AtomicU64,
    most: u64,
}

impl Steps {
    pub(super) fn new(most: u64) -> Self {
        Self { taken: AtomicU64::new(0), most }
    }

    /// Counts steps, and returns whether more are permitted.
    pub(super) fn take(&self, count: usize) -> bool {
        if count == 0 {
            return self.taken.load(Ordering::Relaxed) <= self.most;
        }
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.taken.fetch_add(count, Ordering::Relaxed).saturating_add(count) <= self.most
    }
}

impl Default for Steps {
    fn default() -> Self {
        Self::new(MOST_STEPS)
    }
}

/// The distinct patterns of items.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// By pattern: where its items start in `items`; one more for the end.
    starts: Vec<u32>,
    /// The items by pattern, in their order.
    items: Vec<u32>,
    /// By pattern: the patterns that certainly cover it, which may include itself; none if no other
    /// item covers it.
    covering: HashMap<u32, Box<[u32]>>,
    is_complete: bool,
}

impl Coverage {
    /// Finds the distinct patterns of items. Those about a plain name have the number of its group,
    /// of which there are `groups`, until they have that of their pattern.
    pub(super) fn new(items: &mut [Item<'_>], groups: usize) -> Self {
        const NEW: u32 = u32::MAX;
        let mut names = vec![NEW; groups];
        let mut names_with_port: HashMap<(u32, u16), u32> = HashMap::default();
        let mut others: HashMap<&Target, u32> = HashMap::default();
        let mut sizes: Vec<u32> = Vec::new();
        let mut patterns: Vec<u32> = Vec::with_capacity(items.len());
        for item in &*items {
            let next = u32::try_from(sizes.len()).expect("fewer patterns than bytes of policies");
            let pattern = match item.subject() {
                Subject::Name(_, None) => {
                    names.get_mut(item.pattern as usize).expect("a group of the survey")
                }
                Subject::Name(_, Some(port)) => {
                    names_with_port.entry((item.pattern, *port)).or_insert(NEW)
                }
                Subject::Parsed(target) => others.entry(target).or_insert(NEW),
            };
            if *pattern == NEW {
                *pattern = next;
                sizes.push(0);
            }
            let pattern = *pattern;
            sizes.iter_mut().skip(pattern as usize).take(1).for_each(|size| *size += 1);
            patterns.push(pattern);
        }
        drop(others);
        let mut starts = vec![0];
        starts.extend(sizes.iter().scan(0, |end, size| {
            *end += size;
            Some(*end)
        }));
        let mut next = starts.clone();
        let mut by_pattern = vec![0; items.len()];
        for ((number, item), pattern) in (0..).zip(items).zip(patterns) {
            item.pattern = pattern;
            if let Some(at) = next.get_mut(pattern as usize) {
                by_pattern.iter_mut().skip(*at as usize).take(1).for_each(|slot| *slot = number);
                *at += 1;
            }
        }
        Self { starts, items: by_pattern, covering: HashMap::default(), is_complete: true }
    }

    /// Looks up what covers each pattern, on all processors; `find` returns the items that cover
    /// one, within these steps.
    pub(super) fn look_up(
        &mut self,
        items: &[Item<'_>],
        steps: &Steps,
        find: impl Fn(&Item<'_>) -> Vec<u32> + Sync,
    ) {
        let all: Vec<u32> = (0..).take(self.starts.len().saturating_sub(1)).collect();
        let found = parallel::map(all.chunks(PATTERNS_AT_A_TIME).collect(), 1, |chunk| {
            let of = |pattern: u32| {
                let own = self.items_of(pattern);
                let first = items.get(*own.first()? as usize)?;
                let numbers = find(first);
                let mut covering: Vec<u32> = numbers
                    .iter()
                    .filter_map(|number| items.get(*number as usize))
                    .map(|item| item.pattern)
                    .collect();
                covering.sort_unstable();
                covering.dedup();
                // Items with the same pattern are contiguous, and not distinguished further.
                steps.take(numbers.len() / 8);
                let alone = own.len() == 1 && covering.iter().all(|other| *other == pattern);
                let is_kept = !alone && steps.take(covering.len());
                is_kept.then(|| (pattern, covering.into_boxed_slice()))
            };
            chunk.iter().copied().filter_map(of).collect::<Vec<_>>()
        });
        self.covering = found.into_iter().flatten().collect();
        self.is_complete = steps.take(0);
        if !self.is_complete {
            self.covering = HashMap::default();
        }
    }

    /// Returns `true` if it is known which patterns cover which.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The numbers of the items with a pattern.
    fn items_of(&self, pattern: u32) -> &[u32] {
        let bound = |at: u32| self.starts.get(at as usize).map_or(0, |start| *start as usize);
        self.items.get(bound(pattern)..bound(pattern + 1)).unwrap_or_default()
    }

    /// The numbers of the items that certainly cover a pattern, including its own; empty if no
    /// other does.
    pub(super) fn covering(&self, pattern: u32) -> impl Iterator<Item = u32> {
        let patterns = self.covering.get(&pattern).map(|all| &**all).unwrap_or_default();
        patterns.iter().flat_map(|pattern| self.items_of(*pattern)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Steps;
    use crate::model::{Action, Body, Decision, Policy, Resources, Rule, Scope};
    use crate::survey::{Item, Survey};

    /// A policy with one rule for each of these folders.
    fn policy(folders: &[String]) -> Policy {
        let rule = |(number, folder): (usize, &String)| Rule {
            name: number.to_string(),
            decision: Decision::Allow,
            actions: vec![Action::Read],
            resources: Resources::Plain(vec![folder.clone()].into()),
        };
        let rules = folders.iter().enumerate().map(rule).collect();
        Policy { name: "p".to_owned(), scope: Scope::Organization, body: Body::Allowlist(rules) }
    }

    /// Every path of four of these segments.
    fn folders() -> Vec<String> {
        let parts = ["**", "*", "a", "b"];
        (0..256_usize)
            .map(|n| (0..4).map(|at| format!("/{}", parts[n >> (2 * at) & 3])).collect())
            .collect()
    }

    #[test]
    fn a_pattern_is_looked_up_once_however_many_rules_have_it() {
        let folders = folders();
        let steps = |copies: usize| {
            let steps = Steps::default();
            let policies = vec![policy(&folders); copies];
            let survey = Survey::with_steps(&policies, &steps);
            assert!(survey.is_complete());
            let covered = survey
                .items()
                .iter()
                .filter(|item| survey.covered_by(item, |_| true).is_some())
                .count();
            // Nothing else covers `/**/**/**/**`, except its copies.
            assert_eq!(covered, folders.len() * copies - usize::from(copies == 1), "{copies}");
            steps.taken.into_inner()
        };
        let (one, twenty) = (steps(1), steps(20));
        assert!(twenty < 4 * one, "{one} steps for one policy, {twenty} for twenty like it");
    }

    #[test]
    fn beyond_the_steps_nothing_is_called_covered() {
        let policies = [policy(&folders())];
        let survey = Survey::with_steps(&policies, &Steps::new(1_000));
        assert!(!survey.is_complete());
        let is_covered = |item: &Item<'_>| survey.covered_by(item, |_| true).is_some();
        assert!(!survey.items().iter().any(is_covered));
    }
}
