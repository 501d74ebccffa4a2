//! Cedar texts as sets of statements, which is all that the order of calls needs to know of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::cedar::{self, APPROVAL, Effect};
use crate::model::Cedar;

/// The effect of a statement on the calls that it matches. A forbid outranks approval, and approval outranks a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Lets a call through.
    Permit,
    /// Lets a call through once somebody approves, and stops a permit from letting it through without.
    Approval,
    /// Stops a call.
    Forbid,
}

/// The statements of a text, in a form that layout and comments do not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Statements {
    pub(super) permits: BTreeSet<String>,
    pub(super) approvals: BTreeSet<String>,
    pub(super) forbids: BTreeSet<String>,
    sources: BTreeMap<String, String>,
}

impl Statements {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Kind)> {
        [(&self.permits, Kind::Permit), (&self.approvals, Kind::Approval), (&self.forbids, Kind::Forbid)]
            .into_iter()
            .flat_map(|(texts, kind)| texts.iter().map(move |text| (text.as_str(), kind)))
    }

    /// Returns `true` if a call may come through because of these.
    pub(super) fn lets(&self) -> bool {
        !(self.permits.is_empty() && self.approvals.is_empty())
    }

    /// Returns `true` if a call may be stopped, if only to be approved, because of these.
    pub(super) fn stops(&self) -> bool {
        !(self.forbids.is_empty() && self.approvals.is_empty())
    }

    /// The statements that stop, as they were written.
    pub(super) fn stopping(&self) -> impl Iterator<Item = &str> {
        self.forbids.iter().chain(&self.approvals).map(|text| self.source(text))
    }

    /// A statement as it was written.
    pub(super) fn source<'a>(&'a self, statement: &'a str) -> &'a str {
        self.sources.get(statement).map_or(statement, String::as_str)
    }
}

/// The statements of a Cedar text. A text that cannot be read (the service took it, this version cannot) may permit and
/// forbid anything: it is one statement of each kind.
pub(super) fn statements(text: &Cedar) -> Statements {
    let mut found = Statements::default();
    match cedar::statements(&text.text) {
        Ok(list) => {
            for statement in list {
                let canonical = statement.canonical.clone();
                found.sources.insert(canonical.clone(), statement.source.clone());
                let approval = statement.annotations.contains_key(APPROVAL);
                match statement.effect {
                    Effect::Permit if approval => found.approvals.insert(canonical),
                    Effect::Permit => found.permits.insert(canonical),
                    Effect::Forbid => found.forbids.insert(canonical),
                };
            }
        }
        Err(_) => {
            found.permits.insert(text.text.clone());
            found.forbids.insert(text.text.clone());
        }
    }
    found
}
