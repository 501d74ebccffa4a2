//! Text with code in backticks, split into pieces.

use serde::Serialize;

use crate::diagnostic::list;

/// Piece of a text: prose or code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// The text, without its backticks.
    pub text: String,
    /// True if it was in backticks.
    pub code: bool,
}

/// A text of several pieces.
pub type Text = Vec<Piece>;

/// Splits a text at its backticks. An unclosed backtick stays as it is.
#[must_use]
pub fn pieces(text: &str) -> Text {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut push = |text: &str, code: bool| {
        if !text.is_empty() {
            pieces.push(Piece { text: text.to_owned(), code });
        }
    };
    while let Some((before, behind)) = rest.split_once('`') {
        let Some((code, after)) = behind.split_once('`') else { break };
        push(before, false);
        push(code, true);
        rest = after;
    }
    push(rest, false);
    pieces
}

/// A number with its noun: `1 rule`, `2 rules`, `2 policies`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    format!("{} {}", thousands(number), list::noun(number, noun))
}

/// A number with a comma between thousands.
#[must_use]
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Names as an enumeration: `a`, `a and b`, `a, b and c`; beyond `most`, the number of the others.
#[must_use]
pub fn listed(names: &[String], most: usize) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if names.len() <= most => format!("{} and {last}", first.join(", ")),
        // One alone is never left out.
        [first @ .., last] if names.len() == most + 1 => format!("{} and {last}", first.join(", ")),
        _ => {
            let shown: Vec<&str> = names.iter().take(most).map(String::as_str).collect();
            format!("{} and {} more", shown.join(", "), names.len() - shown.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{count, listed, pieces};

    #[test]
    fn backticks_make_code_where_they_are_closed() {
        let shown = |text: &str| -> Vec<String> {
            pieces(text)
                .into_iter()
                .map(|piece| format!("{}{}", if piece.code { "#" } else { "" }, piece.text))
                .collect()
        };
        assert_eq!(shown("`a` may not be `b`"), ["#a", " may not be ", "#b"]);
        assert_eq!(shown("a ` b"), ["a ` b"]);
        assert_eq!(shown(""), Vec::<String>::new());
    }

    #[test]
    fn numbers_and_names_read_as_people_write_them() {
        assert_eq!(count(1, "policy"), "1 policy");
        assert_eq!(count(25_000, "rule"), "25,000 rules");
        assert_eq!(count(2, "policy"), "2 policies");
        let names = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        assert_eq!(listed(&names("a b c"), 4), "a, b and c");
        assert_eq!(listed(&names("a b c d e"), 2), "a, b and 3 more");
    }
}
