//! Drift as JSON: the plan that would revert it, with the outside changes and the pending changes.
//!
//! Invariant: every key of a plan exists with its meaning; keys may be added, none is renamed or
//! removed.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Drift;
use crate::diagnostic::sanitize;
use crate::json::schema_generator;
use crate::model::Origin;
use crate::plan::ChangeSet;
use crate::plan::meaning::Meaning;
use crate::plan::saved::{DifferenceDocument, FORMAT_VERSION, Summary};
use crate::plan::set::Unplanned;
use crate::plan::undeclared::Undeclared;

/// The keys of drift in addition to those of a plan.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct DriftKeys {
    /// True if live and documents differ, or if an undeclared live policy changes effective access.
    drift: bool,
    /// The name of the base, which is the state after the last apply. Null if none was given; then
    /// `outside` holds all differences, whatever their origin.
    since: Option<String>,
    /// The differences from the base, or without one from the documents, to live state.
    outside: Side,
    /// The differences from the base to the documents, which wait to be applied. Null without a
    /// base.
    waiting: Option<Side>,
    /// Undeclared live policies with their effect on the audiences of declared policies, without
    /// policies that `unmanaged` and `owns` leave to others.
    undeclared: Undeclared,
    /// The parts of the documents that cannot be carried out: until they are corrected, the plan
    /// cannot be applied.
    impossible: Vec<String>,
}

/// One side of drift.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Side {
    /// The number of objects that differ, by kind of difference.
    summary: Summary,
    /// The differences, object by object.
    differences: Vec<Difference>,
    /// The effect on access: `widened` is the access that opened.
    access: Meaning,
}

/// An object that differs. For `outside`, `before` is the object after the last apply and `after`
/// is the live object.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Difference {
    #[serde(flatten)]
    difference: DifferenceDocument,
    /// The place of the policy's declaration.
    source: Option<Origin>,
}

impl Side {
    fn new(changes: &ChangeSet) -> Self {
        let docker = changes
            .docker
            .iter()
            .map(|one| Difference { difference: one.into(), source: one.source.clone() });
        let vijil = changes
            .vijil
            .iter()
            .map(|one| Difference { difference: one.into(), source: one.source.clone() });
        Self {
            summary: changes.summary(),
            differences: docker.chain(vijil).collect(),
            access: changes.access.clone(),
        }
    }
}

impl Drift {
    /// The drift as JSON, with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        sanitize::json(&self.document())
    }

    fn document(&self) -> Map<String, Value> {
        let keys = DriftKeys {
            drift: self.is_drift(),
            since: self.since.clone(),
            outside: Side::new(&self.outside),
            waiting: self.waiting.as_ref().map(Side::new),
            undeclared: self.undeclared.clone(),
            impossible: self.impossible.iter().map(ToString::to_string).collect(),
        };
        let Value::Object(mut document) = self.plan.to_value() else {
            unreachable!("a structure is an object")
        };
        if !self.impossible.is_empty() {
            // Nobody is meant to apply it.
            document.insert("checksum".to_owned(), "".into());
        }
        let Ok(Value::Object(keys)) = serde_json::to_value(keys) else {
            unreachable!("a structure is an object")
        };
        // After the version, before the plan.
        let mut ordered = Map::new();
        ordered.extend(document.shift_remove_entry("format_version"));
        ordered.extend(keys);
        ordered.append(&mut document);
        ordered
    }
}

/// The drift of several organizations as JSON, with a line feed at the end.
#[must_use]
pub fn set_to_json<'a>(
    drifts: impl IntoIterator<Item = &'a Drift>,
    failed: &[Unplanned],
) -> String {
    let drifts: Vec<&Drift> = drifts.into_iter().collect();
    let any = drifts.iter().any(|drift| drift.is_drift());
    let drifts: Vec<Value> = drifts.iter().map(|drift| Value::Object(drift.document())).collect();
    let set =
        json!({"format_version": FORMAT_VERSION, "drift": any, "drifts": drifts, "failed": failed});
    sanitize::json(&set)
}

/// The JSON Schema (2020-12) of the drift of several organizations; that of one stands beside it.
#[must_use]
pub fn set_schema() -> Value {
    let mut schema: Value = schema_generator().into_root_schema_for::<DriftSet>().into();
    if let Some(items) = schema.pointer_mut("/properties/drifts") {
        *items = json!({
            "description": "The drift of each, in the order of `docker.orgs`; then that of Vijil.",
            "type": "array",
            "items": {"$ref": "drift.schema.json"}
        });
    }
    schema
}

/// The output of [`set_to_json`], for its schema.
#[derive(JsonSchema)]
#[schemars(title = "seawall drift of several organizations")]
#[expect(dead_code, reason = "the schema is made from it")]
struct DriftSet {
    /// The version of the format: 1.
    #[schemars(range(min = 1, max = 1))]
    format_version: u32,
    /// True if there is drift in any of them.
    drift: bool,
    /// The drift of each organization.
    drifts: Vec<Value>,
    /// The organizations that could not be compared.
    failed: Vec<Unplanned>,
}

/// The JSON Schema (2020-12) of drift: that of a plan, which stands beside it, and more keys.
#[must_use]
pub fn schema() -> Value {
    let mut schema: Value = schema_generator().into_root_schema_for::<DriftKeys>().into();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), "seawall drift".into());
        object.insert("allOf".to_owned(), json!([{"$ref": "plan.schema.json"}]));
    }
    schema
}
