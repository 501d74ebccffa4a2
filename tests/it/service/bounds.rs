//! Services that never end, that give more than they can hold, and whose answers nest without end.

use std::future::Future as _;
use std::io::Write as _;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use seawall::exit::{Exit, Explain as _};
use seawall::plan::{self, Plan, set};
use seawall::service::http::{Clock, Method, WriteOutcome};
use seawall::service::{docker, vijil};
use serde_json::json;

use super::odd::{Odd, Request, json as answer};
use super::{Client, SECRET, access, limits};

fn client(odd: &Odd) -> Client {
    Client::new(&odd.base(), "someone", SECRET, "my-org", limits())
}

/// Lets time pass on a clock for tests, once it is set.
fn advance(clock: &OnceLock<Clock>, seconds: u64) {
    if let Some(clock) = clock.get() {
        let wait = pin!(clock.sleep(Duration::from_secs(seconds)));
        let _ = wait.poll(&mut Context::from_waker(Waker::noop()));
    }
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// A read of a service, and its largest numbers: answers (0 where a test would take too long), objects,
/// MiB, values, and seconds of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Policies,
    EachPolicy,
    Teams,
    Members,
    VijilPolicies,
    VijilRules,
}

const READS: [(Read, &str, [usize; 5]); 6] = [
    (Read::Policies, "policies", [100, 1_000, 64, 10_000_000, 60]),
    (Read::EachPolicy, "policies", [0, 0, 64, 10_000_000, 480]), // of at most as many as are listed
    (Read::Teams, "teams", [1_000, 50_000, 32, 0, 60]),
    (Read::Members, "members of teams", [0, 1_000_000, 0, 0, 480]),
    (Read::VijilPolicies, "policies", [1_000, 10_000, 64, 4_000_000, 60]),
    (Read::VijilRules, "rules", [0, 100_000, 64, 4_000_000, 480]),
];

