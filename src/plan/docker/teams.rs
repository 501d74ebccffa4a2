//! The resolution of the teams that documents name to the ids of the service.

use std::cell::LazyCell;
use std::collections::BTreeSet;

use thiserror::Error;

use super::{Difference, matching};
use crate::diagnostic::list;
use crate::diagnostic::one_of;
use crate::model::{
    Body, Desired, Live, LiveBody, LivePolicy, Origin, Policy, Scope, TeamDirectory, TeamLookup,
};
use crate::plan::meaning::Meaning;
use crate::plan::warning::Warning;

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

/// The documents with team ids in place of names. The id of a deleted team is accepted where the
/// live policy has it: the service refuses such an id in a call, and no call repeats a scope that
/// stays.
///
/// # Errors
///
/// Returns every team that cannot be resolved, in the order of the policies.
pub fn resolve(desired: &Desired, live: &Live) -> Result<Desired, Vec<TeamError>> {
    let matched = LazyCell::new(|| matching::policies(&desired.policies, &live.policies));
    let mut resolved = desired.clone();
    let mut errors = Vec::new();
    for (index, declared) in resolved.policies.iter_mut().enumerate() {
        let Scope::Teams(names) = &declared.policy.scope else { continue };
        let (policy, at) = (&declared.policy.name, &declared.origin);
        let mut ids = BTreeSet::new();
        let mut unknown = Vec::new();
        for team in names {
            let team = team.clone();
            match live.teams.resolve(&team) {
                TeamLookup::Found(id) => {
                    ids.insert(id);
                }
                TeamLookup::Unknown => {
                    ids.insert(team.clone());
                    let teams = live.teams.iter().map(|team| team.name).collect();
                    let (policy, at) = (policy.clone(), at.clone());
                    unknown.push(TeamError::Unknown { policy, team, teams, at });
                }
                TeamLookup::Ambiguous(ids) => {
                    let (policy, at) = (policy.clone(), at.clone());
                    errors.push(TeamError::Ambiguous { policy, team, ids, at });
                }
            }
        }
        declared.policy.scope = Scope::from_teams(ids);
        if !unknown.is_empty() {
            let live = matched.get(index).copied().flatten().and_then(|at| live.policies.get(at));
            if !live.is_some_and(|live| keeps_scope(live, &declared.policy)) {
                errors.extend(unknown);
            }
        }
    }
    if errors.is_empty() { Ok(resolved) } else { Err(errors) }
}

/// Returns `true` if no call about a policy carries its scope. A Cedar policy that becomes an
/// allowlist, and the reverse, is created again.
fn keeps_scope(live: &LivePolicy, declared: &Policy) -> bool {
    let (was, is) = (&live.body, &declared.body);
    live.scope == declared.scope
        && matches!(was, LiveBody::Cedar(_)) == matches!(is, Body::Cedar(_))
}

/// The ids in a scope that no team of the organization has: those of deleted teams.
pub(crate) fn deleted_in<'a>(
    scope: &'a Scope,
    teams: &'a TeamDirectory,
) -> impl Iterator<Item = &'a str> {
    scope.teams().into_iter().filter(|id| teams.resolve(id) == TeamLookup::Unknown)
}

/// Warns of policies that are for deleted teams.
pub(crate) fn deleted(desired: &Desired, teams: &TeamDirectory) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for declared in &desired.policies {
        let deleted = deleted_in(&declared.policy.scope, teams);
        warnings.extend(
            deleted.map(|id| Warning::deleted_team(&declared.policy.name, id, &declared.origin)),
        );
    }
    warnings
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
    let (before, after) = difference.change.naming();
    before.into_iter().chain(after).map(|(_, scope)| scope)
}

#[cfg(test)]
mod tests {
    use super::{deleted, resolve};
    use crate::model::{
        Body, Cedar, Desired, DesiredPolicy, Domain, Live, LiveBody, LivePolicy, Origin, Policy,
        PolicyId, Scope, Team, TeamDirectory,
    };

