//! `validate --base` and `--strict`: what a branch brings, and nothing that was there before.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::seawall;
use crate::guards_from::git;

const SETTINGS: &str =
    "apiVersion: seawall/v1\nkind: Workspace\ninclude: [policies/*.yaml]\ndocker: {org: acme}\n";
/// One warning: the letter case of the host.
const POLICY: &str = "apiVersion: seawall/v1
kind: NetworkPolicy
name: Web
rules:
  - {name: old, decision: allow, actions: [connect:tcp], resources: [\"Old.example.com:443\"]}
";

/// A repository with a workspace in `rules`, whose commit has one warning.
fn workspace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("rules/policies")).unwrap();
    fs::write(folder.path().join("rules/seawall.yaml"), SETTINGS).unwrap();
    fs::write(folder.path().join("rules/policies/web.yaml"), POLICY).unwrap();
    git(folder.path(), &["init", "-q", "-b", "main"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-q", "-m", "base"]);
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    seawall(&folder.join("rules"), &[&["validate"], arguments].concat())
}

/// `code file:line` of what is shown, and how many are older.
fn new(folder: &Path, arguments: &[&str]) -> (Option<i32>, Vec<String>, Value) {
    let (code, stdout, stderr) =
        run(folder, &[&["--base", "main", "--format", "json"], arguments].concat());
    let found: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}"));
    let place = |one: &Value| {
        format!(
            "{} {}:{}",
            one["code"].as_str().unwrap(),
            one["file"].as_str().unwrap(),
            one["line"]
        )
    };
    let shown = found["findings"].as_array().unwrap().iter().map(place).collect();
    (code, shown, found["base"].clone())
}

#[test]
fn only_new_findings_are_shown_in_every_format() {
    let folder = workspace();
    // The old rule moves down, into other layout; a new one comes before it.
    let rules = "rules:\n  - name: new\n    decision: allow\n    actions: [connect:tcp]\n    resources: [\"New.example.com:443\"]\n";
    fs::write(
        folder.path().join("rules/policies/web.yaml"),
        format!("# moved\n\n{}", POLICY.replace("rules:\n", rules)),
    )
    .unwrap();
    let (code, stdout, stderr) = run(folder.path(), &["--base", "main"]);
    insta::assert_snapshot!(format!("exit {}\n{stdout}---\n{stderr}", code.unwrap()), @r#"
    exit 0
    warning[host-spelling]: whether the service matches `New.example.com` spelled like this is not documented
      --> policies/web.yaml:10:17
       |
    10 |     resources: ["New.example.com:443"]
       |                 ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: write `new.example.com:443`

    ---
    new: 1 warning; 1 finding that `main` has too is not shown
    "#);
    assert_eq!(
        new(folder.path(), &[]),
        (
            Some(0),
            vec!["host-spelling policies/web.yaml:10".to_owned()],
            json!({"ref": "main", "older": 1})
        )
    );
    let (_, sarif, _) = run(folder.path(), &["--base", "main", "--format", "sarif"]);
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(sarif["runs"][0]["properties"], json!({"base": "main", "olderFindings": 1}));
    let (_, github, _) = run(folder.path(), &["--base", "main", "--format", "github"]);
    let lines: Vec<&str> = github.lines().collect();
    assert!(
        lines[0]
            .starts_with("::warning title=seawall host-spelling,file=policies/web.yaml,line=10"),
        "{github}"
    );
    assert_eq!(
        lines[1..],
        ["::notice title=seawall base::1 finding that `main` has too is not shown"]
    );
    // The same where the file is given by itself, as pre-commit does, and from elsewhere.
    for arguments in
        [&["policies/web.yaml"][..], &["../rules/policies/web.yaml"], &[".", "policies/web.yaml"]]
    {
        let (code, shown, base) = new(folder.path(), arguments);
        // Once for each time that it is asked for.
        assert_eq!(
            (code, shown.len(), &base["older"]),
            (Some(0), arguments.len(), &json!(arguments.len())),
            "{shown:?}"
        );
    }
    let (code, stdout, _) = seawall(folder.path(), &["validate", "rules", "--base", "main", "-q"]);
    assert!(
        code == Some(0)
            && stdout.contains("New.example.com")
            && !stdout.contains("Old.example.com"),
        "{stdout}"
    );
}

#[test]
fn no_new_finding_is_reported_as_such_and_a_new_file_has_only_new_findings() {
    let folder = workspace();
    let (code, stdout, stderr) = run(folder.path(), &["--base", "HEAD", "--strict"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    assert_eq!(stderr, "no new findings; 1 finding that `HEAD` has too is not shown\n");
    fs::rename(
        folder.path().join("rules/policies/web.yaml"),
        folder.path().join("rules/policies/moved.yaml"),
    )
    .unwrap();
    assert_eq!(new(folder.path(), &[]).1, ["host-spelling policies/moved.yaml:5"]);
    fs::write(folder.path().join("rules/policies/web.yaml"), POLICY).unwrap();
    // The same name twice is new, and an error; the file that was there has only what it had.
    let (code, shown, base) = new(folder.path(), &[]);
    assert_eq!((code, &base["older"]), (Some(1), &json!(1)));
    assert!(shown.iter().any(|one| one == "host-spelling policies/moved.yaml:5"), "{shown:?}");
    assert!(!shown.iter().any(|one| one == "host-spelling policies/web.yaml:5"), "{shown:?}");
    // A workspace that the base does not have has only new findings.
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::rename(folder.path().join("rules/policies"), folder.path().join("other/policies")).unwrap();
    fs::rename(folder.path().join("rules/seawall.yaml"), folder.path().join("other/seawall.yaml"))
        .unwrap();
    let (_, _, stderr) = seawall(&folder.path().join("other"), &["validate", "--base", "main"]);
    assert!(stderr.starts_with("new: ") && !stderr.contains("not shown"), "{stderr}");
}

#[test]
fn old_errors_do_not_fail_and_warnings_do_where_that_is_asked_for() {
    let folder = workspace();
    assert_eq!(run(folder.path(), &[]).0, Some(0));
    for format in ["human", "json", "sarif", "github"] {
        assert_eq!(run(folder.path(), &["--strict", "--format", format]).0, Some(1), "{format}");
        assert_eq!(
            run(folder.path(), &["--strict", "--base", "main", "--format", format]).0,
            Some(0),
            "{format}"
        );
    }
    fs::write(
        folder.path().join("rules/policies/web.yaml"),
        POLICY.replace("decision: allow", "decision: maybe"),
    )
    .unwrap();
    assert_eq!(run(folder.path(), &["--base", "main"]).0, Some(1));
    git(folder.path(), &["commit", "-q", "-a", "-m", "broken"]);
    let (code, stdout, stderr) = run(folder.path(), &["--base", "main"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    // Notes are no warnings.
    fs::write(
        folder.path().join("rules/policies/web.yaml"),
        POLICY.replace("Old.example.com:443", "**"),
    )
    .unwrap();
    let (_, stdout, _) = run(folder.path(), &["--format", "json"]);
    let found: Value = serde_json::from_str(&stdout).unwrap();
    let warns =
        found["findings"].as_array().unwrap().iter().any(|one| one["severity"] == "warning");
    assert_eq!(run(folder.path(), &["--strict"]).0, Some(i32::from(warns)), "{stdout}");
}

#[test]
fn an_unknown_commit_is_wrong_usage() {
    let folder = workspace();
    git(folder.path(), &["branch", "ambiguous"]);
    git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "more"]);
    git(folder.path(), &["tag", "ambiguous"]);
    for (base, says) in [
        ("mian", "`mian` is not a commit of this repository"),
        ("", "`` is not a commit"),
        ("--output=x", "is not a commit"),
        ("./policies", "`./policies` is not a commit"),
        ("main:rules", "is not a commit"),
        ("main\u{1b}[2J", "\\u{1b}[2J"),
        ("ambiguous", "`ambiguous` is ambiguous"),
    ] {
        let (code, stdout, stderr) = run(folder.path(), &[&format!("--base={base}")]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{base}: {stderr}");
        assert!(stderr.contains(says) && stderr.contains("help: "), "{base}: {stderr}");
    }
    let bare = TempDir::new().unwrap();
    fs::write(bare.path().join("seawall.yaml"), SETTINGS).unwrap();
    let (code, _, stderr) = seawall(bare.path(), &["validate", "--base", "main"]);
    assert!(code == Some(2) && stderr.contains("is in no repository"), "{stderr}");
    let (code, _, _) =
        seawall(bare.path(), &["validate", "--explain", "broad-allow", "--base", "main"]);
    assert_eq!(code, Some(2));
}
