//! Decisions for the members of certain teams.

use std::collections::BTreeSet;
use std::hash::BuildHasher as _;
use std::sync::PoisonError;

use super::gap::Gap;
use super::member::{Addresses, Member};
use super::{Case, Judge, MOST_KEPT, Place, SHARDS, has_any_address};
use crate::access::cedar::McpAction;
use crate::access::{
    AccessLevel, AddressKinds, IN_FORCE, Named, Question, Request, Role, Unknown, Verdict,
};
use crate::model::{Decision, Domain};

/// The decision on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::evidence) enum Ruling {
    Known(Decision),
    Unknown(Gap),
}

impl Judge<'_> {
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

    pub(super) fn judged(&self, case: &Case, member: &Member, without: Option<Place>) -> Ruling {
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
    pub(super) fn at(
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
}

/// The ruling on which all of them agree. Unknown with this reason if they differ, or if there are
/// none.
pub(super) fn agreed(mut rulings: impl Iterator<Item = Ruling>, otherwise: Gap) -> Ruling {
    let first = rulings.next().unwrap_or(Ruling::Unknown(otherwise));
    if rulings.all(|ruling| ruling == first) { first } else { Ruling::Unknown(otherwise) }
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
