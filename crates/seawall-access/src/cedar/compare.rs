//! The effect of a change of MCP policies on each audience: proven, or reported as uncertain.
//!
//! A call is denied, approved first, or allowed. A call gets further in the new state than in the
//! old only if
//!
//! * something stopped it that no longer does: a forbid is removed, or an approval is removed while
//!   a permit exists; or
//! * something lets it through that did not: a permit or an approval is added.
//!
//! An added or removed statement is not a reason if another statement covers everything that it
//! matches and has the same effect. Without a remaining reason, no call gets further: that is a
//! proof. With one, a request that gets further is searched; once found, it is the proof, since the
//! engine decides it in both states. Losing access is the same with the states exchanged.
//!
//! The audiences are the organization, each team, and each pair of teams. Pairs are enough: of the
//! statements above, one lets the call through in one state, and one stops it, or makes it governed
//! at all, in the other. A change of a larger audience is not listed if its subsets have it already
//! ([`reasons::only_here`]).
//!
//! Invariant: an audience without an entry has no change, and an entry that is certain has a
//! witness.

mod calls;
mod reasons;

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::pst::Template;

use self::calls::Changed;
use self::reasons::{only_here, reasons, shortened, witness};
use super::decide::{Governing, McpPolicies, Outcome};
use super::limit::with_deep_stack;
use super::{
    APPROVAL, Effect, McpAction, McpRequest, SCHEMA_URL, Statement, cover, example, statements,
    validate,
};
use crate::model::{Body, Policy, Scope};

/// The number of requests that are tried for one reason, and for all reasons of an audience
/// together.
const TRIES: usize = 400;
const TRIES_TOGETHER: usize = 4_000;
/// The number of evaluations in one comparison, so that it ends in seconds. Everything that is not
/// tried is uncertain.
const EVALUATIONS: usize = 4_000_000;
/// Every call, in the form of [`McpChange::access`].
const EVERYTHING: &str = "mcp **";

/// A change for an audience.
#[derive(Clone, Debug, PartialEq)]
pub struct McpChange {
    /// Members of exactly these teams, as scopes name them.
    pub teams: Vec<String>,
    /// True if calls get further; false if they get less far.
    pub widens: bool,
    /// An example; without one, the change is uncertain.
    pub witness: Option<McpRequest>,
    /// The access that changes, described by `calls`; `mcp **` for every call.
    pub access: String,
    /// The statements that are added or removed.
    pub because: Vec<McpCause>,
}

/// A statement that is added or removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct McpCause {
    /// True if it is in force now; false if it no longer is.
    pub comes: bool,
    /// The policy's name, in its own state.
    pub policy: String,
    /// The statement in one line; `None` for a text that cannot be parsed.
    pub statement: Option<String>,
    /// The effect of the statement.
    pub effect: Option<Effect>,
    /// Its index in the policy's text.
    pub number: Option<usize>,
}

/// The kind of a statement in the order denied, approved first, allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Permit,
    Approval,
    Forbid,
    /// A text that cannot be parsed.
    Unknown,
}

/// A statement of a state, once for each policy that contains it.
#[derive(Debug)]
struct Occurrence {
    key: Key,
    scope: Scope,
    policy: String,
    statement: Option<Arc<Statement>>,
    /// The statement's index in its text.
    number: Option<usize>,
    text: Arc<str>,
    possible: OnceCell<BTreeSet<McpAction>>,
}

/// One state.
struct State {
    said: Vec<Occurrence>,
    policies: McpPolicies,
}

/// The distinct statements in force for an audience.
type InForce<'a> = BTreeMap<&'a Key, &'a Occurrence>;

/// Equal for statements with the same meaning.
type Key = (Kind, String);

/// Compares the MCP policies among two states' policies.
#[must_use]
pub fn compare(old: &[Policy], new: &[Policy]) -> Vec<McpChange> {
    compare_within(old, new, EVALUATIONS)
}

