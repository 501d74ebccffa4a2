//! The workspaces under `examples/`: what they claim is so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Whether expectations that a test stores are written anew instead of compared: schemas, scenarios, pages.
pub(crate) fn accepts() -> bool {
    std::env::var_os("SEAWALL_ACCEPT").is_some()
}

pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A copy of a folder, without what an earlier apply left there.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == ".seawall" => {}
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn example() -> TempDir {
    let folder = TempDir::new().unwrap();
    copy(&repository("examples/policies"), folder.path());
    folder
}

pub(crate) fn seawall(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    let Output { status, stdout, stderr } =
        command.current_dir(folder).args(arguments).env("NO_COLOR", "1").output().expect("seawall runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn the_example_policies_are_valid_without_a_finding() {
    let (code, stdout, stderr) = seawall(example().path(), &["validate"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
}

#[test]
fn the_example_policies_apply_and_applying_again_changes_nothing() {
    let folder = example();
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    // Two screens of 48 lines, and the last line tells what changed for access.
    let rows: usize = stdout.lines().map(|line| line.chars().count().div_ceil(100).max(1)).sum();
    assert!(rows <= 96, "{rows} rows of 100 columns:\n{stdout}");
    assert!(stdout.lines().last().unwrap().starts_with("Applied: 23 steps, widens access for 2 audiences"), "{stdout}");
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("No changes"), "{stdout}");
    let (code, stdout, _) = seawall(folder.path(), &["plan", "--detailed-exitcode"]);
    assert_eq!(code, Some(0), "{stdout}");
}

#[test]
fn a_misspelt_team_is_found_before_anything_is_sent() {
    let folder = example();
    let file = folder.path().join("teams/research.yaml");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("[research]", "[reserch]")).unwrap();
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("reserch") && stderr.contains("did you mean `research`"), "{stderr}");
}

#[test]
fn what_the_embedded_service_keeps_is_not_committed() {
    let ignored = fs::read_to_string(repository(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == ".seawall/"));
}
