//! A stream of bytes as records: lines of JSON, JSON documents over several lines, or a table.
//!
//! The thread that reads a stream only looks for line ends and braces; any thread parses what is
//! between them. Invariant: memory holds a few chunks of a stream, never all of it, however long its lines
//! are.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use memchr::{memchr_iter, memrchr};
use serde::de::IgnoredAny;

/// Approximate size of a chunk, in bytes: it fits into the memory of one processor.
const CHUNK: usize = 1 << 18;
/// The most bytes of a first line that tell the format.
const HEAD: usize = 1 << 20;
/// The longest record that is accepted, in bytes.
pub(super) const LONGEST: usize = 16 << 20;

/// Records to parse, one a line.
#[derive(Debug)]
pub(super) struct Chunk {
    buffer: Vec<u8>,
    /// The number of bytes in the buffer that are of the chunk.
    used: usize,
    pub(super) lines: Lines,
}

/// A part of a stream.
#[derive(Debug)]
pub(super) enum Part {
    Chunk(Chunk),
    /// The line of something that cannot be a record, and the reason.
    Broken(u64, &'static str),
}

/// Buffers of chunks that were parsed: the system clears each page of a new one.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Chunk {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.used).unwrap_or_default()
    }
}

impl Buffers {
    /// A buffer of any length, whose content means nothing.
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps the buffer of a chunk, unless a long line made it large.
    pub(super) fn give_back(&self, chunk: Chunk) {
        if chunk.buffer.len() <= 2 * CHUNK {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(chunk.buffer);
        }
    }
}

/// The line numbers of a chunk, from 1.
#[derive(Debug)]
pub(super) enum Lines {
    /// Consecutive lines, by the number of the first.
    From(u64),
    /// The number of each line.
    Each(Vec<u64>),
}

/// The format of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One record, or a page of records, on each line.
    Lines,
    /// JSON that spans lines, or a list too long for one line.
    Document,
    /// Columns with a header.
    Table,
}

/// A stream whose first bytes have been read.
pub(super) struct Stream<R> {
    head: Vec<u8>,
    at: usize,
    rest: R,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(rest: R) -> Self {
        Self { head: Vec::new(), at: 0, rest }
    }

    /// The first bytes: at least `wanted`, unless the stream is shorter.
    pub(super) fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        let mut buffer = [0; 8192];
        while self.head.len() - self.at < wanted {
            match self.rest.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => self.head.extend_from_slice(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.head.get(self.at..).unwrap_or_default())
    }

    /// The format of the stream, by its first line.
    pub(super) fn form(&mut self) -> io::Result<Form> {
        if self.peek(3)?.starts_with(b"\xef\xbb\xbf") {
            self.at += 3;
        }
        // A pipe may not send anything after its first line for a while.
        let mut wanted = 1;
        loop {
            let head = self.peek(wanted)?;
            let ended = head.len() < wanted;
            let text = head.trim_ascii_start();
            let line = text.iter().position(|byte| *byte == b'\n').and_then(|end| text.get(..end));
            match line {
                Some(line) => return Ok(form_of(line)),
                None if ended || head.len() >= HEAD => return Ok(form_of(text)),
                None => wanted = head.len() + 1,
            }
        }
    }
}

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut head = self.head.get(self.at..).unwrap_or_default();
        if head.is_empty() {
            return self.rest.read(buffer);
        }
        let read = head.read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

fn form_of(line: &[u8]) -> Form {
    let line = line.trim_ascii();
    let is_whole = || serde_json::from_slice::<IgnoredAny>(line).is_ok();
    let after_brace = || line.strip_prefix(b"{").unwrap_or_default().trim_ascii_start();
    match line.first() {
        Some(b'[') if !is_whole() => Form::Document,
        // A line that holds half a record is broken; a line that holds the start of a page is JSON
        // over several lines.
        Some(b'{')
            if after_brace().is_empty()
                || after_brace().starts_with(b"\"events\"") && !is_whole() =>
        {
            Form::Document
        }
        Some(b'{' | b'[') | None => Form::Lines,
        Some(_) => {
            let header = String::from_utf8_lossy(line).to_lowercase();
            if header.contains("decision") && !header.contains('{') {
                Form::Table
            } else {
                Form::Lines
            }
        }
    }
}

