//! `seawall apply`: carries out a plan. The only command that can write to a service.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tokio::sync::watch;

use super::session::connect::Shared;
use super::session::every::{Planned, plan_each};
use super::session::guards_from::Base;
use super::session::organizations::{about, name_of, tests_for, worst};
use super::session::planning::{Stricter, Workspace};
use super::session::progress::Progress;
use super::session::reading::read_plans;
use super::session::recorded::RecordFlags;
use super::session::services::{Services, State};
use super::session::signal::Signals;
use super::session::{self, output, workspace};
use super::{Context, Exit, Failure};
use crate::diagnostic::sanitize::line;
use crate::document::{Docker, Vijil};
use crate::execute::{Approved, Outcome, Readers, execute};
use crate::model::{Desired, Test};
use crate::plan::guard::Guard;
use crate::plan::{self, Plan, set, stale};
use crate::render;
use crate::workspace::{EmptyWorkspace, Loaded};

const EXAMPLES: &str = "\
Examples:
  seawall apply                                        # asks before it writes
  seawall apply --yes                                  # in a pipeline
  seawall apply --plan plan.json --yes                 # just what was reviewed, or nothing
  seawall apply --plan plan.json --guards-from origin/main --yes   # and what the guards of main let pass
  seawall apply --allow max_deletes                    # lifts one guard for this run";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Apply this saved plan, and nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["deny_widening", "records"])]
    plan: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Lift a guard for this run
    #[arg(long, value_name = "GUARD", value_parser = guard())]
    allow: Vec<Guard>,
    #[command(flatten)]
    stricter: Stricter,
    #[command(flatten)]
    recorded: RecordFlags,
}

fn guard() -> impl TypedValueParser<Value = Guard> {
    PossibleValuesParser::new(Guard::ALL.map(Guard::name)).map(|name| {
        Guard::ALL
            .into_iter()
            .find(|guard| guard.name() == name)
            .expect("only names of guards are taken")
    })
}

/// A plan with the services that carry it out.
struct Ready<P> {
    /// Name of the organization.
    name: String,
    plan: P,
    connected: Services,
}

/// The plans, and the exits of the organizations without one.
struct All {
    ready: Vec<Ready<Plan>>,
    failed: Vec<Failure>,
    /// True if there is more than one, so that each must be named.
    several: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let progress = Arc::new(Progress::new(context));
    context.block_on(async {
        let mut signals = Signals::listen();
        let planning = async {
            match &args.plan {
                Some(file) => saved(context, args, file, &progress).await,
                None => planned(context, args, &progress).await,
            }
        };
        let named = tokio::select! {
            biased;
            () = signals.next() => return Err(Failure::new(Exit::Failed, "stopped; nothing was written").hint("run again when you are ready")),
            planned = planning => planned?,
        };
        let All { ready, failed, several } = sort(named).await?;
        let exits = match approve(context, args, ready, several, &mut signals).await? {
            Some(approved) => carry_out(context, approved, several, &progress, signals).await?,
            None => Vec::new(),
        };
        let wrote = exits.iter().any(|(_, wrote)| *wrote);
        let exit = worst(exits.into_iter().map(|(exit, _)| exit).chain(failed.into_iter().map(|failure| failure.exit)));
        // If one organization was written and another one was not, the apply is partial.
        Ok(if wrote && exit != Exit::Done { Exit::Partial } else { exit })
    })
}

