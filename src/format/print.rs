//! Prints a tree: two blanks for each level, lists below their key, at most one blank line.
//!
//! Invariant: nothing is left out, and formatting the result again gives the same text.

use super::scalar::Scalar;
use super::tree::{BlockText, Body, Collection, Comment, Document, Entry, Value};

/// The line length of lists in brackets.
const WIDTH: usize = 120;

#[derive(Default)]
pub(super) struct Printer {
    out: String,
    /// The end of a text to which following blank lines would belong.
    open_text: usize,
}

/// The text of documents.
pub(super) fn print(documents: Vec<Document>) -> String {
    let mut printer = Printer::default();
    let mut left = Vec::new();
    let mut first = true;
    for Document { mut prologue, marker, mut header, root, foot } in documents {
        prologue.splice(0..0, std::mem::take(&mut left));
        let Some(root) = root else {
            // An empty document has no value, but may have comments.
            left = prologue;
            left.extend(marker.into_iter().flat_map(|marker| marker.comments));
            left.append(&mut header);
            left.extend(foot);
            continue;
        };
        printer.own_lines(&prologue, 0);
        if !first || marker.is_some() {
            let marker = marker.unwrap_or_default();
            printer.blank(marker.blank && !printer.out.is_empty());
            printer.out.push_str("---");
            printer.tail(&marker.comments);
            printer.out.push('\n');
        }
        first = false;
        printer.own_lines(&header, 0);
        printer.root(&root);
        printer.own_lines(&foot, 0);
    }
    printer.own_lines(&left, 0);
    printer.out
}

impl Printer {
    fn root(&mut self, root: &Value) {
        let Body::Collection(collection) = &root.body else { return };
        match self.inline(root, 0) {
            Some(text) => {
                let above = collection.entries.first().is_some_and(Entry::blank_above);
                self.blank(above);
                self.out.push_str(&text);
                self.out.push('\n');
            }
            None => self.entries(collection, 0, false),
        }
    }

    /// Prints the entries of a collection on separate lines; with `compact`, the first one
    /// continues the line.
    fn entries(&mut self, collection: &Collection, indent: usize, compact: bool) {
        for (index, entry) in collection.entries.iter().enumerate() {
            if !compact || index > 0 {
                self.own_lines(&entry.before, indent);
                self.blank(entry.blank);
                self.pad(indent);
            }
            match &entry.key {
                Some(key) => {
                    self.out.push_str(&key.block(indent));
                    self.out.push(':');
                }
                None => self.out.push('-'),
            }
            self.value(entry, indent);
            self.own_lines(&entry.foot, indent + 2);
        }
        self.own_lines(&collection.foot, indent);
    }

    /// Writes the text that follows a key or a dash, to the end of its last line.
    fn value(&mut self, entry: &Entry, indent: usize) {
        let below = indent + 2;
        let Entry { head, inner, value, trailing, .. } = entry;
        let inline = self.inline(value, below);
        match (&value.body, inline) {
            (Body::Collection(collection), None) => {
                self.anchor(value);
                let item = entry.key.is_none();
                let compact = item
                    && value.anchor.is_none()
                    && [head, inner, trailing].iter().all(|some| some.is_empty());
                if compact {
                    self.out.push(' ');
                } else {
                    // A comment after a removed bracket moves after the key.
                    self.tail(&[head.as_slice(), trailing].concat());
                    self.out.push('\n');
                    self.own_lines(inner, below);
                }
                self.entries(collection, below, compact);
            }
            (Body::Block(text), _) => {
                if inner.is_empty() {
                    self.out.push(' ');
                } else {
                    self.out.push('\n');
                    self.own_lines(inner, below);
                    self.pad(below);
                }
                if let Some(anchor) = &value.anchor {
                    self.out.push_str(anchor);
                    self.out.push(' ');
                }
                self.out.push_str(&text.header);
                self.tail(head);
                self.out.push('\n');
                self.block_text(text, indent);
            }
            (_, Some(text)) if !text.is_empty() => {
                if head.is_empty() && inner.is_empty() {
                    self.out.push(' ');
                } else {
                    self.tail(head);
                    self.out.push('\n');
                    self.own_lines(inner, below);
                    self.pad(below);
                }
                self.out.push_str(&text);
                self.tail(trailing);
                self.out.push('\n');
            }
            (_, _) => {
                self.tail(&[head.as_slice(), trailing].concat());
                self.out.push('\n');
                self.own_lines(inner, below);
            }
        }
    }

