//! Walks a trie with a pattern instead of a target.
//!
//! A pattern and a trie are walked together, visiting each pair of a position in the pattern and a node once, so that
//! the cost is at most their product, however many `**` there are. After [`MOST_PAIRS`] pairs, the two count as
//! overlapping. Invariant: a clause that does not overlap a pattern certainly matches nothing of it, however open
//! questions are settled.

use std::collections::BTreeSet;

use crate::hash::HashSet;
use crate::path;
use crate::pattern::{Sequence, Token};
use crate::trie::{ANY, Case, HOMES, Node, Trie, fold};

/// The largest number of pairs for one pattern.
const MOST_PAIRS: usize = 2_000;

impl Trie {
    /// Returns `true` if `is_met` accepts a clause that may match something that `pattern` matches.
    pub(super) fn meets(&self, pattern: &Sequence, is_met: impl FnMut(u32) -> bool) -> bool {
        let mut search = Search::new(self, &pattern.tokens, is_met);
        search.run()
    }

    /// The nodes of the usual places of home folders.
    fn usual_homes(&self) -> BTreeSet<Node> {
        let mut homes = BTreeSet::new();
        for place in HOMES {
            let mut nodes = BTreeSet::from([0]);
            for label in place {
                let mut next = BTreeSet::new();
                self.skip_inner_nodes(&mut nodes);
                for node in nodes {
                    self.each_next(node, Some(*label).filter(|own| *own != ANY), &mut |to| {
                        next.insert(to);
                        false
                    });
                }
                nodes = next;
            }
            homes.extend(nodes);
        }
        homes
    }

    fn skip_inner_nodes(&self, nodes: &mut BTreeSet<Node>) {
        let mut queue: Vec<Node> = nodes.iter().copied().collect();
        while let Some(node) = queue.pop() {
            queue.extend(self.edges(node).inner.filter(|to| nodes.insert(*to)));
        }
    }

    /// Passes the nodes that a label, or any label, may lead to, until `takes` ends the search.
    fn each_next(&self, node: Node, label: Option<&str>, takes: &mut dyn FnMut(Node) -> bool) -> bool {
        let edges = self.edges(node);
        let mut both = |to: Node| takes(to) || self.edges(to).home.is_some_and(&mut *takes);
        let literals = match label {
            Some(label) => edges.literals.get(&*fold(self.case, label)).into_iter().flatten().any(|(_, to)| both(*to)),
            None => edges.literals.values().flatten().any(|(_, to)| both(*to)),
        };
        let stay = edges.stays.then_some(node);
        literals
            || edges.globs.values().any(|to| both(*to))
            || edges.one.into_iter().chain(edges.deep).chain(edges.inner).chain(stay).any(both)
    }
}

/// A pattern with its position in a trie.
struct Search<'a, F> {
    trie: &'a Trie,
    tokens: &'a [Token],
    is_met: F,
    seen: HashSet<(usize, Node)>,
    queue: Vec<(usize, Node)>,
    found: bool,
}

impl<'a, F: FnMut(u32) -> bool> Search<'a, F> {
    fn new(trie: &'a Trie, tokens: &'a [Token], is_met: F) -> Self {
        Self { trie, tokens, is_met, seen: HashSet::default(), queue: Vec::new(), found: false }
    }

    fn run(&mut self) -> bool {
        self.reach(0, 0);
        if self.trie.case == Case::Unknown {
            // A pattern of folders may cover `~`: its remainders below the usual places of home folders.
            let left: BTreeSet<usize> = HOMES.iter().flat_map(|place| left(self.tokens, place)).collect();
            if !left.is_empty() {
                self.step(0, Some(path::HOME), |search, to| left.iter().any(|at| search.reach(*at, to)));
            }
        }
        while !self.found
            && let Some((at, node)) = self.queue.pop()
        {
            match self.tokens.get(at) {
                Some(Token::Literal(label)) => self.step(node, Some(label), |search, to| search.reach(at + 1, to)),
                Some(Token::One | Token::Glob(_)) => self.step(node, None, |search, to| search.reach(at + 1, to)),
                Some(Token::Deep) => self.step(node, None, |search, to| search.reach(at, to)),
                None => {}
            }
        }
        self.found
    }

    fn step(&mut self, node: Node, label: Option<&str>, reach: impl Fn(&mut Self, Node) -> bool) {
        let trie = self.trie;
        if !trie.each_next(node, label, &mut |to| reach(self, to)) && label == Some(path::HOME) {
            trie.usual_homes().into_iter().any(|to| reach(self, to));
        }
    }

    /// Returns `true` if the search ends after the tokens before a position have led to a node.
    fn reach(&mut self, at: usize, node: Node) -> bool {
        let mut next = Some((at, node));
        // Both a `**` of the pattern and one of the trie may match nothing.
        let mut others = Vec::new();
        while let Some((at, node)) = next.take().or_else(|| others.pop())
            && !self.found
        {
            if !self.seen.insert((at, node)) {
                continue;
            }
            let edges = self.trie.edges(node);
            self.found = self.seen.len() > MOST_PAIRS
                || at == self.tokens.len() && edges.accepts.iter().any(|hit| (self.is_met)(hit.clause));
            self.queue.push((at, node));
            others.extend(edges.inner.map(|inner| (at, inner)));
            next = (self.tokens.get(at) == Some(&Token::Deep)).then_some((at + 1, node));
        }
        self.found
    }
}

/// The positions in a pattern after these labels, for every way to match them.
fn left(tokens: &[Token], labels: &[&str]) -> BTreeSet<usize> {
    let mut places = BTreeSet::from([0]);
    for label in labels {
        let mut next = BTreeSet::new();
        let mut queue: Vec<usize> = places.iter().copied().collect();
        while let Some(at) = queue.pop() {
            match tokens.get(at) {
                Some(Token::Deep) => {
                    next.insert(at);
                    queue.extend(Some(at + 1).filter(|after| places.insert(*after)));
                }
                Some(Token::Literal(own)) if *label != ANY && !own.eq_ignore_ascii_case(label) => {}
                Some(Token::Literal(_) | Token::One | Token::Glob(_)) => {
                    next.insert(at + 1);
                }
                None => {}
            }
        }
        places = next;
    }
    places
}

#[cfg(test)]
mod tests {
    use crate::overlap::*;
    use crate::path::folders;
    use crate::unknowns::Unknowns;

    #[test]
    fn many_wildcards_take_no_more_than_pairs_of_places_and_nodes() {
        let mut trie = Trie::new(Case::Unknown);
        let wide = folders(&format!("/{}/p/x", vec!["**"; 30].join("/")));
        trie.insert(&wide, Unknowns::NONE, 0);
        let narrow = folders(&format!("/{}/p/y", vec!["**"; 30].join("/")));
        let mut search = Search::new(&trie, &narrow.tokens, |_| true);
        assert!(!search.run());
        assert!(search.seen.len() <= (narrow.tokens.len() + 1) * (wide.tokens.len() + 1), "{}", search.seen.len());
        assert!(trie.meets(&wide, |_| true));
        // For every way to match the usual place of a home folder.
        assert_eq!(left(&wide.tokens, HOMES[0]).len(), 31);
    }
}
