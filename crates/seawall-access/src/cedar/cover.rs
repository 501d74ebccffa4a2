//! Decides if one statement subsumes another, and if a statement matches no request.
//!
//! Invariant: `true` is proven from the form of the statements; `false` only means that no proof
//! was found.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use cedar_policy::pst::{
    ActionConstraint, BinaryOp, Clause, EntityOrSlot, Expr, Literal, PrincipalConstraint,
    ResourceConstraint, Template, UnaryOp, Var,
};

use super::finding::{Finding, code};
use super::imply::{Attributes, contradict, implies, implies_others, is_compound};
use super::schema::{self, McpAction};
use super::{Effect, Statement};
use crate::hash::HashMap;

/// The number of comparisons of requirements for one index. Requirements that are not compared
/// count as not covered.
const MOST_COMPARISONS: usize = 20_000_000;

/// The actions of a statement; `None` for all.
type Actions = Option<BTreeSet<String>>;

/// The requirements of a statement, according to its form.
struct Form {
    principal: PrincipalConstraint,
    actions: Actions,
    requirements: Vec<Expr>,
}

impl Form {
    fn new(statement: &Statement) -> Option<Self> {
        let tree = statement.tree.as_ref()?;
        let (principal, actions) = (tree.principal.clone(), named(&tree.action));
        Some(Self { principal, actions, requirements: requirements(tree) })
    }

    /// Returns `true` if its scope contains that of another one, without the resources.
    fn has_wider_scope(&self, inner: &Self) -> bool {
        let actions = match (&self.actions, &inner.actions) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(outer), Some(inner)) => inner.is_subset(outer),
        };
        actions && (self.principal == PrincipalConstraint::Any || self.principal == inner.principal)
    }

    /// The attributes that every resource has, by its actions.
    fn attributes(&self) -> Attributes {
        let is_named = |action: &McpAction| match &self.actions {
            None => true,
            Some(actions) => actions.contains(&format!("MCP::Action::\"{action}\"")),
        };
        let mut types = McpAction::ALL.into_iter().filter(is_named).map(McpAction::resource_type);
        let Some(first) = types.next() else { return Attributes::new() };
        let mut common: Attributes = schema::attributes(first).collect();
        for other in types {
            let other: Attributes = schema::attributes(other).collect();
            common.retain(|name, kind| other.get(name) == Some(kind));
        }
        common
    }
}

/// Returns `true` if `outer` matches every request that `inner` matches.
///
/// A statement matches if its scope and all its conditions hold without an error. A statement whose
/// requirements are all among those of another one therefore matches whenever the other one does.
/// Recursive: call it with [`super::with_deep_stack`].
#[must_use]
pub fn covers(outer: &Statement, inner: &Statement) -> bool {
    let (Some(outer), Some(inner)) = (Form::new(outer), Form::new(inner)) else { return false };
    let (given, attributes) = (&inner.requirements, inner.attributes());
    outer.has_wider_scope(&inner)
        && outer
            .requirements
            .iter()
            .all(|required| given.iter().any(|given| implies(given, required, &attributes)))
}

/// An index of statements by their requirements, to find those that cover another statement.
///
/// Most requirements imply nothing but themselves, so that they are looked up instead of compared.
/// A statement is checked only if its rarest requirement is given.
pub struct Covering<T> {
    outers: Vec<Outer<T>>,
    /// The distinct requirements, by their text.
    numbers: HashMap<String, usize>,
    required: Vec<Expr>,
    /// For each requirement, the statements whose rarest requirement it is.
    by_rarest: Vec<Vec<usize>>,
    /// The statements without requirements.
    free: Vec<usize>,
    /// The requirements that others with another form may imply, in order.
    compound: Vec<usize>,
    /// The requirements that a requirement implies, by its text, and by the actions of its
    /// statement where these matter.
    implied: HashMap<(String, Actions), Rc<[usize]>>,
    comparisons: usize,
}

struct Outer<T> {
    value: T,
    form: Form,
    requirements: Vec<usize>,
}

