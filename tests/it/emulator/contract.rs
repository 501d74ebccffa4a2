//! Holds every answer against the shapes of the API's own document.

use std::collections::BTreeMap;

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use super::Answer;

/// Validators by method, path template and status; status 0 is the request body.
pub(super) struct Contract(BTreeMap<(String, String, u16), Validator>);

impl Contract {
    pub(super) fn load() -> Self {
        let text = include_str!("../../data/docker-governance.yaml");
        let document: Value = serde_yaml::from_str(text).unwrap();
        let compile = |schema: &Value| {
            let whole = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "components": document["components"],
                "allOf": [schema],
            });
            jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
        };
        let mut validators = BTreeMap::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let mut add = |status, schema| {
                    validators.insert((method.to_uppercase(), path.clone(), status), compile(schema));
                };
                if let Some(body) = operation.get("requestBody") {
                    add(0, body);
                }
                for (status, schema) in operation["responses"].as_object().unwrap() {
                    add(status.parse().unwrap(), schema);
                }
            }
        }
        Self(validators)
    }

    /// The status is one that the document lists, the body has its shape, and what was accepted fits the schema of
    /// requests.
    #[track_caller]
    pub(super) fn check(&self, method: &Method, path: &str, body: Option<&Value>, answer: &Answer) {
        let Some(template) = template(path) else { return };
        let find = |status| self.0.get(&(method.to_string(), template.to_owned(), status));
        let Some(validator) = find(answer.status) else {
            panic!("{method} {template} lists no status {}: {}", answer.status, answer.body)
        };
        if let Err(error) = validator.validate(&answer.body) {
            panic!("{method} {template} answered {}: {error} at {}", answer.body, error.instance_path());
        }
        if let (true, Some(body), Some(requests)) = (answer.status < 300, body, find(0)) {
            assert!(requests.is_valid(body), "{method} {template} accepted {body}");
        }
    }
}

/// The template of a path, for the governance API.
fn template(path: &str) -> Option<&'static str> {
    let path = path.split('?').next()?;
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["orgs", _, "governance", "policies"] => Some("/orgs/{org_name}/governance/policies"),
        ["orgs", _, "governance", "policies", _] => Some("/orgs/{org_name}/governance/policies/{policy_id}"),
        ["orgs", _, "governance", "policies", _, "rules"] => {
            Some("/orgs/{org_name}/governance/policies/{policy_id}/rules")
        }
        ["orgs", _, "governance", "policies", _, "rules", _] => {
            Some("/orgs/{org_name}/governance/policies/{policy_id}/rules/{rule_id}")
        }
        _ => None,
    }
}
