//! The classes of targets that suffice to judge a change if all classes are too many.
//!
//! Access grows with every allow and shrinks with every deny. A request therefore shows a change
//! because of a few clauses: one that lets it through, and one that stops it in the other state.
//! Other clauses that match it can only prevent that: a request that these few match too, and that
//! no clause matches which does not match the first, shows the same. Of all targets that a few
//! clauses match, those that the fewest other clauses match suffice.
//!
//! They are searched label by label. If two states are equal for the few clauses, and everything
//! that may still match from the first may match from the second too, the second is superfluous:
//! rules that overlap none of the few, or that can be avoided, cost next to nothing, however many
//! combinations of them there are.
//!
//! Invariant: for every target that the clauses of a set in [`Sets::needed`] match, there is a
//! class that these match in the same way, and that no clause matches which does not match the
//! target, however open questions are settled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::classes::{Alphabet, Class, new_label};
use super::clause::{Clause, Target};
use super::glob::{Glob, TooMany, fewest};
use super::path;
use super::pattern::{Sequence, Token};
use super::trie::{Case, Hit, State, Trie};
use super::unknowns::Unknown;
use crate::hash::HashMap;
use crate::model::Decision;

/// The limit of all sets of clauses together, as a multiple of [`Effort::steps`], plus some for each
/// clause.
const SETS_TOGETHER: usize = 20;
const STEPS_A_CLAUSE: usize = 1_000;
/// The same for sets that only improve the description of a change.
const SETS_BESIDE: usize = 4;
/// The number of labels that rules name in one place, beside wildcards that may match each of them.
const MOST_LABELS: usize = 5_000;
/// The number of sets of clauses that are searched.
const MOST_SETS: usize = 200_000;

/// The purpose of a survey, and its size.
pub(super) struct Wanted<'a> {
    pub(super) why: Why<'a>,
    pub(super) effort: Effort,
}

/// The limits of a survey.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// The number of nodes in explored states from which on the survey reduces itself to the
    /// essential classes; 0 to skip the exploration. By default, more than rules need that
    /// distinguish the targets they name.
    pub(super) nodes: usize,
    /// The number of nodes, labels and wildcards after which the search for the essential classes
    /// of one set of clauses ends.
    pub(super) steps: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { nodes: 1_000_000, steps: 1_000_000 }
    }
}

/// The reason for a survey.
pub(super) enum Why<'a> {
    /// To find which groups share a request.
    Shared,
    /// To judge a change, and with `between` also the intermediate states; by group.
    Change { part: &'a dyn Fn(usize) -> Part, between: bool },
}

impl<'a> Wanted<'a> {
    pub(super) fn new(why: Why<'a>) -> Self {
        Self { why, effort: Effort::default() }
    }
}

/// The role of a group in a change.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    /// True if it is in force for anybody before the change.
    pub(super) old: bool,
    /// True if it is in force for anybody after the change.
    pub(super) new: bool,
    /// True if that, or its audience, changes.
    pub(super) changes: bool,
}

/// The clauses of one trie.
pub(super) struct Patterns<'a> {
    pub(super) trie: &'a Trie,
    pub(super) alphabet: &'a Alphabet,
    pub(super) clauses: &'a [Clause],
    /// Positions of the clauses in the trie.
    pub(super) members: Vec<u32>,
    /// Adds the pattern of a clause to a trie.
    pub(super) insert: &'a dyn Fn(&mut Trie, u32),
    /// The pattern of a clause, in all its forms.
    pub(super) sequences: fn(&Clause) -> Vec<Sequence>,
}

/// The classes that suffice, shortest targets first.
pub(super) fn essential(
    patterns: &Patterns<'_>,
    wanted: &Wanted<'_>,
) -> Result<Vec<Class>, TooMany> {
    let sets = patterns.sets(wanted)?;
    let steps = wanted.effort.steps;
    let left = SETS_TOGETHER * steps + STEPS_A_CLAUSE * patterns.members.len();
    let mut search = Search { patterns, steps, left, list: Vec::new(), known: HashMap::default() };
    for few in &sets.needed {
        search.look_for(few)?;
    }
    search.left = SETS_BESIDE * steps;
    for few in &sets.beside {
        if search.look_for(few).is_err() {
            break;
        }
    }
    search.list.sort_by_key(|class| class.labels.len());
    Ok(search.list)
}

/// Sets of clauses for which classes are searched.
#[derive(Default)]
struct Sets {
    /// Those that may show a change.
    needed: Vec<Vec<u32>>,
    /// Those that help with descriptions.
    beside: Vec<Vec<u32>>,
}

