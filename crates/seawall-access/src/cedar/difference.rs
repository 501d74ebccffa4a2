//! The changes between two Cedar texts, statement by statement.
//!
//! Invariant: layout, comments and the order of statements are not difference, for they change nothing that is decided.

use std::collections::{BTreeMap, BTreeSet};

use similar::{Algorithm, TextDiff};

use super::token::tokens;
use super::{Statement, statements};

/// Two statements of one effect, of which at least this share of the words is the same, are one that changed.
const ALIKE: f32 = 0.5;

/// Statements that go times statements that come, up to which pairs of them are looked for.
const MOST_PAIRS: usize = 10_000;

/// A difference, with the statements as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementChange {
    /// It was not there before.
    Added(String),
    /// It is no longer there.
    Removed(String),
    /// Another one takes its place, and says nearly the same.
    Changed(String, String),
}

/// The differences in the order of the new text, those that went last; none where both texts say the same. `None` where
/// one of them is not understood.
#[must_use]
pub fn difference(old: &str, new: &str) -> Option<Vec<StatementChange>> {
    let (before, after) = (statements(old).ok()?, statements(new).ok()?);
    let mut gone: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, statement) in before.iter().enumerate().rev() {
        gone.entry(&statement.canonical).or_default().push(at);
    }
    let come: Vec<&Statement> = after
        .iter()
        .filter(|one| gone.get_mut(one.canonical.as_str()).and_then(Vec::pop).is_none())
        .map(AsRef::as_ref)
        .collect();
    let mut gone: Vec<usize> = gone.into_values().flatten().collect();
    gone.sort_unstable();
    let mut gone: Vec<&Statement> = gone.into_iter().filter_map(|at| before.get(at).map(AsRef::as_ref)).collect();
    let pairs = pairs(&gone, &come);
    let mut changes = Vec::new();
    for (at, statement) in come.iter().enumerate() {
        let new = statement.source.clone();
        changes.push(match pairs.get(&at).and_then(|old| gone.get(*old)) {
            Some(old) => StatementChange::Changed(old.source.clone(), new),
            None => StatementChange::Added(new),
        });
    }
    let changed: BTreeSet<usize> = pairs.into_values().collect();
    let mut at = 0..;
    gone.retain(|_| at.next().is_none_or(|at| !changed.contains(&at)));
    changes.extend(gone.into_iter().map(|statement| StatementChange::Removed(statement.source.clone())));
    Some(changes)
}

/// For statements that come, the ones that go whose place they take: those that are most alike first.
fn pairs(gone: &[&Statement], come: &[&Statement]) -> BTreeMap<usize, usize> {
    let mut alike: Vec<(f32, usize, usize)> = Vec::new();
    // Beyond that, who reads the plan is not helped by pairs, and looking for them takes long.
    if gone.len().saturating_mul(come.len()) <= MOST_PAIRS {
        for (new, statement) in come.iter().enumerate() {
            let same_effect = gone.iter().enumerate().filter(|(_, other)| other.effect == statement.effect);
            let ratios = same_effect.map(|(old, other)| (likeness(other, statement), new, old));
            alike.extend(ratios.filter(|(ratio, ..)| *ratio >= ALIKE));
        }
    }
    alike.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| (one.1, one.2).cmp(&(other.1, other.2))));
    let (mut pairs, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (_, new, old) in alike {
        if !pairs.contains_key(&new) && taken.insert(old) {
            pairs.insert(new, old);
        }
    }
    pairs
}

/// The share of two statements that is the same, from 0 to 1.
fn likeness(one: &Statement, other: &Statement) -> f32 {
    let [one, other] = [one, other].map(|one| tokens(&one.source).iter().map(|word| word.text).collect::<Vec<_>>());
    TextDiff::configure().algorithm(Algorithm::Myers).diff_slices(&one, &other).ratio()
}

#[cfg(test)]
mod tests {
    use super::StatementChange::{Added, Changed, Removed};
    use super::difference;

    const ASK: &str = "permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };";
    const WIDER: &str =
        "permit (principal, action == MCP::Action::\"invokeTool\", resource) when { !resource.destructive };";
    const STOP: &str = "forbid (principal, action, resource in MCP::Server::\"evil\");";

    #[test]
    fn statements_come_go_and_change() {
        let own = str::to_owned;
        let table = [
            (format!("{ASK}\n{STOP}"), format!("// why\n{STOP}\n\n  {}", ASK.replace(' ', "\n ")), Some(vec![])),
            (own(ASK), format!("{ASK}{STOP}"), Some(vec![Added(own(STOP))])),
            (format!("{STOP}{ASK}"), own(ASK), Some(vec![Removed(own(STOP))])),
            (format!("{STOP}{ASK}"), format!("{WIDER}{STOP}"), Some(vec![Changed(own(ASK), own(WIDER))])),
            (own(ASK), format!("{ASK}{ASK}"), Some(vec![Added(own(ASK))])), // said twice
            (own(ASK), own("permit ("), None),
        ];
        for (old, new, changes) in table {
            assert_eq!(difference(&old, &new), changes, "{old}\n{new}");
        }
    }
}
