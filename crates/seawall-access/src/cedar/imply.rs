//! Implications between requirements, according to their form.
//!
//! Invariant: a positive answer holds for every request for which the given requirement evaluates
//! to true. The values that it reads then exist and have the types that they are compared with, so
//! that the other requirement does not fail.
//!
//! `a || b` is true without reading `b` if `a` is true, but it fails if `a` fails. So `b` implies
//! `a || b` only where `a` cannot fail: [`Known::evaluates`]. Negations are moved to the atoms,
//! which keeps the order of evaluation: `!(a && b)` is `!a || !b` for every value of both, failures
//! included.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, EntityUID, Expr, Literal, PatternElem, UnaryOp, Var};

use super::schema::AttributeType;

/// The attributes that every resource of the statement has, with their types.
pub(super) type Attributes = BTreeMap<&'static str, AttributeType>;

/// The most steps of one proof. Beyond them, nothing is proven.
const MOST_STEPS: usize = 2_000;

/// Returns `true` if `required` holds whenever `given` does.
pub(super) fn implies(given: &Expr, required: &Expr, attributes: &Attributes) -> bool {
    if given == required {
        return true;
    }
    let steps = Cell::new(MOST_STEPS);
    Proof { attributes, steps: &steps }.implies((given, true), (required, true))
}

/// Returns `true` if a requirement may imply a different one, apart from those that
/// [`is_compound`].
pub(super) fn implies_others(given: &Expr) -> bool {
    let (atom, _) = bare((given, true));
    is_compound(given)
        || interval(atom).is_some()
        || compared(atom, BinaryOp::Eq).is_some()
        || one_of(atom).is_some()
}

/// Returns `true` if a requirement has several conditions, or the negation of one, so that one with
/// another form may imply it.
pub(super) fn is_compound(required: &Expr) -> bool {
    let bare = bare((required, true));
    halves(bare).is_some() || !bare.1
}

/// A condition, and the value that it must have.
type Demand<'a> = (&'a Expr, bool);

/// The two halves of a condition: both have to hold, or one of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Junction {
    Every,
    Any,
}

/// The demand without negations and comparisons with `true` and `false`.
fn bare((expr, holds): Demand<'_>) -> Demand<'_> {
    if let Expr::UnaryOp { op: UnaryOp::Not, expr } = expr {
        return bare((expr, !holds));
    }
    // `x == true` is false for a number, where `x` fails.
    if let (Expr::BinaryOp { op: BinaryOp::Eq, left, right }, true) = (expr, holds)
        && let Expr::Literal(Literal::Bool(value)) = **right
    {
        return bare((left, value));
    }
    (expr, holds)
}

fn halves((expr, holds): Demand<'_>) -> Option<(Junction, Demand<'_>, Demand<'_>)> {
    let Expr::BinaryOp { op, left, right } = expr else { return None };
    let junction = match (op, holds) {
        (BinaryOp::And, true) | (BinaryOp::Or, false) => Junction::Every,
        (BinaryOp::Or, true) | (BinaryOp::And, false) => Junction::Any,
        _ => return None,
    };
    Some((junction, bare((left, holds)), bare((right, holds))))
}

/// The parts of a demand that are joined alike, in the order of evaluation.
fn parts<'a>(demand: Demand<'a>, by: Junction, all: &mut Vec<Demand<'a>>) {
    match halves(demand) {
        Some((junction, left, right)) if junction == by => {
            parts(left, by, all);
            parts(right, by, all);
        }
        Some(_) | None => all.push(demand),
    }
}

/// A search for a proof.
#[derive(Clone, Copy)]
struct Proof<'a> {
    attributes: &'a Attributes,
    /// The steps that are left.
    steps: &'a Cell<usize>,
}

