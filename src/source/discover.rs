//! Discovery of the files that belong to a workspace.
//!
//! Invariant: every file below the root that the include patterns match is returned or reported; a
//! pattern that matches nothing is reported.

use std::path::{Path, PathBuf};

use globset::GlobMatcher;
use walkdir::DirEntry;

use super::disk::{self, Root, is_internal};
use super::{parallel, pattern, read, submodules};
use crate::diagnostic::{Diagnostic, FileId, Files, Label};

/// The file that makes a folder a workspace.
pub const CONFIG_NAME: &str = "seawall.yaml";

/// The default patterns.
const DEFAULT_INCLUDE: [&str; 2] = ["**/*.yaml", "**/*.yml"];

/// The nearest folder with a [`CONFIG_NAME`], from `start` upward. `start` should be absolute,
/// since a relative path has no further parents.
#[must_use]
pub fn find_root(start: &Path) -> Option<&Path> {
    start.ancestors().find(|folder| folder.join(CONFIG_NAME).is_file())
}

/// Returns `true` if a file of this name, relative to the workspace with `/` between segments,
/// would belong to it.
#[must_use]
pub fn includes(include: Option<&[String]>, name: &str) -> bool {
    let written = include.map(|patterns| {
        let nowhere = Label::new(FileId::default(), 0..0);
        patterns.iter().map(|text| (text.clone(), nowhere.clone())).collect::<Vec<_>>()
    });
    let skipped =
        name == CONFIG_NAME || name.split('/').any(|segment| is_internal(segment.as_ref()));
    !skipped
        && compile(written.as_deref(), &mut Vec::new()).iter().any(|pattern| pattern.takes(name))
}

/// An include pattern with its place in the workspace's settings.
struct Pattern {
    matcher: GlobMatcher,
    /// The place; `None` for the default patterns, which may match nothing.
    written: Option<(String, Label)>,
    matched: bool,
}

impl Pattern {
    /// Returns `true` if the pattern includes a file of this name. The letter case of `.yaml` and
    /// `.yml` is ignored, so that no document is skipped because of it. Hidden files are not
    /// documents, as for a shell, unless the pattern names a hidden segment itself.
    fn takes(&self, name: &str) -> bool {
        if is_hidden(name) && !self.names_hidden() {
            return false;
        }
        self.matcher.is_match(name)
            || name.rsplit_once('.').is_some_and(|(stem, extension)| {
                let lower = extension.to_ascii_lowercase();
                matches!(lower.as_str(), "yaml" | "yml")
                    && self.matcher.is_match(format!("{stem}.{lower}"))
            })
    }
}

impl Pattern {
    /// Returns `true` if a segment of the pattern starts with a dot.
    fn names_hidden(&self) -> bool {
        let Some((text, _)) = &self.written else { return false };
        let text = text.strip_prefix("./").unwrap_or(text);
        text.split(['/', '{', ','])
            .any(|part| part.starts_with('.') || part.starts_with("\\.") || part.starts_with("[.]"))
    }

    /// Returns `true` if the pattern may match a file in a folder.
    fn reaches_into(&self, folder: &str) -> bool {
        let text = self.written.as_ref().map_or("**", |(text, _)| text);
        let text = text.strip_prefix("./").unwrap_or(text);
        let literal = text.split(['*', '?', '[', '{', '\\']).next().unwrap_or_default();
        let folder = format!("{folder}/");
        let left_out = is_hidden(&folder) && !self.names_hidden();
        !left_out && (folder.starts_with(literal) || literal.starts_with(&folder))
    }
}

/// The files below `root` that the patterns match, as sorted paths relative to it with `/` between
/// segments. Without patterns, every `*.yaml` and `*.yml` in any letter case, except hidden files
/// and folders (`.github`). `config` is the file of the workspace's settings, and is never
/// returned.
pub fn discover(
    root: &Path,
    config: &Path,
    include: Option<&[(String, Label)]>,
    findings: &mut Vec<Diagnostic>,
) -> Vec<String> {
    let mut patterns = compile(include, findings);
    let mut found = Vec::new();
    let mut links = Vec::new();
    for entry in disk::walk(root).filter_entry(|entry| !is_internal(entry.file_name())) {
        match entry {
            Ok(entry) if entry.file_type().is_symlink() && entry.path().is_dir() => {
                links.push(entry);
            }
            Ok(entry) => consider(root, config, &entry, &mut patterns, &mut found),
            Err(error) => {
                let path = error.path().map(|path| relative(root, path)).unwrap_or_default();
                let reason = error.io_error().map_or_else(|| error.to_string(), disk::reason);
                let finding = Diagnostic::error(
                    "unreadable-file",
                    format!("`{path}` cannot be read: {reason}"),
                );
                findings.push(
                    finding.help(
                        "give this user the right to read it, or leave it out with `include`",
                    ),
                );
            }
        }
    }
    found.sort();
    for link in links {
        findings.extend(unsearched(root, &link, &patterns, &found));
    }
    for name in submodules::left_out(root) {
        if patterns.iter().any(|pattern| pattern.reaches_into(&name)) {
            let message = format!("`{name}` is a submodule whose files are not there");
            let help =
                "check it out with `git submodule update --init`, or leave it out with `include`";
            findings.push(Diagnostic::error("missing-submodule", message).help(help));
        }
    }
    for pattern in patterns {
        if let (false, Some((text, label))) = (pattern.matched, pattern.written) {
            let finding =
                Diagnostic::error("include-matches-nothing", format!("`{text}` matches no file"));
            findings.push(finding.at(label).help(
                "correct the pattern, or remove it; patterns start at the workspace's folder",
            ));
        }
    }
    found
}

