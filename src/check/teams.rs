//! Teams that scopes and tests name.

use strsim::damerau_levenshtein;

use super::{Check, Input, Run};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::model::Scope;

pub(super) const CHECKS: &[Check] = &[Check {
    code: "unknown-team",
    severity: Severity::Warning,
    title: "a team is not among the organization's",
    explanation: "`docker.teams` in `seawall.yaml` lists the teams that the organization is known to have. A plan refuses \
        a team that the service does not know.",
    bad: "",
    fix: "Correct the name, or add the team to `docker.teams`.",
    run: Run::Workspace(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let known = input.settings.and_then(|settings| settings.docker.as_ref()).and_then(|docker| docker.teams.as_ref());
    let Some(known) = known else { return };
    let mut look = |team: &str, label: Label| {
        if known.iter().any(|name| name == team) || is_id(team) {
            return;
        }
        let near = known
            .iter()
            .filter(|name| damerau_levenshtein(name, team) <= 2)
            .min_by_key(|name| damerau_levenshtein(name, team));
        let finding = Diagnostic::warning("unknown-team", format!("`docker.teams` has no team `{team}`")).at(label);
        findings.push(finding.help(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "correct the name, or add the team to `docker.teams` in `seawall.yaml`".to_owned(),
        }));
    };
    for policy in input.policies {
        let Scope::Teams(teams) = &policy.desired.policy.scope else { continue };
        for team in teams {
            look(team, policy.document.item("/scope/teams", team));
        }
    }
    for test in input.tests {
        for (team, label) in test.teams.iter().zip(&test.team_labels) {
            look(team, label.clone());
        }
    }
}

/// Ids of teams are UUIDs, which no list of names holds.
fn is_id(team: &str) -> bool {
    team.len() == 36 && team.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
