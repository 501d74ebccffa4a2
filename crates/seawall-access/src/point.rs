//! The evaluation of one concrete request, for any rules in force.
//!
//! With *A* and *D* for “some clause on the name allows, denies”, *A′* and *D′* for clauses on the
//! address, *HA* and *HD* for clauses on the HTTP request, and *HC* for “some HTTP clause covers
//! the host”:
//!
//! ```text
//! connect:udp   ¬D ∧ (A ∨ (A′ ∧ ¬D′))
//! connect:tcp   ¬D ∧ (A ∨ (A′ ∧ ¬D′)) ∧ ¬(HC ∧ uninspected connections are blocked)
//! an HTTP request   ¬D ∧ ¬HD ∧ (A ∨ (¬D′ ∧ (A′ ∨ HA)))
//! read, write   ¬D ∧ A, each by itself; a writable mount needs both
//! ```
//!
//! A name that decides leaves the address unasked, and a deny beats every allow of its own kind.
//! Sources: the concepts manual (combination), a first-party skill (names before addresses).
//!
//! Invariant: what is not documented is a variable, and each [`World`] settles all of them one way.
//! In each world the formulas are plain, rise with every allow and fall with every deny, so that an
//! answer is certain exactly when all worlds agree on it.

use crate::model::Decision;

use super::atom::Atom;
use super::clause::{Actions, Clause, Target};
use super::trie::tell_apart;
use super::unknowns::{Unknown, Unknowns};

/// The part of a request that a clause concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The name of the host, or its address if it is requested directly.
    Name,
    /// The address of the host.
    Address,
    /// Method, host, port and path.
    Http,
    /// The host of an HTTP clause, whatever the request.
    Cover,
    /// A folder.
    Folder,
}

/// A clause that matches a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    /// The group of the clause's rule.
    pub group: usize,
    /// The decision of the rule.
    pub decision: Decision,
    /// The part of the request that the rule concerns.
    pub role: Role,
    /// The open questions that the match depends on; empty for a certain match.
    pub unknowns: Unknowns,
    /// The open questions, as variables of this point that must be settled in favour.
    pub(super) needs: u32,
    /// The variables that must be settled against.
    pub(super) lacks: u32,
    /// The home folders of this point for which the match holds, as bits; the first one is in no
    /// usual place.
    pub(super) homes: u32,
}

/// A way to settle the open questions of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct World(Settled);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Settled {
    /// The variables, as bits, and the number of a home folder of the point.
    OneByOne(u32, usize),
    /// All open questions in favour of access, or against it.
    All { open: bool },
}

/// The decision on a request, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Allowed in no world.
    Deny,
    /// Allowed in some worlds only.
    Uncertain,
    /// Allowed in every world.
    Allow,
}

/// A request as far as rules distinguish it: the clauses that match it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    atom: Atom,
    matches: Vec<Match>,
    variables: usize,
    /// The home folders that matches tell apart, one in no usual place among them.
    homes: usize,
}

impl Match {
    /// The match of a group in a role.
    pub(super) fn of_group(
        group: usize,
        decision: Decision,
        role: Role,
        unknowns: Unknowns,
    ) -> Self {
        Self { group, decision, role, unknowns, needs: 0, lacks: 0, homes: 0 }
    }

    /// The match of a clause in a role, if the clause concerns the action.
    pub(super) fn new(
        clause: &Clause,
        unknowns: Unknowns,
        action: Actions,
        role: Role,
    ) -> Option<Self> {
        let http = matches!(clause.target, Target::Http(..));
        let fits = match role {
            Role::Http | Role::Cover => http,
            Role::Name | Role::Address | Role::Folder => !http,
        };
        let unknowns = if role == Role::Cover {
            unknowns.union(Unknown::Uninspected.into())
        } else {
            unknowns
        };
        let found = Self::of_group(clause.group, clause.decision, role, unknowns);
        (fits && clause.actions.meets(action)).then_some(found)
    }

    /// The match of a name pattern for a connection straight to an address, in case it counts like
    /// a block; `None` if the pattern does not decide like a name.
    pub(super) fn as_block(&self) -> Option<Self> {
        let is_open = self.role == Role::Name && self.unknowns.contains(Unknown::AddressAsName);
        let unknowns =
            self.unknowns.without(Unknown::AddressAsName).union(Unknown::AddressAsBlock.into());
        is_open.then_some(Self { role: Role::Address, unknowns, ..*self })
    }

    /// The same match of a rule that is irrelevant.
    pub(super) fn of_any_group(&self) -> Self {
        Self { group: 0, needs: 0, lacks: 0, homes: 0, ..*self }
    }

