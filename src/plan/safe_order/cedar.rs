//! Cedar texts as sets of statements, which is all that ordering calls requires.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::cedar::{self, APPROVAL, Effect};
use crate::model::Cedar;

/// The effect of a statement on the requests that it matches. A forbid outranks approval, and
/// approval outranks a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Permits a request.
    Permit,
    /// Permits a request once a person approves it, and keeps a permit from allowing it without.
    Approval,
    /// Forbids a request.
    Forbid,
}

/// The statements of a text, in a form that is independent of layout and comments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Statements {
    pub(super) permits: BTreeSet<String>,
    pub(super) approvals: BTreeSet<String>,
    pub(super) forbids: BTreeSet<String>,
    sources: BTreeMap<String, String>,
}

impl Statements {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Kind)> {
        [
            (&self.permits, Kind::Permit),
            (&self.approvals, Kind::Approval),
            (&self.forbids, Kind::Forbid),
        ]
        .into_iter()
        .flat_map(|(texts, kind)| texts.iter().map(move |text| (text.as_str(), kind)))
    }

    /// Returns `true` if these may permit a request.
    pub(super) fn lets(&self) -> bool {
        !(self.permits.is_empty() && self.approvals.is_empty())
    }

    /// Returns `true` if these may stop a request, or make it wait for approval.
    pub(super) fn stops(&self) -> bool {
        !(self.forbids.is_empty() && self.approvals.is_empty())
    }

    /// The statements that stop a request, as they were written.
    pub(super) fn stopping(&self) -> impl Iterator<Item = &str> {
        self.forbids.iter().chain(&self.approvals).map(|text| self.source(text))
    }

    /// A statement as it was written.
    pub(super) fn source<'a>(&'a self, statement: &'a str) -> &'a str {
        self.sources.get(statement).map_or(statement, String::as_str)
    }
}

/// The statements of a Cedar text. A text that the service accepted and this version cannot parse
/// may permit and forbid anything: it becomes one statement of each kind.
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
