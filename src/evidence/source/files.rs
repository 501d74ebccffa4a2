//! The files that inputs stand for: folders are searched for files with the names of records.

use std::io;
use std::path::Path;

use super::{Input, ReadError};
use crate::source::disk::{FileError, check_named_folder, walk_named};

/// The extensions of files with records, without that of a compression.
pub(super) const ENDINGS: [&str; 5] = ["jsonl", "ndjson", "json", "csv", "log"];

/// The files of all inputs, each as often as it is named, and the number of other files in folders.
pub(super) fn files_of(inputs: &[Input]) -> Result<(Vec<Input>, usize), ReadError> {
    let (mut files, mut others) = (Vec::new(), 0);
    for input in inputs {
        let Input::Path(path) = input else {
            files.push(input.clone());
            continue;
        };
        if is_in_progress(path) {
            continue;
        }
        if !path.is_dir() {
            files.push(input.clone());
            continue;
        }
        check_named_folder(path).map_err(|source| ReadError::Open {
            path: path.to_string_lossy().into_owned(),
            source,
        })?;
        let before = files.len();
        for entry in walk_named(path) {
            let entry = entry.map_err(|error| ReadError::Open {
                path: error.path().unwrap_or(path).to_string_lossy().into_owned(),
                source: FileError::System(
                    error
                        .into_io_error()
                        .unwrap_or_else(|| io::Error::other("a link leads in a circle")),
                ),
            })?;
            if !entry.file_type().is_file() {
                continue;
            }
            if is_in_progress(entry.path()) {
                continue;
            }
            if is_of_records(entry.path()) {
                files.push(Input::Path(entry.into_path()))
            } else {
                others += 1
            }
        }
        if files.len() == before {
            return Err(ReadError::Nothing(path.to_string_lossy().into_owned()));
        }
    }
    Ok((files, others))
}

fn is_in_progress(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tmp"))
}

fn is_of_records(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let compressions = [".gz", ".zst", ".zstd"];
    let name = compressions.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    !name.starts_with('.')
        && name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}
