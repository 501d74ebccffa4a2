//! The decision on a recorded request under the policies of one state.
//!
//! Every answer comes from the access engine. Invariant: an answer is allow or deny only if it
//! holds whatever the record leaves out (address, mode, path, attributes, teams) and whatever the
//! documentation leaves open. Otherwise it is unknown, with the one reason that comes first in
//! [`Gap`].

mod evaluation;
mod gap;
mod member;
mod reason;
mod ruling;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, RwLock};

pub(super) use self::evaluation::{AddressRules, Evaluation};
pub use self::gap::Gap;
pub(super) use self::member::Member;
use self::member::{Addresses, Kinds};
pub(super) use self::ruling::Ruling;
use super::asked::{Asked, Subject};
use super::membership::Teams;
use super::shared::HashMap;
use crate::access::cedar::McpAction;
use crate::access::{AddressKinds, AddressRule, Host, Likeness, Named, Question, Request, State};
use crate::model::{Domain, Policy, Rule};

/// The largest number of teams that are tried in every combination for a user whose teams are
/// unknown.
const MOST_TEAMS: usize = 8;
/// A question about MCP: the action, the teams of the caller, and the statement to leave out.
type McpQuestion = (McpAction, BTreeSet<String>, Option<Place>);

/// The policies of one state, prepared for questions about recorded requests.
#[derive(Debug)]
pub struct Judge<'a> {
    state: State<'a>,
    /// Teams in the scopes of MCP policies.
    mcp_teams: BTreeSet<String>,
    /// The only rule of each domain; `None` if the domain has several. A domain without an entry
    /// has no rule.
    only: BTreeMap<Domain, Option<Place>>,
    /// Answers about MCP, kept because few actions and memberships make up many records.
    mcp: Mutex<BTreeMap<McpQuestion, Ruling>>,
    address_rules: Vec<AddressRule>,
    /// Teams in the scopes of policies that have rules about addresses.
    address_teams: BTreeSet<String>,
    /// The kinds of addresses with all rules in force.
    all_kinds: AddressKinds,
    /// The kinds of addresses for each membership in these teams; there are few of them.
    kinds: RwLock<BTreeMap<BTreeSet<String>, Arc<Kinds>>>,
    by_kinds: Mutex<BTreeMap<Vec<usize>, Arc<AddressRules>>>,
    members: RwLock<HashMap<BTreeSet<String>, Arc<Member>>>,
    /// The decisions on requests to names. Very many requests are alike.
    rulings: [RwLock<HashMap<(Addresses, Likeness), Ruling>>; SHARDS],
}

/// The number of parts of the known decisions, so that threads seldom wait for each other.
const SHARDS: usize = 16;
/// The most memberships, and the most decisions of a part, that are kept.
const MOST_KEPT: usize = 1 << 12;

/// A rule or a statement: the index of its policy, and its index there.
pub(super) type Place = (usize, usize);

/// A request that was looked up once, and is then decided for any membership.
#[derive(Debug)]
pub(super) enum Case {
    /// A request to a name, whose address is not recorded.
    Named(Box<(Request, Named)>),
    /// Each request, with its answer from all rules in force.
    Questions(Vec<(Request, Question)>),
    Mcp(McpAction),
    Unreadable,
}

