//! Decides an MCP request with the Cedar authorizer, over all policies that govern an audience.
//!
//! Invariant: the answer is allow, deny or approval only if that holds for everything that the
//! documentation leaves open: attributes that the request does not state, the type of the request
//! time, clauses on the principal, texts for other schemas.

mod terms;
mod tree;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use cedar_policy::pst::{Expr, Template};
use cedar_policy::{
    Authorizer, Entities, Entity, Policy as CedarPolicy, PolicyId, PolicySet, Request,
};

use self::terms::{attributes, context, uid};
use self::tree::{conditions, on_principal, scope_only, tests_attributes};
use super::limit::with_deep_stack;
use super::{APPROVAL, Effect, McpAction, McpRequest, SCHEMA_URL, Statement, statements, validate};
use crate::model::{Body, Policy, Scope};

/// The MCP policies of one state of an organization, prepared for requests.
#[derive(Debug)]
pub struct McpPolicies {
    policies: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    /// Its index among all policies of the state.
    index: usize,
    name: String,
    scope: Scope,
    /// The statements; `None` for a text that cannot be parsed.
    statements: Option<Vec<Arc<Statement>>>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The outcome for the request.
    pub outcome: Outcome,
    /// The statements that decide, in the order of policies and statements; if uncertain, those
    /// that may decide.
    pub because: Vec<Reason>,
    /// Further notes.
    pub notes: Vec<String>,
}

/// The outcome for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The request is carried out.
    Allow,
    /// The request is refused.
    Deny,
    /// The user of the client is asked first.
    Approval,
    /// The outcome depends on something that is not documented or not stated.
    Uncertain,
}

/// A statement that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The policy's index in the given list.
    pub policy: usize,
    /// Its name.
    pub policy_name: String,
    /// The statement's number from 0; `None` for the whole text.
    pub statement: Option<usize>,
    /// Bytes of the Cedar text.
    pub span: Range<usize>,
    /// The effect of the statement.
    pub effect: Option<Effect>,
    /// The reason for asking for approval.
    pub approval: Option<String>,
    /// The reason why it is uncertain whether it matches.
    pub doubt: Option<String>,
}

impl Outcome {
    /// `allow`, `deny`, `approval` or `uncertain`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Approval => "approval",
            Self::Uncertain => "uncertain",
        }
    }
}

impl McpPolicies {
    /// Parses the Cedar policies among these.
    #[must_use]
    pub fn new(policies: &[Policy]) -> Self {
        let compiled =
            policies.iter().enumerate().filter_map(|(index, policy)| match &policy.body {
                Body::Cedar(cedar) => Some(Compiled {
                    index,
                    name: policy.name.clone(),
                    scope: policy.scope.clone(),
                    statements: statements(&cedar.text)
                        .ok()
                        .filter(|_| cedar.schema_url == SCHEMA_URL),
                }),
                Body::Allowlist(_) => None,
            });
        Self { policies: compiled.collect() }
    }

    /// The policies that govern a member of exactly these teams.
    #[must_use]
    pub fn governing(&self, teams: &BTreeSet<String>) -> Governing<'_> {
        Governing::new(self.policies.iter().filter(|policy| policy.scope.governs(teams)).collect())
    }

    /// The indexes of the Cedar policies among all policies of the state.
    pub(crate) fn indices(&self) -> impl Iterator<Item = usize> {
        self.policies.iter().map(|policy| policy.index)
    }

    /// The statements of a policy that match a request, or may match it.
    pub(crate) fn said_by(&self, index: usize, request: &McpRequest) -> Vec<Reason> {
        let governing =
            Governing::new(self.policies.iter().filter(|policy| policy.index == index).collect());
        with_deep_stack(|| Question::new(request).reasons(&governing))
    }

    /// Decides a request of a member of exactly these teams.
    #[must_use]
    pub fn decide(&self, teams: &BTreeSet<String>, request: &McpRequest) -> Answer {
        self.governing(teams).decide(request)
    }

    /// Decides a request of a member of exactly these teams of which only the action is known,
    /// without one statement, given by policy and number. A statement with any other condition may
    /// match the request or not.
    #[must_use]
    pub fn decide_action(
        &self,
        teams: &BTreeSet<String>,
        action: McpAction,
        without: Option<(usize, usize)>,
    ) -> Answer {
        let unnamed = McpRequest::new(action, None, String::new());
        let governing: Vec<&Compiled> =
            self.policies.iter().filter(|policy| policy.scope.governs(teams)).collect();
        if governing.is_empty() {
            return self.decide(teams, &unnamed);
        }
        let mut reasons = Vec::new();
        for compiled in governing {
            let Some(statements) = &compiled.statements else {
                reasons.push(reason(compiled, None, Some("its text is not understood".to_owned())));
                continue;
            };
            for (number, statement) in statements.iter().enumerate() {
                let Some(certain) = matches_action(statement, action) else { continue };
                if without == Some((compiled.index, number)) {
                    continue;
                }
                let doubt = (!certain).then(|| "it depends on more than the action".to_owned());
                reasons.push(reason(compiled, Some((number, statement)), doubt));
            }
        }
        Question::new(&unnamed).conclude(reasons)
    }

    /// The statements about an action, by policy and number; and whether each matches every request
    /// of the action.
    #[must_use]
    pub fn statements_about(&self, action: McpAction) -> Vec<((usize, usize), bool)> {
        let of_policy = |policy: &Compiled| -> Vec<((usize, usize), bool)> {
            let numbered = policy.statements.iter().flatten().enumerate();
            let about = numbered.filter_map(|(number, one)| {
                Some(((policy.index, number), matches_action(one, action)?))
            });
            about.collect()
        };
        self.policies.iter().flat_map(of_policy).collect()
    }
}

