//! Signals to stop.
//!
//! Invariant: after [`Signals::listen`], neither Ctrl-C nor SIGTERM ends the process by itself.

/// Waits for Ctrl-C or, if the system has it, SIGTERM.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    listening: Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on. If the system does not permit it, signals end the process as usual.
    pub(crate) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            listening: signal(SignalKind::interrupt())
                .ok()
                .zip(signal(SignalKind::terminate()).ok()),
        }
    }

    /// Waits for the next signal.
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

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
