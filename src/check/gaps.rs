//! Denies that leave something open which their readers believe to be closed.

use super::{Check, EACH, Input, Run, http_path, locations};
use crate::access::survey::{Gap, GapKind, Gaps, Item};
use crate::diagnostic::{Diagnostic, Severity, list};
use crate::model::Decision;
use crate::source::parallel;

/// The number of gaps that the finding for a rule names.
const NAMED: usize = 3;
/// The most gaps of a rule that are counted: a list of ten thousand hosts has one finding anyway.
const COUNTED: usize = 1_000;

const fn warning(
    code: &'static str,
    title: &'static str,
    explanation: &'static str,
    bad: &'static str,
    fix: &'static str,
    run: Run,
) -> Check {
    Check { code, severity: Severity::Warning, title, explanation, bad, fix, run }
}

pub(super) const CHECKS: &[Check] = &[
    warning(
        code(GapKind::Subdomains),
        "a host is denied, and names below it are open",
        "A deny of `evil.example` is for that host alone, and one of `*.evil.example` for one label in front. Deeper names \
         stay open where an allow covers them.",
        "- {name: all, decision: allow, actions: [connect:tcp], resources: [\"**:443\"]}\n\
         - {name: evil, decision: deny, actions: [connect:tcp], resources: [evil.example]}\n",
        "Deny the host and `**.` in front of it: `evil.example` and `**.evil.example`.",
        Run::Workspace(check),
    ),
    warning(
        code(GapKind::Protocol),
        "a host is denied over one protocol, and open over the other",
        "`connect:tcp` and `connect:udp` are two actions. What is denied over TCP stays open over UDP where that is allowed, \
         and the other way round.",
        "- {name: all, decision: allow, actions: [connect:tcp, connect:udp], resources: [\"**:443\"]}\n\
         - {name: evil, decision: deny, actions: [connect:tcp], resources: [evil.example, \"**.evil.example\"]}\n",
        "Deny both: `actions: [connect:tcp, connect:udp]`.",
        Run::Elsewhere,
    ),
    warning(
        code(GapKind::Paths),
        "a path is denied, and paths below it are open",
        "A deny of `/x` is for that path alone, and one of `/x/*` for one segment below it. Deeper paths stay open where an \
         allow covers them.",
        "- {name: api, decision: allow, actions: [connect:tcp], resources: [\"api.example.com:443\"]}\n\
         - {name: admin, decision: deny, actions: [request:get], http_resources: [{host: api.example.com, path: /admin}]}\n",
        "Write `/x/**`, which is `/x` and every path below it.",
        Run::Elsewhere,
    ),
    warning(
        code(GapKind::Folders),
        "a folder is denied, and folders below it are open",
        "A deny of `/dir` is for a mount of that folder alone, and one of `/dir/*` for what lies right in it. Deeper folders \
         may be mounted by themselves where an allow covers them.",
        "- {name: data, decision: allow, actions: [read], resources: [/data/*, /data/*/**]}\n\
         - {name: secrets, decision: deny, actions: [read], resources: [/data/secrets]}\n",
        "Deny both: `/dir` and `/dir/**`.",
        Run::Elsewhere,
    ),
    warning(
        code(GapKind::MountAround),
        "a denied folder is inside a folder that may be mounted",
        "Rules are about the folder that is mounted, and are asked once, when the sandbox is created. Who mounts a folder \
         has all that is in it, whatever is denied there. `~/.ssh` is in `/home/USER` too.",
        "- {name: data, decision: allow, actions: [read], resources: [/data]}\n\
         - {name: secrets, decision: deny, actions: [read], resources: [/data/secrets]}\n",
        "Allow the folders beside the denied one instead of the one around it.",
        Run::Elsewhere,
    ),
];

const fn code(kind: GapKind) -> &'static str {
    match kind {
        GapKind::Subdomains => "deny-misses-subdomains",
        GapKind::Protocol => "deny-misses-protocol",
        GapKind::Paths => "deny-misses-paths",
        GapKind::Folders => "deny-misses-folders",
        GapKind::MountAround => "mount-around-deny",
    }
}

const KINDS: [GapKind; 5] = [
    GapKind::Subdomains,
    GapKind::Protocol,
    GapKind::Paths,
    GapKind::Folders,
    GapKind::MountAround,
];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    if !input.survey.items().iter().any(|item| item.decision == Decision::Allow) {
        return;
    }
    let denies: Vec<&[Item<'_>]> = locations::by_rule(input)
        .filter(|items| items.first().is_some_and(|item| item.decision == Decision::Deny))
        .collect();
    let gaps = input.survey.gaps(denies.iter().copied().flatten());
    let found = parallel::map(denies, 8, |items| of_rule(input, items, &gaps));
    findings.extend(found.into_iter().flatten());
}

