//! Descriptions of the changes.

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::Arc;

use crate::atom::Atom;
use crate::clause::Actions;
use crate::model::{Policy, TeamDirectory};
use crate::parallel;
use crate::universe::Universe;

use super::access::Access;
use super::alike::AlikeHosts;
use super::causes::causes;
use super::change_classes::{ChangeClass, ChangeClasses, Members};
use super::cover::Description;
use super::outcome::Outcome;
use super::state_clauses::StateClauses;
use super::words::{RESPELLED, Words};
use super::{Audience, Cause, Entry};

/// The number of classes below which one thread is faster.
const CELLS_A_THREAD: usize = 8;

/// The number of entries up to which each team has its own. Above it, teams with the same changes
/// share one.
pub(super) const MOST_ENTRIES: usize = 20_000;

/// The entries for the changes: those of the organization first, then those of teams and pairs; for
/// each, the smallest first.
pub(super) fn entries(
    universe: &Universe,
    statements: &StateClauses,
    (change_classes, alike): (&ChangeClasses, &AlikeHosts<'_>),
    states: (&[Policy], &[Policy]),
    teams: &TeamDirectory,
) -> Vec<(Outcome, Entry)> {
    let words = Words::new(universe, change_classes, alike);
    let reported = change_classes
        .change_classes
        .iter()
        .filter(|(_, members)| !members.report.is_empty())
        .collect();
    let said = parallel::map(reported, CELLS_A_THREAD, |(cell, members)| {
        (cell, of_class(&words, (universe, statements), (cell, members), states))
    });
    let members = |cell: &ChangeClass| -> Vec<&[String]> {
        cell.teams
            .iter()
            .filter_map(|team| statements.teams.get(*team))
            .map(Vec::as_slice)
            .collect()
    };
    let count = |(cell, said): &(&ChangeClass, Vec<ClassDescription>)| {
        let audiences =
            members(cell).iter().fold(1, |all: usize, own| all.saturating_mul(own.len()));
        audiences.saturating_mul(said.len())
    };
    let each = said.iter().map(count).fold(0, usize::saturating_add) <= MOST_ENTRIES;
    let mut by_audience: BTreeMap<(usize, Audience), Vec<ClassDescription>> = BTreeMap::new();
    for (cell, said) in said {
        let mut add = |audience, said: Vec<ClassDescription>| {
            by_audience.entry((cell.teams.len(), audience)).or_default().extend(said);
        };
        match members(cell).as_slice() {
            [] => add(Audience::default(), said),
            [one] if each => {
                one.iter().for_each(|one| add(audience(&[from_ref(one)], teams), said.clone()))
            }
            [one, other] if each => {
                let pairs = one.iter().flat_map(|one| other.iter().map(move |other| [one, other]));
                pairs.for_each(|[one, other]| {
                    add(audience(&[from_ref(one), from_ref(other)], teams), said.clone());
                });
            }
            all => add(audience(all, teams), said),
        }
    }
    let joined = parallel::map(by_audience.into_iter().collect(), 2, |((_, audience), said)| {
        joined(&Arc::new(audience), said)
    });
    joined.into_iter().flatten().collect()
}

/// The description of members of one cell.
#[derive(Clone)]
struct ClassDescription {
    size: usize,
    object: Access,
    word: &'static str,
    outcome: Outcome,
    /// The methods, for a cell of requests.
    methods: Actions,
    witness: String,
    because: Vec<Arc<Cause>>,
}

impl ClassDescription {
    /// The order of entries for one audience, and the common part of those that differ in their
    /// methods.
    fn key(&self) -> (usize, &Access, &'static str, Outcome) {
        (self.size, &self.object, self.word, self.outcome)
    }

    /// Returns `true` if the entry covers all spellings together, which come from different rules.
    fn is_respelled(&self) -> bool {
        self.object.what().starts_with(RESPELLED)
    }

    fn entry(self, audience: Arc<Audience>) -> (Outcome, Entry) {
        let Self { size: _, object, word, outcome, methods, witness, because } = self;
        let access = if methods == Actions::default() {
            object.after(word)
        } else {
            object.after(&methods_text(methods))
        };
        let (widens, narrows) = match outcome {
            Outcome::Widened => (true, false),
            Outcome::Narrowed => (false, true),
            Outcome::Uncertain { widens, narrows } => (widens, narrows),
        };
        (outcome, Entry { audience, access, witness, because, widens, narrows })
    }
}

/// One entry for the same change in several methods.
fn joined(audience: &Arc<Audience>, mut said: Vec<ClassDescription>) -> Vec<(Outcome, Entry)> {
    // The example is a request of the first method in the service's order.
    said.sort_by(|one, other| {
        one.key().cmp(&other.key()).then(one.methods.first().cmp(&other.methods.first()))
    });
    let mut entries: Vec<(Outcome, Entry)> = Vec::with_capacity(said.len());
    let mut said = said.into_iter().peekable();
    while let Some(mut first) = said.next() {
        while let Some(next) = said.next_if(|next| next.key() == first.key()) {
            first.methods = first.methods.union(next.methods);
            if first.is_respelled() {
                first.because.extend(next.because);
                first.because.sort();
                first.because.dedup();
            }
        }
        entries.push(first.entry(Arc::clone(audience)));
    }
    entries
}

/// The description of one cell, without its audience.
fn of_class(
    words: &Words<'_>,
    (universe, statements): (&Universe, &StateClauses),
    (cell, members): (&ChangeClass, &Members),
    states: (&[Policy], &[Policy]),
) -> Vec<ClassDescription> {
    let at = words.at(cell.at);
    let word = cell.atom.word();
    let methods = if let Atom::Http(method) = cell.atom {
        words.change_classes.methods_like(method)
    } else {
        Actions::default()
    };
    let numbering = &words.numbering;
    let causes = |members: &[usize], action: Actions| {
        let hits = members.iter().map(|member| numbering.hits(cell, *member));
        causes(statements, (cell, action), hits, universe, states)
    };
    let of = |Description { text, host, size, covered }: Description| {
        let sample =
            covered.iter().copied().min_by_key(|member| numbering.rank(cell.kind, *member))?;
        let needed = Actions::needed(cell.atom);
        let because = if text == RESPELLED {
            causes(&covered, needed.union(methods))
        } else {
            causes(&[sample], needed)
        };
        let witness = numbering.witness(cell, sample).to_string();
        let describe = |text: String, witness: String| {
            let (object, because) = (Access::new(text, Arc::clone(&at)), because.clone());
            ClassDescription {
                size,
                object,
                word,
                outcome: cell.outcome,
                methods,
                witness,
                because,
            }
        };
        Some(match host {
            None => vec![describe(text, witness)],
            Some(host) => {
                let of =
                    |name: &&str| describe(text.replace(host, name), witness.replace(host, name));
                words.alike.names(host).iter().map(of).collect()
            }
        })
    };
    words.describe(cell, members).into_iter().filter_map(of).flatten().collect()
}

pub(super) fn methods_text(methods: Actions) -> String {
    if methods == Actions::HTTP {
        return "ANY".to_owned();
    }
    let names: Vec<String> = methods.methods().map(str::to_ascii_uppercase).collect();
    names.join(",")
}

/// Members of one team from each of these sets.
pub(super) fn audience(sets: &[&[String]], directory: &TeamDirectory) -> Audience {
    let names = |set: &&[String]| {
        let mut names: Vec<String> = set.iter().map(|key| directory.name(key).to_owned()).collect();
        names.sort();
        names
    };
    let mut sets: Vec<Vec<String>> = sets.iter().map(names).collect();
    sets.sort();
    let alike: Vec<Vec<String>> =
        sets.iter_mut().map(|names| names.split_off(names.len().min(1))).collect();
    let is_alone = alike.iter().all(Vec::is_empty);
    Audience { teams: sets.concat(), alike: if is_alone { Vec::new() } else { alike } }
}
