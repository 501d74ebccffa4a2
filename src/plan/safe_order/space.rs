//! Every state between the two ends of a change, and whether it opens anything that both ends keep
//! closed.
//!
//! A *group* is a set of rules or statements that come and go together: a version of a rule that
//! changes, the rules of a policy that stay, or a statement of a Cedar policy. A [`State`] holds
//! the groups that exist and the scope of each policy. A *request* stands for all requests that the
//! same groups match, as [`crate::access`] distinguishes them.
//!
//! Three audiences are enough to see an opening. If a state lets a member of some teams through and
//! both ends do not, then one team's allow lets them through, at most one other team's deny stops
//! them in the old end, and at most one in the new: a member of just these three is let through by
//! the state and by neither end.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Point, Role};
use crate::model::{Decision, Domain, Scope};

/// Rules or statements that come and go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Index of the policy's slot.
    pub(super) policy: usize,
    pub(super) domain: Domain,
    /// For a version of a rule that changes, the rule's position in its policy.
    pub(super) rule: Option<usize>,
}

/// A representative of all requests that the same groups match.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// A connection, an HTTP request or a mount, with one concrete example.
    Access(Point, String),
    /// An MCP request that one statement lets through and up to two stop; it is assumed to exist.
    Mcp { permit: usize, forbids: [Option<usize>; 2] },
}

/// The groups that exist, and the scope of each policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// By policy slot; `None` for a policy that does not exist.
    pub(super) scopes: Vec<Option<Scope>>,
    /// By group: true if it exists.
    pub(super) there: Vec<bool>,
}

/// The effect of a call on a state.
#[derive(Clone, Debug, Default)]
pub(super) struct Move {
    /// Groups that are added or removed, in this order.
    pub(super) groups: Vec<(usize, bool)>,
    /// A policy that is created, deleted, or gets another scope.
    pub(super) scope: Option<(usize, Option<Scope>)>,
}

/// Both ends of a change and all requests that it concerns.
#[derive(Clone, Debug)]
pub(super) struct Space {
    groups: Vec<Group>,
    requests: Vec<Request>,
    pub(super) old: State,
    pub(super) new: State,
    /// By group: the requests that it matches.
    matched: Vec<Vec<usize>>,
    /// By policy: its groups.
    contents: Vec<Vec<usize>>,
    /// The groups that let an MCP request through, each with one that alone stops it.
    stopped: BTreeSet<(usize, usize)>,
}

impl Move {
    /// Returns `true` if the call may leave an audience without a policy.
    pub(super) fn releases(&self) -> bool {
        self.scope.is_some() || self.groups.iter().any(|(_, there)| !there)
    }
}

impl State {
    /// Makes a call. Returns what undoes it.
    pub(super) fn make(&mut self, change: &Move) -> Move {
        let mut groups = Vec::new();
        for (group, there) in &change.groups {
            if let Some(slot) = self.there.get_mut(*group) {
                groups.push((*group, std::mem::replace(slot, *there)));
            }
        }
        groups.reverse();
        let scope = change.scope.as_ref().and_then(|(policy, scope)| {
            Some((*policy, std::mem::replace(self.scopes.get_mut(*policy)?, scope.clone())))
        });
        Move { groups, scope }
    }

    fn has(&self, group: usize) -> bool {
        self.there.get(group).copied().unwrap_or(false)
    }
}

/// The teams of some scopes, one for all teams that are in the same scopes, since their members
/// have the same access.
fn distinguishable_teams<'a>(scopes: impl Iterator<Item = &'a Scope>) -> BTreeSet<&'a str> {
    let scopes: BTreeSet<&Scope> = scopes.collect();
    let mut memberships: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, scope) in scopes.into_iter().enumerate() {
        scope
            .teams()
            .into_iter()
            .for_each(|team| memberships.entry(team).or_default().push(number));
    }
    let mut known: BTreeSet<Vec<usize>> = BTreeSet::new();
    memberships
        .into_iter()
        .filter(|(_, own)| known.insert(own.clone()))
        .map(|(team, _)| team)
        .collect()
}

