//! Example requests made of the names, numbers and patterns that statements compare with.
//!
//! Invariant: the same statements give the same requests in the same order; those that match the
//! first statement come first.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::pst::{
    BinaryOp, Clause, EntityOrSlot, EntityUID, Expr, Literal, PatternElem, ResourceConstraint,
    Template, UnaryOp, Var,
};
use serde_json::{Map, Value};

use super::arguments::path;
use super::validate::actions_in_scope;
use super::{McpAction, McpRequest, schema};
use crate::hash::HashSet;

/// A part of a request that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Server,
    /// The id of a resource of this type.
    Target(String),
    Attribute(String),
    /// An argument, below `context.args`.
    Argument(Vec<String>),
    RequestTime,
}

/// The values that statements compare parts with, the most promising first.
#[derive(Debug, Default)]
struct Values {
    by_part: BTreeMap<Part, Choice>,
    known: HashSet<(Part, Value)>,
}

/// The most values of one part, promising or not: more than there are requests for one statement.
const MOST_VALUES: usize = 1_000;

/// The values of one part.
#[derive(Debug, Default)]
struct Choice {
    promising: Vec<Value>,
    others: Vec<Value>,
}

impl Choice {
    /// The promising values first; `null` stands for a value that no statement compares with.
    fn values(&self) -> Vec<&Value> {
        self.promising.iter().chain([&Value::Null]).chain(&self.others).collect()
    }
}

/// Up to `most` requests that the first of these statements may match, varied by the values in the
/// others.
pub(super) fn requests(first: &Template, others: &[&Template], most: usize) -> Vec<McpRequest> {
    let mut values = Values::default();
    values.add_statement(first);
    others.iter().for_each(|other| values.add_statement(other));
    let actions: Vec<McpAction> = actions_in_scope(&first.action).into_iter().collect();
    let each = most.checked_div(actions.len()).unwrap_or(0);
    actions.into_iter().flat_map(|action| values.requests(action, each)).collect()
}

impl Values {
    fn add_statement(&mut self, statement: &Template) {
        match &statement.resource {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => {}
            ResourceConstraint::Eq(uid)
            | ResourceConstraint::In(uid)
            | ResourceConstraint::IsIn(_, uid) => {
                if let EntityOrSlot::Entity(uid) = uid {
                    self.entity(uid);
                }
            }
        }
        for clause in statement.clauses() {
            match clause {
                Clause::When(condition) => self.condition(condition, true),
                Clause::Unless(condition) => self.condition(condition, false),
            }
        }
    }

