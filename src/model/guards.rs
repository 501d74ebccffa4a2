//! The guards: limits for plans, as a workspace sets them and as a plan carries them.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::Protected;

/// The limits for plans. `--allow GUARD` lifts a guard for one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guards {
    /// The largest part of the live policies, and of the live rules of each policy, that a plan may
    /// delete: a percentage such as `25%`, or a count. Without it, there is no limit. With `25%`, a
    /// plan that deletes 3 of 10 policies is refused.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "limit")]
    pub max_deletes: Option<Limit>,
    /// True if a plan that gives any audience new access is refused, or may give it, or that
    /// weakens a rule for agents. With `true`, a plan that allows `connect:tcp example.com` to a
    /// team that could not reach it is refused, and so is one that turns `block` into `log`.
    #[serde(default)]
    pub deny_widening: bool,
    /// True if a plan is refused after which an access test of the workspace fails, even if it
    /// failed before. A plan that opens `pastebin.example.com` is refused if a test expects
    /// `deny: connect:tcp pastebin.example.com:443`.
    #[serde(default = "yes")]
    pub access_tests: bool,
    /// Policies that documents have to declare, and that no plan may delete, empty or weaken: each
    /// by its name, or with the kinds of change that are allowed. A policy that is renamed stays
    /// protected. With `[Guardrails]`, a plan is refused that takes a host off a deny of
    /// `Guardrails`, exempts a team from it or adds an allow to it, and none that moves a deny from
    /// one rule of it to another.
    #[serde(default)]
    pub protected: Vec<Protected>,
    /// The largest part of the recorded requests that a plan may newly deny: a percentage such as
    /// `1%`, or a count. Judged with `--records`; without it, there is no limit.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "limit")]
    pub blocked_requests: Option<Limit>,
    /// True if a plan that changes access is refused when no recorded requests show what it would
    /// have blocked.
    #[serde(default)]
    pub require_records: bool,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            max_deletes: None,
            deny_widening: false,
            access_tests: true,
            protected: Vec::new(),
            blocked_requests: None,
            require_records: false,
        }
    }
}

fn yes() -> bool {
    true
}

/// The form of a percentage in a [`Limit`], as a pattern of the schema.
pub const SHARE: &str = "^(0|[1-9][0-9]?|100)%$";

/// A limit for a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A percentage of the existing objects, from 0 to 100.
    Percent(u8),
    /// A count.
    Count(u32),
}

impl Limit {
    /// Returns `true` if `count` of `all` exceeds the limit.
    #[must_use]
    pub fn is_exceeded(self, count: u64, all: u64) -> bool {
        match self {
            Self::Percent(percent) => {
                u128::from(count) * 100 > u128::from(all) * u128::from(percent)
            }
            Self::Count(most) => count > u64::from(most),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// A setting that a proposal changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SettingChange {
    /// The name of the setting: `guards.deny_widening`.
    pub setting: String,
    /// The value in the base; null if the base does not set it.
    pub base: Value,
    /// The value in the proposal; null if the proposal does not set it.
    pub proposed: Value,
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Percent(_) => serializer.collect_str(self),
            Self::Count(count) => serializer.serialize_u32(*count),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Limit;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a share such as `25%`, or a count")
            }

            fn visit_u64<E: Error>(self, count: u64) -> Result<Limit, E> {
                u32::try_from(count).map(Limit::Count).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, count: i64) -> Result<Limit, E> {
                u32::try_from(count).map(Limit::Count).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Limit, E> {
                text.strip_suffix('%')
                    .filter(|digits| {
                        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
                    })
                    .filter(|digits| digits.len() == 1 || !digits.starts_with('0'))
                    .and_then(|digits| digits.parse().ok())
                    .filter(|percent| *percent <= 100)
                    .map(Limit::Percent)
                    .ok_or_else(|| E::custom("not a share from `0%` to `100%`"))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// An optional value that may not be `null`.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn limit(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "integer"],
        "pattern": SHARE,
        "minimum": 0,
        "maximum": u32::MAX,
        "examples": ["25%", 3]
    })
}

/// The end of a judgement of something that the settings permit.
pub const NOT_REFUSED: &str = "; that is not refused";

/// The judgement of something that a guard found, as a lower-case phrase.
///
/// # Errors
///
/// Returns the phrase if the settings refuse it.
pub fn refused_if(refused: bool, found: String) -> Result<String, String> {
    if refused { Err(found) } else { Ok(format!("{found}{NOT_REFUSED}")) }
}
