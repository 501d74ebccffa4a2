//! `seawall report` on the command line.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{git, network, workspace};
use crate::evidence::{connect, lines};
use crate::examples::{copy, repository, seawall};

fn page(folder: &Path, arguments: &[&str]) -> String {
    let all: Vec<&str> =
        ["report", "--out", "report.html"].iter().chain(arguments).copied().collect();
    let (code, stdout, stderr) = seawall(folder, &all);
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    assert!(stderr.contains("Wrote `report.html`."), "{stderr}");
    fs::read_to_string(folder.join("report.html")).unwrap()
}

/// The visible text between two tags of a page, blanks joined.
fn text(page: &str) -> String {
    let body = page.split("</style>").nth(1).unwrap().split("<script>").next().unwrap();
    let mut text = String::new();
    let mut inside = true;
    for character in body.chars() {
        match character {
            '<' => inside = false,
            '>' => {
                inside = true;
                text.push(' ');
            }
            _ if inside => text.push(character),
            _ => {}
        }
    }
    let text = text
        .replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&quot;", "\"")
        .replace("&#39;", "'");
    text.replace("&amp;", "&").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn example() -> TempDir {
    let folder = TempDir::new().unwrap();
    copy(&repository("examples/policies"), folder.path());
    folder
}

#[test]
fn a_workspace_becomes_one_page_that_is_the_same_each_time() {
    let folder = example();
    let first = page(folder.path(), &[]);
    assert_eq!(page(folder.path(), &[]), first);
    let text = text(&first);
    for told in [
        "acme",
        "research.mitre.org:443",
        "Security research › vulnerability databases teams/research.yaml:10",
        "Guardrails",
        "credentials stay outside of sandboxes",
        "Agents must not disclose personal data of customers.",
        "lab.corp.example itself is the front desk, and stays closed",
    ] {
        assert!(text.contains(told), "{told} is not in the report:\n{text}");
    }
}

