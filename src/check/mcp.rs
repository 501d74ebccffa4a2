//! Cedar text, as far as the service promises to check it.

use super::{Check, Run};
use crate::access::cedar;
use crate::diagnostic::{Diagnostic, Files, Severity};
use crate::document::Declared;
use crate::model::Body;

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "cedar-syntax",
        severity: Severity::Error,
        title: "the Cedar text is not valid",
        explanation: "The service refuses text that Cedar cannot parse.",
        bad: "apiVersion: seawall/v1\nkind: McpPolicy\nname: MCP\ncedar: |\n  permit (principal, action, resource)\n",
        fix: "Correct the text; the finding shows where the parser stopped.",
        run: Run::Policy(check),
    },
    Check {
        code: "cedar-empty",
        severity: Severity::Error,
        title: "the Cedar text has no statement",
        explanation: "The service takes a policy with at least one `permit` or `forbid`.",
        bad: "apiVersion: seawall/v1\nkind: McpPolicy\nname: MCP\ncedar: |\n  // nothing yet\n",
        fix: "Write a statement, or remove the document.",
        run: Run::Reading,
    },
    Check {
        code: "cedar-id",
        severity: Severity::Error,
        title: "a Cedar statement has an `@id`",
        explanation: "The service gives statements their ids itself, and refuses text that has some.",
        bad: "apiVersion: seawall/v1\nkind: McpPolicy\nname: MCP\ncedar: |\n  @id(\"a\")\n  \
            permit (principal, action, resource);\n",
        fix: "Remove the annotation; another name such as `@description` is fine.",
        run: Run::Reading,
    },
];

fn check(policy: &Declared<'_>, files: &Files, findings: &mut Vec<Diagnostic>) {
    let Body::Cedar(text) = &policy.desired.policy.body else { return };
    let text = text.text.as_str();
    match cedar::statements(text) {
        Err(mistakes) => findings.extend(mistakes.into_iter().map(|mistake| {
            let label = policy.cedar_label(files, &(mistake.start..mistake.end));
            let finding =
                Diagnostic::error("cedar-syntax", format!("this is not valid Cedar: {}", mistake.message)).at(label);
            Diagnostic { help: mistake.help, ..finding }
        })),
        Ok(statements) if statements.is_empty() => {
            let finding = Diagnostic::error("cedar-empty", "the Cedar text has neither a `permit` nor a `forbid`");
            findings.push(
                finding
                    .at(policy.cedar_label(files, &(0..text.len())))
                    .help("write a statement, or remove the document"),
            );
        }
        Ok(statements) => {
            for statement in statements.iter().filter(|statement| statement.annotations.contains_key("id")) {
                let start = statement.span.start;
                let end = text
                    .get(start..)
                    .and_then(|rest| rest.find(['\n', ';']))
                    .map_or(statement.span.end, |length| start + length);
                let finding =
                    Diagnostic::error("cedar-id", "a statement may not have an `@id`; the service gives it one");
                findings.push(finding.at(policy.cedar_label(files, &(start..end))).help("remove the annotation"));
            }
        }
    }
}
