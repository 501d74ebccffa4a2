//! The decision on a recorded request under the policies of one state.
//!
//! Every answer comes from the access engine. Invariant: an answer is allow or deny only if it
//! holds whatever the record leaves out (address, mode, path, attributes, teams) and whatever the
//! documentation leaves open. Otherwise it is unknown, with the one reason that comes first in
//! [`Gap`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Subject};
use super::membership::Teams;
use super::shared::HashMap;
use crate::access::cedar::McpAction;
use crate::access::{
    AccessLevel, AddressKinds, AddressRule, Host, IN_FORCE, Likeness, Named, Question, Reason,
    Request, Role, State, Unknown, Verdict,
};
use crate::model::{Decision, Domain, Policy, Rule, Scope};

/// The largest number of teams that are tried in every combination for a user whose teams are
/// unknown.
const MOST_TEAMS: usize = 8;

/// The reason why a record does not show the decision on its request.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// The request is written in a way that no rule can be compared with.
    NotReadable,
    /// A rule of the machine or of a kit decided, not one of the organization.
    LocalRule,
    /// The organization has no policy of the domain, and the documentation does not say what
    /// applies then.
    NoPolicy,
    /// The address that the name resolved to is not recorded, and a rule for addresses decides.
    AddressNotRecorded,
    /// The record of a mount does not say if it was for reading or for writing.
    ModeNotRecorded,
    /// The HTTP request that was made on the connection is not recorded.
    PathNotRecorded,
    /// The attributes of an MCP call are not recorded.
    AttributesNotRecorded,
    /// A person would be asked to approve it.
    ApprovalNeeded,
    /// The teams of the user are not known.
    TeamUnknown,
    /// The decision depends on something that is not documented.
    NotDocumented,
}

impl Gap {
    /// A phrase for people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::NotReadable => {
                "the recorded request is in a form that no rule can be compared with"
            }
            Self::LocalRule => {
                "a rule of the machine or of a kit denied it, whatever the organization's rules say"
            }
            Self::NoPolicy => {
                "there is no policy of the domain, and what holds then is not documented"
            }
            Self::AddressNotRecorded => {
                "the address is not recorded, and a rule for addresses decides"
            }
            Self::ModeNotRecorded => {
                "it is not recorded whether the mount was for reading or writing"
            }
            Self::PathNotRecorded => {
                "no HTTP request is recorded for the connection, and rules look at requests"
            }
            Self::AttributesNotRecorded => "the attributes of MCP calls are not recorded",
            Self::ApprovalNeeded => "a person is asked for approval each time",
            Self::TeamUnknown => "the teams of the user are not known (`--teams FILE` lists them)",
            Self::NotDocumented => "it depends on behaviour that is not documented",
        }
    }

    /// The name in JSON.
    #[must_use]
    pub fn code(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// The decision on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ruling {
    Known(Decision),
    Unknown(Gap),
}

/// A question about MCP: the action, the teams of the caller, and the statement to leave out.
type McpQuestion = (McpAction, BTreeSet<String>, Option<Place>);

/// The policies of one state, prepared for questions about recorded requests.
#[derive(Debug)]
pub struct Judge<'a> {
    state: State<'a>,
    /// Teams in the scopes of MCP policies.
    mcp_teams: BTreeSet<String>,
    /// By domain, its only rule. A domain without an entry has no policy.
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

/// A member of some teams.
#[derive(Debug)]
pub(super) struct Member {
    teams: BTreeSet<String>,
    /// For each policy, whether it governs the member.
    governed: Vec<bool>,
    kinds: Arc<Kinds>,
}

/// The kinds of addresses for the members of some teams.
#[derive(Debug)]
struct Kinds {
    /// The number of entries made before this one.
    id: usize,
    /// The first entry with the same kinds.
    first: usize,
    teams: BTreeSet<String>,
    base: AddressKinds,
    /// The kinds of addresses without a rule, for each rule that makes a difference.
    without: OnceLock<Vec<(AddressKinds, Vec<usize>)>>,
}

/// The identity of kinds of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Addresses {
    /// Those of an entry, by [`Kinds::first`].
    Of(usize),
    /// One of those without a rule, by [`Kinds::id`].
    Without(usize, usize),
}

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

/// A case for the members of some teams.
#[derive(Debug)]
pub(super) struct Evaluation<'j, 'c> {
    judge: &'j Judge<'j>,
    case: &'c Case,
    /// The memberships that the user may have; empty if there are too many to try.
    members: Vec<Arc<Member>>,
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

