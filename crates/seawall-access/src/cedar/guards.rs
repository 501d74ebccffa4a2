//! Reads of attributes that a guard such as `context has args.x &&` protects.
//!
//! The engine's validator reports each read without a guard. It also reports reads whose guard it
//! does not follow: a negated guard, as in `!(context has args) || …`, and a guard in front of an
//! argument that is used as two types, as in
//! `context has args.x && ip(context.args.x).isLoopback() && context.args.x like "1*"`.
//!
//! Invariant: a read counts as protected only if evaluation never reaches it while the attribute is
//! missing.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Template, UnaryOp, Var};

use super::token::is_identifier;

/// The attributes that are present where an expression is evaluated, each as the path from its
/// variable; `None` if the expression is never evaluated.
type Present<'a> = Option<BTreeSet<Vec<&'a str>>>;

/// The guards that a statement needs, and whether each protects all reads that need it.
pub(super) struct Guards(BTreeMap<String, bool>);

impl Guards {
    /// Follows the evaluation of a statement.
    pub(super) fn new(tree: &Template) -> Self {
        let mut guards = Self(BTreeMap::new());
        let mut present = Some(BTreeSet::new());
        for clause in tree.clauses() {
            present = match clause {
                Clause::When(condition) => guards.follow(condition, &present).0,
                Clause::Unless(condition) => guards.follow(condition, &present).1,
            };
        }
        guards
    }

    /// Returns `true` if a guard, in the words of the validator, protects all reads that need it.
    pub(super) fn protect(&self, guard: &str) -> bool {
        self.0.get(guard).is_some_and(|protected| *protected)
    }

    /// The attributes that are present where the expression is true, and where it is false.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the engine's tree may grow; what is new guards nothing"
    )]
    fn follow<'a>(&mut self, expr: &'a Expr, present: &Present<'a>) -> (Present<'a>, Present<'a>) {
        let mut parts: Vec<&'a Expr> = Vec::new();
        match expr {
            Expr::Literal(Literal::Bool(true)) => return (present.clone(), None),
            Expr::Literal(Literal::Bool(false)) => return (None, present.clone()),
            Expr::UnaryOp { op: UnaryOp::Not, expr } => {
                let (holds, fails) = self.follow(expr, present);
                return (fails, holds);
            }
            Expr::BinaryOp { op: BinaryOp::And, left, right } => {
                let (holds, left_fails) = self.follow(left, present);
                let (holds, right_fails) = self.follow(right, &holds);
                return (holds, of_either(left_fails, right_fails));
            }
            Expr::BinaryOp { op: BinaryOp::Or, left, right } => {
                let (left_holds, fails) = self.follow(left, present);
                let (right_holds, fails) = self.follow(right, &fails);
                return (of_either(left_holds, right_holds), fails);
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                let (holds, fails) = self.follow(cond, present);
                let (one, other) = (self.follow(then_expr, &holds), self.follow(else_expr, &fails));
                return (of_either(one.0, other.0), of_either(one.1, other.1));
            }
            Expr::HasAttr { expr, attrs } => {
                self.follow(expr, present);
                return (
                    with(present, expr, attrs.iter().map(|attr| attr.as_str())),
                    present.clone(),
                );
            }
            Expr::GetAttr { expr: inner, attr } => {
                self.follow(inner, present);
                let is_present = present
                    .as_ref()
                    .is_none_or(|present| path(expr).is_some_and(|path| present.contains(&path)));
                *self.0.entry(needed(inner, attr)).or_insert(true) &= is_present;
            }
            Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => parts.push(expr),
            Expr::BinaryOp { left, right, .. } => parts.extend([&**left, &**right]),
            Expr::Is { expr, in_expr, .. } => {
                parts.push(expr);
                parts.extend(in_expr.as_deref());
            }
            Expr::Set(items) => parts.extend(items.iter().map(|item| &**item)),
            Expr::Record(fields) => parts.extend(fields.values().map(|field| &**field)),
            _ => {}
        }
        for part in parts {
            self.follow(part, present);
        }
        (present.clone(), present.clone())
    }
}

/// The attributes that are present after either of two ways.
fn of_either<'a>(one: Present<'a>, other: Present<'a>) -> Present<'a> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.intersection(&other).cloned().collect()),
        (one, other) => one.or(other),
    }
}

/// What is present if the value has these attributes, each of them in the one before.
fn with<'a>(
    present: &Present<'a>,
    value: &'a Expr,
    attributes: impl Iterator<Item = &'a str>,
) -> Present<'a> {
    let mut present = present.clone()?;
    if let Some(mut path) = path(value) {
        for attribute in attributes {
            path.push(attribute);
            present.insert(path.clone());
        }
    }
    Some(present)
}

/// The path of attributes from a variable to a value, with the name of the variable.
fn path(expr: &Expr) -> Option<Vec<&str>> {
    let (start, mut attributes) = chain(expr);
    let Expr::Var(start) = start else { return None };
    let name = match start {
        Var::Principal => "principal",
        Var::Action => "action",
        Var::Resource => "resource",
        Var::Context => "context",
    };
    attributes.insert(0, name);
    Some(attributes)
}

/// The expression that a chain of attributes starts at, and the attributes.
fn chain(mut expr: &Expr) -> (&Expr, Vec<&str>) {
    let mut attributes = Vec::new();
    while let Expr::GetAttr { expr: inner, attr } = expr {
        attributes.push(attr.as_str());
        expr = inner;
    }
    attributes.reverse();
    (expr, attributes)
}

/// The guard that the validator suggests for a read. It names no value but the context.
fn needed(value: &Expr, attribute: &str) -> String {
    let (start, attributes) = chain(value);
    let is_context = matches!(start, Expr::Var(Var::Context));
    let mut guard = if is_context { "context" } else { "e" }.to_owned();
    for name in attributes {
        guard += &if is_identifier(name) { format!(".{name}") } else { format!("[{name:?}]") };
    }
    let quoted = format!("{attribute:?}");
    guard + " has " + if is_identifier(attribute) { attribute } else { &quoted }
}
