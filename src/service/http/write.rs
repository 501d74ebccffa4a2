//! Writing to a service.
//!
//! Invariant: a write is sent again only if the service said that it had no effect (a rate limit as
//! [`Answer::limits`](super::connection::Answer::limits) tells, 401 with a new token, and a redirect
//! that differs in the last slash), or if nothing was sent. After [`WriteOutcome::Unknown`], the caller has to
//! look up the result.

use reqwest::header::LOCATION;
use serde_json::Value;

use super::connection::{Attempt, Call};
use super::refusal::safe;
use super::{Connection, Error, Reader, Refusal};
use crate::model::Method;

/// The proof of the right to write: a plan that passed its guards and was confirmed. No type
/// outside of this crate can implement it, and a test checks that only one type of the crate does.
pub trait Approval: sealed::Sealed {}

/// Keeps other crates from approving their own plans.
pub(crate) mod sealed {
    /// See [`super::Approval`].
    pub trait Sealed {}
}

/// The right to create a [`Writer`].
#[derive(Debug)]
pub struct WriteAccess(());

impl WriteAccess {
    /// The right that an approved plan grants.
    #[must_use]
    pub fn granted_by(_approved: &impl Approval) -> Self {
        Self(())
    }
}

/// The outcome of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The service carried it out.
    Done {
        /// The HTTP status, 200 to 299.
        status: u16,
        /// The body of the answer; null if it was empty.
        body: Value,
    },
    /// The service certainly did not carry it out, and gives the reason.
    Refused(Refusal),
    /// The request never reached the service, so that it certainly had no effect.
    NotSent(Error),
    /// The request was sent, and its effect is unknown: the connection was lost, the answer was
    /// cut, unreadable or late, the service answered 5xx, or an error with status 2xx. It may take
    /// effect now, later or never.
    Unknown(Error),
}

/// Sends writes to one service.
#[derive(Clone, Debug)]
pub struct Writer(Connection);

impl Writer {
    /// Writes on the reader's connection: the same pool, token and limits.
    #[must_use]
    pub fn new(reader: &Reader, WriteAccess(()): &WriteAccess) -> Self {
        Self(reader.connection().clone())
    }

    /// Sends one write to this path below the base.
    pub async fn send<S: AsRef<str>>(
        &self,
        method: Method,
        path: &[S],
        body: Option<&Value>,
    ) -> WriteOutcome {
        self.write(method, self.0.base().join(path, &[]), body).await
    }

    /// The same with a query.
    pub async fn send_with<S: AsRef<str>>(
        &self,
        method: Method,
        path: &[S],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> WriteOutcome {
        self.write(method, self.0.base().join(path, query), body).await
    }

    /// The same for a collection, whose path ends in a slash.
    pub async fn send_to_collection<S: AsRef<str>>(
        &self,
        method: Method,
        path: &[S],
        body: Option<&Value>,
    ) -> WriteOutcome {
        self.write(method, self.0.base().join_collection(path, &[]), body).await
    }

    async fn write(
        &self,
        method: Method,
        url: Result<reqwest::Url, super::BaseUrlError>,
        body: Option<&Value>,
    ) -> WriteOutcome {
        write(&self.0, method, url, body).await
    }
}

/// Writes comments. This needs no approval, since comments reach no service whose policies a plan
/// changes: only [`crate::service::github`] creates it, for its own connection and its own paths.
#[derive(Clone, Debug)]
pub(in crate::service) struct CommentWriter(Connection);

impl CommentWriter {
    pub(in crate::service) fn new(connection: Connection) -> Self {
        Self(connection)
    }

    pub(in crate::service) async fn create<S: AsRef<str>>(
        &self,
        path: &[S],
        body: &Value,
    ) -> WriteOutcome {
        write(&self.0, Method::Post, self.0.base().join(path, &[]), Some(body)).await
    }

    pub(in crate::service) async fn edit<S: AsRef<str>>(
        &self,
        path: &[S],
        body: &Value,
    ) -> WriteOutcome {
        write(&self.0, Method::Patch, self.0.base().join(path, &[]), Some(body)).await
    }
}

async fn write(
    connection: &Connection,
    method: Method,
    url: Result<reqwest::Url, super::BaseUrlError>,
    body: Option<&Value>,
) -> WriteOutcome {
    let method = match method {
        Method::Post => reqwest::Method::POST,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    };
    let url = match url {
        Ok(url) => url,
        Err(error) => return WriteOutcome::NotSent(error.into()),
    };
    let most = usize::MAX;
    let call = Call {
        method,
        url: &url,
        body,
        repeatable: false,
        settled: &[],
        authorized: true,
        most,
        bearer: None,
    };
    let answer = match connection.call(call).await {
        Attempt::Answered(answer) => answer,
        Attempt::NotSent(error) => return WriteOutcome::NotSent(error),
        Attempt::Unknown(error) => return WriteOutcome::Unknown(error),
    };
    match answer.status {
        status @ 200..=299 if answer.body.is_empty() => {
            WriteOutcome::Done { status, body: Value::Null }
        }
        status @ 200..=299 => match connection.decode::<Value>(&url, &answer) {
            // A success that carries an error is an unknown outcome.
            Ok(body) if body.pointer("/error/code").is_some() => {
                WriteOutcome::Unknown(connection.refused(&url, &answer))
            }
            Ok(body) => WriteOutcome::Done { status, body },
            Err(error) => WriteOutcome::Unknown(error),
        },
        300..=399 => {
            let to = answer
                .headers
                .get(LOCATION)
                .map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            let to = safe(&to.unwrap_or_default(), connection.secrets());
            let message = format!("the service points to `{to}`, where credentials do not go");
            WriteOutcome::Refused(Refusal { message, ..connection.refusal(&answer) })
        }
        // A gateway that timed out may have passed the request on; 501 is a plain refusal.
        408 | 499 | 500 | 502..=599 if !connection.refusal(&answer).is("unimplemented") => {
            WriteOutcome::Unknown(connection.refused(&url, &answer))
        }
        _ => WriteOutcome::Refused(connection.refusal(&answer)),
    }
}