    fn member(&self, teams: &BTreeSet<String>) -> Arc<Member> {
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

    fn kinds(&self, teams: &BTreeSet<String>) -> Arc<Kinds> {
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
    fn relevant_teams(&self, case: &Case) -> BTreeSet<String> {
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

    fn mcp_ruling(
        &self,
        action: McpAction,
        teams: &BTreeSet<String>,
        without: Option<Place>,
    ) -> Ruling {
        let own: BTreeSet<String> = teams.intersection(&self.mcp_teams).cloned().collect();
        let mut known = self.mcp.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry((action, own, without)).or_insert_with_key(|(action, teams, without)| {
            let answer = self.state.ask_mcp_action(teams, *action, *without);
            match answer.level() {
                AccessLevel::Allow => Ruling::Known(Decision::Allow),
                AccessLevel::Deny => Ruling::Known(Decision::Deny),
                AccessLevel::Approval => Ruling::Unknown(Gap::ApprovalNeeded),
                AccessLevel::Uncertain => Ruling::Unknown(Gap::AttributesNotRecorded),
            }
        })
    }

    fn is_in_force(&self, rule: usize, member: &Member, without: Option<Place>) -> bool {
        let place = self.state.rules().get(rule).copied();
        let governed = |place: Place| member.governed.get(place.0).copied().unwrap_or_default();
        rule == IN_FORCE || (without.is_none() || place != without) && place.is_some_and(governed)
    }

    /// Returns `true` if there are other policies of the domain than those of one rule.
    fn has_policy(&self, domain: Domain, without: Option<Place>) -> bool {
        let is_only = without.is_some() && self.only.get(&domain).copied().flatten() == without;
        !is_only && self.state.is_governed(domain)
    }

    fn one(
        &self,
        request: &Request,
        question: &Question,
        member: &Member,
        without: Option<Place>,
    ) -> Ruling {
        if !self.has_policy(question.domain(), without) {
            return Ruling::Unknown(Gap::NoPolicy);
        }
        let in_force = |rule| self.is_in_force(rule, member, without);
        let verdict = question.verdict(in_force);
        if let Request::Connect { udp: false, .. } = request
            && let Some(gap) = unseen_request(question, verdict, in_force)
        {
            return Ruling::Unknown(gap);
        }
        match verdict {
            Verdict::Allow => Ruling::Known(Decision::Allow),
            Verdict::Deny => Ruling::Known(Decision::Deny),
            Verdict::Uncertain => Ruling::Unknown(doubt(request, question, in_force)),
        }
    }

    fn judged(&self, case: &Case, member: &Member, without: Option<Place>) -> Ruling {
        match case {
            Case::Unreadable => Ruling::Unknown(Gap::NotReadable),
            Case::Mcp(action) => self.mcp_ruling(*action, &member.teams, without),
            Case::Named(named) => {
                let rule = without.and_then(|place| self.state.rules().binary_search(&place).ok());
                let of_addresses = rule.filter(|rule| {
                    self.address_rules.binary_search_by_key(rule, |one| one.rule).is_ok()
                });
                let other =
                    of_addresses.and_then(|rule| self.position_without(&member.kinds, rule));
                let (addresses, kinds) = member.kinds.at(self, other);
                if of_addresses.is_some() && other.is_none() {
                    // The kinds are the same, but may be so by matches of this very rule.
                    let (request, named) = &**named;
                    return self.one(request, &named.at(kinds), member, without);
                }
                self.at(named, (addresses, kinds), member, without)
            }
            Case::Questions(questions) => {
                let each = questions
                    .iter()
                    .map(|(request, question)| self.one(request, question, member, without));
                agreed(each, Gap::ModeNotRecorded)
            }
        }
    }

    /// The decision on a request to a name, at certain kinds of addresses.
    fn at(
        &self,
        (request, named): &(Request, Named),
        (addresses, kinds): (Addresses, &AddressKinds),
        member: &Member,
        without: Option<Place>,
    ) -> Ruling {
        if !self.has_policy(Domain::Network, without) {
            return Ruling::Unknown(Gap::NoPolicy);
        }
        let likeness = named.likeness(|rule| self.is_in_force(rule, member, without));
        let key = (addresses, likeness);
        let hasher = foldhash::fast::FixedState::default();
        #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash do")]
        let shard = hasher.hash_one(&key) as usize % SHARDS;
        let Some(shard) = self.rulings.get(shard) else {
            return self.one(request, &named.at(kinds), member, without);
        };
        if let Some(ruling) = shard.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return *ruling;
        }
        let ruling = self.one(request, &named.at(kinds), member, without);
        let mut known = shard.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_KEPT {
            known.insert(key, ruling);
        }
        ruling
    }

    /// The rules that lead to an answer. For a user whose teams are unknown, the rules for a member
    /// of no team.
    pub(super) fn because(&self, asked: &Asked, teams: &Teams) -> Vec<Reason> {
        let none = BTreeSet::new();
        let teams = match teams {
            Teams::Known(teams) => teams,
            Teams::Unknown => &none,
        };
        match &asked.subject {
            Subject::One(request) => self.reasons(teams, request),
            Subject::EitherMode(both) => {
                let [read, write] = &**both;
                let both = [read, write].map(|request| self.reasons(teams, request));
                let all: BTreeSet<Reason> = both.into_iter().flatten().collect();
                all.into_iter().collect()
            }
            Subject::Mcp(action) => self.state.ask_mcp_action(teams, *action, None).because,
            Subject::Unreadable => Vec::new(),
        }
    }

    fn reasons(&self, teams: &BTreeSet<String>, request: &Request) -> Vec<Reason> {
        self.state.reasons_at(teams, request, &self.kinds(teams).base)
    }

    /// Returns `true` if a rule applies to a request of a user.
    pub(super) fn bears(&self, case: &Case, teams: &Teams, wanted: &Reason) -> bool {
        let is_wanted = |place: &Place| {
            self.state.policies().get(place.0).is_some_and(|policy| {
                let rule = policy.rules().get(place.1);
                policy.name == wanted.policy_name
                    && rule.map(|rule| &rule.name) == wanted.rule_name.as_ref()
                    && rule.map(|rule| rule.decision) == wanted.decision
                    && self.may_govern(*place, teams)
            })
        };
        let is_any = |mut rules: &mut dyn Iterator<Item = usize>| {
            (&mut rules).filter_map(|rule| self.state.rules().get(rule)).any(is_wanted)
        };
        match case {
            Case::Named(named) => {
                let addresses = self.address_rules.iter().map(|one| one.rule);
                is_any(&mut named.1.rules().chain(addresses))
            }
            Case::Questions(questions) => {
                is_any(&mut questions.iter().flat_map(|(_, question)| question.rules()))
            }
            Case::Mcp(_) | Case::Unreadable => false,
        }
    }

    /// Returns `true` if a rule or statement is in force for a user, or may be because the teams
    /// are unknown.
    pub(super) fn may_govern(&self, place: Place, teams: &Teams) -> bool {
        self.state.policies().get(place.0).is_some_and(|policy| match teams {
            Teams::Known(teams) => policy.scope.governs(teams),
            Teams::Unknown => true,
        })
    }

    /// Returns `true` if a rule or statement is in force for members of some teams only.
    pub(super) fn is_for_teams(&self, place: Place) -> bool {
        self.state.policies().get(place.0).is_some_and(|policy| policy.scope != Scope::Organization)
    }

    /// The kinds of addresses without one of the rules in force.
    fn without<'k>(&self, kinds: &'k Kinds) -> &'k [(AddressKinds, Vec<usize>)] {
        kinds.without.get_or_init(|| {
            self.state.address_kinds_without(|rule| self.state.governs(rule, &kinds.teams))
        })
    }

