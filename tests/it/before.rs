//! `plan --before`: what a change of documents means, whatever is live, without a service.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::{copy, repository, seawall};
use crate::guards_from::git;

/// No credentials and no `embedded`: whoever asked a service would fail.
const SETTINGS: &str = "apiVersion: seawall/v1\nkind: Workspace\ninclude: [policies/*.yaml]\ndocker: {org: acme}\nvijil: {}\n";
const GUARDRAILS: &str = "apiVersion: seawall/v1
kind: NetworkPolicy
name: Guardrails
rules:
  - {name: paste sites, decision: deny, actions: [connect:tcp], resources: [paste.example.com, drop.example.com]}
";
const RESEARCH: &str = "apiVersion: seawall/v1
kind: NetworkPolicy
name: Research
scope: {teams: [research]}
rules:
  - {name: mirrors, decision: allow, actions: [connect:tcp], resources: ['cve.mitre.org:443']}
";
const AGENTS: &str = "apiVersion: seawall/v1
kind: AgentPolicy
name: Customer data
category: privacy
status: active
rules:
  - rule_id: PRIV-001
    rule_type: prohibition
    action: disclose
    target: customer_pii
    consequence: {action: block, severity: high}
    natural_language: Agents must not disclose personal data of customers.
    review: {approved: As in the handbook.}
";

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

