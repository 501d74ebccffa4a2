//! The format that the service sends and accepts, and its conversion to the model.
//!
//! Invariant: unknown fields, absent and null optional fields change nothing; an object whose
//! meaning cannot be read is an error and never an object that says less.
//!
//! Source: the Docker AI Governance API (`PolicySummary`, `Policy`, `Rule`) and Docker Hub's
//! `org_group`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{
    Action, Cedar, Decision, HttpResource, LiveBody, LivePolicy, LiveRule, PolicyId, Resources,
    Rule as ModelRule, RuleId, Scope as ModelScope, Team,
};

/// A page of the list of policies.
#[derive(Debug, Deserialize)]
pub(super) struct PolicyPage {
    pub(super) data: Vec<PolicySummary>,
    #[serde(default)]
    pub(super) next_page_token: Option<String>,
}

/// The members of a policy in the list that are used: the rest is read from the policy itself.
#[derive(Debug, Deserialize)]
pub(super) struct PolicySummary {
    pub(super) id: PolicyId,
    #[serde(default)]
    pub(super) org: Option<String>,
}

/// A page of the list of groups.
#[derive(Debug, Deserialize)]
pub(super) struct GroupPage {
    pub(super) results: Vec<Group>,
    #[serde(default)]
    pub(super) next: Option<String>,
}

/// A group of Docker Hub, which policies call a team.
#[derive(Debug, Deserialize)]
pub(super) struct Group {
    uuid: String,
    name: String,
}

impl From<Group> for Team {
    fn from(group: Group) -> Self {
        Self { id: group.uuid, name: group.name }
    }
}

/// A page of the members of a group.
#[derive(Debug, Deserialize)]
pub(super) struct MemberPage {
    pub(super) results: Vec<Member>,
    #[serde(default)]
    pub(super) next: Option<String>,
}

/// A member of a group.
#[derive(Debug, Deserialize)]
pub(super) struct Member {
    pub(super) username: String,
}

/// A whole policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The service's id.
    pub id: PolicyId,
    /// Unique in the organization.
    pub name: String,
    /// The organization's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// Absent means the whole organization.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// Absent where the policy has no rules, and in a Cedar policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowlist_v0: Option<Allowlist>,
    /// Absent in an allowlist policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cedar_v1: Option<CedarBody>,
}

/// The audience that a policy governs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Team ids; absent or empty means the whole organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<Vec<String>>,
}

/// The rules of an allowlist policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowlist {
    /// Derived by the service: `network` or `filesystem`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// In the service's order.
    #[serde(default)]
    pub rules: Option<Vec<Rule>>,
}

/// The body of a Cedar policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CedarBody {
    /// The Cedar text.
    pub text: String,
    /// The schema's URL.
    pub schema_url: String,
}

/// A rule with its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The service's id.
    pub id: RuleId,
    /// Not known to be unique in a policy.
    pub name: String,
    /// As the service spells them.
    pub actions: Vec<String>,
    /// Allow or deny.
    pub decision: Decision,
    /// Of network and file system rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<String>>,
    /// Of HTTP rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_resources: Option<Vec<HttpResource>>,
}

/// The reason why an object of the service has no meaning in the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Meaningless {
    /// `allowlist_v0` with rules, and `cedar_v1`.
    #[error("policy `{policy}` has both rules and Cedar text")]
    TwoBodies {
        /// The policy's name.
        policy: String,
    },
    /// Both or neither of `resources` and `http_resources`.
    #[error("rule `{rule}` of policy `{policy}` has {fields}")]
    Resources {
        /// The policy's name.
        policy: String,
        /// The rule's name.
        rule: String,
        /// The fault in the fields.
        fields: &'static str,
    },
}

