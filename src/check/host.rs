//! Hosts, addresses and CIDR blocks.
//!
//! Refused is what the service's manuals and its own command line refuse, and what cannot match anything: a deny that
//! never matches leaves a door open in silence. What is merely not documented for the API is a warning.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::verdict::Verdict;
use super::{Check, Run};
use crate::diagnostic::{Diagnostic, Files, Severity};
use crate::document::Declared;
use crate::model::{Domain, Resources};

const INVALID: &str = "invalid-host";
const UNDOCUMENTED: &str = "undocumented-host";
const SPELLING: &str = "host-spelling";

pub(super) const CHECKS: &[Check] = &[
    Check {
        code: INVALID,
        severity: Severity::Error,
        title: "a resource is no host, address or CIDR block",
        explanation: "The service matches the host and the port of a connection, nothing else of a URL. A rule whose \
            resource cannot match is dead, and a dead deny leaves a door open in silence.",
        bad: "- {name: web, decision: deny, actions: [connect:tcp], resources: [\"https://example.com/x\"]}\n",
        fix: "Write a host (`example.com`), a host with a port (`example.com:443`), a pattern (`*.example.com`), an \
            address, or a CIDR block (`10.0.0.0/8`).",
        run: Run::Policy(check),
    },
    Check {
        code: UNDOCUMENTED,
        severity: Severity::Warning,
        title: "what this host pattern matches is not documented",
        explanation: "The manuals describe exact hosts, `*.` and `**.` in front, ports, addresses and CIDR blocks. Other \
            forms may match more or less than they seem to.",
        bad: "- {name: web, decision: allow, actions: [connect:tcp], resources: [\"api?.example.com\"]}\n",
        fix: "List the hosts, or use `*.` or `**.` in front.",
        run: Run::Reading,
    },
    Check {
        code: SPELLING,
        severity: Severity::Warning,
        title: "a host is spelled in a way that may not match",
        explanation: "Whether upper case, a dot at the end and letters beyond ASCII are normalized before they are \
            compared is not documented. Letters of other scripts can also look like a host that they are not.",
        bad: "- {name: web, decision: deny, actions: [connect:tcp], resources: [Example.com.]}\n",
        fix: "Write the host in lower case, without a dot at the end, and in its ASCII form (`xn--…`).",
        run: Run::Reading,
    },
    Check {
        code: "cidr-host-bits",
        severity: Severity::Warning,
        title: "a CIDR block has bits set behind its prefix",
        explanation: "`10.1.2.3/8` covers all of `10.0.0.0/8`. Whether the service takes such a block is not documented, \
            and its reader may think of one address.",
        bad: "- {name: web, decision: allow, actions: [connect:tcp], resources: [10.1.2.3/8]}\n",
        fix: "Write the block's own address, or `/32` for one address.",
        run: Run::Reading,
    },
];

fn check(policy: &Declared<'_>, _: &Files, findings: &mut Vec<Diagnostic>) {
    if policy.desired.domain != Domain::Network {
        return;
    }
    for (rule, index) in policy.desired.policy.rules().iter().zip(0..) {
        match &rule.resources {
            Resources::Plain(resources) => {
                for (resource, at) in resources.iter().zip(0..) {
                    let label = || policy.document.label(&format!("/rules/{index}/resources/{at}"));
                    findings.extend(judge(resource, false).into_iter().map(|verdict| verdict.at(label())));
                }
            }
            Resources::Http(resources) => {
                for (resource, at) in resources.iter().zip(0..) {
                    let label = || policy.document.label(&format!("/rules/{index}/http_resources/{at}/host"));
                    findings.extend(judge(&resource.host, true).into_iter().map(|verdict| verdict.at(label())));
                }
            }
        }
    }
}

/// What is wrong with the resource of a connection, or with the host of an HTTP target.
fn judge(text: &str, http: bool) -> Vec<Verdict> {
    match split(text, http) {
        Ok(Target::Network(verdicts)) => verdicts,
        Ok(Target::Host(host)) => pattern(host, text, http),
        Err(verdict) => vec![*verdict],
    }
}

