//! Runs the same work on many values, on all processors.

use std::num::NonZero;
use std::sync::{Mutex, OnceLock};
use std::{iter, thread};

/// The largest number of threads; more would only wait for the disk.
const MOST_THREADS: usize = 8;

/// The results of `work` for each item, in order. With fewer than `least` items, one thread is
/// used.
///
/// # Panics
/// Panics if `work` panics.
pub fn map<T: Send, R: Send>(items: Vec<T>, least: usize, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let wanted = items.len().div_ceil(least);
    let threads = if wanted < 2 { 1 } else { processors().min(wanted).min(MOST_THREADS) };
    if threads < 2 {
        return items.into_iter().map(work).collect();
    }
    // Items differ much in size, so that each thread takes the next one when it is free.
    let queue = Mutex::new(items.into_iter().enumerate());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let worker = || iter::from_fn(next).map(|(at, item)| (at, work(item))).collect::<Vec<_>>();
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let own = worker();
        own.into_iter()
            .chain(others.into_iter().flat_map(|one| one.join().expect("work does not panic")))
            .collect()
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The number of processors. Asked once, since the system reads several files to answer.
pub fn processors() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

/// The results of both functions, which run concurrently.
///
/// # Panics
/// Panics if one of them panics.
pub fn both<A, B: Send>(one: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> (A, B) {
    thread::scope(|scope| {
        let other = scope.spawn(other);
        (one(), other.join().expect("work does not panic"))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_order_stays() {
        for count in [0, 1, 7, 100] {
            let numbers: Vec<usize> = (0..count).collect();
            assert_eq!(super::map(numbers.clone(), 3, |number| number), numbers);
        }
    }
}
