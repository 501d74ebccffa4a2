//! The members of a request body, taken one by one, with the service's refusals.
//!
//! Invariant: after [`Fields::end`], no member of the body was ignored by mistake.

use serde_json::{Map, Value};

use super::{Refusal, UnknownFields};

/// The members that were not taken yet.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Parses a body, which must be a JSON object.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Refusal::invalid("request body must be a JSON object")),
            Err(_) => Err(Refusal::invalid("request body is not valid JSON")),
        }
    }

    /// The members of an object inside a body.
    pub(super) fn from_object(value: Value, name: &str) -> Result<Self, Refusal> {
        let Value::Object(members) = value else {
            return Err(Refusal::invalid(format!("{name} must be an object")));
        };
        Ok(Self(members))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// A text that may be absent but not empty.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => {
                Err(Refusal::invalid(format!("{key} is required")))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::invalid(format!("{key} must be a string"))),
        }
    }

    /// A required text.
    pub(super) fn required_text(&mut self, key: &str) -> Result<String, Refusal> {
        self.text(key)?.ok_or_else(|| Refusal::invalid(format!("{key} is required")))
    }

    /// An optional list.
    pub(super) fn list(&mut self, key: &str) -> Result<Option<Vec<Value>>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(Refusal::invalid(format!("{key} must be a list"))),
        }
    }

    /// An optional list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>, Refusal> {
        let text = |item: Value| {
            let Value::String(text) = item else {
                return Err(Refusal::invalid(format!("{key} must be a list of strings")));
            };
            Ok(text)
        };
        self.list(key)?.map(|items| items.into_iter().map(text).collect()).transpose()
    }

    /// Refuses the remaining members, unless the service ignores them.
    pub(super) fn end(self, unknown: UnknownFields) -> Result<(), Refusal> {
        match (self.0.keys().next(), unknown) {
            (Some(key), UnknownFields::Refuse) => {
                Err(Refusal::invalid(format!("unknown field {key}")))
            }
            _ => Ok(()),
        }
    }
}
