//! Statements that the engine accepts but that do not do what they seem to.

use std::collections::BTreeSet;

use cedar_policy::pst::{
    ActionConstraint, BinaryOp, Clause, Expr, Literal, PrincipalConstraint, Template, Var,
};

use super::finding::{Finding, code};
use super::token::{Kind, Token, tokens};
use super::validate::Checked;
use super::{Effect, McpAction, Statement, UNGATED, explain};
use crate::suggestion::{did_you_mean, nearest};

/// The annotation that asks for approval.
pub const APPROVAL: &str = "requireApproval";

/// The tokens of a statement, with places in the whole text.
pub(super) fn words<'a>(text: &'a str, statement: &Statement) -> Vec<Token<'a>> {
    let start = statement.span.start;
    let mut words = tokens(text.get(statement.span.clone()).unwrap_or_default());
    for word in &mut words {
        word.span = word.span.start + start..word.span.end + start;
    }
    words
}

fn finding(
    place: &std::ops::Range<usize>,
    code: &'static str,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Finding {
    Finding { start: place.start, end: place.end, code, message: message.into(), help: help.into() }
}

/// The place of an annotation with its value.
fn annotation_place(text: &str, statement: &Statement, name: &str) -> std::ops::Range<usize> {
    let words = words(text, statement);
    let at = words.windows(2).position(|pair| pair.iter().map(|word| word.text).eq(["@", name]));
    let Some(at) = at else { return statement.span.clone() };
    let mut rest = words.iter().skip(at);
    let start = rest.next().map_or(statement.span.start, |word| word.span.start);
    let name_end = rest.next().map_or(statement.span.end, |word| word.span.end);
    match rest.next() {
        Some(open) if open.text == "(" => {
            start..rest.nth(1).map_or(open.span.end, |close| close.span.end)
        }
        Some(_) | None => start..name_end,
    }
}

/// The parts of a statement that can be parsed but that the service refuses.
pub(super) fn refused(text: &str, statement: &Statement) -> Vec<Finding> {
    let id = statement.annotations.contains_key("id").then(|| {
        let message = "a statement may not have an `@id`; the service gives it one";
        finding(
            &annotation_place(text, statement, "id"),
            code::ID,
            message,
            "remove the annotation",
        )
    });
    let template = statement.tree.is_none().then(|| {
        let message = "a statement with a slot matches nothing, for nobody fills the slot";
        let help =
            "remove `?principal` and `?resource`; whom a policy governs is said by its scope";
        finding(&statement.span, code::TEMPLATE, message, help)
    });
    id.into_iter().chain(template).collect()
}

/// Annotations that request approval without effect.
pub(super) fn annotations(text: &str, statement: &Statement) -> Vec<Finding> {
    let about = |(name, value): (&String, &String)| {
        let place = || annotation_place(text, statement, name);
        if name != APPROVAL {
            let help = format!("write `@{APPROVAL}(\"reason\")`");
            let message = format!("only `@{APPROVAL}` asks for approval; `@{name}` does nothing");
            return resembles_approval(name)
                .then(|| finding(&place(), code::APPROVAL_NAME, message, help));
        }
        if statement.effect == Effect::Forbid {
            let message =
                "`@requireApproval` does nothing on a `forbid`, which denies without asking";
            let help = "remove it, or put it on a `permit`";
            return Some(finding(&place(), code::APPROVAL_ON_FORBID, message, help));
        }
        value.trim().is_empty().then(|| {
            let help =
                "write `@requireApproval(\"reason\")`; the person who is asked sees the reason";
            finding(&place(), code::APPROVAL_REASON, "`@requireApproval` needs a reason", help)
        })
    };
    statement.annotations.iter().filter_map(about).collect()
}

/// Returns `true` if the author of this annotation probably expects an approval.
fn resembles_approval(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let asking = ["require", "need", "ask", "must"].iter().any(|word| plain.starts_with(word));
    let for_approval = ["approv", "consent", "confirm"].iter().any(|word| plain.contains(word));
    let bare = ["approval", "approve", "confirm", "confirmation", "consent", "ask"]
        .contains(&plain.as_str());
    bare || (asking && for_approval) || strsim::damerau_levenshtein(&plain, "requireapproval") <= 3
}

/// A clause on the principal, which never matches.
pub(super) fn principal(text: &str, statement: &Statement, tree: &Template) -> Option<Finding> {
    let in_scope = tree.principal != PrincipalConstraint::Any;
    let in_condition = tree.clauses().iter().any(|clause| {
        let (Clause::When(condition) | Clause::Unless(condition)) = clause;
        mentions_principal(condition)
    });
    if !in_scope && !in_condition {
        return None;
    }
    // The first occurrence is the scope's own; it is a clause if something follows it there.
    let words = words(text, statement);
    let mentions: Vec<&Token<'_>> =
        words.iter().filter(|word| word.kind == Kind::Name && word.text == "principal").collect();
    let place = mentions.get(usize::from(!in_scope)).map_or(&statement.span, |word| &word.span);
    let message = "a clause on the principal never matches";
    Some(finding(
        place,
        code::PRINCIPAL,
        message,
        "say whom the policy governs with `scope`, and remove the clause",
    ))
}

pub(super) fn mentions_principal(expr: &Expr) -> bool {
    expr.reduce(
        &|expr| matches!(expr, Expr::Var(Var::Principal)).then_some(true),
        &|a, b| a || b,
        false,
    )
}

