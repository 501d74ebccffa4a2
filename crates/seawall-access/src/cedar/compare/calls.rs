//! Descriptions of the calls that a change affects, which never claim more than what changes.
//!
//! `mcp register, readResource` means every call of these actions; `mcp invokeTool */WebFetch` one
//! tool on any server; `mcp invokeTool github/*` every tool of one server. A condition in Cedar's
//! syntax follows ` where …`, and calls without a change follow ` except …`. ` in part` means some
//! of the calls: too many statements overlap to say which.
//!
//! Invariant: each call that matches a description and not its exceptions does change.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::hash::HashMap;

use cedar_policy::pst::{BinaryOp, EntityUID, Expr, Literal, Var};

use super::super::{McpAction, McpRequest, Statement, cover, decide, statements, validate};
use super::{EVERYTHING, InForce, Kind, Occurrence};

/// The most pairs of calls that are compared for one action; beyond, the description is ` in part`.
const MOST_PAIRS: usize = 200_000;
/// The most exceptions in one description.
const SPELLED_OUT: usize = 20;

/// Calls of one action that a statement selects.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Calls {
    server: Option<String>,
    /// The tool, resource, prompt or tool of the gateway; for a registration the server.
    target: Option<String>,
    /// In the order of the statement.
    conditions: Vec<String>,
}

/// Calls of some actions with the same change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Changed {
    pub(super) actions: Vec<McpAction>,
    pub(super) calls: Calls,
    except: Vec<Calls>,
    /// True if only some of the calls change.
    in_part: bool,
}

impl Calls {
    /// The calls of an action that a statement matches; `None` if it matches none.
    fn matched_by(said: &Occurrence, action: McpAction) -> Option<Self> {
        let statement = said.statement.as_ref()?;
        let tree = statement.tree.as_ref()?;
        if !validate::actions_in_scope(&tree.action).contains(&action) {
            return None;
        }
        let mut calls = Self::default();
        for required in cover::requirements(tree) {
            if !calls.require(&required, action)? {
                calls.conditions.push(required.to_string());
            }
        }
        Some(calls)
    }

    /// Adds a requirement; false if only a condition can express it, and `None` if it is never met.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all else is a condition")]
    fn require(&mut self, required: &Expr, action: McpAction) -> Option<bool> {
        let is_resource = |expr: &Expr| matches!(expr, Expr::Var(Var::Resource));
        match required {
            Expr::Is { expr, entity_type, in_expr: None } if is_resource(expr) => {
                (entity_type.to_string() == format!("MCP::{}", action.resource_type()))
                    .then_some(true)
            }
            Expr::BinaryOp { op, left, right } if is_resource(left) => match (op, &**right) {
                (BinaryOp::Eq, Expr::Literal(Literal::EntityUID(uid))) => self.is(uid, action),
                (BinaryOp::In, Expr::Literal(Literal::EntityUID(uid))) => {
                    if uid.ty.to_string() == "MCP::Server" && action != McpAction::Register {
                        let has_server = action != McpAction::InvokePrimordial;
                        return has_server
                            .then(|| pick(&mut self.server, uid.eid.as_str()))
                            .flatten();
                    }
                    // Everything is `in` itself.
                    self.is(uid, action)
                }
                _ => Some(false),
            },
            Expr::BinaryOp { op: BinaryOp::Eq, left, right } => match (&**left, &**right) {
                (Expr::GetAttr { expr, attr }, Expr::Literal(Literal::String(text)))
                    if is_resource(expr) && is_own_name(attr, action) =>
                {
                    pick(&mut self.target, text)
                }
                _ => Some(false),
            },
            _ => Some(false),
        }
    }

    fn is(&mut self, uid: &EntityUID, action: McpAction) -> Option<bool> {
        let is_type = uid.ty.to_string() == format!("MCP::{}", action.resource_type());
        is_type.then(|| pick(&mut self.target, uid.eid.as_str())).flatten()
    }

