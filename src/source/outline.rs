//! The layout of documents: nodes with their style and bytes, for code that edits text.
//!
//! Invariant: the nodes come from the same parser and dialect as [`super::parse`], so that both
//! interpret a file alike. A text with errors has no outline.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use super::expectation;
use super::yaml::{bytes, options, trimmed};

/// A document as it is written.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Bytes of the `---` before it, if there is one.
    pub marker: Option<Range<usize>>,
    /// The value.
    pub root: Node,
}

/// A value as it is written.
#[derive(Clone, Debug)]
pub struct Node {
    /// Bytes of the value without its anchor. A missing value has none; a literal or folded text
    /// starts after its header, and ends with its line breaks.
    pub span: Range<usize>,
    /// The form of the value.
    pub shape: Shape,
}

/// The form of a value.
#[derive(Clone, Debug)]
pub enum Shape {
    /// `*name`.
    Alias,
    /// Text.
    Scalar {
        /// The quoting of the text.
        style: Style,
        /// The content of the text.
        content: String,
    },
    /// A list.
    Sequence {
        /// True if it is written in brackets.
        flow: bool,
        /// The items.
        items: Vec<Node>,
    },
    /// Keys and values.
    Mapping {
        /// True if it is written in braces, or is a pair in brackets.
        flow: bool,
        /// The keys with their values.
        entries: Vec<(Node, Node)>,
    },
}

/// The quoting style of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Not at all.
    Plain,
    /// `'…'`.
    Single,
    /// `"…"`.
    Double,
    /// `|` or `>`.
    Block,
}

/// An incomplete collection.
struct Open {
    flow: bool,
    mapping: bool,
    start: usize,
    children: Vec<Node>,
}

/// The documents of a text, including empty ones; `None` if the text has errors, or a key is not
/// text.
#[must_use]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the ends of documents and of the stream say nothing, comments are found by who looks for them, and other \
              events are not asked for"
)]
pub fn outline(text: &str) -> Option<Vec<Outline>> {
    let shielded = expectation::shield(text);
    let shown = shielded.as_ref().map_or(text, |shielded| shielded.text.as_str());
    let mut outlines = Vec::new();
    let mut marker = None;
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str_with_options(shown, options()) {
        let (event, span) = event.ok()?;
        let span = bytes(&span);
        let start = |flow, mapping| Open { flow, mapping, start: span.start, children: Vec::new() };
        let node = match event {
            Event::DocumentStart(explicit, _) => {
                marker = explicit.then_some(span);
                continue;
            }
            Event::SequenceStart(style, ..) => {
                open.push(start(style == StructureStyle::Flow, false));
                continue;
            }
            Event::MappingStart(style, ..) => {
                open.push(start(style == StructureStyle::Flow, true));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => finish(open.pop()?, span.end)?,
            Event::Alias(_) => Node { span, shape: Shape::Alias },
            Event::Scalar(content, style, ..) => {
                let content = match &shielded {
                    Some(shielded) => shielded.content(content, &span),
                    None => content,
                };
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let span = if style == Style::Block { span } else { trimmed(shown, span) };
                Node { span, shape: Shape::Scalar { style, content: content.into_owned() } }
            }
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => outlines.push(Outline { marker: marker.take(), root: node }),
        }
    }
    Some(outlines)
}

fn finish(open: Open, end: usize) -> Option<Node> {
    let Open { flow, mapping, start, children } = open;
    // The end event of a block collection is at the start of the next token, so the last child
    // determines the end.
    let end = if flow { end } else { children.last().map_or(end, |last| last.span.end) };
    if !mapping {
        return Some(Node { span: start..end, shape: Shape::Sequence { flow, items: children } });
    }
    let mut entries = Vec::new();
    let mut children = children.into_iter();
    while let Some(key) = children.next() {
        matches!(key.shape, Shape::Scalar { .. }).then_some(())?;
        entries.push((key, children.next()?));
    }
    Some(Node { span: start..end, shape: Shape::Mapping { flow, entries } })
}
