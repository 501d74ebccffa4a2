//! Rules as they are written in documents.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::field;
use crate::model::{Action, Decision, HttpResource, Layer, Resources, Rule};

/// Allows or denies network destinations or HTTP requests. A deny wins over every allow.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["resources"]}, {"required": ["http_resources"]}]))]
pub struct NetworkRule {
    /// The identity of the rule, unique in the policy.
    #[serde(deserialize_with = "field::text")]
    #[schemars(length(min = 1), example = "allow research mirrors")]
    pub name: String,
    /// Earlier names of the rule: a live rule of such a name is updated, not replaced.
    #[serde(default, deserialize_with = "field::texts")]
    #[schemars(inner(length(min = 1)))]
    pub previously: Vec<String>,
    /// The decision: `allow` or `deny`.
    #[schemars(schema_with = "decision")]
    pub decision: Decision,
    /// The actions that are allowed or denied: `connect:…` on `resources`, or `request:…` on
    /// `http_resources`; one rule takes one of the two.
    #[serde(deserialize_with = "network_actions")]
    #[schemars(schema_with = "network_action_list")]
    pub actions: Vec<Action>,
    /// Hosts, addresses and CIDR blocks for `connect:…`: `example.com`, `example.com:443`,
    /// `*.example.com` (one label), `**.example.com` (any depth), `10.0.0.0/8`.
    #[serde(default, deserialize_with = "optional_resources")]
    #[schemars(with = "Vec<String>", length(min = 1), inner(length(min = 1)), example = ["research.mitre.org", "**.example.com:443"])]
    pub resources: Option<Arc<[String]>>,
    /// Targets for `request:…`.
    #[serde(default, deserialize_with = "field::optional_list")]
    #[schemars(with = "Vec<HttpTarget>", length(min = 1))]
    pub http_resources: Option<Vec<HttpTarget>>,
}

/// A host with a path: the requests that a rule matches.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpTarget {
    /// A host or a pattern such as `*.example.com`, without scheme and port.
    #[serde(deserialize_with = "field::text")]
    #[schemars(length(min = 1), example = "api.github.com")]
    pub host: String,
    /// The port; without it, every port.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "std::num::NonZeroU16", range(max = 65535), example = 443)]
    pub port: Option<std::num::NonZeroU16>,
    /// An absolute path or a pattern: `*` matches within one segment, `**` any number of segments,
    /// including the path before it.
    #[serde(deserialize_with = "absolute")]
    #[schemars(regex(pattern = "^/"), example = "/repos/docker/**")]
    pub path: String,
}

/// Allows or denies mounting host paths. A deny wins over every allow.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesystemRule {
    /// The identity of the rule, unique in the policy.
    #[serde(deserialize_with = "field::text")]
    #[schemars(length(min = 1), example = "allow reading shared data")]
    pub name: String,
    /// Earlier names of the rule: a live rule of such a name is updated, not replaced.
    #[serde(default, deserialize_with = "field::texts")]
    #[schemars(inner(length(min = 1)))]
    pub previously: Vec<String>,
    /// The decision: `allow` or `deny`.
    #[schemars(schema_with = "decision")]
    pub decision: Decision,
    /// The actions that are allowed or denied: mounting for reading, for writing, or both. A
    /// writable mount needs both.
    #[serde(deserialize_with = "filesystem_actions")]
    #[schemars(schema_with = "filesystem_action_list")]
    pub actions: Vec<Action>,
    /// Paths: `/data/**`, `~/work/**`, `C:\data\**`, `*:\data\**`,
    /// `\\wsl.localhost\Ubuntu\data\**`. `*` stays within one segment, `**` goes any depth.
    /// Environment variables are not expanded.
    #[serde(deserialize_with = "resources")]
    #[schemars(with = "Vec<String>", length(min = 1), inner(length(min = 1)), example = ["/data", "/data/**"])]
    pub resources: Arc<[String]>,
}

impl NetworkRule {
    /// The rule in the form of the model.
    ///
    /// # Panics
    /// Panics for a rule that was not decoded: the decoder accepts exactly one kind of resources.
    #[must_use]
    pub fn rule(&self) -> Rule {
        let resources = match (&self.resources, &self.http_resources) {
            (Some(resources), None) => Resources::Plain(distinct_texts(resources)),
            (None, Some(targets)) => Resources::Http(distinct(
                &targets.iter().map(HttpTarget::resource).collect::<Vec<_>>(),
            )),
            (Some(_), Some(_)) | (None, None) => {
                panic!("the decoder takes exactly one kind of resources")
            }
        };
        Rule {
            name: self.name.clone(),
            decision: self.decision,
            actions: distinct(&self.actions),
            resources,
        }
    }
}

