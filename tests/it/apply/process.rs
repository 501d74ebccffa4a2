//! `seawall apply` as a process that is killed, and one that is told to stop, each at a chosen
//! call.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall::emulator::{Calls, Edit, Emulator, Fault, FaultKind, Running, State};
use seawall::source::disk::open_state;

use super::judge::{Judge, doubled};
use super::{ORG, TEAMS};

/// The number of times that an apply is killed.
const KILLS: usize = 25;

async fn emulator(state: &Path, latency: Duration) -> Running {
    let builder = Emulator::builder().org(ORG).teams(TEAMS).account("someone", "secret");
    builder.state(state, open_state(state).unwrap()).latency(latency).start().await.unwrap()
}

/// A workspace with one of two sets of documents, far enough apart that an apply has something to
/// do.
fn workspace(folder: &Path, emulator: &Running, turn: usize) {
    let settings = format!(
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {{org: {ORG}, ownership: exclusive, endpoint: '{}'}}\n",
        emulator.base_url()
    );
    std::fs::write(folder.join("seawall.yaml"), settings).unwrap();
    let mut text = String::new();
    for number in 0..4 {
        let team = TEAMS[(number + turn) % TEAMS.len()];
        text.push_str(&format!(
            "---\napiVersion: seawall/v1\nkind: NetworkPolicy\nname: policy {}\nscope: {{teams: [{team}]}}\nrules:\n",
            number + turn
        ));
        for rule in 0..4 {
            let decision = if (rule + turn).is_multiple_of(3) { "deny" } else { "allow" };
            let host = (rule * 7 + number + turn * 3) % 11;
            text.push_str(&format!(
                "  - {{name: rule {rule}, decision: {decision}, actions: ['connect:tcp'], resources: [h{host}.example.com]}}\n"
            ));
        }
    }
    std::fs::write(folder.join("policies.yaml"), text).unwrap();
}

