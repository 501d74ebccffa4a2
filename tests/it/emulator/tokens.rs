//! Logging in, and who may do what.

use std::time::Duration;

use base64::Engine as _;
use reqwest::Method;
use seawall::emulator::Role;
use serde_json::{Value, json};

use super::{Fixture, GROUPS, POLICIES, manual, network_rule, policy, rule, rules};

#[tokio::test]
async fn a_login_gives_a_token_that_says_when_it_ends() {
    let fixture = Fixture::with(|builder| builder.clock(manual("2026-04-22T00:00:00Z"))).await;
    let payload = fixture.token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    fixture.emulator.advance(Duration::from_secs(599));
    fixture.get(POLICIES).await.expect(200);
    fixture.emulator.advance(Duration::from_secs(1));
    fixture.get(POLICIES).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_login_is_refused_as_the_hub_refuses() {
    let fixture = Fixture::new().await;
    for (body, status) in [
        // A wrong secret, and somebody unknown.
        (json!({"identifier": "owner", "secret": "guess"}), 401),
        (json!({"identifier": "nobody", "secret": "pat"}), 401),
        // Fields that are missing, empty, of a wrong type, or those of the older endpoint.
        (json!({"identifier": "owner"}), 400),
        (json!({"identifier": "", "secret": "pat"}), 400),
        (json!({"identifier": "owner", "secret": 1}), 400),
        (json!({"username": "owner", "password": "pat"}), 400),
        (json!([]), 400),
    ] {
        let answer = fixture.send(Method::POST, "/auth/token", Some(body.clone())).await.unwrap();
        assert_eq!(answer.status, status, "{body}");
        assert!(
            answer.body["message"].is_string() && answer.body.get("error").is_none(),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn without_a_good_token_nothing_else_is_looked_at() {
    let mut fixture = Fixture::new().await;
    let good = fixture.token.clone();
    let foreign = Fixture::new().await.token;
    let (head, tail) = good.rsplit_once('.').unwrap();
    // Another signature, whatever it is.
    let other = if tail.starts_with('a') { "b" } else { "a" };
    let forged = format!("{head}.{other}{}", &tail[1..]);
    for token in [String::new(), "pat".to_owned(), foreign, forged, head.to_owned()] {
        fixture.token = token;
        let (id, nothing) = (policy("pol_none"), json!("not even an object"));
        fixture.get(POLICIES).await.refused(401, "unauthenticated");
        fixture.get("/orgs/no-such-org/governance/policies").await.refused(401, "unauthenticated");
        fixture.get(&id).await.refused(401, "unauthenticated");
        fixture.post(POLICIES, nothing.clone()).await.refused(401, "unauthenticated");
        fixture.patch(&id, nothing.clone()).await.refused(401, "unauthenticated");
        fixture.delete(&id).await.refused(401, "unauthenticated");
        fixture.post(&rules("pol_none"), nothing.clone()).await.refused(401, "unauthenticated");
        fixture
            .patch(&rule("pol_none", "rule_none"), nothing.clone())
            .await
            .refused(401, "unauthenticated");
        fixture.delete(&rule("pol_none", "rule_none")).await.refused(401, "unauthenticated");
        let groups = fixture.get(GROUPS).await.expect(401);
        assert!(groups.body["message"].is_string(), "{}", groups.body);
    }
    fixture.token = good;
    fixture.get(POLICIES).await.expect(200);
    fixture.emulator.expire_tokens();
    fixture.get(POLICIES).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn an_organization_is_hidden_from_outsiders_and_closed_to_members() {
    let mut fixture = Fixture::with(|builder| {
        builder.account_as("member", "m", Role::Member).account_as("outsider", "o", Role::Outsider)
    })
    .await;
    let id = fixture.policy("one").await;
    fixture.get("/orgs/no-such-org/governance/policies").await.refused(404, "not_found");

    fixture.log_in("member", "m").await;
    fixture.get(POLICIES).await.refused(403, "permission_denied");
    fixture.delete(&policy(&id)).await.refused(403, "permission_denied");
    fixture.get(GROUPS).await.expect(200);

    fixture.log_in("outsider", "o").await;
    fixture.get(POLICIES).await.refused(404, "not_found");
    fixture.post(&rules(&id), network_rule("r")).await.refused(404, "not_found");
    fixture.get(GROUPS).await.expect(404);
    assert_eq!(fixture.emulator.policies().len(), 1);
}

#[tokio::test]
async fn an_organization_without_the_subscription_is_denied() {
    let fixture = Fixture::with(|builder| builder.not_entitled()).await;
    fixture.get(POLICIES).await.refused(403, "permission_denied");
}
