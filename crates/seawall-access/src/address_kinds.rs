//! Addresses that are equivalent under the rules in force, for questions about many names.
//!
//! A name may have any address, and thousands of blocks make thousands of classes of addresses;
//! under the rules in force for one user, only a few kinds remain. Invariant: a question about the
//! kinds of some rules has the same verdict as a question about every class with these rules in
//! force.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::atom::Atom;
use super::clause::{Actions, Clause};
use super::point::{Match, Point, Role, Verdict};
use super::question::{MatchedPoint, Part, Question, Reason};
use super::ranges::{Known, Purpose, purpose};
use super::request::{Host, Request};
use super::state::State;
use super::trie::Hit;
use super::unknowns::Unknowns;
use crate::model::Decision;

/// The group of a match at an address in a question about [`AddressKinds`]: it stands for the rules
/// in force.
pub const IN_FORCE: usize = usize::MAX;

/// A rule about addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRule {
    /// Its index in [`State::rules`].
    pub rule: usize,
    /// True for TCP, and true for UDP.
    pub protocols: [bool; 2],
    /// True if it certainly matches every address.
    pub is_everywhere: bool,
}

/// Kinds of addresses, each with an example block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressKinds(BTreeMap<Kind, Option<IpNet>>);

/// The rules that match the addresses of a kind, and the purpose that a standard reserves them for.
type Kind = (BTreeSet<Meaning>, Option<Purpose>);

/// A match of an address, without its rule if that makes no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Meaning {
    decision: Decision,
    actions: Actions,
    unknowns: Unknowns,
    group: usize,
}

impl AddressKinds {
    /// Returns `true` if a question about the others has the same points.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.0.keys().eq(other.0.keys())
    }
}

impl Meaning {
    fn as_match(&self, needed: Actions) -> Option<Match> {
        let Self { decision, actions, unknowns, group } = *self;
        actions.meets(needed).then(|| Match::of_group(group, decision, Role::Address, unknowns))
    }
}

