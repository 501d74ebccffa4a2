//! `seawall replay`: shows how a change would have decided recorded requests. Reads only.

use std::path::{Path, PathBuf};

use super::format::Format;
use super::session::commit::documents_of;
use super::session::every::live_each;
use super::session::evidence::Evidence;
use super::session::organizations::{only, without_docker};
use super::session::planning::{Stricter, Workspace, of_records, resolve};
use super::session::recorded::RecordFlags;
use super::session::watch::watched;
use super::session::workspace;
use super::session::writing::write_new;
use super::{Context, Exit, Failure};
use crate::evidence::Memberships;
use crate::evidence::replay::{RuleOrigins, frequent, replay};
use crate::model::{DesiredPolicy, Policy, TeamDirectory};
use crate::plan::recorded::States;
use crate::render;
use crate::workspace::EmptyWorkspace;

/// The number of requests of each membership that become access tests.
const FROZEN: usize = 25;

const EXAMPLES: &str = "\
Examples:
  seawall replay --records auditkit/                   # against live state: whom would the documents have blocked?
  seawall replay --records may.jsonl.zst --before main # against the documents of a branch, offline
  seawall replay --records - --teams teams.yaml        # from a pipe, with the teams of users
  seawall replay --records auditkit/ --write-tests tests/recorded.yaml";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    #[command(flatten)]
    recorded: RecordFlags,
    /// Include the names of users
    #[arg(long)]
    users: bool,
    /// Compare with a snapshot instead of the service
    #[arg(long, value_name = "FILE", conflicts_with = "before")]
    live_from: Option<PathBuf>,
    /// Compare with the documents of a git ref or of another folder instead of live state
    #[arg(long, value_name = "REF|DIR")]
    before: Option<String>,
    /// Exit with 3 if a decision changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// Write the most frequent requests as access tests
    #[arg(long, value_name = "FILE")]
    write_tests: Option<PathBuf>,
    /// Output format of the result
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Two states, the memberships of users, and the records.
type Replayed = (States, Memberships, Evidence);

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { path, recorded, users, live_from, before, detailed_exitcode, write_tests, format } =
        args;
    let path = path.as_ref().map(|path| context.path(path));
    let records = recorded.begin(context)?;
    let read = || records.required(context, *users);
    let (states, memberships, evidence) = match before {
        Some(before) => offline(context, read, path.as_deref(), before)?,
        None => against_live(context, read, path.as_deref(), live_from.as_deref())?,
    };
    let input = states.input(evidence.for_plan(&memberships));
    let found = watched("deciding the recorded requests", || replay(input));
    context.print_or_show(
        matches!(format, Format::Human),
        &match format {
            Format::Human => render::replay::human(&found, context.view()),
            Format::Markdown => render::replay::markdown(&found),
            Format::Json => found.to_json(),
        },
    )?;
    if let Some(file) = write_tests {
        let expected = frequent(input, FROZEN);
        if expected.iter().all(|one| one.requests.is_empty()) {
            let failure = Failure::new(
                Exit::Usage,
                "no request is decided as recorded: there is nothing to freeze",
            );
            return Err(failure.hint("look at the agreement first"));
        }
        write_new(context, file, &render::replay::access_tests(&expected))?;
        context.note(&format!("Wrote `{}`.", file.display()));
    }
    let pending = *detailed_exitcode && !found.is_empty();
    Ok(recorded.exit(evidence.broken(), if pending { Exit::Pending } else { Exit::Done }))
}

fn plain(declared: &[DesiredPolicy]) -> Vec<Policy> {
    declared.iter().map(|one| one.policy.clone()).collect()
}

/// Compares documents with documents.
fn offline(
    context: &Context,
    read: impl FnOnce() -> Result<Evidence, Failure>,
    path: Option<&Path>,
    before: &str,
) -> Result<Replayed, Failure> {
    let loaded = workspace::load(context, path, EmptyWorkspace::Refused)?;
    let root = loaded.root.clone();
    let Some(base) = documents_of(context, &root, before)? else {
        return Err(super::session::before::unknown(before));
    };
    let (now, then) = (only(context, loaded)?, only(context, base)?);
    let (now, then) = (now.desired.policies, then.desired.policies);
    let states = States {
        before: (plain(&then), RuleOrigins::new(&then).of_version(before)),
        after: (plain(&now), RuleOrigins::new(&now)),
        teams: TeamDirectory::default(),
    };
    let evidence = read()?;
    Ok((states, evidence.memberships_by_name(), evidence))
}

/// Compares documents with live state.
fn against_live(
    context: &Context,
    read: impl FnOnce() -> Result<Evidence, Failure>,
    path: Option<&Path>,
    snapshot: Option<&Path>,
) -> Result<Replayed, Failure> {
    let mut each = Workspace::load_each(context, path, &Stricter::default())?;
    let at = of_records(&each)?;
    let mut each = vec![each.swap_remove(at)];
    Workspace::with_records(&mut each, read()?)?;
    let state = live_each(context, &each, snapshot)?.pop().expect("there is one")?;
    let workspace = each.pop().expect("there is one");
    let Some(live) = state.docker else { return Err(without_docker()) };
    let desired = resolve(context, &workspace.loaded.desired, &live)?;
    let ownership =
        workspace.docker.as_ref().map(crate::model::Ownership::from).unwrap_or_default();
    let target = crate::plan::docker::Target { org: live.org.clone(), endpoint: String::new() };
    let guards = &workspace.loaded.settings.guards;
    // The state that the plan would leave, undeclared policies included.
    let docker = crate::plan::docker::Input {
        target: &target,
        desired: &desired,
        live: &live,
        ownership: &ownership,
    };
    let input = crate::plan::Input { docker: Some(docker), ..crate::plan::Input::new(guards) };
    let plan = crate::plan::make(input).expect("only policies for agents can be impossible");
    let evidence = workspace.into_evidence().expect("it was just given");
    let memberships = evidence.memberships(context, &live, state.members.as_ref());
    Ok((States::of_change(&live, plan.docker_steps(), None, &desired), memberships, evidence))
}
