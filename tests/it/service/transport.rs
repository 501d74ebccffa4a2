//! What every read relies on: tokens, retries, limits, and that nothing leaves for elsewhere.

use std::time::Duration;

use seawall::emulator::{Answer, Calls, Emulator, Fault, FaultKind, Form, Wait, WaitForm};
use seawall::exit::Explain as _;
use seawall::service::http::{Authorization, BaseUrl, Connection, Error, Limits, Reader};
use serde_json::Value;

use super::odd::{Odd, answer, json};
use super::{Client, SECRET, limits};

async fn get(client: &Client) -> Result<Value, Error> {
    client.http.get(&["orgs", "my-org", "thing"], &[]).await
}

fn odd_client(odd: &Odd, limits: Limits) -> Client {
    Client::new(&odd.base(), "someone", SECRET, "my-org", limits)
}

#[tokio::test]
async fn one_login_serves_many_calls_and_each_says_who_asks() {
    let odd = Odd::start(|_, _| json(200, "{}")).await;
    let client = odd_client(&odd, limits());
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let http = client.http.clone();
        calls
            .spawn(async move { http.get::<Value, _>(&["a b", "ä/.."], &[("page", "1&2")]).await });
    }
    for result in calls.join_all().await {
        result.unwrap();
    }
    let seen = odd.seen();
    assert_eq!((seen.len(), odd.asked().len()), (9, 8));
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/v2/auth/token"));
    let login: Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(login, serde_json::json!({"identifier": "someone", "secret": SECRET}));
    assert!(!seen[0].head.to_lowercase().contains("authorization"));
    for request in odd.asked() {
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("GET", "/v2/a%20b/%C3%A4%2F..?page=1%262")
        );
        assert!(request.head.contains("authorization: Bearer token-0"), "{}", request.head);
        assert!(request.head.contains(concat!("user-agent: seawall/", env!("CARGO_PKG_VERSION"))));
    }
}