    /// The match without its group and open questions: it holds in the same worlds.
    fn in_worlds(&self, one_by_one: bool) -> Self {
        let any = (u32::from(self.is_open()), 0, u32::MAX);
        let (needs, lacks, homes) =
            if one_by_one { (self.needs, self.lacks, self.homes) } else { any };
        Self { group: 0, unknowns: Unknowns::NONE, needs, lacks, homes, ..*self }
    }

    /// Returns `true` if the match does not hold in every world.
    fn is_open(&self) -> bool {
        self.needs | self.lacks != 0 || self.homes != u32::MAX
    }

    fn holds(&self, World(settled): World) -> bool {
        match settled {
            Settled::OneByOne(bits, home) => {
                self.needs & !bits == 0 && self.lacks & bits == 0 && self.homes >> home & 1 == 1
            }
            Settled::All { open } => !self.is_open() || open == self.opens(),
        }
    }

    fn opens(&self) -> bool {
        self.decision == Decision::Allow && self.role != Role::Cover
    }
}

impl Point {
    /// The number of open questions of one point that are settled individually. Above it, each
    /// match is settled separately, once all in favour of access and once all against it, which
    /// still bounds the answer.
    const VARIABLES: usize = 8;

    /// A point from what matches it.
    pub(super) fn new(atom: Atom, mut matches: Vec<Match>) -> Self {
        let mut variables: Vec<(Unknown, Option<usize>)> = Vec::new();
        // The same matches have the same variables, in whatever order they were found.
        matches.iter_mut().for_each(|one| (one.needs, one.lacks, one.homes) = (0, 0, 0));
        matches.sort_unstable();
        matches.dedup();
        let homes = tell_apart(matches.iter().filter_map(|one| one.unknowns.homes()));
        for one in &mut matches {
            one.homes = one.unknowns.homes().map_or(u32::MAX, |own| {
                let holds = (1..).zip(&homes).filter(|(_, places)| own & **places != 0);
                holds.fold(0, |all, (at, _)| all | 1 << at)
            });
            for unknown in one.unknowns.without(Unknown::HomeFolder).iter() {
                let opposite = unknown.opposite();
                let variable =
                    (opposite.unwrap_or(unknown), unknown.is_per_rule().then_some(one.group));
                let at = variables.iter().position(|own| *own == variable).unwrap_or_else(|| {
                    variables.push(variable);
                    variables.len() - 1
                });
                let bits = if opposite.is_some() { &mut one.lacks } else { &mut one.needs };
                *bits |= 1 << at.min(31);
            }
        }
        Self { atom, matches, variables: variables.len(), homes: 1 + homes.len() }
    }

    /// The object of the request.
    #[must_use]
    pub fn atom(&self) -> Atom {
        self.atom
    }

    /// The matches, in arbitrary order.
    #[must_use]
    pub fn matches(&self) -> &[Match] {
        &self.matches
    }

    /// Every way to settle the open questions; a single one without any.
    pub fn worlds(&self) -> impl Iterator<Item = World> + use<> {
        let few = self.is_settled_one_by_one();
        let homes = self.homes;
        let one_by_one = (0..if few { 1_u32 << self.variables } else { 0 })
            .flat_map(move |bits| (0..homes).map(move |home| Settled::OneByOne(bits, home)));
        let all = [true, false].map(|open| Settled::All { open });
        one_by_one.chain(all.into_iter().filter(move |_| !few)).map(World)
    }

    /// Returns `true` if the request is allowed in one world, for the groups in force.
    pub fn allowed(&self, world: World, in_force: impl Fn(usize) -> bool) -> bool {
        allowed(self.atom, self.matches.iter().filter(|one| in_force(one.group)), world)
    }

