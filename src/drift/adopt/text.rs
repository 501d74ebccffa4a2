//! Edits of a text by the bytes of its nodes.
//!
//! Invariant: text outside of edits stays unchanged, byte for byte; edits that touch each other are
//! refused.

use std::ops::Range;

use serde_json::Value;

use crate::source::emit;
use crate::source::outline::{Node, Shape, Style};

/// The reason why a text cannot be edited, as a phrase.
pub(super) type Refusal = String;

/// A text with edits.
pub(super) struct Edits<'a> {
    pub(super) text: &'a str,
    edits: Vec<(Range<usize>, String)>,
}

impl<'a> Edits<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, edits: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Adds the edits of another list for the same text.
    pub(super) fn extend(&mut self, other: Self) {
        self.edits.extend(other.edits);
    }

    pub(super) fn replace(&mut self, span: Range<usize>, with: impl Into<String>) {
        self.edits.push((span, with.into()));
    }

    /// The edited text.
    pub(super) fn apply(mut self) -> Result<String, Refusal> {
        self.edits.sort_by_key(|(span, _)| (span.start, span.end));
        let windows = self.text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'));
        let mut text = String::new();
        let mut done = 0;
        for (span, with) in &self.edits {
            let kept =
                self.text.get(done..span.start).ok_or("a value is used in more than one place")?;
            text.push_str(kept);
            // Lines are added after a text that does not end with a line end.
            if span.is_empty() && with.ends_with('\n') && !text.is_empty() && !text.ends_with('\n')
            {
                text.push('\n');
            }
            text.push_str(&if windows { with.replace('\n', "\r\n") } else { with.clone() });
            done = span.end;
        }
        text.push_str(self.text.get(done..).ok_or("a value is used in more than one place")?);
        Ok(text)
    }

    /// The start of the line of this byte.
    fn line_start(&self, at: usize) -> usize {
        self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
    }

    /// The end of the line of this byte, including its line end.
    pub(super) fn line_end(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        rest.find('\n').map_or(self.text.len(), |end| at + end + 1)
    }

    /// The blanks before this byte on its line; other characters count as blanks.
    pub(super) fn column(&self, at: usize) -> usize {
        self.text.get(self.line_start(at)..at).map_or(0, |before| before.chars().count())
    }

    /// The end of a value, without the line breaks of a literal text.
    pub(super) fn end(&self, node: &Node) -> usize {
        let end = match &node.shape {
            Shape::Mapping { flow: false, entries } => {
                entries.last().map_or(node.span.end, |(key, value)| {
                    // A missing value has no place.
                    if value.span.is_empty() { key.span.end + 1 } else { self.end(value) }
                })
            }
            Shape::Sequence { flow: false, items } => {
                items.last().map_or(node.span.end, |item| self.end(item))
            }
            Shape::Alias
            | Shape::Scalar { .. }
            | Shape::Mapping { .. }
            | Shape::Sequence { .. } => node.span.end,
        };
        node.span.start
            + self.text.get(node.span.start..end).map_or(0, |text| text.trim_end().len())
    }

    /// Replaces the value of a key. `flow` is true inside of braces.
    pub(super) fn set(
        &mut self,
        key: &Node,
        value: &Node,
        new: &Value,
        flow: bool,
    ) -> Result<(), Refusal> {
        let between = self.text.get(key.span.end..value.span.start).unwrap_or_default();
        if matches!(value.shape, Shape::Alias) || without_comments(between).contains('&') {
            return Err(format!("`{}` has an anchor or an alias", content(key)));
        }
        if flow {
            self.replace(value.span.clone(), emit::flow(new));
            return Ok(());
        }
        let colon = between
            .find(':')
            .ok_or_else(|| format!("`{}` is written in an unusual way", content(key)))?;
        let start = key.span.end + colon + 1;
        let written = emit::value(new, self.column(key.span.start));
        if matches!(value.shape, Shape::Scalar { style: Style::Block, .. }) {
            // The blanks before the next key are not part of it.
            let own =
                self.text.get(..value.span.end).unwrap_or_default().trim_end_matches([' ', '\t']);
            let end = if own.ends_with('\n') { own.len() } else { value.span.end };
            self.replace(start..end.max(start), written + "\n");
        } else {
            self.replace(start..self.end(value).max(start), written);
        }
        Ok(())
    }

    /// Removes a key with its value.
    pub(super) fn remove_entry(&mut self, key: &Node, value: &Node) -> Result<(), Refusal> {
        let start = self.line_start(key.span.start);
        if !self.text.get(start..key.span.start).unwrap_or_default().trim().is_empty() {
            return Err(format!("`{}` is not on a line of its own", content(key)));
        }
        let end = self.end(value).max(key.span.end);
        self.replace(start..self.line_end(end), "");
        Ok(())
    }

    /// Adds lines after an entry.
    pub(super) fn insert_behind(&mut self, value: &Node, lines: String) {
        let end = self.line_end(self.end(value));
        self.replace(end..end, lines);
    }

    /// The start of the line of an item's dash, and the dash's column.
    pub(super) fn dash(&self, item: &Node) -> Result<(usize, usize), Refusal> {
        let start = self.line_start(item.span.start);
        let before = self.text.get(start..item.span.start).unwrap_or_default();
        let indent = before.len() - before.trim_start_matches(' ').len();
        match before.trim() {
            "-" if !matches!(item.shape, Shape::Alias) => Ok((start, indent)),
            _ => {
                Err("an item has an anchor or an alias, or does not start after its dash"
                    .to_owned())
            }
        }
    }
}

/// The entry of a mapping with this key.
pub(super) fn entry<'a>(mapping: &'a Node, name: &str) -> Option<(&'a Node, &'a Node)> {
    let Shape::Mapping { entries, .. } = &mapping.shape else { return None };
    entries.iter().find(|(key, _)| content(key) == name).map(|(key, value)| (key, value))
}

/// The text of a scalar.
pub(super) fn content(node: &Node) -> &str {
    match &node.shape {
        Shape::Scalar { content, .. } => content,
        Shape::Alias | Shape::Sequence { .. } | Shape::Mapping { .. } => "",
    }
}

/// Returns `true` if a mapping is written in braces.
pub(super) fn in_braces(node: &Node) -> bool {
    matches!(node.shape, Shape::Mapping { flow: true, .. })
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect()
}
