//! The operations on rules: what they do, and every way in which they refuse.

use std::time::Duration;

use seawall::emulator::docker::{DuplicateRuleNames, EmptyAllowlist, ListOrder, TooLarge};
use seawall::emulator::{Behaviour, Limits};
use serde_json::{Value, json};

use super::{Fixture, POLICIES, file_rule, http_rule, network_rule, policy, rule, rules};

/// `base` with the members of `with`; a null takes one away.
fn but(mut base: Value, with: Value) -> Value {
    for (key, value) in with.as_object().unwrap() {
        match value {
            Value::Null => drop(base.as_object_mut().unwrap().remove(key)),
            value => base[key] = value.clone(),
        }
    }
    base
}

#[tokio::test]
async fn rules_of_each_layer_are_made_and_give_the_policy_its_domain() {
    let fixture = Fixture::new().await;
    for (body, domain) in [
        (network_rule("r"), "network"),
        (http_rule("r"), "network"),
        (file_rule("r"), "filesystem"),
    ] {
        let id = fixture.policy(&format!("{domain} {}", body["actions"][0])).await;
        let made = fixture.post(&rules(&id), body.clone()).await.expect(201);
        let rule_id = made.id();
        assert!(rule_id.strip_prefix("rule_").is_some_and(|rest| rest.len() == 28), "{rule_id}");
        assert_eq!(made.body, but(body, json!({"id": rule_id})));
        let shown = fixture.get(&policy(&id)).await.expect(200).body;
        assert_eq!(shown["allowlist_v0"], json!({"domain": domain, "rules": [made.body]}));
    }
}

#[tokio::test]
async fn a_rule_is_refused() {
    let fixture = Fixture::new().await;
    let (id, http) = (fixture.policy("p").await, fixture.policy("h").await);
    let target = |with: Value| json!({"http_resources": [but(json!({"host": "a.example", "path": "/"}), with)]});
    for (base, with) in [
        // Each required field missing; empty; of a wrong type.
        (network_rule("r"), json!({"name": null})),
        (network_rule("r"), json!({"name": ""})),
        (network_rule("r"), json!({"actions": null})),
        (network_rule("r"), json!({"actions": []})),
        (network_rule("r"), json!({"actions": "connect:tcp"})),
        (network_rule("r"), json!({"decision": null})),
        (network_rule("r"), json!({"decision": "ask"})),
        // An action that the service does not have; two layers in a rule, of one domain and of two.
        (network_rule("r"), json!({"actions": ["connect:icmp"]})),
        (network_rule("r"), json!({"actions": ["connect:tcp", "request:get"]})),
        (network_rule("r"), json!({"actions": ["connect:tcp", "read"]})),
        // No resources, none in the list, both kinds, the other layer's kind.
        (network_rule("r"), json!({"resources": null})),
        (network_rule("r"), json!({"resources": []})),
        (network_rule("r"), json!({"resources": [""]})),
        (network_rule("r"), json!({"resources": [1]})),
        (network_rule("r"), json!({"http_resources": [{"host": "a.example", "path": "/"}]})),
        (http_rule("r"), json!({"http_resources": null, "resources": ["a.example"]})),
        (
            file_rule("r"),
            json!({"resources": null, "http_resources": [{"host": "a.example", "path": "/"}]}),
        ),
        (http_rule("r"), json!({"http_resources": []})),
        // HTTP targets: no host, no path, a path that is not absolute, ports outside the range.
        (http_rule("r"), target(json!({"host": null}))),
        (http_rule("r"), target(json!({"host": ""}))),
        (http_rule("r"), target(json!({"path": null}))),
        (http_rule("r"), target(json!({"path": "repos"}))),
        (http_rule("r"), target(json!({"port": 0}))),
        (http_rule("r"), target(json!({"port": 65_536}))),
        (http_rule("r"), target(json!({"port": "443"}))),
        (http_rule("r"), target(json!({"scheme": "https"}))),
        // A field that rules do not have.
        (network_rule("r"), json!({"description": "why"})),
    ] {
        let body = but(base.clone(), with);
        let to = if base == http_rule("r") { &http } else { &id };
        let answer = fixture.post(&rules(to), body.clone()).await;
        assert_eq!(answer.body["error"]["code"], json!("invalid_argument"), "{body}");
        answer.expect(400);
    }
    fixture.post(&rules("pol_none"), network_rule("r")).await.refused(404, "not_found");
    let rule_id = fixture.rule(&id, "r").await;
    fixture.post(&rules(&id), network_rule("r")).await.refused(409, "conflict");
    fixture.post(&rules(&id), file_rule("f")).await.refused(400, "invalid_argument");
    fixture.patch(&rule(&id, "rule_none"), json!({"name": "x"})).await.refused(404, "not_found");
    fixture.delete(&rule(&id, "rule_none")).await.refused(404, "not_found");
    // A rule is found in its own policy only.
    fixture.delete(&rule(&http, &rule_id)).await.refused(404, "not_found");
    // Layers of one domain live together in a policy.
    fixture.post(&rules(&id), http_rule("h")).await.expect(201);
    assert_eq!(fixture.emulator.policies()[1].rules().len(), 2);
}