impl Space {
    pub(super) fn new(groups: Vec<Group>, requests: Vec<Request>, old: State, new: State) -> Self {
        let mut matched = vec![Vec::new(); groups.len()];
        for (index, request) in requests.iter().enumerate() {
            for group in request.groups() {
                if let Some(list) = matched.get_mut(group) {
                    list.push(index);
                }
            }
        }
        let mut contents = vec![Vec::new(); old.scopes.len()];
        for (index, group) in groups.iter().enumerate() {
            if let Some(list) = contents.get_mut(group.policy) {
                list.push(index);
            }
        }
        let stopped = requests.iter().filter_map(|request| match request {
            Request::Mcp { permit, forbids: [Some(forbid), None] } => Some((*permit, *forbid)),
            Request::Mcp { .. } | Request::Access(..) => None,
        });
        let stopped = stopped.collect();
        Self { groups, requests, old, new, matched, contents, stopped }
    }

    /// Returns `true` if no order of these calls is safe, since two of those that are `whole` make
    /// policies that each let MCP requests through and stop those of the other: whichever comes
    /// first, the request that it lets through is not stopped yet.
    pub(super) fn oppose(
        &self,
        start: &State,
        calls: &[Move],
        whole: impl Fn(usize) -> bool,
    ) -> bool {
        let comes = |call: &Move| -> BTreeSet<usize> {
            call.groups.iter().filter(|(_, there)| *there).map(|(group, _)| *group).collect()
        };
        let mut added: BTreeMap<usize, usize> = BTreeMap::new();
        for group in calls.iter().flat_map(comes) {
            *added.entry(group).or_default() += 1;
        }
        let is_new = |group: &usize| {
            let there = [&self.old, start].iter().any(|state| state.has(*group));
            !there && self.new.has(*group) && added.get(group) == Some(&1)
        };
        let calls = calls.iter().enumerate().filter(|(number, _)| whole(*number));
        let made = calls.filter_map(|(_, call)| {
            let (policy, scope) = call.scope.as_ref()?;
            let [old, new] = [&self.old, &self.new].map(|end| end.scopes.get(*policy));
            let governs = *scope == Some(Scope::Organization)
                || scope.as_ref().is_some_and(|scope| !scope.teams().is_empty());
            let is_made = governs && old.is_none_or(Option::is_none) && new == Some(scope);
            let is_own =
                |group: &usize| self.groups.get(*group).is_some_and(|own| own.policy == *policy);
            is_made.then(|| comes(call).into_iter().filter(is_new).filter(is_own).collect())
        });
        let made: Vec<Vec<usize>> = made.collect();
        let stops = |one: &[usize], other: &[usize]| {
            let mut pairs =
                one.iter().flat_map(|permit| other.iter().map(|forbid| (*permit, *forbid)));
            pairs.any(|pair| self.stopped.contains(&pair))
        };
        made.iter().enumerate().any(|(number, one)| {
            let mut others = made.iter().skip(number + 1);
            others.any(|other| stops(one, other) && stops(other, one))
        })
    }

    /// The requests whose answer a call can change.
    pub(super) fn touched(&self, change: &Move) -> BTreeSet<usize> {
        let of_policy =
            change.scope.iter().filter_map(|(policy, _)| self.contents.get(*policy)).flatten();
        let groups = change.groups.iter().map(|(group, _)| group).chain(of_policy);
        groups.filter_map(|group| self.matched.get(*group)).flatten().copied().collect()
    }

    /// A request among these that is allowed in `state`, which a call led to, for an audience for
    /// which neither end allows it; or an audience without a policy of a domain that has one at
    /// both ends.
    pub(super) fn opening(
        &self,
        state: &State,
        change: &Move,
        among: &BTreeSet<usize>,
    ) -> Option<String> {
        let mut among = among.iter().filter_map(|index| self.requests.get(*index));
        let opened = among.find(|request| self.opens(request, state)).map(Request::describe);
        opened.or_else(|| if change.releases() { self.abandoned(state) } else { None })
    }

    fn opens(&self, request: &Request, state: &State) -> bool {
        self.opens_without(request, state, |_, _| false)
    }

    /// Returns `true` if one of these requests is kept closed in `state` only by denies that the
    /// plan takes away. The state opens it once somebody deletes them by hand, which by itself
    /// would have opened it neither before the plan nor after it.
    pub(super) fn leans(&self, state: &State, among: &BTreeSet<usize>) -> bool {
        among.iter().filter_map(|index| self.requests.get(*index)).any(|request| {
            let denies: Vec<usize> = request.denies().collect();
            let going: Vec<usize> =
                denies.iter().copied().filter(|group| self.goes(*group, state)).collect();
            let [now, new] = [state, &self.new].map(|state| View { space: self, state });
            // Whoever deletes a rule deletes each of its versions, and a rule that still denies the
            // request after the plan does not go.
            let without = |group, who: &[&str]| {
                let goes =
                    |deny: &usize| now.in_force(*deny, who) && self.is_same_rule(*deny, group);
                let stays =
                    |deny: &usize| new.in_force(*deny, who) && self.is_same_rule(*deny, group);
                going.iter().any(goes) && !denies.iter().any(stays)
            };
            !going.is_empty() && self.opens_without(request, state, without)
        })
    }

