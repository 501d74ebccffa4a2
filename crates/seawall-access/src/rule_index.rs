//! The groups of rules that can have a say in the same request, found without looking at every
//! request.
//!
//! Invariant: two groups of which no request is matched by rules of both may be found, and no
//! others are missed. Found without need are those whose patterns have wildcards for a part of a
//! label, or lie below home folders, in doubt.

use std::collections::{BTreeMap, BTreeSet};

use super::clause::{Actions, Clause, Target, clauses};
use super::host::HostPattern;
use super::target_index::TargetIndex;
use crate::model::Rule;

/// Rules by what they speak about.
#[derive(Debug)]
pub struct RuleIndex {
    targets: TargetIndex,
    entries: Vec<Entry>,
    /// The groups by kind of target, with what they speak about there.
    groups: [BTreeMap<usize, Actions>; 4],
}

#[derive(Debug)]
struct Entry {
    group: usize,
    connects: Actions,
    port: Option<u16>,
}

/// The kinds of target that are told apart.
#[derive(Clone, Copy)]
enum Kind {
    Names,
    Addresses,
    Blocks,
    Folders,
}

impl Kind {
    fn of(target: &Target) -> Self {
        match target.host() {
            None => Self::Folders,
            Some(HostPattern::Names(_)) => Self::Names,
            Some(HostPattern::Address(_)) => Self::Addresses,
            Some(HostPattern::Cidr(_)) => Self::Blocks,
        }
    }
}

impl Default for RuleIndex {
    fn default() -> Self {
        Self { targets: TargetIndex::new([]), entries: Vec::new(), groups: Default::default() }
    }
}

impl RuleIndex {
    /// Adds a rule of a group.
    pub fn insert(&mut self, rule: &Rule, group: usize) {
        for clause in clauses(rule, group) {
            let number =
                u32::try_from(self.entries.len()).expect("fewer clauses than bytes of policies");
            self.targets.insert(&clause.target, number);
            let connects = connects(&clause);
            if let Some(groups) = self.groups.get_mut(Kind::of(&clause.target) as usize) {
                let all = groups.entry(group).or_default();
                *all = all.union(connects);
            }
            self.entries.push(Entry { group, connects, port: clause.target.port() });
        }
    }

    /// Returns `true` if no rule of the index has a target.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds the groups that may share a request with a rule, until there are more than `most`.
    pub fn find(&self, rule: &Rule, most: usize, found: &mut BTreeSet<usize>) {
        if self.entries.is_empty() {
            return;
        }
        let mut crossed = [Actions::default(); 4];
        for clause in self.targets.maybe_near(rule, 0) {
            let (kind, own) = (Kind::of(&clause.target), connects(&clause));
            let crosses = match clause.target.host() {
                // Whatever its name, a host may have an address of a block.
                Some(HostPattern::Names(_)) => Some(Kind::Blocks),
                Some(HostPattern::Cidr(_)) => Some(Kind::Names),
                Some(HostPattern::Address(_)) | None => None,
            };
            if let Some(other) = crosses
                && let Some(crossed) = crossed.get_mut(other as usize)
                && own.difference(*crossed) != Actions::default()
            {
                *crossed = crossed.union(own);
                self.add_groups(other, own, most, found);
            }
            if found.len() > most {
                return;
            }
            let is_enough = self.targets.meets_alike(&clause.target, |number| {
                let Some(entry) = self.entries.get(number as usize) else { return false };
                let on_port =
                    entry.port.zip(clause.target.port()).is_none_or(|(one, other)| one == other);
                if on_port && entry.connects.meets(own) {
                    found.insert(entry.group);
                }
                found.len() > most
            });
            if is_enough && found.len() <= most {
                // It was not looked through.
                self.add_groups(kind, own, most, found);
            }
        }
    }

    fn add_groups(&self, kind: Kind, own: Actions, most: usize, found: &mut BTreeSet<usize>) {
        let groups = self.groups.get(kind as usize).into_iter().flatten();
        for (group, _) in groups.filter(|(_, connects)| connects.meets(own)) {
            if found.len() > most {
                return;
            }
            found.insert(*group);
        }
    }
}

