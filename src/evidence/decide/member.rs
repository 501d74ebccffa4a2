//! The members of teams, as policies and rules about addresses distinguish them.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, PoisonError};

use super::{Case, Judge, MOST_KEPT, teams_of};
use crate::access::AddressKinds;

/// A member of some teams.
#[derive(Debug)]
pub(in crate::evidence) struct Member {
    pub(super) teams: BTreeSet<String>,
    /// For each policy, whether it governs the member.
    pub(super) governed: Vec<bool>,
    pub(super) kinds: Arc<Kinds>,
}

/// The kinds of addresses for the members of some teams.
#[derive(Debug)]
pub(super) struct Kinds {
    /// The number of entries made before this one.
    pub(super) id: usize,
    /// The first entry with the same kinds.
    first: usize,
    pub(super) teams: BTreeSet<String>,
    pub(super) base: AddressKinds,
    /// The kinds of addresses without a rule, for each rule that makes a difference.
    without: OnceLock<Vec<(AddressKinds, Vec<usize>)>>,
}

/// The identity of kinds of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Addresses {
    /// Those of an entry, by [`Kinds::first`].
    Of(usize),
    /// One of those without a rule, by [`Kinds::id`].
    Without(usize, usize),
}

impl Judge<'_> {
    pub(super) fn member(&self, teams: &BTreeSet<String>) -> Arc<Member> {
        let known = self.members.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = known.get(teams) {
            return Arc::clone(member);
        }
        drop(known);
        let governed =
            self.state.policies().iter().map(|policy| policy.scope.governs(teams)).collect();
        let member = Arc::new(Member { teams: teams.clone(), governed, kinds: self.kinds(teams) });
        let mut known = self.members.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_KEPT {
            known.insert(teams.clone(), Arc::clone(&member));
        }
        member
    }

    pub(super) fn kinds(&self, teams: &BTreeSet<String>) -> Arc<Kinds> {
        let own: BTreeSet<String> = teams.intersection(&self.address_teams).cloned().collect();
        let known =
            self.kinds.read().unwrap_or_else(PoisonError::into_inner).get(&own).map(Arc::clone);
        known.unwrap_or_else(|| {
            let base = self.state.address_kinds(|rule| self.state.governs(rule, &own));
            let mut all = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
            let id = all.len();
            let first = all.values().find(|other| other.base.is_like(&base));
            let first = first.map_or(id, |other| other.first);
            let kinds = Kinds { id, first, teams: own.clone(), base, without: OnceLock::new() };
            Arc::clone(all.entry(own).or_insert_with(|| Arc::new(kinds)))
        })
    }

    /// The teams whose membership could make a difference.
    pub(super) fn relevant_teams(&self, case: &Case) -> BTreeSet<String> {
        match case {
            Case::Unreadable => BTreeSet::new(),
            Case::Mcp(_) => self.mcp_teams.clone(),
            Case::Named(named) => {
                let mut teams = self.teams_of_rules(named.1.rules());
                teams.extend(self.address_teams.iter().cloned());
                teams
            }
            Case::Questions(questions) => {
                self.teams_of_rules(questions.iter().flat_map(|(_, question)| question.rules()))
            }
        }
    }

    fn teams_of_rules(&self, rules: impl Iterator<Item = usize>) -> BTreeSet<String> {
        let policies: BTreeSet<usize> = rules
            .filter_map(|rule| self.state.rules().get(rule))
            .map(|(policy, _)| *policy)
            .collect();
        teams_of(policies.into_iter().filter_map(|policy| self.state.policies().get(policy)))
    }

    /// The kinds of addresses without one of the rules in force.
    fn without<'k>(&self, kinds: &'k Kinds) -> &'k [(AddressKinds, Vec<usize>)] {
        kinds.without.get_or_init(|| {
            self.state.address_kinds_without(|rule| self.state.governs(rule, &kinds.teams))
        })
    }

    /// The position of the kinds of addresses without a rule; `None` where they are the same.
    pub(super) fn position_without(&self, kinds: &Kinds, rule: usize) -> Option<usize> {
        self.without(kinds).iter().position(|(_, rules)| rules.binary_search(&rule).is_ok())
    }
}

impl Kinds {
    /// The kinds without one of the rules at a position, or with all of them.
    pub(super) fn at<'k>(
        &'k self,
        judge: &Judge<'_>,
        without: Option<usize>,
    ) -> (Addresses, &'k AddressKinds) {
        let other = without.and_then(|at| Some((at, judge.without(self).get(at)?)));
        other.map_or((Addresses::Of(self.first), &self.base), |(at, (kinds, _))| {
            (Addresses::Without(self.id, at), kinds)
        })
    }
}
