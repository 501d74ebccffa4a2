//! One step of a plan as JSON, and the step that it stands for.
//!
//! Invariant: a step is read back only if writing it again gives the same JSON, so that its request
//! follows from its objects.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::difference::DifferenceDocument;
use super::{PlanError, Service};
use crate::model::{Domain, Method, Origin, Policy, PolicyId, Rule, RuleId};
use crate::plan::dependencies::{Beyond, Dependencies};
use crate::plan::docker::json::{PolicyJson, RuleJson};
use crate::plan::docker::relations::Relations;
use crate::plan::docker::statements::{self, Statement};
use crate::plan::docker::{
    Change, Difference, PolicyChange, PolicyFields, PolicyTarget, RuleChange, RuleTarget, Step,
    request,
};
use crate::plan::request::{Request, Segment};
use crate::plan::step::{Object, Op, Reason};
use crate::plan::vijil::{Subject, VijilDifference, VijilRequest, VijilStep};

/// One call that writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct StepDocument {
    /// From 1, in order.
    pub(super) id: usize,
    /// The phase: steps of one phase may run at the same time, after those of every earlier phase.
    pub(super) phase: usize,
    #[serde(flatten)]
    pub(super) difference: DifferenceDocument,
    request: RequestDocument,
    /// The statements of a Cedar text that the step adds, removes or changes; empty if only layout,
    /// comments or order differ. Left out if the step is not about Cedar text, or about a text that
    /// cannot be parsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statements: Option<Vec<Statement>>,
    /// The place of the declaration; null if no document declares the object.
    source: Option<Origin>,
    /// The reason for the call, if the difference does not explain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    because: Option<Reason>,
    /// The ids of the steps that have to come first; left out if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    depends_on: BTreeSet<usize>,
    /// Further steps that have to come first, too many to list; left out if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    depends_beyond: Option<Beyond>,
    /// Domains of Docker in which the step may change access; left out if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(with = "Vec<String>")]
    touches: BTreeSet<Domain>,
    /// The source that a rule for agents was extracted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provenance: Option<Value>,
    /// The service's id of a live policy for agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct RequestDocument {
    method: Method,
    /// Segments of the path below the base URL, not encoded. An object names what an earlier step
    /// creates.
    path: Vec<SegmentDocument>,
    /// The query, not encoded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    query: BTreeMap<String, String>,
    /// The body that is sent; null for a deletion.
    body: Option<Value>,
}

/// A segment is a text, or an object that names what an earlier step creates. It is untagged
/// because the plan format prescribes it, and no person writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum SegmentDocument {
    Text(String),
    Policy { policy: String },
    Rule { rule: String },
}

impl StepDocument {
    pub(super) fn from_docker(org: &str, step: &Step) -> Self {
        let Step { difference, phase, dependencies, touches } = step;
        let Difference { id, policy: _, change, source, because } = difference;
        Self {
            id: *id,
            phase: *phase,
            difference: difference.into(),
            request: RequestDocument::from_docker(org, change),
            statements: statements::changes(change)
                .map(|all| all.into_iter().map(Statement::from).collect()),
            source: source.clone(),
            because: *because,
            depends_on: dependencies.steps.clone(),
            depends_beyond: dependencies.beyond,
            touches: touches.clone(),
            provenance: None,
            policy_id: None,
        }
    }

    /// The stated relations to other steps.
    pub(super) fn relations(&self) -> Relations {
        let dependencies =
            Dependencies { steps: self.depends_on.clone(), beyond: self.depends_beyond };
        Relations { dependencies, touches: self.touches.clone() }
    }

    /// Returns `true` if both are equal except for their relations to others, which are found on
    /// the whole plan.
    fn is_like(&self, mut other: Self) -> bool {
        other.depends_on.clone_from(&self.depends_on);
        other.touches.clone_from(&self.touches);
        other.depends_beyond = self.depends_beyond;
        *self == other
    }

    pub(super) fn from_vijil(step: &VijilStep) -> Self {
        Self {
            id: step.id,
            phase: step.phase,
            difference: (&step.difference).into(),
            request: RequestDocument::from_vijil(step),
            statements: None,
            source: step.source.clone(),
            because: step.because,
            depends_on: step.dependencies.steps.clone(),
            depends_beyond: step.dependencies.beyond,
            touches: BTreeSet::new(),
            provenance: step.provenance.clone(),
            policy_id: match &step.policy {
                Subject::Existing(id) => Some(id.clone()),
                Subject::Planned(_) => None,
            },
        }
    }