    /// Returns `true` if both groups are versions of one rule.
    fn is_same_rule(&self, one: usize, other: usize) -> bool {
        let rule = |group| {
            let Group { policy, rule, .. } = self.groups.get(group)?;
            Some((policy, (*rule)?))
        };
        one == other || rule(one).is_some_and(|own| rule(other) == Some(own))
    }

    /// Returns `true` if a group is in force in `state` for somebody for whom the plan takes it
    /// away. One that is at neither end was put in by the plan to be there just for now.
    fn goes(&self, group: usize, state: &State) -> bool {
        let [now, new] = [state, &self.new].map(|state| View { space: self, state }.scope(group));
        let is_between = !self.old.has(group) && !self.new.has(group);
        !is_between && now.is_some_and(|now| !new.is_some_and(|new| new.governs_all_of(now)))
    }

    /// Returns `true` if a state lets a request through for an audience that neither end lets
    /// through, while `missing` groups are missing for the audience in the state, and with or
    /// without them in the old end.
    fn opens_without(
        &self,
        request: &Request,
        state: &State,
        missing: impl Fn(usize, &[&str]) -> bool,
    ) -> bool {
        let [now, old, new] =
            [state, &self.old, &self.new].map(|state| View { space: self, state });
        let audiences = audiences(request, &now, &old, &new);
        audiences.iter().any(|who| {
            let in_force =
                |view: &View<'_>, group| view.in_force(group, who) && !missing(group, who);
            let [now, without]: [&dyn Fn(usize) -> bool; 2] =
                [&|group| in_force(&now, group), &|group| in_force(&old, group)];
            let [old, new]: [&dyn Fn(usize) -> bool; 2] =
                [&|group| old.in_force(group, who), &|group| new.in_force(group, who)];
            match request {
                Request::Access(point, _) => point.may_open(now, &[without, old, new]),
                Request::Mcp { permit, forbids } => {
                    let allowed = |in_force: &dyn Fn(usize) -> bool| {
                        in_force(*permit)
                            && !forbids.iter().flatten().any(|forbid| in_force(*forbid))
                    };
                    allowed(now) && ![without, old, new].into_iter().any(allowed)
                }
            }
        })
    }

    /// An audience without a policy of a domain in `state` that has one before and after the plan:
    /// local rules of developers could apply to it. As a phrase; `None` if there is none.
    fn abandoned(&self, state: &State) -> Option<String> {
        Domain::ALL.into_iter().find_map(|domain| {
            let scopes: Vec<Vec<&Scope>> =
                self.governing(state, domain).into_iter().map(|scope| vec![scope]).collect();
            let audience = self.ungoverned(&scopes, domain)?;
            Some(format!("{audience} without any {} policy", domain.title()))
        })
    }

    /// The same for every subset of calls made on a state: each call may be made or not,
    /// independently of the others.
    pub(super) fn abandoned_by_any(&self, state: &State, changes: &[&Move]) -> Option<String> {
        let mut least = state.clone();
        for Move { groups, .. } in changes {
            for (group, _) in groups.iter().filter(|(_, there)| !there) {
                let own = self.groups.get(*group);
                // A call that replaces a version by another one leaves the policy with rules.
                let replaced =
                    groups.iter().any(|(other, there)| *there && self.groups.get(*other) == own);
                if let (Some(slot), false) = (least.there.get_mut(*group), replaced) {
                    *slot = false;
                }
            }
        }
        Domain::ALL.into_iter().find_map(|domain| {
            let speaking = self
                .contents
                .iter()
                .enumerate()
                .filter(|(_, groups)| self.speaks(&least, groups, domain));
            let choices = speaking.filter_map(|(policy, _)| {
                let own = changes.iter().filter_map(|change| change.scope.as_ref());
                let own =
                    own.filter(|(other, _)| *other == policy).map(|(_, scope)| scope.as_ref());
                // A policy that is missing in one of the subsets governs nobody there.
                std::iter::once(state.scopes.get(policy)?.as_ref())
                    .chain(own)
                    .collect::<Option<Vec<&Scope>>>()
            });
            let audience = self.ungoverned(&choices.collect::<Vec<_>>(), domain)?;
            Some(format!("{audience} without any {} policy", domain.title()))
        })
    }

