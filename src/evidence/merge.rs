//! Combines the counts of all threads.
//!
//! Texts are compared once, to number them in their order; everything after that compares numbers.
//! Invariant: the result does not depend on which thread read a record, or when.

use std::io;

use super::asked::Asked;
use super::ids::{Ids, repetitions};
use super::observation::{Approval, RecordedDecision};
use super::requests::{RequestGroup, Requests, Skipped};
use super::shared::{Counts, HashMap, Key, Shared};
use super::words::Words;
use crate::source::parallel;

/// The maximum distance in time, in microseconds, between the records of a connection and of a
/// request on it.
const BESIDE: i64 = 10 * 60 * 1_000_000;
/// The least number of items that are worth a thread to sort them.
const SORTED: usize = 1 << 14;
/// The number of requests that a thread translates at a time.
const TRANSLATED: usize = 1 << 10;

/// The counts of all threads, with what each of them has of its own.
///
/// # Errors
///
/// Returns an error if a temporary file cannot be read.
pub(super) fn merge(shared: Shared, threads: Vec<(Ids, Skipped)>) -> io::Result<Requests> {
    let Shared { requests, actors, groups, .. } = shared;
    let (asked, requests) = ranked_requests(requests.into_keys());
    let (users, machines): (Vec<String>, Vec<String>) = actors.into_keys().into_iter().unzip();
    // The empty name stands for records that name nobody; it is there, whether one of them does or
    // not.
    let names = |names: Vec<String>| ranked(vec![names, vec![String::new()]], String::as_str);
    let ((users, user_ranks), (machines, machine_ranks)) = (names(users), names(machines));
    let (mut groups, positions) =
        ranked_groups(groups.into_parts(), [&requests, &user_ranks, &machine_ranks]);
    let mut skipped = Skipped::default();
    let ids = threads.into_iter().map(|(ids, own)| {
        skipped.add(own);
        ids
    });
    repetitions(ids.collect(), |same| {
        let positions = same.iter().filter_map(|group| positions.get(*group as usize));
        leave_one(&mut groups, positions.map(|at| *at as usize).collect(), &mut skipped);
    })?;
    groups.retain(|group| group.count > 0);
    skipped.connection += join_connections(&asked, &mut groups);
    Ok(requests_in_use(asked, users, machines, groups, skipped))
}

/// The distinct requests in the order of their texts, and the position there of each of these words.
fn ranked_requests(words: Vec<Words>) -> (Vec<Asked>, Vec<u32>) {
    // A spelling is translated into the engine's terms once.
    let asked = parallel::map(words.chunks(TRANSLATED).collect(), 2, |words: &[Words]| {
        words.iter().map(Words::asked).collect::<Vec<Asked>>()
    });
    drop(words);
    ranked(asked, |one: &Asked| &one.text)
}

/// Sorts in two steps: parts of it in parallel, and then all of it.
fn sort<T: Send + Ord>(all: &mut [T]) {
    let part = all.len().div_ceil(parallel::processors()).max(SORTED);
    parallel::map(all.chunks_mut(part).collect(), 1, |part: &mut [T]| part.sort_unstable());
    // A stable sort finds parts that are sorted, and merges them.
    all.sort();
}

fn position(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than fit into memory")
}

/// The distinct items of some lists in the order of their texts, and the position there of each
/// item.
fn ranked<T>(lists: Vec<Vec<T>>, text: impl Fn(&T) -> &str) -> (Vec<T>, Vec<u32>) {
    let count: usize = lists.iter().map(Vec::len).sum();
    let mut order: Vec<(&str, u32)> = Vec::with_capacity(count);
    order.extend(lists.iter().flatten().map(&text).zip(0..));
    sort(&mut order);
    let mut ranks = vec![0; count];
    // Of the items with the same text, one is kept.
    let mut kept = vec![false; count];
    let mut places = 0;
    for same in order.chunk_by(|(one, _), (other, _)| one == other) {
        for (_, at) in same {
            if let Some(rank) = ranks.get_mut(*at as usize) {
                *rank = position(places);
            }
        }
        if let Some(kept) = same.first().and_then(|(_, at)| kept.get_mut(*at as usize)) {
            *kept = true;
        }
        places += 1;
    }
    drop(order);
    let mut distinct: Vec<Option<T>> = (0..places).map(|_| None).collect();
    let items = lists.into_iter().flatten();
    for ((item, rank), _) in items.zip(&ranks).zip(kept).filter(|(_, kept)| *kept) {
        if let Some(place) = distinct.get_mut(*rank as usize) {
            *place = Some(item);
        }
    }
    // The same memory serves the items without their options.
    (distinct.into_iter().map(|item| item.expect("one is kept for each place")).collect(), ranks)
}

