//! Plans: diff, order, guards, requests and the saved form.
//!
//! ```text
//! Desired, Live ──diff──▶ Diff ──draft──▶ calls ──order──▶ Plan {steps} ──guard──▶ Approved
//!                                           └──▶ ChangeSet ──▶ drift, import
//! ```
//!
//! Invariant: pure and deterministic. The same documents and the same live state give the same plan, byte for byte.

pub mod applied;
mod audience;
mod changes;
pub mod dependencies;
pub mod docker;
pub mod flips;
pub mod governed;
pub mod guard;
pub mod meaning;
mod origins;
pub mod protected;
pub mod recorded;
pub mod request;
mod safe_order;
pub mod saved;
pub mod set;
pub mod stale;
pub mod step;
mod steps;
pub mod undeclared;
pub mod vijil;
pub mod warning;

pub use changes::{ChangeSet, differences};
pub use steps::AnyStep;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access;
use crate::evidence::replay::Replay;
use crate::model::{Desired, Guards, Live, LivePolicy, LiveVijil, Ownership, SettingChange, TeamDirectory, Test};
use crate::source::parallel;

use self::docker::{Difference, PolicyTarget, Step, diff, fingerprint, relations, renames, simulate, teams, temporary};
use self::safe_order::{Refusal, capacity, order, verify};

use self::guard::{Guard, Judged, Verdict};
use self::meaning::Meaning;
use self::origins::Origins;
use self::recorded::{Evidence, States};
use self::saved::Service;
use self::undeclared::WithoutEffect;
use self::vijil::{VijilDifference, VijilError, VijilPlan};
use self::warning::{Finding, Warning};

/// A plan: the calls to make, the verdicts that permit them, and their effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The target of the calls; `None` for a plan without Docker.
    pub target: Option<Target>,
    /// The calls, in order.
    pub steps: Vec<Step>,
    /// Undeclared live policies that are left alone.
    pub unmanaged: Vec<Unmanaged>,
    /// The effect of the change on access.
    pub access: Meaning,
    /// Changes of access that have no effect because of undeclared live policies.
    pub without_effect: Vec<WithoutEffect>,
    /// Expectations of access tests whose result changes.
    pub flips: Vec<flips::Flip>,
    /// The access tests of the documents, which run again before a saved plan is applied.
    pub tests: Vec<flips::CarriedTest>,
    /// The warnings: a person should read them, but they refuse nothing.
    pub warnings: Vec<Warning>,
    /// The findings of checks that the change introduces.
    pub findings: Vec<Finding>,
    /// The effect of the change on recorded requests; `None` without records.
    pub recorded: Option<Replay>,
    /// The verdicts of all guards.
    pub guards: Vec<Verdict>,
    /// The settings of the guards, so that the plan can be judged again without its workspace.
    pub guard_settings: Guards,
    /// The teams that the plan depends on, by id and name: a saved plan is stale once one of them changes.
    pub teams: TeamDirectory,
    /// The live state that the plan was made from.
    pub live: LiveRecord,
    /// The Vijil side; `None` for a plan without Vijil.
    pub vijil: Option<VijilPlan>,
    /// The source of the settings, if it is not the workspace of the documents.
    pub guards_from: Option<GuardsFrom>,
    /// The documents that the plan starts from, if it does not start from live state.
    pub before: Option<Before>,
}

/// Documents that a plan starts from, as if they were applied. Such a plan shows the effect of a change of documents.
/// It knows nothing of live state, so that it can neither be saved nor applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Before {
    /// The git ref or the folder, as given on the command line.
    pub from: String,
}

/// Settings from the version that the documents are to be merged into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuardsFrom {
    /// The git ref or the folder, as given on the command line.
    pub from: String,
    /// True if it has the workspace; otherwise the strictest guards apply.
    pub found: bool,
    /// The settings that the documents change. The changed values do not apply.
    pub changed: Vec<SettingChange>,
}

/// The organization that a plan is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The organization's name.
    pub org: String,
    /// The base URL of its service, or `embedded`.
    pub endpoint: String,
}

/// An undeclared live policy that is left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Unmanaged {
    /// Its service.
    pub service: Service,
    /// Its name.
    pub policy: String,
}

/// The live state that a plan was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveRecord {
    /// The fingerprint of all policies: `sha256:` and the hash.
    pub fingerprint: String,
    /// The policies that the plan touches, before it; lists are in the order of [`fingerprint::ordered`].
    pub touched: Vec<LivePolicy>,
}

