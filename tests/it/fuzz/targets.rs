//! What reads the inputs. Each target goes on with what it read, as the program does, and returns
//! the outcome in short.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use seawall::access::{Comparison, Request, cedar, compare};
use seawall::diagnostic::{Findings, Overlay};
use seawall::emulator::Fault;
use seawall::evidence::{self, Input};
use seawall::format::{self, Layout};
use seawall::model::{
    Action, Body, Cedar, Decision, Desired, HttpResource, Live, Ownership, Policy, Resources, Rule,
    Scope, TeamDirectory,
};
use seawall::plan::{self, Plan, stale};
use seawall::render;
use seawall::service::http::{self, Authorization, BaseUrl, Clock, Connection, Limits};
use seawall::service::{docker, vijil};
use seawall::workspace::{self, EmptyWorkspace};

/// A folder with the settings of a workspace.
static WORKSPACE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let settings = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: my-org}\nvijil: {}\n";
    std::fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    folder
});

/// The most rules and requests of an input, and the bytes of each: how comparing grows is for the
/// benchmarks to say.
const LINES: usize = 8;
const LINE: usize = 60;

/// A text without what an input chooses freely: what stands in quotes, and numbers.
fn short(text: impl ToString) -> String {
    let text = text.to_string();
    let parts = text.split('`').step_by(2).collect::<Vec<_>>().join("``");
    let digits = parts.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter });
    digits.take(200).collect()
}

/// The codes of findings, once every renderer has said them.
fn codes(findings: &Findings) -> String {
    let folder = WORKSPACE.path();
    black_box([
        render::diagnostic::human(
            findings,
            folder,
            render::plan::View { width: 140, all: true, folder: "" },
        ),
        render::findings::json(findings, None),
        render::sarif::sarif(findings, folder, None),
        render::github::commands(findings, folder, None),
    ]);
    let codes: BTreeSet<&str> = findings.diagnostics.iter().map(|finding| finding.code).collect();
    codes.into_iter().collect::<Vec<_>>().join(" ")
}

/// The plan from an empty organization to a state; a saved plan is the same.
fn planned(desired: &Desired, live: &Live) -> String {
    let target = plan::docker::Target { org: "my-org".to_owned(), endpoint: "embedded".to_owned() };
    let ownership = Ownership { exclusive: true, ..Ownership::default() };
    let docker = plan::docker::Input { target: &target, desired, live, ownership: &ownership };
    let made =
        plan::make(plan::Input { docker: Some(docker), ..plan::Input::new(&Default::default()) });
    let Ok(made) = made else { return "impossible".to_owned() };
    black_box(render::markdown::plan(&made));
    let text = made.to_json();
    match Plan::from_json(&text) {
        Ok(again) => assert_eq!(again.to_json(), text, "a saved plan says the same"),
        Err(error) => panic!("a plan that was made is read again: {error}: {text}"),
    }
    format!("{} steps", made.docker_steps().len().min(9))
}

/// A file with documents, beside the settings of a workspace.
pub(super) fn document(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input).into_owned();
    let mut findings = Findings::default();
    let file = findings.files.add("policies.yaml", "policies.yaml", &text);
    if let Layout::Text(laid_out) = format::format(file, &text, &mut findings.diagnostics) {
        let again = format::format(file, &laid_out, &mut Vec::new());
        assert_eq!(again, Layout::Text(laid_out), "what is laid out stays as it is");
    }
    let overlay = Overlay::from([("policies.yaml".to_owned(), Some(text))]);
    match workspace::load_over(WORKSPACE.path(), None, EmptyWorkspace::Refused, overlay) {
        Err(findings) => codes(&findings),
        Ok(loaded) => {
            let resolved = plan::docker::teams::resolve(&loaded.desired, &Live::default());
            let plan = resolved.map_or_else(
                |_| "no such team".to_owned(),
                |desired| planned(&desired, &Live::default()),
            );
            format!("{} {plan}", codes(&loaded.findings))
        }
    }
}

/// A `seawall.yaml`.
pub(super) fn settings(input: &[u8]) -> String {
    match workspace::read_settings("seawall.yaml", &String::from_utf8_lossy(input)) {
        Ok(_) => "read".to_owned(),
        Err(findings) => codes(&findings),
    }
}

