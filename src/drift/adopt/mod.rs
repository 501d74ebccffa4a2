//! Edits the text of documents to match the live state.
//!
//! Objects that are no longer live are removed from the documents, changed objects are edited in
//! place, and a policy that is live as another kind loses its document, so that an import writes a
//! new one. This module writes nothing: it returns an overlay, which has to be verified by loading
//! and planning it.
//!
//! Invariant: bytes of a file that no difference concerns stay unchanged.

mod document;
mod flow;
mod list;
pub mod shared;
mod text;
mod value;
mod vijil;

use std::collections::BTreeMap;

use self::document::Pair;
use self::text::{Edits, Refusal, content, entry};
use self::vijil::VijilPair;
use crate::diagnostic::{Files, Overlay, SourceFile};
use crate::model::{
    Desired, DesiredPolicy, DesiredVijilPolicy, Domain, Live, LivePolicy, LiveVijil,
    LiveVijilPolicy, Origin,
};
use crate::plan::docker::matching;
use crate::plan::vijil::diff;
use crate::source::outline::{Node, Outline, outline};

/// The changes to the documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// The files that change or are deleted.
    pub overlay: Overlay,
    /// Policies whose documents are edited, with their files, by name.
    pub edited: Vec<(String, String)>,
    /// Policies whose documents are removed, with their files, by name.
    pub removed: Vec<(String, String)>,
    /// Ids of live policies whose documents were of another kind: they no longer have a document.
    pub replaced: Vec<String>,
}

impl Adoption {
    /// Adds the changes of a later adoption, which edited the documents after this one.
    pub fn merge(&mut self, later: Self) {
        let Self { overlay, edited, removed, replaced } = later;
        self.overlay.extend(overlay);
        for (own, more) in [(&mut self.edited, edited), (&mut self.removed, removed)] {
            own.extend(more);
            own.sort();
            own.dedup();
        }
        self.replaced.extend(replaced);
    }
}

/// The state that the documents should declare.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sides<'a> {
    /// The desired state of a Docker organization with team ids, and its live state.
    pub docker: Option<(&'a Desired, &'a Live)>,
    /// The desired state of Vijil, its live state, and whether the workspace owns everything there.
    pub vijil: Option<(&'a Desired, &'a LiveVijil, bool)>,
}

/// A declared policy with its live policy, if there is one.
#[derive(Clone, Copy)]
enum Found<'a> {
    Docker(&'a DesiredPolicy, Option<&'a LivePolicy>, &'a Live),
    Vijil(&'a DesiredVijilPolicy, Option<&'a LiveVijilPolicy>, bool),
}

/// Edits the documents of a workspace to match the live state.
///
/// # Errors
///
/// Returns the reasons if documents cannot be edited, one phrase for each policy.
pub fn adopt(files: &Files, sides: Sides<'_>) -> Result<Adoption, Vec<String>> {
    let mut by_file: BTreeMap<&str, Vec<Found<'_>>> = BTreeMap::new();
    let mut refusals = Vec::new();
    if let Some((desired, live)) = sides.docker {
        let matched = matching::policies(&desired.policies, &live.policies);
        for (declared, found) in desired.policies.iter().zip(&matched) {
            let found = found.and_then(|index| live.policies.get(index));
            by_file
                .entry(&declared.origin.file)
                .or_default()
                .push(Found::Docker(declared, found, live));
        }
    }
    if let Some((desired, live, exclusive)) = sides.vijil {
        for declared in &desired.vijil {
            match diff::find(declared, live) {
                Ok(found) => {
                    by_file
                        .entry(&declared.origin.file)
                        .or_default()
                        .push(Found::Vijil(declared, found, exclusive));
                }
                Err(error) => refusals.push(format!("`{}`: {}", declared.name, error.message)),
            }
        }
    }
    let mut adoption = Adoption::default();
    for (name, policies) in by_file {
        let Some((_, file)) = files.iter().find(|(_, file)| file.name == name) else { continue };
        if let Err(more) = adopt_file(file, &policies, &mut adoption) {
            refusals.extend(more);
        }
    }
    adoption.edited.sort();
    adoption.removed.sort();
    if refusals.is_empty() { Ok(adoption) } else { Err(refusals) }
}

