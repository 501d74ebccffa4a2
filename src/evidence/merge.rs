//! Combines the counts of all threads.
//!
//! Texts are compared once, to number them in their order; everything after that compares numbers.
//! Invariant: the result does not depend on which thread read a record, or when.

use std::io;

use super::asked::Asked;
use super::gather::{Gather, HashMap, earlier};
use super::ids::{Ids, repetitions};
use super::observation::{Approval, Recorded};
use super::requests::{RequestGroup, Requests, Skipped};

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
    let (asked, requests) =
        ranked(threads.iter_mut().map(|gather| std::mem::take(&mut gather.asked)), |one| &one.text);
    let actors: Vec<Vec<(String, String)>> =
        threads.iter_mut().map(|gather| std::mem::take(&mut gather.actors)).collect();
    let names = |pick: fn(&(String, String)) -> &String| {
        // The empty name stands for records that name nobody; it is the first, whether one of them
        // does or not.
        let own = actors.iter().map(move |actors| actors.iter().map(pick).cloned().collect());
        ranked(own.chain([vec![String::new()]]), String::as_str)
    };
    let (users, user_ranks) = names(|actor| &actor.0);
    let (machines, machine_ranks) = names(|actor| &actor.1);
    let rank =
        |ranks: &[Vec<usize>], thread: usize, at: u32| ranks.get(thread)?.get(at as usize).copied();
    let all = threads.iter().map(|gather| gather.cells.len()).sum();
    let mut counted: Vec<(RequestGroup, usize, usize)> = Vec::with_capacity(all);
    for (thread, gather) in threads.iter().enumerate() {
        for (at, cell) in gather.cells.iter().enumerate() {
            let ranks =
                rank(&requests, thread, cell.asked).zip(rank(&user_ranks, thread, cell.actor));
            let Some(((request, user), machine)) =
                ranks.zip(rank(&machine_ranks, thread, cell.actor))
            else {
                continue;
            };
            counted.push((RequestGroup { request, user, machine, ..cell.group }, thread, at));
        }
    }
    counted.sort_unstable_by_key(|(cell, ..)| cell.key());
    let mut cells: Vec<RequestGroup> = Vec::with_capacity(all);
    let mut numbers: Vec<Vec<usize>> =
        threads.iter().map(|gather| vec![0; gather.cells.len()]).collect();
    for (cell, thread, at) in counted {
        match cells.last_mut().filter(|last| last.key() == cell.key()) {
            Some(last) => {
                last.count = last.count.saturating_add(cell.count);
                last.first = earlier(last.first, cell.first);
                last.last = last.last.max(cell.last);
            }
            None => cells.push(cell),
        }
        if let Some(number) = numbers.get_mut(thread).and_then(|own| own.get_mut(at)) {
            *number = cells.len() - 1;
        }
    }
    let mut ids: Vec<Ids> = threads.into_iter().map(|gather| gather.ids).collect();
    repetitions(&mut ids, |same| {
        let numbered =
            same.iter().filter_map(|(thread, cell)| numbers.get(*thread)?.get(*cell as usize));
        leave_one(&mut cells, numbered.copied().collect(), &mut skipped);
    })?;
    cells.retain(|cell| cell.count > 0);
    skipped.connection += join_connections(&asked, &mut cells);
    Ok(requests_in_use(asked, users, machines, cells, skipped))
}

/// The distinct items of several lists in the order of their texts, and the position there of each
/// item of each list.
fn ranked<T>(
    lists: impl Iterator<Item = Vec<T>>,
    text: impl Fn(&T) -> &str,
) -> (Vec<T>, Vec<Vec<usize>>) {
    let lists: Vec<Vec<T>> = lists.collect();
    let mut ranks: Vec<Vec<usize>> = lists.iter().map(|items| vec![0; items.len()]).collect();
    // The lists may take most of the memory, so that none grows by doubling.
    let mut all: Vec<(T, usize, usize)> = Vec::with_capacity(lists.iter().map(Vec::len).sum());
    for (list, items) in lists.into_iter().enumerate() {
        all.extend(items.into_iter().enumerate().map(|(at, item)| (item, list, at)));
    }
    all.sort_unstable_by(|(one, ..), (other, ..)| text(one).cmp(text(other)));
    let mut distinct: Vec<T> = Vec::with_capacity(all.len());
    for (item, list, at) in all {
        if distinct.last().is_none_or(|last| text(last) != text(&item)) {
            distinct.push(item);
        }
        if let Some(rank) = ranks.get_mut(list).and_then(|own| own.get_mut(at)) {
            *rank = distinct.len() - 1;
        }
    }
    (distinct, ranks)
}

