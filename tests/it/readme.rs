//! The README and the pages in `docs`: every command in them is run, and what they show is what the commands print.
//!
//! `SEAWALL_ACCEPT=1 cargo test --test it readme` accepts all answers.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::examples::{copy, repository, seawall};
use seawall::check::TABLE;
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

/// The pages that people read, in the repository.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        fs::read_dir(repository("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.extend([repository("README.md"), repository("CONTRIBUTING.md")]);
    pages.sort();
    pages
}

/// The page about checks: a section for each.
fn page_of_checks() -> String {
    let mut page = String::from(
        "# Checks\n\nEverything that `validate` finds, in the order of the table in `src/check`. `seawall validate --explain CODE` \
         prints a section.\nA warning or note that is known and wanted is suppressed at its place with a reason: \
         `# seawall: allow[CODE] reason`.\n\n| code | severity | finding |\n|---|---|---|\n",
    );
    let checks = || TABLE.iter().copied().flatten();
    for check in checks() {
        let (code, severity, title) = (check.code, check.severity.as_str(), check.title.replace('|', "\\|"));
        writeln!(page, "| [`{code}`](#{code}) | {severity} | {title} |").unwrap();
    }
    for check in checks() {
        let (code, severity, title) = (check.code, check.severity.as_str(), check.title);
        write!(page, "\n## {code}\n\n*{severity}*: {title}.\n\n{}\n", check.explanation).unwrap();
        if !check.bad.trim().is_empty() {
            write!(page, "\n```text\n{}\n```\n", check.bad.trim_end()).unwrap();
        }
        write!(page, "\n**Fix:** {}\n", check.fix).unwrap();
    }
    page
}

/// Compares a page with what it should be, or writes it.
fn keep(page: &Path, now: &str) {
    if crate::examples::accepts() {
        fs::write(page, now).unwrap();
        return;
    }
    let name = page.display();
    let current = fs::read_to_string(page).unwrap_or_default();
    assert!(current == now, "{name}: run `SEAWALL_ACCEPT=1 cargo test --test it readme`; it would become:\n{now}");
}

#[test]
fn the_page_about_checks_is_the_table() {
    keep(&repository("docs/checks.md"), &page_of_checks());
}

#[test]
fn the_sessions_are_what_the_commands_print() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let folder = checkout();
        let mut now = text.clone();
        for block in blocks(&text) {
            // What is shown without its answers is run all the same; the tests are running already.
            let plain = block.text.lines().filter(|line| block.language == "sh" && *line != "cargo test");
            for command in plain {
                assert!(succeeds(folder.path(), command), "{}: {command}", page.display());
            }
            if block.language != "console" {
                continue;
            }
            let mut session = String::new();
            for command in block.text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                write!(session, "$ {command}\n{}", answer(folder.path(), command)).unwrap();
            }
            let session = session.trim_end();
            now = now.replacen(&format!("```console\n{}", block.text), &format!("```console\n{session}"), 1);
        }
        keep(&page, &now);
    }
}

/// Files that the pages link to.
#[test]
fn every_link_leads_to_a_file() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = page.parent().unwrap().join(target.split('#').next().unwrap());
            assert!(file.exists(), "{}: `{target}`", page.display());
        }
    }
}

#[test]
fn the_readme_is_read_in_five_minutes() {
    let lines = fs::read_to_string(repository("README.md")).unwrap().lines().count();
    assert!(lines < 200, "{lines} lines: what not everybody needs belongs into `docs`");
}

#[test]
fn the_documents_are_valid() {
    let folder = TempDir::new().unwrap();
    let mut checked = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let documents = blocks(&text).into_iter().filter(|block| block.language == "yaml");
        for block in documents.filter(|block| block.text.contains("apiVersion: seawall/v1")) {
            fs::write(folder.path().join("document.yaml"), block.text).unwrap();
            let (code, stdout, stderr) = seawall(folder.path(), &["validate", "document.yaml"]);
            assert_eq!((code, stdout.as_str()), (Some(0), ""), "{}: {stderr}", page.display());
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn every_command_has_a_line() {
    let page = fs::read_to_string(repository("docs/commands.md")).unwrap();
    let (_, help, _) = seawall(Path::new("."), &["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help") {
        let has_line = page.lines().any(|line| {
            line.starts_with('|') && line.split('`').any(|code| code.split([' ', '[']).next() == Some(command))
        });
        assert!(has_line, "`{command}` has no line in the table of `docs/commands.md`");
    }
}
