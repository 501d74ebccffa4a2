//! Foreign text in Markdown: names, places and messages.
//!
//! Invariant: every part of a text outside of code consists of words, in which GitHub finds no
//! markup, mention, link or reference.

use crate::diagnostic::sanitize::{line, markdown};
use crate::model::Origin;
use crate::report::Links;

/// The length to which a foreign text is shortened, in characters.
const TEXT: usize = 240;

/// An address for an attribute in HTML.
pub(super) fn attribute(address: &str) -> String {
    let marks = [('&', "&amp;"), ('"', "&quot;"), ('<', "&lt;"), ('>', "&gt;")];
    let safe = line(address).into_owned();
    marks.iter().fold(safe, |safe, (mark, written)| safe.replace(*mark, written))
}

/// A place in a document: in the workspace, or as a link in the repository if its address is known.
pub(super) fn place(links: Option<&Links>, origin: &Origin) -> String {
    let place = origin.file_line();
    match links {
        Some(links) => format!(
            "<a href=\"{}\">{}</a>",
            attribute(&links.url(&origin.file, origin.line)),
            code(&links.in_repository(&place))
        ),
        None => code(&place),
    }
}

/// A rule that makes the difference: its effect in words, its name, and its place.
pub(super) fn reason(links: Option<&Links>, because: &str) -> String {
    match Origin::split_off(because) {
        Some((rule, origin)) => format!("{} {}", prose(rule), place(links, &origin)),
        None => match because.strip_suffix(" (live)") {
            Some(rule) => format!("{} (live)", prose(rule)),
            None => prose(because),
        },
    }
}

/// A message with foreign text in backticks: that text as code, the words between as they are. A
/// message with anything but words outside of its backticks is code as a whole.
pub(super) fn prose(text: &str) -> String {
    let text = shortened(text, TEXT);
    let pieces: Vec<&str> = text.split('`').collect();
    let is_closed = pieces.len() % 2 == 1;
    let words = pieces.iter().step_by(2).all(|piece| is_words(piece));
    if !is_closed || !words {
        return code(&text);
    }
    let piece = |(at, piece): (usize, &&str)| match at % 2 {
        0 => (*piece).to_owned(),
        _ => code(piece),
    };
    pieces.iter().enumerate().map(piece).collect()
}

/// Returns `true` for a text of words and short numbers, also in parentheses, in which GitHub finds
/// no markup, mention, link or reference.
fn is_words(text: &str) -> bool {
    let is_word = |word: &str| {
        let bare = word.strip_suffix([',', ';', ':']).unwrap_or(word);
        let bare = bare.strip_prefix('(').unwrap_or(bare);
        let bare = bare.strip_suffix(')').unwrap_or(bare);
        bare.split('-').all(|part| part.bytes().all(|byte| byte.is_ascii_alphabetic()))
            || (bare.len() < 5 && bare.bytes().all(|b| b.is_ascii_digit()))
    };
    text.split(' ').all(is_word)
}

/// Foreign text in a line.
pub(super) fn code(text: &str) -> String {
    markdown(&shortened(text, TEXT))
}

pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::{prose, reason};
    use crate::report::Links;

    #[test]
    fn messages_are_words_and_code_and_nothing_else() {
        let code = |text: &str| format!("<code>{text}</code>");
        let table = [
            ("breaks 1 access test", "breaks 1 access test".to_owned()),
            ("`a` denies all of `b`", format!("{} denies all of {}", code("a"), code("b"))),
            ("this allow has no effect: `a`", format!("this allow has no effect: {}", code("a"))),
            // An unclosed message, and one with more than words, is code.
            ("`a` and `b", code("&#96;a&#96; and &#96;b")),
            ("`a`@octocat`b`", code("&#96;a&#96;<!-- -->&#64;octocat&#96;b&#96;")),
            (
                "is (narrow-deny): `a` (`b`)",
                format!("is (narrow-deny): {} ({})", code("a"), code("b")),
            ),
            ("see GH-7", code("see GH-7")),
            ("[a](b)", code("&#91;a&#93;&#40;b&#41;")),
            ("deadbeef1234567", code("deadbeef1234567")),
            ("**b**", code("&#42;&#42;b&#42;&#42;")),
        ];
        for (text, expected) in table {
            assert_eq!(prose(text), expected, "{text}");
        }
    }

    #[test]
    fn a_reason_links_its_place_where_it_can_be_read_in_one_way() {
        let links = Links::new("https://github.example/b/{file}#L{line}", "").unwrap();
        let at = |because: &str| reason(Some(&links), because);
        assert_eq!(
            at("now allow `P › r (x)` (teams/a.yaml:7:5)"),
            "now allow <code>P › r &#40;x&#41;</code> <a href=\"https://github.example/b/teams/a.yaml#L7\"><code>teams&#47;a.yaml&#58;7</code></a>"
        );
        assert_eq!(
            at("no longer allow `P › r` (live)"),
            "no longer allow <code>P › r</code> (live)"
        );
        for other in [
            "now allow `P` (a (b.yaml:7:5)",
            "now allow `P` (a.yaml:0:5)",
            "now allow `P` (a.yaml)",
        ] {
            assert!(!at(other).contains("href"), "{other}: {}", at(other));
        }
    }
}
