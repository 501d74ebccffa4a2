//! Separates new findings from those that another version of the same files has too.
//!
//! Invariant: the identity of a finding is its code, subject and message, never its line, so that
//! moved text is not new. Of findings with the same identity, as many are new as exceed their
//! number in the other version.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::diagnostic::{Diagnostic, FileId, Files, Findings};
use crate::source::{self, Parts, Tree};

/// The identity of a finding across versions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    code: &'static str,
    /// The path relative to the folder of its version.
    file: String,
    about: About,
    message: String,
}

/// Subject of a finding: document and rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct About {
    /// The kind and the name of the document.
    document: Option<(String, String)>,
    /// The name of the rule, or the text of the expectation.
    part: Option<String>,
}

/// The documents of files, each parsed once.
#[derive(Default)]
struct Documents(BTreeMap<FileId, Vec<Tree>>);

impl Documents {
    fn about(&mut self, files: &Files, file: FileId, at: usize) -> About {
        let parse = || source::parse(file, &files.get(file).text, &mut Vec::new()).documents;
        let trees = self.0.entry(file).or_insert_with(parse);
        // Text before the first key belongs to no document, and text after a document belongs to
        // that document.
        let Some(tree) = trees.iter().rev().find(|tree| tree.places.span().start <= at) else {
            return About::default();
        };
        let text = |pointer: &str| {
            tree.value.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned)
        };
        let document = Some((text("/kind").unwrap_or_default(), text("/name").unwrap_or_default()));
        let part = ["rules", "expect"].into_iter().find_map(|list| {
            let Parts::Items(items) = tree.places.get(&format!("/{list}"))?.parts()? else {
                return None;
            };
            let number = items
                .iter()
                .rposition(|item| (item.span().start..=item.span().end).contains(&at))?;
            let name = ["name", "rule_id"]
                .into_iter()
                .find_map(|key| text(&format!("/{list}/{number}/{key}")));
            name.or_else(|| {
                tree.value.pointer(&format!("/{list}/{number}")).map(ToString::to_string)
            })
        });
        About { document, part }
    }
}

fn identity(
    files: &Files,
    documents: &mut Documents,
    finding: &Diagnostic,
    folder: &Path,
) -> Identity {
    let Diagnostic { code, severity: _, message, primary, related: _, help: _ } = finding;
    let (file, about) = match primary {
        Some(label) => {
            let path = plain(&files.get(label.file).path);
            let name =
                path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            (name, documents.about(files, label.file, label.span.start))
        }
        None => Default::default(),
    };
    Identity { code, file, about, message: message.clone() }
}

/// The absolute path without `.` and `..`, resolved textually: links stay.
#[must_use]
pub fn plain(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

/// Removes the findings that another version of the files has too, and counts them. Paths of a
/// version are relative to `folder`.
pub fn retain_new(
    found: &mut Findings,
    folder: &Path,
    base: &Findings,
    base_folder: &Path,
) -> usize {
    let (folder, base_folder) = (&plain(folder), &plain(base_folder));
    let mut before: BTreeMap<Identity, usize> = BTreeMap::new();
    let mut documents = Documents::default();
    for finding in &base.diagnostics {
        *before.entry(identity(&base.files, &mut documents, finding, base_folder)).or_default() +=
            1;
    }
    let mut documents = Documents::default();
    let old: BTreeSet<usize> = found
        .diagnostics
        .iter()
        .enumerate()
        .filter(|(_, finding)| {
            let known = before.get_mut(&identity(&found.files, &mut documents, finding, folder));
            known.is_some_and(|count| count.checked_sub(1).map(|less| *count = less).is_some())
        })
        .map(|(at, _)| at)
        .collect();
    let mut at = 0..;
    found.diagnostics.retain(|_| at.next().is_some_and(|at| !old.contains(&at)));
    old.len()
}

#[cfg(test)]
mod tests {
    use super::retain_new;
    use crate::diagnostic::{Diagnostic, Findings, Label};
    use std::path::Path;

    const BEFORE: &str = "kind: NetworkPolicy\nname: a\nrules:\n  - {name: r, resources: [x, x]}\n  - {name: s, resources: [x]}\n";

    /// Findings at each of these texts, in a file of a folder.
    fn findings(folder: &str, name: &str, text: &str, at: &[(&'static str, &str)]) -> Findings {
        let mut findings = Findings::default();
        let file = findings.files.add(name, format!("{folder}/{name}"), text);
        for (code, wanted) in at {
            for (start, _) in text.match_indices(wanted) {
                let label = Label::new(file, start..start + wanted.len());
                findings
                    .diagnostics
                    .push(Diagnostic::warning(code, format!("`{wanted}` is odd")).at(label));
            }
        }
        findings
    }

    #[test]
    fn what_moved_is_old_and_what_is_said_of_something_else_is_new() {
        let base = findings("/base", "a.yaml", BEFORE, &[("odd", "x")]);
        let moved = format!(
            "# a comment\n---\n{}",
            BEFORE.replace("rules:\n", "description: d\n\nrules:\n")
        );
        let table = [
            ("a.yaml", BEFORE.to_owned(), "odd", 0),
            ("a.yaml", moved.clone(), "odd", 0),
            ("a.yaml", moved.replace("[x, x]", "[x, x, x]"), "odd", 1), // one more in the same rule
            ("a.yaml", BEFORE.replace("[x, x]", "[x]"), "odd", 0),
            ("a.yaml", BEFORE.replace("name: s", "name: t"), "odd", 1),
            ("a.yaml", BEFORE.replace("name: a", "name: b"), "odd", 3),
            ("a.yaml", BEFORE.to_owned(), "other", 3),
            ("b.yaml", BEFORE.to_owned(), "odd", 3), // a new file has only new findings
        ];
        for (name, text, code, new) in table {
            let mut found = findings("/work/rules", name, &text, &[(code, "x")]);
            let all = found.diagnostics.len();
            let old = retain_new(&mut found, Path::new("/work/rules"), &base, Path::new("/base"));
            assert_eq!((found.diagnostics.len(), old), (new, all - new), "{name} {code}: {text}");
        }
    }
}
