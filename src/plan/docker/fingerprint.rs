//! Live policies in a canonical form, which shows whether they changed between a plan and its
//! apply.
//!
//! Invariant: two equivalent answers of the service have the same fingerprint, in whatever order
//! they list rules, actions, resources and teams. Any other difference, ids included, changes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::hash;
use crate::model::{
    Cedar, LiveBody, LivePolicy, LiveRule, Policy, PolicyId, Resources, Rule, RuleId, Scope,
};
use crate::source::parallel;

use super::PolicyFields;
use super::json::RuleJson;

/// A policy with its ids, lists sorted.
#[derive(Serialize)]
struct Canonical<'a> {
    id: &'a str,
    name: &'a str,
    scope: CanonicalScope<'a>,
    body: CanonicalBody<'a>,
}

#[derive(Serialize)]
struct CanonicalScope<'a> {
    teams: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum CanonicalBody<'a> {
    Allowlist { rules: Vec<CanonicalRule<'a>> },
    Cedar { text: &'a str, schema_url: &'a str },
}

#[derive(Serialize)]
struct CanonicalRule<'a> {
    id: &'a str,
    rule: RuleJson,
}

impl<'a> From<&'a LivePolicy> for Canonical<'a> {
    fn from(LivePolicy { id, name, scope, body }: &'a LivePolicy) -> Self {
        let body = match body {
            LiveBody::Allowlist(rules) => {
                let mut rules: Vec<&LiveRule> = rules.iter().collect();
                rules.sort_by(|one, other| one.id.cmp(&other.id));
                let rule = |LiveRule { id, rule }: &'a LiveRule| CanonicalRule {
                    id: &id.0,
                    rule: (&sorted(rule)).into(),
                };
                CanonicalBody::Allowlist { rules: rules.into_iter().map(rule).collect() }
            }
            LiveBody::Cedar(cedar) => {
                CanonicalBody::Cedar { text: &cedar.text, schema_url: &cedar.schema_url }
            }
        };
        Self { id: &id.0, name, scope: CanonicalScope { teams: scope.teams() }, body }
    }
}

/// A live policy with its ids, lists sorted.
#[must_use]
pub fn canonical(policy: &LivePolicy) -> Value {
    serde_json::to_value(Canonical::from(policy)).expect("a policy is JSON")
}

/// Parses a canonical form; `None` if it is not one of a policy.
#[must_use]
pub fn read(value: &Value) -> Option<LivePolicy> {
    #[derive(Deserialize)]
    struct Policy {
        id: PolicyId,
        name: String,
        scope: Teams,
        body: Body,
    }
    #[derive(Deserialize)]
    struct Teams {
        teams: Vec<String>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        Allowlist { rules: Vec<OfRule> },
        Cedar { text: String, schema_url: String },
    }
    #[derive(Deserialize)]
    struct OfRule {
        id: RuleId,
        rule: RuleJson,
    }
    let Policy { id, name, scope, body } = Policy::deserialize(value).ok()?;
    let body = match body {
        Body::Allowlist { rules } => {
            let rule = |OfRule { id, rule }| LiveRule { id, rule: rule.into() };
            LiveBody::Allowlist(rules.into_iter().map(rule).collect())
        }
        Body::Cedar { text, schema_url } => LiveBody::Cedar(Cedar { text, schema_url }),
    };
    let policy = LivePolicy { id, name, scope: Scope::from_teams(scope.teams), body };
    (canonical(&policy) == *value).then_some(policy)
}

/// The policy with its lists in the order of its canonical form: rules by their ids, the lists of
/// each sorted.
#[must_use]
pub fn ordered(LivePolicy { id, name, scope, body }: &LivePolicy) -> LivePolicy {
    let body = match body {
        LiveBody::Allowlist(rules) => {
            let rule =
                |LiveRule { id, rule }: &LiveRule| LiveRule { id: id.clone(), rule: sorted(rule) };
            let mut rules: Vec<LiveRule> = rules.iter().map(rule).collect();
            rules.sort_by(|one, other| one.id.cmp(&other.id));
            LiveBody::Allowlist(rules)
        }
        LiveBody::Cedar(cedar) => LiveBody::Cedar(cedar.clone()),
    };
    LivePolicy { id: id.clone(), name: name.clone(), scope: scope.clone(), body }
}