fn of_rule(input: &Input<'_>, items: &[Item<'_>], known: &Gaps<'_>) -> Vec<Diagnostic> {
    let mut gaps: Vec<(&Item<'_>, Gap<'_>)> = Vec::new();
    for item in items {
        if gaps.len() >= COUNTED {
            break;
        }
        // For a placeholder, the same gap has another help.
        let is_odd = item.path().is_some_and(|path| http_path::has_odd_wildcard(&path));
        let own = known.of(item).into_iter().filter(|gap| !(is_odd && gap.kind == GapKind::Paths));
        gaps.extend(own.map(|gap| (item, gap)));
    }
    let is_cut = gaps.len() >= COUNTED;
    let of_kind = |kind| -> Vec<Diagnostic> {
        let gaps: Vec<&(&Item<'_>, Gap<'_>)> =
            gaps.iter().filter(|(_, gap)| gap.kind == kind).collect();
        match gaps.as_slice() {
            few if few.len() <= EACH => {
                few.iter().map(|(item, gap)| single(input, item, gap)).collect()
            }
            many => several(input, many, is_cut).into_iter().collect(),
        }
    };
    KINDS.into_iter().flat_map(of_kind).collect()
}

fn single(input: &Input<'_>, item: &Item<'_>, gap: &Gap<'_>) -> Diagnostic {
    let (denied, request) = (item.text(), &gap.request);
    let is = if gap.is_certain { "is" } else { "may be" };
    let message = match gap.kind {
        GapKind::MountAround => {
            format!(
                "`{denied}` is denied, but `{}` may be mounted with all that is in it",
                gap.object()
            )
        }
        GapKind::Subdomains | GapKind::Protocol | GapKind::Paths | GapKind::Folders => {
            format!("`{denied}` is denied, but `{request}` {is} allowed")
        }
    };
    let finding = Diagnostic::warning(code(gap.kind), message).at(locations::resource(input, item));
    let finding = finding.related(locations::resource(input, gap.allow).saying("allowed here"));
    finding.help(help(item, gap.kind))
}

fn several(input: &Input<'_>, gaps: &[&(&Item<'_>, Gap<'_>)], is_cut: bool) -> Option<Diagnostic> {
    let (first, gap) = gaps.first()?;
    let (named, more) = list::first(gaps, NAMED);
    let names: Vec<String> = named.iter().map(|(item, _)| format!("`{}`", item.text())).collect();
    let more = match more {
        0 => String::new(),
        _ if is_cut => " and many more".to_owned(),
        more => format!(" and {more} more"),
    };
    let left = match gap.kind {
        GapKind::Subdomains => "names below them are",
        GapKind::Protocol => "the other protocol is",
        GapKind::Paths => "paths below them are",
        GapKind::Folders => "folders below them are",
        GapKind::MountAround => "folders around them may be mounted with all that is in them:",
    };
    let names = names.join(", ");
    let message = match gap.kind {
        GapKind::MountAround => format!("{names}{more} are denied, but {left} `{}`", gap.object()),
        GapKind::Subdomains | GapKind::Protocol | GapKind::Paths | GapKind::Folders => {
            format!("{names}{more} are denied, but {left} open: `{}` is allowed", gap.request)
        }
    };
    let mut finding =
        Diagnostic::warning(code(gap.kind), message).at(locations::rule(input, first));
    for (item, _) in named {
        finding = finding.related(locations::resource(input, item).saying("denied here"));
    }
    let finding = finding.related(locations::resource(input, gap.allow).saying("allowed here"));
    Some(
        finding.help(match gap.kind {
            GapKind::Subdomains => "deny each host and `**.` in front of it".to_owned(),
            GapKind::Protocol | GapKind::MountAround => help(first, gap.kind),
            GapKind::Paths => {
                "append `/**` to each path, which covers the path itself and everything below"
                    .to_owned()
            }
            GapKind::Folders => "deny each folder, and the same with `/**` appended".to_owned(),
        }),
    )
}

/// The replacement for a deny.
fn help(item: &Item<'_>, kind: GapKind) -> String {
    match kind {
        GapKind::Subdomains => {
            let (own, deep) = item.with_subdomains();
            format!("deny `{own}` and `{deep}`")
        }
        GapKind::Protocol => "write `actions: [connect:tcp, connect:udp]`".to_owned(),
        GapKind::Paths => {
            format!("write `{}`, which is that path and all below it", item.with_paths_below())
        }
        GapKind::Folders => {
            let (own, deep) = item.with_folders_below();
            format!("deny `{own}` and `{deep}`")
        }
        GapKind::MountAround => {
            "allow the folders beside it instead of the one around it".to_owned()
        }
    }
}
