//! Policies and rules for agents that are created although an undeclared one has the same content.

use serde_json::Value;

use crate::model::{
    DesiredVijilPolicy, DesiredVijilRule, LiveVijilPolicy, LiveVijilRule, has_value,
};
use crate::plan::warning::Warning;

/// The part that a renamed object shares with the former one.
const CONTENT: &str = "the content";

/// Finds created policies with the content of an undeclared live policy of another name.
pub(super) fn policies(
    created: &[&DesiredVijilPolicy],
    undeclared: &[&LiveVijilPolicy],
) -> Vec<Warning> {
    let renamed = created.iter().filter_map(|one| {
        let equal = undeclared.iter().find(|policy| is_same_policy(one, policy))?;
        let created = (one.name.as_str(), one.previously.as_slice());
        Some(Warning::possible_rename("policy", created, CONTENT, &equal.name, &one.origin))
    });
    renamed.collect()
}

/// Finds created rules with the content of a rule that is deleted.
pub(super) fn rules(created: &[&DesiredVijilRule], deleted: &[&LiveVijilRule]) -> Vec<Warning> {
    let renamed = created.iter().filter_map(|rule| {
        let equal = deleted.iter().find(|live| is_same_rule(rule, live))?;
        let created = (rule.rule_id.as_str(), rule.previously.as_slice());
        Some(Warning::possible_rename("rule", created, CONTENT, &equal.rule_id, &rule.origin))
    });
    renamed.collect()
}

fn is_same_policy(declared: &DesiredVijilPolicy, live: &LiveVijilPolicy) -> bool {
    let has_text = declared.fields.get("source_text").is_some_and(|text| !text.is_null());
    (has_text || !declared.rules.is_empty())
        && declared.fields.iter().all(|(key, wanted)| {
            has_value(key, live.fields.get(key).unwrap_or(&Value::Null), wanted)
        })
        && declared.rules.len() == live.rules.len()
        && declared.rules.iter().all(|rule| {
            live.rules.iter().any(|live| live.rule_id == rule.rule_id && is_same_rule(rule, live))
        })
}

fn is_same_rule(declared: &DesiredVijilRule, live: &LiveVijilRule) -> bool {
    declared
        .fields
        .iter()
        .all(|(key, wanted)| has_value(key, live.fields.get(key).unwrap_or(&Value::Null), wanted))
}
