//! `seawall test`: runs the access tests of a workspace against its documents or the live state.
//! Reads only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::can::{Subject, documents, json_of_each, live_subjects, live_team};
use super::session::organizations::{about, worst};
use super::session::watch::watched;
use super::session::{output, workspace};
use super::{Context, Exit, Failure};
use crate::access::State;
use crate::diagnostic::sanitize::line;
use crate::render::answer::DeclaredPolicies;
use crate::render::trial::Suites;
use crate::workspace::EmptyWorkspace;
use crate::{render, trial};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  seawall test
  seawall test --coverage --mutate
  seawall test --live --format junit > access.xml")]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Test the live state instead of the documents
    #[arg(long)]
    live: bool,
    /// List the rules that decide no expectation
    #[arg(long)]
    coverage: bool,
    /// Delete and flip each rule, and list the changes that no test notices
    #[arg(long)]
    mutate: bool,
    /// Output format of the results
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

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { path, live, format, .. } = args;
    let path = path.as_ref().map(|path| context.path(path));
    let subjects = match live {
        true => live_subjects(context, path.as_deref())?,
        false => documents(
            workspace::load_silently(context, path.as_deref(), EmptyWorkspace::Refused)?,
            context,
        )?,
    };
    let several = subjects.len() > 1;
    let (mut shown, mut suites, mut exits) = (Vec::new(), Vec::new(), Vec::new());
    if subjects
        .iter()
        .all(|(_, subject)| subject.as_ref().is_ok_and(|subject| subject.tests.is_empty()))
    {
        context.note("note: the workspace has no access tests");
    }
    for (name, subject) in subjects {
        match subject
            .and_then(|subject| tried(context, args, &subject, several.then_some(name.as_str())))
        {
            Ok((text, suite, exit)) => {
                shown.push((name, text));
                suites.push(suite);
                exits.push(exit);
            }
            Err(failure) if several => {
                exits.push(failure.exit);
                let _ = output::report(&about(&name, failure));
            }
            Err(failure) => return Err(failure),
        }
    }
    context.print_or_show(
        matches!(format, Format::Human),
        &match format {
            Format::Junit => render::trial::junit(suites.into_iter()),
            Format::Json if several => {
                json_of_each(&[], shown.iter().map(|(name, text)| (name.as_str(), text)))
            }
            Format::Human if several => shown
                .iter()
                .map(|(name, text)| format!("{}\n{text}", line(name)))
                .collect::<Vec<_>>()
                .join("\n"),
            Format::Human | Format::Json => shown.into_iter().map(|(_, text)| text).collect(),
        },
    )?;
    Ok(worst(exits))
}

/// Runs the tests of one organization. Returns the output, its JUnit XML, and the exit.
fn tried(
    context: &Context,
    args: &Args,
    subject: &Subject,
    org: Option<&str>,
) -> Result<(String, Suites, Exit), Failure> {
    let Subject { policies, declared, tests, live } = subject;
    // With a misspelt name of a team, every expected denial would pass.
    let strangers = tests.iter().filter(|_| live.is_none()).flat_map(|test| {
        let place = context.view().place(&test.origin);
        let strangers = subject.strangers(&test.teams).into_iter();
        strangers.map(move |stranger| format!("note: {place}: {stranger}"))
    });
    context.notes(&strangers.collect::<Vec<_>>());
    let keys: BTreeMap<&String, String> = match live {
        Some(live) => {
            let mut keys = BTreeMap::new();
            for test in tests {
                for team in &test.teams {
                    // A document names the team, not the command line.
                    let wrong = |failure: Failure| Failure {
                        message: format!("{}: {}", test.origin, failure.message),
                        exit: Exit::Invalid,
                        ..failure
                    };
                    keys.insert(team, live_team(live, team).map_err(wrong)?);
                }
            }
            keys
        }
        None => BTreeMap::new(),
    };
    let state = State::new(policies);
    let key = |team: &str| keys.get(&team.to_owned()).cloned().unwrap_or_else(|| team.to_owned());
    let (trials, uncovered, mutation) = watched("running the access tests", || {
        let trials = trial::run(&state, tests, &key);
        let uncovered = args.coverage.then(|| trial::uncovered(&state, &trials));
        let mutation = args.mutate.then(|| trial::mutate(&state, &trials));
        (trials, uncovered, mutation)
    });
    let report = render::trial::Report {
        trials: &trials,
        policies,
        places: DeclaredPolicies(declared),
        uncovered: uncovered.as_deref(),
        mutation: mutation.as_ref(),
    };
    let text = match args.format {
        Format::Human => render::trial::human(&report, context.view()),
        Format::Json => render::trial::json(&report),
        Format::Junit => String::new(),
    };
    let exit = if trials.iter().all(trial::Trial::passes) { Exit::Done } else { Exit::Invalid };
    Ok((text, render::trial::suites(&report, org), exit))
}
