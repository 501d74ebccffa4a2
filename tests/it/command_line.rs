//! The frame of the command line: exit codes, and what goes to which stream.

use std::process::{Command, Output};

fn seawall(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command
        .args(arguments)
        .env("NO_COLOR", "1")
        .env_remove("SEAWALL_ORG")
        .env_remove("SEAWALL_CONCURRENCY");
    command.output().expect("seawall runs")
}

#[test]
fn wrong_usage_is_exit_2_on_standard_error() {
    for arguments in
        [&["no-such-command"][..], &[], &["man", "--no-such-flag"], &["--concurrency", "0", "man"]]
    {
        let output = seawall(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
        assert_ne!(output.stderr, b"", "{arguments:?}");
    }
}

#[test]
fn help_version_completions_and_manual_are_results() {
    for (arguments, part) in [
        (&["--help"][..], "--docker-endpoint"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["completions", "bash"], "_seawall()"),
        (&["man"], ".TH seawall"),
    ] {
        let output = seawall(arguments);
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
            (Some(0), "")
        );
        assert!(String::from_utf8_lossy(&output.stdout).contains(part), "{arguments:?}");
    }
}

#[test]
fn a_failure_is_printed_once_and_cannot_act_on_the_terminal() {
    let output = seawall(&["--concurrency", "8\u{1b}[2J", "man"]);
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @r"
    error: `--concurrency` is `8\u{1b}[2J`
      help: give the number of calls in flight, from 1 to 64
    ");
}
