//! The emulator's clock: the program's own, which tests advance without waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// A clock that can be advanced.
#[derive(Debug)]
pub(super) struct Clock {
    source: crate::service::http::Clock,
    advanced: AtomicU64,
}

impl Clock {
    pub(super) fn new(source: crate::service::http::Clock) -> Self {
        Self { source, advanced: AtomicU64::new(0) }
    }

    pub(super) fn now(&self) -> Timestamp {
        let advanced = Duration::from_secs(self.advanced.load(Ordering::SeqCst));
        self.source.now().saturating_add(advanced).unwrap_or(Timestamp::MAX)
    }

    /// Advances the clock by whole seconds.
    pub(super) fn advance(&self, by: Duration) {
        self.advanced.fetch_add(by.as_secs(), Ordering::SeqCst);
    }
}
