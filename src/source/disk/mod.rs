//! All access to files: everything that is opened, read or written by a path goes through this
//! module, and a lint keeps other modules from using the functions of the standard library.
//!
//! The author of a path decides how far it may lead:
//!
//! | path | by | links |
//! |---|---|---|
//! | documents, the files that they name, `vijil.seed` | the repository: [`Root::read`] | are followed, and end inside the workspace |
//! | files of the workspace that are written | the repository: [`Root::replace`], [`Root::write_all`] | are refused |
//! | the state folder | the repository: [`Root::state_folder`] | are refused |
//! | files on the command line | who runs the program: [`read_named`], [`open_named`], [`write_named`] | do not lead out of the repository around them; are refused where a file is written |
//! | credentials | who runs the program, outside of any repository: [`read_own`] | are followed |
//!
//! Invariants: nothing outside of a [`Root`], and nothing below its `.git` or `.seawall`, is read
//! or written, even through links. Only regular files are opened, so that no pipe, device or socket
//! can block. A file over the size limit is refused before it is read. A written file has its whole
//! new text or its old one.

mod batch;
mod name;
mod open;
mod scratch;
mod write;

use std::io;
use std::path::{Component, Path, PathBuf};

pub use batch::{BatchError, MadeFolders, Written, make_folder};
pub use name::is_internal;
pub use open::{
    bytes_opened, check_named_folder, open_named, read_named, read_own, unnamed, walk_named,
};
pub use scratch::Scratch;
pub use write::{open_state, remove_named, rename_named, write_named};

/// The largest snapshot or saved plan that is read, in bytes: twice the text of a full
/// organization.
pub const MAX_STATE_BYTES: u64 = 128 << 20;

/// The reason why a file is not opened, as a phrase that follows its name.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// After following links, it is outside of the required folder.
    #[error("it leads outside of the workspace")]
    Outside,
    /// After following links, it is in a folder that the repository must not access.
    #[error("it leads into `{0}`")]
    Internal(&'static str),
    /// It would be written, and it or one of its folders is a link.
    #[error("`{}` is a link", .0.display())]
    Link(PathBuf),
    /// A folder, a pipe, a device or a socket.
    #[error("it is not a regular file")]
    NotRegular,
    /// A name of a folder belongs to something else.
    #[error("it is not a folder")]
    NotFolder,
    /// It is larger than this many bytes.
    #[error("it is larger than {} MiB", .0 >> 20)]
    TooLarge(u64),
    /// It was replaced after it was checked.
    #[error("it was replaced while it was opened")]
    Replaced,
    /// Its permissions allow nobody to write it.
    #[error("it is read-only")]
    ReadOnly,
    /// It is not text.
    #[error("it is not UTF-8")]
    NotText,
    /// The system's own reason.
    #[error("{}", reason(.0))]
    System(io::Error),
}

impl From<io::Error> for FileError {
    // Its message has the cause already.
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl FileError {
    /// Returns `true` if the file does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::System(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Returns `true` if the reason is an error of the system, not a refusal.
    #[must_use]
    pub fn is_of_the_system(&self) -> bool {
        matches!(self, Self::System(_))
    }

    /// The advice for the user.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Outside | Self::Internal(_) => "name the file itself, without a link",
            Self::Link(_) => {
                "a link is not written through: name the file that it leads to, or remove the link"
            }
            Self::NotRegular => "name a regular file",
            Self::NotFolder => "name a folder",
            Self::TooLarge(_) => "name a smaller file",
            Self::Replaced => "run again once nothing else changes it",
            Self::ReadOnly => "give this user the right to write it",
            Self::NotText => "save it as UTF-8",
            Self::System(error) if error.kind() == io::ErrorKind::NotFound => {
                "check the name and the folder"
            }
            Self::System(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                "give this user the right to it"
            }
            Self::System(_) => "check the disk, and run again",
        }
    }
}

/// The system's error without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    let mut reason = text.get(..end).unwrap_or(&text).to_owned();
    if let Some(first) = reason.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    reason
}

