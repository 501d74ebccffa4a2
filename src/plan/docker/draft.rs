//! The calls for a difference, one for each changed slot, before they are ordered.

use std::collections::BTreeMap;

use crate::model::{Origin, Policy};

use super::diff::{Diff, PolicySlot, RuleSlot};
use super::temporary::temporary_name;
use super::{Change, Difference, PolicyFields, PolicyTarget, RuleTarget, Step, changed_fields};
use crate::plan::step::{Delta, Op, Reason};

/// A step without a place in the order.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// Index into [`Diff::policies`].
    pub(crate) policy: usize,
    /// Index into the slot's rules; `None` for a call about the policy itself.
    pub(crate) rule: Option<usize>,
    pub(crate) change: Change,
    pub(crate) source: Option<Origin>,
    pub(crate) because: Option<Reason>,
    /// Indexes of drafts that the service requires to be carried out first.
    pub(crate) needs: Vec<usize>,
}

impl Draft {
    /// The step with its place in the plan.
    pub(crate) fn step(self, id: usize, phase: usize, diff: &Diff) -> Step {
        Step::new(self.difference(id, diff), phase)
    }

    /// The difference that it makes.
    pub(crate) fn difference(self, id: usize, diff: &Diff) -> Difference {
        let Self { policy, rule: _, change, source, because, needs: _ } = self;
        let (before, after) = change.naming();
        let name = match (diff.policies.get(policy), after.or(before), change.policy()) {
            (Some(slot), ..) => slot.name(),
            (None, Some((name, _)), _) => name,
            (None, None, PolicyTarget::Planned(name)) => name,
            (None, None, PolicyTarget::Existing(id)) => &id.0,
        };
        let policy = name.to_owned();
        Difference { id, policy, change, source, because }
    }
}

/// All calls, policies in their order, each policy's own call before those of its rules.
pub(crate) fn plain(diff: &Diff) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (index, slot) in diff.policies.iter().enumerate() {
        of_policy(index, slot, &mut drafts);
    }
    wait_for_names(&mut drafts);
    drafts
}

fn of_policy(index: usize, slot: &PolicySlot, drafts: &mut Vec<Draft>) {
    let (target, delta) = match (&slot.before, &slot.after) {
        (None, None) => return,
        (None, Some(after)) => (
            PolicyTarget::Planned(after.name.clone()),
            Some(Delta::Create { after: after.clone() }),
        ),
        (Some((id, before)), None) => (
            PolicyTarget::Existing(id.clone()),
            Some(Delta::Delete { before: whole(before, slot) }),
        ),
        (Some((id, before)), Some(after)) => {
            let delta = Delta::Update { before: before.clone(), after: after.clone() };
            (PolicyTarget::Existing(id.clone()), (before != after).then_some(delta))
        }
    };
    let op = delta.as_ref().map(Delta::op);
    let created = drafts.len();
    drafts.extend(delta.map(|delta| Draft {
        policy: index,
        rule: None,
        change: Change::Policy { target: target.clone(), delta },
        source: slot.origin.clone(),
        because: slot.because.filter(|_| op != Some(Op::Update)),
        needs: Vec::new(),
    }));
    if op == Some(Op::Delete) {
        return;
    }
    let first = drafts.len();
    drafts.extend(slot.rules.iter().enumerate().filter_map(|(position, rule)| {
        Some(Draft {
            policy: index,
            rule: Some(position),
            change: of_rule(&target, rule)?,
            source: rule.origin.clone(),
            because: rule.because,
            needs: Vec::from_iter((op == Some(Op::Create)).then_some(created)),
        })
    }));
    chain_domain_change(first, drafts);
}

/// The rules of the old domain are deleted first, then one is changed in place, then the new ones
/// are created. The drafts of the rules are those from `first` on.
fn chain_domain_change(first: usize, drafts: &mut [Draft]) {
    let rules = drafts.get_mut(first..).unwrap_or_default();
    if !rules.iter().any(changes_domain) {
        return;
    }
    let of_op = |op: Op| -> Vec<usize> {
        let own = (first..).zip(rules.iter()).filter(|(_, draft)| draft.change.op() == op);
        own.map(|(index, _)| index).collect()
    };
    let (gone, kept) = (of_op(Op::Delete), of_op(Op::Update));
    for draft in rules {
        match draft.change.rule_sides() {
            (None, _) => draft.needs.extend(kept.iter().chain(&gone)),
            (Some(_), Some(_)) => draft.needs.extend(&gone),
            (Some(_), None) => {}
        }
    }
}

fn changes_domain(draft: &Draft) -> bool {
    let crosses = match draft.change.rule_sides() {
        (Some(before), Some(after)) => before.domain() != after.domain(),
        (_, _) => false,
    };
    crosses || draft.because == Some(Reason::DomainChange)
}

