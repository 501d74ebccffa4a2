//! The earlier steps that each step of the Vijil side depends on.
//!
//! Invariant: a step about a rule depends on the earlier steps about that rule and about its
//! policy, and a step about a policy on all earlier steps about that policy. A step that deletes or
//! deactivates depends on every earlier step: nothing is removed while its replacement is missing.

use std::collections::BTreeMap;

use super::{Subject, VijilDifference, VijilStep};
use crate::model::Fields;
use crate::plan::dependencies::Dependencies;
use crate::plan::step::{Object, Op};

/// The dependencies of steps, in their order.
pub(crate) fn dependencies(steps: &[VijilStep]) -> Vec<Dependencies> {
    let mut earlier: BTreeMap<&Subject, Vec<&VijilStep>> = BTreeMap::new();
    let mut dependencies = Vec::new();
    for phase in steps.chunk_by(|one, other| one.phase == other.phase) {
        for step in phase {
            let is_about_rule = |earlier: &&&VijilStep| {
                earlier.rule.is_none() || step.rule.is_none() || earlier.rule == step.rule
            };
            let of_policy = earlier.get(&step.policy).into_iter().flatten().filter(is_about_rule);
            dependencies.push(match takes_away(step) {
                true if earlier.is_empty() => Dependencies::default(),
                true => Dependencies::all(),
                false => Dependencies::on(of_policy.map(|earlier| earlier.id)),
            });
        }
        phase.iter().for_each(|step| earlier.entry(&step.policy).or_default().push(step));
    }
    dependencies
}

/// Returns `true` if a step deletes, or deactivates a policy that is not activated again.
fn takes_away(step: &VijilDifference) -> bool {
    let is_active = |side: &Option<Fields>| {
        side.as_ref().and_then(|side| side.get("status")?.as_str()) == Some("active")
    };
    let leaves =
        step.object() == Object::Policy && is_active(&step.before) && !is_active(&step.after);
    step.op == Op::Delete || leaves && step.because.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::step::Step;
    use crate::plan::vijil::diff::blank;

    /// A step: its phase, operation and policy, and its rule if it is about one.
    fn step((id, (phase, op, policy, rule)): (usize, (usize, Op, &str, &str))) -> VijilStep {
        let rule = Some(rule).filter(|rule| !rule.is_empty());
        let leaves = op == Op::Update && rule.is_none();
        let status = |status: &str| {
            leaves.then(|| Fields::from_iter([("status".to_owned(), status.into())]))
        };
        let difference = VijilDifference {
            id,
            rule: rule.map(|rule| Subject::Existing(rule.to_owned())),
            rule_id: rule.map(str::to_owned),
            ..blank(
                op,
                Subject::Existing(policy.to_owned()),
                policy,
                status("active"),
                status("draft"),
            )
        };
        Step::new(difference, phase)
    }

    #[test]
    fn steps_depend_on_what_they_are_about_and_what_takes_away_on_everything() {
        let steps: Vec<VijilStep> = (1..)
            .zip([
                (1, Op::Create, "a", ""),
                (1, Op::Create, "b", ""),
                (2, Op::Update, "a", "r"),
                (2, Op::Update, "a", "s"),
                (2, Op::Update, "b", "r"), // of another policy
                (3, Op::Approve, "a", "r"),
                (4, Op::Activate, "a", ""),
                (5, Op::Delete, "b", "t"),
                (5, Op::Update, "c", ""), // deactivates
            ])
            .map(step)
            .collect();
        let on = |steps: &[usize]| Dependencies::on(steps.iter().copied());
        let mut expected =
            vec![on(&[]), on(&[]), on(&[1]), on(&[1]), on(&[2]), on(&[1, 3]), on(&[1, 3, 4, 6])];
        expected.extend([Dependencies::all(), Dependencies::all()]);
        assert_eq!(dependencies(&steps), expected);
        // A deletion that comes first depends on nothing.
        assert_eq!(dependencies(&steps[7..]), [on(&[]), on(&[])]);
    }
}
