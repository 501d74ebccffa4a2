//! Reads files as text.
//!
//! Invariant: a file that cannot be read as text is reported, never an empty file.

use std::path::Path;

use super::disk::{FileError, Root, leads_out};
use crate::diagnostic::{Diagnostic, FileId, Files, Label};

/// The largest file that is read: four times the service's full size (100 policies of 250 rules
/// each) in one file.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// The result of opening a file, which any thread may produce and which is added to [`Files`] in
/// order.
#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    /// Not UTF-8 from this byte on.
    Broken {
        lossy: String,
        valid: usize,
        utf16: bool,
    },
    Failed(FileError),
    /// A replacement says that the file is going to be deleted.
    Gone,
}

/// Reads a file and adds it to `files` under a name. It may not be outside of `root`; without a
/// root, nothing may be read. Returns `None` and adds the fault to `findings` if it cannot be read.
pub fn add_file(
    files: &mut Files,
    root: Result<Root, FileError>,
    name: &str,
    path: &Path,
    findings: &mut Vec<Diagnostic>,
) -> Option<FileId> {
    let content = match root {
        Ok(root) => open(files, &root, name, path),
        Err(error) => Content::Failed(error),
    };
    add(files, name, path, content, findings)
}

pub(super) fn add(
    files: &mut Files,
    name: &str,
    path: &Path,
    content: Content,
    findings: &mut Vec<Diagnostic>,
) -> Option<FileId> {
    let (text, finding) = match content {
        Content::Text(text) => return Some(files.add(name, path, text)),
        Content::Broken { lossy, valid, utf16 } => {
            let message = if utf16 {
                "the file is UTF-16, not UTF-8"
            } else {
                "the file is not UTF-8 from here on"
            };
            (
                lossy,
                (
                    Diagnostic::error("not-utf8", message).help("save the file as UTF-8"),
                    valid..valid + 3,
                ),
            )
        }
        Content::Failed(error) => (String::new(), (unreadable(name, &error), 0..0)),
        Content::Gone => {
            let finding =
                Diagnostic::error("unreadable-file", "the file cannot be read: it is removed");
            (String::new(), (finding.help("remove what refers to it"), 0..0))
        }
    };
    let file = files.add(name, path, text);
    let (finding, span) = finding;
    findings.push(finding.at(Label::new(file, span)));
    None
}

/// The finding for a file that cannot be opened.
fn unreadable(name: &str, error: &FileError) -> Diagnostic {
    match error {
        FileError::Outside => {
            let message = format!("`{name}` is a link to a file outside of the workspace");
            Diagnostic::error("outside-workspace", message).help("move the file into the workspace")
        }
        FileError::Internal(folder) => {
            let message = format!("`{name}` leads into `{folder}`, which holds no documents");
            Diagnostic::error("outside-workspace", message).help("move the file out of that folder")
        }
        FileError::TooLarge(limit) => {
            let message = format!("the file is larger than {} MiB", limit >> 20);
            let help = "split it into several files, or leave it out with `include`";
            Diagnostic::error("file-too-large", message).help(help)
        }
        FileError::Link(_)
        | FileError::NotRegular
        | FileError::NotFolder
        | FileError::Replaced
        | FileError::ReadOnly
        | FileError::NotText
        | FileError::System(_) => {
            let finding =
                Diagnostic::error("unreadable-file", format!("the file cannot be read: {error}"));
            finding.help(error.hint())
        }
    }
}

/// Opens the file, or takes its replacement.
pub(super) fn open(files: &Files, root: &Root, name: &str, path: &Path) -> Content {
    match files.instead(name) {
        Some(Some(text)) => return Content::Text(text.clone()),
        Some(None) => return Content::Gone,
        None => {}
    }
    match root.read(path, MAX_FILE_BYTES) {
        Err(error) => Content::Failed(error),
        Ok(bytes) => String::from_utf8(bytes).map_or_else(
            |error| Content::Broken {
                valid: error.utf8_error().valid_up_to(),
                utf16: matches!(error.as_bytes(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]),
                lossy: String::from_utf8_lossy(error.as_bytes()).into_owned(),
            },
            Content::Text,
        ),
    }
}

/// Reads a file that another file names, relative to it, and adds it to `files`. `Ok(None)` if it
/// cannot be read, which is reported in `findings`.
///
/// # Errors
/// Returns a phrase if the name leads outside of `root`, with links followed, or nowhere.
pub fn add_beside(
    files: &mut Files,
    beside: FileId,
    name: &str,
    root: &Path,
    findings: &mut Vec<Diagnostic>,
) -> Result<Option<FileId>, String> {
    let document = files.get(beside);
    if Path::new(name).is_absolute() {
        return Err(format!("`{name}` is an absolute path"));
    }
    let path = document.path.parent().unwrap_or_else(|| Path::new("")).join(name);
    let folder = root;
    let root = Root::new(root).map_err(|error| format!("the workspace cannot be read: {error}"))?;
    let shown = root.name(&path).map_err(|error| match &error {
        FileError::Outside => format!("`{name}` leads outside of the workspace"),
        // Whether there is such a file outside must not matter, nor be told.
        FileError::System(_) if leads_out(folder, &path) => {
            format!("`{name}` leads outside of the workspace")
        }
        FileError::Internal(folder) => {
            format!("`{name}` leads into `{folder}`, which holds no documents")
        }
        FileError::Link(_)
        | FileError::NotRegular
        | FileError::NotFolder
        | FileError::TooLarge(_)
        | FileError::Replaced
        | FileError::ReadOnly
        | FileError::NotText
        | FileError::System(_) => format!("`{name}` cannot be read: {error}"),
    })?;
    let mut content = open(files, &root, &shown, &path);
    if let Content::Text(text) = &mut content {
        *text = as_block_scalar(std::mem::take(text));
    }
    Ok(add(files, &shown, &path, content, findings))
}

/// The text as YAML reads a block scalar: without a byte order mark, and with line feeds for line
/// ends. These only tell how a file is stored; otherwise one commit would mean different things on
/// different machines.
fn as_block_scalar(text: String) -> String {
    if !text.contains(['\u{feff}', '\r']) {
        return text;
    }
    text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::as_block_scalar;

    #[test]
    fn side_files_mean_the_same_however_their_lines_end() {
        let table = [
            ("a\nb\n", "a\nb\n"),
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\rb", "a\nb"),
            ("a\r\r\nb", "a\n\nb"),
            ("\u{feff}a\r\n", "a\n"),
            ("a\u{feff}", "a\u{feff}"), // within a text it is a character
            ("\r", "\n"),
        ];
        for (text, normalised) in table {
            assert_eq!(as_block_scalar(text.to_owned()), normalised, "{text:?}");
        }
    }
}
