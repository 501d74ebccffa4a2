//! Support for one form that is not valid YAML:
//! `- allow: mcp invokeTool notion/search {"readOnly": true}`.
//!
//! Without quotes, the `: ` in the braces would end the text. Access tests are commonly written
//! like this, so that such a line is read as one text. The rest of the file is plain YAML.
//!
//! Invariant: the text for the parser has the same length as the original, byte for byte, so that
//! places stay correct.

use std::borrow::Cow;
use std::ops::Range;

/// Characters that may replace a blank after a colon during parsing.
const STANDINS: &str = "~^`;$@=";

/// A text in which a character that it did not contain replaces some blanks.
pub(super) struct Shielded {
    pub(super) text: String,
    standin: char,
}

/// The text with the blanks replaced that would end an expectation; `None` if there are none, or if
/// every candidate character occurs in the text.
pub(super) fn shield(text: &str) -> Option<Shielded> {
    // Nearly all files have no call of a tool.
    if !text.contains("mcp ") || !text.lines().any(|line| arguments(line).is_some()) {
        return None;
    }
    let standin = STANDINS.chars().find(|standin| !text.contains(*standin))?;
    let lines = text.split_inclusive('\n').map(|line| match arguments(line) {
        Some(start) => {
            let (front, json) = line.split_at(start);
            Cow::Owned(format!("{front}{}", json.replace(": ", &format!(":{standin}"))))
        }
        None => Cow::Borrowed(line),
    });
    Some(Shielded { text: lines.collect(), standin })
}

impl Shielded {
    /// A scalar's content with the blanks restored, if the shielded text has the character there:
    /// an escape in double quotes can produce it too, and stays. double quotes can make it too, and
    /// stays.
    pub(super) fn content<'a>(&self, content: Cow<'a, str>, span: &Range<usize>) -> Cow<'a, str> {
        match self.text.get(span.clone()) {
            Some(source) if source.contains(self.standin) => {
                Cow::Owned(content.replace(self.standin, " "))
            }
            Some(_) | None => content,
        }
    }
}

/// The start of the braces of an unquoted expectation with arguments.
fn arguments(line: &str) -> Option<usize> {
    let inner = line.trim();
    let item = inner.strip_prefix("- ").unwrap_or(inner).trim_start();
    let access = ["allow: ", "deny: ", "approval: "]
        .iter()
        .find_map(|key| item.strip_prefix(key))?
        .trim_start();
    if !access.starts_with("mcp ") || !access.ends_with('}') {
        return None;
    }
    line.find('{').filter(|start| line.get(*start..).is_some_and(|json| json.contains("\": ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unquoted_expectations_with_arguments_are_shielded() {
        let cases = [
            ("  - allow: mcp invokeTool notion/search {\"readOnly\": true}\r\n", true),
            ("deny: mcp invokeTool x {\"a\": 1, \"b\": {\"c\": 2}}", true),
            // Plain YAML.
            ("  - allow: mcp invokeTool notion/search", false),
            ("  - allow: 'mcp invokeTool x {\"a\": 1}'", false),
            ("  - {allow: x, \"a\": 1}", false),
            ("  - allow: {\"a\": 1}", false),
        ];
        for (line, shielded) in cases {
            let safe = shield(line);
            assert_eq!(safe.is_some(), shielded, "{line}");
            if let Some(safe) = safe {
                assert_eq!(safe.text.len(), line.len());
                assert_eq!(safe.content(safe.text.as_str().into(), &(0..line.len())), line);
            }
        }
    }
}
