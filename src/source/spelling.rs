//! The place of each character of a scalar in its file, for every style of scalars.
//!
//! The parser returns a scalar's text and its place as a whole. The text is computed again from the
//! file, each piece with its own place: lines of a block without their indentation, folded line
//! ends, escapes.
//!
//! Invariant: the computed text is the scalar's text, or there is no spelling; a place is therefore
//! never wrong.

use std::ops::Range;

/// The places of a scalar's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelling {
    /// The pieces in the order of the text, without gaps.
    pieces: Vec<Piece>,
    /// The length of the text without blanks at its end, in bytes.
    visible: usize,
}

/// Bytes of the text and the bytes of the file that they come from: equal, or of different lengths
/// for an escape or a line end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    text: Range<usize>,
    source: Range<usize>,
}

impl Spelling {
    /// The spelling of `text` by the scalar at `scalar` in `source`; `None` for a scalar in another
    /// place, such as the target of an alias.
    #[must_use]
    pub fn trace(text: &str, source: &str, scalar: &Range<usize>) -> Option<Self> {
        let written = source.get(scalar.clone())?;
        let inner = scalar.start + 1..scalar.end.saturating_sub(1);
        let new = || Tracer { text, source, at: 0, pieces: Vec::new() };
        let quoted = match written.chars().next()? {
            '"' => new().flow(&inner, Quotes::Double),
            '\'' => new().flow(&inner, Quotes::Single),
            _ => None,
        };
        // The other styles are distinguished by the text: if two of them produce it, they do so
        // from the same bytes.
        let plain = || new().flow(scalar, Quotes::None);
        let block = |folded| new().block(scalar.start, folded);
        let pieces = quoted.or_else(plain).or_else(|| block(false)).or_else(|| block(true))?;
        Some(Self { pieces, visible: text.trim_end().len() })
    }

    /// The bytes of the file for bytes of the text, without blanks at the end of the text. An empty
    /// range after the last visible character is just after that character in the file.
    #[must_use]
    pub fn place(&self, span: &Range<usize>) -> Range<usize> {
        if span.start >= self.visible && span.is_empty() {
            let end = self.end(self.visible);
            return end..end;
        }
        let start = self.start(span.start);
        if span.is_empty() {
            return start..start;
        }
        let end = if span.start < self.visible { span.end.min(self.visible) } else { span.end };
        start..self.end(end).max(start)
    }

    /// The start of the character at this byte of the text.
    fn start(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|piece| piece.text.end <= at);
        match self.pieces.get(index) {
            Some(piece) if piece.is_verbatim() => {
                piece.source.start + at.saturating_sub(piece.text.start)
            }
            Some(piece) => piece.source.start,
            None => self.pieces.last().map_or(0, |piece| piece.source.end),
        }
    }

    /// The end of the character before this byte of the text.
    fn end(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|piece| piece.text.end < at);
        match self.pieces.get(index) {
            Some(piece) if piece.is_verbatim() => {
                piece.source.start + at.saturating_sub(piece.text.start)
            }
            Some(piece) => piece.source.end,
            None => self.pieces.last().map_or(0, |piece| piece.source.end),
        }
    }
}

