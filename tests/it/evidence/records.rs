//! Downloads of the audit log, over a real socket: nothing is lost or doubled, whatever happens at
//! whichever page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use seawall::emulator::{Builder, DockerOperation, Emulator, Fault, Operation, Running};
use seawall::service::docker::AuditReader;
use seawall::service::docker::download::{DownloadError, Files, download};
use seawall::service::http::{Authorization, BaseUrl, Clock, Connection, Limits, Reader};
use serde_json::{Value, json};

use super::{Workspace, connect, lines, policy};

const NOW: &str = "2026-11-28T12:00:00Z";
const DAY: i64 = 86_400_000_000;

/// An audit log on a clock that moves when somebody waits.
struct Service {
    running: Running,
    clock: Clock,
}

impl Service {
    async fn new(records: Vec<Value>, set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Clock::manual(NOW.parse().unwrap());
        let time = clock.clone();
        let builder = Emulator::builder().org("acme").records(records).clock(move || time.now());
        Self { running: set_up(builder).start().await.unwrap(), clock }
    }

    fn reader(&self, org: &str) -> AuditReader {
        let base = BaseUrl::parse(&self.running.base_url()).unwrap();
        let token = Authorization::Bearer(self.running.audit_token().to_owned().into());
        let limits = Limits { concurrency: 1, ..Limits::default() };
        let connection = Connection::with(base, token, limits, self.clock.clone(), None).unwrap();
        AuditReader::new(Reader::new(connection), org)
    }

    async fn download(&self, out: &Path, days: i64) -> Result<u64, DownloadError> {
        let files = Files::new(out.to_owned())?;
        download(&self.reader("acme"), &files, days * DAY, &mut |_| ()).await
    }
}

/// Records over this many days before now, some at the same moment, and some where two ranges of 30
/// days meet.
fn recorded(count: usize, days: usize) -> Vec<Value> {
    let now: jiff::Timestamp = NOW.parse().unwrap();
    let record = |number: usize| {
        let back = (number / 3 * 3 * days * 86_400 / count) as i64;
        let meets = (days as i64 - 30) * 86_400;
        let back = if number % 50 == 7 && meets > 0 { meets } else { back };
        let mut record = connect(&format!("id-{number}"), "ana", "a.example:443", "ALLOW");
        record["timestamp"] =
            now.checked_sub(jiff::SignedDuration::from_secs(back)).unwrap().to_string().into();
        record
    };
    (0..count).map(record).collect()
}

