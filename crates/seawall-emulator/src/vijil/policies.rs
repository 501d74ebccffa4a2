//! The operations on policies.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::fields::{self, Field, Invalid, Kind, LONG};
use super::{
    CATEGORIES, Call, ClientIds, DeleteWithRules, Duplicates, NullUpdate, POLICY_STATUSES,
    PatchedActive, Refusal, RefusedActivation, TEAM, USER, set,
};
use crate::exchange::Response;
use crate::state::{State, Stored, VijilState};

const fn field(name: &'static str, kind: Kind, required: bool, nullable: bool) -> Field {
    Field { name, kind, required, nullable }
}

const CREATE: &[Field] = &[
    field("id", Kind::Id, false, true),
    field("name", Kind::Text(1, 255), true, false),
    field("description", Kind::Text(0, LONG), false, true),
    field("category", Kind::Choice(CATEGORIES), true, false),
    field("source_text", Kind::Text(0, LONG), false, true),
    field("tags", Kind::Texts, false, true),
];

const UPDATE: &[Field] = &[
    field("name", Kind::Text(1, 255), false, true),
    field("description", Kind::Text(0, LONG), false, true),
    field("category", Kind::Choice(CATEGORIES), false, true),
    field("status", Kind::Choice(POLICY_STATUSES), false, true),
    field("source_text", Kind::Text(0, LONG), false, true),
    field("tags", Kind::Texts, false, true),
];

const NULLABLE: [&str; 3] = ["description", "source_text", "tags"];