impl Policy {
    /// The meaning of the policy.
    ///
    /// # Errors
    ///
    /// Returns an error if the policy has two contradictory meanings, or a rule has none that this
    /// version knows.
    pub fn live(self) -> Result<LivePolicy, Meaningless> {
        let Self { id, name, org: _, scope, created_at: _, updated_at: _, allowlist_v0, cedar_v1 } =
            self;
        let rules = allowlist_v0.and_then(|allowlist| allowlist.rules).unwrap_or_default();
        let body = match cedar_v1 {
            Some(_) if !rules.is_empty() => return Err(Meaningless::TwoBodies { policy: name }),
            Some(CedarBody { text, schema_url }) => LiveBody::Cedar(Cedar { text, schema_url }),
            None => LiveBody::Allowlist(
                rules.into_iter().map(|rule| rule.live(&name)).collect::<Result<_, _>>()?,
            ),
        };
        let scope = ModelScope::from_teams(scope.and_then(|scope| scope.teams).unwrap_or_default());
        Ok(LivePolicy { id, name, scope, body })
    }
}

impl Rule {
    /// The meaning of the rule of this policy.
    ///
    /// # Errors
    ///
    /// Returns an error if the rule has two contradictory meanings, or none that this version
    /// knows.
    pub fn live(self, policy: &str) -> Result<LiveRule, Meaningless> {
        let Self { id, name, actions, decision, resources, http_resources } = self;
        let actions: Vec<Action> = actions.iter().map(|action| Action::parse(action)).collect();
        let wrong = |fields| Meaningless::Resources {
            policy: policy.to_owned(),
            rule: name.clone(),
            fields,
        };
        // An empty list beside a full one says nothing.
        let resources = match (
            resources.filter(|all| !all.is_empty()),
            http_resources.filter(|all| !all.is_empty()),
        ) {
            (Some(plain), None) => Resources::Plain(plain.into()),
            (None, Some(http)) => Resources::Http(http),
            (Some(_), Some(_)) => return Err(wrong("both `resources` and `http_resources`")),
            // A later version's action may speak about something that this one does not see.
            (None, None) if actions.iter().any(|action| action.layer().is_none()) => {
                Resources::Plain(Arc::default())
            }
            (None, None) => return Err(wrong("neither `resources` nor `http_resources`")),
        };
        Ok(LiveRule { id, rule: ModelRule { name, decision, actions, resources } })
    }
}

impl From<&LivePolicy> for Policy {
    fn from(LivePolicy { id, name, scope, body }: &LivePolicy) -> Self {
        let teams: Vec<String> = scope.teams().into_iter().map(str::to_owned).collect();
        let (allowlist_v0, cedar_v1) = match body {
            LiveBody::Cedar(Cedar { text, schema_url }) => {
                (None, Some(CedarBody { text: text.clone(), schema_url: schema_url.clone() }))
            }
            LiveBody::Allowlist(rules) if rules.is_empty() => (None, None),
            LiveBody::Allowlist(rules) => {
                let domain = rules.iter().find_map(|live| live.rule.domain()).and_then(|domain| {
                    serde_json::to_value(domain).ok()?.as_str().map(str::to_owned)
                });
                (
                    Some(Allowlist { domain, rules: Some(rules.iter().map(Rule::from).collect()) }),
                    None,
                )
            }
        };
        Self {
            id: id.clone(),
            name: name.clone(),
            org: None,
            scope: Some(Scope { teams: (!teams.is_empty()).then_some(teams) }),
            created_at: None,
            updated_at: None,
            allowlist_v0,
            cedar_v1,
        }
    }
}

impl From<&LiveRule> for Rule {
    fn from(
        LiveRule { id, rule: ModelRule { name, decision, actions, resources } }: &LiveRule,
    ) -> Self {
        let (resources, http_resources) = match resources {
            Resources::Plain(plain) => (Some(plain.to_vec()), None),
            Resources::Http(http) => (None, Some(http.clone())),
        };
        let actions = actions.iter().map(ToString::to_string).collect();
        Self {
            id: id.clone(),
            name: name.clone(),
            actions,
            decision: *decision,
            resources,
            http_resources,
        }
    }
}
