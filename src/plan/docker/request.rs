//! The one request of a change.

use serde_json::Value;

use super::{Change, PolicyFields, json};
use crate::model::{Method, Scope};
use crate::plan::request::{Request, Segment};
use crate::plan::step::{Addressed, Delta, Op};

/// The request that carries this change out in this organization.
#[must_use]
pub fn request(org: &str, change: &Change) -> Request {
    let (method, body) = match change {
        Change::Policy { delta: Delta::Create { after }, .. } => {
            (Method::Post, Some(create_policy(after)))
        }
        Change::Policy { delta: Delta::Update { after, .. }, .. } => {
            (Method::Patch, Some(json::only(json::policy_fields(after), &change.changed())))
        }
        Change::Rule { delta: Delta::Create { after }, .. } => {
            (Method::Post, Some(json::rule(after)))
        }
        Change::Rule { delta: Delta::Update { after, .. }, .. } => {
            (Method::Patch, Some(json::only(json::rule(after), &change.changed())))
        }
        Change::Policy { delta: Delta::Delete { .. }, .. }
        | Change::Rule { delta: Delta::Delete { .. }, .. } => (Method::Delete, None),
    };
    Request { method, path: path(org, change), query: Vec::new(), body }
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
    let policy = match change.policy() {
        Addressed::Existing(id) => text(&id.0),
        Addressed::Planned(name) => Segment::Policy(name.clone()),
    };
    let rule = change.rule().map(|rule| match rule {
        Addressed::Existing(id) => text(&id.0),
        Addressed::Planned(name) => Segment::Rule(name.clone()),
    });
    match rule {
        None => path.push(policy),
        Some(rule) => path.extend([policy, text("rules"), rule]),
    }
    // A creation addresses the list.
    path.truncate(path.len() - usize::from(change.op() == Op::Create));
    path
}
