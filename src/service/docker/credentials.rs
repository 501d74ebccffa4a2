//! The caller's credentials: `DOCKER_USERNAME` and `DOCKER_PASSWORD`, or else a token that
//! `docker login` stored.
//!
//! Invariant: a secret lives in a [`SecretString`] from the moment it is read, and no error repeats
//! the content of a file, a variable or a helper's output except plain names.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::exit::Explain;
use crate::service::http::{Authorization, Login};
use crate::source::disk;

/// The names of the Hub in Docker's configuration; the first is the one that Docker writes.
const HUB: [&str; 4] =
    ["https://index.docker.io/v1/", "https://index.docker.io/v1", "index.docker.io", "docker.io"];
/// The prefixes of personal and organization access tokens.
const TOKENS: [&str; 2] = ["dckr_pat_", "dckr_oat_"];
/// The time limit of a credential helper, which may ask its user.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest output of a helper and the largest configuration, in bytes.
const MOST: u64 = 1 << 20;

/// The settings of the environment, before they are used.
#[derive(Debug, Default)]
pub struct Outside {
    /// `DOCKER_USERNAME`.
    pub username: Option<String>,
    /// `DOCKER_PASSWORD`.
    pub password: Option<SecretString>,
    /// The suffix of the names of these two variables: nothing, or `_` and the organization's name.
    pub suffix: String,
    /// The folder of Docker's configuration: `DOCKER_CONFIG`, or `.docker` in the home folder.
    pub docker_config: Option<PathBuf>,
}

/// The credentials that the service exchanges for a token.
#[derive(Clone, Debug)]
pub struct Credentials {
    identifier: String,
    secret: SecretString,
}

/// The reason why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Only one of two variables is set.
    #[error("`{set}` is set, but `{missing}` is not")]
    Half {
        /// The variable that is set.
        set: String,
        /// The variable that is not set.
        missing: String,
    },
    /// Neither variables nor a login exist.
    #[error("there are no Docker credentials")]
    None,
    /// A login that did not store an access token.
    #[error("`docker login` stored {what}, which Docker's API does not take")]
    NoToken {
        /// The kind of login that was stored.
        what: &'static str,
    },
    /// Docker's configuration cannot be read.
    #[error("cannot read Docker's configuration `{file}`: {cause}")]
    File {
        /// Its path.
        file: String,
        /// The fault in the file, without any of its content.
        cause: String,
    },
    /// The credential helper failed.
    #[error("the credential helper `{helper}` {cause}")]
    Helper {
        /// The program's name.
        helper: String,
        /// The failure of the helper, as a phrase.
        cause: String,
    },
}

impl Explain for CredentialsError {
    fn hint(&self) -> String {
        "set `DOCKER_USERNAME` and `DOCKER_PASSWORD`: a Docker ID with a personal access token, or an organization \
             name with an organization access token"
                .to_owned()
    }
}

impl Credentials {
    /// These credentials.
    #[must_use]
    pub fn new(identifier: impl Into<String>, secret: SecretString) -> Self {
        Self { identifier: identifier.into(), secret }
    }

    /// The credentials from variables, or the ones that `docker login` stored.
    ///
    /// # Errors
    ///
    /// Returns an error if only one variable is set, or if neither is set and there is no stored
    /// personal or organization access token.
    pub fn find(outside: Outside) -> Result<Self, CredentialsError> {
        let Outside { username, password, suffix, docker_config } = outside;
        let half = |set, missing| CredentialsError::Half {
            set: format!("{set}{suffix}"),
            missing: format!("{missing}{suffix}"),
        };
        match (username, password) {
            (Some(identifier), Some(secret)) => Ok(Self { identifier, secret }),
            (Some(_), None) => Err(half("DOCKER_USERNAME", "DOCKER_PASSWORD")),
            (None, Some(_)) => Err(half("DOCKER_PASSWORD", "DOCKER_USERNAME")),
            (None, None) => {
                stored(&docker_config.ok_or(CredentialsError::None)?.join("config.json"))
            }
        }
    }