/// The groups by their content, and the position there of each, by its number.
fn ranked_groups(
    parts: Vec<HashMap<Key, Counts>>,
    [requests, users, machines]: [&[u32]; 3],
) -> (Vec<RequestGroup>, Vec<u32>) {
    let rank = |ranks: &[u32], at: u32| ranks.get(at as usize).map(|rank| *rank as usize);
    let group = |(Key { asked, actor, recorded }, counts): (&Key, &Counts)| {
        let request = rank(requests, *asked)?;
        let (user, machine) = (rank(users, *actor)?, rank(machines, *actor)?);
        let (count, (first, last)) = (counts.count, counts.times().unzip());
        let recorded = *recorded;
        let group = RequestGroup { request, user, machine, recorded, count, first, last };
        Some((request, (group, counts.number)))
    };
    let mut groups = by_bucket(requests.len(), || parts.iter().flatten().filter_map(group));
    drop(parts);
    // Each request has few of them.
    groups
        .chunk_by_mut(|(one, _), (other, _)| one.request == other.request)
        .for_each(|same| same.sort_unstable_by_key(|(group, _)| group.key()));
    // Two spellings of a request are one.
    let is_same = |one: &RequestGroup, other: &RequestGroup| one.key() == other.key();
    let mut positions = vec![0; groups.len()];
    let distinct = groups.chunk_by(|(one, _), (other, _)| is_same(one, other));
    for (at, (_, number)) in
        distinct.enumerate().flat_map(|(at, same)| same.iter().map(move |one| (at, one)))
    {
        if let Some(position) = positions.get_mut(*number as usize) {
            *position = self::position(at);
        }
    }
    groups.dedup_by(|(other, _), (one, _)| {
        let is_same = is_same(one, other);
        if is_same {
            one.count = one.count.saturating_add(other.count);
            (one.first, one.last) = (earlier(one.first, other.first), one.last.max(other.last));
        }
        is_same
    });
    (groups.into_iter().map(|(group, _)| group).collect(), positions)
}

/// The items of each bucket, one bucket after another. No memory is taken but that of the result.
fn by_bucket<T: Clone, I: Iterator<Item = (usize, T)>>(
    buckets: usize,
    items: impl Fn() -> I,
) -> Vec<T> {
    let Some((_, any)) = items().next() else { return Vec::new() };
    let mut next = vec![0; buckets + 1];
    items().for_each(|(bucket, _)| {
        if let Some(start) = next.get_mut(bucket + 1) {
            *start += 1;
        }
    });
    let mut all = 0;
    for start in &mut next {
        all += *start;
        *start = all;
    }
    let mut placed = vec![any; all];
    items().for_each(|(bucket, item)| {
        let Some(at) = next.get_mut(bucket) else { return };
        if let Some(place) = placed.get_mut(*at) {
            *place = item;
        }
        *at += 1;
    });
    placed
}

/// Takes the records that share an identity out of their groups, except one: the outcome of an
/// approval rather than the question; otherwise the smallest by its content, since the order of
/// reading is arbitrary.
fn leave_one(groups: &mut [RequestGroup], mut same: Vec<usize>, skipped: &mut Skipped) {
    let recorded = |groups: &[RequestGroup], at: usize| groups.get(at).map(|group| group.recorded);
    same.sort_by_key(|at| {
        (recorded(groups, *at) == Some(RecordedDecision::Approval(Approval::Pending)), *at)
    });
    let kept = same.first().and_then(|at| recorded(groups, *at));
    for at in same.iter().skip(1) {
        let Some(group) = groups.get_mut(*at) else { continue };
        group.count = group.count.saturating_sub(1);
        match (kept, group.recorded) {
            (Some(RecordedDecision::Approval(kept)), RecordedDecision::Approval(own))
                if kept != own =>
            {
                skipped.resolution += 1
            }
            _ => skipped.duplicate += 1,
        }
    }
}

