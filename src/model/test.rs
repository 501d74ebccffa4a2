//! Access tests: the requests that members of some teams must be able to make, and those that they
//! must not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Origin;
use crate::diagnostic::Label;

/// An access test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The name of the test: what it verifies.
    pub name: String,
    /// The organizations that it is for; all organizations of the workspace if it names none.
    pub orgs: Vec<String>,
    /// The place of each organization.
    pub org_labels: Vec<Label>,
    /// The teams that the subject is a member of, as written.
    pub teams: Vec<String>,
    /// The place of each team.
    pub team_labels: Vec<Label>,
    /// The expectations in the order written; at least one.
    pub expectations: Vec<ExpectedAccess>,
    /// The place of the name.
    pub origin: Origin,
}

/// One expectation of an access test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedAccess {
    /// The expected decision.
    pub expected: Expected,
    /// The request as written, such as `connect:tcp example.com:443`.
    pub access: String,
    /// The place of the request.
    pub origin: Origin,
    /// The place of the request, for diagnostics.
    pub label: Label,
}

/// The expected decision.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// It is allowed.
    Allow,
    /// It is denied.
    Deny,
    /// It is allowed once a person approves.
    Approval,
}

impl Expected {
    /// The spelling in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Approval => "approval",
        }
    }
}
