//! One step with the ids of its objects, and its relation to their current state.

use serde_json::Value;

use crate::execute::observation::Observed;
use crate::model::{Fields, has_value, same_value};
use crate::plan::step::{Delta, Op};
use crate::plan::vijil::{Change, Difference};

/// One step with the ids of its objects.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) step: Difference,
    /// True if an earlier step of the plan wrote to the same object.
    pub(super) edited: bool,
    pub(super) policy: Option<String>,
    pub(super) rule: Option<String>,
}

impl Attempt {
    /// Returns `true` if it reviews what an earlier step wrote, so that the service chooses the
    /// status in between.
    pub(super) fn is_review_of_an_edit(&self) -> bool {
        self.edited && matches!(self.step.change, Change::Approve { .. } | Change::Reject { .. })
    }

    /// Returns `true` if the review of an object may be this step's own; not if an edit kept an
    /// earlier review, which has other notes.
    pub(super) fn is_own_review(&self, object: Option<&Fields>) -> bool {
        let notes =
            |object: Option<&Fields>| object.and_then(|object| object.get("review_notes").cloned());
        let (_, after) = self.step.change.sides();
        let own = notes(after).filter(|notes| !notes.is_null());
        !self.is_review_of_an_edit() || own.is_none() || own == notes(object)
    }

    pub(super) fn observed(&self, object: Option<&Fields>) -> Observed {
        let change = &self.step.change;
        let Some(object) = object else {
            return if change.op() == Op::Delete { Observed::After } else { Observed::Gone };
        };
        let is =
            |side: Option<&Fields>, with_status: bool, same: fn(&str, &Value, &Value) -> bool| {
                side.is_some_and(|side| {
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
        let (before, after) = change.sides();
        let same = if self.edited { has_value } else { exact };
        let is_before = is(before, !self.is_review_of_an_edit(), same);
        let chooses_status = match change {
            Change::Policy { delta, .. } => matches!(delta, Delta::Create { .. }),
            Change::Rule { .. } => true,
            Change::Activate { .. } | Change::Approve { .. } | Change::Reject { .. } => false,
        };
        match (is(after, !chooses_status, has_value), is_before) {
            (true, _) => Observed::After,
            (false, true) => Observed::Before,
            (false, false) => Observed::Other(Value::Object(object.clone()).to_string()),
        }
    }
}
