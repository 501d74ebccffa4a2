//! The plan as JSON: what `plan --format json` prints, `plan --out` saves and `apply --plan` reads.
//!
//! Invariant: a plan that was saved is read back equal, and a file that says anything but one plan is refused: each
//! step's request must be the one that its objects ask for.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::model::{Origin, Policy, PolicyId, Rule, RuleId};

use super::guard::Verdict;
use super::meaning::Meaning;
use super::request::{Method, Segment, request};
use super::shown::{self, ShownPolicy, ShownRule};
use super::step::{Change, Head, Object, Op, PolicyTarget, Reason, RuleTarget, Step};
use super::{LiveRecord, Plan, Target, Unmanaged};

/// The version of the format. Keys may be added within it; none is renamed or removed.
pub const FORMAT_VERSION: u32 = 1;

/// A plan as JSON.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "seawall plan")]
pub struct PlanDocument {
    /// The version of the format: 1.
    #[schemars(range(min = 1, max = 1))]
    format_version: u32,
    /// The organization that the plan is for.
    docker: Target,
    /// The calls, in order.
    steps: Vec<StepDocument>,
    /// How many calls of each kind.
    summary: Summary,
    /// Live policies that no document declares and that are left alone.
    unmanaged: Vec<Unmanaged>,
    /// What the change means for access.
    access: Meaning,
    /// What every guard says.
    guards: Vec<Verdict>,
    /// The names of the teams whose ids the plan holds.
    teams: BTreeMap<String, String>,
    /// What the plan was made from.
    live: LiveRecord,
    /// Of all the rest, `sha256:` and the hash: tells a plan that was changed after it was saved.
    #[serde(default)]
    checksum: String,
}

/// How many calls of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Objects made.
    pub create: usize,
    /// Objects changed in place.
    pub update: usize,
    /// Objects deleted.
    pub delete: usize,
    /// Drafted rules approved.
    pub approve: usize,
    /// Drafted rules rejected.
    pub reject: usize,
    /// Policies activated.
    pub activate: usize,
}

/// The services that a step can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Docker AI Governance.
    Docker,
    /// Vijil Agent Environment.
    Vijil,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct StepDocument {
    /// From 1, in order.
    id: usize,
    /// Steps of one phase may run at the same time, after those of every earlier phase.
    phase: usize,
    service: Service,
    op: Op,
    object: Object,
    /// The policy's name.
    policy: String,
    /// The rule's name; null for a step about a policy.
    rule: Option<String>,
    /// The object as the plan found it, as the service shows it, ids aside; null when the step creates it.
    before: Option<Value>,
    /// The object as it will be; null when the step deletes it.
    after: Option<Value>,
    /// For an update: the fields that the call sends.
    changed: Vec<String>,
    request: RequestDocument,
    /// Where a document asks for it; null for what no document declares.
    source: Option<Origin>,
    /// Why the plan holds this call, where the difference alone does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    because: Option<Reason>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct RequestDocument {
    method: Method,
    /// Segments below the base URL, not encoded. An object names what an earlier step creates.
    path: Vec<SegmentDocument>,
    /// What is sent; null for a deletion.
    body: Option<Value>,
}

/// A segment is a text, or an object that names what an earlier step creates. Untagged since the form is the
/// contract's, and no person writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum SegmentDocument {
    Text(String),
    Policy { policy: String },
    Rule { rule: String },
}

/// Why a file is no plan.
#[derive(Debug, Error)]
pub enum PlanError {
    /// It is not the JSON of a plan.
    #[error("the plan cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of a version that this program does not know.
    #[error("the plan has format version {0}, and this seawall knows version {FORMAT_VERSION}")]
    Version(u64),
    /// Something in it is not what was saved.
    #[error("the plan was changed after it was saved")]
    Altered,
    /// A step contradicts itself.
    #[error("step {0} of the plan does not hold together: it was changed after it was saved")]
    Changed(usize),
}

/// The JSON Schema (2020-12) of a plan.
#[must_use]
pub fn schema() -> Value {
    schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PlanDocument>().into()
}

impl Plan {
    /// The plan as JSON, with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.document()).expect("a plan is JSON");
        text.push('\n');
        text
    }

    /// The plan that a JSON text holds.
    ///
    /// # Errors
    ///
    /// When it is not JSON, not a plan, of another version, or contradicts itself.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let value: Value = serde_json::from_str(text)?;
        let version = value.get("format_version").and_then(Value::as_u64);
        if let Some(version) = version.filter(|version| *version != u64::from(FORMAT_VERSION)) {
            return Err(PlanError::Version(version));
        }
        let document: PlanDocument = serde_json::from_value(value)?;
        Self::from_document(document)
    }

    fn document(&self) -> PlanDocument {
        let Self { target, steps, unmanaged, access, guards, teams, live } = self;
        let document = PlanDocument {
            format_version: FORMAT_VERSION,
            docker: target.clone(),
            steps: steps.iter().map(|step| StepDocument::of(&target.org, step)).collect(),
            summary: self.summary(),
            unmanaged: unmanaged.clone(),
            access: access.clone(),
            guards: guards.clone(),
            teams: teams.iter().map(|team| (team.id, team.name)).collect(),
            live: live.clone(),
            checksum: String::new(),
        };
        PlanDocument { checksum: document.sum(), ..document }
    }

    fn from_document(document: PlanDocument) -> Result<Self, PlanError> {
        let unsigned = PlanDocument { checksum: String::new(), ..document.clone() };
        if unsigned.sum() != document.checksum {
            return Err(PlanError::Altered);
        }
        let PlanDocument {
            format_version: _,
            docker,
            steps,
            summary: _,
            unmanaged,
            access,
            guards,
            teams,
            live,
            checksum: _,
        } = document;
        let steps = steps.into_iter().map(|step| step.step(&docker.org)).collect::<Result<_, _>>()?;
        let teams = teams.into_iter().map(|(id, name)| crate::model::Team { id, name });
        let teams = crate::model::TeamDirectory::new(teams);
        Ok(Self { target: docker, steps, unmanaged, access, guards, teams, live })
    }

    /// How many calls of each kind.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for step in &self.steps {
            *match step.change.op() {
                Op::Create => &mut summary.create,
                Op::Update => &mut summary.update,
                Op::Delete => &mut summary.delete,
                Op::Approve => &mut summary.approve,
                Op::Reject => &mut summary.reject,
                Op::Activate => &mut summary.activate,
            } += 1;
        }
        summary
    }
}

