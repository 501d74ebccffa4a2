//! Matches declared policies and rules with live ones.
//!
//! Invariant: each live object is matched at most once, and the result depends on names and
//! contents only, not on the order of either side. Documents in which two objects claim one earlier
//! name never get here: `conflicting-previously` is an error.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{DesiredPolicy, LivePolicy, LiveRule, Rule};

use super::changed_fields;

/// For each desired policy, the index of the live policy that it matches.
///
/// A policy is found by its name, then by its earlier names. Two cases go beyond that:
///
/// * In a *chain* of renames (`a` is now `b`, and the old `b` is now `c`) the live `b` has a
///   declared policy of its name, yet it is the one that became `c`: nothing else can be `c`, and
///   the live `a` can be the new `b`.
/// * In a *swap*, both names are live before and after. Matching by name and matching by
///   `previously` are both possible; the one that takes fewer calls is chosen, so that a swap that
///   has been applied is not undone.
#[must_use]
pub fn policies(desired: &[DesiredPolicy], live: &[LivePolicy]) -> Vec<Option<usize>> {
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, policy) in live.iter().enumerate() {
        by_name.entry(&policy.name).or_insert(index);
    }
    let mut matched: Vec<Option<usize>> = desired
        .iter()
        .map(|declared| by_name.get(declared.policy.name.as_str()).copied())
        .collect();
    let mut taken: BTreeSet<usize> = matched.iter().flatten().copied().collect();
    claim_free_names(desired, &by_name, &mut matched, &mut taken);
    shift_chains(desired, &by_name, &mut matched, &mut taken);
    follow_swaps(desired, live, &by_name, &mut matched);
    matched
}

/// Gives each declared policy without a live one the first of its earlier names that no other
/// declared policy uses.
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

/// Resolves chains of renames: a declared policy without a live one takes the live policy of its
/// earlier name from the declared policy that has this name now, if that one can take the live
/// policy of *its* earlier name, and so on.
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
            let visited =
                |index: usize| index == start || chain.iter().any(|(seen, _)| *seen == index);
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
            pairs
                .filter_map(|(declared, found)| {
                    Some(calls(desired.get(declared)?, live.get(found)?))
                })
                .sum()
        };
        let stay = cost(
            &mut circle.iter().filter_map(|(index, _)| Some((*index, (*matched.get(*index)?)?))),
        );
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

/// The cycle of (declared, live policy of its first earlier name) through `start`, if its names
/// form one.
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
    aside
        .into_iter()
        .chain(declared.previously.iter().filter_map(|name| by_name.get(name.as_str()).copied()))
}

