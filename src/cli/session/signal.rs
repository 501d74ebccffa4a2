//! Being told to stop.
//!
//! Invariant: from [`Signals::listen`] on, neither Ctrl-C nor SIGTERM ends the process by itself.

/// Waits for Ctrl-C or, where there is one, SIGTERM.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    listening: Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on. Where the system does not let it, signals end the process as they always do.
    pub(crate) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self { listening: signal(SignalKind::interrupt()).ok().zip(signal(SignalKind::terminate()).ok()) }
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        match &mut self.listening {
            Some((interrupted, terminated)) => {
                tokio::select! {
                    _ = interrupted.recv() => {}
                    _ = terminated.recv() => {}
                }
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Listens from the first wait on.
    pub(crate) fn listen() -> Self {
        Self {}
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
