//! Each fault is seen to do what it says, at the call that it says, and at no other.

use std::time::{Duration, Instant};

use reqwest::Method;
use seawall::emulator::{
    Answer, Calls, DockerOperation, Edit, Fault, FaultKind, Form, Operation, Wait, WaitForm,
};
use serde_json::json;

use super::{Fixture, GROUPS, POLICIES, manual, network_rule, policy, rules};

impl Fixture {
    async fn create(&self, name: &str) -> Result<super::Answer, reqwest::Error> {
        self.send(Method::POST, POLICIES, Some(json!({"name": name}))).await
    }

    fn names(&self) -> Vec<String> {
        self.emulator.policies().into_iter().map(|policy| policy.name).collect()
    }
}

#[tokio::test]
async fn refusals_have_every_form_and_no_effect_or_the_whole() {
    let fixture = Fixture::new().await;
    for (form, content_type) in [
        (Form::Governance, Some("application/json")),
        (Form::Hub, Some("application/json")),
        (Form::Text, Some("text/plain")),
        (Form::Html, Some("text/html")),
        (Form::Empty, None),
    ] {
        let answer = Answer { status: 503, code: "internal".to_owned(), form };
        fixture.emulator.arm(Fault::new(FaultKind::Refuse(answer)).on(Calls::Writes).nth(1));
        let refused = fixture.create("p").await.unwrap();
        assert_eq!(
            (refused.status, refused.header("content-type")),
            (503, content_type),
            "{form:?}"
        );
        match form {
            Form::Governance => assert_eq!(refused.body["error"]["code"], json!("internal")),
            Form::Hub => assert_eq!(refused.body["errinfo"], json!(null)),
            Form::Detail => assert!(refused.body["detail"].is_string()),
            Form::Text | Form::Html | Form::Empty => assert!(refused.body.is_null()),
        }
    }
    assert_eq!(fixture.names(), [""; 0]);
    fixture
        .emulator
        .arm(Fault::new(FaultKind::RefuseAfter(Answer::status(500))).on(Calls::Writes).nth(1));
    assert_eq!(fixture.create("p").await.unwrap().status, 500);
    assert_eq!(fixture.names(), ["p"]);
}

#[tokio::test]
async fn lost_and_cut_answers_break_the_connection() {
    let fixture = Fixture::new().await;
    let at = |kind| {
        Fault::new(kind)
            .on(Calls::Operation(Operation::Docker(DockerOperation::CreatePolicy)))
            .nth(1)
    };
    fixture.emulator.arm(at(FaultKind::LoseBefore));
    let error = fixture.create("before").await.err().unwrap();
    assert!(error.is_request() && error.status().is_none(), "no head arrives: {error:?}");
    assert_eq!(fixture.names(), [""; 0]);

    fixture.emulator.arm(at(FaultKind::LoseAfter));
    let error = fixture.create("after").await.err().unwrap();
    assert!(error.is_request(), "no head arrives: {error:?}");
    assert_eq!(fixture.names(), ["after"]);

    fixture.emulator.arm(at(FaultKind::Cut));
    let url = format!("{}{POLICIES}", fixture.emulator.base_url());
    let request = fixture.http.post(url).bearer_auth(&fixture.token).json(&json!({"name": "cut"}));
    let mut response = request.send().await.expect("the head of a cut answer arrives");
    assert_eq!(response.status(), 201);
    let (announced, mut arrived) = (response.content_length().unwrap(), 0);
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => arrived += chunk.len() as u64,
            other => break other,
        }
    };
    assert!(
        end.is_err() && arrived == announced / 2,
        "{arrived} of {announced} arrived, then {end:?}"
    );
    assert_eq!(fixture.names(), ["after", "cut"]);
    // The next call finds a healthy service.
    assert_eq!(fixture.create("next").await.unwrap().status, 201);
    let statuses: Vec<Option<u16>> =
        fixture.emulator.writes().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [None, None, Some(201), Some(201)]);
}

