//! Walks a trie with a pattern instead of a target.
//!
//! A pattern and a trie are walked together, visiting each pair of a position in the pattern and a
//! node once, so that the cost is at most their product, however many `**` there are. After
//! [`MOST_PAIRS`] pairs, the two count as overlapping. Invariant: a clause that does not overlap a
//! pattern certainly matches nothing of it, however open questions are settled.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::glob::Glob;
use crate::hash::HashSet;
use crate::path;
use crate::pattern::{Sequence, Token};
use crate::trie::{ANY, Case, HOMES, Node, Trie, fold};

/// The largest number of pairs for one pattern, each inside and outside of a home folder.
const MOST_PAIRS: usize = 4_000;

/// Nodes, each with whether the path has been in a home folder.
type Nodes<'a> = Box<dyn Iterator<Item = (Node, bool)> + 'a>;

impl Trie {
    /// Returns `true` if `is_met` accepts a clause that may match something that `pattern` matches.
    pub(super) fn meets(&self, pattern: &Sequence, is_met: impl FnMut(u32) -> bool) -> bool {
        let mut search = Search::new(self, &pattern.tokens, is_met);
        search.run()
    }

    /// The nodes of the usual places of home folders.
    fn usual_homes(&self) -> &BTreeSet<Node> {
        self.usual_homes.get_or_init(|| self.find_usual_homes())
    }

