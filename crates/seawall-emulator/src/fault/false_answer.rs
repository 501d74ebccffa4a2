//! Answers that look like success and are not true: what caches, replicas that lag and gateways
//! make of a service.

use serde_json::{Value, json};

use crate::exchange::Response;

/// The false part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FalseAnswer {
    /// A list shows nothing, and says that this is all.
    Empty,
    /// A list lacks its first entry.
    Missing,
    /// A policy shows no rules.
    Bare,
    /// The answer is what it was before the last change.
    Stale,
    /// The JSON ends in the middle, and the length says that this is all.
    Short,
    /// Nothing is done, and 200 carries the envelope of an error.
    Envelope,
}

impl FalseAnswer {
    /// Every false_answer with its name in the syntax of faults.
    pub const ALL: [(&'static str, Self); 6] = [
        ("empty", Self::Empty),
        ("missing", Self::Missing),
        ("bare", Self::Bare),
        ("stale", Self::Stale),
        ("short", Self::Short),
        ("envelope", Self::Envelope),
    ];

    /// The false answer in place of the true one.
    pub(crate) fn told(self, answer: Response) -> Response {
        let mut body = answer.value();
        match self {
            Self::Empty | Self::Missing => {
                let mut left = None;
                for list in ["data", "results", "events"] {
                    if let Some(entries) = body.get_mut(list).and_then(Value::as_array_mut) {
                        entries.drain(
                            ..if self == Self::Empty {
                                entries.len()
                            } else {
                                entries.len().min(1)
                            },
                        );
                        left = Some(entries.len());
                    }
                }
                // The audit log ends its list with an empty text.
                let end = if body.get("events").is_some() { "".into() } else { Value::Null };
                let token = (self == Self::Empty).then_some(("next_page_token", end));
                let counts = left
                    .into_iter()
                    .flat_map(|left| [("count", left.into()), ("total", left.into())]);
                for (key, said) in counts.chain(token) {
                    if let Some(value) = body.get_mut(key) {
                        *value = said;
                    }
                }
            }
            Self::Bare => {
                if let Some(policy) = body.as_object_mut() {
                    policy.remove("allowlist_v0");
                }
            }
            Self::Short => {
                let length = answer.body.len() / 2;
                return Response { body: answer.body.into_iter().take(length).collect(), ..answer };
            }
            Self::Envelope => {
                return Response::json(
                    200,
                    &json!({"error": {"code": "internal", "message": "refused on purpose"}}),
                );
            }
            Self::Stale => return answer,
        }
        if body.is_null() { answer } else { Response::json(answer.status, &body) }
    }
}
