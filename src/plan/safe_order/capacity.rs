//! Calls that wait for room: the service limits the number of policies, and of rules in each.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Decision;

use super::effect::influence;
use crate::model::{MAX_POLICIES, MAX_RULES};
use crate::plan::docker::diff::Diff;
use crate::plan::docker::draft::{Draft, plain};
use crate::plan::step::{Object, Op};

/// The calls of [`plain`], where each creation waits for the deletion that makes room for it.
pub(crate) fn drafts(diff: &Diff) -> Vec<Draft> {
    let mut drafts = plain(diff);
    wait_for_room(diff, &mut drafts);
    drafts
}

/// Returns `true` if calls of the difference have to wait until something is deleted, because a
/// limit of the service is reached.
pub(crate) fn is_full(diff: &Diff) -> bool {
    let plain = plain(diff);
    rooms(diff, &plain).iter().any(|room| room.missing(&plain) > 0)
}

/// A holder of a limited number of objects: the organization, or a policy.
struct Room {
    creations: Vec<usize>,
    deletions: Vec<usize>,
    live: usize,
    most: usize,
}

fn rooms(diff: &Diff, drafts: &[Draft]) -> Vec<Room> {
    let live = diff.policies.iter().filter(|slot| slot.before.is_some()).count();
    let mut organization =
        Room { creations: Vec::new(), deletions: Vec::new(), live, most: MAX_POLICIES };
    let mut policies: BTreeMap<usize, Room> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        let live = || {
            let rules = diff
                .policies
                .get(draft.policy)
                .map(|slot| slot.rules.as_slice())
                .unwrap_or_default();
            rules.iter().filter(|rule| rule.before.is_some()).count()
        };
        let policy =
            || Room { creations: Vec::new(), deletions: Vec::new(), live: live(), most: MAX_RULES };
        let room = match draft.change.object() {
            Object::Policy => &mut organization,
            Object::Rule => policies.entry(draft.policy).or_insert_with(policy),
        };
        match draft.change.op() {
            Op::Create => room.creations.push(index),
            Op::Delete => room.deletions.push(index),
            Op::Update | Op::Approve | Op::Reject | Op::Activate => {}
        }
    }
    policies.into_values().chain([organization]).collect()
}

impl Room {
    /// The creations that do not wait for a deletion yet, and the deletions that none of them waits
    /// for.
    fn free(&self, drafts: &[Draft]) -> (Vec<usize>, Vec<usize>) {
        let needs = |index: &usize| {
            drafts.get(*index).map(|draft| draft.needs.as_slice()).unwrap_or_default()
        };
        let mut deletions: BTreeSet<usize> = self.deletions.iter().copied().collect();
        let waits = |index: &usize| needs(index).iter().any(|need| self.deletions.contains(need));
        let creations = self.creations.iter().copied().filter(|index| !waits(index)).collect();
        for index in self.creations.iter().filter(|index| waits(index)) {
            if let Some(taken) = needs(index).iter().copied().find(|need| deletions.contains(need))
            {
                deletions.remove(&taken);
            }
        }
        (creations, deletions.into_iter().collect())
    }

    /// The number of creations that exceed the limit until something is deleted.
    fn missing(&self, drafts: &[Draft]) -> usize {
        (self.live + self.free(drafts).0.len()).saturating_sub(self.most)
    }
}

/// Makes creations wait for room. If the organization or a policy is full, each creation beyond the
/// limit waits for one deletion. Allows wait for deleted allows first, since these can wait, and
/// can be deleted early, without opening anything.
fn wait_for_room(diff: &Diff, drafts: &mut [Draft]) {
    for room in rooms(diff, drafts) {
        let missing = room.missing(drafts);
        if missing == 0 {
            continue;
        }
        let (mut creations, mut deletions) = room.free(drafts);
        let denies = |index: &usize| drafts.get(*index).is_some_and(|draft| adds_deny(diff, draft));
        let narrows = |index: &usize| {
            drafts.get(*index).is_some_and(|draft| influence(diff, draft).narrows())
        };
        creations.sort_by_key(denies);
        deletions.sort_by_key(|index| !narrows(index));
        for (creation, deletion) in creations.into_iter().zip(deletions).take(missing) {
            if let Some(draft) = drafts.get_mut(creation) {
                draft.needs.push(deletion);
            }
        }
    }
}

fn adds_deny(diff: &Diff, draft: &Draft) -> bool {
    let rules =
        diff.policies.get(draft.policy).map(|slot| slot.rules.as_slice()).unwrap_or_default();
    let own = rules
        .iter()
        .enumerate()
        .filter(|(position, _)| draft.rule.is_none_or(|own| own == *position));
    own.filter_map(|(_, rule)| rule.after.as_ref()).any(|rule| rule.decision == Decision::Deny)
}
