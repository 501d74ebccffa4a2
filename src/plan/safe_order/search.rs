//! The search for an order of calls that their phases do not prove safe.
//!
//! Invariant: after each call of an order found here, nothing is open that both ends keep closed,
//! checked for every request that the call touches; and if any order of these calls is safe, one is
//! found (short of [`BUDGET`]).
//!
//! An order is preferred whose states stay closed without the denies that the calls remove
//! ([`Space::leans`]): somebody may delete such a deny by hand just before a call, and the call is
//! sent, since it is about something else.
//!
//! Only calls that both narrow and widen have to be tried. A call that only narrows can be moved to
//! the front of any safe order, since every later state only loses access by it, and a call that
//! only widens can be moved to the back. A narrowing call may still leave an audience without a
//! policy, so that calls that remove rules are tried too.

use std::collections::{BTreeSet, HashSet, VecDeque};

use super::effect::Stage;
use super::space::{Move, Space, State};

/// The number of attempted calls after which the search gives up and calls are split instead. A
/// limit of states would not bound the time, since every call is tried from each of them.
const BUDGET: usize = 10_000;

/// The same for an order that leans on no deny that goes: there may be none, where there is one
/// that does.
const STRICT_BUDGET: usize = 2_000;

/// The denies that may keep a state closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    /// Those that are there after the plan too.
    Staying,
    /// Whichever are there.
    Any,
}

/// A call as the search sees it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) effect: Move,
    pub(super) stage: Stage,
    pub(super) narrows: bool,
    pub(super) widens: bool,
    /// Indexes of calls of this search that must come before.
    pub(super) needs: Vec<usize>,
    /// The requests whose answer the call can change.
    pub(super) requests: BTreeSet<usize>,
}

/// A safe order of all these calls, as indexes; `None` if none was found.
///
/// First the order of phases, call by call, always with the next safe call: it keeps access that
/// both ends allow. If that fails, narrowing calls first: access is interrupted for a moment, but
/// nothing opens.
pub(super) fn order(space: &Space, start: &State, calls: &[Call]) -> Option<Vec<usize>> {
    let under = |closing, budget| {
        by_stage(space, start, calls, closing)
            .or_else(|| narrowing_first(space, start, calls, closing, budget))
    };
    under(Closing::Staying, STRICT_BUDGET).or_else(|| under(Closing::Any, BUDGET))
}

fn by_stage(space: &Space, start: &State, calls: &[Call], closing: Closing) -> Option<Vec<usize>> {
    let mut waiting: Vec<usize> = (0..calls.len()).collect();
    waiting.sort_by_key(|index| (calls.get(*index).map(|call| call.stage), *index));
    let mut waiting = VecDeque::from(waiting);
    let mut state = start.clone();
    let mut order = Vec::new();
    let mut done = vec![false; calls.len()];
    let mut budget = BUDGET + calls.len();
    while !waiting.is_empty() {
        let position = waiting.iter().position(|index| {
            budget = budget.saturating_sub(1);
            budget > 0
                && calls
                    .get(*index)
                    .is_some_and(|call| step(space, &mut state, call, &done, closing).is_some())
        })?;
        let index = waiting.remove(position)?;
        if let Some(slot) = done.get_mut(index) {
            *slot = true;
        }
        order.push(index);
    }
    Some(order)
}

/// Makes a call if its dependencies are done and it opens nothing. Returns the state that undoes
/// it.
fn step(
    space: &Space,
    state: &mut State,
    call: &Call,
    done: &[bool],
    closing: Closing,
) -> Option<Move> {
    if call.needs.iter().any(|need| !done.get(*need).copied().unwrap_or(true)) {
        return None;
    }
    let back = state.make(&call.effect);
    let leans = || closing == Closing::Staying && space.leans(state, &call.requests);
    if space.opening(state, &call.effect, &call.requests).is_none() && !leans() {
        return Some(back);
    }
    state.make(&back);
    None
}

