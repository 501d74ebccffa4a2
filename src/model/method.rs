//! The HTTP methods of writes.

use serde::{Deserialize, Serialize};

/// A method that writes.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Creates.
    Post,
    /// Changes the fields in the body.
    Patch,
    /// Deletes.
    Delete,
}
