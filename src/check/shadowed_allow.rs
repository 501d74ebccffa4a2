//! An allow that a deny covers wholly.

use super::{Check, Input, Run, locations};
use crate::access::survey::Item;
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Decision;

const CODE: &str = "shadowed-allow";

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Warning,
    title: "denies cover all of an allow",
    explanation: "A deny wins over every allow, whatever their order, their policies and how exact they are. The allow \
        opens nothing for anybody whom it governs.",
    bad: "- {name: pages, decision: allow, actions: [connect:tcp], resources: [docs.example.com]}\n\
        - {name: closed, decision: deny, actions: [connect:tcp], resources: [\"**.example.com\"]}\n",
    fix: "Remove the allow, or narrow the deny.",
    run: Run::Together(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    if !input.survey.items().iter().any(|item| item.decision == Decision::Deny) {
        return;
    }
    for item in input.survey.items().iter().filter(|item| item.decision == Decision::Allow) {
        let denies =
            |other: &Item<'_>| other.decision == Decision::Deny && other.governs_all_of(item);
        let Some(deny) = input.survey.covered_by(item, denies) else { continue };
        let message = format!(
            "this allow has no effect: {} denies all of `{}`",
            locations::named(input, deny, item),
            item.text()
        );
        let finding = Diagnostic::warning(CODE, message).at(locations::resource(input, item));
        let finding = finding.related(locations::resource(input, deny).saying("denied here"));
        findings.push(finding.help("remove it, or narrow the deny; a deny wins over every allow"));
    }
}
