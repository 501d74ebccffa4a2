//! Reads the form of YAML that nearly all documents have: collections by indentation, texts within
//! a line, and flow collections within a line.
//!
//! A parser for all of YAML takes five times as long, and reading documents is half of the work of
//! `validate`. Invariant: what is read here has the values, places and comments that [`super::yaml`]
//! gives it without this module. Whatever is in doubt is not read here: `None` says nothing about a
//! text.

use std::ops::Range;

use super::build::{Builder, Comment, Parsed};
use crate::diagnostic::FileId;

/// The longest key, in bytes. YAML has a limit for keys, and no document comes near to it.
const LONGEST_KEY: usize = 256;
/// The most flow collections inside of each other.
const MOST_FLOWS: usize = 8;

/// Parses a text in this form; `None` for any other, and for one with a fault.
pub(super) fn parse(file: FileId, text: &str) -> Option<Parsed> {
    if !has_usual_characters(text) {
        return None;
    }
    let mut findings = Vec::new();
    let mut reader = Reader {
        text,
        builder: Builder::new(file, &mut findings),
        levels: Vec::new(),
        is_awaited: false,
        parsed: Parsed::default(),
    };
    reader.builder.start_document();
    let mut start = 0;
    for line in text.split('\n') {
        reader.line(start, line)?;
        start += line.len() + 1;
    }
    reader.end_document()?;
    let parsed = reader.parsed;
    findings.is_empty().then_some(parsed)
}

/// Returns `true` if each character is shown, or is a blank or a line feed.
fn has_usual_characters(text: &str) -> bool {
    let is_usual = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~');
    text.as_bytes().iter().all(is_usual)
        || text.chars().all(|character| match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => is_usual(&byte),
            Ok(_) | Err(_) => character.is_alphanumeric() || "–—…“”„‘’«»".contains(character),
        })
}

/// An incomplete block collection.
struct Level {
    /// The column of its entries.
    indent: usize,
    is_sequence: bool,
}

/// A text at the start of the rest of a line.
struct Scalar<'t> {
    content: &'t str,
    plain: bool,
    /// With its quotes.
    length: usize,
}

struct Reader<'t, 'f> {
    text: &'t str,
    builder: Builder<'f>,
    levels: Vec<Level>,
    /// True if the last key has no value yet.
    is_awaited: bool,
    parsed: Parsed,
}

