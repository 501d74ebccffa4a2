//! Whether everything that one statement matches is matched by another, and whether nothing is.
//!
//! Invariant: a yes is proven from the form of the statements; a no only means that this way did not show it.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::pst::{
    ActionConstraint, BinaryOp, Clause, EntityOrSlot, Expr, Literal, PrincipalConstraint, ResourceConstraint, Template,
    UnaryOp, Var,
};

use super::finding::{Finding, code};
use super::imply::{contradict, implies};
use super::{Effect, Statement};

/// Whether `outer` matches every request that `inner` matches.
///
/// A statement matches when its scope and all its conditions hold without an error. So a statement whose requirements
/// are all among those of another matches whenever the other does. Recursive: to be called with
/// [`super::with_deep_stack`].
#[must_use]
pub fn covers(outer: &Statement, inner: &Statement) -> bool {
    let (Some(outer), Some(inner)) = (&outer.tree, &inner.tree) else { return false };
    if outer.principal != PrincipalConstraint::Any && outer.principal != inner.principal {
        return false;
    }
    let actions = match (named(&outer.action), named(&inner.action)) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => inner.iter().all(|uid| outer.contains(uid)),
    };
    let given = requirements(inner);
    actions && requirements(outer).iter().all(|required| given.iter().any(|given| implies(given, required)))
}

/// Whether no request is matched by both.
///
/// Recursive as [`covers`].
pub(super) fn are_disjoint(one: &Statement, other: &Statement) -> bool {
    let (Some(one), Some(other)) = (&one.tree, &other.tree) else { return true };
    if let (Some(one), Some(other)) = (named(&one.action), named(&other.action))
        && one.is_disjoint(&other)
    {
        return true;
    }
    let other = requirements(other);
    requirements(one).iter().any(|required| other.iter().any(|other| contradict(required, other)))
}

/// The permits of a text that one of its forbids covers.
pub(super) fn within(found: &[Arc<Statement>]) -> Vec<Finding> {
    let forbids: Vec<&Arc<Statement>> = found.iter().filter(|statement| statement.effect == Effect::Forbid).collect();
    let permits = found.iter().filter(|statement| statement.effect == Effect::Permit);
    permits.filter(|permit| forbids.iter().any(|forbid| covers(forbid, permit))).map(|permit| covered(permit)).collect()
}

/// The finding about a permit that a forbid covers.
pub(super) fn covered(permit: &Statement) -> Finding {
    Finding {
        start: permit.span.start,
        end: permit.span.end,
        code: code::COVERED_PERMIT,
        message: "a `forbid` covers all that this `permit` grants".to_owned(),
        help: "remove the `permit`, or narrow the `forbid` with a condition".to_owned(),
    }
}

/// What must hold for a statement to match, its resource's scope included.
fn requirements(statement: &Template) -> Vec<Expr> {
    let mut all = of_resource(&statement.resource);
    for clause in statement.clauses() {
        match clause {
            Clause::When(condition) => conjuncts(condition, &mut all),
            Clause::Unless(condition) => all.push(Expr::UnaryOp { op: UnaryOp::Not, expr: Arc::clone(condition) }),
        }
    }
    all
}

fn conjuncts(condition: &Expr, all: &mut Vec<Expr>) {
    if let Expr::BinaryOp { op: BinaryOp::And, left, right } = condition {
        conjuncts(left, all);
        conjuncts(right, all);
    } else if *condition != Expr::Literal(Literal::Bool(true)) {
        all.push(condition.clone());
    }
}

fn of_resource(scope: &ResourceConstraint) -> Vec<Expr> {
    let resource = || Arc::new(Expr::Var(Var::Resource));
    let entity = |uid: &EntityOrSlot| match uid {
        EntityOrSlot::Entity(uid) => Arc::new(Expr::Literal(Literal::EntityUID(uid.clone()))),
        EntityOrSlot::Slot(slot) => Arc::new(Expr::Slot(*slot)),
    };
    let binary = |op, uid| Expr::BinaryOp { op, left: resource(), right: entity(uid) };
    match scope {
        ResourceConstraint::Any => Vec::new(),
        ResourceConstraint::Eq(uid) => vec![binary(BinaryOp::Eq, uid)],
        ResourceConstraint::In(uid) => vec![binary(BinaryOp::In, uid)],
        ResourceConstraint::Is(entity_type) => {
            vec![Expr::Is { expr: resource(), entity_type: entity_type.clone(), in_expr: None }]
        }
        ResourceConstraint::IsIn(entity_type, uid) => {
            vec![
                Expr::Is { expr: resource(), entity_type: entity_type.clone(), in_expr: None },
                binary(BinaryOp::In, uid),
            ]
        }
    }
}

/// The actions that a scope names; `None` for all.
fn named(constraint: &ActionConstraint) -> Option<BTreeSet<String>> {
    match constraint {
        ActionConstraint::Any => None,
        ActionConstraint::Eq(uid) => Some(BTreeSet::from([uid.to_string()])),
        ActionConstraint::In(uids) => Some(uids.iter().map(ToString::to_string).collect()),
    }
}