    /// The calls that both match; `None` if there are certainly none.
    fn intersection(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        for (own, others) in [(&mut both.server, &other.server), (&mut both.target, &other.target)]
        {
            if let Some(name) = others {
                pick(own, name)?;
            }
        }
        let more = other
            .conditions
            .iter()
            .filter(|one| !self.conditions.contains(one))
            .cloned()
            .collect::<Vec<_>>();
        both.conditions.extend(more);
        Some(both)
    }

    /// These calls, without the conditions of the calls that they are an exception of.
    fn beyond(&self, calls: &Self) -> Self {
        let conditions =
            self.conditions.iter().filter(|one| !calls.conditions.contains(one)).cloned().collect();
        Self { conditions, ..self.clone() }
    }

    fn covers(&self, other: &Self) -> bool {
        let names = |own: &Option<String>, others: &Option<String>| own.is_none() || own == others;
        names(&self.server, &other.server)
            && names(&self.target, &other.target)
            && self.conditions.iter().all(|one| other.conditions.contains(one))
    }

    /// Returns `true` if a request has the server and the target.
    fn name(&self, request: &McpRequest) -> bool {
        let server = request.server.as_deref();
        let server = server.filter(|_| request.action != McpAction::Register);
        self.server.as_deref().is_none_or(|own| server == Some(own))
            && self.target.as_deref().is_none_or(|own| own == request.target)
    }

    /// A statement that matches the calls that meet the conditions; `None` without any.
    fn condition(&self) -> Option<Arc<Statement>> {
        if self.conditions.is_empty() {
            return None;
        }
        let all: String = self.conditions.iter().map(|one| format!(" when {{ {one} }}")).collect();
        statements(&format!("permit (principal, action, resource){all};")).ok()?.into_iter().next()
    }

    fn text(&self, has_server: bool) -> String {
        let object = match (&self.server, &self.target) {
            (None, None) => String::new(),
            (None, Some(target)) if has_server => format!("*/{target}"),
            (None, Some(target)) => target.clone(),
            (Some(server), None) => format!("{server}/*"),
            (Some(server), Some(target)) => format!("{server}/{target}"),
        };
        let condition = match self.conditions.as_slice() {
            [] => String::new(),
            [one] => format!("where {one}"),
            several => {
                let part = |one: &String| {
                    if one.contains(" || ") { format!("({one})") } else { one.clone() }
                };
                format!("where {}", several.iter().map(part).collect::<Vec<_>>().join(" && "))
            }
        };
        [object, condition]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Sets a name; `None` if a different one is set already.
fn pick(own: &mut Option<String>, name: &str) -> Option<bool> {
    if own.as_ref().is_some_and(|own| own != name) {
        return None;
    }
    *own = Some(name.to_owned());
    Some(true)
}

fn is_own_name(attribute: &str, action: McpAction) -> bool {
    match action {
        McpAction::InvokeTool | McpAction::GetPrompt => attribute == "name",
        McpAction::ReadResource => attribute == "uri",
        McpAction::Register | McpAction::InvokePrimordial => false,
    }
}

impl Changed {
    /// Returns `true` if there are no exceptions.
    pub(super) fn is_whole(&self) -> bool {
        self.except.is_empty()
    }

    /// A test of requests: whether one is among these calls, exceptions included.
    pub(super) fn includes(&self) -> impl Fn(&McpRequest) -> bool + '_ {
        let condition = self.calls.condition();
        move |request| {
            self.actions.contains(&request.action)
                && self.calls.name(request)
                && condition.as_ref().is_none_or(|condition| decide::matches(condition, request))
        }
    }

    /// Returns `true` if an exception without conditions has the server and target of a request.
    pub(super) fn excepts(&self, request: &McpRequest) -> bool {
        self.except.iter().any(|calls| calls.conditions.is_empty() && calls.name(request))
    }

    /// The description, as an entry of a comparison has it.
    pub(super) fn text(&self) -> String {
        let has_server = self
            .actions
            .iter()
            .all(|action| !matches!(action, McpAction::Register | McpAction::InvokePrimordial));
        let calls = self.calls.text(has_server);
        let is_everything = self.actions.len() == McpAction::ALL.len()
            && calls.is_empty()
            && self.except.is_empty();
        if is_everything && !self.in_part {
            return EVERYTHING.to_owned();
        }
        let names: Vec<&str> = self.actions.iter().map(|action| action.name()).collect();
        let mut text = format!("mcp {}", names.join(", "));
        if !calls.is_empty() {
            text = format!("{text} {calls}");
        }
        if self.in_part {
            text.push_str(" in part");
        }
        // One alone is never left out.
        let count = self.except.len();
        let spelled_out = if count <= SPELLED_OUT + 1 { count } else { SPELLED_OUT };
        let except: Vec<String> =
            self.except.iter().take(spelled_out).map(|calls| calls.text(has_server)).collect();
        if !except.is_empty() {
            text = format!("{text} except {}", except.join(", "));
        }
        if count > spelled_out {
            text = format!("{text} and {} more", count - spelled_out);
        }
        text
    }
}

/// An index of calls by their rarest condition, to find those that cover others.
struct Coverers<'a> {
    by_rarest: HashMap<&'a str, Vec<&'a Calls>>,
    free: Vec<&'a Calls>,
}

