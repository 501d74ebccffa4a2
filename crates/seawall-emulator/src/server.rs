//! Connects the socket to the state machine.
//!
//! Invariant: a call takes effect as a whole or not at all, even if the caller has left or the
//! state file fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State as Shared};
use axum::http::{self, HeaderValue, header};
use jiff::Timestamp;

use super::clock::Clock;
use super::connection::Breaker;
use super::docker::{self, Code, DockerOperation, Refusal, Service};
use super::exchange::{Request, Response};
use super::fault::{FalseAnswer, FaultKind, Faults};
use super::operation::{Operation, Side};
use super::record::{Call, Record};
use super::state::State;
use super::store::{Store, StoreError};
use super::{vijil, visitor};

/// The largest body that is read; the service's largest object is much smaller.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// The emulator behind the socket.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) docker: Service,
    pub(super) vijil: vijil::Service,
    pub(super) clock: Clock,
    pub(super) latency: Duration,
    pub(super) origin: String,
    pub(super) port: u16,
    /// The limit of calls a minute, if `X-RateLimit-*` are sent and enforced.
    pub(super) rate_limit: Option<u32>,
    /// The limit of requests for audit records a second, for all organizations together.
    pub(super) audit_limit: Option<u32>,
    pub(super) inner: Mutex<Inner>,
    pub(super) in_flight: AtomicUsize,
    pub(super) most_in_flight: AtomicUsize,
}

/// The state that calls change.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) state: State,
    /// The state before the last change, which a lagging replica still returns.
    pub(super) previous: State,
    pub(super) store: Option<Store>,
    pub(super) closed: bool,
    pub(super) faults: Faults,
    pub(super) record: Record,
    /// The current minute, and the number of calls in it.
    pub(super) minute: (i64, u32),
    /// The current second, and the number of requests for audit records in it.
    pub(super) audited: (i64, u32),
}

/// The outcome of a call.
enum Outcome {
    Answer(Response),
    Cut(Response),
    Lost,
}

impl Server {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under the lock leaves the old state: the new one is stored as a whole, after the
        // last step that can fail.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self: Arc<Self>, mut request: Request) -> Outcome {
        let now_in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now_in_flight, Ordering::SeqCst);
        let operation = Operation::parse(&request.method, &request.path);
        let met = self.lock().faults.meet(operation);
        let delays = met.iter().filter_map(|kind| {
            if let FaultKind::Delay(delay) = kind { Some(*delay) } else { None }
        });
        let wait = self.latency + delays.sum::<Duration>();
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        request.at = self.clock.now();
        let server = Arc::clone(&self);
        let call = tokio::task::spawn_blocking(move || server.carry_out(&request, operation, &met));
        let outcome = call.await.unwrap_or(Outcome::Lost);
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    fn carry_out(
        &self,
        request: &Request,
        operation: Option<Operation>,
        met: &[FaultKind],
    ) -> Outcome {
        let mut inner = self.lock();
        if inner.closed {
            return Outcome::Lost;
        }
        let mut fate = None;
        for kind in met {
            match kind {
                FaultKind::Delay(_) => {}
                FaultKind::ExpireTokens => {
                    self.docker.expire_tokens();
                    self.vijil.expire_tokens();
                }
                FaultKind::Edit(edit) => {
                    if let Err(error) = inner.change(|state| edit.carry_out(state)) {
                        tracing::error!("{error}");
                    }
                }
                FaultKind::Refuse(_)
                | FaultKind::RefuseAfter(_)
                | FaultKind::Cut
                | FaultKind::LoseBefore
                | FaultKind::LoseAfter
                | FaultKind::RateLimit(_)
                | FaultKind::FalseAnswer(_) => fate = fate.or(Some(kind)),
            }
        }
        let limit = inner.rate(self.rate_limit, request.at);
        let is_audit = operation == Some(Operation::Docker(DockerOperation::ListAuditLogs));
        let outcome = if is_audit && inner.audits_exceed(self.audit_limit, request.at) {
            Outcome::Answer(docker::audit::exceeded())
        } else if limit.as_ref().is_some_and(|limit| limit.exceeded) {
            Outcome::Answer(exceeded(request.at))
        } else {
            self.meet(&mut inner, request, operation, fate)
        };
        let status = match &outcome {
            Outcome::Answer(answer) | Outcome::Cut(answer) => Some(answer.status),
            Outcome::Lost => None,
        };
        inner.record.add(Call::new(request, operation, status));
        match (outcome, limit) {
            (Outcome::Answer(answer), Some(limit)) => Outcome::Answer(limit.headers(answer)),
            (outcome, _) => outcome,
        }
    }

    /// The outcome of a call that meets one fault, or none.
    fn meet(
        &self,
        inner: &mut Inner,
        request: &Request,
        operation: Option<Operation>,
        fate: Option<&FaultKind>,
    ) -> Outcome {
        match fate {
            Some(FaultKind::Refuse(answer)) => Outcome::Answer(answer.response()),
            Some(FaultKind::RateLimit(wait)) => Outcome::Answer(wait.response(request.at)),
            Some(FaultKind::LoseBefore) => Outcome::Lost,
            Some(FaultKind::LoseAfter) => {
                self.effect(inner, request);
                Outcome::Lost
            }
            Some(FaultKind::RefuseAfter(answer)) => {
                self.effect(inner, request);
                Outcome::Answer(answer.response())
            }
            Some(FaultKind::FalseAnswer(FalseAnswer::Stale))
                if !operation.is_some_and(Operation::is_write) =>
            {
                Outcome::Answer(self.handle(&mut inner.previous.clone(), request))
            }
            Some(FaultKind::FalseAnswer(FalseAnswer::Envelope)) => {
                Outcome::Answer(FalseAnswer::Envelope.told(Response::empty(200)))
            }
            Some(FaultKind::FalseAnswer(false_answer)) => {
                Outcome::Answer(false_answer.told(self.effect(inner, request)))
            }
            Some(FaultKind::Cut) => Outcome::Cut(self.effect(inner, request)),
            None | Some(FaultKind::Delay(_) | FaultKind::ExpireTokens | FaultKind::Edit(_)) => {
                Outcome::Answer(self.effect(inner, request))
            }
        }
    }

    fn effect(&self, inner: &mut Inner, request: &Request) -> Response {
        inner.change(|state| self.handle(state, request)).unwrap_or_else(|error| {
            tracing::error!("{error}");
            Refusal::new(Code::Internal, "internal error").response(DockerOperation::ListPolicies)
        })
    }

    fn handle(&self, state: &mut State, request: &Request) -> Response {
        match Side::new(&request.path) {
            Side::Docker => self.docker.handle(state, request),
            Side::Vijil => self.vijil.handle(state, request),
        }
    }
}

