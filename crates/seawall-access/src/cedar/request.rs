//! A request that the gateway would ask Cedar about, in readable form:
//! `invokeTool notion/search {"readOnly": true}`.
//!
//! Invariant: a request has only attributes that the schema defines for its action, with their
//! types.

use std::fmt;

use cedar_policy::{Context, RestrictedExpression};
use serde_json::{Map, Value};

use super::{McpAction, UNGATED, explain, schema};
use crate::suggestion::{did_you_mean, nearest};

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct McpRequest {
    /// The requested action.
    pub action: McpAction,
    /// The registered name of the server; `None` for a tool of the gateway itself.
    pub server: Option<String>,
    /// The tool, the URI of the resource, the prompt, the tool of the gateway, or the server to
    /// register.
    pub target: String,
    /// Stated attributes of the resource; the others have their documented defaults, or are
    /// unknown.
    pub attributes: Map<String, Value>,
    /// The arguments of the call; `None` if there are none, or if they are not a JSON object.
    pub arguments: Option<Map<String, Value>>,
    /// The time of the call: a date or a time that Cedar's `datetime` accepts. `None` if it is not
    /// stated.
    pub request_time: Option<String>,
}

/// The reason why a text is not a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRequest {
    /// A lower-case phrase.
    pub message: String,
    /// The replacement for the text.
    pub help: String,
}

impl NoRequest {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl McpRequest {
    /// A request that states nothing else.
    pub(super) fn new(action: McpAction, server: Option<String>, target: String) -> Self {
        Self { action, server, target, attributes: Map::new(), arguments: None, request_time: None }
    }