fn text(policy: &LivePolicy) -> String {
    serde_json::to_string(&Canonical::from(policy)).expect("a policy is JSON")
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
        Resources::Plain(list) => Resources::Plain(set(list).into()),
        Resources::Http(list) => Resources::Http(set(list)),
    };
    Rule { name: name.clone(), decision: *decision, actions: set(actions), resources }
}

/// Returns `true` if both policies are equal, whatever the order of their lists.
#[must_use]
pub fn is_same_policy(one: &Policy, other: &Policy) -> bool {
    let rules = |policy: &Policy| {
        let mut rules: Vec<String> =
            policy.rules().iter().map(|rule| format!("{:?}", sorted(rule))).collect();
        rules.sort();
        rules
    };
    PolicyFields::new(one) == PolicyFields::new(other) && rules(one) == rules(other)
}

/// `sha256:` and the hash of one policy.
#[must_use]
pub fn hash_policy(policy: &LivePolicy) -> String {
    hash(&[&text(policy)])
}

/// `sha256:` and the hash of all policies of an organization.
#[must_use]
pub fn hash_live(org: &str, policies: &[LivePolicy]) -> String {
    let mut policies: Vec<&LivePolicy> = policies.iter().collect();
    policies.sort_by(|one, other| one.id.cmp(&other.id));
    let texts = parallel::map(policies, 8, text).join(",");
    hash(&["{\"org\":", &Value::from(org).to_string(), ",\"policies\":[", &texts, "]}"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json::hash_json;
    use crate::model::{Action, Decision, PolicyId, RuleId, Scope};

    /// Saved plans hold such hashes, so that their form is fixed.
    #[test]
    fn the_hash_is_of_one_json_text() {
        let rule = |id: &str, host: &str| LiveRule {
            id: RuleId(id.into()),
            rule: Rule {
                name: "a \"rule\"".into(),
                decision: Decision::Allow,
                actions: vec![Action::ConnectUdp, Action::ConnectTcp],
                resources: Resources::Plain(vec![host.into(), "a.example".into()].into()),
            },
        };
        let policy = |id: &str| LivePolicy {
            id: PolicyId(id.into()),
            name: "ü".into(),
            scope: Scope::from_teams(["team".to_owned()]),
            body: LiveBody::Allowlist(vec![rule("2", "z.example"), rule("1", "b.example")]),
        };
        let shown = |id: &str| {
            let rule = |id: &str, hosts: [&str; 2]| {
                json!({"id": id, "rule": {"name": "a \"rule\"", "actions": ["connect:tcp", "connect:udp"],
                       "resources": hosts, "decision": "allow"}})
            };
            let rules =
                [rule("1", ["a.example", "b.example"]), rule("2", ["a.example", "z.example"])];
            json!({"id": id, "name": "ü", "scope": {"teams": ["team"]}, "body": {"rules": rules}})
        };
        assert_eq!(canonical(&policy("p")), shown("p"));
        assert_eq!(read(&shown("p")).map(|read| canonical(&read)), Some(shown("p")));
        assert_eq!(
            read(
                &json!({"id": "p", "name": "p", "scope": {"teams": []}, "body": {"rules": [], "more": 1}})
            ),
            None
        );
        assert_eq!(hash_policy(&policy("p")), hash_json(&shown("p")));
        let all = json!({"org": "a\"b", "policies": [shown("p"), shown("q")]});
        assert_eq!(hash_live("a\"b", &[policy("q"), policy("p")]), hash_json(&all));
    }
}
