//! Policies and rules as JSON in the form of the service, without ids: for plans, request bodies
//! and fingerprints.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::{
    Action, Body, Cedar, Decision, Domain, HttpResource, Policy, Resources, Rule, Scope,
};

use super::PolicyFields;

/// A rule as the service shows it, without its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleJson {
    name: String,
    actions: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http_resources: Option<Vec<HttpResource>>,
    decision: Decision,
}

/// A policy as the service shows it, without ids, times and organization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyJson {
    name: String,
    scope: ShownScope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allowlist_v0: Option<ShownAllowlist>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cedar_v1: Option<ShownCedar>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ShownScope {
    teams: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ShownAllowlist {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    domain: Option<Domain>,
    rules: Vec<RuleJson>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ShownCedar {
    text: String,
    schema_url: String,
}

impl From<&Rule> for RuleJson {
    fn from(rule: &Rule) -> Self {
        let Rule { name, decision, actions, resources } = rule;
        let (resources, http_resources) = match resources {
            Resources::Plain(list) => (Some(list.to_vec()), None),
            Resources::Http(list) => (None, Some(list.clone())),
        };
        let actions = actions.iter().map(ToString::to_string).collect();
        Self { name: name.clone(), actions, resources, http_resources, decision: *decision }
    }
}

impl From<RuleJson> for Rule {
    fn from(shown: RuleJson) -> Self {
        let RuleJson { name, actions, resources, http_resources, decision } = shown;
        let resources = match http_resources {
            Some(list) => Resources::Http(list),
            None => Resources::Plain(resources.unwrap_or_default().into()),
        };
        Self {
            name,
            decision,
            actions: actions.iter().map(|text| Action::parse(text)).collect(),
            resources,
        }
    }
}

impl From<&Cedar> for ShownCedar {
    fn from(cedar: &Cedar) -> Self {
        let Cedar { text, schema_url } = cedar;
        Self { text: text.clone(), schema_url: schema_url.clone() }
    }
}

impl From<ShownCedar> for Cedar {
    fn from(ShownCedar { text, schema_url }: ShownCedar) -> Self {
        Self { text, schema_url }
    }
}

impl From<&Scope> for ShownScope {
    fn from(scope: &Scope) -> Self {
        Self { teams: scope.teams().into_iter().map(str::to_owned).collect() }
    }
}

impl From<&Policy> for PolicyJson {
    fn from(policy: &Policy) -> Self {
        let Policy { name, scope, body } = policy;
        let (allowlist_v0, cedar_v1) = match body {
            Body::Allowlist(rules) if rules.is_empty() => (None, None),
            Body::Allowlist(rules) => {
                let rules = rules.iter().map(RuleJson::from).collect();
                (Some(ShownAllowlist { domain: policy.domain(), rules }), None)
            }
            Body::Cedar(cedar) => (None, Some(cedar.into())),
        };
        Self { name: name.clone(), scope: scope.into(), allowlist_v0, cedar_v1 }
    }
}

impl From<PolicyJson> for Policy {
    fn from(shown: PolicyJson) -> Self {
        let PolicyJson { name, scope, allowlist_v0, cedar_v1 } = shown;
        let body = match (allowlist_v0, cedar_v1) {
            (_, Some(cedar)) => Body::Cedar(cedar.into()),
            (Some(list), None) => Body::Allowlist(list.rules.into_iter().map(Rule::from).collect()),
            (None, None) => Body::Allowlist(Vec::new()),
        };
        Self { name, scope: Scope::from_teams(scope.teams), body }
    }
}

impl From<&PolicyFields> for PolicyJson {
    fn from(head: &PolicyFields) -> Self {
        let PolicyFields { name, scope, cedar } = head;
        Self {
            name: name.clone(),
            scope: scope.into(),
            allowlist_v0: None,
            cedar_v1: cedar.as_ref().map(Into::into),
        }
    }
}

impl From<PolicyJson> for PolicyFields {
    fn from(shown: PolicyJson) -> Self {
        PolicyFields::new(&Policy::from(shown))
    }
}

/// A policy as JSON.
#[must_use]
pub fn policy(policy: &Policy) -> Value {
    to_value(PolicyJson::from(policy))
}

/// The part of a policy that a policy call sends, as JSON.
#[must_use]
pub fn policy_fields(head: &PolicyFields) -> Value {
    to_value(PolicyJson::from(head))
}

/// A rule as JSON.
#[must_use]
pub fn rule(rule: &Rule) -> Value {
    to_value(RuleJson::from(rule))
}

/// The fields of a JSON object with these names.
#[must_use]
pub fn only(object: Value, fields: &[&str]) -> Value {
    let Value::Object(mut object) = object else { return json!({}) };
    let kept: Map<String, Value> = fields
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), object.remove(*field)?)))
        .collect();
    Value::Object(kept)
}

fn to_value(shown: impl Serialize) -> Value {
    serde_json::to_value(shown).expect("strings and lists are JSON")
}
