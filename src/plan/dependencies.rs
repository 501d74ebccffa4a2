//! The dependencies of a step: the steps that have to come first.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Domain;

/// The dependencies of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// Individual steps, each of an earlier phase.
    pub steps: BTreeSet<usize>,
    /// Further steps, too many to name individually.
    pub beyond: Option<Beyond>,
}

/// A set of steps of earlier phases that is too large to name each of them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Beyond {
    /// The steps that touch a domain which this step touches.
    SameDomains,
    /// All steps about the same service.
    AllEarlier,
}

/// Steps that were not carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    steps: BTreeSet<usize>,
    /// By domain, the first of them that touches it.
    touching: BTreeMap<Domain, usize>,
}

impl Undone {
    /// Records a step that touches these domains.
    pub fn add(&mut self, step: usize, touches: impl IntoIterator<Item = Domain>) {
        self.steps.insert(step);
        for domain in touches {
            let first = self.touching.entry(domain).or_insert(step);
            *first = step.min(*first);
        }
    }

    /// The first recorded step that touches one of these domains.
    #[must_use]
    pub fn first_touching(&self, domains: &BTreeSet<Domain>) -> Option<usize> {
        domains.iter().filter_map(|domain| self.touching.get(domain)).min().copied()
    }
}

impl Dependencies {
    /// Dependencies on these steps.
    #[must_use]
    pub fn on(steps: impl IntoIterator<Item = usize>) -> Self {
        Self { steps: steps.into_iter().collect(), beyond: None }
    }

    /// Dependencies on every earlier step about the same service.
    #[must_use]
    pub fn all() -> Self {
        Self { steps: BTreeSet::new(), beyond: Some(Beyond::AllEarlier) }
    }

    /// The first dependency that was not carried out, for a step that touches these domains.
    #[must_use]
    pub fn first_of(&self, undone: &Undone, touches: &BTreeSet<Domain>) -> Option<usize> {
        let named = self.steps.iter().find(|step| undone.steps.contains(step)).copied();
        let other = match self.beyond {
            None => None,
            Some(Beyond::SameDomains) => undone.first_touching(touches),
            Some(Beyond::AllEarlier) => undone.steps.first().copied(),
        };
        named.into_iter().chain(other).min()
    }

    /// The dependencies of both.
    #[must_use]
    pub(super) fn join(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        Self { beyond: self.beyond.max(other.beyond), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: [Domain; 1] = [Domain::Network];

    #[test]
    fn what_was_not_done_is_found_by_its_number_or_by_what_it_touches() {
        let undone = |steps: &[(usize, &[Domain])]| {
            let mut undone = Undone::default();
            steps.iter().for_each(|(step, touches)| undone.add(*step, touches.iter().copied()));
            undone
        };
        let on = |steps: &[usize]| Dependencies::on(steps.iter().copied());
        let beyond = |steps: &[usize], beyond| Dependencies { beyond: Some(beyond), ..on(steps) };
        let table = [
            (on(&[1, 2, 3]), undone(&[(3, &[]), (2, &[]), (7, &[])]), Some(2)),
            (on(&[1, 2, 3]), undone(&[(4, &NETWORK)]), None),
            (on(&[]), undone(&[(1, &NETWORK)]), None),
            (Dependencies::all(), undone(&[(7, &[]), (4, &[])]), Some(4)),
            (Dependencies::all(), undone(&[]), None),
            (beyond(&[], Beyond::SameDomains), undone(&[(2, &[]), (3, &[Domain::Mcp])]), None),
            (
                beyond(&[], Beyond::SameDomains),
                undone(&[(2, &[]), (5, &NETWORK), (3, &NETWORK)]),
                Some(3),
            ),
            (beyond(&[2], Beyond::SameDomains), undone(&[(2, &[]), (3, &NETWORK)]), Some(2)),
        ];
        for (dependencies, undone, first) in table {
            assert_eq!(
                dependencies.first_of(&undone, &NETWORK.into()),
                first,
                "{dependencies:?} {undone:?}"
            );
        }
    }

    #[test]
    fn joined_dependencies_are_those_of_both() {
        let on = |steps: &[usize], beyond| Dependencies {
            beyond,
            ..Dependencies::on(steps.iter().copied())
        };
        let table = [
            (on(&[1], None), on(&[2], None), on(&[1, 2], None)),
            (
                on(&[1], None),
                on(&[1], Some(Beyond::SameDomains)),
                on(&[1], Some(Beyond::SameDomains)),
            ),
            (on(&[], Some(Beyond::SameDomains)), Dependencies::all(), Dependencies::all()),
            (
                Dependencies::all(),
                on(&[2], Some(Beyond::SameDomains)),
                on(&[2], Some(Beyond::AllEarlier)),
            ),
        ];
        for (one, other, both) in table {
            assert_eq!(one.clone().join(other.clone()), both);
            assert_eq!(other.join(one), both);
        }
    }
}
