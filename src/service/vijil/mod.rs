//! The client of Vijil's policies and rules for agents.
//!
//! Invariants: a [`Reader`] cannot write. A read is complete or an error. No call follows a
//! redirect. Fields that the service adds to its answers change nothing.

mod credentials;
mod error;
mod reader;
pub mod wire;

pub use credentials::{Credentials, CredentialsError, Outside};
pub use error::Error;
pub use reader::Reader;

use serde_json::Value;

use crate::model::Method;
use crate::service::http::{self, BaseUrl, BaseUrlError, WriteAccess, WriteOutcome};

/// The default address of the service. Source: the default of Vijil's own client.
pub const ENDPOINT: &str = "https://console-api.vijil.ai";

/// Parses the address of a Vijil endpoint: the deployment's gateway, without `/v1`.
///
/// # Errors
///
/// Returns an error if the text is not an address that credentials may be sent to.
pub fn endpoint(text: &str) -> Result<BaseUrl, BaseUrlError> {
    BaseUrl::parse(text.trim_end_matches('/').strip_suffix("/v1").unwrap_or(text))
}

/// Returns `true` if the address is one of Vijil's own hosts, over TLS.
#[must_use]
pub fn is_vijils_own(base: &BaseUrl) -> bool {
    let host = base.host();
    !base.is_plain() && (host == "vijil.ai" || host.ends_with(".vijil.ai"))
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The path below the endpoint, not encoded; an empty last segment ends it with a slash.
    pub path: Vec<String>,
    /// The query, not encoded.
    pub query: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<Value>,
}

/// Sends the requests of an approved plan.
#[derive(Clone, Debug)]
pub struct Writer(http::Writer);

impl Writer {
    /// Writes on the reader's connection.
    #[must_use]
    pub fn new(reader: &Reader, access: &WriteAccess) -> Self {
        Self(http::Writer::new(reader.transport(), access))
    }

    /// Sends one write. It is sent again only if it certainly had no effect.
    pub async fn send(&self, Request { method, path, query, body }: &Request) -> WriteOutcome {
        let query: Vec<(&str, &str)> =
            query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        // Only this collection is written to; the transport refuses an empty id anywhere else.
        if path.last().is_some_and(String::is_empty)
            && *path == ["v1", "policies", ""]
            && *method == Method::Post
        {
            return self.0.send_to_collection(*method, &["v1", "policies"], body.as_ref()).await;
        }
        self.0.send_with(*method, path, &query, body.as_ref()).await
    }
}
