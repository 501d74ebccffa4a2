//! The steps of a plan: data, one call each.

use std::collections::BTreeSet;
use std::ops::Deref;

use super::dependencies::Dependencies;
use crate::model::Domain;

/// One call that writes: a difference with its position in a plan. `D` is the difference, whose
/// type depends on the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<D> {
    /// The difference that the call makes.
    pub difference: D,
    /// The phase: steps of one phase may run at the same time, after every earlier phase has
    /// finished.
    pub phase: usize,
    /// The steps that have to come first.
    pub dependencies: Dependencies,
    /// Domains of Docker in which the step may change access.
    pub touches: BTreeSet<Domain>,
}

impl<D> Step<D> {
    /// A step whose dependencies are not computed yet.
    #[must_use]
    pub fn new(difference: D, phase: usize) -> Self {
        Self { difference, phase, dependencies: Dependencies::default(), touches: BTreeSet::new() }
    }
}

/// A step derefs to its difference: only the executor and the saved form use its position.
impl<D> Deref for Step<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.difference
    }
}

/// The object that a call addresses, by the service's id of type `I`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addressed<I> {
    /// A live object.
    Existing(I),
    /// An object that an earlier step creates under this name.
    Planned(String),
}

/// A change of an object of type `T`: created, updated or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta<T> {
    /// The object is created.
    Create {
        /// The object after the change.
        after: T,
    },
    /// The object stays, and may change.
    Update {
        /// The object before the change.
        before: T,
        /// The object after the change.
        after: T,
    },
    /// The object is deleted.
    Delete {
        /// The object before the change.
        before: T,
    },
}

impl<T> Delta<T> {
    /// The operation.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Create { .. } => Op::Create,
            Self::Update { .. } => Op::Update,
            Self::Delete { .. } => Op::Delete,
        }
    }

    /// The object before and after the change.
    pub fn sides(self) -> (Option<T>, Option<T>) {
        match self {
            Self::Create { after } => (None, Some(after)),
            Self::Update { before, after } => (Some(before), Some(after)),
            Self::Delete { before } => (Some(before), None),
        }
    }

    /// The same change of a part of the object.
    pub fn map<U>(self, part: impl Fn(T) -> U) -> Delta<U> {
        match self {
            Self::Create { after } => Delta::Create { after: part(after) },
            Self::Update { before, after } => {
                Delta::Update { before: part(before), after: part(after) }
            }
            Self::Delete { before } => Delta::Delete { before: part(before) },
        }
    }
}

/// The reason for a call that the difference between live and desired does not explain.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The first half of a split change, which only narrows: as one call, the change would open
    /// access in any order.
    SplitNarrows,
    /// The second half of a split change, which only widens.
    SplitWidens,
    /// A temporary deny closes what no order of calls keeps closed.
    TemporaryDeny,
    /// The future name is still taken: a temporary name makes room.
    TemporaryName,
    /// The service cannot turn a Cedar policy into an allowlist or back: the policy is deleted and
    /// created again.
    Replace,
    /// The service takes rules of another domain only if the policy has no other rule: the rule is
    /// deleted and created again.
    DomainChange,
    /// A rule of a Vijil policy that stays active is created or edited; the next call about the
    /// rule approves it.
    EditedInPlace,
    /// A Vijil policy is a draft while its rules are edited, as the settings require.
    Deactivated,
    /// The policy is activated again.
    Reactivated,
    /// An archived policy becomes a draft, since the service activates only drafts.
    Unarchived,
    /// The rule is approved again, since it was edited after its approval.
    ApprovedAnew,
}

/// The operation of a step, as the plan format spells it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Creates an object.
    Create,
    /// Changes an object in place.
    Update,
    /// Deletes an object.
    Delete,
    /// Approves a drafted rule.
    Approve,
    /// Rejects a drafted rule.
    Reject,
    /// Activates a policy.
    Activate,
}

/// The kind of object that a step is about.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Object {
    /// A policy.
    Policy,
    /// A rule.
    Rule,
}
