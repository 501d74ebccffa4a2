//! Rules for agents that go badly together, in one policy or in two.
//!
//! Invariant: rejected rules and archived policies are in nobody's way.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Check, Input, Run};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::document::DeclaredAgent;
use crate::model::{AgentStatus, DesiredAgentRule, Review};

/// How many rules a finding points back at.
const RELATED: usize = 3;

macro_rules! example {
    ($($rule:literal),+) => {
        concat!("apiVersion: seawall/v1\nkind: AgentPolicy\nname: x\ncategory: privacy\nrules:\n", $("  - {", $rule, "}\n"),+)
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "contradicting-rules",
        severity: Severity::Warning,
        title: "a permission and a prohibition are about the same action and target",
        explanation: "Which of the two wins is not documented, also where they stand in two policies. Constraints may keep \
            them apart, which nothing here can see.",
        bad: example!(
            "rule_id: A, rule_type: prohibition, action: a, consequence: {severity: low}, natural_language: No.",
            "rule_id: B, rule_type: permission, action: a, consequence: {severity: low}, natural_language: 'Yes, do.'"
        ),
        fix: "Remove one of the two, or say what sets them apart and silence this.",
        run: Run::Workspace(contradictions),
    },
    Check {
        code: "duplicate-sentence",
        severity: Severity::Warning,
        title: "two rules say the same sentence",
        explanation: "Extraction often draws one rule twice, and an edit of one of them is then half an edit.",
        bad: example!(
            "rule_id: A, rule_type: prohibition, action: a, consequence: {severity: low}, natural_language: No.",
            "rule_id: B, rule_type: prohibition, action: b, consequence: {severity: low}, natural_language: ' no '"
        ),
        fix: "Remove or reject one of the two.",
        run: Run::Workspace(sentences),
    },
];

/// A rule that counts, with its place.
#[derive(Clone, Copy)]
struct Counted<'a> {
    policy: &'a DeclaredAgent<'a>,
    index: usize,
    rule: &'a DesiredAgentRule,
}

fn counted<'a>(input: &'a Input<'_>) -> impl Iterator<Item = Counted<'a>> {
    let in_use = |policy: &&DeclaredAgent<'_>| policy.desired.status != Some(AgentStatus::Archived);
    input.agents.iter().filter(in_use).flat_map(|policy| {
        let rules = policy.desired.rules.iter().enumerate().map(move |(index, rule)| Counted { policy, index, rule });
        rules.filter(|counted| !matches!(counted.rule.review, Some(Review::Rejected(_))))
    })
}

impl<'a> Counted<'a> {
    fn label(&self, field: &str) -> Label {
        self.policy.document.label(&format!("/rules/{}/{field}", self.index))
    }

    /// A field as readers compare it: case, spaces and a full stop at the end aside.
    fn folded(&self, field: &str) -> String {
        let text = self.rule.fields.get(field).and_then(Value::as_str).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").to_lowercase().trim_end_matches('.').to_owned()
    }

    /// The rule's name, for a message about a rule of this policy.
    fn named(&self, from: &DeclaredAgent<'_>) -> String {
        let rule = &self.rule.rule_id;
        let policy = &self.policy.desired.name;
        if std::ptr::eq(self.policy, from) { format!("`{rule}`") } else { format!("`{rule}` of `{policy}`") }
    }
}

fn contradictions(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let of = |rule_type: &'static str| counted(input).filter(move |one| one.folded("rule_type") == rule_type);
    let about = |one: &Counted<'_>| (one.folded("action"), one.folded("target"));
    let mut prohibitions: BTreeMap<(String, String), Vec<Counted<'_>>> = BTreeMap::new();
    for one in of("prohibition") {
        prohibitions.entry(about(&one)).or_default().push(one);
    }
    for permission in of("permission") {
        let Some(against) = prohibitions.get(&about(&permission)) else { continue };
        let Some(first) = against.first() else { continue };
        let (rule, other) = (&permission.rule.rule_id, first.named(permission.policy));
        let message = format!("`{rule}` permits what {other} prohibits: the same action on the same target");
        let mut finding = Diagnostic::warning("contradicting-rules", message).at(permission.label("rule_type"));
        for one in against.iter().take(RELATED) {
            finding = finding.related(one.label("rule_type").saying("the prohibition stands here"));
        }
        findings.push(finding.help("remove one of the two, or say what sets them apart"));
    }
}

fn sentences(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, Counted<'_>> = BTreeMap::new();
    for one in counted(input) {
        let sentence = one.folded("natural_language");
        if let Some(first) = seen.get(&sentence) {
            let message = format!("`{}` says the same sentence as {}", one.rule.rule_id, first.named(one.policy));
            let finding = Diagnostic::warning("duplicate-sentence", message).at(one.label("natural_language"));
            let finding = finding.related(first.label("natural_language").saying("the first stands here"));
            findings.push(finding.help("remove or reject one of the two"));
        } else {
            seen.insert(sentence, one);
        }
    }
}
