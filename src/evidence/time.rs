//! Times of records, in microseconds since 1970.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Parses a time: RFC 3339, the same without a zone (UTC), or a number of seconds, milliseconds,
/// microseconds or nanoseconds.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(quick) = utc(text.as_bytes()) {
        return Some(quick);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_microsecond());
    }
    if let Ok(number) = text.parse::<f64>() {
        return number_of(number);
    }
    let plain = text.strip_suffix(" UTC").unwrap_or(text);
    let time = plain.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(time.timestamp().as_microsecond())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked, and a part of a microsecond is nothing"
)]
fn number_of(number: f64) -> Option<i64> {
    let scale = match number.abs() {
        size if size < 1e11 => 1e6,
        size if size < 1e14 => 1e3,
        size if size < 1e17 => 1.0,
        size if size < 1e20 => 1e-3,
        _ => return None,
    };
    (number.is_finite()).then_some((number * scale) as i64)
}

/// Parses `2026-11-27T18:04:00.123456Z`, the form of nearly all records, ten times faster than the
/// general parser.
pub(super) fn utc(text: &[u8]) -> Option<i64> {
    Clock::default().utc(text)
}

/// The day of the last time that was parsed: the next one is nearly always on the same day.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The date with its `T`; empty at first.
    date: Vec<u8>,
    /// The start of the day.
    start: i64,
}

impl Clock {
    /// As [`utc`].
    pub(super) fn utc(&mut self, text: &[u8]) -> Option<i64> {
        let (date, time) = text.split_at_checked(11)?;
        let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = time else { return None };
        let two = |high: &u8, low: &u8| number(&[*high, *low]);
        let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let fraction = match rest {
            [b'Z'] => 0,
            [b'.', a, b, c, d, e, f, b'Z'] => number(&[*a, *b, *c, *d, *e, *f])?,
            [b'.', digits @ .., b'Z']
                if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) =>
            {
                let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
                padded.fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0'))
            }
            _ => return None,
        };
        if self.date != date {
            self.start = day(date)? * 86_400_000_000;
            self.date = date.to_vec();
        }
        Some(self.start + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction)
    }
}

/// The number that these digits are.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// The number of days from 1970 to a date such as `2026-11-27T`.
fn day(date: &[u8]) -> Option<i64> {
    let [year @ .., b'-', m1, m2, b'-', d1, d2, b'T'] = date else { return None };
    let (year, month, day) = (number(year)?, number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=longest).contains(&day) {
        return None;
    }
    // Days by the civil calendar, with years that start in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(
        365 * year + year.div_euclid(4) - year.div_euclid(100)
            + year.div_euclid(400)
            + (153 * month + 2) / 5
            + day
            - 1
            - 719_468,
    )
}

/// A time as JSON and people read it: RFC 3339 in UTC.
pub(super) fn text(microseconds: i64) -> String {
    Timestamp::from_microsecond(microseconds)
        .map_or_else(|_| String::new(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_exports_have() {
        for (given, shown) in [
            ("2026-05-28T19:15:00.728933Z", "2026-05-28T19:15:00.728933Z"),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.5Z"),
            ("2026-05-28T19:15:00.728933123Z", "2026-05-28T19:15:00.728933Z"), // finer than we count
            ("2026-05-28T21:15:00+02:00", "2026-05-28T19:15:00Z"),
            ("2026-05-28 19:15:00", "2026-05-28T19:15:00Z"), // a CSV export
            ("2026-05-28 19:15:00 UTC", "2026-05-28T19:15:00Z"),
            ("1780000000", "2026-05-28T20:26:40Z"),
            ("1780000000123", "2026-05-28T20:26:40.123Z"),
            ("1780000000123456", "2026-05-28T20:26:40.123456Z"),
            ("1780000000123456789", "2026-05-28T20:26:40.123456Z"),
        ] {
            assert_eq!(parse(given).map(text).as_deref(), Some(shown), "{given}");
        }
        for wrong in [
            "",
            "yesterday",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "1e20",
            "1e300",
            "NaN",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_quick_way_agrees_with_the_calendar() {
        let mut clock = Clock::default();
        for second in (0..4_000_000_000_i64).step_by(86_399 * 7) {
            let text = text(second * 1_000_000);
            assert_eq!(utc(text.as_bytes()), Some(second * 1_000_000), "{text}");
            let later = format!("{}23:59:59.25Z", &text[..11]);
            for text in [text.as_str(), &later, &text, "2026-02-30T00:00:00Z", &later] {
                assert_eq!(clock.utc(text.as_bytes()), utc(text.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn the_leap_years_of_centuries_are_those_of_the_calendar() {
        for (date, exists) in [("2000", true), ("2100", false), ("2400", true), ("1900", false)] {
            let text = format!("{date}-02-29T00:00:00Z");
            let parsed = text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond);
            assert_eq!((utc(text.as_bytes()), parsed.is_some()), (parsed, exists), "{date}");
        }
    }

    #[test]
    fn what_is_no_time_is_none_for_a_day_that_is_known() {
        let mut clock = Clock::default();
        assert!(clock.utc(b"2026-11-01T00:00:00Z").is_some());
        for wrong in [
            "2026-11-01T24:00:00Z",
            "2026-11-01T00:60:00Z",
            "2026-11-01T00:00:60Z",
            "2026-11-01T00:00:00.Z",
            "2026-11-01T00:00:00.12345xZ",
            "2026-11-01T00:00:00",
            "2026-11-01T0:00:00Z",
            "2026-11-01 00:00:00Z",
            "2026-11-01T",
            "",
        ] {
            assert_eq!(clock.utc(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
