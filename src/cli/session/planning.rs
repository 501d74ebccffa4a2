//! Makes a plan from a workspace, for `plan` and `apply`.

use std::collections::BTreeSet;
use std::path::Path;

use super::connect::named_endpoint;
use super::evidence::Evidence;
use super::guards_from::Base;
use super::reading::read;
use super::services::{Services, State};
use super::warnings::Warnings;
use super::watch::watched;
use super::workspace::folder;
use super::{Context, Exit, Failure, organization, organizations, vijil, workspace};
use crate::diagnostic::{Findings, list, nearest};
use crate::document::{Docker, OwnershipSetting, Settings, Vijil, settings_for};
use crate::evidence::Memberships;
use crate::model::{Desired, Live, Ownership, Protected, Weakening, is_for};
use crate::plan::docker::teams;
use crate::plan::{self, ChangeSet, GuardsFrom, Plan, protected};
use crate::service::docker::Snapshot;
use crate::workspace::{EmptyWorkspace, Loaded};

/// Flags that can make a plan's guards stricter, never weaker.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Stricter {
    /// Take guards and settings from this git ref, or from a folder with its checkout, instead of
    /// from the proposal
    #[arg(long, value_name = "REF|DIR")]
    pub(crate) guards_from: Option<String>,
    /// Refuse a plan that gives any audience new access, whatever the settings are
    #[arg(long)]
    deny_widening: bool,
}

/// A workspace that uses at least one service.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) loaded: Loaded,
    pub(crate) docker: Option<Docker>,
    pub(crate) vijil: Option<Vijil>,
    /// The source of the settings, if they are not the workspace's own.
    guards_from: Option<GuardsFrom>,
    /// Protected policies that are not declared.
    missing: Missing,
    /// The warnings of checks in its documents.
    warnings: Warnings,
    /// Recorded requests for its plan.
    evidence: Option<Evidence>,
}

/// Protected policies without a declaration.
#[derive(Clone, Debug, Default)]
struct Missing {
    /// Protected names that no document declares: an error, unless such a policy is live.
    unknown: Vec<String>,
    /// The policy with the most similar name.
    nearest: Option<String>,
    /// Protected policies that the base declares and the documents no longer declare.
    removed: Vec<RemovedPolicy>,
}

/// A protected policy that only the base declares.
#[derive(Clone, Debug)]
struct RemovedPolicy {
    name: String,
    /// Its scope; `None` for a policy for agents.
    orgs: Option<Vec<String>>,
}

impl Workspace {
    /// Loads the workspace, as one workspace for each of its organizations. With a base, its
    /// settings apply instead of the workspace's own.
    ///
    /// # Errors
    ///
    /// Returns an error if its documents are not valid, it names no service, the base cannot be
    /// read, or `--org` names an organization that it does not have.
    pub(crate) fn load_each(
        context: &Context,
        path: Option<&Path>,
        stricter: &Stricter,
    ) -> Result<Vec<Self>, Failure> {
        let loaded = workspace::load_for_live(context, path, stricter.guards_from.is_some())?;
        Self::each_with(context, loaded, stricter)
    }

    /// The same for a comparison that reads no live state.
    ///
    /// # Errors
    ///
    /// As [`Self::load_each`].
    pub(crate) fn load_each_offline(
        context: &Context,
        path: Option<&Path>,
        stricter: &Stricter,
    ) -> Result<Vec<Self>, Failure> {
        let loaded = workspace::load(context, path, EmptyWorkspace::Refused)?;
        Self::each_with(context, loaded, stricter)
    }

    fn each_with(
        context: &Context,
        mut loaded: Loaded,
        stricter: &Stricter,
    ) -> Result<Vec<Self>, Failure> {
        let (mut base_declares, mut base_findings) = (None, None);
        let guards_from = match &stricter.guards_from {
            Some(base) => {
                let Base { from, settings, desired, findings } =
                    Base::read(context, &loaded.root, base)?;
                (base_declares, base_findings) = (desired, findings);
                let (held, changed) = settings_for(&loaded.settings, settings.as_ref());
                loaded.settings = held;
                Some(GuardsFrom { from, found: settings.is_some(), changed })
            }
            None => None,
        };
        loaded.settings.guards.deny_widening |= stricter.deny_widening;
        has_a_service(&loaded)?;
        let missing = Missing::new(&loaded, base_declares.as_ref(), guards_from.is_some());
        let declared: Vec<&Desired> =
            std::iter::once(&loaded.desired).chain(&base_declares).collect();
        loaded.settings.guards.protected =
            protected::followed(&loaded.settings.guards.protected, &declared);
        let warnings =
            Warnings::new(&loaded.findings, &folder(context).join(&loaded.root), base_findings);
        let of_one = |loaded: Loaded| Self {
            missing: missing.clone(),
            warnings: warnings.clone(),
            ..Self::alone(loaded, guards_from.clone())
        };
        Ok(organizations::each(context, loaded)?.into_iter().map(of_one).collect())
    }

