//! Explanations of invalid YAML: the probable intention at the position where the parser stopped.

use std::ops::Range;

use granit_parser::{ErrorKind, ScanError};

use super::build::{FLATTER, MAX_DEPTH};
use crate::diagnostic::{Diagnostic, FileId, Label};

/// The fault of a file with [`conflict`] markers, and the advice.
pub(crate) const CONFLICT: &str = "the file has the markers of a merge conflict";
pub(crate) const KEEP_ONE_SIDE: &str =
    "keep one side, and remove the lines that start with `<<<<<<<`, `=======` and `>>>>>>>`";

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
        let finding = Diagnostic::error("yaml-syntax", CONFLICT);
        return Box::new(finding.at(Label::new(file, marker)).help(KEEP_ONE_SIDE));
    }
    let (message, help) = explain(error.kind(), text.get(offset..).unwrap_or_default());
    let code = match error.kind() {
        ErrorKind::RecursionLimitExceeded => "yaml-depth",
        ErrorKind::UnknownAnchor => "yaml-alias",
        _ => "yaml-syntax",
    };
    if error.to_string().contains("only valid inside a block")
        && let Some((open, at)) = open_bracket(text, offset)
    {
        let finding = Diagnostic::error(code, format!("this `{open}` is not closed"));
        let finding = finding.at(Label::new(file, at..at + 1));
        return Box::new(finding.related(label.saying("a line that cannot be in it")).help(help));
    }
    if error.to_string().contains("quoted scalar")
        && let Some(quote) = open_quote(text, offset)
    {
        let message = "the quotes here and in the lines above are not in pairs";
        let diagnostic = Diagnostic::error(code, message).at(label);
        let quote = Label::new(file, quote).saying("the quotes of this line are not in pairs");
        return Box::new(diagnostic.related(quote).help("add the quote that is missing"));
    }
    Box::new(Diagnostic::error(code, message).at(label).help(help))
}

/// The first line that git writes where two versions of a file differ.
pub(crate) fn conflict(text: &str) -> Option<Range<usize>> {
    let start = if text.starts_with("<<<<<<< ") { 0 } else { text.find("\n<<<<<<< ")? + 1 };
    let line = text.get(start..)?.lines().next()?;
    text.contains("\n>>>>>>> ").then(|| start..start + line.len())
}

/// The last bracket that the lines before an offset open and do not close, apart from quoted text.
fn open_bracket(text: &str, offset: usize) -> Option<(char, usize)> {
    let mut open = Vec::new();
    let mut quote = None;
    let mut is_comment = false;
    for (at, character) in text.get(..offset)?.char_indices() {
        match (character, quote) {
            // Quotes in a plain text are part of it; none of them reaches the next line.
            ('\n', _) => (quote, is_comment) = (None, false),
            _ if is_comment => {}
            ('#', None) => is_comment = true,
            ('"' | '\'', None) => quote = Some(character),
            (_, Some(open)) if open == character => quote = None,
            ('[' | '{', None) => open.push((character, at)),
            (']' | '}', None) => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
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
        | ErrorKind::TabInPlainScalar => (
            "this line is indented with a tab, and YAML allows only spaces".to_owned(),
            "use spaces instead",
        ),
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
        other if other.to_string().contains("trailing content") => {
            let help = "separate the items of a list with commas: `[\"a\", \"b\"]`";
            ("a comma, or the end of the line, is missing before this text".to_owned(), help)
        }
        other => {
            let help =
                "check the quotes, the brackets and the indentation, here and in the lines above";
            (format!("this is not YAML: {other}"), help)
        }
    }
}
