//! `seawall drift` as people run it.

use std::fs;
use std::path::Path;
use std::process::Command;

use seawall::access::cedar::SCHEMA_URL;
use seawall::model::{Action, Body, Cedar, Decision, Live, Policy, Resources, Rule, Scope};
use seawall::service::docker::Snapshot;

use crate::examples::seawall;
use crate::import::{files, organization, workspace};

const DOCUMENTS: &str = "\
# About this file.
apiVersion: seawall/v1
kind: NetworkPolicy
name: Research # the team's own
description: Why.
rules:
  # The mirrors.
  - name: mirrors
    decision: allow
    actions: [connect:tcp]
    resources:
      - a.example.com # the first
      # and the second
      - b.example.com
  - {name: braces, decision: deny, actions: [connect:tcp], resources: [c.example.com]}
---
# About the second.
apiVersion: seawall/v1
kind: NetworkPolicy
name: Second
scope:
  teams: [research]
rules: []
";

fn tcp(name: &str, decision: Decision, hosts: &[&str]) -> Rule {
    let resources = Resources::Plain(hosts.iter().map(|host| (*host).to_owned()).collect());
    Rule { name: name.to_owned(), decision, actions: vec![Action::ConnectTcp], resources }
}

fn live(rules: Vec<Rule>) -> Live {
    let second = Policy {
        name: "Second".into(),
        scope: Scope::from_teams([crate::import::team(1)]),
        body: Body::Allowlist(Vec::new()),
    };
    let research = Policy {
        name: "Research".into(),
        scope: Scope::Organization,
        body: Body::Allowlist(rules),
    };
    let other = Policy {
        name: "Other".into(),
        scope: Scope::Organization,
        body: Body::Allowlist(vec![tcp("x", Decision::Allow, &["x.example.com"])]),
    };
    organization(vec![research, second, other])
}

fn applied() -> Vec<Rule> {
    vec![
        tcp("mirrors", Decision::Allow, &["a.example.com", "b.example.com"]),
        tcp("braces", Decision::Deny, &["c.example.com"]),
    ]
}

fn opened() -> Vec<Rule> {
    vec![
        tcp("mirrors", Decision::Allow, &["a.example.com", "z.example.com"]),
        tcp("braces", Decision::Allow, &["c.example.com"]),
        tcp("new", Decision::Allow, &["n.example.com"]),
    ]
}

fn folder(live: &Live) -> tempfile::TempDir {
    let folder = workspace("  unmanaged: [Other]\ninclude: ['*.yaml']\n", live);
    fs::write(folder.path().join("all.yaml"), DOCUMENTS).unwrap();
    folder
}

fn becomes(folder: &Path, live: &Live) {
    fs::write(folder.join("live.json"), Snapshot::from(live).text()).unwrap();
}

#[test]
fn without_drift_there_is_nothing_to_say() {
    let folder = folder(&live(applied()));
    let (code, stdout, stderr) = seawall(folder.path(), &["drift", "--live-from", "live.json"]);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (Some(0), "No drift: `my-org` matches the documents.\n", "")
    );
}

