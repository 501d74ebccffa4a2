//! Files, folders and pipes with records.
//!
//! Invariant: a file that cannot be opened is an error, never "no records". Broken lines are
//! counted with their place, and the rest of the file is read. A file in progress (`.tmp`) is never
//! opened.

use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{iter, panic, thread};

use flate2::read::MultiGzDecoder;
use memchr::memchr;
use ruzstd::decoding::StreamingDecoder;
use serde_json::Value;
use thiserror::Error;

use super::gather::{Gather, Mark};
use super::lines::{ByDocument, ByLine, Chunk, Chunks, Form, Stream};
use super::merge::merge;
use super::record::Record;
use super::requests::Requests;
use super::shapes::{Found, Shapes, Unusual};
use super::shared::Shared;
use super::table;
use crate::exit::{Exit, Explain};
use crate::json;
use crate::source::disk::{FileError, MAX_STATE_BYTES, check_named_folder, open_named, walk_named};

/// The number of places of broken lines that are kept.
const PLACES: usize = 10;
/// The most JSON values of one text: a page of the audit API has a tenth of them. Each could be a
/// record, which takes several hundred bytes of memory.
pub(super) const VALUES: usize = 50_000;
/// The extensions of files with records, without that of a compression.
const ENDINGS: [&str; 5] = ["jsonl", "ndjson", "json", "csv", "log"];

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
    let (files, others) = files_of(inputs)?;
    let shared = Shared::default();
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(16);
    let work = Work {
        open: files.iter().map(|_| Mutex::new(Progress::Unopened)).collect(),
        files: &files,
        next: AtomicUsize::new(0),
        failed: Mutex::default(),
    };
    let worker = || {
        let mut own = Own::new(&shared);
        work.read_files(&mut own);
        own
    };
    let all = thread::scope(|scope| {
        let spawned: Vec<_> = (1..workers).map(|_| scope.spawn(worker)).collect();
        let own = worker();
        let joined = spawned
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
        [own].into_iter().chain(joined).collect::<Vec<Own<'_>>>()
    });
    if let Some((_, error)) = work.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
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

/// Reads all records of a file without interpreting them; pages of records are flattened.
///
/// # Errors
///
/// Returns an error if the file cannot be read, is larger than a snapshot may be, or holds something
/// that is not JSON.
pub fn raw(file: &Path) -> Result<Vec<Value>, ReadError> {
    let path = file.to_string_lossy().into_owned();
    let open = |source| ReadError::Open { path: path.clone(), source };
    let broken = |source| ReadError::Read { path: path.clone(), source };
    let stream = decompressed(Box::new(open_named(file).map_err(open)?)).map_err(broken)?;
    let mut text = Vec::new();
    stream.take(MAX_STATE_BYTES + 1).read_to_end(&mut text).map_err(broken)?;
    if text.len() as u64 > MAX_STATE_BYTES || json::measure(&text).1 > json::MAX_FILE_VALUES {
        return Err(open(FileError::TooLarge(MAX_STATE_BYTES)));
    }
    let values = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
    let mut records = Vec::new();
    for value in values {
        match value.map_err(|error| broken(error.into()))? {
            Value::Array(all) => records.extend(all),
            Value::Object(mut object) => match object.remove("events") {
                Some(Value::Array(events)) => records.extend(events),
                Some(_) | None => records.push(Value::Object(object)),
            },
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                records.push(other)
            }
        }
    }
    Ok(records)
}

fn name_of(input: &Input) -> String {
    match input {
        Input::Standard => "-".to_owned(),
        Input::Path(path) => path.to_string_lossy().replace('\\', "/"),
    }
}

/// The state of one thread.
struct Own<'s> {
    gather: Gather<'s>,
    places: Vec<(usize, u64, &'static str)>,
    failed: Option<io::Error>,
    shapes: Shapes,
    /// The places of the texts of one line.
    found: Found,
    chunk: Chunk,
    /// The lines of a chunk that shapes match.
    marks: Vec<Mark>,
}

