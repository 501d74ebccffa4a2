//! Teams that scopes and tests name.

use std::collections::BTreeMap;

use super::{Check, Input, Run};
use crate::diagnostic::{Diagnostic, Label, Severity, one_of};
use crate::model::Scope;

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "unknown-team",
        severity: Severity::Warning,
        title: "unknown team",
        explanation: "`docker.teams` in `seawall.yaml` lists the teams that the organization is known to have. A plan refuses \
            a team that the service does not know, or knows twice.",
        bad: "",
        fix: "Correct the name, or add the team to `docker.teams`.",
        run: Run::Workspace(check),
    },
    Check {
        code: "ambiguous-team",
        severity: Severity::Warning,
        title: "two team names differ only in case or spaces",
        explanation: "The documents name teams that differ only in case or spaces: one of them is misspelt, or people will confuse them.",
        bad: "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: one\nscope: {teams: [research]}\nrules: []\n---\n\
            apiVersion: seawall/v1\nkind: NetworkPolicy\nname: two\nscope: {teams: [Research]}\nrules: []\n",
        fix: "Write the name as the organization does; an id is never ambiguous.",
        run: Run::Workspace(ambiguous),
    },
];

/// Every team that a document names, with its place.
fn named<'a>(input: &'a Input<'_>) -> Vec<(&'a str, Label)> {
    let of_policies = input.policies.iter().flat_map(|policy| {
        let teams = match &policy.desired.policy.scope {
            Scope::Teams(teams) => Some(teams),
            Scope::Organization => None,
        };
        let named = teams.into_iter().flatten();
        let mut named: Vec<_> =
            named.map(|team| (team.as_str(), policy.document.item("/scope/teams", team))).collect();
        // In the order written: if two differ, the later one is the misspelling.
        named.sort_by_key(|(_, label)| label.span.start);
        named
    });
    let of_tests = input
        .tests
        .iter()
        .flat_map(|test| test.teams.iter().map(String::as_str).zip(test.team_labels.clone()));
    of_policies.chain(of_tests).collect()
}

fn ambiguous(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, (&str, Label)> = BTreeMap::new();
    for (team, label) in named(input) {
        let folded = team.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let (first, place) = seen.entry(folded).or_insert_with(|| (team, label.clone()));
        if *first != team {
            let message = format!("the teams `{first}` and `{team}` differ only in case or spaces");
            let finding = Diagnostic::warning("ambiguous-team", message).at(label);
            let finding = finding.related(place.clone().saying("the first one is here"));
            findings.push(
                finding.help("write the name as the organization does; an id is never ambiguous"),
            );
        }
    }
}

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let known = input
        .settings
        .and_then(|settings| settings.docker.as_ref())
        .and_then(|docker| docker.teams.as_ref());
    let Some(known) = known else { return };
    for (team, label) in named(input) {
        if known.iter().any(|name| name == team) || is_id(team) {
            continue;
        }
        let finding =
            Diagnostic::warning("unknown-team", format!("`docker.teams` has no team `{team}`"))
                .at(label);
        let choices = one_of(team, known.iter().map(String::as_str));
        findings.push(
            finding.help(format!("{choices}; or add the team to `docker.teams` in `seawall.yaml`")),
        );
    }
}

/// Ids of teams are UUIDs, which no list of names contains.
fn is_id(team: &str) -> bool {
    team.len() == 36 && team.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
