//! Loads a workspace: discover, parse, check against the schema, resolve, check.
//!
//! Invariant: a [`Loaded`] exists only if no document has an error, since a plan must never be made
//! from a part of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

mod declarations;
mod file;

use self::declarations::Declarations;
use self::file::{FileDocuments, Role, read_documents};
use crate::check::{Wanted, orgs, protected};
use crate::diagnostic::{
    Diagnostic, FileId, Files, Findings, Label, Overlay, Severity, has_errors, nearest,
};
use crate::document::{Body, Settings};
use crate::model::{Desired, Test};
use crate::source::disk::{FileError, Root};
use crate::source::{self, CONFIG_NAME, parallel};

/// A workspace without errors.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The workspace's folder.
    pub root: PathBuf,
    /// The settings of `seawall.yaml`.
    pub settings: Settings,
    /// The declared policies.
    pub desired: Desired,
    /// The access tests, sorted by file and place.
    pub tests: Vec<Test>,
    /// The files, with the warnings and notes about them.
    pub findings: Findings,
}

/// The treatment of a workspace without declarations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyWorkspace {
    /// An error, since they may be missing by accident.
    Refused,
    /// Accepted, for `import` only, which may start from nothing.
    Accepted,
}

/// Loads the workspace in the folder `root`; `config` replaces its `seawall.yaml`.
///
/// # Errors
/// Returns all findings if there is an error, warnings included.
pub fn load(
    root: &Path,
    config: Option<&Path>,
    emptiness: EmptyWorkspace,
) -> Result<Loaded, Findings> {
    load_over(root, config, emptiness, Overlay::new())
}

/// Loads the workspace with the texts of `overlay` in place of its files.
///
/// # Errors
/// Returns all findings if there is an error, warnings included.
pub fn load_over(
    root: &Path,
    config: Option<&Path>,
    emptiness: EmptyWorkspace,
    overlay: Overlay,
) -> Result<Loaded, Findings> {
    load_wanted(root, config, emptiness, overlay, Wanted::All)
}

/// Loads a workspace that is only compared with: an earlier state, about which nobody wants to be
/// warned. It may have more warnings and notes than are found. If it has an error, all of its
/// findings are returned, as [`load`] does.
///
/// # Errors
/// Returns all findings if there is an error, warnings included.
pub fn load_base(
    root: &Path,
    config: Option<&Path>,
    emptiness: EmptyWorkspace,
) -> Result<Loaded, Findings> {
    load_wanted(root, config, emptiness, Overlay::new(), Wanted::Errors)
        .or_else(|_| load(root, config, emptiness))
}

fn load_wanted(
    root: &Path,
    config: Option<&Path>,
    emptiness: EmptyWorkspace,
    overlay: Overlay,
    wanted: Wanted,
) -> Result<Loaded, Findings> {
    let mut findings = Findings { files: Files::over(overlay), ..Findings::default() };
    match load_wanted_into(root, config, emptiness, wanted, &mut findings) {
        Some((settings, desired, tests)) => {
            Ok(Loaded { root: root.to_owned(), settings, desired, tests, findings })
        }
        None => Err(findings),
    }
}

/// The settings in a text alone: those of another version of a workspace, which `name` identifies.
/// # Errors
/// Returns all findings if there is an error.
pub fn read_settings(name: &str, text: &str) -> Result<Settings, Findings> {
    let mut out = Findings::default();
    let file = out.files.add(name, name, text);
    let mut read = FileDocuments::read(&out.files, file, Role::Settings);
    out.diagnostics.append(&mut read.findings);
    let found = settings(&read, &mut out.diagnostics);
    match found.filter(|_| !has_errors(&out.diagnostics)) {
        Some((settings, _)) => Ok(settings),
        None => Err(out),
    }
}

/// Loads a workspace, and adds its files and findings to others.
pub fn load_into(
    root: &Path,
    config: Option<&Path>,
    emptiness: EmptyWorkspace,
    out: &mut Findings,
) -> Option<(Settings, Desired, Vec<Test>)> {
    load_wanted_into(root, config, emptiness, Wanted::All, out)
}

fn load_wanted_into(
    root: &Path,
    config: Option<&Path>,
    emptiness: EmptyWorkspace,
    wanted: Wanted,
    out: &mut Findings,
) -> Option<Content> {
    let mut findings = Vec::new();
    let loaded = read_workspace(root, config, (emptiness, wanted), out, &mut findings);
    let wrong = has_errors(&findings);
    out.diagnostics.append(&mut findings);
    let own = config.map_or_else(|| root.join(CONFIG_NAME), Path::to_owned);
    out.place_at(&config_name(root, &own), &own);
    out.sort();
    loaded.filter(|_| !wrong)
}

/// Contents of a workspace: settings, declared state and access tests.
type Content = (Settings, Desired, Vec<Test>);