    /// The answers in all [`Self::worlds`], in their order, for the groups in force.
    pub(super) fn answers(&self, in_force: impl Fn(usize) -> bool) -> impl Iterator<Item = bool> {
        // Thousands of matches may differ in their group only.
        let mut kinds: Vec<Match> = Vec::new();
        let one_by_one = self.is_settled_one_by_one();
        for kind in self
            .matches
            .iter()
            .filter(|one| in_force(one.group))
            .map(|one| one.in_worlds(one_by_one))
        {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let atom = self.atom;
        self.worlds().map(move |world| allowed(atom, kinds.iter(), world))
    }

    /// Returns `true` if the [`Self::worlds`] include every way to settle the open questions;
    /// otherwise these only bound the answer.
    pub(super) fn is_settled_one_by_one(&self) -> bool {
        self.variables + self.homes.next_power_of_two().ilog2() as usize <= Self::VARIABLES
    }

    /// Two answers: `true` if the request is allowed however the open questions are settled, and
    /// `true` if it is allowed for at least one way to settle them.
    pub(super) fn bounds(&self, in_force: &dyn Fn(usize) -> bool) -> [bool; 2] {
        [false, true].map(|open| self.allowed(World(Settled::All { open }), in_force))
    }

    /// Returns `true` if the request may be allowed with these groups in force while it is denied
    /// with each of `others`. `false` is certain, and so is `true` unless there are too many open
    /// questions to settle individually.
    #[must_use]
    pub fn may_open(
        &self,
        in_force: &dyn Fn(usize) -> bool,
        others: &[&dyn Fn(usize) -> bool],
    ) -> bool {
        if self.is_settled_one_by_one() {
            let mut others: Vec<_> = others.iter().map(|other| self.answers(other)).collect();
            // Every one of them goes on to the next world.
            let mut closed =
                || others.iter_mut().filter_map(Iterator::next).filter(|open| *open).count() == 0;
            return self.answers(in_force).any(|open| closed() && open);
        }
        self.may_open_by_bounds(in_force, others)
    }

    /// The same, from bounds of the answers alone: `false` is certain.
    fn may_open_by_bounds(
        &self,
        in_force: &dyn Fn(usize) -> bool,
        others: &[&dyn Fn(usize) -> bool],
    ) -> bool {
        let [_, most] = self.bounds(in_force);
        let denies = |other: &&dyn Fn(usize) -> bool| {
            let [least, _] = self.bounds(other);
            !least && !self.is_within(in_force, other)
        };
        most && others.iter().all(denies)
    }

    /// Returns `true` if every allow in force in one state is in force in the other, and every deny
    /// in the other also in the one: then the other allows the request whenever the one does.
    fn is_within(&self, one: &dyn Fn(usize) -> bool, other: &dyn Fn(usize) -> bool) -> bool {
        self.matches.iter().all(|matched| {
            let (one, other) = (one(matched.group), other(matched.group));
            if matched.opens() { !one || other } else { one || !other }
        })
    }

    /// The decision with these groups in force, however open questions are settled.
    pub fn verdict(&self, in_force: impl Fn(usize) -> bool) -> Verdict {
        let mut answers = self.answers(in_force);
        let first = answers.next().unwrap_or_default();
        match (first, answers.all(|answer| answer == first)) {
            (_, false) => Verdict::Uncertain,
            (true, true) => Verdict::Allow,
            (false, true) => Verdict::Deny,
        }
    }
}

/// Returns `true` if what matches a request allows it in one world.
fn allowed<'a>(atom: Atom, matches: impl Iterator<Item = &'a Match>, world: World) -> bool {
    // By role: whether an allow matches, and whether a deny matches.
    let [mut name, mut address, mut http, mut folder] = [(false, false); 4];
    let mut covered = false;
    for one in matches.filter(|one| one.holds(world)) {
        let side = match one.role {
            Role::Name => &mut name,
            Role::Address => &mut address,
            Role::Http => &mut http,
            Role::Folder => &mut folder,
            Role::Cover => {
                covered = true;
                continue;
            }
        };
        match one.decision {
            Decision::Allow => side.0 = true,
            Decision::Deny => side.1 = true,
        }
    }
    match atom {
        Atom::Tcp | Atom::Udp => !name.1 && !covered && (name.0 || address.0 && !address.1),
        Atom::Http(_) => !name.1 && !http.1 && (name.0 || !address.1 && (address.0 || http.0)),
        Atom::Read | Atom::Write => !folder.1 && folder.0,
    }
}

impl Point {
    /// The same point with the other decision of one group's clauses.
    pub(super) fn flipped(&self, group: usize) -> Self {
        let flip = |one: &Match| match (one.group == group, one.decision) {
            (false, _) => *one,
            (true, Decision::Allow) => Match { decision: Decision::Deny, ..*one },
            (true, Decision::Deny) => Match { decision: Decision::Allow, ..*one },
        };
        Self::new(self.atom, self.matches.iter().map(flip).collect())
    }

    /// The facts that determine the verdicts of the point while these groups are in force: the
    /// matches in force, and the other matches with open questions. Groups that make no difference
    /// are left out.
    pub(super) fn likeness(&self, in_force: impl Fn(usize) -> bool) -> Vec<(bool, Match)> {
        let each = self.matches.iter().filter_map(|one| {
            let is_in_force = in_force(one.group);
            let group = if one.unknowns.iter().any(Unknown::is_per_rule) { one.group } else { 0 };
            (is_in_force || !one.unknowns.is_empty())
                .then_some((is_in_force, Match { group, ..one.of_any_group() }))
        });
        let mut alike: Vec<(bool, Match)> = each.collect();
        alike.sort_unstable();
        alike.dedup();
        alike
    }