    /// Reads the live state, and the members of teams if the records require them.
    ///
    /// # Errors
    ///
    /// Returns an error if a read fails.
    pub(crate) async fn live(
        &self,
        context: &Context,
        services: &Services,
    ) -> Result<State, Failure> {
        let live = services.live().await?;
        let members = match self.evidence.as_ref().is_some_and(Evidence::asks_for_teams) {
            true => services.members(context, &live).await?,
            false => None,
        };
        Ok(State { members, ..live })
    }

    /// The records for its plan.
    pub(crate) fn into_evidence(self) -> Option<Evidence> {
        self.evidence
    }

    /// Adds records to the only workspace with a Docker organization, for its plan.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such workspace, or more than one: records belong to one
    /// organization.
    pub(crate) fn with_records(each: &mut [Self], evidence: Evidence) -> Result<(), Failure> {
        let at = of_records(each)?;
        each.get_mut(at).expect("it was just found").evidence = Some(evidence);
        Ok(())
    }

    /// The loaded workspace, as one workspace for each organization.
    ///
    /// # Errors
    ///
    /// Returns an error if the workspace names no service, or `--org` names an organization that it
    /// does not have.
    pub(crate) fn each_of(context: &Context, loaded: Loaded) -> Result<Vec<Self>, Failure> {
        has_a_service(&loaded)?;
        Ok(organizations::each(context, loaded)?
            .into_iter()
            .map(|loaded| Self::alone(loaded, None))
            .collect())
    }

    fn alone(loaded: Loaded, guards_from: Option<GuardsFrom>) -> Self {
        let (docker, vijil) = (loaded.settings.docker.clone(), loaded.settings.vijil.clone());
        Self {
            loaded,
            docker,
            vijil,
            guards_from,
            missing: Missing::default(),
            warnings: Warnings::default(),
            evidence: None,
        }
    }

    /// The same workspace with other documents: the part of them that is for its organization.
    pub(crate) fn with(&self, desired: &Desired) -> Self {
        let org = self.docker.as_ref().map(|docker| docker.org.as_deref());
        let is_own = |orgs: &[String]| match org {
            Some(Some(org)) => is_for(orgs, org),
            Some(None) => true,
            None => false,
        };
        let policies =
            desired.policies.iter().filter(|policy| is_own(&policy.orgs)).cloned().collect();
        let vijil = if self.vijil.is_some() { desired.vijil.clone() } else { Vec::new() };
        let Loaded { root, settings, tests, .. } = &self.loaded;
        let (root, settings, tests) = (root.clone(), settings.clone(), tests.clone());
        let desired = Desired { policies, vijil };
        Self::alone(
            Loaded { root, settings, desired, tests, findings: Findings::default() },
            self.guards_from.clone(),
        )
    }

    /// Returns `true` if the earlier workspace was for the current organization. If both have only
    /// one, it may have been renamed.
    pub(super) fn was_in(&self, then: &Settings) -> bool {
        let (Some(then), Some(now)) = (&then.docker, &self.docker) else { return false };
        match (&then.orgs, &now.orgs, &now.org) {
            (Some(orgs), _, Some(org)) => orgs.contains(org),
            (None, Some(_), Some(org)) => then.org.as_ref() == Some(org),
            (_, _, _) => true,
        }
    }

    /// The name of the workspace among others: its organization, or its service.
    pub(crate) fn name(&self) -> String {
        organizations::name(&self.loaded)
    }

    /// The plan from this live state.
    ///
    /// # Errors
    ///
    /// Returns an error if a document names a team that the organization does not have, or declares
    /// an impossible state.
    pub(crate) fn plan(&self, context: &Context, live: &State) -> Result<Plan, Failure> {
        self.missing.refuse_unknown(live)?;
        possible(context, self.plan_with_errors(context, live)?)
    }

    /// The plan from the state that other documents would leave: the effect of a change of
    /// documents, whatever is live.
    ///
    /// # Errors
    ///
    /// Returns an error if a document declares an impossible state.
    pub(crate) fn plan_from(
        &self,
        context: &Context,
        live: &State,
        base: plan::Base<'_>,
    ) -> Result<Plan, Failure> {
        possible(
            context,
            self.planned(context, live, Some(base), &self.memberships(context, live))?,
        )
    }

