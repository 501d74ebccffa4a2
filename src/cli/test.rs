//! `seawall test`: runs the access tests of a workspace against its documents or the live state. Reads only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::can::{live_team, read_live};
use super::{Context, Exit, Failure, workspace};
use crate::access::{State, trial};
use crate::check::{Emptiness, Loaded};
use crate::model::{DesiredPolicy, LivePolicy, Policy};
use crate::render;
use crate::render::answer::Places;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  seawall test
  seawall test --coverage --mutate
  seawall test --live --format junit > access.xml")]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Test the live state rather than the documents
    #[arg(long)]
    live: bool,
    /// List the rules that decide no expectation
    #[arg(long)]
    coverage: bool,
    /// Delete and flip each rule, and list the changes that no test notices
    #[arg(long)]
    mutate: bool,
    /// How to show the results
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
    /// JUnit XML
    Junit,
}

/// What is tested: policies, where they are declared, and the keys of the teams that tests name.
struct Subject {
    policies: Vec<Policy>,
    declared: Vec<DesiredPolicy>,
    keys: BTreeMap<String, String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { path, live, coverage, mutate, format } = args;
    let path = path.as_ref().map(|path| context.path(path));
    let (loaded, subject) = if *live {
        let (workspace, live) = read_live(context, path.as_deref())?;
        let teams = workspace.loaded.tests.iter().flat_map(|test| &test.teams);
        let keys = teams.map(|team| Ok((team.clone(), live_team(&live, team)?))).collect::<Result<_, Failure>>()?;
        let policies = live.policies.iter().map(LivePolicy::policy).collect();
        (workspace.loaded, Subject { policies, declared: Vec::new(), keys })
    } else {
        let loaded = workspace::load(context, path.as_deref(), Emptiness::Refused)?;
        let policies = loaded.desired.policies.iter().map(|declared| declared.policy.clone()).collect();
        let declared = loaded.desired.policies.clone();
        (loaded, Subject { policies, declared, keys: BTreeMap::new() })
    };
    let Loaded { tests, .. } = loaded;
    if tests.is_empty() {
        context.note("note: the workspace has no access tests");
    }
    let Subject { policies, declared, keys } = subject;
    let state = State::of(&policies);
    let trials = trial::run(&state, &tests, &|team| keys.get(team).cloned().unwrap_or_else(|| team.to_owned()));
    let uncovered = coverage.then(|| trial::uncovered(&state, &trials));
    let mutation = mutate.then(|| trial::mutate(&state, &trials));
    let report = render::trial::Report {
        trials: &trials,
        policies: &policies,
        places: Places(&declared),
        uncovered: uncovered.as_deref(),
        mutation: mutation.as_ref(),
    };
    context.print(&match format {
        Format::Human => render::trial::human(&report),
        Format::Json => render::trial::json(&report),
        Format::Junit => render::trial::junit(&report),
    })?;
    Ok(if trials.iter().all(trial::Trial::passes) { Exit::Done } else { Exit::Invalid })
}