/// Reads and checks the documents of a workspace, also where its settings have errors: these hide
/// no error of a document. Returns `None` without settings.
fn read_workspace(
    root: &Path,
    config: Option<&Path>,
    (emptiness, wanted): (EmptyWorkspace, Wanted),
    Findings { files, suppressions, unchecked, .. }: &mut Findings,
    findings: &mut Vec<Diagnostic>,
) -> Option<Content> {
    let config_root = settings_root(root, config);
    let config = config.map_or_else(|| root.join(CONFIG_NAME), Path::to_owned);
    let name = config_name(root, &config);
    unchecked.documents = true;
    let config_file = source::add_file(files, config_root, &name, &config, findings)?;
    let mut own = FileDocuments::read(files, config_file, Role::Settings);
    findings.append(&mut own.findings);
    let settings = settings(&own, findings);
    let include = match &settings {
        Some((_, include)) => include.clone(),
        None => readable_include(config_file, &files.get(config_file).text)?,
    };
    unchecked.documents = false;
    let settings = settings.map(|(settings, _)| settings);
    let found = discover(root, &config, include.as_deref(), emptiness, findings).into_iter();
    let mut names: BTreeSet<String> =
        found.filter(|name| files.instead(name) != Some(&None)).collect();
    let patterns: Option<Vec<String>> =
        include.map(|include| include.into_iter().map(|(pattern, _)| pattern).collect());
    let included = |name: &&str| source::includes(patterns.as_deref(), name);
    names.extend(files.added().filter(included).map(str::to_owned));
    if names.is_empty() && !has_errors(findings) && emptiness == EmptyWorkspace::Refused {
        let finding = Diagnostic::error("empty-workspace", "the workspace has no documents");
        let finding = finding.at(Label::new(config_file, 0..0));
        findings.push(finding.help("add documents below this folder"));
    }
    let named: Vec<(String, PathBuf)> =
        names.into_iter().map(|name| (name.clone(), root.join(name))).collect();
    let ids = source::read_all(files, root, &named, findings);
    let mut read = read_documents(files, &ids, Role::Member);
    findings.extend(read.iter_mut().flat_map(|file| std::mem::take(&mut file.findings)));
    read.insert(0, own);
    let declarations = Declarations::new(root, &read, files, findings);
    // What can be read of the settings is checked as a whole.
    let whole = settings.is_some().then_some(config_file);
    unchecked.files.extend(unread(files, findings, whole));
    let complete = !has_errors(findings);
    unchecked.relations |= !complete;
    let about = settings.as_ref().map(|settings| (settings, emptiness));
    suppressions.append(&mut declarations.examine(about, &read, files, wanted, findings));
    let (desired, tests) = declarations.into_desired(files);
    // A missing declaration may be in a document that could not be read.
    if complete
        && emptiness == EmptyWorkspace::Refused
        && let Some(document) = read.first().and_then(|own| own.documents.first())
        && let Some(settings) = &settings
    {
        protected::look(document, settings, &desired, findings);
    }
    Some((settings?, desired, tests))
}

/// The names of the files that could not be read in full: those with errors before any check runs,
/// except for `whole`.
fn unread(files: &Files, findings: &[Diagnostic], whole: Option<FileId>) -> Vec<String> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let places = errors.filter_map(|finding| finding.primary.as_ref().map(|label| label.file));
    let unread = places.filter(|file| Some(*file) != whole);
    unread.map(|file| files.get(file).name.clone()).collect()
}

/// The folder that the workspace's own file may not leave: its own, or that around a file named on
/// the command line.
fn settings_root(root: &Path, config: Option<&Path>) -> Result<Root, FileError> {
    config.map_or_else(|| Root::new(root), Root::around)
}

/// The name of the workspace's own file in findings.
fn config_name(root: &Path, config: &Path) -> String {
    config.strip_prefix(root).unwrap_or(config).to_string_lossy().replace('\\', "/")
}

/// The names of the workspace's files. `import` starts with patterns that match nothing yet.
fn discover(
    root: &Path,
    config: &Path,
    include: Option<&[(String, Label)]>,
    emptiness: EmptyWorkspace,
    findings: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let mut about = Vec::new();
    let names = source::discover(root, config, include, &mut about);
    about.retain(|finding| {
        emptiness == EmptyWorkspace::Refused || finding.code != "include-matches-nothing"
    });
    findings.append(&mut about);
    names
}

