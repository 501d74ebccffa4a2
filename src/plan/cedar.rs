//! Cedar texts as sets of statements, which is all that the order of calls needs to know of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::cedar::{self, Effect};
use crate::model::{Cedar, Decision};

/// The statements of a text, in a form that layout and comments do not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Statements {
    pub(super) permits: BTreeSet<String>,
    pub(super) forbids: BTreeSet<String>,
    sources: BTreeMap<String, String>,
}

impl Statements {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Decision)> {
        let permits = self.permits.iter().map(|text| (text.as_str(), Decision::Allow));
        permits.chain(self.forbids.iter().map(|text| (text.as_str(), Decision::Deny)))
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
                let source = text.text.get(statement.span).unwrap_or_default().to_owned();
                found.sources.insert(statement.canonical.clone(), source);
                match statement.effect {
                    Effect::Permit => found.permits.insert(statement.canonical),
                    Effect::Forbid => found.forbids.insert(statement.canonical),
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
