//! What changes, in words.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::point::Atom;
use crate::access::universe::Universe;
use crate::model::{Action, Policy, TeamDirectory};

use super::causes::causes;
use super::cells::Cells;
use super::outcome::Outcome;
use super::reach::Statements;
use super::words::Words;
use super::{Audience, Entry};

/// The entries for what changes: the organization's first, then those of teams and pairs; of each the smallest first.
pub(super) fn entries(
    universe: &Universe,
    statements: &Statements,
    cells: Cells,
    states: (&[Policy], &[Policy]),
    teams: &TeamDirectory,
) -> Vec<(Outcome, Entry)> {
    let words = Words::of(universe, &cells);
    let mut described: BTreeMap<Key, (BTreeSet<usize>, Entry)> = BTreeMap::new();
    for (cell, members) in cells.iter().filter(|(_, members)| !members.report.is_empty()) {
        let audience = audience(statements, &cell.teams, teams);
        for description in words.describe(cell, members, &cells) {
            let Some(&sample) =
                description.covered.iter().min_by_key(|member| words.numbering.rank(cell.kind, **member))
            else {
                continue;
            };
            let (widens, narrows) = match cell.outcome {
                Outcome::Widened => (true, false),
                Outcome::Narrowed => (false, true),
                Outcome::Uncertain { widens, narrows } => (widens, narrows),
            };
            let entry = Entry {
                audience: audience.clone(),
                access: String::new(),
                witness: words.numbering.witness(cell, sample).to_string(),
                because: causes(statements, cell, &words.numbering.hits(cell, sample), universe, states),
                widens,
                narrows,
            };
            let object = format!("{}{}", description.text, words.at(&cell.at));
            let (word, method) = match cell.atom {
                Atom::Http(method) => (String::new(), Action::METHODS.iter().position(|own| *own == method)),
                atom @ (Atom::Tcp | Atom::Udp | Atom::Read | Atom::Write) => (atom.to_string(), None),
            };
            let key = Key {
                teams: cell.teams.len(),
                audience: audience.clone(),
                size: description.size,
                object,
                word,
                outcome: cell.outcome,
            };
            // The example is a request of the first method, in the service's order.
            let (methods, example) = described.entry(key).or_insert_with(|| (BTreeSet::new(), entry.clone()));
            if method < methods.first().copied() {
                *example = entry;
            }
            methods.extend(method);
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
