//! The time of a snapshot of a full organization, against the same GETs sent bare with as many in
//! flight.
//!
//! 100 policies, 50 ms a call, 8 calls in flight. A plan may take at most 1.3 times the time of its
//! own reads.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints and stops"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use seawall::emulator::{Emulator, Running};
use seawall::service::docker::{Credentials, Reader, Snapshot};
use seawall::service::http::{self, BaseUrl, Connection, Limits};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const POLICIES: usize = 100;
const RULES: usize = 250;
const LATENCY: Duration = Duration::from_millis(50);
const IN_FLIGHT: usize = 8;

#[tokio::main]
async fn main() {
    let emulator = Emulator::builder()
        .seed(Snapshot::parse(&organization()).unwrap().into())
        .account("someone", "secret")
        .latency(LATENCY)
        .start()
        .await
        .unwrap();
    shipped(&emulator).await; // warm, and the process has its provider of cryptography
    let mut ratios = Vec::new();
    for _ in 0..5 {
        let (bare, shipped) = (bare(&emulator).await, shipped(&emulator).await);
        ratios.push(shipped.as_secs_f64() / bare.as_secs_f64());
        println!(
            "the same GETs, bare: {bare:>7.0?}    snapshot: {shipped:>7.0?}    {:.2} times",
            ratios.last().unwrap()
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("median: {:.2} times the time of its own reads (at most 1.3)", ratios.get(2).unwrap());
    assert!(*ratios.get(2).unwrap() <= 1.3);
}

/// The login, the list and the teams, then every policy, 8 at a time.
async fn bare(emulator: &Running) -> Duration {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let base = emulator.base_url();
    let started = Instant::now();
    let login = json!({"identifier": emulator.identifier(), "secret": emulator.secret()});
    let login = client
        .post(format!("{base}/auth/token"))
        .json(&login)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let login: serde_json::Value = serde_json::from_slice(&login).unwrap();
    let token = login.get("access_token").unwrap().as_str().unwrap().to_owned();
    let org = format!("{base}/orgs/my-org");
    let mut paths = vec![format!("{org}/groups"), format!("{org}/governance/policies")];
    paths.extend((0..POLICIES).map(|number| format!("{org}/governance/policies/pol_{number}")));
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut reads = JoinSet::new();
    for path in paths {
        let (client, token, permits) = (client.clone(), token.clone(), Arc::clone(&permits));
        reads.spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            let answer = client.get(path).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.bytes().await.unwrap();
        });
    }
    reads.join_all().await;
    started.elapsed()
}

async fn shipped(emulator: &Running) -> Duration {
    let started = Instant::now();
    let credentials = Credentials::new(emulator.identifier(), emulator.secret().to_owned().into());
    let limits = Limits { concurrency: IN_FLIGHT, ..Limits::default() };
    let base = BaseUrl::parse(&emulator.base_url()).unwrap();
    let connection = Connection::new(base, credentials.authorization(), limits).unwrap();
    let live = Reader::new(http::Reader::new(connection), "my-org").live().await.unwrap();
    assert_eq!(live.policies.len(), POLICIES);
    started.elapsed()
}

fn organization() -> String {
    let rule = |policy: usize, rule: usize| {
        json!({"id": format!("rule_{policy}_{rule}"), "name": format!("rule {rule}"), "decision": "allow",
               "actions": ["connect:tcp"], "resources": [format!("host-{rule}.example.com:443")]})
    };
    let policy = |policy: usize| {
        let rules: Vec<_> = (0..RULES).map(|number| rule(policy, number)).collect();
        json!({"id": format!("pol_{policy}"), "name": format!("policy {policy}"),
               "allowlist_v0": {"domain": "network", "rules": rules}})
    };
    let policies: Vec<_> = (0..POLICIES).map(policy).collect();
    json!({"format_version": 1, "docker": {"org": "my-org", "teams": [], "policies": policies}})
        .to_string()
}
