//! A file's text, replaced as a whole.
//!
//! Invariant: wherever the run stops, the file holds its old text or its new one. Its permissions stay; a link stays a
//! link, and what it leads to is written.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

use super::{Exit, Failure};

/// Writes `text` over a file that is there.
///
/// # Errors
///
/// When the file may not be written, or the machine fails; then it is as it was.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    swap(path, text)
        .map_err(|error| Failure::new(Exit::Failed, format!("`{}` cannot be written: {error}", path.display())))
}

fn swap(path: &Path, text: &str) -> std::io::Result<()> {
    let target = fs::canonicalize(path)?;
    let permissions = fs::metadata(&target)?.permissions();
    // A rename would get around this.
    if permissions.readonly() {
        return Err(std::io::Error::other("it is read-only"));
    }
    let folder = target.parent().ok_or_else(|| std::io::Error::other("it is in no folder"))?;
    let mut new = NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().set_permissions(permissions)?;
    new.as_file().sync_all()?;
    new.persist(&target).map_err(|error| error.error)?;
    Ok(())
}