impl Call<'_> {
    pub(super) fn list_policies(&self, vijil: &VijilState) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let category = fields::choice(self.request, "category", CATEGORIES, &mut invalid);
        let status = fields::choice(self.request, "status", POLICY_STATUSES, &mut invalid);
        let limit = fields::number(self.request, "limit", (1, 100, 10), &mut invalid);
        let offset = fields::number(self.request, "offset", (0, LONG, 0), &mut invalid);
        self.valid(invalid)?;
        let search = self.request.parameter("search").map(str::to_lowercase);
        let fits = |policy: &&Arc<Stored>| {
            let found = |text: &str| {
                ["name", "description"]
                    .iter()
                    .any(|key| policy.text(key).to_lowercase().contains(text))
            };
            category.is_none_or(|category| policy.text("category") == category)
                && status.is_none_or(|status| policy.text("status") == status)
                && search.as_deref().is_none_or(found)
        };
        let show = |policy: &Value| self.shown_policy(vijil, policy);
        let (results, total) =
            self.page(vijil.policies.values().filter(fits), (limit, offset), show);
        Ok(Response::json(200, &json!({"results": results, "total": total})))
    }

    pub(super) fn create_policy(&self, state: &mut State) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let body = fields::body(self.request, CREATE, &mut invalid);
        self.valid(invalid)?;
        let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
        self.free_name(&state.vijil, name, "")?;
        let id = self.new_id(state, &body, |vijil, id| vijil.policies.contains_key(id))?;
        let policy = self.policy(&id, &body);
        let answer = Response::json(201, &self.shown_policy(&state.vijil, &policy));
        state
            .vijil
            .policies
            .insert(id, Arc::new(Stored { number: state.ids_given, object: policy }));
        Ok(answer)
    }

    /// A new policy with these members.
    pub(super) fn policy(&self, id: &str, body: &Map<String, Value>) -> Value {
        let member = |key: &str| body.get(key).cloned().unwrap_or(Value::Null);
        json!({
            "id": id, "team_id": TEAM, "name": member("name"), "description": member("description"),
            "category": member("category"), "status": "draft", "source_text": member("source_text"),
            "file_path": null, "file_name": null, "file_type": null, "file_size_bytes": null,
            "converted_file_path": null, "is_preset": false, "preset_source": null, "tags": member("tags"),
            "workflow_id": null, "rule_extraction": null,
            "created_at": self.now(), "updated_at": self.now(), "created_by": USER,
        })
    }

    /// An id for a new object: the client's, or the next.
    pub(super) fn new_id(
        &self,
        state: &mut State,
        body: &Map<String, Value>,
        taken: impl Fn(&VijilState, &str) -> bool,
    ) -> Result<String, Refusal> {
        let next = state.next_uuid();
        let chosen = body.get("id").and_then(Value::as_str).and_then(fields::uuid);
        match chosen.filter(|_| self.behaviour.client_ids == ClientIds::Taken) {
            Some(id) if taken(&state.vijil, &id) => {
                Err(Refusal::new(409, "An object with this id already exists"))
            }
            Some(id) => Ok(id),
            None => Ok(next),
        }
    }

    fn free_name(&self, vijil: &VijilState, name: &str, except: &str) -> Result<(), Refusal> {
        let taken = vijil
            .policies
            .values()
            .any(|policy| policy.text("name") == name && policy.text("id") != except);
        match self.behaviour.duplicates {
            Duplicates::Conflict if taken => {
                Err(Refusal::new(409, "A policy with this name already exists"))
            }
            Duplicates::Conflict | Duplicates::Accept => Ok(()),
        }
    }

    pub(super) fn get_policy(&self, vijil: &VijilState, id: &str) -> Result<Response, Refusal> {
        let id = self.policy_id(id)?;
        Ok(Response::json(200, &self.shown_policy(vijil, &vijil.policy(&id)?.object)))
    }

    pub(super) fn policy_id(&self, id: &str) -> Result<String, Refusal> {
        let mut invalid = Invalid::default();
        let id = fields::path_id(id, "policy_id", &mut invalid);
        self.valid(invalid).map(|()| id)
    }

    pub(super) fn update_policy(
        &self,
        vijil: &mut VijilState,
        id: &str,
    ) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let id = fields::path_id(id, "policy_id", &mut invalid);
        let body = fields::body(self.request, UPDATE, &mut invalid);
        self.valid(invalid)?;
        let old = vijil.policy(&id)?;
        if let Some(name) = body.get("name").and_then(Value::as_str) {
            self.free_name(vijil, name, &id)?;
        }
        if body.get("status").and_then(Value::as_str) == Some("active")
            && old.text("status") != "active"
        {
            match self.behaviour.patched_active {
                PatchedActive::Taken => {}
                PatchedActive::Refused => {
                    return Err(Refusal::new(400, "Use the activate operation"));
                }
                PatchedActive::Gated => self.may_activate(vijil, &id)?,
            }
        }
        let now = self.now();
        let clears = self.behaviour.null_update == NullUpdate::Clears;
        let policy = vijil.edit_policy(&id, |policy| {
            for (key, value) in body {
                if !value.is_null() || (clears && NULLABLE.contains(&key.as_str())) {
                    set(policy, &key, value);
                }
            }
            set(policy, "updated_at", now);
        });
        Ok(Response::json(200, &self.shown_policy(vijil, &policy)))
    }

    pub(super) fn delete_policy(
        &self,
        vijil: &mut VijilState,
        id: &str,
    ) -> Result<Response, Refusal> {
        let id = self.policy_id(id)?;
        vijil.policy(&id)?;
        let rules: Vec<String> =
            vijil.rules_of(&id).map(|rule| rule.text("id").to_owned()).collect();
        if !rules.is_empty() && self.behaviour.delete_with_rules == DeleteWithRules::Refused {
            return Err(Refusal::new(409, "The policy still has rules"));
        }
        for rule in rules {
            vijil.rules.remove(&rule);
        }
        vijil.policies.remove(&id);
        vijil.files.remove(&id);
        Ok(Response::empty(204))
    }

    pub(super) fn activate_policy(
        &self,
        vijil: &mut VijilState,
        id: &str,
    ) -> Result<Response, Refusal> {
        let id = self.policy_id(id)?;
        let archived = vijil.policy(&id)?.text("status") == "archived";
        if archived && self.behaviour.only_drafts_activate {
            return Err(self.not_activated("Only draft policies can be activated"));
        }
        self.may_activate(vijil, &id)?;
        let now = self.now();
        let policy = vijil.edit_policy(&id, |policy| {
            set(policy, "status", "active");
            set(policy, "updated_at", now);
        });
        Ok(Response::json(200, &self.shown_policy(vijil, &policy)))
    }

    fn may_activate(&self, vijil: &VijilState, id: &str) -> Result<(), Refusal> {
        let passes = |status: &str| {
            status == "approved" || status == "rejected" && self.behaviour.rejected_rules_pass
        };
        if vijil.rules_of(id).all(|rule| passes(rule.text("status"))) {
            return Ok(());
        }
        Err(self.not_activated("All rules must be approved before the policy can be activated"))
    }

    fn not_activated(&self, detail: &str) -> Refusal {
        let status = match self.behaviour.refused_activation {
            RefusedActivation::BadRequest => 400,
            RefusedActivation::Conflict => 409,
            RefusedActivation::Unprocessable => 422,
        };
        Refusal::new(status, detail)
    }

    pub(super) fn shown_policy(&self, vijil: &VijilState, policy: &Value) -> Value {
        let mut shown = policy.clone();
        if self.behaviour.older_fields {
            if let Some(members) = shown.as_object_mut() {
                ["rules_count", "workflow_id", "rule_extraction"].iter().for_each(|key| {
                    members.shift_remove(*key);
                });
            }
        } else {
            let id = policy.get("id").and_then(Value::as_str).unwrap_or_default();
            set(&mut shown, "rules_count", vijil.rules_of(id).count());
        }
        shown
    }
}
