//! One comment in a conversation, recognized by a hidden marker.
//!
//! Invariants: a comment is ours if its first line is the marker and the token's owner wrote it. A
//! comment that is up to date is not edited. If the answer to posting one is lost, it is looked up,
//! not posted again.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, GitHub, PAGE_SIZE};
use crate::service::http::{self, Bounds, WriteOutcome};

/// The limits of reading a conversation: GitHub closes one at 2,500 comments, each of at most
/// 65,536 characters.
const COMMENTS: Bounds = Bounds {
    what: "comments",
    pages: 100,
    objects: 10_000,
    bytes: 256 << 20,
    values: usize::MAX,
    time: Duration::from_secs(60),
};

/// Length beyond which a key is replaced by its hash.
const LONGEST_KEY: usize = 100;
/// The number of attempts to edit if the answer is lost; a repeated edit does no harm.
const EDITS: usize = 3;

/// The wait before a lost request is repeated or looked up.
const PAUSE: Duration = Duration::from_secs(1);

/// The hidden first line of a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker(String);

/// The comment to place.
#[derive(Clone, Copy, Debug)]
pub struct Comment<'a> {
    /// The first line.
    pub marker: &'a Marker,
    /// The text after the first line.
    pub text: &'a str,
    /// True if it deserves a new comment; otherwise only an existing one is updated.
    pub worth_posting: bool,
}

/// The result of placing a comment, with its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// There was no comment, and none was needed.
    Nothing,
    /// A new comment.
    Posted(String),
    /// The existing comment was updated.
    Edited(String),
    /// The existing comment was up to date.
    Unchanged(String),
}

/// The identity of a token.
#[derive(Debug)]
enum Viewer {
    /// An account.
    Account(Author),
    /// An app, such as the one behind the token of a job. The service does not tell an app its
    /// name, but only names of bots end in `[bot]`: names of people cannot contain a bracket.
    App,
}

#[derive(Debug, Deserialize)]
struct Author {
    login: String,
    id: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Posted {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    /// `None` for a deleted account; nobody can edit its comments.
    #[serde(default)]
    user: Option<Author>,
    #[serde(default)]
    html_url: Option<String>,
}

impl Marker {
    /// The marker for a key. Different keys have different markers, and none can end the HTML
    /// comment.
    #[must_use]
    pub fn new(key: &str) -> Self {
        let mut safe = String::new();
        for byte in key.bytes() {
            match byte {
                b'-' if safe.ends_with('-') => safe.push_str("%2D"),
                b'-' | b'.' | b'_' | b'/' => safe.push(char::from(byte)),
                _ if byte.is_ascii_alphanumeric() => safe.push(char::from(byte)),
                _ => safe.push_str(&format!("%{byte:02X}")),
            }
        }
        if safe.len() > LONGEST_KEY {
            safe = crate::json::hash_json(&Value::from(key)); // with a colon, which no other key has
        }
        Self(format!("<!-- seawall:{safe} -->"))
    }

    /// The marker as a line.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.0
    }
}

impl Viewer {
    fn wrote(&self, comment: &Posted) -> bool {
        let Some(author) = &comment.user else { return true };
        match self {
            Self::App => author.login.ends_with("[bot]"),
            Self::Account(viewer) => match (viewer.id, author.id) {
                (Some(one), Some(other)) => one == other,
                (None, _) | (_, None) => viewer.login.eq_ignore_ascii_case(&author.login),
            },
        }
    }
}

impl GitHub {
    /// Updates the marked comment of this issue or pull request, or posts it.
    ///
    /// # Errors
    ///
    /// Returns an error if the service refuses, or cannot be reached within the connection's
    /// limits.
    pub async fn place(&self, number: u64, comment: Comment<'_>) -> Result<Placed, Error> {
        let Comment { marker, text, worth_posting } = comment;
        let body = format!("{}\n{text}", marker.line());
        let viewer = self.viewer().await?;
        match self.own(number, marker, &viewer).await? {
            Some(found) if same(&found, &body) => {
                Ok(Placed::Unchanged(self.address(&found, number)))
            }
            Some(found) => self.edit(&found, number, &body).await,
            None if worth_posting => self.publish(number, marker, &viewer, &body).await,
            None => Ok(Placed::Nothing),
        }
    }

