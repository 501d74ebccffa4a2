//! The effect of a change on one point, for every relevant audience.
//!
//! The audiences are the organization (a member of no team), each team, and each pair of teams, and
//! pairs are enough. Take any set of teams *T* for which a request is newly allowed in some world.
//! In the new state some clause of one *u* ∈ *T* ∪ {organization} allows it: the name (A), the
//! address (A′) or the request (HA); and no clause of *T* denies it, save that a denied address
//! does not matter where a name allows. In the old state it was denied to *T*, so
//!
//! * either some one *d* ∈ *T* ∪ {organization} denied it (D, HD, D′ or HC), and then *{u, d}*
//!   shows the same: its new clauses are among those of *T* and *u* still allows, its old ones
//!   include the deny of *d*, and an old allow of a name, which alone could have beaten a denied
//!   address, would have had to be among those of *T*;
//! * or nothing allowed it, and then *{u}* alone shows the same.
//!
//! Losing access is the same with old and new exchanged. So only pairs of a team with an allow and
//! a team with a deny are looked at, and the deny must come or go unless it is one of an address.
//! Invariant: an audience is reported only where no smaller one shows the same.

use crate::model::Decision;
use crate::point::{Point, Role};

use super::state_clauses::{Change, StateClauses};

/// Positions of up to two teams; empty for a member of none.
pub(super) type Teams = Vec<usize>;

/// The effect of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// Allowed after but not before, in every world.
    Widened,
    /// Allowed before but not after, in every world.
    Narrowed,
    /// Different in some worlds.
    Uncertain { widens: bool, narrows: bool },
}

impl Outcome {
    pub(super) fn is_uncertain(self) -> bool {
        matches!(self, Self::Uncertain { .. })
    }
}

/// Every smallest audience that the change affects.
pub(super) fn outcomes(point: &Point, statements: &StateClauses) -> Vec<(Teams, Outcome)> {
    let change = |group: usize| statements.change(group);
    if !point.matches().iter().any(|one| change(one.group).is_change()) {
        return Vec::new();
    }
    let organization = outcome(point, statements, &[]);
    let mut all: Vec<(Teams, Outcome)> =
        organization.map(|outcome| (Vec::new(), outcome)).into_iter().collect();
    let teams = |keep: &dyn Fn(&crate::Match) -> bool| {
        let groups = point.matches().iter().filter(|one| keep(one)).map(|one| change(one.group));
        let mut teams: Vec<usize> = groups.flat_map(Change::teams).collect();
        teams.sort_unstable();
        teams.dedup();
        teams
    };
    let shown = |all: &[(Teams, Outcome)], teams: &[usize], outcome: Outcome| {
        all.iter().any(|(smaller, own)| {
            *own == outcome && smaller.iter().all(|team| teams.contains(team))
        })
    };
    for team in teams(&|_| true) {
        if let Some(outcome) = outcome(point, statements, &[team])
            && !shown(&all, &[], outcome)
        {
            all.push((vec![team], outcome));
        }
    }
    let denies = |one: &crate::Match| one.decision == Decision::Deny || one.role == Role::Cover;
    let deniers =
        teams(&|one| denies(one) && (one.role == Role::Address || change(one.group).is_change()));
    let allowers = teams(&|one| one.decision == Decision::Allow && one.role != Role::Cover);
    let mut pairs = Vec::new();
    for (&one, &other) in
        deniers.iter().flat_map(|denier| allowers.iter().map(move |allower| (denier, allower)))
    {
        let pair = [one.min(other), one.max(other)];
        if one != other
            && let Some(outcome) = outcome(point, statements, &pair)
            && !shown(&all, &pair, outcome)
        {
            pairs.push((pair.to_vec(), outcome));
        }
    }
    pairs.sort();
    pairs.dedup();
    all.extend(pairs);
    all
}

/// The effect of the change on one audience; `None` if nothing changes in any world.
pub(super) fn outcome(
    point: &Point,
    statements: &StateClauses,
    audience: &[usize],
) -> Option<Outcome> {
    let before = |group: usize| statements.change(group).old.includes(audience);
    let after = |group: usize| statements.change(group).new.includes(audience);
    if !point.is_settled_one_by_one() {
        return bounded(point, &before, &after);
    }
    let (mut widens, mut narrows, mut same) = (false, false, false);
    for answers in point.answers(before).zip(point.answers(after)) {
        match answers {
            (false, true) => widens = true,
            (true, false) => narrows = true,
            (true, true) | (false, false) => same = true,
        }
    }
    match (widens, narrows, same) {
        (false, false, _) => None,
        (true, false, false) => Some(Outcome::Widened),
        (false, true, false) => Some(Outcome::Narrowed),
        (widens, narrows, _) => Some(Outcome::Uncertain { widens, narrows }),
    }
}

/// The same if there are too many open questions to settle them individually.
fn bounded(
    point: &Point,
    before: &dyn Fn(usize) -> bool,
    after: &dyn Fn(usize) -> bool,
) -> Option<Outcome> {
    let (widens, narrows) = (point.may_open(after, &[before]), point.may_open(before, &[after]));
    match (point.bounds(before), point.bounds(after)) {
        ([_, false], [true, _]) => Some(Outcome::Widened),
        ([true, _], [_, false]) => Some(Outcome::Narrowed),
        _ => (widens || narrows).then_some(Outcome::Uncertain { widens, narrows }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atom::Atom;
    use crate::model::Decision;
    use crate::point::{Match, Role};
    use crate::unknowns::{Unknown, Unknowns};

    /// Groups 0 to 8 allow or not, for reasons of their own; 9 certainly allows, and 10 certainly
    /// denies.
    #[test]
    fn many_open_questions_leave_what_is_certain_certain() {
        let of = |group, decision, unknowns| Match::of_group(group, decision, Role::Name, unknowns);
        let mut matches: Vec<Match> = (0..9)
            .zip(Unknown::ALL)
            .map(|(group, unknown)| of(group, Decision::Allow, unknown.into()))
            .collect();
        matches.push(of(9, Decision::Allow, Unknowns::NONE));
        matches.push(of(10, Decision::Deny, Unknowns::NONE));
        let point = Point::new(Atom::Tcp, matches);
        assert!(!point.is_settled_one_by_one());
        let uncertain = |widens, narrows| Some(Outcome::Uncertain { widens, narrows });
        for (before, after, expected) in [
            (&[][..], &[9][..], Some(Outcome::Widened)),
            (&[9], &[], Some(Outcome::Narrowed)),
            (&[9], &[9, 10], Some(Outcome::Narrowed)),
            (&[9, 10], &[9], Some(Outcome::Widened)),
            (&[], &[], None),
            (&[0, 1], &[0, 1], None),
            (&[9], &[9, 0], None),
            (&[10], &[10, 9], None),
            (&[], &[0], uncertain(true, false)),
            (&[0], &[], uncertain(false, true)),
            (&[0], &[0, 10], uncertain(false, true)),
            (&[0], &[9], uncertain(true, false)),
            (&[0], &[1], uncertain(true, true)),
        ] {
            let found =
                bounded(&point, &|group| before.contains(&group), &|group| after.contains(&group));
            assert_eq!(found, expected, "{before:?} {after:?}");
        }
    }
}
