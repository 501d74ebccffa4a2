//! Assembles a document from events: duplicate keys, merge keys, aliases and their limits.
//!
//! Invariant: the value and its places have the same shape, and neither its depth nor, with aliases
//! expanded, its size exceeds the limits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};

use super::scalar;
use super::spans::{Entry, Parts, Spans};
use crate::diagnostic::{Diagnostic, FileId, Label};

/// The maximum depth of nested values, with aliases followed. Documents need seven levels.
pub const MAX_DEPTH: usize = 64;

/// The advice for values that nest too deeply.
pub(super) const FLATTER: &str = "put fewer lists and mappings inside of each other";

/// The maximum growth of a document by aliases: bytes of text plus 16 for each value.
pub const MAX_EXPANSION: usize = 4 << 20;

/// A document: its value, and the place of each part.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The value.
    pub value: Value,
    /// The places, of the same shape.
    pub places: Spans,
}

/// A complete value that is added to its collection.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) places: Spans,
    /// The number of levels below.
    pub(super) height: usize,
    /// See [`MAX_EXPANSION`].
    pub(super) cost: usize,
}

/// An incomplete collection.
struct Open {
    collection: Collection,
    start: usize,
    /// The end of the last part.
    end: usize,
    flow: bool,
    anchor: usize,
    height: usize,
    cost: usize,
}

enum Collection {
    Sequence { values: Vec<Value>, places: Vec<Spans> },
    Mapping { values: Map<String, Value>, entries: Vec<Entry>, key: Option<Key>, merged: Vec<Node> },
}

struct Key {
    text: String,
    span: Range<usize>,
    /// An unquoted `<<`.
    merge: bool,
}

pub(super) struct Builder<'findings> {
    file: FileId,
    findings: &'findings mut Vec<Diagnostic>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    expanded: usize,
    root: Option<Node>,
}

type Step = Result<(), Box<Diagnostic>>;

impl<'findings> Builder<'findings> {
    pub(super) fn new(file: FileId, findings: &'findings mut Vec<Diagnostic>) -> Self {
        Self { file, findings, open: Vec::new(), anchors: BTreeMap::new(), expanded: 0, root: None }
    }

    pub(super) fn start_document(&mut self) {
        self.anchors.clear();
        self.expanded = 0;
    }

    pub(super) fn end_document(&mut self) -> Option<Tree> {
        self.root.take().map(|node| Tree { value: node.value, places: node.places })
    }

    pub(super) fn refuse_tag(&mut self, tagged: bool, span: &Range<usize>) {
        if tagged {
            let finding = Diagnostic::error("yaml-tag", "tags such as `!!str` are not supported");
            self.report(
                finding
                    .at(self.label(span))
                    .help("remove the tag; put text that looks like a number in quotes"),
            );
        }
    }

    /// Handles a scalar: a key if one is expected, otherwise a value; [`scalar::resolve`]
    /// determines the meaning of an unquoted one.
    pub(super) fn scalar(
        &mut self,
        content: Cow<'_, str>,
        plain: bool,
        span: Range<usize>,
        anchor: usize,
    ) -> Step {
        if let Some(key) = self.awaited_key() {
            let merge = plain && content == "<<";
            *key = Some(Key { text: content.into_owned(), span, merge });
            return Ok(());
        }
        let cost = 16 + content.len();
        let value = match plain.then(|| scalar::resolve(&content)) {
            Some(Some(value)) => value,
            Some(None) => self.refuse_number(content.into_owned(), &span),
            None => Value::String(content.into_owned()),
        };
        self.finish(Node { value, places: Spans::scalar(span), height: 0, cost }, anchor)
    }

    fn refuse_number(&mut self, text: String, span: &Range<usize>) -> Value {
        let finding =
            Diagnostic::error("wrong-type", format!("`{text}` is not a supported number"));
        self.report(
            finding
                .at(self.label(span))
                .help(format!("put it in quotes if text is meant: `\"{text}\"`")),
        );
        Value::String(text)
    }

