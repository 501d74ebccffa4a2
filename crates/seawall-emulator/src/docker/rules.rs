//! The operations on rules.
//!
//! Invariant: a rule is validated as a whole, after the fields of a call were merged into it, so
//! that a partial update cannot create an invalid rule.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fields::Fields;
use super::{
    Allowlist, Call, Code, DuplicateRuleNames, EmptyAllowlist, ListOrder, Policy, Refusal, Rule,
    UnknownFields,
};
use crate::exchange::Response;
use crate::state::State;
use seawall_access::model::{Action, Decision, HttpResource, Layer};

/// The fields of a rule in a call, each valid by itself.
struct Draft {
    name: Option<String>,
    actions: Option<Vec<String>>,
    decision: Option<Decision>,
    resources: Option<Vec<String>>,
    http_resources: Option<Vec<HttpResource>>,
}

impl Call<'_> {
    pub(super) fn create_rule(
        &self,
        state: &mut State,
        policy_id: &str,
    ) -> Result<Response, Refusal> {
        let mut policy = self.allowlist(state, policy_id)?;
        let Draft { name, actions, decision, resources, http_resources } = self.draft()?;
        let required = |field: &str| Refusal::invalid(format!("{field} is required"));
        let rule = Rule {
            id: String::new(),
            name: name.ok_or_else(|| required("name"))?,
            actions: actions.ok_or_else(|| required("actions"))?,
            resources,
            http_resources,
            decision: decision.ok_or_else(|| required("decision"))?,
        };
        self.judge(&policy, &rule)?;
        let maximum = self.settings.limits.rules;
        if policy.rules().len() >= maximum {
            return Err(Refusal::new(
                Code::LimitExceeded,
                format!("policy has reached the maximum of {maximum} rules"),
            ));
        }
        let mut after = state.clone();
        let rule = Rule { id: after.next_id("rule_"), ..rule };
        policy.allowlist_v0.get_or_insert_default().rules.push(rule.clone());
        self.store(&mut after, policy)?;
        *state = after;
        Ok(Response::json(201, &rule))
    }

    pub(super) fn update_rule(
        &self,
        state: &mut State,
        policy_id: &str,
        id: &str,
    ) -> Result<Response, Refusal> {
        let mut policy = self.allowlist(state, policy_id)?;
        let old = rule(&policy, id)?.clone();
        let Draft { name, actions, decision, resources, http_resources } = self.draft()?;
        let mut new = old.clone();
        new.name = name.unwrap_or(new.name);
        new.actions = actions.unwrap_or(new.actions);
        new.decision = decision.unwrap_or(new.decision);
        if resources.is_some() || http_resources.is_some() {
            (new.resources, new.http_resources) = (resources, http_resources);
        }
        self.judge(&policy, &new)?;
        for rule in policy.allowlist_v0.iter_mut().flat_map(|allowlist| &mut allowlist.rules) {
            if rule.id == id {
                *rule = new.clone();
            }
        }
        self.store(state, policy)?;
        Ok(Response::json(200, &json!({"old": old, "new": new})))
    }

    pub(super) fn delete_rule(
        &self,
        state: &mut State,
        policy_id: &str,
        id: &str,
    ) -> Result<Response, Refusal> {
        let mut policy = self.allowlist(state, policy_id)?;
        let deleted = rule(&policy, id)?.clone();
        if let Some(allowlist) = &mut policy.allowlist_v0 {
            allowlist.rules.retain(|rule| rule.id != id);
            if allowlist.rules.is_empty()
                && self.settings.behaviour.empty_allowlist == EmptyAllowlist::Absent
            {
                policy.allowlist_v0 = None;
            }
        }
        self.store(state, policy)?;
        Ok(Response::json(200, &json!({"deleted": deleted})))
    }

    /// A copy of the policy; an error for a Cedar policy, which has no rules.
    fn allowlist(&self, state: &State, policy_id: &str) -> Result<Policy, Refusal> {
        let policy = self.policy(state, policy_id)?;
        if policy.cedar_v1.is_some() {
            return Err(Refusal::invalid("a Cedar policy has no rules"));
        }
        Ok(Policy::clone(policy))
    }

    fn store(&self, state: &mut State, mut policy: Policy) -> Result<(), Refusal> {
        if let Some(Allowlist { rules, .. }) = &mut policy.allowlist_v0 {
            rules.sort_by(|one, other| one.id.cmp(&other.id));
            if self.settings.behaviour.order == ListOrder::ByIdBackwards {
                rules.reverse();
            }
        }
        if let Some(allowlist) = &mut policy.allowlist_v0 {
            allowlist.derive_domain();
        }
        if !self.settings.behaviour.rule_edits_keep_time {
            policy.updated_at = self.now();
        }
        self.fits(&policy)?;
        self.org_state_mut(state).policies.insert(policy.id.clone(), Arc::new(policy));
        Ok(())
    }

    fn draft(&self) -> Result<Draft, Refusal> {
        let unknown = self.settings.behaviour.unknown_fields;
        let mut fields = Fields::parse(&self.request.body)?;
        let draft = Draft {
            name: fields.text("name")?,
            actions: fields.texts("actions")?,
            decision: fields.text("decision")?.map(|text| decision(&text)).transpose()?,
            resources: fields.texts("resources")?,
            http_resources: fields
                .list("http_resources")?
                .map(|items| items.into_iter().map(|item| http_resource(item, unknown)).collect())
                .transpose()?,
        };
        fields.end(unknown)?;
        Ok(draft)
    }

    /// Refuses a rule that is invalid as a whole in its policy.
    fn judge(&self, policy: &Policy, rule: &Rule) -> Result<(), Refusal> {
        if let Some(action) =
            rule.actions.iter().find(|action| Action::parse(action).layer().is_none())
        {
            return Err(Refusal::invalid(format!("unknown action {action}")));
        }
        if rule.actions.is_empty() {
            return Err(Refusal::invalid("actions must hold at least one action"));
        }
        let layer = rule.layer().ok_or_else(|| Refusal::invalid("actions must be of one layer"))?;
        let wanted = if layer == Layer::Http { "http_resources" } else { "resources" };
        match (&rule.resources, &rule.http_resources) {
            (Some(_), Some(_)) | (None, None) => {
                return Err(Refusal::invalid(
                    "exactly one of resources and http_resources is required",
                ));
            }
            (Some(_), None) if layer == Layer::Http => {
                return Err(Refusal::invalid("http actions need http_resources"));
            }
            (None, Some(_)) if layer != Layer::Http => {
                return Err(Refusal::invalid("network and filesystem actions need resources"));
            }
            (Some(plain), None) if plain.iter().any(String::is_empty) => {
                return Err(Refusal::invalid("resources must not hold an empty string"));
            }
            (resources, http) => {
                if resources.as_ref().is_some_and(Vec::is_empty)
                    || http.as_ref().is_some_and(Vec::is_empty)
                {
                    return Err(Refusal::invalid(format!(
                        "{wanted} must hold at least one resource"
                    )));
                }
            }
        }
        let mut others = policy.rules().iter().filter(|other| other.id != rule.id);
        if others.clone().any(|other| other.domain().is_some() && other.domain() != rule.domain()) {
            return Err(Refusal::invalid("actions belong to another domain than the policy"));
        }
        let conflicts =
            self.settings.behaviour.duplicate_rule_names == DuplicateRuleNames::Conflict;
        if conflicts && others.any(|other| other.name == rule.name) {
            return Err(Refusal::conflict("rule name already in use"));
        }
        Ok(())
    }
}

fn rule<'p>(policy: &'p Policy, id: &str) -> Result<&'p Rule, Refusal> {
    policy
        .rules()
        .iter()
        .find(|rule| rule.id == id)
        .ok_or_else(|| Refusal::not_found("rule not found"))
}

fn decision(text: &str) -> Result<Decision, Refusal> {
    match text {
        "allow" => Ok(Decision::Allow),
        "deny" => Ok(Decision::Deny),
        _ => Err(Refusal::invalid("decision must be allow or deny")),
    }
}

fn http_resource(value: Value, unknown: UnknownFields) -> Result<HttpResource, Refusal> {
    let mut fields = Fields::from_object(value, "http_resources")?;
    let host = fields.required_text("host")?;
    let port = fields
        .take("port")
        .map(|port| port.as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(0));
    if port == Some(0) {
        return Err(Refusal::invalid("port must be a whole number from 1 to 65535"));
    }
    let path = fields.required_text("path")?;
    if !path.starts_with('/') {
        return Err(Refusal::invalid("path must start with /"));
    }
    fields.end(unknown)?;
    Ok(HttpResource { host, port, path })
}
