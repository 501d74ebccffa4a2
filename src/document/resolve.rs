//! Converts documents to the model: [`DesiredPolicy`] and [`Test`], with the places of their parts.

use std::ops::Range;
use std::path::Path;

use super::kind::Body as DocumentBody;
use super::read::Document;
use super::{AccessTest, AgentPolicy, AgentRule, McpPolicy};
use crate::diagnostic::{Diagnostic, FileId, Files, Label};
use crate::model::{
    Body, Cedar, DesiredPolicy, DesiredRule, DesiredVijilPolicy, DesiredVijilRule, Domain,
    ExpectedAccess, Origin, Policy, Rule, Scope, Test,
};
use crate::source::{self, Spelling};

/// A policy with the document that declares it.
#[derive(Debug)]
pub struct Declared<'a> {
    /// The policy in the form of the model.
    pub desired: DesiredPolicy,
    /// The document as it was written.
    pub document: &'a Document,
    /// The place of the Cedar text of an MCP policy.
    pub cedar: Option<CedarPlace>,
}

/// A policy for agents with the document that declares it.
#[derive(Debug)]
pub struct DeclaredVijil<'a> {
    /// The policy in the form of the model.
    pub desired: DesiredVijilPolicy,
    /// The document as it was written.
    pub document: &'a Document,
}

/// The place of a Cedar text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CedarPlace {
    /// The text of a file.
    File(FileId),
    /// A value of the document, with its spelling; without a spelling if an alias stands for the
    /// text.
    Document(Option<Spelling>),
}

/// The policy that a document declares; `None` for another kind of document, and for an unusable
/// Cedar file, which is added to `findings`. Cedar files must be inside of `root`.
pub fn declare<'a>(
    document: &'a Document,
    files: &mut Files,
    root: &Path,
    findings: &mut Vec<Diagnostic>,
) -> Option<Declared<'a>> {
    let (name, previously, orgs, scope, domain, body, rules, cedar) = match &document.body {
        DocumentBody::NetworkPolicy(policy) => {
            let rules: Vec<(Rule, &[String])> =
                policy.rules.iter().map(|rule| (rule.rule(), rule.previously.as_slice())).collect();
            let (body, rules) = allowlist(document, files, rules);
            (
                &policy.name,
                &policy.previously,
                &policy.orgs,
                &policy.scope,
                Domain::Network,
                body,
                rules,
                None,
            )
        }
        DocumentBody::FilesystemPolicy(policy) => {
            let rules: Vec<(Rule, &[String])> =
                policy.rules.iter().map(|rule| (rule.rule(), rule.previously.as_slice())).collect();
            let (body, rules) = allowlist(document, files, rules);
            (
                &policy.name,
                &policy.previously,
                &policy.orgs,
                &policy.scope,
                Domain::Filesystem,
                body,
                rules,
                None,
            )
        }
        DocumentBody::McpPolicy(policy) => {
            let (text, place) = cedar_text(policy, document, files, root, findings)?;
            let body = Body::Cedar(Cedar { text, schema_url: policy.schema_url.clone() });
            (
                &policy.name,
                &policy.previously,
                &policy.orgs,
                &policy.scope,
                Domain::Mcp,
                body,
                Vec::new(),
                Some(place),
            )
        }
        DocumentBody::Workspace(_) | DocumentBody::AgentPolicy(_) | DocumentBody::AccessTest(_) => {
            return None;
        }
    };
    let policy =
        Policy { name: name.clone(), scope: Scope::from_teams(scope.teams.iter().cloned()), body };
    let origin = origin(files, &document.label("/name"));
    let orgs = orgs.clone().unwrap_or_default();
    let desired =
        DesiredPolicy { policy, domain, previously: previously.clone(), orgs, origin, rules };
    Some(Declared { desired, document, cedar })
}

/// The policy for agents that a document declares; `None` for another kind of document, and for an
/// unusable source file, which is added to `findings`.
pub fn declare_vijil<'a>(
    document: &'a Document,
    files: &mut Files,
    root: &Path,
    findings: &mut Vec<Diagnostic>,
) -> Option<DeclaredVijil<'a>> {
    let DocumentBody::AgentPolicy(policy) = &document.body else { return None };
    let AgentPolicy { name, previously, status, source_file, rules, .. } = policy;
    let source = match source_file {
        Some(file) => Some(beside(file, "source_file", document, files, root, findings)?),
        None => None,
    };
    let source = source.map(|file| files.get(file).text.clone());
    let rules = rules.iter().enumerate().map(|(index, rule)| {
        let AgentRule { rule_id, previously, provenance, review, .. } = rule;
        DesiredVijilRule {
            rule_id: rule_id.clone(),
            previously: previously.clone(),
            fields: rule.fields(),
            review: review.as_ref().map(Into::into),
            provenance: provenance.clone().map(Into::into),
            origin: origin(files, &document.label(&format!("/rules/{index}"))),
        }
    });
    let desired = DesiredVijilPolicy {
        name: name.clone(),
        previously: previously.clone(),
        status: *status,
        fields: policy.fields(source),
        rules: rules.collect(),
        origin: origin(files, &document.label("/name")),
    };
    Some(DeclaredVijil { desired, document })
}

