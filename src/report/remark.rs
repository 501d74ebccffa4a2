//! Findings of the checks, and suppressions with their reasons.

use serde::Serialize;

use super::history::History;
use super::id::Id;
use super::place::{Links, Place, place};
use super::text::{Text, pieces};
use crate::diagnostic::{Diagnostic, Findings, Severity, Suppression};
use crate::model::Origin;

/// Largest number of findings that are listed.
const MOST_FINDINGS: usize = 1_000;

/// Finding of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Fragment id of the finding.
    pub id: Id,
    /// `warning` or `note`.
    pub severity: &'static str,
    /// CSS class for the severity: `bad`, `warn` or none.
    pub tone: &'static str,
    /// The code of the check.
    pub code: String,
    /// Message of the finding.
    pub message: Text,
    /// Suggested remedy; `None` if the check has none.
    pub help: Option<Text>,
    /// Place in a document; `None` for a finding without one.
    pub place: Option<Place>,
    #[serde(skip)]
    at: Option<(String, usize)>,
}

/// Reference to a finding or suppression, in the row of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Fragment id of its entry.
    pub id: Id,
    /// Code of the check.
    pub code: String,
}

/// Suppressed finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suppressed {
    /// Fragment id of the suppression.
    pub id: Id,
    /// The code of the check.
    pub code: String,
    /// The author's reason.
    pub reason: String,
    /// Place of the suppressing comment.
    pub place: Place,
    /// Last commit of that line, with date and author; `None` if unknown.
    pub changed: Option<String>,
    #[serde(skip)]
    at: (String, usize),
}

/// Findings and suppressions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    pub(super) findings: Vec<Finding>,
    pub(super) more: usize,
    pub(super) suppressed: Vec<Suppressed>,
}

impl Remarks {
    pub(super) fn new(findings: &Findings, history: &History, links: Option<&Links>) -> Self {
        let origin = |file, span: &std::ops::Range<usize>| {
            let file = findings.files.get(file);
            let at = file.place(span);
            Origin { file: file.name.clone(), line: at.line, column: at.column }
        };
        let finding = |(number, found): (usize, &Diagnostic)| {
            let at = found.primary.as_ref().map(|label| origin(label.file, &label.span));
            let number = number.to_string();
            Finding {
                id: Id::new("f", &[&number, found.code, &found.message]),
                severity: found.severity.as_str(),
                tone: match found.severity {
                    Severity::Error => "bad",
                    Severity::Warning => "warn",
                    Severity::Note => "",
                },
                code: found.code.to_owned(),
                message: pieces(&found.message),
                help: found.help.as_deref().map(pieces),
                place: at.as_ref().map(|at| place(at, links)),
                at: at.map(|at| (at.file, at.line)),
            }
        };
        let all = &findings.diagnostics;
        let suppressed = findings.suppressions.iter().filter(|one| one.used && !one.live).map(
            |one: &Suppression| {
                let at = origin(one.file, &one.comment);
                let target = origin(one.file, &one.covers);
                Suppressed {
                    id: Id::new("s", &[&at.file, &at.line.to_string(), &one.code]),
                    code: one.code.clone(),
                    reason: one.reason.clone(),
                    place: place(&at, links),
                    changed: history.phrase(&at.file, at.line, at.line),
                    at: (target.file, target.line),
                }
            },
        );
        let mut suppressed: Vec<Suppressed> = suppressed.collect();
        suppressed.sort_by(|one, other| (&one.at, &one.code).cmp(&(&other.at, &other.code)));
        Self {
            findings: all.iter().take(MOST_FINDINGS).enumerate().map(finding).collect(),
            more: all.len().saturating_sub(MOST_FINDINGS),
            suppressed,
        }
    }

    /// References to the findings that start in lines `from..=to` of a file.
    pub(super) fn findings_in(&self, file: &str, from: usize, to: usize) -> Vec<Mark> {
        let own = self.findings.iter().filter(|one| {
            one.at.as_ref().is_some_and(|(own, line)| own == file && (from..=to).contains(line))
        });
        own.map(|one| Mark { id: one.id.clone(), code: one.code.clone() }).collect()
    }

    /// References to the suppressions that cover a finding in lines `from..=to` of a file.
    pub(super) fn suppressed_in(&self, file: &str, from: usize, to: usize) -> Vec<Mark> {
        let own = self
            .suppressed
            .iter()
            .filter(|one| one.at.0 == file && (from..=to).contains(&one.at.1));
        own.map(|one| Mark { id: one.id.clone(), code: one.code.clone() }).collect()
    }
}
