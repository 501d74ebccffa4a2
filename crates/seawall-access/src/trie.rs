//! A trie of all sequences of one kind, walked label by label.
//!
//! A folder below a home folder, wherever that is, may be one below `~`, and vice versa: steps
//! follow both, as uncertain. Invariants: walking a concrete target and finding its class use the
//! same [`Trie::step`], so that a class and its members cannot disagree. A pattern has at most one
//! node for each token, and an inner `**` that may match nothing is a step without a label, so that
//! nodes never multiply.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::OnceLock;

use super::few::Few;
use super::glob::Glob;
use super::hash::HashMap;
use super::path;
use super::pattern::{Sequence, Token};
use super::unknowns::{Unknown, Unknowns};

pub(super) type Node = u32;

/// The usual places of home folders: Linux and macOS, systems that keep `/home` elsewhere, network
/// shares, Windows, and the folders of Linux and Windows as the other one sees them. Members of a
/// domain may have theirs one folder deeper, or below `local`; a folder that rules name in a home
/// folder is not one itself. Names of users, domains and servers, and the drive, are unknown. Those
/// that make the best examples come first, and each place after those that it may be inside of.
pub(super) const HOMES: [&[&str]; 32] = [
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
    &[path::UNIX, "afs", ANY, "user", ANY, ANY],
    &[path::UNIX, "net", "home", ANY],
    &[path::UNIX, "private", "var", "root"],
    &[path::UNIX, "System", "Volumes", "Data", "Users", ANY],
    &[path::UNIX, "mnt", "c", "Users", ANY],
    &[path::UNIX, "home", ANY, ANY],
    &[path::UNIX, "export", "home", ANY, ANY],
    &[path::UNIX, "var", "home", ANY, ANY],
    &[path::UNIX, "home", "local", ANY, ANY],
    &[path::DRIVE, ANY, "Users", ANY],
    &[path::UNIX, "home2", ANY],
    &[path::WSL, ANY, "home", ANY],
    &[path::WSL, ANY, "root"],
    &[path::SHARE, ANY, ANY],
    &[path::SHARE, ANY, ANY, ANY],
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
    pub(super) home: Option<Node>,
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

/// The nodes at which a sequence ends.
#[derive(Clone, Copy)]
struct Ends {
    /// After all of its tokens.
    whole: Node,
    /// The same, in case a `**` at the end matches nothing.
    bare: Option<Node>,
}

/// A node. Most nodes are ends of patterns, behind which nothing follows.
#[derive(Debug, Default)]
pub(super) struct Edges {
    branches: Option<Box<Branches>>,
    /// The clauses whose patterns end here.
    pub(super) accepts: Few<Hit>,
    /// True if a pattern leads here, and not only the usual place of home folders.
    pub(super) written: bool,
    /// True for a folder that a pattern names in the home folder.
    named_at_home: bool,
}

/// The nodes after one more label.
#[derive(Debug)]
pub(super) struct Branches {
    pub(super) literals: Literals,
    pub(super) globs: BTreeMap<Glob, Node>,
    pub(super) one: Option<Node>,
    /// The end of a pattern whose last token is `**`.
    pub(super) deep: Option<Node>,
    /// After a `**` with further tokens. It may be reached without any label, as uncertain.
    pub(super) inner: Option<Node>,
    /// A `**` ends here: every label stays at this node.
    pub(super) stays: bool,
    /// The usual place of home folders that ends here: this may be another spelling of `~`.
    pub(super) home: Option<HomePlace>,
}

static NO_BRANCHES: Branches = Branches::new();

impl Branches {
    const fn new() -> Self {
        Self {
            literals: Literals::new(),
            globs: BTreeMap::new(),
            one: None,
            deep: None,
            inner: None,
            stays: false,
            home: None,
        }
    }
}

impl Edges {
    fn branches_mut(&mut self) -> &mut Branches {
        self.branches.get_or_insert_with(|| Box::new(Branches::new()))
    }
}

impl Deref for Edges {
    type Target = Branches;

    fn deref(&self) -> &Branches {
        self.branches.as_deref().unwrap_or(&NO_BRANCHES)
    }
}

/// A usual place of home folders.
#[derive(Clone, Copy, Debug)]
pub(super) struct HomePlace {
    /// Its position in [`HOMES`].
    number: u32,
    /// True if it is inside of another one.
    inner: bool,
}

/// The most labels that are compared one by one.
const FEW: usize = 12;

/// The labels that are named at a node, each with the node that it leads to. Nearly all nodes have
/// one; a node may have hundreds of thousands.
#[derive(Debug, Default)]
pub(super) struct Literals {
    labels: Vec<(Box<str>, Spellings)>,
    /// The positions of more than a few labels.
    positions: Option<Box<HashMap<Box<str>, u32>>>,
}

/// The spellings of one label.
#[derive(Debug)]
enum Spellings {
    /// The folded one alone.
    Folded(Node),
    /// These.
    Written(Vec<(Box<str>, Node)>),
}

impl Spellings {
    fn iter<'a>(&'a self, folded: &'a str) -> impl Iterator<Item = (&'a str, Node)> {
        let (own, written) = match self {
            Self::Folded(node) => (Some((folded, *node)), [].as_slice()),
            Self::Written(written) => (None, written.as_slice()),
        };
        own.into_iter().chain(written.iter().map(|(label, node)| (&**label, *node)))
    }
}