    /// The position of the kinds of addresses without a rule; `None` where they are the same.
    fn position_without(&self, kinds: &Kinds, rule: usize) -> Option<usize> {
        self.without(kinds).iter().position(|(_, rules)| rules.binary_search(&rule).is_ok())
    }

    fn rules_of(&self, key: Vec<usize>, memberships: &[&Arc<Kinds>]) -> AddressRules {
        let mut rules = Vec::new();
        let mut groups: BTreeMap<Vec<Option<usize>>, Vec<Place>> = BTreeMap::new();
        for one in &self.address_rules {
            let Some(place) = self.state.rules().get(one.rule) else { continue };
            let governs = |kinds: &&Arc<Kinds>| self.state.governs(one.rule, &kinds.teams);
            if !memberships.is_empty() && !memberships.iter().any(governs) {
                continue;
            }
            rules.push((*place, *one, !memberships.is_empty() && memberships.iter().all(governs)));
            let own = |kinds: &&Arc<Kinds>| self.position_without(kinds, one.rule);
            let kinds: Vec<Option<usize>> = memberships.iter().map(own).collect();
            if kinds.iter().any(Option::is_some) {
                groups.entry(kinds).or_default().push(*place);
            }
        }
        let groups =
            groups.into_iter().map(|(kinds, rules)| AddressGroup { kinds, rules }).collect();
        AddressRules { key, rules, groups }
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

impl Kinds {
    /// The kinds without one of the rules at a position, or with all of them.
    fn at<'k>(
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

impl Evaluation<'_, '_> {
    /// The decision.
    pub(super) fn ruling(&self) -> Ruling {
        agreed(self.members.iter().map(|member| self.judged(member, None)), Gap::TeamUnknown)
    }

    /// The decision if a rule or statement did not exist.
    pub(super) fn ruling_without(&self, place: Place) -> Ruling {
        agreed(self.members.iter().map(|member| self.judged(member, Some(place))), Gap::TeamUnknown)
    }

    fn judged(&self, member: &Member, without: Option<Place>) -> Ruling {
        self.judge.judged(self.case, member, without)
    }

    /// The rules about addresses that apply to a request whose address is unknown; `None` for any
    /// other request.
    pub(super) fn address_rules(&self) -> Option<Arc<AddressRules>> {
        let is_open = !self.judge.address_rules.is_empty() && matches!(self.case, Case::Named(_));
        is_open.then(|| {
            let kinds: Vec<&Arc<Kinds>> = self.members.iter().map(|member| &member.kinds).collect();
            let key: Vec<usize> = kinds.iter().map(|kinds| kinds.id).collect();
            let mut known = self.judge.by_kinds.lock().unwrap_or_else(PoisonError::into_inner);
            let own = known
                .entry(key)
                .or_insert_with_key(|key| Arc::new(self.judge.rules_of(key.clone(), &kinds)));
            Arc::clone(own)
        })
    }

    /// The decision if one rule of a group, which matches the request by its address alone, did not
    /// exist.
    pub(super) fn ruling_without_one(&self, group: &AddressGroup) -> Ruling {
        let judge = self.judge;
        let is_only =
            |place: &Place| judge.only.get(&Domain::Network).copied().flatten() == Some(*place);
        if group.rules.iter().any(is_only) {
            return Ruling::Unknown(Gap::NoPolicy);
        }
        // One of the group's kinds belongs to each membership.
        let rulings = self.members.iter().zip(&group.kinds).map(|(member, other)| {
            let Case::Named(named) = self.case else { return Ruling::Unknown(Gap::TeamUnknown) };
            judge.at(named, member.kinds.at(judge, *other), member, None)
        });
        agreed(rulings, Gap::TeamUnknown)
    }
}

/// The ruling on which all of them agree. Unknown with this reason if they differ, or if there are
/// none.
fn agreed(mut rulings: impl Iterator<Item = Ruling>, otherwise: Gap) -> Ruling {
    let first = rulings.next().unwrap_or(Ruling::Unknown(otherwise));
    if rulings.all(|ruling| ruling == first) { first } else { Ruling::Unknown(otherwise) }
}

/// The rules about addresses that apply to requests of a user.
#[derive(Debug)]
pub(super) struct AddressRules {
    /// The identity of this value in the cache.
    pub(super) key: Vec<usize>,
    /// All of them, and whether each is in force for every membership of the user.
    pub(super) rules: Vec<(Place, AddressRule, bool)>,
    /// The rules whose removal changes the kinds of addresses.
    pub(super) groups: Vec<AddressGroup>,
}

/// Rules that are interchangeable: the kinds of addresses are the same without any one of them.
#[derive(Debug)]
pub(super) struct AddressGroup {
    /// For each membership, the index of the kinds without such a rule.
    kinds: Vec<Option<usize>>,
    /// The rules.
    pub(super) rules: Vec<Place>,
}

/// The gap for a connection to a host with HTTP rules if no request was recorded on it. A request
/// there is decided by its path, unless a rule denies the name as a whole.
fn unseen_request(
    question: &Question,
    verdict: Verdict,
    in_force: impl Fn(usize) -> bool,
) -> Option<Gap> {
    let matches =
        || question.points().flat_map(|point| point.matches()).filter(|one| in_force(one.group));
    let covered =
        |decision| matches().any(|one| one.role == Role::Cover && one.decision == decision);
    let denied = matches().any(|one| {
        one.role == Role::Name && one.decision == Decision::Deny && one.unknowns.is_empty()
    });
    match verdict {
        Verdict::Deny if !denied && covered(Decision::Allow) => Some(Gap::PathNotRecorded),
        Verdict::Uncertain if !denied && (covered(Decision::Allow) || covered(Decision::Deny)) => {
            Some(Gap::PathNotRecorded)
        }
        Verdict::Allow | Verdict::Deny | Verdict::Uncertain => None,
    }
}

/// The reason why an answer is uncertain.
fn doubt(request: &Request, question: &Question, in_force: impl Fn(usize) -> bool) -> Gap {
    let named = has_any_address(request);
    let verdicts: BTreeSet<Verdict> =
        question.points().map(|point| point.verdict(&in_force)).collect();
    if named && verdicts.contains(&Verdict::Allow) && verdicts.contains(&Verdict::Deny) {
        return Gap::AddressNotRecorded;
    }
    let matched =
        || question.points().flat_map(|point| point.matches()).filter(|one| in_force(one.group));
    let by_address = matched().any(|one| one.role == Role::Address);
    let undocumented = matched().any(|one| !one.unknowns.without(Unknown::Uninspected).is_empty());
    if named && by_address && !undocumented { Gap::AddressNotRecorded } else { Gap::NotDocumented }
}
