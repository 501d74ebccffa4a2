//! Snapshots of an organization: whole, sorted, or an error.

use std::time::Duration;

use seawall::emulator::{
    Answer, Calls, DockerOperation, Edit, Emulator, FalseAnswer, Fault, FaultKind, Operation,
    Running, Seed,
};
use seawall::exit::Explain as _;
use seawall::model::Live;
use seawall::service::docker::{Error, Snapshot};
use seawall::service::http::Limits;

use super::odd::{Odd, json};
use super::{Client, SECRET, limits};

/// An organization with this many policies of one rule, in the order of their numbers.
async fn organization(policies: usize) -> Running {
    Emulator::builder()
        .seed(seed(policies))
        .latency(Duration::from_millis(1))
        .start()
        .await
        .unwrap()
}

fn seed(policies: usize) -> Seed {
    let policies: Vec<_> = (0..policies)
        .map(|number| {
            serde_json::json!({
                "id": format!("pol_{:03}", 997 * number % 1000), "name": format!("policy {number:03}"), "org": "my-org",
                "scope": {"teams": ["t1"]}, "created_at": "2026-04-22T00:00:00Z", "updated_at": "2026-04-22T00:00:00Z",
                "allowlist_v0": {"domain": "network", "rules": [{
                    "id": format!("rule_{number}"), "name": "mirrors", "actions": ["connect:tcp"], "decision": "allow",
                    "resources": ["research.mitre.org"]}]}})
        })
        .collect();
    let teams = [serde_json::json!({"id": "t1", "name": "research"})];
    let docker = serde_json::json!({"org": "my-org", "teams": teams, "policies": policies});
    Snapshot::parse(&serde_json::json!({"format_version": 1, "docker": docker}).to_string())
        .unwrap()
        .into()
}

fn names(live: &Live) -> Vec<&str> {
    live.policies.iter().map(|policy| policy.name.as_str()).collect()
}

#[tokio::test]
async fn every_page_is_read_with_as_many_calls_in_flight_as_allowed() {
    let emulator = organization(230).await; // three pages; an organization made before the limit may be larger
    let client = Client::of(&emulator);
    let live = client.reader.live().await.unwrap();
    let expected: Vec<_> = (0..230).map(|number| format!("policy {number:03}")).collect();
    assert_eq!(names(&live), expected);
    assert_eq!(emulator.calls().len(), 1 + 1 + 3 + 230 + 3); // login, teams, pages, policies, pages again
    assert!((2..=8).contains(&emulator.most_in_flight()), "{}", emulator.most_in_flight());

    emulator.forget_calls();
    let (address, secret) = (emulator.base_url(), emulator.secret());
    let limits = Limits { concurrency: 1, ..limits() };
    let one = Client::new(&address, emulator.identifier(), secret, "my-org", limits);
    assert_eq!(one.reader.live().await.unwrap(), live);
    assert_eq!(emulator.most_in_flight(), 1);
}

#[tokio::test]
async fn teams_are_read_on_every_page() {
    let names: Vec<_> = (0..205).map(|number| format!("team {number:03}")).collect();
    let emulator = Emulator::builder().teams(names.clone()).start().await.unwrap();
    let mut read: Vec<_> =
        Client::of(&emulator).reader.teams().await.unwrap().into_iter().map(|t| t.name).collect();
    read.sort();
    assert_eq!(read, names);
}

#[tokio::test]
async fn a_policy_that_vanishes_is_left_out_once_the_list_agrees() {
    let emulator = organization(3).await;
    let delete = Edit::new(|state| {
        state
            .orgs
            .get_mut("my-org")
            .unwrap()
            .policies
            .retain(|_, policy| policy.name != "policy 001");
    });
    emulator.arm(
        Fault::new(FaultKind::Edit(delete))
            .on(Calls::Operation(Operation::Docker(DockerOperation::GetPolicy)))
            .nth(1),
    );
    assert_eq!(
        names(&Client::of(&emulator).reader.live().await.unwrap()),
        ["policy 000", "policy 002"]
    );
}