/// Rules as a service may have them, one a line: `old|new|both allow|deny ACTION RESOURCE`; other
/// lines are requests.
pub(super) fn patterns(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let (mut ends, mut requests) = ([Vec::new(), Vec::new()], Vec::new());
    for (number, line) in text.lines().take(LINES).enumerate() {
        let line = line.get(..LINE).unwrap_or(line);
        let mut words = line.splitn(4, ' ');
        let (Some(side), Some(decision), Some(action), Some(resource)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            requests.push(line);
            continue;
        };
        let decision = if decision == "deny" { Decision::Deny } else { Decision::Allow };
        let resources = match action.starts_with("request:") {
            true => {
                let (host, path) = resource.split_once('/').unwrap_or((resource, ""));
                Resources::Http(vec![HttpResource {
                    host: host.to_owned(),
                    port: None,
                    path: format!("/{path}"),
                }])
            }
            false => Resources::Plain(resource.split(", ").map(str::to_owned).collect()),
        };
        let rule = Rule {
            name: format!("r{number}"),
            decision,
            actions: vec![Action::parse(action)],
            resources,
        };
        for (end, own) in ends.iter_mut().zip(["old", "new"]) {
            if side == own || side == "both" {
                end.push(rule.clone());
            }
        }
    }
    let policy = |rules| Policy {
        name: "p".to_owned(),
        scope: Scope::Organization,
        body: Body::Allowlist(rules),
    };
    let [old, new] = ends.map(|rules| [policy(rules)]);
    let (found, whole) = match compare(&old, &new, &TeamDirectory::default()) {
        Comparison::Complete(changes) => (changes, true),
        Comparison::Incomplete(changes, _) => (changes, false),
    };
    let state = seawall::access::State::new(&new);
    let answers = requests.iter().filter_map(|line| Request::parse(line).ok()).map(|request| {
        let everybody = state.who(&request, &TeamDirectory::default());
        format!(
            "{:?} {:?}",
            state.ask(&BTreeSet::new(), &request).verdict,
            everybody.nobody.verdict
        )
    });
    let answers: Vec<String> = answers.collect();
    let sizes = [&found.widened, &found.narrowed, &found.uncertain].map(Vec::len);
    format!("{sizes:?} {whole} {answers:?}")
}

