//! `seawall drift --adopt`: edits the documents to match the live state.
//!
//! Invariant: either all files change or none, and only after the edited workspace was loaded and
//! its plan proved empty for every organization.

use std::collections::BTreeSet;

use super::session::organizations::Failed;
use super::session::planning::{Workspace, resolve};
use super::session::services::State;
use super::session::watch::watched;
use super::session::workspace;
use super::session::writing::{Written, write_all};
use super::{Context, Exit, Failure};
use crate::diagnostic::Overlay;
use crate::diagnostic::list;
use crate::diagnostic::sanitize::line;
use crate::document::{OwnershipSetting, Vijil};
use crate::drift::Drift;
use crate::drift::adopt::{Adoption, Sides, adopt, shared};
use crate::import::{self, Candidate, Import, Problem};
use crate::model::{Desired, Ownership};
use crate::plan::ChangeSet;
use crate::render;
use crate::workspace::{EmptyWorkspace, Loaded};

/// One organization, or Vijil, with its differences.
pub(super) struct One<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) live: State,
    pub(super) drift: Drift,
}

pub(super) fn run(
    context: &Context,
    whole: &Loaded,
    each: &[One<'_>],
    failed: &Failed,
) -> Result<Exit, Failure> {
    if !failed.exits.is_empty() {
        let exit = super::session::organizations::worst(failed.exits.iter().copied());
        let failure =
            Failure::new(exit, "nothing was written: not every organization could be compared");
        return Err(failure.hint("mend that first, or pick one organization with `--org`"));
    }
    if !each.iter().any(|one| one.drift.is_drift()) {
        context.print("Nothing to adopt: the documents match the live state.\n")?;
        return Ok(Exit::Done);
    }
    each.iter().try_for_each(|one| refuse_what_waits(&one.drift))?;
    refuse_what_is_shared(context, whole, each)?;
    let adoption = edited(context, whole, each)?;
    let import = imported(context, whole, each, &adoption)?;
    let mut overlay = adoption.overlay.clone();
    overlay.extend(import.files.iter().map(|file| (file.path.clone(), Some(file.text.clone()))));
    prove(context, whole, each, &overlay)?;
    let files = overlay.iter().map(|(path, text)| Written {
        path,
        text: text.as_deref(),
        overwrites: whole.root.join(path).symlink_metadata().is_ok(),
    });
    write_all(&whole.root, &files.collect::<Vec<_>>())?;
    context.show(&render::drift::adopted(&adoption, &import, context.view()))?;
    Ok(Exit::Done)
}

/// Adopting now would lose changes that wait to be applied.
fn refuse_what_waits(drift: &Drift) -> Result<(), Failure> {
    match drift.waiting.as_ref().filter(|waiting| !waiting.is_empty()) {
        None => Ok(()),
        Some(waiting) => {
            let steps = render::words::summary(waiting.operations());
            let failure = Failure::new(
                Exit::Refused,
                format!("nothing was written: changes wait to be applied: {steps}"),
            );
            Err(failure.hint("apply them first, or adopt on the commit that was applied"))
        }
    }
}

/// A document for several organizations cannot describe a difference between them.
fn refuse_what_is_shared(
    context: &Context,
    whole: &Loaded,
    each: &[One<'_>],
) -> Result<(), Failure> {
    let all = whole
        .settings
        .docker
        .as_ref()
        .and_then(|docker| docker.orgs.as_deref())
        .unwrap_or_default();
    let sides = each.iter().filter_map(|one| {
        Some((resolve(context, &one.workspace.loaded.desired, one.live.docker.as_ref()?), one))
    });
    let mut resolved = Vec::new();
    for (desired, one) in sides {
        let drifts: BTreeSet<&str> =
            one.drift.plan.docker_steps().iter().map(|step| step.policy.as_str()).collect();
        resolved.push((desired?, one.live.docker.as_ref(), drifts));
    }
    let sides: Vec<shared::Side<'_>> = resolved
        .iter()
        .filter_map(|(desired, live, drifts)| {
            Some(shared::Side { desired, live: (*live)?, drifts })
        })
        .collect();
    match shared::conflicts(all, &sides).as_slice() {
        [] => Ok(()),
        conflicts => {
            let lines: Vec<String> =
                conflicts.iter().map(|one| format!("  {}", line(one))).collect();
            let message = format!(
                "nothing was written: some documents are for several organizations:\n{}",
                list::rows(&lines)
            );
            Err(Failure::new(Exit::Refused, message).hint(
                "name in `orgs` of each document those that it is right for, `seawall import` the policies of the others, then run again",
            ))
        }
    }
}

fn cannot(reasons: &[String]) -> Failure {
    let reasons: Vec<String> = reasons.iter().map(|reason| format!("  {}", line(reason))).collect();
    let message =
        format!("nothing was written: some documents cannot be edited:\n{}", list::rows(&reasons));
    Failure::new(Exit::Refused, message).hint("edit these by hand, then run again")
}

/// The workspace with these texts in place of its files.
fn load_over(
    context: &Context,
    whole: &Loaded,
    overlay: &Overlay,
    emptiness: EmptyWorkspace,
) -> Result<Loaded, Failure> {
    let config = context.config();
    crate::workspace::load_over(&whole.root, config.as_deref(), emptiness, overlay.clone()).map_err(
        |findings| {
            let failure = workspace::wrong(context, &findings);
            Failure::new(
                Exit::Refused,
                format!("nothing was written: after it, {}", failure.message),
            )
            .hint("edit these documents by hand, then run again")
        },
    )
}

/// The documents of all organizations, edited for one organization after the other.
fn edited(context: &Context, whole: &Loaded, each: &[One<'_>]) -> Result<Adoption, Failure> {
    let mut adoption = Adoption::default();
    let mut loaded: Option<Loaded> = None;
    for one in each.iter().filter(|one| one.drift.is_drift()) {
        let before = loaded.as_ref().unwrap_or(whole);
        let own = one.workspace.with(&before.desired).loaded.desired;
        let docker = match &one.live.docker {
            Some(live) => Some((resolve(context, &own, live)?, live)),
            None => None,
        };
        let vijil = one.workspace.vijil.as_ref().zip(one.live.vijil.as_ref());
        let sides = Sides {
            docker: docker.as_ref().map(|(desired, live)| (desired, *live)),
            vijil: vijil.map(|(vijil, live)| (&own, live, is_exclusive(vijil))),
        };
        adoption.merge(adopt(&before.findings.files, sides).map_err(|reasons| cannot(&reasons))?);
        loaded = Some(load_over(context, whole, &adoption.overlay, EmptyWorkspace::Accepted)?);
    }
    Ok(adoption)
}

fn is_exclusive(vijil: &Vijil) -> bool {
    vijil.ownership == OwnershipSetting::Exclusive
}

/// Documents for live policies that have none: those that the workspace owns, those that change
/// effective access, and those whose kind differs from their document.
fn imported(
    context: &Context,
    whole: &Loaded,
    each: &[One<'_>],
    adoption: &Adoption,
) -> Result<Import, Failure> {
    let config = context.config();
    let after = load_over(context, whole, &adoption.overlay, EmptyWorkspace::Accepted)?;
    let undeclared = |desired: &Desired| undeclared(each, adoption, desired);
    let differences = |after: &Loaded| differences(context, each, &after.desired);
    let input = import::Input {
        loaded: whole,
        config: config.as_deref(),
        overlay: &adoption.overlay,
        candidates: undeclared(&after.desired),
        undeclared: &undeclared,
        live: each.iter().filter_map(|one| one.live.docker.as_ref()).collect(),
        vijil: each.iter().find_map(|one| one.live.vijil.as_ref()),
        differences: &differences,
    };
    let import =
        watched("verifying the import", || import::make(input)).map_err(
            |problem| match problem {
                Problem::Differences(failure) => not_planned(failure),
                Problem::Documents(findings) => workspace::wrong(context, &findings),
            },
        )?;
    let refused =
        import.refused.iter().map(|one| format!("`{}`: {}", one.policy, one.reasons.join("; ")));
    match refused.collect::<Vec<_>>().as_slice() {
        [] => Ok(import),
        reasons => Err(cannot(reasons)),
    }
}

fn undeclared(each: &[One<'_>], adoption: &Adoption, desired: &Desired) -> Vec<Candidate> {
    let mut all = Vec::new();
    for One { workspace, live, drift } in each {
        let desired = workspace.with(desired).loaded.desired;
        if let (Some(docker), Some(live)) = (&workspace.docker, &live.docker) {
            let ownership = Ownership::from(docker);
            let mut own = import::undeclared(&desired, live, &ownership).0;
            let replaced = |one: &Candidate| {
                one.places.iter().any(|place| adoption.replaced.contains(&place.id))
            };
            let found = |one: &Candidate| {
                drift.undeclared.policies.iter().any(|found| found.policy == one.name)
            };
            own.retain(|one| {
                !crate::plan::is_left_behind(&one.name)
                    && (ownership.exclusive || replaced(one) || found(one))
            });
            all.extend(own);
        }
        if let (Some(vijil), Some(live)) = (&workspace.vijil, &live.vijil)
            && is_exclusive(vijil)
        {
            all.extend(import::vijil::undeclared(&desired.vijil, live));
        }
    }
    import::joined(all)
}

/// The differences between the live state and these documents, for each organization.
fn differences(
    context: &Context,
    each: &[One<'_>],
    desired: &Desired,
) -> Result<Vec<ChangeSet>, Failure> {
    each.iter().map(|one| one.workspace.with(desired).differences(context, &one.live)).collect()
}

fn not_planned(failure: Failure) -> Failure {
    let message = format!("nothing was written: after it, there is no plan:\n{}", failure.message);
    Failure { exit: Exit::Refused, message, ..failure }
}

/// Loads the edited workspace and plans it.
fn prove(
    context: &Context,
    whole: &Loaded,
    each: &[One<'_>],
    overlay: &Overlay,
) -> Result<(), Failure> {
    let loaded = load_over(context, whole, overlay, EmptyWorkspace::Refused)?;
    let left = differences(context, each, &loaded.desired).map_err(not_planned)?;
    let docker = left.iter().flat_map(|changes| &changes.docker);
    let vijil = left.iter().flat_map(|changes| &changes.vijil);
    let policies: BTreeSet<&String> = docker
        .map(|difference| &difference.policy)
        .chain(vijil.map(|difference| &difference.policy))
        .collect();
    if policies.is_empty() {
        return Ok(());
    }
    let policies = list::quoted(&policies.into_iter().collect::<Vec<_>>());
    let message = format!("nothing was written: after it, a plan would still change {policies}");
    Err(Failure::new(Exit::Refused, message)
        .hint("edit the documents of these by hand, then run again"))
}
