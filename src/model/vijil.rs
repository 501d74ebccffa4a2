//! Policies for the behaviour of agents, and the rules extracted from them, in Vijil's form.
//!
//! Invariant: each side holds only the fields that it states. A field that a document leaves out is
//! missing in its [`Fields`], so that the service's value is kept; the live side holds all fields
//! that the service shows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Origin;

/// Fields of an object by the service's own names.
pub type Fields = Map<String, Value>;

/// The fields of a policy that documents may set, beside name and status, in the service's order.
pub const VIJIL_POLICY_FIELDS: [&str; 4] = ["description", "category", "source_text", "tags"];

/// The fields of a rule that documents may set, beside `rule_id`, in the service's order.
pub const VIJIL_RULE_FIELDS: [&str; 10] = [
    "rule_type",
    "action",
    "target",
    "assignee",
    "constraints",
    "constraint_logic",
    "consequence",
    "natural_language",
    "category",
    "tags",
];

/// Severities of a consequence, in ascending order.
pub const SEVERITIES: [&str; 5] = ["info", "low", "medium", "high", "critical"];

/// Known actions of a consequence with their ranks, by what they prevent. The service publishes no
/// list and takes any text: `block` and `warn` occur in its tests, and the others are common names
/// elsewhere.
pub const CONSEQUENCE_ACTIONS: [(&str, usize); 24] = [
    ("allow", 0),
    ("ignore", 0),
    ("none", 0),
    ("pass", 0),
    ("log", 1),
    ("observe", 1),
    ("audit", 1),
    ("monitor", 1),
    ("record", 1),
    ("warn", 2),
    ("alert", 2),
    ("flag", 2),
    ("notify", 2),
    ("escalate", 3),
    ("review", 3),
    ("require_approval", 3),
    ("steer", 3),
    ("redact", 3),
    ("mask", 3),
    ("block", 4),
    ("deny", 4),
    ("refuse", 4),
    ("reject", 4),
    ("stop", 4),
];

/// The way to edit rules of an active Vijil policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditActive {
    /// The policy stays active, and each rule is approved right after its edit.
    #[default]
    InPlace,
    /// The policy becomes a draft first, and is activated again at the end.
    Deactivate,
}

/// The status of a policy.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum VijilStatus {
    /// Under development.
    Draft,
    /// In force; every rule is approved.
    Active,
    /// Archived.
    Archived,
}

/// The review of a rule, as a document states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Review {
    /// Approved, with notes that may be empty.
    Approved(String),
    /// Rejected, with a reason that is not empty.
    Rejected(String),
}

/// A declared policy for agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredVijilPolicy {
    /// The identity of the policy.
    pub name: String,
    /// Earlier names, in the order written.
    pub previously: Vec<String>,
    /// The desired status; `None` to keep the current one.
    pub status: Option<VijilStatus>,
    /// The fields of [`VIJIL_POLICY_FIELDS`] that the document sets.
    pub fields: Fields,
    /// The rules in the order written.
    pub rules: Vec<DesiredVijilRule>,
    /// The place of the name.
    pub origin: Origin,
}

/// A declared rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredVijilRule {
    /// The identity of the rule in its policy.
    pub rule_id: String,
    /// Earlier identities, in the order written.
    pub previously: Vec<String>,
    /// The fields of [`VIJIL_RULE_FIELDS`] that the document sets.
    pub fields: Fields,
    /// The review; `None` to keep the current one.
    pub review: Option<Review>,
    /// The source that the rule was extracted from, for reviewers; never sent.
    pub provenance: Option<Value>,
    /// The place where the rule starts.
    pub origin: Origin,
}

/// The Vijil side at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveVijil {
    /// The team's own policies, sorted by name, then id; without the service's presets.
    pub policies: Vec<LiveVijilPolicy>,
}

/// A live policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveVijilPolicy {
    /// The service's id, a UUID.
    pub id: String,
    /// The name; the service does not document it as unique.
    pub name: String,
    /// The status as the service spells it; later versions may have more than [`VijilStatus`].
    pub status: String,
    /// The fields of [`VIJIL_POLICY_FIELDS`] that the service shows.
    pub fields: Fields,
    /// The rules, sorted by `rule_id`, then id.
    pub rules: Vec<LiveVijilRule>,
}

/// A live rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveVijilRule {
    /// The service's id, a UUID.
    pub id: String,
    /// The rule's id for people; the service does not document it as unique.
    pub rule_id: String,
    /// The status: `draft`, `approved`, `rejected`, `modified`, or one that a later version adds.
    pub status: String,
    /// Notes of the approval or the reason of the rejection.
    pub notes: Option<String>,
    /// Id of the last reviewer in the service.
    pub reviewed_by: Option<String>,
    /// Time of the last review, in a unit that the service does not document.
    pub reviewed_at: Option<i64>,
    /// The fields of [`VIJIL_RULE_FIELDS`] that the service shows.
    pub fields: Fields,
    /// The source that the rule was extracted from.
    pub provenance: Option<Value>,
}