/// Splits lines into chunks. A line that is too long is broken.
///
/// # Errors
///
/// Returns the errors of reading the stream, after the chunks before it.
pub(super) fn by_line(
    mut stream: impl Read,
    buffers: &Buffers,
    mut send: impl FnMut(Part),
) -> io::Result<()> {
    let mut line = 1;
    let mut buffer = buffers.take();
    let mut held = 0;
    let mut too_long = false;
    loop {
        let start = held;
        let (read, error) = fill(&mut stream, &mut buffer, start);
        held += read;
        let ended = read == 0 || error.is_some();
        let fresh = buffer.get(start..held).unwrap_or_default();
        let mut end =
            if ended { held } else { memrchr(b'\n', fresh).map_or(0, |at| start + at + 1) };
        if end == 0 && held > LONGEST {
            too_long = true;
            held = 0;
        }
        if too_long && end > 0 {
            send(Part::Broken(line, "it is too long"));
            let first = memchr_iter(b'\n', buffer.get(..end).unwrap_or_default())
                .next()
                .map_or(end, |at| at + 1);
            buffer.copy_within(first..held, 0);
            (end, held) = (end - first, held - first);
            line += 1;
            too_long = false;
        }
        if end > 0 {
            let mut next = buffers.take();
            let rest = buffer.get(end..held).unwrap_or_default();
            next.resize(next.len().max(rest.len()), 0);
            if let Some(start) = next.get_mut(..rest.len()) {
                start.copy_from_slice(rest);
            }
            held = rest.len();
            let chunk = Chunk {
                buffer: std::mem::replace(&mut buffer, next),
                used: end,
                lines: Lines::From(line),
            };
            line += memchr_iter(b'\n', chunk.bytes()).count() as u64;
            send(Part::Chunk(chunk));
        }
        if ended {
            return error.map_or(Ok(()), Err);
        }
    }
}

/// Reads about one chunk into a buffer from a position on, or as much as precedes an error; 0 bytes
/// at the end.
fn fill(stream: &mut impl Read, buffer: &mut Vec<u8>, start: usize) -> (usize, Option<io::Error>) {
    if buffer.len() < start + CHUNK {
        buffer.resize(start + CHUNK, 0);
    }
    let mut filled = start;
    let error = loop {
        let Some(room) = buffer.get_mut(filled..start + CHUNK).filter(|room| !room.is_empty())
        else {
            break None;
        };
        match stream.read(room) {
            Ok(0) => break None,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(error),
        }
    };
    (filled - start, error)
}

/// Finds the records in JSON that spans lines: each value, the items of a list, and the `events` of
/// a page.
#[derive(Debug)]
struct Scanner {
    depth: usize,
    /// The depth of the list whose items are records.
    list: Option<usize>,
    in_text: bool,
    escaped: bool,
    /// The last text of the object at the top.
    key: Vec<u8>,
    /// True if the value so far held records itself.
    divided: bool,
    record: Vec<u8>,
    line: u64,
    start: u64,
    found: Vec<u8>,
    lines: Vec<u64>,
}

/// Splits documents into chunks with one record a line. A record that does not end is broken.
///
/// # Errors
///
/// As [`by_line`].
pub(super) fn by_document(mut stream: impl Read, mut send: impl FnMut(Part)) -> io::Result<()> {
    let mut scanner = Scanner {
        depth: 0,
        list: None,
        in_text: false,
        escaped: false,
        key: Vec::new(),
        divided: false,
        record: Vec::new(),
        line: 1,
        start: 1,
        found: Vec::new(),
        lines: Vec::new(),
    };
    let mut bytes = Vec::new();
    loop {
        let (read, error) = fill(&mut stream, &mut bytes, 0);
        for byte in bytes.iter().take(read) {
            scanner.next(*byte, &mut send);
        }
        if !scanner.lines.is_empty() {
            let buffer = std::mem::take(&mut scanner.found);
            send(Part::Chunk(Chunk {
                used: buffer.len(),
                buffer,
                lines: Lines::Each(std::mem::take(&mut scanner.lines)),
            }));
        }
        if read == 0 || error.is_some() {
            let cut = scanner.record.iter().any(|byte| !byte.is_ascii_whitespace());
            if cut || scanner.depth > 0 {
                send(Part::Broken(scanner.start, "it does not end"));
            }
            return error.map_or(Ok(()), Err);
        }
    }
}

impl Scanner {
    /// The depth that records start at.
    fn base(&self) -> usize {
        self.list.unwrap_or(0)
    }

