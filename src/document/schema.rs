//! The JSON Schema (2020-12) of documents, for editors and for [`super::read`].
//!
//! Invariant: subschemas are inlined, so that the path of a validation error leads through the
//! schema to the description and the properties that the error is about.

use std::sync::OnceLock;

use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use serde_json::{Map, Value, json};

use super::kind::{KINDS, Kind};
use crate::json::join_lines;

/// The schema of any document: one branch for each kind, selected by `kind` alone, so that editors
/// complete matching keys and errors concern the intended kind.
#[must_use]
pub fn schema() -> Value {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let branches: Vec<Value> = KINDS
        .iter()
        .map(|kind| {
            json!({
                "if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]},
                "then": {"$ref": format!("#/$defs/{}", kind.name)}
            })
        })
        .collect();
    let definitions: Map<String, Value> = KINDS
        .iter()
        .map(|kind| {
            let mut schema = schema_of(kind);
            if let Some(schema) = schema.as_object_mut() {
                schema.shift_remove("$schema");
            }
            (kind.name.to_owned(), schema)
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "seawall document",
        "description": "A document of a seawall workspace.",
        "type": "object",
        "properties": {
            "apiVersion": {"description": "The version of the document format.", "const": "seawall/v1"},
            "kind": {"description": "What the document is.", "enum": names}
        },
        "required": ["apiVersion", "kind"],
        "allOf": branches,
        "$defs": definitions
    })
}

/// The schema of one kind.
#[must_use]
pub fn schema_of(kind: &Kind) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator();
    let mut schema = (kind.schema)(&mut generator);
    RecursiveTransform(tidy).transform(&mut schema);
    schema.into()
}

/// Writes a choice of one value as that value, and removes parts without use: a `null` default of a
/// value that may not be `null`, formats that JSON Schema does not know, and line breaks of this
/// source.
fn tidy(schema: &mut schemars::Schema) {
    let one = match schema.get("enum").and_then(Value::as_array).map(Vec::as_slice) {
        Some([value]) => Some(value.clone()),
        _ => match schema.get("oneOf").and_then(Value::as_array).map(Vec::as_slice) {
            Some([only]) => only.get("const").cloned(),
            _ => None,
        },
    };
    if let Some(value) = one {
        schema.remove("enum");
        schema.remove("oneOf");
        schema.insert("const".to_owned(), value);
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    schema.remove("format");
    join_lines(schema);
}

/// A kind's schema with its validator.
pub(super) struct Compiled {
    pub(super) schema: Value,
    pub(super) validator: Validator,
}

/// The validator of a kind, compiled once.
pub(super) fn compiled(kind: &'static Kind) -> &'static Compiled {
    static COMPILED: [OnceLock<Compiled>; KINDS.len()] = [const { OnceLock::new() }; KINDS.len()];
    let index =
        KINDS.iter().position(|other| other.name == kind.name).expect("a kind is in the table");
    COMPILED.get(index).expect("there is a cell for each kind").get_or_init(|| {
        let schema = schema_of(kind);
        let validator = jsonschema::draft202012::new(&schema).expect("a generated schema is valid");
        Compiled { schema, validator }
    })
}
