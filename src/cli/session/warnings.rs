//! The findings of checks that a change of documents introduces.
//!
//! With a base, these are the findings that it does not have. Without one, those in files from
//! which a plan changes something.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::check::baseline;
use crate::diagnostic::{Diagnostic, Findings, Severity};
use crate::model::Origin;
use crate::plan::Plan;
use crate::plan::warning::Finding;

/// The warnings of a workspace.
#[derive(Clone, Debug, Default)]
pub(super) struct Warnings {
    all: Vec<Finding>,
    /// True if a base was compared, so that all of them are new.
    are_new: bool,
}

impl Warnings {
    /// The findings in the workspace of this folder, without those of a base in another folder.
    pub(super) fn new(found: &Findings, folder: &Path, base: Option<(Findings, PathBuf)>) -> Self {
        let are_new = base.is_some();
        let found = match base {
            Some((base, base_folder)) => {
                let mut found = found.clone();
                baseline::retain_new(&mut found, folder, &base, &base_folder);
                Cow::Owned(found)
            }
            None => Cow::Borrowed(found),
        };
        let finding = |one: &Diagnostic| Finding {
            code: one.code.to_owned(),
            message: one.message.clone(),
            help: one.help.clone(),
            source: one.primary.as_ref().map(|label| {
                let file = found.files.get(label.file);
                let place = file.place(&label.span);
                Origin { file: file.name.clone(), line: place.line, column: place.column }
            }),
        };
        let warnings = found.diagnostics.iter().filter(|one| one.severity == Severity::Warning);
        let mut all: Vec<Finding> = warnings.map(finding).collect();
        all.sort_by(|one, other| (&one.source, one).cmp(&(&other.source, other)));
        Self { all, are_new }
    }

    /// The findings that a plan introduces; empty if it changes nothing.
    pub(super) fn brought_by(&self, plan: &Plan) -> Vec<Finding> {
        if plan.is_empty() {
            return Vec::new();
        }
        let docker = plan.docker_steps().iter().map(|step| &step.difference.source);
        let vijil = plan.vijil_differences().map(|step| &step.source);
        let files: BTreeSet<&str> =
            docker.chain(vijil).flatten().map(|origin| origin.file.as_str()).collect();
        let is_changed = |one: &&Finding| {
            one.source.as_ref().is_some_and(|origin| files.contains(origin.file.as_str()))
        };
        self.all.iter().filter(|one| self.are_new || is_changed(one)).cloned().collect()
    }
}
