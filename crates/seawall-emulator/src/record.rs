//! The recorded calls, for tests.
//!
//! Invariant: no secret and no token is recorded.

use serde_json::Value;

use super::exchange::Request;
use super::operation::Operation;

/// A call that arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The operation of the call, if there is one.
    pub operation: Option<Operation>,
    /// The HTTP method.
    pub method: String,
    /// The decoded path, from `/v2` on.
    pub path: String,
    /// The decoded query.
    pub query: Vec<(String, String)>,
    /// The body as JSON; null without one, and for a login.
    pub body: Value,
    /// The status of the answer; `None` if no answer was sent.
    pub status: Option<u16>,
}

/// The calls so far.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// True if calls are recorded.
    pub(super) on: bool,
    pub(super) calls: Vec<Call>,
}

impl Call {
    pub(super) fn new(
        request: &Request,
        operation: Option<Operation>,
        status: Option<u16>,
    ) -> Self {
        let body = match operation {
            Some(operation) if operation.is_login() => Value::Null,
            Some(_) | None => serde_json::from_slice(&request.body).unwrap_or(Value::Null),
        };
        Self {
            operation,
            method: request.method.to_string(),
            path: format!("/{}", request.path.join("/")),
            query: request.query.clone(),
            body,
            status,
        }
    }

    /// Returns `true` if its operation changes an organization.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.operation.is_some_and(Operation::is_write)
    }
}

impl Record {
    pub(super) fn add(&mut self, call: Call) {
        tracing::debug!(method = call.method, path = call.path, status = call.status, "call");
        if self.on {
            self.calls.push(call);
        }
    }
}
