//! `seawall drift`: compares live with desired, for schedules. Reads services only; `--adopt`
//! writes documents.

use std::path::PathBuf;

use super::adopt::{self, One};
use super::format::Format;
use super::session::every::live_each;
use super::session::organizations::{separate_failures, worst};
use super::session::planning::{Workspace, resolve};
use super::session::services::State;
use super::session::since::Since;
use super::session::watch::watched;
use super::session::workspace;
use super::{Context, Exit, Failure};
use crate::drift::{self, Base, Drift};
use crate::model::Ownership;
use crate::plan::ChangeSet;
use crate::plan::set::Unplanned;
use crate::plan::undeclared::{self, Undeclared};
use crate::plan::vijil::{self, diff};
use crate::render;

const EXAMPLES: &str = "\
Examples:
  seawall drift                                        # exit 3 when live and documents differ, or when a live
                                                       # policy that nobody declares changes access
  seawall drift --since HEAD                           # the documents of that commit were applied
  seawall drift --since applied.json                   # a snapshot that was taken after the last apply
  seawall drift --format markdown                      # for an issue
  seawall drift --adopt                                # writes what is live into the documents

The services keep no record of changes: what somebody changed outside is told from what waits to be applied only
where `--since` names what the last apply left.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// The state after the last apply: a commit or a folder with the applied documents, or a
    /// snapshot
    #[arg(long, value_name = "REF|DIR|FILE")]
    since: Option<String>,
    /// Write the live state into the documents, keeping comments, instead of printing the drift
    #[arg(long, conflicts_with = "format")]
    adopt: bool,
    /// Output format of the drift
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Use a snapshot instead of the service
    #[arg(long, value_name = "FILE")]
    live_from: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let path = args.path.as_ref().map(|path| context.path(path));
    let loaded = workspace::load_for_live(context, path.as_deref(), false)?;
    let whole = args.adopt.then(|| loaded.clone());
    let root = loaded.root.clone();
    let workspaces = Workspace::each_of(context, loaded)?;
    let since: Vec<_> = match &args.since {
        Some(since) => {
            Since::read_each(context, &workspaces, &root, since)?.into_iter().map(Some).collect()
        }
        None => workspaces.iter().map(|_| None).collect(),
    };
    let live = live_each(context, &workspaces, args.live_from.as_deref())?;
    let each = workspaces.iter().zip(live).zip(since).map(|((workspace, live), since)| {
        let made = || {
            let (live, since) = (live?, since.transpose()?);
            let drift = made(context, workspace, &live, since.as_ref())?;
            Ok((workspace, live, drift))
        };
        (workspace.name(), made())
    });
    let (each, failed) = separate_failures(each.collect())?;
    if let Some(whole) = whole {
        let each =
            each.into_iter().map(|(_, (workspace, live, drift))| One { workspace, live, drift });
        return adopt::run(context, &whole, &each.collect::<Vec<_>>(), &failed);
    }
    let drifts: Vec<(String, Drift)> =
        each.into_iter().map(|(name, (_, _, drift))| (name, drift)).collect();
    show(context, args.format, workspaces.len() > 1, &drifts, &failed.each)?;
    let exits =
        drifts.iter().map(|(_, drift)| if drift.is_drift() { Exit::Pending } else { Exit::Done });
    Ok(worst(exits.chain(failed.exits)))
}

/// A single drift, or those of several organizations with a summary.
fn show(
    context: &Context,
    format: Format,
    several: bool,
    drifts: &[(String, Drift)],
    failed: &[Unplanned],
) -> Result<(), Failure> {
    let one = drifts.first().filter(|_| !several).map(|(_, drift)| drift);
    context.print_or_show(
        matches!(format, Format::Human),
        &match (format, one) {
            (Format::Human, Some(drift)) => render::drift::human(drift, context.view()),
            (Format::Human, None) => render::drift::several(drifts, failed, context.view()),
            (Format::Markdown, Some(drift)) => render::drift::markdown(drift),
            (Format::Markdown, None) => render::drift::markdown_of_several(drifts, failed),
            (Format::Json, Some(drift)) => drift.to_json(),
            (Format::Json, None) => {
                drift::set_to_json(drifts.iter().map(|(_, drift)| drift), failed)
            }
        },
    )
}

fn made(
    context: &Context,
    workspace: &Workspace,
    live: &State,
    since: Option<&Since>,
) -> Result<Drift, Failure> {
    let (plan, impossible) = workspace.plan_with_errors(context, live)?;
    let mut undeclared = Undeclared::none();
    let (mut outside, mut waiting) = match (&workspace.docker, &live.docker) {
        (Some(docker), Some(live)) => {
            let desired = resolve(context, &workspace.loaded.desired, live)?;
            let documents = match since {
                Some(Since::Documents { workspace, .. }) => {
                    Some(resolve(context, &workspace.loaded.desired, live)?)
                }
                Some(Since::Snapshot { .. }) | None => None,
            };
            let base = match (since, &documents) {
                (Some(Since::Snapshot { state, .. }), _) => {
                    state.docker.as_ref().map(Base::Snapshot)
                }
                (_, documents) => documents.as_ref().map(Base::Documents),
            };
            let ownership = Ownership::from(docker);
            watched("comparing live with declared access", || {
                undeclared = undeclared::find(&desired, live, &ownership);
                drift::differences(drift::Input {
                    desired: &desired,
                    live,
                    base,
                    ownership: &ownership,
                })
            })
        }
        _ => (ChangeSet::default(), since.map(|_| ChangeSet::default())),
    };
    if let Some((beside, waits)) = vijil(context, workspace, live, since)? {
        outside.vijil = beside;
        if let Some(waiting) = &mut waiting {
            waiting.vijil = waits.unwrap_or_default();
        }
    }
    Ok(Drift {
        since: since.map(|since| since.name().to_owned()),
        outside,
        waiting,
        undeclared,
        plan,
        impossible,
    })
}

/// The differences in Vijil since the base, and those that wait to be applied.
type VijilDiffers = (Vec<vijil::Difference>, Option<Vec<vijil::Difference>>);

/// The Vijil side, if there is one.
fn vijil(
    context: &Context,
    workspace: &Workspace,
    live: &State,
    since: Option<&Since>,
) -> Result<Option<VijilDiffers>, Failure> {
    let (target, notes) = workspace.vijil_target(context)?;
    let Some(input) = workspace.vijil(live, &target, &notes) else { return Ok(None) };
    let (own, _) = diff::differences(input);
    Ok(Some(match since {
        None => drift::vijil::since_documents(&own, None),
        Some(Since::Documents { workspace: then, .. }) => {
            let base = then.vijil(live, &target, &notes).map(|input| diff::differences(input).0);
            drift::vijil::since_documents(&own, base.as_deref())
        }
        Some(Since::Snapshot { state, .. }) => {
            let then = state.vijil.clone().unwrap_or_default();
            let (outside, waiting) = drift::vijil::since_snapshot(input, &then);
            (outside, Some(waiting))
        }
    }))
}