/// The test that a document declares, or `None` for another kind of document.
#[must_use]
pub fn declare_test(document: &Document, files: &Files) -> Option<Test> {
    let DocumentBody::AccessTest(AccessTest { name, orgs, subject, expect, .. }) = &document.body
    else {
        return None;
    };
    let expectations = expect
        .iter()
        .enumerate()
        .map(|(index, expectation)| {
            let expected = expectation.expected();
            let label = document.label(&format!("/expect/{index}/{}", expected.as_str()));
            let origin = origin(files, &label);
            ExpectedAccess { expected, access: expectation.access().to_owned(), origin, label }
        })
        .collect();
    let origin = origin(files, &document.label("/name"));
    let team_labels = (0..subject.teams.len())
        .map(|index| document.label(&format!("/as/teams/{index}")))
        .collect();
    let orgs = orgs.clone().unwrap_or_default();
    let org_labels =
        (0..orgs.len()).map(|index| document.label(&format!("/orgs/{index}"))).collect();
    Some(Test {
        name: name.clone(),
        orgs,
        org_labels,
        teams: subject.teams.clone(),
        team_labels,
        expectations,
        origin,
    })
}

impl Declared<'_> {
    /// The place of bytes of the Cedar text, for every style of YAML text; for an alias, the place
    /// of the alias.
    #[must_use]
    pub fn cedar_label(&self, span: &Range<usize>) -> Label {
        match &self.cedar {
            Some(CedarPlace::File(file)) => Label::new(*file, span.clone()),
            Some(CedarPlace::Document(Some(spelling))) => {
                Label::new(self.document.file, spelling.place(span))
            }
            Some(CedarPlace::Document(None)) => self.document.label("/cedar"),
            None => self.document.head(""),
        }
    }
}

fn allowlist(
    document: &Document,
    files: &Files,
    rules: Vec<(Rule, &[String])>,
) -> (Body, Vec<DesiredRule>) {
    let all = document.places.nearest("/rules");
    let (rules, places) = rules
        .into_iter()
        .enumerate()
        .map(|(index, (rule, previously))| {
            let place = all.item(index).unwrap_or(all).span();
            let origin = origin(files, &Label::new(document.file, place));
            (rule, DesiredRule { previously: previously.to_vec(), origin })
        })
        .unzip();
    (Body::Allowlist(rules), places)
}

/// The place of a label, for people.
#[must_use]
pub fn origin(files: &Files, label: &Label) -> Origin {
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
        (Some(text), _) => {
            let label = document.label("/cedar");
            let spelling = Spelling::trace(text, &files.get(label.file).text, &label.span);
            return Some((text.clone(), CedarPlace::Document(spelling)));
        }
        (None, name) => name.as_deref().unwrap_or_default(),
    };
    let file = beside(name, "cedar_file", document, files, root, findings)?;
    Some((files.get(file).text.clone(), CedarPlace::File(file)))
}

/// The file that a key of the document names.
fn beside(
    name: &str,
    key: &str,
    document: &Document,
    files: &mut Files,
    root: &Path,
    findings: &mut Vec<Diagnostic>,
) -> Option<FileId> {
    let code = if key == "cedar_file" { "cedar-file" } else { "source-file" };
    match source::add_beside(files, document.file, name, root, findings) {
        Ok(file) => {
            if let Some(file) = file {
                let mut hidden = Vec::new();
                source::look_beside(file, &files.get(file).text, &mut hidden);
                // A policy text has no comments that could suppress a finding in it.
                if key == "source_file" {
                    for finding in &mut hidden {
                        let key = document.label(&format!("/{key}"));
                        let place = finding.primary.replace(key);
                        finding
                            .related
                            .extend(place.map(|place| place.saying("the first one is here")));
                    }
                }
                findings.append(&mut hidden);
            }
            file
        }
        Err(problem) => {
            findings.push(
                Diagnostic::error(code, problem)
                    .at(document.label(&format!("/{key}")))
                    .help("name a file relative to this document and inside the workspace"),
            );
            None
        }
    }
}
