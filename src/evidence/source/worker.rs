//! Reading of chunks by one thread. Lines that shapes match are counted together; all others are
//! parsed.

use std::io;

use memchr::memchr;

use super::super::gather::{Gather, Mark};
use super::super::lines::Chunk;
use super::super::record::Record;
use super::super::shapes::{Found, Shapes, Unusual};
use super::super::shared::Shared;
use super::{PLACES, ReadError, VALUES};
use crate::json;

/// What one thread reads with, and what it has counted.
pub(super) struct Worker<'s> {
    pub(super) gather: Gather<'s>,
    pub(super) places: Vec<(usize, u64, &'static str)>,
    failed: Option<io::Error>,
    shapes: Shapes,
    /// The places of the texts of one line.
    found: Found,
    pub(super) chunk: Chunk,
    /// The lines of a chunk that shapes match.
    marks: Vec<Mark>,
}

impl<'s> Worker<'s> {
    pub(super) fn new(shared: &'s Shared) -> Self {
        Self {
            gather: Gather::new(shared),
            places: Vec::new(),
            failed: None,
            shapes: Shapes::new(&shared.seeds),
            found: Found::default(),
            chunk: Chunk::default(),
            marks: Vec::new(),
        }
    }

    fn place(&mut self, file: usize, line: u64, why: &'static str) {
        self.places.push((file, line, why));
        if self.places.len() > 100 * PLACES {
            self.places.sort_unstable();
            self.places.truncate(PLACES);
        }
    }

    pub(super) fn broken(&mut self, file: usize, line: u64, why: &'static str) {
        self.gather.add_broken();
        self.place(file, line, why);
    }

    pub(super) fn add(&mut self, file: usize, line: u64, record: Record<'_>) {
        let mut wrong = Vec::new();
        let added = self.gather.add(record, &mut |why| wrong.push(why));
        self.added(file, line, added, wrong);
    }

    /// Notes the faults of what was added.
    fn added(&mut self, file: usize, line: u64, added: io::Result<()>, wrong: Vec<&'static str>) {
        if let Err(error) = added {
            self.failed.get_or_insert(error);
        }
        for why in wrong {
            self.place(file, line, why);
        }
    }

    /// Returns the error of what was added, if there was one.
    pub(super) fn check(&mut self) -> Result<(), ReadError> {
        self.failed.take().map_or(Ok(()), |error| Err(ReadError::Identities(error)))
    }

    /// Parses the chunk that was read last.
    pub(super) fn parse(&mut self, file: usize) {
        let chunk = std::mem::take(&mut self.chunk);
        for (line, why) in &chunk.broken {
            self.broken(file, *line, why);
        }
        let mut start = 0;
        for at in 0.. {
            let Some(rest) = chunk.bytes().get(start..).filter(|rest| !rest.is_empty()) else {
                break;
            };
            let length = match self.shapes.find(rest, &mut self.found) {
                Some(alike) => {
                    let length = alike.length;
                    match self.gather.mark(&alike, (at, start)) {
                        Ok(mark) => self.marks.push(mark),
                        Err(Unusual) => {
                            let record = alike.record();
                            self.add(file, chunk.lines.number(at), record);
                        }
                    }
                    length
                }
                None => {
                    let length = memchr(b'\n', rest).unwrap_or(rest.len());
                    let line = rest.get(..length).unwrap_or_default();
                    self.parse_line(file, chunk.lines.number(at), line);
                    length
                }
            };
            start += length + 1;
        }
        self.count_marks(file, &chunk);
        self.chunk = chunk;
    }

    /// Counts the lines that shapes match.
    fn count_marks(&mut self, file: usize, chunk: &Chunk) {
        let unknown = match self.gather.count_known(&self.marks) {
            Ok(unknown) => unknown,
            Err(error) => {
                self.failed.get_or_insert(error);
                Vec::new()
            }
        };
        for mark in unknown {
            let line = chunk.bytes().get(mark.start..).unwrap_or_default();
            let alike = self.shapes.find(line, &mut self.found).expect("it was found before");
            let mut wrong = Vec::new();
            let added = self.gather.add_alike(&alike, &mark, &mut |why| wrong.push(why));
            self.added(file, chunk.lines.number(mark.at), added, wrong);
        }
        self.marks.clear();
    }

    fn parse_line(&mut self, file: usize, line: u64, text: &[u8]) {
        let text = text.trim_ascii();
        if text.is_empty() {
            return;
        }
        // No text has more values than half of its bytes.
        if text.len() > 2 * VALUES && json::measure(text).1 > VALUES {
            return self.broken(file, line, "it holds too many values");
        }
        // The whole line is checked first, so that texts are borrowed without another check.
        let Ok(text) = std::str::from_utf8(text) else {
            return self.broken(file, line, "it is not UTF-8");
        };
        match serde_json::from_str::<Record<'_>>(text) {
            Ok(record) => {
                self.shapes.learn(text, &record);
                self.add(file, line, record);
            }
            Err(error) if error.is_eof() => self.broken(file, line, "it is only half written"),
            Err(_) => self.broken(file, line, "it is not JSON"),
        }
    }
}

#[cfg(test)]
mod tests;