/// Takes the records that share an identity out of their cells, except one: the outcome of an
/// approval rather than the question; otherwise the smallest by its content, since the order of
/// reading is arbitrary.
fn leave_one(cells: &mut [RequestGroup], mut same: Vec<usize>, skipped: &mut Skipped) {
    let recorded = |cells: &[RequestGroup], at: usize| cells.get(at).map(|cell| cell.recorded);
    same.sort_by_key(|at| {
        (recorded(cells, *at) == Some(Recorded::Approval(Approval::Pending)), *at)
    });
    let kept = same.first().and_then(|at| recorded(cells, *at));
    for at in same.iter().skip(1) {
        let Some(cell) = cells.get_mut(*at) else { continue };
        cell.count = cell.count.saturating_sub(1);
        match (kept, cell.recorded) {
            (Some(Recorded::Approval(kept)), Recorded::Approval(own)) if kept != own => {
                skipped.resolution += 1
            }
            _ => skipped.duplicate += 1,
        }
    }
}

/// Removes the connections that HTTP requests of the same user were made on: as many as there are
/// requests, because records do not say which belong together. Allowed connections go first, since
/// a request is made on an open connection. Returns the number removed.
fn join_connections(asked: &[Asked], cells: &mut Vec<RequestGroup>) -> u64 {
    let mut on_connection: HashMap<(usize, usize), Beside> = HashMap::default();
    for same in cells.chunk_by(|one, other| one.request == other.request) {
        let request = same.first().and_then(|cell| asked.get(cell.request));
        let Some(connection) = request.and_then(Asked::connection) else { continue };
        let Ok(connection) = asked.binary_search_by(|one| one.text.as_str().cmp(&connection))
        else {
            continue;
        };
        for cell in same {
            on_connection.entry((connection, cell.user)).or_default().add(cell);
        }
    }
    if on_connection.is_empty() {
        return 0;
    }
    cells
        .sort_unstable_by_key(|cell| (cell.request, cell.user, order(cell.recorded), cell.machine));
    let mut joined = 0;
    for cell in cells.iter_mut() {
        let Some(beside) = on_connection.get_mut(&(cell.request, cell.user)) else { continue };
        if beside.overlaps(cell) {
            let own = cell.count.min(beside.count);
            (cell.count, beside.count) = (cell.count - own, beside.count - own);
            joined += own;
        }
    }
    cells.retain(|cell| cell.count > 0);
    cells.sort_unstable_by_key(RequestGroup::key);
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
        self.first = earlier(self.first, cell.first);
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

/// The requests without what no cell is about any more.
fn requests_in_use(
    asked: Vec<Asked>,
    users: Vec<String>,
    machines: Vec<String>,
    mut cells: Vec<RequestGroup>,
    skipped: Skipped,
) -> Requests {
    let (asked, requests) = in_use(asked, cells.iter().map(|cell| cell.request));
    let (users, user_ranks) = in_use(users, cells.iter().map(|cell| cell.user).chain([0]));
    let (machines, machine_ranks) =
        in_use(machines, cells.iter().map(|cell| cell.machine).chain([0]));
    let new = |ranks: &[usize], old: usize| ranks.get(old).copied().unwrap_or_default();
    for cell in &mut cells {
        cell.request = new(&requests, cell.request);
        cell.user = new(&user_ranks, cell.user);
        cell.machine = new(&machine_ranks, cell.machine);
    }
    Requests { asked, users, machines, cells, skipped }
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
