//! `Workspace`: the settings in `seawall.yaml`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::field::{self, ApiVersion};
use crate::model::{EditActive, Guards, Ownership};

/// The documents that belong together, the services that they are for, and the guards for plans.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Workspace", title = "Workspace")]
pub struct Settings {
    /// The version of the document format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// The kind of the document.
    pub kind: WorkspaceKind,
    /// Patterns of the files that belong to the workspace, relative to this file. Without it, every
    /// `*.yaml` and `*.yml` below, in any letter case, hidden files and folders aside. A pattern
    /// that matches nothing is an error.
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

/// The Docker organization that the policies belong to. If there are several, all settings apply to
/// each of them; an organization with other settings needs its own workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("not" = {"type": "object", "required": ["org", "orgs"]}))]
pub struct Docker {
    /// The organization's name.
    #[serde(default, deserialize_with = "field::optional_text")]
    #[schemars(with = "String", length(min = 1), example = "my-org")]
    pub org: Option<String>,
    /// The names of several organizations, instead of `org`. A policy is for all of them, unless
    /// its own `orgs` names some; each organization has its own plan.
    #[serde(default, deserialize_with = "field::optional_texts")]
    #[schemars(with = "Vec<String>", length(min = 1), inner(length(min = 1)), example = ["my-org", "my-org-labs"])]
    pub orgs: Option<Vec<String>>,
    /// The base URL of the API, ending in `/v2`; or `embedded`, an emulator inside of the process.
    #[serde(default, deserialize_with = "field::endpoint")]
    #[schemars(with = "String", length(min = 1), regex(pattern = field::ENDPOINT), example = "https://hub.docker.com/v2", example = &"embedded")]
    pub endpoint: Option<String>,
    /// The treatment of live policies that no document declares.
    #[serde(default)]
    #[schemars(schema_with = "ownership")]
    pub ownership: OwnershipSetting,
    /// Names, or patterns with `*` and `?`, of the policies that this workspace owns, if several
    /// workspaces share the organization: documents declare no others, unless they say
    /// `adopt: true`, and `exclusive` deletes no others. Without it, the workspace owns all
    /// policies.
    #[serde(default, deserialize_with = "field::optional_texts")]
    #[schemars(with = "Vec<String>", length(min = 1), inner(length(min = 1)), example = ["team-a *"])]
    pub owns: Option<Vec<String>>,
    /// Names, or patterns with `*` and `?`, of live policies that are never touched.
    #[serde(default, deserialize_with = "field::texts")]
    #[schemars(inner(length(min = 1)), example = ["legacy-*"])]
    pub unmanaged: Vec<String>,
    /// The teams that the organization is known to have: scopes that name others are reported
    /// offline, and `embedded` creates them.
    #[serde(default, deserialize_with = "field::present_texts")]
    #[schemars(with = "Vec<String>", inner(length(min = 1)), example = ["research", "platform"])]
    pub teams: Option<Vec<String>>,
}

impl Docker {
    /// The organizations that are named, by `org` or by `orgs`.
    #[must_use]
    pub fn organizations(&self) -> Vec<&str> {
        self.org.iter().chain(self.orgs.iter().flatten()).map(String::as_str).collect()
    }
}

/// The Vijil console that the policies belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vijil {
    /// The base URL of the API; or `embedded`, an emulator inside of the process.
    #[serde(default, deserialize_with = "field::endpoint")]
    #[schemars(with = "String", length(min = 1), regex(pattern = field::ENDPOINT), example = "https://console-api.vijil.ai", example = &"embedded")]
    pub endpoint: Option<String>,
    /// With `embedded`: a snapshot to start with, such as drafts that a model drew from a text; a
    /// file relative to this one.
    #[serde(default, deserialize_with = "field::optional_text")]
    #[schemars(with = "String", length(min = 1), example = "extracted.json")]
    pub seed: Option<String>,
    /// The treatment of live policies that no document declares.
    #[serde(default)]
    #[schemars(schema_with = "ownership")]
    pub ownership: OwnershipSetting,
    /// The way to edit rules of an active policy: `in_place`, each approved right after its edit
    /// while the policy stays active; or `deactivate`, for a console that refuses edits of active
    /// policies: the policy is a draft in between.
    #[serde(default)]
    #[schemars(schema_with = "edit_active")]
    pub edit_active: EditActive,
}

/// The treatment of live policies that no document declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnershipSetting {
    /// They are left as they are.
    #[default]
    Declared,
    /// They are deleted, except those in `unmanaged`.
    Exclusive,
}

impl From<&Docker> for Ownership {
    fn from(docker: &Docker) -> Self {
        Self {
            exclusive: docker.ownership == OwnershipSetting::Exclusive,
            unmanaged: docker.unmanaged.clone(),
            owns: docker.owns.clone(),
        }
    }
}

/// `Workspace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum WorkspaceKind {
    /// The document as written.
    Workspace,
}

/// A section that exists, even as a key without a value.
fn section<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::<T>::deserialize(deserializer).map(|section| Some(section.unwrap_or_default()))
}

/// A [`section`] that names one or several organizations.
fn docker<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Docker>, D::Error> {
    let docker: Option<Docker> = section(deserializer)?;
    match &docker {
        Some(Docker { org: Some(_), orgs: Some(_), .. }) => {
            Err(D::Error::custom("takes one of `org` and `orgs`"))
        }
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
