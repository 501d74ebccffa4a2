//! The common layer of a rule's actions.

use super::{Check, Run};
use crate::diagnostic::{Diagnostic, Files, Severity};
use crate::document::Declared;
use crate::model::{Action, Layer, Resources};

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "mixed-layers",
        severity: Severity::Error,
        title: "a rule mixes connections and HTTP requests",
        explanation: "The service takes rules of one layer only: `connect:…` or `request:…`. One policy may hold both.",
        bad: "- {name: web, decision: allow, actions: [connect:tcp, request:get], resources: [a.example.com]}\n",
        fix: "Make two rules.",
        run: Run::Policy(check),
    },
    Check {
        code: "wrong-resources",
        severity: Severity::Error,
        title: "the resources do not fit the actions",
        explanation: "`connect:…` is allowed or denied on `resources`, `request:…` on `http_resources`.",
        bad: "- {name: web, decision: allow, actions: [request:get], resources: [a.example.com]}\n",
        fix: "Write `http_resources` for HTTP requests, and `resources` for connections.",
        run: Run::Elsewhere,
    },
    Check {
        code: UNDOCUMENTED,
        severity: Severity::Warning,
        title: "an action is not documented",
        explanation: "`undocumented:` marks an action that the service has and this program does not know, as an import writes it. What such a rule allows or denies is uncertain.",
        bad: "- {name: web, decision: allow, actions: ['undocumented:connect:quic'], resources: [a.example.com]}\n",
        fix: "Use a version of this program that knows the action, or an action that is documented.",
        run: Run::Elsewhere,
    },
];

const UNDOCUMENTED: &str = "undocumented-action";

fn check(policy: &Declared<'_>, _: &Files, findings: &mut Vec<Diagnostic>) {
    for (index, rule) in policy.desired.policy.rules().iter().enumerate() {
        for (position, action) in rule.actions.iter().enumerate() {
            if let Action::Unknown(action) = action {
                let message = format!(
                    "what `{action}` means is not documented, so that what this rule does is uncertain"
                );
                let finding = Diagnostic::warning(UNDOCUMENTED, message);
                let finding = finding.at(policy.document.label(&policy.action(index, position)));
                findings.push(finding.help("look for a later version that knows this action"));
            }
        }
        let Some(layer) = rule.layer() else { continue };
        let pointer = format!("/rules/{index}");
        if let Some(other) =
            rule.actions.iter().position(|action| action.layer().is_some_and(|own| own != layer))
        {
            let finding = Diagnostic::error(
                "mixed-layers",
                format!("the rule `{}` mixes connections and HTTP requests", rule.name),
            );
            let finding = finding.at(policy.document.label(&policy.action(index, other)));
            findings.push(
                finding.help("make two rules: `connect:…` with `resources`, and `request:…` with `http_resources`"),
            );
            continue;
        }
        let (key, wanted) = match (&rule.resources, layer) {
            (Resources::Plain(_), Layer::Http) => ("resources", "http_resources"),
            (Resources::Http(_), Layer::Network) => ("http_resources", "resources"),
            (Resources::Plain(_), Layer::Network | Layer::Filesystem)
            | (Resources::Http(_), Layer::Http | Layer::Filesystem) => continue,
        };
        let action = rule.actions.first().map(ToString::to_string).unwrap_or_default();
        let finding =
            Diagnostic::error("wrong-resources", format!("`{action}` does not go with `{key}`"));
        let finding = finding.at(policy.document.key(&pointer, key));
        findings.push(finding.help(match wanted {
            "http_resources" => {
                "write `http_resources`, each with a `host` and a `path`; `/**` is every path"
            }
            _ => "write `resources`: hosts, addresses or CIDR blocks",
        }));
    }
}
