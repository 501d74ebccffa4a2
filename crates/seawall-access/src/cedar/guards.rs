//! Rewrites guards that the engine's validator does not follow, such as `!(context has args) || …`.
//!
//! The validator knows the guarantees of `&&` and `if`. Cedar stops at the first side of `||` that
//! is true, so that `!a
//! || b` is `if a then b else true`; a double negation cancels out.
//!
//! Invariant: the result evaluates to the same value as the input, errors included.

use std::sync::Arc;

use cedar_policy::Policy;
use cedar_policy::pst::{self, BinaryOp, Clause, Expr, Literal, StaticPolicy, Template, UnaryOp};

/// The statement with guards that the validator follows; `None` if nothing changes.
pub(super) fn followed(tree: &Template) -> Option<Policy> {
    let clauses = tree.clauses().iter().map(|clause| match clause {
        Clause::When(condition) => Clause::When(Arc::new(positive(condition))),
        Clause::Unless(condition) => Clause::When(Arc::new(negated(condition))),
    });
    let clauses: Vec<Clause> = clauses.collect();
    if clauses == *tree.clauses() {
        return None;
    }
    let template = tree.clone().try_with_clauses(clauses).ok()?;
    Policy::from_pst(pst::Policy::Static(StaticPolicy::try_from(template).ok()?)).ok()
}

/// A condition with the same value.
#[expect(clippy::wildcard_enum_match_arm, reason = "all else is not composed of conditions")]
fn positive(expr: &Expr) -> Expr {
    if let Expr::UnaryOp { op: UnaryOp::Not, expr } = expr {
        return negated(expr);
    }
    match expr {
        Expr::BinaryOp { op: BinaryOp::And, left, right } => {
            conjunction(positive(left), positive(right))
        }
        Expr::BinaryOp { op: BinaryOp::Or, left, right } => match (denied(left), &**left) {
            (Some(guard), _) => choice(guard, positive(right), Expr::Literal(Literal::Bool(true))),
            // `a || !b || c` is `a || (!b || c)`.
            (None, Expr::BinaryOp { op: BinaryOp::Or, left: first, right: second })
                if denied(second).is_some() =>
            {
                let rest = Expr::BinaryOp {
                    op: BinaryOp::Or,
                    left: Arc::clone(second),
                    right: Arc::clone(right),
                };
                or(positive(first), positive(&rest))
            }
            (None, _) => or(positive(left), positive(right)),
        },
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            choice(positive(cond), positive(then_expr), positive(else_expr))
        }
        other => other.clone(),
    }
}

/// A condition with the opposite value.
#[expect(clippy::wildcard_enum_match_arm, reason = "all else is turned as a whole")]
fn negated(expr: &Expr) -> Expr {
    match expr {
        Expr::UnaryOp { op: UnaryOp::Not, expr } => positive(expr),
        // `!(!a || b)` is `a && !b`.
        Expr::BinaryOp { op: BinaryOp::Or, left, right } => match denied(left) {
            Some(guard) => conjunction(guard, negated(right)),
            None => not(positive(expr)),
        },
        other => not(positive(other)),
    }
}

/// The expression that a condition negates: `a` for `!a`, `a && b` for `!a || !b`; `None` if it is
/// not a negation.
#[expect(clippy::wildcard_enum_match_arm, reason = "all else is not a denial")]
fn denied(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::UnaryOp { op: UnaryOp::Not, expr } => Some(positive(expr)),
        Expr::BinaryOp { op: BinaryOp::Or, left, right } => {
            Some(conjunction(denied(left)?, denied(right)?))
        }
        _ => None,
    }
}

fn conjunction(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { op: BinaryOp::And, left: Arc::new(left), right: Arc::new(right) }
}

fn or(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { op: BinaryOp::Or, left: Arc::new(left), right: Arc::new(right) }
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOp::Not, expr: Arc::new(expr) }
}

fn choice(cond: Expr, then_expr: Expr, else_expr: Expr) -> Expr {
    let [cond, then_expr, else_expr] = [cond, then_expr, else_expr].map(Arc::new);
    Expr::IfThenElse { cond, then_expr, else_expr }
}
