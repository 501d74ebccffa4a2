//! Documents made to say what is live, by edits of their text.
//!
//! What is no longer live is taken out of the documents, what changed is edited in place, and a policy that is live as
//! another kind loses its document, for an import to write a new one. Nothing here is written: the answer is an overlay,
//! which has to prove itself by being loaded and planned.
//!
//! Invariant: bytes of a file that no difference is about stay as they are.

mod document;
mod text;

use std::collections::BTreeMap;

use self::document::Pair;
use self::text::{Edits, content, entry};
use crate::check::Loaded;
use crate::diagnostic::{Overlay, SourceFile};
use crate::model::{Desired, DesiredPolicy, Domain, Live, LivePolicy};
use crate::plan::matching;
use crate::source::outline::{Outline, outline};

/// What becomes of the documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// The files that change, and those that go.
    pub overlay: Overlay,
    /// Policies whose documents are edited, with their files; in the order of their names.
    pub edited: Vec<(String, String)>,
    /// Policies whose documents go, likewise.
    pub removed: Vec<(String, String)>,
    /// Ids of live policies whose documents were of another kind: they have none now.
    pub replaced: Vec<String>,
}

/// Edits the documents of a workspace; team keys of `desired` are ids.
///
/// # Errors
///
/// Why it cannot be done, one phrase a policy.
pub fn adopt(loaded: &Loaded, desired: &Desired, live: &Live) -> Result<Adoption, Vec<String>> {
    let matched = matching::policies(&desired.policies, &live.policies);
    let mut by_file: BTreeMap<&str, Vec<(&DesiredPolicy, Option<&LivePolicy>)>> = BTreeMap::new();
    for (declared, found) in desired.policies.iter().zip(&matched) {
        let found = found.and_then(|index| live.policies.get(index));
        by_file.entry(&declared.origin.file).or_default().push((declared, found));
    }
    let mut adoption = Adoption::default();
    let mut refusals = Vec::new();
    for (name, policies) in by_file {
        let Some((_, file)) = loaded.findings.files.iter().find(|(_, file)| file.name == name) else { continue };
        if let Err(more) = adopt_file(file, &policies, live, &mut adoption) {
            refusals.extend(more);
        }
    }
    adoption.edited.sort();
    adoption.removed.sort();
    if refusals.is_empty() { Ok(adoption) } else { Err(refusals) }
}

fn adopt_file(
    file: &SourceFile,
    policies: &[(&DesiredPolicy, Option<&LivePolicy>)],
    live: &Live,
    adoption: &mut Adoption,
) -> Result<(), Vec<String>> {
    let mark = if file.text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    let source = file.text.strip_prefix(mark).unwrap_or(&file.text);
    let whole = |reason: &str| vec![format!("`{}`: {reason}", file.name)];
    let outlines = outline(source).ok_or_else(|| whole("its text cannot be taken apart"))?;
    let mut edits = Edits::new(source);
    let mut gone = Vec::new();
    let mut refusals = Vec::new();
    for (declared, found) in policies {
        let name = &declared.policy.name;
        let position = outlines.iter().position(|outline| {
            entry(&outline.root, "name").is_some_and(|(_, value)| content(value) == name)
                && entry(&outline.root, "kind").is_some_and(|(_, value)| is_of(content(value), declared.domain))
        });
        let Some((position, outline)) = position.and_then(|at| Some((at, outlines.get(at)?))) else {
            refusals.push(format!("`{name}`: its name or kind comes from elsewhere in `{}`", file.name));
            continue;
        };
        let place = (name.clone(), file.name.clone());
        match found {
            None => {
                gone.push(position);
                adoption.removed.push(place);
            }
            Some(found) if !is_of_domain(found, declared.domain) => {
                gone.push(position);
                adoption.replaced.push(found.id.0.clone());
            }
            Some(found) => {
                let pair = Pair { root: &outline.root, declared, live: found, teams: &live.teams };
                let mut own = Edits::new(source);
                match document::edit(&mut own, &pair) {
                    Err(reason) => refusals.push(format!("`{name}`: {reason}")),
                    Ok(None) if own.is_empty() => {}
                    Ok(beside) => {
                        adoption.edited.push(place);
                        edits.extend(own);
                        if let Some((cedar_file, text)) = beside {
                            adoption.overlay.insert(beside_path(&file.name, &cedar_file), Some(text));
                        }
                    }
                }
            }
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    if !gone.is_empty() && gone.len() == outlines.len() {
        adoption.overlay.insert(file.name.clone(), None);
        return Ok(());
    }
    gone.iter().for_each(|position| take_out(&mut edits, &outlines, *position));
    if !edits.is_empty() {
        let text = edits.apply().map_err(|reason| whole(&reason))?;
        adoption.overlay.insert(file.name.clone(), Some(format!("{mark}{text}")));
    }
    Ok(())
}

fn is_of(kind: &str, domain: Domain) -> bool {
    match domain {
        Domain::Network => kind == "NetworkPolicy",
        Domain::Filesystem => kind == "FilesystemPolicy",
        Domain::Mcp => kind == "McpPolicy",
    }
}

/// Whether a document of this domain can say what is live; without rules, an allowlist has no domain of its own.
fn is_of_domain(live: &LivePolicy, domain: Domain) -> bool {
    match live.policy().domain() {
        Some(own) => own == domain,
        None => domain != Domain::Mcp,
    }
}

/// Takes one of several documents out of a file. Comments above the first one are about the file, and stay.
fn take_out(edits: &mut Edits<'_>, outlines: &[Outline], position: usize) {
    let Some(own) = outlines.get(position) else { return };
    let start = match &own.marker {
        Some(marker) if position > 0 => marker.start,
        Some(_) | None => own.root.span.start,
    };
    let next = outlines.get(position + 1).and_then(|next| next.marker.as_ref());
    edits.replace(start..next.map_or(edits.text.len(), |marker| marker.start), "");
}

/// The path of a file that a document names, relative to the workspace.
fn beside_path(document: &str, name: &str) -> String {
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut path: Vec<&str> = folder.split('/').filter(|segment| !segment.is_empty()).collect();
    for segment in name.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(path.pop()),
            segment => path.push(segment),
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::beside_path;

    #[test]
    fn a_file_beside_a_document_is_named_from_the_workspace() {
        assert_eq!(beside_path("a/b/x.yaml", "y.cedar"), "a/b/y.cedar");
        assert_eq!(beside_path("a/b/x.yaml", "../c/./y.cedar"), "a/c/y.cedar");
        assert_eq!(beside_path("x.yaml", "y.cedar"), "y.cedar");
    }
}
