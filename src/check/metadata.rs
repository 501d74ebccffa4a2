//! Link-local addresses and metadata services that are reachable.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Input, Run};
use crate::access::{Request, State, Verdict};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{Decision, Policy, Scope};

const CODE: &str = "metadata-reachable";

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Warning,
    title: "a metadata service or a link-local address is reachable",
    explanation: "A metadata service hands the credentials of a machine to whoever asks, and link-local addresses are \
        neighbours that no policy means. A deny of their addresses does not stop what is allowed by name, and `**` is a name.",
    bad: "- {name: web, decision: allow, actions: [connect:tcp], resources: [\"**\"]}\n\
        - {name: no metadata, decision: deny, actions: [connect:tcp], resources: [169.254.0.0/16]}\n",
    fix: "Deny the addresses one by one, as `169.254.169.254`, and the names, as `metadata.google.internal`; or allow less.",
    run: Run::Workspace(check),
}];

/// What is asked for: the metadata services of clouds by address and name, and a link-local neighbour.
const PROBES: [&str; 11] = [
    "connect:tcp 169.254.169.254:80",
    "connect:tcp 169.254.170.2:80",
    "connect:tcp 100.100.100.200:80",
    "connect:tcp 168.63.129.16:80",
    "connect:tcp [fd00:ec2::254]:80",
    "connect:tcp [fd20:ce::254]:80",
    "connect:tcp 169.254.1.1:443",
    "connect:tcp [fe80::1]:443",
    "connect:tcp metadata.google.internal:80 at 169.254.169.254",
    "connect:tcp instance-data.ec2.internal:80 at 169.254.169.254",
    "GET http://169.254.169.254/latest/meta-data",
];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let policies: Vec<Policy> = input.policies.iter().map(|declared| declared.desired.policy.clone()).collect();
    let state = State::of(&policies);
    let teams: BTreeSet<&str> = policies.iter().flat_map(|policy| policy.scope.teams()).collect();
    let audiences =
        std::iter::once(BTreeSet::new()).chain(teams.into_iter().map(|team| BTreeSet::from([team.to_owned()])));
    let audiences: Vec<BTreeSet<String>> = audiences.collect();
    // By rule and pattern: the first thing that it opens.
    let mut opened: BTreeMap<(usize, usize, String), String> = BTreeMap::new();
    for probe in PROBES {
        let Ok(request) = Request::parse(probe) else { continue };
        for teams in &audiences {
            let answer = state.ask(teams, &request);
            if answer.verdict != Verdict::Allow {
                continue;
            }
            for reason in answer.because {
                let governs = policies
                    .get(reason.policy)
                    .is_some_and(|policy| teams.is_empty() || policy.scope != Scope::Organization);
                if let (true, Some(Decision::Allow), Some(rule), Some(pattern)) =
                    (governs, reason.decision, reason.rule, reason.pattern)
                {
                    opened.entry((reason.policy, rule, pattern)).or_insert_with(|| request.to_string());
                }
            }
        }
    }
    for ((policy, rule, pattern), request) in opened {
        let Some(declared) = input.policies.get(policy) else { continue };
        let label = input
            .survey
            .items()
            .iter()
            .find(|item| (item.policy, item.rule) == (policy, rule) && item.text() == pattern)
            .map_or_else(
                || declared.document.label(&format!("/rules/{rule}/name")),
                |item| super::sites::resource(input, item),
            );
        let message = format!("`{pattern}` reaches a metadata service or a link-local address: `{request}` is allowed");
        let help = "deny it by address and by name, or allow less; a CIDR deny does not stop what a name allows";
        findings.push(Diagnostic::warning(CODE, message).at(label).help(help));
    }
}
