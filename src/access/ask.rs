//! Whether a member of some teams may do something, and which rules decide.
//!
//! Invariant: the answer is that of the point that the request belongs to ([`super::Point`]), so that it agrees with
//! what a comparison says. Where the address of a host matters and was not said, every address is tried.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::address::address_classes;
use super::cedar::{self, McpPolicies, McpRequest};
use super::clause::{Actions, Clause, clauses};
use super::point::{Atom, Match, Point, Role, Verdict};
use super::request::{Host, Request, request_path};
use super::trie::{Case, Hit, Trie};
use super::universe::Index;
use super::unknowns::{Unknown, Unknowns};
use super::{address, nearest, remarks};
use crate::model::{Decision, Domain, Policy, Scope};

/// The policies of one state, ready to be asked.
#[derive(Debug)]
pub struct State<'a> {
    pub(super) policies: &'a [Policy],
    /// The policy and the rule of each group.
    pub(super) rules: Vec<(usize, usize)>,
    pub(super) clauses: Vec<Clause>,
    pub(super) index: Index,
    mcp: McpPolicies,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is allowed.
    pub verdict: Verdict,
    /// One phrase that says why.
    pub reason: String,
    /// The rules that decide, or could; empty where nothing matches.
    pub because: Vec<Reason>,
    /// Rules that nearly allow what is denied.
    pub nearest: Vec<String>,
    /// What else there is to know.
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
    /// What it decides.
    pub decision: Option<Decision>,
    /// The pattern that matches.
    pub pattern: Option<String>,
    /// Why it is uncertain whether it matches.
    pub doubts: Vec<String>,
}

/// A request as points: it is allowed when each part is, and certain when it is so at every address that is possible.
#[derive(Clone, Debug)]
pub struct Question {
    parts: Vec<Vec<Place>>,
}

/// A part of a request at addresses that are alike.
#[derive(Clone, Debug)]
struct Place {
    point: Point,
    /// What matches, with its clause.
    found: Vec<(Match, u32)>,
    /// What the address is, where it matters and was not said.
    address: Option<String>,
}

/// Addresses that no block holds.
const ELSEWHERE: &str = "any other address";

