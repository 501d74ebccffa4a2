//! The folder of a new workspace, and the repository around it.

use std::path::{Path, PathBuf};

use super::NewFile;
use crate::cli::session::git::Repository;
use crate::cli::session::workspace;
use crate::cli::{Context, Exit, Failure};
use crate::diagnostic::list;
use crate::diagnostic::sanitize::line;

/// The default branch of a new repository.
const MAIN: &str = "main";

/// The folder of a new workspace in its repository.
#[derive(Debug)]
pub(super) struct Destination {
    /// The top of the repository, or the workspace's folder without one. New files are named
    /// relative to it.
    pub(super) top: PathBuf,
    /// The workspace's folder, relative to the top, with `/` between segments; empty for the top
    /// itself.
    pub(super) folder: String,
    /// The current folder of the run.
    current: PathBuf,
    repository: Option<Repository>,
}

impl Destination {
    /// Resolves a folder that may not exist yet.
    ///
    /// # Errors
    ///
    /// Returns an error if it is a file, or if its path has a name that workflows cannot hold
    /// literally.
    pub(super) fn find(context: &Context, dir: Option<&Path>) -> Result<Self, Failure> {
        let current = workspace::folder(context);
        let current = clean(&current);
        let root = clean(&dir.map_or_else(|| current.clone(), |dir| current.join(dir)));
        if root.exists() && !root.is_dir() {
            return Err(Failure::new(Exit::Usage, format!("`{}` is not a folder", root.display()))
                .hint("name a folder"));
        }
        let Some((repository, inside)) = Repository::around(&root)? else {
            return Ok(Self { top: root, folder: String::new(), current, repository: None });
        };
        let segments: Vec<String> = inside
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        let plain = |segment: &String| {
            !segment.starts_with('-')
                && segment
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character))
        };
        if let Some(segment) = segments.iter().find(|segment| !plain(segment)) {
            let failure = Failure::new(
                Exit::Usage,
                format!("the folder `{}` cannot be named in workflows", line(segment)),
            );
            return Err(failure.hint("name a folder with ASCII letters, digits, `-`, `_` and `.`"));
        }
        let top = repository.top().to_owned();
        Ok(Self { top, folder: segments.join("/"), current, repository: Some(repository) })
    }

    /// The workspace's folder.
    pub(super) fn root(&self) -> PathBuf {
        if self.folder.is_empty() { self.top.clone() } else { self.top.join(&self.folder) }
    }

    /// A path relative to the current folder: of a file relative to the top, or of the workspace's
    /// folder.
    pub(super) fn shown(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.current).unwrap_or(path);
        path.components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect::<Vec<_>>()
            .join("/")
    }

    /// The branch that pull requests are merged into: the default branch of `origin`, if it is
    /// known.
    pub(super) fn default_branch(&self) -> String {
        let known = self.repository.as_ref().and_then(|repository| repository.default_branch());
        let plain = |branch: &String| {
            branch
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "-_./".contains(character))
        };
        known.filter(plain).unwrap_or_else(|| MAIN.to_owned())
    }

    /// The existing file that prevents a new one, by its name relative to the top.
    pub(super) fn existing(&self, file: &NewFile) -> Option<String> {
        let exists = |path: &&str| self.top.join(path).symlink_metadata().is_ok();
        std::iter::once(file.path.as_str())
            .chain(file.elsewhere.iter().copied())
            .find(exists)
            .map(str::to_owned)
    }

    /// Returns an error if a file of the workspace exists.
    ///
    /// # Errors
    ///
    /// Returns the names of all existing files.
    pub(super) fn refuse_to_overwrite(&self, files: &[NewFile]) -> Result<(), Failure> {
        let existing: Vec<String> = files
            .iter()
            .filter(|file| !file.optional)
            .filter_map(|file| self.existing(file))
            .collect();
        if existing.is_empty() {
            return Ok(());
        }
        let names: Vec<String> =
            existing.iter().map(|path| self.shown(&self.top.join(path))).collect();
        let (exist, them) = if existing.len() == 1 { ("exists", "it") } else { ("exist", "them") };
        let failure = Failure::new(
            Exit::Refused,
            format!("nothing was written: {} {exist} already", list::quoted(&names)),
        );
        Err(failure.hint(format!("name another folder, or move {them} away")))
    }
}

/// The path without `.` and `..`, so that its parents can be checked before it exists.
fn clean(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(part),
        }
    }
    clean
}
