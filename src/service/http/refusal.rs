//! The error message of a service, whichever of its layers sends it.
//!
//! Invariant: a refusal is short, safe to show, and free of the secrets that were sent.

use std::fmt;

use serde_json::Value;

use super::secret::Secrets;
use crate::diagnostic::sanitize;

/// The largest number of characters of a service's text that a message repeats.
const LONGEST: usize = 300;

/// An answer other than success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The service's code (`not_found`, `limit_exceeded`, …), if it gives one. Unknown codes are
    /// kept.
    pub code: Option<String>,
    /// The service's text, shortened and sanitized; empty if it gave none.
    pub message: String,
}

impl Refusal {
    /// Parses `{"error": {"code", "message"}}` of the governance service,
    /// `{"message", "errinfo", "detail"}` of Docker Hub (any subset), `{"message", "errors": […]}`
    /// of GitHub, `{"error": "…"}`, lists such as `{"detail": [{"loc", "msg"}]}`, plain text, and
    /// the visible text of an HTML page.
    pub(super) fn read(status: u16, body: &[u8], secrets: &Secrets) -> Self {
        let (code, message) = match serde_json::from_slice::<Value>(body) {
            Ok(body) => envelope(&body),
            // Secrets are removed before tags, because a secret may look like a tag.
            Err(_) => (None, visible(&secrets.redact(&String::from_utf8_lossy(body)))),
        };
        Self {
            status,
            code: code.map(|code| safe(&code, secrets)),
            message: safe(&message, secrets),
        }
    }

    /// Returns `true` if the service gave this code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// The available parts of `403 permission_denied: permission denied`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

/// The code and the message of either form.
fn envelope(body: &Value) -> (Option<String>, String) {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let message = ["/error/message", "/error", "/message", "/detail"].into_iter().find_map(text);
    let message = message.or_else(|| invalid(body.get("detail")?.as_array()?)).unwrap_or_default();
    let message = match body.get("errors").and_then(details) {
        Some(details) if message.is_empty() => details,
        Some(details) => format!("{}: {details}", message.trim_end_matches('.')),
        None => message,
    };
    (text("/error/code").or_else(|| text("/code")), message)
}

/// The `errors` of a GitHub answer as a phrase: a text, an object of faults by field, or a list of
/// texts and of objects with a field and a code, or a message.
fn details(errors: &Value) -> Option<String> {
    let one = |error: &Value| {
        let text = |field: &str| error.get(field).and_then(Value::as_str);
        let place = || Some(format!("{} {}", text("field")?, text("code")?));
        error.as_str().or_else(|| text("message")).map(str::to_owned).or_else(place)
    };
    let of_field = |(field, wrong): (&String, &Value)| {
        let texts = wrong.as_array().map_or_else(|| vec![wrong], |list| list.iter().collect());
        let texts: Vec<&str> = texts.into_iter().filter_map(Value::as_str).collect();
        (!texts.is_empty()).then(|| format!("{field} {}", texts.join(", ")))
    };
    let all: Vec<String> = match errors {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().filter_map(one).collect(),
        Value::Object(fields) => fields.iter().filter_map(of_field).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    };
    (!all.is_empty()).then(|| all.join("; "))
}

/// The list of a framework's validation errors: `body.action: Field required; …`.
fn invalid(errors: &[Value]) -> Option<String> {
    let place = |error: &Value| {
        let parts = error.get("loc")?.as_array()?.iter();
        let parts = parts.map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned));
        Some(parts.collect::<Vec<_>>().join("."))
    };
    let one = |error: &Value| {
        let message = error.get("msg")?.as_str()?;
        Some(place(error).map_or_else(|| message.to_owned(), |place| format!("{place}: {message}")))
    };
    let all: Vec<String> = errors.iter().filter_map(one).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Plain text unchanged; of HTML, the text between the tags without scripts and styles.
