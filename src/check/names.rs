//! Names that clash: of policies, of rules, and their earlier names.

use std::collections::BTreeMap;

use super::{Check, Input, Run};
use crate::diagnostic::{Diagnostic, Files, Label, Severity};
use crate::document::{Declared, Document};

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "duplicate-policy",
        severity: Severity::Error,
        title: "two policies have the same name",
        explanation: "The name is the identity of a policy, and the service refuses a second policy of a name.",
        bad: "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Baseline\nrules: []\n---\n\
            apiVersion: seawall/v1\nkind: FilesystemPolicy\nname: Baseline\nrules: []\n",
        fix: "Rename one of the two, or join them.",
        run: Run::Workspace(policies),
    },
    Check {
        code: "similar-policy",
        severity: Severity::Warning,
        title: "two policy names differ only in case or spaces",
        explanation: "The documentation does not say if the service distinguishes such names: it may refuse to create the second one, unless both are live already.",
        bad: "apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Baseline\nrules: []\n---\n\
            apiVersion: seawall/v1\nkind: FilesystemPolicy\nname: baseline\nrules: []\n",
        fix: "Rename one of the two, or join them.",
        run: Run::Elsewhere,
    },
    Check {
        code: "duplicate-rule",
        severity: Severity::Error,
        title: "two rules of a policy have the same name",
        explanation: "The name is the identity of a rule in its policy: with two of them it is open which live rule a \
            change belongs to.",
        bad: "- {name: web, decision: allow, actions: [connect:tcp], resources: [a.example.com]}\n\
            - {name: web, decision: deny, actions: [connect:tcp], resources: [b.example.com]}\n",
        fix: "Rename one of the two.",
        run: Run::Policy(rules),
    },
    Check {
        code: "conflicting-previously",
        severity: Severity::Error,
        title: "a `previously` name is claimed twice, or still in use",
        explanation: "`previously` says which live object is renamed. When two objects claim the same earlier name, or \
            another one still has it, it is open which one the live object becomes. A policy may take the name of another \
            one that says what it was called before: names then move along a chain, or are swapped.",
        bad: "- {name: new, previously: [old], decision: allow, actions: [connect:tcp], resources: [a.example.com]}\n\
            - {name: old, decision: allow, actions: [connect:tcp], resources: [b.example.com]}\n",
        fix: "Keep the earlier name at the one object that continues it.",
        run: Run::Workspace(previously),
    },
];

/// A name as the service may compare it.
fn folded(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn policies(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, Vec<&Declared<'_>>> = BTreeMap::new();
    for policy in input.policies {
        let name = &policy.desired.policy.name;
        let alike = seen.entry(folded(name)).or_default();
        let same = alike.iter().copied().find(|other| other.desired.policy.name == *name);
        let first = same.or(alike.first().copied());
        alike.push(policy);
        let Some(first) = first else { continue };
        let other = &first.desired.policy.name;
        let finding = if other == name {
            Diagnostic::error("duplicate-policy", format!("two policies are named `{name}`"))
        } else {
            let message =
                format!("the policies `{other}` and `{name}` differ only in case or spaces");
            Diagnostic::warning("similar-policy", message)
        };
        let finding = finding.at(policy.document.label("/name"));
        let first = first.document.label("/name").saying("the first one is here");
        findings.push(finding.related(first).help("rename one of the two, or join them"));
    }
}

fn rules(policy: &Declared<'_>, _: &Files, findings: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let label = |index: usize| policy.document.label(&format!("/rules/{index}/name"));
    for (index, rule) in policy.desired.policy.rules().iter().enumerate() {
        if let Some(first) = seen.get(rule.name.as_str()) {
            let finding =
                Diagnostic::error("duplicate-rule", format!("two rules are named `{}`", rule.name));
            let finding =
                finding.at(label(index)).related(label(*first).saying("the first one is here"));
            findings.push(finding.help("rename one of the two"));
        } else {
            seen.insert(&rule.name, index);
        }
    }
}

fn previously(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let of_policies = input.policies.iter().map(|policy| Named {
        name: &policy.desired.policy.name,
        label: policy.document.label("/name"),
        previously: earlier(policy.document, "", &policy.desired.previously),
    });
    clashes("policy", of_policies.collect(), findings);
    let of_vijil = input.vijil.iter().map(|policy| Named {
        name: &policy.desired.name,
        label: policy.document.label("/name"),
        previously: earlier(policy.document, "", &policy.desired.previously),
    });
    clashes("policy", of_vijil.collect(), findings);
    for policy in input.vijil {
        let of_rules = policy.desired.rules.iter().enumerate().map(|(index, rule)| Named {
            name: &rule.rule_id,
            label: policy.document.label(&format!("/rules/{index}/rule_id")),
            previously: earlier(policy.document, &format!("/rules/{index}"), &rule.previously),
        });
        clashes("rule", of_rules.collect(), findings);
    }
    for policy in input.policies {
        if policy.desired.rules.iter().all(|rule| rule.previously.is_empty()) {
            continue;
        }
        let rules = policy.desired.policy.rules().iter().zip(&policy.desired.rules).enumerate();
        let of_rules = rules.map(|(index, (rule, places))| Named {
            name: &rule.name,
            label: policy.document.label(&format!("/rules/{index}/name")),
            previously: earlier(policy.document, &format!("/rules/{index}"), &places.previously),
        });
        clashes("rule", of_rules.collect(), findings);
    }
}

struct Named<'a> {
    name: &'a str,
    label: Label,
    previously: Vec<(&'a str, Label)>,
}

fn earlier<'a>(document: &Document, pointer: &str, names: &'a [String]) -> Vec<(&'a str, Label)> {
    let label = |index: usize| document.label(&format!("{pointer}/previously/{index}"));
    names.iter().enumerate().map(|(index, name)| (name.as_str(), label(index))).collect()
}

fn clashes(what: &str, named: Vec<Named<'_>>, findings: &mut Vec<Diagnostic>) {
    // Names of policies may move along a chain: a policy that had another name earlier has not
    // always had this one.
    let stays = |one: &&Named<'_>| what != "policy" || one.previously.is_empty();
    let current: BTreeMap<&str, &Label> =
        named.iter().filter(stays).map(|one| (one.name, &one.label)).collect();
    let mut claimed: BTreeMap<&str, (&str, &Label)> = BTreeMap::new();
    for one in &named {
        for (earlier, label) in &one.previously {
            let own = one.name;
            let (message, help, other) = if *earlier == own {
                let message = format!("`{earlier}` is the present name of this {what}");
                (message, "remove it from `previously`".to_owned(), &one.label)
            } else if let Some(other) = current.get(earlier) {
                let message = format!("`{earlier}` is the present name of another {what}");
                let help =
                    format!("remove it from `previously`, or give the other {what} a new name");
                (message, help, *other)
            } else {
                match claimed.insert(earlier, (own, label)) {
                    None => continue,
                    Some((first, other)) if first == own => {
                        let message = format!("`{earlier}` is listed twice");
                        (message, "remove one of the two".to_owned(), other)
                    }
                    Some((first, other)) => {
                        let message = format!(
                            "`{earlier}` is claimed as an earlier name by `{first}` and by `{own}`"
                        );
                        let help = format!(
                            "keep it in `previously` of the {what} that continues `{earlier}`, and \
                             remove it from the other"
                        );
                        (message, help, other)
                    }
                }
            };
            let finding = Diagnostic::error("conflicting-previously", message).at(label.clone());
            let finding = finding.related(other.clone().saying("the other one is here"));
            findings.push(finding.help(help));
        }
    }
}
