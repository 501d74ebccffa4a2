//! Formats documents: order of keys, indentation, quotes. Comments and blank lines stay.
//!
//! The text is parsed by way of [`outline`] into a tree that holds each comment with its entry,
//! sorted in the order of the kind's schema, and printed. Parts without a standard layout
//! (comments, blocks of text, the style of a list that fits its line) keep their own.
//!
//! No existing crate fits. A printer for YAML in general (`pretty_yaml`) knows no order of keys,
//! and reads files with a second parser, so that a file could mean one thing to a plan and another
//! to its layout. Neither it nor a lossless editor (`yaml-edit`) reads the unquoted arguments of
//! access tests, and both leave moving entries with their comments, which is most of the work, to
//! the caller. The parser of `seawall` provides places.
//!
//! Invariant: the new text has the same documents with the same values and comments, proven by
//! reading it again, or there is no new text; and formatting it again changes nothing.

mod attach;
mod cursor;
mod order;
mod print;
mod scalar;
mod tree;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, FileId, Severity};
use crate::source::{self, Parsed, outline};

/// The result of formatting a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The formatted text, which may be unchanged.
    Text(String),
    /// The file holds something other than documents of seawall, and is left alone.
    Foreign,
    /// The file cannot be formatted, for this reason.
    Kept(&'static str),
    /// The file is not valid YAML for documents; the findings give the reasons.
    Broken,
}

/// Formats the text of a file. `file` is the place of findings, which are those of reading it.
pub fn format(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) -> Layout {
    let mut about = Vec::new();
    let parsed = source::parse(file, text, &mut about);
    let broken = about.iter().any(|finding| finding.severity == Severity::Error);
    if !parsed.documents.iter().all(|document| is_ours(&document.value)) {
        // Faults in a foreign file are not reported, unless it starts like a document of seawall.
        let ours = parsed.documents.iter().any(|document| is_ours(&document.value));
        if !broken || !ours {
            return Layout::Foreign;
        }
    }
    if broken {
        about.retain(|finding| finding.severity == Severity::Error);
        findings.append(&mut about);
        return Layout::Broken;
    }
    if parsed.documents.is_empty() {
        return Layout::Foreign;
    }
    match lay_out(text, &parsed) {
        Ok(new) => {
            let again = source::parse(file, &new, &mut Vec::new());
            if same(&parsed, &again) {
                Layout::Text(new)
            } else {
                Layout::Kept("another layout would change it")
            }
        }
        Err(reason) => Layout::Kept(reason),
    }
}

fn lay_out(text: &str, parsed: &Parsed) -> Result<String, &'static str> {
    let windows = text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'));
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let outlines = outline::outline(&text).ok_or("its text cannot be taken apart")?;
    let mut documents = attach::attach(&text, &outlines)?;
    let mut values = parsed.documents.iter().map(|document| &document.value);
    for root in documents.iter_mut().filter_map(|document| document.root.as_mut()) {
        let kind = values.next().and_then(kind);
        // An alias must come after its anchor.
        if !root.has_aliases() {
            order::arrange(root, kind.and_then(order::schema));
        }
        order::raise(root);
    }
    let new = print::print(documents);
    Ok(if windows { new.replace('\n', "\r\n") } else { new })
}

fn is_ours(value: &Value) -> bool {
    value.get("apiVersion").and_then(Value::as_str) == Some("seawall/v1")
}

fn kind(value: &Value) -> Option<&str> {
    value.get("kind").and_then(Value::as_str)
}

/// Returns `true` if two texts have the same documents and comments.
fn same(one: &Parsed, other: &Parsed) -> bool {
    let values = |parsed: &Parsed| {
        parsed.documents.iter().map(|document| document.value.clone()).collect::<Vec<_>>()
    };
    let comments = |parsed: &Parsed| {
        let mut texts: Vec<String> =
            parsed.comments.iter().map(|comment| comment.text.trim_end().to_owned()).collect();
        texts.sort();
        texts
    };
    values(one) == values(other) && comments(one) == comments(other)
}

#[cfg(test)]
mod tests;