impl<'a> State<'a> {
    /// Prepares policies.
    #[must_use]
    pub fn of(policies: &'a [Policy]) -> Self {
        let mut rules = Vec::new();
        let mut all = Vec::new();
        for (at, policy) in policies.iter().enumerate() {
            for (number, rule) in policy.rules().iter().enumerate() {
                all.extend(clauses(rule, rules.len()));
                rules.push((at, number));
            }
        }
        Self { policies, rules, index: Index::of(&all), clauses: all, mcp: McpPolicies::of(policies) }
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
        let mut remarks = remarks::of(request);
        if !self.policies.iter().any(|policy| policy.domain() == Some(domain)) {
            let reason = Unknown::NoPolicy.to_string();
            return Answer { verdict: Verdict::Uncertain, reason, because: Vec::new(), nearest: Vec::new(), remarks };
        }
        let verdict = question.verdict(in_force);
        let because = self.because(&question, verdict, in_force);
        let (reason, nearest) = match verdict {
            Verdict::Allow => ("a rule allows it, and none denies it".to_owned(), Vec::new()),
            Verdict::Deny if because.is_empty() => {
                (question.unmet(in_force), nearest::of(self, &question.refused(in_force), teams, request))
            }
            Verdict::Deny => ("a rule denies it".to_owned(), Vec::new()),
            Verdict::Uncertain => (question.doubt(&because, in_force), Vec::new()),
        };
        remarks.extend(remarks::about(request, verdict, question.overruled(in_force)));
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
                wanted.map(|(_, atom)| vec![self.place(atom, &hits, &[], &[], None)]).collect()
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

    /// How many rules there are, and which policy and rule each is.
    #[must_use]
    pub fn rules(&self) -> &[(usize, usize)] {
        &self.rules
    }

    /// Whether a rule is in force for a member of just these teams.
    #[must_use]
    pub fn governs(&self, group: usize, teams: &BTreeSet<String>) -> bool {
        let policy = self.rules.get(group).and_then(|(policy, _)| self.policies.get(*policy));
        policy.is_some_and(|policy| match &policy.scope {
            Scope::Organization => true,
            Scope::Teams(own) => !own.is_disjoint(teams),
        })
    }

    /// The domain of a rule, by its place in [`State::rules`].
    pub(super) fn domain_of(&self, rule: usize) -> Option<Domain> {
        let (policy, rule) = self.rules.get(rule)?;
        self.policies.get(*policy)?.rules().get(*rule)?.domain()
    }

    fn host_hits(&self, host: &Host, port: u16) -> Vec<Hit> {
        let mut hits = match host {
            Host::Name(labels, _) => self.index.hits_of_name(labels),
            Host::Address(address) => self.index.hits_of_address(*address),
        };
        hits.retain(|hit| self.clause(hit).target.port().is_none_or(|own| own == port));
        hits
    }

    fn request_hits(&self, host: &Host, port: u16, path: &str) -> Vec<Hit> {
        let (canonical, segments) = request_path(path);
        let mut trie = Trie::new(Case::Unknown);
        for hit in self.host_hits(host, port) {
            self.clause(&hit).target.insert_path(&mut trie, &hit);
        }
        let mut hits = trie.hits(&segments.iter().fold(Trie::start(), |state, label| trie.step(&state, label)));
        if !canonical {
            for hit in &mut hits {
                if self.clause(hit).decision == Decision::Allow {
                    hit.unknowns = hit.unknowns.and(Unknown::RequestForm.into());
                }
            }
        }
        hits
    }

    fn at_addresses(&self, atom: Atom, host: &Host, port: u16, requests: &[Hit]) -> Vec<Place> {
        let hits = self.host_hits(host, port);
        match host {
            Host::Address(address) | Host::Name(_, Some(address)) => {
                let blocks = address::hits(&self.index.blocks, *address);
                vec![self.place(atom, &hits, &blocks, requests, None)]
            }
            Host::Name(..) => {
                let classes = address_classes(&self.index.blocks, &BTreeSet::new());
                let mut met = BTreeSet::new();
                let place = |class: &address::AddressClass| {
                    let blocks = class.hits.iter().filter_map(|hit| self.clause(hit).target.block());
                    let narrowest = blocks.max_by_key(IpNet::prefix_len);
                    let address = narrowest.map_or_else(|| ELSEWHERE.to_owned(), |block| block.to_string());
                    self.place(atom, &hits, &class.hits, requests, Some(address))
                };
                classes.iter().map(place).filter(|place| met.insert(place.point.clone())).collect()
            }
        }
    }

    /// A point from the clauses that match its host or folder, its address and its request.
    fn place(&self, atom: Atom, own: &[Hit], blocks: &[Hit], requests: &[Hit], address: Option<String>) -> Place {
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
                hits.iter().map(|hit| (Match::of(self.clause(hit), hit.unknowns, *action, *role), hit.clause));
            found.extend(matches.filter_map(|(found, clause)| Some((found?, clause))));
        }
        Place { point: Point::new(atom, found.iter().map(|(found, _)| *found).collect()), found, address }
    }

    pub(super) fn clause(&self, hit: &Hit) -> &Clause {
        self.clauses.get(hit.clause as usize).expect("hits are of these clauses")
    }

