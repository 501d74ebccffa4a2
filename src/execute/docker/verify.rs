//! The standing of a step's object at this moment: as before, as after, gone, or something else.

use crate::execute::observation::Standing;
use crate::model::{LivePolicy, Policy, Rule, RuleId};
use crate::plan::docker::{Change, Head, changed_fields, shown};

/// The standing of the object of an update or a deletion in its policy as it is now.
pub(super) fn standing(change: &Change, policy: Option<&LivePolicy>, rule: Option<&RuleId>) -> Standing {
    let Some(policy) = policy else { return Standing::Gone };
    match change {
        Change::UpdatePolicy { before, after, .. } => {
            let now = Head::of(&policy.policy());
            if now == *after {
                Standing::After
            } else if now == *before {
                Standing::Before
            } else {
                Standing::Other(shown::head(&now).to_string())
            }
        }
        Change::DeletePolicy { before, .. } => {
            let now = policy.policy();
            if same_policy(&now, before) { Standing::Before } else { Standing::Other(shown::policy(&now).to_string()) }
        }
        Change::UpdateRule { before, after, .. } => match find(policy, rule) {
            None => Standing::Gone,
            Some(now) if changed_fields(now, after).is_empty() => Standing::After,
            Some(now) if changed_fields(now, before).is_empty() => Standing::Before,
            Some(now) => Standing::Other(shown::rule(now).to_string()),
        },
        Change::DeleteRule { before, .. } => match find(policy, rule) {
            None => Standing::Gone,
            Some(now) if changed_fields(now, before).is_empty() => Standing::Before,
            Some(now) => Standing::Other(shown::rule(now).to_string()),
        },
        Change::CreateRule { after, .. } => match named(policy, &after.name) {
            Some((_, now)) if changed_fields(now, after).is_empty() => Standing::After,
            Some((_, now)) => Standing::Other(shown::rule(now).to_string()),
            None => Standing::Before,
        },
        Change::CreatePolicy { after } => {
            let now = policy.policy();
            if same_policy(&now, &empty(after)) {
                Standing::After
            } else {
                Standing::Other(shown::policy(&now).to_string())
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

fn empty(head: &Head) -> Policy {
    let Head { name, scope, cedar } = head.clone();
    let body = cedar.map_or(crate::model::Body::Allowlist(Vec::new()), crate::model::Body::Cedar);
    Policy { name, scope, body }
}

/// Returns `true` if both mean the same, whatever order their lists have.
pub(super) fn same_policy(one: &Policy, other: &Policy) -> bool {
    let rules = |policy: &Policy| {
        let mut rules: Vec<String> = policy
            .rules()
            .iter()
            .map(|rule| shown::rule(&crate::plan::docker::fingerprint::sorted(rule)).to_string())
            .collect();
        rules.sort();
        rules
    };
    Head::of(one) == Head::of(other) && rules(one) == rules(other)
}