/// The result for a document.
enum Fate {
    /// The document stays, edited or not; the text of its file may change.
    Stays(Option<(String, String)>),
    /// No live policy belongs to it.
    Goes,
    /// The live policy of this id is of another kind.
    Replaced(String),
}

impl Found<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Docker(declared, ..) => &declared.policy.name,
            Self::Vijil(declared, ..) => &declared.name,
        }
    }

    fn origin(&self) -> &Origin {
        match self {
            Self::Docker(declared, ..) => &declared.origin,
            Self::Vijil(declared, ..) => &declared.origin,
        }
    }

    fn is_kind(&self, kind: &str) -> bool {
        match self {
            Self::Docker(declared, ..) => is_of(kind, declared.domain),
            Self::Vijil(..) => kind == "AgentPolicy",
        }
    }

    fn edit(&self, root: &Node, edits: &mut Edits<'_>) -> Result<Fate, Refusal> {
        match *self {
            Self::Docker(_, None, _) | Self::Vijil(_, None, _) => Ok(Fate::Goes),
            Self::Docker(declared, Some(found), _) if !is_of_domain(found, declared.domain) => {
                Ok(Fate::Replaced(found.id.0.clone()))
            }
            Self::Docker(declared, Some(found), live) => {
                document::edit(edits, &Pair { root, declared, live: found, teams: &live.teams })
                    .map(Fate::Stays)
            }
            Self::Vijil(declared, Some(live), exclusive) => {
                vijil::edit(edits, &VijilPair { root, declared, live, exclusive }).map(Fate::Stays)
            }
        }
    }
}

fn adopt_file(
    file: &SourceFile,
    policies: &[Found<'_>],
    adoption: &mut Adoption,
) -> Result<(), Vec<String>> {
    let mark = if file.text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    let source = file.text.strip_prefix(mark).unwrap_or(&file.text);
    let whole = |reason: &str| vec![format!("`{}`: {reason}", file.name)];
    let outlines = outline(source).ok_or_else(|| whole("its text cannot be taken apart"))?;
    let mut edits = Edits::new(source);
    let mut gone = Vec::new();
    let mut refusals = Vec::new();
    for policy in policies {
        let name = policy.name();
        let is_it = |(_, outline): &(usize, &Outline)| {
            entry(&outline.root, "name").is_some_and(|(_, value)| content(value) == name)
                && entry(&outline.root, "kind")
                    .is_some_and(|(_, value)| policy.is_kind(content(value)))
        };
        // Policies of several organizations may share a name.
        let stands = |(_, outline): &(usize, &Outline)| {
            let start =
                entry(&outline.root, "name").map_or(0, |(_, value)| mark.len() + value.span.start);
            file.place(&(start..start)).line == policy.origin().line
        };
        let found: Vec<(usize, &Outline)> = outlines.iter().enumerate().filter(is_it).collect();
        let position = match found.as_slice() {
            [(only, _)] => Some(*only),
            several => several.iter().find(|one| stands(one)).map(|(position, _)| *position),
        };
        let Some((position, outline)) = position.and_then(|at| Some((at, outlines.get(at)?)))
        else {
            refusals.push(format!(
                "`{name}`: its name or kind comes from elsewhere in `{}`",
                file.name
            ));
            continue;
        };
        let place = (name.to_owned(), file.name.clone());
        let mut own = Edits::new(source);
        match policy.edit(&outline.root, &mut own) {
            Err(reason) => refusals.push(format!("`{name}`: {reason}")),
            Ok(Fate::Goes) => {
                gone.push(position);
                adoption.removed.push(place);
            }
            Ok(Fate::Replaced(id)) => {
                gone.push(position);
                adoption.replaced.push(id);
            }
            Ok(Fate::Stays(None)) if own.is_empty() => {}
            Ok(Fate::Stays(beside)) => {
                adoption.edited.push(place);
                edits.extend(own);
                if let Some((named, text)) = beside {
                    adoption.overlay.insert(beside_path(&file.name, &named), Some(text));
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

/// Returns `true` if a document of this domain can declare the live policy; an allowlist without
/// rules fits every domain.
fn is_of_domain(live: &LivePolicy, domain: Domain) -> bool {
    match live.policy().domain() {
        Some(own) => own == domain,
        None => domain != Domain::Mcp,
    }
}

/// Removes one of several documents from a file. Comments above the first document concern the
/// file, and stay.
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
