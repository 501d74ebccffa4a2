//! `NetworkPolicy` and `FilesystemPolicy`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::field::{self, ApiVersion};
use super::rule::{self, FilesystemRule, NetworkRule};

/// The network destinations and HTTP requests that sandboxes may reach.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "NetworkPolicy")]
pub struct NetworkPolicy {
    /// The version of the document format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// The kind of the document.
    pub kind: NetworkPolicyKind,
    /// The identity of the policy, unique in the organization.
    #[serde(deserialize_with = "field::text")]
    #[schemars(length(min = 1), example = "Security Research — hardened")]
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
    /// The rules; `[]` for none, which has to be explicit.
    #[serde(deserialize_with = "rule::network_rules")]
    #[schemars(with = "Vec<NetworkRule>")]
    pub rules: Vec<NetworkRule>,
}

/// The host paths that sandboxes may mount.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "FilesystemPolicy")]
pub struct FilesystemPolicy {
    /// The version of the document format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// The kind of the document.
    pub kind: FilesystemPolicyKind,
    /// The identity of the policy, unique in the organization.
    #[serde(deserialize_with = "field::text")]
    #[schemars(length(min = 1), example = "Shared data")]
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
    /// The rules; `[]` for none, which has to be explicit.
    pub rules: Vec<FilesystemRule>,
}

/// The audience that a policy governs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Scope")]
pub struct ScopeField {
    /// Names or ids of teams: members of any of them are governed. Empty means the whole
    /// organization.
    #[serde(default, deserialize_with = "field::texts")]
    #[schemars(inner(length(min = 1)), example = ["research"])]
    pub teams: Vec<String>,
}

/// `NetworkPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum NetworkPolicyKind {
    /// The document as written.
    NetworkPolicy,
}

/// `FilesystemPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum FilesystemPolicyKind {
    /// The document as written.
    FilesystemPolicy,
}
