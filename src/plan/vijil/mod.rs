//! The Vijil side of a plan: the calls that bring policies for agents from live to desired, and
//! their order.
//!
//! ```text
//! Desired.vijil, LiveVijil ──diff──▶ calls with their stage ──▶ Plan {steps}
//! ```
//!
//! Invariants: pure and deterministic. No policy is active with a rule whose text nobody reviewed.
//! An approved rule is the one that was reviewed, even if the service keeps `approved` after an
//! edit. A policy that is active before and after stays active, unless the settings say otherwise.
//! Deactivations and deletions come last.

mod buckets;
pub mod change;
pub(super) mod coherence;
pub(super) mod dependencies;
pub mod diff;
pub mod guard;
mod outcome;
mod renames;
mod request;
pub mod weakening;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use buckets::Bucket;
pub use change::{Change, RuleTarget, Subject};
pub use diff::{Error, Input};
pub use request::request;
pub use weakening::{Weakened, Weaker};

use super::Touched;
use super::stale::difference;
use crate::model::{LiveVijil, LiveVijilPolicy, LiveVijilRule};

/// A difference of the Vijil side.
pub type Difference = super::step::Difference<Change>;

/// A step of the Vijil side.
pub type Step = super::step::Step<Change>;

/// The service that the Vijil side of a plan is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The base URL of the service, or `embedded`.
    pub endpoint: String,
}

/// The Vijil side of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The target of the calls.
    pub target: Target,
    /// The calls, in order; their ids and phases continue after those of the other side.
    pub steps: Vec<Step>,
    /// Undeclared live policies that are left alone.
    pub left_alone: Vec<String>,
    /// The effect of the plan on the rules in force.
    pub meaning: Meaning,
    /// The live state that the plan was made from.
    pub live: Record,
}

/// The effect of the Vijil side on the rules in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meaning {
    /// Policies and rules that become weaker, or may become weaker.
    pub weakened: Vec<Weakened>,
    /// The numbers of rules by consequence, if they change.
    pub buckets: Vec<Bucket>,
}

impl Meaning {
    /// The effect of steps on this live state.
    #[must_use]
    pub fn new(live: &LiveVijil, steps: &[Step]) -> Self {
        Self { weakened: weakening::find(live, steps), buckets: buckets::find(live, steps) }
    }
}

/// The live state that the Vijil side was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AgentRecord")]
pub struct Record {
    /// The fingerprint of all policies: `sha256:` and the hash.
    pub fingerprint: String,
    /// The policies that the plan touches, before it.
    pub touched: Vec<Touched>,
}

impl Record {
    pub(super) fn new(live: &LiveVijil, steps: &[Step]) -> Self {
        let all: Vec<Value> = live.policies.iter().map(canonical).collect();
        let touches = |policy: &&LiveVijilPolicy| {
            steps.iter().any(|step| step.change.policy().existing() == Some(&policy.id))
        };
        let touched = live.policies.iter().filter(touches).map(|policy| Touched {
            id: policy.id.clone(),
            fingerprint: fingerprint(&canonical(policy)),
            was: canonical(policy),
        });
        Self { fingerprint: fingerprint(&Value::Array(all)), touched: touched.collect() }
    }
}

/// A live policy with its rules and reviews, in a canonical form.
#[must_use]
pub fn canonical(policy: &LiveVijilPolicy) -> Value {
    let LiveVijilPolicy { id, name, status, fields, rules } = policy;
    let rules: Vec<Value> = rules
        .iter()
        .map(|rule| {
            // A plan depends on the decision of a review, not on who made it when; the report shows
            // these.
            let LiveVijilRule { id, rule_id, status, notes, reviewed_by: _, reviewed_at: _, fields, provenance: _ } =
                rule;
            json!({"id": id, "rule_id": rule_id, "status": status, "review_notes": notes, "fields": fields})
        })
        .collect();
    json!({"id": id, "name": name, "status": status, "fields": fields, "rules": rules})
}

/// `sha256:` and the hash of a canonical form.
#[must_use]
pub fn fingerprint(value: &Value) -> String {
    crate::json::hash_json(value)
}

/// The changes since the plan was made, by policy with a unified diff; empty for a plan that may be
/// applied.
#[must_use]
pub fn stale(plan: &Plan, live: &LiveVijil) -> Vec<super::stale::Stale> {
    use super::stale::Stale;
    let mut stale = Vec::new();
    for was in &plan.live.touched {
        let step = plan.steps.iter().find(|step| step.change.policy().existing() == Some(&was.id));
        let policy = step.map_or_else(|| was.id.clone(), |step| step.policy.clone());
        match live.policies.iter().find(|policy| policy.id == was.id) {
            None => stale.push(Stale::Gone { policy }),
            Some(found) if fingerprint(&canonical(found)) == was.fingerprint => {}
            Some(found) => {
                let pretty =
                    |value: &Value| serde_json::to_string_pretty(value).expect("a policy is JSON");
                let (old, new) = (pretty(&was.was), pretty(&canonical(found)));
                stale.push(Stale::Moved { policy, difference: difference(&old, &new) });
            }
        }
    }
    // The source of a rule is shown to reviewers, and no edit of the rule changes it.
    for step in &plan.steps {
        let Some(target) = step.change.rule_target() else { continue };
        let rules = live.policies.iter().flat_map(|policy| &policy.rules);
        let mut own = rules.filter(|rule| target.rule.existing() == Some(&rule.id));
        if let Some(rule) =
            own.find(|rule| rule.provenance.is_some() && rule.provenance != target.provenance)
        {
            let origin =
                |value: &Option<Value>| format!("{:#}\n", value.clone().unwrap_or_default());
            let difference = difference(&origin(&target.provenance), &origin(&rule.provenance));
            stale.push(Stale::Moved { policy: step.policy.clone(), difference });
        }
    }
    for step in plan.steps.iter().filter(|step| step.change.rule().is_none()) {
        let appeared = Stale::Appeared { policy: step.policy.clone() };
        if step.change.policy().existing().is_none()
            && live.policies.iter().any(|policy| policy.name == step.policy)
            && !stale.contains(&appeared)
        {
            stale.push(appeared);
        }
    }
    let now = weakening::find(live, &plan.steps);
    if stale.is_empty() && now != plan.meaning.weakened {
        let pretty =
            |weakened| serde_json::to_string_pretty(weakened).expect("what weakens is JSON");
        let (old, new) = (pretty(&plan.meaning.weakened), pretty(&now));
        stale.push(Stale::OtherAccess { difference: difference(&old, &new) });
    }
    stale
}
