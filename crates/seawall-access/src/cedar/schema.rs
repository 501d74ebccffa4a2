//! The terms of MCP policies: the actions, and the schema that the engine's validator is given.
//!
//! Invariant: everything about entities and attributes comes from the shipped schema, so that there
//! is a single definition.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use cedar_policy::{Schema, SchemaFragment, Validator};
use serde_json::{Value, json};

/// The shipped schema, in Cedar's own syntax; also in `schemas/mcp.cedarschema`.
pub const SCHEMA: &str = include_str!("../../../../schemas/mcp.cedarschema");

/// The identifier of that schema.
///
/// Source: the `CedarV1Policy` schema of the Docker AI Governance API.
pub const SCHEMA_URL: &str = "https://schemas.docker.com/policy/cedar/v1/mcp/v0";

/// The actions that the gateway asks Cedar about.
///
/// Source: Docker's MCP policy reference, the actions that are gated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum McpAction {
    /// Register a server on a developer's machine (`sbx mcp add`).
    Register,
    /// Call a tool of a server.
    InvokeTool,
    /// Call a tool of the gateway itself.
    InvokePrimordial,
    /// Read a resource of a server.
    ReadResource,
    /// Get a prompt of a server.
    GetPrompt,
}

/// Actions of the vendor's schema that the gateway never asks about.
pub const UNGATED: [&str; 3] = ["listTools", "listResources", "subscribeResource"];

impl McpAction {
    /// All actions, in the order of the reference.
    pub const ALL: [Self; 5] = [
        Self::Register,
        Self::InvokeTool,
        Self::InvokePrimordial,
        Self::ReadResource,
        Self::GetPrompt,
    ];

    /// The action's id in `MCP::Action::"…"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::InvokeTool => "invokeTool",
            Self::InvokePrimordial => "invokePrimordial",
            Self::ReadResource => "readResource",
            Self::GetPrompt => "getPrompt",
        }
    }

    /// The action with this id.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The entity type of the action's resource, without its namespace.
    #[must_use]
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::Register => "Server",
            Self::InvokeTool => "Tool",
            Self::InvokePrimordial => "Primordial",
            Self::ReadResource => "Resource",
            Self::GetPrompt => "Prompt",
        }
    }

    /// Returns `true` if a call of this action can carry `context.args`.
    #[must_use]
    pub fn has_arguments(self) -> bool {
        matches!(self, Self::InvokeTool | Self::InvokePrimordial)
    }

    /// Returns `true` if a call of this action carries `context.request_time`.
    #[must_use]
    pub fn has_request_time(self) -> bool {
        self != Self::Register
    }
}

impl fmt::Display for McpAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The type of an attribute, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttributeType {
    Bool,
    String,
    SetOfStrings,
}

/// The schema in Cedar's JSON form.
static JSON: LazyLock<Value> = LazyLock::new(|| {
    let (fragment, warnings) =
        SchemaFragment::from_cedarschema_str(SCHEMA).expect("the shipped schema parses");
    assert_eq!(warnings.count(), 0, "the shipped schema has no warnings");
    fragment.to_json_value().expect("a parsed schema has a JSON form")
});

/// The attributes of each entity type, by the type's name without its namespace.
static ATTRIBUTES: LazyLock<BTreeMap<String, BTreeMap<String, AttributeType>>> =
    LazyLock::new(|| {
        let types = JSON
            .pointer("/MCP/entityTypes")
            .and_then(Value::as_object)
            .expect("the schema has entity types");
        let attributes = |entity: &Value| {
            let attributes = entity.pointer("/shape/attributes").and_then(Value::as_object);
            attributes
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), attribute_type(value)))
                .collect()
        };
        types.iter().map(|(name, entity)| (name.clone(), attributes(entity))).collect()
    });

/// A validator for each action that knows nothing of arguments.
static VALIDATORS: LazyLock<BTreeMap<McpAction, Validator>> = LazyLock::new(|| {
    McpAction::ALL
        .into_iter()
        .map(|action| (action, make_validator(action, None, &json!("datetime"))))
        .collect()
});

fn attribute_type(value: &Value) -> AttributeType {
    match (value.get("type").and_then(Value::as_str), value.get("name").and_then(Value::as_str)) {
        (Some("Set"), _) => AttributeType::SetOfStrings,
        (_, Some("Bool" | "__cedar::Bool")) => AttributeType::Bool,
        (_, Some("String" | "__cedar::String")) => AttributeType::String,
        _ => panic!("an attribute of a type that is not expected in the shipped schema: {value}"),
    }
}

/// The attributes of an entity type; empty for a type that is not in the schema.
pub(super) fn attributes(
    resource_type: &str,
) -> impl Iterator<Item = (&'static str, AttributeType)> {
    ATTRIBUTES.get(resource_type).into_iter().flatten().map(|(name, kind)| (name.as_str(), *kind))
}

/// A validator that treats every statement as one about this action only.
pub(super) fn validator(action: McpAction) -> &'static Validator {
    VALIDATORS.get(&action).expect("there is a validator for each action")
}

/// The same, with the attributes of `context.args` (Cedar's JSON form) and the type of
/// `context.request_time`.
pub(super) fn validator_with(action: McpAction, arguments: Value, request_time: &str) -> Validator {
    make_validator(action, Some(arguments), &json!(request_time))
}

fn make_validator(action: McpAction, arguments: Option<Value>, request_time: &Value) -> Validator {
    let mut schema = JSON.clone();
    let actions = schema
        .pointer_mut("/MCP/actions")
        .and_then(Value::as_object_mut)
        .expect("the schema has actions");
    for (name, declared) in actions {
        let declared = declared.as_object_mut().expect("an action is an object");
        if name != action.name() {
            // A known action without entities, so that only results for the given action remain.
            declared
                .insert("appliesTo".to_owned(), json!({"principalTypes": [], "resourceTypes": []}));
            continue;
        }
        let context = declared
            .get_mut("appliesTo")
            .and_then(|applies| applies.pointer_mut("/context/attributes"));
        let Some(context) = context.and_then(Value::as_object_mut) else { continue };
        if let Some(time) = context.get_mut("request_time") {
            *time = json!({"type": "EntityOrCommon", "name": request_time, "required": true});
        }
        if let (Some(args), Some(attributes)) = (context.get_mut("args"), &arguments) {
            *args = json!({"type": "Record", "attributes": attributes, "required": false});
        }
    }
    Validator::new(Schema::from_json_value(schema).expect("the schema stays valid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_says_what_the_code_says() {
        let actions = JSON.pointer("/MCP/actions").and_then(Value::as_object).expect("actions");
        let mut named: Vec<&str> =
            McpAction::ALL.iter().map(|action| action.name()).chain(UNGATED).collect();
        named.sort_unstable();
        let mut declared: Vec<&str> = actions.keys().map(String::as_str).collect();
        declared.sort_unstable();
        assert_eq!(named, declared);
        for action in McpAction::ALL {
            let applies = &actions[action.name()]["appliesTo"];
            assert_eq!(applies["resourceTypes"], json!([action.resource_type()]));
            let context = &applies["context"]["attributes"];
            assert_eq!(context.get("args").is_some(), action.has_arguments(), "{action}");
            assert_eq!(
                context.get("request_time").is_some(),
                action.has_request_time(),
                "{action}"
            );
            assert_eq!(McpAction::parse(action.name()), Some(action));
            validator(action);
        }
        let names: Vec<_> = attributes("Tool").map(|(name, _)| name).collect();
        assert_eq!(names, ["destructive", "idempotent", "name", "openWorld", "readOnly"]);
    }
}
