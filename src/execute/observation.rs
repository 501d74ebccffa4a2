//! The information that looks and answers give of an object, for both services.

use super::created::Created;
use super::outcome::{Problem, StepOutcome, Versions};

/// The advice for an answer that does not come.
pub(super) const NEXT_PLAN: &str = "run again: the next plan finds what is there";

/// The state of an object between the two sides of its step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Observed {
    /// As the plan saw it: the step can be made.
    Before,
    /// As the step wants it.
    After,
    /// Not there, where the step wants it to be.
    Gone,
    /// Something else: this version, as JSON.
    Other(String),
}

/// The result of a look.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) observed: Observed,
    /// The ids of what the step creates, where it is there.
    pub(super) created: Created,
}

/// The content of an answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// It was done.
    Done {
        created: Created,
        /// The object just before, where it was not what the plan saw.
        overtaken: Option<Versions>,
    },
    /// It was taken, and the object is something else now.
    Otherwise(Observed),
    /// It was taken, and what the object is now has to be looked up.
    Unclear,
}

/// The reason why an object could not be looked at.
#[derive(Debug)]
pub(super) struct Unread {
    /// The action that could not be done, as a lower-case phrase.
    pub(super) what: &'static str,
    /// The reason.
    pub(super) error: String,
    /// True if the run was told to stop.
    pub(super) stopped: bool,
}

impl Unread {
    pub(super) fn problem(&self) -> Problem {
        Problem::new(format!("{}: {}", self.what, self.error)).outage()
    }
}

/// The outcome of a step that was not done.
pub(super) fn failed(problem: Problem) -> (StepOutcome, Created) {
    (StepOutcome::Failed(problem), Created::default())
}

/// The outcome of a step whose call was, or may have been, carried out.
pub(super) fn written(ended: StepOutcome) -> StepOutcome {
    match ended {
        StepOutcome::Failed(problem) => StepOutcome::Failed(problem.written()),
        StepOutcome::AlreadyApplied { .. } => StepOutcome::AlreadyApplied { sent: true },
        ended @ (StepOutcome::Applied { .. }
        | StepOutcome::Skipped { .. }
        | StepOutcome::Stopped
        | StepOutcome::Abandoned) => ended,
    }
}
