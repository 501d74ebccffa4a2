//! Makes text that others wrote safe to show: names from files and services cannot move the cursor, recolour the
//! terminal, reorder what is read, or hide in it; and in the log of a pipeline, they are no command to its runner.
//!
//! Invariant: what comes out holds no character that a terminal acts on or shows as nothing, line ends and tabs of
//! [`block`] aside; no line of it is a workflow command, `::name::` at its start or `##[name]` anywhere. Whatever is taken
//! out stays visible as `\u{…}`.

use std::borrow::Cow;
use std::fmt::Write as _;

/// For text inside a line: line ends and tabs are escaped too.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    inert(escape(text, |_| false))
}

/// For text of several lines: `\n` and `\t` stay.
#[must_use]
pub fn block(text: &str) -> Cow<'_, str> {
    inert(escape(text, |character| matches!(character, '\n' | '\t')))
}

/// Breaks what GitHub's runner takes for a command in any program's output: a line that starts with `::`, spaces aside,
/// and has `::` again, and `##[` in any place. An address such as `::1` stays.
fn inert(text: Cow<'_, str>) -> Cow<'_, str> {
    let commands = |line: &str| line.trim_start().strip_prefix("::").is_some_and(|rest| rest.contains("::"));
    // Most text has neither sign; looking for one is many times quicker than for more.
    let quiet = !text.contains('#') && !text.contains(':');
    if quiet || !text.contains("##[") && !text.split('\n').any(commands) {
        return text;
    }
    let broken = |line: &str| match line.split_once("::").filter(|_| commands(line)) {
        Some((before, after)) => format!("{before}\\u{{3a}}:{after}"),
        None => line.to_owned(),
    };
    let lines: Vec<String> = text.replace("##[", "##\\u{5b}").split('\n').map(broken).collect();
    Cow::Owned(lines.join("\n"))
}

/// Nothing, that yet keeps two pieces of text apart.
const APART: &str = "<!-- -->";

/// For Markdown of a pull request, in prose, lists and tables: a piece of code that nothing in the text can end, and in
/// which it makes no markup, link, mention or table cell. Every mark that Markdown reads is written as a character
/// reference, since a code span in backticks cannot hold a `|` in tables and outside of them alike.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut safe = String::from("<code>");
    let mut before = String::new();
    for character in line(text).chars() {
        // Addresses of mail are looked for once references are read: what stands before the `@` has to be another piece.
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

/// For the message of a workflow command: what it says cannot start another command.
#[must_use]
pub fn workflow_command(text: &str) -> String {
    escape(text, |character| matches!(character, '\n' | '\t'))
        .replace("##[", "##\\u{5b}")
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// For a property of a workflow command (`file=…`): it cannot end the property or the list of them.
#[must_use]
pub fn workflow_property(text: &str) -> String {
    workflow_command(text).replace(':', "%3A").replace(',', "%2C")
}

fn escape(text: &str, kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let unsafe_here = |character: char| !kept(character) && acts_or_hides(character);
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if printable || !text.contains(unsafe_here) {
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

/// Whether a terminal acts on a character, or shows it as nothing: control characters, and the format characters of
/// Unicode that reorder text or are invisible.
#[must_use]
pub fn acts_or_hides(character: char) -> bool {
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
    use proptest::prelude::*;

    use super::{acts_or_hides, block, line, markdown, markdown_block, workflow_command, workflow_property};

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
            ("::add-mask::acme", "\\u{3a}:add-mask::acme"),  // a workflow command
            (" ::error::x", " \\u{3a}:error::x"),            // the same
            ("a ##[error]x", "a ##\\u{5b}error]x"),          // the older form, anywhere in a line
            ("::/0", "::/0"),                                // an address
            ("fd00::1 and fd00::2", "fd00::1 and fd00::2"),  // two of them
        ];
        for (text, safe) in table {
            assert_eq!(line(text), safe);
        }
    }

    #[test]
    fn a_block_keeps_its_lines() {
        assert_eq!(block("a\n\tb\r\u{7}"), "a\n\tb\\r\\u{7}");
        assert_eq!(block("a\n\t::error::x\nb"), "a\n\t\\u{3a}:error::x\nb");
    }

    #[test]
    fn foreign_text_is_no_markup() {
        let table = [
            ("api.github.com", "api.github.com"),
            // a table cell, a mention, a link, HTML, code, emphasis, an image, mathematics
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
            // a line of its own
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

    /// Text with much of what matters.
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
