//! Plans of several organizations in one file, each as it is saved by itself.
//!
//! Invariant: a file of one plan is read as such a set, and a set holds at most one plan an organization.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Plan;
use super::saved::{FORMAT_VERSION, PlanDocument, PlanError};

/// An organization without a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unplanned {
    /// The organization.
    pub org: String,
    /// Why it could not be planned.
    pub message: String,
}

/// What [`to_json`] writes, for its schema.
#[derive(JsonSchema)]
#[schemars(title = "seawall plans")]
#[expect(dead_code, reason = "the schema is made from it")]
struct SetDocument {
    /// The version of the format: 1.
    #[schemars(range(min = 1, max = 1))]
    format_version: u32,
    /// A plan for each organization, in the order of `docker.orgs`; then one for Vijil.
    plans: Vec<PlanDocument>,
    /// The organizations that could not be planned.
    failed: Vec<Unplanned>,
}

/// The JSON Schema (2020-12) of a set of plans.
#[must_use]
pub fn schema() -> Value {
    schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<SetDocument>().into()
}

/// Plans as JSON, with a line feed at the end.
#[must_use]
pub fn to_json<'a>(plans: impl IntoIterator<Item = &'a Plan>, failed: &[Unplanned]) -> String {
    let plans: Vec<Value> = plans.into_iter().map(Plan::to_value).collect();
    let set = json!({"format_version": FORMAT_VERSION, "plans": plans, "failed": failed});
    serde_json::to_string_pretty(&set).expect("a value is JSON") + "\n"
}

/// The organizations that the plans in a JSON text leave out, since they could not be planned.
#[must_use]
pub fn unplanned(text: &str) -> Vec<Unplanned> {
    #[derive(Deserialize)]
    struct Failed {
        #[serde(default)]
        failed: Vec<Unplanned>,
    }
    serde_json::from_str(text).map(|Failed { failed }| failed).unwrap_or_default()
}

/// The plans that a JSON text holds: those of a set, or the one that it is.
///
/// # Errors
///
/// As [`Plan::from_json`], for any of them; and when two are for the same.
pub fn from_json(text: &str) -> Result<Vec<Plan>, PlanError> {
    let value: Value = serde_json::from_str(text)?;
    let Some(plans) = value.get("plans").and_then(Value::as_array) else { return Ok(vec![Plan::from_json(text)?]) };
    if let Some(version) = value.get("format_version").and_then(Value::as_u64)
        && version != u64::from(FORMAT_VERSION)
    {
        return Err(PlanError::Version(version));
    }
    let mut seen = BTreeSet::new();
    let read = |plan: &Value| {
        let plan = Plan::from_json(&plan.to_string())?;
        let name = plan.target.as_ref().map(|target| target.org.clone());
        match seen.insert(name) {
            true => Ok(plan),
            false => Err(PlanError::Altered),
        }
    };
    plans.iter().map(read).collect()
}
