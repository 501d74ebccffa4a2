//! What two states say, clause by clause, and for whom.
//!
//! Invariant: a clause appears once, however many rules and policies of either state say it. So a regrouping, a rename
//! or a reorder leaves nothing that differs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::access::clause::{Actions, Clause, clauses};
use crate::model::{Policy, Scope};

/// Whom a clause is in force for, over all policies of one state that say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Reach {
    organization: bool,
    /// Positions of teams; empty when the whole organization is reached anyway.
    pub(super) teams: BTreeSet<usize>,
}

impl Reach {
    pub(super) fn add(&mut self, scope: &Scope, teams: &BTreeMap<&str, usize>) {
        match scope {
            Scope::Organization => *self = Self { organization: true, teams: BTreeSet::new() },
            Scope::Teams(_) if self.organization => {}
            Scope::Teams(own) => self.teams.extend(own.iter().filter_map(|team| teams.get(team.as_str()))),
        }
    }

    /// Whether a member of just these teams is reached.
    pub(super) fn includes(&self, audience: &[usize]) -> bool {
        self.organization || audience.iter().any(|team| self.teams.contains(team))
    }
}

/// The same in both states.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Change {
    pub(super) old: Reach,
    pub(super) new: Reach,
}

impl Change {
    pub(super) fn is_change(&self) -> bool {
        self.old != self.new
    }

    /// Every team that is reached by name, in either state.
    pub(super) fn teams(&self) -> impl Iterator<Item = usize> {
        self.old.teams.iter().chain(&self.new.teams).copied()
    }
}

/// Where a clause is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) new: bool,
    pub(super) policy: usize,
    pub(super) rule: usize,
    actions: Actions,
}

/// Two states as clauses; the group of a clause is its position in `changes`.
#[derive(Debug, Default)]
pub(super) struct Statements {
    pub(super) clauses: Vec<Clause>,
    sources: Vec<Vec<Source>>,
    pub(super) changes: Vec<Change>,
    pub(super) teams: Vec<String>,
}

impl Statements {
    pub(super) fn of(old: &[Policy], new: &[Policy]) -> Self {
        let names: BTreeSet<&str> = old.iter().chain(new).flat_map(|policy| policy.scope.teams()).collect();
        let teams: BTreeMap<&str, usize> = names.iter().copied().zip(0..).collect();
        // One entry for each action by itself, so that joined and split actions are the same.
        let mut said: HashMap<Clause, usize> = HashMap::new();
        let mut entries: Vec<(Clause, Change, Vec<Source>)> = Vec::new();
        for (is_new, policies) in [(false, old), (true, new)] {
            for (policy, own) in policies.iter().enumerate() {
                for (rule, stated) in own.rules().iter().enumerate() {
                    for clause in clauses(stated, 0) {
                        for actions in clause.actions.single() {
                            let single = Clause { actions, ..clause.clone() };
                            let at = *said.entry(single).or_insert_with_key(|single| {
                                entries.push((single.clone(), Change::default(), Vec::new()));
                                entries.len() - 1
                            });
                            let Some((_, change, sources)) = entries.get_mut(at) else { continue };
                            let reach = if is_new { &mut change.new } else { &mut change.old };
                            reach.add(&own.scope, &teams);
                            sources.push(Source { new: is_new, policy, rule, actions });
                        }
                    }
                }
            }
        }
        let mut statements = Self { teams: names.into_iter().map(str::to_owned).collect(), ..Self::default() };
        statements.join(entries);
        statements
    }

    /// Joins entries that differ in their action only.
    fn join(&mut self, entries: Vec<(Clause, Change, Vec<Source>)>) {
        let mut groups: HashMap<Change, usize> = HashMap::new();
        let mut joined: HashMap<Clause, usize> = HashMap::new();
        for (clause, change, sources) in entries {
            let group = *groups.entry(change).or_insert_with_key(|change| {
                self.changes.push(change.clone());
                self.changes.len() - 1
            });
            let actions = clause.actions;
            let clause = Clause { group, ..clause };
            let at = *joined.entry(Clause { actions: Actions::default(), ..clause.clone() }).or_insert_with(|| {
                self.clauses.push(Clause { actions: Actions::default(), ..clause });
                self.sources.push(Vec::new());
                self.clauses.len() - 1
            });
            if let (Some(own), Some(all)) = (self.clauses.get_mut(at), self.sources.get_mut(at)) {
                own.actions = own.actions.and(actions);
                all.extend(sources);
            }
        }
    }

    /// Whether the two states say the same to everybody.
    pub(super) fn are_equal(&self) -> bool {
        !self.changes.iter().any(Change::is_change)
    }

    pub(super) fn change(&self, group: usize) -> &Change {
        self.changes.get(group).expect("clauses are in these groups")
    }

    /// Where a clause speaks about an action.
    pub(super) fn sources(&self, clause: u32, action: Actions) -> impl Iterator<Item = &Source> {
        let all = self.sources.get(clause as usize).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(move |source| source.actions.meets(action))
    }
}
