//! `seawall validate`: syntax, schema, meaning and traps of documents, offline.
//!
//! The findings are the result, so they go to standard output in every format.

use std::path::PathBuf;

use super::watch::watched;
use super::{Context, Exit, Failure, output, workspace};
use crate::check::{self, EmptyWorkspace};
use crate::diagnostic::{Diagnostic, Findings, Severity, nearest};
use crate::render::{diagnostic, findings, github, sarif};
use crate::source::CONFIG_NAME;

const EXAMPLES: &str = "\
Examples:
  seawall validate                                     # the workspace around this folder
  seawall validate policies/web.yaml                   # one file alone, as pre-commit does
  seawall validate --format github                     # annotations on a pull request
  seawall validate --explain broad-allow               # what a finding means, with an example and a fix";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Workspace folders, or files to check alone; without any, the workspace around the current folder
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Explain a kind of finding instead, by the code that findings show in brackets
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "format"])]
    explain: Option<String>,
    /// How to show findings
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

pub(super) fn run(context: &Context, Args { paths, explain, format }: &Args) -> Result<Exit, Failure> {
    if let Some(code) = explain {
        let unknown = || {
            let failure = Failure::new(Exit::Usage, format!("there is no kind of finding `{code}`"));
            failure.hint(match nearest(code, check::codes()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "findings show their code in brackets".to_owned(),
            })
        };
        let check = check::find(code).ok_or_else(unknown)?;
        context.print(&findings::explanation(check))?;
        return Ok(Exit::Done);
    }
    let mut found = Findings::default();
    let paths: Vec<PathBuf> = paths.iter().map(|path| context.path(path)).collect();
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| path.is_dir());
    let mut workspaces: Vec<Option<PathBuf>> = folders.into_iter().map(Some).collect();
    if workspaces.is_empty() && files.is_empty() {
        workspaces.push(None);
    }
    for folder in workspaces {
        match workspace::root(context, folder.as_deref()) {
            Ok(root) => {
                let config = context.config();
                watched("checking the documents", || {
                    check::load_into(&root, config.as_deref(), EmptyWorkspace::Refused, &mut found)
                });
            }
            // A finding, so that programs get it in their format too.
            Err(Failure { message, hint, .. }) => {
                let finding = Diagnostic::error("no-workspace", message);
                found.diagnostics.push(Diagnostic { help: hint, ..finding });
            }
        }
    }
    watched("checking the documents", || check::check_files(&files, &mut found));
    if !matches!(format, Format::Human) {
        let folder = workspace::folder(context);
        found.place_at(CONFIG_NAME, &folder.join(CONFIG_NAME));
    }
    // A plan sees what is live, and refuses or warns; here, nobody else would say it.
    for finding in found.diagnostics.iter_mut().filter(|finding| finding.code == check::UNKNOWN_PROTECTED) {
        finding.severity = Severity::Error;
    }
    found.sort();
    match format {
        Format::Human => {
            context.print(&diagnostic::human(&found, &workspace::folder(context), context.detail()))?;
            context.note(&diagnostic::summary_of(&found, context.detail()));
        }
        Format::Sarif => context.print(&sarif::sarif(&found, &workspace::folder(context)))?,
        Format::Github => output::commands(&github::commands(&found, &workspace::folder(context)))?,
        Format::Json => context.print(&findings::json(&found))?,
    }
    Ok(if found.has_errors() { Exit::Invalid } else { Exit::Done })
}