impl VijilStatus {
    /// The spelling of the service.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }
}

impl Review {
    /// The status that the review gives a rule.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Approved(_) => "approved",
            Self::Rejected(_) => "rejected",
        }
    }
}

impl LiveVijilRule {
    /// Returns `true` if a model extracted the rule from a text and nobody has reviewed it.
    #[must_use]
    pub fn is_extracted_draft(&self) -> bool {
        let by = self
            .provenance
            .as_ref()
            .and_then(|provenance| provenance.get("extracted_by"))
            .and_then(Value::as_str);
        self.status == "draft" && by == Some("llm")
    }
}

/// The confidence of an extraction, from 0 to 1. The service documents no range, so that more than
/// 1 counts as percent.
#[must_use]
pub fn confidence(provenance: &Value) -> Option<f64> {
    let score = provenance.get("confidence_score").and_then(Value::as_f64)?;
    Some(if score > 1.0 { score / 100.0 } else { score })
}

/// Returns `true` if two values of a field are equivalent: `null`, an empty list and a missing
/// value are, and numbers are compared as numbers.
#[must_use]
pub fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys());
            let of = |object: &Fields, key: &str| object.get(key).cloned().unwrap_or(Value::Null);
            keys.into_iter().all(|key| same_value(&of(one, key), &of(other, key)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| same_value(one, other))
        }
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (Value::Null, Value::Array(list)) | (Value::Array(list), Value::Null) => list.is_empty(),
        (one, other) => one == other,
    }
}

/// Returns `true` if a field has the desired value: members of objects that only the service has
/// (defaults that it filled in, extras that a document leaves out) are no difference, and the order
/// of labels has no meaning.
#[must_use]
pub fn has_value(name: &str, live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| has_value(key, live.get(key).unwrap_or(&Value::Null), wanted)),
        (Value::Array(live), Value::Array(wanted)) if name == "tags" => {
            let texts =
                |list: &[Value]| list.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
            texts(live) == texts(wanted)
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live.iter().zip(wanted).all(|(live, wanted)| has_value("", live, wanted))
        }
        (live, wanted) => same_value(live, wanted),
    }
}

/// The value of a field after a document sets `wanted`: the live value if that is equivalent, and
/// in an object the members that the document leaves out.
#[must_use]
pub fn merged(name: &str, live: &Value, wanted: &Value) -> Value {
    match (live, wanted) {
        (live, wanted) if has_value(name, live, wanted) => live.clone(),
        (Value::Object(live), Value::Object(wanted)) => {
            let mut members = live.clone();
            members.extend(wanted.iter().map(|(key, value)| (key.clone(), value.clone())));
            Value::Object(members)
        }
        (_, wanted) => wanted.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::{has_value, merged, same_value};
    use serde_json::json;

    #[test]
    fn values_that_mean_the_same_are_the_same() {
        let table = [
            (json!({"a": 1}), json!({"a": 1.0, "b": null}), true),
            (json!(null), json!([]), true),
            (json!([]), json!({}), false),
            (json!("a"), json!("A"), false),
            (json!([1, 2]), json!([2, 1]), false), // constraints may be read in their order
        ];
        for (one, other, same) in table {
            assert_eq!(same_value(&one, &other), same, "{one} {other}");
            assert_eq!(same_value(&other, &one), same, "{one} {other}");
        }
    }

    #[test]
    fn what_a_document_leaves_out_of_an_object_stays() {
        let live = json!({"action": "block", "severity": "low", "ticket": true, "message": null});
        assert_eq!(merged("consequence", &live, &json!({"action": "block"})), live);
        assert_eq!(merged("consequence", &live, &json!({"severity": "high"}))["ticket"], true);
    }

    #[test]
    fn what_only_the_service_has_is_no_difference() {
        let table = [
            (
                "consequence",
                json!({"action": "block", "severity": "medium"}),
                json!({"action": "block"}),
                true,
            ),
            (
                "consequence",
                json!({"action": "block"}),
                json!({"action": "block", "severity": "medium"}),
                false,
            ),
            (
                "constraints",
                json!([{"field": "a", "unit": null, "id": 7}]),
                json!([{"field": "a"}]),
                true,
            ),
            (
                "constraints",
                json!([{"field": "a"}, {"field": "b"}]),
                json!([{"field": "a"}]),
                false,
            ),
            ("tags", json!(["b", "a"]), json!(["a", "b"]), true),
            ("constraints", json!(["b", "a"]), json!(["a", "b"]), false),
            ("target", json!(null), json!("pii"), false),
        ];
        for (name, live, wanted, has) in table {
            assert_eq!(has_value(name, &live, &wanted), has, "{live} {wanted}");
        }
    }
}
