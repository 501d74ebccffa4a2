//! The changes of the Vijil side, and the decisions about its objects.

use serde_json::Value;

use crate::model::{Fields, same_value};
use crate::plan::step::{Addressed, Delta, Object, Op};

/// The change or the decision that a step makes, with the object before and after it, as the
/// service shows it without ids.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A change of a policy without its rules.
    Policy {
        /// The policy.
        target: Subject,
        /// The change.
        delta: Delta<Fields>,
    },
    /// The activation of a policy.
    Activate {
        /// The policy.
        target: Subject,
        /// The policy as the plan expects to find it.
        before: Fields,
        /// The active policy.
        after: Fields,
    },
    /// A change of a rule.
    Rule {
        /// The rule.
        target: RuleTarget,
        /// The change.
        delta: Delta<Fields>,
    },
    /// The approval of a rule.
    Approve {
        /// The rule.
        target: RuleTarget,
        /// The rule as the plan expects to find it.
        before: Fields,
        /// The approved rule.
        after: Fields,
    },
    /// The rejection of a rule.
    Reject {
        /// The rule.
        target: RuleTarget,
        /// The rule as the plan expects to find it.
        before: Fields,
        /// The rejected rule.
        after: Fields,
    },
}

/// The policy or the rule that a call addresses; a planned rule by its `rule_id`.
pub type Subject = Addressed<String>;

/// The rule that a call addresses.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTarget {
    /// Its policy.
    pub policy: Subject,
    /// The rule.
    pub rule: Subject,
    /// The source that it was extracted from, for reviewers.
    pub provenance: Option<Value>,
}

impl Change {
    /// The change that an operation makes of a policy, or of a rule with this provenance. `None`
    /// if the object does not have the operation, or the sides contradict it.
    #[must_use]
    pub fn from_sides(
        op: Op,
        policy: Subject,
        rule: Option<(Subject, Option<Value>)>,
        sides: (Option<Fields>, Option<Fields>),
    ) -> Option<Self> {
        let rule =
            rule.map(|(rule, provenance)| RuleTarget { policy: policy.clone(), rule, provenance });
        Some(match (op, rule, sides) {
            (Op::Activate, None, (Some(before), Some(after))) => {
                Self::Activate { target: policy, before, after }
            }
            (Op::Approve, Some(target), (Some(before), Some(after))) => {
                Self::Approve { target, before, after }
            }
            (Op::Reject, Some(target), (Some(before), Some(after))) => {
                Self::Reject { target, before, after }
            }
            (op, None, sides) => {
                Self::Policy { target: policy, delta: Delta::from_sides(op, sides, Some, Some)? }
            }
            (op, Some(target), sides) => {
                Self::Rule { target, delta: Delta::from_sides(op, sides, Some, Some)? }
            }
        })
    }

    /// The operation.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Policy { delta, .. } | Self::Rule { delta, .. } => delta.op(),
            Self::Activate { .. } => Op::Activate,
            Self::Approve { .. } => Op::Approve,
            Self::Reject { .. } => Op::Reject,
        }
    }

    /// The operation, with the kind of object that it is about.
    #[must_use]
    pub fn operation(&self) -> (Op, Object) {
        (self.op(), self.object())
    }

    /// The kind of object that it is about.
    #[must_use]
    pub fn object(&self) -> Object {
        match self.rule_target() {
            None => Object::Policy,
            Some(_) => Object::Rule,
        }
    }

    /// The policy that it is about, or whose rule it is about.
    #[must_use]
    pub fn policy(&self) -> &Subject {
        match self {
            Self::Policy { target, .. } | Self::Activate { target, .. } => target,
            Self::Rule { target, .. }
            | Self::Approve { target, .. }
            | Self::Reject { target, .. } => &target.policy,
        }
    }

    /// The rule that it is about; `None` if it is about a policy itself.
    #[must_use]
    pub fn rule(&self) -> Option<&Subject> {
        self.rule_target().map(|target| &target.rule)
    }

    /// The rule that it is about, in its policy.
    #[must_use]
    pub fn rule_target(&self) -> Option<&RuleTarget> {
        match self {
            Self::Policy { .. } | Self::Activate { .. } => None,
            Self::Rule { target, .. }
            | Self::Approve { target, .. }
            | Self::Reject { target, .. } => Some(target),
        }
    }

    /// The `rule_id` of the rule after the change, or before its deletion.
    #[must_use]
    pub fn rule_name(&self) -> Option<&str> {
        self.rule().map(|_| self.text("rule_id"))
    }

    /// The object before and after.
    #[must_use]
    pub fn sides(&self) -> (Option<&Fields>, Option<&Fields>) {
        match self {
            Self::Policy { delta, .. } | Self::Rule { delta, .. } => {
                delta.as_ref().sides(|object| object, |object| object)
            }
            Self::Activate { before, after, .. }
            | Self::Approve { before, after, .. }
            | Self::Reject { before, after, .. } => (Some(before), Some(after)),
        }
    }

    /// The object after the change, or before its deletion.
    #[must_use]
    pub fn shown(&self) -> &Fields {
        match self {
            Self::Policy { delta, .. } | Self::Rule { delta, .. } => match delta {
                Delta::Create { after } | Delta::Update { after, .. } => after,
                Delta::Delete { before } => before,
            },
            Self::Activate { after, .. }
            | Self::Approve { after, .. }
            | Self::Reject { after, .. } => after,
        }
    }

    /// A text of the object after the change, or before its deletion.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.shown().get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns `true` if an active policy is no longer active after the change.
    #[must_use]
    pub fn deactivates(&self) -> bool {
        let is_active = |policy: &Fields| policy.get("status").is_some_and(|is| is == "active");
        let Self::Policy { delta: Delta::Update { before, after }, .. } = self else {
            return false;
        };
        is_active(before) && !is_active(after)
    }

    /// For an update, the fields that the call sends, in the service's order.
    #[must_use]
    pub fn changed(&self) -> Vec<String> {
        let (Op::Update, (Some(before), Some(after))) = (self.op(), self.sides()) else {
            return Vec::new();
        };
        changed(before, after)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_takes_the_object_and_the_sides_that_it_needs() {
        use Op::{Activate, Approve, Create, Delete, Reject, Update};
        let side = |key: &str| Fields::from_iter([("rule_id".to_owned(), key.into())]);
        let both = [false, true];
        for op in [Create, Update, Delete, Approve, Reject, Activate] {
            for (rule, before, after) in both
                .into_iter()
                .flat_map(|rule| both.map(|before| (rule, before)))
                .flat_map(|(rule, before)| both.map(|after| (rule, before, after)))
            {
                let expected = match (op, rule) {
                    (Create, _) => !before && after,
                    (Delete, _) => before && !after,
                    (Update, _) | (Approve | Reject, true) | (Activate, false) => before && after,
                    (Approve | Reject, false) | (Activate, true) => false,
                };
                let policy = Subject::Existing("p".to_owned());
                let target = rule.then(|| (Subject::Existing("r".to_owned()), None));
                let sides = (before.then(|| side("old")), after.then(|| side("new")));
                let change = Change::from_sides(op, policy, target, sides.clone());
                assert_eq!(change.is_some(), expected, "{op:?} {rule} {before} {after}");
                let Some(change) = change else { continue };
                assert_eq!((change.op(), change.rule().is_some()), (op, rule));
                assert_eq!(change.sides(), (sides.0.as_ref(), sides.1.as_ref()));
            }
        }
    }
}
