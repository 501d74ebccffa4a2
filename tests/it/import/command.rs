//! `seawall import` as people run it.

use std::fs;

use seawall::model::{Action, Body, Cedar, Decision, HttpResource, Policy, Resources, Rule, Scope};

use super::{files, organization, team, workspace};
use crate::examples::seawall;

fn allow(name: &str, hosts: &[&str]) -> Rule {
    let resources = Resources::Plain(hosts.iter().map(|host| (*host).to_owned()).collect());
    Rule {
        name: name.to_owned(),
        decision: Decision::Allow,
        actions: vec![Action::ConnectTcp],
        resources,
    }
}

fn network(name: &str, teams: &[usize], rules: Vec<Rule>) -> Policy {
    let scope = Scope::from_teams(teams.iter().map(|number| team(*number)));
    Policy { name: name.to_owned(), scope, body: Body::Allowlist(rules) }
}

fn policies() -> Vec<Policy> {
    let http = Rule {
        name: "read".to_owned(),
        decision: Decision::Allow,
        actions: vec![Action::Request("get"), Action::Request("head")],
        resources: Resources::Http(vec![
            HttpResource { host: "b.example.com".into(), port: Some(443), path: "/x/**".into() },
            HttpResource { host: "a.example.com".into(), port: None, path: "/".into() },
        ]),
    };
    let cedar = Cedar {
        text: "// Tools that only read.\npermit (principal, action, resource)\n  when { resource.readOnly };\n".into(),
        schema_url: "https://schemas.docker.com/policy/cedar/v1/mcp/v0".into(),
    };
    vec![
        network(
            "Security Research — hardened",
            &[1, 3, 4],
            vec![allow("mirrors", &["z.example.com:443", "*.a.example.com"]), http],
        ),
        Policy { name: "MCP".to_owned(), scope: Scope::Organization, body: Body::Cedar(cedar) },
        network("Empty", &[], Vec::new()),
    ]
}