/// Returns `true` if a statement matches every request of an action, because it has neither a scope
/// nor a condition. `None` for a statement about other actions.
fn matches_action(statement: &Statement, action: McpAction) -> Option<bool> {
    let (policy, tree) = (statement.policy.as_ref()?, statement.tree.as_ref()?);
    let is_plain = || {
        conditions(tree).next().is_none()
            && policy.resource_constraint() == cedar_policy::ResourceConstraint::Any
            && policy.principal_constraint() == cedar_policy::PrincipalConstraint::Any
    };
    validate::actions_in_scope(&tree.action).contains(&action).then(is_plain)
}

/// The policies that govern an audience.
#[derive(Debug)]
pub struct Governing<'a> {
    policies: Vec<&'a Compiled>,
    /// All statements that could be parsed.
    set: PolicySet,
    by_id: BTreeMap<String, Position>,
    /// Statements for which the engine's answer alone is not always sufficient.
    apart: Vec<Position>,
}

/// A policy that governs the audience, and one of its statements.
type Position = (usize, usize);

impl<'a> Governing<'a> {
    fn new(policies: Vec<&'a Compiled>) -> Self {
        let mut governing =
            Self { policies, set: PolicySet::new(), by_id: BTreeMap::new(), apart: Vec::new() };
        for (position, policy) in governing.policies.iter().enumerate() {
            for (number, statement) in policy.statements.iter().flatten().enumerate() {
                let (Some(parsed), Some(tree)) = (&statement.policy, &statement.tree) else {
                    continue;
                };
                let policy = parsed.new_id(PolicyId::new(id((position, number))));
                governing.set.add(policy).expect("ids are distinct");
                governing.by_id.insert(id((position, number)), (position, number));
                if on_principal(tree) || conditions(tree).any(tests_attributes) {
                    governing.apart.push((position, number));
                }
            }
        }
        governing
    }

    /// Decides a request.
    #[must_use]
    pub fn decide(&self, request: &McpRequest) -> Answer {
        if self.policies.is_empty() {
            let note = "no MCP policy governs this, and the gateway permits everything".to_owned();
            return Answer { outcome: Outcome::Allow, because: Vec::new(), notes: vec![note] };
        }
        with_deep_stack(|| Question::new(request).ask(self))
    }

    fn find(&self, (position, number): Position) -> Option<(&'a Compiled, &'a Statement)> {
        let policy = self.policies.get(position)?;
        Some((policy, policy.statements.as_ref()?.get(number)?))
    }

    fn reason(&self, key: Position, doubt: Option<String>) -> Option<(Position, Reason)> {
        let (policy, statement) = self.find(key)?;
        Some((key, reason(policy, Some((key.1, statement)), doubt)))
    }
}

fn id((position, number): Position) -> String {
    format!("{position}.{number}")
}

/// Returns `true` if a statement alone matches a request that states everything the statement
/// reads.
pub(super) fn matches(statement: &Statement, request: &McpRequest) -> bool {
    statement.policy.as_ref().is_some_and(|policy| Question::new(request).engine(policy).0)
}

