//! The report: its statements about access, and that no foreign text can act in it.

mod access;
mod command;
mod full_size;
mod hostile;
mod review;

use std::fs;
use std::path::Path;
use std::process::Command;

use seawall::access::State;
use seawall::model::{Policy, TeamDirectory};
use seawall::report::{History, Input, Organization, Report, Source, make};
use seawall::trial;
use seawall::workspace::{self, EmptyWorkspace, Loaded};
use tempfile::TempDir;

/// A workspace with these documents in one file.
pub(super) fn workspace(documents: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let settings =
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded}\n";
    fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    fs::write(folder.path().join("all.yaml"), documents).unwrap();
    folder
}

/// A network policy for these teams (none: everyone) with these rules: `allow` or `deny`, then a
/// resource.
pub(super) fn network(name: &str, teams: &str, rules: &[&str]) -> String {
    let mut text = format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: {name}\n");
    if !teams.is_empty() {
        text += &format!("scope: {{teams: [{teams}]}}\n");
    }
    text += "rules:\n";
    for rule in rules {
        let (decision, resource) = rule.split_once(' ').unwrap();
        text += &format!(
            "  - name: {rule}\n    decision: {decision}\n    actions: [connect:tcp]\n    resources: [\"{resource}\"]\n"
        );
    }
    text + "---\n"
}

pub(super) fn load(folder: &Path) -> Loaded {
    workspace::load(folder, None, EmptyWorkspace::Refused)
        .unwrap_or_else(|findings| panic!("{:?}", findings.diagnostics))
}

/// The report about a workspace's documents alone.
pub(super) fn report(folder: &Path) -> Report {
    let loaded = load(folder);
    let policies: Vec<Policy> =
        loaded.desired.policies.iter().map(|one| one.policy.clone()).collect();
    let state = State::new(&policies);
    let teams = TeamDirectory::default();
    let trials = trial::run(&state, &loaded.tests, &str::to_owned);
    make(&Input {
        source: Source { workspace: "policies".to_owned(), commit: None },
        compared: None,
        organizations: vec![Organization {
            name: "acme",
            policies: &policies,
            declared: &loaded.desired.policies,
            teams: &teams,
            trials,
            usage: None,
            replay: None,
            difference: None,
        }],
        agents: loaded.settings.vijil.as_ref().map(|_| loaded.desired.vijil.as_slice()),
        live_agents: None,
        findings: &loaded.findings,
        links: None,
        history: &History::default(),
    })
}

/// Runs `git` in a folder, with fixed names and times.
pub(super) fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .args(["-c", "user.name=Ana Ruiz", "-c", "user.email=ana@example.com"])
        .args(arguments);
    for name in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
        command.env(name, "2026-11-04T10:00:00Z");
    }
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
