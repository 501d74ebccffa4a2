//! A pasted record, reason of a denial or body of a 403.
//!
//! Invariant: the request is the one that the text names. A text that names none is refused, with
//! advice on what to paste.

use std::borrow::Cow;

use super::asked::Asked;
use super::observation::{Class, Kind, Mode, Observation, RecordedDecision, decision};
use super::record::{Record, Text};
use super::source::VALUES;
use crate::json;

/// The request in a pasted text.
#[derive(Clone, Debug, PartialEq)]
pub struct Pasted {
    /// The request.
    pub asked: Asked,
    /// The recorded decision, if the text states it.
    pub recorded: Option<RecordedDecision>,
    /// The user who asked; empty if the text names nobody.
    pub user: String,
}

/// Parses a pasted text.
///
/// # Errors
///
/// Returns the reason if the text names no request.
pub fn paste(text: &str) -> Result<Pasted, &'static str> {
    let text = text.trim().trim_start_matches('\u{feff}');
    if json::measure(text.as_bytes()).1 > VALUES {
        return Err("it holds too many values");
    }
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let record =
        [text, first].into_iter().find_map(|text| serde_json::from_str::<Record<'_>>(text).ok());
    if let Some(found) = record.and_then(of_record) {
        return Ok(found);
    }
    of_reason(text).ok_or("it names no request")
}

fn of_record(mut record: Record<'_>) -> Option<Pasted> {
    if let Some(events) = record.events.take() {
        return events.into_iter().find_map(of_record);
    }
    // A decision that was only recorded is explained like one that was enforced.
    record.enforcement_mode = Text::default();
    if let Some(payload) = &mut record.payload {
        payload.enforcement_mode = Text::default();
    }
    match Class::from_record(record) {
        Class::Decision(seen) => Some(Pasted {
            asked: Asked::from_observation(&seen),
            recorded: Some(seen.recorded),
            user: seen.user.trim().to_owned(),
        }),
        Class::NotADecision | Class::NotEnforced | Class::Broken(_) => None,
    }
}

/// Finds `op(action=net:connect:tcp, resource=net:domain:example.com:443)` anywhere in the text.
fn of_reason(text: &str) -> Option<Pasted> {
    let op =
        text.split_once("op(action=").map(|(_, rest)| rest.lines().next().unwrap_or_default())?;
    let action = op.split([',', ')', ' ']).next()?.trim();
    let after = |mark: &str| op.split_once(mark).map(|(_, rest)| rest);
    let word = |rest: &str| {
        rest.split([',', ')', ']', ' ', '"', '\\', '}']).next().unwrap_or_default().to_owned()
    };
    let host = after("net:domain:").map(word).unwrap_or_default();
    // A path may hold any character except those that end the list and the operation.
    let path = |mark: &str| {
        let rest = after(mark)?;
        let end = rest.find("])").or_else(|| rest.find(')')).unwrap_or(rest.len());
        rest.get(..end).map(|path| path.trim_end_matches(']').trim().to_owned())
    };
    let parts: Vec<&str> = action.split(':').collect();
    let (kind, resource, mode) = match parts.as_slice() {
        ["net", "connect", _] => (Kind::Connect, host, None),
        ["http", "request", _] => (Kind::Http, host, None),
        ["fs", "mount", "read"] => (Kind::Mount, path("fs:path:")?, Some(Mode::Read)),
        ["fs", "mount", "write"] => (Kind::Mount, path("fs:path:")?, Some(Mode::Write)),
        _ => return None,
    };
    if resource.is_empty() {
        return None;
    }
    let last = parts.last().copied().unwrap_or_default();
    let none = || Cow::Borrowed("");
    // Only a denial has a reason.
    let recorded = decision("AUDIT_DECISION_DENY", text);
    let seen = Observation {
        kind,
        resource: resource.into(),
        protocol: if kind == Kind::Connect { last.into() } else { none() },
        method: if kind == Kind::Http { last.into() } else { none() },
        host: none(),
        port: none(),
        path: path("http:path:").unwrap_or_default().into(),
        mode,
        recorded: recorded?,
        user: none(),
        machine: none(),
        id: none(),
        count: 1,
        first: None,
        last: None,
    };
    Some(Pasted {
        asked: Asked::from_observation(&seen),
        recorded: Some(seen.recorded),
        user: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_found_in_what_people_paste() {
        for (text, request) in [
            (
                r#"{"action_type":"network_egress","decision":"AUDIT_DECISION_DENY","resource_id":"example.com:443","enforcement_mode":"audit"}"#,
                "connect:tcp example.com:443",
            ),
            (
                "no applicable policies for op(action=net:connect:tcp, resource=net:domain:example.com:443)",
                "connect:tcp example.com:443",
            ),
            (
                r#"HTTP/1.1 403 Forbidden
{"error": "blocked: denied: rule \"r\" matched op(action=net:connect:tcp, resource=net:domain:169.254.169.254:80)"}"#,
                "connect:tcp 169.254.169.254:80",
            ),
            (
                "denied: op(action=http:request:post, resource=[net:domain:git.example.com:443, http:path:/o/r.git/git-receive-pack])",
                "POST https://git.example.com/o/r.git/git-receive-pack",
            ),
            ("op(action=fs:mount:read, resource=fs:path:/data/x)", "read /data/x"),
        ] {
            let found = paste(text).expect(text);
            assert_eq!(found.asked.text, request, "{text}");
        }
        for text in [
            "",
            "403 Forbidden",
            "{}",
            "op(action=net:connect:tcp)",
            r#"{"action_type":"session"}"#,
        ] {
            assert!(paste(text).is_err(), "{text}");
        }
        let record = r#"{"action_type":"network_egress","decision":"AUDIT_DECISION_ALLOW","resource_id":"a.example:1"}"#;
        for (more, is_read) in [("{},".repeat(10), true), ("{},".repeat(60_000), false)] {
            let page = format!(r#"{{"events":[{more}{record}]}}"#);
            assert_eq!(paste(&page).is_ok(), is_read, "{}", page.len());
        }
    }
}
