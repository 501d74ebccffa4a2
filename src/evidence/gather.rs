//! Counts of records, made while they are read.
//!
//! Threads number requests and those who asked, and count groups, in tables that they share, so that
//! each is held once. A thread keeps to itself what it knows of lines: nearly all are about what
//! earlier ones were about, and need no look-up of their words.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::asked::Asked;
use super::ids::{Ids, Seeds};
use super::observation::{Class, Kind, Mode, Observation, RecordedDecision};
use super::record::Record;
use super::requests::Skipped;
use super::shapes::{Alike, Unusual};
use super::time::Clock;

/// A hasher several times faster than that of the standard library. It is seeded in each process,
/// so that nobody can write records whose keys collide. No result depends on the order of its maps.
pub(super) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The number of hashes that are kept beside four for each request or actor.
const KNOWN: usize = 1 << 16;
/// The number of parts of a shared table, so that threads seldom wait for each other.
const PARTS: usize = 64;
/// The number of records that are counted in one part at a time. Each waits for memory; in a row, the
/// processor begins the next ones meanwhile.
const AT_ONCE: usize = 32;

/// Values by hashes of 128 bits, which stand for what they are of: as with identities, two different
/// texts are never confused.
type Hashed<V> = std::collections::HashMap<[u64; 2], V, BuildHasherDefault<AsHashed>>;

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
    lines: Lines,
}

/// The subjects of lines that any thread has read, by the hashes of the lines.
#[derive(Debug)]
struct Lines(Parts<Hashed<Known>>);

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

/// The counts of one thread.
#[derive(Debug)]
pub(super) struct Gather<'s> {
    shared: &'s Shared,
    /// The subjects of lines, by the hashes of the lines.
    by_line: Hashed<Known>,
    /// The users and machines, by the hashes of lines.
    by_names: Hashed<u32>,
    /// Records that are not yet counted, by the part that their group is in.
    waiting: Vec<Vec<Waiting>>,
    /// The numbers of the groups of some of them.
    numbers: Vec<u32>,
    ids: Ids,
    skipped: Skipped,
    words: Words,
    actor: (String, String),
    clock: Clock,
}

/// A record, or several that were aggregated.
#[derive(Debug)]
struct Waiting {
    key: Key,
    count: u64,
    /// As in [`Counts`].
    times: (i64, i64),
    /// The hash of its identity.
    identity: Option<[u64; 2]>,
}

/// The subject of a line, without who asked.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// The number of a request, and the decision on it.
    Decision(u32, RecordedDecision),
    NotADecision,
    NotEnforced,
}

/// A line that a shape matches, as it is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// The position of the line among those of its chunk, and where it starts there.
    pub(super) at: usize,
    pub(super) start: usize,
    /// The hashes of the texts that name users and machines, and of all others but the identity and
    /// the time.
    names: [u64; 2],
    others: [u64; 2],
    identity: Option<[u64; 2]>,
    time: Option<i64>,
}

/// The words of a record that say what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Words {
    kind: Kind,
    mode: Option<Mode>,
    /// Resource, protocol, method, host, port and path in a row.
    text: String,
    /// The end of each of them.
    ends: [u32; 6],
}

impl Words {
    fn new() -> Self {
        Self { kind: Kind::Connect, mode: None, text: String::new(), ends: [0; 6] }
    }

    fn set(&mut self, seen: &Observation<'_>) {
        (self.kind, self.mode) = (seen.kind, seen.mode);
        self.text.clear();
        let is_network = matches!(seen.kind, Kind::Connect | Kind::Http);
        let parts =
            [&seen.resource, &seen.protocol, &seen.method, &seen.host, &seen.port, &seen.path];
        for (at, (part, end)) in parts.into_iter().zip(&mut self.ends).enumerate() {
            if at == 0 || is_network {
                self.text.push_str(part);
            }
            *end = u32::try_from(self.text.len()).expect("a record is shorter");
        }
    }

