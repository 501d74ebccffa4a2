//! `seawall fmt`: formats documents. Meaning, comments and blank lines stay.
//!
//! Invariant: a file is written only if its new text provably has the same meaning, and then as a
//! whole; a file that cannot be formatted is reported with the reason.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::session::writing::replace;
use super::session::{output, workspace};
use super::{Context, Exit, Failure};
use crate::diagnostic::{Diagnostic, FileId, Findings, sanitize};
use crate::format::{Layout, format};
use crate::render::{diff, words};
use crate::source::disk::Root;
use crate::source::{self, MAX_FILE_BYTES};

const EXAMPLES: &str = "\
Examples:
  seawall fmt                                          # every document of the workspace
  seawall fmt --check                                  # in a pipeline: writes nothing
  seawall fmt policies/web.yaml                        # one file, as pre-commit does
  seawall fmt - < policies/web.yaml                    # for editors

Keys take the order of the documentation, two blanks are a level, and needless quotes go.
What a document means, its comments and its blank lines stay.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Workspace folders or files, or `-` for standard input; without any, the workspace around the
    /// current folder
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// Write nothing: print the changes, and exit with 1 if there are any
    #[arg(long)]
    check: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
    if let [only] = args.paths.as_slice()
        && is_stdin(only)
    {
        return standard_input(context, args.check);
    }
    if args.paths.iter().any(is_stdin) {
        let failure = Failure::new(
            Exit::Usage,
            "`-` means standard input, and cannot be combined with other paths",
        );
        return Err(failure.hint("name files, or give `-` alone"));
    }
    let mut found = Findings::default();
    let files = files(context, &args.paths, &mut found);
    let mut run = Run { context, check: args.check, found, changed: 0, failed: None };
    for (file, given) in files {
        run.file(file, given)?;
    }
    run.finish()
}

/// The files to format, each once, and whether it was named on the command line.
fn files(context: &Context, paths: &[PathBuf], found: &mut Findings) -> Vec<(FileId, bool)> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| context.path(path)).collect();
    let (folders, alone): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.into_iter().partition(|path| path.is_dir());
    let mut workspaces: Vec<Option<PathBuf>> = folders.into_iter().map(Some).collect();
    if workspaces.is_empty() && alone.is_empty() {
        workspaces.push(None);
    }
    let name = |path: &Path| path.to_string_lossy().replace('\\', "/");
    let mut named: Vec<(String, PathBuf, bool)> =
        alone.into_iter().map(|path| (name(&path), path, true)).collect();
    for folder in workspaces {
        match workspace::root(context, folder.as_deref()) {
            Ok(root) => {
                let files = crate::workspace::files(&root, context.config().as_deref(), found);
                named.extend(files.into_iter().map(|(name, path)| (name, path, false)));
            }
            Err(Failure { message, hint, .. }) => {
                let finding = Diagnostic::error("no-workspace", message);
                found.diagnostics.push(Diagnostic { help: hint, ..finding });
            }
        }
    }
    // Links are not followed: their target is formatted under its own name, if that is among the
    // files.
    named.sort_by_key(|(_, path, _)| path.is_symlink());
    let target = |path: &PathBuf| Root::around(path).and_then(|root| root.resolve(path));
    let mut seen = BTreeSet::new();
    named.retain(|(_, path, _)| seen.insert(target(path).unwrap_or_else(|_| path.clone())));
    let read = |(name, path, given): (String, PathBuf, bool)| {
        source::add_file(
            &mut found.files,
            Root::around(&path),
            &name,
            &path,
            &mut found.diagnostics,
        )
        .map(|file| (file, given))
    };
    named.into_iter().filter_map(read).collect()
}

/// The results of the files so far.
struct Run<'a> {
    context: &'a Context,
    check: bool,
    found: Findings,
    changed: usize,
    failed: Option<Failure>,
}

impl Run<'_> {
    fn file(&mut self, file: FileId, given: bool) -> Result<(), Failure> {
        let source = self.found.files.get(file);
        let folder = workspace::folder(self.context);
        let shown = sanitize::line(
            &source.path.strip_prefix(&folder).unwrap_or(&source.path).to_string_lossy(),
        )
        .into_owned();
        match format(file, &source.text, &mut self.found.diagnostics) {
            Layout::Text(new) if new == source.text => {}
            Layout::Text(new) => {
                self.changed += 1;
                if self.check {
                    return self.context.print(&diff::unified(&shown, &source.text, &new));
                }
                match replace(&source.path, &new) {
                    Ok(()) => self.context.print(&format!("Formatted {shown}\n"))?,
                    // The other files can still be formatted.
                    Err(failure) => self.failed = Some(self.failed.take().unwrap_or(failure)),
                }
            }
            Layout::Foreign if given => {
                self.context.note(&left(&shown, "it holds no document of seawall alone"))
            }
            Layout::Kept(reason) => self.context.note(&left(&shown, reason)),
            Layout::Foreign | Layout::Broken => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Exit, Failure> {
        report(self.context, &mut self.found);
        if let Some(failure) = self.failed {
            return Err(failure);
        }
        if self.check && self.changed > 0 {
            let files = words::count(self.changed, "file");
            self.context.note(&format!("{files} would change: `seawall fmt` writes this layout"));
        }
        let wrong = self.found.has_errors() || (self.check && self.changed > 0);
        Ok(if wrong { Exit::Invalid } else { Exit::Done })
    }
}

fn left(shown: &str, reason: &str) -> String {
    format!("note: `{shown}` is not changed: {reason}")
}

/// Prints findings on standard error. Errors end the run with 1, so that not even `-q` hides them.
fn report(context: &Context, found: &mut Findings) {
    found.sort();
    let _ = write!(output::stderr(), "{}", context.findings(found));
}

/// Formats standard input to standard output, for editors.
fn standard_input(context: &Context, check: bool) -> Result<Exit, Failure> {
    const NAME: &str = "standard input";
    let failed = |reason: String| {
        Failure::new(Exit::Failed, format!("standard input cannot be read: {reason}"))
            .hint("pass the text of one document file, in UTF-8")
    };
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(failed(format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    let mut found = Findings::default();
    let file = found.files.add(NAME, NAME, text.clone());
    let new = match format(file, &text, &mut found.diagnostics) {
        Layout::Text(new) => new,
        Layout::Foreign => {
            context.note(&left(NAME, "it holds no document of seawall alone"));
            text.clone()
        }
        Layout::Kept(reason) => {
            context.note(&left(NAME, reason));
            text.clone()
        }
        Layout::Broken => {
            report(context, &mut found);
            return Ok(Exit::Invalid);
        }
    };
    if !check {
        output::document(context.environment(), &new)?;
        return Ok(Exit::Done);
    }
    context.print(&diff::unified(NAME, &text, &new))?;
    Ok(if new == text { Exit::Done } else { Exit::Invalid })
}
