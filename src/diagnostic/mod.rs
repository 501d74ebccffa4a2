//! Findings about the documents of users: a code, a severity, a message, places, and help.
//!
//! Invariant: a [`Diagnostic`] is plain data. It holds byte ranges of files that [`Files`] keeps,
//! never rendered text, so that each output format decides how to show a place.

mod files;
pub mod list;
mod relative;
pub mod sanitize;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

pub use files::{FileId, Files, Location, Overlay, SourceFile};
pub use relative::relative;
pub use seawall_access::suggestion::{did_you_mean, nearest, one_of, synonym};

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The documents cannot be used; commands stop with exit code 1.
    Error,
    /// The documents can be used, but probably do not mean what their author thinks.
    Warning,
    /// A remark.
    Note,
}

/// One finding about the documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of finding, in kebab case (`unknown-key`); described in [`crate::check::TABLE`].
    pub code: &'static str,
    /// The severity of the finding.
    pub severity: Severity,
    /// A lower-case phrase without a full stop, with text of users in backticks. Not sanitized yet.
    pub message: String,
    /// The main place; `None` only for findings without one, such as a missing workspace.
    pub primary: Option<Label>,
    /// Related places, such as the first of two equal names.
    pub related: Vec<Label>,
    /// The advice for the user.
    pub help: Option<String>,
}

/// A range of a file with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The file.
    pub file: FileId,
    /// Bytes of the file's text.
    pub span: Range<usize>,
    /// The message for this place, if the message of the finding does not cover it.
    pub message: Option<String>,
}

/// The author's statement that findings of a code are known and accepted at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The file.
    pub file: FileId,
    /// The code of the findings.
    pub code: String,
    /// The author's reason.
    pub reason: String,
    /// The bytes of the comment.
    pub comment: Range<usize>,
    /// The bytes that the suppression applies to.
    pub covers: Range<usize>,
    /// True for `live`: an error about a pattern that is live already becomes a warning.
    pub live: bool,
    /// True if it suppressed a finding.
    pub used: bool,
}

/// Findings with the files that they point into.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The files.
    pub files: Files,
    /// The findings, sorted by file name and place after [`Findings::sort`]; those without a place
    /// come first.
    pub diagnostics: Vec<Diagnostic>,
    /// Suppressed findings, in the order of files and places.
    pub suppressions: Vec<Suppression>,
    /// The parts that were not checked because of errors; boxed, since findings are often an error.
    pub unchecked: Box<Unchecked>,
}

/// The parts of a workspace that were not checked because of errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unchecked {
    /// True if no document was read, since the settings do not say which ones there are.
    pub documents: bool,
    /// The names of files that were not read in full.
    pub files: BTreeSet<String>,
    /// True if the documents were not compared with each other, since some may be missing.
    pub relations: bool,
}

impl Unchecked {
    fn append(&mut self, mut others: Self) {
        self.documents |= others.documents;
        self.files.append(&mut others.files);
        self.relations |= others.relations;
    }
}

impl Severity {
    /// `error`, `warning` or `note`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl Diagnostic {
    /// A finding of this severity without a place.
    #[must_use]
    pub fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            primary: None,
            related: Vec::new(),
            help: None,
        }
    }

    /// An error without a place.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// A note without a place.
    #[must_use]
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }

    /// The same finding at this place.
    #[must_use]
    pub fn at(mut self, label: Label) -> Self {
        self.primary = Some(label);
        self
    }

    /// The same finding with a further related place.
    #[must_use]
    pub fn related(mut self, label: Label) -> Self {
        self.related.push(label);
        self
    }

    /// The same finding with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Label {
    /// A place without a message.
    #[must_use]
    pub fn new(file: FileId, span: Range<usize>) -> Self {
        Self { file, span, message: None }
    }

    /// The same place with a message.
    #[must_use]
    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }
}

/// Returns `true` if any finding is an error.
#[must_use]
pub fn has_errors(findings: &[Diagnostic]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

impl Findings {
    /// Returns `true` if any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        has_errors(&self.diagnostics)
    }

    /// The number of findings with this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Gives each finding without a place one at the start of a file, such as the workspace's,
    /// since programs require a place.
    pub fn place_at(&mut self, name: &str, path: &Path) {
        if self.diagnostics.iter().all(|diagnostic| diagnostic.primary.is_some()) {
            return;
        }
        let file = self.files.find(path).unwrap_or_else(|| self.files.add(name, path, ""));
        for diagnostic in
            self.diagnostics.iter_mut().filter(|diagnostic| diagnostic.primary.is_none())
        {
            diagnostic.primary = Some(Label::new(file, 0..0));
        }
    }

    /// Adds findings with files of their own.
    pub fn append(&mut self, others: Self) {
        let renumbered = self.files.append(others.files);
        self.unchecked.append(*others.unchecked);
        self.suppressions.extend(
            others
                .suppressions
                .into_iter()
                .map(|one| Suppression { file: renumbered(one.file), ..one }),
        );
        self.diagnostics.extend(others.diagnostics.into_iter().map(|mut diagnostic| {
            for label in diagnostic.primary.iter_mut().chain(&mut diagnostic.related) {
                label.file = renumbered(label.file);
            }
            diagnostic
        }));
    }

    /// Sorts by file name, place, severity, code and message, and removes exact repetitions (an
    /// error inside of an anchor is found once for each alias).
    pub fn sort(&mut self) {
        let rank = self.files.ranks();
        let place = |label: &Label| (rank(label.file), label.span.start, label.span.end);
        self.diagnostics.sort_by(|one, other| {
            let places = one.primary.as_ref().map(place).cmp(&other.primary.as_ref().map(place));
            let rest = |of: &Diagnostic| (of.severity, of.code);
            places
                .then_with(|| rest(one).cmp(&rest(other)))
                .then_with(|| one.message.cmp(&other.message))
        });
        self.diagnostics.dedup();
    }
}
