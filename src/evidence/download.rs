//! The state of a download of records: the ranges of time that remain, and the length of the
//! complete part of the file.
//!
//! The service returns the newest records of a range first, at most 30 days at a time, and may ask
//! for a shorter range. Invariant: a record is in exactly one range. The service includes both ends
//! of a range, so a record of the moment at which two ranges meet is taken from the later range
//! only.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::time;
use crate::diagnostic::sanitize;

const FORMAT_VERSION: u32 = 1;
const SECOND: i64 = 1_000_000;
/// The longest range that one request covers.
const LONGEST: i64 = 30 * 86_400 * SECOND;
/// The length below which a range is not divided further.
const SHORTEST: i64 = SECOND;

/// An unfinished download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    format_version: u32,
    org: String,
    endpoint: String,
    /// The period to download, in microseconds since 1970.
    from: i64,
    to: i64,
    /// Ranges that remain, the next one last.
    ranges: Vec<Range>,
    /// The next page of that range.
    token: Option<String>,
    /// Length of the complete part of the file.
    whole: Mark,
    /// The same length when that range began.
    began: Mark,
    /// Time of the oldest record read of that range, in microseconds since 1970.
    reached: i64,
}

/// A range of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    from: i64,
    to: i64,
    /// True if records of the end of the range belong to the next range.
    open: bool,
}

/// A length of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// In bytes.
    pub bytes: u64,
    /// In records.
    pub records: u64,
}

/// The page to download next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// RFC 3339.
    pub from: String,
    /// RFC 3339.
    pub to: String,
    /// Token of the page; `None` for the first page of a range.
    pub token: Option<String>,
    /// True if the range cannot be made shorter.
    pub shortest: bool,
}

impl Download {
    /// Starts a download of the records between two moments, in microseconds since 1970.
    #[must_use]
    pub fn new(org: &str, endpoint: &str, from: i64, to: i64) -> Self {
        let mut ranges = Vec::new();
        let mut begin = from.min(to);
        loop {
            let end = begin.saturating_add(LONGEST).min(to);
            ranges.push(Range { from: begin, to: end, open: end < to });
            if end >= to {
                break;
            }
            begin = end;
        }
        let (org, endpoint) = (org.to_owned(), endpoint.to_owned());
        let (whole, began) = (Mark::default(), Mark::default());
        Self {
            format_version: FORMAT_VERSION,
            org,
            endpoint,
            from,
            to,
            ranges,
            token: None,
            whole,
            began,
            reached: to,
        }
    }

    /// Parses a saved state.
    ///
    /// # Errors
    ///
    /// Returns the reason if the text is not JSON, is of another version, or is inconsistent.
    pub fn parse(text: &str) -> Result<Self, String> {
        let download: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let is_sound = download.format_version == FORMAT_VERSION
            && download.ranges.iter().all(|range| {
                download.from <= range.from && range.from <= range.to && range.to <= download.to
            })
            && download.began.bytes <= download.whole.bytes;
        if is_sound {
            Ok(download)
        } else {
            Err("it is of another version, or does not hold together".to_owned())
        }
    }

    /// The state as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        sanitize::json(self)
    }

    /// Returns `true` if the download is of this organization at this address.
    #[must_use]
    pub fn is_of(&self, org: &str, endpoint: &str) -> bool {
        self.org == org && self.endpoint == endpoint
    }

    /// The same download from the start, with an empty file.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::new(&self.org, &self.endpoint, self.from, self.to)
    }

    /// Length of the file that is complete.
    #[must_use]
    pub fn whole(&self) -> Mark {
        self.whole
    }

    /// Length of the whole period and of the part that has been read, in seconds.
    #[must_use]
    pub fn covered(&self) -> (u64, u64) {
        let left: i64 = self.ranges.iter().map(|range| range.to - range.from).sum();
        let began = self
            .ranges
            .last()
            .map_or(0, |range| range.to - self.reached.clamp(range.from, range.to));
        let seconds = |time: i64| u64::try_from(time / SECOND).unwrap_or_default();
        let whole = self.to - self.from;
        (seconds(whole), seconds(whole - left + began))
    }

    /// The page to download next; `None` at the end.
    #[must_use]
    pub fn next(&self) -> Option<Next> {
        let range = self.ranges.last()?;
        let shortest = range.to - range.from <= SHORTEST;
        Some(Next {
            from: time::text(range.from),
            to: time::text(range.to),
            token: self.token.clone(),
            shortest,
        })
    }

    /// Returns `true` if a record belongs to the page that is being read, and not to another range.
    #[must_use]
    pub fn takes(&self, record: &Value) -> bool {
        let open = self.ranges.last().filter(|range| range.open);
        open.zip(moment(record)).is_none_or(|(range, moment)| moment < range.to)
    }

    /// Records that the page was written to the file, which grew by this much.
    pub fn advance(&mut self, grown: Mark, oldest: Option<&Value>, token: Option<String>) {
        self.whole.bytes += grown.bytes;
        self.whole.records += grown.records;
        match token {
            Some(_) => {
                self.reached =
                    oldest.and_then(moment).map_or(self.reached, |moment| moment.min(self.reached))
            }
            None => {
                self.ranges.pop();
                self.begin();
            }
        }
        self.token = token;
    }

    /// The next range, from its first page.
    pub fn restart(&mut self) {
        self.whole = self.began;
        self.token = None;
        self.begin();
    }

    /// Divides the next range and starts it again. Returns `false` if it cannot be divided.
    pub fn narrow(&mut self) -> bool {
        let Some(range) =
            self.ranges.last().copied().filter(|range| range.to - range.from > SHORTEST)
        else {
            return false;
        };
        // Whole seconds, since both sides can express these.
        let middle = range.from + (range.to - range.from) / 2 / SECOND * SECOND;
        let middle = middle.max(range.from + SECOND);
        self.ranges.pop();
        self.ranges.push(Range { from: range.from, to: middle, open: true });
        self.ranges.push(Range { from: middle, ..range });
        self.restart();
        true
    }

    fn begin(&mut self) {
        self.began = self.whole;
        self.reached = self.ranges.last().map_or(self.from, |range| range.to);
    }
}