    fn next(&mut self, byte: u8, send: &mut impl FnMut(Part)) {
        if byte == b'\n' {
            self.line += 1;
        }
        if self.in_text {
            self.record.push(if byte == b'\n' { b' ' } else { byte });
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ if self.depth == 1 && self.key.len() < 16 => self.key.push(byte),
                _ => {}
            }
            return self.limit(send);
        }
        match byte {
            b'"' => {
                self.in_text = true;
                if self.depth == 1 {
                    self.key.clear();
                }
                self.begin(byte);
            }
            b'{' | b'[' => {
                let opens_records = byte == b'['
                    && self.list.is_none()
                    && (self.depth == 0 || self.depth == 1 && self.key == b"events");
                self.begin(byte);
                self.depth += 1;
                if opens_records {
                    self.list = Some(self.depth);
                    self.divided = true;
                    self.record.clear();
                }
            }
            b'}' | b']' => {
                if self.list == Some(self.depth) {
                    self.record.clear();
                    self.list = None;
                    self.depth = self.depth.saturating_sub(1);
                    self.divided = self.depth > 0;
                    return;
                }
                self.record.push(byte);
                self.depth = self.depth.saturating_sub(1);
                if self.depth == self.base() {
                    let record = std::mem::take(&mut self.record);
                    if self.divided && self.list.is_none() {
                        self.divided = false;
                    } else {
                        self.found.extend(record);
                        self.found.push(b'\n');
                        self.lines.push(self.start);
                    }
                }
            }
            b',' if self.depth == self.base() => {}
            b' ' | b'\t' | b'\r' | b'\n' => {
                if !self.record.is_empty() {
                    self.record.push(b' ');
                }
            }
            _ => self.begin(byte),
        }
        self.limit(send);
    }

    fn begin(&mut self, byte: u8) {
        if self.record.is_empty() {
            self.start = self.line;
        }
        self.record.push(byte);
    }

    fn limit(&mut self, send: &mut impl FnMut(Part)) {
        if self.record.len() > LONGEST {
            send(Part::Broken(self.start, "it is too long"));
            self.record = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Stream::new(text.as_bytes()).form().unwrap()
    }

    #[test]
    fn the_first_line_tells_the_form() {
        for (text, expected) in [
            ("{\"decision\":\"x\"}\n{}", Form::Lines),
            ("\u{feff}\n  {\"decision\":\"x\"}", Form::Lines),
            ("{\"decision\":\"AUDIT_DE\n{\"decision\":\"x\"}\n", Form::Lines), // half a line
            ("{\"events\":[{}],\"next_page_token\":\"\"}", Form::Lines),
            ("{\"events\":[{},\n{}]}", Form::Document),
            ("{\n  \"events\": []\n}", Form::Document),
            ("[{}]", Form::Lines),
            ("[\n{}]", Form::Document),
            ("Time,Event,Principal,Resource,Decision,Agent\n", Form::Table),
            ("decision,count\n", Form::Table),
            ("no JSON\n{}", Form::Lines),
            ("", Form::Lines),
        ] {
            assert_eq!(form(text), expected, "{text}");
        }
    }

    fn documents(text: &str) -> (Vec<(u64, String)>, usize) {
        let (mut found, mut broken) = (Vec::new(), 0);
        let send = |part: Part| {
            let Part::Chunk(chunk) = part else { return broken += 1 };
            let text = String::from_utf8(chunk.bytes().to_vec()).unwrap();
            let Lines::Each(lines) = chunk.lines else { panic!("lines of each") };
            found.extend(lines.into_iter().zip(text.lines().map(str::to_owned)));
        };
        by_document(text.as_bytes(), send).unwrap();
        (found, broken)
    }

    #[test]
    fn records_are_found_in_documents() {
        let page = "{\n \"events\": [\n  {\"a\": \"]}\\\"\"},\n  {\"b\": [1]}\n ],\n \"next_page_token\": \"\"\n}\n{\"events\":[{\"c\":1}]}\n";
        let (found, broken) = documents(page);
        let texts: Vec<(u64, &str)> =
            found.iter().map(|(line, text)| (*line, text.trim())).collect();
        assert_eq!(texts, [(3, r#"{"a": "]}\""}"#), (4, r#"{"b": [1]}"#), (8, r#"{"c":1}"#)]);
        assert_eq!(broken, 0);
        let (found, broken) = documents("[\n{\"a\":1},\n{\"b\":\n2}]\n");
        assert_eq!((found.len(), broken), (2, 0));
        let (found, broken) = documents("{\n\"a\":1\n}\n{\n\"b\":1}");
        assert_eq!((found.len(), broken), (2, 0));
    }

    #[test]
    fn what_was_written_before_the_end_is_read() {
        let (found, broken) = documents("{\n\"events\":[{\"a\":1},{\"b\":2},{\"c\":");
        assert_eq!((found.len(), broken), (2, 1));
    }

    #[test]
    fn lines_keep_their_numbers_over_chunks() {
        let text: String = (1..=300_000).map(|number| format!("{number}\n")).collect();
        let mut next = 1;
        let buffers = Buffers::default();
        let send = |part: Part| {
            let Part::Chunk(chunk) = part else { panic!("nothing is broken") };
            let Lines::From(first) = chunk.lines else { panic!("lines follow") };
            assert_eq!(first, next);
            for line in std::str::from_utf8(chunk.bytes()).unwrap().lines() {
                assert_eq!(line, next.to_string());
                next += 1;
            }
            // The next chunk is written over this one.
            buffers.give_back(chunk);
        };
        by_line(text.as_bytes(), &buffers, send).unwrap();
        assert_eq!(next, 300_001);
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_the_longest() {
        let long = io::repeat(b'x').take(LONGEST as u64 + 5_000_000);
        let stream = long.chain(&b"\n{}\n"[..]);
        let (mut found, mut broken) = (Vec::new(), Vec::new());
        let send = |part: Part| match part {
            Part::Chunk(chunk) => {
                found.push((chunk.bytes().to_vec(), format!("{:?}", chunk.lines)))
            }
            Part::Broken(line, _) => broken.push(line),
        };
        by_line(stream, &Buffers::default(), send).unwrap();
        assert_eq!(found, [(b"{}\n".to_vec(), "From(2)".to_owned())]);
        assert_eq!(broken, [1]);
    }
}
