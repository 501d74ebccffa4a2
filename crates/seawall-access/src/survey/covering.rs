//! The patterns that cover a pattern, found by walking a trie with it.
//!
//! Invariant: a covering pattern certainly matches everything that the pattern matches, however
//! open questions are settled.

use super::coverage::Steps;
use crate::glob::Glob;
use crate::pattern::{Sequence, Token};
use crate::trie::{Node, Trie, fold};
use crate::unknowns::Unknowns;

/// A token of a pattern to cover.
enum Label<'a> {
    Literal(&'a str),
    One,
    Deep,
    Glob(&'a Glob),
}

impl<'a> From<&'a Token> for Label<'a> {
    fn from(token: &'a Token) -> Self {
        match token {
            Token::Literal(label) => Self::Literal(label),
            Token::One => Self::One,
            Token::Deep => Self::Deep,
            Token::Glob(glob) => Self::Glob(glob),
        }
    }
}

/// The nodes for patterns that cover one more token: a single label, or several. An uncertain match
/// never becomes certain again, and is left out.
fn cover_step(trie: &Trie, nodes: &[Node], token: &Label<'_>) -> Vec<Node> {
    let mut next = Vec::new();
    for node in nodes {
        let edges = trie.edges(*node);
        match token {
            Label::Literal(label) => {
                let folded = fold(trie.case, label);
                let literals = edges.literals.get(&folded);
                next.extend(literals.filter(|(own, _)| own == label).map(|(_, to)| to));
                let globs = edges.globs.iter().filter(|(glob, _)| glob.matches(label));
                next.extend(globs.map(|(_, to)| *to));
            }
            Label::Glob(own) => next.extend(edges.globs.get(own)),
            Label::One | Label::Deep => {}
        }
        let one = edges.one.filter(|_| !matches!(token, Label::Deep));
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
        let next = cover_step(trie, &nodes, &token.into());
        before = std::mem::replace(&mut nodes, next);
    }
    let mut covering = certain(trie, &nodes, Unknowns::NONE);
    if pattern.tokens.last() == Some(&Token::Deep) {
        // It may match nothing too; if that is an open question, in the same cases.
        let bare = certain(trie, &before, pattern.bare);
        covering.retain(|clause| bare.binary_search(clause).is_ok());
    }
    covering
}

/// The same for a plain name of a host.
pub(super) fn find_name(trie: &Trie, host: &str, steps: &Steps) -> Vec<u32> {
    let mut nodes = vec![0];
    for label in host.rsplit('.') {
        if nodes.is_empty() || !steps.take(nodes.len()) {
            return Vec::new();
        }
        nodes = cover_step(trie, &nodes, &Label::Literal(label));
    }
    certain(trie, &nodes, Unknowns::NONE)
}

/// The clauses that match at these nodes with no other open questions than these.
fn certain(trie: &Trie, nodes: &[Node], open: Unknowns) -> Vec<u32> {
    let hits = nodes.iter().flat_map(|node| trie.edges(*node).accepts.iter());
    let certain = hits.filter(|hit| hit.unknowns.is_subset(open)).map(|hit| hit.clause);
    let mut clauses: Vec<u32> = certain.collect();
    clauses.sort_unstable();
    clauses.dedup();
    clauses
}
