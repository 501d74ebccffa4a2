//! State to start from: a snapshot of an organization, or what documents ask for.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::docker::{self, Allowlist, Cedar, Policy, Rule, Scope};
use super::identity;
use super::state::State;
use crate::model::{Body, Desired, Resources, Team};

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

/// A seed that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// Not JSON, or not of the shape of a snapshot.
    #[error("the seed is not a snapshot: {0}")]
    Shape(String),
    /// A snapshot of a later version.
    #[error("the snapshot has format version {0}, this version reads 1")]
    Version(Value),
}

impl Seed {
    /// Reads the Docker half of a snapshot file:
    /// `{"format_version": 1, "docker": {"org", "teams": [{"id", "name"}], "policies": [<Policy>]}}`.
    ///
    /// # Errors
    /// Text that is no snapshot, or one of another version.
    pub fn from_snapshot(text: &str) -> Result<Self, SeedError> {
        let shape = |error: serde_json::Error| SeedError::Shape(error.to_string());
        let mut snapshot: Value = serde_json::from_str(text).map_err(shape)?;
        match snapshot.get("format_version") {
            Some(version) if *version == json!(1) => {}
            Some(version) => return Err(SeedError::Version(version.clone())),
            None => return Err(SeedError::Shape("`format_version` is missing".to_owned())),
        }
        let Some(docker) = snapshot.get_mut("docker") else { return Ok(Self::default()) };
        let mut take = |key: &str| docker.get_mut(key).map(Value::take).unwrap_or_default();
        let (org, teams, policies) = (take("org"), take("teams"), take("policies"));
        Ok(Self {
            org: serde_json::from_value(org).map_err(shape)?,
            teams: serde_json::from_value::<Option<Vec<Team>>>(teams).map_err(shape)?.unwrap_or_default(),
            policies: serde_json::from_value::<Option<Vec<Policy>>>(policies).map_err(shape)?.unwrap_or_default(),
        })
    }

    /// What documents ask for, as if it had been applied. A team that a scope names and the seed does not know is
    /// made: by its id where the text is a UUID, by its name otherwise.
    #[must_use]
    pub fn from_desired(org: &str, desired: &Desired, teams: Vec<Team>) -> Self {
        let mut seed = Self { org: Some(org.to_owned()), teams, policies: Vec::new() };
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
