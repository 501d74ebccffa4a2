//! `AccessTest`: the requests that members of some teams must be able to make, and those that they
//! must not.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::field::{self, ApiVersion};
use crate::model::Expected;

/// Expectations about access, checked by `seawall test`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "AccessTest")]
pub struct AccessTest {
    /// The version of the document format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// The kind of the document.
    pub kind: AccessTestKind,
    /// The name of the test: what it verifies.
    #[serde(deserialize_with = "field::text")]
    #[schemars(length(min = 1), example = "researchers reach the CVE mirror and nothing else")]
    pub name: String,
    /// The reason for the test.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "String")]
    pub description: Option<String>,
    /// The organizations that the test is for, of `docker.orgs`; without it, all of them.
    #[serde(default, deserialize_with = "field::optional_texts")]
    #[schemars(with = "Vec<String>", length(min = 1), inner(length(min = 1)), example = ["my-org"])]
    pub orgs: Option<Vec<String>>,
    /// The subject of the requests; without it, a member of no team.
    #[serde(default, rename = "as")]
    pub subject: Subject,
    /// The requests that must be allowed or denied.
    #[serde(deserialize_with = "field::list")]
    #[schemars(length(min = 1))]
    pub expect: Vec<Expectation>,
}

/// The subject of an access test: the member who makes the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Names or ids of the teams that the subject is a member of.
    #[serde(default, deserialize_with = "field::texts")]
    #[schemars(inner(length(min = 1)), example = ["research"])]
    pub teams: Vec<String>,
}

/// An expectation: the decision, and the request as text (`connect:tcp example.com:443`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expectation {
    /// Must be allowed.
    Allow(#[serde(deserialize_with = "field::text")] String),
    /// Must be denied.
    Deny(#[serde(deserialize_with = "field::text")] String),
    /// Must be allowed once a person approves, each time.
    Approval(#[serde(deserialize_with = "field::text")] String),
}

/// `AccessTest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum AccessTestKind {
    /// The document as written.
    AccessTest,
}

impl Expectation {
    /// The expected decision.
    #[must_use]
    pub fn expected(&self) -> Expected {
        match self {
            Self::Allow(_) => Expected::Allow,
            Self::Deny(_) => Expected::Deny,
            Self::Approval(_) => Expected::Approval,
        }
    }

    /// The request as written.
    #[must_use]
    pub fn access(&self) -> &str {
        match self {
            Self::Allow(access) | Self::Deny(access) | Self::Approval(access) => access,
        }
    }
}

// Written by hand: editors and errors cannot use the derived `oneOf` of two objects.
impl JsonSchema for Expectation {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expectation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An access that must be allowed, one that must be denied, or one that a person must be asked to approve.",
            "type": "object",
            "properties": {
                "allow": {
                    "description": "An access that must be allowed.",
                    "type": "string",
                    "minLength": 1,
                    "examples": ["connect:tcp cve.mitre.org:443", "GET https://api.github.com/repos/docker/cli"]
                },
                "deny": {
                    "description": "An access that must be denied.",
                    "type": "string",
                    "minLength": 1,
                    "examples": ["mount rw ~/.ssh", "mcp invokeTool notion/search {\"readOnly\": true}"]
                },
                "approval": {
                    "description": "An access that must be allowed once a person approves.",
                    "type": "string",
                    "minLength": 1,
                    "examples": ["mcp invokeTool github/create_issue"]
                }
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1
        })
    }
}
