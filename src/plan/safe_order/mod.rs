//! The safe order of calls: no intermediate state allows an audience anything that neither end
//! allows.
//!
//! Denies win and allows add up, so access grows with every allow and shrinks with every deny.
//! Adding denies, then allows, then dropping allows, then denies therefore opens nothing that both
//! ends keep closed:
//!
//! * until the last allow is in place, every deny of either end is active, so whatever an allow of
//!   one end opens, that end opens too;
//! * afterwards only allows of the new end are left, and no deny of the new end is missing.
//!
//! The argument requires each call to be on one side of it, and [`effect`] places those that are.
//! Calls on both sides ([`Effect::entangled`]) are ordered by [`search`], together with the calls
//! that they share requests with, between the calls that open and the calls that close: it computes
//! exactly what is open after each of them ([`space`]). If no order of single calls is safe, a call
//! is divided ([`split`]). If that does not help, a temporary deny surrounds them ([`arrange`]). If
//! even that is impossible, the plan is refused, with the access that would open.
//!
//! A deny that the plan removes may be removed sooner, by hand. The order of phases depends on none
//! of these, and [`search`] prefers an order that does not either, as long as that takes no more
//! calls.
//!
//! The order of a plan from a file is not trusted: [`verify`] checks it by the same argument.

mod arrange;
pub(super) mod capacity;
mod cedar;
mod effect;
mod layout;
#[cfg(test)]
pub(super) mod proof;
#[cfg(test)]
mod proof_mcp;
mod search;
mod space;
mod split;
pub(super) mod verify;

use std::collections::{BTreeMap, BTreeSet};

use super::docker::diff::Diff;
use super::docker::draft::Draft;
use crate::access::SurveyLimit;
use arrange::Arrangement;
use effect::{Effect, Stage, effects};
use layout::Layout;
use space::Move;

/// The calls in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ordered {
    /// Each call with its phase, from 1.
    pub(crate) drafts: Vec<(usize, Draft)>,
    /// The reason why the order is not safe, or not known to be safe; the order is then the usual
    /// one.
    pub(crate) refusal: Option<Refusal>,
}

/// The reason why an order of calls may not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No order is safe: this access would open.
    Opens(String),
    /// There are too many intermediate states to check.
    Incomplete(SurveyLimit),
}

/// Orders the calls of a difference.
pub(crate) fn order(diff: &Diff, drafts: Vec<Draft>) -> Ordered {
    let effects = effects(diff, &drafts);
    if !effects.iter().any(|effect| effect.entangled) {
        let placed = effects.iter().map(|effect| effect.stage).zip(drafts).enumerate();
        return Ordered { drafts: phases(placed.collect()), refusal: None };
    }
    let layout = match Layout::new(diff, &[]) {
        Ok(layout) => layout,
        Err(cut) => {
            let all = (0..drafts.len()).collect();
            let links = Arrangement::new(diff, &drafts, &effects, &all).usual();
            let mut ordered = Vec::new();
            links.into_iter().for_each(|link| append(&mut ordered, link));
            return Ordered { drafts: ordered, refusal: Some(Refusal::Incomplete(cut)) };
        }
    };
    let moves: Vec<Move> = drafts.iter().map(|draft| layout.effect(draft)).collect();
    let components = components(&layout, &drafts, &moves, &effects);
    // Components share no request, but an audience may lose its last policy in one component and
    // get a new one in another.
    let all: BTreeSet<usize> = components.iter().flatten().copied().collect();
    let (mut early, mut late) = (Vec::new(), Vec::new());
    let mut start = layout.space.old.clone();
    for (index, (draft, effect)) in drafts.iter().zip(&effects).enumerate() {
        if all.contains(&index) {
            continue;
        }
        if effect.stage <= Stage::AddAllows {
            if let Some(change) = moves.get(index) {
                start.make(change);
            }
            early.push((index, (effect.stage, draft.clone())));
        } else {
            late.push((index, (effect.stage, draft.clone())));
        }
    }
    let arranged =
        |component: &BTreeSet<usize>| Arrangement::new(diff, &drafts, &effects, component);
    let one_by_one = || {
        let mut state = start.clone();
        let mut chain = Vec::new();
        for component in &components {
            chain.extend(arranged(component).solve(&layout, &state)?);
            for change in component.iter().filter_map(|index| moves.get(*index)) {
                state.make(change);
            }
        }
        Ok(chain)
    };
    let solved = one_by_one().or_else(|_: String| arranged(&all).solve(&layout, &start));
    let (chain, refusal) = match solved {
        Ok(chain) => (chain, None),
        Err(opened) => (arranged(&all).usual(), Some(Refusal::Opens(opened))),
    };
    let mut ordered = phases(early);
    chain.into_iter().for_each(|link| append(&mut ordered, link));
    let offset = ordered.last().map_or(0, |(phase, _)| *phase);
    ordered.extend(phases(late).into_iter().map(|(phase, draft)| (phase + offset, draft)));
    Ordered { drafts: ordered, refusal }
}

