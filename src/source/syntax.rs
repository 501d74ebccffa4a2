//! Explanations of invalid YAML: the probable intention at the position where the parser stopped.

use std::ops::Range;

use granit_parser::{ErrorKind, ScanError};

use super::build::{FLATTER, MAX_DEPTH};
use crate::diagnostic::{Diagnostic, FileId, Label};

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser distinguishes more kinds than a user needs"
)]
pub(super) fn diagnostic(file: FileId, text: &str, error: &ScanError) -> Box<Diagnostic> {
    let offset = error.marker().byte_offset().unwrap_or_default().min(text.len());
    // The parser stops after a tab.
    let offset = match text.get(..offset) {
        Some(before) if before.ends_with('\t') => before.trim_end_matches('\t').len(),
        Some(_) | None => offset,
    };
    let character =
        text.get(offset..).and_then(|rest| rest.chars().next()).filter(|next| !next.is_control());
    let label = Label::new(file, offset..offset + character.map_or(0, char::len_utf8));
    if let Some(marker) = conflict(text) {
        let finding =
            Diagnostic::error("yaml-syntax", "the file has the markers of a merge conflict");
        let help = "keep one side, and remove the lines that start with `<<<<<<<`, `=======` and `>>>>>>>`";
        return Box::new(finding.at(Label::new(file, marker)).help(help));
    }
    let (message, help) = explain(error.kind(), text.get(offset..).unwrap_or_default());
    let code = match error.kind() {
        ErrorKind::RecursionLimitExceeded => "yaml-depth",
        ErrorKind::UnknownAnchor => "yaml-alias",
        _ => "yaml-syntax",
    };
    let mut diagnostic = Diagnostic::error(code, message).at(label).help(help);
    if error.to_string().contains("quoted scalar")
        && let Some(quote) = open_quote(text, offset)
    {
        diagnostic = diagnostic
            .related(Label::new(file, quote).saying("the quotes of this line are not in pairs"));
    }
    Box::new(diagnostic)
}

/// The first line that git writes where two versions of a file differ.
fn conflict(text: &str) -> Option<Range<usize>> {
    let start = if text.starts_with("<<<<<<< ") { 0 } else { text.find("\n<<<<<<< ")? + 1 };
    let line = text.get(start..)?.lines().next()?;
    text.contains("\n>>>>>>> ").then(|| start..start + line.len())
}

/// The last quote of the nearest line up to an offset with an odd number of them.
fn open_quote(text: &str, offset: usize) -> Option<Range<usize>> {
    let end = text.get(offset..)?.find('\n').map_or(text.len(), |end| offset + end);
    let mut start = end;
    for line in text.get(..end)?.split('\n').rev() {
        start -= line.len();
        let quotes: Vec<usize> = line.match_indices('"').map(|(at, _)| at).collect();
        if quotes.len() % 2 == 1 && !line.trim_start().starts_with('#') {
            let at = start + quotes.last()?;
            return Some(at..at + 1);
        }
        start = start.saturating_sub(1);
    }
    None
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser distinguishes more kinds than a user needs"
)]
fn explain(kind: &ErrorKind, rest: &str) -> (String, &'static str) {
    let quote = "put a pattern that starts with `*` in quotes: `\"*.example.com\"`";
    match kind {
        ErrorKind::UnknownAnchor | ErrorKind::MissingAnchorOrAliasName => {
            let message = if rest.starts_with('*') {
                "an unquoted `*` starts an alias, and there is no anchor of this name before it"
            } else {
                "the name of an anchor or alias is missing"
            };
            (message.to_owned(), quote)
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            ("YAML is not indented with tabs".to_owned(), "use spaces instead")
        }
        ErrorKind::RecursionLimitExceeded => {
            (format!("values nest deeper than {MAX_DEPTH} levels"), FLATTER)
        }
        ErrorKind::DirectiveDisallowed => (
            "directives such as `%YAML` are not supported".to_owned(),
            "remove the line; documents are YAML 1.2",
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            let help = "put text that contains `: ` in quotes, and check the indentation";
            ("a `:` is not allowed here".to_owned(), help)
        }
        ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::ExpectedBlockMappingKey => {
            let help = "check the indentation, and that a space follows each `:`";
            ("a key with `:` was expected".to_owned(), help)
        }
        ErrorKind::UnclosedQuotedScalar => {
            ("this quote is not closed".to_owned(), "add the closing quote")
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            (format!("this `{open}` is not closed"), "add the closing bracket")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            let message = format!("`{}` cannot start a value", character.escape_debug());
            (message, "put the value in quotes")
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            let help = "in double quotes a backslash is written `\\\\`; in single quotes it stands for itself";
            ("this escape does not exist".to_owned(), help)
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            let help =
                "line up each key with the first key of its entry, and each `-` with the one above";
            ("an entry with `-` was expected".to_owned(), help)
        }
        ErrorKind::BomInsideDocument => {
            ("a byte order mark may only start a file".to_owned(), "remove it")
        }
        other => {
            let help =
                "check the quotes, the brackets and the indentation, here and in the lines above";
            (format!("this is not YAML: {other}"), help)
        }
    }
}
