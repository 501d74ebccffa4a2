//! A workspace from its files to what it means: discover, parse, check against the schema, resolve, check.
//!
//! Invariant: there is a [`Loaded`] only when nothing is wrong with any document; a plan is never made from a part.

use std::collections::BTreeMap;
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
    let mut findings = Vec::new();
    let loaded = read_workspace(root, config, emptiness, &mut out.files, &mut findings);
    let wrong = has_errors(&findings);
    out.diagnostics.append(&mut findings);
    out.sort();
    loaded.filter(|_| !wrong)
}

fn has_errors(findings: &[Diagnostic]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

fn read_workspace(
    root: &Path,
    config: Option<&Path>,
    emptiness: Emptiness,
    files: &mut Files,
    findings: &mut Vec<Diagnostic>,
) -> Option<(Settings, Desired, Vec<Test>)> {
    let config = config.map_or_else(|| root.join(CONFIG_NAME), Path::to_owned);
    let name = config.strip_prefix(root).unwrap_or(&config).to_string_lossy().replace('\\', "/");
    let config_file = source::add_file(files, &name, &config, findings)?;
    let mut own = FileDocuments::read(files, config_file, Role::Settings);
    findings.append(&mut own.findings);
    let (settings, include) = settings(&own, findings)?;
    let names = discover(root, &config, include.as_deref(), emptiness, findings);
    if names.is_empty() && !has_errors(findings) && emptiness == Emptiness::Refused {
        let finding = Diagnostic::error("empty-workspace", "the workspace has no documents");
        let finding = finding.at(Label::new(config_file, 0..0));
        findings
            .push(finding.help("add documents below this folder; `seawall import` writes them from the live policies"));
    }
    let named: Vec<(String, PathBuf)> = names.into_iter().map(|name| (name.clone(), root.join(name))).collect();
    let ids = source::read_all(files, &named, findings);
    let mut read = read_documents(files, &ids, Role::Member);
    findings.extend(read.iter_mut().flat_map(|file| std::mem::take(&mut file.findings)));
    read.insert(0, own);
    let (desired, tests) = finish(root, Some((&settings, emptiness)), &read, files, findings);
    Some((settings, desired, tests))
}

/// The names of the workspace's files. `import` starts from patterns that match nothing yet.
fn discover(
    root: &Path,
    config: &Path,
    include: Option<&[(String, Label)]>,
    emptiness: Emptiness,
    findings: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let mut about = Vec::new();
    let names = source::discover(root, config, include, &mut about);
    about.retain(|finding| emptiness == Emptiness::Refused || finding.code != "include-matches-nothing");
    findings.append(&mut about);
    names
}

/// Checks files by themselves, without what only a whole workspace can show.
pub fn check_files(paths: &[PathBuf], out: &mut Findings) {
    let named: Vec<(String, PathBuf)> =
        paths.iter().map(|path| (path.to_string_lossy().replace('\\', "/"), path.clone())).collect();
    let ids = source::read_all(&mut out.files, &named, &mut out.diagnostics);
    let mut roots: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for mut file in read_documents(&out.files, &ids, Role::Alone) {
        let folder = out.files.get(file.file).path.parent().unwrap_or_else(|| Path::new("")).to_owned();
        let root = roots.entry(folder).or_insert_with_key(|folder| root_around(folder));
        let mut findings = std::mem::take(&mut file.findings);
        finish(root, None, std::slice::from_ref(&file), &mut out.files, &mut findings);
        out.diagnostics.append(&mut findings);
    }
    out.sort();
}

/// The workspace around a folder, or the folder itself.
fn root_around(folder: &Path) -> PathBuf {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // The way up needs an absolute path; where there is none, the path as given is good enough.
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    source::find_root(&folder).unwrap_or(&folder).to_owned()
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
        if parsed.documents.is_empty() && !has_errors(&findings) {
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
fn read_documents(files: &Files, ids: &[FileId], role: Role) -> Vec<FileDocuments> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(8);
    let share = ids.len().div_ceil(threads).max(16);
    thread::scope(|scope| {
        let readers: Vec<_> = ids
            .chunks(share)
            .map(|chunk| {
                scope
                    .spawn(move || chunk.iter().map(|file| FileDocuments::read(files, *file, role)).collect::<Vec<_>>())
            })
            .collect();
        readers.into_iter().flat_map(|reader| reader.join().expect("reading documents does not panic")).collect()
    })
}

/// Include patterns with their places.
type Include = Option<Vec<(String, Label)>>;

/// What the one document of the workspace's own file says.
fn settings(read: &FileDocuments, findings: &mut Vec<Diagnostic>) -> Option<(Settings, Include)> {
    if let Some(second) = read.documents.get(1) {
        let finding = Diagnostic::error("misplaced-kind", "the workspace's own file holds one document");
        findings.push(finding.at(second.head("")).help("move the other documents to their own files"));
    }
    let document = read.documents.first()?;
    let Body::Workspace(settings) = &document.body else { return None };
    let include = settings.include.as_ref().map(|patterns| {
        let labels = (0..patterns.len()).map(|index| document.label(&format!("/include/{index}")));
        patterns.iter().cloned().zip(labels).collect()
    });
    Some((settings.as_ref().clone(), include))
}

/// Resolves what was read and checks it. For files by themselves there are no settings.
fn finish(
    root: &Path,
    settings: Option<(&Settings, Emptiness)>,
    read: &[FileDocuments],
    files: &mut Files,
    findings: &mut Vec<Diagnostic>,
) -> (Desired, Vec<Test>) {
    let mut policies = Vec::new();
    let mut agents = Vec::new();
    let mut tests = Vec::new();
    for document in read.iter().flat_map(|file| &file.documents) {
        policies.extend(document::declare(document, files, root, findings));
        agents.extend(document::declare_agent(document, files, root, findings));
        tests.extend(document::declare_test(document, files));
    }
    let complete = settings.is_some() && !has_errors(findings);
    let exclusive = settings.is_some_and(|(settings, emptiness)| {
        let docker = settings.docker.as_ref();
        emptiness == Emptiness::Refused && docker.is_some_and(|docker| docker.ownership == Ownership::Exclusive)
    });
    if complete && exclusive && policies.is_empty() {
        let finding = Diagnostic::error("no-policies", "the workspace owns every policy and declares none");
        findings.push(finding.help("declare a policy, or write `ownership: declared`"));
    }
    let owns_agents = settings.is_some_and(|(settings, emptiness)| {
        let vijil = settings.vijil.as_ref();
        emptiness == Emptiness::Refused && vijil.is_some_and(|vijil| vijil.ownership == Ownership::Exclusive)
    });
    if complete && owns_agents && agents.is_empty() {
        let finding = Diagnostic::error("no-policies", "the workspace owns every policy for agents and declares none");
        findings.push(finding.help("declare a policy, or write `ownership: declared` in `vijil`"));
    }
    let settings = settings.map(|(settings, _)| settings);
    run(&Input { policies: &policies, agents: &agents, tests: &tests, settings, files, complete }, findings);
    let cedar: Vec<(FileId, Vec<Comment>, Tree)> =
        policies.iter().filter_map(|policy| mcp::comments(policy, files)).collect();
    let in_cedar =
        cedar.iter().map(|(file, comments, tree)| Annotated { file: *file, marker: "//", comments, trees: vec![tree] });
    let in_documents = read.iter().map(|file| Annotated {
        file: file.file,
        marker: "#",
        comments: &file.comments,
        trees: file.documents.iter().map(|document| &document.tree).collect(),
    });
    let annotated: Vec<Annotated<'_>> = in_documents.chain(in_cedar).collect();
    silence::apply(files, &annotated, findings);
    let mut policies: Vec<_> = policies.into_iter().map(|declared| declared.desired).collect();
    policies.sort_by(|a, b| a.policy.name.cmp(&b.policy.name));
    let mut agents: Vec<_> = agents.into_iter().map(|declared| declared.desired).collect();
    agents.sort_by(|a, b| a.name.cmp(&b.name));
    (Desired { policies, agents }, tests)
}
