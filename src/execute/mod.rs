//! The only user of a writer: carries an approved plan out.
//!
//! Invariant: what is sent are the requests of the plan, phase by phase, each at most once unless it certainly did
//! nothing. Before an update or a deletion the object is what the plan saw. What an answer left open is looked up. A
//! step that failed holds back what depends on it, as does one that somebody else had carried out; and nothing else.

mod agents;
mod call;
mod depend;
mod known;
mod outcome;
mod resolve;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::model::Decision;
use crate::plan::Plan;
use crate::plan::agents::AgentStep;
use crate::plan::guard::{Guard, Verdict};
use crate::plan::step::{Change, PolicyTarget, Step};
use crate::service::docker::{Reader, Writer};
use crate::service::http::{Approval, WriteAccess, sealed};

pub use agents::execute_agents;
pub use outcome::{Counts, Ended, Outcome, Problem, Versions};

use self::call::Caller;
use self::depend::Dependencies;
use self::resolve::Created;

/// So many steps in a row that found no working service end the run: the rest would only wait and fail too.
const PATIENCE: usize = 3;

/// A plan that its guards let pass, or that somebody lets pass all the same.
#[derive(Clone, Debug)]
pub struct Approved(Plan);

impl Approved {
    /// Approves a plan, lifting some guards.
    ///
    /// # Errors
    ///
    /// The guards that refuse it.
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

/// The one thing that gives the right to write.
impl sealed::Sealed for Approved {}
impl Approval for Approved {}

/// What happens while a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step's call is about to be made.
    Started(&'a Step),
    /// A step is over.
    Ended(&'a Step, &'a Ended),
    /// The same for a step of the Vijil side.
    AgentStarted(&'a AgentStep),
    /// The same for a step of the Vijil side.
    AgentEnded(&'a AgentStep, &'a Ended),
}

/// Carries a plan out. `stop` turning true lets the calls in flight finish, lets none of them wait to be tried again, and
/// starts no more.
pub async fn execute(
    approved: &Approved,
    reader: &Reader,
    stop: watch::Receiver<bool>,
    observe: &mut (dyn FnMut(Event<'_>) + Send),
) -> Outcome {
    let plan = approved.plan();
    reader.stop_waits_on(stop.clone());
    let writer = Writer::new(reader, &WriteAccess::of(approved));
    let caller = Caller::new(reader.clone(), writer, plan);
    let mut run = Run {
        ended: BTreeMap::new(),
        dependencies: Dependencies::new(plan),
        created: Created::default(),
        permits: Arc::new(Semaphore::new(reader.concurrency().max(1))),
        outages: 0,
    };
    for phase in plan.steps.chunk_by(|one, other| one.phase == other.phase) {
        run.phase(phase, &caller, &stop, observe).await;
    }
    let stopped = *stop.borrow();
    Outcome::new(run.ended, stopped)
}

/// Whether a change may close something. Found done by others, it was closed already, or was closed meanwhile: what
/// counts on its having been open until now is for the next plan.
fn closes(change: &Change) -> bool {
    match change {
        Change::CreateRule { policy: PolicyTarget::Existing(_), after } | Change::UpdateRule { after, .. } => {
            after.decision == Decision::Deny
        }
        Change::DeleteRule { before, .. } => before.decision == Decision::Allow,
        Change::UpdatePolicy { before, after, .. } => before.scope != after.scope,
        Change::CreateRule { policy: PolicyTarget::Planned(_), .. }
        | Change::CreatePolicy { .. }
        | Change::DeletePolicy { .. } => false,
    }
}

struct Run<'a> {
    ended: BTreeMap<usize, Ended>,
    dependencies: Dependencies<'a>,
    created: Created,
    permits: Arc<Semaphore>,
    /// Steps in a row, as they ended, that found no working service.
    outages: usize,
}

impl Run<'_> {
    async fn phase(
        &mut self,
        steps: &[Step],
        caller: &Caller,
        stop: &watch::Receiver<bool>,
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) {
        caller.begin(steps);
        let mut calls: JoinSet<(usize, Ended, Created)> = JoinSet::new();
        for (index, step) in steps.iter().enumerate() {
            if let Some(holder) = self.dependencies.held_back(step) {
                self.end(step, Ended::HeldBack { by: holder }, observe);
                continue;
            }
            let permit = loop {
                tokio::select! {
                    biased;
                    Some(joined) = calls.join_next() => self.take(joined, steps, observe),
                    permit = self.permits.clone().acquire_owned() => break permit.expect("the semaphore is never closed"),
                }
            };
            if *stop.borrow() {
                self.end(step, Ended::Stopped, observe);
                continue;
            }
            if self.outages >= PATIENCE {
                self.end(step, Ended::GivenUp, observe);
                continue;
            }
            observe(Event::Started(step));
            let (caller, attempt) = (caller.clone(), caller.attempt(step, &self.created));
            calls.spawn(async move {
                let (ended, made) = caller.carry_out(attempt).await;
                drop(permit);
                (index, ended, made)
            });
        }
        while let Some(joined) = calls.join_next().await {
            self.take(joined, steps, observe);
        }
        // Steps of one phase are safe in any selection; those of later phases count on all of them.
        for step in steps {
            let ended = self.ended.get(&step.id);
            let done = ended.is_some_and(Ended::is_done);
            if done {
                caller.done(step);
            }
            if !done || matches!(ended, Some(Ended::FoundDone { sent: false })) && closes(&step.change) {
                let unseen = if let Some(Ended::Failed(problem)) = ended { problem.unseen.as_slice() } else { &[] };
                self.dependencies.add(step, unseen);
            }
        }
    }

    fn take(
        &mut self,
        joined: Result<(usize, Ended, Created), tokio::task::JoinError>,
        steps: &[Step],
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) {
        let (index, ended, made) = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        self.created.extend(made);
        let outage = matches!(&ended, Ended::Failed(problem) if problem.outage);
        self.outages = if outage { self.outages + 1 } else { 0 };
        if let Some(step) = steps.get(index) {
            self.end(step, ended, observe);
        }
    }

    fn end(&mut self, step: &Step, ended: Ended, observe: &mut (dyn FnMut(Event<'_>) + Send)) {
        observe(Event::Ended(step, &ended));
        self.ended.insert(step.id, ended);
    }
}
