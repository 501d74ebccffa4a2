//! The live state as one JSON file, which `snapshot` writes and `--live-from` and `emulator --seed`
//! read.
//!
//! Invariant: the policies are complete objects of the service, sorted by name and id, so that the
//! same state gives the same bytes. A file of another version, or with two objects of the same id,
//! is refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::wire;
use crate::diagnostic::sanitize;
use crate::exit::{Exit, Explain};
use crate::json;
use crate::model::{Live, Team, TeamDirectory};
use crate::service::vijil::wire::VijilSnapshot;

/// The version of the file.
const FORMAT_VERSION: u32 = 1;

/// The state of the services at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// 1.
    pub format_version: u32,
    /// The Docker side; absent if the workspace does not use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<DockerSnapshot>,
    /// The Vijil side; absent if the workspace does not use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vijil: Option<VijilSnapshot>,
}

/// The state of one Docker organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerSnapshot {
    /// The organization's name.
    pub org: String,
    /// Sorted by id.
    pub teams: Vec<Team>,
    /// Complete policies, sorted by name, then id.
    pub policies: Vec<wire::Policy>,
}

/// The reason why a file is not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The text is not JSON, or a field is missing or has another type.
    #[error("not a snapshot: {0}")]
    Shape(String),
    /// The version is not supported.
    #[error("the snapshot has format version {0}")]
    Version(u64),
    /// Two objects have the same id.
    #[error("the snapshot has two {what} of id `{id}`")]
    Twice {
        /// `policies`, `rules` or `teams`.
        what: &'static str,
        /// The id.
        id: String,
    },
    /// An object that cannot be interpreted.
    #[error(transparent)]
    Meaningless(#[from] wire::Meaningless),
}

impl Explain for SnapshotError {
    fn hint(&self) -> String {
        "write it with `seawall snapshot`".to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Invalid
    }
}

impl Snapshot {
    pub(super) fn new(docker: DockerSnapshot) -> Self {
        Self { format_version: FORMAT_VERSION, docker: Some(docker), vijil: None }
    }

    /// Parses the text of a file.
    ///
    /// # Errors
    ///
    /// Returns an error with line and column if the JSON or the type of a field is wrong.
    pub fn parse(text: &str) -> Result<Self, SnapshotError> {
        /// The version is read first, so that the error for a later version names it rather than
        /// its fields.
        #[derive(Deserialize)]
        struct Version {
            format_version: u64,
        }
        let shape = |error: serde_json::Error| SnapshotError::Shape(error.to_string());
        refuse_excess(text)?;
        let Version { format_version } = serde_json::from_str(text).map_err(shape)?;
        if format_version != u64::from(FORMAT_VERSION) {
            return Err(SnapshotError::Version(format_version));
        }
        let mut snapshot: Self = serde_json::from_str(text).map_err(shape)?;
        if snapshot.docker.is_none() && snapshot.vijil.is_none() {
            return Err(SnapshotError::Shape("it holds neither `docker` nor `vijil`".to_owned()));
        }
        if let Some(vijil) = &snapshot.vijil {
            once("policies for agents", vijil.policies.iter().map(|whole| &whole.policy.id))?;
            once(
                "rules for agents",
                vijil.policies.iter().flat_map(|whole| &whole.rules).map(|rule| &rule.id),
            )?;
        }
        let Some(DockerSnapshot { org: _, teams, policies }) = &mut snapshot.docker else {
            return Ok(snapshot);
        };
        once("teams", teams.iter().map(|team| &team.id))?;
        once("policies", policies.iter().map(|policy| &policy.id.0))?;
        let rules =
            policies.iter().filter_map(|policy| policy.allowlist_v0.as_ref()?.rules.as_ref());
        once("rules", rules.flatten().map(|rule| &rule.id.0))?;
        teams.sort();
        policies.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Ok(snapshot)
    }

    /// Parses a file with one snapshot, or with those of several organizations.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], for any of them.
    pub fn parse_each(text: &str) -> Result<Vec<Self>, SnapshotError> {
        refuse_excess(text)?;
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| SnapshotError::Shape(error.to_string()))?;
        match value.get("snapshots").and_then(serde_json::Value::as_array) {
            Some(each) if !each.is_empty() => {
                each.iter().map(|one| Self::parse(&one.to_string())).collect()
            }
            Some(_) | None => Ok(vec![Self::parse(text)?]),
        }
    }

    /// The text of a file of several organizations, with a line end.
    #[must_use]
    pub fn text_of_each(snapshots: &[Self]) -> String {
        let each = serde_json::json!({"format_version": FORMAT_VERSION, "snapshots": snapshots});
        sanitize::json(&each)
    }

    /// The file's text, with a line end.
    #[must_use]
    pub fn text(&self) -> String {
        sanitize::json(self)
    }
}

impl Snapshot {
    /// A snapshot of the Vijil side alone.
    #[must_use]
    pub fn of_vijil(vijil: VijilSnapshot) -> Self {
        Self { format_version: FORMAT_VERSION, docker: None, vijil: Some(vijil) }
    }
}

impl DockerSnapshot {
    /// The live state that the snapshot describes.
    ///
    /// # Errors
    ///
    /// Returns an error if an object contradicts itself, or has no meaning that this version knows.
    pub fn live(self) -> Result<Live, wire::Meaningless> {
        let Self { org, teams, policies } = self;
        let policies = policies.into_iter().map(wire::Policy::live).collect::<Result<_, _>>()?;
        Ok(Live { org, policies, teams: TeamDirectory::new(teams) })
    }
}

impl From<&Live> for Snapshot {
    fn from(Live { org, policies, teams }: &Live) -> Self {
        let policies = policies.iter().map(wire::Policy::from).collect();
        Self::new(DockerSnapshot { org: org.clone(), teams: teams.iter().collect(), policies })
    }
}

/// A plan from deeply nested JSON could be saved but not be read back; and values take more memory
/// than their text.
fn refuse_excess(text: &str) -> Result<(), SnapshotError> {
    let (depth, values) = json::measure(text.as_bytes());
    let faults = [
        (
            depth > json::MAX_FILE_DEPTH,
            format!("it nests deeper than {} levels", json::MAX_FILE_DEPTH),
        ),
        (
            values > json::MAX_FILE_VALUES,
            format!("it holds more than {} values", json::MAX_FILE_VALUES),
        ),
    ];
    faults
        .into_iter()
        .find(|(is_fault, _)| *is_fault)
        .map_or(Ok(()), |(_, fault)| Err(SnapshotError::Shape(fault)))
}

fn once<'a>(
    what: &'static str,
    ids: impl Iterator<Item = &'a String>,
) -> Result<(), SnapshotError> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(SnapshotError::Twice { what, id: id.clone() });
        }
    }
    Ok(())
}
