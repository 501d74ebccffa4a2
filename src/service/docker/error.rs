//! Errors of reading the state of an organization.

use super::wire::Meaningless;
use crate::exit::{Exit, Explain};
use crate::service::http;

/// A failure to read from Docker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The transport failed, or the service refused for another reason.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// 404 for the organization: it does not exist, or the caller is not a member. The service does
    /// not distinguish the two.
    #[error("{host} shows no organization `{org}` to this account")]
    NoOrganization {
        /// The service's host.
        host: String,
        /// The organization that was requested.
        org: String,
    },
    /// 403: no permission, or no subscription.
    #[error("this account may not read the {what} of organization `{org}`: {refusal}")]
    Forbidden {
        /// The organization that was requested.
        org: String,
        /// `policies` or `teams`.
        what: &'static str,
        /// The refusal of the service.
        refusal: http::Refusal,
    },
    /// An answer about another organization.
    #[error("asked for organization `{asked}`, {host} answered with policies of `{answered}`")]
    OtherOrganization {
        /// The service's host.
        host: String,
        /// The organization that was requested.
        asked: String,
        /// The organization that was returned.
        answered: String,
    },
    /// An answer about another policy.
    #[error("asked for policy `{asked}`, {host} answered with policy `{answered}`")]
    OtherPolicy {
        /// The service's host.
        host: String,
        /// The id that was asked for.
        asked: String,
        /// The id that was answered.
        answered: String,
    },
    /// A list that differs each time it is read.
    #[error("the list of {what} of {host} is another one each time that it is read")]
    Unstable {
        /// The service's host.
        host: String,
        /// `policies` or `audit log`.
        what: &'static str,
    },
    /// Pages that never end.
    #[error("{host} repeats the pages of the {what}")]
    EndlessPages {
        /// The service's host.
        host: String,
        /// `policies` or `teams`.
        what: &'static str,
    },
    /// A policy that is listed but cannot be read, even after several attempts.
    #[error("{host} lists policy `{id}`, but has no such policy")]
    Vanished {
        /// The service's host.
        host: String,
        /// The policy's id.
        id: String,
    },
    /// An object that cannot be interpreted.
    #[error("cannot understand the answer of {host}: {cause}")]
    Meaningless {
        /// The service's host.
        host: String,
        /// The fault in the answer.
        cause: Meaningless,
    },
}

impl Error {
    /// Separates the answers about a whole organization from those of the transport.
    pub(super) fn about(error: http::Error, host: String, org: &str, what: &'static str) -> Self {
        match error.refusal().filter(|_| matches!(error, http::Error::Refused { .. })) {
            Some(refusal) if refusal.status == 404 => {
                Self::NoOrganization { host, org: org.to_owned() }
            }
            Some(refusal) if refusal.status == 403 => {
                Self::Forbidden { org: org.to_owned(), what, refusal: refusal.clone() }
            }
            Some(_) | None => Self::Http(error),
        }
    }
}

impl Explain for Error {
    fn hint(&self) -> String {
        let hint = match self {
            Self::Http(error) => return error.hint(),
            Self::NoOrganization { .. } => {
                "check the organization's name (`docker.org`, `SEAWALL_ORG`, `--org`) and that the account is its member"
            }
            Self::Forbidden { what: "teams", .. } => {
                "the token must be allowed to read the organization's teams, which scopes are resolved with"
            }
            Self::Forbidden { what: "audit log", .. } => {
                "`DOCKER_AUDIT_TOKEN` must be an access token of the organization that may view audit logs"
            }
            Self::Forbidden { .. } => {
                "reading policies takes an owner or a role with governance permissions, and a subscription to Docker AI \
                 Governance"
            }
            Self::OtherOrganization { .. }
            | Self::OtherPolicy { .. }
            | Self::EndlessPages { .. }
            | Self::Meaningless { .. } => {
                "check that the endpoint is Docker's own API, and for a newer version of seawall"
            }
            Self::Vanished { .. } | Self::Unstable { .. } => {
                "somebody may be changing policies: run again"
            }
        };
        hint.to_owned()
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Http(error) => error.exit(),
            Self::NoOrganization { .. }
            | Self::Forbidden { .. }
            | Self::OtherOrganization { .. }
            | Self::OtherPolicy { .. }
            | Self::Unstable { .. }
            | Self::EndlessPages { .. }
            | Self::Vanished { .. }
            | Self::Meaningless { .. } => Exit::Failed,
        }
    }
}
