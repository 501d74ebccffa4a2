//! Places in the output for people: all have one base, the folder in which the command was run.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::examples::{copy, seawall};

/// A repository with the example in `infra/policies`, applied.
fn applied() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let workspace = folder.path().join("infra/policies");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies"), &workspace);
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "infra/policies", "--yes"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    (folder, workspace)
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn places_are_relative_to_the_current_folder() {
    let (folder, workspace) = applied();
    edit(&workspace.join("teams/research.yaml"), "\"cve.mitre.org:443\"", "\"nvd.nist.gov:443\"");
    // Where the command is run, the arguments that name the workspace there, and the way to it.
    let table = [
        ("", &["infra/policies"][..], "infra/policies/"),
        ("infra", &["./policies"], "policies/"),
        ("infra/policies", &[], ""),
        ("infra/policies", &["."], ""),
        ("infra/policies/teams", &[], "../"),
        ("infra", &["-C", "policies"], "policies/"),
    ];
    for (start, named, way) in table {
        let run = |arguments: &[&str]| {
            let all = [arguments, named].concat();
            let (_, stdout, stderr) = seawall(&folder.path().join(start), &all);
            format!("{stdout}{stderr}")
        };
        let rule = format!(
            "(now allow `Security research › vulnerability databases` ({way}teams/research.yaml:10:5)"
        );
        let rule = rule.trim_start_matches('(');
        let shown = run(&["plan"]);
        for part in [
            rule.to_owned(),
            format!("  Security research  {way}teams/research.yaml:10\n"),
            format!("connect:tcp cve.mitre.org:443: allow → deny  {way}tests/access.yaml:9\n"),
        ] {
            assert!(shown.contains(&part), "{start} {named:?}: {part}\n{shown}");
        }
        let part = format!("  {way}tests/access.yaml:9:12 expected allow");
        assert!(run(&["test"]).contains(&part), "{start} {named:?}: {part}");
        let part = format!("  Security research  {way}teams/research.yaml:6\n");
        assert!(run(&["drift"]).contains(&part), "{start} {named:?}: {part}");
        // Programs get places in the workspace, wherever they run.
        assert!(run(&["plan", "--format", "json"]).contains("\"file\": \"teams/research.yaml\""));
    }
    let (_, shown, _) = seawall(
        folder.path(),
        &["-C", "infra/policies", "can", "connect:tcp", "nvd.nist.gov:443", "--team", "research"],
    );
    assert!(shown.contains("  infra/policies/teams/research.yaml:10:5\n"), "{shown}");
}

#[test]
fn an_error_that_live_state_shows_is_told_once_with_its_place() {
    let (folder, workspace) = applied();
    let text = fs::read_to_string(workspace.join("agents/customer-data.yaml")).unwrap();
    let without: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("review:"))
        .map(|line| format!("{line}\n"))
        .collect();
    let unreviewed = without.replace("action: block", "action: log");
    assert_ne!(unreviewed, text);
    fs::write(workspace.join("agents/customer-data.yaml"), unreviewed).unwrap();
    let (code, stdout, stderr) = seawall(folder.path(), &["plan", "infra/policies"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.starts_with("error: infra/policies/agents/customer-data.yaml:"), "{stderr}");
    // Without live state, it is a warning.
    let (_, stdout, _) = seawall(folder.path(), &["validate", "infra/policies"]);
    assert!(stdout.contains("warning[unreviewed-rule]"), "{stdout}");

    fs::write(workspace.join("agents/customer-data.yaml"), text).unwrap();
    edit(&workspace.join("teams/research.yaml"), "teams: [research]", "teams: [reserch]");
    let (code, _, stderr) = seawall(folder.path(), &["plan", "infra/policies"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.starts_with("error: infra/policies/teams/research.yaml:"), "{stderr}");
    assert_eq!(stderr.matches("reserch").count(), 1, "{stderr}");
}
