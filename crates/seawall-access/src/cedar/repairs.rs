//! The words for faults of operators: what is wrong, and what to write instead.

use std::ops::Range;

use cedar_policy::pst::{Expr, Literal, Var};

use super::Statement;
use super::arguments::path;
use super::fault::{Fault, Operator, Side, texts};
use super::finding::{Finding, code};
use super::kinds::Kinds;
use super::token::is_identifier;
use super::validate;

const SKIPPED: &str = "the statement is skipped";

/// The finding about an operator between these two texts.
pub(super) fn finding(
    statement: &Statement,
    operator: &Operator<'_>,
    fault: &Fault,
    (left, right): (&str, &str),
    span: &Range<usize>,
) -> Finding {
    let (message, help) = match fault {
        Fault::Left(found) => outside(operator, *found, (left, right)),
        Fault::Right(found) => inside(operator, *found, left),
        Fault::NoText(found) => (
            format!("`{left}` is {}, and `like` takes text: {SKIPPED}", found.name()),
            match *found {
                Kinds::NUMBER => "compare numbers with `==`, `<` and `>`".to_owned(),
                Kinds::ENTITY => format!("write `{left}.name like \"…\"`"),
                Kinds::SET => format!("write `{left}.contains(\"…\")`"),
                Kinds::RECORD => one_argument(operator.left, left, "like \"…\""),
                _ => format!("compare `{left}` with `==`"),
            },
        ),
        Fault::Both(here, elsewhere) => {
            let own = [Some((operator.left, left)), operator.right.map(|expr| (expr, right))];
            let mut own = own
                .into_iter()
                .flatten()
                .filter(|(expr, _)| path(expr).is_some_and(|path| path.len() > 1));
            let subject = own.next().map_or(left, |(_, text)| text);
            (
                format!(
                    "`{subject}` is taken for {} here and for {} elsewhere: one of the two errs or never holds",
                    here.name(),
                    elsewhere.name()
                ),
                "compare it as one of the two; write a statement for each where it can be either"
                    .to_owned(),
            )
        }
        Fault::NeverIn(items, sought) => (
            format!(
                "the set holds {} alone, and {} is never among them",
                items.plural(),
                sought.name()
            ),
            match (*items, *sought) {
                (Kinds::TEXT, Kinds::ENTITY) => {
                    "look for its name: `.contains(resource.name)`".to_owned()
                }
                (Kinds::TEXT, Kinds::NUMBER) => format!("write `{left}.contains(\"{right}\")`"),
                _ => "compare values of one type".to_owned(),
            },
        ),
        Fault::NeverEqual(own, other) => {
            let outcome = if operator.word == "==" { "never" } else { "always" };
            (
                format!(
                    "`{left}` is {} and `{right}` is {}: the comparison {outcome} holds",
                    own.name(),
                    other.name()
                ),
                equality(statement, operator, (*own, *other), (left, right)),
            )
        }
        Fault::NoOrder(own, other) => (
            format!(
                "`{}` has no order for `{left}`, which is {}, and `{right}`, which is {}: {SKIPPED}",
                operator.word,
                own.name(),
                other.name()
            ),
            order(operator, (*own, *other), (left, right)),
        ),
        Fault::Needs { side, needed, found } => {
            needed_kind(operator, (*side, *needed, *found), (left, right))
        }
    };
    let on_text =
        matches!(fault, Fault::Needs { needed: Kinds::SET, found: Kinds::TEXT, side: Side::Left });
    let code = if on_text && operator.word != "isEmpty" {
        code::CONTAINS_ON_STRING
    } else {
        code::TYPE_MISMATCH
    };
    Finding { start: span.start, end: span.end, code, message, help }
}