/// Separates plans from failures. One of several organizations may fail without stopping the
/// others. A stale saved plan stops all of them, as a guard does.
async fn sort(named: Vec<(String, Planned)>) -> Result<All, Failure> {
    let several = named.len() > 1;
    let (mut ready, mut failed) = (Vec::new(), Vec::new());
    for (name, planned) in named {
        match planned {
            Ok((plan, connected)) => ready.push(Ready { name, plan, connected }),
            Err(failure) if several => {
                let failure = about(&name, failure);
                let _ = output::report(&failure);
                failed.push(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    if failed.iter().any(|failure| failure.exit == Exit::Refused) {
        close(ready).await;
        let failure = Failure::new(Exit::Refused, "nothing was written: not every plan still fits");
        return Err(failure.hint("make a new plan, and have it reviewed"));
    }
    Ok(All { ready, failed, several })
}

async fn close<P>(all: Vec<Ready<P>>) {
    for Ready { connected, .. } in all {
        connected.close().await;
    }
}

/// The plans for the current workspace.
async fn planned(
    context: &Context,
    args: &Args,
    progress: &Arc<Progress>,
) -> Result<Vec<(String, Planned)>, Failure> {
    let path = args.path.as_ref().map(|path| context.path(path));
    let records = args.recorded.begin(context)?;
    let mut workspaces = Workspace::load_each(context, path.as_deref(), &args.stricter)?;
    let broken = records.give(context, &mut workspaces, false)?;
    if args.recorded.exit(broken, Exit::Done) != Exit::Done {
        let failure = Failure::new(
            Exit::Invalid,
            "nothing was written: something in the records is not a record",
        );
        return Err(failure.hint("remove it from the records, or leave `--strict` out"));
    }
    let planned = plan_each(context, &workspaces, Some(progress.observer())).await;
    Ok(workspaces.iter().map(Workspace::name).zip(planned).collect())
}

/// The plans of a file, after checking that they are not stale.
async fn saved(
    context: &Context,
    args: &Args,
    file: &std::path::Path,
    progress: &Arc<Progress>,
) -> Result<Vec<(String, Planned)>, Failure> {
    let (plans, failed) = read_plans(&context.path(file))?.into_parts();
    for set::Unplanned { org, message: _ } in failed {
        context.note(&format!(
            "note: `{}` could not be planned, and nothing is applied there",
            line(&org)
        ));
    }
    let picked = context.overrides().org.as_ref().filter(|_| plans.len() > 1);
    let plans: Vec<(String, Plan)> = plans
        .into_iter()
        .map(|plan| (name_of(&plan), plan))
        .filter(|(name, _)| picked.is_none_or(|setting| setting.value == *name))
        .collect();
    if let (Some(setting), true) = (picked, plans.is_empty()) {
        let message = format!("`{}`: the file has no plan for `{}`", setting.from, setting.value);
        return Err(Failure::new(Exit::Usage, message)
            .hint("name one of its organizations, or apply them all"));
    }
    let path = args.path.as_ref().map(|path| context.path(path));
    let base = match &args.stricter.guards_from {
        Some(named) => {
            Some(Base::read(context, &workspace::root(context, path.as_deref())?, named)?)
        }
        None => None,
    };
    let loaded = documents(context, path.as_deref());
    let mut shared = Shared::among(plans.len());
    let mut named = Vec::new();
    for (name, plan) in plans {
        let beside = Beside { path: path.as_deref(), base: base.as_ref(), loaded: loaded.as_ref() };
        let planned = saved_one(context, plan, beside, &mut shared, progress).await;
        named.push((name, planned));
    }
    Ok(named)
}

/// The documents of the workspace, whose access tests judge a saved plan too. A saved plan needs no
/// workspace, so that a missing or invalid one is no error: the tests that the plan carries are
/// judged in any case.
fn documents(context: &Context, path: Option<&std::path::Path>) -> Option<Loaded> {
    let root = workspace::root(context, path).ok()?;
    workspace::checked(context, &root, EmptyWorkspace::Accepted)
        .map_err(|_| {
            context.note("note: the workspace cannot be read: only the access tests that the plan carries are run")
        })
        .ok()
}

/// The data that a saved plan is checked against.
#[derive(Clone, Copy)]
struct Beside<'a> {
    path: Option<&'a std::path::Path>,
    base: Option<&'a Base>,
    loaded: Option<&'a Loaded>,
}

impl Beside<'_> {
    /// The access tests of the workspace for the plan's organization and their guard; `None` if the
    /// workspace does not have the organization.
    fn tests(&self, context: &Context, plan: &Plan) -> Vec<Test> {
        match (self.loaded, plan.org()) {
            (Some(loaded), Some(org)) if loaded.settings.guards.access_tests => {
                tests_for(context, loaded, org)
            }
            _ => Vec::new(),
        }
    }
}

/// A saved plan that is not stale.
async fn saved_one(
    context: &Context,
    plan: Plan,
    beside: Beside<'_>,
    shared: &mut Shared,
    progress: &Arc<Progress>,
) -> Planned {
    let Beside { path, base, loaded: _ } = beside;
    let docker = plan.docker.as_ref().map(|docker| Docker {
        org: Some(docker.target.org.clone()),
        endpoint: Some(docker.target.endpoint.clone()),
        ..Docker::default()
    });
    let vijil = plan
        .vijil
        .as_ref()
        .map(|vijil| Vijil { endpoint: Some(vijil.target.endpoint.clone()), ..Vijil::default() });
    // The embedded services keep their state in the workspace; other services need no workspace.
    let endpoints = docker
        .iter()
        .map(|docker| &docker.endpoint)
        .chain(vijil.iter().map(|vijil| &vijil.endpoint));
    let root = match endpoints.flatten().any(|endpoint| endpoint == "embedded") {
        true => workspace::root(context, path)?,
        false => PathBuf::new(),
    };
    let services = (docker.as_ref(), vijil.as_ref());
    let (desired, observer) = (Desired::default(), Some(progress.observer()));
    let connected =
        Services::connect_beside(context, &root, services, &desired, shared, observer).await?;
    let live = connected.live().await?;
    let judged = still_fits(&plan, &live).and_then(|()| {
        let plan = plan.judged_again(live.docker.as_ref(), live.vijil.as_ref());
        let tests = beside.tests(context, &plan);
        let plan = plan.tested_also(&tests, live.docker.as_ref());
        match base {
            Some(base) => base.judge(context, plan, &live),
            None => Ok(plan),
        }
    });
    match judged {
        Ok(plan) => Ok((plan, connected)),
        Err(failure) => {
            connected.close().await;
            Err(failure)
        }
    }
}

/// Refuses a stale plan.
fn still_fits(plan: &Plan, live: &State) -> Result<(), Failure> {
    let mut stale = Vec::new();
    if let (Some(docker), Some(live)) = (&plan.docker, &live.docker) {
        stale.extend(stale::check(docker, live));
    }
    if let (Some(vijil), Some(live)) = (&plan.vijil, &live.vijil) {
        stale.extend(plan::vijil::stale(vijil, live));
    }
    if stale.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(Exit::Refused, render::outcome::stale(&stale));
    Err(failure.hint(
        "make a new plan, and have it reviewed; if it is empty, this one was applied already",
    ))
}

async fn all_still_fit(approved: &[Ready<Approved>], several: bool) -> Result<(), Failure> {
    for Ready { name, plan, connected } in approved {
        let fits = match connected.live().await {
            Ok(live) => still_fits(plan.plan(), &live),
            Err(failure) => Err(failure),
        };
        fits.map_err(|failure| if several { about(name, failure) } else { failure })?;
    }
    Ok(())
}

/// The plans, all printed and judged before any is confirmed; `None` if there is nothing to do.
async fn approve(
    context: &Context,
    args: &Args,
    ready: Vec<Ready<Plan>>,
    several: bool,
    signals: &mut Signals,
) -> Result<Option<Vec<Ready<Approved>>>, Failure> {
    let lifted: BTreeSet<Guard> = args.allow.iter().copied().collect();
    let (mut approved, mut refused, mut refusing) = (Vec::new(), Vec::new(), Vec::new());
    for (index, Ready { name, plan, connected }) in ready.into_iter().enumerate() {
        let apart = if index > 0 { "\n" } else { "" };
        context.show(&format!("{apart}{}", render::plan::human(&plan, context.view())))?;
        for verdict in
            plan.guards.iter().filter(|verdict| !verdict.ok && lifted.contains(&verdict.guard))
        {
            context.print(&format!("Lifted for this run: `{}`\n", verdict.guard.name()))?;
        }
        match Approved::new(plan, &lifted) {
            Ok(plan) => approved.push(Ready { name, plan, connected }),
            Err(refusals) => {
                refused.push((
                    name,
                    refusals.iter().map(|verdict| verdict.guard.name()).collect::<Vec<_>>(),
                ));
                refusing.push(connected);
            }
        }
    }
    let nothing_to_do = approved.iter().all(|ready| ready.plan.plan().is_empty());
    let answer = match refused.is_empty() {
        false => Err(refusal(&refused, several)),
        true if nothing_to_do => Ok(false),
        true if args.yes => Ok(true),
        true => match confirm(signals).await {
            // The person who confirmed saw the live state from before the question.
            Ok(()) => all_still_fit(&approved, several).await.map(|()| true),
            Err(failure) => Err(failure),
        },
    };
    for connected in refusing {
        connected.close().await;
    }
    match answer {
        Ok(true) => Ok(Some(approved)),
        Ok(false) => {
            close(approved).await;
            Ok(None)
        }
        Err(failure) => {
            close(approved).await;
            Err(failure)
        }
    }
}

fn refusal(refused: &[(String, Vec<&str>)], several: bool) -> Failure {
    let by = refused.iter().map(|(name, guards)| match several {
        true => format!("`{name}` by {}", guards.join(", ")),
        false => format!("by {}", guards.join(", ")),
    });
    let by: Vec<String> = by.collect();
    let guards: BTreeSet<&str> =
        refused.iter().flat_map(|(_, guards)| guards.iter().copied()).collect();
    let guards: Vec<&str> = guards.into_iter().collect();
    let failure =
        Failure::new(Exit::Refused, format!("nothing was written: refused {}", by.join("; ")));
    failure.hint(format!(
        "change the documents, or lift it for one run with `--allow {}`",
        guards.join(" --allow ")
    ))
}

/// Carries out the plans, one after the other. The first Ctrl-C or SIGTERM lets calls in flight
/// finish, a second one stops at once. Returns the outcome of each plan, and whether it wrote
/// anything.
async fn carry_out(
    context: &Context,
    approved: Vec<Ready<Approved>>,
    several: bool,
    progress: &Progress,
    mut signals: Signals,
) -> Result<Vec<(Exit, bool)>, Failure> {
    session::watch::stop();
    let (stop, stopped) = watch::channel(false);
    let signals = tokio::spawn({
        let progress = progress.notes();
        async move {
            signals.next().await;
            let _ = stop.send(true);
            progress.note("stopping: waiting for the calls in flight");
            signals.next().await;
            progress.note("stopped at once: what became of the calls in flight is not known");
            std::process::exit(Exit::Partial.code().into());
        }
    });
    let mut exits = Vec::new();
    let mut reports = String::new();
    for Ready { name, plan: approved, connected } in approved {
        if !approved.plan().is_empty() {
            let outcome = execute_one(&approved, &connected, progress, &stopped).await;
            if several {
                reports.push_str(&format!("\n{}\n", line(&name)));
            }
            reports.push_str(&render::outcome::human(approved.plan(), &outcome));
            exits.push((outcome.exit(), outcome.wrote()));
        }
        connected.close().await;
    }
    signals.abort();
    context.show(&reports)?;
    Ok(exits)
}

async fn execute_one(
    approved: &Approved,
    connected: &Services,
    progress: &Progress,
    stopped: &watch::Receiver<bool>,
) -> Outcome {
    progress.start(approved.plan());
    let readers = Readers {
        docker: connected.docker.as_ref().map(|connected| &connected.reader),
        vijil: connected.vijil.as_ref().map(|connected| &connected.reader),
    };
    let outcome =
        execute(approved, readers, stopped.clone(), &mut |event| progress.show(event)).await;
    progress.finish();
    outcome
}

async fn confirm(signals: &mut Signals) -> Result<(), Failure> {
    let refused = |message| Failure::new(Exit::Refused, message);
    if !std::io::stdin().is_terminal() {
        return Err(refused(
            "nothing was written: standard input is not a terminal, so nobody can confirm",
        )
        .hint("review the plan, then pass `--yes` to apply without asking"));
    }
    let mut stderr = super::session::output::stderr();
    let _ = write!(stderr, "\nApply these changes? Type `yes` to confirm: ");
    let _ = stderr.flush();
    drop(stderr);
    // A thread of its own, since reading from the terminal cannot be cancelled.
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let _ = answer.send(read.is_ok() && line.trim() == "yes");
    });
    tokio::select! {
        answer = answered => match answer {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(refused("nothing was written: not confirmed")),
        },
        () = signals.next() => Err(refused("nothing was written: not confirmed")),
    }
}
