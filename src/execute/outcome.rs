//! How the steps of a plan ended.

use std::collections::BTreeMap;

use crate::exit::Exit;

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The service did it.
    Done {
        /// What somebody else did to the object just before: their version, which the step replaced.
        overtaken: Option<String>,
    },
    /// It was so already: somebody was faster, or an answer got lost.
    AlreadyDone,
    /// It was not done.
    Failed(Problem),
    /// It was not tried, since it depends on a step that was not done.
    HeldBack {
        /// That step.
        by: usize,
    },
    /// It was not tried, since the run was told to stop.
    Stopped,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What happened, as a lower-case phrase.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether nothing was sent because the object is no longer what the plan saw.
    pub moved: bool,
    /// Whether nobody knows what became of the call.
    pub unknown: bool,
}

/// How a plan ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// By step id.
    pub steps: BTreeMap<usize, Ended>,
    /// Whether the run was told to stop.
    pub stopped: bool,
}

/// How many steps ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Done by this run, or found done.
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
        Self { message: message.into(), hint: None, moved: false, unknown: false }
    }

    /// The same with what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Ended {
    /// Whether the object is as the step wants it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self {
            Self::Done { .. } | Self::AlreadyDone => true,
            Self::Failed(_) | Self::HeldBack { .. } | Self::Stopped => false,
        }
    }
}

impl Outcome {
    pub(super) fn new(steps: BTreeMap<usize, Ended>, stopped: bool) -> Self {
        Self { steps, stopped }
    }

    /// How many steps ended how.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for ended in self.steps.values() {
            *match ended {
                Ended::Done { .. } | Ended::AlreadyDone => &mut counts.done,
                Ended::Failed(_) => &mut counts.failed,
                Ended::HeldBack { .. } | Ended::Stopped => &mut counts.not_tried,
            } += 1;
        }
        counts
    }

    /// How the run ends: done; in part once anything was, or may have been, written; refused when the only trouble is
    /// that objects have moved; else failed.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let counts = self.counts();
        let problems = || {
            self.steps.values().filter_map(|ended| match ended {
                Ended::Failed(problem) => Some(problem),
                Ended::Done { .. } | Ended::AlreadyDone | Ended::HeldBack { .. } | Ended::Stopped => None,
            })
        };
        if counts.failed + counts.not_tried == 0 {
            Exit::Done
        } else if counts.done > 0 || problems().any(|problem| problem.unknown) {
            Exit::Partial
        } else if counts.failed > 0 && problems().all(|problem| problem.moved) {
            Exit::Refused
        } else {
            Exit::Failed
        }
    }
}