/// The actions of the requests that a clause has a say in: one for HTTP requests also in
/// connections.
fn connects(clause: &Clause) -> Actions {
    if matches!(clause.target, Target::Http(..)) { Actions::TCP } else { clause.actions }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Universe;
    use crate::model::{Action, Decision, HttpResource, Resources};

    const TARGETS: [&str; 22] = [
        "a.example.com",
        "**.example.com",
        "**",
        "*",
        "b.example.com:443",
        "b.example.com:80",
        "*.example.com",
        "a*.example.com",
        "localhost",
        "host.docker.internal",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.3",
        "192.168.0.0/16",
        "a.example.com/x",
        "b.example.com/y",
        "10.1.2.3/y",
        "~/src",
        "/home/u/**",
        "/data/**",
        "/data/a*/x",
        "/Data/ab/x",
    ];

    fn rule(target: &str, other: bool) -> Rule {
        let request = target.split_once('/').filter(|(_, path)| matches!(*path, "x" | "y"));
        let (action, resources) = match request {
            Some((host, path)) => {
                let target =
                    HttpResource { host: host.to_owned(), port: None, path: format!("/{path}") };
                (Action::Request("get"), Resources::Http(vec![target]))
            }
            None => {
                let action = match (target.starts_with(['~', '/']), other) {
                    (true, true) => Action::Write,
                    (true, false) => Action::Read,
                    (false, true) => Action::ConnectUdp,
                    (false, false) => Action::ConnectTcp,
                };
                (action, Resources::Plain(vec![target.to_owned()].into()))
            }
        };
        Rule {
            name: target.to_owned(),
            decision: Decision::Allow,
            actions: vec![action],
            resources,
        }
    }

    /// The pairs of rules that match one of all requests that any of them tells apart.
    fn sharing(rules: &[Rule]) -> BTreeSet<(usize, usize)> {
        let universe = Universe::build(rules.iter().zip(0..)).unwrap();
        let mut pairs = BTreeSet::new();
        for point in universe.points().keys() {
            let groups: BTreeSet<usize> = point.matches().iter().map(|one| one.group).collect();
            pairs.extend(
                groups
                    .iter()
                    .flat_map(|one| groups.range(one + 1..).map(move |other| (*one, *other))),
            );
        }
        pairs
    }

    fn found(rules: &[Rule]) -> BTreeSet<(usize, usize)> {
        let mut index = RuleIndex::default();
        let mut pairs = BTreeSet::new();
        for (number, rule) in rules.iter().enumerate() {
            let mut earlier = BTreeSet::new();
            index.find(rule, usize::MAX, &mut earlier);
            pairs.extend(earlier.into_iter().map(|other| (other, number)));
            index.insert(rule, number);
        }
        pairs
    }

    proptest! {
        #[test]
        fn rules_that_share_a_request_are_found(
            targets in prop::collection::vec((prop::sample::select(TARGETS.to_vec()), any::<bool>()), 1..8),
        ) {
            let rules: Vec<Rule> = targets.iter().map(|(target, other)| rule(target, *other)).collect();
            let (sharing, found) = (sharing(&rules), found(&rules));
            // None is missed; and in doubt are only folders below home folders.
            prop_assert!(sharing.is_subset(&found), "{sharing:?} {found:?}");
            for (one, other) in found.difference(&sharing) {
                let is_home = |at: usize| targets[at].0.starts_with('~');
                prop_assert!(is_home(*one) || is_home(*other), "{:?} and {:?}", targets[*one], targets[*other]);
            }
        }
    }

    #[test]
    fn no_more_are_looked_for_than_wanted() {
        let mut index = RuleIndex::default();
        for number in 0..20 {
            index.insert(&rule(&format!("h{number}.example.com"), false), number);
            index.insert(&rule(&format!("10.{number}.0.0/16"), false), 100 + number);
        }
        for (target, most, expected) in [
            ("h3.example.com", 30, 21),
            ("**.example.com", 50, 40),
            ("10.3.0.0/24", 30, 21),
            ("10.3.0.7", 30, 1),
            ("h3.example.com", 5, 6),
            ("**.example.com", 5, 6),
            ("10.3.0.0/24", 5, 6),
        ] {
            let mut found = BTreeSet::new();
            index.find(&rule(target, false), most, &mut found);
            assert_eq!(found.len(), expected, "{target} {most}");
        }
    }
}
