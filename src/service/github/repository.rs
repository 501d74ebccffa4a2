//! The name of a repository.

use crate::exit::{Exit, Explain};

/// A repository's owner and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The account that it belongs to.
    pub owner: String,
    /// Its name.
    pub name: String,
}

/// A text that is not the name of a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a repository")]
pub struct NoRepository(String);

impl Explain for NoRepository {
    fn hint(&self) -> String {
        "write it like `my-org/policies`".to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

impl Repository {
    /// Parses `owner/name`.
    ///
    /// # Errors
    ///
    /// Returns an error for any other text.
    pub fn parse(text: &str) -> Result<Self, NoRepository> {
        let is_name = |part: &str| {
            let usual =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            !part.is_empty()
                && part.len() <= 100
                && !matches!(part, "." | "..")
                && part.bytes().all(usual)
        };
        match text.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            Some(_) | None => Err(NoRepository(text.to_owned())),
        }
    }
}

/// The name in the form `owner/name`.
impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::Repository;

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        let table = [
            ("my-org/policies.d", true),
            ("my-org/.github", true),
            ("my-org", false),
            ("my-org/", false),
            ("/policies", false),
            ("a/b/c", false), // another path
            ("../b", false),  // a step along it
            ("a/..", false),
            ("a/b?c", false),
            ("a b/c", false),
            ("", false),
        ];
        for (text, good) in table {
            let parsed = Repository::parse(text);
            assert_eq!(
                parsed.as_ref().is_ok_and(|parsed| parsed.to_string() == text),
                good,
                "{text}: {parsed:?}"
            );
        }
    }
}