#[tokio::test]
async fn a_policy_that_is_listed_but_never_found_is_an_error() {
    let emulator = organization(3).await;
    let missing = FaultKind::Refuse(Answer::status(404));
    emulator.arm(
        Fault::new(missing).on(Calls::Operation(Operation::Docker(DockerOperation::GetPolicy))),
    );
    let error = Client::of(&emulator).reader.live().await.unwrap_err();
    assert!(matches!(error, Error::Vanished { .. }), "{error}");

    emulator.disarm();
    let broken = FaultKind::Refuse(Answer::status(500));
    emulator.arm(
        Fault::new(broken).on(Calls::Operation(Operation::Docker(DockerOperation::GetPolicy))),
    );
    let error = Client::of(&emulator).reader.live().await.unwrap_err();
    assert!(matches!(error, Error::Http(_)), "{error}");
}

#[tokio::test]
async fn no_single_page_is_believed_that_a_policy_is_not_there() {
    for lie in [FalseAnswer::Empty, FalseAnswer::Missing, FalseAnswer::Stale] {
        for list in 1..=2 {
            let emulator = organization(3).await;
            emulator
                .edit(|state| {
                    state.org_mut("my-org").policy_mut("policy 001").unwrap().name = "new".into()
                })
                .unwrap();
            let fault = Fault::new(FaultKind::FalseAnswer(lie))
                .on(Calls::Operation(Operation::Docker(DockerOperation::ListPolicies)))
                .nth(list);
            emulator.arm(fault);
            let live = Client::of(&emulator).reader.live().await.unwrap();
            assert_eq!(names(&live), ["new", "policy 000", "policy 002"], "{lie:?} at list {list}");
        }
    }
    // A list that is another one each time says nothing.
    let emulator = organization(3).await;
    for list in [1, 3, 5, 7, 9] {
        let fault = Fault::new(FaultKind::FalseAnswer(FalseAnswer::Missing))
            .on(Calls::Operation(Operation::Docker(DockerOperation::ListPolicies)))
            .nth(list);
        emulator.arm(fault);
    }
    let error = Client::of(&emulator).reader.live().await.unwrap_err();
    assert!(matches!(error, Error::Unstable { .. }), "{error}");
}

