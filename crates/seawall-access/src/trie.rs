//! A trie of all sequences of one kind, walked label by label.
//!
//! A folder below a home folder, wherever that is, may be one below `~`, and vice versa: steps follow both, as
//! uncertain. Invariants: walking a concrete target and finding its class use the same [`Trie::step`], so that a class
//! and its members cannot disagree. A pattern has at most one node for each token, and an inner `**` that may match
//! nothing is a step without a label, so that nodes never multiply.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::glob::Glob;
use super::path;
use super::pattern::{Sequence, Token};
use super::unknowns::{Unknown, Unknowns};

pub(super) type Node = u32;

/// The usual places of home folders: Linux and macOS, systems that keep `/home` elsewhere, network shares, Windows.
/// Names of users and servers, and the drive, are unknown. No place is inside of another. Those that make the best
/// examples come first.
pub(super) const HOMES: [&[&str]; 21] = [
    &[path::UNIX, "home", ANY],
    &[path::UNIX, "Users", ANY],
    &[path::UNIX, "root"],
    &[path::UNIX, "var", "home", ANY],
    &[path::UNIX, "var", "root"],
    &[path::UNIX, "export", "home", ANY],
    &[path::UNIX, "usr", "home", ANY],
    &[path::UNIX, "mnt", "home", ANY],
    &[path::UNIX, "nfs", "home", ANY],
    &[path::UNIX, "net", ANY, "home", ANY],
    &[path::UNIX, "homes", ANY],
    &[path::UNIX, "net", ANY, "export", "home", ANY],
    &[path::UNIX, "mnt", "nfs", "home", ANY],
    &[path::UNIX, "Network", "Servers", ANY, "Users", ANY],
    &[path::UNIX, "Volumes", ANY, "Users", ANY],
    &[path::UNIX, "srv", "home", ANY],
    &[path::UNIX, "afs", ANY, "home", ANY],
    &[path::UNIX, "private", "var", "root"],
    &[path::UNIX, "System", "Volumes", "Data", "Users", ANY],
    &[path::DRIVE, ANY, "Users", ANY],
    &[path::SHARE, ANY, ANY],
];

/// A name that no rule has, for an unknown name.
pub(super) const ANY: &str = "\u{1}";

/// Nodes reached by a prefix, each with its open questions; sorted.
pub(super) type State = Vec<(Node, Unknowns)>;

/// A clause that matches, with the open questions.
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
    pub(super) case: Case,
    /// The folder `~`, once a pattern starts with it.
    home: Option<Node>,
    /// The nodes of the places where the home folders of people usually are, once somebody asks.
    pub(super) usual_homes: OnceLock<BTreeSet<Node>>,
}

/// The comparison of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// All labels are in one spelling already.
    Folded,
    /// It is unknown if another case is another label.
    Unknown,
}

/// The nodes after one more label.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// By lower-case label: the labels as written.
    pub(super) literals: BTreeMap<String, Vec<(String, Node)>>,
    pub(super) globs: BTreeMap<Glob, Node>,
    pub(super) one: Option<Node>,
    /// The end of a pattern whose last token is `**`.
    pub(super) deep: Option<Node>,
    /// After a `**` with further tokens. It may be reached without any label, as uncertain.
    pub(super) inner: Option<Node>,
    /// A `**` ends here: every label stays at this node.
    pub(super) stays: bool,
    pub(super) accepts: Vec<Hit>,
    /// True if a pattern leads here, and not only the usual place of home folders.
    pub(super) written: bool,
    /// The folder `~`, for which this may be another spelling.
    pub(super) home: Option<Node>,
}

impl Trie {
    pub(super) fn new(case: Case) -> Self {
        Self { nodes: vec![Edges::default()], case, home: None, usual_homes: OnceLock::new() }
    }

    /// The number of nodes.
    pub(super) fn size(&self) -> usize {
        self.nodes.len()
    }

    /// The state before the first label.
    pub(super) fn start(&self) -> State {
        let mut start = vec![(0, Unknowns::NONE)];
        self.skip_inner(&mut start);
        start
    }

    /// Adds the nodes that are reached if an inner `**` matches nothing.
    fn skip_inner(&self, state: &mut State) {
        let mut at = 0;
        while let Some(&(node, unknowns)) = state.get(at) {
            let skipped = self.edges(node).inner.map(|to| (to, unknowns.union(Unknown::MiddleDoubleStar.into())));
            state.extend(skipped);
            at += 1;
        }
    }

    pub(super) fn edges(&self, node: Node) -> &Edges {
        self.nodes.get(node as usize).expect("a node of this trie")
    }

    fn edges_mut(&mut self, node: Node) -> &mut Edges {
        self.nodes.get_mut(node as usize).expect("a node of this trie")
    }

