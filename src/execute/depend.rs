//! Which steps a failed step holds back.
//!
//! Invariant: what runs although another step failed opens nothing. A step is let through only if it shares no request
//! with the failed one, so that the one changes no answer that the other was placed for.

use std::collections::{BTreeMap, BTreeSet};

use super::Ended;
use crate::access::Universe;
use crate::model::{Policy, Rule};
use crate::plan::Plan;
use crate::plan::step::{Change, Object, PolicyTarget, Step};

/// The first earlier step that was not done and that this one depends on.
pub(super) fn held_back(step: &Step, plan: &Plan, ended: &BTreeMap<usize, Ended>) -> Option<usize> {
    plan.steps
        .iter()
        .take_while(|earlier| earlier.phase < step.phase)
        .filter(|earlier| ended.get(&earlier.id).is_some_and(|ended| !ended.is_done()))
        .find(|earlier| depends(&step.change, &earlier.change))
        .map(|earlier| earlier.id)
}

fn depends(step: &Change, failed: &Change) -> bool {
    if same_object(step, failed) {
        return true;
    }
    match (speaks_of(step), speaks_of(failed)) {
        (About::Nothing, _) | (_, About::Nothing) => frees_name(step, failed),
        (About::Anything, _) | (_, About::Anything) => true,
        (About::Rules(step), About::Rules(failed)) => meet(&step, &failed),
    }
}

/// Steps of one policy depend on what is done to the policy itself, and steps of one rule on each other.
fn same_object(step: &Change, failed: &Change) -> bool {
    let policy = |change: &Change| match change {
        Change::CreatePolicy { after } => Some(PolicyTarget::Planned(after.name.clone())),
        Change::UpdatePolicy { .. }
        | Change::DeletePolicy { .. }
        | Change::CreateRule { .. }
        | Change::UpdateRule { .. }
        | Change::DeleteRule { .. } => change.policy().cloned(),
    };
    let of_policy = |change: &Change| change.object() == Object::Policy;
    policy(step) == policy(failed) && (of_policy(step) || of_policy(failed) || step.rule_name() == failed.rule_name())
}

/// Whether a step takes a name that the failed one was to give up.
fn frees_name(step: &Change, failed: &Change) -> bool {
    let taken = match step {
        Change::CreatePolicy { after } | Change::UpdatePolicy { after, .. } => Some(&after.name),
        Change::DeletePolicy { .. }
        | Change::CreateRule { .. }
        | Change::UpdateRule { .. }
        | Change::DeleteRule { .. } => None,
    };
    let freed = match failed {
        Change::UpdatePolicy { before, .. } => Some(&before.name),
        Change::DeletePolicy { before, .. } => Some(&before.name),
        Change::CreatePolicy { .. }
        | Change::CreateRule { .. }
        | Change::UpdateRule { .. }
        | Change::DeleteRule { .. } => None,
    };
    taken.is_some() && taken == freed
}

/// What a change speaks of.
enum About<'a> {
    /// Names and empty policies: nobody's access.
    Nothing,
    /// What these rules match.
    Rules(Vec<&'a Rule>),
    /// More than the step itself holds.
    Anything,
}

fn speaks_of(change: &Change) -> About<'_> {
    match change {
        Change::CreatePolicy { after } if after.cedar.is_none() => About::Nothing,
        Change::UpdatePolicy { before, after, .. } if before.scope == after.scope && before.cedar == after.cedar => {
            About::Nothing
        }
        Change::CreatePolicy { .. } | Change::UpdatePolicy { .. } => About::Anything,
        Change::DeletePolicy { before, .. } => match before {
            Policy { body: crate::model::Body::Allowlist(rules), .. } => About::Rules(rules.iter().collect()),
            Policy { body: crate::model::Body::Cedar(_), .. } => About::Anything,
        },
        Change::CreateRule { after, .. } => About::Rules(vec![after]),
        Change::UpdateRule { before, after, .. } => About::Rules(vec![before, after]),
        Change::DeleteRule { before, .. } => About::Rules(vec![before]),
    }
}

/// Whether some request is matched by rules of both.
fn meet(one: &[&Rule], other: &[&Rule]) -> bool {
    let domains = |rules: &[&Rule]| -> BTreeSet<_> { rules.iter().map(|rule| rule.domain()).collect() };
    let (ours, theirs) = (domains(one), domains(other));
    if ours.is_disjoint(&theirs) && !ours.contains(&None) && !theirs.contains(&None) {
        return false;
    }
    let rules = one.iter().map(|rule| (*rule, 0)).chain(other.iter().map(|rule| (*rule, 1)));
    let universe = Universe::build(rules);
    !universe.is_complete()
        || universe
            .points()
            .keys()
            .any(|point| [0, 1].iter().all(|group| point.matches().iter().any(|one| one.group == *group)))
}
