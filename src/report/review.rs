//! The review trail of Vijil rules: from a passage of a policy's text to a rule in force, and its
//! approval.
//!
//! Invariant: a reviewer's name comes from the history of the lines that hold the review, or from
//! the service. Where both are silent, the report names nobody.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Serialize;
use serde_json::Value;

use super::extent::Extents;
use super::history::{Blame, Commit, History};
use super::id::Id;
use super::place::{Links, Place, place};
use super::text::count;
use crate::model::{
    DesiredVijilPolicy, DesiredVijilRule, Fields, LiveVijil, LiveVijilPolicy, LiveVijilRule,
    Review, VijilStatus, confidence,
};

/// The review trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trail {
    /// Summary in one sentence.
    pub note: String,
    /// Every declared Vijil policy.
    pub policies: Vec<TrailPolicy>,
}

/// A Vijil policy with its text and rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrailPolicy {
    /// Fragment id of the policy.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// `draft`, `active` or `archived`: the declared status, else the live one.
    pub status: String,
    /// CSS class for the status: `ok` or `warn`.
    pub tone: &'static str,
    /// Its category.
    pub category: Option<String>,
    /// Number of approved rules, in words.
    pub state: String,
    /// The `description` of the document, else of the service; `None` if both have none.
    pub description: Option<String>,
    /// Place of the declaration.
    pub place: Place,
    /// The policy's text, split at the passages of its rules.
    pub text: Vec<Passage>,
    /// Rules without a known passage in the text; empty for a policy without a text.
    pub unplaced: Vec<RuleLink>,
    /// Rules in the order of the document.
    pub rules: Vec<TrailRule>,
}

/// A piece of a policy's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Passage {
    /// The text.
    pub text: String,
    /// True if it is a passage of a rule.
    pub marked: bool,
    /// Rules whose passage ends here.
    pub rules: Vec<RuleLink>,
}

/// Link to a rule or to an access test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleLink {
    /// Fragment id of the target.
    pub id: Id,
    /// Rule id, or name of the test.
    pub name: String,
}

/// A Vijil rule with its review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrailRule {
    /// Fragment id of the rule.
    pub id: Id,
    /// Rule id.
    pub name: String,
    /// `approved`, `rejected`, `not reviewed`, or another status of the service.
    pub status: String,
    /// CSS class for the status: `ok`, `bad` or `warn`.
    pub tone: &'static str,
    /// The rule in natural language.
    pub says: String,
    /// Other properties: target, consequence, constraints, extraction, reviewer.
    pub facts: Vec<Fact>,
    /// The quoted passage that it was extracted from; `None` without provenance.
    pub passage: Option<String>,
    /// True if the passage is in the policy's text.
    pub placed: bool,
    /// Access tests whose names contain the rule id.
    pub tests: Vec<RuleLink>,
    /// Steps from the passage to enforcement.
    pub chain: Vec<Link>,
}

/// Labelled property of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Label.
    pub label: &'static str,
    /// Value for display.
    pub value: String,
    /// Place in the documents, for properties that are declared.
    pub place: Option<Place>,
}

/// Step from a passage to enforcement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// State of the step in words.
    pub text: String,
    /// CSS class: `ok` for a step that is complete.
    pub tone: &'static str,
}

/// An access test, to search its name for rule ids.
#[derive(Clone, Debug)]
pub(super) struct TestName {
    pub(super) id: Id,
    pub(super) name: String,
}

/// Input of [`trail`].
pub(super) struct Input<'a> {
    pub(super) desired: &'a [DesiredVijilPolicy],
    pub(super) live: Option<&'a LiveVijil>,
    pub(super) tests: &'a [TestName],
    pub(super) extents: &'a Extents,
    pub(super) history: &'a History,
    pub(super) links: Option<&'a Links>,
}

