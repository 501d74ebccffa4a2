//! The operations on policies: what they do, and every way in which they refuse.

use std::collections::BTreeSet;

use seawall::emulator::docker::{EmptyScope, ListOrder, NameMatching, UnknownFields};
use seawall::emulator::{Behaviour, Limits};
use serde_json::{Value, json};

use super::{Fixture, POLICIES, manual, policy};

const CEDAR: &str = r#"permit (principal, action == MCP::Action::"invokeTool", resource);"#;
const SCHEMA: &str = "https://schemas.docker.com/policy/cedar/v1/mcp/v0";

fn cedar(text: &str) -> Value {
    json!({"text": text, "schema_url": SCHEMA})
}

#[tokio::test]
async fn a_policy_is_made_shown_changed_and_deleted() {
    let fixture = Fixture::with(|builder| builder.clock(manual("2026-04-22T00:00:00.9Z"))).await;
    let teams: Vec<String> =
        fixture.emulator.state().orgs["my-org"].teams.keys().cloned().collect();
    let made = fixture
        .post(POLICIES, json!({"name": "one", "scope": {"teams": teams}}))
        .await
        .expect(201)
        .body;
    let id = made["id"].as_str().unwrap();
    assert!(id.strip_prefix("pol_").is_some_and(|rest| rest.len() == 28), "{id}");
    let expected = json!({
        "id": id, "name": "one", "org": "my-org", "scope": {"teams": teams},
        "created_at": "2026-04-22T00:00:00Z", "updated_at": "2026-04-22T00:00:00Z",
    });
    assert_eq!(made, expected);
    assert_eq!(fixture.get(&policy(id)).await.expect(200).body, made);

    fixture.emulator.advance(std::time::Duration::from_secs(60));
    let changed = fixture
        .patch(&policy(id), json!({"name": "two", "scope": {"teams": []}}))
        .await
        .expect(200)
        .body;
    assert_eq!(changed["old"], made);
    assert_eq!((&changed["new"]["name"], &changed["new"]["scope"]), (&json!("two"), &json!({})));
    assert_eq!(changed["new"]["created_at"], json!("2026-04-22T00:00:00Z"));
    assert_eq!(changed["new"]["updated_at"], json!("2026-04-22T00:01:00Z"));

    fixture.emulator.advance(std::time::Duration::from_secs(60));
    assert_eq!(
        fixture.delete(&policy(id)).await.expect(200).body,
        json!({"deleted": changed["new"]})
    );
    fixture.get(&policy(id)).await.refused(404, "not_found");
    fixture.patch(&policy(id), json!({"name": "x"})).await.refused(404, "not_found");
    fixture.delete(&policy(id)).await.refused(404, "not_found");
    // The name is free again, and the id is a new one.
    assert_ne!(fixture.policy("two").await, id);
}

