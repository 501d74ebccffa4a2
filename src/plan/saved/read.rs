//! A saved plan, read back and verified.
//!
//! Invariant: what is returned says nothing that its steps and the live objects that they touch do
//! not explain.

use std::collections::BTreeMap;

use super::step::StepDocument;
use super::{PlanDocument, PlanError, Service, VijilDocument};
use crate::model::{LivePolicy, Team, TeamDirectory};
use crate::plan::docker::coherence;
use crate::plan::docker::relations::{self, Relations};
use crate::plan::{Before, DockerPlan, LeftAlone, LiveRecord, Plan, Touched, docker, step, vijil};

impl Plan {
    pub(super) fn from_document(document: PlanDocument) -> Result<Self, PlanError> {
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
            left_alone,
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
        let (own, others): (Vec<_>, Vec<_>) =
            steps.into_iter().partition(|step| step.difference.service == Service::Docker);
        in_order(own.iter().chain(&others))?;
        let (steps, touched) = docker_steps(docker.as_ref(), own, &live.touched, &left_alone)?;
        if recorded.as_ref().is_some_and(|recorded| docker.is_none() || !recorded.adds_up()) {
            return Err(PlanError::Wrong(
                "its figures about recorded requests do not add up".to_owned(),
            ));
        }
        let docker = docker.map(|target| DockerPlan {
            target,
            steps,
            left_alone: left(Service::Docker, &left_alone),
            access,
            without_effect,
            flips,
            tests,
            recorded,
            teams: TeamDirectory::new(teams.into_iter().map(|(id, name)| Team { id, name })),
            live: LiveRecord { fingerprint: live.fingerprint, touched },
        });
        let plan = Self {
            docker,
            vijil: vijil_plan(vijil, others, &left_alone)?,
            warnings,
            findings,
            guards,
            guard_settings,
            guards_from,
            before: None,
        };
        if plan.summary() != summary {
            return Err(PlanError::Wrong("its summary counts other steps".to_owned()));
        }
        Ok(plan)
    }
}

/// The steps for Docker, with the live policies that they touch.
fn docker_steps(
    target: Option<&docker::Target>,
    documents: Vec<StepDocument>,
    touched: &[Touched],
    left_alone: &[LeftAlone],
) -> Result<(Vec<docker::Step>, Vec<LivePolicy>), PlanError> {
    let org = target.map_or("", |target| &target.org);
    let said = documents.iter().map(StepDocument::relations).collect();
    let mut steps: Vec<docker::Step> =
        documents.into_iter().map(|step| step.docker_step(org)).collect::<Result<_, _>>()?;
    if target.is_none() && !(steps.is_empty() && touched.is_empty()) {
        return Err(PlanError::Shape("it has steps for Docker, and no organization"));
    }
    let touched = coherence::touched(touched).map_err(not_what_was_live)?;
    coherence::check(&steps, &touched).map_err(|(step, why)| PlanError::Unexplained(step, why))?;
    let found = relations::relations(&steps, &touched);
    relate(&mut steps, said, found)?;
    let is_left = |name: &str| {
        left_alone.iter().any(|one| one.service == Service::Docker && one.policy == name)
    };
    match touched.iter().find(|policy| is_left(&policy.name)) {
        Some(policy) => Err(PlanError::Wrong(format!(
            "it states that `{}` is left alone, but changes it",
            policy.name
        ))),
        None => Ok((steps, touched)),
    }
}

/// The side of the plan that is for Vijil.
fn vijil_plan(
    document: Option<VijilDocument>,
    steps: Vec<StepDocument>,
    left_alone: &[LeftAlone],
) -> Result<Option<vijil::Plan>, PlanError> {
    let (VijilDocument { endpoint, weakened, buckets, live }, steps) =
        match (document, steps.first()) {
            (None, Some(step)) => return Err(PlanError::Changed(step.id)),
            (None, None) => return Ok(None),
            (Some(document), _) => (document, steps),
        };
    let said = steps.iter().map(StepDocument::relations).collect();
    let mut plan = vijil::Plan {
        target: vijil::Target { endpoint },
        steps: steps.into_iter().map(StepDocument::vijil_step).collect::<Result<_, _>>()?,
        left_alone: left(Service::Vijil, left_alone),
        meaning: vijil::Meaning { weakened, buckets },
        live,
    };
    vijil::coherence::check(&plan).map_err(|(step, why)| match step {
        0 => PlanError::Wrong(why),
        step => PlanError::Unexplained(step, why),
    })?;
    let dependencies = vijil::dependencies::dependencies(&plan.steps).into_iter();
    let found = dependencies
        .map(|dependencies| Relations { dependencies, ..Relations::default() })
        .collect();
    relate(&mut plan.steps, said, found)?;
    Ok(Some(plan))
}

/// The policies of a service that are left alone.
fn left(service: Service, left_alone: &[LeftAlone]) -> Vec<String> {
    let own = left_alone.iter().filter(|one| one.service == service);
    own.map(|one| one.policy.clone()).collect()
}

/// Checks that ids count from 1 and phases never go back, since steps are carried out in the order
/// in which they are read.
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

/// Gives the steps of a service their relations: the stated ones with those that follow from the
/// steps.
fn relate<C>(
    steps: &mut [step::Step<C>],
    said: Vec<Relations>,
    found: Vec<Relations>,
) -> Result<(), PlanError> {
    let phases: BTreeMap<usize, usize> = steps.iter().map(|step| (step.id, step.phase)).collect();
    for ((step, said), found) in steps.iter_mut().zip(said).zip(found) {
        let is_earlier = |other: usize| phases.get(&other).is_some_and(|phase| *phase < step.phase);
        let relations = relations::joined(said, found, is_earlier);
        relations.map_err(|why| PlanError::Unexplained(step.id, why))?.give(step);
    }
    Ok(())
}

fn not_what_was_live(id: String) -> PlanError {
    PlanError::Wrong(format!("its `before` of the policy `{id}` is not what was live"))
}