impl<'a> Coverers<'a> {
    fn new(all: &'a [Calls]) -> Self {
        let mut uses: HashMap<&str, usize> = HashMap::default();
        for condition in all.iter().flat_map(|calls| &calls.conditions) {
            *uses.entry(condition).or_default() += 1;
        }
        let mut coverers = Self { by_rarest: HashMap::default(), free: Vec::new() };
        for calls in all {
            match calls.conditions.iter().min_by_key(|condition| uses.get(condition.as_str())) {
                Some(rarest) => coverers.by_rarest.entry(rarest).or_default().push(calls),
                None => coverers.free.push(calls),
            }
        }
        coverers
    }

    /// Returns `true` if calls that `takes` accepts cover others.
    fn cover(&self, others: &Calls, takes: impl Fn(&Calls) -> bool) -> bool {
        let given = others
            .conditions
            .iter()
            .filter_map(|condition| self.by_rarest.get(condition.as_str()))
            .flatten();
        self.free.iter().chain(given).any(|calls| takes(calls) && calls.covers(others))
    }
}

/// Sorts calls, and removes those that others cover.
fn keep_widest(calls: &mut Vec<Calls>) {
    calls.sort();
    calls.dedup();
    let all = calls.clone();
    let coverers = Coverers::new(&all);
    calls.retain(|own| !coverers.cover(own, |other| other != own));
}

/// The calls that get further in `to` for a statement that is added there (`comes`), or removed.
pub(super) fn changed(
    said: &Occurrence,
    comes: bool,
    from: &InForce<'_>,
    to: &InForce<'_>,
) -> Vec<Changed> {
    let of = |state: &InForce<'_>, kinds: &[Kind], action: McpAction| -> Vec<Calls> {
        let found =
            state.values().filter(|other| kinds.contains(&other.key.0) && other.key != said.key);
        let found = found.filter(|other| !is_apart(said, other));
        found.filter_map(|other| Calls::matched_by(other, action)).collect()
    };
    let mut all = Vec::new();
    for &action in said.possible() {
        let Some(own) = Calls::matched_by(said, action) else { continue };
        let within = |permits: Vec<Calls>| {
            permits.iter().filter_map(|permit| own.intersection(permit)).collect()
        };
        let (lets, stops): (Vec<Calls>, Vec<Calls>) = match (said.key.0, comes) {
            (Kind::Permit, _) => (
                vec![own],
                [
                    of(from, &[Kind::Permit], action),
                    of(to, &[Kind::Forbid, Kind::Approval], action),
                ]
                .concat(),
            ),
            (Kind::Approval, true) => (
                vec![own],
                [
                    of(from, &[Kind::Permit, Kind::Approval], action),
                    of(to, &[Kind::Forbid], action),
                ]
                .concat(),
            ),
            (Kind::Approval, false) => (
                within(of(to, &[Kind::Permit], action)),
                of(to, &[Kind::Forbid, Kind::Approval], action),
            ),
            (Kind::Forbid, _) => (
                within(of(to, &[Kind::Permit, Kind::Approval], action)),
                of(to, &[Kind::Forbid], action),
            ),
            (Kind::Unknown, _) => return Vec::new(),
        };
        all.extend(left(action, lets, &stops));
    }
    joined(all)
}

