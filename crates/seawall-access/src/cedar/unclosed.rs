//! Brackets and quotes of a Cedar text that do not match.

use std::ops::Range;

use super::token::{Kind, Token};

/// A bracket or a quote without its counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unmatched {
    /// Its bytes.
    pub(super) span: Range<usize>,
    /// The fault, as a phrase.
    pub(super) message: String,
    /// The advice, in the imperative.
    pub(super) help: String,
}

/// The first bracket or quote without a counterpart, if that shows before the byte `end`.
pub(super) fn find(words: &[Token<'_>], end: usize) -> Option<Unmatched> {
    quote(words).or_else(|| bracket(words, end))
}

/// A text whose quote is not closed. Then quotes behind it end where they should start, so that it
/// is the first one that goes beyond its line.
fn quote(words: &[Token<'_>]) -> Option<Unmatched> {
    words.last().filter(|last| last.kind == Kind::Text && !is_closed(last.text))?;
    let is_long = |word: &&Token<'_>| word.kind == Kind::Text && word.text.contains('\n');
    let open = words.iter().find(is_long).or(words.last())?;
    Some(Unmatched {
        span: open.span.start..open.span.start + 1,
        message: "this `\"` is not closed".to_owned(),
        help: "write `\"` at the end of the text".to_owned(),
    })
}

/// Returns `true` if a text ends with a quote that is not escaped.
fn is_closed(text: &str) -> bool {
    let Some(inside) = text.strip_suffix('"').filter(|inside| !inside.is_empty()) else {
        return false;
    };
    let escapes = inside.len() - inside.trim_end_matches('\\').len();
    escapes % 2 == 0
}

fn bracket(words: &[Token<'_>], end: usize) -> Option<Unmatched> {
    let mut open: Vec<&Token<'_>> = Vec::new();
    let mut before = "";
    for (at, word) in words.iter().enumerate().take_while(|(_, word)| word.span.start <= end) {
        let next = words.get(at + 1).map_or("", |next| next.text);
        let starts = word.kind == Kind::Name
            && before != "."
            && match word.text {
                "when" | "unless" => next == "{",
                "permit" | "forbid" => next == "(",
                _ => false,
            };
        match word.text {
            "(" | "[" | "{" => open.push(word),
            ")" | "]" | "}" if word.kind == Kind::Mark => match open.pop() {
                Some(last) if closing(last.text) == word.text => {}
                // The bracket that is meant is open: what is open inside of it is not closed.
                Some(last) if open.iter().any(|one| closing(one.text) == word.text) => {
                    return Some(unclosed(last, word.text));
                }
                Some(_) | None => {
                    return Some(Unmatched {
                        span: word.span.clone(),
                        message: format!("this `{}` closes nothing", word.text),
                        help: "remove it, or write the bracket that it closes".to_owned(),
                    });
                }
            },
            ";" if word.kind == Kind::Mark => {
                if let Some(last) = open.pop() {
                    return Some(unclosed(last, ";"));
                }
            }
            text if starts => {
                if let Some(last) = open.pop() {
                    return Some(unclosed(last, text));
                }
            }
            _ => {}
        }
        before = word.text;
    }
    let is_end = words.last().is_none_or(|last| last.span.end <= end);
    open.pop().filter(|_| is_end).map(|last| Unmatched {
        help: format!("write `{}` where it ends", closing(last.text)),
        ..unclosed(last, "")
    })
}

fn unclosed(open: &Token<'_>, before: &str) -> Unmatched {
    Unmatched {
        span: open.span.clone(),
        message: format!("this `{}` is not closed", open.text),
        help: format!("write `{}` before `{before}`", closing(open.text)),
    }
}

fn closing(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

#[cfg(test)]
mod tests {
    use super::super::examine;

    #[test]
    fn brackets_and_quotes_without_a_counterpart_are_pointed_at() {
        let tool = r#"permit (principal, action == MCP::Action::"invokeTool", resource)"#;
        let read = "when { resource.readOnly }";
        // The text, the place as line and column, the message, and the help.
        for (text, place, message, help) in [
            (
                format!("{}\n{read};", tool.trim_end_matches(')')),
                (1, 8),
                "this `(` is not closed",
                "write `)` before `when`",
            ),
            (
                format!("{tool}\nwhen {{ resource.readOnly;\n\n{tool};"),
                (2, 6),
                "this `{` is not closed",
                "write `}` before `;`",
            ),
            (
                format!("{tool}\nwhen {{ (resource.readOnly && resource.idempotent }};"),
                (2, 8),
                "this `(` is not closed",
                "write `)` before `}`",
            ),
            (
                r#"permit (principal, action in [MCP::Action::"invokeTool", resource);"#.to_owned(),
                (1, 30),
                "this `[` is not closed",
                "write `]` before `)`",
            ),
            (
                format!("{tool}\nwhen {{ [\"a\", \"b\".contains(resource.name) }};"),
                (2, 8),
                "this `[` is not closed",
                "write `]` before `}`",
            ),
            (
                format!("{}\n\n{tool};", tool.trim_end_matches(')')),
                (1, 8),
                "this `(` is not closed",
                "write `)` before `permit`",
            ),
            (
                format!("{tool} when {{ resource.readOnly"),
                (1, 72),
                "this `{` is not closed",
                "write `}` where it ends",
            ),
            (
                format!("{tool})\n{read};"),
                (1, 66),
                "this `)` closes nothing",
                "remove it, or write the bracket that it closes",
            ),
            (
                format!("{tool}\n{read}}};"),
                (2, 27),
                "this `}` closes nothing",
                "remove it, or write the bracket that it closes",
            ),
            (
                format!("{tool}\nwhen {{ resource.name like \"create_* }};\n{tool};"),
                (2, 27),
                "this `\"` is not closed",
                "write `\"` at the end of the text",
            ),
            (
                format!("{tool} when {{ resource.name == \"a }};"),
                (1, 91),
                "this `\"` is not closed",
                "write `\"` at the end of the text",
            ),
        ] {
            let found = examine(&text);
            let first = found.first().expect(&text);
            let before = &text[..first.start];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().len() + 1;
            assert_eq!(
                ((line, column), first.message.as_str(), first.help.as_str()),
                (place, format!("this is not valid Cedar: {message}").as_str(), help),
                "{text}"
            );
        }
    }
}