    /// The plan from this live state, and every part of the documents that is impossible: with any
    /// of these, the plan can be shown, but not carried out.
    ///
    /// # Errors
    ///
    /// Returns an error if a document names a team that the organization does not have.
    pub(crate) fn plan_with_errors(
        &self,
        context: &Context,
        live: &State,
    ) -> Result<(Plan, Vec<plan::vijil::Error>), Failure> {
        self.planned(context, live, None, &self.memberships(context, live))
    }

    /// The same with known memberships of users.
    ///
    /// # Errors
    ///
    /// As [`Self::plan_with_errors`].
    pub(crate) fn plan_for(
        &self,
        context: &Context,
        live: &State,
        memberships: &Memberships,
    ) -> Result<(Plan, Vec<plan::vijil::Error>), Failure> {
        self.planned(context, live, None, memberships)
    }

    /// The memberships of the users of its records.
    pub(crate) fn memberships(&self, context: &Context, live: &State) -> Memberships {
        match (&self.evidence, &live.docker) {
            (Some(evidence), Some(docker)) => {
                evidence.memberships(context, docker, live.members.as_ref())
            }
            (_, _) => Memberships::default(),
        }
    }

    fn planned(
        &self,
        context: &Context,
        live: &State,
        base: Option<plan::Base<'_>>,
        memberships: &Memberships,
    ) -> Result<(Plan, Vec<plan::vijil::Error>), Failure> {
        let guards = &self.loaded.settings.guards;
        let docker = self.docker_side(context, live)?;
        let target = match &self.docker {
            Some(docker) => plan::docker::Target {
                org: organization(context, docker)?,
                endpoint: named_endpoint(context, docker),
            },
            None => plan::docker::Target::default(),
        };
        let docker = docker.as_ref().map(|DockerSide { desired, live, ownership }| {
            plan::docker::Input { target: &target, desired, live, ownership }
        });
        let (vijil_target, notes) = self.vijil_target(context)?;
        let input = plan::Input {
            docker,
            vijil: self.vijil(live, &vijil_target, &notes),
            base,
            guards_from: self.guards_from.as_ref(),
            removed: &self.missing.removed(self).collect::<Vec<_>>(),
            tests: &self.loaded.tests,
            evidence: self.evidence.as_ref().map(|evidence| evidence.for_plan(memberships)),
            ..plan::Input::new(guards)
        };
        let made =
            watched("telling what changes, and what that means for access", || plan::make(input));
        let (mut plan, errors) = match made {
            Ok(plan) => (plan, Vec::new()),
            Err(impossible) => (impossible.plan, impossible.errors),
        };
        plan.findings = self.warnings.brought_by(&plan);
        Ok((plan, errors))
    }

    /// The differences from this live state.
    ///
    /// # Errors
    ///
    /// As [`Self::plan`].
    pub(crate) fn differences(
        &self,
        context: &Context,
        live: &State,
    ) -> Result<ChangeSet, Failure> {
        self.missing.refuse_unknown(live)?;
        let mut changes = match self.docker_side(context, live)? {
            Some(DockerSide { desired, live, ownership }) => {
                plan::differences(&desired, live, &ownership, None)
            }
            None => ChangeSet::default(),
        };
        let (target, notes) = self.vijil_target(context)?;
        if let Some(input) = self.vijil(live, &target, &notes) {
            let (differences, errors) = plan::vijil::diff::differences(input);
            refuse_impossible(context, &errors)?;
            changes.vijil = differences;
        }
        Ok(changes)
    }

    /// The Docker side of a comparison; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns an error if a document names a team that the organization does not have.
    fn docker_side<'a>(
        &self,
        context: &Context,
        live: &'a State,
    ) -> Result<Option<DockerSide<'a>>, Failure> {
        let (Some(docker), Some(live)) = (&self.docker, &live.docker) else { return Ok(None) };
        let (desired, ownership) =
            (resolve(context, &self.loaded.desired, live)?, Ownership::from(docker));
        Ok(Some(DockerSide { desired, live, ownership }))
    }

    /// The target of the Vijil side of a plan, and the notes of its approvals.
    ///
    /// # Errors
    ///
    /// Returns an error if the environment cannot be read.
    pub(crate) fn vijil_target(
        &self,
        context: &Context,
    ) -> Result<(plan::vijil::Target, String), Failure> {
        let Some(vijil) = &self.vijil else { return Ok(Default::default()) };
        let target = plan::vijil::Target { endpoint: vijil::named_endpoint(context, vijil) };
        Ok((target, vijil::pipeline_notes(context.environment())?))
    }

    /// The input of the Vijil side of a plan; `None` if there is none.
    pub(crate) fn vijil<'a>(
        &'a self,
        live: &'a State,
        target: &'a plan::vijil::Target,
        notes: &'a str,
    ) -> Option<plan::vijil::Input<'a>> {
        let (vijil, live) = (self.vijil.as_ref()?, live.vijil.as_ref()?);
        let exclusive = vijil.ownership == OwnershipSetting::Exclusive;
        let (desired, edit_active) = (&self.loaded.desired.vijil, vijil.edit_active);
        Some(plan::vijil::Input { target, desired, live, exclusive, edit_active, notes })
    }
}

