//! The calls for a difference, one for each changed slot, before they are ordered.

use std::collections::BTreeMap;

use crate::model::{Body, Origin, Policy, Rule};

use super::diff::{Diff, PolicySlot, RuleSlot};
use super::temporary::temporary_name;
use super::{
    Change, Difference, PolicyChange, PolicyFields, PolicyTarget, RuleChange, RuleTarget, Step,
    changed_fields,
};
use crate::plan::step::{Delta, Reason};

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
        let head = change.naming().map(|head| head.map(|(name, _)| name.to_owned()).sides());
        let own = head.and_then(|(before, after)| after.or(before));
        let slot = diff.policies.get(policy).map(|slot| slot.name().to_owned());
        let target = change.policy().map(|target| match target {
            PolicyTarget::Planned(name) => name.clone(),
            PolicyTarget::Existing(id) => id.0.clone(),
        });
        let policy = slot.or(own).or(target).unwrap_or_default();
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
    let mut push = |rule: Option<usize>,
                    change: Change,
                    source: &Option<Origin>,
                    because,
                    needs| {
        drafts.push(Draft { policy: index, rule, change, source: source.clone(), because, needs });
        drafts.len() - 1
    };
    let (target, parent) = match (&slot.before, &slot.after) {
        (None, None) => return,
        (None, Some(after)) => {
            let change = Change::Policy(PolicyChange::Create { after: after.clone() });
            let created = push(None, change, &slot.origin, slot.because, Vec::new());
            (PolicyTarget::Planned(after.name.clone()), Some(created))
        }
        (Some((id, before)), None) => {
            let policy = PolicyTarget::Existing(id.clone());
            push(
                None,
                Change::Policy(PolicyChange::Delete { policy, before: whole(before, slot) }),
                &slot.origin,
                slot.because,
                vec![],
            );
            return;
        }
        (Some((id, before)), Some(after)) => {
            let policy = PolicyTarget::Existing(id.clone());
            if before != after {
                let change = Change::Policy(PolicyChange::Update {
                    policy: policy.clone(),
                    before: before.clone(),
                    after: after.clone(),
                });
                push(None, change, &slot.origin, None, Vec::new());
            }
            (policy, None)
        }
    };
    let needs: Vec<usize> = parent.into_iter().collect();
    let mut of_rules = Vec::new();
    for (rule_index, rule) in slot.rules.iter().enumerate() {
        if let Some(change) = of_rule(&target, rule) {
            of_rules.push(push(
                Some(rule_index),
                change,
                &rule.origin,
                rule.because,
                needs.clone(),
            ));
        }
    }
    chain_domain_change(&of_rules, drafts);
}

/// The rules of the old domain are deleted first, then one is changed in place, then the new ones
/// are created.
fn chain_domain_change(indexes: &[usize], drafts: &mut [Draft]) {
    let of_kind = |drafts: &[Draft], wanted: fn(&Change) -> bool| -> Vec<usize> {
        indexes
            .iter()
            .copied()
            .filter(|index| drafts.get(*index).is_some_and(|draft| wanted(&draft.change)))
            .collect()
    };
    let changes_domain = indexes.iter().any(|index| {
        drafts.get(*index).is_some_and(|draft| {
            draft.because == Some(Reason::DomainChange) || crosses(&draft.change)
        })
    });
    if !changes_domain {
        return;
    }
    let gone =
        of_kind(drafts, |change| matches!(change, Change::Rule(_, RuleChange::Delete { .. })));
    let kept =
        of_kind(drafts, |change| matches!(change, Change::Rule(_, RuleChange::Update { .. })));
    let new =
        of_kind(drafts, |change| matches!(change, Change::Rule(_, RuleChange::Create { .. })));
    for (later, earlier) in [(&kept, &gone), (&new, &kept), (&new, &gone)] {
        for index in later {
            if let Some(draft) = drafts.get_mut(*index) {
                draft.needs.extend(earlier);
            }
        }
    }
}

fn crosses(change: &Change) -> bool {
    matches!(change.rule(), Some(Delta::Update { before, after }) if before.domain() != after.domain())
}

fn of_rule(policy: &PolicyTarget, slot: &RuleSlot) -> Option<Change> {
    let policy = policy.clone();
    match (&slot.before, &slot.after) {
        (None, None) => None,
        (None, Some(after)) => {
            Some(Change::Rule(policy, RuleChange::Create { after: after.clone() }))
        }
        (Some((id, before)), None) => {
            let rule = RuleTarget::Existing(id.clone());
            Some(Change::Rule(policy, RuleChange::Delete { rule, before: before.clone() }))
        }
        (Some(_), Some(_)) if !needs_call(slot) => None,
        (Some((id, before)), Some(after)) => {
            let rule = RuleTarget::Existing(id.clone());
            Some(Change::Rule(
                policy,
                RuleChange::Update { rule, before: before.clone(), after: after.clone() },
            ))
        }
    }
}

fn needs_call(slot: &RuleSlot) -> bool {
    match (&slot.before, &slot.after) {
        (Some((_, before)), Some(after)) => !changed_fields(before, after).is_empty(),
        (None, None) => false,
        (None, Some(_)) | (Some(_), None) => true,
    }
}

fn whole(head: &PolicyFields, slot: &PolicySlot) -> Policy {
    let rules: Vec<Rule> =
        slot.rules.iter().filter_map(|rule| Some(rule.before.as_ref()?.1.clone())).collect();
    let body = head.cedar.clone().map_or(Body::Allowlist(rules), Body::Cedar);
    Policy { name: head.name.clone(), scope: head.scope.clone(), body }
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
        let Change::Policy(PolicyChange::Update { policy, before, after }) = &mut draft.change
        else {
            continue;
        };
        let aside = PolicyFields { name: temporary_name(&after.name), ..before.clone() };
        let step_aside = Change::Policy(PolicyChange::Update {
            policy: policy.clone(),
            before: before.clone(),
            after: aside.clone(),
        });
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
                matches!(holder.change, Change::Policy(PolicyChange::Update { .. }))
                    && holder.change.freed_name() == Some(name)
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
