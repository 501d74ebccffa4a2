//! Initial states of the emulator: a snapshot, or the state that documents declare.

use serde_json::Value;

use crate::emulator::Seed;
use crate::emulator::docker::{Allowlist, Cedar, Policy, Rule, Scope};
use crate::model::{Body, Desired, Resources, Review, VijilStatus};
use crate::service::docker::{DockerSnapshot, Snapshot, wire};

impl From<Snapshot> for Seed {
    fn from(snapshot: Snapshot) -> Self {
        let mut seed = Self::default();
        if let Some(DockerSnapshot { org, teams, policies }) = snapshot.docker {
            seed = Self {
                org: Some(org),
                teams,
                policies: policies.into_iter().map(Policy::from).collect(),
                ..seed
            };
        }
        for whole in snapshot.vijil.into_iter().flat_map(|vijil| vijil.policies) {
            let rules = whole
                .rules
                .iter()
                .map(|rule| serde_json::to_value(rule).unwrap_or_default())
                .collect();
            seed.vijil.push((serde_json::to_value(&whole.policy).unwrap_or_default(), rules));
        }
        seed
    }
}

/// The state that documents declare, as if they were applied. `teams` and the teams in scopes are
/// created: with its id if the text is a UUID, otherwise with its name.
#[must_use]
pub fn from_desired(org: &str, desired: &Desired, teams: Vec<String>) -> Seed {
    let mut seed = Seed { org: Some(org.to_owned()), ..Seed::default() };
    for team in teams {
        seed.ensure_team(org, &team);
    }
    for declared in &desired.vijil {
        let mut policy = declared.fields.clone();
        policy.insert("name".to_owned(), declared.name.clone().into());
        policy.insert(
            "status".to_owned(),
            declared.status.map_or("draft", VijilStatus::as_str).into(),
        );
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
        let teams: Vec<String> =
            policy.scope.teams().into_iter().map(|key| seed.ensure_team(org, key)).collect();
        let (allowlist_v0, cedar_v1) = match &policy.body {
            Body::Allowlist(rules) if rules.is_empty() => (None, None),
            Body::Allowlist(rules) => {
                let mut allowlist =
                    Allowlist { domain: None, rules: rules.iter().map(rule).collect() };
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

fn rule(rule: &crate::model::Rule) -> Rule {
    let crate::model::Rule { name, decision, actions, resources } = rule.clone();
    let (resources, http_resources) = match resources {
        Resources::Plain(plain) => (Some(plain.to_vec()), None),
        Resources::Http(http) => (None, Some(http)),
    };
    let actions = actions.iter().map(ToString::to_string).collect();
    Rule { id: String::new(), name, actions, resources, http_resources, decision }
}

impl From<wire::Policy> for Policy {
    fn from(policy: wire::Policy) -> Self {
        let wire::Policy { id, name, org, scope, created_at, updated_at, allowlist_v0, cedar_v1 } =
            policy;
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
            cedar_v1: cedar_v1
                .map(|wire::CedarBody { text, schema_url }| Cedar { text, schema_url }),
        }
    }
}

impl From<wire::Rule> for Rule {
    fn from(rule: wire::Rule) -> Self {
        let wire::Rule { id, name, actions, decision, resources, http_resources } = rule;
        Self { id: id.0, name, actions, resources, http_resources, decision }
    }
}
