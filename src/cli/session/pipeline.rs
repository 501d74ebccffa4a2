//! The environment of a pipeline: its repository, its pull request, the token and the address of
//! the run.
//!
//! Invariant: the pull request is the one that GitHub's event or the caller names, never one that a
//! file of the pull request could choose. The token comes from the environment only, and goes only
//! where the environment says.

use std::path::Path;

use secrecy::SecretString;
use serde_json::Value;

use super::reading::read;
use super::{Environment, Exit, Failure};
use crate::report::Links;
use crate::service::github::{ENDPOINT, Head, Repository};
use crate::service::http::BaseUrl;

/// The variables that may hold the token; the first one that is set counts.
const TOKENS: [&str; 2] = ["GITHUB_TOKEN", "GH_TOKEN"];
/// The longest address of a run that is printed.
const LONGEST_ADDRESS: usize = 500;

/// The identification of the pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// By its number.
    Number(u64),
    /// By its head, in a run that another run started.
    Head(Head),
}

/// The repository: the flag, then `GITHUB_REPOSITORY`.
///
/// # Errors
///
/// Returns an error if no repository is named, or the name is not valid.
pub(crate) fn repository(
    environment: &Environment,
    flag: Option<&str>,
) -> Result<Repository, Failure> {
    let named = match flag {
        Some(flag) => Some(flag.to_owned()),
        None => environment.text("GITHUB_REPOSITORY")?,
    };
    let named = named.ok_or_else(|| {
        Failure::new(Exit::Usage, "no repository is named")
            .hint("set `--repository OWNER/NAME` or `GITHUB_REPOSITORY`")
    })?;
    Ok(Repository::parse(&named)?)
}

/// The pull request: the flag, then the ref, then the event of the run.
///
/// # Errors
///
/// Returns an error if none of them names a pull request.
pub(crate) fn pull_request(
    environment: &Environment,
    event: &Value,
    flag: Option<u64>,
) -> Result<Asked, Failure> {
    if let Some(number) = flag.or(environment.text("GITHUB_REF")?.as_deref().and_then(of_ref)) {
        return Ok(Asked::Number(number));
    }
    of_event(event).ok_or_else(|| {
        Failure::new(Exit::Usage, "no pull request is named")
            .hint("set `--pull-request NUMBER`, or run in a pipeline that a pull request started")
    })
}

/// The event that started the run, as GitHub describes it; null outside of a pipeline.
///
/// # Errors
///
/// Returns an error if the file of the event cannot be read.
pub(crate) fn event(environment: &Environment) -> Result<Value, Failure> {
    match environment.os("GITHUB_EVENT_PATH") {
        Some(path) => Ok(serde_json::from_str(&read(Path::new(&path))?).unwrap_or(Value::Null)),
        None => Ok(Value::Null),
    }
}

/// The commit at the head of the pull request that started the run, which a plan of this run is
/// for.
pub(crate) fn head(event: &Value) -> Option<&str> {
    let commit = ["/workflow_run/head_sha", "/pull_request/head/sha"]
        .into_iter()
        .find_map(|at| event.pointer(at));
    commit.and_then(Value::as_str).filter(|commit| is_commit(commit))
}

fn of_ref(reference: &str) -> Option<u64> {
    let (number, _) = reference.strip_prefix("refs/pull/")?.split_once('/')?;
    number.parse().ok()
}

fn of_event(event: &Value) -> Option<Asked> {
    let number = |pointer: &str| event.pointer(pointer).and_then(Value::as_u64);
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let of_issue = || event.pointer("/issue/pull_request").and_then(|_| number("/issue/number"));
    if let Some(number) = number("/pull_request/number").or_else(of_issue) {
        return Some(Asked::Number(number));
    }
    // A run for a fork does not name the pull request, only its head.
    Some(Asked::Head(Head {
        owner: text("/workflow_run/head_repository/owner/login")?,
        branch: text("/workflow_run/head_branch")?,
        commit: text("/workflow_run/head_sha")?,
    }))
}

/// The token.
///
/// # Errors
///
/// Returns an error if there is none, or the value cannot be a token.
pub(crate) fn token(environment: &Environment) -> Result<SecretString, Failure> {
    for name in TOKENS {
        if let Some(token) = environment.text(name)? {
            let token = token.trim();
            if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                let failure = Failure::new(Exit::Usage, format!("`{name}` holds no token"));
                return Err(failure.hint("set it to the token alone, or unset it"));
            }
            return Ok(token.into());
        }
    }
    Err(Failure::new(Exit::Failed, "there is no GitHub token")
        .hint("set `GITHUB_TOKEN`; in a job, to `${{ github.token }}` with `permissions: pull-requests: write`"))
}