/// The number of calls that turn this live policy into the declared one.
fn calls(declared: &DesiredPolicy, live: &LivePolicy) -> usize {
    let head = usize::from(
        super::PolicyFields::new(&declared.policy) != super::PolicyFields::new(&live.policy()),
    );
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

/// For each rule of a declared policy, the index of the live rule that it matches: by name, then by
/// an earlier name, then by equal content.
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
    // Live rules may share a name: one that needs no change is preferred, otherwise the first is
    // taken.
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
            *slot = beside.previously.iter().find_map(|name| pick(rule, name, &taken)).inspect(
                |index| {
                    taken.insert(*index);
                },
            );
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

/// Returns `true` if rules differ at most in their names.
pub(crate) fn same_content(one: &Rule, other: &Rule) -> bool {
    changed_fields(one, other).iter().all(|field| *field == "name")
}

/// A key that is equal for rules that differ only in their names.
fn content(rule: &Rule) -> impl Ord + use<> {
    let mut actions = rule.actions.clone();
    actions.sort();
    actions.dedup();
    let (mut plain, mut http) = match &rule.resources {
        crate::model::Resources::Plain(list) => (list.to_vec(), Vec::new()),
        crate::model::Resources::Http(list) => (Vec::new(), list.clone()),
    };
    plain.sort();
    plain.dedup();
    http.sort();
    http.dedup();
    (rule.decision, actions, plain, http)
}

#[cfg(test)]
mod tests {
    use super::{policies, rules};
    use crate::model::Decision::{self, Allow, Deny};
    use crate::plan::safe_order::proof::{desired, live, policy};

    /// A declared policy: its name, its earlier names, and the host that each of its rules allows.
    type Declared<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);
    /// A live policy: its name, and the host that each of its rules allows.
    type Found<'a> = (&'a str, &'a [&'a str]);

    /// The name of the live policy that each declared one matches.
    fn matched(declared: &[Declared<'_>], found: &[Found<'_>]) -> Vec<Option<String>> {
        let with_hosts = |name: &str, hosts: &[&str]| {
            let names: Vec<String> = (1..=hosts.len()).map(|number| format!("r{number}")).collect();
            let rules: Vec<(&str, Decision, &[&str])> = names
                .iter()
                .zip(hosts)
                .map(|(name, host)| (name.as_str(), Allow, std::slice::from_ref(host)))
                .collect();
            policy(name, &rules)
        };
        let new: Vec<_> = declared.iter().map(|(name, _, hosts)| with_hosts(name, hosts)).collect();
        let mut new = desired(&new).policies;
        for (policy, (_, previously, _)) in new.iter_mut().zip(declared) {
            policy.previously = previously.iter().map(|name| (*name).to_owned()).collect();
        }
        let old: Vec<_> = found.iter().map(|(name, hosts)| with_hosts(name, hosts)).collect();
        let old = live(&old).policies;
        policies(&new, &old).into_iter().map(|index| Some(old[index?].name.clone())).collect()
    }

    #[test]
    fn a_policy_is_matched_by_its_name_then_by_its_earlier_names() {
        const ASIDE: &str = "b (seawall is renaming this)";
        type Row<'a> = (&'a [Declared<'a>], &'a [Found<'a>], &'a [Option<&'a str>]);
        let table: [Row<'_>; 17] = [
            (&[("a", &[], &[])], &[("a", &[])], &[Some("a")]),
            (&[("a", &[], &[])], &[("b", &[])], &[None]),
            (&[("b", &["a"], &[])], &[("a", &[])], &[Some("a")]),
            // The name counts before earlier names, and these in the order written.
            (&[("a", &["b"], &[])], &[("a", &[]), ("b", &[])], &[Some("a")]),
            (&[("c", &["b", "a"], &[])], &[("a", &[]), ("b", &[])], &[Some("b")]),
            // One live policy does not become two.
            (&[("b", &["a"], &[]), ("c", &["a"], &[])], &[("a", &[])], &[Some("a"), None]),
            // `a` is now `b`, and the old `b` is now `c`; with a third, and from the end of the
            // chain.
            (
                &[("b", &["a"], &[]), ("c", &["b"], &[])],
                &[("a", &[]), ("b", &[])],
                &[Some("a"), Some("b")],
            ),
            (
                &[("d", &["c"], &[]), ("b", &["a"], &[]), ("c", &["b"], &[])],
                &[("a", &[]), ("b", &[]), ("c", &[])],
                &[Some("c"), Some("a"), Some("b")],
            ),
            // What became `d` at once does not become `b` to let `b` become `c`.
            (
                &[("b", &["a"], &[]), ("c", &["b"], &[]), ("d", &["a"], &[])],
                &[("a", &[]), ("b", &[])],
                &[Some("b"), None, Some("a")],
            ),
            // `b` keeps its policy, since nothing else could become it.
            (&[("b", &[], &[]), ("c", &["b"], &[])], &[("b", &[])], &[Some("b"), None]),
            // A swap: names and contents have changed places, or had done so before.
            (
                &[("a", &["b"], &["v", "w"]), ("b", &["a"], &["x", "y"])],
                &[("a", &["x", "y"]), ("b", &["v", "w"])],
                &[Some("b"), Some("a")],
            ),
            (
                &[("a", &["b"], &["v", "w"]), ("b", &["a"], &["x", "y"])],
                &[("a", &["v", "w"]), ("b", &["x", "y"])],
                &[Some("a"), Some("b")],
            ),
            // Four calls about rules are no more than four about names, of which one is temporary.
            (
                &[
                    ("a", &["c"], &["v", "w"]),
                    ("b", &["a"], &["v", "x"]),
                    ("c", &["b"], &["y", "x"]),
                ],
                &[("a", &["v", "x"]), ("b", &["y", "x"]), ("c", &["v", "w"])],
                &[Some("a"), Some("b"), Some("c")],
            ),
            // A circle of three.
            (
                &[
                    ("a", &["c"], &["u", "v"]),
                    ("b", &["a"], &["w", "x"]),
                    ("c", &["b"], &["y", "z"]),
                ],
                &[("a", &["w", "x"]), ("b", &["y", "z"]), ("c", &["u", "v"])],
                &[Some("c"), Some("a"), Some("b")],
            ),
            // No circle: nothing became `a`.
            (
                &[("a", &[], &["v", "w"]), ("b", &["a"], &["x", "y"])],
                &[("a", &["x", "y"]), ("b", &["v", "w"])],
                &[Some("a"), Some("b")],
            ),
            // An apply has stopped between the two calls of a rename.
            (&[("b", &["a"], &[])], &[(ASIDE, &[])], &[Some(ASIDE)]),
            (&[("b", &["a"], &[])], &[("a", &[]), (ASIDE, &[])], &[Some(ASIDE)]),
        ];
        for (declared, found, expected) in table {
            let backwards: Vec<Found<'_>> = found.iter().rev().copied().collect();
            for found in [found, &backwards] {
                assert_eq!(
                    matched(declared, found),
                    expected.iter().map(|name| name.map(str::to_owned)).collect::<Vec<_>>(),
                    "{declared:?} {found:?}"
                );
            }
        }
    }

    #[test]
    fn a_rule_is_matched_by_its_name_then_by_an_earlier_name_then_by_its_content() {
        /// A declared rule: its name, its earlier names, its decision and its hosts.
        type Declared<'a> = (&'a str, &'a [&'a str], Decision, &'a [&'a str]);
        /// A live rule: its name, its decision and its hosts.
        type Found<'a> = (&'a str, Decision, &'a [&'a str]);
        type Row<'a> = (&'a [Declared<'a>], &'a [Found<'a>], &'a [Option<usize>]);
        let table: [Row<'_>; 12] = [
            (&[("r", &[], Allow, &["x"])], &[("r", Deny, &["y"])], &[Some(0)]),
            (&[("r", &["q"], Allow, &["x"])], &[("q", Deny, &["y"])], &[Some(0)]),
            (
                &[("r", &["q"], Allow, &["x"])],
                &[("q", Allow, &["x"]), ("r", Deny, &["y"])],
                &[Some(1)],
            ),
            (
                &[("r", &["p", "q"], Allow, &["x"])],
                &[("q", Allow, &["x"]), ("p", Deny, &["y"])],
                &[Some(1)],
            ),
            // Somebody has renamed it.
            (
                &[("r", &[], Allow, &["x"])],
                &[("s", Allow, &["y"]), ("q", Allow, &["x"])],
                &[Some(1)],
            ),
            // The content is the same in another order, and with repetitions.
            (&[("r", &[], Allow, &["x", "y"])], &[("q", Allow, &["y", "x", "y"])], &[Some(0)]),
            (&[("r", &[], Allow, &["x"])], &[("q", Deny, &["x"])], &[None]),
            // Live rules of one name: the one that needs no change, otherwise the first.
            (
                &[("r", &[], Allow, &["x"])],
                &[("r", Allow, &["y"]), ("r", Allow, &["x"])],
                &[Some(1)],
            ),
            (
                &[("r", &[], Allow, &["x"])],
                &[("r", Allow, &["y"]), ("r", Allow, &["z"])],
                &[Some(0)],
            ),
            // Each live rule once, the first of equal ones first; a name counts before another
            // rule's content.
            (
                &[("r", &[], Allow, &["x"]), ("s", &[], Allow, &["x"]), ("t", &[], Allow, &["x"])],
                &[("p", Allow, &["x"]), ("q", Allow, &["x"])],
                &[Some(0), Some(1), None],
            ),
            (
                &[("r", &[], Allow, &["x"]), ("s", &[], Allow, &["y"])],
                &[("s", Allow, &["x"])],
                &[None, Some(0)],
            ),
            // An earlier name counts before another rule's content as well.
            (
                &[("r", &[], Allow, &["x"]), ("s", &["q"], Allow, &["y"])],
                &[("q", Allow, &["x"])],
                &[None, Some(0)],
            ),
        ];
        for (declared, found, expected) in table {
            let plain: Vec<Found<'_>> = declared
                .iter()
                .map(|(name, _, decision, hosts)| (*name, *decision, *hosts))
                .collect();
            let mut new = desired(&[policy("p", &plain)]).policies.remove(0);
            for (beside, (_, previously, ..)) in new.rules.iter_mut().zip(declared) {
                beside.previously = previously.iter().map(|name| (*name).to_owned()).collect();
            }
            let old = live(&[policy("p", found)]).policies.remove(0);
            assert_eq!(rules(&new, old.rules()), expected, "{declared:?} {found:?}");
        }
    }
}
