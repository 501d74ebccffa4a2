//! Recorded requests with the memberships of their users.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use crate::diagnostic::list;
use crate::evidence::{Memberships, Reading};
use crate::model::{Live, Team, TeamDirectory, TeamLookup};
use crate::plan;

/// Recorded requests with known memberships of their users.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// The requests of the records.
    pub(crate) reading: Reading,
    /// The teams that `--teams` lists.
    pub(super) listed: Option<Listed>,
    /// True to include the names of users.
    pub(super) named: bool,
}

/// The teams of each user that is listed in `--teams`, by name.
pub(super) type Listed = BTreeMap<String, BTreeSet<String>>;

/// The ids of the teams of an organization's members, by their Docker IDs in lower case.
pub(crate) type Members = BTreeMap<String, BTreeSet<String>>;

impl Evidence {
    /// The number of lines and objects that are not records.
    pub(crate) fn broken(&self) -> u64 {
        self.reading.requests.skipped.broken
    }

    /// The memberships of the users, for the scopes of documents.
    pub(crate) fn memberships_by_name(&self) -> Memberships {
        by_name(self.listed.as_ref())
    }

    /// The listed memberships, for the scopes of documents.
    pub(crate) fn listed_teams(&self) -> TeamDirectory {
        let names: BTreeSet<&String> =
            self.listed.iter().flatten().flat_map(|(_, teams)| teams).collect();
        TeamDirectory::new(
            names.into_iter().map(|name| Team { id: name.clone(), name: name.clone() }),
        )
    }

    /// Returns `true` if the memberships have to be read from the service, because no file lists
    /// them.
    pub(crate) fn asks_for_teams(&self) -> bool {
        self.listed.is_none()
    }

    /// The memberships of the users, for scopes with the ids of an organization's teams: the listed
    /// ones, otherwise those of the service. If the service lists any, a user without a team is a
    /// member of none, unless the name is not a Docker ID, as in old records.
    pub(crate) fn memberships(
        &self,
        context: &Context,
        live: &Live,
        members: Option<&Members>,
    ) -> Memberships {
        if let Some(listed) = &self.listed {
            return by_id(context, listed, live);
        }
        let mut memberships = Memberships::default();
        let Some(members) = members else { return memberships };
        for user in self.reading.requests.users.iter().filter(|user| is_docker_id(user)) {
            let teams = members.get(&user.to_lowercase()).cloned().unwrap_or_default();
            memberships.set(user, teams);
        }
        memberships
    }

    /// The records as the input of a plan.
    pub(crate) fn for_plan<'a>(
        &'a self,
        memberships: &'a Memberships,
    ) -> plan::recorded::Evidence<'a> {
        plan::recorded::Evidence {
            requests: &self.reading.requests,
            memberships,
            named: self.named,
        }
    }
}

/// Returns `true` if the name may be a Docker ID. Old records hold the UUID of an account, and some
/// an e-mail address.
fn is_docker_id(user: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let is_part = |(part, length): (&str, usize)| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let is_uuid =
        user.split('-').count() == lengths.len() && user.split('-').zip(lengths).all(is_part);
    !(user.is_empty() || is_uuid || user.contains(['@', ' ']))
}

/// Memberships for the scopes of documents.
fn by_name(listed: Option<&Listed>) -> Memberships {
    let mut memberships = Memberships::default();
    for (user, teams) in listed.into_iter().flatten() {
        memberships.set(user, teams.iter().cloned());
    }
    memberships
}

/// Memberships for scopes with the ids of an organization's teams.
fn by_id(context: &Context, listed: &Listed, live: &Live) -> Memberships {
    let mut memberships = Memberships::default();
    let mut unknown: BTreeSet<&str> = BTreeSet::new();
    for (user, teams) in listed {
        let mut ids = BTreeSet::new();
        for team in teams {
            match live.teams.resolve(team) {
                TeamLookup::Found(id) => drop(ids.insert(id)),
                // A team that the organization does not have is in no scope.
                TeamLookup::Unknown => {
                    unknown.insert(team);
                    ids.insert(team.clone());
                }
                TeamLookup::Ambiguous(all) => ids.extend(all),
            }
        }
        memberships.set(user, ids);
    }
    if !unknown.is_empty() {
        let names = list::quoted(&unknown.into_iter().collect::<Vec<_>>());
        context.note(&format!("note: the organization does not have the teams {names}"));
    }
    memberships
}

#[cfg(test)]
mod tests {
    use super::is_docker_id;

    #[test]
    fn what_is_no_docker_id_belongs_to_nobody_that_the_service_knows() {
        assert!(is_docker_id("ana") && is_docker_id("user-a-b-c-d"));
        for other in ["", "ana@corp.example", "95e7257f-93c9-4f29-bde7-88830e2dae80"] {
            assert!(!is_docker_id(other), "{other}");
        }
    }
}
