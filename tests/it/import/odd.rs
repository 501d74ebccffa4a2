//! What a service holds and no documentation explains: imported as it is, with a warning.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::seawall;

fn imported(snapshot: &Value) -> (TempDir, Option<i32>, String) {
    let folder = TempDir::new().unwrap();
    let settings = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme}\nvijil: {}\n";
    fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    fs::write(folder.path().join("live.json"), snapshot.to_string()).unwrap();
    let (code, stdout, stderr) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
    (folder, code, format!("{stdout}{stderr}"))
}

fn of_rule(actions: &[&str], key: &str, resources: &Value) -> Value {
    let rule =
        json!({"id": "r", "name": "r", "decision": "allow", "actions": actions, key: resources});
    json!({
        "format_version": 1,
        "docker": {"org": "acme", "teams": [], "policies": [{"id": "p", "name": "P", "allowlist_v0": {"rules": [rule]}}]},
        "vijil": {"policies": []},
    })
}

#[test]
fn patterns_of_unknown_meaning_are_imported_with_a_warning_and_planning_changes_nothing() {
    let hosts = |hosts: &[&str]| of_rule(&["connect:tcp"], "resources", &json!(hosts));
    let paths = |paths: &[&str]| {
        let of = |path: &&str| json!({"host": "a.example", "path": path});
        of_rule(&["request:get"], "http_resources", &paths.iter().map(of).collect())
    };
    let folders = |folders: &[&str]| of_rule(&["read"], "resources", &json!(folders));
    // What is live, and which of it is warned about.
    let table = [
        (hosts(&["fdcb::1"]), "fdcb::1"),
        (hosts(&["a.example", "b.example:8000-9000"]), "b.example:8000-9000"),
        (hosts(&["10.0.0.0/8:443"]), "10.0.0.0/8:443"),
        (hosts(&["http://a.example", "a b", "256.1.1.1"]), "256.1.1.1"),
        (hosts(&[".a.example"]), ".a.example"),
        (folders(&["./src", "$HOME/x"]), "$HOME/x"),
        (paths(&["/a/?x=1", "/b"]), "/a/?x=1"),
        (paths(&["/a//b/", "/%20"]), "/a//b/"),
        (folders(&["/a/../b", "/a//b", "/a/"]), "/a//b"),
        (hosts(&["a.example", "a.example"]), ""), // a list is a set
        (of_rule(&["connect:quic"], "resources", &json!(["a.example"])), "`connect:quic`"),
        (
            of_rule(&["connect:tcp", "connect:quic"], "resources", &json!(["a.example"])),
            "`connect:quic`",
        ),
        (of_rule(&["exec"], "resources", &json!(["/bin/sh"])), "`exec`"),
    ];
    for (snapshot, warned) in table {
        let (folder, code, output) = imported(&snapshot);
        assert_eq!(code, Some(0), "{snapshot}: {output}");
        let warning = output
            .lines()
            .find(|line| line.starts_with("warning: policies/p.yaml:") && line.contains(warned));
        assert_eq!(warning.is_some(), !warned.is_empty(), "{snapshot}: {output}");
        let (code, stdout, stderr) =
            seawall(folder.path(), &["plan", "--detailed-exitcode", "--live-from", "live.json"]);
        assert_eq!(code, Some(0), "{snapshot}: {stdout}{stderr}");
        let (code, stdout, stderr) = seawall(folder.path(), &["validate"]);
        assert_eq!(code, Some(0), "{snapshot}: {stdout}{stderr}");
        // Whoever writes another such pattern is told as ever.
        let text = fs::read_to_string(folder.path().join("policies/p.yaml")).unwrap();
        let copied: String = text
            .lines()
            .filter(|line| !line.contains("# seawall:"))
            .map(|line| format!("{line}\n"))
            .collect();
        fs::write(folder.path().join("policies/p.yaml"), &copied).unwrap();
        let (code, _, _) = seawall(folder.path(), &["validate"]);
        assert_eq!(code == Some(1), copied != text, "{snapshot}: {text}");
    }
}

#[test]
fn statuses_of_later_versions_are_left_as_they_are_with_a_warning() {
    let rule = json!({
        "id": "21111111-1111-4111-8111-111111111111", "rule_id": "R", "status": "escalated", "rule_type": "prohibition",
        "action": "disclose", "consequence": {"action": "block", "severity": "high"},
        "natural_language": "Agents must not disclose customer PII.",
    });
    let policy = json!({
        "id": "11111111-1111-4111-8111-111111111111", "name": "V", "status": "suspended", "category": "privacy",
    });
    let snapshot = json!({
        "format_version": 1,
        "docker": {"org": "acme", "teams": [], "policies": []},
        "vijil": {"policies": [{"policy": policy, "rules": [rule]}]},
    });
    let (folder, code, output) = imported(&snapshot);
    assert_eq!(code, Some(0), "{output}");
    let warning = "warning: policies/v.yaml: the policy has the status `suspended`, `R` has the status `escalated`, which \
                   documents cannot set; it is kept\n";
    assert!(output.contains(warning), "{output}");
    let (code, stdout, stderr) =
        seawall(folder.path(), &["plan", "--detailed-exitcode", "--live-from", "live.json"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}
