//! What changes, in words.

use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet};

use crate::access::point::Atom;
use crate::access::universe::Universe;
use crate::model::{Action, Policy, TeamDirectory};
use crate::source::parallel;

use super::causes::causes;
use super::cells::{Cell, Cells, Members};
use super::cover::Description;
use super::outcome::Outcome;
use super::reach::Statements;
use super::words::{RESPELLED, Words};
use super::{Audience, Cause, Entry};

/// Fewer cells than this are not worth a thread.
const CELLS_A_THREAD: usize = 8;

/// The entries for what changes: the organization's first, then those of teams and pairs; of each the smallest first.
pub(super) fn entries(
    universe: &Universe,
    statements: &Statements,
    cells: Cells,
    states: (&[Policy], &[Policy]),
    teams: &TeamDirectory,
) -> Vec<(Outcome, Entry)> {
    let words = Words::of(universe, &cells);
    let reported = cells.cells.iter().filter(|(_, members)| !members.report.is_empty()).collect();
    let of_cells = parallel::map(reported, CELLS_A_THREAD, |(cell, members)| {
        of_cell(&words, (universe, statements), (cell, members), states, teams)
    });
    let mut described: BTreeMap<Key, (BTreeSet<usize>, Entry)> = BTreeMap::new();
    for (key, method, entry) in of_cells.into_iter().flatten() {
        match described.entry(key) {
            Vacant(vacant) => {
                vacant.insert((method.into_iter().collect(), entry));
            }
            Occupied(mut occupied) => {
                // The example is a request of the first method, in the service's order.
                let is_respelled = occupied.key().object.starts_with(RESPELLED);
                let (methods, example) = occupied.get_mut();
                let because: BTreeSet<Cause> = example.because.iter().chain(&entry.because).cloned().collect();
                if method < methods.first().copied() {
                    *example = entry;
                }
                if is_respelled {
                    example.because = because.into_iter().collect();
                }
                methods.extend(method);
            }
        }
    }
    described
        .into_iter()
        .map(|(key, (methods, entry))| {
            let word = if methods.is_empty() { key.word } else { methods_text(&methods) };
            (key.outcome, Entry { access: format!("{word} {}", key.object), ..entry })
        })
        .collect()
}

/// What is said of one cell: an entry each, but for its words, and the method where it is about one.
fn of_cell(
    words: &Words<'_>,
    (universe, statements): (&Universe, &Statements),
    (cell, members): (&Cell, &Members),
    states: (&[Policy], &[Policy]),
    teams: &TeamDirectory,
) -> Vec<(Key, Option<usize>, Entry)> {
    let audience = audience(statements, &cell.teams, teams);
    let at = words.at(cell.at);
    let (widens, narrows) = match cell.outcome {
        Outcome::Widened => (true, false),
        Outcome::Narrowed => (false, true),
        Outcome::Uncertain { widens, narrows } => (widens, narrows),
    };
    let (word, method) = match cell.atom {
        Atom::Http(method) => (String::new(), Action::METHODS.iter().position(|own| *own == method)),
        atom @ (Atom::Tcp | Atom::Udp | Atom::Read | Atom::Write) => (atom.to_string(), None),
    };
    let numbering = &words.numbering;
    let because = |description: &Description, sample: usize| {
        let of = |member| causes(statements, cell, &numbering.hits(cell, member), universe, states);
        if description.text != RESPELLED {
            return of(sample);
        }
        // Said together, they come from different rules.
        let all: BTreeSet<Cause> = description.covered.iter().flat_map(|member| of(*member)).collect();
        all.into_iter().collect()
    };
    let of = |description: Description| {
        let sample = description.covered.iter().copied().min_by_key(|member| numbering.rank(cell.kind, *member))?;
        let entry = Entry {
            audience: audience.clone(),
            access: String::new(),
            witness: numbering.witness(cell, sample).to_string(),
            because: because(&description, sample),
            widens,
            narrows,
        };
        let key = Key {
            teams: cell.teams.len(),
            audience: audience.clone(),
            size: description.size,
            object: description.text + &at,
            word: word.clone(),
            outcome: cell.outcome,
        };
        Some((key, method, entry))
    };
    words.describe(cell, members).into_iter().filter_map(of).collect()
}

/// The order of entries, and what the methods of one entry share.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    teams: usize,
    audience: Audience,
    size: usize,
    object: String,
    word: String,
    outcome: Outcome,
}

fn methods_text(methods: &BTreeSet<usize>) -> String {
    let all = Action::METHODS;
    if methods.len() == all.len() {
        return "ANY".to_owned();
    }
    let names: Vec<String> =
        methods.iter().filter_map(|at| all.get(*at)).map(|name| name.to_ascii_uppercase()).collect();
    names.join(",")
}

fn audience(statements: &Statements, members: &[usize], teams: &TeamDirectory) -> Audience {
    let mut names: Vec<String> =
        members.iter().filter_map(|team| statements.teams.get(*team)).map(|key| teams.name(key).to_owned()).collect();
    names.sort();
    Audience { teams: names }
}
