//! Writing of files to the disk, with the report of failures. No write is watched.

use std::path::Path;

use super::{Context, Exit, Failure, watch};
use crate::diagnostic::list;
use crate::source::disk::{self, BatchError, FileError, Root};

pub(crate) use crate::source::disk::Written;

/// Writes the files of the workspace in `root`.
///
/// # Errors
///
/// Returns an error if a file cannot be written; then none is written.
pub(crate) fn write_all(root: &Path, files: &[Written<'_>]) -> Result<(), Failure> {
    watch::stop();
    let root = Root::new(root).map_err(|error| not_written(root, &error))?;
    root.write_all(files).map_err(|error| {
        let message = error.to_string();
        let BatchError { path: _, error, stuck } = error;
        let names: Vec<String> = stuck.iter().map(|path| path.display().to_string()).collect();
        match names.as_slice() {
            [] => Failure::new(Exit::Failed, message)
                .hint(format!("nothing was written; {}", error.hint())),
            names => Failure::new(Exit::Partial, message).hint(format!(
                "the other files were restored, except for {}: check these",
                list::quoted(names)
            )),
        }
    })
}

/// Replaces the text of an existing document.
///
/// # Errors
///
/// Returns an error if the file cannot be written; then it is unchanged.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    watch::stop();
    Root::around(path)
        .and_then(|root| root.replace(path, text))
        .map_err(|error| not_written(path, &error))
}

/// Writes the file that a flag names, replacing an existing one.
///
/// # Errors
///
/// As [`replace`].
pub(crate) fn write_named(path: &Path, text: &str) -> Result<(), Failure> {
    watch::stop();
    disk::write_named(path, text).map_err(|error| not_written(path, &error))
}

pub(crate) fn not_written(path: &Path, error: &FileError) -> Failure {
    Failure::new(Exit::Failed, format!("`{}` cannot be written: {error}", path.display()))
        .hint(error.hint())
}

/// Writes a new document. An existing file is not replaced.
///
/// # Errors
///
/// Returns an error if the file exists or cannot be written.
pub(crate) fn write_new(context: &Context, file: &Path, text: &str) -> Result<(), Failure> {
    let path = context.path(file);
    if path.exists() {
        let failure = Failure::new(Exit::Usage, format!("`{}` is there already", file.display()));
        return Err(failure.hint("name a new file, or delete that one first"));
    }
    write_named(&path, text)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the test looks at the files")]
mod tests {
    use std::fs;

    use super::{Written, write_all};

    fn written<'a>(path: &'a str, text: &'a str, overwrites: bool) -> Written<'a> {
        Written { path, text: Some(text), overwrites }
    }

    fn all_files(root: &std::path::Path) -> Vec<String> {
        let walk = walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name();
        walk.into_iter()
            .map(|entry| entry.unwrap().path().strip_prefix(root).unwrap().display().to_string())
            .collect()
    }

    #[test]
    fn all_files_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("old.yaml"), "old").unwrap();
        fs::write(root.join("there.yaml"), "there").unwrap();
        fs::write(root.join("gone.yaml"), "gone").unwrap();
        // Another process created the last file in between.
        let files = [
            written("a/b/new.yaml", "new", false),
            written("old.yaml", "changed", true),
            Written { path: "gone.yaml", text: None, overwrites: true },
            written("there.yaml", "x", false),
        ];
        let failure = write_all(root, &files).unwrap_err();
        assert!(failure.message.contains("there.yaml"), "{failure:?}");
        assert_eq!(all_files(root), ["gone.yaml", "old.yaml", "there.yaml"]);
        assert_eq!(fs::read_to_string(root.join("old.yaml")).unwrap(), "old");
        write_all(root, &files[..3]).unwrap();
        assert_eq!(all_files(root), ["a", "a/b", "a/b/new.yaml", "old.yaml", "there.yaml"]);
        assert_eq!(fs::read_to_string(root.join("old.yaml")).unwrap(), "changed");
    }
}
