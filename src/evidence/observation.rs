//! A recorded decision, in the record's own words.
//!
//! Source of the names: the record reference of Docker AI Governance. A record of local files has
//! its fields at the top level, a record of the audit API has some of them in a payload, and a row
//! of an aggregation stands for many records.
//!
//! Invariant: only decisions that were enforced are observations. A record with a value that this
//! version does not know is not a decision, rather than a broken record.

use std::borrow::Cow;

use super::record::{Object, Record, Text, Texts};
use super::time;

/// The kind of request that a record describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Connect,
    Http,
    Mount,
    Tool,
    Resource,
    Prompt,
    Registration,
}

/// The decision on a request when it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordedDecision {
    /// It was allowed.
    Allow,
    /// It was denied.
    Deny(Refusal),
    /// A person was asked.
    Approval(Approval),
}

/// The reason why a request was denied, as far as the record states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// No rule matched.
    Default,
    /// A rule of the organization.
    Rule,
    /// A rule of the machine or of a kit: not the organization's.
    Local,
    /// The record does not say.
    Unsaid,
}

/// The result of asking a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Approval {
    /// No outcome is recorded: the request was held back.
    Pending,
    /// It was granted.
    Granted,
    /// It was refused.
    Refused,
}

/// Access mode of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Mode {
    Read,
    Write,
}

/// The class of a record.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and nearly all are decisions")]
pub(super) enum Class<'a> {
    Decision(Observation<'a>),
    NotADecision,
    NotEnforced,
    /// The reason why it is not a record.
    Broken(&'static str),
}

/// A decision.
#[derive(Debug)]
pub(super) struct Observation<'a> {
    pub(super) kind: Kind,
    pub(super) resource: Cow<'a, str>,
    pub(super) protocol: Cow<'a, str>,
    pub(super) method: Cow<'a, str>,
    pub(super) host: Cow<'a, str>,
    pub(super) port: Cow<'a, str>,
    pub(super) path: Cow<'a, str>,
    pub(super) mode: Option<Mode>,
    pub(super) recorded: RecordedDecision,
    /// The user; empty if the record names nobody.
    pub(super) user: Cow<'a, str>,
    pub(super) machine: Cow<'a, str>,
    /// The id that identifies the request; an approval and its resolution share it. Empty for an
    /// aggregation.
    pub(super) id: Cow<'a, str>,
    /// The number of records that it stands for.
    pub(super) count: u64,
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
}

impl RecordedDecision {
    /// A short phrase for people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Allow => "allowed",
            Self::Deny(Refusal::Default) => "denied, since no rule matched",
            Self::Deny(Refusal::Rule) => "denied by a rule",
            Self::Deny(Refusal::Local) => {
                "denied by a rule of the machine or of a kit, which no policy here overrules"
            }
            Self::Deny(Refusal::Unsaid) => "denied",
            Self::Approval(Approval::Pending) => "held back until a person approves",
            Self::Approval(Approval::Granted) => "approved by a person",
            Self::Approval(Approval::Refused) => "refused by a person",
        }
    }
}

/// Normalizes `AUDIT_DECISION_ALLOW`, `allow` and `Allow` to `ALLOW`.
fn value(text: &str, prefix: &str) -> String {
    let upper = text.trim().to_ascii_uppercase().replace([' ', '-'], "_");
    upper.strip_prefix(prefix).map(str::to_owned).unwrap_or(upper)
}

fn kind(action_type: &str) -> Option<Kind> {
    Some(match action_type {
        "network_egress" => Kind::Connect,
        "http_request" => Kind::Http,
        "filesystem_mount" => Kind::Mount,
        "tool_invocation" => Kind::Tool,
        "resource_read" => Kind::Resource,
        "prompt" => Kind::Prompt,
        "server_registration" => Kind::Registration,
        _ => return None,
    })
}

pub(super) fn decision(text: &str, reason: &str) -> Option<RecordedDecision> {
    // Nearly all records have one of these two, which need no copy.
    let refusal = || {
        if reason.contains("no applicable polic") {
            Refusal::Default
        } else if let Some((_, rule)) = reason.split_once("rule \"") {
            let local = rule.starts_with("local:") || rule.starts_with("kit:");
            if local { Refusal::Local } else { Refusal::Rule }
        } else {
            Refusal::Unsaid
        }
    };
    match text {
        "AUDIT_DECISION_ALLOW" => return Some(RecordedDecision::Allow),
        "AUDIT_DECISION_DENY" => return Some(RecordedDecision::Deny(refusal())),
        _ => {}
    }
    Some(match value(text, "AUDIT_DECISION_").as_str() {
        "ALLOW" | "ALLOWED" => RecordedDecision::Allow,
        "DENY" | "DENIED" => RecordedDecision::Deny(refusal()),
        "APPROVAL_REQUIRED" => RecordedDecision::Approval(Approval::Pending),
        "APPROVAL_ALLOW" | "APPROVED" => RecordedDecision::Approval(Approval::Granted),
        "APPROVAL_DENY" | "REJECTED" => RecordedDecision::Approval(Approval::Refused),
        _ => return None,
    })
}

