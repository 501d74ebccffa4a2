//! The guard `access_tests`: no plan is applied after which an access test of the workspace fails.

use super::command::{MIRRORS, Workspace};

fn test(name: &str, expectation: &str) -> String {
    format!(
        "---\napiVersion: seawall/v1\nkind: AccessTest\nname: {name}\nas: {{teams: [research]}}\nexpect:\n  - {expectation}\n"
    )
}

const REACHED: &str = "allow: connect:tcp cve.mitre.org:443";
const NEVER: &str = "deny: connect:tcp cve.mitre.org:443";
const NOWHERE: &str = "allow: connect:tcp nowhere.example.com:443";

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_after_which_an_access_test_fails_is_refused() {
    /// The tests, the settings, and what the refusal says; nothing for a plan that is applied.
    type Row = (&'static [(&'static str, &'static str)], &'static str, &'static str);
    let table: [Row; 5] = [
        (&[("reached", REACHED)], "", ""),
        (&[("never", NEVER)], "", "breaks 1 access test: `never`"),
        (&[("nowhere", NOWHERE)], "", "leaves failing, as before, 1 access test: `nowhere` ("),
        (
            &[("never", NEVER), ("nowhere", NOWHERE), ("reached", REACHED)],
            "",
            "breaks 1 access test: `never`; leaves failing, as before, 1 access test: `nowhere` (",
        ),
        (&[("never", NEVER)], "guards: {access_tests: false}\n", ""),
    ];
    // A policy for the whole organization, so that before the plan everything is denied for
    // certain.
    let base = MIRRORS
        .replace("Mirrors", "Base")
        .replace("scope: {teams: [research]}\n", "")
        .replace("cve.", "www.");
    for (tests, settings, says) in table {
        let workspace = Workspace::new(&base, settings).await;
        assert!(workspace.run(&["apply", "--yes"]).await.starts_with("exit 0\n"));
        let written = workspace.emulator.writes().len();
        let tests: String =
            tests.iter().map(|(name, expectation)| test(name, expectation)).collect();
        workspace.write("policies.yaml", &format!("{base}---\n{MIRRORS}{tests}"));
        let planned = workspace.run(&["plan", "--out", "plan.json"]).await;
        let applied = workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await;
        if says.is_empty() {
            assert!(
                planned.starts_with("exit 0\n") && applied.starts_with("exit 0\n"),
                "{planned}{applied}"
            );
            let told = planned.contains("breaks 1 access test: `never`; that is not refused\n");
            assert_eq!(told, !settings.is_empty(), "{planned}");
            continue;
        }
        assert!(planned.starts_with("exit 4\n"), "{planned}");
        assert!(
            planned.contains(&format!("Refused by `access_tests`: {says}")),
            "{says}: {planned}"
        );
        // The expectation, and the ways out.
        assert!(!says.ends_with('(') || planned.contains(", expected "), "{planned}");
        assert!(
            planned.contains("  help: mend the documents, the undeclared policy or the test, set `guards.access_tests: false`"),
            "{planned}"
        );
        assert!(
            planned.contains("Saved the plan; apply will refuse it (access_tests)\n"),
            "{planned}"
        );
        let headline = planned.lines().find(|line| line.starts_with("Plan for ")).unwrap();
        assert_eq!(
            headline.contains("breaks 1 access test"),
            says.contains("breaks"),
            "{headline}"
        );
        assert!(
            applied.starts_with("exit 4\n") && applied.contains("refused by access_tests\n"),
            "{applied}"
        );
        assert_eq!(workspace.emulator.writes().len(), written);
        let lifted = workspace.run(&["apply", "--yes", "--allow", "access_tests"]).await;
        assert!(lifted.starts_with("exit 0\n"), "{lifted}");
    }
}

#[test]
fn the_first_plan_breaks_a_test_whose_answer_was_uncertain_before() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "seawall.yaml",
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded}\n",
    );
    write(
        "p.yaml",
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: N\nrules:\n  - {name: a, decision: allow, actions: \
         [connect:tcp], resources: [x.example.com]}\n---\napiVersion: seawall/v1\nkind: AccessTest\nname: never\nexpect:\n  \
         - deny: connect:tcp x.example.com:443\n",
    );
    let (code, stdout, _) = crate::examples::seawall(folder.path(), &["plan"]);
    let headline = stdout.lines().next().unwrap();
    assert!(
        code == Some(4)
            && headline.ends_with(
                "widens access for the whole organization (first policy), breaks 1 access test"
            ),
        "{stdout}"
    );
    assert!(
        stdout.contains("Refused by `access_tests`: breaks 1 access test: `never`\n"),
        "{stdout}"
    );
}