/// Time of a record, in microseconds since 1970.
fn moment(record: &Value) -> Option<i64> {
    ["created_at", "timestamp"].iter().find_map(|name| time::parse(record.get(name)?.as_str()?))
}

#[cfg(test)]
mod tests {
    use super::{Download, Mark, SECOND};
    use serde_json::json;

    const DAY: i64 = 86_400 * SECOND;

    #[test]
    fn ranges_are_of_thirty_days_at_most_and_each_moment_is_in_one() {
        for (days, ranges) in [(0, 1), (1, 1), (30, 1), (31, 2), (90, 3), (91, 4)] {
            let download = Download::new("acme", "e", 5 * DAY, (5 + days) * DAY);
            assert_eq!(download.ranges.len(), ranges, "{days}");
            assert_eq!(
                (download.ranges[0].from, download.ranges[ranges - 1].to),
                (5 * DAY, (5 + days) * DAY)
            );
            assert!(
                download.ranges.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].open)
            );
            assert!(!download.ranges[ranges - 1].open);
        }
    }

    #[test]
    fn a_record_where_ranges_meet_is_taken_once() {
        let mut download = Download::new("acme", "e", 0, 60 * DAY);
        let record = json!({"created_at": "1970-01-31T00:00:00Z"});
        assert!(download.takes(&record));
        download.advance(Mark { bytes: 10, records: 1 }, None, None);
        assert!(
            !download.takes(&record)
                && download.takes(&json!({"timestamp": "1970-01-30T23:59:59.9Z"}))
        );
        assert!(download.takes(&json!({"timestamp": "soon"}))); // nothing is lost that cannot be told
    }

    #[test]
    fn a_range_that_takes_too_long_is_halved_and_read_anew() {
        let mut download = Download::new("acme", "e", 0, 4 * SECOND);
        download.advance(Mark { bytes: 10, records: 1 }, None, Some("t".into()));
        assert!(download.narrow());
        assert_eq!((download.whole(), download.next().unwrap().token), (Mark::default(), None));
        assert_eq!(download.next().unwrap().from, "1970-01-01T00:00:02Z");
        assert!(download.narrow() && download.next().unwrap().shortest && !download.narrow());
        let mut ends = Vec::new();
        while let Some(next) = download.next() {
            ends.push(next.from);
            download.advance(Mark::default(), None, None);
        }
        assert_eq!(ends, ["1970-01-01T00:00:03Z", "1970-01-01T00:00:02Z", "1970-01-01T00:00:00Z"]);
    }

    #[test]
    fn a_range_of_little_more_than_a_second_is_divided_after_the_first() {
        let mut download = Download::new("acme", "e", 10 * SECOND, 11 * SECOND + SECOND / 2);
        assert!(download.narrow());
        assert_eq!(download.next().unwrap().from, "1970-01-01T00:00:11Z");
        download.advance(Mark::default(), None, None);
        let next = download.next().unwrap();
        assert_eq!(
            (next.from.as_str(), next.to.as_str()),
            ("1970-01-01T00:00:10Z", "1970-01-01T00:00:11Z")
        );
    }

    #[test]
    fn a_range_that_is_read_anew_keeps_those_before_it() {
        let mut download = Download::new("acme", "e", 0, 60 * DAY);
        let first = Mark { bytes: 10, records: 1 };
        download.advance(first, None, None);
        assert_eq!(download.covered(), (60 * 86_400, 30 * 86_400));
        download.advance(Mark { bytes: 5, records: 1 }, None, Some("t".into()));
        assert!(download.narrow());
        assert_eq!((download.whole(), download.next().unwrap().token), (first, None));
    }

    #[test]
    fn what_was_kept_is_read_back_and_anything_else_refused() {
        let mut download = Download::new("acme", "e", 0, 40 * DAY);
        download.advance(
            Mark { bytes: 10, records: 1 },
            Some(&json!({"created_at": "1970-02-08T00:00:00Z"})),
            Some("t".into()),
        );
        assert_eq!(Download::parse(&download.to_json()), Ok(download.clone()));
        assert_eq!(download.covered(), (40 * 86_400, 2 * 86_400));
        for wrong in [
            "",
            "{}",
            &download.to_json().replace("\"format_version\": 1", "\"format_version\": 2"),
        ] {
            assert!(Download::parse(wrong).is_err(), "{wrong}");
        }
    }
}
