//! A deny without effect, since nothing allows what it denies.

use super::{Check, Input, Run, locations};
use crate::access::survey::Kind;
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Decision;

const IDLE: &str = "ineffective-deny";
const HTTP_ONLY: &str = "http-deny-only";
const OTHER_PORT: &str = "http-deny-other-port";

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: IDLE,
        severity: Severity::Note,
        title: "a deny that no allow overlaps",
        explanation: "What nothing allows is denied anyway. As an exception from an allow the deny has the wrong pattern; as a \
            guardrail it is of use once somebody allows what it denies. A policy of nothing but denies for the whole \
            organization is taken for guardrails, and left alone.",
        bad: "- {name: mirrors, decision: allow, actions: [connect:tcp], resources: [\"*.example.com\"]}\n\
            - {name: not this one, decision: deny, actions: [connect:tcp], resources: [old.example.org]}\n",
        fix: "Correct the pattern, move the rule to a policy of guardrails, or suppress the finding.",
        run: Run::Workspace(check),
    },
    Check {
        code: HTTP_ONLY,
        severity: Severity::Warning,
        title: "HTTP denies on a host that no rule allows",
        explanation: "An HTTP deny removes requests from allowed access; it does not allow the others. Without an allow, the whole host is denied.",
        bad: "- {name: no deletes, decision: deny, actions: [request:delete], http_resources: [{host: git.example.com, path: /**}]}\n",
        fix: "Allow the host with `connect:tcp`, or the other requests, if that is intended.",
        run: Run::Elsewhere,
    },
    Check {
        code: OTHER_PORT,
        severity: Severity::Warning,
        title: "an HTTP deny on a port where nothing is allowed",
        explanation: "The host is allowed on another port, and there the requests stay open.",
        bad: "- {name: host, decision: allow, actions: [connect:tcp], resources: [\"git.example.com:443\"]}\n\
            - {name: no deletes, decision: deny, actions: [request:delete], http_resources: [{host: git.example.com, port: 80, path: /**}]}\n",
        fix: "Write the port that is allowed, or leave `port` out to deny on every port.",
        run: Run::Elsewhere,
    },
];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    for items in locations::by_rule(input) {
        let Some(first) = items.first().filter(|first| first.decision == Decision::Deny) else {
            continue;
        };
        if items.iter().any(|item| input.survey.meets_an_allow(item)) {
            continue;
        }
        let label = locations::rule(input, first);
        if first.kind() == Kind::Http && !items.iter().any(|item| input.survey.opens_host(item)) {
            if let Some((item, port)) = items.iter().find_map(|item| Some((item, item.port()?)))
                && input.survey.opens_host_elsewhere(item)
            {
                let host = item.host().unwrap_or_else(|| host(item).into());
                let message = format!(
                    "nothing is allowed on port {port} of `{host}`, so that this denies nothing; on other ports its requests stay open"
                );
                let help =
                    "write the port that is allowed, or leave `port` out to deny on every port";
                findings.push(Diagnostic::warning(OTHER_PORT, message).at(label).help(help));
                continue;
            }
            let message = format!(
                "nothing allows `{}`, so that every request to it is denied, not only these",
                host(first)
            );
            let help = "allow the host with `connect:tcp`, or the other requests; remove the rule if all is to be denied";
            findings.push(Diagnostic::warning(HTTP_ONLY, message).at(label).help(help));
            continue;
        }
        if locations::are_guardrails(input, first) {
            continue;
        }
        let finding =
            Diagnostic::note(IDLE, "no rule of the workspace allows anything that this one denies")
                .at(label);
        findings.push(
            finding.help("correct its patterns, or suppress this where the rule is a guardrail"),
        );
    }
}

/// The target of an HTTP item without its path.
fn host(item: &crate::access::survey::Item<'_>) -> String {
    let text = item.text();
    let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default().to_owned()
}
