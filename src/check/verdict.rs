//! The verdict of a check of one pattern.

use crate::diagnostic::{Diagnostic, Label};

/// The fault in a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) code: &'static str,
    /// True if the service refuses it, or if it can never match; false if its meaning is only
    /// undocumented.
    pub(super) wrong: bool,
    pub(super) message: String,
    pub(super) help: String,
}

impl Verdict {
    pub(super) fn wrong(
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { code, wrong: true, message: message.into(), help: help.into() }
    }

    pub(super) fn open(
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { code, wrong: false, message: message.into(), help: help.into() }
    }

    pub(super) fn at(self, label: Label) -> Diagnostic {
        let finding = if self.wrong {
            Diagnostic::error(self.code, self.message)
        } else {
            Diagnostic::warning(self.code, self.message)
        };
        finding.at(label).help(self.help)
    }
}
