//! Room for one habit that YAML does not have: `- allow: mcp invokeTool notion/search {"readOnly": true}`.
//!
//! Unquoted, the `: ` in the braces would end the text. Access tests are written like this, so such lines are read as
//! one text. The rest of the file is YAML and nothing but.
//!
//! Invariant: what is given to the parser has the length of what was written, byte for byte, so that places stay true.

use std::borrow::Cow;
use std::ops::Range;

/// Characters that may stand in for a blank behind a colon while the parser looks.
const STANDINS: &str = "~^`;$@=";

/// A text in which a character that it did not have stands in for some blanks.
pub(super) struct Shielded {
    pub(super) text: String,
    standin: char,
}

/// The text with blanks that would end an expectation replaced; `None` where there are none, or no character is free.
pub(super) fn shield(text: &str) -> Option<Shielded> {
    // Nearly all files hold no call of a tool.
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
    /// A scalar's content with the blanks back in place. Only where the shielded text has the character: an escape in
    /// double quotes can make it too, and stays.
    pub(super) fn content<'a>(&self, content: Cow<'a, str>, span: &Range<usize>) -> Cow<'a, str> {
        match self.text.get(span.clone()) {
            Some(source) if source.contains(self.standin) => Cow::Owned(content.replace(self.standin, " ")),
            Some(_) | None => content,
        }
    }
}

/// The start of the braces of an unquoted expectation with arguments.
fn arguments(line: &str) -> Option<usize> {
    let inner = line.trim();
    let item = inner.strip_prefix("- ").unwrap_or(inner).trim_start();
    let access = ["allow: ", "deny: ", "approval: "].iter().find_map(|key| item.strip_prefix(key))?.trim_start();
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
            // YAML as it is.
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
