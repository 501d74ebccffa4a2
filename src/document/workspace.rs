//! `Workspace`: the settings in `seawall.yaml`.

use std::fmt;

use globset::GlobMatcher;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use super::Protected;
use super::field::{self, ApiVersion};
use crate::source::pattern;

/// The documents that belong together, the services that they are for, and the guards for plans.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Workspace")]
pub struct Workspace {
    /// The version of the document format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// The kind of the document.
    pub kind: WorkspaceKind,
    /// Patterns of the files that belong to the workspace, relative to this file. Without it, every `*.yaml` and
    /// `*.yml` below, in any letter case, hidden files and folders aside. A pattern that matches nothing is an error.
    #[serde(default, deserialize_with = "field::optional_texts")]
    #[schemars(with = "Vec<String>", length(min = 1), inner(length(min = 1)), example = ["policies/**/*.yaml"])]
    pub include: Option<Vec<String>>,
    /// The Docker organization. Without it, the workspace does not manage Docker.
    #[serde(default, deserialize_with = "docker")]
    #[schemars(schema_with = "section_of::<Docker>")]
    pub docker: Option<Docker>,
    /// The Vijil console. Without it, the workspace does not manage Vijil.
    #[serde(default, deserialize_with = "section")]
    #[schemars(schema_with = "section_of::<Vijil>")]
    pub vijil: Option<Vijil>,
    /// The limits for plans.
    #[serde(default)]
    pub guards: Guards,
}

/// The Docker organization that the policies belong to. If there are several, all settings apply to each of them; an
/// organization with other settings needs its own workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("not" = {"type": "object", "required": ["org", "orgs"]}))]
pub struct Docker {
    /// The organization's name.
    #[serde(default, deserialize_with = "field::optional_text")]
    #[schemars(with = "String", length(min = 1), example = "my-org")]
    pub org: Option<String>,
    /// The names of several organizations, instead of `org`. A policy is for all of them, unless its own `orgs` names
    /// some; each organization has its own plan.
    #[serde(default, deserialize_with = "field::optional_texts")]
    #[schemars(with = "Vec<String>", length(min = 1), inner(length(min = 1)), example = ["my-org", "my-org-labs"])]
    pub orgs: Option<Vec<String>>,
    /// The base URL of the API, ending in `/v2`; or `embedded`, an emulator inside of the process.
    #[serde(default, deserialize_with = "field::optional_text")]
    #[schemars(with = "String", length(min = 1), example = "https://hub.docker.com/v2", example = &"embedded")]
    pub endpoint: Option<String>,
    /// The treatment of live policies that no document declares.
    #[serde(default)]
    #[schemars(schema_with = "ownership")]
    pub ownership: Ownership,
    /// Names, or patterns with `*` and `?`, of the policies that this workspace owns, if several workspaces share the
    /// organization: documents declare no others, unless they say `adopt: true`, and `exclusive` deletes no others.
    /// Without it, the workspace owns all policies.
    #[serde(default, deserialize_with = "field::optional_texts")]
    #[schemars(with = "Vec<String>", length(min = 1), inner(length(min = 1)), example = ["team-a *"])]
    pub owns: Option<Vec<String>>,
    /// Names, or patterns with `*` and `?`, of live policies that are never touched.
    #[serde(default, deserialize_with = "field::texts")]
    #[schemars(inner(length(min = 1)), example = ["legacy-*"])]
    pub unmanaged: Vec<String>,
    /// The teams that the organization is known to have: scopes that name others are reported offline, and `embedded`
    /// creates them.
    #[serde(default, deserialize_with = "field::present_texts")]
    #[schemars(with = "Vec<String>", inner(length(min = 1)), example = ["research", "platform"])]
    pub teams: Option<Vec<String>>,
}

/// The Vijil console that the policies belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vijil {
    /// The base URL of the API; or `embedded`, an emulator inside of the process.
    #[serde(default, deserialize_with = "field::optional_text")]
    #[schemars(with = "String", length(min = 1), example = "https://console-api.vijil.ai", example = &"embedded")]
    pub endpoint: Option<String>,
    /// With `embedded`: a snapshot to start with, such as drafts that a model drew from a text; a file relative to this
    /// one.
    #[serde(default, deserialize_with = "field::optional_text")]
    #[schemars(with = "String", length(min = 1), example = "extracted.json")]
    pub seed: Option<String>,
    /// The treatment of live policies that no document declares.
    #[serde(default)]
    #[schemars(schema_with = "ownership")]
    pub ownership: Ownership,
    /// The way to edit rules of an active policy: `in_place`, each approved right after its edit while the policy stays
    /// active; or `deactivate`, for a console that refuses edits of active policies: the policy is a draft in between.
    #[serde(default)]
    #[schemars(schema_with = "edit_active")]
    pub edit_active: EditActive,
}

