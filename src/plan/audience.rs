//! The audiences whose access changes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Members of just these teams; of none of them stands for the whole organization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Audience {
    /// Names of teams, sorted.
    pub teams: Vec<String>,
    /// The other teams of which the same holds, for each of these teams, sorted; only where very much changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Vec<String>>,
}

impl Audience {
    /// The names of its teams as `write` writes one, each with how many others there are of which the same holds.
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
