//! `seawall validate`: checks syntax, schema, meaning and traps of documents, offline.
//!
//! The findings are the result, so they go to standard output in every format.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::session::baseline::Base;
use super::session::watch::watched;
use super::session::{output, workspace};
use super::{Context, Exit, Failure};
use crate::check;
use crate::diagnostic::{Diagnostic, Findings, Severity, nearest};
use crate::render::{findings, github, sarif};
use crate::source::CONFIG_NAME;
use crate::workspace::EmptyWorkspace;

const EXAMPLES: &str = "\
Examples:
  seawall validate                                     # the workspace around this folder
  seawall validate policies/web.yaml                   # one file alone, as pre-commit does
  seawall validate --base origin/main --strict         # only what a branch brings, warnings too
  seawall validate --format github                     # annotations on a pull request
  seawall validate --explain broad-allow               # what a finding means, with an example and a fix

With `--base`, a finding that the base has too is counted and not shown, however its lines moved: it is told by its code, file,
document, rule and message. The exit code is about the new ones. Notes never fail.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Workspace folders, or files to check alone; without any, the workspace around the current
    /// folder
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Show only findings that this commit does not have
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// Exit with 1 if there are warnings
    #[arg(long)]
    strict: bool,
    /// Explain a code that findings show in brackets, and exit
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "format", "base", "strict"])]
    explain: Option<String>,
    /// Output format of the findings
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people, with the source lines
    Human,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Workflow commands of GitHub Actions
    Github,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let Args { paths, base, strict, explain, format } = args;
    if let Some(code) = explain {
        return explained(context, code);
    }
    let mut base = base.as_ref().map(|name| Base::new(context, name)).transpose()?;
    let mut found = Findings::default();
    let paths: Vec<PathBuf> = paths.iter().map(|path| context.path(path)).collect();
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.into_iter().partition(|path| path.is_dir());
    let mut workspaces: Vec<Option<PathBuf>> = folders.into_iter().map(Some).collect();
    if workspaces.is_empty() && files.is_empty() {
        workspaces.push(None);
    }
    for folder in workspaces {
        found.append(of_workspace(
            context,
            folder,
            base.as_mut(),
            matches!(format, Format::Human),
        )?);
    }
    found.append(of_files(context, &files, base.as_mut())?);
    found.sort();
    let older = base.as_ref().map(Base::older);
    let folder = workspace::folder(context);
    match format {
        Format::Human => {
            context.show(&context.findings(&found))?;
            context.note(&findings::summary(&found, older, context.detail()));
        }
        Format::Sarif => context.print(&sarif::sarif(&found, &folder, older))?,
        Format::Github => output::commands(&github::commands(&found, &folder, older))?,
        Format::Json => context.print(&findings::json(&found, older))?,
    }
    let fails = found.has_errors() || *strict && found.count(Severity::Warning) > 0;
    Ok(if fails { Exit::Invalid } else { Exit::Done })
}

fn explained(context: &Context, code: &str) -> Result<Exit, Failure> {
    let unknown = || {
        let failure = Failure::new(Exit::Usage, format!("there is no kind of finding `{code}`"));
        failure.hint(match nearest(code, check::codes()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "findings show their code in brackets".to_owned(),
        })
    };
    context.show(&findings::explanation(check::find(code).ok_or_else(unknown)?))?;
    Ok(Exit::Done)
}

/// Checks a workspace and returns the findings.
fn of_workspace(
    context: &Context,
    folder: Option<PathBuf>,
    base: Option<&mut Base<'_>>,
    for_people: bool,
) -> Result<Findings, Failure> {
    let mut found = Findings::default();
    let root = match workspace::root(context, folder.as_deref()) {
        Ok(root) => root,
        // As a finding, so that programs get it in their format too.
        Err(Failure { message, hint, .. }) => {
            let finding = Diagnostic::error("no-workspace", message);
            found.diagnostics.push(Diagnostic { help: hint, ..finding });
            if !for_people {
                let path = folder.unwrap_or_else(|| workspace::folder(context)).join(CONFIG_NAME);
                found.place_at(CONFIG_NAME, &path);
            }
            return Ok(found);
        }
    };
    let config = context.config();
    watched("checking the documents", || {
        crate::workspace::load_into(&root, config.as_deref(), EmptyWorkspace::Refused, &mut found)
    });
    // A plan knows what is live, and refuses or warns; here it is the only report.
    for finding in
        found.diagnostics.iter_mut().filter(|finding| finding.code == check::UNKNOWN_PROTECTED)
    {
        finding.severity = Severity::Error;
    }
    if let Some(base) = base {
        base.retain_new_of_workspace(&mut found, &root)?;
    }
    Ok(found)
}

/// Checks files one by one and returns the findings.
fn of_files(
    context: &Context,
    files: &[PathBuf],
    base: Option<&mut Base<'_>>,
) -> Result<Findings, Failure> {
    let mut found = Findings::default();
    let Some(base) = base else {
        watched("checking the documents", || crate::workspace::check_files(files, &mut found));
        return Ok(found);
    };
    let mut by_root: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for file in files {
        // The base is checked as a whole workspace, since files may refer to others.
        let absolute = workspace::folder(context).join(file);
        let root = crate::workspace::root_around(absolute.parent().unwrap_or(&absolute));
        by_root.entry(root).or_default().push(file.clone());
    }
    for (root, files) in by_root {
        let mut own = Findings::default();
        watched("checking the documents", || crate::workspace::check_files(&files, &mut own));
        base.retain_new_of_files(&mut own, &root, &files)?;
        found.append(own);
    }
    Ok(found)
}
