//! `seawall plan`: shows what would change, and what that means for access. Reads only.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::format::Format;
use super::session::before::Before;
use super::session::every::plan_each;
use super::session::organizations::{Failed, separate_failures, worst};
use super::session::planning::{Stricter, Workspace, live_from};
use super::session::recorded::RecordFlags;
use super::{Context, Exit, Failure};
use crate::diagnostic::sanitize::line;
use crate::plan::Plan;
use crate::plan::guard::Guard;
use crate::plan::set::{self, Unplanned};
use crate::render;
use crate::render::plan::View;

const EXAMPLES: &str = "\
Examples:
  seawall plan                                         # for people; `-v` folds nothing
  seawall plan --out plan.json                         # for `apply --plan plan.json`
  seawall plan --detailed-exitcode                     # exit 3 when changes are pending
  seawall plan --live-from live.json                   # without credentials, against a snapshot
  seawall plan --guards-from origin/main               # with the guards of the branch to merge into
  seawall plan --before origin/main                    # what a branch changes, whatever is live; offline
  seawall plan --records auditkit/                     # which recorded requests would it have blocked?

+ is gained or created, ? may change, ~ is changed in place, - is lost or deleted.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Save the plan, for `apply --plan`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Output format of the plan
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Exit with 3 if changes are pending
    #[arg(long)]
    detailed_exitcode: bool,
    /// Plan against a snapshot instead of the service
    #[arg(long, value_name = "FILE", conflicts_with = "before")]
    live_from: Option<PathBuf>,
    /// Compare with the documents of a git ref or of another folder instead of live state, offline;
    /// such a plan cannot be saved
    #[arg(long, value_name = "REF|DIR", conflicts_with = "out")]
    before: Option<String>,
    #[command(flatten)]
    stricter: Stricter,
    #[command(flatten)]
    recorded: RecordFlags,
    /// Include the names of users of recorded requests
    #[arg(long, requires = "records")]
    users: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { path, out, format, detailed_exitcode, live_from, before, stricter, recorded, users } =
        args;
    let path = path.as_ref().map(|path| context.path(path));
    let load = match before {
        Some(_) => Workspace::load_each_offline,
        None => Workspace::load_each,
    };
    let records = recorded.begin(context)?;
    let mut workspaces = load(context, path.as_deref(), stricter)?;
    let broken = records.give(context, &mut workspaces, *users)?;
    let mut plans = match before {
        Some(before) => plans_from(context, &workspaces, before)?,
        None => plans(context, &workspaces, live_from.as_deref())?,
    };
    if workspaces.len() > 1 {
        let named = workspaces.iter().map(Workspace::name).zip(plans).collect();
        return Ok(recorded.exit(broken, several(context, args, named)?));
    }
    let plan = plans.pop().expect("a workspace is at least one")?;
    if let Some(out) = out {
        context.write(&context.path(out), &plan.to_json())?;
    }
    context.print_or_show(
        matches!(format, Format::Human),
        &render_one(&plan, *format, context.view()),
    )?;
    if let (Some(out), false) = (out, plan.is_silent()) {
        context.note(&saved([&plan], path.as_deref(), out));
    }
    Ok(recorded.exit(broken, exit(&plan, *detailed_exitcode)))
}

/// A plan in a format.
pub(super) fn render_one(plan: &Plan, format: Format, view: View<'_>) -> String {
    match format {
        Format::Human => render::plan::human(plan, view),
        Format::Markdown => render::markdown::plan(plan),
        Format::Json => plan.to_json(),
    }
}

/// The plans of several organizations in a format.
pub(super) fn render_each(
    plans: &[(String, Plan)],
    failed: &[Unplanned],
    format: Format,
    view: View<'_>,
) -> String {
    match format {
        Format::Human => render::plan::several(plans, failed, view),
        Format::Markdown => render::markdown::plans(plans, failed),
        Format::Json => set::to_json(plans.iter().map(|(_, plan)| plan), failed),
    }
}

