//! The initial state: a snapshot of an organization, or the state that documents declare.

use std::sync::Arc;

use jiff::Timestamp;

use super::state::{Allowlist, Cedar, Policy, Rule, Scope, State, Stored};
use super::vijil::{TEAM, USER};
use super::{docker, identity};
use crate::model::{Body, Desired, Resources, Review, Team, VijilStatus};
use crate::service::docker::{DockerSnapshot, Snapshot, wire};
use serde_json::{Value, json};

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

impl From<Snapshot> for Seed {
    fn from(snapshot: Snapshot) -> Self {
        let mut seed = Self::default();
        if let Some(DockerSnapshot { org, teams, policies }) = snapshot.docker {
            seed = Self { org: Some(org), teams, policies: policies.into_iter().map(Policy::from).collect(), ..seed };
        }
        for whole in snapshot.vijil.into_iter().flat_map(|vijil| vijil.policies) {
            let rules = whole.rules.iter().map(|rule| serde_json::to_value(rule).unwrap_or_default()).collect();
            seed.vijil.push((serde_json::to_value(&whole.policy).unwrap_or_default(), rules));
        }
        seed
    }
}

impl Seed {
    /// The state that documents declare, as if they were applied. `teams` and the teams in scopes are created: with its
    /// id if the text is a UUID, otherwise with its name.
    #[must_use]
    pub fn from_desired(org: &str, desired: &Desired, teams: Vec<String>) -> Self {
        let mut seed = Self { org: Some(org.to_owned()), ..Self::default() };
        for team in teams {
            seed.team_id(org, &team);
        }
        for declared in &desired.vijil {
            let mut policy = declared.fields.clone();
            policy.insert("name".to_owned(), declared.name.clone().into());
            policy.insert("status".to_owned(), declared.status.map_or("draft", VijilStatus::as_str).into());
            let rules = declared.rules.iter().map(|rule| {
                let mut fields = rule.fields.clone();
                fields.insert("rule_id".to_owned(), rule.rule_id.clone().into());
                let status = rule.review.as_ref().map_or("draft", Review::status);
                fields.insert("status".to_owned(), status.into());
                if let Some(Review::Approved(notes) | Review::Rejected(notes)) = &rule.review {
                    fields.insert("review_notes".to_owned(), notes.clone().into());
                }
                if let Some(provenance) = &rule.provenance {
                    fields.insert("provenance".to_owned(), provenance.clone());
                }
                Value::Object(fields)
            });
            seed.vijil.push((Value::Object(policy), rules.collect()));
        }
        for declared in &desired.policies {
            let policy = &declared.policy;
            let teams: Vec<String> = policy.scope.teams().into_iter().map(|key| seed.team_id(org, key)).collect();
            let (allowlist_v0, cedar_v1) = match &policy.body {
                Body::Allowlist(rules) if rules.is_empty() => (None, None),
                Body::Allowlist(rules) => {
                    let mut allowlist = Allowlist { domain: None, rules: rules.iter().map(rule).collect() };
                    allowlist.derive_domain();
                    (Some(allowlist), None)
                }
                Body::Cedar(cedar) => {
                    let crate::model::Cedar { text, schema_url } = cedar.clone();
                    (None, Some(Cedar { text, schema_url }))
                }
            };
            seed.policies.push(Policy {
                id: String::new(),
                name: policy.name.clone(),
                org: org.to_owned(),
                scope: Scope { teams: (!teams.is_empty()).then_some(teams) },
                created_at: String::new(),
                updated_at: String::new(),
                allowlist_v0,
                cedar_v1,
            });
        }
        seed
    }

    fn team_id(&mut self, org: &str, key: &str) -> String {
        if let Some(team) = self.teams.iter().find(|team| team.id == key || team.name == key) {
            return team.id.clone();
        }
        let id = if identity::is_uuid(key) { key.to_owned() } else { identity::team_id(org, key) };
        self.teams.push(Team { id: id.clone(), name: key.to_owned() });
        id
    }

    /// Adds the seed to an organization without validation: a seed may hold objects that the service would refuse
    /// today.
    pub(super) fn fill(self, state: &mut State, org: &str, now: Timestamp) {
        let Self { vijil, .. } = &self;
        let vijil_ids = vijil.iter().flat_map(|(policy, rules)| std::iter::once(policy).chain(rules));
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
                state.vijil.rules.insert(rule_id, Arc::new(Stored { number: state.ids_given, object: rule }));
            }
        }
    }
}

/// An object with an id and these defaults, and the id.
fn completed(state: &mut State, object: &Value, defaults: Value) -> (String, Value) {
    let next = state.next_uuid();
    let mut members = defaults.as_object().cloned().unwrap_or_default();
    members.extend(object.as_object().cloned().unwrap_or_default());
    let id = object.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).map_or(next, str::to_owned);
    members.insert("id".to_owned(), id.clone().into());
    (id, Value::Object(members))
}

fn rule(rule: &crate::model::Rule) -> Rule {
    let crate::model::Rule { name, decision, actions, resources } = rule.clone();
    let (resources, http_resources) = match resources {
        Resources::Plain(plain) => (Some(plain), None),
        Resources::Http(http) => (None, Some(http)),
    };
    let actions = actions.iter().map(ToString::to_string).collect();
    Rule { id: String::new(), name, actions, resources, http_resources, decision }
}

impl From<wire::Policy> for Policy {
    fn from(policy: wire::Policy) -> Self {
        let wire::Policy { id, name, org, scope, created_at, updated_at, allowlist_v0, cedar_v1 } = policy;
        Self {
            id: id.0,
            name,
            org: org.unwrap_or_default(),
            scope: Scope { teams: scope.and_then(|wire::Scope { teams }| teams) },
            created_at: created_at.unwrap_or_default(),
            updated_at: updated_at.unwrap_or_default(),
            allowlist_v0: allowlist_v0.map(|wire::Allowlist { domain, rules }| Allowlist {
                domain,
                rules: rules.unwrap_or_default().into_iter().map(Rule::from).collect(),
            }),
            cedar_v1: cedar_v1.map(|wire::CedarBody { text, schema_url }| Cedar { text, schema_url }),
        }
    }
}

impl From<wire::Rule> for Rule {
    fn from(rule: wire::Rule) -> Self {
        let wire::Rule { id, name, actions, decision, resources, http_resources } = rule;
        Self { id: id.0, name, actions, resources, http_resources, decision }
    }
}
