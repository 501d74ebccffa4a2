//! The decision on a recorded request under the policies of one state.
//!
//! Every answer is that of the access engine. Invariant: an answer is allow or deny only where it is so whatever the record
//! does not say (address, mode, path, attributes, teams) and whatever is not documented; else it is unknown, with the one
//! reason that comes first in [`Gap`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Subject};
use super::membership::Teams;
use crate::access::cedar::McpAction;
use crate::access::{Host, Question, Reason, Request, Role, State, Unknown, Verdict};
use crate::model::{Decision, Domain, Policy, Rule, Scope};

/// The number of teams that may matter for a request of somebody whose teams are unknown.
const MOST_TEAMS: usize = 8;

/// The reason why a record does not show the decision on its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// The request is written in a way that no rule can be compared with.
    NotReadable,
    /// A rule of the machine or of a kit decided, which is not the organization's.
    LocalRule,
    /// The organization has no policy of the domain: what holds then is not documented.
    NoPolicy,
    /// The address that the name resolved to is not recorded, and a rule for addresses decides.
    AddressNotRecorded,
    /// Whether a mount was for reading or for writing is not recorded.
    ModeNotRecorded,
    /// The HTTP request that was made on the connection is not recorded.
    PathNotRecorded,
    /// The attributes of an MCP call are not recorded.
    AttributesNotRecorded,
    /// A person would be asked.
    ApprovalNeeded,
    /// The teams of the user are not known.
    TeamUnknown,
    /// It hangs on something that is not documented.
    NotDocumented,
}

impl Gap {
    /// A phrase for people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::NotReadable => "the recorded request is in a form that no rule can be compared with",
            Self::LocalRule => "a rule of the machine or of a kit denied it, whatever the organization's rules say",
            Self::NoPolicy => "there is no policy of the domain, and what holds then is not documented",
            Self::AddressNotRecorded => "the address is not recorded, and a rule for addresses decides",
            Self::ModeNotRecorded => "it is not recorded whether the mount was for reading or writing",
            Self::PathNotRecorded => "no HTTP request is recorded for the connection, and rules look at requests",
            Self::AttributesNotRecorded => "the attributes of MCP calls are not recorded",
            Self::ApprovalNeeded => "a person is asked for approval each time",
            Self::TeamUnknown => "the teams of the user are not known",
            Self::NotDocumented => "it depends on behaviour that is not documented",
        }
    }

    /// As JSON has it.
    #[must_use]
    pub fn code(self) -> String {
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// The decision on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ruling {
    Known(Decision),
    Unknown(Gap),
}

/// The policies of one state, ready to be asked about records.
#[derive(Debug)]
pub struct Judge<'a> {
    state: State<'a>,
    /// Teams that MCP policies are for.
    mcp_teams: BTreeSet<String>,
    /// The only rule of a domain; without it, the domain has no policy.
    only: BTreeMap<Domain, Option<usize>>,
    /// Few actions and memberships make many records.
    mcp: Mutex<BTreeMap<(McpAction, BTreeSet<String>), Ruling>>,
}

/// A request that was looked up, to be decided for any membership.
#[derive(Debug)]
pub(super) enum Case {
    Questions(Vec<(Request, Question)>),
    Mcp(McpAction),
    Unreadable,
}

impl<'a> Judge<'a> {
    /// Prepares policies.
    #[must_use]
    pub fn new(policies: &'a [Policy]) -> Self {
        let mcp = policies.iter().filter(|policy| policy.domain() == Some(Domain::Mcp));
        let mcp_teams = mcp.flat_map(|policy| policy.scope.teams()).map(str::to_owned).collect();
        let state = State::new(policies);
        let mut only = BTreeMap::new();
        for (number, (policy, rule)) in state.rules().iter().enumerate() {
            let rule = policies.get(*policy).and_then(|policy| policy.rules().get(*rule));
            let Some(domain) = rule.and_then(Rule::domain) else { continue };
            only.entry(domain).and_modify(|only| *only = None).or_insert(Some(number));
        }
        Self { state, mcp_teams, only, mcp: Mutex::default() }
    }

