//! The connection to one service: its pool, and the loop that sends, waits and retries.
//!
//! Invariant: [`Connection::call`] repeats only calls that are safe to repeat, and distinguishes
//! three outcomes: answered, certainly not sent, and unknown. After a signal to stop, it does not
//! wait any more.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderMap, LOCATION, RETRY_AFTER};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use super::client::{causes, client};
use super::refusal::{Refusal, safe};
use super::retry::{self, Trouble, Waiting};
use super::secret::Secrets;
use super::token::{self, Authorization, Current, Exchange, Token, Tokens};
use super::{BaseUrl, Clock, Error, Limits};

/// The longest wait that is finished after the run was told to stop: a shorter wait is not worth an
/// abandoned call.
const GRACE: Duration = Duration::from_secs(1);

/// The part of an answer other than success that is read, in bytes: a message shows only the
/// beginning of it.
const MOST_OF_A_REFUSAL: usize = 1 << 20;

/// A function that is called before every wait.
pub type Observer = Arc<dyn Fn(&Waiting) + Send + Sync>;

/// One service with its credentials. Clones share the state.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    base: BaseUrl,
    clock: Clock,
    limits: Limits,
    observer: Option<Observer>,
    permits: Semaphore,
    secrets: Secrets,
    tokens: Tokens,
    /// The clock time before which no call is sent: one rate limit applies to all.
    not_before: Mutex<Duration>,
    /// Becomes true when waits should end.
    stop: Mutex<Option<watch::Receiver<bool>>>,
}

/// The answer of a service, whatever the status.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// The time that the service took to answer.
    pub took: Duration,
}

impl Answer {
    /// Returns `true` if the request was rejected by a rate limit, without an effect: 429, or a 403
    /// that says when to retry, as GitHub sends it. Source: "Rate limits for the REST API" of its
    /// documentation.
    pub(super) fn limits(&self) -> bool {
        self.status == 429 || (self.status == 403 && self.headers.contains_key(RETRY_AFTER))
    }
}

/// One request.
pub(super) struct Call<'a> {
    pub(super) method: reqwest::Method,
    pub(super) url: &'a Url,
    pub(super) body: Option<&'a Value>,
    /// True if repeating it does no harm.
    pub(super) repeatable: bool,
    /// Statuses that are final answers to this request: a retry would not change them.
    pub(super) settled: &'a [u16],
    /// True if it carries the token.
    pub(super) authorized: bool,
    /// The largest answer in bytes, if it is less than the connection's limit.
    pub(super) most: usize,
    /// A different token, for calls that renew the token.
    pub(super) bearer: Option<&'a SecretString>,
}

/// The outcome of a request.
pub(super) enum Attempt {
    /// The service answered, with whatever status.
    Answered(Answer),
    /// The request certainly had no effect.
    NotSent(Error),
    /// The request was sent, and its effect is unknown.
    Unknown(Error),
}

impl Connection {
    /// A connection to the service below `base`. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the system's certificates cannot be read.
    pub fn new(base: BaseUrl, authorization: Authorization, limits: Limits) -> Result<Self, Error> {
        Self::with(base, authorization, limits, Clock::system(), None)
    }