/// The result of the rate limit for one call.
struct Rate {
    limit: u32,
    remaining: u32,
    reset: i64,
    exceeded: bool,
}

impl Rate {
    fn headers(&self, answer: Response) -> Response {
        let Self { limit, remaining, reset, exceeded: _ } = self;
        answer
            .with_header("X-RateLimit-Limit", limit)
            .with_header("X-RateLimit-Remaining", remaining)
            .with_header("X-RateLimit-Reset", reset)
    }
}

fn exceeded(now: Timestamp) -> Response {
    let seconds = 60 - now.as_second().rem_euclid(60);
    Response::json(429, &serde_json::json!({"message": "rate limit exceeded", "errinfo": null}))
        .with_header("Retry-After", seconds)
}

impl Inner {
    /// Changes the state durably, or not at all.
    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut State) -> T,
    ) -> Result<T, StoreError> {
        let mut after = self.state.clone();
        let value = change(&mut after);
        if let Some(store) = &self.store {
            store.save(&self.state, &after)?;
        }
        if self.state != after {
            self.previous = std::mem::replace(&mut self.state, after);
        }
        Ok(value)
    }

    fn audits_exceed(&mut self, limit: Option<u32>, now: Timestamp) -> bool {
        let second = now.as_second();
        if self.audited.0 != second {
            self.audited = (second, 0);
        }
        self.audited.1 = self.audited.1.saturating_add(1);
        limit.is_some_and(|limit| self.audited.1 > limit)
    }

    fn rate(&mut self, limit: Option<u32>, now: Timestamp) -> Option<Rate> {
        let limit = limit?;
        let minute = now.as_second().div_euclid(60);
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        self.minute.1 = self.minute.1.saturating_add(1);
        let used = self.minute.1;
        Some(Rate {
            limit,
            remaining: limit.saturating_sub(used),
            reset: (minute + 1) * 60,
            exceeded: used > limit,
        })
    }
}

/// The routes of the emulator: the state machine answers every path, also unknown ones.
pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(serve).with_state(server)
}

async fn serve(
    Shared(server): Shared<Arc<Server>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    request: http::Request<Body>,
) -> http::Response<Body> {
    let (head, body) = request.into_parts();
    if let Some(reason) = visitor::refusal(&head.uri, &head.headers, server.port) {
        return http_response(Response::json(
            403,
            &serde_json::json!({"message": reason, "errinfo": null}),
        ));
    }
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return plain(413);
    };
    let query = head.uri.query().unwrap_or_default();
    let call = Request {
        method: head.method,
        path: head.uri.path().trim_start_matches('/').split('/').map(decode).collect(),
        query: query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect(),
        authorization: head
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        body: body.to_vec(),
        origin: server.origin.clone(),
        at: server.clock.now(),
    };
    // In a task of its own: as with a real service, a call continues when its caller hangs up.
    let outcome = tokio::spawn(server.answer(call)).await.unwrap_or(Outcome::Lost);
    match outcome {
        Outcome::Answer(answer) => http_response(answer),
        Outcome::Cut(answer) => {
            breaker.cut(answer.body.len() / 2);
            http_response(answer)
        }
        Outcome::Lost => {
            breaker.lose();
            plain(500)
        }
    }
}

fn pair(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
}

/// Percent-decodes a segment; an invalid `%` stays.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code =
            tail.get(..2).filter(|_| first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn http_response(answer: Response) -> http::Response<Body> {
    let Response { status, headers, content_type, body } = answer;
    let mut response = plain(status);
    *response.body_mut() = Body::from(body);
    if !content_type.is_empty() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (http::HeaderName::try_from(name), HeaderValue::try_from(value))
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn plain(status: u16) -> http::Response<Body> {
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response
}
