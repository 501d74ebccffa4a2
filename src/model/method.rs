//! The verbs of requests.

use serde::{Deserialize, Serialize};

/// The verbs that write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Creates.
    Post,
    /// Changes the fields that the body names.
    Patch,
    /// Deletes.
    Delete,
}
