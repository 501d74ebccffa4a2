//! `seawall import`: documents for live policies that no document declares. Reads only.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::planning::{State, Workspace, live};
use super::writing::{Written, write_all};
use super::{Context, Exit, Failure, workspace};
use crate::check::{self, Emptiness, Loaded};
use crate::diagnostic::Overlay;
use crate::import::{self, Candidate, Import, Problem, Refused};
use crate::model::Desired;
use crate::plan::diff::Ownership;
use crate::render;
use crate::render::sanitize::line;

const EXAMPLES: &str = "\
Examples:
  seawall import                                       # a file for each policy that no document declares
  seawall import --dry-run                             # shows the files
  seawall import --policy 'Security research'          # just this one, also when others own it: `adopt: true`
  seawall import --live-from live.json                 # without credentials, from a snapshot

Before a file is written, it is read back and planned: planning right after an import changes nothing.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The workspace's folder; without it, the one around the current folder
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Import this policy only; repeat for more
    #[arg(long, value_name = "NAME")]
    policy: Vec<String>,
    /// Show the files, and write none
    #[arg(long)]
    dry_run: bool,
    /// Overwrite files that are in the way
    #[arg(long)]
    force: bool,
    /// Import from a snapshot instead of the service
    #[arg(long, value_name = "FILE")]
    live_from: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let path = args.path.as_ref().map(|path| context.path(path));
    let workspace = Workspace::of(context, workspace::load(context, path.as_deref(), Emptiness::Accepted)?)?;
    let live = live(context, &workspace, args.live_from.as_deref())?;
    let (candidates, left) = undeclared(&workspace, &workspace.loaded.desired, &live);
    let others: Vec<String> = left.iter().map(|candidate| candidate.name.clone()).collect();
    let candidates = chosen(&workspace, &live, (candidates, left), &args.policy)?;
    let import = made(context, &workspace, &live, candidates)?;
    if !args.force && !args.dry_run {
        refuse_to_overwrite(&import)?;
    }
    if args.dry_run {
        context.print(&render::import::files(&import))?;
    } else {
        let files = import.files.iter().map(|import::File { path, text, overwrites, policy: _ }| Written {
            path,
            text: Some(text),
            overwrites: *overwrites,
        });
        write_all(&workspace.loaded.root, &files.collect::<Vec<_>>())?;
    }
    context.print(&render::import::summary(
        &import,
        if args.policy.is_empty() { &others } else { &[] },
        args.dry_run,
    ))?;
    before_planning(context, &workspace, &import);
    let exclusive = workspace.docker.as_ref().is_some_and(|docker| Ownership::from(docker).exclusive);
    refusal(&import.refused, exclusive)
}

/// The policies of all services that no document declares, and those that are left to others.
fn undeclared(workspace: &Workspace, desired: &Desired, live: &State) -> (Vec<Candidate>, Vec<Candidate>) {
    let (mut candidates, left) = match (&workspace.docker, &live.docker) {
        (Some(docker), Some(live)) => import::undeclared(desired, live, &Ownership::from(docker)),
        _ => (Vec::new(), Vec::new()),
    };
    candidates.extend(live.vijil.iter().flat_map(|live| import::agents::undeclared(&desired.agents, live)));
    (candidates, left)
}

