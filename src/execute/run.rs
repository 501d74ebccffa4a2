//! The loop that carries the steps about one service out, whichever service it is.
//!
//! Invariant: steps of one phase may run at the same time, and start when every earlier phase is over. A step starts only
//! once all that it depends on is done; and none starts once the run was told to stop, or one step after the other found
//! no working service.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::call::Call;
use super::created::Created;
use super::docker::{Docker, closes};
use super::event::Event;
use super::observation::failed;
use super::outcome::{Ended, Problem};
use super::vijil::Vijil;
use crate::model::{Domain, Rule};
use crate::plan::{AnyStep, depend};

/// So many steps in a row that found no working service end the run: the rest would only wait and fail too.
const PATIENCE: usize = 3;

/// A service that steps are carried out in.
#[derive(Clone, Debug)]
pub(super) enum Backend {
    /// An organization of Docker.
    Docker(Docker),
    /// A team of Vijil.
    Vijil(Vijil),
}

impl Backend {
    /// Whether a step is about this service.
    fn is_of(&self, step: AnyStep<'_>) -> bool {
        matches!((self, step), (Self::Docker(_), AnyStep::Docker(_)) | (Self::Vijil(_), AnyStep::Vijil(_)))
    }

    /// Begins a phase of these steps.
    fn begin(&self, steps: &[AnyStep<'_>]) {
        if let Self::Docker(docker) = self {
            docker.begin(steps.iter().copied().filter_map(AnyStep::docker));
        }
    }

    /// Takes note of a step that is done, once its phase is over.
    fn done(&self, step: AnyStep<'_>) {
        if let (Self::Docker(docker), AnyStep::Docker(step)) = (self, step) {
            docker.done(step);
        }
    }

    /// The call of a step, with the ids of what earlier steps created; `None` while one of them is not known.
    fn call(&self, step: AnyStep<'_>, created: &Created) -> Option<Call> {
        match (self, step) {
            (Self::Docker(docker), AnyStep::Docker(step)) => docker.call(step, created).map(Call::Docker),
            (Self::Vijil(vijil), AnyStep::Vijil(step)) => vijil.call(step, created).map(Call::Vijil),
            (Self::Docker(_), AnyStep::Vijil(_)) | (Self::Vijil(_), AnyStep::Docker(_)) => None,
        }
    }
}

/// The steps that were not done, as what holds others back.
#[derive(Debug, Default)]
struct Undone {
    steps: BTreeSet<usize>,
    /// By domain: the first step whose policy holds rules of the domain that the plan did not see.
    unseen: BTreeMap<Domain, usize>,
}

impl Undone {
    /// Takes note of a step. Who counts on it would count on rules that nobody had seen, too, and what these say was not
    /// compared with anything: they hold back all that touches their domain.
    fn add(&mut self, step: usize, unseen: &[Rule]) {
        self.steps.insert(step);
        for domain in unseen.iter().flat_map(depend::domains) {
            self.unseen.entry(domain).or_insert(step);
        }
    }

    /// The first of them that this step depends on.
    fn holds_back(&self, step: AnyStep<'_>) -> Option<usize> {
        let unseen = step.touches().iter().filter_map(|domain| self.unseen.get(domain)).copied();
        step.dependencies().first_of(&self.steps).into_iter().chain(unseen).min()
    }
}

/// A run of the steps about one service.
#[derive(Debug)]
pub(super) struct Run {
    backend: Backend,
    /// How many calls may be in flight.
    most: usize,
    ended: BTreeMap<usize, Ended>,
    undone: Undone,
    created: Created,
    /// Steps in a row, as they ended, that found no working service.
    outages: usize,
}

/// How a step ended, and the ids of what it created.
type Joined = Result<(usize, Ended, Created), JoinError>;

impl Run {
    pub(super) fn new(backend: Backend, concurrency: usize) -> Self {
        let (ended, undone, created) = (BTreeMap::new(), Undone::default(), Created::default());
        Self { backend, most: concurrency.max(1), ended, undone, created, outages: 0 }
    }

