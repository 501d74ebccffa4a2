//! Counts of records, made while they are read.
//!
//! Each thread counts by itself; [`merge`](super::merge) combines the counts.

use std::borrow::Cow;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;

use super::asked::Asked;
use super::ids::{Ids, Seeds};
use super::observation::{Class, Kind, Mode, Observation, RecordedDecision};
use super::record::Record;
use super::requests::Skipped;
use super::shapes::{Alike, Unusual};
use super::time;

/// A hasher several times faster than that of the standard library. It is seeded in each process,
/// so that nobody can write records whose keys collide. No result depends on the order of its maps.
pub(super) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The number of hashes that are kept beside four for each request or actor.
const KNOWN: usize = 1 << 16;

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
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The counts of one thread.
#[derive(Debug)]
pub(super) struct Gather {
    /// The numbers of requests.
    by_words: HashMap<Words, u32>,
    by_actor: HashMap<String, u32>,
    /// Users and machines.
    pub(super) actors: Vec<(String, String)>,
    groups: HashMap<Key, Counts>,
    /// The requests and the decisions on them, by the hashes of lines.
    by_line: Hashed<(u32, RecordedDecision)>,
    /// The users and machines, by the hashes of lines.
    by_names: Hashed<u32>,
    seeds: Seeds,
    pub(super) ids: Ids,
    pub(super) skipped: Skipped,
    words: Words,
    name: String,
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

/// The identity of a group of one thread: the positions of its request in [`Gather::words`] and of who
/// asked in [`Gather::actors`], and the decision.
type Key = (u32, u32, RecordedDecision);

/// The counts of a group.
#[derive(Clone, Copy, Debug)]
struct Counts {
    /// The number of groups made before this one.
    number: u32,
    count: u64,
    /// The last time precedes the first one if there is none.
    first: i64,
    last: i64,
}

/// A group of one thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// Position in [`Gather::words`].
    pub(super) asked: u32,
    /// Position in [`Gather::actors`].
    pub(super) actor: u32,
    pub(super) recorded: RecordedDecision,
    pub(super) count: u64,
    /// The time of the first and of the last record.
    pub(super) times: Option<(i64, i64)>,
}

