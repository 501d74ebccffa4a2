//! Rules about the developer's own machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Check, Input, Run, broad_allow, locations};
use crate::access::survey::{Item, Kind};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Decision;

const REWRITTEN: &str = "rewritten-host";
const OPEN: &str = "loopback-allow";

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: REWRITTEN,
        severity: Severity::Warning,
        title: "a rule names `host.docker.internal`, which is rewritten before rules are evaluated",
        explanation: "The proxy of a sandbox rewrites `host.docker.internal` to `localhost` before it asks the rules. A deny \
            of that name then stops nothing, and an allow opens nothing. The manuals do not say so; answers about that name \
            are uncertain.",
        bad: "- {name: no host services, decision: deny, actions: [connect:tcp], resources: [host.docker.internal]}\n",
        fix: "Write `localhost` with the port that is meant.",
        run: Run::Together(check),
    },
    Check {
        code: OPEN,
        severity: Severity::Warning,
        title: "an allow opens every service on the developer's own machine",
        explanation: "For a sandbox behind the proxy, `localhost` and the loopback addresses are the developer's machine: \
            databases, container engines and debuggers that trust local callers. Without a port all of them are open.",
        bad: "- {name: local, decision: allow, actions: [connect:tcp], resources: [localhost]}\n",
        fix: "Name the ports that are needed, such as `localhost:11434`.",
        run: Run::Elsewhere,
    },
];

fn check(input: &Input<'_>, findings: &mut Vec<Diagnostic>) {
    for item in input.survey.items().iter().filter(|item| !item.is_malformed()) {
        let finding = match item.host() {
            Some(host) if is_rewritten(&host) => rewritten(item, &host),
            host if item.decision == Decision::Allow
                && item.port().is_none()
                && is_local(item, host.as_deref()) =>
            {
                let denies = |other: &Item<'_>| {
                    other.decision == Decision::Deny && other.governs_all_of(item)
                };
                if input.survey.covered_by(item, denies).is_some() {
                    continue;
                }
                open(item)
            }
            Some(_) | None => continue,
        };
        findings.push(finding.at(locations::resource(input, item)));
    }
}

/// Returns `true` if a pattern matches that name, but not `localhost`.
fn is_rewritten(host: &str) -> bool {
    matches!(
        host,
        "host.docker.internal"
            | "*.docker.internal"
            | "**.docker.internal"
            | "**.host.docker.internal"
    )
}

fn rewritten(item: &Item<'_>, host: &str) -> Diagnostic {
    let effect = if item.decision == Decision::Deny { "denies" } else { "opens" };
    let message = format!(
        "`host.docker.internal` is rewritten to `localhost` before rules are asked: `{host}` {effect} nothing there"
    );
    let instead =
        item.port().map_or_else(|| "localhost".to_owned(), |port| format!("localhost:{port}"));
    let with_port = if item.port().is_none() { ", with the port that is meant" } else { "" };
    Diagnostic::warning(REWRITTEN, message).help(format!("write `{instead}`{with_port}"))
}

fn open(item: &Item<'_>) -> Diagnostic {
    let text = item.text();
    let message = format!("`{text}` on every port is every service of the developer's own machine");
    Diagnostic::warning(OPEN, message).help(match item.kind() {
        Kind::Block(_) => {
            "name the address and the port that are needed, such as `127.0.0.1:11434`".to_owned()
        }
        Kind::Http => "name the port that is needed with `port: 11434`".to_owned(),
        Kind::Host | Kind::Folder => {
            format!("name the port that is needed, such as `{text}:11434`")
        }
    })
}

/// Returns `true` if the item matches the machine itself, or a block that contains it.
fn is_local(item: &Item<'_>, host: Option<&str>) -> bool {
    if let Kind::Block(block) = item.kind() {
        let whole = is_loopback(block.network()) && is_loopback(block.broadcast());
        // A block with the machine and more is equally open; a very large block is reported by
        // another check.
        let machine: [IpAddr; 3] =
            [Ipv4Addr::LOCALHOST.into(), Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into()];
        let holds = machine.iter().any(|own| block.contains(own));
        return whole || holds && !broad_allow::is_large(&block);
    }
    if let Some(address) = item.address() {
        return is_loopback(address);
    }
    let last = host.and_then(|host| host.rsplit('.').next());
    last.is_some_and(|last| {
        ["localhost", "localdomain", "ip6-localhost", "ip6-loopback"].contains(&last)
    })
}

/// A loopback address, or the one that stands for the machine itself.
fn is_loopback(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}
