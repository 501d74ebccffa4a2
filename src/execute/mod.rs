//! Carries out an approved plan in both services: the only user of a writer.
//!
//! Invariant: exactly the requests of the plan are sent, phase by phase, each at most once unless
//! it certainly had no effect. Before an update or a deletion, the object, as read at most a second
//! before, is verified to be what the plan saw. An inconclusive answer is looked up. A step that
//! failed, or that somebody else carried out, skips the steps that depend on it, and no others.

mod call;
mod created;
mod docker;
mod event;
mod observation;
mod outcome;
mod run;
mod vijil;

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use crate::plan::guard::{Guard, Verdict};
use crate::plan::{AnyStep, Plan};
use crate::service::http::{Approval, WriteAccess, sealed};
use crate::service::{docker as docker_service, vijil as vijil_service};

pub use event::Event;
pub use outcome::{Counts, Outcome, Problem, StepOutcome, Versions};

use self::docker::Docker;
use self::run::{Backend, Run};
use self::vijil::Vijil;

/// A plan that passed its guards, apart from lifted ones. Nothing else can be carried out:
///
/// ```compile_fail
/// let changes = seawall::plan::ChangeSet::default();
/// let _ = seawall::execute::Approved::new(changes, &Default::default());
/// ```
#[derive(Clone, Debug)]
pub struct Approved(Plan);

impl Approved {
    /// Approves a plan, lifting some guards.
    ///
    /// # Errors
    ///
    /// Returns the guards that refuse it.
    pub fn new(plan: Plan, lifted: &BTreeSet<Guard>) -> Result<Self, Vec<Verdict>> {
        let refusals: Vec<Verdict> = plan.refusals(lifted).cloned().collect();
        if refusals.is_empty() { Ok(Self(plan)) } else { Err(refusals) }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0
    }
}

/// The only value that gives the right to write.
impl sealed::Sealed for Approved {}
impl Approval for Approved {}

/// The services of a plan. Steps about a missing service are not carried out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readers<'a> {
    /// Of Docker.
    pub docker: Option<&'a docker_service::Reader>,
    /// Of Vijil.
    pub vijil: Option<&'a vijil_service::Reader>,
}

/// Carries out a plan, one service after the other. Once `stop` becomes true, calls in flight
/// finish, no call waits for a retry, and no further one starts.
pub async fn execute(
    approved: &Approved,
    readers: Readers<'_>,
    stop: watch::Receiver<bool>,
    observe: &mut (dyn FnMut(Event<'_>) + Send),
) -> Outcome {
    let (plan, access) = (approved.plan(), WriteAccess::granted_by(approved));
    let docker = readers.docker.map(|reader| {
        reader.stop_waits_on(stop.clone());
        let writer = docker_service::Writer::new(reader, &access);
        let docker = Docker::new(reader.clone(), writer, plan.docker.as_ref());
        Run::new(Backend::Docker(docker), reader.concurrency())
    });
    let vijil = readers.vijil.map(|reader| {
        reader.stop_waits_on(stop.clone());
        let writer = vijil_service::Writer::new(reader, &access);
        let vijil = Vijil::new(reader.clone(), writer, plan.vijil_steps());
        Run::new(Backend::Vijil(vijil), reader.concurrency())
    });
    let steps: Vec<AnyStep<'_>> = plan.all_steps().collect();
    let (mut ended, mut stopped) = (BTreeMap::new(), false);
    for run in [docker, vijil].into_iter().flatten() {
        ended.extend(run.carry_out(&steps, &stop, observe).await);
        stopped |= *stop.borrow();
    }
    Outcome { steps: ended, stopped }
}
