//! Makes text that others wrote safe to show: names from files and services cannot move the cursor, recolour the
//! terminal, reorder what is read, or hide in it.
//!
//! Invariant: what comes out holds no character that a terminal acts on or shows as nothing, line ends and tabs of
//! [`block`] aside. Whatever is taken out stays visible as `\u{…}`.

use std::borrow::Cow;
use std::fmt::Write as _;

/// For text inside a line: line ends and tabs are escaped too.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// For text of several lines: `\n` and `\t` stay.
#[must_use]
pub fn block(text: &str) -> Cow<'_, str> {
    escape(text, |character| matches!(character, '\n' | '\t'))
}

fn escape(text: &str, kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let unsafe_here = |character: char| !kept(character) && is_unsafe(character);
    if !text.contains(unsafe_here) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            _ if !unsafe_here(character) => safe.push(character),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            _ => write!(safe, "\\u{{{:x}}}", u32::from(character)).expect("writing to a string"),
        }
    }
    Cow::Owned(safe)
}

/// Control characters, and the format characters of Unicode that reorder text or are invisible.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' // zero width, left-to-right and right-to-left marks
            | '\u{2028}'..='\u{202e}' // line and paragraph separators, embeddings and overrides
            | '\u{2060}'..='\u{206f}' // joiners, invisible operators, isolates
            | '\u{3164}' | '\u{ffa0}'
            | '\u{fe00}'..='\u{fe0f}' // variation selectors
            | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}') // tags and further variation selectors
}

#[cfg(test)]
mod tests {
    use super::{block, line};

    #[test]
    fn foreign_text_cannot_act_on_a_terminal() {
        let table = [
            // ordinary text of any script stays
            (
                "Security Research — hardened, für größere Teams 研究",
                "Security Research — hardened, für größere Teams 研究",
            ),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),             // escape sequence
            ("a\u{9b}31mred", "a\\u{9b}31mred"),             // the same as one C1 character
            ("deny\rallow", "deny\\rallow"),                 // overwriting the line
            ("one\ntwo", "one\\ntwo"),                       // a line of its own
            ("user\u{202e}gpj.exe", "user\\u{202e}gpj.exe"), // reordering
            ("re\u{200b}search", "re\\u{200b}search"),       // looks like another name
            ("x\u{e0041}", "x\\u{e0041}"),                   // hidden tag
            ("\u{7f}", "\\u{7f}"),                           // delete
        ];
        for (text, safe) in table {
            assert_eq!(line(text), safe);
        }
    }

    #[test]
    fn a_block_keeps_its_lines() {
        assert_eq!(block("a\n\tb\r\u{7}"), "a\n\tb\\r\\u{7}");
    }
}
