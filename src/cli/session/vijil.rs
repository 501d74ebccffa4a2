//! Connects to a Vijil service from settings.
//!
//! Invariant: as for Docker, a `seawall.yaml` alone can send credentials to Vijil's own hosts and
//! this machine only.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::connect::Shared;
use super::{Context, Environment, Exit, Failure, Setting, embedded};
use crate::document;
use crate::emulator::{Running, Seed};
use crate::service::docker::Snapshot;
use crate::service::http::{self, BaseUrl, Clock, Connection, Limits, Observer};
use crate::service::vijil::{self, Credentials, Outside, Reader};
use crate::source::disk::{self, FileError, Root};

/// A connection that reads a Vijil service.
#[derive(Debug)]
pub(crate) struct VijilConnected {
    /// The reader.
    pub(crate) reader: Reader,
    embedded: Option<Arc<Running>>,
}

impl VijilConnected {
    /// Stops the embedded service, if this connection started it.
    pub(crate) async fn close(self) {
        if let Some(running) = self.embedded.and_then(Arc::into_inner) {
            running.stop().await;
        }
    }
}

/// Connects to the Vijil service.
pub(crate) async fn connect(
    context: &Context,
    root: &Path,
    settings: &document::Vijil,
    shared: &mut Shared,
    seed: Seed,
    observer: Option<Observer>,
) -> Result<VijilConnected, Failure> {
    let (base, credentials, running) = match endpoint(context, settings)? {
        Some(base) => (base, Credentials::find(outside(context.environment())?)?, None),
        None => {
            let running = match &shared.running {
                Some(running) => Arc::clone(running),
                None => Arc::new(embedded::start(root, "my-org", Vec::new(), seed).await?),
            };
            shared.running = Some(Arc::clone(&running));
            let account = running.vijil_account();
            let credentials =
                Credentials::pair(account.client_id.clone(), account.client_secret.clone().into());
            (vijil::endpoint(running.origin())?, credentials, Some(running))
        }
    };
    let limits = Limits { concurrency: context.overrides().concurrency, ..Limits::default() };
    let connection =
        Connection::with(base, credentials.authorization(), limits, Clock::system(), observer)?;
    Ok(VijilConnected { reader: Reader::new(http::Reader::new(connection)), embedded: running })
}

/// The initial state of the embedded service, from the settings.
pub(crate) fn seed(
    context: &Context,
    root: &Path,
    settings: Option<&document::Vijil>,
) -> Result<Seed, Failure> {
    let embedded = |vijil: &&document::Vijil| named_endpoint(context, vijil) == "embedded";
    let Some(file) = settings.filter(embedded).and_then(|vijil| vijil.seed.as_ref()) else {
        return Ok(Seed::default());
    };
    let text = seed_text(root, file).map_err(|error| {
        let failure =
            Failure::new(Exit::Invalid, format!("`vijil.seed`: `{file}` cannot be read: {error}"));
        failure.hint("put the snapshot beside `seawall.yaml`")
    })?;
    let Snapshot { format_version, docker: _, vijil } = Snapshot::parse(&text)?;
    Ok(Snapshot { format_version, docker: None, vijil }.into())
}

fn seed_text(root: &Path, file: &str) -> Result<String, FileError> {
    let is_inside = Path::new(file)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !is_inside {
        return Err(FileError::Outside);
    }
    let bytes = Root::new(root)?.read(&root.join(file), disk::MAX_STATE_BYTES)?;
    String::from_utf8(bytes).map_err(|_| FileError::NotText)
}

/// The endpoint as a plan stores it.
pub(crate) fn named_endpoint(context: &Context, settings: &document::Vijil) -> String {
    let overridden =
        context.overrides().vijil_endpoint.as_ref().map(|setting| setting.value.clone());
    overridden.or_else(|| settings.endpoint.clone()).unwrap_or_else(|| vijil::ENDPOINT.to_owned())
}

/// The endpoint's address; `None` for `embedded`.
fn endpoint(context: &Context, settings: &document::Vijil) -> Result<Option<BaseUrl>, Failure> {
    let written =
        || settings.endpoint.clone().map(|value| Setting { value, from: "vijil.endpoint" });
    let Some(Setting { value, from }) = context.overrides().vijil_endpoint.clone().or_else(written)
    else {
        return Ok(Some(vijil::endpoint(vijil::ENDPOINT)?));
    };
    if value == "embedded" {
        return Ok(None);
    }
    let base = vijil::endpoint(&value).map_err(|error| {
        let failure = Failure::from(error);
        Failure { message: format!("`{from}`: {}", failure.message), ..failure }
    })?;
    if from == "vijil.endpoint" && !base.is_loopback() && !vijil::is_vijils_own(&base) {
        let message = format!("`vijil.endpoint` would send Vijil credentials to `{}`", base.host());
        return Err(Failure::new(Exit::Usage, message).hint(format!(
            "if that is meant, say so outside of the workspace: `VIJIL_CONSOLE_URL={base}`"
        )));
    }
    Ok(Some(base))
}

