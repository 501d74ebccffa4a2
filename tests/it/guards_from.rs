//! `--guards-from`: a proposal cannot switch off the guards that judge it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::seawall;

const STRICT: &str = "docker: {org: acme, endpoint: embedded}\nguards: {deny_widening: true, protected: [Guardrails]}\n";
const LAX: &str = "docker: {org: acme, endpoint: embedded}\n";

pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let identity =
        ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
    let mut command = Command::new("git");
    command
        .args(identity)
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A workspace with these settings and a policy that opens this host.
fn workspace(folder: &Path, settings: &str, host: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let head = "apiVersion: seawall/v1\nkind: Workspace\ninclude: [policy.yaml]\n";
    std::fs::write(folder.join("seawall.yaml"), format!("{head}{settings}")).unwrap();
    let policy = format!(
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Research\nrules:\n  - {{name: r, decision: allow, actions: \
         [connect:tcp], resources: ['{host}']}}\n"
    );
    std::fs::write(folder.join("policy.yaml"), policy).unwrap();
}

/// A repository whose branch `main` has a strict workspace in `policies`, and whose work tree
/// proposes a lax one that opens more.
fn repository() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "-b", "main"]);
    workspace(&folder.path().join("policies"), STRICT, "a.example.com");
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-q", "-m", "base"]);
    git(folder.path(), &["checkout", "-q", "-b", "proposal"]);
    workspace(&folder.path().join("policies"), LAX, "b.example.com");
    git(folder.path(), &["commit", "-q", "-a", "-m", "proposal"]);
    folder
}

fn plan(folder: &Path, base: &str) -> Value {
    let (code, stdout, stderr) =
        seawall(folder, &["plan", "--guards-from", base, "--format", "json", "-q"]);
    let plan: Value = serde_json::from_str(&stdout).unwrap();
    // What its guards refuse is printed, and ends with 4.
    let refused = plan["guards"].as_array().unwrap().iter().any(|verdict| verdict["ok"] == false);
    assert_eq!(code, Some(if refused { 4 } else { 0 }), "{stderr}");
    plan
}

fn verdict(plan: &Value, guard: &str) -> bool {
    let verdicts = plan["guards"].as_array().unwrap();
    verdicts.iter().find(|verdict| verdict["guard"] == guard).unwrap()["ok"].as_bool().unwrap()
}

#[test]
fn a_proposal_cannot_switch_off_its_own_alarm_and_says_that_it_would() {
    let repository = repository();
    let folder = repository.path().join("policies");
    let (code, stdout, _) = seawall(&folder, &["plan"]);
    assert!(code == Some(0) && !stdout.contains("Refused"), "{stdout}");

    let plan = plan(&folder, "main");
    assert!(!verdict(&plan, "deny_widening"));
    let changed = json!([
        {"setting": "guards.deny_widening", "base": true, "proposed": null},
        {"setting": "guards.protected", "base": ["Guardrails"], "proposed": null}
    ]);
    assert_eq!(plan["guards_from"], json!({"from": "main", "found": true, "changed": changed}));

    let (_, stdout, _) = seawall(&folder, &["plan", "--guards-from", "main"]);
    let headline = "Plan for `acme`, refused by `deny_widening`: widens access for the whole organization (first policy), and changes the settings that guard it\n\nSettings (base: `main`)\n";
    assert!(stdout.starts_with(headline), "{stdout}");
    assert!(stdout.contains("  ~ guards.deny_widening: true → not set\n"), "{stdout}");
    assert!(stdout.contains("\nRefused by `deny_widening`"), "{stdout}");
    let (_, stdout, _) =
        seawall(&folder, &["plan", "--guards-from", "main", "--format", "markdown"]);
    assert!(
        stdout.lines().next().unwrap().ends_with(", and changes the settings that guard it"),
        "{stdout}"
    );

    let (code, _, stderr) = seawall(&folder, &["apply", "--yes", "--guards-from", "main"]);
    assert!(code == Some(4) && stderr.contains("refused by deny_widening"), "{stderr}");
    // The same from a folder: a checkout of the repository, or of the workspace.
    let base = tempfile::tempdir().unwrap();
    git(
        repository.path(),
        &["worktree", "add", "-q", base.path().join("x").to_str().unwrap(), "main"],
    );
    for folder_of_base in [base.path().join("x"), base.path().join("x/policies")] {
        let plan = self::plan(&folder, folder_of_base.to_str().unwrap());
        assert!(!verdict(&plan, "deny_widening"));
        assert_eq!(plan["guards_from"]["found"], json!(true));
    }
}

