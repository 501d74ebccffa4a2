//! Makes foreign text safe to show: names from files and services cannot move the cursor, recolour
//! the terminal, reorder text, or hide in it.
//!
//! Invariant: sanitized text has no workflow command, and no character that a terminal acts on or
//! does not show, except the line ends and tabs of [`block`]. Every removed character stays visible
//! as `\u{…}`. A name is sanitized where it is rendered. [`without_commands`] checks whole lines
//! where a stream is written, since a command may be composed of several texts.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

/// Text for a line: line ends and tabs are escaped too.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    inert(escape(text, |_| false))
}

/// Text of several lines: `\n` and `\t` stay.
#[must_use]
pub fn block(text: &str) -> Cow<'_, str> {
    inert(escape(text, |character| matches!(character, '\n' | '\t')))
}

fn inert(text: Cow<'_, str>) -> Cow<'_, str> {
    let safe = match without_commands(&text) {
        Cow::Borrowed(_) => None,
        Cow::Owned(safe) => Some(safe),
    };
    safe.map_or(text, Cow::Owned)
}

/// Text in which GitHub's runner finds no workflow command: no line starts with `::` after blanks
/// and has a further `::`, and `##[` does not occur. Invisible characters and colours are ignored,
/// since the runner's comparison of texts skips some of them. An address such as `::1` stays.
///
/// JSON keeps its value: `#` becomes an escape only in a command, which can only be in a string,
/// and no line of JSON starts with `::`.
///
/// Source: `ActionCommand.TryParseV2` and `ActionCommand.TryParse` of the runner, which reads lines
/// up to `\n` or `\r`.
#[must_use]
pub fn without_commands(text: &str) -> Cow<'_, str> {
    // Most texts have neither sign, and searching for one is many times faster than reading lines.
    if !text.contains('#') && !text.contains(':') {
        return Cow::Borrowed(text);
    }
    let mut safe = String::new();
    let (mut done, mut start) = (0, 0);
    for line in text.split_inclusive(['\n', '\r']) {
        for (offset, broken) in commands(line) {
            safe.push_str(text.get(done..start + offset).unwrap_or_default());
            safe.push_str(broken);
            done = start + offset + 1;
        }
        start += line.len();
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    safe.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(safe)
}

/// The positions at which commands of a line start, and the replacement for the one character
/// there.
fn commands(line: &str) -> Vec<(usize, &'static str)> {
    // Nearly all lines have neither sign, and searching for one is many times faster than for both.
    let first = || shown(line).find(|(_, character)| !character.is_whitespace());
    if !line.contains('#') && first().is_none_or(|(_, character)| character != ':') {
        return Vec::new();
    }
    let signs: Vec<(usize, char)> =
        shown(line).skip_while(|(_, character)| character.is_whitespace()).collect();
    let mut found = Vec::new();
    if let [(start, ':'), (_, ':'), rest @ ..] = signs.as_slice()
        && rest.windows(2).any(|two| matches!(two, [(_, ':'), (_, ':')]))
    {
        found.push((*start, "\\u{3a}"));
    }
    for three in signs.windows(3) {
        if let [(start, '#'), (_, '#'), (_, '[')] = three {
            found.push((*start, "\\u0023"));
        }
    }
    found
}

/// The visible characters of a line with their offsets, without colours.
fn shown(line: &str) -> impl Iterator<Item = (usize, char)> {
    let mut characters = line.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (offset, character) = characters.next()?;
            if character == '\u{1b}' && characters.next_if(|(_, next)| *next == '[').is_some() {
                characters.by_ref().find(|(_, end)| matches!(*end, '@'..='~'));
            } else if !acts_or_hides(character) {
                return Some((offset, character));
            }
        }
    })
}

/// An empty HTML comment, which separates two pieces of text.
const APART: &str = "<!-- -->";

