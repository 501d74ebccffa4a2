//! The audiences whose access changes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Members of exactly these teams; no team stands for the whole organization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Audience {
    /// Names of teams, sorted.
    pub teams: Vec<String>,
    /// For each of these teams, the other teams that change in the same way, sorted. Empty unless
    /// very much changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Vec<String>>,
}

impl Audience {
    /// The names of its teams, each formatted by `write` and followed by the number of teams that
    /// change in the same way.
    pub fn names(&self, teams: &[String], write: impl Fn(&str) -> String) -> Vec<String> {
        let others = self.alike.iter().map(Vec::len).chain(std::iter::repeat(0));
        let name = |(team, others): (&String, usize)| match others {
            0 => write(team),
            1 => format!("{} (or 1 other team)", write(team)),
            others => format!("{} (or any of {others} other teams)", write(team)),
        };
        teams.iter().zip(others).map(name).collect()
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.teams.as_slice() {
            [] => f.write_str("the whole organization"),
            teams => f.write_str(&self.names(teams, str::to_owned).join(" + ")),
        }
    }
}