impl Patterns<'_> {
    fn clause(&self, number: u32) -> &Clause {
        self.clauses.get(number as usize).expect("members are of these clauses")
    }

    fn sets(&self, wanted: &Wanted<'_>) -> Result<Sets, TooMany> {
        // Decisions about an address or a path are searched separately: here such a clause may be
        // alone, or absent.
        let mut sets = Sets { needed: vec![Vec::new()], beside: Vec::new() };
        sets.needed.extend(self.members.iter().map(|one| vec![*one]));
        let changes = |number: u32| match &wanted.why {
            Why::Shared => true,
            Why::Change { part, .. } => part(self.clause(number).group).changes,
        };
        let mut overlapping: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for &one in self.members.iter().filter(|one| changes(**one)) {
            let found = self.overlapping(one);
            let others = found.iter().filter(|other| !changes(**other) || one < **other);
            for &other in others {
                let pair = vec![one.min(other), one.max(other)];
                if self.shows(one, other, wanted) {
                    sets.needed.push(pair)
                } else {
                    sets.beside.push(pair)
                }
            }
            overlapping.insert(one, found);
            if sets.needed.len() > MOST_SETS {
                return Err(TooMany);
            }
            sets.beside.truncate(MOST_SETS);
        }
        if let Why::Change { part, between: true } = &wanted.why {
            let part = |number: u32| part(self.clause(number).group);
            let stops = |number: u32| closes(self.clause(number));
            for (&before, found) in
                overlapping.iter().filter(|(one, _)| stops(**one) && part(**one).old)
            {
                let after = found
                    .iter()
                    .filter(|other| stops(**other) && part(**other).changes && part(**other).new);
                for after in after.filter(|after| **after != before) {
                    let both = overlapping.get(after).map(|others| found.intersection(others));
                    let opens = both.into_iter().flatten().filter(|one| opens(self.clause(**one)));
                    sets.needed.extend(opens.map(|one| vec![*one, before, *after]));
                    if sets.needed.len() > MOST_SETS {
                        return Err(TooMany);
                    }
                }
            }
        }
        Ok(sets)
    }

    /// Returns `true` if two clauses together may show what is wanted: one lets a request through,
    /// and the other one, which is added or removed, stops it.
    fn shows(&self, one: u32, other: u32, wanted: &Wanted<'_>) -> bool {
        let (one, other) = (self.clause(one), self.clause(other));
        let Why::Change { part, between } = &wanted.why else { return one.group != other.group };
        [(one, other), (other, one)].into_iter().any(|(opening, closing)| {
            let (lets, stops) = (part(opening.group), part(closing.group));
            opens(opening)
                && closes(closing)
                && stops.changes
                && (*between || lets.new && stops.old || lets.old && stops.new)
        })
    }

    /// The other clauses that may match a target that this one matches.
    fn overlapping(&self, one: u32) -> BTreeSet<u32> {
        let own = self.clause(one);
        let sequences = (self.sequences)(own);
        let mut found = BTreeSet::new();
        for sequence in &sequences {
            self.trie.meets(sequence, |other| {
                found.insert(other);
                false
            });
        }
        found.retain(|other| {
            let other_clause = self.clause(*other);
            let others = (self.sequences)(other_clause);
            let overlap =
                |one: &Sequence| others.iter().any(|other| may_overlap(&one.tokens, &other.tokens));
            *other != one && share_actions(own, other_clause) && sequences.iter().any(overlap)
        });
        found
    }
}

fn opens(clause: &Clause) -> bool {
    clause.decision == Decision::Allow
}

/// Returns `true` if a clause can stop a request: a rule for HTTP requests also stops connections
/// that cannot be inspected.
fn closes(clause: &Clause) -> bool {
    clause.decision == Decision::Deny || matches!(clause.target, Target::Http(..))
}

/// Returns `true` if two clauses can concern the same request.
fn share_actions(one: &Clause, other: &Clause) -> bool {
    let http = |clause: &Clause| matches!(clause.target, Target::Http(..));
    http(one) || http(other) || one.actions.meets(other.actions)
}

/// Returns `true` if two patterns may match the same target; `false` is certain.
fn may_overlap(one: &[Token], other: &[Token]) -> bool {
    let home = |tokens: &[Token]| matches!(tokens.first(), Some(Token::Literal(format)) if format == path::HOME);
    if home(one) != home(other) {
        // Home folders may be anywhere.
        return true;
    }
    // For each end of the other pattern, whether the remainders may match the same target.
    let mut below = vec![false; other.len() + 2];
    for at in (0..=one.len()).rev() {
        let mut row = vec![false; other.len() + 2];
        for beside in (0..=other.len()).rev() {
            let (own, others) = (one.get(at), other.get(beside));
            let is = |row: &[bool], at: usize| row.get(at).copied().unwrap_or(false);
            let (deep, others_deep) = (own == Some(&Token::Deep), others == Some(&Token::Deep));
            let both = own.zip(others).is_some_and(|(own, others)| {
                fit(own, others)
                    && (is(&below, beside + 1)
                        || deep && is(&row, beside + 1)
                        || others_deep && is(&below, beside))
            });
            let found = own.is_none() && others.is_none()
                || both
                || deep && is(&below, beside)
                || others_deep && is(&row, beside + 1);
            if let Some(slot) = row.get_mut(beside) {
                *slot = found;
            }
        }
        below = row;
    }
    below.first() == Some(&true)
}

