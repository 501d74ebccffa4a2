//! The README and the pages in `docs`: every command in them is run, and what they show is what the
//! commands print.
//!
//! `SEAWALL_ACCEPT=1 cargo test --test it readme` accepts all answers.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::examples::{copy, repository, seawall};
use crate::guards_from::git;
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
            block.split_once('\n').map_or(
                Block { language: block, text: "" },
                |(language, text)| Block { language, text },
            )
        })
        .collect()
}

/// The repository as far as the README's commands need it.
fn checkout() -> TempDir {
    let folder = TempDir::new().unwrap();
    for part in ["examples", "schemas"] {
        copy(&repository(part), &folder.path().join(part));
    }
    git(folder.path(), &["init", "-q"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-q", "-m", "clone"]);
    folder
}

/// What one shell prints for each of these commands, on both streams as they come, and whether the
/// command succeeds: as somebody pastes them, in one folder and with the same variables.
fn session(folder: &Path, commands: &[&str]) -> Vec<(String, bool)> {
    let program = Path::new(env!("CARGO_BIN_EXE_seawall")).parent().unwrap();
    let others = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(
        std::iter::once(program.to_owned()).chain(std::env::split_paths(&others)),
    )
    .unwrap();
    let mut script = String::new();
    for command in commands {
        let command = command.replace("cargo run --", "seawall");
        write!(script, "{{ {command}\n}} 2>&1\nprintf '\\036%s\\036' $?\n").unwrap();
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(folder).env("PATH", path).env("NO_COLOR", "1");
    let told = String::from_utf8(shell.output().unwrap().stdout).unwrap();
    let mut parts = told.split('\u{1e}').map(str::to_owned);
    commands.iter().map(|_| (parts.next().unwrap(), parts.next().as_deref() == Some("0"))).collect()
}

/// The commands of a block. What is shown without its answers is run all the same; the tests are
/// running already.
fn commands<'a>(block: &Block<'a>) -> Vec<&'a str> {
    let lines = block.text.lines();
    match block.language {
        "console" => lines.filter_map(|line| line.strip_prefix("$ ")).collect(),
        "sh" => lines.filter(|line| !line.is_empty() && *line != "cargo test").collect(),
        _ => Vec::new(),
    }
}

/// The text with what its commands print in this folder, pasted into one shell.
fn answered(name: &str, text: &str, folder: &Path) -> String {
    let blocks = blocks(text);
    let all: Vec<&str> = blocks.iter().flat_map(commands).collect();
    let mut answers = session(folder, &all).into_iter();
    let mut now = text.to_owned();
    for block in &blocks {
        let mut session = String::new();
        for command in commands(block) {
            let (printed, succeeds) = answers.next().unwrap();
            assert!(succeeds || block.language == "console", "{name}: {command}: {printed}");
            write!(session, "$ {command}\n{printed}").unwrap();
        }
        if block.language == "console" {
            let session = session.trim_end();
            now = now.replacen(
                &format!("```console\n{}", block.text),
                &format!("```console\n{session}"),
                1,
            );
        }
    }
    now
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
        let (code, severity, title) =
            (check.code, check.severity.as_str(), check.title.replace('|', "\\|"));
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
    assert!(
        current == now,
        "{name}: run `SEAWALL_ACCEPT=1 cargo test --test it readme`; it would become:\n{now}"
    );
}

#[test]
fn the_page_about_checks_is_the_table() {
    keep(&repository("docs/checks.md"), &page_of_checks());
}

#[test]
fn the_sessions_are_what_the_commands_print() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        keep(&page, &answered(&page.to_string_lossy(), &text, checkout().path()));
    }
}

/// Whoever starts with the section that is about them has a fresh clone.
#[test]
fn each_section_of_the_readme_can_be_pasted_by_itself() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let pasted = |section: &&str| blocks(section).iter().any(|block| !commands(block).is_empty());
    let sections: Vec<&str> = readme.split("\n## ").filter(pasted).collect();
    assert!(sections.len() > 1);
    for section in sections {
        let now = answered("README.md", section, checkout().path());
        assert!(now == section, "in a fresh clone it is:\n{now}");
    }
}

/// `sed -i` takes a suffix as its next word on some systems, and as a part of itself on others.
#[test]
fn commands_are_the_same_on_every_system() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for command in blocks(&text).iter().flat_map(commands) {
            let odd = command.contains("sed -i")
                || command.contains("readlink -f")
                || command.contains("date -d");
            assert!(!odd, "{}: {command}", page.display());
        }
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
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    for command in commands
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
    {
        let has_line = page.lines().any(|line| {
            line.starts_with('|')
                && line.split('`').any(|code| code.split([' ', '[']).next() == Some(command))
        });
        assert!(has_line, "`{command}` has no line in the table of `docs/commands.md`");
    }
}