/// A policy that a plan touches, as it is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Touched {
    /// The service's id.
    pub id: String,
    /// The fingerprint of this policy: `sha256:` and the hash.
    pub fingerprint: String,
    /// The policy in canonical form with ids, so that a later change can be shown.
    pub was: Value,
}

/// The input of a plan. A service without input is not part of it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The Docker side.
    pub docker: Option<DockerInput<'a>>,
    /// The Vijil side.
    pub vijil: Option<vijil::Input<'a>>,
    /// Other documents that the plan starts from; the live state is then what these would leave ([`applied`]).
    pub base: Option<Base<'a>>,
    /// The guards that limit the plan.
    pub guards: &'a Guards,
    /// The source of the guards, if it is not the workspace of the documents.
    pub guards_from: Option<&'a GuardsFrom>,
    /// Protected policies that the documents no longer declare.
    pub removed: &'a [&'a str],
    /// The access tests of the documents.
    pub tests: &'a [Test],
    /// Recorded requests.
    pub evidence: Option<Evidence<'a>>,
}

/// The input of the Docker side of a plan.
#[derive(Clone, Copy, Debug)]
pub struct DockerInput<'a> {
    /// The target of the calls.
    pub target: &'a Target,
    /// The desired state; team keys are ids, see [`teams::resolve`].
    pub desired: &'a Desired,
    /// The live state.
    pub live: &'a Live,
    /// The treatment of undeclared policies.
    pub ownership: &'a Ownership,
}

/// Other documents that a plan starts from.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// The git ref or the folder, as given on the command line.
    pub from: &'a str,
    /// The state that they declare.
    pub desired: &'a Desired,
}

/// The contradictions between documents and services that make a plan impossible.
#[derive(Debug)]
pub struct Impossible {
    /// Each contradiction with its place.
    pub errors: Vec<VijilError>,
    /// The plan without these parts: to show, never to carry out.
    pub plan: Plan,
}

impl<'a> Input<'a> {
    /// No service and no test.
    #[must_use]
    pub fn new(guards: &'a Guards) -> Self {
        let (removed, tests) = (&[], &[]);
        Self { docker: None, vijil: None, base: None, guards, guards_from: None, removed, tests, evidence: None }
    }
}

/// Makes a plan: the differences in a safe order, their effect, and the verdict of every guard.
///
/// # Errors
///
/// Returns every part of the documents that is impossible.
pub fn make(input: Input<'_>) -> Result<Plan, Box<Impossible>> {
    let Input { docker, vijil, base, guards, guards_from, removed, tests, evidence } = input;
    let mut plan = match docker {
        Some(docker) => {
            let mut plan = of_docker(docker, guards, base).tested(guards, docker.live, tests);
            if let Some(evidence) = evidence {
                let states = States::of_change(docker.live, &plan.steps, base.map(|base| base.desired), docker.desired);
                plan = plan.replayed(guards, states.replay(evidence));
            }
            plan
        }
        None => {
            let target = Target::default();
            let (desired, live, ownership) = (Desired::default(), Live::default(), Ownership::default());
            let nothing = DockerInput { target: &target, desired: &desired, live: &live, ownership: &ownership };
            Plan { target: None, ..of_docker(nothing, guards, base) }
        }
    };
    let errors = vijil.map(|vijil| plan.add_vijil(vijil, guards)).unwrap_or_default();
    for name in removed {
        plan.refuse(Guard::Protected, &format!("no document declares the protected policy `{name}` any more"));
    }
    plan.guards_from = guards_from.cloned();
    if errors.is_empty() { Ok(plan) } else { Err(Box::new(Impossible { errors, plan })) }
}

/// The Docker side of a plan.
fn of_docker(input: DockerInput<'_>, guards: &Guards, base: Option<Base<'_>>) -> Plan {
    // Hashing the live state takes as long as everything else if little changes, so that it runs in parallel.
    let hash = || fingerprint::hash_live(&input.live.org, &input.live.policies);
    let (plan, fingerprint) = parallel::both(|| judged(input, guards, base), hash);
    Plan { live: LiveRecord { fingerprint, ..plan.live }, ..plan }
}

