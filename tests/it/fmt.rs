//! `fmt`: the files that it writes, their layout, and its output.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::examples::{repository, seawall};

const SETTINGS: &str = "apiVersion: seawall/v1\nkind: Workspace\ninclude: [\"*.yaml\"]\n";
const UGLY: &str = "# why\nkind: NetworkPolicy\napiVersion: seawall/v1\nname: 'p'\nrules: []\n";
const TIDY: &str = "# why\napiVersion: seawall/v1\nkind: NetworkPolicy\nname: p\nrules: []\n";

fn workspace(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("seawall.yaml"), SETTINGS).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn the_examples_are_laid_out() {
    let (code, stdout, stderr) = seawall(&repository("examples/policies"), &["fmt", "--check"]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn a_workspace_is_laid_out_once() {
    let folder = workspace(&[
        ("a.yaml", UGLY),
        ("b.yaml", TIDY),
        ("kubernetes.yaml", "kind:  NetworkPolicy\n"),
    ]);
    let expected = (Some(0), "Formatted a.yaml\n".to_owned(), String::new());
    assert_eq!(seawall(folder.path(), &["fmt"]), expected);
    assert_eq!(
        (read(&folder, "a.yaml").as_str(), read(&folder, "kubernetes.yaml").as_str()),
        (TIDY, "kind:  NetworkPolicy\n")
    );
    assert_eq!(seawall(folder.path(), &["fmt"]), (Some(0), String::new(), String::new()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "nothing else is left there");
}

#[test]
fn a_check_shows_the_difference_and_writes_nothing() {
    let folder = workspace(&[("a.yaml", UGLY)]);
    let (code, stdout, stderr) = seawall(folder.path(), &["fmt", "--check"]);
    assert_eq!(
        (code, stderr.as_str()),
        (Some(1), "1 file would change: `seawall fmt` writes this layout\n")
    );
    insta::assert_snapshot!(stdout, @"
    --- a.yaml
    +++ a.yaml
    @@ -1,5 +1,5 @@
     # why
    +apiVersion: seawall/v1
     kind: NetworkPolicy
    -apiVersion: seawall/v1
    -name: 'p'
    +name: p
     rules: []
    ");
    assert_eq!(read(&folder, "a.yaml"), UGLY);
}

#[test]
fn a_broken_file_is_reported_and_hides_no_other() {
    let broken = "apiVersion: seawall/v1\nname: 'p\n";
    let folder = workspace(&[("a.yaml", broken), ("b.yaml", UGLY)]);
    let (code, stdout, stderr) = seawall(folder.path(), &["fmt", "-q"]);
    assert_eq!((code, stdout.as_str()), (Some(1), "Formatted b.yaml\n"));
    assert!(stderr.contains("a.yaml:2:7") && stderr.contains("yaml-syntax"), "{stderr}");
    assert_eq!(
        (read(&folder, "a.yaml").as_str(), read(&folder, "b.yaml").as_str()),
        (broken, TIDY)
    );
    // So is one that is not there.
    let (code, _, stderr) = seawall(folder.path(), &["fmt", "c.yaml"]);
    assert!(code == Some(1) && stderr.contains("c.yaml"), "{stderr}");
}

#[test]
fn a_foreign_file_is_named_when_it_is_given() {
    let folder = workspace(&[
        ("x.yaml", "kind:  Deployment\n"),
        ("odd.yaml", "apiVersion: seawall/v1\n? \"a\n  b\"\n:  1\n"),
    ]);
    let (code, stdout, stderr) = seawall(folder.path(), &["fmt", "x.yaml", "odd.yaml"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    insta::assert_snapshot!(stderr, @"
    note: `x.yaml` is not changed: it holds no document of seawall alone
    note: `odd.yaml` is not changed: a key is written in a way that cannot be moved
    ");
}

#[cfg(unix)]
#[test]
fn permissions_stay_and_neither_links_nor_read_only_files_are_written() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let folder = workspace(&[("a.yaml", UGLY), ("locked.yaml", UGLY)]);
    let mode = |name: &str| {
        fs::symlink_metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    let set = |name: &str, mode| {
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap()
    };
    set("a.yaml", 0o640);
    set("locked.yaml", 0o444);
    symlink("a.yaml", folder.path().join("link.yaml")).unwrap();
    let (code, stdout, stderr) =
        seawall(folder.path(), &["fmt", "locked.yaml", "link.yaml", "a.yaml"]);
    assert_eq!((code, stdout.as_str()), (Some(5), "Formatted a.yaml\n"), "{stderr}");
    assert!(stderr.contains("`locked.yaml` cannot be written: it is read-only"), "{stderr}");
    assert_eq!((read(&folder, "a.yaml").as_str(), mode("a.yaml")), (TIDY, 0o640));
    assert_eq!((read(&folder, "locked.yaml").as_str(), mode("locked.yaml")), (UGLY, 0o444));
    assert!(fs::symlink_metadata(folder.path().join("link.yaml")).unwrap().is_symlink());
    fs::write(folder.path().join("b.txt"), UGLY).unwrap();
    symlink("b.txt", folder.path().join("other.yaml")).unwrap();
    let (code, stdout, stderr) = seawall(folder.path(), &["fmt", "other.yaml"]);
    assert_eq!((code, stdout.as_str()), (Some(5), ""), "{stderr}");
    assert!(stderr.contains("`other.yaml` cannot be written: `other.yaml` is a link"), "{stderr}");
    assert_eq!(read(&folder, "b.txt"), UGLY);
}

fn standard_input(arguments: &[&str], text: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.args(arguments).current_dir(Path::new("/")).env("NO_COLOR", "1");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn standard_input_goes_to_standard_output() {
    assert_eq!(standard_input(&["fmt", "-"], UGLY), (Some(0), TIDY.to_owned(), String::new()));
    assert_eq!(
        standard_input(&["fmt", "--check", "-"], TIDY),
        (Some(0), String::new(), String::new())
    );
    assert_eq!(standard_input(&["fmt", "--check", "-"], UGLY).0, Some(1));
    // An editor that replaces its text by this must not lose it.
    let (code, stdout, _) = standard_input(&["fmt", "-"], "name: 'p\n");
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert_eq!(standard_input(&["fmt", "-", "x.yaml"], UGLY).0, Some(2));
}
