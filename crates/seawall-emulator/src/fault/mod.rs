//! Injected failures, each at selected calls.
//!
//! Invariant: the calls that a fault affects depend only on the calls that arrived after it was
//! armed.

mod false_answer;
mod spec;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::docker::Code;
use super::exchange::Response;
use super::operation::Operation;
use super::state::State;

pub use false_answer::FalseAnswer;
pub use spec::{FaultSpecError, SYNTAX};

/// A failure and the calls that it affects.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The kind of failure.
    pub kind: FaultKind,
    /// The calls that are counted.
    pub calls: Calls,
    /// The first of the counted calls that it affects, from 1.
    pub first: usize,
    /// The number of consecutive calls that it affects; `None` for all that follow.
    pub times: Option<usize>,
}

/// The calls that a fault counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Every call, logins included.
    Any,
    /// Calls that change an organization.
    Writes,
    /// Calls that read an organization.
    Reads,
    /// Calls of one operation.
    Operation(Operation),
}

/// The failure of a call.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// The call is refused and has no effect.
    Refuse(Answer),
    /// The call takes effect, but the answer is a refusal.
    RefuseAfter(Answer),
    /// The call is delayed by this time.
    Delay(Duration),
    /// The call takes effect; the head of the answer and half of its body arrive, then the
    /// connection breaks.
    Cut,
    /// The call has no effect, and the connection breaks without an answer.
    LoseBefore,
    /// The call takes effect, and the connection breaks without an answer.
    LoseAfter,
    /// The call is answered 429 and has no effect.
    RateLimit(Wait),
    /// Every token given so far becomes invalid from this call on.
    ExpireTokens,
    /// Somebody else edits the state just before the call.
    Edit(Edit),
    /// The call is answered with success and false content.
    FalseAnswer(FalseAnswer),
}

/// The answer of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The error code of the governance envelope.
    pub code: String,
    /// The form of the body.
    pub form: Form,
}

/// The forms of error bodies that callers meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `{"error": {"code", "message"}}`.
    Governance,
    /// `{"message", "errinfo", "detail"}`.
    Hub,
    /// A line of text.
    Text,
    /// A page of a gateway.
    Html,
    /// No body.
    Empty,
    /// `{"detail"}`.
    Detail,
}

/// The retry advice of a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Seconds from the emulator's now.
    pub seconds: u32,
    /// The place and the form of the advice.
    pub form: WaitForm,
}

/// The ways to state when to retry; each answer also has `X-RateLimit-Limit` and
/// `X-RateLimit-Remaining`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitForm {
    /// `Retry-After` in seconds.
    Seconds,
    /// `Retry-After` as an HTTP date.
    Date,
    /// `Retry-After` as a Unix time.
    Unix,
    /// `X-RateLimit-Reset` as a Unix time, and no `Retry-After`.
    Reset,
    /// `X-Retry-After` as a Unix time, the older spelling.
    Older,
    /// No statement.
    Silent,
}

/// An edit by somebody else.
#[derive(Clone)]
pub struct Edit(Arc<dyn Fn(&mut State) + Send + Sync>);

/// Armed faults with their counts.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<(Fault, usize)>);

impl Fault {
    /// A fault at every call.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, calls: Calls::Any, first: 1, times: None }
    }

    /// The same fault at these calls only.
    #[must_use]
    pub fn on(self, calls: Calls) -> Self {
        Self { calls, ..self }
    }

    /// The same fault at the nth counted call only, from 1.
    #[must_use]
    pub fn nth(self, nth: usize) -> Self {
        Self { first: nth, times: Some(1), ..self }
    }

    /// The same fault for this many consecutive calls.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times: Some(times), ..self }
    }
}

impl Calls {
    fn include(self, operation: Option<Operation>) -> bool {
        match self {
            Self::Any => true,
            Self::Writes => operation.is_some_and(Operation::is_write),
            Self::Reads => {
                operation.is_some_and(|operation| !operation.is_write() && !operation.is_login())
            }
            Self::Operation(wanted) => operation == Some(wanted),
        }
    }
}

impl Answer {
    /// A refusal with this status in the governance envelope, with the matching code.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let codes = [
            Code::InvalidArgument,
            Code::Unauthenticated,
            Code::PermissionDenied,
            Code::NotFound,
            Code::Conflict,
        ];
        let code = codes.into_iter().find(|code| code.status() == status).unwrap_or(Code::Internal);
        Self { status, code: code.text().to_owned(), form: Form::Governance }
    }

    pub(super) fn response(&self) -> Response {
        let Self { status, code, form } = self;
        let message = "refused on purpose";
        match form {
            Form::Governance => {
                Response::json(*status, &json!({"error": {"code": code, "message": message}}))
            }
            Form::Hub => Response::json(
                *status,
                &json!({"message": message, "errinfo": null, "detail": code}),
            ),
            Form::Text => Response::text(*status, "text/plain", format!("{message}\n")),
            Form::Html => {
                let page = format!(
                    "<!DOCTYPE html><html><head><title>{status}</title></head><body>{message}</body></html>"
                );
                Response::text(*status, "text/html", page)
            }
            Form::Detail => Response::json(*status, &json!({"detail": message})),
            Form::Empty => Response::empty(*status),
        }
    }
}

impl Wait {
    pub(super) fn response(self, now: Timestamp) -> Response {
        let unix = now.as_second() + i64::from(self.seconds);
        let answer =
            Response::json(429, &json!({"message": "rate limit exceeded", "errinfo": null}))
                .with_header("X-RateLimit-Limit", 180)
                .with_header("X-RateLimit-Remaining", 0);
        match self.form {
            WaitForm::Seconds => answer.with_header("Retry-After", self.seconds),
            WaitForm::Date => answer.with_header("Retry-After", http_date(unix)),
            WaitForm::Unix => answer.with_header("Retry-After", unix),
            WaitForm::Reset => answer.with_header("X-RateLimit-Reset", unix),
            WaitForm::Older => answer.with_header("X-Retry-After", unix),
            WaitForm::Silent => answer,
        }
    }
}

/// A Unix time as HTTP writes dates (RFC 9110, section 5.6.7).
fn http_date(unix: i64) -> String {
    let at = Timestamp::from_second(unix).unwrap_or(Timestamp::MAX);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

impl Edit {
    /// An edit by a function, which runs again for each affected call.
    #[must_use]
    pub fn new(edit: impl Fn(&mut State) + Send + Sync + 'static) -> Self {
        Self(Arc::new(edit))
    }

    pub(super) fn carry_out(&self, state: &mut State) {
        (self.0)(state);
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit")
    }
}

impl Faults {
    pub(super) fn arm(&mut self, fault: Fault) {
        self.0.push((fault, 0));
    }

    pub(super) fn disarm(&mut self) {
        self.0.clear();
    }

    /// Counts an arriving call, and returns the faults that affect it, in the order armed.
    pub(super) fn meet(&mut self, operation: Option<Operation>) -> Vec<FaultKind> {
        let mut met = Vec::new();
        for (fault, count) in &mut self.0 {
            if fault.calls.include(operation) {
                *count += 1;
                let beyond = count.saturating_sub(fault.first);
                if *count >= fault.first && fault.times.is_none_or(|times| beyond < times) {
                    met.push(fault.kind.clone());
                }
            }
        }
        met
    }
}