/// A value as JSON, indented, with a line end. Characters that a terminal acts on or does not show
/// are escapes, which have the same value to a program.
///
/// # Panics
///
/// Panics if the value has keys that are not text.
#[must_use]
pub fn json(value: &impl Serialize) -> String {
    let mut text =
        serde_json::to_string_pretty(value).expect("keys are text, and all else is JSON");
    text.push('\n');
    // Results may have megabytes, and nearly all are plain. Looking at each byte of a piece is many
    // times faster than stopping at the first that is not.
    let is_plain = |piece: &[u8]| {
        piece.iter().fold(true, |all, byte| all & matches!(byte, b'\n' | b' '..=b'~'))
    };
    if text.as_bytes().chunks(1024).all(is_plain) {
        return text;
    }
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' || !acts_or_hides(character) {
            safe.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(safe, "\\u{unit:04x}").expect("writing to a string");
        }
    }
    safe
}

/// For Markdown of a pull request, in prose, lists and tables: a piece of code that nothing in the
/// text can end, and in which it is never markup, a link, a mention or a table cell. Every mark of
/// Markdown is written as a character reference, since a code span in backticks cannot hold a `|`
/// both in tables and outside of them.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut safe = String::from("<code>");
    let mut before = String::new();
    for character in line(text).chars() {
        // GitHub looks for e-mail addresses after decoding references, so that the part before the
        // `@` has to be a separate piece.
        if character == '@' {
            safe.push_str(APART);
        }
        // `www.` alone makes a link.
        let link = character == '.' && before.to_ascii_lowercase().ends_with("www");
        if link || (character.is_ascii_punctuation() && !matches!(character, '-' | ',' | '.')) {
            write!(safe, "&#{};", u32::from(character)).expect("writing to a string");
        } else {
            safe.push(character);
        }
        before.push(character);
    }
    safe + "</code>"
}

/// For Markdown, text of several lines: a fenced block that the text cannot end.
#[must_use]
pub fn markdown_block(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let text = block(text);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}\n{text}{end}{fence}\n")
}

