//! Hosts, addresses and CIDR blocks: one file for each check.
//!
//! An error is what the service's manuals and its own command line refuse, and what can never
//! match: a deny that never matches silently leaves access open. A form that is only undocumented
//! for the API is a warning.
//!
//! Invariant: [`target`] parses a resource once, and each check sees only its part.

mod cidr_host_bits;
mod invalid;
mod plain;
mod spelling;
mod target;
mod undocumented;

use std::net::IpAddr;

use target::Target;

use super::verdict::Verdict;
use super::{Check, EACH, Run};
use crate::diagnostic::{Diagnostic, Files, Severity};
use crate::document::Declared;
use crate::model::{Domain, Resources};

pub(super) const CHECKS: &[Check] =
    &[invalid::CHECK, undocumented::CHECK, spelling::CHECK, cidr_host_bits::CHECK];

fn check(policy: &Declared<'_>, _: &Files, findings: &mut Vec<Diagnostic>) {
    if policy.desired.domain != Domain::Network {
        return;
    }
    for (rule, index) in policy.desired.policy.rules().iter().zip(0..) {
        match &rule.resources {
            Resources::Plain(resources) => {
                let is_ipv6 = |resource: &&String| {
                    resource.contains(':')
                        && matches!(target::split(resource, false), Ok(Target::Ipv6(_)))
                };
                let addresses: Vec<&String> = resources.iter().filter(is_ipv6).collect();
                let together = addresses.len() > EACH;
                if together {
                    let label = policy.document.label(&format!("/rules/{index}/name"));
                    findings.push(undocumented::several(&addresses).at(label));
                }
                for (resource, at) in resources.iter().zip(0..) {
                    if together && is_ipv6(&resource) {
                        continue;
                    }
                    let label = || policy.document.label(&policy.resource(index, at));
                    findings.extend(
                        judge(resource, false).into_iter().map(|verdict| verdict.at(label())),
                    );
                }
            }
            Resources::Http(resources) => {
                for (resource, at) in resources.iter().zip(0..) {
                    let label =
                        || policy.document.label(&format!("{}/host", policy.resource(index, at)));
                    findings.extend(
                        judge(&resource.host, true).into_iter().map(|verdict| verdict.at(label())),
                    );
                }
            }
        }
    }
}

/// The faults in the resource of a connection, or in the host of an HTTP target.
fn judge(text: &str, http: bool) -> Vec<Verdict> {
    if plain::is_plain(text, http) { Vec::new() } else { look_closely(text, http) }
}

fn look_closely(text: &str, http: bool) -> Vec<Verdict> {
    match target::split(text, http) {
        Ok(Target::Ipv6(address)) => vec![undocumented::ipv6(text, address)],
        Ok(Target::Block(block)) => cidr_host_bits::judge(text, block).into_iter().collect(),
        Ok(Target::Host { host, port }) => pattern(text, host, port, http),
        Err(verdict) => vec![*verdict],
    }
}

