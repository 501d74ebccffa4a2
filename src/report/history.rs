//! The last change of each line, from the history of the repository.
//!
//! Invariant: times are those of commits. Nothing here asks the clock, so that the same repository
//! gives the same report.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The last change of each line of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Lines of each file, from the first, by the file's name.
    pub files: BTreeMap<String, Vec<Blame>>,
}

/// Last change of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blame {
    /// A commit changed it last.
    Commit(Arc<Commit>),
    /// The line has changes that are not committed.
    Uncommitted,
    /// The available history does not reach back to the change, as in a shallow clone.
    Unknown,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit {
    /// Commit time, in seconds since 1970.
    pub seconds: i64,
    /// Full hash.
    pub hash: String,
    /// Author's name.
    pub author: String,
}

impl Commit {
    /// Abbreviated hash, of eight digits.
    #[must_use]
    pub fn short(&self) -> &str {
        self.hash.get(..8).unwrap_or(&self.hash)
    }

    /// The day, in UTC: `4 November 2026`.
    #[must_use]
    pub fn day(&self) -> String {
        self.written("%-d %B %Y")
    }

    /// The day and the minute, in UTC.
    #[must_use]
    pub fn minute(&self) -> String {
        self.written("%-d %B %Y, %H:%M UTC")
    }

    /// Commit time as an RFC 3339 timestamp, in UTC.
    #[must_use]
    pub fn timestamp(&self) -> String {
        jiff::Timestamp::from_second(self.seconds).map(|time| time.to_string()).unwrap_or_default()
    }

    fn written(&self, format: &str) -> String {
        let time = jiff::Timestamp::from_second(self.seconds).unwrap_or_default();
        time.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string()
    }
}

impl History {
    /// The latest change of the lines `from..=to` of a file, counted from 1; `None` for files that
    /// are in no repository.
    #[must_use]
    pub fn latest(&self, file: &str, from: usize, to: usize) -> Option<&Blame> {
        let lines = self.files.get(file)?;
        let own = lines.get(from.checked_sub(1)?..to.min(lines.len()))?;
        own.iter().max_by_key(|blame| match *blame {
            Blame::Unknown => (0, None),
            Blame::Commit(commit) => (1, Some(commit)),
            Blame::Uncommitted => (2, None),
        })
    }

    /// The latest change as a phrase: `3f9ac21b of 4 November 2026, Ana Ruiz`; `None` if it is
    /// unknown.
    #[must_use]
    pub fn phrase(&self, file: &str, from: usize, to: usize) -> Option<String> {
        Some(match self.latest(file, from, to)? {
            Blame::Commit(commit) => {
                format!("{} of {}, {}", commit.short(), commit.day(), commit.author)
            }
            Blame::Uncommitted => "not committed yet".to_owned(),
            Blame::Unknown => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Blame, Commit, History};

    #[test]
    fn the_latest_line_tells_when_a_rule_changed() {
        let commit = |seconds, hash: &str| {
            Blame::Commit(Arc::new(Commit {
                seconds,
                hash: hash.to_owned(),
                author: "Ana".to_owned(),
            }))
        };
        let lines = vec![
            commit(1_700_000_000, "aaaaaaaaaa"),
            commit(1_793_664_000, "bbbbbbbbbb"),
            Blame::Uncommitted,
        ];
        let history = History { files: [("a.yaml".to_owned(), lines)].into() };
        assert_eq!(history.phrase("a.yaml", 1, 1).unwrap(), "aaaaaaaa of 14 November 2023, Ana");
        assert_eq!(history.phrase("a.yaml", 1, 2).unwrap(), "bbbbbbbb of 3 November 2026, Ana");
        assert_eq!(history.phrase("a.yaml", 1, 9).unwrap(), "not committed yet");
        assert_eq!(history.phrase("b.yaml", 1, 1), None);
        assert_eq!(history.phrase("a.yaml", 0, 1), None);
    }
}
