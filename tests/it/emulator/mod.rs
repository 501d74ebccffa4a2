//! The emulator over a real socket, through a plain HTTP client that shares nothing with the
//! shipped one.

mod audit;
mod command;
mod contract;
mod durable;
mod faults;
mod groups;
mod policies;
mod rules;
mod shipped;
mod tokens;
mod vijil;

use std::path::Path;

use jiff::Timestamp;
use reqwest::Method;
use seawall::emulator::{Builder, Emulator, Running};
use seawall::source::disk::open_state;
use serde_json::{Value, json};

use contract::Contract;

/// An emulator with two teams, and a caller who is logged in as its owner.
struct Fixture {
    emulator: Running,
    http: reqwest::Client,
    token: String,
    contract: Contract,
}

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let builder = Emulator::builder()
            .org("my-org")
            .teams(["research", "platform"])
            .account("owner", "pat");
        let emulator = set_up(builder).start().await.unwrap();
        let mut fixture =
            Self { emulator, http: http(), token: String::new(), contract: Contract::load() };
        fixture.log_in("owner", "pat").await;
        fixture
    }

    async fn log_in(&mut self, identifier: &str, secret: &str) {
        let body = json!({"identifier": identifier, "secret": secret});
        let answer = self.send(Method::POST, "/auth/token", Some(body)).await.unwrap();
        self.token = answer.body["access_token"].as_str().unwrap_or_default().to_owned();
    }

    /// Sends a call, and holds the answer of the governance API against its contract.
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let answer = self.send(method.clone(), path, body.clone()).await.unwrap();
        self.contract.check(&method, path, body.as_ref(), &answer);
        answer
    }

    /// Sends a call whose connection may break.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.emulator.base_url())
        };
        let mut request = self.http.request(method, url);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?;
        Ok(Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// Makes a policy and gives its id.
    async fn policy(&self, name: &str) -> String {
        self.post(POLICIES, json!({"name": name})).await.expect(201).id()
    }

    /// Makes a network rule and gives its id.
    async fn rule(&self, policy: &str, name: &str) -> String {
        self.post(&rules(policy), network_rule(name)).await.expect(201).id()
    }
}

impl Answer {
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// A refusal in the envelope of the governance API.
    #[track_caller]
    fn refused(self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.body["error"]["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
    }

    fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

const POLICIES: &str = "/orgs/my-org/governance/policies";
const GROUPS: &str = "/orgs/my-org/groups";

fn policy(id: &str) -> String {
    format!("{POLICIES}/{id}")
}

fn rules(policy: &str) -> String {
    format!("{POLICIES}/{policy}/rules")
}

fn rule(policy: &str, id: &str) -> String {
    format!("{POLICIES}/{policy}/rules/{id}")
}

fn network_rule(name: &str) -> Value {
    json!({"name": name, "actions": ["connect:tcp"], "resources": ["cve.mitre.org"], "decision": "allow"})
}

fn http_rule(name: &str) -> Value {
    let target = json!({"host": "api.github.com", "port": 443, "path": "/repos/**"});
    json!({"name": name, "actions": ["request:get"], "http_resources": [target], "decision": "allow"})
}

fn file_rule(name: &str) -> Value {
    json!({"name": name, "actions": ["read", "write"], "resources": ["/data"], "decision": "deny"})
}

/// A clock that stands still at this moment, until it is moved on.
fn manual(start: &str) -> impl Fn() -> Timestamp + Send + Sync + 'static {
    let now = start.parse().unwrap();
    move || now
}

/// Keeps the state in this file.
fn stored(builder: Builder, path: &Path) -> Builder {
    builder.state(path, open_state(path).unwrap())
}

fn http() -> reqwest::Client {
    // The client asks for a provider of TLS even where it only ever speaks plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
