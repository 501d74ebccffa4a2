//! The state of a live organization after some steps: it follows the service's rules for combining
//! them, and knows nothing of access.

use crate::model::{Body, Live, LiveBody, LivePolicy, LiveRule, Policy, PolicyId, RuleId};

use super::{Change, PolicyChange, PolicyFields, PolicyTarget, RuleChange, RuleTarget};

/// The organization after these changes, in this order. Objects that they create get the ids
/// `planned:NAME`.
///
/// A change is skipped if its object does not exist; [`super::coherence`] judges whether it fits.
#[must_use]
pub fn simulate<'a>(live: &Live, changes: impl IntoIterator<Item = &'a Change>) -> Live {
    let mut after = live.clone();
    for change in changes {
        carry_out(&mut after.policies, change);
    }
    after
}

/// Applies a change, if its object exists.
pub fn carry_out(policies: &mut Vec<LivePolicy>, change: &Change) {
    match change {
        Change::Policy(PolicyChange::Create { after }) => policies.push(created(after)),
        Change::Policy(PolicyChange::Update { policy, after, .. }) => {
            if let Some(found) = find(policies, policy) {
                let PolicyFields { name, scope, cedar } = after.clone();
                found.name = name;
                found.scope = scope;
                if let Some(cedar) = cedar {
                    found.body = LiveBody::Cedar(cedar);
                }
            }
        }
        Change::Policy(PolicyChange::Delete { policy, .. }) => {
            let id = policy_id(policy);
            policies.retain(|found| found.id != id);
        }
        Change::Rule(policy, RuleChange::Create { after }) => {
            if let Some(LiveBody::Allowlist(rules)) =
                find(policies, policy).map(|found| &mut found.body)
            {
                rules.push(LiveRule { id: planned_rule(&after.name), rule: after.clone() });
            }
        }
        Change::Rule(policy, RuleChange::Update { rule, after, .. }) => {
            if let Some(LiveBody::Allowlist(rules)) =
                find(policies, policy).map(|found| &mut found.body)
            {
                let id = rule_id(rule);
                rules
                    .iter_mut()
                    .filter(|found| found.id == id)
                    .for_each(|found| found.rule = after.clone());
            }
        }
        Change::Rule(policy, RuleChange::Delete { rule, .. }) => {
            if let Some(LiveBody::Allowlist(rules)) =
                find(policies, policy).map(|found| &mut found.body)
            {
                let id = rule_id(rule);
                rules.retain(|found| found.id != id);
            }
        }
    }
}

fn created(head: &PolicyFields) -> LivePolicy {
    let PolicyFields { name, scope, cedar } = head.clone();
    let body = cedar.map_or(LiveBody::Allowlist(Vec::new()), LiveBody::Cedar);
    LivePolicy { id: planned_policy(&name), name, scope, body }
}

fn find<'a>(policies: &'a mut [LivePolicy], target: &PolicyTarget) -> Option<&'a mut LivePolicy> {
    let id = policy_id(target);
    policies.iter_mut().find(|policy| policy.id == id)
}

/// The id of a policy, or its placeholder until the service assigns one.
#[must_use]
pub fn policy_id(target: &PolicyTarget) -> PolicyId {
    match target {
        PolicyTarget::Existing(id) => id.clone(),
        PolicyTarget::Planned(name) => planned_policy(name),
    }
}

/// The id of the policy that a change is about, even if the change creates it.
pub(crate) fn subject(change: &Change) -> PolicyId {
    match change {
        Change::Policy(PolicyChange::Create { after }) => planned_policy(&after.name),
        Change::Policy(
            PolicyChange::Update { policy, .. } | PolicyChange::Delete { policy, .. },
        )
        | Change::Rule(policy, _) => policy_id(policy),
    }
}

/// The id of the rule that a change is about, even if the change creates it.
pub(crate) fn rule_subject(change: &Change) -> Option<RuleId> {
    match change {
        Change::Policy(_) => None,
        Change::Rule(_, RuleChange::Create { after }) => Some(planned_rule(&after.name)),
        Change::Rule(_, RuleChange::Update { rule, .. } | RuleChange::Delete { rule, .. }) => {
            Some(rule_id(rule))
        }
    }
}

pub(crate) fn rule_id(target: &RuleTarget) -> RuleId {
    match target {
        RuleTarget::Existing(id) => id.clone(),
        RuleTarget::Planned(name) => planned_rule(name),
    }
}

pub(crate) fn planned_policy(name: &str) -> PolicyId {
    PolicyId(format!("planned:{name}"))
}

pub(crate) fn planned_rule(name: &str) -> RuleId {
    RuleId(format!("planned:{name}"))
}

/// All policies in the form of the model.
#[must_use]
pub fn policies(live: &Live) -> Vec<Policy> {
    live.policies
        .iter()
        .map(LivePolicy::policy)
        .filter(|policy| policy.body != Body::Allowlist(Vec::new()))
        .collect()
}
