//! Connects to a service from settings: address, credentials, and the emulator if the endpoint is
//! `embedded`.
//!
//! Invariant: only the person who runs the program decides where credentials go. A `seawall.yaml`
//! may come from a stranger's pull request, so that it can name Docker's own hosts and this
//! machine, and no other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;

use super::{Context, Environment, Exit, Failure, Setting, embedded};
use crate::document;
use crate::emulator::{Running, Seed};
use crate::model::{Desired, variable_suffix};
use crate::service::docker::{self, AuditReader, Credentials, Outside, Reader};
use crate::service::http::{
    self, Authorization, BaseUrl, Clock, Connection, Limits, Observer, Waiting,
};

/// The shortest wait that is reported.
const WORTH_A_LINE: std::time::Duration = std::time::Duration::from_secs(1);

/// A connection that reads a Docker organization.
#[derive(Debug)]
pub struct Connected {
    /// The reader.
    pub reader: Reader,
    embedded: Option<Arc<Running>>,
}

impl Connected {
    /// Stops the embedded service, if there is one and this is its last connection, and stores its
    /// state on disk.
    pub async fn close(self) {
        if let Some(running) = self.embedded.and_then(Arc::into_inner) {
            running.stop().await;
        }
    }
}

/// The input of a connection.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    /// The workspace's folder, for the state of `embedded`.
    pub root: &'a Path,
    /// The organization's settings, from `seawall.yaml` or a saved plan.
    pub docker: &'a document::Docker,
    /// The initial state of the Vijil side of `embedded`.
    pub seed: Seed,
    /// The declared policies: `embedded` creates the teams in their scopes, unless the settings
    /// list the teams.
    pub desired: &'a Desired,
}

/// The state that all connections of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The embedded service, once a connection has started it.
    pub(crate) running: Option<Arc<Running>>,
    /// The number of organizations that share the concurrent calls.
    organizations: usize,
    /// The initial Vijil state of the embedded service.
    pub(crate) seed: Seed,
}

impl Shared {
    /// For this number of organizations.
    pub(crate) fn among(organizations: usize) -> Self {
        Self { running: None, organizations: organizations.max(1), seed: Seed::default() }
    }
}

/// Connects to the Docker organization. Sends nothing yet. Without an observer, long waits are
/// reported on standard error.
///
/// # Errors
///
/// Returns an error if no organization is named, the endpoint is not valid, or there are no
/// credentials.
pub(crate) async fn connect(
    context: &Context,
    target: &Target<'_>,
    shared: &mut Shared,
    observer: Option<Observer>,
) -> Result<Connected, Failure> {
    let Target { root, docker, desired, seed } = target;
    let org = organization(context, docker)?;
    let (base, credentials, running) = match endpoint(context, docker)? {
        Some(base) => (base, Credentials::find(outside(context.environment(), &org)?)?, None),
        None => {
            // If the settings list the teams, another team in a scope is a mistake, as it would be
            // in a real organization.
            let named = || {
                desired
                    .policies
                    .iter()
                    .flat_map(|declared| declared.policy.scope.teams())
                    .map(str::to_owned)
            };
            let teams = docker.teams.clone().unwrap_or_else(|| named().collect());
            let running = match &shared.running {
                Some(running) => {
                    running.serve(&org, teams)?;
                    Arc::clone(running)
                }
                None => Arc::new(embedded::start(root, &org, teams, seed.clone()).await?),
            };
            shared.running = Some(Arc::clone(&running));
            let credentials =
                Credentials::new(running.identifier(), running.secret().to_owned().into());
            (docker::endpoint(&running.base_url())?, credentials, Some(running))
        }
    };
    let concurrency = (context.overrides().concurrency / shared.organizations).max(1);
    let limits = Limits { concurrency, ..Limits::default() };
    let observer = observer.or_else(|| (!context.quiet()).then(|| Arc::new(note) as Observer));
    let connection =
        Connection::with(base, credentials.authorization(), limits, Clock::system(), observer)?;
    Ok(Connected { reader: Reader::new(http::Reader::new(connection), org), embedded: running })
}