/// How often each identity is in a file.
fn identities(file: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        *found.entry(record["audit_event_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    found
}

fn each_once(records: &[Value]) -> BTreeMap<String, usize> {
    records
        .iter()
        .map(|record| (record["audit_event_id"].as_str().unwrap().to_owned(), 1))
        .collect()
}

fn in_folder(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    (folder, file)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn everything_is_there_once_within_the_rate_limit() {
    let records = recorded(650, 70);
    let service = Service::new(records.clone(), |builder| builder).await;
    let (folder, out) = in_folder("records.jsonl");
    assert_eq!(service.download(&out, 70).await.unwrap(), 650);
    assert_eq!(identities(&out), each_once(&records));
    assert_eq!(names(folder.path()), ["records.jsonl"]);
    let calls = service.running.calls();
    assert!(
        calls
            .iter()
            .all(|call| call.operation == Some(Operation::Docker(DockerOperation::ListAuditLogs))
                && call.status == Some(200)),
        "{calls:?}"
    );
    // Three ranges; seven pages and a bit, and each end once more.
    assert!((10..=13).contains(&calls.len()), "{}", calls.len());
    // Only what was asked for.
    let (_folder, out) = in_folder("week.jsonl");
    let week = service.download(&out, 7).await.unwrap();
    assert!((60..=70).contains(&week), "{week}");
    // A log without records gives a file without records.
    let service = Service::new(Vec::new(), |builder| builder).await;
    let (_folder, out) = in_folder("none.jsonl");
    assert_eq!(
        (service.download(&out, 7).await.unwrap(), std::fs::read_to_string(&out).unwrap().as_str()),
        (0, "")
    );
}

#[tokio::test]
async fn a_fault_at_any_page_loses_and_doubles_nothing() {
    let kinds = [
        "refuse=400:text",
        "refuse=401:detail",
        "refuse=403:detail",
        "refuse=408:text",
        "refuse=429:hub",
        "refuse=500:text",
        "refuse=503:detail",
        "rate-limit=2:seconds",
        "rate-limit=3:silent",
        "cut",
        "lose-before",
        "lose-after",
        "lie=short",
        "lie=envelope",
        "lie=empty",
    ];
    let records = recorded(250, 40);
    let clean = Service::new(records.clone(), |builder| builder).await;
    let (_folder, out) = in_folder("records.jsonl");
    clean.download(&out, 40).await.unwrap();
    let calls = clean.running.calls().len();
    assert!(calls >= 5, "{calls}");
    for kind in kinds {
        for nth in 1..=calls {
            let fault: Fault = format!("{kind}@listAuditLogs#{nth}").parse().unwrap();
            let service = Service::new(records.clone(), |builder| builder.fault(fault)).await;
            let (folder, out) = in_folder("records.jsonl");
            let first = service.download(&out, 40).await;
            if let Err(error) = &first {
                assert!(!out.exists(), "{kind} {nth}");
                assert_eq!(
                    names(folder.path()),
                    ["records.jsonl.state.tmp", "records.jsonl.tmp"],
                    "{kind} {nth}: {error}"
                );
                assert_eq!(service.download(&out, 40).await.unwrap(), 250, "{kind} {nth}: {error}");
            }
            assert_eq!(identities(&out), each_once(&records), "{kind} {nth}: {first:?}");
        }
    }
}

#[tokio::test]
async fn a_search_that_takes_too_long_is_made_in_shorter_ranges() {
    let records = recorded(250, 40);
    for fault in [
        "refuse=503@listAuditLogs#1x5",
        "refuse=408@listAuditLogs#2x3",
        "refuse=503@listAuditLogs#3x2",
    ] {
        let service =
            Service::new(records.clone(), |builder| builder.fault(fault.parse().unwrap())).await;
        let (_folder, out) = in_folder("records.jsonl");
        assert_eq!(service.download(&out, 40).await.unwrap(), 250, "{fault}");
        assert_eq!(identities(&out), each_once(&records), "{fault}");
        let refused =
            service.running.calls().iter().filter(|call| call.status != Some(200)).count();
        assert!((2..=5).contains(&refused), "{fault}: no range is asked for twice");
    }
    // A service that is down is no slow search for ever.
    let service =
        Service::new(records, |builder| builder.fault("refuse=503@listAuditLogs".parse().unwrap()))
            .await;
    let (_folder, out) = in_folder("records.jsonl");
    let error = service.download(&out, 40).await.unwrap_err();
    assert!(error.to_string().contains("503"), "{error}");
}

#[tokio::test]
async fn an_interrupted_run_goes_on_from_what_was_kept() {
    let records = recorded(250, 30);
    let started = || async {
        let fault = "refuse=500@listAuditLogs#2x4".parse().unwrap();
        let service = Service::new(records.clone(), |builder| builder.fault(fault)).await;
        let (folder, out) = in_folder("records.jsonl");
        service.download(&out, 30).await.unwrap_err();
        (service, folder, out)
    };
    let part = |folder: &tempfile::TempDir| folder.path().join("records.jsonl.tmp");
    let state = |folder: &tempfile::TempDir| folder.path().join("records.jsonl.state.tmp");

    // Killed between writing records and keeping how many these are: a page more, and half a line.
    let (service, folder, out) = started().await;
    let whole = std::fs::read_to_string(part(&folder)).unwrap();
    assert_eq!(whole.lines().count(), 100);
    let calls = service.running.calls().len();
    std::fs::write(part(&folder), format!("{whole}{whole}{{\"audit_event_id\":\"id-")).unwrap();
    assert_eq!(service.download(&out, 30).await.unwrap(), 250);
    assert_eq!(identities(&out), each_once(&records));
    let again = &service.running.calls()[calls];
    assert!(again.query.iter().any(|(name, _)| name == "page_token"), "{again:?}");

    // Records that are gone are read again.
    let (service, folder, out) = started().await;
    std::fs::write(part(&folder), &whole[..100]).unwrap();
    assert_eq!(service.download(&out, 30).await.unwrap(), 250);
    assert_eq!(identities(&out), each_once(&records));
    let (service, folder, out) = started().await;
    std::fs::remove_file(part(&folder)).unwrap();
    assert_eq!(service.download(&out, 30).await.unwrap(), 250);

    // What tells nothing, or of something else, is left as it is.
    let (service, folder, out) = started().await;
    let kept = std::fs::read_to_string(state(&folder)).unwrap();
    for wrong in ["", "{}", &kept.replace("\"bytes\": ", "\"bytes\": -")] {
        std::fs::write(state(&folder), wrong).unwrap();
        let error = service.download(&out, 30).await.unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
    std::fs::write(state(&folder), kept.replace("\"acme\"", "\"other\"")).unwrap();
    let error = service.download(&out, 30).await.unwrap_err().to_string();
    assert!(error.contains("from elsewhere"), "{error}");
    std::fs::remove_file(state(&folder)).unwrap();
    let error = service.download(&out, 30).await.unwrap_err().to_string();
    assert!(error.contains("exists without the state of its download"), "{error}");
    assert_eq!(std::fs::read_to_string(part(&folder)).unwrap(), whole);

    // One process at a time.
    std::fs::write(state(&folder), kept).unwrap();
    let other = std::fs::OpenOptions::new().write(true).open(part(&folder)).unwrap();
    other.lock().unwrap();
    let error = service.download(&out, 30).await.unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(other);
    assert_eq!(service.download(&out, 30).await.unwrap(), 250);
    let error = service.download(&out, 30).await.unwrap_err().to_string();
    assert!(error.contains("is there already"), "{error}");
}

/// A run of the program with this service.
async fn seawall(
    folder: &Path,
    service: &Running,
    arguments: &[&str],
    token: Option<&str>,
) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.args(arguments).current_dir(folder).env("NO_COLOR", "1").env("HOME", folder);
    command.env("SEAWALL_DOCKER_ENDPOINT", service.base_url()).stdin(std::process::Stdio::null());
    match token {
        Some(token) => command.env("DOCKER_AUDIT_TOKEN", token),
        None => command.env_remove("DOCKER_AUDIT_TOKEN"),
    };
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_downloaded_is_replayed_like_the_records_themselves() {
    let workspace = Workspace::new(
        &policy("P", &[], &["a allow a.example:443", "b allow b.example:443"]),
        &policy("P", &[], &["a allow a.example:443"]),
    );
    let now = jiff::Timestamp::now();
    let mut records = Vec::new();
    for number in 0..120 {
        let host = if number % 3 == 0 { "b.example:443" } else { "a.example:443" };
        let mut record =
            connect(&format!("id-{number}"), &format!("user{}", number % 7), host, "ALLOW");
        record["timestamp"] = now
            .checked_sub(jiff::SignedDuration::from_mins(number + 1))
            .unwrap()
            .to_string()
            .into();
        record["note"] = json!("dckr_oat_secret"); // whoever wrote it there
        records.push(record);
    }
    workspace.write("own.jsonl", lines(&records));
    let builder = Emulator::builder().org("acme").records(records).audit_token("dckr_oat_secret");
    let service = builder.start().await.unwrap();
    let folder = workspace.folder.path().join("now");
    let arguments = ["records", "--out", "../down.jsonl", "--since", "1d"];
    for (token, says) in [
        (None, "`DOCKER_AUDIT_TOKEN` is not set"),
        (Some("dckr_pat_x"), "a personal access token"),
        (Some("other"), "may not read the audit log"),
    ] {
        let (code, _, stderr) = seawall(&folder, &service, &arguments, token).await;
        assert!(
            code == 5 && stderr.contains(says) && stderr.contains("view audit logs"),
            "{stderr}"
        );
    }
    std::fs::remove_file(workspace.path("down.jsonl.state.tmp")).unwrap();
    std::fs::remove_file(workspace.path("down.jsonl.tmp")).unwrap();
    let (code, stdout, stderr) =
        seawall(&folder, &service, &arguments, Some("dckr_oat_secret\n")).await;
    assert!(code == 0 && stderr.contains("Wrote 120 records to `../down.jsonl`."), "{stderr}");
    let text = std::fs::read_to_string(workspace.path("down.jsonl")).unwrap();
    assert!(!format!("{text}{stdout}{stderr}").contains("dckr_oat_secret"));
    let replay = |file: &str| {
        workspace.run(&["replay", "--before", "../then", "--records", file, "--format", "json"]).1
    };
    let own = replay("../own.jsonl");
    assert!(own.contains("\"newly_denied\"") && own.contains("\"count\": 40"), "{own}");
    assert_eq!(replay("../down.jsonl"), own);
    for (out, says) in
        [("../down.jsonl", "is there already"), ("../x.jsonl.gz", "would be JSON Lines")]
    {
        let (code, _, stderr) =
            seawall(&folder, &service, &["records", "--out", out], Some("dckr_oat_secret")).await;
        assert!(code == 2 && stderr.contains(says), "{stderr}");
    }
    assert!(service.calls().iter().all(|call| call.method == "GET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_teams_of_users_come_from_the_service() {
    let rules = ["cve allow cve.mitre.org:443", "files allow files.example.org:443"];
    let workspace = Workspace::new("", &policy("P", &["research"], &rules));
    let folder = workspace.folder.path().join("now");
    let builder =
        Emulator::builder().org("acme").teams(["research", "platform"]).account("acme", "secret");
    let builder = (0..250)
        .fold(builder, |builder, number| builder.member("research", format!("user{number}")));
    let service =
        builder.member("platform", "Ana").member("research", "ana").start().await.unwrap();
    let run = |arguments: Vec<String>| {
        let (folder, endpoint) = (folder.clone(), service.base_url());
        tokio::task::spawn_blocking(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
            command
                .args(arguments)
                .current_dir(folder)
                .env("NO_COLOR", "1")
                .stdin(std::process::Stdio::null());
            command.env("SEAWALL_DOCKER_ENDPOINT", endpoint);
            let output = command
                .env("DOCKER_USERNAME", "acme")
                .env("DOCKER_PASSWORD", "secret")
                .output()
                .unwrap();
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
        })
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    run(words("apply --yes")).await.unwrap();
    workspace.write("now/all.pol.yaml", policy("P", &["research"], &rules[..1]));
    let request =
        |id: &str, user: &str, decision: &str| connect(id, user, "files.example.org:443", decision);
    workspace.write(
        "records.jsonl",
        lines(&[
            request("1", "ana", "ALLOW"),    // of two teams
            request("2", "user24", "ALLOW"), // on the third page
            request("3", "dan", "DENY"),     // of none
            request("4", "95e7257f-93c9-4f29-bde7-88830e2dae80", "ALLOW"), // an account, whose name is not known
        ]),
    );
    let replay = "replay --records ../records.jsonl --format json";
    let (stdout, stderr) = run(words(replay)).await.unwrap();
    let found: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stderr}"));
    let teams: Vec<&Value> =
        found["newly_denied"].as_array().unwrap().iter().map(|one| &one["teams"]).collect();
    assert_eq!(teams, [&json!(["platform", "research"]), &json!(["research"])], "{found}");
    assert_eq!((&found["agreement"]["agree"], &found["unchanged"]), (&json!(3), &json!(1)));
    assert_eq!(
        found["unknown"],
        json!([{"reason": "team_unknown", "count": 1, "example": "connect:tcp files.example.org:443"}])
    );
    let (stdout, _) = run(words("plan --records ../records.jsonl --format json")).await.unwrap();
    let plan: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(plan["recorded"], found);
    run(words("report --live --records ../records.jsonl --out ../report.html")).await.unwrap();
    let report = std::fs::read_to_string(workspace.folder.path().join("report.html")).unwrap();
    assert!(report.contains("platform and research</span>"), "the report tells the same");
    assert!(
        report.contains("Members of the team platform, which no policy names"),
        "and every team of the service"
    );
    // What `--teams` lists holds instead, and nobody is asked.
    workspace.write("teams.yaml", "dan: [research]\n");
    service.forget_calls();
    let (stdout, _) = run(words(&format!("{replay} --teams ../teams.yaml"))).await.unwrap();
    let listed: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&listed["agreement"]["disagree"], &listed["agreement"]["unknown"]),
        (&json!(1), &json!(3))
    );
    assert!(
        service
            .calls()
            .iter()
            .all(|call| call.operation != Some(Operation::Docker(DockerOperation::ListMembers)))
    );
    // An account that may not see members still gets its answer.
    service.arm("refuse=403:hub@listMembers".parse().unwrap());
    let (stdout, stderr) = run(words(replay)).await.unwrap();
    let unknown: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(unknown["unknown"][0]["count"], 4, "{unknown}");
    assert!(
        stderr.contains("may not read the members of teams") && stderr.contains("--teams"),
        "{stderr}"
    );
    // One that fails is no answer: who is missing would look like no member.
    service.disarm();
    service.arm("refuse=500:hub@listMembers".parse().unwrap());
    let (stdout, stderr) = run(words(replay)).await.unwrap();
    assert!(stdout.is_empty() && stderr.contains("500"), "{stdout}{stderr}");
}
