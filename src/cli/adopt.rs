//! `seawall drift --adopt`: the documents made to say what is live.
//!
//! Invariant: all files change or none, and only once the workspace, loaded as it will be, plans nothing.

use std::collections::BTreeSet;

use super::planning::{State, Workspace, resolve};
use super::writing::{Written, write_all};
use super::{Context, Exit, Failure, workspace};
use crate::check::{self, Emptiness, Loaded};
use crate::diagnostic::{Findings, Overlay};
use crate::drift::Drift;
use crate::drift::adopt::{Adoption, adopt};
use crate::import::{self, Import, Problem};
use crate::model::{Desired, Live};
use crate::plan::Plan;
use crate::plan::diff::Ownership;
use crate::render;
use crate::render::sanitize::line;

pub(super) fn run(context: &Context, workspace: &Workspace, live: &State, drift: &Drift) -> Result<Exit, Failure> {
    if !drift.is_drift() {
        context.print("Nothing to adopt: the documents say what is live.\n")?;
        return Ok(Exit::Done);
    }
    refuse_what_waits(drift)?;
    refuse_agents(&drift.plan)?;
    let (Some(docker), Some(organization)) = (&workspace.docker, &live.docker) else { return Ok(Exit::Done) };
    let desired = resolve(&workspace.loaded.desired, organization)?;
    let adoption = adopt(&workspace.loaded, &desired, organization).map_err(|reasons| cannot(&reasons))?;
    let plan = |loaded: &Loaded| Workspace::of(context, loaded.clone())?.plan(context, live);
    let import = imported(context, workspace, &adoption, (organization, &Ownership::from(docker)), &plan)?;
    let mut overlay = adoption.overlay.clone();
    overlay.extend(import.files.iter().map(|file| (file.path.clone(), Some(file.text.clone()))));
    prove(context, workspace, &overlay, &plan)?;
    let root = &workspace.loaded.root;
    let files = overlay.iter().map(|(path, text)| Written {
        path,
        text: text.as_deref(),
        overwrites: root.join(path).symlink_metadata().is_ok(),
    });
    write_all(root, &files.collect::<Vec<_>>())?;
    context.print(&render::drift::adopted(&adoption, &import))?;
    Ok(Exit::Done)
}

/// Changes that wait to be applied would be lost.
fn refuse_what_waits(drift: &Drift) -> Result<(), Failure> {
    match drift.waiting.as_ref().filter(|waiting| !waiting.is_empty()) {
        None => Ok(()),
        Some(waiting) => {
            let steps = render::words::summary(waiting.summary());
            let failure =
                Failure::new(Exit::Refused, format!("nothing was written: changes wait to be applied: {steps}"));
            Err(failure.hint("apply them first, or adopt on the commit that was applied"))
        }
    }
}

fn refuse_agents(plan: &Plan) -> Result<(), Failure> {
    let steps = plan.agents.iter().flat_map(|agents| &agents.steps);
    let about: BTreeSet<String> = steps
        .map(|step| {
            let rule = step.rule_id.iter().map(|rule| format!(" › {}", line(rule))).collect::<String>();
            let fields = step.changed().join(", ");
            let what = if fields.is_empty() { render::words::verb(step.op).to_owned() } else { fields };
            format!("  `{}{rule}`: {what}", line(&step.policy_name))
        })
        .collect();
    if about.is_empty() {
        return Ok(());
    }
    let about: Vec<String> = about.into_iter().collect();
    let message =
        format!("nothing was written: documents of policies for agents are not edited:\n{}", about.join("\n"));
    Err(Failure::new(Exit::Refused, message).hint("edit these documents by hand, or apply them; then run again"))
}

fn cannot(reasons: &[String]) -> Failure {
    let reasons: Vec<String> = reasons.iter().map(|reason| format!("  {}", line(reason))).collect();
    let message = format!("nothing was written: some documents cannot be edited:\n{}", reasons.join("\n"));
    Failure::new(Exit::Refused, message).hint("edit these by hand, then run again")
}

/// Documents for live policies that have none: those that are the workspace's to own, and those of another kind than
/// their documents said.
fn imported(
    context: &Context,
    workspace: &Workspace,
    adoption: &Adoption,
    (live, ownership): (&Live, &Ownership),
    plan: &dyn Fn(&Loaded) -> Result<Plan, Failure>,
) -> Result<Import, Failure> {
    let config = context.config();
    let loaded = &workspace.loaded;
    let wrong = |findings: Findings| workspace::wrong(context, &findings);
    let after = check::load_over(&loaded.root, config.as_deref(), Emptiness::Accepted, adoption.overlay.clone())
        .map_err(wrong)?;
    let undeclared = |desired: &Desired| {
        let mut all = import::undeclared(desired, live, ownership).0;
        all.retain(|one| {
            !crate::plan::is_left_behind(&one.name) && (ownership.exclusive || adoption.replaced.contains(&one.id))
        });
        all
    };
    let candidates = undeclared(&after.desired);
    let input = import::Input {
        loaded,
        config: config.as_deref(),
        overlay: &adoption.overlay,
        candidates,
        undeclared: &undeclared,
        live: Some(live),
        agents: None,
        plan,
    };
    let import = import::make(input).map_err(|problem| match problem {
        Problem::Plan(failure) => failure,
        Problem::Documents(findings) => wrong(*findings),
    })?;
    let refused = import.refused.iter().map(|one| format!("`{}`: {}", one.policy, one.reasons.join("; ")));
    match refused.collect::<Vec<_>>().as_slice() {
        [] => Ok(import),
        reasons => Err(cannot(reasons)),
    }
}

/// Loads the workspace as it will be, and plans it.
fn prove(
    context: &Context,
    workspace: &Workspace,
    overlay: &Overlay,
    plan: &dyn Fn(&Loaded) -> Result<Plan, Failure>,
) -> Result<(), Failure> {
    let config = context.config();
    let loaded = check::load_over(&workspace.loaded.root, config.as_deref(), Emptiness::Refused, overlay.clone());
    let loaded = loaded.map_err(|findings| {
        let failure = workspace::wrong(context, &findings);
        Failure::new(Exit::Refused, format!("nothing was written: after it, {}", failure.message))
            .hint("edit these documents by hand, then run again")
    })?;
    let left = plan(&loaded)?;
    if left.is_empty() {
        return Ok(());
    }
    let policies: BTreeSet<String> = left.steps.iter().map(|step| format!("`{}`", line(&step.policy))).collect();
    let policies: Vec<String> = policies.into_iter().collect();
    let message = format!("nothing was written: after it, a plan would still change {}", policies.join(", "));
    Err(Failure::new(Exit::Refused, message).hint("edit the documents of these by hand, then run again"))
}