/// A request in the form of the engine.
struct Question<'a> {
    request: &'a McpRequest,
    asked: Request,
    entities: Entities,
    /// Attributes of the resource or the context that exist but whose value is not stated.
    unknown: BTreeSet<&'static str>,
}

impl<'a> Question<'a> {
    fn new(request: &'a McpRequest) -> Self {
        let (attributes, unknown) = attributes(request);
        let resource = uid(request.action.resource_type(), &request.target);
        let mut entities = Vec::new();
        let mut parents = HashSet::new();
        if let Some(server) =
            request.server.as_ref().filter(|_| request.action != McpAction::Register)
        {
            let server = uid("Server", server);
            entities.push(Entity::with_uid(server.clone()));
            parents.insert(server);
        }
        let entity = Entity::new(resource.clone(), attributes, parents)
            .expect("the values hold no extension calls");
        entities.push(entity);
        let entities = Entities::from_entities(entities, None)
            .expect("the entities are distinct and form no circle");
        let asked = Request::new(
            uid("Principal", ""),
            uid("Action", request.action.name()),
            resource,
            context(request),
            None,
        )
        .expect("without a schema nothing is refused");
        Self { request, asked, entities, unknown }
    }

    fn ask(&self, governing: &Governing<'_>) -> Answer {
        self.conclude(self.reasons(governing))
    }