/// The candidates that `--policy` names, those of others too; without it, all that are the workspace's own.
fn chosen(
    workspace: &Workspace,
    live: &State,
    (candidates, left): (Vec<Candidate>, Vec<Candidate>),
    names: &[String],
) -> Result<Vec<Candidate>, Failure> {
    if names.is_empty() {
        return Ok(candidates);
    }
    let wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let found: Vec<Candidate> =
        candidates.into_iter().chain(left).filter(|candidate| wanted.contains(candidate.name.as_str())).collect();
    let missing = wanted.into_iter().find(|name| found.iter().all(|candidate| candidate.name != *name));
    let Some(name) = missing else { return Ok(found) };
    let desired = &workspace.loaded.desired;
    let own = desired.policies.iter().map(|one| (&one.policy.name, &one.origin));
    let mut declared = own.chain(desired.agents.iter().map(|one| (&one.name, &one.origin)));
    if let Some((_, origin)) = declared.find(|(declared, _)| *declared == name) {
        let message = format!("`{name}` is declared already: {}:{}", origin.file, origin.line);
        return Err(Failure::new(Exit::Usage, message).hint("`seawall plan` shows how it differs from what is live"));
    }
    let own = live.docker.iter().flat_map(|live| &live.policies).map(|policy| policy.name.as_str());
    let all = own.chain(live.vijil.iter().flat_map(|live| &live.policies).map(|policy| policy.name.as_str()));
    let near = all.min_by_key(|other| strsim::damerau_levenshtein(other, name));
    let near = near.filter(|near| strsim::damerau_levenshtein(near, name) * 3 <= name.chars().count().max(3));
    let failure = Failure::new(Exit::Usage, format!("no live policy is named `{name}`"));
    Err(match near {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`seawall plan` lists the live policies that no document declares"),
    })
}

fn made(context: &Context, workspace: &Workspace, live: &State, candidates: Vec<Candidate>) -> Result<Import, Failure> {
    let plan = |loaded: &Loaded| Workspace::of(context, loaded.clone())?.plan(context, live);
    let config = context.config();
    let input = import::Input {
        loaded: &workspace.loaded,
        config: config.as_deref(),
        overlay: &Overlay::new(),
        candidates,
        undeclared: &|desired| undeclared(workspace, desired, live).0,
        live: live.docker.as_ref(),
        agents: live.vijil.as_ref(),
        plan: &plan,
    };
    import::make(input).map_err(|problem| match problem {
        Problem::Plan(failure) => failure,
        Problem::Documents(findings) => workspace::wrong(context, &findings),
    })
}

/// Shows what stands between the workspace and a plan, though nothing of it is about what was imported: a pattern of
/// `include` that still matches nothing.
fn before_planning(context: &Context, workspace: &Workspace, import: &Import) {
    let texts = import.files.iter().map(|file| (file.path.clone(), Some(file.text.clone())));
    let config = context.config();
    let after = check::load_over(&workspace.loaded.root, config.as_deref(), Emptiness::Refused, texts.collect());
    if let (Err(findings), false) = (after, import.files.is_empty()) {
        context.note(render::diagnostic::human(&findings, &workspace::folder(context)).trim_end());
        context.note("This has to be mended before `seawall plan`.");
    }
}

fn refuse_to_overwrite(import: &Import) -> Result<(), Failure> {
    let there: Vec<String> =
        import.files.iter().filter(|file| file.overwrites).map(|file| format!("`{}`", file.path)).collect();
    if there.is_empty() {
        return Ok(());
    }
    let (is, it) = if there.len() == 1 { ("is", "it") } else { ("are", "them") };
    let failure = Failure::new(Exit::Refused, format!("nothing was written: {} {is} there already", there.join(", ")));
    Err(failure.hint(format!("move {it} away, or overwrite {it} with `--force`")))
}

/// How the run ends: what is not imported is told with its reasons, and is no success.
fn refusal(refused: &[Refused], exclusive: bool) -> Result<Exit, Failure> {
    if refused.is_empty() {
        return Ok(Exit::Done);
    }
    let reasons = refused.iter().map(|Refused { policy, reasons, service: _ }| {
        format!("  `{}`: {}", line(policy), reasons.iter().map(|reason| line(reason)).collect::<Vec<_>>().join("; "))
    });
    let policies = if refused.len() == 1 { "policy" } else { "policies" };
    let message =
        format!("{} live {policies} cannot be imported:\n{}", refused.len(), reasons.collect::<Vec<_>>().join("\n"));
    Err(Failure::new(Exit::Invalid, message).hint(match exclusive {
        true => "change them in the service, or add their names to `docker.unmanaged`: as `ownership` is `exclusive`, the next apply would delete them",
        false => "they are left alone; change them in the service and run again",
    }))
}
