//! Allows of write mounts without effect.

use super::{Check, Input, Run, locations};
use crate::diagnostic::{Diagnostic, Severity};

const WRITE: &str = "write-without-read";

pub(super) const CHECKS: &[Check] = &[Check {
    code: WRITE,
    severity: Severity::Warning,
    title: "writing is allowed, and reading is not",
    explanation: "A writable mount needs an allow for `read` and one for `write`. `write` alone allows no mount at all.",
    bad: "- {name: data, decision: allow, actions: [write], resources: [/data]}\n",
    fix: "Allow `read` as well.",
    run: Run::Workspace(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    for item in input.survey.items() {
        if input.survey.lacks_reading(item) {
            let message =
                format!("`{}` may be written and not read, which allows no mount", item.text());
            let finding = Diagnostic::warning(WRITE, message).at(locations::resource(input, item));
            findings.push(finding.help("allow `read` as well"));
        }
    }
}
