//! The kinds of value that an expression can have.
//!
//! Invariant: an expression never has a value of another kind, whatever a request holds; one that
//! can have none errs for certain, so that the engine skips its statement.

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Template, UnaryOp, Var};

use super::McpAction;
use super::arguments::path;
use super::schema::{self, AttributeType};
use crate::hash::HashMap;

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u16);

impl Kinds {
    pub(super) const NONE: Self = Self(0);
    pub(super) const TRUE: Self = Self(1);
    pub(super) const FALSE: Self = Self(1 << 1);
    pub(super) const TRUTH: Self = Self(0b11);
    pub(super) const TEXT: Self = Self(1 << 2);
    pub(super) const NUMBER: Self = Self(1 << 3);
    pub(super) const SET: Self = Self(1 << 4);
    pub(super) const RECORD: Self = Self(1 << 5);
    pub(super) const ENTITY: Self = Self(1 << 6);
    pub(super) const TIME: Self = Self(1 << 7);
    pub(super) const DURATION: Self = Self(1 << 8);
    pub(super) const DECIMAL: Self = Self(1 << 9);
    pub(super) const ADDRESS: Self = Self(1 << 10);
    /// Every value of JSON.
    pub(super) const ARGUMENT: Self = Self(0b11_1111);
    pub(super) const ANY: Self = Self(0x7ff);

    /// The kinds of values that one comparison can be about, each with its names.
    const NAMES: [(Self, &'static str, &'static str); 10] = [
        (Self::TRUTH, "true or false", "truth values"),
        (Self::TEXT, "text", "texts"),
        (Self::NUMBER, "a number", "numbers"),
        (Self::SET, "a set", "sets"),
        (Self::RECORD, "a record", "records"),
        (Self::ENTITY, "an entity", "entities"),
        (Self::TIME, "a time", "times"),
        (Self::DURATION, "a duration", "durations"),
        (Self::DECIMAL, "a decimal", "decimals"),
        (Self::ADDRESS, "an address", "addresses"),
    ];

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns `true` if a kind is in both.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns `true` if all are of one kind that has a name.
    pub(super) fn is_single(self) -> bool {
        !self.is_empty() && Self::NAMES.iter().any(|(kinds, ..)| self.0 & !kinds.0 == 0)
    }

    pub(super) fn name(self) -> &'static str {
        match Self::NAMES.iter().find(|(kinds, ..)| self.0 & !kinds.0 == 0) {
            Some((_, name, _)) => name,
            None if self == Self::ARGUMENT => "an argument",
            None => "a value",
        }
    }

    pub(super) fn plural(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(kinds, ..)| self.0 & !kinds.0 == 0)
            .map_or("values", |(.., plural)| plural)
    }
}

/// The kind that a condition assumes for the value at a path of the context.
#[derive(Clone, Copy)]
pub(super) struct Assumption<'a> {
    pub(super) path: &'a [&'a str],
    pub(super) kinds: Kinds,
}

/// The kinds of all parts of the conditions of a statement, whatever a request holds.
pub(super) struct PartKinds(HashMap<*const Expr, Kinds>);

impl PartKinds {
    pub(super) fn new(statement: &Template) -> Self {
        let mut parts = HashMap::default();
        for clause in statement.clauses() {
            let (Clause::When(condition) | Clause::Unless(condition)) = clause;
            kinds_if(condition, None, &mut |part, kinds| {
                parts.insert(std::ptr::from_ref(part), kinds);
            });
        }
        Self(parts)
    }

    /// The kinds of a part of the statement.
    pub(super) fn of(&self, part: &Expr) -> Kinds {
        self.0.get(&std::ptr::from_ref(part)).copied().unwrap_or(Kinds::ANY)
    }
}

