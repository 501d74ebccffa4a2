//! The classes of targets that a set of sequences can tell apart, each with a shortest member.
//!
//! Labels that no pattern names behave alike, so that at each state it is enough to follow the labels that are named,
//! one label for every combination of partial wildcards, and one label that is new. Where nobody says whether case matters,
//! each named label is followed in another case too. States are explored breadth first and only once. Invariant: every
//! target has the same [`Hit`]s as the class whose labels it follows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::glob::{Glob, TooMany, representatives, spellings};
use super::trie::{Case, Hit, State, Trie};
use crate::hash::HashMap;

/// The number of states explored for each node: more than rules need that distinguish the targets they name.
const A_NODE: usize = 16;

/// A set of targets that the same clauses match.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// A shortest target; one in the spelling of the rules where there is one.
    pub(super) labels: Vec<String>,
    /// Sorted; empty for what nothing matches.
    pub(super) hits: Vec<Hit>,
    /// True if the target is the only one of its class.
    pub(super) single: bool,
    /// True if the class is reached only by labels that rules have in another letter case.
    pub(super) respelled: bool,
}

/// The parts of a target.
pub(super) struct Alphabet {
    /// The only labels that may follow, where they are not free.
    pub(super) closed: fn(&[String]) -> &'static [&'static str],
    /// Returns `true` for a character that a label may contain.
    pub(super) allowed: fn(char) -> bool,
    /// Returns `true` for labels that form a whole target.
    pub(super) whole: fn(&[String]) -> bool,
}

/// The targets that are distinguished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// All of them.
    Any,
    /// Those in the letter case of the rules. Whether case matters or not, each other target is then matched like one of
    /// these: like the one in the rules' case if it does not, like one that nothing names if it does.
    Written,
}

/// A label to follow.
struct Next {
    label: String,
    /// True if it stands for itself only.
    single: bool,
    /// True if a pattern has it as it is.
    named: bool,
    /// True if it is one that a pattern has, in another case.
    recased: bool,
}

/// The facts known of a state that was met before.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// True if it was a target: a state is worth a second visit while it is too short to be one.
    target: bool,
    /// True if it was met in another spelling only.
    respelled: bool,
}

/// A state to be explored.
struct Visit {
    state: State,
    labels: Vec<String>,
    single: bool,
    respelled: bool,
}

/// All classes, shortest targets first. States are explored that hold so many nodes together, and some more for each node
/// of the trie.
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
    let mut explored = 0;
    let mut list: Vec<Class> = Vec::new();
    let mut known: HashMap<Vec<Hit>, usize> = HashMap::default();
    let mut seen: HashMap<State, Seen> = HashMap::default();
    let start = Visit { state: trie.start(), labels: Vec::new(), single: true, respelled: false };
    let mut queue = VecDeque::from([start]);
    while let Some(Visit { state, labels, single, respelled }) = queue.pop_front() {
        let whole = (alphabet.whole)(&labels);
        if whole {
            let hits = trie.hits(&state);
            match known.get(&hits).and_then(|at| list.get_mut(*at)) {
                Some(class) if class.respelled && !respelled => {
                    *class = Class { labels: labels.clone(), hits, single: false, respelled };
                }
                Some(class) => class.single = false,
                None => {
                    known.insert(hits.clone(), list.len());
                    list.push(Class { labels: labels.clone(), hits, single, respelled });
                }
            }
        }
        if explored > limit {
            return Err(TooMany);
        }
        if state.is_empty() && whole {
            continue;
        }
        for next in labels_of(trie, &state, &labels, alphabet, spelling)? {
            let to = trie.step(&state, &next.label);
            let mut longer = labels.clone();
            longer.push(next.label);
            let respelled = respelled || next.recased;
            let target = (alphabet.whole)(&longer);
            let better = |before: Seen| target && !before.target || before.respelled && !respelled;
            let before = seen.get(&to).copied();
            if before.is_none_or(better) {
                let target = target || before.is_some_and(|before| before.target);
                let respelled = respelled && before.is_none_or(|before| before.respelled);
                explored += to.len() + 1;
                seen.insert(to.clone(), Seen { target, respelled });
                queue.push_back(Visit {
                    state: to,
                    labels: longer,
                    single: single && next.single && next.named,
                    respelled,
                });
            }
        }
    }
    Ok(list)
}

/// The labels to follow from a state.
fn labels_of(
    trie: &Trie,
    state: &State,
    before: &[String],
    alphabet: &Alphabet,
    spelling: Spelling,
) -> Result<Vec<Next>, TooMany> {
    let closed = (alphabet.closed)(before);
    if !closed.is_empty() {
        // Formats stand for themselves; of drives one stands for all that no pattern names.
        let stands_alone = |label: &str| before.is_empty() || trie.literals(state).any(|(own, _)| own == label);
        let all = closed.iter().map(|label| Next {
            label: (*label).to_owned(),
            single: stands_alone(label),
            named: true,
            recased: false,
        });
        return Ok(all.collect());
    }
    let mut literals: BTreeMap<&str, bool> = BTreeMap::new();
    for (label, written) in trie.literals(state) {
        *literals.entry(label).or_default() |= written;
    }
    let cased = trie.case == Case::Unknown;
    let globs: Vec<&Glob> = trie.globs(state).collect::<BTreeSet<_>>().into_iter().collect();
    let free = |label: String| Next { label, single: false, named: false, recased: false };
    let mut next: Vec<Next> = Vec::with_capacity(literals.len() + 1);
    if globs.is_empty() {
        next.push(free(new_label(&literals, alphabet)));
    } else {
        let loose: Vec<Glob> = if cased { globs.iter().map(|glob| glob.in_any_case()).collect() } else { Vec::new() };
        let meets = |label: &str| globs.iter().copied().chain(&loose).any(|glob| glob.matches(label));
        let met: Vec<&str> = literals.keys().copied().filter(|label| meets(label)).collect();
        let found = representatives(&globs, &met, cased, alphabet.allowed)?;
        next.extend(found.into_iter().filter(|label| !literals.contains_key(label.as_str())).map(free));
        next.extend(Some(new_label(&literals, alphabet)).filter(|label| !meets(label)).map(free));
    }
    let literal = |(label, written): (&&str, &bool)| Next {
        label: (*label).to_owned(),
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
        let recased = |label| Next { label, single: false, named: false, recased: true };
        for written in alike.values() {
            let first = written.first().copied().unwrap_or_default();
            next.extend(spellings(first, &globs, written)?.into_iter().map(recased));
        }
    }
    Ok(next)
}

/// A label that none of `literals` is, in any case.
pub(super) fn new_label(literals: &BTreeMap<&str, bool>, alphabet: &Alphabet) -> String {
    let candidates = ["other".to_owned(), "Z".to_owned()].into_iter().chain((1..).map(|n| format!("other{n}")));
    candidates
        .filter(|label| label.chars().all(alphabet.allowed))
        .find(|label| !literals.keys().any(|literal| literal.eq_ignore_ascii_case(label)))
        .expect("there are more labels than literals")
}
