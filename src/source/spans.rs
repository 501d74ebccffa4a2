//! The places of all keys and values of a document, as a tree of the same shape as the value.
//!
//! Documents have millions of values, nearly all of them scalars, so that a place takes 16 bytes.

use std::borrow::Cow;
use std::ops::Range;

/// The place of a value and its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans {
    start: u32,
    end: u32,
    /// `None` for a scalar.
    parts: Option<Box<Parts>>,
}

/// The parts of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parts {
    /// The items of a sequence.
    Items(Vec<Spans>),
    /// The entries of a mapping, in the order written; merged entries come last.
    Entries(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Bytes of the key.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Spans,
}

impl Spans {
    /// The place of a scalar.
    #[must_use]
    pub fn scalar(span: Range<usize>) -> Self {
        Self { start: offset(span.start), end: offset(span.end), parts: None }
    }

    /// The place of a sequence or a mapping.
    #[must_use]
    pub fn collection(span: Range<usize>, parts: Parts) -> Self {
        Self { parts: Some(Box::new(parts)), ..Self::scalar(span) }
    }

    /// The same parts at another place.
    #[must_use]
    pub fn moved_to(self, span: Range<usize>) -> Self {
        Self { parts: self.parts, ..Self::scalar(span) }
    }

    /// Bytes of the value. For an alias, those of the alias; its target has its place at the
    /// anchor.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The places of the parts; `None` for a scalar.
    #[must_use]
    pub fn parts(&self) -> Option<&Parts> {
        self.parts.as_deref()
    }

    /// The same, taking ownership.
    #[must_use]
    pub fn into_parts(self) -> Option<Parts> {
        self.parts.map(|parts| *parts)
    }

    /// The place of the value at a JSON pointer (RFC 6901), or of the nearest enclosing value that
    /// exists.
    #[must_use]
    pub fn nearest(&self, pointer: &str) -> &Self {
        let mut here = self;
        for segment in segments(pointer) {
            match here.child(&segment) {
                Some(child) => here = child,
                None => break,
            }
        }
        here
    }

    /// The value at a JSON pointer.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<&Self> {
        segments(pointer).try_fold(self, |here, segment| here.child(&segment))
    }

    /// The entry of a mapping with this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match self.parts()? {
            Parts::Entries(entries) => entries.iter().find(|entry| entry.key == key),
            Parts::Items(_) => None,
        }
    }

    /// The item of a sequence at an index.
    #[must_use]
    pub fn item(&self, index: usize) -> Option<&Self> {
        match self.parts()? {
            Parts::Items(items) => items.get(index),
            Parts::Entries(_) => None,
        }
    }

    /// A short range for the whole value: the first key of a mapping without braces, otherwise the
    /// value.
    #[must_use]
    pub fn head(&self) -> Range<usize> {
        match self.parts() {
            Some(Parts::Entries(entries)) => match entries.first() {
                Some(first) if first.key_span.start == self.span().start => first.key_span.clone(),
                Some(_) | None => self.span(),
            },
            Some(Parts::Items(_)) | None => self.span(),
        }
    }

    fn child(&self, segment: &str) -> Option<&Self> {
        match self.parts()? {
            Parts::Items(_) => self.item(segment.parse().ok()?),
            Parts::Entries(_) => self.entry(segment).map(|entry| &entry.value),
        }
    }
}

/// An offset in a text; larger texts than 4 GiB are refused before they are read.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The unescaped segments of a JSON pointer.
fn segments(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(|segment| {
        if segment.contains('~') {
            segment.replace("~1", "/").replace("~0", "~").into()
        } else {
            segment.into()
        }
    })
}
