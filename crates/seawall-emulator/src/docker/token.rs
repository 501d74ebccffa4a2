//! `POST /v2/auth/token`, and the authentication of calls.
//!
//! Invariant: a token is valid only in this process, until its `exp`, and until [`Tokens::expire`].

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Code, DockerOperation, Refusal, Role, Settings};
use crate::exchange::{Request, Response};
use crate::identity;

/// Issues and validates tokens.
pub(super) struct Tokens {
    key: String,
    /// Part of the signature: increasing it invalidates older tokens.
    generation: AtomicU64,
    given: AtomicU64,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iat: i64,
    exp: i64,
    jti: u64,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key: _, generation, given } = self;
        f.debug_struct("Tokens")
            .field("generation", generation)
            .field("given", given)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    pub(super) fn new(key: String) -> Self {
        Self { key, generation: AtomicU64::new(0), given: AtomicU64::new(0) }
    }

    pub(super) fn expire(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Answers a login. A body without both texts is a 400 (the service does not document this),
    /// wrong credentials are a 401.
    pub(super) fn exchange(&self, settings: &Settings, request: &Request) -> Response {
        let refuse = |code, message: &str| {
            Refusal::new(code, message).response(DockerOperation::Authenticate)
        };
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let text =
            |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(identifier), Some(secret)) = (text("identifier"), text("secret")) else {
            return refuse(Code::InvalidArgument, "identifier and secret are required");
        };
        if !settings
            .accounts
            .iter()
            .any(|account| account.identifier == identifier && account.secret == secret)
        {
            return refuse(Code::Unauthenticated, "unauthorized");
        }
        let token = self.issue(identifier, request.at, settings.token_seconds);
        Response::json(200, &json!({"access_token": token}))
    }

    /// The role of the caller, or the refusal of a call whose token is missing, forged or expired.
    pub(super) fn caller(&self, settings: &Settings, request: &Request) -> Result<Role, Refusal> {
        let role = request.authorization.as_deref().and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            let claims = self.open(token).filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
            let alive = claims.exp > request.at.as_second();
            settings
                .accounts
                .iter()
                .find(|account| alive && account.identifier == claims.sub)
                .map(|account| account.role)
        });
        role.ok_or_else(|| Refusal::new(Code::Unauthenticated, "unauthenticated"))
    }

    fn issue(&self, identifier: &str, now: Timestamp, seconds: i64) -> String {
        let iat = now.as_second();
        let jti = self.given.fetch_add(1, Ordering::SeqCst);
        let claims = Claims { sub: identifier.to_owned(), iat, exp: iat + seconds, jti };
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let payload =
            URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).expect("claims are plain"));
        let signature = self.sign(&header, &payload);
        format!("{header}.{payload}.{signature}")
    }

    fn open(&self, token: &str) -> Option<Claims> {
        let mut parts = token.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let genuine = parts.next().is_none() && self.sign(header, payload) == signature;
        let claims = URL_SAFE_NO_PAD.decode(payload).ok().filter(|_| genuine)?;
        serde_json::from_slice(&claims).ok()
    }

    fn sign(&self, header: &str, payload: &str) -> String {
        let generation = self.generation.load(Ordering::SeqCst);
        let key = &self.key;
        identity::hex(&Sha256::digest(format!("{key}.{generation}.{header}.{payload}.{key}")))
    }
}
