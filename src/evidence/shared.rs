//! The tables that the threads share while they count records, so that each request and each group
//! is held once.
//!
//! Invariant: a table is divided into parts, each behind a lock of its own, and no thread holds two.

use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ids::Seeds;
use super::observation::RecordedDecision;
use super::words::Words;

/// A hasher several times faster than that of the standard library. It is seeded in each process,
/// so that nobody can write records whose keys collide. No result depends on the order of its maps.
pub(super) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The number of parts of a shared table, so that threads seldom wait for each other.
pub(super) const PARTS: usize = 64;

/// Values by hashes of 128 bits, which stand for what they are of: as with identities, two different
/// texts are never confused.
pub(super) type Hashed<V> = std::collections::HashMap<[u64; 2], V, BuildHasherDefault<AsHashed>>;

/// Takes hashes as they are.
#[derive(Debug, Default)]
pub(super) struct AsHashed(u64);

impl Hasher for AsHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // The length of a list of hashes comes first, and then all of them at once.
        if let Some(last) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*last);
        }
    }
}

/// The tables of all threads.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) seeds: Seeds,
    pub(super) requests: Numbers<Words>,
    /// Users and machines.
    pub(super) actors: Numbers<(String, String)>,
    pub(super) groups: Groups,
    pub(super) lines: Lines,
}

/// The subjects of lines that any thread has read, by the hashes of the lines.
#[derive(Debug)]
pub(super) struct Lines(Parts<Hashed<Known>>);

/// A table in parts.
type Parts<M> = [Mutex<M>; PARTS];

/// The numbers of distinct keys.
#[derive(Debug)]
pub(super) struct Numbers<K> {
    parts: Parts<HashMap<K, u32>>,
    next: Next,
}

/// The groups of records.
#[derive(Debug)]
pub(super) struct Groups {
    parts: Parts<HashMap<Key, Counts>>,
    next: Next,
}

/// The next number of several threads.
#[derive(Debug, Default)]
struct Next(AtomicUsize);

/// A record, or several that were aggregated.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) key: Key,
    pub(super) count: u64,
    /// As in [`Counts`].
    pub(super) times: (i64, i64),
    /// The hash of its identity.
    pub(super) identity: Option<[u64; 2]>,
}

/// The subject of a line, without who asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// The number of a request, and the decision on it.
    Decision(u32, RecordedDecision),
    NotADecision,
    NotEnforced,
}

/// The identity of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The number of the request.
    pub(super) asked: u32,
    /// The number of who asked.
    pub(super) actor: u32,
    pub(super) recorded: RecordedDecision,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { asked, actor, recorded } = self;
        // One step for all of it. Few decisions are on the same request of the same user.
        state.write_u64(u64::from(*asked) << 32 | u64::from(*actor));
        state.write_u8(match recorded {
            RecordedDecision::Allow => 0,
            RecordedDecision::Deny(_) => 1,
            RecordedDecision::Approval(_) => 2,
        });
    }
}

impl Key {
    /// The part of the table that holds the group. Numbers follow each other, so that a product
    /// spreads them.
    pub(super) fn part(&self) -> usize {
        let mixed = (self.asked ^ self.actor.rotate_left(16)).wrapping_mul(0x9e37_79b1);
        mixed as usize >> (u32::BITS - PARTS.ilog2())
    }
}

/// The times of records of which none has a time.
pub(super) const NO_TIME: (i64, i64) = (i64::MAX, i64::MIN);

/// The counts of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    /// Its number, which no other group has.
    pub(super) number: u32,
    pub(super) count: u64,
    /// The time of the first and of the last record. The last precedes the first if there is none.
    first: i64,
    last: i64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of a table that holds a key.
fn part_of(key: &impl Hash) -> usize {
    let hash = foldhash::fast::FixedState::default().hash_one(key);
    usize::from(hash.to_le_bytes()[0]) % PARTS
}

fn parts<M: Default>() -> Parts<M> {
    std::array::from_fn(|_| Mutex::default())
}

impl Next {
    fn take(&self) -> u32 {
        u32::try_from(self.0.fetch_add(1, Ordering::Relaxed)).expect("fewer than fit into memory")
    }
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self { parts: parts(), next: Next::default() }
    }
}

impl<K: Hash + Eq + Clone> Numbers<K> {
    /// The number of a key: the next one if the key is new.
    pub(super) fn of(&self, key: &K) -> u32 {
        let Some(part) = self.parts.get(part_of(key)) else { return 0 };
        let mut part = lock(part);
        if let Some(number) = part.get(key) {
            return *number;
        }
        let number = self.next.take();
        part.insert(key.clone(), number);
        number
    }

    pub(super) fn len(&self) -> usize {
        self.next.0.load(Ordering::Relaxed)
    }

    /// The keys by their numbers.
    pub(super) fn into_keys(self) -> Vec<K> {
        let mut keys: Vec<Option<K>> = (0..self.len()).map(|_| None).collect();
        for (key, number) in self.parts.into_iter().flat_map(into_inner) {
            if let Some(place) = keys.get_mut(number as usize) {
                *place = Some(key);
            }
        }
        // The same memory serves the keys without their options.
        keys.into_iter().map(|key| key.expect("each number is of a key")).collect()
    }
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Lines {
    fn default() -> Self {
        Self(parts())
    }
}

impl Lines {
    fn part(&self, [hash, _]: &[u64; 2]) -> Option<&Mutex<Hashed<Known>>> {
        // Tables use the other bits.
        self.0.get(usize::from(hash.to_le_bytes()[3]) % PARTS)
    }

    pub(super) fn get(&self, hash: &[u64; 2]) -> Option<Known> {
        lock(self.part(hash)?).get(hash).copied()
    }

    pub(super) fn insert(&self, hash: [u64; 2], known: Known) {
        if let Some(part) = self.part(&hash) {
            lock(part).insert(hash, known);
        }
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self { parts: parts(), next: Next::default() }
    }
}

impl Groups {
    /// Counts records whose groups are in one part, and tells the numbers of these.
    pub(super) fn count(&self, at: usize, records: &[Waiting], numbers: &mut Vec<u32>) {
        let Some(part) = self.parts.get(at) else { return };
        let mut part = lock(part);
        numbers.extend(records.iter().map(|record| {
            let counts = part.entry(record.key).or_insert_with(|| Counts::new(self.next.take()));
            counts.add(record.count, record.times);
            counts.number
        }));
    }

    /// The groups of each part.
    pub(super) fn into_parts(self) -> Vec<HashMap<Key, Counts>> {
        self.parts.into_iter().map(into_inner).collect()
    }
}

impl Counts {
    fn new(number: u32) -> Self {
        let (first, last) = NO_TIME;
        Self { number, count: 0, first, last }
    }

    fn add(&mut self, count: u64, (first, last): (i64, i64)) {
        self.count = self.count.saturating_add(count);
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }

    /// The time of the first and of the last record.
    pub(super) fn times(&self) -> Option<(i64, i64)> {
        (self.first <= self.last).then_some((self.first, self.last))
    }
}
