//! All checks.

use super::Check;

/// All checks, in groups, each in the order of the documentation.
pub static TABLE: &[&[Check]] = &[];
