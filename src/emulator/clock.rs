//! The emulator's clock: the machine's, or a fixed one, moved on by tests without waiting.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A source of times.
#[derive(Debug)]
pub(super) struct Clock {
    fixed: Option<Timestamp>,
    advanced: AtomicI64,
}

impl Clock {
    pub(super) fn new(fixed: Option<Timestamp>) -> Self {
        Self { fixed, advanced: AtomicI64::new(0) }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where the emulator reads the machine's clock")]
    pub(super) fn now(&self) -> Timestamp {
        let seconds = SignedDuration::from_secs(self.advanced.load(Ordering::SeqCst));
        let start = self.fixed.unwrap_or_else(Timestamp::now);
        start.checked_add(seconds).unwrap_or(start)
    }

    /// Moves the clock on, by whole seconds.
    pub(super) fn advance(&self, by: Duration) {
        self.advanced.fetch_add(i64::try_from(by.as_secs()).unwrap_or(0), Ordering::SeqCst);
    }
}
