//! The Vijil side of drift.
//!
//! Invariant: a step with a reason of its own is a means to the differences, not a difference; and
//! undeclared policies are not drift, unless everything is owned.

use crate::model::{Fields, LiveVijil, LiveVijilPolicy, LiveVijilRule};
use crate::plan::step::{Delta, Reason, numbered};
use crate::plan::vijil::change::changed;
use crate::plan::vijil::diff::{self, policy_fields, rule_fields};
use crate::plan::vijil::{Change, Difference, Input, RuleTarget, Subject};

/// Compares with documents that were applied: `own` leads from live to the documents, `base` from
/// live to the state after the last apply. Outside changes are the reverse of `base`; pending
/// changes are those that only `own` has.
#[must_use]
pub fn since_documents(
    own: &[Difference],
    base: Option<&[Difference]>,
) -> (Vec<Difference>, Option<Vec<Difference>>) {
    let back = |difference: &Difference| {
        let change = reversed(difference.change.clone());
        Difference { change, ..difference.clone() }
    };
    let outside = numbered(base.unwrap_or(own).iter().filter(differs).map(back), 1);
    let waiting = base.map(|base| {
        let key = |one: &Difference| {
            let change = &one.change;
            let subject = (change.policy().clone(), change.rule().cloned());
            (change.op(), subject, change.sides().1.cloned())
        };
        let only = own.iter().filter(differs);
        let only = only.filter(|one| !base.iter().any(|other| key(one) == key(other)));
        numbered(only.cloned(), 1).collect()
    });
    (outside.collect(), waiting)
}

/// The change back; that of a decision is an update.
fn reversed(change: Change) -> Change {
    match change {
        Change::Policy { target, delta } => Change::Policy { target, delta: delta.reversed() },
        Change::Rule { target, delta } => Change::Rule { target, delta: delta.reversed() },
        Change::Activate { target, before, after } => {
            Change::Policy { target, delta: Delta::Update { before: after, after: before } }
        }
        Change::Approve { target, before, after } | Change::Reject { target, before, after } => {
            Change::Rule { target, delta: Delta::Update { before: after, after: before } }
        }
    }
}

/// Compares with an earlier live state: the changes since then, and those that the documents
/// require. `input` is the input of the plan from live to the documents.
#[must_use]
pub fn since_snapshot(input: Input<'_>, then: &LiveVijil) -> (Vec<Difference>, Vec<Difference>) {
    let Input { desired, live, exclusive, .. } = input;
    let managed = |policy: &LiveVijilPolicy| {
        let is = |found: Option<&LiveVijilPolicy>| found.is_some_and(|found| found.id == policy.id);
        exclusive
            || desired
                .iter()
                .any(|one| [live, then].iter().any(|live| is(diff::find(one, live).ok().flatten())))
    };
    let source =
        |name: &str| desired.iter().find(|one| one.name == name).map(|one| one.origin.clone());
    let mut outside = Vec::new();
    for now in live.policies.iter().filter(|policy| managed(policy)) {
        let before = then.policies.iter().find(|before| before.id == now.id);
        became(&mut outside, before, now);
    }
    let is_live = |policy: &LiveVijilPolicy| live.policies.iter().any(|now| now.id == policy.id);
    for gone in then.policies.iter().filter(|policy| managed(policy) && !is_live(policy)) {
        let delta = Delta::Delete { before: policy_fields(gone) };
        outside.push(Difference::new(&gone.name, Change::Policy { target: subject(gone), delta }));
    }
    for difference in &mut outside {
        difference.source = source(&difference.policy);
    }
    let (waiting, _) = diff::differences(Input { live: then, ..input });
    let waiting = waiting.into_iter().filter(|one| differs(&one));
    (numbered(outside, 1).collect(), numbered(waiting, 1).collect())
}

fn differs(difference: &&Difference) -> bool {
    matches!(difference.because, None | Some(Reason::EditedInPlace))
}

/// Adds the differences of a policy and of its rules.
fn became(
    differences: &mut Vec<Difference>,
    before: Option<&LiveVijilPolicy>,
    now: &LiveVijilPolicy,
) {
    let mut add = |change| differences.push(Difference::new(&now.name, change));
    if let Some(delta) = delta(before.map(policy_fields), policy_fields(now)) {
        add(Change::Policy { target: subject(now), delta });
    }
    let target = |rule: &LiveVijilRule| RuleTarget {
        policy: subject(now),
        rule: Subject::Existing(rule.id.clone()),
        provenance: rule.provenance.clone(),
    };
    let rules = before.map_or(&[][..], |before| &before.rules);
    for rule in &now.rules {
        let before = rules.iter().find(|before| before.id == rule.id);
        if let Some(delta) = delta(before.map(rule_fields), rule_fields(rule)) {
            add(Change::Rule { target: target(rule), delta });
        }
    }
    for gone in rules.iter().filter(|rule| !now.rules.iter().any(|now| now.id == rule.id)) {
        let delta = Delta::Delete { before: rule_fields(gone) };
        add(Change::Rule { target: target(gone), delta });
    }
}

/// The change of an object that exists now; `None` if it is unchanged.
fn delta(before: Option<Fields>, after: Fields) -> Option<Delta<Fields>> {
    match before {
        None => Some(Delta::Create { after }),
        Some(before) if changed(&before, &after).is_empty() => None,
        Some(before) => Some(Delta::Update { before, after }),
    }
}

fn subject(policy: &LiveVijilPolicy) -> Subject {
    Subject::Existing(policy.id.clone())
}
