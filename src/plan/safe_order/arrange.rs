//! The order of one component of calls that depend on each other: search, splits, and a temporary
//! deny around it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Decision, Domain, Layer, PolicyId, Rule, Scope};

use super::effect::{Effect, Stage, influence};
use super::layout::{Extra, Layout};
use super::search::{self, Call};
use super::space::{Move, State};
use super::split::{split, together};
use crate::model::{MAX_POLICIES, MAX_RULES};
use crate::plan::docker::diff::{Diff, PolicySlot};
use crate::plan::docker::draft::Draft;
use crate::plan::docker::temporary::temporary_deny;
use crate::plan::docker::{Change, PolicyFields, PolicyTarget, RuleTarget};
use crate::plan::step::{Delta, Object, Op, Reason};

/// A component for which an order is being found.
pub(super) struct Arrangement<'a> {
    diff: &'a Diff,
    calls: Vec<Arranged>,
}

/// A call with the data that the search uses.
#[derive(Clone, Debug)]
struct Arranged {
    draft: Draft,
    stage: Stage,
    narrows: bool,
    widens: bool,
    /// Positions of calls that must come before it.
    needs: Vec<usize>,
}

/// Above this number of calls that can be split, splits are tried one by one and all together, not
/// in pairs.
const MANY: usize = 12;

impl<'a> Arrangement<'a> {
    pub(super) fn new(
        diff: &'a Diff,
        drafts: &[Draft],
        effects: &[Effect],
        component: &BTreeSet<usize>,
    ) -> Self {
        let position: BTreeMap<usize, usize> = component.iter().copied().zip(0..).collect();
        let calls = component
            .iter()
            .filter_map(|index| {
                let (draft, effect) = (drafts.get(*index)?.clone(), effects.get(*index)?);
                let needs =
                    draft.needs.iter().filter_map(|need| position.get(need)).copied().collect();
                let influence = influence(diff, &draft);
                let (narrows, widens) = (influence.narrows(), influence.widens());
                Some(Arranged { draft, stage: effect.stage, narrows, widens, needs })
            })
            .collect();
        Self { diff, calls }
    }

    /// A safe order as groups of calls that may run at the same time, or the access that opens in
    /// the usual order.
    pub(super) fn solve(&self, layout: &Layout, start: &State) -> Result<Vec<Vec<Draft>>, String> {
        attempt(layout, start, &self.calls)
            .or_else(|| self.with_splits(start))
            .or_else(|| self.within_a_deny(start))
            .ok_or_else(|| match self.room() > 0 {
                true => self.what_opens(layout, start),
                false => format!(
                    "{}; a temporary deny would keep it closed, but the service takes {MAX_POLICIES} policies, and no \
                     declared policy that keeps its scope governs all who are concerned and has room for a rule",
                    self.what_opens(layout, start)
                ),
            })
    }

    /// The number of policies that can be added before the service's limit is reached.
    fn room(&self) -> usize {
        let slots =
            self.diff.policies.iter().filter(|slot| slot.before.is_some() || slot.after.is_some());
        MAX_POLICIES.saturating_sub(slots.count())
    }

    /// The usual order, as far as the service's requirements permit.
    pub(super) fn usual(&self) -> Vec<Vec<Draft>> {
        links(&self.by_stage(), &self.calls)
    }

