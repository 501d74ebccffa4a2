//! Allows that are too wide to be reviewed.
//!
//! Invariant: a pattern that covers a reported pattern is reported too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use ipnet::IpNet;

use super::{Check, Input, Run, locations};
use crate::access::survey::{Item, Kind};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Decision;

const CODE: &str = "broad-allow";

pub(super) const CHECKS: &[Check] = &[Check {
    code: CODE,
    severity: Severity::Warning,
    title: "an allow covers everything, or names that anybody can register",
    explanation: "`**`, `*.com`, `0.0.0.0/0` and the like allow access to anybody. So do wildcards below a suffix under which anybody can register names, such as `*.github.io`, and above one: `**.amazonaws.com` is every bucket of \
        `s3.amazonaws.com`. These are known from the public suffix list.",
    bad: "- {name: pages, decision: allow, actions: [connect:tcp], resources: [\"**.github.io:443\"]}\n",
    fix: "List the hosts, addresses or folders that are needed.",
    run: Run::Together(check),
}];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    let allows = |item: &&Item<'_>| item.decision == Decision::Allow && !item.is_malformed();
    let mut said = BTreeSet::new();
    for item in input.survey.items().iter().filter(allows) {
        let Some(problem) = problem(item) else { continue };
        // One finding for each host, even if a rule lists it with several ports.
        if !said.insert((item.policy(), item.rule(), problem.clone())) {
            continue;
        }
        let finding = Diagnostic::warning(CODE, problem).at(locations::resource(input, item));
        findings.push(finding.help(match item.kind() {
            Kind::Folder => "list the folders that are needed",
            Kind::Host | Kind::Http => "list the hosts that are needed",
            Kind::Block(_) => "list the addresses that are needed",
        }));
    }
}

fn problem(item: &Item<'_>) -> Option<String> {
    match item.kind() {
        Kind::Block(block) => {
            is_large(&block).then(|| format!("`{}` is a large part of all addresses", item.text()))
        }
        Kind::Folder => {
            let text = item.text();
            is_whole_machine(&text).then(|| format!("`{text}` is every folder of the machine"))
        }
        Kind::Host | Kind::Http => {
            let problem = host_problem(&item.host()?)?;
            let open = "`*` may be every host";
            Some(if item.is_lone_star() { open.to_owned() } else { problem })
        }
    }
}

/// Returns `true` if a block is a large part of all addresses.
pub(super) fn is_large(block: &IpNet) -> bool {
    block.prefix_len() < if matches!(block, IpNet::V4(_)) { 8 } else { 16 }
}

/// Returns `true` if a pattern gives only the format of a path, and wildcards: `**`, `/**`,
/// `/*/**`, `C:\\**`.
fn is_whole_machine(text: &str) -> bool {
    let rest = match text.split_once(":\\") {
        Some((drive, rest)) if drive.len() == 1 => rest,
        Some(_) | None => text.strip_prefix('/').unwrap_or(text),
    };
    let segments = rest.split(['/', '\\']);
    rest.ends_with("**") && segments.into_iter().all(|segment| matches!(segment, "*" | "**"))
}

/// Suffixes below which anybody can register names although their parent domain is not a public
/// suffix: from the public suffix list, enough of them to find every such domain. `*` is any label.
static SUFFIXES: &str = include_str!("suffixes.txt");

/// Suffixes of the same kind that the public suffix list does not have.
const OTHERS: [&str; 12] = [
    "backblazeb2.com",
    "bc.googleusercontent.com",
    "cloudapp.azure.com",
    "dropboxusercontent.com",
    "firebaseio.com",
    "glitch.me",
    "loca.lt",
    "nip.io",
    "r2.cloudflarestorage.com",
    "sslip.io",
    "storage.cloud.google.com",
    "wasabisys.com",
];

