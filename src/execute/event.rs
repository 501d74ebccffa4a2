//! Events during an apply, for observers.

use super::outcome::StepOutcome;
use crate::plan::AnyStep;

/// An event during an apply.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step's call starts.
    Started(AnyStep<'a>),
    /// A step has ended.
    Ended(AnyStep<'a>, &'a StepOutcome),
}
