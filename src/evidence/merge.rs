//! Combines the counts of all threads.
//!
//! Texts are compared once, to number them in their order; everything after that compares numbers.
//! Invariant: the result does not depend on which thread read a record, or when.

use std::io;

use super::asked::Asked;
use super::gather::{Counted, Gather, HashMap, Words, by_number, earlier};
use super::ids::{Ids, repetitions};
use super::observation::{Approval, RecordedDecision};
use super::requests::{RequestGroup, Requests, Skipped};
use crate::source::parallel;

/// The maximum distance in time, in microseconds, between the records of a connection and of a
/// request on it.
const BESIDE: i64 = 10 * 60 * 1_000_000;

/// The counts of all threads.
///
/// # Errors
///
/// Returns an error if a temporary file cannot be read.
pub(super) fn merge(mut threads: Vec<Gather>) -> io::Result<Requests> {
    let mut skipped = Skipped::default();
    for gather in &mut threads {
        skipped.add(gather.skipped);
        gather.forget_keys();
    }
    let (asked, requests) = asked_of(threads.iter_mut().map(Gather::words).collect());
    let actors: Vec<Vec<(String, String)>> =
        threads.iter_mut().map(|gather| std::mem::take(&mut gather.actors)).collect();
    let names = |pick: fn(&(String, String)) -> &String| {
        // The empty name stands for records that name nobody; it is the first, whether one of them
        // does or not.
        let all = actors.iter().flatten().map(pick).cloned().chain([String::new()]);
        let (names, ranks) = ranked(all.collect(), String::as_str);
        let mut ranks = ranks.into_iter();
        let own = actors.iter().map(|actors| ranks.by_ref().take(actors.len()).collect());
        (names, own.collect::<Vec<Vec<u32>>>())
    };
    let (users, user_ranks) = names(|actor| &actor.0);
    let (machines, machine_ranks) = names(|actor| &actor.1);
    let (mut groups, numbers) = merged(
        &threads.iter_mut().map(Gather::groups).collect::<Vec<_>>(),
        [&requests, &user_ranks, &machine_ranks],
    );
    let ids: Vec<Ids> = threads.into_iter().map(|gather| gather.ids).collect();
    repetitions(ids, |same| {
        let numbered =
            same.iter().filter_map(|(thread, group)| numbers.get(*thread)?.get(*group as usize));
        leave_one(&mut groups, numbered.map(|at| *at as usize).collect(), &mut skipped);
    })?;
    groups.retain(|group| group.count > 0);
    skipped.connection += join_connections(&asked, &mut groups);
    Ok(requests_in_use(asked, users, machines, groups, skipped))
}

/// The distinct requests in the order of their texts, and for each thread the position there of
/// each of its words.
fn asked_of(threads: Vec<Vec<Words>>) -> (Vec<Asked>, Vec<Vec<u32>>) {
    let mut known: HashMap<Words, u32> = HashMap::default();
    let mut number = |words: Words| {
        let next = position(known.len());
        *known.entry(words).or_insert(next)
    };
    let numbers: Vec<Vec<u32>> =
        threads.into_iter().map(|words| words.into_iter().map(&mut number).collect()).collect();
    let distinct = by_number(known);
    // A spelling is translated into the engine's terms once.
    let asked = parallel::map(distinct.chunks(1 << 10).collect(), 2, |words: &[Words]| {
        words.iter().map(Words::asked).collect::<Vec<Asked>>()
    });
    drop(distinct);
    let (asked, ranks) = ranked(asked.into_iter().flatten().collect(), |one: &Asked| &one.text);
    let rank = |number: u32| ranks.get(number as usize).copied().unwrap_or_default();
    (asked, numbers.into_iter().map(|own| own.into_iter().map(rank).collect()).collect())
}

fn position(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than fit into memory")
}

/// The distinct items in the order of their texts, and the position there of each item.
fn ranked<T>(items: Vec<T>, text: impl Fn(&T) -> &str) -> (Vec<T>, Vec<u32>) {
    let text_at = |at: &usize| items.get(*at).map(&text);
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_unstable_by(|one, other| text_at(one).cmp(&text_at(other)));
    let mut ranks = vec![0; items.len()];
    let mut kept = vec![false; items.len()];
    let mut places = 0;
    for same in order.chunk_by(|one, other| text_at(one) == text_at(other)) {
        for at in same {
            if let Some(rank) = ranks.get_mut(*at) {
                *rank = position(places);
            }
        }
        if let Some(kept) = same.first().and_then(|at| kept.get_mut(*at)) {
            *kept = true;
        }
        places += 1;
    }
    let kept = items.into_iter().zip(&ranks).zip(kept).filter(|(_, kept)| *kept);
    let mut distinct: Vec<Option<T>> = (0..places).map(|_| None).collect();
    for ((item, rank), _) in kept {
        if let Some(place) = distinct.get_mut(*rank as usize) {
            *place = Some(item);
        }
    }
    (distinct.into_iter().flatten().collect(), ranks)
}

/// The groups of all threads by their content, and for each thread the position there of each of its
/// groups. The positions of requests, users and machines are given by thread.
fn merged(
    threads: &[Vec<Counted>],
    [requests, users, machines]: [&[Vec<u32>]; 3],
) -> (Vec<RequestGroup>, Vec<Vec<u32>>) {
    let mut order: Vec<([u32; 3], RecordedDecision, usize, usize)> =
        Vec::with_capacity(threads.iter().map(Vec::len).sum());
    for (thread, groups) in threads.iter().enumerate() {
        let rank = |ranks: &[Vec<u32>], at: u32| ranks.get(thread)?.get(at as usize).copied();
        let keys = groups.iter().enumerate().filter_map(|(at, group)| {
            let [request, user, machine] = [
                rank(requests, group.asked)?,
                rank(users, group.actor)?,
                rank(machines, group.actor)?,
            ];
            Some(([request, user, machine], group.recorded, thread, at))
        });
        order.extend(keys);
    }
    order.sort_unstable();
    let same = || order.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1));
    let mut merged = Vec::with_capacity(same().count());
    let mut numbers: Vec<Vec<u32>> = threads.iter().map(|groups| vec![0; groups.len()]).collect();
    for same in same() {
        let Some(([request, user, machine], recorded, ..)) = same.first().copied() else {
            continue;
        };
        let [request, user, machine] = [request, user, machine].map(|at| at as usize);
        let mut group =
            RequestGroup { request, user, machine, recorded, count: 0, first: None, last: None };
        for (.., thread, at) in same {
            let own = threads.get(*thread).and_then(|groups| groups.get(*at));
            let Some(Counted { count, times, .. }) = own else { continue };
            group.count = group.count.saturating_add(*count);
            group.first = earlier(group.first, times.map(|(first, _)| first));
            group.last = group.last.max(times.map(|(_, last)| last));
            if let Some(number) = numbers.get_mut(*thread).and_then(|own| own.get_mut(*at)) {
                *number = position(merged.len());
            }
        }
        merged.push(group);
    }
    (merged, numbers)
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
fn in_use<T>(items: Vec<T>, positions: impl Iterator<Item = usize>) -> (Vec<T>, Vec<usize>) {
    let mut used = vec![false; items.len()];
    for at in positions {
        if let Some(used) = used.get_mut(at) {
            *used = true;
        }
    }
    let mut kept = Vec::with_capacity(items.len());
    let mut ranks = Vec::with_capacity(items.len());
    for (item, used) in items.into_iter().zip(used) {
        ranks.push(kept.len());
        if used {
            kept.push(item);
        }
    }
    (kept, ranks)
}
