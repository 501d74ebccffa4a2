//! The slots of a difference as a [`Space`]: groups, both ends, and the effect of each call on a
//! state.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{SurveyLimit, Universe};
use crate::model::{Cedar, Decision, Domain, Rule};

use super::cedar::{Kind, statements};
use super::space::{Group, Move, Request, Space, State};
use crate::plan::docker::diff::{Diff, PolicySlot};
use crate::plan::docker::draft::Draft;
use crate::plan::docker::{Change, PolicyFields};
use crate::plan::step::Delta;

/// A version of a rule, or a temporary policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Extra {
    /// The policy's slot; beyond the slots of the difference for a temporary policy.
    pub(super) policy: usize,
    pub(super) rule: Rule,
}

/// A space with the key of each group, so that calls can be mapped to their groups.
pub(super) struct Layout {
    pub(super) space: Space,
    /// By policy slot, rule slot and side.
    rules: BTreeMap<(usize, usize, bool), usize>,
    /// By policy slot and statement.
    texts: BTreeMap<(usize, Kind, String), usize>,
    /// By position in the extras.
    extras: Vec<(Extra, usize)>,
}

impl Layout {
    /// Lays out both ends of a difference, with room for temporary versions.
    ///
    /// # Errors
    ///
    /// Returns the kind of target if rules distinguish too many targets of it to enumerate all
    /// requests.
    pub(super) fn new(diff: &Diff, extras: &[Extra]) -> Result<Self, SurveyLimit> {
        let mut builder = Builder::default();
        for (index, slot) in diff.policies.iter().enumerate() {
            builder.policy(index, slot);
        }
        let extras: Vec<(Extra, usize)> = extras
            .iter()
            .map(|extra| {
                (extra.clone(), builder.rule((extra.policy, None), &extra.rule, [false, false]))
            })
            .collect();
        let rules = builder
            .versions
            .iter()
            .map(|(group, rule)| (*rule, *group))
            .chain(extras.iter().map(|(extra, group)| (&extra.rule, *group)));
        let changing = builder.changing(diff);
        let at = |end: &[bool], group: usize| end.get(group).copied().unwrap_or(false);
        let ends = |group: usize| [at(&builder.old, group), at(&builder.new, group)];
        let universe = Universe::build_about(rules, |group| changing.contains(&group), ends)?;
        let points = universe.points_about(|group| changing.contains(&group));
        let mut requests: Vec<Request> = points
            .into_iter()
            .map(|(point, witness)| Request::Access(point, witness.to_string()))
            .collect();
        requests.extend(builder.calls(&changing));
        let policies = extras
            .iter()
            .map(|(extra, _)| extra.policy + 1)
            .max()
            .unwrap_or(0)
            .max(diff.policies.len());
        let end = |there: Vec<bool>, head: fn(&PolicySlot) -> Option<&PolicyFields>| State {
            scopes: (0..policies)
                .map(|index| diff.policies.get(index).and_then(head).map(|head| head.scope.clone()))
                .collect(),
            there,
        };
        let old = end(builder.old, |slot| slot.before.as_ref().map(|(_, head)| head));
        let new = end(builder.new, |slot| slot.after.as_ref());
        let (rules, texts) = (builder.rules, builder.texts);
        Ok(Self { space: Space::new(builder.groups, requests, old, new), rules, texts, extras })
    }

    /// The effect of a call on a state.
    pub(super) fn effect(&self, draft: &Draft) -> Move {
        let policy = draft.policy;
        match &draft.change {
            Change::Policy { delta: Delta::Create { after }, .. } => Move {
                groups: self.texts_of(policy, after.cedar.as_ref(), true),
                scope: Some((policy, Some(after.scope.clone()))),
            },
            Change::Policy { delta: Delta::Update { before, after }, .. } => {
                let mut groups = self.texts_of(policy, before.cedar.as_ref(), false);
                groups.extend(self.texts_of(policy, after.cedar.as_ref(), true));
                let scope =
                    (before.scope != after.scope).then(|| (policy, Some(after.scope.clone())));
                Move { groups, scope }
            }
            Change::Policy { delta: Delta::Delete { .. }, .. } => {
                Move { groups: Vec::new(), scope: Some((policy, None)) }
            }
            Change::Rule { .. } => {
                let (before, after) = draft.change.rule_sides();
                self.swap(draft, before, after)
            }
        }
    }