/// Two Cedar texts with `---` between them.
pub(super) fn cedar(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let (old, new) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let findings: BTreeSet<&str> =
        cedar::examine(old).into_iter().map(|finding| finding.code).collect();
    let statements = cedar::statements(old).map_or(0, |all| all.len());
    let policy = |text: &str| {
        let cedar = Cedar { text: text.to_owned(), schema_url: cedar::SCHEMA_URL.to_owned() };
        [Policy { name: "p".to_owned(), scope: Scope::Organization, body: Body::Cedar(cedar) }]
    };
    let changes = cedar::compare(&policy(old), &policy(new)).len();
    let request =
        cedar::McpRequest::parse(r#"invokeTool a/x {"readOnly": true, "destructive": false}"#)
            .unwrap();
    let answer = cedar::McpPolicies::new(&policy(old)).decide(&BTreeSet::new(), &request);
    format!("{findings:?} {} {} {:?}", statements.min(9), changes.min(9), answer.outcome)
}

/// A saved plan.
pub(super) fn plan(input: &[u8]) -> String {
    match Plan::from_json(&String::from_utf8_lossy(input)) {
        Err(error) => short(error),
        Ok(plan) => {
            let text = plan.to_json();
            assert_eq!(
                Plan::from_json(&text).unwrap().to_json(),
                text,
                "what was read is saved as it was"
            );
            black_box(render::markdown::plan(&plan));
            let stale = plan
                .docker
                .as_ref()
                .map_or(0, |docker| stale::check(docker, &Live::default()).len());
            let again = plan.judged_again(Some(&Live::default()), None);
            let lifted = BTreeSet::new();
            let guards: Vec<_> = again.refusals(&lifted).map(|verdict| verdict.guard).collect();
            format!("read {} {guards:?}", stale.min(9))
        }
    }
}

/// A snapshot.
pub(super) fn snapshot(input: &[u8]) -> String {
    match docker::Snapshot::parse_each(&String::from_utf8_lossy(input)) {
        Err(error) => short(error),
        Ok(all) => {
            let said = all.into_iter().map(|snapshot| {
                assert_eq!(
                    docker::Snapshot::parse(&snapshot.text()).unwrap().text(),
                    snapshot.text()
                );
                let live = snapshot.docker.map(docker::DockerSnapshot::live);
                live.map_or_else(String::new, |live| {
                    live.map_or_else(short, |live| planned(&Desired::default(), &live))
                })
            });
            said.collect::<Vec<_>>().join(", ")
        }
    }
}

/// A file of records, compressed or not.
pub(super) fn records(folder: &Path, input: &[u8]) -> String {
    let name = if input.first() == Some(&b'{') || input.starts_with(&[0x1f]) {
        "records.jsonl"
    } else {
        "records.csv"
    };
    let file = folder.join(name);
    std::fs::write(&file, input).unwrap();
    let raw = evidence::raw(&file).map_or_else(short, |all| all.len().min(9).to_string());
    match evidence::read(&[Input::Path(file)]) {
        Err(error) => short(error),
        Ok(reading) => {
            let why: BTreeSet<String> =
                reading.broken.iter().map(|broken| broken.why.clone()).collect();
            format!("{raw} {why:?} {:?}", reading.requests.window().requests.min(9))
        }
    }
}

/// A record, a reason or a refusal that somebody pasted.
pub(super) fn pasted(input: &[u8]) -> String {
    match evidence::paste(&String::from_utf8_lossy(input)) {
        Ok(_) => "read".to_owned(),
        Err(why) => why.to_owned(),
    }
}

/// A fault of the emulator.
pub(super) fn fault(input: &[u8]) -> String {
    match String::from_utf8_lossy(input).trim_end().parse::<Fault>() {
        Ok(fault) => short(format!("{fault:?}")),
        Err(error) => short(error),
    }
}

/// A request as access tests and `can` have it, for MCP and for all else.
pub(super) fn request(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let other = short(format!("{:?}", Request::parse(&text)));
    let mcp = cedar::McpRequest::parse(&text)
        .map_or_else(|why| short(format!("{why:?}")), |_| "MCP".to_owned());
    format!("{other}, {mcp}")
}

/// A service that answers with an input. Its parts, between lines of `=====`, answer one request
/// after the other, the last one all that follow: a part that begins with `HTTP/` is the whole
/// answer, another one a body of JSON.
pub(super) struct Service {
    base: String,
    input: Arc<Mutex<(usize, Vec<u8>)>>,
    runtime: tokio::runtime::Runtime,
}

impl Service {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v2", listener.local_addr().unwrap());
        let input: Arc<Mutex<(usize, Vec<u8>)>> = Arc::default();
        let shared = Arc::clone(&input);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || stream.map(|stream| answer(stream, &shared)));
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { base, input, runtime }
    }

    fn client(&self, input: &[u8]) -> http::Reader {
        *self.input.lock().unwrap() = (0, input.to_vec());
        let clock = Clock::manual("2026-10-21T07:28:00Z".parse().unwrap());
        let limits = Limits { request: Duration::from_secs(20), ..Limits::default() };
        let authorization = Authorization::Bearer("token".to_owned().into());
        let base = BaseUrl::parse(&self.base).unwrap();
        http::Reader::new(Connection::with(base, authorization, limits, clock, None).unwrap())
    }

    pub(super) fn docker(&self, input: &[u8]) -> String {
        let reader = docker::Reader::new(self.client(input), "my-org");
        match self.runtime.block_on(reader.live()) {
            Err(error) => short(error),
            Ok(live) => planned(&Desired::default(), &live),
        }
    }

    pub(super) fn vijil(&self, input: &[u8]) -> String {
        let live = self.runtime.block_on(vijil::Reader::new(self.client(input)).live());
        live.map_or_else(short, |live| live.policies.len().min(9).to_string())
    }

    pub(super) fn audit(&self, input: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let reader = docker::AuditReader::new(self.client(input), "my-org");
        let files = docker::download::Files::new(folder.path().join("records.jsonl")).unwrap();
        let hour = 3_600_000_000;
        let read =
            self.runtime.block_on(docker::download::download(&reader, &files, hour, &mut |_| {}));
        read.map_or_else(short, |count| count.min(9).to_string())
    }
}

/// Answers one request, and closes the connection.
fn answer(mut stream: TcpStream, shared: &Mutex<(usize, Vec<u8>)>) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => head.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let part = {
        let mut shared = shared.lock().unwrap();
        let parts: Vec<&[u8]> = parts(&shared.1);
        let part = parts[shared.0.min(parts.len() - 1)].to_vec();
        shared.0 += 1;
        part
    };
    let status = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    let whole = if part.starts_with(b"HTTP/") { part } else { [status, part.as_slice()].concat() };
    let _ = stream.write_all(&whole);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

fn parts(input: &[u8]) -> Vec<&[u8]> {
    const BORDER: &[u8] = b"\n=====\n";
    let mut parts = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(BORDER.len()).position(|window| window == BORDER) {
        parts.push(&rest[..at]);
        rest = &rest[at + BORDER.len()..];
    }
    parts.push(rest);
    parts
}