/// The words for what is looked for by `in` and is not an entity.
fn outside(operator: &Operator<'_>, found: Kinds, (left, right): (&str, &str)) -> (String, String) {
    let texts = operator.right.map(texts).unwrap_or_default();
    let help = match (texts.is_empty(), operator.in_list) {
        (false, _) if found == Kinds::SET => {
            format!("write `{left}.containsAny([{}])`", quoted(&texts))
        }
        (false, _) => format!("write `[{}].contains({left})`", quoted(&texts)),
        (true, true) => format!("write `{right}.contains({left})`"),
        (true, false) => format!("write `[\"…\", \"…\"].contains({left})`"),
    };
    (format!("`{left}` is {}, and `in` is about entities: {SKIPPED}", found.name()), help)
}

/// The words for what `in` looks into and is not of entities.
#[expect(clippy::wildcard_enum_match_arm, reason = "all else is a resource")]
fn inside(operator: &Operator<'_>, found: Kinds, left: &str) -> (String, String) {
    let texts = operator.right.map(texts).unwrap_or_default();
    let among_texts = format!(
        "`{left}` is an entity and is looked for among texts, which `in` cannot do: {SKIPPED}"
    );
    match operator.left {
        Expr::Var(Var::Principal) => (
            among_texts,
            "say whom the policy governs with `scope`, and remove the condition".to_owned(),
        ),
        _ if texts.is_empty() => (
            format!("`in` looks among entities, not in {}: {SKIPPED}", found.name()),
            "name entities on the right, such as `MCP::Server::\"name\"`".to_owned(),
        ),
        Expr::Var(Var::Action) => {
            (among_texts, format!("write `{left} in {}`", entities("Action", &texts)))
        }
        _ => {
            let (servers, list) = (entities("Server", &texts), quoted(&texts));
            let help = format!(
                "write `{left} in {servers}`, or `[{list}].contains({left}.name)` for names of tools"
            );
            (among_texts, help)
        }
    }
}

fn quoted(texts: &[&str]) -> String {
    texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ")
}

fn entities(kind: &str, texts: &[&str]) -> String {
    if texts.len() == 1 { each(kind, texts) } else { format!("[{}]", each(kind, texts)) }
}

/// The advice for two sides that are never equal.
#[expect(clippy::wildcard_enum_match_arm, reason = "all else is not written out")]
fn equality(
    statement: &Statement,
    operator: &Operator<'_>,
    (own, other): (Kinds, Kinds),
    (left, right): (&str, &str),
) -> String {
    let is_written = |expr: &Expr| matches!(expr, Expr::Literal(_) | Expr::Set(_));
    let sides = [(Some(operator.left), own, left), (operator.right, other, right)];
    let [subject, value] = match sides {
        [own, other] if own.0.is_some_and(is_written) && !other.0.is_some_and(is_written) => {
            [other, own]
        }
        sides => sides,
    };
    let ((Some(expr), kind, left), (Some(written), value, right)) = (subject, value) else {
        return "compare values of one type".to_owned();
    };
    let (by, not) = if operator.word == "==" { ("==", "") } else { ("!=", "!") };
    match (kind, value, texts(written).as_slice()) {
        (Kinds::ENTITY, _, [_, ..]) if matches!(expr, Expr::Var(Var::Action | Var::Resource)) => {
            let texts = texts(written);
            let write = |kind: &str| match texts.as_slice() {
                [one] if value == Kinds::TEXT => format!("{left} {by} MCP::{kind}::\"{one}\""),
                all if not.is_empty() => format!("{left} in [{}]", each(kind, all)),
                all => format!("!({left} in [{}])", each(kind, all)),
            };
            if matches!(expr, Expr::Var(Var::Action)) {
                return format!("write `{}`", write("Action"));
            }
            match resource_types(statement).as_slice() {
                [one] => format!("write `{}`", write(one)),
                _ => format!("write `{}`, with the type that is meant", write("Tool")),
            }
        }
        (Kinds::TEXT, Kinds::ENTITY, _) => match written {
            Expr::Literal(Literal::EntityUID(uid)) => {
                format!("write `{left} {by} \"{}\"`", uid.eid)
            }
            _ => format!("write `{left} {by} \"…\"`"),
        },
        (Kinds::TRUTH, _, _) => {
            let truth = match right.trim_matches('"').to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" => Some(true),
                "false" | "0" | "no" => Some(false),
                _ => None,
            };
            match truth.map(|truth| truth == (by == "==")) {
                Some(true) => format!("write `{left}`"),
                Some(false) => format!("write `!{left}`"),
                None => format!("write `{left}` or `!{left}`"),
            }
        }
        (Kinds::TEXT, Kinds::NUMBER | Kinds::TRUE | Kinds::FALSE, _) => {
            format!("write `{left} {by} \"{right}\"`")
        }
        (Kinds::NUMBER, Kinds::TEXT, [text]) if text.parse::<i64>().is_ok() => {
            format!("write `{left} {by} {text}`")
        }
        (Kinds::TEXT, Kinds::SET, _) => format!("write `{not}{right}.contains({left})`"),
        (Kinds::SET, Kinds::TEXT, _) => format!("write `{not}{left}.contains({right})`"),
        (Kinds::RECORD, _, _) => one_argument(expr, left, &format!("{by} {right}")),
        (Kinds::TIME, Kinds::TEXT, _) => format!("write `{left} {by} datetime({right})`"),
        _ if value == Kinds::ENTITY && path(expr).is_some() => match written {
            Expr::Literal(Literal::EntityUID(uid)) => {
                format!("write `{left} {by} \"{}\"`", uid.eid)
            }
            _ => format!("write `{left} {by} \"…\"`"),
        },
        _ => "compare values of one type".to_owned(),
    }
}

