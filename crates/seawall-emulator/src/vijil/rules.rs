//! The operations on rules.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::fields::{self, Field, Invalid, Kind, LONG};
use super::{
    ActiveEdit, AfterEdit, CATEGORIES, Call, Consequences, Count, CreatedStatus, Duplicates,
    NullUpdate, RULE_STATUSES, RULE_TYPES, Refusal, SecondReview, USER, set,
};
use crate::exchange::Response;
use crate::state::{State, Stored, VijilState};

const fn field(name: &'static str, kind: Kind, required: bool, nullable: bool) -> Field {
    Field { name, kind, required, nullable }
}

const CREATE: &[Field] = &[
    field("id", Kind::Id, false, true),
    field("rule_id", Kind::Text(0, LONG), false, true),
    field("rule_type", Kind::Choice(RULE_TYPES), true, false),
    field("action", Kind::Text(1, 100), true, false),
    field("target", Kind::Text(0, LONG), false, true),
    field("assignee", Kind::Text(0, LONG), false, true),
    field("constraints", Kind::Objects, false, false),
    field("conditions", Kind::Objects, false, true),
    field("constraint_logic", Kind::Text(0, LONG), false, false),
    field("consequence", Kind::Object, true, false),
    field("natural_language", Kind::Text(1, LONG), true, false),
    field("category", Kind::Choice(CATEGORIES), false, false),
    field("status", Kind::Choice(RULE_STATUSES), false, false),
    field("tags", Kind::Texts, false, true),
];

const UPDATE: &[Field] = &[
    field("rule_id", Kind::Text(0, LONG), false, true),
    field("rule_type", Kind::Choice(RULE_TYPES), false, true),
    field("action", Kind::Text(0, LONG), false, true),
    field("target", Kind::Text(0, LONG), false, true),
    field("assignee", Kind::Text(0, LONG), false, true),
    field("constraints", Kind::Objects, false, true),
    field("conditions", Kind::Objects, false, true),
    field("constraint_logic", Kind::Text(0, LONG), false, true),
    field("consequence", Kind::Object, false, true),
    field("natural_language", Kind::Text(0, LONG), false, true),
    field("category", Kind::Choice(CATEGORIES), false, true),
    field("status", Kind::Choice(RULE_STATUSES), false, true),
    field("tags", Kind::Texts, false, true),
];

const NULLABLE: [&str; 4] = ["target", "assignee", "category", "tags"];

