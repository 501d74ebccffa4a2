//! The one request of a change.

use serde_json::Value;

use super::change::{Change, RuleTarget, changed};
use crate::model::{Fields, Method};
use crate::plan::request::{Request, Segment};
use crate::plan::step::{Addressed, Delta};

/// The request that carries this change out.
#[must_use]
pub fn request(change: &Change) -> Request {
    let notes = change.text("review_notes").to_owned();
    let (method, query, body) = match change {
        Change::Policy { delta, .. } | Change::Rule { delta, .. } => match delta {
            Delta::Create { after } => {
                let body = sent(after, |key, value| key != "status" && !value.is_null());
                (Method::Post, Vec::new(), Some(body))
            }
            Delta::Update { before, after } => {
                let changed = changed(before, after);
                let body = sent(after, |key, _| changed.iter().any(|changed| changed == key));
                (Method::Patch, Vec::new(), Some(body))
            }
            Delta::Delete { .. } => (Method::Delete, Vec::new(), None),
        },
        Change::Approve { .. } if notes.is_empty() => (Method::Post, Vec::new(), None),
        Change::Approve { .. } => (Method::Post, vec![("notes", notes)], None),
        Change::Reject { .. } => (Method::Post, vec![("reason", notes)], None),
        Change::Activate { .. } => (Method::Post, Vec::new(), None),
    };
    Request { method, path: path(change), query, body }
}

/// The path; an empty last segment ends it with a slash.
fn path(change: &Change) -> Vec<Segment> {
    let text = |part: &str| Segment::Text(part.to_owned());
    let policy = match change.policy() {
        Addressed::Existing(id) => text(id),
        Addressed::Planned(name) => Segment::Policy(name.clone()),
    };
    let rule = |target: &RuleTarget| match &target.rule {
        Addressed::Existing(id) => text(id),
        Addressed::Planned(rule) => Segment::Rule(rule.clone()),
    };
    let (collection, rest) = match change {
        Change::Policy { delta: Delta::Create { .. }, .. } => ("policies", vec![text("")]),
        Change::Policy { .. } => ("policies", vec![policy]),
        Change::Activate { .. } => ("policies", vec![policy, text("activate")]),
        Change::Rule { delta: Delta::Create { .. }, .. } => {
            ("policies", vec![policy, text("rules")])
        }
        Change::Rule { target, .. } => ("rules", vec![rule(target)]),
        Change::Approve { target, .. } => ("rules", vec![rule(target), text("approve")]),
        Change::Reject { target, .. } => ("rules", vec![rule(target), text("reject")]),
    };
    [text("v1"), text(collection)].into_iter().chain(rest).collect()
}

fn sent(object: &Fields, keep: impl Fn(&str, &Value) -> bool) -> Value {
    let members = object.iter().filter(|(key, value)| *key != "review_notes" && keep(key, value));
    Value::Object(members.map(|(key, value)| (key.clone(), value.clone())).collect())
}
