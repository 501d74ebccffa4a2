//! Mistakes and traps of policies for agents.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Check, Input, Run};
use crate::diagnostic::{Diagnostic, Severity};
use crate::document::DeclaredAgent;
use crate::model::{AgentStatus, DesiredAgentRule, Review, confidence};

/// Below this, an approval wants a word why.
const LOW: f64 = 0.7;

macro_rules! example {
    ($status:literal, $($rule:literal),+) => {
        concat!("apiVersion: seawall/v1\nkind: AgentPolicy\nname: x\ncategory: privacy\nstatus: ", $status, "\nrules:\n",
            $("  - {", $rule, "}\n"),+)
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "duplicate-agent-policy",
        severity: Severity::Error,
        title: "two policies for agents have the same name",
        explanation: "The name is the identity of a policy: with two of a name it is open which live policy a document is \
            about.",
        bad: "apiVersion: seawall/v1\nkind: AgentPolicy\nname: x\ncategory: privacy\nrules: []\n---\n\
            apiVersion: seawall/v1\nkind: AgentPolicy\nname: x\ncategory: brand\nrules: []\n",
        fix: "Rename one of the two, or join them.",
        run: Run::Workspace(policies),
    },
    Check {
        code: "duplicate-rule-id",
        severity: Severity::Error,
        title: "two rules of a policy have the same `rule_id`",
        explanation: "The `rule_id` is the identity of a rule in its policy.",
        bad: example!(
            "draft",
            "rule_id: A, rule_type: permission, action: read, consequence: {severity: low}, natural_language: May.",
            "rule_id: A, rule_type: permission, action: write, consequence: {severity: low}, natural_language: May too."
        ),
        fix: "Give one of the two another `rule_id`.",
        run: Run::Agent(duplicate_ids),
    },
    Check {
        code: "active-with-rejected-rule",
        severity: Severity::Error,
        title: "an active policy holds a rejected rule",
        explanation: "The service activates a policy only when every rule is approved.",
        bad: example!(
            "active",
            "rule_id: A, rule_type: prohibition, action: a, consequence: {severity: low}, natural_language: No., \
             review: {rejected: no}"
        ),
        fix: "Remove the rule, approve it, or write `status: draft`.",
        run: Run::Agent(rejected),
    },
    Check {
        code: "unreviewed-rule",
        severity: Severity::Warning,
        title: "a rule of an active policy has no review",
        explanation: "Such a rule must be approved already where the policy lives, else the plan is refused.",
        bad: example!(
            "active",
            "rule_id: A, rule_type: prohibition, action: a, consequence: {severity: low}, natural_language: No."
        ),
        fix: "Review the rule: `review: {approved: …}`.",
        run: Run::Agent(unreviewed),
    },
    Check {
        code: "low-confidence-approval",
        severity: Severity::Warning,
        title: "a rule of low confidence is approved without notes",
        explanation: "Where the model that drew the rule was not sure, a later reader wants to know why people were.",
        bad: example!(
            "draft",
            "rule_id: A, rule_type: prohibition, action: a, consequence: {severity: low}, natural_language: No., \
             provenance: {confidence_score: 0.4}, review: {approved: ''}"
        ),
        fix: "Say in the notes what was checked.",
        run: Run::Agent(low_confidence),
    },
    Check {
        code: "contradicting-rules",
        severity: Severity::Warning,
        title: "a permission and a prohibition are about the same action and target",
        explanation: "Which of the two wins is not documented. Constraints may keep them apart, which nothing here can see.",
        bad: example!(
            "draft",
            "rule_id: A, rule_type: prohibition, action: a, consequence: {severity: low}, natural_language: No.",
            "rule_id: B, rule_type: permission, action: a, consequence: {severity: low}, natural_language: 'Yes, do.'"
        ),
        fix: "Remove one of the two, or say what sets them apart and silence this.",
        run: Run::Agent(contradictions),
    },
    Check {
        code: "consequence-without-severity",
        severity: Severity::Warning,
        title: "a consequence has no severity",
        explanation: "The service then assumes `medium`, or nothing.",
        bad: example!(
            "draft",
            "rule_id: A, rule_type: prohibition, action: a, consequence: {action: block}, natural_language: No."
        ),
        fix: "Add `severity`.",
        run: Run::Agent(severity),
    },
    Check {
        code: "duplicate-sentence",
        severity: Severity::Warning,
        title: "two rules of a policy say the same sentence",
        explanation: "Extraction often draws one rule twice, and an edit of one of them is then half an edit.",
        bad: example!(
            "draft",
            "rule_id: A, rule_type: prohibition, action: a, consequence: {severity: low}, natural_language: No.",
            "rule_id: B, rule_type: prohibition, action: b, consequence: {severity: low}, natural_language: ' no '"
        ),
        fix: "Remove one of the two.",
        run: Run::Agent(sentences),
    },
    Check {
        code: "agents-without-service",
        severity: Severity::Warning,
        title: "the workspace has policies for agents and nothing to do with Vijil",
        explanation: "Without a `vijil` section in `seawall.yaml`, no command sends such policies anywhere.",
        bad: "apiVersion: seawall/v1\nkind: AgentPolicy\nname: x\ncategory: privacy\nrules: []\n",
        fix: "Add `vijil: {}` to `seawall.yaml`.",
        run: Run::Workspace(section),
    },
];

