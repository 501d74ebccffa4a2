//! The Vijil side of drift.
//!
//! Invariant: what has a reason of its own is on the way to what differs, and no difference by itself; and what nobody
//! declares is not drift, unless everything is owned.

use crate::model::{Fields, LiveAgentPolicy, LiveAgentRule, LiveAgents};
use crate::plan::agents::diff::{self, shown, shown_rule};
use crate::plan::agents::{AgentPlan, AgentStep, Input, Subject, step::changed};
use crate::plan::step::{Op, Reason};

/// Against documents that were applied: `plan` goes from live to the documents, `base` from live to what the last apply
/// left. What somebody did outside is the way back of the latter; what waits is what only the former asks for.
#[must_use]
pub fn since_documents(plan: &AgentPlan, base: Option<&AgentPlan>) -> (AgentPlan, Option<AgentPlan>) {
    let back = |step: &AgentStep| AgentStep {
        op: match step.op {
            Op::Create => Op::Delete,
            Op::Delete => Op::Create,
            Op::Update | Op::Approve | Op::Reject | Op::Activate => Op::Update,
        },
        before: step.after.clone(),
        after: step.before.clone(),
        ..step.clone()
    };
    let outside = with(plan, base.unwrap_or(plan).steps.iter().filter(differs).map(back).collect());
    let waiting = base.map(|base| {
        let same = |one: &AgentStep, other: &AgentStep| {
            (one.op, &one.policy, &one.rule, &one.after) == (other.op, &other.policy, &other.rule, &other.after)
        };
        let only = plan.steps.iter().filter(differs).filter(|step| !base.steps.iter().any(|other| same(step, other)));
        with(plan, only.cloned().collect())
    });
    (outside, waiting)
}

/// Against a live state of then: what became of it since, and what the documents ask of it. `input` is what `plan` was
/// made from.
#[must_use]
pub fn since_snapshot(plan: &AgentPlan, input: Input<'_>, then: &LiveAgents) -> (AgentPlan, AgentPlan) {
    let Input { desired, live, exclusive, .. } = input;
    let managed = |policy: &LiveAgentPolicy| {
        let is = |found: Option<&LiveAgentPolicy>| found.is_some_and(|found| found.id == policy.id);
        exclusive || desired.iter().any(|one| [live, then].iter().any(|live| is(diff::find(one, live).ok().flatten())))
    };
    let source = |name: &str| desired.iter().find(|one| one.name == name).map(|one| one.origin.clone());
    let mut steps = Vec::new();
    for now in live.policies.iter().filter(|policy| managed(policy)) {
        let before = then.policies.iter().find(|before| before.id == now.id);
        became(&mut steps, before, now);
    }
    let is_live = |policy: &LiveAgentPolicy| live.policies.iter().any(|now| now.id == policy.id);
    for gone in then.policies.iter().filter(|policy| managed(policy) && !is_live(policy)) {
        steps.push(difference(Op::Delete, gone, None, (Some(shown(gone)), None)));
    }
    for step in &mut steps {
        step.source = source(&step.policy_name);
    }
    let waiting = diff::differences(Input { live: then, ..input });
    (with(plan, steps), with(plan, waiting.steps.iter().filter(differs).cloned().collect()))
}

fn with(plan: &AgentPlan, mut steps: Vec<AgentStep>) -> AgentPlan {
    for (step, id) in steps.iter_mut().zip(1..) {
        step.id = id;
    }
    AgentPlan { steps, unmanaged: Vec::new(), ..plan.clone() }
}

fn differs(step: &&AgentStep) -> bool {
    matches!(step.because, None | Some(Reason::EditedInPlace))
}

/// What became of a policy and of its rules.
fn became(steps: &mut Vec<AgentStep>, before: Option<&LiveAgentPolicy>, now: &LiveAgentPolicy) {
    one(steps, now, None, (before.map(shown), Some(shown(now))));
    let rules = before.map_or(&[][..], |before| &before.rules);
    for rule in &now.rules {
        let before = rules.iter().find(|before| before.id == rule.id);
        one(steps, now, Some(rule), (before.map(shown_rule), Some(shown_rule(rule))));
    }
    for gone in rules.iter().filter(|rule| !now.rules.iter().any(|now| now.id == rule.id)) {
        one(steps, now, Some(gone), (Some(shown_rule(gone)), None));
    }
}

/// A difference of one object, if it is one.
fn one(
    steps: &mut Vec<AgentStep>,
    policy: &LiveAgentPolicy,
    rule: Option<&LiveAgentRule>,
    (before, after): (Option<Fields>, Option<Fields>),
) {
    let op = match (&before, &after) {
        (None, _) => Op::Create,
        (_, None) => Op::Delete,
        (Some(before), Some(after)) if changed(before, after).is_empty() => return,
        (Some(_), Some(_)) => Op::Update,
    };
    steps.push(difference(op, policy, rule, (before, after)));
}

fn difference(
    op: Op,
    policy: &LiveAgentPolicy,
    rule: Option<&LiveAgentRule>,
    (before, after): (Option<Fields>, Option<Fields>),
) -> AgentStep {
    AgentStep {
        id: 0,
        phase: 1,
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
