//! Implications between requirements, according to their form.
//!
//! Invariant: a positive answer holds for every request for which the given requirement evaluates
//! to true. The values that it reads then exist and have the types that they are compared with, so
//! that the other requirement does not fail.

use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, EntityUID, Expr, Literal, PatternElem, UnaryOp, Var};

/// Returns `true` if `required` holds whenever `given` does.
pub(super) fn implies(given: &Expr, required: &Expr) -> bool {
    if given == required {
        return true;
    }
    if let (Some((one, inner)), Some((other, outer))) = (interval(given), interval(required)) {
        return one == other && outer.0 <= inner.0 && inner.1 <= outer.1;
    }
    if let Some(uid) = compared(given, BinaryOp::Eq) {
        let same_type = matches!(required, Expr::Is { expr, entity_type, in_expr: None } if is_resource(expr) && *entity_type == uid.ty);
        return same_type || compared(required, BinaryOp::In) == Some(uid);
    }
    let Some((subject, values)) = one_of(given) else { return false };
    match (required, one_of(required)) {
        (_, Some((other, allowed))) => {
            subject == other && values.iter().all(|value| allowed.contains(value))
        }
        (Expr::Like { expr, pattern }, None) => {
            let like =
                |value: &&Literal| matches!(value, Literal::String(text) if matches(pattern, text));
            **expr == *subject && values.iter().all(like)
        }
        _ => false,
    }
}

/// Returns `true` if a requirement may imply a different one.
pub(super) fn implies_others(given: &Expr) -> bool {
    interval(given).is_some() || compared(given, BinaryOp::Eq).is_some() || one_of(given).is_some()
}

/// Returns `true` if two requirements cannot both hold.
pub(super) fn contradict(one: &Expr, other: &Expr) -> bool {
    let ((one, one_holds), (other, other_holds)) = (atom(one), atom(other));
    if one == other {
        return one_holds != other_holds;
    }
    if !(one_holds && other_holds) {
        return false;
    }
    if let (Some((one, first)), Some((other, second))) = (interval(one), interval(other)) {
        return one == other && (first.1 < second.0 || second.1 < first.0);
    }
    if let (Some((one, first)), Some((other, second))) = (one_of(one), one_of(other)) {
        return one == other && !first.iter().any(|value| second.contains(value));
    }
    if let (Expr::Like { expr: one, pattern: first }, Expr::Like { expr: other, pattern: second }) =
        (one, other)
    {
        return one == other
            && (ends_differ(first.iter(), second.iter())
                || ends_differ(first.iter().rev(), second.iter().rev()));
    }
    for (one, other) in [(one, other), (other, one)] {
        if let (Some((subject, values)), Expr::Like { expr, pattern }) = (one_of(one), other) {
            let like =
                |value: &Literal| matches!(value, Literal::String(text) if matches(pattern, text));
            return *subject == **expr && !values.into_iter().any(like);
        }
    }
    if let (
        Expr::Is { expr, entity_type: one, .. },
        Expr::Is { expr: same, entity_type: other, .. },
    ) = (one, other)
    {
        return expr == same && one != other;
    }
    // Attributes of a server belong to the one name that the server is registered under.
    let servers = (compared(one, BinaryOp::In), compared(other, BinaryOp::In));
    matches!(servers, (Some(one), Some(other)) if one != other && one.ty == other.ty)
}

/// The entity that an expression compares the resource with, using this operator.
fn compared(expr: &Expr, by: BinaryOp) -> Option<&EntityUID> {
    let Expr::BinaryOp { op, left, right } = expr else { return None };
    let Expr::Literal(Literal::EntityUID(uid)) = &**right else { return None };
    (*op == by && is_resource(left)).then_some(uid)
}

fn is_resource(expr: &Expr) -> bool {
    matches!(expr, Expr::Var(Var::Resource))
}