#[tokio::test]
async fn an_update_changes_what_it_names_only() {
    let fixture = Fixture::new().await;
    let team = fixture.emulator.state().orgs["my-org"].teams.keys().next().unwrap().clone();
    let scope = json!({"teams": [team]});
    let made = fixture
        .post(POLICIES, json!({"name": "one", "scope": scope, "cedar_v1": cedar(CEDAR)}))
        .await
        .expect(201);
    let path = policy(&made.id());
    for (body, name, shown, text) in [
        // The name alone, the scope alone, a scope that says nothing of teams, the text alone.
        (json!({"name": "two"}), "two", scope.clone(), CEDAR),
        (json!({"scope": {}}), "two", scope.clone(), CEDAR),
        (json!({"scope": {"teams": []}}), "two", json!({}), CEDAR),
        (
            json!({"cedar_v1": cedar("forbid (principal, action, resource);")}),
            "two",
            json!({}),
            "forbid (principal, action, resource);",
        ),
        // Its own name is not a conflict.
        (json!({"name": "two"}), "two", json!({}), "forbid (principal, action, resource);"),
    ] {
        let new = fixture.patch(&path, body.clone()).await.expect(200).body["new"].clone();
        assert_eq!(
            (&new["name"], &new["scope"], &new["cedar_v1"]["text"]),
            (&json!(name), &shown, &json!(text)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_policy_is_refused() {
    let fixture = Fixture::new().await;
    let id = fixture.policy("allowlist").await;
    let mcp = fixture
        .post(POLICIES, json!({"name": "mcp", "cedar_v1": cedar(CEDAR)}))
        .await
        .expect(201)
        .id();
    for body in [
        // No name, an empty one, one that is not text.
        json!({}),
        json!({"name": ""}),
        json!({"name": null}),
        json!({"name": 7}),
        // Not an object.
        json!([]),
        // A team that the organization has not; its name in place of its id.
        json!({"name": "x", "scope": {"teams": ["d290f1ee-6c54-4b01-90e6-d701748f0851"]}}),
        json!({"name": "x", "scope": {"teams": ["research"]}}),
        json!({"name": "x", "scope": {"teams": "research"}}),
        json!({"name": "x", "scope": []}),
        // Rules cannot be sent with a policy.
        json!({"name": "x", "rules": []}),
        json!({"name": "x", "scope": {"team": []}}),
        // Cedar that does not parse, holds nothing, says an id, is a template, lacks its schema.
        json!({"name": "x", "cedar_v1": cedar("permit (principal")}),
        json!({"name": "x", "cedar_v1": cedar("// nothing")}),
        json!({"name": "x", "cedar_v1": cedar(&format!("@id(\"a\") {CEDAR}"))}),
        json!({"name": "x", "cedar_v1": cedar("permit (principal == ?principal, action, resource);")}),
        json!({"name": "x", "cedar_v1": {"text": CEDAR}}),
        json!({"name": "x", "cedar_v1": CEDAR}),
    ] {
        let answer = fixture.post(POLICIES, body.clone()).await;
        assert_eq!(answer.body["error"]["code"], json!("invalid_argument"), "{body}");
        answer.expect(400);
    }
    for body in [
        json!({}),
        json!({"name": ""}),
        json!({"scope": {"teams": ["nobody"]}}),
        json!({"allowlist_v0": {"rules": []}}),
        // An allowlist does not become Cedar.
        json!({"cedar_v1": cedar(CEDAR)}),
    ] {
        fixture.patch(&policy(&id), body).await.refused(400, "invalid_argument");
    }
    fixture
        .patch(&policy(&mcp), json!({"cedar_v1": cedar("permit")}))
        .await
        .refused(400, "invalid_argument");
    fixture.post(POLICIES, json!({"name": "mcp"})).await.refused(409, "conflict");
    fixture.patch(&policy(&id), json!({"name": "mcp"})).await.refused(409, "conflict");
    let names: Vec<String> =
        fixture.emulator.policies().into_iter().map(|policy| policy.name).collect();
    assert_eq!(names, ["allowlist", "mcp"], "a refused call has no effect");
}

#[tokio::test]
async fn policies_come_in_pages_in_an_order_of_their_own() {
    let fixture = Fixture::new().await;
    let mut made = Vec::new();
    for number in 0..7 {
        made.push(fixture.policy(&format!("p{number}")).await);
    }
    let all = fixture.get(POLICIES).await.expect(200).body;
    assert_eq!(all["next_page_token"], Value::Null);
    let ids = |page: &Value| -> Vec<String> {
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| policy["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_ne!(ids(&all), made, "the order of creation is not an order of the service");

    let (mut seen, mut sizes, mut query) = (Vec::new(), Vec::new(), "page_size=3".to_owned());
    loop {
        let page = fixture.get(&format!("{POLICIES}?{query}")).await.expect(200).body;
        sizes.push(ids(&page).len());
        seen.extend(ids(&page));
        // A policy on a page that was read goes: no other is skipped.
        if sizes.len() == 1 {
            fixture.delete(&policy(&seen[2])).await.expect(200);
        }
        let Some(token) = page["next_page_token"].as_str() else { break };
        query = format!("page_size=3&page_token={token}");
    }
    assert_eq!((sizes, &seen), (vec![3, 3, 1], &ids(&all)));

    // A page that ends with the last policy is the last page.
    assert_eq!(
        fixture.get(&format!("{POLICIES}?page_size=6")).await.expect(200).body["next_page_token"],
        Value::Null
    );
    for (query, size) in [
        ("page_size=0", 6),
        ("page_size=1000", 6),
        ("page_size=99999999999", 6),
        ("page_token=", 6),
    ] {
        assert_eq!(
            ids(&fixture.get(&format!("{POLICIES}?{query}")).await.expect(200).body).len(),
            size,
            "{query}"
        );
    }
    for query in ["page_size=-1", "page_size=ten", "page_token=*", "page_token=cG9s"] {
        fixture.get(&format!("{POLICIES}?{query}")).await.refused(400, "invalid_argument");
    }
}

#[tokio::test]
async fn a_page_holds_a_hundred_policies_at_most() {
    let limits = Limits { policies: 103, ..Limits::default() };
    let fixture = Fixture::with(|builder| builder.limits(limits)).await;
    for number in 0..103 {
        fixture.policy(&format!("p{number}")).await;
    }
    for query in ["", "?page_size=0", "?page_size=500"] {
        let page = fixture.get(&format!("{POLICIES}{query}")).await.expect(200).body;
        assert_eq!(page["data"].as_array().unwrap().len(), 100, "{query}");
        let rest = format!("{POLICIES}?page_token={}", page["next_page_token"].as_str().unwrap());
        assert_eq!(fixture.get(&rest).await.expect(200).body["data"].as_array().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn an_organization_has_a_hundred_policies_of_all_types() {
    let fixture = Fixture::new().await;
    for number in 0..99 {
        fixture.policy(&format!("p{number}")).await;
    }
    fixture.post(POLICIES, json!({"name": "mcp", "cedar_v1": cedar(CEDAR)})).await.expect(201);
    fixture.post(POLICIES, json!({"name": "one more"})).await.refused(403, "limit_exceeded");
    // A name in use is said before the limit.
    fixture.post(POLICIES, json!({"name": "p0"})).await.refused(409, "conflict");
    let types: BTreeSet<String> = fixture.get(POLICIES).await.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| policy["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types.into_iter().collect::<Vec<_>>(), ["allowlist_v0", "cedar_v1"]);
}

#[tokio::test]
async fn a_policy_has_400_kilobytes() {
    let fixture = Fixture::new().await;
    let text = |padding: usize| cedar(&format!("// {}\n{CEDAR}", "x".repeat(padding)));
    fixture.post(POLICIES, json!({"name": "fits", "cedar_v1": text(409_000)})).await.expect(201);
    fixture
        .post(POLICIES, json!({"name": "large", "cedar_v1": text(409_600)}))
        .await
        .refused(400, "invalid_argument");
}

#[tokio::test]
async fn the_service_may_behave_otherwise() {
    let behaviour = Behaviour {
        empty_scope: EmptyScope::NoTeams,
        order: ListOrder::ByIdBackwards,
        names: NameMatching::IgnoringCase,
        unknown_fields: UnknownFields::Ignore,
        ..Behaviour::default()
    };
    let fixture = Fixture::with(|builder| builder.behaviour(behaviour)).await;
    let made = fixture.post(POLICIES, json!({"name": "One", "note": "ignored"})).await.expect(201);
    assert_eq!(made.body["scope"], json!({"teams": []}));
    fixture.post(POLICIES, json!({"name": "ONE"})).await.refused(409, "conflict");
    fixture.policy("two").await;
    fixture.policy("three").await;
    let first = fixture.get(&format!("{POLICIES}?page_size=2")).await.body;
    let token = first["next_page_token"].as_str().unwrap();
    let second = fixture.get(&format!("{POLICIES}?page_size=2&page_token={token}")).await.body;
    let ids: Vec<&str> = [&first, &second]
        .into_iter()
        .flat_map(|page| page["data"].as_array().unwrap())
        .map(|policy| policy["id"].as_str().unwrap())
        .collect();
    assert!(ids.len() == 3 && ids.is_sorted_by(|one, other| one > other), "{ids:?}");
}
