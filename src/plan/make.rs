//! Makes a plan from documents and live state.

use super::docker::{self, Step, diff, fingerprint, relations, renames, simulate, teams};
use super::flips::{self, CarriedTest, Tested};
use super::guard::{Guard, Verdict};
use super::judgement::Basis;
use super::origins::Origins;
use super::recorded::{Evidence, States};
use super::safe_order::{Refusal, capacity, order};
use super::vijil;
use super::warning::Warning;
use super::{
    Before, DockerPlan, GuardsFrom, LiveRecord, Plan, existing_ids, meaning_of, undeclared,
};
use crate::model::{Desired, Guards, Live, LivePolicy, Test};
use crate::source::parallel;

/// The input of a plan. A service without input is not part of it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The Docker side.
    pub docker: Option<docker::Input<'a>>,
    /// The Vijil side.
    pub vijil: Option<vijil::Input<'a>>,
    /// Other documents that the plan starts from; the live state is then what these would leave
    /// ([`super::applied`]).
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
    pub errors: Vec<vijil::Error>,
    /// The plan without these parts: to show, never to carry out.
    pub plan: Plan,
}

impl<'a> Input<'a> {
    /// No service and no test.
    #[must_use]
    pub fn new(guards: &'a Guards) -> Self {
        let (removed, tests) = (&[], &[]);
        Self {
            docker: None,
            vijil: None,
            base: None,
            guards,
            guards_from: None,
            removed,
            tests,
            evidence: None,
        }
    }
}

/// Makes a plan: the differences in a safe order, their effect, and the verdict of every guard.
///
/// # Errors
///
/// Returns every part of the documents that is impossible.
pub fn make(input: Input<'_>) -> Result<Plan, Box<Impossible>> {
    let Input { docker, vijil, base, guards, guards_from, removed, tests, evidence } = input;
    let mut plan = Plan {
        docker: None,
        vijil: None,
        warnings: Vec::new(),
        findings: Vec::new(),
        guards: Vec::new(),
        guard_settings: guards.clone(),
        guards_from: guards_from.cloned(),
        before: base.map(|base| Before { from: base.from.to_owned() }),
    };
    let mut made = Made::default();
    if let Some(input) = docker {
        made = with_fingerprint(input, base);
        let Made { plan: side, tested, warnings, .. } = &mut made;
        *tested = flips::run(input.live, &side.steps, tests);
        side.flips.clone_from(&tested.flips);
        // A plan without steps changes no result.
        if !side.steps.is_empty() {
            side.tests = tests.iter().map(CarriedTest::from).collect();
        }
        side.recorded = evidence.map(|evidence| {
            let documents = base.map(|base| (base.desired, base.from));
            States::of_change(input.live, &side.steps, documents, input.desired).replay(evidence)
        });
        plan.warnings.append(warnings);
        plan.docker = Some(std::mem::take(side));
    }
    let mut errors = Vec::new();
    if let Some(input) = vijil {
        let last = plan.docker_steps().last().map_or((0, 0), |step| (step.id, step.phase));
        let made = vijil::diff::made(input, last.0, last.1);
        plan.warnings.extend(made.warnings);
        plan.vijil = Some(made.plan);
        errors = made.errors;
    }
    let nothing = Live::default();
    let basis = Basis {
        live: docker.map_or(&nothing, |docker| docker.live),
        after: &made.after,
        access: plan.docker.as_ref().map_or(&made.plan.access, |docker| &docker.access),
        order: made.refusal.as_ref(),
        tested: &made.tested,
        vijil: vijil.map(|vijil| vijil.live),
    };
    plan.guards = plan.judged(guards, &basis);
    for name in removed {
        let why = format!("no document declares the protected policy `{name}`");
        let known =
            |verdict: &Verdict| verdict.guard == Guard::Protected && verdict.message.contains(&why);
        if !plan.guards.iter().any(known) {
            plan.refuse(Guard::Protected, &why);
        }
    }
    if errors.is_empty() { Ok(plan) } else { Err(Box::new(Impossible { errors, plan })) }
}

/// The Docker side of a plan, and what its verdicts need.
#[derive(Default)]
struct Made {
    plan: DockerPlan,
    warnings: Vec<Warning>,
    /// The organization after all steps.
    after: Live,
    /// The reason why the order of the steps is not safe, or not known to be safe.
    refusal: Option<Refusal>,
    tested: Tested,
}

fn with_fingerprint(input: docker::Input<'_>, base: Option<Base<'_>>) -> Made {
    // Hashing the live state takes as long as everything else if little changes, so that it runs in
    // parallel.
    let hash = || fingerprint::hash_live(&input.live.org, &input.live.policies);
    let (mut made, fingerprint) = parallel::both(|| without_fingerprint(input, base), hash);
    made.plan.live.fingerprint = fingerprint;
    made
}

fn without_fingerprint(
    docker::Input { target, desired, live, ownership }: docker::Input<'_>,
    base: Option<Base<'_>>,
) -> Made {
    let diff = diff::diff(desired, live, ownership);
    let ordered = order(&diff, capacity::drafts(&diff));
    let mut steps: Vec<Step> = ordered
        .drafts
        .into_iter()
        .zip(1..)
        .map(|((phase, draft), id)| draft.step(id, phase, &diff))
        .collect();
    let after = simulate::simulate(live, steps.iter().map(|step| &step.change));
    let places = base.map_or_else(
        || Origins::of_change(&diff, desired),
        |base| Origins::of_documents(base, desired),
    );
    let touched = touched(live, &steps);
    let meaning = || meaning_of(live, &after, steps.is_empty(), &places);
    let (access, relations) = parallel::both(meaning, || relations::relations(&steps, &touched));
    steps.iter_mut().zip(relations).for_each(|(step, relations)| relations.give(step));
    let without_effect = match steps.is_empty() {
        true => Vec::new(),
        false => {
            undeclared::without_effect((live, &after), &diff, &access, |cause| places.tell(cause))
        }
    };
    let refusal = ordered.refusal.map(|refusal| match refusal {
        Refusal::Opens(opened) if capacity::is_full(&diff) => Refusal::Opens(format!(
            "{opened}; the service is full, so that deletions have to come first"
        )),
        Refusal::Opens(_) | Refusal::Incomplete(_) => refusal,
    });
    let mut warnings = renames::find(&diff, desired, ownership);
    // Other documents name teams as people do.
    if base.is_none() {
        warnings.extend(teams::deleted(desired, &live.teams));
    }
    let plan = DockerPlan {
        target: target.clone(),
        left_alone: diff.left_alone,
        teams: teams::named(live, steps.iter().map(|step| &step.difference), &access),
        live: LiveRecord { fingerprint: String::new(), touched },
        without_effect,
        access,
        steps,
        flips: Vec::new(),
        tests: Vec::new(),
        recorded: None,
    };
    Made { plan, warnings, after, refusal, tested: Tested::default() }
}

/// The policies that steps touch.
fn touched(live: &Live, steps: &[Step]) -> Vec<LivePolicy> {
    let ids = existing_ids(steps.iter().map(|step| &step.difference));
    let touched =
        live.policies.iter().filter(|policy| ids.contains(policy.id.0.as_str())).collect();
    parallel::map(touched, 4, fingerprint::ordered)
}
