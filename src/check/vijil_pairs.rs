//! Rules for agents that conflict, in one policy or in two.
//!
//! Invariant: rejected rules and archived policies conflict with nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Check, Input, Run};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::document::DeclaredVijil;
use crate::model::{DesiredVijilRule, Review, VijilStatus};

/// The number of related rules in a finding.
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
        fix: "Remove one of the two, or say what distinguishes them and suppress this.",
        run: Run::Workspace(contradictions),
    },
    Check {
        code: "duplicate-sentence",
        severity: Severity::Warning,
        title: "two rules have the same sentence",
        explanation: "Extraction often draws one rule twice, and an edit of one of them is then half an edit.",
        bad: example!(
            "rule_id: A, rule_type: prohibition, action: a, consequence: {severity: low}, natural_language: No.",
            "rule_id: B, rule_type: prohibition, action: b, consequence: {severity: low}, natural_language: ' no '"
        ),
        fix: "Remove or reject one of the two.",
        run: Run::Workspace(sentences),
    },
    Check {
        code: CLASH,
        severity: Severity::Error,
        title: "two active policies have a rule of the same `rule_id`",
        explanation: "The judge has one control for each action of a consequence, with the rules of every active policy. A \
            `rule_id` that is there twice is an error in it, and the control falls back to what it does on errors: it blocks \
            everything, or nothing.",
        bad: concat!(
            "apiVersion: seawall/v1\nkind: AgentPolicy\nname: x\ncategory: privacy\nstatus: active\nrules:\n",
            "  - {rule_id: A, rule_type: prohibition, action: a, consequence: {action: block, severity: low}, natural_language: Agents must not a., review: {approved: ok}}\n",
            "---\napiVersion: seawall/v1\nkind: AgentPolicy\nname: y\ncategory: privacy\nstatus: active\nrules:\n",
            "  - {rule_id: A, rule_type: prohibition, action: b, consequence: {action: block, severity: low}, natural_language: Agents must not b., review: {approved: ok}}\n"
        ),
        fix: "Give one of the two another `rule_id`.",
        run: Run::Workspace(ids),
    },
    Check {
        code: SHARED,
        severity: Severity::Warning,
        title: "two policies that can be active together have a rule of the same `rule_id`",
        explanation: "Once both policies are active and both rules have a consequence of one action, the judge takes neither: \
            a `rule_id` that is there twice is an error in its control.",
        bad: concat!(
            "apiVersion: seawall/v1\nkind: AgentPolicy\nname: x\ncategory: privacy\nrules:\n",
            "  - {rule_id: A, rule_type: prohibition, action: a, consequence: {severity: low}, natural_language: Agents must not a.}\n",
            "---\napiVersion: seawall/v1\nkind: AgentPolicy\nname: y\ncategory: privacy\nrules:\n",
            "  - {rule_id: A, rule_type: prohibition, action: b, consequence: {severity: low}, natural_language: Agents must not b.}\n"
        ),
        fix: "Give one of the two another `rule_id`.",
        run: Run::Elsewhere,
    },
    Check {
        code: VAGUE,
        severity: Severity::Warning,
        title: "the sentence of a rule is too vague to judge",
        explanation: "The judge reads only `natural_language` of a rule. An empty sentence, or one such as `Be careful.`, \
            decides nothing: the rule is in the policy, but is never enforced.",
        bad: example!(
            "rule_id: A, rule_type: prohibition, action: a, consequence: {severity: low}, natural_language: Behave appropriately."
        ),
        fix: "Say who must do, or not do, what, and to what.",
        run: Run::Workspace(vague),
    },
];

const CLASH: &str = "conflicting-rule-id";
const SHARED: &str = "shared-rule-id";
const VAGUE: &str = "vague-sentence";

/// Words that leave the meaning of a sentence to its reader.
const EMPTY_WORDS: [&str; 33] = [
    "appropriately",
    "as appropriate",
    "properly",
    "responsibly",
    "reasonably",
    "as needed",
    "if necessary",
    "where possible",
    "when possible",
    "be careful",
    "be safe",
    "be good",
    "be nice",
    "be professional",
    "be secure",
    "use common sense",
    "exercise caution",
    "exercise care",
    "reasonable care",
    "good judgment",
    "good judgement",
    "best practices",
    "ethically",
    "comply with all",
    "follow policy",
    "follow company policy",
    "follow the policy",
    "see handbook",
    "see the handbook",
    "as described above",
    "avoid harm",
    "tbd",
    "todo",
];

/// A rule that counts, with its place.
#[derive(Clone, Copy)]
struct Counted<'a> {
    policy: &'a DeclaredVijil<'a>,
    index: usize,
    rule: &'a DesiredVijilRule,
}

fn counted<'a>(input: &'a Input<'_>) -> impl Iterator<Item = Counted<'a>> {
    let in_use = |policy: &&DeclaredVijil<'_>| policy.desired.status != Some(VijilStatus::Archived);
    input.vijil.iter().filter(in_use).flat_map(|policy| {
        let rules = policy.desired.rules.iter().enumerate().map(move |(index, rule)| Counted {
            policy,
            index,
            rule,
        });
        rules.filter(|counted| !matches!(counted.rule.review, Some(Review::Rejected(_))))
    })
}

impl<'a> Counted<'a> {
    fn label(&self, field: &str) -> Label {
        self.policy.document.label(&format!("/rules/{}/{field}", self.index))
    }