/// A folder that paths may not leave: that of a workspace.
#[derive(Clone, Debug)]
pub struct Root {
    /// The path, with links followed.
    real: PathBuf,
}

impl Root {
    /// Opens the folder, which has to exist.
    ///
    /// # Errors
    /// Returns the error of the system.
    pub fn new(folder: &Path) -> Result<Self, FileError> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Ok(Self { real: std::fs::canonicalize(folder)? })
    }

    /// The folder that links of a document on the command line may not leave: the workspace around
    /// it, otherwise the repository around it, otherwise its own folder.
    ///
    /// # Errors
    /// Returns the error of the system if its folder does not exist.
    pub fn around(file: &Path) -> Result<Self, FileError> {
        let file = lexical(file)?;
        let folder = file.parent().unwrap_or(&file);
        let workspace = super::find_root(folder);
        Self::new(workspace.or_else(|| repository(folder)).unwrap_or(folder))
    }

    /// The folder, with links followed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.real
    }

    /// The content of a regular file, which may be a link inside of the folder. `path` is absolute,
    /// or relative to the current folder.
    ///
    /// # Errors
    /// Returns an error if the path leads elsewhere, is not a regular file, is larger than `limit`
    /// bytes, or the system cannot read it.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
        open::read_regular(&self.resolve(path)?, limit)
    }

    /// The path of an existing file, with links followed.
    ///
    /// # Errors
    /// Returns an error if the path leads out of the folder or into an internal one, or does not
    /// exist.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, FileError> {
        let real = std::fs::canonicalize(path)?;
        let inside = real.strip_prefix(&self.real).map_err(|_| FileError::Outside)?;
        name::internal(inside).map_or(Ok(()), |name| Err(FileError::Internal(name)))?;
        Ok(real)
    }

    /// A file's name in the folder, with links followed and `/` between segments.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn name(&self, path: &Path) -> Result<String, FileError> {
        let real = self.resolve(path)?;
        let inside = real.strip_prefix(&self.real).map_err(|_| FileError::Outside)?;
        Ok(inside
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect::<Vec<_>>()
            .join("/"))
    }
}

/// Returns `true` if a path leads out of a folder as it is written, whether or not it exists.
#[must_use]
pub fn leads_out(folder: &Path, path: &Path) -> bool {
    match (lexical(folder), lexical(path)) {
        (Ok(folder), Ok(path)) => !path.starts_with(folder),
        (_, _) => false,
    }
}

/// The entries of a folder, sorted by name, without following links.
#[expect(clippy::disallowed_methods, reason = "the one door to files")]
pub(super) fn walk(folder: &Path) -> walkdir::IntoIter {
    walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter()
}

/// Returns `true` if a folder exists and is empty, like one of a submodule that was not checked
/// out.
#[must_use]
pub fn is_empty_folder(folder: &Path) -> bool {
    std::fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir())
        && walk(folder).next().is_none()
}

/// The folder of the repository around a path, by its `.git`.
fn repository(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join(".git").exists())
}

/// The absolute path with `.` and `..` resolved textually: where a person expects it to lead.
fn lexical(path: &Path) -> Result<PathBuf, FileError> {
    let mut whole = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => whole.push(part),
        }
    }
    Ok(whole)
}

/// Refuses a path on the command line if a link leads it out of the repository or the workspace
/// around it, or into an internal folder. `real` is its actual target, `path` is where a person
/// expects it to lead.
fn stays(path: &Path, real: &Path) -> Result<(), FileError> {
    let path = lexical(path)?;
    let around =
        path.parent().and_then(|folder| repository(folder).or_else(|| super::find_root(folder)));
    let Some(around) = around else { return Ok(()) };
    let (Ok(written), root) = (path.strip_prefix(around), Root::new(around)?) else {
        return Ok(());
    };
    let inside = real.strip_prefix(root.path()).map_err(|_| FileError::Outside)?;
    match name::internal(inside).filter(|_| inside != written) {
        Some(name) => Err(FileError::Internal(name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