/// The finding about a link to a folder whose documents would be left out silently. A folder inside
/// of the workspace is searched under its own name, which the patterns may not match.
fn unsearched(
    root: &Path,
    link: &DirEntry,
    patterns: &[Pattern],
    found: &[String],
) -> Option<Diagnostic> {
    let name = relative(root, link.path());
    let takes = |inner: &str| {
        let inner = format!("{name}/{inner}");
        patterns.iter().any(|pattern| pattern.takes(&inner))
    };
    let warning = |message: String| Diagnostic::warning("linked-folder", message);
    let Ok(target) = Root::new(root).and_then(|root| root.name(link.path())) else {
        let message =
            format!("`{name}` is a link to a folder outside of the workspace, and is not searched");
        let help = "move the documents into the workspace, or leave the link out with `include`";
        return ["x.yaml", "x.yml"].into_iter().any(takes).then(|| warning(message).help(help));
    };
    let folder = root.join(&target);
    let files = disk::walk(&folder).filter_entry(|entry| !is_internal(entry.file_name())).flatten();
    let mut files = files.filter(|entry| entry.file_type().is_file());
    let is_left_out = files.any(|file| {
        let own = relative(root, file.path());
        own != CONFIG_NAME
            && found.binary_search(&own).is_err()
            && takes(&relative(&folder, file.path()))
    });
    is_left_out.then(|| {
        let message = format!("`{name}` is a link to the folder `{target}`, and is not searched");
        warning(message)
            .help(format!("add `{target}/**/*.yaml` to `include`, or leave the link out there"))
    })
}

fn compile(include: Option<&[(String, Label)]>, findings: &mut Vec<Diagnostic>) -> Vec<Pattern> {
    let written: Vec<(String, Option<Label>)> = match include {
        Some(patterns) => {
            patterns.iter().map(|(text, label)| (text.clone(), Some(label.clone()))).collect()
        }
        None => DEFAULT_INCLUDE.iter().map(|text| ((*text).to_owned(), None)).collect(),
    };
    let mut patterns = Vec::new();
    for (text, label) in written {
        // `./policies/*.yaml` is the form that a shell completes.
        let compiled = pattern::compile(text.strip_prefix("./").unwrap_or(&text), true);
        let outside = text.starts_with('/') || text.split('/').any(|segment| segment == "..");
        let problem = match &compiled {
            Err(reason) => Some(format!("`{text}` is not a pattern: {reason}")),
            Ok(_) if outside => Some(format!("`{text}` leads outside of the workspace")),
            Ok(_) => None,
        };
        match (compiled, problem, label) {
            (_, Some(problem), Some(label)) => {
                let finding = Diagnostic::error("include-pattern", problem).at(label);
                findings.push(finding.help(
                    "write a pattern below the workspace's folder, such as `policies/**/*.yaml`",
                ));
            }
            (Ok(matcher), _, label) => {
                let written = label.map(|label| (text, label));
                patterns.push(Pattern { matcher, written, matched: false });
            }
            (Err(_), _, None) | (Err(_), None, Some(_)) => {}
        }
    }
    patterns
}

/// Adds the entry if a pattern matches it.
fn consider(
    root: &Path,
    config: &Path,
    entry: &DirEntry,
    patterns: &mut [Pattern],
    found: &mut Vec<String>,
) {
    let name = relative(root, entry.path());
    let own = entry.path() == config || name == CONFIG_NAME;
    if entry.file_type().is_dir() || own {
        return;
    }
    let mut matched = false;
    for pattern in patterns {
        if pattern.takes(&name) {
            pattern.matched = true;
            matched = true;
        }
    }
    // A link that leads elsewhere or nowhere is reported when it is read.
    if matched {
        found.push(name);
    }
}

fn is_hidden(name: &str) -> bool {
    name.split('/').any(|segment| segment.starts_with('.'))
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Reads files of the workspace in `root`, several at a time, and adds them to `files` in the order
/// given. A file that cannot be read is reported and not returned.
pub fn read_all(
    files: &mut Files,
    root: &Path,
    named: &[(String, PathBuf)],
    findings: &mut Vec<Diagnostic>,
) -> Vec<FileId> {
    let root = match Root::new(root) {
        Ok(root) => root,
        Err(error) => {
            let finding = Diagnostic::error(
                "unreadable-file",
                format!("the workspace cannot be read: {error}"),
            );
            findings.push(finding.help("name a folder that this user may read"));
            return Vec::new();
        }
    };
    let contents = parallel::map(named.iter().collect(), 64, |(name, path)| {
        read::open(files, &root, name, path)
    });
    named
        .iter()
        .zip(contents)
        .filter_map(|((name, path), content)| read::add(files, name, path, content, findings))
        .collect()
}