impl Call<'_> {
    pub(super) fn list_policy_rules(
        &self,
        vijil: &VijilState,
        policy: &str,
    ) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let policy = fields::path_id(policy, "policy_id", &mut invalid);
        let status = fields::choice(self.request, "status", RULE_STATUSES, &mut invalid);
        let limit = fields::number(self.request, "limit", (1, 1000, 100), &mut invalid);
        let offset = fields::number(self.request, "offset", (0, LONG, 0), &mut invalid);
        self.valid(invalid)?;
        vijil.policy(&policy)?;
        let fits = |rule: &&Arc<Stored>| status.is_none_or(|status| rule.text("status") == status);
        let rules = vijil.rules_of(&policy).filter(fits);
        let (results, total) = self.page(rules, (limit, offset), |rule| self.shown_rule(rule));
        Ok(Response::json(200, &json!({"results": results, "total": total})))
    }

    pub(super) fn list_rules(&self, vijil: &VijilState) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let policy = self.request.parameter("policy_id").map(|id| {
            fields::uuid(id).unwrap_or_else(|| {
                let msg = "Input should be a valid UUID";
                invalid.add("uuid_parsing", json!(["query", "policy_id"]), msg, json!(id), None);
                String::new()
            })
        });
        let status = fields::choice(self.request, "status", RULE_STATUSES, &mut invalid);
        let category = fields::choice(self.request, "category", CATEGORIES, &mut invalid);
        let limit = fields::number(self.request, "limit", (1, 1000, 100), &mut invalid);
        let offset = fields::number(self.request, "offset", (0, LONG, 0), &mut invalid);
        self.valid(invalid)?;
        let fits = |rule: &&Arc<Stored>| {
            policy.as_deref().is_none_or(|policy| rule.text("policy_id") == policy)
                && status.is_none_or(|status| rule.text("status") == status)
                && category.is_none_or(|category| rule.text("category") == category)
        };
        let rules = vijil.rules.values().filter(fits);
        let (results, total) = self.page(rules, (limit, offset), |rule| self.shown_rule(rule));
        let count = match self.behaviour.count {
            Count::Total => total,
            Count::Page => results.len(),
        };
        Ok(Response::json(200, &json!({"results": results, "count": count})))
    }

    pub(super) fn create_rule(&self, state: &mut State, policy: &str) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let policy = fields::path_id(policy, "policy_id", &mut invalid);
        let body = fields::body(self.request, CREATE, &mut invalid);
        self.valid(invalid)?;
        state.vijil.policy(&policy)?;
        self.active_policy_takes(&state.vijil, &policy)?;
        let rule_id = body.get("rule_id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let taken = |rule_id: &str| {
            state.vijil.rules_of(&policy).any(|rule| rule.text("rule_id") == rule_id)
        };
        if self.behaviour.duplicates == Duplicates::Conflict && rule_id.is_some_and(taken) {
            return Err(Refusal::new(409, "A rule with this rule_id already exists"));
        }
        let id = self.new_id(state, &body, |vijil, id| vijil.rules.contains_key(id))?;
        let rule = self.rule(&id, &policy, &body);
        let answer = Response::json(201, &self.shown_rule(&rule));
        state.vijil.rules.insert(id, Arc::new(Stored { number: state.ids_given, object: rule }));
        self.touch_policy(&mut state.vijil, &policy);
        Ok(answer)
    }

    /// A new rule with these members.
    pub(super) fn rule(&self, id: &str, policy: &str, body: &Map<String, Value>) -> Value {
        let member = |key: &str, default: Value| body.get(key).cloned().unwrap_or(default);
        let rule_id = body.get("rule_id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let generated = format!("R-{}", id.get(..8).unwrap_or(id).to_uppercase());
        let status = match self.behaviour.created_status {
            CreatedStatus::Taken => member("status", json!("draft")),
            CreatedStatus::Ignored => json!("draft"),
        };
        json!({
            "id": id, "policy_id": policy, "rule_id": rule_id.unwrap_or(&generated),
            "rule_type": member("rule_type", Value::Null), "action": member("action", Value::Null),
            "target": member("target", Value::Null), "assignee": member("assignee", json!("agent")),
            "constraints": member("constraints", json!([])), "constraint_logic": member("constraint_logic", json!("all")),
            "consequence": self.consequence(member("consequence", json!({}))),
            "natural_language": member("natural_language", Value::Null),
            "provenance": {"extracted_by": "manual", "model_used": null, "confidence_score": null, "source_location": null},
            "category": member("category", json!("security")), "tags": member("tags", Value::Null), "status": status,
            "reviewed_by": null, "reviewed_at": null, "review_notes": null, "original_snapshot": null,
            "created_at": self.now(), "updated_at": self.now(),
        })
    }

    /// A consequence in stored form.
    fn consequence(&self, mut sent: Value) -> Value {
        if let (Consequences::Filled, Some(members)) =
            (self.behaviour.consequences, sent.as_object_mut())
        {
            for (key, default) in
                [("action", json!("warn")), ("severity", json!("medium")), ("message", Value::Null)]
            {
                members.entry(key).or_insert(default);
            }
        }
        sent
    }

    pub(super) fn get_rule(&self, vijil: &VijilState, id: &str) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let id = fields::path_id(id, "rule_id", &mut invalid);
        self.valid(invalid)?;
        Ok(Response::json(200, &self.shown_rule(&vijil.rule(&id)?.object)))
    }

    pub(super) fn update_rule(
        &self,
        vijil: &mut VijilState,
        id: &str,
    ) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let id = fields::path_id(id, "rule_id", &mut invalid);
        let mut body = fields::body(self.request, UPDATE, &mut invalid);
        self.valid(invalid)?;
        body.shift_remove("conditions");
        let old = vijil.rule(&id)?.object.clone();
        let policy = old.get("policy_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.active_policy_takes(vijil, &policy)?;
        let clears = self.behaviour.null_update == NullUpdate::Clears;
        body.retain(|key, value| !value.is_null() || clears && NULLABLE.contains(&key.as_str()));
        let content =
            body.iter().any(|(key, value)| key != "status" && old.get(key) != Some(value));
        let now = self.now();
        let rule = vijil.edit_rule(&id, |rule| {
            for (key, value) in body {
                set(rule, &key, if key == "consequence" { self.consequence(value) } else { value });
            }
            if content {
                self.edited(rule, &old);
            }
            set(rule, "updated_at", now);
        });
        self.touch_policy(vijil, &policy);
        Ok(Response::json(200, &self.shown_rule(&rule)))
    }

    /// Changes the review of a rule after an edit of its content.
    fn edited(&self, rule: &mut Value, old: &Value) {
        let text = |pointer: &str| old.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if text("/provenance/extracted_by") == "llm"
            && old.get("original_snapshot").is_none_or(Value::is_null)
        {
            let kept =
                ["natural_language", "rule_type", "action", "target", "constraints", "consequence"];
            let mut snapshot: Map<String, Value> = kept
                .iter()
                .filter_map(|key| Some(((*key).to_owned(), old.get(*key)?.clone())))
                .collect();
            snapshot.insert(
                "severity".to_owned(),
                old.pointer("/consequence/severity").cloned().unwrap_or_default(),
            );
            snapshot.insert("snapshotted_at".to_owned(), self.now().into());
            set(rule, "original_snapshot", Value::Object(snapshot));
        }
        let status = text("/status");
        let after = match self.behaviour.after_edit {
            AfterEdit::Unchanged => return,
            AfterEdit::Modified if status == "draft" => return,
            AfterEdit::Modified => "modified",
            AfterEdit::Draft => "draft",
        };
        set(rule, "status", after);
        for key in ["reviewed_by", "reviewed_at", "review_notes"] {
            set(rule, key, Value::Null);
        }
    }

    fn active_policy_takes(&self, vijil: &VijilState, policy: &str) -> Result<(), Refusal> {
        let active =
            vijil.policies.get(policy).is_some_and(|policy| policy.text("status") == "active");
        if active && self.behaviour.active_edit == ActiveEdit::Refused {
            return Err(Refusal::new(409, "Rules of an active policy cannot be edited"));
        }
        Ok(())
    }

    fn touch_policy(&self, vijil: &mut VijilState, policy: &str) {
        let active =
            vijil.policies.get(policy).is_some_and(|policy| policy.text("status") == "active");
        if active && self.behaviour.active_edit == ActiveEdit::BecomesDraft {
            vijil.edit_policy(policy, |policy| set(policy, "status", "draft"));
        }
    }

    pub(super) fn delete_rule(
        &self,
        vijil: &mut VijilState,
        id: &str,
    ) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let id = fields::path_id(id, "rule_id", &mut invalid);
        self.valid(invalid)?;
        vijil.rule(&id)?;
        vijil.rules.remove(&id);
        Ok(Response::empty(204))
    }

    pub(super) fn approve_rule(
        &self,
        vijil: &mut VijilState,
        id: &str,
    ) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let id = fields::path_id(id, "rule_id", &mut invalid);
        self.valid(invalid)?;
        self.review(vijil, &id, "approved", self.request.parameter("notes"))
    }

    pub(super) fn reject_rule(
        &self,
        vijil: &mut VijilState,
        id: &str,
    ) -> Result<Response, Refusal> {
        let mut invalid = Invalid::default();
        let id = fields::path_id(id, "rule_id", &mut invalid);
        let reason = fields::required(self.request, "reason", &mut invalid);
        self.valid(invalid)?;
        self.review(vijil, &id, "rejected", Some(reason))
    }

    fn review(
        &self,
        vijil: &mut VijilState,
        id: &str,
        status: &str,
        notes: Option<&str>,
    ) -> Result<Response, Refusal> {
        let again = vijil.rule(id)?.text("status") == status;
        if again && self.behaviour.second_review == SecondReview::ConflictWhenSame {
            return Err(Refusal::new(409, format!("The rule is already {status}")));
        }
        let now = self.now();
        let rule = vijil.edit_rule(id, |rule| {
            set(rule, "status", status);
            set(rule, "reviewed_by", USER);
            set(rule, "reviewed_at", now);
            set(rule, "review_notes", notes.map(str::to_owned));
            set(rule, "updated_at", now);
        });
        Ok(Response::json(200, &self.shown_rule(&rule)))
    }

    fn shown_rule(&self, rule: &Value) -> Value {
        let mut shown = rule.clone();
        if let Some(members) = shown.as_object_mut().filter(|_| self.behaviour.older_fields) {
            members.shift_remove("original_snapshot");
        }
        shown
    }
}
