//! What releases and installers read beside the code agrees with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_yaml::Value;

use crate::examples::repository;

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap()
}

#[test]
fn pre_commit_installs_the_wheel_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let project = read("pyproject.toml");
    assert!(project.contains(&format!("\nversion = \"{version}\"\n")), "{project}");
    assert!(project.contains(&format!("\ndependencies = [\"seawall=={version}\"]\n")), "{project}");
}

#[test]
fn each_hook_installs_the_wheel_and_has_one_that_compiles_the_source() {
    let hooks: Vec<Value> = serde_yaml::from_str(&read(".pre-commit-hooks.yaml")).unwrap();
    let text = |hook: &Value, key: &str| hook[key].as_str().unwrap().to_owned();
    let (compiled, installed): (Vec<&Value>, Vec<&Value>) =
        hooks.iter().partition(|hook| text(hook, "id").ends_with("-rust"));
    let ids: Vec<String> = installed.iter().map(|hook| text(hook, "id")).collect();
    assert_eq!(ids, ["seawall-validate", "seawall-fmt", "seawall-test"]);
    for (one, other) in installed.iter().zip(compiled) {
        assert_eq!(
            (text(one, "language"), text(other, "language")),
            ("python".to_owned(), "rust".to_owned())
        );
        assert_eq!(format!("{}-rust", text(one, "id")), text(other, "id"));
        for key in ["entry", "files", "pass_filenames"] {
            assert_eq!(one.get(key), other.get(key), "{key}");
        }
    }
}

#[test]
fn what_releases_carry_is_built_with_their_profile() {
    for (file, part) in [
        (".github/workflows/release.yml", "cargo build --profile dist --locked"),
        (".github/workflows/release.yml", ".ci/wheel wheels dist"),
        ("Dockerfile", "cargo build --profile dist --locked"),
        ("python/pyproject.toml", "profile = \"dist\""),
    ] {
        assert!(read(file).contains(part), "{file}");
    }
}

/// Files that the source holds as text, relative to the repository.
fn included(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            included(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for name in
                text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next())
            {
                let file = fs::canonicalize(path.parent().unwrap().join(name)).unwrap();
                let root = fs::canonicalize(repository(".")).unwrap();
                found.insert(file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
}

#[test]
fn the_image_is_built_from_everything_that_the_source_holds() {
    let dockerfile = read("Dockerfile");
    let copied: Vec<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY ")?.split_once(' '))
        .map(|(folder, _)| folder)
        .collect();
    let mut files = BTreeSet::new();
    included(&repository("src"), &mut files);
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        assert!(
            copied.iter().any(|folder| file.starts_with(&format!("{folder}/"))),
            "{file} is not copied"
        );
    }
}