    /// The node after one more token of a pattern, which may be its last one.
    fn child(&mut self, node: Node, token: &Token, is_last: bool) -> Node {
        let fresh = Node::try_from(self.nodes.len()).expect("fewer nodes than bytes of policies");
        let case = self.case;
        let edges = self.edges_mut(node);
        let child = match token {
            Token::One => *edges.one.get_or_insert(fresh),
            Token::Deep if is_last => *edges.deep.get_or_insert(fresh),
            Token::Deep => *edges.inner.get_or_insert(fresh),
            Token::Glob(glob) => match edges.globs.get(glob) {
                Some(child) => *child,
                None => {
                    edges.globs.insert(glob.clone(), fresh);
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

    /// Adds a clause; `unknowns` are its open questions besides those of the sequence itself.
    pub(super) fn insert(&mut self, sequence: &Sequence, unknowns: Unknowns, clause: u32) {
        if matches!(sequence.tokens.first(), Some(Token::Literal(format)) if format == path::HOME) {
            self.find_homes();
        }
        self.usual_homes.take();
        let unknowns = unknowns.union(sequence.unknowns);
        let mut node = 0;
        let last = sequence.tokens.len().saturating_sub(1);
        for (at, token) in sequence.tokens.iter().enumerate() {
            if *token == Token::Deep && at == last {
                self.edges_mut(node).accepts.push(Hit { clause, unknowns: unknowns.union(sequence.bare) });
            }
            node = self.child(node, token, at == last);
            self.edges_mut(node).written = true;
        }
        self.edges_mut(node).accepts.push(Hit { clause, unknowns });
    }

    /// Leads from the usual places of home folders to the patterns of `~`.
    fn find_homes(&mut self) {
        if self.home.is_some() {
            return;
        }
        let home = self.child(0, &Token::Literal(path::HOME.to_owned()), false);
        self.home = Some(home);
        for place in HOMES {
            let token = |label: &str| if label == ANY { Token::One } else { Token::Literal(label.to_owned()) };
            let node = place.iter().fold(0, |node, label| self.child(node, &token(label), false));
            self.edges_mut(node).home = Some(home);
        }
    }

    /// The state after `label`.
    pub(super) fn step(&self, state: &State, label: &str) -> State {
        let mut next = self.targets(state, label);
        if label == path::HOME {
            // A pattern from the root may cover all home folders, wherever these are.
            for place in HOMES {
                let homes = place.iter().fold(self.start(), |state, label| self.targets(&state, label));
                next.extend(homes.into_iter().map(|(node, all)| (node, all.union(Unknown::HomeFolder.into()))));
            }
        }
        keep_least_doubtful(&mut next, |one| one);
        next
    }

    fn targets(&self, state: &State, label: &str) -> State {
        let folded = fold(self.case, label);
        let mut next = State::new();
        for &(node, unknowns) in state {
            let edges = self.edges(node);
            for (written, child) in edges.literals.get(&*folded).into_iter().flatten() {
                let case = if written == label { Unknowns::NONE } else { Unknown::Case.into() };
                next.push((*child, unknowns.union(case)));
            }
            for (glob, child) in &edges.globs {
                if glob.matches(label) {
                    next.push((*child, unknowns));
                } else if self.case == Case::Unknown && glob.in_any_case().matches(label) {
                    next.push((*child, unknowns.union(Unknown::Case.into())));
                }
            }
            let stay = edges.stays.then_some(node);
            let free = edges.one.into_iter().chain(edges.deep).chain(edges.inner).chain(stay);
            next.extend(free.map(|to| (to, unknowns)));
        }
        if self.home.is_some() {
            // One folder is the user's home folder, and not one inside of it too.
            let home = |(node, all): &(Node, Unknowns)| {
                if all.contains(Unknown::HomeFolder) {
                    return None;
                }
                self.edges(*node).home.map(|home| (home, all.union(Unknown::HomeFolder.into())))
            };
            let homes: State = next.iter().filter_map(home).collect();
            next.extend(homes);
        }
        self.skip_inner(&mut next);
        next
    }

    /// The state after all of these labels.
    pub(super) fn walk(&self, labels: &[String]) -> State {
        labels.iter().fold(self.start(), |state, label| self.step(&state, label))
    }

    /// The clauses that certainly match the labels so far.
    pub(super) fn certain<'a>(&'a self, state: &'a State) -> impl Iterator<Item = u32> {
        let nodes = state.iter().filter(|(_, unknowns)| unknowns.is_empty());
        let hits = nodes.flat_map(|(node, _)| &self.edges(*node).accepts);
        hits.filter(|hit| hit.unknowns.is_empty()).map(|hit| hit.clause)
    }

    /// The clauses that match the labels so far, sorted.
    pub(super) fn hits(&self, state: &State) -> Vec<Hit> {
        let mut hits: Vec<Hit> = state
            .iter()
            .flat_map(|&(node, reached)| {
                self.edges(node).accepts.iter().map(move |hit| Hit { unknowns: hit.unknowns.union(reached), ..*hit })
            })
            .collect();
        keep_least_doubtful(&mut hits, |hit| (hit.clause, hit.unknowns));
        hits
    }

    /// The labels that the state distinguishes by name, as written, each with whether a pattern has it.
    pub(super) fn literals<'a>(&'a self, state: &'a State) -> impl Iterator<Item = (&'a str, bool)> {
        state
            .iter()
            .flat_map(|(node, _)| self.edges(*node).literals.values().flatten())
            .map(|(label, child)| (label.as_str(), self.edges(*child).written))
    }

    /// The wildcards for parts that the state distinguishes.
    pub(super) fn globs<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a Glob> {
        state.iter().flat_map(|(node, _)| self.edges(*node).globs.keys())
    }
}

/// Sorts, and removes nodes that are also reached with fewer open questions.
fn keep_least_doubtful<T: Copy + Ord>(list: &mut Vec<T>, parts: impl Fn(T) -> (u32, Unknowns)) {
    list.sort_unstable();
    let mut kept: Vec<T> = Vec::with_capacity(list.len());
    for &one in list.iter() {
        let (of, unknowns) = parts(one);
        // A set is sorted before the sets that contain it.
        let alike = kept.iter().rev().map(|other| parts(*other)).take_while(|(other, _)| *other == of);
        if !alike.into_iter().any(|(_, less)| less.is_subset(unknowns)) {
            kept.push(one);
        }
    }
    *list = kept;
}

pub(super) fn fold(case: Case, label: &str) -> Cow<'_, str> {
    match case {
        Case::Folded => label.into(),
        Case::Unknown => label.to_lowercase().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::folders;

    #[test]
    fn a_pattern_has_a_node_a_token() {
        for (middle, count) in [("**/a", 40), ("**", 200), ("**/*", 1_000), ("**/a*/b", 1_000)] {
            let pattern = folders(&format!("/{}/x", vec![middle; count].join("/")));
            let mut trie = Trie::new(Case::Unknown);
            for clause in 0..3 {
                trie.insert(&pattern, Unknowns::NONE, clause);
            }
            assert_eq!(trie.nodes.len(), 1 + pattern.tokens.len(), "{count} times {middle}");
        }
    }

    /// According to the definition: whether a pattern matches, if a `**` at the end, or an inner one, may match
    /// nothing.
    fn matches(tokens: &[Token], labels: &[&str], (last, inner): (bool, bool)) -> bool {
        match (tokens, labels) {
            ([], _) => labels.is_empty(),
            ([Token::Deep], []) => last,
            ([Token::Deep, rest @ ..], labels) => {
                let least = usize::from(rest.is_empty() || !inner);
                (least..=labels.len()).any(|taken| matches(rest, &labels[taken..], (last, inner)))
            }
            ([Token::Literal(own), rest @ ..], [label, others @ ..]) => {
                own == label && matches(rest, others, (last, inner))
            }
            ([_, rest @ ..], [_, others @ ..]) => matches(rest, others, (last, inner)),
            ([_, ..], []) => false,
        }
    }

    fn sequences<'a>(parts: &[&'a str], most: usize) -> Vec<Vec<&'a str>> {
        let mut all = vec![Vec::new()];
        for length in 0..most {
            let longer: Vec<Vec<&str>> = all.iter().filter(|one: &&Vec<&str>| one.len() == length).cloned().collect();
            all.extend(
                longer.iter().flat_map(|start| parts.iter().map(move |part| [start.as_slice(), &[*part]].concat())),
            );
        }
        all
    }

    #[test]
    fn inner_wildcards_match_what_they_say_in_each_world() {
        let patterns: Vec<Sequence> = sequences(&["a", "b", "*", "**"], 4)
            .iter()
            .map(|parts| {
                let tokens = parts.iter().map(|part| Token::parse(part)).collect();
                Sequence { tokens, unknowns: Unknowns::NONE, bare: Unknown::FolderItself.into() }
            })
            .collect();
        // All in one trie, so that one pattern could affect another one.
        let mut trie = Trie::new(Case::Folded);
        for (clause, pattern) in (0..).zip(&patterns) {
            trie.insert(pattern, Unknowns::NONE, clause);
        }
        for labels in sequences(&["a", "b", "c"], 5) {
            let hits = trie.hits(&labels.iter().fold(trie.start(), |state, label| trie.step(&state, label)));
            for settled in [(false, false), (true, false), (false, true), (true, true)] {
                let open = Unknowns::NONE
                    .union(if settled.0 { Unknown::FolderItself.into() } else { Unknowns::NONE })
                    .union(if settled.1 { Unknown::MiddleDoubleStar.into() } else { Unknowns::NONE });
                let mut found: Vec<u32> =
                    hits.iter().filter(|hit| hit.unknowns.is_subset(open)).map(|hit| hit.clause).collect();
                found.dedup();
                let expected = (0..).zip(&patterns).filter(|(_, own)| matches(&own.tokens, &labels, settled));
                let expected: Vec<u32> = expected.map(|(clause, _)| clause).collect();
                assert_eq!(found, expected, "{labels:?} {settled:?}");
            }
        }
    }
}