fn each(kind: &str, texts: &[&str]) -> String {
    texts.iter().map(|text| format!("MCP::{kind}::\"{text}\"")).collect::<Vec<_>>().join(", ")
}

/// The types that the resource of a statement can be of.
fn resource_types(statement: &Statement) -> Vec<&'static str> {
    let actions = statement
        .tree
        .as_ref()
        .map(|tree| validate::actions_in_scope(&tree.action))
        .unwrap_or_default();
    actions.into_iter().map(super::McpAction::resource_type).collect()
}

/// The advice to name one argument of all.
fn one_argument(expr: &Expr, text: &str, comparison: &str) -> String {
    match path(expr).as_deref() {
        Some(["args"]) => format!("name the argument: `{text}.NAME {comparison}`"),
        Some([]) => format!("name what is compared: `{text}.args.NAME {comparison}`"),
        _ => format!("name the field: `{text}.NAME {comparison}`"),
    }
}

/// The advice for two sides that have no order.
fn order(
    operator: &Operator<'_>,
    (own, other): (Kinds, Kinds),
    (left, right): (&str, &str),
) -> String {
    let by = operator.word;
    let is_number = |text: &str| text.trim_matches('"').parse::<i64>().is_ok();
    let is_date = |text: &str| {
        text.trim_matches('"').starts_with(|c: char| c.is_ascii_digit()) && text.contains('-')
    };
    match (own, other) {
        (own, Kinds::TEXT) if own.meets(Kinds::TIME) && is_date(right) => {
            format!("write `{left} {by} datetime({right})`")
        }
        (Kinds::TEXT, other) if other.meets(Kinds::TIME) && is_date(left) => {
            format!("write `datetime({left}) {by} {right}`")
        }
        (own, Kinds::TEXT) if own.meets(Kinds::NUMBER) && is_number(right) => {
            format!("write `{left} {by} {}`", right.trim_matches('"'))
        }
        (Kinds::TEXT, other) if other.meets(Kinds::NUMBER) && is_number(left) => {
            format!("write `{} {by} {right}`", left.trim_matches('"'))
        }
        (Kinds::DECIMAL, _) | (_, Kinds::DECIMAL) => {
            let method = match by {
                "<" => "lessThan",
                "<=" => "lessThanOrEqual",
                ">" => "greaterThan",
                _ => "greaterThanOrEqual",
            };
            let decimal = |kind: Kinds, text: &str| match kind {
                Kinds::NUMBER => format!("decimal(\"{text}.0\")"),
                _ => text.to_owned(),
            };
            format!("write `{}.{method}({})`", decimal(own, left), decimal(other, right))
        }
        (Kinds::TRUTH, _) => format!("write `{left}` or `!{left}`"),
        (_, Kinds::TRUTH) => format!("write `{right}` or `!{right}`"),
        (Kinds::RECORD, _) => one_argument(operator.left, left, &format!("{by} {right}")),
        (Kinds::TEXT, _) | (_, Kinds::TEXT) => {
            "text has no order: compare it with `==` or `like`".to_owned()
        }
        _ => "compare two numbers, two times or two durations".to_owned(),
    }
}