    fn by_stage(&self) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::new();
        while order.len() < self.calls.len() {
            let free = |(index, call): &(usize, &Arranged)| {
                !order.contains(index) && call.needs.iter().all(|need| order.contains(need))
            };
            let next = self
                .calls
                .iter()
                .enumerate()
                .filter(free)
                .min_by_key(|(index, call)| (call.stage, *index));
            let Some((index, _)) = next else { break };
            order.push(index);
        }
        order
    }

    fn what_opens(&self, layout: &Layout, start: &State) -> String {
        let mut state = start.clone();
        for call in self.by_stage().into_iter().filter_map(|index| self.calls.get(index)) {
            let change = layout.effect(&call.draft);
            state.make(&change);
            if let Some(witness) =
                layout.space.opening(&state, &change, &layout.space.touched(&change))
            {
                return witness;
            }
        }
        "access that neither the old nor the new state gives".to_owned()
    }

    /// Splits one call, then two, then all that can be split, and takes whatever needs the fewest
    /// calls.
    fn with_splits(&self, start: &State) -> Option<Vec<Vec<Draft>>> {
        let parts: BTreeMap<usize, Vec<Arranged>> = self
            .calls
            .iter()
            .enumerate()
            .filter_map(|(index, call)| Some((index, self.parts(call)?)))
            .collect();
        if parts.is_empty() {
            return None;
        }
        // An order for which not all requests are known is not proven safe.
        let layout = Layout::new(
            self.diff,
            &extras(self.diff, parts.values().flatten().map(|call| &call.draft)),
        )
        .ok()?;
        let single = parts.keys().map(|index| BTreeSet::from([*index]));
        let pairs = parts.keys().filter(|_| parts.len() <= MANY).flat_map(|one| {
            parts.range(one + 1..).map(move |(other, _)| BTreeSet::from([*one, *other]))
        });
        let mut choices: Vec<BTreeSet<usize>> = single.chain(pairs).collect();
        choices.push(parts.keys().copied().collect());
        choices.sort_by_key(|choice| {
            choice
                .iter()
                .filter_map(|index| parts.get(index))
                .map(|parts| parts.len() - 1)
                .sum::<usize>()
        });
        let whole: Vec<Move> = self.calls.iter().map(|call| layout.effect(&call.draft)).collect();
        choices
            .iter()
            .filter(|choice| !layout.space.oppose(start, &whole, |call| !choice.contains(&call)))
            .find_map(|choice| attempt(&layout, start, &self.replaced(choice, &parts)))
    }

    /// The calls with the chosen ones replaced by their parts.
    fn replaced(
        &self,
        choice: &BTreeSet<usize>,
        parts: &BTreeMap<usize, Vec<Arranged>>,
    ) -> Vec<Arranged> {
        let replacements: Vec<&[Arranged]> = self
            .calls
            .iter()
            .enumerate()
            .map(|(index, whole)| match parts.get(&index) {
                Some(parts) if choice.contains(&index) => parts.as_slice(),
                Some(_) | None => std::slice::from_ref(whole),
            })
            .collect();
        let mut awaited = Vec::new();
        let mut before = 0;
        for parts in &replacements {
            awaited.push(before + last_awaited(parts));
            before += parts.len();
        }
        let mut calls: Vec<Arranged> = Vec::new();
        for parts in replacements {
            for (position, call) in parts.iter().enumerate() {
                let mut call = call.clone();
                // Each part depends on the one before it.
                call.needs = match position {
                    0 => call.needs.iter().filter_map(|need| awaited.get(*need)).copied().collect(),
                    _ => vec![calls.len() - 1],
                };
                calls.push(call);
            }
        }
        calls
    }

    /// The parts of a call that can be split.
    fn parts(&self, call: &Arranged) -> Option<Vec<Arranged>> {
        let parts = split(&call.draft, self.diff.policies.get(call.draft.policy)?)?;
        let last = parts.len() - 1;
        let parts = parts.into_iter().enumerate().map(|(position, draft)| {
            let influence = influence(self.diff, &draft);
            let stage = if position == last { Stage::DropDenies } else { Stage::AddDenies };
            let (narrows, widens) = (influence.narrows(), influence.widens());
            Arranged { draft, stage, narrows, widens, needs: call.needs.clone() }
        });
        Some(parts.collect())
    }

    /// All calls, while everything that they are about is denied: by a temporary policy, or if
    /// there is no room for one, by temporary rules in policies that stay.
    fn within_a_deny(&self, start: &State) -> Option<Vec<Vec<Draft>>> {
        let (rules, scopes) = self.concerned();
        let mut denies: Vec<Rule> = Vec::new();
        for layer in [Layer::Network, Layer::Http, Layer::Filesystem] {
            let of_layer: Vec<&Rule> =
                rules.iter().filter(|rule| rule.layer() == Some(layer)).copied().collect();
            let Some(first) = of_layer.first() else { continue };
            let all =
                of_layer.iter().try_fold((*first).clone(), |all, rule| together(&all, rule))?;
            let name = format!("deny while {} changes", layer_name(layer));
            denies.push(Rule { name, decision: Decision::Deny, ..all });
        }
        // Rules of another policy cannot deny what Cedar text permits.
        let cedar = self.calls.iter().any(|call| {
            self.diff.policies.get(call.draft.policy).is_some_and(|slot| slot.is_cedar())
        });
        if cedar || denies.is_empty() {
            return None;
        }
        let scope = if scopes.contains(&Scope::Organization) {
            Scope::Organization
        } else {
            Scope::from_teams(scopes.iter().flat_map(Scope::teams).map(str::to_owned))
        };
        // A policy has one domain.
        let domains = [Domain::Network, Domain::Filesystem]
            .map(|domain| (domain, of_domain(&denies, domain)));
        let domains: Vec<(Domain, Vec<Rule>)> =
            domains.into_iter().filter(|(_, denies)| !denies.is_empty()).collect();
        let policies = &self.diff.policies;
        let heads = policies.iter().flat_map(PolicySlot::heads);
        let names = free_names(heads.map(|head| head.name.as_str()));
        let mut deny = Deny::default();
        for ((domain, denies), (slot, name)) in domains.iter().zip((policies.len()..).zip(names)) {
            match self.room() >= domains.len() {
                true => deny.add(deny_policy(slot, name, denies, &scope)),
                false => deny.add(deny_rules(
                    self.diff,
                    &policies_with_room(self.diff, *domain, &scope, denies.len())?,
                    denies,
                )),
            }
        }
        let calls = self.calls_between(deny);
        let layout =
            Layout::new(self.diff, &extras(self.diff, calls.iter().map(|call| &call.draft)))
                .ok()?;
        attempt(&layout, start, &calls)
    }

    /// The versions of rules that the calls are about, with the scopes of their policies.
    fn concerned(&self) -> (Vec<&'a Rule>, BTreeSet<Scope>) {
        let mut rules: Vec<&'a Rule> = Vec::new();
        let mut scopes = BTreeSet::new();
        for Arranged { draft, .. } in &self.calls {
            let Some(slot) = self.diff.policies.get(draft.policy) else { continue };
            scopes.extend(slot.heads().map(|head| head.scope.clone()));
            for (position, rule) in slot.rules.iter().enumerate() {
                if draft.rule.is_none_or(|own| own == position) {
                    rules.extend(rule.versions());
                }
            }
        }
        (rules, scopes)
    }

    /// All calls, between those that start a deny and those that end it.
    fn calls_between(&self, Deny { begin, end }: Deny) -> Vec<Arranged> {
        let arranged = |draft, stage, needs| {
            let (narrows, widens) = (stage == Stage::AddDenies, stage == Stage::DropDenies);
            Arranged { draft, stage, narrows, widens, needs }
        };
        let mut calls: Vec<Arranged> = Vec::new();
        for draft in begin {
            let stage = match draft.change.object() {
                Object::Policy => Stage::Prepare,
                Object::Rule => Stage::AddDenies,
            };
            let needs = draft.needs.clone();
            calls.push(arranged(draft, stage, needs));
        }
        let offset = calls.len();
        for call in &self.calls {
            let needs = call.needs.iter().map(|need| need + offset).chain(0..offset).collect();
            calls.push(Arranged { needs, ..call.clone() });
        }
        let all: Vec<usize> = (0..calls.len()).collect();
        calls.extend(end.into_iter().map(|draft| arranged(draft, Stage::DropDenies, all.clone())));
        calls
    }
}

