//! The audiences that get their first policy of a domain by a change, and those that lose their
//! last one.
//!
//! Without any policy of a domain, local rules of developers may apply: the manuals say that
//! everything is denied, but local rules came back in an experiment. The first policy ends that,
//! and the loss of the last one brings it back, whatever the rules of these policies say.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::audience::Audience;
use crate::model::{Domain, Policy, Scope, TeamDirectory};

/// An audience that gets its first policy of a domain, or loses its last one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Governed {
    /// The audience; the whole organization includes all its members.
    pub audience: Audience,
    /// `network`, `filesystem` or `mcp`.
    #[schemars(with = "String")]
    pub domain: Domain,
    /// The change for the audience.
    pub change: AudienceChange,
}

/// A change for an audience.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum AudienceChange {
    /// It gets its first policy of the domain.
    First,
    /// It loses its last policy of the domain.
    Last,
}

/// Compares the audiences of the policies of each domain. `teams` gives the names of teams.
pub(super) fn compare(old: &[Policy], new: &[Policy], teams: &TeamDirectory) -> Vec<Governed> {
    let mut found = Vec::new();
    for domain in Domain::ALL {
        let (old, new) = (Reach::new(old, domain), Reach::new(new, domain));
        let mut add = |keys: &[&str], was: bool, is: bool| {
            let change = match (was, is) {
                (false, true) => AudienceChange::First,
                (true, false) => AudienceChange::Last,
                (true, true) | (false, false) => return,
            };
            let mut names: Vec<String> =
                keys.iter().map(|key| teams.name(key).to_owned()).collect();
            names.sort();
            found.push(Governed {
                audience: Audience { teams: names, alike: Vec::new() },
                domain,
                change,
            });
        };
        add(&[], old.everybody, new.everybody);
        for team in old.teams.union(&new.teams) {
            let (was, is) = (old.governs(team), new.governs(team));
            // A change for everybody is reported once.
            if (was, is) != (old.everybody, new.everybody) {
                add(&[team], was, is);
            }
        }
    }
    found
}

/// Teams in the scopes of the policies of a domain.
struct Reach<'a> {
    everybody: bool,
    teams: BTreeSet<&'a str>,
}

impl<'a> Reach<'a> {
    fn new(policies: &'a [Policy], domain: Domain) -> Self {
        let scopes = policies
            .iter()
            .filter(|policy| policy.domain() == Some(domain))
            .map(|policy| &policy.scope);
        let everybody = scopes.clone().any(|scope| *scope == Scope::Organization);
        Self { everybody, teams: scopes.flat_map(Scope::teams).collect() }
    }

    fn governs(&self, team: &str) -> bool {
        self.everybody || self.teams.contains(team)
    }
}

#[cfg(test)]
mod tests {
    use super::{AudienceChange, compare};
    use crate::model::{Action, Body, Decision, Policy, Resources, Rule, Scope, TeamDirectory};

    fn policies(scopes: &[&[&str]]) -> Vec<Policy> {
        let rule = Rule {
            name: "r".to_owned(),
            decision: Decision::Deny,
            actions: vec![Action::ConnectTcp],
            resources: Resources::Plain(vec!["example.com".to_owned()].into()),
        };
        let policy = |teams: &&[&str]| Policy {
            name: "p".to_owned(),
            scope: Scope::from_teams(teams.iter().map(|team| (*team).to_owned())),
            body: Body::Allowlist(vec![rule.clone()]),
        };
        scopes.iter().map(policy).collect()
    }

    /// The scopes of the policies before and after, and the expected report.
    type Row = (
        &'static [&'static [&'static str]],
        &'static [&'static [&'static str]],
        &'static [(&'static str, AudienceChange)],
    );

    #[test]
    fn the_first_and_the_last_policy_are_told_for_whom_they_are() {
        use AudienceChange::{First, Last};
        let table: [Row; 7] = [
            (&[], &[&[]], &[("", First)]),
            (&[&[]], &[], &[("", Last)]),
            (&[&[]], &[&[], &["a"]], &[]), // a second one
            (&[&["a"]], &[&["b"]], &[("a", Last), ("b", First)]),
            (&[&["a"]], &[&[]], &[("", First)]), // `a` has one before and after
            (&[&[], &["a"]], &[&["a"]], &[("", Last)]),
            (&[&[]], &[&["a"]], &[("", Last)]),
        ];
        for (old, new, expected) in table {
            let found = compare(&policies(old), &policies(new), &TeamDirectory::default());
            let found: Vec<(String, AudienceChange)> =
                found.into_iter().map(|one| (one.audience.teams.join(" "), one.change)).collect();
            let expected: Vec<(String, AudienceChange)> =
                expected.iter().map(|(team, turn)| ((*team).to_owned(), *turn)).collect();
            assert_eq!(found, expected, "{old:?} {new:?}");
        }
    }
}
