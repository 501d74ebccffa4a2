//! Undeclared policies, and the changes that have no effect because of them.

use std::collections::BTreeSet;

use super::members;
use crate::diagnostic::list;
use crate::model::Decision;
use crate::plan::undeclared::{Effect, UndeclaredPolicy, WithoutEffect};
use crate::plan::{DockerPlan, Plan};

/// The addition to a plan's headline about undeclared policies because of which a part of it has no
/// effect. `write` formats the names of policies.
#[must_use]
pub fn without_effect_headline(
    plan: &DockerPlan,
    write: impl Fn(&str) -> String,
) -> Option<String> {
    let decide = undeclared_decide(&plan.without_effect, write)?;
    Some(match plan.access.is_nothing() {
        true => format!(", because {decide}"),
        false => format!(", and a part has no effect, because {decide}"),
    })
}

/// The cause of all changes without effect: `the undeclared policy X allows it`; `None` without
/// such changes.
fn undeclared_decide(all: &[WithoutEffect], write: impl Fn(&str) -> String) -> Option<String> {
    let names: BTreeSet<&str> =
        all.iter().flat_map(|one| &one.policies).map(String::as_str).collect();
    let decisions: BTreeSet<Decision> = all.iter().map(|one| one.decision).collect();
    let (singular, plural) = match decisions.into_iter().collect::<Vec<_>>().as_slice() {
        [] => return None,
        [Decision::Allow] => ("allows", "allow"),
        [Decision::Deny] => ("denies", "deny"),
        _ => ("decides", "decide"),
    };
    let names: Vec<String> = names.into_iter().map(write).collect();
    Some(match names.as_slice() {
        [one] => format!("the undeclared policy {one} {singular} it"),
        several => format!("the undeclared policies {} {plural} it", list::listed(several)),
    })
}

/// The reason why a change has no effect. `write` formats the names of policies.
#[must_use]
pub fn why_without_effect(one: &WithoutEffect, write: impl Fn(&str) -> String) -> String {
    let names: Vec<String> = one.policies.iter().map(|name| write(name)).collect();
    let (names, several) = (list::listed(&names), names.len() > 1);
    let (noun, allows, denies) =
        if several { ("policies", "allow", "deny") } else { ("policy", "allows", "denies") };
    match (one.decision, one.widens) {
        (Decision::Allow, true) => format!("the undeclared {noun} {names} already {allows} it"),
        (Decision::Allow, false) => format!("the undeclared {noun} {names} still {allows} it"),
        (Decision::Deny, true) => format!("the undeclared {noun} {names} still {denies} it"),
        (Decision::Deny, false) => format!("the undeclared {noun} {names} already {denies} it"),
    }
}

/// The effect of an undeclared policy with its audience. `write` formats names.
#[must_use]
pub fn undeclared(one: &UndeclaredPolicy, write: impl Fn(&str) -> String) -> String {
    let UndeclaredPolicy { effect, policy, teams } = one;
    let effect = match effect {
        Effect::Widens => "widens access",
        Effect::MayWiden => "may widen access",
        Effect::Narrows => "narrows access",
        Effect::MayNarrow => "may narrow access",
    };
    let people = members(teams, &write);
    format!("{}, for {people}: {effect}", write(policy))
}

/// The label of undeclared live policies; for a plan from other documents, of policies that are no
/// longer declared.
#[must_use]
pub fn left_alone_label(plan: &Plan) -> &'static str {
    if plan.before.is_some() {
        "No longer declared, left as they are:"
    } else {
        "Undeclared (live, left as they are):"
    }
}