    fn swap(&self, draft: &Draft, before: Option<&Rule>, after: Option<&Rule>) -> Move {
        let goes = before.and_then(|rule| self.version(draft, false, rule));
        let comes = after.and_then(|rule| self.version(draft, true, rule));
        if goes == comes {
            return Move::default();
        }
        let groups = goes
            .map(|group| (group, false))
            .into_iter()
            .chain(comes.map(|group| (group, true)))
            .collect();
        Move { groups, scope: None }
    }

    /// The group of a version: one made for a split, or the side of the rule's slot.
    fn version(&self, draft: &Draft, after: bool, rule: &Rule) -> Option<usize> {
        let extra = self
            .extras
            .iter()
            .find(|(extra, _)| extra.policy == draft.policy && extra.rule == *rule);
        extra
            .map(|(_, group)| *group)
            .or_else(|| self.rules.get(&(draft.policy, draft.rule?, after)).copied())
    }

    fn texts_of(&self, policy: usize, cedar: Option<&Cedar>, there: bool) -> Vec<(usize, bool)> {
        let Some(cedar) = cedar else { return Vec::new() };
        let found = statements(cedar);
        let group = |(text, kind): (&str, Kind)| self.texts.get(&(policy, kind, text.to_owned()));
        let groups: BTreeSet<usize> = found.iter().filter_map(group).copied().collect();
        groups.into_iter().map(|group| (group, there)).collect()
    }
}

#[derive(Default)]
struct Builder<'a> {
    groups: Vec<Group>,
    /// The rule versions with their groups.
    versions: Vec<(usize, &'a Rule)>,
    old: Vec<bool>,
    new: Vec<bool>,
    rules: BTreeMap<(usize, usize, bool), usize>,
    texts: BTreeMap<(usize, Kind, String), usize>,
    statements: Vec<(usize, Kind)>,
    /// By policy slot, domain and decision: the rules that stay.
    staying: BTreeMap<(usize, Domain, Decision), usize>,
}

impl<'a> Builder<'a> {
    fn policy(&mut self, index: usize, slot: &'a PolicySlot) {
        for (position, rule) in slot.rules.iter().enumerate() {
            let before = rule.before.as_ref().map(|(_, rule)| rule);
            match (before, &rule.after) {
                (Some(before), Some(_)) if !rule.changes_meaning() => {
                    let group = self.staying(index, before);
                    self.rules.insert((index, position, false), group);
                    self.rules.insert((index, position, true), group);
                }
                (before, after) => {
                    if let Some(before) = before {
                        let group = self.version((index, position), before, [true, false]);
                        self.rules.insert((index, position, false), group);
                    }
                    if let Some(after) = after {
                        let group = self.version((index, position), after, [false, true]);
                        self.rules.insert((index, position, true), group);
                    }
                }
            }
        }
        let heads = [slot.before.as_ref().map(|(_, head)| head), slot.after.as_ref()];
        self.cedar(index, heads.map(|head| head.and_then(|head| head.cedar.as_ref())));
    }

    fn staying(&mut self, policy: usize, rule: &'a Rule) -> usize {
        let key = (policy, domain(rule), rule.decision);
        let group = match self.staying.get(&key) {
            Some(group) => *group,
            None => self.rule((policy, None), rule, [true, true]),
        };
        self.staying.insert(key, group);
        self.versions.push((group, rule));
        group
    }

    fn version(&mut self, at: (usize, usize), rule: &'a Rule, ends: [bool; 2]) -> usize {
        let group = self.rule((at.0, Some(at.1)), rule, ends);
        self.versions.push((group, rule));
        group
    }

    fn rule(
        &mut self,
        (policy, position): (usize, Option<usize>),
        rule: &Rule,
        ends: [bool; 2],
    ) -> usize {
        self.group(Group { policy, domain: domain(rule), rule: position }, ends)
    }