/// The calls with their phases. The calls of one place in the argument form a phase; those that
/// depend on others of the same place form a further one.
fn phases(calls: Vec<(usize, (Stage, Draft))>) -> Vec<(usize, Draft)> {
    let places: BTreeMap<usize, Stage> =
        calls.iter().map(|(index, (place, _))| (*index, *place)).collect();
    let mut rounds: BTreeMap<usize, usize> = BTreeMap::new();
    let mut settled = false;
    while !settled {
        settled = true;
        for (index, (place, draft)) in &calls {
            let beside = draft.needs.iter().filter(|need| places.get(*need) == Some(place));
            let round =
                beside.map(|need| rounds.get(need).map_or(1, |round| round + 1)).max().unwrap_or(0);
            settled &= rounds.insert(*index, round).unwrap_or(0) == round;
        }
    }
    let mut phases: BTreeMap<(Stage, usize), Vec<Draft>> = BTreeMap::new();
    for (index, (place, draft)) in calls {
        let round = rounds.get(&index).copied().unwrap_or(0);
        phases.entry((place, round)).or_default().push(draft);
    }
    phases
        .into_values()
        .zip(1..)
        .flat_map(|(drafts, phase)| drafts.into_iter().map(move |draft| (phase, draft)))
        .collect()
}

fn append(ordered: &mut Vec<(usize, Draft)>, calls: Vec<Draft>) {
    let phase = ordered.last().map_or(0, |(phase, _)| *phase) + 1;
    ordered.extend(calls.into_iter().map(|draft| (phase, draft)));
}

/// The entangled calls with every call that shares a request with them, directly or through others,
/// or that the service requires outside of its phase.
fn components(
    layout: &Layout,
    drafts: &[Draft],
    moves: &[Move],
    effects: &[Effect],
) -> Vec<BTreeSet<usize>> {
    let mut parent: Vec<usize> = (0..drafts.len()).collect();
    let mut first_at: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, change) in moves.iter().enumerate() {
        for point in layout.space.touched(change) {
            let first = *first_at.entry(point).or_insert(index);
            join(&mut parent, first, index);
        }
    }
    let entangled = |index: usize| effects.get(index).is_some_and(|effect| effect.entangled);
    for (index, draft) in drafts.iter().enumerate() {
        for need in &draft.needs {
            if entangled(index) && entangled(*need) {
                join(&mut parent, *need, index);
            }
        }
    }
    let mut components: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for index in 0..drafts.len() {
        components.entry(root(&parent, index)).or_default().insert(index);
    }
    components.into_values().filter(|calls| calls.iter().any(|index| entangled(*index))).collect()
}

pub(super) fn root(parent: &[usize], mut index: usize) -> usize {
    while let Some(next) = parent.get(index).copied().filter(|next| *next != index) {
        index = next;
    }
    index
}

