//! Limits on deletions and weakenings of the Vijil side.
//!
//! A verdict is a message, about a plan that passes or about one that does not.

use std::collections::{BTreeMap, BTreeSet};

use super::{Step, Subject, Weakened, Weaker};
use crate::diagnostic::list;
use crate::model::{Guards, Limit, LiveVijil, Weakening, refused_if};
use crate::plan::step::{Object, Op};

/// The verdict of `max_deletes` on the steps. A deactivated policy and a rejected rule that was
/// approved count as deleted, since they are no longer in force.
///
/// # Errors
///
/// Returns an error if the steps delete too much.
pub fn max_deletes(
    guards: &Guards,
    live: &LiveVijil,
    steps: &[Step],
    weakened: &[Weakened],
) -> Result<Option<String>, String> {
    let Some(limit) = guards.max_deletes else { return Ok(None) };
    let deletes = || steps.iter().filter(|step| step.change.op() == Op::Delete);
    let deactivated = weakened.iter().filter(|one| one.what == Weaker::Deactivated).count();
    let policies = deletes().filter(|step| step.change.rule().is_none()).count() + deactivated;
    let all = live.policies.len();
    if exceeds(limit, policies, all) {
        let verb = if deactivated > 0 { "deletes or deactivates" } else { "deletes" };
        return Err(format!(
            "{verb} {policies} of {all} live policies for agents; at most {limit} may go"
        ));
    }
    let mut rules: BTreeMap<&Subject, usize> = BTreeMap::new();
    for step in deletes().filter(|step| step.change.rule().is_some()) {
        *rules.entry(step.change.policy()).or_default() += 1;
    }
    let rejected = |name: &str| {
        let of = |one: &&Weakened| one.policy == name && one.what == Weaker::RuleRejected;
        weakened.iter().filter(of).count()
    };
    for policy in &live.policies {
        let (name, all) = (&policy.name, policy.rules.len());
        let deleted = rules.get(&Subject::Existing(policy.id.clone())).copied().unwrap_or_default();
        let rejected = rejected(name);
        if exceeds(limit, deleted + rejected, all) {
            let verb = if rejected > 0 { "deletes or rejects" } else { "deletes" };
            let count = deleted + rejected;
            return Err(format!(
                "{verb} {count} of {all} live rules of `{name}`; at most {limit} may go"
            ));
        }
    }
    Ok(None)
}

fn exceeds(limit: Limit, deleted: usize, all: usize) -> bool {
    limit.is_exceeded(deleted as u64, all as u64)
}

/// The verdict of `protected` on the steps.
///
/// # Errors
///
/// Returns an error if a protected policy would be deleted, emptied or weakened, or is live and no
/// longer declared.
pub fn protected(
    guards: &Guards,
    live: &LiveVijil,
    steps: &[Step],
    undeclared: &[String],
    weakened: &[Weakened],
) -> Result<Option<String>, String> {
    let mut refusals = Vec::new();
    for policy in &live.policies {
        let Some(protected) = guards.protected.iter().find(|one| one.name == policy.name) else {
            continue;
        };
        let (name, allows) = (&policy.name, |kind: Weakening| protected.allow.contains(&kind));
        let of = |step: &&Step| step.change.policy().existing() == Some(&policy.id);
        let count = |op: Op, object: Object| {
            let own = steps.iter().filter(of).map(|step| (step.change.op(), step.change.object()));
            own.filter(|own| *own == (op, object)).count()
        };
        if count(Op::Delete, Object::Policy) > 0 {
            refusals.extend(
                (!allows(Weakening::Delete))
                    .then(|| format!("deletes the protected policy `{name}`")),
            );
            continue;
        }
        if undeclared.contains(name) && !allows(Weakening::Delete) {
            refusals.push(format!("no document declares the protected policy `{name}`"));
        }
        let left =
            policy.rules.len() + count(Op::Create, Object::Rule) - count(Op::Delete, Object::Rule);
        if left == 0 && !policy.rules.is_empty() {
            refusals.extend(
                (!allows(Weakening::Empty))
                    .then(|| format!("empties the protected policy `{name}`")),
            );
            continue;
        }
        // The policy is protected under its new name too.
        let renamed = steps.iter().filter(of).map(|step| &step.policy);
        let names: BTreeSet<&String> = [name].into_iter().chain(renamed).collect();
        let own =
            weakened.iter().filter(|one| names.contains(&one.policy) && !allows(one.what.kind()));
        refusals.extend(own.map(|one| {
            format!(
                "weakens the protected policy `{name}` ({}): {}",
                one.what.kind().name(),
                one.in_short()
            )
        }));
    }
    if refusals.is_empty() { Ok(None) } else { Err(list::separated(&refusals, "; ")) }
}

/// The verdict of `deny_widening` on rules for agents that become weaker.
///
/// # Errors
///
/// Returns an error if some rules become weaker and the settings refuse that.
pub fn deny_widening(guards: &Guards, weakened: &[Weakened]) -> Result<Option<String>, String> {
    let all: Vec<&Weakened> = weakened.iter().filter(|one| one.may_open()).collect();
    let Some((first, rest)) = all.split_first() else { return Ok(None) };
    let verb = if first.certain { "weakens" } else { "may weaken" };
    let rest = match rest {
        [] => String::new(),
        // A list never leaves out just one item.
        [second] => format!(" and `{}` of `{}`", second.in_short(), second.policy),
        rest => format!(", and {} more", rest.len()),
    };
    let found = format!("{verb} `{}` of `{}`{rest}", first.in_short(), first.policy);
    refused_if(guards.deny_widening, found).map(Some)
}
