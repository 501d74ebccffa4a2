//! Writing one file as a whole, the state file, and the state folder.
//!
//! Invariant: wherever the run stops, a file has its old text or its new one: a new file beside the
//! old one takes its name, so that nothing is written through a link or into a pipe. Permissions
//! are kept.

#![expect(clippy::disallowed_methods, reason = "the one door to files")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use tempfile::NamedTempFile;

use super::open::{is_stream, opened};
use super::{FileError, Root, name, stays};
use crate::diagnostic::sanitize::without_commands;

impl Root {
    /// Writes `text` over an existing file. `path` is absolute, or relative to the current folder.
    ///
    /// # Errors
    /// Returns an error if the path leads elsewhere or is a link, if the file may not be written,
    /// or if the system fails; then the file is unchanged.
    pub fn replace(&self, path: &Path, text: &str) -> Result<(), FileError> {
        if fs::symlink_metadata(path)?.is_symlink() {
            return Err(FileError::Link(path.to_owned()));
        }
        swap(&self.resolve(path)?, text)
    }

    /// The path for writing a file of this name, with `/` between segments: neither the file nor a
    /// folder around it, inside of this one, is a link.
    pub(super) fn place(&self, name: &str) -> Result<PathBuf, FileError> {
        let path = Path::new(name);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(FileError::Outside);
        }
        name::internal(path).map_or(Ok(()), |name| Err(FileError::Internal(name)))?;
        let mut place = self.path().to_owned();
        for part in path.components() {
            place.push(part);
            if fs::symlink_metadata(&place).is_ok_and(|metadata| metadata.is_symlink()) {
                return Err(FileError::Link(
                    place.strip_prefix(self.path()).unwrap_or(&place).to_owned(),
                ));
            }
        }
        Ok(place)
    }

    /// The folder of this name for files of the program, created if it does not exist, with a
    /// `.gitignore` that excludes it.
    ///
    /// # Errors
    /// Returns an error if the name belongs to a link or another object, or if the system fails.
    pub fn state_folder(&self, name: &str) -> Result<PathBuf, FileError> {
        let folder = self.path().join(name);
        match fs::symlink_metadata(&folder) {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(FileError::Link(PathBuf::from(name)));
            }
            Ok(metadata) if !metadata.is_dir() => return Err(FileError::NotFolder),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&folder)?,
            Err(error) => return Err(error.into()),
        }
        let ignore = folder.join(".gitignore");
        match fs::File::create_new(&ignore) {
            Ok(mut file) => file.write_all(b"*\n")?,
            // An existing `.gitignore` is neither written nor read.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        Ok(folder)
    }
}

/// Writes a file that the command line names, replacing an existing one. Neither it nor a folder
/// around it may be a link that a commit may have created. The standard output and other streams of
/// the process are accepted; a pipeline may read them, so that they get no workflow command.
///
/// # Errors
/// Returns an error if the path is a link or not a regular file, or if the system fails; then the
/// file is unchanged.
pub fn write_named(path: &Path, text: &str) -> Result<(), FileError> {
    if is_stream(path) {
        let text = without_commands(text);
        return Ok(fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())?);
    }
    swap(&target(path)?, text)
}

/// Renames a file of the program to a free name.
///
/// # Errors
/// Returns an error if the name is taken, or the system fails; then nothing has changed.
pub fn rename_named(from: &Path, to: &Path) -> Result<(), FileError> {
    let (from, to) = (target(from)?, target(to)?);
    if fs::symlink_metadata(&to).is_ok() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
    }
    Ok(fs::rename(from, to)?)
}

/// Deletes a file of the program.
///
/// # Errors
/// Returns an error if it is not a regular file, or the system fails.
pub fn remove_named(path: &Path) -> Result<(), FileError> {
    Ok(fs::remove_file(target(path)?)?)
}

/// Opens a state file for reading and writing, and creates it if it does not exist. Neither it nor
/// a folder around it may be a link that a commit may have created.
///
/// # Errors
/// Returns an error if the path is a link or not a regular file, or the system cannot open it.
pub fn open_state(path: &Path) -> Result<File, FileError> {
    let target = target(path)?;
    let mut options = OpenOptions::new();
    match opened(&target, u64::MAX, options.read(true).write(true), || ()) {
        Err(error) if error.is_missing() => Ok(options.create_new(true).open(&target)?),
        opened => opened,
    }
}

/// The path for writing a file that the command line names: its folder with links followed, and its
/// own name.
pub(super) fn target(path: &Path) -> Result<PathBuf, FileError> {
    let name = path.file_name().ok_or(FileError::NotRegular)?;
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let target = fs::canonicalize(folder)?.join(name);
    stays(path, &target)?;
    match fs::symlink_metadata(&target) {
        Ok(metadata) if metadata.is_symlink() => Err(FileError::Link(path.to_owned())),
        Ok(metadata) if !metadata.is_file() => Err(FileError::NotRegular),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        Ok(_) | Err(_) => Ok(target),
    }
}

/// Replaces the file at a path without links.
pub(super) fn swap(target: &Path, text: &str) -> Result<(), FileError> {
    let permissions = match fs::symlink_metadata(target) {
        Ok(metadata) if !metadata.is_file() => return Err(FileError::NotRegular),
        // A rename would ignore the permissions of the file.
        Ok(metadata) if metadata.permissions().readonly() => return Err(FileError::ReadOnly),
        Ok(metadata) => Some(metadata.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let mut new = beside(target)?;
    new.write_all(text.as_bytes())?;
    if let Some(permissions) = permissions {
        new.as_file().set_permissions(permissions)?;
    }
    new.as_file().sync_all()?;
    new.persist(target).map_err(|error| error.error)?;
    Ok(())
}

/// A new file in the folder of another one, with the default permissions.
fn beside(target: &Path) -> Result<NamedTempFile, FileError> {
    let folder = target.parent().ok_or(FileError::NotRegular)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".seawall-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    Ok(builder.tempfile_in(folder)?)
}
