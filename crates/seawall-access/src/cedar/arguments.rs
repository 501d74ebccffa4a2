//! The types of `context.args` and `context.request_time` that a statement assumes.
//!
//! Cedar's types are closed and the keys of a tool's arguments belong to the tool, so that no fixed
//! schema can contain them; the type of the request time is not documented. A statement is
//! therefore validated with the arguments that it reads, each optional and with the type that its
//! use implies: missing guards are found, and nothing is reported about unknown types.
//!
//! Invariant: everything that a statement reads below `context.args` is declared as optional.

use std::collections::BTreeMap;

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Template, UnaryOp, Var};
use serde_json::{Map, Value, json};

use super::schema::{self, AttributeType};

/// The parts of the context that a statement reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    args: Option<Shape>,
    request_time: Option<Type>,
}

/// A value of the context with the parts that are read below it.
#[derive(Debug, Default)]
struct Shape {
    keys: BTreeMap<String, Shape>,
    used_as: Option<Type>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Type {
    Named(&'static str),
    Set(Box<Type>),
}

const BOOL: Type = Type::Named("Bool");
const LONG: Type = Type::Named("Long");
const STRING: Type = Type::Named("String");
const DATETIME: Type = Type::Named("datetime");
const DURATION: Type = Type::Named("duration");
const DECIMAL: Type = Type::Named("decimal");
const ADDRESS: Type = Type::Named("ipaddr");

impl Reads {
    /// The parts of the context that the conditions of a statement read.
    pub(super) fn new(statement: &Template) -> Self {
        let mut reads = Self::default();
        for clause in statement.clauses() {
            let (Clause::When(condition) | Clause::Unless(condition)) = clause;
            reads.walk(condition, Some(&BOOL));
        }
        reads
    }

    /// The attributes of `context.args` in Cedar's JSON schema format; `None` if the statement
    /// reads none.
    pub(super) fn arguments(&self) -> Option<Value> {
        self.args.as_ref().map(Shape::attributes)
    }

    /// The type of the request time that the statement assumes.
    pub(super) fn request_time(&self) -> Option<&'static str> {
        match self.request_time {
            Some(Type::Named(name)) => Some(name),
            Some(Type::Set(_)) | None => None,
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the engine's tree may grow; what is new holds no arguments"
    )]
    fn walk(&mut self, expr: &Expr, wanted: Option<&Type>) {
        match expr {
            Expr::GetAttr { expr: inner, .. } => match path(expr) {
                Some(path) => self.note(&path, wanted),
                None => self.walk(inner, None),
            },
            Expr::HasAttr { expr: inner, attrs } => match path(inner) {
                Some(mut path) => {
                    path.extend(attrs.iter().map(|attr| attr.as_str()));
                    self.note(&path, None);
                }
                None => self.walk(inner, None),
            },
            Expr::UnaryOp { op, expr: inner } => self.walk(inner, operand(*op).as_ref()),
            Expr::BinaryOp { op, left, right } => {
                let (wanted_left, wanted_right) = operands(*op, left, right);
                self.walk(left, wanted_left.as_ref());
                self.walk(right, wanted_right.as_ref());
            }
            Expr::Like { expr: inner, .. } => self.walk(inner, Some(&STRING)),
            Expr::Is { expr: inner, in_expr, .. } => {
                self.walk(inner, None);
                in_expr.iter().for_each(|parent| self.walk(parent, None));
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.walk(cond, Some(&BOOL));
                self.walk(then_expr, wanted);
                self.walk(else_expr, wanted);
            }
            Expr::Set(items) => {
                let item = items
                    .iter()
                    .find_map(|item| type_of(item))
                    .or_else(|| wanted.and_then(element));
                items.iter().for_each(|one| self.walk(one, item.as_ref()));
            }
            Expr::Record(fields) => fields.values().for_each(|field| self.walk(field, None)),
            _ => {}
        }
    }

    fn note(&mut self, path: &[&str], wanted: Option<&Type>) {
        match path {
            ["args", keys @ ..] => {
                let mut here = self.args.get_or_insert_default();
                for key in keys {
                    here = here.keys.entry((*key).to_owned()).or_default();
                }
                here.used_as = here.used_as.take().or_else(|| wanted.cloned());
            }
            ["request_time", ..] => {
                self.request_time = self.request_time.take().or_else(|| wanted.cloned())
            }
            _ => {}
        }
    }
}

impl Shape {
    fn attributes(&self) -> Value {
        self.keys
            .iter()
            .map(|(key, shape)| (key.clone(), shape.declaration()))
            .collect::<Map<_, _>>()
            .into()
    }