#[test]
fn a_change_of_settings_alone_is_reported_too() {
    let repository = repository();
    let folder = repository.path().join("policies");
    assert_eq!(seawall(&folder, &["apply", "--yes", "-q"]).0, Some(0));
    let (_, stdout, _) = seawall(&folder, &["plan", "--guards-from", "main"]);
    let says = "No changes. `acme` matches the documents, and changes the settings that guard it\n";
    assert!(stdout.starts_with(says), "{stdout}");
    git(repository.path(), &["checkout", "-q", "main", "--", "policies/seawall.yaml"]);
    let (_, stdout, _) = seawall(&folder, &["plan", "--guards-from", "main"]);
    assert_eq!(stdout, "No changes. `acme` matches the documents.\n");
}

#[test]
fn a_workspace_that_the_base_does_not_have_may_open_and_delete_nothing() {
    let repository = repository();
    git(repository.path(), &["mv", "policies", "elsewhere"]); // where the base has no guards
    let folder = repository.path().join("elsewhere");
    let plan = plan(&folder, "main");
    assert!(!verdict(&plan, "deny_widening"));
    assert_eq!(plan["guards_from"]["found"], json!(false));
    let (_, stdout, _) = seawall(&folder, &["plan", "--guards-from", "main"]);
    let headline = "Plan for `acme`, refused by `deny_widening`: widens access for the whole organization (first policy), in a workspace that the base does not have\n";
    assert!(stdout.starts_with(headline), "{stdout}");
    assert!(stdout.contains("nothing may be deleted, and no access may be gained"), "{stdout}");
}