/// The mode of a mount, from `op(action=fs:mount:read, …)`.
fn mode(reason: &str) -> Option<Mode> {
    match (reason.contains("fs:mount:read"), reason.contains("fs:mount:write")) {
        (true, false) => Some(Mode::Read),
        (false, true) => Some(Mode::Write),
        _ => None,
    }
}

fn first_of<'a>(texts: impl IntoIterator<Item = Text<'a>>) -> Cow<'a, str> {
    texts.into_iter().find(|text| !text.is_empty()).map(|text| text.0).unwrap_or_default()
}

impl<'a> Class<'a> {
    pub(super) fn from_record(record: Record<'a>) -> Self {
        if !record.is_object {
            return Self::Broken("it is not a record");
        }
        let id = first_of(record.identities().cloned());
        let at = first_of(record.times().cloned());
        let (user, machine) =
            (first_of(record.users().cloned()), first_of(record.machines().cloned()));
        let inner = record.payload.map(|payload| *payload).unwrap_or_default();
        let action_type = first_of([record.action_type, inner.action_type]);
        let decided = first_of([record.decision, inner.decision]);
        let category = first_of([record.category, inner.category]);
        let resource = first_of([record.resource_id, inner.resource_id]);
        if action_type.is_empty() && category.is_empty() && decided.is_empty() {
            return Self::Broken("it has no field of a record");
        }
        // Nearly all records use this spelling, which is compared without a copy.
        let is_decision = category == "AUDIT_CATEGORY_EVALUATION"
            || value(&category, "AUDIT_CATEGORY_") == "EVALUATION";
        if !category.is_empty() && !is_decision {
            return Self::NotADecision;
        }
        if action_type.is_empty() {
            return Self::Broken("it has no `action_type`");
        }
        let kind = match kind(&action_type) {
            Some(kind) => Some(kind),
            None => self::kind(&value(&action_type, "AUDIT_ACTION_TYPE_").to_ascii_lowercase()),
        };
        let Some(kind) = kind else { return Self::NotADecision };
        if decided.is_empty() {
            return Self::Broken("it has no `decision`");
        }
        let reasons = [record.deny_reason, inner.deny_reason, record.reason, inner.reason];
        let reason = joined(reasons);
        let Some(recorded) = decision(&decided, &reason) else { return Self::NotADecision };
        let enforcement = first_of([record.enforcement_mode, inner.enforcement_mode]);
        let is_enforced =
            enforcement == "enforce" || value(&enforcement, "AUDIT_ENFORCEMENT_MODE_") == "ENFORCE";
        if !enforcement.is_empty() && !is_enforced {
            return Self::NotEnforced;
        }
        let part = |one: Option<Box<Object<'a>>>, other: Option<Box<Object<'a>>>| {
            one.or(other).map(|object| *object).unwrap_or_default()
        };
        let egress = part(record.network_egress, inner.network_egress);
        let http = part(record.http_request, inner.http_request);
        let row = record.object;
        let is_event = !record.audit_event_id.is_empty() || !inner.audit_event_id.is_empty();
        let aggregated = !record.count.is_empty() && !is_event;
        let count = if aggregated { record.count.0.trim().parse().ok() } else { Some(1) };
        let Some(count) = count else { return Self::Broken("its `count` is not a whole number") };
        let times =
            if aggregated { [record.first.0, record.last.0] } else { [at, Cow::Borrowed("")] };
        let [first, last] = times.map(|text| (!text.trim().is_empty()).then(|| time::parse(&text)));
        if first == Some(None) || last == Some(None) {
            return Self::Broken("its time cannot be read");
        }
        let (first, last) = (first.flatten(), last.flatten());
        let host = first_of([http.host, row.host]);
        if resource.trim().is_empty() && host.is_empty() {
            return Self::Broken("it has no `resource_id`");
        }
        Self::Decision(Observation {
            kind,
            protocol: first_of([egress.protocol, row.protocol]),
            method: first_of([http.method, row.method]),
            host,
            port: first_of([http.port, row.port]),
            path: first_of([http.path, row.path]),
            mode: if kind == Kind::Mount { mode(&reason) } else { None },
            recorded,
            user,
            machine,
            id,
            resource,
            count,
            first: first.or(last),
            last: last.or(first),
        })
    }
}

