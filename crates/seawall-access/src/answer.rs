//! Decides a request for an agent in some teams, and names the rules that decide it.
//!
//! Invariant: the answer is that of the point that the request belongs to ([`crate::Point`]), so that it agrees with
//! every comparison. If the address of a host matters and the request does not give it, [`Question`] tries every
//! address.

use std::collections::BTreeSet;

use crate::address::{AddressClass, address_classes};
use crate::cedar;
use crate::cedar::{McpPolicies, McpRequest};
use crate::clause::{Actions, Clause, clauses};
use crate::model::{Decision, Domain, Policy};
use crate::point::{Atom, Match, Point, Role, Verdict};
use crate::question::{MatchedPoint, Part, Question};
use crate::request::{Host, Request, request_path};
use crate::trie::{Case, Hit, Trie};
use crate::universe::Index;
use crate::unknowns::{Unknown, Unknowns};
use crate::{address, nearest, remarks};

/// The reason given for an MCP call that asks a person first, which is neither allowed nor denied.
pub const APPROVAL_REASON: &str = "a person is asked for approval each time";

/// The policies of one state, ready to be asked.
#[derive(Debug)]
pub struct State<'a> {
    pub(super) policies: &'a [Policy],
    /// The policy and the rule of each group.
    pub(super) rules: Vec<(usize, usize)>,
    pub(super) clauses: Vec<Clause>,
    pub(super) index: Index,
    /// The classes of addresses that the blocks distinguish.
    pub(super) addresses: Vec<AddressClass>,
    mcp: McpPolicies,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Decision about the request.
    pub verdict: Verdict,
    /// One phrase that says why.
    pub reason: String,
    /// The rules that decide, or could; empty where nothing matches.
    pub because: Vec<Reason>,
    /// Rules that nearly allow what is denied, or what only some addresses of a name open.
    pub nearest: Vec<String>,
    /// Further remarks.
    pub remarks: Vec<String>,
}

/// A rule or statement that decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The policy's place among those that were given.
    pub policy: usize,
    /// The rule's place in the policy, or the statement's in its Cedar text.
    pub rule: Option<usize>,
    /// The policy's name.
    pub policy_name: String,
    /// The rule's name.
    pub rule_name: Option<String>,
    /// The decision of the rule or statement.
    pub decision: Option<Decision>,
    /// The pattern that matches.
    pub pattern: Option<String>,
    /// The reasons why it is uncertain whether it matches.
    pub doubts: Vec<String>,
}

impl<'a> State<'a> {
    /// Prepares policies.
    #[must_use]
    pub fn new(policies: &'a [Policy]) -> Self {
        let mut rules = Vec::new();
        let mut all = Vec::new();
        for (at, policy) in policies.iter().enumerate() {
            for (number, rule) in policy.rules().iter().enumerate() {
                all.extend(clauses(rule, rules.len()));
                rules.push((at, number));
            }
        }
        let index = Index::new(&all);
        let addresses = address_classes(&index.blocks, &BTreeSet::new());
        Self { policies, rules, index, addresses, clauses: all, mcp: McpPolicies::new(policies) }
    }

