//! The format that the service sends, and its conversion to the model.
//!
//! Invariant: unknown fields, absent and null optional fields change nothing. Objects that the
//! service types loosely (consequences, constraints, provenance) are kept as they are.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{
    Fields, LiveVijil, LiveVijilPolicy, LiveVijilRule, VIJIL_POLICY_FIELDS, VIJIL_RULE_FIELDS,
};

/// A page of a list, in either form that the service uses.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) results: Vec<T>,
    /// The number of results in all pages.
    #[serde(default)]
    pub(super) total: Option<usize>,
    /// The name of the same field in another list, which may count all results or those of the
    /// page.
    #[serde(default)]
    pub(super) count: Option<usize>,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The service's id, a UUID.
    pub id: String,
    /// The name; the service does not document it as unique.
    pub name: String,
    /// The status; `draft` if the service does not state it.
    #[serde(default = "draft")]
    pub status: String,
    /// True for a preset of the service.
    #[serde(default)]
    pub is_preset: bool,
    /// All other fields, unchanged.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The service's id, a UUID.
    pub id: String,
    /// The rule's id for people.
    pub rule_id: String,
    /// The status; `draft` if the service does not state it.
    #[serde(default = "draft")]
    pub status: String,
    /// All other fields, unchanged.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A policy with its rules, as snapshots keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// The policy.
    pub policy: Policy,
    /// Sorted by `rule_id`, then id.
    pub rules: Vec<Rule>,
}

/// The Vijil side of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VijilSnapshot {
    /// Sorted by name, then id.
    pub policies: Vec<Whole>,
}

fn draft() -> String {
    "draft".to_owned()
}

impl Policy {
    /// The policy in the form of the model, without rules.
    #[must_use]
    pub fn live(self) -> LiveVijilPolicy {
        let Self { id, name, status, is_preset: _, rest } = self;
        LiveVijilPolicy {
            id,
            name,
            status,
            fields: only(rest, &VIJIL_POLICY_FIELDS),
            rules: Vec::new(),
        }
    }
}

impl Rule {
    /// The rule in the form of the model.
    #[must_use]
    pub fn live(self) -> LiveVijilRule {
        let Self { id, rule_id, status, mut rest } = self;
        let notes = rest.get("review_notes").and_then(Value::as_str).map(str::to_owned);
        let reviewed_by = rest.get("reviewed_by").and_then(Value::as_str).map(str::to_owned);
        let reviewed_at = rest.get("reviewed_at").and_then(Value::as_i64);
        let provenance = rest.remove("provenance").filter(|provenance| !provenance.is_null());
        let fields = only(rest, &VIJIL_RULE_FIELDS);
        LiveVijilRule { id, rule_id, status, notes, reviewed_by, reviewed_at, fields, provenance }
    }
}

impl VijilSnapshot {
    /// The snapshot in the form of the model, without presets.
    #[must_use]
    pub fn live(self) -> LiveVijil {
        let mut policies: Vec<LiveVijilPolicy> = self
            .policies
            .into_iter()
            .filter(|whole| !whole.policy.is_preset)
            .map(|Whole { policy, rules }| {
                let mut rules: Vec<LiveVijilRule> = rules.into_iter().map(Rule::live).collect();
                rules.sort_by(|one, other| {
                    (&one.rule_id, &one.id).cmp(&(&other.rule_id, &other.id))
                });
                LiveVijilPolicy { rules, ..policy.live() }
            })
            .collect();
        policies.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        LiveVijil { policies }
    }
}

fn only(mut rest: Fields, names: &[&str]) -> Fields {
    names.iter().filter_map(|name| Some(((*name).to_owned(), rest.remove(*name)?))).collect()
}
