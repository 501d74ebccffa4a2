//! The effect of a plan on access, as it is shown and saved.

use std::collections::HashMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::audience::Audience;
use super::governed::{AudienceChange, Governed};
use crate::access::{self, Access, Cause, Comparison, Entry};
use crate::diagnostic::list;
use crate::source::parallel;

/// The number of changes below which one thread is faster.
const WORTH_A_THREAD: usize = 2_000;

/// The effect of a change on access.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Shown", into = "Shown")]
pub struct Meaning {
    /// The changes of access.
    pub found: Found,
    /// The audiences that get their first policy of a domain, and those that lose their last one.
    pub governed: Vec<Governed>,
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The lists hold every change.
    Complete(Changes),
    /// The comparison was cut short: the access of the rules that were not compared is listed as
    /// uncertain, as a whole.
    Incomplete(Changes, Incomplete),
}

impl Default for Found {
    fn default() -> Self {
        Self::Complete(Changes::default())
    }
}

/// Access that changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Access that an audience gains.
    pub widened: Vec<AccessChange>,
    /// Access that an audience loses.
    pub narrowed: Vec<AccessChange>,
    /// Access that may change.
    pub uncertain: Vec<AccessChange>,
}

/// The part of a comparison that was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Incomplete {
    /// The reason, as a phrase.
    pub why: String,
    /// The added and removed rules whose effect is unknown. The audiences that they govern may gain
    /// or lose everything that they describe.
    pub rules: Vec<String>,
    /// The audiences that they govern.
    pub audiences: Vec<Audience>,
    /// The patterns of any rules that have the most wildcards, a few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<String>,
}

/// The effect of a change on access.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Meaning")]
struct Shown {
    /// True if the effect is known for certain, as a whole.
    exact: bool,
    /// Access that an audience gains.
    widened: Vec<AccessChange>,
    /// Access that an audience loses.
    narrowed: Vec<AccessChange>,
    /// Access that may change: that depends on something that is not documented, or that was not
    /// compared.
    uncertain: Vec<AccessChange>,
    /// The part of the comparison that was not done; absent if it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incomplete: Option<Incomplete>,
    /// The audiences that get their first policy of a domain, and those that lose their last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    governed: Vec<Governed>,
}

impl From<Meaning> for Shown {
    fn from(Meaning { found, governed }: Meaning) -> Self {
        let (Changes { widened, narrowed, uncertain }, incomplete) = match found {
            Found::Complete(changes) => (changes, None),
            Found::Incomplete(changes, incomplete) => (changes, Some(incomplete)),
        };
        let exact = uncertain.is_empty() && incomplete.is_none();
        Self { exact, widened, narrowed, uncertain, incomplete, governed }
    }
}

impl From<Shown> for Meaning {
    fn from(Shown { exact, widened, narrowed, uncertain, incomplete, governed }: Shown) -> Self {
        // Earlier versions marked a comparison that was cut short as not exact, without saying
        // where.
        let cut = || Incomplete {
            why: "the plan does not say why".to_owned(),
            rules: Vec::new(),
            audiences: Vec::new(),
            patterns: Vec::new(),
        };
        let incomplete = incomplete.or_else(|| (!exact && uncertain.is_empty()).then(cut));
        let changes = Changes { widened, narrowed, uncertain };
        let found = match incomplete {
            None => Found::Complete(changes),
            Some(incomplete) => Found::Incomplete(changes, incomplete),
        };
        Self { found, governed }
    }
}

impl JsonSchema for Meaning {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Shown::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Shown::json_schema(generator)
    }
}

/// Access that changes for an audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Gain")]
pub struct AccessChange {
    /// The audience.
    #[serde(with = "shared")]
    #[schemars(with = "Audience")]
    pub audience: Arc<Audience>,
    /// The access that changes, in the patterns of the rules.
    #[schemars(with = "String")]
    pub access: Access,
    /// One request that changes, as `can` takes it.
    pub witness: String,
    /// The rules that make the difference, each with the place of its declaration, or `live` if no
    /// document declares it.
    #[serde(with = "shared")]
    #[schemars(with = "Vec<String>")]
    pub because: Arc<[String]>,
    /// True if the audience gains it, for certain or possibly.
    pub widens: bool,
    /// True if the audience loses it, for certain or possibly.
    pub narrows: bool,
    /// The reason why the change is uncertain, as `can` gives it for the example; absent for a
    /// certain change, and for the last of very many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// The decision on the exceptions (the part of `access` after `except`), if it is the same for
    /// all of them before and after the change; absent without exceptions, and for patterns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<Kept>,
    /// True if a person is asked for approval of the example after the change; for MCP only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
    /// For a certain change of the whole organization, the names of the teams whose members keep
    /// the example that others lose, or are still denied what others gain; sorted. Empty for the
    /// last of very many changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unaffected: Vec<String>,
}