impl<'a> Judge<'a> {
    /// Prepares policies.
    #[must_use]
    pub fn new(policies: &'a [Policy]) -> Self {
        let mcp_teams =
            teams_of(policies.iter().filter(|policy| policy.domain() == Some(Domain::Mcp)));
        let state = State::new(policies);
        let mut only = BTreeMap::new();
        for place in state.rules() {
            let rule = policies.get(place.0).and_then(|policy| policy.rules().get(place.1));
            let Some(domain) = rule.and_then(Rule::domain) else { continue };
            only.entry(domain).and_modify(|only| *only = None).or_insert(Some(*place));
        }
        let address_rules = state.address_rules();
        let of_addresses: BTreeSet<usize> = address_rules
            .iter()
            .filter_map(|one| state.rules().get(one.rule))
            .map(|place| place.0)
            .collect();
        let address_teams =
            teams_of(of_addresses.iter().filter_map(|policy| policies.get(*policy)));
        let all_kinds = state.address_kinds(|_| true);
        Self {
            state,
            mcp_teams,
            only,
            mcp: Mutex::default(),
            address_rules,
            address_teams,
            all_kinds,
            kinds: RwLock::default(),
            by_kinds: Mutex::default(),
            members: RwLock::default(),
            rulings: Default::default(),
        }
    }

    pub(super) fn state(&self) -> &State<'a> {
        &self.state
    }

    /// Looks a request up.
    pub(super) fn case(&self, asked: &Asked) -> Case {
        let question = |request: &Request| (request.clone(), self.state.question(request));
        match &asked.subject {
            Subject::One(request) => match self.state.named(request) {
                Some(named) => Case::Named(Box::new((request.clone(), named))),
                None => Case::Questions(vec![question(request)]),
            },
            Subject::EitherMode(both) => Case::Questions(both.iter().map(question).collect()),
            Subject::Mcp(action) => Case::Mcp(*action),
            Subject::Unreadable => Case::Unreadable,
        }
    }

    /// The requests of a case as points, with all rules in force.
    pub(super) fn questions<'c>(&self, case: &'c Case) -> Vec<Cow<'c, Question>> {
        match case {
            Case::Named(named) => vec![Cow::Owned(named.1.at(&self.all_kinds))],
            Case::Questions(questions) => {
                questions.iter().map(|(_, question)| Cow::Borrowed(question)).collect()
            }
            Case::Mcp(_) | Case::Unreadable => Vec::new(),
        }
    }

    /// Prepares a case for somebody.
    pub(super) fn evaluate<'s, 'c>(&'s self, case: &'c Case, teams: &Teams) -> Evaluation<'s, 'c> {
        let members = match teams {
            Teams::Known(teams) => vec![self.member(teams)],
            Teams::Unknown => {
                let relevant: Vec<String> = self.relevant_teams(case).into_iter().collect();
                let choices =
                    if relevant.len() > MOST_TEAMS { 0 } else { 1_usize << relevant.len() };
                let chosen = |choice: usize| {
                    let chosen =
                        (0..).zip(&relevant).filter(move |(bit, _)| choice >> bit & 1 == 1);
                    chosen.map(|(_, team)| team.clone()).collect()
                };
                (0..choices).map(|choice| self.member(&chosen(choice))).collect()
            }
        };
        Evaluation { judge: self, case, members }
    }

    /// Decides for somebody.
    pub(super) fn rule(&self, case: &Case, teams: &Teams) -> Ruling {
        self.evaluate(case, teams).ruling()
    }

    /// Prepares [`Self::rule_for`]; `None` for somebody whose teams are unknown.
    pub(super) fn known(&self, teams: &Teams) -> Option<Arc<Member>> {
        match teams {
            Teams::Known(teams) => Some(self.member(teams)),
            Teams::Unknown => None,
        }
    }

    /// Decides for somebody whom [`Self::known`] looked up once for many requests.
    pub(super) fn rule_for(&self, case: &Case, teams: &Teams, known: Option<&Member>) -> Ruling {
        known.map_or_else(|| self.rule(case, teams), |member| self.judged(case, member, None))
    }
}

/// The teams in the scopes of these policies.
fn teams_of<'p>(policies: impl Iterator<Item = &'p Policy>) -> BTreeSet<String> {
    policies.flat_map(|policy| policy.scope.teams()).map(str::to_owned).collect()
}

/// Returns `true` for a request to a name, which may have any address.
pub(super) fn has_any_address(request: &Request) -> bool {
    matches!(request.host(), Some(Host::Name(_, None)))
}