fn outside(environment: &Environment) -> Result<Outside, Failure> {
    // A secret that was read from a file often ends in a line end, which no token has.
    let secret = |name: &str| -> Result<_, Failure> {
        Ok(environment
            .text(name)?
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned().into()))
    };
    let home = environment.os("HOME").or_else(|| environment.os("USERPROFILE"));
    Ok(Outside {
        client_id: environment.text("VIJIL_CLIENT_ID")?,
        client_secret: secret("VIJIL_CLIENT_SECRET")?,
        api_key: secret("VIJIL_API_KEY")?,
        folder: home.map(|home| PathBuf::from(home).join(".vijil")),
    })
}

/// Notes for approvals without notes of their own: the commit and the pull request of this run;
/// empty outside of a pipeline.
pub(crate) fn pipeline_notes(environment: &Environment) -> Result<String, Failure> {
    let text = |name: &str| environment.text(name);
    let (commit, repository, request) = match (text("GITHUB_SHA")?, text("CI_COMMIT_SHA")?) {
        (Some(commit), _) => (commit, text("GITHUB_REPOSITORY")?, github_request(environment)?),
        (None, Some(commit)) => (commit, text("CI_PROJECT_PATH")?, text("CI_MERGE_REQUEST_IID")?),
        (None, None) => return Ok(String::new()),
    };
    let repository = repository.unwrap_or_default();
    let at = if repository.is_empty() { commit } else { format!("{repository}@{commit}") };
    Ok(match request {
        Some(number) => format!("Reviewed in pull request #{number}, merged as {at}"),
        None => format!("Reviewed in the merge of {at}"),
    })
}

/// The number of the pull request: from the ref of the run, the event that started it, or the
/// message of the merge.
fn github_request(environment: &Environment) -> Result<Option<String>, Failure> {
    let reference = environment.text("GITHUB_REF")?.unwrap_or_default();
    if let Some(rest) = reference.strip_prefix("refs/pull/") {
        return Ok(rest.split('/').next().map(str::to_owned));
    }
    let Some(path) = environment.os("GITHUB_EVENT_PATH") else { return Ok(None) };
    let event = disk::read_own(Path::new(&path), disk::MAX_STATE_BYTES).unwrap_or_default();
    let event: Value = serde_json::from_str(&event).unwrap_or_default();
    if let Some(number) = event.pointer("/pull_request/number").and_then(Value::as_u64) {
        return Ok(Some(number.to_string()));
    }
    let message = event.pointer("/head_commit/message").and_then(Value::as_str).unwrap_or_default();
    Ok(merged_request(message))
}

/// Parses `Merge pull request #7 from …`, or a squash title that ends with `(#7)`; other numbers
/// are issues.
fn merged_request(message: &str) -> Option<String> {
    let first = message.lines().next().unwrap_or_default().trim_end();
    let number = match first.strip_prefix("Merge pull request #") {
        Some(rest) => rest.split(' ').next()?,
        None => first.strip_suffix(')')?.rsplit_once("(#")?.1,
    };
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::Environment;
    use super::{merged_request, pipeline_notes};

    #[test]
    fn notes_name_the_commit_and_the_pull_request() {
        let notes = |variables: &[(&'static str, &'static str)]| {
            pipeline_notes(&Environment::from_variables(variables.iter().copied())).unwrap()
        };
        let github = [
            ("GITHUB_SHA", "abc"),
            ("GITHUB_REPOSITORY", "o/r"),
            ("GITHUB_REF", "refs/pull/7/merge"),
        ];
        assert_eq!(notes(&github), "Reviewed in pull request #7, merged as o/r@abc");
        assert_eq!(notes(&github[..2]), "Reviewed in the merge of o/r@abc");
        assert_eq!(
            notes(&[("CI_COMMIT_SHA", "abc"), ("CI_MERGE_REQUEST_IID", "3")]),
            "Reviewed in pull request #3, merged as abc"
        );
        assert_eq!(notes(&[]), "");
    }

    #[test]
    fn only_the_number_of_the_merge_is_taken() {
        let table = [
            ("Merge pull request #7 from o/fixes-#3\n\nSee #9", Some("7")),
            ("Fix #3 for good (#12)\n\n* see #9", Some("12")),
            ("Fix #3", None),
            ("Fix (#x)", None),
            ("", None),
        ];
        for (message, number) in table {
            assert_eq!(merged_request(message).as_deref(), number, "{message}");
        }
    }
}
