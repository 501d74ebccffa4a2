//! The emulator's clock, which tests advance without waiting.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// Returns the time.
#[derive(Clone)]
pub(super) struct Source(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Source {
    /// The machine's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the emulator reads the machine's clock"
    )]
    pub(super) fn system() -> Self {
        Self::new(Timestamp::now)
    }

    pub(super) fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

/// A clock that can be advanced.
#[derive(Debug)]
pub(super) struct Clock {
    source: Source,
    advanced: AtomicU64,
}

impl Clock {
    pub(super) fn new(source: Source) -> Self {
        Self { source, advanced: AtomicU64::new(0) }
    }

    pub(super) fn now(&self) -> Timestamp {
        let advanced = Duration::from_secs(self.advanced.load(Ordering::SeqCst));
        (self.source.0)().saturating_add(advanced).unwrap_or(Timestamp::MAX)
    }

    /// Advances the clock by whole seconds.
    pub(super) fn advance(&self, by: Duration) {
        self.advanced.fetch_add(by.as_secs(), Ordering::SeqCst);
    }
}
