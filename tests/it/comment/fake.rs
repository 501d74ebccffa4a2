//! GitHub's REST API as far as comments go, on a real socket: pages with `Link`, accounts, and what
//! may go wrong.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

/// The prefix of the API on a server of one's own.
pub(crate) const PREFIX: &str = "/api/v3";
pub(crate) const TOKEN: &str = "ghs_do-not-show-me";

/// The state of the server, and the requests that it got.
#[derive(Default)]
pub(crate) struct World {
    /// In order; each as the API shows it.
    pub(crate) comments: Vec<Value>,
    /// `METHOD path?query`, without the prefix.
    pub(crate) calls: Vec<String>,
    /// The answer to `GET /user`; none is the refusal that apps get.
    pub(crate) viewer: Option<Value>,
    /// The account that the token belongs to.
    pub(crate) author: Value,
    /// The answer to `GET /repos/…/pulls`.
    pub(crate) pulls: Value,
    /// The next page, instead of the server's own link.
    pub(crate) next: Option<String>,
    /// The status and the headers of the answers to writes, and whether they are done all the same.
    pub(crate) writes: Option<(StatusCode, HeaderMap, bool)>,
    /// The texts of those answers.
    pub(crate) says: Option<Value>,
}

/// A running server.
pub(crate) struct Fake {
    pub(crate) url: String,
    world: Arc<Mutex<World>>,
}

pub(crate) fn account(login: &str, id: u64) -> Value {
    json!({"login": login, "id": id, "type": if login.ends_with("[bot]") { "Bot" } else { "User" }})
}

impl Fake {
    /// A server whose token is that of a job: an app's, which has no user.
    pub(crate) async fn start() -> Self {
        let author = account("github-actions[bot]", 41898282);
        let world = World { author, pulls: json!([]), ..World::default() };
        let world = Arc::new(Mutex::new(world));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{PREFIX}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state((Arc::clone(&world), url.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, world }
    }

    pub(crate) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// A comment that somebody has written.
    pub(crate) fn comment(&self, author: Value, body: &str) {
        let mut world = self.world();
        let id = 1000 + world.comments.len();
        world.comments.push(
            json!({"id": id, "body": body, "user": author, "html_url": format!("https://github.example/c/{id}")}),
        );
    }

    /// The texts of the comments, with their authors.
    pub(crate) fn said(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.world()
            .comments
            .iter()
            .map(|one| (text(&one["user"]["login"]), text(&one["body"])))
            .collect()
    }

    /// The calls so far, and forgets them.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.world().calls)
    }
}

async fn answer(
    State((world, url)): State<(Arc<Mutex<World>>, String)>,
    request: Request,
) -> Response {
    let method = request.method().clone();
    let uri = request.uri().clone();
    let asked = uri.path_and_query().unwrap().as_str();
    let authorized = request
        .headers()
        .get("authorization")
        .is_some_and(|value| value == &format!("Bearer {TOKEN}"));
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut world = world.lock().unwrap();
    let Some(path) = asked.strip_prefix(PREFIX) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    world.calls.push(format!("{method} {path}"));
    if !authorized {
        return refusal(StatusCode::UNAUTHORIZED, "Bad credentials");
    }
    let plain = path.split('?').next().unwrap();
    match (method.as_str(), plain) {
        ("GET", "/user") => match &world.viewer {
            Some(viewer) => json_of(StatusCode::OK, viewer),
            None => refusal(StatusCode::FORBIDDEN, "Resource not accessible by integration"),
        },
        ("GET", "/repos/my-org/policies/pulls") => json_of(StatusCode::OK, &world.pulls),
        ("GET", "/repos/my-org/policies/issues/12/comments") => {
            let number = |name: &str| {
                let mut pairs = path.split(['?', '&']).filter_map(|pair| pair.split_once('='));
                pairs
                    .find(|(key, _)| *key == name)
                    .and_then(|(_, value)| value.parse::<usize>().ok())
            };
            let (size, page) = (number("per_page").unwrap_or(30), number("page").unwrap_or(1));
            let mut pages = world.comments.chunks(size);
            let shown = pages.nth(page - 1).unwrap_or_default().to_vec();
            let mut response = json_of(StatusCode::OK, &shown.into());
            if pages.next().is_some() {
                let own = format!(
                    "{url}/repositories/1/issues/12/comments?per_page={size}&page={}",
                    page + 1
                );
                let next = world.next.clone().unwrap_or(own);
                let link = format!("<{url}/first>; rel=\"first\", <{next}>; rel=\"next\"");
                response.headers_mut().insert("link", link.parse().unwrap());
            }
            response
        }
        // The service's own links name repositories by number.
        ("GET", "/repositories/1/issues/12/comments") => {
            let page = path.rsplit_once("page=").unwrap().1.parse::<usize>().unwrap();
            let mut pages = world.comments.chunks(100);
            let shown = pages.nth(page - 1).unwrap_or_default().to_vec();
            let mut response = json_of(StatusCode::OK, &shown.into());
            if pages.next().is_some() {
                let link = format!(
                    "<{url}/repositories/1/issues/12/comments?per_page=100&page={}>; rel=\"next\"",
                    page + 1
                );
                response.headers_mut().insert("link", link.parse().unwrap());
            }
            response
        }
        ("POST", "/repos/my-org/policies/issues/12/comments") => {
            let id = 5000 + world.comments.len();
            let address =
                format!("https://github.example/my-org/policies/pull/12#issuecomment-{id}");
            let comment =
                json!({"id": id, "body": body["body"], "user": world.author, "html_url": address});
            written(&mut world, comment.clone(), |world| world.comments.push(comment))
        }
        ("PATCH", path) => {
            let id = path
                .strip_prefix("/repos/my-org/policies/issues/comments/")
                .and_then(|id| id.parse::<u64>().ok());
            let Some(at) = world.comments.iter().position(|one| one["id"].as_u64() == id) else {
                return refusal(StatusCode::NOT_FOUND, "Not Found");
            };
            let answer = world.comments[at].clone();
            written(&mut world, answer, |world| world.comments[at]["body"] = body["body"].clone())
        }
        _ => refusal(StatusCode::NOT_FOUND, "Not Found"),
    }
}

fn written(world: &mut World, answer: Value, write: impl FnOnce(&mut World)) -> Response {
    match world.writes.take() {
        None => {
            write(world);
            json_of(StatusCode::CREATED, &answer)
        }
        Some((status, headers, done)) => {
            if done {
                write(world);
            }
            let mut response = match &world.says {
                Some(body) => json_of(status, body),
                None => refusal(status, "You have exceeded a secondary rate limit"),
            };
            response.headers_mut().extend(headers);
            response
        }
    }
}

fn json_of(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

fn refusal(status: StatusCode, message: &str) -> Response {
    json_of(status, &json!({"message": message, "documentation_url": "https://docs.example"}))
}
