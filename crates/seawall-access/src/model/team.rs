//! The teams of an organization.

use std::collections::BTreeMap;

/// A team of the organization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Team {
    /// What scopes hold on the wire: the group's `uuid`.
    pub id: String,
    /// What people write.
    pub name: String,
}

/// The organization's teams, by id and by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamDirectory {
    by_id: BTreeMap<String, String>,
}

/// Why a team of a document could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TeamLookup {
    /// The team's id.
    Found(String),
    /// No team has this id or name.
    Unknown,
    /// Several teams have this name; their ids.
    Ambiguous(Vec<String>),
}

impl TeamDirectory {
    /// A directory of these teams.
    #[must_use]
    pub fn new(teams: impl IntoIterator<Item = Team>) -> Self {
        Self { by_id: teams.into_iter().map(|team| (team.id, team.name)).collect() }
    }

    /// The teams, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = Team> + '_ {
        self.by_id.iter().map(|(id, name)| Team { id: id.clone(), name: name.clone() })
    }

    /// The name to show for a team key: the name of the team with that id, or the key itself.
    #[must_use]
    pub fn name<'a>(&'a self, key: &'a str) -> &'a str {
        self.by_id.get(key).map_or(key, String::as_str)
    }

    /// The id for what a document says: an id of a team, or the name of exactly one.
    #[must_use]
    pub fn resolve(&self, text: &str) -> TeamLookup {
        if self.by_id.contains_key(text) {
            return TeamLookup::Found(text.to_owned());
        }
        let mut ids: Vec<String> =
            self.by_id.iter().filter(|(_, name)| *name == text).map(|(id, _)| id.clone()).collect();
        match ids.len() {
            0 => TeamLookup::Unknown,
            1 => TeamLookup::Found(ids.swap_remove(0)),
            _ => TeamLookup::Ambiguous(ids),
        }
    }
}