/// The Docker side, without the fingerprint of all policies.
fn judged(
    DockerInput { target, desired, live, ownership }: DockerInput<'_>,
    guards: &Guards,
    base: Option<Base<'_>>,
) -> Plan {
    let diff = diff::diff(desired, live, ownership);
    let ordered = order(&diff, capacity::drafts(&diff));
    let mut steps: Vec<Step> =
        ordered.drafts.into_iter().zip(1..).map(|((phase, draft), id)| draft.step(id, phase, &diff)).collect();
    let after = simulate::simulate(live, steps.iter().map(|step| &step.change));
    let places = base.map_or_else(|| Origins::of_change(&diff, desired), |base| Origins::of_documents(base, desired));
    let touched = touched(live, &steps);
    let meaning = || meaning_of(live, &after, steps.is_empty(), &places);
    let (access, relations) = parallel::both(meaning, || relations::relations(&steps, &touched));
    steps.iter_mut().zip(relations).for_each(|(step, relations)| relations.give(step));
    let without_effect = match steps.is_empty() {
        true => Vec::new(),
        false => undeclared::without_effect((live, &after), &diff, &access, |cause| places.tell(cause)),
    };
    let refusal = ordered.refusal.map(|refusal| match refusal {
        Refusal::Opens(opened) if capacity::is_full(&diff) => {
            Refusal::Opens(format!("{opened}; the service is full, so that deletions have to come first"))
        }
        Refusal::Opens(_) | Refusal::Incomplete(_) => refusal,
    });
    let judged = Judged {
        live,
        after: &after,
        steps: &steps,
        access: &access,
        order: refusal.as_ref(),
        undeclared: &diff.unmanaged,
        recorded: None,
    };
    Plan {
        guards: guard::judge(guards, &judged),
        guard_settings: guards.clone(),
        target: Some(target.clone()),
        vijil: None,
        guards_from: None,
        before: base.map(|base| Before { from: base.from.to_owned() }),
        flips: Vec::new(),
        tests: Vec::new(),
        recorded: None,
        findings: Vec::new(),
        warnings: renames::find(&diff, ownership),
        without_effect,
        unmanaged: diff.unmanaged.into_iter().map(|policy| Unmanaged { service: Service::Docker, policy }).collect(),
        teams: teams::named(live, steps.iter().map(|step| &step.difference), &access),
        live: LiveRecord { fingerprint: String::new(), touched },
        access,
        steps,
    }
}

