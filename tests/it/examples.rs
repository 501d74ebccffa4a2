//! The workspaces under `examples/`: what they claim is so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Whether expectations that a test stores are written anew instead of compared: schemas,
/// scenarios, pages.
pub(crate) fn accepts() -> bool {
    std::env::var_os("SEAWALL_ACCEPT").is_some()
}

pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A copy of a folder, without what an earlier apply left there.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == ".seawall" => {}
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

pub(crate) fn example() -> TempDir {
    let folder = TempDir::new().unwrap();
    copy(&repository("examples/policies"), folder.path());
    folder
}

pub(crate) fn seawall(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    let Output { status, stdout, stderr } = command
        .current_dir(folder)
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .expect("seawall runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn the_example_policies_are_valid_without_a_finding() {
    let (code, stdout, stderr) = seawall(example().path(), &["validate"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
}

#[test]
fn the_example_policies_apply_and_applying_again_changes_nothing() {
    let folder = example();
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    // Two screens of 24 lines with the command and a prompt, and the last line tells what changed
    // for access.
    let rows: usize = stdout.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum();
    assert!(rows <= 46, "{rows} rows of 80 columns:\n{stdout}");
    // Nothing that opens access is left out.
    let (_, whole, _) = seawall(example().path(), &["plan", "-v"]);
    let gained = |text: &str| {
        let lines =
            text.lines().filter(|line| line.starts_with("    + ") || line.starts_with("    ? "));
        let words = lines.flat_map(|line| line.split([' ', ',']).skip(5)).map(str::to_owned);
        words.filter(|word| !word.is_empty()).collect::<BTreeSet<String>>()
    };
    assert_eq!(gained(&stdout), gained(&whole), "{stdout}\n{whole}");
    assert!(
        stdout
            .lines()
            .last()
            .unwrap()
            .starts_with("Applied: 23 steps, widens access for 2 audiences"),
        "{stdout}"
    );
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("No changes"), "{stdout}");
    let (code, stdout, _) = seawall(folder.path(), &["plan", "--detailed-exitcode"]);
    assert_eq!(code, Some(0), "{stdout}");
}

#[test]
fn a_misspelt_team_is_found_before_anything_is_sent() {
    let folder = example();
    let file = folder.path().join("teams/research.yaml");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("[research]", "[reserch]"))
        .unwrap();
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("reserch") && stderr.contains("did you mean `research`"), "{stderr}");
}

#[test]
fn what_the_embedded_service_keeps_is_not_committed() {
    let ignored = fs::read_to_string(repository(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == ".seawall/"));
}

