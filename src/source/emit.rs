//! Writes values as YAML that reads back exactly and is readable: block style, short lists of
//! scalars on one line, texts of several lines as literal blocks.
//!
//! The library for writing YAML (`serde_yaml`) has no control over style, and writes characters
//! that reorder or hide text unescaped; this text comes from a service and is reviewed by people.
//!
//! Invariant: [`super::parse`] reads the value back, to the last character, and no character that
//! acts on a terminal or hides in a line is written unescaped. A text that any YAML reader, of
//! version 1.1 or 1.2, might misinterpret is quoted.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::scalar;
use crate::diagnostic::sanitize::acts_or_hides;

/// The line length from which a list is written one item a line.
const WIDTH: usize = 100;
/// Indentation of each level.
const STEP: usize = 2;

/// A document: a mapping in block style, with a line end.
#[must_use]
pub fn document(entries: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (key, value) in entries {
        entry(&mut text, key, value, 0);
    }
    text
}

/// The value in the form that follows a key or a dash in column `indent`: ` text`, or line breaks
/// and lines with a deeper indentation. Without a line end. indented deeper. Without a line end.
#[must_use]
pub fn value(value: &Value, indent: usize) -> String {
    let mut text = String::new();
    behind(&mut text, value, indent);
    text.truncate(text.strip_suffix('\n').map_or(text.len(), str::len));
    text
}

/// The value on one line, in the form for brackets and braces.
#[must_use]
pub fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) => {
            let entries =
                entries.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text on one line, quoted if it could be misread.
#[must_use]
pub fn scalar(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else if text.contains(['"', '\\']) && !text.contains(hidden) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        quoted(text)
    }
}

/// A list with its items on separate lines, each starting with a dash in column `indent`.
#[must_use]
pub fn items(items: &[Value], indent: usize) -> String {
    let mut text = String::new();
    for item in items {
        let _ = write!(text, "{:indent$}-", "");
        match item {
            Value::Object(entries) if !entries.is_empty() && !fits_flow(item, indent + STEP) => {
                text.push(' ');
                for (position, (key, value)) in entries.iter().enumerate() {
                    let column = if position == 0 { 0 } else { indent + STEP };
                    let _ = write!(text, "{:column$}{}:", "", scalar(key));
                    behind(&mut text, value, indent + STEP);
                }
            }
            Value::Array(inner) if !inner.is_empty() && !fits_flow(item, indent + STEP) => {
                text.push('\n');
                text.push_str(&self::items(inner, indent + STEP));
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => {
                behind(&mut text, item, indent);
            }
        }
    }
    text
}

fn entry(text: &mut String, key: &str, value: &Value, indent: usize) {
    let _ = write!(text, "{:indent$}{}:", "", scalar(key));
    behind(text, value, indent);
}

/// Writes the value that follows `key:` or `-` in column `indent`, with a line end.
fn behind(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(string) if string.contains('\n') => {
            text.push(' ');
            text.push_str(&lines(string, indent + STEP));
        }
        Value::Object(entries) if !entries.is_empty() && !fits_flow(value, indent) => {
            text.push('\n');
            for (key, value) in entries {
                entry(text, key, value, indent + STEP);
            }
        }
        Value::Array(list) if !list.is_empty() && !fits_flow(value, indent) => {
            text.push('\n');
            text.push_str(&items(list, indent + STEP));
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            let _ = writeln!(text, " {}", flow(value));
        }
    }
}

/// Returns `true` if a collection of scalars is short enough for one line that starts around column
/// `indent`. A list of objects never is.
fn fits_flow(value: &Value, indent: usize) -> bool {
    let single = |value: &Value| match value {
        Value::Array(_) | Value::Object(_) => false,
        Value::String(text) => !text.contains('\n'),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    };
    let single = match value {
        Value::Array(items) => items.iter().all(single),
        Value::Object(entries) => entries.values().all(single),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    };
    // A key before it takes some space too.
    single && indent + 16 + flow(value).chars().count() <= WIDTH
}

/// A text of several lines whose lines are indented by `indent`, with a line end.
fn lines(text: &str, indent: usize) -> String {
    if !fits_block(text) {
        return quoted_lines(text, indent) + "\n";
    }
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    let mut written = String::from(match ends {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    });
    for line in body.split('\n') {
        match line {
            "" => written.push('\n'),
            line => {
                let _ = writeln!(written, "{:indent$}{line}", "");
            }
        }
    }
    written.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
    written
}

/// Returns `true` if a literal block holds the text, even after an editor removed blanks at line
/// ends.
fn fits_block(text: &str) -> bool {
    let first = text.chars().next();
    !first.is_none_or(|first| first.is_whitespace())
        && text.lines().all(|line| !line.ends_with([' ', '\t']))
        && !text.contains(|character| hidden(character) && !matches!(character, '\n' | '\t'))
}

