//! `seawall drift`: live against desired, for schedules. Reads services only; `--adopt` writes documents.

use std::path::PathBuf;

use super::organizations::only;
use super::planning::{State, Stricter, Workspace, live, resolve};
use super::since::Since;
use super::{Context, Exit, Failure};
use crate::drift::{self, Base, Drift};
use crate::plan::Plan;
use crate::plan::diff::Ownership;
use crate::render;

const EXAMPLES: &str = "\
Examples:
  seawall drift                                        # exit 3 when live and documents differ
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
    /// What the last apply left: a commit whose documents were applied, a folder with them, or a snapshot
    #[arg(long, value_name = "REF|DIR|FILE")]
    since: Option<String>,
    /// Write what is live into the documents, keeping comments, instead of showing it
    #[arg(long, conflicts_with = "format")]
    adopt: bool,
    /// How to show the drift
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Look at a snapshot instead of the service
    #[arg(long, value_name = "FILE")]
    live_from: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// For issues and job summaries
    Markdown,
    /// One JSON object
    Json,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let path = args.path.as_ref().map(|path| context.path(path));
    let workspace = only(Workspace::load_each(context, path.as_deref(), &Stricter::default())?)?;
    let shared = workspace.docker.as_ref().is_some_and(|docker| docker.orgs.is_some());
    if args.adopt && shared {
        let failure =
            Failure::new(Exit::Usage, "`--adopt` would change documents that are for other organizations too");
        return Err(failure.hint("edit the documents; `drift --org` without it shows what differs"));
    }
    let since = args.since.as_deref().map(|since| Since::read(context, &workspace, since)).transpose()?;
    let live = live(context, &workspace, args.live_from.as_deref())?;
    let drift = made(context, &workspace, &live, since.as_ref())?;
    if args.adopt {
        return super::adopt::run(context, &workspace, &live, &drift);
    }
    context.print(&match args.format {
        Format::Human => render::drift::human(&drift, context.view()),
        Format::Markdown => render::drift::markdown(&drift),
        Format::Json => drift.to_json(),
    })?;
    Ok(if drift.is_drift() { Exit::Pending } else { Exit::Done })
}

fn made(context: &Context, workspace: &Workspace, live: &State, since: Option<&Since>) -> Result<Drift, Failure> {
    let plan = workspace.plan(context, live)?;
    let before = match since {
        Some(Since::Documents { workspace, .. }) => Some(workspace.plan(context, live)?),
        Some(Since::Snapshot { .. }) | None => None,
    };
    let (mut outside, mut waiting) = match (&workspace.docker, &live.docker) {
        (Some(docker), Some(live)) => {
            let desired = resolve(&workspace.loaded.desired, live)?;
            let documents = match since {
                Some(Since::Documents { workspace, .. }) => Some(resolve(&workspace.loaded.desired, live)?),
                Some(Since::Snapshot { .. }) | None => None,
            };
            let base = match (since, &documents) {
                (Some(Since::Snapshot { state, .. }), _) => state.docker.as_ref().map(Base::Snapshot),
                (_, documents) => documents.as_ref().map(Base::Documents),
            };
            let ownership = Ownership::from(docker);
            drift::differences(drift::Input { desired: &desired, live, base, ownership: &ownership })
        }
        _ => {
            let nothing = || Plan::without_docker(&workspace.loaded.settings.guards);
            (nothing(), since.map(|_| nothing()))
        }
    };
    if let Some(agents) = &plan.agents {
        let (beside, waits) = drift::agents(agents, before.as_ref().and_then(|plan| plan.agents.as_ref()));
        outside.agents = Some(beside);
        if let Some(waiting) = &mut waiting {
            waiting.agents = waits;
        }
    }
    Ok(Drift { since: since.map(|since| since.name().to_owned()), outside, waiting, plan })
}
