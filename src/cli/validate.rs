//! `seawall validate`: syntax, schema, meaning and traps of documents, offline.
//!
//! The findings are the result, so they go to standard output in every format.

use std::path::PathBuf;

use super::{Context, Exit, Failure, workspace};
use crate::check::{self, Emptiness};
use crate::diagnostic::Findings;
use crate::render::{diagnostic, findings};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Workspace folders, or files to check alone; without any, the workspace around the current folder
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
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
}

pub(super) fn run(context: &Context, Args { paths, format }: &Args) -> Result<Exit, Failure> {
    let mut found = Findings::default();
    let paths: Vec<PathBuf> = paths.iter().map(|path| context.path(path)).collect();
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| path.is_dir());
    if folders.is_empty() && files.is_empty() {
        let root = workspace::root(context, None)?;
        check::load_into(&root, context.config().as_deref(), Emptiness::Refused, &mut found);
    }
    for folder in &folders {
        let root = workspace::root(context, Some(folder))?;
        check::load_into(&root, context.config().as_deref(), Emptiness::Refused, &mut found);
    }
    check::check_files(&files, &mut found);
    found.sort();
    match format {
        Format::Human => {
            context.print(&diagnostic::human(&found, &workspace::folder(context)))?;
            context.note(&diagnostic::summary(&found));
        }
        Format::Json => context.print(&findings::json(&found))?,
    }
    Ok(if found.has_errors() { Exit::Invalid } else { Exit::Done })
}
