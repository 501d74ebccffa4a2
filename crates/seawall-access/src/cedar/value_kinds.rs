//! Operators that fail on their operands, so that the engine skips the statement.
//!
//! The validator knows the vendor's types, but nothing about the arguments of a call. Still, arguments are JSON values,
//! among which there are no entities. A statement whose `in` or `like` gets an operand that it cannot take never has an
//! effect: a `permit` grants nothing, a `forbid` stops nothing.
//!
//! Invariant: a finding holds whatever the types of arguments are.

use std::collections::BTreeMap;
use std::ops::Range;

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Template, UnaryOp, Var};

use super::arguments::path;
use super::finding::{Finding, code};
use super::schema::{self, AttributeType};
use super::token::{Kind, Token};
use super::{McpAction, Statement, traps};

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ValueKind {
    Entity,
    Text,
    Number,
    Truth,
    Set,
    Record,
    /// A JSON value.
    Argument,
    /// An unknown value.
    Open,
}

impl ValueKind {
    fn name(self) -> &'static str {
        match self {
            Self::Entity => "an entity",
            Self::Text => "text",
            Self::Number => "a number",
            Self::Truth => "true or false",
            Self::Set => "a set",
            Self::Record => "a record",
            Self::Argument => "an argument",
            Self::Open => "a value",
        }
    }

    fn is_entity(self) -> bool {
        matches!(self, Self::Entity | Self::Open)
    }
}

/// A fault in the use of an operator.
enum Fault {
    /// The left operand of `in` is not an entity.
    Left(ValueKind),
    /// The right operand of `in` does not consist of entities.
    Right(ValueKind),
    /// The operand of `like` is not text.
    NoText(ValueKind),
    /// The operand of `like` is an argument that is also used as another type.
    Both(ValueKind),
    /// No item of the set has the type of the value that is searched.
    NeverIn(ValueKind, ValueKind),
}

/// An operator that is a word in the text.
struct Operator<'a> {
    word: &'static str,
    left: &'a Expr,
    /// The items of the right operand that are texts.
    texts: Vec<&'a str>,
    /// True if the right operand may contain texts but is not written as a list.
    in_list: bool,
    fault: Option<Fault>,
}

/// The findings about operators, each with the place of the operator and its operands.
pub(super) fn examine(text: &str, statement: &Statement, tree: &Template) -> Vec<Finding> {
    let conditions = || {
        tree.clauses().iter().map(|clause| {
            let (Clause::When(condition) | Clause::Unless(condition)) = clause;
            condition
        })
    };
    let mut taken = BTreeMap::new();
    conditions().for_each(|condition| note(condition, &mut taken));
    let mut operators = Vec::new();
    conditions().for_each(|condition| walk(condition, &taken, &mut operators));
    if operators.iter().all(|operator| operator.fault.is_none()) {
        return Vec::new();
    }
    let words = traps::words(text, statement);
    let from = words.iter().position(|word| matches!(word.text, "when" | "unless")).unwrap_or(words.len());
    let places = |wanted: &str| -> Vec<usize> {
        let is_operator = |at: &usize| {
            words.get(*at).is_some_and(|word| word.kind == Kind::Name && word.text == wanted)
                // A name after a dot is an attribute, except for the method.
                && (wanted == "contains") == at.checked_sub(1).and_then(|at| words.get(at)).is_some_and(|word| word.text == ".")
        };
        (from..words.len()).filter(is_operator).collect()
    };
    let mut of_word: BTreeMap<&str, (Vec<usize>, usize)> = BTreeMap::new();
    let mut findings = Vec::new();
    for operator in operators {
        let (places, next) = of_word.entry(operator.word).or_insert_with(|| (places(operator.word), 0));
        let at = places.get(*next).copied();
        *next += 1;
        if let Some(fault) = &operator.fault {
            let span = at.map_or_else(|| statement.span.clone(), |at| operands(&words, at));
            let left = at.and_then(|at| {
                let end = words.get(at)?.span.start;
                Some(text.get(span.start..end)?.trim().trim_end_matches('.').to_owned())
            });
            let right = at.and_then(|at| text.get(words.get(at)?.span.end..span.end));
            let sides = (left.as_deref().unwrap_or_default(), right.unwrap_or_default().trim());
            findings.push(finding(&operator, fault, sides, &span));
        }
    }
    findings
}

