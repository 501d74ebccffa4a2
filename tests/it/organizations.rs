//! Several organizations of one workspace, on the command line.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use seawall::emulator::{Emulator, Running};
use serde_json::Value;
use tempfile::TempDir;

const SETTINGS: &str = "apiVersion: seawall/v1\nkind: Workspace\ninclude: [policies.yaml]\n";
const BOTH: &str = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Mirrors\nrules:\n  \
                    - {name: cve, decision: allow, actions: [connect:tcp], resources: [cve.mitre.org]}\n";
const LABS: &str = "---\napiVersion: seawall/v1\nkind: NetworkPolicy\nname: Forge\norgs: [acme-labs]\nrules:\n  \
                    - {name: git, decision: allow, actions: [connect:tcp], resources: [git.corp.example]}\n";

struct Workspace {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Workspace {
    fn new(docker: &str, documents: &str) -> Self {
        let workspace = Self { folder: TempDir::new().unwrap(), environment: Vec::new() };
        workspace.write("seawall.yaml", &format!("{SETTINGS}{docker}\n"));
        workspace.write("policies.yaml", documents);
        workspace
    }

    fn embedded(documents: &str) -> Self {
        Self::new("docker: {orgs: [acme, acme-labs], endpoint: embedded}", documents)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
        command.args(arguments).current_dir(self.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        command.env("HOME", self.path()).envs(self.environment.iter().cloned());
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (_, stdout, stderr) = self.run(arguments);
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"))
    }
}

/// A service with two organizations, and a workspace for those and for one that it does not have.
async fn three() -> (Running, Workspace) {
    let emulator = Emulator::builder().org("acme").account("someone", "secret").start().await.unwrap();
    emulator.serve("acme-labs", Vec::new()).unwrap();
    let endpoint = emulator.base_url();
    let docker = format!("docker: {{orgs: [acme, gone, acme-labs], endpoint: '{endpoint}'}}");
    let mut workspace = Workspace::new(&docker, &format!("{BOTH}{LABS}"));
    let common = [("DOCKER_USERNAME", "someone"), ("DOCKER_PASSWORD", "secret")];
    workspace.environment = common.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    (emulator, workspace)
}

fn names(emulator: &Running, org: &str) -> Vec<String> {
    let state = emulator.state();
    let mut names: Vec<String> = state
        .orgs
        .get(org)
        .into_iter()
        .flat_map(|org| org.policies.values())
        .map(|policy| policy.name.clone())
        .collect();
    names.sort();
    names
}

#[test]
fn each_organization_gets_what_is_for_it() {
    let workspace = Workspace::embedded(&format!("{BOTH}{LABS}"));
    let (code, stdout, stderr) = workspace.run(&["plan", "--detailed-exitcode"]);
    assert_eq!((code, stderr.as_str()), (3, ""), "{stdout}");
    insta::assert_snapshot!(stdout, @"
    Plan for `acme`: widens access for 1 audience

    Access
      first network policy for the whole organization: until now, local rules may have counted
      gained by the whole organization
        + connect:tcp cve.mitre.org
            because now allow `Mirrors › cve` (policies.yaml:5:5)

    Changes
      Mirrors  policies.yaml:3
       1 + the policy, for the whole organization
       2 + cve
             allow connect:tcp  cve.mitre.org

    2 to create

    Plan for `acme-labs`: widens access for 1 audience

    Access
      first network policy for the whole organization: until now, local rules may have counted
      gained by the whole organization
        + connect:tcp cve.mitre.org
            because now allow `Mirrors › cve` (policies.yaml:5:5)
        + connect:tcp git.corp.example
            because now allow `Forge › git` (policies.yaml:12:5)

    Changes
      Forge  policies.yaml:9
       1 + the policy, for the whole organization
       3 + git
             allow connect:tcp  git.corp.example
      Mirrors  policies.yaml:3
       2 + the policy, for the whole organization
       4 + cve
             allow connect:tcp  cve.mitre.org

    4 to create

    Summary
      acme: 2 to create; widens access for 1 audience
      acme-labs: 4 to create; widens access for 1 audience
    ");
    let (code, stdout, stderr) = workspace.run(&["apply", "--yes"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.ends_with("\nacme\nApplied: 2 steps. Machines follow within five minutes.\n\nacme-labs\nApplied: 4 steps. Machines follow within five minutes.\n"), "{stdout}");
    let (code, stdout, _) = workspace.run(&["plan", "--detailed-exitcode"]);
    assert!(
        code == 0 && stdout.ends_with("Summary\n  acme: nothing to change\n  acme-labs: nothing to change\n"),
        "{stdout}"
    );
    // One of them, as a workspace of one.
    let plan = workspace.json(&["plan", "--format", "json", "--org", "acme-labs"]);
    assert_eq!(plan["docker"]["org"], "acme-labs");
    let (code, _, stderr) = workspace.run(&["plan", "--org", "acme-lab"]);
    assert!(code == 2 && stderr.contains("did you mean `acme-labs`?"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_hides_no_other() {
    let (emulator, workspace) = three().await;
    let (code, stdout, stderr) = workspace.run(&["plan", "--out", "plans.json"]);
    assert_eq!(code, 5, "{stdout}{stderr}");
    assert!(stdout.contains("Plan for `acme`") && stdout.contains("Plan for `acme-labs`"), "{stdout}");
    assert!(stdout.contains("  gone: not planned: ") && stderr.contains("error: `gone`: "), "{stdout}{stderr}");
    let plans = workspace.json(&["plan", "--format", "json"]);
    let schema = include_str!("../../schemas/plans.schema.json");
    let schema = jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap();
    assert!(schema.is_valid(&plans), "{plans:#}");
    let orgs: Vec<&Value> = plans["plans"].as_array().unwrap().iter().map(|plan| &plan["docker"]["org"]).collect();
    assert_eq!((orgs, &plans["failed"][0]["org"]), (vec![&"acme".into(), &"acme-labs".into()], &Value::from("gone")));
    // What was saved is applied, and no more.
    let (code, stdout, stderr) = workspace.run(&["apply", "--plan", "plans.json", "--yes"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(
        (names(&emulator, "acme"), names(&emulator, "acme-labs")),
        (vec!["Mirrors".into()], vec!["Forge".into(), "Mirrors".into()])
    );
    // Nothing is left to do but for the one that fails.
    let (code, stdout, stderr) = workspace.run(&["apply", "--yes"]);
    assert_eq!(code, 5, "{stdout}{stderr}");
    workspace.write("policies.yaml", BOTH);
    let (code, _, stderr) = workspace.run(&["apply", "--yes"]);
    assert_eq!(code, 5, "{stderr}");
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_or_a_stale_plan_of_one_keeps_all_from_being_written() {
    let (emulator, workspace) = three().await;
    let text = fs::read_to_string(workspace.path().join("seawall.yaml")).unwrap();
    let text = text.replace(", gone", "").replace("endpoint:", "ownership: exclusive, endpoint:");
    workspace.write("seawall.yaml", &text);
    workspace.run(&["apply", "--yes"]);
    let written = || emulator.writes().len();
    let before = written();
    assert_ne!(before, 0);
    // `acme` gains a rule, `acme-labs` loses a policy.
    let more = BOTH.replace("cve.mitre.org", "research.mitre.org");
    workspace.write("policies.yaml", &more);
    workspace.write("seawall.yaml", &format!("{text}guards: {{protected: [Forge]}}\n"));
    let (code, _, stderr) = workspace.run(&["apply", "--yes"]);
    assert_eq!((code, written()), (4, before), "{stderr}");
    assert!(stderr.contains("nothing was written: refused `acme-labs` by protected"), "{stderr}");

    workspace.write("seawall.yaml", &text);
    workspace.run(&["plan", "--out", "plans.json"]);
    emulator.edit(|state| state.org_mut("acme-labs").policies.clear()).unwrap();
    let (code, _, stderr) = workspace.run(&["apply", "--plan", "plans.json", "--yes"]);
    assert_eq!((code, written()), (4, before), "{stderr}");
    // One of them still fits.
    let (code, _, stderr) = workspace.run(&["apply", "--plan", "plans.json", "--yes", "--org", "acme"]);
    assert!(code == 0 && written() > before, "{stderr}");
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_for_one_and_not_for_another_is_in_part() {
    let (emulator, workspace) = three().await;
    let (code, stdout, stderr) = workspace.run(&["apply", "--yes"]);
    assert_eq!(code, 6, "{stdout}{stderr}");
    assert_eq!(names(&emulator, "acme-labs"), ["Forge", "Mirrors"]);
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_go_by_the_name_of_the_organization() {
    let (emulator, mut workspace) = three().await;
    let mut set = |variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        workspace.environment = variables.collect();
        workspace.run(&["plan"])
    };
    let labs = [("DOCKER_USERNAME_ACME_LABS", "someone"), ("DOCKER_PASSWORD_ACME_LABS", "secret")];
    let (code, stdout, stderr) = set(&labs);
    assert!(code == 5 && stdout.contains("Plan for `acme-labs`"), "{stdout}{stderr}");
    assert!(stderr.contains("`acme`: there are no Docker credentials"), "{stderr}");
    // The common ones are for the rest.
    let wrong = [("DOCKER_USERNAME", "someone"), ("DOCKER_PASSWORD", "secret"), ("DOCKER_USERNAME_ACME", "someone")];
    let (_, stdout, stderr) = set(&wrong);
    assert!(stdout.contains("Plan for `acme-labs`"), "{stdout}");
    assert!(stderr.contains("`acme`: `DOCKER_USERNAME_ACME` is set, but `DOCKER_PASSWORD_ACME` is not"), "{stderr}");
    emulator.stop().await;
}

#[test]
fn snapshots_of_all_stand_in_for_the_service() {
    let workspace = Workspace::embedded(&format!("{BOTH}{LABS}"));
    workspace.run(&["apply", "--yes"]);
    let (code, _, stderr) = workspace.run(&["snapshot", "--out", "live.json"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let (code, stdout, _) = workspace.run(&["plan", "--live-from", "live.json"]);
    assert!(code == 0 && stdout.contains("acme-labs: nothing to change"), "{stdout}");
    let (code, stdout, _) = workspace.run(&["plan", "--live-from", "live.json", "--org", "acme-labs"]);
    assert!(code == 0 && stdout.starts_with("Nothing to change: `acme-labs`"), "{stdout}");
}

#[test]
fn questions_and_tests_are_put_to_each() {
    let test = "---\napiVersion: seawall/v1\nkind: AccessTest\nname: forge\nexpect:\n  - deny: connect:tcp git.corp.example:443\n";
    let workspace = Workspace::embedded(&format!("{BOTH}{LABS}{test}"));
    let answers = workspace.json(&["can", "connect:tcp", "git.corp.example:443", "--format", "json"]);
    let decision =
        |index: usize| (&answers["organizations"][index]["org"], &answers["organizations"][index]["decision"]);
    assert_eq!(decision(0), (&"acme".into(), &"deny".into()));
    assert_eq!(decision(1), (&"acme-labs".into(), &"allow".into()));
    let (code, stdout, _) = workspace.run(&["test"]);
    assert!(
        code == 1 && stdout.starts_with("acme\nok   forge\n") && stdout.contains("acme-labs\nFAIL forge"),
        "{stdout}"
    );
    let (_, junit, _) = workspace.run(&["test", "--format", "junit"]);
    assert!(junit.contains("tests=\"2\" failures=\"1\"") && junit.contains("name=\"acme-labs: forge\""), "{junit}");
    // A test may be for one.
    workspace
        .write("policies.yaml", &format!("{BOTH}{LABS}{}", test.replace("name: forge", "name: forge\norgs: [acme]")));
    assert_eq!(workspace.run(&["test"]).0, 0);
}

#[test]
fn mistakes_with_organizations_are_found_offline() {
    let other = BOTH.replace("name: Mirrors", "name: Mirrors\norgs: [acme-labs]");
    let only = BOTH.replace("name: Mirrors", "name: Mirrors\norgs: [acme]");
    let two = "docker: {orgs: [acme, acme-labs], endpoint: embedded}";
    let cases = [
        // The same name twice, in two organizations.
        (two, format!("{only}---\n{other}"), None),
        (two, format!("{BOTH}---\n{other}"), Some("duplicate-policy")),
        (two, only.replace("[acme]", "[acme-lab]"), Some("did you mean `acme-labs`?")),
        ("docker: {org: acme}", other.clone(), Some("unknown-org")),
        ("docker: {org: acme}", only.clone(), None),
        ("docker: {orgs: [a-b, a.b]}", BOTH.to_owned(), Some("`a-b` and `a.b` would both have `DOCKER_PASSWORD_A_B`")),
        ("docker: {org: a, orgs: [b]}", BOTH.to_owned(), Some("`docker` takes `org` for one organization or `orgs`")),
        ("docker: {orgs: [acme, acme-labs], ownership: exclusive}", only, Some("declares none for `acme-labs`")),
    ];
    for (docker, documents, finding) in cases {
        let (code, stdout, _) = Workspace::new(docker, &documents).run(&["validate"]);
        match finding {
            None => assert_eq!((code, stdout.as_str()), (0, ""), "{documents}"),
            Some(finding) => assert!(code == 1 && stdout.contains(finding), "{finding}: {stdout}"),
        }
    }
}

#[test]
fn the_schema_of_several_plans_is_current() {
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/plans.schema.json");
    let schema = format!("{:#}\n", seawall::plan::set::schema());
    if std::env::var_os("SEAWALL_CASES").is_some_and(|value| value == "write") {
        fs::write(stored, &schema).unwrap();
    }
    assert!(fs::read_to_string(stored).unwrap() == schema, "run this test with `SEAWALL_CASES=write`");
}
