//! The looks at policies before the steps of a phase: steps of one policy share them.
//!
//! Invariant: a step is compared with an answer that came at most [`FRESH`] before, and after all
//! earlier phases. What happens to its object in that time is in the `old` of the answer to the
//! step. A policy is read while the last steps of others are on their way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::{LivePolicy, PolicyId};
use crate::service::docker::{Error, Reader};

/// The age up to which an answer serves further steps.
const FRESH: Duration = Duration::from_secs(1);

/// A policy as it was read, or its absence.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) policy: Option<Arc<LivePolicy>>,
    /// The time of the answer, by the clock of the reader.
    at: Duration,
}

/// The last read of each policy in this phase. Steps that need one at the same time wait for one
/// call.
#[derive(Debug, Default)]
pub(super) struct Reads(Mutex<BTreeMap<PolicyId, Arc<tokio::sync::Mutex<Option<Read>>>>>);

impl Reads {
    /// Forgets what was read.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A fresh read of a policy, and another one than a read that is doubted.
    pub(super) async fn policy(
        &self,
        reader: &Reader,
        id: &PolicyId,
        doubted: Option<&Read>,
    ) -> Result<Read, Error> {
        let slot = Arc::clone(
            self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id.clone()).or_default(),
        );
        let mut last = slot.lock().await;
        let serves = |read: &Read| {
            reader.passed().saturating_sub(read.at) <= FRESH
                && doubted.is_none_or(|doubted| read.at > doubted.at)
        };
        if let Some(read) = last.as_ref().filter(|read| serves(read)) {
            return Ok(read.clone());
        }
        let policy = reader.policy(id).await?.map(Arc::new);
        Ok(last.insert(Read { policy, at: reader.passed() }).clone())
    }
}
