//! Policies and rules for agents that are created beside an equal one that no document declares.

use serde_json::Value;

use super::diff::{Deletion, find};
use super::{Input, Subject};
use crate::model::{DesiredAgentPolicy, DesiredAgentRule, LiveAgentPolicy, LiveAgentRule, has_value};
use crate::plan::warning::Warning;

/// Policies that say what a live one of another name says.
pub(super) fn policies(Input { desired, live, .. }: Input<'_>) -> Vec<Warning> {
    let found = |one: &DesiredAgentPolicy| find(one, live).ok().flatten();
    let is_declared =
        |policy: &LiveAgentPolicy| desired.iter().any(|one| found(one).is_some_and(|found| found.id == policy.id));
    let undeclared: Vec<&LiveAgentPolicy> = live.policies.iter().filter(|policy| !is_declared(policy)).collect();
    let created = desired.iter().filter(|one| matches!(find(one, live), Ok(None)));
    let renamed = created.filter_map(|one| {
        let equal = undeclared.iter().find(|policy| is_same_policy(one, policy))?;
        Some(Warning::possible_rename("policy", &one.name, &equal.name, &one.origin))
    });
    renamed.collect()
}

/// Rules that say what a rule says that is deleted.
pub(super) fn rules(declared: &DesiredAgentPolicy, live: Option<&LiveAgentPolicy>, gone: &[Deletion]) -> Vec<Warning> {
    let Some(live) = live else { return Vec::new() };
    let is_gone =
        |rule: &&LiveAgentRule| gone.iter().any(|((_, step), _)| step.rule == Some(Subject::Existing(rule.id.clone())));
    let gone: Vec<&LiveAgentRule> = live.rules.iter().filter(is_gone).collect();
    let is_live = |rule: &DesiredAgentRule| {
        let ids = || std::iter::once(&rule.rule_id).chain(&rule.previously);
        live.rules.iter().any(|live| ids().any(|id| *id == live.rule_id))
    };
    let created = declared.rules.iter().filter(|rule| !is_live(rule));
    let renamed = created.filter_map(|rule| {
        let equal = gone.iter().find(|live| is_same_rule(rule, live))?;
        Some(Warning::possible_rename("rule", &rule.rule_id, &equal.rule_id, &rule.origin))
    });
    renamed.collect()
}

fn is_same_policy(declared: &DesiredAgentPolicy, live: &LiveAgentPolicy) -> bool {
    let has_text = declared.fields.get("source_text").is_some_and(|text| !text.is_null());
    (has_text || !declared.rules.is_empty())
        && declared
            .fields
            .iter()
            .all(|(key, wanted)| has_value(key, live.fields.get(key).unwrap_or(&Value::Null), wanted))
        && declared.rules.len() == live.rules.len()
        && declared
            .rules
            .iter()
            .all(|rule| live.rules.iter().any(|live| live.rule_id == rule.rule_id && is_same_rule(rule, live)))
}

fn is_same_rule(declared: &DesiredAgentRule, live: &LiveAgentRule) -> bool {
    declared.fields.iter().all(|(key, wanted)| has_value(key, live.fields.get(key).unwrap_or(&Value::Null), wanted))
}