/// Returns `true` if no call is matched by both.
fn is_apart(one: &Occurrence, other: &Occurrence) -> bool {
    one.statement
        .as_ref()
        .zip(other.statement.as_ref())
        .is_some_and(|(one, other)| cover::are_disjoint(one, other))
}

/// The changes between a state with policies and one without, in which everything is permitted.
pub(super) fn ungoverned(governed: &InForce<'_>) -> Vec<Changed> {
    let mut all = Vec::new();
    for action in McpAction::ALL {
        let of = |kinds: &[Kind]| -> Vec<Calls> {
            let found = governed
                .values()
                .filter(|said| kinds.contains(&said.key.0) && said.possible().contains(&action));
            found.filter_map(|said| Calls::matched_by(said, action)).collect()
        };
        let permits = of(&[Kind::Permit]);
        let stopped = of(&[Kind::Forbid, Kind::Approval]);
        all.extend(left(action, vec![Calls::default()], &permits));
        if permits.len().saturating_mul(stopped.len()) > MOST_PAIRS {
            all.push(in_part(action));
            continue;
        }
        let taken: Vec<Calls> = permits
            .iter()
            .flat_map(|permit| stopped.iter().filter_map(|stop| stop.intersection(permit)))
            .collect();
        all.extend(left(action, taken, &[]));
    }
    joined(all)
}

/// Some calls of an action; too many statements overlap to describe which.
fn in_part(action: McpAction) -> Changed {
    Changed { actions: vec![action], calls: Calls::default(), except: Vec::new(), in_part: true }
}

/// The remaining calls of an action, each listed once.
fn left(action: McpAction, mut calls: Vec<Calls>, without: &[Calls]) -> Vec<Changed> {
    keep_widest(&mut calls);
    let coverers = Coverers::new(without);
    calls.retain(|own| !coverers.cover(own, |_| true));
    if calls.len().saturating_mul(without.len()) > MOST_PAIRS {
        return vec![in_part(action)];
    }
    let change = |calls: Calls| {
        let except = without.iter().filter(|other| calls.intersection(other).is_some());
        let mut except: Vec<Calls> = except.map(|other| other.beyond(&calls)).collect();
        keep_widest(&mut except);
        Changed { actions: vec![action], calls, except, in_part: false }
    };
    calls.into_iter().map(change).collect()
}

/// Combines actions with the same changes, in the order of the reference.
fn joined(changes: Vec<Changed>) -> Vec<Changed> {
    let mut all: Vec<Changed> = Vec::new();
    for change in changes {
        let alike = |other: &&mut Changed| {
            let sort = |one: &Changed| {
                one.actions.iter().map(|action| kind(*action, one)).collect::<BTreeSet<_>>()
            };
            let same = (&other.calls, &other.except, other.in_part)
                == (&change.calls, &change.except, change.in_part);
            same && sort(other) == sort(&change)
        };
        match all.iter_mut().find(alike) {
            Some(other) => other.actions.extend(change.actions),
            None => all.push(change),
        }
    }
    all
}

/// A tool is not a resource even if both have the same name, so that these are not combined.
fn kind(action: McpAction, change: &Changed) -> &'static str {
    let named =
        std::iter::once(&change.calls).chain(&change.except).any(|calls| calls.target.is_some());
    if named { action.name() } else { "" }
}