/// Returns `true` if a statement can match a request of which this is true.
pub(super) fn may_match(statement: &Template, assumed: Assumption<'_>) -> bool {
    statement.clauses().iter().all(|clause| match clause {
        Clause::When(condition) => {
            kinds_if(condition, Some(assumed), &mut |_, _| ()).meets(Kinds::TRUE)
        }
        Clause::Unless(condition) => {
            kinds_if(condition, Some(assumed), &mut |_, _| ()).meets(Kinds::FALSE)
        }
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of the rest nothing is known")]
fn kinds_if<'a>(
    expr: &'a Expr,
    assumed: Option<Assumption<'_>>,
    tell: &mut dyn FnMut(&'a Expr, Kinds),
) -> Kinds {
    let mut of = |expr: &'a Expr| kinds_if(expr, assumed, &mut *tell);
    let truth_if = |met: bool| if met { Kinds::TRUTH } else { Kinds::NONE };
    let kinds = match expr {
        Expr::Literal(Literal::Bool(true)) => Kinds::TRUE,
        Expr::Literal(Literal::Bool(false)) => Kinds::FALSE,
        Expr::Literal(Literal::Long(_)) => Kinds::NUMBER,
        Expr::Literal(Literal::String(_)) => Kinds::TEXT,
        Expr::Literal(Literal::EntityUID(_))
        | Expr::Var(Var::Principal | Var::Action | Var::Resource) => Kinds::ENTITY,
        Expr::Var(Var::Context) => Kinds::RECORD,
        Expr::UnaryOp { op, expr } => unary(*op, of(expr)),
        Expr::BinaryOp { op: BinaryOp::And, left, right } => {
            let (left, right) = (of(left), of(right));
            let right = if left.meets(Kinds::TRUE) { right } else { Kinds::NONE };
            left.intersection(Kinds::FALSE).union(right.intersection(Kinds::TRUTH))
        }
        Expr::BinaryOp { op: BinaryOp::Or, left, right } => {
            let (left, right) = (of(left), of(right));
            let right = if left.meets(Kinds::FALSE) { right } else { Kinds::NONE };
            left.intersection(Kinds::TRUE).union(right.intersection(Kinds::TRUTH))
        }
        Expr::BinaryOp { op, left, right } => {
            let (own, other) = (of(left), of(right));
            let found = binary(*op, own, other);
            let items = match &**left {
                Expr::Set(items) if *op == BinaryOp::Contains => items.as_slice(),
                _ => &[],
            };
            // A value of another kind than all items equals none of them.
            let items =
                items.iter().map(|item| of(item)).reduce(Kinds::union).unwrap_or(Kinds::ANY);
            if found == Kinds::TRUTH && !items.meets(other) { Kinds::FALSE } else { found }
        }
        Expr::GetAttr { expr: inner, attr } => {
            let holds = of(inner).meets(Kinds::RECORD.union(Kinds::ENTITY));
            match (path(expr), assumed) {
                (Some(path), Some(assumed)) if path == assumed.path => assumed.kinds,
                _ if !holds => Kinds::NONE,
                (Some(path), _) => of_context(&path),
                (None, _) if matches!(**inner, Expr::Var(Var::Resource)) => of_resource(attr),
                (None, _) => Kinds::ANY,
            }
        }
        Expr::HasAttr { expr, .. } => truth_if(of(expr).meets(Kinds::RECORD.union(Kinds::ENTITY))),
        Expr::Like { expr, .. } => truth_if(of(expr).meets(Kinds::TEXT)),
        Expr::Is { expr, in_expr, .. } => {
            in_expr.iter().for_each(|parent| {
                of(parent);
            });
            truth_if(of(expr).meets(Kinds::ENTITY))
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            let [cond, then, otherwise] = [of(cond), of(then_expr), of(else_expr)];
            let then = if cond.meets(Kinds::TRUE) { then } else { Kinds::NONE };
            if cond.meets(Kinds::FALSE) { then.union(otherwise) } else { then }
        }
        Expr::Set(items) => {
            let items: Vec<Kinds> = items.iter().map(|item| of(item)).collect();
            if items.into_iter().any(Kinds::is_empty) { Kinds::NONE } else { Kinds::SET }
        }
        Expr::Record(fields) => {
            let fields: Vec<Kinds> = fields.values().map(|field| of(field)).collect();
            if fields.into_iter().any(Kinds::is_empty) { Kinds::NONE } else { Kinds::RECORD }
        }
        _ => Kinds::ANY,
    };
    tell(expr, kinds);
    kinds
}

/// The kinds of a value of the context. The type of the request time is not documented.
fn of_context(path: &[&str]) -> Kinds {
    match path {
        ["args"] => Kinds::RECORD,
        ["args", ..] => Kinds::ARGUMENT,
        ["request_time"] => Kinds::TIME.union(Kinds::NUMBER).union(Kinds::TEXT),
        _ => Kinds::ANY,
    }
}

/// The kind of an attribute of a resource.
fn of_resource(name: &str) -> Kinds {
    let of_type = |action: McpAction| {
        schema::attributes(action.resource_type()).find(|(own, _)| *own == name)
    };
    match McpAction::ALL.into_iter().find_map(of_type) {
        Some((_, AttributeType::Bool)) => Kinds::TRUTH,
        Some((_, AttributeType::String)) => Kinds::TEXT,
        Some((_, AttributeType::SetOfStrings)) => Kinds::SET,
        None => Kinds::ANY,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest are methods of addresses")]
fn unary(op: UnaryOp, of: Kinds) -> Kinds {
    let (takes, gives) = match op {
        UnaryOp::Not => {
            let gives = |one: Kinds, other: Kinds| if of.meets(one) { other } else { Kinds::NONE };
            return gives(Kinds::TRUE, Kinds::FALSE).union(gives(Kinds::FALSE, Kinds::TRUE));
        }
        UnaryOp::Neg => (Kinds::NUMBER, Kinds::NUMBER),
        UnaryOp::IsEmpty => (Kinds::SET, Kinds::TRUTH),
        UnaryOp::Datetime => (Kinds::TEXT, Kinds::TIME),
        UnaryOp::Decimal => (Kinds::TEXT, Kinds::DECIMAL),
        UnaryOp::Duration => (Kinds::TEXT, Kinds::DURATION),
        UnaryOp::Ip => (Kinds::TEXT, Kinds::ADDRESS),
        UnaryOp::ToDate => (Kinds::TIME, Kinds::TIME),
        UnaryOp::ToTime => (Kinds::TIME, Kinds::DURATION),
        UnaryOp::ToMilliseconds
        | UnaryOp::ToSeconds
        | UnaryOp::ToMinutes
        | UnaryOp::ToHours
        | UnaryOp::ToDays => (Kinds::DURATION, Kinds::NUMBER),
        _ => (Kinds::ADDRESS, Kinds::TRUTH),
    };
    if of.meets(takes) { gives } else { Kinds::NONE }
}

/// The kinds that values of these can be put in order by.
pub(super) fn ordered(left: Kinds, right: Kinds) -> Kinds {
    left.intersection(right).intersection(Kinds::NUMBER.union(Kinds::TIME).union(Kinds::DURATION))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of the rest nothing is known")]
fn binary(op: BinaryOp, left: Kinds, right: Kinds) -> Kinds {
    if left.is_empty() || right.is_empty() {
        return Kinds::NONE;
    }
    let (met, gives) = match op {
        BinaryOp::Eq => return if left.meets(right) { Kinds::TRUTH } else { Kinds::FALSE },
        BinaryOp::NotEq => return if left.meets(right) { Kinds::TRUTH } else { Kinds::TRUE },
        BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq => {
            (!ordered(left, right).is_empty(), Kinds::TRUTH)
        }
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul => {
            (left.meets(Kinds::NUMBER) && right.meets(Kinds::NUMBER), Kinds::NUMBER)
        }
        BinaryOp::In | BinaryOp::HasTag => (left.meets(Kinds::ENTITY), Kinds::TRUTH),
        BinaryOp::Contains => (left.meets(Kinds::SET), Kinds::TRUTH),
        BinaryOp::ContainsAll | BinaryOp::ContainsAny => {
            (left.meets(Kinds::SET) && right.meets(Kinds::SET), Kinds::TRUTH)
        }
        BinaryOp::IsInRange => {
            (left.meets(Kinds::ADDRESS) && right.meets(Kinds::ADDRESS), Kinds::TRUTH)
        }
        BinaryOp::Offset => (left.meets(Kinds::TIME) && right.meets(Kinds::DURATION), Kinds::TIME),
        BinaryOp::DurationSince => {
            (left.meets(Kinds::TIME) && right.meets(Kinds::TIME), Kinds::DURATION)
        }
        BinaryOp::DecimalLessThan
        | BinaryOp::DecimalLessEq
        | BinaryOp::DecimalGreater
        | BinaryOp::DecimalGreaterEq => {
            (left.meets(Kinds::DECIMAL) && right.meets(Kinds::DECIMAL), Kinds::TRUTH)
        }
        _ => (true, Kinds::ANY),
    };
    if met { gives } else { Kinds::NONE }
}