fn visible(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut hidden = false;
    for piece in text.split('<') {
        let (tag, rest) = piece.split_once('>').unwrap_or((piece, ""));
        let name = tag.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "script" | "style" => hidden = true,
            "/script" | "/style" => hidden = false,
            _ => {}
        }
        if !hidden {
            shown.push_str(rest);
            shown.push(' ');
        }
    }
    shown
}

/// One short line: without secrets and control characters, with single spaces.
pub(super) fn safe(text: &str, secrets: &Secrets) -> String {
    let line = secrets.redact(text).split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", sanitize::line(line.get(..end).unwrap_or_default())),
        None => sanitize::line(&line).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Refusal, Secrets};
    use proptest::prelude::*;
    use secrecy::SecretString;
    use serde_json::json;

    proptest! {
        #[test]
        fn no_secret_comes_back(secret in "[!-~]{8,40}", before in "[ -~]{0,20}", after in "[ -~]{0,20}", form in 0..5) {
            let secrets = Secrets::default();
            secrets.add(&SecretString::from(secret.clone()));
            let said = format!("{before}{secret}{after}");
            let body = match form {
                0 => json!({"error": {"code": said, "message": said}}).to_string(),
                1 => json!({"message": said}).to_string(),
                2 => format!("<p>{said}</p>"),
                3 => json!([said]).to_string() + "x",
                _ => said,
            };
            let refusal = Refusal::read(400, body.as_bytes(), &secrets);
            prop_assert!(!format!("{refusal} {refusal:?}").contains(&secret), "{refusal:?}");
        }
    }

    #[test]
    fn every_layers_way_to_refuse_is_read() {
        let table = [
            (
                r#"{"error":{"code":"not_found","message":"policy not found"}}"#,
                "404 not_found: policy not found",
            ),
            (r#"{"error":{"code":"brand_new","message":""}}"#, "404 brand_new"), // an unknown code is kept
            (r#"{"message":"unauthorized","errinfo":null}"#, "404: unauthorized"),
            (r#"{"detail":"no such group"}"#, "404: no such group"),
            (
                r#"{"detail":[{"loc":["query","reason"],"msg":"Field required","type":"missing"},{"loc":["body",0],"msg":"no"}]}"#,
                "404: query.reason: Field required; body.0: no",
            ),
            (
                r#"{"message":"Validation Failed","errors":[{"resource":"IssueComment","code":"unprocessable","field":"data","message":"Body is too long"},{"field":"body","code":"missing"},"no"]}"#,
                "404: Validation Failed: Body is too long; body missing; no",
            ),
            (r#"{"errors":["no"]}"#, "404: no"),
            (
                r#"{"message":"Validation Failed","errors":"Body cannot be blank"}"#,
                "404: Validation Failed: Body cannot be blank",
            ),
            (
                r#"{"message":"Invalid.","errors":{"body":["is too long","is odd"],"n":1}}"#,
                "404: Invalid: body is too long, is odd",
            ),
            (r#"{"message":"gone","errors":[{}]}"#, "404: gone"),
            (r#"{"error":"rate limit exceeded"}"#, "404: rate limit exceeded"),
            (r#"{"message":{"odd":1}}"#, "404"),
            ("upstream\n  connect  error", "404: upstream connect error"),
            (
                "<!doctype html><style>p{}</style><title>Bad gateway</title><p>try later</p>",
                "404: Bad gateway try later",
            ),
            ("", "404"),
            ("\u{1b}[2Jgone", "404: \\u{1b}[2Jgone"),
            ("token dckr_pat_secret is bad", "404: token [secret] is bad"), // what we sent does not come back
        ];
        let secrets = Secrets::default();
        secrets.add(&SecretString::from("dckr_pat_secret"));
        for (body, shown) in table {
            assert_eq!(Refusal::read(404, body.as_bytes(), &secrets).to_string(), shown);
        }
        assert!(Refusal::read(500, "x".repeat(100_000).as_bytes(), &secrets).message.len() < 310);
        Refusal::read(500, &[0xff, 0x00, 0xc3], &secrets);
    }
}