    fn find_usual_homes(&self) -> BTreeSet<Node> {
        let mut homes = BTreeSet::new();
        for place in HOMES {
            let mut nodes = BTreeSet::from([0]);
            for label in place {
                self.skip_inner_nodes(&mut nodes);
                let label = |_: &Node| {
                    if *label == ANY { Label::Any } else { Label::Known(label) }
                };
                // A folder below `~` is not a home folder too.
                let next = nodes.iter().flat_map(|node| self.next(*node, label(node), true));
                nodes = next.map(|(to, _)| to).collect();
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

    /// The nodes that a label may lead to, each with whether the path has been in a home folder.
    /// One folder is the user's home folder, and not one inside of it too.
    fn next<'a>(
        &'a self,
        node: Node,
        label: Label<'a>,
        homed: bool,
    ) -> impl Iterator<Item = (Node, bool)> + 'a {
        let edges = self.edges(node);
        let known =
            if let Label::Known(label) = label { Some(fold(self.case, label)) } else { None };
        let written = known.iter().flat_map(|label| edges.literals.get(label)).map(|(_, to)| to);
        let written: Vec<Node> = written.collect();
        let others = known.is_none().then(|| edges.literals.iter()).into_iter().flatten();
        let label = Rc::new(label);
        let own = Rc::clone(&label);
        let others = others.filter(move |(label, _)| own.may_be(label)).map(|(_, to)| to);
        let globs = edges.globs.iter().filter(move |(glob, _)| label.may_match(glob, self.case));
        let stay = edges.stays.then_some(node);
        // The freest first: most often, they lead to what meets.
        let free = stay.into_iter().chain(edges.inner).chain(edges.deep).chain(edges.one);
        let all = free.chain(globs.map(|(_, to)| *to)).chain(others).chain(written);
        all.flat_map(move |to| {
            let place = self.edges(to).home.filter(|_| !homed);
            let is_named =
                |place| known.as_ref().is_some_and(|label| self.is_named_in_home(place, label));
            let home = place.filter(|place| !is_named(*place)).and(self.home);
            std::iter::once((to, homed)).chain(home.map(|home| (home, true)))
        })
    }

    /// The same after a label that may be the home folder.
    fn after<'a>(&'a self, node: Node, label: Label<'a>, homed: bool) -> Nodes<'a> {
        let is_home = matches!(label, Label::Known(path::HOME));
        let own = self.next(node, label, homed || is_home);
        if is_home {
            Box::new(own.chain(self.usual_homes().iter().map(|to| (*to, true))))
        } else {
            Box::new(own)
        }
    }
}

/// The labels that a token of a pattern matches.
enum Label<'a> {
    Known(&'a str),
    /// Labels that match a partial wildcard; also given for any letter case if case may not matter.
    Part(&'a Glob, Option<Glob>),
    Any,
}

impl<'a> Label<'a> {
    fn new(token: &'a Token, case: Case) -> Self {
        match token {
            Token::Literal(label) => Self::Known(label),
            Token::Glob(glob) => {
                Self::Part(glob, (case == Case::Unknown).then(|| glob.in_any_case()))
            }
            Token::One | Token::Deep => Self::Any,
        }
    }

    /// Returns `false` if the label is certainly another one.
    fn may_be(&self, label: &str) -> bool {
        match self {
            Self::Known(own) => own.eq_ignore_ascii_case(label),
            Self::Part(glob, loose) => {
                glob.matches(label) || loose.as_ref().is_some_and(|loose| loose.matches(label))
            }
            Self::Any => true,
        }
    }

    /// Returns `false` if a partial wildcard certainly matches no such label.
    fn may_match(&self, glob: &Glob, case: Case) -> bool {
        match self {
            Self::Known(label) => {
                glob.matches(label) || case == Case::Unknown && glob.in_any_case().matches(label)
            }
            Self::Part(own, _) => !own.is_disjoint(glob),
            Self::Any => true,
        }
    }
}

/// A pattern with its position in a trie. What a node leads to is looked at before its neighbours:
/// where nearly everything overlaps, few nodes are visited.
struct Search<'a, F> {
    trie: &'a Trie,
    tokens: &'a [Token],
    is_met: F,
    /// Positions and nodes, each with whether the path has been in a home folder.
    seen: HashSet<(usize, Node, bool)>,
    /// The nodes to look at, with the position of the pattern there.
    next: Vec<(usize, Nodes<'a>)>,
    found: bool,
}

impl<'a, F: FnMut(u32) -> bool> Search<'a, F> {
    fn new(trie: &'a Trie, tokens: &'a [Token], is_met: F) -> Self {
        Self { trie, tokens, is_met, seen: HashSet::default(), next: Vec::new(), found: false }
    }

    fn run(&mut self) -> bool {
        if self.trie.case == Case::Unknown {
            // A pattern of folders may cover `~`: its remainders below the usual places of home
            // folders.
            let left: BTreeSet<usize> =
                HOMES.iter().flat_map(|place| left(self.tokens, place)).collect();
            for at in left {
                self.next.push((at, self.trie.after(0, Label::Known(path::HOME), false)));
            }
        }
        self.reach(0, 0, false);
        while !self.found
            && let Some((at, nodes)) = self.next.last_mut()
        {
            let at = *at;
            match nodes.next() {
                Some((node, homed)) => self.reach(at, node, homed),
                None => drop(self.next.pop()),
            }
        }
        self.found
    }

    /// The tokens before a position have led to a node.
    fn reach(&mut self, at: usize, node: Node, homed: bool) {
        let mut next = Some((at, node));
        // Both a `**` of the pattern and one of the trie may match nothing.
        let mut others = Vec::new();
        while let Some((at, node)) = next.take().or_else(|| others.pop())
            && !self.found
        {
            if !self.seen.insert((at, node, homed)) {
                continue;
            }
            let edges = self.trie.edges(node);
            let token = self.tokens.get(at);
            self.found = self.seen.len() > MOST_PAIRS
                || token.is_none() && edges.accepts.iter().any(|hit| (self.is_met)(hit.clause));
            if let Some(token) = token {
                let after = if *token == Token::Deep { at } else { at + 1 };
                let label = Label::new(token, self.trie.case);
                self.next.push((after, self.trie.after(node, label, homed)));
            }
            others.extend(edges.inner.map(|inner| (at, inner)));
            next = (token == Some(&Token::Deep)).then_some((at + 1, node));
        }
    }
}

/// Returns `true` if a label of a pattern may be this one of the place of a home folder.
fn may_be_home(own: &str, label: &str) -> bool {
    // No user has a name that starts with a dot.
    if label == ANY { !own.starts_with('.') } else { own.eq_ignore_ascii_case(label) }
}

/// The positions in a pattern after these labels, for every way to match them.
fn left(tokens: &[Token], labels: &[&str]) -> BTreeSet<usize> {
    // Nearly all patterns start elsewhere.
    let start = tokens.iter().map_while(|token| match token {
        Token::Literal(own) => Some(own),
        Token::Glob(_) | Token::One | Token::Deep => None,
    });
    if !start.zip(labels).all(|(own, label)| may_be_home(own, label)) {
        return BTreeSet::new();
    }
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
                Some(Token::Literal(own)) if !may_be_home(own, label) => {}
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
        let wide = folders(&format!("/{}/p/q/x", vec!["**"; 30].join("/")));
        trie.insert(&wide, Unknowns::NONE, 0);
        let narrow = folders(&format!("/{}/p/q/y", vec!["**"; 30].join("/")));
        let mut search = Search::new(&trie, &narrow.tokens, |_| true);
        assert!(!search.run());
        let pairs = (narrow.tokens.len() + 1) * (wide.tokens.len() + 1);
        assert!(search.seen.len() <= 2 * pairs, "{}", search.seen.len());
        assert!(trie.meets(&wide, |_| true));
        // For every way to match the usual place of a home folder.
        assert_eq!(left(&wide.tokens, HOMES[0]).len(), 31);
    }
}
