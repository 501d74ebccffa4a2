//! The only user of a writer: carries an approved plan out.
//!
//! Invariant: what is sent are the requests of the plan, phase by phase, each at most once unless it certainly did
//! nothing. Before an update or a deletion the object is what the plan saw. What an answer left open is looked up. A
//! step that failed holds back what depends on it, and nothing else.

mod call;
mod depend;
mod outcome;
mod resolve;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::plan::Plan;
use crate::plan::guard::{Guard, Verdict};
use crate::plan::step::Step;
use crate::service::docker::{Reader, Writer};
use crate::service::http::WriteAccess;

pub use outcome::{Ended, Outcome, Problem};

use self::call::Caller;
use self::depend::held_back;
use self::resolve::Created;

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

/// What happens while a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step's call is about to be made.
    Started(&'a Step),
    /// A step is over.
    Ended(&'a Step, &'a Ended),
}

/// Carries a plan out. `stop` turning true lets the calls in flight finish and starts no more.
pub async fn execute(
    approved: &Approved,
    reader: &Reader,
    stop: watch::Receiver<bool>,
    observe: &mut (dyn FnMut(Event<'_>) + Send),
) -> Outcome {
    let plan = approved.plan();
    let writer = Writer::new(reader, &WriteAccess::for_approved_plan());
    let caller = Caller::new(reader.clone(), writer, plan.target.org.clone());
    let mut run = Run {
        plan,
        ended: BTreeMap::new(),
        created: Created::default(),
        permits: Arc::new(Semaphore::new(reader.concurrency().max(1))),
    };
    let mut rest = plan.steps.as_slice();
    while let Some(first) = rest.first() {
        let length = rest.iter().take_while(|step| step.phase == first.phase).count();
        let (phase, later) = rest.split_at(length);
        run.phase(phase, &caller, &stop, observe).await;
        rest = later;
    }
    let stopped = *stop.borrow();
    Outcome::new(run.ended, stopped)
}

struct Run<'a> {
    plan: &'a Plan,
    ended: BTreeMap<usize, Ended>,
    created: Created,
    permits: Arc<Semaphore>,
}

impl Run<'_> {
    async fn phase(
        &mut self,
        steps: &[Step],
        caller: &Caller,
        stop: &watch::Receiver<bool>,
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) {
        let mut calls: JoinSet<(usize, Ended, Created)> = JoinSet::new();
        for step in steps {
            if let Some(holder) = held_back(step, self.plan, &self.ended) {
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
            observe(Event::Started(step));
            let (caller, created, step) = (caller.clone(), self.created.clone(), step.clone());
            calls.spawn(async move {
                let (ended, made) = caller.carry_out(&step, &created).await;
                drop(permit);
                (step.id, ended, made)
            });
        }
        while let Some(joined) = calls.join_next().await {
            self.take(joined, steps, observe);
        }
    }

    fn take(
        &mut self,
        joined: Result<(usize, Ended, Created), tokio::task::JoinError>,
        steps: &[Step],
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) {
        let (id, ended, made) = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        self.created.extend(made);
        if let Some(step) = steps.iter().find(|step| step.id == id) {
            self.end(step, ended, observe);
        }
    }

    fn end(&mut self, step: &Step, ended: Ended, observe: &mut (dyn FnMut(Event<'_>) + Send)) {
        observe(Event::Ended(step, &ended));
        self.ended.insert(step.id, ended);
    }
}