    /// Asks for a member of just these teams.
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
            return Answer { verdict: Verdict::Uncertain, reason, because: Vec::new(), nearest: Vec::new(), remarks };
        }
        let verdict = question.verdict(in_force);
        let because = self.because(&question, verdict, in_force);
        let (reason, nearest) = match verdict {
            Verdict::Allow => ("a rule allows it, and none denies it".to_owned(), Vec::new()),
            Verdict::Deny if because.is_empty() => {
                (question.unmet(in_force), nearest::find(self, &question.refused(in_force), teams, request))
            }
            Verdict::Deny => ("a rule denies it".to_owned(), Vec::new()),
            Verdict::Uncertain => {
                (question.doubt(&because, in_force), nearest::find(self, &question.unnamed(in_force), teams, request))
            }
        };
        remarks.extend(remarks::about(request, verdict, question.overruled(in_force)));
        remarks.extend(question.exceptions(in_force));
        Answer { verdict, reason, because, nearest, remarks }
    }

    /// The request as points, whose groups are the rules in the order of the policies. MCP requests have none.
    #[must_use]
    pub fn question(&self, request: &Request) -> Question {
        let parts = match request {
            Request::Mcp(_) => Vec::new(),
            Request::Folder { read, write, segments } => {
                let hits = self.index.hits_of_folder(segments);
                let atoms = [(*read, Atom::Read), (*write, Atom::Write)];
                let wanted = atoms.into_iter().filter(|(wanted, _)| *wanted);
                wanted.map(|(_, atom)| Part::single(self.place(atom, &hits, &[], &[]))).collect()
            }
            Request::Connect { udp, host, port } => {
                let atom = if *udp { Atom::Udp } else { Atom::Tcp };
                vec![self.at_addresses(atom, host, *port, &[])]
            }
            Request::Http { method, host, port, path } => {
                let requests = self.request_hits(host, *port, path);
                vec![self.at_addresses(Atom::Http(method), host, *port, &requests)]
            }
        };
        Question { parts }
    }

    /// Returns `true` if any policy is about a domain. Where none is, nothing is known of it ([`Unknown::NoPolicy`]).
    #[must_use]
    pub fn is_governed(&self, domain: Domain) -> bool {
        self.policies.iter().any(|policy| policy.domain() == Some(domain))
    }

    /// Asks about an MCP action of which nothing else is known, as if one statement, by policy and number, was not there.
    #[must_use]
    pub fn ask_mcp_action(
        &self,
        teams: &BTreeSet<String>,
        action: cedar::McpAction,
        without: Option<(usize, usize)>,
    ) -> Answer {
        answer_of(self.mcp.decide_action(teams, action, without))
    }

    /// The statements about an MCP action, by policy and number; and whether one matches whatever else is true of a request.
    #[must_use]
    pub fn mcp_statements_about(&self, action: cedar::McpAction) -> Vec<((usize, usize), bool)> {
        self.mcp.statements_about(action)
    }

    /// The MCP policies.
    pub(super) fn mcp(&self) -> &McpPolicies {
        &self.mcp
    }

    /// The policies.
    #[must_use]
    pub fn policies(&self) -> &'a [Policy] {
        self.policies
    }

    /// The rules, in their order: the policy and the rule of each.
    #[must_use]
    pub fn rules(&self) -> &[(usize, usize)] {
        &self.rules
    }

    /// Returns `true` if a rule is in force for a member of just these teams.
    #[must_use]
    pub fn governs(&self, group: usize, teams: &BTreeSet<String>) -> bool {
        let policy = self.rules.get(group).and_then(|(policy, _)| self.policies.get(*policy));
        policy.is_some_and(|policy| policy.scope.governs(teams))
    }

    /// The domain of a rule, by its place in [`State::rules`].
    #[must_use]
    pub fn domain_of(&self, rule: usize) -> Option<Domain> {
        let (policy, rule) = self.rules.get(rule)?;
        self.policies.get(*policy)?.rules().get(*rule)?.domain()
    }

    pub(super) fn host_hits(&self, host: &Host, port: u16) -> Vec<Hit> {
        let mut hits = match host {
            Host::Name(labels, _) => self.index.hits_of_name(labels),
            Host::Address(address) => self.index.hits_of_address(*address),
        };
        hits.retain(|hit| self.clause(hit).target.port().is_none_or(|own| own == port));
        hits
    }

    pub(super) fn request_hits(&self, host: &Host, port: u16, path: &str) -> Vec<Hit> {
        let (canonical, segments) = request_path(path);
        let mut trie = Trie::new(Case::Unknown);
        for hit in self.host_hits(host, port) {
            self.clause(&hit).target.insert_path(&mut trie, &hit);
        }
        let mut hits = trie.hits(&segments.iter().fold(trie.start(), |state, label| trie.step(&state, label)));
        if !canonical {
            for hit in &mut hits {
                if self.clause(hit).decision == Decision::Allow {
                    hit.unknowns = hit.unknowns.union(Unknown::RequestForm.into());
                }
            }
        }
        hits
    }

    fn at_addresses(&self, atom: Atom, host: &Host, port: u16, requests: &[Hit]) -> Part {
        let hits = self.host_hits(host, port);
        match host {
            Host::Address(address) | Host::Name(_, Some(address)) => {
                let blocks = address::hits(&self.index.blocks, *address);
                Part::single(self.place(atom, &hits, &blocks, requests))
            }
            Host::Name(labels, None) => {
                let place = |class: &AddressClass| {
                    let blocks = class.hits.iter().filter_map(|hit| self.clause(hit).target.block());
                    (blocks.max_by_key(ipnet::IpNet::prefix_len), self.place(atom, &hits, &class.hits, requests))
                };
                Part::at_addresses(labels, self.addresses.iter().map(place))
            }
        }
    }

    /// A point from the clauses that match its host or folder, its address and its request.
    pub(super) fn place(&self, atom: Atom, own: &[Hit], blocks: &[Hit], requests: &[Hit]) -> MatchedPoint {
        let action = Actions::needed(atom);
        let roles: &[(&[Hit], Actions, Role)] = match atom {
            Atom::Read | Atom::Write => &[(own, action, Role::Folder)],
            Atom::Udp => &[(own, Actions::UDP, Role::Name), (blocks, Actions::UDP, Role::Address)],
            Atom::Tcp => &[
                (own, Actions::TCP, Role::Name),
                (own, Actions::HTTP, Role::Cover),
                (blocks, Actions::TCP, Role::Address),
            ],
            Atom::Http(method) => &[
                (own, Actions::TCP, Role::Name),
                (blocks, Actions::TCP, Role::Address),
                (requests, Actions::method(method), Role::Http),
            ],
        };
        let mut found: Vec<(Match, u32)> = Vec::new();
        for (hits, action, role) in roles {
            let matches =
                hits.iter().map(|hit| (Match::new(self.clause(hit), hit.unknowns, *action, *role), hit.clause));
            found.extend(matches.filter_map(|(found, clause)| Some((found?, clause))));
        }
        let as_blocks: Vec<(Match, u32)> =
            found.iter().filter_map(|(found, clause)| Some((found.as_block()?, *clause))).collect();
        found.extend(as_blocks);
        MatchedPoint { point: Point::new(atom, found.iter().map(|(found, _)| *found).collect()), found }
    }

    pub(super) fn clause(&self, hit: &Hit) -> &Clause {
        self.clauses.get(hit.clause as usize).expect("hits are of these clauses")
    }

    /// The rules that lead to the verdict.
    pub(super) fn because(
        &self,
        question: &Question,
        verdict: Verdict,
        in_force: impl Fn(usize) -> bool + Copy,
    ) -> Vec<Reason> {
        let mut because = BTreeSet::new();
        for place in question.telling(verdict, in_force) {
            // At one address it may be allowed and at another denied, which together is uncertain.
            let own = if verdict == Verdict::Uncertain { place.point.verdict(in_force) } else { verdict };
            for (found, clause) in &place.found {
                if place.point.decides(found, own, in_force)
                    && let Some(clause) = self.clauses.get(*clause as usize)
                {
                    because.insert(self.reason(clause, found.unknowns));
                }
            }
        }
        because.into_iter().collect()
    }

    fn reason(&self, clause: &Clause, unknowns: Unknowns) -> Reason {
        let (policy, rule) = self.rules.get(clause.group).copied().unwrap_or_default();
        let stated = self.policies.get(policy);
        Reason {
            policy,
            rule: Some(rule),
            policy_name: stated.map(|policy| policy.name.clone()).unwrap_or_default(),
            rule_name: stated.and_then(|policy| policy.rules().get(rule)).map(|rule| rule.name.clone()),
            decision: Some(clause.decision),
            pattern: Some(clause.target.to_string()),
            doubts: unknowns.iter().map(|unknown| unknown.to_string()).collect(),
        }
    }

    fn ask_mcp(&self, teams: &BTreeSet<String>, request: &McpRequest) -> Answer {
        answer_of(self.mcp.decide(teams, request))
    }
}

/// The answer of the MCP policies, in the form of other answers.
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
        let cedar::Reason { policy, policy_name, statement, effect, approval, doubt, span: _ } = reason;
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
