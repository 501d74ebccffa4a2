//! TCP connections that can be broken on purpose.
//!
//! Invariant: after a call to break, a connection sends at most the allowed number of bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Lets every byte through.
const WHOLE: usize = usize::MAX;

/// Breaks the connection of a call.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    /// The number of bytes of the body that may still be sent; `WHOLE` for a healthy connection.
    body: Arc<AtomicUsize>,
    /// Not zero if nothing of the answer may be sent, not even its head.
    silent: Arc<AtomicUsize>,
}

impl Breaker {
    /// Sends nothing more on the connection.
    pub(super) fn lose(&self) {
        self.silent.store(1, Ordering::SeqCst);
    }

    /// Sends the head of the next answer, and this many bytes of its body.
    pub(super) fn cut(&self, body: usize) {
        self.body.store(body, Ordering::SeqCst);
    }

    /// The number of bytes that may be written; `None` for all.
    fn allowed(&self, bytes: &[u8]) -> Option<usize> {
        if self.silent.load(Ordering::SeqCst) == 1 {
            return Some(0);
        }
        let body = self.body.load(Ordering::SeqCst);
        if body == WHOLE {
            return None;
        }
        let head =
            bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |start| start + 4);
        Some(head.saturating_add(body).min(bytes.len().saturating_sub(1)))
    }
}

/// A connection with its breaker.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    breaker: Breaker,
}

/// Listens on the loopback interface.
#[derive(Debug)]
pub(super) struct Loopback(pub(super) TcpListener);

impl Listener for Loopback {
    type Io = Connection;
    type Addr = Breaker;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) => {
                    // Without it, a small packet could be delayed by 40 ms a call; after an error
                    // the delay remains.
                    let _ = stream.set_nodelay(true);
                    let breaker = Breaker { body: Arc::new(WHOLE.into()), silent: Arc::default() };
                    return (Connection { stream, breaker: breaker.clone() }, breaker);
                }
                // The process has no file descriptors left, or the caller has gone: both are
                // temporary.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(Breaker { body: Arc::new(WHOLE.into()), silent: Arc::default() })
    }
}

impl Connected<IncomingStream<'_, Loopback>> for Breaker {
    fn connect_info(stream: IncomingStream<'_, Loopback>) -> Self {
        stream.remote_addr().clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.breaker.allowed(bytes) {
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
            Some(0) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(allowed) => {
                let part = bytes.get(..allowed).unwrap_or(bytes);
                let written =
                    std::task::ready!(Pin::new(&mut self.stream).poll_write(context, part))?;
                if written == part.len() {
                    self.breaker.lose();
                } else {
                    self.breaker.cut(allowed - written);
                }
                Poll::Ready(Ok(written))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
