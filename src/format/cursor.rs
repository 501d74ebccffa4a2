//! Walks through a text from token to token, and collects the comments and blank lines between
//! them.
//!
//! Invariant: a collected comment is pending until it is taken.

use std::collections::VecDeque;

use super::tree::Comment;

pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    /// The next token, or the end.
    pub(super) at: usize,
    /// True if a blank line precedes the next token.
    pub(super) blank: bool,
    pending: VecDeque<Comment>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut cursor = Self { text, at: 0, blank: false, pending: VecDeque::new() };
        cursor.advance(0);
        cursor
    }

    /// Advances to the next token after `from`.
    pub(super) fn advance(&mut self, from: usize) {
        self.at = from;
        let mut line_ends = 0;
        loop {
            let rest = self.rest();
            match rest.bytes().next() {
                Some(b'\n') => line_ends += 1,
                Some(b' ' | b'\t') => {}
                Some(b'#') => {
                    let length = rest.find('\n').unwrap_or(rest.len());
                    let comment = self.comment(length, line_ends > 1);
                    self.pending.push_back(comment);
                    self.at += length;
                    line_ends = 0;
                    continue;
                }
                Some(_) | None => break,
            }
            self.at += 1;
        }
        self.blank = line_ends > 1;
    }

    fn comment(&self, length: usize, blank: bool) -> Comment {
        let before = self.before();
        let text = self.slice(self.at, self.at + length).trim_end().to_owned();
        let content = before.trim_end_matches([' ', '\t']);
        let gap = before.chars().count() - content.chars().count();
        Comment { text, column: before.chars().count(), gap, own_line: content.is_empty(), blank }
    }

    /// The text on the line before the next token.
    fn before(&self) -> &'a str {
        let start = self.slice(0, self.at).rfind('\n').map_or(0, |end| end + 1);
        self.slice(start, self.at)
    }

    /// The column of the next token; `None` at the end of a document, which is less than any
    /// column.
    pub(super) fn column(&self) -> Option<usize> {
        let ends = |mark| self.rest().starts_with(mark) && self.before().is_empty();
        let ended = self.rest().is_empty() || ends("---") || ends("...");
        (!ended).then(|| self.before().chars().count())
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    pub(super) fn here(&self, token: char) -> bool {
        self.rest().starts_with(token)
    }

    /// The comment on the line of the last token, with lines below that continue it at the same
    /// column.
    pub(super) fn take_trailing(&mut self) -> Vec<Comment> {
        let mut taken: Vec<Comment> =
            self.pending.pop_front_if(|comment| !comment.own_line).into_iter().collect();
        if let Some(column) = taken.first().map(|comment| comment.column) {
            let goes_on = |comment: &mut Comment| {
                comment.own_line && !comment.blank && comment.column == column
            };
            while let Some(comment) = self.pending.pop_front_if(goes_on) {
                taken.push(comment);
            }
        }
        taken
    }

    /// The comments after a collection whose entries start at this column: those with at least this
    /// indentation, unless the next token has it too.
    pub(super) fn take_foot(&mut self, column: usize) -> Vec<Comment> {
        if self.column().is_some_and(|next| next >= column) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        while let Some(comment) = self.pending.pop_front_if(|comment| comment.column >= column) {
            taken.push(comment);
        }
        taken
    }

    pub(super) fn take_all(&mut self) -> Vec<Comment> {
        self.pending.drain(..).collect()
    }
}
