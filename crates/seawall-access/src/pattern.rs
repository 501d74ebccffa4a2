//! Sequences of labels or segments with wildcards: the common form of hosts (read from the last
//! label to the first), HTTP paths and file system paths.
//!
//! Invariant: a sequence carries every open question that its own form raises; questions that
//! depend on the target (letter case, home folders) are raised while matching.

use super::glob::Glob;
use super::unknowns::Unknowns;

/// A pattern for one or several labels or segments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Token {
    /// This text.
    Literal(String),
    /// `*`: any one.
    One,
    /// `**`: any number of labels or segments.
    Deep,
    /// A wildcard for a part of one.
    Glob(Box<Glob>),
}

/// A pattern for a whole host, path or folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Sequence {
    /// From the root: the last label of a host, the format of a folder.
    pub(super) tokens: Vec<Token>,
    /// The open questions that every match depends on.
    pub(super) unknowns: Unknowns,
    /// The open questions of a match in which a `**` at the end matches nothing.
    pub(super) bare: Unknowns,
}

impl Token {
    /// Parses one label or segment.
    pub(super) fn parse(text: &str) -> Self {
        Self::from_string(text.to_owned())
    }

    /// The same, taking ownership of the text.
    pub(super) fn from_string(text: String) -> Self {
        match text.as_str() {
            "*" => Self::One,
            "**" => Self::Deep,
            _ if is_wild(&text) => Self::Glob(Box::new(Glob::parse(&text))),
            _ => Self::Literal(text),
        }
    }
}

/// Returns `true` if a label or segment contains a wildcard character.
fn is_wild(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// The open questions about wildcards inside of a label or segment.
pub(super) fn partial_unknowns(text: &str) -> Unknowns {
    use super::Unknown::{CharacterClass, PartialWildcard, QuestionMark};
    if matches!(text, "*" | "**") || !is_wild(text) {
        return Unknowns::NONE;
    }
    [('*', PartialWildcard), ('?', QuestionMark), ('[', CharacterClass)]
        .into_iter()
        .filter(|(sign, _)| text.contains(*sign))
        .fold(Unknowns::NONE, |all, (_, unknown)| all.union(unknown.into()))
}
