//! Places of the findings of a survey.

use super::Input;
use crate::access::survey::Item;
use crate::diagnostic::Label;
use crate::document::Declared;
use crate::model::{Decision, Rule, Scope};

fn declared<'a>(input: &'a Input<'_>, item: &Item<'_>) -> &'a Declared<'a> {
    input.policies.get(item.policy()).expect("a survey is of these policies")
}

fn stated<'a>(input: &'a Input<'_>, item: &Item<'_>) -> Option<&'a Rule> {
    declared(input, item).desired.policy.rules().get(item.rule())
}

/// The place of a resource.
pub(super) fn resource(input: &Input<'_>, item: &Item<'_>) -> Label {
    let declared = declared(input, item);
    declared.document.label(&declared.resource(item.rule(), item.resource()))
}

/// The place of a rule's name.
pub(super) fn rule(input: &Input<'_>, item: &Item<'_>) -> Label {
    declared(input, item).document.label(&format!("/rules/{}/name", item.rule()))
}

/// A rule by its name, with the name of its policy if that differs from `beside`'s.
pub(super) fn named(input: &Input<'_>, item: &Item<'_>, beside: &Item<'_>) -> String {
    let rule = stated(input, item).map(|rule| rule.name.as_str()).unwrap_or_default();
    if item.policy() == beside.policy() {
        return format!("`{rule}`");
    }
    format!("`{} › {rule}`", declared(input, item).desired.policy.name)
}

/// Returns `true` if an item's policy only denies, for everybody.
pub(super) fn are_guardrails(input: &Input<'_>, item: &Item<'_>) -> bool {
    let policy = &declared(input, item).desired.policy;
    policy.scope == Scope::Organization
        && policy.rules().iter().all(|rule| rule.decision == Decision::Deny)
}

/// The items, grouped by rule.
pub(super) fn by_rule<'a>(input: &'a Input<'_>) -> impl Iterator<Item = &'a [Item<'a>]> {
    input
        .survey
        .items()
        .chunk_by(|one, other| (one.policy(), one.rule()) == (other.policy(), other.rule()))
}
