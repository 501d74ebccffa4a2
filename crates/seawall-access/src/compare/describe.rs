//! Descriptions of the changes.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
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
use super::{Audience, Cause, Changes, Entry};

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
) -> Changes {
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
    let count = |(cell, said): &(&ChangeClass, Vec<ClassDescription<'_>>)| {
        let audiences =
            members(cell).iter().fold(1, |all: usize, own| all.saturating_mul(own.len()));
        let entries = said.iter().map(ClassDescription::count).sum();
        audiences.saturating_mul(entries)
    };
    let each = said.iter().map(count).fold(0, usize::saturating_add) <= MOST_ENTRIES;
    let mut by_audience: BTreeMap<(usize, Audience), Vec<_>> = BTreeMap::new();
    for (cell, said) in said {
        let mut add = |audience, said| {
            by_audience.entry((cell.teams.len(), audience)).or_default().extend::<Vec<_>>(said);
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
    let found = parallel::map(by_audience.into_iter().collect(), 2, |((_, audience), said)| {
        joined(&Arc::new(audience), said)
    });
    let mut changes = Changes::with_room_for(&found);
    found.into_iter().for_each(|found| changes.append(found));
    changes
}

/// The description of members of one cell.
#[derive(Clone)]
struct ClassDescription<'a> {
    size: usize,
    object: Access,
    word: &'static str,
    outcome: Outcome,
    /// The methods, for a cell of requests.
    methods: Actions,
    witness: String,
    because: Arc<[Arc<Cause>]>,
    /// The host in the object and in the example that stands for others, and all of these.
    alike: Option<(&'a str, &'a [&'a str])>,
}

impl ClassDescription<'_> {
    /// The order of entries for one audience, and the common part of those that differ in their
    /// methods.
    fn key(&self) -> (usize, &Access, &'static str, Outcome) {
        (self.size, &self.object, self.word, self.outcome)
    }

    /// Returns `true` if the entry covers all spellings together, which come from different rules.
    fn is_respelled(&self) -> bool {
        self.object.what().starts_with(RESPELLED)
    }

    /// The number of entries for one audience.
    fn count(&self) -> usize {
        self.alike.map_or(1, |(_, names)| names.len())
    }
}

/// A description, prepared for making its entries.
struct Row<'d> {
    own: &'d ClassDescription<'d>,
    word: Cow<'static, str>,
    /// The object and the example in pieces, between which the host is.
    object: Vec<&'d str>,
    witness: Vec<&'d str>,
}

impl<'d> Row<'d> {
    fn new(own: &'d ClassDescription<'d>) -> Self {
        let methods = || methods_text(own.methods).into();
        let word = if own.methods == Actions::default() { own.word.into() } else { methods() };
        let pieces = |text: &'d str| match own.alike {
            Some((host, _)) => text.split(host).collect(),
            None => vec![text],
        };
        Self { own, word, object: pieces(own.object.what()), witness: pieces(&own.witness) }
    }

    /// The host of one of its entries; empty if it stands for no others.
    fn host(&self, at: u32) -> &'d str {
        self.own.alike.and_then(|(_, names)| names.get(at as usize)).copied().unwrap_or_default()
    }

    /// The object in front of the host, if it stands for others.
    fn before_host(&self) -> Option<&'d str> {
        // A text without the host is the same for all of them.
        self.own.alike.filter(|_| self.object.len() > 1).and(self.object.first().copied())
    }

    /// The order of its entry for a host beside that of another for its own, without making their
    /// texts.
    fn compare(&self, host: &str, other: &Self, other_host: &str) -> Ordering {
        let texts = || {
            let text = |row: &Self, host| filled(&[], &row.object, host) + row.own.object.at();
            text(self, host).cmp(&text(other, other_host))
        };
        let objects = || match (self.before_host(), other.before_host()) {
            (None, None) => self.own.object.cmp(&other.own.object),
            (Some(before), Some(other_before)) if before == other_before => {
                // Nearly always, hosts differ before one of them ends.
                let common = host.len().min(other_host.len());
                let [one, two] = [host, other_host].map(|host| host.as_bytes().get(..common));
                one.cmp(&two).then_with(texts)
            }
            _ => texts(),
        };
        (self.own.size.cmp(&other.own.size)).then_with(objects).then_with(|| {
            (self.own.word, self.own.outcome).cmp(&(other.own.word, other.own.outcome))
        })
    }

    fn entry(&self, host: &str, audience: &Arc<Audience>) -> Entry {
        let (widens, narrows) = match self.own.outcome {
            Outcome::Widened => (true, false),
            Outcome::Narrowed => (false, true),
            Outcome::Uncertain { widens, narrows } => (widens, narrows),
        };
        Entry {
            audience: Arc::clone(audience),
            access: self.own.object.clone_with(filled(&[&self.word, " "], &self.object, host)),
            witness: filled(&[], &self.witness, host),
            because: Arc::clone(&self.own.because),
            widens,
            narrows,
        }
    }
}

