//! Changes one rule at a time, and finds the changes that no test detects.
//!
//! Invariant: a mutant survives only if every expectation that held before still holds. Only
//! expectations that involve the rule are evaluated again, so that the cost is proportional to
//! rules and expectations, not to their product.

use std::collections::BTreeMap;

use super::{Check, Trial, is_as_expected};
use crate::access::{Question, State};
use crate::model::Domain;

/// The change to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The rule is removed.
    Deleted,
    /// The rule has the other decision.
    Flipped,
}

/// A rule with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mutant {
    /// The policy's index.
    pub policy: usize,
    /// The rule's index in it.
    pub rule: usize,
    /// The change to the rule.
    pub change: Change,
}

/// The results of all mutants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// The number of mutants: two for each rule.
    pub total: usize,
    /// The mutants that no test detects, in the order of the rules.
    pub survivors: Vec<Mutant>,
}

/// Removes and flips each rule. Cedar policies are not changed.
#[must_use]
pub fn mutate(state: &State<'_>, trials: &[Trial<'_>]) -> Mutation {
    let held = trials.iter().flat_map(|trial| &trial.checks).filter(|check| check.holds());
    let questions: Vec<(&Check<'_>, Question)> =
        held.filter_map(|check| Some((check, check.question(state)?))).collect();
    let mut asked: BTreeMap<usize, Vec<&(&Check<'_>, Question)>> = BTreeMap::new();
    for question in &questions {
        for rule in question.1.rules() {
            asked.entry(rule).or_default().push(question);
        }
    }
    let domains: Vec<Option<Domain>> =
        (0..state.rules().len()).map(|rule| state.domain_of(rule)).collect();
    let mut mutation = Mutation { total: 0, survivors: Vec::new() };
    for (group, &(policy, rule)) in state.rules().iter().enumerate() {
        let domain = domains.get(group).copied().flatten();
        // Without any rule in its domain, every answer is uncertain.
        let alone = domains.iter().filter(|other| **other == domain).nth(1).is_none();
        let last = alone && questions.iter().any(|(_, question)| Some(question.domain()) == domain);
        for change in [Change::Deleted, Change::Flipped] {
            let noticed = asked.get(&group).into_iter().flatten().any(|(check, question)| {
                let in_force = |other| state.governs(other, &check.teams);
                let verdict = match change {
                    Change::Deleted => question.verdict(|other| other != group && in_force(other)),
                    Change::Flipped => question.flipped(group).verdict(in_force),
                };
                !is_as_expected(check.expected.expected, verdict)
            });
            mutation.total += 1;
            if !(noticed || last && change == Change::Deleted) {
                mutation.survivors.push(Mutant { policy, rule, change });
            }
        }
    }
    mutation
}