    /// Collects values from a condition that should be true, or false.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what compares nothing offers no value")]
    fn condition(&mut self, expr: &Expr, wanted: bool) {
        match expr {
            Expr::UnaryOp { op: UnaryOp::Not, expr } => self.condition(expr, !wanted),
            Expr::BinaryOp { op: BinaryOp::And | BinaryOp::Or, left, right } => {
                self.condition(left, wanted);
                self.condition(right, wanted);
            }
            Expr::BinaryOp { op, left, right } => {
                self.comparison(*op, left, right, wanted);
                self.condition(left, wanted);
                self.condition(right, wanted);
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr]
                    .into_iter()
                    .for_each(|part| self.condition(part, wanted));
            }
            Expr::Like { expr, pattern } => {
                if let Some(part) = part_of(expr) {
                    self.offer(part.clone(), instance(pattern, "").into(), wanted);
                    self.offer(part, instance(pattern, "x").into(), wanted);
                }
            }
            Expr::HasAttr { expr, attrs } => {
                if let (Some(mut names), true) = (path(expr), wanted) {
                    names.extend(attrs.iter().map(|attr| attr.as_str()));
                    if let ["args", names @ ..] = names.as_slice()
                        && !names.is_empty()
                    {
                        self.offer(
                            Part::Argument(names.iter().map(|name| (*name).to_owned()).collect()),
                            "x".into(),
                            false,
                        );
                    }
                }
            }
            Expr::GetAttr { .. } => {
                if let Some(part) = part_of(expr) {
                    self.offer(part, wanted.into(), true);
                }
            }
            _ => {}
        }
    }

    fn comparison(&mut self, op: BinaryOp, left: &Expr, right: &Expr, wanted: bool) {
        if let (Expr::Var(Var::Resource), Expr::Literal(Literal::EntityUID(uid))) = (left, right) {
            self.entity(uid);
        }
        if let (BinaryOp::Contains, Expr::Set(items), Some(part)) = (op, left, part_of(right)) {
            items
                .iter()
                .filter_map(|item| constant(item))
                .for_each(|value| self.offer(part.clone(), value, wanted));
        }
        if let (BinaryOp::Contains, Some(part), Some(value)) = (op, part_of(left), constant(right))
        {
            self.offer(part, Value::Array(vec![value]), wanted);
        }
        for (one, other) in [(left, right), (right, left)] {
            let (Some(part), Some(value)) = (part_of(one), constant(other)) else { continue };
            let near = value.as_i64().map(|number| [number.checked_sub(1), number.checked_add(1)]);
            self.offer(part.clone(), value, wanted == (op != BinaryOp::NotEq));
            near.into_iter()
                .flatten()
                .flatten()
                .for_each(|number| self.offer(part.clone(), number.into(), false));
        }
    }

    fn entity(&mut self, uid: &EntityUID) {
        let kind = uid.ty.0.id.as_str();
        let part = if kind == "Server" { Part::Server } else { Part::Target(kind.to_owned()) };
        self.offer(part, uid.eid.as_str().into(), true);
    }

    /// Adds a value before less promising ones.
    fn offer(&mut self, part: Part, value: Value, promising: bool) {
        // A name may belong to a tool or to a prompt.
        let parts = match &part {
            Part::Attribute(name) if name == "name" => {
                vec![Part::Target("Tool".into()), Part::Target("Prompt".into())]
            }
            Part::Attribute(name) if name == "uri" => vec![Part::Target("Resource".into())],
            Part::Server
            | Part::Target(_)
            | Part::Attribute(_)
            | Part::Argument(_)
            | Part::RequestTime => vec![part],
        };
        for part in parts {
            let choice = self.by_part.entry(part.clone()).or_default();
            let values = if promising { &mut choice.promising } else { &mut choice.others };
            if values.len() < MOST_VALUES && self.known.insert((part, value.clone())) {
                values.push(value.clone());
            }
        }
    }

    /// Requests of one action: every combination of values, with the first parts varying fastest.
    fn requests(&self, action: McpAction, most: usize) -> Vec<McpRequest> {
        let parts: Vec<(&Part, Vec<&Value>)> = self
            .by_part
            .iter()
            .filter(|(part, _)| belongs(part, action))
            .map(|(part, choice)| (part, choice.values()))
            .collect();
        let choices =
            parts.iter().map(|(_, values)| values.len()).try_fold(1_usize, usize::checked_mul);
        let count = choices.unwrap_or(usize::MAX).min(most);
        let mut requests = Vec::new();
        for number in 0..count {
            let mut rest = number;
            let mut chosen: BTreeMap<&Part, &Value> = BTreeMap::new();
            for (part, values) in &parts {
                if let Some(value) = values.get(rest % values.len()) {
                    chosen.insert(*part, *value);
                }
                rest /= values.len();
            }
            requests.extend(assemble(action, &chosen));
        }
        requests
    }
}

fn belongs(part: &Part, action: McpAction) -> bool {
    match part {
        Part::Server => action != McpAction::InvokePrimordial,
        Part::Target(kind) => action != McpAction::Register && kind == action.resource_type(),
        Part::Attribute(name) => {
            schema::attributes(action.resource_type()).any(|(known, _)| known == name)
        }
        Part::Argument(_) => action.has_arguments(),
        Part::RequestTime => action.has_request_time(),
    }
}

/// A request of chosen values; `None` if they do not fit together.
fn assemble(action: McpAction, chosen: &BTreeMap<&Part, &Value>) -> Option<McpRequest> {
    let name = |part: &Part, other: &str| match chosen.get(part) {
        None | Some(Value::Null) => Some(other.to_owned()),
        Some(value) => value.as_str().filter(|name| !name.is_empty()).map(str::to_owned),
    };
    let server = name(&Part::Server, "other-server")?;
    let target = name(&Part::Target(action.resource_type().to_owned()), "other")?;
    if server.contains(char::is_whitespace)
        || target.contains(char::is_whitespace)
        || server.contains('{')
    {
        return None;
    }
    let (server, target) = match action {
        McpAction::Register => (Some(server.clone()), server),
        McpAction::InvokePrimordial => (None, target),
        McpAction::InvokeTool | McpAction::ReadResource | McpAction::GetPrompt
            if server.contains('/') =>
        {
            return None;
        }
        McpAction::InvokeTool | McpAction::ReadResource | McpAction::GetPrompt => {
            (Some(server), target)
        }
    };
    let mut request = McpRequest::new(action, server, target);
    for (part, value) in chosen {
        match (part, value) {
            (Part::Server | Part::Target(_), _) => {}
            (Part::Attribute(name), Value::Null) => {
                let (_, kind) =
                    schema::attributes(action.resource_type()).find(|(known, _)| known == name)?;
                request.set(name, kind.other()).ok()?;
            }
            (Part::Attribute(name), value) => request.set(name, (*value).clone()).ok()?,
            (Part::Argument(_) | Part::RequestTime, Value::Null) => {}
            (Part::Argument(path), value) => {
                insert(request.arguments.get_or_insert_default(), path, value)?
            }
            (Part::RequestTime, value) => request.set("request_time", (*value).clone()).ok()?,
        }
    }
    Some(request)
}