    /// The request in the engine's terms.
    pub(super) fn asked(&self) -> Asked {
        let mut start = 0;
        let [resource, protocol, method, host, port, path] = self.ends.map(|end| {
            let part = self.text.get(start as usize..end as usize).unwrap_or_default();
            start = end;
            Cow::Borrowed(part)
        });
        Asked::from_observation(&Observation {
            kind: self.kind,
            mode: self.mode,
            resource,
            protocol,
            method,
            host,
            port,
            path,
            recorded: RecordedDecision::Allow,
            user: Cow::Borrowed(""),
            machine: Cow::Borrowed(""),
            id: Cow::Borrowed(""),
            count: 1,
            first: None,
            last: None,
        })
    }
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
    fn part(&self) -> usize {
        let mixed = (self.asked ^ self.actor.rotate_left(16)).wrapping_mul(0x9e37_79b1);
        mixed as usize >> (u32::BITS - PARTS.ilog2())
    }
}

/// The times of records of which none has a time.
const NO_TIME: (i64, i64) = (i64::MAX, i64::MIN);

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
    fn of(&self, key: &K) -> u32 {
        let Some(part) = self.parts.get(part_of(key)) else { return 0 };
        let mut part = lock(part);
        if let Some(number) = part.get(key) {
            return *number;
        }
        let number = self.next.take();
        part.insert(key.clone(), number);
        number
    }

    fn len(&self) -> usize {
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
        keys.into_iter().flatten().collect()
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

    fn get(&self, hash: &[u64; 2]) -> Option<Known> {
        lock(self.part(hash)?).get(hash).copied()
    }

    fn insert(&self, hash: [u64; 2], known: Known) {
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
    fn count(&self, at: usize, records: &[Waiting], numbers: &mut Vec<u32>) {
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

impl<'s> Gather<'s> {
    pub(super) fn new(shared: &'s Shared) -> Self {
        Self {
            shared,
            by_line: Hashed::default(),
            by_names: Hashed::default(),
            waiting: std::iter::repeat_with(Vec::new).take(PARTS).collect(),
            numbers: Vec::new(),
            ids: Ids::default(),
            skipped: Skipped::default(),
            words: Words::new(),
            actor: Default::default(),
            clock: Clock::default(),
        }
    }

    /// The identities of the records and what was skipped, after all is counted.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub(super) fn finish(mut self) -> io::Result<(Ids, Skipped)> {
        (0..PARTS).try_for_each(|part| self.count_waiting(part))?;
        Ok((self.ids, self.skipped))
    }

    /// Counts a record, or the records of a page. Any other value counts as broken, and `broken`
    /// receives the reason.
    ///
    /// # Errors
    ///
    /// Returns an error if a temporary file cannot be written.
    pub(super) fn add(
        &mut self,
        record: Record<'_>,
        broken: &mut impl FnMut(&'static str),
    ) -> io::Result<()> {
        if let Some(events) = record.events {
            for event in events {
                self.add(event, broken)?;
            }
            return Ok(());
        }
        match Class::from_record(record) {
            Class::Decision(seen) => self.add_decision(&seen).map(drop),
            class @ (Class::NotADecision | Class::NotEnforced | Class::Broken(_)) => {
                self.skip(&class, broken);
                Ok(())
            }
        }
    }

    /// Counts what is no decision.
    fn skip(&mut self, class: &Class<'_>, broken: &mut impl FnMut(&'static str)) {
        match class {
            Class::Decision(_) => {}
            Class::NotADecision => self.skipped.not_a_decision += 1,
            Class::NotEnforced => self.skipped.not_enforced += 1,
            Class::Broken(why) => {
                self.add_broken();
                broken(why);
            }
        }
    }

    /// The part of a line that is counted, with its position and its start.
    pub(super) fn mark(
        &mut self,
        alike: &Alike<'_, '_>,
        (at, start): (usize, usize),
    ) -> Result<Mark, Unusual> {
        let time = match alike.time()? {
            [] => None,
            text => Some(self.clock.utc(text).ok_or(Unusual)?),
        };
        Ok(Mark {
            at,
            start,
            names: alike.hash_of_names(),
            others: alike.hash_of_others(),
            identity: self.shared.seeds.identity(alike.identity()?),
            time,
        })
    }

    /// Counts the lines that earlier ones were like, and returns the others.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub(super) fn count_known(&mut self, marks: &[Mark]) -> io::Result<Vec<Mark>> {
        // Each look-up waits for memory, as in [`AT_ONCE`].
        let about: Vec<Option<Known>> =
            marks.iter().map(|mark| self.by_line.get(&mark.others).copied()).collect();
        let mut unknown = Vec::new();
        for (mark, about) in marks.iter().zip(about) {
            let about = about.or_else(|| self.known_to_others(mark));
            match (about, self.by_names.get(&mark.names)) {
                (Some(Known::NotADecision), _) => self.skipped.not_a_decision += 1,
                (Some(Known::NotEnforced), _) => self.skipped.not_enforced += 1,
                (Some(Known::Decision(asked, recorded)), Some(actor)) => self.count(Waiting {
                    key: Key { asked, actor: *actor, recorded },
                    count: 1,
                    times: mark.time.map_or(NO_TIME, |time| (time, time)),
                    identity: mark.identity,
                })?,
                (Some(Known::Decision(..)), None) | (None, _) => unknown.push(*mark),
            }
        }
        Ok(unknown)
    }

    /// The subject of a line that another thread has read.
    fn known_to_others(&mut self, mark: &Mark) -> Option<Known> {
        let known = self.shared.lines.get(&mark.others)?;
        self.keep(mark, known);
        Some(known)
    }

    /// Keeps the subject of a line.
    fn keep(&mut self, mark: &Mark, known: Known) -> bool {
        // Records may have texts that differ each time, such as reasons with a number.
        let has_room = self.by_line.len() < 4 * self.shared.requests.len() + KNOWN;
        if has_room {
            self.by_line.insert(mark.others, known);
        }
        has_room
    }

    /// Counts a line that a shape matches.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub(super) fn add_alike(
        &mut self,
        alike: &Alike<'_, '_>,
        mark: &Mark,
        broken: &mut impl FnMut(&'static str),
    ) -> io::Result<()> {
        let class = Class::from_record(alike.record());
        self.skip(&class, broken);
        let known = match &class {
            Class::Decision(seen) => {
                let (asked, actor) = self.add_decision(seen)?;
                if self.by_names.len() < 4 * self.shared.actors.len() + KNOWN {
                    self.by_names.insert(mark.names, actor);
                }
                Known::Decision(asked, seen.recorded)
            }
            Class::NotADecision => Known::NotADecision,
            Class::NotEnforced => Known::NotEnforced,
            Class::Broken(_) => return Ok(()),
        };
        if self.keep(mark, known) {
            self.shared.lines.insert(mark.others, known);
        }
        Ok(())
    }

    /// Counts a line that is not a record.
    pub(super) fn add_broken(&mut self) {
        self.skipped.broken += 1;
    }

    /// Counts a decision, and returns its request and its actor.
    fn add_decision(&mut self, seen: &Observation<'_>) -> io::Result<(u32, u32)> {
        let (asked, actor) = (self.asked_of(seen), self.actor_of(seen));
        self.count(Waiting {
            key: Key { asked, actor, recorded: seen.recorded },
            count: seen.count,
            times: seen.first.zip(seen.last).unwrap_or(NO_TIME),
            identity: self.shared.seeds.identity(seen.id.as_bytes()),
        })?;
        Ok((asked, actor))
    }

    /// Counts a record, when there are others of the same part.
    fn count(&mut self, record: Waiting) -> io::Result<()> {
        let part = record.key.part();
        let Some(waiting) = self.waiting.get_mut(part) else { return Ok(()) };
        waiting.push(record);
        if waiting.len() < AT_ONCE { Ok(()) } else { self.count_waiting(part) }
    }

    fn count_waiting(&mut self, part: usize) -> io::Result<()> {
        let Some(waiting) = self.waiting.get_mut(part) else { return Ok(()) };
        self.numbers.clear();
        self.shared.groups.count(part, waiting, &mut self.numbers);
        for (record, group) in waiting.drain(..).zip(&self.numbers) {
            if let Some(identity) = record.identity {
                self.ids.add(identity, *group)?;
            }
        }
        Ok(())
    }

    /// The number of a request.
    fn asked_of(&mut self, seen: &Observation<'_>) -> u32 {
        self.words.set(seen);
        self.shared.requests.of(&self.words)
    }

    fn actor_of(&mut self, seen: &Observation<'_>) -> u32 {
        let (user, machine) = &mut self.actor;
        for (own, text) in [(user, &seen.user), (machine, &seen.machine)] {
            own.clear();
            own.push_str(text.trim());
        }
        self.shared.actors.of(&self.actor)
    }
}

pub(super) fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
