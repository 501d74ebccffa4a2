//! All sequences of one kind in one trie, walked label by label.
//!
//! A folder below somebody's home folder, wherever that is, may be one below `~`, and the other way round: steps follow
//! both, in doubt. Invariant: walking a concrete target and finding its class use the same [`Trie::step`], so that a class
//! and its members cannot disagree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::glob::Glob;
use super::path;
use super::pattern::{Sequence, Token};
use super::unknowns::{Unknown, Unknowns};

pub(super) type Node = u32;

/// Where systems usually have the home folders of people. Of the user's name nothing is known, nor of the drive.
pub(super) const HOMES: [&[&str]; 4] =
    [&[path::UNIX, "home", ANY], &[path::UNIX, "Users", ANY], &[path::UNIX, "root"], &[path::DRIVE, ANY, "Users", ANY]];

/// A name that no rule has, for one that is not known.
pub(super) const ANY: &str = "\u{1}";

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
    pub(super) case: Case,
    /// The folder `~`, once a pattern starts with it.
    home: Option<Node>,
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
    /// Whether a pattern leads here, and not only the home folder's usual place.
    pub(super) written: bool,
    /// What this may be another way to write: the folder `~`.
    pub(super) home: Option<Node>,
}

impl Trie {
    pub(super) fn new(case: Case) -> Self {
        Self { nodes: vec![Edges::default()], case, home: None }
    }

    /// The state before the first label.
    pub(super) fn start() -> State {
        vec![(0, Unknowns::NONE)]
    }

    pub(super) fn edges(&self, node: Node) -> &Edges {
        self.nodes.get(node as usize).expect("a node of this trie")
    }

    fn edges_mut(&mut self, node: Node) -> &mut Edges {
        self.nodes.get_mut(node as usize).expect("a node of this trie")
    }

    fn child(&mut self, node: Node, token: &Token) -> Node {
        let fresh = Node::try_from(self.nodes.len()).expect("fewer nodes than bytes of policies");
        let case = self.case;
        let edges = self.edges_mut(node);
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
        if matches!(sequence.tokens.first(), Some(Token::Literal(format)) if format == path::HOME) {
            self.find_homes();
        }
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
                self.edges_mut(*node).written = true;
            }
            ends.extend(skipped);
        }
        for (node, unknowns) in ends {
            self.edges_mut(node).accepts.push(Hit { clause, unknowns });
        }
    }

    /// Leads from the usual places of home folders to what is known of `~`.
    fn find_homes(&mut self) {
        if self.home.is_some() {
            return;
        }
        let home = self.child(0, &Token::Literal(path::HOME.to_owned()));
        self.home = Some(home);
        for place in HOMES {
            let token = |label: &str| if label == ANY { Token::One } else { Token::Literal(label.to_owned()) };
            let node = place.iter().fold(0, |node, label| self.child(node, &token(label)));
            self.edges_mut(node).home = Some(home);
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
            for (glob, child) in &edges.globs {
                if glob.matches(label) {
                    next.push((*child, unknowns));
                } else if self.case == Case::Unknown && glob.in_any_case().matches(label) {
                    next.push((*child, unknowns.and(Unknown::Case.into())));
                }
            }
            let stay = edges.stays.then_some(node);
            next.extend(edges.one.into_iter().chain(edges.deep).chain(stay).map(|to| (to, unknowns)));
        }
        if self.home.is_some() {
            let home = |(node, all): &(Node, Unknowns)| {
                self.edges(*node).home.map(|home| (home, all.and(Unknown::HomeFolder.into())))
            };
            let homes: State = next.iter().filter_map(home).collect();
            next.extend(homes);
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

    /// The labels that the state tells apart by name, as they are written, each with whether a pattern has it.
    pub(super) fn literals<'a>(&'a self, state: &'a State) -> impl Iterator<Item = (&'a str, bool)> {
        state
            .iter()
            .flat_map(|(node, _)| self.edges(*node).literals.values().flatten())
            .map(|(label, child)| (label.as_str(), self.edges(*child).written))
    }

    /// The wildcards for a part that the state tells apart.
    pub(super) fn globs<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a Glob> {
        state.iter().flat_map(|(node, _)| &self.edges(*node).globs).map(|(glob, _)| glob)
    }
}

pub(super) fn fold(case: Case, label: &str) -> Cow<'_, str> {
    match case {
        Case::Folded => label.into(),
        Case::Unknown => label.to_lowercase().into(),
    }
}
