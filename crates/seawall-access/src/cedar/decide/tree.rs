//! Facts about a statement's syntax tree that are determined before the engine is asked.

use cedar_policy::Policy as CedarPolicy;
use cedar_policy::pst::{self, Clause, Expr, PrincipalConstraint, StaticPolicy, Template};

use crate::cedar::traps;

pub(super) fn conditions(tree: &Template) -> impl Iterator<Item = &Expr> {
    tree.clauses().iter().map(|clause| match clause {
        Clause::When(condition) | Clause::Unless(condition) => &**condition,
    })
}

pub(super) fn on_principal(tree: &Template) -> bool {
    tree.principal != PrincipalConstraint::Any || conditions(tree).any(traps::mentions_principal)
}

pub(super) fn tests_attributes(condition: &Expr) -> bool {
    condition.reduce(
        &|expr| matches!(expr, Expr::HasAttr { .. }).then_some(true),
        &|a, b| a || b,
        false,
    )
}

/// The statement without its conditions.
pub(super) fn scope_only(tree: &Template) -> CedarPolicy {
    let Template { id, effect, principal, action, resource, .. } = tree.clone();
    let scope = StaticPolicy::try_from(Template::new(id, effect, principal, action, resource));
    let scope = scope.expect("a statement without slots has none in its scope");
    CedarPolicy::from_pst(pst::Policy::Static(scope)).expect("a scope that was read can be written")
}