/// A host name, a pattern of one, or an address without brackets.
fn pattern(text: &str, host: &str, port: Option<&str>, http: bool) -> Vec<Verdict> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return if http { vec![undocumented::address(address)] } else { Vec::new() };
    }
    if let Some(verdict) = invalid::name(host, text) {
        return vec![verdict];
    }
    spelling::judge(host, port).into_iter().chain(undocumented::pattern(host)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVALID: &str = invalid::CODE;
    const UNDOCUMENTED: &str = undocumented::CODE;
    const SPELLING: &str = spelling::CODE;

    /// The code of the fault; `ok` without one.
    fn code(text: &str, http: bool) -> &'static str {
        judge(text, http).first().map_or("ok", |verdict| verdict.code)
    }

    #[test]
    fn resources_of_connections() {
        let cases = [
            // Documented forms.
            ("example.com", "ok"),
            ("example.com:443", "ok"),
            ("*.example.com", "ok"),
            ("**.example.com:443", "ok"),
            ("**", "ok"),
            ("localhost", "ok"),
            ("10.1.2.3", "ok"),
            ("10.1.2.3:22", "ok"),
            ("10.0.0.0/8", "ok"),
            ("2001:db8::/32", "ok"),
            ("2001:db8::1/128", "ok"),
            ("_dmarc.example.com", "ok"),
            // Parts of a URL.
            ("https://example.com", INVALID),
            ("user@example.com", INVALID),
            ("example.com/path", INVALID),
            ("example.com?x=1", INVALID),
            // Spaces, escapes, and several hosts in one.
            (" example.com", INVALID),
            ("a.example.com b.example.com", INVALID),
            ("a.example.com,b.example.com", INVALID),
            (r"\*.example.com", INVALID),
            // Ports.
            ("example.com:80-443", INVALID),
            ("example.com:*", INVALID),
            ("example.com:0", INVALID),
            ("example.com:65536", INVALID),
            ("example.com:", INVALID),
            ("example.com:http", INVALID),
            ("443", INVALID),
            (":443", INVALID),
            // Addresses.
            ("2001:db8::1", UNDOCUMENTED),
            ("[2001:db8::1]:443", UNDOCUMENTED),
            ("[2001:db8::1]", UNDOCUMENTED),
            ("[2001:db8::1]:0", INVALID),
            ("10.0.0.0/8:443", INVALID),
            ("[2001:db8::]/32:443", INVALID),
            ("10.0.0.0/33", INVALID),
            ("10.0.0.256", INVALID),
            ("10.1.2.3/8", "cidr-host-bits"),
            // Labels.
            ("a..example.com", INVALID),
            (".example.com", INVALID),
            // Undocumented forms.
            ("*", UNDOCUMENTED),
            ("api?.example.com", UNDOCUMENTED),
            ("api[12].example.com", UNDOCUMENTED),
            ("api-*.example.com", UNDOCUMENTED),
            ("bedrock.*.amazonaws.com", UNDOCUMENTED),
            ("*.*", UNDOCUMENTED),
            // Spelling.
            ("Example.com", SPELLING),
            ("example.com.", SPELLING),
            ("exämple.com", SPELLING),
        ];
        for (text, expected) in cases {
            assert_eq!(code(text, false), expected, "{text}");
        }
    }

    #[test]
    fn hosts_of_http_targets() {
        let cases = [
            ("api.github.com", "ok"),
            ("**.example.com", "ok"),
            ("**", "ok"),
            ("api.github.com:443", INVALID),
            ("10.0.0.0/8", INVALID),
            ("https://api.github.com", INVALID),
            ("api.github.com/repos", INVALID),
            ("2001:db8::1", INVALID),
            ("10.0.0.1", UNDOCUMENTED),
        ];
        for (text, expected) in cases {
            assert_eq!(code(text, true), expected, "{text}");
        }
    }

    #[test]
    fn what_is_proposed_can_be_pasted() {
        let cases = [
            (
                "https://user@example.com:8443/x?y",
                false,
                "write the host alone: `example.com:8443`; for paths",
            ),
            ("https://example.com", false, "write the host alone: `example.com`"),
            ("me@example.com", false, "write the host alone: `example.com`"),
            ("example.com:443/x", false, "write the host alone: `example.com:443`; for paths"),
            ("2001:db8::1", false, "write `2001:db8::1/128`"),
            ("Example.com.:443", false, "write `example.com:443`"),
            (".evil.example", false, "write `evil.example` and `**.evil.example`, each as an item"),
            (
                "..evil.example",
                false,
                "write `evil.example` and `**.evil.example`, each as an item",
            ),
            ("*..evil.example", false, "write `**.evil.example`"),
            (".*.evil.example:443", false, "write `**.evil.example:443`"),
            (".10.0.0.1", false, "write `10.0.0.1`"),
            (".", false, "write `**` for every host"),
            ("*.", false, "write `**`"),
            (
                ".evil.example:443",
                false,
                "write `evil.example:443` and `**.evil.example:443`, each as an item",
            ),
            (".evil.example", true, "write `evil.example` and `**.evil.example`, each as an item"),
            (
                "git@github.com:acme/web.git",
                false,
                "write `github.com:22` for SSH, `github.com:443` for HTTPS",
            ),
            ("169.254/16", false, "write `169.254.0.0/16`"),
            ("10.0.*.*", false, "write `10.0.0.0/16` for these addresses"),
            ("192.168.1.*:443", false, "write `192.168.1.0/24` for these addresses"),
            ("10.*", false, "write `10.0.0.0/8` for these addresses"),
            ("/var/run/docker.sock", false, "name a host; a `FilesystemPolicy` is for paths"),
            (
                "unix:///var/run/docker.sock",
                false,
                "name a host; a `FilesystemPolicy` is for paths",
            ),
            ("//example.com", false, "write the host alone: `example.com`"),
            ("*:1-9", false, "list each port as an item of its own; without a port, `**` is every"),
            (":*", false, "write a host, or `**` for every host"),
            ("10.0.0.0/255.0.0.0", false, "write `10.0.0.0/8`"),
            ("10.0.0.1-10.0.0.4", false, "write `10.0.0.1/32`, `10.0.0.2/31`, `10.0.0.4/32`"),
            (
                "10.0.0.1-10.1.0.9",
                false,
                "write `10.0.0.1/32`, `10.0.0.2/31`, `10.0.0.4/30`, `10.0.0.8/29` and so on",
            ),
            ("10/8", false, "write `10.0.0.0/8`"),
            ("2130706433", false, "write `127.0.0.1`"),
            ("0x7f000001", false, "write `127.0.0.1`"),
            (
                "{{ .Values.host }}",
                false,
                "write the host itself, or let the tool that fills it in",
            ),
            ("${HOST}:443", false, "write the host itself, or let the tool that fills it in"),
            ("$HOST", false, "write the host itself, or let the tool that fills it in"),
            ("<your-host>", false, "write the host itself, or let the tool that fills it in"),
            ("**.Exämple.com", false, "write `**.xn--exmple-cua.com`"),
            (":443", false, "write a host, or `**:443` for this port"),
            ("443", false, "write a host, or `**:443` for this port"),
            (
                "https://u@api.github.com:8443/repos?x",
                true,
                "write `host: api.github.com`, `port: 8443`, `path: /repos`",
            ),
            ("https://api.github.com", true, "write `host: api.github.com`"),
            ("api.github.com/repos", true, "write `host: api.github.com`, `path: /repos`"),
            (":443", true, "write a host; `host: \"**\"` with `port: 443`"),
        ];
        for (text, http, expected) in cases {
            let verdicts = judge(text, http);
            let help = verdicts.first().map_or("", |verdict| verdict.help.as_str());
            assert!(help.starts_with(expected), "{text}: {help}");
        }
    }
}
