//! One document: from values with places to its typed form.

use std::ops::Range;

use serde_json::Value;
use strsim::damerau_levenshtein;

use super::kind::{Body, KINDS, Kind};
use super::{explain, schema};
use crate::diagnostic::{Diagnostic, FileId, Label};
use crate::source::Tree;

/// A document that fits its kind's schema.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file that it stands in.
    pub file: FileId,
    /// What was written, with places.
    pub tree: Tree,
    /// The typed form.
    pub body: Body,
}

impl Document {
    /// The place of the value at a JSON pointer, or of the nearest value around it.
    #[must_use]
    pub fn label(&self, pointer: &str) -> Label {
        Label::new(self.file, self.tree.places.nearest(pointer).span.clone())
    }

    /// A short place for the value at a JSON pointer: for a mapping its first key.
    #[must_use]
    pub fn head(&self, pointer: &str) -> Label {
        Label::new(self.file, self.tree.places.nearest(pointer).head())
    }

    /// The place of a key of the mapping at a JSON pointer, or of the mapping's first key where it has none such.
    #[must_use]
    pub fn key(&self, pointer: &str, key: &str) -> Label {
        let mapping = self.tree.places.nearest(pointer);
        let span = mapping.entry(key).map_or_else(|| mapping.head(), |entry| entry.key_span.clone());
        Label::new(self.file, span)
    }
}

/// Checks a document against the schema of its kind and decodes it. `settings` says whether it stands in the
/// workspace's own file. What is wrong, all of it, is added to `findings`; then there is no document.
pub fn read(file: FileId, tree: Tree, settings: bool, findings: &mut Vec<Diagnostic>) -> Option<Document> {
    let kind = kind(file, &tree, settings).map_err(|finding| findings.push(*finding)).ok()?;
    let compiled = schema::compiled(kind);
    let before = findings.len();
    for error in compiled.validator.iter_errors(&tree.value) {
        explain::explain(&error, kind, &compiled.schema, file, &tree, findings);
    }
    if findings.len() > before {
        return None;
    }
    match (kind.decode)(&tree.value) {
        Ok(body) => Some(Document { file, tree, body }),
        Err(error) => {
            // The schema accepts what the decoder does not. A property test keeps this from happening.
            let finding = Diagnostic::error("undecodable", format!("the document cannot be decoded: {error}"));
            findings.push(finding.at(Label::new(file, tree.places.head())));
            None
        }
    }
}

fn kind(file: FileId, tree: &Tree, settings: bool) -> Result<&'static Kind, Box<Diagnostic>> {
    let label = |span: Range<usize>| Label::new(file, span);
    let Value::Object(values) = &tree.value else {
        let finding = Diagnostic::error("wrong-type", "a document is a mapping with `apiVersion` and `kind`");
        return Err(Box::new(finding.at(label(tree.places.span.clone()))));
    };
    let names: Vec<&str> = KINDS.iter().filter(|kind| kind.settings == settings).map(|kind| kind.name).collect();
    let Some(value) = values.get("kind") else {
        let finding = Diagnostic::error("missing-key", "the key `kind` is missing");
        let help = if values.contains_key("apiVersion") || settings {
            format!("add `kind: {}`", names.join("`, or `kind: "))
        } else {
            format!(
                "add `apiVersion: seawall/v1` and `kind: {}`; a file that is no document of seawall is left out with `include` in `seawall.yaml`",
                names.join("`, or `kind: ")
            )
        };
        return Err(Box::new(finding.at(label(tree.places.head())).help(help)));
    };
    let place = label(tree.places.nearest("/kind").span.clone());
    let Value::String(name) = value else {
        let finding = Diagnostic::error("wrong-type", "`kind` must be text").at(place);
        return Err(Box::new(finding.help(format!("write one of `{}`", names.join("`, `")))));
    };
    match KINDS.iter().find(|kind| kind.name == name) {
        Some(kind) if kind.settings == settings => Ok(kind),
        Some(kind) if kind.settings => {
            let finding =
                Diagnostic::error("misplaced-kind", "a `Workspace` may only stand in the workspace's own file");
            let help = "leave the inner workspace out with `include`; each workspace is planned by itself";
            Err(Box::new(finding.at(place).help(help)))
        }
        Some(_) => {
            let finding = Diagnostic::error("misplaced-kind", format!("the settings of a workspace are no `{name}`"));
            Err(Box::new(finding.at(place).help("write `kind: Workspace` here, and move the document to its own file")))
        }
        None => {
            let finding = Diagnostic::error("unknown-kind", format!("there is no kind `{name}`")).at(place);
            let foreign =
                values.get("apiVersion").and_then(Value::as_str).is_none_or(|version| !version.starts_with("seawall/"));
            Err(Box::new(finding.help(match did_you_mean(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if foreign => {
                    format!(
                        "write one of `{}`, or leave the file out with `include` in `seawall.yaml`",
                        names.join("`, `")
                    )
                }
                None => format!("write one of `{}`", names.join("`, `")),
            })))
        }
    }
}

/// The candidate that somebody may have meant.
pub(super) fn did_you_mean<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(text);
    candidates
        .map(|candidate| (damerau_levenshtein(&folded, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3).min(4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Spelling that people mix up: case, `-` and `_`.
fn fold(text: &str) -> String {
    text.to_lowercase().replace(['-', '_', ' '], "")
}