/// The part of a call on which later calls depend: the last part, or the deletion if a rule is
/// created again, since calls that wait for a rule wait for its deletion.
fn last_awaited(parts: &[Arranged]) -> usize {
    let calls = parts
        .iter()
        .map(|Arranged { draft: Draft { change, .. }, .. }| (change.object(), change.op()));
    let made_anew = calls.eq([(Object::Rule, Op::Delete), (Object::Rule, Op::Create)]);
    if made_anew { 0 } else { parts.len().saturating_sub(1) }
}

/// The calls that start a deny, each with the positions that it depends on, and the calls that end
/// it.
#[derive(Default)]
struct Deny {
    begin: Vec<Draft>,
    end: Vec<Draft>,
}

impl Deny {
    /// A deny that covers both.
    fn add(&mut self, Self { begin, end }: Self) {
        let offset = self.begin.len();
        self.begin.extend(begin.into_iter().map(|draft| {
            let needs = draft.needs.iter().map(|need| need + offset).collect();
            Draft { needs, ..draft }
        }));
        self.end.extend(end);
    }
}

fn of_domain(rules: &[Rule], domain: Domain) -> Vec<Rule> {
    rules.iter().filter(|rule| rule.domain() == Some(domain)).cloned().collect()
}

fn temporary(policy: usize, change: Change, needs: Vec<usize>) -> Draft {
    Draft { policy, rule: None, change, source: None, because: Some(Reason::TemporaryDeny), needs }
}

