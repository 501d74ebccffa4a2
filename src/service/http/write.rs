//! Writing to a service.
//!
//! Invariant: a write is sent again only when the service said that it did nothing (429, and 401 with a new token) or
//! when nothing was sent. Whoever gets [`WriteOutcome::Unknown`] has to look.

use reqwest::header::LOCATION;
use serde_json::Value;

use super::connection::{Attempt, Call};
use super::refusal::safe;
use super::{Connection, Error, Reader, Refusal};
use crate::model::Method;

/// The proof of the right to write: a plan that passed its guards and was confirmed. Nothing outside of this crate can
/// be one, and a test holds that one type of the crate is.
pub trait Approval: sealed::Sealed {}

/// Keeps others from approving what they made themselves.
pub(crate) mod sealed {
    /// See [`super::Approval`].
    pub trait Sealed {}
}

/// The right to make a [`Writer`].
#[derive(Debug)]
pub struct WriteAccess(());

impl WriteAccess {
    /// The right that an approved plan gives.
    #[must_use]
    pub fn granted_by(_approved: &impl Approval) -> Self {
        Self(())
    }
}

/// The outcome of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The service did it.
    Done {
        /// The HTTP status, 200 to 299.
        status: u16,
        /// The answer; null when it was empty.
        body: Value,
    },
    /// The service certainly did not do it, and says why.
    Refused(Refusal),
    /// It never reached the service, so that it is certainly not done.
    NotSent(Error),
    /// Sent, and nobody knows what became of it: the connection was lost, the answer was cut or unreadable, there was
    /// none in time, the service answered 5xx, or with an error under a 2xx. It may be done now, later or never.
    Unknown(Error),
}

/// Sends writes to one service.
#[derive(Clone, Debug)]
pub struct Writer(Connection);

impl Writer {
    /// Writes over the reader's connection: the same pool, token and limits.
    #[must_use]
    pub fn new(reader: &Reader, WriteAccess(()): &WriteAccess) -> Self {
        Self(reader.connection().clone())
    }

    /// Sends one write to this path below the base.
    pub async fn send<S: AsRef<str>>(&self, method: Method, path: &[S], body: Option<&Value>) -> WriteOutcome {
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

    /// The same to a collection, whose path ends in a slash.
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

/// Writes comments. It needs no approval, since it is no way to a service whose policies a plan is about: only
/// [`crate::service::github`] can make one, for a connection of its own and paths of its own.
#[derive(Clone, Debug)]
pub(in crate::service) struct CommentWriter(Connection);

impl CommentWriter {
    pub(in crate::service) fn new(connection: Connection) -> Self {
        Self(connection)
    }

    pub(in crate::service) async fn create<S: AsRef<str>>(&self, path: &[S], body: &Value) -> WriteOutcome {
        write(&self.0, Method::Post, self.0.base().join(path, &[]), Some(body)).await
    }

    pub(in crate::service) async fn edit<S: AsRef<str>>(&self, path: &[S], body: &Value) -> WriteOutcome {
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
    let call = Call { method, url: &url, body, repeatable: false, settled: &[], authorized: true, most, bearer: None };
    let answer = match connection.call(call).await {
        Attempt::Answered(answer) => answer,
        Attempt::NotSent(error) => return WriteOutcome::NotSent(error),
        Attempt::Unknown(error) => return WriteOutcome::Unknown(error),
    };
    match answer.status {
        status @ 200..=299 if answer.body.is_empty() => WriteOutcome::Done { status, body: Value::Null },
        status @ 200..=299 => match connection.decode::<Value>(&url, &answer) {
            // A success that carries an error is neither.
            Ok(body) if body.pointer("/error/code").is_some() => {
                WriteOutcome::Unknown(connection.refused(&url, &answer))
            }
            Ok(body) => WriteOutcome::Done { status, body },
            Err(error) => WriteOutcome::Unknown(error),
        },
        300..=399 => {
            let to = answer.headers.get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            let to = safe(&to.unwrap_or_default(), connection.secrets());
            let message = format!("the service points to `{to}`, where credentials do not go");
            WriteOutcome::Refused(Refusal { message, ..connection.refusal(&answer) })
        }
        // A gateway that gave up waiting may have passed the request on before; 501 is a plain no.
        408 | 499 | 500 | 502..=599 if !connection.refusal(&answer).is("unimplemented") => {
            WriteOutcome::Unknown(connection.refused(&url, &answer))
        }
        _ => WriteOutcome::Refused(connection.refusal(&answer)),
    }
}
