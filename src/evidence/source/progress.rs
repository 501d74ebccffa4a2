//! The files that threads share while they read them.
//!
//! Invariant: of several files that cannot be read, the first one is the error.

use std::io::{self, Read};
use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::lines::{ByDocument, ByLine, Chunks, Form, Stream};
use super::super::record::Record;
use super::super::table;
use super::compression::decompressed;
use super::worker::Worker;
use super::{Input, ReadError, name_of};
use crate::source::disk::open_named;

/// The files that threads share. Each thread opens the next file and reads it to its end; when there
/// is none left, it helps others with theirs, a chunk at a time.
pub(super) struct Work<'a> {
    files: &'a [Input],
    open: Vec<Mutex<Progress>>,
    /// The first file that nobody reads yet.
    next: AtomicUsize,
    /// The first file that cannot be read.
    failed: Mutex<Option<(usize, ReadError)>>,
}

/// How far a file has been read.
enum Progress {
    Unopened,
    Open(Box<dyn Chunks>),
    Done,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Work<'a> {
    pub(super) fn new(files: &'a [Input]) -> Self {
        Self {
            files,
            open: files.iter().map(|_| Mutex::new(Progress::Unopened)).collect(),
            next: AtomicUsize::new(0),
            failed: Mutex::default(),
        }
    }

    /// The error of the first file that could not be read.
    pub(super) fn outcome(self) -> Result<(), ReadError> {
        let failed = self.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Reads files until none is left.
    pub(super) fn read_files(&self, worker: &mut Worker<'_>) {
        let next = || Some(self.next.fetch_add(1, Ordering::Relaxed));
        // These are read whatever happens to later ones, so that the first error is always the same.
        iter::from_fn(next)
            .take_while(|number| *number < self.files.len())
            .for_each(|number| self.read_file(number, worker));
        (0..self.files.len())
            .take_while(|_| lock(&self.failed).is_none())
            .for_each(|number| self.read_file(number, worker));
    }

    /// Reads a file, or what is left of it.
    fn read_file(&self, number: usize, worker: &mut Worker<'_>) {
        if let Err(error) = self.read_chunks(number, worker) {
            let mut failed = lock(&self.failed);
            if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                *failed = Some((number, error));
            }
            self.next.store(self.files.len(), Ordering::Relaxed);
        }
    }

    fn read_chunks(&self, number: usize, worker: &mut Worker<'_>) -> Result<(), ReadError> {
        let Some((input, progress)) = self.files.get(number).zip(self.open.get(number)) else {
            return Ok(());
        };
        while next_chunk(input, number, &mut lock(progress), worker)? {
            worker.parse(number);
            worker.check()?;
        }
        worker.check()
    }
}

/// Reads the next chunk of a file, or all of it if it is a table. Returns `false` if nothing is left.
fn next_chunk(
    input: &Input,
    number: usize,
    progress: &mut Progress,
    worker: &mut Worker<'_>,
) -> Result<bool, ReadError> {
    let read = match progress {
        Progress::Done => Ok(false),
        Progress::Open(chunks) => chunks.next(&mut worker.chunk),
        Progress::Unopened => {
            *progress = Progress::Done;
            let stream = open(input)?;
            chunks(stream, number, worker).and_then(|chunks| {
                let Some(mut chunks) = chunks else { return Ok(false) };
                let read = chunks.next(&mut worker.chunk)?;
                *progress = Progress::Open(chunks);
                Ok(read)
            })
        }
    };
    if !matches!(read, Ok(true)) {
        *progress = Progress::Done;
    }
    match read {
        // A compressed file that was cut, or that is none: what it held until there was read. The
        // decompressors say so with any of these.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::Other
            ) =>
        {
            worker.broken(number, 0, "it cannot be decompressed to its end");
            Ok(false)
        }
        other => other.map_err(|source| ReadError::Read { path: name_of(input), source }),
    }
}

fn open(input: &Input) -> Result<Box<dyn Read + Send>, ReadError> {
    match input {
        Input::Standard => Ok(Box::new(io::stdin())),
        Input::Path(file) => match open_named(file) {
            Ok(file) => Ok(Box::new(file)),
            Err(source) => Err(ReadError::Open { path: name_of(input), source }),
        },
    }
}

/// A stream as chunks. A table is read at once.
fn chunks(
    stream: Box<dyn Read + Send>,
    number: usize,
    worker: &mut Worker<'_>,
) -> io::Result<Option<Box<dyn Chunks>>> {
    let mut stream = Stream::new(decompressed(stream)?);
    match stream.form()? {
        Form::Lines => Ok(Some(Box::new(ByLine::new(stream)))),
        Form::Document => Ok(Some(Box::new(ByDocument::new(stream)))),
        Form::Table => {
            let header = stream.peek(1)?;
            let header = header.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let delimiter = table::delimiter(header);
            let row = |line, row: Result<Record<'_>, _>| {
                match row {
                    Ok(record) => worker.add(number, line, record),
                    Err(why) => worker.broken(number, line, why),
                }
                Ok(())
            };
            table::rows(stream, delimiter, row).map(|()| None)
        }
    }
}
