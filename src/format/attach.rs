//! Builds a tree from the text and its outline, in which each comment belongs to the entry that it
//! is about.
//!
//! Invariant: every comment of the text is in the tree once. Unknown syntax is reported, not
//! guessed.

use super::cursor::Cursor;
use super::scalar::Scalar;
use super::tree::{BlockText, Body, Collection, Comment, Document, Entry, Marker, Value};
use crate::source::outline::{Node, Outline, Shape, Style};

/// The reason why a text is not formatted.
pub(super) type Unusual = &'static str;

const KEY: Unusual = "a key is written in a way that cannot be moved";
const OTHER: Unusual = "something is written in a way that the layout does not know";

/// The documents of a text, and comments after the last of them that belong to none.
pub(super) fn attach(text: &str, outlines: &[Outline]) -> Result<Vec<Document>, Unusual> {
    let mut cursor = Cursor::new(text);
    let mut documents = Vec::new();
    for Outline { marker, root } in outlines {
        let mut document = Document::default();
        if let Some(marker) = marker {
            document.prologue = cursor.take_all();
            expect(cursor.at == marker.start)?;
            let blank = cursor.blank;
            cursor.advance(marker.end);
            document.marker = Some(Marker { blank, comments: cursor.take_trailing() });
        }
        let mut header = cursor.take_all();
        if is_nothing(root) {
            document.header = header;
        } else {
            // A suppression applies to the line below, and moves with it.
            let silences = header.iter().rev().take_while(|comment| is_silence(comment)).count();
            let silences = header.split_off(header.len() - silences);
            document.header = header;
            let blank = cursor.blank;
            let entry = value(&mut cursor, root, None, 0)?;
            let Entry { mut value, head, inner, trailing, .. } = entry;
            expect(value.anchor.is_none() && head.is_empty() && inner.is_empty())?;
            match &mut value.body {
                Body::Collection(Collection { entries, .. }) => {
                    let first = entries.first_mut().ok_or(OTHER)?;
                    first.set_blank_above(blank);
                    first.before.splice(0..0, silences);
                }
                Body::Nothing | Body::Alias(_) | Body::Scalar(_) | Body::Block(_) => {
                    return Err(OTHER);
                }
            }
            document.root = Some(value);
            document.foot = trailing;
        }
        document.foot.extend(cursor.take_all());
        if cursor.rest().starts_with("...") {
            cursor.advance(cursor.at + 3);
        }
        documents.push(document);
    }
    if let Some(last) = documents.last_mut() {
        last.foot.extend(cursor.take_all());
    }
    expect(cursor.rest().is_empty())?;
    Ok(documents)
}

fn expect(held: bool) -> Result<(), Unusual> {
    if held { Ok(()) } else { Err(OTHER) }
}

fn is_silence(comment: &Comment) -> bool {
    comment.text.trim_start_matches('#').trim_start().starts_with("seawall:")
}

fn is_nothing(node: &Node) -> bool {
    matches!(node.shape, Shape::Scalar { style: Style::Plain, .. }) && node.span.is_empty()
}

