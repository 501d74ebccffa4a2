//! Walks a trie with a pattern rather than with a target.
//!
//! Invariant: what is said not to meet a pattern certainly matches nothing of it, however open questions are settled.

use std::collections::BTreeSet;

use super::path;
use super::pattern::{Sequence, Token};
use super::trie::{ANY, Case, HOMES, Node, Trie, fold};

impl Trie {
    /// Whether `is_met` takes any clause that may match something that `pattern` matches.
    pub(super) fn meets(&self, pattern: &Sequence, mut is_met: impl FnMut(u32) -> bool) -> bool {
        self.meet(&pattern.tokens, &mut is_met)
            || self.case == Case::Unknown && in_homes(&pattern.tokens).any(|tokens| self.meet(&tokens, &mut is_met))
    }

    fn meet(&self, tokens: &[Token], is_met: &mut dyn FnMut(u32) -> bool) -> bool {
        let mut nodes: BTreeSet<Node> = BTreeSet::from([0]);
        let mut accepts = |trie: &Self, node: Node| trie.edges(node).accepts.iter().any(|hit| is_met(hit.clause));
        let last = tokens.len().saturating_sub(1);
        for (at, token) in tokens.iter().enumerate() {
            nodes = match token {
                // Looked through only as far as needed: mostly the first end that is found is met.
                Token::Deep if at == last => return self.below(nodes, &mut |node| accepts(self, node)).is_none(),
                Token::Deep => self.below(nodes, &mut |_| false).unwrap_or_default(),
                Token::Literal(label) => self.after(&nodes, Some(label)),
                Token::One | Token::Glob(_) => self.after(&nodes, None),
            };
        }
        nodes.iter().any(|node| accepts(self, *node))
    }

    /// Where a label may lead, or any label.
    fn after(&self, nodes: &BTreeSet<Node>, label: Option<&str>) -> BTreeSet<Node> {
        let mut next: BTreeSet<Node> = nodes.iter().flat_map(|node| self.next(*node, label)).collect();
        if label == Some(path::HOME) {
            for place in HOMES {
                let step =
                    |nodes: BTreeSet<Node>, label: &&str| self.after(&nodes, Some(*label).filter(|own| *own != ANY));
                next.extend(place.iter().fold(BTreeSet::from([0]), step));
            }
        }
        next
    }

    fn next(&self, node: Node, label: Option<&str>) -> Vec<Node> {
        let edges = self.edges(node);
        let mut next: Vec<Node> = match label {
            Some(label) => {
                edges.literals.get(&*fold(self.case, label)).into_iter().flatten().map(|(_, child)| *child).collect()
            }
            None => edges.literals.values().flatten().map(|(_, child)| *child).collect(),
        };
        next.extend(edges.globs.iter().map(|(_, child)| *child));
        next.extend(edges.one.into_iter().chain(edges.deep).chain(edges.stays.then_some(node)));
        let homes: Vec<Node> = next.iter().filter_map(|node| self.edges(*node).home).collect();
        next.extend(homes);
        next
    }

    /// These nodes and all that they lead to; `None` once one is found that is looked for.
    fn below(&self, nodes: BTreeSet<Node>, found: &mut dyn FnMut(Node) -> bool) -> Option<BTreeSet<Node>> {
        let mut queue: Vec<Node> = nodes.iter().copied().collect();
        let mut seen = nodes;
        while let Some(node) = queue.pop() {
            if found(node) {
                return None;
            }
            queue.extend(self.next(node, None).into_iter().filter(|next| seen.insert(*next)));
        }
        Some(seen)
    }
}

/// What a pattern of folders may say of `~`: what is left of it below the usual places of home folders.
fn in_homes(tokens: &[Token]) -> impl Iterator<Item = Vec<Token>> {
    let below = HOMES.iter().flat_map(|place| left(tokens, place));
    let home = Token::Literal(path::HOME.to_owned());
    below.map(move |left| std::iter::once(home.clone()).chain(left.iter().cloned()).collect())
}

/// What is left of a pattern after these labels, in every way to match them.
fn left<'a>(tokens: &'a [Token], labels: &[&str]) -> Vec<&'a [Token]> {
    match (tokens, labels) {
        (_, []) => vec![tokens],
        ([], _) => Vec::new(),
        ([Token::Deep, rest @ ..], [_, others @ ..]) => [left(rest, labels), left(tokens, others)].concat(),
        ([Token::Literal(own), rest @ ..], [label, others @ ..])
            if *label == ANY || own.eq_ignore_ascii_case(label) =>
        {
            left(rest, others)
        }
        ([Token::Literal(_), ..], _) => Vec::new(),
        ([Token::One | Token::Glob(_), rest @ ..], [_, others @ ..]) => left(rest, others),
    }
}
