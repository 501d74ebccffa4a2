//! The caller's credentials: a key pair, an API key, or the session that Vijil's own tools stored.
//!
//! Invariant: a secret lives in a [`SecretString`] from the moment it is read, and no error repeats
//! the content of a file or a variable.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::exit::Explain;
use crate::service::http::{Authorization, Login, Session};
use crate::source::disk;

/// The largest stored session, in bytes.
const MOST: u64 = 1 << 20;

/// The settings of the environment, before they are used.
#[derive(Debug, Default)]
pub struct Outside {
    /// `VIJIL_CLIENT_ID`.
    pub client_id: Option<String>,
    /// `VIJIL_CLIENT_SECRET`.
    pub client_secret: Option<SecretString>,
    /// `VIJIL_API_KEY`.
    pub api_key: Option<SecretString>,
    /// The folder `.vijil` in the home folder.
    pub folder: Option<PathBuf>,
}

/// The authentication of calls.
#[derive(Clone, Debug)]
pub struct Credentials(Authorization);

/// The reason why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Only one of two variables is set.
    #[error("`{set}` is set, but `{missing}` is not")]
    Half {
        /// The variable that is set.
        set: &'static str,
        /// The variable that is not set.
        missing: &'static str,
    },
    /// Neither variables nor a session exist.
    #[error("there are no Vijil credentials")]
    None,
    /// The stored session cannot be read.
    #[error("cannot read `{file}`: {cause}")]
    File {
        /// Its path.
        file: String,
        /// The fault in the file, without any of its content.
        cause: String,
    },
}

impl Explain for CredentialsError {
    fn hint(&self) -> String {
        "set `VIJIL_CLIENT_ID` and `VIJIL_CLIENT_SECRET`, or `VIJIL_API_KEY`".to_owned()
    }
}

impl Credentials {
    /// A key pair, exchanged for a token.
    #[must_use]
    pub fn pair(client_id: impl Into<String>, client_secret: SecretString) -> Self {
        Self(Authorization::Login(Login {
            path: vec!["v1", "auth", "token"],
            identifier: ("client_id", client_id.into()),
            secret: ("client_secret", client_secret),
        }))
    }

    /// A stored token, which can be renewed.
    #[must_use]
    pub fn session(token: SecretString) -> Self {
        Self(Authorization::Session(Session {
            token,
            refresh: vec!["v1", "auth", "jwt", "refresh"],
        }))
    }

    /// The key pair, otherwise the API key, otherwise the stored session.
    ///
    /// # Errors
    ///
    /// Returns an error if only one half of the pair is set, or if there are no credentials.
    pub fn find(outside: Outside) -> Result<Self, CredentialsError> {
        let Outside { client_id, client_secret, api_key, folder } = outside;
        match (client_id, client_secret, api_key) {
            (Some(id), Some(secret), _) => Ok(Self::pair(id, secret)),
            (Some(_), None, _) => Err(CredentialsError::Half {
                set: "VIJIL_CLIENT_ID",
                missing: "VIJIL_CLIENT_SECRET",
            }),
            (None, Some(_), _) => Err(CredentialsError::Half {
                set: "VIJIL_CLIENT_SECRET",
                missing: "VIJIL_CLIENT_ID",
            }),
            (None, None, Some(key)) => Ok(Self(Authorization::Bearer(key))),
            (None, None, None) => {
                let folder = folder.ok_or(CredentialsError::None)?;
                let token = match token_in(
                    &folder.join("credentials.json"),
                    &["access_token", "auth_token", "token"],
                )? {
                    Some(token) => Some(token),
                    None => token_in(&folder.join("config.yaml"), &["auth_token"])?,
                };
                token.map(Self::session).ok_or(CredentialsError::None)
            }
        }
    }

    /// The credentials in the form that a connection takes.
    #[must_use]
    pub fn authorization(self) -> Authorization {
        self.0
    }
}

/// The value of the first of these keys in a JSON or YAML file; `None` without the file or the
/// keys.
fn token_in(file: &Path, keys: &[&str]) -> Result<Option<SecretString>, CredentialsError> {
    let wrong = |cause: String| CredentialsError::File { file: file.display().to_string(), cause };
    let text = match disk::read_own(file, MOST) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    // The parser's message may repeat a value, and a value may be a secret.
    let value: Value = serde_yaml::from_str(text.expose_secret())
        .map_err(|_| wrong("it is neither JSON nor YAML".to_owned()))?;
    let token =
        keys.iter().find_map(|key| value.get(*key)?.as_str().filter(|token| !token.is_empty()));
    Ok(token.map(SecretString::from))
}

#[cfg(test)]
mod tests {
    use super::{Credentials, CredentialsError, Outside};
    use crate::service::http::Authorization;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes the files that it reads")]
    fn the_pair_wins_over_the_key_and_the_key_over_a_stored_session() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.yaml"), "gateway: x\nauth_token: hunter2\n")
            .unwrap();
        let outside = |id: Option<&str>, secret: Option<&str>, key: Option<&str>| Outside {
            client_id: id.map(str::to_owned),
            client_secret: secret.map(Into::into),
            api_key: key.map(Into::into),
            folder: Some(folder.path().to_owned()),
        };
        let form = |outside| match Credentials::find(outside).map(Credentials::authorization) {
            Ok(Authorization::Login(_)) => "pair",
            Ok(Authorization::Bearer(_)) => "key",
            Ok(Authorization::Session(_)) => "session",
            Err(CredentialsError::Half { missing, .. }) => missing,
            Err(_) => "none",
        };
        assert_eq!(form(outside(Some("vk_a"), Some("s"), Some("k"))), "pair");
        assert_eq!(form(outside(None, None, Some("k"))), "key");
        assert_eq!(form(outside(None, None, None)), "session");
        assert_eq!(form(outside(Some("vk_a"), None, Some("k"))), "VIJIL_CLIENT_SECRET");
        assert_eq!(form(outside(None, Some("s"), None)), "VIJIL_CLIENT_ID");
        assert_eq!(form(Outside::default()), "none");
        std::fs::write(folder.path().join("credentials.json"), "{hunter2: [").unwrap();
        let error = Credentials::find(outside(None, None, None)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
