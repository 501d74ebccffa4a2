//! Findings as JSON, for programs.
//!
//! Invariant: keys may be added within `format_version` 1; none is renamed or removed.

use serde::Serialize;

use super::diagnostic::{self, Detail};
use crate::check::Check;
use crate::diagnostic::sanitize::line;
use crate::diagnostic::{Diagnostic, Files, Findings, Label, sanitize};

/// The form of the document.
const FORMAT_VERSION: u32 = 1;

/// Findings that are not shown, since the base has them too.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Older<'a> {
    /// As the command line names it.
    #[serde(rename = "ref")]
    pub base: &'a str,
    /// Number of findings.
    #[serde(rename = "older")]
    pub count: usize,
}

impl Older<'_> {
    /// The number of hidden findings as a phrase; `None` if it is 0.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        let base = line(self.base);
        match self.count {
            0 => None,
            1 => Some(format!("1 finding that `{base}` has too is not shown")),
            count => Some(format!("{count} findings that `{base}` has too are not shown")),
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    /// Base of the comparison; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<Older<'a>>,
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    help: Option<&'a str>,
    #[serde(flatten)]
    site: Site<'a>,
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    message: Option<&'a str>,
    #[serde(flatten)]
    site: Site<'a>,
}

/// All keys are `null` for a finding without a place.
#[derive(Default, Serialize)]
struct Site<'a> {
    file: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
}

/// Numbers of findings and of hidden ones, as a phrase.
#[must_use]
pub fn summary(findings: &Findings, older: Option<Older<'_>>, detail: Detail) -> String {
    let summary = diagnostic::summary_of(findings, detail);
    match older {
        None => summary,
        Some(older) => {
            let none = findings.diagnostics.is_empty();
            let new = if none { "no new findings".to_owned() } else { format!("new: {summary}") };
            new + &older.in_words().map(|words| format!("; {words}")).unwrap_or_default()
        }
    }
}

/// The findings as one JSON object, indented, with a line end.
#[must_use]
pub fn json(findings: &Findings, older: Option<Older<'_>>) -> String {
    let files = &findings.files;
    let document = Document {
        format_version: FORMAT_VERSION,
        base: older,
        findings: findings
            .diagnostics
            .iter()
            .map(|diagnostic| finding(files, diagnostic))
            .collect(),
    };
    sanitize::json(&document)
}

/// The explanation of a kind of finding, with an example and a fix.
#[must_use]
pub fn explanation(check: &Check) -> String {
    let Check { code, severity, title, explanation, bad, fix, run: _ } = check;
    let example: String = bad.lines().map(|line| format!("  {line}\n")).collect();
    let example =
        if bad.is_empty() { String::new() } else { format!("\nFor example:\n\n{example}") };
    format!("{}[{code}]: {title}\n\n{explanation}\n{example}\n{fix}\n", severity.as_str())
}

fn finding<'a>(files: &'a Files, diagnostic: &'a Diagnostic) -> Finding<'a> {
    let Diagnostic { code, severity, message, primary, related, help } = diagnostic;
    Finding {
        code,
        severity: severity.as_str(),
        message,
        help: help.as_deref(),
        site: primary.as_ref().map(|label| site(files, label)).unwrap_or_default(),
        related: related
            .iter()
            .map(|label| Related { message: label.message.as_deref(), site: site(files, label) })
            .collect(),
    }
}

fn site<'a>(files: &'a Files, label: &Label) -> Site<'a> {
    let file = files.get(label.file);
    let place = file.place(&label.span);
    Site {
        file: Some(&file.name),
        line: Some(place.line),
        column: Some(place.column),
        end_line: Some(place.end_line),
        end_column: Some(place.end_column),
    }
}
