//! Policies and rules for an organization that look like renamed ones.
//!
//! A policy does if an undeclared live policy has the same content. A rule with the content of a
//! live rule of its policy is matched with it, so that it needs no warning; one that was renamed
//! and edited is recognized by what the two have in common.

use std::collections::{BTreeMap, BTreeSet};

use super::changed_fields;
use super::diff::{Diff, PolicySlot};
use crate::model::{
    Action, Decision, Desired, DesiredPolicy, DesiredRule, HttpResource, Ownership, Resources, Rule,
};
use crate::plan::warning::Warning;

/// Finds created policies and rules that look like renamed ones.
pub(crate) fn find(diff: &Diff, desired: &Desired, ownership: &Ownership) -> Vec<Warning> {
    let declared = |slot: &PolicySlot| {
        desired.policies.iter().find(|declared| declared.policy.name == slot.name())
    };
    let mut warnings = policies(diff, ownership, declared);
    for slot in diff.policies.iter().filter(|slot| slot.before.is_some()) {
        if let Some(declared) = declared(slot) {
            rules(slot, declared, &mut warnings);
        }
    }
    warnings
}

/// Finds created policies with the content of a live policy of another name.
fn policies<'a>(
    diff: &Diff,
    ownership: &Ownership,
    declared: impl Fn(&PolicySlot) -> Option<&'a DesiredPolicy>,
) -> Vec<Warning> {
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
        let declared = declared(slot)?;
        Some(Warning::possible_rename(
            "policy",
            (slot.name(), &declared.previously),
            "the content",
            name,
            &declared.origin,
        ))
    });
    renamed.collect()
}

/// Finds created rules of a policy that have much in common with one deleted rule: the decision, the
/// actions, and at least half of its resources. Where several could be meant, none is named.
fn rules(slot: &PolicySlot, declared: &DesiredPolicy, warnings: &mut Vec<Warning>) {
    let own = || slot.rules.iter().filter(|rule| rule.because.is_none());
    let deleted = own().filter(|rule| rule.after.is_none()).filter_map(|rule| rule.before.as_ref());
    let deleted: Vec<(&Rule, BTreeSet<Part<'_>>)> =
        deleted.map(|(_, rule)| (rule, parts(rule))).collect();
    let mut holders: BTreeMap<&Part<'_>, Vec<usize>> = BTreeMap::new();
    for (at, (_, parts)) in deleted.iter().enumerate() {
        parts.iter().for_each(|part| holders.entry(part).or_default().push(at));
    }
    let mut akin: Vec<(&Rule, usize, usize)> = Vec::new();
    let mut claims: BTreeMap<usize, usize> = BTreeMap::new();
    let created = own().filter(|rule| rule.before.is_none()).filter_map(|rule| rule.after.as_ref());
    for rule in created {
        let mut common: BTreeMap<usize, usize> = BTreeMap::new();
        for at in parts(rule).iter().filter_map(|part| holders.get(part)).flatten() {
            *common.entry(*at).or_default() += 1;
        }
        let half = |at: usize| deleted.get(at).map_or(0, |(_, parts)| parts.len().div_ceil(2));
        common.retain(|at, common| *common >= half(*at));
        common.keys().for_each(|at| *claims.entry(*at).or_default() += 1);
        if let (1, Some((at, common))) = (common.len(), common.pop_first()) {
            akin.push((rule, at, common));
        }
    }
    let places: BTreeMap<&str, &DesiredRule> = declared
        .policy
        .rules()
        .iter()
        .map(|rule| rule.name.as_str())
        .zip(&declared.rules)
        .collect();
    for (rule, at, common) in akin.into_iter().filter(|(_, at, _)| claims.get(at) == Some(&1)) {
        let (Some((old, parts)), Some(beside)) = (deleted.get(at), places.get(rule.name.as_str()))
        else {
            continue;
        };
        warnings.push(Warning::possible_rename(
            "rule",
            (&format!("{} › {}", slot.name(), rule.name), &beside.previously),
            &format!("the decision, the actions and {common} of {} resources", parts.len()),
            &old.name,
            &beside.origin,
        ));
    }
}

/// A resource with the decision and the actions on it.
type Part<'a> = (Decision, BTreeSet<&'a Action>, (&'a str, Option<u16>, &'a str));

/// The resources of a rule, each once.
fn parts(rule: &Rule) -> BTreeSet<Part<'_>> {
    let actions: BTreeSet<&Action> = rule.actions.iter().collect();
    let part = |resource| (rule.decision, actions.clone(), resource);
    match &rule.resources {
        Resources::Plain(list) => list.iter().map(|text| part((text.as_str(), None, ""))).collect(),
        Resources::Http(list) => list
            .iter()
            .map(|HttpResource { host, port, path }| part((host.as_str(), *port, path.as_str())))
            .collect(),
    }
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
