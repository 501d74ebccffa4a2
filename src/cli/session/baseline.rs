//! `validate --base REF`: the findings of a commit, to identify new ones.
//!
//! Invariant: only a commit is a base, and its documents are read as they were committed, whatever
//! the folder holds.

use std::path::{Path, PathBuf};

use super::commit::{checked_out, may_be_a_commit};
use super::git::Repository;
use super::watch::watched;
use super::{Context, Exit, Failure, workspace};
use crate::check::baseline;
use crate::diagnostic::Findings;
use crate::render::findings::Older;
use crate::source::disk::Scratch;
use crate::workspace::EmptyWorkspace;

/// A commit whose findings are hidden.
#[derive(Debug)]
pub(crate) struct Base<'a> {
    context: &'a Context,
    /// The name as given on the command line.
    name: &'a str,
    older: usize,
}

impl<'a> Base<'a> {
    /// A base with this name, which is a ref or a commit.
    ///
    /// # Errors
    ///
    /// Returns an error if no commit can have the name.
    pub(crate) fn new(context: &'a Context, name: &'a str) -> Result<Self, Failure> {
        if may_be_a_commit(name) {
            Ok(Self { context, name, older: 0 })
        } else {
            Err(unknown(name))
        }
    }

    /// The number of findings that were hidden so far, with the name of the base.
    pub(crate) fn older(&self) -> Older<'_> {
        Older { base: self.name, count: self.older }
    }

    /// Removes the findings of the base from those of the workspace `root`.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such commit, or if it cannot be read.
    pub(crate) fn retain_new_of_workspace(
        &mut self,
        found: &mut Findings,
        root: &Path,
    ) -> Result<(), Failure> {
        let root = baseline::plain(&workspace::folder(self.context).join(root));
        let copy = self.copy(&root)?;
        // Settings inside of the workspace are read from the base, others from their own place.
        let config = self.context.config().map(|config| {
            let config = workspace::folder(self.context).join(config);
            config.strip_prefix(&root).map(|inside| copy.path().join(inside)).unwrap_or(config)
        });
        let mut then = Findings::default();
        watched("checking the documents of the base", || {
            crate::workspace::load_into(
                copy.path(),
                config.as_deref(),
                EmptyWorkspace::Refused,
                &mut then,
            )
        });
        self.older += baseline::retain_new(found, &root, &then, copy.path());
        Ok(())
    }

    /// The same for findings in files below `root` that were checked individually.
    ///
    /// # Errors
    ///
    /// As [`Self::retain_new_of_workspace`].
    pub(crate) fn retain_new_of_files(
        &mut self,
        found: &mut Findings,
        root: &Path,
        files: &[PathBuf],
    ) -> Result<(), Failure> {
        let root = baseline::plain(root);
        let copy = self.copy(&root)?;
        let place = |file: &PathBuf| {
            let file = baseline::plain(&workspace::folder(self.context).join(file));
            file.strip_prefix(&root)
                .map(|inside| copy.path().join(inside))
                .ok()
                .filter(|file| file.is_file())
        };
        let files: Vec<PathBuf> = files.iter().filter_map(place).collect();
        let mut then = Findings::default();
        watched("checking the documents of the base", || {
            crate::workspace::check_files(&files, &mut then)
        });
        self.older += baseline::retain_new(found, &root, &then, copy.path());
        Ok(())
    }

    /// A folder of the commit; empty if the commit does not have it.
    fn copy(&self, root: &Path) -> Result<Scratch, Failure> {
        let Some((repository, inside)) = Repository::around(root)? else {
            let failure = Failure::new(
                Exit::Usage,
                format!("`--base`: `{}` is in no repository", root.display()),
            );
            return Err(failure.hint("leave `--base` out, or run in a clone"));
        };
        let commit = repository.commit(self.name)?.ok_or_else(|| unknown(self.name))?;
        checked_out(&repository, &inside, &commit)
    }
}

fn unknown(name: &str) -> Failure {
    Failure::new(Exit::Usage, format!("`--base`: `{name}` is not a commit of this repository"))
        .hint("fetch the base branch first, as in `git fetch origin main`")
}