impl Proof<'_> {
    /// Returns `true` if the one demand is met whenever the other one is.
    fn implies(self, given: Demand<'_>, required: Demand<'_>) -> bool {
        let Some(left) = self.steps.get().checked_sub(1) else { return false };
        self.steps.set(left);
        let (given, required) = (bare(given), bare(required));
        if given == required {
            return true;
        }
        if let Some((Junction::Any, left, right)) = halves(given) {
            return self.implies(left, required) && self.implies(right, required);
        }
        if let Some((Junction::Every, left, right)) = halves(required) {
            return self.implies(given, left) && self.implies(given, right);
        }
        let (mut known, mut wanted) = (Vec::new(), Vec::new());
        parts(given, Junction::Every, &mut known);
        parts(required, Junction::Any, &mut wanted);
        let is_atom = |demand: &Demand<'_>| halves(*demand).is_none();
        // One of several possibilities that all imply the requirement.
        if known.iter().any(|known| !is_atom(known) && self.implies(*known, required)) {
            return true;
        }
        known.retain(is_atom);
        let known = Known { atoms: &known, attributes: self.attributes };
        for wanted in wanted {
            let follows = match is_atom(&wanted) {
                true => known.atoms.iter().any(|atom| known.implies(*atom, wanted)),
                false => self.implies(given, wanted),
            };
            if follows {
                return true;
            }
            // It is evaluated before the others.
            if !known.evaluates(wanted.0) {
                return false;
            }
        }
        false
    }
}

/// Conditions that were evaluated, each with its value.
#[derive(Clone, Copy)]
struct Known<'a> {
    atoms: &'a [Demand<'a>],
    attributes: &'a Attributes,
}

impl Known<'_> {
    /// Returns `true` if an atom that is known implies another one.
    fn implies(self, given: Demand<'_>, required: Demand<'_>) -> bool {
        if given == required {
            return true;
        }
        if let Some(equality) = inequality(given.0) {
            return self.implies((&equality, !given.1), required);
        }
        if let Some(equality) = inequality(required.0) {
            return self.implies(given, (&equality, !required.1));
        }
        match (given, required) {
            ((given, true), (required, true)) => atom_implies(given, required),
            ((given, true), (required, false)) => {
                contradict(given, required) && self.evaluates(required)
            }
            ((given, false), (required, false)) => {
                atom_implies(required, given) && self.evaluates(required)
            }
            ((_, false), (_, true)) => false,
        }
    }

    /// Returns `true` if a condition is certain to be true or false: everything that it reads is
    /// there, and of the type that its operator takes.
    fn evaluates(self, condition: &Expr) -> bool {
        if let Expr::UnaryOp { op: UnaryOp::Not, expr } = condition {
            return self.evaluates(expr);
        }
        if let Expr::BinaryOp { op: BinaryOp::And | BinaryOp::Or, left, right } = condition {
            return self.evaluates(left) && self.evaluates(right);
        }
        if self.atoms.iter().any(|(atom, _)| *atom == condition) {
            return true;
        }
        if let Some(equality) = inequality(condition) {
            return self.evaluates(&equality);
        }
        if let Expr::Literal(Literal::Bool(_)) = condition {
            return true;
        }
        if let Expr::Is { expr, in_expr: None, .. } = condition {
            return is_resource(expr);
        }
        if let Expr::BinaryOp { op: BinaryOp::In, .. } = condition {
            return compared(condition, BinaryOp::In).is_some();
        }
        if let Expr::Like { expr, .. } = condition {
            return self.is_text(expr);
        }
        if self.attribute(condition) == Some(AttributeType::Bool) {
            return true;
        }
        if let Some((subject, _)) = one_of(condition) {
            return self.reads(subject);
        }
        interval(condition).is_some_and(|(subject, _)| self.is_number(subject))
    }

    /// The type of an attribute that the resource certainly has.
    fn attribute(self, expr: &Expr) -> Option<AttributeType> {
        let Expr::GetAttr { expr, attr } = expr else { return None };
        is_resource(expr).then(|| self.attributes.get(attr.as_str()).copied()).flatten()
    }

    /// Returns `true` if a value is certainly there.
    fn reads(self, value: &Expr) -> bool {
        let is_read = |(atom, _): &Demand<'_>| {
            let in_like = matches!(atom, Expr::Like { expr, .. } if **expr == *value);
            let compared = one_of(atom).map(|(subject, _)| subject);
            let counted = interval(atom).map(|(subject, _)| subject);
            *atom == value || in_like || compared == Some(value) || counted == Some(value)
        };
        is_resource(value) || self.attribute(value).is_some() || self.atoms.iter().any(is_read)
    }

    fn is_text(self, value: &Expr) -> bool {
        let is_text = |literal: &&Literal| matches!(literal, Literal::String(_));
        self.attribute(value) == Some(AttributeType::String)
            || self.atoms.iter().any(|(atom, holds)| {
                let in_like = matches!(atom, Expr::Like { expr, .. } if **expr == *value);
                let is_one_of = one_of(atom).is_some_and(|(subject, values)| {
                    subject == value && values.iter().all(is_text)
                });
                in_like || (*holds && is_one_of)
            })
    }

    fn is_number(self, value: &Expr) -> bool {
        self.atoms.iter().any(|(atom, holds)| {
            // `n == 5` is false for a text.
            let is_equality = matches!(atom, Expr::BinaryOp { op: BinaryOp::Eq, .. });
            interval(atom).is_some_and(|(subject, _)| subject == value && (*holds || !is_equality))
        })
    }
}

