//! Names of `guards.protected` that no document declares.

use super::{Check, Run};
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::document::{Document, Settings};
use crate::model::{Desired, Protected};

/// The code of the finding.
pub const UNKNOWN_PROTECTED: &str = "unknown-protected";

pub(crate) const CHECKS: &[Check] = &[Check {
    code: UNKNOWN_PROTECTED,
    severity: Severity::Error,
    title: "a protected policy is not declared",
    explanation: "`guards.protected` in `seawall.yaml` names policies that no plan may delete, empty or weaken, and no pull \
        request may stop declaring. A name that no document declares, and that no policy had before (`previously`), \
        protects nothing.",
    bad: "",
    fix: "Correct the name, declare the policy again, or take the name out of `guards.protected`.",
    run: Run::Elsewhere,
}];

/// Finds names that no document declares, in any organization. It is a warning, which `validate`
/// makes an error: only a plan knows if such a policy is live.
pub(crate) fn look(
    document: &Document,
    settings: &Settings,
    desired: &Desired,
    findings: &mut Vec<Diagnostic>,
) {
    for (index, Protected { name, allow: _ }) in settings.guards.protected.iter().enumerate() {
        if desired.declares(name) {
            continue;
        }
        let finding = Diagnostic::warning(
            UNKNOWN_PROTECTED,
            format!("no document declares the protected policy `{name}`"),
        );
        let near = nearest(name, desired.names().map(|(name, _)| name));
        let finding = finding.at(document.label(&format!("/guards/protected/{index}")));
        findings.push(finding.help(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare the policy, or take the name out of `guards.protected`".to_owned(),
        }));
    }
}