impl<'t> Reader<'t, '_> {
    fn line(&mut self, start: usize, line: &'t str) -> Option<()> {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        let at = start + indent;
        if content.is_empty() {
            return Some(());
        }
        if content.starts_with('#') {
            self.comment(at, content, false);
            return Some(());
        }
        if content.starts_with("---") {
            self.end_document()?;
            self.builder.start_document();
            return (line == "---").then_some(());
        }
        if !content.starts_with("- ") {
            self.enter(indent, None, at)?;
            let key = scalar(content).filter(|key| is_key(content, key))?;
            return self.entry(at, content, &key);
        }
        let item = content.strip_prefix('-')?.trim_start_matches(' ');
        let offset = content.len() - item.len();
        self.enter(indent, Some(at + offset), at)?;
        match scalar(item) {
            Some(key) if is_key(item, &key) => {
                self.start(indent + offset, false, at + offset)?;
                self.entry(at + offset, item, &key)
            }
            Some(_) | None => self.value(at + offset, item),
        }
    }

    /// Ends the collections that a line with this indentation is not part of, or starts the one that
    /// the last key awaits. `item` is the start of an item after its dash.
    fn enter(&mut self, indent: usize, item: Option<usize>, at: usize) -> Option<()> {
        let is_item = item.is_some();
        if std::mem::take(&mut self.is_awaited) || self.levels.is_empty() {
            let start = match (self.levels.last(), item) {
                // Items may have the column of their key. Such a list starts after its dash.
                (Some(level), Some(item)) if level.indent == indent => Some(item),
                (Some(level), _) => (indent > level.indent).then_some(at),
                (None, _) => Some(at),
            };
            return self.start(indent, is_item, start?);
        }
        loop {
            let level = self.levels.last()?;
            if (level.indent, level.is_sequence) == (indent, is_item) {
                return Some(());
            }
            let is_over = level.indent > indent || level.indent == indent && level.is_sequence;
            if !is_over || self.levels.len() == 1 {
                return None;
            }
            self.end()?;
        }
    }

    fn start(&mut self, indent: usize, is_sequence: bool, at: usize) -> Option<()> {
        self.levels.push(Level { indent, is_sequence });
        let started = match is_sequence {
            true => self.builder.start_sequence(at..at, false, 0),
            false => self.builder.start_mapping(at..at, false, 0),
        };
        started.ok()
    }

    fn end(&mut self) -> Option<()> {
        self.levels.pop()?;
        // The builder knows where the last part ends.
        self.builder.end(&(0..0)).ok()
    }

    fn end_document(&mut self) -> Option<()> {
        while !self.levels.is_empty() {
            self.end()?;
        }
        self.parsed.documents.extend(self.builder.end_document());
        (!self.is_awaited).then_some(())
    }

    /// A key, with its value if that is on the line.
    fn entry(&mut self, at: usize, line: &'t str, key: &Scalar<'t>) -> Option<()> {
        self.scalar(at, key)?;
        let rest = line.get(key.length + 1..)?;
        let value = rest.trim_start_matches(' ');
        if value.is_empty() || value.starts_with('#') {
            self.is_awaited = true;
            return self.tail(at + key.length + 1, rest);
        }
        self.value(at + line.len() - value.len(), value)
    }

    /// A value that ends on the line.
    fn value(&mut self, at: usize, value: &'t str) -> Option<()> {
        let length = match value.bytes().next()? {
            b'[' | b'{' => self.flow(at, MOST_FLOWS)? - at,
            _ => {
                let scalar = scalar(value).filter(|scalar| !is_key(value, scalar))?;
                self.scalar(at, &scalar)?;
                scalar.length
            }
        };
        self.tail(at + length, value.get(length..)?)
    }

    /// The end of a line after a key or a value: nothing, or a comment.
    fn tail(&mut self, at: usize, rest: &str) -> Option<()> {
        let comment = rest.trim_start_matches(' ');
        let blanks = rest.len() - comment.len();
        if comment.is_empty() {
            return Some(());
        }
        self.comment(at + blanks, comment, true);
        (blanks > 0 && comment.starts_with('#')).then_some(())
    }

    fn comment(&mut self, at: usize, text: &str, trailing: bool) {
        let span = at..at + text.len();
        let text = text.get(1..).unwrap_or_default().to_owned();
        self.parsed.comments.push(Comment { span, text, trailing });
    }

    fn scalar(&mut self, at: usize, scalar: &Scalar<'_>) -> Option<()> {
        let span = at..at + scalar.length;
        self.builder.scalar(scalar.content.into(), scalar.plain, span, 0).ok()
    }

    /// A value inside of brackets or braces, or one that is in them. Returns its end.
    fn flow(&mut self, at: usize, depth: usize) -> Option<usize> {
        let depth = depth.checked_sub(1)?;
        let open = at..at + 1;
        match self.byte(at)? {
            b'[' => {
                self.builder.start_sequence(open.clone(), true, 0).ok()?;
                self.flow_entries(open, b']', |reader, at| reader.flow(at, depth))
            }
            b'{' => {
                self.builder.start_mapping(open.clone(), true, 0).ok()?;
                self.flow_entries(open, b'}', |reader, at| {
                    let colon = reader.flow_scalar(at)?;
                    let is_key = reader.text.get(colon..)?.starts_with(": ");
                    is_key.then_some(())?;
                    reader.flow(reader.after_blanks(colon + 1), depth)
                })
            }
            _ => self.flow_scalar(at),
        }
    }

    /// The entries of a flow collection. Returns the end of the collection.
    fn flow_entries(
        &mut self,
        open: Range<usize>,
        close: u8,
        mut entry: impl FnMut(&mut Self, usize) -> Option<usize>,
    ) -> Option<usize> {
        let mut at = self.after_blanks(open.end);
        if self.byte(at)? != close {
            loop {
                at = entry(self, at)?;
                at = self.after_blanks(at);
                match self.byte(at)? {
                    b',' => at = self.after_blanks(at + 1),
                    other if other == close => break,
                    _ => return None,
                }
            }
        }
        self.builder.end(&(at..at + 1)).ok()?;
        Some(at + 1)
    }

    /// A text in a flow collection. Returns its end.
    fn flow_scalar(&mut self, at: usize) -> Option<usize> {
        let line = self.text.get(at..)?.split('\n').next()?;
        let own = match line.bytes().next()? {
            b'"' | b'\'' => scalar(line)?,
            _ => {
                let is_over = |(at, byte): &(usize, u8)| match byte {
                    b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'"' | b'\'' => true,
                    b':' => !line
                        .as_bytes()
                        .get(at + 1)
                        .is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'/'),
                    _ => false,
                };
                let end = line.bytes().enumerate().find(is_over)?.0;
                scalar(line.get(..end)?).filter(|own| !own.content.is_empty())?
            }
        };
        self.scalar(at, &own)?;
        Some(at + own.length)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn after_blanks(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest.len() - rest.trim_start_matches(' ').len()
    }
}

