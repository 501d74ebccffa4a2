//! Operators that fail on their operands, so that the engine skips the statement, and comparisons
//! that never hold.
//!
//! The validator knows the vendor's types, but nothing about the arguments of a call. Still,
//! arguments are JSON values, and no JSON value is an entity. A statement whose `in` or `like`
//! gets an operand that it cannot take never has an effect: a `permit` grants nothing, a `forbid`
//! stops nothing.
//!
//! Invariant: a finding holds whatever the types of arguments are.

use std::collections::BTreeMap;
use std::ops::Range;

use cedar_policy::pst::{BinaryOp, Clause, Expr, Template, UnaryOp};

use super::arguments::path;
use super::fault::{Fault, Operator, Side};
use super::finding::Finding;
use super::kinds::{self, Assumption, Kinds, PartKinds};
use super::token::{Kind, Token};
use super::{Statement, repairs, traps};

/// The paths of arguments that are looked at in one statement.
const MOST_PATHS: usize = 64;

/// A value of an argument that an operator takes for one kind.
struct Use<'a> {
    path: Vec<&'a str>,
    kind: Kinds,
    operator: usize,
}

/// The operators of a statement, in the order of the text.
struct Operators<'a> {
    parts: PartKinds,
    all: Vec<Operator<'a>>,
    uses: Vec<Use<'a>>,
}

/// The findings about operators, each with the place of the operator and its operands.
pub(super) fn examine(text: &str, statement: &Statement, tree: &Template) -> Vec<Finding> {
    let mut operators =
        Operators { parts: PartKinds::new(tree), all: Vec::new(), uses: Vec::new() };
    for clause in tree.clauses() {
        let (word, condition, holds) = match clause {
            Clause::When(condition) => ("when", condition, true),
            Clause::Unless(condition) => ("unless", condition, false),
        };
        operators.push(
            word,
            (condition, None),
            operators.needs(&[(condition, Side::Right)], Kinds::TRUTH),
        );
        operators.walk(condition, Some(holds));
    }
    if operators.all.iter().all(|operator| operator.fault.is_none()) {
        operators.find_mixed(tree);
    }
    if operators.all.iter().all(|operator| operator.fault.is_none()) {
        return Vec::new();
    }
    let words = traps::words(text, statement);
    let mut of_word: BTreeMap<&str, (Vec<usize>, usize)> = BTreeMap::new();
    let mut findings = Vec::new();
    for operator in operators.all {
        let (places, next) =
            of_word.entry(operator.word).or_insert_with(|| (places(&words, operator.word), 0));
        let at = places.get(*next).copied();
        *next += 1;
        let Some(fault) = &operator.fault else { continue };
        let span = at.map_or_else(|| statement.span.clone(), |at| operands(&words, at));
        let left = at.and_then(|at| {
            let end = words.get(at)?.span.start;
            Some(text.get(span.start..end)?.trim().trim_end_matches('.').to_owned())
        });
        let right = at
            .and_then(|at| text.get(words.get(at)?.span.end..span.end))
            .unwrap_or_default()
            .trim();
        let right = if is_method(operator.word) { in_parentheses(right) } else { right };
        let sides = (left.as_deref().unwrap_or_default(), right);
        findings.push(repairs::finding(statement, &operator, fault, sides, &span));
    }
    findings
}

impl<'a> Operators<'a> {
    /// Looks at the operators in the order of the text. `holds` is what a condition has to be for
    /// the statement to match, where that can be told.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what has no parts has no operators")]
    fn walk(&mut self, expr: &'a Expr, holds: Option<bool>) {
        match expr {
            Expr::UnaryOp { op: UnaryOp::Not, expr } => {
                self.push("!", (expr, None), self.needs(&[(expr, Side::Right)], Kinds::TRUTH));
                self.take(expr, Kinds::TRUTH);
                self.walk(expr, holds.map(|holds| !holds));
            }
            Expr::UnaryOp { op, expr } => {
                let constructor = match op {
                    UnaryOp::Datetime => Some("datetime"),
                    UnaryOp::Decimal => Some("decimal"),
                    UnaryOp::Duration => Some("duration"),
                    UnaryOp::Ip => Some("ip"),
                    _ => None,
                };
                if let Some(constructor) = constructor {
                    self.push(constructor, (expr, None), None);
                    self.take(expr, Kinds::TEXT);
                }
                self.walk(expr, None);
                if *op == UnaryOp::IsEmpty {
                    self.push(
                        "isEmpty",
                        (expr, None),
                        self.needs(&[(expr, Side::Left)], Kinds::SET),
                    );
                    self.take(expr, Kinds::SET);
                }
            }
            Expr::GetAttr { expr, .. } => self.walk(expr, None),
            Expr::HasAttr { expr, .. } => {
                self.walk(expr, None);
                let holders = Kinds::RECORD.union(Kinds::ENTITY);
                self.push("has", (expr, None), self.needs(&[(expr, Side::Left)], holders));
                self.take(expr, Kinds::RECORD);
            }
            Expr::BinaryOp { op, left, right } => {
                let inner = holds.filter(|_| matches!(op, BinaryOp::And | BinaryOp::Or));
                self.walk(left, inner);
                self.binary(*op, left, right, holds);
                self.walk(right, inner);
            }
            Expr::Like { expr, .. } => {
                self.walk(expr, None);
                let found = self.parts.of(expr);
                let fault = (!found.is_empty() && !found.meets(Kinds::TEXT))
                    .then_some(Fault::NoText(found));
                self.push("like", (expr, None), fault);
                self.take(expr, Kinds::TEXT);
            }
            Expr::Is { expr, in_expr, .. } => {
                self.walk(expr, None);
                self.push("is", (expr, None), self.needs(&[(expr, Side::Left)], Kinds::ENTITY));
                if let Some(parent) = in_expr {
                    self.membership(expr, parent);
                    self.walk(parent, None);
                }
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.push("if", (cond, None), self.needs(&[(cond, Side::Right)], Kinds::TRUTH));
                self.walk(cond, None);
                self.walk(then_expr, holds);
                self.walk(else_expr, holds);
            }
            Expr::Set(items) => items.iter().for_each(|item| self.walk(item, None)),
            Expr::Record(fields) => fields.values().for_each(|field| self.walk(field, None)),
            _ => {}
        }
    }