/// Returns `true` if some label may match both.
fn fit(one: &Token, other: &Token) -> bool {
    match (one, other) {
        (Token::Literal(one), Token::Literal(other)) => one.to_lowercase() == other.to_lowercase(),
        (Token::Literal(text), Token::Glob(glob)) | (Token::Glob(glob), Token::Literal(text)) => {
            glob.matches(text) || glob.in_any_case().matches(text)
        }
        (Token::Glob(one), Token::Glob(other)) => !one.is_disjoint(other),
        (Token::One | Token::Deep, _) | (_, Token::One | Token::Deep) => true,
    }
}

struct Search<'a> {
    patterns: &'a Patterns<'a>,
    /// The limit of one set of clauses.
    steps: usize,
    /// The remaining steps of all sets together.
    left: usize,
    list: Vec<Class>,
    known: HashMap<Vec<Hit>, usize>,
}

/// A state to be explored.
struct Visit {
    /// By clause of the set.
    own: Vec<State>,
    all: State,
    labels: Vec<String>,
    single: bool,
}

impl Search<'_> {
    /// Adds the classes that these clauses match, with as few other matches as possible.
    fn look_for(&mut self, few: &[u32]) -> Result<(), TooMany> {
        let Patterns { trie, alphabet, insert, .. } = self.patterns;
        let trie_of = |clause: &u32| {
            let mut own = Trie::new(trie.case);
            insert(&mut own, *clause);
            own
        };
        let tries: Vec<Trie> = few.iter().map(trie_of).collect();
        let mut left = self.steps.min(self.left);
        let before = left;
        let own = tries.iter().map(Trie::start).collect();
        let mut seen: HashMap<(Vec<State>, bool, bool), Vec<State>> = HashMap::default();
        let mut queue =
            VecDeque::from([Visit { own, all: trie.start(), labels: Vec::new(), single: true }]);
        let mut alone = false;
        while let Some(visit) = queue.pop_front() {
            let whole = (alphabet.whole)(&visit.labels);
            if whole && tries.iter().zip(&visit.own).all(|(trie, own)| !trie.hits(own).is_empty()) {
                let hits = trie.hits(&visit.all);
                alone |= hits.iter().all(|hit| few.contains(&hit.clause) && is_plain(hit));
                self.add(&visit, hits);
            }
            let next = match self.labels(&tries, &visit, &mut left) {
                Ok(next) => next,
                // A target without other matches makes all others superfluous.
                Err(TooMany) if alone => break,
                Err(TooMany) => return Err(TooMany),
            };
            for (label, single) in next {
                let own: Vec<State> = tries
                    .iter()
                    .zip(&visit.own)
                    .map(|(trie, state)| trie.step(state, &label))
                    .collect();
                if own.iter().any(Vec::is_empty) {
                    continue;
                }
                let all = trie.step(&visit.all, &label);
                left = left.saturating_sub(all.len() + 1);
                let mut labels = visit.labels.clone();
                labels.push(label);
                let closed = !(alphabet.closed)(&labels).is_empty();
                let known =
                    seen.entry((own.clone(), (alphabet.whole)(&labels), closed)).or_default();
                left = left.saturating_sub(known.len());
                if known.iter().any(|other| is_within(other, &all)) {
                    continue;
                }
                known.retain(|other| !is_within(&all, other));
                known.push(all.clone());
                queue.push_back(Visit { own, all, labels, single: visit.single && single });
            }
        }
        self.left = self.left.saturating_sub(before - left);
        Ok(())
    }

    fn add(&mut self, visit: &Visit, hits: Vec<Hit>) {
        if self.known.contains_key(&hits) {
            return;
        }
        self.known.insert(hits.clone(), self.list.len());
        let Visit { labels, single, .. } = visit;
        self.list.push(Class { labels: labels.clone(), hits, single: *single, respelled: false });
    }

    /// The labels to follow: those in the clauses of the set, and for each way in which their
    /// wildcards match, those with the fewest other matches. Each with whether it represents only
    /// itself.
    fn labels(
        &self,
        tries: &[Trie],
        visit: &Visit,
        left: &mut usize,
    ) -> Result<Vec<(String, bool)>, TooMany> {
        let Patterns { trie, alphabet, .. } = self.patterns;
        let of_few = || tries.iter().zip(&visit.own);
        let named: BTreeSet<&str> =
            of_few().flat_map(|(trie, own)| trie.literals(own)).map(|(label, _)| label).collect();
        let closed = (alphabet.closed)(&visit.labels);
        if !closed.is_empty() {
            let stands_alone = |label: &str| visit.labels.is_empty() || named.contains(label);
            return Ok(closed
                .iter()
                .map(|label| ((*label).to_owned(), stands_alone(label)))
                .collect());
        }
        let literals: BTreeMap<&str, bool> = trie.literals(&visit.all).collect();
        let own: BTreeSet<&Glob> = of_few().flat_map(|(trie, own)| trie.globs(own)).collect();
        let globs: BTreeSet<&Glob> =
            trie.globs(&visit.all).filter(|glob| !own.contains(glob)).collect();
        *left = left.saturating_sub(1 + literals.len() + 8 * globs.len());
        if *left == 0 {
            return Err(TooMany);
        }
        let cased = trie.case == Case::Unknown;
        let matches = |glob: &Glob, label: &str| {
            glob.matches(label) || cased && glob.in_any_case().matches(label)
        };
        let new = new_label(&literals, alphabet);
        let avoided = !own.iter().chain(&globs).any(|glob| matches(glob, &new));
        let mut next: Vec<(String, bool)> =
            named.iter().map(|label| ((*label).to_owned(), true)).collect();
        if !avoided || !own.is_empty() {
            // A label that nothing names is included already: others matter only as far as they
            // overlap the set.
            let taken = literals
                .keys()
                .copied()
                .filter(|label| !avoided || own.iter().any(|glob| matches(glob, label)));
            let taken: Vec<&str> = taken.collect();
            let near = |glob: &&Glob| !avoided || own.iter().any(|own| !own.is_disjoint(glob));
            let globs: Vec<&Glob> = globs.into_iter().filter(near).collect();
            if taken.len() > MOST_LABELS {
                return Err(TooMany);
            }
            *left = left.saturating_sub(64 * (taken.len() + globs.len()));
            let own: Vec<&Glob> = own.into_iter().collect();
            let found = fewest(&own, &globs, &taken, cased, alphabet.allowed)?;
            next.extend(
                found
                    .into_iter()
                    .filter(|label| !named.contains(label.as_str()))
                    .map(|label| (label, false)),
            );
        }
        next.extend(avoided.then_some((new, false)));
        Ok(next)
    }
}

