//! A workspace from its files to what it means: discover, parse, check against the schema, resolve, check.
//!
//! Invariant: there is a [`Loaded`] only when nothing is wrong with any document; a plan is never made from a part.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use super::silence::{self, Annotated};
use super::{Input, mcp, run};
use crate::diagnostic::{Diagnostic, FileId, Files, Findings, Label, Severity};
use crate::document::{self, Body, Document, Ownership, Test, Workspace as Settings};
use crate::model::Desired;
use crate::source::{self, CONFIG_NAME, Comment, Tree};

/// A workspace without errors.
#[derive(Debug)]
pub struct Loaded {
    /// The workspace's folder.
    pub root: PathBuf,
    /// What `seawall.yaml` says.
    pub settings: Settings,
    /// The declared policies.
    pub desired: Desired,
    /// The access tests, sorted by file and place.
    pub tests: Vec<Test>,
    /// The files, with the warnings and notes about them.
    pub findings: Findings,
}

/// Whether a workspace may declare nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emptiness {
    /// An error: what is missing may be missing by accident.
    Refused,
    /// For `import` alone, which starts from nothing.
    Accepted,
}

/// Loads the workspace in the folder `root`; `config` replaces its `seawall.yaml`.
///
/// # Errors
/// Everything that is wrong with its documents, warnings included.
pub fn load(root: &Path, config: Option<&Path>, emptiness: Emptiness) -> Result<Loaded, Findings> {
    let mut findings = Findings::default();
    match load_into(root, config, emptiness, &mut findings) {
        Some((settings, desired, tests)) => Ok(Loaded { root: root.to_owned(), settings, desired, tests, findings }),
        None => Err(findings),
    }
}

/// Loads a workspace, and adds its files and findings to others.
pub fn load_into(
    root: &Path,
    config: Option<&Path>,
    emptiness: Emptiness,
    out: &mut Findings,
) -> Option<(Settings, Desired, Vec<Test>)> {
    let from = out.diagnostics.len();
    let config = config.map_or_else(|| root.join(CONFIG_NAME), Path::to_owned);
    let name = config.strip_prefix(root).unwrap_or(&config).to_string_lossy().replace('\\', "/");
    let config_file = source::add_file(&mut out.files, &name, &config, &mut out.diagnostics)?;
    let mut read = vec![FileDocuments::read(&out.files, config_file, Role::Settings)];
    out.diagnostics.append(&mut read.iter_mut().flat_map(|file| file.findings.drain(..)).collect());
    let settings = read.first().and_then(|file| settings(file, out));
    if let Some((_, include)) = &settings {
        let mut about = Vec::new();
        let names = source::discover(root, &config, include.as_deref(), &mut about);
        about.retain(|finding| emptiness == Emptiness::Refused || finding.code != "include-matches-nothing");
        if names.is_empty() && about.is_empty() && emptiness == Emptiness::Refused {
            let finding = Diagnostic::error("empty-workspace", "the workspace has no documents");
            let finding = finding.at(Label::new(config_file, 0..0));
            about.push(
                finding.help("add documents below this folder; `seawall import` writes them from the live policies"),
            );
        }
        out.diagnostics.append(&mut about);
        let named: Vec<(String, PathBuf)> = names.into_iter().map(|name| (name.clone(), root.join(name))).collect();
        let files = source::read_all(&mut out.files, &named, &mut out.diagnostics);
        read.extend(read_documents(&out.files, &files, Role::Member, &mut out.diagnostics));
    }
    let settings = settings.map(|(settings, _)| settings);
    let result = finish(root, settings.as_ref(), emptiness, &read, out, from);
    let wrong = out.diagnostics.get(from..).is_some_and(|new| new.iter().any(|one| one.severity == Severity::Error));
    out.sort();
    if wrong { None } else { settings.map(|settings| (settings, result.0, result.1)) }
}

/// Checks files by themselves, without what only a whole workspace can show.
pub fn check_files(paths: &[PathBuf], out: &mut Findings) {
    let from = out.diagnostics.len();
    let named: Vec<(String, PathBuf)> =
        paths.iter().map(|path| (path.to_string_lossy().replace('\\', "/"), path.clone())).collect();
    let files = source::read_all(&mut out.files, &named, &mut out.diagnostics);
    let read = read_documents(&out.files, &files, Role::Alone, &mut out.diagnostics);
    for file in &read {
        let path = &out.files.get(file.file).path;
        // The way up to a workspace needs an absolute path; where there is none, the path as given is good enough.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let folder = path.parent().unwrap_or_else(|| Path::new("/")).to_owned();
        let root = source::find_root(&folder).unwrap_or(&folder).to_owned();
        finish(&root, None, Emptiness::Accepted, std::slice::from_ref(file), out, from);
    }
    out.sort();
}

/// The part that a file has in what is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The workspace's own file.
    Settings,
    /// A file that the workspace includes.
    Member,
    /// A file given by itself.
    Alone,
}

