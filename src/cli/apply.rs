//! `seawall apply`: carries a plan out. The only command that can write to a service.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::planning::{Services, State, Stricter, Workspace, read};
use super::progress::Progress;
use super::signal::Signals;
use super::{Context, Exit, Failure, workspace};
use crate::document::{Docker, Vijil};
use crate::execute::{Approved, Outcome, execute, execute_agents};
use crate::model::Desired;
use crate::plan::guard::Guard;
use crate::plan::{self, Plan, stale};
use crate::render;

const EXAMPLES: &str = "\
Examples:
  seawall apply                                        # asks before it writes
  seawall apply --yes                                  # in a pipeline
  seawall apply --plan plan.json --yes                 # just what was reviewed, or nothing
  seawall apply --allow max_deletes                    # lifts one guard for this run

Guards: max_deletes, protected, deny_widening, safe_order, service_limits.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Apply this saved plan, and nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["guards_from", "deny_widening"])]
    plan: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Lift a guard for this run
    #[arg(long, value_name = "GUARD", value_parser = guard)]
    allow: Vec<Guard>,
    #[command(flatten)]
    stricter: Stricter,
}

fn guard(text: &str) -> Result<Guard, String> {
    Guard::ALL.into_iter().find(|guard| guard.name() == text).ok_or_else(|| {
        let names: Vec<&str> = Guard::ALL.iter().map(|guard| guard.name()).collect();
        format!("no such guard; there are {}", names.join(", "))
    })
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
        let (plan, connected) = tokio::select! {
            biased;
            () = signals.next() => return Err(Failure::new(Exit::Failed, "stopped; nothing was written")),
            planned = planning => planned?,
        };
        let exit = match approve(context, args, plan, &connected, &mut signals).await {
            Ok(Some(approved)) => carry_out(context, &approved, &connected, &progress, signals).await,
            Ok(None) => Ok(Exit::Done),
            Err(failure) => Err(failure),
        };
        connected.close().await;
        exit
    })
}

/// The plan from the workspace, as it is now.
async fn planned(context: &Context, args: &Args, progress: &Arc<Progress>) -> Result<(Plan, Services), Failure> {
    let path = args.path.as_ref().map(|path| context.path(path));
    let workspace = Workspace::load(context, path.as_deref(), &args.stricter)?;
    let connected = workspace.connect(context, Some(progress.observer())).await?;
    let live = connected.live().await?;
    let plan = workspace.plan(context, &live)?;
    Ok((plan, connected))
}

/// The plan from a file, if it still fits.
async fn saved(
    context: &Context,
    args: &Args,
    file: &std::path::Path,
    progress: &Arc<Progress>,
) -> Result<(Plan, Services), Failure> {
    let file = context.path(file);
    let plan = Plan::from_json(&read(&file)?).map_err(|error| {
        Failure::new(Exit::Refused, format!("`{}`: {error}", file.display())).hint("make a new plan with `plan --out`")
    })?;
    let docker = plan.target.as_ref().map(|target| Docker {
        org: Some(target.org.clone()),
        endpoint: Some(target.endpoint.clone()),
        ..Docker::default()
    });
    let vijil =
        plan.agents.as_ref().map(|agents| Vijil { endpoint: Some(agents.target.endpoint.clone()), ..Vijil::default() });
    // The embedded services keep their state in the workspace; any other service needs none.
    let path = args.path.as_ref().map(|path| context.path(path));
    let endpoints = docker.iter().map(|docker| &docker.endpoint).chain(vijil.iter().map(|vijil| &vijil.endpoint));
    let root = match endpoints.flatten().any(|endpoint| endpoint == "embedded") {
        true => workspace::root(context, path.as_deref())?,
        false => PathBuf::new(),
    };
    let services = (docker.as_ref(), vijil.as_ref());
    let observer = Some(progress.observer());
    let connected = Services::connect(context, &root, services, &Desired::default(), observer).await?;
    let live = connected.live().await?;
    match still_fits(&plan, &live) {
        Ok(()) => Ok((plan.judged_again(live.docker.as_ref(), live.vijil.as_ref()), connected)),
        Err(failure) => {
            connected.close().await;
            Err(failure)
        }
    }
}

/// Whether what was reviewed is what would be done.
fn still_fits(plan: &Plan, live: &State) -> Result<(), Failure> {
    let mut stale = live.docker.iter().flat_map(|live| stale::check(plan, live)).collect::<Vec<_>>();
    if let (Some(agents), Some(live)) = (&plan.agents, &live.vijil) {
        stale.extend(plan::agents::stale(agents, live));
    }
    if stale.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(Exit::Refused, render::outcome::stale(&stale));
    Err(failure.hint("make a new plan, and have it reviewed"))
}

/// The plan, shown, judged and confirmed; `None` when there is nothing to do.
async fn approve(
    context: &Context,
    args: &Args,
    plan: Plan,
    connected: &Services,
    signals: &mut Signals,
) -> Result<Option<Approved>, Failure> {
    context.print(&render::plan::human(&plan, context.view()))?;
    let lifted: BTreeSet<Guard> = args.allow.iter().copied().collect();
    for verdict in plan.guards.iter().filter(|verdict| !verdict.ok && lifted.contains(&verdict.guard)) {
        context.print(&format!("Lifted for this run: `{}`\n", verdict.guard.name()))?;
    }
    let approved = Approved::new(plan, &lifted).map_err(|refusals| {
        let names: Vec<&str> = refusals.iter().map(|verdict| verdict.guard.name()).collect();
        let failure = Failure::new(Exit::Refused, format!("nothing was written: refused by {}", names.join(", ")));
        failure.hint(format!("change the documents, or lift it for one run with `--allow {}`", names.join(" --allow ")))
    })?;
    if approved.plan().is_empty() {
        return Ok(None);
    }
    if !args.yes {
        confirm(signals).await?;
        // Whoever confirmed has seen what was live before they thought about it.
        still_fits(approved.plan(), &connected.live().await?)?;
    }
    Ok(Some(approved))
}

/// Carries the plan out; the first Ctrl-C or SIGTERM lets the calls in flight finish, a second one is not waited for.
async fn carry_out(
    context: &Context,
    approved: &Approved,
    connected: &Services,
    progress: &Progress,
    mut signals: Signals,
) -> Result<Exit, Failure> {
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
    progress.start(approved.plan());
    let mut outcome = Outcome::default();
    if let Some(docker) = &connected.docker {
        let stopped = stopped.clone();
        outcome = outcome.and(execute(approved, &docker.reader, stopped, &mut |event| progress.show(event)).await);
    }
    if let Some(vijil) = &connected.vijil {
        outcome =
            outcome.and(execute_agents(approved, &vijil.reader, stopped, &mut |event| progress.show(event)).await);
    }
    progress.finish();
    signals.abort();
    context.print(&render::outcome::human(approved.plan(), &outcome))?;
    Ok(outcome.exit())
}

async fn confirm(signals: &mut Signals) -> Result<(), Failure> {
    let refused = |message| Failure::new(Exit::Refused, message);
    if !std::io::stdin().is_terminal() {
        return Err(refused("nothing was written: nobody is there to confirm")
            .hint("review the plan, then run again with `--yes`"));
    }
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "\nCarry this out? Only `yes` is taken for an answer: ");
    let _ = stderr.flush();
    drop(stderr);
    // A thread that nobody waits for: a read of the terminal cannot be called off.
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
