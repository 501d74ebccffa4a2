//! The recorded requests with their users and counts: everything that is kept of the records.
//!
//! Invariant: sorted by content, so that the same records give the same value. A connection on
//! which an HTTP request was recorded counts once, as that request.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::observation::RecordedDecision;
use super::time;

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
    pub groups: Vec<RequestGroup>,
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
    pub recorded: RecordedDecision,
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
    /// The identity and the order of a group.
    pub(super) fn key(&self) -> (usize, usize, usize, RecordedDecision) {
        (self.request, self.user, self.machine, self.recorded)
    }
}

impl Skipped {
    pub(super) fn add(&mut self, other: Self) {
        let Self { not_a_decision, not_enforced, duplicate, broken, connection, resolution } =
            other;
        self.not_a_decision += not_a_decision;
        self.not_enforced += not_enforced;
        self.duplicate += duplicate;
        self.broken += broken;
        self.connection += connection;
        self.resolution += resolution;
    }
}

impl Requests {
    /// The period and the number of the records.
    #[must_use]
    pub fn window(&self) -> Window {
        let users: BTreeSet<usize> =
            self.groups.iter().map(|group| group.user).filter(|user| *user > 0).collect();
        Window {
            first: self.groups.iter().filter_map(|group| group.first).min().map(time::text),
            last: self.groups.iter().filter_map(|group| group.last).max().map(time::text),
            records: self.groups.iter().map(|group| group.count).sum(),
            requests: self.asked.len(),
            users: users.len(),
            skipped: self.skipped,
        }
    }

    /// The length of the period, in microseconds.
    #[must_use]
    pub fn length(&self) -> i64 {
        let first = self.groups.iter().filter_map(|group| group.first).min();
        let last = self.groups.iter().filter_map(|group| group.last).max();
        first.zip(last).map_or(0, |(first, last)| last - first)
    }

    /// The groups of each request.
    pub fn by_request(&self) -> impl Iterator<Item = (&Asked, &[RequestGroup])> {
        let groups = self.groups.chunk_by(|one, other| one.request == other.request);
        groups.filter_map(|groups| Some((self.asked.get(groups.first()?.request)?, groups)))
    }
}
