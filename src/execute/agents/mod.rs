//! Carries out the Vijil side of a plan.
//!
//! Invariant: a review is given to the text that the plan showed and to no other; what an answer left open is looked up,
//! a creation is never sent twice, nor where its object is there already, since the service would make two objects of one
//! name, and no single answer is believed that something is gone.

mod attempt;
mod call;

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use self::call::Caller;
use super::outcome::{Ended, Outcome};
use super::{Approved, Event, PATIENCE};
use crate::model::Fields;
use crate::plan::agents::step::AgentStep;
use crate::plan::step::{Object, Op, Reason};
use crate::service::http::WriteAccess;
use crate::service::vijil::{Reader, Writer};

/// Ids of what earlier steps created: policies by name, rules by the policy's id and `rule_id`.
#[derive(Clone, Debug, Default)]
struct Created {
    policies: BTreeMap<String, String>,
    rules: BTreeMap<(String, String), String>,
    /// Ids of policies that were found rather than made, so that there may be rules in them.
    found: BTreeSet<String>,
}

/// Carries the Vijil side of an approved plan out. `stop` turning true lets the calls in flight finish, lets none of them
/// wait to be tried again, and starts no more.
pub async fn execute_agents(
    approved: &Approved,
    reader: &Reader,
    stop: watch::Receiver<bool>,
    observe: &mut (dyn FnMut(Event<'_>) + Send),
) -> Outcome {
    reader.stop_waits_on(stop.clone());
    let steps = approved.plan().agents.as_ref().map_or(&[][..], |agents| agents.steps.as_slice());
    let caller = Caller::new(reader.clone(), Writer::new(reader, &WriteAccess::of(approved)));
    let mut run = Run {
        steps,
        ended: BTreeMap::new(),
        created: Created::default(),
        outages: 0,
        most: reader.concurrency().max(1),
    };
    for phase in steps.chunk_by(|one, other| one.phase == other.phase) {
        run.phase(phase, &caller, &stop, observe).await;
    }
    let stopped = *stop.borrow();
    Outcome::new(run.ended, stopped)
}

struct Run<'a> {
    /// Those of the plan.
    steps: &'a [AgentStep],
    ended: BTreeMap<usize, Ended>,
    created: Created,
    /// Steps in a row, as they ended, that found no working service.
    outages: usize,
    /// How many calls may be in flight.
    most: usize,
}

impl Run<'_> {
    async fn phase(
        &mut self,
        phase: &[AgentStep],
        caller: &Caller,
        stop: &watch::Receiver<bool>,
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) {
        let mut calls: JoinSet<(usize, Ended, Created)> = JoinSet::new();
        for step in phase {
            if let Some(by) = self.held_back(step) {
                self.end(step, Ended::HeldBack { by }, observe);
                continue;
            }
            while calls.len() >= self.most
                && let Some(joined) = calls.join_next().await
            {
                self.take(joined, observe);
            }
            if *stop.borrow() {
                self.end(step, Ended::Stopped, observe);
                continue;
            }
            if self.outages >= PATIENCE {
                self.end(step, Ended::GivenUp, observe);
                continue;
            }
            observe(Event::AgentStarted(step));
            let is_same = |one: &AgentStep| one.rule == step.rule && one.policy == step.policy;
            let edited = self.steps.iter().any(|one| one.id < step.id && is_same(one));
            let stays_active = self.is_last_edit_in_place(step);
            let (caller, created, step) = (caller.clone(), self.created.clone(), step.clone());
            calls.spawn(async move {
                let (mut ended, made) = caller.carry_out(&step, edited, &created).await;
                if stays_active
                    && ended.is_done()
                    && let Err(problem) = caller.is_active(&step.policy).await
                {
                    ended = Ended::Failed(problem);
                }
                (step.id, ended, made)
            });
        }
        while let Some(joined) = calls.join_next().await {
            self.take(joined, observe);
        }
    }

    fn take(
        &mut self,
        joined: Result<(usize, Ended, Created), JoinError>,
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) {
        let (id, ended, made) = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        self.created.policies.extend(made.policies);
        self.created.rules.extend(made.rules);
        self.created.found.extend(made.found);
        let outage = matches!(&ended, Ended::Failed(problem) if problem.outage);
        self.outages = if outage { self.outages + 1 } else { 0 };
        if let Some(step) = self.steps.iter().find(|step| step.id == id) {
            self.end(step, ended, observe);
        }
    }

    fn end(&mut self, step: &AgentStep, ended: Ended, observe: &mut (dyn FnMut(Event<'_>) + Send)) {
        observe(Event::AgentEnded(step, &ended));
        self.ended.insert(step.id, ended);
    }

    /// Whether it is the last of the steps that edit rules of a policy that is to stay active.
    fn is_last_edit_in_place(&self, step: &AgentStep) -> bool {
        let of_policy = || self.steps.iter().filter(|one| one.policy == step.policy && one.rule.is_some());
        let edits = of_policy().filter(|one| one.because == Some(Reason::EditedInPlace));
        let Some(edit) = edits.max_by_key(|edit| edit.id) else { return false };
        of_policy().filter(|one| one.rule == edit.rule).map(|one| one.id).max() == Some(step.id)
    }

    /// The earlier step that was not done and that this one depends on: for a step about a rule, one about the same rule
    /// or its policy; for a step about a policy, any of that policy; for what deletes or deactivates, any at all.
    fn held_back(&self, step: &AgentStep) -> Option<usize> {
        let is_active =
            |side: &Option<Fields>| side.as_ref().and_then(|side| side.get("status")?.as_str()) == Some("active");
        let leaves = step.object() == Object::Policy && is_active(&step.before) && !is_active(&step.after);
        let takes_away = step.op == Op::Delete || leaves && step.because.is_none();
        let earlier = self.steps.iter().filter(|earlier| earlier.phase < step.phase);
        earlier
            .filter(|earlier| self.ended.get(&earlier.id).is_some_and(|ended| !ended.is_done()))
            .find(|earlier| {
                let is_about_rule = earlier.rule.is_none() || step.rule.is_none() || earlier.rule == step.rule;
                takes_away || earlier.policy == step.policy && is_about_rule
            })
            .map(|earlier| earlier.id)
    }
}
