//! The effect of each call on the sets of allows and denies, and the stage of the order that
//! follows from it. [`super`] gives the argument.

use std::collections::BTreeSet;

use crate::model::{Decision, Layer, Resources, Rule, Scope};

use super::cedar::{Statements, statements};
use crate::plan::docker::diff::{Diff, PolicySlot};
use crate::plan::docker::draft::Draft;
use crate::plan::docker::{Change, PolicyFields, changed_fields};
use crate::plan::step::{Delta, Op};

/// The stages of the order, first to last. Calls of one stage may run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    /// No effect on access: new empty policies, names.
    Prepare,
    /// Denies are added.
    AddDenies,
    /// HTTP allows are added, before network allows: a connection that cannot be inspected is
    /// blocked if an HTTP rule covers the host, so that a network allow alone is more open than
    /// both together.
    AddHttpAllows,
    /// Other allows are added.
    AddAllows,
    /// Allows change: access is added and removed, and each part of it exists in one of the ends.
    ChangeAllows,
    /// Other allows are removed, before HTTP allows for the same reason.
    DropAllows,
    /// HTTP allows are removed.
    DropHttpAllows,
    /// Denies are removed.
    DropDenies,
    /// Policies that have become empty are deleted.
    CleanUp,
}

/// The effect of a call on the allows and denies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Influence {
    pub(super) adds_allow: bool,
    pub(super) drops_allow: bool,
    pub(super) adds_deny: bool,
    pub(super) drops_deny: bool,
    /// The affected allows include HTTP rules.
    http: bool,
    /// The affected allows include other rules.
    other: bool,
    /// Some hosts and ports stop to be covered by HTTP rules while others start to be.
    moves_cover: bool,
}

/// The stage of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) stage: Stage,
    /// The order of stages does not prove this call safe.
    pub(super) entangled: bool,
}

impl Influence {
    /// The call can only narrow access.
    pub(super) fn narrows(self) -> bool {
        !(self.adds_allow || self.drops_deny || self.moves_cover || self.drops_allow && self.http)
    }

    /// The call can only widen access.
    pub(super) fn widens(self) -> bool {
        !(self.drops_allow || self.adds_deny || self.moves_cover || self.adds_allow && self.http)
    }

    fn effect(self, change: &Change) -> Effect {
        let Self { adds_allow, drops_allow, adds_deny, drops_deny, http, other, moves_cover } =
            self;
        let layered = http && other;
        let (stage, entangled) = match (adds_allow, drops_allow, adds_deny, drops_deny) {
            (false, false, false, false)
                if change.rule().is_none() && change.op() == Op::Delete =>
            {
                (Stage::CleanUp, false)
            }
            (false, false, false, false) => (Stage::Prepare, false),
            (false, _, true, false) => (Stage::AddDenies, drops_allow && layered),
            (true, false, false, false) if http => (Stage::AddHttpAllows, layered),
            (true, false, false, false) => (Stage::AddAllows, false),
            (true, true, false, false) => (Stage::ChangeAllows, moves_cover),
            (false, true, false, false) if http => (Stage::DropHttpAllows, layered),
            (false, true, false, false) => (Stage::DropAllows, false),
            (_, false, false, true) => (Stage::DropDenies, adds_allow && layered),
            (false, true, false, true) => (Stage::DropHttpAllows, true),
            (true, _, _, true) | (true, _, true, false) | (false, _, true, true) => {
                (Stage::AddDenies, true)
            }
        };
        Effect { stage, entangled: entangled || moves_cover }
    }
}

/// The effects of all drafts.
pub(super) fn effects(diff: &Diff, drafts: &[Draft]) -> Vec<Effect> {
    let mut effects: Vec<Effect> = drafts
        .iter()
        .map(|draft| {
            let mut effect = influence(diff, draft).effect(&draft.change);
            effect.entangled |= entangles(diff, draft);
            effect
        })
        .collect();
    displace(drafts, &mut effects);
    effects
}