#[tokio::test]
async fn an_ended_token_is_renewed_once() {
    let odd = Odd::start(|_, request| match request.head.contains("token-0") {
        true => json(401, r#"{"error":{"code":"unauthenticated","message":"unauthenticated"}}"#),
        false => json(200, "{}"),
    })
    .await;
    get(&odd_client(&odd, limits())).await.unwrap();
    let paths: Vec<_> = odd.seen().into_iter().map(|request| request.path).collect();
    assert_eq!(
        paths,
        ["/v2/auth/token", "/v2/orgs/my-org/thing", "/v2/auth/token", "/v2/orgs/my-org/thing"]
    );

    let odd = Odd::start(|_, _| json(401, "{}")).await; // and not for ever
    let error = get(&odd_client(&odd, limits())).await.unwrap_err();
    assert_eq!((error.refusal().map(|refusal| refusal.status), odd.seen().len()), (Some(401), 4));
}

#[tokio::test]
async fn a_token_is_renewed_shortly_before_its_end() {
    let odd = Odd::bare(|_, request| match request.path.ends_with("/auth/token") {
        true => json(200, r#"{"access_token":"abc","expires_in":600}"#),
        false => json(200, "{}"),
    })
    .await;
    let client = odd_client(&odd, limits());
    for (seconds, logins) in [(0, 1), (530, 1), (20, 2), (530, 2), (20, 3)] {
        client.clock.sleep(Duration::from_secs(seconds)).await;
        get(&client).await.unwrap();
        assert_eq!(odd.seen().len() - odd.asked().len(), logins);
    }
}

#[tokio::test]
async fn refused_credentials_are_sent_once() {
    let odd = Odd::bare(|_, _| json(401, r#"{"message":"unauthorized","errinfo":null}"#)).await;
    let client = odd_client(&odd, limits());
    let (one, other) = tokio::join!(get(&client), get(&client));
    for error in [one.unwrap_err(), other.unwrap_err(), get(&client).await.unwrap_err()] {
        assert!(matches!(error, Error::Login { .. }), "{error}");
    }
    assert_eq!(odd.seen().len(), 1); // an account is locked by fewer tries than there are calls
}

#[tokio::test]
async fn no_secret_comes_back_in_what_is_said() {
    let echo = |status| {
        move |_: usize, request: &super::odd::Request| {
            json(status, &format!("{}{}", request.head, request.body))
        }
    };
    let login = |status| move |_: usize, request: &super::odd::Request| json(status, &request.body);
    let mut said = String::new();
    for status in [200, 400, 401, 403, 404, 418, 500, 503] {
        for odd in [Odd::start(echo(status)).await, Odd::bare(login(status)).await] {
            let client = odd_client(&odd, limits());
            if let Err(error) = get(&client).await {
                said += &format!("{error} {error:?} {:?}\n", error.hint());
            }
            said += &format!("{:?} {:?} {:?}\n", client.reader, client.http, client.waits());
        }
    }
    assert!(said.contains("[secret]"), "the servers did echo");
    let json = Value::from(SECRET).to_string();
    for secret in [SECRET, json.trim_matches('"'), "do not", "token-0"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn every_way_to_ask_for_patience_is_heeded() {
    for form in
        [WaitForm::Seconds, WaitForm::Date, WaitForm::Unix, WaitForm::Reset, WaitForm::Older]
    {
        let limit = FaultKind::RateLimit(Wait { seconds: 30, form });
        let now = "2026-10-21T07:28:00Z".parse().unwrap();
        let emulator = Emulator::builder()
            .clock(move || now)
            .fault(Fault::new(limit).on(Calls::Reads).nth(1))
            .start()
            .await
            .unwrap();
        let client = Client::of(&emulator);
        client.reader.teams().await.unwrap();
        let waited = client.clock.passed();
        assert!((30..=33).contains(&waited.as_secs()), "{form:?}: {waited:?}");
        assert_eq!((client.waits().len(), client.waits()[0].attempt), (1, 1), "{form:?}");
    }
}

#[tokio::test]
async fn one_rate_limit_holds_for_all_calls() {
    let limited = std::sync::OnceLock::new();
    let odd = Odd::start(move |_, _| {
        let first = limited.get().is_none();
        let since: std::time::Instant = *limited.get_or_init(std::time::Instant::now);
        match first || since.elapsed() < Duration::from_millis(900) {
            true => answer(429, "Retry-After: 1\r\n", b""),
            false => json(200, "{}"),
        }
    })
    .await;
    let base = BaseUrl::parse(&odd.base()).unwrap();
    let limits = Limits { concurrency: 1, ..limits() };
    let reader = Reader::new(
        Connection::new(base, Authorization::Bearer(SECRET.to_owned().into()), limits).unwrap(),
    );
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let reader = reader.clone();
        calls.spawn(async move { reader.get::<Value, _>(&["thing"], &[]).await });
    }
    for result in calls.join_all().await {
        result.unwrap();
    }
    assert_eq!(odd.seen().len(), 6); // only the first call met the limit
}

#[tokio::test]
async fn patience_ends() {
    let table = [
        (429, "Retry-After: 3600\r\n", "asks to wait for 3600 s", 1..=1), // longer than anybody waits
        (429, "", "429", 8..=29), // two minutes of growing steps
        (503, "", "503", 7..=7),
        (500, "", "500", 4..=4),
    ];
    for (status, headers, says, times) in table {
        let odd = Odd::start(move |_, _| answer(status, headers, b"")).await;
        let client = odd_client(&odd, limits());
        let error = get(&client).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(client.clock.passed() <= Duration::from_secs(120), "{status} {headers}");
        assert!(times.contains(&odd.asked().len()), "{status} {headers}: {}", odd.asked().len());
    }
}

#[tokio::test]
async fn a_read_outlives_what_passes() {
    let answers = [500, 502, 503, 504].into_iter().flat_map(|status| {
        [Form::Html, Form::Empty, Form::Text].map(|form| Answer { form, ..Answer::status(status) })
    });
    let faults = answers.map(FaultKind::Refuse).chain([
        FaultKind::Cut,
        FaultKind::LoseBefore,
        FaultKind::LoseAfter,
    ]);
    for kind in faults.chain([FaultKind::ExpireTokens]) {
        let emulator = Emulator::builder().teams(["research"]).start().await.unwrap();
        emulator.arm(Fault::new(kind.clone()).nth(1)); // at the login
        emulator.arm(Fault::new(kind.clone()).on(Calls::Reads).nth(1)); // at the first read
        let client = Client::of(&emulator);
        assert_eq!(
            client.reader.live().await.map(|live| live.teams.iter().count()),
            Ok(1),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn a_silent_service_is_given_up() {
    let odd = Odd::start(|_, _| None).await;
    let client = odd_client(&odd, Limits { request: Duration::from_millis(50), ..limits() });
    assert!(matches!(get(&client).await, Err(Error::TimeOut { .. })));
    assert_eq!(odd.asked().len(), 3);
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(); // free again
    let client =
        Client::new(&format!("http://127.0.0.1:{port}/v2"), "someone", SECRET, "my-org", limits());
    let error = get(&client).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().starts_with(&format!("cannot reach 127.0.0.1:{port}: tcp connect error")),
        "{error}"
    );
    assert_eq!(client.waits().len(), 4);
}

#[tokio::test]
async fn a_redirect_takes_no_token_along() {
    let elsewhere = Odd::start(|_, _| json(200, "{}")).await;
    let to = elsewhere.base();
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {to}\r\n");
        let odd = Odd::start(move |_, _| answer(status, &location, b"")).await;
        let error = get(&odd_client(&odd, limits())).await.unwrap_err();
        assert!(matches!(&error, Error::Redirected { to: told, .. } if *told == to), "{error}");
    }
    assert_eq!(elsewhere.seen().len(), 0);
}

#[tokio::test]
async fn answers_are_read_compressed_and_within_a_limit() {
    let odd = Odd::start(|number, _| match number {
        1 => answer(200, "Content-Encoding: gzip\r\n", SMALL),
        2 => answer(
            200,
            "Content-Encoding: gzip\r\n",
            include_bytes!("../../service/spaces.json.gz"),
        ),
        _ => json(200, &format!("[{}]", " ".repeat(100_000))),
    })
    .await;
    let client = odd_client(&odd, Limits { body: 10_000, ..limits() });
    assert_eq!(get(&client).await, Ok(serde_json::json!({"a": 1})));
    for _ in ["a kilobyte that is a megabyte", "plainly too large"] {
        assert!(matches!(get(&client).await, Err(Error::TooLarge { limit: 10_000, .. })));
    }
    assert_eq!(odd.asked().len(), 3); // what is too large once is not asked for again
    assert!(odd.asked()[0].head.contains("accept-encoding: gzip"));
}

/// `{"a":1}`, compressed.
const SMALL: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 84, 178, 50, 172, 5, 0, 175, 172, 27, 86, 7, 0,
    0, 0,
];

#[tokio::test]
async fn an_answer_that_is_not_the_apis_is_unreadable() {
    for body in ["<html>welcome to the hotel</html>", "", "{\"a\":", "\u{feff}{}"] {
        let odd = Odd::start(move |_, _| answer(200, "", body.as_bytes())).await;
        let error = get(&odd_client(&odd, limits())).await.unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{body}: {error}");
    }
}
