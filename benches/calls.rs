//! The time of a plan's reads, and of an apply that changes 52 rules, against the same calls sent
//! bare with as many in flight.
//!
//! 50 ms a call, 8 calls in flight. The reads of a full organization, 100 policies of 250 rules,
//! take at most 1.2 times the time of the same GETs. An apply, with the reads and the plan before
//! it, takes at most 1.3 times the time of the reads and writes that it needs.
//!
//! The bare client waits only where nobody can do without: for its token, and for the list, since
//! no document knows the ids of live policies. It does not do what makes an apply safe: list the
//! policies again after they were read, and read each one again before it is changed.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints and stops"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use seawall::emulator::{Emulator, Running};
use seawall::execute::{Approved, Readers, execute};
use seawall::exit::Exit;
use seawall::model::{Desired, Guards, Ownership};
use seawall::plan;
use seawall::plan::guard::Guard;
use seawall::service::docker::{Credentials, Reader, Snapshot};
use seawall::service::http::{self, BaseUrl, Connection, Limits};
use seawall::workspace::{self, EmptyWorkspace};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

const LATENCY: Duration = Duration::from_millis(50);
const IN_FLIGHT: usize = 8;
const RUNS: usize = 5;
const ORG: &str = "my-org";
/// A full organization: policies, and rules in each.
const FULL: (usize, usize) = (100, 250);
/// An organization of which every rule changes.
const CHANGED: (usize, usize) = (4, 13);

#[tokio::main]
async fn main() {
    let emulator = start(FULL).await;
    read(&emulator, FULL.0).await; // warm, and the process has its provider of cryptography
    let mut reads = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        Bare::new(&emulator).await.read(FULL.0).await;
        let bare = started.elapsed();
        reads.push(ratio("a snapshot", bare, read(&emulator, FULL.0).await));
    }

    let emulator = start(CHANGED).await;
    let mut applies = Vec::new();
    for run in 0..RUNS {
        let started = Instant::now();
        let client = Bare::new(&emulator).await;
        client.read(CHANGED.0).await;
        client.write(&format!("bare-{run}")).await;
        let bare = started.elapsed();
        applies.push(ratio("an apply", bare, apply(&emulator, &format!("own-{run}")).await));
    }

    assert!(median("a snapshot", reads) <= 1.2, "at most 1.2 times");
    assert!(median("an apply", applies) <= 1.3, "at most 1.3 times");
}

fn ratio(what: &str, bare: Duration, own: Duration) -> f64 {
    let ratio = own.as_secs_f64() / bare.as_secs_f64();
    println!("the same calls, bare: {bare:>7.0?}    {what}: {own:>7.0?}    {ratio:.2} times");
    ratio
}

fn median(what: &str, mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    let median = *ratios.get(RUNS / 2).unwrap();
    println!("median of {what}: {median:.2} times the time of its own calls");
    median
}

/// The service with an organization of so many policies of so many rules.
async fn start((policies, rules): (usize, usize)) -> Running {
    let seed = Snapshot::parse(&organization(policies, rules)).unwrap();
    let builder = Emulator::builder().seed(seed.into()).account("someone", "secret");
    builder.latency(LATENCY).start().await.unwrap()
}

/// A client that sends what it is told to, with a token of its own.
struct Bare {
    client: reqwest::Client,
    org: String,
    token: String,
}

impl Bare {
    async fn new(emulator: &Running) -> Self {
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let base = emulator.base_url();
        let login = json!({"identifier": emulator.identifier(), "secret": emulator.secret()});
        let login = client.post(format!("{base}/auth/token")).json(&login).send().await.unwrap();
        let login: Value = serde_json::from_slice(&login.bytes().await.unwrap()).unwrap();
        let token = login.get("access_token").unwrap().as_str().unwrap().to_owned();
        Self { client, org: format!("{base}/orgs/{ORG}"), token }
    }

    /// The list and the teams, then every policy.
    async fn read(&self, policies: usize) {
        let get = |path: String| (Method::GET, path, None);
        self.send(["groups", "governance/policies"].map(str::to_owned).map(get).into_iter()).await;
        let each = (0..policies).map(|policy| format!("governance/policies/pol_{policy}"));
        self.send(each.map(get)).await;
    }

    /// Every rule.
    async fn write(&self, version: &str) {
        let (policies, rules) = CHANGED;
        let all = (0..policies).flat_map(|policy| (0..rules).map(move |rule| (policy, rule)));
        let calls = all.map(|(policy, rule)| {
            let path = format!("governance/policies/pol_{policy}/rules/rule_{policy}_{rule}");
            (Method::PATCH, path, Some(json!({"resources": [host(rule, version)]})))
        });
        self.send(calls).await;
    }

