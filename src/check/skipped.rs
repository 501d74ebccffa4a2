//! Checks that were skipped because they would take too long.

use super::{Check, Input, Run, locations};
use crate::diagnostic::{Diagnostic, Severity};

const CODE: &str = "lint-skipped";

/// The checks of patterns that cover others.
const ABOUT_COVERAGE: [&str; 3] = ["redundant-rule", "shadowed-allow", "http-allow-without-effect"];

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Note,
    title: "some lints were skipped because too many rules would be compared",
    explanation: "Some lints compare rules with each other. Where very many patterns with wildcards overlap, that would take \
        minutes and gigabytes; these lints are then left out as a whole, so that the same documents always have the same \
        findings.",
    bad: "",
    fix: "Write fewer patterns with inner wildcards, or split the workspace.",
    run: Run::Together(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    if !input.survey.has_parents() {
        let message = "so many folders are allowed that those around a denied pattern were not looked for by \
            `mount-around-deny`";
        let finding = Diagnostic::note(CODE, message.to_owned());
        findings
            .push(finding.help("allow fewer, larger folders, or deny folders without wildcards"));
    }
    if input.survey.is_complete() {
        return;
    }
    let mut finding = note(&ABOUT_COVERAGE, "the patterns of rules");
    // The rules behind it are those with the most wildcards.
    let widest =
        input.survey.items().iter().rev().max_by_key(|item| item.text().matches('*').count());
    if let Some(widest) = widest {
        finding = finding.at(locations::resource(input, widest));
    }
    findings.push(finding);
}

/// A note about skipped checks, because too many patterns overlap.
pub(super) fn note(lints: &[&str], what: &str) -> Diagnostic {
    let lints: Vec<String> = lints.iter().map(|lint| format!("`{lint}`")).collect();
    let finding =
        Diagnostic::note(CODE, format!("{what} overlap too much to look for {}", lints.join(", ")));
    finding.help(
        "write fewer patterns with inner wildcards; findings of the skipped checks may be missing",
    )
}
