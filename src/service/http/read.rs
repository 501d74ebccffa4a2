//! Reading from a service.
//!
//! Invariant: this module sends GET and no other method.

use std::sync::Arc;

use reqwest::Url;
use reqwest::header::{LINK, LOCATION};
use serde::de::DeserializeOwned;

use super::bounds::{Bounds, Budget, Spent};
use super::connection::{Answer, Attempt, Call};
use super::refusal::safe;
use super::{Connection, Error};
use crate::json;

/// Sends GET to one service. Retries temporary failures.
#[derive(Clone, Debug)]
pub struct Reader(Connection, Option<Arc<Budget>>);

impl Reader {
    /// Reads on this connection.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self(connection, None)
    }

    /// A reader for one complete read with these limits.
    #[must_use]
    pub fn bounded(&self, bounds: Bounds) -> Self {
        Self(self.0.clone(), Some(Arc::new(Budget::new(bounds))))
    }

    /// Counts objects of an answer.
    ///
    /// # Errors
    ///
    /// Returns an error if there are more than the limits of this read allow.
    pub fn count(&self, objects: usize) -> Result<(), Error> {
        self.spend(Spent { objects, ..Spent::default() })
    }

    fn spend(&self, spent: Spent) -> Result<(), Error> {
        self.1.as_ref().map_or(Ok(()), |budget| budget.take(&self.host(), spent))
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.0
    }

    /// The number of concurrent calls.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.0.concurrency()
    }

    /// The service's host and port, for messages.
    #[must_use]
    pub fn host(&self) -> String {
        self.0.base().host()
    }

    /// Once this becomes true, calls that wait for a retry or for a rate limit are abandoned.
    pub fn stop_waits_on(&self, stop: tokio::sync::watch::Receiver<bool>) {
        self.0.stop_waits_on(stop);
    }

    /// The time since the connection was made, on its clock.
    #[must_use]
    pub fn passed(&self) -> std::time::Duration {
        self.0.clock().passed()
    }

    /// The wall time, on the connection's clock.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        self.0.clock().now()
    }

    /// Waits, on the connection's clock.
    pub async fn pause(&self, wait: std::time::Duration) {
        self.0.clock().sleep(wait).await;
    }

    /// The object at this path below the base.
    ///
    /// # Errors
    ///
    /// Returns an error if the service refuses, or cannot be reached within the connection's
    /// limits, or if the answer is not a `T`.
    pub async fn get<T: DeserializeOwned, S: AsRef<str>>(
        &self,
        path: &[S],
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        self.read(&self.0.base().join(path, query)?).await
    }

    /// The same, but these statuses are final answers and are not retried.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn get_settled<T: DeserializeOwned, S: AsRef<str>>(
        &self,
        path: &[S],
        query: &[(&str, &str)],
        settled: &[u16],
    ) -> Result<T, Error> {
        let url = self.0.base().join(path, query)?;
        self.0.decode(&url, &self.answer(&url, settled).await?)
    }

    /// The same for a collection, whose path ends in a slash.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn get_collection<T: DeserializeOwned, S: AsRef<str>>(
        &self,
        path: &[S],
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        self.read(&self.0.base().join_collection(path, query)?).await
    }

    /// The object behind a link from the service.
    ///
    /// # Errors
    ///
    /// As [`Self::get`]; and if the link leads away from the service's base, since no other host
    /// may receive the token.
    pub async fn follow<T: DeserializeOwned>(&self, link: &str) -> Result<T, Error> {
        self.read(&self.own(link)?).await
    }

    /// A page of a list whose answers name the next page in a `Link` header (RFC 8288), and that
    /// link, for [`Self::follow_page`].
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn page<T: DeserializeOwned, S: AsRef<str>>(
        &self,
        path: &[S],
        query: &[(&str, &str)],
    ) -> Result<(T, Option<String>), Error> {
        self.read_page(&self.0.base().join(path, query)?).await
    }

    /// The page behind a link from [`Self::page`].
    ///
    /// # Errors
    ///
    /// As [`Self::follow`].
    pub async fn follow_page<T: DeserializeOwned>(
        &self,
        link: &str,
    ) -> Result<(T, Option<String>), Error> {
        self.read_page(&self.own(link)?).await
    }

    fn own(&self, link: &str) -> Result<Url, Error> {
        self.0.base().own(link).ok_or_else(|| {
            let (to, path) = (safe(link, self.0.secrets()), "next".to_owned());
            Error::Redirected { host: self.0.base().host(), path, to }
        })
    }

    async fn read_page<T: DeserializeOwned>(
        &self,
        url: &Url,
    ) -> Result<(T, Option<String>), Error> {
        let answer = self.answer(url, &[]).await?;
        let links = answer.headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
        let next = links.flat_map(|links| links.split(',')).find_map(next);
        let next = next.map(|next| self.0.secrets().redact(next).into_owned());
        Ok((self.0.decode(url, &answer)?, next))
    }

    async fn read<T: DeserializeOwned>(&self, url: &Url) -> Result<T, Error> {
        self.0.decode(url, &self.answer(url, &[]).await?)
    }

    async fn answer(&self, url: &Url, settled: &[u16]) -> Result<Answer, Error> {
        let most = self.1.as_ref().map_or(usize::MAX, |budget| budget.bytes());
        let method = reqwest::Method::GET;
        let call = Call {
            method,
            url,
            body: None,
            repeatable: true,
            settled,
            authorized: true,
            most,
            bearer: None,
        };
        self.spend(Spent { pages: 1, ..Spent::default() })?;
        match self.0.call(call).await {
            Attempt::Answered(answer) if answer.status == 200 => {
                let (bytes, values) = (answer.body.len(), json::measure(&answer.body).1);
                self.spend(Spent { bytes, values, time: answer.took, ..Spent::default() })?;
                Ok(answer)
            }
            Attempt::Unknown(error @ Error::TooLarge { limit, .. }) if limit == most => {
                Err(self.1.as_ref().map_or(error, |budget| budget.over_bytes(&self.host())))
            }
            Attempt::Answered(answer) => Err(self.0.refused(url, &answer)),
            Attempt::NotSent(error) | Attempt::Unknown(error) => Err(error),
        }
    }
}

