//! Writing files of a workspace: all of them, or none.
//!
//! Invariant: a file has its whole new text or its old one. Nothing is written through a link or
//! outside of the workspace, and a file is overwritten only if it is known to exist. If a write
//! fails, earlier ones are reverted, and the error names those that could not be.

#![expect(clippy::disallowed_methods, reason = "the one door to files")]

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{FileError, Root, write};

/// A file of a workspace to write.
#[derive(Debug)]
pub struct Written<'a> {
    /// Relative to the workspace, with `/` between segments.
    pub path: &'a str,
    /// The whole text; `None` to delete the file.
    pub text: Option<&'a str>,
    /// True if it replaces a file.
    pub overwrites: bool,
}

/// The error for files that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be written: {error}", path.display())]
pub struct BatchError {
    /// The file that failed.
    pub path: PathBuf,
    /// The reason.
    pub error: FileError,
    /// Files whose changes could not be reverted; empty if nothing is written.
    pub stuck: Vec<PathBuf>,
}

/// A file whose text is on disk under a temporary name.
struct Ready {
    target: PathBuf,
    aside: PathBuf,
    before: Option<String>,
    /// True if the file will be deleted: it keeps a temporary name until all others are in place.
    goes: bool,
}

type Step = Result<(), (PathBuf, FileError)>;

impl Root {
    /// Writes files of the workspace.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written; then none is, except for the files that the
    /// error names. Also if a file was written, but its predecessor could not be removed.
    pub fn write_all(&self, files: &[Written<'_>]) -> Result<(), BatchError> {
        let mut folders = Vec::new();
        let mut ready = Vec::new();
        let mut done = 0;
        let prepared =
            files.iter().try_for_each(|file| self.prepare(file, &mut folders, &mut ready));
        let placed = prepared.and_then(|()| {
            ready.iter().try_for_each(|one| {
                place(one).map_err(|error| (one.target.clone(), error))?;
                done += 1;
                Ok(())
            })
        });
        match placed {
            Ok(()) => take_away(&ready),
            Err((path, error)) => {
                Err(BatchError { path, error, stuck: undo(&ready, done, &folders) })
            }
        }
    }

    /// Writes the text under a temporary name beside the file.
    fn prepare(
        &self,
        file: &Written<'_>,
        folders: &mut Vec<PathBuf>,
        ready: &mut Vec<Ready>,
    ) -> Step {
        let at = |error: FileError| (self.path().join(file.path), error);
        let io = |error: io::Error| at(error.into());
        let target = self.place(file.path).map_err(at)?;
        make_folders(target.parent().unwrap_or(self.path()), folders).map_err(io)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let aside = target.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let Some(text) = file.text else {
            ready.push(Ready { target, aside, before: None, goes: true });
            return Ok(());
        };
        let mut before = None;
        if file.overwrites {
            let bytes = self.read(&target, super::super::MAX_FILE_BYTES).map_err(at)?;
            before = Some(String::from_utf8(bytes).map_err(|_| at(FileError::NotText))?);
        }
        let mut open = fs::File::create_new(&aside).map_err(io)?;
        ready.push(Ready { target: target.clone(), aside: aside.clone(), before, goes: false });
        open.write_all(text.as_bytes()).and_then(|()| open.sync_all()).map_err(io)?;
        if file.overwrites {
            let permissions = fs::symlink_metadata(&target).map_err(io)?.permissions();
            open.set_permissions(permissions).map_err(io)?;
        }
        Ok(())
    }
}

/// Folders that were created for new files.
#[derive(Debug)]
pub struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Deletes them again; a folder that is not empty stays.
    pub fn take_back(self) {
        for folder in self.0.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Creates a folder that the command line names, with its parents.
///
/// # Errors
/// Returns the error of the system; then no folder is created.
pub fn make_folder(folder: &Path) -> Result<MadeFolders, FileError> {
    let mut made = MadeFolders(Vec::new());
    match make_folders(folder, &mut made.0) {
        Ok(()) => Ok(made),
        Err(error) => {
            made.take_back();
            Err(error.into())
        }
    }
}

/// Creates the folder and its parents, and records the new ones.
fn make_folders(folder: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let is_missing =
        |folder: &&Path| !folder.as_os_str().is_empty() && fs::symlink_metadata(folder).is_err();
    let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
    for folder in missing.into_iter().rev() {
        fs::create_dir(folder)?;
        made.push(folder.to_owned());
    }
    Ok(())
}

/// Renames a text to its final name.
fn place(ready: &Ready) -> Result<(), FileError> {
    if ready.goes {
        return Ok(fs::rename(&ready.target, &ready.aside)?);
    }
    if ready.before.is_some() {
        return Ok(fs::rename(&ready.aside, &ready.target)?);
    }
    // A link is created only if the name is free, which a rename does not guarantee.
    match fs::hard_link(&ready.aside, &ready.target) {
        Ok(()) => fs::remove_file(&ready.aside)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error.into()),
        Err(_) if ready.target.symlink_metadata().is_ok() => {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        Err(_) => fs::rename(&ready.aside, &ready.target)?,
    }
    Ok(())
}

/// Deletes the files that are to be deleted.
fn take_away(ready: &[Ready]) -> Result<(), BatchError> {
    for one in ready.iter().filter(|one| one.goes) {
        fs::remove_file(&one.aside).map_err(|error| BatchError {
            path: one.target.clone(),
            error: error.into(),
            stuck: vec![one.aside.clone()],
        })?;
    }
    Ok(())
}

/// Reverts the first `done` files and deletes the temporary files; returns the paths that could not
/// be reverted.
fn undo(ready: &[Ready], done: usize, folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut stuck = Vec::new();
    for (index, one) in ready.iter().enumerate() {
        if one.goes {
            if index < done && fs::rename(&one.aside, &one.target).is_err() {
                stuck.push(one.aside.clone());
            }
            continue;
        }
        let is_back = match &one.before {
            _ if index >= done => true,
            Some(before) => write::swap(&one.target, before).is_ok(),
            None => fs::remove_file(&one.target).is_ok(),
        };
        if !is_back {
            stuck.push(one.target.clone());
        }
        if one.aside.symlink_metadata().is_ok() && fs::remove_file(&one.aside).is_err() {
            stuck.push(one.aside.clone());
        }
    }
    for folder in folders.iter().rev() {
        // A folder in which somebody else has created something stays.
        let _ = fs::remove_dir(folder);
    }
    stuck
}
