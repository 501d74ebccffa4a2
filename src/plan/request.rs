//! The one request of a step.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shown;
use super::step::{Change, Head, PolicyTarget, RuleTarget};

/// A call that writes, as data: no host, no credentials, no encoding.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// Segments below the base URL, not encoded.
    pub path: Vec<Segment>,
    /// JSON to send; `None` for DELETE.
    pub body: Option<Value>,
}

/// The verbs that write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Creates.
    Post,
    /// Changes the fields that the body names.
    Patch,
    /// Deletes.
    Delete,
}

/// A segment of a request's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Known now.
    Text(String),
    /// The id of the policy that an earlier step creates under this name.
    Policy(String),
    /// The id of the rule that an earlier step creates under this name, in the same policy.
    Rule(String),
}

/// The request that carries this change out in this organization.
#[must_use]
pub fn request(org: &str, change: &Change) -> Request {
    let (method, body) = match change {
        Change::CreatePolicy { after } => (Method::Post, Some(create_policy(after))),
        Change::UpdatePolicy { after, .. } => (Method::Patch, Some(shown::only(shown::head(after), &change.changed()))),
        Change::CreateRule { after, .. } => (Method::Post, Some(shown::rule(after))),
        Change::UpdateRule { after, .. } => (Method::Patch, Some(shown::only(shown::rule(after), &change.changed()))),
        Change::DeletePolicy { .. } | Change::DeleteRule { .. } => (Method::Delete, None),
    };
    Request { method, path: path(org, change), body }
}

fn create_policy(after: &Head) -> Value {
    let mut fields = vec!["name"];
    if after.scope != crate::model::Scope::Organization {
        fields.push("scope");
    }
    fields.push("cedar_v1");
    shown::only(shown::head(after), &fields)
}

fn path(org: &str, change: &Change) -> Vec<Segment> {
    let text = |part: &str| Segment::Text(part.to_owned());
    let mut path = vec![text("orgs"), text(org), text("governance"), text("policies")];
    if let Some(policy) = change.policy() {
        path.push(match policy {
            PolicyTarget::Existing(id) => text(&id.0),
            PolicyTarget::Planned(name) => Segment::Policy(name.clone()),
        });
    }
    match change {
        Change::CreatePolicy { .. } | Change::UpdatePolicy { .. } | Change::DeletePolicy { .. } => {}
        Change::CreateRule { .. } => path.push(text("rules")),
        Change::UpdateRule { rule, .. } | Change::DeleteRule { rule, .. } => {
            path.push(text("rules"));
            path.push(match rule {
                RuleTarget::Existing(id) => text(&id.0),
                RuleTarget::Planned(name) => Segment::Rule(name.clone()),
            });
        }
    }
    path
}
