//! The objects of Vijil, as they are stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// The objects of the service, stored in the form of its answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VijilState {
    /// Policies by id, with the number that determines their order.
    pub policies: BTreeMap<String, Arc<Stored>>,
    /// Rules by id, in the same way.
    pub rules: BTreeMap<String, Arc<Stored>>,
    /// Uploaded files by the policy's id.
    pub files: BTreeMap<String, Arc<Vec<u8>>>,
}

/// An object with its sequence number.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Stored {
    /// Larger for objects that were created later.
    pub number: u64,
    /// The object in the form of the newest version of the service.
    pub object: Value,
}

impl VijilState {
    /// The rules of a policy.
    pub fn rules_of<'s>(&'s self, policy: &'s str) -> impl Iterator<Item = &'s Arc<Stored>> + 's {
        self.rules.values().filter(move |rule| rule.text("policy_id") == policy)
    }
}

impl Stored {
    /// A text of the object; empty if it has none.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.object.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}
