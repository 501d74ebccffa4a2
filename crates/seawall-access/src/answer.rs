//! Decides a request for an agent in some teams, and names the rules that decide it.
//!
//! Invariant: the answer is that of the point of the request ([`crate::Point`]), so that it agrees
//! with every comparison. If the address of a host matters and the request does not state it,
//! [`Question`] tries every address.

use std::collections::BTreeSet;

use crate::cedar::{self, McpRequest};
use crate::clause::Clause;
use crate::model::Decision;
use crate::point::{Match, Verdict};
use crate::question::{Question, Reason};
use crate::request::Request;
use crate::state::State;
use crate::unknowns::{Unknown, Unknowns};
use crate::{nearest, remarks};

/// The reason for an MCP call that requires approval, which is neither allowed nor denied.
pub(crate) const APPROVAL_REASON: &str = "a person is asked for approval each time";

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The decision on the request.
    pub verdict: Verdict,
    /// The reason as a phrase.
    pub reason: String,
    /// The rules that decide, or may decide; empty if none matches.
    pub because: Vec<Reason>,
    /// Rules that nearly allow a denied request, or that allow it at some addresses of its name
    /// only.
    pub nearest: Vec<String>,
    /// Further remarks.
    pub remarks: Vec<String>,
}

impl State<'_> {
    /// Answers for a member of exactly these teams.
    #[must_use]
    pub fn ask(&self, teams: &BTreeSet<String>, request: &Request) -> Answer {
        if let Request::Mcp(request) = request {
            return self.ask_mcp(teams, request);
        }
        let question = self.question(request);
        let domain = question.domain();
        let in_force = |group| self.governs(group, teams);
        let mut remarks = remarks::collect(request);
        if !self.is_governed(domain) {
            let reason = Unknown::NoPolicy.to_string();
            return Answer {
                verdict: Verdict::Uncertain,
                reason,
                because: Vec::new(),
                nearest: Vec::new(),
                remarks,
            };
        }
        let verdict = question.verdict(in_force);
        let because = self.because(&question, verdict, in_force);
        let (reason, nearest) = match verdict {
            Verdict::Allow => ("a rule allows it, and none denies it".to_owned(), Vec::new()),
            Verdict::Deny if because.is_empty() => (
                question.unmet(in_force),
                nearest::find(self, &question.refused(in_force), teams, request),
            ),
            Verdict::Deny => ("a rule denies it".to_owned(), Vec::new()),
            Verdict::Uncertain => (
                self.doubt_of(&question, in_force),
                nearest::find(self, &question.unnamed(in_force), teams, request),
            ),
        };
        remarks.extend(remarks::about(request, verdict, question.overruled(in_force)));
        remarks.extend(question.exceptions(in_force));
        Answer { verdict, reason, because, nearest, remarks }
    }

    /// The reason of an uncertain answer, as [`Self::ask`] gives it; `None` for a certain one.
    #[must_use]
    pub fn doubt(&self, teams: &BTreeSet<String>, request: &Request) -> Option<String> {
        let question = self.question(request);
        if matches!(request, Request::Mcp(_)) || !self.is_governed(question.domain()) {
            let answer = self.ask(teams, request);
            return (answer.verdict == Verdict::Uncertain).then_some(answer.reason);
        }
        let in_force = |group| self.governs(group, teams);
        (question.verdict(in_force) == Verdict::Uncertain)
            .then(|| self.doubt_of(&question, in_force))
    }

    /// Answers for an MCP action about which nothing else is known, without one statement, given by
    /// policy and number.
    #[must_use]
    pub fn ask_mcp_action(
        &self,
        teams: &BTreeSet<String>,
        action: cedar::McpAction,
        without: Option<(usize, usize)>,
    ) -> Answer {
        answer_of(self.mcp().decide_action(teams, action, without))
    }

    /// The rules that lead to the verdict.
    pub(super) fn because(
        &self,
        question: &Question,
        verdict: Verdict,
        in_force: impl Fn(usize) -> bool + Copy,
    ) -> Vec<Reason> {
        let deciding = Self::deciding(question, verdict, in_force);
        let because: BTreeSet<Reason> = deciding
            .filter_map(|(found, clause)| {
                Some(self.reason(self.clauses.get(*clause as usize)?, found.unknowns))
            })
            .collect();
        because.into_iter().collect()
    }

    /// The matches that lead to the verdict, with their clauses.
    fn deciding<'q>(
        question: &'q Question,
        verdict: Verdict,
        in_force: impl Fn(usize) -> bool + Copy + 'q,
    ) -> impl Iterator<Item = &'q (Match, u32)> {
        question.telling(verdict, in_force).into_iter().flat_map(move |place| {
            // A request that is allowed at one address and denied at another is uncertain.
            let own =
                if verdict == Verdict::Uncertain { place.point.verdict(in_force) } else { verdict };
            let decides = place.point.deciding(own, in_force);
            place.found.iter().filter(move |(found, _)| decides(found))
        })
    }

    /// The reasons why a question has an uncertain answer.
    fn doubt_of(&self, question: &Question, in_force: impl Fn(usize) -> bool + Copy) -> String {
        let deciding = Self::deciding(question, Verdict::Uncertain, in_force);
        let doubts = deciding.fold(Unknowns::NONE, |all, (found, _)| all.union(found.unknowns));
        question.doubt(doubts, in_force)
    }

    fn reason(&self, clause: &Clause, unknowns: Unknowns) -> Reason {
        let (policy, rule) = self.rules.get(clause.group).copied().unwrap_or_default();
        let stated = self.policies.get(policy);
        Reason {
            policy,
            rule: Some(rule),
            policy_name: stated.map(|policy| policy.name.clone()).unwrap_or_default(),
            rule_name: stated
                .and_then(|policy| policy.rules().get(rule))
                .map(|rule| rule.name.clone()),
            decision: Some(clause.decision),
            pattern: Some(clause.target.to_string()),
            doubts: unknowns.iter().map(|unknown| unknown.to_string()).collect(),
        }
    }

    fn ask_mcp(&self, teams: &BTreeSet<String>, request: &McpRequest) -> Answer {
        answer_of(self.mcp().decide(teams, request))
    }
}

/// The answer of the MCP policies in the form of other answers.
fn answer_of(cedar::Answer { outcome, because, notes }: cedar::Answer) -> Answer {
    let (verdict, reason) = match outcome {
        cedar::Outcome::Allow => (Verdict::Allow, "the MCP policies permit it"),
        cedar::Outcome::Deny if because.is_empty() => (Verdict::Deny, "no statement permits it"),
        cedar::Outcome::Deny => (Verdict::Deny, "a statement forbids it"),
        cedar::Outcome::Approval => (Verdict::Uncertain, APPROVAL_REASON),
        cedar::Outcome::Uncertain => {
            (Verdict::Uncertain, "it hangs on something that is not documented or was not said")
        }
    };
    let because = because.into_iter().map(|reason| {
        let cedar::Reason { policy, policy_name, statement, effect, approval, doubt, span: _ } =
            reason;
        let approval = approval.map(|text| format!("it asks for approval: {text}"));
        Reason {
            policy,
            rule: statement,
            policy_name,
            rule_name: statement.map(|number| format!("statement {}", number + 1)),
            decision: effect.map(|effect| match effect {
                cedar::Effect::Permit => Decision::Allow,
                cedar::Effect::Forbid => Decision::Deny,
            }),
            pattern: None,
            doubts: approval.into_iter().chain(doubt).collect(),
        }
    });
    let because = because.collect();
    Answer { verdict, reason: reason.to_owned(), because, nearest: Vec::new(), remarks: notes }
}
