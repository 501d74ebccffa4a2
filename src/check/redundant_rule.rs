//! A rule, or a resource of one, that another rule makes redundant.

use std::collections::BTreeSet;

use super::{Check, Input, Run, locations};
use crate::access::survey::{Item, Kind};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Decision;

const CODE: &str = "redundant-rule";

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Note,
    title: "other rules make a rule redundant",
    explanation: "A rule of the same decision covers all that this one speaks about, for everybody whom it governs. Taking \
        it away changes no access; leaving it there lets a reader think that it matters.",
    bad: "- {name: all, decision: allow, actions: [connect:tcp], resources: [\"**.example.com\"]}\n\
        - {name: one, decision: allow, actions: [connect:tcp], resources: [\"api.example.com:443\"]}\n",
    fix: "Remove the redundant rule, or narrow the other one.",
    run: Run::Together(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    for policy in input.policies {
        for rule in 0..policy.desired.policy.rules().len() {
            for (first, again) in policy.repeated_resources(rule) {
                let finding = Diagnostic::note(CODE, "the list already contains it");
                let finding = finding.at(policy.document.label(&again));
                let finding = finding.related(policy.document.label(&first).saying("covered here"));
                findings.push(finding.help("remove it; access does not change"));
            }
        }
    }
    // From the last to the first, without counting rules that are reported as redundant themselves:
    // removing everything that is reported then changes no access.
    let mut superfluous = BTreeSet::new();
    for item in input.survey.items().iter().rev() {
        let same = |other: &Item<'_>| {
            let layer = (other.kind() == Kind::Http) == (item.kind() == Kind::Http)
                || item.decision == Decision::Deny;
            other.decision == item.decision
                && layer
                && other.governs_all_of(item)
                && !superfluous.contains(&place(other))
        };
        let Some(cover) = input.survey.covered_by(item, same) else { continue };
        // Allows without effect because of a deny, and requests on an open connection, have
        // findings of their own.
        let denied =
            |other: &Item<'_>| other.decision == Decision::Deny && other.governs_all_of(item);
        if item.decision == Decision::Allow && input.survey.covered_by(item, denied).is_some() {
            continue;
        }
        superfluous.insert(place(item));
        let what = if item.decision == Decision::Allow { "allows" } else { "denies" };
        let message = format!(
            "{} {what} all of `{}` already",
            locations::named(input, cover, item),
            item.text()
        );
        let finding = Diagnostic::note(CODE, message).at(locations::resource(input, item));
        let finding = finding.related(locations::resource(input, cover).saying("covered here"));
        findings.push(finding.help("remove it; access does not change"));
    }
}

fn place(item: &Item<'_>) -> (usize, usize, usize) {
    (item.policy(), item.rule(), item.resource())
}