    /// The matches that contribute to this point's verdict: the allows if it is allowed, the denies
    /// if it is denied, and if it is uncertain, every match that is evaluated and not overruled in
    /// every world.
    pub(super) fn deciding(
        &self,
        verdict: Verdict,
        in_force: impl Fn(usize) -> bool,
    ) -> impl Fn(&Match) -> bool {
        let matches = || self.matches.iter().filter(|one| in_force(one.group));
        let by_name =
            |decision| matches().any(|one| one.role == Role::Name && one.decision == decision);
        let (allowed, denied) = (by_name(Decision::Allow), by_name(Decision::Deny));
        let certain = |role, decision| {
            matches()
                .any(|one| one.role == role && one.decision == decision && one.unknowns.is_empty())
        };
        let named = certain(Role::Name, Decision::Allow);
        let elsewhere = certain(Role::Address, Decision::Deny);
        move |one| {
            // A name that decides makes the rest irrelevant.
            let asked = match (verdict, one.role) {
                (_, Role::Name | Role::Folder) | (Verdict::Uncertain, Role::Cover) => true,
                (Verdict::Uncertain, Role::Address | Role::Http) => {
                    match (one.role, one.decision) {
                        (Role::Http, Decision::Deny) => true,
                        (_, Decision::Allow) => !named && !elsewhere,
                        (_, Decision::Deny) => !named,
                    }
                }
                (Verdict::Allow, Role::Address | Role::Http) => !allowed,
                (Verdict::Deny, Role::Address) => !denied && !allowed,
                (Verdict::Deny, Role::Http) => !denied,
                (Verdict::Allow | Verdict::Deny, Role::Cover) => false,
            };
            let leads = match verdict {
                Verdict::Allow => one.decision == Decision::Allow,
                Verdict::Deny => one.decision == Decision::Deny,
                Verdict::Uncertain => true,
            };
            asked && leads && in_force(one.group)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches() -> Vec<Match> {
        let (unknown, none) = (|one: Unknown| one.into(), Unknowns::NONE);
        [
            (Decision::Allow, Role::Name, none),
            (Decision::Allow, Role::Name, unknown(Unknown::LoneStar)),
            (Decision::Deny, Role::Name, none),
            (Decision::Deny, Role::Name, unknown(Unknown::InnerWildcard)),
            (Decision::Allow, Role::Address, unknown(Unknown::CidrPort)),
            (Decision::Deny, Role::Address, unknown(Unknown::CidrHostBits)),
            (Decision::Allow, Role::Http, none),
            (Decision::Deny, Role::Http, unknown(Unknown::PatternForm)),
            (Decision::Allow, Role::Cover, unknown(Unknown::Uninspected)),
            (Decision::Deny, Role::Name, unknown(Unknown::NotRewritten)),
        ]
        .into_iter()
        .map(|(decision, role, unknowns)| Match::of_group(0, decision, role, unknowns))
        .collect()
    }

    /// Points with few open questions, whose exact answers are known, are also answered as those
    /// with too many are.
    #[test]
    fn bounds_hold_in_every_world() {
        let all = matches();
        let numbers = 0..all.len();
        let threes = numbers.clone().flat_map(|one| {
            let numbers = numbers.clone();
            (one..all.len())
                .flat_map(move |two| (two..numbers.len()).map(move |three| [one, two, three]))
        });
        let (mut certain, mut open) = (0, 0);
        for (three, atom) in
            threes.flat_map(|three| [Atom::Tcp, Atom::Http("get")].map(|atom| (three, atom)))
        {
            let of_group = |(group, at): (usize, usize)| Match { group, ..all[at] };
            let point = Point::new(atom, three.into_iter().enumerate().map(of_group).collect());
            for states in 0..64_usize {
                let (now, was) = (
                    |group: usize| states >> group & 1 == 1,
                    |group: usize| states >> (3 + group) & 1 == 1,
                );
                let [least, most] = point.bounds(&now);
                assert!(!least || point.answers(now).all(|open| open), "{point:?} {states}");
                assert!(most || point.answers(now).all(|open| !open), "{point:?} {states}");
                let (exact, bounded) =
                    (point.may_open(&now, &[&was]), point.may_open_by_bounds(&now, &[&was]));
                assert!(bounded || !exact, "{point:?} {states}");
                (certain, open) =
                    (certain + u32::from(!exact), open + u32::from(bounded && !exact));
                // Adding denies and removing allows opens nothing, and the bounds must say so.
                let is_within =
                    (0..3).all(|group| match point.matches.iter().find(|one| one.group == group) {
                        Some(one) if one.opens() => was(group) || !now(group),
                        Some(_) => now(group) || !was(group),
                        None => true,
                    });
                assert!(!is_within || !bounded, "{point:?} {states}");
            }
        }
        // Bounds are of use: they seldom leave open what is certain.
        assert!(open * 10 < certain, "{open} of {certain}");
    }
}
