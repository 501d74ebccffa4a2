//! The steps of a plan: data, one call each.

use std::collections::BTreeSet;
use std::ops::Deref;

use super::dependencies::Dependencies;
use crate::model::{Domain, Origin};

/// One call that writes: a difference with its position in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<C> {
    /// The difference that the call makes.
    pub difference: Difference<C>,
    /// The phase: steps of one phase may run at the same time, after every earlier phase has
    /// finished.
    pub phase: usize,
    /// The steps that have to come first.
    pub dependencies: Dependencies,
    /// Domains of Docker in which the step may change access.
    pub touches: BTreeSet<Domain>,
}

impl<C> Step<C> {
    /// A step whose dependencies are not computed yet.
    #[must_use]
    pub fn new(difference: Difference<C>, phase: usize) -> Self {
        Self { difference, phase, dependencies: Dependencies::default(), touches: BTreeSet::new() }
    }
}

/// A step derefs to its difference: only the executor and the saved form use its position.
impl<C> Deref for Step<C> {
    type Target = Difference<C>;

    fn deref(&self) -> &Difference<C> {
        &self.difference
    }
}

/// A difference of one object between two states, or a decision about an object. Differences have no
/// order: see [`Step`]. `C` is the change of the object, whose type depends on the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<C> {
    /// Number in the list, from 1.
    pub id: usize,
    /// The policy's name: the declared one, or the live one if no document declares the policy.
    pub policy: String,
    /// The change of the object.
    pub change: C,
    /// The place of the declaration; `None` if no document declares the object.
    pub source: Option<Origin>,
    /// The reason for the call, if the difference between live and desired does not explain it.
    pub because: Option<Reason>,
}

impl<C> Difference<C> {
    /// A difference without a number, a place and a reason.
    #[must_use]
    pub fn new(policy: &str, change: C) -> Self {
        Self { id: 0, policy: policy.to_owned(), change, source: None, because: None }
    }
}

/// The differences with their numbers, the first of which is given.
pub(crate) fn numbered<C>(
    differences: impl IntoIterator<Item = Difference<C>>,
    first: usize,
) -> impl Iterator<Item = Difference<C>> {
    differences.into_iter().zip(first..).map(|(difference, id)| Difference { id, ..difference })
}

/// The object that a call addresses, by the service's id of type `I`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addressed<I> {
    /// A live object.
    Existing(I),
    /// An object that this call or an earlier one creates under this name.
    Planned(String),
}

impl<I> Addressed<I> {
    /// The id of a live object.
    pub fn existing(&self) -> Option<&I> {
        match self {
            Self::Existing(id) => Some(id),
            Self::Planned(_) => None,
        }
    }
}

/// A change of an object of type `T`. Where an object is deleted together with a part that other
/// changes do not touch, `D` holds that part too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta<T, D = T> {
    /// The object is created.
    Create {
        /// The object after the change.
        after: T,
    },
    /// The object stays, and may change.
    Update {
        /// The object as the plan expects to find it.
        before: T,
        /// The object after the change.
        after: T,
    },
    /// The object is deleted.
    Delete {
        /// The object as the plan expects to find it.
        before: D,
    },
}

impl<T> Delta<T> {
    /// The change back.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Create { after } => Self::Delete { before: after },
            Self::Update { before, after } => Self::Update { before: after, after: before },
            Self::Delete { before } => Self::Create { after: before },
        }
    }
}

impl<T, D> Delta<T, D> {
    /// The operation.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Create { .. } => Op::Create,
            Self::Update { .. } => Op::Update,
            Self::Delete { .. } => Op::Delete,
        }
    }

    /// The same change, borrowed.
    pub fn as_ref(&self) -> Delta<&T, &D> {
        match self {
            Self::Create { after } => Delta::Create { after },
            Self::Update { before, after } => Delta::Update { before, after },
            Self::Delete { before } => Delta::Delete { before },
        }
    }

    /// The change of an operation with these sides, which `part` and `deleted` turn into objects.
    /// `None` if the sides contradict the operation.
    pub fn from_sides<U>(
        op: Op,
        sides: (Option<U>, Option<U>),
        part: impl Fn(U) -> Option<T>,
        deleted: impl FnOnce(U) -> Option<D>,
    ) -> Option<Self> {
        Some(match (op, sides) {
            (Op::Create, (None, Some(after))) => Self::Create { after: part(after)? },
            (Op::Update, (Some(before), Some(after))) => {
                Self::Update { before: part(before)?, after: part(after)? }
            }
            (Op::Delete, (Some(before), None)) => Self::Delete { before: deleted(before)? },
            (_, _) => return None,
        })
    }

    /// The object before and after the change, each in a form that `part` and `deleted` give it.
    pub fn sides<U>(
        self,
        part: impl Fn(T) -> U,
        deleted: impl FnOnce(D) -> U,
    ) -> (Option<U>, Option<U>) {
        match self {
            Self::Create { after } => (None, Some(part(after))),
            Self::Update { before, after } => (Some(part(before)), Some(part(after))),
            Self::Delete { before } => (Some(deleted(before)), None),
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