    /// An audience that both ends govern and that some choice of scopes leaves without a policy. Up
    /// to two teams suffice to show it: one that is governed at the old end, and one at the new.
    fn ungoverned(&self, choices: &[Vec<&Scope>], domain: Domain) -> Option<String> {
        let [old, new] = [&self.old, &self.new].map(|state| self.governing(state, domain));
        let fixed: BTreeSet<&Scope> = choices
            .iter()
            .filter_map(|scopes| if let [scope] = scopes.as_slice() { Some(*scope) } else { None })
            .collect();
        if old.is_subset(&fixed) || new.is_subset(&fixed) {
            return None;
        }
        let teams = distinguishable_teams(
            old.iter().chain(&new).copied().chain(choices.iter().flatten().copied()),
        );
        let by = |scopes: &BTreeSet<&Scope>, who: &[&str]| {
            scopes.iter().any(|scope| scope.governs_any(who))
        };
        let always = |who: &[&str]| {
            choices.iter().any(|scopes| scopes.iter().all(|scope| scope.governs_any(who)))
        };
        let lost = |who: &[&str]| by(&old, who) && by(&new, who) && !always(who);
        if lost(&[]) {
            return Some("the organization".to_owned());
        }
        let mut pairs = teams
            .iter()
            .flat_map(|one| teams.range::<&str, _>(one..).map(move |other| (*one, *other)));
        let (one, other) = pairs.find(|(one, other)| lost(&[one, other]))?;
        Some(if one == other { one.to_owned() } else { format!("{one} and {other}") })
    }

    /// The scopes of the policies of a domain that have rules.
    fn governing<'a>(&self, state: &'a State, domain: Domain) -> BTreeSet<&'a Scope> {
        let policies = self.contents.iter().zip(&state.scopes);
        policies
            .filter(|(groups, _)| self.speaks(state, groups, domain))
            .filter_map(|(_, scope)| scope.as_ref())
            .collect()
    }

    /// Returns `true` if one of the groups exists and belongs to the domain.
    fn speaks(&self, state: &State, groups: &[usize], domain: Domain) -> bool {
        let about =
            |group: usize| self.groups.get(group).is_some_and(|group| group.domain == domain);
        groups.iter().any(|group| state.has(*group) && about(*group))
    }
}

impl Request {
    fn groups(&self) -> BTreeSet<usize> {
        match self {
            Self::Access(point, _) => point.matches().iter().map(|one| one.group).collect(),
            Self::Mcp { permit, forbids } => {
                forbids.iter().flatten().copied().chain([*permit]).collect()
            }
        }
    }

    /// The groups that deny the request.
    fn denies(&self) -> impl Iterator<Item = usize> {
        let (matches, forbids) = match self {
            Self::Access(point, _) => (point.matches(), [None; 2]),
            Self::Mcp { forbids, .. } => (&[][..], *forbids),
        };
        let denies =
            matches.iter().filter(|one| one.decision == Decision::Deny).map(|one| one.group);
        denies.chain(forbids.into_iter().flatten())
    }

    fn describe(&self) -> String {
        match self {
            Self::Access(_, witness) => witness.clone(),
            Self::Mcp { .. } => "an MCP call".to_owned(),
        }
    }

    /// The groups that let the request through, and those that stop it.
    fn sides(&self) -> (BTreeSet<usize>, BTreeSet<usize>) {
        match self {
            Self::Access(point, _) => {
                let stops = |one: &&crate::access::Match| {
                    one.decision == Decision::Deny || one.role == Role::Cover
                };
                let of = |wanted: bool| {
                    point
                        .matches()
                        .iter()
                        .filter(|one| stops(one) == wanted)
                        .map(|one| one.group)
                        .collect()
                };
                (of(false), of(true))
            }
            Self::Mcp { permit, forbids } => {
                (BTreeSet::from([*permit]), forbids.iter().flatten().copied().collect())
            }
        }
    }
}

/// A state from the point of view of an audience.
struct View<'a> {
    space: &'a Space,
    state: &'a State,
}

