//! A temporary folder for the files of a commit, which is read as a workspace and deleted when it
//! is dropped.
//!
//! Invariant: nothing is written outside of it, and its links are only read, through
//! [`super::Root`].

#![expect(clippy::disallowed_methods, reason = "the one door to files")]

use std::fs;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use super::{FileError, name};

/// A folder that is deleted when it is dropped.
#[derive(Debug)]
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// A new folder that no other user may read.
    ///
    /// # Errors
    /// Returns the error of the system.
    pub fn new() -> Result<Self, FileError> {
        Ok(Self(tempfile::tempdir()?))
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file.
    ///
    /// # Errors
    /// Returns an error if the path is not that of a file in the folder, or if something exists
    /// there.
    pub fn file(&self, path: &str, content: &[u8]) -> Result<(), FileError> {
        Ok(fs::File::create_new(self.place(path)?)?.write_all(content)?)
    }

    /// Writes a placeholder for a file of this size, which is too large to be read.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub fn oversized(&self, path: &str, bytes: u64) -> Result<(), FileError> {
        Ok(fs::File::create_new(self.place(path)?)?.set_len(bytes)?)
    }

    /// Creates a symbolic link, after all files; on systems where git writes links as files, such a
    /// file.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub fn link(&self, path: &str, target: &str) -> Result<(), FileError> {
        #[cfg(unix)]
        return Ok(std::os::unix::fs::symlink(target, self.place(path)?)?);
        #[cfg(not(unix))]
        return self.file(path, target.as_bytes());
    }

    /// The path of a file, after creating its folders. Names that git never writes into a work tree
    /// are refused.
    fn place(&self, path: &str) -> Result<PathBuf, FileError> {
        let path = Path::new(path);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(FileError::Outside);
        }
        name::internal(path).map_or(Ok(()), |name| Err(FileError::Internal(name)))?;
        let mut place = self.path().to_owned();
        let (folders, file) =
            (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
        for part in folders.components() {
            place.push(part);
            match fs::symlink_metadata(&place) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(FileError::NotFolder),
                Err(_) => fs::create_dir(&place)?,
            }
        }
        Ok(place.join(file))
    }
}
