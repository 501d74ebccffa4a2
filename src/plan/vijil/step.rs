//! One call of the Vijil side, and its request.

use serde_json::{Map, Value};

use crate::model::{Fields, Method, Origin, same_value};
use crate::plan::request::Segment;
use crate::plan::step::{Object, Op, Reason, Step};

/// One call that writes.
pub type VijilStep = Step<VijilDifference>;

/// One object that differs between two states, or a decision about it.
#[derive(Clone, Debug, PartialEq)]
pub struct VijilDifference {
    /// From 1, as it is listed.
    pub id: usize,
    /// The operation of the call.
    pub op: Op,
    /// The policy.
    pub policy: Subject,
    /// Its name: as declared, or as live where nothing declares it.
    pub policy_name: String,
    /// The rule, for a step about one.
    pub rule: Option<Subject>,
    /// Its `rule_id`.
    pub rule_id: Option<String>,
    /// The object as the plan expects to find it, ids aside; `None` for a creation.
    pub before: Option<Fields>,
    /// The object as it will be; `None` for a deletion.
    pub after: Option<Fields>,
    /// The source that a rule was extracted from, for reviewers.
    pub provenance: Option<Value>,
    /// The place that asks for it.
    pub source: Option<Origin>,
    /// The reason for a call that the difference alone does not ask for.
    pub because: Option<Reason>,
}

/// An object that a call is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// It is live, under this id.
    Existing(String),
    /// An earlier step creates it under this name or `rule_id`.
    Planned(String),
}

/// A request as data.
#[derive(Clone, Debug, PartialEq)]
pub struct VijilRequest {
    /// The verb.
    pub method: Method,
    /// Segments below the base URL, not encoded; an empty one at the end is a slash.
    pub path: Vec<Segment>,
    /// The query, not encoded.
    pub query: Vec<(&'static str, String)>,
    /// JSON to send.
    pub body: Option<Value>,
}

impl VijilDifference {
    /// The kind of object that it is about.
    #[must_use]
    pub fn object(&self) -> Object {
        if self.rule.is_some() { Object::Rule } else { Object::Policy }
    }

    /// For an update, the fields that the call sends, in the service's order.
    #[must_use]
    pub fn changed(&self) -> Vec<String> {
        let (Op::Update, Some(before), Some(after)) = (self.op, &self.before, &self.after) else { return Vec::new() };
        changed(before, after)
    }

    /// A text of the object as it will be, or as it was.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        let object = self.after.as_ref().or(self.before.as_ref());
        object.and_then(|object| object.get(key)).and_then(Value::as_str).unwrap_or_default()
    }

    /// The one request.
    #[must_use]
    pub fn request(&self) -> VijilRequest {
        let text = |part: &str| Segment::Text(part.to_owned());
        let policy = || match &self.policy {
            Subject::Existing(id) => text(id),
            Subject::Planned(name) => Segment::Policy(name.clone()),
        };
        let rule = || match &self.rule {
            Some(Subject::Existing(id)) => text(id),
            Some(Subject::Planned(rule)) => Segment::Rule(rule.clone()),
            None => text(""),
        };
        let base = match (self.object(), self.op) {
            (Object::Policy, Op::Create) => vec![text("v1"), text("policies"), text("")],
            (Object::Policy, Op::Activate) => vec![text("v1"), text("policies"), policy(), text("activate")],
            (Object::Policy, _) => vec![text("v1"), text("policies"), policy()],
            (Object::Rule, Op::Create) => vec![text("v1"), text("policies"), policy(), text("rules")],
            (Object::Rule, Op::Approve) => vec![text("v1"), text("rules"), rule(), text("approve")],
            (Object::Rule, Op::Reject) => vec![text("v1"), text("rules"), rule(), text("reject")],
            (Object::Rule, _) => vec![text("v1"), text("rules"), rule()],
        };
        let notes = self.text("review_notes").to_owned();
        let (method, query, body) = match self.op {
            Op::Create => (Method::Post, Vec::new(), Some(self.sent(|key, value| key != "status" && !value.is_null()))),
            Op::Update => {
                let changed = self.changed();
                (Method::Patch, Vec::new(), Some(self.sent(|key, _| changed.iter().any(|changed| changed == key))))
            }
            Op::Delete => (Method::Delete, Vec::new(), None),
            Op::Approve if notes.is_empty() => (Method::Post, Vec::new(), None),
            Op::Approve => (Method::Post, vec![("notes", notes)], None),
            Op::Reject => (Method::Post, vec![("reason", notes)], None),
            Op::Activate => (Method::Post, Vec::new(), None),
        };
        VijilRequest { method, path: base, query, body }
    }

    fn sent(&self, keep: impl Fn(&str, &Value) -> bool) -> Value {
        let members =
            self.after.iter().flatten().filter(|(key, value)| key.as_str() != "review_notes" && keep(key, value));
        Value::Object(members.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
    }
}

/// The fields in which two versions of an object differ, in the order of the later one; the notes of a review are none.
#[must_use]
pub fn changed(before: &Fields, after: &Fields) -> Vec<String> {
    let differs = |(key, value): &(&String, &Value)| {
        *key != "review_notes" && !same_value(before.get(*key).unwrap_or(&Value::Null), value)
    };
    after.iter().filter(differs).map(|(key, _)| key.clone()).collect()
}
