//! A call and its answer in the state machine: no sockets, no clock.

use axum::http::Method;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// A parsed call.
#[derive(Clone, Debug)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The segments of the path, percent-decoded: `["v2", "orgs", …]`.
    pub path: Vec<String>,
    /// The pairs of the query, decoded, in the order sent.
    pub query: Vec<(String, String)>,
    /// The value of the `Authorization` header.
    pub authorization: Option<String>,
    /// The body as sent.
    pub body: Vec<u8>,
    /// `http://host:port` of the emulator, for absolute addresses in answers.
    pub origin: String,
    /// The time when the call arrived, on the emulator's clock.
    pub at: Timestamp,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside `Content-Type` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The `Content-Type`; empty without a body.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The last value of a query parameter; a repeated one counts once, as most servers read it.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A whole number from 0 of a query, in digits alone; the largest there is in place of a larger
/// one.
pub(super) fn whole_number(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

impl Response {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("answers have string keys only");
        Self { status, headers: Vec::new(), content_type: "application/json", body }
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), content_type: "", body: Vec::new() }
    }

    /// A plain or HTML answer, as a gateway in front gives.
    #[must_use]
    pub fn text(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), content_type, body: body.into().into_bytes() }
    }

    /// The same answer with one header more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}