    /// Carries out those of these steps that are about its service; how each ended, by its id.
    pub(super) async fn carry_out(
        mut self,
        steps: &[AnyStep<'_>],
        stop: &watch::Receiver<bool>,
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) -> BTreeMap<usize, Ended> {
        let own: Vec<AnyStep<'_>> = steps.iter().copied().filter(|step| self.backend.is_of(*step)).collect();
        for phase in own.chunk_by(|one, other| one.phase() == other.phase()) {
            self.phase(phase, stop, observe).await;
        }
        self.ended
    }

    async fn phase(
        &mut self,
        steps: &[AnyStep<'_>],
        stop: &watch::Receiver<bool>,
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) {
        self.backend.begin(steps);
        let mut calls: JoinSet<(usize, Ended, Created)> = JoinSet::new();
        for (index, step) in steps.iter().copied().enumerate() {
            if let Some(by) = self.undone.holds_back(step) {
                self.end(step, Ended::HeldBack { by }, observe);
                continue;
            }
            while let Some(joined) = calls.try_join_next() {
                self.take(joined, steps, observe);
            }
            while calls.len() >= self.most
                && let Some(joined) = calls.join_next().await
            {
                self.take(joined, steps, observe);
            }
            if *stop.borrow() {
                self.end(step, Ended::Stopped, observe);
                continue;
            }
            if self.outages >= PATIENCE {
                self.end(step, Ended::GivenUp, observe);
                continue;
            }
            observe(Event::Started(step));
            let call = self.backend.call(step, &self.created);
            calls.spawn(async move {
                let (ended, made) = match call {
                    Some(call) => call.carry_out().await,
                    None => {
                        let problem = Problem::new("the id of what an earlier step created is not known");
                        failed(problem.hint("run again: the next plan finds it"))
                    }
                };
                (index, ended, made)
            });
        }
        while let Some(joined) = calls.join_next().await {
            self.take(joined, steps, observe);
        }
        // Steps of one phase are safe in any selection; those of later phases count on all of them.
        for step in steps.iter().copied() {
            let ended = self.ended.get(&step.id());
            let done = ended.is_some_and(Ended::is_done);
            if done {
                self.backend.done(step);
            }
            let was_done = matches!(ended, Some(Ended::FoundDone { sent: false }));
            if !done || was_done && step.docker().is_some_and(|step| closes(&step.change)) {
                let unseen = if let Some(Ended::Failed(problem)) = ended { problem.unseen.as_slice() } else { &[] };
                self.undone.add(step.id(), unseen);
            }
        }
    }

    fn take(&mut self, joined: Joined, steps: &[AnyStep<'_>], observe: &mut (dyn FnMut(Event<'_>) + Send)) {
        let (index, ended, made) = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        self.created.extend(made);
        let outage = matches!(&ended, Ended::Failed(problem) if problem.outage);
        self.outages = if outage { self.outages + 1 } else { 0 };
        if let Some(step) = steps.get(index) {
            self.end(*step, ended, observe);
        }
    }

    fn end(&mut self, step: AnyStep<'_>, ended: Ended, observe: &mut (dyn FnMut(Event<'_>) + Send)) {
        observe(Event::Ended(step, &ended));
        self.ended.insert(step.id(), ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Decision, Resources};
    use crate::plan::dependencies::Dependencies;
    use crate::plan::step::{Change, Difference, PolicyTarget, Step};

    fn rule(action: Action) -> Rule {
        let resources = Resources::Plain(vec!["x.example.com".to_owned()]);
        Rule { name: "r".to_owned(), decision: Decision::Allow, actions: vec![action], resources }
    }

    #[test]
    fn what_was_not_done_holds_back_what_depends_on_it_or_on_rules_that_nobody_had_seen() {
        let network = || rule(Action::ConnectTcp);
        let on = |steps: &[usize]| Dependencies::Steps(steps.to_vec());
        let table = [
            (vec![], on(&[1, 2]), vec![Domain::Network], None),
            (vec![(2, vec![])], on(&[1, 2]), vec![], Some(2)),
            (vec![(2, vec![])], on(&[1, 3]), vec![Domain::Network], None),
            (vec![(2, vec![]), (3, vec![])], Dependencies::ALL, vec![], Some(2)),
            // A policy was to govern others, and holds a rule that the plan did not see.
            (vec![(2, vec![network()])], on(&[]), vec![Domain::Network], Some(2)),
            (vec![(2, vec![network()])], on(&[]), vec![Domain::Filesystem], None),
            (vec![(2, vec![network()]), (1, vec![])], on(&[1]), vec![Domain::Network], Some(1)),
            // Nobody knows what such a rule is about.
            (vec![(2, vec![rule(Action::parse("fly"))])], on(&[]), vec![Domain::Filesystem], Some(2)),
        ];
        for (missing, dependencies, touches, expected) in table {
            let mut undone = Undone::default();
            missing.iter().for_each(|(step, unseen)| undone.add(*step, unseen));
            let change = Change::CreateRule { policy: PolicyTarget::Planned("p".to_owned()), after: network() };
            let difference = Difference { id: 9, policy: "p".to_owned(), change, source: None, because: None };
            let touches = touches.into_iter().collect();
            let step = Step { dependencies, touches, ..Step::new(difference, 9) };
            assert_eq!(undone.holds_back(AnyStep::Docker(&step)), expected, "{missing:?} {step:?}");
        }
    }
}
