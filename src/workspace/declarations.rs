//! The declarations in documents, and the checks on them.
//!
//! Invariant: a missing declaration counts only if every document could be read.

use std::path::Path;

use super::EmptyWorkspace;
use super::file::FileDocuments;
use crate::access::survey::Survey;
use crate::check::suppression::{self, Annotated};
use crate::check::{Input, Wanted, mcp, orgs, run};
use crate::diagnostic::{Diagnostic, FileId, Files, Suppression, has_errors};
use crate::document::{self, Declared, DeclaredVijil, OwnershipSetting, Settings};
use crate::model::{Desired, Test};
use crate::source::{Comment, Spans};

/// The declarations of the documents of a workspace, or of one file.
pub(crate) struct Declarations<'a> {
    policies: Vec<Declared<'a>>,
    vijil: Vec<DeclaredVijil<'a>>,
    tests: Vec<Test>,
}

impl<'a> Declarations<'a> {
    /// Resolves documents. Files that they name must be below `root`.
    pub(crate) fn new(
        root: &Path,
        read: &'a [FileDocuments],
        files: &mut Files,
        findings: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut declarations = Self { policies: Vec::new(), vijil: Vec::new(), tests: Vec::new() };
        for document in read.iter().flat_map(|file| &file.documents) {
            declarations.policies.extend(document::declare(document, files, root, findings));
            declarations.vijil.extend(document::declare_vijil(document, files, root, findings));
            declarations.tests.extend(document::declare_test(document, files));
        }
        declarations
    }

    /// Runs the checks and applies suppressions, which are returned. Files that are checked
    /// individually have no settings.
    pub(crate) fn examine(
        &self,
        settings: Option<(&Settings, EmptyWorkspace)>,
        read: &[FileDocuments],
        files: &Files,
        wanted: Wanted,
        findings: &mut Vec<Diagnostic>,
    ) -> Vec<Suppression> {
        let Self { policies, vijil, tests } = self;
        let complete = settings.is_some() && !has_errors(findings);
        let exclusive = settings.is_some_and(|(settings, emptiness)| {
            let docker = settings.docker.as_ref();
            emptiness == EmptyWorkspace::Refused
                && docker.is_some_and(|docker| docker.ownership == OwnershipSetting::Exclusive)
        });
        let policies: Vec<&Declared<'_>> = policies.iter().collect();
        if complete && exclusive {
            let owned = orgs::names(settings.map(|(settings, _)| settings));
            let empty = |org: &&String| orgs::policies_for(&policies, org).is_empty();
            let whose = match owned {
                None => policies.is_empty().then(String::new),
                Some(orgs) => orgs.iter().find(empty).map(|org| format!(" for `{org}`")),
            };
            findings.extend(whose.map(|whose| {
                let message = format!("the workspace owns every policy and declares none{whose}");
                Diagnostic::error("no-policies", message)
                    .help("declare a policy, or write `ownership: declared`")
            }));
        }
        let owns_vijil = settings.is_some_and(|(settings, emptiness)| {
            let vijil = settings.vijil.as_ref();
            emptiness == EmptyWorkspace::Refused
                && vijil.is_some_and(|vijil| vijil.ownership == OwnershipSetting::Exclusive)
        });
        if complete && owns_vijil && vijil.is_empty() {
            let finding = Diagnostic::error(
                "no-policies",
                "the workspace owns every policy for agents and declares none",
            );
            findings
                .push(finding.help("declare a policy, or write `ownership: declared` in `vijil`"));
        }
        let settings = settings.map(|(settings, _)| settings);
        // Several organizations have a survey each.
        let is_one = orgs::names(settings).is_none() && wanted == Wanted::All;
        let surveyed = if is_one { policies.as_slice() } else { &[] };
        let survey = Survey::new(surveyed.iter().map(|declared| &declared.desired.policy));
        run(
            &Input {
                policies: &policies,
                survey: &survey,
                vijil,
                tests,
                settings,
                files,
                complete,
                wanted,
            },
            findings,
        );
        let cedar: Vec<(FileId, Vec<Comment>, Spans)> =
            policies.iter().filter_map(|policy| mcp::comments(policy, files)).collect();
        let in_cedar = cedar.iter().map(|(file, comments, places)| Annotated {
            file: *file,
            marker: "//",
            comments,
            places: vec![places],
        });
        let in_documents = read.iter().map(|file| Annotated {
            file: file.file,
            marker: "#",
            comments: &file.comments,
            places: file.documents.iter().map(|document| &document.places).collect(),
        });
        let annotated: Vec<Annotated<'_>> = in_documents.chain(in_cedar).collect();
        suppression::apply(files, &annotated, findings)
    }

    /// The desired state, policies sorted by name, and the access tests.
    pub(crate) fn into_desired(self, files: &Files) -> (Desired, Vec<Test>) {
        let placed = |declared: Declared<'_>| {
            let statements = mcp::statements(&declared, files);
            let mut desired = declared.desired;
            desired.rules.extend(statements);
            desired
        };
        let mut policies: Vec<_> = self.policies.into_iter().map(placed).collect();
        policies.sort_by(|a, b| a.policy.name.cmp(&b.policy.name));
        let mut vijil: Vec<_> = self.vijil.into_iter().map(|declared| declared.desired).collect();
        vijil.sort_by(|a, b| a.name.cmp(&b.name));
        (Desired { policies, vijil }, self.tests)
    }
}
