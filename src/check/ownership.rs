//! Names that a workspace may declare if several share an organization.
//!
//! The services do not record who created a policy, so that nobody can see what another repository
//! declares. Ownership is therefore an agreement on names: each workspace states its own, and
//! declares no others.

use super::{Check, Input, Run};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::document::{Body, Declared};
use crate::model::Names;

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "not-owned",
        severity: Severity::Error,
        title: "the workspace does not own a policy that it declares",
        explanation: "`docker.owns` in `seawall.yaml` lists the names that the workspace owns. Another repository may declare a policy of another name, and each apply of one would revert the other.",
        bad: "",
        fix: "Rename the policy, add a pattern to `docker.owns`, or write `adopt: true` in the document to take the policy over; the other repository has to stop declaring it.",
        run: Run::Workspace(check),
    },
    Check {
        code: "declared-unmanaged",
        severity: Severity::Error,
        title: "a declared policy matches `unmanaged`",
        explanation: "`docker.unmanaged` in `seawall.yaml` names live policies that are left to others.",
        bad: "",
        fix: "Remove the document or the pattern, or write `adopt: true` in the document to take the policy over.",
        run: Run::Elsewhere,
    },
    Check {
        code: "redundant-adopt",
        severity: Severity::Warning,
        title: "`adopt: true` has no effect",
        explanation: "The workspace owns the policy anyway. Left where it is not needed, it would let a later change of \
            the name or of `docker.owns` pass unseen.",
        bad: "",
        fix: "Remove it.",
        run: Run::Elsewhere,
    },
];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let Some(docker) = input.settings.and_then(|settings| settings.docker.as_ref()) else { return };
    let owns = docker.owns.as_deref().map(Names::new);
    let unmanaged = Names::new(&docker.unmanaged);
    for policy in input.policies {
        let foreign: Vec<Diagnostic> = named(policy)
            .filter_map(|(name, label)| look(name, label, owns.as_ref(), &unmanaged))
            .collect();
        match (adopts(policy), foreign.is_empty()) {
            (false, _) => findings.extend(foreign),
            (true, false) => {}
            (true, true) => {
                let finding =
                    Diagnostic::warning("redundant-adopt", "`adopt: true` takes nothing over");
                findings.push(finding.at(policy.document.key("", "adopt")).help("remove it"));
            }
        }
    }
}

/// The names that a document claims: its own, and its earlier ones.
fn named<'a>(policy: &'a Declared<'_>) -> impl Iterator<Item = (&'a str, Label)> {
    let own = (policy.desired.policy.name.as_str(), policy.document.label("/name"));
    let label = |index: usize| policy.document.label(&format!("/previously/{index}"));
    let before = policy.desired.previously.iter().enumerate();
    std::iter::once(own).chain(before.map(move |(index, name)| (name.as_str(), label(index))))
}

fn look(name: &str, label: Label, owns: Option<&Names>, unmanaged: &Names) -> Option<Diagnostic> {
    if owns.is_some_and(|owns| !owns.is_match(name)) {
        let message = format!("`{name}` is not among the names that the workspace owns");
        let help = "rename it, add a pattern to `docker.owns`, or write `adopt: true` to take the policy over";
        return Some(Diagnostic::error("not-owned", message).at(label).help(help));
    }
    unmanaged.is_match(name).then(|| {
        let message =
            format!("`{name}` is among the names that `docker.unmanaged` leaves to others");
        let help =
            "remove the document or the pattern, or write `adopt: true` to take the policy over";
        Diagnostic::error("declared-unmanaged", message).at(label).help(help)
    })
}

fn adopts(policy: &Declared<'_>) -> bool {
    match &policy.document.body {
        Body::NetworkPolicy(policy) => policy.adopt,
        Body::FilesystemPolicy(policy) => policy.adopt,
        Body::McpPolicy(policy) => policy.adopt,
        Body::Workspace(_) | Body::AgentPolicy(_) | Body::AccessTest(_) => false,
    }
}
