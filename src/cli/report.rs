//! `seawall report`: writes one HTML file for people who review and audit. Reads only.

use std::path::{Path, PathBuf};

use super::session::before::Before;
use super::session::every::live_each;
use super::session::evidence::Evidence;
use super::session::history::{self, Known};
use super::session::organizations::{about, of_one};
use super::session::planning::{Workspace, resolve};
use super::session::recorded::RecordFlags;
use super::session::watch::watched;
use super::session::{services, workspace};
use super::{Context, Exit, Failure};
use crate::access::{Comparison, State, compare};
use crate::evidence::replay::{self, Replay, RuleOrigins, Side};
use crate::evidence::usage::{Usage, usage};
use crate::evidence::{Memberships, Requests};
use crate::model::{DesiredPolicy, LivePolicy, LiveVijil, Policy, TeamDirectory, TeamLookup, Test};
use crate::plan::guard::Verdict;
use crate::plan::meaning::Meaning;
use crate::plan::{DockerPlan, docker};
use crate::report::{self, Difference, Organization};
use crate::workspace::{EmptyWorkspace, Loaded};
use crate::{render, trial};

/// The shortest period of records after which a rule is called unused: a week, in microseconds.
const LEAST: i64 = 7 * 86_400 * 1_000_000;

const EXAMPLES: &str = "\
Examples:
  seawall report --out report.html                     # who may reach what, and by which rules
  seawall report --out report.html --before main       # and what this branch changes
  seawall report --out report.html --live-from live.json --records auditkit/
  seawall report --out report.html --link 'https://git.corp.example/policies/blob/main/{file}#L{line}'";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Write the report to FILE, replacing an existing file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Show how the documents change the live state, and reviews that the service knows
    #[arg(long, conflicts_with_all = ["live_from", "before"])]
    live: bool,
    /// The same with a snapshot instead of the service
    #[arg(long, value_name = "FILE", conflicts_with = "before")]
    live_from: Option<PathBuf>,
    /// Show how the documents change those of a git ref or of another folder
    #[arg(long, value_name = "REF|DIR")]
    before: Option<String>,
    /// Link places to `TEMPLATE`, a URL with `{file}` and `{line}`; without it, GitHub Actions link
    /// them to the commit
    #[arg(long, value_name = "TEMPLATE")]
    link: Option<String>,
    #[command(flatten)]
    recorded: RecordFlags,
}

/// Input data about one organization.
struct Subject {
    name: String,
    policies: Vec<Policy>,
    declared: Vec<DesiredPolicy>,
    teams: TeamDirectory,
    tests: Vec<Test>,
    /// Policies of other documents, with the places of their declarations.
    before: Option<(Vec<Policy>, RuleOrigins)>,
    planned: Option<Planned>,
    memberships: Memberships,
}

/// The parts of a plan that the report shows.
struct Planned {
    access: Meaning,
    guards: Vec<Verdict>,
    recorded: Option<Replay>,
}

/// The data of the report with the results of the evaluation.
struct Examined {
    usage: Option<Usage>,
    replay: Option<Replay>,
    compared: Option<Comparison>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { path, out, live, live_from, before, link, recorded } = args;
    let path = path.as_ref().map(|path| context.path(path));
    let records = recorded.begin(context)?;
    let loaded = workspace::load_silently(context, path.as_deref(), EmptyWorkspace::Refused)?;
    let known = history::known(context, &loaded, link.as_deref())?;
    let evidence = records.evidence(context, false)?;
    let is_live = *live || live_from.is_some();
    let (subjects, live_vijil, evidence) = match is_live {
        true => against_live(context, evidence, &loaded, live_from.as_deref())?,
        false => (
            from_documents(context, evidence.as_ref(), &loaded, before.as_deref())?,
            None,
            evidence,
        ),
    };
    if evidence.is_some() && subjects.len() > 1 {
        return Err(of_one());
    }
    let from = match (before, live_from) {
        (Some(before), _) => Some(format!("the documents of `{before}`")),
        (None, Some(file)) => Some(format!("the live state in `{}`", file.display())),
        (None, None) => live.then(|| "the live state".to_owned()),
    };
    let requests = evidence.as_ref().map(|evidence| &evidence.reading.requests);
    let text = watched("making the report", || {
        let examined: Vec<Examined> =
            subjects.iter().map(|subject| examine(subject, requests)).collect();
        let made =
            made(&loaded, &subjects, &examined, live_vijil.as_ref(), from.as_deref(), &known);
        render::html::page(&made)
    });
    context.write(&context.path(out), &text)?;
    context.note(&format!("Wrote `{}`.", out.display()));
    Ok(recorded.exit(evidence.map_or(0, |evidence| evidence.broken()), Exit::Done))
}

fn made(
    loaded: &Loaded,
    subjects: &[Subject],
    examined: &[Examined],
    live_vijil: Option<&LiveVijil>,
    from: Option<&str>,
    known: &Known,
) -> report::Report {
    let states: Vec<State<'_>> =
        subjects.iter().map(|subject| State::new(&subject.policies)).collect();
    let organization = |((subject, examined), state)| organization(subject, examined, state, from);
    let organizations = subjects.iter().zip(examined).zip(&states).map(organization).collect();
    report::make(&report::Input {
        source: known.source.clone(),
        compared: from.map(str::to_owned),
        organizations,
        agents: loaded.settings.vijil.as_ref().map(|_| loaded.desired.vijil.as_slice()),
        live_agents: live_vijil,
        findings: &loaded.findings,
        links: known.links.as_ref(),
        history: &known.history,
    })
}

