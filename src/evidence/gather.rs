//! Counts of records, made while they are read.
//!
//! A thread keeps to itself what it knows of lines: nearly all are about what earlier ones were
//! about, and need no look-up of their words.

use std::io;

use super::ids::Ids;
use super::observation::{Class, Observation};
use super::record::Record;
use super::requests::Skipped;
use super::shapes::{Alike, Unusual};
use super::shared::{Hashed, Key, Known, NO_TIME, PARTS, Shared, Waiting};
use super::time::Clock;
use super::words::Words;

/// The number of hashes that are kept beside four for each request or actor.
const KNOWN: usize = 1 << 16;
/// The number of records that are counted in one part at a time. Each waits for memory; in a row, the
/// processor begins the next ones meanwhile.
const AT_ONCE: usize = 32;

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