    /// Parses `ACTION TARGET {ATTRIBUTES}`, with optional attributes. A target is `SERVER/TOOL`,
    /// `SERVER/URI` or `SERVER/PROMPT`, where the server ends at the first slash; for `register` it
    /// is the server's name, for `invokePrimordial` the name of the gateway's tool. In addition to
    /// attributes of the resource, a call can have `args`, an object, and `request_time`.
    ///
    /// # Errors
    ///
    /// Returns the fault in the text, and a replacement.
    pub fn parse(text: &str) -> Result<Self, NoRequest> {
        let text = text.trim();
        let (action, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let action = parse_action(action)?;
        let (object, quoted) =
            (rest.find(" {"), [" '{", " \"{"].iter().filter_map(|quoted| rest.find(quoted)).min());
        if quoted.is_some_and(|quoted| object.is_none_or(|object| quoted < object)) {
            // As part of the target, into which a shell's quotes would turn it, it would be a tool
            // that does not exist.
            let help = "write them as they are, such as `{\"readOnly\": true}`";
            return Err(NoRequest::new("the attributes are in quotes", help));
        }
        let (target, object) = match object {
            Some(at) => (
                rest.get(..at).unwrap_or_default().trim(),
                rest.get(at..).unwrap_or_default().trim(),
            ),
            None if rest.trim_start().starts_with('{') => ("", rest),
            None => (rest.trim(), ""),
        };
        let (server, target) = parse_target(action, target)?;
        let mut request = Self::new(action, server, target);
        for (name, value) in parse_object(object)? {
            request.set(&name, value)?;
        }
        Ok(request)
    }

    /// Sets an attribute, the arguments or the time.
    pub(super) fn set(&mut self, name: &str, value: Value) -> Result<(), NoRequest> {
        let action = self.action;
        match (name, value) {
            ("args", Value::Object(arguments)) if action.has_arguments() => {
                if let Some(unusable) = arguments.values().find_map(unusable) {
                    let message = format!("Cedar has no value for `{unusable}` in the arguments");
                    return Err(NoRequest::new(
                        message,
                        "use text, whole numbers, `true`, `false`, lists and objects",
                    ));
                }
                self.arguments = Some(arguments);
            }
            ("args", _) if action.has_arguments() => {
                let help =
                    "write an object such as `{\"args\": {\"amount\": 5}}`, or leave `args` out";
                return Err(NoRequest::new(
                    "arguments that are not object do not reach policies",
                    help,
                ));
            }
            ("request_time", Value::String(time))
                if action.has_request_time() && is_datetime(&time) =>
            {
                self.request_time = Some(time);
            }
            ("request_time", _) if action.has_request_time() => {
                let help = "write it as Cedar does, such as `\"2027-01-31\"` or `\"2027-01-31T12:00:00Z\"`";
                return Err(NoRequest::new("`request_time` must be a date or a time", help));
            }
            (_, value) => {
                let kind = self.settable().find(|(known, _)| *known == name).map(|(_, kind)| kind);
                let kind = kind.ok_or_else(|| self.no_attribute(name))?;
                if !kind.takes(&value) {
                    let message = format!("`{name}` must be {}, not `{value}`", kind.name());
                    return Err(NoRequest::new(message, format!("write {}", kind.example())));
                }
                self.attributes.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    /// The attributes that the target does not determine.
    fn settable(&self) -> impl Iterator<Item = (&'static str, schema::AttributeType)> {
        schema::attributes(self.action.resource_type())
            .filter(|(name, _)| !matches!(*name, "name" | "uri"))
    }

    fn no_attribute(&self, name: &str) -> NoRequest {
        let mut known: Vec<&str> = self.settable().map(|(name, _)| name).collect();
        known.extend(self.action.has_arguments().then_some("args"));
        known.extend(self.action.has_request_time().then_some("request_time"));
        let message = format!("`{}` has no attribute `{name}`", self.action);
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => did_you_mean(near, &known),
            None if matches!(name, "name" | "uri") => "the target says it already".to_owned(),
            None => format!("there is `{}`", known.join("`, `")),
        };
        NoRequest::new(message, help)
    }
}

impl fmt::Display for McpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.action)?;
        match &self.server {
            Some(server) if self.action != McpAction::Register => {
                write!(f, "{server}/{}", self.target)?
            }
            Some(_) | None => f.write_str(&self.target)?,
        }
        let mut said = self.attributes.clone();
        said.extend(
            self.arguments.clone().map(|arguments| ("args".to_owned(), Value::Object(arguments))),
        );
        said.extend(
            self.request_time.clone().map(|time| ("request_time".to_owned(), Value::String(time))),
        );
        if said.is_empty() { Ok(()) } else { write!(f, " {}", Value::Object(said)) }
    }
}

fn parse_action(text: &str) -> Result<McpAction, NoRequest> {
    if let Some(action) = McpAction::parse(text) {
        return Ok(action);
    }
    if UNGATED.contains(&text) {
        let message = format!("the gateway does not ask about `{text}`, so it is always allowed");
        return Err(NoRequest::new(
            message,
            "ask about the use: `invokeTool`, `readResource` or `getPrompt`",
        ));
    }
    let help = match explain::nearest_action(text) {
        Some(near) => format!("did you mean `{near}`? {}", explain::action_names()),
        None => explain::action_names(),
    };
    Err(NoRequest::new(format!("there is no MCP action `{text}`"), help))
}

fn parse_target(action: McpAction, target: &str) -> Result<(Option<String>, String), NoRequest> {
    let shape = match action {
        McpAction::Register => "register SERVER",
        McpAction::InvokeTool => "invokeTool SERVER/TOOL",
        McpAction::InvokePrimordial => "invokePrimordial TOOL",
        McpAction::ReadResource => "readResource SERVER/URI",
        McpAction::GetPrompt => "getPrompt SERVER/PROMPT",
    };
    let incomplete = || {
        NoRequest::new(
            format!("`{target}` is not a target of `{action}`"),
            format!("write `{shape}`"),
        )
    };
    if target.is_empty() {
        return Err(incomplete());
    }
    match action {
        McpAction::Register => Ok((Some(target.to_owned()), target.to_owned())),
        McpAction::InvokePrimordial => Ok((None, target.to_owned())),
        McpAction::InvokeTool | McpAction::ReadResource | McpAction::GetPrompt => {
            match target.split_once('/') {
                Some((server, inner)) if !server.is_empty() && !inner.is_empty() => {
                    Ok((Some(server.to_owned()), inner.to_owned()))
                }
                Some(_) | None => Err(incomplete()),
            }
        }
    }
}

fn parse_object(text: &str) -> Result<Map<String, Value>, NoRequest> {
    if text.is_empty() {
        return Ok(Map::new());
    }
    let help = "write a JSON object, such as `{\"readOnly\": true}`";
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(NoRequest::new("the attributes are not JSON object", help)),
        Err(error) => Err(NoRequest::new(format!("the attributes are not JSON: {error}"), help)),
    }
}

/// Returns `true` if Cedar's `datetime` accepts it.
fn is_datetime(text: &str) -> bool {
    Context::from_pairs([("time".to_owned(), RestrictedExpression::new_datetime(text))]).is_ok()
}