    pub(super) fn state(&self) -> &State<'a> {
        &self.state
    }

    /// Looks a request up.
    pub(super) fn case(&self, asked: &Asked) -> Case {
        let question = |request: &Request| (request.clone(), self.state.question(request));
        match &asked.subject {
            Subject::One(request) => Case::Questions(vec![question(request)]),
            Subject::EitherMode(both) => Case::Questions(both.iter().map(question).collect()),
            Subject::Mcp(action) => Case::Mcp(*action),
            Subject::Unreadable => Case::Unreadable,
        }
    }

    /// Decides for somebody, as if some rules were not there.
    pub(super) fn rule_without(&self, case: &Case, teams: &Teams, without: Option<usize>) -> Ruling {
        let known = |teams: &BTreeSet<String>| self.ruling(case, teams, without);
        match teams {
            Teams::Known(teams) => known(teams),
            Teams::Unknown => {
                let relevant: Vec<String> = self.relevant_teams(case).into_iter().collect();
                if relevant.len() > MOST_TEAMS {
                    return Ruling::Unknown(Gap::TeamUnknown);
                }
                let mut found: Option<Ruling> = None;
                for choice in 0..1_usize << relevant.len() {
                    let chosen = (0..).zip(&relevant).filter(|(bit, _)| choice >> bit & 1 == 1);
                    let ruling = known(&chosen.map(|(_, team)| team.clone()).collect());
                    if found.is_some_and(|before| before != ruling) {
                        return Ruling::Unknown(Gap::TeamUnknown);
                    }
                    found = Some(ruling);
                }
                found.unwrap_or(Ruling::Unknown(Gap::TeamUnknown))
            }
        }
    }

    /// Decides for somebody.
    pub(super) fn rule(&self, case: &Case, teams: &Teams) -> Ruling {
        self.rule_without(case, teams, None)
    }

    /// The teams that membership in could make a difference.
    fn relevant_teams(&self, case: &Case) -> BTreeSet<String> {
        match case {
            Case::Unreadable => BTreeSet::new(),
            Case::Mcp(_) => self.mcp_teams.clone(),
            Case::Questions(questions) => {
                let rules = questions.iter().flat_map(|(_, question)| question.rules());
                let policies: BTreeSet<usize> =
                    rules.filter_map(|rule| self.state.rules().get(rule)).map(|(policy, _)| *policy).collect();
                let scopes = policies.into_iter().filter_map(|policy| self.state.policies().get(policy));
                scopes.flat_map(|policy| policy.scope.teams()).map(str::to_owned).collect()
            }
        }
    }

    fn ruling(&self, case: &Case, teams: &BTreeSet<String>, without: Option<usize>) -> Ruling {
        match case {
            Case::Unreadable => Ruling::Unknown(Gap::NotReadable),
            Case::Mcp(action) => self.mcp_ruling(*action, teams),
            Case::Questions(questions) => {
                let mut each = questions.iter().map(|(request, question)| self.one(request, question, teams, without));
                let first = each.next().unwrap_or(Ruling::Unknown(Gap::NotReadable));
                if each.all(|ruling| ruling == first) { first } else { Ruling::Unknown(Gap::ModeNotRecorded) }
            }
        }
    }

    fn mcp_ruling(&self, action: McpAction, teams: &BTreeSet<String>) -> Ruling {
        let own: BTreeSet<String> = teams.intersection(&self.mcp_teams).cloned().collect();
        let mut known = self.mcp.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *known.entry((action, own)).or_insert_with_key(|(action, teams)| {
            let answer = self.state.ask_mcp_action(teams, *action);
            match answer.verdict {
                Verdict::Allow => Ruling::Known(Decision::Allow),
                Verdict::Deny => Ruling::Known(Decision::Deny),
                Verdict::Uncertain if answer.reason == crate::access::APPROVAL_REASON => {
                    Ruling::Unknown(Gap::ApprovalNeeded)
                }
                Verdict::Uncertain => Ruling::Unknown(Gap::AttributesNotRecorded),
            }
        })
    }

    fn one(&self, request: &Request, question: &Question, teams: &BTreeSet<String>, without: Option<usize>) -> Ruling {
        let domain = question.domain();
        let gone = without.is_some() && self.only.get(&domain).copied().flatten() == without;
        if gone || !self.state.is_governed(domain) {
            return Ruling::Unknown(Gap::NoPolicy);
        }
        let in_force = |rule| Some(rule) != without && self.state.governs(rule, teams);
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

    /// The rules that lead to an answer; for somebody whose teams are unknown, those that lead to it for a member of none.
    pub(super) fn because(&self, asked: &Asked, teams: &Teams) -> Vec<Reason> {
        let none = BTreeSet::new();
        let teams = match teams {
            Teams::Known(teams) => teams,
            Teams::Unknown => &none,
        };
        match &asked.subject {
            Subject::One(request) => self.state.ask(teams, request).because,
            Subject::EitherMode([read, write]) => {
                let both = [read, write].map(|request| self.state.ask(teams, request).because);
                let all: BTreeSet<Reason> = both.into_iter().flatten().collect();
                all.into_iter().collect()
            }
            Subject::Mcp(action) => self.state.ask_mcp_action(teams, *action).because,
            Subject::Unreadable => Vec::new(),
        }
    }

    /// The rules that bear on a request of somebody at all, by policy, rule and decision.
    pub(super) fn bearing(&self, case: &Case, teams: &Teams) -> BTreeSet<(String, Option<String>, Option<Decision>)> {
        let Case::Questions(questions) = case else { return BTreeSet::new() };
        let rules: BTreeSet<usize> = questions.iter().flat_map(|(_, question)| question.rules()).collect();
        let governs = |rule: &usize| match teams {
            Teams::Known(teams) => self.state.governs(*rule, teams),
            Teams::Unknown => true,
        };
        let named = rules.into_iter().filter(governs).filter_map(|rule| {
            let (policy, number) = self.state.rules().get(rule)?;
            let policy = self.state.policies().get(*policy)?;
            let rule = policy.rules().get(*number)?;
            Some((policy.name.clone(), Some(rule.name.clone()), Some(rule.decision)))
        });
        named.collect()
    }

    /// Returns `true` if a rule is for members of some teams only.
    pub(super) fn is_for_teams(&self, rule: usize) -> bool {
        let policy = self.state.rules().get(rule).and_then(|(policy, _)| self.state.policies().get(*policy));
        policy.is_some_and(|policy| policy.scope != Scope::Organization)
    }
}

