//! The changes of a step for a policy for agents, as pieces that each format for people lays out:
//! rules as sentences, the things that they govern, the consequences when they are broken, and the
//! sources that they were extracted from.
//!
//! Invariant: the pieces of an approval contain everything that the rule says. Texts are not
//! sanitized.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use similar::{Algorithm, ChangeTag, capture_diff_slices};

use super::words;
use crate::diagnostic::list::shown;
use crate::model::{Fields, confidence};
use crate::plan::step::{Delta, Op};
use crate::plan::vijil::change::changed;
use crate::plan::vijil::{Change, Difference, Plan, RuleTarget, Weakened, Weaker};

/// The confidence below which the output asks for a closer look.
const LOW: f64 = 0.7;

/// A detail of a step: a statement or a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// The reason for the call, if the difference does not explain it.
    Because(&'static str),
    /// The rule as a sentence, after its kind.
    Sentence(String, String),
    /// Fields with their values, which may differ from the sentence.
    Fields(Vec<(&'static str, String)>),
    /// The consequence when the rule is broken: the action, the severity, and the rest.
    Broken(String, Option<String>, Option<String>),
    /// The quotation that the rule was extracted from, and its place.
    Quotation(String, Option<String>),
    /// The extractor of the rule, its confidence from 0 to 1, and whether that is low.
    Drawn(String, f64, bool),
    /// The text of the reviewer: `notes` or `reason`.
    Review(&'static str, String),
    /// A text that changes, by words.
    Words(String, Vec<(ChangeTag, String)>),
    /// A value that changes.
    Becomes(String, String, String),
}

/// Policies and rules.
pub type RuleNames<'a> = BTreeSet<(&'a str, &'a str)>;

/// The rules that steps approve or reject, each with its policy.
#[must_use]
pub fn reviewed<'a>(steps: impl IntoIterator<Item = &'a Difference>) -> RuleNames<'a> {
    let is_review = |op: Op| matches!(op, Op::Approve | Op::Reject);
    let reviews = steps.into_iter().filter(|step| is_review(step.change.op()));
    reviews.filter_map(rule_name).collect()
}

/// The rule of a step, with its policy.
fn rule_name(step: &Difference) -> Option<(&str, &str)> {
    Some((step.policy.as_str(), step.change.rule_name()?))
}

/// Describes a step of a plan that reviews these rules.
#[must_use]
pub fn describe(step: &Difference, reviewed: &RuleNames<'_>) -> Vec<Detail> {
    let mut details: Vec<Detail> = step
        .because
        .map(|because| Detail::Because(words::reason(because, step.change.op())))
        .into_iter()
        .collect();
    // The review of a rule shows all of it.
    let is_reviewed = rule_name(step).is_some_and(|name| reviewed.contains(&name));
    match &step.change {
        Change::Rule { delta: Delta::Create { .. }, .. } if is_reviewed => {}
        Change::Rule {
            target,
            delta: Delta::Create { after: object } | Delta::Delete { before: object },
        } => {
            details.push(sentence(object));
            details.extend(broken(object));
            details.extend(provenance(target));
        }
        Change::Approve { target, after, .. } => {
            details.extend(review(target, after, "notes"));
        }
        Change::Reject { target, after, .. } => {
            details.extend(review(target, after, "reason"));
        }
        Change::Policy { delta: Delta::Update { before, after }, .. } => {
            updates(before, after, &mut details);
        }
        Change::Rule { delta: Delta::Update { before, after }, .. } => {
            let rewords = step.change.changed().iter().any(|field| field == "natural_language");
            details.extend((!rewords && !is_reviewed).then(|| sentence(after)));
            updates(before, after, &mut details);
        }
        Change::Policy { delta: Delta::Create { after }, .. } => {
            details.push(fields(after, &["category", "description", "source_text", "tags"]));
        }
        Change::Policy { delta: Delta::Delete { .. }, .. } | Change::Activate { .. } => {}
    }
    details
}

/// Everything that a rule under review says, and the text of the reviewer.
fn review(target: &RuleTarget, after: &Fields, label: &'static str) -> Vec<Detail> {
    let mut details = rule(after);
    details.extend(provenance(target));
    let notes = after.get("review_notes").and_then(Value::as_str).filter(|notes| !notes.is_empty());
    details.extend(notes.map(|notes| Detail::Review(label, notes.to_owned())));
    details
}

/// Adds the changes of all fields.
fn updates(before: &Fields, after: &Fields, details: &mut Vec<Detail>) {
    for field in changed(before, after) {
        let side = |side: &Fields| side.get(&field).cloned().unwrap_or_default();
        changes(&field, &side(before), &side(after), details);
    }
}

/// The rules and policies that the plan weakens and those that it decides, as a short phrase:
/// `deactivates 1 policy for agents`, `approves 2 rules, activates 1 policy for agents`; `None`
/// without any. `write` formats foreign names.
#[must_use]
pub fn plan_headline(plan: &Plan, write: impl Fn(&str) -> String) -> Option<String> {
    let weaker = weakened_headline(&plan.meaning.weakened, write);
    let decisions = headline(plan.steps.iter().map(|step| &step.difference));
    let parts: Vec<String> = weaker.into_iter().chain(decisions).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The decisions as a short phrase: `approves 2 rules, activates 1 policy for agents`; `None`
/// without any.
#[must_use]
pub fn headline<'a>(differences: impl IntoIterator<Item = &'a Difference>) -> Option<String> {
    let ops: Vec<Op> = differences.into_iter().map(|difference| difference.change.op()).collect();
    let decisions = [
        (Op::Approve, "approves", "rule"),
        (Op::Reject, "rejects", "rule"),
        (Op::Activate, "activates", "policy"),
    ];
    let number = |op: Op| ops.iter().filter(|one| **one == op).count();
    let made = decisions.into_iter().filter(|(op, ..)| number(*op) > 0);
    let parts: Vec<String> =
        made.map(|(op, verb, noun)| format!("{verb} {}", words::count(number(op), noun))).collect();
    (!parts.is_empty()).then(|| format!("{} for agents", parts.join(", ")))
}

/// The policies and rules that become weaker: whole policies first, then rules, certain ones first.
fn weakened_headline(weakened: &[Weakened], write: impl Fn(&str) -> String) -> Vec<String> {
    const NAMED: usize = 2;
    let count = |what: Weaker| weakened.iter().filter(|one| one.what == what).count();
    let whole = [
        (Weaker::Deleted, "deletes", "active policy"),
        (Weaker::Deactivated, "deactivates", "policy"),
    ];
    let whole = whole
        .into_iter()
        .filter(|(what, ..)| count(*what) > 0)
        .map(|(what, verb, noun)| format!("{verb} {} for agents", words::count(count(what), noun)));
    let mut parts: Vec<String> = whole.collect();
    let is_rule = |one: &&Weakened| one.rule.is_some();
    let mut rules: BTreeMap<(&str, &str), Vec<&Weakened>> = BTreeMap::new();
    for one in weakened.iter().filter(is_rule) {
        rules
            .entry((one.policy.as_str(), one.rule.as_deref().unwrap_or_default()))
            .or_default()
            .push(one);
    }
    let verb_of = |all: &[&Weakened]| match all {
        all if all.iter().any(|one| one.certain) => "weakens",
        all if all.iter().all(|one| one.what == Weaker::Sentence) => "rewords",
        _ => "may weaken",
    };
    for verb in ["weakens", "may weaken", "rewords"] {
        let own: Vec<_> = rules.iter().filter(|(_, all)| verb_of(all) == verb).collect();
        let most = shown(own.len(), NAMED);
        let said = own.iter().take(most).map(|((_, rule), all)| {
            let changes = all.iter().filter(|one| one.what != Weaker::Sentence);
            let changes: Vec<&str> = changes.map(|one| one.change.as_str()).collect();
            match changes.as_slice() {
                [] => write(rule),
                changes => format!("{}: {}", write(rule), write(&changes.join(", "))),
            }
        });
        let said: Vec<String> = said.collect();
        let rest = match own.len() - most {
            0 => String::new(),
            rest => format!(", and {}", words::count(rest, "more rule")),
        };
        if !said.is_empty() {
            parts.push(format!("{verb} {}{rest}", said.join(", ")));
        }
    }
    parts
}

fn sentence(object: &Fields) -> Detail {
    let field = |name: &str| object.get(name).map(text).unwrap_or_default();
    Detail::Sentence(field("rule_type"), field("natural_language"))
}

/// The fields among these that have a value.
fn fields(object: &Fields, names: &[&'static str]) -> Detail {
    let empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let field =
        |name: &'static str| Some((name, text(object.get(name).filter(|value| !empty(value))?)));
    Detail::Fields(names.iter().copied().filter_map(field).collect())
}

/// Everything that a rule says.
fn rule(object: &Fields) -> Vec<Detail> {
    let conditional =
        object.get("constraints").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let conditions: &[&'static str] =
        if conditional { &["constraints", "constraint_logic"] } else { &[] };
    let mut details = vec![sentence(object), fields(object, &["action", "target", "assignee"])];
    details.push(fields(object, conditions));
    details.extend(broken(object));
    details.push(fields(object, &["category", "tags"]));
    details.retain(|detail| *detail != Detail::Fields(Vec::new()));
    details
}

/// The consequence when a rule is broken.
fn broken(object: &Fields) -> Option<Detail> {
    let consequence = object.get("consequence")?.as_object()?;
    let part = |name: &str| consequence.get(name).filter(|value| !value.is_null()).map(text);
    let is_own = |name: &str| matches!(name, "action" | "severity");
    let rest = consequence.iter().filter(|(name, value)| !is_own(name) && !value.is_null());
    let rest: Vec<String> = rest.map(|(name, value)| format!("{name}: {}", text(value))).collect();
    let rest = Some(rest.join(", ")).filter(|rest| !rest.is_empty());
    Some(Detail::Broken(part("action").unwrap_or("no action".to_owned()), part("severity"), rest))
}

fn provenance(target: &RuleTarget) -> Vec<Detail> {
    let Some(provenance) = &target.provenance else { return Vec::new() };
    let at = |pointer: &str| provenance.pointer(pointer).filter(|value| !value.is_null()).map(text);
    let mut details = Vec::new();
    if let Some(quotation) = at("/source_location/source_text") {
        let section = at("/source_location/section");
        let paragraph =
            at("/source_location/paragraph").map(|number| format!("paragraph {number}"));
        let place: Vec<String> = section.into_iter().chain(paragraph).collect();
        details.push(Detail::Quotation(
            quotation,
            Some(place.join(", ")).filter(|place| !place.is_empty()),
        ));
    }
    if let Some(score) = confidence(provenance) {
        details.push(Detail::Drawn(
            at("/model_used").unwrap_or("a model".to_owned()),
            score,
            score < LOW,
        ));
    }
    details
}

/// Adds the changes of a field: by members for an object, by words for a text.
fn changes(field: &str, before: &Value, after: &Value, details: &mut Vec<Detail>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let of = |object: &Fields, name: &str| object.get(name).cloned().unwrap_or_default();
            for name in names {
                let (old, new) = (of(old, name), of(new, name));
                if !crate::model::same_value(&old, &new) {
                    changes(&format!("{field}.{name}"), &old, &new, details);
                }
            }
        }
        (Value::String(old), Value::String(new)) if old.split_whitespace().nth(1).is_some() => {
            details.push(match by_words(old, new) {
                runs if runs.iter().all(|(tag, _)| *tag == ChangeTag::Equal) => Detail::Becomes(
                    field.to_owned(),
                    "the same words".to_owned(),
                    "other spaces and line ends".to_owned(),
                ),
                runs => Detail::Words(field.to_owned(), runs),
            });
        }
        (old, new) => details.push(Detail::Becomes(field.to_owned(), text(old), text(new))),
    }
}

/// Two texts as runs of words that stay, are removed or are added.
fn by_words(old: &str, new: &str) -> Vec<(ChangeTag, String)> {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (old.split_whitespace().collect(), new.split_whitespace().collect());
    let mut runs: Vec<(ChangeTag, String)> = Vec::new();
    for change in capture_diff_slices(Algorithm::Patience, &old, &new)
        .iter()
        .flat_map(|op| op.iter_changes(&old, &new))
    {
        match runs.last_mut() {
            Some((tag, run)) if *tag == change.tag() => {
                run.push(' ');
                run.push_str(change.value());
            }
            _ => runs.push((change.tag(), change.value().to_owned())),
        }
    }
    runs
}

/// A run of words without its middle, since only the words next to a change matter.
#[must_use]
pub fn shortened(run: &str, most: usize) -> String {
    let words: Vec<&str> = run.split(' ').collect();
    let (first, hidden, last) = words::folded(&words, most);
    if hidden == 0 { run.to_owned() } else { format!("{} … {}", first.join(" "), last.join(" ")) }
}

/// A value in readable form.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            list.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        Value::Array(list) if list.iter().all(is_condition) => {
            list.iter().map(condition).collect::<Vec<_>>().join("; ")
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Returns `true` if an object is a constraint in the documented form.
fn is_condition(value: &Value) -> bool {
    let names = ["condition_type", "field", "operator", "value"];
    value.as_object().is_some_and(|object| {
        object.len() == names.len() && names.iter().all(|name| object.contains_key(*name))
    })
}

fn condition(value: &Value) -> String {
    let part = |name: &str| value.get(name).map(text).unwrap_or_default();
    format!("{} {} {} ({})", part("field"), part("operator"), part("value"), part("condition_type"))
}

#[cfg(test)]
mod tests {
    use super::ChangeTag::{Delete, Equal, Insert};
    use super::{by_words, shortened};

    #[test]
    fn texts_change_by_words() {
        let runs = |old, new| by_words(old, new);
        let own = |runs: &[(similar::ChangeTag, &str)]| {
            runs.iter().map(|(tag, run)| (*tag, (*run).to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(
            runs("Agents must not disclose PII.", "Agents must never disclose PII."),
            own(&[
                (Equal, "Agents must"),
                (Delete, "not"),
                (Insert, "never"),
                (Equal, "disclose PII.")
            ])
        );
        assert_eq!(runs("a\n b", "a b"), own(&[(Equal, "a b")]));
        assert_eq!(runs("", "a b"), own(&[(Insert, "a b")]));
        assert_eq!(shortened("a b c d e f", 4), "a b … e f");
        assert_eq!(shortened("a b", 4), "a b");
    }
}