#[tokio::test]
async fn an_update_is_laid_over_the_rule_and_judged_whole() {
    let fixture = Fixture::new().await;
    let id = fixture.policy("p").await;
    let (first, _other) = (fixture.rule(&id, "first").await, fixture.rule(&id, "other").await);
    let path = rule(&id, &first);
    let changed = fixture
        .patch(&path, json!({"resources": ["research.mitre.org"], "decision": "deny"}))
        .await
        .expect(200);
    assert_eq!(changed.body["old"], but(network_rule("first"), json!({"id": first})));
    let new = json!({"id": first, "resources": ["research.mitre.org"], "decision": "deny"});
    assert_eq!(changed.body["new"], but(network_rule("first"), new));

    let http = json!([{"host": "api.github.com", "path": "/**"}]);
    for (body, status) in [
        // To the HTTP layer: both halves of the change in one call, or none.
        (json!({"actions": ["request:get"]}), 400),
        (json!({"http_resources": http}), 400),
        (
            json!({"actions": ["request:get"], "http_resources": http, "resources": ["a.example"]}),
            400,
        ),
        (json!({"actions": ["request:get"], "http_resources": http}), 200),
        // And back.
        (json!({"resources": ["a.example"]}), 400),
        (json!({"actions": ["connect:udp"], "resources": ["a.example"]}), 200),
        // To another domain: not beside another rule.
        (json!({"actions": ["read"], "resources": ["/data"]}), 400),
        // Nothing at all.
        (json!({}), 200),
        (json!({"actions": []}), 400),
        (json!({"name": ""}), 400),
    ] {
        assert_eq!(fixture.patch(&path, body.clone()).await.status, status, "{body}");
    }
    fixture.patch(&path, json!({"name": "other"})).await.refused(409, "conflict");
}

#[tokio::test]
async fn the_only_rule_may_take_its_policy_to_another_domain() {
    let fixture = Fixture::new().await;
    let id = fixture.policy("p").await;
    let rule_id = fixture.rule(&id, "r").await;
    fixture
        .patch(&rule(&id, &rule_id), json!({"actions": ["read"], "resources": ["/data"]}))
        .await
        .expect(200);
    assert_eq!(fixture.get(&policy(&id)).await.body["allowlist_v0"]["domain"], json!("filesystem"));
    // A policy without rules has no domain either.
    fixture.delete(&rule(&id, &rule_id)).await.expect(200);
    fixture.post(&rules(&id), http_rule("h")).await.expect(201);
}

