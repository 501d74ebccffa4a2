//! What a plan means for access, in the form that it is shown and saved.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::governed::{Governed, Turn};
use crate::access::{Access, Cause, Comparison, Entry};

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
    /// Who comes to have policies of a domain, and who has none any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub governed: Vec<Governed>,
}

/// Access that changes for an audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gain {
    /// For whom.
    pub audience: Audience,
    /// What changes, in the patterns of the rules.
    #[schemars(with = "String")]
    pub access: Access,
    /// One request that changes, as `can` takes it.
    pub witness: String,
    /// The rules that make the difference, each with where a document declares it, or `live` where none does.
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
    /// Where very much changes: for each of these teams, the other teams of which the same holds, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Vec<String>>,
}

impl Meaning {
    /// Whether no audience's access changes, for certain.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.widened.is_empty() && self.narrowed.is_empty() && self.uncertain.is_empty()
    }

    /// Whether both tell of the same access. Which rules it comes from may differ: a rule that has nothing to do with a
    /// change may be renamed or divided meanwhile.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let Self { exact, widened, narrowed, uncertain, governed } = self;
        let same = |one: &[Gain], other: &[Gain]| {
            let plain = |gain: &Gain| Gain { because: Vec::new(), ..gain.clone() };
            one.iter().map(plain).eq(other.iter().map(plain))
        };
        // Whoever has got a first policy from somebody else meanwhile has lost nothing.
        fn lasts(all: &[Governed]) -> impl Iterator<Item = &Governed> {
            all.iter().filter(|one| one.change == Turn::Last)
        }
        *exact == other.exact
            && lasts(governed).eq(lasts(&other.governed))
            && same(widened, &other.widened)
            && same(narrowed, &other.narrowed)
            && same(uncertain, &other.uncertain)
    }

    /// Every audience that is shown.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        let gains = self.widened.iter().chain(&self.narrowed).chain(&self.uncertain).map(|gain| &gain.audience);
        gains.chain(self.governed.iter().map(|governed| &governed.audience))
    }

    /// What some audience gains or may gain.
    pub fn gains(&self) -> impl Iterator<Item = &Gain> {
        self.widened.iter().chain(self.uncertain.iter().filter(|gain| gain.widens))
    }
}

impl Meaning {
    /// What a comparison found, its causes told by `tell`.
    pub(super) fn of(comparison: Comparison, tell: impl Fn(&Cause) -> String) -> Self {
        let Comparison { exact, widened, narrowed, uncertain } = comparison;
        let all = |entries: Vec<Entry>| entries.into_iter().map(|entry| Gain::of(entry, &tell)).collect();
        Self { exact, widened: all(widened), narrowed: all(narrowed), uncertain: all(uncertain), governed: Vec::new() }
    }
}

impl Gain {
    fn of(entry: Entry, tell: impl Fn(&Cause) -> String) -> Self {
        let Entry { audience, access, witness, because, widens, narrows } = entry;
        let audience = Audience { teams: audience.teams.clone(), alike: audience.alike.clone() };
        let because = because.iter().map(|cause| tell(cause)).collect();
        Self { audience, access, witness, because, widens, narrows }
    }
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
