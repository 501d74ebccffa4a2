//! The steps of a plan: data, one call each.

use std::collections::BTreeSet;
use std::ops::Deref;

use super::dependencies::Dependencies;
use crate::model::Domain;

/// One call that writes: a difference with its place in the order of a plan. `D` is the difference, which is another type
/// for each service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<D> {
    /// The difference that the call makes.
    pub difference: D,
    /// Steps of one phase may run at the same time, and start when every earlier phase is over.
    pub phase: usize,
    /// The steps that have to be done before it.
    pub dependencies: Dependencies,
    /// Domains of Docker in which it may change what somebody may do.
    pub touches: BTreeSet<Domain>,
}

impl<D> Step<D> {
    /// A step that depends on none, as far as is known yet.
    #[must_use]
    pub fn new(difference: D, phase: usize) -> Self {
        Self { difference, phase, dependencies: Dependencies::default(), touches: BTreeSet::new() }
    }
}

/// A step reads as its difference: only the executor and the saved form look at its place.
impl<D> Deref for Step<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.difference
    }
}

/// The change of something: it comes, changes, or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta<T> {
    /// It comes.
    Create {
        /// As it will be.
        after: T,
    },
    /// It stays, and may be something else.
    Update {
        /// As it was.
        before: T,
        /// As it will be.
        after: T,
    },
    /// It goes.
    Delete {
        /// As it was.
        before: T,
    },
}

impl<T> Delta<T> {
    /// The verb.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Create { .. } => Op::Create,
            Self::Update { .. } => Op::Update,
            Self::Delete { .. } => Op::Delete,
        }
    }

    /// As it was, and as it will be.
    pub fn sides(self) -> (Option<T>, Option<T>) {
        match self {
            Self::Create { after } => (None, Some(after)),
            Self::Update { before, after } => (Some(before), Some(after)),
            Self::Delete { before } => (Some(before), None),
        }
    }

    /// The same of a part.
    pub fn map<U>(self, part: impl Fn(T) -> U) -> Delta<U> {
        match self {
            Self::Create { after } => Delta::Create { after: part(after) },
            Self::Update { before, after } => Delta::Update { before: part(before), after: part(after) },
            Self::Delete { before } => Delta::Delete { before: part(before) },
        }
    }
}

/// The reason why a plan holds a call that the difference between live and desired does not ask for by itself.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// One call would open access on the way, in any order: this is the first half, which only narrows.
    SplitNarrows,
    /// The second half of a split change, which only widens.
    SplitWidens,
    /// A temporary deny keeps closed what no order of calls can.
    TemporaryDeny,
    /// The name that is wanted is still taken: a temporary name makes room.
    TemporaryName,
    /// The service cannot turn a Cedar policy into an allowlist or back: it is deleted and made anew.
    Replace,
    /// The service takes rules of another domain only when the policy has no other: the rule is deleted and made anew.
    DomainChange,
    /// A rule of a Vijil policy that stays active is created or edited; the next call about the rule approves it.
    EditedInPlace,
    /// A Vijil policy is a draft while its rules are edited, as the settings ask for.
    Deactivated,
    /// It is activated again.
    Reactivated,
    /// An archived policy becomes a draft, which is what the service activates.
    Unarchived,
    /// The rule was edited: what was approved is not what it says now.
    ApprovedAnew,
}

/// The verb of a step, as the contract spells it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Makes an object.
    Create,
    /// Changes an object in place.
    Update,
    /// Removes an object.
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
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Object {
    /// A policy.
    Policy,
    /// A rule.
    Rule,
}