/// The value at the cursor as an entry without a key; `flow` is true inside of brackets or braces,
/// and `parent` is the indentation of the enclosing collection.
fn value(
    cursor: &mut Cursor<'_>,
    node: &Node,
    flow: Option<bool>,
    parent: usize,
) -> Result<Entry, Unusual> {
    let mut head = cursor.take_trailing();
    let mut anchor = None;
    if cursor.here('&') {
        let rest = cursor.rest();
        let length = rest.find([' ', '\t', '\n', ',', '[', ']', '{', '}']).unwrap_or(rest.len());
        anchor = rest.get(..length).map(str::to_owned);
        cursor.advance(cursor.at + length);
        head.extend(cursor.take_trailing());
    }
    let mut entry = Entry {
        before: Vec::new(),
        blank: false,
        key: None,
        head,
        inner: Vec::new(),
        value: Value { anchor, body: Body::Nothing },
        trailing: Vec::new(),
        foot: Vec::new(),
    };
    entry.value.body = match &node.shape {
        Shape::Scalar { .. } if is_nothing(node) => {
            // Inside of brackets, a comment belongs to the next entry.
            if flow == Some(false) {
                entry.foot = cursor.take_foot(parent + 1);
            }
            Body::Nothing
        }
        Shape::Scalar { style: Style::Block, .. } => {
            entry.inner = cursor.take_all();
            block_text(cursor, node, &mut entry, parent)?
        }
        Shape::Alias => {
            entry.inner = cursor.take_all();
            let source = token(cursor, node)?;
            entry.trailing = cursor.take_trailing();
            Body::Alias(source)
        }
        Shape::Scalar { style, content } => {
            entry.inner = cursor.take_all();
            let source = token(cursor, node)?;
            entry.trailing = cursor.take_trailing();
            Body::Scalar(Scalar { source, style: *style, content: content.clone() })
        }
        Shape::Sequence { flow: false, items } => Body::Collection(sequence(cursor, items)?),
        Shape::Mapping { flow: false, entries } => Body::Collection(mapping(cursor, entries)?),
        Shape::Sequence { flow: true, .. } | Shape::Mapping { flow: true, .. } => {
            entry.inner = cursor.take_all();
            let mut collection = flow_collection(cursor, node)?;
            if collection.entries.is_empty() {
                entry.trailing = std::mem::take(&mut collection.foot);
            }
            entry.trailing.extend(cursor.take_trailing());
            Body::Collection(collection)
        }
    };
    Ok(entry)
}

fn token(cursor: &mut Cursor<'_>, node: &Node) -> Result<String, Unusual> {
    expect(cursor.at == node.span.start)?;
    let source = cursor.slice(node.span.start, node.span.end).to_owned();
    cursor.advance(node.span.end);
    Ok(source)
}

/// A literal or folded text, with the cursor at its header.
fn block_text(
    cursor: &mut Cursor<'_>,
    node: &Node,
    entry: &mut Entry,
    parent: usize,
) -> Result<Body, Unusual> {
    let rest = cursor.rest();
    expect(rest.starts_with(['|', '>']))?;
    let length = rest.find([' ', '\t', '\n']).unwrap_or(rest.len());
    let header = rest.get(..length).unwrap_or_default().to_owned();
    let line = rest.find('\n').unwrap_or(rest.len());
    let start = (cursor.at + line + 1).min(cursor.text.len());
    if rest.get(length..line).is_some_and(|rest| rest.contains('#')) {
        // Only on this line: the following lines are text, whatever they look like.
        let mut within = Cursor::new(cursor.text.get(..cursor.at + line).unwrap_or_default());
        within.take_all();
        within.advance(cursor.at + length);
        entry.head.extend(within.take_all());
    }
    // One comment fits after the header; a second one would be read as text.
    if entry.head.len() > 1 {
        let more: Vec<Comment> = entry.head.drain(..entry.head.len() - 1).collect();
        entry.before.extend(more);
    }
    let written = cursor.slice(start, node.span.end.max(start));
    // Blank lines are text with `+`, and otherwise belong to the next entry.
    let length = match header.contains('+') {
        true => {
            written.rfind('\n').map_or(written.len(), |end| end + 1).max(written.trim_end().len())
        }
        false => written.trim_end_matches([' ', '\t', '\n']).len(),
    };
    let end = start + length;
    let written = cursor.slice(start, end);
    let lines: Vec<String> = written.lines().map(str::to_owned).collect();
    let digit = header.chars().find_map(|character| character.to_digit(10));
    let blanks = |line: &String| line.len() - line.trim_start_matches(' ').len();
    let indent = match digit {
        Some(digit) => parent + usize::try_from(digit).unwrap_or_default(),
        None => lines.iter().find(|line| !line.trim_matches(' ').is_empty()).map_or(0, blanks),
    };
    cursor.advance(end);
    Ok(Body::Block(BlockText { header, lines, indent, explicit: digit.is_some(), parent }))
}

