//! A host allow that a CIDR deny seems to stop.

use super::{Check, EACH, Input, Run, locations};
use crate::access::ranges::Known;
use crate::access::survey::{Item, Kind};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Decision;

const CODE: &str = "address-deny-misses-names";

/// The number of names in a finding.
const SHOWN: usize = 3;

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Warning,
    title: "a CIDR deny does not stop hosts that are allowed by name",
    explanation: "The name of a host is decided first, and only where no rule matches it the address that it resolves to. A \
        host that is allowed by name stays reachable at a denied address. Reported where such a name may have an address in \
        the block: names of the public DNS are not taken to have private ones, and none to be link-local.",
    bad: "- {name: database, decision: allow, actions: [connect:tcp], resources: [db.corp.example]}\n\
        - {name: not our network, decision: deny, actions: [connect:tcp], resources: [10.0.0.0/8]}\n",
    fix: "Deny the names too, or do not allow them.",
    run: Run::Workspace(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let denied =
        |item: &Item<'_>| item.decision == Decision::Deny && matches!(item.kind(), Kind::Block(_));
    if !input.survey.items().iter().any(denied) {
        return;
    }
    let is_named = |item: &&Item<'_>| {
        item.decision == Decision::Allow && (item.known().is_some() || item.is_every_host())
    };
    let mut named: Vec<&Item<'_>> = input.survey.items().iter().filter(is_named).collect();
    named.sort_by_key(|item| !item.is_every_host());
    // Few properties of a name decide if it may resolve into a block, so that a few names of each
    // kind represent all.
    let mut kinds: Vec<(Option<_>, Vec<&Item<'_>>)> = Vec::new();
    for item in named {
        match kinds.iter_mut().find(|(known, _)| *known == item.known()) {
            Some((_, items)) => items.push(item),
            None => kinds.push((item.known(), vec![item])),
        }
    }
    for items in locations::by_rule(input)
        .filter(|items| items.first().is_some_and(|item| item.decision == Decision::Deny))
    {
        findings.extend(of_rule(input, items, &kinds));
    }
}

/// A finding for each block of a rule; one for the rule if there are many blocks, since they have
/// the same cause.
fn of_rule(
    input: &Input<'_>,
    items: &[Item<'_>],
    kinds: &[(Option<Known>, Vec<&Item<'_>>)],
) -> Vec<Diagnostic> {
    let help = "names are decided before addresses: deny the names too, or do not allow them";
    let mut found: Vec<(&Item<'_>, String, Vec<&Item<'_>>)> = Vec::new();
    for item in items {
        let Kind::Block(block) = item.kind() else { continue };
        let passing =
            kinds.iter().filter(|(known, _)| known.is_none_or(|known| !known.hardly_has(&block)));
        let passing: Vec<&Item<'_>> = passing
            .flat_map(|(_, items)| items)
            .copied()
            .filter(|name| name.shares_actions_with(item))
            .take(SHOWN)
            .collect();
        if !passing.is_empty() {
            found.push((item, format!("`{block}`"), passing));
        }
    }
    let finding = |at: &Item<'_>, message: String, passing: &[&Item<'_>]| {
        let names: Vec<String> = passing.iter().map(|name| format!("`{}`", name.text())).collect();
        let message = format!("{message} what is allowed by name, such as {}", names.join(", "));
        let finding =
            Diagnostic::warning(CODE, message).at(locations::resource(input, at)).help(help);
        match passing.first() {
            Some(first) => finding
                .related(locations::resource(input, first).saying("decided before any address")),
            None => finding,
        }
    };
    match found.as_slice() {
        [(first, block, passing), rest @ ..] if found.len() > EACH => {
            vec![finding(
                first,
                format!("{block} and {} more blocks do not stop", rest.len()),
                passing,
            )]
        }
        few => few
            .iter()
            .map(|(item, block, passing)| finding(item, format!("{block} does not stop"), passing))
            .collect(),
    }
}
