//! `who-can` through the command line: everybody who may, offline and live, for people and for
//! programs.

use std::fs;

use seawall::emulator::Emulator;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::seawall;

const SETTINGS: &str =
    "apiVersion: seawall/v1\nkind: Workspace\ninclude: [policies.yaml]\ndocker: {org: acme}\n";
const POLICIES: &str = "apiVersion: seawall/v1
kind: NetworkPolicy
name: Mirrors
rules:
  - {name: subdomains, decision: allow, actions: [connect:tcp], resources: [\"**.mitre.org\"]}
---
apiVersion: seawall/v1
kind: NetworkPolicy
name: Research
scope: {teams: [research, platform]}
rules:
  - {name: databases, decision: allow, actions: [connect:tcp], resources: [\"mitre.org:443\"]}
---
apiVersion: seawall/v1
kind: NetworkPolicy
name: Contractors
scope: {teams: [contractors]}
rules:
  - {name: nothing, decision: deny, actions: [connect:tcp], resources: [\"**.org\", mitre.org]}
---
apiVersion: seawall/v1
kind: FilesystemPolicy
name: Readers
scope: {teams: [research]}
rules:
  - {name: data, decision: allow, actions: [read], resources: [/data]}
---
apiVersion: seawall/v1
kind: FilesystemPolicy
name: Writers
scope: {teams: [platform]}
rules:
  - {name: data, decision: allow, actions: [write], resources: [/data]}
---
apiVersion: seawall/v1
kind: McpPolicy
name: Tools
cedar: |
  permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };
  @requireApproval(\"writes\")
  permit (principal, action == MCP::Action::\"invokeTool\", resource) when { !resource.readOnly };
";

fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("seawall.yaml"), SETTINGS).unwrap();
    fs::write(folder.path().join("policies.yaml"), POLICIES).unwrap();
    folder
}

#[test]
fn people_see_every_audience_with_its_rules_and_exceptions() {
    let folder = workspace();
    let shown = |target: &[&str]| {
        let (code, stdout, stderr) = seawall(folder.path(), &[&["who-can"], target].concat());
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{target:?}");
        stdout
    };
    insta::assert_snapshot!(shown(&["connect:tcp mitre.org:443"]), @r#"
    connect:tcp mitre.org:443
    allow  members of any of platform, research
      a rule allows it, and none denies it
        allow `Mirrors › subdomains`  **.mitre.org  (maybe)  policies.yaml:5:5
        allow `Research › databases`  mitre.org:443  policies.yaml:12:5
      denied for those who are in contractors too
        a rule denies it
          deny  `Contractors › nothing`  **.org  policies.yaml:19:5
          deny  `Contractors › nothing`  mitre.org  policies.yaml:19:5
    uncertain  the whole organization
      it is not documented whether `**.example.com` matches `example.com` itself
        allow `Mirrors › subdomains`  **.mitre.org  (maybe)  policies.yaml:5:5
      denied for those who are in contractors too
        a rule denies it
          deny  `Contractors › nothing`  **.org  policies.yaml:19:5
          deny  `Contractors › nothing`  mitre.org  policies.yaml:19:5
    note: a policy may ask for approval first, which the API does not show
    "#);
    insta::assert_snapshot!(shown(&["mount", "rw", "/data"]), @r#"
    mount rw /data
    allow  members of platform and of research together
      a rule allows it, and none denies it
        allow `Readers › data`  /data  policies.yaml:26:5
        allow `Writers › data`  /data  policies.yaml:33:5
    nobody else: no rule allows it
    note: a sandbox looks at mount rules only when it is created
    "#);
    insta::assert_snapshot!(shown(&["mcp invokeTool notion/create {\"readOnly\": false}"]), @r#"
    mcp invokeTool notion/create {"readOnly":false}
    approval  the whole organization
      a person is asked for approval each time
        allow `Tools › statement 2`  (it asks for approval: writes)  policies.yaml:40:3
    note: where the client cannot ask, as in `code-mode`, the call is denied; a program can answer for the person
    "#);
    insta::assert_snapshot!(shown(&["connect:tcp", "pastebin.example.com"]), @r#"
    connect:tcp pastebin.example.com:443
    nobody
      no rule allows it
    "#);
}

#[test]
fn programs_get_the_same_in_three_lists() {
    let folder = workspace();
    let (code, stdout, _) =
        seawall(folder.path(), &["who-can", "connect:tcp", "mitre.org", "--format", "json"]);
    assert_eq!(code, Some(0));
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&found["format_version"], &found["request"]),
        (&json!(1), &json!("connect:tcp mitre.org:443"))
    );
    assert_eq!(
        found["allow"][0]["audience"],
        json!({"teams": ["platform"], "alike": [["research"]]})
    );
    assert_eq!(found["allow"][0]["because"][0]["source"]["file"], "policies.yaml");
    assert_eq!(found["allow"][0]["unless"][0]["teams"], json!(["contractors"]));
    assert_eq!(found["allow"][0]["unless"][0]["decision"], "deny");
    assert_eq!(
        (&found["uncertain"][0]["audience"], &found["approval"]),
        (&json!({"teams": []}), &json!([]))
    );
    for wrong in [
        &["who-can", "connect:tcp", "*.mitre.org"][..],
        &["who-can", "conect:tcp", "x"],
        &["who-can"],
    ] {
        let (code, stdout, _) = seawall(folder.path(), wrong);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_teams_have_names() {
    let emulator = Emulator::builder().org("acme").account("someone", "secret");
    let emulator = emulator.teams(["research", "platform", "contractors"]).start().await.unwrap();
    let folder = workspace();
    let settings =
        SETTINGS.replace("org: acme", &format!("org: acme, endpoint: '{}'", emulator.base_url()));
    fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_seawall"));
        command.current_dir(folder.path()).args(arguments).env("NO_COLOR", "1");
        let output = command
            .env("DOCKER_USERNAME", "someone")
            .env("DOCKER_PASSWORD", "secret")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // Nothing is live yet.
    assert!(
        run(&["who-can", "read", "/data", "--live"]).contains("uncertain  the whole organization")
    );
    run(&["apply", "--yes"]);
    let live = run(&["who-can", "mount", "rw", "/data", "--live"]);
    assert!(live.contains("allow  members of platform and of research together\n"), "{live}");
    assert!(!live.contains("policies.yaml"), "{live}");
    emulator.stop().await;
}