    fn push(
        &mut self,
        word: &'static str,
        (left, right): (&'a Expr, Option<&'a Expr>),
        fault: Option<Fault>,
    ) {
        self.all.push(Operator { word, left, right, in_list: false, fault });
    }

    /// The first operand that is of none of the kinds that are needed; one that errs itself is told
    /// there.
    fn needs(&self, operands: &[(&'a Expr, Side)], needed: Kinds) -> Option<Fault> {
        operands.iter().find_map(|(operand, side)| {
            let found = self.parts.of(operand);
            let fault = Fault::Needs { side: *side, needed, found };
            (!found.is_empty() && !found.meets(needed)).then_some(fault)
        })
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest have no words that are not methods of their own"
    )]
    fn binary(&mut self, op: BinaryOp, left: &'a Expr, right: &'a Expr, holds: Option<bool>) {
        let (own, other) = (self.parts.of(left), self.parts.of(right));
        let err = own.is_empty() || other.is_empty();
        let (word, fault) = match op {
            BinaryOp::In => return self.membership(left, right),
            BinaryOp::Eq | BinaryOp::NotEq => {
                let word = if op == BinaryOp::Eq { "==" } else { "!=" };
                let same = |kind: Kinds| own.meets(kind) && other.meets(kind);
                // What stands on the principal is a trap of its own.
                let principal = [left, right].into_iter().any(traps::mentions_principal);
                let unequal = !err && !principal && !own.meets(other) && !same(Kinds::TRUTH);
                (word, unequal.then_some(Fault::NeverEqual(own, other)))
            }
            BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq => {
                let word = match op {
                    BinaryOp::Less => "<",
                    BinaryOp::LessEq => "<=",
                    BinaryOp::Greater => ">",
                    _ => ">=",
                };
                let no_order = !err && kinds::ordered(own, other).is_empty();
                (word, no_order.then_some(Fault::NoOrder(own, other)))
            }
            BinaryOp::And => {
                ("&&", self.needs(&[(left, Side::Left), (right, Side::Right)], Kinds::TRUTH))
            }
            BinaryOp::Or => {
                ("||", self.needs(&[(left, Side::Left), (right, Side::Right)], Kinds::TRUTH))
            }
            BinaryOp::Add => {
                ("+", self.needs(&[(left, Side::Left), (right, Side::Right)], Kinds::NUMBER))
            }
            BinaryOp::Mul => {
                ("*", self.needs(&[(left, Side::Left), (right, Side::Right)], Kinds::NUMBER))
            }
            BinaryOp::Contains => {
                let fault = self.needs(&[(left, Side::Left)], Kinds::SET);
                ("contains", fault.or_else(|| self.never_in(left, right)))
            }
            BinaryOp::ContainsAll => {
                ("containsAll", self.needs(&[(left, Side::Left), (right, Side::Right)], Kinds::SET))
            }
            BinaryOp::ContainsAny => {
                ("containsAny", self.needs(&[(left, Side::Left), (right, Side::Right)], Kinds::SET))
            }
            BinaryOp::HasTag => ("hasTag", self.needs(&[(left, Side::Left)], Kinds::ENTITY)),
            _ => return,
        };
        self.push(word, (left, Some(right)), fault);
        self.take_both(op, (left, own), (right, other), holds);
    }

    fn membership(&mut self, left: &'a Expr, right: &'a Expr) {
        let entity = |kinds: Kinds| kinds.meets(Kinds::ENTITY);
        let wrong = if let Expr::Set(items) = right {
            items.iter().map(|item| self.parts.of(item)).find(|kinds| !entity(*kinds))
        } else {
            Some(self.parts.of(right)).filter(|kinds| !entity(*kinds))
        };
        let own = self.parts.of(left);
        let fault = if own.is_empty() || wrong.is_some_and(Kinds::is_empty) {
            None
        } else if entity(own) {
            wrong.map(Fault::Right)
        } else {
            Some(Fault::Left(own))
        };
        let in_list = self.parts.of(right).meets(Kinds::SET) && !matches!(right, Expr::Set(_));
        self.all.push(Operator { word: "in", left, right: Some(right), in_list, fault });
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "of other sets the items are not known")]
    fn never_in(&self, left: &'a Expr, right: &'a Expr) -> Option<Fault> {
        let sought = self.parts.of(right);
        let items = match left {
            Expr::Set(items) if !items.is_empty() => {
                items.iter().fold(Kinds::NONE, |all, item| all.union(self.parts.of(item)))
            }
            // The sets that resources have hold texts.
            left if self.parts.of(left) == Kinds::SET && matches!(left, Expr::GetAttr { .. }) => {
                Kinds::TEXT
            }
            _ => return None,
        };
        let truths = items.meets(Kinds::TRUTH) && sought.meets(Kinds::TRUTH);
        let may_hold = sought.is_empty() || items.meets(sought) || truths;
        (!may_hold).then_some(Fault::NeverIn(items, sought))
    }

