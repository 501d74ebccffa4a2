//! The access that changes, as text whose long parts are stored once.
//!
//! Thousands of entries may apply to the same thousands of blocks. Invariant: two values are equal,
//! and ordered, like their whole texts, wherever these are divided.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The access that changes, in patterns.
#[derive(Clone, Default)]
pub struct Access {
    what: Box<str>,
    /// The addresses to which it applies; empty for all.
    at: Arc<str>,
}

impl Access {
    pub(super) fn new(what: String, at: Arc<str>) -> Self {
        Self { what: what.into(), at }
    }

    /// Other access on the same addresses.
    pub(super) fn clone_with(&self, what: String) -> Self {
        Self::new(what, Arc::clone(&self.at))
    }

    /// The addresses alone.
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    /// The access that changes, without the addresses.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        self.with_place(&self.what)
    }

    /// The action, which is one word, and its object.
    #[must_use]
    pub fn parts(&self) -> (&str, Cow<'_, str>) {
        let (action, object, _) = self.pieces();
        (action, self.with_place(object))
    }

    /// The same, with the object in two pieces: a pattern, and the addresses to which it applies,
    /// as long as both are stored apart.
    #[must_use]
    pub fn pieces(&self) -> (&str, &str, &str) {
        let (action, object) = self.what.split_once(' ').unwrap_or(("", &self.what));
        (action, object, &self.at)
    }

    /// Returns `true` if a text starts with this whole text.
    #[must_use]
    pub fn starts(&self, text: &str) -> bool {
        text.strip_prefix(&*self.what).is_some_and(|rest| rest.starts_with(&*self.at))
    }

    fn with_place<'a>(&self, object: &'a str) -> Cow<'a, str> {
        if self.at.is_empty() {
            Cow::Borrowed(object)
        } else {
            Cow::Owned(format!("{object}{}", self.at))
        }
    }
}

impl From<String> for Access {
    fn from(what: String) -> Self {
        Self::new(what, Arc::default())
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        f.write_str(&self.at)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), f)
    }
}

impl Ord for Access {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, two) = (self.what.as_bytes(), other.what.as_bytes());
        let common = one.len().min(two.len());
        let ((start, rest), (other_start, other_rest)) =
            (one.split_at(common), two.split_at(common));
        start.cmp(other_start).then_with(|| match rest.is_empty() && other_rest.is_empty() {
            true => self.at.cmp(&other.at),
            false => rest
                .iter()
                .chain(self.at.as_bytes())
                .cmp(other_rest.iter().chain(other.at.as_bytes())),
        })
    }
}

impl PartialOrd for Access {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Access {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Access {}

impl Serialize for Access {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Access {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::Access;

    #[test]
    fn texts_compare_wherever_they_are_cut() {
        let texts = [
            "",
            "a",
            "a at 10.0.0.0/8",
            "a at 10.0.0.0/8, 10.1.0.0/16",
            "a ab",
            "a.b at 10.0.0.0/8",
            "b",
        ];
        let cut = |text: &str| {
            let at = |(at, _)| Access::new(text[..at].to_owned(), text[at..].into());
            text.char_indices().map(at).chain([Access::from(text.to_owned())]).collect::<Vec<_>>()
        };
        for (one, other) in
            texts.iter().flat_map(|one| texts.iter().map(move |other| (*one, *other)))
        {
            for (one_cut, other_cut) in
                cut(one).iter().flat_map(|one| cut(other).into_iter().map(move |two| (one, two)))
            {
                assert_eq!(one_cut.cmp(&other_cut), one.cmp(other), "{one_cut:?} {other_cut:?}");
            }
        }
    }
}