impl Plan {
    /// Returns `true` if nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.vijil.as_ref().is_none_or(|vijil| vijil.steps.is_empty())
    }

    /// The differences in Vijil.
    pub fn vijil_differences(&self) -> impl Iterator<Item = &VijilDifference> + Clone {
        self.vijil.iter().flat_map(|vijil| &vijil.steps).map(|step| &step.difference)
    }

    /// Returns `true` if there is nothing to report: nothing changes, not even a setting of the guards, and no guard
    /// refuses it.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.is_empty()
            && self.guards.iter().all(|verdict| verdict.ok)
            && self.guards_from.as_ref().is_none_or(|guards| guards.changed.is_empty())
    }

    /// Adds the Vijil side, which the guards judge too. Returns every part of the documents that is impossible.
    fn add_vijil(&mut self, input: vijil::Input<'_>, guards: &Guards) -> Vec<VijilError> {
        let last = self.steps.last().map_or((0, 0), |step| (step.id, step.phase));
        let vijil::diff::Made { plan: vijil, errors, warnings } = vijil::diff::made(input, last.0, last.1);
        self.warnings.extend(warnings);
        judge_vijil(&mut self.guards, guards, input.live, &vijil);
        let left = vijil.unmanaged.iter().map(|policy| Unmanaged { service: Service::Vijil, policy: policy.clone() });
        self.unmanaged.extend(left);
        self.vijil = Some(vijil);
        errors
    }

    /// The plan with its guards judged again on the current live state. A guard that refused it before still refuses
    /// it. The order of the steps is verified, since the plan may come from a file.
    #[must_use]
    pub fn judged_again(mut self, live: Option<&Live>, vijil: Option<&LiveVijil>) -> Self {
        let mut verdicts = self.verdicts(&self.guard_settings, live, vijil);
        for verdict in &mut verdicts {
            match self.guards.iter().find(|before| before.guard == verdict.guard) {
                Some(before) if verdict.ok && !before.ok => *verdict = before.clone(),
                Some(_) => {}
                None => (verdict.ok, verdict.message) = (false, "the plan does not say".to_owned()),
            }
        }
        self.guards = verdicts;
        let unsafe_order = live.and_then(|live| verify::verify(live, &self.steps)).map(|refusal| match refusal {
            Refusal::Opens(opened) => {
                format!("in the order of the steps, an intermediate state would have this open: {opened}")
            }
            Refusal::Incomplete(cut) => format!("it is not known whether the order of the steps is safe: {cut}"),
        });
        if let (Some(why), Some(true)) = (unsafe_order, self.passes(Guard::SafeOrder)) {
            self.refuse(Guard::SafeOrder, &why);
        }
        self
    }

    fn passes(&self, guard: Guard) -> Option<bool> {
        self.guards.iter().find(|verdict| verdict.guard == guard).map(|verdict| verdict.ok)
    }

    /// The plan with its guards also judged by other settings, on the current live state: it passes a guard only if it
    /// passes it under both.
    #[must_use]
    pub fn judged_also(
        mut self,
        guards: &Guards,
        from: &GuardsFrom,
        live: Option<&Live>,
        vijil: Option<&LiveVijil>,
    ) -> Self {
        for verdict in self.verdicts(guards, live, vijil).into_iter().filter(|verdict| !verdict.ok) {
            self.refuse(verdict.guard, &format!("{} (guards of `{}`)", verdict.message, from.from));
        }
        self.guards_from.get_or_insert_with(|| from.clone());
        self
    }

    /// The plan with the results of access tests, which one of the guards judges.
    fn tested(mut self, guards: &Guards, live: &Live, tests: &[Test]) -> Self {
        let tested = flips::run(live, &self.steps, tests);
        judge_tests(&mut self.guards, guards, &tested);
        self.flips = tested.flips;
        // A plan without steps changes no result.
        if !self.steps.is_empty() {
            self.tests = tests.iter().map(flips::CarriedTest::from).collect();
        }
        self
    }

    /// The plan, also judged by the current access tests of the workspace, without those that the plan carries.
    #[must_use]
    pub fn tested_also(mut self, tests: &[Test], live: Option<&Live>) -> Self {
        let Some(live) = live else { return self };
        let tests = tests.iter().map(flips::CarriedTest::from);
        let more: Vec<_> = tests.filter(|test| !self.tests.iter().any(|own| own.is_same(test))).collect();
        if let Err(why) = flips::run_carried(live, &self.steps, &more).judge() {
            self.refuse(Guard::AccessTests, &format!("{why} (in the current workspace)"));
        }
        self
    }

    /// The plan with its effect on recorded requests, which one of the guards judges.
    fn replayed(mut self, guards: &Guards, replay: Replay) -> Self {
        let (ok, message) = match guard::blocked_requests(guards, self.steps.is_empty(), Some(&replay)) {
            Ok(message) => (true, message),
            Err(message) => (false, message),
        };
        for verdict in self.guards.iter_mut().filter(|verdict| verdict.guard == Guard::BlockedRequests) {
            (verdict.ok, verdict.message) = (ok, message.clone());
        }
        self.recorded = Some(replay);
        self
    }

    /// The verdict of a guard that passes the plan because it lacks the data to judge it.
    #[must_use]
    pub fn unjudged(&self) -> Option<&Verdict> {
        let is_unjudged = !self.steps.is_empty()
            && self.guard_settings.blocked_requests.is_some()
            && !self.recorded.as_ref().is_some_and(guard::tells);
        let verdict = || self.guards.iter().find(|verdict| verdict.guard == Guard::BlockedRequests && verdict.ok);
        is_unjudged.then(verdict).flatten()
    }

    /// Names of the access tests with a result that changes to one that is not expected.
    #[must_use]
    pub fn broken_tests(&self) -> BTreeSet<&str> {
        let broken = self.flips.iter().filter(|flip| flip.after != flip.expected);
        broken.map(|flip| flip.test.as_str()).collect()
    }

    /// Makes a guard refuse the plan for a further reason.
    fn refuse(&mut self, guard: Guard, why: &str) {
        for verdict in self.guards.iter_mut().filter(|verdict| verdict.guard == guard) {
            verdict.message = if verdict.ok { why.to_owned() } else { format!("{}; {why}", verdict.message) };
            verdict.ok = false;
        }
    }

    fn verdicts(&self, guards: &Guards, live: Option<&Live>, vijil: Option<&LiveVijil>) -> Vec<Verdict> {
        let nothing = Live::default();
        let live = live.unwrap_or(&nothing);
        let after = simulate::simulate(live, self.steps.iter().map(|step| &step.change));
        let access = compare(live, &self.steps);
        let left = self.unmanaged.iter().filter(|one| one.service == Service::Docker);
        let undeclared: Vec<String> = left.map(|one| one.policy.clone()).collect();
        let (steps, undeclared) = (self.steps.as_slice(), undeclared.as_slice());
        let recorded = self.recorded.as_ref();
        let judged = Judged { live, after: &after, steps, access: &access, order: None, undeclared, recorded };
        let mut verdicts = guard::judge(guards, &judged);
        judge_tests(&mut verdicts, guards, &flips::run_carried(live, steps, &self.tests));
        if let (Some(plan), Some(live)) = (&self.vijil, vijil) {
            judge_vijil(&mut verdicts, guards, live, plan);
        }
        verdicts
    }

    /// The guards that refuse the plan, without those that are lifted.
    pub fn refusals<'a>(&'a self, lifted: &'a BTreeSet<Guard>) -> impl Iterator<Item = &'a Verdict> {
        self.guards.iter().filter(|verdict| !verdict.ok && !lifted.contains(&verdict.guard))
    }
}

