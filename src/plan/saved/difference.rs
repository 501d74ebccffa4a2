//! A difference of one object as JSON: what the steps of a plan and the differences of drift have
//! in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Service;
use crate::plan::docker::json;
use crate::plan::step::{Difference, Object, Op};
use crate::plan::{docker, vijil};

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
    fn from(difference: &docker::Difference) -> Self {
        let Difference { id: _, policy, change, source: _, because: _ } = difference;
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

impl From<&vijil::Difference> for DifferenceDocument {
    fn from(difference: &vijil::Difference) -> Self {
        let Difference { id: _, policy, change, source: _, because: _ } = difference;
        let (before, after) = change.sides();
        Self {
            service: Service::Vijil,
            op: change.op(),
            object: change.object(),
            policy: policy.clone(),
            rule: change.rule_name().map(str::to_owned),
            before: before.cloned().map(Value::Object),
            after: after.cloned().map(Value::Object),
            changed: change.changed(),
        }
    }
}

/// The object before and after a change of the Docker side, as JSON.
#[must_use]
pub fn sides(change: &docker::Change) -> (Option<Value>, Option<Value>) {
    match change {
        docker::Change::Policy { delta, .. } => {
            delta.as_ref().sides(json::policy_fields, json::policy)
        }
        docker::Change::Rule { delta, .. } => delta.as_ref().sides(json::rule, json::rule),
    }
}