/// The effect of one draft on the allows and denies.
pub(super) fn influence(diff: &Diff, draft: &Draft) -> Influence {
    match &draft.change {
        Change::Policy { delta: Delta::Create { after }, .. } => text(None, Some(after)),
        Change::Policy { delta: Delta::Update { before, after }, .. } => {
            let mut influence = text(Some(before), Some(after));
            if let Some(slot) = diff.policies.get(draft.policy) {
                rescoped(&mut influence, slot, &before.scope, &after.scope);
            }
            influence
        }
        Change::Policy { delta: Delta::Delete { before }, .. } => {
            let mut influence = text(Some(&PolicyFields::new(before)), None);
            before.rules().iter().for_each(|rule| influence.drops(rule));
            influence
        }
        Change::Rule { delta: Delta::Update { before, after }, .. } => updated(before, after),
        Change::Rule { delta: Delta::Create { .. } | Delta::Delete { .. }, .. } => {
            let (before, after) = draft.change.rule_sides();
            let mut influence = Influence::default();
            after.into_iter().for_each(|rule| influence.adds(rule));
            before.into_iter().for_each(|rule| influence.drops(rule));
            influence
        }
    }
}

impl Influence {
    fn adds(&mut self, rule: &Rule) {
        match rule.decision {
            Decision::Allow => self.adds_allow = true,
            Decision::Deny => self.adds_deny = true,
        }
        self.layer(rule);
    }

    fn drops(&mut self, rule: &Rule) {
        match rule.decision {
            Decision::Allow => self.drops_allow = true,
            Decision::Deny => self.drops_deny = true,
        }
        self.layer(rule);
    }

    fn layer(&mut self, rule: &Rule) {
        if rule.decision == Decision::Allow {
            let http = rule.layer() == Some(Layer::Http);
            self.http |= http;
            self.other |= !http;
        }
    }
}

fn updated(before: &Rule, after: &Rule) -> Influence {
    let mut influence = Influence::default();
    if changed_fields(before, after).iter().all(|field| *field == "name") {
        return influence;
    }
    if before.decision != after.decision || !is_subsumed(after, before) {
        influence.adds(after);
    }
    if before.decision != after.decision || !is_subsumed(before, after) {
        influence.drops(before);
    }
    let (old, new) = (covered(before), covered(after));
    // A call that covers and uncovers hosts at once cannot wait for both kinds of allows.
    influence.moves_cover = old != new
        && (influence.adds_allow || influence.adds_deny)
        && (influence.drops_allow || influence.drops_deny);
    // A policy that moves to another domain may leave an audience without a policy of the old one.
    influence.moves_cover |= before.domain() != after.domain();
    influence
}

/// Returns `true` if `other` matches everything that `one` matches, according to their lists.
fn is_subsumed(one: &Rule, other: &Rule) -> bool {
    fn subset<T: Ord>(one: &[T], other: &[T]) -> bool {
        let other: BTreeSet<&T> = other.iter().collect();
        one.iter().all(|item| other.contains(item))
    }
    subset(&one.actions, &other.actions)
        && match (&one.resources, &other.resources) {
            (Resources::Plain(one), Resources::Plain(other)) => subset(one, other),
            (Resources::Http(one), Resources::Http(other)) => subset(one, other),
            (Resources::Plain(_), Resources::Http(_))
            | (Resources::Http(_), Resources::Plain(_)) => false,
        }
}

/// The hosts and ports that an HTTP rule covers.
fn covered(rule: &Rule) -> BTreeSet<(&str, Option<u16>)> {
    match &rule.resources {
        Resources::Plain(_) => BTreeSet::new(),
        Resources::Http(list) => {
            list.iter().map(|target| (target.host.as_str(), target.port)).collect()
        }
    }
}

fn text(before: Option<&PolicyFields>, after: Option<&PolicyFields>) -> Influence {
    let cedar = |head: Option<&PolicyFields>| {
        head.and_then(|head| head.cedar.as_ref()).map(statements).unwrap_or_default()
    };
    let (old, new) = (cedar(before), cedar(after));
    let comes = |of: fn(&Statements) -> &BTreeSet<String>| !of(&new).is_subset(of(&old));
    let goes = |of: fn(&Statements) -> &BTreeSet<String>| !of(&old).is_subset(of(&new));
    let (approval_comes, approval_goes) =
        (comes(|text| &text.approvals), goes(|text| &text.approvals));
    Influence {
        adds_allow: comes(|text| &text.permits) || approval_comes,
        drops_allow: goes(|text| &text.permits) || approval_goes,
        adds_deny: comes(|text| &text.forbids) || approval_comes,
        drops_deny: goes(|text| &text.forbids) || approval_goes,
        other: true,
        ..Influence::default()
    }
}

