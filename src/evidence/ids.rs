//! The identities of records, so that a record that was written twice counts once.
//!
//! For each record, its hash and the group that it was counted in are kept, by the first byte of the
//! hash. Above a limit they move to a temporary file, and repetitions are found one byte at a time.
//! Memory then holds one part in 256 of what is on disk for each processor, whatever the number of
//! records.
//!
//! Invariant: identities are compared by 128 bits of two seeded hashes. Over a billion records, two
//! different ones are confused less than once in 10^24 runs, even if somebody chooses the
//! identities.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;

use crate::source::disk::unnamed;
use crate::source::parallel;

/// The number of entries that each thread keeps in memory.
const IN_MEMORY: usize = 1 << 18;
/// Size of an entry in the file, in bytes.
const SIZE: usize = 20;
const PARTS: usize = 256;
/// Size of what is written at a time, in bytes.
const WRITTEN: usize = 1 << 16;
/// The number of parts that are looked through before what they repeat is told, and the number of
/// these that one thread takes at a time.
const AT_ONCE: usize = 32;
const TAKEN: usize = 4;

/// The seeds of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Seeds([RandomState; 2]);

/// The hash of an identity, and the group that its record was counted in.
type Entry = ([u64; 2], u32);

/// The identities that one thread has seen.
#[derive(Debug)]
pub(super) struct Ids {
    /// The entries by the first byte of their hashes.
    parts: Vec<Vec<Entry>>,
    held: usize,
    most: usize,
    spilled: Option<Spilled>,
}

/// Entries in an anonymous file.
#[derive(Debug)]
struct Spilled {
    file: File,
    /// The start and the number of the entries of each first byte, once for each time that memory
    /// was written out.
    runs: Vec<Vec<(u64, usize)>>,
    end: u64,
}

impl Seeds {
    /// The hash of a number and of texts, which are told apart only if none of them is the start
    /// of another.
    pub(super) fn hash<'t>(
        &self,
        number: usize,
        texts: impl Iterator<Item = &'t [u8]>,
    ) -> [u64; 2] {
        let Self([one, other]) = self;
        let (mut one, mut other) = (one.build_hasher(), other.build_hasher());
        one.write_usize(number);
        other.write_usize(number);
        for text in texts {
            one.write(text);
            other.write(text);
        }
        [one.finish(), other.finish()]
    }

    /// The hash of an identity; `None` if it is empty.
    pub(super) fn identity(&self, id: &[u8]) -> Option<[u64; 2]> {
        (!id.is_empty()).then(|| self.hash(id.len(), [id].into_iter()))
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::holding(IN_MEMORY)
    }
}

impl Ids {
    fn holding(most: usize) -> Self {
        Self { parts: vec![Vec::new(); PARTS], held: 0, most, spilled: None }
    }

    /// Adds the hash of the identity of a record.
    pub(super) fn add(&mut self, hash: [u64; 2], group: u32) -> io::Result<()> {
        let [first, _] = hash;
        if let Some(part) = self.parts.get_mut(usize::from(first.to_be_bytes()[0])) {
            part.push((hash, group));
        }
        self.held += 1;
        if self.held < self.most { Ok(()) } else { self.spill() }
    }

    fn spill(&mut self) -> io::Result<()> {
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(Spilled { file: unnamed()?, runs: Vec::new(), end: 0 }),
        };
        let mut run = Vec::with_capacity(PARTS);
        let mut bytes = Vec::with_capacity(2 * WRITTEN);
        for part in &mut self.parts {
            run.push((spilled.end, part.len()));
            spilled.end += (part.len() * SIZE) as u64;
            for ([one, other], group) in part.drain(..) {
                bytes.extend_from_slice(&one.to_le_bytes());
                bytes.extend_from_slice(&other.to_le_bytes());
                bytes.extend_from_slice(&group.to_le_bytes());
            }
            if bytes.len() >= WRITTEN {
                spilled.file.write_all(&bytes)?;
                bytes.clear();
            }
        }
        spilled.file.write_all(&bytes)?;
        spilled.runs.push(run);
        self.held = 0;
        Ok(())
    }

    /// The number of the entries of a part.
    fn count(&self, part: usize) -> usize {
        let runs = self.spilled.iter().flat_map(|spilled| &spilled.runs);
        let spilled: usize = runs.filter_map(|run| run.get(part)).map(|(_, count)| count).sum();
        spilled + self.parts.get(part).map_or(0, Vec::len)
    }

    /// Adds the entries of a part to a list.
    fn read(&mut self, part: usize, found: &mut Search) -> io::Result<()> {
        let Search { entries, bytes, .. } = found;
        entries.append(&mut self.parts.get_mut(part).map(std::mem::take).unwrap_or_default());
        let Some(Spilled { file, runs, .. }) = &mut self.spilled else { return Ok(()) };
        for (start, count) in runs.iter().filter_map(|run| run.get(part)) {
            bytes.resize(count * SIZE, 0);
            file.seek(SeekFrom::Start(*start))?;
            file.read_exact(bytes)?;
            let (all, _) = bytes.as_chunks::<SIZE>();
            entries.extend(all.iter().map(|[a, b, c, d, e, f, g, h, hash @ .., i, j, k, l]| {
                let one = u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                ([one, u64::from_le_bytes(*hash)], u32::from_le_bytes([*i, *j, *k, *l]))
            }));
        }
        Ok(())
    }
}

