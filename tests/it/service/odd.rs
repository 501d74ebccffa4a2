//! A server that answers whatever bytes a test says.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came over the socket.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// With the query.
    pub(super) path: String,
    /// The whole head.
    pub(super) head: String,
    pub(super) body: String,
}

/// What is sent back before the connection is closed; `None` keeps it open and silent.
type Reply = Option<Vec<u8>>;

/// The server; it ends with the test's runtime.
pub(super) struct Odd {
    address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Odd {
    /// Answers logins with a token, and everything else by `reply`, which is given the number of
    /// the request from 0.
    pub(super) async fn start(
        reply: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::bare(move |number, request| match request.path.ends_with("/auth/token") {
            true => json(200, &format!(r#"{{"access_token":"token-{number}"}}"#)),
            false => reply(number, request),
        })
        .await
    }

    /// Answers everything by `reply`.
    pub(super) async fn bare(
        reply: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (requests, reply) = (Arc::clone(&seen), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (requests, reply) = (Arc::clone(&requests), Arc::clone(&reply));
                tokio::spawn(async move { serve(stream, &requests, &*reply).await });
            }
        });
        Self { address, seen }
    }

    pub(super) fn base(&self) -> String {
        format!("http://{}/v2", self.address)
    }

    /// Everything that was asked so far.
    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// What was asked so far, logins aside.
    pub(super) fn asked(&self) -> Vec<Request> {
        self.seen().into_iter().filter(|request| !request.path.ends_with("/auth/token")).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    reply: &(dyn Fn(usize, &Request) -> Reply + Send + Sync),
) {
    let Some(request) = receive(&mut stream).await else { return };
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    match reply(number, &request) {
        Some(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await; // a close with unread bytes would be a reset
        }
        None => std::future::pending().await,
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    while bytes.len() < end + 4 + length.unwrap_or(0) {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
    let mut first = head.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    Some(Request { method, path, head, body })
}

/// An answer with a JSON body.
pub(super) fn json(status: u16, body: &str) -> Reply {
    answer(status, "Content-Type: application/json\r\n", body.as_bytes())
}

/// An answer with these header lines.
pub(super) fn answer(status: u16, headers: &str, body: &[u8]) -> Reply {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    Some([head.as_bytes(), body].concat())
}
