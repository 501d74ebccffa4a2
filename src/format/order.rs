//! The order of keys: that of the kind's schema, which is also that of its documentation.
//!
//! Invariant: unknown keys keep their order after the known ones, items of lists are never moved,
//! and comments and blank lines move with their entry.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value as Json;

use super::tree::{Body, Collection, Comment, Entry, Value};
use crate::document::{KINDS, schema_of};

/// The schema of a kind.
pub(super) fn schema(kind: &str) -> Option<&'static Json> {
    static SCHEMAS: LazyLock<BTreeMap<&'static str, Json>> =
        LazyLock::new(|| KINDS.iter().map(|kind| (kind.name, schema_of(kind))).collect());
    SCHEMAS.get(kind)
}

/// Sorts keys. Without a schema they stay as they are.
pub(super) fn arrange(value: &mut Value, schema: Option<&Json>) {
    let Body::Collection(collection) = &mut value.body else { return };
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
    let items = schema.and_then(|schema| schema.get("items"));
    for entry in &mut collection.entries {
        let below = match &entry.key {
            Some(key) => properties.and_then(|properties| properties.get(&key.content)),
            None => items,
        };
        arrange(&mut entry.value, below);
    }
    if let Some(properties) = properties.filter(|_| collection.mapping) {
        let rank = |entry: &Entry| {
            let key = entry.key.as_ref().map(|key| key.content.as_str());
            properties.keys().position(|name| Some(name.as_str()) == key).unwrap_or(usize::MAX)
        };
        sort(collection, rank);
    }
}

fn sort(collection: &mut Collection, rank: impl Fn(&Entry) -> usize) {
    let Some(above) = collection.entries.first().map(Entry::blank_above) else { return };
    if collection.entries.is_sorted_by_key(&rank) {
        return;
    }
    // The blank line above the whole does not belong to the entry that came first.
    if let Some(first) = collection.entries.first_mut() {
        first.set_blank_above(false);
    }
    collection.entries.sort_by_key(rank);
    if let Some(first) = collection.entries.first_mut() {
        first.set_blank_above(above);
    }
}

/// Moves comments above the first entry of an item above the item, because that entry follows the
/// dash.
pub(super) fn raise(value: &mut Value) {
    let Body::Collection(collection) = &mut value.body else { return };
    for entry in &mut collection.entries {
        raise(&mut entry.value);
        if entry.key.is_none() && !entry.value.is_written_inline() {
            let mut raised = first_comments(&mut entry.value);
            if let Some(first) = raised.first_mut() {
                first.blank = entry.blank;
                entry.blank = false;
                entry.before.append(&mut raised);
            }
        }
    }
}

impl Value {
    /// Returns `true` if a value can only be written on one line.
    fn is_written_inline(&self) -> bool {
        match &self.body {
            Body::Collection(collection) => collection.flow && !self.has_comments(),
            Body::Nothing | Body::Alias(_) | Body::Scalar(_) | Body::Block(_) => true,
        }
    }
}

fn first_comments(value: &mut Value) -> Vec<Comment> {
    match &mut value.body {
        Body::Collection(Collection { entries, .. }) => {
            entries.first_mut().map(|first| std::mem::take(&mut first.before)).unwrap_or_default()
        }
        Body::Nothing | Body::Alias(_) | Body::Scalar(_) | Body::Block(_) => Vec::new(),
    }
}
