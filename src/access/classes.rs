//! The classes of targets that a set of sequences can tell apart, each with a shortest member.
//!
//! Labels that no pattern names behave alike, so that at each state it is enough to follow the labels that are named,
//! one label for every combination of partial wildcards, and one label that is new. States are explored breadth first
//! and only once. Invariant: every target has the same [`Hit`]s as the class whose labels it follows, unless
//! [`Classes::complete`] is false.

use std::collections::{BTreeSet, VecDeque};

use super::glob::{Glob, representatives};
use super::trie::{Hit, State, Trie};
use crate::hash::HashMap;

/// How many states are explored before the result is no longer complete.
const LIMIT: usize = 1_000_000;

/// A set of targets that the same clauses match.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// A shortest target.
    pub(super) labels: Vec<String>,
    /// Sorted; empty for what nothing matches.
    pub(super) hits: Vec<Hit>,
    /// Whether the target is the only one of its class.
    pub(super) single: bool,
}

/// The classes, shortest targets first.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) list: Vec<Class>,
    /// Whether there are no others.
    pub(super) complete: bool,
}

/// What a target is made of.
pub(super) struct Alphabet {
    /// The only labels that may follow, where they are not free.
    pub(super) closed: fn(&[String]) -> &'static [&'static str],
    /// Whether a character may be part of a label.
    pub(super) allowed: fn(char) -> bool,
    /// Whether labels are a whole target.
    pub(super) whole: fn(&[String]) -> bool,
}

/// Explores `trie`.
pub(super) fn classes(trie: &Trie, alphabet: &Alphabet) -> Classes {
    let mut complete = true;
    let mut list: Vec<Class> = Vec::new();
    let mut known: HashMap<Vec<Hit>, usize> = HashMap::default();
    // A state is worth a second visit only while it is too short to be a target.
    let mut seen: HashMap<State, bool> = HashMap::default();
    let mut queue: VecDeque<(State, Vec<String>, bool)> = VecDeque::from([(Trie::start(), Vec::new(), true)]);
    while let Some((state, labels, single)) = queue.pop_front() {
        let whole = (alphabet.whole)(&labels);
        if whole {
            let hits = trie.hits(&state);
            match known.get(&hits).and_then(|at| list.get_mut(*at)) {
                Some(class) => class.single = false,
                None => {
                    known.insert(hits.clone(), list.len());
                    list.push(Class { labels: labels.clone(), hits, single });
                }
            }
        }
        if seen.len() > LIMIT {
            complete = false;
            break;
        }
        if state.is_empty() && whole {
            continue;
        }
        let (next_labels, all) = labels_of(trie, &state, &labels, alphabet);
        complete &= all;
        for (label, named) in next_labels {
            let next = trie.step(&state, &label);
            let mut longer = labels.clone();
            longer.push(label);
            let target = (alphabet.whole)(&longer);
            let visited = seen.get(&next).copied();
            if visited.is_none_or(|was_target| target && !was_target) {
                seen.insert(next.clone(), target);
                queue.push_back((next, longer, single && named));
            }
        }
    }
    Classes { list, complete }
}

/// The labels to follow from a state, each with whether it stands for itself only; and whether these are all that
/// matter.
fn labels_of(trie: &Trie, state: &State, before: &[String], alphabet: &Alphabet) -> (Vec<(String, bool)>, bool) {
    let closed = (alphabet.closed)(before);
    if !closed.is_empty() {
        return (closed.iter().map(|&label| (label.to_owned(), true)).collect(), true);
    }
    let literals: BTreeSet<&str> = trie.literals(state).collect();
    let globs: Vec<&Glob> = trie.globs(state).collect::<BTreeSet<_>>().into_iter().collect();
    let mut labels: Vec<String> = Vec::with_capacity(literals.len() + 1);
    let complete = if globs.is_empty() {
        labels.push(new_label(&literals, alphabet));
        true
    } else {
        let met: Vec<&str> =
            literals.iter().copied().filter(|one| globs.iter().any(|glob| glob.matches(one))).collect();
        let (representatives, complete) = representatives(&globs, &met, alphabet.allowed);
        labels.extend(representatives.into_iter().filter(|one| !literals.contains(one.as_str())));
        labels.extend(Some(new_label(&literals, alphabet)).filter(|one| !globs.iter().any(|glob| glob.matches(one))));
        complete
    };
    let others = labels.into_iter().map(|label| (label, false));
    (others.chain(literals.into_iter().map(|label| (label.to_owned(), true))).collect(), complete)
}

/// A label that none of `literals` is, in any case.
fn new_label(literals: &BTreeSet<&str>, alphabet: &Alphabet) -> String {
    let candidates = ["other".to_owned(), "Z".to_owned()].into_iter().chain((1..).map(|n| format!("other{n}")));
    candidates
        .filter(|label| label.chars().all(alphabet.allowed))
        .find(|label| !literals.iter().any(|literal| literal.eq_ignore_ascii_case(label)))
        .expect("there are more labels than literals")
}
