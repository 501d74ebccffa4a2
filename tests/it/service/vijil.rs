//! The Vijil client: pages, both forms of errors, credentials, and that nothing leaves for
//! elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use seawall::model::Method;
use seawall::service::http::{self, Clock, Connection, WriteOutcome};
use seawall::service::vijil::{Credentials, Outside, Reader, Request as Write, Writer, endpoint};
use serde_json::{Value, json as value};

use super::odd::{Odd, Request, answer, json};
use super::{access, limits};

fn client(odd: &Odd, credentials: Credentials) -> Reader {
    let base = endpoint(&odd.base().replace("/v2", "")).unwrap();
    let clock = Clock::manual("2026-10-21T07:28:00Z".parse().unwrap());
    let connection =
        Connection::with(base, credentials.authorization(), limits(), clock, None).unwrap();
    Reader::new(http::Reader::new(connection))
}

fn pair() -> Credentials {
    Credentials::pair("vk_one", "secret-one".to_owned().into())
}

fn key() -> Credentials {
    let outside = Outside { api_key: Some("key-one".to_owned().into()), ..Outside::default() };
    Credentials::find(outside).unwrap()
}

fn policy(number: usize) -> Value {
    value!({"id": format!("id-{number}"), "team_id": "t", "name": format!("p{number}"), "category": "brand",
        "created_at": 1, "updated_at": 1, "created_by": "u", "brand_new": {"odd": [1]}})
}

/// A number in a query.
fn number(request: &Request, name: &str) -> usize {
    let found =
        request.path.split(['?', '&']).find_map(|part| part.strip_prefix(&format!("{name}=")));
    found.and_then(|text| text.parse().ok()).unwrap()
}

