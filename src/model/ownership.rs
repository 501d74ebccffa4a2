//! The live policies that a workspace owns.

use globset::GlobMatcher;

use crate::source::pattern;

/// Treatment of undeclared live policies: left as they are, or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    /// True if policies that no document declares are deleted.
    pub exclusive: bool,
    /// Name patterns of policies that are left alone even then.
    pub unmanaged: Vec<String>,
    /// Name patterns of the policies that this workspace owns; all others are left alone.
    pub owns: Option<Vec<String>>,
}

impl Ownership {
    /// Returns `true` if an undeclared policy of this name is managed by others.
    #[must_use]
    pub fn leaves(&self, name: &str) -> bool {
        self.left()(name)
    }

    /// The names of policies that others manage.
    pub(crate) fn left(&self) -> impl Fn(&str) -> bool {
        let unmanaged = Names::new(&self.unmanaged);
        let owns = self.owns.as_deref().map(Names::new);
        move |name| {
            unmanaged.is_match(name) || owns.as_ref().is_some_and(|owns| !owns.is_match(name))
        }
    }
}

/// The names that patterns with `*` and `?` match.
#[derive(Clone, Debug)]
pub struct Names {
    patterns: Vec<GlobMatcher>,
    /// Texts that are not valid patterns.
    others: Vec<String>,
}

impl Names {
    /// Compiles patterns. An invalid pattern matches its own text, so that nothing is deleted
    /// because of a stray bracket.
    #[must_use]
    pub fn new(patterns: &[String]) -> Self {
        let mut names = Self { patterns: Vec::new(), others: Vec::new() };
        for text in patterns {
            match pattern::compile(text, false) {
                Ok(pattern) => names.patterns.push(pattern),
                Err(_) => names.others.push(text.clone()),
            }
        }
        names
    }

    /// Returns `true` if a pattern matches the name.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_match(name))
            || self.others.iter().any(|other| other == name)
    }
}
