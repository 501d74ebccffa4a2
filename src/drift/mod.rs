//! Differences between live and desired, separated by their origin.
//!
//! ```text
//! base ──differences──▶ live      changed outside
//! base ──differences──▶ desired   waits to be applied
//! live ──plan─────────▶ desired   what an apply would do about both
//! ```
//!
//! The base is the result of the last apply: documents of an earlier commit, or a snapshot. The
//! services do not record who changed what, so without a base, outside changes and pending ones
//! cannot be separated.
//!
//! Undeclared live policies are no differences, unless the settings say that everything is owned;
//! but they are drift if they change the access of an audience of the workspace.
//!
//! Invariant: pure and deterministic; and there is drift exactly when a plan is not empty, or an
//! undeclared policy changes effective access.

pub mod adopt;
mod report;
mod states;
pub mod vijil;

use std::collections::BTreeSet;

use crate::model::{Desired, Live, Ownership};
use crate::plan::docker::matching;
use crate::plan::undeclared::Undeclared;
use crate::plan::{self, ChangeSet, Plan, applied};

pub use report::{schema, set_schema, set_to_json};

/// The state after the last apply.
#[derive(Clone, Copy, Debug)]
pub enum Base<'a> {
    /// Documents; team keys are ids.
    Documents(&'a Desired),
    /// The live state.
    Snapshot(&'a Live),
}

/// The input to compute drift, for Docker.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The desired state that the documents declare; team keys are ids.
    pub desired: &'a Desired,
    /// The live state that the service returned.
    pub live: &'a Live,
    /// The state after the last apply.
    pub base: Option<Base<'a>>,
    /// The treatment of undeclared policies.
    pub ownership: &'a Ownership,
}

/// The drift of a workspace.
#[derive(Clone, Debug)]
pub struct Drift {
    /// The name of the base; `None` if there is none, so that `outside` holds all differences.
    pub since: Option<String>,
    /// The differences from the base, or without one from the documents, to live state, and their
    /// effect on access.
    pub outside: ChangeSet,
    /// The differences from the base to the documents; `None` without a base.
    pub waiting: Option<ChangeSet>,
    /// Undeclared live policies, and their effect on access.
    pub undeclared: Undeclared,
    /// The plan from live state to the documents.
    pub plan: Plan,
    /// The reasons why that plan cannot be applied, with their places.
    pub impossible: Vec<crate::plan::vijil::Error>,
}

impl Drift {
    /// Returns `true` if live and documents differ, or an undeclared policy changes effective
    /// access.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        self.declared_differ() || !self.undeclared.is_empty()
    }

    /// Returns `true` if a declared object differs in live state.
    #[must_use]
    pub fn declared_differ(&self) -> bool {
        !self.plan.is_empty() || !self.impossible.is_empty()
    }
}

/// The changes made outside of `seawall`, and the changes that wait to be applied.
#[must_use]
pub fn differences(input: Input<'_>) -> (ChangeSet, Option<ChangeSet>) {
    let Input { desired, live, base, ownership } = input;
    let base_desired = match base {
        None => desired.clone(),
        Some(Base::Documents(base)) => base.clone(),
        Some(Base::Snapshot(base)) => {
            let managed = managed(base, &[desired], ownership);
            states::desired(
                base.policies.iter().filter(|policy| managed.contains(policy.id.0.as_str())),
                desired,
            )
        }
    };
    let managed = managed(live, &[desired, &base_desired], ownership);
    let (own, others): (Vec<_>, Vec<_>) =
        live.policies.iter().partition(|policy| managed.contains(policy.id.0.as_str()));
    let before = applied::docker(&base_desired.policies, &others, &live.org, &live.teams);
    let after = states::desired(own.into_iter(), desired);
    // Policies of others exist before and after; any other policy that is no longer live was
    // deleted.
    let unmanaged = others.iter().map(|policy| globset::escape(&policy.name)).collect();
    let owns = Ownership { exclusive: true, unmanaged, owns: None };
    let mut outside = plan::differences(&after, &before, &owns, Some(desired));
    // An undeclared object has no place.
    for difference in &mut outside.docker {
        difference.source = difference.source.take().filter(|origin| !origin.file.is_empty());
    }
    let waiting = base.map(|_| plan::differences(desired, &before, ownership, None));
    (outside, waiting)
}

/// The ids of the live policies that the documents manage.
fn managed<'a>(live: &'a Live, documents: &[&Desired], ownership: &Ownership) -> BTreeSet<&'a str> {
    let declared: BTreeSet<usize> = documents
        .iter()
        .flat_map(|desired| matching::policies(&desired.policies, &live.policies))
        .flatten()
        .collect();
    let owned =
        |name: &str| plan::is_left_behind(name) || ownership.exclusive && !ownership.leaves(name);
    let all = live.policies.iter().enumerate();
    all.filter(|(index, policy)| declared.contains(index) || owned(&policy.name))
        .map(|(_, policy)| policy.id.0.as_str())
        .collect()
}
