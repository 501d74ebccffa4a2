//! The plan as JSON: what `plan --format json` prints, `plan --out` saves and `apply --plan` reads.
//!
//! Invariant: a saved plan is read back equal, and a file that is not exactly one plan is refused: each step's request
//! must follow from its objects, and `coherence` must explain the steps.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::evidence::replay::Replay;
use crate::model::{Domain, Fields, Guards, LivePolicy, Origin, Policy, PolicyId, Rule, RuleId};
use crate::source::parallel;

use super::dependencies::{Beyond, Dependencies};
use super::docker::json::{self, PolicyJson, RuleJson};
use super::docker::relations::{self, Relations};
use super::docker::statements::{self, Statement};
use super::docker::{
    Change, Difference, PolicyChange, PolicyFields, PolicyTarget, RuleChange, RuleTarget, Step, coherence, request,
};
use super::flips::{CarriedTest, Flip};
use super::guard::Verdict;
use super::meaning::Meaning;
use super::request::Segment;
use super::step::{self, Object, Op, Reason};
use super::undeclared::WithoutEffect;
use super::vijil::{
    Bucket, Subject, VijilDifference, VijilMeaning, VijilPlan, VijilRecord, VijilRequest, VijilStep, VijilTarget,
    VijilWeakening,
};
use super::warning::{Finding, Warning};
use super::{Before, GuardsFrom, LiveRecord, Plan, Target, Touched, Unmanaged};
use crate::model::Method;

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
    docker: Option<Target>,
    /// The Vijil service that the plan is for, and the state that its Vijil side was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vijil: Option<VijilDocument>,
    /// The calls, in order.
    steps: Vec<StepDocument>,
    /// The number of calls by operation.
    summary: Summary,
    /// Undeclared live policies that are left alone.
    unmanaged: Vec<Unmanaged>,
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
    /// The documents that the plan starts from, if it does not start from live state. Such a plan cannot be applied,
    /// and its `live` is what these documents would leave.
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
    weakened: Vec<VijilWeakening>,
    /// The numbers of approved rules of active policies, by consequence, if they change: Vijil makes one control of its
    /// judge for each consequence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    buckets: Vec<Bucket>,
    /// The live state that the Vijil side was made from.
    live: VijilRecord,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Docker AI Governance.
    Docker,
    /// Vijil Agent Environment.
    Vijil,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct StepDocument {
    /// From 1, in order.
    id: usize,
    /// The phase: steps of one phase may run at the same time, after those of every earlier phase.
    phase: usize,
    service: Service,
    op: Op,
    object: Object,
    /// The policy's name.
    policy: String,
    /// The rule's name; null for a step about a policy.
    rule: Option<String>,
    /// The object before the step, as the service shows it, without ids; null if the step creates it.
    before: Option<Value>,
    /// The object after the step; null if the step deletes it.
    after: Option<Value>,
    /// For an update, the fields that the call sends.
    changed: Vec<String>,
    request: RequestDocument,
    /// The statements of a Cedar text that the step adds, removes or changes; empty if only layout, comments or order
    /// differ. Left out if the step is not about Cedar text, or about a text that cannot be parsed.
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
    /// Segments of the path below the base URL, not encoded. An object names what an earlier step creates.
    path: Vec<SegmentDocument>,
    /// The query, not encoded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    query: BTreeMap<String, String>,
    /// The body that is sent; null for a deletion.
    body: Option<Value>,
}

