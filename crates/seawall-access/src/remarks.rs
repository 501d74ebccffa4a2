//! Remarks on an answer.

use super::point::Verdict;
use super::request::{Host, Request};

/// The remarks that do not depend on the answer.
pub(super) fn collect(request: &Request) -> Vec<String> {
    let mut remarks = Vec::new();
    let host = match request {
        Request::Connect { host, .. } | Request::Http { host, .. } => Some(host.to_string()),
        Request::Folder { .. } | Request::Mcp(_) => None,
    };
    if host.as_deref() == Some("host.docker.internal") {
        remarks.push(
            "sandboxes rewrite `host.docker.internal` to `localhost` before rules are asked: ask for that too"
                .to_owned(),
        );
    }
    if let Request::Http { path, .. } = request
        && !super::request::request_path(path).0
    {
        remarks.push(format!(
            "`{path}` is not in canonical form, and how it is normalised is not documented"
        ));
    }
    remarks
}

/// The remarks on an answer. `overruled`: an address is denied, but the name is allowed.
pub(super) fn about(request: &Request, verdict: Verdict, overruled: bool) -> Vec<String> {
    let mut remarks = Vec::new();
    let possible = verdict != Verdict::Deny;
    match request {
        Request::Connect { udp: true, .. } if possible => {
            remarks.push(
                "UDP is experimental in sandboxes and off by default, whatever the rules say"
                    .to_owned(),
            );
        }
        Request::Connect { .. }
        | Request::Http { .. }
        | Request::Folder { .. }
        | Request::Mcp(_) => {}
    }
    match request {
        Request::Connect { host, .. } | Request::Http { host, .. } if possible => {
            if overruled && matches!(host, Host::Name(..)) {
                remarks.push(
                    "a denied address does not stop a name that is allowed: names are asked first"
                        .to_owned(),
                );
            }
            remarks.push(
                "a policy may ask for approval first, which the API does not show".to_owned(),
            );
        }
        Request::Folder { .. } => {
            remarks.push("a sandbox looks at mount rules only when it is created".to_owned());
        }
        Request::Connect { .. } | Request::Http { .. } | Request::Mcp(_) => {}
    }
    remarks
}