/// Sets a value at a path of nested objects; `None` if another value prevents it.
fn insert(object: &mut Map<String, Value>, path: &[String], value: &Value) -> Option<()> {
    match path {
        [] => None,
        [last] => {
            object.insert(last.clone(), value.clone());
            Some(())
        }
        [first, rest @ ..] => {
            let inner = object.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            insert(inner.as_object_mut()?, rest, value)
        }
    }
}

/// The part of a request that an expression reads.
fn part_of(expr: &Expr) -> Option<Part> {
    if let Some(path) = path(expr) {
        return match path.as_slice() {
            ["args", names @ ..] if !names.is_empty() => {
                Some(Part::Argument(names.iter().map(|name| (*name).to_owned()).collect()))
            }
            ["request_time"] => Some(Part::RequestTime),
            _ => None,
        };
    }
    let Expr::GetAttr { expr: inner, attr } = expr else { return None };
    matches!(**inner, Expr::Var(Var::Resource)).then(|| Part::Attribute(attr.to_string()))
}

/// A constant as JSON; of Cedar's `datetime("…")` its text.
#[expect(clippy::wildcard_enum_match_arm, reason = "only constants offer a value")]
fn constant(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Literal(Literal::Bool(value)) => Some((*value).into()),
        Expr::Literal(Literal::Long(value)) => Some((*value).into()),
        Expr::Literal(Literal::String(value)) => Some(value.as_str().into()),
        Expr::UnaryOp { op: UnaryOp::Datetime, expr } => constant(expr),
        Expr::Set(items) => items
            .iter()
            .map(|item: &Arc<Expr>| constant(item))
            .collect::<Option<Vec<_>>>()
            .map(Value::Array),
        _ => None,
    }
}

/// A text that a pattern matches, with this replacement for every wildcard.
fn instance(pattern: &[PatternElem], filling: &str) -> String {
    let mut text = String::new();
    for element in pattern {
        match element {
            PatternElem::Char(character) => text.push(*character),
            PatternElem::Wildcard => text.push_str(filling),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{McpPolicies, Outcome, SCHEMA_URL, statements};
    use super::*;
    use crate::model::{Body, Cedar, Policy, Scope};

    /// For each statement, one of a few requests is permitted.
    #[test]
    fn statements_are_met() {
        for text in [
            "permit (principal, action, resource);",
            r#"permit (principal, action == MCP::Action::"invokeTool", resource in MCP::Server::"a") when { resource.name == "b" && resource.readOnly };"#,
            r#"permit (principal, action == MCP::Action::"invokeTool", resource) unless { resource.destructive || resource.openWorld };"#,
            r#"permit (principal, action == MCP::Action::"readResource", resource) when { resource.uri like "*/docs/*" };"#,
            r#"permit (principal, action == MCP::Action::"register", resource) when { resource.type == "remote-dcr" && resource.identityURL like "https://*.example.com/*" && !resource.requiresOAuth };"#,
            r#"permit (principal, action == MCP::Action::"register", resource) when { resource.args.contains("-y") && resource.command != "docker" };"#,
            r#"permit (principal, action == MCP::Action::"invokePrimordial", resource == MCP::Primordial::"code-mode");"#,
            r#"permit (principal, action == MCP::Action::"getPrompt", resource) when { ["a", "b"].contains(resource.name) };"#,
            r#"permit (principal, action == MCP::Action::"invokeTool", resource) when { context has args.amount && context.args.amount < 500 };"#,
            r#"permit (principal, action == MCP::Action::"invokeTool", resource) when { context has args.a.b && context.args.a.b == "c" && context.args.a has d };"#,
            r#"permit (principal, action == MCP::Action::"invokeTool", resource) when { context.request_time <= datetime("2027-01-01") };"#,
        ] {
            let found = statements(text).expect("parses");
            let tries = requests(found[0].tree.as_ref().expect("no template"), &[], 64);
            let body =
                Body::Cedar(Cedar { text: text.to_owned(), schema_url: SCHEMA_URL.to_owned() });
            let policy = Policy { name: "p".to_owned(), scope: Scope::Organization, body };
            let policies = McpPolicies::new(&[policy]);
            let permitted = |request: &&McpRequest| {
                policies.decide(&Default::default(), request).outcome == Outcome::Allow
            };
            let met = tries.iter().find(permitted).unwrap_or_else(|| panic!("{text}\n{tries:#?}"));
            // It can be written as a request.
            assert_eq!(McpRequest::parse(&met.to_string()).as_ref(), Ok(met), "{text}");
        }
    }
}