impl State<'_> {
    /// The rules about addresses.
    #[must_use]
    pub fn address_rules(&self) -> Vec<AddressRule> {
        let mut found: BTreeMap<usize, (Actions, usize)> = BTreeMap::new();
        for class in &self.addresses {
            let mut certain: BTreeSet<usize> = BTreeSet::new();
            for (hit, clause) in class.hits.iter().map(|hit| (hit, self.clause(hit))) {
                if clause.actions.intersection(Actions::NETWORK) == Actions::default() {
                    continue;
                }
                let own = found.entry(clause.group).or_insert((Actions::default(), 0));
                own.0 = own.0.union(clause.actions);
                if hit.unknowns.is_empty() && certain.insert(clause.group) {
                    own.1 += 1;
                }
            }
        }
        let rules = found.into_iter().map(|(rule, (actions, classes))| AddressRule {
            rule,
            protocols: [Actions::TCP, Actions::UDP].map(|action| actions.meets(action)),
            is_everywhere: classes == self.addresses.len(),
        });
        rules.collect()
    }

    /// The kinds of addresses under the rules in force.
    #[must_use]
    pub fn address_kinds(&self, in_force: impl Fn(usize) -> bool) -> AddressKinds {
        let kinds = self.addresses.iter().map(|class| self.kind(&class.hits, &in_force));
        AddressKinds(kinds.collect())
    }

    /// The kinds of addresses without one of the rules in force, each with the rules whose absence
    /// has this result. Rules whose absence changes nothing are left out.
    #[must_use]
    pub fn address_kinds_without(
        &self,
        in_force: impl Fn(usize) -> bool,
    ) -> Vec<(AddressKinds, Vec<usize>)> {
        let mut base: BTreeMap<Kind, (usize, Option<IpNet>)> = BTreeMap::new();
        let mut classes: BTreeMap<usize, Vec<(&[Hit], Kind)>> = BTreeMap::new();
        for class in &self.addresses {
            let (kind, block) = self.kind(&class.hits, &in_force);
            let groups: BTreeSet<usize> =
                class.hits.iter().map(|hit| self.clause(hit).group).collect();
            for group in groups.into_iter().filter(|group| in_force(*group)) {
                classes.entry(group).or_default().push((&class.hits, kind.clone()));
            }
            base.entry(kind).or_insert((0, block)).0 += 1;
        }
        let mut found: Vec<(AddressKinds, Vec<usize>)> = Vec::new();
        for (rule, classes) in classes {
            let mut gone: BTreeMap<&Kind, usize> = BTreeMap::new();
            let mut new: BTreeMap<Kind, Option<IpNet>> = BTreeMap::new();
            for (hits, old) in &classes {
                *gone.entry(old).or_default() += 1;
                new.extend([self.kind(hits, &|group| group != rule && in_force(group))]);
            }
            gone.retain(|kind, count| {
                base.get(*kind).is_some_and(|(all, _)| all == count) && !new.contains_key(*kind)
            });
            new.retain(|kind, _| !base.contains_key(kind));
            if gone.is_empty() && new.is_empty() {
                continue;
            }
            let left = base.iter().filter(|(kind, _)| !gone.contains_key(kind));
            new.extend(left.map(|(kind, (_, block))| (kind.clone(), *block)));
            let kinds = AddressKinds(new);
            match found.iter_mut().find(|(own, _)| own.0.keys().eq(kinds.0.keys())) {
                Some((_, rules)) => rules.push(rule),
                None => found.push((kinds, vec![rule])),
            }
        }
        found
    }

    /// The rules that lead to the answer for a member of exactly these teams; `kinds` are those
    /// under the rules for them.
    #[must_use]
    pub fn reasons_at(
        &self,
        teams: &BTreeSet<String>,
        request: &Request,
        kinds: &AddressKinds,
    ) -> Vec<Reason> {
        let question = self.question_at(request, kinds);
        if !self.is_governed(question.domain()) {
            return Vec::new();
        }
        let in_force = |group| group == IN_FORCE || self.governs(group, teams);
        let verdict = question.verdict(in_force);
        let by_address = question.telling(verdict, in_force).into_iter().any(
            |MatchedPoint { point, .. }| {
                let own =
                    if verdict == Verdict::Uncertain { point.verdict(in_force) } else { verdict };
                let decides = point.deciding(own, in_force);
                point.matches().iter().any(|one| one.role == Role::Address && decides(one))
            },
        );
        // Kinds do not identify their rules.
        let question = if by_address { self.question(request) } else { question };
        self.because(&question, verdict, in_force)
    }

    fn kind(&self, hits: &[Hit], in_force: &impl Fn(usize) -> bool) -> (Kind, Option<IpNet>) {
        let clauses = || hits.iter().map(|hit| (self.clause(hit), hit.unknowns));
        let block =
            clauses().filter_map(|(clause, _)| clause.target.block()).max_by_key(IpNet::prefix_len);
        let about = |clause: &Clause| clause.actions.intersection(Actions::NETWORK);
        let own = clauses()
            .filter(|(clause, _)| about(clause) != Actions::default() && in_force(clause.group));
        let meanings = own.map(|(clause, unknowns)| Meaning {
            decision: clause.decision,
            actions: about(clause),
            unknowns,
            // Undocumented behaviour may differ between rules, so that such matches stay separate.
            group: if unknowns.is_empty() { IN_FORCE } else { clause.group },
        });
        ((meanings.collect(), block.as_ref().and_then(purpose)), block)
    }

    /// The request as points at kinds of addresses. With a rule of its name that is not in force,
    /// and the kinds of those that are, it has the verdict of [`State::question`].
    #[must_use]
    pub fn question_at(&self, request: &Request, kinds: &AddressKinds) -> Question {
        self.named(request).map_or_else(|| self.question(request), |named| named.at(kinds))
    }

    /// A request to a name whose address is not stated; `None` for any other request.
    #[must_use]
    pub fn named(&self, request: &Request) -> Option<Named> {
        let (atom, host, port, path) = match request {
            Request::Connect { udp, host, port } => {
                (if *udp { Atom::Udp } else { Atom::Tcp }, host, *port, None)
            }
            Request::Http { method, host, port, path } => {
                (Atom::Http(method), host, *port, Some(path))
            }
            Request::Folder { .. } | Request::Mcp(_) => return None,
        };
        let Host::Name(labels, None) = host else { return None };
        let hits = self.host_hits(host, port);
        let requests = path.map(|path| self.request_hits(&hits, path)).unwrap_or_default();
        let place = self.place(atom, &hits, &[], &requests);
        Some(Named { known: Known::from_name(&labels.join(".")), place })
    }
}

/// A request to a name whose address is not stated.
#[derive(Clone, Debug)]
pub struct Named {
    known: Known,
    /// The rules that match the request at every address.
    place: MatchedPoint,
}

impl Named {
    /// The request with the rules that match it at every address.
    #[must_use]
    pub fn point(&self) -> &Point {
        &self.place.point
    }

    /// The rules that match it whatever its address.
    pub fn rules(&self) -> impl Iterator<Item = usize> {
        self.place.point.matches().iter().map(|found| found.group)
    }

    /// The request as points at kinds of addresses.
    #[must_use]
    pub fn at(&self, kinds: &AddressKinds) -> Question {
        let MatchedPoint { point, found } = &self.place;
        let atom = point.atom();
        let needed = if atom == Atom::Udp { Actions::UDP } else { Actions::TCP };
        let places = kinds.0.iter().map(|((meanings, _), block)| {
            let at_address = meanings.iter().filter_map(|meaning| meaning.as_match(needed));
            let all = point.matches().iter().copied().chain(at_address).collect();
            (*block, MatchedPoint { point: Point::new(atom, all), found: found.clone() })
        });
        Question { parts: vec![Part::at_addresses(self.known, places)] }
    }