#[tokio::test]
async fn every_page_is_read_whatever_counts_it() {
    // Pages that are smaller than asked for; `total`, `count` of all, `count` of the page, or
    // nothing.
    for form in 0..4 {
        let odd = Odd::start(move |_, request| {
            if request.path.contains("/rules") {
                return json(200, r#"{"results": []}"#);
            }
            let all: Vec<Value> = (0..5).map(policy).collect();
            let page: Vec<&Value> = all.iter().skip(number(request, "offset")).take(2).collect();
            let body = match form {
                0 => value!({"results": page, "total": 5}),
                1 => value!({"results": page, "count": 5}),
                2 => value!({"results": page, "count": page.len()}),
                _ => value!({"results": page}),
            };
            json(200, &body.to_string())
        })
        .await;
        let live = client(&odd, pair()).live().await.unwrap();
        let names: Vec<&str> = live.policies.iter().map(|policy| policy.name.as_str()).collect();
        assert_eq!(names, ["p0", "p1", "p2", "p3", "p4"], "{form}");
        assert!(live.policies.iter().all(|policy| policy.status == "draft"));
        let lists =
            odd.asked().into_iter().filter(|request| request.path.starts_with("/v1/policies/?"));
        let offsets: Vec<usize> = lists.map(|request| number(&request, "offset")).collect();
        assert_eq!(offsets[..3], [0, 2, 4], "{form}");
    }
}

#[tokio::test]
async fn a_list_that_never_adds_up_is_no_live_state() {
    for body in [r#"{"results": [], "total": 3}"#, r#"{"results": [], "count": 3}"#] {
        let odd = Odd::start(move |_, _| json(200, body)).await;
        let error = client(&odd, pair()).live().await.unwrap_err();
        assert!(error.to_string().contains("shows 0 of 3 policies"), "{error}");
    }
}

#[tokio::test]
async fn both_forms_of_errors_are_told() {
    let invalid = r#"{"detail": [{"loc": ["query", "limit"], "msg": "Input should be a valid integer", "type": "int_parsing", "input": "x"}]}"#;
    for (status, body, told) in [
        (403, r#"{"detail": "No permission"}"#, "403: No permission"),
        (422, invalid, "422: query.limit: Input should be a valid integer"),
    ] {
        let odd = Odd::start(move |_, _| json(status, body)).await;
        let error = client(&odd, pair()).live().await.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test]
async fn a_pair_is_exchanged_and_exchanged_once_more_after_a_401() {
    let odd = Odd::start(|number, _| match number {
        1 => json(401, r#"{"detail": "Not authenticated"}"#),
        _ => json(200, r#"{"results": [], "total": 0}"#),
    })
    .await;
    client(&odd, pair()).live().await.unwrap();
    let paths: Vec<String> =
        odd.seen().iter().map(|one| one.path.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(paths, ["/v1/auth/token", "/v1/policies/", "/v1/auth/token", "/v1/policies/"]);
    let body: Value = serde_json::from_str(&odd.seen()[0].body).unwrap();
    assert_eq!(body, value!({"client_id": "vk_one", "client_secret": "secret-one"}));
}

#[tokio::test]
async fn a_key_is_never_renewed_and_a_session_is_once() {
    let odd = Odd::bare(|_, _| json(401, r#"{"detail": "Not authenticated"}"#)).await;
    client(&odd, key()).live().await.unwrap_err();
    let seen = odd.seen();
    assert_eq!((seen.len(), seen[0].head.contains("authorization: Bearer key-one")), (1, true));

    let odd = Odd::bare(|_, request| match request.path.as_str() {
        "/v1/auth/jwt/refresh" => {
            json(200, r#"{"access_token": "token-two", "token_type": "bearer"}"#)
        }
        _ if request.head.contains("token-one") => json(401, r#"{"detail": "Not authenticated"}"#),
        _ => json(200, r#"{"results": [], "total": 0}"#),
    })
    .await;
    client(&odd, Credentials::session("token-one".to_owned().into())).live().await.unwrap();
    let seen = odd.seen();
    let paths: Vec<&str> = seen.iter().map(|one| one.path.split('?').next().unwrap()).collect();
    assert_eq!(paths, ["/v1/policies/", "/v1/auth/jwt/refresh", "/v1/policies/"]);
    assert!(seen[1].head.contains("Bearer token-one") && seen[2].head.contains("Bearer token-two"));
}

#[tokio::test]
async fn only_a_slash_is_followed_and_only_on_the_same_host() {
    let here = Odd::start(|_, request| {
        match request.path.split_once('?').unwrap_or((&request.path, "")) {
            ("/v1/policies/", query) => {
                answer(307, &format!("Location: /v1/policies?{query}\r\n"), b"")
            }
            ("/v1/policies", _) => json(200, r#"{"results": [], "total": 0}"#),
            _ => json(500, "{}"),
        }
    })
    .await;
    client(&here, pair()).live().await.unwrap();
    assert_eq!(here.asked()[1].path, "/v1/policies?limit=100&offset=0");

    let other = Arc::new(Odd::start(|_, _| json(200, r#"{"results": [], "total": 0}"#)).await);
    let elsewhere = other.base().replace("/v2", "/v1/policies");
    for to in [elsewhere, "/v1/policies/presets/".to_owned(), "/v1/policies//".to_owned()] {
        let location = format!("Location: {to}\r\n");
        let odd = Odd::start(move |_, _| answer(307, &location, b"")).await;
        let error = client(&odd, pair()).live().await.unwrap_err();
        assert!(error.to_string().contains("redirect to"), "{error}");
        assert_eq!(odd.asked().len(), 1);
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn notes_travel_percent_encoded_and_a_write_follows_a_slash_once() {
    let turns = Arc::new(AtomicUsize::new(0));
    let odd = Odd::start(move |_, request| match turns.fetch_add(1, Ordering::SeqCst) {
        0 => answer(
            307,
            &format!("Location: {}\r\n", request.path.replacen("/approve", "/approve/", 1)),
            b"",
        ),
        _ => json(200, r#"{"id": "r", "rule_id": "R"}"#),
    })
    .await;
    let writer = Writer::new(&client(&odd, pair()), &access());
    let write = Write {
        method: Method::Post,
        path: ["v1", "rules", "r", "approve"].map(str::to_owned).to_vec(),
        query: vec![("notes".to_owned(), "so & so: 100 % + \"ä\"#1".to_owned())],
        body: None,
    };
    assert!(matches!(writer.send(&write).await, WriteOutcome::Done { status: 200, .. }));
    let notes = "notes=so%20%26%20so%3A%20100%20%25%20%2B%20%22%C3%A4%22%231";
    let paths: Vec<String> = odd.asked().into_iter().map(|request| request.path).collect();
    assert_eq!(
        paths,
        [format!("/v1/rules/r/approve?{notes}"), format!("/v1/rules/r/approve/?{notes}")]
    );
}