    fn group(&mut self, group: Group, [old, new]: [bool; 2]) -> usize {
        self.groups.push(group);
        self.old.push(old);
        self.new.push(new);
        self.groups.len() - 1
    }

    /// The statements of both ends. Those of one kind that are added, removed or kept change
    /// together, because every text that a call sets holds either all of them or none.
    fn cedar(&mut self, policy: usize, ends: [Option<&Cedar>; 2]) {
        let [old, new] = ends.map(|cedar| cedar.map(statements).unwrap_or_default());
        let mut found: BTreeMap<(Kind, String), [bool; 2]> = BTreeMap::new();
        for (side, statements) in [old, new].iter().enumerate() {
            for (text, kind) in statements.iter() {
                found
                    .entry((kind, text.to_owned()))
                    .or_default()
                    .iter_mut()
                    .skip(side)
                    .take(1)
                    .for_each(|is| *is = true);
            }
        }
        let mut together: BTreeMap<(Kind, [bool; 2]), usize> = BTreeMap::new();
        for ((kind, text), ends) in found {
            let group = match together.get(&(kind, ends)) {
                Some(group) => *group,
                None => {
                    let group = self.group(Group { policy, domain: Domain::Mcp, rule: None }, ends);
                    self.statements.push((group, kind));
                    together.insert((kind, ends), group);
                    group
                }
            };
            self.texts.insert((policy, kind, text), group);
        }
    }

    /// The groups that are added, removed, or get another scope.
    fn changing(&self, diff: &Diff) -> BTreeSet<usize> {
        let rescoped = |slot: &PolicySlot| {
            slot.before.as_ref().map(|(_, head)| &head.scope)
                != slot.after.as_ref().map(|head| &head.scope)
        };
        let ends = self.old.iter().zip(&self.new);
        let groups = self.groups.iter().zip(ends).enumerate();
        groups
            .filter(|(_, (group, (old, new)))| {
                old != new
                    || diff.policies.get(group.policy).is_none_or(rescoped)
                    || !(**old || **new)
            })
            .map(|(index, _)| index)
            .collect()
    }

    /// MCP requests as far as statements can be distinguished without interpreting them: each
    /// statement that lets a request through may overlap each statement that stops it, once at the
    /// old end and once at the new. Statements that stay and govern the same audience stop the same
    /// requests in every state.
    fn calls(&self, changing: &BTreeSet<usize>) -> Vec<Request> {
        let of = |wanted: &'static [Kind]| {
            self.statements
                .iter()
                .filter(|(_, kind)| wanted.contains(kind))
                .map(|(group, _)| *group)
                .collect::<Vec<_>>()
        };
        let at = |end: &[bool], group: usize| end.get(group).copied().unwrap_or(false);
        // Two questions: is the request let through at all, and is it let through without approval.
        let levels = [
            (of(&[Kind::Permit, Kind::Approval]), of(&[Kind::Forbid])),
            (of(&[Kind::Permit]), of(&[Kind::Forbid, Kind::Approval])),
        ];
        let mut calls = BTreeSet::new();
        for (permits, mut stops) in levels {
            stops.retain(|group| changing.contains(group));
            let side = |end: &[bool]| {
                stops.iter().copied().filter(|group| at(end, *group)).collect::<Vec<_>>()
            };
            let (old, new) = (side(&self.old), side(&self.new));
            for permit in permits {
                if changing.contains(&permit) {
                    calls.insert((permit, [None, None]));
                }
                calls.extend(stops.iter().map(|stop| (permit, [Some(*stop), None])));
                for one in &old {
                    let others = new.iter().filter(|other| *other != one);
                    calls.extend(
                        others
                            .map(|other| (permit, [Some(*one.min(other)), Some(*one.max(other))])),
                    );
                }
            }
        }
        calls.into_iter().map(|(permit, forbids)| Request::Mcp { permit, forbids }).collect()
    }
}

/// The domain of a rule. A rule with only unknown actions has no domain that this version knows. It
/// is counted with the network, where [`crate::access`] treats it as uncertain.
fn domain(rule: &Rule) -> Domain {
    rule.domain().unwrap_or(Domain::Network)
}
