//! The layout of documents: order of keys, indentation, quotes. Comments and blank lines stay.
//!
//! The text goes through [`outline`] to a tree that holds each comment with what it is about,
//! is put in the order of the kind's schema, and is printed anew; what has no one layout (comments, blocks of text, the
//! style of a list that fits its line) keeps its own.
//!
//! This is our own code, since no existing crate fits: a printer for YAML in general (`pretty_yaml`) knows no order of
//! keys, and reads files with a second parser, so that a file could mean one thing to a plan and another to its layout;
//! neither it nor a lossless editor (`yaml-edit`) reads the unquoted arguments of access tests, and moving entries with
//! their comments, which is most of the work, is left to the caller by both. The parser that all of `seawall` reads
//! with gives places.
//!
//! Invariant: the new text holds the same documents with the same values and the same comments, proven by reading it
//! again, or there is no new text; and laying it out again changes nothing.

mod attach;
mod cursor;
mod order;
mod print;
mod scalar;
mod tree;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, FileId, Severity};
use crate::source::{self, Parsed, outline};

/// The result of laying out a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The text as it should be; it may be as it is.
    Text(String),
    /// The file holds something else than documents of seawall, and is left alone.
    Foreign,
    /// It is left as it is, for this reason.
    Kept(&'static str),
    /// It is not YAML that a document can be written in; the findings say why.
    Broken,
}

/// Lays out the text of a file. `file` is only for findings, which are those of reading it.
pub fn format(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) -> Layout {
    let mut about = Vec::new();
    let parsed = source::parse(file, text, &mut about);
    let broken = about.iter().any(|finding| finding.severity == Severity::Error);
    if !parsed.documents.iter().all(|document| is_ours(&document.value)) {
        // What is wrong with somebody else's file is theirs to know, unless it starts as one of ours.
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
            if same(&parsed, &again) { Layout::Text(new) } else { Layout::Kept("another layout would change it") }
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
        // An alias must stand behind its anchor.
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

/// Returns `true` if two texts say the same, in their documents and in their comments.
fn same(one: &Parsed, other: &Parsed) -> bool {
    let values = |parsed: &Parsed| parsed.documents.iter().map(|document| document.value.clone()).collect::<Vec<_>>();
    let comments = |parsed: &Parsed| {
        let mut texts: Vec<String> = parsed.comments.iter().map(|comment| comment.text.trim_end().to_owned()).collect();
        texts.sort();
        texts
    };
    values(one) == values(other) && comments(one) == comments(other)
}

#[cfg(test)]
mod tests;