/// Returns `true` if an interrupted apply left the live policy of this name behind: the next plan deletes it, whatever
/// the ownership.
#[must_use]
pub fn is_left_behind(name: &str) -> bool {
    temporary::is_temporary_deny(name)
}

/// Sets the verdict of the access tests.
fn judge_tests(verdicts: &mut [Verdict], guards: &Guards, tested: &flips::Tested) {
    let judged = tested.judge();
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.guard == Guard::AccessTests) {
        match &judged {
            Err(why) if guards.access_tests => (verdict.ok, verdict.message) = (false, why.clone()),
            Ok(message) if tested.passing > 0 => verdict.message.clone_from(message),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Adds the Vijil side to the verdicts.
fn judge_vijil(verdicts: &mut [Verdict], guards: &Guards, live: &LiveVijil, plan: &VijilPlan) {
    let VijilPlan { steps, unmanaged, .. } = plan;
    let weakened = vijil::weakening::find(live, steps);
    for verdict in verdicts {
        let found = match verdict.guard {
            Guard::MaxDeletes => vijil::guard::max_deletes(guards, live, steps, &weakened),
            Guard::Protected => vijil::guard::protected(guards, live, steps, unmanaged, &weakened),
            Guard::DenyWidening => vijil::guard::deny_widening(guards, &weakened),
            Guard::AccessTests | Guard::BlockedRequests | Guard::SafeOrder | Guard::ServiceLimits => Ok(None),
        };
        let (ok, more) = match found {
            Ok(None) => continue,
            Ok(Some(more)) => (true, more),
            Err(more) => (false, more),
        };
        verdict.message = match (verdict.ok, ok) {
            (true, false) => more,
            (true, true) | (false, false) => format!("{}; {more}", verdict.message),
            (false, true) => continue,
        };
        verdict.ok &= ok;
    }
}

/// The effect of the steps on access in this live state.
#[must_use]
pub fn compare(live: &Live, steps: &[Step]) -> Meaning {
    let after = simulate::simulate(live, steps.iter().map(|step| &step.change));
    meaning_of(live, &after, steps.is_empty(), &Origins::default())
}

/// The effect of the change from `live` to `after`.
fn meaning_of(live: &Live, after: &Live, same: bool, places: &Origins<'_>) -> Meaning {
    let [old, new] = if same { [Vec::new(), Vec::new()] } else { [live, after].map(simulate::policies) };
    let found = access::compare(&old, &new, &live.teams);
    Meaning::new(found, governed::compare(&old, &new, &live.teams), |cause| places.tell(cause))
}

/// The policies that steps touch.
fn touched(live: &Live, steps: &[Step]) -> Vec<LivePolicy> {
    let ids = existing_ids(steps.iter().map(|step| &step.difference));
    let touched = live.policies.iter().filter(|policy| ids.contains(policy.id.0.as_str())).collect();
    parallel::map(touched, 4, fingerprint::ordered)
}

/// The ids of the live policies that differ.
fn existing_ids<'a>(differences: impl Iterator<Item = &'a Difference>) -> BTreeSet<&'a str> {
    let existing = differences.filter_map(|difference| match difference.change.policy() {
        Some(PolicyTarget::Existing(id)) => Some(id.0.as_str()),
        Some(PolicyTarget::Planned(_)) | None => None,
    });
    existing.collect()
}