    /// The text of a value that continues its line, with its anchor; `None` for one that needs its
    /// own lines.
    fn inline(&self, value: &Value, indent: usize) -> Option<String> {
        let text = match &value.body {
            Body::Nothing => return Some(value.anchor.clone().unwrap_or_default()),
            Body::Alias(name) => name.clone(),
            Body::Scalar(scalar) => scalar.block(indent),
            Body::Block(_) => return None,
            Body::Collection(collection) if collection.entries.is_empty() => brackets(collection),
            Body::Collection(collection) => {
                let text = brackets(collection);
                let anchor = value.anchor.as_ref().map_or(0, |anchor| anchor.chars().count() + 1);
                let fits = self.column() + 1 + anchor + text.chars().count() <= WIDTH;
                (collection.flow && fits && !value.has_comments()).then_some(text)?
            }
        };
        Some(value.anchor.iter().fold(text, |text, anchor| format!("{anchor} {text}")))
    }

    fn anchor(&mut self, value: &Value) {
        if let Some(anchor) = &value.anchor {
            self.out.push(' ');
            self.out.push_str(anchor);
        }
    }

    /// Lines of a literal or folded text, indented as a whole.
    fn block_text(&mut self, text: &BlockText, indent: usize) {
        let BlockText { header, lines, indent: old, explicit, parent } = text;
        let new = if *explicit { indent + old.saturating_sub(*parent) } else { indent + 2 };
        for line in lines {
            let blanks = line.len() - line.trim_start_matches(' ').len();
            if line.trim_matches(' ').is_empty() && blanks <= *old {
                self.out.push('\n');
                continue;
            }
            self.pad(new);
            self.out.push_str(line.get(blanks.min(*old)..).unwrap_or_default());
            self.out.push('\n');
        }
        if header.contains('+') {
            self.open_text = self.out.len();
        }
    }

    /// Comments at the end of the line, further ones below the first.
    fn tail(&mut self, comments: &[Comment]) {
        let mut column = None;
        for comment in comments {
            match column {
                None => {
                    let gap = if comment.own_line { 1 } else { comment.gap.max(1) };
                    self.pad(gap);
                    column = Some(self.column());
                }
                Some(column) => {
                    self.out.push('\n');
                    self.pad(column);
                }
            }
            self.out.push_str(&comment.text);
        }
    }

    fn own_lines(&mut self, comments: &[Comment], indent: usize) {
        for comment in comments {
            self.blank(comment.blank);
            self.pad(indent);
            self.out.push_str(&comment.text);
            self.out.push('\n');
        }
    }

    fn blank(&mut self, wanted: bool) {
        // Neither at the top, nor where it would be read as text.
        if wanted && self.open_text != self.out.len() {
            self.out.push('\n');
        }
    }

    fn pad(&mut self, blanks: usize) {
        self.out.extend(std::iter::repeat_n(' ', blanks));
    }

    fn column(&self) -> usize {
        self.out.rsplit('\n').next().unwrap_or_default().chars().count()
    }
}

/// A collection on one line.
fn brackets(collection: &Collection) -> String {
    let parts: Vec<String> = collection.entries.iter().map(part).collect();
    let parts = parts.join(", ");
    if collection.mapping { format!("{{{parts}}}") } else { format!("[{parts}]") }
}

fn part(entry: &Entry) -> String {
    let value = match &entry.value.body {
        Body::Nothing => String::new(),
        Body::Alias(name) => name.clone(),
        Body::Scalar(scalar) => scalar.flow(),
        // Neither is in brackets.
        Body::Block(text) => text.header.clone(),
        Body::Collection(collection) => brackets(collection),
    };
    let anchor = entry.value.anchor.iter().map(String::as_str);
    let value: Vec<&str> = anchor.chain((!value.is_empty()).then_some(value.as_str())).collect();
    match (entry.key.as_ref().map(Scalar::flow), value.is_empty()) {
        (Some(key), true) => key,
        (Some(key), false) => format!("{key}: {}", value.join(" ")),
        (None, _) => value.join(" "),
    }
}
