//! The teams that users belong to.
//!
//! Invariant: records name no team, and nobody's is guessed: whoever is not listed has unknown
//! teams.

use std::collections::{BTreeMap, BTreeSet};

use super::requests::Requests;

/// The teams of users, by the keys that scopes hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memberships {
    users: BTreeMap<String, BTreeSet<String>>,
}

/// The teams of somebody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Teams {
    /// A member of exactly these teams; empty for a member of no team.
    Known(BTreeSet<String>),
    /// Unknown teams.
    Unknown,
}

impl Memberships {
    /// Sets the teams of a user.
    pub fn set(&mut self, user: &str, teams: impl IntoIterator<Item = String>) {
        self.users.entry(user.to_lowercase()).or_default().extend(teams);
    }

    /// The teams of a user. Docker IDs are in lower case.
    #[must_use]
    pub fn teams(&self, user: &str) -> Teams {
        match self.users.get(&user.to_lowercase()) {
            Some(teams) if !user.is_empty() => Teams::Known(teams.clone()),
            Some(_) | None => Teams::Unknown,
        }
    }

    /// The memberships that occur, sorted, and the membership of each user of the records.
    pub(super) fn classes(&self, requests: &Requests) -> (Vec<Teams>, Vec<usize>) {
        let own: Vec<Teams> = requests.users.iter().map(|user| self.teams(user)).collect();
        let all: BTreeSet<&Teams> = own.iter().collect();
        let all: Vec<Teams> = all.into_iter().cloned().collect();
        let of_user =
            own.iter().map(|teams| all.binary_search(teams).unwrap_or_default()).collect();
        (all, of_user)
    }
}
