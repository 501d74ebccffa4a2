//! The classes of targets that a set of sequences distinguishes, each with a shortest member.
//!
//! Labels that no pattern names are equivalent, so that each state follows only the labels that are
//! named, one label for every combination of partial wildcards, and one new label. If it is unknown
//! whether letter case matters, each named label is also followed in another case. States are
//! explored breadth first, once each. Invariant: every target has the same [`Hit`]s as the class
//! whose labels it follows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::glob::{Glob, TooMany, representatives, spellings};
use super::trie::{Case, Hit, State, Trie};
use crate::hash::HashMap;

/// The number of states explored for each node: more than rules need that distinguish the targets
/// they name.
const A_NODE: usize = 16;

/// A set of targets that the same clauses match.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// A shortest target, in the spelling of the rules if possible.
    pub(super) labels: Vec<String>,
    /// The matches, sorted; empty if nothing matches.
    pub(super) hits: Vec<Hit>,
    /// True if the target is the only one of its class.
    pub(super) single: bool,
    /// True if the class is reached only by labels in another letter case than in the rules.
    pub(super) respelled: bool,
    /// The number of targets that were looked at before this one.
    pub(super) found: usize,
}

/// The parts of a target.
pub(super) struct Alphabet {
    /// The only labels that may follow; none if they are arbitrary.
    pub(super) closed: fn(Start<'_>) -> &'static [&'static str],
    /// Returns `true` for a character that a label may contain.
    pub(super) allowed: fn(char) -> bool,
    /// Returns `true` if the labels form a complete target.
    pub(super) whole: fn(Start<'_>) -> bool,
}

/// The labels of a target so far.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) first: Option<&'a str>,
    /// The number of labels.
    pub(super) length: usize,
}

impl<'a> Start<'a> {
    pub(super) fn new(labels: &'a [String]) -> Self {
        Self { first: labels.first().map(String::as_str), length: labels.len() }
    }
}

/// The targets to distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// All of them.
    Any,
    /// Targets in the letter case of the rules. Whether case matters or not, each other target is
    /// then matched like one of these: like the one in the rules' case if it does not matter, like
    /// one that nothing names if it does.
    Written,
}

/// A label to follow.
struct Next<'a> {
    label: Cow<'a, str>,
    /// True if it represents only itself.
    single: bool,
    /// True if a pattern contains it in this case.
    named: bool,
    /// True if a pattern contains it in another case.
    recased: bool,
}

/// The data about a state that was reached before.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// True if it was a target: a state is visited again if it was too short to be a target.
    target: bool,
    /// True if it was reached only in another spelling.
    respelled: bool,
}

/// A state to be explored.
struct Visit {
    state: State,
    path: Path,
    single: bool,
    respelled: bool,
}

/// The labels of a target: the position of the last one in [`Paths`].
#[derive(Clone, Copy)]
struct Path {
    last: Option<usize>,
    length: usize,
}

/// The labels of all targets, each with the position of the one before it: targets share their
/// starts.
#[derive(Default)]
struct Paths<'a> {
    labels: Vec<(Option<usize>, Cow<'a, str>)>,
}

impl<'a> Paths<'a> {
    const EMPTY: Path = Path { last: None, length: 0 };

    fn longer(&mut self, path: Path, label: Cow<'a, str>) -> Path {
        self.labels.push((path.last, label));
        Path { last: Some(self.labels.len() - 1), length: path.length + 1 }
    }

    /// The labels of a target, the last one first.
    fn backwards(&self, path: Path) -> impl Iterator<Item = &str> {
        let mut at = path.last;
        std::iter::from_fn(move || {
            let (before, label) = self.labels.get(at?)?;
            at = *before;
            Some(label.as_ref())
        })
    }

    fn start(&self, path: Path) -> Start<'_> {
        Start { first: self.backwards(path).last(), length: path.length }
    }

    fn labels(&self, path: Path) -> Vec<String> {
        let mut labels: Vec<String> = self.backwards(path).map(str::to_owned).collect();
        labels.reverse();
        labels
    }
}