/// Builds the trail of all declared policies.
pub(super) fn trail(input: &Input<'_>) -> Trail {
    let policies: Vec<TrailPolicy> =
        input.desired.iter().map(|policy| of_policy(input, policy)).collect();
    let rules: usize = policies.iter().map(|policy| policy.rules.len()).sum();
    let approved = policies
        .iter()
        .flat_map(|policy| &policy.rules)
        .filter(|rule| rule.status == "approved")
        .count();
    let source = match input.live {
        Some(_) => "as the documents declare it, with what the service tells of reviews",
        None => "as the documents declare it",
    };
    let note = format!(
        "How paragraphs become rules that are enforced, and who approved them, {source}. {approved} of {} approved.",
        match rules {
            1 => "1 rule is".to_owned(),
            _ => format!("{} are", count(rules, "rule")),
        }
    );
    Trail { note, policies }
}

fn of_policy(input: &Input<'_>, policy: &DesiredVijilPolicy) -> TrailPolicy {
    let live =
        input.live.and_then(|live| live.policies.iter().find(|live| live.name == policy.name));
    let field = |name: &str| text(&policy.fields, name).or_else(|| text(&live?.fields, name));
    let status = policy.status.map(VijilStatus::as_str).or(live.map(|live| live.status.as_str()));
    let status = status.unwrap_or("status not declared").to_owned();
    let source = field("source_text").unwrap_or_default();
    let mut spans = Vec::new();
    let mut rules = Vec::new();
    for rule in &policy.rules {
        let live_rule =
            live.and_then(|live| live.rules.iter().find(|live| live.rule_id == rule.rule_id));
        let provenance =
            rule.provenance.as_ref().or(live_rule.and_then(|live| live.provenance.as_ref()));
        let own = of_rule(input, policy, rule, (live, live_rule), &status, &source);
        if let Some(span) = passage(provenance, &own.says, &source) {
            spans.push((span, RuleLink { id: own.id.clone(), name: own.name.clone() }));
        }
        rules.push(own);
    }
    let placed: BTreeSet<&Id> = spans.iter().map(|(_, rule)| &rule.id).collect();
    let unplaced = rules.iter().filter(|rule| !source.is_empty() && !placed.contains(&rule.id));
    let unplaced =
        unplaced.map(|rule| RuleLink { id: rule.id.clone(), name: rule.name.clone() }).collect();
    let approved = rules.iter().filter(|rule| rule.status == "approved").count();
    TrailPolicy {
        id: Id::new("v", &[&policy.name]),
        name: policy.name.clone(),
        tone: if status == "active" { "ok" } else { "warn" },
        status,
        category: field("category"),
        description: field("description"),
        state: format!("{approved} of {} approved.", count(rules.len(), "rule")),
        place: place(&policy.origin, input.links),
        text: cut(&source, &spans),
        unplaced,
        rules,
    }
}

fn of_rule(
    input: &Input<'_>,
    policy: &DesiredVijilPolicy,
    rule: &DesiredVijilRule,
    (live_policy, live): (Option<&LiveVijilPolicy>, Option<&LiveVijilRule>),
    policy_status: &str,
    source: &str,
) -> TrailRule {
    let field = |name: &str| text(&rule.fields, name).or_else(|| text(&live?.fields, name));
    let provenance = rule.provenance.as_ref().or(live.and_then(|live| live.provenance.as_ref()));
    let says = field("natural_language").unwrap_or_default();
    let status = match (&rule.review, live) {
        (Some(review), _) => review.status().to_owned(),
        (None, Some(live)) => live.status.clone(),
        (None, None) => "not reviewed".to_owned(),
    };
    let tone = match status.as_str() {
        "approved" => "ok",
        "rejected" => "bad",
        _ => "warn",
    };
    let location = provenance.and_then(|provenance| provenance.get("source_location"));
    let quoted = location.and_then(|location| location.get("source_text")).and_then(Value::as_str);
    let placed = passage(provenance, &says, source).is_some();
    let section = location.and_then(section);
    let id = Id::new("v", &[&policy.name, &rule.rule_id]);
    let is_named = |test: &&TestName| holds_word(&test.name, &rule.rule_id);
    let tests = input.tests.iter().filter(is_named);
    let chain = vec![
        match (placed, &section) {
            (_, Some(section)) => Link { text: section.clone(), tone: "ok" },
            (true, None) => Link { text: "passage".to_owned(), tone: "ok" },
            (false, None) => Link { text: "no passage known".to_owned(), tone: "" },
        },
        Link { text: format!("rule {}", rule.rule_id), tone: "ok" },
        Link { text: status.clone(), tone },
        Link {
            text: format!("policy {policy_status}"),
            tone: if policy_status == "active" { "ok" } else { "" },
        },
    ];
    TrailRule {
        facts: facts(input, rule, live, live_policy, provenance, section),
        tests: tests
            .map(|test| RuleLink { id: test.id.clone(), name: test.name.clone() })
            .collect(),
        passage: quoted.map(str::to_owned),
        name: rule.rule_id.clone(),
        id,
        status,
        tone,
        says,
        placed,
        chain,
    }
}

