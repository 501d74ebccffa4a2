//! `seawall import`: writes documents for live policies that no document declares. Only reads from
//! services.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::session::every::live_each;
use super::session::organizations::{separate_failures, worst};
use super::session::planning::Workspace;
use super::session::services::State;
use super::session::watch::watched;
use super::session::writing::{Written, write_all};
use super::session::{output, workspace};
use super::{Context, Exit, Failure};
use crate::diagnostic::sanitize::line;
use crate::diagnostic::{Overlay, list, nearest};
use crate::import::{self, Candidate, Import, Problem, Refused};
use crate::model::{Desired, Ownership};
use crate::workspace::{EmptyWorkspace, Loaded};
use crate::{render, source};

const EXAMPLES: &str = "\
Examples:
  seawall import                                       # a file for each policy that no document declares
  seawall import --dry-run                             # shows the files
  seawall import --policy 'Security research'          # just this one, also when others own it: `adopt: true`
  seawall import --live-from live.json                 # without credentials, from a snapshot

`seawall init --import` makes a new workspace with them.

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
    /// Print the files instead of writing them
    #[arg(long)]
    dry_run: bool,
    /// Overwrite existing files
    #[arg(long)]
    force: bool,
    /// Import from a snapshot instead of the service
    #[arg(long, value_name = "FILE")]
    live_from: Option<PathBuf>,
}

/// A workspace of one organization with its live state.
type Each<'a> = [(&'a Workspace, State)];

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let path = args.path.as_ref().map(|path| context.path(path));
    let loaded = workspace::load(context, path.as_deref(), EmptyWorkspace::Accepted)?;
    let workspaces = Workspace::each_of(context, loaded.clone())?;
    let live = live_each(context, &workspaces, args.live_from.as_deref())?;
    let several = workspaces.len() > 1;
    let read = workspaces.iter().zip(live).map(|(workspace, live)| {
        let planned = live.and_then(|live| {
            // A workspace that cannot be planned before the import cannot be planned afterwards.
            if several {
                workspace.plan(context, &live)?;
            }
            Ok((workspace, live))
        });
        (workspace.name(), planned)
    });
    let (each, failed) = separate_failures(read.collect())?;
    let each: Vec<(&Workspace, State)> = each.into_iter().map(|(_, one)| one).collect();
    let (candidates, left) = undeclared(&each, &loaded.desired);
    let others: Vec<String> = left.iter().map(|candidate| candidate.name.clone()).collect();
    let candidates = chosen(context, &loaded, &each, (candidates, left), &args.policy)?;
    let import = made(context, &loaded, &each, candidates, &Overlay::new())?;
    if !args.force && !args.dry_run {
        refuse_to_overwrite(&import)?;
    }
    if args.dry_run {
        context.print(&render::import::files(&import))?;
    } else {
        let files =
            import.files.iter().map(|import::File { path, text, overwrites, policy: _ }| Written {
                path,
                text: Some(text),
                overwrites: *overwrites,
            });
        write_all(&loaded.root, &files.collect::<Vec<_>>())?;
    }
    context.show(&render::import::summary(
        &import,
        if args.policy.is_empty() { &others } else { &[] },
        args.dry_run,
        context.view(),
    ))?;
    let warning = |warning: &String| format!("warning: {}", line(warning));
    context.notes(&import.warnings.iter().map(warning).collect::<Vec<_>>());
    before_planning(context, &loaded, &import);
    let exclusive = |(workspace, _): &(&Workspace, State)| {
        workspace.docker.as_ref().is_some_and(|docker| Ownership::from(docker).exclusive)
    };
    let refused = refusal(&import.refused, each.iter().any(exclusive));
    match (refused, failed.exits.as_slice()) {
        (refused, []) => refused,
        (refused, exits) => {
            let exit = refused.unwrap_or_else(|failure| {
                let _ = output::report(&failure);
                failure.exit
            });
            Ok(worst(exits.iter().copied().chain([exit])))
        }
    }
}

/// The undeclared policies of all services, and those that others manage. A policy that several
/// organizations have alike is listed once.
fn undeclared(each: &Each<'_>, desired: &Desired) -> (Vec<Candidate>, Vec<Candidate>) {
    let (mut all, mut left) = (Vec::new(), Vec::new());
    for (workspace, live) in each {
        let of_one = workspace.with(desired).loaded.desired;
        if let (Some(docker), Some(live)) = (&workspace.docker, &live.docker) {
            let (own, others) = import::undeclared(&of_one, live, &Ownership::from(docker));
            all.extend(own);
            left.extend(others);
        }
        all.extend(
            live.vijil.iter().flat_map(|live| import::vijil::undeclared(&of_one.vijil, live)),
        );
    }
    (import::joined(all), import::joined(left))
}

