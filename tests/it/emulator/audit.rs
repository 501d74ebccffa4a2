//! The audit log of the emulator.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Fixture, manual, stored};

const LOG: &str = "/auditlogs/governance/my-org";

fn record(id: usize, time: &str, user: &str) -> Value {
    json!({"audit_event_id": format!("id-{id}"), "timestamp": time, "category": "AUDIT_CATEGORY_EVALUATION",
        "decision": "AUDIT_DECISION_ALLOW", "action_type": "network_egress", "username": user, "agent": "claude",
        "resource_id": "Files.example.org:443", "network_egress": {"protocol": "tcp"}})
}

async fn fixture(records: Vec<Value>) -> Fixture {
    let clock = manual("2026-11-28T12:00:00Z");
    let build = |builder: seawall::emulator::Builder| {
        builder.records(records).audit_token("dckr_oat_1").clock(clock).unlimited_audit()
    };
    let mut fixture = Fixture::with(build).await;
    fixture.token = "dckr_oat_1".to_owned();
    fixture
}

async fn get(fixture: &Fixture, query: &str) -> (u16, Value) {
    let answer = fixture.send(Method::GET, &format!("{LOG}{query}"), None).await.unwrap();
    (answer.status, answer.body)
}

fn ids(body: &Value) -> Vec<&str> {
    body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["audit_event_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn records_come_newest_first_in_pages_that_end_with_an_empty_token() {
    let records = (0..130)
        .map(|id| record(id, &format!("2026-11-2{}T00:00:{:02}.5Z", id / 60, id % 60), "ana"))
        .collect();
    let fixture = fixture(records).await;
    let (status, body) = get(&fixture, "").await;
    assert_eq!((status, ids(&body).len(), ids(&body)[0]), (200, 25, "id-129"));
    let event = &body["events"][0];
    assert_eq!(event["created_at"], "2026-11-22T00:00:09.5Z");
    assert_eq!(event["event_type"], "docker.marlin.audit.event.v1.AuditRecord");
    assert_eq!((&event["payload"]["agent"], &event["username"]), (&json!("claude"), &json!("ana")));
    assert!(event["payload"].get("username").is_none() && event.get("timestamp").is_none());
    let range = "from=2026-11-20T00:00:00Z&to=2026-11-28T00:00:00Z";
    let (_, first) = get(&fixture, &format!("?{range}&page_size=1000")).await;
    assert_eq!(ids(&first).len(), 100);
    let token = first["next_page_token"].as_str().unwrap().to_owned();
    for query in [
        format!("?page_token={token}&page_size=100"),
        format!("?{range}&page_token={token}&page_size=100"),
    ] {
        let (_, last) = get(&fixture, &query).await;
        assert_eq!((ids(&last).len(), &last["next_page_token"]), (30, &json!("")), "{query}");
    }
}

#[tokio::test]
async fn a_request_covers_thirty_days_and_says_what_it_wants() {
    let records = vec![
        record(1, "2026-11-27T00:00:00Z", "ana"),
        record(2, "2026-11-27T00:00:00Z", "bob"),
        record(3, "2026-10-29T12:00:00Z", "ana"), // thirty days before now
        record(4, "2026-10-29T11:59:59Z", "ana"),
    ];
    let fixture = fixture(records).await;
    for (query, found) in [
        ("", &["id-1", "id-2", "id-3"][..]),
        ("?to=2026-10-30T00:00:00Z", &["id-3", "id-4"]),
        ("?from=2026-11-27T00:00:00Z&to=2026-11-27T00:00:00Z", &["id-1", "id-2"]), // both ends belong to it
        ("?username=bob", &["id-2"]),
        ("?decision=AUDIT_DECISION_DENY", &[]),
        ("?resource_id=files.EXAMPLE&username=ana", &["id-1", "id-3"]),
        ("?agent=claude&action_type=network_egress&query=BOB", &["id-2"]),
        ("?page_size=0", &["id-1", "id-2", "id-3"]),
    ] {
        let (status, body) = get(&fixture, query).await;
        assert_eq!((status, ids(&body).as_slice()), (200, found), "{query}");
    }
    for query in [
        "?from=2026-10-01T00:00:00Z",
        "?from=2026-11-28T00:00:00Z&to=2026-11-27T00:00:00Z",
        "?from=yesterday",
        "?page_size=x",
        "?query=ab",
        "?page_token=x",
    ] {
        let (status, body) = get(&fixture, query).await;
        assert!(status == 400 && body["error"].is_string(), "{query}: {body}");
    }
}

#[tokio::test]
async fn only_a_raw_token_of_the_organization_reads_it() {
    let mut fixture = fixture(vec![record(1, "2026-11-27T00:00:00Z", "ana")]).await;
    for (token, status) in [("dckr_oat_1", 200), ("pat", 401), ("", 401)] {
        fixture.token = token.to_owned();
        assert_eq!(get(&fixture, "").await.0, status, "{token}");
    }
    fixture.log_in("owner", "pat").await; // a token from an exchange
    assert_eq!(get(&fixture, "").await.0, 401);
    fixture.token = "dckr_oat_1".to_owned();
    let other = fixture.send(Method::GET, "/auditlogs/governance/other", None).await.unwrap();
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn more_than_five_requests_in_a_second_are_too_many() {
    let clock = manual("2026-11-28T12:00:00Z");
    let mut fixture = Fixture::with(|builder| builder.audit_token("t").clock(clock)).await;
    fixture.token = "t".to_owned();
    for _ in 0..5 {
        assert_eq!(get(&fixture, "").await.0, 200);
    }
    let answer = fixture.send(Method::GET, LOG, None).await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert_eq!(answer.body["retry_after_seconds"], 1);
    fixture.emulator.advance(std::time::Duration::from_secs(1));
    assert_eq!(get(&fixture, "").await.0, 200);
}

#[tokio::test]
async fn what_the_emulator_decided_is_recorded_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut fixture =
        Fixture::with(|builder| stored(builder, &path).audit_token("t").unlimited_audit()).await;
    let id = fixture.policy("P").await;
    fixture.rule(&id, "r").await;
    fixture.post(super::POLICIES, json!({"name": "P"})).await.refused(409, "conflict"); // changed nothing
    fixture.token = "t".to_owned();
    let (_, body) = get(&fixture, "").await;
    let seen: Vec<&Value> = body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["payload"]["policy_action"])
        .collect();
    assert_eq!(seen.len(), 2, "{body}");
    assert!(
        seen.contains(&&json!({"operation": "createRule"}))
            && body["events"][0]["category"] == "AUDIT_CATEGORY_MANAGEMENT"
    );
    fixture.emulator.stop().await;
    let mut again = Fixture::with(|builder| stored(builder, &path).audit_token("t")).await;
    again.token = "t".to_owned();
    assert_eq!(get(&again, "").await.1, body);
}