enum Target<'a> {
    /// An address or a block.
    Network(Vec<Verdict>),
    /// A host or a pattern, without its port.
    Host(&'a str),
}

fn wrong<T>(message: String, help: impl Into<String>) -> Result<T, Box<Verdict>> {
    Err(Box::new(Verdict::wrong(INVALID, message, help)))
}

fn split(text: &str, http: bool) -> Result<Target<'_>, Box<Verdict>> {
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return wrong(format!("`{text}` holds spaces or control characters"), "write each host as an item of its own");
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let help = format!("write the host alone: `{host}`; for paths, use `request:…` with `http_resources`");
        return wrong(format!("`{text}` holds a scheme (`{scheme}://`)"), help);
    }
    if let Some((_, host)) = text.rsplit_once('@') {
        return wrong(format!("`{text}` holds a user name"), format!("write the host alone: `{host}`"));
    }
    if text.contains('/') {
        return block(text, http);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return wrong(
            format!("`{text}` is an IPv6 address without a prefix length, which the service does not read"),
            if http {
                "name the host".to_owned()
            } else {
                format!("write `{text}/128`, or `[{text}]:443` with a port")
            },
        );
    }
    if let Some((address, port)) =
        text.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')).filter(|(inner, _)| inner.contains(':'))
    {
        return bracketed(text, address, port, http);
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let help = format!("write a host, or `**:{text}` for this port on every host");
            return wrong(format!("`{text}` is a port without a host"), help);
        }
        return Ok(Target::Host(text));
    };
    if host.is_empty() {
        return wrong(
            format!("`{text}` is a port without a host"),
            format!("write a host, or `**{text}` for every host"),
        );
    }
    if http {
        return wrong(format!("`{text}` holds a port"), format!("write `host: {host}` and `port: {port}`"));
    }
    check_port(text, port)?;
    Ok(Target::Host(host))
}

fn check_port(text: &str, port: &str) -> Result<(), Box<Verdict>> {
    let number = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse::<u16>().ok()).flatten();
    match number {
        Some(1..) if !port.starts_with('0') => Ok(()),
        _ if port.contains('-') || port.contains('*') || port.contains(',') => {
            let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
            let help = format!("list each port as an item of its own; without a port, `{host}` is every port");
            wrong(format!("`{text}` holds a range of ports, which the service does not match"), help)
        }
        _ => wrong(format!("`{port}` is no port"), "a port is a number from 1 to 65535"),
    }
}

fn bracketed<'a>(text: &str, address: &str, port: &str, http: bool) -> Result<Target<'a>, Box<Verdict>> {
    if address.parse::<Ipv6Addr>().is_err() {
        return wrong(format!("`{address}` is no IPv6 address"), "write `[2001:db8::1]:443` or `2001:db8::1/128`");
    }
    if http {
        return wrong(format!("`{text}` is no host name"), "name the host; addresses belong into `resources`");
    }
    match port.strip_prefix(':') {
        Some(port) => check_port(text, port)?,
        None if port.is_empty() => {}
        None => return wrong(format!("`{text}` is no address with a port"), "write `[2001:db8::1]:443`"),
    }
    let message = format!("whether the service reads `{text}` is not documented");
    let help = format!("write `{address}/128`, which covers every port");
    Ok(Target::Network(vec![Verdict::open(UNDOCUMENTED, message, help)]))
}

