//! Tokens: credentials are exchanged for a token, which is used until shortly before it expires.
//!
//! Invariants: one exchange serves all concurrent calls; credentials that the service refused are
//! not sent again, so that no account is locked; and no output of this module shows a secret.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::secret::Secrets;
use super::{Clock, Error};

/// The time before its expiry at which a token is renewed.
const MARGIN: Duration = Duration::from_secs(60);
/// The verb of an exchange.
pub(super) const METHOD: reqwest::Method = reqwest::Method::POST;
/// The largest answer of an exchange, in bytes.
pub(super) const MOST: usize = 1 << 20;
/// The lifetime of a token that does not state one.
pub(super) const ASSUMED: Duration = Duration::from_secs(300);

/// The authentication of calls.
#[derive(Clone, Debug)]
pub enum Authorization {
    /// Credentials, exchanged for a token.
    Login(Login),
    /// A token that is sent unchanged.
    Bearer(SecretString),
    /// A stored token that can be renewed, even after it expired.
    Session(Session),
}

/// A token with the path below the service's base that renews it: a POST with the token and nothing
/// else, whose answer has the form of a [`Login`].
#[derive(Clone, Debug)]
pub struct Session {
    /// The stored token.
    pub token: SecretString,
    /// The path that renews it.
    pub refresh: Vec<&'static str>,
}

/// The exchange of credentials for a token: a POST of two fields that answers `{"access_token"}`,
/// optionally with `expires_in` in seconds.
#[derive(Clone, Debug)]
pub struct Login {
    /// The path below the service's base.
    pub path: Vec<&'static str>,
    /// The field with the user, and its value.
    pub identifier: (&'static str, String),
    /// The field with the secret, and its value.
    pub secret: (&'static str, SecretString),
}

impl Login {
    pub(super) fn body(&self) -> Value {
        let Self {
            path: _,
            identifier: (identifier_field, identifier),
            secret: (secret_field, secret),
        } = self;
        json!({(*identifier_field): identifier, (*secret_field): secret.expose_secret()})
    }
}

impl Authorization {
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        let (Self::Login(Login { secret: (_, secret), .. })
        | Self::Bearer(secret)
        | Self::Session(Session { token: secret, .. })) = self;
        std::iter::once(secret)
    }
}

/// A token, and its number in this run.
pub(super) struct Token {
    pub(super) secret: SecretString,
    number: u64,
}

/// The token of one connection.
pub(super) struct Tokens {
    authorization: Authorization,
    state: Mutex<State>,
}

/// A valid token, or the right to request one while other callers wait.
pub(super) enum Current<'a> {
    Token(Token),
    Missing(MutexGuard<'a, State>),
}

/// The way to get the next token.
pub(super) enum Exchange<'a> {
    /// Use the given one: the service decides if it is still valid.
    Stored(&'a SecretString),
    Login(&'a Login),
    Renewal {
        token: &'a SecretString,
        path: &'a [&'static str],
    },
}

#[derive(Default)]
pub(super) struct State {
    /// The token, and the clock time at which it has to be renewed.
    token: Option<(SecretString, Duration)>,
    number: u64,
    /// The last token, valid or not.
    last: Option<SecretString>,
    refused: Option<Error>,
}

impl Tokens {
    pub(super) fn new(authorization: Authorization) -> Self {
        Self { authorization, state: Mutex::default() }
    }

    /// The valid token.
    ///
    /// # Errors
    ///
    /// Returns the refusal of the credentials, if the service refused them before.
    pub(super) async fn current(&self, clock: &Clock) -> Result<Current<'_>, Error> {
        if let Authorization::Bearer(secret) = &self.authorization {
            return Ok(Current::Token(Token { secret: secret.clone(), number: 0 }));
        }
        let state = self.state.lock().await;
        if let Some(error) = &state.refused {
            return Err(error.clone());
        }
        match &state.token {
            Some((secret, until)) if clock.passed() < *until => {
                Ok(Current::Token(Token { secret: secret.clone(), number: state.number }))
            }
            Some(_) | None => Ok(Current::Missing(state)),
        }
    }

