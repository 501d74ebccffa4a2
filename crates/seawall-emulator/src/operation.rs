//! The operations of both services.

use axum::http::Method;

use super::docker::{self, DockerOperation};
use super::vijil::VijilOperation;

/// The services behind the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Docker Hub.
    Docker,
    /// Vijil.
    Vijil,
}

impl Side {
    /// The service that answers a path. Vijil has those below `/v1`, and Docker Hub has all others.
    pub(super) fn new(path: &[String]) -> Self {
        match path.first() {
            Some(first) if first == "v1" => Self::Vijil,
            Some(_) | None => Self::Docker,
        }
    }
}

/// An operation of one of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Of Docker Hub.
    Docker(DockerOperation),
    /// Of Vijil.
    Vijil(VijilOperation),
}

impl Operation {
    /// The operation of a call, if there is one.
    #[must_use]
    pub fn parse(method: &Method, path: &[String]) -> Option<Self> {
        match Side::new(path) {
            Side::Docker => docker::operation(method, path).map(Self::Docker),
            Side::Vijil => VijilOperation::parse(method, path).map(Self::Vijil),
        }
    }

    /// All operations.
    pub fn all() -> impl Iterator<Item = Self> {
        DockerOperation::ALL
            .map(Self::Docker)
            .into_iter()
            .chain(VijilOperation::ALL.map(Self::Vijil))
    }

    /// The name, as faults spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker(operation) => operation.name(),
            Self::Vijil(operation) => operation.name(),
        }
    }

    /// Returns `true` if it changes stored state. Logging in does not.
    #[must_use]
    pub fn is_write(self) -> bool {
        match self {
            Self::Docker(operation) => operation.is_write(),
            Self::Vijil(operation) => operation.is_write(),
        }
    }

    /// Returns `true` if it only authenticates the caller.
    #[must_use]
    pub fn is_login(self) -> bool {
        match self {
            Self::Docker(operation) => operation.is_login(),
            Self::Vijil(operation) => operation.is_login(),
        }
    }
}