fn facts(
    input: &Input<'_>,
    rule: &DesiredVijilRule,
    live: Option<&LiveVijilRule>,
    live_policy: Option<&LiveVijilPolicy>,
    provenance: Option<&Value>,
    section: Option<String>,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |label, value: Option<String>, place: Option<Place>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push(Fact { label, value, place });
        }
    };
    let field = |name: &str| text(&rule.fields, name).or_else(|| text(&live?.fields, name));
    let what: Vec<String> = ["action", "target"].into_iter().filter_map(field).collect();
    let kind = field("rule_type").map(|kind| format!("{kind}: ")).unwrap_or_default();
    add("Rule", Some(kind + &what.join(" ")), Some(place(&rule.origin, input.links)));
    let consequence = rule.fields.get("consequence").or_else(|| live?.fields.get("consequence"));
    let part = |name: &str| {
        consequence.and_then(|value| value.get(name)).and_then(Value::as_str).map(str::to_owned)
    };
    let parts: Vec<String> = ["action", "severity"].into_iter().filter_map(part).collect();
    add("Consequence", Some(parts.join(", ")), None);
    let constraints = rule.fields.get("constraints").or_else(|| live?.fields.get("constraints"));
    let constraints = constraints.and_then(Value::as_array).filter(|all| !all.is_empty());
    add(
        "Constraints",
        constraints.map(|all| all.iter().map(constraint).collect::<Vec<_>>().join("; ")),
        None,
    );
    add("Extracted by", provenance.and_then(extracted), None);
    add("From", section, None);
    let (by, notes) = match &rule.review {
        Some(Review::Approved(notes)) => ("Approved by", Some(notes)),
        Some(Review::Rejected(notes)) => ("Rejected by", Some(notes)),
        None => ("Reviewed by", None),
    };
    let lines = rule.review.as_ref().and_then(|_| input.extents.review(&rule.origin));
    let reviewer =
        lines.and_then(|(from, to)| reviewer(input.history.latest(&rule.origin.file, from, to)?));
    let at = lines
        .map(|(line, _)| place(&crate::model::Origin { line, ..rule.origin.clone() }, input.links));
    let nobody = rule.review.is_some().then(|| "declared in the documents".to_owned());
    add(by, reviewer.or(nobody), at);
    add("Notes", notes.cloned(), None);
    if let Some(live) = live {
        let mut told = live.status.clone();
        if let Some(by) = &live.reviewed_by {
            told += &format!(", by {by}");
        }
        if let Some(at) = live.reviewed_at {
            told += &format!(" on {}", day(at));
        }
        add("In the service", Some(told), None);
        add("Notes there", live.notes.clone().filter(|own| Some(own) != notes), None);
    } else if live_policy.is_some() || input.live.is_some() {
        add("In the service", Some("not there".to_owned()), None);
    }
    facts
}

fn reviewer(blame: &Blame) -> Option<String> {
    match blame {
        Blame::Commit(commit) => {
            Some(format!("{}, {}, in commit {}", commit.author, commit.day(), commit.short()))
        }
        Blame::Uncommitted => Some("not committed yet".to_owned()),
        Blame::Unknown => None,
    }
}

