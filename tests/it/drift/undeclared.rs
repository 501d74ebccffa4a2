//! Live policies that no document declares, as `drift` and `plan` tell of them.

use std::fs;
use std::path::Path;

use seawall::model::{Action, Body, Decision, Live, Policy, Resources, Rule, Scope};
use serde_json::{Value, json};

use super::command::fits;
use crate::examples::seawall;
use crate::import::{files, organization, team, workspace};

const BASE: &str = "\
apiVersion: seawall/v1
kind: NetworkPolicy
name: Base
rules:
  - {name: mirrors, decision: allow, actions: [connect:tcp], resources: [a.example.com]}
";

fn policy(name: &str, teams: &[usize], decision: Decision, hosts: &[&str]) -> Policy {
    let resources = Resources::Plain(hosts.iter().map(|host| (*host).to_owned()).collect());
    let rule = Rule { name: "r".into(), decision, actions: vec![Action::ConnectTcp], resources };
    let scope = Scope::from_teams(teams.iter().map(|number| team(*number)));
    Policy { name: name.into(), scope, body: Body::Allowlist(vec![rule]) }
}

fn base() -> Policy {
    let Policy { name, scope, body: Body::Allowlist(mut rules) } =
        policy("Base", &[], Decision::Allow, &["a.example.com"])
    else {
        unreachable!()
    };
    rules[0].name = "mirrors".into();
    Policy { name, scope, body: Body::Allowlist(rules) }
}

fn folder(docker: &str, undeclared: Vec<Policy>) -> tempfile::TempDir {
    let live: Live = organization([base()].into_iter().chain(undeclared).collect());
    let folder = workspace(docker, &live);
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/base.yaml"), BASE).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let all: Vec<&str> = arguments.iter().copied().chain(["--live-from", "live.json"]).collect();
    seawall(folder, &all)
}

