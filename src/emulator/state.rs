//! What the services hold: organizations, their teams and policies.
//!
//! Invariant: a clone is cheap (policies are shared) and is a whole earlier state, so that a call that cannot be made
//! durable is undone by putting the clone back, and what a call changed is found by comparing the two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::docker::Policy;
use super::identity;
use super::vijil::Agents;

/// Everything that outlives a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Organizations by name.
    pub orgs: BTreeMap<String, Org>,
    /// How many ids were given; an id is never given again, also not after a delete.
    pub ids_given: u64,
    /// Sets the ids that are given apart from those that came with a seed, maybe from another emulator.
    pub ids_salt: String,
    /// What the Vijil side holds.
    pub agents: Agents,
}

/// An organization of Docker Hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Org {
    /// Teams by id (`uuid`).
    pub teams: BTreeMap<String, Group>,
    /// Policies by id.
    pub policies: BTreeMap<String, Arc<Policy>>,
}

/// A team, which the Hub calls a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The Hub's number of the group; never sent in a scope.
    pub number: u64,
    /// Unique in the organization.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Docker IDs.
    pub members: BTreeSet<String>,
}

impl State {
    /// The next id with this prefix (`pol_`, `rule_`) and 28 lower-case letters and digits.
    pub fn next_id(&mut self, prefix: &str) -> String {
        self.ids_given += 1;
        format!("{prefix}{}", identity::alphanumeric(&self.ids_salt, self.ids_given))
    }

    /// The next id in the form of a UUID.
    pub fn next_uuid(&mut self) -> String {
        self.ids_given += 1;
        identity::uuid(&self.ids_salt, self.ids_given)
    }

    /// The organization, made if it is new.
    pub fn org_mut(&mut self, name: &str) -> &mut Org {
        self.orgs.entry(name.to_owned()).or_default()
    }
}

impl Org {
    /// Adds a team if none has this name, and gives its id, which depends on the two names alone.
    pub fn ensure_team(&mut self, org: &str, name: &str) -> String {
        if let Some((id, _)) = self.teams.iter().find(|(_, team)| team.name == name) {
            return id.clone();
        }
        let id = identity::team_id(org, name);
        self.add_team(id.clone(), name);
        id
    }

    /// Adds a team with a given id.
    pub fn add_team(&mut self, id: String, name: &str) {
        let number = self.teams.values().map(|team| team.number).max().unwrap_or(0) + 1;
        self.teams.insert(id, Group { number, name: name.to_owned(), ..Group::default() });
    }

    /// The policy of this name.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.values().find(|policy| policy.name == name).map(Arc::as_ref)
    }

    /// The policy of this name, to be edited behind the callers' backs.
    pub fn policy_mut(&mut self, name: &str) -> Option<&mut Policy> {
        self.policies.values_mut().find(|policy| policy.name == name).map(Arc::make_mut)
    }
}
