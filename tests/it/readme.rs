//! The README: every command in it is run, and what it shows is what they print.
//!
//! `UPDATE_README=1 cargo test --test it readme` writes the answers anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::examples::{copy, repository, seawall};
use seawall::check::{Check, TABLE};
use tempfile::TempDir;

/// A fenced block: its language and its lines.
struct Block<'a> {
    language: &'a str,
    text: &'a str,
}

fn blocks(readme: &str) -> Vec<Block<'_>> {
    readme
        .split("\n```")
        .skip(1)
        .step_by(2)
        .map(|block| {
            block
                .split_once('\n')
                .map_or(Block { language: block, text: "" }, |(language, text)| Block { language, text })
        })
        .collect()
}

/// The repository as far as the README's commands need it.
fn checkout() -> TempDir {
    let folder = TempDir::new().unwrap();
    for part in ["examples", "schemas"] {
        copy(&repository(part), &folder.path().join(part));
    }
    folder
}

/// A shell with `seawall` on its path.
fn shell(folder: &Path, command: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_seawall")).parent().unwrap();
    let others = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(std::iter::once(program.to_owned()).chain(std::env::split_paths(&others))).unwrap();
    let command = command.replace("cargo run --", "seawall");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{{ {command}; }} 2>&1")]).current_dir(folder).env("PATH", path).env("NO_COLOR", "1");
    shell
}

/// What a command prints, on both streams as they come.
fn answer(folder: &Path, command: &str) -> String {
    String::from_utf8(shell(folder, command).output().unwrap().stdout).unwrap()
}

fn succeeds(folder: &Path, command: &str) -> bool {
    shell(folder, command).output().unwrap().status.success()
}

/// The README with the list of checks between its marks.
fn with_checks(readme: &str) -> String {
    let (head, rest) = readme.split_once("<!-- checks -->\n").unwrap();
    let (_, tail) = rest.split_once("<!-- /checks -->\n").unwrap();
    let line = |check: &Check| {
        format!("| `{}` | {} | {} |\n", check.code, check.severity.as_str(), check.title.replace('|', "\\|"))
    };
    let lines: String = TABLE.iter().copied().flatten().map(line).collect();
    format!("{head}<!-- checks -->\n| code | | what is found |\n|---|---|---|\n{lines}<!-- /checks -->\n{tail}")
}

#[test]
fn the_list_of_checks_is_the_table() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let updates = std::env::var_os("UPDATE_README").is_some();
    assert!(updates || with_checks(&readme) == readme, "run `UPDATE_README=1 cargo test --test it readme`");
}

#[test]
fn the_sessions_are_what_the_commands_print() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let folder = checkout();
    let mut now = with_checks(&readme);
    for block in blocks(&readme) {
        // What is shown without its answers is run all the same; the tests are running already.
        let plain = block.text.lines().filter(|line| block.language == "sh" && *line != "cargo test");
        for command in plain {
            assert!(succeeds(folder.path(), command), "{command}");
        }
        if block.language != "console" {
            continue;
        }
        let mut session = String::new();
        for command in block.text.lines().filter_map(|line| line.strip_prefix("$ ")) {
            write!(session, "$ {command}\n{}", answer(folder.path(), command)).unwrap();
        }
        now = now.replacen(&format!("```console\n{}", block.text), &format!("```console\n{}", session.trim_end()), 1);
    }
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(repository("README.md"), &now).unwrap();
    } else {
        assert!(now == readme, "run `UPDATE_README=1 cargo test --test it readme`; now it would be:\n{now}");
    }
}

#[test]
fn the_documents_are_valid() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let folder = TempDir::new().unwrap();
    let mut checked = 0;
    for block in blocks(&readme).iter().filter(|block| block.text.contains("apiVersion: seawall/v1")) {
        fs::write(folder.path().join("document.yaml"), block.text).unwrap();
        let (code, stdout, stderr) = seawall(folder.path(), &["validate", "document.yaml"]);
        assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
        checked += 1;
    }
    assert!(checked > 0);
}

#[test]
fn every_command_has_a_line() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let (_, help, _) = seawall(Path::new("."), &["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help") {
        let has_line = readme.lines().any(|line| {
            line.starts_with('|') && line.split('`').any(|code| code.split([' ', '[']).next() == Some(command))
        });
        assert!(has_line, "`{command}` has no line in the README's table of commands");
    }
}