    /// Notes that the last operator takes an argument for a kind.
    fn take(&mut self, expr: &'a Expr, kind: Kinds) {
        let kind = if kind.meets(Kinds::TRUTH) && kind.is_single() { Kinds::TRUTH } else { kind };
        let path =
            path(expr).filter(|path| matches!(path.as_slice(), ["args", _, ..] | ["request_time"]));
        if let Some(path) = path.filter(|_| kind.is_single()) {
            self.uses.push(Use { path, kind, operator: self.all.len().saturating_sub(1) });
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest takes whatever there is")]
    fn take_both(
        &mut self,
        op: BinaryOp,
        (left, own): (&'a Expr, Kinds),
        (right, other): (&'a Expr, Kinds),
        holds: Option<bool>,
    ) {
        match op {
            // Of what must not be equal, another kind is not.
            BinaryOp::Eq if holds == Some(true) => {
                self.take(left, other);
                self.take(right, own);
            }
            BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq => {
                self.take(left, kinds::ordered(own, other));
                self.take(right, kinds::ordered(own, other));
            }
            BinaryOp::Add | BinaryOp::Mul => {
                self.take(left, Kinds::NUMBER);
                self.take(right, Kinds::NUMBER);
            }
            BinaryOp::And | BinaryOp::Or => {
                self.take(left, Kinds::TRUTH);
                self.take(right, Kinds::TRUTH);
            }
            BinaryOp::Contains => {
                self.take(left, Kinds::SET);
                if let (Expr::Set(items), Some(true)) = (left, holds) {
                    let items =
                        items.iter().fold(Kinds::NONE, |all, item| all.union(self.parts.of(item)));
                    self.take(right, items);
                }
            }
            BinaryOp::ContainsAll | BinaryOp::ContainsAny => {
                self.take(left, Kinds::SET);
                self.take(right, Kinds::SET);
            }
            _ => {}
        }
    }

    /// Finds arguments that are taken for a kind of which the statement never matches.
    fn find_mixed(&mut self, tree: &Template) {
        let mut by_path: BTreeMap<&[&str], Vec<&Use<'_>>> = BTreeMap::new();
        for one in &self.uses {
            by_path.entry(&one.path).or_default().push(one);
        }
        let mut mixed = Vec::new();
        for (path, uses) in by_path.into_iter().take(MOST_PATHS) {
            let matches = |kinds: Kinds| kinds::may_match(tree, Assumption { path, kinds });
            let Some(first) = uses.first().filter(|_| matches(Kinds::ANY)) else { continue };
            let lives =
                uses.iter().find(|one| matches(one.kind)).map_or(first.kind, |one| one.kind);
            let dead = uses.iter().find(|one| !one.kind.meets(lives) && !matches(one.kind));
            mixed.extend(dead.map(|one| (one.operator, Fault::Both(one.kind, lives))));
        }
        for (operator, fault) in mixed {
            if let Some(operator) = self.all.get_mut(operator) {
                operator.fault.get_or_insert(fault);
            }
        }
    }
}

fn is_method(word: &str) -> bool {
    matches!(word, "contains" | "containsAll" | "containsAny" | "isEmpty" | "hasTag")
}

/// The positions of a word in the conditions.
fn places(words: &[Token<'_>], wanted: &str) -> Vec<usize> {
    let from =
        words.iter().position(|word| matches!(word.text, "when" | "unless")).unwrap_or(words.len());
    let is_operator = |at: &usize| {
        words.get(*at).is_some_and(|word| word.kind != Kind::Text && word.text == wanted)
            // A name after a dot is an attribute, except for the method.
            && is_method(wanted) == at.checked_sub(1).and_then(|at| words.get(at)).is_some_and(|word| word.text == ".")
    };
    (from..words.len()).filter(is_operator).collect()
}

/// The argument of a method.
fn in_parentheses(text: &str) -> &str {
    text.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(text).trim()
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
mod tests;
