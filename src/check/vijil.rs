//! Mistakes and traps of policies for agents.

use std::collections::BTreeMap;

use super::{Check, Input, Run};
use crate::diagnostic::{Diagnostic, Severity};
use crate::document::DeclaredVijil;
use crate::model::{Review, VijilStatus, confidence};

/// The confidence below which an approval needs a note.
const LOW: f64 = 0.7;

/// A policy with this status and these rules.
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
        run: Run::Vijil(duplicate_ids),
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
        run: Run::Vijil(rejected),
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
        run: Run::Vijil(unreviewed),
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
        run: Run::Vijil(low_confidence),
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
        run: Run::Vijil(severity),
    },
];

fn policies(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, &DeclaredVijil<'_>> = BTreeMap::new();
    for policy in input.vijil {
        let name = policy.desired.name.as_str();
        if let Some(first) = seen.insert(name, policy) {
            let message = format!("two policies for agents are named `{name}`");
            let finding = Diagnostic::error("duplicate-agent-policy", message)
                .at(policy.document.label("/name"));
            let first = first.document.label("/name").saying("the first one is here");
            findings.push(finding.related(first).help("rename one of the two, or join them"));
        }
    }
}

fn duplicate_ids(policy: &DeclaredVijil<'_>, findings: &mut Vec<Diagnostic>) {
    let label = |index: usize| policy.document.label(&format!("/rules/{index}/rule_id"));
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, rule) in policy.desired.rules.iter().enumerate() {
        if let Some(first) = seen.get(rule.rule_id.as_str()) {
            let message = format!("two rules have the `rule_id` `{}`", rule.rule_id);
            let finding = Diagnostic::error("duplicate-rule-id", message).at(label(index));
            let finding = finding.related(label(*first).saying("the first one is here"));
            findings.push(finding.help("give one of the two another `rule_id`"));
        } else {
            seen.insert(&rule.rule_id, index);
        }
    }
}

fn rejected(policy: &DeclaredVijil<'_>, findings: &mut Vec<Diagnostic>) {
    if policy.desired.status != Some(VijilStatus::Active) {
        return;
    }
    for (index, rule) in policy.desired.rules.iter().enumerate() {
        if matches!(rule.review, Some(Review::Rejected(_))) {
            let message = format!(
                "`{}` is rejected, and an active policy needs every rule approved",
                rule.rule_id
            );
            let finding = Diagnostic::error("active-with-rejected-rule", message);
            let finding = finding.at(policy.document.label(&format!("/rules/{index}/review")));
            let status = policy.document.label("/status").saying("active here");
            findings.push(
                finding
                    .related(status)
                    .help("remove the rule, approve it, or write `status: draft`"),
            );
        }
    }
}

fn unreviewed(policy: &DeclaredVijil<'_>, findings: &mut Vec<Diagnostic>) {
    if policy.desired.status != Some(VijilStatus::Active) {
        return;
    }
    for (index, rule) in
        policy.desired.rules.iter().enumerate().filter(|(_, rule)| rule.review.is_none())
    {
        let message = format!(
            "`{}` has no review, and an active policy needs every rule approved",
            rule.rule_id
        );
        let finding = Diagnostic::warning("unreviewed-rule", message);
        let finding = finding.at(policy.document.label(&format!("/rules/{index}/rule_id")));
        findings.push(
            finding.help("review it: `review: {approved: …}`; else it must be approved already"),
        );
    }
}

fn low_confidence(policy: &DeclaredVijil<'_>, findings: &mut Vec<Diagnostic>) {
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

fn severity(policy: &DeclaredVijil<'_>, findings: &mut Vec<Diagnostic>) {
    for (index, rule) in policy.desired.rules.iter().enumerate() {
        if rule
            .fields
            .get("consequence")
            .is_some_and(|consequence| consequence.get("severity").is_none())
        {
            let message = format!("the consequence of `{}` has no severity", rule.rule_id);
            let finding = Diagnostic::warning("consequence-without-severity", message);
            let finding =
                finding.at(policy.document.key(&format!("/rules/{index}"), "consequence"));
            findings.push(
                finding.help("add `severity`: `info`, `low`, `medium`, `high` or `critical`"),
            );
        }
    }
}
