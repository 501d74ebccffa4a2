//! Everything that can be said of one Cedar text by itself.
//!
//! Invariant: findings are in the order of the text, and each says one thing once: a statement that cannot match for a
//! reason that was told is not told to never match.

use super::finding::{Finding, code};
use super::limit::with_deep_stack;
use super::validate::{self, Kind};
use super::{Mistake, Statement, cover, explain, statements, traps};

/// The findings about a text that is written for the schema of this version.
#[must_use]
pub fn examine(text: &str) -> Vec<Finding> {
    let found = match statements(text) {
        Ok(found) => found,
        Err(mistakes) => return mistakes.into_iter().map(syntax).collect(),
    };
    if found.is_empty() {
        let help = "write a `permit` or a `forbid`, or remove the document".to_owned();
        let message = "the policy holds no statement".to_owned();
        return vec![Finding { start: 0, end: text.len(), code: code::EMPTY, message, help }];
    }
    let mut findings = with_deep_stack(|| {
        let mut findings: Vec<Finding> = found.iter().flat_map(|statement| of_statement(text, statement)).collect();
        findings.extend(cover::within(&found));
        findings
    });
    findings.sort();
    findings
}

/// Whether the text is fit for the service: it parses and holds a statement, none of them with an `@id`.
///
/// Source: the `CedarV1Policy` schema of the Docker AI Governance API. Annotations and schema are not part of it.
#[must_use]
pub fn examine_syntax(text: &str) -> Vec<Finding> {
    let wanted = [code::SYNTAX, code::EMPTY, code::ID, code::TEMPLATE];
    examine(text).into_iter().filter(|finding| wanted.contains(&finding.code)).collect()
}

fn syntax(mistake: Mistake) -> Finding {
    let help =
        mistake.help.unwrap_or_else(|| "see https://docs.cedarpolicy.com/policies/syntax-policy.html".to_owned());
    Finding { start: mistake.start, end: mistake.end, code: code::SYNTAX, message: mistake.message, help }
}

fn of_statement(text: &str, statement: &Statement) -> Vec<Finding> {
    let mut findings = traps::annotations(text, statement);
    let Some(tree) = &statement.tree else {
        let message = "a template matches nothing: nobody fills its slots".to_owned();
        let help = "remove `?principal` and `?resource`; whom a policy governs is said by its scope".to_owned();
        findings.push(Finding {
            start: statement.span.start,
            end: statement.span.end,
            code: code::TEMPLATE,
            message,
            help,
        });
        return findings;
    };
    let checked = validate::validate(text, statement);
    let principal = traps::principal(text, statement, tree);
    let on_principal = principal.is_some();
    findings.extend(principal);
    findings.extend(traps::ungated(text, statement));
    findings.extend(traps::question_marks(text, statement));
    findings.extend(explain::unguarded(&checked));
    let complaints = checked.complaints.iter().filter(|complaint| !on_principal || complaint.kind != Kind::EntityType);
    findings.extend(complaints.filter_map(|complaint| explain::explain(text, complaint, &checked)));
    if findings.is_empty() && checked.possible.is_empty() && !checked.actions.is_empty() {
        findings.push(never(statement));
    }
    findings.extend(traps::approval_on_register(text, statement, &checked));
    findings.extend(traps::every_action(text, statement, tree, &checked));
    findings
}

fn never(statement: &Statement) -> Finding {
    let message = format!("this `{}` matches no request", statement.effect);
    let help =
        "its scope and conditions exclude each other; compare the action with the type of its resource".to_owned();
    Finding { start: statement.span.start, end: statement.span.end, code: code::NEVER_MATCHES, message, help }
}