/// A segment is a text, or an object that names what an earlier step creates. It is untagged because the plan format
/// prescribes it, and no person writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum SegmentDocument {
    Text(String),
    Policy { policy: String },
    Rule { rule: String },
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
    #[error("the plan compares documents with those of `{0}`, not with live state: it cannot be applied")]
    OfDocuments(String),
    /// A step contradicts itself.
    #[error("step {0} of the plan does not hold together: it was changed after it was saved")]
    Changed(usize),
    /// The differences of the plan do not explain a step.
    #[error("step {0} of the plan is not explained by the plan: {1}; it was changed after it was saved")]
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
        Self::from_value(serde_json::from_str(text)?)
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
        let Self {
            target,
            steps,
            unmanaged,
            access,
            without_effect,
            flips,
            tests,
            warnings,
            findings,
            recorded,
            guards,
            guard_settings,
            guards_from,
            before,
            teams,
            live,
            vijil,
        } = self;
        let org = target.as_ref().map_or("", |target| &target.org);
        let own = steps.iter().map(|step| StepDocument::from_docker(org, step));
        let others = vijil.iter().flat_map(|vijil| &vijil.steps).map(StepDocument::from_vijil);
        let mut document = PlanDocument {
            format_version: FORMAT_VERSION,
            docker: target.clone(),
            vijil: vijil.as_ref().map(|VijilPlan { target, meaning, live, .. }| VijilDocument {
                endpoint: target.endpoint.clone(),
                weakened: meaning.weakened.clone(),
                buckets: meaning.buckets.clone(),
                live: live.clone(),
            }),
            steps: own.chain(others).collect(),
            summary: self.summary(),
            unmanaged: unmanaged.clone(),
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

    fn from_document(document: PlanDocument) -> Result<Self, PlanError> {
        let unsigned = PlanDocument { checksum: String::new(), ..document.clone() };
        if unsigned.sum() != document.checksum {
            return Err(PlanError::Altered);
        }
        let PlanDocument {
            format_version: _,
            docker,
            vijil,
            steps,
            summary,
            unmanaged,
            access,
            without_effect,
            flips,
            tests,
            warnings,
            findings,
            recorded,
            guards,
            guard_settings,
            guards_from,
            before,
            teams,
            live,
            checksum: _,
        } = document;
        if let Some(Before { from }) = before {
            return Err(PlanError::OfDocuments(from));
        }
        if docker.is_none() && vijil.is_none() {
            return Err(PlanError::Shape("it is for no service"));
        }
        let org = docker.as_ref().map_or("", |target| &target.org).to_owned();
        let (own, others): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| step.service == Service::Docker);
        in_order(own.iter().chain(&others))?;
        let said: Vec<Option<Relations>> = own.iter().map(StepDocument::relations).collect();
        let mut steps: Vec<Step> = own.into_iter().map(|step| step.step(&org)).collect::<Result<_, _>>()?;
        if docker.is_none() && !(steps.is_empty() && live.touched.is_empty()) {
            return Err(PlanError::Shape("it has steps for Docker, and no organization"));
        }
        let touched = coherence::touched(&live.touched).map_err(not_what_was_live)?;
        coherence::check(&steps, &touched).map_err(|(step, why)| PlanError::Unexplained(step, why))?;
        let found = relations::relations(&steps, &touched);
        relate(&mut steps, said, found, |step| step.id)?;
        let is_left =
            |service: Service, name: &str| unmanaged.iter().any(|one| one.service == service && one.policy == name);
        if let Some(policy) = touched.iter().find(|policy| is_left(Service::Docker, &policy.name)) {
            return Err(PlanError::Wrong(format!("it states that `{}` is left alone, but changes it", policy.name)));
        }
        let said: Vec<Option<Relations>> = others.iter().map(StepDocument::relations).collect();
        let mut vijil = match (vijil, others.first()) {
            (None, Some(step)) => return Err(PlanError::Changed(step.id)),
            (None, None) => None,
            (Some(VijilDocument { endpoint, weakened, buckets, live }), _) => Some(VijilPlan {
                target: VijilTarget { endpoint },
                steps: others.into_iter().map(StepDocument::vijil_step).collect::<Result<_, _>>()?,
                unmanaged: unmanaged
                    .iter()
                    .filter(|one| one.service == Service::Vijil)
                    .map(|one| one.policy.clone())
                    .collect(),
                meaning: VijilMeaning { weakened, buckets },
                live,
            }),
        };
        if let Some(vijil) = &mut vijil {
            super::vijil::coherence::check(vijil).map_err(|(step, why)| match step {
                0 => PlanError::Wrong(why),
                step => PlanError::Unexplained(step, why),
            })?;
            let dependencies = super::vijil::dependencies::dependencies(&vijil.steps).into_iter();
            let found = dependencies.map(|dependencies| Relations { dependencies, ..Relations::default() }).collect();
            relate(&mut vijil.steps, said, found, |step| step.id)?;
        }
        let teams = teams.into_iter().map(|(id, name)| crate::model::Team { id, name });
        let teams = crate::model::TeamDirectory::new(teams);
        let plan = Self {
            target: docker,
            steps,
            unmanaged,
            access,
            without_effect,
            flips,
            tests,
            warnings,
            findings,
            recorded,
            guards,
            guard_settings,
            guards_from,
            before: None,
            teams,
            live: LiveRecord { fingerprint: live.fingerprint, touched },
            vijil,
        };
        if plan.recorded.as_ref().is_some_and(|recorded| plan.target.is_none() || !recorded.adds_up()) {
            return Err(PlanError::Wrong("its figures about recorded requests do not add up".to_owned()));
        }
        if plan.summary() != summary {
            return Err(PlanError::Wrong("its summary counts other steps".to_owned()));
        }
        Ok(plan)
    }

    /// The number of calls by operation.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let own = self.steps.iter().map(|step| step.change.op());
        let others = self.vijil.iter().flat_map(|vijil| &vijil.steps).map(|step| step.op);
        Summary::count(own.chain(others))
    }
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