fn rescoped(influence: &mut Influence, slot: &PolicySlot, before: &Scope, after: &Scope) {
    if before == after {
        return;
    }
    let gains = !before.governs_all_of(after);
    let loses = !after.governs_all_of(before);
    for rule in slot.contents() {
        if gains {
            influence.adds(rule);
        }
        if loses {
            influence.drops(rule);
        }
    }
    for head in slot.heads() {
        let Some(cedar) = &head.cedar else { continue };
        let statements = statements(cedar);
        influence.adds_allow |= gains && statements.lets();
        influence.drops_allow |= loses && statements.lets();
        influence.adds_deny |= gains && statements.stops();
        influence.drops_deny |= loses && statements.stops();
    }
    // A policy that moves to other teams may have been their only one of its domain.
    influence.moves_cover |= gains && loses;
}

/// A policy whose scope and rules both change: a rule that is added too early reaches the old
/// teams, and a rule that is removed too late reaches the new ones.
fn entangles(diff: &Diff, draft: &Draft) -> bool {
    diff.policies.get(draft.policy).is_some_and(|slot| {
        let rescoped = match (&slot.before, &slot.after) {
            (Some((_, before)), Some(after)) => before.scope != after.scope,
            (None, _) | (_, None) => false,
        };
        rescoped && slot.rules.iter().any(crate::plan::docker::diff::RuleSlot::changes_meaning)
    })
}

