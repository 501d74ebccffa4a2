//! The recorded requests with their users and counts: everything that is kept of the records.
//!
//! Invariant: sorted by content, so that the same records give the same value. A connection on which an HTTP request
//! was recorded counts once, as that request.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::observation::{Approval, Recorded};
use super::time;

/// The maximum distance in time, in microseconds, between the records of a connection and of a request on it.
const BESIDE: i64 = 10 * 60 * 1_000_000;

/// Recorded requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requests {
    /// The distinct requests, by their texts.
    pub asked: Vec<Asked>,
    /// The users who asked, sorted. The first entry stands for records that name no user.
    pub users: Vec<String>,
    /// The machines, in the same way.
    pub machines: Vec<String>,
    /// Sorted by request, user, machine and decision.
    pub cells: Vec<RequestGroup>,
    /// The records that were skipped.
    pub skipped: Skipped,
}

/// The same request of one user on one machine with the same decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestGroup {
    /// Index into [`Requests::asked`].
    pub request: usize,
    /// Index into [`Requests::users`].
    pub user: usize,
    /// Index into [`Requests::machines`].
    pub machine: usize,
    /// The recorded decision.
    pub recorded: Recorded,
    /// The number of records.
    pub count: u64,
    /// The time of the first record, in microseconds since 1970; `None` if no record has a time.
    pub first: Option<i64>,
    /// The time of the last record.
    pub last: Option<i64>,
}

/// Numbers of records that were skipped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Executions, management, and other records that are not decisions.
    pub not_a_decision: u64,
    /// Decisions that were recorded and not enforced.
    pub not_enforced: u64,
    /// Records whose identity was counted before.
    pub duplicate: u64,
    /// Lines and objects that are not records.
    pub broken: u64,
    /// Connections that are counted as the HTTP request made on them.
    #[serde(default)]
    pub connection: u64,
    /// Approval questions that are counted by their outcome.
    #[serde(default)]
    pub resolution: u64,
}

/// The period and the number of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// The time of the first record that counts; null if none has a time.
    pub first: Option<String>,
    /// The time of the last one.
    pub last: Option<String>,
    /// The number of records that count.
    pub records: u64,
    /// The number of distinct requests.
    pub requests: usize,
    /// The number of users named.
    pub users: usize,
    /// The records that were skipped.
    pub skipped: Skipped,
}

impl RequestGroup {
    pub(super) fn new(recorded: Recorded) -> Self {
        Self { request: 0, user: 0, machine: 0, recorded, count: 0, first: None, last: None }
    }
}

impl Skipped {
    pub(super) fn add(&mut self, other: Self) {
        let Self { not_a_decision, not_enforced, duplicate, broken, connection, resolution } = other;
        self.not_a_decision += not_a_decision;
        self.not_enforced += not_enforced;
        self.duplicate += duplicate;
        self.broken += broken;
        self.connection += connection;
        self.resolution += resolution;
    }
}

impl Requests {
    pub(super) fn new(
        asked: BTreeMap<String, Asked>,
        cells: impl Iterator<Item = (String, String, String, RequestGroup)>,
        skipped: Skipped,
    ) -> Self {
        let mut named: Vec<(String, String, String, RequestGroup)> = cells.collect();
        let mut skipped = skipped;
        skipped.connection += join_connections(&asked, &mut named);
        let names = |pick: fn(&(String, String, String, RequestGroup)) -> &String| -> Vec<String> {
            let all: BTreeSet<String> = named.iter().map(pick).cloned().chain([String::new()]).collect();
            all.into_iter().collect()
        };
        let (users, machines) = (names(|cell| &cell.1), names(|cell| &cell.2));
        let used: BTreeSet<&str> = named.iter().map(|cell| cell.0.as_str()).collect();
        let texts: Vec<&str> = used.iter().copied().collect();
        let at = |list: &[String], name: &String| list.binary_search(name).unwrap_or_default();
        let mut cells: Vec<RequestGroup> = named
            .iter()
            .map(|(text, user, machine, cell)| RequestGroup {
                request: texts.binary_search(&text.as_str()).unwrap_or_default(),
                user: at(&users, user),
                machine: at(&machines, machine),
                ..*cell
            })
            .collect();
        cells.sort_unstable_by_key(|cell| (cell.request, cell.user, cell.machine, cell.recorded));
        let asked = texts.iter().filter_map(|text| asked.get(*text)).cloned().collect();
        Self { asked, users, machines, cells, skipped }
    }

