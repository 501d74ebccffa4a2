//! `GET /v2/auditlogs/governance/{org}`: the records of a seed, and those of the emulator's own
//! policy changes.
//!
//! Invariant: the newest record comes first, then order by identity; a token continues only the
//! range that it was given for.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{DockerOperation, Settings};
use crate::exchange::{Request, Response, whole_number};
use crate::identity;
use crate::state::{Org, State};

/// The default and the largest page size.
const PAGE: usize = 25;
const LARGEST: usize = 100;
/// The longest range, in days.
const DAYS: i64 = 30;
const EVENT: &str = "docker.marlin.audit.event.v1.AuditRecord";
/// Top-level fields of a record; the others belong to its payload.
const TOP: [&str; 9] = [
    "audit_event_id",
    "org_id",
    "category",
    "decision",
    "action_type",
    "enforcement_mode",
    "audit_session_id",
    "username",
    "ingested_at",
];

/// A record in the form of the API: the fields of a local file are moved into the payload.
#[must_use]
pub fn shown(record: Value) -> Value {
    let Value::Object(mut record) = record else { return record };
    if record.contains_key("payload") {
        return Value::Object(record);
    }
    let mut shown = Map::new();
    for name in TOP {
        if let Some(value) = record.remove(name) {
            shown.insert(name.to_owned(), value);
        }
    }
    let time =
        record.remove("timestamp").or_else(|| record.remove("created_at")).unwrap_or_default();
    shown.entry("ingested_at").or_insert_with(|| time.clone());
    shown.insert("created_at".to_owned(), time);
    shown.insert("event_type".to_owned(), EVENT.into());
    shown.insert("payload".to_owned(), Value::Object(record));
    Value::Object(shown)
}

/// Answers with a page of records.
pub(super) fn list(settings: &Settings, state: &State, request: &Request, org: &str) -> Response {
    let bearer = request.authorization.as_deref().and_then(|header| header.split_once(' '));
    let token =
        bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
    if !token.is_some_and(|token| is_accepted(settings, org, token)) {
        return refusal(401, "unauthorized");
    }
    match state.orgs.get(org) {
        Some(held) => page(held, request).unwrap_or_else(|message| refusal(400, &message)),
        None => refusal(404, "organization not found"),
    }
}

/// Returns `true` if this is a raw access token of the organization: the one of the setup, or one
/// that may log in under its name. A token from an exchange is not.
fn is_accepted(settings: &Settings, org: &str, token: &str) -> bool {
    let own = settings
        .accounts
        .iter()
        .filter(|account| account.identifier == org)
        .map(|account| &account.secret);
    settings.audit_token.iter().chain(own).any(|known| known == token)
}

fn page(org: &Org, request: &Request) -> Result<Response, String> {
    let time = |name: &str| match request.parameter(name) {
        None => Ok(None),
        Some(text) => text
            .parse::<Timestamp>()
            .map(Some)
            .map_err(|_| format!("{name} must be an RFC 3339 time")),
    };
    let longest = SignedDuration::from_hours(24 * DAYS);
    let to = time("to")?.unwrap_or(request.at);
    let from =
        time("from")?.unwrap_or_else(|| to.saturating_sub(longest).unwrap_or(Timestamp::MIN));
    let given = ["from", "to"].iter().any(|name| request.parameter(name).is_some());
    let size = match request.parameter("page_size").map(whole_number) {
        None | Some(Some(0)) => PAGE,
        Some(Some(size)) => size.min(LARGEST),
        Some(None) => return Err("page_size must be a whole number from 0".to_owned()),
    };
    if request.parameter("query").is_some_and(|text| !(3..=256).contains(&text.chars().count())) {
        return Err("query takes 3 to 256 characters".to_owned());
    }
    let (from, to, after) = match request.parameter("page_token").filter(|token| !token.is_empty())
    {
        None => (from, to, 0),
        Some(token) => {
            let (begun, end, after) = continued(token).ok_or("page_token is not valid")?;
            if given && (from, to) != (begun, end) {
                return Err("the range of a page_token stays the same".to_owned());
            }
            (begun, end, after)
        }
    };
    if from > to {
        return Err("from must not be after to".to_owned());
    }
    if to.duration_since(from) > longest {
        return Err(format!("a request covers at most {DAYS} days"));
    }
    let mut found: Vec<(Timestamp, &str, &Value)> = org
        .records
        .iter()
        .filter_map(|record| in_window(record, from, to))
        .filter(|one| wanted(request, one.2))
        .collect();
    found.sort_by(|one, other| (other.0, one.1).cmp(&(one.0, other.1)));
    let events: Vec<&Value> =
        found.iter().skip(after).take(size).map(|(.., record)| *record).collect();
    let next = after + events.len();
    let token = if next < found.len() {
        URL_SAFE_NO_PAD.encode(format!("{from} {to} {next}"))
    } else {
        String::new()
    };
    Ok(Response::json(200, &json!({"events": events, "next_page_token": token})))
}

/// The range, and how much of it was returned.
fn continued(token: &str) -> Option<(Timestamp, Timestamp, usize)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let mut parts = text.split(' ');
    let (from, to, after) =
        (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some((from, to, after))
}

fn in_window(
    record: &Arc<Value>,
    from: Timestamp,
    to: Timestamp,
) -> Option<(Timestamp, &str, &Value)> {
    let time: Timestamp = record.get("created_at")?.as_str()?.parse().ok()?;
    let id = record.get("audit_event_id").and_then(Value::as_str).unwrap_or_default();
    (from <= time && time <= to).then_some((time, id, record))
}

/// Returns `true` if the query selects the record.
fn wanted(request: &Request, record: &Value) -> bool {
    let text = |name: &str| {
        let value = record.get(name).or_else(|| record.get("payload")?.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    };
    let same =
        ["audit_session_id", "username", "decision", "enforcement_mode", "action_type", "agent"];
    let begins =
        |asked: &str| text("resource_id").to_lowercase().starts_with(&asked.to_lowercase());
    let holds = |asked: &str| record.to_string().to_lowercase().contains(&asked.to_lowercase());
    same.iter().all(|name| request.parameter(name).is_none_or(|asked| asked == text(name)))
        && request.parameter("resource_id").is_none_or(begins)
        && request.parameter("query").is_none_or(holds)
}

/// The answer to too many requests in a second.
#[must_use]
pub fn exceeded() -> Response {
    Response::json(429, &json!({"error": "rate limit exceeded", "retry_after_seconds": 1}))
        .with_header("Retry-After", 1)
}

fn refusal(status: u16, message: &str) -> Response {
    Response::json(status, &json!({"error": message}))
}

/// Records that a policy was changed, as the service does.
pub(super) fn note(
    state: &mut State,
    request: &Request,
    org: &str,
    operation: DockerOperation,
    object: &str,
) {
    let number = state.orgs.get(org).map_or(0, |held| held.records.len());
    let record = json!({
        "audit_event_id": identity::uuid(&format!("{}/{org}/{}", state.ids_salt, request.at), number as u64),
        "timestamp": request.at.to_string(),
        "category": "AUDIT_CATEGORY_MANAGEMENT",
        "decision": "AUDIT_DECISION_ALLOW",
        "action_type": "policy_action",
        "resource_id": object,
        "policy_action": {"operation": operation.name()},
    });
    Arc::make_mut(&mut state.org_mut(org).records).push(Arc::new(shown(record)));
}
