//! The identities of records, so that a record that was written twice counts once.
//!
//! For each record, its hash and the cell that it was counted in are kept. Above a limit they move
//! to a temporary file, grouped by their first byte, and repetitions are found one byte at a time.
//! Memory then holds one part in 256 of what is on disk, whatever the number of records.
//!
//! Invariant: identities are compared by 128 bits of two seeded hashes. Over a billion records, two
//! different ones are confused less than once in 10^24 runs, even if somebody chooses the
//! identities.

use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};

use foldhash::quality::RandomState;

use crate::source::disk::unnamed;

/// The number of entries that each thread keeps in memory.
const IN_MEMORY: usize = 1 << 18;
/// Size of an entry in the file, in bytes.
const SIZE: usize = 20;
const PARTS: usize = 256;

/// The seeds of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Seeds([RandomState; 2]);

/// The hash of an identity, and the cell that its record was counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    hash: u128,
    pub(super) cell: u32,
}

/// The identities that one thread has seen.
#[derive(Debug)]
pub(super) struct Ids {
    seeds: Seeds,
    held: Vec<Entry>,
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

impl Entry {
    fn part(self) -> usize {
        usize::from((self.hash >> 120) as u8)
    }
}

impl Ids {
    pub(super) fn new(seeds: Seeds) -> Self {
        Self::holding(seeds, IN_MEMORY)
    }

    fn holding(seeds: Seeds, most: usize) -> Self {
        Self { seeds, held: Vec::new(), most, spilled: None }
    }

    /// Adds a record.
    pub(super) fn add(&mut self, id: &str, cell: u32) -> io::Result<()> {
        let Seeds([one, other]) = &self.seeds;
        let hash = u128::from(one.hash_one(id)) << 64 | u128::from(other.hash_one(id));
        self.held.push(Entry { hash, cell });
        if self.held.len() < self.most { Ok(()) } else { self.spill() }
    }

    fn spill(&mut self) -> io::Result<()> {
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(Spilled { file: unnamed()?, runs: Vec::new(), end: 0 }),
        };
        self.held.sort_unstable();
        let mut bytes = Vec::with_capacity(self.held.len() * SIZE);
        let mut run = vec![(0, 0); PARTS];
        for entry in self.held.drain(..) {
            if let Some((start, count)) = run.get_mut(entry.part()) {
                if *count == 0 {
                    *start = spilled.end + bytes.len() as u64;
                }
                *count += 1;
            }
            bytes.extend(entry.hash.to_le_bytes());
            bytes.extend(entry.cell.to_le_bytes());
        }
        spilled.file.write_all(&bytes)?;
        spilled.end += bytes.len() as u64;
        spilled.runs.push(run);
        Ok(())
    }
}

/// Calls `repeated` with the records that share an identity, by thread and cell.
pub(super) fn repetitions(
    threads: &mut [Ids],
    mut repeated: impl FnMut(&[(usize, u32)]),
) -> io::Result<()> {
    for ids in threads.iter_mut() {
        ids.held.sort_unstable();
    }
    for part in 0..PARTS {
        let mut all: Vec<(u128, usize, u32)> = Vec::new();
        for (thread, ids) in threads.iter_mut().enumerate() {
            let from = ids.held.partition_point(|entry| entry.part() < part);
            let own = ids.held.iter().skip(from).take_while(|entry| entry.part() == part);
            all.extend(own.map(|entry| (entry.hash, thread, entry.cell)));
            let Some(Spilled { file, runs, .. }) = &mut ids.spilled else { continue };
            for (start, count) in
                runs.iter().filter_map(|run| run.get(part)).filter(|(_, count)| *count > 0)
            {
                file.seek(SeekFrom::Start(*start))?;
                let mut reader = BufReader::new(&mut *file);
                for _ in 0..*count {
                    let (mut hash, mut cell) = ([0; 16], [0; 4]);
                    reader.read_exact(&mut hash)?;
                    reader.read_exact(&mut cell)?;
                    all.push((u128::from_le_bytes(hash), thread, u32::from_le_bytes(cell)));
                }
            }
        }
        all.sort_unstable();
        for same in all.chunk_by(|one, other| one.0 == other.0).filter(|same| same.len() > 1) {
            let places: Vec<(usize, u32)> =
                same.iter().map(|(_, thread, cell)| (*thread, *cell)).collect();
            repeated(&places);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_found_in_memory_on_disk_and_between_threads() {
        for most in [usize::MAX, 100, 7] {
            let seeds = Seeds::default();
            let mut threads = [Ids::holding(seeds.clone(), most), Ids::holding(seeds, most)];
            for number in 0..1_000_u32 {
                let thread = &mut threads[usize::from(number % 3 == 0)];
                thread.add(&format!("record {number}"), number).unwrap();
            }
            for number in [3, 500, 999] {
                threads[0].add(&format!("record {number}"), 7_000 + number).unwrap();
            }
            threads[1].add("record 500", 9_000).unwrap();
            let mut found: Vec<Vec<u32>> = Vec::new();
            repetitions(&mut threads, |same| {
                let mut cells: Vec<u32> = same.iter().map(|(_, cell)| *cell).collect();
                cells.sort_unstable();
                found.push(cells);
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
