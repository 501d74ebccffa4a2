//! The limits of the service.
//!
//! The manuals state 100 policies for an organization, 250 rules for an allowlist policy, and 400
//! KB for a policy in storage. They do not say if a KB is 1,000 or 1,024 bytes, and what the stored
//! form adds. 400,000 bytes of JSON, with ids and times, is the smaller interpretation, and the
//! warning starts 5 % below it.

use std::io::{self, Write};

use serde_json::json;

use super::{Check, Input, Run};
use crate::diagnostic::{Diagnostic, Files, Severity};
use crate::document::Declared;
use crate::model::{Body, MAX_POLICIES, MAX_RULES, Policy, Resources};

/// Rules from which a policy is nearly full.
const NEARLY_ALL_RULES: usize = 238;
/// Bytes of a policy as stored.
const MOST_BYTES: usize = 400_000;
/// Bytes from which a policy is nearly full.
const NEARLY_FULL: usize = 380_000;

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "too-many-policies",
        severity: Severity::Error,
        title: "more policies than an organization may have",
        explanation: "An organization has at most 100 policies, of all kinds together.",
        bad: "",
        fix: "Join policies of the same scope and domain.",
        run: Run::Workspace(policies),
    },
    Check {
        code: "too-many-rules",
        severity: Severity::Error,
        title: "more rules than a policy may have",
        explanation: "A policy for network or file system has at most 250 rules.",
        bad: "",
        fix: "Join rules that have the same actions and decision, or split the policy: policies of the same scope add up.",
        run: Run::Policy(rules),
    },
    Check {
        code: "policy-too-large",
        severity: Severity::Error,
        title: "a policy is larger than the service accepts",
        explanation: "A policy takes at most 400 KB as stored, with its name, scope and rules. seawall counts 400,000 bytes \
            of JSON, the smaller reading of that.",
        bad: "",
        fix: "Split the policy: policies of the same scope add up.",
        run: Run::Policy(size),
    },
    Check {
        code: "policy-nearly-full",
        severity: Severity::Warning,
        title: "a policy is close to the size limit of the service",
        explanation: "From 380,000 of the 400,000 bytes on, or 238 of the 250 rules, a few more rules make the service refuse \
            the policy.",
        bad: "",
        fix: "Split the policy: policies of the same scope add up.",
        run: Run::Elsewhere,
    },
];

fn policies(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    if let Some(policy) = input.policies.get(MAX_POLICIES) {
        let message = format!(
            "{} policies are more than the {MAX_POLICIES} of an organization",
            input.policies.len()
        );
        let finding =
            Diagnostic::error("too-many-policies", message).at(policy.document.label("/name"));
        findings.push(finding.help("join policies of the same scope and domain"));
    }
}

fn rules(policy: &Declared<'_>, _: &Files, findings: &mut Vec<Diagnostic>) {
    let count = policy.desired.policy.rules().len();
    if count > MAX_RULES {
        let message = format!("{count} rules are more than the {MAX_RULES} of a policy");
        let finding = Diagnostic::error("too-many-rules", message);
        let finding = finding.at(policy.document.head(&format!("/rules/{MAX_RULES}")));
        findings.push(
            finding.help("join rules with the same actions and decision, or split the policy"),
        );
    } else if count >= NEARLY_ALL_RULES {
        let message = format!("the policy has {count} rules, of {MAX_RULES}");
        let finding =
            Diagnostic::warning("policy-nearly-full", message).at(policy.document.label("/name"));
        findings.push(
            finding.help("join rules with the same actions and decision, or split the policy"),
        );
    }
}

fn size(policy: &Declared<'_>, _: &Files, findings: &mut Vec<Diagnostic>) {
    if at_most(&policy.desired.policy) < NEARLY_FULL {
        return;
    }
    let bytes = stored_bytes(&policy.desired.policy);
    let finding = if bytes > MOST_BYTES {
        Diagnostic::error(
            "policy-too-large",
            format!("the policy takes {bytes} bytes as stored, of {MOST_BYTES}"),
        )
    } else if bytes >= NEARLY_FULL {
        Diagnostic::warning(
            "policy-nearly-full",
            format!("the policy takes {bytes} bytes as stored, of {MOST_BYTES}"),
        )
    } else {
        return;
    };
    findings.push(
        finding
            .at(policy.document.label("/name"))
            .help("split the policy: policies of the same scope add up"),
    );
}

/// An upper bound of [`stored_bytes`] that is cheap to compute: each byte of text takes at most six
/// in JSON, and a rule's frame and each action and resource less than 200.
fn at_most(policy: &Policy) -> usize {
    let texts = match &policy.body {
        Body::Cedar(cedar) => 6 * (cedar.text.len() + cedar.schema_url.len()),
        Body::Allowlist(rules) => rules
            .iter()
            .map(|rule| {
                let resources: usize = match &rule.resources {
                    Resources::Plain(resources) => {
                        resources.iter().map(|text| 200 + 6 * text.len()).sum()
                    }
                    Resources::Http(resources) => resources
                        .iter()
                        .map(|one| 200 + 6 * (one.host.len() + one.path.len()))
                        .sum(),
                };
                200 + 6 * rule.name.len() + 200 * rule.actions.len() + resources
            })
            .sum(),
    };
    1_000 + 6 * policy.name.len() + 200 * policy.scope.teams().len() + texts
}

/// The length of the policy's JSON as the service shows it, with ids and times of the usual length.
fn stored_bytes(policy: &Policy) -> usize {
    const ID: &str = "rule_0000000000000000000000000000";
    const TEAM: &str = "00000000-0000-0000-0000-000000000000";
    const TIME: &str = "2026-01-01T00:00:00Z";
    let teams = vec![TEAM; policy.scope.teams().len()];
    let frame = json!({"id": ID, "org": "", "name": policy.name, "scope": {"teams": teams}, "created_at": TIME,
        "updated_at": TIME, "allowlist_v0": {"domain": "filesystem", "rules": []}});
    let body = match &policy.body {
        Body::Cedar(cedar) => length(&json!({"text": cedar.text, "schema_url": cedar.schema_url})),
        Body::Allowlist(rules) => rules
            .iter()
            .map(|rule| {
                let actions: Vec<String> = rule.actions.iter().map(ToString::to_string).collect();
                let (key, resources) = match &rule.resources {
                    Resources::Plain(resources) => ("resources", length(resources)),
                    Resources::Http(resources) => ("http_resources", length(resources)),
                };
                let fields =
                    json!({"id": ID, "name": rule.name, "decision": rule.decision, "actions": actions, key: 0});
                length(&fields) + resources
            })
            .sum(),
    };
    length(&frame) + body
}

fn length(value: &impl serde::Serialize) -> usize {
    struct Count(usize);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("counting does not fail");
    count.0
}
