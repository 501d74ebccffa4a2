//! The initial state of an organization.

use std::sync::Arc;

use jiff::Timestamp;
use seawall_access::model::Team;
use serde_json::{Value, json};

use super::state::{Policy, State, Stored};
use super::vijil::{TEAM, USER};
use super::{docker, identity};

/// The initial state of an organization.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seed {
    /// The organization's name, if the seed states it.
    pub org: Option<String>,
    /// Its teams.
    pub teams: Vec<Team>,
    /// Complete policies in the form of the API; an empty id or time is filled in.
    pub policies: Vec<Policy>,
    /// Policies for agents with their rules, in the form of the API; an empty id is filled in.
    pub vijil: Vec<(Value, Vec<Value>)>,
}

impl Seed {
    /// The id of the team with this id or name, which is added if it is new: with its id if the
    /// text is a UUID, otherwise with its name.
    pub fn ensure_team(&mut self, org: &str, key: &str) -> String {
        if let Some(team) = self.teams.iter().find(|team| team.id == key || team.name == key) {
            return team.id.clone();
        }
        let id = if identity::is_uuid(key) { key.to_owned() } else { identity::team_id(org, key) };
        self.teams.push(Team { id: id.clone(), name: key.to_owned() });
        id
    }

    /// Adds the seed to an organization without validation: a seed may hold objects that the
    /// service would refuse today.
    pub(super) fn fill(self, state: &mut State, org: &str, now: Timestamp) {
        let Self { vijil, .. } = &self;
        let vijil_ids =
            vijil.iter().flat_map(|(policy, rules)| std::iter::once(policy).chain(rules));
        let vijil_ids: Vec<String> =
            vijil_ids.filter_map(|object| object.get("id")?.as_str().map(str::to_owned)).collect();
        state.org_mut(org).add_teams(self.teams.clone());
        let seeded = self.policies.iter().flat_map(|policy| {
            let rules = policy.rules().iter().map(|rule| rule.id.as_str());
            std::iter::once(policy.id.as_str()).chain(rules)
        });
        state.ids_salt = identity::salt(seeded.chain(vijil_ids.iter().map(String::as_str)));
        self.fill_vijil(state, now);
        for mut policy in self.policies {
            org.clone_into(&mut policy.org);
            for time in [&mut policy.created_at, &mut policy.updated_at] {
                if time.is_empty() {
                    *time = docker::time(now);
                }
            }
            let mut id = |id: &mut String, prefix: &str| {
                if id.is_empty() {
                    *id = state.next_id(prefix);
                }
            };
            id(&mut policy.id, "pol_");
            for rule in policy.allowlist_v0.iter_mut().flat_map(|allowlist| &mut allowlist.rules) {
                id(&mut rule.id, "rule_");
            }
            state.org_mut(org).policies.insert(policy.id.clone(), Arc::new(policy));
        }
    }
}

impl Seed {
    /// Adds the policies for agents, with defaults for fields that the seed leaves out.
    fn fill_vijil(&self, state: &mut State, now: Timestamp) {
        let now = now.as_second();
        for (policy, rules) in &self.vijil {
            let defaults = json!({"team_id": TEAM, "description": null, "category": "custom", "status": "draft",
                "source_text": null, "file_path": null, "file_name": null, "file_type": null, "file_size_bytes": null,
                "converted_file_path": null, "is_preset": false, "preset_source": null, "tags": null,
                "workflow_id": null, "rule_extraction": null, "created_at": now, "updated_at": now, "created_by": USER});
            let (id, policy) = completed(state, policy, defaults);
            let stored = Arc::new(Stored { number: state.ids_given, object: policy });
            state.vijil.policies.insert(id.clone(), stored);
            for rule in rules {
                let manual = json!({"extracted_by": "manual", "model_used": null, "confidence_score": null,
                    "source_location": null});
                let defaults = json!({"target": null, "assignee": "agent", "constraints": [], "constraint_logic": "all",
                    "consequence": {}, "provenance": manual, "category": "security", "tags": null, "status": "draft",
                    "reviewed_by": null, "reviewed_at": null, "review_notes": null, "original_snapshot": null,
                    "created_at": now, "updated_at": now});
                let (rule_id, mut rule) = completed(state, rule, defaults);
                if let Some(members) = rule.as_object_mut() {
                    members.insert("policy_id".to_owned(), id.clone().into());
                }
                state
                    .vijil
                    .rules
                    .insert(rule_id, Arc::new(Stored { number: state.ids_given, object: rule }));
            }
        }
    }
}

/// An object with an id and these defaults, and the id.
fn completed(state: &mut State, object: &Value, defaults: Value) -> (String, Value) {
    let next = state.next_uuid();
    let mut members = defaults.as_object().cloned().unwrap_or_default();
    members.extend(object.as_object().cloned().unwrap_or_default());
    let id = object
        .get("id")
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty())
        .map_or(next, str::to_owned);
    members.insert("id".to_owned(), id.clone().into());
    (id, Value::Object(members))
}
