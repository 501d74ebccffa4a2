//! The loop that executes the steps of one service.
//!
//! Invariant: steps of one phase may run at the same time, after all earlier phases. A step starts
//! only after its dependencies were applied, and none starts after a signal to stop, or after
//! repeated failures of the service.

use std::collections::BTreeMap;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::call::Call;
use super::created::Created;
use super::docker::{Docker, closes};
use super::event::Event;
use super::observation::failed;
use super::outcome::{Problem, StepOutcome};
use super::vijil::Vijil;
use crate::model::Rule;
use crate::plan::AnyStep;
use crate::plan::dependencies::Undone;
use crate::plan::docker::relations;

/// The number of consecutive steps with a service failure that ends the run, since all others would
/// wait and fail too.
const PATIENCE: usize = 3;

/// The target of steps.
#[derive(Clone, Debug)]
pub(super) enum Backend {
    /// An organization of Docker.
    Docker(Docker),
    /// A team of Vijil.
    Vijil(Vijil),
}

impl Backend {
    /// Returns `true` if a step is about this service.
    fn is_of(&self, step: AnyStep<'_>) -> bool {
        match (self, step) {
            (Self::Docker(_), AnyStep::Docker(_)) | (Self::Vijil(_), AnyStep::Vijil(_)) => true,
            (Self::Docker(_), AnyStep::Vijil(_)) | (Self::Vijil(_), AnyStep::Docker(_)) => false,
        }
    }

    /// Starts a phase of these steps.
    fn begin(&self, steps: &[AnyStep<'_>]) {
        if let Self::Docker(docker) = self {
            docker.begin(steps.iter().copied().filter_map(AnyStep::docker));
        }
    }

    /// The read that a step needs before its call; `None` if it needs none, or one of its own.
    fn look_ahead(&self, step: AnyStep<'_>) -> Option<impl Future<Output = ()> + use<>> {
        match (self, step) {
            (Self::Docker(docker), AnyStep::Docker(step)) => docker.look_ahead(step),
            (Self::Docker(_) | Self::Vijil(_), AnyStep::Docker(_) | AnyStep::Vijil(_)) => None,
        }
    }

    /// Records that a step was carried out, after its phase.
    fn done(&self, step: AnyStep<'_>) {
        if let (Self::Docker(docker), AnyStep::Docker(step)) = (self, step) {
            docker.done(step);
        }
    }

    /// The call of a step, with the ids that earlier steps created; `None` while one of them is
    /// unknown.
    fn call(&self, step: AnyStep<'_>, created: &Created) -> Option<Call> {
        match (self, step) {
            (Self::Docker(docker), AnyStep::Docker(step)) => {
                docker.call(step, created).map(Call::Docker)
            }
            (Self::Vijil(vijil), AnyStep::Vijil(step)) => {
                vijil.call(step, created).map(Call::Vijil)
            }
            (Self::Docker(_), AnyStep::Vijil(_)) | (Self::Vijil(_), AnyStep::Docker(_)) => None,
        }
    }
}

/// The steps that were not carried out.
#[derive(Debug, Default)]
struct Holding {
    undone: Undone,
    /// Those whose policy has rules that the plan did not see, by the domains of these rules.
    unseen: Undone,
}

impl Holding {
    /// Records a step that was not carried out. If its policy has rules that nobody reviewed, their
    /// effect is unknown, so that all steps which touch their domain are skipped.
    fn add(&mut self, step: AnyStep<'_>, unseen: &[Rule]) {
        self.undone.add(step.id(), step.touches().iter().copied());
        self.unseen.add(step.id(), unseen.iter().flat_map(relations::domains));
    }

    /// The first of them that this step depends on.
    fn holds_back(&self, step: AnyStep<'_>) -> Option<usize> {
        let unseen = self.unseen.first_touching(step.touches());
        step.dependencies().first_of(&self.undone, step.touches()).into_iter().chain(unseen).min()
    }
}

/// A run of the steps about one service.
#[derive(Debug)]
pub(super) struct Run {
    backend: Backend,
    /// The number of concurrent calls.
    most: usize,
    ended: BTreeMap<usize, StepOutcome>,
    holding: Holding,
    created: Created,
    /// The number of consecutive steps that ended with a service failure.
    outages: usize,
}

/// The outcome of a step, and the ids that it created.
type Joined = Result<(usize, StepOutcome, Created), JoinError>;

impl Run {
    pub(super) fn new(backend: Backend, concurrency: usize) -> Self {
        let (ended, holding, created) = (BTreeMap::new(), Holding::default(), Created::default());
        Self { backend, most: concurrency.max(1), ended, holding, created, outages: 0 }
    }

