//! Hosts in upper case, with a dot at the end, or with letters beyond ASCII.

use super::{Check, Run, Severity, Verdict};

pub(super) const CODE: &str = "host-spelling";

pub(super) const CHECK: Check = Check {
    code: CODE,
    severity: Severity::Warning,
    title: "a host is written in a form that may not match",
    explanation: "Whether upper case, a dot at the end and letters beyond ASCII are normalized before they are \
        compared is not documented. Letters of other scripts can also resemble those of another host.",
    bad: "- {name: web, decision: deny, actions: [connect:tcp], resources: [Example.com.]}\n",
    fix: "Write the host in lower case, without a dot at the end, and in its ASCII form (`xn--…`).",
    run: Run::Elsewhere,
};

/// `port` is the text after the host, for the proposed spelling.
pub(super) fn judge(host: &str, port: Option<&str>) -> Option<Verdict> {
    let name = host.strip_suffix('.').unwrap_or(host);
    if host == name && name.is_ascii() && !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    // The documentation does not say what `*` alone matches either.
    let plain = if name == "*" { Some("**".to_owned()) } else { idna::domain_to_ascii(name).ok() };
    let plain = plain.filter(|plain| plain != host);
    let message =
        format!("whether the service matches `{host}` spelled like this is not documented");
    let help = match (plain, port) {
        (Some(plain), Some(port)) => format!("write `{plain}:{port}`"),
        (Some(plain), None) => format!("write `{plain}`"),
        (None, _) => "write it in lower case and ASCII".to_owned(),
    };
    Some(Verdict::open(CODE, message, help))
}
