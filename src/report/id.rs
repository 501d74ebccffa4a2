//! Fragment ids of places in the report.
//!
//! Invariant: an id consists of lower-case ASCII letters, digits and dashes, and starts with a
//! letter, whatever names it is made from. The same names give the same id, so that links stay
//! valid while other parts change.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Fragment id of a place in the report.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// Derives an id from a kind and names. Two of one kind collide with a probability of about 1
    /// in 10^14.
    pub(super) fn new(kind: &str, names: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for name in names {
            hash.update(name.len().to_be_bytes());
            hash.update(name);
        }
        let digits: String =
            hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{kind}-{digits}"))
    }

    /// The same for links that people write by hand: the id starts with the letters of the name.
    pub(super) fn readable(kind: &str, names: &[&str]) -> Self {
        let Self(hashed) = Self::new(kind, names);
        let name = names.last().copied().unwrap_or_default();
        let mut slug = String::new();
        for character in name.chars().take(40) {
            match character.to_ascii_lowercase() {
                own @ ('a'..='z' | '0'..='9') => slug.push(own),
                _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
                _ => {}
            }
        }
        let digits = hashed.rsplit('-').next().unwrap_or_default();
        let slug = slug.trim_end_matches('-');
        // An id that is the whole name needs no digits of the hash.
        let plain = slug == name && names.len() == 1;
        match (slug.is_empty(), plain) {
            (true, _) => Self(hashed),
            (false, true) => Self(format!("{kind}-{slug}")),
            (false, false) => Self(format!("{kind}-{slug}-{}", digits.get(..6).unwrap_or(digits))),
        }
    }

    /// Prefix for the ids of an organization's parts; empty for the only organization.
    pub(super) fn prefix(organization: &str, alone: bool) -> Self {
        if alone {
            return Self::default();
        }
        let Self(id) = Self::readable("org", &[organization]);
        Self(id + "-")
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A list that stands with another audience, or a destination that is listed for everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inherited {
    /// The section that lists it.
    pub id: Id,
    /// The name of the audience or of the destination.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::Id;

    #[test]
    fn ids_hold_letters_digits_and_dashes() {
        for name in
            ["research", "Ä <b>&\"'\u{202e}x", "", "--", "a b", "1", "x".repeat(200).as_str()]
        {
            for id in
                [Id::new("r", &["p", name]), Id::readable("a", &[name]), Id::prefix(name, false)]
            {
                let text = id.as_str();
                assert!(text.starts_with(|first: char| first.is_ascii_lowercase()), "{text}");
                assert!(text.bytes().all(|byte| byte == b'-'
                    || byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()));
            }
        }
        assert_eq!(Id::readable("a", &["research"]).as_str(), "a-research");
        assert_ne!(Id::readable("a", &["a b"]), Id::readable("a", &["a-b"]));
        assert_ne!(Id::new("r", &["ab", "c"]), Id::new("r", &["a", "bc"]));
    }
}
