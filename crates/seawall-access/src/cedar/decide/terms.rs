//! A request's attributes, context and names in the form of the engine.
//!
//! Invariant: a value that the request does not state and that has no documented default is listed
//! as unknown.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use serde_json::{Map, Value};

use crate::cedar::{McpAction, McpRequest, schema};

/// The attributes of the resource, stated or with their documented defaults, and those whose value
/// is unknown.
///
/// Source: Docker's MCP policy reference. Tools that declare nothing are not read-only,
/// destructive, not idempotent and open to the world. Commands and arguments are empty for remote
/// servers.
pub(super) fn attributes(
    request: &McpRequest,
) -> (HashMap<String, RestrictedExpression>, BTreeSet<&'static str>) {
    let mut known = request.attributes.clone();
    match request.action {
        McpAction::InvokeTool => {
            for (name, value) in [
                ("readOnly", false),
                ("destructive", true),
                ("idempotent", false),
                ("openWorld", true),
            ] {
                known.entry(name).or_insert(Value::Bool(value));
            }
            known.insert("name".to_owned(), request.target.clone().into());
        }
        McpAction::GetPrompt => {
            known.insert("name".to_owned(), request.target.clone().into());
        }
        McpAction::ReadResource => {
            known.insert("uri".to_owned(), request.target.clone().into());
        }
        McpAction::Register => {
            let remote = known
                .get("type")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.starts_with("remote-"));
            if remote {
                known.entry("command").or_insert_with(|| "".into());
                known.entry("args").or_insert_with(|| Value::Array(Vec::new()));
            }
        }
        McpAction::InvokePrimordial => {}
    }
    let declared = schema::attributes(request.action.resource_type()).map(|(name, _)| name);
    let mut unknown: BTreeSet<&'static str> =
        declared.filter(|name| !known.contains_key(*name)).collect();
    if request.action.has_request_time() && request.request_time.is_none() {
        unknown.insert("request_time");
    }
    (known.iter().map(|(name, value)| (name.clone(), expression(value))).collect(), unknown)
}

pub(super) fn context(request: &McpRequest) -> Context {
    let args = request.arguments.as_ref().map(|arguments| ("args".to_owned(), record(arguments)));
    let time = request.request_time.as_ref();
    let time =
        time.map(|time| ("request_time".to_owned(), RestrictedExpression::new_datetime(time)));
    Context::from_pairs(args.into_iter().chain(time)).expect("the request time is a datetime")
}

pub(super) fn record(fields: &Map<String, Value>) -> RestrictedExpression {
    let fields = fields.iter().map(|(name, value)| (name.clone(), expression(value)));
    RestrictedExpression::new_record(fields).expect("the keys of an object are distinct")
}

pub(super) fn expression(value: &Value) -> RestrictedExpression {
    match value {
        Value::Bool(value) => RestrictedExpression::new_bool(*value),
        Value::Number(number) => {
            RestrictedExpression::new_long(number.as_i64().expect("requests hold whole numbers"))
        }
        Value::String(text) => RestrictedExpression::new_string(text.clone()),
        Value::Array(items) => RestrictedExpression::new_set(items.iter().map(expression)),
        Value::Object(fields) => record(fields),
        Value::Null => unreachable!("requests hold no nulls"),
    }
}

pub(super) fn uid(kind: &str, id: &str) -> EntityUid {
    let name: EntityTypeName = format!("MCP::{kind}").parse().expect("a type's name is a name");
    EntityUid::from_type_name_and_id(name, EntityId::new(id))
}
