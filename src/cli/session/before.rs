//! `--before REF|DIR`: other documents instead of live state, offline.
//!
//! Invariant: no service is called and no credentials are read. The documents count as applied, and
//! nothing else; results say so, and cannot be applied.

use std::path::Path;

use super::commit::documents_of;
use super::planning::Workspace;
use super::services::State;
use super::{Context, Exit, Failure, organization};
use crate::model::{Desired, DesiredPolicy, Team, TeamDirectory};
use crate::plan::{Base, Plan, applied};
use crate::workspace::Loaded;

/// The earlier documents of one workspace.
#[derive(Debug)]
pub(crate) struct Before {
    /// The name as given on the command line.
    pub(crate) from: String,
    /// The desired state of these documents.
    pub(crate) desired: Desired,
    /// The state that applying them would leave.
    pub(crate) state: State,
}

impl Before {
    /// Reads the earlier documents for each of these workspaces: the workspace `root` at a commit,
    /// or another folder.
    ///
    /// # Errors
    ///
    /// Returns an error if the name is neither a commit nor a folder, or if the documents cannot be
    /// read.
    pub(crate) fn read_each(
        context: &Context,
        now: &[Workspace],
        root: &Path,
        name: &str,
    ) -> Result<Vec<Self>, Failure> {
        let Some(then) = documents_of(context, root, name)? else { return Err(unknown(name)) };
        now.iter().map(|now| Self::new(context, now, &then, name)).collect()
    }

    fn new(context: &Context, now: &Workspace, then: &Loaded, name: &str) -> Result<Self, Failure> {
        let mut desired = now.with(&then.desired).loaded.desired;
        if !now.was_in(&then.settings) {
            desired.policies.clear();
        }
        let docker = match &now.docker {
            Some(docker) => {
                let teams = named(now, &desired.policies);
                Some(applied::docker(
                    &desired.policies,
                    &[],
                    &organization(context, docker)?,
                    &teams,
                ))
            }
            None => None,
        };
        let vijil = now.vijil.as_ref().map(|_| applied::vijil(&desired.vijil));
        Ok(Self { from: name.to_owned(), desired, state: State { docker, vijil, members: None } })
    }

    /// The plan from the state that these documents would leave: the effect of a change of
    /// documents, whatever is live.
    ///
    /// # Errors
    ///
    /// Returns an error if a document declares an impossible state.
    pub(crate) fn plan(&self, context: &Context, now: &Workspace) -> Result<Plan, Failure> {
        now.plan_from(context, &self.state, Base { from: &self.from, desired: &self.desired })
    }
}

/// The failure for a name that is not a base.
pub(crate) fn unknown(name: &str) -> Failure {
    let message =
        format!("`--before`: `{name}` is neither a commit of this repository nor a folder");
    Failure::new(Exit::Usage, message)
        .hint("name a commit, as in `--before origin/main`, or a folder with a workspace")
}

/// The organization's teams are unknown offline: teams of either side are used as they are written.
fn named(now: &Workspace, then: &[DesiredPolicy]) -> TeamDirectory {
    let policies = now.loaded.desired.policies.iter().chain(then);
    let scopes = policies.flat_map(|declared| declared.policy.scope.teams()).map(str::to_owned);
    let tests = now.loaded.tests.iter().flat_map(|test| &test.teams).cloned();
    TeamDirectory::new(scopes.chain(tests).map(|team| Team { id: team.clone(), name: team }))
}