#[tokio::test]
async fn reads_and_logins_are_cut_and_lost_too() {
    let fixture = Fixture::new().await;
    for name in ["a", "b", "c"] {
        fixture.policy(name).await;
    }
    let login = json!({"identifier": "owner", "secret": "pat"});
    for kind in [FaultKind::Cut, FaultKind::LoseBefore, FaultKind::LoseAfter] {
        fixture.emulator.arm(Fault::new(kind).nth(1).times(3));
        assert!(fixture.send(Method::GET, POLICIES, None).await.is_err());
        assert!(fixture.send(Method::GET, GROUPS, None).await.is_err());
        assert!(fixture.send(Method::POST, "/auth/token", Some(login.clone())).await.is_err());
        fixture.get(POLICIES).await.expect(200);
    }
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back_in_every_way() {
    let fixture = Fixture::with(|builder| builder.clock(manual("2026-04-22T00:00:00Z"))).await;
    for (form, header, value) in [
        (WaitForm::Seconds, "retry-after", Some("30")),
        (WaitForm::Date, "retry-after", Some("Wed, 22 Apr 2026 00:00:30 GMT")),
        (WaitForm::Unix, "retry-after", Some("1776816030")),
        (WaitForm::Reset, "x-ratelimit-reset", Some("1776816030")),
        (WaitForm::Older, "x-retry-after", Some("1776816030")),
        (WaitForm::Silent, "retry-after", None),
    ] {
        let limit = FaultKind::RateLimit(Wait { seconds: 30, form });
        fixture.emulator.arm(Fault::new(limit).on(Calls::Writes).nth(1));
        let answer = fixture.create("p").await.unwrap();
        assert_eq!((answer.status, answer.header(header)), (429, value), "{form:?}");
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
    }
    assert_eq!(fixture.names(), [""; 0]);
}

#[tokio::test]
async fn the_rate_limit_of_the_service_is_shown_and_kept_to() {
    let fixture =
        Fixture::with(|builder| builder.rate_limit(3).clock(manual("2026-04-22T00:00:20Z"))).await;
    // Logging in was the first call of the minute.
    let second = fixture.get(POLICIES).await.expect(200);
    assert_eq!(
        (second.header("x-ratelimit-limit"), second.header("x-ratelimit-remaining")),
        (Some("3"), Some("1"))
    );
    assert_eq!(second.header("x-ratelimit-reset"), Some("1776816060"));
    fixture.get(POLICIES).await.expect(200);
    let refused = fixture.create("p").await.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("40")));
    fixture.emulator.advance(Duration::from_secs(40));
    assert_eq!(fixture.create("p").await.unwrap().status, 201);
}

#[tokio::test]
async fn tokens_expire_at_a_chosen_call() {
    let mut fixture = Fixture::new().await;
    fixture.emulator.arm(Fault::new(FaultKind::ExpireTokens).on(Calls::Writes).nth(2));
    assert_eq!(fixture.create("one").await.unwrap().status, 201);
    assert_eq!(fixture.create("two").await.unwrap().status, 401);
    assert_eq!(fixture.create("two").await.unwrap().status, 401, "the old token stays worthless");
    fixture.log_in("owner", "pat").await;
    assert_eq!(fixture.create("two").await.unwrap().status, 201);
}

#[tokio::test]
async fn somebody_else_edits_just_before_a_chosen_write() {
    let fixture = Fixture::new().await;
    let id = fixture.policy("p").await;
    let rename = Edit::new(|state| {
        state.org_mut("my-org").policy_mut("p").expect("it was made").name = "theirs".to_owned();
    });
    fixture.emulator.arm(Fault::new(FaultKind::Edit(rename)).on(Calls::Writes).nth(1));
    assert_eq!(fixture.get(&policy(&id)).await.body["name"], json!("p"), "reads are not counted");
    let changed = fixture.patch(&policy(&id), json!({"scope": {}})).await.expect(200).body;
    assert_eq!(changed["old"]["name"], json!("theirs"));
}

