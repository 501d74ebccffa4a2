//! The one request of a step.

use serde_json::Value;

use crate::model::Method;

/// A call that writes, as data: without host, credentials and encoding.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// Segments of the path below the base URL, not encoded.
    pub path: Vec<Segment>,
    /// The query, not encoded.
    pub query: Vec<(&'static str, String)>,
    /// JSON to send; `None` for DELETE.
    pub body: Option<Value>,
}

/// A segment of a request's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A text that is known.
    Text(String),
    /// The id of the policy that an earlier step creates under this name.
    Policy(String),
    /// The id of the rule that an earlier step creates under this name, in the same policy.
    Rule(String),
}
