//! Live policies in a canonical form, to tell whether they moved between a plan and its apply.
//!
//! Invariant: two answers of the service that mean the same have the same fingerprint, whatever order it chose for
//! rules, actions, resources or teams; anything else, ids included, changes it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::model::{LiveBody, LivePolicy, LiveRule, Resources, Rule};

use super::shown;

/// A live policy with its ids, lists sorted.
#[must_use]
pub fn canonical(policy: &LivePolicy) -> Value {
    let LivePolicy { id, name, scope, body } = policy;
    let body = match body {
        LiveBody::Allowlist(rules) => {
            let mut rules: Vec<&LiveRule> = rules.iter().collect();
            rules.sort_by(|one, other| one.id.cmp(&other.id));
            json!({"rules": rules.into_iter().map(canonical_rule).collect::<Vec<_>>()})
        }
        LiveBody::Cedar(cedar) => json!({"text": cedar.text, "schema_url": cedar.schema_url}),
    };
    json!({"id": id.0, "name": name, "scope": {"teams": scope.teams()}, "body": body})
}

fn canonical_rule(live: &LiveRule) -> Value {
    let LiveRule { id, rule } = live;
    json!({"id": id.0, "rule": shown::rule(&sorted(rule))})
}

/// The rule with its lists sorted and without repetitions.
#[must_use]
pub fn sorted(rule: &Rule) -> Rule {
    fn set<T: Ord + Clone>(list: &[T]) -> Vec<T> {
        let mut list = list.to_vec();
        list.sort();
        list.dedup();
        list
    }
    let Rule { name, decision, actions, resources } = rule;
    let resources = match resources {
        Resources::Plain(list) => Resources::Plain(set(list)),
        Resources::Http(list) => Resources::Http(set(list)),
    };
    Rule { name: name.clone(), decision: *decision, actions: set(actions), resources }
}

/// `sha256:` and the hash of one policy.
#[must_use]
pub fn of_policy(policy: &LivePolicy) -> String {
    of(&canonical(policy))
}

/// `sha256:` and the hash of all policies of an organization.
#[must_use]
pub fn of_live(org: &str, policies: &[LivePolicy]) -> String {
    let mut policies: Vec<&LivePolicy> = policies.iter().collect();
    policies.sort_by(|one, other| one.id.cmp(&other.id));
    of(&json!({"org": org, "policies": policies.into_iter().map(canonical).collect::<Vec<_>>()}))
}

/// `sha256:` and the hash of a value as compact JSON.
#[must_use]
pub fn of(value: &Value) -> String {
    let hash = Sha256::digest(value.to_string());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
