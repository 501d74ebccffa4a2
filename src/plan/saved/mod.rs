//! The plan as JSON: what `plan --format json` prints, `plan --out` saves and `apply --plan` reads.
//!
//! Invariant: a saved plan is read back equal, and a file that is not exactly one plan is refused:
//! each step's request must follow from its objects, and `coherence` must explain the steps.

mod difference;
mod read;
mod step;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

pub use self::difference::{DifferenceDocument, sides};
use self::step::StepDocument;
use super::docker::{self, fingerprint};
use super::flips::{CarriedTest, Flip};
use super::guard::Verdict;
use super::meaning::Meaning;
use super::step::Op;
use super::undeclared::WithoutEffect;
use super::vijil::{self, Bucket};
use super::warning::{Finding, Warning};
use super::{AnyStep, Before, DockerPlan, GuardsFrom, LeftAlone, LiveRecord, Plan, Touched};
use crate::diagnostic::sanitize;
use crate::evidence::replay::Replay;
use crate::json::{self, schema_generator};
use crate::model::{Guards, LivePolicy};
use crate::source::parallel;

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    docker: Option<docker::Target>,
    /// The Vijil service that the plan is for, and the state that its Vijil side was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vijil: Option<VijilDocument>,
    /// The calls, in order.
    steps: Vec<StepDocument>,
    /// The number of calls by operation.
    summary: Summary,
    /// Undeclared live policies that are left alone.
    #[serde(rename = "unmanaged")]
    left_alone: Vec<LeftAlone>,
    /// The effect of the change on access.
    access: Meaning,
    /// Changes of access that have no effect because of undeclared live policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    without_effect: Vec<WithoutEffect>,
    /// Expectations of access tests whose result changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    flips: Vec<Flip>,
    /// The access tests of the documents, which run again before the plan is applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tests: Vec<CarriedTest>,
    /// The warnings: a person should read them, but they refuse nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
    /// The findings of checks about the documents that the change introduces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    /// The effect of the change on recorded requests; left out without records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recorded: Option<Replay>,
    /// The verdicts of all guards.
    guards: Vec<Verdict>,
    /// The settings of the guards, which judge the plan again before it is applied.
    #[serde(default)]
    guard_settings: Guards,
    /// The source of the settings, if it is not the workspace of the documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guards_from: Option<GuardsFrom>,
    /// The documents that the plan starts from, if it does not start from live state. Such a plan
    /// cannot be applied, and its `live` is what these documents would leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Before>,
    /// The names of the teams whose ids the plan holds.
    teams: BTreeMap<String, String>,
    /// The live state that the plan was made from.
    live: LiveDocument,
    /// `sha256:` and the hash of everything else, which detects a plan that was edited.
    #[serde(default)]
    checksum: String,
}

/// The live state that a plan was made from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LiveRecord")]
struct LiveDocument {
    /// The fingerprint of all policies: `sha256:` and the hash.
    fingerprint: String,
    /// The policies that the plan touches, before it.
    touched: Vec<Touched>,
}

/// The Vijil side of a plan, without its steps.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct VijilDocument {
    /// The base URL of the service, or `embedded`.
    endpoint: String,
    /// Policies and rules in force that become weaker, or may become weaker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    weakened: Vec<vijil::Weakened>,
    /// The numbers of approved rules of active policies, by consequence, if they change: Vijil
    /// makes one control of its judge for each consequence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    buckets: Vec<Bucket>,
    /// The live state that the Vijil side was made from.
    live: vijil::Record,
}

/// The number of calls by operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Objects to create.
    pub create: usize,
    /// Objects to change in place.
    pub update: usize,
    /// Objects to delete.
    pub delete: usize,
    /// Drafted rules to approve.
    pub approve: usize,
    /// Drafted rules to reject.
    pub reject: usize,
    /// Policies to activate.
    pub activate: usize,
}

/// The service that a step is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Docker AI Governance.
    Docker,
    /// Vijil Agent Environment.
    Vijil,
}

/// The reason why a file is not a plan.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The text is not JSON.
    #[error("the plan cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The plan has a version that this program does not know.
    #[error("the plan has format version {0}, and this seawall knows version {FORMAT_VERSION}")]
    Version(u64),
    /// The content differs from what was saved.
    #[error("the plan was changed after it was saved")]
    Altered,
    /// The plan starts from other documents, not from live state.
    #[error(
        "the plan compares documents with those of `{0}`, not with live state: it cannot be applied"
    )]
    OfDocuments(String),
    /// A step contradicts itself.
    #[error("step {0} of the plan does not hold together: it was changed after it was saved")]
    Changed(usize),
    /// The differences of the plan do not explain a step.
    #[error(
        "step {0} of the plan is not explained by the plan: {1}; it was changed after it was saved"
    )]
    Unexplained(usize, String),
    /// A statement of the plan is false.
    #[error("the plan was changed after it was saved: {0}")]
    Wrong(String),
    /// The JSON has another structure.
    #[error("the plan cannot be read: {0}")]
    Shape(&'static str),
}