/// The words for an operand of a kind that the operator does not take.
fn needed_kind(
    operator: &Operator<'_>,
    (side, needed, found): (Side, Kinds, Kinds),
    (left, right): (&str, &str),
) -> (String, String) {
    let (expr, text) = match side {
        Side::Right => (operator.right.unwrap_or(operator.left), right),
        Side::Left => (operator.left, left),
    };
    let text = text.trim_start_matches('{').trim_end_matches('}').trim();
    let what = match operator.word {
        "when" | "unless" | "if" | "&&" | "||" | "!" => "a condition is true or false".to_owned(),
        "has" => "only records and entities have attributes".to_owned(),
        "is" | "hasTag" => "only entities have a type".to_owned(),
        "+" | "*" => format!("`{}` takes numbers", operator.word),
        "isEmpty" => "`.isEmpty()` looks into sets".to_owned(),
        _ if side == Side::Right => format!("`.{}()` takes a set", operator.word),
        _ => "`.contains()` looks into sets".to_owned(),
    };
    let help = match (needed, found) {
        (Kinds::TRUTH, Kinds::TEXT) => format!("compare it: `{text} == \"…\"`"),
        (Kinds::TRUTH, Kinds::NUMBER) => format!("compare it: `{text} > 0`"),
        (Kinds::TRUTH, Kinds::SET) => {
            format!("write `!{text}.isEmpty()`, or `{text}.contains(\"…\")`")
        }
        (Kinds::TRUTH, Kinds::ENTITY) => format!("compare it: `{text} == MCP::Tool::\"…\"`"),
        (Kinds::TRUTH, Kinds::RECORD) => match path(expr).as_deref() {
            Some(["args"]) => "write `context has args`, or name the argument".to_owned(),
            _ => format!("name the field: `{text}.NAME`"),
        },
        (Kinds::SET, _) if side == Side::Right => format!("write `{left}.contains({text})`"),
        (Kinds::SET, Kinds::TEXT) if operator.word == "isEmpty" => {
            format!("write `{text} == \"\"`")
        }
        (Kinds::SET, Kinds::TEXT) => format!("write `{text} like \"*…*\"`"),
        (Kinds::SET, Kinds::ENTITY) => {
            format!("write `{text} == MCP::Tool::\"…\"`, or `{text} in MCP::Server::\"…\"`")
        }
        (Kinds::SET, Kinds::RECORD) => {
            match operator.right.map(texts).unwrap_or_default().as_slice() {
                [name] if is_identifier(name) => format!("write `{text} has {name}`"),
                _ => format!("write `{text} has NAME`"),
            }
        }
        (Kinds::ENTITY, _) if path(expr).is_some() => "compare it with text: `== \"…\"`".to_owned(),
        (Kinds::NUMBER, _) => "use numbers on both sides".to_owned(),
        _ => format!("compare `{text}` as a whole with `==`"),
    };
    (format!("`{text}` is {}, and {what}: {SKIPPED}", found.name()), help)
}