/// The parent domains of a suffix, each with a suffix below it that has the fewest labels.
static ABOVE: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut suffixes: Vec<&str> = SUFFIXES.split_whitespace().chain(OTHERS).collect();
    suffixes.sort_by_key(|suffix| (suffix.split('.').count(), *suffix));
    let mut above = BTreeMap::new();
    for suffix in suffixes {
        for (dot, _) in suffix.match_indices('.') {
            let domain = suffix.get(dot + 1..).unwrap_or_default();
            if domain.contains('.') && !is_suffix(domain) {
                above.entry(domain).or_insert(suffix.trim_start_matches("*."));
            }
        }
    }
    above
});

fn is_suffix(domain: &str) -> bool {
    psl::suffix(domain.as_bytes())
        .is_some_and(|found| found.is_known() && found.as_bytes() == domain.as_bytes())
}

fn host_problem(host: &str) -> Option<String> {
    let is_wild = |label: &&str| label.contains(['*', '?', '[']);
    let mut labels = host.split('.');
    let wild: Vec<&str> = labels.by_ref().take_while(is_wild).collect();
    let fixed: usize = wild.iter().map(|label| label.len() + 1).sum();
    let suffix = host.get(fixed..).unwrap_or_default();
    if wild.is_empty() {
        return None;
    }
    if suffix.is_empty() {
        return wild
            .iter()
            .all(|label| matches!(*label, "*" | "**"))
            .then(|| format!("`{host}` is every host"));
    }
    let found = psl::suffix(suffix.as_bytes()).filter(|found| found.is_known());
    if let Some(found) = found.filter(|found| found.as_bytes() == suffix.as_bytes()) {
        return Some(match found.typ() {
            Some(psl::Type::Private) => {
                format!("anybody may register names below `{suffix}`, and `{host}` allows them")
            }
            Some(psl::Type::Icann) | None => {
                format!("`{host}` is every name that ends in `.{suffix}`")
            }
        });
    }
    let open = |suffix: &str| {
        format!("anybody may register names below `{suffix}`, and `{host}` allows them")
    };
    if OTHERS.contains(&suffix) {
        return Some(open(suffix));
    }
    // A pattern of several labels also covers names below a deeper suffix.
    let is_deep = wild.len() > 1 || wild.contains(&"**");
    ABOVE.get(suffix).filter(|_| is_deep).map(|suffix| open(suffix))
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
            // A pattern that covers one of them.
            ("**.amazonaws.com", true),
            ("**.us-east-1.amazonaws.com", true),
            ("**.on.aws", true),
            ("**.windows.net", true),
            ("**.core.windows.net", true),
            ("**.run.app", true),
            ("**.digitaloceanspaces.com", true),
            ("**.googleusercontent.com", true),
            ("*.*.com", true),
            ("**.*.com", true),
            ("*.*.run.app", true),
            ("*.*.amazonaws.com", true),
            ("**.bc.googleusercontent.com", true), // as what covers it
            ("*.firebaseio.com", true),
            ("**.azure.com", true),
            ("**.nip.io", true),
            ("**.cloudflarestorage.com", true),
            ("*.azure.com", false),
            ("api-*.github.io", true),  // anybody registers `api-x`
            ("*.amazonaws.com", false), // one label, which is none of theirs
            ("**.microsoft.com", false),
            ("*.corp.example", false),
        ] {
            assert_eq!(host_problem(host).is_some(), expected, "{host}");
        }
    }

    #[test]
    fn the_suffixes_are_those_of_the_list() {
        for suffix in SUFFIXES.split_whitespace() {
            let suffix = suffix.replace('*', "any");
            assert!(is_suffix(&suffix), "{suffix}");
        }
        assert!(ABOVE.len() > 700, "{}", ABOVE.len());
    }

    #[test]
    fn folders() {
        for (folder, expected) in [
            ("**", true),
            ("/**", true),
            ("/*/**", true),
            ("C:\\**", true),
            ("*:\\**", true),
            ("*:\\*\\**", true),
            ("/*", false),
            ("/data/**", false),
            ("~/**", false),
        ] {
            assert_eq!(is_whole_machine(folder), expected, "{folder}");
        }
    }
}
