//! One step with the ids of its objects, and its relation to their current state.

use serde_json::Value;

use crate::execute::observation::Observed;
use crate::model::{Fields, has_value, same_value};
use crate::plan::step::{Object, Op};
use crate::plan::vijil::step::VijilDifference;

/// One step with the ids of its objects.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) step: VijilDifference,
    /// True if an earlier step of the plan wrote to the same object.
    pub(super) edited: bool,
    pub(super) policy: Option<String>,
    pub(super) rule: Option<String>,
}

impl Attempt {
    /// Returns `true` if it reviews what an earlier step wrote, so that the service chooses the
    /// status in between.
    pub(super) fn is_review_of_an_edit(&self) -> bool {
        self.edited && matches!(self.step.op, Op::Approve | Op::Reject)
    }

    /// Returns `true` if the review of an object may be this step's own; not if an edit kept an
    /// earlier review, which has other notes.
    pub(super) fn is_own_review(&self, object: Option<&Fields>) -> bool {
        let notes =
            |object: Option<&Fields>| object.and_then(|object| object.get("review_notes").cloned());
        let own = notes(self.step.after.as_ref()).filter(|notes| !notes.is_null());
        !self.is_review_of_an_edit() || own.is_none() || own == notes(object)
    }

    pub(super) fn observed(&self, object: Option<&Fields>) -> Observed {
        let Some(object) = object else {
            return if self.step.op == Op::Delete { Observed::After } else { Observed::Gone };
        };
        let is =
            |side: &Option<Fields>, with_status: bool, same: fn(&str, &Value, &Value) -> bool| {
                side.as_ref().is_some_and(|side| {
                    side.iter().all(|(key, value)| {
                        let counts = key != "review_notes" && (key != "status" || with_status);
                        !counts || same(key, object.get(key).unwrap_or(&Value::Null), value)
                    })
                })
            };
        // The service chooses the status of a rule after an edit, and that of a new object. Before
        // a review, additions of the service to what this run wrote are not a difference; before
        // any other step, every difference counts.
        let exact = |_: &str, live: &Value, planned: &Value| same_value(live, planned);
        let before = is(
            &self.step.before,
            !self.is_review_of_an_edit(),
            if self.edited { has_value } else { exact },
        );
        let rule = self.step.object() == Object::Rule;
        let after = is(
            &self.step.after,
            !(rule && self.step.op == Op::Update) && self.step.op != Op::Create,
            has_value,
        );
        match (after, before) {
            (true, _) => Observed::After,
            (false, true) => Observed::Before,
            (false, false) => Observed::Other(Value::Object(object.clone()).to_string()),
        }
    }
}