impl Piece {
    fn is_verbatim(&self) -> bool {
        self.text.len() == self.source.len()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

/// A text that is computed from a file, as long as it matches.
struct Tracer<'a> {
    text: &'a str,
    source: &'a str,
    at: usize,
    pieces: Vec<Piece>,
}

impl Tracer<'_> {
    /// Takes the next piece of the text, which comes from these bytes of the file.
    fn take(&mut self, made: &str, from: Range<usize>) -> Option<()> {
        self.text.get(self.at..)?.strip_prefix(made)?;
        let text = self.at..self.at + made.len();
        self.at = text.end;
        if !made.is_empty() {
            self.pieces.push(Piece { text, source: from });
        }
        Some(())
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn finish(self) -> Option<Vec<Piece>> {
        (self.at == self.text.len()).then_some(self.pieces)
    }

    /// A scalar with or without quotes, whose line ends are folded.
    fn flow(mut self, inner: &Range<usize>, quotes: Quotes) -> Option<Vec<Piece>> {
        let mut at = inner.start;
        while at < inner.end {
            let rest = self.source.get(at..inner.end)?;
            let plain = rest
                .find(|c: char| is_blank(c) || is_break(c) || quotes.mark(c))
                .unwrap_or(rest.len());
            if plain > 0 {
                self.take(rest.get(..plain)?, at..at + plain)?;
                at += plain;
            } else if quotes == Quotes::Single && rest.starts_with("''") {
                self.take("'", at..at + 2)?;
                at += 2;
            } else if quotes == Quotes::Double && rest.starts_with('\\') {
                at = self.escape(at, rest)?;
            } else {
                at = self.blanks(at, rest, false)?;
            }
        }
        self.finish()
    }

    /// Blanks and line ends: unchanged within a line, folded between lines. After an escaped line
    /// end, the first line end has been consumed already.
    fn blanks(&mut self, at: usize, rest: &str, escaped: bool) -> Option<usize> {
        let length = rest.find(|c| !is_blank(c) && !is_break(c)).unwrap_or(rest.len());
        if length == 0 && !escaped {
            return None;
        }
        let breaks = breaks(rest.get(..length)?, at);
        match breaks.as_slice() {
            [] if escaped => {}
            [] => self.take(rest.get(..length)?, at..at + length)?,
            [only] if !escaped => self.take(" ", only.clone())?,
            [first, others @ ..] => {
                let kept = escaped.then_some(first);
                kept.into_iter().chain(others).try_for_each(|one| self.take("\n", one.clone()))?;
            }
        }
        Some(at + length)
    }

    fn escape(&mut self, at: usize, rest: &str) -> Option<usize> {
        let mut characters = rest.chars().skip(1);
        let letter = characters.next()?;
        if is_break(letter) {
            let skipped = at + 1 + if rest.starts_with("\\\r\n") { 2 } else { 1 };
            let rest = rest.get(skipped - at..)?;
            return self.blanks(skipped, rest, true);
        }
        let digits = match letter {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let mut length = 1 + letter.len_utf8() + digits;
        let number = |from: usize| u32::from_str_radix(rest.get(from..from + digits)?, 16).ok();
        let mut made = match (simple_escape(letter), digits) {
            (Some(made), _) => u32::from(made),
            (None, 0) => return None,
            (None, _) => number(2)?,
        };
        // Two halves of one character, as in JSON.
        if let (4, 0xd800..=0xdbff) = (digits, made) {
            made = 0x1_0000 + ((made - 0xd800) << 10) + number(length + 2)?.checked_sub(0xdc00)?;
            length *= 2;
        }
        self.take(char::from_u32(made)?.encode_utf8(&mut [0; 4]), at..at + length)?;
        Some(at + length)
    }

    /// A block whose first line that is not empty starts here.
    fn block(mut self, start: usize, folded: bool) -> Option<Vec<Piece>> {
        let before = self.source.get(..start)?;
        let line = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        let indent = start - line;
        if !before.get(line..)?.chars().all(|c| c == ' ') {
            return None;
        }
        let empty = self.text.len() - self.text.trim_start_matches('\n').len();
        let above = breaks(before.get(..line)?, 0);
        for one in above.get(above.len().checked_sub(empty)?..)? {
            self.take("\n", one.clone())?;
        }
        let mut at = start;
        let mut starts_blank = false;
        let mut pending: Vec<Range<usize>> = Vec::new();
        loop {
            let rest = self.source.get(at..)?;
            let content = rest.get(..rest.find(is_break).unwrap_or(rest.len()))?;
            let blank = content.starts_with(is_blank);
            match pending.as_slice() {
                [only] if folded && !starts_blank && !blank => self.take(" ", only.clone())?,
                [_, others @ ..] if folded && !starts_blank && !blank => {
                    others.iter().try_for_each(|one| self.take("\n", one.clone()))?;
                }
                all => all.iter().try_for_each(|one| self.take("\n", one.clone()))?,
            }
            self.take(content, at..at + content.len())?;
            starts_blank = blank;
            (at, pending) = self.line_ends(at + content.len(), indent)?;
            if self.rest().chars().all(|c| c == '\n') {
                break;
            }
            if pending.is_empty() {
                return None;
            }
        }
        // A missing line end at the end of the file comes from no bytes.
        let end = self.source.len();
        let missing = self.rest().len().saturating_sub(pending.len());
        pending.extend(std::iter::repeat_n(end..end, missing.min(1)));
        for one in pending.into_iter().take(self.rest().len()) {
            self.take("\n", one)?;
        }
        self.finish()
    }

    /// Skips line ends and the indentation of the next lines; returns the start of the next line,
    /// and the line ends.
    fn line_ends(&self, mut at: usize, indent: usize) -> Option<(usize, Vec<Range<usize>>)> {
        let mut passed = Vec::new();
        loop {
            let rest = self.source.get(at..)?;
            let length =
                if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with(is_break)) };
            if length == 0 {
                return Some((at, passed));
            }
            passed.push(at..at + length);
            at += length;
            let line = self.source.get(at..)?;
            at += line.bytes().take(indent).take_while(|byte| *byte == b' ').count();
        }
    }
}

impl Quotes {
    /// Returns `true` if a character is not represented by itself.
    fn mark(self, c: char) -> bool {
        match self {
            Self::None => false,
            Self::Single => c == '\'',
            Self::Double => c == '\\',
        }
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

fn is_break(c: char) -> bool {
    c == '\n' || c == '\r'
}

/// The line ends of a piece of the file that starts at `start`.
fn breaks(piece: &str, start: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut bytes = piece.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        let pair = byte == b'\r' && bytes.next_if(|(_, next)| *next == b'\n').is_some();
        if byte == b'\n' || byte == b'\r' {
            found.push(start + at..start + at + if pair { 2 } else { 1 });
        }
    }
    found
}

/// The escapes of one letter (YAML 1.2, section 5.7).
fn simple_escape(letter: char) -> Option<char> {
    Some(match letter {
        '0' => '\0',
        'a' => '\x07',
        'b' => '\x08',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\x0b',
        'f' => '\x0c',
        'r' => '\r',
        'e' => '\x1b',
        ' ' | '"' | '/' | '\\' => letter,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