#[test]
fn what_is_live_becomes_documents_and_planning_changes_nothing() {
    let live = organization(policies());
    let folder = workspace("  ownership: exclusive\n", &live);
    let (code, stdout, stderr) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    insta::assert_snapshot!(stdout, @r#"
      policies/empty.yaml                       Empty
      policies/mcp.yaml                         MCP
      policies/security-research-hardened.yaml  Security Research — hardened
    Wrote 3 files: planning now changes nothing, and access is as it was.
    "#);
    let written: Vec<String> =
        files(folder.path()).into_iter().map(|(name, text)| format!("{name}:\n{text}")).collect();
    insta::assert_snapshot!(written.join("\n"), @r#"
    policies/empty.yaml:
    apiVersion: seawall/v1
    kind: NetworkPolicy
    name: Empty
    rules: []

    policies/mcp.yaml:
    apiVersion: seawall/v1
    kind: McpPolicy
    name: MCP
    cedar: |
      // Tools that only read.
      permit (principal, action, resource)
        when { resource.readOnly };

    policies/security-research-hardened.yaml:
    apiVersion: seawall/v1
    kind: NetworkPolicy
    name: Security Research — hardened
    scope:
      teams: ["44444444-1111-4111-8111-111111111111", "no", research]
    rules:
      - name: mirrors
        decision: allow
        actions: [connect:tcp]
        resources: ["z.example.com:443", "*.a.example.com"]
      - name: read
        decision: allow
        actions: [request:get, request:head]
        http_resources:
          - {host: b.example.com, port: 443, path: /x/**}
          - {host: a.example.com, path: /}
    "#);
    let (code, stdout, _) =
        seawall(folder.path(), &["plan", "--live-from", "live.json", "--detailed-exitcode"]);
    assert_eq!(code, Some(0), "{stdout}");
    let (code, stdout, _) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "Nothing to import: every live policy is declared.\n")
    );
}

#[test]
fn a_dry_run_shows_the_files_and_writes_none() {
    let folder = workspace("", &organization(policies()));
    let before = files(folder.path());
    let (code, stdout, stderr) =
        seawall(folder.path(), &["import", "--dry-run", "--live-from", "live.json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("policies/mcp.yaml\napiVersion"), "{stdout}");
    assert!(
        stdout.ends_with(
            "Would write 3 files: planning now changes nothing, and access is as it was.\n"
        ),
        "{stdout}"
    );
    assert_eq!(files(folder.path()), before);
}

#[test]
fn files_that_are_there_are_overwritten_only_when_forced_and_what_they_declared_is_imported_too() {
    let live = organization(vec![
        network("Research", &[], vec![allow("a", &["a.example.com"])]),
        network("Research v2", &[], vec![allow("b", &["b.example.com"])]),
    ]);
    let folder = workspace("", &live);
    let own = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Research v2\nrules: []\n";
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/research.yaml"), own).unwrap();
    let (code, stdout, stderr) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
    assert_eq!((code, stdout.as_str()), (Some(4), ""));
    insta::assert_snapshot!(stderr, @r#"
    error: nothing was written: `policies/research.yaml` is there already
      help: move it away, or overwrite it with `--force`
    "#);
    assert_eq!(files(folder.path()), [("policies/research.yaml".to_owned(), own.to_owned())]);
    let (code, stdout, stderr) =
        seawall(folder.path(), &["import", "--force", "--live-from", "live.json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let names: Vec<String> = files(folder.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["policies/research-v2.yaml", "policies/research.yaml"]);
    let (code, stdout, _) =
        seawall(folder.path(), &["plan", "--live-from", "live.json", "--detailed-exitcode"]);
    assert_eq!(code, Some(0), "{stdout}");
}

#[test]
fn policies_that_no_document_can_express_are_reported_and_the_rest_is_imported() {
    let mut unknown = allow("later", &["a.example.com"]);
    unknown.actions = vec![Action::parse("connect:quic")];
    let live = organization(vec![
        network("Baseline", &[], vec![allow("a", &["a.example.com"])]),
        network("Twice", &[], vec![allow("r", &["a.example.com"]), allow("r", &["b.example.com"])]),
        network("Later", &[], vec![unknown]),
        network("Gone", &[9], vec![allow("a", &["a.example.com"])]),
        network("seawall: temporary deny 1", &[], Vec::new()),
        network("baseline", &[], Vec::new()),
        network("", &[], Vec::new()),
        network("red\u{1b}[31m", &[], Vec::new()),
    ]);
    let folder = workspace("  ownership: exclusive\n", &live);
    let (code, stdout, stderr) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(format!("{stdout}{stderr}"), @r#"
      policies/baseline-14092b97.yaml  baseline
      policies/baseline-95563cf5.yaml  Baseline
      policies/gone.yaml               Gone
      policies/later.yaml              Later
      policies/red-31m.yaml            red\u{1b}[31m
    Wrote 5 files: planning now changes nothing of them; 3 other steps wait to be applied.
    warning: policies/later.yaml:7: what `connect:quic` means is not documented, so that what this rule does is uncertain
    warning: policies/gone.yaml: the organization no longer has the team `99999999-1111-4111-8111-111111111111`: whether the policy still governs anybody is not documented
    error: 3 live policies cannot be imported:
      ``: `name` is empty
      `Twice`: two rules are named `r`
      `seawall: temporary deny 1`: an interrupted apply left it; the next `apply` deletes it
      help: change them in the service, or add their names to `docker.unmanaged`: as `ownership` is `exclusive`, the next apply would delete them
    "#);
    let (code, stdout, stderr) = seawall(folder.path(), &["plan", "--live-from", "live.json"]);
    assert!(code == Some(0) && !stdout.contains("update"), "{stdout}{stderr}");
    assert!(
        stdout.contains("`Gone` is for the team `99999999-1111-4111-8111-111111111111`, which"),
        "{stdout}"
    );
}

#[test]
fn an_include_pattern_that_still_matches_nothing_is_reported() {
    let folder =
        workspace("include: ['policies/*.yaml', 'tests/*.yaml']\n", &organization(policies()));
    let (code, stdout, stderr) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
    assert!(code == Some(0) && stdout.contains("Wrote 3 files"), "{stdout}{stderr}");
    assert!(
        stderr.contains("include-matches-nothing") && stderr.contains("before `seawall plan`"),
        "{stderr}"
    );
    fs::create_dir(folder.path().join("tests")).unwrap();
    let test = "apiVersion: seawall/v1\nkind: AccessTest\nname: t\nexpect:\n  - deny: read /x\n";
    fs::write(folder.path().join("tests/t.yaml"), test).unwrap();
    let (_, _, stderr) = seawall(folder.path(), &["import", "--force", "--live-from", "live.json"]);
    assert!(!stderr.contains("include-matches-nothing"), "{stderr}");
}

#[test]
fn one_policy_is_imported_by_its_name() {
    let folder = workspace("", &organization(policies()));
    let import = |name: &str| {
        seawall(folder.path(), &["import", "--live-from", "live.json", "--policy", name])
    };
    let (code, stdout, _) = import("Empty");
    assert_eq!((code, files(folder.path()).len()), (Some(0), 1), "{stdout}");
    let (code, _, stderr) = import("Empty");
    assert_eq!(code, Some(2));
    assert!(stderr.contains("`Empty` is declared already: policies/empty.yaml:3"), "{stderr}");
    let (code, _, stderr) = import("MPC");
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("no live policy is named `MPC`\n  help: did you mean `MCP`?"),
        "{stderr}"
    );
}

#[test]
fn patterns_say_where_files_go_and_policies_of_others_stay_out() {
    let live =
        organization(vec![network("Own", &[], Vec::new()), network("legacy-1", &[], Vec::new())]);
    let settings =
        "  unmanaged: [legacy-*]\ninclude: [documents/**/docker-*.yaml, documents/*.yml]\n";
    let folder = workspace(settings, &live);
    let (code, stdout, stderr) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
    assert_eq!((code, files(folder.path()).len()), (Some(0), 1), "{stdout}{stderr}");
    // Planning is refused while a pattern matches nothing, which is not about what was imported.
    assert!(
        stderr.contains("`documents/**/docker-*.yaml` matches no file")
            && stderr.contains("before `seawall plan`")
    );
    insta::assert_snapshot!(stdout, @r#"
      documents/own.yml  Own
    Wrote 1 file: planning now changes nothing, and access is as it was; left to others according to `seawall.yaml`: `legacy-1`.
    "#);
}

#[test]
fn what_others_own_stays_out_and_is_taken_over_only_by_its_name() {
    let live = organization(vec![
        network("team-a web", &[], Vec::new()),
        network("team-b web", &[], Vec::new()),
    ]);
    let folder = workspace("  ownership: exclusive\n  owns: [team-a *]\n", &live);
    let (code, stdout, stderr) = seawall(folder.path(), &["import", "--live-from", "live.json"]);
    assert_eq!((code, files(folder.path()).len(), stderr.as_str()), (Some(0), 1, ""), "{stdout}");
    assert!(
        stdout.ends_with("left to others according to `seawall.yaml`: `team-b web`.\n"),
        "{stdout}"
    );
    let (code, stdout, _) =
        seawall(folder.path(), &["plan", "--live-from", "live.json", "--detailed-exitcode"]);
    assert!(code == Some(0) && stdout.contains("left as they are): `team-b web`"), "{stdout}");
    let import = ["import", "--live-from", "live.json", "--policy", "team-b web"];
    let (code, stdout, stderr) = seawall(folder.path(), &import);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let text = fs::read_to_string(folder.path().join("policies/team-b-web.yaml")).unwrap();
    assert!(text.contains("name: team-b web\nadopt: true\nrules: []\n"), "{text}");
    let (code, stdout, _) =
        seawall(folder.path(), &["plan", "--live-from", "live.json", "--detailed-exitcode"]);
    assert_eq!(code, Some(0), "{stdout}");
}
