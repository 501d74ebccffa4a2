//! Characters that make a file look different from its content.

use crate::diagnostic::sanitize::{acts_or_hides, hides};
use crate::diagnostic::{Diagnostic, FileId, Label};

/// Adds a finding for each line end that editors do not show, and for each character that hides or
/// reorders text.
pub(super) fn look(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) {
    for (offset, _) in text.match_indices('\r') {
        if text.as_bytes().get(offset + 1) != Some(&b'\n') {
            let message = "a carriage return alone ends a line in YAML, and in no editor";
            let finding = Diagnostic::error("carriage-return", message)
                .at(Label::new(file, offset..offset + 1));
            findings.push(finding.help("write line ends as `\\n` or `\\r\\n`"));
        }
    }
    // Nearly all documents are ASCII, which has none of the others.
    if text.is_ascii() {
        return;
    }
    let mut before = None;
    for (offset, character) in text.char_indices() {
        let mark = offset == 0 && character == '\u{feff}';
        let spared = mark || character.is_ascii() || belongs(before, character);
        before = Some(character);
        if spared || !acts_or_hides(character) {
            continue;
        }
        let code = u32::from(character);
        let finding =
            Diagnostic::warning("hidden-character", format!("U+{code:04X} hides or reorders text"));
        let escape =
            if code > 0xffff { format!("\\U{code:08x}") } else { format!("\\u{code:04x}") };
        let help = format!("remove it, or write `{escape}` in double quotes");
        findings
            .push(finding.at(Label::new(file, offset..offset + character.len_utf8())).help(help));
    }
}

/// Adds a finding for each kind of character in a text of another format that hides or reorders
/// text, at the first one.
pub fn look_beside(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) {
    let mut all = Vec::new();
    look(file, text, &mut all);
    let mut kinds: Vec<(Diagnostic, usize)> = Vec::new();
    for finding in all {
        match kinds.iter_mut().find(|(first, _)| first.message == finding.message) {
            Some((_, places)) => *places += 1,
            None => kinds.push((finding, 1)),
        }
    }
    findings.extend(kinds.into_iter().map(|(first, places)| {
        let places = if places > 1 { format!(" in {places} places") } else { String::new() };
        let message = format!("{}{places}", first.message);
        Diagnostic { message, ..first }.help("remove it, or write a character that is visible")
    }));
}

/// Returns `true` if a hiding character is part of the spelling of the one before: the joiners that
/// scripts and emoji require, and the selectors for the presentation of an emoji.
fn belongs(before: Option<char>, character: char) -> bool {
    let emoji = |before: char| {
        matches!(before, '©' | '®' | '\u{203c}'..='\u{27ff}' | '\u{2900}'..='\u{2bff}' | '〰' | '〽' | '㊗' | '㊙'
            | '\u{1f000}'..='\u{1faff}')
    };
    // From Arabic to Myanmar, and Khmer.
    let joined = |before: char| matches!(before, '\u{600}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{fe0f}');
    before.is_some_and(|before| match character {
        '\u{200c}' | '\u{200d}' => {
            (emoji(before) || joined(before)) && (before == '\u{fe0f}' || !hides(before))
        }
        '\u{fe0e}' | '\u{fe0f}' => emoji(before) && !hides(before),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::look;
    use crate::diagnostic::Findings;

    /// The codes of the hidden characters that are found.
    fn found(text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        let file = findings.files.add("a.yaml", "a.yaml", text.to_owned());
        look(file, text, &mut findings.diagnostics);
        let code = |message: &str| message.split(' ').next().unwrap_or_default().to_owned();
        findings.diagnostics.iter().map(|finding| code(&finding.message)).collect()
    }

    #[test]
    fn every_character_that_looks_blank_is_found() {
        let table = [
            0x9b, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x180e, 0x2003, 0x200b, 0x200d, 0x202e,
            0x2060, 0x2066, 0x2800, 0x3000, 0x3164, 0xfe0f, 0xfeff, 0xffa0, 0xe0041, 0xe0100,
        ];
        for code in table {
            let character = char::from_u32(code).unwrap();
            assert_eq!(found(&format!("name: re{character}search")), [format!("U+{code:04X}")]);
            assert_eq!(found(&format!("name: é{character}")), [format!("U+{code:04X}")]);
        }
    }

    #[test]
    fn what_scripts_and_emoji_need_is_spared() {
        for text in [
            "\u{feff}name: a",
            "name: ⚠️ 👩‍🚒 👁️‍🗨️",
            "name: می‌خواهم",
            "name: क्‍ष",
            "name: 研究 größer — ひ",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
        for text in ["name: \u{2800}\u{fe0f}", "name: \u{2060}\u{200d}"] {
            assert_eq!(found(text).len(), 2, "{text:?}");
        }
    }
}