impl Gather {
    pub(super) fn new(seeds: Seeds) -> Self {
        Self {
            by_words: HashMap::default(),
            by_actor: HashMap::default(),
            actors: Vec::new(),
            groups: HashMap::default(),
            by_line: Hashed::default(),
            by_names: Hashed::default(),
            seeds: seeds.clone(),
            ids: Ids::new(seeds),
            skipped: Skipped::default(),
            words: Words::new(),
            name: String::new(),
        }
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

    /// Counts a record that differs from an earlier one in its texts alone.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub(super) fn add_alike(
        &mut self,
        alike: &Alike<'_, '_>,
        broken: &mut impl FnMut(&'static str),
    ) -> io::Result<()> {
        let time = alike.time().and_then(|text| match text {
            [] => Ok(None),
            text => time::utc(text).map(Some).ok_or(Unusual),
        });
        let (Ok(time), Ok(identity)) = (time, alike.identity()) else {
            return self.add(alike.record(), broken);
        };
        let line = alike.hash_of_others(&self.seeds);
        let names = alike.hash_of_names(&self.seeds);
        let known = (self.by_line.get(&line).copied(), self.by_names.get(&names).copied());
        if let (Some((asked, recorded)), Some(actor)) = known {
            return self.count(asked, actor, recorded, (1, time, time), identity);
        }
        match Class::from_record(alike.record()) {
            Class::Decision(seen) => {
                let (asked, actor) = self.add_decision(&seen)?;
                // Records may have texts that differ each time, such as reasons with a number.
                if self.by_line.len() < 4 * self.by_words.len() + KNOWN {
                    self.by_line.insert(line, (asked, seen.recorded));
                }
                if self.by_names.len() < 4 * self.actors.len() + KNOWN {
                    self.by_names.insert(names, actor);
                }
            }
            class @ (Class::NotADecision | Class::NotEnforced | Class::Broken(_)) => {
                self.skip(&class, broken)
            }
        }
        Ok(())
    }

    /// Frees what only counting needs.
    pub(super) fn forget_keys(&mut self) {
        self.by_line = Hashed::default();
        self.by_names = Hashed::default();
        self.by_actor = HashMap::default();
    }

    /// The words of the requests, by their numbers.
    pub(super) fn words(&mut self) -> Vec<Words> {
        by_number(std::mem::take(&mut self.by_words))
    }

    /// The groups, by their numbers.
    pub(super) fn groups(&mut self) -> Vec<Counted> {
        let mut groups: Vec<(Key, Counts)> = std::mem::take(&mut self.groups).into_iter().collect();
        groups.sort_unstable_by_key(|(_, counts)| counts.number);
        let groups = groups.into_iter().map(|((asked, actor, recorded), counts)| {
            let Counts { number: _, count, first, last } = counts;
            Counted {
                asked,
                actor,
                recorded,
                count,
                times: (first <= last).then_some((first, last)),
            }
        });
        groups.collect()
    }

    /// Counts a line that is not a record.
    pub(super) fn add_broken(&mut self) {
        self.skipped.broken += 1;
    }

    /// Counts a decision, and returns its request and its actor.
    fn add_decision(&mut self, seen: &Observation<'_>) -> io::Result<(u32, u32)> {
        let (asked, actor) = (self.asked_of(seen), self.actor_of(seen));
        let counts = (seen.count, seen.first, seen.last);
        self.count(asked, actor, seen.recorded, counts, seen.id.as_bytes())?;
        Ok((asked, actor))
    }

    fn count(
        &mut self,
        asked: u32,
        actor: u32,
        recorded: RecordedDecision,
        (count, first, last): (u64, Option<i64>, Option<i64>),
        identity: &[u8],
    ) -> io::Result<()> {
        let number = self.groups.len();
        let group = self.groups.entry((asked, actor, recorded)).or_insert_with(|| {
            let number = u32::try_from(number).expect("fewer groups than fit into memory");
            Counts { number, count: 0, first: i64::MAX, last: i64::MIN }
        });
        group.count = group.count.saturating_add(count);
        group.first = group.first.min(first.unwrap_or(i64::MAX));
        group.last = group.last.max(last.unwrap_or(i64::MIN));
        let at = group.number;
        if identity.is_empty() { Ok(()) } else { self.ids.add(identity, at) }
    }

    /// The number of a request.
    fn asked_of(&mut self, seen: &Observation<'_>) -> u32 {
        self.words.set(seen);
        if let Some(number) = self.by_words.get(&self.words) {
            return *number;
        }
        let number =
            u32::try_from(self.by_words.len()).expect("fewer requests than fit into memory");
        self.by_words.insert(self.words.clone(), number);
        number
    }

    fn actor_of(&mut self, seen: &Observation<'_>) -> u32 {
        let name = &mut self.name;
        name.clear();
        name.push_str(&seen.user);
        name.push('\0');
        name.push_str(&seen.machine);
        if let Some(number) = self.by_actor.get(name.as_str()) {
            return *number;
        }
        let number = u32::try_from(self.actors.len()).expect("fewer users than fit into memory");
        self.actors.push((seen.user.trim().to_owned(), seen.machine.trim().to_owned()));
        self.by_actor.insert(name.clone(), number);
        number
    }
}

/// The keys of a map in the order of their numbers.
pub(super) fn by_number<K>(numbers: HashMap<K, u32>) -> Vec<K> {
    let mut keys: Vec<(u32, K)> = numbers.into_iter().map(|(key, number)| (number, key)).collect();
    keys.sort_unstable_by_key(|(number, _)| *number);
    keys.into_iter().map(|(_, key)| key).collect()
}

pub(super) fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