/// A decision that a change keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// Allowed before and after.
    Allowed,
    /// Denied before and after.
    Denied,
}

impl Meaning {
    /// The known changes, and the possible ones of an incomplete comparison.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        match &self.found {
            Found::Complete(changes) | Found::Incomplete(changes, _) => changes,
        }
    }

    pub(super) fn changes_mut(&mut self) -> &mut Changes {
        let (Found::Complete(changes) | Found::Incomplete(changes, _)) = &mut self.found;
        changes
    }

    /// The part of the comparison that was not done.
    #[must_use]
    pub fn incomplete(&self) -> Option<&Incomplete> {
        match &self.found {
            Found::Complete(_) => None,
            Found::Incomplete(_, incomplete) => Some(incomplete),
        }
    }

    /// Returns `true` if it is certain that no audience's access changes.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        match &self.found {
            Found::Complete(changes) => *changes == Changes::default(),
            Found::Incomplete(..) => false,
        }
    }

    /// Returns `true` if both describe the same access. The rules behind it may differ: a rule that
    /// has nothing to do with the change may have been renamed or divided meanwhile.
    #[must_use]
    pub fn is_same_access(&self, other: &Self) -> bool {
        let same = |one: &[AccessChange], other: &[AccessChange]| {
            let plain = |gain: &AccessChange| AccessChange {
                because: Arc::default(),
                doubt: None,
                except: None,
                approval: false,
                unaffected: Vec::new(),
                ..gain.clone()
            };
            one.iter().map(plain).eq(other.iter().map(plain))
        };
        // An audience that got a first policy from somebody else meanwhile has lost nothing.
        fn lasts(all: &[Governed]) -> impl Iterator<Item = &Governed> {
            all.iter().filter(|one| one.change == AudienceChange::Last)
        }
        let cut = |meaning: &Self| {
            meaning.incomplete().map(|Incomplete { why, rules: _, audiences, patterns: _ }| {
                (why.clone(), audiences.clone())
            })
        };
        let Changes { widened, narrowed, uncertain } = self.changes();
        let others = other.changes();
        cut(self) == cut(other)
            && lasts(&self.governed).eq(lasts(&other.governed))
            && same(widened, &others.widened)
            && same(narrowed, &others.narrowed)
            && same(uncertain, &others.uncertain)
    }

    /// Every audience that is listed.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        let Changes { widened, narrowed, uncertain } = self.changes();
        let gains = widened.iter().chain(narrowed).chain(uncertain).map(|gain| &*gain.audience);
        let cut = self.incomplete().into_iter().flat_map(|incomplete| &incomplete.audiences);
        gains.chain(self.governed.iter().map(|governed| &governed.audience)).chain(cut)
    }

    /// The access that an audience gains or may gain.
    pub fn gains(&self) -> impl Iterator<Item = &AccessChange> {
        let Changes { widened, narrowed: _, uncertain } = self.changes();
        widened.iter().chain(uncertain.iter().filter(|gain| gain.widens))
    }
}

impl Meaning {
    /// The result of a comparison; `tell` formats its causes.
    pub(super) fn new(
        comparison: Comparison,
        governed: Vec<Governed>,
        tell: impl Fn(&Cause) -> String + Sync,
    ) -> Self {
        let all = |entries: Vec<Entry>| -> Vec<AccessChange> {
            let mut known = Known::default();
            entries.into_iter().map(|entry| AccessChange::new(entry, &tell, &mut known)).collect()
        };
        let changes = |access::Changes { widened, narrowed, uncertain }: access::Changes| {
            let lists = vec![widened, narrowed, uncertain];
            let count: usize = lists.iter().map(Vec::len).sum();
            let least = if count < WORTH_A_THREAD { usize::MAX } else { 1 };
            let mut lists = parallel::map(lists, least, all).into_iter();
            let mut next = || lists.next().unwrap_or_default();
            Changes { widened: next(), narrowed: next(), uncertain: next() }
        };
        let found = match comparison {
            Comparison::Complete(found) => Found::Complete(changes(found)),
            Comparison::Incomplete(
                found,
                access::Incomplete { why, rules, audiences, patterns },
            ) => {
                let why: Vec<String> = why.iter().map(ToString::to_string).collect();
                let incomplete = Incomplete {
                    why: why.join(", and "),
                    rules: rules.iter().map(|cause| tell(cause)).collect(),
                    audiences: audiences
                        .iter()
                        .map(|own| Audience { teams: own.teams.clone(), alike: own.alike.clone() })
                        .collect(),
                    patterns,
                };
                Found::Incomplete(changes(found), incomplete)
            }
        };
        Self { found, governed }
    }
}

