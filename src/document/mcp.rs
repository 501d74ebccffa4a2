//! `McpPolicy`: Cedar text for MCP servers and tools.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::field::{self, ApiVersion};
use super::policy::ScopeField;
use crate::access::cedar::SCHEMA_URL;

/// The MCP servers and tools that agents may use, in Cedar.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "McpPolicy", extend("oneOf" = [{"required": ["cedar"]}, {"required": ["cedar_file"]}]))]
pub struct McpPolicy {
    /// The version of the document format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// The kind of the document.
    pub kind: McpPolicyKind,
    /// The identity of the policy, unique in the organization.
    #[serde(deserialize_with = "field::text")]
    #[schemars(length(min = 1), example = "MCP baseline")]
    pub name: String,
    /// Earlier names of the policy: a live policy of such a name is renamed, not replaced.
    #[serde(default, deserialize_with = "field::texts")]
    #[schemars(inner(length(min = 1)))]
    pub previously: Vec<String>,
    /// True to take over a live policy with a name outside of `docker.owns`, or in
    /// `docker.unmanaged`.
    #[serde(default)]
    pub adopt: bool,
    /// The reason for the policy; never sent to the service.
    #[serde(default, deserialize_with = "field::present")]
    #[schemars(with = "String")]
    pub description: Option<String>,
    /// The organizations that the policy is for, of `docker.orgs`; without it, all of them.
    #[serde(default, deserialize_with = "field::optional_texts")]
    #[schemars(with = "Vec<String>", length(min = 1), inner(length(min = 1)), example = ["my-org"])]
    pub orgs: Option<Vec<String>>,
    /// The scope of the policy; without it, the whole organization.
    #[serde(default)]
    pub scope: ScopeField,
    /// The schema that the policy is written for.
    #[serde(default = "default_schema_url", deserialize_with = "field::text")]
    #[schemars(length(min = 1))]
    pub schema_url: String,
    /// The Cedar policy text.
    #[serde(default, deserialize_with = "field::optional_text")]
    #[schemars(
        with = "String",
        length(min = 1),
        example = "permit (principal, action == MCP::Action::\"invokeTool\", resource) when { resource.readOnly };\n"
    )]
    pub cedar: Option<String>,
    /// A file with the Cedar policy text, relative to this document and inside the workspace.
    #[serde(default, deserialize_with = "field::optional_text")]
    #[schemars(with = "String", length(min = 1), example = "mcp.cedar")]
    pub cedar_file: Option<String>,
}

/// `McpPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum McpPolicyKind {
    /// The document as written.
    McpPolicy,
}

fn default_schema_url() -> String {
    SCHEMA_URL.to_owned()
}

impl McpPolicy {
    /// Decodes a policy with exactly one of `cedar` and `cedar_file`.
    pub(super) fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let policy = Self::deserialize(deserializer)?;
        if policy.cedar.is_some() == policy.cedar_file.is_some() {
            return Err(D::Error::custom("a policy takes exactly one of `cedar` and `cedar_file`"));
        }
        Ok(policy)
    }
}