/// A text from pieces, with a host between each two of them.
fn filled(front: &[&str], pieces: &[&str], host: &str) -> String {
    let length: usize = front.iter().chain(pieces).map(|piece| piece.len()).sum();
    let mut text = String::with_capacity(length + pieces.len().saturating_sub(1) * host.len());
    front.iter().for_each(|piece| text.push_str(piece));
    for (number, piece) in pieces.iter().enumerate() {
        if number > 0 {
            text.push_str(host);
        }
        text.push_str(piece);
    }
    text
}

/// One entry for the same change in several methods.
fn joined(audience: &Arc<Audience>, mut said: Vec<ClassDescription<'_>>) -> Changes {
    // The example is a request of the first method in the service's order.
    said.sort_by(|one, other| {
        one.key().cmp(&other.key()).then(one.methods.first().cmp(&other.methods.first()))
    });
    let mut kept: Vec<ClassDescription<'_>> = Vec::with_capacity(said.len());
    for next in said {
        match kept.last_mut().filter(|last| last.key() == next.key()) {
            Some(last) => {
                last.methods = last.methods.union(next.methods);
                if last.is_respelled() {
                    let both: BTreeSet<&Arc<Cause>> =
                        last.because.iter().chain(&*next.because).collect();
                    last.because = both.into_iter().cloned().collect();
                }
            }
            None => kept.push(next),
        }
    }
    // There may be millions of hosts, so that their texts are made in their places only.
    let rows: Vec<Row<'_>> = kept.iter().map(Row::new).collect();
    let number = |at: usize| u32::try_from(at).expect("fewer entries than bytes of policies");
    let of_host = |(own, row): (usize, &Row<'_>)| {
        let own = number(own);
        (0..number(row.own.count())).map(move |host| (own, host))
    };
    let mut entries: Vec<(u32, u32)> = rows.iter().enumerate().flat_map(of_host).collect();
    let of = |(own, host): (u32, u32)| {
        let row = rows.get(own as usize).expect("a number of these");
        (row, row.host(host))
    };
    entries.sort_by(|one, other| {
        let ((one, host), (other, other_host)) = (of(*one), of(*other));
        one.compare(host, other, other_host)
    });
    let count = |list: fn(Outcome) -> bool| {
        entries.iter().filter(|entry| list(of(**entry).0.own.outcome)).count()
    };
    let mut changes = Changes {
        widened: Vec::with_capacity(count(|outcome| outcome == Outcome::Widened)),
        narrowed: Vec::with_capacity(count(|outcome| outcome == Outcome::Narrowed)),
        uncertain: Vec::with_capacity(count(Outcome::is_uncertain)),
    };
    for (row, host) in entries.iter().map(|entry| of(*entry)) {
        changes.push(row.own.outcome, row.entry(host, audience));
    }
    changes
}

/// The description of one cell, without its audience.
fn of_class<'a>(
    words: &Words<'a>,
    (universe, statements): (&Universe, &StateClauses),
    (cell, members): (&ChangeClass, &Members),
    states: (&[Policy], &[Policy]),
) -> Vec<ClassDescription<'a>> {
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
    let of = |Description { text, host, size, covered }: Description<'a>| {
        let sample =
            covered.iter().copied().min_by_key(|member| numbering.rank(cell.kind, *member))?;
        let needed = Actions::needed(cell.atom);
        let because = if text == RESPELLED {
            causes(&covered, needed.union(methods))
        } else {
            causes(&[sample], needed)
        };
        Some(ClassDescription {
            size,
            object: Access::new(text, Arc::clone(&at)),
            word,
            outcome: cell.outcome,
            methods,
            witness: numbering.witness(cell, sample).to_string(),
            because: because.into(),
            alike: host.map(|host| (host, words.alike.names(host))),
        })
    };
    words.describe(cell, members).into_iter().filter_map(of).collect()
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