/// Actions that the gateway never asks about.
pub(super) fn ungated(text: &str, statement: &Statement) -> Vec<Finding> {
    let words = words(text, statement);
    let about = |three: &[Token<'_>]| match three {
        [kind, _, id] if kind.text == "Action" && id.kind == Kind::Text => {
            let name = UNGATED.into_iter().find(|name| id.text.trim_matches('"') == *name)?;
            let message =
                format!("the gateway does not ask about `{name}`, so this decides nothing");
            let help = "listings show what policies deny; govern the use with `invokeTool` or `readResource`";
            Some(finding(&id.span, code::UNGATED_ACTION, message, help))
        }
        _ => None,
    };
    words.windows(3).filter_map(about).collect()
}

/// Patterns with a `?`, which is not a wildcard.
pub(super) fn question_marks(text: &str, statement: &Statement) -> Vec<Finding> {
    let words = words(text, statement);
    let about = |two: &[Token<'_>]| match two {
        [like, pattern]
            if like.text == "like" && pattern.kind == Kind::Text && pattern.text.contains('?') =>
        {
            let help = "write `*`, the only wildcard";
            Some(finding(
                &pattern.span,
                code::LIKE_QUESTION_MARK,
                "in a pattern `?` stands for a question mark",
                help,
            ))
        }
        _ => None,
    };
    words.windows(2).filter_map(about).collect()
}

/// The types of servers.
///
/// Source: Docker's MCP policy reference.
const SERVER_TYPES: [&str; 4] = ["local-stdio", "container-stdio", "remote-dcr", "remote-no-dcr"];

/// Comparisons of a server's type with an unknown type.
pub(super) fn server_types(text: &str, statement: &Statement, tree: &Template) -> Vec<Finding> {
    let compared = tree.clauses().iter().fold(BTreeSet::new(), |all, clause| {
        let (Clause::When(condition) | Clause::Unless(condition)) = clause;
        condition.reduce(
            &|expr| Some(compared_types(expr)).filter(|found| !found.is_empty()),
            &|one, other| &one | &other,
            all,
        )
    });
    let wrong = compared.into_iter().filter(|name| !SERVER_TYPES.contains(&name.as_str()));
    let words = words(text, statement);
    let about = |name: String| {
        let quoted = format!("\"{name}\"");
        let place = words
            .iter()
            .find(|word| word.text == quoted)
            .map_or(&statement.span, |word| &word.span);
        let near =
            SERVER_TYPES.iter().find(|known| name.len() > 2 && known.contains(name.as_str()));
        let near = near.copied().or_else(|| nearest(&name, SERVER_TYPES));
        let help = match near {
            Some(near) => did_you_mean(near, &SERVER_TYPES),
            None => format!("the types are `{}`", SERVER_TYPES.join("`, `")),
        };
        finding(place, code::SERVER_TYPE, format!("no server is of the type `{name}`"), help)
    };
    wrong.map(about).collect()
}

/// The texts with which an expression directly compares `resource.type`.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else compares with a text")]
fn compared_types(expr: &Expr) -> BTreeSet<String> {
    let is_type = |expr: &Expr| matches!(expr, Expr::GetAttr { expr, attr } if attr == "type" && matches!(**expr, Expr::Var(Var::Resource)));
    let text = |expr: &Expr| match expr {
        Expr::Literal(Literal::String(text)) => Some(text.to_string()),
        _ => None,
    };
    match expr {
        Expr::BinaryOp { op: BinaryOp::Eq | BinaryOp::NotEq, left, right } => {
            let other = if is_type(left) { right } else { left };
            (is_type(left) || is_type(right)).then(|| text(other)).flatten().into_iter().collect()
        }
        Expr::BinaryOp { op: BinaryOp::Contains, left, right } if is_type(right) => match &**left {
            Expr::Set(items) => items.iter().filter_map(|item| text(item)).collect(),
            _ => BTreeSet::new(),
        },
        _ => BTreeSet::new(),
    }
}

/// Approval of a registration, which cannot be requested.
pub(super) fn approval_on_register(
    text: &str,
    statement: &Statement,
    checked: &Checked,
) -> Option<Finding> {
    let asks = statement.effect == Effect::Permit && statement.annotations.contains_key(APPROVAL);
    if !asks || !checked.possible.contains(&McpAction::Register) {
        return None;
    }
    let message = "a registration cannot ask for approval: this denies it, also where another `permit` allows it";
    let help = if checked.possible.len() == 1 {
        "write a `forbid` if that is meant, else remove the annotation"
    } else {
        "name the actions that ask, such as `action == MCP::Action::\"invokeTool\"`"
    };
    Some(finding(
        &annotation_place(text, statement, APPROVAL),
        code::APPROVAL_ON_REGISTER,
        message,
        help,
    ))
}

/// A permit without an action that matches several actions.
pub(super) fn every_action(
    text: &str,
    statement: &Statement,
    tree: &Template,
    checked: &Checked,
) -> Option<Finding> {
    let several = checked.possible.len() > 1;
    if statement.effect != Effect::Permit || tree.action != ActionConstraint::Any || !several {
        return None;
    }
    let words = words(text, statement);
    let open = words.iter().position(|word| word.kind == Kind::Name && word.text == "permit")?;
    let place = words
        .iter()
        .skip(open)
        .find(|word| word.text == "action")
        .map_or(&statement.span, |word| &word.span);
    let message =
        format!("a `permit` without an action grants {}", explain::list(&checked.possible));
    let help = "name the actions: `action == MCP::Action::\"invokeTool\"`, or `action in […]`";
    Some(finding(place, code::EVERY_ACTION, message, help))
}