impl FilesystemRule {
    /// The rule in the form of the model.
    #[must_use]
    pub fn rule(&self) -> Rule {
        let resources = Resources::Plain(distinct_texts(&self.resources));
        Rule {
            name: self.name.clone(),
            decision: self.decision,
            actions: distinct(&self.actions),
            resources,
        }
    }
}

/// The distinct entries of a set, in the order written.
fn distinct<T: Clone + Ord>(entries: &[T]) -> Vec<T> {
    // Nearly all rules have one or two entries.
    if let [] | [_] = entries {
        return entries.to_vec();
    }
    let mut seen = BTreeSet::new();
    entries.iter().filter(|entry| seen.insert(*entry)).cloned().collect()
}

/// The same for resources: the list itself, unless an entry occurs twice.
fn distinct_texts(entries: &Arc<[String]>) -> Arc<[String]> {
    if entries.len() < 2 {
        return Arc::clone(entries);
    }
    let mut seen: HashSet<&str, RandomState> = HashSet::default();
    seen.reserve(entries.len());
    if entries.iter().all(|entry| seen.insert(entry)) {
        return Arc::clone(entries);
    }
    distinct(entries).into()
}

impl HttpTarget {
    pub(super) fn resource(&self) -> HttpResource {
        HttpResource {
            host: self.host.clone(),
            port: self.port.map(Into::into),
            path: self.path.clone(),
        }
    }
}

/// Rules, each with exactly one of `resources` and `http_resources`.
pub(super) fn network_rules<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<NetworkRule>, D::Error> {
    let rules = Vec::<NetworkRule>::deserialize(deserializer)?;
    if rules.iter().any(|rule| rule.resources.is_some() == rule.http_resources.is_some()) {
        return Err(D::Error::custom(
            "a rule takes exactly one of `resources` and `http_resources`",
        ));
    }
    Ok(rules)
}

/// The prefix for an action that the service has and this program does not know, so that a misspelt
/// action is not mistaken for one.
const UNDOCUMENTED: &str = "undocumented:";

/// The spelling of an action in documents.
#[must_use]
pub fn spelled_action(action: &Action) -> String {
    if let Action::Unknown(text) = action {
        format!("{UNDOCUMENTED}{text}")
    } else {
        action.to_string()
    }
}

/// The actions that a kind's rules may name.
pub(super) fn actions(filesystem: bool) -> impl Iterator<Item = Action> {
    Action::all()
        .into_iter()
        .filter(move |action| (action.layer() == Some(Layer::Filesystem)) == filesystem)
}

fn network_actions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Action>, D::Error> {
    decode_actions(deserializer, false)
}

fn filesystem_actions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Action>, D::Error> {
    decode_actions(deserializer, true)
}

fn decode_actions<'de, D: Deserializer<'de>>(
    deserializer: D,
    filesystem: bool,
) -> Result<Vec<Action>, D::Error> {
    let list: Vec<String> = field::list(deserializer)?;
    list.iter()
        .map(|text| match (text.strip_prefix(UNDOCUMENTED), Action::parse(text).layer()) {
            (Some(action), _) if !action.is_empty() && Action::parse(action).layer().is_none() => {
                Ok(Action::Unknown(action.to_owned()))
            }
            (None, Some(layer)) if (layer == Layer::Filesystem) == filesystem => {
                Ok(Action::parse(text))
            }
            (_, _) => Err(D::Error::custom("unknown action")),
        })
        .collect()
}

fn resources<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[String]>, D::Error> {
    field::optional_texts(deserializer).map(|list| list.unwrap_or_default().into())
}

fn optional_resources<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Arc<[String]>>, D::Error> {
    resources(deserializer).map(Some)
}

fn absolute<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.starts_with('/') { Ok(path) } else { Err(D::Error::custom("does not start with `/`")) }
}

fn decision(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["allow", "deny"]})
}

fn network_action_list(_: &mut SchemaGenerator) -> Schema {
    action_list(false)
}

fn filesystem_action_list(_: &mut SchemaGenerator) -> Schema {
    action_list(true)
}

fn action_list(filesystem: bool) -> Schema {
    let names: Vec<String> = actions(filesystem).map(|action| action.to_string()).collect();
    let known: Vec<String> =
        Action::all().iter().map(|action| format!("{UNDOCUMENTED}{action}")).collect();
    json_schema!({
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "string",
            "anyOf": [
                {"enum": names},
                {
                    "description": "An action that the service has and this program does not know.",
                    "pattern": format!("^{UNDOCUMENTED}(.|\\n)"),
                    "not": {"enum": known}
                }
            ]
        }
    })
}