    pub(super) fn start_sequence(&mut self, span: Range<usize>, flow: bool, anchor: usize) -> Step {
        self.start(
            Collection::Sequence { values: Vec::new(), places: Vec::new() },
            span,
            flow,
            anchor,
        )
    }

    pub(super) fn start_mapping(&mut self, span: Range<usize>, flow: bool, anchor: usize) -> Step {
        let collection = Collection::Mapping {
            values: Map::new(),
            entries: Vec::new(),
            key: None,
            merged: Vec::new(),
        };
        self.start(collection, span, flow, anchor)
    }

    fn start(
        &mut self,
        collection: Collection,
        span: Range<usize>,
        flow: bool,
        anchor: usize,
    ) -> Step {
        if self.awaited_key().is_some() {
            return Err(self.key_is_no_text(&span));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(&span));
        }
        self.open.push(Open {
            collection,
            start: span.start,
            end: span.end,
            flow,
            anchor,
            height: 0,
            cost: 16,
        });
        Ok(())
    }

    pub(super) fn end(&mut self, span: &Range<usize>) -> Step {
        let open = self.open.pop().expect("the parser balances collections");
        // The end event of a block collection is where the next token starts.
        let place = open.start..if open.flow { span.end } else { open.end };
        let (value, parts, height, cost) = match open.collection {
            Collection::Sequence { values, mut places } => {
                // Spans live as long as the document; lists are short, and would reserve more than
                // they hold.
                places.shrink_to_fit();
                (Value::Array(values), Parts::Items(places), open.height, open.cost)
            }
            Collection::Mapping { mut values, mut entries, merged, .. } => {
                let mut height = open.height;
                let mut cost = open.cost;
                for node in merged {
                    height = height.max(node.height.saturating_sub(1));
                    cost += node.cost;
                    merge(&mut values, &mut entries, node);
                }
                (Value::Object(values), Parts::Entries(entries), height, cost)
            }
        };
        let node =
            Node { value, places: Spans::collection(place, parts), height: height + 1, cost };
        self.finish(node, open.anchor)
    }

    pub(super) fn alias(&mut self, anchor: usize, span: Range<usize>) -> Step {
        if self.awaited_key().is_some() {
            return Err(self.key_is_no_text(&span));
        }
        let Some(target) = self.anchors.get(&anchor) else {
            let finding =
                Diagnostic::error("yaml-alias", "this alias refers to a value that contains it");
            return Err(Box::new(
                finding.at(self.label(&span)).help("write the value out where it is needed"),
            ));
        };
        self.expanded += target.cost;
        if self.expanded > MAX_EXPANSION {
            let finding =
                Diagnostic::error("yaml-alias", "the aliases of this document expand to too much");
            return Err(Box::new(
                finding
                    .at(self.label(&span))
                    .help("write the values out, or split the document into several"),
            ));
        }
        if self.open.len() + target.height > MAX_DEPTH {
            return Err(self.too_deep(&span));
        }
        let mut node = target.clone();
        node.places = node.places.moved_to(span);
        self.finish(node, 0)
    }

    /// Adds a complete value to the enclosing collection.
    fn finish(&mut self, node: Node, anchor: usize) -> Step {
        if anchor != 0 {
            // An anchor stores a copy, and nested anchors store copies of copies.
            self.expanded += node.cost;
            self.anchors.insert(anchor, node.clone());
        }
        let is_root = self.open.len() == 1;
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.end = open.end.max(node.places.span().end);
        open.height = open.height.max(node.height);
        open.cost += node.cost;
        match &mut open.collection {
            Collection::Sequence { values, places } => {
                values.push(node.value);
                places.push(node.places);
                Ok(())
            }
            Collection::Mapping { values, entries, key, .. } => {
                let key = key.take().expect("a value follows its key");
                open.cost += key.text.len();
                if key.merge {
                    return self.merge_later(&key, node);
                }
                let double = values.insert(key.text.clone(), node.value);
                if let Some(first) = double {
                    // The first one stays.
                    values.insert(key.text.clone(), first);
                    if is_root && key.text == "apiVersion" {
                        let message = "a second `apiVersion` in one document";
                        let finding = Diagnostic::error("duplicate-key", message);
                        let finding = finding.at(Label::new(self.file, key.span));
                        let help = "write a line `---` in front of it: it starts a new document";
                        return Err(Box::new(finding.help(help)));
                    }
                    let message = format!("the key `{}` appears here twice", key.text);
                    let finding = Diagnostic::error("duplicate-key", message)
                        .at(Label::new(self.file, key.span));
                    let first = entries.iter().find(|entry| entry.key == key.text);
                    let first = first.map(|first| {
                        Label::new(self.file, first.key_span.clone())
                            .saying("it appears here first")
                    });
                    let finding = first.into_iter().fold(finding, Diagnostic::related);
                    self.findings.push(finding.help("keep one of the two"));
                    return Ok(());
                }
                let mut places = node.places;
                if places.span().is_empty() {
                    // A missing value is best pointed at by its key.
                    places = places.moved_to(key.span.clone());
                }
                entries.push(Entry { key: key.text, key_span: key.span, value: places });
                Ok(())
            }
        }
    }

    /// Stores the entries of a `<<` until the mapping's own keys are known, since those take
    /// precedence wherever they are.
    fn merge_later(&mut self, key: &Key, node: Node) -> Step {
        let (span, height, cost) = (node.places.span(), node.height, node.cost);
        let nodes = match (node.value, node.places.into_parts()) {
            (value @ Value::Object(_), Some(parts)) => {
                vec![Node { value, places: Spans::collection(span, parts), height, cost }]
            }
            (Value::Array(values), Some(Parts::Items(places)))
                if values.iter().all(Value::is_object) =>
            {
                let nodes = values.into_iter().zip(places);
                let node = |(value, places)| Node { value, places, height: height - 1, cost: 16 };
                nodes.map(node).collect()
            }
            _ => {
                let finding = Diagnostic::error(
                    "yaml-merge",
                    "a merge key `<<` takes a mapping or a list of mappings",
                );
                return Err(Box::new(
                    finding.at(self.label(&key.span)).help("write `<<: *name`, or quote the key"),
                ));
            }
        };
        if let Some(Open { collection: Collection::Mapping { merged, .. }, .. }) =
            self.open.last_mut()
        {
            merged.extend(nodes);
        }
        Ok(())
    }

    /// The place for a key if the next value must be one.
    fn awaited_key(&mut self) -> Option<&mut Option<Key>> {
        match self.open.last_mut().map(|open| &mut open.collection) {
            Some(Collection::Mapping { key: key @ None, .. }) => Some(key),
            Some(Collection::Mapping { key: Some(_), .. } | Collection::Sequence { .. }) | None => {
                None
            }
        }
    }

    fn key_is_no_text(&self, span: &Range<usize>) -> Box<Diagnostic> {
        let finding = Diagnostic::error("yaml-key", "a key must be text");
        Box::new(
            finding.at(self.label(span)).help(
                "put text that starts with `[`, `{` or `*` in quotes, and render a template such as `{{ … }}` first",
            ),
        )
    }

    fn too_deep(&self, span: &Range<usize>) -> Box<Diagnostic> {
        let finding =
            Diagnostic::error("yaml-depth", format!("values nest deeper than {MAX_DEPTH} levels"));
        Box::new(finding.at(self.label(span)).help(FLATTER))
    }

    fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    fn label(&self, span: &Range<usize>) -> Label {
        Label::new(self.file, span.clone())
    }
}

/// Adds the entries of a merged mapping whose keys the mapping does not have.
fn merge(values: &mut Map<String, Value>, entries: &mut Vec<Entry>, node: Node) {
    let (Value::Object(more), Some(Parts::Entries(places))) =
        (node.value, node.places.into_parts())
    else {
        return;
    };
    for entry in places {
        if let (false, Some(value)) = (values.contains_key(&entry.key), more.get(&entry.key)) {
            values.insert(entry.key.clone(), value.clone());
            entries.push(entry);
        }
    }
}
