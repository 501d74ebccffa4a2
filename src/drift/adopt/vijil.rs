//! Edits of one document of a policy for agents that make it match the live policy.
//!
//! Invariant: a field that the document leaves out stays left out, since the service keeps it; and
//! a review is written only if the service says that people decided.

use serde_json::{Value, json};

use super::list::List;
use super::text::{Edits, Refusal, content, entry, in_braces};
use super::value::{At, become_live};
use crate::import::vijil::{review, rule as written};
use crate::model::{
    DesiredVijilPolicy, DesiredVijilRule, Fields, LiveVijilPolicy, LiveVijilRule,
    VIJIL_POLICY_FIELDS, VIJIL_RULE_FIELDS, VijilStatus, has_value,
};
use crate::source::outline::{Node, Shape};

/// A document with its live policy.
pub(super) struct VijilPair<'a> {
    pub(super) root: &'a Node,
    pub(super) declared: &'a DesiredVijilPolicy,
    pub(super) live: &'a LiveVijilPolicy,
    /// True if the workspace owns drafts of an extraction that the document does not mention.
    pub(super) exclusive: bool,
}

/// Edits the document. Returns the new text of its source file, with the file's name, if it names
/// one.
pub(super) fn edit(
    edits: &mut Edits<'_>,
    pair: &VijilPair<'_>,
) -> Result<Option<(String, String)>, Refusal> {
    let VijilPair { root, declared, live, .. } = pair;
    if declared.name != live.name {
        return Err(format!("it is still called `{}` live: apply the new name first", live.name));
    }
    let mut beside = None;
    for name in VIJIL_POLICY_FIELDS {
        let (Some(own), now) =
            (declared.fields.get(name), live.fields.get(name).unwrap_or(&Value::Null))
        else {
            continue;
        };
        match entry(root, "source_file")
            .filter(|_| name == "source_text" && !has_value(name, now, own))
        {
            Some((_, file)) if now.is_string() => {
                beside =
                    Some((content(file).to_owned(), now.as_str().unwrap_or_default().to_owned()));
            }
            Some((key, value)) => edits.remove_entry(key, value)?,
            None => field(edits, root, name, own, now)?,
        }
    }
    if let Some(status) = declared.status.filter(|status| status.as_str() != live.status) {
        let (key, value) = entry(root, "status").ok_or("its status comes from elsewhere")?;
        let known = [VijilStatus::Draft, VijilStatus::Active, VijilStatus::Archived];
        match known.into_iter().find(|known| known.as_str() == live.status && *known != status) {
            Some(known) => edits.set(key, value, &known.as_str().into(), in_braces(root))?,
            None => remove(edits, root, key, value)?,
        }
    }
    rules(edits, pair)?;
    Ok(beside)
}

/// Edits a field of the document to match the live value.
fn field(
    edits: &mut Edits<'_>,
    map: &Node,
    name: &str,
    own: &Value,
    now: &Value,
) -> Result<(), Refusal> {
    if has_value(name, now, own) {
        return Ok(());
    }
    let (key, value) = entry(map, name).ok_or_else(|| format!("`{name}` comes from elsewhere"))?;
    if now.is_null() && !own.is_array() {
        return remove(edits, map, key, value);
    }
    become_live(edits, At::Entry { key, value, flow: in_braces(map) }, name, (own, now))
}

fn remove(edits: &mut Edits<'_>, map: &Node, key: &Node, value: &Node) -> Result<(), Refusal> {
    match in_braces(map) {
        true => Err(format!("`{}` is no longer live, and is in braces: remove it", content(key))),
        false => edits.remove_entry(key, value),
    }
}

fn rules(edits: &mut Edits<'_>, pair: &VijilPair<'_>) -> Result<(), Refusal> {
    let VijilPair { root, declared, live, exclusive } = pair;
    let (key, value) = entry(root, "rules").ok_or("its rules come from elsewhere")?;
    let Shape::Sequence { items, .. } = &value.shape else {
        return Err("`rules` has an anchor or an alias".to_owned());
    };
    if items.len() != declared.rules.len() {
        return Err("`rules` is put together from other parts".to_owned());
    }
    let matched: Vec<Option<&LiveVijilRule>> =
        declared.rules.iter().map(|rule| live_rule(rule, live)).collect();
    for ((rule, found), item) in declared.rules.iter().zip(&matched).zip(items) {
        if let Some(found) = found {
            self::rule(edits, item, rule, found)
                .map_err(|reason| format!("rule `{}`: {reason}", rule.rule_id))?;
        }
    }
    let is_declared =
        |rule: &&LiveVijilRule| matched.iter().flatten().any(|found| found.id == rule.id);
    let is_own = |rule: &&LiveVijilRule| *exclusive || !rule.is_extracted_draft();
    let added = live.rules.iter().filter(|rule| !is_declared(rule) && is_own(rule));
    let added: Vec<Value> = added.map(|rule| Value::Object(written(rule))).collect();
    let keep: Vec<bool> = matched.iter().map(Option::is_some).collect();
    if added.is_empty() && keep.iter().all(|keep| *keep) {
        return Ok(());
    }
    let kept = matched.iter().flatten().map(|rule| Value::Object(written(rule)));
    let all: Vec<Value> = kept.chain(added.iter().cloned()).collect();
    let list = List { key, value, flow: in_braces(root) };
    if (list.flow || matches!(value.shape, Shape::Sequence { flow: true, .. }))
        && keep.contains(&true)
    {
        return Err("`rules` is in brackets: write it with dashes".to_owned());
    }
    edits.set_items(&list, &keep, &added, &all)
}

/// The live rule with this identity, or with an earlier one.
fn live_rule<'a>(rule: &DesiredVijilRule, live: &'a LiveVijilPolicy) -> Option<&'a LiveVijilRule> {
    let mut ids = std::iter::once(&rule.rule_id).chain(&rule.previously);
    ids.find_map(|id| live.rules.iter().find(|live| live.rule_id == *id))
}

fn rule(
    edits: &mut Edits<'_>,
    item: &Node,
    declared: &DesiredVijilRule,
    live: &LiveVijilRule,
) -> Result<(), Refusal> {
    if declared.rule_id != live.rule_id {
        return Err(format!(
            "it is still called `{}` live: apply the new name first",
            live.rule_id
        ));
    }
    let now = |fields: &Fields, name: &str| fields.get(name).cloned().unwrap_or_default();
    for name in VIJIL_RULE_FIELDS {
        if let Some(own) = declared.fields.get(name) {
            field(edits, item, name, own, &now(&live.fields, name))?;
        }
    }
    let Some(own) = &declared.review else { return Ok(()) };
    if own.status() == live.status {
        return Ok(());
    }
    let (key, value) = entry(item, "review").ok_or("its review comes from elsewhere")?;
    match review(live) {
        Some(review) => edits.set(key, value, &json!(review), in_braces(item)),
        None => remove(edits, item, key, value),
    }
}
