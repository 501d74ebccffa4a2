//! The state of a live organization after some steps: it follows the service's rules for combining
//! them, and knows nothing of access.

use crate::model::{Body, Live, LiveBody, LivePolicy, LiveRule, Policy, PolicyId, Rule, RuleId};

use super::{Change, PolicyFields, PolicyTarget, RuleTarget};
use crate::plan::step::Delta;

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
    let id = subject(change);
    let found = policies.iter_mut().find(|policy| policy.id == id);
    match (change, found) {
        (Change::Policy { delta: Delta::Create { after }, .. }, _) => {
            let PolicyFields { name, scope, cedar } = after.clone();
            let body = cedar.map_or(LiveBody::Allowlist(Vec::new()), LiveBody::Cedar);
            policies.push(LivePolicy { id, name, scope, body });
        }
        (_, None) => {}
        (Change::Policy { delta: Delta::Update { after, .. }, .. }, Some(found)) => {
            let PolicyFields { name, scope, cedar } = after.clone();
            found.name = name;
            found.scope = scope;
            if let Some(cedar) = cedar {
                found.body = LiveBody::Cedar(cedar);
            }
        }
        (Change::Policy { delta: Delta::Delete { .. }, .. }, Some(_)) => {
            policies.retain(|policy| policy.id != id);
        }
        (Change::Rule { target, delta, .. }, Some(found)) => {
            if let LiveBody::Allowlist(rules) = &mut found.body {
                carry_out_rule(rules, rule_id(target), delta);
            }
        }
    }
}

fn carry_out_rule(rules: &mut Vec<LiveRule>, id: RuleId, delta: &Delta<Rule>) {
    match delta {
        Delta::Create { after } => rules.push(LiveRule { id, rule: after.clone() }),
        Delta::Update { after, .. } => {
            let found = rules.iter_mut().filter(|found| found.id == id);
            found.for_each(|found| found.rule = after.clone());
        }
        Delta::Delete { .. } => rules.retain(|found| found.id != id),
    }
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
    policy_id(change.policy())
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
