//! The Vijil side of drift.
//!
//! Invariant: a step with a reason of its own is a means to the differences, not a difference; and
//! undeclared policies are not drift, unless everything is owned.

use crate::model::{Fields, LiveVijil, LiveVijilPolicy, LiveVijilRule};
use crate::plan::step::{Op, Reason};
use crate::plan::vijil::diff::{self, policy_fields, rule_fields};
use crate::plan::vijil::step::changed;
use crate::plan::vijil::{Input, Subject, VijilDifference};

/// Compares with documents that were applied: `own` leads from live to the documents, `base` from
/// live to the state after the last apply. Outside changes are the reverse of `base`; pending
/// changes are those that only `own` has.
#[must_use]
pub fn since_documents(
    own: &[VijilDifference],
    base: Option<&[VijilDifference]>,
) -> (Vec<VijilDifference>, Option<Vec<VijilDifference>>) {
    let back = |difference: &VijilDifference| VijilDifference {
        op: match difference.op {
            Op::Create => Op::Delete,
            Op::Delete => Op::Create,
            Op::Update | Op::Approve | Op::Reject | Op::Activate => Op::Update,
        },
        before: difference.after.clone(),
        after: difference.before.clone(),
        ..difference.clone()
    };
    let outside = numbered(base.unwrap_or(own).iter().filter(differs).map(back));
    let waiting = base.map(|base| {
        let same = |one: &VijilDifference, other: &VijilDifference| {
            (one.op, &one.policy, &one.rule, &one.after)
                == (other.op, &other.policy, &other.rule, &other.after)
        };
        let only =
            own.iter().filter(differs).filter(|one| !base.iter().any(|other| same(one, other)));
        numbered(only.cloned())
    });
    (outside, waiting)
}

/// Compares with an earlier live state: the changes since then, and those that the documents
/// require. `input` is the input of the plan from live to the documents.
#[must_use]
pub fn since_snapshot(
    input: Input<'_>,
    then: &LiveVijil,
) -> (Vec<VijilDifference>, Vec<VijilDifference>) {
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
        outside.push(difference(Op::Delete, gone, None, (Some(policy_fields(gone)), None)));
    }
    for difference in &mut outside {
        difference.source = source(&difference.policy_name);
    }
    let (waiting, _) = diff::differences(Input { live: then, ..input });
    (numbered(outside.into_iter()), numbered(waiting.into_iter().filter(|one| differs(&one))))
}

fn numbered(differences: impl Iterator<Item = VijilDifference>) -> Vec<VijilDifference> {
    differences.zip(1..).map(|(difference, id)| VijilDifference { id, ..difference }).collect()
}

fn differs(difference: &&VijilDifference) -> bool {
    matches!(difference.because, None | Some(Reason::EditedInPlace))
}

/// Adds the differences of a policy and of its rules.
fn became(
    differences: &mut Vec<VijilDifference>,
    before: Option<&LiveVijilPolicy>,
    now: &LiveVijilPolicy,
) {
    one(differences, now, None, (before.map(policy_fields), Some(policy_fields(now))));
    let rules = before.map_or(&[][..], |before| &before.rules);
    for rule in &now.rules {
        let before = rules.iter().find(|before| before.id == rule.id);
        one(differences, now, Some(rule), (before.map(rule_fields), Some(rule_fields(rule))));
    }
    for gone in rules.iter().filter(|rule| !now.rules.iter().any(|now| now.id == rule.id)) {
        one(differences, now, Some(gone), (Some(rule_fields(gone)), None));
    }
}

/// A step as a difference of one object; `None` if it is not one.
fn one(
    differences: &mut Vec<VijilDifference>,
    policy: &LiveVijilPolicy,
    rule: Option<&LiveVijilRule>,
    (before, after): (Option<Fields>, Option<Fields>),
) {
    let op = match (&before, &after) {
        (None, _) => Op::Create,
        (_, None) => Op::Delete,
        (Some(before), Some(after)) if changed(before, after).is_empty() => return,
        (Some(_), Some(_)) => Op::Update,
    };
    differences.push(difference(op, policy, rule, (before, after)));
}

fn difference(
    op: Op,
    policy: &LiveVijilPolicy,
    rule: Option<&LiveVijilRule>,
    (before, after): (Option<Fields>, Option<Fields>),
) -> VijilDifference {
    VijilDifference {
        id: 0,
        op,
        policy: Subject::Existing(policy.id.clone()),
        policy_name: policy.name.clone(),
        rule: rule.map(|rule| Subject::Existing(rule.id.clone())),
        rule_id: rule.map(|rule| rule.rule_id.clone()),
        before,
        after,
        provenance: rule.and_then(|rule| rule.provenance.clone()),
        source: None,
        because: None,
    }
}
