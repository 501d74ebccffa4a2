//! A request decided for a user, and what single rules contribute to that.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::gap::Gap;
use super::member::{Kinds, Member};
use super::ruling::{Ruling, agreed};
use super::{Case, Judge, Place};
use crate::access::AddressRule;
use crate::model::Domain;

/// A case for the members of some teams.
#[derive(Debug)]
pub(in crate::evidence) struct Evaluation<'j, 'c> {
    pub(super) judge: &'j Judge<'j>,
    pub(super) case: &'c Case,
    /// The memberships that the user may have; empty if there are too many to try.
    pub(super) members: Vec<Arc<Member>>,
}

/// The rules about addresses that apply to requests of a user.
#[derive(Debug)]
pub(in crate::evidence) struct AddressRules {
    /// The identity of this value in the cache.
    pub(in crate::evidence) key: Vec<usize>,
    /// All of them, and whether each is in force for every membership of the user.
    pub(in crate::evidence) rules: Vec<(Place, AddressRule, bool)>,
    /// The rules whose removal changes the kinds of addresses.
    pub(in crate::evidence) groups: Vec<AddressGroup>,
}

/// Rules that are interchangeable: the kinds of addresses are the same without any one of them.
#[derive(Debug)]
pub(in crate::evidence) struct AddressGroup {
    /// For each membership, the index of the kinds without such a rule.
    kinds: Vec<Option<usize>>,
    /// The rules.
    pub(in crate::evidence) rules: Vec<Place>,
}

impl Evaluation<'_, '_> {
    /// The decision.
    pub(in crate::evidence) fn ruling(&self) -> Ruling {
        agreed(self.members.iter().map(|member| self.judged(member, None)), Gap::TeamUnknown)
    }

    /// The decision if a rule or statement did not exist.
    pub(in crate::evidence) fn ruling_without(&self, place: Place) -> Ruling {
        agreed(self.members.iter().map(|member| self.judged(member, Some(place))), Gap::TeamUnknown)
    }

    fn judged(&self, member: &Member, without: Option<Place>) -> Ruling {
        self.judge.judged(self.case, member, without)
    }

    /// The rules about addresses that apply to a request whose address is unknown; `None` for any
    /// other request.
    pub(in crate::evidence) fn address_rules(&self) -> Option<Arc<AddressRules>> {
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
    pub(in crate::evidence) fn ruling_without_one(&self, group: &AddressGroup) -> Ruling {
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

impl Judge<'_> {
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
