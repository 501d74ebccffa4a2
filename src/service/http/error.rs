//! Errors of calls that got no usable answer from a service.

use super::{BaseUrlError, Refusal};
use crate::exit::{Exit, Explain};

/// A failure between this program and a service. Messages are safe to show and contain no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address of the service or of an object in it cannot be used.
    #[error(transparent)]
    Address(#[from] BaseUrlError),
    /// The client could not be created.
    #[error("cannot set up the connection to {host}: {cause}")]
    SetUp {
        /// The service's host.
        host: String,
        /// The message of the library.
        cause: String,
    },
    /// No connection: nothing was sent.
    #[error("cannot reach {host}: {cause}")]
    Unreachable {
        /// The service's host.
        host: String,
        /// The message of the system.
        cause: String,
    },
    /// The connection was lost, or the answer was cut; the request may have had its effect.
    #[error("lost the connection to {host}: {cause}")]
    Lost {
        /// The service's host.
        host: String,
        /// The message of the system.
        cause: String,
    },
    /// No answer in time; the request may have had its effect.
    #[error("{host} did not answer within {seconds} s")]
    TimeOut {
        /// The service's host.
        host: String,
        /// The time waited, in seconds.
        seconds: u64,
    },
    /// The answer is larger than any that the service should give.
    #[error("the answer of {host} to `{path}` is larger than {limit} bytes")]
    TooLarge {
        /// The service's host.
        host: String,
        /// The path that was requested.
        path: String,
        /// In bytes.
        limit: usize,
    },
    /// A read returns more than the service can hold, or never ends.
    #[error("{host} gives more {what} than the service can hold: over {bound}")]
    Unbounded {
        /// The service's host.
        host: String,
        /// The objects that are read.
        what: &'static str,
        /// The bound that was exceeded.
        bound: String,
    },
    /// The answer does not match the service's API.
    #[error("cannot read the answer of {host} to `{path}`: {cause}")]
    Unreadable {
        /// The service's host.
        host: String,
        /// The path that was requested.
        path: String,
        /// The fault in the answer.
        cause: String,
    },
    /// The service redirects to another host, which must not receive the credentials.
    #[error("{host} answered `{path}` with a redirect to `{to}`")]
    Redirected {
        /// The service's host.
        host: String,
        /// The path that was requested.
        path: String,
        /// The target of the redirect.
        to: String,
    },
    /// The service asks for a longer wait than this program accepts.
    #[error("{host} asks to wait for {seconds} s")]
    Limited {
        /// The service's host.
        host: String,
        /// In seconds.
        seconds: u64,
    },
    /// The run was told to stop while it had to wait for the service.
    #[error("stopped instead of waiting for {host}")]
    Stopped {
        /// The service's host.
        host: String,
    },
    /// The service refused.
    #[error("{host} answered `{path}` with {refusal}")]
    Refused {
        /// The service's host.
        host: String,
        /// The path that was requested.
        path: String,
        /// The refusal of the service.
        refusal: Refusal,
    },
    /// The service refused the credentials.
    #[error("{host} does not accept the credentials: {refusal}")]
    Login {
        /// The service's host.
        host: String,
        /// The refusal of the service.
        refusal: Refusal,
    },
}

impl Error {
    /// The refusal of the service, if it refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } | Self::Login { refusal, .. } => Some(refusal),
            Self::Address(_)
            | Self::SetUp { .. }
            | Self::Unreachable { .. }
            | Self::Lost { .. }
            | Self::TimeOut { .. }
            | Self::TooLarge { .. }
            | Self::Unbounded { .. }
            | Self::Unreadable { .. }
            | Self::Redirected { .. }
            | Self::Limited { .. }
            | Self::Stopped { .. } => None,
        }
    }
}

impl Explain for Error {
    fn hint(&self) -> String {
        let hint = match self {
            Self::Address(error) => return error.hint(),
            Self::SetUp { .. } => "check the certificates of the system (`SSL_CERT_FILE`)",
            Self::Unreachable { cause, .. } if cause.contains("certificate") => {
                "name the certificates of your network in `SSL_CERT_FILE`, or check the endpoint"
            }
            Self::Unreachable { .. } => "check the endpoint, the network and `HTTPS_PROXY`",
            Self::Lost { .. } | Self::TimeOut { .. } | Self::Stopped { .. } => {
                "run again; what was done is not done twice"
            }
            Self::TooLarge { .. } | Self::Unbounded { .. } | Self::Unreadable { .. } => {
                "check that the endpoint is the service's own API"
            }
            Self::Redirected { .. } => "if that is the service, make it the endpoint",
            Self::Limited { .. } => "run again after that time, or with a lower `--concurrency`",
            Self::Login { .. } => {
                "check the user name and the token, and that the token has not expired"
            }
            Self::Refused { refusal, .. } => match refusal.status {
                401 => "the token was renewed and refused again: check the account's access",
                429 => "run again later, or with a lower `--concurrency`",
                500.. => "the service has a problem: run again later",
                403 => {
                    "give the account the right to do this, or use the credentials of one that has it"
                }
                404 | 410 => "check the endpoint, and run again if somebody has just deleted it",
                405 => "check that the endpoint is the service's own API",
                _ => "correct what the service names, and run again",
            },
        };
        hint.to_owned()
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Address(error) => error.exit(),
            Self::SetUp { .. }
            | Self::Unreachable { .. }
            | Self::Lost { .. }
            | Self::TimeOut { .. }
            | Self::TooLarge { .. }
            | Self::Unbounded { .. }
            | Self::Unreadable { .. }
            | Self::Redirected { .. }
            | Self::Limited { .. }
            | Self::Stopped { .. }
            | Self::Refused { .. }
            | Self::Login { .. } => Exit::Failed,
        }
    }
}
