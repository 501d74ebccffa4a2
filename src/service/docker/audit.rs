//! Reads the audit log of one organization, page by page.
//!
//! Invariants: it sends at most five requests a second, which is the service's limit for an
//! organization; and a range ends only once the service has said so twice.
//!
//! Source: the AI Governance audit log API. Its errors are `{"error": "…"}`, a search that takes
//! too long answers 503 or 408, and the last page has an empty text in place of a token.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::Error;
use crate::service::http::{self, BaseUrl};

/// Default address of the audit log.
const ENDPOINT: &str = "https://api.docker.com/v2";
/// The largest page size that the service accepts.
const PAGE_SIZE: &str = "100";
/// The time between two requests.
const PACE: Duration = Duration::from_millis(200);
/// Largest number of attempts to read the last page of a range if its records differ each time.
const ROUNDS: u32 = 5;
/// The answers for a search that took too long: a shorter range helps, a retry does not.
const TOO_LONG: [u16; 2] = [503, 408];

/// Address of the audit log that belongs to a service for policies: Docker serves the two from
/// different hosts.
///
/// # Panics
///
/// Never: the addresses are constants.
#[must_use]
pub fn endpoint_beside(base: &BaseUrl) -> BaseUrl {
    if !super::is_dockers_own(base) {
        return base.clone();
    }
    let host = base.host();
    let staged = host
        .strip_prefix("hub")
        .and_then(|rest| rest.strip_suffix(".docker.com"))
        .unwrap_or_default();
    let address = ENDPOINT.replacen("api.", &format!("api{staged}."), 1);
    BaseUrl::parse(&address).expect("the address is ours")
}

/// Reads the audit log of one organization; it cannot write.
#[derive(Debug)]
pub struct AuditReader {
    http: http::Reader,
    org: String,
    /// The time of the last request.
    last: Mutex<Option<Duration>>,
}

/// Answer of the service to a request for a page.
#[derive(Debug)]
pub(super) enum Answer {
    /// The records, and the token of the next page; without a token at the end of the range.
    Page(Vec<Value>, Option<String>),
    /// The search took too long.
    TooLong(Error),
    /// The service no longer accepts the token.
    TokenRefused(Error),
}

/// A page, as the service sends it.
#[derive(Debug, Deserialize)]
struct Page {
    events: Vec<Value>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl AuditReader {
    /// Reads with this transport, which carries the raw access token. Sends nothing yet.
    #[must_use]
    pub fn new(http: http::Reader, org: impl Into<String>) -> Self {
        Self { http, org: org.into(), last: Mutex::default() }
    }

    /// The organization.
    #[must_use]
    pub fn org(&self) -> &str {
        &self.org
    }

    /// The service's host and port.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.http.host()
    }

    /// The error for pages that never end.
    pub(super) fn endless(&self) -> Error {
        Error::EndlessPages { host: self.http.host(), what: "audit log" }
    }

    /// The time since the connection was made.
    pub(super) fn passed(&self) -> Duration {
        self.http.passed()
    }

    /// The wall time.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        self.http.now()
    }

    /// Reads the page of a range at this token. Both ends of the range (RFC 3339) are inclusive. If
    /// the search takes too long, a range that cannot be shortened is asked for again.
    ///
    /// # Errors
    ///
    /// Returns an error if the service refuses, cannot be reached, repeats a token, or changes the
    /// last page each time.
    pub(super) async fn page(
        &self,
        from: &str,
        to: &str,
        token: Option<&str>,
        shortest: bool,
    ) -> Result<Answer, Error> {
        let mut before: Option<BTreeSet<String>> = None;
        for _ in 0..ROUNDS {
            let Page { events, next_page_token } = match self.ask(from, to, token, shortest).await {
                Ok(page) => page,
                Err(error)
                    if token.is_some()
                        && error.refusal().is_some_and(|refusal| refusal.status == 400) =>
                {
                    return Ok(Answer::TokenRefused(self.about(error)));
                }
                Err(error) => {
                    let is_too_long =
                        error.refusal().is_some_and(|refusal| TOO_LONG.contains(&refusal.status));
                    let error = self.about(error);
                    return if is_too_long && !shortest {
                        Ok(Answer::TooLong(error))
                    } else {
                        Err(error)
                    };
                }
            };
            // An empty text or a missing token marks the end. A service that left the token out by
            // mistake does not do so twice.
            if let Some(next) = next_page_token.filter(|next| !next.is_empty()) {
                return if token == Some(next.as_str()) {
                    Err(self.endless())
                } else {
                    Ok(Answer::Page(events, Some(next)))
                };
            }
            let own: BTreeSet<String> = events.iter().map(Value::to_string).collect();
            if before.as_ref() == Some(&own) {
                return Ok(Answer::Page(events, None));
            }
            before = Some(own);
        }
        Err(Error::Unstable { host: self.http.host(), what: "audit log" })
    }

    fn about(&self, error: http::Error) -> Error {
        match error.refusal().filter(|refusal| refusal.status == 401) {
            // A raw token is never renewed.
            Some(refusal) => Error::Forbidden {
                org: self.org.clone(),
                what: "audit log",
                refusal: refusal.clone(),
            },
            None => Error::about(error, self.http.host(), &self.org, "audit log"),
        }
    }

    async fn ask(
        &self,
        from: &str,
        to: &str,
        token: Option<&str>,
        shortest: bool,
    ) -> Result<Page, http::Error> {
        {
            let mut last = self.last.lock().await;
            if let Some(last) = *last {
                let wait = last.saturating_add(PACE).saturating_sub(self.http.passed());
                if !wait.is_zero() {
                    self.http.pause(wait).await;
                }
            }
            *last = Some(self.http.passed());
        }
        let path = ["auditlogs", "governance", &self.org];
        let mut query = vec![("from", from), ("to", to), ("page_size", PAGE_SIZE)];
        query.extend(token.map(|token| ("page_token", token)));
        let settled: &[u16] = if shortest { &[] } else { &TOO_LONG };
        self.http.get_settled(&path, &query, settled).await
    }
}

#[cfg(test)]
mod tests {
    use super::endpoint_beside;
    use crate::service::http::BaseUrl;

    #[test]
    fn docker_keeps_the_audit_log_on_a_host_of_its_own() {
        for (base, audit) in [
            ("https://hub.docker.com/v2", "https://api.docker.com/v2"),
            ("https://hub-stage.docker.com/v2", "https://api-stage.docker.com/v2"),
            ("http://127.0.0.1:8/v2", "http://127.0.0.1:8/v2"),
            ("https://governance.corp.example/v2", "https://governance.corp.example/v2"),
        ] {
            assert_eq!(endpoint_beside(&BaseUrl::parse(base).unwrap()).to_string(), audit);
        }
    }
}