/// A file's documents.
struct FileDocuments {
    file: FileId,
    documents: Vec<Document>,
    comments: Vec<Comment>,
    findings: Vec<Diagnostic>,
}

impl FileDocuments {
    fn read(files: &Files, file: FileId, role: Role) -> Self {
        let source = files.get(file);
        let mut findings = Vec::new();
        let parsed = source::parse(file, &source.text, &mut findings);
        if parsed.documents.is_empty() && findings.is_empty() {
            let finding = Diagnostic::error("empty-file", "the file holds no document").at(Label::new(file, 0..0));
            findings.push(finding.help("write a document, or delete the file"));
        }
        let settings = |tree: &source::Tree| match role {
            Role::Settings => true,
            Role::Member => false,
            Role::Alone => tree.value.get("kind").and_then(serde_json::Value::as_str) == Some("Workspace"),
        };
        let documents = parsed.documents.into_iter().filter_map(|tree| {
            let settings = settings(&tree);
            document::read(file, tree, settings, &mut findings)
        });
        let documents = documents.collect();
        Self { file, documents, comments: parsed.comments, findings }
    }
}

/// Reads the documents of files, several at a time; the answer is in the order given.
fn read_documents(files: &Files, ids: &[FileId], role: Role, findings: &mut Vec<Diagnostic>) -> Vec<FileDocuments> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(8);
    let share = ids.len().div_ceil(threads).max(16);
    let mut read: Vec<FileDocuments> = thread::scope(|scope| {
        let readers: Vec<_> = ids
            .chunks(share)
            .map(|chunk| {
                scope
                    .spawn(move || chunk.iter().map(|file| FileDocuments::read(files, *file, role)).collect::<Vec<_>>())
            })
            .collect();
        readers.into_iter().flat_map(|reader| reader.join().expect("reading documents does not panic")).collect()
    });
    findings.extend(read.iter_mut().flat_map(|file| std::mem::take(&mut file.findings)));
    read
}

/// Include patterns with their places.
type Include = Option<Vec<(String, Label)>>;

/// What the one document of the workspace's own file says.
fn settings(read: &FileDocuments, out: &mut Findings) -> Option<(Settings, Include)> {
    if let Some(second) = read.documents.get(1) {
        let finding = Diagnostic::error("misplaced-kind", "the workspace's own file holds one document");
        out.diagnostics.push(finding.at(second.head("")).help("move the other documents to their own files"));
    }
    let document = read.documents.first()?;
    let Body::Workspace(settings) = &document.body else { return None };
    let include = settings.include.as_ref().map(|patterns| {
        let labels = (0..patterns.len()).map(|index| document.label(&format!("/include/{index}")));
        patterns.iter().cloned().zip(labels).collect()
    });
    Some((settings.as_ref().clone(), include))
}

/// Resolves what was read and checks it.
fn finish(
    root: &Path,
    settings: Option<&Settings>,
    emptiness: Emptiness,
    read: &[FileDocuments],
    out: &mut Findings,
    from: usize,
) -> (Desired, Vec<Test>) {
    let mut policies = Vec::new();
    let mut tests = Vec::new();
    for document in read.iter().flat_map(|file| &file.documents) {
        policies.extend(document::declare(document, &mut out.files, root, &mut out.diagnostics));
        tests.extend(document::declare_test(document, &out.files));
    }
    let complete = settings.is_some()
        && out.diagnostics.get(from..).is_some_and(|new| new.iter().all(|one| one.severity != Severity::Error));
    let exclusive = settings.and_then(|settings| settings.docker.as_ref()).map(|docker| docker.ownership);
    let nothing = complete && policies.is_empty() && emptiness == Emptiness::Refused;
    if nothing && exclusive == Some(Ownership::Exclusive) {
        let finding = Diagnostic::error("no-policies", "the workspace owns every policy and declares none");
        out.diagnostics.push(finding.help("declare a policy, or write `ownership: declared`"));
    }
    let input = Input { policies: &policies, tests: &tests, settings, files: &out.files, complete };
    run(&input, &mut out.diagnostics);
    let cedar: Vec<(FileId, Vec<Comment>, Tree)> =
        policies.iter().filter_map(|policy| mcp::comments(policy, &out.files)).collect();
    let in_cedar =
        cedar.iter().map(|(file, comments, tree)| Annotated { file: *file, marker: "//", comments, trees: vec![tree] });
    let in_documents = read.iter().map(|file| Annotated {
        file: file.file,
        marker: "#",
        comments: &file.comments,
        trees: file.documents.iter().map(|document| &document.tree).collect(),
    });
    let annotated: Vec<Annotated<'_>> = in_documents.chain(in_cedar).collect();
    silence::apply(&out.files, &annotated, &mut out.diagnostics, from);
    let mut policies: Vec<_> = policies.into_iter().map(|declared| declared.desired).collect();
    policies.sort_by(|a, b| a.policy.name.cmp(&b.policy.name));
    (Desired { policies }, tests)
}
