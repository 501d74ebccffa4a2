//! All findings about a single Cedar text.
//!
//! Invariant: findings are in the order of the text, and each cause is reported once: a statement
//! that cannot match for a reported reason is not also reported as never matching.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use cedar_policy::pst::{EntityOrSlot, ResourceConstraint, Template};

use super::advice::{self, Advice};
use super::finding::{Finding, code};
use super::limit::with_deep_stack;
use super::validate::{self, Kind};
use super::{McpAction, Mistake, Statement, cover, explain, operators, statements, traps};

/// The findings about a text for the schema of this version.
#[must_use]
pub fn examine(text: &str) -> Vec<Finding> {
    let (found, mut findings) = read(text);
    findings.extend(with_deep_stack(|| {
        let mut findings: Vec<Finding> =
            found.iter().flat_map(|statement| of_statement(text, statement)).collect();
        findings.extend(cover::covered_permits(&found));
        findings
    }));
    findings.sort();
    findings
}

/// The parts of a text that the service refuses for every schema: invalid syntax, no statement, an
/// `@id`, a slot.
///
/// Source: the `CedarV1Policy` schema of the Docker AI Governance API.
#[must_use]
pub fn examine_syntax(text: &str) -> Vec<Finding> {
    read(text).1
}

/// The statements that can be examined, and the faults of the others.
fn read(text: &str) -> (Vec<Arc<Statement>>, Vec<Finding>) {
    let found = match statements(text) {
        Ok(found) => found,
        Err(mistakes) => {
            // One bracket that is not closed leads to several mistakes.
            let found: BTreeSet<Finding> =
                mistakes.into_iter().map(|mistake| syntax(text, mistake)).collect();
            return (Vec::new(), found.into_iter().collect());
        }
    };
    if found.is_empty() {
        let help = "write a statement, or remove the document".to_owned();
        let message = "the Cedar text has neither a `permit` nor a `forbid`".to_owned();
        return (
            found,
            vec![Finding { start: 0, end: text.len(), code: code::EMPTY, message, help }],
        );
    }
    let findings = found.iter().flat_map(|statement| traps::refused(text, statement)).collect();
    (found, findings)
}

fn syntax(text: &str, mistake: Mistake) -> Finding {
    let Advice { span, message, help } = advice::find(text, &mistake);
    let help = help.or(mistake.help).unwrap_or_else(|| {
        "see https://docs.cedarpolicy.com/policies/syntax-policy.html".to_owned()
    });
    let message = format!("this is not valid Cedar: {}", message.unwrap_or(mistake.message));
    let Range { start, end } = span.unwrap_or(mistake.start..mistake.end);
    Finding { start, end, code: code::SYNTAX, message, help }
}

fn of_statement(text: &str, statement: &Statement) -> Vec<Finding> {
    let mut findings = traps::annotations(text, statement);
    let Some(tree) = &statement.tree else { return findings };
    let checked = validate::validate(text, statement);
    let principal = traps::principal(text, statement, tree);
    let on_principal = principal.is_some();
    findings.extend(principal);
    findings.extend(traps::ungated(text, statement));
    findings.extend(traps::question_marks(text, statement));
    // Only a server has an attribute `type`. For a statement about other resources, the validator
    // reports that the attribute is missing.
    if checked.actions.contains(&McpAction::Register) {
        findings.extend(traps::server_types(text, statement, tree));
    }
    findings.extend(explain::unguarded(&checked));
    let complaints = checked
        .complaints
        .iter()
        .filter(|complaint| !on_principal || complaint.kind != Kind::EntityType);
    let operators = operators::examine(text, statement, tree);
    // If an operand fails, the finding about its operator is more precise than the validator's.
    let told = |finding: &Finding| {
        let of =
            |operator: &Finding| operator.start <= finding.start && finding.end <= operator.end;
        matches!(finding.code, code::TYPE_MISMATCH | code::CONTAINS_ON_STRING)
            && operators.iter().any(of)
    };
    let explained = complaints.filter_map(|complaint| explain::explain(text, complaint, &checked));
    findings.extend(explained.filter(|finding| !told(finding)));
    findings.extend(operators);
    if findings.is_empty() && checked.possible.is_empty() && !checked.actions.is_empty() {
        findings.push(never(statement, tree, &checked.actions));
    }
    findings.extend(traps::approval_on_register(text, statement, &checked));
    findings.extend(traps::every_action(text, statement, tree, &checked));
    findings
}

fn never(statement: &Statement, tree: &Template, actions: &BTreeSet<McpAction>) -> Finding {
    let message = format!("this `{}` matches no request", statement.effect);
    let server = match &tree.resource {
        ResourceConstraint::Eq(EntityOrSlot::Entity(uid))
            if uid.ty.to_string() == "MCP::Server" =>
        {
            Some(uid)
        }
        ResourceConstraint::Any
        | ResourceConstraint::Eq(_)
        | ResourceConstraint::In(_)
        | ResourceConstraint::Is(_)
        | ResourceConstraint::IsIn(..) => None,
    };
    let help = match server.filter(|_| !actions.contains(&McpAction::Register)) {
        Some(uid) => format!("what a server offers is in it: write `resource in {uid}`"),
        None => explain::false_guard(tree, actions).unwrap_or_else(|| {
            "its scope and conditions exclude each other; compare the action with the type of its resource".to_owned()
        }),
    };
    Finding {
        start: statement.span.start,
        end: statement.span.end,
        code: code::NEVER_MATCHES,
        message,
        help,
    }
}
