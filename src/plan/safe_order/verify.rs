//! Verifies that the order of a loaded plan is safe: a plan from a file may not have been made by
//! the planner.
//!
//! Invariant: in a plan that passes, no intermediate state is more open than both ends, whichever
//! steps of a phase are carried out. The order of phases is a proof as it is for the planner
//! ([`super::effect`]), as far as steps that share a request follow it; every other step is checked
//! in the states that it leads to.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Cedar, Live, LivePolicy, PolicyId, RuleId};

use super::arrange::extras;
use super::effect::{Effect, Influence, effects, influence};
use super::layout::Layout;
use super::space::Move;
use super::split::is_between;
use super::{Refusal, join, root};
use crate::plan::docker::diff::{Diff, PolicySlot, RuleSlot};
use crate::plan::docker::draft::Draft;
use crate::plan::docker::{Change, PolicyFields, Step, simulate};
use crate::plan::step::Delta;
use crate::plan::step::Reason;

/// The reason why the steps may not be carried out in this order from this live state; `None` if
/// they may.
pub(crate) fn verify(live: &Live, steps: &[Step]) -> Option<Refusal> {
    if steps.is_empty() {
        return None;
    }
    let after = simulate::simulate(live, steps.iter().map(|step| &step.change));
    let slots = Slots::new(live, &after, steps);
    let drafts: Vec<Draft> = steps.iter().map(|step| slots.draft(step)).collect();
    let diff = slots.diff;
    if let Some(text) = drafts.iter().find_map(|draft| foreign_text(&diff, draft)) {
        return Some(Refusal::Opens(format!("an MCP text of `{text}` that neither end has")));
    }
    let mut effects = effects(&diff, &drafts);
    let between = extras(&diff, &drafts);
    for (effect, is_part) in effects.iter_mut().zip(parts(&drafts)) {
        effect.entangled |= is_part;
    }
    let all: Vec<usize> = (0..steps.len()).collect();
    // A version of a rule that neither end has is one of several about it, and entangled.
    if is_by_stage(&all, steps, &effects) {
        return None;
    }
    let layout = match Layout::new(&diff, &between) {
        Ok(layout) => layout,
        Err(cut) => return Some(Refusal::Incomplete(cut)),
    };
    let moves: Vec<Move> = drafts.iter().map(|draft| layout.effect(draft)).collect();
    let walk = Walk {
        steps,
        effects: &effects,
        influences: drafts.iter().map(|draft| influence(&diff, draft)).collect(),
    };
    walk.opening(&layout, &moves).map(Refusal::Opens)
}

/// Returns `true` if the order of phases proves these steps safe.
fn is_by_stage(chosen: &[usize], steps: &[Step], effects: &[Effect]) -> bool {
    let placed =
        || chosen.iter().filter_map(|index| Some((steps.get(*index)?.phase, effects.get(*index)?)));
    let mut last = None;
    placed().all(|(phase, effect)| {
        let follows = match last {
            Some((before, place)) if before == phase => effect.stage == place,
            Some((_, place)) => effect.stage >= place,
            None => true,
        };
        last = Some((phase, effect.stage));
        follows && !effect.entangled
    })
}

/// Marks the steps that are one of several about the same object, whatever its name.
fn parts(drafts: &[Draft]) -> Vec<bool> {
    let key = |draft: &Draft| (draft.policy, draft.rule);
    let counts = |draft: &&Draft| draft.because != Some(Reason::TemporaryName);
    let mut numbers: BTreeMap<(usize, Option<usize>), usize> = BTreeMap::new();
    drafts.iter().filter(counts).for_each(|draft| *numbers.entry(key(draft)).or_default() += 1);
    drafts.iter().map(|draft| numbers.get(&key(draft)).is_some_and(|number| *number > 1)).collect()
}

/// The policy of a step that sets a Cedar text which neither end has, and which the planner would
/// not set in between.
fn foreign_text<'a>(diff: &'a Diff, draft: &'a Draft) -> Option<&'a str> {
    let slot = diff.policies.get(draft.policy)?;
    let Change::Policy { delta: Delta::Create { after } | Delta::Update { after, .. }, .. } =
        &draft.change
    else {
        return None;
    };
    let ends = [slot.before.as_ref().map(|(_, head)| head), slot.after.as_ref()];
    let [old, new]: [Option<&Cedar>; 2] =
        ends.map(|head| head.and_then(|head| head.cedar.as_ref()));
    let cedar = after.cedar.as_ref()?;
    let known = Some(cedar) == old || Some(cedar) == new || is_between(cedar, old, new);
    (!known).then_some(after.name.as_str())
}

/// The steps on their way.
struct Walk<'a> {
    steps: &'a [Step],
    effects: &'a [Effect],
    influences: Vec<Influence>,
}