fn finding(operator: &Operator<'_>, fault: &Fault, (left, right): (&str, &str), span: &Range<usize>) -> Finding {
    let list = operator.texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ");
    let skipped = "the statement is skipped";
    let (message, help) = match fault {
        Fault::Left(sort) | Fault::Right(sort) if !list.is_empty() && !is_entity(operator.left) => {
            let what = if matches!(fault, Fault::Left(_)) { sort.name() } else { "text" };
            (
                format!("`{left}` is {what}, and `in` is about entities: {skipped}"),
                format!("write `[{list}].contains({left})`"),
            )
        }
        Fault::Left(sort) => (
            format!("`{left}` is {}, and `in` is about entities: {skipped}", sort.name()),
            match operator.in_list {
                true => format!("write `{right}.contains({left})`"),
                false => format!("write `[\"…\", \"…\"].contains({left})`"),
            },
        ),
        Fault::Right(_) if matches!(operator.left, Expr::Var(Var::Principal)) => (
            format!("`{left}` is an entity and is looked for among texts, which `in` cannot do: {skipped}"),
            "say whom the policy governs with `scope`, and remove the condition".to_owned(),
        ),
        Fault::Right(_) if !list.is_empty() => {
            let is_action = matches!(operator.left, Expr::Var(Var::Action));
            let kind = if is_action { "Action" } else { "Server" };
            let entities = operator.texts.iter().map(|text| format!("MCP::{kind}::\"{text}\"")).collect::<Vec<_>>();
            let entities = match entities.as_slice() {
                [one] => one.clone(),
                several => format!("[{}]", several.join(", ")),
            };
            let or = if is_action {
                String::new()
            } else {
                format!(", or `[{list}].contains({left}.name)` for names of tools")
            };
            (
                format!("`{left}` is an entity and is looked for among texts, which `in` cannot do: {skipped}"),
                format!("write `{left} in {entities}`{or}"),
            )
        }
        Fault::Right(sort) => (
            format!("`in` looks among entities, not in {}: {skipped}", sort.name()),
            "name entities on the right, such as `MCP::Server::\"name\"`".to_owned(),
        ),
        Fault::NoText(sort) => (
            format!("`{left}` is {}, and `like` takes text: {skipped}", sort.name()),
            match sort {
                ValueKind::Number => "compare numbers with `==`, `<` and `>`".to_owned(),
                ValueKind::Entity => format!("write `{left}.name like \"…\"`"),
                ValueKind::Set => format!("write `{left}.contains(\"…\")`"),
                ValueKind::Text | ValueKind::Truth | ValueKind::Record | ValueKind::Argument | ValueKind::Open => {
                    format!("compare `{left}` with `==`")
                }
            },
        ),
        Fault::Both(sort) => (
            format!(
                "`{left}` is taken for {} and, by `like`, for text: one of the two errs, and {skipped}",
                sort.name()
            ),
            "compare it as one of the two; write a statement for each where it can be either".to_owned(),
        ),
        Fault::NeverIn(item, sought) => (
            format!("the set holds {} alone, and `{}` is never among them", item.plural(), sought.name()),
            match (item, sought) {
                (ValueKind::Text, ValueKind::Entity) => "look for its name: `.contains(resource.name)`".to_owned(),
                _ => "compare values of one type".to_owned(),
            },
        ),
    };
    Finding { start: span.start, end: span.end, code: code::TYPE_MISMATCH, message, help }
}

impl ValueKind {
    fn plural(self) -> &'static str {
        match self {
            Self::Entity => "entities",
            Self::Text => "texts",
            Self::Number => "numbers",
            Self::Truth => "truth values",
            Self::Set => "sets",
            Self::Record => "records",
            Self::Argument | Self::Open => "values",
        }
    }
}

fn is_entity(expr: &Expr) -> bool {
    sort(expr).is_entity()
}