/// Names for temporary denies that no other object has: an apply that stopped may have left some.
fn free_names<'b>(taken: impl Iterator<Item = &'b str>) -> impl Iterator<Item = String> {
    let taken: BTreeSet<&str> = taken.collect();
    (1..).map(temporary_deny).filter(move |name| !taken.contains(name.as_str()))
}

/// A temporary policy, beyond the slots of the difference.
fn deny_policy(slot: usize, name: String, denies: &[Rule], scope: &Scope) -> Deny {
    let head = PolicyFields { name, scope: scope.clone(), cedar: None };
    let target = PolicyTarget::Planned(head.name.clone());
    let rule =
        |rule: &Rule| temporary(slot, Change::create_rule(target.clone(), rule.clone()), vec![0]);
    let create = temporary(slot, Change::create_policy(head.clone()), Vec::new());
    let begin = std::iter::once(create).chain(denies.iter().map(rule)).collect();
    let delta = Delta::Delete { before: head.with_rules(denies.to_vec()) };
    Deny { begin, end: vec![temporary(slot, Change::Policy { target, delta }, Vec::new())] }
}

/// Temporary rules in policies that stay.
fn deny_rules(diff: &Diff, hosts: &[(usize, PolicyId)], denies: &[Rule]) -> Deny {
    let (mut begin, mut end) = (Vec::new(), Vec::new());
    for (slot, id) in hosts {
        let own = diff.policies.get(*slot).into_iter().flat_map(PolicySlot::contents);
        let names = free_names(own.map(|rule| rule.name.as_str()));
        for (rule, name) in denies.iter().zip(names) {
            let rule = Rule { name, ..rule.clone() };
            let (policy, target) =
                (PolicyTarget::Existing(id.clone()), RuleTarget::Planned(rule.name.clone()));
            let create = Change::create_rule(policy.clone(), rule.clone());
            begin.push(temporary(*slot, create, Vec::new()));
            let delta = Delta::Delete { before: rule };
            end.push(temporary(*slot, Change::Rule { policy, target, delta }, Vec::new()));
        }
    }
    Deny { begin, end }
}

/// Declared policies of a domain that keep their scope, have room for this number of rules, and
/// together govern everybody in `scope`. Nobody else if possible, otherwise as few others as
/// possible. Rules that an interrupted apply leaves in them are not declared, and the next apply
/// deletes them.
fn policies_with_room(
    diff: &Diff,
    domain: Domain,
    scope: &Scope,
    rules: usize,
) -> Option<Vec<(usize, PolicyId)>> {
    let mut candidates: Vec<(usize, PolicyId, &Scope)> = Vec::new();
    for (index, slot) in diff.policies.iter().enumerate() {
        let (Some((id, before)), Some(after), Some(_)) = (&slot.before, &slot.after, &slot.origin)
        else {
            continue;
        };
        let stays = |rule: &crate::plan::docker::diff::RuleSlot| {
            let before = rule.before.as_ref().and_then(|(_, rule)| rule.domain());
            before == Some(domain) && rule.after.as_ref().and_then(Rule::domain) == Some(domain)
        };
        if before.scope == after.scope
            && slot.rules.iter().any(stays)
            && slot.rules.len() + rules <= MAX_RULES
        {
            candidates.push((index, id.clone(), &after.scope));
        }
    }
    let Scope::Teams(wanted) = scope else {
        let (index, id, _) =
            candidates.into_iter().find(|(.., scope)| **scope == Scope::Organization)?;
        return Some(vec![(index, id)]);
    };
    let mut missing = wanted.clone();
    let mut chosen = Vec::new();
    for (index, id, scope) in &candidates {
        if let Scope::Teams(teams) = scope
            && teams.is_subset(wanted)
            && !teams.is_disjoint(&missing)
        {
            missing.retain(|team| !teams.contains(team));
            chosen.push((*index, id.clone()));
        }
    }
    if missing.is_empty() {
        return Some(chosen);
    }
    let size = |scope: &Scope| match scope {
        Scope::Teams(teams) => teams.len(),
        Scope::Organization => usize::MAX,
    };
    let governs = |scope: &Scope| match scope {
        Scope::Teams(teams) => wanted.is_subset(teams),
        Scope::Organization => true,
    };
    let wide = candidates.into_iter().filter(|(.., scope)| governs(scope));
    wide.min_by_key(|(index, _, scope)| (size(scope), *index))
        .map(|(index, id, _)| vec![(index, id)])
}

