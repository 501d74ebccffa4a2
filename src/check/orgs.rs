//! Organizations that documents name, and the declarations for each.

use std::collections::BTreeMap;

use super::{Check, Input, Run, Wanted};
use crate::access::survey::Survey;
use crate::diagnostic::{Diagnostic, Severity, one_of};
use crate::document::{Declared, Document, Settings};
use crate::model::{is_for, variable_suffix};
use crate::source::parallel;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        code: "unknown-org",
        severity: Severity::Error,
        title: "unknown organization",
        explanation: "`docker.orgs` in `seawall.yaml` lists the organizations of the workspace. A policy that names only \
            others would be in force nowhere.",
        bad: "",
        fix: "Correct the name, or add the organization to `docker.orgs`.",
        run: Run::Elsewhere,
    },
    Check {
        code: "conflicting-orgs",
        severity: Severity::Error,
        title: "two organizations have the same name, or the same variables",
        explanation: "Credentials come from `DOCKER_USERNAME_ORG` and `DOCKER_PASSWORD_ORG`, with the organization in capitals and `_` for everything that is not a letter or digit. Two organizations that are the same there \
            would be reached with the credentials of one.",
        bad: "",
        fix: "Remove one of the two, or give it a workspace of its own.",
        run: Run::Elsewhere,
    },
];

/// The number of policies below which one thread is faster.
const WORTH_A_THREAD: usize = 20;

/// The declarations for one organization.
pub(crate) struct Organization<'a> {
    policies: Vec<&'a Declared<'a>>,
    /// `None` if it is that of the only organization, or if none is needed.
    survey: Option<Survey<'a>>,
}

impl<'a> Organization<'a> {
    /// All declarations, with only those policies that are for this organization.
    pub(crate) fn input<'b>(&'b self, all: &Input<'b>) -> Input<'b>
    where
        'a: 'b,
    {
        Input {
            policies: &self.policies,
            survey: self.survey.as_ref().unwrap_or(all.survey),
            ..*all
        }
    }
}

/// The declarations for each organization; all together if `docker.orgs` names none.
pub(crate) fn each<'a>(input: &Input<'a>) -> Vec<Organization<'a>> {
    let Some(orgs) = names(input.settings) else {
        return vec![Organization { policies: input.policies.to_vec(), survey: None }];
    };
    let organization = |org: &String| {
        let policies = policies_for(input.policies, org);
        let survey = || Survey::new(policies.iter().map(|declared| &declared.desired.policy));
        let survey = (input.wanted == Wanted::All).then(survey);
        Organization { policies, survey }
    };
    let least = if input.policies.len() < WORTH_A_THREAD { usize::MAX } else { 1 };
    parallel::map(orgs.iter().collect(), least, organization)
}

/// The policies of one organization.
pub(crate) fn policies_for<'a>(policies: &[&'a Declared<'a>], org: &str) -> Vec<&'a Declared<'a>> {
    policies.iter().copied().filter(|policy| is_for(&policy.desired.orgs, org)).collect()
}

pub(crate) fn names(settings: Option<&Settings>) -> Option<&[String]> {
    settings?.docker.as_ref()?.orgs.as_deref()
}

/// Finds names of organizations that the workspace does not have.
pub(crate) fn look(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let docker = input.settings.and_then(|settings| settings.docker.as_ref());
    let Some(docker) = docker else { return };
    let known: Vec<&String> = docker.orgs.iter().flatten().chain(&docker.org).collect();
    // The name may come from the command line.
    if known.is_empty() {
        return;
    }
    let policies = input.policies.iter().map(|policy| (&policy.desired.orgs, policy.document));
    for (orgs, document) in policies {
        for org in orgs.iter().filter(|org| !known.contains(org)) {
            findings.push(unknown(org, &known).at(document.item("/orgs", org)));
        }
    }
    for test in input.tests {
        for (org, label) in
            test.orgs.iter().zip(&test.org_labels).filter(|(org, _)| !known.contains(org))
        {
            findings.push(unknown(org, &known).at(label.clone()));
        }
    }
}

fn unknown(org: &str, known: &[&String]) -> Diagnostic {
    let finding =
        Diagnostic::error("unknown-org", format!("the workspace has no organization `{org}`"));
    let choices = one_of(org, known.iter().map(|name| name.as_str()));
    finding.help(format!("{choices}, or add it to `docker.orgs` in `seawall.yaml`"))
}

/// Finds names in `docker.orgs` with the same variables for credentials.
pub(crate) fn clashes(document: &Document, orgs: &[String], findings: &mut Vec<Diagnostic>) {
    let label = |index: usize| document.label(&format!("/docker/orgs/{index}"));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, org) in orgs.iter().enumerate() {
        let suffix = variable_suffix(org);
        let Some(first) = seen.get(&suffix) else {
            seen.insert(suffix, index);
            continue;
        };
        let message = match orgs.get(*first) {
            Some(other) if other != org => {
                format!("`{other}` and `{org}` would both have `DOCKER_PASSWORD_{suffix}`")
            }
            Some(_) | None => format!("the organization `{org}` appears here twice"),
        };
        let finding = Diagnostic::error("conflicting-orgs", message).at(label(index));
        let finding = finding.related(label(*first).saying("the first one is here"));
        findings.push(finding.help("remove one of the two, or give it a workspace of its own"));
    }
}
