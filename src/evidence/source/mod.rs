//! Files, folders and pipes with records.
//!
//! Invariant: a file that cannot be opened is an error, never "no records". Broken lines are
//! counted with their place, and the rest of the file is read. A file in progress (`.tmp`) is never
//! opened.

mod compression;
mod files;
mod progress;
mod raw;
mod worker;

use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::{panic, thread};

use thiserror::Error;

use self::files::ENDINGS;
use self::progress::Work;
pub use self::raw::raw;
use self::worker::Worker;
use super::merge::merge;
use super::requests::Requests;
use super::shared::Shared;
use crate::exit::{Exit, Explain};
use crate::source::disk::FileError;

/// The number of places of broken lines that are kept.
const PLACES: usize = 10;
/// The most JSON values of one text: a page of the audit API has a tenth of them. Each could be a
/// record, which takes several hundred bytes of memory.
pub(super) const VALUES: usize = 50_000;

/// The source of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Standard,
    /// A file, or a folder that is searched for files at any depth.
    Path(PathBuf),
}

/// The result of reading records.
#[derive(Debug)]
pub struct Reading {
    /// The requests.
    pub requests: Requests,
    /// The places of the first broken lines, in order.
    pub broken: Vec<Broken>,
    /// The number of files in folders that were skipped because of their names.
    pub others: usize,
}

/// Something that is not a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// The file; `-` for standard input.
    pub file: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: u64,
    /// The fault.
    pub why: String,
}

/// The reason why records cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A file cannot be opened, or a folder cannot be listed.
    #[error("`{path}` cannot be read")]
    Open {
        /// The path as given.
        path: String,
        /// The cause.
        source: FileError,
    },
    /// A folder without records.
    #[error("`{0}` holds no records")]
    Nothing(String),
    /// Reading a file failed.
    #[error("reading `{path}` failed")]
    Read {
        /// The path as given.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The identities of the records cannot be stored.
    #[error("the temporary file for the identities of records failed")]
    Identities(#[source] io::Error),
}

impl Explain for ReadError {
    fn hint(&self) -> String {
        match self {
            Self::Open { .. } => {
                "name a file or folder with records, or `-` for standard input".to_owned()
            }
            Self::Nothing(_) => format!(
                "files of records end in `.{}`, each also with `.gz` or `.zst`; files in progress (`.tmp`) are not read",
                ENDINGS.join("`, `.")
            ),
            Self::Read { .. } => {
                "check that the file is whole, as with `gzip -t` or `zstd -t`".to_owned()
            }
            Self::Identities(_) => {
                "make room in the temporary folder, or set `TMPDIR` to another".to_owned()
            }
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Open { .. } | Self::Nothing(_) => Exit::Usage,
            Self::Read { .. } | Self::Identities(_) => Exit::Failed,
        }
    }
}

/// Reads all records.
///
/// # Errors
///
/// Returns an error if a file cannot be read. Something in a file that is not a record is no error.
///
/// # Panics
///
/// Panics if a thread panics.
pub fn read(inputs: &[Input]) -> Result<Reading, ReadError> {
    let (files, others) = files::files_of(inputs)?;
    let shared = Shared::default();
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(16);
    let work = Work::new(&files);
    let worker = || {
        let mut own = Worker::new(&shared);
        work.read_files(&mut own);
        own
    };
    let all = thread::scope(|scope| {
        let spawned: Vec<_> = (1..workers).map(|_| scope.spawn(worker)).collect();
        let own = worker();
        let joined = spawned
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
        [own].into_iter().chain(joined).collect::<Vec<Worker<'_>>>()
    });
    work.outcome()?;
    let (mut gathered, mut places) = (Vec::new(), Vec::new());
    for own in all {
        gathered.push(own.gather.finish().map_err(ReadError::Identities)?);
        places.extend(own.places);
    }
    places.sort_unstable();
    places.truncate(PLACES);
    let broken = places.into_iter().map(|(file, line, why)| {
        let file = files.get(file).map(name_of).unwrap_or_default();
        Broken { file, line, why: why.to_owned() }
    });
    let broken = broken.collect();
    Ok(Reading {
        requests: merge(shared, gathered).map_err(ReadError::Identities)?,
        broken,
        others,
    })
}

fn name_of(input: &Input) -> String {
    match input {
        Input::Standard => "-".to_owned(),
        Input::Path(path) => path.to_string_lossy().replace('\\', "/"),
    }
}
