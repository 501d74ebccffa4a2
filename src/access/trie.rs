//! All sequences of one kind in one trie, walked label by label.
//!
//! Invariant: walking a concrete target and finding its class use the same [`Trie::step`], so that a class and its
//! members cannot disagree.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::glob::Glob;
use super::path;
use super::pattern::{Sequence, Token};
use super::unknowns::{Unknown, Unknowns};

pub(super) type Node = u32;

/// Where systems usually have the home folders of people. Of the user's name nothing is known.
const HOMES: [&[&str]; 4] = [
    &[path::UNIX, "home", SOMEBODY],
    &[path::UNIX, "Users", SOMEBODY],
    &[path::UNIX, "root"],
    &[path::DRIVE, "C", "Users", SOMEBODY],
];

/// A name that no rule has.
const SOMEBODY: &str = "\u{1}";

/// Nodes reached by a prefix, each with what reaching it depends on; sorted.
pub(super) type State = Vec<(Node, Unknowns)>;

/// A clause that matches, and what that depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Hit {
    /// The position of the clause.
    pub(super) clause: u32,
    /// Empty for a certain match.
    pub(super) unknowns: Unknowns,
}

/// A set of sequences.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Edges>,
    case: Case,
}

/// How labels compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// All labels have one spelling already.
    Folded,
    /// Another case is another label, or not: nobody says.
    Unknown,
}

/// Where one more label leads.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// By lower-case label: the labels as they are written.
    pub(super) literals: BTreeMap<String, Vec<(String, Node)>>,
    pub(super) globs: Vec<(Glob, Node)>,
    pub(super) one: Option<Node>,
    pub(super) deep: Option<Node>,
    /// A `**` ends here: any label stays.
    pub(super) stays: bool,
    pub(super) accepts: Vec<Hit>,
}

impl Trie {
    pub(super) fn new(case: Case) -> Self {
        Self { nodes: vec![Edges::default()], case }
    }

    /// The state before the first label.
    pub(super) fn start() -> State {
        vec![(0, Unknowns::NONE)]
    }

    pub(super) fn edges(&self, node: Node) -> &Edges {
        self.nodes.get(node as usize).expect("a node of this trie")
    }

    fn child(&mut self, node: Node, token: &Token) -> Node {
        let fresh = Node::try_from(self.nodes.len()).expect("fewer nodes than bytes of policies");
        let case = self.case;
        let edges = self.nodes.get_mut(node as usize).expect("a node of this trie");
        let child = match token {
            Token::One => *edges.one.get_or_insert(fresh),
            Token::Deep => *edges.deep.get_or_insert(fresh),
            Token::Glob(glob) => match edges.globs.iter().find(|(own, _)| own == glob) {
                Some((_, child)) => *child,
                None => {
                    edges.globs.push((glob.clone(), fresh));
                    fresh
                }
            },
            Token::Literal(label) => {
                let folded = fold(case, label);
                match edges.literals.get_mut(&*folded) {
                    Some(written) => match written.iter().find(|(own, _)| own == label) {
                        Some((_, child)) => *child,
                        None => {
                            written.push((label.clone(), fresh));
                            fresh
                        }
                    },
                    None => {
                        edges.literals.insert(folded.into_owned(), vec![(label.clone(), fresh)]);
                        fresh
                    }
                }
            }
        };
        if child == fresh {
            self.nodes.push(Edges { stays: *token == Token::Deep, ..Edges::default() });
        }
        child
    }

    /// Adds a clause; `unknowns` is what the clause depends on beside the sequence itself.
    pub(super) fn insert(&mut self, sequence: &Sequence, unknowns: Unknowns, clause: u32) {
        let mut ends = vec![(0, unknowns.and(sequence.unknowns))];
        let last = sequence.tokens.len().saturating_sub(1);
        for (at, token) in sequence.tokens.iter().enumerate() {
            let skipped = match token {
                Token::Deep if at == last => ends.iter().map(|(node, all)| (*node, all.and(sequence.bare))).collect(),
                Token::Deep => {
                    ends.iter().map(|(node, all)| (*node, all.and(Unknown::MiddleDoubleStar.into()))).collect()
                }
                Token::Literal(_) | Token::One | Token::Glob(_) => Vec::new(),
            };
            for (node, _) in &mut ends {
                *node = self.child(*node, token);
            }
            ends.extend(skipped);
        }
        for (node, unknowns) in ends {
            let edges = self.nodes.get_mut(node as usize).expect("a node of this trie");
            edges.accepts.push(Hit { clause, unknowns });
        }
    }

