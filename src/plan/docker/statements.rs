//! The statements of a Cedar text that a step adds, removes and changes.
//!
//! Invariant: layout, comments and the order of statements are not change; a step of which only they differ changes none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Change, PolicyChange, PolicyFields};
use crate::access::cedar::{self, StatementChange};
use crate::model::Cedar;

/// The kind of a change of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatementChangeKind {
    /// It was not there before.
    Added,
    /// It is no longer there.
    Removed,
    /// Another one of the same effect takes its place.
    Changed,
}

/// A statement that a step is about, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// The kind of change.
    pub change: StatementChangeKind,
    /// As it was; null for one that is added.
    pub before: Option<String>,
    /// As it will be; null for one that is removed.
    pub after: Option<String>,
}

/// The statements that a change is about; none where it leaves their meaning alone. `None` where it is not about Cedar, or
/// about a text that is not understood.
#[must_use]
pub fn changes(change: &Change) -> Option<Vec<StatementChange>> {
    let whole = |cedar: &Cedar, turn: fn(String) -> StatementChange| {
        let found = cedar::statements(&cedar.text).ok()?;
        Some(found.iter().map(|statement| turn(statement.source.clone())).collect())
    };
    match change {
        Change::Policy(PolicyChange::Create { after }) => whole(after.cedar.as_ref()?, StatementChange::Added),
        Change::Policy(PolicyChange::Delete { before, .. }) => {
            whole(&PolicyFields::new(before).cedar?, StatementChange::Removed)
        }
        Change::Policy(PolicyChange::Update { before, after, .. }) => {
            let (old, new) = (before.cedar.as_ref()?, after.cedar.as_ref()?);
            if old.text == new.text { None } else { cedar::difference(&old.text, &new.text) }
        }
        Change::Rule(..) => None,
    }
}

impl From<StatementChange> for Statement {
    fn from(change: StatementChange) -> Self {
        let (change, before, after) = match change {
            StatementChange::Added(new) => (StatementChangeKind::Added, None, Some(new)),
            StatementChange::Removed(old) => (StatementChangeKind::Removed, Some(old), None),
            StatementChange::Changed(old, new) => (StatementChangeKind::Changed, Some(old), Some(new)),
        };
        Self { change, before, after }
    }
}