impl Incomplete {
    /// The reason and the rules concerned, as many as fit into a message.
    #[must_use]
    pub fn in_short(&self) -> String {
        const NAMED: usize = 3;
        let (named, more) = list::first(&self.rules, NAMED);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let rules = if named.is_empty() {
            String::new()
        } else {
            format!("; not compared: {}{rest}", named.join(", "))
        };
        format!("{}{rules}", self.why)
    }
}

/// The parts that entries share, each with what was made of it: millions of entries have a few
/// audiences and rules.
#[derive(Default)]
struct Known {
    audiences: HashMap<Arc<access::Audience>, Arc<Audience>>,
    /// By address.
    causes: HashMap<usize, Told>,
}

/// Rules, and their texts.
struct Told {
    texts: Arc<[String]>,
    /// As long as this holds the rules, their address belongs to them.
    _rules: Arc<[Arc<Cause>]>,
}

impl AccessChange {
    fn new(entry: Entry, tell: impl Fn(&Cause) -> String, known: &mut Known) -> Self {
        let Entry { audience, access, witness, because, widens, narrows } = entry;
        let audience = known.audiences.entry(audience).or_insert_with_key(|audience| {
            let access::Audience { teams, alike } = &**audience;
            Arc::new(Audience { teams: teams.clone(), alike: alike.clone() })
        });
        let told = known.causes.entry(Arc::as_ptr(&because).addr()).or_insert_with(|| Told {
            texts: because.iter().map(|cause| tell(cause)).collect(),
            _rules: because,
        });
        let because = Arc::clone(&told.texts);
        Self { because, widens, narrows, ..Self::plain(Arc::clone(audience), access, witness) }
    }

    /// A change without causes and remarks, which neither widens nor narrows yet.
    #[must_use]
    pub fn plain(audience: Arc<Audience>, access: Access, witness: String) -> Self {
        Self {
            audience,
            access,
            witness,
            because: Arc::default(),
            widens: false,
            narrows: false,
            doubt: None,
            except: None,
            approval: false,
            unaffected: Vec::new(),
        }
    }
}

/// Values that are stored once, and written and read like any other.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize + ?Sized, S: Serializer>(
        value: &Arc<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        T::serialize(value, serializer)
    }

    pub(super) fn deserialize<'de, T: ?Sized, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error>
    where
        Box<T>: Deserialize<'de>,
    {
        Box::<T>::deserialize(deserializer).map(Arc::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_that_was_not_compared_is_not_the_same() {
        let cut = |why: &str| Meaning {
            found: Found::Incomplete(
                Changes::default(),
                Incomplete {
                    why: why.to_owned(),
                    rules: Vec::new(),
                    audiences: Vec::new(),
                    patterns: Vec::new(),
                },
            ),
            governed: Vec::new(),
        };
        let complete = Meaning::default();
        let same = [(&complete, &cut("a")), (&cut("a"), &cut("b")), (&cut("a"), &cut("a"))]
            .map(|(one, other)| (one.is_same_access(other), other.is_nothing()));
        assert_eq!(same, [(false, false), (false, false), (true, false)]);
    }

    #[test]
    fn a_message_counts_the_rules_that_it_does_not_name() {
        let table = [
            (0, "too many"),
            (1, "too many; not compared: r1"),
            (4, "too many; not compared: r1, r2, r3, r4"),
            (6, "too many; not compared: r1, r2, r3 and 3 more"),
        ];
        for (rules, message) in table {
            let incomplete = Incomplete {
                why: "too many".to_owned(),
                rules: (1..=rules).map(|number| format!("r{number}")).collect(),
                audiences: Vec::new(),
                patterns: Vec::new(),
            };
            assert_eq!(incomplete.in_short(), message);
        }
    }
}