/// The plan, if no part of it is impossible.
fn possible(
    context: &Context,
    (plan, impossible): (Plan, Vec<plan::vijil::Error>),
) -> Result<Plan, Failure> {
    refuse_impossible(context, &impossible)?;
    Ok(plan)
}

/// The input of the Docker side of a comparison; team keys are ids.
struct DockerSide<'a> {
    desired: Desired,
    live: &'a Live,
    ownership: Ownership,
}

/// Returns an error if a part of the documents is impossible.
fn refuse_impossible(context: &Context, impossible: &[plan::vijil::Error]) -> Result<(), Failure> {
    if impossible.is_empty() {
        return Ok(());
    }
    let line = |error: &plan::vijil::Error| {
        format!("{}: {}", context.view().place(&error.at), error.message)
    };
    let lines: Vec<String> = impossible.iter().map(line).collect();
    let hints: BTreeSet<&str> = impossible.iter().map(|error| error.hint.as_str()).collect();
    let hints: Vec<&str> = hints.into_iter().collect();
    Err(Failure::new(Exit::Invalid, list::rows(&lines)).hint(list::separated(&hints, "; ")))
}

impl Missing {
    fn new(loaded: &Loaded, base: Option<&Desired>, of_base: bool) -> Self {
        let Loaded { desired, settings, .. } = loaded;
        let protected = &settings.guards.protected;
        let unknown =
            || protected.iter().map(|one| &one.name).filter(|name| !desired.declares(name));
        let nearest =
            unknown().find_map(|name| nearest(name, desired.names().map(|(name, _)| name)));
        let declared: Vec<&Desired> = std::iter::once(desired).chain(base).collect();
        let followed = protected::followed(protected, &declared);
        let keeps = |one: &Protected| !one.allow.contains(&Weakening::Delete);
        let gone = |name: &str| {
            followed.iter().any(|one| one.name == name && keeps(one)) && !desired.declares(name)
        };
        let docker = base.iter().flat_map(|base| &base.policies);
        let docker = docker.map(|one| RemovedPolicy {
            name: one.policy.name.clone(),
            orgs: Some(one.orgs.clone()),
        });
        let vijil = base.iter().flat_map(|base| &base.vijil);
        let vijil = vijil.map(|one| RemovedPolicy { name: one.name.clone(), orgs: None });
        Self {
            // The base has to correct a mistake in its settings; it must not stop the proposal that
            // does so.
            unknown: if of_base { Vec::new() } else { unknown().cloned().collect() },
            nearest: nearest.map(str::to_owned),
            removed: docker.chain(vijil).filter(|one| gone(&one.name)).collect(),
        }
    }

    fn refuse_unknown(&self, live: &State) -> Result<(), Failure> {
        let docker =
            live.docker.iter().flat_map(|live| &live.policies).map(|policy| policy.name.as_str());
        let vijil =
            live.vijil.iter().flat_map(|live| &live.policies).map(|policy| policy.name.as_str());
        let live: Vec<&str> = docker.chain(vijil).collect();
        let Some(name) = self.unknown.iter().find(|name| !live.contains(&name.as_str())) else {
            return Ok(());
        };
        let message = format!(
            "`guards.protected` names `{name}`, which no document declares and which is not live"
        );
        let near = nearest(name, live).or(self.nearest.as_deref());
        Err(Failure::new(Exit::Invalid, message).hint(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "correct the name in `seawall.yaml`, or remove it".to_owned(),
        }))
    }

    /// The names that only the base declares, for this workspace's organization or for agents.
    fn removed<'a>(&'a self, workspace: &'a Workspace) -> impl Iterator<Item = &'a str> {
        let org = workspace.docker.as_ref().map(|docker| docker.org.as_deref());
        let own = move |one: &&RemovedPolicy| match (&one.orgs, org) {
            (None, _) => workspace.vijil.is_some(),
            (Some(orgs), Some(Some(org))) => is_for(orgs, org),
            (Some(_), Some(None)) => true,
            (Some(_), None) => false,
        };
        self.removed.iter().filter(own).map(|one| one.name.as_str())
    }
}

