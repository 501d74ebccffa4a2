//! The rules for agents in force that a plan weakens: in active policies, approved rules.
//!
//! People have to judge if a sentence says less than another one; fields are compared. A field
//! whose versions cannot be compared may be weaker.
//!
//! Invariant: a rule counts as weaker, or possibly weaker, whenever one of its fields changes in a
//! direction that is not known to be stricter. Of the fields of documents, only the category and
//! the tags have no weight: they sort rules, and nothing enforces them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::outcome::{self, is_approved, text};
use super::{Step, Subject};
use crate::model::{CONSEQUENCE_ACTIONS, Fields, LiveVijil, SEVERITIES, Weakening, same_value};

/// A policy or a rule for agents that a plan weakens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AgentWeakening")]
pub struct Weakened {
    /// The name of the live policy.
    pub policy: String,
    /// The `rule_id`; null for the policy as a whole.
    pub rule: Option<String>,
    /// The part that becomes weaker.
    pub what: Weaker,
    /// The change in short form: `block → log`.
    pub change: String,
    /// True if it is certainly weaker; false if it may be.
    pub certain: bool,
}

/// The part of a rule or policy that becomes weaker.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Weaker {
    /// An active policy is deleted.
    Deleted,
    /// A policy is no longer active.
    Deactivated,
    /// An approved rule is deleted.
    RuleDeleted,
    /// An approved rule is rejected, or no longer approved.
    RuleRejected,
    /// A rule becomes one of a weaker type, such as a prohibition that becomes a recommendation.
    RuleType,
    /// The consequence of a broken rule is milder: `block` becomes `log`.
    Consequence,
    /// The severity of breaking the rule is lower.
    Severity,
    /// The rule covers less, applies to fewer agents, or has more conditions.
    Reach,
    /// A rule that permits something takes effect.
    Permission,
    /// The sentence of a rule changes, which alone decides what an automatic judge looks for.
    Sentence,
}

impl Weaker {
    /// The kind of change, as settings name it.
    #[must_use]
    pub fn kind(self) -> Weakening {
        match self {
            Self::Deleted => Weakening::Delete,
            Self::Deactivated => Weakening::Deactivate,
            Self::RuleDeleted
            | Self::RuleRejected
            | Self::RuleType
            | Self::Consequence
            | Self::Severity
            | Self::Reach
            | Self::Permission
            | Self::Sentence => Weakening::WeakenRule,
        }
    }
}

impl Weakened {
    /// Returns `true` if it counts as access that somebody may gain. A changed sentence does not:
    /// it may be stricter, and people read it.
    #[must_use]
    pub fn may_open(&self) -> bool {
        self.what != Weaker::Sentence
    }

    /// A short description: `AU-001: block → log`.
    #[must_use]
    pub fn in_short(&self) -> String {
        let Self { policy, rule, change, .. } = self;
        format!("{}: {change}", rule.as_ref().unwrap_or(policy))
    }
}

/// Finds everything that the steps weaken.
#[must_use]
pub fn find(live: &LiveVijil, steps: &[Step]) -> Vec<Weakened> {
    let (before, after) = (outcome::before(live), outcome::after(live, steps));
    let mut found = Vec::new();
    for (subject, old) in before.iter().filter(|(_, policy)| policy.is_in_force()) {
        let new = after.get(subject);
        let mut add = |what, change: String| {
            let (policy, rule) = (old.name.clone(), None);
            found.push(Weakened { policy, rule, what, change, certain: true });
        };
        match new {
            None => add(Weaker::Deleted, "deleted".to_owned()),
            Some(new) if !new.is_in_force() => {
                add(Weaker::Deactivated, format!("{} → {}", old.status, new.status))
            }
            Some(_) => {}
        }
        if let Some(new) = new {
            old.approved().for_each(|(subject, rule)| {
                weakened(&old.name, rule, new.rules.get(subject), &mut found)
            });
        }
    }
    for (subject, new) in after.iter().filter(|(_, policy)| policy.is_in_force()) {
        let permits = |rule: &Fields| text(rule, "rule_type") == "permission";
        let held = |rule: &Subject| {
            let old = before.get(subject).filter(|policy| policy.is_in_force());
            old.and_then(|policy| policy.rules.get(rule)).is_some_and(is_approved)
        };
        for (_, rule) in new.approved().filter(|(rule, fields)| permits(fields) && !held(rule)) {
            let (policy, rule) = (new.name.clone(), Some(text(rule, "rule_id").to_owned()));
            let change = "a new permission".to_owned();
            found.push(Weakened { policy, rule, what: Weaker::Permission, change, certain: true });
        }
    }
    found
}

