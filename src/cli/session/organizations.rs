//! Divides a workspace of several organizations into one workspace for each.
//!
//! Only this module does so. A command for several organizations calls [`Workspace::load_each`], or
//! [`each`] for documents alone, handles each workspace like a single one, and combines the exits
//! with [`worst`]. [`connect_each`], [`live_each`] and [`plan_each`] do the common first steps.
//!
//! Invariant: each resulting workspace has at most one organization, and only the documents for it.

use super::{Context, Exit, Failure, output, watch};
use crate::diagnostic::one_of;
use crate::diagnostic::sanitize::line;
use crate::document::{Docker, Settings};
use crate::model::{Desired, Test, is_for};
use crate::plan::Plan;
use crate::plan::set::Unplanned;
use crate::workspace::Loaded;

/// The name of the plan for agents beside those of Docker organizations.
pub(crate) const OF_NO_ORGANIZATION: &str = "Vijil";

/// The workspace of each organization, in the order of `docker.orgs`, then one for agents, which
/// belong to no organization. A workspace of one organization is not divided. `--org` selects one
/// of several.
///
/// # Errors
///
/// Returns an error if `--org` names an organization that the workspace does not have.
pub(crate) fn each(context: &Context, loaded: Loaded) -> Result<Vec<Loaded>, Failure> {
    let Some(docker) = &loaded.settings.docker else { return Ok(vec![loaded]) };
    if docker.org.is_some() && docker.orgs.is_some() {
        return Ok(vec![loaded]);
    }
    let picked = context.overrides().org.as_ref();
    let Some(orgs) = &docker.orgs else {
        let org = picked.map(|setting| &setting.value).or(docker.org.as_ref());
        let Some(org) = org.cloned() else { return Ok(vec![loaded]) };
        let Loaded { mut desired, mut tests, .. } = loaded;
        desired.policies.retain(|policy| is_for(&policy.orgs, &org));
        tests.retain(|test| is_for(&test.orgs, &org));
        return Ok(vec![Loaded { desired, tests, ..loaded }]);
    };
    if let Some(setting) = picked {
        return match orgs.contains(&setting.value) {
            true => Ok(vec![for_organization(&loaded, &setting.value)]),
            false => Err(unknown(&setting.value, setting.from, orgs)),
        };
    }
    let mut all: Vec<Loaded> = orgs.iter().map(|org| for_organization(&loaded, org)).collect();
    if loaded.settings.vijil.is_some() {
        let settings = Settings { docker: None, ..loaded.settings };
        let desired = Desired { policies: Vec::new(), vijil: loaded.desired.vijil };
        all.push(Loaded { settings, desired, tests: Vec::new(), ..loaded });
    }
    watch::allow(all.len());
    Ok(all)
}

fn for_organization(loaded: &Loaded, org: &str) -> Loaded {
    let Loaded { root, settings, desired, tests, findings: _ } = loaded;
    let docker = settings.docker.clone().unwrap_or_default();
    // Both conditions together mean one of several.
    let docker = Docker { org: Some(org.to_owned()), ..docker };
    Loaded {
        root: root.clone(),
        settings: Settings { docker: Some(docker), vijil: None, ..settings.clone() },
        desired: desired.of_org(org),
        tests: tests.iter().filter(|test| is_for(&test.orgs, org)).cloned().collect(),
        findings: Default::default(),
    }
}

/// The access tests of a workspace that judge a plan for an organization: none where the workspace
/// does not have it, unless `--org` gives the workspace that one.
pub(crate) fn tests_for(context: &Context, loaded: &Loaded, org: &str) -> Vec<Test> {
    let Some(docker) = &loaded.settings.docker else { return Vec::new() };
    let known = docker.organizations();
    if context.overrides().org.is_none() && !known.is_empty() && !known.contains(&org) {
        return Vec::new();
    }
    loaded.tests.iter().filter(|test| is_for(&test.orgs, org)).cloned().collect()
}

fn unknown(org: &str, from: &str, orgs: &[String]) -> Failure {
    let failure =
        Failure::new(Exit::Usage, format!("`{from}`: the workspace has no organization `{org}`"));
    failure.hint(one_of(org, orgs.iter().map(String::as_str)))
}

/// The name of a workspace among several: its organization.
pub(crate) fn name(loaded: &Loaded) -> String {
    let org = loaded.settings.docker.as_ref().and_then(|docker| docker.org.clone());
    org.unwrap_or_else(|| OF_NO_ORGANIZATION.to_owned())
}

/// The name of a plan among others.
pub(crate) fn name_of(plan: &Plan) -> String {
    plan.org().unwrap_or(OF_NO_ORGANIZATION).to_owned()
}

/// Separates results of organizations from failures, which are printed at once. If there is only
/// one organization, its failure is the failure of the run.
///
/// # Errors
///
/// Returns the failure of the only organization.
pub(crate) fn separate_failures<T>(
    named: Vec<(String, Result<T, Failure>)>,
) -> Result<(Vec<(String, T)>, Failed), Failure> {
    let several = named.len() > 1;
    let (mut made, mut failed) = (Vec::new(), Failed::default());
    for (name, one) in named {
        match one {
            Ok(one) => made.push((name, one)),
            Err(failure) if several => {
                failed.exits.push(failure.exit);
                failed.each.push(Unplanned { org: name.clone(), message: failure.message.clone() });
                let _ = output::report(&about(&name, failure));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((made, failed))
}

/// The organizations that failed.
#[derive(Debug, Default)]
pub(crate) struct Failed {
    /// The reasons, for reports.
    pub(crate) each: Vec<Unplanned>,
    /// The exit of each organization.
    pub(crate) exits: Vec<Exit>,
}

/// A failure that names its organization.
pub(crate) fn about(name: &str, failure: Failure) -> Failure {
    Failure { message: format!("`{}`: {}", line(name), failure.message), ..failure }
}

/// The exit of a run with several organizations: the worst of them, and partial if something was
/// written and something else was not.
pub(crate) fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
    exits.into_iter().max_by_key(|exit| severity(*exit)).unwrap_or(Exit::Done)
}

fn severity(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::Pending => 1,
        Exit::Invalid => 2,
        Exit::Usage => 3,
        Exit::Refused => 4,
        Exit::Failed => 5,
        Exit::Partial => 6,
    }
}

/// The workspace's only organization, or the one that `--org` selects.
pub(crate) fn only(context: &Context, loaded: Loaded) -> Result<Loaded, Failure> {
    let mut each = each(context, loaded)?;
    if each.len() > 1 {
        each.retain(|one| one.settings.docker.is_some());
    }
    match each.len() {
        1 => Ok(each.swap_remove(0)),
        _ => Err(of_one()),
    }
}

pub(crate) fn of_one() -> Failure {
    Failure::new(Exit::Usage, "records are of one organization, and the workspace has several")
        .hint("pick the one that the records are of with `--org`")
}

pub(crate) fn without_docker() -> Failure {
    Failure::new(Exit::Invalid, "the workspace does not use Docker, whose records these are")
        .hint("add a `docker:` section with `org:` to `seawall.yaml`, or leave `--records` out")
}