/// Moves calls out of their phase: if the service requires a call before another one that belongs
/// earlier, the order of phases proves neither of them safe, nor any call that depends on them.
fn displace(drafts: &[Draft], effects: &mut [Effect]) {
    let needs: Vec<(usize, usize)> = drafts
        .iter()
        .enumerate()
        .flat_map(|(later, draft)| draft.needs.iter().map(move |earlier| (*earlier, later)))
        .collect();
    let mut moved = true;
    while moved {
        moved = false;
        for (earlier, later) in &needs {
            let (Some(first), Some(then)) =
                (effects.get(*earlier).copied(), effects.get(*later).copied())
            else {
                continue;
            };
            let turned = first.stage > then.stage;
            let waits = turned || then.entangled && first.stage > Stage::AddAllows;
            for (index, entangled) in [(*earlier, waits), (*later, turned || first.entangled)] {
                if let Some(effect) =
                    effects.get_mut(index).filter(|effect| entangled && !effect.entangled)
                {
                    effect.entangled = true;
                    moved = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::proof::{ends, policy};
    use super::{Effect, Stage, displace, effects};
    use crate::access::cedar::SCHEMA_URL;
    use crate::model::Decision::{self, Allow, Deny};
    use crate::model::{Body, Cedar, Policy, Scope};

    type Rule<'a> = Option<(Decision, &'a [&'a str])>;

    /// Of a rule `r` that is live as the first and declared as the second.
    fn effect(before: Rule<'_>, after: Rule<'_>) -> Effect {
        let side = |rule: Rule<'_>| {
            let rules: Vec<(&str, Decision, &[&str])> =
                rule.map(|(decision, hosts)| ("r", decision, hosts)).into_iter().collect();
            [policy("p", &rules)]
        };
        let (_, diff, drafts) = ends(&side(before), &side(after));
        assert_eq!(drafts.len(), 1, "{before:?} {after:?}");
        effects(&diff, &drafts)[0]
    }

    #[test]
    fn a_call_stands_where_it_opens_nothing() {
        let (a, b, ab): (&[&str], &[&str], &[&str]) =
            (&["a.example"], &["b.example"], &["a.example", "b.example"]);
        let table = [
            (None, Some((Allow, a)), Stage::AddAllows, false),
            (None, Some((Deny, a)), Stage::AddDenies, false),
            (Some((Allow, a)), None, Stage::DropAllows, false),
            (Some((Deny, a)), None, Stage::DropDenies, false),
            (Some((Allow, a)), Some((Allow, ab)), Stage::AddAllows, false),
            (Some((Allow, ab)), Some((Allow, a)), Stage::DropAllows, false),
            (Some((Allow, a)), Some((Allow, b)), Stage::ChangeAllows, false),
            (Some((Deny, a)), Some((Deny, ab)), Stage::AddDenies, false),
            (Some((Deny, ab)), Some((Deny, a)), Stage::DropDenies, false),
            (Some((Deny, a)), Some((Deny, b)), Stage::AddDenies, true), // comes and goes at once
            (Some((Allow, a)), Some((Deny, a)), Stage::AddDenies, false),
            (Some((Deny, a)), Some((Allow, a)), Stage::DropDenies, false),
        ];
        for (before, after, place, entangled) in table {
            let Effect { stage: found, entangled: both } = effect(before, after);
            assert_eq!((found, both), (place, entangled), "{before:?} {after:?}");
        }
    }

    /// Whether each of these calls is entangled in the end, if each pair needs the one after the other.
    fn displaced(calls: &[(Stage, bool)], needs: &[(usize, usize)]) -> Vec<bool> {
        let names = ["a", "b", "c"];
        let hosts: &[&str] = &["a.example"];
        let rules = names.map(|name| (name, Allow, hosts));
        let (_, _, mut drafts) =
            ends(&[policy("p", &[])], &[policy("p", rules.get(..calls.len()).unwrap())]);
        drafts.iter_mut().for_each(|draft| draft.needs.clear());
        needs.iter().for_each(|(later, earlier)| drafts[*later].needs.push(*earlier));
        let mut effects: Vec<Effect> = calls
            .iter()
            .map(|(stage, entangled)| Effect { stage: *stage, entangled: *entangled })
            .collect();
        displace(&drafts, &mut effects);
        effects.iter().map(|effect| effect.entangled).collect()
    }

    #[test]
    fn a_call_that_another_one_draws_out_of_its_stage_is_not_safe_by_it() {
        use Stage::{AddAllows, AddDenies, ChangeAllows, DropAllows, DropDenies};
        let table = [
            ((AddDenies, false), (AddAllows, false), [false, false]),
            ((AddAllows, false), (AddAllows, false), [false, false]),
            ((DropAllows, false), (AddAllows, false), [true, true]),
            ((AddDenies, true), (AddAllows, false), [true, true]),
            // What adds access early waits for nothing.
            ((AddDenies, false), (AddAllows, true), [false, true]),
            ((AddAllows, false), (ChangeAllows, true), [false, true]),
            ((ChangeAllows, false), (DropDenies, true), [true, true]),
            ((ChangeAllows, false), (DropDenies, false), [false, false]),
        ];
        for (earlier, later, expected) in table {
            assert_eq!(displaced(&[earlier, later], &[(1, 0)]), expected, "{earlier:?} {later:?}");
        }
        let calls = [(AddAllows, false), (AddAllows, false), (AddAllows, true)];
        assert_eq!(displaced(&calls, &[(0, 1), (1, 2)]), [true; 3]);
        assert_eq!(displaced(&calls, &[(0, 1)]), [false, false, true]);
    }

    #[test]
    fn a_text_for_other_teams_comes_and_goes_with_them() {
        use Stage::{AddAllows, AddDenies, ChangeAllows, DropAllows, DropDenies};
        let permit = "permit (principal, action, resource);";
        let approval = "@requireApproval(\"ask\") permit (principal, action, resource);";
        let forbid = "forbid (principal, action, resource);";
        let (one, both, other): (&[&str], &[&str], &[&str]) = (&["x"], &["x", "y"], &["y"]);
        let table = [
            (permit, one, both, AddAllows, false),
            (permit, both, one, DropAllows, false),
            (permit, one, other, ChangeAllows, true),
            (forbid, one, both, AddDenies, false),
            (forbid, both, one, DropDenies, false),
            // It lets some requests through and stops others.
            (approval, one, both, AddDenies, true),
        ];
        for (text, before, after, stage, entangled) in table {
            let side = |teams: &[&str]| {
                let cedar = Cedar { text: text.to_owned(), schema_url: SCHEMA_URL.to_owned() };
                let scope = Scope::from_teams(teams.iter().map(|team| (*team).to_owned()));
                [Policy { scope, body: Body::Cedar(cedar), ..policy("p", &[]) }]
            };
            let (_, diff, drafts) = ends(&side(before), &side(after));
            let expected = [Effect { stage, entangled }];
            assert_eq!(effects(&diff, &drafts), expected, "{text} {before:?} {after:?}");
        }
    }
}
