//! The parts of two states that are relevant for their difference, clause by clause, with their
//! audiences.
//!
//! Clauses that both states have for the same audiences are relevant only if they can overlap the
//! others ([`TargetIndex`]). Invariant: a clause occurs once, however many rules and policies of
//! either state contain it. A regrouping, a rename or a reordering therefore leaves no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Cause;
use super::teams::number_teams;
use crate::clause::{Actions, Clause, Target, clauses};
use crate::essential::Part;
use crate::few::Few;
use crate::hash::{HashMap, HashSet, IndexSet};
use crate::model::{Action, Decision, Policy, Resources, Rule, Scope};
use crate::parallel;
use crate::target_index::{RULES_A_THREAD, TargetIndex};
use crate::unknowns::Unknowns;

/// Teams for which a clause is in force, over all policies of a state that contain it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Reach {
    organization: bool,
    /// Positions of teams; empty if the clause is for the whole organization anyway.
    pub(super) teams: BTreeSet<usize>,
}

impl Reach {
    fn new(scope: &Scope, teams: &BTreeMap<&str, usize>) -> Self {
        match scope {
            Scope::Organization => Self { organization: true, teams: BTreeSet::new() },
            Scope::Teams(own) => {
                let teams =
                    own.iter().filter_map(|team| teams.get(team.as_str())).copied().collect();
                Self { organization: false, teams }
            }
        }
    }

    fn join(&mut self, other: &Self) {
        if other.organization {
            self.clone_from(other);
        } else if !self.organization {
            self.teams.extend(&other.teams);
        }
    }

    fn is_nobody(&self) -> bool {
        !self.organization && self.teams.is_empty()
    }

    /// Returns `true` if it includes members of exactly these teams.
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

    pub(super) fn part(&self) -> Part {
        Part { old: !self.old.is_nobody(), new: !self.new.is_nobody(), changes: self.is_change() }
    }

    /// Every team that it names, in either state.
    pub(super) fn teams(&self) -> impl Iterator<Item = usize> {
        self.old.teams.iter().chain(&self.new.teams).copied()
    }
}

/// A place that contains a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) new: bool,
    pub(super) policy: u32,
    /// The number of its description as a cause.
    cause: u32,
    /// The number of its policy's scope.
    reach: u32,
    pub(super) actions: Actions,
}

/// A number in a [`Source`], of which there may be millions.
fn number(of: usize) -> u32 {
    u32::try_from(of).expect("fewer rules than bytes of policies")
}

/// Two states as clauses; the group of a clause is its position in `changes`.
#[derive(Debug, Default)]
pub(super) struct StateClauses {
    pub(super) clauses: Vec<Clause>,
    sources: Vec<Few<Source>>,
    causes: Vec<Arc<Cause>>,
    pub(super) changes: Vec<Change>,
    /// Scopes of the clauses, by number.
    reaches: Vec<Reach>,
    /// By number: the names of equivalent teams, of which one is judged for all; sorted.
    pub(super) teams: Vec<Vec<String>>,
}

impl StateClauses {
    pub(super) fn new(old: &[Policy], new: &[Policy]) -> Self {
        let (teams, members) = number_teams(old.iter().chain(new));
        let RulesOfStates { differing, staying } = stated(old, new);
        let mut said = ActionRules::default();
        let mut causes = Vec::new();
        let mut reaches = Reaches::default();
        let differing =
            parallel::map(differing, RULES_A_THREAD, |stating| (clauses(stating.rule, 0), stating));
        said.reserve(differing.iter().map(|(clauses, _)| clauses.len()).sum());
        causes.reserve(differing.len());
        for (clauses, RuleInState { source, policy, rule }) in differing {
            let reach = reaches.of_scope(&policy.scope, &teams);
            let source = Source { cause: number(causes.len()), reach: number(reach), ..source };
            causes.push(Arc::new(Cause::of_rule(source.new, policy, rule)));
            let (before, after) = if source.new { (NOBODY, reach) } else { (reach, NOBODY) };
            clauses
                .into_iter()
                .for_each(|clause| said.add(clause, (before, after), Some(source), &mut reaches));
        }
        if !said.entries.is_empty() && !staying.is_empty() {
            let target_index = TargetIndex::new(&said.targets);
            let near = |(policy, rule)| (policy, target_index.near(rule, 0));
            let staying = parallel::map(staying, RULES_A_THREAD, near);
            for (policy, met) in staying.into_iter().filter(|(_, met)| !met.is_empty()) {
                let reach = reaches.of_scope(&policy.scope, &teams);
                met.into_iter()
                    .for_each(|clause| said.add(clause, (reach, reach), None, &mut reaches));
            }
        }
        let mut statements = Self { teams: members, causes, ..Self::default() };
        statements.join(said, &reaches);
        statements.reaches = reaches.list;
        statements
    }

