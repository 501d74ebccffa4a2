//! The resolution of the teams that documents name to the ids of the service.

use std::collections::BTreeSet;

use thiserror::Error;

use super::Difference;
use crate::diagnostic::list;
use crate::diagnostic::one_of;
use crate::model::{Desired, Live, Origin, Scope, TeamDirectory, TeamLookup};
use crate::plan::meaning::Meaning;

/// A team of a scope that cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TeamError {
    /// The organization has no such team.
    #[error("`{policy}` is for the team `{team}`, which the organization does not have")]
    Unknown {
        /// The policy's name.
        policy: String,
        /// The team as the document writes it.
        team: String,
        /// The names of the teams that the organization has.
        teams: Vec<String>,
        /// The place where the policy is declared.
        at: Origin,
    },
    /// Several teams have this name.
    #[error("`{policy}` is for the team `{team}`, and {} teams have that name", ids.len())]
    Ambiguous {
        /// The policy's name.
        policy: String,
        /// The team as the document writes it.
        team: String,
        /// The ids of the teams.
        ids: Vec<String>,
        /// The place where the policy is declared.
        at: Origin,
    },
}

impl TeamError {
    /// The place where the policy is declared.
    #[must_use]
    pub fn at(&self) -> &Origin {
        let (Self::Unknown { at, .. } | Self::Ambiguous { at, .. }) = self;
        at
    }

    /// The advice, in the imperative.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { teams, .. } if teams.is_empty() => "create the team first".to_owned(),
            Self::Unknown { team, teams, .. } => {
                format!(
                    "{}; or create the team first",
                    one_of(team, teams.iter().map(String::as_str))
                )
            }
            Self::Ambiguous { ids, .. } => {
                format!("write the id of the one that is meant: {}", list::listed(ids))
            }
        }
    }
}

/// The documents with team ids in place of names.
///
/// # Errors
///
/// Returns every team that cannot be resolved, in the order of the policies.
pub fn resolve(desired: &Desired, teams: &TeamDirectory) -> Result<Desired, Vec<TeamError>> {
    let mut resolved = desired.clone();
    let mut errors = Vec::new();
    for declared in &mut resolved.policies {
        let Scope::Teams(names) = &declared.policy.scope else { continue };
        let mut ids = BTreeSet::new();
        for team in names {
            let (policy, team, at) =
                (declared.policy.name.clone(), team.clone(), declared.origin.clone());
            match teams.resolve(&team) {
                TeamLookup::Found(id) => {
                    ids.insert(id);
                }
                TeamLookup::Unknown => {
                    let teams = teams.iter().map(|team| team.name).collect();
                    errors.push(TeamError::Unknown { policy, team, teams, at });
                }
                TeamLookup::Ambiguous(ids) => {
                    errors.push(TeamError::Ambiguous { policy, team, ids, at })
                }
            }
        }
        declared.policy.scope = Scope::from_teams(ids);
    }
    if errors.is_empty() { Ok(resolved) } else { Err(errors) }
}

/// The teams that a plan depends on: those whose ids are in a scope that it touches, those whose
/// names its access section shows, and every other team with one of these names. A reviewer reads
/// names while the service takes ids: only if all of this stays the same, the calls are about the
/// teams that were reviewed.
pub(crate) fn named<'a>(
    live: &'a Live,
    differences: impl Iterator<Item = &'a Difference> + Clone,
    access: &Meaning,
) -> TeamDirectory {
    let touched = crate::plan::existing_ids(differences.clone());
    let own = live
        .policies
        .iter()
        .filter(|policy| touched.contains(policy.id.0.as_str()))
        .map(|policy| &policy.scope);
    let ids: BTreeSet<&str> =
        own.chain(differences.flat_map(scopes)).flat_map(Scope::teams).collect();
    let mut names: BTreeSet<String> =
        access.audiences().flat_map(|audience| audience.teams.clone()).collect();
    names.extend(
        live.teams.iter().filter(|team| ids.contains(team.id.as_str())).map(|team| team.name),
    );
    TeamDirectory::new(
        live.teams
            .iter()
            .filter(|team| ids.contains(team.id.as_str()) || names.contains(&team.name)),
    )
}

/// The scopes in a difference.
fn scopes(difference: &Difference) -> impl Iterator<Item = &Scope> {
    let (before, after) = difference
        .change
        .naming()
        .map(|head| head.map(|(_, scope)| scope).sides())
        .unwrap_or_default();
    before.into_iter().chain(after)
}
