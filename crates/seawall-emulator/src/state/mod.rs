//! The state of the services: organizations, their teams and policies.
//!
//! Invariant: a clone is cheap (policies are shared) and is a complete earlier state, so that a
//! call that cannot be made durable is undone by restoring the clone, and the changes of a call are
//! found by comparing the two.

mod docker;
mod vijil;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::identity;
use seawall_access::model::Team;

pub use docker::{Allowlist, Cedar, Policy, Rule, Scope};
pub(super) use vijil::Stored;
pub use vijil::VijilState;

/// Everything that outlives a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Organizations by name.
    pub orgs: BTreeMap<String, Org>,
    /// The number of ids that were given; an id is never reused, not even after a deletion.
    pub ids_given: u64,
    /// Separates the emulator's own ids from those of a seed, which may come from another emulator.
    pub ids_salt: String,
    /// The state of the Vijil side.
    pub vijil: VijilState,
}

/// An organization of Docker Hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Org {
    /// Teams by id (`uuid`); there may be thousands, which most calls do not change.
    pub teams: Arc<BTreeMap<String, Group>>,
    /// Policies by id.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// Audit records in the form of the API, in the order in which they were written; none is ever
    /// removed.
    pub records: Arc<Vec<Arc<Value>>>,
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

    /// The organization, created if it is new.
    pub fn org_mut(&mut self, name: &str) -> &mut Org {
        self.orgs.entry(name.to_owned()).or_default()
    }
}

impl Org {
    /// Adds a team unless one has this name; returns its id, which depends on the two names only.
    pub fn ensure_team(&mut self, org: &str, name: &str) -> String {
        if let Some((id, _)) = self.teams.iter().find(|(_, team)| team.name == name) {
            return id.clone();
        }
        let id = identity::team_id(org, name);
        self.add_team(id.clone(), name);
        id
    }

    /// Adds each team whose name is new.
    pub fn ensure_teams<'a>(&mut self, org: &str, names: impl IntoIterator<Item = &'a String>) {
        let known: BTreeSet<String> = self.teams.values().map(|team| team.name.clone()).collect();
        self.add_teams(
            names
                .into_iter()
                .filter(|name| !known.contains(*name))
                .map(|name| Team { id: identity::team_id(org, name), name: name.clone() }),
        );
    }

    /// Adds a team with a given id.
    pub fn add_team(&mut self, id: String, name: &str) {
        self.add_teams([Team { id, name: name.to_owned() }]);
    }

    /// Adds the teams whose ids are new.
    pub fn add_teams(&mut self, teams: impl IntoIterator<Item = Team>) {
        let mut number = self.teams.values().map(|team| team.number).max().unwrap_or(0);
        let own = Arc::make_mut(&mut self.teams);
        for Team { id, name } in teams {
            own.entry(id).or_insert_with(|| {
                number += 1;
                Group { number, name, ..Group::default() }
            });
        }
    }

    /// The policy of this name.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.values().find(|policy| policy.name == name).map(Arc::as_ref)
    }

    /// The policy of this name, for edits behind the callers' backs.
    pub fn policy_mut(&mut self, name: &str) -> Option<&mut Policy> {
        self.policies.values_mut().find(|policy| policy.name == name).map(Arc::make_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teams_are_added_together_and_shared_by_clones() {
        let mut org = Org::default();
        let names: Vec<String> = (0..3).map(|number| format!("t{number}")).collect();
        let first = org.ensure_team("acme", "t1");
        org.ensure_teams("acme", &names);
        assert_eq!(org.teams.len(), 3);
        assert_eq!(org.ensure_team("acme", "t1"), first);
        let numbers: BTreeSet<u64> = org.teams.values().map(|team| team.number).collect();
        assert_eq!(numbers, BTreeSet::from([1, 2, 3]));
        assert!(Arc::ptr_eq(&org.teams, &org.clone().teams));
    }
}