#[tokio::test]
async fn pages_that_never_end_and_answers_about_something_else_are_errors() {
    let number = std::sync::atomic::AtomicUsize::new(0);
    let odd = Odd::start(move |_, request| match request.path.contains("/groups") {
        true => json(200, r#"{"results":[],"next":null}"#),
        false => {
            let next = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            json(200, &format!(r#"{{"data":[],"next_page_token":"{next}"}}"#))
        }
    })
    .await;
    let client = Client::new(&odd.base(), "someone", SECRET, "my-org", limits());
    let error = client.reader.live().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Http(seawall::service::http::Error::Unbounded { what: "policies", .. })
        ),
        "{error}"
    );

    let odd = Odd::start(|_, request| match request.path.split('?').next() {
        Some(path) if path.ends_with("/groups") => json(200, r#"{"results":[],"next":null}"#),
        Some(path) if path.ends_with("/policies") => {
            json(200, r#"{"data":[{"id":"p"}],"next_page_token":null}"#)
        }
        _ => json(200, r#"{"id":"q","name":"another"}"#),
    })
    .await;
    let client = Client::new(&odd.base(), "someone", SECRET, "my-org", limits());
    let error = client.reader.live().await.unwrap_err();
    assert!(error.to_string().contains("asked for policy `p`"), "{error}");
}

#[tokio::test]
async fn an_organization_that_cannot_be_read_is_never_empty() {
    let emulator = organization(1).await;
    let secret = emulator.secret();
    let wrong =
        Client::new(&emulator.base_url(), emulator.identifier(), secret, "my-orgg", limits());
    let error = wrong.reader.snapshot().await.unwrap_err();
    assert!(matches!(&error, Error::NoOrganization { org, .. } if org == "my-orgg"), "{error}");
    assert!(error.hint().contains("--org"));

    let unpaid = Emulator::builder().not_entitled().start().await.unwrap();
    let error = Client::of(&unpaid).reader.snapshot().await.unwrap_err();
    assert!(matches!(error, Error::Forbidden { what: "policies", .. }), "{error}");

    let groups = Calls::Operation(Operation::Docker(DockerOperation::ListGroups));
    emulator.arm(Fault::new(FaultKind::Refuse(Answer::status(403))).on(groups));
    let error = Client::of(&emulator).reader.snapshot().await.unwrap_err();
    assert!(matches!(error, Error::Forbidden { what: "teams", .. }), "{error}");
}

#[tokio::test]
async fn pages_may_be_odd() {
    let empty = r#"{"data":[],"next_page_token":null}"#;
    let table: [(&[&str], Result<usize, &str>); 8] = [
        (&[empty], Ok(0)),
        (&[r#"{"data":[]}"#], Ok(0)), // the token may be absent
        (&[r#"{"data":[],"next_page_token":""}"#], Ok(0)), // or empty
        (&[r#"{"data":[],"next_page_token":"a"}"#, empty], Ok(0)), // an empty page is not the last
        (
            &[r#"{"data":[],"next_page_token":"a"}"#, r#"{"data":[],"next_page_token":"a"}"#],
            Err("repeats the pages"),
        ),
        (&["{}"], Err("missing field `data`")), // an answer without a list is not an empty list
        (&["[]"], Err("cannot read")),
        (&[r#"{"data":[{"id":"p","org":"other"}]}"#], Err("policies of `other`")),
    ];
    for (pages, expected) in table {
        let owned: Vec<String> = pages.iter().map(|&page| page.to_owned()).collect();
        let page = std::sync::atomic::AtomicUsize::new(0);
        let odd = Odd::start(move |_, request| match request.path.contains("/groups") {
            true => json(200, r#"{"results":[],"next":null}"#),
            false => json(
                200,
                &owned[page.fetch_add(1, std::sync::atomic::Ordering::SeqCst).min(owned.len() - 1)],
            ),
        })
        .await;
        let client = Client::new(&odd.base(), "someone", SECRET, "my-org", limits());
        match (client.reader.live().await, expected) {
            (Ok(live), Ok(policies)) => assert_eq!(live.policies.len(), policies, "{pages:?}"),
            (Err(error), Err(says)) => {
                assert!(error.to_string().contains(says), "{pages:?}: {error}")
            }
            (result, _) => panic!("{pages:?}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn the_next_page_of_teams_is_asked_for_at_home_only() {
    let elsewhere = Odd::start(|_, _| json(200, r#"{"results":[],"next":null}"#)).await;
    let link = format!("{}/orgs/my-org/groups?page=2", elsewhere.base());
    let odd =
        Odd::start(move |_, _| json(200, &format!(r#"{{"results":[],"next":"{link}"}}"#))).await;
    let client = Client::new(&odd.base(), "someone", SECRET, "my-org", limits());
    let error = client.reader.teams().await.unwrap_err();
    assert!(error.to_string().contains("redirect to"), "{error}");
    assert_eq!(elsewhere.seen().len(), 0);

    let odd =
        Odd::start(|_, _| json(200, r#"{"results":[],"next":"/v2/orgs/my-org/groups?page=2"}"#))
            .await;
    let client = Client::new(&odd.base(), "someone", SECRET, "my-org", limits());
    let error = client.reader.teams().await.unwrap_err();
    assert!(matches!(error, Error::EndlessPages { what: "teams", .. }), "{error}");
}

#[tokio::test]
async fn what_the_service_may_add_or_leave_out_changes_nothing() {
    let bare = r#"{"id":"p","name":"n"}"#;
    let full = r#"{"id":"p","name":"n","org":"My-Org","scope":{"teams":null,"new":1},"created_at":"x","updated_at":"y",
        "allowlist_v0":{"rules":[]},"cedar_v1":null,"mode":"audit"}"#;
    let unknown = r#"{"id":"p","name":"n","allowlist_v0":{"rules":[
        {"id":"r","name":"","decision":"deny","actions":["summon:demon"],"circle":"salt"}]}}"#;
    let vague = r#"{"id":"p","name":"n","allowlist_v0":{"rules":[
        {"id":"r","name":"x","decision":"deny","actions":["read"]}]}}"#;
    let both = r#"{"id":"p","name":"n","cedar_v1":{"text":"permit(principal, action, resource);","schema_url":"s"},
        "allowlist_v0":{"rules":[{"id":"r","name":"x","decision":"deny","actions":["read"],"resources":["/"]}]}}"#;
    let maybe = unknown.replace("deny", "maybe");
    let table = [
        (bare, Ok(0)),
        (full, Ok(0)),
        (unknown, Ok(1)), // a later version's action is kept
        (vague, Err("neither `resources` nor `http_resources`")), // a rule is never read as saying less than it does
        (both, Err("both rules and Cedar text")),
        (&maybe, Err("unknown variant `maybe`")),
        ("{}", Err("missing field `id`")),
    ];
    for (policy, expected) in table {
        let owned = policy.to_owned();
        let odd = Odd::start(move |_, request| match request.path.split('?').next() {
            Some(path) if path.ends_with("/groups") => json(200, r#"{"results":[],"next":null}"#),
            Some(path) if path.ends_with("/policies") => {
                json(200, r#"{"data":[{"id":"p"}],"next_page_token":null}"#)
            }
            _ => json(200, &owned),
        })
        .await;
        let client = Client::new(&odd.base(), "someone", SECRET, "my-org", limits());
        match (client.reader.live().await, expected) {
            (Ok(live), Ok(rules)) => assert_eq!(live.policies[0].rules().len(), rules, "{policy}"),
            (Err(error), Err(says)) => {
                assert!(error.to_string().contains(says), "{policy}: {error}")
            }
            (result, _) => panic!("{policy}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn a_snapshot_is_the_same_bytes_read_back_and_seeded() {
    let emulator = organization(12).await;
    let text = Client::of(&emulator).reader.snapshot().await.unwrap().text();
    let snapshot = Snapshot::parse(&text).unwrap();
    assert_eq!(snapshot.text(), text);
    let live = snapshot.docker.unwrap().live().unwrap();
    let meaning =
        Snapshot::parse(&Snapshot::from(&live).text()).unwrap().docker.unwrap().live().unwrap();
    assert_eq!(meaning, live); // times and names of the organization aside, a snapshot can be made from the meaning

    let again =
        Emulator::builder().seed(Snapshot::parse(&text).unwrap().into()).start().await.unwrap();
    assert_eq!(Client::of(&again).reader.snapshot().await.unwrap().text(), text);
}

#[test]
fn an_invalid_snapshot_names_the_place() {
    let twice = r#"{"format_version":1,"docker":{"org":"o","teams":[],"policies":[
        {"id":"p","name":"a"},{"id":"p","name":"b"}]}}"#;
    let table = [
        ("{", "not a snapshot: EOF while parsing an object at line 1 column 1"),
        (r#"{"format_version":2,"docker":{}}"#, "the snapshot has format version 2"),
        (r#"{"format_version":1}"#, "not a snapshot: it holds neither `docker` nor `vijil`"),
        (twice, "the snapshot has two policies of id `p`"),
    ];
    for (text, says) in table {
        assert_eq!(Snapshot::parse(text).unwrap_err().to_string(), says);
    }
}
