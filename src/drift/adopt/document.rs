//! Edits of one document that make it match the live policy.
//!
//! Invariant: only differences in meaning are edited. The order of lists, the spelling of teams,
//! comments, and fields that the service does not have (`description`) stay.

use serde_json::{Value, json};

use super::flow::has_comments;
use super::list::List;
use super::text::{Edits, Refusal, content, entry, in_braces};
use crate::document::spelled_action;
use crate::import;
use crate::model::{
    Body, Cedar, DesiredPolicy, DesiredRule, LiveBody, LivePolicy, Resources, Rule, Scope,
    TeamDirectory, TeamLookup,
};
use crate::plan::docker::{changed_fields, matching};
use crate::source::emit;
use crate::source::outline::{Node, Shape};

/// A document with its live policy.
pub(super) struct Pair<'a> {
    pub(super) root: &'a Node,
    /// The live policy; team keys are ids.
    pub(super) declared: &'a DesiredPolicy,
    pub(super) live: &'a LivePolicy,
    pub(super) teams: &'a TeamDirectory,
}

/// Edits the document. Returns the new text of its Cedar file, with the file's name, if it names
/// one.
pub(super) fn edit(
    edits: &mut Edits<'_>,
    pair: &Pair<'_>,
) -> Result<Option<(String, String)>, Refusal> {
    let Pair { root, declared, live, .. } = pair;
    if declared.policy.name != live.name {
        return Err(format!("it is still called `{}` live: apply the new name first", live.name));
    }
    if declared.policy.scope != live.scope {
        scope(edits, pair)?;
    }
    match (&declared.policy.body, &live.body) {
        (Body::Allowlist(_), LiveBody::Allowlist(_)) => rules(edits, pair).map(|()| None),
        (Body::Cedar(before), LiveBody::Cedar(after)) => cedar(edits, root, before, after),
        (Body::Allowlist(_), LiveBody::Cedar(_)) | (Body::Cedar(_), LiveBody::Allowlist(_)) => {
            Err("it is of another kind".to_owned())
        }
    }
}

fn scope(edits: &mut Edits<'_>, pair: &Pair<'_>) -> Result<(), Refusal> {
    let Pair { root, live, teams, .. } = pair;
    let names = import::team_names(&live.scope, teams);
    let flow = in_braces(root);
    let Some((key, value)) = entry(root, "scope") else {
        return add_entry(edits, root, "scope", &json!({"teams": names}));
    };
    if live.scope == Scope::Organization {
        return if flow {
            edits.set(key, value, &json!({"teams": []}), true)
        } else {
            edits.remove_entry(key, value)
        };
    }
    let Some((inner, list)) = entry(value, "teams") else {
        return edits.set(key, value, &json!({"teams": names}), flow);
    };
    let Shape::Sequence { items, .. } = &list.shape else {
        return Err("`teams` has an anchor or an alias".to_owned());
    };
    let id = |text: &str| match teams.resolve(text) {
        TeamLookup::Found(id) => id,
        TeamLookup::Unknown | TeamLookup::Ambiguous(_) => text.to_owned(),
    };
    let wanted = live.scope.teams();
    let keep: Vec<bool> =
        items.iter().map(|item| wanted.contains(&id(content(item)).as_str())).collect();
    let there: Vec<String> = items.iter().map(|item| id(content(item))).collect();
    let added: Vec<Value> =
        names.into_iter().filter(|name| !there.contains(&id(name))).map(Value::from).collect();
    let kept = items
        .iter()
        .zip(&keep)
        .filter(|(_, keep)| **keep)
        .map(|(item, _)| Value::from(content(item)));
    let all: Vec<Value> = kept.chain(added.iter().cloned()).collect();
    edits.set_items(&List { key: inner, value: list, flow: in_braces(value) }, &keep, &added, &all)
}

/// Adds a key after the name.
fn add_entry(edits: &mut Edits<'_>, root: &Node, key: &str, value: &Value) -> Result<(), Refusal> {
    let (name, behind) = entry(root, "name").ok_or("its name comes from elsewhere")?;
    if in_braces(root) {
        edits.replace(behind.span.end..behind.span.end, format!(", {key}: {}", emit::flow(value)));
    } else {
        let indent = edits.column(name.span.start);
        let lines = format!("{:indent$}{key}:{}\n", "", emit::value(value, indent));
        edits.insert_behind(behind, lines);
    }
    Ok(())
}

fn cedar(
    edits: &mut Edits<'_>,
    root: &Node,
    before: &Cedar,
    after: &Cedar,
) -> Result<Option<(String, String)>, Refusal> {
    if before.schema_url != after.schema_url {
        match entry(root, "schema_url") {
            Some((key, value)) => {
                edits.set(key, value, &after.schema_url.as_str().into(), in_braces(root))?
            }
            None => add_entry(edits, root, "schema_url", &after.schema_url.as_str().into())?,
        }
    }
    if before.text == after.text {
        return Ok(None);
    }
    match (entry(root, "cedar"), entry(root, "cedar_file")) {
        (Some((key, value)), _) => {
            edits.set(key, value, &after.text.as_str().into(), in_braces(root))?;
            Ok(None)
        }
        (None, Some((_, file))) => Ok(Some((content(file).to_owned(), after.text.clone()))),
        (None, None) => Err("its Cedar text comes from elsewhere".to_owned()),
    }
}

