//! Reads files that are named on the command line, and reports failures.

use std::path::Path;

use super::{Exit, Failure};
use crate::plan::set;
use crate::source::disk::{self, FileError};

/// Reads a file that is not a document, such as a saved plan or a snapshot.
///
/// # Errors
///
/// Returns an error if the file cannot be read.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    disk::read_named(path, disk::MAX_STATE_BYTES).map_err(|error| not_read(path, &error))
}

/// Reads saved plans.
///
/// # Errors
///
/// Returns an error if the file cannot be read, or is not a plan that `plan --out` saved.
pub(crate) fn read_plans(file: &Path) -> Result<set::Saved, Failure> {
    set::from_json(&read(file)?).map_err(|error| {
        Failure::new(Exit::Refused, format!("`{}`: {error}", file.display()))
            .hint("make a new plan with `plan --out`")
    })
}

/// The failure for a file that cannot be read.
pub(crate) fn not_read(path: &Path, error: &FileError) -> Failure {
    Failure::new(Exit::Usage, format!("`{}` cannot be read: {error}", path.display()))
        .hint(error.hint())
}