/// The versions of rules that neither end of the difference has.
pub(super) fn extras<'b>(diff: &Diff, drafts: impl IntoIterator<Item = &'b Draft>) -> Vec<Extra> {
    let mut extras: Vec<Extra> = Vec::new();
    for draft in drafts {
        let (before, after) = draft.change.rule_sides();
        for rule in before.into_iter().chain(after) {
            let slot = diff
                .policies
                .get(draft.policy)
                .zip(draft.rule)
                .and_then(|(slot, rule)| slot.rules.get(rule));
            let known = slot.is_some_and(|slot| slot.has(rule));
            let extra = Extra { policy: draft.policy, rule: rule.clone() };
            if !known && !extras.contains(&extra) {
                extras.push(extra);
            }
        }
    }
    extras
}

fn attempt(layout: &Layout, start: &State, calls: &[Arranged]) -> Option<Vec<Vec<Draft>>> {
    let mut start = start.clone();
    start.there.resize(layout.space.old.there.len(), false);
    start.scopes.resize(layout.space.old.scopes.len(), None);
    let effects: Vec<Move> = calls.iter().map(|call| layout.effect(&call.draft)).collect();
    if layout.space.oppose(&start, &effects, |_| true) {
        return None;
    }
    let plain: Vec<Call> = calls
        .iter()
        .zip(effects)
        .map(|(call, effect)| {
            let requests = layout.space.touched(&effect);
            let Arranged { draft: _, stage, narrows, widens, needs } = call;
            Call {
                effect,
                stage: *stage,
                narrows: *narrows,
                widens: *widens,
                needs: needs.clone(),
                requests,
            }
        })
        .collect();
    Some(links(&search::order(&layout.space, &start, &plain)?, calls))
}

fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::Network => "network access",
        Layer::Http => "HTTP access",
        Layer::Filesystem => "file system access",
    }
}

