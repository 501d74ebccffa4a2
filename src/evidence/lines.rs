//! A stream of bytes as records: lines of JSON, JSON documents over several lines, or a table.
//!
//! A thread takes a chunk of a stream, for which it only looks for line ends or braces, and parses it
//! while others take the next ones. Invariant: memory holds a chunk for each thread, never all of a
//! stream, however long its lines are.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memchr_iter, memrchr};
use serde::de::IgnoredAny;

/// Approximate size of a chunk, in bytes: it fits into the memory of one processor.
const CHUNK: usize = 1 << 18;
/// The most bytes of a first line that tell the format.
const HEAD: usize = 1 << 20;
/// The longest record that is accepted, in bytes.
pub(super) const LONGEST: usize = 16 << 20;

/// Records to parse, one a line. A thread uses one for all that it reads, since the system clears
/// each page of a new buffer.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    buffer: Vec<u8>,
    /// The part of the buffer that is of the chunk.
    used: Range<usize>,
    pub(super) lines: Lines,
    /// The lines of what cannot be a record, and the reasons.
    pub(super) broken: Vec<(u64, &'static str)>,
}

impl Lines {
    /// The number of a line of the chunk, by its position there.
    pub(super) fn number(&self, at: usize) -> u64 {
        match self {
            Self::From(first) => first + at as u64,
            Self::Each(each) => each.get(at).copied().unwrap_or_default(),
        }
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self::From(1)
    }
}

impl Chunk {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.used.clone()).unwrap_or_default()
    }

    /// Forgets everything but the buffer, which keeps its length unless a long line made it large.
    fn clear(&mut self) {
        if self.buffer.len() > 2 * CHUNK {
            self.buffer = Vec::new();
        }
        self.used = 0..0;
        self.lines = Lines::default();
        self.broken.clear();
    }
}

/// A stream of lines or of documents, which is read a chunk at a time.
pub(super) trait Chunks: Send {
    /// Reads the next chunk; `false` at the end. A chunk may have no lines.
    ///
    /// # Errors
    ///
    /// Returns the errors of reading the stream, after the chunks before it.
    fn next(&mut self, chunk: &mut Chunk) -> io::Result<bool>;
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

/// A stream of lines. A line that is too long is broken.
pub(super) struct ByLine<R> {
    stream: R,
    /// The start of a line that the last chunk did not hold to its end.
    rest: Vec<u8>,
    /// The number of the next line.
    line: u64,
    ended: bool,
    /// Follows the last chunk.
    error: Option<io::Error>,
}

impl<R: Read> ByLine<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, rest: Vec::new(), line: 1, ended: false, error: None }
    }
}

