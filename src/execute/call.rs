//! One call to either service: check the object, send, interpret the answer, and check again if the
//! answer is inconclusive.
//!
//! Invariant: a single answer is not trusted that an object is gone, or that something other than
//! the requested object was made, until it was checked again. An inconclusive answer is looked up:
//! a call is sent again only if a check showed that it had no effect and cannot have one later.

use std::time::Duration;

use serde_json::Value;

use super::created::Created;
use super::observation::{Answer, NEXT_PLAN, Observed, Seen, Unread, failed, written};
use super::outcome::{Problem, StepOutcome};
use super::{docker, vijil};
use crate::service::http::{self, Refusal, WriteOutcome};

/// The number of attempts to send a write that, according to a check, had no effect.
const ATTEMPTS: u32 = 3;

/// The waits for an unanswered write before a missing effect counts as not done.
const SETTLING: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// One call of a plan with the ids of its objects.
#[derive(Debug)]
pub(super) enum Call {
    /// To Docker.
    Docker(docker::Call),
    /// To Vijil.
    Vijil(vijil::Call),
}

impl Call {
    /// Carries out the step. Returns its outcome and the ids of what it created.
    pub(super) async fn carry_out(&self) -> (StepOutcome, Created) {
        let (ended, created) = self.attempt().await;
        let ended = match self {
            Self::Docker(_) => ended,
            Self::Vijil(call) => call.confirmed(ended).await,
        };
        (ended, created)
    }

    async fn attempt(&self) -> (StepOutcome, Created) {
        match self.first_look().await {
            Ok(None) => {}
            Ok(Some(ended)) => return ended,
            Err(unread) if unread.stopped => return (StepOutcome::Stopped, Created::default()),
            Err(unread) => return failed(unread.problem()),
        }
        let mut sent = 1;
        loop {
            let unknown = match self.send().await {
                WriteOutcome::Done { body, .. } => return self.answered(&body).await,
                WriteOutcome::Refused(refusal) => return self.refused(&refusal).await,
                WriteOutcome::NotSent(http::Error::Stopped { .. }) => {
                    return (StepOutcome::Stopped, Created::default());
                }
                WriteOutcome::NotSent(error) => {
                    return failed(Problem::new(format!("it was not sent: {error}")).outage());
                }
                WriteOutcome::Unknown(error) => error,
            };
            let Seen { observed, created } = match self.settle().await {
                Ok(seen) => seen,
                Err(Unread { error, .. }) => {
                    let message =
                        format!("the outcome is unknown: {unknown}; looking again failed: {error}");
                    return failed(Problem::new(message).hint(NEXT_PLAN).written().outage());
                }
            };
            match observed {
                Observed::After => return (StepOutcome::AlreadyApplied { sent: true }, created),
                Observed::Before => {
                    if let Some(problem) = self.still_to_come(&unknown) {
                        return failed(problem.written().outage());
                    }
                    if sent == ATTEMPTS {
                        let message = format!("it was sent {sent} times without effect: {unknown}");
                        return failed(Problem::new(message).outage());
                    }
                    sent += 1;
                }
                // The call was sent while somebody else wrote too: it may have been carried out and
                // overwritten.
                observed @ (Observed::Gone | Observed::Other(_)) => {
                    return (written(self.not_as_planned(observed)), Created::default());
                }
            }
        }
    }

    /// Checks the object until it changes, for as long as an unanswered write may take.
    async fn settle(&self) -> Result<Seen, Unread> {
        let mut seen = self.observe().await?;
        for wait in SETTLING {
            if seen.observed != Observed::Before {
                break;
            }
            self.pause(wait).await;
            seen = self.observe().await?;
        }
        Ok(seen)
    }

    async fn answered(&self, body: &Value) -> (StepOutcome, Created) {
        let seen = match self.read_answer(body) {
            Answer::Done { created, overtaken } => {
                return (StepOutcome::Applied { overtaken }, created);
            }
            Answer::Otherwise(observed) => Ok(Seen { observed, created: Created::default() }),
            Answer::Unclear => self.settle().await,
        };
        match seen {
            Ok(Seen { observed: Observed::After, created }) => {
                (StepOutcome::Applied { overtaken: None }, created)
            }
            Ok(Seen { observed, .. }) => {
                (written(self.not_as_planned(observed)), Created::default())
            }
            Err(unread) => failed(unread.problem().written()),
        }
    }

    /// The objection to the call before it is sent; `None` if there is none.
    async fn first_look(&self) -> Result<Option<(StepOutcome, Created)>, Unread> {
        match self {
            Self::Docker(call) => call.first_look().await,
            Self::Vijil(call) => call.first_look().await,
        }
    }

    async fn observe(&self) -> Result<Seen, Unread> {
        match self {
            Self::Docker(call) => call.observe().await,
            Self::Vijil(call) => call.observe().await,
        }
    }

    async fn send(&self) -> WriteOutcome {
        match self {
            Self::Docker(call) => call.send().await,
            Self::Vijil(call) => call.send().await,
        }
    }

    async fn pause(&self, wait: Duration) {
        match self {
            Self::Docker(call) => call.pause(wait).await,
            Self::Vijil(call) => call.pause(wait).await,
        }
    }

    fn read_answer(&self, body: &Value) -> Answer {
        match self {
            Self::Docker(call) => call.read_answer(body),
            Self::Vijil(call) => call.read_answer(body),
        }
    }

    /// Interprets a refusal: some mean that the object is already in the desired state.
    async fn refused(&self, refusal: &Refusal) -> (StepOutcome, Created) {
        match self {
            Self::Docker(call) => call.refused(refusal).await,
            Self::Vijil(call) => call.refused(refusal).await,
        }
    }

    /// The reason why an unanswered call without an effect so far may not be sent again: it could
    /// still be carried out, and do harm after a second one.
    fn still_to_come(&self, unknown: &http::Error) -> Option<Problem> {
        match self {
            Self::Docker(call) => call.still_to_come(unknown),
            Self::Vijil(call) => call.still_to_come(unknown),
        }
    }

    /// The outcome of a step whose object differs from what the plan saw.
    fn not_as_planned(&self, found: Observed) -> StepOutcome {
        match self {
            Self::Docker(call) => call.not_as_planned(found),
            Self::Vijil(call) => call.not_as_planned(found),
        }
    }
}