/// Checks that ids count from 1 and phases never go back, since steps are carried out in the order in which they are
/// read.
fn in_order<'a>(steps: impl Iterator<Item = &'a StepDocument>) -> Result<(), PlanError> {
    let mut last = (0, 0);
    for StepDocument { id, phase, .. } in steps {
        if *id != last.0 + 1 || *phase < last.1 {
            return Err(PlanError::Changed(*id));
        }
        last = (*id, *phase);
    }
    Ok(())
}

/// Gives the steps of a service their relations: the stated ones, if these are complete.
fn relate<D>(
    steps: &mut [step::Step<D>],
    said: Vec<Option<Relations>>,
    found: Vec<Relations>,
    id: impl Fn(&step::Step<D>) -> usize,
) -> Result<(), PlanError> {
    let phases: BTreeMap<usize, usize> = steps.iter().map(|step| (id(step), step.phase)).collect();
    for ((step, said), found) in steps.iter_mut().zip(said).zip(found) {
        let is_earlier = |other: usize| phases.get(&other).is_some_and(|phase| *phase < step.phase);
        let relations =
            relations::verified(said, found, is_earlier).map_err(|why| PlanError::Unexplained(id(step), why))?;
        relations.give(step);
    }
    Ok(())
}

fn not_what_was_live(id: String) -> PlanError {
    PlanError::Wrong(format!("its `before` of the policy `{id}` is not what was live"))
}