pub(super) fn join(parent: &mut [usize], one: usize, other: usize) {
    let (one, other) = (root(parent, one), root(parent, other));
    if let Some(slot) = parent.get_mut(one.max(other)) {
        *slot = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::proof::{ends, policy, steps};
    use super::{Refusal, order, verify};
    use crate::model::Decision::{self, Allow, Deny};
    use crate::model::{Action, Body, Policy, Resources, Rule};
    use crate::plan::docker::draft::Draft;

    /// The calls with their phases, as `1 create r`.
    fn ordered(old: &[Policy], new: &[Policy]) -> Vec<String> {
        let (_, diff, drafts) = ends(old, new);
        let ordered = order(&diff, drafts);
        assert_eq!(ordered.refusal, None);
        let call = |(phase, Draft { change, .. }): &(usize, Draft)| {
            let op = format!("{:?}", change.op()).to_lowercase();
            let name = change.rule_name().or(change.taken_name()).or(change.freed_name());
            format!("{phase} {op} {}", name.unwrap_or_default())
        };
        ordered.drafts.iter().map(call).collect()
    }

    #[test]
    fn an_order_beside_rules_that_cannot_be_told_apart_is_not_known_to_be_safe() {
        let rule = |name: &str, decision, folders: &[String]| Rule {
            name: name.to_owned(),
            decision,
            actions: vec![Action::Read],
            resources: Resources::Plain(folders.into()),
        };
        let folders = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let behind = |n: usize| "/*".repeat(n);
        let noise: Vec<String> = (0..24)
            .flat_map(|n| [format!("/d/**/a*{}", behind(n)), format!("/d/**/[!a]*{}", behind(n))])
            .collect();
        let end = |denied: &str, allowed: &[&str]| {
            let rules = vec![
                rule("deny", Deny, &folders(&[denied])),
                rule("allow", Allow, &folders(allowed)),
                rule("noise", Deny, &noise),
            ];
            [Policy { body: Body::Allowlist(rules), ..policy("p", &[]) }]
        };
        let (old, new) = (end("/d/q/**", &["/d/p/**", "/d/q/**"]), end("/d/z/**", &["/d/p/**"]));
        let (live, diff, drafts) = ends(&old, &new);
        let ordered = order(&diff, drafts);
        let found = verify::verify(&live, &steps(&diff, &ordered));
        let is_refused =
            |refusal: &Option<Refusal>| matches!(refusal, Some(Refusal::Incomplete(_)));
        assert_eq!([&ordered.refusal, &found].map(is_refused), [true; 2], "{found:?}");
    }

    #[test]
    fn denies_come_first_and_go_last() {
        type Rules<'a> = &'a [(&'a str, Decision, &'a [&'a str])];
        let table: [(Rules<'_>, Rules<'_>, &[&str]); 3] = [
            (
                &[("old allow", Allow, &["a"]), ("old deny", Deny, &["b"])],
                &[("new allow", Allow, &["c"]), ("new deny", Deny, &["d"])],
                &[
                    "1 create new deny",
                    "2 create new allow",
                    "3 delete old allow",
                    "4 delete old deny",
                ],
            ),
            // The denied host is only allowed once its deny is there, although the allow is named
            // first.
            (&[], &[("a", Allow, &["*.x"]), ("b", Deny, &["y.x"])], &["1 create b", "2 create a"]),
            // An allow goes before the deny over it.
            (&[("a", Allow, &["*.x"]), ("b", Deny, &["y.x"])], &[], &["1 delete a", "2 delete b"]),
        ];
        for (old, new, expected) in table {
            assert_eq!(
                ordered(&[policy("p", old)], &[policy("p", new)]),
                expected,
                "{old:?} {new:?}"
            );
        }
    }

    #[test]
    fn a_policy_is_made_before_its_rules_and_goes_with_them() {
        let own = policy("p", &[("a", Allow, &["x.example"])]);
        assert_eq!(ordered(&[], std::slice::from_ref(&own)), ["1 create p", "2 create a"]);
        assert_eq!(ordered(&[own], &[]), ["1 delete p"]);
    }
}
