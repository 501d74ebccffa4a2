//! Reads the audit log of one organization, page by page.
//!
//! Invariants: it sends no more than five requests in a second, which is what the service takes of an organization; and
//! the end of a range is believed only when the service says it twice.
//!
//! Source: the AI Governance audit log API. Its errors are `{"error": "…"}`, a search that takes too long is a 503 or a
//! 408, and the last page has an empty text in place of a token.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::Error;
use crate::service::http::{self, BaseUrl};

/// Default address of the service.
const ENDPOINT: &str = "https://api.docker.com/v2";
/// The largest page.
const PAGE_SIZE: &str = "100";
/// The time between two requests.
const PACE: Duration = Duration::from_millis(200);
/// Largest number of attempts to read the last page of a range, if its records differ each time.
const ROUNDS: u32 = 5;
/// A search took too long: what helps is a shorter range, and not to ask again.
const TOO_LONG: [u16; 2] = [503, 408];

/// Address of the audit log that belongs to a service for policies: Docker serves the two from different hosts.
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
    let staged = host.strip_prefix("hub").and_then(|rest| rest.strip_suffix(".docker.com")).unwrap_or_default();
    let address = ENDPOINT.replacen("api.", &format!("api{staged}."), 1);
    BaseUrl::parse(&address).expect("the address is ours")
}

/// Reads the audit log of one organization, and can do nothing else.
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
    /// The records, and the token of the next page; none at the end of the range.
    Page(Vec<Value>, Option<String>),
    /// The search took too long.
    TooLong(Error),
    /// The token is not good any more.
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
    /// Reads over this transport, which carries the raw access token. Nothing is sent yet.
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

    /// The failure of pages that never end.
    pub(super) fn endless(&self) -> Error {
        Error::EndlessPages { host: self.http.host(), what: "audit log" }
    }

    /// The wall time.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        self.http.now()
    }

    /// Reads the page of a range at this token. Both ends of the range (RFC 3339) are inclusive. If the search takes
    /// too long, a range that cannot be shortened is asked for again.
    ///
    /// # Errors
    ///
    /// Returns an error if the service refuses, cannot be reached, repeats a token, or changes the last page each time.
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
                Err(error) if token.is_some() && error.refusal().is_some_and(|refusal| refusal.status == 400) => {
                    return Ok(Answer::TokenRefused(self.about(error)));
                }
                Err(error) => {
                    let is_too_long = error.refusal().is_some_and(|refusal| TOO_LONG.contains(&refusal.status));
                    let error = self.about(error);
                    return if is_too_long && !shortest { Ok(Answer::TooLong(error)) } else { Err(error) };
                }
            };
            // An empty text, and also nothing at all, is the end; who only left it out does not do so twice.
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
            Some(refusal) => Error::Forbidden { org: self.org.clone(), what: "audit log", refusal: refusal.clone() },
            None => Error::about(error, self.http.host(), &self.org, "audit log"),
        }
    }

    async fn ask(&self, from: &str, to: &str, token: Option<&str>, shortest: bool) -> Result<Page, http::Error> {
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
