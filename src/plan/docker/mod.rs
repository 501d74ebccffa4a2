//! The Docker side of a plan: the objects that differ, and the one call for each difference.

mod change;
pub mod coherence;
pub mod diff;
pub mod draft;
pub mod fingerprint;
pub mod json;
pub mod matching;
pub mod relations;
pub mod renames;
pub mod request;
pub mod simulate;
pub mod statements;
pub mod teams;
pub mod temporary;
pub mod weakening;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use change::{Change, PolicyFields, PolicyTarget, RuleTarget, changed_fields};
pub use request::request;

use crate::model::{Desired, Live, Ownership};

/// A difference of the Docker side.
pub type Difference = super::step::Difference<Change>;

/// A step of the Docker side.
pub type Step = super::step::Step<Change>;

/// The input of the Docker side of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The target of the calls.
    pub target: &'a Target,
    /// The desired state; team keys are ids, see [`teams::resolve`].
    pub desired: &'a Desired,
    /// The live state.
    pub live: &'a Live,
    /// The treatment of undeclared policies.
    pub ownership: &'a Ownership,
}

/// The organization that a plan is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The organization's name.
    pub org: String,
    /// The base URL of its service, or `embedded`.
    pub endpoint: String,
}