fn has_a_service(loaded: &Loaded) -> Result<(), Failure> {
    if loaded.settings.docker.is_some() || loaded.settings.vijil.is_some() {
        return Ok(());
    }
    let failure = Failure::new(Exit::Invalid, "the workspace has nothing to do with any service");
    Err(failure
        .hint("add a `docker:` section with `org:`, or a `vijil:` section, to `seawall.yaml`"))
}

/// Reads a snapshot instead of the services.
///
/// # Errors
///
/// Returns an error if the file cannot be read, is not a snapshot, lacks a service of the
/// workspace, or is for another organization.
pub(crate) fn live_from(
    context: &Context,
    workspace: &Workspace,
    file: &Path,
) -> Result<State, Failure> {
    let text = read(&context.path(file))?;
    let snapshot = snapshot_of(Snapshot::parse_each(&text)?, workspace);
    let agents = snapshot.vijil.as_ref().map_or(0, |vijil| vijil.policies.len());
    if agents > 0 && workspace.loaded.settings.vijil.is_none() {
        let policies = list::noun(agents, "policy");
        context.note(&format!(
            "note: the snapshot also holds {agents} {policies} for agents, which this workspace leaves out; \
             `vijil: {{}}` in `seawall.yaml` includes them"
        ));
    }
    let lacks = |service: &str| {
        let failure = Failure::new(
            Exit::Usage,
            format!("the snapshot `{}` has no `{service}`", file.display()),
        );
        failure.hint("take a snapshot of the workspace itself")
    };
    let docker = match &workspace.docker {
        None => None,
        Some(docker) => {
            let live = snapshot.docker.ok_or_else(|| lacks("docker"))?.live();
            let live = live.map_err(|error| {
                Failure::new(Exit::Usage, format!("`{}`: {error}", file.display()))
            })?;
            let org = organization(context, docker)?;
            if live.org != org {
                let message =
                    format!("the snapshot is of `{}`, and the workspace is for `{org}`", live.org);
                return Err(Failure::new(Exit::Usage, message)
                    .hint("take a snapshot of the workspace's own organization"));
            }
            Some(live)
        }
    };
    let vijil = match &workspace.vijil {
        None => None,
        Some(_) => Some(snapshot.vijil.ok_or_else(|| lacks("vijil"))?.live()),
    };
    Ok(State { docker, vijil, members: None })
}

/// The snapshot of a workspace's organization, otherwise the first one; the caller checks what it
/// lacks.
fn snapshot_of(mut snapshots: Vec<Snapshot>, workspace: &Workspace) -> Snapshot {
    let name = workspace.name();
    let fits = |snapshot: &Snapshot| match (&workspace.docker, &snapshot.docker) {
        (Some(_), Some(docker)) => docker.org == name,
        (None, None) => snapshot.vijil.is_some(),
        (_, _) => false,
    };
    let index = snapshots.iter().position(fits).unwrap_or_default();
    snapshots.swap_remove(index)
}

/// The documents with team ids in place of names.
///
/// # Errors
///
/// Returns an error if a team cannot be resolved.
pub(crate) fn resolve(
    context: &Context,
    desired: &Desired,
    live: &Live,
) -> Result<Desired, Failure> {
    teams::resolve(desired, live).map_err(|errors| {
        let view = context.view();
        let lines: Vec<String> =
            errors.iter().map(|error| format!("{}: {error}", view.place(error.at()))).collect();
        let hints: BTreeSet<String> = errors.iter().map(teams::TeamError::hint).collect();
        let hints: Vec<String> = hints.into_iter().collect();
        Failure::new(Exit::Invalid, list::rows(&lines)).hint(list::separated(&hints, "; "))
    })
}

/// Index of the workspace that the records belong to: the only one with a Docker organization.
///
/// # Errors
///
/// Returns an error if there is no such workspace, or more than one.
pub(crate) fn of_records(each: &[Workspace]) -> Result<usize, Failure> {
    let mut with_docker = each.iter().enumerate().filter(|(_, one)| one.docker.is_some());
    match (with_docker.next(), with_docker.next()) {
        (Some((at, _)), None) => Ok(at),
        (Some(_), Some(_)) => Err(organizations::of_one()),
        (None, _) => Err(organizations::without_docker()),
    }
}
