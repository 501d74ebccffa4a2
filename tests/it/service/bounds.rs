//! Services that never end, that give more than they can hold, and whose answers nest without end.

use std::time::Instant;

use seawall::exit::{Exit, Explain as _};
use seawall::plan::{self, Plan, set};
use seawall::service::vijil;
use serde_json::json;

use super::odd::{Odd, Request, json as answer};
use super::{Client, SECRET, limits};

fn client(odd: &Odd) -> Client {
    Client::new(&odd.base(), "someone", SECRET, "my-org", limits())
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test]
async fn pages_without_end_are_an_error_that_says_so() {
    type Page = fn(usize) -> String;
    // What each page answers, and what the error says.
    let policies: [(&str, Page, &str); 4] = [
        (
            "large pages",
            |number| {
                let id = format!("pol_{number}");
                json!({"data": [{"id": id, "name": "x".repeat(24 << 20)}], "next_page_token": id})
                    .to_string()
            },
            "over 64 MiB",
        ),
        (
            "empty pages, each with another token",
            |number| json!({"data": [], "next_page_token": number.to_string()}).to_string(),
            "over 100 answers",
        ),
        (
            "objects without end",
            |number| {
                let data: Vec<_> =
                    (0..100).map(|index| json!({"id": format!("pol_{number}_{index}")})).collect();
                json!({"data": data, "next_page_token": number.to_string()}).to_string()
            },
            "over 1000 objects",
        ),
        (
            "tokens that go in circles",
            |number| json!({"data": [], "next_page_token": (number % 3).to_string()}).to_string(),
            "repeats the pages",
        ),
    ];
    for (what, page, message) in policies {
        let teams = |request: &Request| request.path.contains("/groups");
        let odd = Odd::start(move |number, request| match teams(request) {
            true => answer(200, r#"{"results": []}"#),
            false => answer(200, &page(number)),
        })
        .await;
        let started = Instant::now();
        let error = client(&odd).reader.live().await.unwrap_err();
        assert!(error.to_string().contains(message), "{what}: {error}");
        assert_eq!(error.exit(), Exit::Failed, "{what}");
        assert!(odd.asked().len() < 110 && started.elapsed().as_secs() < 60, "{what}");
    }
}

#[tokio::test]
async fn teams_and_policies_for_agents_are_bounded_too() {
    let odd = Odd::start(|number, request| {
        let host =
            request.head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        let next = format!("http://{host}/v2/orgs/my-org/groups?page={number}");
        let groups: Vec<_> = (0..600)
            .map(|index| json!({"uuid": format!("{number}-{index}"), "name": "t"}))
            .collect();
        answer(200, &json!({"results": groups, "next": next}).to_string())
    })
    .await;
    let error = client(&odd).reader.teams().await.unwrap_err();
    assert!(
        error.to_string().contains("more teams than the service can hold: over 50000 objects"),
        "{error}"
    );

    let odd = Odd::start(|number, _| {
        let policies: Vec<_> =
            (0..100).map(|index| json!({"id": format!("{number}-{index}"), "name": "p"})).collect();
        answer(200, &json!({"results": policies, "total": 1_000_000_000}).to_string())
    })
    .await;
    let error = vijil::Reader::new(client(&odd).http).snapshot().await.unwrap_err();
    assert!(
        error.to_string().contains("more policies than the service can hold: over 10000 objects"),
        "{error}"
    );

    // Few bytes that become many values.
    let odd = Odd::start(|number, _| {
        let zeros = "0,".repeat(3 << 20);
        answer(200, &format!(r#"{{"results": [{{"id": "{number}", "name": "p", "tags": [{zeros}0]}}], "total": 9}}"#))
    })
    .await;
    let error = vijil::Reader::new(client(&odd).http).snapshot().await.unwrap_err();
    assert!(error.to_string().contains("over 4000000 values"), "{error}");
}

#[tokio::test]
async fn answers_that_nest_deeply_are_errors_and_not_panics() {
    for levels in [65, 100, 118, 127, 128, 10_000, 1_000_000] {
        let odd = Odd::start(move |_, request| {
            let policy = match request.path.contains("/rules") {
                true => json!([{"id": "r", "rule_id": "R", "consequence": "DEEP"}]),
                false => json!([{"id": "p", "name": "p"}]),
            };
            let deep = policy.to_string().replace("\"DEEP\"", &nested(levels));
            answer(200, &format!(r#"{{"results": {deep}, "total": 1}}"#))
        })
        .await;
        let error = vijil::Reader::new(client(&odd).http).snapshot().await.unwrap_err();
        assert!(error.to_string().contains("nests deeper than 64 levels"), "{levels}: {error}");
        assert_eq!(error.exit(), Exit::Failed);
    }
}

#[tokio::test]
async fn what_nests_as_deep_as_may_be_is_planned_saved_and_read_back() {
    // The answer wraps an object in two levels, and the object its field in one.
    let odd = Odd::start(|_, request| {
        let all = match request.path.contains("/rules") {
            true => r#"[{"id": "r", "rule_id": "R", "rule_type": "prohibition", "action": "a", "natural_language": "n",
                "consequence": DEEP}]"#
                .replace("DEEP", &nested(61)),
            false => r#"[{"id": "p", "name": "p", "category": "privacy"}]"#.to_owned(),
        };
        answer(200, &format!(r#"{{"results": {all}, "total": 1}}"#))
    })
    .await;
    let live = vijil::Reader::new(client(&odd).http).live().await.unwrap();
    let target = plan::vijil::VijilTarget { endpoint: "embedded".to_owned() };
    let edit_active = seawall::model::EditActive::InPlace;
    let input = plan::vijil::Input {
        target: &target,
        desired: &[],
        live: &live,
        exclusive: true,
        edit_active,
        notes: "",
    };
    let plan =
        plan::make(plan::Input { vijil: Some(input), ..plan::Input::new(&Default::default()) })
            .unwrap();
    assert!(!plan.is_empty());
    let text = plan.to_json();
    assert_eq!(Plan::from_json(&text).unwrap(), plan);
    assert_eq!(set::from_json(&set::to_json([&plan], &[])).unwrap().into_parts().0, [plan]);
}