impl<'a> View<'a> {
    fn scope(&self, group: usize) -> Option<&'a Scope> {
        let policy = self.space.groups.get(group)?.policy;
        self.state.scopes.get(policy)?.as_ref().filter(|_| self.state.has(group))
    }

    fn in_force(&self, group: usize, audience: &[&str]) -> bool {
        self.scope(group).is_some_and(|scope| scope.governs_any(audience))
    }

    fn scopes(&self, groups: &BTreeSet<usize>) -> BTreeSet<&'a Scope> {
        groups.iter().filter_map(|group| self.scope(*group)).collect()
    }
}

/// The audiences that can show an opening: one team that is let through, with up to two teams that
/// are stopped at the ends.
fn audiences<'a>(
    request: &Request,
    now: &View<'a>,
    old: &View<'a>,
    new: &View<'a>,
) -> Vec<Vec<&'a str>> {
    let (lets, stops) = request.sides();
    let sides =
        [&lets, &stops].into_iter().flat_map(|side| [now, old, new].map(|view| view.scopes(side)));
    let distinguishable_teams = distinguishable_teams(sides.flatten());
    let within = |scopes: &BTreeSet<&Scope>| -> BTreeSet<&'a str> {
        let has = |team: &&str| {
            scopes.iter().any(|scope| matches!(scope, Scope::Teams(own) if own.contains(*team)))
        };
        distinguishable_teams.iter().copied().filter(has).collect()
    };
    let stopped = within(&old.scopes(&stops).union(&new.scopes(&stops)).copied().collect());
    let mut audiences = Vec::new();
    for first in std::iter::once(None).chain(within(&now.scopes(&lets)).into_iter().map(Some)) {
        let alone: Vec<&str> = first.into_iter().collect();
        for second in &stopped {
            for third in stopped.range::<&str, _>(second..) {
                audiences.push(alone.iter().copied().chain([*second, *third]).collect());
            }
        }
        audiences.push(alone);
    }
    audiences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_team_stands_for_all_in_the_same_scopes() {
        let scope = |teams: &str| {
            Scope::from_teams(teams.split(' ').filter(|team| !team.is_empty()).map(str::to_owned))
        };
        for (scopes, expected) in [
            (&["a b c"][..], &["a"][..]),
            (&["a b c", "b c d"], &["a", "b", "d"]),
            (&["a b c", "a b c", ""], &["a"]),
            (&[], &[]),
        ] {
            let scopes: Vec<Scope> = scopes.iter().map(|teams| scope(teams)).collect();
            assert_eq!(
                distinguishable_teams(scopes.iter()).into_iter().collect::<Vec<_>>(),
                expected,
                "{scopes:?}"
            );
        }
    }

    #[test]
    fn policies_that_permit_and_forbid_cannot_both_be_made_at_once() {
        // Two policies, each with a permit and a forbid.
        let group = |policy| Group { policy, domain: Domain::Mcp, rule: None };
        let groups = || [0, 0, 1, 1].map(group).to_vec();
        let request = |permit, forbid| Request::Mcp { permit, forbids: [Some(forbid), None] };
        let requests = || [(0, 1), (0, 3), (2, 1), (2, 3)].map(|(p, f)| request(p, f)).to_vec();
        let organization = Some(Scope::Organization);
        let state = |scopes: [&Option<Scope>; 2], there: [bool; 4]| State {
            scopes: scopes.map(Clone::clone).to_vec(),
            there: there.to_vec(),
        };
        let new = || state([&organization; 2], [true; 4]);
        let made = |policy: usize, groups: &[usize]| Move {
            groups: groups.iter().map(|group| (*group, true)).collect(),
            scope: Some((policy, organization.clone())),
        };
        let nothing = || state([&None; 2], [false; 4]);
        let space = Space::new(groups(), requests(), nothing(), new());
        let whole = [made(0, &[0, 0, 1]), made(1, &[2, 3, 3])];
        assert!(space.oppose(&nothing(), &whole, |_| true));
        // The forbids come first, and the permit of one policy with them.
        assert!(!space.oppose(&nothing(), &[made(0, &[0, 1]), made(1, &[3])], |_| true));
        assert!(!space.oppose(&nothing(), &whole, |call| call == 0));
        // The second policy is there already.
        let old = || state([&None, &organization], [false, false, true, true]);
        let space = Space::new(groups(), requests(), old(), new());
        assert!(!space.oppose(&old(), &whole[..1], |_| true));
    }
}
