//! The live policies for agents after the steps of a plan.

use std::collections::BTreeMap;

use serde_json::Value;

use super::diff::{policy_fields, rule_fields};
use super::{Change, Step, Subject};
use crate::model::{Fields, LiveVijil};
use crate::plan::step::Delta;

/// A policy after the steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Its name.
    pub(super) name: String,
    /// The status, as the service spells it.
    pub(super) status: String,
    /// Its rules, with the status among their fields.
    pub(super) rules: BTreeMap<Subject, Fields>,
}

/// The policies before the steps.
pub(super) fn before(live: &LiveVijil) -> BTreeMap<Subject, Outcome> {
    let policies = live.policies.iter().map(|policy| {
        let rules = policy
            .rules
            .iter()
            .map(|rule| (Subject::Existing(rule.id.clone()), rule_fields(rule)))
            .collect();
        let (name, status) =
            (policy.name.clone(), text(&policy_fields(policy), "status").to_owned());
        (Subject::Existing(policy.id.clone()), Outcome { name, status, rules })
    });
    policies.collect()
}

/// The policies after all steps, as far as the steps determine them.
pub(super) fn after(live: &LiveVijil, steps: &[Step]) -> BTreeMap<Subject, Outcome> {
    let mut policies = before(live);
    for step in steps {
        if let Change::Policy { target, delta: Delta::Delete { .. } } = &step.change {
            policies.remove(target);
            continue;
        }
        let policy = policies.entry(step.change.policy().clone()).or_default();
        match &step.change {
            Change::Policy { .. } | Change::Activate { .. } => {
                policy.name.clone_from(&step.policy);
                step.change.text("status").clone_into(&mut policy.status);
            }
            Change::Rule { target, delta } => match delta {
                Delta::Create { after } | Delta::Update { after, .. } => {
                    policy.rules.insert(target.rule.clone(), with_status(after, "draft"));
                }
                Delta::Delete { .. } => drop(policy.rules.remove(&target.rule)),
            },
            Change::Approve { target, after, .. } => {
                policy.rules.insert(target.rule.clone(), with_status(after, "approved"));
            }
            Change::Reject { target, after, .. } => {
                policy.rules.insert(target.rule.clone(), with_status(after, "rejected"));
            }
        }
    }
    policies
}

impl Outcome {
    /// Returns `true` if its rules are in force. An unknown status counts as in force.
    pub(super) fn is_in_force(&self) -> bool {
        !matches!(self.status.as_str(), "draft" | "archived")
    }

    /// The rules that apply while the policy is in force.
    pub(super) fn approved(&self) -> impl Iterator<Item = (&Subject, &Fields)> {
        self.rules.iter().filter(|(_, rule)| is_approved(rule))
    }
}

/// A rule with the status that the service gives it.
pub(super) fn with_status(rule: &Fields, status: &str) -> Fields {
    let mut rule = rule.clone();
    rule.insert("status".to_owned(), status.into());
    rule
}

/// Returns `true` if a rule is in force. An unknown status counts as in force.
pub(super) fn is_approved(rule: &Fields) -> bool {
    !matches!(text(rule, "status"), "draft" | "rejected")
}

/// A text of an object; empty for any other value.
pub(super) fn text<'a>(object: &'a Fields, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}