    /// Carries out the steps about its service. Returns the outcome of each, by its id.
    pub(super) async fn carry_out(
        mut self,
        steps: &[AnyStep<'_>],
        stop: &watch::Receiver<bool>,
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) -> BTreeMap<usize, StepOutcome> {
        let own: Vec<AnyStep<'_>> =
            steps.iter().copied().filter(|step| self.backend.is_of(*step)).collect();
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
        let mut calls: JoinSet<(usize, StepOutcome, Created)> = JoinSet::new();
        let mut ahead: JoinSet<()> = JoinSet::new();
        for (index, step) in steps.iter().copied().enumerate() {
            if let Some(by) = self.holding.holds_back(step) {
                self.end(step, StepOutcome::Skipped { by }, observe);
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
                self.end(step, StepOutcome::Stopped, observe);
                continue;
            }
            if self.outages >= PATIENCE {
                self.end(step, StepOutcome::Abandoned, observe);
                continue;
            }
            observe(Event::Started(step));
            while ahead.try_join_next().is_some() {}
            if let Some(read) = self.soon(steps, index) {
                ahead.spawn(read);
            }
            let call = self.backend.call(step, &self.created);
            calls.spawn(async move {
                let (ended, made) = match call {
                    Some(call) => call.carry_out().await,
                    None => {
                        let problem =
                            Problem::new("the id of what an earlier step created is not known");
                        failed(problem.hint("run again: the next plan finds it"))
                    }
                };
                (index, ended, made)
            });
        }
        while let Some(joined) = calls.join_next().await {
            self.take(joined, steps, observe);
        }
        // Steps of one phase are safe in any subset; those of later phases assume all of them.
        for step in steps.iter().copied() {
            let ended = self.ended.get(&step.id());
            let done = ended.is_some_and(StepOutcome::is_done);
            if done {
                self.backend.done(step);
            }
            let was_done = matches!(ended, Some(StepOutcome::AlreadyApplied { sent: false }));
            if !done || was_done && step.docker().is_some_and(|step| closes(&step.change)) {
                let unseen = if let Some(StepOutcome::Failed(problem)) = ended {
                    problem.unseen.as_slice()
                } else {
                    &[]
                };
                self.holding.add(step, unseen);
            }
        }
    }

    /// The read for the step that gets its turn when all calls now in flight have ended. One call
    /// at a time has no use for it: the read would come between the look and the call of a step.
    fn soon(
        &self,
        steps: &[AnyStep<'_>],
        index: usize,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let step = *steps.get(index + self.most).filter(|_| self.most > 1)?;
        match self.holding.holds_back(step) {
            None => self.backend.look_ahead(step),
            Some(_) => None,
        }
    }

    fn take(
        &mut self,
        joined: Joined,
        steps: &[AnyStep<'_>],
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) {
        let (index, ended, made) =
            joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        self.created.extend(made);
        let outage = matches!(&ended, StepOutcome::Failed(problem) if problem.outage);
        self.outages = if outage { self.outages + 1 } else { 0 };
        if let Some(step) = steps.get(index) {
            self.end(*step, ended, observe);
        }
    }

    fn end(
        &mut self,
        step: AnyStep<'_>,
        ended: StepOutcome,
        observe: &mut (dyn FnMut(Event<'_>) + Send),
    ) {
        observe(Event::Ended(step, &ended));
        self.ended.insert(step.id(), ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Decision, Domain, Resources};
    use crate::plan::dependencies::Dependencies;
    use crate::plan::docker::{Change, Difference, PolicyTarget, Step};

    fn rule(action: Action) -> Rule {
        let resources = Resources::Plain(vec!["x.example.com".to_owned()].into());
        Rule { name: "r".to_owned(), decision: Decision::Allow, actions: vec![action], resources }
    }

    fn step(id: usize, dependencies: Dependencies, touches: &[Domain]) -> Step {
        let policy = PolicyTarget::Planned("p".to_owned());
        let change = Change::create_rule(policy, rule(Action::ConnectTcp));
        let difference =
            Difference { id, policy: "p".to_owned(), change, source: None, because: None };
        Step {
            dependencies,
            touches: touches.iter().copied().collect(),
            ..Step::new(difference, id)
        }
    }

    /// Steps that were not carried out with unreviewed rules; the dependencies and domains of a
    /// later step; and the step that causes it to be skipped.
    type Row<'a> = (&'a [(usize, Vec<Rule>)], Dependencies, &'a [Domain], Option<usize>);

    #[test]
    fn what_was_not_done_holds_back_what_depends_on_it_or_on_rules_that_nobody_had_seen() {
        let (network, filesystem) = (&[Domain::Network][..], &[Domain::Filesystem][..]);
        let unseen = || vec![rule(Action::ConnectTcp)];
        let on = |steps: &[usize]| Dependencies::on(steps.iter().copied());
        let table: [Row<'_>; 7] = [
            (&[], on(&[1, 2]), network, None),
            (&[(2, vec![])], on(&[1, 2]), network, Some(2)),
            (&[(2, vec![])], on(&[1, 3]), network, None),
            // The scope of a policy was to change, and it has a rule that the plan did not see.
            (&[(2, unseen())], on(&[]), network, Some(2)),
            (&[(2, unseen())], on(&[]), filesystem, None),
            (&[(2, unseen()), (1, vec![])], on(&[1]), network, Some(1)),
            // The effect of such a rule is unknown.
            (&[(2, vec![rule(Action::parse("fly"))])], on(&[]), filesystem, Some(2)),
        ];
        for (missing, dependencies, touches, expected) in table {
            let mut holding = Holding::default();
            for (id, unseen) in missing {
                holding.add(AnyStep::Docker(&step(*id, on(&[]), &[Domain::Mcp])), unseen);
            }
            let later = step(9, dependencies, touches);
            assert_eq!(
                holding.holds_back(AnyStep::Docker(&later)),
                expected,
                "{missing:?} {later:?}"
            );
        }
    }
}