    /// The way to get the next token.
    pub(super) fn exchange<'a>(&'a self, state: &'a State) -> Exchange<'a> {
        match &self.authorization {
            Authorization::Login(login) => Exchange::Login(login),
            Authorization::Session(Session { token, refresh }) if state.number > 0 => {
                Exchange::Renewal { token: state.last.as_ref().unwrap_or(token), path: refresh }
            }
            Authorization::Bearer(token) | Authorization::Session(Session { token, .. }) => {
                Exchange::Stored(token)
            }
        }
    }

    /// Stores the result of an exchange for all callers.
    pub(super) fn keep(
        state: &mut State,
        exchanged: Result<(SecretString, Duration), Error>,
        clock: &Clock,
        secrets: &Secrets,
    ) -> Result<Token, Error> {
        match exchanged {
            Ok((secret, lifetime)) => {
                secrets.add(&secret);
                state.number += 1;
                state.last = Some(secret.clone());
                state.token = Some((secret.clone(), clock.passed().saturating_add(lifetime)));
                Ok(Token { secret, number: state.number })
            }
            Err(error) => {
                if matches!(error, Error::Login { .. }) {
                    state.refused = Some(error.clone());
                }
                Err(error)
            }
        }
    }

    /// Discards a token that the service refused; returns `false` if there is no way to get
    /// another.
    pub(super) async fn discard(&self, refused: &Token) -> bool {
        if matches!(self.authorization, Authorization::Bearer(_)) {
            return false;
        }
        let mut state = self.state.lock().await;
        if state.number == refused.number {
            state.token = None; // else another call has renewed it already
        }
        true
    }
}

/// The token of an answer, and its lifetime.
///
/// # Errors
///
/// Returns the reason why the answer has none.
pub(super) fn read(answer: &[u8], clock: &Clock) -> Result<(SecretString, Duration), &'static str> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match answer.get("access_token").and_then(Value::as_str) {
        Some(token) if is_header_text(token) => {
            let told = answer.get("expires_in").and_then(Value::as_u64).map(Duration::from_secs);
            let lifetime = told.or_else(|| lifetime(token, clock)).unwrap_or(ASSUMED);
            Ok((SecretString::from(token), serving(lifetime)))
        }
        Some(_) => Err("the token is not one"),
        None => Err("there is no `access_token`"),
    }
}

fn is_header_text(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The lifetime of a JWT: from `iat` to `exp`, which works with unsynchronized clocks, otherwise
/// from now to `exp`. A new token that seems expired means that the clocks differ; it then has no
/// known lifetime.
fn lifetime(token: &str, clock: &Clock) -> Option<Duration> {
    let claims = token.split('.').nth(1)?.trim_end_matches('=');
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let end = claims.get("exp")?.as_f64()?;
    let start =
        claims.get("iat").and_then(Value::as_f64).unwrap_or_else(|| clock.now().as_second() as f64);
    Duration::try_from_secs_f64(end - start).ok().filter(|lifetime| !lifetime.is_zero())
}

/// A minute before the expiry, or half of a short lifetime.
fn serving(lifetime: Duration) -> Duration {
    lifetime.saturating_sub(MARGIN).max(lifetime / 2)
}

#[cfg(test)]
mod tests {
    use super::{ASSUMED, Clock, lifetime, serving};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::time::Duration;

    #[test]
    fn a_token_serves_until_shortly_before_its_end() {
        let clock = Clock::manual("2026-10-21T07:28:00Z".parse().unwrap()); // 1792567680
        let table = [
            (r#"{"exp":1792568280}"#, Some(600)),
            (r#"{"exp":1792568280,"iat":1792567680}"#, Some(600)),
            (r#"{"exp":1000600,"iat":1000000}"#, Some(600)), // the service's clock is another
            (r#"{"exp":1000600}"#, None),                    // over already: the clocks differ
            (r#"{"exp":"soon"}"#, None),
            (r#"{"exp":1e300}"#, None),
            ("{}", None),
            ("not json", None),
        ];
        for (claims, seconds) in table {
            let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
            assert_eq!(lifetime(&token, &clock), seconds.map(Duration::from_secs), "{claims}");
        }
        assert_eq!(lifetime("opaque", &clock), None);
        for (life, serves) in [(600, 540), (100, 50), (60, 30), (0, 0)] {
            assert_eq!(serving(Duration::from_secs(life)), Duration::from_secs(serves));
        }
        assert!(serving(ASSUMED) > Duration::from_secs(120));
    }
}
