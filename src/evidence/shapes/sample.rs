//! The texts that lines of one shape have in common.

use super::Span;

/// Lines that were matched with all of their texts.
#[derive(Debug)]
pub(super) struct Sample {
    /// The first of them.
    line: Vec<u8>,
    spans: Vec<Span>,
    /// For each text, whether it was ever another one than in the first line. A text that was stays
    /// out of what is usual, so that a value that changes now and then is not learned again and
    /// again.
    varied: Vec<bool>,
    /// The number of lines since it was last told what is usual.
    lines: usize,
}

impl Sample {
    /// No line yet; those of its texts that are told apart, even if they are always the same.
    pub(super) fn new(texts: usize, told_apart: impl Iterator<Item = usize>) -> Self {
        let mut varied = vec![false; texts];
        for text in told_apart {
            if let Some(varied) = varied.get_mut(text) {
                *varied = true;
            }
        }
        Self { line: Vec::new(), spans: Vec::new(), varied, lines: 0 }
    }

    /// Adds a line. Returns `true` after each `compared` of them: what is usual may have changed.
    pub(super) fn add(&mut self, line: &[u8], spans: &[Span], compared: usize) -> bool {
        if !self.has_usual() {
            return false;
        }
        if self.line.is_empty() {
            self.line = line.to_vec();
            self.spans = spans.to_vec();
        }
        for ((varied, first), own) in self.varied.iter_mut().zip(&self.spans).zip(spans) {
            *varied |= self.line.get(first.0..first.1) != line.get(own.0..own.1);
        }
        self.lines += 1;
        if self.lines < compared {
            return false;
        }
        self.lines = 0;
        true
    }

    /// Returns `true` if a text was the same in all lines.
    pub(super) fn has_usual(&self) -> bool {
        self.varied.contains(&false)
    }

    /// The text of this number, if it is usual.
    pub(super) fn usual(&self, number: usize) -> Option<&str> {
        if *self.varied.get(number)? {
            return None;
        }
        let span = self.spans.get(number)?;
        std::str::from_utf8(self.line.get(span.0..span.1)?).ok()
    }

    /// For each text, its number among those that are not usual.
    pub(super) fn numbers(&self) -> Vec<Option<usize>> {
        let mut next = 0..;
        self.varied.iter().map(|varied| if *varied { next.next() } else { None }).collect()
    }

    /// The parts of the line around the texts that are not usual.
    pub(super) fn between(&self) -> Vec<Box<[u8]>> {
        let mut from = 0;
        let mut between = Vec::new();
        for (span, _) in self.spans.iter().zip(&self.varied).filter(|(_, varied)| **varied) {
            between.push(self.line.get(from..span.0).unwrap_or_default().into());
            from = span.1;
        }
        between.push(self.line.get(from..).unwrap_or_default().trim_ascii_end().into());
        between
    }
}
