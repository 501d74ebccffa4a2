//! `--before REF|DIR`: other documents in the place of live state, offline.
//!
//! Invariant: no service is asked and no credential is looked for. The documents are taken as if they were applied, and
//! nothing else; what comes of them says so, and can be applied nowhere.

use std::path::Path;

use super::commit::documents_of;
use super::planning::Workspace;
use super::services::State;
use super::{Context, Exit, Failure, organization};
use crate::model::{Desired, DesiredPolicy, Team, TeamDirectory};
use crate::plan::{Base, Plan, applied};
use crate::workspace::Loaded;

/// The documents of then, for one workspace.
#[derive(Debug)]
pub(crate) struct Before {
    /// As the command line names them.
    pub(crate) from: String,
    /// The desired state that they declare.
    pub(crate) desired: Desired,
    /// The state that applying them would leave.
    pub(crate) state: State,
}

impl Before {
    /// Reads them for each of these workspaces: of the workspace `root` at a commit, or in another folder.
    ///
    /// # Errors
    ///
    /// Returns an error if the name is neither, or if the documents cannot be read.
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
                Some(applied::docker(&desired.policies, &[], &organization(context, docker)?, &teams))
            }
            None => None,
        };
        let vijil = now.vijil.as_ref().map(|_| applied::vijil(&desired.vijil));
        Ok(Self { from: name.to_owned(), desired, state: State { docker, vijil, members: None } })
    }

    /// The plan from what these would leave: what a change of documents means, whatever is live.
    ///
    /// # Errors
    ///
    /// Returns an error if a document declares a state that is not possible.
    pub(crate) fn plan(&self, context: &Context, now: &Workspace) -> Result<Plan, Failure> {
        now.plan_from(context, &self.state, Base { from: &self.from, desired: &self.desired })
    }
}

/// The failure of a name that is no base.
pub(crate) fn unknown(name: &str) -> Failure {
    let message = format!("`--before`: `{name}` is neither a commit of this repository nor a folder");
    Failure::new(Exit::Usage, message).hint("name a commit, as in `--before origin/main`, or a folder with a workspace")
}

/// Offline nobody knows the organization's teams: those that either side names are taken as they are written.
fn named(now: &Workspace, then: &[DesiredPolicy]) -> TeamDirectory {
    let policies = now.loaded.desired.policies.iter().chain(then);
    let scopes = policies.flat_map(|declared| declared.policy.scope.teams()).map(str::to_owned);
    let tests = now.loaded.tests.iter().flat_map(|test| &test.teams).cloned();
    TeamDirectory::new(scopes.chain(tests).map(|team| Team { id: team.clone(), name: team }))
}