impl Literals {
    const fn new() -> Self {
        Self { labels: Vec::new(), positions: None }
    }

    fn position(&self, folded: &str) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(folded).map(|at| *at as usize),
            None => self.labels.iter().position(|(label, _)| **label == *folded),
        }
    }

    /// The spellings of a folded label.
    pub(super) fn get(&self, folded: &str) -> impl Iterator<Item = (&str, Node)> {
        let own = self.position(folded).and_then(|at| self.labels.get(at));
        own.into_iter().flat_map(|(folded, spellings)| spellings.iter(folded))
    }

    /// All labels, in the order added.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Node)> {
        self.labels.iter().flat_map(|(folded, spellings)| spellings.iter(folded))
    }

    /// The node of a label, which is `fresh` where the label is new.
    fn node(&mut self, folded: &str, label: &str, fresh: Node) -> Node {
        let position = self.position(folded);
        let Some((_, spellings)) = position.and_then(|at| self.labels.get_mut(at)) else {
            let written = || Spellings::Written(vec![(label.into(), fresh)]);
            let spellings = if folded == label { Spellings::Folded(fresh) } else { written() };
            self.push(folded, spellings);
            return fresh;
        };
        if let Some((_, node)) = spellings.iter(folded).find(|(own, _)| *own == label) {
            return node;
        }
        let before = spellings.iter(folded).map(|(own, node)| (own.into(), node));
        *spellings = Spellings::Written(before.chain([(label.into(), fresh)]).collect());
        fresh
    }

    fn push(&mut self, folded: &str, spellings: Spellings) {
        self.labels.push((folded.into(), spellings));
        if self.labels.len() <= FEW {
            return;
        }
        let positions = self.positions.get_or_insert_default();
        let fresh = self.labels.iter().enumerate().skip(positions.len());
        for (at, (label, _)) in fresh {
            let at = u32::try_from(at).expect("fewer labels than bytes of policies");
            positions.insert(label.clone(), at);
        }
    }
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
            let skipped = self
                .edges(node)
                .inner
                .map(|to| (to, unknowns.union(Unknown::MiddleDoubleStar.into())));
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
        let edges = self.edges_mut(node).branches_mut();
        let child = match token {
            Token::One => *edges.one.get_or_insert(fresh),
            Token::Deep if is_last => *edges.deep.get_or_insert(fresh),
            Token::Deep => *edges.inner.get_or_insert(fresh),
            Token::Glob(glob) => match edges.globs.get(glob.as_ref()) {
                Some(child) => *child,
                None => {
                    edges.globs.insert(glob.as_ref().clone(), fresh);
                    fresh
                }
            },
            Token::Literal(label) => edges.literals.node(&fold(case, label), label, fresh),
        };
        if child == fresh {
            let mut edges = Edges::default();
            if *token == Token::Deep {
                edges.branches_mut().stays = true;
            }
            self.nodes.push(edges);
        }
        child
    }

    /// Adds a clause; `unknowns` are its open questions besides those of the sequence itself.
    pub(super) fn insert(&mut self, sequence: &Sequence, unknowns: Unknowns, clause: u32) {
        let ends = self.ends(sequence);
        self.accept(sequence, ends, unknowns, clause);
    }

    /// The clause of the same sequence, or `fresh`, which is added if there is none.
    pub(super) fn find_or_insert(&mut self, sequence: &Sequence, fresh: u32) -> u32 {
        let ends = self.ends(sequence);
        let same = |hit: &&Hit| hit.unknowns == sequence.unknowns;
        if let Some(hit) = self.edges(ends.whole).accepts.iter().find(same) {
            return hit.clause;
        }
        self.accept(sequence, ends, Unknowns::NONE, fresh);
        fresh
    }

    /// The clause of a plain name of a host, if it has one.
    pub(super) fn find(&self, host: &str) -> Option<u32> {
        let node = host.rsplit('.').try_fold(0, |node, label| {
            self.edges(node).literals.get(label).next().map(|(_, to)| to)
        })?;
        let same = |hit: &&Hit| hit.unknowns.is_empty();
        self.edges(node).accepts.iter().find(same).map(|hit| hit.clause)
    }

    /// The nodes at which a sequence ends, which are made if they do not exist.
    fn ends(&mut self, sequence: &Sequence) -> Ends {
        if matches!(sequence.tokens.first(), Some(Token::Literal(format)) if format == path::HOME) {
            self.find_homes();
        }
        self.usual_homes.take();
        let mut ends = Ends { whole: 0, bare: None };
        let last = sequence.tokens.len().saturating_sub(1);
        let mut before = None;
        for (at, token) in sequence.tokens.iter().enumerate() {
            if *token == Token::Deep && at == last {
                ends.bare = Some(ends.whole);
            }
            ends.whole = self.child(ends.whole, token, at == last);
            let names_at_home =
                before.is_some() && before == self.home && matches!(token, Token::Literal(_));
            let edges = self.edges_mut(ends.whole);
            edges.written = true;
            edges.named_at_home |= names_at_home;
            before = Some(ends.whole);
        }
        ends
    }

    fn accept(&mut self, sequence: &Sequence, ends: Ends, unknowns: Unknowns, clause: u32) {
        let unknowns = unknowns.union(sequence.unknowns);
        if let Some(bare) = ends.bare {
            let unknowns = unknowns.union(sequence.bare);
            self.edges_mut(bare).accepts.push(Hit { clause, unknowns });
        }
        self.edges_mut(ends.whole).accepts.push(Hit { clause, unknowns });
    }

    /// Leads from the usual places of home folders to the patterns of `~`.
    fn find_homes(&mut self) {
        if self.home.is_some() {
            return;
        }
        let home = self.child(0, &Token::Literal(path::HOME.to_owned()), false);
        self.home = Some(home);
        for (number, place) in (0..).zip(HOMES) {
            let token = |label: &str| {
                if label == ANY { Token::One } else { Token::Literal(label.to_owned()) }
            };
            let node = place.iter().fold(0, |node, label| self.child(node, &token(label), false));
            let holds = |other: &&&[&str]| {
                other.len() < place.len()
                    && other.iter().zip(place).all(|(other, own)| *other == ANY || other == own)
            };
            self.edges_mut(node).branches_mut().home =
                Some(HomePlace { number, inner: HOMES.iter().any(|other| holds(&other)) });
        }
    }

    /// The state after `label`.
    pub(super) fn step(&self, state: &State, label: &str) -> State {
        let mut next = self.targets(state, label);
        if label == path::HOME {
            // A pattern from the root may cover all home folders, wherever these are.
            for (number, place) in (0..).zip(HOMES) {
                let homes =
                    place.iter().fold(self.start(), |state, label| self.targets(&state, label));
                let own = homes.into_iter().filter(|(_, all)| !all.contains(Unknown::HomeFolder));
                next.extend(own.map(|(node, all)| (node, all.union(Unknowns::at_home(number)))));
            }
        }
        keep_least_doubtful(&mut next);
        next
    }

    fn targets(&self, state: &State, label: &str) -> State {
        let folded = fold(self.case, label);
        let mut next = State::new();
        for &(node, unknowns) in state {
            let edges = self.edges(node);
            for (written, child) in edges.literals.get(&folded) {
                let case = if written == label { Unknowns::NONE } else { Unknown::Case.into() };
                next.push((child, unknowns.union(case)));
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
        if let Some(home) = self.home {
            // One folder is the user's home folder, and not one inside of it too.
            let home = |(node, all): &(Node, Unknowns)| {
                let place =
                    self.edges(*node).home.filter(|_| !all.contains(Unknown::HomeFolder))?;
                let named = self.is_named(&folded) && (place.inner || self.is_home(state))
                    || place.inner && self.is_named_at_home(state);
                (!named).then(|| (home, all.union(Unknowns::at_home(place.number))))
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
        let hits = nodes.flat_map(|(node, _)| self.edges(*node).accepts.iter());
        hits.filter(|hit| hit.unknowns.is_empty()).map(|hit| hit.clause)
    }

    /// Returns `true` if a folder inside of a usual place is a folder of a home rather than the home
    /// of a domain's member: rules name it in home folders, or it starts with a dot. The same holds
    /// for folders in one that rules name.
    pub(super) fn is_named_in_home(&self, place: HomePlace, folded: &str) -> bool {
        place.inner && self.is_named(folded)
    }

    fn is_named(&self, folded: &str) -> bool {
        let is_known = |home| self.edges(home).literals.get(folded).next().is_some();
        folded.starts_with('.') || self.home.is_some_and(is_known)
    }

    /// Returns `true` if the labels so far are a usual place of home folders, in any letter case.
    fn is_home(&self, state: &State) -> bool {
        let spelling = |all: Unknowns| all.without(Unknown::HomeFolder).without(Unknown::Case);
        state.iter().any(|(node, all)| {
            Some(*node) == self.home
                && all.contains(Unknown::HomeFolder)
                && spelling(*all).is_empty()
        })
    }

    /// Returns `true` if the labels so far are a folder that rules name in home folders, below a
    /// usual place of these.
    fn is_named_at_home(&self, state: &State) -> bool {
        state
            .iter()
            .any(|(node, all)| self.edges(*node).named_at_home && all.contains(Unknown::HomeFolder))
    }

    /// The clauses that match the labels so far, sorted.
    pub(super) fn hits(&self, state: &State) -> Vec<Hit> {
        let accepts = |&(node, reached): &(Node, Unknowns)| {
            self.edges(node)
                .accepts
                .iter()
                .map(move |hit| (hit.clause, hit.unknowns.union(reached)))
        };
        least_doubtful(state.iter().flat_map(accepts).collect())
    }

    /// The labels that the state distinguishes by name, as written, each with whether a pattern has
    /// it.
    pub(super) fn literals<'a>(&'a self, state: &State) -> impl Iterator<Item = (&'a str, bool)> {
        state
            .iter()
            .flat_map(|(node, _)| self.edges(*node).literals.iter())
            .map(|(label, child)| (label, self.edges(child).written))
    }

    /// The wildcards for parts that the state distinguishes.
    pub(super) fn globs<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a Glob> {
        state.iter().flat_map(|(node, _)| self.edges(*node).globs.keys())
    }
}

/// The matches of clauses, sorted, without those that have another one with fewer open questions.
pub(super) fn least_doubtful(mut hits: Vec<(u32, Unknowns)>) -> Vec<Hit> {
    keep_least_doubtful(&mut hits);
    hits.into_iter().map(|(clause, unknowns)| Hit { clause, unknowns }).collect()
}

/// Sorts, joins nodes that are reached in several home folders, and removes those that are also
/// reached with fewer open questions.
fn keep_least_doubtful(list: &mut State) {
    if let [(_, unknowns)] = list.as_mut_slice() {
        // Nothing to compare it with: wherever the home folder is, that is the first place.
        if unknowns.homes().is_some() {
            *unknowns = unknowns.without(Unknown::HomeFolder).union(Unknowns::at_home(0));
        }
        return;
    }
    list.sort_unstable();
    let mut kept = State::with_capacity(list.len());
    for &(of, unknowns) in list.iter() {
        // Those that differ only in the place of the home folder are neighbours.
        if let Some((before, own)) = kept.last_mut()
            && *before == of
            && let Some(either) = own.at_either_home(unknowns)
        {
            *own = either;
            continue;
        }
        // A set is sorted before the sets that contain it.
        let mut alike = kept.iter().rev().take_while(|(other, _)| *other == of);
        if !alike.any(|(_, less)| less.is_subset(unknowns)) {
            kept.push((of, unknowns));
        }
    }
    number_homes(&mut kept);
    *list = kept;
}

/// Numbers the places of the home folder only by the nodes that each reaches, so that the targets
/// below one place have the same matches as those below another one.
fn number_homes(list: &mut State) {
    let homes = |list: &State| -> Vec<u32> {
        list.iter().filter_map(|(_, unknowns)| unknowns.homes()).collect()
    };
    let known = homes(list);
    if known.is_empty() {
        return;
    }
    let mut parts = tell_apart(known);
    // By the nodes that each of them reaches.
    parts.sort_by_cached_key(|places| {
        let reached = list
            .iter()
            .filter(|(_, unknowns)| unknowns.homes().is_some_and(|own| own & places != 0));
        reached
            .map(|(of, unknowns)| (*of, unknowns.without(Unknown::HomeFolder)))
            .collect::<State>()
    });
    for (_, unknowns) in list.iter_mut() {
        let Some(own) = unknowns.homes() else { continue };
        let numbers =
            (0..).zip(&parts).filter(|(_, places)| own & **places != 0).map(|(number, _)| number);
        let at = numbers
            .map(Unknowns::at_home)
            .reduce(|one, other| one.at_either_home(other).unwrap_or(one));
        *unknowns = unknowns.without(Unknown::HomeFolder).union(at.unwrap_or_default());
    }
    list.sort_unstable();
}

/// The sets of places of home folders that none of these distinguishes.
pub(super) fn tell_apart(all: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut parts: Vec<u32> = Vec::new();
    for own in all {
        let known = parts.iter().fold(0, |all, places| all | places);
        let split =
            parts.iter().flat_map(|places| [places & own, places & !own]).chain([own & !known]);
        parts = split.filter(|places| *places != 0).collect();
    }
    parts
}

pub(super) fn fold(case: Case, label: &str) -> Cow<'_, str> {
    match case {
        Case::Folded => label.into(),
        Case::Unknown if is_lowercase(label) => label.into(),
        Case::Unknown => label.to_lowercase().into(),
    }
}

fn is_lowercase(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
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

    /// According to the definition: whether a pattern matches, if a `**` at the end, or an inner
    /// one, may match nothing.
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
            let longer: Vec<Vec<&str>> =
                all.iter().filter(|one: &&Vec<&str>| one.len() == length).cloned().collect();
            all.extend(longer.iter().flat_map(|start| {
                parts.iter().map(move |part| [start.as_slice(), &[*part]].concat())
            }));
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
            let hits = trie
                .hits(&labels.iter().fold(trie.start(), |state, label| trie.step(&state, label)));
            for settled in [(false, false), (true, false), (false, true), (true, true)] {
                let open = Unknowns::NONE
                    .union(if settled.0 { Unknown::FolderItself.into() } else { Unknowns::NONE })
                    .union(if settled.1 {
                        Unknown::MiddleDoubleStar.into()
                    } else {
                        Unknowns::NONE
                    });
                let mut found: Vec<u32> = hits
                    .iter()
                    .filter(|hit| hit.unknowns.is_subset(open))
                    .map(|hit| hit.clause)
                    .collect();
                found.dedup();
                let expected =
                    (0..).zip(&patterns).filter(|(_, own)| matches(&own.tokens, &labels, settled));
                let expected: Vec<u32> = expected.map(|(clause, _)| clause).collect();
                assert_eq!(found, expected, "{labels:?} {settled:?}");
            }
        }
    }
}
