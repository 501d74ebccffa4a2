//! `*.x` without `x`, and `/dir/**` without `/dir`.

use super::{Check, EACH, Input, Run, locations};
use crate::access::survey::{Bare, Item, Kind};
use crate::diagnostic::{Diagnostic, Severity, list};
use crate::model::Decision;

const APEX: &str = "wildcard-without-apex";
const OPEN: &str = "wildcard-misses-apex";
const FOLDER: &str = "missing-base-folder";

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: APEX,
        severity: Severity::Note,
        title: "`*.x` is allowed, and no rule covers `x`",
        explanation: "`*.example.com` is one label in front: neither `example.com` nor `a.b.example.com`. Whether \
            `**.example.com` is `example.com` too is not documented.",
        bad: "- {name: docker, decision: allow, actions: [connect:tcp], resources: [\"*.docker.com\"]}\n",
        fix: "List the host itself where it is meant, or deny it where it is not.",
        run: Run::Workspace(check),
    },
    Check {
        code: OPEN,
        severity: Severity::Warning,
        title: "`*.x` is denied, and `x` may be allowed",
        explanation: "A deny of `*.example.com` does not deny `example.com`, and whether one of `**.example.com` does is not \
            documented. Another rule may allow that host.",
        bad: "- {name: all, decision: allow, actions: [connect:tcp], resources: [\"**.com:443\"]}\n\
            - {name: pastes, decision: deny, actions: [connect:tcp], resources: [\"**.pastebin.com\"]}\n",
        fix: "Deny the host itself too.",
        run: Run::Elsewhere,
    },
    Check {
        code: FOLDER,
        severity: Severity::Warning,
        title: "`/dir/**` does not cover `/dir` itself",
        explanation: "Whether `/data/**` is `/data` itself is not documented, and the folder itself is what is mounted most \
            often. An allow may not be enough for that, and a deny may leave it open.",
        bad: "- {name: data, decision: allow, actions: [read], resources: [/data/**]}\n",
        fix: "List both: `/data` and `/data/**`.",
        run: Run::Elsewhere,
    },
];

/// The number of patterns that the finding for a rule names.
const NAMED: usize = 3;

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    for items in locations::by_rule(input) {
        let mut found: Vec<(&Item<'_>, Diagnostic)> =
            items.iter().filter_map(|item| Some((item, single(input, item)?))).collect();
        for code in [APEX, OPEN, FOLDER] {
            let own;
            (own, found) = found.into_iter().partition(|(_, finding)| finding.code == code);
            if own.len() > EACH {
                findings.extend(several(input, &own));
            } else {
                findings.extend(own.into_iter().map(|(_, finding)| finding));
            }
        }
    }
}

fn single(input: &Input<'_>, item: &Item<'_>) -> Option<Diagnostic> {
    let bare = input.survey.bare(item).filter(|bare| !input.survey.settles(bare, item))?;
    if item.decision == Decision::Deny && !input.survey.may_allow(&bare) {
        return None;
    }
    let finding = if item.kind() == Kind::Folder { folder(item, &bare) } else { host(item, &bare) };
    Some(finding?.at(locations::resource(input, item)))
}

fn several(input: &Input<'_>, found: &[(&Item<'_>, Diagnostic)]) -> Option<Diagnostic> {
    let (item, example) = found.first()?;
    let (named, more) = list::first(found, NAMED);
    let names: Vec<String> = named.iter().map(|(item, _)| format!("`{}`", item.text())).collect();
    let names = list::counted(&names, ", ", more);
    let (message, help) = match (example.code, item.decision) {
        (FOLDER, Decision::Allow) => (
            format!("whether {names} allow mounts of the folders themselves is not documented"),
            "list each folder as well",
        ),
        (FOLDER, Decision::Deny) => (
            format!(
                "whether {names} deny mounts of the folders themselves is not documented, and a rule may allow them"
            ),
            "list each folder as well",
        ),
        (_, Decision::Allow) => (
            format!("{names} do not certainly include the hosts themselves"),
            "list each host as well if it is meant, or deny it",
        ),
        (_, Decision::Deny) => (
            format!(
                "{names} do not certainly deny the hosts themselves, and a rule may allow them"
            ),
            "deny each host as well",
        ),
    };
    let mut finding = match example.severity {
        Severity::Note => Diagnostic::note(example.code, message),
        Severity::Error | Severity::Warning => Diagnostic::warning(example.code, message),
    };
    finding = finding.at(locations::rule(input, item));
    for (item, _) in named {
        finding = finding.related(locations::resource(input, item).saying("here"));
    }
    Some(finding.help(help))
}

fn folder(item: &Item<'_>, bare: &Bare) -> Option<Diagnostic> {
    let (pattern, folder) = (item.text(), &bare.text);
    // `/data/*` explicitly means the content of a folder.
    let message = match item.decision {
        _ if !bare.is_deep => return None,
        Decision::Allow => {
            format!("whether `{pattern}` allows a mount of `{folder}` itself is not documented")
        }
        Decision::Deny => format!(
            "whether `{pattern}` denies a mount of `{folder}` itself is not documented, and a rule may allow it"
        ),
    };
    Some(Diagnostic::warning(FOLDER, message).help(format!("list `{folder}` as well")))
}

fn host(item: &Item<'_>, bare: &Bare) -> Option<Diagnostic> {
    let host = &bare.text;
    // A wildcard directly below a public suffix has another finding.
    if psl::suffix_str(host) == Some(host.as_str()) {
        return None;
    }
    let pattern = if bare.is_deep { format!("**.{host}") } else { format!("*.{host}") };
    let open = format!("whether `{pattern}` is `{host}` itself is not documented");
    let finding = match (item.decision, bare.is_deep) {
        (Decision::Allow, true) => Diagnostic::note(APEX, open),
        (Decision::Allow, false) => Diagnostic::note(
            APEX,
            format!("`{pattern}` is not `{host}` itself, nor a name two labels below it"),
        ),
        (Decision::Deny, true) => {
            Diagnostic::warning(OPEN, format!("{open}, and a rule may allow it"))
        }
        (Decision::Deny, false) => Diagnostic::warning(
            OPEN,
            format!("`{pattern}` does not deny `{host}` itself, and a rule may allow it"),
        ),
    };
    Some(finding.help(match item.decision {
        Decision::Allow => format!("list `{host}` as well if it is meant, or deny it"),
        Decision::Deny => format!("deny `{host}` as well"),
    }))
}