/// All classes, shortest targets first. The exploration is limited to states with this number of
/// nodes together, plus some for each node of the trie.
pub(super) fn classes(
    trie: &Trie,
    alphabet: &Alphabet,
    spelling: Spelling,
    nodes: usize,
) -> Result<Vec<Class>, TooMany> {
    if nodes == 0 {
        return Err(TooMany);
    }
    let limit = nodes + A_NODE * trie.size();
    let (mut explored, mut found) = (0, 0);
    let mut list: Vec<Class> = Vec::new();
    let mut known: HashMap<Vec<Hit>, usize> = HashMap::default();
    let mut seen: HashMap<State, Seen> = HashMap::default();
    let mut paths = Paths::default();
    // Most nodes are reached once. A map that grows takes twice its memory meanwhile.
    seen.reserve(trie.size());
    known.reserve(trie.size());
    paths.labels.reserve(trie.size());
    let start = Visit { state: trie.start(), path: Paths::EMPTY, single: true, respelled: false };
    let mut queue = VecDeque::from([start]);
    while let Some(Visit { state, path, single, respelled }) = queue.pop_front() {
        let start = paths.start(path);
        let whole = (alphabet.whole)(start);
        if whole {
            let hits = trie.hits(&state);
            let class = |hits, single| {
                let labels = paths.labels(path);
                Class { labels, hits, single, respelled, found }
            };
            match known.get(&hits).and_then(|at| list.get_mut(*at)) {
                Some(own) if own.respelled && !respelled => *own = class(hits, false),
                Some(own) => own.single = false,
                None => {
                    known.insert(hits.clone(), list.len());
                    list.push(class(hits, single));
                }
            }
            found += 1;
        }
        if explored > limit {
            return Err(TooMany);
        }
        if state.is_empty() && whole {
            continue;
        }
        let first = start.first.map(str::to_owned);
        for next in labels_of(trie, &state, start, alphabet, spelling)? {
            let to = trie.step(&state, &next.label);
            let first = first.as_deref().unwrap_or(&next.label);
            let longer = Start { first: Some(first), length: path.length + 1 };
            let target = (alphabet.whole)(longer);
            let respelled = respelled || next.recased;
            let better = |before: Seen| target && !before.target || before.respelled && !respelled;
            let before = seen.get(&to).copied();
            if before.is_none_or(better) {
                let target = target || before.is_some_and(|before| before.target);
                let respelled = respelled && before.is_none_or(|before| before.respelled);
                explored += to.len() + 1;
                seen.insert(to.clone(), Seen { target, respelled });
                queue.push_back(Visit {
                    state: to,
                    path: paths.longer(path, next.label),
                    single: single && next.single && next.named,
                    respelled,
                });
            }
        }
    }
    Ok(list)
}

/// The labels to follow from a state.
fn labels_of<'a>(
    trie: &'a Trie,
    state: &State,
    before: Start<'_>,
    alphabet: &Alphabet,
    spelling: Spelling,
) -> Result<Vec<Next<'a>>, TooMany> {
    let closed = (alphabet.closed)(before);
    if !closed.is_empty() {
        // Formats are followed individually; one drive represents all drives that no pattern names.
        let stands_alone =
            |label: &str| before.length == 0 || trie.literals(state).any(|(own, _)| own == label);
        let all = closed.iter().map(|label| Next {
            label: (*label).into(),
            single: stands_alone(label),
            named: true,
            recased: false,
        });
        return Ok(all.collect());
    }
    let mut literals: BTreeMap<&'a str, bool> = BTreeMap::new();
    for (label, written) in trie.literals(state) {
        *literals.entry(label).or_default() |= written;
    }
    let cased = trie.case == Case::Unknown;
    let globs: Vec<&Glob> = trie.globs(state).collect::<BTreeSet<_>>().into_iter().collect();
    let free = |label: Cow<'a, str>| Next { label, single: false, named: false, recased: false };
    let mut next: Vec<Next<'a>> = Vec::with_capacity(literals.len() + 1);
    if globs.is_empty() {
        next.push(free(new_label(&literals, alphabet)));
    } else {
        let loose: Vec<Glob> =
            if cased { globs.iter().map(|glob| glob.in_any_case()).collect() } else { Vec::new() };
        let meets =
            |label: &str| globs.iter().copied().chain(&loose).any(|glob| glob.matches(label));
        let met: Vec<&str> = literals.keys().copied().filter(|label| meets(label)).collect();
        let found = representatives(&globs, &met, cased, alphabet.allowed)?;
        next.extend(
            found
                .into_iter()
                .filter(|label| !literals.contains_key(label.as_str()))
                .map(|label| free(label.into())),
        );
        next.extend(Some(new_label(&literals, alphabet)).filter(|label| !meets(label)).map(free));
    }
    let literal = |(label, written): (&&'a str, &bool)| Next {
        label: (*label).into(),
        single: true,
        named: *written,
        recased: false,
    };
    next.extend(literals.iter().map(literal));
    if cased && spelling == Spelling::Any {
        let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for label in literals.keys() {
            alike.entry(label.to_lowercase()).or_default().push(label);
        }
        let recased = |label: String| Next {
            label: label.into(),
            single: false,
            named: false,
            recased: true,
        };
        for written in alike.values() {
            let first = written.first().copied().unwrap_or_default();
            next.extend(spellings(first, &globs, written)?.into_iter().map(recased));
        }
    }
    Ok(next)
}

/// A label that differs from all `literals` in every case.
pub(super) fn new_label(literals: &BTreeMap<&str, bool>, alphabet: &Alphabet) -> Cow<'static, str> {
    let first = ["other", "Z"].into_iter().map(Cow::Borrowed);
    let candidates = first.chain((1..).map(|n| format!("other{n}").into()));
    candidates
        .filter(|label| label.chars().all(alphabet.allowed))
        .find(|label| !literals.keys().any(|literal| literal.eq_ignore_ascii_case(label)))
        .expect("there are more labels than literals")
}