fn organization<'a>(
    subject: &'a Subject,
    examined: &'a Examined,
    state: &State<'_>,
    from: Option<&str>,
) -> Organization<'a> {
    let key = |team: &str| match subject.teams.resolve(team) {
        TeamLookup::Found(id) => id,
        TeamLookup::Unknown | TeamLookup::Ambiguous(_) => team.to_owned(),
    };
    let difference = match (&subject.planned, &examined.compared) {
        (Some(Planned { access, guards, .. }), _) => Some(Difference::Plan(access, guards)),
        (None, Some(comparison)) => Some(Difference::Documents(comparison)),
        (None, None) => None,
    };
    Organization {
        name: &subject.name,
        policies: &subject.policies,
        declared: &subject.declared,
        teams: &subject.teams,
        trials: trial::run(state, &subject.tests, &key),
        usage: examined.usage.as_ref(),
        replay: examined.replay.as_ref(),
        difference: from.map(str::to_owned).zip(difference),
    }
}

/// Evaluates the records and compares the policies.
fn examine(subject: &Subject, requests: Option<&Requests>) -> Examined {
    let Subject { policies, declared, teams, before, planned, memberships, .. } = subject;
    let used = requests.map(|requests| {
        usage(crate::evidence::usage::Input { requests, declared, memberships, least: LEAST })
    });
    let replay_of = |(requests, (old, places)): (&Requests, &(Vec<Policy>, RuleOrigins))| {
        let after = RuleOrigins::new(declared);
        replay::replay(replay::Input {
            requests,
            before: Side { policies: old, places },
            after: Side { policies, places: &after },
            memberships,
            teams,
            named: false,
        })
    };
    let replayed = match planned {
        Some(planned) => planned.recorded.clone(),
        None => requests.zip(before.as_ref()).map(replay_of),
    };
    let compared = before
        .as_ref()
        .map(|(old, _)| compare(old, policies, teams).of_whole_states(old, policies));
    Examined { usage: used, replay: replayed, compared }
}

/// The documents alone, or compared with those of another version.
fn from_documents(
    context: &Context,
    evidence: Option<&Evidence>,
    loaded: &Loaded,
    before: Option<&str>,
) -> Result<Vec<Subject>, Failure> {
    let each = Workspace::each_of(context, loaded.clone())?;
    let before =
        before.map(|name| Before::read_each(context, &each, &loaded.root, name)).transpose()?;
    let mut before = before.map(Vec::into_iter);
    let mut subjects = Vec::new();
    for workspace in each {
        let then = before.as_mut().and_then(Iterator::next);
        if workspace.docker.is_none() {
            continue;
        }
        let name = workspace.name();
        let Loaded { desired, tests, .. } = workspace.loaded;
        subjects.push(Subject {
            name,
            policies: plain(&desired.policies),
            declared: desired.policies,
            teams: evidence.map(Evidence::listed_teams).unwrap_or_default(),
            tests,
            before: then.map(|Before { from, desired, .. }| {
                let origins = RuleOrigins::new(&desired.policies).of_version(&from);
                (plain(&desired.policies), origins)
            }),
            planned: None,
            memberships: evidence.map(Evidence::memberships_by_name).unwrap_or_default(),
        });
    }
    Ok(subjects)
}

/// The organizations, the live Vijil state, and the records.
type Gathered = (Vec<Subject>, Option<LiveVijil>, Option<Evidence>);

/// Reads the live state and simulates the change: the future live policies, undeclared ones
/// included, and the reviews in Vijil.
fn against_live(
    context: &Context,
    evidence: Option<Evidence>,
    loaded: &Loaded,
    snapshot: Option<&Path>,
) -> Result<Gathered, Failure> {
    let mut each = Workspace::each_of(context, loaded.clone())?;
    if let Some(evidence) = evidence {
        Workspace::with_records(&mut each, evidence)?;
    }
    let several = each.len() > 1;
    let (mut subjects, mut vijil) = (Vec::new(), None);
    for (workspace, live) in each.iter().zip(live_each(context, &each, snapshot)?) {
        let name = workspace.name();
        let told = |failure| if several { about(&name, failure) } else { failure };
        let live = live.map_err(told)?;
        if workspace.docker.is_some() && live.docker.is_some() {
            subjects.push(of_live(context, workspace, &live).map_err(told)?);
        }
        vijil = live.vijil.or(vijil);
    }
    Ok((subjects, vijil, each.into_iter().find_map(Workspace::into_evidence)))
}

fn of_live(
    context: &Context,
    workspace: &Workspace,
    state: &services::State,
) -> Result<Subject, Failure> {
    let live = state.docker.clone().unwrap_or_default();
    let declared = resolve(context, &workspace.loaded.desired, &live)?.policies;
    let memberships = workspace.memberships(context, state);
    // Parts that cannot be carried out are shown too.
    let (plan, _) = workspace.plan_for(context, state, &memberships)?;
    let steps = plan.docker_steps().iter().map(|step| &step.change);
    let left = docker::simulate::simulate(&live, steps);
    let mut policies: Vec<Policy> = left.policies.iter().map(LivePolicy::policy).collect();
    policies.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Subject {
        name: workspace.name(),
        policies,
        declared,
        memberships,
        teams: live.teams,
        tests: workspace.loaded.tests.clone(),
        before: None,
        planned: plan.docker.map(|DockerPlan { access, recorded, .. }| Planned {
            access,
            guards: plan.guards,
            recorded,
        }),
    })
}

fn plain(declared: &[DesiredPolicy]) -> Vec<Policy> {
    declared.iter().map(|one| one.policy.clone()).collect()
}