/// A connection that reads the audit log of an organization.
#[derive(Debug)]
pub(crate) struct Audit {
    /// The reader.
    pub(crate) reader: AuditReader,
    embedded: Option<Running>,
}

impl Audit {
    /// Stops the embedded service.
    pub(crate) async fn close(self) {
        if let Some(running) = self.embedded {
            running.stop().await;
        }
    }
}

/// Connects to the audit log of the organization. Sends nothing yet.
///
/// # Errors
///
/// As [`connect`].
pub(crate) async fn connect_audit(
    context: &Context,
    root: &Path,
    docker: &document::Docker,
    observer: Observer,
) -> Result<Audit, Failure> {
    let org = organization(context, docker)?;
    let (base, token, embedded) = match endpoint(context, docker)? {
        Some(base) => {
            (docker::endpoint_beside(&base), audit_token(context.environment(), &org)?, None)
        }
        None => {
            let running = embedded::start(
                root,
                &org,
                docker.teams.clone().unwrap_or_default(),
                Seed::default(),
            )
            .await?;
            let token = SecretString::from(running.audit_token().to_owned());
            (docker::endpoint(&running.base_url())?, token, Some(running))
        }
    };
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let connection = Connection::with(
        base,
        Authorization::Bearer(token),
        limits,
        Clock::system(),
        Some(observer),
    )?;
    Ok(Audit { reader: AuditReader::new(http::Reader::new(connection), org), embedded })
}

/// The raw access token: from the variable for this organization, otherwise from the general one.
fn audit_token(environment: &Environment, org: &str) -> Result<SecretString, Failure> {
    const NAME: &str = "DOCKER_AUDIT_TOKEN";
    let text = match environment.text(&format!("{NAME}_{}", variable_suffix(org)))? {
        Some(text) => Some(text),
        None => environment.text(NAME)?,
    };
    let hint = "set it to an access token of the organization that may view audit logs";
    let text =
        text.ok_or_else(|| Failure::new(Exit::Failed, format!("`{NAME}` is not set")).hint(hint))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::new(Exit::Failed, format!("`{NAME}` holds no token")).hint(hint));
    }
    if token.starts_with("dckr_pat_") {
        let message =
            format!("`{NAME}` holds a personal access token, which the audit log does not take");
        return Err(Failure::new(Exit::Failed, message).hint(hint));
    }
    Ok(token.into())
}

/// The organization's name: flag, environment, then `seawall.yaml`.
///
/// # Errors
///
/// Returns an error if no organization is named.
pub fn organization(context: &Context, docker: &document::Docker) -> Result<String, Failure> {
    let overridden = context.overrides().org.as_ref().map(|setting| setting.value.clone());
    overridden.or_else(|| docker.org.clone()).filter(|org| !org.is_empty()).ok_or_else(|| {
        Failure::new(Exit::Usage, "no Docker organization is named")
            .hint("set `docker.org` in `seawall.yaml`, `SEAWALL_ORG` or `--org`")
    })
}

/// The endpoint as named on the command line, in the environment or in the settings.
pub(crate) fn named_endpoint(context: &Context, docker: &document::Docker) -> String {
    let overridden =
        context.overrides().docker_endpoint.as_ref().map(|setting| setting.value.clone());
    overridden.or_else(|| docker.endpoint.clone()).unwrap_or_else(|| docker::ENDPOINT.to_owned())
}