    fn declaration(&self) -> Value {
        let mut declaration = match (self.keys.is_empty(), &self.used_as) {
            (false, _) => json!({"type": "Record", "attributes": self.attributes()}),
            (true, Some(used_as)) => used_as.declaration(),
            (true, None) => STRING.declaration(),
        };
        declaration
            .as_object_mut()
            .expect("a declaration is an object")
            .insert("required".to_owned(), json!(false));
        declaration
    }
}

impl Type {
    fn declaration(&self) -> Value {
        match self {
            Self::Named(name) => json!({"type": "EntityOrCommon", "name": name}),
            Self::Set(item) => json!({"type": "Set", "element": item.declaration()}),
        }
    }
}

/// The path of attributes from the context to the value that is read; `None` if it does not start
/// at the context.
#[expect(clippy::wildcard_enum_match_arm, reason = "only attribute access makes a path")]
pub(super) fn path(expr: &Expr) -> Option<Vec<&str>> {
    match expr {
        Expr::Var(Var::Context) => Some(Vec::new()),
        Expr::GetAttr { expr: inner, attr } => {
            let mut path = path(inner)?;
            path.push(attr.as_str());
            Some(path)
        }
        _ => None,
    }
}

fn element(of: &Type) -> Option<Type> {
    match of {
        Type::Set(item) => Some(item.as_ref().clone()),
        Type::Named(_) => None,
    }
}

fn set_of(item: Option<Type>) -> Option<Type> {
    Some(Type::Set(Box::new(item.unwrap_or(STRING))))
}

/// The type that a unary operator takes.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest are methods of addresses")]
fn operand(op: UnaryOp) -> Option<Type> {
    match op {
        UnaryOp::Not => Some(BOOL),
        UnaryOp::Neg => Some(LONG),
        UnaryOp::IsEmpty => set_of(None),
        UnaryOp::Datetime | UnaryOp::Decimal | UnaryOp::Duration | UnaryOp::Ip => Some(STRING),
        UnaryOp::ToDate | UnaryOp::ToTime => Some(DATETIME),
        UnaryOp::ToMilliseconds
        | UnaryOp::ToSeconds
        | UnaryOp::ToMinutes
        | UnaryOp::ToHours
        | UnaryOp::ToDays => Some(DURATION),
        _ => Some(ADDRESS),
    }
}

/// The types of both sides of a binary operator, derived from the other side.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest say nothing about types")]
fn operands(op: BinaryOp, left: &Expr, right: &Expr) -> (Option<Type>, Option<Type>) {
    let either = || type_of(left).or_else(|| type_of(right));
    let both = |one: Option<Type>| (one.clone(), one);
    match op {
        BinaryOp::And | BinaryOp::Or => both(Some(BOOL)),
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul => both(Some(LONG)),
        BinaryOp::Eq | BinaryOp::NotEq => both(either()),
        BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq => {
            both(either().or(Some(LONG)))
        }
        BinaryOp::Contains => (set_of(type_of(right)), type_of(left).as_ref().and_then(element)),
        BinaryOp::ContainsAll | BinaryOp::ContainsAny => both(either().or_else(|| set_of(None))),
        BinaryOp::IsInRange => both(Some(ADDRESS)),
        BinaryOp::Offset => (Some(DATETIME), Some(DURATION)),
        BinaryOp::DurationSince => both(Some(DATETIME)),
        BinaryOp::DecimalLessThan
        | BinaryOp::DecimalLessEq
        | BinaryOp::DecimalGreater
        | BinaryOp::DecimalGreaterEq => both(Some(DECIMAL)),
        _ => (None, None),
    }
}

/// The type of an expression, if its form determines it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest do not show their type")]
fn type_of(expr: &Expr) -> Option<Type> {
    match expr {
        Expr::Literal(Literal::Bool(_))
        | Expr::HasAttr { .. }
        | Expr::Like { .. }
        | Expr::Is { .. } => Some(BOOL),
        Expr::Literal(Literal::Long(_)) => Some(LONG),
        Expr::Literal(Literal::String(_)) => Some(STRING),
        Expr::Set(items) => {
            items.iter().find_map(|item| type_of(item)).map(|item| Type::Set(Box::new(item)))
        }
        Expr::GetAttr { expr: inner, attr } if matches!(**inner, Expr::Var(Var::Resource)) => {
            super::McpAction::ALL.into_iter().find_map(|action| {
                let (_, kind) =
                    schema::attributes(action.resource_type()).find(|(name, _)| name == attr)?;
                Some(match kind {
                    AttributeType::Bool => BOOL,
                    AttributeType::String => STRING,
                    AttributeType::SetOfStrings => Type::Set(Box::new(STRING)),
                })
            })
        }
        Expr::UnaryOp { op, .. } => match op {
            UnaryOp::Neg => Some(LONG),
            UnaryOp::Datetime | UnaryOp::ToDate => Some(DATETIME),
            UnaryOp::Duration | UnaryOp::ToTime => Some(DURATION),
            UnaryOp::Decimal => Some(DECIMAL),
            UnaryOp::Ip => Some(ADDRESS),
            UnaryOp::ToMilliseconds
            | UnaryOp::ToSeconds
            | UnaryOp::ToMinutes
            | UnaryOp::ToHours
            | UnaryOp::ToDays => Some(LONG),
            _ => Some(BOOL),
        },
        Expr::BinaryOp { op, .. } => match op {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul => Some(LONG),
            BinaryOp::Offset => Some(DATETIME),
            BinaryOp::DurationSince => Some(DURATION),
            BinaryOp::GetTag => None,
            _ => Some(BOOL),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::statements;
    use super::*;

    fn reads(condition: &str) -> (Option<Value>, Option<&'static str>) {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        let found = statements(&text).expect("parses");
        let reads = Reads::new(found[0].tree.as_ref().expect("no template"));
        (reads.arguments(), reads.request_time())
    }

    #[test]
    fn arguments_are_what_they_are_used_as() {
        let named = |name: &str| json!({"type": "EntityOrCommon", "name": name, "required": false});
        for (condition, key, expected) in [
            // a comparison, with the number on either side
            ("context.args.amount <= 500", "amount", named("Long")),
            ("500 > context.args.amount", "amount", named("Long")),
            // equality takes the type of the other side, also of a known attribute
            ("context.args.x == resource.readOnly", "x", named("Bool")),
            ("resource.name != context.args.x", "x", named("String")),
            ("context.args.x like \"a*\"", "x", named("String")),
            // a condition by itself
            ("!context.args.dry_run", "dry_run", named("Bool")),
            ("context.args has x && context.args.x", "x", named("Bool")),
            // sets
            ("[1, 2].contains(context.args.x)", "x", named("Long")),
            (
                "resource.args.containsAll(context.args.x)",
                "x",
                json!({"type": "Set", "element": {"type": "EntityOrCommon", "name": "String"}, "required": false}),
            ),
            // extension types
            ("ip(context.args.x).isLoopback()", "x", named("String")),
            ("context.args.x < duration(\"1h\")", "x", named("duration")),
            // only tested for
            ("context.args has x", "x", named("String")),
            // nested, with an index
            (
                "context[\"args\"][\"a\"].b == 1",
                "a",
                json!({"type": "Record", "attributes": {"b": named("Long")}, "required": false}),
            ),
            ("context has args.x", "x", named("String")),
        ] {
            let (arguments, _) = reads(condition);
            assert_eq!(
                arguments.map(|arguments| arguments[key].clone()),
                Some(expected),
                "{condition}"
            );
        }
        assert_eq!(reads("resource.args.contains(\"x\")").0, None);
    }

    #[test]
    fn the_request_time_is_what_it_is_used_as() {
        for (condition, expected) in [
            ("context.request_time < datetime(\"2027-01-01\")", Some("datetime")),
            ("context.request_time.toTime() < duration(\"8h\")", Some("datetime")),
            ("context.request_time > 1700000000", Some("Long")),
            ("context.request_time like \"2026*\"", Some("String")),
            ("resource.readOnly", None),
        ] {
            assert_eq!(reads(condition).1, expected, "{condition}");
        }
    }
}
