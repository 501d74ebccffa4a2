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
use crate::check::{self, Emptiness, Loaded};
use crate::document::Workspace as Settings;
use crate::model::Desired;
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
    /// Reads the base of this name, for each workspace: a file is a snapshot, what names a commit is one, and else it is
    /// a folder.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read. What is wrong for one workspace alone is that one's failure.
    pub(super) fn read_each(
        context: &Context,
        now: &[Workspace],
        root: &Path,
        name: &str,
    ) -> Result<Vec<Result<Self, Failure>>, Failure> {
        let path = context.path(Path::new(name));
        if path.is_file() {
            let snapshot = |now: &Workspace| {
                let state = live_from(context, now, Path::new(name))?;
                Ok(Self::Snapshot { name: name.to_owned(), state })
            };
            return Ok(now.iter().map(snapshot).collect());
        }
        let root = folder(context).join(root);
        let commit = match Repository::around(&root) {
            Some((repository, inside)) if may_be_a_commit(name) => {
                repository.commit(name)?.map(|commit| (repository, inside, commit))
            }
            Some(_) | None => None,
        };
        let base = match commit {
            Some((repository, inside, commit)) => {
                let copy = checked_out(&repository, &inside, &commit)?;
                documents(context, &root, copy.path(), name)?
            }
            None if path.is_dir() => documents(context, &root, &path, name)?,
            None => {
                let message =
                    format!("`--since`: `{name}` is neither a commit of this repository, nor a folder or a file");
                return Err(Failure::new(Exit::Usage, message)
                    .hint("name what the last apply left: a commit, a folder with its documents, or a snapshot"));
            }
        };
        let of_each = |now: &Workspace| {
            let Desired { policies, agents } = &base.desired;
            let policies = if had(&base.settings, now) { policies.clone() } else { Vec::new() };
            let workspace = Box::new(now.with(&Desired { policies, agents: agents.clone() }));
            Ok(Self::Documents { name: name.to_owned(), workspace })
        };
        Ok(now.iter().map(of_each).collect())
    }

    /// As the command line names it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Documents { name, .. } | Self::Snapshot { name, .. } => name,
        }
    }
}

/// The workspace of then.
fn documents(context: &Context, root: &Path, base: &Path, name: &str) -> Result<Loaded, Failure> {
    // Settings that lie in the workspace are taken from the base, others from where they are.
    let config = context.config().map(|config| {
        let config = folder(context).join(config);
        config.strip_prefix(root).map(|inside| base.join(inside)).unwrap_or(config)
    });
    check::load(base, config.as_deref(), Emptiness::Refused).map_err(|findings| {
        context.note(diagnostic::human(&findings, &folder(context)).trim_end());
        let message = format!("the documents of `{name}` are wrong: {}", diagnostic::summary(&findings));
        Failure::new(Exit::Usage, message).hint("name a commit whose documents were applied")
    })
}

/// Whether the workspace of then was for the organization of now. Where both have one, it may have got another name.
fn had(then: &Settings, now: &Workspace) -> bool {
    let (Some(then), Some(now)) = (&then.docker, &now.docker) else { return false };
    match (&then.orgs, &now.orgs, &now.org) {
        (Some(orgs), _, Some(org)) => orgs.contains(org),
        (None, Some(_), Some(org)) => then.org.as_ref() == Some(org),
        (_, _, _) => true,
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