/// The same with another number of evaluations.
fn compare_within(old: &[Policy], new: &[Policy], evaluations: usize) -> Vec<McpChange> {
    let (old, new) = (State::new(old), State::new(new));
    if old.same(&new) {
        return Vec::new();
    }
    with_deep_stack(|| {
        let mut changes: Vec<McpChange> = Vec::new();
        let left = Cell::new(evaluations);
        // Audiences whose pairs are compared: the organization and the teams.
        let mut small: BTreeMap<Vec<String>, Audience<'_>> = BTreeMap::new();
        for teams in audiences(&old, &new) {
            let audience = Audience::new(&teams, &old, &new, &left);
            let smaller: Vec<&Audience<'_>> =
                subsets(&teams).filter_map(|teams| small.get(&teams)).collect();
            if audience.sees_a_change()
                && !smaller.iter().any(|smaller| smaller.sees_the_same(&audience))
            {
                let found = audience.changes(&smaller);
                let fresh =
                    found.into_iter().filter(|change| !shown(change, &changes)).collect::<Vec<_>>();
                changes.extend(fresh);
            }
            if teams.len() < 2 {
                small.insert(teams, audience);
            }
        }
        changes.iter_mut().for_each(|change| change.because.sort());
        changes.sort_by_cached_key(|change| {
            (change.teams.len(), change.teams.clone(), !change.widens, change.because.clone())
        });
        changes
    })
}

/// Returns `true` if a smaller audience has the same change, and no request shows a further one for
/// this audience.
fn shown(change: &McpChange, changes: &[McpChange]) -> bool {
    change.witness.is_none()
        && changes.iter().any(|other| {
            other.teams.len() < change.teams.len()
                && other.teams.iter().all(|team| change.teams.contains(team))
                && other.widens == change.widens
                && change.because.iter().all(|cause| other.because.contains(cause))
        })
}

/// The audiences contained in one, including the organization.
fn subsets(teams: &[String]) -> impl Iterator<Item = Vec<String>> {
    let singles = if teams.len() > 1 { teams } else { &[] };
    let organization = (!teams.is_empty()).then(Vec::new);
    organization.into_iter().chain(singles.iter().map(|team| vec![team.clone()]))
}

impl State {
    fn new(policies: &[Policy]) -> Self {
        let mut said = Vec::new();
        for policy in policies {
            let Body::Cedar(cedar) = &policy.body else { continue };
            let text: Arc<str> = cedar.text.as_str().into();
            let new = |key, number, statement| Occurrence {
                text: Arc::clone(&text),
                possible: OnceCell::new(),
                key,
                scope: policy.scope.clone(),
                policy: policy.name.clone(),
                statement,
                number,
            };
            match statements(&cedar.text) {
                Ok(found) => {
                    said.extend(found.into_iter().enumerate().map(|(number, statement)| {
                        if cedar.schema_url == SCHEMA_URL {
                            new(
                                (kind(&statement), statement.canonical.clone()),
                                Some(number),
                                Some(statement),
                            )
                        } else {
                            let text = format!("{}\n{}", cedar.schema_url, statement.canonical);
                            new((Kind::Unknown, text), Some(number), None)
                        }
                    }))
                }
                Err(_) => {
                    let text = format!("{}\n{}", cedar.schema_url, cedar.text);
                    said.push(new((Kind::Unknown, text), None, None));
                }
            }
        }
        Self { said, policies: McpPolicies::new(policies) }
    }

    /// Returns `true` if both states have the same statements for the same audiences.
    fn same(&self, other: &Self) -> bool {
        let all = |state: &Self| -> BTreeSet<(Key, Scope)> {
            state.said.iter().map(|said| (said.key.clone(), said.scope.clone())).collect()
        };
        all(self) == all(other)
    }

    fn in_force(&self, teams: &[String]) -> InForce<'_> {
        let governs = |said: &&Occurrence| match &said.scope {
            Scope::Organization => true,
            Scope::Teams(governed) => teams.iter().any(|team| governed.contains(team)),
        };
        self.said.iter().filter(governs).map(|said| (&said.key, said)).collect()
    }

    fn governing(&self, teams: &[String]) -> Governing<'_> {
        self.policies.governing(&teams.iter().cloned().collect())
    }
}

fn kind(statement: &Statement) -> Kind {
    match statement.effect {
        Effect::Forbid => Kind::Forbid,
        Effect::Permit if statement.annotations.contains_key(APPROVAL) => Kind::Approval,
        Effect::Permit => Kind::Permit,
    }
}

/// The organization, each team and each pair of teams in scopes, small ones first.
fn audiences(old: &State, new: &State) -> Vec<Vec<String>> {
    let teams: BTreeSet<&str> =
        old.said.iter().chain(&new.said).flat_map(|said| said.scope.teams()).collect();
    let own = |teams: &[&str]| teams.iter().map(|team| (*team).to_owned()).collect::<Vec<_>>();
    let mut audiences = vec![Vec::new()];
    audiences.extend(teams.iter().map(|team| own(&[team])));
    for one in &teams {
        audiences.extend(teams.range::<&str, _>(one..).skip(1).map(|other| own(&[one, other])));
    }
    audiences
}