    /// The period and the number of the records.
    #[must_use]
    pub fn window(&self) -> Window {
        let users: BTreeSet<usize> = self.cells.iter().map(|cell| cell.user).filter(|user| *user > 0).collect();
        Window {
            first: self.cells.iter().filter_map(|cell| cell.first).min().map(time::text),
            last: self.cells.iter().filter_map(|cell| cell.last).max().map(time::text),
            records: self.cells.iter().map(|cell| cell.count).sum(),
            requests: self.asked.len(),
            users: users.len(),
            skipped: self.skipped,
        }
    }

    /// The length of the period, in microseconds.
    #[must_use]
    pub fn length(&self) -> i64 {
        let first = self.cells.iter().filter_map(|cell| cell.first).min();
        let last = self.cells.iter().filter_map(|cell| cell.last).max();
        first.zip(last).map_or(0, |(first, last)| last - first)
    }

    /// The cells of each request.
    pub fn by_request(&self) -> impl Iterator<Item = (&Asked, &[RequestGroup])> {
        let cells = self.cells.chunk_by(|one, other| one.request == other.request);
        cells.filter_map(|cells| Some((self.asked.get(cells.first()?.request)?, cells)))
    }
}

/// Removes the connections that HTTP requests of the same user were made on: as many as there are requests, because
/// records do not say which belong together. Allowed connections go first, since a request is made on an open
/// connection. Returns the number removed.
fn join_connections(asked: &BTreeMap<String, Asked>, cells: &mut Vec<(String, String, String, RequestGroup)>) -> u64 {
    cells.sort_unstable_by(|one, other| {
        (&one.0, &one.1, order(one.3.recorded), &one.2).cmp(&(&other.0, &other.1, order(other.3.recorded), &other.2))
    });
    let mut requests: BTreeMap<(String, String), Beside> = BTreeMap::new();
    for (text, user, _, cell) in cells.iter() {
        let Some(connection) = asked.get(text).and_then(Asked::connection) else { continue };
        requests.entry((connection, user.clone())).or_default().add(cell);
    }
    if requests.is_empty() {
        return 0;
    }
    let mut joined = 0;
    for (text, user, _, cell) in cells.iter_mut() {
        if !asked.get(text.as_str()).is_some_and(Asked::is_connection) {
            continue;
        }
        let Some(beside) = requests.get_mut(&(text.clone(), user.clone())) else { continue };
        if beside.overlaps(cell) {
            let own = cell.count.min(beside.count);
            (cell.count, beside.count) = (cell.count - own, beside.count - own);
            joined += own;
        }
    }
    cells.retain(|(.., cell)| cell.count > 0);
    joined
}

/// The HTTP requests of one user to one host and port.
#[derive(Debug, Default)]
struct Beside {
    count: u64,
    first: Option<i64>,
    last: Option<i64>,
}

impl Beside {
    fn add(&mut self, cell: &RequestGroup) {
        self.count = self.count.saturating_add(cell.count);
        self.first = match (self.first, cell.first) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.last = self.last.max(cell.last);
    }

    fn overlaps(&self, cell: &RequestGroup) -> bool {
        let before = |one: Option<i64>, other: Option<i64>| {
            one.zip(other).is_none_or(|(one, other)| one <= other.saturating_add(BESIDE))
        };
        before(cell.first, self.last) && before(self.first, cell.last)
    }
}

fn order(recorded: Recorded) -> u8 {
    match recorded {
        Recorded::Allow => 0,
        Recorded::Approval(Approval::Granted) => 1,
        Recorded::Approval(_) => 2,
        Recorded::Deny(_) => 3,
    }
}
