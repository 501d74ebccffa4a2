//! What a plan means for access, in the form that it is shown and saved.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a change means for access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Meaning {
    /// Whether everything that changes is known for certain.
    pub exact: bool,
    /// Access that an audience gains.
    pub widened: Vec<Gain>,
    /// Access that an audience loses.
    pub narrowed: Vec<Gain>,
    /// Access that changes, or not, depending on what is not documented.
    pub uncertain: Vec<Gain>,
}

/// Access that changes for an audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gain {
    /// For whom.
    pub audience: Audience,
    /// What changes, in the patterns of the rules.
    pub access: String,
    /// One request that changes, as `can` takes it.
    pub witness: String,
    /// The rules that make the difference.
    pub because: Vec<String>,
    /// Whether the audience gains it, for certain or maybe.
    pub widens: bool,
    /// Whether the audience loses it, for certain or maybe.
    pub narrows: bool,
}

/// Members of just these teams; of none of them stands for the whole organization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Audience {
    /// Names of teams, sorted.
    pub teams: Vec<String>,
}

impl Meaning {
    /// What is said of steps whose meaning has not been compared: each policy that they are about may change anything.
    #[must_use]
    pub fn unproven(steps: &[super::step::Step]) -> Self {
        let policies: std::collections::BTreeSet<&str> = steps.iter().map(|step| step.policy.as_str()).collect();
        let gain = |policy: &str| Gain {
            audience: Audience { teams: Vec::new() },
            access: format!("policy {policy}"),
            witness: format!("policy {policy}"),
            because: vec![format!("`{policy}` changes")],
            widens: true,
            narrows: true,
        };
        let uncertain: Vec<Gain> = policies.into_iter().map(gain).collect();
        Self { exact: uncertain.is_empty(), widened: Vec::new(), narrowed: Vec::new(), uncertain }
    }

    /// Whether no audience's access changes, for certain.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.widened.is_empty() && self.narrowed.is_empty() && self.uncertain.is_empty()
    }

    /// What some audience gains or may gain.
    pub fn gains(&self) -> impl Iterator<Item = &Gain> {
        self.widened.iter().chain(self.uncertain.iter().filter(|gain| gain.widens))
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.teams.as_slice() {
            [] => f.write_str("the whole organization"),
            teams => f.write_str(&teams.join(" + ")),
        }
    }
}
