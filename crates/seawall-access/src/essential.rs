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

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::classes::{Alphabet, Class, Start, new_label};
use super::clause::{Clause, Target};
use super::glob::{Glob, TooMany, fewest};
use super::path;
use super::pattern::{Sequence, Token};
use super::trie::{Case, Hit, State, Trie};
use super::unknowns::Unknown;
use crate::hash::{HashMap, HashSet};
use crate::model::Decision;
use crate::parallel;

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
/// The number of sets that are searched at a time, at most, and those for which a thread is worth
/// its start.
const SETS_AT_A_TIME: usize = 128;
const SETS_A_THREAD: usize = 2;

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
    Change { part: &'a (dyn Fn(usize) -> Part + Sync), between: bool },
}

impl<'a> Wanted<'a> {
    pub(super) fn new(why: Why<'a>) -> Self {
        Self { why, effort: Effort::default() }
    }
}

/// The role of a group in a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Part {
    /// True if it is in force for anybody before the change.
    pub(super) old: bool,
    /// True if it is in force for anybody after the change.
    pub(super) new: bool,
    /// True if that, or its audience, changes.
    pub(super) changes: bool,
}

/// The pattern of a clause, in all its forms; empty if it has none of this kind.
pub(super) type Sequences = fn(&Clause) -> Vec<Cow<'_, Sequence>>;

/// The clauses of one trie.
pub(super) struct Patterns<'a> {
    pub(super) trie: &'a Trie,
    pub(super) alphabet: &'a Alphabet,
    pub(super) clauses: &'a [Clause],
    /// Positions of the clauses in the trie.
    pub(super) members: Vec<u32>,
    /// Adds the pattern of a clause to a trie.
    pub(super) insert: &'a (dyn Fn(&mut Trie, u32) + Sync),
    pub(super) sequences: Sequences,
}

/// The classes that suffice, shortest targets first.
pub(super) fn essential(
    patterns: &Patterns<'_>,
    wanted: &Wanted<'_>,
) -> Result<Vec<Class>, TooMany> {
    if patterns.members.len() >= MOST_SETS {
        return Err(TooMany);
    }
    let steps = wanted.effort.steps;
    let left = SETS_TOGETHER * steps + STEPS_A_CLAUSE * patterns.members.len();
    let mut search = Search { patterns, steps, left, list: Vec::new(), known: HashSet::default() };
    // Decisions about an address or a path are searched separately: here such a clause may be
    // alone, or absent.
    let alone = patterns.members.iter().map(|one| vec![*one]);
    search.look_for(std::iter::once(Vec::new()).chain(alone))?;
    let mut overlaps = Overlaps::new(patterns, wanted);
    search.look_for(overlaps.showing()?.into_iter())?;
    search.left = SETS_BESIDE * steps;
    // These only improve descriptions, so that the search may end anywhere.
    search.look_for(overlaps.beside().take(MOST_SETS)).unwrap_or_default();
    search.list.sort_by_key(|class| class.labels.len());
    Ok(search.list)
}

/// The sets of clauses that overlap.
struct Overlaps<'a> {
    patterns: &'a Patterns<'a>,
    wanted: &'a Wanted<'a>,
    /// By clause that changes: the others that it overlaps, as far as they were looked for.
    known: BTreeMap<u32, BTreeSet<u32>>,
}

impl<'a> Overlaps<'a> {
    fn new(patterns: &'a Patterns<'a>, wanted: &'a Wanted<'a>) -> Self {
        Self { patterns, wanted, known: BTreeMap::new() }
    }

