//! The shipped clients over real sockets: against the emulator, and against servers that do what no
//! service should.

mod bounds;
mod command;
mod credentials;
mod docker;
mod echo;
mod odd;
mod transport;
mod vijil;
mod writes;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::emulator::Running;
use seawall::service::docker::{Credentials, Reader};
use seawall::service::http::{self, BaseUrl, Clock, Connection, Limits, Waiting};

/// A secret that is looked for in everything that is said.
const SECRET: &str = "dckr_pat_\"do not\\show>me";

/// A client with a clock that does not wait, and what it was told of its waits.
struct Client {
    reader: Reader,
    http: http::Reader,
    clock: Clock,
    waits: Arc<Mutex<Vec<Waiting>>>,
}

impl Client {
    fn new(base: &str, identifier: &str, secret: &str, org: &str, limits: Limits) -> Self {
        let clock = Clock::manual("2026-10-21T07:28:00Z".parse().unwrap());
        let waits: Arc<Mutex<Vec<Waiting>>> = Arc::default();
        let seen = Arc::clone(&waits);
        let observer: http::Observer =
            Arc::new(move |wait: &Waiting| seen.lock().unwrap().push(wait.clone()));
        let authorization = Credentials::new(identifier, secret.to_owned().into()).authorization();
        let base = BaseUrl::parse(base).unwrap();
        let connection =
            Connection::with(base, authorization, limits, clock.clone(), Some(observer)).unwrap();
        let http = http::Reader::new(connection);
        Self { reader: Reader::new(http.clone(), org), http, clock, waits }
    }

    fn of(emulator: &Running) -> Self {
        Self::new(
            &emulator.base_url(),
            emulator.identifier(),
            emulator.secret(),
            emulator.org(),
            limits(),
        )
    }

    fn waits(&self) -> Vec<Waiting> {
        self.waits.lock().unwrap().clone()
    }
}

/// The limits of the shipped client, but for what a test would wait for.
fn limits() -> Limits {
    Limits { request: Duration::from_secs(5), ..Limits::default() }
}

/// The right to write that an approved plan gives, here one of nothing.
fn access() -> http::WriteAccess {
    let target =
        seawall::plan::docker::Target { org: "my-org".to_owned(), endpoint: "embedded".to_owned() };
    let docker = seawall::plan::docker::Input {
        target: &target,
        desired: &Default::default(),
        live: &Default::default(),
        ownership: &Default::default(),
    };
    let guards = Default::default();
    let input = seawall::plan::Input { docker: Some(docker), ..seawall::plan::Input::new(&guards) };
    let plan = seawall::plan::make(input).unwrap();
    http::WriteAccess::granted_by(
        &seawall::execute::Approved::new(plan, &Default::default()).unwrap(),
    )
}
