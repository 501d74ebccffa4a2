//! The transport that the clients share: one pool of connections a service, time-outs, retries, rate limits, tokens,
//! and answers that are never trusted to be what they say.
//!
//! Invariants: [`Reader`] can send GET and nothing else, apart from the exchange of credentials for a token; a write is
//! never repeated unless the service said that it did nothing, or nothing was sent; no secret appears in an error, a
//! log or a `Debug` output, not even when the service echoes it; and nothing is sent to another host than the
//! configured one: redirects are answers, and links are checked.

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