    /// The exchange at `/auth/token`.
    #[must_use]
    pub fn authorization(self) -> Authorization {
        Authorization::Login(Login {
            path: vec!["auth", "token"],
            identifier: ("identifier", self.identifier),
            secret: ("secret", self.secret),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    #[serde(rename = "credsStore")]
    store: Option<String>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    auths: BTreeMap<String, Stored>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stored {
    auth: Option<SecretString>,
    identitytoken: Option<SecretString>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Got {
    username: String,
    secret: SecretString,
}

fn stored(file: &Path) -> Result<Credentials, CredentialsError> {
    let wrong = |cause: String| CredentialsError::File { file: file.display().to_string(), cause };
    let text = match disk::read_own(file, MOST) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.is_missing() => return Err(CredentialsError::None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    // The parser's message may repeat a value, and a value may be a secret.
    let config: Config = serde_json::from_str(text.expose_secret())
        .map_err(|error| wrong(format!("line {}, column {}", error.line(), error.column())))?;
    let helper = HUB.iter().find_map(|hub| config.helpers.get(*hub)).or(config.store.as_ref());
    if let Some(helper) = helper.filter(|helper| !helper.is_empty()) {
        return ask(helper);
    }
    let stored = HUB.iter().find_map(|hub| config.auths.get(*hub)).ok_or(CredentialsError::None)?;
    match stored {
        Stored { identitytoken: Some(token), .. } if !token.expose_secret().is_empty() => {
            Err(CredentialsError::NoToken { what: "an identity token" })
        }
        Stored { auth: Some(auth), .. } if !auth.expose_secret().is_empty() => {
            let pair = STANDARD
                .decode(auth.expose_secret())
                .ok()
                .and_then(|pair| String::from_utf8(pair).ok());
            let pair = SecretString::from(
                pair.ok_or_else(|| wrong("`auth` is not base64 of text".to_owned()))?,
            );
            let (identifier, secret) = pair
                .expose_secret()
                .split_once(':')
                .ok_or_else(|| wrong("`auth` holds no user".to_owned()))?;
            access_token(identifier.to_owned(), SecretString::from(secret.trim_end_matches('\0')))
        }
        Stored { .. } => Err(CredentialsError::None),
    }
}

/// A personal or organization access token. The service would refuse a session, and a password
/// should not be stored this way.
fn access_token(identifier: String, secret: SecretString) -> Result<Credentials, CredentialsError> {
    if identifier == "<token>" {
        return Err(CredentialsError::NoToken { what: "an identity token" });
    }
    if !TOKENS.iter().any(|start| secret.expose_secret().starts_with(start)) {
        return Err(CredentialsError::NoToken { what: "something else than an access token" });
    }
    Ok(Credentials { identifier, secret })
}

/// Asks a credential helper for the Hub, under each name that Docker stores it by.
fn ask(suffix: &str) -> Result<Credentials, CredentialsError> {
    let helper = format!("docker-credential-{suffix}");
    let wrong =
        |cause: &str| CredentialsError::Helper { helper: helper.clone(), cause: cause.to_owned() };
    if !suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(wrong("is not the name of a program"));
    }
    for hub in HUB.iter().take(2) {
        let said = match run(&helper, hub) {
            Ok(Some(said)) => said,
            Ok(None) => continue, // it has nothing under this name
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(wrong("is not installed"));
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(wrong("does not answer"));
            }
            Err(error) => return Err(wrong(&format!("cannot be run: {error}"))),
        };
        let Ok(Got { username, secret }) = serde_json::from_str(said.expose_secret()) else {
            return Err(wrong("answered something else than credentials"));
        };
        return access_token(username, secret);
    }
    Err(CredentialsError::None)
}

/// The helper's answer for a server; `None` if the helper fails, as it does for an unknown server.
fn run(helper: &str, server: &str) -> io::Result<Option<SecretString>> {
    let mut child = Command::new(helper)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input has answered already.
        let _ = stdin.write_all(server.as_bytes());
    }
    let stdout = child.stdout.take();
    let (sender, said) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.map_or(Ok(0), |stdout| stdout.take(MOST).read_to_string(&mut text));
        let _ = sender.send(read.map(|_| SecretString::from(text)));
    });
    let Ok(said) = said.recv_timeout(PATIENCE) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(io::ErrorKind::TimedOut.into());
    };
    let said = said?;
    Ok(child.wait()?.success().then_some(said))
}
