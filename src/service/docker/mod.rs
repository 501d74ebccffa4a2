//! The client of Docker's AI Governance API and of the teams of Docker Hub.
//!
//! Invariants: a [`Reader`] cannot write. A [`Snapshot`] is complete or an error: no page, policy
//! or team is lost silently, and an organization that cannot be read never looks like one without
//! policies. Fields that the service adds to its answers change nothing.

mod audit;
mod credentials;
pub mod download;
mod error;
mod reader;
mod snapshot;
pub mod wire;

pub use audit::{AuditReader, endpoint_beside};
pub use credentials::{Credentials, CredentialsError, Outside};
pub use error::Error;
pub use reader::Reader;
pub use snapshot::{DockerSnapshot, Snapshot, SnapshotError};

use crate::service::http::{self, BaseUrl, BaseUrlError, Method, WriteAccess, WriteOutcome};
use serde_json::Value;

/// The default address of the service.
pub const ENDPOINT: &str = "https://hub.docker.com/v2";

/// Parses the address of a Docker endpoint.
///
/// # Errors
///
/// Returns an error if the text is not an address that credentials may be sent to, or does not end
/// in `/v2`.
pub fn endpoint(text: &str) -> Result<BaseUrl, BaseUrlError> {
    BaseUrl::parse(text)?.ending_in("v2")
}

/// Returns `true` if the address is one of Docker's own hosts, over TLS.
#[must_use]
pub fn is_dockers_own(base: &BaseUrl) -> bool {
    let host = base.host();
    !base.is_plain() && (host == "docker.com" || host.ends_with(".docker.com"))
}

/// One write of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The path below the endpoint, not encoded: `["orgs", "my-org", "governance", "policies"]`.
    pub path: Vec<String>,
    /// The JSON body; `None` for a deletion.
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
    pub async fn send(&self, request: &Request) -> WriteOutcome {
        self.0.send(request.method, &request.path, request.body.as_ref()).await
    }
}