#[test]
fn no_part_of_the_proposal_is_accepted_as_the_base() {
    let repository = repository();
    let folder = repository.path().join("policies");
    // A folder of the proposal with the name of a ref, and with one that no ref has.
    for name in ["main", "origin/main", "policies/origin/main"] {
        workspace(&repository.path().join(name), LAX, "x.example.com");
    }
    git(repository.path(), &["add", "."]);
    git(repository.path(), &["commit", "-q", "-m", "folders"]);
    // Files that look like a repository, in the workspace itself.
    git(&folder, &["init", "-q", "--bare", "fake"]);
    for part in ["HEAD", "config", "objects", "refs"] {
        std::fs::rename(folder.join("fake").join(part), folder.join(part)).unwrap();
    }
    let trap = format!(
        "[core]\n\tbare = true\n\trepositoryformatversion = 0\n\tfsmonitor = touch {}/trap\n",
        folder.display()
    );
    std::fs::write(folder.join("config"), trap).unwrap();
    assert!(!verdict(&plan(&folder, "main"), "deny_widening"));
    assert!(!folder.join("trap").exists());

    let nowhere = "is neither a commit of this repository nor a folder";
    let table = [
        ("origin/main", "is part of the proposal"),
        ("./origin/main", "is part of the proposal"),
        ("../main", "is part of the proposal"),
        ("..", "is part of the proposal"),
        (".", "is part of the proposal"),
        ("main2", nowhere),
        ("./missing", nowhere),
        ("main:policies", nowhere), // no commit
        ("--output=x", nowhere),
        ("", nowhere),
        ("ma\nin", nowhere),
    ];
    for (base, says) in table {
        let (code, stdout, stderr) =
            seawall(&folder, &["plan", &format!("--guards-from={base}"), "-q"]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{base}: {stderr}");
        assert!(stderr.contains(says), "{base}: {stderr}");
    }
}

#[test]
fn a_base_that_cannot_be_read_ends_the_run() {
    let repository = repository();
    let folder = repository.path().join("policies");
    git(repository.path(), &["checkout", "-q", "main"]);
    std::fs::write(
        folder.join("seawall.yaml"),
        "apiVersion: seawall/v1\nkind: Workspace\nguard: {}\n",
    )
    .unwrap();
    git(repository.path(), &["commit", "-q", "-a", "-m", "broken"]);
    git(repository.path(), &["checkout", "-q", "proposal"]);
    let (code, stdout, stderr) = seawall(&folder, &["plan", "--guards-from", "main"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("main:policies/seawall.yaml:3:1"), "{stderr}");
    assert!(stderr.contains("the settings of the base are wrong"), "{stderr}");

    let outside = tempfile::tempdir().unwrap();
    workspace(outside.path(), LAX, "a.example.com");
    let (code, _, stderr) = seawall(outside.path(), &["plan", "--guards-from", "main"]);
    assert!(code == Some(2) && stderr.contains("neither a commit"), "{stderr}");
    // Without a repository, too, a workspace is not its own base.
    for own in [".", "./", outside.path().to_str().unwrap()] {
        let (code, _, stderr) = seawall(outside.path(), &["plan", "--guards-from", own]);
        assert!(code == Some(2) && stderr.contains("is part of the proposal"), "{own}: {stderr}");
    }
}

#[test]
fn a_flag_makes_guards_stricter() {
    let repository = repository();
    let folder = repository.path().join("policies");
    let (code, stdout, _) = seawall(&folder, &["plan", "--deny-widening"]);
    assert!(code == Some(4) && stdout.contains("\nRefused by `deny_widening`"), "{stdout}");
    let (code, _, stderr) = seawall(&folder, &["apply", "--yes", "--deny-widening"]);
    assert!(code == Some(4) && stderr.contains("refused by deny_widening"), "{stderr}");
    let (code, _, stderr) = seawall(&folder, &["apply", "--plan", "plan.json", "--deny-widening"]);
    assert!(code == Some(2) && stderr.contains("cannot be used with"), "{stderr}"); // a saved plan is judged already
}

#[cfg(unix)]
#[test]
fn the_settings_of_a_proposal_are_no_link_out_of_it() {
    let repository = repository();
    let folder = repository.path().join("policies");
    std::fs::write(repository.path().join("secret"), "token: do-not-show-me\n").unwrap();
    std::fs::remove_file(folder.join("seawall.yaml")).unwrap();
    std::os::unix::fs::symlink("../secret", folder.join("seawall.yaml")).unwrap();
    let (code, stdout, stderr) = seawall(&folder, &["plan"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("is a link to a file outside of the workspace"), "{stderr}");
    assert!(!stderr.contains("do-not-show-me"), "{stderr}");
}

/// What a proposal, or whoever may push a ref, has put there; the base that is named; and what the
/// refusal says, or nothing where the guards of the branch hold.
type Trick = (&'static str, fn(&Path), &'static str, &'static str);

/// A repository of its own in the workspace, with a branch `main` that guards nothing.
fn nest(repository: &Path) {
    let folder = repository.join("policies");
    git(&folder, &["init", "-q", "-b", "main"]);
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "-q", "-m", "lax"]);
}

#[test]
fn the_base_is_one_commit_of_the_outer_repository() {
    let table: [Trick; 12] = [
        ("a repository in the workspace", nest, "main", ""),
        (
            "the same, and a tag",
            |repository| {
                nest(repository);
                git(&repository.join("policies"), &["tag", "base"]);
            },
            "base",
            "is neither a commit",
        ),
        (
            "a tag of that name",
            |repository| git(repository, &["tag", "main", "proposal"]),
            "main",
            "is ambiguous",
        ),
        (
            "a tag of that name, spelt out",
            |repository| git(repository, &["tag", "main", "proposal"]),
            "refs/heads/main",
            "",
        ),
        (
            "a tag of the same commit",
            |repository| git(repository, &["tag", "main", "main"]),
            "main",
            "",
        ),
        (
            "a tag, and the branch of a remote",
            |repository| {
                git(repository, &["update-ref", "refs/remotes/origin/stable", "main"]);
                git(repository, &["tag", "stable", "proposal"]);
            },
            "stable",
            "is ambiguous",
        ),
        (
            "a bare ref beside the branch",
            |repository| git(repository, &["update-ref", "refs/main", "proposal"]),
            "main",
            "",
        ),
        (
            "a bare ref alone",
            |repository| git(repository, &["update-ref", "refs/base", "proposal"]),
            "base",
            "neither a branch nor a tag",
        ),
        (
            "an annotated tag",
            |repository| git(repository, &["tag", "-a", "v1", "main", "-m", "v1"]),
            "v1",
            "",
        ),
        ("an ancestor", |_| (), "HEAD~1", ""),
        (
            "the branch of a remote",
            |repository| git(repository, &["update-ref", "refs/remotes/origin/main", "main"]),
            "origin/main",
            "",
        ),
        ("an expression", |_| (), "main@{0}", "is neither a commit"),
    ];
    for (what, trick, base, says) in table {
        let repository = repository();
        trick(repository.path());
        let folder = repository.path().join("policies");
        if says.is_empty() {
            assert!(!verdict(&plan(&folder, base), "deny_widening"), "{what}");
        } else {
            let (code, stdout, stderr) = seawall(&folder, &["plan", "--guards-from", base, "-q"]);
            assert_eq!((code, stdout.as_str()), (Some(2), ""), "{what}: {stderr}");
            assert!(stderr.contains(says) && stderr.contains("help: "), "{what}: {stderr}");
        }
    }
}

#[cfg(unix)]
#[test]
fn no_link_of_the_proposal_leads_to_the_base() {
    use std::os::unix::fs::symlink;
    let elsewhere = tempfile::tempdir().unwrap();
    workspace(&elsewhere.path().join("lax/policies"), LAX, "x.example.com");
    let lax = elsewhere.path().join("lax");
    let repository = repository();
    let folder = repository.path().join("policies");
    symlink(&lax, folder.join("base")).unwrap();
    symlink(elsewhere.path(), repository.path().join("out")).unwrap();
    git(repository.path(), &["add", "."]);
    git(repository.path(), &["commit", "-q", "-m", "links"]);
    let absolute = folder.join("base/policies");
    for base in ["./base", "./base/policies", "../out/lax", absolute.to_str().unwrap()] {
        let (code, stdout, stderr) = seawall(&folder, &["plan", "--guards-from", base, "-q"]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{base}: {stderr}");
        assert!(stderr.contains("leads through a link of the proposal"), "{base}: {stderr}");
    }
    // A folder that a link elsewhere leads to is whoever's that link is; but a base holds its
    // settings itself.
    symlink(&lax, elsewhere.path().join("link")).unwrap();
    assert!(verdict(
        &plan(&folder, elsewhere.path().join("link").to_str().unwrap()),
        "deny_widening"
    ));
    let settings = lax.join("policies/seawall.yaml");
    std::fs::rename(&settings, lax.join("policies/other.yaml")).unwrap();
    symlink("other.yaml", &settings).unwrap();
    let (code, _, stderr) =
        seawall(&folder, &["plan", "--guards-from", lax.to_str().unwrap(), "-q"]);
    assert!(code == Some(2) && stderr.contains("is a link, and no part of the base"), "{stderr}");
}

#[test]
fn a_saved_plan_has_to_pass_its_own_guards_and_those_of_the_base() {
    let repository = repository();
    let folder = repository.path().join("policies");
    let applies = |more: &[&str]| {
        let arguments: Vec<&str> =
            ["apply", "--plan", "plan.json", "--yes"].iter().chain(more).copied().collect();
        seawall(&folder, &arguments)
    };
    assert_eq!(seawall(&folder, &["plan", "--out", "plan.json", "-q"]).0, Some(0));
    let (code, stdout, stderr) = applies(&["--guards-from", "main"]);
    assert!(code == Some(4) && stderr.contains("refused by deny_widening"), "{stderr}");
    assert!(stdout.contains("(guards of `main`)"), "{stdout}");
    // A base that lets it pass does not lift what the plan was made under.
    git(repository.path(), &["branch", "lax", "proposal"]);
    let (code, _, stderr) =
        seawall(&folder, &["plan", "--guards-from", "main", "--out", "strict.json"]);
    let saved = "Saved the plan; apply will refuse it (deny_widening)\n";
    assert!(code == Some(4) && stderr.contains(saved), "{stderr}");
    let (code, _, stderr) =
        seawall(&folder, &["apply", "--plan", "strict.json", "--yes", "--guards-from", "lax"]);
    assert!(code == Some(4) && stderr.contains("refused by deny_widening"), "{stderr}");
    // A base for another organization, and one that does not have the workspace at all.
    git(repository.path(), &["checkout", "-q", "-b", "other"]);
    workspace(&folder, &LAX.replace("acme", "other"), "b.example.com");
    git(repository.path(), &["commit", "-q", "-a", "-m", "other"]);
    let (code, _, stderr) = applies(&["--guards-from", "other"]);
    assert!(
        code == Some(4) && stderr.contains("the plan is for `acme`, and `other` is for `other`"),
        "{stderr}"
    );
    git(repository.path(), &["checkout", "-q", "--orphan", "empty"]);
    git(repository.path(), &["rm", "-q", "--cached", "-r", "."]);
    git(repository.path(), &["commit", "-q", "--allow-empty", "-m", "empty"]);
    let (code, _, stderr) = applies(&["--guards-from", "empty"]);
    assert!(code == Some(4) && stderr.contains("refused by deny_widening"), "{stderr}");
    let (code, _, stderr) = applies(&["--guards-from", "lax"]);
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn a_base_for_another_service_judges_no_plan() {
    let repository = repository();
    let folder = repository.path().join("policies");
    let both = format!("{LAX}vijil: {{endpoint: embedded}}\n");
    workspace(&folder, &both, "b.example.com");
    let (code, _, stderr) = seawall(&folder, &["plan", "--out", "plan.json", "-q"]);
    assert_eq!(code, Some(0), "{stderr}");
    let apply = ["apply", "--plan", "plan.json", "--yes", "--guards-from"];
    for (branch, own, other) in [
        ("docker", "acme, endpoint: embedded", "acme, endpoint: 'http://127.0.0.1:9/v2'"),
        ("vijil", "vijil: {endpoint: embedded}", "vijil: {endpoint: 'http://127.0.0.1:9'}"),
    ] {
        git(repository.path(), &["checkout", "-q", "-b", branch]);
        workspace(&folder, &both.replace(own, other), "b.example.com");
        git(repository.path(), &["commit", "-q", "-a", "-m", branch]);
        workspace(&folder, &both, "b.example.com");
        let (code, _, stderr) = seawall(&folder, &[&apply[..], &[branch]].concat());
        let says = format!("the plan is for `embedded`, and `{branch}` is for `http://127.0.0.1:9");
        assert!(code == Some(4) && stderr.contains(&says), "{branch}: {stderr}");
    }
}

#[cfg(unix)]
#[test]
fn the_action_applies_a_reviewed_plan_under_the_guards_of_now_too() {
    let repository = repository();
    let folder = repository.path().join("policies");
    let plan = repository.path().join("plan.json");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (code, _, stderr) = seawall(&folder, &["plan", "--out", plan.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{stderr}");
    for (base, code) in [("main", 4), ("", 0)] {
        let outputs = repository.path().join("outputs");
        let script = Command::new("bash")
            .arg(root.join("action/apply.sh"))
            .current_dir(&folder)
            .env("ACTION_PATH", root)
            .env("SEAWALL", env!("CARGO_BIN_EXE_seawall"))
            .env("PLAN", &plan)
            .env("WORKSPACE", ".")
            .env("GUARDS_FROM", base)
            .env("GITHUB_OUTPUT", &outputs)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&script.stdout);
        let outputs = std::fs::read_to_string(&outputs).unwrap();
        assert!(outputs.ends_with(&format!("exit-code={code}\n")), "{base}: {said}");
    }
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let action = text("action.yml");
    let (_, last) = action.split_once("- name: Apply the plan").unwrap();
    assert!(last.contains("GUARDS_FROM: ${{ inputs.guards-from }}"));
    assert!(text("examples/workflows/apply.yml").contains("\n          guards-from: HEAD "));
}

/// Commits the documents with these settings, and has the branch name that commit.
fn commit(repository: &Path, documents: &str, settings: &str, branch: &str) {
    let folder = repository.join("policies");
    workspace(&folder, settings, "a.example.com");
    std::fs::write(folder.join("policy.yaml"), documents).unwrap();
    git(repository, &["commit", "-q", "-a", "--allow-empty", "-m", branch]);
    git(repository, &["branch", "-f", branch]);
}

#[test]
fn a_protected_policy_stays_protected_under_its_next_name() {
    let repository = repository();
    let folder = repository.path().join("policies");
    let policy = std::fs::read_to_string(folder.join("policy.yaml")).unwrap();
    let commit = |documents: &str, settings: &str, branch: &str| {
        commit(repository.path(), documents, settings, branch)
    };
    let guarded = format!("{LAX}guards: {{protected: [Guardrails]}}\n");
    let named = |name: &str| policy.replace("name: Research", name);
    let first = format!("{policy}---\n{}", named("name: Guardrails"));
    commit(&first, &guarded, "base");
    assert_eq!(seawall(&folder, &["apply", "--yes", "-q"]).0, Some(0));
    // One pull request renames it, which nothing forbids.
    let renamed = format!("{policy}---\n{}", named("name: Rails\npreviously: [Guardrails]"));
    commit(&renamed, &guarded, "renamed");
    let (code, _, stderr) = seawall(&folder, &["apply", "--yes", "-q", "--guards-from", "base"]);
    assert_eq!(code, Some(0), "{stderr}");
    // The next one stops declaring it, whoever owns what.
    for ownership in ["declared", "exclusive"] {
        let settings = LAX.replace("embedded", &format!("embedded, ownership: {ownership}"));
        commit(&policy, &settings, "gone");
        let (_, stdout, stderr) = seawall(&folder, &["plan", "--guards-from", "renamed"]);
        assert!(stdout.contains("\nRefused by `protected`: "), "{ownership}: {stdout}{stderr}");
        let told = stdout.matches("no document declares the protected policy `Rails`").count();
        assert_eq!(told, 1, "{ownership}: {stdout}");
        let (code, _, stderr) = seawall(&folder, &["apply", "--yes", "--guards-from", "renamed"]);
        assert!(
            code == Some(4) && stderr.contains("refused by protected"),
            "{ownership}: {stderr}"
        );
    }
    // A plan that was saved without the base is judged by the names that the base knows.
    let (code, _, stderr) = seawall(&folder, &["plan", "--out", "gone.json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, stdout, stderr) =
        seawall(&folder, &["apply", "--plan", "gone.json", "--yes", "--guards-from", "renamed"]);
    assert!(code == Some(4) && stderr.contains("refused by protected"), "{stderr}");
    assert!(
        stdout.contains("deletes the protected policy `Rails` (guards of `renamed`)"),
        "{stdout}"
    );
    // By its own settings too, and also after the next name is the only one that is live.
    commit(&policy, &guarded.replace("[Guardrails]", "[Rails]"), "gone");
    let (_, stdout, _) = seawall(&folder, &["plan"]);
    assert!(
        stdout.contains(
            "\nRefused by `protected`: no document declares the protected policy `Rails`"
        ),
        "{stdout}"
    );
    // A name that nobody knows is a mistake, and says what may be meant.
    commit(&renamed, &guarded.replace("[Guardrails]", "[Guardrials]"), "typo");
    let (code, _, stderr) = seawall(&folder, &["plan"]);
    assert!(
        code == Some(1) && stderr.contains("`guards.protected` names `Guardrials`"),
        "{stderr}"
    );
    let (code, stdout, _) = seawall(&folder, &["validate"]);
    assert!(code == Some(1) && stdout.contains("seawall.yaml:5:"), "{stdout}");
    assert!(stdout.contains("no document declares the protected policy `Guardrials`"), "{stdout}");
    commit(&renamed, &guarded, "earlier-name");
    assert_eq!(seawall(&folder, &["validate"]).0, Some(0));
}

#[test]
fn the_history_of_a_submodule_is_not_a_base() {
    let outer = tempfile::tempdir().unwrap();
    git(outer.path(), &["init", "-q", "-b", "main"]);
    let folder = outer.path().join("policies");
    workspace(&folder, LAX, "a.example.com");
    git(&folder, &["init", "-q", "-b", "main"]);
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "-q", "-m", "lax"]);
    git(outer.path(), &["add", "policies"]);
    git(outer.path(), &["commit", "-q", "-m", "a submodule"]);
    for base in ["main", "HEAD"] {
        let (code, stdout, stderr) = seawall(&folder, &["plan", "--guards-from", base, "-q"]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{base}: {stderr}");
        assert!(
            stderr.contains("the workspace is in a submodule, whose history is not a base"),
            "{base}: {stderr}"
        );
    }
}

#[test]
fn a_protected_policy_that_is_not_live_stays_declared_too() {
    let repository = repository();
    let folder = repository.path().join("policies");
    let policy = std::fs::read_to_string(folder.join("policy.yaml")).unwrap();
    let commit = |documents: &str, settings: &str, branch: &str| {
        commit(repository.path(), documents, settings, branch)
    };
    let guarded = format!("{LAX}guards: {{protected: [Guardrails]}}\n");
    let first = format!("{policy}---\n{}", policy.replace("name: Research", "name: Guardrails"));
    commit(&first, &guarded, "base");
    commit(&policy, LAX, "gone");
    let (_, stdout, stderr) = seawall(&folder, &["plan", "--guards-from", "base"]);
    let refusal =
        "\nRefused by `protected`: no document declares the protected policy `Guardrails`";
    assert!(stdout.contains(refusal), "{stdout}{stderr}");
}
