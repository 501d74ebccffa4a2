//! The teams of an organization.

use std::collections::BTreeMap;

/// A team of the organization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Team {
    /// The id in scopes of the service: the group's `uuid`.
    pub id: String,
    /// The name that people write.
    pub name: String,
}

/// The organization's teams, by id and by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamDirectory {
    by_id: BTreeMap<String, String>,
    /// By name: the ids of the teams with that name, sorted.
    by_name: BTreeMap<String, Vec<String>>,
}

/// The result of resolving a team of a document.
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
        let by_id: BTreeMap<String, String> =
            teams.into_iter().map(|team| (team.id, team.name)).collect();
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (id, name) in &by_id {
            by_name.entry(name.clone()).or_default().push(id.clone());
        }
        Self { by_id, by_name }
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

    /// The id for a text in a document: the id of a team, or the name of exactly one.
    #[must_use]
    pub fn resolve(&self, text: &str) -> TeamLookup {
        if self.by_id.contains_key(text) {
            return TeamLookup::Found(text.to_owned());
        }
        match self.by_name.get(text).map(Vec::as_slice) {
            None | Some([]) => TeamLookup::Unknown,
            Some([id]) => TeamLookup::Found(id.clone()),
            Some(ids) => TeamLookup::Ambiguous(ids.to_vec()),
        }
    }
}
