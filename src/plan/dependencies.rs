//! Which steps have to be done before a step.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The steps that have to be done before a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Dependencies {
    /// These, in order: each of an earlier phase.
    Steps(Vec<usize>),
    /// All of them.
    All(AllEarlier),
}

/// Every step about the same service in an earlier phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AllEarlier {
    /// Every step about the same service in an earlier phase.
    AllEarlier,
}

impl Default for Dependencies {
    fn default() -> Self {
        Self::Steps(Vec::new())
    }
}

impl Dependencies {
    /// A step has at most so many, or depends on all earlier steps.
    pub const MOST: usize = 1_000;

    /// On every earlier step.
    pub const ALL: Self = Self::All(AllEarlier::AllEarlier);

    /// On these; on all where they are many.
    #[must_use]
    pub fn on(steps: BTreeSet<usize>) -> Self {
        if steps.len() > Self::MOST { Self::ALL } else { Self::Steps(steps.into_iter().collect()) }
    }

    /// The first of these steps, in their order, that has to be done before. All are of earlier phases.
    #[must_use]
    pub fn first_of(&self, undone: &BTreeSet<usize>) -> Option<usize> {
        match self {
            Self::All(AllEarlier::AllEarlier) => undone.first().copied(),
            Self::Steps(steps) => steps.iter().copied().find(|step| undone.contains(step)),
        }
    }

    /// A step that `other` waits for, and this one does not; 0 where `other` waits for all earlier steps.
    pub(super) fn lacks(&self, other: &Self) -> Option<usize> {
        match (self, other) {
            (Self::All(AllEarlier::AllEarlier), _) => None,
            (Self::Steps(_), Self::All(AllEarlier::AllEarlier)) => Some(0),
            (Self::Steps(own), Self::Steps(other)) => {
                let own: BTreeSet<usize> = own.iter().copied().collect();
                other.iter().copied().find(|step| !own.contains(step))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_with_very_many_dependencies_depends_on_all_earlier_ones() {
        let on = |count: usize| Dependencies::on((1..=count).collect());
        let all = |count: usize| Dependencies::Steps((1..=count).collect());
        assert_eq!(
            (on(0), on(Dependencies::MOST), on(Dependencies::MOST + 1)),
            (all(0), all(Dependencies::MOST), Dependencies::ALL)
        );
        let undone = |steps: &[usize]| steps.iter().copied().collect::<BTreeSet<usize>>();
        let table = [
            (all(3), undone(&[2, 3, 7]), Some(2)),
            (all(3), undone(&[4]), None),
            (all(0), undone(&[1]), None),
            (Dependencies::ALL, undone(&[4, 7]), Some(4)),
            (Dependencies::ALL, undone(&[]), None),
        ];
        for (dependencies, undone, first) in table {
            assert_eq!(dependencies.first_of(&undone), first, "{dependencies:?} {undone:?}");
        }
    }
}