/// Finds the parts of a rule in force that become weaker.
fn weakened(policy: &str, old: &Fields, new: Option<&Fields>, found: &mut Vec<Weakened>) {
    let mut add = |what, change: String, certain| {
        let (policy, rule) = (policy.to_owned(), Some(text(old, "rule_id").to_owned()));
        found.push(Weakened { policy, rule, what, change, certain });
    };
    let permits = text(old, "rule_type") == "permission";
    match new {
        // The removal of a permission weakens nothing.
        None if permits => {}
        None => add(Weaker::RuleDeleted, "deleted".to_owned(), true),
        Some(new) if !is_approved(new) && permits => {}
        Some(new) if text(new, "status") == "rejected" => {
            add(Weaker::RuleRejected, "rejected".to_owned(), true)
        }
        Some(new) if !is_approved(new) => {
            add(Weaker::RuleRejected, "no longer approved".to_owned(), true)
        }
        Some(new) => changes(old, new, add),
    }
}

fn changes(old: &Fields, new: &Fields, mut add: impl FnMut(Weaker, String, bool)) {
    let arrow = |old: &str, new: &str| format!("{} → {}", or_none(old), or_none(new));
    let (was, is) = (text(old, "rule_type"), text(new, "rule_type"));
    match direction(was, is, type_rank) {
        // A prohibition and an obligation cannot be compared.
        Direction::Same if was != is => add(Weaker::RuleType, arrow(was, is), false),
        Direction::Same | Direction::Stricter => {}
        found @ (Direction::Weaker | Direction::Unknown) => {
            add(Weaker::RuleType, arrow(was, is), found == Direction::Weaker)
        }
    }
    let part = |rule: &Fields, key: &str| {
        rule.get("consequence")
            .and_then(|all| all.get(key))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (was, is) = (part(old, "action"), part(new, "action"));
    match direction(&was, &is, action_rank) {
        Direction::Same | Direction::Stricter => {}
        found @ (Direction::Weaker | Direction::Unknown) => {
            add(Weaker::Consequence, arrow(&was, &is), found == Direction::Weaker)
        }
    }
    let (was, is) = (part(old, "severity"), part(new, "severity"));
    match direction(&was, &is, severity_rank) {
        Direction::Same | Direction::Stricter => {}
        found @ (Direction::Weaker | Direction::Unknown) => add(
            Weaker::Severity,
            format!("severity {}", arrow(&was, &is)),
            found == Direction::Weaker,
        ),
    }
    // A permission is weaker if it covers more.
    let permits = text(new, "rule_type") == "permission";
    let mut reach = |found: Reach, change: String| match (found, permits) {
        (Reach::Same, _) | (Reach::Broader, false) | (Reach::Narrower, true) => {}
        (Reach::Narrower, false) | (Reach::Broader, true) => add(Weaker::Reach, change, true),
        (Reach::Other, _) => add(Weaker::Reach, change, false),
    };
    let (was, is) = (text(old, "action"), text(new, "action"));
    reach(
        if same_words(was, is) { Reach::Same } else { Reach::Other },
        format!("action {}", arrow(was, is)),
    );
    for key in ["target", "assignee"] {
        let (was, is) = (text(old, key), text(new, key));
        reach(listed(was, is), format!("{key} {}", arrow(was, is)));
    }
    reach(conditions(old, new), "other conditions".to_owned());
    let (was, is) = (text(old, "natural_language"), text(new, "natural_language"));
    if !same_words(was, is) {
        add(Weaker::Sentence, "reworded".to_owned(), false);
    }
}

fn or_none(value: &str) -> &str {
    if value.is_empty() { "none" } else { value }
}

fn same_words(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// The change of a value on a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Same,
    Stricter,
    Weaker,
    /// One of the two values is not on the scale.
    Unknown,
}

fn direction(old: &str, new: &str, rank: fn(&str) -> Option<usize>) -> Direction {
    match (rank(old), rank(new)) {
        _ if old == new => Direction::Same,
        (Some(old), Some(new)) if new < old => Direction::Weaker,
        (Some(old), Some(new)) if new > old => Direction::Stricter,
        // `block` is the strictest value, so that a change to it from an unknown value is stricter.
        (None, Some(new)) if Some(new) == rank("block") => Direction::Stricter,
        (Some(_), Some(_)) => Direction::Same,
        (_, _) => Direction::Unknown,
    }
}

/// The rank of a consequence by what it prevents. Without a consequence, the service warns.
fn action_rank(action: &str) -> Option<usize> {
    let action = if action.is_empty() { "warn" } else { action };
    let known = CONSEQUENCE_ACTIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(action));
    known.map(|(_, rank)| *rank)
}

