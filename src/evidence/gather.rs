//! Counts of records, made while they are read.
//!
//! Each thread counts by itself; [`merge`](super::merge) combines the counts.

use std::io;

use super::asked::Asked;
use super::ids::{Ids, Seeds};
use super::observation::{Class, Kind, Mode, Observation, Recorded};
use super::record::Record;
use super::requests::{RequestGroup, Skipped};

/// A hasher several times faster than that of the standard library. It is seeded in each process,
/// so that nobody can write records whose keys collide. No result depends on the order of its maps.
pub(super) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The counts of one thread.
#[derive(Debug)]
pub(super) struct Gather {
    /// The requests, by the words of their records.
    by_words: HashMap<String, u32>,
    by_text: HashMap<String, u32>,
    pub(super) asked: Vec<Asked>,
    by_actor: HashMap<String, u32>,
    /// Users and machines.
    pub(super) actors: Vec<(String, String)>,
    by_key: HashMap<(u32, u32, Recorded), u32>,
    pub(super) cells: Vec<Counted>,
    pub(super) ids: Ids,
    pub(super) skipped: Skipped,
    words: String,
}

/// A cell of one thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// Position in [`Gather::asked`].
    pub(super) asked: u32,
    /// Position in [`Gather::actors`].
    pub(super) actor: u32,
    /// The counts; the positions in it are of no list yet.
    pub(super) group: RequestGroup,
}

impl Gather {
    pub(super) fn new(seeds: Seeds) -> Self {
        Self {
            by_words: HashMap::default(),
            by_text: HashMap::default(),
            asked: Vec::new(),
            by_actor: HashMap::default(),
            actors: Vec::new(),
            by_key: HashMap::default(),
            cells: Vec::new(),
            ids: Ids::new(seeds),
            skipped: Skipped::default(),
            words: String::new(),
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
            Class::Decision(seen) => self.count(&seen)?,
            Class::NotADecision => self.skipped.not_a_decision += 1,
            Class::NotEnforced => self.skipped.not_enforced += 1,
            Class::Broken(why) => {
                self.add_broken();
                broken(why);
            }
        }
        Ok(())
    }

    /// Frees what only counting needs.
    pub(super) fn forget_keys(&mut self) {
        self.by_words = HashMap::default();
        self.by_text = HashMap::default();
        self.by_actor = HashMap::default();
        self.by_key = HashMap::default();
    }

    /// Counts a line that is not a record.
    pub(super) fn add_broken(&mut self) {
        self.skipped.broken += 1;
    }

    fn count(&mut self, seen: &Observation<'_>) -> io::Result<()> {
        let (asked, actor) = (self.asked_of(seen), self.actor_of(seen));
        let key = (asked, actor, seen.recorded);
        let at = *self.by_key.entry(key).or_insert_with(|| {
            let number = u32::try_from(self.cells.len()).expect("fewer cells than fit into memory");
            self.cells.push(Counted { asked, actor, group: RequestGroup::new(seen.recorded) });
            number
        });
        if let Some(Counted { group: cell, .. }) = self.cells.get_mut(at as usize) {
            cell.count = cell.count.saturating_add(seen.count);
            cell.first = earlier(cell.first, seen.first);
            cell.last = cell.last.max(seen.last);
        }
        if seen.id.is_empty() { Ok(()) } else { self.ids.add(&seen.id, at) }
    }

    /// The number of a request. A spelling is translated into the engine's terms once.
    fn asked_of(&mut self, seen: &Observation<'_>) -> u32 {
        let words = &mut self.words;
        words.clear();
        words.push(char::from(b'a' + seen.kind as u8));
        words.push(match seen.mode {
            None => ' ',
            Some(Mode::Read) => 'r',
            Some(Mode::Write) => 'w',
        });
        words.push_str(&seen.resource);
        if matches!(seen.kind, Kind::Connect | Kind::Http) {
            for part in [&seen.protocol, &seen.method, &seen.host, &seen.port, &seen.path] {
                words.push('\0');
                words.push_str(part);
            }
        }
        if let Some(number) = self.by_words.get(words.as_str()) {
            return *number;
        }
        let asked = Asked::from_observation(seen);
        let number = *self.by_text.entry(asked.text.clone()).or_insert_with(|| {
            let number =
                u32::try_from(self.asked.len()).expect("fewer requests than fit into memory");
            self.asked.push(asked);
            number
        });
        self.by_words.insert(words.clone(), number);
        number
    }

    fn actor_of(&mut self, seen: &Observation<'_>) -> u32 {
        let words = &mut self.words;
        words.clear();
        words.push_str(&seen.user);
        words.push('\0');
        words.push_str(&seen.machine);
        if let Some(number) = self.by_actor.get(words.as_str()) {
            return *number;
        }
        let number = u32::try_from(self.actors.len()).expect("fewer users than fit into memory");
        self.actors.push((seen.user.trim().to_owned(), seen.machine.trim().to_owned()));
        self.by_actor.insert(words.clone(), number);
        number
    }
}

pub(super) fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
