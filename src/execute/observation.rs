//! What looks and answers say of an object, for both services.

use super::created::Created;
use super::outcome::{Ended, Problem, Versions};

/// What to do when an answer stays out.
pub(super) const NEXT_PLAN: &str = "run again: the next plan finds what is there";

/// Where an object stands between the two sides of its step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As the plan saw it: the step can be made.
    Before,
    /// As the step wants it.
    After,
    /// Not there, where the step wants it to be.
    Gone,
    /// Something else: this version, as JSON.
    Other(String),
}

/// What a look showed.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) standing: Standing,
    /// The ids of what the step creates, where it is there.
    pub(super) created: Created,
}

/// What an answer says.
#[derive(Debug)]
pub(super) enum Answer {
    /// It was done.
    Done {
        created: Created,
        /// The object just before, where it was not what the plan saw.
        overtaken: Option<Versions>,
    },
    /// It was taken, and the object is something else now.
    Otherwise(Standing),
    /// It was taken, and what the object is now has to be looked up.
    Unclear,
}

/// Why an object could not be looked at.
#[derive(Debug)]
pub(super) struct Unread {
    /// What could not be done, as a lower-case phrase.
    pub(super) what: &'static str,
    /// Why.
    pub(super) error: String,
    /// Whether the run was told to stop.
    pub(super) stopped: bool,
}

impl Unread {
    pub(super) fn problem(&self) -> Problem {
        Problem::new(format!("{}: {}", self.what, self.error)).outage()
    }
}

/// How a step ended that was not done.
pub(super) fn failed(problem: Problem) -> (Ended, Created) {
    (Ended::Failed(problem), Created::default())
}

/// How a step ended whose call was, or may have been, carried out.
pub(super) fn written(ended: Ended) -> Ended {
    match ended {
        Ended::Failed(problem) => Ended::Failed(problem.written()),
        Ended::FoundDone { .. } => Ended::FoundDone { sent: true },
        ended @ (Ended::Done { .. } | Ended::HeldBack { .. } | Ended::Stopped | Ended::GivenUp) => ended,
    }
}