    const CEDAR: &str = "a Cedar policy";

    fn scope(teams: &[&str]) -> Scope {
        Scope::from_teams(teams.iter().map(|team| (*team).to_owned()))
    }

    fn cedar() -> Cedar {
        Cedar {
            text: "permit (principal, action, resource);".to_owned(),
            schema_url: String::new(),
        }
    }

    fn declared(name: &str, previously: &[&str], teams: &[&str]) -> Desired {
        let body = match name == CEDAR {
            true => Body::Cedar(cedar()),
            false => Body::Allowlist(Vec::new()),
        };
        let policy = DesiredPolicy {
            policy: Policy { name: name.to_owned(), scope: scope(teams), body },
            domain: Domain::Network,
            previously: previously.iter().map(|name| (*name).to_owned()).collect(),
            orgs: Vec::new(),
            origin: Origin { file: "a.yaml".to_owned(), line: 3, column: 1 },
            rules: Vec::new(),
        };
        Desired { policies: vec![policy], ..Desired::default() }
    }

    #[test]
    fn a_deleted_team_is_accepted_where_no_call_sends_it() {
        let team = |id: &str, name: &str| Team { id: id.to_owned(), name: name.to_owned() };
        let live_policy = |name: &str, teams: &[&str]| LivePolicy {
            id: PolicyId(name.to_owned()),
            name: name.to_owned(),
            scope: scope(teams),
            body: LiveBody::Allowlist(Vec::new()),
        };
        let live = Live {
            org: "my-org".to_owned(),
            policies: vec![
                live_policy("alone", &["gone"]),
                live_policy("both", &["gone", "1"]),
                live_policy(CEDAR, &["gone"]),
            ],
            teams: TeamDirectory::new([team("1", "research"), team("2", "design")]),
        };
        /// The name, the earlier names, the teams, and the deleted teams that are accepted, or
        /// `None` for an error.
        type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], Option<usize>);
        let table: [Row<'_>; 10] = [
            ("alone", &[], &["gone"], Some(1)),
            ("renamed", &["alone"], &["gone"], Some(1)),
            ("both", &[], &["research", "gone"], Some(1)),
            // The call that removes the team sends only teams that the organization has.
            ("both", &[], &["research"], Some(0)),
            ("both", &[], &["gone"], None),
            ("both", &[], &["design", "gone"], None),
            ("alone", &[], &["gone", "missing"], None),
            ("new", &[], &["gone"], None),
            ("alone", &[], &["missing"], None),
            // The allowlist would be deleted, and the Cedar policy could not be created.
            (CEDAR, &[], &["gone"], None),
        ];
        for (name, previously, teams, expected) in table {
            let resolved = resolve(&declared(name, previously, teams), &live);
            let found = resolved.ok().map(|resolved| deleted(&resolved, &live.teams).len());
            assert_eq!(found, expected, "{name} for {teams:?}");
        }
    }

    #[test]
    fn a_team_that_is_not_the_only_one_is_told_with_what_to_do() {
        let advice = |teams: &[(&str, &str)], written: &str| -> String {
            let teams =
                teams.iter().map(|(id, name)| Team { id: (*id).into(), name: (*name).into() });
            let live = Live { teams: TeamDirectory::new(teams), ..Live::default() };
            let errors = resolve(&declared("new", &[], &[written]), &live).unwrap_err();
            errors.iter().map(super::TeamError::hint).collect()
        };
        assert_eq!(advice(&[], "research"), "create the team first");
        let near = advice(&[("1", "research"), ("2", "design")], "reserch");
        assert!(near.starts_with("did you mean `research`? "), "{near}");
        assert!(near.ends_with("; or create the team first"), "{near}");
        assert_eq!(
            advice(&[("1", "sales"), ("2", "sales")], "sales"),
            "write the id of the one that is meant: 1, 2"
        );
    }
}