/// Returns `true` if a match depends on nothing but the pattern itself.
fn is_plain(hit: &Hit) -> bool {
    use Unknown::{Apex, Case, EmptySegment, FolderItself, HomeFolder, MiddleDoubleStar};
    [Apex, Case, EmptySegment, FolderItself, HomeFolder, MiddleDoubleStar]
        .iter()
        .all(|unknown| !hit.unknowns.contains(*unknown))
}

/// Returns `true` if everything that may match from one state may match from the other, with the
/// same or fewer open questions.
fn is_within(one: &State, other: &State) -> bool {
    one.iter().all(|(node, needs)| {
        let from = other.partition_point(|(before, _)| before < node);
        let same = other.iter().skip(from).take_while(|(other, _)| other == node);
        same.into_iter().any(|(_, less)| less.is_subset(*needs))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::PathPattern;

    fn tokens(path: &str) -> Vec<Token> {
        let PathPattern::Folders(Sequence { tokens, .. }) = PathPattern::parse(path) else {
            panic!("{path}")
        };
        tokens
    }

    #[test]
    fn patterns_that_share_nothing_are_told_apart() {
        for (one, other, expected) in [
            ("/a/b", "/a/b", true),
            ("/a/b", "/A/b", true), // case may not matter
            ("/a/b", "/a/c", false),
            ("/a/**", "/a", true), // `**` may stand for nothing
            ("/a/**", "/b/**", false),
            ("/**/x", "/a/**", true),
            ("/**/x", "/a/**/y", false),
            ("/a/*/c", "/a/b", false),
            ("/a/x-*", "/a/y-*", false),
            ("/a/x-*", "/a/X-1", true),
            ("/a/*.txt", "/a/*.md", false),
            ("/a/[xy]*", "/a/z", false),
            ("~/a", "/home/u/a", true), // home folders may be anywhere
            ("C:\\a", "/a", false),
            ("**", "C:\\a", true),
        ] {
            assert_eq!(may_overlap(&tokens(one), &tokens(other)), expected, "{one} {other}");
            assert_eq!(may_overlap(&tokens(other), &tokens(one)), expected, "{other} {one}");
        }
    }
}
