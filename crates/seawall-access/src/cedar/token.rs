//! The tokens of a Cedar text with their places: enough of its grammar to limit the input of the
//! engine, and to point at words whose places the engine does not keep.
//!
//! Invariant: never fails and never grows beyond the text; characters that Cedar does not accept
//! are skipped.

use std::ops::Range;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword.
    Name,
    /// A string with its quotes.
    Text,
    /// An operator or a bracket.
    Mark,
}

/// A word of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// The kind of the token.
    pub(super) kind: Kind,
    /// As written.
    pub(super) text: &'a str,
    /// Its bytes.
    pub(super) span: Range<usize>,
}

/// Operators of two characters; all others have one.
const PAIRS: [&str; 7] = ["&&", "||", "==", "!=", "<=", ">=", "::"];

/// The tokens of a text, without comments and blanks.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..)
        && let Some(first) = rest.chars().next()
    {
        let (kind, length) = if rest.starts_with("//") {
            (None, rest.find(['\n', '\r']).unwrap_or(rest.len()))
        } else if first == '"' {
            (Some(Kind::Text), string_length(rest))
        } else if is_name(first) {
            (Some(Kind::Name), rest.find(|c| !is_name(c)).unwrap_or(rest.len()))
        } else if first.is_ascii_punctuation() {
            let pair = rest.get(..2).is_some_and(|two| PAIRS.contains(&two));
            (Some(Kind::Mark), if pair { 2 } else { 1 })
        } else {
            (None, first.len_utf8())
        };
        if let (Some(kind), Some(word)) = (kind, rest.get(..length)) {
            tokens.push(Token { kind, text: word, span: at..at + length });
        }
        at += length;
    }
    tokens
}

/// The places of the comments of a Cedar text, without their line breaks.
#[must_use]
pub fn comments(text: &str) -> Vec<Range<usize>> {
    let words = tokens(text);
    let starts = std::iter::once(0).chain(words.iter().map(|word| word.span.end));
    let ends = words.iter().map(|word| word.span.start).chain([text.len()]);
    let mut comments = Vec::new();
    for (start, end) in starts.zip(ends) {
        let mut at = start;
        while let Some(gap) = text.get(at..end)
            && let Some(found) = gap.find("//")
        {
            let length =
                gap.get(found..).map_or(0, |rest| rest.find(['\n', '\r']).unwrap_or(rest.len()));
            comments.push(at + found..at + found + length);
            at += found + length;
        }
    }
    comments
}

/// Returns `true` if an attribute of this name needs no quotes.
pub(super) fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name) && !text.starts_with(|c: char| c.is_ascii_digit())
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The length of the string at the start of the text; the length of the text if the string does not
/// end.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_are_found_where_they_are() {
        for (text, expected) in [
            // names, strings with escapes, pairs
            (r#"a::B=="x\"y"&&c"#, vec!["a", "::", "B", "==", r#""x\"y""#, "&&", "c"]),
            // a comment hides words, also with a carriage return at its end
            ("a // \"b\nc//d\re", vec!["a", "c", "e"]),
            // a slash pair inside a string is not a comment
            (r#""http://x" y"#, vec![r#""http://x""#, "y"]),
            // a string that does not end
            ("a \"b c", vec!["a", "\"b c"]),
            // other scripts are not words of Cedar
            ("é a", vec!["a"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert!(
            tokens("é \"ü\" x").iter().all(|token| token.text == &"é \"ü\" x"[token.span.clone()])
        );
    }
    #[test]
    fn comments_are_what_lies_between_words() {
        let text = "// a // b\r\npermit(\"//x\") // c\n;//";
        let found: Vec<_> = comments(text).into_iter().map(|span| &text[span]).collect();
        assert_eq!(found, ["// a // b", "// c", "//"]);
    }
}
