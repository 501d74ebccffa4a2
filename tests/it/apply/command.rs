//! `plan` and `apply` on the command line: exit code, standard output and standard error in one.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use seawall::emulator::{Calls, Emulator, Fault, FaultKind, Running};

/// A workspace and the service that it is for.
pub(super) struct Workspace {
    folder: tempfile::TempDir,
    pub(super) emulator: Running,
}

pub(super) const MIRRORS: &str = "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Mirrors\nscope: {teams: [research]}\nrules:\n  \
                       - {name: cve, decision: allow, actions: ['connect:tcp'], resources: [cve.mitre.org]}\n";

impl Workspace {
    pub(super) async fn new(documents: &str, settings: &str) -> Self {
        let builder = Emulator::builder()
            .org("my-org")
            .teams(["research", "platform"])
            .account("someone", "secret");
        let emulator = builder.start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let workspace = Self { folder, emulator };
        workspace.write("policies.yaml", documents);
        let endpoint = workspace.emulator.base_url();
        let docker =
            format!("docker: {{org: my-org, ownership: exclusive, endpoint: '{endpoint}'}}");
        workspace.write(
            "seawall.yaml",
            &format!("apiVersion: seawall/v1\nkind: Workspace\ninclude: [policies.yaml]\n{docker}\n{settings}"),
        );
        workspace
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The exit code and both streams, with what differs from run to run replaced.
    pub(super) async fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
        command.args(arguments).current_dir(self.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        command.env("DOCKER_USERNAME", "someone").env("DOCKER_PASSWORD", "secret");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let mut text = format!("exit {}\n", output.status.code().unwrap());
        for (name, stream) in [("stdout", output.stdout), ("stderr", output.stderr)] {
            let stream = String::from_utf8(stream).unwrap();
            if !stream.is_empty() {
                text.push_str(&format!("-- {name}\n{stream}"));
            }
        }
        let folder = std::fs::canonicalize(self.path()).unwrap();
        text.replace(self.emulator.origin(), "http://SERVICE")
            .replace(folder.to_str().unwrap(), "WORKSPACE")
            .replace(self.path().to_str().unwrap(), "WORKSPACE")
    }

    fn edit(&self, edit: impl FnOnce(&mut seawall::emulator::docker::Policy)) {
        self.emulator
            .edit(|state| edit(state.org_mut("my-org").policy_mut("Mirrors").unwrap()))
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_shown_saved_applied_and_then_empty() {
    let workspace = Workspace::new(MIRRORS, "").await;
    let planned = workspace.run(&["plan", "--out", "plan.json", "--detailed-exitcode"]).await;
    assert!(planned.starts_with("exit 3\n-- stdout\nPlan for `my-org`"), "{planned}");
    assert!(planned.contains("2 to create"), "{planned}");
    let first = "first network policy for members of research: all else is denied now, whatever local rules allowed";
    assert!(planned.contains(first), "{planned}");

    // Saved is what is printed, the same twice; and it fits its schema.
    let saved = workspace.read("plan.json");
    let printed = workspace.run(&["plan", "--format", "json"]).await;
    assert_eq!(
        printed,
        format!(
            "exit 0\n-- stdout\n{}",
            saved.replace(workspace.emulator.origin(), "http://SERVICE")
        )
    );
    fits_the_schema(&saved);

    let applied = workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await;
    assert!(
        applied.starts_with("exit 0\n")
            && applied
                .ends_with("\nApplied: 2 steps, widens access for members of research (first policy). Machines follow within five minutes.\n"),
        "{applied}"
    );
    for arguments in [&["apply", "--yes"][..], &["apply"], &["plan", "--detailed-exitcode"]] {
        let output = workspace.run(arguments).await;
        let nothing = "No changes. `my-org` matches the documents.";
        assert_eq!(output, format!("exit 0\n-- stdout\n{nothing}\n"), "{arguments:?}");
    }
    // The last policy of a domain goes, and a page of a pull request says so too.
    workspace.write(
        "policies.yaml",
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Mirrors\nrules: []\n",
    );
    let last = workspace.run(&["plan", "--format", "markdown"]).await;
    assert!(
        last.contains("- no network policy is left for members of <code>research</code>: local rules may apply again"),
        "{last}"
    );
    // What it creates is there already.
    insta::assert_snapshot!(workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await, @"
    exit 4
    -- stderr
    error: nothing was written: the plan is stale
    `Mirrors` is there already
      help: make a new plan, and have it reviewed; if it is empty, this one was applied already
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_to_confirm_is_a_refusal() {
    let workspace = Workspace::new(MIRRORS, "").await;
    let output = workspace.run(&["apply"]).await;
    insta::assert_snapshot!(output.split("-- stderr\n").last().unwrap(), @"
    error: nothing was written: standard input is not a terminal, so nobody can confirm
      help: review the plan, then pass `--yes` to apply without asking
    ");
    assert!(output.starts_with("exit 4\n"), "{output}");
    assert_eq!(workspace.emulator.writes().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_whose_policy_has_moved_is_refused_with_what_moved() {
    let workspace = Workspace::new(MIRRORS, "").await;
    workspace.run(&["apply", "--yes"]).await;
    workspace.write(
        "policies.yaml",
        &MIRRORS.replace("cve.mitre.org", "cve.mitre.org, attack.mitre.org"),
    );
    workspace.run(&["plan", "--out", "plan.json"]).await;
    let ids: Vec<String> = {
        let policy = workspace.emulator.policies().remove(0);
        vec![
            policy.id.clone(),
            policy.rules()[0].id.clone(),
            policy.scope.teams.unwrap()[0].clone(),
        ]
    };
    workspace.edit(|policy| {
        policy.allowlist_v0.as_mut().unwrap().rules[0].resources =
            Some(vec!["theirs.example.com".to_owned()])
    });
    let mut refused = workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await;
    for (id, name) in ids.iter().zip(["POLICY", "RULE", "TEAM"]) {
        refused = refused.replace(id, name);
    }
    insta::assert_snapshot!(refused, @r#"
    exit 4
    -- stderr
    error: nothing was written: the plan is stale
    `Mirrors` has changed since:
    --- live when planned
    +++ live now
    @@ -17,5 +17,5 @@
               ],
               "resources": [
    -            "cve.mitre.org"
    +            "theirs.example.com"
               ],
               "decision": "allow"

      help: make a new plan, and have it reviewed; if it is empty, this one was applied already
    "#);
    assert_eq!(workspace.emulator.writes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_elsewhere_does_not_stop_a_saved_plan() {
    let workspace = Workspace::new(MIRRORS, "").await;
    workspace.run(&["plan", "--out", "plan.json"]).await;
    // Another domain, for another audience.
    workspace
        .emulator
        .edit(|state| {
            let id = state.next_id("pol_");
            let policy = seawall::emulator::docker::Policy {
                id: id.clone(),
                name: "Elsewhere".to_owned(),
                org: "my-org".to_owned(),
                scope: Default::default(),
                created_at: "2026-04-22T00:00:00Z".to_owned(),
                updated_at: "2026-04-22T00:00:00Z".to_owned(),
                allowlist_v0: None,
                cedar_v1: None,
            };
            state.org_mut("my-org").policies.insert(id, policy.into());
        })
        .unwrap();
    let applied = workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await;
    assert!(applied.starts_with("exit 0\n"), "{applied}");
}

/// A policy of somebody else, with one rule for one host.
fn elsewhere(state: &mut seawall::emulator::State, decision: seawall::model::Decision, host: &str) {
    let (id, rule) = (state.next_id("pol_"), state.next_id("rule_"));
    let rule = seawall::emulator::docker::Rule {
        id: rule,
        name: "theirs".to_owned(),
        actions: vec!["connect:tcp".to_owned()],
        resources: Some(vec![host.to_owned()]),
        http_resources: None,
        decision,
    };
    let policy = seawall::emulator::docker::Policy {
        id: id.clone(),
        name: format!("Elsewhere {host}"),
        org: "my-org".to_owned(),
        scope: Default::default(),
        created_at: "2026-04-22T00:00:00Z".to_owned(),
        updated_at: "2026-04-22T00:00:00Z".to_owned(),
        allowlist_v0: Some(seawall::emulator::docker::Allowlist {
            domain: Some("network".to_owned()),
            rules: vec![rule],
        }),
        cedar_v1: None,
    };
    state.org_mut("my-org").policies.insert(id, policy.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_stops_when_a_change_elsewhere_makes_it_mean_something_else() {
    use seawall::model::Decision;
    // Undeclared policies are left alone here, so that nothing that the plan touches changes.
    let workspace = Workspace::new(MIRRORS, "").await;
    let settings = workspace.read("seawall.yaml").replace("ownership: exclusive, ", "");
    workspace.write("seawall.yaml", &settings);
    workspace.run(&["plan", "--out", "plan.json"]).await;
    let apply = ["apply", "--plan", "plan.json", "--yes"];

    // Everybody may reach it already, or nobody may after all: the plan showed that one team gains
    // it.
    for decision in [Decision::Allow, Decision::Deny] {
        workspace.emulator.edit(|state| elsewhere(state, decision, "cve.mitre.org")).unwrap();
        let refused = workspace.run(&apply).await;
        let says = "exit 4\n-- stderr\nerror: nothing was written: the plan is stale\nit would mean something else for \
                    access now:\n--- live when planned\n+++ live now\n";
        assert!(refused.starts_with(says) && refused.contains("-      \"access\": "), "{refused}");
        workspace.emulator.edit(|state| state.org_mut("my-org").policies.clear()).unwrap();
    }
    assert_eq!(workspace.emulator.writes().len(), 0);

    // Another host, a team more: what was shown is what happens.
    workspace
        .emulator
        .edit(|state| {
            elsewhere(state, Decision::Deny, "pastebin.example.com");
            state.org_mut("my-org").ensure_team("my-org", "sales");
        })
        .unwrap();
    let applied = workspace.run(&apply).await;
    assert!(applied.starts_with("exit 0\n"), "{applied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_needs_no_workspace_and_goes_to_no_other_organization() {
    let workspace = Workspace::new(MIRRORS, "guards: {max_deletes: 3}\n").await;
    workspace.run(&["plan", "--out", "plan.json"]).await;
    let saved = workspace.path().join("plan.json");
    let nowhere = tempfile::tempdir().unwrap();
    let elsewhere = nowhere.path().to_str().unwrap();
    let plan = saved.to_str().unwrap();
    workspace.emulator.edit(|state| state.org_mut("other-org").policies.clear()).unwrap();
    let refused = workspace
        .run(&["-C", elsewhere, "--org", "other-org", "apply", "--plan", plan, "--yes"])
        .await;
    assert!(
        refused.starts_with("exit 4\n")
            && refused.contains("it is for `my-org`, and `other-org` answered"),
        "{refused}"
    );
    let refused = workspace
        .run(&["-C", elsewhere, "--org", "no-org", "apply", "--plan", plan, "--yes"])
        .await;
    assert!(
        refused.starts_with("exit 5\n") && refused.contains("no organization `no-org`"),
        "{refused}"
    );
    assert_eq!(workspace.emulator.writes().len(), 0);
    let applied = workspace.run(&["-C", elsewhere, "apply", "--plan", plan, "--yes"]).await;
    assert!(applied.starts_with("exit 0\n"), "{applied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_judged_again_by_the_guards_that_it_was_made_under() {
    let workspace = Workspace::new(MIRRORS, "guards: {max_deletes: 30%}\n").await;
    workspace.run(&["apply", "--yes"]).await;
    let theirs = |state: &mut seawall::emulator::State| {
        for host in ["a.example.com", "b.example.com", "c.example.com"] {
            elsewhere(state, seawall::model::Decision::Allow, host);
        }
    };
    workspace.emulator.edit(theirs).unwrap();
    let written = workspace.emulator.writes().len();
    // One of four policies goes; and then it is one of three.
    let settings = workspace.read("seawall.yaml").replace(
        "ownership: exclusive",
        "ownership: exclusive, unmanaged: ['*b.example.com', '*c.example.com']",
    );
    workspace.write("seawall.yaml", &settings);
    workspace.run(&["plan", "--out", "plan.json"]).await;
    assert!(workspace.read("plan.json").contains("\"max_deletes\": \"30%\""));
    workspace
        .emulator
        .edit(|state| {
            state.org_mut("my-org").policies.retain(|_, policy| !policy.name.contains("b.example"))
        })
        .unwrap();
    let refused = workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await;
    assert!(refused.starts_with("exit 4\n"), "{refused}");
    assert!(refused.contains("refused by max_deletes"), "{refused}");
    assert!(refused.contains("deletes 1 of 3 live policies; at most 30% may go"), "{refused}");
    assert_eq!(workspace.emulator.writes().len(), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_that_was_changed_is_refused() {
    let workspace = Workspace::new(MIRRORS, "").await;
    workspace.run(&["plan", "--out", "plan.json"]).await;
    let saved = workspace.read("plan.json");
    let edits = [
        ("cve.mitre.org", "evil.example.com"), // everywhere, so that it still holds together
        ("\"ok\": true", "\"ok\": false"),     // a judgement
        ("\"create\": 2", "\"create\": 1"),    // a count
        ("\"format_version\": 1", "\"format_version\": 2"),
        ("\"checksum\"", "\"checksums\""),
        ("{", "["),
    ];
    for (from, to) in edits {
        workspace.write("plan.json", &saved.replace(from, to));
        let output = workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await;
        assert!(
            output.starts_with("exit 4\n-- stderr\nerror: `plan.json`: the plan "),
            "{from}: {output}"
        );
        assert_eq!(workspace.emulator.writes().len(), 0);
    }
    // A key that this version does not know is not a change: keys may be added.
    workspace.write("plan.json", &saved.replacen('{', "{\n  \"later\": {},", 1));
    assert!(
        workspace.run(&["apply", "--plan", "plan.json", "--yes"]).await.starts_with("exit 0\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_refuses_before_the_first_write_and_is_lifted_for_one_run() {
    let workspace =
        Workspace::new(MIRRORS, "guards: {protected: [Mirrors], max_deletes: 0}\n").await;
    workspace.run(&["apply", "--yes"]).await;
    let written = workspace.emulator.writes().len();
    workspace.write("policies.yaml", &MIRRORS.replace("name: Mirrors", "name: Others"));
    let refused = workspace.run(&["apply", "--yes"]).await;
    assert!(refused.contains("1 to delete"), "a guard never hides the plan: {refused}");
    insta::assert_snapshot!(refused.split("-- stderr\n").last().unwrap(), @"
    error: nothing was written: refused by max_deletes, protected
      help: change the documents, or lift it for one run with `--allow max_deletes --allow protected`
    ");
    let refused = workspace.run(&["apply", "--yes", "--allow", "protected"]).await;
    assert!(
        refused.starts_with("exit 4\n") && refused.contains("refused by max_deletes\n"),
        "{refused}"
    );
    assert_eq!(workspace.emulator.writes().len(), written);
    let lifted =
        workspace.run(&["apply", "--yes", "--allow", "protected", "--allow", "max_deletes"]).await;
    assert!(
        lifted.starts_with("exit 0\n") && lifted.contains("Lifted for this run: `protected`"),
        "{lifted}"
    );
    let unknown = workspace.run(&["apply", "--allow", "everything"]).await;
    assert!(
        unknown.starts_with("exit 2\n") && unknown.contains("[possible values: max_deletes, "),
        "{unknown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_reported_with_what_it_holds_back() {
    let two = MIRRORS.replace("name: Mirrors", "name: Other").replace("cve", "www");
    let workspace = Workspace::new(&format!("{MIRRORS}---\n{two}"), "").await;
    workspace.emulator.arm("refuse=403:limit_exceeded@createPolicy#1".parse().unwrap());
    let output = workspace.run(&["apply", "--yes", "--concurrency", "1"]).await;
    insta::assert_snapshot!(report(&output), @"
    done #2 create Other
    done #4 create Other › www
    not tried #3 create Mirrors › cve: it depends on #1
    failed #1 create Mirrors
      the service refused it: 403 limit_exceeded: refused on purpose
      help: the organization may have 100 policies: delete or merge some, then run again
    Applied in part: 2 done, 1 failed, 1 not tried.
    Running again continues from here.
    ");
    assert!(output.starts_with("exit 6\n"), "{output}");
    let again = workspace.run(&["apply", "--yes"]).await;
    assert!(again.starts_with("exit 0\n"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_at_the_same_moment_is_reported_with_both_versions() {
    let workspace = Workspace::new(MIRRORS, "").await;
    workspace.run(&["apply", "--yes"]).await;
    workspace.write(
        "policies.yaml",
        &MIRRORS.replace("cve.mitre.org", "cve.mitre.org, attack.mitre.org"),
    );
    // Between the look and the write.
    let edit = seawall::emulator::Edit::new(|state| {
        let policy = state.org_mut("my-org").policy_mut("Mirrors").unwrap();
        policy.allowlist_v0.as_mut().unwrap().rules[0].resources =
            Some(vec!["theirs.example.com".to_owned()]);
    });
    workspace.emulator.arm(Fault::new(FaultKind::Edit(edit)).on(Calls::Writes).nth(1));
    let output = workspace.run(&["apply", "--yes"]).await;
    insta::assert_snapshot!(report(&output), @r#"
    overtaken #1 update Mirrors › cve: somebody changed it at the same moment
      the plan saw {"name":"cve","actions":["connect:tcp"],"resources":["cve.mitre.org"],"decision":"allow"}
      it was found {"name":"cve","actions":["connect:tcp"],"resources":["theirs.example.com"],"decision":"allow"}
    Applied: 1 step, widens access for members of research. Machines follow within five minutes.
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_wait_is_shown() {
    let workspace = Workspace::new(MIRRORS, "").await;
    workspace.emulator.arm("rate-limit=1@createRule#1".parse().unwrap());
    let output = workspace.run(&["apply", "--yes"]).await;
    assert!(output.starts_with("exit 0\n"), "{output}");
    let stderr = output.split("-- stderr\n").nth(1).unwrap_or_default();
    assert!(stderr.contains(" limits the rate: waiting 2 s\n"), "{stderr}");
}

/// The output of an apply after its plan.
fn report(output: &str) -> &str {
    let start =
        ["\nfailed ", "\ndone ", "\novertaken "].iter().filter_map(|word| output.find(word)).min();
    &output[start.unwrap() + 1..]
}

#[test]
fn the_schema_of_plans_is_current() {
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/plan.schema.json");
    let schema = format!("{:#}\n", seawall::plan::saved::schema());
    if crate::examples::accepts() {
        std::fs::write(stored, &schema).unwrap();
    }
    assert!(
        std::fs::read_to_string(stored).unwrap() == schema,
        "run this test with `SEAWALL_ACCEPT=1`"
    );
}

/// Returns `true` if a plan matches the schema in `schemas/`.
pub(super) fn fits_the_schema(plan: &str) {
    static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/plan.schema.json");
        let schema = std::fs::read_to_string(schema).unwrap();
        jsonschema::draft202012::new(&serde_json::from_str(&schema).unwrap()).unwrap()
    });
    let errors: Vec<String> = VALIDATOR
        .iter_errors(&serde_json::from_str(plan).unwrap())
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [""; 0], "{plan}");
}