/// Removes the connections that HTTP requests of the same user were made on: as many as there are
/// requests, because records do not say which belong together. Allowed connections go first, since
/// a request is made on an open connection. Returns the number removed.
fn join_connections(asked: &[Asked], groups: &mut Vec<RequestGroup>) -> u64 {
    let mut on_connection: HashMap<(usize, usize), Beside> = HashMap::default();
    for same in groups.chunk_by(|one, other| one.request == other.request) {
        let request = same.first().and_then(|group| asked.get(group.request));
        let Some(connection) = request.and_then(Asked::connection) else { continue };
        let Ok(connection) = asked.binary_search_by(|one| one.text.as_str().cmp(&connection))
        else {
            continue;
        };
        for group in same {
            on_connection.entry((connection, group.user)).or_default().add(group);
        }
    }
    if on_connection.is_empty() {
        return 0;
    }
    let mut joined = 0;
    for same in
        groups.chunk_by_mut(|one, other| (one.request, one.user) == (other.request, other.user))
    {
        let place = same.first().map(|group| (group.request, group.user));
        let Some(beside) = place.and_then(|place| on_connection.get_mut(&place)) else { continue };
        same.sort_unstable_by_key(|group| (order(group.recorded), group.machine, group.recorded));
        for group in &mut *same {
            if beside.overlaps(group) {
                let own = group.count.min(beside.count);
                (group.count, beside.count) = (group.count - own, beside.count - own);
                joined += own;
            }
        }
        same.sort_unstable_by_key(|group| group.key());
    }
    groups.retain(|group| group.count > 0);
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
    fn add(&mut self, group: &RequestGroup) {
        self.count = self.count.saturating_add(group.count);
        self.first = earlier(self.first, group.first);
        self.last = self.last.max(group.last);
    }

    fn overlaps(&self, group: &RequestGroup) -> bool {
        let before = |one: Option<i64>, other: Option<i64>| {
            one.zip(other).is_none_or(|(one, other)| one <= other.saturating_add(BESIDE))
        };
        before(group.first, self.last) && before(self.first, group.last)
    }
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn order(recorded: RecordedDecision) -> u8 {
    match recorded {
        RecordedDecision::Allow => 0,
        RecordedDecision::Approval(Approval::Granted) => 1,
        RecordedDecision::Approval(_) => 2,
        RecordedDecision::Deny(_) => 3,
    }
}

/// The requests without what no group is about any more.
fn requests_in_use(
    asked: Vec<Asked>,
    users: Vec<String>,
    machines: Vec<String>,
    mut groups: Vec<RequestGroup>,
    skipped: Skipped,
) -> Requests {
    let (asked, requests) = in_use(asked, groups.iter().map(|group| group.request));
    let (users, user_ranks) = in_use(users, groups.iter().map(|group| group.user).chain([0]));
    let (machines, machine_ranks) =
        in_use(machines, groups.iter().map(|group| group.machine).chain([0]));
    let new = |ranks: &[usize], old: usize| ranks.get(old).copied().unwrap_or_default();
    for group in &mut groups {
        group.request = new(&requests, group.request);
        group.user = new(&user_ranks, group.user);
        group.machine = new(&machine_ranks, group.machine);
    }
    Requests { asked, users, machines, groups, skipped }
}

/// The items at some positions, and the new position of each.
fn in_use<T>(mut items: Vec<T>, positions: impl Iterator<Item = usize>) -> (Vec<T>, Vec<usize>) {
    let mut used = vec![false; items.len()];
    for at in positions {
        if let Some(used) = used.get_mut(at) {
            *used = true;
        }
    }
    let mut kept = 0;
    let ranks = used.iter().map(|used| {
        let rank = kept;
        kept += usize::from(*used);
        rank
    });
    let ranks = ranks.collect();
    let mut used = used.into_iter();
    items.retain(|_| used.next().unwrap_or_default());
    (items, ranks)
}