/// In double quotes on one line.
fn quoted(text: &str) -> String {
    let mut written = String::from("\"");
    text.chars().for_each(|character| escape(&mut written, character));
    written.push('"');
    written
}

/// In double quotes, with a line for each line of the text: a backslash at its end joins it to the
/// next one.
fn quoted_lines(text: &str, indent: usize) -> String {
    let mut written = String::from("\"");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (position, line) in lines.iter().enumerate() {
        if position > 0 {
            let _ = write!(written, "\\\n{:indent$}", "");
            // Blanks at the start of a line would count as indentation.
            if line.starts_with([' ', '\t']) {
                written.push('\\');
            }
        }
        match line.strip_prefix('\t').filter(|_| position > 0) {
            Some(rest) => {
                written.push('t');
                rest.chars().for_each(|character| escape(&mut written, character));
            }
            None => line.chars().for_each(|character| escape(&mut written, character)),
        }
    }
    written.push('"');
    written
}

fn escape(written: &mut String, character: char) {
    match character {
        '"' => written.push_str("\\\""),
        '\\' => written.push_str("\\\\"),
        '\n' => written.push_str("\\n"),
        '\r' => written.push_str("\\r"),
        '\t' => written.push_str("\\t"),
        _ if !hidden(character) => written.push(character),
        _ => {
            let code = u32::from(character);
            let _ = match code {
                0..=0xff => write!(written, "\\x{code:02x}"),
                0x100..=0xffff => write!(written, "\\u{code:04x}"),
                _ => write!(written, "\\U{code:08x}"),
            };
        }
    }
}

/// Returns `true` if the text may be written without quotes, even in brackets. Conservative rather
/// than complete.
fn is_plain(text: &str) -> bool {
    let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
        return false;
    };
    let starts = first.is_alphanumeric() || first == '/' || first == '_' || text.starts_with("~/");
    let inside = |character: char| {
        character.is_alphanumeric()
            || matches!(
                character,
                ' ' | '-'
                    | '_'
                    | '.'
                    | '/'
                    | '~'
                    | '('
                    | ')'
                    | '*'
                    | '+'
                    | '='
                    | '@'
                    | '$'
                    | '–'
                    | '—'
                    | '’'
            )
    };
    let mut rest = text.chars().peekable();
    let mut holds = true;
    while let Some(character) = rest.next() {
        // `connect:tcp` is readable; after a colon, digits look like a time to people and to old
        // readers.
        let colon = character == ':' && rest.peek().is_some_and(char::is_ascii_alphabetic);
        holds &= colon || inside(character);
    }
    let number = first.is_ascii_digit() && !text.contains(|character: char| is_word(character));
    let word = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    starts
        && holds
        && last != ' '
        && !text.contains(hidden)
        && !number
        && !word.contains(&text.to_ascii_lowercase().as_str())
        && scalar::resolve(text).is_some_and(|value| value.is_string())
}

