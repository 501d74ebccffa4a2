//! Matches declared policies and rules with live ones.
//!
//! Invariant: each live object is matched at most once, and the result depends on names and contents only, not on the
//! order of either side.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{DesiredPolicy, LivePolicy, LiveRule, Rule};

use super::changed_fields;

/// For each desired policy, the index of the live policy that it matches.
///
/// A policy is found by its name, then by its earlier names. Two cases go beyond that:
///
/// * In a *chain* of renames (`a` is now `b`, and the old `b` is now `c`) the live `b` has a declared policy of its
///   name, yet it is the one that became `c`: nothing else can be `c`, and the live `a` can be the new `b`.
/// * In a *swap*, both names are live before and after. Matching by name and matching by `previously` are both
///   possible; the one that takes fewer calls is chosen, so that a swap that has been applied is not undone.
#[must_use]
pub fn policies(desired: &[DesiredPolicy], live: &[LivePolicy]) -> Vec<Option<usize>> {
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, policy) in live.iter().enumerate() {
        by_name.entry(&policy.name).or_insert(index);
    }
    let mut matched: Vec<Option<usize>> =
        desired.iter().map(|declared| by_name.get(declared.policy.name.as_str()).copied()).collect();
    let mut taken: BTreeSet<usize> = matched.iter().flatten().copied().collect();
    claim_free_names(desired, &by_name, &mut matched, &mut taken);
    shift_chains(desired, &by_name, &mut matched, &mut taken);
    follow_swaps(desired, live, &by_name, &mut matched);
    matched
}

/// Gives each declared policy without a live one the first of its earlier names that no other declared policy uses.
fn claim_free_names(
    desired: &[DesiredPolicy],
    by_name: &BTreeMap<&str, usize>,
    matched: &mut [Option<usize>],
    taken: &mut BTreeSet<usize>,
) {
    for (slot, declared) in matched.iter_mut().zip(desired) {
        if slot.is_none() {
            *slot = former(declared, by_name).find(|index| taken.insert(*index));
        }
    }
}

/// Resolves chains of renames: a declared policy without a live one takes the live policy of its earlier name from the
/// declared policy that has this name now, if that one can take the live policy of *its* earlier name, and so on.
fn shift_chains(
    desired: &[DesiredPolicy],
    by_name: &BTreeMap<&str, usize>,
    matched: &mut [Option<usize>],
    taken: &mut BTreeSet<usize>,
) {
    for start in 0..desired.len() {
        if matched.get(start).is_some_and(Option::is_some) {
            continue;
        }
        let mut chain: Vec<(usize, usize)> = Vec::new();
        let mut seeker = start;
        while let Some(declared) = desired.get(seeker) {
            if let Some(free) = former(declared, by_name).find(|index| !taken.contains(index)) {
                chain.push((seeker, free));
                for (desired_index, live_index) in chain {
                    if let Some(slot) = matched.get_mut(desired_index) {
                        *slot = Some(live_index);
                    }
                    taken.insert(live_index);
                }
                break;
            }
            let visited = |index: usize| index == start || chain.iter().any(|(seen, _)| *seen == index);
            let next = former(declared, by_name).find_map(|wanted| {
                let holder = matched.iter().position(|slot| *slot == Some(wanted))?;
                (!visited(holder) && holder != seeker).then_some((holder, wanted))
            });
            let Some((holder, wanted)) = next else { break };
            chain.push((seeker, wanted));
            seeker = holder;
        }
    }
}

/// Matches by `previously` along a cycle of names if that takes fewer calls than matching by name.
fn follow_swaps(
    desired: &[DesiredPolicy],
    live: &[LivePolicy],
    by_name: &BTreeMap<&str, usize>,
    matched: &mut [Option<usize>],
) {
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    for start in 0..desired.len() {
        let Some(circle) = circle_from(start, desired, by_name, matched) else { continue };
        if circle.iter().any(|(index, _)| !seen.insert(*index)) {
            continue;
        }
        let cost = |pairs: &mut dyn Iterator<Item = (usize, usize)>| -> usize {
            pairs.filter_map(|(declared, found)| Some(calls(desired.get(declared)?, live.get(found)?))).sum()
        };
        let stay = cost(&mut circle.iter().filter_map(|(index, _)| Some((*index, (*matched.get(*index)?)?))));
        // One more call: a cycle of names needs a temporary name.
        let follow = 1 + cost(&mut circle.iter().copied());
        if follow < stay {
            for (index, live_index) in circle {
                if let Some(slot) = matched.get_mut(index) {
                    *slot = Some(live_index);
                }
            }
        }
    }
}

