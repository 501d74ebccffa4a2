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
    let emulator =
        Emulator::builder().org("acme").account("someone", "secret").start().await.unwrap();
    emulator.serve("acme-labs", Vec::new()).unwrap();
    let endpoint = emulator.base_url();
    let docker = format!("docker: {{orgs: [acme, gone, acme-labs], endpoint: '{endpoint}'}}");
    let mut workspace = Workspace::new(&docker, &format!("{BOTH}{LABS}"));
    let common = [("DOCKER_USERNAME", "someone"), ("DOCKER_PASSWORD", "secret")];
    workspace.environment =
        common.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
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
    Plan for `acme`: widens access for the whole organization (first policy)

    Access
      first network policy for the whole organization: all else is denied now, whatever local rules allowed
      gained by the whole organization
        + connect:tcp cve.mitre.org (every port)
            because now allow `Mirrors › cve` (policies.yaml:5:5)

    Changes
      Mirrors  policies.yaml:3
       1 + the policy, for the whole organization
       2 + cve
             allow connect:tcp  cve.mitre.org

    2 to create (1 policy, 1 rule)

    Plan for `acme-labs`: widens access for the whole organization (first policy)

    Access
      first network policy for the whole organization: all else is denied now, whatever local rules allowed
      gained by the whole organization
        + connect:tcp cve.mitre.org (every port)
            because now allow `Mirrors › cve` (policies.yaml:5:5)
        + connect:tcp git.corp.example (every port)
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

    4 to create (2 policies, 2 rules)

    Summary
      acme: 2 to create (1 policy, 1 rule); widens access for the whole organization (first policy)
      acme-labs: 4 to create (2 policies, 2 rules); widens access for the whole organization (first policy)
    ");
    let (code, stdout, stderr) = workspace.run(&["apply", "--yes"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.ends_with("\nacme\nApplied: 2 steps, widens access for the whole organization (first policy). Machines follow within five minutes.\n\nacme-labs\nApplied: 4 steps, widens access for the whole organization (first policy). Machines follow within five minutes.\n"), "{stdout}");
    let (code, stdout, _) = workspace.run(&["plan", "--detailed-exitcode"]);
    assert!(
        code == 0
            && stdout
                .ends_with("Summary\n  acme: nothing to change\n  acme-labs: nothing to change\n"),
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
    assert!(
        stdout.contains("Plan for `acme`") && stdout.contains("Plan for `acme-labs`"),
        "{stdout}"
    );
    assert!(
        stdout.contains("  gone: not planned: ") && stderr.contains("error: `gone`: "),
        "{stdout}{stderr}"
    );
    // The file holds all of this, who failed included.
    assert_eq!(workspace.run(&["show", "plans.json"]), (0, stdout, String::new()));
    let file = fs::read_to_string(workspace.path().join("plans.json")).unwrap();
    assert_eq!(
        workspace.run(&["show", "plans.json", "--format", "json"]),
        (0, file, String::new())
    );
    let (_, markdown, _) = workspace.run(&["plan", "-q", "--format", "markdown"]);
    assert_eq!(
        workspace.run(&["show", "plans.json", "--format", "markdown"]),
        (0, markdown, String::new())
    );
    let plans = workspace.json(&["plan", "--format", "json"]);
    let schema = include_str!("../../schemas/plans.schema.json");
    let schema = jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap();
    assert!(schema.is_valid(&plans), "{plans:#}");
    let orgs: Vec<&Value> =
        plans["plans"].as_array().unwrap().iter().map(|plan| &plan["docker"]["org"]).collect();
    assert_eq!(
        (orgs, &plans["failed"][0]["org"]),
        (vec![&"acme".into(), &"acme-labs".into()], &Value::from("gone"))
    );
    // What was saved is applied, and no more.
    let (code, stdout, stderr) = workspace.run(&["apply", "--plan", "plans.json", "--yes"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(
        stderr.contains("note: `gone` could not be planned, and nothing is applied there\n"),
        "{stderr}"
    );
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
    let (code, _, stderr) =
        workspace.run(&["apply", "--plan", "plans.json", "--yes", "--org", "acme"]);
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
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        workspace.environment = variables.collect();
        workspace.run(&["plan"])
    };
    let labs = [("DOCKER_USERNAME_ACME_LABS", "someone"), ("DOCKER_PASSWORD_ACME_LABS", "secret")];
    let (code, stdout, stderr) = set(&labs);
    assert!(code == 5 && stdout.contains("Plan for `acme-labs`"), "{stdout}{stderr}");
    assert!(stderr.contains("`acme`: there are no Docker credentials"), "{stderr}");
    // The common ones are for the rest.
    let wrong = [
        ("DOCKER_USERNAME", "someone"),
        ("DOCKER_PASSWORD", "secret"),
        ("DOCKER_USERNAME_ACME", "someone"),
    ];
    let (_, stdout, stderr) = set(&wrong);
    assert!(stdout.contains("Plan for `acme-labs`"), "{stdout}");
    assert!(
        stderr.contains("`acme`: `DOCKER_USERNAME_ACME` is set, but `DOCKER_PASSWORD_ACME` is not"),
        "{stderr}"
    );
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
    let (code, stdout, _) =
        workspace.run(&["plan", "--live-from", "live.json", "--org", "acme-labs"]);
    assert!(code == 0 && stdout.starts_with("No changes. `acme-labs`"), "{stdout}");
}

/// A workspace in which all was applied, with its snapshot, which a test may edit.
fn applied(documents: &str) -> (Workspace, Value) {
    let workspace = Workspace::embedded(documents);
    let (code, stdout, stderr) = workspace.run(&["apply", "--yes"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    workspace.run(&["snapshot", "--out", "live.json"]);
    let text = fs::read_to_string(workspace.path().join("live.json")).unwrap();
    (workspace, serde_json::from_str(&text).unwrap())
}

/// Opens another host to a policy of one organization.
fn open(live: &mut Value, org: &str, policy: &str) {
    let docker = |one: &&mut Value| one["docker"]["org"] == org;
    let one = live["snapshots"].as_array_mut().unwrap().iter_mut().find(docker).unwrap();
    let policies = one["docker"]["policies"].as_array_mut().unwrap();
    let found = policies.iter_mut().find(|one| one["name"] == policy).unwrap();
    found["allowlist_v0"]["rules"][0]["resources"] = serde_json::json!(["open.example.com"]);
}

#[test]
fn drift_is_reported_for_each_and_adopted_for_all() {
    let commented = LABS.replace("name: Forge", "name: Forge # of the labs");
    let (workspace, mut live) = applied(&format!("{BOTH}{commented}"));
    let drift = |arguments: &[&str]| {
        let all =
            ["drift", "--live-from", "live.json"].into_iter().chain(arguments.iter().copied());
        workspace.run(&all.collect::<Vec<_>>())
    };
    let (code, stdout, stderr) = drift(&[]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    open(&mut live, "acme-labs", "Forge");
    workspace.write("live.json", &live.to_string());
    let (code, stdout, stderr) = drift(&[]);
    assert_eq!((code, stderr.as_str()), (3, ""), "{stdout}");
    assert!(
        stdout.starts_with(
            "No drift: `acme` matches the documents.\n\nDrift: `acme-labs` allows more"
        ),
        "{stdout}"
    );
    let summary = "\nSummary\n  acme: no drift\n  acme-labs: drift; widens and narrows access for the whole organization\n";
    assert!(stdout.contains(summary), "{stdout}");
    assert_eq!(drift(&["--org", "acme"]).0, 0);
    let (_, json, _) = drift(&["--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["drift"], &json["drifts"][0]["drift"], &json["drifts"][1]["drift"]),
        (&true.into(), &false.into(), &true.into())
    );
    let (_, markdown, _) = drift(&["--format", "markdown"]);
    assert!(
        markdown.starts_with("### seawall: drift\n\n<code>acme-labs</code> allows more"),
        "{markdown}"
    );
    assert!(markdown.contains("### seawall: no drift\n\n<code>acme</code> matches"), "{markdown}");

    let (code, stdout, _) = drift(&["--adopt"]);
    assert!(code == 0 && stdout.starts_with("  edited   policies.yaml  Forge\n"), "{stdout}");
    let edited = format!("{BOTH}{}", commented.replace("git.corp.example", "open.example.com"));
    assert_eq!(fs::read_to_string(workspace.path().join("policies.yaml")).unwrap(), edited);
    assert_eq!(drift(&[]).0, 0);

    // A document for both cannot say what differs between them.
    open(&mut live, "acme", "Mirrors");
    workspace.write("live.json", &live.to_string());
    let (code, _, stderr) = drift(&["--adopt"]);
    assert!(
        code == 4 && stderr.contains("  `Mirrors` differs between `acme`, `acme-labs`\n"),
        "{stderr}"
    );
    let (code, _, stderr) = drift(&["--adopt", "--org", "acme"]);
    assert!(
        code == 4
            && stderr.contains("  `Mirrors` is for `acme-labs` too, which `--org` leaves out\n"),
        "{stderr}"
    );
    assert_eq!(fs::read_to_string(workspace.path().join("policies.yaml")).unwrap(), edited);
    // What has happened in both alike can be.
    open(&mut live, "acme-labs", "Mirrors");
    workspace.write("live.json", &live.to_string());
    let (code, _, stderr) = drift(&["--adopt"]);
    assert!(code == 0 && drift(&[]).0 == 0, "{stderr}");
}

#[test]
fn an_organization_that_cannot_be_compared_hides_no_other_and_nothing_is_adopted() {
    let (workspace, mut live) = applied(&format!("{BOTH}{LABS}"));
    open(&mut live, "acme-labs", "Forge");
    live["snapshots"].as_array_mut().unwrap().remove(0);
    workspace.write("live.json", &live.to_string());
    let (code, stdout, stderr) = workspace.run(&["drift", "--live-from", "live.json"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stdout.contains("Drift: `acme-labs` allows more")
            && stdout.contains("  acme: not compared: "),
        "{stdout}"
    );
    let json = workspace.json(&["drift", "--live-from", "live.json", "--format", "json"]);
    assert_eq!(json["failed"][0]["org"], "acme");
    let (code, stdout, stderr) = workspace.run(&["drift", "--adopt", "--live-from", "live.json"]);
    assert!(
        (code, stdout.as_str()) == (2, "") && stderr.contains("not every organization"),
        "{stdout}{stderr}"
    );
    // `import` goes on with the others too.
    workspace.write("policies.yaml", BOTH);
    let settings = fs::read_to_string(workspace.path().join("seawall.yaml")).unwrap();
    workspace.write("seawall.yaml", &settings.replace("[policies.yaml]", "['*.yaml']"));
    let (code, stdout, stderr) =
        workspace.run(&["import", "--live-from", "live.json", "--dry-run"]);
    assert!(
        code == 2 && stdout.contains("orgs: [acme-labs]") && stderr.contains("error: `acme`: "),
        "{stdout}{stderr}"
    );
}

#[test]
fn pending_changes_are_distinguished_by_organization() {
    let (workspace, mut live) = applied(BOTH);
    fs::create_dir(workspace.path().join("then")).unwrap();
    // Then there was one organization only.
    let then = format!("{SETTINGS}docker: {{org: acme, endpoint: embedded}}\n");
    workspace.write("then/seawall.yaml", &then);
    workspace.write("then/policies.yaml", BOTH);
    open(&mut live, "acme", "Mirrors");
    let policies = &mut live["snapshots"][1]["docker"]["policies"];
    *policies = serde_json::json!([]);
    workspace.write("live.json", &live.to_string());
    let json = workspace.json(&[
        "drift",
        "--live-from",
        "live.json",
        "--since",
        "then",
        "--format",
        "json",
    ]);
    let told = |index: usize| {
        let count =
            |side: &str| json["drifts"][index][side]["differences"].as_array().unwrap().len();
        (count("outside"), count("waiting"))
    };
    assert_eq!((told(0), told(1)), ((1, 0), (0, 2)), "{json:#}");
}

#[test]
fn an_import_writes_for_whom_each_policy_is() {
    let only = BOTH.replace("name: Mirrors", "name: Forge\norgs: [acme]");
    let (workspace, _) = applied(&format!("{BOTH}{LABS}---\n{only}"));
    workspace.write(
        "seawall.yaml",
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {orgs: [acme, acme-labs]}\n",
    );
    fs::remove_file(workspace.path().join("policies.yaml")).unwrap();
    let import = |arguments: &[&str]| {
        let all =
            ["import", "--live-from", "live.json"].into_iter().chain(arguments.iter().copied());
        workspace.run(&all.collect::<Vec<_>>())
    };
    // One of them first: what another one has under the same name gets a file of its own.
    let (code, stdout, stderr) = import(&["--org", "acme", "--policy", "Forge"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let (code, stdout, stderr) = import(&[]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    insta::assert_snapshot!(stdout, @"
      policies/forge-acme-labs.yaml  Forge
      policies/mirrors.yaml          Mirrors
    Wrote 2 files: planning now changes nothing, and access is as it was.
    ");
    let text =
        |name: &str| fs::read_to_string(workspace.path().join("policies").join(name)).unwrap();
    assert!(text("forge.yaml").contains("name: Forge\norgs: [acme]\n"));
    assert!(text("forge-acme-labs.yaml").contains("name: Forge\norgs: [acme-labs]\n"));
    // What all have alike is one document, for just them.
    assert!(text("mirrors.yaml").contains("name: Mirrors\norgs: [acme, acme-labs]\n"));
    let (code, stdout, _) =
        workspace.run(&["plan", "--live-from", "live.json", "--detailed-exitcode"]);
    assert_eq!(code, 0, "{stdout}");
    // Both at once.
    fs::remove_dir_all(workspace.path().join("policies")).unwrap();
    let (code, stdout, _) = import(&[]);
    assert!(code == 0 && stdout.contains("policies/forge-acme-labs.yaml  Forge"), "{stdout}");
    assert!(text("forge-acme.yaml").contains("orgs: [acme]"));
}

#[test]
fn requests_and_tests_are_evaluated_for_each() {
    let test = "---\napiVersion: seawall/v1\nkind: AccessTest\nname: forge\nexpect:\n  - deny: connect:tcp git.corp.example:443\n";
    let workspace = Workspace::embedded(&format!("{BOTH}{LABS}{test}"));
    let answers =
        workspace.json(&["can", "connect:tcp", "git.corp.example:443", "--format", "json"]);
    let decision = |index: usize| {
        (&answers["organizations"][index]["org"], &answers["organizations"][index]["decision"])
    };
    assert_eq!(decision(0), (&"acme".into(), &"deny".into()));
    assert_eq!(decision(1), (&"acme-labs".into(), &"allow".into()));
    // For all together nothing is certain where they differ.
    assert_eq!(
        (&answers["decision"], answers["because"].as_array().map(Vec::len)),
        (&"uncertain".into(), Some(1))
    );
    let ask = |more: &[&str]| {
        workspace
            .run(&[&["can", "connect:tcp", "git.corp.example:443", "--exit-code"], more].concat())
            .0
    };
    assert_eq!((ask(&[]), ask(&["--org", "acme"]), ask(&["--org", "acme-labs"])), (3, 1, 0));
    let (code, stdout, _) = workspace.run(&["test"]);
    assert!(
        code == 1
            && stdout.starts_with("acme\nok   forge\n")
            && stdout.contains("acme-labs\nFAIL forge"),
        "{stdout}"
    );
    let (_, junit, _) = workspace.run(&["test", "--format", "junit"]);
    assert!(
        junit.contains("tests=\"2\" failures=\"1\"") && junit.contains("name=\"acme-labs: forge\""),
        "{junit}"
    );
    // A test may be for one.
    workspace.write(
        "policies.yaml",
        &format!("{BOTH}{LABS}{}", test.replace("name: forge", "name: forge\norgs: [acme]")),
    );
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
        (
            "docker: {orgs: [a-b, a.b]}",
            BOTH.to_owned(),
            Some("`a-b` and `a.b` would both have `DOCKER_PASSWORD_A_B`"),
        ),
        (
            "docker: {org: a, orgs: [b]}",
            BOTH.to_owned(),
            Some("`docker` takes `org` for one organization or `orgs`"),
        ),
        (
            "docker: {orgs: [acme, acme-labs], ownership: exclusive}",
            only,
            Some("declares none for `acme-labs`"),
        ),
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
fn the_schemas_of_several_are_current() {
    for (name, schema) in
        [("plans", seawall::plan::set::schema()), ("drifts", seawall::drift::set_schema())]
    {
        let stored = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let schema = format!("{schema:#}\n");
        if crate::examples::accepts() {
            fs::write(&stored, &schema).unwrap();
        }
        assert!(
            fs::read_to_string(stored).unwrap_or_default() == schema,
            "run this test with `SEAWALL_ACCEPT=1`"
        );
    }
}
