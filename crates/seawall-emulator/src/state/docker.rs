//! Policies and rules as the service stores and shows them.
//!
//! Invariant: the serialized form is exactly that of the service's answers. The types are
//! independent of the client's, so that a mistake in one is not hidden by the same mistake in the
//! other.

use serde::{Deserialize, Serialize};

use seawall_access::model::{Action, Decision, Domain, HttpResource, Layer};

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `pol_…`.
    pub id: String,
    /// Unique in the organization.
    pub name: String,
    /// The organization's name.
    pub org: String,
    /// The teams that it governs.
    pub scope: Scope,
    /// RFC 3339, UTC, whole seconds.
    pub created_at: String,
    /// RFC 3339, UTC, whole seconds.
    pub updated_at: String,
    /// Rules; absent for Cedar, and if there never was a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowlist_v0: Option<Allowlist>,
    /// Cedar text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cedar_v1: Option<Cedar>,
}

/// The audience that a policy governs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Team ids; absent or empty means the whole organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<Vec<String>>,
}

/// The rules of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowlist {
    /// `network` or `filesystem`; absent without rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The rules, in the order shown.
    pub rules: Vec<Rule>,
}

/// A Cedar policy set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cedar {
    /// The text.
    pub text: String,
    /// The schema that names its vocabulary.
    pub schema_url: String,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `rule_…`.
    pub id: String,
    /// The name.
    pub name: String,
    /// At least one action, all of one layer.
    pub actions: Vec<String>,
    /// Resources of network and file system rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<String>>,
    /// Resources of HTTP rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_resources: Option<Vec<HttpResource>>,
    /// Allow or deny.
    pub decision: Decision,
}

impl Policy {
    /// The rules; none for Cedar.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        self.allowlist_v0.as_ref().map_or(&[], |allowlist| &allowlist.rules)
    }

    /// The size of the policy in storage: compact JSON, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |json| json.len())
    }
}

impl Allowlist {
    /// Derives the domain from the rules, as the service does.
    pub fn derive_domain(&mut self) {
        let name = |domain| match domain {
            Domain::Network => "network",
            Domain::Filesystem => "filesystem",
            Domain::Mcp => unreachable!("no action belongs to it"),
        };
        self.domain = self.rules.iter().find_map(Rule::domain).map(name).map(str::to_owned);
    }
}

impl Rule {
    /// The layer of the actions; `None` if one is unknown or they have several.
    #[must_use]
    pub fn layer(&self) -> Option<Layer> {
        let mut layers = self.actions.iter().map(|action| Action::parse(action).layer());
        let first = layers.next().flatten()?;
        layers.all(|layer| layer == Some(first)).then_some(first)
    }

    /// The domain that the actions belong to.
    #[must_use]
    pub fn domain(&self) -> Option<Domain> {
        self.layer().map(|layer| match layer {
            Layer::Network | Layer::Http => Domain::Network,
            Layer::Filesystem => Domain::Filesystem,
        })
    }
}