/// GitHub's API: `GITHUB_API_URL`, which runners set, also those of an enterprise server.
///
/// # Errors
///
/// Returns an error if a token may not be sent to the address.
pub(crate) fn api(environment: &Environment) -> Result<BaseUrl, Failure> {
    let Some(url) = environment.text("GITHUB_API_URL")? else {
        return Ok(BaseUrl::parse(ENDPOINT)?);
    };
    BaseUrl::parse(&url).map_err(|error| {
        let failure = Failure::from(error);
        let hint = format!("write it like `{ENDPOINT}`, or `https://github.corp.example/api/v3`");
        Failure {
            message: format!("`GITHUB_API_URL`: {}", failure.message),
            hint: Some(hint),
            ..failure
        }
    })
}

/// The address of this run, for people; `None` outside of GitHub Actions.
///
/// # Errors
///
/// Returns an error if a variable is not Unicode.
pub(crate) fn run(environment: &Environment) -> Result<Option<String>, Failure> {
    let [server, repository, run] = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"];
    let (Some(server), Some(repository), Some(run)) =
        (environment.text(server)?, environment.text(repository)?, environment.text(run)?)
    else {
        return Ok(None);
    };
    let (Ok(server), Ok(repository), Ok(run)) =
        (BaseUrl::parse(&server), Repository::parse(&repository), run.parse::<u64>())
    else {
        return Ok(None);
    };
    Ok(Some(format!("{server}/{repository}/actions/runs/{run}"))
        .filter(|address| address.len() <= LONGEST_ADDRESS))
}

/// Links to the documents in this folder of the repository, at the commit that the run is about;
/// `None` outside of GitHub Actions.
///
/// # Errors
///
/// Returns an error if a variable is not Unicode.
pub(crate) fn links(
    environment: &Environment,
    event: &Value,
    folder: &str,
) -> Result<Option<Links>, Failure> {
    let (Some(server), Some(repository)) =
        (environment.text("GITHUB_SERVER_URL")?, environment.text("GITHUB_REPOSITORY")?)
    else {
        return Ok(None);
    };
    let sha = environment.text("GITHUB_SHA")?;
    let commit = head(event).or(sha.as_deref()).filter(|commit| is_commit(commit));
    let (Ok(server), Ok(repository), Some(commit)) =
        (BaseUrl::parse(&server), Repository::parse(&repository), commit)
    else {
        return Ok(None);
    };
    let folder = folder.trim_start_matches("./").trim_matches('/');
    let folder = if folder == "." { "" } else { folder };
    Ok(Links::new(&format!("{server}/{repository}/blob/{commit}/{{file}}#L{{line}}"), folder).ok())
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Environment;
    use super::{Asked, Head, head, of_event, of_ref, run};

    #[test]
    fn a_ref_or_an_event_names_the_pull_request() {
        assert_eq!(of_ref("refs/pull/12/merge"), Some(12));
        for reference in [
            "refs/heads/main",
            "refs/heads/refs/pull/12/merge",
            "refs/pull/x/merge",
            "refs/pull/12",
            "",
        ] {
            assert_eq!(of_ref(reference), None, "{reference}");
        }
        let head = json!({"head_branch": "a", "head_sha": "b", "head_repository": {"owner": {"login": "c"}}});
        let found = Head { owner: "c".into(), branch: "a".into(), commit: "b".into() };
        let table = [
            (json!({"pull_request": {"number": 3}, "number": 4}), Some(Asked::Number(3))),
            (json!({"issue": {"number": 5, "pull_request": {}}}), Some(Asked::Number(5))),
            (json!({"issue": {"number": 5}}), None), // a comment on an issue
            (json!({"workflow_run": head}), Some(Asked::Head(found))),
            (json!({"workflow_run": {"head_branch": "a"}}), None),
            (json!({"ref": "refs/heads/main"}), None),
            (json!(null), None),
        ];
        for (event, asked) in table {
            assert_eq!(of_event(&event), asked, "{event}");
        }
    }

    #[test]
    fn a_head_is_a_commit() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(head(&json!({"pull_request": {"head": {"sha": commit}}})), Some(commit));
        assert_eq!(head(&json!({"workflow_run": {"head_sha": commit}})), Some(commit));
        for other in [
            json!({"workflow_run": {"head_sha": "</code>"}}),
            json!({"after": commit}),
            json!(null),
        ] {
            assert_eq!(head(&other), None);
        }
    }

    #[test]
    fn the_address_of_a_run_is_built_from_what_can_be_one() {
        let of = |server, repository, id| {
            let variables = [
                ("GITHUB_SERVER_URL", server),
                ("GITHUB_REPOSITORY", repository),
                ("GITHUB_RUN_ID", id),
            ];
            run(&Environment::from_variables(variables)).unwrap()
        };
        let address = "https://github.com/my-org/policies/actions/runs/7";
        assert_eq!(of("https://github.com", "my-org/policies", "7").as_deref(), Some(address));
        assert_eq!(of("https://github.com", "my-org/policies", "7)[x"), None);
        assert_eq!(of("https://github.com", "a/b)c", "7"), None);
        assert_eq!(of("javascript:alert(1)", "a/b", "7"), None);
        assert_eq!(of("", "a/b", "7"), None);
    }
}
