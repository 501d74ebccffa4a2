//! Documents to what they mean: [`DesiredPolicy`] and [`Test`], with the places that they come from.

use std::ops::Range;
use std::path::Path;

use super::kind::Body as DocumentBody;
use super::read::Document;
use super::{AccessTest, Expectation, McpPolicy};
use crate::diagnostic::{Diagnostic, FileId, Files, Label};
use crate::model::{Body, Cedar, Decision, DesiredPolicy, DesiredRule, Domain, Origin, Policy, Rule, Scope};
use crate::source;

/// A policy with the document that declares it.
#[derive(Debug)]
pub struct Declared<'a> {
    /// What it means.
    pub desired: DesiredPolicy,
    /// What was written.
    pub document: &'a Document,
    /// Where the Cedar text of an MCP policy stands.
    pub cedar: Option<CedarPlace>,
}

/// Where a Cedar text stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CedarPlace {
    /// It is the text of a file.
    File(FileId),
    /// It is a value of the document.
    Document,
}

/// An access test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// What the test shows.
    pub name: String,
    /// The teams that the subject is a member of, as written.
    pub teams: Vec<String>,
    /// In the order written; at least one.
    pub expectations: Vec<ExpectedAccess>,
    /// Where the name stands.
    pub origin: Origin,
}

/// One expectation of an access test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedAccess {
    /// What is expected.
    pub decision: Decision,
    /// The access as written, such as `connect:tcp example.com:443`.
    pub access: String,
    /// Where the access stands.
    pub origin: Origin,
    /// The same for diagnostics.
    pub label: Label,
}

/// The policy that a document declares, or `None` for another kind of document, and for a Cedar file that cannot be
/// used, which is added to `findings`. `root` is the folder that Cedar files must stay inside of.
pub fn declare<'a>(
    document: &'a Document,
    files: &mut Files,
    root: &Path,
    findings: &mut Vec<Diagnostic>,
) -> Option<Declared<'a>> {
    let (name, previously, scope, domain, body, rules, cedar) = match &document.body {
        DocumentBody::NetworkPolicy(policy) => {
            let rules: Vec<(Rule, &[String])> =
                policy.rules.iter().map(|rule| (rule.rule(), rule.previously.as_slice())).collect();
            let (body, rules) = allowlist(document, files, rules);
            (&policy.name, &policy.previously, &policy.scope, Domain::Network, body, rules, None)
        }
        DocumentBody::FilesystemPolicy(policy) => {
            let rules: Vec<(Rule, &[String])> =
                policy.rules.iter().map(|rule| (rule.rule(), rule.previously.as_slice())).collect();
            let (body, rules) = allowlist(document, files, rules);
            (&policy.name, &policy.previously, &policy.scope, Domain::Filesystem, body, rules, None)
        }
        DocumentBody::McpPolicy(policy) => {
            let (text, place) = cedar_text(policy, document, files, root, findings)?;
            let body = Body::Cedar(Cedar { text, schema_url: policy.schema_url.clone() });
            (&policy.name, &policy.previously, &policy.scope, Domain::Mcp, body, Vec::new(), Some(place))
        }
        DocumentBody::Workspace(_) | DocumentBody::AccessTest(_) => return None,
    };
    let policy = Policy { name: name.clone(), scope: Scope::of(scope.teams.iter().cloned()), body };
    let origin = origin(files, &document.label("/name"));
    let desired = DesiredPolicy { policy, domain, previously: previously.clone(), origin, rules };
    Some(Declared { desired, document, cedar })
}

/// The test that a document declares, or `None` for another kind of document.
#[must_use]
pub fn declare_test(document: &Document, files: &Files) -> Option<Test> {
    let DocumentBody::AccessTest(AccessTest { name, subject, expect, .. }) = &document.body else { return None };
    let expectations = expect
        .iter()
        .enumerate()
        .map(|(index, expectation)| {
            let key = if matches!(expectation, Expectation::Allow(_)) { "allow" } else { "deny" };
            let label = document.label(&format!("/expect/{index}/{key}"));
            let origin = origin(files, &label);
            ExpectedAccess { decision: expectation.decision(), access: expectation.access().to_owned(), origin, label }
        })
        .collect();
    let origin = origin(files, &document.label("/name"));
    Some(Test { name: name.clone(), teams: subject.teams.clone(), expectations, origin })
}

impl Declared<'_> {
    /// The place of bytes of the Cedar text: its very line where the text is a file or a literal block, else the value.
    #[must_use]
    pub fn cedar_label(&self, files: &Files, span: &Range<usize>) -> Label {
        match (&self.cedar, &self.desired.policy.body) {
            (Some(CedarPlace::File(file)), _) => Label::new(*file, span.clone()),
            (Some(CedarPlace::Document), Body::Cedar(cedar)) => {
                let whole = self.document.label("/cedar");
                let source = files.get(whole.file).slice(&whole.span);
                match within_literal(source, &cedar.text, span) {
                    Some(inner) => Label::new(whole.file, whole.span.start + inner.start..whole.span.start + inner.end),
                    None => Label::new(whole.file, whole.span),
                }
            }
            (Some(CedarPlace::Document) | None, _) => self.document.head(""),
        }
    }
}

fn allowlist(document: &Document, files: &Files, rules: Vec<(Rule, &[String])>) -> (Body, Vec<DesiredRule>) {
    let (rules, places) = rules
        .into_iter()
        .enumerate()
        .map(|(index, (rule, previously))| {
            let origin = origin(files, &document.label(&format!("/rules/{index}")));
            (rule, DesiredRule { previously: previously.to_vec(), origin })
        })
        .unzip();
    (Body::Allowlist(rules), places)
}

fn origin(files: &Files, label: &Label) -> Origin {
    let file = files.get(label.file);
    let place = file.place(&label.span);
    Origin { file: file.name.clone(), line: place.line, column: place.column }
}

fn cedar_text(
    policy: &McpPolicy,
    document: &Document,
    files: &mut Files,
    root: &Path,
    findings: &mut Vec<Diagnostic>,
) -> Option<(String, CedarPlace)> {
    let name = match (&policy.cedar, &policy.cedar_file) {
        (Some(text), _) => return Some((text.clone(), CedarPlace::Document)),
        (None, name) => name.as_deref().unwrap_or_default(),
    };
    let label = document.label("/cedar_file");
    match source::add_beside(files, document.file, name, root, findings) {
        Ok(Some(file)) => Some((files.get(file).text.clone(), CedarPlace::File(file))),
        Ok(None) => None,
        Err(problem) => {
            findings.push(
                Diagnostic::error("cedar-file", problem)
                    .at(label)
                    .help("name a file relative to this document and inside the workspace"),
            );
            None
        }
    }
}

/// The bytes of a literal block (`|`), as written in `source`, that bytes of its `text` come from.
fn within_literal(source: &str, text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    source.strip_prefix('|')?;
    let start = source.find('\n')? + 1;
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    let indentation = source.get(start..)?.lines().find(|line| line.trim() == first.trim())?;
    let indentation = indentation
        .strip_suffix(first.trim_end_matches('\r'))
        .map_or(indentation.len() - indentation.trim_start().len(), str::len);
    let at = |offset: usize| -> Option<usize> {
        let before = text.get(..offset)?;
        let line = before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_start: usize = source.get(start..)?.split_inclusive('\n').take(line).map(str::len).sum();
        Some((start + line_start + indentation + column).min(source.len()))
    };
    Some(at(span.start)?..at(span.end)?)
}