fn joined<'a>(all: [Texts<'a>; 4]) -> Cow<'a, str> {
    let mut texts = all.into_iter().flat_map(|texts| texts.0);
    let first = texts.next().unwrap_or_default();
    texts.fold(first, |all, text| Cow::Owned(format!("{all}\n{text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> &'static str {
        match Class::from_record(serde_json::from_str(text).unwrap()) {
            Class::Decision(_) => "decision",
            Class::NotADecision => "not a decision",
            Class::NotEnforced => "not enforced",
            Class::Broken(_) => "broken",
        }
    }

    #[test]
    fn each_action_type_of_the_reference_has_its_class() {
        let record = |action: &str, category: &str| {
            format!(
                r#"{{"action_type":"{action}","category":"AUDIT_CATEGORY_{category}","decision":"AUDIT_DECISION_ALLOW",
                    "resource_id":"x","enforcement_mode":"enforce"}}"#
            )
        };
        for decided in [
            "network_egress",
            "http_request",
            "filesystem_mount",
            "tool_invocation",
            "resource_read",
            "server_registration",
            "prompt",
        ] {
            assert_eq!(class(&record(decided, "EVALUATION")), "decision", "{decided}");
            assert_eq!(class(&record(decided, "MANAGEMENT")), "not a decision", "{decided}");
        }
        for other in [
            "session",
            "network_egress_execution",
            "filesystem_mount_execution",
            "tool_execution",
            "resource_read_execution",
            "prompt_execution",
            "network_execution",
            "filesystem_execution",
            "resource_execution",
            "policy_sync",
            "pii_detection",
            "c_score_report",
            "policy_action",
            "what_a_later_version_adds",
        ] {
            for category in ["EVALUATION", "EXECUTION", "MANAGEMENT", "LATER"] {
                assert_eq!(class(&record(other, category)), "not a decision", "{other}");
            }
        }
    }

    #[test]
    fn only_what_was_enforced_counts() {
        for (mode, expected) in [
            ("", "decision"),
            (r#""enforcement_mode":"enforce","#, "decision"),
            (r#""enforcement_mode":null,"#, "decision"),
            (r#""enforcement_mode":"audit","#, "not enforced"),
            (r#""enforcement_mode":"off","#, "not enforced"),
            (r#""enforcement_mode":"later","#, "not enforced"), // an open string
        ] {
            let text = format!(
                r#"{{{mode}"action_type":"network_egress","decision":"AUDIT_DECISION_DENY","resource_id":"a:1"}}"#
            );
            assert_eq!(class(&text), expected, "{mode}");
        }
    }

    #[test]
    fn decisions_are_read_in_every_spelling() {
        let local =
            "denied: rule \"local:x\" matched op(action=net:connect:tcp, resource=net:domain:a:1)";
        for (text, reason, recorded) in [
            ("AUDIT_DECISION_ALLOW", "", Some(RecordedDecision::Allow)),
            ("allow", "", Some(RecordedDecision::Allow)),
            (
                "Deny",
                "no applicable policies for op(x)",
                Some(RecordedDecision::Deny(Refusal::Default)),
            ),
            (
                "AUDIT_DECISION_DENY",
                "denied: rule \"r1\" matched op(x)",
                Some(RecordedDecision::Deny(Refusal::Rule)),
            ),
            ("AUDIT_DECISION_DENY", local, Some(RecordedDecision::Deny(Refusal::Local))),
            (
                "AUDIT_DECISION_DENY",
                "denied: rule \"kit:x\" matched op(x)",
                Some(RecordedDecision::Deny(Refusal::Local)),
            ),
            ("AUDIT_DECISION_DENY", "", Some(RecordedDecision::Deny(Refusal::Unsaid))),
            (
                "AUDIT_DECISION_APPROVAL_REQUIRED",
                "",
                Some(RecordedDecision::Approval(Approval::Pending)),
            ),
            ("AUDIT_DECISION_APPROVED", "", Some(RecordedDecision::Approval(Approval::Granted))),
            ("AUDIT_DECISION_REJECTED", "", Some(RecordedDecision::Approval(Approval::Refused))),
            ("AUDIT_DECISION_LATER", "", None),
        ] {
            assert_eq!(decision(text, reason), recorded, "{text} {reason}");
        }
    }

    #[test]
    fn what_is_no_record_is_broken() {
        for text in [
            "7",
            "{}",
            r#"{"a":1}"#,
            r#"{"decision":"AUDIT_DECISION_DENY","resource_id":"a:1"}"#,
            r#"{"action_type":"network_egress","resource_id":"a:1"}"#,
            r#"{"action_type":"network_egress","decision":"deny"}"#,
            r#"{"action_type":"network_egress","decision":"deny","resource_id":"a:1","count":"many"}"#,
            r#"{"action_type":"network_egress","decision":"deny","resource_id":"a:1","timestamp":"soon"}"#,
        ] {
            assert_eq!(class(text), "broken", "{text}");
        }
    }

    #[test]
    fn the_payload_of_the_audit_api_is_read() {
        let text = r#"{"audit_event_id":"e","event_type":"docker.marlin.audit.event.v1.AuditRecord",
            "category":"AUDIT_CATEGORY_EVALUATION","decision":"AUDIT_DECISION_DENY","action_type":"filesystem_mount",
            "username":"ana","created_at":"2026-11-01T00:00:00Z","payload":{"resource_id":"/data","hostname":"m",
            "deny_reason":["no applicable policies for op(action=fs:mount:write, resource=fs:path:/data)"]}}"#;
        let Class::Decision(found) = Class::from_record(serde_json::from_str(text).unwrap()) else {
            panic!("no decision")
        };
        assert_eq!((&*found.resource, &*found.user, &*found.machine), ("/data", "ana", "m"));
        assert_eq!(
            (found.mode, found.recorded),
            (Some(Mode::Write), RecordedDecision::Deny(Refusal::Default))
        );
        assert_eq!(found.first, time::parse("2026-11-01T00:00:00Z"));
    }
}
