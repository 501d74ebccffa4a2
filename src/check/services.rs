//! Policies for a service that the workspace does not manage.

use super::{Check, Input, Run};
use crate::diagnostic::{Diagnostic, Label, Severity};

const DOCKER: &str = "docker-not-configured";
const VIJIL: &str = "vijil-not-configured";

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: DOCKER,
        severity: Severity::Warning,
        title: "the workspace declares policies for Docker and has no `docker` section",
        explanation: "Without a `docker` section in `seawall.yaml`, no command sends such policies anywhere. Below, the other \
            documents declare one.",
        bad: "apiVersion: seawall/v1\nkind: Workspace\nvijil: {}\n",
        fix: "Add `docker: {org: NAME}` to `seawall.yaml`.",
        run: Run::Workspace(docker),
    },
    Check {
        code: VIJIL,
        severity: Severity::Warning,
        title: "the workspace declares policies for agents and has no `vijil` section",
        explanation: "Without a `vijil` section in `seawall.yaml`, no command sends such policies anywhere.",
        bad: "apiVersion: seawall/v1\nkind: AgentPolicy\nname: x\ncategory: privacy\nrules: []\n",
        fix: "Add `vijil: {}` to `seawall.yaml`.",
        run: Run::Workspace(vijil),
    },
];

fn docker(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    if input.settings.is_some_and(|settings| settings.docker.is_none()) {
        let places = input.policies.iter().map(|policy| policy.document.label("/name"));
        findings.extend(sent_nowhere((DOCKER, "docker"), "add `docker: {org: NAME}`", places));
    }
}

fn vijil(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    if input.settings.is_some_and(|settings| settings.vijil.is_none()) {
        let places = input.vijil.iter().map(|policy| policy.document.label("/name"));
        findings.extend(sent_nowhere((VIJIL, "vijil"), "add `vijil: {}`", places));
    }
}

/// One finding for all policies of a service, at the first of them.
fn sent_nowhere(
    (code, section): (&'static str, &str),
    help: &str,
    mut places: impl Iterator<Item = Label>,
) -> Option<Diagnostic> {
    let first = places.next()?;
    let policies = match places.count() {
        0 => "this policy is".to_owned(),
        1 => "this policy and 1 other are".to_owned(),
        more => format!("this policy and {more} others are"),
    };
    let message = format!("the workspace has no `{section}` section: {policies} sent nowhere");
    Some(Diagnostic::warning(code, message).at(first).help(format!("{help} to `seawall.yaml`")))
}
