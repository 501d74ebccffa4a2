//! The same work on many values, on all processors.

use std::num::NonZero;
use std::thread;

/// The most threads; more of them only wait for the disk.
const MOST_THREADS: usize = 8;

/// What `work` makes of each item, in their order. Fewer than `least` items are not worth a thread.
///
/// # Panics
/// When `work` does.
pub(crate) fn map<T: Send, R: Send>(items: Vec<T>, least: usize, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let share = items.len().div_ceil(threads).max(least);
    if items.len() <= share {
        return items.into_iter().map(work).collect();
    }
    let mut items = items.into_iter();
    let shares =
        std::iter::from_fn(|| Some(items.by_ref().take(share).collect::<Vec<T>>()).filter(|one| !one.is_empty()));
    let work = &work;
    thread::scope(|scope| {
        let workers: Vec<_> =
            shares.map(|share| scope.spawn(move || share.into_iter().map(work).collect::<Vec<R>>())).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("work does not panic")).collect()
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
