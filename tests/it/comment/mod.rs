//! `seawall comment`: one comment a workspace, edited in place, whoever else writes into the
//! conversation.

pub(crate) mod fake;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use seawall::render::markdown;
use seawall::service::github::{Comment, Error, GitHub, Marker, Placed, Repository};
use seawall::service::http::{BaseUrl, Clock};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::fake::{Fake, TOKEN, account};

const MARKER: &str = "<!-- seawall:acme -->";

/// A folder with `plan.json`, which creates this many rules, and `empty.json`, which does nothing.
fn plans(rules: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "seawall.yaml",
        "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded}\n",
    );
    let mut policy =
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Research\nrules:\n".to_owned();
    for rule in 0..rules {
        policy += &format!(
            "  - {{name: 'rule {rule} {}', decision: allow, actions: [connect:tcp], resources: ['h{rule}.example.com']}}\n",
            "|".repeat(200)
        );
    }
    write("policy.yaml", &policy);
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_seawall"))
            .args(arguments)
            .current_dir(folder.path())
            .env("DOCKER_CONFIG", folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&["plan", "--out", "plan.json", "-q"]);
    run(&["apply", "--yes", "-q"]);
    run(&["plan", "--out", "empty.json", "-q"]);
    folder
}

/// Runs the command with these arguments and variables, beside those of every job.
async fn comment(
    folder: &Path,
    fake: &Fake,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.arg("comment").args(arguments).current_dir(folder).env_clear();
    command
        .env("GITHUB_API_URL", &fake.url)
        .env("GITHUB_TOKEN", TOKEN)
        .env("GITHUB_REPOSITORY", "my-org/policies");
    command.env("GITHUB_REF", "refs/pull/12/merge").envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = format!("{output:?}");
    assert!(!said.contains("do-not-show-me"), "{said}");
    output
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_posted_once_and_edited_in_place() {
    let (fake, folder) = (Fake::start().await, plans(1));
    let address = "https://github.example/my-org/policies/pull/12#issuecomment-5000";

    let first = comment(folder.path(), &fake, &["--plan", "plan.json"], &[]).await;
    assert_eq!(told(&first), (Some(0), format!("Posted: {address}"), String::new()));
    let [(author, body)] = &fake.said()[..] else { panic!("{:?}", fake.said()) };
    assert_eq!(author, "github-actions[bot]");
    assert!(
        body.starts_with(&format!(
            "{MARKER}\n### seawall: widens access for the whole organization"
        )),
        "{body}"
    );

    let again = comment(folder.path(), &fake, &["--plan", "plan.json"], &[]).await;
    assert_eq!(told(&again), (Some(0), format!("Unchanged: {address}"), String::new()));
    let run = [("GITHUB_SERVER_URL", "https://github.example"), ("GITHUB_RUN_ID", "7")];
    let moved = comment(folder.path(), &fake, &["--plan", "plan.json"], &run).await;
    assert_eq!(told(&moved), (Some(0), format!("Edited: {address}"), String::new()));
    assert!(fake.said()[0].1.contains("https://github.example/my-org/policies/actions/runs/7"));

    let empty = comment(folder.path(), &fake, &["--plan", "empty.json"], &[]).await;
    assert_eq!(told(&empty), (Some(0), format!("Edited: {address}"), String::new()));
    assert!(fake.said()[0].1.contains("nothing to change"));
    let writes =
        fake.calls().into_iter().filter(|call| !call.starts_with("GET ")).collect::<Vec<_>>();
    let edit = "PATCH /repos/my-org/policies/issues/comments/5000";
    assert_eq!(writes, ["POST /repos/my-org/policies/issues/12/comments", edit, edit]);

    // Another workspace has a comment of its own.
    comment(folder.path(), &fake, &["--plan", "plan.json", "--key", "teams/eu"], &[]).await;
    assert_eq!(fake.said().len(), 2);
    assert!(fake.said()[1].1.starts_with("<!-- seawall:teams/eu -->\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_organizations_has_a_comment_of_its_own() {
    let (fake, folder) = (Fake::start().await, plans(1));
    let settings = "apiVersion: seawall/v1\nkind: Workspace\ndocker: {orgs: [acme, acme-labs], endpoint: embedded}\n";
    std::fs::write(folder.path().join("seawall.yaml"), settings).unwrap();
    let plan = Command::new(env!("CARGO_BIN_EXE_seawall"))
        .args(["plan", "--out", "plans.json", "-q"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(plan.status.success(), "{plan:?}");
    // `acme` has what it asks for, and `acme-labs` has nothing yet.
    let (code, stdout, stderr) =
        told(&comment(folder.path(), &fake, &["--plan", "plans.json"], &[]).await);
    assert!(
        code == Some(0) && stdout.starts_with("Nothing posted: nothing would change\nPosted: "),
        "{stdout}{stderr}"
    );
    let [(_, body)] = &fake.said()[..] else { panic!("{:?}", fake.said()) };
    assert!(body.starts_with("<!-- seawall:acme-labs -->\n### seawall: widens access"), "{body}");
    let (_, stdout, _) = told(
        &comment(folder.path(), &fake, &["--plan", "plans.json", "--always", "--key", "x"], &[])
            .await,
    );
    assert_eq!(stdout.matches("Posted: ").count(), 2, "{stdout}");
    let markers: Vec<String> =
        fake.said().iter().map(|(_, body)| body.lines().next().unwrap().to_owned()).collect();
    assert_eq!(markers[1..], ["<!-- seawall:x%20acme -->", "<!-- seawall:x%20acme-labs -->"]);
    let (_, printed, _) =
        told(&comment(folder.path(), &fake, &["--plan", "plans.json", "--print"], &[]).await);
    assert_eq!(printed.matches("<!-- seawall:").count(), 2, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_printed_without_a_token_or_a_pull_request() {
    let (fake, folder) = (Fake::start().await, plans(1));
    let nothing = [("GITHUB_TOKEN", ""), ("GITHUB_REPOSITORY", ""), ("GITHUB_REF", "")];
    let output = comment(folder.path(), &fake, &["--plan", "plan.json", "--print"], &nothing).await;
    let (code, stdout, stderr) = told(&output);
    assert_eq!((code, stderr.as_str(), fake.calls().len()), (Some(0), "", 0));
    assert!(stdout.starts_with(&format!("{MARKER}\n### seawall: widens access")), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_posted_when_nothing_changes_unless_asked() {
    let (fake, folder) = (Fake::start().await, plans(1));
    let quiet = comment(folder.path(), &fake, &["--plan", "empty.json"], &[]).await;
    assert_eq!(
        told(&quiet),
        (Some(0), "Nothing posted: nothing would change".into(), String::new())
    );
    assert_eq!(fake.said(), []);
    comment(folder.path(), &fake, &["--plan", "empty.json", "--always"], &[]).await;
    assert!(fake.said()[0].1.contains("nothing to change"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_marker_is_no_comment_of_ours_and_every_page_is_read() {
    let (fake, folder) = (Fake::start().await, plans(1));
    let copied = format!("{MARKER}\n### seawall: no access change in <code>acme</code>");
    fake.comment(account("mallory", 666), &copied);
    for _ in 0..250 {
        fake.comment(account("reviewer", 7), "one more thing");
    }
    fake.comment(account("github-actions[bot]", 41898282), &format!("I quote:\n{copied}"));
    fake.comment(account("github-actions[bot]", 41898282), &format!("{MARKER}\nan older plan"));
    let output = comment(folder.path(), &fake, &["--plan", "plan.json"], &[]).await;
    assert_eq!(told(&output).1, "Edited: https://github.example/c/1252");
    let said = fake.said();
    assert_eq!((said.len(), said[0].1.as_str()), (253, copied.as_str()));
    assert!(said[251].1.starts_with("I quote") && said[252].1.contains("widens access"));

    // A token of a person: the app's comment is not theirs, nor is that of somebody with a name
    // like it.
    let fake = Fake::start().await;
    fake.world().viewer = Some(account("octocat", 1));
    fake.world().author = account("octocat", 1);
    fake.comment(account("github-actions[bot]", 41898282), &copied);
    fake.comment(account("octocat", 2), &copied);
    for posted in ["Posted", "Unchanged"] {
        let output = comment(folder.path(), &fake, &["--plan", "plan.json"], &[]).await;
        assert!(told(&output).1.starts_with(posted), "{output:?}");
    }
    assert_eq!(fake.said().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_elsewhere_is_not_followed() {
    let (fake, elsewhere, folder) = (Fake::start().await, Fake::start().await, plans(1));
    for _ in 0..101 {
        fake.comment(account("reviewer", 7), "x");
    }
    fake.world().next = Some(format!("{}/repositories/1/issues/12/comments?page=2", elsewhere.url));
    let (code, _, stderr) =
        told(&comment(folder.path(), &fake, &["--plan", "plan.json"], &[]).await);
    assert_eq!((code, elsewhere.calls().len(), fake.said().len()), (Some(5), 0, 101), "{stderr}");
    assert!(stderr.contains("redirect"), "{stderr}");

    fake.world().next =
        Some(format!("{}/repos/my-org/policies/issues/12/comments?per_page=100", fake.url));
    let (code, _, stderr) =
        told(&comment(folder.path(), &fake, &["--plan", "plan.json"], &[]).await);
    assert_eq!((code, fake.said().len()), (Some(5), 101), "{stderr}");
    assert!(stderr.contains("have no end"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_after_another_finds_its_pull_request_by_the_head_of_the_event() {
    let (fake, folder) = (Fake::start().await, plans(1));
    let event = json!({"workflow_run": {
        "head_branch": "new rule&state=all", "head_sha": "abc0123", "head_repository": {"owner": {"login": "mallory"}}
    }});
    std::fs::write(folder.path().join("event.json"), event.to_string()).unwrap();
    let event = folder.path().join("event.json");
    let variables =
        [("GITHUB_REF", "refs/heads/main"), ("GITHUB_EVENT_PATH", event.to_str().unwrap())];
    fake.world().pulls = json!([{"number": 11, "head": {"sha": "another"}}, {"number": 12, "head": {"sha": "abc0123"}}]);
    let output = comment(folder.path(), &fake, &["--plan", "plan.json"], &variables).await;
    assert!(told(&output).1.starts_with("Posted: "), "{output:?}");
    let asked = "GET /repos/my-org/policies/pulls?state=open&head=mallory%3Anew%20rule%26state%3Dall&per_page=100";
    assert_eq!(fake.calls()[0], asked);

    assert!(fake.said()[0].1.ends_with("<sub>For the commit <code>abc0123</code>.</sub>\n"));

    fake.world().pulls = json!([{"number": 12, "head": {"sha": "pushed since"}}]);
    let output = comment(folder.path(), &fake, &["--plan", "plan.json"], &variables).await;
    let says = "Nothing posted: no open pull request has `new rule&state=all` at abc0123";
    assert_eq!(told(&output), (Some(0), says.into(), String::new()));
}

/// Arguments and variables with the exit code and what is said.
type Refused<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_refused_is_told() {
    let (fake, folder) = (Fake::start().await, plans(1));
    let plan = ["--plan", "plan.json"];
    let table: [Refused<'_>; 12] = [
        (&plan, &[("GITHUB_TOKEN", "")], 5, "there is no GitHub token"),
        (&plan, &[("GITHUB_TOKEN", "a b")], 2, "`GITHUB_TOKEN` holds no token"),
        (&plan, &[("GITHUB_TOKEN", "wrong")], 5, "the token is not valid"),
        (&plan, &[("GITHUB_REPOSITORY", "")], 2, "no repository is named"),
        (&plan, &[("GITHUB_REPOSITORY", "../x")], 2, "`../x` is not a repository"),
        (
            &plan,
            &[("GITHUB_REPOSITORY", "my-org/other")],
            5,
            "check the repository and the pull request",
        ),
        (&plan, &[("GITHUB_REF", "refs/heads/main")], 2, "no pull request is named"),
        (
            &plan,
            &[("GITHUB_API_URL", "http://github.example/api/v3")],
            2,
            "`GITHUB_API_URL`: plain http",
        ),
        (&["--plan", "missing.json"], &[], 2, "`missing.json` cannot be read"),
        (&["--plan", "seawall.yaml"], &[], 4, "the plan cannot be read"),
        (&["--plan", "plan.json", "--pull-request", "0"], &[], 2, "--pull-request"),
        (&["--plan", "plan.json", "--token", "x"], &[], 2, "unexpected argument"),
    ];
    for (arguments, variables, code, says) in table {
        let (exit, stdout, stderr) =
            told(&comment(folder.path(), &fake, arguments, variables).await);
        assert_eq!(
            (exit, stdout.as_str()),
            (Some(code), ""),
            "{arguments:?} {variables:?}: {stderr}"
        );
        assert!(stderr.contains(says), "{says}: {stderr}");
    }
    fake.world().writes = Some((StatusCode::FORBIDDEN, HeaderMap::new(), false));
    let (code, _, stderr) = told(&comment(folder.path(), &fake, &plan, &[]).await);
    assert_eq!(code, Some(5));
    assert!(
        stderr.contains("does not take the comment: 403")
            && stderr.contains("pull-requests: write"),
        "{stderr}"
    );
    assert_eq!(fake.said(), []);

    let altered = std::fs::read_to_string(folder.path().join("plan.json"))
        .unwrap()
        .replace("h0.example", "x.example");
    std::fs::write(folder.path().join("altered.json"), altered).unwrap();
    let (code, _, stderr) =
        told(&comment(folder.path(), &fake, &["--plan", "altered.json"], &[]).await);
    assert_eq!(code, Some(4));
    assert!(stderr.contains("changed after it was saved"), "{stderr}");
}

/// What GitHub said is told, with what to do, and without what acts on a terminal or what we sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_github_says_is_passed_on() {
    let folder = plans(1);
    let issue = |message: &str| json!({"message": "Validation Failed", "errors": [{"resource": "IssueComment", "code": "custom", "field": "data", "message": message}]});
    let table = [
        (
            403,
            json!({"message": "Unable to create comment because issue is locked."}),
            "403: Unable to create comment because issue is locked.",
            "help: unlock the conversation",
        ),
        (
            422,
            issue("Body is too long"),
            "422: Validation Failed: Body is too long",
            "`seawall comment --print`",
        ),
        (
            422,
            json!({"message": "Invalid.", "errors": {"body": ["is odd"]}}),
            "422: Invalid: body is odd",
            "help: ",
        ),
        (
            422,
            issue(&format!("no \u{202e}{TOKEN} \u{1b}[2J\n::error::x")),
            "no \\u{202e}[secret] \\u{1b}[2J ::error::x",
            "help: ",
        ),
        (
            403,
            json!({"message": "Resource protected by organization SAML enforcement."}),
            "SAML enforcement",
            "help: authorize the token",
        ),
    ];
    for (status, says, message, help) in table {
        let fake = Fake::start().await;
        let status = StatusCode::from_u16(status).unwrap();
        fake.world().writes = Some((status, HeaderMap::new(), false));
        fake.world().says = Some(says);
        let (code, stdout, stderr) =
            told(&comment(folder.path(), &fake, &["--plan", "plan.json"], &[]).await);
        assert_eq!((code, stdout.as_str()), (Some(5), ""), "{stderr}");
        assert!(stderr.contains(message) && stderr.contains(help), "{stderr}");
        assert_eq!(fake.said(), []);
    }
    // A token that has expired meanwhile.
    let fake = Fake::start().await;
    let (code, _, stderr) = told(
        &comment(
            folder.path(),
            &fake,
            &["--plan", "plan.json"],
            &[("GITHUB_TOKEN", "ghs_expired")],
        )
        .await,
    );
    assert_eq!(code, Some(5));
    assert!(
        stderr.contains("401: Bad credentials\n  help: the token is not valid, or has expired"),
        "{stderr}"
    );
    assert!(!stderr.contains("ghs_expired"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_never_longer_than_the_service_takes() {
    let (fake, folder) = (Fake::start().await, plans(250));
    let run = [("GITHUB_SERVER_URL", "https://github.example"), ("GITHUB_RUN_ID", "7")];
    let key = format!("--key={}", "-".repeat(5_000));
    comment(folder.path(), &fake, &["--plan", "plan.json", &key], &run).await;
    let body = &fake.said()[0].1;
    assert!(body.len() <= markdown::MOST && body.len() > 40_000, "{}", body.len());
    assert!(body.contains("more steps") && body.contains("actions/runs/7"));
}

fn client(fake: &Fake, clock: &Clock) -> GitHub {
    let base = BaseUrl::parse(&fake.url).unwrap();
    let repository = Repository::parse("my-org/policies").unwrap();
    GitHub::connect(base, TOKEN.to_owned().into(), repository, clock.clone(), None).unwrap()
}

async fn place(github: &GitHub) -> Result<Placed, Error> {
    let marker = Marker::new("acme");
    github.place(12, Comment { marker: &marker, text: "a plan", worth_posting: true }).await
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_comment_and_a_limit_is_waited_for() {
    let clock = Clock::manual("2026-10-21T07:28:00Z".parse().unwrap());
    let (fake, none) = (Fake::start().await, HeaderMap::new());
    let github = client(&fake, &clock);
    fake.world().writes = Some((StatusCode::BAD_GATEWAY, none.clone(), true));
    assert!(matches!(place(&github).await, Ok(Placed::Posted(_))));
    assert_eq!(fake.said().len(), 1);

    let fake = Fake::start().await;
    let github = client(&fake, &clock);
    fake.world().writes = Some((StatusCode::BAD_GATEWAY, none.clone(), false));
    assert!(matches!(place(&github).await, Err(Error::Unknown { .. })));
    assert_eq!(fake.calls().iter().filter(|call| call.starts_with("POST")).count(), 1);

    fake.comment(account("github-actions[bot]", 41898282), &format!("{MARKER}\nold"));
    fake.world().writes = Some((StatusCode::BAD_GATEWAY, none, false));
    assert!(matches!(place(&github).await, Ok(Placed::Edited(_)))); // an edit may be repeated

    let before = clock.passed();
    let limit = HeaderMap::from_iter([("retry-after".parse().unwrap(), "60".parse().unwrap())]);
    fake.comment(Value::Null, "somebody who is gone");
    fake.world().comments[0]["body"] = format!("{MARKER}\nold again").into();
    fake.world().writes = Some((StatusCode::FORBIDDEN, limit, false));
    assert!(matches!(place(&github).await, Ok(Placed::Edited(_))));
    assert!(clock.passed() - before >= Duration::from_secs(60));
}

#[tokio::test]
async fn a_conversation_without_end_is_an_error() {
    let clock = Clock::manual("2026-10-21T07:28:00Z".parse().unwrap());
    for (comments, circle, says) in [
        (101, true, "the pages of the comments"),
        (10_100, false, "more comments than the service can hold"),
    ] {
        let fake = Fake::start().await;
        let one = json!({"id": 1, "body": "a", "user": account("ana", 1), "html_url": "x"});
        fake.world().comments = vec![one; comments];
        let first = format!("{}/repos/my-org/policies/issues/12/comments?page=1", fake.url);
        fake.world().next = circle.then_some(first);
        let error = place(&client(&fake, &clock)).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(fake.calls().len() < 110);
    }
}

/// A folder with a base and a proposal, whose new deny shadows an allow that the base has too.
fn shadowed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let policy = |name: &str, team: &str, decision: &str, host: &str| {
        format!(
            "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: {name}\n{team}rules:\n  - {{name: one, decision: {decision}, actions: [connect:tcp], resources: ['{host}']}}\n"
        )
    };
    for side in ["base", "now"] {
        let root = folder.path().join(side);
        std::fs::create_dir(&root).unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.join(name), text).unwrap();
        write(
            "seawall.yaml",
            "apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme, endpoint: embedded}\n",
        );
        write("a.yaml", &policy("Allows", "", "allow", "files.example.com:443"));
        write("old.yaml", &policy("Old", "", "allow", "*.old.example.com:443"));
        if side == "now" {
            write("b.yaml", &policy("Denies", "", "deny", "files.example.com:443"));
        }
    }
    folder
}

#[test]
fn a_comment_shows_the_new_warnings_and_links_places_to_the_commit() {
    let folder = shadowed();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
        command
            .args(arguments)
            .current_dir(folder.path().join("now"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        command
            .env("GITHUB_SERVER_URL", "https://github.example")
            .env("GITHUB_REPOSITORY", "acme/policies");
        command
            .env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")
            .env("DOCKER_CONFIG", folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["plan", "-q", "--guards-from", "../base/", "--out", "plan.json"]);
    let text = run(&["comment", "--plan", "plan.json", "--print", "--folder", "teams/x"]);
    let place = "https://github.example/acme/policies/blob/0123456789abcdef0123456789abcdef01234567/teams/x/a.yaml#L";
    let warning =
        text.lines().find(|line| line.contains("shadowed")).unwrap_or_else(|| panic!("{text}"));
    assert!(warning.starts_with("- ⚠️ ") && warning.contains(place), "{warning}");
    assert!(text.contains("#### New warnings about the documents"), "{text}");
    assert!(!text.contains("wildcard"), "what the base has too is not new: {text}");
    // Nothing says where the documents are in the repository.
    assert!(!run(&["comment", "--plan", "plan.json", "--print"]).contains("blob"));
    // Without a base, what counts is in files that the plan changes something from.
    run(&["plan", "-q", "--out", "alone.json"]);
    assert!(run(&["comment", "--plan", "alone.json", "--print"]).contains("shadowed"));
}