fn severity_rank(severity: &str) -> Option<usize> {
    let severity = if severity.is_empty() { "medium" } else { severity }; // the service's own default
    SEVERITIES.iter().position(|known| known.eq_ignore_ascii_case(severity))
}

fn type_rank(kind: &str) -> Option<usize> {
    match kind {
        "permission" => Some(0),
        "recommendation" => Some(1),
        "prohibition" | "obligation" => Some(2),
        _ => None,
    }
}

/// The change of what a rule covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Same,
    Broader,
    Narrower,
    /// The two cannot be compared.
    Other,
}

impl Reach {
    fn turned(self) -> Self {
        match self {
            Self::Broader => Self::Narrower,
            Self::Narrower => Self::Broader,
            Self::Same | Self::Other => self,
        }
    }
}

/// Compares sets of which a larger one is broader, by whether the old one is a subset of the new
/// one and vice versa.
fn subsets(old_in_new: bool, new_in_old: bool) -> Reach {
    match (old_in_new, new_in_old) {
        (true, true) => Reach::Same,
        (true, false) => Reach::Broader,
        (false, true) => Reach::Narrower,
        (false, false) => Reach::Other,
    }
}

/// Compares the subjects of a rule, or the agents that it is for: a word, or several separated by
/// commas; empty means everything.
fn listed(old: &str, new: &str) -> Reach {
    let all = |text: &str| {
        matches!(
            text.trim().to_ascii_lowercase().as_str(),
            "" | "*" | "all" | "any" | "agent" | "agents"
        )
    };
    match (all(old), all(new)) {
        (true, true) => Reach::Same,
        (true, false) => Reach::Narrower,
        (false, true) => Reach::Broader,
        (false, false) => {
            let items = |text: &str| -> BTreeSet<String> {
                text.split([',', ';', '|']).map(|item| item.trim().to_owned()).collect()
            };
            let (old, new) = (items(old), items(new));
            subsets(old.is_subset(&new), new.is_subset(&old))
        }
    }
}

