//! Converts a live policy for agents to a document that declares it.
//!
//! Invariant: a rule that a model extracted from a text has its source and no decision, which is up
//! to the reviewers. A decision is written only if the service says that people made it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Candidate, Location};
use crate::model::{
    DesiredVijilPolicy, Fields, LiveVijil, LiveVijilPolicy, LiveVijilRule, VIJIL_POLICY_FIELDS,
    VIJIL_RULE_FIELDS,
};
use crate::plan::saved::Service;
use crate::plan::vijil::diff;

/// The defaults of the service, which are left out.
const ASSUMED: [(&str, &str); 2] = [("assignee", "agent"), ("constraint_logic", "all")];

/// The undeclared policies of a team.
#[must_use]
pub fn undeclared(desired: &[DesiredVijilPolicy], live: &LiveVijil) -> Vec<Candidate> {
    let declared: BTreeSet<&str> = desired
        .iter()
        .filter_map(|policy| diff::find(policy, live).ok().flatten())
        .map(|policy| policy.id.as_str())
        .collect();
    let undeclared = live.policies.iter().filter(|policy| !declared.contains(policy.id.as_str()));
    let candidates = undeclared.map(|policy| {
        let alone = live.policies.iter().filter(|other| other.name == policy.name).count() == 1;
        let document = match alone {
            true => Ok(document(policy)),
            false => Err("another live policy has the same name".to_owned()),
        };
        let places = vec![Location { org: String::new(), id: policy.id.clone() }];
        Candidate { service: Service::Vijil, places, name: policy.name.clone(), document }
    });
    candidates.collect()
}

fn document(policy: &LiveVijilPolicy) -> Map<String, Value> {
    let LiveVijilPolicy { id: _, name, status, fields, rules } = policy;
    let mut document = Map::new();
    let mut add = |key: &str, value: Value| document.insert(key.to_owned(), value);
    add("apiVersion", "seawall/v1".into());
    add("kind", "AgentPolicy".into());
    add("name", name.clone().into());
    for (key, value) in said(fields, &VIJIL_POLICY_FIELDS) {
        add(key, value);
    }
    // A status that a document cannot set is left out, which keeps it.
    let approved = rules.iter().all(|rule| rule.status == "approved");
    if matches!(status.as_str(), "draft" | "archived") || status == "active" && approved {
        add("status", status.clone().into());
    }
    add("rules", rules.iter().map(|one| Value::Object(rule(one))).collect());
    document
}

/// A rule in the form of documents.
pub(crate) fn rule(live: &LiveVijilRule) -> Map<String, Value> {
    let LiveVijilRule {
        id: _,
        rule_id,
        status: _,
        notes: _,
        reviewed_by: _,
        reviewed_at: _,
        fields,
        provenance,
    } = live;
    let mut rule = Map::new();
    rule.insert("rule_id".to_owned(), rule_id.clone().into());
    rule.extend(said(fields, &VIJIL_RULE_FIELDS).map(|(key, value)| (key.to_owned(), value)));
    if let Some(provenance) = provenance.as_ref().and_then(known) {
        rule.insert("provenance".to_owned(), provenance);
    }
    if let Some(review) = review(live) {
        rule.insert("review".to_owned(), review);
    }
    rule
}

/// The decision of a reviewer, if a document can state it.
pub(crate) fn review(live: &LiveVijilRule) -> Option<Value> {
    let notes = live.notes.clone().unwrap_or_default();
    match live.status.as_str() {
        "approved" => Some(json!({"approved": notes})),
        "rejected" if !notes.is_empty() => Some(json!({"rejected": notes})),
        _ => None,
    }
}

/// The fields with a value, in the service's order.
fn said<'a>(
    fields: &'a Fields,
    names: &'a [&'static str],
) -> impl Iterator<Item = (&'static str, Value)> + 'a {
    let is_said = |name: &str, value: &Value| {
        let assumed =
            ASSUMED.iter().any(|(own, assumed)| *own == name && value.as_str() == Some(assumed));
        !(value.is_null() || assumed || value.as_array().is_some_and(Vec::is_empty))
    };
    names.iter().filter_map(move |name| {
        let value = fields.get(*name).filter(|value| is_said(name, value))?;
        Some((*name, if *name == "constraints" { value.clone() } else { spoken(value) }))
    })
}

/// The source that a rule was extracted from, without unknown members; `None` for a rule that a
/// person wrote.
fn known(provenance: &Value) -> Option<Value> {
    let known = spoken(provenance);
    let drawn = known.as_object().is_some_and(|known| {
        known.iter().any(|(key, value)| key != "extracted_by" || value != "manual")
    });
    drawn.then_some(known)
}

/// A value without the members that are null.
pub(crate) fn spoken(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let said = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(said.map(|(key, value)| (key.clone(), spoken(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            value.clone()
        }
    }
}

/// Returns `true` if a document would restore a deleted live policy: everything that the service
/// shows is declared, or a default of the service.
pub(super) fn is_whole(declared: &DesiredVijilPolicy, live: &LiveVijilPolicy) -> bool {
    let same = |declared: &Fields, live: &Fields, names: &[&'static str]| {
        said(live, names).all(|(key, value)| {
            declared.get(key).is_some_and(|own| crate::model::same_value(own, &value))
        })
    };
    let rule =
        |live: &LiveVijilRule| declared.rules.iter().find(|rule| rule.rule_id == live.rule_id);
    declared.rules.len() == live.rules.len()
        && same(&declared.fields, &live.fields, &VIJIL_POLICY_FIELDS)
        && live.rules.iter().all(|live| {
            rule(live)
                .is_some_and(|declared| same(&declared.fields, &live.fields, &VIJIL_RULE_FIELDS))
        })
}