/// A repository whose commit on `main` holds a workspace in `rules`, where the work tree is as the
/// commit.
fn workspace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    write(&rules, "seawall.yaml", SETTINGS);
    write(&rules, "policies/guardrails.yaml", GUARDRAILS);
    write(&rules, "policies/research.yaml", RESEARCH);
    write(&rules, "policies/agents.yaml", AGENTS);
    git(folder.path(), &["init", "-q", "-b", "main"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-q", "-m", "base"]);
    folder
}

/// The same, with a change in each policy.
fn proposal() -> TempDir {
    let folder = workspace();
    let rules = folder.path().join("rules");
    write(&rules, "policies/guardrails.yaml", &GUARDRAILS.replace(", drop.example.com", ""));
    write(&rules, "policies/research.yaml", &RESEARCH.replace("cve.mitre.org", "*.mitre.org"));
    write(&rules, "policies/agents.yaml", &AGENTS.replace("severity: high", "severity: low"));
    folder
}

fn plan(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    seawall(&folder.join("rules"), &[&["plan", "-q"], arguments].concat())
}

#[test]
fn a_branch_is_compared_with_its_base_offline() {
    let folder = proposal();
    let (code, stdout, stderr) = plan(folder.path(), &["--before", "main"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    insta::assert_snapshot!(stdout, @"
    Plan for `acme`, compared with the documents of `main`: widens access for members of research; weakens PRIV-001: severity high → low; approves 1 rule for agents

    Access
      gained by members of research
        + connect:tcp *.mitre.org:443 except cve.mitre.org (allowed before)
            such as connect:tcp other.mitre.org:443
            because now allow `Research › mirrors` (policies/research.yaml:6:5)

    Changes
      Guardrails  policies/guardrails.yaml:5
       2 ~ paste sites
             resources: - drop.example.com
      Research  policies/research.yaml:6
       1 ~ mirrors
             resources: - cve.mitre.org:443
             resources: + *.mitre.org:443

    Policies for agents
      Customer data  policies/agents.yaml:7
       3 ~ PRIV-001
             the policy stays active; the next call approves the rule
             consequence.severity: high → low
       4  APPROVE  PRIV-001
             approved again: the rule differs from what was approved
             prohibition: “Agents must not disclose personal data of customers.”
             action disclose, target customer_pii
             when broken: block, severity low
             notes: As in the handbook.

    Warning: `PRIV-001` of `Customer data` changes, and the note of its approval is the one of its former text  policies/agents.yaml:7
      write in `review: {approved: …}` what was reviewed of the change

    3 to update (rules), 1 to approve (rule)
    Live state was not read: it may differ from both.
    ");
    let (code, markdown, _) = plan(folder.path(), &["--before", "main", "--format", "markdown"]);
    assert_eq!(code, Some(0));
    let headline = markdown.lines().next().unwrap();
    let expected = "### seawall: widens access for members of <code>research</code> in <code>acme</code>; weakens <code>PRIV-001</code>: \
                    <code>severity high → low</code>; approves 1 rule for agents, compared with the documents of \
                    <code>main</code>";
    assert_eq!(headline, expected);
    assert!(markdown.contains("Live state was not read"), "{markdown}");
    let (code, json, _) =
        plan(folder.path(), &["--before", "main", "--format", "json", "--detailed-exitcode"]);
    assert_eq!(code, Some(3));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["before"], json!({"from": "main"}));
    let because = json["access"]["narrowed"]
        .as_array()
        .unwrap()
        .iter()
        .chain(json["access"]["widened"].as_array().unwrap());
    for gain in because {
        assert!(!gain["because"].to_string().contains("(live)"), "{gain}");
    }
}

#[test]
fn documents_change_nothing_against_themselves() {
    for example in ["examples/policies", "examples/agents"] {
        let folder = TempDir::new().unwrap();
        copy(&repository(example), folder.path());
        if example.ends_with("agents") {
            write(folder.path(), "policies/a.yaml", AGENTS);
            let other =
                |name: &str| AGENTS.replace("Customer data", name).replace("PRIV-001", name);
            write(
                folder.path(),
                "policies/b.yaml",
                &other("B").replace("    review: {approved: As in the handbook.}\n", ""),
            );
            write(folder.path(), "policies/c.yaml", &other("C").replace("status: active\n", ""));
            let rejected =
                other("D").replace("active\n", "draft\n").replace("approved:", "rejected:");
            write(folder.path(), "policies/d.yaml", &rejected);
        }
        let (code, stdout, stderr) =
            seawall(folder.path(), &["plan", "-q", "--before", ".", "--detailed-exitcode"]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{example}: {stdout}");
        assert!(
            stdout.starts_with("No changes. ") && stdout.contains("Live state was not read"),
            "{stdout}"
        );
    }
}

#[test]
fn a_folder_is_a_workspace_or_a_checkout_around_it() {
    let folder = proposal();
    let (_, expected, _) = plan(folder.path(), &["--before", "main"]);
    let beside = tempfile::tempdir().unwrap();
    git(
        folder.path(),
        &[
            "worktree",
            "add",
            "-q",
            "--detach",
            beside.path().join("base").to_str().unwrap(),
            "main",
        ],
    );
    let checkout = beside.path().join("base").to_string_lossy().into_owned();
    copy(&beside.path().join("base/rules"), &folder.path().join("rules/then"));
    for named in
        [checkout.clone(), format!("{checkout}/rules"), "./then".to_owned(), "then".to_owned()]
    {
        let (code, stdout, stderr) = plan(folder.path(), &["--before", &named]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{named}");
        assert_eq!(stdout, expected.replace("main", &named), "{named}");
    }
}

#[test]
fn guards_judge_it_and_policies_that_are_no_longer_declared_are_listed() {
    let folder = proposal();
    let (code, stdout, _) = plan(folder.path(), &["--before", "main", "--deny-widening"]);
    assert_eq!(code, Some(4));
    assert!(stdout.contains("Refused by `deny_widening`"), "{stdout}");
    // Nobody deletes what is only no longer declared, unless the workspace owns everything.
    fs::remove_file(folder.path().join("rules/policies/guardrails.yaml")).unwrap();
    let (code, stdout, _) = plan(folder.path(), &["--before", "main"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("No longer declared, left as they are: `Guardrails`"), "{stdout}");
    let protected = format!("{SETTINGS}guards: {{protected: [Guardrails]}}\n");
    write(folder.path(), "rules/seawall.yaml", &protected);
    let (code, stdout, _) = plan(folder.path(), &["--before", "main"]);
    assert_eq!(code, Some(4), "{stdout}");
    assert!(stdout.contains("no document declares the protected policy `Guardrails`"), "{stdout}");
    write(
        folder.path(),
        "rules/seawall.yaml",
        &protected.replace("org: acme", "org: acme, ownership: exclusive"),
    );
    let (code, stdout, _) = plan(folder.path(), &["--before", "main"]);
    assert_eq!(code, Some(4), "{stdout}");
    assert!(stdout.contains("deletes the protected policy `Guardrails`"), "{stdout}");
}

#[test]
fn such_a_plan_is_neither_saved_nor_applied() {
    let folder = proposal();
    for arguments in [
        &["--before", "main", "--out", "plan.json"][..],
        &["--before", "main", "--live-from", "live.json"],
    ] {
        let (code, stdout, stderr) = plan(folder.path(), arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains("cannot be used with"), "{stderr}");
    }
    assert!(!folder.path().join("rules/plan.json").exists());
    let (_, json, _) = plan(folder.path(), &["--before", "main", "--format", "json"]);
    write(folder.path(), "rules/plan.json", &json);
    for arguments in [
        &["apply", "--plan", "plan.json", "--yes"][..],
        &["comment", "--plan", "plan.json", "--print"],
    ] {
        let (code, stdout, stderr) = seawall(&folder.path().join("rules"), arguments);
        assert_eq!((code, stdout.as_str()), (Some(4), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains("compares documents with those of `main`"), "{stderr}");
    }
}

#[test]
fn an_invalid_base_is_refused() {
    let folder = proposal();
    git(folder.path(), &["checkout", "-q", "--orphan", "empty"]);
    git(folder.path(), &["rm", "-r", "-q", "-f", "--cached", "."]);
    git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "no workspace"]);
    write(
        folder.path(),
        "rules/policies/research.yaml",
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Research\n",
    );
    git(folder.path(), &["add", "rules"]);
    git(folder.path(), &["commit", "-q", "-m", "broken"]);
    write(folder.path(), "rules/policies/research.yaml", RESEARCH);
    fs::create_dir(folder.path().join("rules/bare")).unwrap();
    for (base, says) in [
        ("empty~1", "`empty~1` does not hold the workspace: it has no `seawall.yaml` there"),
        ("./bare", "`./bare` does not hold the workspace"),
        ("empty", "the documents of `empty` are wrong: 1 error"),
        ("mian", "`mian` is neither a commit of this repository nor a folder"),
        ("./nowhere", "is neither a commit of this repository nor a folder"),
        ("--output=x", "is neither a commit of this repository nor a folder"),
        ("", "is neither a commit of this repository nor a folder"),
    ] {
        let (code, stdout, stderr) = plan(folder.path(), &[&format!("--before={base}")]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{base}: {stderr}");
        assert!(stderr.contains(says), "{base}: {stderr}");
    }
    let (_, _, stderr) = seawall(&folder.path().join("rules"), &["plan", "--before", "empty"]);
    assert!(stderr.contains("--> policies/research.yaml:1:1"), "{stderr}");
}

#[test]
fn an_exception_with_a_port_or_a_folder_is_told_to_stay_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let policies = |hosts: &str, folders: &str| {
        let policy = |kind: &str, rule: &str, resources: &str, more: &str| {
            format!(
                "apiVersion: seawall/v1\nkind: {kind}\nname: {kind}\nrules:\n  \
                 - {{name: no, decision: deny, actions: ['{rule}'], resources: [{resources}]}}\n{more}"
            )
        };
        let network = policy(
            "NetworkPolicy",
            "connect:tcp",
            "admin.example.com, 'b.example.com:8443'",
            hosts,
        );
        network + "---\n" + &policy("FilesystemPolicy", "read", "/srv/secret", folders)
    };
    let allow = |action: &str, resource: &str| {
        format!(
            "  - {{name: yes, decision: allow, actions: ['{action}'], resources: ['{resource}']}}\n"
        )
    };
    let after = policies(&allow("connect:tcp", "*.example.com"), &allow("read", "/srv/**"));
    let mirrors = |host: &str| {
        let rule = allow("connect:tcp", host);
        format!("---\napiVersion: seawall/v1\nkind: NetworkPolicy\nname: Mirrors\nrules:\n{rule}")
    };
    let before = policies("", "") + &mirrors("cve.mitre.org:8443");
    for (name, text) in [("then", before), ("now", after + &mirrors("*.mitre.org:8443"))] {
        let settings =
            "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded}\n";
        write(folder.path(), &format!("{name}/seawall.yaml"), settings);
        write(folder.path(), &format!("{name}/a.yaml"), &text);
    }
    let (_, stdout, stderr) =
        seawall(&folder.path().join("now"), &["plan", "-q", "--before", "../then"]);
    for gained in [
        "+ read /srv/** except /srv/secret (still denied)\n",
        "+ connect:tcp *.mitre.org:8443 except cve.mitre.org (allowed before)\n",
        "+ connect:tcp *.example.com except admin.example.com, b.example.com:8443 (every port) (still denied)\n",
    ] {
        assert!(stdout.contains(gained), "{gained}{stdout}{stderr}");
    }
}
