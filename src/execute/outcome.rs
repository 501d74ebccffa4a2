//! The outcomes of the steps of a plan.

use std::collections::BTreeMap;

use crate::exit::Exit;
use crate::model::Rule;

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// The service carried it out.
    Applied {
        /// The version of somebody else that the step replaced, if there was one.
        overtaken: Option<Versions>,
    },
    /// The object was already as it should be after the step.
    AlreadyApplied {
        /// True if the call was sent and its answer was lost; false if somebody else was faster.
        sent: bool,
    },
    /// It was not carried out.
    Failed(Problem),
    /// It was skipped, since it depends on a step that was not carried out.
    Skipped {
        /// Id of the step that it depends on.
        by: usize,
    },
    /// It was not tried, or rejected by a service that asked to wait, since the run was told to
    /// stop.
    Stopped,
    /// It was not tried, since the service failed for several steps in a row.
    Abandoned,
}

/// An object that somebody else changed, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The version that the plan saw.
    pub planned: String,
    /// The version that was found.
    pub found: String,
}

/// The reason why a step failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// The problem, as a lower-case phrase.
    pub message: String,
    /// The advice, in the imperative.
    pub hint: Option<String>,
    /// True if nothing was sent because the object differs from what the plan saw.
    pub moved: bool,
    /// The version that the plan saw and the current one, if somebody else changed it.
    pub versions: Option<Versions>,
    /// Rules in the object that the plan did not see.
    pub unseen: Vec<Rule>,
    /// True if the call was carried out, or may have been.
    pub written: bool,
    /// True if the service failed, so that other steps will fail for the same reason.
    pub outage: bool,
}

/// The outcome of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The outcomes by step id.
    pub steps: BTreeMap<usize, StepOutcome>,
    /// True if the run was told to stop.
    pub stopped: bool,
}

/// The number of steps of each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Applied by this run, or already applied.
    pub done: usize,
    /// Failed.
    pub failed: usize,
    /// Not tried.
    pub not_tried: usize,
}

impl Problem {
    /// A failure without a hint.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// A failure because the object differs from what the plan saw.
    #[must_use]
    pub fn moved(message: impl Into<String>, versions: Option<Versions>) -> Self {
        Self { moved: true, versions, ..Self::new(message) }
            .hint("plan again, and see what they meant")
    }

    /// The same failure with rules that the plan did not see.
    pub(super) fn with_unseen(self, unseen: Vec<Rule>) -> Self {
        Self { unseen, ..self }
    }

    /// The same failure of a call that was carried out, or may have been.
    #[must_use]
    pub fn written(self) -> Self {
        Self { written: true, ..self }
    }

    /// The same failure of a service that does not work.
    #[must_use]
    pub fn outage(self) -> Self {
        Self { outage: true, ..self }
    }

    /// The same failure with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl StepOutcome {
    /// Returns `true` if the object is as it should be after the step.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self {
            Self::Applied { .. } | Self::AlreadyApplied { .. } => true,
            Self::Failed(_) | Self::Skipped { .. } | Self::Stopped | Self::Abandoned => false,
        }
    }

    /// Returns `true` if the step changed the service, or may have changed it.
    fn wrote(&self) -> bool {
        match self {
            Self::Applied { .. } => true,
            Self::AlreadyApplied { sent } => *sent,
            Self::Failed(problem) => problem.written,
            Self::Skipped { .. } | Self::Stopped | Self::Abandoned => false,
        }
    }
}

impl Outcome {
    /// The number of steps of each outcome.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for ended in self.steps.values() {
            *match ended {
                StepOutcome::Applied { .. } | StepOutcome::AlreadyApplied { .. } => {
                    &mut counts.done
                }
                StepOutcome::Failed(_) => &mut counts.failed,
                StepOutcome::Skipped { .. } | StepOutcome::Stopped | StepOutcome::Abandoned => {
                    &mut counts.not_tried
                }
            } += 1;
        }
        counts
    }

    /// Returns `true` if a step changed the service, or may have changed it.
    #[must_use]
    pub fn wrote(&self) -> bool {
        self.steps.values().any(StepOutcome::wrote)
    }

    /// The exit of the run: success; partial if something was written, or may have been; refused if
    /// the only failures are changed objects; otherwise failure.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let counts = self.counts();
        let only_moved = self.steps.values().all(|ended| match ended {
            StepOutcome::Failed(problem) => problem.moved,
            StepOutcome::Stopped | StepOutcome::Abandoned => false,
            StepOutcome::Applied { .. }
            | StepOutcome::AlreadyApplied { .. }
            | StepOutcome::Skipped { .. } => true,
        });
        match counts.failed + counts.not_tried {
            0 => Exit::Done,
            _ if self.wrote() => Exit::Partial,
            _ if only_moved => Exit::Refused,
            _ => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_says_whether_anything_was_written_and_whether_planning_again_may_help() {
        let applied = || StepOutcome::Applied { overtaken: None };
        let found = |sent| StepOutcome::AlreadyApplied { sent };
        let failed = || StepOutcome::Failed(Problem::new("refused"));
        let lost = || StepOutcome::Failed(Problem::new("no answer").written());
        let moved = || StepOutcome::Failed(Problem::moved("it is gone", None));
        let table = [
            (vec![], Exit::Done),
            (vec![applied(), found(false), found(true)], Exit::Done),
            (vec![failed()], Exit::Failed),
            (vec![lost()], Exit::Partial),
            (vec![moved()], Exit::Refused),
            (vec![moved(), StepOutcome::Skipped { by: 1 }], Exit::Refused),
            (vec![moved(), found(false)], Exit::Refused),
            (vec![moved(), failed()], Exit::Failed),
            (vec![moved(), StepOutcome::Stopped], Exit::Failed),
            (vec![moved(), StepOutcome::Abandoned], Exit::Failed),
            (vec![StepOutcome::Stopped], Exit::Failed),
            (vec![moved(), applied()], Exit::Partial),
            (vec![moved(), found(true)], Exit::Partial),
            (vec![StepOutcome::Abandoned, applied()], Exit::Partial),
        ];
        for (steps, expected) in table {
            let steps = steps.into_iter().enumerate().collect();
            let outcome = Outcome { steps, stopped: false };
            assert_eq!(outcome.exit(), expected, "{outcome:?}");
        }
    }
}
