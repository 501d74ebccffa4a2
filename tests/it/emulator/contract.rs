//! Holds every answer against the description of the API in `tests/openapi/`.

use std::collections::BTreeMap;

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use super::Answer;

/// Validators by method, path template and status; status 0 is the request body.
pub(super) struct Contract(BTreeMap<(String, String, u16), Validator>);

impl Contract {
    pub(super) fn load() -> Self {
        let mut document: Value =
            serde_yaml::from_str(include_str!("../../openapi/docker.yaml")).unwrap();
        // The description names what one emulator holds; others hold other teams and texts.
        for name in ["TeamId", "CedarText"] {
            let schema = document.pointer_mut(&format!("/components/schemas/{name}")).unwrap();
            schema.as_object_mut().unwrap().remove("enum").unwrap();
        }
        // And it refuses unknown members, which others may ignore.
        for schema in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
            schema.as_object_mut().unwrap().remove("additionalProperties");
        }
        let compile = |described: &Value| {
            let described = match described.get("$ref").and_then(Value::as_str) {
                Some(place) => document.pointer(place.trim_start_matches('#')).unwrap(),
                None => described,
            };
            let whole = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "components": document["components"],
                "allOf": [described["content"]["application/json"]["schema"]],
            });
            jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
        };
        let mut validators = BTreeMap::new();
        let paths = document["paths"].as_object().unwrap().iter();
        for (path, item) in paths.filter(|(path, _)| path.contains("/governance/policies")) {
            for (method, operation) in
                item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters")
            {
                let mut add = |status, described| {
                    validators
                        .insert((method.to_uppercase(), path.clone(), status), compile(described));
                };
                if let Some(body) = operation.get("requestBody") {
                    add(0, body);
                }
                for (status, described) in operation["responses"].as_object().unwrap() {
                    add(status.parse().unwrap(), described);
                }
            }
        }
        Self(validators)
    }

    /// The status is one that the document lists, the body has its shape, and what was accepted
    /// fits the schema of requests.
    #[track_caller]
    pub(super) fn check(&self, method: &Method, path: &str, body: Option<&Value>, answer: &Answer) {
        let Some(template) = template(path) else { return };
        let find = |status| self.0.get(&(method.to_string(), template.to_owned(), status));
        let Some(validator) = find(answer.status) else {
            panic!("{method} {template} lists no status {}: {}", answer.status, answer.body)
        };
        if let Err(error) = validator.validate(&answer.body) {
            panic!(
                "{method} {template} answered {}: {error} at {}",
                answer.body,
                error.instance_path()
            );
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
        ["orgs", _, "governance", "policies", _] => {
            Some("/orgs/{org_name}/governance/policies/{policy_id}")
        }
        ["orgs", _, "governance", "policies", _, "rules"] => {
            Some("/orgs/{org_name}/governance/policies/{policy_id}/rules")
        }
        ["orgs", _, "governance", "policies", _, "rules", _] => {
            Some("/orgs/{org_name}/governance/policies/{policy_id}/rules/{rule_id}")
        }
        _ => None,
    }
}