/// The endpoint's address; `None` for `embedded`.
fn endpoint(context: &Context, docker: &document::Docker) -> Result<Option<BaseUrl>, Failure> {
    let written =
        || docker.endpoint.clone().map(|value| Setting { value, from: "docker.endpoint" });
    let Some(Setting { value, from }) =
        context.overrides().docker_endpoint.clone().or_else(written)
    else {
        return Ok(Some(docker::endpoint(docker::ENDPOINT)?));
    };
    if value == "embedded" {
        return Ok(None);
    }
    let base = docker::endpoint(&value).map_err(|error| {
        let failure = Failure::from(error);
        Failure { message: format!("`{from}`: {}", failure.message), ..failure }
    })?;
    let known = base.is_loopback() || docker::is_dockers_own(&base);
    if from == "docker.endpoint" && !known {
        let message =
            format!("`docker.endpoint` would send Docker credentials to `{}`", base.host());
        return Err(Failure::new(Exit::Usage, message).hint(format!(
            "if that is meant, say so outside of the workspace: `SEAWALL_DOCKER_ENDPOINT={base}`"
        )));
    }
    Ok(Some(base))
}

/// The environment's settings for credentials: variables for this organization, otherwise the
/// general ones.
fn outside(environment: &Environment, org: &str) -> Result<Outside, Failure> {
    let own = format!("_{}", variable_suffix(org));
    let is_set = |name: &str| environment.os(&format!("{name}{own}")).is_some();
    let suffix =
        if is_set("DOCKER_USERNAME") || is_set("DOCKER_PASSWORD") { own } else { String::new() };
    let text = |name: &str| environment.text(&format!("{name}{suffix}"));
    // A secret that was read from a file often ends in a line end, which no token has.
    let password =
        text("DOCKER_PASSWORD")?.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    let username = text("DOCKER_USERNAME")?;
    let home = || environment.os("HOME").or_else(|| environment.os("USERPROFILE"));
    let docker_config = environment
        .os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| home().map(|home| PathBuf::from(home).join(".docker")));
    Ok(Outside { username, password: password.map(Into::into), suffix, docker_config })
}

/// Reports that a call waits.
pub(crate) fn note(Waiting { reason, wait, .. }: &Waiting) {
    use std::io::Write as _;
    if *wait >= WORTH_A_LINE {
        let _ =
            writeln!(super::output::stderr(), "{reason}: waiting {} s", wait.as_secs_f64().ceil());
    }
}

#[cfg(test)]
mod tests {
    use super::endpoint;
    use super::{Context, Environment};
    use crate::document::Docker;

    fn asked(
        written: Option<&str>,
        variable: Option<&'static str>,
    ) -> Result<Option<String>, String> {
        let environment =
            Environment::from_variables(variable.map(|url| ("SEAWALL_DOCKER_ENDPOINT", url)));
        let docker = Docker { endpoint: written.map(str::to_owned), ..Docker::default() };
        match endpoint(&Context::without_flags(environment), &docker) {
            Ok(base) => Ok(base.map(|base| base.to_string())),
            Err(failure) => Err(failure.message),
        }
    }

    #[test]
    fn a_workspace_alone_cannot_send_credentials_to_a_stranger() {
        let stranger = "https://hub.docker.com.example/v2";
        assert_eq!(asked(None, None), Ok(Some("https://hub.docker.com/v2".into())));
        assert_eq!(asked(Some("embedded"), None), Ok(None));
        assert_eq!(
            asked(Some("http://127.0.0.1:8/v2"), None),
            Ok(Some("http://127.0.0.1:8/v2".into()))
        );
        assert_eq!(
            asked(Some("https://hub-stage.docker.com/v2"), None),
            Ok(Some("https://hub-stage.docker.com/v2".into()))
        );
        assert!(asked(Some(stranger), None).unwrap_err().contains("would send Docker credentials"));
        assert_eq!(asked(None, Some(stranger)), Ok(Some(stranger.into())));
        assert_eq!(asked(Some(stranger), Some("embedded")), Ok(None)); // the environment wins
        assert_eq!(
            asked(None, Some("https://hub.docker.com")).unwrap_err().split(':').next(),
            Some("`SEAWALL_DOCKER_ENDPOINT`")
        );
    }
}