impl<T> Covering<T> {
    /// An index of statements, each with a value. Recursive like [`covers`], as are its lookups.
    pub fn new<'a>(statements: impl IntoIterator<Item = (T, &'a Statement)>) -> Self {
        let mut index = Self {
            outers: Vec::new(),
            numbers: HashMap::default(),
            required: Vec::new(),
            by_rarest: Vec::new(),
            free: Vec::new(),
            compound: Vec::new(),
            implied: HashMap::default(),
            comparisons: 0,
        };
        for (value, statement) in statements {
            let Some(form) = Form::new(statement) else { continue };
            let mut requirements: Vec<usize> =
                form.requirements.iter().map(|one| index.number(one)).collect();
            requirements.sort_unstable();
            requirements.dedup();
            index.outers.push(Outer { value, form, requirements });
        }
        let mut uses = vec![0_usize; index.required.len()];
        for number in index.outers.iter().flat_map(|outer| &outer.requirements) {
            uses.iter_mut().skip(*number).take(1).for_each(|uses| *uses += 1);
        }
        index.by_rarest = vec![Vec::new(); index.required.len()];
        for (at, outer) in index.outers.iter().enumerate() {
            let rarest = outer.requirements.iter().min_by_key(|number| uses.get(**number));
            let place = rarest.and_then(|number| index.by_rarest.get_mut(*number));
            place.unwrap_or(&mut index.free).push(at);
        }
        index
    }

    fn number(&mut self, requirement: &Expr) -> usize {
        *self.numbers.entry(format!("{requirement:?}")).or_insert_with(|| {
            let number = self.required.len();
            self.required.push(requirement.clone());
            self.compound.extend(is_compound(requirement).then_some(number));
            number
        })
    }

    /// The values of the statements that cover a statement, in order.
    pub fn find(&mut self, inner: &Statement) -> Vec<&T> {
        let Some(inner) = Form::new(inner) else { return Vec::new() };
        let implied: BTreeSet<usize> = inner
            .requirements
            .iter()
            .flat_map(|given| self.implied(given, &inner).iter().copied().collect::<Vec<_>>())
            .collect();
        let mut found: Vec<usize> = implied
            .iter()
            .filter_map(|number| self.by_rarest.get(*number))
            .flatten()
            .chain(&self.free)
            .copied()
            .collect();
        found.sort_unstable();
        let covers = |outer: &&Outer<T>| {
            outer.requirements.iter().all(|number| implied.contains(number))
                && outer.form.has_wider_scope(&inner)
        };
        found
            .into_iter()
            .filter_map(|at| self.outers.get(at))
            .filter(covers)
            .map(|outer| &outer.value)
            .collect()
    }

    /// The requirements that a requirement of a statement implies.
    fn implied(&mut self, given: &Expr, statement: &Form) -> Rc<[usize]> {
        let text = format!("{given:?}");
        let same = self.numbers.get(&text).copied();
        let actions = if self.compound.is_empty() { None } else { statement.actions.clone() };
        let key = (text, actions);
        if let Some(known) = self.implied.get(&key) {
            return Rc::clone(known);
        }
        let candidates: Vec<usize> = match (self.is_complete(), implies_others(given)) {
            (false, _) => Vec::new(),
            (true, true) => (0..self.required.len()).collect(),
            (true, false) => self.compound.clone(),
        };
        self.comparisons += candidates.len();
        let attributes =
            if candidates.is_empty() { Attributes::new() } else { statement.attributes() };
        let is_implied = |number: &usize| {
            same == Some(*number)
                || self
                    .required
                    .get(*number)
                    .is_some_and(|required| implies(given, required, &attributes))
        };
        let mut implied: Vec<usize> = candidates.into_iter().filter(is_implied).collect();
        implied.extend(same.filter(|same| !implied.contains(same)));
        let implied: Rc<[usize]> = implied.into();
        self.implied.insert(key, Rc::clone(&implied));
        implied
    }

    /// Returns `true` if everything was compared.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.comparisons <= MOST_COMPARISONS
    }
}

/// Returns `true` if no request matches both.
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

/// The permits of a text that a forbid of the text covers.
pub(super) fn covered_permits(found: &[Arc<Statement>]) -> Vec<Finding> {
    let of = |effect| found.iter().filter(move |statement| statement.effect == effect);
    let mut forbids = Covering::new(of(Effect::Forbid).map(|forbid| ((), &**forbid)));
    of(Effect::Permit)
        .filter(|permit| !forbids.find(permit).is_empty())
        .map(|permit| covered(permit))
        .collect()
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

/// The requirements for a match of a statement, including the scope of its resource.
pub(super) fn requirements(statement: &Template) -> Vec<Expr> {
    let mut all = of_resource(&statement.resource);
    for clause in statement.clauses() {
        match clause {
            Clause::When(condition) => conjuncts(condition, &mut all),
            Clause::Unless(condition) => {
                all.push(Expr::UnaryOp { op: UnaryOp::Not, expr: Arc::clone(condition) })
            }
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

#[cfg(test)]
mod tests {
    use super::super::statements;
    use super::{Covering, covers};

    #[test]
    fn an_index_finds_what_comparing_all_finds() {
        let scopes = [
            "principal, action, resource",
            "principal, action == MCP::Action::\"invokeTool\", resource",
        ];
        let conditions = [
            "true",
            "resource.readOnly",
            r#"resource.readOnly && resource.name like "get_*""#,
            r#"resource.name like "get_*""#,
            r#"resource.name == "get_x""#,
            r#"["get_x", "get_y"].contains(resource.name)"#,
            r#"resource.name == "get_x" && resource.readOnly && context.args.n < 5"#,
            "context.args.n <= 5",
            "context.args.n == 3",
            r#"resource.readOnly || resource.name == "get_x""#,
            r#"resource.name like "get_*" || resource.readOnly"#,
            r#"!(resource.readOnly && resource.name == "get_x")"#,
            "!resource.readOnly",
        ];
        let text: String = scopes
            .iter()
            .flat_map(|scope| {
                conditions.iter().map(move |one| format!("permit ({scope}) when {{ {one} }};\n"))
            })
            .collect();
        let found = statements(&text).expect("it is Cedar");
        let mut index = Covering::new(found.iter().enumerate().map(|(at, one)| (at, &**one)));
        for inner in &found {
            let expected: Vec<usize> = found
                .iter()
                .enumerate()
                .filter(|(_, outer)| covers(outer, inner))
                .map(|(at, _)| at)
                .collect();
            let indexed: Vec<usize> = index.find(inner).into_iter().copied().collect();
            assert_eq!(indexed, expected, "{}", inner.source);
        }
    }

    #[test]
    fn patterns_are_looked_up_and_not_compared() {
        let text: String = (0..500)
            .map(|n| format!("permit (principal, action, resource) when {{ resource.name like \"*{n}*\" }};\n"))
            .collect();
        let found = statements(&text).expect("it is Cedar");
        let mut index = Covering::new(found.iter().enumerate().map(|(at, one)| (at, &**one)));
        assert!(found.iter().enumerate().all(|(at, inner)| index.find(inner) == [&at]));
        assert_eq!(index.comparisons, 0);
    }
}
