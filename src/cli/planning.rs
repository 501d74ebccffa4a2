//! From a workspace to a plan: what `plan` and `apply` have in common.

use std::path::Path;

use super::{Connected, Context, Exit, Failure, Target, connect, organization, workspace};
use crate::check::{Emptiness, Loaded};
use crate::document::{Docker, Ownership};
use crate::model::{Desired, Live};
use crate::plan::{self, Plan, diff, teams};
use crate::service::docker::{ENDPOINT, Snapshot};
use crate::service::http::Observer;

/// A workspace that has to do with Docker.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) loaded: Loaded,
    pub(super) docker: Docker,
}

impl Workspace {
    /// Loads it.
    ///
    /// # Errors
    ///
    /// When its documents are wrong, or it names no service.
    pub(super) fn load(context: &Context, path: Option<&Path>) -> Result<Self, Failure> {
        let loaded = workspace::load(context, path, Emptiness::Refused)?;
        let Some(docker) = loaded.settings.docker.clone() else {
            let failure = Failure::new(Exit::Invalid, "the workspace has nothing to do with any service");
            return Err(failure.hint("add a `docker:` section with `org:` to `seawall.yaml`"));
        };
        Ok(Self { loaded, docker })
    }

    /// Connects to its organization.
    ///
    /// # Errors
    ///
    /// As [`connect`].
    pub(super) async fn connect(&self, context: &Context, observer: Option<Observer>) -> Result<Connected, Failure> {
        let Loaded { root, desired, .. } = &self.loaded;
        connect(context, &Target { root, docker: &self.docker, desired }, observer).await
    }

    /// The plan from this live state.
    ///
    /// # Errors
    ///
    /// When a document names a team that the organization does not have.
    pub(super) fn plan(&self, context: &Context, live: &Live) -> Result<Plan, Failure> {
        let target =
            plan::Target { org: organization(context, &self.docker)?, endpoint: endpoint(context, &self.docker) };
        let desired = resolve(&self.loaded.desired, live)?;
        let ownership = diff::Ownership {
            exclusive: self.docker.ownership == Ownership::Exclusive,
            unmanaged: self.docker.unmanaged.clone(),
        };
        let guards = &self.loaded.settings.guards;
        Ok(plan::make(plan::Input { target: &target, desired: &desired, live, ownership: &ownership, guards }))
    }
}

/// Reads a snapshot instead of the service.
///
/// # Errors
///
/// When the file cannot be read, is no snapshot, or is one of another organization.
pub(super) fn live_from(context: &Context, workspace: &Workspace, file: &Path) -> Result<Live, Failure> {
    let text = read(&context.path(file))?;
    let live = Snapshot::parse(&text)?
        .docker
        .live()
        .map_err(|error| Failure::new(Exit::Usage, format!("`{}`: {error}", file.display())))?;
    let org = organization(context, &workspace.docker)?;
    if live.org != org {
        let message = format!("the snapshot is of `{}`, and the workspace is for `{org}`", live.org);
        return Err(Failure::new(Exit::Usage, message).hint("take a snapshot of the workspace's own organization"));
    }
    Ok(live)
}

/// Reads a file that is no document.
///
/// # Errors
///
/// When it cannot be read.
#[expect(clippy::disallowed_methods, reason = "plans and snapshots are no documents, and are read here")]
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Exit::Usage, format!("`{}` cannot be read: {error}", path.display())))
}

fn endpoint(context: &Context, docker: &Docker) -> String {
    let overridden = context.overrides().docker_endpoint.as_ref().map(|setting| setting.value.clone());
    overridden.or_else(|| docker.endpoint.clone()).unwrap_or_else(|| ENDPOINT.to_owned())
}

fn resolve(desired: &Desired, live: &Live) -> Result<Desired, Failure> {
    teams::resolve(desired, &live.teams).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let hints: std::collections::BTreeSet<String> = errors.iter().map(teams::TeamError::hint).collect();
        let hints: Vec<String> = hints.into_iter().collect();
        Failure::new(Exit::Invalid, lines.join("\n")).hint(hints.join("; "))
    })
}
