//! The reasons why a record does not show a decision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The reason why a record does not show the decision on its request.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// The request is written in a way that no rule can be compared with.
    NotReadable,
    /// A rule of the machine or of a kit decided, not one of the organization.
    LocalRule,
    /// The organization has no policy of the domain, and the documentation does not say what
    /// applies then.
    NoPolicy,
    /// The address that the name resolved to is not recorded, and a rule for addresses decides.
    AddressNotRecorded,
    /// The record of a mount does not say if it was for reading or for writing.
    ModeNotRecorded,
    /// The HTTP request that was made on the connection is not recorded.
    PathNotRecorded,
    /// The attributes of an MCP call are not recorded.
    AttributesNotRecorded,
    /// A person would be asked to approve it.
    ApprovalNeeded,
    /// The teams of the user are not known.
    TeamUnknown,
    /// The decision depends on something that is not documented.
    NotDocumented,
}

impl Gap {
    /// A phrase for people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::NotReadable => {
                "the recorded request is in a form that no rule can be compared with"
            }
            Self::LocalRule => {
                "a rule of the machine or of a kit denied it, whatever the organization's rules say"
            }
            Self::NoPolicy => {
                "there is no policy of the domain, and what holds then is not documented"
            }
            Self::AddressNotRecorded => {
                "the address is not recorded, and a rule for addresses decides"
            }
            Self::ModeNotRecorded => {
                "it is not recorded whether the mount was for reading or writing"
            }
            Self::PathNotRecorded => {
                "no HTTP request is recorded for the connection, and rules look at requests"
            }
            Self::AttributesNotRecorded => "the attributes of MCP calls are not recorded",
            Self::ApprovalNeeded => "a person is asked for approval each time",
            Self::TeamUnknown => "the teams of the user are not known (`--teams FILE` lists them)",
            Self::NotDocumented => "it depends on behaviour that is not documented",
        }
    }

    /// The name in JSON.
    #[must_use]
    pub fn code(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}