fn narrowing_first(
    space: &Space,
    start: &State,
    calls: &[Call],
    closing: Closing,
    budget: usize,
) -> Option<Vec<usize>> {
    let done = vec![false; calls.len()];
    let (state, order, dead) = (start.clone(), Vec::new(), HashSet::default());
    let mut search = Search { space, calls, closing, state, order, done, dead, budget };
    search.completes().then_some(search.order)
}

struct Search<'a> {
    space: &'a Space,
    calls: &'a [Call],
    closing: Closing,
    state: State,
    order: Vec<usize>,
    done: Vec<bool>,
    /// Sets of completed calls that no safe order continues.
    dead: HashSet<Vec<bool>, foldhash::fast::RandomState>,
    budget: usize,
}

impl Search<'_> {
    /// Completes a safe order from here and returns `true`; without one, leaves the order
    /// unchanged.
    fn completes(&mut self) -> bool {
        let mut made = Vec::new();
        let calls = 0..self.calls.len();
        // Each round makes a call, which is not free any more.
        while calls.clone().any(|index| self.is_free(index) && self.make(index, &mut made)) {}
        if self.order.len() == self.calls.len() {
            return true;
        }
        if self.budget > 0 && self.dead.insert(self.done.clone()) {
            for index in self.candidates() {
                if self.budget == 0 {
                    break;
                }
                let mut own = Vec::new();
                if self.make(index, &mut own) {
                    if self.completes() {
                        return true;
                    }
                    self.take_back(own);
                }
            }
        }
        self.take_back(made);
        false
    }

    /// Returns `true` if making a call at once never excludes a safe order: it narrows, and leaves
    /// no audience without a policy.
    fn is_free(&self, index: usize) -> bool {
        self.calls.get(index).is_some_and(|call| call.narrows && !call.effect.releases())
    }

    /// The calls that are not done, widening calls last.
    fn candidates(&self) -> Vec<usize> {
        let open = self.done.iter().enumerate().filter(|(_, done)| !**done).map(|(index, _)| index);
        let mut candidates: Vec<usize> = open.collect();
        candidates.sort_by_key(|index| {
            self.calls.get(*index).map(|call| (call.widens, !call.narrows, call.stage, *index))
        });
        candidates
    }

    fn make(&mut self, index: usize, made: &mut Vec<Move>) -> bool {
        let Some((call, false)) = self.calls.get(index).zip(self.done.get(index).copied()) else {
            return false;
        };
        self.budget = self.budget.saturating_sub(1);
        let Some(back) = step(self.space, &mut self.state, call, &self.done, self.closing) else {
            return false;
        };
        self.order.push(index);
        if let Some(slot) = self.done.get_mut(index) {
            *slot = true;
        }
        made.push(back);
        true
    }

    fn take_back(&mut self, made: Vec<Move>) {
        for back in made.into_iter().rev() {
            self.state.make(&back);
            if let Some(slot) = self.order.pop().and_then(|index| self.done.get_mut(index)) {
                *slot = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::space::{Group, Request};
    use super::*;
    use crate::model::{Domain, Scope};

    /// A request: the group that lets it through, and those that stop it.
    type Asked = (usize, [Option<usize>; 2]);
    /// A call: the groups that it adds and removes, and the calls that it needs. It neither narrows
    /// nor widens.
    type Sent<'a> = (&'a [(usize, bool)], &'a [usize]);

    /// The order of calls about groups of one policy that governs everybody. A group is there at
    /// the old end (`-`), at the new one (`+`) or at both (`=`); a request is let through by one
    /// group and stopped by up to two.
    fn ordered(groups: &str, requests: &[Asked], calls: &[Sent<'_>]) -> Option<Vec<usize>> {
        let end = |marks: [char; 2]| State {
            scopes: vec![Some(Scope::Organization)],
            there: groups.chars().map(|mark| marks.contains(&mark)).collect(),
        };
        let (old, new) = (end(['-', '=']), end(['+', '=']));
        let requests = requests
            .iter()
            .map(|(permit, forbids)| Request::Mcp { permit: *permit, forbids: *forbids });
        let groups = groups.chars().map(|_| Group { policy: 0, domain: Domain::Mcp, rule: None });
        let space = Space::new(groups.collect(), requests.collect(), old, new);
        let call = |(groups, needs): &Sent<'_>| {
            let effect = Move { groups: groups.to_vec(), scope: None };
            let requests = space.touched(&effect);
            Call {
                effect,
                stage: Stage::ChangeAllows,
                narrows: false,
                widens: false,
                needs: needs.to_vec(),
                requests,
            }
        };
        order(&space, &space.old, &calls.iter().map(call).collect::<Vec<_>>())
    }

    #[test]
    fn an_order_opens_nothing_and_is_found_if_there_is_one() {
        const ADD: bool = true;
        const DROP: bool = false;
        type Row<'a> = (&'a str, &'a [Asked], &'a [Sent<'a>], Option<&'a [usize]>);
        let table: [Row<'_>; 8] = [
            // Nothing stands against the order of the calls, but what they depend on.
            ("++", &[], &[(&[(0, ADD)], &[]), (&[(1, ADD)], &[])], Some(&[0, 1])),
            ("++", &[], &[(&[(0, ADD)], &[1]), (&[(1, ADD)], &[])], Some(&[1, 0])),
            // The permit comes after the forbid over it, and goes before it.
            (
                "++",
                &[(0, [Some(1), None])],
                &[(&[(0, ADD)], &[]), (&[(1, ADD)], &[])],
                Some(&[1, 0]),
            ),
            (
                "--",
                &[(0, [Some(1), None])],
                &[(&[(1, DROP)], &[]), (&[(0, DROP)], &[])],
                Some(&[1, 0]),
            ),
            // The old forbid would keep the new permit closed, and could be deleted by hand: the
            // new one is better.
            (
                "+-+",
                &[(0, [Some(1), Some(2)])],
                &[(&[(0, ADD)], &[]), (&[(2, ADD)], &[]), (&[(1, DROP)], &[])],
                Some(&[1, 0, 2]),
            ),
            // Where the permit has to come first, the old one is good enough.
            (
                "+-+",
                &[(0, [Some(1), Some(2)])],
                &[(&[(0, ADD)], &[]), (&[(1, DROP), (2, ADD)], &[0])],
                Some(&[0, 1]),
            ),
            // The first call is safe at once, and no other is safe after it: it is taken back.
            (
                "--+-+",
                &[(3, [Some(0), Some(1)]), (4, [Some(0), Some(2)])],
                &[
                    (&[(0, DROP)], &[]),
                    (&[(1, DROP), (2, ADD)], &[]),
                    (&[(3, DROP), (4, ADD)], &[]),
                ],
                Some(&[1, 2, 0]),
            ),
            // Each of two calls takes away what the other one needs.
            (
                "=-+=-+",
                &[(0, [Some(1), Some(2)]), (3, [Some(4), Some(5)])],
                &[(&[(1, DROP), (5, ADD)], &[]), (&[(2, ADD), (4, DROP)], &[])],
                None,
            ),
        ];
        for (groups, requests, calls, expected) in table {
            assert_eq!(
                ordered(groups, requests, calls).as_deref(),
                expected,
                "{groups} {requests:?} {calls:?}"
            );
        }
    }

    #[test]
    fn nobody_is_left_without_a_policy_on_the_way() {
        // The only rule moves from one policy to the other.
        let groups =
            (0..2).map(|policy| Group { policy, domain: Domain::Network, rule: None }).collect();
        let scopes = vec![Some(Scope::Organization); 2];
        let end = |there: [bool; 2]| State { scopes: scopes.clone(), there: there.to_vec() };
        let space = Space::new(groups, Vec::new(), end([true, false]), end([false, true]));
        let call = |group, there, stage| Call {
            effect: Move { groups: vec![(group, there)], scope: None },
            stage,
            narrows: !there,
            widens: there,
            needs: Vec::new(),
            requests: BTreeSet::new(),
        };
        let calls = [call(0, false, Stage::AddDenies), call(1, true, Stage::AddAllows)];
        assert_eq!(order(&space, &space.old, &calls), Some(vec![1, 0]));
    }
}
