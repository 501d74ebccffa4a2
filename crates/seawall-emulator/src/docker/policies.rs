//! The operations on policies.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fields::Fields;
use super::{
    Call, Code, EmptyScope, ListOrder, NameMatching, Policy, Refusal, Scope, TooLarge,
    UnknownFields, cedar, page,
};
use crate::exchange::Response;
use crate::state::{Org, State};

impl Call<'_> {
    pub(super) fn list_policies(&self, state: &State) -> Result<Response, Refusal> {
        let size = page::size(self.request)?;
        let after = page::after(self.request, self.org)?;
        let backwards = self.settings.behaviour.order == ListOrder::ByIdBackwards;
        let policies = &self.org_state(state).policies;
        let ordered: Vec<&Arc<Policy>> =
            if backwards { policies.values().rev().collect() } else { policies.values().collect() };
        let follows = |policy: &&&Arc<Policy>| match &after {
            None => true,
            Some(id) if backwards => policy.id < *id,
            Some(id) => policy.id > *id,
        };
        let rest: Vec<&&Arc<Policy>> = ordered.iter().filter(follows).collect();
        let data: Vec<Value> = rest.iter().take(size).map(|policy| summary(policy)).collect();
        let last = rest.get(size.saturating_sub(1)).filter(|_| rest.len() > size);
        let next = last.map(|policy| page::token(self.org, &policy.id));
        Ok(Response::json(200, &json!({"data": data, "next_page_token": next})))
    }

    pub(super) fn create_policy(&self, state: &mut State) -> Result<Response, Refusal> {
        let mut fields = Fields::parse(&self.request.body)?;
        let name = fields.required_text("name")?;
        let scope = fields.take("scope").map(|scope| self.scope(scope)).transpose()?.flatten();
        let unknown = self.settings.behaviour.unknown_fields;
        let cedar_v1 =
            fields.take("cedar_v1").map(|value| cedar::parse(value, unknown)).transpose()?;
        fields.end(unknown)?;

        let org = self.org_state(state);
        self.known_teams(org, scope.as_deref())?;
        self.free_name(org, &name, None)?;
        let maximum = self.settings.limits.policies;
        if org.policies.len() >= maximum {
            let message = format!("organization has reached the maximum of {maximum} policies");
            return Err(Refusal::new(Code::LimitExceeded, message));
        }
        let policy = Policy {
            id: String::new(),
            name,
            org: self.org.to_owned(),
            scope: self.shown_scope(scope.unwrap_or_default()),
            created_at: self.now(),
            updated_at: self.now(),
            allowlist_v0: None,
            cedar_v1,
        };
        self.fits(&policy)?;
        let policy = Policy { id: state.next_id("pol_"), ..policy };
        let answer = Response::json(201, &policy);
        self.org_state_mut(state).policies.insert(policy.id.clone(), Arc::new(policy));
        Ok(answer)
    }

    pub(super) fn get_policy(&self, state: &State, id: &str) -> Result<Response, Refusal> {
        Ok(Response::json(200, self.policy(state, id)?.as_ref()))
    }

    pub(super) fn update_policy(&self, state: &mut State, id: &str) -> Result<Response, Refusal> {
        let old = self.policy(state, id)?.clone();
        let mut fields = Fields::parse(&self.request.body)?;
        if fields.is_empty() {
            return Err(Refusal::invalid("at least one field is required"));
        }
        let name = fields.text("name")?;
        let scope = fields.take("scope").map(|scope| self.scope(scope)).transpose()?.flatten();
        let unknown = self.settings.behaviour.unknown_fields;
        let cedar_v1 =
            fields.take("cedar_v1").map(|value| cedar::parse(value, unknown)).transpose()?;
        fields.end(unknown)?;

        let org = self.org_state(state);
        self.known_teams(org, scope.as_deref())?;
        if cedar_v1.is_some() && old.cedar_v1.is_none() {
            return Err(Refusal::invalid("an allowlist policy has no Cedar text"));
        }
        let mut new = Policy::clone(&old);
        if let Some(name) = name {
            self.free_name(org, &name, Some(id))?;
            new.name = name;
        }
        if let Some(teams) = scope {
            new.scope = self.shown_scope(teams);
        }
        if let Some(cedar) = cedar_v1 {
            new.cedar_v1 = Some(cedar);
        }
        new.updated_at = self.now();
        self.fits(&new)?;
        let answer = Response::json(200, &json!({"old": old.as_ref(), "new": new}));
        self.org_state_mut(state).policies.insert(id.to_owned(), Arc::new(new));
        Ok(answer)
    }

    pub(super) fn delete_policy(&self, state: &mut State, id: &str) -> Result<Response, Refusal> {
        let deleted = self.policy(state, id)?.clone();
        self.org_state_mut(state).policies.remove(id);
        Ok(Response::json(200, &json!({"deleted": deleted.as_ref()})))
    }

    pub(super) fn policy<'s>(
        &self,
        state: &'s State,
        id: &str,
    ) -> Result<&'s Arc<Policy>, Refusal> {
        self.org_state(state).policies.get(id).ok_or_else(|| Refusal::not_found("policy not found"))
    }

    /// Refuses a policy over the size limit.
    pub(super) fn fits(&self, policy: &Policy) -> Result<(), Refusal> {
        let maximum = self.settings.limits.policy_bytes;
        if policy.bytes() <= maximum {
            return Ok(());
        }
        let code = match self.settings.behaviour.too_large {
            TooLarge::InvalidArgument => Code::InvalidArgument,
            TooLarge::LimitExceeded => Code::LimitExceeded,
        };
        Err(Refusal::new(code, format!("policy is larger than the maximum of {maximum} bytes")))
    }

    /// The teams of a scope; `None` if it does not state them.
    fn scope(&self, value: Value) -> Result<Option<Vec<String>>, Refusal> {
        let mut fields = Fields::from_object(value, "scope")?;
        let teams = fields.texts("teams")?;
        let unknown: UnknownFields = self.settings.behaviour.unknown_fields;
        fields.end(unknown)?;
        Ok(teams)
    }

    fn shown_scope(&self, teams: Vec<String>) -> Scope {
        let absent = teams.is_empty() && self.settings.behaviour.empty_scope == EmptyScope::Absent;
        Scope { teams: (!absent).then_some(teams) }
    }

    #[expect(clippy::unused_self, reason = "one of the checks of a call, beside its siblings")]
    fn known_teams(&self, org: &Org, teams: Option<&[String]>) -> Result<(), Refusal> {
        match teams.unwrap_or_default().iter().find(|id| !org.teams.contains_key(*id)) {
            Some(id) => {
                Err(Refusal::invalid(format!("team {id} is not a team of the organization")))
            }
            None => Ok(()),
        }
    }

    fn free_name(&self, org: &Org, name: &str, except: Option<&str>) -> Result<(), Refusal> {
        let same = |other: &str| match self.settings.behaviour.names {
            NameMatching::Exact => other == name,
            NameMatching::IgnoringCase => other.to_lowercase() == name.to_lowercase(),
        };
        if org
            .policies
            .values()
            .any(|policy| same(&policy.name) && Some(policy.id.as_str()) != except)
        {
            return Err(Refusal::conflict("policy name already in use"));
        }
        Ok(())
    }
}

fn summary(policy: &Policy) -> Value {
    let Policy { id, name, org, scope, created_at, updated_at, allowlist_v0: _, cedar_v1 } = policy;
    let kind = if cedar_v1.is_some() { "cedar_v1" } else { "allowlist_v0" };
    json!({
        "id": id, "name": name, "org": org, "scope": scope,
        "created_at": created_at, "updated_at": updated_at, "type": kind,
    })
}
