//! The warnings of a plan: it may be carried out, and somebody should look at it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::Origin;

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// The subject of the warning.
    pub code: Code,
    /// The finding, as a lower-case phrase.
    pub message: String,
    /// The advice, in the imperative.
    pub help: String,
    /// The place.
    pub source: Option<Origin>,
}

/// The subject of a warning.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A policy or rule is created beside an equal or similar one that no document declares.
    PossibleRename,
    /// A rule changes, and the note of its approval is still the one of its former text.
    StaleApprovalNote,
    /// A policy is for a team that the organization no longer has.
    DeletedTeam,
}

/// A warning of a check about a document, which the change brings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The code of the check.
    pub code: String,
    /// The finding, as a lower-case phrase.
    pub message: String,
    /// The advice, in the imperative.
    pub help: Option<String>,
    /// The place.
    pub source: Option<Origin>,
}

impl Warning {
    /// A policy or rule that has `shared` with another one of that kind, which no document declares.
    /// `created` is its name with its earlier names, none of which is live.
    pub(super) fn possible_rename(
        kind: &str,
        (created, previously): (&str, &[String]),
        shared: &str,
        former: &str,
        at: &Origin,
    ) -> Self {
        let names = previously.iter().map(String::as_str).chain([former]).map(flow_scalar);
        let verb = if previously.is_empty() { "add" } else { "write" };
        Self {
            code: Code::PossibleRename,
            message: format!(
                "the new {kind} `{created}` has {shared} of `{former}`, which is no longer declared"
            ),
            help: format!(
                "looks like a rename: {verb} previously: [{}]",
                names.collect::<Vec<_>>().join(", ")
            ),
            source: Some(at.clone()),
        }
    }

    /// A policy that has the id of a deleted team in its scope.
    pub(super) fn deleted_team(policy: &str, id: &str, at: &Origin) -> Self {
        Self {
            code: Code::DeletedTeam,
            message: format!(
                "`{policy}` is for the team `{id}`, which the organization no longer has: whether \
                 it still governs anybody is not documented"
            ),
            help: "remove the team from the scope, or the policy if it is for no other team"
                .to_owned(),
            source: Some(at.clone()),
        }
    }
}

/// A name as an item of a YAML list in brackets.
fn flow_scalar(name: &str) -> String {
    let is_plain = |character: char| {
        character.is_alphanumeric() || matches!(character, ' ' | '-' | '_' | '.' | '(' | ')' | '—')
    };
    let starts = name.starts_with(|character: char| character.is_alphabetic());
    match starts && name.chars().all(is_plain) && name.trim() == name && !is_word(name) {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}

/// Returns `true` if a plain scalar would be no text.
fn is_word(name: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    words.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::flow_scalar;

    #[test]
    fn a_name_is_quoted_where_yaml_would_read_it_otherwise() {
        let table = [
            ("Security Research — hardened", "Security Research — hardened"),
            ("PRIV-001", "PRIV-001"),
            ("a, b", "\"a, b\""),
            ("a: b", "\"a: b\""),
            ("[x]", "\"[x]\""),
            ("12", "\"12\""),
            ("null", "\"null\""),
            ("say \"x\"", "\"say \\\"x\\\"\""),
        ];
        for (name, written) in table {
            assert_eq!(flow_scalar(name), written);
        }
    }
}
