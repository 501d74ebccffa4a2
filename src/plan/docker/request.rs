//! The one request of a change.

use serde_json::Value;

use super::{Change, PolicyChange, PolicyFields, PolicyTarget, RuleChange, RuleTarget, json};
use crate::model::{Method, Scope};
use crate::plan::request::{Request, Segment};

/// The request that carries this change out in this organization.
#[must_use]
pub fn request(org: &str, change: &Change) -> Request {
    let (method, body) = match change {
        Change::Policy(PolicyChange::Create { after }) => {
            (Method::Post, Some(create_policy(after)))
        }
        Change::Policy(PolicyChange::Update { after, .. }) => {
            (Method::Patch, Some(json::only(json::policy_fields(after), &change.changed())))
        }
        Change::Rule(_, RuleChange::Create { after }) => (Method::Post, Some(json::rule(after))),
        Change::Rule(_, RuleChange::Update { after, .. }) => {
            (Method::Patch, Some(json::only(json::rule(after), &change.changed())))
        }
        Change::Policy(PolicyChange::Delete { .. })
        | Change::Rule(_, RuleChange::Delete { .. }) => (Method::Delete, None),
    };
    Request { method, path: path(org, change), body }
}

fn create_policy(after: &PolicyFields) -> Value {
    let mut fields = vec!["name"];
    if after.scope != Scope::Organization {
        fields.push("scope");
    }
    fields.push("cedar_v1");
    json::only(json::policy_fields(after), &fields)
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
    if let Change::Rule(_, change) = change {
        path.push(text("rules"));
        path.extend(change.target().map(|rule| match rule {
            RuleTarget::Existing(id) => text(&id.0),
            RuleTarget::Planned(name) => Segment::Rule(name.clone()),
        }));
    }
    path
}
