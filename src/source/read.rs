//! Files to text.
//!
//! Invariant: a file that cannot be read as text is a finding, never an empty file.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::diagnostic::{Diagnostic, FileId, Files, Label};

/// The largest file that is read: four times the service's full size (100 policies, 250 rules each) in one file.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// What came of opening a file; made on any thread, added to [`Files`] in order.
#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    /// Not UTF-8 from this byte on.
    Broken {
        lossy: String,
        valid: usize,
        utf16: bool,
    },
    TooLarge,
    Failed(String),
}

/// Reads a file under a name and adds it to `files`. What is wrong with it is added to `findings`, and there is nothing
/// to go on with then.
pub fn add_file(files: &mut Files, name: &str, path: &Path, findings: &mut Vec<Diagnostic>) -> Option<FileId> {
    add(files, name, path, open(files, name, path), findings)
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
            let message = if utf16 { "the file is UTF-16, not UTF-8" } else { "the file is not UTF-8 from here on" };
            (lossy, (Diagnostic::error("not-utf8", message).help("save the file as UTF-8"), valid..valid + 3))
        }
        Content::TooLarge => {
            let message = format!("the file is larger than {} MiB", MAX_FILE_BYTES >> 20);
            let help = "split it into several files, or leave it out with `include`";
            (String::new(), (Diagnostic::error("file-too-large", message).help(help), 0..0))
        }
        Content::Failed(reason) => {
            let message = format!("the file cannot be read: {reason}");
            (String::new(), (Diagnostic::error("unreadable-file", message), 0..0))
        }
    };
    let file = files.add(name, path, text);
    let (finding, span) = finding;
    findings.push(finding.at(Label::new(file, span)));
    None
}

/// Opens the file, or takes what stands in for it.
pub(super) fn open(files: &Files, name: &str, path: &Path) -> Content {
    match files.instead(name) {
        Some(Some(text)) => return Content::Text(text.clone()),
        Some(None) => return Content::Failed("it is to be taken away".to_owned()),
        None => {}
    }
    let mut bytes = Vec::new();
    // A pipe or a device would never end.
    let read = fs::metadata(path).and_then(|metadata| {
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        bytes.reserve(usize::try_from(metadata.len().min(MAX_FILE_BYTES)).unwrap_or_default());
        fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)
    });
    match read {
        Err(error) => Content::Failed(reason(&error)),
        Ok(_) if bytes.len() as u64 > MAX_FILE_BYTES => Content::TooLarge,
        Ok(_) => String::from_utf8(bytes).map_or_else(
            |error| Content::Broken {
                valid: error.utf8_error().valid_up_to(),
                utf16: matches!(error.as_bytes(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]),
                lossy: String::from_utf8_lossy(error.as_bytes()).into_owned(),
            },
            Content::Text,
        ),
    }
}

/// The reason without the operating system's number.
pub(super) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    let mut reason = text.get(..end).unwrap_or(&text).to_owned();
    if let Some(first) = reason.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    reason
}

/// Reads a file that another one names, relative to it, and adds it to `files`. `Ok(None)` when it cannot be read, which
/// is then in `findings`.
///
/// # Errors
/// A phrase, when the name leads outside of `root`, links followed, or nowhere.
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
    let target = fs::canonicalize(&path).map_err(|error| format!("`{name}` cannot be read: {}", reason(&error)))?;
    let root = fs::canonicalize(root).map_err(|error| format!("the workspace cannot be read: {}", reason(&error)))?;
    let inside = target.strip_prefix(&root).map_err(|_| format!("`{name}` leads outside of the workspace"))?;
    let shown = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    Ok(add_file(files, &shown, &path, findings))
}
