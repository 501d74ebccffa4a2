//! The objects of Vijil, as they are stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// The objects of the service. They are kept as they are answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VijilState {
    /// Policies by id, with the number that gives their order.
    pub policies: BTreeMap<String, Arc<Stored>>,
    /// Rules by id, likewise.
    pub rules: BTreeMap<String, Arc<Stored>>,
    /// Uploaded files by the policy's id.
    pub files: BTreeMap<String, Arc<Vec<u8>>>,
}

/// An object and when it was made, counted.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Stored {
    /// Greater for what was made later.
    pub number: u64,
    /// The object as the newest version of the service shows it.
    pub object: Value,
}

impl VijilState {
    /// The rules of a policy.
    pub fn rules_of<'s>(&'s self, policy: &'s str) -> impl Iterator<Item = &'s Arc<Stored>> + 's {
        self.rules.values().filter(move |rule| rule.text("policy_id") == policy)
    }
}

impl Stored {
    /// A text of the object; empty where it has none.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.object.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}
