//! The documents of a file.

use crate::diagnostic::{Diagnostic, FileId, Files, Label, has_errors};
use crate::document::{self, Document};
use crate::source::{self, Comment, parallel};

/// The role of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The workspace's own file.
    Settings,
    /// A file that the workspace includes.
    Member,
    /// A file named on the command line.
    Alone,
}

/// A file's documents.
pub(super) struct FileDocuments {
    pub(super) file: FileId,
    pub(super) documents: Vec<Document>,
    pub(super) comments: Vec<Comment>,
    pub(super) findings: Vec<Diagnostic>,
}

impl FileDocuments {
    pub(super) fn read(files: &Files, file: FileId, role: Role) -> Self {
        let source = files.get(file);
        let mut findings = Vec::new();
        let parsed = source::parse(file, &source.text, &mut findings);
        if parsed.documents.is_empty() && !has_errors(&findings) {
            let finding = Diagnostic::error("empty-file", "the file holds no document")
                .at(Label::new(file, 0..0));
            findings.push(finding.help("write a document, or delete the file"));
        }
        let settings = |tree: &source::Tree| match role {
            Role::Settings => true,
            Role::Member => false,
            Role::Alone => {
                tree.value.get("kind").and_then(serde_json::Value::as_str) == Some("Workspace")
            }
        };
        let documents = parsed.documents.into_iter().filter_map(|tree| {
            let settings = settings(&tree);
            document::read(file, tree, settings, &mut findings)
        });
        let documents = documents.collect();
        Self { file, documents, comments: parsed.comments, findings }
    }
}

/// Reads the documents of files, several at a time; returns them in the order given.
pub(super) fn read_documents(files: &Files, ids: &[FileId], role: Role) -> Vec<FileDocuments> {
    parallel::map(ids.to_vec(), 16, |file| FileDocuments::read(files, file, role))
}
