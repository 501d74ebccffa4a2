//! The calls that a difference asks for, one a changed slot, before they are put in order.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Body, Decision, Origin, Policy, Rule};

use super::diff::{Diff, PolicySlot, RuleSlot};
use super::effect::delta;
use super::guard::{MAX_POLICIES, MAX_RULES};
use super::step::{Change, Difference, Head, PolicyTarget, Reason, RuleTarget, Step, changed_fields};

/// A step without a place in the order.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// Index into [`Diff::policies`].
    pub(super) policy: usize,
    /// Index into the slot's rules; `None` for a call about the policy itself.
    pub(super) rule: Option<usize>,
    pub(super) change: Change,
    pub(super) source: Option<Origin>,
    pub(super) because: Option<Reason>,
    /// Indexes of drafts that the service needs to have been carried out before this one.
    pub(super) needs: Vec<usize>,
}

impl Draft {
    /// The step with its place in the plan.
    pub(super) fn step(self, id: usize, phase: usize, diff: &Diff) -> Step {
        Step::new(self.difference(id, diff), phase)
    }

    /// What it makes differ.
    pub(super) fn difference(self, id: usize, diff: &Diff) -> Difference {
        let Self { policy, rule: _, change, source, because, needs: _ } = self;
        let planned = match &change {
            Change::CreatePolicy { after } => Some(after.name.clone()),
            Change::DeletePolicy { before, .. } => Some(before.name.clone()),
            Change::UpdatePolicy { .. }
            | Change::CreateRule { .. }
            | Change::UpdateRule { .. }
            | Change::DeleteRule { .. } => None,
        };
        let slot = diff.policies.get(policy).map(|slot| slot.name().to_owned());
        let target = change.policy().map(|target| match target {
            PolicyTarget::Planned(name) => name.clone(),
            PolicyTarget::Existing(id) => id.0.clone(),
        });
        let policy = slot.or(planned).or(target).unwrap_or_default();
        Difference { id, policy, change, source, because }
    }
}

/// All calls, policies in their order, each policy's own call before those of its rules.
pub(super) fn drafts(diff: &Diff) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (index, slot) in diff.policies.iter().enumerate() {
        of_policy(index, slot, &mut drafts);
    }
    wait_for_names(&mut drafts);
    wait_for_room(diff, &mut drafts);
    drafts
}

/// Whether calls of the difference have to wait for room: the service takes no more until something was deleted.
pub(super) fn is_full(diff: &Diff) -> bool {
    let mut plain = Vec::new();
    for (index, slot) in diff.policies.iter().enumerate() {
        of_policy(index, slot, &mut plain);
    }
    wait_for_names(&mut plain);
    rooms(diff, &plain).iter().any(|room| room.missing(&plain) > 0)
}

/// What may hold only so many objects: the organization, or a policy.
struct Room {
    creations: Vec<usize>,
    deletions: Vec<usize>,
    live: usize,
    most: usize,
}

fn rooms(diff: &Diff, drafts: &[Draft]) -> Vec<Room> {
    let live = diff.policies.iter().filter(|slot| slot.before.is_some()).count();
    let mut organization = Room { creations: Vec::new(), deletions: Vec::new(), live, most: MAX_POLICIES };
    let mut policies: BTreeMap<usize, Room> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        let live = || {
            let rules = diff.policies.get(draft.policy).map(|slot| slot.rules.as_slice()).unwrap_or_default();
            rules.iter().filter(|rule| rule.before.is_some()).count()
        };
        let policy = || Room { creations: Vec::new(), deletions: Vec::new(), live: live(), most: MAX_RULES };
        match &draft.change {
            Change::CreatePolicy { .. } => organization.creations.push(index),
            Change::DeletePolicy { .. } => organization.deletions.push(index),
            Change::CreateRule { .. } => policies.entry(draft.policy).or_insert_with(policy).creations.push(index),
            Change::DeleteRule { .. } => policies.entry(draft.policy).or_insert_with(policy).deletions.push(index),
            Change::UpdatePolicy { .. } | Change::UpdateRule { .. } => {}
        }
    }
    policies.into_values().chain([organization]).collect()
}

impl Room {
    /// The creations that do not wait for a deletion by themselves, and the deletions that none of them waits for.
    fn free(&self, drafts: &[Draft]) -> (Vec<usize>, Vec<usize>) {
        let needs = |index: &usize| drafts.get(*index).map(|draft| draft.needs.as_slice()).unwrap_or_default();
        let mut deletions: BTreeSet<usize> = self.deletions.iter().copied().collect();
        let waits = |index: &usize| needs(index).iter().any(|need| self.deletions.contains(need));
        let creations = self.creations.iter().copied().filter(|index| !waits(index)).collect();
        for index in self.creations.iter().filter(|index| waits(index)) {
            if let Some(taken) = needs(index).iter().copied().find(|need| deletions.contains(need)) {
                deletions.remove(&taken);
            }
        }
        (creations, deletions.into_iter().collect())
    }

