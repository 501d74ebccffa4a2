//! `--since REF|DIR|FILE`: what the last apply left.
//!
//! Invariant: the documents of a commit are read as that commit has them, whatever lies in the folder; they are put where
//! nothing else is, and nothing of them is run.

use std::fs;
use std::path::{Component, Path};

use tempfile::TempDir;

use super::git::Repository;
use super::planning::{State, Workspace, live_from};
use super::workspace::folder;
use super::{Context, Exit, Failure};
use crate::check::{self, Emptiness};
use crate::render::diagnostic;

/// What the last apply left.
#[derive(Debug)]
pub(super) enum Since {
    /// The documents that were applied.
    Documents {
        /// As the command line names them.
        name: String,
        /// The workspace of then.
        workspace: Box<Workspace>,
    },
    /// The live state of then.
    Snapshot {
        /// As the command line names it.
        name: String,
        /// What was live.
        state: State,
    },
}

impl Since {
    /// Reads the base of this name: a file is a snapshot, what names a commit is one, and else it is a folder.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    pub(super) fn read(context: &Context, now: &Workspace, name: &str) -> Result<Self, Failure> {
        let path = context.path(Path::new(name));
        if path.is_file() {
            let state = live_from(context, now, Path::new(name))?;
            return Ok(Self::Snapshot { name: name.to_owned(), state });
        }
        let root = folder(context).join(&now.loaded.root);
        let commit = match Repository::around(&root) {
            Some((repository, inside)) if may_be_a_commit(name) => {
                repository.commit(name)?.map(|commit| (repository, inside, commit))
            }
            Some(_) | None => None,
        };
        match commit {
            Some((repository, inside, commit)) => {
                let copy = checked_out(&repository, &inside, &commit)?;
                Self::documents(context, &root, copy.path(), name)
            }
            None if path.is_dir() => Self::documents(context, &root, &path, name),
            None => {
                let message =
                    format!("`--since`: `{name}` is neither a commit of this repository, nor a folder or a file");
                Err(Failure::new(Exit::Usage, message)
                    .hint("name what the last apply left: a commit, a folder with its documents, or a snapshot"))
            }
        }
    }

    fn documents(context: &Context, root: &Path, base: &Path, name: &str) -> Result<Self, Failure> {
        // Settings that lie in the workspace are taken from the base, others from where they are.
        let config = context.config().map(|config| {
            let config = folder(context).join(config);
            config.strip_prefix(root).map(|inside| base.join(inside)).unwrap_or(config)
        });
        let loaded = check::load(base, config.as_deref(), Emptiness::Refused).map_err(|findings| {
            context.note(diagnostic::human(&findings, &folder(context)).trim_end());
            let message = format!("the documents of `{name}` are wrong: {}", diagnostic::summary(&findings));
            Failure::new(Exit::Usage, message).hint("name a commit whose documents were applied")
        })?;
        Ok(Self::Documents { name: name.to_owned(), workspace: Box::new(Workspace::of(context, loaded)?) })
    }

    /// As the command line names it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Documents { name, .. } | Self::Snapshot { name, .. } => name,
        }
    }
}

/// Whether `git` may be asked: paths that are written as paths are none, and options are nothing at all.
fn may_be_a_commit(name: &str) -> bool {
    let path = Path::new(name);
    let written_as_path = path.is_absolute()
        || matches!(path.components().next(), Some(Component::CurDir | Component::ParentDir))
        || name.ends_with(['/', '\\']);
    !(name.is_empty() || name.starts_with('-') || name.contains(char::is_control) || written_as_path)
}

/// The regular files of the workspace in a commit, in a folder of their own.
#[expect(
    clippy::disallowed_methods,
    reason = "a commit's files go to a folder of their own, to be read as a workspace"
)]
fn checked_out(repository: &Repository, inside: &Path, commit: &str) -> Result<TempDir, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("the base cannot be put down: {error}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    for (path, content) in repository.files(commit, inside)? {
        let path = Path::new(&path);
        if path.components().any(|part| !matches!(part, Component::Normal(_))) {
            continue;
        }
        let target = folder.path().join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(target, content).map_err(failed)?;
    }
    Ok(folder)
}
