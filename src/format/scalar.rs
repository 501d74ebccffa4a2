//! Texts and their quotes: none if every reader of YAML reads the bare text as the same text,
//! otherwise double quotes, otherwise as they were written.
//!
//! Invariant: no quotes are added to a bare text, and a bare text keeps its meaning.

use std::fmt::Write as _;

use crate::source::outline::Style;
use crate::source::resolve_scalar;

/// A text of one or several lines that is not a block.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    /// The text as written, with quotes.
    pub(super) source: String,
    pub(super) style: Style,
    /// The content of the scalar.
    pub(super) content: String,
}

/// Words that other readers of YAML interpret as booleans or null.
const READ_OTHERWISE: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

impl Scalar {
    /// The text on separate lines; further lines are indented by `indent` blanks.
    pub(super) fn block(&self, indent: usize) -> String {
        match self.source.contains('\n') {
            true => self.further_lines(indent),
            false => self.on_one_line(false),
        }
    }

    /// The text between brackets or braces, on one line.
    pub(super) fn flow(&self) -> String {
        match (self.source.contains('\n'), self.style) {
            (false, _) => self.on_one_line(true),
            (true, Style::Plain) if !self.content.contains('\n') => self.content.clone(),
            (true, Style::Single | Style::Double) if reads_the_same_bare(&self.content, true) => {
                self.content.clone()
            }
            (true, Style::Plain | Style::Single | Style::Double | Style::Block) => {
                double_quoted(&self.content)
            }
        }
    }

    fn on_one_line(&self, flow: bool) -> String {
        match self.style {
            Style::Plain | Style::Block => self.source.clone(),
            Style::Single | Style::Double if reads_the_same_bare(&self.content, flow) => {
                self.content.clone()
            }
            Style::Single
                if !self.content.contains(['"', '\\']) && self.content.chars().all(is_shown) =>
            {
                format!("\"{}\"", self.content)
            }
            Style::Single | Style::Double => self.source.clone(),
        }
    }

    fn further_lines(&self, indent: usize) -> String {
        let mut lines = self.source.split('\n');
        let mut text = lines.next().unwrap_or_default().to_owned();
        for line in lines {
            // In double quotes, a blank after a backslash at the end of a line is text.
            let line = line.trim_start_matches([' ', '\t']);
            let pad = if line.is_empty() { 0 } else { indent };
            write!(text, "\n{:pad$}{line}", "").expect("writing to a string");
        }
        text
    }
}

/// Returns `true` if the text is the same without quotes, here and for readers of YAML 1.1, which
/// know more numbers, dates and booleans.
fn reads_the_same_bare(text: &str, flow: bool) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let starts_well = match first {
        '0'..='9' => {
            let dots = text.matches('.').count();
            text.contains('/') || (dots > 1 && !text.contains([':', '-', '_']))
        }
        '~' => text.starts_with("~/"),
        _ => first.is_alphabetic() || first == '/',
    };
    let structure = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']);
    // `connect:tcp` is common; after a colon inside of brackets, old readers misread anything else.
    let colon = |(at, _): (usize, &str)| {
        text.get(at + 1..)
            .and_then(|rest| rest.chars().next())
            .is_none_or(|next| !next.is_ascii_alphabetic())
    };
    let brackets =
        flow && (text.contains([',', '[', ']', '{', '}']) || text.match_indices(':').any(colon));
    let word = READ_OTHERWISE.iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_text = resolve_scalar(text).is_some_and(|value| value.is_string());
    starts_well && !structure && !brackets && !word && is_text && text.chars().all(is_shown)
}

/// Returns `true` if a character needs no escape and is visible.
fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}' | '\u{fff9}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            _ if is_shown(character) => quoted.push(character),
            _ => write!(quoted, "\\U{:08x}", u32::from(character)).expect("writing to a string"),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_go_where_nobody_needs_them() {
        let cases = [
            ("'allow mirrors'", "allow mirrors", "allow mirrors"),
            // A colon inside of a word ends nothing, but old readers misread a port inside of
            // brackets.
            ("\"cve.mitre.org:443\"", "cve.mitre.org:443", "\"cve.mitre.org:443\""),
            ("'connect:tcp'", "connect:tcp", "connect:tcp"),
            ("'~/src/**'", "~/src/**", "~/src/**"),
            ("\"10.0.0.0/8\"", "10.0.0.0/8", "10.0.0.0/8"),
            ("\"10.0.0.1\"", "10.0.0.1", "10.0.0.1"),
            // Would start an alias.
            ("'*.example.com'", "\"*.example.com\"", "\"*.example.com\""),
            ("'a, b'", "a, b", "\"a, b\""),
            // A comment and a key without quotes.
            ("'a #b'", "\"a #b\"", "\"a #b\""),
            ("'a: b'", "\"a: b\"", "\"a: b\""),
            // Text that some reader takes for a number, a boolean, a time or a date.
            ("'443'", "\"443\"", "\"443\""),
            ("'1e3'", "\"1e3\"", "\"1e3\""),
            ("'no'", "\"no\"", "\"no\""),
            ("'12:30'", "\"12:30\"", "\"12:30\""),
            ("'2026-01-01'", "\"2026-01-01\"", "\"2026-01-01\""),
            ("'fd00::/8'", "fd00::/8", "\"fd00::/8\""),
            ("''", "\"\"", "\"\""),
            // Double quotes would need escapes, and single quotes need none.
            ("'\"x\" it says'", "'\"x\" it says'", "'\"x\" it says'"),
            ("'it''s'", "it's", "it's"),
            // Escapes that show invisible characters.
            ("\"a\\u200bb\"", "\"a\\u200bb\"", "\"a\\u200bb\""),
            ("on", "on", "on"),
            // Several lines become one between brackets, and need quotes like any one line.
            ("\"a\n  b\"", "\"a\nb\"", "a b"),
            ("'a\n  b:1'", "'a\nb:1'", "\"a b:1\""),
            ("\"a\n\n  b\"", "\"a\n\nb\"", "\"a\\nb\""),
        ];
        for (source, block, flow) in cases {
            let value = crate::source::outline::outline(source).unwrap().remove(0).root;
            let crate::source::outline::Shape::Scalar { style, content } = value.shape else {
                panic!("{source}")
            };
            let scalar = Scalar { source: source.to_owned(), style, content };
            assert_eq!(
                (scalar.block(0), scalar.flow()),
                (block.to_owned(), flow.to_owned()),
                "{source}"
            );
        }
    }
}