#[test]
fn without_a_file_and_with_two_befores_it_is_wrong_usage() {
    let folder = example();
    for arguments in [
        &["report"][..],
        &["report", "--out", "r.html", "--live", "--before", "main"],
        &["report", "--out", "r.html", "--live", "--live-from", "live.json"],
        &["report", "--out", "r.html", "--link", "javascript:alert(1)//{file}"],
        &["report", "--out", "r.html", "--before", "nowhere"],
    ] {
        let (code, stdout, stderr) = seawall(folder.path(), arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
    }
    assert!(!folder.path().join("r.html").exists());
    let (code, _, stderr) = seawall(folder.path(), &["report", "--out", "no/such/folder/r.html"]);
    assert_eq!(code, Some(5), "{stderr}");
    fs::write(folder.path().join("broken.yaml"), "kind: NetworkPolicy\n").unwrap();
    let (code, _, stderr) = seawall(folder.path(), &["report", "--out", "r.html"]);
    assert_eq!(code, Some(1), "{stderr}");
}

#[test]
fn the_repository_gives_the_commit_the_last_change_and_links() {
    let folder = TempDir::new().unwrap();
    copy(&repository("examples/policies"), &folder.path().join("policies"));
    git(folder.path(), &["init", "-q", "-b", "main"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-q", "-m", "base"]);
    let page_of = |arguments: &[&str]| page(&folder.path().join("policies"), arguments);
    let plain = page_of(&[]);
    let told = text(&plain);
    assert!(
        told.contains("4 November 2026, 10:00 UTC") && told.contains("4 November 2026, Ana Ruiz"),
        "{told}"
    );
    assert!(
        !told.contains("changes that are not committed"),
        "the report itself is left out by `.gitignore`, or not"
    );
    assert!(!plain.contains("href=\"http"), "nothing tells where the repository is shown");
    let linked = page_of(&["--link", "https://git.corp.example/p/blob/main/{file}#L{line}"]);
    assert!(
        linked.contains("https://git.corp.example/p/blob/main/policies/teams/research.yaml#L10"),
        "{linked}"
    );
    // A line that nobody committed has nobody's name.
    let file = folder.path().join("policies/teams/research.yaml");
    let changed =
        fs::read_to_string(&file).unwrap().replace("cve.mitre.org:443", "cve.mitre.org:8443");
    fs::write(&file, changed).unwrap();
    let told = text(&page_of(&[]));
    assert!(
        told.contains("with changes that are not committed") && told.contains("not committed yet"),
        "{told}"
    );
}

#[test]
fn in_github_actions_places_link_to_the_commit() {
    let folder = TempDir::new().unwrap();
    copy(&repository("examples/policies"), folder.path());
    git(folder.path(), &["init", "-q", "-b", "main"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-q", "-m", "base"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.current_dir(folder.path()).args(["report", "--out", "report.html"]);
    let head = Command::new("git")
        .current_dir(folder.path())
        .args(["rev-parse", "HEAD"])
        .output()
        .unwrap();
    let head = String::from_utf8(head.stdout).unwrap();
    command
        .env("GITHUB_SERVER_URL", "https://github.com")
        .env("GITHUB_REPOSITORY", "acme/policies");
    command.env("GITHUB_SHA", head.trim());
    assert!(command.output().unwrap().status.success());
    let page = || fs::read_to_string(folder.path().join("report.html")).unwrap();
    let base =
        format!("https://github.com/acme/policies/blob/{}/teams/research.yaml#L10", head.trim());
    assert!(page().contains(&base), "{base}");
    // A commit that GitHub does not know has no page there.
    command.env("GITHUB_SHA", "0123456789012345678901234567890123456789");
    assert!(command.output().unwrap().status.success());
    assert!(!page().contains("https://github.com/"));
}

/// Everyone loses `files.example.com` and gains `mirror.example.com`.
fn changed() -> (TempDir, String) {
    let after = network("All", "", &["allow mirror.example.com:443", "allow git.example.com:443"]);
    let before = network("All", "", &["allow files.example.com:443", "allow git.example.com:443"]);
    let folder = workspace(&after);
    let base = folder.path().join("base");
    fs::create_dir(&base).unwrap();
    fs::write(
        folder.path().join("seawall.yaml"),
        "apiVersion: seawall/v1\nkind: Workspace\ninclude: [all.yaml]\ndocker: {org: acme, endpoint: embedded}\n",
    )
    .unwrap();
    fs::copy(folder.path().join("seawall.yaml"), base.join("seawall.yaml")).unwrap();
    fs::write(base.join("all.yaml"), before).unwrap();
    (folder, "base".to_owned())
}

#[test]
fn a_change_of_documents_is_shown_with_the_requests_that_it_would_have_denied() {
    let (folder, base) = changed();
    let records = lines(&[
        connect("1", "ana", "files.example.com:443", "ALLOW"),
        connect("2", "ana", "files.example.com:443", "ALLOW"),
        connect("3", "bob", "git.example.com:443", "ALLOW"),
    ]);
    fs::write(folder.path().join("records.jsonl"), records).unwrap();
    let told = text(&page(folder.path(), &["--before", &base, "--records", "records.jsonl"]));
    for part in [
        "From the documents of base to these documents. It widens access in 1 place and narrows it in 1 place.",
        "Widened 1 everyone connect:tcp mirror.example.com:443 now allow All › allow mirror.example.com:443 see the rule all.yaml:5",
        "Narrowed 1 everyone connect:tcp files.example.com:443 no longer allow All › allow files.example.com:443",
        "Would be denied, was allowed 1",
        "2 times, 1 user",
        "used: 1 request of 1 user",
    ] {
        assert!(told.contains(part), "{part} is not in the report:\n{told}");
    }
}

#[test]
fn a_change_of_live_state_is_shown_with_guards_and_undeclared_policies() {
    let (folder, base) = changed();
    let base = folder.path().join(base);
    fs::write(base.join("other.yaml"), network("Legacy", "", &["allow legacy.example.com:443"]))
        .unwrap();
    fs::write(
        base.join("seawall.yaml"),
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded}\n",
    )
    .unwrap();
    assert_eq!(seawall(&base, &["apply", "--yes"]).0, Some(0));
    assert_eq!(seawall(&base, &["snapshot", "--out", "../live.json"]).0, Some(0));
    let told = text(&page(folder.path(), &["--live-from", "live.json"]));
    for part in [
        "From the live state in live.json to these documents.",
        "everyone connect:tcp mirror.example.com:443 now allow All › allow mirror.example.com:443 all.yaml:5",
        "max_deletes",
        // It stays, so that it is part of what everyone may.
        "legacy.example.com:443",
    ] {
        assert!(told.contains(part), "{part} is not in the report:\n{told}");
    }
}

#[test]
fn each_of_several_organizations_has_its_sections() {
    let policy = network("All", "", &["allow git.example.com:443"]);
    let folder = workspace(&policy.replace("rules:", "orgs: [acme-labs]\nrules:"));
    fs::write(
        folder.path().join("other.yaml"),
        network("Base", "", &["allow base.example.com:443"]),
    )
    .unwrap();
    let settings = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {orgs: [acme, acme-labs], endpoint: embedded}\n";
    fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    let page = page(folder.path(), &[]);
    let ids: Vec<&str> =
        page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "an id stands twice: {ids:?}");
    assert!(text(&page).contains("acme and acme-labs"));
    assert_eq!(page.matches(">Effective access</h2>").count(), 2);
}
