//! The rules for retries and their waits. Pure: the caller supplies the time and waits.
//!
//! Invariant: every call ends; its waits are limited in number, and in total by `Limits::total`.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::HeaderMap;

/// A wait before another attempt, for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The reason as a short phrase: `rate limited`, `hub.docker.com answered 503`.
    pub reason: String,
    /// The duration.
    pub wait: Duration,
    /// The attempt that failed, from 1.
    pub attempt: u32,
}

/// The reason why an attempt got no final answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// 429: the request had no effect, and the service may say when to retry.
    Limited,
    /// 502, 503, 504: the service exists, but did not answer.
    Unavailable,
    /// 500.
    Internal,
    /// No connection, a lost one, or a cut answer.
    Connection,
    /// No answer in time.
    TimeOut,
}

impl Trouble {
    /// The trouble for a status that allows another attempt, beside those that limit calls.
    pub(super) fn from_status(status: u16) -> Option<Self> {
        match status {
            502..=504 => Some(Self::Unavailable),
            500 => Some(Self::Internal),
            _ => None,
        }
    }

    /// The number of attempts.
    fn attempts(self) -> u32 {
        match self {
            Self::Limited => 30,
            Self::Unavailable => 7,
            Self::Connection => 5,
            Self::Internal => 4,
            Self::TimeOut => 3,
        }
    }
}

/// The wait before the next attempt; `None` if there is none.
///
/// `attempt` counts from 1; `told` is the wait that the service asked for. It is never shortened,
/// and is extended randomly by up to a tenth so that calls do not all return at once.
pub(super) fn wait(trouble: Trouble, attempt: u32, told: Option<Duration>) -> Option<Duration> {
    if attempt >= trouble.attempts() {
        return None;
    }
    let step = Duration::from_millis(250).saturating_mul(1 << attempt.min(7).saturating_sub(1));
    let step = step.min(Duration::from_secs(16));
    Some(match told {
        Some(told) => {
            told.max(step.min(Duration::from_secs(1))).mul_f64(1.0 + fastrand::f64() / 10.0)
        }
        None => step.mul_f64(0.5 + fastrand::f64() / 2.0),
    })
}

/// The wait that the service asks for: `Retry-After` or `X-Retry-After` in seconds, as an HTTP date
/// or as a Unix time; without these `X-RateLimit-Reset` of a 429. A time in the past is not a wait.
pub(super) fn told(status: u16, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let moment = |name: &str| header(name).and_then(|text| after(text.trim(), now));
    moment("retry-after")
        .or_else(|| moment("x-retry-after"))
        .or_else(|| (status == 429).then(|| moment("x-ratelimit-reset")).flatten())
}

fn after(text: &str, now: Timestamp) -> Option<Duration> {
    /// Numbers from here on are Unix times (2001 and later), not waits of more than thirty years.
    const UNIX_TIME: i64 = 1_000_000_000;
    /// Unix times from here on are in milliseconds.
    const UNIX_MILLIS: i64 = 1_000_000_000_000;
    let moment = match text.parse::<i64>() {
        Ok(seconds @ 0..UNIX_TIME) => return Some(Duration::from_secs(seconds.unsigned_abs())),
        Ok(seconds @ UNIX_TIME..UNIX_MILLIS) => Timestamp::from_second(seconds).ok()?,
        Ok(millis @ UNIX_MILLIS..) => Timestamp::from_millisecond(millis).ok()?,
        Ok(..0) => return None,
        Err(_) => rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?,
    };
    Some(Duration::try_from(moment.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{Trouble, told, wait};
    use jiff::Timestamp;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use std::time::Duration;

    #[test]
    fn every_way_to_say_when_is_understood() {
        let now: Timestamp = "2026-10-21T07:28:00Z".parse().unwrap(); // 1792567680
        let table = [
            (&[("retry-after", "7")][..], Some(7)),
            (&[("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")], Some(30)), // HTTP date
            (&[("retry-after", "Wed, 21 Oct 2026 07:00:00 GMT")], Some(0)),  // in the past
            (&[("retry-after", "1792567720")], Some(40)),                    // Unix time
            (&[("retry-after", "1792567720000")], Some(40)),                 // in milliseconds
            (&[("x-retry-after", "1792567690")], Some(10)),                  // the older name
            (&[("retry-after", "5"), ("x-ratelimit-reset", "1792567740")], Some(5)),
            (&[("x-ratelimit-reset", "1792567740")], Some(60)),
            (&[("retry-after", "soon"), ("x-ratelimit-reset", "1792567740")], Some(60)), // nonsense is passed over
            (&[("retry-after", "-5")], None),
            (&[("retry-after", "99999999999999999999")], None),
            (&[], None),
        ];
        for (headers, seconds) in table {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| {
                    (HeaderName::from_static(name), HeaderValue::from_static(value))
                })
                .collect();
            assert_eq!(told(429, &map, now), seconds.map(Duration::from_secs), "{headers:?}");
        }
    }

    #[test]
    fn a_reset_alone_says_nothing_of_a_503() {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("x-ratelimit-reset"),
            HeaderValue::from_static("9"),
        )]);
        assert_eq!(told(503, &headers, Timestamp::UNIX_EPOCH), None);
    }

    #[test]
    fn waits_grow_are_spread_and_end() {
        for trouble in [
            Trouble::Limited,
            Trouble::Unavailable,
            Trouble::Internal,
            Trouble::Connection,
            Trouble::TimeOut,
        ] {
            let waits: Vec<_> =
                (1..100).map_while(|attempt| wait(trouble, attempt, None)).collect();
            assert!((2..30).contains(&waits.len()), "{trouble:?} {}", waits.len());
            assert!(waits.iter().all(
                |wait| *wait >= Duration::from_millis(125) && *wait <= Duration::from_secs(16)
            ));
        }
        let told = Duration::from_secs(30);
        let asked = wait(Trouble::Limited, 1, Some(told)).unwrap();
        assert!(asked >= told && asked <= told.mul_f64(1.1));
        assert!(
            wait(Trouble::Limited, 1, Some(Duration::ZERO)).unwrap() >= Duration::from_millis(250)
        ); // no hot loop
    }
}
