//! What changes between two Cedar texts, statement by statement.
//!
//! Invariant: layout, comments and the order of statements are no difference, for they change nothing that is decided.

use similar::TextDiff;

use super::{Statement, statements};

/// Two statements of which at least this share is the same are one that changed.
const ALIKE: f32 = 0.5;

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
    let mut gone: Vec<&Statement> = before.iter().collect();
    let mut come = Vec::new();
    for statement in &after {
        match gone.iter().position(|one| one.canonical == statement.canonical) {
            Some(same) => drop(gone.remove(same)),
            None => come.push(statement),
        }
    }
    let source = |text: &str, one: &Statement| text.get(one.span.clone()).unwrap_or_default().to_owned();
    let mut changes = Vec::new();
    for statement in come {
        let new = source(new, statement);
        let alike = gone.iter().enumerate().map(|(at, one)| (at, likeness(&source(old, one), &new)));
        match alike.filter(|(_, alike)| *alike >= ALIKE).max_by(|one, other| one.1.total_cmp(&other.1)) {
            Some((at, _)) => changes.push(StatementChange::Changed(source(old, gone.remove(at)), new)),
            None => changes.push(StatementChange::Added(new)),
        }
    }
    changes.extend(gone.into_iter().map(|statement| StatementChange::Removed(source(old, statement))));
    Some(changes)
}

/// How much of two statements is the same, from 0 to 1.
fn likeness(one: &str, other: &str) -> f32 {
    TextDiff::from_words(one, other).ratio()
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