#[tokio::test]
async fn the_edits_of_the_command_line_do_what_they_say() {
    let fixture = Fixture::new().await;
    let id = fixture.policy("p").await;
    fixture.rule(&id, "one").await;
    fixture.rule(&id, "two").await;
    let arm = |spec: &str| fixture.emulator.arm(spec.parse().unwrap());
    arm("edit=flip-rule:p:one@getPolicy#1");
    let rules_now = fixture.get(&policy(&id)).await.body["allowlist_v0"]["rules"].clone();
    let decision = |name: &str| {
        rules_now.as_array().unwrap().iter().find(|rule| rule["name"] == json!(name)).unwrap()["decision"].clone()
    };
    assert_eq!((decision("one"), decision("two")), (json!("deny"), json!("allow")));
    arm("edit=delete-rule:p:one@getPolicy#1");
    assert_eq!(
        fixture.get(&policy(&id)).await.body["allowlist_v0"]["rules"].as_array().unwrap().len(),
        1
    );
    arm("edit=rename:p:q@getPolicy#1");
    assert_eq!(fixture.get(&policy(&id)).await.body["name"], json!("q"));
    arm("edit=delete:q@getPolicy#1");
    fixture.get(&policy(&id)).await.refused(404, "not_found");
}

#[tokio::test]
async fn faults_meet_the_calls_that_they_count() {
    let fixture = Fixture::new().await;
    fixture.emulator.arm("refuse=503@createRule#2x2".parse().unwrap());
    let id = fixture.policy("p").await;
    let mut statuses = Vec::new();
    for number in 0..5 {
        // Reads in between are not counted.
        fixture.get(POLICIES).await.expect(200);
        let body = Some(network_rule(&format!("r{number}")));
        statuses.push(fixture.send(Method::POST, &rules(&id), body).await.unwrap().status);
    }
    assert_eq!(statuses, [201, 503, 503, 201, 201]);
    // Without a count all are met, until the faults are taken away.
    fixture.emulator.arm("refuse=500@reads".parse().unwrap());
    assert_eq!(fixture.send(Method::GET, GROUPS, None).await.unwrap().status, 500);
    assert_eq!(fixture.send(Method::GET, POLICIES, None).await.unwrap().status, 500);
    fixture.policy("writes are not met").await;
    fixture.emulator.disarm();
    fixture.get(POLICIES).await.expect(200);
}

#[tokio::test]
async fn a_delayed_call_has_its_effect_though_its_caller_left() {
    let fixture = Fixture::new().await;
    fixture.emulator.arm("delay=400@createPolicy#1".parse().unwrap());
    let impatient = tokio::time::timeout(Duration::from_millis(40), fixture.create("late"));
    assert!(impatient.await.is_err());
    let start = Instant::now();
    while fixture.names().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "the effect comes");
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.names(), ["late"]);
}

#[tokio::test]
async fn every_call_takes_the_latency_and_calls_overlap() {
    let fixture = Fixture::with(|builder| builder.latency(Duration::from_millis(50))).await;
    fixture.emulator.forget_calls();
    let start = Instant::now();
    let calls = (0..8).map(|_| fixture.get(POLICIES));
    let mut set = Vec::new();
    for call in calls {
        set.push(call);
    }
    join(set).await;
    assert!(start.elapsed() >= Duration::from_millis(50));
    // That they overlap is counted, not timed: a busy machine is not a failure.
    assert_eq!((fixture.emulator.most_in_flight(), fixture.emulator.calls().len()), (8, 8));
}

/// Waits for all of them at once.
async fn join<F: Future>(futures: Vec<F>) {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn the_record_shows_calls_and_no_secrets() {
    let fixture = Fixture::new().await;
    fixture.policy("p").await;
    let calls = fixture.emulator.calls();
    let operations: Vec<Option<Operation>> = calls.iter().map(|call| call.operation).collect();
    assert_eq!(
        operations,
        [
            Some(Operation::Docker(DockerOperation::Authenticate)),
            Some(Operation::Docker(DockerOperation::CreatePolicy))
        ]
    );
    assert_eq!(calls[1].path, format!("/v2{POLICIES}"));
    assert_eq!(calls[1].body, json!({"name": "p"}));
    assert!(!format!("{calls:?} {:?}", fixture.emulator).contains("pat\""));
    assert_eq!(fixture.emulator.writes().len(), 1);
}
