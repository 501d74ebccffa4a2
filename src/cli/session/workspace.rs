//! The workspace of a command.
//!
//! Invariant: a named folder is the workspace itself; only without a name, parent folders are
//! searched.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::context::current_folder;
use super::watch::watched;
use super::{Context, Exit, Failure};
use crate::check::UNKNOWN_PROTECTED;
use crate::diagnostic::{Diagnostic, Findings, Severity};
use crate::render::diagnostic;
use crate::source::{CONFIG_NAME, find_root};
use crate::workspace::{EmptyWorkspace, Loaded};

/// The folder that the run starts in: `-C`, or the current one; absolute.
pub(crate) fn folder(context: &Context) -> PathBuf {
    let current = current_folder();
    context.directory().map_or_else(|| current.clone(), |directory| current.join(directory))
}

/// The workspace's folder: `path` if it is given, otherwise the nearest parent with a
/// `seawall.yaml`; with `--config` and without `path`, the folder of that file.
///
/// # Errors
/// Returns an error if there is no workspace.
pub(crate) fn root(context: &Context, path: Option<&Path>) -> Result<PathBuf, Failure> {
    let config = context.config();
    let Some(path) = path else {
        let start = folder(context);
        let upward = find_root(&start).map(Path::to_owned);
        let beside = || config.and_then(|config| start.join(config).parent().map(Path::to_owned));
        return upward.or_else(beside).ok_or_else(|| {
            Failure::new(
                Exit::Invalid,
                format!("no `{CONFIG_NAME}` in `{}` or any folder above it", start.display()),
            )
            .hint("run in a workspace, or name its folder; `seawall init` makes a new one")
        });
    };
    if config.is_none() && !path.join(CONFIG_NAME).is_file() {
        let failure =
            Failure::new(Exit::Invalid, format!("`{}` holds no `{CONFIG_NAME}`", path.display()));
        return Err(failure.hint("name the folder of a workspace"));
    }
    Ok(path.to_owned())
}

/// Loads the workspace of a command. Findings go to standard error: errors end the run, warnings
/// are shown unless `-q` is set, and notes are left to `validate`.
///
/// # Errors
/// With exit code 1 when there is no workspace or something is wrong with its documents.
pub(crate) fn load(
    context: &Context,
    path: Option<&Path>,
    emptiness: EmptyWorkspace,
) -> Result<Loaded, Failure> {
    load_warning(context, path, emptiness, &[])
}

/// The same for a comparison with live state, which decides about some warnings: they are errors or
/// refusals then, or nothing. If a base has the guards (`of_base`), nothing decides about protected
/// names of the workspace itself.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_for_live(
    context: &Context,
    path: Option<&Path>,
    of_base: bool,
) -> Result<Loaded, Failure> {
    let mut decided = vec!["unknown-team", "unreviewed-rule"];
    decided.extend((!of_base).then_some(UNKNOWN_PROTECTED));
    load_warning(context, path, EmptyWorkspace::Refused, &decided)
}

/// Loads a workspace and prints its warnings, without those of these codes.
fn load_warning(
    context: &Context,
    path: Option<&Path>,
    emptiness: EmptyWorkspace,
    decided: &[&str],
) -> Result<Loaded, Failure> {
    let mut loaded = load_silently(context, path, emptiness)?;
    let findings = &mut loaded.findings;
    findings.diagnostics.retain(|finding| finding.severity != Severity::Note);
    let is_shown = |finding: &&Diagnostic| !decided.contains(&finding.code);
    let shown = findings.diagnostics.iter().filter(is_shown).cloned().collect();
    // The files are large, so that only the findings are copied.
    let all = std::mem::replace(&mut findings.diagnostics, shown);
    if !findings.diagnostics.is_empty() {
        context.note(context.findings(findings).trim_end());
    }
    findings.diagnostics = all;
    Ok(loaded)
}

/// The same for questions, which do not repeat warnings that `validate` and `plan` show.
///
/// # Errors
/// With exit code 1 when there is no workspace or something is wrong with its documents.
pub(crate) fn load_silently(
    context: &Context,
    path: Option<&Path>,
    emptiness: EmptyWorkspace,
) -> Result<Loaded, Failure> {
    let root = root(context, path)?;
    context.set_workspace(&root);
    checked(context, &root, emptiness).map_err(|findings| wrong(context, &findings))
}

/// Loads the workspace of a folder within the limits of time and memory.
///
/// # Errors
/// Returns the findings if something is wrong with its documents.
pub(crate) fn checked(
    context: &Context,
    root: &Path,
    emptiness: EmptyWorkspace,
) -> Result<Loaded, Findings> {
    watched("checking the documents", || {
        crate::workspace::load(root, context.config().as_deref(), emptiness)
    })
}

/// Prints findings, and makes them the failure of the run.
pub(crate) fn wrong(context: &Context, findings: &Findings) -> Failure {
    // Printed even with `-q`, since they are the reason of the failure.
    let _ = write!(super::output::stderr(), "{}", context.findings(findings));
    Failure::new(
        Exit::Invalid,
        format!("the documents are wrong: {}", diagnostic::summary(findings)),
    )
    .hint("correct the errors above; `seawall validate` checks the documents alone")
}
