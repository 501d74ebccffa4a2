//! Link-local addresses and metadata services that are reachable.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Input, Run};
use crate::access::{Request, State, Unknown, Verdict};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{Body, Decision, Policy, Scope};

const CODE: &str = "metadata-reachable";

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Warning,
    title: "a metadata service or a link-local address is reachable",
    explanation: "A metadata service gives the credentials of a machine to every caller, and link-local addresses are neighbours that no policy intends to allow. A deny of their addresses does not stop what is allowed by name, and `**` is a name.",
    bad: "- {name: web, decision: allow, actions: [connect:tcp], resources: [\"**\"]}\n\
        - {name: no metadata, decision: deny, actions: [connect:tcp], resources: [169.254.0.0/16]}\n",
    fix: "Deny the addresses one by one, as `169.254.169.254`, and the names, as `metadata.google.internal`; or allow less.",
    run: Run::Workspace(check),
}];

/// The requests to try: the metadata services of clouds by address and name, and a link-local
/// neighbour.
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
    let probes: Vec<Request> =
        PROBES.iter().filter_map(|probe| Request::parse(probe).ok()).collect();
    let about: BTreeSet<(usize, usize)> = probes
        .iter()
        .filter_map(Request::host)
        .flat_map(|host| input.survey.rules_about(host))
        .collect();
    let policies = only(input, &about);
    let rules: Vec<(usize, usize)> = about.into_iter().collect();
    let state = State::new(&policies);
    let teams: BTreeSet<&str> = policies.iter().flat_map(|policy| policy.scope.teams()).collect();
    let audiences = std::iter::once(BTreeSet::new())
        .chain(teams.into_iter().map(|team| BTreeSet::from([team.to_owned()])));
    let audiences: Vec<BTreeSet<String>> = audiences.collect();
    // By rule and pattern: the first request that it allows, and whether it does so for certain.
    let mut opened: BTreeMap<(usize, usize, String), (bool, String)> = BTreeMap::new();
    for request in &probes {
        let question = state.question(request);
        for teams in &audiences {
            let verdict = question.verdict(|rule| state.governs(rule, teams));
            if verdict == Verdict::Deny {
                continue;
            }
            for reason in state.ask(teams, request).because {
                let governs = policies
                    .get(reason.policy)
                    .is_some_and(|policy| teams.is_empty() || policy.scope != Scope::Organization);
                // Other uncertainties concern the pattern itself, and have findings of their own.
                let doubtless = verdict == Verdict::Allow
                    || reason.doubts == [Unknown::AddressAsName.to_string()];
                if let (true, true, Some(Decision::Allow), Some(&(policy, rule)), Some(pattern)) =
                    (governs, doubtless, reason.decision, rules.get(reason.policy), reason.pattern)
                {
                    let own = (verdict == Verdict::Allow, request.to_string());
                    let known =
                        opened.entry((policy, rule, pattern)).or_insert_with(|| own.clone());
                    if own.0 && !known.0 {
                        *known = own;
                    }
                }
            }
        }
    }
    for ((policy, rule, pattern), (is_certain, request)) in opened {
        let Some(declared) = input.policies.get(policy) else { continue };
        let item = input.survey.items_of(policy, rule).iter().find(|item| item.text() == pattern);
        let label = item.map_or_else(
            || declared.document.label(&format!("/rules/{rule}/name")),
            |item| super::locations::resource(input, item),
        );
        let is = if is_certain { "is" } else { "may be" };
        let message = format!(
            "`{pattern}` reaches a metadata service or a link-local address: `{request}` {is} allowed"
        );
        let help = "deny it by address and by name, or allow less; a CIDR deny does not stop what a name allows";
        // Metadata services use port 80. Another link-local address on port 443 is only a note.
        let is_minor = !is_certain && request.ends_with(":443");
        let severity = if is_minor { Severity::Note } else { Severity::Warning };
        findings.push(Diagnostic::new(severity, CODE, message).at(label).help(help));
    }
}

/// These rules, each in a policy of its own.
fn only(input: &Input<'_>, rules: &BTreeSet<(usize, usize)>) -> Vec<Policy> {
    let single = |&(policy, rule): &(usize, usize)| {
        let policy = &input.policies.get(policy)?.desired.policy;
        let rule = policy.rules().get(rule)?.clone();
        Some(Policy {
            name: policy.name.clone(),
            scope: policy.scope.clone(),
            body: Body::Allowlist(vec![rule]),
        })
    };
    rules.iter().filter_map(single).collect()
}
