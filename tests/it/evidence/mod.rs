//! Recorded requests, on the command line and against an evaluation that is as simple as it can be.

mod example;
mod plan;
mod properties;
mod reading;
mod records;
mod replay;
mod suggest;
mod usage;
mod world;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A record of local files.
pub(super) fn record(id: &str, user: &str, action: &str, resource: &str, decision: &str) -> Value {
    json!({
        "audit_event_id": id, "timestamp": "2026-11-10T12:00:00Z", "schema_version": "1.216.0",
        "category": "AUDIT_CATEGORY_EVALUATION", "decision": format!("AUDIT_DECISION_{decision}"), "username": user,
        "resource_id": resource, "enforcement_mode": "enforce", "action_type": action, "agent": "claude",
        "hostname": "laptop", "network_egress": {"protocol": "tcp"},
    })
}

pub(super) fn connect(id: &str, user: &str, resource: &str, decision: &str) -> Value {
    record(id, user, "network_egress", resource, decision)
}

pub(super) fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// A workspace with these rules in one policy, and another folder with others.
pub(super) struct Workspace {
    pub(super) folder: TempDir,
}

impl Workspace {
    pub(super) fn new(before: &str, after: &str) -> Self {
        let workspace = Self { folder: tempfile::tempdir().unwrap() };
        for (name, documents) in [("now", after), ("then", before)] {
            workspace.write(
                &format!("{name}/seawall.yaml"),
                "apiVersion: seawall/v1\nkind: Workspace\ninclude: ['*.pol.yaml']\ndocker: {org: acme, endpoint: embedded}\n",
            );
            workspace.write(&format!("{name}/all.pol.yaml"), documents);
        }
        workspace
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(super) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        run(&self.folder.path().join("now"), arguments, "")
    }

    /// `replay` of a file of these records against the documents of then.
    pub(super) fn replay(&self, records: &[Value], more: &[&str]) -> Value {
        self.write("records.jsonl", lines(records));
        let (code, stdout, stderr) = self.run(
            &[
                &[
                    "replay",
                    "--before",
                    "../then",
                    "--records",
                    "../records.jsonl",
                    "--format",
                    "json",
                ],
                more,
            ]
            .concat(),
        );
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    }
}

pub(super) fn run(folder: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("CI")
        .env("HOME", folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A policy for connections; each rule is `NAME DECISION RESOURCE…`.
pub(super) fn policy(name: &str, teams: &[&str], rules: &[&str]) -> String {
    let mut text = format!("apiVersion: seawall/v1\nkind: NetworkPolicy\nname: {name}\n");
    if !teams.is_empty() {
        text.push_str(&format!("scope: {{teams: [{}]}}\n", teams.join(", ")));
    }
    text.push_str(if rules.is_empty() { "rules: []\n" } else { "rules:\n" });
    for rule in rules {
        let words: Vec<&str> = rule.split(' ').collect();
        let resources: Vec<String> =
            words[2..].iter().map(|resource| format!("'{resource}'")).collect();
        let (name, decision, resources) = (words[0], words[1], resources.join(", "));
        text.push_str(&format!(
            "  - {{name: {name}, decision: {decision}, actions: [connect:tcp], resources: [{resources}]}}\n"
        ));
    }
    text
}

#[test]
fn the_schemas_are_current() {
    for (name, schema) in [
        ("replay", seawall::evidence::replay::schema()),
        ("usage", seawall::evidence::usage::schema()),
    ] {
        let stored = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let schema = format!("{schema:#}\n");
        if crate::examples::accepts() {
            std::fs::write(&stored, &schema).unwrap();
        }
        assert!(
            std::fs::read_to_string(&stored).unwrap() == schema,
            "run this test with `SEAWALL_ACCEPT=1`"
        );
    }
}