impl PlanDocument {
    fn sum(&self) -> String {
        super::fingerprint::of(&serde_json::to_value(self).expect("a plan is JSON"))
    }
}

impl StepDocument {
    fn of(org: &str, step: &Step) -> Self {
        let Step { id, phase, policy, change, source, because } = step;
        let (before, after) = sides(change);
        Self {
            id: *id,
            phase: *phase,
            service: Service::Docker,
            op: change.op(),
            object: change.object(),
            policy: policy.clone(),
            rule: change.rule_name().map(str::to_owned),
            before,
            after,
            changed: change.changed().into_iter().map(str::to_owned).collect(),
            request: RequestDocument::of(org, change),
            source: source.clone(),
            because: *because,
        }
    }

    fn step(self, org: &str) -> Result<Step, PlanError> {
        let change = self.change().ok_or(PlanError::Changed(self.id))?;
        let step = Step {
            id: self.id,
            phase: self.phase,
            policy: self.policy.clone(),
            change,
            source: self.source.clone(),
            because: self.because,
        };
        let again = Self::of(org, &step);
        let same = again.request == self.request && again.changed == self.changed && again.rule == self.rule;
        if same { Ok(step) } else { Err(PlanError::Changed(self.id)) }
    }

    fn change(&self) -> Option<Change> {
        let rule = |side: &Option<Value>| -> Option<Rule> {
            Some(serde_json::from_value::<ShownRule>(side.clone()?).ok()?.into())
        };
        let policy = |side: &Option<Value>| -> Option<Policy> {
            Some(serde_json::from_value::<ShownPolicy>(side.clone()?).ok()?.into())
        };
        let head = |side: &Option<Value>| policy(side).map(|policy| Head::of(&policy));
        let about = || -> Option<PolicyTarget> {
            Some(match self.request.path.get(4)? {
                SegmentDocument::Text(id) => PolicyTarget::Existing(PolicyId(id.clone())),
                SegmentDocument::Policy { policy } => PolicyTarget::Planned(policy.clone()),
                SegmentDocument::Rule { .. } => return None,
            })
        };
        let target = || -> Option<RuleTarget> {
            Some(match self.request.path.get(6)? {
                SegmentDocument::Text(id) => RuleTarget::Existing(RuleId(id.clone())),
                SegmentDocument::Rule { rule } => RuleTarget::Planned(rule.clone()),
                SegmentDocument::Policy { .. } => return None,
            })
        };
        let (before, after) = (&self.before, &self.after);
        Some(match (self.service, self.object, self.op) {
            (Service::Docker, Object::Policy, Op::Create) => Change::CreatePolicy { after: head(after)? },
            (Service::Docker, Object::Policy, Op::Update) => {
                Change::UpdatePolicy { policy: about()?, before: head(before)?, after: head(after)? }
            }
            (Service::Docker, Object::Policy, Op::Delete) => {
                Change::DeletePolicy { policy: about()?, before: policy(before)? }
            }
            (Service::Docker, Object::Rule, Op::Create) => Change::CreateRule { policy: about()?, after: rule(after)? },
            (Service::Docker, Object::Rule, Op::Update) => {
                Change::UpdateRule { policy: about()?, rule: target()?, before: rule(before)?, after: rule(after)? }
            }
            (Service::Docker, Object::Rule, Op::Delete) => {
                Change::DeleteRule { policy: about()?, rule: target()?, before: rule(before)? }
            }
            (Service::Vijil, _, _) | (_, _, Op::Approve | Op::Reject | Op::Activate) => return None,
        })
    }
}

/// The object before and after a change, as JSON.
#[must_use]
pub fn sides(change: &Change) -> (Option<Value>, Option<Value>) {
    match change {
        Change::CreatePolicy { after } => (None, Some(shown::head(after))),
        Change::UpdatePolicy { before, after, .. } => (Some(shown::head(before)), Some(shown::head(after))),
        Change::DeletePolicy { before, .. } => (Some(shown::policy(before)), None),
        Change::CreateRule { after, .. } => (None, Some(shown::rule(after))),
        Change::UpdateRule { before, after, .. } => (Some(shown::rule(before)), Some(shown::rule(after))),
        Change::DeleteRule { before, .. } => (Some(shown::rule(before)), None),
    }
}

impl RequestDocument {
    fn of(org: &str, change: &Change) -> Self {
        let super::request::Request { method, path, body } = request(org, change);
        let path = path
            .into_iter()
            .map(|segment| match segment {
                Segment::Text(text) => SegmentDocument::Text(text),
                Segment::Policy(policy) => SegmentDocument::Policy { policy },
                Segment::Rule(rule) => SegmentDocument::Rule { rule },
            })
            .collect();
        Self { method, path, body }
    }
}
