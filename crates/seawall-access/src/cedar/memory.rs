//! Texts that were parsed already: checks, comparison, order and display look at the same ones, and each is parsed once.
//!
//! Invariant: what is remembered is what parsing gives, and so much of it at most.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of texts: a large organization's before and after a change.
const MOST: usize = 16 << 20;

/// The results of parsing texts.
pub(super) struct Memory<T>(Mutex<Texts<T>>);

struct Texts<T> {
    parsed: BTreeMap<String, T>,
    bytes: usize,
}

impl<T: Clone> Memory<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Texts { parsed: BTreeMap::new(), bytes: 0 }))
    }

    fn texts(&self) -> MutexGuard<'_, Texts<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of parsing a text, remembered from before or made now.
    pub(super) fn remember(&self, text: &str, parse: impl FnOnce() -> T) -> T {
        if let Some(parsed) = self.texts().parsed.get(text) {
            return parsed.clone();
        }
        // Not while others wait: two threads at the same text are rare, and agree.
        let parsed = parse();
        let mut texts = self.texts();
        if texts.bytes + text.len() > MOST {
            texts.parsed.clear();
            texts.bytes = 0;
        }
        texts.bytes += text.len();
        texts.parsed.insert(text.to_owned(), parsed.clone());
        parsed
    }
}