#[test]
fn an_expectation_may_be_an_approval_and_has_to_be_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("seawall.yaml", "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: my-org}\n");
    write(
        "policy.yaml",
        "apiVersion: seawall/v1\nkind: McpPolicy\nname: P\ncedar: |\n  @requireApproval(\"Writes need a person\")\n  permit \
         (principal, action == MCP::Action::\"invokeTool\", resource == MCP::Tool::\"Write\");\n",
    );
    let run = |command: &str, expectation: &str| {
        write("test.yaml", test("t", expectation).trim_start_matches("---\n"));
        let (code, stdout, stderr) = crate::examples::seawall(folder.path(), &[command]);
        (code, format!("{stdout}{stderr}"))
    };
    for (expectation, holds) in [
        ("approval: mcp invokeTool fs/Write", true),
        ("approval: 'mcp invokeTool fs/Write {\"readOnly\": true}'", true),
        ("approval: mcp invokeTool fs/Read", false),
        ("allow: mcp invokeTool fs/Write", false),
        ("deny: mcp invokeTool fs/Write", false),
    ] {
        let (code, output) = run("test", expectation);
        assert_eq!(code, Some(if holds { 0 } else { 1 }), "{expectation}: {output}");
    }
    for expectation in [
        "deny: 10.100.0.1:22",
        "deny: connect:tcp 10.100.0.0/16",
        "deny: GET api.example.com/x",
        "approval: mcp fetch fs/Write",
        "allow: connect:tcp",
    ] {
        let (code, output) = run("validate", expectation);
        assert!(code == Some(1) && output.contains("[invalid-request]"), "{expectation}: {output}");
        assert!(output.contains("test.yaml:6:"), "{expectation}: {output}");
    }
    assert_eq!(run("validate", "approval: mcp invokeTool fs/Write").0, Some(0));
}

/// A workspace whose plan is saved: it adds the mirror, beside a test that nothing else is reached.
async fn saved_with_test() -> Workspace {
    let base = MIRRORS
        .replace("Mirrors", "Base")
        .replace("scope: {teams: [research]}\n", "")
        .replace("cve.", "www.");
    let workspace = Workspace::new(&base, "").await;
    assert!(workspace.run(&["apply", "--yes"]).await.starts_with("exit 0\n"));
    let closed = test("no drop site", "deny: connect:tcp drop.example.com:443");
    workspace.write("policies.yaml", &format!("{base}---\n{MIRRORS}{closed}"));
    assert!(workspace.run(&["plan", "--out", "plan.json"]).await.starts_with("exit 0\n"));
    workspace
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_refused_once_its_own_tests_fail() {
    let workspace = saved_with_test().await;
    // Somebody else opens the site in a policy that the plan does not touch, so that it is not
    // stale.
    let other = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(other.path().join(name), text).unwrap();
    let settings = workspace.read("seawall.yaml").replace("exclusive", "declared");
    write("seawall.yaml", &settings);
    write(
        "policies.yaml",
        &MIRRORS.replace("Mirrors", "Hotfix").replace("cve.mitre.org", "drop.example.com"),
    );
    let elsewhere = other.path().to_str().unwrap();
    assert!(workspace.run(&["-C", elsewhere, "apply", "--yes"]).await.starts_with("exit 0\n"));
    let written = workspace.emulator.writes().len();
    // Where there is no workspace.
    let empty = tempfile::tempdir().unwrap();
    let plan = workspace.path().join("plan.json");
    let arguments =
        ["-C", empty.path().to_str().unwrap(), "apply", "--plan", plan.to_str().unwrap(), "--yes"];
    let refused = workspace.run(&arguments).await;
    assert!(
        refused.starts_with("exit 4\n") && refused.contains("refused by access_tests\n"),
        "{refused}"
    );
    assert!(
        refused.contains("leaves failing, as before, 1 access test: `no drop site` (connect:tcp "),
        "{refused}"
    );
    assert_eq!(workspace.emulator.writes().len(), written);
    let lifted = workspace.run(&[&arguments[..], &["--allow", "access_tests"]].concat()).await;
    assert!(lifted.starts_with("exit 0\n"), "{lifted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_judged_by_the_tests_of_the_workspace_too() {
    let workspace = saved_with_test().await;
    let documents = workspace.read("policies.yaml");
    workspace.write("policies.yaml", &format!("{documents}{}", test("never", NEVER)));
    let refused = workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await;
    assert!(
        refused.starts_with("exit 4\n") && refused.contains("refused by access_tests\n"),
        "{refused}"
    );
    assert!(
        refused.contains("breaks 1 access test: `never` (in the current workspace)\n"),
        "{refused}"
    );
    // Documents that cannot be read keep no plan from being applied: it carries all that this
    // takes.
    workspace.write("policies.yaml", "kind: [");
    let applied = workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await;
    assert!(
        applied.starts_with("exit 0\n") && applied.contains("note: the workspace cannot be read"),
        "{applied}"
    );
}