/// A comparison with a number: the compared expression, and the inclusive bounds of its value.
fn interval(expr: &Expr) -> Option<(&Expr, (i64, i64))> {
    let Expr::BinaryOp { op, left, right } = expr else { return None };
    let (subject, number, turned) = match (&**left, &**right) {
        (Expr::Literal(_), Expr::Literal(_)) => return None,
        (subject, Expr::Literal(Literal::Long(number))) => (subject, *number, false),
        (Expr::Literal(Literal::Long(number)), subject) => (subject, *number, true),
        _ => return None,
    };
    let between = match (op, turned) {
        (BinaryOp::Eq, _) => (number, number),
        (BinaryOp::Less, false) | (BinaryOp::Greater, true) => (i64::MIN, number.checked_sub(1)?),
        (BinaryOp::LessEq, false) | (BinaryOp::GreaterEq, true) => (i64::MIN, number),
        (BinaryOp::Greater, false) | (BinaryOp::Less, true) => (number.checked_add(1)?, i64::MAX),
        (BinaryOp::GreaterEq, false) | (BinaryOp::LessEq, true) => (number, i64::MAX),
        _ => return None,
    };
    Some((subject, between))
}

/// For `x == "a"` and `["a", "b"].contains(x)`: the compared expression, and its possible values.
fn one_of(expr: &Expr) -> Option<(&Expr, Vec<&Literal>)> {
    let Expr::BinaryOp { op, left, right } = expr else { return None };
    match (op, &**left, &**right) {
        (BinaryOp::Eq, subject, Expr::Literal(value))
        | (BinaryOp::Eq, Expr::Literal(value), subject) => Some((subject, vec![value])),
        (BinaryOp::Contains, Expr::Set(items), subject) => {
            let literal = |item: &'_ Arc<Expr>| matches!(**item, Expr::Literal(_));
            let values = items.iter().filter_map(|item| {
                if let Expr::Literal(value) = &**item { Some(value) } else { None }
            });
            items.iter().all(literal).then(|| (subject, values.collect()))
        }
        _ => None,
    }
}

/// A condition without negations and comparisons with `true` and `false`, and its required value.
fn atom(expr: &Expr) -> (&Expr, bool) {
    let (inner, wanted) = if let Expr::UnaryOp { op: UnaryOp::Not, expr } = expr {
        (expr, false)
    } else if let Expr::BinaryOp { op: BinaryOp::Eq, left, right } = expr
        && let Expr::Literal(Literal::Bool(value)) = **right
    {
        (left, value)
    } else {
        return (expr, true);
    };
    let (atom, holds) = atom(inner);
    (atom, holds == wanted)
}

/// Returns `true` if two patterns, read from one end, differ before a wildcard of either.
fn ends_differ<'a>(
    one: impl Iterator<Item = &'a PatternElem>,
    other: impl Iterator<Item = &'a PatternElem>,
) -> bool {
    let literal = |pair: &(&PatternElem, &PatternElem)| {
        *pair.0 != PatternElem::Wildcard && *pair.1 != PatternElem::Wildcard
    };
    one.zip(other).take_while(literal).any(|(one, other)| one != other)
}

