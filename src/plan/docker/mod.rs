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

pub use change::{
    Change, Difference, PolicyChange, PolicyFields, PolicyTarget, RuleChange, RuleTarget,
    changed_fields,
};
pub use request::request;

/// A step of the Docker side.
pub type Step = super::step::Step<Difference>;
