//! The evaluation of one concrete request, whatever is in force.
//!
//! With *A* and *D* for “some clause on the name allows, denies”, *A′* and *D′* for clauses on the address, *HA* and
//! *HD* for clauses on the HTTP request, and *HC* for “some HTTP clause covers the host”:
//!
//! ```text
//! connect:udp   ¬D ∧ (A ∨ (A′ ∧ ¬D′))
//! connect:tcp   ¬D ∧ (A ∨ (A′ ∧ ¬D′)) ∧ ¬(HC ∧ uninspected connections are blocked)
//! an HTTP request   ¬D ∧ ¬HD ∧ (A ∨ (¬D′ ∧ (A′ ∨ HA)))
//! read, write   ¬D ∧ A, each by itself; a writable mount needs both
//! ```
//!
//! A name that decides leaves the address unasked, and a deny beats every allow of its own kind. Sources: the concepts
//! manual (combination), a first-party skill (names before addresses).
//!
//! Invariant: what is not documented is a variable, and each [`World`] settles all of them one way. In each world the
//! formulas are plain, rise with every allow and fall with every deny, so that an answer is certain exactly when all
//! worlds agree on it.

use crate::model::Decision;

use super::atom::Atom;
use super::clause::{Actions, Clause, Target};
use super::unknowns::{Unknown, Unknowns};

/// The part of a request that a clause is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The name of the host, or the address where it is asked for by itself.
    Name,
    /// The address that the host has.
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
    /// The group that the clause's rule was given in.
    pub group: usize,
    /// The decision of the rule.
    pub decision: Decision,
    /// The part of the request that the rule is about.
    pub role: Role,
    /// The open questions that the match depends on; empty for a certain match.
    pub unknowns: Unknowns,
    /// The unknowns as variables of this point that must be settled in favour.
    pub(super) needs: u32,
    /// The same, to be settled the other way.
    pub(super) lacks: u32,
}

/// One way to settle the open questions of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct World(Settled);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Settled {
    /// By the bits of the variables.
    OneByOne(u32),
    /// Every open question in favour of access, or against it.
    All { open: bool },
}

/// Decision about a request, from denied to allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// In no world.
    Deny,
    /// In some worlds and not in others.
    Uncertain,
    /// In every world.
    Allow,
}

/// A request as far as rules can tell it from others: the clauses that match it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    atom: Atom,
    matches: Vec<Match>,
    variables: usize,
}

impl Match {
    /// The part of a group that is about the address alone.
    pub(super) fn at_address(group: usize, decision: Decision, unknowns: Unknowns) -> Self {
        Self { group, decision, role: Role::Address, unknowns, needs: 0, lacks: 0 }
    }

    /// The part that a clause that matches has in a role, where it speaks about the action.
    pub(super) fn new(clause: &Clause, unknowns: Unknowns, action: Actions, role: Role) -> Option<Self> {
        let http = matches!(clause.target, Target::Http(..));
        let fits = match role {
            Role::Http | Role::Cover => http,
            Role::Name | Role::Address | Role::Folder => !http,
        };
        let unknowns = if role == Role::Cover { unknowns.union(Unknown::Uninspected.into()) } else { unknowns };
        let found = Self { group: clause.group, decision: clause.decision, role, unknowns, needs: 0, lacks: 0 };
        (fits && clause.actions.meets(action)).then_some(found)
    }

    /// The part that a pattern of names has in a connection straight to an address, should it count like a block: where it
    /// is one that may decide like a name.
    pub(super) fn as_block(&self) -> Option<Self> {
        let is_open = self.role == Role::Name && self.unknowns.contains(Unknown::AddressAsName);
        let unknowns = self.unknowns.without(Unknown::AddressAsName).union(Unknown::AddressAsBlock.into());
        is_open.then_some(Self { role: Role::Address, unknowns, ..*self })
    }

    /// The same match of a rule that does not matter.
    pub(super) fn of_any_group(&self) -> Self {
        Self { group: 0, needs: 0, lacks: 0, ..*self }
    }

    fn holds(&self, World(settled): World) -> bool {
        match settled {
            Settled::OneByOne(bits) => self.needs & !bits == 0 && self.lacks & bits == 0,
            Settled::All { open } => self.needs == 0 && self.lacks == 0 || open == self.opens(),
        }
    }

    fn opens(&self) -> bool {
        self.decision == Decision::Allow && self.role != Role::Cover
    }
}

impl Point {
    /// The number of open questions of one point that are settled one by one. Where there are more, each match is
    /// settled by itself, once all in favour of access and once all against it, which still bounds the answer.
    const VARIABLES: usize = 8;

    /// A point from what matches it.
    pub(super) fn new(atom: Atom, mut matches: Vec<Match>) -> Self {
        let mut variables: Vec<(Unknown, Option<usize>)> = Vec::new();
        // The same matches have the same variables, in whatever order they were found.
        matches.iter_mut().for_each(|one| (one.needs, one.lacks) = (0, 0));
        matches.sort_unstable();
        matches.dedup();
        for one in &mut matches {
            for unknown in one.unknowns.iter() {
                let opposite = unknown.opposite();
                let variable = (opposite.unwrap_or(unknown), unknown.is_per_rule().then_some(one.group));
                let at = variables.iter().position(|own| *own == variable).unwrap_or_else(|| {
                    variables.push(variable);
                    variables.len() - 1
                });
                let bits = if opposite.is_some() { &mut one.lacks } else { &mut one.needs };
                *bits |= 1 << at.min(31);
            }
        }
        Self { atom, matches, variables: variables.len() }
    }

