//! A file as a tree: its entries, each with its comments.

use super::scalar::Scalar;

/// A comment.
#[derive(Clone, Debug)]
pub(super) struct Comment {
    /// The text with its `#`, without blanks at the end.
    pub(super) text: String,
    /// Its column.
    pub(super) column: usize,
    /// The number of blanks between it and the text before it.
    pub(super) gap: usize,
    /// True if no text precedes it on its line.
    pub(super) own_line: bool,
    /// True if a blank line precedes it.
    pub(super) blank: bool,
}

/// A document with the comments around it.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// Comments before the marker.
    pub(super) prologue: Vec<Comment>,
    /// The `---`, if it is written.
    pub(super) marker: Option<Marker>,
    /// Comments at the top, which stay there whatever key comes first.
    pub(super) header: Vec<Comment>,
    /// The value; `None` for an empty document.
    pub(super) root: Option<Value>,
    /// Comments after the value.
    pub(super) foot: Vec<Comment>,
}

/// A `---`.
#[derive(Debug, Default)]
pub(super) struct Marker {
    /// True if a blank line precedes it.
    pub(super) blank: bool,
    /// Comments on its line.
    pub(super) comments: Vec<Comment>,
}

/// A key with its value, or an item.
#[derive(Debug)]
pub(super) struct Entry {
    /// Comments above.
    pub(super) before: Vec<Comment>,
    /// True if a blank line precedes it, after those comments.
    pub(super) blank: bool,
    /// The key; `None` for an item.
    pub(super) key: Option<Scalar>,
    /// Comments on the line of the key if the value starts below, and on that of a `|`.
    pub(super) head: Vec<Comment>,
    /// Comments on separate lines between key and value.
    pub(super) inner: Vec<Comment>,
    /// The value.
    pub(super) value: Value,
    /// Comments after the value.
    pub(super) trailing: Vec<Comment>,
    /// Comments below a key without a value, indented like its value.
    pub(super) foot: Vec<Comment>,
}

/// A value.
#[derive(Debug)]
pub(super) struct Value {
    /// `&name`.
    pub(super) anchor: Option<String>,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    /// A missing value.
    Nothing,
    /// `*name`.
    Alias(String),
    Scalar(Scalar),
    Block(BlockText),
    Collection(Collection),
}

/// A literal or folded text.
#[derive(Debug)]
pub(super) struct BlockText {
    /// `|-`.
    pub(super) header: String,
    /// Its lines as written, without line ends.
    pub(super) lines: Vec<String>,
    /// The indentation of its lines that is not part of the text.
    pub(super) indent: usize,
    /// True if the header states that indentation.
    pub(super) explicit: bool,
    /// The indentation of the enclosing collection.
    pub(super) parent: usize,
}

#[derive(Debug)]
pub(super) struct Collection {
    pub(super) flow: bool,
    pub(super) mapping: bool,
    pub(super) entries: Vec<Entry>,
    /// Comments after the last entry, with the indentation of the entries.
    pub(super) foot: Vec<Comment>,
}

impl Entry {
    /// Returns `true` if a blank line precedes the entry and its comments.
    pub(super) fn blank_above(&self) -> bool {
        self.before.first().map_or(self.blank, |comment| comment.blank)
    }

    /// Adds or removes a blank line before the entry and its comments.
    pub(super) fn set_blank_above(&mut self, blank: bool) {
        match self.before.first_mut() {
            Some(comment) => comment.blank = blank,
            None => self.blank = blank,
        }
    }

    /// Returns `true` if it contains a comment.
    fn has_comments(&self) -> bool {
        let Self { before, blank: _, key: _, head, inner, value, trailing, foot } = self;
        [before, head, inner, trailing, foot].into_iter().any(|comments| !comments.is_empty())
            || value.has_comments()
    }
}

impl Value {
    /// Returns `true` if it contains a comment.
    pub(super) fn has_comments(&self) -> bool {
        match &self.body {
            Body::Collection(collection) => {
                !collection.foot.is_empty() || collection.entries.iter().any(Entry::has_comments)
            }
            Body::Nothing | Body::Alias(_) | Body::Scalar(_) | Body::Block(_) => false,
        }
    }

    /// Returns `true` if it contains an alias.
    pub(super) fn has_aliases(&self) -> bool {
        match &self.body {
            Body::Alias(_) => true,
            Body::Collection(collection) => {
                collection.entries.iter().any(|entry| entry.value.has_aliases())
            }
            Body::Nothing | Body::Scalar(_) | Body::Block(_) => false,
        }
    }
}