impl<'s> Own<'s> {
    fn new(shared: &'s Shared) -> Self {
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

    fn broken(&mut self, file: usize, line: u64, why: &'static str) {
        self.gather.add_broken();
        self.place(file, line, why);
    }

    fn add(&mut self, file: usize, line: u64, record: Record<'_>) {
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
    fn check(&mut self) -> Result<(), ReadError> {
        self.failed.take().map_or(Ok(()), |error| Err(ReadError::Identities(error)))
    }

    /// Parses the chunk that was read last.
    fn parse(&mut self, file: usize) {
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

/// The files that threads share. Each thread opens the next file and reads it to its end; when there
/// is none left, it helps others with theirs, a chunk at a time.
struct Work<'a> {
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

impl Work<'_> {
    /// Reads files until none is left.
    fn read_files(&self, own: &mut Own<'_>) {
        let next = || Some(self.next.fetch_add(1, Ordering::Relaxed));
        // These are read whatever happens to later ones, so that the first error is always the same.
        iter::from_fn(next)
            .take_while(|number| *number < self.files.len())
            .for_each(|number| self.read_file(number, own));
        (0..self.files.len())
            .take_while(|_| lock(&self.failed).is_none())
            .for_each(|number| self.read_file(number, own));
    }

    /// Reads a file, or what is left of it.
    fn read_file(&self, number: usize, own: &mut Own<'_>) {
        if let Err(error) = self.read_chunks(number, own) {
            let mut failed = lock(&self.failed);
            if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                *failed = Some((number, error));
            }
            self.next.store(self.files.len(), Ordering::Relaxed);
        }
    }

    fn read_chunks(&self, number: usize, own: &mut Own<'_>) -> Result<(), ReadError> {
        let Some((input, progress)) = self.files.get(number).zip(self.open.get(number)) else {
            return Ok(());
        };
        while next_chunk(input, number, &mut lock(progress), own)? {
            own.parse(number);
            own.check()?;
        }
        own.check()
    }
}

/// Reads the next chunk of a file, or all of it if it is a table. Returns `false` if nothing is left.
fn next_chunk(
    input: &Input,
    number: usize,
    progress: &mut Progress,
    own: &mut Own<'_>,
) -> Result<bool, ReadError> {
    let read = match progress {
        Progress::Done => Ok(false),
        Progress::Open(chunks) => chunks.next(&mut own.chunk),
        Progress::Unopened => {
            *progress = Progress::Done;
            let stream = open(input)?;
            chunks(stream, number, own).and_then(|chunks| {
                let Some(mut chunks) = chunks else { return Ok(false) };
                let read = chunks.next(&mut own.chunk)?;
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
            own.broken(number, 0, "it cannot be decompressed to its end");
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
    own: &mut Own<'_>,
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
                    Ok(record) => own.add(number, line, record),
                    Err(why) => own.broken(number, line, why),
                }
                Ok(())
            };
            table::rows(stream, delimiter, row).map(|()| None)
        }
    }
}

/// The stream, decompressed if its first bytes say so: standard input has no name to go by.
fn decompressed(stream: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut stream = Stream::new(stream);
    let head = stream.peek(4)?;
    if head.starts_with(b"\x1f\x8b") {
        return Ok(Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, stream))));
    }
    if head.starts_with(b"\x28\xb5\x2f\xfd") || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
    {
        return Ok(Box::new(Frames { next: Some(stream), frame: None }));
    }
    Ok(Box::new(stream))
}

/// Frames of a Zstandard file, one after another.
struct Frames<R: Read> {
    next: Option<Stream<R>>,
    frame: Option<Box<StreamingDecoder<Stream<R>, ruzstd::decoding::FrameDecoder>>>,
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
            }
            if let Some(frame) = self.frame.take() {
                self.next = Some(frame.into_inner());
            }
            let Some(mut stream) = self.next.take() else { return Ok(0) };
            if stream.peek(1)?.is_empty() {
                return Ok(0);
            }
            if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] = stream.peek(8)? {
                skip_frame(&mut stream)?;
                self.next = Some(stream);
                continue;
            }
            let frame = StreamingDecoder::new(stream).map_err(io::Error::other)?;
            self.frame = Some(Box::new(frame));
        }
    }
}

/// Skips a frame that does not hold data.
fn skip_frame(stream: &mut impl Read) -> io::Result<()> {
    let mut head = [0; 8];
    stream.read_exact(&mut head)?;
    let [.., a, b, c, d] = head;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    io::copy(&mut stream.take(length), &mut io::sink()).map(drop)
}

/// The files of all inputs, each as often as it is named, and the number of other files in folders.
fn files_of(inputs: &[Input]) -> Result<(Vec<Input>, usize), ReadError> {
    let (mut files, mut others) = (Vec::new(), 0);
    for input in inputs {
        let Input::Path(path) = input else {
            files.push(input.clone());
            continue;
        };
        if is_in_progress(path) {
            continue;
        }
        if !path.is_dir() {
            files.push(input.clone());
            continue;
        }
        check_named_folder(path).map_err(|source| ReadError::Open {
            path: path.to_string_lossy().into_owned(),
            source,
        })?;
        let before = files.len();
        for entry in walk_named(path) {
            let entry = entry.map_err(|error| ReadError::Open {
                path: error.path().unwrap_or(path).to_string_lossy().into_owned(),
                source: FileError::System(
                    error
                        .into_io_error()
                        .unwrap_or_else(|| io::Error::other("a link leads in a circle")),
                ),
            })?;
            if !entry.file_type().is_file() {
                continue;
            }
            if is_in_progress(entry.path()) {
                continue;
            }
            if is_of_records(entry.path()) {
                files.push(Input::Path(entry.into_path()))
            } else {
                others += 1
            }
        }
        if files.len() == before {
            return Err(ReadError::Nothing(path.to_string_lossy().into_owned()));
        }
    }
    Ok((files, others))
}