    /// How many creations find no room before something is deleted.
    fn missing(&self, drafts: &[Draft]) -> usize {
        (self.live + self.free(drafts).0.len()).saturating_sub(self.most)
    }
}

/// Where the organization or a policy is full, as many creations as find no room wait for a deletion each: allows for
/// allows first, since those can wait, and go early, without opening anything.
fn wait_for_room(diff: &Diff, drafts: &mut [Draft]) {
    for room in rooms(diff, drafts) {
        let missing = room.missing(drafts);
        if missing == 0 {
            continue;
        }
        let (mut creations, mut deletions) = room.free(drafts);
        let denies = |index: &usize| drafts.get(*index).is_some_and(|draft| adds_deny(diff, draft));
        let narrows = |index: &usize| drafts.get(*index).is_some_and(|draft| delta(diff, draft).narrows());
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
    let rules = diff.policies.get(draft.policy).map(|slot| slot.rules.as_slice()).unwrap_or_default();
    let own = rules.iter().enumerate().filter(|(position, _)| draft.rule.is_none_or(|own| own == *position));
    own.filter_map(|(_, rule)| rule.after.as_ref()).any(|rule| rule.decision == Decision::Deny)
}

fn of_policy(index: usize, slot: &PolicySlot, drafts: &mut Vec<Draft>) {
    let mut push = |rule: Option<usize>, change: Change, source: &Option<Origin>, because, needs| {
        drafts.push(Draft { policy: index, rule, change, source: source.clone(), because, needs });
        drafts.len() - 1
    };
    let (target, parent) = match (&slot.before, &slot.after) {
        (None, None) => return,
        (None, Some(after)) => {
            let change = Change::CreatePolicy { after: after.clone() };
            let created = push(None, change, &slot.origin, slot.because, Vec::new());
            (PolicyTarget::Planned(after.name.clone()), Some(created))
        }
        (Some((id, before)), None) => {
            let policy = PolicyTarget::Existing(id.clone());
            push(
                None,
                Change::DeletePolicy { policy, before: whole(before, slot) },
                &slot.origin,
                slot.because,
                vec![],
            );
            return;
        }
        (Some((id, before)), Some(after)) => {
            let policy = PolicyTarget::Existing(id.clone());
            if before != after {
                let change =
                    Change::UpdatePolicy { policy: policy.clone(), before: before.clone(), after: after.clone() };
                push(None, change, &slot.origin, None, Vec::new());
            }
            (policy, None)
        }
    };
    let first = {
        let needs: Vec<usize> = parent.into_iter().collect();
        let mut made = Vec::new();
        for (rule_index, rule) in slot.rules.iter().enumerate() {
            if let Some(change) = of_rule(&target, rule) {
                made.push(push(Some(rule_index), change, &rule.origin, rule.because, needs.clone()));
            }
        }
        made
    };
    chain_domain_change(&first, drafts);
}

/// The rules of the old domain go first, then the one that is changed in place, then the new ones come.
fn chain_domain_change(indexes: &[usize], drafts: &mut [Draft]) {
    let of_kind = |drafts: &[Draft], wanted: fn(&Change) -> bool| -> Vec<usize> {
        indexes.iter().copied().filter(|index| drafts.get(*index).is_some_and(|draft| wanted(&draft.change))).collect()
    };
    let changes_domain = indexes.iter().any(|index| {
        drafts.get(*index).is_some_and(|draft| draft.because == Some(Reason::DomainChange) || crosses(&draft.change))
    });
    if !changes_domain {
        return;
    }
    let gone = of_kind(drafts, |change| matches!(change, Change::DeleteRule { .. }));
    let kept = of_kind(drafts, |change| matches!(change, Change::UpdateRule { .. }));
    let new = of_kind(drafts, |change| matches!(change, Change::CreateRule { .. }));
    for (later, earlier) in [(&kept, &gone), (&new, &kept), (&new, &gone)] {
        for index in later {
            if let Some(draft) = drafts.get_mut(*index) {
                draft.needs.extend(earlier);
            }
        }
    }
}

fn crosses(change: &Change) -> bool {
    match change {
        Change::UpdateRule { before, after, .. } => before.domain() != after.domain(),
        Change::CreatePolicy { .. }
        | Change::UpdatePolicy { .. }
        | Change::DeletePolicy { .. }
        | Change::CreateRule { .. }
        | Change::DeleteRule { .. } => false,
    }
}

fn of_rule(policy: &PolicyTarget, slot: &RuleSlot) -> Option<Change> {
    let policy = policy.clone();
    match (&slot.before, &slot.after) {
        (None, None) => None,
        (None, Some(after)) => Some(Change::CreateRule { policy, after: after.clone() }),
        (Some((id, before)), None) => {
            let rule = RuleTarget::Existing(id.clone());
            Some(Change::DeleteRule { policy, rule, before: before.clone() })
        }
        (Some(_), Some(_)) if !needs_call(slot) => None,
        (Some((id, before)), Some(after)) => {
            let rule = RuleTarget::Existing(id.clone());
            Some(Change::UpdateRule { policy, rule, before: before.clone(), after: after.clone() })
        }
    }
}

fn needs_call(slot: &RuleSlot) -> bool {
    match (&slot.before, &slot.after) {
        (Some((_, before)), Some(after)) => !changed_fields(before, after).is_empty(),
        (None, None) => false,
        (None, Some(_)) | (Some(_), None) => true,
    }
}

fn whole(head: &Head, slot: &PolicySlot) -> Policy {
    let rules: Vec<Rule> = slot.rules.iter().filter_map(|rule| Some(rule.before.as_ref()?.1.clone())).collect();
    let body = head.cedar.clone().map_or(Body::Allowlist(rules), Body::Cedar);
    Policy { name: head.name.clone(), scope: head.scope.clone(), body }
}

/// A name can be given once its live holder has given it up.
fn wait_for_names(drafts: &mut Vec<Draft>) {
    let freed: BTreeMap<String, usize> = drafts
        .iter()
        .enumerate()
        .filter_map(|(index, draft)| Some((frees(&draft.change)?.to_owned(), index)))
        .collect();
    for index in 0..drafts.len() {
        let holder = drafts.get(index).and_then(|draft| takes(&draft.change)).and_then(|name| freed.get(name));
        if let (Some(holder), Some(draft)) = (holder, drafts.get_mut(index)) {
            draft.needs.push(*holder);
        }
    }
    break_circles(drafts);
}

fn frees(change: &Change) -> Option<&str> {
    match change {
        Change::UpdatePolicy { before, after, .. } if before.name != after.name => Some(&before.name),
        Change::DeletePolicy { before, .. } => Some(&before.name),
        Change::CreatePolicy { .. }
        | Change::UpdatePolicy { .. }
        | Change::CreateRule { .. }
        | Change::UpdateRule { .. }
        | Change::DeleteRule { .. } => None,
    }
}

fn takes(change: &Change) -> Option<&str> {
    match change {
        Change::UpdatePolicy { before, after, .. } if before.name != after.name => Some(&after.name),
        Change::CreatePolicy { after } => Some(&after.name),
        Change::UpdatePolicy { .. }
        | Change::DeletePolicy { .. }
        | Change::CreateRule { .. }
        | Change::UpdateRule { .. }
        | Change::DeleteRule { .. } => None,
    }
}

/// Policies that swap names wait for each other: one of each circle steps aside under a temporary name.
fn break_circles(drafts: &mut Vec<Draft>) {
    for start in 0..drafts.len() {
        let Some(last) = closes_circle(start, drafts) else { continue };
        let Some(draft) = drafts.get_mut(start) else { continue };
        let Change::UpdatePolicy { policy, before, after } = &mut draft.change else { continue };
        let aside = Head { name: temporary_name(&after.name), ..before.clone() };
        let step_aside = Change::UpdatePolicy { policy: policy.clone(), before: before.clone(), after: aside.clone() };
        *before = aside;
        let extra =
            Draft { change: step_aside, because: Some(Reason::TemporaryName), needs: Vec::new(), ..draft.clone() };
        let index = drafts.len();
        if let Some(draft) = drafts.get_mut(start) {
            draft.needs.push(index);
        }
        if let Some(waiting) = drafts.get_mut(last) {
            waiting.needs.iter_mut().filter(|need| **need == start).for_each(|need| *need = index);
        }
        drafts.push(extra);
    }
}

/// If `start` waits for a name, over other renames, that it holds itself: the one that waits for it.
fn closes_circle(start: usize, drafts: &[Draft]) -> Option<usize> {
    let waits_for = |index: usize| {
        let draft = drafts.get(index)?;
        let name = takes(&draft.change)?;
        draft.needs.iter().copied().find(|need| {
            drafts.get(*need).is_some_and(|holder| {
                matches!(holder.change, Change::UpdatePolicy { .. }) && frees(&holder.change) == Some(name)
            })
        })
    };
    let mut current = start;
    for _ in 0..drafts.len() {
        let next = waits_for(current)?;
        if next == start {
            return Some(current);
        }
        current = next;
    }
    None
}

/// What a policy is called while the name that it will have is still taken. The declared policy of that name recognizes
/// it, so that an apply that stopped in between is finished by the next one.
pub(super) fn temporary_name(name: &str) -> String {
    format!("{name} (seawall is renaming this)")
}

/// What a policy is called that only denies while other calls are made, and a rule where there is no room for a policy. A
/// plan that finds one live deletes it: an apply stopped before it did.
pub(super) fn temporary_deny(number: usize) -> String {
    format!("{TEMPORARY_DENY} {number}")
}

/// Whether a live policy or rule of this name is a temporary deny that an apply left behind.
pub(super) fn is_temporary_deny(name: &str) -> bool {
    name.strip_prefix(TEMPORARY_DENY)
        .and_then(|rest| rest.strip_prefix(' '))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

const TEMPORARY_DENY: &str = "seawall: temporary deny";