/// Returns `true` if a text on a line is a key.
fn is_key(line: &str, scalar: &Scalar<'_>) -> bool {
    let rest = line.as_bytes().get(scalar.length..).unwrap_or_default();
    matches!(rest, [b':'] | [b':', b' ', ..]) && scalar.length <= LONGEST_KEY
}

/// The text at the start of a line, or of its rest.
fn scalar(line: &str) -> Option<Scalar<'_>> {
    if let Some(quote @ ('"' | '\'')) = line.chars().next() {
        let content = line.get(1..)?;
        let content = content.get(..content.find(quote)?)?;
        let length = content.len() + 2;
        // A quote that follows is part of the text.
        let is_over = !line.get(length..)?.starts_with(quote) && !content.contains('\\');
        return is_over.then_some(Scalar { content, plain: false, length });
    }
    if !starts_plain(line) {
        return None;
    }
    let bytes = line.as_bytes();
    let is_end = |at: &usize| match bytes.get(*at) {
        Some(b':') => matches!(bytes.get(at + 1), None | Some(b' ')),
        _ => at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b' '),
    };
    let end = memchr::memchr2_iter(b':', b'#', bytes).find(is_end).unwrap_or(line.len());
    let content = line.get(..end)?.trim_end_matches(' ');
    Some(Scalar { content, plain: true, length: content.len() })
}

/// Returns `true` if a line starts with a text without quotes, whatever follows.
fn starts_plain(line: &str) -> bool {
    let mut characters = line.chars();
    match characters.next() {
        Some('-') => characters.next().is_some_and(char::is_alphanumeric),
        Some('.' | '/' | '_' | '~' | '$' | '(' | '<') => !line.starts_with("..."),
        Some(first) => first.is_alphanumeric(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::yaml::parse_any;

    /// Forms that are read here.
    const READ: [&str; 6] = [
        "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Größe — 研究\nscope: {teams: [a, \"b c\"]}\nrules:\n  - name: 'one'\n    port: 443\n    actions: [connect:tcp]\n    resources:\n      - \"**.a.example:443\"\n      - 10.0.0.0/8\n",
        "# first\na: 1 # trailing\n\nb:   # of a list\n- x\n-   y: -1\n    z: []\nc: {}\n# last",
        "---\n- a\n- b: c\n  d:\n    - e\n---\n---\n\"k\": {a: [b, {c: d}], e: ~/f}\n",
        "  a:\n    b: x:y#z\n    <<: {b: 1, c: 2}\n",
        "- allow: connect:tcp example.com:443\n- deny: mount:read /data/**\n",
        "",
    ];

    /// Returns `true` if a text is read here, and just as the general parser reads it.
    fn is_read(text: &str) -> bool {
        let own = parse(FileId::default(), text);
        let mut findings = Vec::new();
        let all = parse_any(FileId::default(), text, None, &mut findings);
        let is_read = own.is_some();
        if let Some(own) = own {
            assert_eq!((own, Vec::new()), (all, findings), "{text:?}");
        }
        is_read
    }

    #[test]
    fn usual_documents_are_read() {
        for text in READ {
            assert!(is_read(text), "{text}");
        }
    }

    #[test]
    fn whatever_is_in_doubt_is_left() {
        let table = [
            "a:\n",           // no value
            "a: |\n  b\n",    // a text of several lines
            "a: b\n  c\n",    // the same without a sign
            "a: [b,\n  c]\n", // a list of several lines
            "a: &b c\n",      // anchors, aliases and tags
            "a: *b\n",
            "a: !b c\n",
            "a: \"b\\n\"\n", // an escape
            "a: 'b''c'\n",
            "a: b\r\n",
            "a:\tb\n",
            "a: b: c\n", // faults
            "a: b\na: c\n",
            "a: .inf\n",
            "a: [b\n",
            "a: b\n c: d\n",
            "? a\n", // forms that nobody writes
            "a : b\n",
            "- - a\n",
            "a: [b: c]\n",
            "a: {b, c: d}\n",
            "--- a\n",
            "%YAML 1.2\n---\na: b\n",
            "a: b\n...\n",
            "a",
            "a: \u{a0}b\n",
        ];
        for text in table {
            assert!(!is_read(text), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn what_is_read_is_what_the_general_parser_reads(
            text in prop::sample::select(&READ[..]),
            edits in prop::collection::vec(
                (any::<prop::sample::Index>(), 0..3_usize, "[-a~<\"'#:,\\[\\]{}?&*!|.0é \n]{0,3}|\n {0,6}(- )?|: |, | #|---\n"),
                0..6,
            ),
        ) {
            let mut text: Vec<char> = text.chars().collect();
            for (at, removed, added) in edits {
                let at = at.index(text.len() + 1);
                let end = text.len().min(at + removed);
                text.splice(at..end, added.chars());
            }
            is_read(&text.into_iter().collect::<String>());
        }
    }
}