    /// The rules that lead to the verdict.
    fn because(&self, question: &Question, verdict: Verdict, in_force: impl Fn(usize) -> bool + Copy) -> Vec<Reason> {
        let mut because = BTreeSet::new();
        for place in question.parts.iter().flatten() {
            for (found, clause) in &place.found {
                if place.point.decides(found, verdict, in_force)
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
        let cedar::Answer { outcome, because, notes } = self.mcp.decide(teams, request);
        let (verdict, reason) = match outcome {
            cedar::Outcome::Allow => (Verdict::Allow, "the MCP policies permit it"),
            cedar::Outcome::Deny if because.is_empty() => (Verdict::Deny, "no statement permits it"),
            cedar::Outcome::Deny => (Verdict::Deny, "a statement forbids it"),
            cedar::Outcome::Approval => (Verdict::Uncertain, "a person is asked for approval each time"),
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
}

impl Question {
    /// Whether the request is allowed, with the rules that are in force.
    pub fn verdict(&self, in_force: impl Fn(usize) -> bool) -> Verdict {
        let part = |places: &Vec<Place>| {
            let verdicts: BTreeSet<Verdict> = places.iter().map(|place| place.point.verdict(&in_force)).collect();
            match verdicts.first() {
                Some(only) if verdicts.len() == 1 => *only,
                Some(_) | None => Verdict::Uncertain,
            }
        };
        self.parts.iter().map(part).min().unwrap_or(Verdict::Uncertain)
    }

    /// The domain that is asked about.
    #[must_use]
    pub fn domain(&self) -> Domain {
        match self.parts.iter().flatten().map(|place| place.point.atom()).next() {
            Some(Atom::Tcp | Atom::Udp | Atom::Http(_)) => Domain::Network,
            Some(Atom::Read | Atom::Write) => Domain::Filesystem,
            None => Domain::Mcp,
        }
    }

    /// The rules that bear on the request at all, by their places in [`State::rules`].
    #[must_use]
    pub fn rules(&self) -> BTreeSet<usize> {
        let places = self.parts.iter().flatten();
        places.flat_map(|place| place.point.matches()).map(|found| found.group).collect()
    }

    /// The same question with a rule that decides the other way round.
    #[must_use]
    pub fn flipped(&self, rule: usize) -> Self {
        let mut flipped = self.clone();
        for place in flipped.parts.iter_mut().flatten() {
            place.point = place.point.flipped(rule);
        }
        flipped
    }

    /// Why nothing allows it.
    fn unmet(&self, in_force: impl Fn(usize) -> bool) -> String {
        match self.refused(in_force).as_slice() {
            [Atom::Write] if self.parts.len() > 1 => "reading is allowed, but no rule allows writing".to_owned(),
            [Atom::Read] if self.parts.len() > 1 => "writing is allowed, but no rule allows reading".to_owned(),
            _ => "no rule allows it".to_owned(),
        }
    }

    /// The parts that are denied.
    fn refused(&self, in_force: impl Fn(usize) -> bool) -> Vec<Atom> {
        let denied = self.parts.iter().flatten().filter(|place| place.point.verdict(&in_force) == Verdict::Deny);
        denied.map(|place| place.point.atom()).collect()
    }

    /// What an uncertain answer hangs on.
    fn doubt(&self, because: &[Reason], in_force: impl Fn(usize) -> bool) -> String {
        let mut doubts: Vec<&str> =
            because.iter().flat_map(|reason| reason.doubts.iter().map(String::as_str)).collect();
        doubts.sort_unstable();
        doubts.dedup();
        let verdict = |place: &Place| place.point.verdict(&in_force);
        let at = |wanted: Verdict| -> Vec<&str> {
            let places = self.parts.iter().flatten().filter(|place| verdict(place) == wanted);
            places.filter_map(|place| place.address.as_deref()).collect()
        };
        let (allowed, denied) = (at(Verdict::Allow), at(Verdict::Deny));
        if !allowed.is_empty() && !denied.is_empty() {
            let some = if denied.contains(&ELSEWHERE) {
                format!("allowed at {}", allowed.join(", "))
            } else {
                format!("denied at {}", denied.join(", "))
            };
            return format!("it hangs on the address that the name resolves to: {some}; ask with ` at ADDRESS`");
        }
        if doubts.is_empty() { "it hangs on something that is not documented".to_owned() } else { doubts.join("; ") }
    }

    /// Denies of addresses that are not asked since the name is allowed, by rule.
    fn overruled(&self, in_force: impl Fn(usize) -> bool) -> bool {
        self.parts.iter().flatten().any(|place| {
            let matches = || place.point.matches().iter().filter(|one| in_force(one.group));
            matches().any(|one| one.role == Role::Name && one.decision == Decision::Allow)
                && matches().any(|one| one.role == Role::Address && one.decision == Decision::Deny)
        })
    }
}
