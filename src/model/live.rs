//! The live state that the service returned: the same model with the service's ids.

use super::{Body, Policy, Rule, Scope, TeamDirectory};

/// The service's id of a policy (`pol_…`); opaque.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct PolicyId(pub String);

/// The service's id of a rule (`rule_…`); opaque.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct RuleId(pub String);

/// The Docker side of an organization at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// The organization's name.
    pub org: String,
    /// Sorted by name, then id.
    pub policies: Vec<LivePolicy>,
    /// The organization's teams.
    pub teams: TeamDirectory,
}

/// A live policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePolicy {
    /// The service's id.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// The teams that it governs, by id.
    pub scope: Scope,
    /// The rules in the service's order, or the Cedar text.
    pub body: LiveBody,
}

/// The body of a live policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveBody {
    /// Rules with their ids; empty if the service shows no `allowlist_v0`.
    Allowlist(Vec<LiveRule>),
    /// Cedar text.
    Cedar(super::Cedar),
}

/// A live rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRule {
    /// The service's id.
    pub id: RuleId,
    /// The rule.
    pub rule: Rule,
}

impl LivePolicy {
    /// The policy without ids.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let body = match &self.body {
            LiveBody::Allowlist(rules) => {
                Body::Allowlist(rules.iter().map(|live| live.rule.clone()).collect())
            }
            LiveBody::Cedar(cedar) => Body::Cedar(cedar.clone()),
        };
        Policy { name: self.name.clone(), scope: self.scope.clone(), body }
    }

    /// The rules with their ids; empty for a Cedar policy.
    #[must_use]
    pub fn rules(&self) -> &[LiveRule] {
        match &self.body {
            LiveBody::Allowlist(rules) => rules,
            LiveBody::Cedar(_) => &[],
        }
    }
}
