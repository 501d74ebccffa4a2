//! The rules in force by their consequence when broken: Vijil makes one control of its judge for
//! each consequence, and distinguishes rules within it.
//!
//! Source: the control `policy-rule-judge` of vijil-dome 1.7.5.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Step;
use super::outcome::{self, Outcome};
use crate::model::{Fields, LiveVijil};

/// The rules in force that have one consequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// The consequence's `action`; null for rules that name none.
    pub action: Option<String>,
    /// The number of approved rules of active policies with this consequence before the steps.
    pub before: usize,
    /// The number after the steps.
    pub after: usize,
}

/// The consequences whose number of rules changes, by action.
pub(super) fn find(live: &LiveVijil, steps: &[Step]) -> Vec<Bucket> {
    let mut buckets: BTreeMap<Option<String>, (usize, usize)> = BTreeMap::new();
    let rules = |policies: &[Outcome]| -> Vec<Option<String>> {
        policies
            .iter()
            .filter(|policy| policy.is_in_force())
            .flat_map(Outcome::approved)
            .map(|(_, rule)| action(rule))
            .collect()
    };
    let before: Vec<Outcome> = outcome::before(live).into_values().collect();
    let after: Vec<Outcome> = outcome::after(live, steps).into_values().collect();
    rules(&before).into_iter().for_each(|action| buckets.entry(action).or_default().0 += 1);
    rules(&after).into_iter().for_each(|action| buckets.entry(action).or_default().1 += 1);
    let changed = buckets.into_iter().filter(|(_, (before, after))| before != after);
    changed.map(|(action, (before, after))| Bucket { action, before, after }).collect()
}

/// The consequence of a rule.
fn action(rule: &Fields) -> Option<String> {
    rule.get("consequence")?.get("action").and_then(Value::as_str).map(str::to_owned)
}