#[tokio::test]
async fn deleting_the_last_rule_keeps_the_policy() {
    for (empty_allowlist, shown) in
        [(EmptyAllowlist::Absent, Value::Null), (EmptyAllowlist::NoRules, json!({"rules": []}))]
    {
        let behaviour = Behaviour { empty_allowlist, ..Behaviour::default() };
        let fixture = Fixture::with(|builder| builder.behaviour(behaviour)).await;
        let id = fixture.policy("p").await;
        assert_eq!(
            fixture.get(&policy(&id)).await.body.get("allowlist_v0"),
            None,
            "one that never had a rule"
        );
        let rule_id = fixture.rule(&id, "r").await;
        let deleted = fixture.delete(&rule(&id, &rule_id)).await.expect(200).body;
        assert_eq!(deleted, json!({"deleted": but(network_rule("r"), json!({"id": rule_id}))}));
        assert_eq!(fixture.get(&policy(&id)).await.body["allowlist_v0"], shown);
        let summary = fixture.get(POLICIES).await.body["data"][0].clone();
        assert_eq!(summary["type"], json!("allowlist_v0"));
    }
}

#[tokio::test]
async fn a_cedar_policy_has_no_rules() {
    let fixture = Fixture::new().await;
    let cedar = json!({"text": "permit (principal, action, resource);", "schema_url": "https://example.com/schema"});
    let id =
        fixture.post(POLICIES, json!({"name": "mcp", "cedar_v1": cedar})).await.expect(201).id();
    fixture.post(&rules(&id), network_rule("r")).await.refused(400, "invalid_argument");
    fixture
        .patch(&rule(&id, "rule_none"), json!({"name": "x"}))
        .await
        .refused(400, "invalid_argument");
}

#[tokio::test]
async fn an_allowlist_has_250_rules() {
    let fixture = Fixture::new().await;
    let id = fixture.policy("p").await;
    for number in 0..250 {
        fixture.rule(&id, &format!("r{number}")).await;
    }
    fixture.post(&rules(&id), network_rule("one more")).await.refused(403, "limit_exceeded");
    let shown = fixture.get(&policy(&id)).await.body;
    let ids: Vec<&str> = shown["allowlist_v0"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert!(ids.len() == 250 && ids.is_sorted(), "{}", ids.len());
}

#[tokio::test]
async fn a_rule_that_makes_its_policy_too_large_is_refused() {
    for (too_large, status, code) in [
        (TooLarge::InvalidArgument, 400, "invalid_argument"),
        (TooLarge::LimitExceeded, 403, "limit_exceeded"),
    ] {
        let limits = Limits { policy_bytes: 1000, ..Limits::default() };
        let behaviour = Behaviour { too_large, ..Behaviour::default() };
        let fixture = Fixture::with(|builder| builder.limits(limits).behaviour(behaviour)).await;
        let id = fixture.policy("p").await;
        let rule_id = fixture.rule(&id, "r").await;
        let large = json!({"resources": ["x".repeat(1000)]});
        fixture.patch(&rule(&id, &rule_id), large.clone()).await.refused(status, code);
        fixture.post(&rules(&id), but(network_rule("s"), large)).await.refused(status, code);
        assert_eq!(fixture.emulator.policies()[0].rules().len(), 1);
    }
}

#[tokio::test]
async fn the_service_may_behave_otherwise() {
    let behaviour = Behaviour {
        duplicate_rule_names: DuplicateRuleNames::Accept,
        order: ListOrder::ByIdBackwards,
        rule_edits_keep_time: true,
        ..Behaviour::default()
    };
    let fixture = Fixture::with(|builder| builder.behaviour(behaviour)).await;
    let id = fixture.policy("p").await;
    let before = fixture.get(&policy(&id)).await.body["updated_at"].clone();
    fixture.emulator.advance(Duration::from_secs(5));
    for _ in 0..5 {
        fixture.rule(&id, "same").await;
    }
    let shown = fixture.get(&policy(&id)).await.body;
    assert_eq!(shown["updated_at"], before);
    let ids: Vec<&str> = shown["allowlist_v0"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert!(ids.len() == 5 && ids.is_sorted_by(|one, other| one > other), "{ids:?}");

    let bumping = Fixture::new().await;
    let id = bumping.policy("p").await;
    let before = bumping.get(&policy(&id)).await.body["updated_at"].clone();
    bumping.emulator.advance(Duration::from_secs(5));
    bumping.rule(&id, "r").await;
    assert_ne!(bumping.get(&policy(&id)).await.body["updated_at"], before);
}