    /// The object of the request.
    #[must_use]
    pub fn atom(&self) -> Atom {
        self.atom
    }

    /// The matches, in no meaningful order.
    #[must_use]
    pub fn matches(&self) -> &[Match] {
        &self.matches
    }

    /// Every way to settle what is open; a single one where nothing is.
    pub fn worlds(&self) -> impl Iterator<Item = World> + use<> {
        let few = self.variables <= Self::VARIABLES;
        let one_by_one = (0..if few { 1_u32 << self.variables } else { 0 }).map(Settled::OneByOne);
        let all = [true, false].map(|open| Settled::All { open });
        one_by_one.chain(all.into_iter().filter(move |_| !few)).map(World)
    }

    /// Returns `true` if the request is allowed in one world, with the groups that are in force.
    pub fn allowed(&self, world: World, in_force: impl Fn(usize) -> bool) -> bool {
        // By role: whether something allows, whether something denies.
        let [mut name, mut address, mut http, mut folder] = [(false, false); 4];
        let mut covered = false;
        for one in &self.matches {
            if !one.holds(world) || !in_force(one.group) {
                continue;
            }
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
        match self.atom {
            Atom::Tcp | Atom::Udp => !name.1 && !covered && (name.0 || address.0 && !address.1),
            Atom::Http(_) => !name.1 && !http.1 && (name.0 || !address.1 && (address.0 || http.0)),
            Atom::Read | Atom::Write => !folder.1 && folder.0,
        }
    }

    /// Returns `true` if every way to settle what is open is among the [`Self::worlds`]; else these only bound the
    /// answer.
    pub(super) fn is_settled_one_by_one(&self) -> bool {
        self.variables <= Self::VARIABLES
    }

    /// Returns `true` if the request is allowed however what is open is settled, and whether in any way at all.
    pub(super) fn bounds(&self, in_force: &dyn Fn(usize) -> bool) -> [bool; 2] {
        [false, true].map(|open| self.allowed(World(Settled::All { open }), in_force))
    }

    /// Returns `true` if the request may be allowed with these groups in force where it is denied with each of
    /// `others`. A no is certain, and so is a yes unless more is open than can be settled one by one.
    #[must_use]
    pub fn may_open(&self, in_force: &dyn Fn(usize) -> bool, others: &[&dyn Fn(usize) -> bool]) -> bool {
        if self.is_settled_one_by_one() {
            return self
                .worlds()
                .any(|world| self.allowed(world, in_force) && !others.iter().any(|other| self.allowed(world, other)));
        }
        let [_, most] = self.bounds(in_force);
        let denies = |other: &&dyn Fn(usize) -> bool| {
            let [least, _] = self.bounds(other);
            !least && !self.is_within(in_force, other)
        };
        most && others.iter().all(denies)
    }

    /// Returns `true` if nothing that opens is in force in the one and not in the other, and nothing that closes the
    /// other way round: then the other allows the request wherever the one does.
    fn is_within(&self, one: &dyn Fn(usize) -> bool, other: &dyn Fn(usize) -> bool) -> bool {
        self.matches.iter().all(|matched| {
            let (one, other) = (one(matched.group), other(matched.group));
            if matched.opens() { !one || other } else { one || !other }
        })
    }

    /// Returns `true` if the request is allowed, whatever is open, with the groups that are in force.
    pub fn verdict(&self, in_force: impl Fn(usize) -> bool) -> Verdict {
        let mut answers = self.worlds().map(|world| self.allowed(world, &in_force));
        let first = answers.next().unwrap_or_default();
        match (first, answers.all(|answer| answer == first)) {
            (_, false) => Verdict::Uncertain,
            (true, true) => Verdict::Allow,
            (false, true) => Verdict::Deny,
        }
    }
}

impl Point {
    /// The same point with the clauses of one group deciding the other way round.
    pub(super) fn flipped(&self, group: usize) -> Self {
        let flip = |one: &Match| match (one.group == group, one.decision) {
            (false, _) => *one,
            (true, Decision::Allow) => Match { decision: Decision::Deny, ..*one },
            (true, Decision::Deny) => Match { decision: Decision::Allow, ..*one },
        };
        Self::new(self.atom, self.matches.iter().map(flip).collect())
    }

    /// Returns `true` if a match leads to this point's verdict: one that opens where it is allowed, one that closes
    /// where it is denied, and any that is asked, and not overruled in every world, where it is uncertain.
    pub(super) fn decides(&self, one: &Match, verdict: Verdict, in_force: impl Fn(usize) -> bool) -> bool {
        let matches = || self.matches.iter().filter(|one| in_force(one.group));
        let by_name = |decision| matches().any(|one| one.role == Role::Name && one.decision == decision);
        let (allowed, denied) = (by_name(Decision::Allow), by_name(Decision::Deny));
        let certain = |role, decision| {
            matches().any(|one| one.role == role && one.decision == decision && one.unknowns.is_empty())
        };
        let named = || certain(Role::Name, Decision::Allow);
        let elsewhere = || certain(Role::Address, Decision::Deny);
        // A name that decides leaves the rest unasked.
        let asked = match (verdict, one.role) {
            (_, Role::Name | Role::Folder) | (Verdict::Uncertain, Role::Cover) => true,
            (Verdict::Uncertain, Role::Address | Role::Http) => match (one.role, one.decision) {
                (Role::Http, Decision::Deny) => true,
                (_, Decision::Allow) => !named() && !elsewhere(),
                (_, Decision::Deny) => !named(),
            },
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
