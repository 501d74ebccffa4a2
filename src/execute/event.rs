//! Events while a plan is carried out, for whoever watches.

use super::outcome::StepOutcome;
use crate::plan::AnyStep;

/// An event while a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step's call is about to be made.
    Started(AnyStep<'a>),
    /// A step is over.
    Ended(AnyStep<'a>, &'a StepOutcome),
}