#[test]
fn what_live_allows_beyond_the_documents_comes_first_and_is_not_called_outside_without_a_base() {
    let folder = folder(&live(opened()));
    let (code, stdout, stderr) = seawall(folder.path(), &["drift", "--live-from", "live.json"]);
    assert_eq!((code, stderr.as_str()), (Some(3), ""));
    insta::assert_snapshot!(stdout, @"
    Drift: `my-org` allows more than what the documents say.

    Live, against the documents: widens and narrows access for the whole organization

    Access
      gained by the whole organization
        + connect:tcp c.example.com (every port)
            because no longer deny `Research › braces` (all.yaml:15:5)
            because now allow `Research › braces` (live)
        + connect:tcp n.example.com (every port)
            because now allow `Research › new` (live)
        + connect:tcp z.example.com (every port)
            because now allow `Research › mirrors` (live)
      lost by the whole organization
        - connect:tcp b.example.com (every port)
            because no longer allow `Research › mirrors` (all.yaml:8:5)

    Changes
      Research  all.yaml:4
       1 ~ mirrors
             resources: - b.example.com
             resources: + z.example.com
       2 ~ braces
             decision: deny → allow
       3 + new
             allow connect:tcp  n.example.com

    Without `--since`, `drift` cannot tell a change in the console from a change that waits to be applied.
    `seawall apply` makes live what the documents say.
    `seawall drift --adopt` makes the documents match the live state.

    Drift: `my-org` allows more than what the documents say.
    ");
}

/// A repository in which these documents were applied.
fn committed(folder: &Path) {
    let git = |arguments: &[&str]| {
        let named =
            ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        let run =
            Command::new("git").current_dir(folder).args(named).args(arguments).output().unwrap();
        assert!(run.status.success(), "{run:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "seawall.yaml", "all.yaml"]);
    git(&["commit", "-q", "-m", "applied"]);
}

#[cfg(unix)]
#[test]
fn a_commit_is_read_as_its_checkout_is_or_not_at_all() {
    let folder = folder(&live(applied()));
    let path = |name: &str| folder.path().join(name);
    fs::rename(path("all.yaml"), path("real")).unwrap();
    std::os::unix::fs::symlink("real", path("all.yaml")).unwrap();
    let git = |at: &Path, arguments: &[&str]| {
        let named =
            ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        let run = Command::new("git").current_dir(at).args(named).args(arguments).output().unwrap();
        assert!(run.status.success(), "{run:?}");
    };
    git(folder.path(), &["init", "-q"]);
    git(folder.path(), &["add", "seawall.yaml", "all.yaml", "real"]);
    git(folder.path(), &["commit", "-q", "-m", "applied"]);
    becomes(folder.path(), &live(opened()));
    let drift =
        || seawall(folder.path(), &["drift", "--live-from", "live.json", "--since", "HEAD"]);
    let (code, stdout, stderr) = drift();
    assert_eq!((code, stderr.as_str()), (Some(3), ""), "{stdout}");
    assert!(
        stdout.contains("Changed outside since `HEAD`") && !stdout.contains("Waits to be applied"),
        "{stdout}"
    );

    fs::create_dir(path("shared")).unwrap();
    fs::write(path("shared/own.yaml"), DOCUMENTS).unwrap();
    git(&path("shared"), &["init", "-q"]);
    git(&path("shared"), &["add", "."]);
    git(&path("shared"), &["commit", "-q", "-m", "own"]);
    git(folder.path(), &["add", "shared"]);
    git(folder.path(), &["commit", "-q", "-m", "with a submodule"]);
    let (code, _, stderr) = drift();
    assert!(code == Some(2) && stderr.contains("`shared` is a submodule"), "{stderr}");
    // Where it was not checked out, the work tree has none of its documents either.
    fs::remove_dir_all(path("shared")).unwrap();
    fs::create_dir(path("shared")).unwrap();
    assert_eq!(drift(), (Some(3), stdout, String::new()));

    // A link that leads elsewhere is as wrong there as it is here.
    fs::remove_file(path("all.yaml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", path("all.yaml")).unwrap();
    git(folder.path(), &["commit", "-q", "-a", "-m", "link"]);
    fs::remove_file(path("all.yaml")).unwrap();
    fs::write(path("all.yaml"), DOCUMENTS).unwrap();
    let (code, _, stderr) = drift();
    assert!(code == Some(2) && stderr.contains("outside of the workspace"), "{stderr}");
}

#[test]
fn changes_made_outside_are_distinguished_from_pending_ones() {
    let folder = folder(&live(applied()));
    committed(folder.path());
    fs::copy(folder.path().join("live.json"), folder.path().join("applied.json")).unwrap();
    let edited = DOCUMENTS.replace(
        "rules: []",
        "rules:\n  - {name: w, decision: allow, actions: [connect:tcp], resources: [w.example.com]}",
    );
    fs::write(folder.path().join("all.yaml"), edited).unwrap();
    let drift = |arguments: &[&str]| {
        let all: Vec<&str> = ["drift", "--live-from", "live.json"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let (code, stdout, stderr) = seawall(folder.path(), &all);
        assert_eq!((code, stderr.as_str()), (Some(3), ""), "{stdout}");
        stdout
    };
    let stdout = drift(&["--since", "HEAD"]);
    assert!(
        stdout.starts_with("Drift: nothing was changed outside in `my-org`, and changes wait to be applied.\n\nWaits"),
        "{stdout}"
    );

    becomes(folder.path(), &live(opened()));
    let stdout = drift(&["--since", "HEAD"]);
    insta::assert_snapshot!(stdout, @"
    Drift: `my-org` allows more than what was applied.

    Changed outside since `HEAD`: widens and narrows access for the whole organization

    Access
      gained by the whole organization
        + connect:tcp c.example.com (every port)
            because no longer deny `Research › braces` (all.yaml:15:5)
            because now allow `Research › braces` (live)
        + connect:tcp n.example.com (every port)
            because now allow `Research › new` (live)
        + connect:tcp z.example.com (every port)
            because now allow `Research › mirrors` (live)
      lost by the whole organization
        - connect:tcp b.example.com (every port)
            because no longer allow `Research › mirrors` (all.yaml:8:5)

    Changes
      Research  all.yaml:4
       1 ~ mirrors
             resources: - b.example.com
             resources: + z.example.com
       2 ~ braces
             decision: deny → allow
       3 + new
             allow connect:tcp  n.example.com

    Waits to be applied: widens access for members of research

    Access
      gained by members of research
        + connect:tcp w.example.com (every port)
            because now allow `Second › w` (all.yaml:24:5)

    Changes
      Second  all.yaml:24
       1 + w
             allow connect:tcp  w.example.com

    `seawall apply` makes live what the documents say.
    `seawall drift --adopt` makes the documents match the live state.

    Drift: `my-org` allows more than what was applied.
    ");
    assert_eq!(drift(&["--since", "applied.json"]), stdout.replace("`HEAD`", "`applied.json`"));

    let json: serde_json::Value =
        serde_json::from_str(&drift(&["--since", "HEAD", "--format", "json"])).unwrap();
    assert!(fits(&json), "{json:#}");
    assert_eq!(
        (&json["format_version"], &json["drift"], &json["since"]),
        (&1.into(), &true.into(), &"HEAD".into())
    );
    assert_eq!(json["outside"]["access"]["widened"][0]["audience"]["teams"], serde_json::json!([]));
    assert_eq!(json["waiting"]["differences"][0]["policy"], "Second");
    assert_eq!(json["summary"]["delete"], 1);
    let markdown = drift(&["--since", "HEAD", "--format", "markdown"]);
    assert!(markdown.starts_with("### seawall: drift\n\n<code>my-org</code> allows more than what was applied.\n\n### Changed outside since <code>HEAD</code>:"), "{markdown}");

    // What waits would be lost.
    let (code, _, stderr) = seawall(
        folder.path(),
        &["drift", "--adopt", "--since", "HEAD", "--live-from", "live.json"],
    );
    assert_eq!(code, Some(4));
    assert!(
        stderr.contains("nothing was written: changes wait to be applied: 1 to create"),
        "{stderr}"
    );
}

pub(super) fn fits(json: &serde_json::Value) -> bool {
    // The schema of a plan stands beside that of drift.
    let mut own = seawall::drift::schema();
    own.as_object_mut().unwrap().remove("allOf").unwrap();
    let schemas = [own, seawall::plan::saved::schema()];
    schemas.iter().all(|schema| jsonschema::draft202012::new(schema).unwrap().is_valid(json))
}

#[test]
fn the_schema_of_drift_is_the_stored_one() {
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/drift.schema.json");
    let text = format!("{:#}\n", seawall::drift::schema());
    #[expect(
        clippy::disallowed_methods,
        reason = "whether to write the schema is asked for from outside"
    )]
    if crate::examples::accepts() {
        fs::write(stored, &text).unwrap();
    }
    assert!(
        fs::read_to_string(stored).unwrap_or_default() == text,
        "`SEAWALL_ACCEPT=1 cargo test --test it the_schema_of_drift` writes it anew"
    );
}

#[test]
fn adopting_edits_what_differs_and_nothing_else() {
    let folder = folder(&live(opened()));
    let (code, stdout, stderr) =
        seawall(folder.path(), &["drift", "--adopt", "--live-from", "live.json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert_eq!(
        stdout,
        "  edited   all.yaml  Research\nAdopted: the documents match the live state, and planning now changes nothing.\n"
    );
    let expected = DOCUMENTS
        .replace("      - b.example.com\n", "      - z.example.com\n")
        .replace("decision: deny", "decision: allow")
        .replace("[c.example.com]}\n", "[c.example.com]}\n  - name: new\n    decision: allow\n    actions: [connect:tcp]\n    resources: [n.example.com]\n");
    assert_eq!(files(folder.path()), [("all.yaml".to_owned(), expected)]);
}

#[test]
fn a_document_that_nothing_live_belongs_to_goes_and_the_rest_of_its_file_stays() {
    let mut live = live(applied());
    live.policies.retain(|policy| policy.name != "Second");
    let folder = folder(&live);
    let (code, stdout, stderr) =
        seawall(folder.path(), &["drift", "--adopt", "--live-from", "live.json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let expected = DOCUMENTS.split("---\n").next().unwrap().to_owned();
    assert_eq!(files(folder.path()), [("all.yaml".to_owned(), expected)]);
}

#[test]
fn what_cannot_be_edited_is_refused_and_nothing_is_written() {
    let folder = folder(&live(opened()));
    let aliased = DOCUMENTS.replace(
        "resources:\n      - a.example.com # the first\n",
        "resources: &hosts\n      - a.example.com # the first\n",
    );
    let aliased = aliased.replace("resources: [c.example.com]", "resources: *hosts");
    fs::write(folder.path().join("all.yaml"), &aliased).unwrap();
    let (code, stdout, stderr) =
        seawall(folder.path(), &["drift", "--adopt", "--live-from", "live.json"]);
    assert_eq!((code, stdout.as_str()), (Some(4), ""));
    assert!(
        stderr.contains(
            "nothing was written: some documents cannot be edited:\n  `Research`: `resources` has an anchor or an alias"
        ),
        "{stderr}"
    );
    assert_eq!(files(folder.path()), [("all.yaml".to_owned(), aliased)]);
}

#[test]
fn policies_of_others_are_no_drift_and_what_is_the_workspaces_own_is_imported() {
    let documents = folder(&live(applied()));
    let settings = fs::read_to_string(documents.path().join("seawall.yaml"))
        .unwrap()
        .replace("  unmanaged: [Other]\n", "");
    let exclusive = |owns: &str| {
        settings
            .replace("docker:\n", &format!("docker:\n  ownership: exclusive\n  owns: [{owns}]\n"))
    };
    fs::write(documents.path().join("seawall.yaml"), exclusive("Research, Second")).unwrap();
    let (code, stdout, _) = seawall(documents.path(), &["drift", "--live-from", "live.json"]);
    assert_eq!(code, Some(0), "{stdout}");
    fs::write(documents.path().join("seawall.yaml"), exclusive("'*'")).unwrap();
    let (code, stdout, _) = seawall(documents.path(), &["drift", "--live-from", "live.json"]);
    assert!(code == Some(3) && stdout.contains("  Other\n   1 + the policy"), "{stdout}");
    let (code, stdout, stderr) =
        seawall(documents.path(), &["drift", "--adopt", "--live-from", "live.json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.starts_with("  wrote    other.yaml  Other\n"), "{stdout}");
}

const AGENTS: &str = "\
apiVersion: seawall/v1
kind: AgentPolicy
name: Customer data
category: privacy
status: active
rules:
  - rule_id: PRIV-001
    rule_type: prohibition
    action: disclose
    consequence: {action: block, severity: high}
    natural_language: Agents must not disclose customer data.
    review: {approved: ok}
";

#[test]
fn documents_of_policies_for_agents_are_compared_and_edited() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "apiVersion: seawall/v1\nkind: Workspace\nvijil: {endpoint: embedded}\n";
    fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    fs::write(folder.path().join("all.yaml"), AGENTS).unwrap();
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    committed(folder.path());
    let edited = AGENTS.replace("severity: high", "severity: low");
    fs::write(folder.path().join("all.yaml"), &edited).unwrap();
    let (code, stdout, _) = seawall(folder.path(), &["drift"]);
    assert!(
        code == Some(3)
            && stdout
                .starts_with("Drift: policies for agents differ from what the documents say.\n"),
        "{stdout}"
    );
    assert!(stdout.contains("severity") && !stdout.contains("status: "), "{stdout}");
    let (code, stdout, _) = seawall(folder.path(), &["drift", "--since", "HEAD"]);
    assert!(code == Some(3) && stdout.contains("nothing was changed outside"), "{stdout}");
    let (code, stdout, _) = seawall(folder.path(), &["drift", "--adopt"]);
    assert!(
        code == Some(0) && stdout.starts_with("  edited   all.yaml  Customer data\n"),
        "{stdout}"
    );
    assert_eq!(fs::read_to_string(folder.path().join("all.yaml")).unwrap(), AGENTS);
}

#[test]
fn a_rule_is_placed_in_the_documents_only_if_they_say_the_same() {
    let folder = folder(&live(opened()));
    let because = |documents: &str| -> Vec<String> {
        fs::write(folder.path().join("all.yaml"), documents).unwrap();
        let (_, stdout, stderr) = seawall(folder.path(), &["drift", "--live-from", "live.json"]);
        let lines = stdout.lines().filter_map(|line| line.trim().strip_prefix("because "));
        let found: Vec<String> = lines.map(str::to_owned).collect();
        assert!(!found.is_empty(), "{stdout}{stderr}");
        found
    };
    // An edit in the console: what came is live, what went is declared.
    let edited = because(DOCUMENTS);
    for expected in [
        "now allow `Research › mirrors` (live)",
        "no longer allow `Research › mirrors` (all.yaml:8:5)",
        "now allow `Research › new` (live)",
    ] {
        assert!(edited.iter().any(|line| line == expected), "{expected}: {edited:?}");
    }
    // The live rule has the earlier name of a declared rule: with its content, or with another one.
    let renamed = |host: &str| {
        let rule = format!(
            "  - {{name: later, previously: [new], decision: allow, actions: [connect:tcp], resources: [{host}]}}\n---\n# About"
        );
        because(&DOCUMENTS.replace("---\n# About", &rule))
    };
    let place = |found: &[String]| {
        let rule = found.iter().find(|line| line.contains("now allow `Research › new`"));
        rule.map(|line| line.rsplit_once(" (").unwrap().1.to_owned())
    };
    assert_eq!(place(&renamed("other.example.com")).as_deref(), Some("live)"));
}

#[test]
fn a_statement_is_placed_in_the_documents_only_if_they_have_its_text() {
    let permit = |action: &str| {
        format!("permit (principal, action == MCP::Action::\"{action}\", resource);")
    };
    let [declared, found] = ["invokeTool", "readResource"].map(permit);
    let body = Body::Cedar(Cedar { text: format!("{found}\n"), schema_url: SCHEMA_URL.to_owned() });
    let policy = Policy { name: "M".into(), scope: Scope::Organization, body };
    let folder = folder(&organization(vec![policy]));
    let documents =
        format!("apiVersion: seawall/v1\nkind: McpPolicy\nname: M\ncedar: |\n  {declared}\n");
    fs::write(folder.path().join("all.yaml"), documents).unwrap();
    let (_, stdout, stderr) = seawall(folder.path(), &["drift", "--live-from", "live.json"]);
    for expected in [
        format!("because no longer allow `M › {declared}` (all.yaml:5:3)\n"),
        format!("because now allow `M › {found}` (live)\n"),
    ] {
        assert!(stdout.contains(&expected), "{expected}{stdout}{stderr}");
    }
}