impl From<&LiveRecord> for LiveDocument {
    fn from(LiveRecord { fingerprint, touched }: &LiveRecord) -> Self {
        let saved = |policy: &LivePolicy| Touched {
            id: policy.id.0.clone(),
            fingerprint: super::docker::fingerprint::hash_policy(policy),
            was: super::docker::fingerprint::canonical(policy),
        };
        Self { fingerprint: fingerprint.clone(), touched: parallel::map(touched.iter().collect(), 4, saved) }
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

impl StepDocument {
    fn from_docker(org: &str, step: &Step) -> Self {
        let Step { difference: Difference { id, policy, change, source, because }, phase, dependencies, touches } =
            step;
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
            request: RequestDocument::from_docker(org, change),
            statements: statements::changes(change).map(|all| all.into_iter().map(Statement::from).collect()),
            source: source.clone(),
            because: *because,
            depends_on: dependencies.steps.clone(),
            depends_beyond: dependencies.beyond,
            touches: touches.clone(),
            provenance: None,
            policy_id: None,
        }
    }

    /// The stated relations to other steps; `None` if the plan does not state them.
    fn relations(&self) -> Option<Relations> {
        let dependencies = Dependencies { steps: self.depends_on.clone(), beyond: self.depends_beyond };
        let relations = Relations { dependencies, touches: self.touches.clone() };
        (relations != Relations::default()).then_some(relations)
    }

    /// Returns `true` if both are equal except for their relations to others, which are verified on the whole plan.
    fn is_like(&self, mut other: Self) -> bool {
        other.depends_on.clone_from(&self.depends_on);
        other.touches.clone_from(&self.touches);
        other.depends_beyond = self.depends_beyond;
        *self == other
    }

    fn from_vijil(step: &VijilStep) -> Self {
        let object = |side: &Option<Fields>| side.clone().map(Value::Object);
        Self {
            id: step.id,
            phase: step.phase,
            service: Service::Vijil,
            op: step.op,
            object: step.object(),
            policy: step.policy_name.clone(),
            rule: step.rule_id.clone(),
            before: object(&step.before),
            after: object(&step.after),
            changed: step.changed(),
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

    fn vijil_step(self) -> Result<VijilStep, PlanError> {
        let object = |side: Option<Value>| match side {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(PlanError::Changed(self.id)),
        };
        let policy = match &self.policy_id {
            Some(id) => Subject::Existing(id.clone()),
            None => Subject::Planned(self.policy.clone()),
        };
        let rule = match (&self.rule, self.request.path.get(2)) {
            (None, _) => None,
            (Some(rule), _) if self.op == Op::Create => Some(Subject::Planned(rule.clone())),
            (Some(_), Some(SegmentDocument::Text(id))) => Some(Subject::Existing(id.clone())),
            (Some(_), Some(SegmentDocument::Rule { rule })) => Some(Subject::Planned(rule.clone())),
            (Some(_), Some(SegmentDocument::Policy { .. }) | None) => return Err(PlanError::Changed(self.id)),
        };
        let difference = VijilDifference {
            id: self.id,
            op: self.op,
            policy,
            policy_name: self.policy.clone(),
            rule,
            rule_id: self.rule.clone(),
            before: object(self.before.clone())?,
            after: object(self.after.clone())?,
            provenance: self.provenance.clone(),
            source: self.source.clone(),
            because: self.because,
        };
        let (step, id) = (VijilStep::new(difference, self.phase), self.id);
        if self.is_like(Self::from_vijil(&step)) { Ok(step) } else { Err(PlanError::Changed(id)) }
    }

    fn step(self, org: &str) -> Result<Step, PlanError> {
        let change = self.change().ok_or(PlanError::Changed(self.id))?;
        let difference = Difference {
            id: self.id,
            policy: self.policy.clone(),
            change,
            source: self.source.clone(),
            because: self.because,
        };
        let (step, id) = (Step::new(difference, self.phase), self.id);
        if self.is_like(Self::from_docker(org, &step)) { Ok(step) } else { Err(PlanError::Changed(id)) }
    }

    fn change(&self) -> Option<Change> {
        let rule = |side: &Option<Value>| -> Option<Rule> {
            Some(serde_json::from_value::<RuleJson>(side.clone()?).ok()?.into())
        };
        let policy = |side: &Option<Value>| -> Option<Policy> {
            Some(serde_json::from_value::<PolicyJson>(side.clone()?).ok()?.into())
        };
        let head = |side: &Option<Value>| policy(side).map(|policy| PolicyFields::new(&policy));
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
            (Service::Docker, Object::Policy, Op::Create) => {
                Change::Policy(PolicyChange::Create { after: head(after)? })
            }
            (Service::Docker, Object::Policy, Op::Update) => {
                Change::Policy(PolicyChange::Update { policy: about()?, before: head(before)?, after: head(after)? })
            }
            (Service::Docker, Object::Policy, Op::Delete) => {
                Change::Policy(PolicyChange::Delete { policy: about()?, before: policy(before)? })
            }
            (Service::Docker, Object::Rule, Op::Create) => {
                Change::Rule(about()?, RuleChange::Create { after: rule(after)? })
            }
            (Service::Docker, Object::Rule, Op::Update) => Change::Rule(
                about()?,
                RuleChange::Update { rule: target()?, before: rule(before)?, after: rule(after)? },
            ),
            (Service::Docker, Object::Rule, Op::Delete) => {
                Change::Rule(about()?, RuleChange::Delete { rule: target()?, before: rule(before)? })
            }
            (Service::Vijil, _, _) | (_, _, Op::Approve | Op::Reject | Op::Activate) => return None,
        })
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

impl RequestDocument {
    fn from_docker(org: &str, change: &Change) -> Self {
        let super::request::Request { method, path, body } = request(org, change);
        Self { method, path: path.into_iter().map(SegmentDocument::from).collect(), query: BTreeMap::new(), body }
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
