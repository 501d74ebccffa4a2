//! Docker Hub: tokens, groups, and the governance API, as one function from state and call to state
//! and answer.
//!
//! Invariant: [`Service::handle`] changes the state only if it answers with success.

pub mod audit;
mod cedar;
mod fields;
mod groups;
mod page;
mod policies;
mod refusal;
mod route;
mod rules;
mod settings;
mod token;

pub use refusal::{Code, Refusal};
pub use route::DockerOperation;
pub use settings::{
    Account, Behaviour, DuplicateRuleNames, EmptyAllowlist, EmptyScope, Limits, ListOrder,
    NameMatching, Role, Settings, TooLarge, UnknownFields,
};

use jiff::Timestamp;

use super::exchange::{Request, Response};
pub use super::state::{Allowlist, Cedar, Policy, Rule, Scope};
use super::state::{Org, State};
use route::Route;
use token::Tokens;

/// The service without its state: accounts, behaviour, and valid tokens.
#[derive(Debug)]
pub struct Service {
    settings: Settings,
    tokens: Tokens,
}

/// The input of an operation after authorization.
struct Call<'a> {
    settings: &'a Settings,
    request: &'a Request,
    org: &'a str,
}

/// The operation of a call, if there is one.
pub(super) fn operation(method: &axum::http::Method, path: &[String]) -> Option<DockerOperation> {
    route::find(method, path).map(|route| route.operation)
}

impl Service {
    /// A service whose tokens are signed with `key`.
    #[must_use]
    pub fn new(settings: Settings, key: String) -> Self {
        Self { settings, tokens: Tokens::new(key) }
    }

    /// Answers one call.
    #[must_use]
    pub fn handle(&self, state: &mut State, request: &Request) -> Response {
        match route::find(&request.method, &request.path) {
            Some(Route { operation: DockerOperation::Authenticate, .. }) => {
                self.tokens.exchange(&self.settings, request)
            }
            Some(Route { operation: DockerOperation::ListAuditLogs, org, .. }) => {
                audit::list(&self.settings, state, request, org)
            }
            Some(route) => match self.authorized(state, request, &route) {
                Ok(response) => {
                    if route.operation.is_governance() && route.operation.is_write() {
                        audit::note(state, request, route.org, route.operation, route.object);
                    }
                    response
                }
                Err(refusal) => refusal.response(route.operation),
            },
            None => match self.tokens.caller(&self.settings, request) {
                Ok(_) => {
                    Refusal::not_found("no such route").response(DockerOperation::ListPolicies)
                }
                Err(refusal) => refusal.response(DockerOperation::ListPolicies),
            },
        }
    }

    /// Invalidates every token given so far.
    pub fn expire_tokens(&self) {
        self.tokens.expire();
    }

    fn authorized(
        &self,
        state: &mut State,
        request: &Request,
        route: &Route<'_>,
    ) -> Result<Response, Refusal> {
        let role = self.tokens.caller(&self.settings, request)?;
        let hidden = || Refusal::not_found("organization not found");
        if role == Role::Outsider || !state.orgs.contains_key(route.org) {
            return Err(hidden());
        }
        if route.operation.is_governance() && (role != Role::Owner || !self.settings.entitled) {
            return Err(Refusal::new(Code::PermissionDenied, "permission denied"));
        }
        let call = Call { settings: &self.settings, request, org: route.org };
        match route.operation {
            DockerOperation::Authenticate | DockerOperation::ListAuditLogs => {
                unreachable!("answered before anything is asked of the caller")
            }
            DockerOperation::ListPolicies => call.list_policies(state),
            DockerOperation::CreatePolicy => call.create_policy(state),
            DockerOperation::GetPolicy => call.get_policy(state, route.object),
            DockerOperation::UpdatePolicy => call.update_policy(state, route.object),
            DockerOperation::DeletePolicy => call.delete_policy(state, route.object),
            DockerOperation::CreateRule => call.create_rule(state, route.object),
            DockerOperation::UpdateRule => call.update_rule(state, route.object, route.rule),
            DockerOperation::DeleteRule => call.delete_rule(state, route.object, route.rule),
            DockerOperation::ListGroups => call.list_groups(state),
            DockerOperation::CreateGroup => call.create_group(state),
            DockerOperation::GetGroup => call.get_group(state, route.object),
            DockerOperation::DeleteGroup => call.delete_group(state, route.object),
            DockerOperation::ListMembers => call.list_members(state, route.object),
            DockerOperation::AddMember => call.add_member(state, route.object),
        }
    }
}

impl Call<'_> {
    fn org_state<'s>(&self, state: &'s State) -> &'s Org {
        state.orgs.get(self.org).expect("the organization was found before the operation")
    }

    fn org_state_mut<'s>(&self, state: &'s mut State) -> &'s mut Org {
        state.orgs.get_mut(self.org).expect("the organization was found before the operation")
    }

    fn now(&self) -> String {
        time(self.request.at)
    }
}

/// A time as the service shows it: UTC, whole seconds.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