impl Read {
    /// The answer to a request: a page of this read holds so many objects with more in them, and
    /// another page follows each.
    fn answer(self, number: usize, request: &Request, objects: usize, more: &str) -> String {
        let host = request.head.lines().find_map(|line| line.strip_prefix("host: "));
        let next = format!("http://{}/v2/orgs/my-org?page={number}", host.unwrap_or_default());
        let page = |objects: usize, more: &str| -> String {
            let one = |index: usize| {
                let id = format!("{number}-{index}");
                let names = format!(r#""id": "{id}", "uuid": "{id}", "rule_id": "{id}""#);
                format!(r#"{{{names}, "name": "n", "username": "u", "more": {more}}}"#)
            };
            (0..objects).map(one).collect::<Vec<_>>().join(",")
        };
        let path = request.path.split('?').next().unwrap_or_default();
        let is_read = match self {
            Self::Policies => path.ends_with("/policies"),
            Self::EachPolicy => path.contains("/policies/"),
            Self::Teams | Self::Members => true,
            Self::VijilPolicies => !path.ends_with("/rules"),
            Self::VijilRules => path.ends_with("/rules"),
        };
        match self {
            Self::Policies => {
                format!(r#"{{"data": [{}], "next_page_token": "{number}"}}"#, page(objects, more))
            }
            Self::EachPolicy if is_read => {
                let id = path.rsplit('/').next().unwrap_or_default();
                format!(r#"{{"id": "{id}", "name": "n", "more": {more}}}"#)
            }
            Self::EachPolicy => format!(r#"{{"data": [{}]}}"#, page(100, "0")),
            Self::Teams | Self::Members => {
                format!(r#"{{"results": [{}], "next": "{next}"}}"#, page(objects, more))
            }
            Self::VijilPolicies | Self::VijilRules if is_read => {
                format!(r#"{{"results": [{}], "total": 1000000000}}"#, page(objects, more))
            }
            Self::VijilPolicies | Self::VijilRules => {
                format!(r#"{{"results": [{}], "total": 1}}"#, page(1, "0"))
            }
        }
    }

    async fn end(self, client: &Client) -> String {
        let teams = [seawall::model::Team { id: "t".to_owned(), name: "t".to_owned() }];
        let teams = seawall::model::TeamDirectory::new(teams);
        let vijil = vijil::Reader::new(client.http.clone());
        match self {
            Self::Teams => client.reader.teams().await.map(|_| ()).unwrap_err().to_string(),
            Self::Members => {
                client.reader.members(&teams).await.map(|_| ()).unwrap_err().to_string()
            }
            Self::Policies | Self::EachPolicy => {
                client.reader.live().await.unwrap_err().to_string()
            }
            Self::VijilPolicies | Self::VijilRules => {
                vijil.snapshot().await.unwrap_err().to_string()
            }
        }
    }
}

#[tokio::test]
async fn each_limit_of_each_read_ends_it_and_is_named() {
    let mut wrong = Vec::new();
    for (read, what, limits) in READS {
        let bounds =
            ["answers", "objects", "MiB", "values", "s of answers"].into_iter().zip(limits);
        for (bound, limit) in bounds.filter(|(_, limit)| *limit > 0) {
            let clock: Arc<OnceLock<Clock>> = Arc::default();
            let (passing, is_slow) = (Arc::clone(&clock), bound == "s of answers");
            let (objects, more) = match bound {
                "objects" => (if limit > 100_000 { 50_000 } else { 100 }, "0".to_owned()),
                "MiB" => (1, format!("\"{}\"", "x".repeat(24 << 20))),
                "values" => (1, format!("[{}0]", "0,".repeat(400_000))),
                _ => (1, "0".to_owned()),
            };
            let odd = Odd::start(move |number, request| {
                if is_slow {
                    advance(&passing, 20);
                }
                // Teams are read beside the policies.
                let is_beside = read == Read::Policies || read == Read::EachPolicy;
                match is_beside && request.path.contains("/groups") {
                    true => answer(200, r#"{"results": []}"#),
                    false => answer(200, &read.answer(number, request, objects, &more)),
                }
            })
            .await;
            let client = client(&odd);
            clock.set(client.clock.clone()).unwrap();
            let says = format!("more {what} than the service can hold: over {limit} {bound}");
            let said = read.end(&client).await;
            if !said.contains(&says) {
                wrong.push(format!("{read:?} {bound}: {said}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn pages_that_repeat_or_hold_nothing_are_an_error_that_says_so() {
    for (tokens, says) in [(usize::MAX, "over 100 answers"), (3, "repeats the pages")] {
        let odd = Odd::start(move |number, request| match request.path.contains("/groups") {
            true => answer(200, r#"{"results": []}"#),
            false => {
                let token = (number % tokens).to_string();
                answer(200, &json!({"data": [], "next_page_token": token}).to_string())
            }
        })
        .await;
        let started = Instant::now();
        let error = client(&odd).reader.live().await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.exit(), Exit::Failed);
        assert!(odd.asked().len() < 110 && started.elapsed().as_secs() < 60);
    }
}

#[tokio::test]
async fn teams_and_members_whose_pages_repeat_are_errors() {
    let team = seawall::model::Team { id: "t".to_owned(), name: "t".to_owned() };
    let teams = seawall::model::TeamDirectory::new([team]);
    let odd = Odd::start(|_, request| {
        let hosts = request.head.lines().find_map(|line| line.strip_prefix("host: "));
        let next = format!("http://{}/v2/orgs/my-org?page=0", hosts.unwrap_or_default());
        let one = json!({"uuid": "t", "name": "t", "username": "u"});
        answer(200, &json!({"results": [one], "next": next}).to_string())
    })
    .await;
    let reader = client(&odd).reader;
    let members = reader.members(&teams).await.map(|_| ()).unwrap_err().to_string();
    let groups = reader.teams().await.map(|_| ()).unwrap_err().to_string();
    assert!([members, groups].iter().all(|error| error.contains("repeats the pages")));
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
    let target = plan::vijil::Target { endpoint: "embedded".to_owned() };
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

/// The compressed form of so many MiB of spaces.
fn spaces(mebibytes: usize) -> Vec<u8> {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..mebibytes).for_each(|_| bomb.write_all(&vec![b' '; 1 << 20]).unwrap());
    bomb.finish().unwrap()
}

#[tokio::test]
async fn one_answer_holds_no_more_than_one_object_can() {
    const GZIP: &str = "Content-Encoding: gzip\r\n";
    let many = |value: &str| format!(r#"{{"more": [{}0]}}"#, value.repeat(600_000)).into_bytes();
    let table: [(&str, u16, &str, Vec<u8>, &str); 7] = [
        ("many short texts", 200, "", many(r#""a","#), "it holds over 500000 values"),
        ("many numbers", 200, "", many("0,"), "it holds over 500000 values"),
        ("a large answer", 200, "", vec![b' '; (32 << 20) + 1], "larger than 33554432 bytes"),
        ("a small answer that grows", 200, GZIP, spaces(33), "larger than 33554432 bytes"),
        ("a refusal that grows", 403, GZIP, spaces(33), "403"),
        ("a large refusal", 403, "", vec![b'['; 33 << 20], "403"),
        ("a large failure", 501, "", vec![b'['; 33 << 20], "501"),
    ];
    for (what, status, headers, body, says) in table {
        let odd = Odd::start(move |_, _| super::odd::answer(status, headers, &body)).await;
        let client = client(&odd);
        let id = seawall::model::PolicyId("p".to_owned());
        let docker = client.reader.policy(&id).await.unwrap_err().to_string();
        let vijil = vijil::Reader::new(client.http.clone());
        let rule = vijil.rule("r").await.unwrap_err().to_string();
        let policy = vijil.policy("p").await.unwrap_err().to_string();
        let request = docker::Request { method: Method::Post, path: Vec::new(), body: None };
        let written = docker::Writer::new(&client.reader, &access()).send(&request).await;
        let outcome = match &written {
            WriteOutcome::Refused(refusal) if status != 200 => refusal.to_string(),
            WriteOutcome::Unknown(error) if status == 200 => error.to_string(),
            other => panic!("{what}: {other:?}"),
        };
        for error in [docker, rule, policy, outcome] {
            assert!(error.contains(says) && error.len() < 1_000, "{what}: {error}");
        }
    }
}

#[tokio::test]
async fn a_log_without_end_ends() {
    const EVENT: &str = r#"{"audit_event_id": "1", "created_at": "2026-11-28T12:00:00Z"}"#;
    let many = "0,".repeat(600_000) + "0";
    // The records of each page, the number of tokens, the wait for each page in seconds, the largest
    // number of pages that are asked for, and the error.
    let table = [
        ("", usize::MAX, 0, 1_100, "repeats the pages"),
        (EVENT, 1, 0, 2, "repeats the pages"),
        (EVENT, 3, 0, 4, "repeats the pages"),
        (EVENT, usize::MAX, 1_000, 90, "does not end within 24 hours"),
        (&many, usize::MAX, 0, 1, "holds over 500000 values"),
    ];
    for (events, tokens, wait, most, says) in table {
        let what = &events[..events.len().min(5)];
        let page = format!(r#"{{"events": [{events}], "next_page_token": "TOKEN"}}"#);
        let clock: Arc<OnceLock<Clock>> = Arc::default();
        let passing = Arc::clone(&clock);
        let odd = Odd::start(move |number, _| {
            advance(&passing, wait);
            answer(200, &page.replace("TOKEN", &(number % tokens).to_string()))
        })
        .await;
        let client = client(&odd);
        clock.set(client.clock.clone()).unwrap();
        let audit = docker::AuditReader::new(client.http, "my-org");
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("records.jsonl");
        let files = docker::download::Files::new(out.clone()).unwrap();
        let error = docker::download::download(&audit, &files, 1, &mut |_| ()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{what} {tokens}: {error}");
        assert!(error.exit() == Exit::Failed && !out.exists(), "{what} {tokens}");
        let pages = odd.asked().len();
        assert!(pages <= most, "{what} {tokens}: {pages}");
    }
}

#[test]
fn a_snapshot_that_nests_too_deeply_or_holds_too_much_is_none() {
    let with = |more: &str| {
        format!(
            r#"{{"format_version": 1, "docker": {{"org": "o", "teams": [], "policies": [], "more": {more}}}}}"#
        )
    };
    assert!(docker::Snapshot::parse(&with(&nested(78))).is_ok());
    let many = with(&format!("[{}0]", "0,".repeat(10_000_000)));
    for (text, says) in [
        (with(&nested(79)), "it nests deeper than 80 levels"),
        (with(&nested(118)), "it nests deeper than 80 levels"),
        (with(&nested(1_000_000)), "it nests deeper than 80 levels"),
        (many, "it holds more than 10000000 values"),
    ] {
        for error in [
            docker::Snapshot::parse(&text).map(|_| ()).unwrap_err(),
            docker::Snapshot::parse_each(&text).map(|_| ()).unwrap_err(),
        ] {
            assert!(error.to_string().contains(says), "{says}: {error}");
        }
    }
}
