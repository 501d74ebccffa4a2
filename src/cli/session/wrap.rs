//! Lines of a terminal, broken between words.
//!
//! Invariant: nothing but line ends and blanks is added. Source lines with their marks stay as they
//! are.

use std::borrow::Cow;

use crate::diagnostic::sanitize::hides;

/// The narrowest terminal that is worth it.
const NARROWEST: usize = 40;
/// The further indentation of a broken line.
const HANGING: usize = 4;

/// The text with lines of at most `width` characters, where they have blanks at which they can be
/// broken.
pub(crate) fn wrap(text: &str, width: usize) -> Cow<'_, str> {
    let is_long = |line: &str| length(line) > width && !is_source(line);
    if width < NARROWEST || !text.lines().any(is_long) {
        return Cow::Borrowed(text);
    }
    let mut wrapped = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        if is_long(line.trim_end_matches('\n')) {
            add(&mut wrapped, line, width);
        } else {
            wrapped.push_str(line);
        }
    }
    Cow::Owned(wrapped)
}

fn add(wrapped: &mut String, line: &str, width: usize) {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let hanging = (indent + HANGING).min(width / 2);
    wrapped.push_str(&" ".repeat(indent));
    let mut column = indent;
    let mut starts = true;
    for word in text.split_inclusive(' ') {
        let length = length(word.trim_end_matches(' '));
        if !starts && column + length > width {
            wrapped.truncate(wrapped.trim_end_matches(' ').len());
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(hanging));
            column = hanging;
        }
        wrapped.push_str(word);
        column += self::length(word);
        starts = false;
    }
}

/// The characters that a terminal shows, without colours.
fn length(line: &str) -> usize {
    let mut length = 0;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => drop(characters.by_ref().find(|end| end.is_ascii_alphabetic())),
            '\n' => {}
            character if hides(character) => {}
            _ => length += 1,
        }
    }
    length
}

/// Returns `true` for a line of a source or its marks, which line up with each other.
fn is_source(line: &str) -> bool {
    let plain = anstream::adapter::strip_str(line).to_string();
    let after = plain.trim_start().trim_start_matches(|sign: char| sign.is_ascii_digit());
    after.trim_start().starts_with("| ")
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_are_broken_between_words_and_keep_their_indentation() {
        let red = "\u{1b}[31m";
        let table = [
            ("short\n", "short\n"),
            (
                "  because now allow `P › r` of a policy (teams/everyone.yaml:7:5)\n",
                "  because now allow `P › r` of a policy\n      (teams/everyone.yaml:7:5)\n",
            ),
            // A word that is too long stays whole.
            (
                "a https://mcp.corp.example/a/very/long/address/that/cannot/be/broken\nb\n",
                "a\n    https://mcp.corp.example/a/very/long/address/that/cannot/be/broken\nb\n",
            ),
            // Source lines and their marks line up with each other.
            (
                " 12 | resources: [\"a.example.com\", \"b.example.com\", \"c\"]\n    |              ^^^^^^\n",
                " 12 | resources: [\"a.example.com\", \"b.example.com\", \"c\"]\n    |              ^^^^^^\n",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(wrap(text, 45), expected, "{text}");
        }
        // Colours take no room.
        let coloured = format!("{red}Refused{red}: a text of forty characters, or so\n");
        assert_eq!(wrap(&coloured, 45), coloured);
    }
}