fn apply(folder: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.args(["apply", "--yes", "--concurrency", "3"]).current_dir(folder);
    command.env("DOCKER_USERNAME", "someone").env("DOCKER_PASSWORD", "secret").env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

async fn finish(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_is_killed_at_any_moment_is_finished_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(&folder.path().join("state.redb"), Duration::from_millis(1)).await;
    let (mut kills, mut turn) = (0, 0);
    let mut calls = 20;
    while kills < KILLS {
        workspace(folder.path(), &emulator, turn);
        let passed: Arc<Mutex<Vec<State>>> = Arc::new(Mutex::new(vec![emulator.state()]));
        let note = Arc::clone(&passed);
        let watch =
            FaultKind::Edit(Edit::new(move |state| note.lock().unwrap().push(state.clone())));
        emulator.arm(Fault::new(watch).on(Calls::Any));
        // Killed once or several times, each at a call of which nobody knows what it finds.
        for _ in 0..=fastrand::usize(0..2) {
            let child = Arc::new(Mutex::new(Some(apply(folder.path()))));
            let victim = Arc::clone(&child);
            let kill = Edit::new(move |_| {
                if let Some(child) = victim.lock().unwrap().as_mut() {
                    child.kill().unwrap();
                }
            });
            emulator.arm(Fault::new(FaultKind::Edit(kill)).nth(fastrand::usize(1..=calls)));
            let output = loop {
                if child.lock().unwrap().as_mut().unwrap().try_wait().unwrap().is_some() {
                    let child = child.lock().unwrap().take().unwrap();
                    break finish(child).await;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            };
            kills += usize::from(output.status.code().is_none());
        }
        emulator.forget_calls();
        let output = finish(apply(folder.path())).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        calls = emulator.calls().len().clamp(20, 60);
        let again = finish(apply(folder.path())).await;
        assert!(String::from_utf8_lossy(&again.stdout).contains("No changes"), "{again:?}");
        emulator.disarm();
        let passed = passed.lock().unwrap().clone();
        let judge = Judge::new([passed[0].clone(), emulator.state()]);
        for state in passed.iter().chain([&emulator.state()]) {
            assert_eq!(doubled(state), None);
            assert_eq!(judge.opening(state), None);
        }
        turn += 1;
    }
    writeln!(std::io::stderr(), "{kills} applies were killed, over {turn} changes").unwrap();
}

/// The output of an apply that gets this signal at its nth call, and the writes that arrived. The
/// call may meet faults.
#[cfg(unix)]
async fn interrupted(
    signal: &'static str,
    calls: Calls,
    nth: usize,
    faults: &[&str],
) -> (Output, Running, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(&folder.path().join("state.redb"), Duration::from_millis(20)).await;
    workspace(folder.path(), &emulator, 0);
    let process = Arc::new(Mutex::new(None));
    let told = Arc::clone(&process);
    let tell = Edit::new(move |_| {
        let pid: u32 = loop {
            if let Some(pid) = *told.lock().unwrap() {
                break pid;
            }
        };
        assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
    });
    emulator.arm(Fault::new(FaultKind::Edit(tell)).on(calls).nth(nth));
    faults.iter().for_each(|fault| emulator.arm(fault.parse().unwrap()));
    let child = apply(folder.path());
    *process.lock().unwrap() = Some(child.id());
    let output = finish(child).await;
    emulator.disarm();
    (output, emulator, folder)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_is_told_to_stop_finishes_the_calls_in_flight_and_reports() {
    for signal in ["-INT", "-TERM"] {
        let (output, emulator, folder) = interrupted(signal, Calls::Writes, 6, &[]).await;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{stdout}{stderr}");
        assert!(stderr.contains("stopping: waiting for the calls in flight"), "{stderr}");
        let count = |start: &str| stdout.lines().filter(|line| line.starts_with(start)).count();
        let (done, left) = (count("done "), count("not tried "));
        assert_eq!(done, emulator.writes().len(), "{stdout}");
        assert!(
            emulator.writes().iter().all(|call| call.status.is_some_and(|status| status < 300))
        );
        assert!((6..12).contains(&done) && left == 20 - done, "{stdout}");
        assert!(
            stdout.contains(&format!("Applied in part: {done} done, 0 failed, {left} not tried.")),
            "{stdout}"
        );

        let again = finish(apply(folder.path())).await;
        assert_eq!(again.status.code(), Some(0), "{again:?}");
        assert_eq!(emulator.writes().len(), 20);
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_is_told_to_stop_before_it_writes_writes_nothing() {
    let (output, emulator, _folder) = interrupted("-TERM", Calls::Reads, 1, &[]).await;
    // Heard before the plan is made, or before its first step.
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).to_lowercase();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("nothing was written"), "{said}");
    assert_eq!(emulator.writes().len(), 0);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_is_told_to_stop_does_not_sit_out_a_wait() {
    let start = std::time::Instant::now();
    for (fault, nth, code) in [
        ("rate-limit=90@writes#6", 6, 6),
        ("rate-limit=90@writes#1x99", 1, 5), // before anything was written
        ("refuse=503@reads#12x99", 6, 6),    // a look before a write
    ] {
        let (output, emulator, folder) = interrupted("-INT", Calls::Writes, nth, &[fault]).await;
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{fault}: {stdout}{stderr}");
        let taken = emulator
            .writes()
            .iter()
            .filter(|call| call.status.is_some_and(|status| status < 300))
            .count();
        let count = |start: &str| stdout.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!((count("done "), count("failed ")), (taken, 0), "{fault}: {stdout}");
        assert_eq!(count("not tried "), 20 - taken, "{fault}: {stdout}");
        assert!(
            stdout.contains(if code == 5 { "Nothing was written: " } else { "Applied in part: " }),
            "{stdout}"
        );

        let again = finish(apply(folder.path())).await;
        assert_eq!(again.status.code(), Some(0), "{fault}: {again:?}");
        assert_eq!(doubled(&emulator.state()), None, "{fault}");
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
