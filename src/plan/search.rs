//! An order for calls that the places alone do not prove safe.
//!
//! Invariant: after each call of an order found here, nothing is open that both ends keep closed, checked for every
//! request that the call touches; and if any order of these calls is safe, one is found (short of [`BUDGET`]).
//!
//! Why it is enough to try the calls that both narrow and widen: a call that only narrows can be moved to the front of
//! any safe order, since every later state only loses by it, and one that only widens to the back.

use std::collections::{BTreeSet, HashSet};

use super::effect::Place;
use super::space::{Move, Space, State};

/// States looked at before a search gives up and the calls are split instead.
const BUDGET: usize = 5_000;

/// A call as the search sees it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) effect: Move,
    pub(super) place: Place,
    pub(super) narrows: bool,
    pub(super) widens: bool,
    /// Indexes of calls that must come before, as far as they are in the search.
    pub(super) needs: Vec<usize>,
    /// The requests whose answer it can change.
    pub(super) requests: BTreeSet<usize>,
}

/// A safe order of all these calls, as indexes; `None` where none was found.
///
/// First the order of places, call by call, with whatever is safe next: it keeps open what both ends keep open. Where
/// that leads nowhere, narrowing calls first: more is closed on the way, and nothing opened.
pub(super) fn order(space: &Space, start: &State, calls: &[Call]) -> Option<Vec<usize>> {
    by_place(space, start, calls).or_else(|| narrowing_first(space, start, calls))
}

fn by_place(space: &Space, start: &State, calls: &[Call]) -> Option<Vec<usize>> {
    let mut preferred: Vec<usize> = (0..calls.len()).collect();
    preferred.sort_by_key(|index| (calls.get(*index).map(|call| call.place), *index));
    let mut state = start.clone();
    let mut order = Vec::new();
    let mut done = vec![false; calls.len()];
    while !preferred.is_empty() {
        let (position, next) = preferred.iter().enumerate().find_map(|(position, index)| {
            let call = calls.get(*index)?;
            Some((position, step(space, &state, call, &done)?))
        })?;
        let index = preferred.remove(position);
        if let Some(slot) = done.get_mut(index) {
            *slot = true;
        }
        order.push(index);
        state = next;
    }
    Some(order)
}

/// The state after a call, if the call can be made now and opens nothing.
fn step(space: &Space, state: &State, call: &Call, done: &[bool]) -> Option<State> {
    if call.needs.iter().any(|need| !done.get(*need).copied().unwrap_or(true)) {
        return None;
    }
    let next = state.after(&call.effect);
    space.opening(&next, &call.requests).is_none().then_some(next)
}

fn narrowing_first(space: &Space, start: &State, calls: &[Call]) -> Option<Vec<usize>> {
    let mut search = Search { space, calls, dead: HashSet::new(), budget: BUDGET };
    let mut order = Vec::new();
    search.from(start.clone(), &mut order).then_some(order)
}

struct Search<'a> {
    space: &'a Space,
    calls: &'a [Call],
    /// Sets of calls from which no safe order goes on.
    dead: HashSet<Vec<usize>>,
    budget: usize,
}

impl Search<'_> {
    fn from(&mut self, mut state: State, order: &mut Vec<usize>) -> bool {
        let depth = order.len();
        while let Some((index, next)) = self.next_narrowing(&state, order) {
            order.push(index);
            state = next;
        }
        if order.len() == self.calls.len() {
            return true;
        }
        let mut key = order.clone();
        key.sort_unstable();
        if self.budget == 0 || self.dead.contains(&key) {
            order.truncate(depth);
            return false;
        }
        self.budget -= 1;
        let mut candidates: Vec<usize> = (0..self.calls.len()).filter(|index| !order.contains(index)).collect();
        candidates.sort_by_key(|index| self.calls.get(*index).map(|call| (call.widens, call.place, *index)));
        for index in candidates {
            let Some(call) = self.calls.get(index) else { continue };
            if let Some(next) = step(self.space, &state, call, &self.done(order)) {
                order.push(index);
                if self.from(next, order) {
                    return true;
                }
                order.pop();
            }
        }
        self.dead.insert(key);
        order.truncate(depth);
        false
    }

    fn done(&self, order: &[usize]) -> Vec<bool> {
        let mut done = vec![false; self.calls.len()];
        for index in order {
            if let Some(slot) = done.get_mut(*index) {
                *slot = true;
            }
        }
        done
    }

    fn next_narrowing(&self, state: &State, order: &[usize]) -> Option<(usize, State)> {
        self.calls.iter().enumerate().find_map(|(index, call)| {
            if !call.narrows || order.contains(&index) {
                return None;
            }
            Some((index, step(self.space, state, call, &self.done(order))?))
        })
    }
}
