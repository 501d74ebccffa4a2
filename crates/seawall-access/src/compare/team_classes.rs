//! Classes of equivalent teams.
//!
//! An organization has thousands of teams, but few scopes apply to a request. Teams in the same of
//! these scopes gain and lose the same, so that one of them is judged for all. Invariant: teams of
//! one class are in the same scopes of all rules that can affect the same request, so that an
//! answer for one applies to each.

use std::collections::BTreeMap;

use crate::hash::HashMap;
use crate::trie::Hit;
use crate::universe::Universe;

use super::state_clauses::{Change, Reach, StateClauses};

/// Groups of clauses that can affect the same request, directly or through others.
struct InteractingGroups(Vec<usize>);

impl InteractingGroups {
    fn new(universe: &Universe, statements: &StateClauses) -> Self {
        let mut companies = Self((0..statements.changes.len()).collect());
        let group = |hit: &Hit| universe.clause(hit).group;
        // A name may have any address.
        let mut by_address: Vec<usize> =
            universe.addresses.iter().flat_map(|class| &class.hits).map(group).collect();
        if !by_address.is_empty() {
            by_address
                .extend(universe.hosts.iter().filter_map(|class| class.hits.first()).map(group));
        }
        companies.join(by_address.into_iter());
        for hits in universe
            .hosts
            .iter()
            .map(|class| &class.hits)
            .chain(universe.folders.iter().map(|class| &class.hits))
        {
            companies.join(hits.iter().map(group));
        }
        companies
    }

    fn root(&mut self, mut group: usize) -> usize {
        while let Some(next) = self.0.get(group).copied().filter(|next| *next != group) {
            // Path halving, which shortens the next search.
            let after = self.0.get(next).copied().unwrap_or(next);
            self.0.iter_mut().skip(group).take(1).for_each(|slot| *slot = after);
            group = after;
        }
        group
    }

    fn join(&mut self, mut groups: impl Iterator<Item = usize>) {
        let Some(first) = groups.next() else { return };
        for other in groups {
            let (one, other) = (self.root(first), self.root(other));
            self.0.iter_mut().skip(one.max(other)).take(1).for_each(|slot| *slot = one.min(other));
        }
    }
}

impl StateClauses {
    /// Gives one number to teams that no rules distinguish which can affect the same request.
    pub(super) fn join_alike(&mut self, universe: &Universe) {
        let mut companies = InteractingGroups::new(universe, self);
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for group in 0..self.changes.len() {
            groups.entry(companies.root(group)).or_default().push(group);
        }
        if groups.len() < 2 {
            // They are already classified for all rules together.
            return;
        }
        let scopes = self.scopes_by_group(&universe.clauses);
        let mut numbers: HashMap<Vec<usize>, usize> = HashMap::default();
        let mut members: Vec<Vec<String>> = Vec::new();
        for groups in groups.into_values() {
            let mut sets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            let mut add = |number: usize, teams: &mut dyn Iterator<Item = usize>| {
                teams.for_each(|team| sets.entry(team).or_default().push(number));
            };
            for (number, group) in groups.iter().enumerate() {
                let Some(Change { old, new }) = self.changes.get(*group) else { continue };
                add(3 * number, &mut old.teams.iter().copied());
                add(3 * number + 1, &mut new.teams.iter().copied());
            }
            let of_company = groups.iter().filter_map(|group| scopes.get(*group)).flatten();
            for (number, scope) in of_company.enumerate() {
                add(3 * number + 2, &mut self.reached(*scope));
            }
            let mut alike: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
            for (team, sets) in sets {
                alike.entry(sets).or_default().push(team);
            }
            let mut renumbered: BTreeMap<usize, usize> = BTreeMap::new();
            for teams in alike.into_values() {
                let number = *numbers.entry(teams.clone()).or_insert_with_key(|teams| {
                    let names =
                        teams.iter().filter_map(|team| self.teams.get(*team)).flatten().cloned();
                    members.push(names.collect());
                    members.len() - 1
                });
                renumbered.extend(teams.into_iter().map(|team| (team, number)));
            }
            let renumber = |reach: &mut Reach| {
                reach.teams =
                    reach.teams.iter().filter_map(|team| renumbered.get(team)).copied().collect();
            };
            for group in groups {
                if let Some(Change { old, new }) = self.changes.get_mut(group) {
                    renumber(old);
                    renumber(new);
                }
            }
        }
        members.iter_mut().for_each(|names| names.sort());
        self.teams = members;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::classes::Spelling;
    use crate::compare::state_clauses::StateClauses;
    use crate::compare::tests::policies;
    use crate::compare::{Comparison, compare};
    use crate::essential::{Wanted, Why};
    use crate::model::TeamDirectory;
    use crate::universe::Universe;

    /// The numbers of teams in two states.
    fn classes(old: &str, new: &str) -> BTreeSet<String> {
        let mut statements = StateClauses::new(&policies(old), &policies(new));
        let clauses = std::mem::take(&mut statements.clauses);
        let (universe, _) = Universe::divide(clauses, Spelling::Any, &Wanted::new(Why::Shared));
        statements.join_alike(&universe);
        statements.teams.iter().map(|names| names.join(" ")).collect()
    }

    #[test]
    fn teams_are_one_where_nothing_tells_them_apart() {
        for (new, expected) in [
            ("a,b,c: allow connect:tcp x.example.com", &["a b c"][..]),
            // Two unrelated rules have a class each.
            (
                "a,b,c: allow connect:tcp x.example.com\na,d: allow connect:tcp y.example.com",
                &["a b c", "a d"],
            ),
            // These can affect the same request.
            (
                "a,b,c: allow connect:tcp x.example.com\na,d: deny connect:tcp **.example.com",
                &["a", "b c", "d"],
            ),
            // So can these, through a third one.
            (
                "a,b,c: allow connect:tcp x.example.com\na,d: allow connect:tcp y.example.com\n\
                 org: deny connect:tcp **.example.com",
                &["a", "b c", "d"],
            ),
            // A name may have any address.
            (
                "a,b,c: allow connect:tcp x.example.com\na: deny connect:tcp 10.0.0.0/8",
                &["a", "b c"],
            ),
            // Different rules have the same effect on both.
            ("a: allow connect:tcp x.example.com\nb: allow connect:tcp x.example.com", &["a", "b"]),
        ] {
            let expected: BTreeSet<String> =
                expected.iter().map(|names| (*names).to_owned()).collect();
            assert_eq!(classes("", new), expected, "{new}");
        }
    }

    #[test]
    fn very_many_teams_share_their_entries() {
        let teams: Vec<String> = (0..300).map(|number| format!("t{number:03}")).collect();
        let hosts: Vec<String> = (0..100).map(|number| format!("h{number}.example.com")).collect();
        let rule = |teams: &[String]| {
            format!("{}: allow connect:tcp {}", teams.join(","), hosts.join(" "))
        };
        let told = |teams: &[String]| match compare(
            &[],
            &policies(&rule(teams)),
            &TeamDirectory::default(),
        ) {
            Comparison::Complete(changes) => changes,
            Comparison::Incomplete(..) => panic!("few rules"),
        };
        let each = told(&teams[..10]).widened;
        assert_eq!(each.len(), 10 * 100);
        assert!(each.iter().all(|entry| entry.audience.alike.is_empty()));
        let shared = told(&teams).widened;
        assert_eq!(shared.len(), 100);
        for entry in shared {
            assert_eq!(
                (entry.audience.teams.as_slice(), entry.audience.alike.concat()),
                (&teams[..1], teams[1..].to_vec())
            );
        }
    }
}