/// The files of a workspace with their paths, its own first. Only the patterns in its settings are
/// used, so that other mistakes in them hide no file.
pub fn files(root: &Path, config: Option<&Path>, out: &mut Findings) -> Vec<(String, PathBuf)> {
    let config_root = settings_root(root, config);
    let config = config.map_or_else(|| root.join(CONFIG_NAME), Path::to_owned);
    let name = config_name(root, &config);
    let mut settings = Files::default();
    let mut unread = Vec::new();
    let file = source::add_file(&mut settings, config_root, &name, &config, &mut unread);
    let own = (name.clone(), config.clone());
    // Its faults are reported when the file is read again.
    let Some(file) = file else { return vec![own] };
    let Some(include) = readable_include(file, &settings.get(file).text) else { return vec![own] };
    let mut findings = Vec::new();
    let found = source::discover(root, &config, include.as_deref(), &mut findings);
    for mut finding in findings {
        // The places are in a file that `out` does not have.
        finding.primary = None;
        out.diagnostics.push(finding);
    }
    out.place_at(&name, &config);
    std::iter::once(own)
        .chain(found.into_iter().map(|name| (name.clone(), root.join(name))))
        .collect()
}

/// The include patterns of settings that may have other errors. `None` if these may be about the
/// patterns, so that it is open which files there are.
fn readable_include(file: FileId, text: &str) -> Option<Include> {
    let mut broken = Vec::new();
    let parsed = source::parse(file, text, &mut broken);
    if has_errors(&broken) {
        return None;
    }
    let Some(document) = parsed.documents.first() else { return Some(None) };
    let keys = document.value.as_object()?;
    let is_misspelt = |key: &String| key != "include" && nearest(key, ["include"]).is_some();
    if keys.keys().any(is_misspelt) {
        return None;
    }
    let Some(patterns) = keys.get("include") else { return Some(None) };
    let place =
        |pattern: &serde_json::Value| Some((pattern.as_str()?.to_owned(), Label::new(file, 0..0)));
    patterns.as_array()?.iter().map(place).collect::<Option<Vec<_>>>().map(Some)
}

/// Checks files individually, without the checks that require a whole workspace.
pub fn check_files(paths: &[PathBuf], out: &mut Findings) {
    // Files of a folder share what is around it.
    let mut folders: BTreeMap<&Path, (PathBuf, Option<Root>)> = BTreeMap::new();
    // A path that ends in `..` is of another folder than it looks.
    let is_of_folder = |path: &Path| path.file_name().is_some();
    for path in paths {
        let around = || Root::around(path).ok().filter(|_| is_of_folder(path));
        let folder = folder(path);
        folders.entry(folder).or_insert_with(|| (root_around(folder), around()));
    }
    let found = parallel::map(paths.iter().collect(), 16, |path: &PathBuf| {
        let known = folders.get(folder(path));
        let root = known.map_or(folder(path), |(root, _)| root.as_path());
        let around = known.and_then(|(_, around)| around.clone()).filter(|_| is_of_folder(path));
        check_file(path, root, around.map_or_else(|| Root::around(path), Ok))
    });
    found.into_iter().for_each(|one| out.append(one));
    out.sort();
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or_else(|| Path::new(""))
}

/// Reads and checks one file at a time, so that memory holds only the documents in progress.
fn check_file(path: &Path, root: &Path, around: Result<Root, FileError>) -> Findings {
    let mut found = Findings::default();
    let Findings { files, diagnostics, suppressions, unchecked } = &mut found;
    let name = path.to_string_lossy().replace('\\', "/");
    if let Some(file) = source::add_file(files, around, &name, path, diagnostics) {
        let mut read = FileDocuments::read(files, file, Role::Alone);
        diagnostics.append(&mut read.findings);
        let read = std::slice::from_ref(&read);
        let declarations = Declarations::new(root, read, files, diagnostics);
        unchecked.files.extend(unread(files, diagnostics, None));
        *suppressions = declarations.examine(None, read, files, Wanted::All, diagnostics);
    }
    // The file is included to show its findings.
    if diagnostics.is_empty() { Findings::default() } else { found }
}

/// The workspace around a folder, or the folder itself.
#[must_use]
pub fn root_around(folder: &Path) -> PathBuf {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // The way up requires an absolute path; without one, the path as given is used.
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    source::find_root(&folder).unwrap_or(&folder).to_owned()
}

/// Include patterns with their places.
type Include = Option<Vec<(String, Label)>>;

/// The content of the only document of the workspace's own file.
fn settings(read: &FileDocuments, findings: &mut Vec<Diagnostic>) -> Option<(Settings, Include)> {
    if let Some(second) = read.documents.get(1) {
        let finding =
            Diagnostic::error("misplaced-kind", "the workspace's own file holds one document");
        findings
            .push(finding.at(second.head("")).help("move the other documents to their own files"));
    }
    let document = read.documents.first()?;
    let Body::Workspace(settings) = &document.body else { return None };
    let include = settings.include.as_ref().map(|patterns| {
        let labels = (0..patterns.len()).map(|index| document.label(&format!("/include/{index}")));
        patterns.iter().cloned().zip(labels).collect()
    });
    let orgs = settings.docker.as_ref().and_then(|docker| docker.orgs.as_ref());
    orgs::clashes(document, orgs.map_or(&[], Vec::as_slice), findings);
    Some((settings.as_ref().clone(), include))
}