/// Whatever holds a `/`.
fn block<'a>(text: &str, http: bool) -> Result<Target<'a>, Box<Verdict>> {
    let Ok(block) = text.parse::<IpNet>() else {
        let (front, back) = text.split_once('/').unwrap_or((text, ""));
        let address = front.trim_matches(['[', ']']);
        if address.parse::<IpAddr>().is_ok() || text.starts_with('[') {
            return match back.split_once(':') {
                Some((prefix, _)) => wrong(
                    format!("`{text}` is a CIDR block with a port, which the service does not match"),
                    format!("write `{address}/{prefix}`, which covers every port"),
                ),
                None => {
                    wrong(format!("`{text}` is no CIDR block"), "write a block such as `10.0.0.0/8` or `2001:db8::/32`")
                }
            };
        }
        let help = if http {
            format!("write `host: {front}` and `path: /{back}`")
        } else {
            format!("write the host alone: `{front}`; for paths, use `request:…` with `http_resources`")
        };
        return wrong(format!("`{text}` holds a path"), help);
    };
    if http {
        return wrong(format!("`{text}` is a CIDR block, which HTTP rules do not match"), "name the host");
    }
    let mut verdicts = Vec::new();
    if block.addr() != block.network() {
        let message = format!("`{text}` covers all of `{}`", block.trunc());
        let help =
            format!("write `{}`, or `{}/{}` for the one address", block.trunc(), block.addr(), block.max_prefix_len());
        verdicts.push(Verdict::open("cidr-host-bits", message, help));
    }
    Ok(Target::Network(verdicts))
}

/// A host name or a pattern of one.
fn pattern(host: &str, text: &str, http: bool) -> Vec<Verdict> {
    if let Ok(address) = host.parse::<IpAddr>() {
        let message = format!("whether HTTP rules match the address `{address}` is not documented");
        return if http { vec![Verdict::open(UNDOCUMENTED, message, "name the host")] } else { Vec::new() };
    }
    let invalid = |message: String, help: &str| vec![Verdict::wrong(INVALID, message, help)];
    let name = host.strip_suffix('.').unwrap_or(host);
    let labels: Vec<&str> = name.split('.').collect();
    if let Some(odd) = name.chars().find(|character| {
        character.is_ascii() && !character.is_ascii_alphanumeric() && !"-_.*?[]!".contains(*character)
    }) {
        return invalid(
            format!("`{text}` holds `{odd}`, which no host has"),
            "write a host such as `example.com`, or a pattern such as `*.example.com`",
        );
    }
    if labels.iter().any(|label| label.is_empty()) {
        return invalid(format!("`{text}` has an empty label"), "write no dot in front and no two dots in a row");
    }
    if labels.iter().all(|label| label.bytes().all(|byte| byte.is_ascii_digit())) {
        return invalid(format!("`{text}` is no IPv4 address"), "write four numbers from 0 to 255");
    }
    if name.len() > 253 || labels.iter().any(|label| label.len() > 63 && label.is_ascii()) {
        return invalid(
            format!("`{}…` is longer than a host name can be", text.chars().take(60).collect::<String>()),
            "a name has at most 253 characters, and each label 63",
        );
    }
    let mut verdicts = Vec::new();
    if host != name || !name.is_ascii() || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let plain = idna::domain_to_ascii(name).ok().filter(|plain| plain != host);
        let message = format!("whether the service matches `{host}` spelled like this is not documented");
        let help =
            plain.map_or_else(|| "write it in lower case and ASCII".to_owned(), |plain| format!("write `{plain}`"));
        verdicts.push(Verdict::open(SPELLING, message, help));
    }
    let (first, rest) = labels.split_first().unwrap_or((&"", &[]));
    let wild = |label: &&str| label.contains(['*', '?', '[', ']', '!']);
    let plain_first = !wild(first) || *first == "**" || (*first == "*" && !rest.is_empty());
    if !plain_first || rest.iter().any(wild) {
        let message = format!("what `{host}` matches is not documented");
        let help = match host {
            "*" => "write `**` for every host",
            _ => "list the hosts, or use `*.` (one label) or `**.` (any depth) in front",
        };
        verdicts.push(Verdict::open(UNDOCUMENTED, message, help));
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code of what is wrong, `ok` for nothing.
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
            ("2001:db8::1", INVALID),
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
            // Not documented.
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
}