/// Formats a time as a day. The service documents no unit, so a value beyond any plausible second
/// counts as milliseconds.
fn day(time: i64) -> String {
    let seconds = if time > 100_000_000_000 { time / 1000 } else { time };
    Commit { seconds, hash: String::new(), author: String::new() }.day()
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Formats a constraint: in words if it has the documented form, else as JSON.
fn constraint(value: &Value) -> String {
    let part = |name: &str| {
        value.get(name).filter(|value| !value.is_null()).map(|value| match value {
            Value::String(text) => text.clone(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => value.to_string(),
        })
    };
    match (part("field"), part("operator"), part("value")) {
        (Some(field), Some(operator), Some(value)) => format!("{field} {operator} {value}"),
        _ => value.to_string(),
    }
}

fn extracted(provenance: &Value) -> Option<String> {
    let part = |name: &str| provenance.get(name).and_then(Value::as_str);
    let by = match (part("extracted_by"), part("model_used")) {
        (_, Some(model)) => model.to_owned(),
        (Some("llm"), None) => "a model".to_owned(),
        (Some(by), None) => by.to_owned(),
        (None, None) => return None,
    };
    let sure = confidence(provenance)
        .map(|confidence| format!(", confidence {:.0} %", confidence * 100.0));
    Some(by + &sure.unwrap_or_default())
}

/// Formats the location of a passage: `section 4.2, paragraph 1`.
fn section(location: &Value) -> Option<String> {
    let part = |name: &str| match location.get(name)? {
        Value::String(text) if !text.is_empty() => Some(format!("{name} {text}")),
        Value::Number(number) => Some(format!("{name} {number}")),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    };
    let parts: Vec<String> =
        ["section", "paragraph", "page"].into_iter().filter_map(part).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Returns `true` if `text` contains `word` outside of a longer identifier.
fn holds_word(text: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let after = text.get(at + word.len()..).and_then(|after| after.chars().next());
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
}

/// Byte range in a policy's text that a rule was extracted from: the quotation of its provenance,
/// at the occurrence nearest to the recorded offset; without a quotation, the recorded offsets;
/// else the rule's own wording. Offsets never override a quotation, because the text may have
/// changed.
fn passage(provenance: Option<&Value>, says: &str, source: &str) -> Option<Range<usize>> {
    let location = provenance.and_then(|provenance| provenance.get("source_location"));
    let quoted = location.and_then(|location| location.get("source_text")).and_then(Value::as_str);
    let quoted = quoted.filter(|quoted| !quoted.trim().is_empty());
    let at = |name: &str| {
        let characters = usize::try_from(location?.get(name)?.as_u64()?).ok()?;
        byte(source, characters)
    };
    let (start, end) = (at("char_start"), at("char_end"));
    let nearest = |wanted: &str| {
        find(source, wanted).min_by_key(|found| found.start.abs_diff(start.unwrap_or_default()))
    };
    let by_place = || {
        let span = start?..end?;
        let text = source.get(span.clone())?;
        let (blanks, own) = (text.len() - text.trim_start().len(), text.trim());
        (!own.is_empty()).then(|| span.start + blanks..span.start + blanks + own.len())
    };
    match quoted {
        Some(quoted) => nearest(quoted).or_else(|| nearest(says)),
        None => by_place().or_else(|| nearest(says)),
    }
}

/// Byte offset of the character with this index; the number of characters gives the end.
fn byte(text: &str, characters: usize) -> Option<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(characters)
}

/// Byte ranges of a text in another one, ignoring differences of whitespace.
fn find<'a>(source: &'a str, wanted: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let words: Vec<&str> = wanted.split_whitespace().collect();
    let first = words.first().copied();
    let starts = first.into_iter().flat_map(|first| source.match_indices(first));
    starts.filter_map(move |(start, _)| {
        let mut at = start;
        for word in &words {
            let rest = source.get(at..)?;
            let blanks = rest.len() - rest.trim_start().len();
            if !rest.get(blanks..)?.starts_with(word) || (blanks == 0 && at != start) {
                return None;
            }
            at += blanks + word.len();
        }
        Some(start..at)
    })
}

/// Splits a text at the starts and ends of passages.
fn cut(source: &str, spans: &[(Range<usize>, RuleLink)]) -> Vec<Passage> {
    let mut edges: BTreeSet<usize> = BTreeSet::from([0, source.len()]);
    edges.extend(spans.iter().flat_map(|(span, _)| [span.start, span.end]));
    let edges: Vec<usize> = edges.into_iter().collect();
    let piece = |(from, to): (&usize, &usize)| {
        let text = source.get(*from..*to).filter(|text| !text.is_empty())?.to_owned();
        let marked = spans.iter().any(|(span, _)| span.start <= *from && *to <= span.end);
        let rules = spans
            .iter()
            .filter(|(span, _)| span.end == *to)
            .map(|(_, rule)| rule.clone())
            .collect();
        Some(Passage { text, marked, rules })
    };
    edges.iter().zip(edges.iter().skip(1)).filter_map(piece).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Id, RuleLink, cut, find, holds_word, passage};

    #[test]
    fn passages_are_found_whatever_the_blanks() {
        let source = "4.2 Staff and\n  agents shall not.\n4.3 Refunds need consent.";
        let first = |source, wanted| find(source, wanted).next();
        assert_eq!(first(source, "Staff and agents shall not."), Some(4..33));
        assert_eq!(first(source, "Staff andagents"), None);
        assert_eq!(first(source, ""), None);
        assert_eq!(first("aab", "ab"), Some(1..3));
    }

    #[test]
    fn offsets_tell_which_of_several_passages_a_rule_is_from() {
        let source = "§1 Ask first. §2 Log it. §3 Ask first.";
        let found = |location: serde_json::Value, says: &str| {
            let provenance = json!({ "source_location": location });
            passage(Some(&provenance), says, source).map(|span| (span.start, &source[span]))
        };
        let second = source.rfind("Ask").unwrap();
        let table = [
            // A quotation, at the occurrence nearest to the offsets.
            (json!({"source_text": "Ask first."}), "", Some((4, "Ask first."))),
            (
                json!({"source_text": "Ask first.", "char_start": 28, "char_end": 38}),
                "",
                Some((second, "Ask first.")),
            ),
            (
                json!({"source_text": "Ask first.", "char_start": 3, "char_end": 13}),
                "",
                Some((4, "Ask first.")),
            ),
            (
                json!({"source_text": "Ask first.", "char_start": 9_999}),
                "",
                Some((4, "Ask first.")),
            ),
            // Offsets count characters, not bytes.
            (json!({"char_start": 17, "char_end": 24}), "", Some((19, "Log it."))),
            (json!({"char_start": 13, "char_end": 25}), "", Some((15, "§2 Log it."))),
            // Offsets beyond the text.
            (json!({"char_start": 17, "char_end": 9_999}), "", None),
            (json!({"char_start": 24, "char_end": 17}), "", None),
            (json!({"char_start": -1, "char_end": 4}), "Log it.", Some((19, "Log it."))),
            (json!({"char_start": 3, "char_end": 3}), "", None),
            // Offsets do not override a quotation that is not in the text.
            (json!({"source_text": "Never ask.", "char_start": 3, "char_end": 13}), "", None),
            (json!(null), "Log it.", Some((19, "Log it."))),
        ];
        for (location, says, expected) in table {
            assert_eq!(found(location.clone(), says), expected, "{location}");
        }
    }

    #[test]
    fn a_text_is_cut_and_nothing_is_lost() {
        let link = |name: &str| RuleLink { id: Id::default(), name: name.to_owned() };
        let source = "abcdefgh";
        let pieces = cut(source, &[(1..4, link("A")), (3..6, link("B"))]);
        let shown: Vec<String> = pieces
            .iter()
            .map(|piece| {
                let rules: Vec<&str> = piece.rules.iter().map(|rule| rule.name.as_str()).collect();
                format!("{}{}{}", if piece.marked { "*" } else { "" }, piece.text, rules.join("+"))
            })
            .collect();
        assert_eq!(shown, ["a", "*bc", "*dA", "*efB", "gh"]);
        assert!(cut("", &[]).is_empty());
    }

    #[test]
    fn a_test_names_a_rule_as_a_word() {
        assert!(holds_word("data stays inside (PRIV-001)", "PRIV-001"));
        assert!(!holds_word("PRIV-0011", "PRIV-001"));
        assert!(!holds_word("XPRIV-001", "PRIV-001"));
        assert!(!holds_word("anything", ""));
    }
}
