//! Carrying plans out over a real socket: the shipped client, reader and writer against the
//! emulator, with a clock that does not wait.

mod access_tests;
mod asked;
mod changes;
mod command;
mod converge;
mod every_call;
mod judge;
mod over_time;
mod process;
mod reads;
mod renamed_teams;
mod right_to_write;
mod saved;
mod time_outs;
mod writers;

use std::path::Path;
use std::sync::{Arc, Mutex};

use seawall::emulator::{Builder, Calls, Edit, Emulator, Fault, FaultKind, Running, State};
use seawall::execute::{Approved, Outcome, Readers, execute};
use seawall::exit::Exit;
use seawall::model::{Desired, Live, Ownership};
use seawall::plan::docker::teams;
use seawall::plan::guard::Guard;
use seawall::plan::{self, Plan};
use seawall::seed;
use seawall::service::docker::{Credentials, Reader, endpoint};
use seawall::service::http::{self, Clock, Connection, Limits};
use seawall::workspace::{self, EmptyWorkspace};
use tokio::sync::watch;

const ORG: &str = "my-org";
const TEAMS: [&str; 3] = ["research", "platform", "sales"];

/// An organization on its way from what some documents say to what others say.
struct Organization {
    emulator: Running,
    clock: Clock,
    limits: Limits,
    /// The states after each call, beginning with the first.
    passed: Arc<Mutex<Vec<State>>>,
}

/// The end of one apply.
#[derive(Debug)]
enum Ending {
    /// The plan was carried out, or some of it.
    Outcome(Box<Plan>, Outcome),
    /// There was no plan: the state could not be read, or lacks a team that the documents name.
    #[expect(dead_code, reason = "for the message of a test that fails")]
    Unread(String),
}

impl Ending {
    fn exit(&self) -> Exit {
        match self {
            Self::Outcome(_, outcome) => outcome.exit(),
            Self::Unread(_) => Exit::Failed,
        }
    }
}

impl Organization {
    /// An organization as these documents want it.
    async fn new(before: &Desired, set_up: impl FnOnce(Builder) -> Builder) -> Self {
        Self::with_limits(before, Limits::default(), set_up).await
    }

    async fn with_limits(
        before: &Desired,
        limits: Limits,
        set_up: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let clock = Clock::manual("2026-04-22T00:00:00Z".parse().unwrap());
        let seed = seed::from_desired(ORG, before, TEAMS.map(str::to_owned).to_vec());
        let time = clock.clone();
        let builder = Emulator::builder().org(ORG).seed(seed).clock(move || time.now());
        let emulator = set_up(builder).start().await.unwrap();
        let passed = Arc::new(Mutex::new(vec![emulator.state()]));
        let organization = Self { emulator, clock, limits, passed };
        organization.watch();
        organization
    }

    /// A client as a new process has it.
    fn reader(&self) -> Reader {
        self.reader_at(&self.emulator.base_url())
    }

    /// The same behind another address.
    fn reader_at(&self, base: &str) -> Reader {
        let credentials =
            Credentials::new(self.emulator.identifier(), self.emulator.secret().to_owned().into());
        let base = endpoint(base).unwrap();
        let (limits, clock) = (self.limits.clone(), self.clock.clone());
        let connection =
            Connection::with(base, credentials.authorization(), limits, clock, None).unwrap();
        Reader::new(http::Reader::new(connection), ORG)
    }

    /// Notes the state before each call, beside the faults that are armed.
    fn watch(&self) {
        let passed = Arc::clone(&self.passed);
        let note = Edit::new(move |state| {
            let mut passed = passed.lock().unwrap();
            if passed.last() != Some(state) {
                passed.push(state.clone());
            }
        });
        self.emulator.arm(Fault::new(FaultKind::Edit(note)).on(Calls::Any));
    }

    /// Takes the faults away.
    fn heal(&self) {
        self.emulator.disarm();
        self.watch();
    }

    /// The states that the organization passed through, the one of now last.
    fn passed(&self) -> Vec<State> {
        let mut passed = self.passed.lock().unwrap().clone();
        passed.push(self.emulator.state());
        passed
    }

    async fn plan(&self, desired: &Desired) -> Result<Plan, seawall::service::docker::Error> {
        Ok(make(desired, &self.reader().live().await?))
    }

    async fn apply(&self, desired: &Desired) -> Ending {
        apply(&self.reader(), desired).await
    }
}

async fn apply(reader: &Reader, desired: &Desired) -> Ending {
    match reader.live().await {
        Ok(live) => match teams::resolve(desired, &live) {
            Ok(_) => carry_out(reader, make(desired, &live)).await,
            Err(errors) => Ending::Unread(format!("{errors:?}")),
        },
        Err(error) => Ending::Unread(error.to_string()),
    }
}

async fn carry_out(reader: &Reader, plan: Plan) -> Ending {
    let approved = Approved::new(plan, &[Guard::DenyWidening].into()).unwrap();
    let (_stop, stopped) = watch::channel(false);
    let outcome = execute(
        &approved,
        Readers { docker: Some(reader), ..Readers::default() },
        stopped,
        &mut |_| {},
    )
    .await;
    Ending::Outcome(Box::new(approved.plan().clone()), outcome)
}

/// The plan from this state to these documents, whose undeclared policies go.
fn make(desired: &Desired, live: &Live) -> Plan {
    let desired = teams::resolve(desired, live).unwrap();
    let side = plan::docker::Input {
        target: &plan::docker::Target { org: ORG.to_owned(), endpoint: "embedded".to_owned() },
        desired: &desired,
        live,
        ownership: &Ownership {
            exclusive: true,
            unmanaged: vec!["theirs*".to_owned()],
            owns: None,
        },
    };
    plan::make(plan::Input { docker: Some(side), ..plan::Input::new(&Default::default()) }).unwrap()
}

/// The desired state of documents; empty without documents.
fn desired(documents: &str) -> Desired {
    if documents.is_empty() {
        return Desired::default();
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policies.yaml"), documents).unwrap();
    load(folder.path())
}

fn load(folder: &Path) -> Desired {
    let settings = format!("apiVersion: seawall/v1\nkind: Workspace\ndocker: {{org: {ORG}}}\n");
    std::fs::write(folder.join("seawall.yaml"), settings).unwrap();
    match workspace::load(folder, None, EmptyWorkspace::Refused) {
        Ok(loaded) => loaded.desired,
        Err(findings) => panic!(
            "{}",
            seawall::render::diagnostic::human(
                &findings,
                folder,
                seawall::render::plan::View { width: 140, all: true, folder: "" }
            )
        ),
    }
}