/// Compares the conditions under which a rule applies. With `all`, each further condition makes the
/// rule narrower; with `any`, broader.
fn conditions(old: &Fields, new: &Fields) -> Reach {
    let list = |rule: &Fields| {
        rule.get("constraints").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let (was, is) = (list(old), list(new));
    let any = |rule: &Fields| text(rule, "constraint_logic").eq_ignore_ascii_case("any");
    let known = |rule: &Fields| matches!(text(rule, "constraint_logic"), "" | "all" | "any");
    let has = |list: &[Value], one: &Value| list.iter().any(|other| same_value(one, other));
    let kept = was.iter().all(|one| has(&is, one));
    let no_new = is.iter().all(|one| has(&was, one));
    match (was.is_empty(), is.is_empty()) {
        (true, true) => return Reach::Same,
        (true, false) => return Reach::Narrower,
        (false, true) => return Reach::Broader,
        (false, false) => {}
    }
    if !(known(old) && known(new)) {
        let same = kept && no_new && text(old, "constraint_logic") == text(new, "constraint_logic");
        return if same { Reach::Same } else { Reach::Other };
    }
    // With one condition, `all` and `any` mean the same.
    let (was_all, is_all) = (was.len() == 1 || !any(old), is.len() == 1 || !any(new));
    let (was_any, is_any) = (was.len() == 1 || any(old), is.len() == 1 || any(new));
    let shared = was.iter().any(|one| has(&is, one));
    match (was_all && is_all, was_any && is_any) {
        (true, _) => subsets(kept, no_new).turned(),
        (false, true) => subsets(kept, no_new),
        (false, false) if !shared => Reach::Other,
        (false, false) => {
            if was_all {
                Reach::Broader
            } else {
                Reach::Narrower
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Weaker, changes, weakened};
    use crate::model::Fields;

    fn rule(more: &Value) -> Fields {
        let mut rule = json!({
            "rule_id": "R", "rule_type": "prohibition", "action": "disclose", "target": "pii", "assignee": "agent",
            "constraints": [], "constraint_logic": "all", "consequence": {"action": "block", "severity": "high"},
            "natural_language": "Agents must not disclose PII.",
        });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule.as_object().unwrap().clone()
    }

    #[test]
    fn rules_are_weaker_where_they_stop_less_reach_less_or_cannot_be_compared() {
        use Weaker::{Consequence, Reach, RuleType, Sentence, Severity};
        let consequence = |action: &str, severity: &str| json!({"consequence": {"action": action, "severity": severity}});
        let condition = |field: &str| json!({"condition_type": "context", "field": field, "operator": "=", "value": 1});
        let when = |logic: &str, fields: &[&str]| json!({"constraint_logic": logic, "constraints": fields.iter().map(|field| condition(field)).collect::<Vec<_>>()});
        let target = |target: Value| json!({"target": target});
        let permission = |target: &str| json!({"rule_type": "permission", "target": target});
        let permitted = |mut rule: Value| {
            rule["rule_type"] = "permission".into();
            rule
        };
        type Row = (Value, Value, &'static [(Weaker, &'static str, bool)]);
        let table: Vec<Row> = vec![
            (json!({}), json!({}), &[]),
            (
                consequence("block", "high"),
                consequence("log", "high"),
                &[(Consequence, "block → log", true)],
            ),
            (consequence("log", "high"), consequence("block", "high"), &[]),
            (consequence("block", "high"), consequence("stop", "high"), &[]), // as strict, in another word
            (
                consequence("block", "high"),
                consequence("quarantine", "high"),
                &[(Consequence, "block → quarantine", false)],
            ),
            (consequence("quarantine", "high"), consequence("block", "high"), &[]),
            (
                consequence("quarantine", "high"),
                consequence("warn", "high"),
                &[(Consequence, "quarantine → warn", false)],
            ),
            (
                consequence("block", "high"),
                consequence("block", "low"),
                &[(Severity, "severity high → low", true)],
            ),
            (consequence("block", "low"), consequence("block", "critical"), &[]),
            (
                consequence("block", "high"),
                consequence("warn", "info"),
                &[(Consequence, "block → warn", true), (Severity, "severity high → info", true)],
            ),
            (target(json!(null)), target(json!("pii")), &[(Reach, "target none → pii", true)]),
            (target(json!("pii")), target(json!(null)), &[]),
            (
                target(json!("pii, keys")),
                target(json!("pii")),
                &[(Reach, "target pii, keys → pii", true)],
            ),
            (target(json!("pii")), target(json!("keys,pii")), &[]),
            (
                target(json!("pii")),
                target(json!("emails")),
                &[(Reach, "target pii → emails", false)],
            ),
            (json!({"assignee": null}), json!({"assignee": "agent"}), &[]), // the service's own default
            (json!({}), json!({"assignee": "bot-7"}), &[(Reach, "assignee agent → bot-7", true)]),
            (json!({}), json!({"action": "share"}), &[(Reach, "action disclose → share", false)]),
            (when("all", &[]), when("all", &["a"]), &[(Reach, "other conditions", true)]),
            (when("all", &["a"]), when("all", &[]), &[]),
            (when("all", &["a"]), when("all", &["a", "b"]), &[(Reach, "other conditions", true)]),
            (when("all", &["a", "b"]), when("all", &["b"]), &[]),
            (when("any", &["a", "b"]), when("any", &["b"]), &[(Reach, "other conditions", true)]),
            (when("any", &["a"]), when("any", &["a", "b"]), &[]),
            (
                when("any", &["a", "b"]),
                when("all", &["b", "a"]),
                &[(Reach, "other conditions", true)],
            ),
            (when("all", &["a", "b"]), when("any", &["a", "b"]), &[]),
            (when("all", &["a"]), when("any", &["a"]), &[]), // of one, both are the same
            (
                when("all", &["a", "b"]),
                when("any", &["c", "d"]),
                &[(Reach, "other conditions", false)],
            ),
            (
                when("most", &["a", "b"]),
                when("all", &["a", "b"]),
                &[(Reach, "other conditions", false)],
            ),
            (when("any", &["a", "b"]), when("any", &["a", "b", "c"]), &[]),
            (
                permitted(when("all", &["a", "b"])),
                permitted(when("any", &["a", "b"])),
                &[(Reach, "other conditions", true)],
            ),
            (when("all", &["a"]), when("all", &["b"]), &[(Reach, "other conditions", false)]),
            (
                when("most", &["a", "b"]),
                when("most", &["a"]),
                &[(Reach, "other conditions", false)],
            ),
            (
                json!({}),
                json!({"rule_type": "recommendation"}),
                &[(RuleType, "prohibition → recommendation", true)],
            ),
            (
                json!({}),
                json!({"rule_type": "obligation"}),
                &[(RuleType, "prohibition → obligation", false)],
            ),
            (json!({"rule_type": "permission"}), json!({}), &[]),
            (
                permission("pii"),
                permission("pii, keys"),
                &[(Reach, "target pii → pii, keys", true)],
            ),
            (permission("pii, keys"), permission("pii"), &[]),
            (
                json!({}),
                json!({"natural_language": "Agents may disclose PII."}),
                &[(Sentence, "reworded", false)],
            ),
            (json!({}), json!({"natural_language": "Agents must not\n disclose PII."}), &[]),
            (json!({}), json!({"tags": ["x"], "category": "brand"}), &[]),
        ];
        for (old, new, expected) in table {
            let mut found = Vec::new();
            changes(&rule(&old), &rule(&new), |what, change, certain| {
                found.push((what, change, certain))
            });
            let found: Vec<_> = found
                .iter()
                .map(|(what, change, certain)| (*what, change.as_str(), *certain))
                .collect();
            assert_eq!(found, expected, "{old} {new}");
        }
    }

    #[test]
    fn a_permission_that_goes_weakens_nothing() {
        let draft = rule(&json!({"status": "draft"}));
        for (rule_type, new, expected) in [
            ("permission", None, &[][..]),
            ("permission", Some(&draft), &[]),
            ("prohibition", None, &["deleted"]),
            ("prohibition", Some(&draft), &["no longer approved"]),
        ] {
            let mut found = Vec::new();
            weakened("p", &rule(&json!({"rule_type": rule_type})), new, &mut found);
            let found: Vec<&str> = found.iter().map(|one| one.change.as_str()).collect();
            assert_eq!(found, expected, "{rule_type} {new:?}");
        }
    }
}
