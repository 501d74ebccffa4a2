//! One step of a plan as JSON, and the step that it stands for.
//!
//! Invariant: a step is read back only if writing it again gives the same JSON, so that its request
//! follows from its objects.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PlanError;
use super::difference::DifferenceDocument;
use crate::model::{Domain, Fields, Method, Origin, Policy, PolicyId, Rule, RuleId};
use crate::plan::dependencies::{Beyond, Dependencies};
use crate::plan::docker::PolicyFields;
use crate::plan::docker::json::{PolicyJson, RuleJson};
use crate::plan::docker::relations::Relations;
use crate::plan::docker::statements::{self, Statement};
use crate::plan::request::{Request, Segment};
use crate::plan::step::{Addressed, Delta, Difference, Object, Op, Reason, Step};
use crate::plan::{docker, vijil};

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
    fn new<C>(step: &Step<C>, difference: DifferenceDocument, request: Request) -> Self {
        let Step { difference: own, phase, dependencies, touches } = step;
        let Difference { id, policy: _, change: _, source, because } = own;
        Self {
            id: *id,
            phase: *phase,
            difference,
            request: request.into(),
            statements: None,
            source: source.clone(),
            because: *because,
            depends_on: dependencies.steps.clone(),
            depends_beyond: dependencies.beyond,
            touches: touches.clone(),
            provenance: None,
            policy_id: None,
        }
    }

    pub(super) fn from_docker(org: &str, step: &docker::Step) -> Self {
        let statements = statements::changes(&step.change);
        let request = docker::request(org, &step.change);
        Self {
            statements: statements.map(|all| all.into_iter().map(Statement::from).collect()),
            ..Self::new(step, (&step.difference).into(), request)
        }
    }

    pub(super) fn from_vijil(step: &vijil::Step) -> Self {
        let change = &step.change;
        Self {
            provenance: change.rule_target().and_then(|target| target.provenance.clone()),
            policy_id: change.policy().existing().cloned(),
            ..Self::new(step, (&step.difference).into(), vijil::request(change))
        }
    }

    /// The stated relations to other steps.
    pub(super) fn relations(&self) -> Relations {
        let dependencies =
            Dependencies { steps: self.depends_on.clone(), beyond: self.depends_beyond };
        Relations { dependencies, touches: self.touches.clone() }
    }

    /// The Docker step; relations to others are found on the whole plan.
    pub(super) fn docker_step(self, org: &str) -> Result<docker::Step, PlanError> {
        let change = self.docker_change();
        self.step(change, |step| Self::from_docker(org, step))
    }

    /// The Vijil step; relations to others are found on the whole plan.
    pub(super) fn vijil_step(self) -> Result<vijil::Step, PlanError> {
        let change = self.vijil_change();
        self.step(change, Self::from_vijil)
    }

    /// The step of a change, if `write` gives this document for it.
    fn step<C>(
        self,
        change: Option<C>,
        write: impl Fn(&Step<C>) -> Self,
    ) -> Result<Step<C>, PlanError> {
        let Self { id, phase, because, .. } = self;
        let change = change.ok_or(PlanError::Changed(id))?;
        let (policy, source) = (self.difference.policy.clone(), self.source.clone());
        let step = Step::new(Difference { id, policy, change, source, because }, phase);
        let mut written = write(&step);
        written.depends_on.clone_from(&self.depends_on);
        written.touches.clone_from(&self.touches);
        written.depends_beyond = self.depends_beyond;
        if written == self { Ok(step) } else { Err(PlanError::Changed(id)) }
    }

    /// `None` if the step contradicts itself.
    fn docker_change(&self) -> Option<docker::Change> {
        let DifferenceDocument { op, object, before, after, .. } = &self.difference;
        let sides = (before.as_ref(), after.as_ref());
        let path = |at: usize| self.request.path.get(at);
        Some(match object {
            Object::Policy => match Delta::from_sides(*op, sides, policy_fields, policy)? {
                Delta::Create { after } => docker::Change::create_policy(after),
                delta @ (Delta::Update { .. } | Delta::Delete { .. }) => {
                    docker::Change::Policy { target: target(path(4)?, PolicyId)?, delta }
                }
            },
            Object::Rule => {
                let policy = target(path(4)?, PolicyId)?;
                match Delta::from_sides(*op, sides, rule, rule)? {
                    Delta::Create { after } => docker::Change::create_rule(policy, after),
                    delta @ (Delta::Update { .. } | Delta::Delete { .. }) => {
                        docker::Change::Rule { policy, target: target(path(6)?, RuleId)?, delta }
                    }
                }
            }
        })
    }

    /// `None` if the step contradicts itself.
    fn vijil_change(&self) -> Option<vijil::Change> {
        let DifferenceDocument { op, policy, rule, before, after, .. } = &self.difference;
        let policy = match &self.policy_id {
            Some(id) => Addressed::Existing(id.clone()),
            None => Addressed::Planned(policy.clone()),
        };
        let rule = match rule {
            None => None,
            Some(rule) if *op == Op::Create => Some(Addressed::Planned(rule.clone())),
            Some(_) => Some(target(self.request.path.get(2)?, |id| id)?),
        };
        let rule = rule.map(|rule| (rule, self.provenance.clone()));
        let sides = (fields(before.as_ref())?, fields(after.as_ref())?);
        vijil::Change::from_sides(*op, policy, rule, sides)
    }
}

/// A side of a Vijil step; `None` if it is not an object.
fn fields(side: Option<&Value>) -> Option<Option<Fields>> {
    match side {
        None | Some(Value::Null) => Some(None),
        Some(side) => side.as_object().cloned().map(Some),
    }
}

fn policy(shown: &Value) -> Option<Policy> {
    Some(PolicyJson::deserialize(shown).ok()?.into())
}

fn policy_fields(shown: &Value) -> Option<PolicyFields> {
    Some(PolicyFields::new(&policy(shown)?))
}

fn rule(shown: &Value) -> Option<Rule> {
    Some(RuleJson::deserialize(shown).ok()?.into())
}

/// The object that a segment of a path addresses.
fn target<I>(segment: &SegmentDocument, id: fn(String) -> I) -> Option<Addressed<I>> {
    Some(match segment {
        SegmentDocument::Text(text) => Addressed::Existing(id(text.clone())),
        SegmentDocument::Policy { policy } => Addressed::Planned(policy.clone()),
        SegmentDocument::Rule { rule } => Addressed::Planned(rule.clone()),
    })
}

impl From<Request> for RequestDocument {
    fn from(Request { method, path, query, body }: Request) -> Self {
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
