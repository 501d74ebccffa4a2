//! The information about an object from checks and answers, for both services.

use super::created::Created;
use super::outcome::{Problem, StepOutcome, Versions};

/// The advice for a missing answer.
pub(super) const NEXT_PLAN: &str = "run again: the next plan finds what is there";

/// The state of an object in relation to its step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Observed {
    /// It is as the plan saw it: the step can be carried out.
    Before,
    /// It is as it should be after the step.
    After,
    /// It is missing, although it should exist after the step.
    Gone,
    /// It is different: this version, as JSON.
    Other(String),
}

/// The result of a check.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) observed: Observed,
    /// The ids of what the step creates, if it exists.
    pub(super) created: Created,
}

/// The interpretation of an answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// The call was carried out.
    Done {
        created: Created,
        /// The object just before the call, if the plan saw another version.
        overtaken: Option<Versions>,
    },
    /// The call was accepted, and the object is different now.
    Otherwise(Observed),
    /// The call was accepted, and the current object has to be looked up.
    Unclear,
}

/// The reason why an object could not be checked.
#[derive(Debug)]
pub(super) struct Unread {
    /// The action that failed, as a lower-case phrase.
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

/// The outcome of a step that was not carried out.
pub(super) fn failed(problem: Problem) -> (StepOutcome, Created) {
    (StepOutcome::Failed(problem), Created::default())
}

/// The outcome of a step whose call was carried out, or may have been.
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
