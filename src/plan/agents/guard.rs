//! What the Vijil side may not delete.

use std::collections::BTreeMap;

use super::{AgentStep, Subject};
use crate::document::{Guards, MaxDeletes};
use crate::model::LiveAgents;
use crate::plan::step::{Object, Op};

/// Why `max_deletes` refuses the steps, if it does.
#[must_use]
pub fn max_deletes(guards: &Guards, live: &LiveAgents, steps: &[AgentStep]) -> Option<String> {
    let limit = guards.max_deletes?;
    let deletes = || steps.iter().filter(|step| step.op == Op::Delete);
    let policies = deletes().filter(|step| step.object() == Object::Policy).count();
    let all = live.policies.len();
    let most = match limit {
        MaxDeletes::Percent(percent) => format!("{percent}%"),
        MaxDeletes::Count(count) => count.to_string(),
    };
    if exceeds(limit, policies, all) {
        return Some(format!("deletes {policies} of {all} live policies for agents; at most {most} may go"));
    }
    let mut rules: BTreeMap<&Subject, usize> = BTreeMap::new();
    for step in deletes().filter(|step| step.object() == Object::Rule) {
        *rules.entry(&step.policy).or_default() += 1;
    }
    rules.into_iter().find_map(|(policy, count)| {
        let live = live.policies.iter().find(|live| Subject::Existing(live.id.clone()) == *policy)?;
        let (all, name) = (live.rules.len(), &live.name);
        exceeds(limit, count, all)
            .then(|| format!("deletes {count} of {all} live rules of `{name}`; at most {most} may go"))
    })
}

fn exceeds(limit: MaxDeletes, deleted: usize, all: usize) -> bool {
    match limit {
        MaxDeletes::Percent(percent) => deleted * 100 > all * usize::from(percent),
        MaxDeletes::Count(count) => deleted > usize::try_from(count).unwrap_or(usize::MAX),
    }
}

/// Why `protected` refuses the steps, if it does: a protected policy would be deleted, lose its last rule, or is live and
/// no longer declared.
#[must_use]
pub fn protected(guards: &Guards, live: &LiveAgents, steps: &[AgentStep], undeclared: &[String]) -> Option<String> {
    let policies = live.policies.iter().filter(|policy| guards.protected.contains(&policy.name));
    policies.into_iter().find_map(|policy| {
        let of = |step: &&AgentStep| step.policy == Subject::Existing(policy.id.clone());
        let count = |op: Op, object: Object| {
            steps.iter().filter(of).filter(|step| step.op == op && step.object() == object).count()
        };
        let name = &policy.name;
        if count(Op::Delete, Object::Policy) > 0 {
            return Some(format!("deletes the protected policy `{name}`"));
        }
        let left = policy.rules.len() + count(Op::Create, Object::Rule) - count(Op::Delete, Object::Rule);
        if left == 0 && !policy.rules.is_empty() {
            return Some(format!("empties the protected policy `{name}`"));
        }
        undeclared.contains(name).then(|| format!("no document declares the protected policy `{name}`"))
    })
}