/// The statements in force for an audience in both states.
struct Audience<'a> {
    teams: Vec<String>,
    said: [InForce<'a>; 2],
    /// Created when the first request is tried.
    governing: OnceCell<[Governing<'a>; 2]>,
    states: [&'a State; 2],
    /// The number of evaluations that are left for all audiences.
    left: &'a Cell<usize>,
}

impl<'a> Audience<'a> {
    fn new(teams: &[String], old: &'a State, new: &'a State, left: &'a Cell<usize>) -> Self {
        Self {
            teams: teams.to_vec(),
            said: [old.in_force(teams), new.in_force(teams)],
            governing: OnceCell::new(),
            states: [old, new],
            left,
        }
    }

    fn sees_a_change(&self) -> bool {
        let [old, new] = &self.said;
        !old.keys().eq(new.keys())
    }

    fn sees_the_same(&self, other: &Self) -> bool {
        let keys = |side: &InForce<'a>| side.keys().copied().collect::<Vec<_>>();
        self.said.iter().map(keys).eq(other.said.iter().map(keys))
    }

    /// Returns `true` if a request gets further in the new state; `false` if a state is uncertain.
    /// For losses, the states are exchanged.
    fn further(&self, request: &McpRequest, widens: bool) -> bool {
        let made = || self.states.map(|state| state.governing(&self.teams));
        let cost: usize = self.said.iter().map(BTreeMap::len).sum();
        self.left.set(self.left.get().saturating_sub(cost));
        let [old, new] = self.governing.get_or_init(made).each_ref().map(|policies| match policies
            .decide(request)
            .outcome
        {
            Outcome::Deny => Some(0),
            Outcome::Approval => Some(1),
            Outcome::Allow => Some(2),
            Outcome::Uncertain => None,
        });
        old.zip(new).is_some_and(|(old, new)| if widens { new > old } else { new < old })
    }

    /// Returns `true` if the limit of evaluations is reached.
    fn is_over_budget(&self) -> bool {
        self.left.get() == 0
    }

    fn changes(&self, smaller: &[&Self]) -> Vec<McpChange> {
        [true, false].into_iter().flat_map(|widens| self.gains(widens, smaller)).collect()
    }

    /// The calls that get further, or for losses, that got further before.
    fn gains(&self, widens: bool, smaller: &[&Self]) -> Vec<McpChange> {
        let [old, new] = &self.said;
        let (from, to) = if widens { (old, new) } else { (new, old) };
        let shows = |request: &McpRequest| {
            self.further(request, widens)
                && !smaller.iter().any(|audience| audience.further(request, widens))
        };
        if from.is_empty() {
            // Without any policy, everything is permitted already.
            return Vec::new();
        }
        if to.is_empty() && self.teams.len() > 1 {
            // For a pair, one of the two teams was denied, or asked for approval, by itself.
            return Vec::new();
        }
        if to.is_empty() {
            return ungoverned(&self.teams, from, widens, |request| {
                !self.is_over_budget() && shows(request)
            });
        }
        let sides = smaller.iter().map(|audience| audience.said.each_ref());
        let smaller: Vec<_> =
            sides.map(|[old, new]| if widens { [old, new] } else { [new, old] }).collect();
        let mut reasons = reasons(from, to);
        reasons.retain(|(said, comes)| {
            smaller.iter().all(|smaller| only_here(said, *comes, to, *smaller))
        });
        let trees: Vec<&Template> =
            from.values().chain(to.values()).filter_map(|said| said.tree()).collect();
        let most = TRIES_TOGETHER.checked_div(reasons.len()).unwrap_or(0).min(TRIES);
        let mut changes: Vec<McpChange> = Vec::new();
        for (said, comes) in reasons {
            let most = if self.is_over_budget() { 0 } else { most };
            let cause = McpCause {
                comes: comes == widens,
                policy: said.policy.clone(),
                statement: said.statement.as_ref().map(|statement| one_line(&statement.source)),
                effect: said.statement.as_ref().map(|statement| statement.effect),
                number: said.number,
            };
            for (access, witness) in
                said_with_witnesses(calls::changed(said, comes, from, to), &in_scope(said), |has| {
                    witness(said, &trees, most, |request| has(request) && shows(request))
                })
            {
                let alike =
                    |change: &&mut McpChange| change.witness == witness && change.access == access;
                match changes.iter_mut().find(alike) {
                    Some(change) => change.because.push(cause.clone()),
                    None => {
                        let (teams, because) = (self.teams.clone(), vec![cause.clone()]);
                        changes.push(McpChange { teams, widens, witness, access, because });
                    }
                }
            }
        }
        changes
    }
}

/// The described changes, each with an example; `instead` if the calls cannot be described.
fn said_with_witnesses(
    changed: Vec<Changed>,
    instead: &str,
    witness: impl Fn(&dyn Fn(&McpRequest) -> bool) -> Option<McpRequest>,
) -> Vec<(String, Option<McpRequest>)> {
    if changed.is_empty() {
        return vec![(instead.to_owned(), witness(&|_| true))];
    }
    let one = |changed: &Changed| {
        // A request among the exceptions may change too, for another reason.
        let includes = changed.includes();
        let told = |request: &McpRequest| includes(request) && !changed.excepts(request);
        let any = || witness(&includes);
        let found = witness(&told).or_else(|| if changed.is_whole() { None } else { any() });
        (changed.text(), found)
    };
    changed.iter().map(one).collect()
}

/// The actions of a statement, in words.
fn in_scope(said: &Occurrence) -> String {
    let tree = said.statement.as_ref().and_then(|statement| statement.tree.as_ref());
    let actions = tree.map(|tree| validate::actions_in_scope(&tree.action)).unwrap_or_default();
    if actions.is_empty() || actions.len() == McpAction::ALL.len() {
        return EVERYTHING.to_owned();
    }
    let names: Vec<&str> = actions.iter().map(|action| action.name()).collect();
    format!("mcp {}", names.join(", "))
}

impl Occurrence {
    /// The actions of which the statement can match a call.
    fn possible(&self) -> &BTreeSet<McpAction> {
        self.possible.get_or_init(|| match &self.statement {
            Some(statement) => validate::validate(&self.text, statement).possible,
            None => McpAction::ALL.into(),
        })
    }

    fn tree(&self) -> Option<&Template> {
        self.statement.as_ref()?.tree.as_ref()
    }
}

/// The changes if no policy governs the audience any more, or did before: the gateway then permits
/// everything.
fn ungoverned(
    teams: &[String],
    from: &InForce<'_>,
    widens: bool,
    shows: impl Fn(&McpRequest) -> bool,
) -> Vec<McpChange> {
    let found = statements("permit (principal, action, resource);").expect("it is Cedar");
    let Some(everything) = found.first() else { return Vec::new() };
    let permits = |said: &Occurrence| {
        said.statement.as_ref().is_some_and(|one| cover::covers(one, everything))
    };
    if from.keys().all(|(kind, _)| *kind == Kind::Permit) && from.values().any(|said| permits(said))
    {
        return Vec::new();
    }
    let trees: Vec<&Template> = from.values().filter_map(|said| said.tree()).collect();
    let starts = everything.tree.iter().chain(trees.iter().copied());
    let tries =
        starts.flat_map(|first| example::requests(first, &trees, TRIES)).take(TRIES_TOGETHER);
    let tries: Vec<McpRequest> = tries.collect();
    let witness = |has: &dyn Fn(&McpRequest) -> bool| {
        let shows = |request: &McpRequest| has(request) && shows(request);
        tries.iter().find(|request| shows(request)).map(|request| shortened(request.clone(), shows))
    };
    let understood = from.keys().all(|(kind, _)| *kind != Kind::Unknown);
    let changed = if understood { calls::ungoverned(from) } else { Vec::new() };
    let policies: BTreeSet<&str> = from.values().map(|said| said.policy.as_str()).collect();
    let cause = |policy: &str| {
        let (comes, policy) = (!widens, policy.to_owned());
        McpCause { comes, policy, statement: None, effect: None, number: None }
    };
    let because: Vec<McpCause> = policies.into_iter().map(cause).collect();
    let change = |(access, witness)| McpChange {
        teams: teams.to_vec(),
        widens,
        witness,
        access,
        because: because.clone(),
    };
    said_with_witnesses(changed, EVERYTHING, witness).into_iter().map(change).collect()
}

/// A statement in one line, shortened for a list.
fn one_line(source: &str) -> String {
    const LENGTH: usize = 100;
    let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests;