    /// The same with another clock, and a function that is called before waits.
    ///
    /// # Errors
    ///
    /// Returns an error if the system's certificates cannot be read.
    pub fn with(
        base: BaseUrl,
        authorization: Authorization,
        limits: Limits,
        clock: Clock,
        observer: Option<Observer>,
    ) -> Result<Self, Error> {
        let client = client(&base, &limits).map_err(|error| Error::SetUp {
            host: base.host(),
            cause: causes(error, &Secrets::default()),
        })?;
        let secrets = Secrets::default();
        authorization.secrets().for_each(|secret| secrets.add(secret));
        let permits = Semaphore::new(limits.concurrency.max(1));
        let tokens = Tokens::new(authorization);
        let (not_before, stop) = (Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Inner {
            client,
            base,
            clock,
            limits,
            observer,
            permits,
            secrets,
            tokens,
            not_before,
            stop,
        })))
    }

    /// The service's address.
    #[must_use]
    pub fn base(&self) -> &BaseUrl {
        &self.0.base
    }

    /// The number of concurrent calls.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.0.limits.concurrency
    }

    /// Once this becomes true, calls that wait for a retry or for a rate limit are abandoned.
    pub(super) fn stop_waits_on(&self, stop: watch::Receiver<bool>) {
        *self.0.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop);
    }

    /// Waits; returns an error if the run is to stop and the wait lasts longer than [`GRACE`] after
    /// that.
    async fn wait(&self, wait: Duration) -> Result<(), Error> {
        let stop = self.0.stop.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stopped = async {
            let Some(mut stop) = stop else { return std::future::pending().await };
            let told = stop.wait_for(|stop| *stop).await.is_ok();
            match told {
                true => self.0.clock.sleep(GRACE).await,
                false => std::future::pending().await, // nobody is left to say so
            }
        };
        tokio::select! {
            biased;
            () = self.0.clock.sleep(wait) => Ok(()),
            () = stopped => Err(Error::Stopped { host: self.0.base.host() }),
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    pub(super) fn refusal(&self, answer: &Answer) -> Refusal {
        Refusal::read(answer.status, &answer.body, &self.0.secrets)
    }

    /// The wait that the service asks for in this answer.
    pub(super) fn told(&self, answer: &Answer) -> Option<Duration> {
        retry::told(answer.status, &answer.headers, self.0.clock.now())
    }

    /// A valid token. Callers wait for one that is being requested.
    async fn token(&self) -> Result<Token, Error> {
        let Inner { tokens, clock, secrets, .. } = self.0.as_ref();
        let mut state = match tokens.current(clock).await? {
            Current::Token(token) => return Ok(token),
            Current::Missing(state) => state,
        };
        let exchanged = self.exchange(tokens.exchange(&state)).await;
        Tokens::keep(&mut state, exchanged, clock, secrets)
    }

    async fn exchange(&self, exchange: Exchange<'_>) -> Result<(SecretString, Duration), Error> {
        let (path, body, bearer) = match exchange {
            Exchange::Stored(token) => return Ok((token.clone(), token::ASSUMED)),
            Exchange::Login(login) => (login.path.as_slice(), Some(login.body()), None),
            Exchange::Renewal { token, path } => (path, None, Some(token)),
        };
        let url = self.0.base.join(path, &[])?;
        // An exchange has no effect in the service, so that it may be repeated.
        let (method, body, most) = (token::METHOD, body.as_ref(), token::MOST);
        let call = Call {
            method,
            url: &url,
            body,
            repeatable: true,
            settled: &[],
            authorized: false,
            most,
            bearer,
        };
        let answer = match self.call(call).await {
            Attempt::Answered(answer) => answer,
            Attempt::NotSent(error) | Attempt::Unknown(error) => return Err(error),
        };
        let (host, path) = (self.0.base.host(), url.path().to_owned());
        match answer.status {
            200..=299 => token::read(&answer.body, &self.0.clock)
                .map_err(|why| Error::Unreadable { host, path, cause: safe(why, &self.0.secrets) }),
            400 | 401 | 403 | 422 => Err(Error::Login { host, refusal: self.refusal(&answer) }),
            _ => Err(self.refused(&url, &answer)),
        }
    }

    /// Sends a request until an answer is final, a repetition is not safe, or the limits are
    /// reached.
    pub(super) async fn call(&self, call: Call<'_>) -> Attempt {
        let deadline = self.0.clock.passed().saturating_add(self.0.limits.total);
        let mut attempts: BTreeMap<Trouble, u32> = BTreeMap::new();
        let mut renewed = false;
        let mut moved: Option<Url> = None;
        loop {
            let token = match call.authorized {
                true => match Box::pin(self.token()).await {
                    Ok(token) => Some(token),
                    Err(error) => return Attempt::NotSent(error),
                },
                false => None,
            };
            let url = moved.as_ref().unwrap_or(call.url);
            let attempt = self
                .send(
                    &call,
                    url,
                    token.as_ref().map(|token| &token.secret).or(call.bearer),
                    deadline,
                )
                .await;
            if moved.is_none()
                && let Attempt::Answered(answer) = &attempt
                && let Some(other) = other_slash(url, answer)
            {
                moved = Some(other); // nothing was done
                continue;
            }
            if let (Attempt::Answered(Answer { status: 401, .. }), Some(token), false) =
                (&attempt, &token, renewed)
            {
                renewed = true; // nothing was done; the token may have ended early
                if self.0.tokens.discard(token).await {
                    continue;
                }
            }
            let settles = |answer: &Answer| call.settled.contains(&answer.status);
            if matches!(&attempt, Attempt::Answered(answer) if settles(answer)) {
                return attempt;
            }
            let Some(trouble) = trouble(&attempt, call.repeatable) else { return attempt };
            let told = match &attempt {
                Attempt::Answered(answer) => self.told(answer),
                Attempt::NotSent(_) | Attempt::Unknown(_) => None,
            };
            let count = attempts.entry(trouble).or_default();
            *count += 1;
            let Some(wait) = retry::wait(trouble, *count, told) else { return attempt };
            let until = self.0.clock.passed().saturating_add(wait);
            if until > deadline {
                return attempt;
            }
            self.tell(&attempt, trouble, wait, *count);
            // A request that may be retried had no effect.
            if let Err(stopped) = self.wait(wait).await {
                return Attempt::NotSent(stopped);
            }
        }
    }

    /// Delays all calls for as long as the service asks for when it limits their rate.
    fn hold(&self, answer: &Answer) {
        if let (true, Some(told)) = (answer.limits(), self.told(answer)) {
            let until = self.0.clock.passed().saturating_add(told);
            let mut not_before = self.0.not_before.lock().unwrap_or_else(PoisonError::into_inner);
            *not_before = until.max(*not_before);
        }
    }

    async fn wait_for_the_limit(&self, deadline: Duration) -> Result<(), Error> {
        loop {
            let not_before = *self.0.not_before.lock().unwrap_or_else(PoisonError::into_inner);
            let wait = not_before.saturating_sub(self.0.clock.passed());
            if wait.is_zero() {
                return Ok(());
            }
            if not_before > deadline {
                return Err(Error::Limited { host: self.0.base.host(), seconds: wait.as_secs() });
            }
            self.wait(wait).await?;
        }
    }

    fn tell(&self, attempt: &Attempt, trouble: Trouble, wait: Duration, number: u32) {
        let reason = match attempt {
            Attempt::Answered(_) if trouble == Trouble::Limited => {
                format!("{} limits the rate", self.0.base.host())
            }
            Attempt::Answered(answer) => {
                format!("{} answered {}", self.0.base.host(), answer.status)
            }
            Attempt::NotSent(error) | Attempt::Unknown(error) => error.to_string(),
        };
        tracing::info!("{reason}: trying again in {:.1} s", wait.as_secs_f64());
        if let Some(observer) = &self.0.observer {
            observer(&Waiting { reason, wait, attempt: number });
        }
    }

    /// Sends one request once.
    async fn send(
        &self,
        call: &Call<'_>,
        url: &Url,
        token: Option<&SecretString>,
        deadline: Duration,
    ) -> Attempt {
        let _permit = self.0.permits.acquire().await.expect("the semaphore is never closed");
        if let Err(error) = self.wait_for_the_limit(deadline).await {
            return Attempt::NotSent(error);
        }
        let started = self.0.clock.passed();
        let mut request = self
            .0
            .client
            .request(call.method.clone(), url.clone())
            .header(ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        let mut attempt = match request.send().await {
            Ok(response) => self.receive(response, call.most.min(self.0.limits.body)).await,
            Err(error) if error.is_connect() || error.is_builder() => {
                Attempt::NotSent(Error::Unreachable {
                    host: self.0.base.host(),
                    cause: causes(error, &self.0.secrets),
                })
            }
            Err(error) => Attempt::Unknown(self.lost(error)),
        };
        let took = self.0.clock.passed().saturating_sub(started);
        let (method, path) = (&call.method, url.path());
        match &mut attempt {
            Attempt::Answered(answer) => {
                answer.took = took;
                self.hold(answer); // before the permit lets another call go
                tracing::debug!("{method} {path}: {} in {} ms", answer.status, took.as_millis());
            }
            Attempt::NotSent(error) | Attempt::Unknown(error) => {
                tracing::debug!("{method} {path}: {error}")
            }
        }
        attempt
    }

    async fn receive(&self, mut response: reqwest::Response, most: usize) -> Attempt {
        let took = Duration::ZERO; // whoever asked knows
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let is_success = response.status().is_success();
        let most = if is_success { most } else { most.min(MOST_OF_A_REFUSAL) };
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) <= most => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) if !is_success => {
                    return Attempt::Answered(Answer { status, headers, body, took });
                }
                Ok(Some(_)) => {
                    let (host, path) = (self.0.base.host(), response.url().path().to_owned());
                    return Attempt::Unknown(Error::TooLarge { host, path, limit: most });
                }
                Ok(None) => return Attempt::Answered(Answer { status, headers, body, took }),
                // The status says that the request had no effect, but the reason is lost.
                Err(_) if (400..500).contains(&status) => {
                    return Attempt::Answered(Answer { status, headers, body, took });
                }
                Err(error) => return Attempt::Unknown(self.lost(error)),
            }
        }
    }

    fn lost(&self, error: reqwest::Error) -> Error {
        let host = self.0.base.host();
        if error.is_timeout() {
            Error::TimeOut { host, seconds: self.0.limits.request.as_secs() }
        } else {
            Error::Lost { host, cause: causes(error, &self.0.secrets) }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.0.base.to_string()).finish()
    }
}

/// The address of a redirect that only adds or removes the slash at the end of the path. Any other
/// redirect is an answer, and is not followed.
fn other_slash(url: &Url, answer: &Answer) -> Option<Url> {
    let to = answer.headers.get(LOCATION).filter(|_| matches!(answer.status, 307 | 308))?;
    BaseUrl::with_other_slash(url, to.to_str().ok()?)
}

/// The reason to retry, if a retry is allowed.
fn trouble(attempt: &Attempt, repeatable: bool) -> Option<Trouble> {
    let trouble = match attempt {
        Attempt::Answered(answer) if answer.limits() => Trouble::Limited,
        Attempt::Answered(answer) => Trouble::from_status(answer.status)?,
        Attempt::NotSent(Error::Unreachable { .. }) => return Some(Trouble::Connection),
        Attempt::Unknown(Error::TimeOut { .. }) => Trouble::TimeOut,
        Attempt::Unknown(Error::Lost { .. }) => Trouble::Connection,
        Attempt::NotSent(_) | Attempt::Unknown(_) => return None,
    };
    (repeatable || trouble == Trouble::Limited).then_some(trouble)
}
