//! Mounts that do less, or more, than a rule seems to say.

use super::{Check, Input, Run, sites};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Decision;

const WRITE: &str = "write-without-read";
const AROUND: &str = "mount-around-deny";

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: WRITE,
        severity: Severity::Warning,
        title: "writing is allowed, and reading is not",
        explanation: "A writable mount needs an allow for `read` and one for `write`. `write` alone allows no mount at all.",
        bad: "- {name: data, decision: allow, actions: [write], resources: [/data]}\n",
        fix: "Allow `read` as well.",
        run: Run::Workspace(check),
    },
    Check {
        code: AROUND,
        severity: Severity::Warning,
        title: "a denied folder is inside of one that may be mounted",
        explanation: "Rules are about the folder that is mounted, and are asked once, when the sandbox is created. Who mounts \
            a folder has all that is in it, whatever is denied there.",
        bad: "- {name: data, decision: allow, actions: [read], resources: [/data]}\n\
            - {name: secrets, decision: deny, actions: [read], resources: [/data/secrets]}\n",
        fix: "Allow the folders beside the denied one instead of the one around it.",
        run: Run::Reading,
    },
];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    for item in input.survey.items() {
        if input.survey.lacks_reading(item) {
            let message = format!("`{}` may be written and not read, which allows no mount", item.text());
            let finding = Diagnostic::warning(WRITE, message).at(sites::resource(input, item));
            findings.push(finding.help("allow `read` as well"));
        }
        if item.decision == Decision::Deny
            && let Some((allow, folder)) = input.survey.mounts_around(item)
        {
            let message = format!("`{}` is denied, but `{folder}` may be mounted with all that is in it", item.text());
            let finding = Diagnostic::warning(AROUND, message).at(sites::resource(input, item));
            let finding = finding.related(sites::resource(input, allow).saying("allowed here"));
            findings.push(finding.help("allow the folders beside it instead of the one around it"));
        }
    }
}