/// The operators in the order of the text.
#[expect(clippy::wildcard_enum_match_arm, reason = "what has no parts has no operators")]
fn walk<'a>(expr: &'a Expr, taken: &BTreeMap<Vec<&'a str>, ValueKind>, all: &mut Vec<Operator<'a>>) {
    match expr {
        Expr::UnaryOp { expr, .. } | Expr::GetAttr { expr, .. } | Expr::HasAttr { expr, .. } => walk(expr, taken, all),
        Expr::BinaryOp { op, left, right } => {
            walk(left, taken, all);
            match op {
                BinaryOp::In => all.push(membership(left, right)),
                BinaryOp::Contains => all.push(containment(left, right)),
                _ => {}
            }
            walk(right, taken, all);
        }
        Expr::Like { expr, .. } => {
            walk(expr, taken, all);
            let sort = sort(expr);
            let fault = match sort {
                ValueKind::Text | ValueKind::Open => None,
                ValueKind::Argument => path(expr).and_then(|path| taken.get(&path).copied()).map(Fault::Both),
                ValueKind::Entity | ValueKind::Number | ValueKind::Truth | ValueKind::Set | ValueKind::Record => {
                    Some(Fault::NoText(sort))
                }
            };
            all.push(Operator { word: "like", left: expr, texts: Vec::new(), in_list: false, fault });
        }
        Expr::Is { expr, in_expr, .. } => {
            walk(expr, taken, all);
            if let Some(parent) = in_expr {
                all.push(membership(expr, parent));
                walk(parent, taken, all);
            }
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            [cond, then_expr, else_expr].into_iter().for_each(|part| walk(part, taken, all));
        }
        Expr::Set(items) => items.iter().for_each(|item| walk(item, taken, all)),
        Expr::Record(fields) => fields.values().for_each(|field| walk(field, taken, all)),
        _ => {}
    }
}

fn membership<'a>(left: &'a Expr, right: &'a Expr) -> Operator<'a> {
    let wrong = if let Expr::Set(items) = right {
        items.iter().map(|item| sort(item)).find(|sort| !sort.is_entity())
    } else {
        Some(sort(right)).filter(|sort| !sort.is_entity())
    };
    let own = sort(left);
    let fault = match wrong {
        _ if !own.is_entity() => Some(Fault::Left(own)),
        wrong => wrong.map(Fault::Right),
    };
    let in_list = matches!(sort(right), ValueKind::Argument | ValueKind::Set) && !matches!(right, Expr::Set(_));
    Operator { word: "in", left, texts: texts(right), in_list, fault }
}

fn containment<'a>(left: &'a Expr, right: &'a Expr) -> Operator<'a> {
    let fault = match (left, sort(right)) {
        (_, ValueKind::Argument | ValueKind::Open) => None,
        (Expr::Set(items), sought) => {
            let mut value_kinds = items.iter().map(|item| sort(item));
            let first = value_kinds.next();
            let open = |sort: ValueKind| matches!(sort, ValueKind::Argument | ValueKind::Open) || sort == sought;
            first.filter(|first| !open(*first) && !value_kinds.any(open)).map(|first| Fault::NeverIn(first, sought))
        }
        _ => None,
    };
    Operator { word: "contains", left, texts: Vec::new(), in_list: false, fault }
}