/// The cycle of (declared, live policy of its first earlier name) through `start`, if its names form one.
fn circle_from(
    start: usize,
    desired: &[DesiredPolicy],
    by_name: &BTreeMap<&str, usize>,
    matched: &[Option<usize>],
) -> Option<Vec<(usize, usize)>> {
    let mut circle = Vec::new();
    let mut current = start;
    loop {
        let wanted = former(desired.get(current)?, by_name).next()?;
        let holder = matched.iter().position(|slot| *slot == Some(wanted))?;
        if holder == current || circle.len() > desired.len() {
            return None;
        }
        circle.push((current, wanted));
        current = holder;
        if current == start {
            return Some(circle);
        }
        if circle.iter().any(|(index, _)| *index == current) {
            return None;
        }
    }
}

fn former<'a>(
    declared: &'a DesiredPolicy,
    by_name: &'a BTreeMap<&str, usize>,
) -> impl Iterator<Item = usize> + use<'a> {
    let aside = super::temporary::temporary_name(&declared.policy.name);
    let aside = by_name.get(aside.as_str()).copied();
    aside.into_iter().chain(declared.previously.iter().filter_map(|name| by_name.get(name.as_str()).copied()))
}

/// The number of calls that turn this live policy into the declared one.
fn calls(declared: &DesiredPolicy, live: &LivePolicy) -> usize {
    let head = usize::from(super::PolicyFields::new(&declared.policy) != super::PolicyFields::new(&live.policy()));
    let found = rules(declared, live.rules());
    let kept = found.iter().flatten().count();
    let changed = declared
        .policy
        .rules()
        .iter()
        .zip(&found)
        .filter(|(rule, slot)| {
            slot.and_then(|index| live.rules().get(index))
                .is_none_or(|live| !changed_fields(&live.rule, rule).is_empty())
        })
        .count();
    head + changed + (live.rules().len() - kept)
}

/// For each rule of a declared policy, the index of the live rule that it matches: by name, then by an earlier name,
/// then by equal content.
#[must_use]
pub fn rules(declared: &DesiredPolicy, live: &[LiveRule]) -> Vec<Option<usize>> {
    let wanted = declared.policy.rules();
    let mut matched: Vec<Option<usize>> = vec![None; wanted.len()];
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, rule) in live.iter().enumerate() {
        by_name.entry(&rule.rule.name).or_default().push(index);
    }
    let no_names = Vec::new();
    let named = |name: &str| by_name.get(name).unwrap_or(&no_names);
    // Live rules may share a name: one that needs no change is preferred, otherwise the first is taken.
    let pick = |rule: &Rule, name: &str, taken: &BTreeSet<usize>| {
        let free = || named(name).iter().copied().filter(|index| !taken.contains(index));
        free()
            .find(|index| live.get(*index).is_some_and(|live| same_content(&live.rule, rule)))
            .or_else(|| free().next())
    };
    for (rule, slot) in wanted.iter().zip(&mut matched) {
        *slot = pick(rule, &rule.name, &taken).inspect(|index| {
            taken.insert(*index);
        });
    }
    for ((rule, beside), slot) in wanted.iter().zip(&declared.rules).zip(&mut matched) {
        if slot.is_none() {
            *slot = beside.previously.iter().find_map(|name| pick(rule, name, &taken)).inspect(|index| {
                taken.insert(*index);
            });
        }
    }
    let mut by_content: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, rule) in live.iter().enumerate().rev().filter(|(index, _)| !taken.contains(index)) {
        by_content.entry(content(&rule.rule)).or_default().push(index);
    }
    for (rule, slot) in wanted.iter().zip(&mut matched) {
        if slot.is_none() {
            *slot = by_content.get_mut(&content(rule)).and_then(Vec::pop);
        }
    }
    matched
}

fn same_content(one: &Rule, other: &Rule) -> bool {
    changed_fields(one, other).iter().all(|field| *field == "name")
}

/// A key that is equal for rules that differ only in their names.
fn content(rule: &Rule) -> impl Ord + use<> {
    let mut actions = rule.actions.clone();
    actions.sort();
    actions.dedup();
    let (mut plain, mut http) = match &rule.resources {
        crate::model::Resources::Plain(list) => (list.clone(), Vec::new()),
        crate::model::Resources::Http(list) => (Vec::new(), list.clone()),
    };
    plain.sort();
    plain.dedup();
    http.sort();
    http.dedup();
    (rule.decision, actions, plain, http)
}