/// For the message of a workflow command, so that it cannot start another command.
#[must_use]
pub fn workflow_command(text: &str) -> String {
    escape(text, |character| matches!(character, '\n' | '\t'))
        .replace("##[", "\\u0023#[")
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// For a property of a workflow command (`file=…`), so that it cannot end the property or the list
/// of properties.
#[must_use]
pub fn workflow_property(text: &str) -> String {
    workflow_command(text).replace(':', "%3A").replace(',', "%2C")
}

fn escape(text: &str, kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let unsafe_here = |character: char| !kept(character) && acts_or_hides(character);
    if is_printable(text) || !text.contains(unsafe_here) {
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

/// Returns `true` if a text has no characters but plain ones of ASCII. Whole pieces are looked at,
/// which is faster than to stop at the first other character: nearly all texts have none.
fn is_printable(text: &str) -> bool {
    const PIECE: usize = 32;
    let is_plain =
        |piece: &[u8]| piece.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    text.as_bytes().chunks(PIECE).all(is_plain)
}

/// Returns `true` if a terminal acts on a character, or does not show it.
#[must_use]
pub fn acts_or_hides(character: char) -> bool {
    character.is_control() || hides(character)
}

/// Returns `true` if a character is invisible, looks blank without being a plain space, or changes
/// the direction of writing: a text with it differs from what people read.
///
/// Source: `Default_Ignorable_Code_Point`, `White_Space` and the category `Cf` of Unicode 17, and
/// U+2800, whose dots are all blank.
#[must_use]
pub fn hides(character: char) -> bool {
    !character.is_ascii()
        && (character.is_whitespace() // no-break, ideographic and other spaces, line and paragraph separators
            || matches!(character,
                '\u{ad}' // soft hyphen
                | '\u{34f}' // combining grapheme joiner
                | '\u{61c}' // Arabic letter mark
                | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
                | '\u{17b4}' | '\u{17b5}' // Khmer inherent vowels
                | '\u{180b}'..='\u{180f}' // Mongolian selectors and separator
                | '\u{200b}'..='\u{200f}' // zero width, left-to-right and right-to-left marks
                | '\u{202a}'..='\u{202e}' // embeddings and overrides
                | '\u{2060}'..='\u{206f}' // joiners, invisible operators, isolates
                | '\u{2800}' // Braille pattern without dots
                | '\u{fe00}'..='\u{fe0f}' // variation selectors
                | '\u{feff}' // zero width no-break space
                | '\u{fff0}'..='\u{fffc}' // unassigned, annotations, the place of an object
                | '\u{13430}'..='\u{13442}' // controls of hieroglyphs, and blanks among them
                | '\u{16fe4}' // Khitan filler
                | '\u{1bca0}'..='\u{1bca3}' // controls of shorthand
                | '\u{1d159}' // musical notehead that is not there
                | '\u{1d173}'..='\u{1d17a}' // musical controls
                | '\u{e0000}'..='\u{e0fff}')) // tags and further variation selectors
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        acts_or_hides, block, line, markdown, markdown_block, without_commands, workflow_command,
        workflow_property,
    };

    #[test]
    fn foreign_text_cannot_act_on_a_terminal() {
        let table = [
            // Ordinary text of any script is unchanged.
            (
                "Security Research — hardened, für größere Teams 研究",
                "Security Research — hardened, für größere Teams 研究",
            ),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"), // escape sequence
            ("a\u{9b}31mred", "a\\u{9b}31mred"), // the same as one C1 character
            ("deny\rallow", "deny\\rallow"),     // overwriting the line
            ("one\ntwo", "one\\ntwo"),           // a line of its own
            ("one\ttwo", "one\\ttwo"),           // a column of its own
            ("user\u{202e}gpj.exe", "user\\u{202e}gpj.exe"), // reordering
            ("re\u{200b}search", "re\\u{200b}search"), // looks like another name
            ("x\u{e0041}", "x\\u{e0041}"),       // hidden tag
            // Behind what is looked at together.
            (
                "a text that is longer than forty characters \u{1b}[2J",
                "a text that is longer than forty characters \\u{1b}[2J",
            ),
            ("\u{7f}", "\\u{7f}"),                          // delete
            ("::add-mask::acme", "\\u{3a}:add-mask::acme"), // a workflow command
            ("a ##[error]x", "a \\u0023#[error]x"),         // the older form, anywhere in a line
        ];
        for (text, safe) in table {
            assert_eq!(line(text), safe);
        }
    }

    #[test]
    fn characters_that_look_blank_are_shown() {
        let blank = [
            0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x1680, 0x17b4, 0x180b, 0x180e, 0x2000,
            0x200a, 0x200b, 0x200d, 0x2028, 0x202e, 0x202f, 0x205f, 0x2060, 0x2064, 0x2066, 0x206f,
            0x2800, 0x3000, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0xfffc, 0x13441,
            0x16fe4, 0x1bca0, 0x1d159, 0x1d173, 0xe0001, 0xe0041, 0xe0100, 0xe01ef,
        ];
        for code in blank {
            let character = char::from_u32(code).unwrap();
            assert_eq!(line(&format!("re{character}search")), format!("re\\u{{{code:x}}}search"));
        }
        for character in "aé研ひ한ع⠁—…€🦀".chars() {
            assert!(!acts_or_hides(character), "{character}");
        }
    }

    #[test]
    fn no_line_is_a_command_to_a_runner() {
        let table = [
            ("::add-mask::acme", "\\u{3a}:add-mask::acme"),
            (" \t::error file=x::y\n", " \t\\u{3a}:error file=x::y\n"),
            ("a\n::error::x\nb", "a\n\\u{3a}:error::x\nb"),
            ("a\r::error::x", "a\r\\u{3a}:error::x"), // the runner ends a line here
            ("\u{a0}::error::x", "\u{a0}\\u{3a}:error::x"), // white space to the runner
            ("\u{feff}:\u{200d}:error::x", "\u{feff}\\u{3a}\u{200d}:error::x"), // nothing to its comparison
            ("\u{1b}[1m::error::x\u{1b}[0m", "\u{1b}[1m\\u{3a}:error::x\u{1b}[0m"), // colours are taken out later
            ("a ##[error]x", "a \\u0023#[error]x"), // the older form, anywhere in a line
            ("###[error]", "#\\u0023#[error]"),
            ("##[a] ##[b]", "\\u0023#[a] \\u0023#[b]"),
            ("#\u{200b}#\u{1b}[1m[error]", "\\u0023\u{200b}#\u{1b}[1m[error]"),
            (" 12 | # ##[x]", " 12 | # \\u0023#[x]"), // a line of a source
            // Not commands.
            ("::/0", "::/0"),
            ("fd00::1 and fd00::2", "fd00::1 and fd00::2"),
            ("- ::1 and ::2", "- ::1 and ::2"),
            ("## [x] # #[x]", "## [x] # #[x]"),
            ("", ""),
        ];
        for (text, safe) in table {
            assert_eq!(without_commands(text), safe, "{text:?}");
            assert_eq!(without_commands(safe), safe, "{safe:?}");
        }
        let value =
            serde_json::json!({"##[a]": ["\"##[b]", "\\##[c]", "::error::", "\n::error::x"]});
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let safe = without_commands(&text);
            assert!(!safe.contains("##["));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }

    #[test]
    fn json_shows_what_a_terminal_acts_on_or_hides_as_escapes() {
        let value = serde_json::json!({"a\u{2028}\u{85}": ["\u{202e}x\u{9b}1m", "\u{e0041}", "\n\u{7f}é 研"]});
        let text = super::json(&value);
        assert_eq!(
            text,
            "{\n  \"a\\u2028\\u0085\": [\n    \"\\u202ex\\u009b1m\",\n    \"\\udb40\\udc41\",\n    \"\\n\\u007fé 研\"\n  ]\n}\n"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_block_keeps_its_lines() {
        assert_eq!(block("a\n\tb\r\u{7}"), "a\n\tb\\r\\u{7}");
    }

    #[test]
    fn foreign_text_is_no_markup() {
        let table = [
            ("api.github.com", "api.github.com"),
            // A table cell, a mention, a link, HTML, code, emphasis, an image, mathematics.
            ("a|b", "a&#124;b"),
            ("@octocat", "<!-- -->&#64;octocat"),
            ("mail@example.com", "mail<!-- -->&#64;example.com"),
            ("https://x", "https&#58;&#47;&#47;x"),
            ("www.example.com", "www&#46;example.com"),
            ("</code><b>", "&#60;&#47;code&#62;&#60;b&#62;"),
            ("`x`", "&#96;x&#96;"),
            ("*x*", "&#42;x&#42;"),
            ("![x](y)", "&#33;&#91;x&#93;&#40;y&#41;"),
            ("$x$", "&#36;x&#36;"),
            // A separate line.
            ("a\n# b", "a&#92;n&#35; b"),
        ];
        for (text, safe) in table {
            assert_eq!(markdown(text), format!("<code>{safe}</code>"));
        }
        assert_eq!(markdown_block("a\n```\nb"), "````\na\n```\nb\n````\n");
    }

    #[test]
    fn foreign_text_is_no_workflow_command() {
        assert_eq!(workflow_command("100%\n::error::x"), "100%25%0A::error::x");
        assert_eq!(workflow_property("a,b:c\r"), "a%2Cb%3Ac\\r");
    }

    /// Text with many special characters.
    fn text() -> impl Strategy<Value = String> {
        let marks = "[a-w`~|<>@#:%,.\n\r\t\u{1b}\u{9b}\u{202e}\u{200b}\u{e0041}é研]{0,24}";
        prop_oneof![marks.prop_map(String::from), any::<String>()]
    }

    proptest! {
        #[test]
        fn nothing_that_acts_or_hides_comes_through(text in text()) {
            prop_assert!(!line(&text).contains(acts_or_hides));
            prop_assert!(!block(&text).contains(|character| acts_or_hides(character) && !matches!(character, '\n' | '\t')));
        }

        #[test]
        fn markdown_has_no_marks_but_its_own(text in text()) {
            let safe = markdown(&text);
            let inner = safe.strip_prefix("<code>").and_then(|rest| rest.strip_suffix("</code>")).unwrap();
            let inner = inner.replace(super::APART, "");
            prop_assert!(!inner.contains(['<', '>', '`', '|', '*', '_', '[', ']', '@', ':', '/', '\\', '~', '$', '!', '\n']));
            let block = markdown_block(&text);
            let fence = block.lines().next().unwrap();
            prop_assert_eq!(block.lines().filter(|line| line.trim_start().starts_with(fence)).count(), 2);
        }

        #[test]
        fn a_workflow_command_stays_on_its_line(text in text()) {
            prop_assert!(!workflow_command(&text).contains(['\n', '\r']));
            prop_assert!(!workflow_property(&text).contains(['\n', '\r', ':', ',']));
        }
    }
}