/// Characters that are never written unescaped: those that a terminal acts on, and two that YAML
/// does not allow.
fn hidden(character: char) -> bool {
    acts_or_hides(character) || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// Letters that do not occur in numbers and dates.
fn is_word(character: char) -> bool {
    character == '/' || character.is_alphabetic() && !"abcdefoxtzABCDEFOXTZ".contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::diagnostic::Files;
    use crate::source;

    /// Parses a text with one document and no findings.
    fn read(text: &str) -> Value {
        let mut files = Files::default();
        let file = files.add("a.yaml", "a.yaml", text);
        let mut findings = Vec::new();
        let parsed = source::parse(file, text, &mut findings);
        assert!(findings.is_empty(), "{text}\n{findings:?}");
        assert_eq!(parsed.documents.len(), 1, "{text}");
        parsed.documents.into_iter().next().unwrap().value
    }

    #[test]
    fn a_document_reads_well() {
        let value = json!({
            "name": "Security Research — hardened",
            "scope": {"teams": ["research"]},
            "flat": {"a": 1, "b": "x"},
            "empty": [],
            "rules": [
                {"name": "a rule", "decision": "allow", "actions": ["connect:tcp"], "resources": ["example.com:443", "**.example.com"]},
                {"name": "requests", "http_resources": [{"host": "a.example.com", "port": 443, "path": "/x/**"}]},
            ],
            "cedar": "permit (principal, action, resource)\n  when { true };\n\nforbid (principal);\n",
        });
        let text = document(value.as_object().unwrap());
        assert_eq!(
            text,
            "\
name: Security Research — hardened
scope:
  teams: [research]
flat: {a: 1, b: x}
empty: []
rules:
  - name: a rule
    decision: allow
    actions: [connect:tcp]
    resources: [\"example.com:443\", \"**.example.com\"]
  - name: requests
    http_resources:
      - {host: a.example.com, port: 443, path: /x/**}
cedar: |
  permit (principal, action, resource)
    when { true };

  forbid (principal);
"
        );
        assert_eq!(read(&text), value);
    }

    #[test]
    fn what_might_be_taken_for_something_else_stands_in_quotes() {
        let quoted = [
            "",
            "no",
            "Yes",
            "y",
            "off",
            "null",
            "~",
            "true",
            "1.0",
            "443",
            "0x1F",
            "1e5",
            "1_000",
            "12:30",
            "2026-01-01",
            "10.0.0.1",
            "*.x",
            "@x",
            "- x",
            "-",
            "x: y",
            "x:",
            "x #y",
            "#x",
            " x",
            "x ",
            "a, b",
            "[x]",
            "{x}",
            "&a",
            "!x",
            "%x",
            "`x",
            "|",
            ">",
            "?x",
            ".inf",
            "a\u{202e}b",
            "a\u{200b}b",
            "\u{1b}[2J",
            "=",
            "<<",
            "0o7",
            "---",
            "...",
            "fd00::/8",
        ];
        for text in quoted {
            assert!(scalar(text).starts_with(['"', '\'']), "{text:?} became {}", scalar(text));
        }
        let plain = [
            "research",
            "connect:tcp",
            "10.0.0.0/8",
            "/data/**",
            "~/work/**",
            "研究",
            "Legacy (old)",
            "a@example.com",
            "4chan.org",
            "Größe",
        ];
        for text in plain {
            assert_eq!(scalar(text), text);
        }
        assert_eq!(scalar(r"C:\data\**"), r"'C:\data\**'");
        assert_eq!(scalar("it's \"so\""), "'it''s \"so\"'");
        assert_eq!(scalar("a\u{202e}b\u{1b}\u{e0041}"), "\"a\\u202eb\\x1b\\U000e0041\"");
    }

    #[test]
    fn a_text_that_no_block_holds_keeps_its_lines_in_quotes() {
        let value = json!({"cedar": " permit\t(x); \r\n\tforbid;\n  \"y\"\n"});
        let text = document(value.as_object().unwrap());
        assert_eq!(
            text,
            "cedar: \" permit\\t(x); \\r\\n\\\n  \\tforbid;\\n\\\n  \\  \\\"y\\\"\\n\"\n"
        );
        assert_eq!(read(&text), value);
    }

    fn text() -> impl Strategy<Value = String> {
        let odd = "[a-d0-9 \t\r\n:#'\"\\\\{}\\[\\],&*!|>%@`?~<=._/\u{85}\u{a0}\u{2028}\u{feff}\u{202e}é研🦀-]{0,12}";
        let lines = "(  |\t|- |# |allow: mcp x \\{\"a\": 1\\}|deny: mcp|a|\n|\n\n|---\n|\\.\\.\\.\n| \n){0,8}";
        let words = proptest::sample::select(vec![
            "no",
            "1.0",
            "null",
            "~",
            "2026-01-01",
            "*.x",
            "<<",
            "y",
            "0x1",
            "1e3",
            "-",
            "---",
        ]);
        prop_oneof![
            odd.prop_map(String::from),
            lines.prop_map(String::from),
            words.prop_map(str::to_owned),
            any::<String>()
        ]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            6 => text().prop_map(Value::from),
            1 => any::<bool>().prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => Just(Value::Null),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text(), inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_written_reads_back_exactly(inner in any_value(), key in text()) {
            let mut entries = Map::new();
            entries.insert(key.clone(), inner.clone());
            entries.insert("last".to_owned(), Value::from("end"));
            let text = document(&entries);
            prop_assert!(!text.contains(|character| acts_or_hides(character) && !matches!(character, '\n' | '\t')), "{:?}", text);
            if key != "last" {
                prop_assert_eq!(read(&text), Value::Object(entries));
            }
            prop_assert_eq!(&read(&format!("a: [{}]\n", flow(&inner)))["a"][0], &inner);
        }

        /// Another parser, `serde_yaml`, reads the same text.
        #[test]
        fn another_reader_agrees(text in text()) {
            let written = document(&Map::from_iter([("a".to_owned(), Value::from(text.as_str()))]));
            let read: Value = serde_yaml::from_str(&written).unwrap();
            prop_assert_eq!(&read["a"], &Value::from(text), "{}", written);
        }
    }
}
