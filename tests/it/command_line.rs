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
fn the_short_help_names_every_command_on_a_small_terminal() {
    let long = String::from_utf8(seawall(&["--help"]).stdout).unwrap();
    let commands = long.split_once("Commands:\n").unwrap().1;
    let commands = commands.lines().take_while(|line| line.starts_with("  "));
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 20, "{commands:?}");
    let [short, none] = [&["-h"][..], &[]].map(seawall);
    let text = String::from_utf8(short.stdout).unwrap();
    assert_eq!(
        (short.status.code(), String::from_utf8(none.stderr).unwrap()),
        (Some(0), text.clone())
    );
    // The prompt takes the last of 24 rows.
    let rows: usize = text.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum();
    assert!(rows < 24, "{rows} rows:\n{text}");
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(text.contains(command), "{command}:\n{text}");
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

#[cfg(target_os = "linux")] // which tells of the memory
#[test]
fn every_command_ends_where_it_takes_too_much() {
    let help = String::from_utf8(seawall(&["--help"]).stdout).unwrap();
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let commands: Vec<&str> = listed
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() > 20, "{commands:?}");
    let folder = tempfile::tempdir().unwrap();
    for command in commands {
        // What a command requires comes before its work.
        let more: &[&str] = match command {
            "can" => &["read", "/data"],
            "who-can" => &["/data"],
            "completions" => &["bash"],
            "comment" => &["--plan", "x"],
            "records" | "report" => &["--out", "x"],
            "show" => &["x"],
            "replay" | "usage" | "suggest" => &["--records", "x"],
            _ => &[],
        };
        let output = Command::new(env!("CARGO_BIN_EXE_seawall"))
            .arg(command)
            .args(more)
            .current_dir(folder.path())
            .env("SEAWALL_MAX_MEMORY", "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let says =
            format!("error: `{command}` takes more than 1 MiB of memory; nothing was written");
        assert_eq!((output.status.code(), said.contains(&says)), (Some(5), true), "{said}");
    }
}
