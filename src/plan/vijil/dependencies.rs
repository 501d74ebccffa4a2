//! The earlier steps that each step of the Vijil side depends on.
//!
//! Invariant: a step about a rule depends on the earlier steps about that rule and about its
//! policy, and a step about a policy on all earlier steps about that policy. A step that deletes or
//! deactivates depends on every earlier step: nothing is removed while its replacement is missing.

use std::collections::BTreeMap;

use super::{Step, Subject};
use crate::plan::dependencies::Dependencies;
use crate::plan::step::Op;

/// The dependencies of steps, in their order.
pub(crate) fn dependencies(steps: &[Step]) -> Vec<Dependencies> {
    let mut earlier: BTreeMap<&Subject, Vec<&Step>> = BTreeMap::new();
    let mut dependencies = Vec::new();
    for phase in steps.chunk_by(|one, other| one.phase == other.phase) {
        for step in phase {
            let rule = step.change.rule();
            let is_about_rule = |earlier: &&&Step| {
                let other = earlier.change.rule();
                other.is_none() || rule.is_none() || other == rule
            };
            let own = earlier.get(step.change.policy());
            let of_policy = own.into_iter().flatten().filter(is_about_rule);
            dependencies.push(match takes_away(step) {
                true if earlier.is_empty() => Dependencies::default(),
                true => Dependencies::all(),
                false => Dependencies::on(of_policy.map(|earlier| earlier.id)),
            });
        }
        phase.iter().for_each(|step| earlier.entry(step.change.policy()).or_default().push(step));
    }
    dependencies
}

/// Returns `true` if a step deletes, or deactivates a policy that is not activated again.
fn takes_away(step: &Step) -> bool {
    step.change.op() == Op::Delete || step.change.deactivates() && step.because.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fields;
    use crate::plan::vijil::{Change, Difference};

    /// A step: its phase, operation and policy, and its rule if it is about one.
    fn step((id, (phase, op, policy, rule)): (usize, (usize, Op, &str, &str))) -> Step {
        let status = |status: &str| Fields::from_iter([("status".to_owned(), status.into())]);
        let before = Some(status("active")).filter(|_| op != Op::Create);
        let after = Some(status("draft")).filter(|_| op != Op::Delete);
        let rule = (!rule.is_empty()).then(|| (Subject::Existing(rule.to_owned()), None));
        let subject = Subject::Existing(policy.to_owned());
        let change = Change::from_sides(op, subject, rule, (before, after)).unwrap();
        Step::new(Difference { id, ..Difference::new(policy, change) }, phase)
    }

    #[test]
    fn steps_depend_on_what_they_are_about_and_what_takes_away_on_everything() {
        let steps: Vec<Step> = (1..)
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
