//! Tables: exports of the audit log, and aggregations.
//!
//! Invariant: columns are identified by name, in any order; unknown columns are ignored.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Read};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::lines::LONGEST;
use super::record::{Record, Text, Texts};

/// A stream that ends where a row is longer than any record.
struct Bounded<'a, R> {
    stream: R,
    /// The number of bytes that the current row may still take.
    left: &'a Cell<usize>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.left.get());
        let read = self.stream.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left.set(self.left.get() - read);
        Ok(read)
    }
}

/// Reads the rows of a table. `row` receives each row with its line, or the reason why it is not a
/// row. A row that is too long is the last one.
///
/// # Errors
///
/// Returns the errors of reading the stream, and those of `row`.
pub(super) fn rows(
    stream: impl Read,
    delimiter: u8,
    mut row: impl FnMut(u64, Result<Record<'_>, &'static str>) -> io::Result<()>,
) -> io::Result<()> {
    let left = Cell::new(LONGEST);
    let stream = Bounded { stream, left: &left };
    let mut reader: Reader<_> =
        ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(stream);
    let columns: Vec<String> = match reader.byte_headers() {
        Ok(headers) => headers.iter().map(column).collect(),
        Err(error) => return Err(error.into()),
    };
    let mut cells = ByteRecord::new();
    loop {
        let more = reader.read_byte_record(&mut cells);
        let line = cells.position().map_or(0, csv::Position::line);
        if left.replace(LONGEST) == 0 {
            return row(line, Err("it is too long"));
        }
        match more {
            Ok(false) => return Ok(()),
            Ok(true) if cells.len() != columns.len() => {
                row(line, Err("it has not as many cells as the header"))?
            }
            Ok(true) => row(line, Ok(record(&columns, &cells)))?,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The separator of the columns of a header.
pub(super) fn delimiter(header: &[u8]) -> u8 {
    let count = |wanted: u8| header.iter().filter(|byte| **byte == wanted).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|one| count(*one)).unwrap_or(b',')
}

/// The field that a column fills: `Time`, `payload.http_request.method`.
fn column(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name)
        .trim()
        .trim_matches('"')
        .to_lowercase()
        .replace([' ', '-'], "_");
    let field = name.rsplit('.').next().unwrap_or_default();
    match field {
        "time" => "timestamp",
        "event" | "action" => "action_type",
        "principal" => "username",
        "resource" => "resource_id",
        "email" => "user_email",
        field => field,
    }
    .to_owned()
}

fn record<'a>(columns: &[String], cells: &'a ByteRecord) -> Record<'a> {
    let mut record = Record { is_object: true, ..Record::default() };
    for (column, cell) in columns.iter().zip(cells) {
        let cell: Cow<'a, str> = String::from_utf8_lossy(cell);
        match column.as_str() {
            "deny_reason" => record.deny_reason = Texts(vec![cell]),
            "reason" => record.reason = Texts(vec![cell]),
            name => {
                if let Some(text) = record.text_mut(name).filter(|text| text.is_empty()) {
                    *text = Text(cell);
                }
            }
        }
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_by_their_names() {
        let text = "Agent,Time,Event,Principal,Resource,Decision\nclaude,2026-11-01 00:00:00,Network egress,ana,\"a.example:443\",Deny\nshort\n";
        let mut seen = Vec::new();
        rows(text.as_bytes(), delimiter(b"Agent,Time"), |line, row| {
            seen.push((
                line,
                row.map(|row| {
                    format!("{} {} {}", row.action_type.0, row.resource_id.0, row.username.0)
                }),
            ));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen[0], (2, Ok("Network egress a.example:443 ana".to_owned())));
        assert!(seen[1].1.is_err() && seen[1].0 == 3);
    }

    #[test]
    fn a_row_without_end_takes_no_more_memory_than_the_longest_record() {
        for head in ["decision,count\nallow,1\nallow,\"", "\"decision,"] {
            let stream = head.as_bytes().chain(io::repeat(b'x'));
            let mut seen = Vec::new();
            rows(stream, b',', |line, row| {
                seen.push((line, row.map(|row| row.count.0.into_owned())));
                Ok(())
            })
            .unwrap();
            let long = seen.pop().map(|(_, row)| row);
            assert_eq!(long, Some(Err("it is too long")), "{head}");
            let rows = if head.contains("allow") { vec![(2, Ok("1".to_owned()))] } else { vec![] };
            assert_eq!(seen, rows, "{head}");
        }
    }

    #[test]
    fn nested_columns_and_other_separators_are_read() {
        let text = "payload.http_request.method;count;decision\nHTTP_METHOD_GET;7;allow\n";
        rows(text.as_bytes(), delimiter(text.as_bytes()), |_, row| {
            let row = row.unwrap();
            assert_eq!((&*row.object.method.0, &*row.count.0), ("HTTP_METHOD_GET", "7"));
            Ok(())
        })
        .unwrap();
    }
}