/// A part of a value that Cedar cannot represent.
fn unusable(value: &Value) -> Option<&Value> {
    match value {
        Value::Null => Some(value),
        Value::Number(number) => number.as_i64().is_none().then_some(value),
        Value::Array(items) => items.iter().find_map(unusable),
        Value::Object(fields) => fields.values().find_map(unusable),
        Value::Bool(_) | Value::String(_) => None,
    }
}

impl schema::AttributeType {
    /// A value that no statement compares with.
    pub(super) fn other(self) -> Value {
        match self {
            Self::Bool => false.into(),
            Self::String => "other".into(),
            Self::SetOfStrings => Value::Array(Vec::new()),
        }
    }

    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Bool => value.is_boolean(),
            Self::String => value.is_string(),
            Self::SetOfStrings => {
                value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bool => "`true` or `false`",
            Self::String => "text",
            Self::SetOfStrings => "a list of texts",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Bool => "`true` or `false` without quotes",
            Self::String => "it in quotes",
            Self::SetOfStrings => "it as `[\"…\", \"…\"]`",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read() {
        for (text, server, target, attributes) in [
            (r#"invokeTool notion/search {"readOnly": true}"#, Some("notion"), "search", 1),
            ("invokeTool notion/search", Some("notion"), "search", 0),
            // a server ends at the first slash
            ("readResource docs/file:///a/b c", Some("docs"), "file:///a/b c", 0),
            ("getPrompt  docs/summary ", Some("docs"), "summary", 0),
            (
                "invokePrimordial code-mode {\"args\": {\"a\": [1, {\"b\": \"c\"}]}}",
                None,
                "code-mode",
                0,
            ),
            ("invokeTool a/b {\"args\": {\"text\": \"{name}\"}}", Some("a"), "b", 0),
            // a server's name may have a slash when it is registered
            (
                r#"register io.example/x {"type": "remote-dcr", "args": ["-y"]}"#,
                Some("io.example/x"),
                "io.example/x",
                2,
            ),
        ] {
            let request = McpRequest::parse(text).expect(text);
            let found =
                (request.server.as_deref(), request.target.as_str(), request.attributes.len());
            assert_eq!(found, (server, target, attributes), "{text}");
        }
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, help) in [
            (
                "",
                "the actions are `register`, `invokeTool`, `invokePrimordial`, `readResource`, `getPrompt`",
            ),
            (
                "call_tool notion/search",
                "did you mean `invokeTool`? the actions are `register`, `invokeTool`, `invokePrimordial`, `readResource`, `getPrompt`",
            ),
            ("listTools notion", "ask about the use: `invokeTool`, `readResource` or `getPrompt`"),
            ("invokeTool notion", "write `invokeTool SERVER/TOOL`"),
            ("invokeTool {\"readOnly\": true}", "write `invokeTool SERVER/TOOL`"),
            ("invokeTool /x", "write `invokeTool SERVER/TOOL`"),
            ("register", "write `register SERVER`"),
            (
                "invokeTool a/b '{\"readOnly\": true}'",
                "write them as they are, such as `{\"readOnly\": true}`",
            ),
            (
                "invokeTool a/b '{\"args\": {\"a\": 1}}'",
                "write them as they are, such as `{\"readOnly\": true}`",
            ),
            (
                "invokeTool a/b {\"readonly\": true}",
                "did you mean `readOnly`? the choices are `destructive`, `idempotent`, `openWorld`, `readOnly`, `args`, `request_time`",
            ),
            ("invokeTool a/b {\"readOnly\": \"true\"}", "write `true` or `false` without quotes"),
            ("invokeTool a/b {\"name\": \"c\"}", "the target says it already"),
            (
                "invokeTool a/b {readOnly: true}",
                "write a JSON object, such as `{\"readOnly\": true}`",
            ),
            (
                "invokeTool a/b {\"args\": [1]}",
                "write an object such as `{\"args\": {\"amount\": 5}}`, or leave `args` out",
            ),
            (
                "invokeTool a/b {\"args\": {\"x\": 1.5}}",
                "use text, whole numbers, `true`, `false`, lists and objects",
            ),
            (
                "register a {\"request_time\": \"2027-01-01\"}",
                "there is `args`, `command`, `identityURL`, `requiresNetwork`, `requiresOAuth`, `type`",
            ),
        ] {
            assert_eq!(McpRequest::parse(text).expect_err(text).help, help, "{text}");
        }
    }
}