impl<R: Read + Send> Chunks for ByLine<R> {
    fn next(&mut self, chunk: &mut Chunk) -> io::Result<bool> {
        chunk.clear();
        if self.ended {
            return self.error.take().map_or(Ok(false), Err);
        }
        let buffer = &mut chunk.buffer;
        let mut held = self.rest.len();
        buffer.resize(buffer.len().max(held), 0);
        if let Some(start) = buffer.get_mut(..held) {
            start.copy_from_slice(&self.rest);
        }
        let mut is_too_long = false;
        let end = loop {
            let start = held;
            let (read, error) = fill(&mut self.stream, buffer, start);
            held += read;
            if read == 0 || error.is_some() {
                (self.ended, self.error) = (true, error);
                break held;
            }
            if let Some(at) = memrchr(b'\n', buffer.get(start..held).unwrap_or_default()) {
                break start + at + 1;
            }
            if held > LONGEST {
                (is_too_long, held) = (true, 0);
            }
        };
        self.rest.clear();
        self.rest.extend_from_slice(buffer.get(end..held).unwrap_or_default());
        chunk.used = 0..end;
        if is_too_long {
            chunk.broken.push((self.line, "it is too long"));
            chunk.used.start = memchr(b'\n', chunk.bytes()).map_or(end, |at| at + 1);
            self.line += 1;
        }
        chunk.lines = Lines::From(self.line);
        self.line += memchr_iter(b'\n', chunk.bytes()).count() as u64;
        Ok(true)
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
    broken: Vec<(u64, &'static str)>,
}

/// A stream of documents, as chunks with one record a line. A record that does not end is broken.
pub(super) struct ByDocument<R> {
    stream: R,
    scanner: Scanner,
    bytes: Vec<u8>,
    ended: bool,
    /// Follows the last chunk.
    error: Option<io::Error>,
}

impl<R: Read> ByDocument<R> {
    pub(super) fn new(stream: R) -> Self {
        let scanner = Scanner {
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
            broken: Vec::new(),
        };
        Self { stream, scanner, bytes: Vec::new(), ended: false, error: None }
    }
}

impl<R: Read + Send> Chunks for ByDocument<R> {
    fn next(&mut self, chunk: &mut Chunk) -> io::Result<bool> {
        chunk.clear();
        if self.ended {
            return self.error.take().map_or(Ok(false), Err);
        }
        let scanner = &mut self.scanner;
        let (read, error) = fill(&mut self.stream, &mut self.bytes, 0);
        for byte in self.bytes.iter().take(read) {
            scanner.next(*byte);
        }
        self.ended = read == 0 || error.is_some();
        self.error = error;
        let is_cut = || scanner.record.iter().any(|byte| !byte.is_ascii_whitespace());
        if self.ended && (is_cut() || scanner.depth > 0) {
            scanner.broken.push((scanner.start, "it does not end"));
        }
        chunk.buffer.clear();
        std::mem::swap(&mut chunk.buffer, &mut scanner.found);
        chunk.used = 0..chunk.buffer.len();
        chunk.lines = Lines::Each(std::mem::take(&mut scanner.lines));
        chunk.broken = std::mem::take(&mut scanner.broken);
        Ok(true)
    }
}

impl Scanner {
    /// The depth that records start at.
    fn base(&self) -> usize {
        self.list.unwrap_or(0)
    }

    fn next(&mut self, byte: u8) {
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
            return self.limit();
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
        self.limit();
    }

    fn begin(&mut self, byte: u8) {
        if self.record.is_empty() {
            self.start = self.line;
        }
        self.record.push(byte);
    }

    fn limit(&mut self) {
        if self.record.len() > LONGEST {
            self.broken.push((self.start, "it is too long"));
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
            ("\u{feff}[\n{}]", Form::Document),
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
        let (mut chunks, mut chunk) = (ByDocument::new(text.as_bytes()), Chunk::default());
        while chunks.next(&mut chunk).unwrap() {
            let text = String::from_utf8(chunk.bytes().to_vec()).unwrap();
            let Lines::Each(lines) = &chunk.lines else { panic!("lines of each") };
            found.extend(lines.iter().copied().zip(text.lines().map(str::to_owned)));
            broken += chunk.broken.len();
        }
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
        for (text, records, cut) in [
            ("{\n\"events\":[{\"a\":1},{\"b\":2},{\"c\":", 2, 1),
            ("[\n{\"a\":1},\n", 1, 1),
            ("[\n{\"a\":1}]\n \n", 1, 0),
            ("{\n\"a\":1\n}\nnul", 1, 1),
            ("[\n{\"a\":1}\n]\n{\"b\":1}\n", 2, 0),
        ] {
            let (found, broken) = documents(text);
            assert_eq!((found.len(), broken), (records, cut), "{text}");
        }
    }

    #[test]
    fn lines_keep_their_numbers_over_chunks() {
        let text: String = (1..=300_000).map(|number| format!("{number}\n")).collect();
        let mut next = 1;
        let (mut chunks, mut chunk) = (ByLine::new(text.as_bytes()), Chunk::default());
        while chunks.next(&mut chunk).unwrap() {
            let Lines::From(first) = chunk.lines else { panic!("lines follow") };
            assert_eq!(first, next);
            for line in std::str::from_utf8(chunk.bytes()).unwrap().lines() {
                assert_eq!(line, next.to_string());
                next += 1;
            }
        }
        assert_eq!(next, 300_001);
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_the_longest() {
        let long = io::repeat(b'x').take(LONGEST as u64 + 5_000_000);
        let stream = long.chain(&b"\n{}\n"[..]);
        let (mut found, mut broken) = (Vec::new(), Vec::new());
        let (mut chunks, mut chunk) = (ByLine::new(stream), Chunk::default());
        while chunks.next(&mut chunk).unwrap() {
            if !chunk.bytes().is_empty() {
                found.push((chunk.bytes().to_vec(), format!("{:?}", chunk.lines)));
            }
            broken.extend(chunk.broken.iter().map(|(line, _)| *line));
        }
        assert_eq!(found, [(b"{}\n".to_vec(), "From(2)".to_owned())]);
        assert_eq!(broken, [1]);
    }
}