/// Calls `repeated` with the groups of the records that share an identity.
pub(super) fn repetitions(threads: Vec<Ids>, mut repeated: impl FnMut(&[u32])) -> io::Result<()> {
    let threads: Vec<Mutex<Ids>> = threads.into_iter().map(Mutex::new).collect();
    let of_parts = |parts: &[usize]| -> io::Result<Vec<Vec<u32>>> {
        let mut search = Search::default();
        let mut found = Vec::new();
        for part in parts {
            search.entries.clear();
            search.entries.reserve(threads.iter().map(|ids| lock(ids).count(*part)).sum());
            for ids in &threads {
                lock(ids).read(*part, &mut search)?;
            }
            found.extend(search.repeated());
        }
        Ok(found)
    };
    let parts: Vec<usize> = (0..PARTS).collect();
    for parts in parts.chunks(AT_ONCE) {
        for groups in parallel::map(parts.chunks(TAKEN).collect(), 1, of_parts) {
            groups?.iter().for_each(|group| repeated(group));
        }
    }
    Ok(())
}

fn lock(ids: &Mutex<Ids>) -> MutexGuard<'_, Ids> {
    ids.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The entries of a part, with the room for looking through them, which serves one part after
/// another.
#[derive(Default)]
struct Search {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    /// Positions of entries, from 1, by their hashes.
    table: Vec<u32>,
}

impl Search {
    /// The groups of the entries that share their hash with another.
    fn repeated(&mut self) -> Vec<Vec<u32>> {
        let Self { entries, table, .. } = self;
        let entry = |at: usize| entries.get(at).copied().unwrap_or_default();
        let hash = |at: usize| entry(at).0;
        // Nearly all are different, which a table of positions shows faster than sorting.
        table.clear();
        table.resize((2 * entries.len()).next_power_of_two(), 0);
        let mut repeated = Vec::new();
        for at in 0..entries.len() {
            #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash do")]
            let mut slot = hash(at)[1] as usize;
            loop {
                slot &= table.len() - 1;
                match table.get_mut(slot) {
                    None => break,
                    Some(free @ 0) => {
                        *free = u32::try_from(at + 1).expect("fewer than fit into memory");
                        break;
                    }
                    Some(known) if hash(*known as usize - 1) == hash(at) => {
                        repeated.extend([*known as usize - 1, at]);
                        break;
                    }
                    Some(_) => slot += 1,
                }
            }
        }
        repeated.sort_unstable_by_key(|at| (hash(*at), *at));
        repeated.dedup();
        let groups = repeated.chunk_by(|one, other| hash(*one) == hash(*other));
        groups.map(|group| group.iter().map(|at| entry(*at).1).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_found_in_memory_on_disk_and_between_threads() {
        for most in [usize::MAX, 100, 7] {
            let seeds = Seeds::default();
            let mut threads = [Ids::holding(most), Ids::holding(most)];
            let identity = |id: &str| seeds.identity(id.as_bytes()).unwrap();
            for number in 0..1_000_u32 {
                let thread = &mut threads[usize::from(number % 3 == 0)];
                thread.add(identity(&format!("record {number}")), number).unwrap();
            }
            for number in [3, 500, 999] {
                threads[0].add(identity(&format!("record {number}")), 7_000 + number).unwrap();
            }
            threads[1].add(identity("record 500"), 9_000).unwrap();
            let in_memory = |ids: &Ids| ids.parts.iter().map(Vec::len).sum::<usize>();
            assert!(threads.iter().all(|ids| in_memory(ids) < most), "{most}");
            let mut found: Vec<Vec<u32>> = Vec::new();
            repetitions(threads.into(), |same| {
                let mut groups = same.to_vec();
                groups.sort_unstable();
                found.push(groups);
            })
            .unwrap();
            found.sort();
            assert_eq!(
                found,
                [vec![3, 7_003], vec![500, 7_500, 9_000], vec![999, 7_999]],
                "{most}"
            );
        }
    }
}
