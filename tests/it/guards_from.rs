//! `--guards-from`: what is proposed cannot switch off what guards it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::seawall;

const STRICT: &str =
    "docker: {org: acme, endpoint: embedded}\nguards: {deny_widening: true, protected: [Guardrails]}\n";
const LAX: &str = "docker: {org: acme, endpoint: embedded}\n";

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
    let mut command = Command::new("git");
    command.args(identity).args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null");
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

/// A repository whose branch `main` has a strict workspace in `policies`, and whose work tree proposes a lax one that
/// opens more.
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
    let (code, stdout, stderr) = seawall(folder, &["plan", "--guards-from", base, "--format", "json", "-q"]);
    assert_eq!(code, Some(0), "{stderr}");
    serde_json::from_str(&stdout).unwrap()
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
    let headline = "Plan for `acme`: widens access for 1 audience, and changes the settings that guard it\n\nSettings (base: `main`)\n";
    assert!(stdout.starts_with(headline), "{stdout}");
    assert!(stdout.contains("  ~ guards.deny_widening: true → not set\n"), "{stdout}");
    assert!(stdout.contains("\nRefused by `deny_widening`"), "{stdout}");
    let (_, stdout, _) = seawall(&folder, &["plan", "--guards-from", "main", "--format", "markdown"]);
    assert!(stdout.lines().next().unwrap().ends_with(", and changes the settings that guard it"), "{stdout}");

    let (code, _, stderr) = seawall(&folder, &["apply", "--yes", "--guards-from", "main"]);
    assert!(code == Some(4) && stderr.contains("refused by deny_widening"), "{stderr}");
    // The same from a folder: a checkout of the repository, or of the workspace.
    let base = tempfile::tempdir().unwrap();
    git(repository.path(), &["worktree", "add", "-q", base.path().join("x").to_str().unwrap(), "main"]);
    for folder_of_base in [base.path().join("x"), base.path().join("x/policies")] {
        let plan = self::plan(&folder, folder_of_base.to_str().unwrap());
        assert!(!verdict(&plan, "deny_widening"));
        assert_eq!(plan["guards_from"]["found"], json!(true));
    }
}

#[test]
fn a_change_of_settings_alone_is_told_too() {
    let repository = repository();
    let folder = repository.path().join("policies");
    assert_eq!(seawall(&folder, &["apply", "--yes", "-q"]).0, Some(0));
    let (_, stdout, _) = seawall(&folder, &["plan", "--guards-from", "main"]);
    let says = "Nothing to change: `acme` is as the documents say, and changes the settings that guard it\n";
    assert!(stdout.starts_with(says), "{stdout}");
    git(repository.path(), &["checkout", "-q", "main", "--", "policies/seawall.yaml"]);
    let (_, stdout, _) = seawall(&folder, &["plan", "--guards-from", "main"]);
    assert_eq!(stdout, "Nothing to change: `acme` is as the documents say.\n");
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
    let headline = "Plan for `acme`: widens access for 1 audience, in a workspace that the base does not have\n";
    assert!(stdout.starts_with(headline), "{stdout}");
    assert!(stdout.contains("nothing may be deleted, and no access may be gained"), "{stdout}");
}

#[test]
fn nothing_of_the_proposal_passes_for_the_base() {
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
        ("origin/main", "belongs to what is proposed"),
        ("./origin/main", "belongs to what is proposed"),
        ("../main", "belongs to what is proposed"),
        ("..", "belongs to what is proposed"),
        (".", "belongs to what is proposed"),
        ("main2", nowhere),
        ("./missing", nowhere),
        ("main:policies", nowhere), // no commit
        ("--output=x", nowhere),
        ("", nowhere),
        ("ma\nin", nowhere),
    ];
    for (base, says) in table {
        let (code, stdout, stderr) = seawall(&folder, &["plan", &format!("--guards-from={base}"), "-q"]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{base}: {stderr}");
        assert!(stderr.contains(says), "{base}: {stderr}");
    }
}

#[test]
fn a_base_that_cannot_be_read_ends_the_run() {
    let repository = repository();
    let folder = repository.path().join("policies");
    git(repository.path(), &["checkout", "-q", "main"]);
    std::fs::write(folder.join("seawall.yaml"), "apiVersion: seawall/v1\nkind: Workspace\nguard: {}\n").unwrap();
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
}

#[test]
fn a_flag_makes_guards_stricter() {
    let repository = repository();
    let folder = repository.path().join("policies");
    let (code, stdout, _) = seawall(&folder, &["plan", "--deny-widening"]);
    assert!(code == Some(0) && stdout.contains("\nRefused by `deny_widening`"), "{stdout}");
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
