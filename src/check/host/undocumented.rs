//! Hosts whose form the manuals do not describe.

use std::net::IpAddr;

use super::{Check, Run, Severity, Verdict};
use crate::diagnostic::list;

pub(super) const CODE: &str = "undocumented-host";

pub(super) const CHECK: Check = Check {
    code: CODE,
    severity: Severity::Warning,
    title: "it is not documented what this host pattern matches",
    explanation: "The manuals describe exact hosts, `*.` and `**.` in front, ports, addresses and CIDR blocks. Other \
        forms may match more or less than they seem to.",
    bad: "- {name: web, decision: allow, actions: [connect:tcp], resources: [\"api?.example.com\"]}\n",
    fix: "List the hosts, or use `*.` or `**.` in front.",
    run: Run::Elsewhere,
};

/// An IPv6 address without a prefix length, optionally with a port.
pub(super) fn ipv6(text: &str, address: &str) -> Verdict {
    let message = format!("whether the service reads `{text}` is not documented");
    Verdict::open(CODE, message, format!("write `{address}/128`, which covers every port"))
}

/// The same for a list of them.
pub(super) fn several(addresses: &[&String]) -> Verdict {
    const NAMED: usize = 3;
    let (named, more) = list::first(addresses, NAMED);
    let names: Vec<String> = named.iter().map(|address| format!("`{address}`")).collect();
    let names = list::counted(&names, ", ", more);
    let message = format!("whether the service reads {names} is not documented");
    Verdict::open(CODE, message, "write each as `ADDRESS/128`, which covers every port")
}

/// An address as the host of an HTTP target.
pub(super) fn address(address: IpAddr) -> Verdict {
    let message = format!("whether HTTP rules match the address `{address}` is not documented");
    Verdict::open(CODE, message, "name the host")
}

/// Wildcards in other places than in front, and others than `*` and `**`.
pub(super) fn pattern(host: &str) -> Option<Verdict> {
    let mut labels = host.strip_suffix('.').unwrap_or(host).split('.');
    let wild = |label: &str| label.contains(['*', '?', '[', ']', '!']);
    let first = labels.next().unwrap_or_default();
    let has_more = host.contains('.');
    let plain_first = !wild(first) || first == "**" || (first == "*" && has_more);
    if plain_first && !labels.any(wild) {
        return None;
    }
    let message = format!("what `{host}` matches is not documented");
    let help =
        match host {
            "*" => "list the hosts that are needed; `**` is the documented form of every host"
                .to_owned(),
            _ => match super::target::starred_block(host) {
                Some(block) => format!("write `{block}` for these addresses"),
                None => "list the hosts, or use `*.` (one label) or `**.` (any depth) in front"
                    .to_owned(),
            },
        };
    Some(Verdict::open(CODE, message, help))
}
