//! Converts a live policy to a document that declares it.

use serde_json::{Map, Value, json};

use super::{Candidate, Location};
use crate::access::cedar::SCHEMA_URL;
use crate::document::spelled_action;
use crate::model::{
    Cedar, Domain, HttpResource, Live, LiveBody, LivePolicy, Resources, Rule, Scope, TeamDirectory,
    TeamLookup,
};
use crate::plan::is_left_behind;
use crate::plan::saved::Service;

/// The policy with its document. Content that the document's kind does not permit is found when the
/// document is read.
pub(super) fn candidate(policy: &LivePolicy, live: &Live) -> Candidate {
    let Live { org, teams, policies: _ } = live;
    let LivePolicy { id, name, scope: _, body: _ } = policy;
    let document = match is_left_behind(name) {
        true => Err("an interrupted apply left it; the next `apply` deletes it".to_owned()),
        false => Ok(document(policy, teams)),
    };
    let places = vec![Location { org: org.clone(), id: id.0.clone() }];
    Candidate { service: Service::Docker, places, name: name.clone(), document }
}

/// A policy that shares its name with another live one: a document could declare either of them.
pub(super) fn namesake(LivePolicy { id, name, .. }: &LivePolicy, live: &Live) -> Candidate {
    let document = Err("another live policy has the same name".to_owned());
    let places = vec![Location { org: live.org.clone(), id: id.0.clone() }];
    Candidate { service: Service::Docker, places, name: name.clone(), document }
}

/// The policy as a document.
pub(crate) fn document(policy: &LivePolicy, teams: &TeamDirectory) -> Map<String, Value> {
    let LivePolicy { id: _, name, scope, body } = policy;
    let mut document = Map::new();
    let mut add = |key: &str, value: Value| document.insert(key.to_owned(), value);
    add("apiVersion", "seawall/v1".into());
    add("kind", kind(policy).into());
    add("name", name.clone().into());
    if *scope != Scope::Organization {
        add("scope", json!({"teams": team_names(scope, teams)}));
    }
    match body {
        LiveBody::Allowlist(rules) => {
            add("rules", rules.iter().map(|live| rule(&live.rule)).collect());
        }
        LiveBody::Cedar(Cedar { text, schema_url }) => {
            if schema_url != SCHEMA_URL {
                add("schema_url", schema_url.clone().into());
            }
            add("cedar", text.clone().into());
        }
    }
    document
}

/// A policy without rules has no domain; as a network policy it reads back as an empty one.
fn kind(policy: &LivePolicy) -> &'static str {
    match policy.policy().domain() {
        Some(Domain::Filesystem) => "FilesystemPolicy",
        Some(Domain::Mcp) => "McpPolicy",
        Some(Domain::Network) | None => "NetworkPolicy",
    }
}

/// The names of the teams that are unique and do not look like another team's id; otherwise the id.
pub(crate) fn team_names(scope: &Scope, teams: &TeamDirectory) -> Vec<String> {
    let name = |id: &str| {
        let name = teams.name(id);
        let same = !name.is_empty() && teams.resolve(name) == TeamLookup::Found(id.to_owned());
        if same { name.to_owned() } else { id.to_owned() }
    };
    let mut names: Vec<String> = scope.teams().into_iter().map(name).collect();
    names.sort();
    names
}

/// A rule in the form of documents.
pub(crate) fn rule(rule: &Rule) -> Value {
    let Rule { name, decision, actions, resources } = rule;
    let actions: Vec<String> = actions.iter().map(spelled_action).collect();
    let (key, resources) = match resources {
        Resources::Plain(list) => ("resources", json!(list[..])),
        Resources::Http(list) => ("http_resources", list.iter().map(target).collect()),
    };
    json!({"name": name, "decision": decision, "actions": actions, key: resources})
}

fn target(HttpResource { host, port, path }: &HttpResource) -> Value {
    match port {
        Some(port) => json!({"host": host, "port": port, "path": path}),
        None => json!({"host": host, "path": path}),
    }
}
