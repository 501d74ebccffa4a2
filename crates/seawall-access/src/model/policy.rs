//! The model of policies and rules, for both desired and live state.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Action, Layer};

/// A policy of the organization, without ids and places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The name: unique in the organization, and the identity of the policy.
    pub name: String,
    /// The teams that it governs.
    pub scope: Scope,
    /// The content of the policy.
    pub body: Body,
}

/// The audience that a policy governs.
///
/// Team keys are ids after resolution against a [`super::TeamDirectory`]; in offline commands they
/// are the names or ids in the document.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everybody in the organization. On the wire: `teams` absent or empty.
    #[default]
    Organization,
    /// Members of at least one of these teams; never empty.
    Teams(BTreeSet<String>),
}

/// The content of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Allow and deny rules of one domain, in the order written; an empty list has no domain.
    Allowlist(Vec<Rule>),
    /// Cedar text for MCP.
    Cedar(Cedar),
}

/// A Cedar policy set and the schema that it is written for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cedar {
    /// The policy text in the form that is sent.
    pub text: String,
    /// The schema's URL, which names it in the evaluator's registry.
    pub schema_url: String,
}

/// One allow or deny rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name: unique in a declared policy; live rules may share one.
    pub name: String,
    /// Allow or deny; a deny wins over every allow.
    pub decision: Decision,
    /// A set of at least one action, all of one layer; the order is kept for people.
    pub actions: Vec<Action>,
    /// The resources that the actions are allowed or denied on. A set, whose order is kept for
    /// people.
    pub resources: Resources,
}

/// The decision of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Grants access, unless a deny matches.
    Allow,
    /// Denies access, whatever allows it.
    Deny,
}

/// The resources of a rule, by their field in the service's API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resources {
    /// `resources`: hosts, addresses and CIDR blocks, or paths. States and plans share the list: an
    /// organization may have millions of hosts.
    Plain(Arc<[String]>),
    /// `http_resources`.
    Http(Vec<HttpResource>),
}

/// One target of an HTTP rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HttpResource {
    /// A host or host pattern, without scheme and port.
    pub host: String,
    /// 1 to 65535; absent means every port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// A canonical absolute path pattern.
    pub path: String,
}

/// The domain of a policy. The service derives it from the rules' actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// Network and HTTP rules.
    Network,
    /// File system rules.
    Filesystem,
    /// Cedar policies.
    Mcp,
}

impl Domain {
    /// All domains.
    pub const ALL: [Self; 3] = [Self::Network, Self::Filesystem, Self::Mcp];

    /// The name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Filesystem => "file system",
            Self::Mcp => "MCP",
        }
    }
}

impl Scope {
    /// The scope for a list of team keys; none of them means the whole organization.
    #[must_use]
    pub fn from_teams(teams: impl IntoIterator<Item = String>) -> Self {
        let teams: BTreeSet<String> = teams.into_iter().collect();
        if teams.is_empty() { Self::Organization } else { Self::Teams(teams) }
    }

    /// Returns `true` if it governs a member of exactly these teams.
    #[must_use]
    pub fn governs(&self, teams: &BTreeSet<String>) -> bool {
        match self {
            Self::Organization => true,
            Self::Teams(own) => !own.is_disjoint(teams),
        }
    }

    /// Returns `true` if it governs a member of one of these teams.
    #[must_use]
    pub fn governs_any(&self, teams: &[&str]) -> bool {
        match self {
            Self::Organization => true,
            Self::Teams(own) => teams.iter().any(|team| own.contains(*team)),
        }
    }

    /// Returns `true` if it governs everybody that `other` governs.
    #[must_use]
    pub fn governs_all_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Organization, _) => true,
            (Self::Teams(_), Self::Organization) => false,
            (Self::Teams(own), Self::Teams(others)) => others.is_subset(own),
        }
    }

    /// The team keys; empty for the whole organization.
    #[must_use]
    pub fn teams(&self) -> Vec<&str> {
        match self {
            Self::Organization => Vec::new(),
            Self::Teams(teams) => teams.iter().map(String::as_str).collect(),
        }
    }
}

impl Policy {
    /// The policy without the resources about hosts or folders that `keep`, which is asked in
    /// order, leaves out.
    pub(crate) fn with_resources(&self, mut keep: impl FnMut(Layer, &str) -> bool) -> Self {
        let mut rule = |rule: &Rule| {
            let Rule { name, decision, actions, resources } = rule;
            let resources = match (resources, rule.layer()) {
                (Resources::Plain(all), Some(layer)) => {
                    Resources::Plain(all.iter().filter(|one| keep(layer, one)).cloned().collect())
                }
                (Resources::Plain(_), None) | (Resources::Http(_), _) => resources.clone(),
            };
            Rule { name: name.clone(), decision: *decision, actions: actions.clone(), resources }
        };
        let Self { name, scope, body } = self;
        let body = match body {
            Body::Allowlist(rules) => Body::Allowlist(rules.iter().map(&mut rule).collect()),
            Body::Cedar(cedar) => Body::Cedar(cedar.clone()),
        };
        Self { name: name.clone(), scope: scope.clone(), body }
    }

    /// The rules; empty for a Cedar policy.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        match &self.body {
            Body::Allowlist(rules) => rules,
            Body::Cedar(_) => &[],
        }
    }

    /// The domain; `None` for an allowlist without a rule whose layer is known.
    #[must_use]
    pub fn domain(&self) -> Option<Domain> {
        match &self.body {
            Body::Allowlist(rules) => rules.iter().find_map(Rule::domain),
            Body::Cedar(_) => Some(Domain::Mcp),
        }
    }
}

impl Rule {
    /// The layer of the rule's actions; `None` if this version knows none of them.
    #[must_use]
    pub fn layer(&self) -> Option<Layer> {
        self.actions.iter().find_map(Action::layer)
    }

    /// The domain that the rule determines for its policy.
    #[must_use]
    pub fn domain(&self) -> Option<Domain> {
        self.layer().map(|layer| match layer {
            Layer::Network | Layer::Http => Domain::Network,
            Layer::Filesystem => Domain::Filesystem,
        })
    }
}