/// A connection to a host that HTTP rules are about, of which no request is recorded: whether a request on it would be
/// allowed hangs on its path, unless a name is denied as a whole.
fn unseen_request(question: &Question, verdict: Verdict, in_force: impl Fn(usize) -> bool) -> Option<Gap> {
    let matches = || question.points().flat_map(|point| point.matches()).filter(|one| in_force(one.group));
    let covered = |decision| matches().any(|one| one.role == Role::Cover && one.decision == decision);
    let denied =
        matches().any(|one| one.role == Role::Name && one.decision == Decision::Deny && one.unknowns.is_empty());
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
    let named = matches!(request.host(), Some(Host::Name(_, None)));
    let verdicts: BTreeSet<Verdict> = question.points().map(|point| point.verdict(&in_force)).collect();
    if named && verdicts.contains(&Verdict::Allow) && verdicts.contains(&Verdict::Deny) {
        return Gap::AddressNotRecorded;
    }
    let matched = || question.points().flat_map(|point| point.matches()).filter(|one| in_force(one.group));
    let by_address = matched().any(|one| one.role == Role::Address);
    let undocumented = matched().any(|one| !one.unknowns.without(Unknown::Uninspected).is_empty());
    if named && by_address && !undocumented { Gap::AddressNotRecorded } else { Gap::NotDocumented }
}