/// The way to edit rules of an active Vijil policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditActive {
    /// The policy stays active, and each rule is approved right after its edit.
    #[default]
    InPlace,
    /// The policy becomes a draft first, and is activated again at the end.
    Deactivate,
}

/// The treatment of live policies that no document declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
    /// They are left as they are.
    #[default]
    Declared,
    /// They are deleted, except those in `unmanaged`.
    Exclusive,
}

/// The limits for plans. `--allow GUARD` lifts a guard for one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guards {
    /// The largest part of the live policies, and of the live rules of each policy, that a plan may delete: a
    /// percentage such as `25%`, or a count. Without it, there is no limit. With `25%`, a plan that deletes 3 of 10
    /// policies is refused.
    #[serde(default, deserialize_with = "field::present", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "limit")]
    pub max_deletes: Option<Limit>,
    /// True if a plan that gives any audience new access is refused, or may give it, or that weakens a rule for agents.
    /// With `true`, a plan that allows `connect:tcp example.com` to a team that could not reach it is refused, and so is one
    /// that turns `block` into `log`.
    #[serde(default)]
    pub deny_widening: bool,
    /// True if a plan is refused after which an access test of the workspace fails, even if it failed before. A plan
    /// that opens `pastebin.example.com` is refused if a test expects `deny: connect:tcp pastebin.example.com:443`.
    #[serde(default = "yes")]
    pub access_tests: bool,
    /// Policies that documents have to declare, and that no plan may delete, empty or weaken: each by its name, or with the
    /// kinds of change that are allowed. A policy that is renamed stays protected. With `[Guardrails]`, a plan is refused
    /// that takes a host off a deny of `Guardrails`, exempts a team from it or adds an allow to it, and none that moves a deny
    /// from one rule of it to another.
    #[serde(default)]
    pub protected: Vec<Protected>,
    /// The largest part of the recorded requests that a plan may newly deny: a percentage such as `1%`, or a count.
    /// Judged with `--records`; without it, there is no limit.
    #[serde(default, deserialize_with = "field::present", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "limit")]
    pub blocked_requests: Option<Limit>,
    /// True if a plan that changes access is refused when no recorded requests show what it would have blocked.
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
            Self::Percent(percent) => u128::from(count) * 100 > u128::from(all) * u128::from(percent),
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

/// The names that patterns with `*` and `?` match.
#[derive(Clone, Debug)]
pub struct Names {
    patterns: Vec<GlobMatcher>,
    /// Texts that are not valid patterns.
    others: Vec<String>,
}

impl Names {
    /// Returns `true` if a pattern matches the name.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_match(name)) || self.others.iter().any(|other| other == name)
    }
}

/// Compiles patterns of names. An invalid pattern matches its own text, so that nothing is deleted because of a stray
/// bracket.
#[must_use]
pub fn names(patterns: &[String]) -> Names {
    let mut names = Names { patterns: Vec::new(), others: Vec::new() };
    for text in patterns {
        match pattern::compile(text, false) {
            Ok(pattern) => names.patterns.push(pattern),
            Err(_) => names.others.push(text.clone()),
        }
    }
    names
}

/// `Workspace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum WorkspaceKind {
    /// The document as written.
    Workspace,
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
                    .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
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

/// A section that exists, even as a key without a value.
fn section<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::<T>::deserialize(deserializer).map(|section| Some(section.unwrap_or_default()))
}

/// A [`section`] that names one or several organizations.
fn docker<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Docker>, D::Error> {
    let docker: Option<Docker> = section(deserializer)?;
    match &docker {
        Some(Docker { org: Some(_), orgs: Some(_), .. }) => Err(D::Error::custom("takes one of `org` and `orgs`")),
        Some(_) | None => Ok(docker),
    }
}

fn section_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    schema.insert("type".to_owned(), serde_json::json!(["object", "null"]));
    schema
}

fn ownership(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "enum": ["declared", "exclusive"],
        "default": "declared",
        "description": "What happens to live policies that no document declares: `declared` leaves them alone, `exclusive` deletes them, those in `unmanaged` and outside of `owns` aside."
    })
}

fn edit_active(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "enum": ["in_place", "deactivate"],
        "default": "in_place",
        "description": "How rules of an active policy are edited: `in_place` keeps the policy active and approves each rule right after its edit; `deactivate`, for a console that refuses edits of active policies, makes the policy a draft first and activates it again at the end."
    })
}

fn limit(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "integer"],
        "pattern": "^(0|[1-9][0-9]?|100)%$",
        "minimum": 0,
        "maximum": u32::MAX,
        "examples": ["25%", 3]
    })
}