fn rules(edits: &mut Edits<'_>, pair: &Pair<'_>) -> Result<(), Refusal> {
    let Pair { root, declared, live, .. } = pair;
    let (key, value) = entry(root, "rules").ok_or("its rules come from elsewhere")?;
    let Shape::Sequence { items, flow: brackets } = &value.shape else {
        return Err("`rules` has an anchor or an alias".to_owned());
    };
    let matched = matching::rules(declared, live.rules());
    let keep: Vec<bool> = matched.iter().map(Option::is_some).collect();
    let new = live.rules().iter().enumerate().filter(|(index, _)| !matched.contains(&Some(*index)));
    let added: Vec<Value> = new.map(|(_, live)| import::rule(&live.rule)).collect();
    let pairs = || declared.policy.rules().iter().zip(&declared.rules).zip(&matched);
    let changes = pairs().any(|((rule, _), found)| {
        found
            .and_then(|index| live.rules().get(index))
            .is_some_and(|live| !changed_fields(rule, &live.rule).is_empty())
    });
    if !changes && added.is_empty() && keep.iter().all(|keep| *keep) {
        return Ok(());
    }
    let list = List { key, value, flow: in_braces(root) };
    let moved = !added.is_empty() || keep.contains(&false);
    if *brackets && moved && !has_comments(edits, value) {
        let kept = matched.iter().flatten().filter_map(|index| live.rules().get(*index));
        let all: Vec<Value> =
            kept.map(|live| import::rule(&live.rule)).chain(added.iter().cloned()).collect();
        return edits.set_items(&list, &keep, &added, &all);
    }
    if items.len() != keep.len() {
        return Err("`rules` is put together from other parts".to_owned());
    }
    for (((before, beside), found), item) in pairs().zip(items) {
        if let Some(after) = found.and_then(|index| live.rules().get(index)) {
            rule(edits, item, (before, beside), &after.rule)?;
        }
    }
    // Last, so that new rules come after the edited ones.
    if moved {
        let all: Vec<Value> = live.rules().iter().map(|live| import::rule(&live.rule)).collect();
        edits.set_items(&list, &keep, &added, &all)?;
    }
    Ok(())
}

fn rule(
    edits: &mut Edits<'_>,
    item: &Node,
    (before, beside): (&Rule, &DesiredRule),
    after: &Rule,
) -> Result<(), Refusal> {
    let changed = changed_fields(before, after);
    if changed.is_empty() {
        return Ok(());
    }
    let flow = in_braces(item);
    let elsewhere =
        |key: &str| format!("`{key}` of the rule `{}` comes from elsewhere", before.name);
    let find = |key: &str| entry(item, key).ok_or_else(|| elsewhere(key));
    for field in changed {
        match field {
            "name" => {
                let (key, value) = find("name")?;
                edits.set(key, value, &after.name.as_str().into(), flow)?;
                if beside.previously.contains(&after.name) {
                    let (key, value) = find("previously")?;
                    if flow || beside.previously.len() > 1 {
                        return Err(format!(
                            "the rule `{}` is still called `{}` live",
                            before.name, after.name
                        ));
                    }
                    edits.remove_entry(key, value)?;
                }
            }
            "decision" => {
                let (key, value) = find("decision")?;
                edits.set(key, value, &json!(after.decision), flow)?;
            }
            "actions" => {
                let (key, value) = find("actions")?;
                let texts = |rule: &Rule| {
                    rule.actions.iter().map(|action| spelled_action(action).into()).collect()
                };
                set(edits, &List { key, value, flow }, texts(before), texts(after))?;
            }
            _ => resources(edits, item, before, after)?,
        }
    }
    Ok(())
}

fn resources(
    edits: &mut Edits<'_>,
    item: &Node,
    before: &Rule,
    after: &Rule,
) -> Result<(), Refusal> {
    let named = |rule: &Rule| match rule.resources {
        Resources::Plain(_) => "resources",
        Resources::Http(_) => "http_resources",
    };
    let list = |rule: &Rule| match import::rule(rule).get(named(rule)) {
        Some(Value::Array(list)) => list.clone(),
        Some(_) | None => Vec::new(),
    };
    let (old, new) = (named(before), named(after));
    let flow = in_braces(item);
    let (key, value) = entry(item, old)
        .ok_or_else(|| format!("`{old}` of the rule `{}` comes from elsewhere", before.name))?;
    if old == new {
        return set(edits, &List { key, value, flow }, list(before), list(after));
    }
    edits.replace(key.span.clone(), new);
    edits.set(key, value, &list(after).into(), flow)
}

/// Makes a list equal to another one as a set: common items stay where they are.
fn set(
    edits: &mut Edits<'_>,
    list: &List<'_>,
    before: Vec<Value>,
    after: Vec<Value>,
) -> Result<(), Refusal> {
    let keep: Vec<bool> = before.iter().map(|item| after.contains(item)).collect();
    let added: Vec<Value> = after.iter().filter(|item| !before.contains(item)).cloned().collect();
    let kept = before.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(item, _)| item.clone());
    let all: Vec<Value> = kept.chain(added.iter().cloned()).collect();
    edits.set_items(list, &keep, &added, &all)
}
