//! What a plan says of access, from documents to the last word: where the rules stand that make a
//! difference.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::examples::seawall;

const SETTINGS: &str = "apiVersion: seawall/v1
kind: Workspace
docker: {org: acme, endpoint: embedded, ownership: exclusive, teams: [research, web]}
";
const BEFORE: &str = "apiVersion: seawall/v1
kind: NetworkPolicy
name: Mirrors
rules:
  - {name: cve, decision: allow, actions: [connect:tcp], resources: [cve.mitre.org]}
  - {name: bad, decision: deny, actions: [connect:tcp], resources: [bad.example.com]}
  - {name: gone, decision: allow, actions: [connect:tcp], resources: [gone.example.com]}
---
apiVersion: seawall/v1
kind: NetworkPolicy
name: Old
rules:
  - {name: old, decision: allow, actions: [connect:tcp], resources: [old.example.com]}
---
apiVersion: seawall/v1
kind: McpPolicy
name: Tools
cedar: |
  permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };
";
const AFTER: &str = "apiVersion: seawall/v1
kind: NetworkPolicy
name: Mirrors of research
previously: [Mirrors]
scope: {teams: [research]}
rules:
  - {name: vulnerabilities, previously: [cve], decision: allow, actions: [connect:tcp], resources: [\"*.mitre.org\"]}
  - {name: bad, decision: deny, actions: [connect:tcp], resources: [bad.example.com]}
---
apiVersion: seawall/v1
kind: NetworkPolicy
name: New
rules:
  - name: open
    decision: allow
    actions: [connect:tcp]
    resources: [bad.example.com]
---
apiVersion: seawall/v1
kind: McpPolicy
name: Tools
cedar: |
  permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };
  permit (principal, action == MCP::Action::\"getPrompt\", resource);
";

fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("seawall.yaml"), SETTINGS).unwrap();
    fs::write(folder.path().join("all.yaml"), BEFORE).unwrap();
    let (code, _, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!(code, Some(0), "{stderr}");
    fs::write(folder.path().join("all.yaml"), AFTER).unwrap();
    folder
}

/// The answer of a command that says whether something is pending.
fn shown(folder: &Path, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = seawall(folder, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
    stdout
}

/// The reasons for what an entry says.
fn reasons(plan: &Value, list: &str, access: &str) -> Vec<String> {
    let entries = plan["access"][list].as_array().unwrap();
    let found = entries
        .iter()
        .find(|entry| entry["access"] == access)
        .unwrap_or_else(|| panic!("{access}: {entries:#?}"));
    found["because"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_reason_has_the_place_of_its_rule() {
    let folder = workspace();
    let text = shown(folder.path(), &["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&text).unwrap();
    for (list, access, expected) in [
        // A declared rule, and the former version of one, which stands where the present one does.
        (
            "widened",
            "connect:tcp *.mitre.org except cve.mitre.org",
            &["now allow `Mirrors of research › vulnerabilities` (all.yaml:7:5)"][..],
        ),
        (
            "narrowed",
            "connect:tcp cve.mitre.org",
            &["no longer allow `Mirrors › cve` (all.yaml:7:5)"],
        ),
        // A deny that governs others from now on, though its rule is the same; and a rule in
        // several lines.
        (
            "widened",
            "connect:tcp bad.example.com",
            &[
                "no longer deny `Mirrors › bad` (all.yaml:8:5)",
                "now allow `New › open` (all.yaml:14:5)",
            ],
        ),
        // What no document declares any more: a rule of a policy that stays, and one of a policy
        // that goes.
        ("narrowed", "connect:tcp gone.example.com", &["no longer allow `Mirrors › gone` (live)"]),
        ("narrowed", "connect:tcp old.example.com", &["no longer allow `Old › old` (live)"]),
        // A statement of a Cedar text.
        (
            "widened",
            "mcp getPrompt",
            &[
                "now allow `Tools › permit (principal, action == MCP::Action::\"getPrompt\", resource);` (all.yaml:24:3)",
            ],
        ),
    ] {
        assert_eq!(reasons(&plan, list, access), expected, "{access}");
    }
    // The same words for people, in the column `why` of Markdown, and in a saved plan, byte for
    // byte, wherever it is read.
    let reason = "no longer allow `Mirrors › gone` (live)";
    assert!(shown(folder.path(), &["plan"]).contains(&format!("because {reason}")));
    let markdown = shown(folder.path(), &["plan", "--format", "markdown"]);
    assert!(
        markdown.contains("| no longer allow <code>Mirrors › gone</code> (live) |"),
        "{markdown}"
    );
    shown(folder.path(), &["plan", "--out", "plan.json"]);
    assert_eq!(fs::read_to_string(folder.path().join("plan.json")).unwrap(), text);
}
