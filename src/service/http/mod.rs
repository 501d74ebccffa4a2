//! The transport of the clients: one pool of connections for each service, time-outs, retries, rate
//! limits, tokens, and answers that are checked before they are trusted.
//!
//! Invariants: [`Reader`] can only send GET, apart from the exchange of credentials for a token. A
//! write is repeated only if the service said that it had no effect, or nothing was sent. No secret
//! appears in an error, a log or a `Debug` output, not even if the service echoes it. Nothing is
//! sent to another host than the configured one: redirects are not followed, and links are checked.

mod base;
mod bounds;
mod client;
mod clock;
mod connection;
mod error;
mod read;
mod refusal;
mod retry;
mod secret;
mod spellings;
mod token;
mod write;

pub use base::{BaseUrl, BaseUrlError};
pub use bounds::Bounds;
pub use client::Limits;
pub use clock::Clock;
pub use connection::{Connection, Observer};
pub use error::Error;
pub use read::Reader;
pub use refusal::Refusal;
pub use retry::Waiting;
pub use token::{Authorization, Login, Session};
pub(in crate::service) use write::CommentWriter;
pub(crate) use write::sealed;
pub use write::{Approval, WriteAccess, WriteOutcome, Writer};

pub use crate::model::Method;