/// For `a != b`, the equality that it negates.
fn inequality(expr: &Expr) -> Option<Expr> {
    let Expr::BinaryOp { op: BinaryOp::NotEq, left, right } = expr else { return None };
    Some(Expr::BinaryOp { op: BinaryOp::Eq, left: Arc::clone(left), right: Arc::clone(right) })
}

/// Returns `true` if `required` holds whenever `given` does; both are conditions without parts.
fn atom_implies(given: &Expr, required: &Expr) -> bool {
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
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::super::{
        McpPolicies, McpRequest, Outcome, SCHEMA_URL, Statement, cover, statements,
    };
    use crate::model::{Body, Cedar, Policy, Scope};

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
            // one of several, and all of several
            ("resource.readOnly", r#"resource.readOnly || resource.name == "a""#, true),
            (r#"resource.readOnly || resource.name == "a""#, "resource.readOnly", false),
            ("resource.readOnly && resource.destructive", "resource.destructive", true),
            (
                "resource.readOnly",
                "(resource.readOnly && resource.destructive) || resource.openWorld",
                false,
            ),
            ("!resource.readOnly", "!(resource.readOnly && resource.destructive)", true),
            ("!resource.readOnly", "!(resource.readOnly || resource.destructive)", false),
            ("!(resource.readOnly || resource.destructive)", "!resource.readOnly", true),
            // what stands before it may fail
            (r#"resource.name == "a""#, r#"resource.readOnly || resource.name == "a""#, false),
            (
                r#"resource == MCP::Server::"a""#,
                r#"resource == MCP::Server::"b" || resource == MCP::Server::"a""#,
                true,
            ),
            (r#"resource.name == "a""#, r#"resource.name == "b" || resource.name like "a*""#, true),
            (r#"context.args.n == "a""#, r#"context.args.n < 3 || context.args.n == "a""#, false),
            ("context.args.n == 5", "context.args.n < 3 || context.args.n > 4", true),
            ("context.args.n == 5", "context.args.m < 3 || context.args.n > 4", false),
            // negations
            (r#"resource.name == "a""#, r#"!(resource.name == "b")"#, true),
            (r#"resource.name == "a""#, r#"resource.name != "b""#, true),
            (r#"resource.name == "a""#, "!resource.readOnly", false),
            ("!(context.args.n < 5)", "!(context.args.n < 3)", true),
            ("!(context.args.n < 3)", "!(context.args.n < 5)", false),
            ("!(context.args.n == 5)", "!(context.args.n < 3)", false),
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
    fn what_stands_before_it_cannot_fail_where_every_resource_has_it() {
        let statement = |action: &str, condition: &str| {
            let text = format!(
                "permit (principal, action in [{action}], resource) when {{ {condition} }};"
            );
            statements(&text).expect("it is Cedar").swap_remove(0)
        };
        let (tool, prompt) = (r#"MCP::Action::"invokeTool""#, r#"MCP::Action::"getPrompt""#);
        for (given, required) in [
            (r#"resource.name == "a""#, r#"resource.readOnly || resource.name == "a""#),
            (
                r#"(resource.readOnly && resource.destructive) || resource.name == "a""#,
                r#"resource.readOnly || resource.name == "a""#,
            ),
        ] {
            let covers = |actions: &str| {
                cover::covers(&statement(actions, required), &statement(actions, given))
            };
            assert!(covers(tool), "{given}");
            // A prompt has no `readOnly`: the engine skips the statement.
            assert!(!covers(prompt), "{given}");
            assert!(!covers(&format!("{tool}, {prompt}")), "{given}");
        }
    }

    /// The requests that the conditions below can distinguish, and some where they fail.
    fn requests() -> Vec<McpRequest> {
        let arguments = [
            "",
            r#""args": {"n": 2}"#,
            r#""args": {"n": 5}"#,
            r#""args": {"n": "a"}"#,
            r#""args": {}"#,
        ];
        let mut all = vec!["register a".to_owned(), "getPrompt a/a".to_owned()];
        for server in ["a", "b"] {
            for (name, arguments) in
                ["a", "ab", "c"].into_iter().flat_map(|name| arguments.map(|own| (name, own)))
            {
                for flags in 0..4 {
                    let said = format!(
                        r#""readOnly": {}, "destructive": {}"#,
                        flags & 1 == 1,
                        flags & 2 == 2
                    );
                    let arguments =
                        if arguments.is_empty() { said } else { format!("{said}, {arguments}") };
                    all.push(format!("invokeTool {server}/{name} {{{arguments}}}"));
                }
            }
        }
        all.iter().map(|text| McpRequest::parse(text).expect(text)).collect()
    }

    #[test]
    fn a_statement_that_is_covered_matches_nothing_else() {
        let atoms = [
            "resource.readOnly",
            r#"resource.name == "a""#,
            r#"resource.name != "c""#,
            r#"resource.name like "a*""#,
            r#"resource in MCP::Server::"a""#,
            "context.args.n < 3",
            "context.args.n == 5",
            r#"context.args.n == "a""#,
        ];
        let mut conditions: Vec<String> = atoms.map(str::to_owned).to_vec();
        conditions.extend(atoms.map(|atom| format!("!({atom})")));
        for (one, other) in atoms.iter().flat_map(|one| atoms.map(|other| (one, other))) {
            conditions.push(format!("{one} || {other}"));
            conditions.push(format!("!({one} && {other})"));
        }
        let scope = Scope::Organization;
        let requests = requests();
        let decided: Vec<(Arc<Statement>, Vec<bool>)> = conditions
            .iter()
            .map(|condition| {
                let statement = statement(condition);
                let cedar =
                    Cedar { text: statement.source.clone(), schema_url: SCHEMA_URL.to_owned() };
                let policy =
                    Policy { name: "p".to_owned(), scope: scope.clone(), body: Body::Cedar(cedar) };
                let policies = McpPolicies::new(&[policy]);
                let allowed = |request: &McpRequest| {
                    policies.decide(&BTreeSet::new(), request).outcome == Outcome::Allow
                };
                (statement, requests.iter().map(allowed).collect())
            })
            .collect();
        let (mut proven, mut holding) = (0, 0);
        for ((inner, matched), (outer, also)) in
            decided.iter().flat_map(|inner| decided.iter().map(move |outer| (inner, outer)))
        {
            let holds = matched.iter().zip(also).all(|(inner, outer)| *outer || !inner);
            let covers = cover::covers(outer, inner);
            assert!(holds || !covers, "{}\n{}", inner.source, outer.source);
            (proven, holding) = (proven + usize::from(covers), holding + usize::from(holds));
        }
        // Some coverages hold without a proof.
        assert!(proven * 4 > holding, "{proven} proofs for {holding} pairs");
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