fn policies(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, &DeclaredAgent<'_>> = BTreeMap::new();
    for policy in input.agents {
        let name = policy.desired.name.as_str();
        if let Some(first) = seen.insert(name, policy) {
            let message = format!("two policies for agents are named `{name}`");
            let finding = Diagnostic::error("duplicate-agent-policy", message).at(policy.document.label("/name"));
            let first = first.document.label("/name").saying("the first stands here");
            findings.push(finding.related(first).help("rename one of the two, or join them"));
        }
    }
}

fn section(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    if let (Some(settings), Some(policy)) = (input.settings, input.agents.first())
        && settings.vijil.is_none()
    {
        let message = "the workspace has no `vijil` section, so that this policy is sent nowhere";
        let finding = Diagnostic::warning("agents-without-service", message).at(policy.document.label("/name"));
        findings.push(finding.help("add `vijil: {}` to `seawall.yaml`"));
    }
}

/// Pairs of an earlier rule and a later one with the same key.
fn same<'a, K: Ord>(
    policy: &'a DeclaredAgent<'_>,
    key: impl Fn(&'a DesiredAgentRule) -> Option<K>,
) -> impl Iterator<Item = (usize, usize)> {
    let mut seen: BTreeMap<K, usize> = BTreeMap::new();
    let mut pairs = Vec::new();
    for (index, rule) in policy.desired.rules.iter().enumerate() {
        match key(rule).map(|key| seen.entry(key)) {
            Some(std::collections::btree_map::Entry::Occupied(first)) => pairs.push((*first.get(), index)),
            Some(std::collections::btree_map::Entry::Vacant(free)) => {
                free.insert(index);
            }
            None => {}
        }
    }
    pairs.into_iter()
}

fn duplicate_ids(policy: &DeclaredAgent<'_>, findings: &mut Vec<Diagnostic>) {
    for (first, second) in same(policy, |rule| Some(&rule.rule_id)) {
        let Some(rule) = policy.desired.rules.get(second) else { continue };
        let message = format!("two rules have the `rule_id` `{}`", rule.rule_id);
        let label = |index: usize| policy.document.label(&format!("/rules/{index}/rule_id"));
        let finding = Diagnostic::error("duplicate-rule-id", message).at(label(second));
        let finding = finding.related(label(first).saying("the first stands here"));
        findings.push(finding.help("give one of the two another `rule_id`"));
    }
}

fn rejected(policy: &DeclaredAgent<'_>, findings: &mut Vec<Diagnostic>) {
    if policy.desired.status != Some(AgentStatus::Active) {
        return;
    }
    for (index, rule) in policy.desired.rules.iter().enumerate() {
        if matches!(rule.review, Some(Review::Rejected(_))) {
            let message = format!("`{}` is rejected, and an active policy needs every rule approved", rule.rule_id);
            let finding = Diagnostic::error("active-with-rejected-rule", message);
            let finding = finding.at(policy.document.label(&format!("/rules/{index}/review")));
            let status = policy.document.label("/status").saying("active here");
            findings.push(finding.related(status).help("remove the rule, approve it, or write `status: draft`"));
        }
    }
}

