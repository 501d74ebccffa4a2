//! Counts of records, made while they are read.
//!
//! Each thread counts by itself; [`merge`] combines the counts. Invariant: the result does not depend on which thread
//! read a record, or when.

use std::collections::BTreeMap;
use std::io;

use super::asked::Asked;
use super::ids::{Ids, Seeds, repetitions};
use super::observation::{Approval, Class, Kind, Mode, Observation, Recorded};
use super::record::Record;
use super::requests::{RequestGroup, Requests, Skipped};

/// A hasher several times faster than that of the standard library. It is seeded in each process, so that nobody can
/// write records whose keys collide. No result depends on the order of its maps.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The counts of one thread.
#[derive(Debug)]
pub(super) struct Gather {
    /// The requests, by the words of their records.
    by_words: HashMap<String, u32>,
    by_text: HashMap<String, u32>,
    asked: Vec<Asked>,
    by_actor: HashMap<String, u32>,
    /// Users and machines.
    actors: Vec<(String, String)>,
    by_key: HashMap<(u32, u32, u8), u32>,
    cells: Vec<Counted>,
    pub(super) ids: Ids,
    skipped: Skipped,
    words: String,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    asked: u32,
    actor: u32,
    recorded: Recorded,
    count: u64,
    first: Option<i64>,
    last: Option<i64>,
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

    /// Counts a record, or the records of a page. Any other value counts as broken, and `broken` receives the reason.
    ///
    /// # Errors
    ///
    /// Returns an error if a temporary file cannot be written.
    pub(super) fn add(&mut self, record: Record<'_>, broken: &mut impl FnMut(&'static str)) -> io::Result<()> {
        if let Some(events) = record.events {
            for event in events {
                self.add(event, broken)?;
            }
            return Ok(());
        }
        match Class::of(record) {
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

    /// Counts a line that is not a record.
    pub(super) fn add_broken(&mut self) {
        self.skipped.broken += 1;
    }

    fn count(&mut self, seen: &Observation<'_>) -> io::Result<()> {
        let (asked, actor) = (self.asked_of(seen), self.actor_of(seen));
        let key = (asked, actor, seen.recorded.number());
        let at = *self.by_key.entry(key).or_insert_with(|| {
            let number = u32::try_from(self.cells.len()).expect("fewer cells than fit into memory");
            self.cells.push(Counted { asked, actor, recorded: seen.recorded, count: 0, first: None, last: None });
            number
        });
        if let Some(cell) = self.cells.get_mut(at as usize) {
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
        let asked = Asked::of(seen);
        let number = *self.by_text.entry(asked.text.clone()).or_insert_with(|| {
            let number = u32::try_from(self.asked.len()).expect("fewer requests than fit into memory");
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

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The key of a cell: request, user, machine and decision.
type Key = (String, String, String, u8);

/// The counts of all threads.
///
/// # Errors
///
/// Returns an error if a temporary file cannot be read.
pub(super) fn merge(mut threads: Vec<Gather>) -> io::Result<Requests> {
    let mut skipped = Skipped::default();
    let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
    let mut keys: HashMap<Key, usize> = HashMap::default();
    let mut cells: Vec<(Key, RequestGroup)> = Vec::new();
    let mut numbers: Vec<Vec<usize>> = Vec::new();
    for gather in &mut threads {
        skipped.add(gather.skipped);
        let mut own = Vec::with_capacity(gather.cells.len());
        for cell in &gather.cells {
            let Some(request) = gather.asked.get(cell.asked as usize) else { continue };
            let Some((user, machine)) = gather.actors.get(cell.actor as usize) else { continue };
            let key = (request.text.clone(), user.clone(), machine.clone(), cell.recorded.number());
            let at = *keys.entry(key.clone()).or_insert(cells.len());
            if at == cells.len() {
                cells.push((key, RequestGroup::new(cell.recorded)));
            }
            if let Some((_, merged)) = cells.get_mut(at) {
                merged.count = merged.count.saturating_add(cell.count);
                merged.first = earlier(merged.first, cell.first);
                merged.last = merged.last.max(cell.last);
            }
            own.push(at);
        }
        numbers.push(own);
        asked.extend(std::mem::take(&mut gather.asked).into_iter().map(|one| (one.text.clone(), one)));
    }
    let mut ids: Vec<Ids> = threads.into_iter().map(|gather| gather.ids).collect();
    repetitions(&mut ids, |same| {
        let places = same.iter().filter_map(|(thread, cell)| numbers.get(*thread)?.get(*cell as usize).copied());
        let mut places: Vec<usize> = places.collect();
        // The record that counts: the outcome of an approval rather than the question; otherwise the smallest by its
        // content, since the order of reading is arbitrary.
        let rank = |at: &usize| {
            cells.get(*at).map(|(key, cell)| {
                let pending = cell.recorded == Recorded::Approval(Approval::Pending);
                (pending, key.clone())
            })
        };
        places.sort_by_cached_key(rank);
        let kept = places.first().and_then(|at| cells.get(*at)).map(|(_, cell)| cell.recorded);
        for at in places.iter().skip(1) {
            let Some((_, cell)) = cells.get_mut(*at) else { continue };
            cell.count = cell.count.saturating_sub(1);
            match (kept, cell.recorded) {
                (Some(Recorded::Approval(kept)), Recorded::Approval(own)) if kept != own => skipped.resolution += 1,
                _ => skipped.duplicate += 1,
            }
        }
    })?;
    let cells = cells.into_iter().filter(|(_, cell)| cell.count > 0);
    Ok(Requests::new(asked, cells.map(|((text, user, machine, _), cell)| (text, user, machine, cell)), skipped))
}
