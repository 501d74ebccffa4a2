//! The limits of one complete read of a service.
//!
//! Invariant: a service that never stops answering, or that returns more than it can hold, costs a
//! bounded amount of memory and time, and the error names the limit that was exceeded.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Error;

/// The limits of one read: more than the service can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The kind of objects that are read: `policies`, `teams`.
    pub what: &'static str,
    /// Answers.
    pub pages: usize,
    /// Objects in them.
    pub objects: usize,
    /// Bytes of all answers together, after decompression.
    pub bytes: usize,
    /// JSON values in all answers together, which take more memory than their texts.
    pub values: usize,
    /// The total time of the service's answers, without the waits that it asks for.
    pub time: Duration,
}

/// The remainder of the limits of one read, shared by concurrent calls.
#[derive(Debug)]
pub(super) struct Budget {
    bounds: Bounds,
    left: Mutex<Bounds>,
}

/// The resources that one step of a read used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) pages: usize,
    pub(super) objects: usize,
    pub(super) bytes: usize,
    pub(super) values: usize,
    pub(super) time: Duration,
}

impl Budget {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, left: Mutex::new(bounds) }
    }

    /// The number of bytes that the next answer may have.
    pub(super) fn bytes(&self) -> usize {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Subtracts what a step used; returns an error once a limit is exceeded.
    pub(super) fn take(&self, host: &str, spent: Spent) -> Result<(), Error> {
        let Spent { pages, objects, bytes, values, time } = spent;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let Bounds {
            what,
            pages: most_pages,
            objects: most_objects,
            bytes: most_bytes,
            values: most_values,
            time: most,
        } = self.bounds;
        let over = |bound: String| Error::Unbounded { host: host.to_owned(), what, bound };
        let less = |left: usize, spent: usize| left.checked_sub(spent);
        left.pages =
            less(left.pages, pages).ok_or_else(|| over(format!("{most_pages} answers")))?;
        left.objects =
            less(left.objects, objects).ok_or_else(|| over(format!("{most_objects} objects")))?;
        left.bytes =
            less(left.bytes, bytes).ok_or_else(|| over(format!("{} MiB", most_bytes >> 20)))?;
        left.values =
            less(left.values, values).ok_or_else(|| over(format!("{most_values} values")))?;
        left.time = left
            .time
            .checked_sub(time)
            .ok_or_else(|| over(format!("{} s of answers", most.as_secs())))?;
        Ok(())
    }

    /// The error for an answer that is larger than the remainder.
    pub(super) fn over_bytes(&self, host: &str) -> Error {
        let bound = format!("{} MiB", self.bounds.bytes >> 20);
        Error::Unbounded { host: host.to_owned(), what: self.bounds.what, bound }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Bounds, Budget, Spent};

    #[test]
    fn each_bound_ends_a_read_and_is_named() {
        let seconds = Duration::from_secs;
        let bounds = Bounds {
            what: "teams",
            pages: 3,
            objects: 10,
            bytes: 2 << 20,
            values: 50,
            time: seconds(6),
        };
        let table = [
            (Spent { pages: 1, ..Spent::default() }, 3, "3 answers"),
            (Spent { objects: 5, ..Spent::default() }, 2, "10 objects"),
            (Spent { bytes: 1 << 20, ..Spent::default() }, 2, "2 MiB"),
            (Spent { values: 50, ..Spent::default() }, 1, "50 values"),
            (Spent { time: seconds(2), ..Spent::default() }, 3, "6 s of answers"),
            (Spent { bytes: usize::MAX, ..Spent::default() }, 0, "2 MiB"),
        ];
        for (spent, times, bound) in table {
            let budget = Budget::new(bounds);
            for _ in 0..times {
                assert_eq!(budget.take("h", spent), Ok(()), "{spent:?}");
            }
            let error = budget.take("h", spent).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("h gives more teams than the service can hold: over {bound}")
            );
        }
    }
}
