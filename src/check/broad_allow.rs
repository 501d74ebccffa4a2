//! Allows that are wider than anybody can answer for.

use ipnet::IpNet;

use super::{Check, Input, Run, sites};
use crate::access::survey::{Item, Kind};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Decision;

const CODE: &str = "broad-allow";

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Warning,
    title: "an allow is for everything, or for what anybody can register",
    explanation: "`**`, `*.com`, `0.0.0.0/0` and the like open the way to anybody. The same goes for wildcards below a suffix \
        under which anybody registers names, such as `*.github.io`; these are known from the public suffix list.",
    bad: "- {name: pages, decision: allow, actions: [connect:tcp], resources: [\"**.github.io:443\"]}\n",
    fix: "List the hosts, addresses or folders that are needed.",
    run: Run::Together(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    for item in input.survey.items().iter().filter(|item| item.decision == Decision::Allow) {
        let Some(problem) = problem(item) else { continue };
        let finding = Diagnostic::warning(CODE, problem).at(sites::resource(input, item));
        findings.push(finding.help(match item.kind() {
            Kind::Folder => "list the folders that are needed",
            Kind::Host | Kind::Http => "list the hosts that are needed",
            Kind::Block(_) => "list the addresses that are needed",
        }));
    }
}

fn problem(item: &Item) -> Option<String> {
    match item.kind() {
        Kind::Block(block) => {
            let least = if matches!(block, IpNet::V4(_)) { 8 } else { 16 };
            (block.prefix_len() < least).then(|| format!("`{}` is a large part of all addresses", item.text()))
        }
        Kind::Folder => {
            let text = item.text();
            let whole = ["**", "/**", "*:\\**"].contains(&text.as_str());
            let drive = text.strip_suffix(":\\**").is_some_and(|drive| drive.len() == 1);
            (whole || drive).then(|| format!("`{text}` is every folder of the machine"))
        }
        Kind::Host | Kind::Http => host_problem(&item.host()?),
    }
}

fn host_problem(host: &str) -> Option<String> {
    if host.split('.').all(|label| matches!(label, "*" | "**")) {
        return Some(format!("`{host}` is every host"));
    }
    let suffix = host.strip_prefix("**.").or_else(|| host.strip_prefix("*."))?;
    let found =
        psl::suffix(suffix.as_bytes()).filter(|found| found.is_known() && found.as_bytes() == suffix.as_bytes())?;
    Some(match found.typ() {
        Some(psl::Type::Private) => format!("anybody may register names below `{suffix}`, and `{host}` allows them"),
        Some(psl::Type::Icann) | None => format!("`{host}` is every name that ends in `.{suffix}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, expected) in [
            ("**", true),
            ("*", true),
            ("*.*", true),
            ("**.**", true),
            ("*.com", true),
            ("**.co.uk", true),
            ("**.github.io", true),
            ("*.github.io", true),
            ("acme.github.io", false),
            ("**.acme.github.io", false),
            ("**.example.com", false),
            ("com", false),
            ("**.internal", false), // no suffix of the public DNS
            ("*.corp.example", false),
        ] {
            assert_eq!(host_problem(host).is_some(), expected, "{host}");
        }
    }
}