    async fn viewer(&self) -> Result<Viewer, Error> {
        match self.reader.get(&["user"], &[]).await {
            Ok(author) => Ok(Viewer::Account(author)),
            // The message is "Resource not accessible by integration".
            Err(http::Error::Refused { refusal, .. }) if matches!(refusal.status, 403 | 404) => {
                Ok(Viewer::App)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The first comment with the marker by the token's owner, in all pages.
    async fn own(
        &self,
        number: u64,
        marker: &Marker,
        viewer: &Viewer,
    ) -> Result<Option<Posted>, Error> {
        let number = number.to_string();
        let path = self.path(&["issues", &number, "comments"]);
        let mut seen = std::collections::BTreeSet::new();
        let reader = self.reader.bounded(COMMENTS);
        let (mut page, mut next): (Vec<Posted>, _) =
            reader.page(&path, &[("per_page", PAGE_SIZE)]).await?;
        loop {
            reader.count(page.len())?;
            let marked = |comment: &Posted| {
                comment
                    .body
                    .as_deref()
                    .and_then(|body| body.lines().next())
                    .is_some_and(|line| line == marker.line())
            };
            if let Some(found) =
                page.into_iter().find(|comment| marked(comment) && viewer.wrote(comment))
            {
                return Ok(Some(found));
            }
            match next {
                None => return Ok(None),
                Some(link) if !seen.insert(link.clone()) => {
                    return Err(Error::EndlessPages {
                        host: self.reader.host(),
                        what: "the comments",
                    });
                }
                Some(link) => (page, next) = reader.follow_page(&link).await?,
            }
        }
    }

    async fn edit(&self, found: &Posted, number: u64, body: &str) -> Result<Placed, Error> {
        let id = found.id.to_string();
        let path = self.path(&["issues", "comments", &id]);
        let mut tries = 0;
        loop {
            tries += 1;
            match self.writer.edit(&path, &json!({"body": body})).await {
                WriteOutcome::Done { .. } => {
                    return Ok(Placed::Edited(self.address(found, number)));
                }
                WriteOutcome::Refused(refusal) => {
                    return Err(Error::Refused { host: self.reader.host(), refusal });
                }
                WriteOutcome::Unknown(_) if tries < EDITS => self.reader.pause(PAUSE).await,
                WriteOutcome::NotSent(error) | WriteOutcome::Unknown(error) => {
                    return Err(error.into());
                }
            }
        }
    }

    async fn publish(
        &self,
        number: u64,
        marker: &Marker,
        viewer: &Viewer,
        body: &str,
    ) -> Result<Placed, Error> {
        let text = number.to_string();
        let path = self.path(&["issues", &text, "comments"]);
        match self.writer.create(&path, &json!({"body": body})).await {
            WriteOutcome::Done { body, .. } => {
                let posted = serde_json::from_value::<Posted>(body).ok();
                let address = posted.map_or_else(
                    || self.conversation(number),
                    |posted| self.address(&posted, number),
                );
                Ok(Placed::Posted(address))
            }
            WriteOutcome::Refused(refusal) => {
                Err(Error::Refused { host: self.reader.host(), refusal })
            }
            WriteOutcome::NotSent(error) => Err(error.into()),
            WriteOutcome::Unknown(cause) => {
                self.reader.pause(PAUSE).await;
                match self.own(number, marker, viewer).await? {
                    Some(found) => Ok(Placed::Posted(self.address(&found, number))),
                    None => Err(Error::Unknown { cause }),
                }
            }
        }
    }

    fn address(&self, comment: &Posted, number: u64) -> String {
        comment.html_url.clone().unwrap_or_else(|| self.conversation(number))
    }

    /// The conversation in words, if the service returns no address.
    fn conversation(&self, number: u64) -> String {
        format!("{}#{number}", self.repository)
    }
}

/// Returns `true` if the comment has this text already; the service may change line ends.
fn same(found: &Posted, body: &str) -> bool {
    found.body.as_deref().is_some_and(|own| own.trim_end().lines().eq(body.trim_end().lines()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Marker;

    #[test]
    fn a_marker_names_its_key() {
        let table = [
            ("acme", "acme"),
            ("my-org", "my-org"),
            ("a--b", "a-%2Db"), // would end the comment
            ("teams/a b", "teams/a%20b"),
            ("-->", "-%2D%3E"),
            ("a%2Db", "a%252Db"), // another key
        ];
        for (key, shown) in table {
            assert_eq!(Marker::new(key).line(), format!("<!-- seawall:{shown} -->"));
        }
        assert!(Marker::new(&"x".repeat(60_000)).line().len() < 120);
        assert_ne!(Marker::new(&"x".repeat(60_000)), Marker::new(&"x".repeat(60_001)));
    }

    proptest! {
        #[test]
        fn a_marker_is_one_html_comment_on_one_line(key in "\\PC{0,40}|[->!\n ]{1,12}", other in "[-%2D]{1,8}") {
            let marker = Marker::new(&key);
            let inner = marker.line().strip_prefix("<!-- seawall:").and_then(|rest| rest.strip_suffix(" -->")).unwrap();
            prop_assert!(!inner.contains("--") && !inner.contains(['<', '>', '\n', ' ', '!']));
            prop_assert!(key == other || marker != Marker::new(&other));
        }
    }
}