    /// A field as readers compare it, without case, blanks at its ends and a full stop.
    fn folded(&self, field: &str) -> String {
        let text = self.rule.fields.get(field).and_then(Value::as_str).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").to_lowercase().trim_end_matches('.').to_owned()
    }

    /// The judge's action when the rule is broken: rules with the same action are judged together.
    /// `warn` if the rule does not state one.
    fn bucket(&self) -> &'a str {
        self.rule
            .fields
            .get("consequence")
            .and_then(|consequence| consequence.get("action")?.as_str())
            .unwrap_or("warn")
    }

    /// Returns `true` if both are in the same control of the judge according to the documents.
    fn is_judged_with(&self, other: &Self) -> bool {
        let active = |one: &Self| one.policy.desired.status == Some(VijilStatus::Active);
        active(self) && active(other) && self.bucket() == other.bucket()
    }

    /// The rule's name, for a message about a rule of this policy.
    fn named(&self, from: &DeclaredVijil<'_>) -> String {
        let rule = &self.rule.rule_id;
        let policy = &self.policy.desired.name;
        if std::ptr::eq(self.policy, from) {
            format!("`{rule}`")
        } else {
            format!("`{rule}` of `{policy}`")
        }
    }
}

fn contradictions(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let of = |rule_type: &'static str| {
        counted(input).filter(move |one| one.folded("rule_type") == rule_type)
    };
    let about = |one: &Counted<'_>| (one.folded("action"), one.folded("target"));
    let mut prohibitions: BTreeMap<(String, String), Vec<Counted<'_>>> = BTreeMap::new();
    for one in of("prohibition") {
        prohibitions.entry(about(&one)).or_default().push(one);
    }
    for permission in of("permission") {
        let Some(against) = prohibitions.get(&about(&permission)) else { continue };
        let Some(first) = against.first() else { continue };
        let (rule, other) = (&permission.rule.rule_id, first.named(permission.policy));
        let message =
            format!("`{rule}` permits what {other} prohibits: the same action on the same target");
        let mut finding =
            Diagnostic::warning("contradicting-rules", message).at(permission.label("rule_type"));
        for one in against.iter().take(RELATED) {
            finding = finding.related(one.label("rule_type").saying("the prohibition is here"));
        }
        findings.push(finding.help("remove one of the two, or say what sets them apart"));
    }
}

/// Rules with the same id in two policies; within one policy, another check reports them.
fn ids(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, Vec<Counted<'_>>> = BTreeMap::new();
    let all: Vec<Counted<'_>> = counted(input).collect();
    for one in &all {
        let id = one.rule.rule_id.as_str();
        let others = seen.entry(id).or_default();
        let elsewhere = || others.iter().filter(|other| !std::ptr::eq(other.policy, one.policy));
        let clash = elsewhere().find(|other| one.is_judged_with(other));
        if let Some(first) = clash.or_else(|| elsewhere().next()) {
            let both = format!("`{}` and `{}`", first.policy.desired.name, one.policy.desired.name);
            let finding = match clash {
                Some(_) => Diagnostic::error(
                    CLASH,
                    format!("both {both} have a rule `{id}`, and are active together"),
                ),
                None => Diagnostic::warning(
                    SHARED,
                    format!("both {both} have a rule `{id}`, and can be active together"),
                ),
            };
            let finding = finding
                .at(one.label("rule_id"))
                .related(first.label("rule_id").saying("the first one is here"));
            findings.push(finding.help("give one of the two another `rule_id`"));
        }
        others.push(*one);
    }
}

/// Sentences that do not tell a judge what is right.
fn vague(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    for one in counted(input) {
        let sentence = one.folded("natural_language");
        let words = sentence
            .split(|sign: char| !sign.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .count();
        let padded = format!(" {} ", sentence.replace([',', ';', '.', '!'], " "));
        let empty = EMPTY_WORDS.iter().find(|word| padded.contains(&format!(" {word} ")));
        let message = match (words, empty) {
            (0, _) => format!("the sentence of `{}` is empty", one.rule.rule_id),
            (1, _) => format!(
                "the sentence of `{}` is one word, from which nothing can be judged",
                one.rule.rule_id
            ),
            (_, Some(word)) => format!("the sentence of `{}` is vague: `{word}`", one.rule.rule_id),
            (_, None) => continue,
        };
        let finding = Diagnostic::warning(VAGUE, message).at(one.label("natural_language"));
        findings.push(finding.help("say who must do, or not do, what, and to what"));
    }
}

fn sentences(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, Counted<'_>> = BTreeMap::new();
    for one in counted(input) {
        let sentence = one.folded("natural_language");
        if let Some(first) = seen.get(&sentence) {
            let (own, other) = (one.bucket(), first.bucket());
            let apart = if own == other {
                String::new()
            } else {
                format!(
                    ", so the judge, which reads only the sentence, cannot distinguish `{other}` from `{own}`"
                )
            };
            let named = first.named(one.policy);
            let message = format!("`{}` has the same sentence as {named}{apart}", one.rule.rule_id);
            let finding = Diagnostic::warning("duplicate-sentence", message)
                .at(one.label("natural_language"));
            let finding =
                finding.related(first.label("natural_language").saying("the first one is here"));
            findings.push(finding.help("remove or reject one of the two"));
        } else {
            seen.insert(sentence, one);
        }
    }
}
