//! State to start from: a snapshot of an organization, or what documents ask for.

use std::sync::Arc;

use jiff::Timestamp;

use super::docker::{self, Allowlist, Cedar, Policy, Rule, Scope};
use super::identity;
use super::state::State;
use crate::model::{Body, Desired, Resources, Team};
use crate::service::docker::wire;
use crate::service::docker::{DockerSnapshot, Snapshot};

/// What an organization starts with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seed {
    /// The organization's name, where the seed says it.
    pub org: Option<String>,
    /// Its teams.
    pub teams: Vec<Team>,
    /// Whole policies, as the API shows them; an empty id or time is filled in.
    pub policies: Vec<Policy>,
}

impl From<Snapshot> for Seed {
    fn from(snapshot: Snapshot) -> Self {
        let DockerSnapshot { org, teams, policies } = snapshot.docker;
        Self { org: Some(org), teams, policies: policies.into_iter().map(Policy::from).collect() }
    }
}

impl Seed {
    /// What documents ask for, as if it had been applied. `teams` and the teams that scopes name are made: by its id
    /// where the text is a UUID, by its name otherwise.
    #[must_use]
    pub fn from_desired(org: &str, desired: &Desired, teams: Vec<String>) -> Self {
        let mut seed = Self { org: Some(org.to_owned()), ..Self::default() };
        for team in teams {
            seed.team_id(org, &team);
        }
        for declared in &desired.policies {
            let policy = &declared.policy;
            let teams: Vec<String> = policy.scope.teams().into_iter().map(|key| seed.team_id(org, key)).collect();
            let (allowlist_v0, cedar_v1) = match &policy.body {
                Body::Allowlist(rules) if rules.is_empty() => (None, None),
                Body::Allowlist(rules) => {
                    let mut allowlist = Allowlist { domain: None, rules: rules.iter().map(rule).collect() };
                    allowlist.derive_domain();
                    (Some(allowlist), None)
                }
                Body::Cedar(cedar) => {
                    let crate::model::Cedar { text, schema_url } = cedar.clone();
                    (None, Some(Cedar { text, schema_url }))
                }
            };
            seed.policies.push(Policy {
                id: String::new(),
                name: policy.name.clone(),
                org: org.to_owned(),
                scope: Scope { teams: (!teams.is_empty()).then_some(teams) },
                created_at: String::new(),
                updated_at: String::new(),
                allowlist_v0,
                cedar_v1,
            });
        }
        seed
    }

    fn team_id(&mut self, org: &str, key: &str) -> String {
        if let Some(team) = self.teams.iter().find(|team| team.id == key || team.name == key) {
            return team.id.clone();
        }
        let id = if identity::is_uuid(key) { key.to_owned() } else { identity::team_id(org, key) };
        self.teams.push(Team { id: id.clone(), name: key.to_owned() });
        id
    }

    /// Puts the seed into an organization. Nothing is refused: a seed may hold what the service would not take today.
    pub(super) fn sow(self, state: &mut State, org: &str, now: Timestamp) {
        for Team { id, name } in self.teams {
            if !state.org_mut(org).teams.contains_key(&id) {
                state.org_mut(org).add_team(id, &name);
            }
        }
        let seeded = self.policies.iter().flat_map(|policy| {
            let rules = policy.rules().iter().map(|rule| rule.id.as_str());
            std::iter::once(policy.id.as_str()).chain(rules)
        });
        state.ids_salt = identity::salt(seeded);
        for mut policy in self.policies {
            org.clone_into(&mut policy.org);
            for time in [&mut policy.created_at, &mut policy.updated_at] {
                if time.is_empty() {
                    *time = docker::time(now);
                }
            }
            let mut id = |id: &mut String, prefix: &str| {
                if id.is_empty() {
                    *id = state.next_id(prefix);
                }
            };
            id(&mut policy.id, "pol_");
            for rule in policy.allowlist_v0.iter_mut().flat_map(|allowlist| &mut allowlist.rules) {
                id(&mut rule.id, "rule_");
            }
            state.org_mut(org).policies.insert(policy.id.clone(), Arc::new(policy));
        }
    }
}

fn rule(rule: &crate::model::Rule) -> Rule {
    let crate::model::Rule { name, decision, actions, resources } = rule.clone();
    let (resources, http_resources) = match resources {
        Resources::Plain(plain) => (Some(plain), None),
        Resources::Http(http) => (None, Some(http)),
    };
    let actions = actions.iter().map(ToString::to_string).collect();
    Rule { id: String::new(), name, actions, resources, http_resources, decision }
}

impl From<wire::Policy> for Policy {
    fn from(policy: wire::Policy) -> Self {
        let wire::Policy { id, name, org, scope, created_at, updated_at, allowlist_v0, cedar_v1 } = policy;
        Self {
            id: id.0,
            name,
            org: org.unwrap_or_default(),
            scope: Scope { teams: scope.and_then(|wire::Scope { teams }| teams) },
            created_at: created_at.unwrap_or_default(),
            updated_at: updated_at.unwrap_or_default(),
            allowlist_v0: allowlist_v0.map(|wire::Allowlist { domain, rules }| Allowlist {
                domain,
                rules: rules.unwrap_or_default().into_iter().map(Rule::from).collect(),
            }),
            cedar_v1: cedar_v1.map(|wire::CedarBody { text, schema_url }| Cedar { text, schema_url }),
        }
    }
}

impl From<wire::Rule> for Rule {
    fn from(rule: wire::Rule) -> Self {
        let wire::Rule { id, name, actions, decision, resources, http_resources } = rule;
        Self { id: id.0, name, actions, resources, http_resources, decision }
    }
}
