//! Explanations of invalid YAML: the probable intention at the position where the parser stopped.

use granit_parser::{ErrorKind, ScanError};

use super::build::MAX_DEPTH;
use crate::diagnostic::{Diagnostic, FileId, Label};

#[expect(clippy::wildcard_enum_match_arm, reason = "the parser distinguishes more kinds than a user needs")]
pub(super) fn diagnostic(file: FileId, text: &str, error: &ScanError) -> Box<Diagnostic> {
    let offset = error.marker().byte_offset().unwrap_or_default().min(text.len());
    // The parser stops after a tab.
    let offset = match text.get(..offset) {
        Some(before) if before.ends_with('\t') => before.trim_end_matches('\t').len(),
        Some(_) | None => offset,
    };
    let character = text.get(offset..).and_then(|rest| rest.chars().next()).filter(|next| !next.is_control());
    let label = Label::new(file, offset..offset + character.map_or(0, char::len_utf8));
    let (message, help) = explain(error.kind(), text.get(offset..).unwrap_or_default());
    let code = match error.kind() {
        ErrorKind::RecursionLimitExceeded => "yaml-depth",
        ErrorKind::UnknownAnchor => "yaml-alias",
        _ => "yaml-syntax",
    };
    let diagnostic = Diagnostic::error(code, message).at(label);
    Box::new(match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the parser distinguishes more kinds than a user needs")]
fn explain(kind: &ErrorKind, rest: &str) -> (String, Option<String>) {
    let quote = "put a pattern that starts with `*` in quotes: `\"*.example.com\"`";
    let (message, help) = match kind {
        ErrorKind::UnknownAnchor | ErrorKind::MissingAnchorOrAliasName => {
            let message = if rest.starts_with('*') {
                "an unquoted `*` starts an alias, and there is no anchor of this name before it"
            } else {
                "the name of an anchor or alias is missing"
            };
            (message.to_owned(), Some(quote))
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => ("YAML is not indented with tabs".to_owned(), Some("use spaces instead")),
        ErrorKind::RecursionLimitExceeded => (format!("values nest deeper than {MAX_DEPTH} levels"), None),
        ErrorKind::DirectiveDisallowed => {
            ("directives such as `%YAML` are not supported".to_owned(), Some("remove the line; documents are YAML 1.2"))
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            let help = "put text that contains `: ` in quotes, and check the indentation";
            ("a `:` is not allowed here".to_owned(), Some(help))
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey | ErrorKind::ExpectedBlockMappingKey => {
            let help = "check the indentation, and that a space follows each `:`";
            ("a key with `:` was expected".to_owned(), Some(help))
        }
        ErrorKind::UnclosedQuotedScalar => ("this quote is not closed".to_owned(), Some("add the closing quote")),
        ErrorKind::UnclosedFlowCollection { open } => (format!("this `{open}` is not closed"), None),
        ErrorKind::UnexpectedCharacter { character } => {
            let message = format!("`{}` cannot start a value", character.escape_debug());
            (message, Some("put the value in quotes"))
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            let help = "in double quotes a backslash is written `\\\\`; in single quotes it stands for itself";
            ("this escape does not exist".to_owned(), Some(help))
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            ("an entry with `-` was expected".to_owned(), Some("check the indentation"))
        }
        ErrorKind::BomInsideDocument => ("a byte order mark may only start a file".to_owned(), Some("remove it")),
        other => (format!("this is not YAML: {other}"), None),
    };
    (message, help.map(str::to_owned))
}