fn of_rule(policy: &PolicyTarget, slot: &RuleSlot) -> Option<Change> {
    let (id, delta) = match (&slot.before, &slot.after) {
        (None, None) => return None,
        (None, Some(after)) => return Some(Change::create_rule(policy.clone(), after.clone())),
        (Some((id, before)), None) => (id, Delta::Delete { before: before.clone() }),
        (Some((_, before)), Some(after)) if changed_fields(before, after).is_empty() => {
            return None;
        }
        (Some((id, before)), Some(after)) => {
            (id, Delta::Update { before: before.clone(), after: after.clone() })
        }
    };
    let target = RuleTarget::Existing(id.clone());
    Some(Change::Rule { policy: policy.clone(), target, delta })
}

fn whole(head: &PolicyFields, slot: &PolicySlot) -> Policy {
    let before = slot.rules.iter().filter_map(|rule| rule.before.as_ref());
    head.with_rules(before.map(|(_, rule)| rule.clone()).collect())
}

/// A name becomes available once the live policy that holds it has given it up.
fn wait_for_names(drafts: &mut Vec<Draft>) {
    let freed: BTreeMap<String, usize> = drafts
        .iter()
        .enumerate()
        .filter_map(|(index, draft)| Some((draft.change.freed_name()?.to_owned(), index)))
        .collect();
    for index in 0..drafts.len() {
        let holder = drafts
            .get(index)
            .and_then(|draft| draft.change.taken_name())
            .and_then(|name| freed.get(name));
        if let (Some(holder), Some(draft)) = (holder, drafts.get_mut(index)) {
            draft.needs.push(*holder);
        }
    }
    break_circles(drafts);
}

/// Policies that swap names wait for each other: one of each cycle takes a temporary name.
fn break_circles(drafts: &mut Vec<Draft>) {
    for start in 0..drafts.len() {
        let Some(last) = closes_circle(start, drafts) else { continue };
        let Some(draft) = drafts.get_mut(start) else { continue };
        let Change::Policy { target, delta: Delta::Update { before, after } } = &mut draft.change
        else {
            continue;
        };
        let aside = PolicyFields { name: temporary_name(&after.name), ..before.clone() };
        let delta = Delta::Update { before: before.clone(), after: aside.clone() };
        let step_aside = Change::Policy { target: target.clone(), delta };
        *before = aside;
        let extra = Draft {
            change: step_aside,
            because: Some(Reason::TemporaryName),
            needs: Vec::new(),
            ..draft.clone()
        };
        let index = drafts.len();
        if let Some(draft) = drafts.get_mut(start) {
            draft.needs.push(index);
        }
        if let Some(waiting) = drafts.get_mut(last) {
            waiting.needs.iter_mut().filter(|need| **need == start).for_each(|need| *need = index);
        }
        drafts.push(extra);
    }
}

/// The policy at the end of a chain of renames that starts with `start`, if that policy waits for
/// the name of `start` itself.
fn closes_circle(start: usize, drafts: &[Draft]) -> Option<usize> {
    let waits_for = |index: usize| {
        let draft = drafts.get(index)?;
        let name = draft.change.taken_name()?;
        draft.needs.iter().copied().find(|need| {
            drafts.get(*need).is_some_and(|holder| {
                holder.change.op() == Op::Update && holder.change.freed_name() == Some(name)
            })
        })
    };
    let mut current = start;
    for _ in 0..drafts.len() {
        let next = waits_for(current)?;
        if next == start {
            return Some(current);
        }
        current = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::plain;
    use crate::model::{Ownership, Policy};
    use crate::plan::docker::diff::diff;
    use crate::plan::safe_order::proof::{desired, live, policy};
    use crate::plan::step::Reason;

    /// The calls that rename policies: the name that each takes, and the calls that it waits for.
    fn renames(names: &[(&str, &str)]) -> Vec<(String, Vec<usize>, bool)> {
        let named = |name: &str| policy(name, &[]);
        let old: Vec<Policy> = names.iter().map(|(old, _)| named(old)).collect();
        let new: Vec<Policy> = names.iter().map(|(_, new)| named(new)).collect();
        let mut desired = desired(&new);
        for (policy, (old, _)) in desired.policies.iter_mut().zip(names) {
            policy.previously = vec![(*old).to_owned()];
        }
        let drafts = plain(&diff(&desired, &live(&old), &Ownership::default()));
        let call = |draft: &super::Draft| {
            let name = draft.change.taken_name().unwrap().to_owned();
            (name, draft.needs.clone(), draft.because == Some(Reason::TemporaryName))
        };
        drafts.iter().map(call).collect()
    }

    #[test]
    fn a_name_is_taken_once_it_is_free() {
        let call =
            |name: &str, needs: &[usize], aside: bool| (name.to_owned(), needs.to_vec(), aside);
        assert_eq!(renames(&[("a", "b")]), [call("b", &[], false)]);
        // `b` is free once its policy is `c`.
        assert_eq!(
            renames(&[("a", "b"), ("b", "c")]),
            [call("b", &[1], false), call("c", &[], false)]
        );
    }
}
