//! Whether a request is permitted, by the engine's own authorizer over all policies that govern an audience.
//!
//! Invariant: allow, deny and approval are only answered when they hold whatever the documentation leaves open:
//! attributes that were not said, the type of the request time, clauses on the principal, texts for other schemas.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use cedar_policy::pst::{self, Clause, Expr, PrincipalConstraint, StaticPolicy, Template};
use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy as CedarPolicy, PolicyId,
    PolicySet, Request, RestrictedExpression,
};
use serde_json::{Map, Value};

use super::limit::with_deep_stack;
use super::{APPROVAL, Effect, McpAction, McpRequest, SCHEMA_URL, Statement, schema, statements, traps, validate};
use crate::model::{Body, Policy, Scope};

/// The MCP policies of one state of an organization, ready to be asked.
#[derive(Debug)]
pub struct McpPolicies {
    policies: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    /// Its place among all policies of the state.
    index: usize,
    name: String,
    scope: Scope,
    /// `None` for a text that is not understood.
    statements: Option<Vec<Statement>>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What becomes of the request.
    pub outcome: Outcome,
    /// The statements that decide, in the order of policies and statements; what could decide, where it is uncertain.
    pub because: Vec<Reason>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It is carried out.
    Allow,
    /// It is refused.
    Deny,
    /// The person at the client is asked first.
    Approval,
    /// It hangs on something that is not documented or was not said.
    Uncertain,
}

/// A statement that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The policy's place in the list that was given.
    pub policy: usize,
    /// Its name.
    pub policy_name: String,
    /// The statement's number from 0; `None` for a text as a whole.
    pub statement: Option<usize>,
    /// Bytes of the Cedar text.
    pub span: Range<usize>,
    /// What the statement does.
    pub effect: Option<Effect>,
    /// The reason to ask for approval.
    pub approval: Option<String>,
    /// Why it is uncertain whether it matches.
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
    /// Reads the Cedar policies among these.
    #[must_use]
    pub fn of(policies: &[Policy]) -> Self {
        let compiled = policies.iter().enumerate().filter_map(|(index, policy)| match &policy.body {
            Body::Cedar(cedar) => Some(Compiled {
                index,
                name: policy.name.clone(),
                scope: policy.scope.clone(),
                statements: statements(&cedar.text).ok().filter(|_| cedar.schema_url == SCHEMA_URL),
            }),
            Body::Allowlist(_) => None,
        });
        Self { policies: compiled.collect() }
    }

    /// Those that govern a member of just these teams.
    #[must_use]
    pub fn governing(&self, teams: &BTreeSet<String>) -> Governing<'_> {
        let governs = |policy: &&Compiled| match &policy.scope {
            Scope::Organization => true,
            Scope::Teams(governed) => !governed.is_disjoint(teams),
        };
        Governing::new(self.policies.iter().filter(governs).collect())
    }

    /// Decides a request of a member of just these teams.
    #[must_use]
    pub fn decide(&self, teams: &BTreeSet<String>, request: &McpRequest) -> Answer {
        self.governing(teams).decide(request)
    }
}

/// The policies that govern an audience, together.
#[derive(Debug)]
pub struct Governing<'a> {
    policies: Vec<&'a Compiled>,
    /// All statements that are understood.
    set: PolicySet,
    by_id: BTreeMap<String, Position>,
    /// Statements that the engine alone is not always to be asked about.
    apart: Vec<Position>,
}

/// A policy among those that govern, and a statement of it.
type Position = (usize, usize);