fn is_in_progress(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tmp"))
}

fn is_of_records(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let compressions = [".gz", ".zst", ".zstd"];
    let name = compressions.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    !name.starts_with('.')
        && name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads lines: each by itself, or with the knowledge of earlier ones.
    fn reading(text: &str, each: bool) -> (Requests, Vec<(u64, &'static str)>) {
        let shared = Shared::default();
        let mut own = Own::new(&shared);
        if each {
            for (number, line) in (1..).zip(text.lines()) {
                own.shapes = Shapes::new(&shared.seeds);
                own.parse_line(0, number, line.as_bytes());
            }
        } else {
            own.shapes = Shapes::comparing(3, &shared.seeds);
            let mut chunks = ByLine::new(text.as_bytes());
            while chunks.next(&mut own.chunk).unwrap() {
                own.parse(0);
            }
        }
        own.places.sort_unstable();
        let places = own.places.iter().map(|(_, line, why)| (*line, *why)).collect();
        let gathered = own.gather.finish().unwrap();
        (merge(shared, vec![gathered]).unwrap(), places)
    }

    fn line() -> impl Strategy<Value = String> {
        let one_of = |texts: &[&'static str]| prop::sample::select(texts.to_vec());
        let field = |name: &'static str, texts: &[&'static str]| {
            one_of(texts).prop_map(move |text| format!("\"{name}\":{text}"))
        };
        let top = (
            field(
                "audit_event_id",
                &[r#""1""#, r#""2""#, r#""3""#, r#""\u0031""#, r#"" ""#, r#""""#, "4"],
            ),
            field(
                "timestamp",
                &[
                    r#""2026-11-01T00:00:00Z""#,
                    r#""2026-11-02T00:00:00.5Z""#,
                    r#"" 2026-11-03T00:00:00Z""#,
                    r#""2026-11-04 00:00:00""#,
                    r#""soon""#,
                    r#""""#,
                ],
            ),
            field(
                "category",
                &[
                    r#""AUDIT_CATEGORY_EVALUATION""#,
                    r#""evaluation""#,
                    r#""AUDIT_CATEGORY_EXECUTION""#,
                ],
            ),
            field(
                "decision",
                &[
                    r#""AUDIT_DECISION_ALLOW""#,
                    r#""AUDIT_DECISION_DENY""#,
                    r#""AUDIT_DECISION_APPROVAL_REQUIRED""#,
                    r#""AUDIT_DECISION_APPROVAL_ALLOW""#,
                    r#""AUDIT_DECISION_LATER""#,
                ],
            ),
            field(
                "username",
                &[r#""ana""#, r#""bob""#, r#""über""#, r#"" ana ""#, r#""""#, "null"],
            ),
            field(
                "resource_id",
                &[r#""a.example:443""#, r#""A.example:443""#, r#""b.example:1""#, r#""""#],
            ),
            field("hostname", &[r#""m""#, r#""n""#]),
            field("enforcement_mode", &[r#""enforce""#, r#""off""#, r#""ENFORCE""#]),
            field(
                "deny_reason",
                &[
                    r#"["rule \"r\" matched"]"#,
                    r#"["no applicable policies"]"#,
                    r#"["a","b"]"#,
                    "[]",
                ],
            ),
        );
        let action = one_of(&[
            r#""action_type":"network_egress","network_egress":{"protocol":"tcp"}"#,
            r#""action_type":"network_egress","network_egress":{"protocol":"udp"}"#,
            r#""action_type":"http_request","http_request":{"method":"GET","host":"a.example","port":"443","path":"/"}"#,
            r#""action_type":"network_egress","approval":{"approval_request_id":"7"}"#,
            r#""action_type":"session""#,
            r#""count":3,"action_type":"network_egress""#,
            r#""action_type":"network_egress","payload":{"username":"eve","created_at":"2026-11-07T00:00:00Z"}"#,
        ]);
        let end = one_of(&["}", "}", "}", "}", "", "} ", "}x", ",}"]);
        (top, action, end).prop_map(|(top, action, end)| {
            let (id, time, category, decision, user, resource, machine, mode, reason) = top;
            let rest = [category, decision, user, resource, machine, mode, reason].join(",");
            format!("{{{id},{time},{rest},{action}{end}")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn what_is_known_of_earlier_lines_changes_nothing(
            lines in prop::collection::vec(line(), 1..6),
            order in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
        ) {
            let text: String = order.iter().map(|at| format!("{}\n", at.get(&lines))).collect();
            prop_assert_eq!(reading(&text, false), reading(&text, true));
        }
    }
}