/// Returns `true` if a pattern matches the whole text; `*` matches any characters.
fn matches(pattern: &[PatternElem], text: &str) -> bool {
    // The positions in the pattern after the text read so far.
    let mut reached = vec![false; pattern.len() + 1];
    let pass_wildcards = |reached: &mut [bool]| {
        for (position, element) in pattern.iter().enumerate() {
            if reached.get(position) == Some(&true)
                && *element == PatternElem::Wildcard
                && let Some(next) = reached.get_mut(position + 1)
            {
                *next = true;
            }
        }
    };
    reached.iter_mut().take(1).for_each(|start| *start = true);
    pass_wildcards(&mut reached);
    for character in text.chars() {
        let mut next = vec![false; reached.len()];
        for (position, element) in
            pattern.iter().enumerate().filter(|(position, _)| reached.get(*position) == Some(&true))
        {
            let target = match element {
                PatternElem::Wildcard => position,
                PatternElem::Char(wanted) if *wanted == character => position + 1,
                PatternElem::Char(_) => continue,
            };
            next.iter_mut().skip(target).take(1).for_each(|place| *place = true);
        }
        pass_wildcards(&mut next);
        reached = next;
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Statement, cover, statements};

    fn statement(condition: &str) -> Arc<Statement> {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        statements(&text).expect(condition).swap_remove(0)
    }

    #[test]
    fn what_follows() {
        for (given, required, expected) in [
            // numbers
            ("context.args.n < 500", "context.args.n <= 500", true),
            ("context.args.n <= 500", "context.args.n < 500", false),
            ("context.args.n == 5", "10 > context.args.n", true),
            ("context.args.n > 5", "context.args.n >= 6", true),
            ("context.args.n < 5", "context.args.m < 6", false),
            // names
            (r#"resource.name == "a""#, r#"["a", "b"].contains(resource.name)"#, true),
            (
                r#"["a", "b"].contains(resource.name)"#,
                r#"["b", "a", "c"].contains(resource.name)"#,
                true,
            ),
            (r#"["a", "b"].contains(resource.name)"#, r#"resource.name == "a""#, false),
            (r#"resource.name == "get_x""#, r#"resource.name like "get_*""#, true),
            (r#"["get_x", "set"].contains(resource.name)"#, r#"resource.name like "*et*""#, true),
            (r#"resource.name == "forget""#, r#"resource.name like "get*""#, false),
            (r#"resource.name like "get_*""#, r#"resource.name == "get_x""#, false),
            // more requirements
            (r#"resource.readOnly && resource.name == "a""#, "resource.readOnly", true),
            ("resource.readOnly", r#"resource.readOnly && resource.name == "a""#, false),
            // entities
            (
                r#"resource == MCP::Server::"a""#,
                r#"resource in MCP::Server::"a" && resource is MCP::Server"#,
                true,
            ),
        ] {
            assert_eq!(
                cover::covers(&statement(required), &statement(given)),
                expected,
                "{given} ⇒ {required}"
            );
        }
    }

    #[test]
    fn what_excludes_each_other() {
        for (one, other, expected) in [
            ("resource.readOnly == true", "resource.readOnly == false", true),
            ("resource.readOnly", "!resource.readOnly", true),
            ("resource.readOnly", "!!resource.readOnly", false),
            ("resource.readOnly", "resource.destructive", false),
            (r#"resource.name == "a""#, r#"resource.name == "b" && resource.readOnly"#, true),
            (r#"resource.name == "a""#, r#"["b", "a"].contains(resource.name)"#, false),
            // patterns, by what they start and end with, and names
            (r#"resource.name like "get_*""#, r#"resource.name like "rm*""#, true),
            (r#"resource.name like "*_get""#, r#"resource.name like "*_set""#, true),
            (r#"resource.name like "get*""#, r#"resource.name like "get_*""#, false),
            (r#"resource.name like "get_*""#, r#"resource.name like "*_all""#, false),
            (r#"resource.name like "g*t""#, r#"resource.name like "*""#, false),
            (r#"resource.name like "get_*""#, r#"resource.name == "rm""#, true),
            (r#"resource.name like "get_*""#, r#"["rm", "get_x"].contains(resource.name)"#, false),
            (r#"resource.name like "get_*""#, r#"resource.uri like "rm*""#, false),
            ("context.args.n < 5", "context.args.n > 4", true),
            ("context.args.n < 5", "context.args.n > 3", false),
            ("resource is MCP::Tool", "resource is MCP::Prompt", true),
            (r#"resource in MCP::Server::"a""#, r#"resource in MCP::Server::"b""#, true),
            (r#"resource in MCP::Server::"a""#, r#"resource in MCP::Primordial::"b""#, false),
        ] {
            assert_eq!(
                cover::are_disjoint(&statement(one), &statement(other)),
                expected,
                "{one} | {other}"
            );
            assert_eq!(
                cover::are_disjoint(&statement(other), &statement(one)),
                expected,
                "{other} | {one}"
            );
        }
    }
}
