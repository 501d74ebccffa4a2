//! The current state of a step's object: as before, as after, missing, or different.

use crate::execute::observation::Observed;
use crate::model::{LivePolicy, Policy, Rule, RuleId};
use crate::plan::docker::{Change, PolicyChange, PolicyFields, RuleChange, changed_fields, json};

/// The state of the object of an update or a deletion, in the current version of its policy.
pub(super) fn observed(change: &Change, policy: Option<&LivePolicy>, rule: Option<&RuleId>) -> Observed {
    let Some(policy) = policy else { return Observed::Gone };
    match change {
        Change::Policy(PolicyChange::Update { before, after, .. }) => {
            let now = PolicyFields::new(&policy.policy());
            if now == *after {
                Observed::After
            } else if now == *before {
                Observed::Before
            } else {
                Observed::Other(json::policy_fields(&now).to_string())
            }
        }
        Change::Policy(PolicyChange::Delete { before, .. }) => {
            let now = policy.policy();
            if same_policy(&now, before) { Observed::Before } else { Observed::Other(json::policy(&now).to_string()) }
        }
        Change::Rule(_, RuleChange::Update { before, after, .. }) => match find(policy, rule) {
            None => Observed::Gone,
            Some(now) if changed_fields(now, after).is_empty() => Observed::After,
            Some(now) if changed_fields(now, before).is_empty() => Observed::Before,
            Some(now) => Observed::Other(json::rule(now).to_string()),
        },
        Change::Rule(_, RuleChange::Delete { before, .. }) => match find(policy, rule) {
            None => Observed::Gone,
            Some(now) if changed_fields(now, before).is_empty() => Observed::Before,
            Some(now) => Observed::Other(json::rule(now).to_string()),
        },
        Change::Rule(_, RuleChange::Create { after }) => match named(policy, &after.name) {
            Some((_, now)) if changed_fields(now, after).is_empty() => Observed::After,
            Some((_, now)) => Observed::Other(json::rule(now).to_string()),
            None => Observed::Before,
        },
        Change::Policy(PolicyChange::Create { after }) => {
            let now = policy.policy();
            if same_policy(&now, &empty(after)) {
                Observed::After
            } else {
                Observed::Other(json::policy(&now).to_string())
            }
        }
    }
}

/// The rule that has this name, with its id.
pub(super) fn named<'a>(policy: &'a LivePolicy, name: &str) -> Option<(&'a RuleId, &'a Rule)> {
    policy.rules().iter().find(|live| live.rule.name == name).map(|live| (&live.id, &live.rule))
}

fn find<'a>(policy: &'a LivePolicy, rule: Option<&RuleId>) -> Option<&'a Rule> {
    policy.rules().iter().find(|live| Some(&live.id) == rule).map(|live| &live.rule)
}

fn empty(head: &PolicyFields) -> Policy {
    let PolicyFields { name, scope, cedar } = head.clone();
    let body = cedar.map_or(crate::model::Body::Allowlist(Vec::new()), crate::model::Body::Cedar);
    Policy { name, scope, body }
}

/// Returns `true` if both are equivalent, whatever the order of their lists.
pub(super) fn same_policy(one: &Policy, other: &Policy) -> bool {
    let rules = |policy: &Policy| {
        let mut rules: Vec<String> = policy
            .rules()
            .iter()
            .map(|rule| json::rule(&crate::plan::docker::fingerprint::sorted(rule)).to_string())
            .collect();
        rules.sort();
        rules
    };
    PolicyFields::new(one) == PolicyFields::new(other) && rules(one) == rules(other)
}