fn unreviewed(policy: &DeclaredAgent<'_>, findings: &mut Vec<Diagnostic>) {
    if policy.desired.status != Some(AgentStatus::Active) {
        return;
    }
    for (index, rule) in policy.desired.rules.iter().enumerate().filter(|(_, rule)| rule.review.is_none()) {
        let message = format!("`{}` has no review, and an active policy needs every rule approved", rule.rule_id);
        let finding = Diagnostic::warning("unreviewed-rule", message);
        let finding = finding.at(policy.document.label(&format!("/rules/{index}/rule_id")));
        findings.push(finding.help("review it: `review: {approved: …}`; else it must be approved already"));
    }
}

fn low_confidence(policy: &DeclaredAgent<'_>, findings: &mut Vec<Diagnostic>) {
    for (index, rule) in policy.desired.rules.iter().enumerate() {
        let score = rule.provenance.as_ref().and_then(confidence).filter(|score| *score < LOW);
        if let (Some(score), Some(Review::Approved(notes))) = (score, &rule.review)
            && notes.trim().is_empty()
        {
            let message = format!(
                "`{}` was drawn with a confidence of {:.0} %, and is approved without notes",
                rule.rule_id,
                score * 100.0
            );
            let finding = Diagnostic::warning("low-confidence-approval", message);
            let finding = finding.at(policy.document.label(&format!("/rules/{index}/review")));
            findings.push(finding.help("say in the notes what was checked"));
        }
    }
}

fn contradictions(policy: &DeclaredAgent<'_>, findings: &mut Vec<Diagnostic>) {
    let text = |rule: &DesiredAgentRule, key: &str| folded(rule.fields.get(key));
    let rules = || {
        let in_force = |rule: &DesiredAgentRule| !matches!(rule.review, Some(Review::Rejected(_)));
        policy.desired.rules.iter().enumerate().filter(move |(_, rule)| in_force(rule))
    };
    let about = |rule: &DesiredAgentRule| (text(rule, "action"), text(rule, "target"));
    for (index, rule) in rules().filter(|(_, rule)| text(rule, "rule_type") == "permission") {
        for (other, prohibition) in rules().filter(|(_, other)| text(other, "rule_type") == "prohibition") {
            if about(rule) == about(prohibition) {
                let message = format!(
                    "`{}` permits what `{}` prohibits: the same action on the same target",
                    rule.rule_id, prohibition.rule_id
                );
                let label = |index: usize| policy.document.label(&format!("/rules/{index}/rule_type"));
                let finding = Diagnostic::warning("contradicting-rules", message).at(label(index));
                let finding = finding.related(label(other).saying("the prohibition stands here"));
                findings.push(finding.help("remove one of the two, or say what sets them apart"));
            }
        }
    }
}

fn severity(policy: &DeclaredAgent<'_>, findings: &mut Vec<Diagnostic>) {
    for (index, rule) in policy.desired.rules.iter().enumerate() {
        if rule.fields.get("consequence").is_some_and(|consequence| consequence.get("severity").is_none()) {
            let message = format!("the consequence of `{}` has no severity", rule.rule_id);
            let finding = Diagnostic::warning("consequence-without-severity", message);
            let finding = finding.at(policy.document.key(&format!("/rules/{index}"), "consequence"));
            findings.push(finding.help("add `severity`: `info`, `low`, `medium`, `high` or `critical`"));
        }
    }
}

fn sentences(policy: &DeclaredAgent<'_>, findings: &mut Vec<Diagnostic>) {
    for (first, second) in same(policy, |rule| Some(folded(rule.fields.get("natural_language")))) {
        let rules = &policy.desired.rules;
        let (Some(one), Some(other)) = (rules.get(first), rules.get(second)) else { continue };
        let message = format!("`{}` says the same sentence as `{}`", other.rule_id, one.rule_id);
        let label = |index: usize| policy.document.label(&format!("/rules/{index}/natural_language"));
        let finding = Diagnostic::warning("duplicate-sentence", message).at(label(second));
        findings.push(finding.related(label(first).saying("the first stands here")).help("remove one of the two"));
    }
}

/// A text as readers compare it: case, spaces and a full stop at the end aside.
fn folded(text: Option<&Value>) -> String {
    let text = text.and_then(Value::as_str).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase().trim_end_matches('.').to_owned()
}
