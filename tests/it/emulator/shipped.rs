//! The shipped client against the emulator.

use std::time::{Duration, Instant};

use seawall::emulator::docker::{Allowlist, Policy, Rule, Scope};
use seawall::emulator::{Builder, Emulator, Running, Seed};
use seawall::model::{Decision, Team};
use seawall::service::docker::{Credentials, Reader, Snapshot, endpoint};
use seawall::service::http::{self, Connection};
use serde_json::json;

use super::{Fixture, POLICIES, policy};

fn reader(emulator: &Running) -> Reader {
    let authorization =
        Credentials::new(emulator.identifier(), emulator.secret().into()).authorization();
    let base = endpoint(&emulator.base_url()).unwrap();
    let connection = Connection::new(base, authorization, http::Limits::default()).unwrap();
    Reader::new(http::Reader::new(connection), emulator.org())
}

/// An organization of the service's full size: 100 policies of 250 rules.
fn full() -> Seed {
    let rule = |number: usize| Rule {
        id: String::new(),
        name: format!("allow mirror {number}"),
        actions: vec!["connect:tcp".to_owned()],
        resources: Some(vec![format!("mirror-{number}.example.com:443")]),
        http_resources: None,
        decision: Decision::Allow,
    };
    let policy = |number: usize| Policy {
        id: String::new(),
        name: format!("policy {number}"),
        org: String::new(),
        scope: Scope::default(),
        created_at: String::new(),
        updated_at: String::new(),
        allowlist_v0: Some(Allowlist {
            domain: Some("network".to_owned()),
            rules: (0..250).map(rule).collect(),
        }),
        cedar_v1: None,
    };
    let teams = (0..40)
        .map(|number| Team { id: format!("id-{number}"), name: format!("team {number}") })
        .collect();
    Seed {
        org: Some("my-org".to_owned()),
        teams,
        policies: (0..100).map(policy).collect(),
        vijil: Vec::new(),
    }
}

async fn started(set_up: impl FnOnce(Builder) -> Builder) -> Running {
    set_up(Emulator::builder()).start().await.unwrap()
}

#[tokio::test]
async fn a_snapshot_makes_the_same_organization_again() {
    let first = started(|builder| builder.seed(full())).await;
    let start = Instant::now();
    let snapshot = reader(&first).snapshot().await.unwrap();
    println!("100 policies of 250 rules were read in {:?}", start.elapsed());
    let docker = snapshot.docker.as_ref().unwrap();
    assert_eq!((docker.policies.len(), docker.teams.len()), (100, 40));
    assert!(first.most_in_flight() <= http::Limits::default().concurrency);

    let text = snapshot.text();
    let second = started(|builder| builder.seed(Seed::from(Snapshot::parse(&text).unwrap()))).await;
    assert_eq!(reader(&second).snapshot().await.unwrap().text(), text);
}

#[tokio::test]
async fn ids_of_a_seed_are_never_given_to_new_objects() {
    let first = Fixture::new().await;
    let id = first.policy("seeded").await;
    first.rule(&id, "seeded").await;
    let snapshot = reader(&first.emulator).snapshot().await.unwrap();
    // A fresh emulator counts from the start again.
    let second = Fixture::with(|builder| builder.seed(Seed::from(snapshot))).await;
    second.policy("new").await;
    second.rule(&id, "new").await;
    assert_eq!(second.get(&policy(&id)).await.body["name"], json!("seeded"));
    assert_eq!(second.get(POLICIES).await.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(
        second.get(&policy(&id)).await.body["allowlist_v0"]["rules"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn the_client_is_met_by_latency_as_by_distance() {
    let emulator = started(|builder| builder.seed(full()).latency(Duration::from_millis(5))).await;
    let start = Instant::now();
    reader(&emulator).snapshot().await.unwrap();
    // A login, one page of policies, the policies eight at a time.
    assert!(start.elapsed() >= Duration::from_millis(5 * 14), "{:?}", start.elapsed());
}
