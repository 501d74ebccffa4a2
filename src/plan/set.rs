//! Plans of several organizations in one file, each as it is saved by itself.
//!
//! Invariant: a file of one plan is read as such a set, and a set holds at most one plan for each
//! organization.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Plan;
use super::saved::{self, FORMAT_VERSION, PlanDocument, PlanError};
use crate::diagnostic::sanitize;
use crate::json::schema_generator;

/// An organization without a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unplanned {
    /// The organization.
    pub org: String,
    /// The reason why it could not be planned.
    pub message: String,
}

/// The JSON of a set of plans.
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
    schema_generator().into_root_schema_for::<SetDocument>().into()
}

/// Plans as JSON, with a line feed at the end.
#[must_use]
pub fn to_json<'a>(plans: impl IntoIterator<Item = &'a Plan>, failed: &[Unplanned]) -> String {
    let plans: Vec<Value> = plans.into_iter().map(Plan::to_value).collect();
    let set = json!({"format_version": FORMAT_VERSION, "plans": plans, "failed": failed});
    sanitize::json(&set)
}

/// The content of a file of plans.
#[derive(Clone, Debug, PartialEq)]
pub enum Saved {
    /// The plan of one organization.
    One(Box<Plan>),
    /// The plans of several organizations.
    Several {
        /// In the order of the file.
        plans: Vec<Plan>,
        /// The organizations that could not be planned.
        failed: Vec<Unplanned>,
    },
}

impl Saved {
    /// The plans with the organizations that have none.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Plan>, Vec<Unplanned>) {
        match self {
            Self::One(plan) => (vec![*plan], Vec::new()),
            Self::Several { plans, failed } => (plans, failed),
        }
    }
}

/// The plans that a JSON text holds: those of a set, or the one that it is.
///
/// # Errors
///
/// As [`Plan::from_json`], for any of them. Also if there is none, if two are for the same
/// organization, or if the text is neither a plan nor a set of them.
pub fn from_json(text: &str) -> Result<Saved, PlanError> {
    let value = saved::value(text)?;
    let Value::Object(members) = &value else {
        return Err(PlanError::Shape("it is not one JSON object"));
    };
    let Some(plans) = members.get("plans") else {
        if members.contains_key("failed") {
            return Err(PlanError::Shape("it has `failed` without `plans`"));
        }
        return Ok(Saved::One(Box::new(Plan::from_value(value)?)));
    };
    match members.get("format_version").and_then(Value::as_u64) {
        Some(version) if version == u64::from(FORMAT_VERSION) => {}
        Some(version) => return Err(PlanError::Version(version)),
        None => return Err(PlanError::Shape("it has no `format_version`")),
    }
    if ["steps", "live", "checksum"].iter().any(|key| members.contains_key(*key)) {
        return Err(PlanError::Shape("it is a plan and a set of plans at once"));
    }
    let Some(plans) = plans.as_array() else {
        return Err(PlanError::Shape("its `plans` are not a list"));
    };
    if plans.is_empty() {
        return Err(PlanError::Shape("it holds no plan"));
    }
    let failed = members.get("failed").cloned().map(serde_json::from_value).transpose()?;
    let failed: Vec<Unplanned> = failed.unwrap_or_default();
    let mut seen = BTreeSet::new();
    let read = |plan: &Value| {
        let plan = Plan::from_value(plan.clone())?;
        let name = plan.org().map(str::to_owned);
        if failed.iter().any(|failed| Some(&failed.org) == name.as_ref()) || !seen.insert(name) {
            return Err(PlanError::Shape("it names an organization twice"));
        }
        Ok(plan)
    };
    let plans = plans.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Saved::Several { plans, failed })
}

#[cfg(test)]
mod tests {
    use super::{Saved, Unplanned, from_json, to_json};
    use crate::plan::docker;
    use crate::plan::{DockerPlan, Input, Plan, make};
    use serde_json::Value;

    fn plan(org: &str) -> Plan {
        let plan = make(Input::new(&Default::default())).unwrap();
        let target = docker::Target { org: org.to_owned(), endpoint: "embedded".to_owned() };
        Plan { docker: Some(DockerPlan { target, ..DockerPlan::default() }), ..plan }
    }

    /// Changes a saved set.
    type Change = fn(&mut Value);

    #[test]
    fn a_file_is_one_plan_or_a_set_of_them_and_nothing_between() {
        let set: Value = serde_json::from_str(&to_json([&plan("a"), &plan("b")], &[])).unwrap();
        let several = Saved::Several { plans: vec![plan("a"), plan("b")], failed: Vec::new() };
        assert_eq!(from_json(&set.to_string()).unwrap(), several);
        assert_eq!(from_json(&plan("a").to_json()).unwrap(), Saved::One(Box::new(plan("a"))));
        let failed = vec![Unplanned { org: "c".to_owned(), message: "no".to_owned() }];
        let beside = to_json([&plan("a")], &failed);
        assert_eq!(from_json(&beside).unwrap(), Saved::Several { plans: vec![plan("a")], failed });
        let table: [(Change, &str); 12] = [
            (|set| set["plans"] = serde_json::json!([]), "it holds no plan"),
            (|set| *set = serde_json::json!({"plans": []}), "it has no `format_version`"),
            (|set| set["plans"] = serde_json::json!({}), "are not a list"),
            (|set| set["plans"] = Value::Null, "are not a list"),
            (|set| set["plans"] = serde_json::json!([{}]), "missing field"),
            (|set| set["steps"] = serde_json::json!([]), "a plan and a set of plans at once"),
            (|set| set["plans"][1] = set["plans"][0].clone(), "names an organization twice"),
            (|set| set["plans"][1] = set.clone(), "missing field"),
            (
                |set| set["failed"] = serde_json::json!([{"org": "a", "message": ""}]),
                "names an organization twice",
            ),
            (|set| set["failed"] = "none".into(), "invalid type"),
            (|set| set["format_version"] = 2.into(), "format version 2"),
            (|set| *set = set["plans"].clone(), "not one JSON object"),
        ];
        for (change, says) in table {
            let mut changed = set.clone();
            change(&mut changed);
            let error = from_json(&changed.to_string()).unwrap_err().to_string();
            assert!(error.contains(says), "{says}: {error}");
        }
        for text in ["", "null", "[]", "{}", "\"plan\"", "{\"failed\": []}"] {
            assert!(from_json(text).is_err(), "{text}");
        }
    }
}
