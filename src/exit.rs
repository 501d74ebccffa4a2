//! Exit codes of a run, and the trait of errors that carry advice and an exit code.
//!
//! Invariant: the numbers are the public contract; no other value leaves the process.

use std::fmt;
use std::process::ExitCode;

/// The exit codes of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// The documents are wrong, an access test fails, or an answer that the exit code tells is
    /// deny.
    Invalid = 1,
    /// Wrong usage of the command line or of the settings around it.
    Usage = 2,
    /// Changes are pending, or an answer that the exit code tells is uncertain.
    Pending = 3,
    /// Refused: a guard, a stale plan, or no confirmation.
    Refused = 4,
    /// The service or the machine failed, and nothing was written.
    Failed = 5,
    /// Applied in part.
    Partial = 6,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A failure of the world that knows what the user can do about it, and how the run ends.
pub trait Explain: std::error::Error {
    /// Advice in the imperative: a lower-case phrase without a full stop.
    fn hint(&self) -> String;

    /// Exit of a run that ends with this error.
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// A failure as it is shown: once, at the end of the run, by [`crate::cli`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A lower-case phrase without a full stop.
    pub message: String,
    /// Advice in the imperative; `None` if there is none.
    pub hint: Option<String>,
    /// Exit of the run.
    pub exit: Exit,
}

impl Failure {
    /// A failure without a hint.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The error with its causes, each after a colon.
impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Self { message, hint: Some(error.hint()), exit: error.exit() }
    }
}