/// Slips that people make in the example: the file, the text and what is written instead, and what
/// the one error says.
const SLIPS: [(&str, &str, &str, &str, &str); 38] = [
    (
        EVERYONE,
        "    decision: allow",
        "   decision: allow",
        "an entry with `-` was expected",
        "line up each key",
    ),
    (EVERYONE, "    decision: allow", "\tdecision: allow", "is indented with a tab", "use spaces"),
    (
        EVERYONE,
        "decision: allow",
        "decision:allow",
        "a key with `:` was expected",
        "a space follows each `:`",
    ),
    (EVERYONE, "decision: allow", "decision: Allow", "cannot be `Allow`", "`allow`, `deny`"),
    (EVERYONE, "decision: allow", "decision: block", "cannot be `block`", "did you mean `deny`?"),
    (EVERYONE, "decision: allow", "decision: true", "not `true`", "write one of `allow`, `deny`"),
    (
        EVERYONE,
        "    decision: allow\n",
        "",
        "`decision` is missing",
        "add `decision`, one of `allow`, `deny`",
    ),
    (
        EVERYONE,
        "    decision: allow",
        "    decision: allow\n    decision: deny",
        "appears here twice",
        "keep one",
    ),
    (
        EVERYONE,
        "[connect:tcp]",
        "[read]",
        "no action `read`",
        "the actions here are `connect:tcp`, `connect:udp`",
    ),
    (
        EVERYONE,
        "[connect:tcp]",
        "[conect:tcp]",
        "no action `conect:tcp`",
        "`connect:tcp`? the choices are",
    ),
    (EVERYONE, "port: 443", "port: https", "must be a whole number", "write a number"),
    ("guardrails/filesystem.yaml", "[~/src, ", "[~, ", "has no value", "write `\"~\"` in quotes"),
    (
        EVERYONE,
        "[connect:tcp]",
        "['connect:*']",
        "no action `connect:*`",
        "list each action, since none stands for all: `connect:tcp`, `connect:udp`",
    ),
    (
        EVERYONE,
        "[\"packages.corp.example:443\"",
        "[{packages.corp.example: 443}",
        "must be text, not a mapping",
        "write `packages.corp.example:443` without a space",
    ),
    (
        EVERYONE,
        "[\"packages.corp.example:443\"",
        "[{host: packages.corp.example}",
        "must be text, not a mapping",
        "write the text alone: `packages.corp.example`",
    ),
    (EVERYONE, "port: 443", "port: 70000", "cannot be `70000`", "from 1 to 65535"),
    (EVERYONE, "path: /repos", "path: repos", "does not start with `/`", "write `/repos/acme/**`"),
    (
        RESEARCH,
        "resources: [\"*.",
        "resorces: [\"*.",
        "no key `resorces`",
        "did you mean `resources`?",
    ),
    (RESEARCH, "[\"*.lab.corp.example\"]", "*.lab.corp.example", "an unquoted `*`", "in quotes"),
    (
        RESEARCH,
        "[\"*.lab.corp.example\"]",
        "lab.corp.example",
        "must be a list",
        "`[lab.corp.example]`",
    ),
    (
        RESEARCH,
        "\"cve.mitre.org:443\"",
        "\"cve.mitre.org:443",
        "are not in pairs",
        "add the quote that is missing",
    ),
    (
        RESEARCH,
        "\"cve.mitre.org:443\"",
        "“cve.mitre.org:443”",
        "typographic quotes",
        "straight quotes",
    ),
    (
        RESEARCH,
        "\"cve.mitre.org:443\"",
        "\"https://cve.mitre.org/\"",
        "holds a scheme",
        "write the host alone: `cve.mitre.org`",
    ),
    (
        RESEARCH,
        "  teams: [research]",
        "  - research",
        "must be a mapping, not a list",
        "with the key `teams`",
    ),
    (RESEARCH, "seawall/v1", "seawall/v2", "must be `seawall/v1`", "write `seawall/v1`"),
    (
        RESEARCH,
        "apiVersion: seawall/v1\n",
        "",
        "`apiVersion` is missing",
        "add `apiVersion: seawall/v1`",
    ),
    (
        RESEARCH,
        "NetworkPolicy",
        "NetworkPolicies",
        "no kind `NetworkPolicies`",
        "`NetworkPolicy`? the choices are",
    ),
    (
        RESEARCH,
        "rules:",
        "<<<<<<< HEAD\nrules:\n=======\nrules: []\n>>>>>>> topic",
        "merge conflict",
        "keep one side",
    ),
    (
        RESEARCH,
        "Security research",
        "{{ .Values.name }}",
        "a key must be text",
        "render a template",
    ),
    (
        AGENTS,
        "{approved: Wording as in the data protection handbook.}",
        "{approved: Legal, 2026.}",
        "`review` has no key `2026.`",
        "the keys here are `approved`, `rejected`",
    ),
    (
        AGENTS,
        "severity: high",
        "severity: 5",
        "`severity` cannot be `5`",
        "`info`, `low`, `medium`, `high`, `critical`",
    ),
    (
        AGENTS,
        "status: active",
        "status: enabled",
        "cannot be `enabled`",
        "`draft`, `active`, `archived`",
    ),
    (
        AGENTS,
        "review: {approved: \"\"}",
        "review: true",
        "must be a mapping",
        "`approved`, `rejected`",
    ),
    (
        CEDAR,
        "when { resource.readOnly };",
        "when { resource.readOnly }",
        "not valid Cedar",
        "end the statement before it with `;`",
    ),
    (
        CEDAR,
        "resource.readOnly",
        "resource.readonly",
        "no attribute `readonly`",
        "did you mean `readOnly`? the choices are",
    ),
    (
        "seawall.yaml",
        "endpoint: embedded",
        "endpoint: embeded",
        "cannot be `embeded`",
        "https://hub.docker.com/v2",
    ),
    (
        "seawall.yaml",
        "ownership: declared",
        "ownership: full",
        "cannot be `full`",
        "`declared`, `exclusive`",
    ),
    (
        "seawall.yaml",
        "max_deletes: 25%",
        "max_deletes: a quarter",
        "cannot be `a quarter`",
        "from `0%` to `100%`",
    ),
];
const EVERYONE: &str = "teams/everyone.yaml";
const RESEARCH: &str = "teams/research.yaml";
const AGENTS: &str = "agents/customer-data.yaml";
const CEDAR: &str = "guardrails/mcp.cedar";

/// The message says what is wrong and what to write, and nothing else is reported: suppressions in
/// other documents are not called useless while checks are skipped.
#[test]
fn a_slip_is_one_error_that_says_what_to_write() {
    let folder = example();
    for (file, from, to, message, help) in SLIPS {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let (code, stdout, stderr) = seawall(folder.path(), &["validate"]);
        fs::write(&path, text).unwrap();
        let said = format!("{stdout}{stderr}");
        assert_eq!(code, Some(1), "{to}: {said}");
        let counts = said.lines().last().unwrap_or_default();
        let is_one = counts == "1 error" || counts.starts_with("1 error; ");
        assert!(is_one, "{to}: {said}");
        let error = said.lines().find(|line| line.starts_with("error[")).unwrap_or_default();
        let advice =
            said.lines().find(|line| line.trim_start().starts_with("= help: ")).unwrap_or_default();
        assert!(error.contains(message) && advice.contains(help), "{to}: {said}");
    }
}

#[test]
fn the_sentence_of_a_rule_that_is_edited_and_approved_is_shown_once() {
    let folder = example();
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let path = folder.path().join("agents/customer-data.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("action: block", "action: log")).unwrap();
    let (_, shown, _) = seawall(folder.path(), &["plan"]);
    assert!(shown.contains("consequence.action: block → log"), "{shown}");
    let sentence = "“Agents must not disclose personal data of customers.”";
    assert_eq!(shown.matches(sentence).count(), 1, "{shown}");
}
