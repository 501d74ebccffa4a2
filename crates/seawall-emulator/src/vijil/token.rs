//! Bearer tokens for key pairs and logins, and the authentication of calls.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Refusal, Settings, TEAM, USER};
use crate::exchange::{Request, Response};
use crate::identity;

/// Issues and validates tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    key: String,
    generation: AtomicU64,
    given: AtomicU64,
}

impl Tokens {
    pub(super) fn new(key: String) -> Self {
        Self { key, generation: AtomicU64::new(0), given: AtomicU64::new(0) }
    }

    pub(super) fn expire(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Answers both logins: a key pair, or an e-mail address with a password.
    pub(super) fn login(
        &self,
        settings: &Settings,
        request: &Request,
    ) -> Result<Response, Refusal> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let by_password = request.path.last().is_some_and(|last| last == "login");
        let known = settings.accounts.iter().any(|account| {
            if by_password {
                account.email.as_deref().is_some_and(|email| text("email") == Some(email))
                    && text("password") == Some(&account.client_secret)
            } else {
                text("client_id") == Some(&account.client_id)
                    && text("client_secret") == Some(&account.client_secret)
            }
        });
        if !known {
            return Err(Refusal::new(401, "Invalid credentials"));
        }
        let token = self.issue(request.at.as_second(), settings.token_seconds);
        Ok(Response::json(
            200,
            &match by_password {
                true => json!({"access_token": token, "token_type": "bearer"}),
                false => json!({"access_token": token, "expires_in": settings.token_seconds}),
            },
        ))
    }

    /// Answers a refresh of a token that is valid or has expired.
    pub(super) fn refresh(
        &self,
        settings: &Settings,
        request: &Request,
    ) -> Result<Response, Refusal> {
        let token = bearer(request).ok_or_else(unauthenticated)?;
        self.claims(token, None).ok_or_else(unauthenticated)?;
        let token = self.issue(request.at.as_second(), settings.token_seconds);
        Ok(Response::json(200, &json!({"access_token": token, "token_type": "bearer"})))
    }

    /// Refuses a call without a valid key or token.
    pub(super) fn check(&self, settings: &Settings, request: &Request) -> Result<(), Refusal> {
        let token = bearer(request).ok_or_else(unauthenticated)?;
        let is_key =
            settings.accounts.iter().any(|account| account.api_key.as_deref() == Some(token));
        let generation = self.generation.load(Ordering::SeqCst);
        let alive = |claims: &Value| {
            claims.get("exp").and_then(Value::as_i64) > Some(request.at.as_second())
        };
        if is_key || self.claims(token, Some(generation)).is_some_and(|claims| alive(&claims)) {
            return Ok(());
        }
        Err(unauthenticated())
    }

    /// A token for the account, for tests and for a stored session.
    pub(super) fn issue(&self, now: i64, seconds: i64) -> String {
        let number = self.given.fetch_add(1, Ordering::SeqCst);
        let team = format!("team_{}", TEAM.replace('-', ""));
        let generation = self.generation.load(Ordering::SeqCst);
        let claims = json!({"sub": USER, "iat": now, "exp": now + seconds, "jti": number, "generation": generation,
            "teams": {team: {"role": "ADMIN", "scopes": []}}});
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signature = self.sign(&header, &payload);
        format!("{header}.{payload}.{signature}")
    }

    fn claims(&self, token: &str, generation: Option<u64>) -> Option<Value> {
        let mut parts = token.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let genuine = parts.next().is_none() && self.sign(header, payload) == signature;
        let claims = URL_SAFE_NO_PAD.decode(payload).ok().filter(|_| genuine)?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let given = claims.get("generation").and_then(Value::as_u64);
        generation.is_none_or(|generation| given == Some(generation)).then_some(claims)
    }

    fn sign(&self, header: &str, payload: &str) -> String {
        let key = &self.key;
        identity::hex(&Sha256::digest(format!("{key}.{header}.{payload}.{key}")))
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.authorization.as_deref()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn unauthenticated() -> Refusal {
    Refusal::new(401, "Not authenticated")
}
