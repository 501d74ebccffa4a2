//! The Hub's groups.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Fixture, GROUPS, POLICIES};

#[tokio::test]
async fn groups_come_in_pages_with_absolute_addresses() {
    let names: Vec<String> = (0..23).map(|number| format!("team-{number}")).collect();
    let fixture = Fixture::with(|builder| builder.teams(names)).await;
    let mut seen = BTreeSet::new();
    let mut sizes = Vec::new();
    let mut next = Some(GROUPS.to_owned());
    while let Some(address) = next {
        let page = fixture.get(&address).await.expect(200).body;
        assert_eq!(page["count"], json!(25));
        let results = page["results"].as_array().unwrap();
        sizes.push(results.len());
        for group in results {
            seen.insert(group["uuid"].as_str().unwrap().to_owned());
            assert!(group["id"].is_u64() && group["name"].is_string(), "{group}");
        }
        next = page["next"].as_str().map(str::to_owned);
        assert!(next.iter().all(|next| next.starts_with(&fixture.emulator.base_url())), "{next:?}");
    }
    assert_eq!((sizes, seen.len()), (vec![10, 10, 5], 25));

    let page = fixture.get(&format!("{GROUPS}?page=2&page_size=20")).await.expect(200).body;
    let previous = page["previous"].as_str().unwrap();
    assert_eq!(page["next"], Value::Null);
    assert_eq!(
        fixture.get(previous).await.expect(200).body["results"].as_array().unwrap().len(),
        20
    );
    fixture.get(&format!("{GROUPS}?page=9")).await.expect(404);
    fixture.get(&format!("{GROUPS}?page=0")).await.expect(400);
    fixture.get("/orgs/no-such-org/groups").await.expect(404);
}

#[tokio::test]
async fn groups_are_found_by_member_and_by_part_of_the_name() {
    let fixture =
        Fixture::with(|builder| builder.member("research", "alice").member("R&D ops", "alice"))
            .await;
    let names = async |query: &str| -> Vec<String> {
        let body = fixture.get(&format!("{GROUPS}?{query}")).await.expect(200).body;
        let groups = body["results"].as_array().unwrap();
        let mut names: Vec<String> =
            groups.iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names("username=alice").await, ["R&D ops", "research"]);
    assert_eq!(names("username=bob").await, [""; 0]);
    assert_eq!(names("search=RESEA").await, ["research"]);
    assert_eq!(names("search=R%26D").await, ["R&D ops"]);
    // The filters stay on the next page.
    let body = fixture.get(&format!("{GROUPS}?search=r&page_size=1")).await.expect(200).body;
    let next = fixture.get(body["next"].as_str().unwrap()).await.expect(200).body;
    assert_eq!(next["count"], body["count"]);
}

#[tokio::test]
async fn groups_are_made_shown_and_deleted() {
    let fixture = Fixture::new().await;
    let made = fixture
        .post(GROUPS, json!({"name": "data", "description": "Data people"}))
        .await
        .expect(201)
        .body;
    assert_eq!((&made["name"], &made["description"]), (&json!("data"), &json!("Data people")));
    fixture.post(GROUPS, json!({"name": "data"})).await.expect(409);
    fixture.post(GROUPS, json!({})).await.expect(400);
    assert_eq!(fixture.get(&format!("{GROUPS}/data")).await.expect(200).body, made);
    let scope = json!({"teams": [made["uuid"]]});
    fixture.post(POLICIES, json!({"name": "p", "scope": scope})).await.expect(201);
    let deleted = fixture.send(Method::DELETE, &format!("{GROUPS}/data"), None).await.unwrap();
    assert_eq!(deleted.status, 204);
    fixture.get(&format!("{GROUPS}/data")).await.expect(404);
    fixture.send(Method::DELETE, &format!("{GROUPS}/data"), None).await.unwrap().expect(404);
    // The policy keeps the id, and the id is not accepted again.
    assert_eq!(fixture.emulator.policies()[0].scope.teams.as_ref().unwrap().len(), 1);
    fixture
        .post(POLICIES, json!({"name": "q", "scope": scope}))
        .await
        .refused(400, "invalid_argument");
}
