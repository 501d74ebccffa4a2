//! An HTTP allow beside a network allow of the same host.

use super::{Check, Input, Run, locations};
use crate::access::survey::{Item, Kind};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Decision;

const CODE: &str = "http-allow-without-effect";

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Warning,
    title: "an HTTP allow beside a network allow of the same host",
    explanation: "A network allow opens every method and path of a host. An additional HTTP allow neither adds nor limits anything.",
    bad: "- {name: whole host, decision: allow, actions: [connect:tcp], resources: [api.example.com]}\n\
        - {name: only reads, decision: allow, actions: [request:get], http_resources: [{host: api.example.com, path: /**}]}\n",
    fix: "Remove the network allow to limit the host to these requests, or the HTTP allow to keep it open.",
    run: Run::Together(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let is_request =
        |item: &&Item<'_>| item.decision == Decision::Allow && item.kind() == Kind::Http;
    for item in input.survey.items().iter().filter(is_request) {
        let opens = |other: &Item<'_>| {
            other.decision == Decision::Allow
                && other.kind() == Kind::Host
                && other.governs_all_of(item)
        };
        let Some(open) = input.survey.covered_by(item, opens) else { continue };
        let name = locations::named(input, open, item);
        let message = format!(
            "`{}` adds nothing and limits nothing: {name} allows every request to the host",
            item.text()
        );
        let finding = Diagnostic::warning(CODE, message).at(locations::resource(input, item));
        let finding = finding
            .related(locations::resource(input, open).saying("the whole host is allowed here"));
        findings.push(
            finding.help("remove the network allow to allow only these requests, or remove this"),
        );
    }
}