    /// Joins entries that differ only in their action.
    fn join(&mut self, said: ActionRules, reaches: &Reaches) {
        let mut groups: HashMap<(usize, usize), usize> = HashMap::default();
        let mut known: HashMap<(usize, Decision, Unknowns, usize), usize> = HashMap::default();
        let count = said.entries.len();
        known.reserve(count);
        let mut joined: Vec<(Key, usize)> = Vec::with_capacity(count);
        self.sources.reserve(count);
        for Entry { key, change, sources } in said.entries {
            let group = *groups.entry(change).or_insert_with_key(|(old, new)| {
                self.changes.push(Change {
                    old: reaches.get(*old).clone(),
                    new: reaches.get(*new).clone(),
                });
                self.changes.len() - 1
            });
            let Key { target, decision, action, unknowns } = key;
            let at = *known.entry((target, decision, unknowns, group)).or_insert_with(|| {
                joined.push((Key { action: Actions::default(), ..key }, group));
                self.sources.push(Few::None);
                joined.len() - 1
            });
            if let (Some((own, _)), Some(all)) = (joined.get_mut(at), self.sources.get_mut(at)) {
                own.action = own.action.union(action);
                sources.iter().for_each(|source| all.push(*source));
            }
        }
        // Most targets belong to one clause, which takes them.
        let mut targets: Vec<Option<Target>> = said.targets.into_iter().map(Some).collect();
        let mut uses = vec![0_usize; targets.len()];
        for (key, _) in &joined {
            if let Some(uses) = uses.get_mut(key.target) {
                *uses += 1;
            }
        }
        self.clauses.reserve(joined.len());
        for (Key { target: at, decision, action: actions, unknowns }, group) in joined {
            let (target, left) =
                targets.get_mut(at).zip(uses.get_mut(at)).expect("an entry's target is known");
            *left -= 1;
            let target = if *left == 0 { target.take() } else { target.clone() };
            let target = target.expect("a target is taken by its last clause");
            self.clauses.push(Clause { target, decision, actions, unknowns, group });
        }
    }

    /// Returns `true` if the two states are the same for everybody.
    pub(super) fn are_equal(&self) -> bool {
        !self.changes.iter().any(Change::is_change)
    }

    pub(super) fn change(&self, group: usize) -> &Change {
        self.changes.get(group).expect("clauses are in these groups")
    }

    /// The rule of a source as a cause.
    pub(super) fn cause(&self, source: &Source) -> Arc<Cause> {
        Arc::clone(self.causes.get(source.cause as usize).expect("sources have these causes"))
    }

    /// Numbers of the scopes of each group's clauses.
    pub(super) fn scopes_by_group(&self, clauses: &[Clause]) -> Vec<BTreeSet<usize>> {
        let mut scopes = vec![BTreeSet::new(); self.changes.len()];
        for (clause, sources) in clauses.iter().zip(&self.sources) {
            if let Some(own) = scopes.get_mut(clause.group) {
                own.extend(sources.iter().map(|source| source.reach as usize));
            }
        }
        scopes
    }

    /// The teams of such a number.
    pub(super) fn reached(&self, number: usize) -> impl Iterator<Item = usize> {
        self.reaches.get(number).into_iter().flat_map(|reach| reach.teams.iter().copied())
    }

    /// The places where a clause concerns an action.
    pub(super) fn sources(&self, clause: u32, action: Actions) -> impl Iterator<Item = &Source> {
        let all = self.sources.get(clause as usize).map(Few::as_slice).unwrap_or_default();
        all.iter().filter(move |source| source.actions.meets(action))
    }
}

/// Scopes of clauses by number, since thousands of clauses share one.
#[derive(Debug)]
struct Reaches<'a> {
    list: Vec<Reach>,
    known: HashMap<Reach, usize>,
    scopes: HashMap<&'a Scope, usize>,
    joined: HashMap<(usize, usize), usize>,
}

/// The number of the empty reach.
const NOBODY: usize = 0;

impl<'a> Reaches<'a> {
    fn number(&mut self, reach: Reach) -> usize {
        *self.known.entry(reach).or_insert_with_key(|reach| {
            self.list.push(reach.clone());
            self.list.len() - 1
        })
    }

    fn get(&self, number: usize) -> &Reach {
        self.list.get(number).expect("reaches have these numbers")
    }

    fn of_scope(&mut self, scope: &'a Scope, teams: &BTreeMap<&str, usize>) -> usize {
        if let Some(number) = self.scopes.get(scope) {
            return *number;
        }
        let number = self.number(Reach::new(scope, teams));
        self.scopes.insert(scope, number);
        number
    }

    fn joined(&mut self, one: usize, other: usize) -> usize {
        if one == other || other == NOBODY {
            return one;
        }
        if let Some(number) = self.joined.get(&(one, other)) {
            return *number;
        }
        let mut reach = self.get(one).clone();
        reach.join(self.get(other));
        let number = self.number(reach);
        self.joined.insert((one, other), number);
        number
    }
}