    /// Where `label` leads.
    pub(super) fn step(&self, state: &State, label: &str) -> State {
        let mut next = self.targets(state, label);
        if label == path::HOME {
            // A pattern from the root may cover the home folders of everybody, wherever these are.
            for place in HOMES {
                let homes = place.iter().fold(Self::start(), |state, label| self.targets(&state, label));
                next.extend(homes.into_iter().map(|(node, all)| (node, all.and(Unknown::HomeFolder.into()))));
            }
        }
        next.sort_unstable();
        next.dedup_by(|later, earlier| later.0 == earlier.0 && earlier.1.is_subset(later.1));
        next
    }

    fn targets(&self, state: &State, label: &str) -> State {
        let folded = fold(self.case, label);
        let mut next = State::new();
        for &(node, unknowns) in state {
            let edges = self.edges(node);
            for (written, child) in edges.literals.get(&*folded).into_iter().flatten() {
                let case = if written == label { Unknowns::NONE } else { Unknown::Case.into() };
                next.push((*child, unknowns.and(case)));
            }
            let globs = edges.globs.iter().filter(|(glob, _)| glob.matches(label)).map(|(_, child)| *child);
            let stay = edges.stays.then_some(node);
            next.extend(edges.one.into_iter().chain(edges.deep).chain(stay).chain(globs).map(|to| (to, unknowns)));
        }
        next
    }

    /// The clauses that match what has been walked, sorted.
    pub(super) fn hits(&self, state: &State) -> Vec<Hit> {
        let mut hits: Vec<Hit> = state
            .iter()
            .flat_map(|&(node, reached)| {
                self.edges(node).accepts.iter().map(move |hit| Hit { unknowns: hit.unknowns.and(reached), ..*hit })
            })
            .collect();
        hits.sort_unstable();
        hits.dedup_by(|later, earlier| later.clause == earlier.clause && earlier.unknowns.is_subset(later.unknowns));
        hits
    }

    /// Whether something may match both the sequence and one of these. A `false` is certain.
    pub(super) fn meets(&self, sequence: &Sequence) -> bool {
        let mut nodes: Vec<Node> = vec![0];
        let last = sequence.tokens.len().saturating_sub(1);
        for (at, token) in sequence.tokens.iter().enumerate() {
            nodes = match token {
                // Each node leads to one that accepts.
                Token::Deep if at == last => return !nodes.is_empty(),
                Token::Deep => self.below(nodes),
                Token::Literal(label) => nodes.iter().flat_map(|node| self.next(*node, Some(label))).collect(),
                Token::One | Token::Glob(_) => nodes.iter().flat_map(|node| self.next(*node, None)).collect(),
            };
            nodes.sort_unstable();
            nodes.dedup();
        }
        nodes.iter().any(|node| !self.edges(*node).accepts.is_empty())
    }

    /// Where a label may lead, or any label.
    fn next(&self, node: Node, label: Option<&str>) -> Vec<Node> {
        let edges = self.edges(node);
        let all = || edges.literals.values().flatten().map(|(_, child)| *child).collect();
        let mut next: Vec<Node> = match label {
            Some(label) => {
                edges.literals.get(&*fold(self.case, label)).into_iter().flatten().map(|(_, child)| *child).collect()
            }
            None => all(),
        };
        next.extend(edges.globs.iter().map(|(_, child)| *child));
        next.extend(edges.one.into_iter().chain(edges.deep).chain(edges.stays.then_some(node)));
        next
    }

    /// These nodes and all that they lead to.
    fn below(&self, mut nodes: Vec<Node>) -> Vec<Node> {
        let mut seen: BTreeSet<Node> = nodes.iter().copied().collect();
        while let Some(node) = nodes.pop() {
            nodes.extend(self.next(node, None).into_iter().filter(|next| seen.insert(*next)));
        }
        seen.into_iter().collect()
    }

    /// The labels that the state tells apart by name, as they are written.
    pub(super) fn literals<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a str> {
        state
            .iter()
            .flat_map(|(node, _)| self.edges(*node).literals.values().flatten())
            .map(|(label, _)| label.as_str())
    }

    /// The wildcards for a part that the state tells apart.
    pub(super) fn globs<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a Glob> {
        state.iter().flat_map(|(node, _)| &self.edges(*node).globs).map(|(glob, _)| glob)
    }
}

fn fold(case: Case, label: &str) -> Cow<'_, str> {
    match case {
        Case::Folded => label.into(),
        Case::Unknown => label.to_lowercase().into(),
    }
}
