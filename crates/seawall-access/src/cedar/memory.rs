//! A cache of parsed texts: checks, comparison, order and display use the same ones, and each is
//! parsed once.
//!
//! Invariant: a cached value is what parsing returns, and the size of the cache is limited.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The size of the texts in the cache: those of a large organization before and after a change, in
/// bytes.
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

    /// The result of parsing a text, from the cache or new.
    pub(super) fn remember(&self, text: &str, parse: impl FnOnce() -> T) -> T {
        if let Some(parsed) = self.texts().parsed.get(text) {
            return parsed.clone();
        }
        // Parsed outside of the lock: two threads rarely parse the same text, and get the same
        // result.
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