    fn clause(&self, number: u32) -> &'a Clause {
        self.patterns.clause(number)
    }

    fn part(&self, number: u32) -> Part {
        match &self.wanted.why {
            Why::Shared => Part { old: true, new: true, changes: true },
            Why::Change { part, .. } => part(self.clause(number).group),
        }
    }

    /// The clauses that change.
    fn changing(&self) -> impl Iterator<Item = u32> {
        let members = self.patterns.members.iter().copied();
        members.filter(|number| self.part(*number).changes)
    }

    /// The pairs of a clause that changes and others that it overlaps; each pair for one of the two.
    fn pairs(&self, one: u32, others: &BTreeSet<u32>) -> Vec<[u32; 2]> {
        let is_own = |other: &&u32| one < **other || !self.part(**other).changes;
        others.iter().filter(is_own).map(|other| [one.min(*other), one.max(*other)]).collect()
    }

    /// The sets that may show what is wanted.
    fn showing(&mut self) -> Result<Vec<Vec<u32>>, TooMany> {
        let mut sets = Vec::new();
        let most = MOST_SETS - self.patterns.members.len();
        // Two rules can show something together only if their roles (old, new, allow, deny) fit.
        // Two new rules never do, for instance.
        let roles: HashSet<Role> =
            self.patterns.members.iter().map(|number| self.role(*number)).collect();
        let shows = |one: u32| roles.iter().any(|other| self.role(one).shows(other, self.wanted));
        let changing: Vec<u32> = self.changing().filter(|one| shows(*one)).collect();
        for one in changing {
            let found = self.patterns.overlapping(one);
            let pairs = self.pairs(one, &found);
            sets.extend(pairs.into_iter().filter(|pair| self.shows(*pair)).map(Vec::from));
            self.known.insert(one, found);
            if sets.len() >= most {
                return Err(TooMany);
            }
        }
        if let Why::Change { between: true, .. } = &self.wanted.why {
            let stops = |number: u32| closes(self.clause(number));
            for (&before, found) in
                self.known.iter().filter(|(one, _)| stops(**one) && self.part(**one).old)
            {
                let after = found.iter().filter(|other| {
                    let part = self.part(**other);
                    stops(**other) && part.changes && part.new
                });
                for after in after.filter(|after| **after != before) {
                    let both = self.known.get(after).map(|others| found.intersection(others));
                    let opens = both.into_iter().flatten().filter(|one| opens(self.clause(**one)));
                    sets.extend(opens.map(|one| vec![*one, before, *after]));
                    if sets.len() >= most {
                        return Err(TooMany);
                    }
                }
            }
        }
        Ok(sets)
    }

    /// The pairs that help with descriptions.
    fn beside(&self) -> impl Iterator<Item = Vec<u32>> {
        self.changing().flat_map(|one| {
            let pairs = match self.known.get(&one) {
                Some(found) => self.pairs(one, found),
                None => self.pairs(one, &self.patterns.overlapping(one)),
            };
            pairs.into_iter().filter(|pair| !self.shows(*pair)).map(Vec::from).collect::<Vec<_>>()
        })
    }

    fn role(&self, number: u32) -> Role {
        let clause = self.clause(number);
        Role { opens: opens(clause), closes: closes(clause), part: self.part(number) }
    }

    fn shows(&self, [one, other]: [u32; 2]) -> bool {
        match self.wanted.why {
            Why::Shared => self.clause(one).group != self.clause(other).group,
            Why::Change { .. } => self.role(one).shows(&self.role(other), self.wanted),
        }
    }
}

/// The part of a clause in a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Role {
    opens: bool,
    closes: bool,
    part: Part,
}

impl Role {
    /// Returns `true` if two clauses together may show what is wanted: one lets a request through,
    /// and the other one, which is added or removed, stops it.
    fn shows(&self, other: &Self, wanted: &Wanted<'_>) -> bool {
        let Why::Change { between, .. } = wanted.why else { return true };
        [(self, other), (other, self)].into_iter().any(|(opening, closing)| {
            let (lets, stops) = (opening.part, closing.part);
            opening.opens
                && closing.closes
                && stops.changes
                && (between || lets.new && stops.old || lets.old && stops.new)
        })
    }
}

