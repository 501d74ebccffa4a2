//! Which files belong to a workspace.
//!
//! Invariant: every file below the root that the include patterns match is in the answer or in a finding; a pattern
//! that matches nothing is a finding.

use std::fs;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::{DirEntry, WalkDir};

use super::{parallel, read};
use crate::diagnostic::{Diagnostic, FileId, Files, Label};

/// The file that makes a folder a workspace.
pub const CONFIG_NAME: &str = "seawall.yaml";

/// The patterns of a workspace that has none.
const DEFAULT_INCLUDE: [&str; 2] = ["**/*.yaml", "**/*.yml"];

/// Folders that never hold documents.
const SKIPPED: [&str; 2] = [".git", ".seawall"];

/// The nearest folder from `start` upward that holds a [`CONFIG_NAME`]. `start` should be absolute, since the way up
/// from a relative path ends early.
#[must_use]
pub fn find_root(start: &Path) -> Option<&Path> {
    start.ancestors().find(|folder| folder.join(CONFIG_NAME).is_file())
}

/// Whether a file of this name, relative to the workspace with `/` between segments, would belong to it.
#[must_use]
pub fn includes(include: Option<&[String]>, name: &str) -> bool {
    let written = include.map(|patterns| {
        let nowhere = Label::new(FileId::default(), 0..0);
        patterns.iter().map(|text| (text.clone(), nowhere.clone())).collect::<Vec<_>>()
    });
    let skipped = name == CONFIG_NAME || name.split('/').any(|segment| SKIPPED.contains(&segment));
    !skipped && compile(written.as_deref(), &mut Vec::new()).iter().any(|pattern| pattern.matcher.is_match(name))
}

/// An include pattern with its place in the workspace's settings.
struct Pattern {
    matcher: GlobMatcher,
    /// Absent for the patterns of a workspace that has none: those may match nothing.
    written: Option<(String, Label)>,
    matched: bool,
}

/// The files below `root` that the patterns match, as paths relative to it with `/` between segments, sorted. Without
/// patterns, every `*.yaml` and `*.yml`. `config` is the file of the workspace's own settings and never among them.
pub fn discover(
    root: &Path,
    config: &Path,
    include: Option<&[(String, Label)]>,
    findings: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let mut patterns = compile(include, findings);
    let mut found = Vec::new();
    let walk = WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter().filter_entry(|entry| !skipped(entry));
    for entry in walk {
        match entry {
            Ok(entry) => consider(root, config, &entry, &mut patterns, &mut found, findings),
            Err(error) => {
                let path = error.path().map(|path| relative(root, path)).unwrap_or_default();
                let reason = error.io_error().map_or_else(|| error.to_string(), read::reason);
                findings.push(Diagnostic::error("unreadable-file", format!("`{path}` cannot be read: {reason}")));
            }
        }
    }
    for pattern in patterns {
        if let (false, Some((text, label))) = (pattern.matched, pattern.written) {
            let finding = Diagnostic::error("include-matches-nothing", format!("`{text}` matches no file"));
            findings.push(
                finding.at(label).help("correct the pattern, or remove it; patterns start at the workspace's folder"),
            );
        }
    }
    found.sort();
    found
}

fn compile(include: Option<&[(String, Label)]>, findings: &mut Vec<Diagnostic>) -> Vec<Pattern> {
    let written: Vec<(String, Option<Label>)> = match include {
        Some(patterns) => patterns.iter().map(|(text, label)| (text.clone(), Some(label.clone()))).collect(),
        None => DEFAULT_INCLUDE.iter().map(|text| ((*text).to_owned(), None)).collect(),
    };
    let mut patterns = Vec::new();
    for (text, label) in written {
        // `./policies/*.yaml` is what a shell completes.
        let glob = GlobBuilder::new(text.strip_prefix("./").unwrap_or(&text)).literal_separator(true).build();
        let outside = text.starts_with('/') || text.split('/').any(|segment| segment == "..");
        let problem = match &glob {
            Err(error) => Some(format!("`{text}` is not a pattern: {}", error.kind())),
            Ok(_) if outside => Some(format!("`{text}` leads outside of the workspace")),
            Ok(_) => None,
        };
        match (glob, problem, label) {
            (_, Some(problem), Some(label)) => findings.push(Diagnostic::error("include-pattern", problem).at(label)),
            (Ok(glob), _, label) => {
                let written = label.map(|label| (text, label));
                patterns.push(Pattern { matcher: glob.compile_matcher(), written, matched: false });
            }
            (Err(_), _, None) | (Err(_), None, Some(_)) => {}
        }
    }
    patterns
}

fn skipped(entry: &DirEntry) -> bool {
    entry.file_type().is_dir() && SKIPPED.iter().any(|name| entry.file_name() == *name)
}

/// Adds the entry where a pattern matches it.
fn consider(
    root: &Path,
    config: &Path,
    entry: &DirEntry,
    patterns: &mut [Pattern],
    found: &mut Vec<String>,
    findings: &mut Vec<Diagnostic>,
) {
    let name = relative(root, entry.path());
    let own = entry.path() == config || name == CONFIG_NAME;
    if entry.file_type().is_dir() || own {
        return;
    }
    let target = entry.file_type().is_symlink().then(|| fs::canonicalize(entry.path()));
    if let Some(Ok(folder)) = target.as_ref().filter(|target| target.as_ref().is_ok_and(|path| path.is_dir())) {
        // The folder itself is walked where it lies in the workspace; elsewhere it would be left out in silence.
        let inside = fs::canonicalize(root).is_ok_and(|root| folder.starts_with(root));
        let relevant = ["x.yaml", "x.yml"]
            .iter()
            .any(|file| patterns.iter().any(|pattern| pattern.matcher.is_match(format!("{name}/{file}"))));
        if !inside && relevant {
            let message = format!("`{name}` is a link to a folder outside of the workspace, and is not searched");
            let finding = Diagnostic::warning("linked-folder", message);
            findings.push(finding.help("move the documents into the workspace, or leave the link out with `include`"));
        }
        return;
    }
    let mut matched = false;
    for pattern in patterns {
        if pattern.matcher.is_match(&name) {
            pattern.matched = true;
            matched = true;
        }
    }
    if !matched {
        return;
    }
    let outside = match (target, fs::canonicalize(root)) {
        (Some(Ok(target)), Ok(root)) => !target.starts_with(root),
        // A link that leads nowhere is reported where it is read.
        _ => false,
    };
    if outside {
        let message = format!("`{name}` is a link to a file outside of the workspace");
        findings.push(Diagnostic::error("outside-workspace", message).help("move the file into the workspace"));
    } else {
        found.push(name);
    }
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Reads files, several at a time, and adds them to `files` in the order given. A file that cannot be read is a finding
/// and missing from the answer.
pub fn read_all(files: &mut Files, named: &[(String, PathBuf)], findings: &mut Vec<Diagnostic>) -> Vec<FileId> {
    let contents = parallel::map(named.iter().collect(), 64, |(name, path)| read::open(files, name, path));
    named
        .iter()
        .zip(contents)
        .filter_map(|((name, path), content)| read::add(files, name, path, content, findings))
        .collect()
}
