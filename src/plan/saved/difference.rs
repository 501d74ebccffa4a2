//! A difference of one object as JSON: what the steps of a plan and the differences of drift have
//! in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Service;
use crate::model::Fields;
use crate::plan::docker::{self, Change, PolicyChange, json};
use crate::plan::step::{Object, Op};
use crate::plan::vijil::VijilDifference;

/// An object that differs, or about which a decision is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DifferenceDocument {
    pub(super) service: Service,
    pub(super) op: Op,
    pub(super) object: Object,
    /// The policy's name.
    pub(super) policy: String,
    /// The rule's name; null for a policy.
    pub(super) rule: Option<String>,
    /// The object before, as the service shows it, without ids; null if it is created.
    pub(super) before: Option<Value>,
    /// The object after; null if it is deleted.
    pub(super) after: Option<Value>,
    /// For an update, the fields that differ, which are those that a call sends.
    pub(super) changed: Vec<String>,
}

impl From<&docker::Difference> for DifferenceDocument {
    fn from(
        docker::Difference { id: _, policy, change, source: _, because: _ }: &docker::Difference,
    ) -> Self {
        let (before, after) = sides(change);
        Self {
            service: Service::Docker,
            op: change.op(),
            object: change.object(),
            policy: policy.clone(),
            rule: change.rule_name().map(str::to_owned),
            before,
            after,
            changed: change.changed().into_iter().map(str::to_owned).collect(),
        }
    }
}

impl From<&VijilDifference> for DifferenceDocument {
    fn from(difference: &VijilDifference) -> Self {
        let object = |side: &Option<Fields>| side.clone().map(Value::Object);
        Self {
            service: Service::Vijil,
            op: difference.op,
            object: difference.object(),
            policy: difference.policy_name.clone(),
            rule: difference.rule_id.clone(),
            before: object(&difference.before),
            after: object(&difference.after),
            changed: difference.changed(),
        }
    }
}

/// The object before and after a change, as JSON.
#[must_use]
pub fn sides(change: &Change) -> (Option<Value>, Option<Value>) {
    match change {
        Change::Policy(PolicyChange::Create { after }) => (None, Some(json::policy_fields(after))),
        Change::Policy(PolicyChange::Update { before, after, .. }) => {
            (Some(json::policy_fields(before)), Some(json::policy_fields(after)))
        }
        Change::Policy(PolicyChange::Delete { before, .. }) => (Some(json::policy(before)), None),
        Change::Rule(_, change) => change.delta().map(json::rule).sides(),
    }
}