fn sequence(cursor: &mut Cursor<'_>, items: &[Node]) -> Result<Collection, Unusual> {
    let column = cursor.column().ok_or(OTHER)?;
    let mut entries = Vec::new();
    for item in items {
        let (before, blank) = (cursor.take_all(), cursor.blank);
        expect(cursor.here('-'))?;
        cursor.advance(cursor.at + 1);
        let entry = value(cursor, item, Some(false), column)?;
        entries.push(below(entry, before, blank));
    }
    Ok(Collection { flow: false, mapping: false, entries, foot: cursor.take_foot(column) })
}

fn mapping(cursor: &mut Cursor<'_>, pairs: &[(Node, Node)]) -> Result<Collection, Unusual> {
    let column = cursor.column().ok_or(OTHER)?;
    let entries = pairs
        .iter()
        .map(|(key, item)| pair(cursor, key, item, false, column))
        .collect::<Result<_, _>>()?;
    Ok(Collection { flow: false, mapping: true, entries, foot: cursor.take_foot(column) })
}

fn pair(
    cursor: &mut Cursor<'_>,
    key: &Node,
    item: &Node,
    flow: bool,
    column: usize,
) -> Result<Entry, Unusual> {
    let (mut before, blank) = (cursor.take_all(), cursor.blank);
    if cursor.here('?') && cursor.at < key.span.start {
        cursor.advance(cursor.at + 1);
        before.extend(cursor.take_all());
    }
    let Shape::Scalar { style, content } = &key.shape else { return Err(KEY) };
    if cursor.at != key.span.start || key.span.is_empty() || *style == Style::Block {
        return Err(KEY);
    }
    let source = token(cursor, key)?;
    if source.contains('\n') {
        return Err(KEY);
    }
    if cursor.here(':') {
        before.extend(cursor.take_all());
        cursor.advance(cursor.at + 1);
    }
    let entry = value(cursor, item, Some(flow), column)?;
    let key = Scalar { source, style: *style, content: content.clone() };
    Ok(Entry { key: Some(key), ..below(entry, before, blank) })
}

/// The entry with the comments above it, and comments that had to move there.
fn below(entry: Entry, mut before: Vec<Comment>, blank: bool) -> Entry {
    before.extend(entry.before);
    Entry { before, blank, ..entry }
}

/// A collection in brackets or braces, or a single pair in brackets.
fn flow_collection(cursor: &mut Cursor<'_>, node: &Node) -> Result<Collection, Unusual> {
    let (mapping, count) = match &node.shape {
        Shape::Mapping { entries, .. } => (true, entries.len()),
        Shape::Sequence { items, .. } => (false, items.len()),
        Shape::Alias | Shape::Scalar { .. } => return Err(OTHER),
    };
    let bare = mapping && !cursor.here('{');
    if !bare {
        expect(cursor.at == node.span.start)?;
        cursor.advance(cursor.at + 1);
    }
    let mut collection =
        Collection { flow: true, mapping, entries: Vec::with_capacity(count), foot: Vec::new() };
    for index in 0..count {
        let mut entry = match &node.shape {
            Shape::Mapping { entries, .. } => {
                let (key, item) = entries.get(index).ok_or(OTHER)?;
                pair(cursor, key, item, true, 0)?
            }
            Shape::Sequence { items, .. } => {
                let (before, blank) = (cursor.take_all(), cursor.blank);
                let entry = value(cursor, items.get(index).ok_or(OTHER)?, Some(true), 0)?;
                below(entry, before, blank)
            }
            Shape::Alias | Shape::Scalar { .. } => return Err(OTHER),
        };
        if !bare && cursor.here(',') {
            entry.trailing.extend(cursor.take_all());
            cursor.advance(cursor.at + 1);
            entry.trailing.extend(cursor.take_trailing());
        }
        collection.entries.push(entry);
    }
    if !bare {
        collection.foot = cursor.take_all();
        expect(cursor.at + 1 == node.span.end && cursor.rest().starts_with([']', '}']))?;
        cursor.advance(node.span.end);
    }
    Ok(collection)
}