    /// The likeness of the request with these rules in force: requests that are alike have the same
    /// verdict at the same kinds of addresses, for the same reasons but for the names of rules.
    pub fn likeness(&self, in_force: impl Fn(usize) -> bool) -> Likeness {
        let point = &self.place.point;
        Likeness { atom: point.atom(), known: self.known, matches: point.likeness(in_force) }
    }
}

/// The facts that determine the verdict on a request to a name, at given kinds of addresses:
/// requests with the same facts have the same verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Likeness {
    atom: Atom,
    known: Known,
    matches: Vec<(bool, Match)>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Action, Body, Policy, Resources, Rule, Scope};

    const RESOURCES: [&str; 12] = [
        "a.example.com",
        "**.example.com",
        "db.corp.example",
        "**",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.0/24",
        "0.0.0.0/0",
        "::/0",
        "140.82.112.0/20",
        "169.254.169.254/32",
        "10.1.2.3/8", // with bits of the host
    ];
    const HOSTS: [&str; 4] = ["a.example.com", "db.corp.example", "localhost", "10.1.2.3"];

    fn policies() -> impl Strategy<Value = Vec<Policy>> {
        let resources = prop::collection::vec(prop::sample::select(&RESOURCES[..]), 1..4);
        let rule = (any::<bool>(), any::<bool>(), resources, 0..3_usize);
        prop::collection::vec(rule, 1..8).prop_map(|rules| {
            let policy = |(number, (allow, udp, resources, team)): (
                usize,
                (bool, bool, Vec<&str>, usize),
            )| Policy {
                name: format!("policy {number}"),
                scope: Scope::from_teams(
                    [None, Some("red"), Some("blue")][team].map(str::to_owned),
                ),
                body: Body::Allowlist(vec![Rule {
                    name: "rule".to_owned(),
                    decision: if allow { Decision::Allow } else { Decision::Deny },
                    actions: if udp {
                        vec![Action::ConnectTcp, Action::ConnectUdp]
                    } else {
                        vec![Action::ConnectTcp]
                    },
                    resources: Resources::Plain(resources.into_iter().map(str::to_owned).collect()),
                }]),
            };
            rules.into_iter().enumerate().map(policy).collect()
        })
    }

    proptest! {
        #[test]
        fn a_question_at_kinds_has_the_answer_of_the_question_at_every_address(
            policies in policies(), red in any::<bool>(), blue in any::<bool>(),
        ) {
            let state = State::new(&policies);
            let teams: BTreeSet<String> =
                [(red, "red"), (blue, "blue")].into_iter().filter(|(own, _)| *own).map(|(_, team)| team.to_owned()).collect();
            let governs = |rule: usize| state.governs(rule, &teams);
            let kinds = state.address_kinds(governs);
            let without = state.address_kinds_without(governs);
            let mut alike: Vec<(Likeness, Verdict, String)> = Vec::new();
            for (host, action) in HOSTS.iter().flat_map(|host| ["connect:tcp", "connect:udp", "GET"].map(|action| (host, action))) {
                let text = if action == "GET" { format!("GET https://{host}/x") } else { format!("{action} {host}:443") };
                let request = Request::parse(&text).unwrap();
                let (full, at_kinds) = (state.question(&request), state.question_at(&request, &kinds));
                if let Some(named) = state.named(&request) {
                    alike.push((named.likeness(governs), full.verdict(governs), text.clone()));
                }
                let in_force = |rule: usize| rule == IN_FORCE || governs(rule);
                prop_assert_eq!(full.verdict(governs), at_kinds.verdict(in_force), "{}", text);
                let because = state.ask(&teams, &request).because;
                prop_assert_eq!(state.reasons_at(&teams, &request, &kinds), because, "{}", text);
                for rule in 0..state.rules().len() {
                    let other = without.iter().find(|(_, rules)| rules.contains(&rule));
                    let question = other.map(|(kinds, _)| state.question_at(&request, kinds));
                    let expected = full.verdict(|own| own != rule && governs(own));
                    let found = question.as_ref().unwrap_or(&at_kinds).verdict(|own| own != rule && in_force(own));
                    prop_assert_eq!(found, expected, "{} without {}", text, rule);
                }
            }
            for (one, verdict, text) in &alike {
                let other = alike.iter().find(|(other, other_verdict, _)| one == other && verdict != other_verdict);
                prop_assert!(other.is_none(), "{} and {:?}", text, other);
            }
        }
    }
}
