//! The statements of a Cedar text that a step adds, removes and changes.
//!
//! Invariant: a change of layout, comments or order changes no statement.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Change, PolicyFields};
use crate::access::cedar::{self, StatementChange};
use crate::model::Cedar;
use crate::plan::step::Delta;

/// The kind of a change of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatementChangeKind {
    /// The statement is new.
    Added,
    /// The statement is removed.
    Removed,
    /// A statement of the same effect replaces it.
    Changed,
}

/// A statement that a step changes, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// The kind of change.
    pub change: StatementChangeKind,
    /// The text before; null if the statement is new.
    pub before: Option<String>,
    /// The text after; null if the statement is removed.
    pub after: Option<String>,
}

/// The statements that a change adds, removes or replaces; empty if it keeps their meaning. `None`
/// if the change is not about Cedar, or about a text that cannot be parsed.
#[must_use]
pub fn changes(change: &Change) -> Option<Vec<StatementChange>> {
    let whole = |cedar: &Cedar, turn: fn(String) -> StatementChange| {
        let found = cedar::statements(&cedar.text).ok()?;
        Some(found.iter().map(|statement| turn(statement.source.clone())).collect())
    };
    let Change::Policy { delta, .. } = change else { return None };
    match delta {
        Delta::Create { after } => whole(after.cedar.as_ref()?, StatementChange::Added),
        Delta::Delete { before } => {
            whole(&PolicyFields::new(before).cedar?, StatementChange::Removed)
        }
        Delta::Update { before, after } => {
            let (old, new) = (before.cedar.as_ref()?, after.cedar.as_ref()?);
            if old.text == new.text { None } else { cedar::difference(&old.text, &new.text) }
        }
    }
}

impl From<StatementChange> for Statement {
    fn from(change: StatementChange) -> Self {
        let (change, before, after) = match change {
            StatementChange::Added(new) => (StatementChangeKind::Added, None, Some(new)),
            StatementChange::Removed(old) => (StatementChangeKind::Removed, Some(old), None),
            StatementChange::Changed(old, new) => {
                (StatementChangeKind::Changed, Some(old), Some(new))
            }
        };
        Self { change, before, after }
    }
}
