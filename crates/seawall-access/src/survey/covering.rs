//! The patterns that cover a pattern, found by walking a trie with it.
//!
//! Invariant: a covering pattern certainly matches everything that the pattern matches, however
//! open questions are settled.

use super::coverage::Steps;
use crate::pattern::{Sequence, Token};
use crate::trie::{Node, Trie, fold};
use crate::unknowns::Unknowns;

/// The nodes for patterns that cover one more token: a single label, or several. An uncertain match
/// never becomes certain again, and is left out.
fn cover_step(trie: &Trie, nodes: &[Node], token: &Token) -> Vec<Node> {
    let mut next = Vec::new();
    for node in nodes {
        let edges = trie.edges(*node);
        match token {
            Token::Literal(label) => {
                let folded = fold(trie.case, label);
                let literals = edges.literals.get(&folded);
                next.extend(literals.filter(|(own, _)| own == label).map(|(_, to)| to));
                let globs = edges.globs.iter().filter(|(glob, _)| glob.matches(label));
                next.extend(globs.map(|(_, to)| *to));
            }
            Token::Glob(own) => next.extend(edges.globs.get(own.as_ref())),
            Token::One | Token::Deep => {}
        }
        let one = edges.one.filter(|_| *token != Token::Deep);
        let stay = edges.stays.then_some(*node);
        next.extend(one.into_iter().chain(edges.deep).chain(edges.inner).chain(stay));
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
    let mut nodes = vec![0];
    let mut before = nodes.clone();
    for token in &pattern.tokens {
        if !steps.take(nodes.len()) {
            return Vec::new();
        }
        let next = cover_step(trie, &nodes, token);
        before = std::mem::replace(&mut nodes, next);
    }
    let certain = |nodes: &[Node], open: Unknowns| -> Vec<u32> {
        let hits = nodes.iter().flat_map(|node| trie.edges(*node).accepts.iter());
        let certain = hits.filter(|hit| hit.unknowns.is_subset(open)).map(|hit| hit.clause);
        let mut clauses: Vec<u32> = certain.collect();
        clauses.sort_unstable();
        clauses.dedup();
        clauses
    };
    let mut covering = certain(&nodes, Unknowns::NONE);
    if pattern.tokens.last() == Some(&Token::Deep) {
        // It may match nothing too; if that is an open question, in the same cases.
        let bare = certain(&before, pattern.bare);
        covering.retain(|clause| bare.binary_search(clause).is_ok());
    }
    covering
}
