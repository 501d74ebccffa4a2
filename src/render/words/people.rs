//! The people that changes and policies are for.

use std::collections::{BTreeMap, BTreeSet};

use super::enumerate;
use crate::diagnostic::list;
use crate::model::{Domain, Scope, TeamDirectory};
use crate::plan::governed::{AudienceChange, Governed};
use crate::plan::meaning::Audience;

/// An audience, to follow `gained by`. `write` formats the names of teams.
#[must_use]
pub fn people(audience: &Audience, write: impl Fn(&str) -> String) -> String {
    match audience.teams.as_slice() {
        [] => "the whole organization".to_owned(),
        teams @ [_] => format!("members of {}", audience.names(teams, write).concat()),
        teams => format!("members of {} together", audience.names(teams, write).join(" and ")),
    }
}

/// The members of these teams, or the whole organization, as the people that a policy is for.
/// `write` formats the names of teams.
#[must_use]
pub fn members(teams: &[String], write: impl Fn(&str) -> String) -> String {
    match teams {
        [] => "the whole organization".to_owned(),
        teams => {
            let names: Vec<String> = teams.iter().map(|team| write(team)).collect();
            format!("members of {}", list::listed(&names))
        }
    }
}

/// Names of the teams that a scope governs, sorted, not sanitized; empty for the whole
/// organization.
#[must_use]
pub fn team_names<'a>(scope: &'a Scope, teams: &'a TeamDirectory) -> Vec<&'a str> {
    let mut names: Vec<&str> = scope.teams().into_iter().map(|key| teams.name(key)).collect();
    names.sort_unstable();
    names
}

/// A sentence for each audience that gets its first policies or loses its last ones, sorted.
/// `people` formats an audience.
#[must_use]
pub fn governed(all: &[Governed], people: impl Fn(&Audience) -> String) -> Vec<String> {
    let mut domains: BTreeMap<(AudienceChange, &Audience), BTreeSet<Domain>> = BTreeMap::new();
    for Governed { audience, domain, change } in all {
        domains.entry((*change, audience)).or_default().insert(*domain);
    }
    let sentence = |((change, audience), domains): (
        (AudienceChange, &Audience),
        BTreeSet<Domain>,
    )| {
        let names: Vec<&str> = domains.into_iter().map(Domain::title).collect();
        let (people, policies) = (people(audience), list::noun(names.len(), "policy"));
        match change {
            AudienceChange::First => {
                format!(
                    "first {} {policies} for {people}: all else is denied now, whatever local rules allowed",
                    enumerate(&names, "and")
                )
            }
            AudienceChange::Last => {
                format!(
                    "no {} policy is left for {people}: local rules may apply again",
                    enumerate(&names, "or")
                )
            }
        }
    };
    domains.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::gain;
    use super::governed;
    use crate::model::Domain;
    use crate::plan::governed::{AudienceChange, Governed};
    use crate::plan::meaning::Audience;

    #[test]
    fn audiences_and_their_first_policies_come_sorted() {
        let one = |team: &str, domain, change| Governed {
            audience: Audience::clone(&gain(team, "", true, false).audience),
            domain,
            change,
        };
        let all = [
            one("zeta", Domain::Network, AudienceChange::Last),
            one("mid", Domain::Mcp, AudienceChange::First),
            one("alpha", Domain::Filesystem, AudienceChange::First),
            one("mid", Domain::Filesystem, AudienceChange::First),
            one("mid", Domain::Network, AudienceChange::First),
            one("zeta", Domain::Mcp, AudienceChange::Last),
        ];
        assert_eq!(
            governed(&all, ToString::to_string),
            [
                "first file system policy for alpha: all else is denied now, whatever local rules allowed",
                "first network, file system and MCP policies for mid: all else is denied now, whatever local rules allowed",
                "no network or MCP policy is left for zeta: local rules may apply again",
            ]
        );
    }
}
