//! Texts that were parsed already: checks, comparison, order and display look at the same ones, and each is parsed once.
//!
//! Invariant: what is remembered is what parsing gives, and so much of it at most.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::statement::Parsed;

/// Bytes of texts: a large organization's before and after a change.
const MOST: usize = 16 << 20;

static MEMORY: Mutex<Memory> = Mutex::new(Memory { texts: BTreeMap::new(), bytes: 0 });

struct Memory {
    texts: BTreeMap<String, Parsed>,
    bytes: usize,
}

/// The result of parsing a text, remembered from before or made now.
pub(super) fn remembered(text: &str, parse: impl FnOnce() -> Parsed) -> Parsed {
    let memory = || MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(parsed) = memory().texts.get(text) {
        return parsed.clone();
    }
    // Not while others wait: two threads at the same text are rare, and agree.
    let parsed = parse();
    let mut memory = memory();
    if memory.bytes + text.len() > MOST {
        memory.texts.clear();
        memory.bytes = 0;
    }
    memory.bytes += text.len();
    memory.texts.insert(text.to_owned(), parsed.clone());
    parsed
}
