//! The patterns that cover a pattern, found by walking a trie with it.
//!
//! Invariant: a covering pattern certainly matches everything that the pattern matches, however
//! open questions are settled.

use super::coverage::Steps;
use crate::pattern::{Sequence, Token};
use crate::trie::{State, Trie};
use crate::unknowns::Unknowns;

/// The nodes for patterns that cover one more token: a single label, or several. An uncertain match
/// never becomes certain again, and is left out.
fn cover_step(trie: &Trie, state: &State, token: &Token) -> State {
    if let Token::Literal(label) = token {
        let mut next = trie.step(state, label);
        next.retain(|(_, unknowns)| unknowns.is_empty());
        return next;
    }
    let mut next = State::new();
    for &(node, unknowns) in state {
        let edges = trie.edges(node);
        let one = edges.one.filter(|_| *token != Token::Deep);
        let same = if let Token::Glob(own) = token { edges.globs.get(own.as_ref()) } else { None };
        let free =
            one.into_iter().chain(edges.deep).chain(edges.inner).chain(edges.stays.then_some(node));
        next.extend(free.chain(same.copied()).map(|to| (to, unknowns)));
    }
    next.sort_unstable();
    next.dedup();
    next
}

/// The clauses that match everything that `pattern` matches; empty for a pattern with open
/// questions of its own.
pub(super) fn find(trie: &Trie, pattern: &Sequence, steps: &Steps) -> Vec<u32> {
    if !pattern.unknowns.is_empty() {
        return Vec::new();
    }
    let start: State = vec![(0, Unknowns::NONE)];
    let mut state = start.clone();
    let mut before = start;
    for token in &pattern.tokens {
        if !steps.take(state.len()) {
            return Vec::new();
        }
        let next = cover_step(trie, &state, token);
        before = std::mem::replace(&mut state, next);
    }
    let certain = |state: &State, open: Unknowns| -> Vec<u32> {
        trie.hits(state)
            .into_iter()
            .filter(|hit| hit.unknowns.is_subset(open))
            .map(|hit| hit.clause)
            .collect()
    };
    let mut covering = certain(&state, Unknowns::NONE);
    if pattern.tokens.last() == Some(&Token::Deep) {
        // It may match nothing too; if that is an open question, in the same cases.
        let bare = certain(&before, pattern.bare);
        covering.retain(|clause| bare.contains(clause));
    }
    covering.dedup();
    covering
}