impl Walk<'_> {
    /// The access that a step opens, or may open together with others of its phase.
    fn opening(&self, layout: &Layout, moves: &[Move]) -> Option<String> {
        let unproven = self.unproven(layout, moves);
        let mut state = layout.space.old.clone();
        let numbered: Vec<(usize, &Step)> = self.steps.iter().enumerate().collect();
        for phase in numbered.chunk_by(|(_, one), (_, other)| one.phase == other.phase) {
            let moves = || phase.iter().filter_map(|(index, _)| moves.get(*index));
            if let Some(witness) =
                layout.space.abandoned_by_any(&state, &moves().collect::<Vec<_>>())
            {
                return Some(witness);
            }
            for change in moves() {
                state.make(change);
                if let Some(witness) =
                    layout.space.opening(&state, change, &layout.space.touched(change))
                {
                    return Some(witness);
                }
            }
            let own: Vec<usize> = phase.iter().map(|(index, _)| *index).collect();
            if own.len() > 1 && !self.are_alike(&own, &unproven) {
                let (_, first) = phase.first()?;
                return Some(format!(
                    "what steps of phase {} do together with each other",
                    first.phase
                ));
            }
        }
        None
    }

    /// By step: its component of steps that share requests, if the order of phases does not prove
    /// it safe.
    fn unproven(&self, layout: &Layout, moves: &[Move]) -> Vec<Option<usize>> {
        let mut parent: Vec<usize> = (0..moves.len()).collect();
        let mut first_at: BTreeMap<usize, usize> = BTreeMap::new();
        for (index, change) in moves.iter().enumerate() {
            for point in layout.space.touched(change) {
                let first = *first_at.entry(point).or_insert(index);
                join(&mut parent, first, index);
            }
        }
        let mut components: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for index in 0..moves.len() {
            components.entry(root(&parent, index)).or_default().push(index);
        }
        let mut unproven = vec![None; moves.len()];
        for (number, component) in components.into_values().enumerate() {
            if !is_by_stage(&component, self.steps, self.effects) {
                for index in component {
                    if let Some(slot) = unproven.get_mut(index) {
                        *slot = Some(number);
                    }
                }
            }
        }
        unproven
    }

    /// Returns `true` if the steps of a phase that nothing proves safe only narrow, or only widen,
    /// component by component. Every subset of them then leads to a state below the one before
    /// them, or below the one after them.
    fn are_alike(&self, phase: &[usize], unproven: &[Option<usize>]) -> bool {
        let mut kinds: BTreeMap<usize, BTreeSet<(bool, bool)>> = BTreeMap::new();
        for index in phase {
            let component = unproven.get(*index).copied().flatten();
            if let (Some(component), Some(influence)) = (component, self.influences.get(*index)) {
                kinds
                    .entry(component)
                    .or_default()
                    .insert((influence.narrows(), influence.widens()));
            }
        }
        kinds.values().all(|kinds| {
            kinds.iter().all(|(narrows, _)| *narrows) || kinds.iter().all(|(_, widens)| *widens)
        })
    }
}

/// Both ends of a plan, with the slot of each object.
struct Slots {
    diff: Diff,
    policies: BTreeMap<PolicyId, usize>,
    rules: BTreeMap<(PolicyId, RuleId), usize>,
}

impl Slots {
    fn new(live: &Live, after: &Live, steps: &[Step]) -> Self {
        let mut slots =
            Self { diff: Diff::default(), policies: BTreeMap::new(), rules: BTreeMap::new() };
        for policy in &live.policies {
            slots.add(policy, true);
        }
        for policy in &after.policies {
            slots.add(policy, false);
        }
        // Temporary objects exist at neither end.
        for step in steps {
            let id = simulate::subject(&step.change);
            let at = slots.policy(&id);
            if let Some(rule) = step.change.rule() {
                slots.rule(at, &id, &simulate::rule_id(rule));
            }
        }
        slots
    }

    fn add(&mut self, policy: &LivePolicy, before: bool) {
        let at = self.policy(&policy.id);
        let head = PolicyFields::new(&policy.policy());
        if let Some(slot) = self.diff.policies.get_mut(at) {
            match before {
                true => slot.before = Some((policy.id.clone(), head)),
                false => slot.after = Some(head),
            }
        }
        for live in policy.rules() {
            let rule = self.rule(at, &policy.id, &live.id);
            if let Some(slot) =
                self.diff.policies.get_mut(at).and_then(|slot| slot.rules.get_mut(rule))
            {
                match before {
                    true => slot.before = Some((live.id.clone(), live.rule.clone())),
                    false => slot.after = Some(live.rule.clone()),
                }
            }
        }
    }

    fn policy(&mut self, id: &PolicyId) -> usize {
        let policies = &mut self.diff.policies;
        *self.policies.entry(id.clone()).or_insert_with(|| {
            policies.push(PolicySlot {
                before: None,
                after: None,
                rules: Vec::new(),
                origin: None,
                because: None,
            });
            policies.len() - 1
        })
    }

    fn rule(&mut self, at: usize, policy: &PolicyId, id: &RuleId) -> usize {
        let rules = self.diff.policies.get_mut(at).map(|slot| &mut slot.rules);
        *self.rules.entry((policy.clone(), id.clone())).or_insert_with(|| {
            let Some(rules) = rules else { return 0 };
            rules.push(RuleSlot { before: None, after: None, origin: None, because: None });
            rules.len() - 1
        })
    }

    fn draft(&self, step: &Step) -> Draft {
        let id = simulate::subject(&step.change);
        let rule = step.change.rule().map(simulate::rule_id);
        let rule = rule.and_then(|rule| self.rules.get(&(id.clone(), rule)).copied());
        Draft {
            policy: self.policies.get(&id).copied().unwrap_or_default(),
            rule,
            change: step.change.clone(),
            source: None,
            because: step.because,
            needs: Vec::new(),
        }
    }
}