/// The calls in this order, with neighbours grouped if any order of them is equally safe. If all of
/// them only narrow, every state is below the state before them; if all of them only widen, below
/// the state after them. A group has calls of one operation, so that none deletes an audience's
/// last policy before another one creates a new one.
fn links(order: &[usize], calls: &[Arranged]) -> Vec<Vec<Draft>> {
    let mut links: Vec<Vec<Draft>> = Vec::new();
    let mut members: Vec<usize> = Vec::new();
    for index in order {
        let Some(call) = calls.get(*index) else { continue };
        let last = members.last().and_then(|last| calls.get(*last));
        let alike = last.is_some_and(|last| {
            last.draft.change.op() == call.draft.change.op()
                && last.stage == call.stage
                && (last.narrows && call.narrows || last.widens && call.widens)
        });
        match links.last_mut() {
            Some(link) if alike && !call.needs.iter().any(|need| members.contains(need)) => {
                link.push(call.draft.clone())
            }
            Some(_) | None => {
                members.clear();
                links.push(vec![call.draft.clone()]);
            }
        }
        members.push(*index);
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Decision::{Allow, Deny};
    use crate::model::{Action, Body, Ownership, Policy, Resources};
    use crate::plan::docker::diff::diff;
    use crate::plan::safe_order::proof::{desired, ends, live, policy};

    fn rule(name: &str, action: Action) -> Rule {
        let resources = Resources::Plain(vec!["x.example".to_owned()].into());
        Rule { name: name.to_owned(), decision: Allow, actions: vec![action], resources }
    }

    fn call(op: Op, stage: Stage, (narrows, widens): (bool, bool), needs: &[usize]) -> Arranged {
        let rule = rule("r", Action::ConnectTcp);
        let (policy, target) =
            (PolicyTarget::Planned("p".to_owned()), RuleTarget::Planned("r".to_owned()));
        let delta = match op {
            Op::Delete => Delta::Delete { before: rule },
            Op::Create | Op::Update | Op::Approve | Op::Reject | Op::Activate => {
                Delta::Create { after: rule }
            }
        };
        let change = Change::Rule { policy, target, delta };
        let draft = Draft {
            policy: 0,
            rule: Some(0),
            change,
            source: None,
            because: None,
            needs: needs.to_vec(),
        };
        Arranged { draft, stage, narrows, widens, needs: needs.to_vec() }
    }

    #[test]
    fn neighbours_run_at_the_same_time_if_any_order_of_them_is_as_safe() {
        const NARROWS: (bool, bool) = (true, false);
        const WIDENS: (bool, bool) = (false, true);
        let first = || call(Op::Create, Stage::AddAllows, WIDENS, &[]);
        let table = [
            (call(Op::Create, Stage::AddAllows, WIDENS, &[]), &[2][..]),
            // One that the service requires to wait.
            (call(Op::Create, Stage::AddAllows, WIDENS, &[0]), &[1, 1]),
            // Another phase, another operation, another direction, and both directions at once.
            (call(Op::Create, Stage::AddDenies, WIDENS, &[]), &[1, 1]),
            (call(Op::Delete, Stage::AddAllows, WIDENS, &[]), &[1, 1]),
            (call(Op::Create, Stage::AddAllows, NARROWS, &[]), &[1, 1]),
            (call(Op::Create, Stage::AddAllows, (false, false), &[]), &[1, 1]),
        ];
        for (second, expected) in table {
            let found: Vec<usize> =
                links(&[0, 1], &[first(), second.clone()]).iter().map(Vec::len).collect();
            assert_eq!(found, expected, "{second:?}");
        }
        // A call waits for the whole group before it, not for its last member alone.
        let calls = [first(), first(), call(Op::Create, Stage::AddAllows, WIDENS, &[0])];
        assert_eq!(links(&[0, 1, 2], &calls).iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(links(&[1, 0, 2], &calls[..2]).iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn the_usual_order_follows_phases_as_far_as_dependencies_permit() {
        let both = (false, false);
        let table = [
            (vec![(Stage::DropDenies, &[][..]), (Stage::AddDenies, &[])], [1, 0]),
            (vec![(Stage::AddDenies, &[]), (Stage::AddDenies, &[])], [0, 1]),
            (vec![(Stage::DropDenies, &[]), (Stage::AddDenies, &[0])], [0, 1]),
        ];
        for (calls, expected) in table {
            let diff = Diff::default();
            let calls =
                calls.iter().map(|(stage, needs)| call(Op::Create, *stage, both, needs)).collect();
            assert_eq!(Arrangement { diff: &diff, calls }.by_stage(), expected);
        }
    }

    #[test]
    fn a_call_that_waits_for_a_divided_one_waits_for_its_last_part() {
        let both = (false, false);
        let part = |op| call(op, Stage::AddDenies, both, &[]);
        assert_eq!(last_awaited(&[part(Op::Create)]), 0);
        assert_eq!(last_awaited(&[part(Op::Create), part(Op::Create)]), 1);
        // A rule that is created again: the room that its deletion makes is what others wait for.
        assert_eq!(last_awaited(&[part(Op::Delete), part(Op::Create)]), 0);
    }

    #[test]
    fn temporary_rules_go_where_they_deny_all_who_are_concerned_and_as_few_others_as_possible() {
        let scope = |teams: &str| Scope::from_teams(teams.split_whitespace().map(str::to_owned));
        let own = |name: &str, teams: &str, rules: usize| {
            let rules = (0..rules).map(|number| rule(&format!("r{number}"), Action::ConnectTcp));
            Policy {
                name: name.to_owned(),
                scope: scope(teams),
                body: Body::Allowlist(rules.collect()),
            }
        };
        // The policies before and after by name, teams and number of rules; who is concerned; and
        // who is found.
        type Side<'a> = (&'a str, &'a str, usize);
        type Row<'a> = (&'a [Side<'a>], &'a [Side<'a>], &'a str, Option<&'a [&'a str]>);
        let table: [Row<'_>; 10] = [
            (&[("org", "", 1)], &[("org", "", 1)], "", Some(&["org"])),
            // Policies of teams do not govern those who are in none.
            (&[("a", "a", 1)], &[("a", "a", 1)], "", None),
            (
                &[("a", "a", 1), ("b", "b", 1)],
                &[("a", "a", 1), ("b", "b", 1)],
                "a b",
                Some(&["a", "b"]),
            ),
            (&[("a", "a", 1), ("org", "", 1)], &[("a", "a", 1), ("org", "", 1)], "a", Some(&["a"])),
            // Not all of them have one of their own, so that others are denied too: those of the
            // smaller policy.
            (
                &[("a", "a", 1), ("org", "", 1), ("abc", "a b c", 1), ("abcd", "a b c d", 1)],
                &[("a", "a", 1), ("org", "", 1), ("abc", "a b c", 1), ("abcd", "a b c d", 1)],
                "a b",
                Some(&["abc"]),
            ),
            (
                &[("a", "a", 1), ("org", "", 1)],
                &[("a", "a", 1), ("org", "", 1)],
                "a b",
                Some(&["org"]),
            ),
            // The last room is for two rules, and not for three.
            (&[("a", "a", MAX_RULES - 2)], &[("a", "a", MAX_RULES - 2)], "a", Some(&["a"])),
            (&[("a", "a", MAX_RULES - 1)], &[("a", "a", MAX_RULES - 1)], "a", None),
            // One that gets another scope, or goes, is no place.
            (&[("a", "a", 1)], &[("a", "a b", 1)], "a", None),
            (&[("a", "a", 1)], &[], "a", None),
        ];
        for (old, new, concerned, expected) in table {
            let side = |side: &[Side<'_>]| -> Vec<Policy> {
                side.iter().map(|(name, teams, rules)| own(name, teams, *rules)).collect()
            };
            let (_, diff, _) = ends(&side(old), &side(new));
            let found = policies_with_room(&diff, Domain::Network, &scope(concerned), 2);
            let names = found.map(|found| {
                let name = |(_, id): &(usize, PolicyId)| id.0.trim_start_matches("pol_").to_owned();
                found.iter().map(name).collect::<Vec<_>>()
            });
            let expected =
                expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(names, expected, "{concerned:?} {new:?}");
            // A policy has one domain.
            assert_eq!(policies_with_room(&diff, Domain::Filesystem, &scope(concerned), 2), None);
        }
    }

    #[test]
    fn a_policy_that_no_document_declares_takes_no_temporary_rules() {
        let own = [policy("p", &[("r", Allow, &["x"])])];
        let diff = |new: &[Policy]| diff(&desired(new), &live(&own), &Ownership::default());
        let found = |new: &[Policy]| {
            policies_with_room(&diff(new), Domain::Network, &Scope::Organization, 1).is_some()
        };
        assert!(found(&own));
        assert!(!found(&[]));
    }

    #[test]
    fn versions_that_neither_end_has_are_extras() {
        let (_, diff, drafts) =
            ends(&[policy("p", &[("r", Allow, &["a"])])], &[policy("p", &[("r", Allow, &["b"])])]);
        assert_eq!(extras(&diff, &drafts), []);
        let between = Rule { decision: Deny, ..rule("r", Action::ConnectTcp) };
        let mut changed = drafts[0].clone();
        let Change::Rule { delta: Delta::Update { after, .. }, .. } = &mut changed.change else {
            panic!("{changed:?}")
        };
        after.clone_from(&between);
        let extra = Extra { policy: drafts[0].policy, rule: between };
        assert_eq!(extras(&diff, [&changed, &changed]), [extra], "each once");
    }
}
