//! One call of the Vijil side, and its request.

use serde_json::{Map, Value};

use crate::model::{Fields, Method, Origin, same_value};
use crate::plan::request::Segment;
use crate::plan::step::{Addressed, Object, Op, Reason, Step};

/// One call that writes.
pub type VijilStep = Step<VijilDifference>;

/// A difference of one object between two states, or a decision about it.
#[derive(Clone, Debug, PartialEq)]
pub struct VijilDifference {
    /// Number in the list, from 1.
    pub id: usize,
    /// The operation of the call.
    pub op: Op,
    /// The policy.
    pub policy: Subject,
    /// The policy's name: the declared one, or the live one if no document declares the policy.
    pub policy_name: String,
    /// The rule, if the step is about one.
    pub rule: Option<Subject>,
    /// Its `rule_id`.
    pub rule_id: Option<String>,
    /// The object as the plan expects to find it, without ids; `None` if the step creates it.
    pub before: Option<Fields>,
    /// The object after the step; `None` if the step deletes it.
    pub after: Option<Fields>,
    /// The source that a rule was extracted from, for reviewers.
    pub provenance: Option<Value>,
    /// The place of the declaration.
    pub source: Option<Origin>,
    /// The reason for the call, if the difference does not explain it.
    pub because: Option<Reason>,
}

/// The policy or the rule that a call addresses; a planned rule by its `rule_id`.
pub type Subject = Addressed<String>;

/// A request as data.
#[derive(Clone, Debug, PartialEq)]
pub struct VijilRequest {
    /// The HTTP method.
    pub method: Method,
    /// Segments of the path below the base URL, not encoded; an empty last one ends the path with a
    /// slash.
    pub path: Vec<Segment>,
    /// The query, not encoded.
    pub query: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Option<Value>,
}

impl VijilDifference {
    /// The operation, with the kind of object that it is about.
    #[must_use]
    pub fn operation(&self) -> (Op, Object) {
        (self.op, self.object())
    }

    /// The kind of object that it is about.
    #[must_use]
    pub fn object(&self) -> Object {
        if self.rule.is_some() { Object::Rule } else { Object::Policy }
    }

    /// For an update, the fields that the call sends, in the service's order.
    #[must_use]
    pub fn changed(&self) -> Vec<String> {
        let (Op::Update, Some(before), Some(after)) = (self.op, &self.before, &self.after) else {
            return Vec::new();
        };
        changed(before, after)
    }

    /// A text of the object after the step, or before its deletion.
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
            (Object::Policy, Op::Activate) => {
                vec![text("v1"), text("policies"), policy(), text("activate")]
            }
            (Object::Policy, _) => vec![text("v1"), text("policies"), policy()],
            (Object::Rule, Op::Create) => {
                vec![text("v1"), text("policies"), policy(), text("rules")]
            }
            (Object::Rule, Op::Approve) => vec![text("v1"), text("rules"), rule(), text("approve")],
            (Object::Rule, Op::Reject) => vec![text("v1"), text("rules"), rule(), text("reject")],
            (Object::Rule, _) => vec![text("v1"), text("rules"), rule()],
        };
        let notes = self.text("review_notes").to_owned();
        let (method, query, body) = match self.op {
            Op::Create => (
                Method::Post,
                Vec::new(),
                Some(self.sent(|key, value| key != "status" && !value.is_null())),
            ),
            Op::Update => {
                let changed = self.changed();
                (
                    Method::Patch,
                    Vec::new(),
                    Some(self.sent(|key, _| changed.iter().any(|changed| changed == key))),
                )
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
        let members = self
            .after
            .iter()
            .flatten()
            .filter(|(key, value)| key.as_str() != "review_notes" && keep(key, value));
        Value::Object(
            members.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>(),
        )
    }
}

/// The fields in which two versions of an object differ, in the order of the later one, without the
/// notes of a review.
#[must_use]
pub fn changed(before: &Fields, after: &Fields) -> Vec<String> {
    let differs = |(key, value): &(&String, &Value)| {
        *key != "review_notes" && !same_value(before.get(*key).unwrap_or(&Value::Null), value)
    };
    after.iter().filter(differs).map(|(key, _)| key.clone()).collect()
}
