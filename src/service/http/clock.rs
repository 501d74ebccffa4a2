//! The only place that reads time and waits, so that tests of waits take no time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Returns the time, and waits.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started: Instant },
    Manual { start: Timestamp, passed: Arc<Mutex<Duration>> },
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// A clock for tests: it starts at this moment and advances only by waits, which return at
    /// once.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual { start, passed: Arc::default() })
    }

    /// The wall time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => Timestamp::now(),
            Source::Manual { start, .. } => {
                start.saturating_add(self.passed()).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// The time since the clock was made. Never goes back.
    #[must_use]
    pub fn passed(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual { passed, .. } => *passed.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Waits.
    pub async fn sleep(&self, wait: Duration) {
        match &self.0 {
            Source::System { .. } => tokio::time::sleep(wait).await,
            Source::Manual { passed, .. } => {
                *passed.lock().unwrap_or_else(PoisonError::into_inner) += wait;
                tokio::task::yield_now().await;
            }
        }
    }
}
