//! Edits of a value of any shape, member by member if that keeps more of the text.

use serde_json::{Map, Value};

use super::list::List;
use super::text::{Edits, Refusal, content, entry, in_braces};
use crate::import::vijil::spoken;
use crate::model::has_value;
use crate::source::emit;
use crate::source::outline::{Node, Shape};

/// The position of a value.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    /// The value of a key. `flow` is true if the key is inside of braces.
    Entry { key: &'a Node, value: &'a Node, flow: bool },
    /// An item of a list.
    Item(&'a Node),
}

impl<'a> At<'a> {
    fn node(self) -> &'a Node {
        match self {
            Self::Entry { value, .. } | Self::Item(value) => value,
        }
    }

    fn name(self) -> String {
        match self {
            Self::Entry { key, .. } => format!("`{}`", content(key)),
            Self::Item(_) => "an item".to_owned(),
        }
    }
}

/// Edits the value of the field `name` to match the live value, if they differ.
pub(super) fn become_live(
    edits: &mut Edits<'_>,
    at: At<'_>,
    name: &str,
    (own, live): (&Value, &Value),
) -> Result<(), Refusal> {
    if has_value(name, live, own) {
        return Ok(());
    }
    match (own, live) {
        (Value::Object(own), Value::Object(live)) => members(edits, at, own, live),
        (Value::Array(own), Value::Array(live)) => list(edits, at, name, own, live),
        (Value::Array(own), Value::Null) => list(edits, at, name, own, &[]),
        (_, live) => write(edits, at, &spoken(live)),
    }
}

fn members(
    edits: &mut Edits<'_>,
    at: At<'_>,
    own: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Result<(), Refusal> {
    let node = at.node();
    let Shape::Mapping { entries, .. } = &node.shape else {
        return Err(format!("{} comes from elsewhere", at.name()));
    };
    let gone = |key: &str| live.get(key).is_none_or(Value::is_null);
    let leaves = own.iter().filter(|(key, value)| gone(key) && !value.is_null()).count();
    if leaves > 0 && (in_braces(node) || leaves == entries.len()) {
        let kept = own
            .keys()
            .filter(|key| !gone(key))
            .filter_map(|key| Some((key.clone(), spoken(live.get(key)?))));
        return write(edits, at, &Value::Object(kept.collect()));
    }
    for (name, value) in own {
        let (key, node_value) = entry(node, name)
            .ok_or_else(|| format!("`{name}` of {} comes from elsewhere", at.name()))?;
        if gone(name) && !value.is_null() {
            edits.remove_entry(key, node_value)?;
            continue;
        }
        let flow = in_braces(node);
        let at = At::Entry { key, value: node_value, flow };
        become_live(edits, at, name, (value, live.get(name).unwrap_or(&Value::Null)))?;
    }
    Ok(())
}

fn list(
    edits: &mut Edits<'_>,
    at: At<'_>,
    name: &str,
    own: &[Value],
    live: &[Value],
) -> Result<(), Refusal> {
    let node = at.node();
    let Shape::Sequence { items, .. } = &node.shape else {
        return Err(format!("{} comes from elsewhere", at.name()));
    };
    let all: Vec<Value> = live.iter().map(spoken).collect();
    let At::Entry { key, value, flow } = at else { return write(edits, at, &all.into()) };
    if items.len() != own.len() {
        return Err(format!("{} is put together from other parts", at.name()));
    }
    let list = List { key, value, flow };
    if name == "tags" {
        let keep: Vec<bool> = own.iter().map(|item| live.contains(item)).collect();
        let added: Vec<Value> = all.iter().filter(|item| !own.contains(item)).cloned().collect();
        let kept = own
            .iter()
            .filter(|item| live.contains(item))
            .chain(&added)
            .cloned()
            .collect::<Vec<_>>();
        return edits.set_items(&list, &keep, &added, &kept);
    }
    if own.len() == live.len() {
        return items
            .iter()
            .zip(own.iter().zip(live))
            .try_for_each(|(item, pair)| become_live(edits, At::Item(item), "", pair));
    }
    // Their order may matter: old items are removed, and new ones are added at the end.
    let mut rest = live.iter();
    let mut keep = Vec::new();
    for item in own {
        let mut ahead = rest.clone();
        let found = ahead.next().is_some_and(|live| has_value("", live, item));
        if found {
            rest = ahead;
        }
        keep.push(found);
    }
    let added: Vec<Value> = rest.map(spoken).collect();
    edits.set_items(&list, &keep, &added, &all)
}

fn write(edits: &mut Edits<'_>, at: At<'_>, new: &Value) -> Result<(), Refusal> {
    match at {
        At::Entry { key, value, flow } => edits.set(key, value, new, flow),
        At::Item(item) => match &item.shape {
            Shape::Alias => Err("an item is an alias".to_owned()),
            Shape::Mapping { flow: false, .. } | Shape::Sequence { flow: false, .. } => {
                Err("an item has another form: edit it by hand".to_owned())
            }
            Shape::Scalar { .. } | Shape::Mapping { .. } | Shape::Sequence { .. } => {
                edits.replace(item.span.clone(), emit::flow(new));
                Ok(())
            }
        },
    }
}
