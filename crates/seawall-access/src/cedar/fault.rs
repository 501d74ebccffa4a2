//! Faults of operators of Cedar conditions.

use cedar_policy::pst::{Expr, Literal};

use super::kinds::Kinds;

/// A fault in the use of an operator.
pub(super) enum Fault {
    /// The left operand of `in` is not an entity.
    Left(Kinds),
    /// The right operand of `in` does not consist of entities.
    Right(Kinds),
    /// The operand of `like` is not text.
    NoText(Kinds),
    /// An argument is used as the first of these types here, and as the other one elsewhere.
    Both(Kinds, Kinds),
    /// No item of the set has the type of the value that is searched.
    NeverIn(Kinds, Kinds),
    /// The operands of `==` or `!=` have different types.
    NeverEqual(Kinds, Kinds),
    /// The operands of a comparison have no order.
    NoOrder(Kinds, Kinds),
    /// An operand does not have the type that the operator takes.
    Needs {
        /// The operand.
        side: Side,
        /// The kind that is needed.
        needed: Kinds,
        /// The kinds that the operand has.
        found: Kinds,
    },
}

/// An operand of an operator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// In front of it, or of a method.
    Left,
    /// Behind it, or the argument of a method.
    Right,
}

/// An operator that is a word in the text.
pub(super) struct Operator<'a> {
    /// The word of the text.
    pub(super) word: &'static str,
    /// The first operand.
    pub(super) left: &'a Expr,
    /// The second operand, where there is one.
    pub(super) right: Option<&'a Expr>,
    /// True if the right operand may contain texts but is not written as a list.
    pub(super) in_list: bool,
    /// The fault, if there is one.
    pub(super) fault: Option<Fault>,
}

/// The texts that an expression lists.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else lists texts")]
pub(super) fn texts(expr: &Expr) -> Vec<&str> {
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
