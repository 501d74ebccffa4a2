//! From the socket to a call, and from what becomes of it back to the socket.
//!
//! Invariant: a call that arrived whole is carried out, also when its caller leaves.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State as Shared};
use axum::http::{self, HeaderValue, header};

use super::connection::Breaker;
use super::exchange::{Request, Response};
use super::server::{Outcome, Server};

/// The largest body that is read; the service's largest object is far smaller.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// The routes of the emulator: every path goes to the state machine, which answers the unknown ones too.
pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(serve).with_state(server)
}

async fn serve(
    Shared(server): Shared<Arc<Server>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    request: http::Request<Body>,
) -> http::Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return plain(413);
    };
    let query = head.uri.query().unwrap_or_default();
    let call = Request {
        method: head.method,
        path: head.uri.path().trim_start_matches('/').split('/').map(decode).collect(),
        query: query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect(),
        authorization: head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned),
        body: body.to_vec(),
        origin: server.origin.clone(),
        at: server.clock.now(),
    };
    // In a task of its own: a caller who hangs up does not stop what is under way, as with a real service.
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

/// Percent-decodes a segment; a stray `%` stays what it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|_| first == b'%').and_then(|code| std::str::from_utf8(code).ok());
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
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn plain(status: u16) -> http::Response<Body> {
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response
}