    pub(super) fn vijil_step(self) -> Result<VijilStep, PlanError> {
        let object = |side: Option<Value>| match side {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(PlanError::Changed(self.id)),
        };
        let policy = match &self.policy_id {
            Some(id) => Subject::Existing(id.clone()),
            None => Subject::Planned(self.difference.policy.clone()),
        };
        let rule = match (&self.difference.rule, self.request.path.get(2)) {
            (None, _) => None,
            (Some(rule), _) if self.difference.op == Op::Create => {
                Some(Subject::Planned(rule.clone()))
            }
            (Some(_), Some(SegmentDocument::Text(id))) => Some(Subject::Existing(id.clone())),
            (Some(_), Some(SegmentDocument::Rule { rule })) => Some(Subject::Planned(rule.clone())),
            (Some(_), Some(SegmentDocument::Policy { .. }) | None) => {
                return Err(PlanError::Changed(self.id));
            }
        };
        let difference = VijilDifference {
            id: self.id,
            op: self.difference.op,
            policy,
            policy_name: self.difference.policy.clone(),
            rule,
            rule_id: self.difference.rule.clone(),
            before: object(self.difference.before.clone())?,
            after: object(self.difference.after.clone())?,
            provenance: self.provenance.clone(),
            source: self.source.clone(),
            because: self.because,
        };
        let (step, id) = (VijilStep::new(difference, self.phase), self.id);
        if self.is_like(Self::from_vijil(&step)) { Ok(step) } else { Err(PlanError::Changed(id)) }
    }

    pub(super) fn step(self, org: &str) -> Result<Step, PlanError> {
        let change = self.change().ok_or(PlanError::Changed(self.id))?;
        let difference = Difference {
            id: self.id,
            policy: self.difference.policy.clone(),
            change,
            source: self.source.clone(),
            because: self.because,
        };
        let (step, id) = (Step::new(difference, self.phase), self.id);
        if self.is_like(Self::from_docker(org, &step)) {
            Ok(step)
        } else {
            Err(PlanError::Changed(id))
        }
    }

    fn change(&self) -> Option<Change> {
        match (self.difference.service, self.difference.object) {
            (Service::Docker, Object::Policy) => self.policy_change().map(Change::Policy),
            (Service::Docker, Object::Rule) => {
                Some(Change::Rule(self.policy_target()?, self.rule_change()?))
            }
            (Service::Vijil, _) => None,
        }
    }

    fn policy_change(&self) -> Option<PolicyChange> {
        let policy = |side: &Option<Value>| -> Option<Policy> {
            Some(serde_json::from_value::<PolicyJson>(side.clone()?).ok()?.into())
        };
        let fields = |side: &Option<Value>| policy(side).map(|policy| PolicyFields::new(&policy));
        let (before, after) = (&self.difference.before, &self.difference.after);
        Some(match self.difference.op {
            Op::Create => PolicyChange::Create { after: fields(after)? },
            Op::Update => PolicyChange::Update {
                policy: self.policy_target()?,
                before: fields(before)?,
                after: fields(after)?,
            },
            Op::Delete => {
                PolicyChange::Delete { policy: self.policy_target()?, before: policy(before)? }
            }
            Op::Approve | Op::Reject | Op::Activate => return None,
        })
    }

    fn rule_change(&self) -> Option<RuleChange> {
        let rule = |side: &Option<Value>| -> Option<Rule> {
            Some(serde_json::from_value::<RuleJson>(side.clone()?).ok()?.into())
        };
        let (before, after) = (&self.difference.before, &self.difference.after);
        Some(match self.difference.op {
            Op::Create => RuleChange::Create { after: rule(after)? },
            Op::Update => RuleChange::Update {
                rule: self.rule_target()?,
                before: rule(before)?,
                after: rule(after)?,
            },
            Op::Delete => RuleChange::Delete { rule: self.rule_target()?, before: rule(before)? },
            Op::Approve | Op::Reject | Op::Activate => return None,
        })
    }

    /// The policy that the request is about.
    fn policy_target(&self) -> Option<PolicyTarget> {
        Some(match self.request.path.get(4)? {
            SegmentDocument::Text(id) => PolicyTarget::Existing(PolicyId(id.clone())),
            SegmentDocument::Policy { policy } => PolicyTarget::Planned(policy.clone()),
            SegmentDocument::Rule { .. } => return None,
        })
    }

    /// The rule that the request is about.
    fn rule_target(&self) -> Option<RuleTarget> {
        Some(match self.request.path.get(6)? {
            SegmentDocument::Text(id) => RuleTarget::Existing(RuleId(id.clone())),
            SegmentDocument::Rule { rule } => RuleTarget::Planned(rule.clone()),
            SegmentDocument::Policy { .. } => return None,
        })
    }
}

impl RequestDocument {
    fn from_docker(org: &str, change: &Change) -> Self {
        let Request { method, path, body } = request(org, change);
        Self {
            method,
            path: path.into_iter().map(SegmentDocument::from).collect(),
            query: BTreeMap::new(),
            body,
        }
    }

    fn from_vijil(step: &VijilStep) -> Self {
        let VijilRequest { method, path, query, body } = step.request();
        let query = query.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Self { method, path: path.into_iter().map(SegmentDocument::from).collect(), query, body }
    }
}

impl From<Segment> for SegmentDocument {
    fn from(segment: Segment) -> Self {
        match segment {
            Segment::Text(text) => Self::Text(text),
            Segment::Policy(policy) => Self::Policy { policy },
            Segment::Rule(rule) => Self::Rule { rule },
        }
    }
}