#[test]
fn an_undeclared_policy_that_opens_something_is_drift_until_it_is_declared() {
    let hotfix = || {
        vec![
            policy("Audit", &[], Decision::Deny, &["a.example.com"]),
            policy("Hotfix", &[], Decision::Allow, &["**:443"]),
            policy("Same", &[], Decision::Allow, &["a.example.com"]),
        ]
    };
    let folder = folder("", hotfix());
    let (code, stdout, stderr) = run(folder.path(), &["drift"]);
    assert_eq!((code, stderr.as_str()), (Some(3), ""), "{stdout}");
    insta::assert_snapshot!(stdout, @"
    Drift: the undeclared policy `Hotfix` allows more than the documents say.

    Effect of undeclared live policies: widens and narrows access for the whole organization

    Access
      gained by the whole organization
        + connect:tcp **:443 except a.example.com
            such as connect:tcp other:443
            because now allow `Hotfix › r` (live)
      may be gained by the whole organization
        ? connect:tcp any other address:443
            such as connect:tcp 192.0.2.1:443
            because now allow `Hotfix › r` (live)
      lost by the whole organization
        - connect:tcp a.example.com (every port)
            because now deny `Audit › r` (live)

      `Hotfix`, for the whole organization: widens access
      `Audit`, for the whole organization: narrows access

    `seawall import` writes documents for undeclared policies; `docker.unmanaged` names those that are meant to have none.
    `seawall drift --adopt` makes the documents match the live state.

    Drift: the undeclared policy `Hotfix` allows more than the documents say.
    ");

    let (_, stdout, _) = run(folder.path(), &["drift", "--format", "json"]);
    let drift: Value = serde_json::from_str(&stdout).unwrap();
    assert!(fits(&drift), "{drift:#}");
    assert_eq!(drift["drift"], true);
    let all = json!([
        {"effect": "widens", "policy": "Hotfix", "teams": []},
        {"effect": "narrows", "policy": "Audit", "teams": []},
    ]);
    assert_eq!(drift["undeclared"]["policies"], all);
    assert_eq!(drift["steps"], json!([]));
    let (code, stdout, _) = run(folder.path(), &["drift", "--format", "markdown"]);
    let first = "### seawall: drift\n\nthe undeclared policy <code>Hotfix</code> allows more than the documents say.\n\n";
    assert!(code == Some(3) && stdout.starts_with(first), "{stdout}");
    assert!(
        stdout.contains("- <code>Hotfix</code>, for the whole organization: widens access\n"),
        "{stdout}"
    );

    let (code, stdout, stderr) = run(folder.path(), &["drift", "--adopt"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("wrote    policies/hotfix.yaml  Hotfix"), "{stdout}");
    let names: Vec<String> = files(folder.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["policies/audit.yaml", "policies/base.yaml", "policies/hotfix.yaml"]);
    let (code, stdout, _) = run(folder.path(), &["drift"]);
    assert_eq!(code, Some(0), "{stdout}");
}

#[test]
fn only_what_the_settings_leave_to_others_or_changes_nothing_is_silent() {
    let open = |teams: &[usize]| vec![policy("Hotfix", teams, Decision::Allow, &["**:443"])];
    let same = || vec![policy("Hotfix", &[], Decision::Allow, &["a.example.com"])];
    let scoped = BASE.replace("rules:", "scope: {teams: [research]}\nrules:");
    let table = [
        ("", open(&[]), BASE, 3),
        ("", open(&[2]), BASE, 3), // for a team of an organization that is governed
        ("", same(), BASE, 0),     // changes nothing
        ("  unmanaged: ['Hot*']\n", open(&[]), BASE, 0), // left to others on purpose
        ("  owns: [Base]\n", open(&[]), BASE, 0), // likewise
        ("  owns: [Base, Hotfix]\n", open(&[]), BASE, 3),
        ("  ownership: exclusive\n", open(&[]), BASE, 3), // to be deleted
        ("", open(&[2]), scoped.as_str(), 3), // the base lost its team: drift of another kind
    ];
    for (docker, undeclared, document, expected) in table {
        let names = format!("{docker:?} {undeclared:?}");
        let folder = folder(docker, undeclared);
        fs::write(folder.path().join("policies/base.yaml"), document).unwrap();
        let (code, stdout, stderr) = run(folder.path(), &["drift"]);
        assert_eq!(code, Some(expected), "{names} {stdout}{stderr}");
    }
}

#[test]
fn an_undeclared_policy_whose_comparison_is_incomplete_is_drift_that_says_so() {
    let behind = |n: usize| "/*".repeat(n);
    let folders: Vec<String> = (0..24)
        .flat_map(|n| [format!("/d/**/a*{}", behind(n)), format!("/d/**/[!a]*{}", behind(n))])
        .collect();
    let rule = Rule {
        name: "r".into(),
        decision: Decision::Allow,
        actions: vec![Action::Read],
        resources: Resources::Plain(folders.into()),
    };
    let wild = Policy {
        name: "Wild".into(),
        scope: Scope::Organization,
        body: Body::Allowlist(vec![rule]),
    };
    let folder = folder("", vec![wild]);
    let (code, stdout, stderr) = run(folder.path(), &["drift"]);
    assert_eq!((code, stderr.as_str()), (Some(3), ""), "{stdout}");
    let first = "Drift: the undeclared policy `Wild` may allow more or less than the documents say: the comparison is incomplete.\n";
    assert!(stdout.starts_with(first), "{stdout}");
    assert!(
        stdout.contains("  `Wild`, for the whole organization: may widen access\n"),
        "{stdout}"
    );
}

/// Hosts that a document allows and denies, and what the headline says of access.
type Row = (&'static [&'static str], &'static [&'static str], Vec<Policy>, &'static str);

#[test]
fn a_plan_says_which_undeclared_policy_keeps_a_change_from_having_an_effect() {
    use Decision::{Allow, Deny};
    let hotfix = |decision, hosts: &[&str]| vec![policy("Hotfix", &[], decision, hosts)];
    let table: [Row; 6] = [
        (
            &["a", "b"],
            &[],
            hotfix(Allow, &["**.example.com"]),
            "no access change, because the undeclared policy `Hotfix` allows it",
        ),
        (
            &["a", "b"],
            &[],
            hotfix(Deny, &["b.example.com"]),
            "no access change, because the undeclared policy `Hotfix` denies it",
        ),
        (
            &["a"],
            &["a"],
            hotfix(Deny, &["a.example.com"]),
            "no access change, because the undeclared policy `Hotfix` denies it",
        ),
        (
            &[],
            &[],
            hotfix(Allow, &["a.example.com"]),
            "no access change, because the undeclared policy `Hotfix` allows it",
        ),
        (
            &["a", "b"],
            &[],
            hotfix(Allow, &["c.example.com"]),
            "widens access for the whole organization",
        ),
        (&["a", "b"], &[], Vec::new(), "widens access for the whole organization"),
    ];
    for (allowed, denied, undeclared, expected) in table {
        let names = format!("{allowed:?} {denied:?} {undeclared:?}");
        let folder = folder("", undeclared);
        let host = |host: &&str| format!("{host}.example.com");
        let rule = |name: &str, decision: &str, hosts: &[&str]| match hosts {
            [] => String::new(),
            hosts => {
                let hosts: Vec<String> = hosts.iter().map(host).collect();
                format!(
                    "  - {{name: {name}, decision: {decision}, actions: [connect:tcp], resources: [{}]}}\n",
                    hosts.join(", ")
                )
            }
        };
        let rules = rule("mirrors", "allow", allowed) + &rule("no", "deny", denied);
        let head = BASE.split("rules:").next().unwrap();
        let rules =
            if rules.is_empty() { "rules: []\n".to_owned() } else { format!("rules:\n{rules}") };
        fs::write(folder.path().join("policies/base.yaml"), format!("{head}{rules}")).unwrap();
        let (_, stdout, stderr) = run(folder.path(), &["plan", "--out", "plan.json"]);
        assert!(
            stdout.starts_with(&format!("Plan for `my-org`: {expected}\n")),
            "{names}\n{stdout}{stderr}"
        );
        let (_, markdown, _) = run(folder.path(), &["plan", "--format", "markdown"]);
        let because = expected
            .split_once(", because ")
            .map(|(_, why)| why.replace("`Hotfix`", "<code>Hotfix</code>"));
        assert!(
            because.is_none_or(|why| markdown.lines().next().unwrap().contains(&why)),
            "{markdown}"
        );
        // What is saved is what is shown.
        let saved = fs::read_to_string(folder.path().join("plan.json")).unwrap();
        let saved = seawall::plan::Plan::from_json(&saved).unwrap();
        let docker = saved.docker.unwrap();
        assert_eq!(!docker.without_effect.is_empty(), expected.contains("because"), "{names}");
    }
}

#[test]
fn a_plan_lists_what_has_no_effect_beside_what_has() {
    let folder = folder("", vec![policy("Hotfix", &[], Decision::Allow, &["b.example.com"])]);
    let more = BASE.to_owned()
        + "  - {name: b, decision: allow, actions: [connect:tcp], resources: [b.example.com]}\n"
        + "  - {name: c, decision: allow, actions: [connect:tcp], resources: [c.example.com]}\n";
    fs::write(folder.path().join("policies/base.yaml"), more).unwrap();
    let (_, stdout, _) = run(folder.path(), &["plan"]);
    insta::assert_snapshot!(stdout, @"
    Plan for `my-org`: widens access for the whole organization, and a part has no effect, because the undeclared policy `Hotfix` allows it

    Access
      gained by the whole organization
        + connect:tcp c.example.com (every port)
            because now allow `Base › c` (policies/base.yaml:7:5)

    Without effect
      + connect:tcp b.example.com for the whole organization
            the undeclared policy `Hotfix` already allows it

    Changes
      Base  policies/base.yaml:6
       1 + b
             allow connect:tcp  b.example.com
       2 + c
             allow connect:tcp  c.example.com

    Undeclared (live, left as they are): `Hotfix`

    2 to create (rules)
    ");
}
