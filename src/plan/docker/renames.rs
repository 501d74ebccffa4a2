//! Policies for an organization that are created although an undeclared live policy has the same
//! content.
//!
//! A rule needs no such warning: a declared rule with the content of a live rule of its policy is
//! matched with it.

use super::changed_fields;
use super::diff::{Diff, PolicySlot};
use crate::model::{Ownership, Rule};
use crate::plan::warning::Warning;

/// Finds created policies with the content of a live policy of another name.
pub(crate) fn find(diff: &Diff, ownership: &Ownership) -> Vec<Warning> {
    let is_gone = |slot: &&PolicySlot| {
        let left_alone = slot.after.is_some();
        slot.origin.is_none()
            && slot.because.is_none()
            && !(left_alone && ownership.leaves(slot.name()))
    };
    let gone: Vec<&PolicySlot> = diff.policies.iter().filter(is_gone).collect();
    let created = diff
        .policies
        .iter()
        .filter(|slot| slot.before.is_none() && slot.after.is_some() && slot.because.is_none());
    let renamed = created.filter_map(|slot| {
        let equal = gone.iter().find(|gone| is_same_policy(slot, gone))?;
        let name = &equal.before.as_ref()?.1.name;
        Some(Warning::possible_rename("policy", slot.name(), name, slot.origin.as_ref()?))
    });
    renamed.collect()
}

fn is_same_policy(created: &PolicySlot, gone: &PolicySlot) -> bool {
    let (Some(new), Some((_, old))) = (&created.after, &gone.before) else { return false };
    let new_rules: Vec<&Rule> =
        created.rules.iter().filter_map(|rule| rule.after.as_ref()).collect();
    let old_rules: Vec<&Rule> =
        gone.rules.iter().filter_map(|rule| Some(&rule.before.as_ref()?.1)).collect();
    let same =
        |one: &Rule, other: &Rule| changed_fields(one, other).iter().all(|field| *field == "name");
    let within = |one: &[&Rule], other: &[&Rule]| {
        one.iter().all(|rule| other.iter().any(|other| same(rule, other)))
    };
    new.cedar == old.cedar
        && (new.cedar.is_some() || !new_rules.is_empty())
        && new_rules.len() == old_rules.len()
        && within(&new_rules, &old_rules)
        && within(&old_rules, &new_rules)
}