impl Patterns<'_> {
    fn clause(&self, number: u32) -> &Clause {
        self.clauses.get(number as usize).expect("members are of these clauses")
    }

    /// The other clauses that may match a target that this one matches.
    fn overlapping(&self, one: u32) -> BTreeSet<u32> {
        let own = self.clause(one);
        let sequences = (self.sequences)(own);
        let mut found = BTreeSet::new();
        for sequence in &sequences {
            let is_cut = self.trie.meets(sequence, |other| {
                found.insert(other);
                false
            });
            if is_cut {
                // The trie was not looked through.
                found.extend(&self.members);
            }
        }
        found.retain(|other| {
            let other_clause = self.clause(*other);
            let others = (self.sequences)(other_clause);
            let overlap = |one: &Cow<'_, Sequence>| {
                others.iter().any(|other| may_overlap(&one.tokens, &other.tokens))
            };
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
    let mut row = below.clone();
    for at in (0..=one.len()).rev() {
        row.fill(false);
        for beside in (0..=other.len()).rev() {
            let (own, others) = (one.get(at), other.get(beside));
            let is = |row: &[bool], at: usize| row.get(at).copied().unwrap_or(false);
            let (deep, others_deep) = (own == Some(&Token::Deep), others == Some(&Token::Deep));
            let continues = is(&below, beside + 1)
                || deep && is(&row, beside + 1)
                || others_deep && is(&below, beside);
            let both = continues && own.zip(others).is_some_and(|(own, others)| fit(own, others));
            let found = own.is_none() && others.is_none()
                || both
                || deep && is(&below, beside)
                || others_deep && is(&row, beside + 1);
            if let Some(slot) = row.get_mut(beside) {
                *slot = found;
            }
        }
        std::mem::swap(&mut below, &mut row);
    }
    below.first() == Some(&true)
}

/// Returns `true` if some label may match both.
fn fit(one: &Token, other: &Token) -> bool {
    match (one, other) {
        (Token::Literal(one), Token::Literal(other)) => {
            one == other || one.to_lowercase() == other.to_lowercase()
        }
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
    known: HashSet<Vec<Hit>>,
}

/// A state to be explored.
struct Visit {
    /// By clause of the set.
    own: Vec<State>,
    all: State,
    labels: Vec<String>,
    single: bool,
}

/// The result of a search.
struct Found {
    classes: Vec<Class>,
    /// The steps that it took.
    steps: usize,
    /// `Err` if these were not enough.
    end: Result<(), TooMany>,
}

impl Search<'_> {
    /// Adds the classes that the clauses of each set match, with as few other matches as possible.
    fn look_for(&mut self, sets: impl Iterator<Item = Vec<u32>>) -> Result<(), TooMany> {
        let mut sets = sets.peekable();
        let mut count = 1;
        while sets.peek().is_some() {
            let next: Vec<Vec<u32>> = sets.by_ref().take(count).collect();
            let (patterns, steps) = (self.patterns, self.steps);
            let found = parallel::map(next, SETS_A_THREAD, |few| {
                let found = patterns.look_for(&few, steps);
                (few, found)
            });
            for (few, mut found) in found {
                if found.steps >= self.left {
                    // Fewer steps are left than it was searched with.
                    found = patterns.look_for(&few, steps.min(self.left));
                }
                self.left = self.left.saturating_sub(found.steps);
                let fresh = |class: &Class| self.known.insert(class.hits.clone());
                self.list.extend(found.classes.into_iter().filter(fresh));
                found.end?;
            }
            // If the first ones fail, the others are not searched.
            count = (2 * count).min(SETS_AT_A_TIME);
        }
        Ok(())
    }
}

impl Patterns<'_> {
    /// The classes that these clauses match, with as few other matches as possible, within a number
    /// of steps.
    fn look_for(&self, few: &[u32], steps: usize) -> Found {
        let (mut classes, mut left) = (Vec::new(), steps);
        let end = self.add_classes(few, &mut left, &mut classes);
        Found { classes, steps: steps - left, end }
    }

    fn add_classes(
        &self,
        few: &[u32],
        left: &mut usize,
        list: &mut Vec<Class>,
    ) -> Result<(), TooMany> {
        let Self { trie, alphabet, insert, .. } = self;
        let trie_of = |clause: &u32| {
            let mut own = Trie::new(trie.case);
            insert(&mut own, *clause);
            own
        };
        let tries: Vec<Trie> = few.iter().map(trie_of).collect();
        let own = tries.iter().map(Trie::start).collect();
        let mut seen: HashMap<(Vec<State>, bool, bool), Vec<State>> = HashMap::default();
        let mut queue =
            VecDeque::from([Visit { own, all: trie.start(), labels: Vec::new(), single: true }]);
        let mut alone = false;
        while let Some(visit) = queue.pop_front() {
            let whole = (alphabet.whole)(Start::new(&visit.labels));
            if whole && tries.iter().zip(&visit.own).all(|(trie, own)| !trie.hits(own).is_empty()) {
                let hits = trie.hits(&visit.all);
                alone |= hits.iter().all(|hit| few.contains(&hit.clause) && is_plain(hit));
                let (labels, single) = (visit.labels.clone(), visit.single);
                let found = list.len();
                list.push(Class { labels, hits, single, respelled: false, found });
            }
            let next = match self.labels(&tries, &visit, left) {
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
                *left = left.saturating_sub(all.len() + 1);
                let mut labels = visit.labels.clone();
                labels.push(label);
                let start = Start::new(&labels);
                let closed = !(alphabet.closed)(start).is_empty();
                let known = seen.entry((own.clone(), (alphabet.whole)(start), closed)).or_default();
                *left = left.saturating_sub(known.len());
                if known.iter().any(|other| is_within(other, &all)) {
                    continue;
                }
                known.retain(|other| !is_within(&all, other));
                known.push(all.clone());
                queue.push_back(Visit { own, all, labels, single: visit.single && single });
            }
        }
        Ok(())
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
        let Self { trie, alphabet, .. } = self;
        let of_few = || tries.iter().zip(&visit.own);
        let named: BTreeSet<&str> =
            of_few().flat_map(|(trie, own)| trie.literals(own)).map(|(label, _)| label).collect();
        let closed = (alphabet.closed)(Start::new(&visit.labels));
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
        let new = new_label(&literals, alphabet).into_owned();
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
    use crate::clause::clauses;
    use crate::model::{Action, Resources, Rule};
    use crate::path::PathPattern;
    use crate::universe::Index;

    fn tokens(path: &str) -> Vec<Token> {
        let PathPattern::Folders(Sequence { tokens, .. }) = PathPattern::parse(path) else {
            panic!("{path}")
        };
        tokens
    }

    #[test]
    fn what_a_search_that_was_cut_may_have_missed_overlaps() {
        let folders: Vec<String> = (0..2_500).map(|n| format!("/**/x{n}/**")).collect();
        let rule = Rule {
            name: "r".to_owned(),
            decision: Decision::Allow,
            actions: vec![Action::Read],
            resources: Resources::Plain(folders.into()),
        };
        let clauses = clauses(&rule, 0);
        let index = Index::new(&clauses);
        let alphabet = Alphabet { closed: |_| &[], allowed: |_| true, whole: |_| true };
        let patterns = Patterns {
            trie: &index.folders,
            alphabet: &alphabet,
            clauses: &clauses,
            members: (0..2_500).collect(),
            insert: &|_, _| {},
            sequences: |clause| match &clause.target {
                Target::Folder(folder) => vec![Cow::Borrowed(folder)],
                Target::Network(_) | Target::Http(..) => Vec::new(),
            },
        };
        assert_eq!(patterns.overlapping(0), (1..2_500).collect());
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