/// The policies that `--policy` names, including those of others; without it, all that the
/// workspace owns.
fn chosen(
    context: &Context,
    loaded: &Loaded,
    each: &Each<'_>,
    (candidates, left): (Vec<Candidate>, Vec<Candidate>),
    names: &[String],
) -> Result<Vec<Candidate>, Failure> {
    if names.is_empty() {
        return Ok(candidates);
    }
    let wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let found: Vec<Candidate> = candidates
        .into_iter()
        .chain(left)
        .filter(|candidate| wanted.contains(candidate.name.as_str()))
        .collect();
    let missing =
        wanted.into_iter().find(|name| found.iter().all(|candidate| candidate.name != *name));
    let Some(name) = missing else { return Ok(found) };
    let desired = &loaded.desired;
    let own = desired.policies.iter().map(|one| (&one.policy.name, &one.origin));
    let mut declared = own.chain(desired.vijil.iter().map(|one| (&one.name, &one.origin)));
    if let Some((_, origin)) = declared.find(|(declared, _)| *declared == name) {
        let message = format!("`{name}` is declared already: {}", context.view().file_line(origin));
        return Err(Failure::new(Exit::Usage, message)
            .hint("`seawall plan` shows how it differs from what is live"));
    }
    let states = || each.iter().map(|(_, live)| live);
    let own = states()
        .flat_map(|live| &live.docker)
        .flat_map(|live| &live.policies)
        .map(|policy| policy.name.as_str());
    let vijil = states().flat_map(|live| &live.vijil).flat_map(|live| &live.policies);
    let all = own.chain(vijil.map(|policy| policy.name.as_str()));
    let near = nearest(name, all);
    let failure = Failure::new(Exit::Usage, format!("no live policy is named `{name}`"));
    Err(match near {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`seawall plan` lists the live policies that no document declares"),
    })
}

/// The import into a new workspace of one organization; `overlay` replaces the files that are still
/// to be written.
///
/// # Errors
///
/// Returns an error if the live state cannot be read, or if its documents cannot be planned.
pub(super) fn into_new(
    context: &Context,
    loaded: &Loaded,
    overlay: &Overlay,
    live_from: Option<&Path>,
) -> Result<Import, Failure> {
    let workspaces = Workspace::each_of(context, loaded.clone())?;
    let live = live_each(context, &workspaces, live_from)?;
    let live = live.into_iter().collect::<Result<Vec<State>, Failure>>()?;
    let each: Vec<(&Workspace, State)> = workspaces.iter().zip(live).collect();
    let (candidates, _) = undeclared(&each, &loaded.desired);
    made(context, loaded, &each, candidates, overlay)
}

fn made(
    context: &Context,
    loaded: &Loaded,
    each: &Each<'_>,
    candidates: Vec<Candidate>,
    overlay: &Overlay,
) -> Result<Import, Failure> {
    let differences = |after: &Loaded| {
        each.iter()
            .map(|(workspace, live)| workspace.with(&after.desired).differences(context, live))
            .collect()
    };
    let config = context.config();
    let input = import::Input {
        loaded,
        config: config.as_deref(),
        overlay,
        candidates,
        undeclared: &|desired| undeclared(each, desired).0,
        live: each.iter().filter_map(|(_, live)| live.docker.as_ref()).collect(),
        vijil: each.iter().find_map(|(_, live)| live.vijil.as_ref()),
        differences: &differences,
    };
    watched("verifying the import", || import::make(input)).map_err(|problem| match problem {
        Problem::Differences(failure) => failure,
        Problem::Documents(findings) => workspace::wrong(context, &findings),
    })
}

/// Reports faults of the workspace that prevent a plan but do not concern the imported documents,
/// such as a pattern of `include` that matches nothing yet.
fn before_planning(context: &Context, loaded: &Loaded, import: &Import) {
    let written = import.files.iter().map(|file| file.path.as_str());
    let names: Vec<&str> = loaded
        .findings
        .files
        .iter()
        .map(|(_, file)| file.name.as_str())
        .skip(1)
        .chain(written)
        .collect();
    let matches = |pattern: &String| {
        let pattern = std::slice::from_ref(pattern);
        names.iter().any(|name| source::includes(Some(pattern), name))
    };
    if import.files.is_empty() || loaded.settings.include.iter().flatten().all(matches) {
        return;
    }
    let texts = import.files.iter().map(|file| (file.path.clone(), Some(file.text.clone())));
    let config = context.config();
    if let Err(findings) = crate::workspace::load_over(
        &loaded.root,
        config.as_deref(),
        EmptyWorkspace::Refused,
        texts.collect(),
    ) {
        context.note(context.findings(&findings).trim_end());
        context.note("This has to be mended before `seawall plan`.");
    }
}

fn refuse_to_overwrite(import: &Import) -> Result<(), Failure> {
    let there: Vec<&String> =
        import.files.iter().filter(|file| file.overwrites).map(|file| &file.path).collect();
    if there.is_empty() {
        return Ok(());
    }
    let (is, it) = if there.len() == 1 { ("is", "it") } else { ("are", "them") };
    let failure = Failure::new(
        Exit::Refused,
        format!("nothing was written: {} {is} there already", list::quoted(&there)),
    );
    Err(failure.hint(format!("move {it} away, or overwrite {it} with `--force`")))
}

/// The exit of the run: a policy that cannot be imported is reported with its reason, and the run
/// fails.
fn refusal(refused: &[Refused], exclusive: bool) -> Result<Exit, Failure> {
    if refused.is_empty() {
        return Ok(Exit::Done);
    }
    let reasons = refused.iter().map(|Refused { policy, orgs, reasons, service: _ }| {
        let of = if orgs.is_empty() {
            String::new()
        } else {
            format!(" of {}", line(&list::listed(orgs)))
        };
        format!(
            "  `{}`{of}: {}",
            line(policy),
            reasons.iter().map(|reason| line(reason)).collect::<Vec<_>>().join("; ")
        )
    });
    let policies = list::noun(refused.len(), "policy");
    let message = format!(
        "{} live {policies} cannot be imported:\n{}",
        refused.len(),
        list::rows(&reasons.collect::<Vec<_>>())
    );
    Err(Failure::new(Exit::Invalid, message).hint(match exclusive {
        true => "change them in the service, or add their names to `docker.unmanaged`: as `ownership` is `exclusive`, the next apply would delete them",
        false => "policies that are not imported are left alone; change them in the service and run again",
    }))
}
