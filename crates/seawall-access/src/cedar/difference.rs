//! The changes between two Cedar texts, statement by statement.
//!
//! Invariant: a change of layout, of comments or of the order of statements is not a difference,
//! since it affects no decision.

use std::collections::{BTreeMap, BTreeSet};

use similar::{Algorithm, TextDiff};

use super::token::tokens;
use super::{Statement, statements};

/// The share of equal words from which on two statements of one effect count as one that changed.
const ALIKE: f32 = 0.5;

/// The number of pairs of removed and added statements up to which changed ones are searched.
const MOST_PAIRS: usize = 10_000;

/// A difference, with the statements as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementChange {
    /// The statement is added.
    Added(String),
    /// The statement is removed.
    Removed(String),
    /// A similar statement replaces it.
    Changed(String, String),
}

/// The differences in the order of the new text, removed statements last; empty if both texts are
/// equivalent. `None` if one of them cannot be parsed.
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
    let mut gone: Vec<&Statement> =
        gone.into_iter().filter_map(|at| before.get(at).map(AsRef::as_ref)).collect();
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
    changes.extend(
        gone.into_iter().map(|statement| StatementChange::Removed(statement.source.clone())),
    );
    Some(changes)
}

/// For each added statement, the removed one that it replaces: the most similar pairs first.
fn pairs(gone: &[&Statement], come: &[&Statement]) -> BTreeMap<usize, usize> {
    let mut alike: Vec<(f32, usize, usize)> = Vec::new();
    // Beyond that, pairs do not help the reader of a plan, and take long to find.
    if gone.len().saturating_mul(come.len()) <= MOST_PAIRS {
        for (new, statement) in come.iter().enumerate() {
            let same_effect =
                gone.iter().enumerate().filter(|(_, other)| other.effect == statement.effect);
            let ratios = same_effect.map(|(old, other)| (likeness(other, statement), new, old));
            alike.extend(ratios.filter(|(ratio, ..)| *ratio >= ALIKE));
        }
    }
    alike.sort_by(|one, other| {
        other.0.total_cmp(&one.0).then_with(|| (one.1, one.2).cmp(&(other.1, other.2)))
    });
    let (mut pairs, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (_, new, old) in alike {
        if !pairs.contains_key(&new) && taken.insert(old) {
            pairs.insert(new, old);
        }
    }
    pairs
}

/// The share of equal words of two statements, from 0 to 1.
fn likeness(one: &Statement, other: &Statement) -> f32 {
    let [one, other] = [one, other]
        .map(|one| tokens(&one.source).iter().map(|word| word.text).collect::<Vec<_>>());
    TextDiff::configure().algorithm(Algorithm::Myers).diff_slices(&one, &other).ratio()
}

#[cfg(test)]
mod tests {
    use super::StatementChange::{Added, Changed, Removed};
    use super::difference;

    const ASK: &str = "permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };";
    const WIDER: &str = "permit (principal, action == MCP::Action::\"invokeTool\", resource) when { !resource.destructive };";
    const STOP: &str = "forbid (principal, action, resource in MCP::Server::\"evil\");";

    #[test]
    fn statements_come_go_and_change() {
        let own = str::to_owned;
        let table = [
            (
                format!("{ASK}\n{STOP}"),
                format!("// why\n{STOP}\n\n  {}", ASK.replace(' ', "\n ")),
                Some(vec![]),
            ),
            (own(ASK), format!("{ASK}{STOP}"), Some(vec![Added(own(STOP))])),
            (format!("{STOP}{ASK}"), own(ASK), Some(vec![Removed(own(STOP))])),
            (
                format!("{STOP}{ASK}"),
                format!("{WIDER}{STOP}"),
                Some(vec![Changed(own(ASK), own(WIDER))]),
            ),
            (own(ASK), format!("{ASK}{ASK}"), Some(vec![Added(own(ASK))])), // said twice
            (own(ASK), own("permit ("), None),
        ];
        for (old, new, changes) in table {
            assert_eq!(difference(&old, &new), changes, "{old}\n{new}");
        }
    }
}
