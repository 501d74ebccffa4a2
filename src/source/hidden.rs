//! Characters that make a file read differently from what it is.

use crate::diagnostic::{Diagnostic, FileId, Label};

/// Adds a finding for each line end that editors do not show, and for each character that hides or reorders text.
pub(super) fn look(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) {
    for (offset, _) in text.match_indices('\r') {
        if text.as_bytes().get(offset + 1) != Some(&b'\n') {
            let message = "a carriage return alone ends a line in YAML, and in no editor";
            let finding = Diagnostic::error("carriage-return", message).at(Label::new(file, offset..offset + 1));
            findings.push(finding.help("write line ends as `\\n` or `\\r\\n`"));
        }
    }
    // Nearly all documents are ASCII, which holds none of the others.
    if text.is_ascii() {
        return;
    }
    for (offset, character) in text.char_indices().filter(|(offset, character)| *offset > 0 && hides(*character)) {
        let code = u32::from(character);
        let finding = Diagnostic::warning("hidden-character", format!("U+{code:04X} hides or reorders text"));
        let help = format!("remove it, or write `\\u{code:04x}` in double quotes");
        findings.push(finding.at(Label::new(file, offset..offset + character.len_utf8())).help(help));
    }
}

/// Characters of no width, and those that change the direction of writing. Joiners are spared: scripts need them.
fn hides(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