/// The exit of planning. A plan that a guard refuses is printed and saved, but the exit says so.
fn exit(plan: &Plan, detailed: bool) -> Exit {
    match refusing([plan]).is_empty() {
        false => Exit::Refused,
        true if detailed && !plan.is_empty() => Exit::Pending,
        true => Exit::Done,
    }
}

/// The guards that refuse plans.
fn refusing<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Vec<&'static str> {
    let verdicts = plans.into_iter().flat_map(|plan| &plan.guards).filter(|verdict| !verdict.ok);
    let guards: BTreeSet<Guard> = verdicts.map(|verdict| verdict.guard).collect();
    guards.into_iter().map(Guard::name).collect()
}

/// For each workspace, a plan from other documents, or the reason why there is none.
fn plans_from(
    context: &Context,
    workspaces: &[Workspace],
    name: &str,
) -> Result<Vec<Result<Plan, Failure>>, Failure> {
    let root =
        workspaces.first().map(|workspace| workspace.loaded.root.clone()).unwrap_or_default();
    let before = Before::read_each(context, workspaces, &root, name)?;
    Ok(workspaces
        .iter()
        .zip(&before)
        .map(|(workspace, before)| before.plan(context, workspace))
        .collect())
}

/// For each workspace, a plan from live state, or the reason why there is none.
fn plans(
    context: &Context,
    workspaces: &[Workspace],
    snapshot: Option<&Path>,
) -> Result<Vec<Result<Plan, Failure>>, Failure> {
    if let Some(file) = snapshot {
        let plan =
            |workspace: &Workspace| workspace.plan(context, &live_from(context, workspace, file)?);
        return Ok(workspaces.iter().map(plan).collect());
    }
    context.block_on(async {
        let mut plans = Vec::new();
        for planned in plan_each(context, workspaces, None).await {
            plans.push(match planned {
                Ok((plan, connected)) => {
                    connected.close().await;
                    Ok(plan)
                }
                Err(failure) => Err(failure),
            });
        }
        Ok(plans)
    })
}

/// Prints the plans of several organizations with a summary, and the failures of those that could
/// not be planned.
fn several(
    context: &Context,
    args: &Args,
    named: Vec<(String, Result<Plan, Failure>)>,
) -> Result<Exit, Failure> {
    let Args { path, out, format, detailed_exitcode, .. } = args;
    let (plans, Failed { each: failed, mut exits }) = separate_failures(named)?;
    exits.extend(plans.iter().map(|(_, plan)| exit(plan, *detailed_exitcode)));
    let all = || plans.iter().map(|(_, plan)| plan);
    if let Some(out) = out {
        context.write(&context.path(out), &set::to_json(all(), &failed))?;
    }
    let text = render_each(&plans, &failed, *format, context.view());
    context.print_or_show(matches!(format, Format::Human), &text)?;
    if let (Some(out), true) = (out, all().any(|plan| !plan.is_silent())) {
        context.note(&saved(all(), path.as_deref(), out));
    }
    Ok(worst(exits))
}

/// The commands to apply saved plans.
fn saved<'a>(
    plans: impl IntoIterator<Item = &'a Plan> + Clone,
    path: Option<&Path>,
    out: &Path,
) -> String {
    let refusing = refusing(plans.clone());
    if !refusing.is_empty() {
        return format!("Saved the plan; apply will refuse it ({})", refusing.join(", "));
    }
    // The state of `embedded` is in the workspace; other services need no workspace.
    let embedded = plans.into_iter().any(|plan| {
        let docker = plan.docker.iter().map(|docker| &docker.target.endpoint);
        let vijil = plan.vijil.iter().map(|vijil| &vijil.target.endpoint);
        docker.chain(vijil).any(|endpoint| endpoint == "embedded")
    });
    let path = path.filter(|_| embedded);
    let words = path.into_iter().chain([Path::new("--plan"), out]);
    let words: Vec<String> = words.map(|word| line(&word.to_string_lossy()).into_owned()).collect();
    format!("Saved the plan. Apply exactly this plan with `seawall apply {}`.", words.join(" "))
}