    /// The statements that match, or may match.
    fn reasons(&self, governing: &Governing<'_>) -> Vec<Reason> {
        let mut reasons: BTreeMap<Position, Reason> = BTreeMap::new();
        let foreign =
            governing.policies.iter().enumerate().filter(|(_, policy)| policy.statements.is_none());
        for (position, policy) in foreign {
            reasons.insert(
                (position, 0),
                reason(policy, None, Some("its text is not understood".to_owned())),
            );
        }
        let mut without: Option<PolicySet> = None;
        for key in &governing.apart {
            let Some((_, statement)) = governing.find(*key) else { continue };
            let (Some(parsed), Some(tree)) = (&statement.policy, &statement.tree) else { continue };
            if let Some(doubt) = self.doubt(parsed, tree) {
                reasons.extend(governing.reason(*key, Some(doubt)));
                let set = without.get_or_insert_with(|| governing.set.clone());
                set.remove_static(PolicyId::new(id(*key))).expect("it was added under this id");
            }
        }
        let set = without.as_ref().unwrap_or(&governing.set);
        let response = Authorizer::new().is_authorized(&self.asked, set, &self.entities);
        let place = |id: &PolicyId| governing.by_id.get(AsRef::<str>::as_ref(id)).copied();
        let matching = response.diagnostics().reason().filter_map(place);
        reasons.extend(matching.filter_map(|key| governing.reason(key, None)));
        for error in response.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            let Some(key) = place(error.policy_id()) else { continue };
            let tree = governing.find(key).and_then(|(_, statement)| statement.tree.as_ref());
            // The documented effect of other errors is that the statement is skipped.
            if let Some(name) = tree.and_then(|tree| self.reads_unknown(tree, true)) {
                reasons.extend(governing.reason(key, Some(not_said(name))));
            }
        }
        reasons.into_values().collect()
    }

    /// The reason why the engine's answer is not sufficient for a statement.
    fn doubt(&self, policy: &CedarPolicy, tree: &Template) -> Option<String> {
        if !validate::actions_in_scope(&tree.action).contains(&self.request.action) {
            return None;
        }
        if let Some(name) = self.reads_unknown(tree, false) {
            return self.engine(&scope_only(tree)).0.then(|| not_said(name));
        }
        // Documented never to match. If the engine matches it, two authorities disagree.
        let (matches, errs) = if on_principal(tree) { self.engine(policy) } else { return None };
        (matches || errs && self.reads_unknown(tree, true).is_some())
            .then(|| "its clause on the principal is documented never to match".to_owned())
    }

    /// Evaluates one statement with the Cedar authorizer. Returns whether it matches, and whether
    /// it fails.
    fn engine(&self, policy: &CedarPolicy) -> (bool, bool) {
        let set = PolicySet::from_policies([policy.clone()]).expect("one policy has one id");
        let response = Authorizer::new().is_authorized(&self.asked, &set, &self.entities);
        let diagnostics = response.diagnostics();
        (diagnostics.reason().next().is_some(), diagnostics.errors().next().is_some())
    }

    /// An attribute without a known value that the conditions read, or test for.
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else names an attribute")]
    fn reads_unknown(&self, tree: &Template, read: bool) -> Option<&'static str> {
        let unknown = |name: &str| self.unknown.iter().copied().find(|unknown| *unknown == name);
        let here = |expr: &Expr| match expr {
            Expr::GetAttr { attr, .. } if read => unknown(attr.as_str()),
            Expr::HasAttr { attrs, .. } if !read => {
                attrs.iter().find_map(|attr| unknown(attr.as_str()))
            }
            _ => None,
        };
        conditions(tree)
            .find_map(|condition| condition.reduce(&|expr| here(expr).map(Some), &Option::or, None))
    }

    /// Combines the statements: a forbid outranks approval, and approval outranks a permit.
    fn conclude(&self, reasons: Vec<Reason>) -> Answer {
        let certain = |effect| {
            reasons.iter().filter(move |one| one.doubt.is_none() && one.effect == Some(effect))
        };
        let doubtful = |wanted: Effect| {
            reasons
                .iter()
                .any(|one| one.doubt.is_some() && one.effect.is_none_or(|effect| effect == wanted))
        };
        let permitted = certain(Effect::Permit).next().is_some();
        let asks = certain(Effect::Permit).any(|one| one.approval.is_some());
        let may_ask = reasons
            .iter()
            .any(|one| one.doubt.is_some() && (one.effect.is_none() || one.approval.is_some()));
        let may_permit = reasons.iter().any(|one| {
            one.doubt.is_some() && one.effect != Some(Effect::Forbid) && one.approval.is_none()
        });
        let registers = self.request.action == McpAction::Register;
        let outcome = if certain(Effect::Forbid).next().is_some() || asks && registers {
            Outcome::Deny
        } else if doubtful(Effect::Forbid) && (permitted || doubtful(Effect::Permit)) {
            Outcome::Uncertain
        } else if asks {
            Outcome::Approval
        } else if may_ask && (permitted || !registers) {
            Outcome::Uncertain
        } else if permitted {
            Outcome::Allow
        } else if may_permit {
            Outcome::Uncertain
        } else {
            Outcome::Deny
        };
        let because: Vec<Reason> =
            reasons.into_iter().filter(|one| decides(outcome, one)).collect();
        let notes = self.notes(outcome, &because);
        Answer { outcome, because, notes }
    }

    fn notes(&self, outcome: Outcome, because: &[Reason]) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |holds: bool, text: &str| notes.extend(holds.then(|| text.to_owned()));
        let denied = outcome == Outcome::Deny;
        note(denied && because.is_empty(), "no `permit` matches");
        note(
            denied && because.iter().any(|one| one.approval.is_some()),
            "a registration cannot ask for approval, so it is denied",
        );
        note(
            outcome == Outcome::Approval,
            "where the client cannot ask, as in `code-mode`, the call is denied; a program can answer for the person",
        );
        note(
            self.request.request_time.is_some(),
            "`request_time` is taken for a Cedar `datetime`; its type is not documented",
        );
        notes
    }
}

/// Returns `true` if a statement is part of the explanation of an outcome.
fn decides(outcome: Outcome, reason: &Reason) -> bool {
    match outcome {
        Outcome::Uncertain => true,
        Outcome::Deny => {
            reason.doubt.is_none()
                && (reason.effect == Some(Effect::Forbid) || reason.approval.is_some())
        }
        Outcome::Approval => reason.doubt.is_none() && reason.approval.is_some(),
        Outcome::Allow => reason.doubt.is_none(),
    }
}

fn reason(
    policy: &Compiled,
    statement: Option<(usize, &Statement)>,
    doubt: Option<String>,
) -> Reason {
    let permit = statement.filter(|(_, one)| one.effect == Effect::Permit);
    Reason {
        policy: policy.index,
        policy_name: policy.name.clone(),
        statement: statement.map(|(number, _)| number),
        span: statement.map_or(0..0, |(_, one)| one.span.clone()),
        effect: statement.map(|(_, one)| one.effect),
        approval: permit.and_then(|(_, one)| one.annotations.get(APPROVAL).cloned()),
        doubt,
    }
}

fn not_said(name: &str) -> String {
    format!("it reads `{name}`, which was not said")
}

#[cfg(test)]
mod tests;
