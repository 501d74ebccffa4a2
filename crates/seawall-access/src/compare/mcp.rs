//! Changes of MCP policies as entries of a comparison.
//!
//! Invariant: an entry with an example is certain; an entry without one is uncertain, once for both
//! directions.

use std::sync::Arc;

use super::{Audience, Cause, Entry, Outcome};
use crate::cedar::{self, Effect, McpCause, McpChange};
use crate::model::{Decision, Policy, TeamDirectory};

/// The changes for MCP calls.
pub(super) fn entries(
    old: &[Policy],
    new: &[Policy],
    teams: &TeamDirectory,
) -> Vec<(Outcome, Entry)> {
    of_changes(cedar::compare(old, new), teams)
}

fn of_changes(changes: Vec<McpChange>, teams: &TeamDirectory) -> Vec<(Outcome, Entry)> {
    let mut entries: Vec<(Outcome, Entry)> = Vec::new();
    for change in changes {
        let McpChange { teams: keys, widens, witness, access, because } = change;
        let mut names: Vec<String> = keys.iter().map(|key| teams.name(key).to_owned()).collect();
        names.sort();
        let outcome = match (&witness, widens) {
            (Some(_), true) => Outcome::Widened,
            (Some(_), false) => Outcome::Narrowed,
            (None, _) => Outcome::Uncertain { widens, narrows: !widens },
        };
        let entry = Entry {
            audience: Arc::new(Audience { teams: names, alike: Vec::new() }),
            witness: witness.map_or_else(|| access.clone(), |request| format!("mcp {request}")),
            access: access.into(),
            because: because.into_iter().map(cause).map(Arc::new).collect(),
            widens,
            narrows: !widens,
        };
        match entries.iter_mut().find(|(_, other)| outcome.is_uncertain() && is_same(other, &entry))
        {
            Some((_, other)) => {
                other.widens |= entry.widens;
                other.narrows |= entry.narrows;
            }
            None => entries.push((outcome, entry)),
        }
    }
    entries
}

/// Returns `true` if two uncertain entries differ only in the direction.
fn is_same(one: &Entry, other: &Entry) -> bool {
    one.witness == one.access.what()
        && (&one.audience, &one.access, &one.because)
            == (&other.audience, &other.access, &other.because)
}

fn cause(cause: McpCause) -> Cause {
    let McpCause { comes, policy, statement, effect, number } = cause;
    let decision = effect.map(|effect| match effect {
        Effect::Permit => Decision::Allow,
        Effect::Forbid => Decision::Deny,
    });
    Cause { comes, policy, rule: statement, decision, statement: number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_directions_of_a_change_are_one_entry() {
        let change = |team: &str, access: &str, widens| McpChange {
            teams: vec![team.to_owned()],
            widens,
            witness: None,
            access: access.to_owned(),
            because: Vec::new(),
        };
        let found = |changes: &[McpChange]| -> Vec<(String, bool, bool)> {
            let entries = of_changes(changes.to_vec(), &TeamDirectory::default());
            let told = |(_, one): (Outcome, Entry)| {
                (format!("{:?} {}", one.audience.teams, one.access.what()), one.widens, one.narrows)
            };
            entries.into_iter().map(told).collect()
        };
        let of = |text: &str, widens, narrows| (format!("[\"{text}"), widens, narrows);
        assert_eq!(
            found(&[change("a", "mcp x", true), change("a", "mcp x", false)]),
            [of("a\"] mcp x", true, true)]
        );
        assert_eq!(
            found(&[
                change("a", "mcp x", true),
                change("b", "mcp x", true),
                change("a", "mcp y", false)
            ]),
            [
                of("a\"] mcp x", true, false),
                of("b\"] mcp x", true, false),
                of("a\"] mcp y", false, true)
            ]
        );
    }
}