    async fn send(&self, calls: impl Iterator<Item = (Method, String, Option<Value>)>) {
        let permits = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut answers = JoinSet::new();
        for (method, path, body) in calls {
            let call = self.client.request(method, format!("{}/{path}", self.org));
            let call = call.bearer_auth(&self.token);
            let call = body.iter().fold(call, |call, body| call.json(body));
            let permits = Arc::clone(&permits);
            answers.spawn(async move {
                let _permit = permits.acquire().await.unwrap();
                let answer = call.send().await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.bytes().await.unwrap();
            });
        }
        answers.join_all().await;
    }
}

fn reader(emulator: &Running) -> Reader {
    let credentials = Credentials::new(emulator.identifier(), emulator.secret().to_owned().into());
    let limits = Limits { concurrency: IN_FLIGHT, ..Limits::default() };
    let base = BaseUrl::parse(&emulator.base_url()).unwrap();
    let connection = Connection::new(base, credentials.authorization(), limits).unwrap();
    Reader::new(http::Reader::new(connection), ORG)
}

async fn read(emulator: &Running, policies: usize) -> Duration {
    let started = Instant::now();
    let live = reader(emulator).live().await.unwrap();
    assert_eq!(live.policies.len(), policies);
    started.elapsed()
}

async fn apply(emulator: &Running, version: &str) -> Duration {
    let desired = desired(version);
    let started = Instant::now();
    let reader = reader(emulator);
    let live = reader.live().await.unwrap();
    let target = plan::docker::Target { org: ORG.to_owned(), endpoint: emulator.base_url() };
    let (ownership, guards) = (Ownership::default(), Guards::default());
    let side = plan::docker::Input {
        target: &target,
        desired: &desired,
        live: &live,
        ownership: &ownership,
    };
    let plan = plan::make(plan::Input { docker: Some(side), ..plan::Input::new(&guards) }).unwrap();
    let steps = plan.docker_steps().len();
    assert_eq!(steps, CHANGED.0 * CHANGED.1);
    let lifted = [Guard::DenyWidening].into();
    let approved = Approved::new(plan, &lifted).unwrap();
    let (_stop, stopped) = watch::channel(false);
    let readers = Readers { docker: Some(&reader), ..Readers::default() };
    let outcome = execute(&approved, readers, stopped, &mut |_| {}).await;
    assert_eq!(outcome.exit(), Exit::Done);
    started.elapsed()
}

fn host(rule: usize, version: &str) -> String {
    format!("{version}.host-{rule}.example.com:443")
}

/// Documents that want another host in every rule.
fn desired(version: &str) -> Desired {
    let folder = tempfile::TempDir::new().unwrap();
    let rule = |number: usize| {
        json!({"name": format!("rule {number}"), "decision": "allow", "actions": ["connect:tcp"],
               "resources": [host(number, version)]})
    };
    let rules: Vec<Value> = (0..CHANGED.1).map(rule).collect();
    for policy in 0..CHANGED.0 {
        let document = json!({"apiVersion": "seawall/v1", "kind": "NetworkPolicy",
                              "name": format!("policy {policy}"), "rules": rules});
        std::fs::write(folder.path().join(format!("{policy}.yaml")), document.to_string()).unwrap();
    }
    let settings = format!("apiVersion: seawall/v1\nkind: Workspace\ndocker: {{org: {ORG}}}\n");
    std::fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    workspace::load(folder.path(), None, EmptyWorkspace::Refused).unwrap().desired
}

fn organization(policies: usize, rules: usize) -> String {
    let rule = |policy: usize, rule: usize| {
        json!({"id": format!("rule_{policy}_{rule}"), "name": format!("rule {rule}"), "decision": "allow",
               "actions": ["connect:tcp"], "resources": [format!("host-{rule}.example.com:443")]})
    };
    let policy = |policy: usize| {
        let rules: Vec<Value> = (0..rules).map(|number| rule(policy, number)).collect();
        json!({"id": format!("pol_{policy}"), "name": format!("policy {policy}"),
               "allowlist_v0": {"domain": "network", "rules": rules}})
    };
    let policies: Vec<Value> = (0..policies).map(policy).collect();
    json!({"format_version": 1, "docker": {"org": ORG, "teams": [], "policies": policies}})
        .to_string()
}