/// The texts that an expression lists.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else lists texts")]
fn texts(expr: &Expr) -> Vec<&str> {
    match expr {
        Expr::Literal(Literal::String(text)) => vec![text.as_str()],
        Expr::Set(items) => items
            .iter()
            .filter_map(|item| match &**item {
                Expr::Literal(Literal::String(text)) => Some(text.as_str()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Records the types that arguments must have because of operators that fail on others.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest takes whatever there is")]
fn note<'a>(expr: &'a Expr, taken: &mut BTreeMap<Vec<&'a str>, ValueKind>) {
    let mut take = |expr: &'a Expr, sort: ValueKind| {
        if let Some(path) = path(expr).filter(|path| path.first() == Some(&"args")) {
            taken.entry(path).or_insert(sort);
        }
    };
    match expr {
        Expr::UnaryOp { op: UnaryOp::Neg, expr } => take(expr, ValueKind::Number),
        Expr::UnaryOp { op: UnaryOp::Not, expr } => take(expr, ValueKind::Truth),
        Expr::BinaryOp { op, left, right } => match op {
            BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq => {
                for (one, other) in [(left, right), (right, left)] {
                    if sort(other) == ValueKind::Number {
                        take(one, ValueKind::Number);
                    }
                }
            }
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul => {
                [left, right].into_iter().for_each(|one| take(one, ValueKind::Number))
            }
            BinaryOp::And | BinaryOp::Or => [left, right].into_iter().for_each(|one| take(one, ValueKind::Truth)),
            BinaryOp::Contains | BinaryOp::ContainsAll | BinaryOp::ContainsAny => take(left, ValueKind::Set),
            _ => {}
        },
        _ => {}
    }
    match expr {
        Expr::UnaryOp { expr, .. } | Expr::GetAttr { expr, .. } | Expr::Like { expr, .. } => note(expr, taken),
        Expr::BinaryOp { left, right, .. } => [left, right].into_iter().for_each(|part| note(part, taken)),
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            [cond, then_expr, else_expr].into_iter().for_each(|part| note(part, taken));
        }
        Expr::Set(items) => items.iter().for_each(|item| note(item, taken)),
        _ => {}
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of the rest nothing is known")]
fn sort(expr: &Expr) -> ValueKind {
    match expr {
        Expr::Literal(Literal::Bool(_)) | Expr::HasAttr { .. } | Expr::Like { .. } | Expr::Is { .. } => {
            ValueKind::Truth
        }
        Expr::Literal(Literal::Long(_)) => ValueKind::Number,
        Expr::Literal(Literal::String(_)) => ValueKind::Text,
        Expr::Literal(Literal::EntityUID(_)) | Expr::Var(Var::Principal | Var::Action | Var::Resource) => {
            ValueKind::Entity
        }
        Expr::Var(Var::Context) | Expr::Record(_) => ValueKind::Record,
        Expr::Set(_) => ValueKind::Set,
        Expr::UnaryOp { op: UnaryOp::Neg, .. } => ValueKind::Number,
        Expr::UnaryOp { op: UnaryOp::Not | UnaryOp::IsEmpty, .. } => ValueKind::Truth,
        Expr::BinaryOp { op, .. } => match op {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul => ValueKind::Number,
            BinaryOp::Offset | BinaryOp::DurationSince | BinaryOp::GetTag => ValueKind::Open,
            _ => ValueKind::Truth,
        },
        Expr::GetAttr { expr: inner, attr } if matches!(**inner, Expr::Var(Var::Resource)) => attribute(attr),
        Expr::GetAttr { .. } => match path(expr).as_deref() {
            Some(["args"]) => ValueKind::Record,
            Some(["args", ..]) => ValueKind::Argument,
            _ => ValueKind::Open,
        },
        _ => ValueKind::Open,
    }
}

/// The kind of an attribute of a resource.
fn attribute(name: &str) -> ValueKind {
    let kind = McpAction::ALL
        .into_iter()
        .find_map(|action| schema::attributes(action.resource_type()).find(|(own, _)| *own == name));
    match kind {
        Some((_, AttributeType::Bool)) => ValueKind::Truth,
        Some((_, AttributeType::String)) => ValueKind::Text,
        Some((_, AttributeType::SetOfStrings)) => ValueKind::Set,
        None => ValueKind::Open,
    }
}

/// The range of an operator with its operands, in bytes.
fn operands(words: &[Token<'_>], at: usize) -> Range<usize> {
    let ends = |word: &str| {
        matches!(
            word,
            "&&" | "||"
                | "!"
                | ","
                | ";"
                | "=="
                | "!="
                | "<"
                | ">"
                | "<="
                | ">="
                | "if"
                | "then"
                | "else"
                | "when"
                | "unless"
        )
    };
    let side = |indices: &mut dyn Iterator<Item = usize>, open: [&str; 3], close: [&str; 3]| {
        let mut depth = 0_usize;
        let mut last = at;
        for index in indices {
            let Some(word) = words.get(index) else { break };
            if open.contains(&word.text) {
                depth += 1;
            } else if close.contains(&word.text) {
                let Some(less) = depth.checked_sub(1) else { break };
                depth = less;
            } else if depth == 0 && ends(word.text) {
                break;
            }
            last = index;
        }
        last
    };
    let first = side(&mut (0..at).rev(), [")", "]", "}"], ["(", "[", "{"]);
    let last = side(&mut (at + 1..words.len()), ["(", "[", "{"], [")", "]", "}"]);
    let start = words.get(first).map_or(0, |word| word.span.start);
    start..words.get(last).map_or(start, |word| word.span.end)
}

#[cfg(test)]
mod tests {
    use super::super::examine;
    use super::code;

    /// The place and the help of each finding about types.
    fn found(condition: &str) -> Vec<(String, String)> {
        let text =
            format!(r#"forbid (principal, action == MCP::Action::"invokeTool", resource) when {{ {condition} }};"#);
        let findings = examine(&text).into_iter().filter(|one| one.code == code::TYPE_MISMATCH);
        findings.map(|one| (text[one.start..one.end].to_owned(), one.help)).collect()
    }

    #[test]
    fn operators_that_err_are_found_where_they_are() {
        let guard = "context has args && context.args has x && ";
        for (condition, place, help) in [
            (
                r#"context.args.x in ["rm", "sudo"]"#,
                r#"context.args.x in ["rm", "sudo"]"#,
                r#"write `["rm", "sudo"].contains(context.args.x)`"#,
            ),
            (r#"context.args.x in "rm""#, r#"context.args.x in "rm""#, r#"write `["rm"].contains(context.args.x)`"#),
            (
                r#"resource.readOnly || context.args.x in [MCP::Tool::"rm"]"#,
                r#"context.args.x in [MCP::Tool::"rm"]"#,
                r#"write `["…", "…"].contains(context.args.x)`"#,
            ),
            (r#""a" in context.args.s"#, r#""a" in context.args.s"#, r#"write `context.args.s.contains("a")`"#),
            (
                r#"principal in ["a"]"#,
                r#"principal in ["a"]"#,
                "say whom the policy governs with `scope`, and remove the condition",
            ),
            (r#"resource.name in ["rm"]"#, r#"resource.name in ["rm"]"#, r#"write `["rm"].contains(resource.name)`"#),
            (
                r#"resource in ["github"]"#,
                r#"resource in ["github"]"#,
                r#"write `resource in MCP::Server::"github"`, or `["github"].contains(resource.name)` for names of tools"#,
            ),
            (
                r#"!(resource in "github")"#,
                r#"resource in "github""#,
                r#"write `resource in MCP::Server::"github"`, or `["github"].contains(resource.name)` for names of tools"#,
            ),
            (
                r#"resource is MCP::Tool && action in ["invokeTool", "register"]"#,
                r#"action in ["invokeTool", "register"]"#,
                r#"write `action in [MCP::Action::"invokeTool", MCP::Action::"register"]`"#,
            ),
            (
                "resource in context.args.x",
                "resource in context.args.x",
                "name entities on the right, such as `MCP::Server::\"name\"`",
            ),
            (
                r#"context.args.x > 5 && context.args.x like "a*""#,
                r#"context.args.x like "a*""#,
                "compare it as one of the two; write a statement for each where it can be either",
            ),
            (
                r#"(context.args.x + 1) like "a*""#,
                r#"(context.args.x + 1) like "a*""#,
                "compare numbers with `==`, `<` and `>`",
            ),
            (
                r#"["Bash"].contains(resource)"#,
                r#"["Bash"].contains(resource)"#,
                "look for its name: `.contains(resource.name)`",
            ),
            (r#"[1, 2].contains(resource.name)"#, r#"[1, 2].contains(resource.name)"#, "compare values of one type"),
        ] {
            let found = found(&format!("{guard}({condition})"));
            assert_eq!(found, [(place.to_owned(), help.to_owned())], "{condition}");
        }
    }

    #[test]
    fn what_may_hold_is_left_alone() {
        for condition in [
            r#"resource in MCP::Server::"a""#,
            r#"resource in [MCP::Server::"a", MCP::Server::"b"]"#,
            r#"resource is MCP::Tool in MCP::Server::"a""#,
            r#"context has args.x && ["rm"].contains(context.args.x)"#,
            r#"context has args.x && context.args.x like "a*" && context.args.x != "ab""#,
            r#"context has args.x && context.args.x == 5"#,
            r#"["a", "b"].contains(resource.name)"#,
            r#"context has args.x && context.args.x.contains("a")"#,
        ] {
            assert_eq!(found(condition), [], "{condition}");
        }
    }
}