impl Default for Reaches<'_> {
    fn default() -> Self {
        let nobody = Reach::default();
        let known = HashMap::from_iter([(nobody.clone(), NOBODY)]);
        Self { list: vec![nobody], known, scopes: HashMap::default(), joined: HashMap::default() }
    }
}

/// The rules of two states, with one entry for each action, so that joined and split actions are
/// equal.
#[derive(Debug, Default)]
struct ActionRules {
    targets: IndexSet<Target>,
    known: HashMap<Key, usize>,
    entries: Vec<Entry>,
}

/// A clause of one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// The position in the list of targets.
    target: usize,
    decision: Decision,
    action: Actions,
    unknowns: Unknowns,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    /// The numbers of the reaches before and after.
    change: (usize, usize),
    sources: Few<Source>,
}

impl ActionRules {
    /// Makes room for so many clauses, of which most have targets and actions of their own.
    fn reserve(&mut self, clauses: usize) {
        self.targets.reserve(clauses);
        self.known.reserve(clauses);
        self.entries.reserve(clauses);
    }

    fn add(
        &mut self,
        clause: Clause,
        (old, new): (usize, usize),
        source: Option<Source>,
        reaches: &mut Reaches,
    ) {
        let Clause { target, decision, actions, unknowns, group: _ } = clause;
        let (target, _) = self.targets.insert_full(target);
        for action in actions.single() {
            let key = Key { target, decision, action, unknowns };
            let at = *self.known.entry(key).or_insert_with(|| {
                self.entries.push(Entry { key, change: (NOBODY, NOBODY), sources: Few::None });
                self.entries.len() - 1
            });
            let Some(Entry { change, sources, .. }) = self.entries.get_mut(at) else { continue };
            *change = (reaches.joined(change.0, old), reaches.joined(change.1, new));
            source.iter().for_each(|source| sources.push(Source { actions: action, ..*source }));
        }
    }
}

/// A rule with its place in a state.
struct RuleInState<'a> {
    source: Source,
    policy: &'a Policy,
    rule: &'a Rule,
}

/// The rules of two states.
struct RulesOfStates<'a> {
    /// Rules that one state has and the other does not, for these audiences.
    differing: Vec<RuleInState<'a>>,
    /// Rules that both have for the same audiences, each with a policy that contains it.
    staying: Vec<(&'a Policy, &'a Rule)>,
}

/// The content of a rule and its scope, without its name.
type Content<'a> = (&'a Scope, Decision, &'a [Action], &'a Resources);

fn content<'a>(policy: &'a Policy, rule: &'a Rule) -> Content<'a> {
    (&policy.scope, rule.decision, &rule.actions, &rule.resources)
}

fn stated<'a>(old: &'a [Policy], new: &'a [Policy]) -> RulesOfStates<'a> {
    let former: HashMap<&str, &Policy> =
        old.iter().map(|policy| (policy.name.as_str(), policy)).collect();
    let latter: HashMap<&str, &Policy> =
        new.iter().map(|policy| (policy.name.as_str(), policy)).collect();
    // Nearly all rules are in their former place, so that these are not searched elsewhere.
    let in_place = |policy: &Policy, at: usize, rule: &Rule| {
        let name = policy.name.as_str();
        let (Some(before), Some(after)) = (former.get(name), latter.get(name)) else {
            return false;
        };
        // Live policies may share a name: one of them is the counterpart.
        let paired = std::ptr::eq(*before, policy) || std::ptr::eq(*after, policy);
        let is = |other: Option<&Rule>| {
            other.is_some_and(|other| content(policy, other) == content(policy, rule))
        };
        paired
            && before.scope == after.scope
            && is(before.rules().get(at))
            && is(after.rules().get(at))
    };
    let mut staying = Vec::new();
    let mut moved = Vec::new();
    for (is_new, policies) in [(false, old), (true, new)] {
        for (at_policy, policy) in policies.iter().enumerate() {
            for (at, rule) in policy.rules().iter().enumerate() {
                if !in_place(policy, at, rule) {
                    let source = Source {
                        new: is_new,
                        policy: number(at_policy),
                        cause: 0,
                        reach: number(NOBODY),
                        actions: Actions::default(),
                    };
                    moved.push(RuleInState { source, policy, rule });
                } else if is_new {
                    staying.push((policy, rule));
                }
            }
        }
    }
    let contents = |of_new: bool| -> HashSet<Content<'a>> {
        let of_state = moved.iter().filter(|stating| stating.source.new == of_new);
        of_state.map(|stating| content(stating.policy, stating.rule)).collect()
    };
    let (before, after) = (contents(false), contents(true));
    let mut differing = Vec::new();
    for stating in moved {
        let RuleInState { source, policy, rule } = &stating;
        let content = content(policy, rule);
        if !(before.contains(&content) && after.contains(&content)) {
            differing.push(stating);
        } else if source.new {
            staying.push((policy, rule));
        }
    }
    RulesOfStates { differing, staying }
}
