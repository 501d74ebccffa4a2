//! `seawall apply` on a terminal: a person who says yes saw the live state from before the question.
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use super::command::Workspace;

const BEFORE: &str = "apiVersion: seawall/v1
kind: NetworkPolicy
name: Guardrails
rules:
  - {name: no, decision: deny, actions: ['connect:tcp'], resources: [a.example.com]}
---
apiVersion: seawall/v1
kind: NetworkPolicy
name: Research
rules:
  - {name: r, decision: allow, actions: ['connect:tcp'], resources: [b.example.com]}
";

/// Applies a change on a terminal and answers yes after somebody has moved the deny of another
/// policy to this host. Returns the exit code, what was said, and the number of writes.
async fn answered(denied: &str) -> (Option<i32>, String, usize) {
    let workspace = Workspace::new(BEFORE, "").await;
    let first = workspace.run(&["apply", "--yes"]).await;
    assert!(first.starts_with("exit 0"), "{first}");
    workspace.emulator.forget_calls();
    workspace.write("policies.yaml", &BEFORE.replace("b.example.com", "'*.example.com'"));
    // Every system with a terminal has this program, which gives one to another program.
    let mut command = Command::new("script");
    let apply = format!("'{}' apply", env!("CARGO_BIN_EXE_seawall"));
    command.args(["-qec", &apply, "/dev/null"]).current_dir(workspace.path());
    command.env("DOCKER_USERNAME", "someone").env("DOCKER_PASSWORD", "secret").env("TERM", "dumb");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut answers, mut shown) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (told, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let reading = std::thread::spawn(move || {
        let (mut text, mut buffer) = (String::new(), [0; 4096]);
        while let Ok(read @ 1..) = shown.read(&mut buffer) {
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
            if text.contains("to confirm: ") {
                let _ = told.send(());
            }
        }
        text
    });
    asked.recv().await.expect("it asks");
    let denied = vec![denied.to_owned()];
    workspace
        .emulator
        .edit(|state| {
            let policy = state.org_mut("my-org").policy_mut("Guardrails").unwrap();
            policy.allowlist_v0.as_mut().unwrap().rules[0].resources = Some(denied);
        })
        .unwrap();
    answers.write_all(b"yes\n").unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        let status = child.wait().unwrap();
        drop(answers);
        (status.code(), reading.join().unwrap())
    });
    let (code, said) = ended.await.unwrap();
    (code, said, workspace.emulator.writes().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_no_longer_fits_after_the_question_is_not_carried_out() {
    let (code, said, writes) = answered("a.example.com").await;
    assert_eq!((code, writes), (Some(0), 1), "{said}");
    // The same change would open `a.example.com` now.
    let (code, said, writes) = answered("c.example.org").await;
    assert_eq!((code, writes), (Some(4), 0), "{said}");
    assert!(said.contains("it would mean something else for access now"), "{said}");
}