impl<'a> Governing<'a> {
    fn new(policies: Vec<&'a Compiled>) -> Self {
        let mut governing = Self { policies, set: PolicySet::new(), by_id: BTreeMap::new(), apart: Vec::new() };
        for (position, policy) in governing.policies.iter().enumerate() {
            for (number, statement) in policy.statements.iter().flatten().enumerate() {
                let (Some(parsed), Some(tree)) = (&statement.policy, &statement.tree) else { continue };
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

/// Whether a statement alone matches a request that says everything it reads.
pub(super) fn matches(statement: &Statement, request: &McpRequest) -> bool {
    statement.policy.as_ref().is_some_and(|policy| Question::new(request).engine(policy).0)
}

/// A request in the engine's terms.
struct Question<'a> {
    request: &'a McpRequest,
    asked: Request,
    entities: Entities,
    /// Attributes of the resource or the context that exist and whose value was not said.
    unknown: BTreeSet<&'static str>,
}

impl<'a> Question<'a> {
    fn new(request: &'a McpRequest) -> Self {
        let (attributes, unknown) = attributes(request);
        let resource = uid(request.action.resource_type(), &request.target);
        let mut entities = Vec::new();
        let mut parents = HashSet::new();
        if let Some(server) = request.server.as_ref().filter(|_| request.action != McpAction::Register) {
            let server = uid("Server", server);
            entities.push(Entity::with_uid(server.clone()));
            parents.insert(server);
        }
        let entity = Entity::new(resource.clone(), attributes, parents).expect("the values hold no extension calls");
        entities.push(entity);
        let entities = Entities::from_entities(entities, None).expect("the entities are distinct and form no circle");
        let asked =
            Request::new(uid("Principal", ""), uid("Action", request.action.name()), resource, context(request), None)
                .expect("without a schema nothing is refused");
        Self { request, asked, entities, unknown }
    }

    fn ask(&self, governing: &Governing<'_>) -> Answer {
        let mut reasons: BTreeMap<Position, Reason> = BTreeMap::new();
        let foreign = governing.policies.iter().enumerate().filter(|(_, policy)| policy.statements.is_none());
        for (position, policy) in foreign {
            reasons.insert((position, 0), reason(policy, None, Some("its text is not understood".to_owned())));
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
            // Other errors are documented: the statement is skipped.
            if let Some(name) = tree.and_then(|tree| self.reads_unknown(tree, true)) {
                reasons.extend(governing.reason(key, Some(not_said(name))));
            }
        }
        self.conclude(reasons.into_values().collect())
    }

    /// Why the engine alone cannot be asked about a statement.
    fn doubt(&self, policy: &CedarPolicy, tree: &Template) -> Option<String> {
        if !validate::actions_in_scope(&tree.action).contains(&self.request.action) {
            return None;
        }
        if let Some(name) = self.reads_unknown(tree, false) {
            return self.engine(&scope_only(tree)).0.then(|| not_said(name));
        }
        // Documented never to match. Where the engine finds that it does, two authorities disagree.
        let (matches, errs) = if on_principal(tree) { self.engine(policy) } else { return None };
        (matches || errs && self.reads_unknown(tree, true).is_some())
            .then(|| "its clause on the principal is documented never to match".to_owned())
    }

    /// Whether one statement matches, and whether it errs.
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
            Expr::HasAttr { attrs, .. } if !read => attrs.iter().find_map(|attr| unknown(attr.as_str())),
            _ => None,
        };
        conditions(tree).find_map(|condition| condition.reduce(&|expr| here(expr).map(Some), &Option::or, None))
    }

    /// Puts together what the statements say: a forbid outranks approval, which outranks a permit.
    fn conclude(&self, reasons: Vec<Reason>) -> Answer {
        let certain = |effect| reasons.iter().filter(move |one| one.doubt.is_none() && one.effect == Some(effect));
        let doubtful = |wanted: Effect| {
            reasons.iter().any(|one| one.doubt.is_some() && one.effect.is_none_or(|effect| effect == wanted))
        };
        let permitted = certain(Effect::Permit).next().is_some();
        let asks = certain(Effect::Permit).any(|one| one.approval.is_some());
        let may_ask = reasons.iter().any(|one| one.doubt.is_some() && (one.effect.is_none() || one.approval.is_some()));
        let may_permit = reasons
            .iter()
            .any(|one| one.doubt.is_some() && one.effect != Some(Effect::Forbid) && one.approval.is_none());
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
        let because: Vec<Reason> = reasons.into_iter().filter(|one| decides(outcome, one)).collect();
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

/// Whether a statement belongs to the explanation of an outcome.
fn decides(outcome: Outcome, reason: &Reason) -> bool {
    match outcome {
        Outcome::Uncertain => true,
        Outcome::Deny => reason.doubt.is_none() && (reason.effect == Some(Effect::Forbid) || reason.approval.is_some()),
        Outcome::Approval => reason.doubt.is_none() && reason.approval.is_some(),
        Outcome::Allow => reason.doubt.is_none(),
    }
}

fn reason(policy: &Compiled, statement: Option<(usize, &Statement)>, doubt: Option<String>) -> Reason {
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

/// The attributes of the resource with their documented defaults, and those whose value is unknown.
///
/// Source: Docker's MCP policy reference. Tools that declare nothing are not read-only, destructive, not idempotent and
/// open to the world. Commands and arguments are empty for remote servers.
fn attributes(request: &McpRequest) -> (HashMap<String, RestrictedExpression>, BTreeSet<&'static str>) {
    let mut known = request.attributes.clone();
    match request.action {
        McpAction::InvokeTool => {
            for (name, value) in
                [("readOnly", false), ("destructive", true), ("idempotent", false), ("openWorld", true)]
            {
                known.entry(name).or_insert(Value::Bool(value));
            }
            known.insert("name".to_owned(), request.target.clone().into());
        }
        McpAction::GetPrompt => {
            known.insert("name".to_owned(), request.target.clone().into());
        }
        McpAction::ReadResource => {
            known.insert("uri".to_owned(), request.target.clone().into());
        }
        McpAction::Register => {
            let remote = known.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("remote-"));
            if remote {
                known.entry("command").or_insert_with(|| "".into());
                known.entry("args").or_insert_with(|| Value::Array(Vec::new()));
            }
        }
        McpAction::InvokePrimordial => {}
    }
    let declared = schema::attributes(request.action.resource_type()).map(|(name, _)| name);
    let mut unknown: BTreeSet<&'static str> = declared.filter(|name| !known.contains_key(*name)).collect();
    if request.action.has_request_time() && request.request_time.is_none() {
        unknown.insert("request_time");
    }
    (known.iter().map(|(name, value)| (name.clone(), expression(value))).collect(), unknown)
}

fn context(request: &McpRequest) -> Context {
    let args = request.arguments.as_ref().map(|arguments| ("args".to_owned(), record(arguments)));
    let time = request.request_time.as_ref();
    let time = time.map(|time| ("request_time".to_owned(), RestrictedExpression::new_datetime(time)));
    Context::from_pairs(args.into_iter().chain(time)).expect("the request time is a datetime")
}

fn record(fields: &Map<String, Value>) -> RestrictedExpression {
    let fields = fields.iter().map(|(name, value)| (name.clone(), expression(value)));
    RestrictedExpression::new_record(fields).expect("the keys of an object are distinct")
}

fn expression(value: &Value) -> RestrictedExpression {
    match value {
        Value::Bool(value) => RestrictedExpression::new_bool(*value),
        Value::Number(number) => RestrictedExpression::new_long(number.as_i64().expect("requests hold whole numbers")),
        Value::String(text) => RestrictedExpression::new_string(text.clone()),
        Value::Array(items) => RestrictedExpression::new_set(items.iter().map(expression)),
        Value::Object(fields) => record(fields),
        Value::Null => unreachable!("requests hold no nulls"),
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    let name: EntityTypeName = format!("MCP::{kind}").parse().expect("a type's name is a name");
    EntityUid::from_type_name_and_id(name, EntityId::new(id))
}

fn conditions(tree: &Template) -> impl Iterator<Item = &Expr> {
    tree.clauses().iter().map(|clause| match clause {
        Clause::When(condition) | Clause::Unless(condition) => &**condition,
    })
}

fn on_principal(tree: &Template) -> bool {
    tree.principal != PrincipalConstraint::Any || conditions(tree).any(traps::mentions_principal)
}

fn tests_attributes(condition: &Expr) -> bool {
    condition.reduce(&|expr| matches!(expr, Expr::HasAttr { .. }).then_some(true), &|a, b| a || b, false)
}

/// The statement without its conditions.
fn scope_only(tree: &Template) -> CedarPolicy {
    let Template { id, effect, principal, action, resource, .. } = tree.clone();
    let scope = StaticPolicy::try_from(Template::new(id, effect, principal, action, resource));
    let scope = scope.expect("a statement without slots has none in its scope");
    CedarPolicy::from_pst(pst::Policy::Static(scope)).expect("a scope that was read can be written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Cedar;

    fn policy(name: &str, scope: &[&str], text: &str) -> Policy {
        let scope = Scope::of(scope.iter().map(|team| (*team).to_owned()));
        let cedar = Cedar { text: text.to_owned(), schema_url: SCHEMA_URL.to_owned() };
        Policy { name: name.to_owned(), scope, body: Body::Cedar(cedar) }
    }

    fn answer(policies: &[Policy], teams: &[&str], request: &str) -> Answer {
        let teams = teams.iter().map(|team| (*team).to_owned()).collect();
        McpPolicies::of(policies).decide(&teams, &McpRequest::parse(request).expect(request))
    }

    /// The outcome for one policy for everybody.
    fn outcome(text: &str, request: &str) -> &'static str {
        answer(&[policy("p", &[], text)], &[], request).outcome.as_str()
    }

    #[test]
    fn tools_have_their_documented_defaults() {
        for (condition, request, expected) in [
            ("resource.readOnly", "invokeTool a/b", "deny"),
            ("resource.readOnly", "invokeTool a/b {\"readOnly\": true}", "allow"),
            ("resource.destructive", "invokeTool a/b", "allow"),
            ("resource.idempotent", "invokeTool a/b", "deny"),
            ("resource.openWorld", "invokeTool a/b {\"openWorld\": false}", "deny"),
            // name and server
            ("resource.name == \"b\" && resource in MCP::Server::\"a\"", "invokeTool a/b", "allow"),
            ("resource == MCP::Tool::\"b\"", "invokeTool a/b", "allow"),
            ("resource in MCP::Server::\"a\"", "invokeTool c/b", "deny"),
            ("resource.name like \"*b?\"", "invokeTool a/b", "deny"),
            // the tool of a server is no resource, no prompt and no tool of the gateway
            ("resource is MCP::Tool", "invokePrimordial code-mode", "deny"),
            ("resource is MCP::Prompt && resource.name == \"b\"", "getPrompt a/b", "allow"),
            ("resource is MCP::Resource && resource.uri like \"file:///*\"", "readResource a/file:///x", "allow"),
            ("resource in MCP::Primordial::\"code-mode\"", "invokePrimordial code-mode", "allow"),
        ] {
            let text = format!("permit (principal, action, resource) when {{ {condition} }};");
            assert_eq!(outcome(&text, request), expected, "{condition}: {request}");
        }
    }

    #[test]
    fn arguments_decide_when_they_are_there() {
        let limit = "permit (principal, action == MCP::Action::\"invokeTool\", resource) when { context has args && context.args has amount && context.args.amount <= 500 };";
        for (request, expected) in [
            ("invokeTool a/b {\"args\": {\"amount\": 500}}", "allow"),
            ("invokeTool a/b {\"args\": {\"amount\": 501}}", "deny"),
            // of another type: the comparison errs, and the statement is skipped
            ("invokeTool a/b {\"args\": {\"amount\": \"5\"}}", "deny"),
            ("invokeTool a/b {\"args\": {}}", "deny"),
            ("invokeTool a/b", "deny"),
        ] {
            assert_eq!(outcome(limit, request), expected, "{request}");
        }
        // A forbid that reads what is missing does not block.
        let open = "permit (principal, action, resource); forbid (principal, action, resource) when { context.args.amount > 500 };";
        assert_eq!(outcome(open, "invokeTool a/b"), "allow");
        assert_eq!(outcome(open, "invokeTool a/b {\"args\": {\"amount\": 501}}"), "deny");
        // What looks like one of Cedar's own values stays an object.
        let object = "permit (principal, action, resource) when { context.args.x has __entity };";
        assert_eq!(
            outcome(object, "invokeTool a/b {\"args\": {\"x\": {\"__entity\": {\"type\": \"A\", \"id\": \"b\"}}}}"),
            "allow"
        );
    }

    #[test]
    fn what_was_not_said_is_uncertain_only_where_it_matters() {
        for (text, request, expected) in [
            (
                "permit (principal, action, resource) when { resource.type == \"remote-dcr\" };",
                "register a",
                "uncertain",
            ),
            (
                "permit (principal, action, resource) when { resource.type == \"remote-dcr\" };",
                "register a {\"type\": \"remote-dcr\"}",
                "allow",
            ),
            // decided before it is read
            (
                "permit (principal, action, resource) when { resource in MCP::Server::\"b\" && resource.type == \"x\" };",
                "register a",
                "deny",
            ),
            // a test for it is a question about it; the scope answers first
            ("permit (principal, action, resource) when { resource has command };", "register a", "uncertain"),
            (
                "permit (principal, action, resource == MCP::Server::\"b\") when { resource has command };",
                "register a",
                "deny",
            ),
            // a forbid in doubt takes certainty from a permit only
            (
                "permit (principal, action, resource); forbid (principal, action, resource) when { resource.requiresOAuth };",
                "register a",
                "uncertain",
            ),
            ("forbid (principal, action, resource) when { resource.requiresOAuth };", "register a", "deny"),
            // another forbid decides
            (
                "permit (principal, action, resource); forbid (principal, action, resource) when { resource.type == \"x\" }; forbid (principal, action, resource);",
                "register a",
                "deny",
            ),
            // remote servers have neither command nor arguments
            (
                "forbid (principal, action, resource) when { resource.command == \"npx\" }; permit (principal, action, resource);",
                "register a {\"type\": \"remote-dcr\"}",
                "allow",
            ),
            // time: unknown, said, and never there for a registration
            (
                "permit (principal, action, resource) when { context.request_time < datetime(\"2027-01-01\") };",
                "invokeTool a/b",
                "uncertain",
            ),
            (
                "permit (principal, action, resource) when { context.request_time < datetime(\"2027-01-01\") };",
                "invokeTool a/b {\"request_time\": \"2026-12-31\"}",
                "allow",
            ),
            (
                "permit (principal, action, resource) when { context.request_time < datetime(\"2027-01-01\") };",
                "register a",
                "deny",
            ),
            // the principal: documented never to match
            ("permit (principal, action, resource) when { principal.role == \"x\" };", "invokeTool a/b", "deny"),
            ("permit (principal in MCP::Team::\"x\", action, resource);", "invokeTool a/b", "deny"),
            (
                "permit (principal, action, resource) when { principal in MCP::Team::\"x\" || resource.requiresOAuth };",
                "register a",
                "uncertain",
            ),
            (
                "permit (principal, action, resource) unless { principal in MCP::Team::\"x\" };",
                "invokeTool a/b",
                "uncertain",
            ),
        ] {
            assert_eq!(outcome(text, request), expected, "{text}: {request}");
        }
    }

    #[test]
    fn forbid_outranks_approval_which_outranks_permit() {
        let permit = "permit (principal, action, resource);";
        let asks = "@requireApproval(\"why\") permit (principal, action, resource);";
        let other = "@requireConsent(\"why\") permit (principal, action, resource);";
        let forbid = "forbid (principal, action, resource);";
        let doubt =
            "@requireApproval(\"why\") permit (principal, action, resource) when { context.request_time == 1 };";
        for (text, request, expected) in [
            (permit.to_owned(), "invokeTool a/b", "allow"),
            (format!("{permit}{asks}"), "invokeTool a/b", "approval"),
            (format!("{permit}{other}"), "invokeTool a/b", "allow"),
            (format!("{permit}{asks}{forbid}"), "invokeTool a/b", "deny"),
            // a registration cannot ask
            (format!("{permit}{asks}"), "register a", "deny"),
            // approval in doubt
            (format!("{permit}{doubt}"), "invokeTool a/b", "uncertain"),
            (format!("{asks}{doubt}"), "invokeTool a/b", "approval"),
            (doubt.to_owned(), "invokeTool a/b", "uncertain"),
        ] {
            assert_eq!(outcome(&text, request), expected, "{text}: {request}");
        }
        let answer = answer(&[policy("p", &[], &format!("{permit}\n{asks}"))], &[], "invokeTool a/b");
        let reason = &answer.because[0];
        assert_eq!((answer.because.len(), reason.statement, reason.approval.as_deref()), (1, Some(1), Some("why")));
        assert_eq!(reason.span, 38..38 + asks.len());
    }

    #[test]
    fn all_policies_that_govern_an_audience_decide_together() {
        let policies = [
            policy("everybody", &[], "permit (principal, action, resource in MCP::Server::\"a\");"),
            policy("research", &["research"], "permit (principal, action, resource in MCP::Server::\"b\");"),
            policy("interns", &["interns"], "forbid (principal, action, resource);"),
        ];
        for (teams, request, expected, because) in [
            (&[][..], "invokeTool a/x", "allow", &["everybody"][..]),
            (&[], "invokeTool b/x", "deny", &[]),
            (&["research"], "invokeTool b/x", "allow", &["research"]),
            (&["research", "interns"], "invokeTool b/x", "deny", &["interns"]),
        ] {
            let answer = answer(&policies, teams, request);
            let names: Vec<&str> = answer.because.iter().map(|one| one.policy_name.as_str()).collect();
            assert_eq!((answer.outcome.as_str(), names.as_slice()), (expected, because), "{teams:?} {request}");
        }
        // Nobody governs: the gateway does not ask.
        assert_eq!(answer(&policies[1..], &[], "register evil").outcome, Outcome::Allow);
        assert_eq!(answer(&[], &[], "invokeTool a/x").outcome, Outcome::Allow);
    }

    #[test]
    fn texts_that_are_not_understood_are_uncertain() {
        let mut foreign = policy("foreign", &[], "permit (principal, action, resource);");
        let Body::Cedar(cedar) = &mut foreign.body else { panic!("it is Cedar") };
        cedar.schema_url = "https://schemas.example.com/mcp/v1".to_owned();
        let broken = policy("broken", &[], "permit (");
        for policy in [foreign, broken] {
            let answer = answer(std::slice::from_ref(&policy), &[], "invokeTool a/b");
            assert_eq!((answer.outcome, answer.because[0].statement), (Outcome::Uncertain, None));
        }
    }
    mod property {
        use proptest::prelude::*;

        use super::*;

        fn condition() -> impl Strategy<Value = String> {
            let atom = prop::sample::select(vec![
                "resource.type == \"local-stdio\"",
                "resource.requiresOAuth",
                "resource.requiresNetwork",
                "resource.command like \"n*\"",
                "resource has command",
                "resource has nothing",
                "resource.identityURL == resource.command",
                "resource.nothing",
                "resource == MCP::Server::\"a\"",
                "resource in MCP::Server::\"b\"",
                "principal in MCP::Team::\"x\"",
                "(if resource.requiresOAuth then resource.type == \"local-stdio\" else resource has type)",
            ]);
            atom.prop_map(str::to_owned).prop_recursive(3, 8, 2, |inner| {
                prop_oneof![
                    (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} && {other})")),
                    (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} || {other})")),
                    inner.prop_map(|one| format!("!({one})")),
                ]
            })
        }

        fn statement() -> impl Strategy<Value = String> {
            let effect = prop::sample::select(vec!["permit", "permit", "@requireApproval(\"x\") permit", "forbid"]);
            let clause = prop::sample::select(vec!["when", "unless"]);
            (effect, clause, condition()).prop_map(|(effect, clause, condition)| {
                format!("{effect} (principal, action, resource) {clause} {{ {condition} }};")
            })
        }

        proptest! {
            /// Whatever the attributes that were not said turn out to be, a certain answer stays.
            #[test]
            fn a_certain_answer_holds_for_every_value(
                statements in prop::collection::vec(statement(), 1..4),
                said in prop::array::uniform5(any::<bool>()),
            ) {
                let values: [(&str, [Value; 2]); 5] = [
                    ("type", ["local-stdio".into(), "container-stdio".into()]),
                    ("requiresOAuth", [true.into(), false.into()]),
                    ("requiresNetwork", [true.into(), false.into()]),
                    ("command", ["npx".into(), "docker".into()]),
                    ("identityURL", ["npx".into(), "x".into()]),
                ];
                let policies = McpPolicies::of(&[policy("p", &[], &statements.concat())]);
                let ask = |known: &dyn Fn(usize) -> Option<usize>| {
                    let mut request = McpRequest::parse("register a {\"args\": []}").expect("a request");
                    for (index, (name, values)) in values.iter().enumerate() {
                        if let Some(choice) = known(index) {
                            request.attributes.insert((*name).to_owned(), values[choice].clone());
                        }
                    }
                    policies.decide(&BTreeSet::new(), &request).outcome
                };
                let outcome = ask(&|index| said[index].then_some(0));
                if outcome != Outcome::Uncertain {
                    for bits in 0..32_usize {
                        let full = ask(&|index| Some(if said[index] { 0 } else { bits >> index & 1 }));
                        // Only a clause on the principal keeps a full request uncertain.
                        prop_assert_eq!(full, outcome, "{:?} {:?}", statements, bits);
                    }
                }
            }
        }
    }
}