/// The target of a link such as `<https://…>; rel="next"`, if it is to the next page.
fn next(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let relation = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("rel")
            && value
                .trim()
                .trim_matches('"')
                .split(' ')
                .any(|relation| relation.eq_ignore_ascii_case("next"))
    };
    parameters.split(';').any(relation).then_some(target)
}

impl Connection {
    /// The object of an answer, without the secrets that were sent, so that they get neither into a
    /// message nor into a file.
    pub(super) fn decode<T: DeserializeOwned>(
        &self,
        url: &Url,
        answer: &Answer,
    ) -> Result<T, Error> {
        let unreadable = |cause: &str| Error::Unreadable {
            host: self.base().host(),
            path: url.path().to_owned(),
            cause: safe(cause, self.secrets()),
        };
        let (depth, values) = json::measure(&answer.body);
        if depth > json::MAX_DEPTH {
            return Err(unreadable(&format!("it nests deeper than {} levels", json::MAX_DEPTH)));
        }
        if values > json::MAX_VALUES {
            return Err(unreadable(&format!("it holds over {} values", json::MAX_VALUES)));
        }
        let object = match self.secrets().redact_object(&answer.body) {
            Some(object) => serde_json::from_value(object),
            None => serde_json::from_slice(&answer.body),
        };
        object.map_err(|error| unreadable(&error.to_string()))
    }

    /// The error for an answer other than success.
    pub(super) fn refused(&self, url: &Url, answer: &Answer) -> Error {
        let (host, path) = (self.base().host(), url.path().to_owned());
        match (answer.status, answer.headers.get(LOCATION), self.told(answer)) {
            (300..=399, Some(to), _) => {
                let to = safe(&String::from_utf8_lossy(to.as_bytes()), self.secrets());
                Error::Redirected { host, path, to }
            }
            (_, _, Some(wait)) if answer.limits() && !wait.is_zero() => {
                Error::Limited { host, seconds: wait.as_secs() }
            }
            _ => Error::Refused { host, path, refusal: self.refusal(answer) },
        }
    }
}