/// The JSON Schema (2020-12) of a plan.
#[must_use]
pub fn schema() -> Value {
    schema_generator().into_root_schema_for::<PlanDocument>().into()
}

impl Plan {
    /// The plan as JSON, with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        sanitize::json(&self.document())
    }

    /// The plan as a JSON value, at any depth of nesting.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self.document()).expect("a plan is JSON")
    }

    /// The plan that a JSON text holds.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not JSON, not a plan, of another version, or contradicts itself.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        Self::from_value(value(text)?)
    }

    pub(super) fn from_value(value: Value) -> Result<Self, PlanError> {
        let version = value.get("format_version").and_then(Value::as_u64);
        if let Some(version) = version.filter(|version| *version != u64::from(FORMAT_VERSION)) {
            return Err(PlanError::Version(version));
        }
        let document: PlanDocument = serde_json::from_value(value)?;
        Self::from_document(document)
    }

    pub(super) fn document(&self) -> PlanDocument {
        let Self { docker, vijil, warnings, findings, guards, guard_settings, guards_from, before } =
            self;
        let without_docker = DockerPlan::without();
        let DockerPlan {
            target,
            steps,
            left_alone: _,
            access,
            without_effect,
            flips,
            tests,
            recorded,
            teams,
            live,
        } = docker.as_ref().unwrap_or(&without_docker);
        let own = steps.iter().map(|step| StepDocument::from_docker(&target.org, step));
        let others = self.vijil_steps().iter().map(StepDocument::from_vijil);
        let mut document = PlanDocument {
            format_version: FORMAT_VERSION,
            docker: docker.as_ref().map(|docker| docker.target.clone()),
            vijil: vijil.as_ref().map(|vijil::Plan { target, meaning, live, .. }| VijilDocument {
                endpoint: target.endpoint.clone(),
                weakened: meaning.weakened.clone(),
                buckets: meaning.buckets.clone(),
                live: live.clone(),
            }),
            steps: own.chain(others).collect(),
            summary: self.summary(),
            left_alone: self.left_alone().collect(),
            access: access.clone(),
            without_effect: without_effect.clone(),
            flips: flips.clone(),
            tests: tests.clone(),
            warnings: warnings.clone(),
            findings: findings.clone(),
            recorded: recorded.clone(),
            guards: guards.clone(),
            guard_settings: guard_settings.clone(),
            guards_from: guards_from.clone(),
            before: before.clone(),
            teams: teams.iter().map(|team| (team.id, team.name)).collect(),
            live: LiveDocument::from(live),
            checksum: String::new(),
        };
        document.sign();
        document
    }

    /// The number of calls by operation.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::count(self.all_steps().map(AnyStep::op))
    }
}

/// The value of a text that is no larger and no deeper than the largest plan.
pub(super) fn value(text: &str) -> Result<Value, PlanError> {
    let (depth, values) = json::measure(text.as_bytes());
    if depth > json::MAX_FILE_DEPTH {
        return Err(PlanError::Shape("it nests deeper than a plan"));
    }
    if values > json::MAX_FILE_VALUES {
        return Err(PlanError::Shape("it holds more values than the largest plan"));
    }
    Ok(serde_json::from_str(text)?)
}

impl Summary {
    pub(crate) fn count(ops: impl Iterator<Item = Op>) -> Self {
        let mut summary = Self::default();
        for op in ops {
            *match op {
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

impl DockerPlan {
    /// The Docker part of a saved plan that is not for Docker.
    fn without() -> Self {
        let live = LiveRecord { fingerprint: fingerprint::hash_live("", &[]), touched: Vec::new() };
        Self { live, ..Self::default() }
    }
}

impl From<&LiveRecord> for LiveDocument {
    fn from(LiveRecord { fingerprint, touched }: &LiveRecord) -> Self {
        let saved = |policy: &LivePolicy| Touched {
            id: policy.id.0.clone(),
            fingerprint: fingerprint::hash_policy(policy),
            was: fingerprint::canonical(policy),
        };
        Self {
            fingerprint: fingerprint.clone(),
            touched: parallel::map(touched.iter().collect(), 4, saved),
        }
    }
}

impl PlanDocument {
    /// Computes the checksum again.
    pub fn sign(&mut self) {
        self.checksum.clear();
        self.checksum = self.sum();
    }

    fn sum(&self) -> String {
        crate::json::hash_json(&serde_json::to_value(self).expect("a plan is JSON"))
    }
}
