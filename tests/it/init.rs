//! `seawall init`: everything that it writes is valid, and it overwrites nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use seawall::model::{Action, Body, Decision, Live, Policy, Resources, Rule, Scope, TeamDirectory};
use seawall::service::docker::Snapshot;
use tempfile::TempDir;

use crate::examples::seawall;
use crate::import::organization;

/// The files below a folder with their texts, the repository's own aside, sorted by path.
fn files(root: &Path) -> Vec<(String, String)> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                if entry.file_name() != ".git" && entry.file_name() != ".seawall" {
                    walk(root, &entry.path(), found);
                }
            } else {
                let path = entry.path();
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}

fn names(root: &Path) -> Vec<String> {
    files(root).into_iter().map(|(name, _)| name).collect()
}

/// Checks every new workspace: it is valid without a warning, laid out, passes its tests, and names
/// a schema that exists.
fn is_sound(root: &Path) {
    for command in [&["validate", "--strict"][..], &["fmt", "--check"], &["test"]] {
        // `--strict` comes with the command line of the contract.
        let command: Vec<&str> =
            command.iter().copied().filter(|word| *word != "--strict").collect();
        let (code, stdout, stderr) = seawall(root, &command);
        assert_eq!(code, Some(0), "{command:?}: {stdout}{stderr}");
        assert!(
            !stdout.contains("warning") && !stderr.contains("warning"),
            "{command:?}: {stdout}{stderr}"
        );
    }
    for (name, text) in files(root) {
        for line in
            text.lines().filter_map(|line| line.strip_prefix("# yaml-language-server: $schema="))
        {
            let schema = root.join(&name).parent().unwrap().join(line);
            assert!(schema.is_file(), "{name} names {line}");
        }
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git").current_dir(folder).args(arguments).status().unwrap();
    assert!(status.success(), "{arguments:?}");
}

const ALL: [&str; 11] = [
    ".github/CODEOWNERS",
    ".github/workflows/apply.yml",
    ".github/workflows/comment.yml",
    ".github/workflows/drift.yml",
    ".github/workflows/pull-request.yml",
    ".github/workflows/snapshot.yml",
    ".pre-commit-config.yaml",
    "policies/guardrails.yaml",
    "seawall.schema.json",
    "seawall.yaml",
    "tests/access.yaml",
];
const ACTION: &str = "acme-corp/seawall@0123456789abcdef0123456789abcdef01234567";

#[test]
fn a_new_workspace_is_sound_and_can_be_applied() {
    let folder = TempDir::new().unwrap();
    let (code, stdout, stderr) = seawall(
        folder.path(),
        &["init", "--org", "acme", "--docker-endpoint", "embedded", "--action", ACTION],
    );
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    for part in [
        "  .github/workflows/apply.yml\n",
        "  policies/guardrails.yaml\n",
        "Wrote 11 files: a workspace for `acme`.\n",
        "\nNext\n  1. Check: `seawall validate` and `seawall test` need no credentials.\n",
        "DOCKER_USERNAME=acme",
        "`policies-read`",
        "Branch protection: `main`",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    assert_eq!(names(folder.path()), ALL);
    is_sound(folder.path());
    let (code, stdout, stderr) = seawall(folder.path(), &["apply", "--yes"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let (code, stdout, _) = seawall(folder.path(), &["plan", "--detailed-exitcode"]);
    assert_eq!(code, Some(0), "{stdout}");
}

#[test]
fn names_that_yaml_takes_for_something_else_stay_names() {
    for org in ["007", "true", "null", "1e3", "a.b"] {
        let folder = TempDir::new().unwrap();
        let (code, stdout, stderr) =
            seawall(folder.path(), &["init", "new/workspace", "--org", org]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
        let root = folder.path().join("new/workspace");
        assert_eq!(names(&root), ALL);
        is_sound(&root);
    }
}

#[test]
fn a_build_that_is_no_release_says_what_to_put_in() {
    let folder = TempDir::new().unwrap();
    let (_, stdout, _) = seawall(folder.path(), &["init", "--org", "acme"]);
    let (_, with_action, _) =
        seawall(folder.path(), &["init", "other", "--org", "acme", "--action", ACTION]);
    if option_env!("SEAWALL_RELEASE_COMMIT").is_none() {
        assert!(
            stdout.contains("is not a release") && stdout.contains("my-org/seawall@000"),
            "{stdout}"
        );
    }
    assert!(!with_action.contains("no release"), "{with_action}");
    let hooks = fs::read_to_string(folder.path().join("other/.pre-commit-config.yaml")).unwrap();
    assert!(
        hooks.contains("acme-corp/seawall\n    rev: 0123456789abcdef0123456789abcdef01234567\n"),
        "{hooks}"
    );
}

#[test]
fn without_an_organization_or_with_a_wrong_one_it_is_wrong_usage() {
    let table: [(&[&str], &str); 8] = [
        (&["init"], "help: name the Docker organization with `--org` or `SEAWALL_ORG`"),
        (&["init", "--org", ""], "`--org` is not a valid organization"),
        (&["init", "--org", "a/b"], "`--org` is not a valid organization: `a/b`"),
        (&["init", "--org", "a\nb"], "`--org` is not a valid organization"),
        (&["init", "--org", "${{x}}"], "`--org` is not a valid organization"),
        (&["init", "--org", "acme", "--action", "my-org/seawall@v1"], "OWNER/REPOSITORY@COMMIT"),
        (&["init", "--org", "acme", "--live-from", "live.json"], "--import"),
        (
            &["--config", "x.yaml", "init", "--org", "acme"],
            "`--config` names the settings of a workspace that exists",
        ),
    ];
    for (arguments, message) in table {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
        command
            .current_dir(folder.path())
            .args(arguments)
            .env("NO_COLOR", "1")
            .env_remove("SEAWALL_ORG");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{arguments:?}: {stderr}"
        );
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
        assert!(names(folder.path()).is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_file_of_the_workspace_that_exists_is_named_and_nothing_is_written() {
    for name in
        ALL.iter().filter(|name| !name.contains("CODEOWNERS") && !name.contains("pre-commit"))
    {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "mine\n").unwrap();
        let (code, stdout, stderr) = seawall(folder.path(), &["init", "--org", "acme"]);
        assert_eq!((code, stdout.as_str()), (Some(4), ""), "{stderr}");
        assert!(
            stderr.contains(&format!("nothing was written: `{name}` exists already")),
            "{stderr}"
        );
        assert_eq!(files(folder.path()), [((*name).to_owned(), "mine\n".to_owned())]);
    }
    let folder = TempDir::new().unwrap();
    seawall(folder.path(), &["init", "--org", "acme"]);
    let before = files(folder.path());
    let (code, _, stderr) = seawall(folder.path(), &["init", "--org", "other"]);
    assert_eq!(code, Some(4));
    for name in
        ALL.iter().filter(|name| !name.contains("CODEOWNERS") && !name.contains("pre-commit"))
    {
        assert!(stderr.contains(&format!("`{name}`")), "{stderr}");
    }
    assert_eq!(files(folder.path()), before);
}

#[test]
fn owners_and_hooks_that_exist_stay_and_what_to_add_is_shown() {
    for (existing, added) in [
        (".github/CODEOWNERS", "/seawall.yaml @acme/security"),
        ("CODEOWNERS", "/seawall.yaml @acme/security"),
        ("docs/CODEOWNERS", "/seawall.yaml @acme/security"),
        (".pre-commit-config.yaml", "- id: seawall-validate"),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(existing);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "mine\n").unwrap();
        let (code, stdout, stderr) = seawall(folder.path(), &["init", "--org", "acme"]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
        assert!(
            stdout.contains(&format!("`{existing}` exists and was not changed"))
                && stdout.contains(added),
            "{stdout}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine\n");
        let owners =
            names(folder.path()).into_iter().filter(|name| name.ends_with("CODEOWNERS")).count();
        assert_eq!((owners, names(folder.path()).len()), (1, ALL.len()));
        is_sound(folder.path());
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_links() {
    let outside = TempDir::new().unwrap();
    for (link, target) in [
        ("policies", ""),
        (".github", ""),
        ("seawall.yaml", "missing"),
        (".pre-commit-config.yaml", "missing"),
    ] {
        let folder = TempDir::new().unwrap();
        std::os::unix::fs::symlink(outside.path().join(target), folder.path().join(link)).unwrap();
        let (_, stdout, stderr) = seawall(folder.path(), &["init", "--org", "acme"]);
        assert!(names(outside.path()).is_empty(), "{link}: {stdout}{stderr}");
        assert!(stdout.contains(link) || stderr.contains(link), "{link}: {stdout}{stderr}");
    }
}

#[test]
fn in_a_folder_of_a_repository_the_workflows_are_those_of_the_repository() {
    let folder = TempDir::new().unwrap();
    git(folder.path(), &["init", "--quiet"]);
    git(folder.path(), &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"]);
    let (code, stdout, stderr) =
        seawall(folder.path(), &["init", "ops/agents", "--org", "acme", "--action", ACTION]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let own =
        ["policies/guardrails.yaml", "seawall.schema.json", "seawall.yaml", "tests/access.yaml"];
    assert_eq!(names(&folder.path().join("ops/agents")), own);
    let repository: Vec<&str> = ALL.into_iter().filter(|name| !own.contains(name)).collect();
    let top: Vec<String> =
        names(folder.path()).into_iter().filter(|name| !name.starts_with("ops/")).collect();
    assert_eq!(top, repository);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let pull_request = read(".github/workflows/pull-request.yml");
    assert!(
        pull_request.contains("path: ops/agents")
            && pull_request.contains("guards-from: origin/trunk"),
        "{pull_request}"
    );
    assert!(read(".github/CODEOWNERS").contains("\n/ops/agents/seawall.yaml @acme/security\n"));
    assert!(
        read(".pre-commit-config.yaml")
            .contains("- id: seawall-test\n        args: [ops/agents]\n")
    );
    is_sound(&folder.path().join("ops/agents"));
    let (code, _, stderr) = seawall(folder.path(), &["init", "a folder", "--org", "acme"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("`a folder` cannot be named in workflows"), "{stderr}");
}

fn policy(name: &str, decision: Decision, hosts: &[&str]) -> Policy {
    let resources = Resources::Plain(hosts.iter().map(|host| (*host).to_owned()).collect());
    let rule =
        Rule { name: "hosts".to_owned(), decision, actions: vec![Action::ConnectTcp], resources };
    Policy { name: name.to_owned(), scope: Scope::Organization, body: Body::Allowlist(vec![rule]) }
}

/// A folder with a snapshot of these policies.
fn live(policies: Vec<Policy>) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let live = organization(policies);
    fs::write(folder.path().join("live.json"), Snapshot::from(&live).text()).unwrap();
    let root = folder.path().join("team");
    (folder, root)
}

const IMPORT: [&str; 7] =
    ["init", "team", "--org", "my-org", "--import", "--live-from", "live.json"];

#[test]
fn what_is_live_is_imported_and_planning_changes_nothing() {
    let policies = vec![
        policy("Research", Decision::Allow, &["cve.mitre.org:443", "pastebin.com:443"]),
        policy("Closed", Decision::Deny, &["169.254.0.0/16", "**.example.com"]),
    ];
    let (folder, root) = live(policies);
    let (code, stdout, stderr) = seawall(folder.path(), &IMPORT);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let documents: Vec<String> =
        names(&root).into_iter().filter(|name| name.starts_with("policies/")).collect();
    assert_eq!(documents, ["policies/closed.yaml", "policies/research.yaml"]);
    let research = fs::read_to_string(root.join("policies/research.yaml")).unwrap();
    assert!(
        research.starts_with("# yaml-language-server: $schema=../seawall.schema.json\n"),
        "{research}"
    );
    let test = fs::read_to_string(root.join("tests/access.yaml")).unwrap();
    assert!(test.contains("  - deny: connect:tcp 169.254.169.254:80\n"), "{test}");
    assert!(test.contains("deny`.\n  - allow: connect:tcp pastebin.com:443\n"), "{test}");
    is_sound(&root);
    let (code, stdout, _) = seawall(
        folder.path(),
        &["plan", "team", "--live-from", "live.json", "--detailed-exitcode"],
    );
    assert_eq!(code, Some(0), "{stdout}");
    let before = files(&root);
    let (code, _, stderr) = seawall(folder.path(), &IMPORT);
    assert!(code == Some(4) && stderr.contains("`team/seawall.yaml`"), "{stderr}");
    assert_eq!(files(&root), before);
}

#[test]
fn an_organization_without_policies_starts_with_the_first_one() {
    let (folder, root) = live(Vec::new());
    let (code, stdout, stderr) = seawall(folder.path(), &IMPORT);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert_eq!(names(&root), ALL);
    is_sound(&root);
}

#[test]
fn policies_that_cannot_be_imported_are_reported_and_the_rest_is_a_workspace() {
    let policies = vec![
        policy("Good", Decision::Allow, &["a.example.com"]),
        policy("seawall: temporary deny 1", Decision::Deny, &["b.example.com"]),
    ];
    let (folder, root) = live(policies);
    let (code, stdout, stderr) = seawall(folder.path(), &IMPORT);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stdout.contains("`seawall: temporary deny 1` was not imported: "), "{stdout}");
    is_sound(&root);
}

#[test]
fn when_what_is_live_cannot_be_read_nothing_is_written() {
    let (folder, root) = live(Vec::new());
    let other =
        Live { org: "other".to_owned(), policies: Vec::new(), teams: TeamDirectory::default() };
    // A file that is not a snapshot, and one of another organization.
    for (text, exit) in [("{}".to_owned(), 1), (Snapshot::from(&other).text(), 2)] {
        fs::write(folder.path().join("live.json"), text).unwrap();
        let (code, _, stderr) = seawall(folder.path(), &IMPORT);
        assert_eq!(code, Some(exit), "{stderr}");
        assert!(!root.exists(), "{stderr}");
    }
}
