//! Resources that are not a host, address or CIDR block.

use super::{Check, Run, Severity, Verdict};

pub(super) const CODE: &str = "invalid-host";

pub(super) const CHECK: Check = Check {
    code: CODE,
    severity: Severity::Error,
    title: "a resource is not a host, address or CIDR block",
    explanation: "The service matches the host and the port of a connection, nothing else of a URL. A rule whose \
        resource cannot match is dead, and a dead deny leaves a door open in silence.",
    bad: "- {name: web, decision: deny, actions: [connect:tcp], resources: [\"https://example.com/x\"]}\n",
    fix: "Write a host (`example.com`), a host with a port (`example.com:443`), a pattern (`*.example.com`), an \
        address, or a CIDR block (`10.0.0.0/8`).",
    run: Run::Policy(super::check),
};

/// A verdict of this check, as the error that ends the parsing of a resource.
pub(super) fn wrong<T>(message: String, help: impl Into<String>) -> Result<T, Box<Verdict>> {
    Err(Box::new(Verdict::wrong(CODE, message, help)))
}

/// The fault that makes a host invalid as a name and as a pattern. `text` is the host as written,
/// with its port.
pub(super) fn name(host: &str, text: &str) -> Option<Verdict> {
    let invalid = |message: String, help: &str| Some(Verdict::wrong(CODE, message, help));
    let name = host.strip_suffix('.').unwrap_or(host);
    let labels: Vec<&str> = name.split('.').collect();
    if let Some(odd) = name.chars().find(|character| {
        character.is_ascii()
            && !character.is_ascii_alphanumeric()
            && !"-_.*?[]!".contains(*character)
    }) {
        return invalid(
            format!("`{text}` holds `{odd}`, which no host has"),
            "write a host such as `example.com`, or a pattern such as `*.example.com`",
        );
    }
    let bare = text.trim_start_matches(['.', '*']);
    let front = text.strip_suffix(bare).unwrap_or_default();
    if front.starts_with('.') || front.contains("..") {
        // This form, known from proxies, means the host and all names below it.
        let (own, port) = bare
            .split_once(':')
            .map_or((bare, ""), |(own, _)| (own, bare.get(own.len()..).unwrap_or_default()));
        let help = match own {
            "" => format!("write `**{port}` for every host"),
            own if own.parse::<std::net::Ipv4Addr>().is_ok() => format!("write `{bare}`"),
            _ if front.contains('*') => format!("write `**.{bare}`"),
            _ => format!("write `{bare}` and `**.{bare}`, each as an item of its own"),
        };
        let fault = if front.starts_with('.') { "starts with a dot" } else { "has an empty label" };
        return invalid(format!("`{text}` {fault}"), &help);
    }
    if labels.iter().any(|label| label.is_empty()) {
        return invalid(
            format!("`{text}` has an empty label"),
            "write no dot in front and no two dots in a row",
        );
    }
    if labels.iter().all(|label| label.bytes().all(|byte| byte.is_ascii_digit())) {
        return invalid(
            format!("`{text}` is not an IPv4 address"),
            "write four numbers from 0 to 255",
        );
    }
    if name.len() > 253 || labels.iter().any(|label| label.len() > 63 && label.is_ascii()) {
        return invalid(
            format!(
                "`{}…` is longer than a host name can be",
                text.chars().take(60).collect::<String>()
            ),
            "a name has at most 253 characters, and each label 63",
        );
    }
    None
}
