//! Requests in readable form: `connect:tcp cve.mitre.org:443`, `mount rw ~/.ssh`,
//! `GET https://api.github.com/x`, `mcp invokeTool notion/search`.
//!
//! Invariant: a request is concrete. Forms that only rules have (wildcards, CIDR blocks, every
//! port) are refused, with a replacement.

use std::fmt;
use std::net::IpAddr;

use super::cedar::{McpRequest, NoRequest};
use super::host::{is_name, labels};
use super::path::{folder_segments, folder_text, has_variable, http_segments, is_canonical};
use super::text;
use crate::model::Action;

/// A concrete request.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// A connection.
    Connect {
        /// True for UDP; false for TCP.
        udp: bool,
        /// The host.
        host: Host,
        /// The port, from 1.
        port: u16,
    },
    /// An HTTP request.
    Http {
        /// The method in lower case; one of [`Action::METHODS`].
        method: &'static str,
        /// The host.
        host: Host,
        /// The port, from 1.
        port: u16,
        /// The path as written, without query and fragment.
        path: String,
    },
    /// A folder to read, write or mount.
    Folder {
        /// True if reading is requested.
        read: bool,
        /// True if writing is requested.
        write: bool,
        /// The format, then the names.
        segments: Vec<String>,
    },
    /// A call that an MCP gateway checks.
    Mcp(McpRequest),
}

/// The host of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name, from the first label to the last, and its address, if that is stated.
    Name(Vec<String>, Option<IpAddr>),
    /// An address that is requested directly.
    Address(IpAddr),
}

impl Request {
    /// The host; `None` for folders and MCP.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        match self {
            Self::Connect { host, .. } | Self::Http { host, .. } => Some(host),
            Self::Folder { .. } | Self::Mcp(_) => None,
        }
    }

    /// Parses a request. ` at ADDRESS` after a host name states the address that it resolves to.
    ///
    /// # Errors
    ///
    /// Returns the fault in the text, and a replacement.
    pub fn parse(text: &str) -> Result<Self, NoRequest> {
        let text = text.trim();
        let (action, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let method = action.strip_prefix("request:").unwrap_or(action).to_ascii_lowercase();
        match (action, Action::METHODS.into_iter().find(|own| *own == method)) {
            ("connect:tcp" | "connect:udp", _) => connect(action == "connect:udp", rest),
            ("read" | "write", _) => folder(action != "write", action == "write", rest),
            ("mount", _) => match rest.split_once(char::is_whitespace) {
                Some(("ro", path)) => folder(true, false, path.trim()),
                Some(("rw", path)) => folder(true, true, path.trim()),
                Some(_) | None => {
                    Err(no("a mount is `ro` or `rw`", "write `mount ro PATH` or `mount rw PATH`"))
                }
            },
            ("mcp", _) => McpRequest::parse(rest).map(Self::Mcp),
            (_, Some(method)) => http(method, rest),
            (_, None) => Err(unknown_action(action)),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { udp, host, port } => {
                write!(
                    f,
                    "connect:{} {}{}",
                    if *udp { "udp" } else { "tcp" },
                    text::connections(host, Some(*port)),
                    host.at()
                )
            }
            Self::Http { method, host, port, path } => {
                write!(
                    f,
                    "{} {}{}",
                    method.to_ascii_uppercase(),
                    text::requests(host, Some(*port), path),
                    host.at()
                )
            }
            Self::Folder { read, write, segments } => {
                let word = match (read, write) {
                    (true, true) => "mount rw",
                    (_, true) => "write",
                    (_, false) => "read",
                };
                write!(f, "{word} {}", folder_text(segments))
            }
            Self::Mcp(request) => write!(f, "mcp {request}"),
        }
    }
}

impl Host {
    /// ` at ADDRESS`, if the address is stated.
    fn at(&self) -> String {
        match self {
            Self::Name(_, Some(address)) => format!(" at {address}"),
            Self::Name(_, None) | Self::Address(_) => String::new(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(labels, _) => f.write_str(&labels.join(".")),
            Self::Address(address) => f.write_str(&super::witness::bracketed(*address)),
        }
    }
}

fn no(message: impl Into<String>, help: impl Into<String>) -> NoRequest {
    NoRequest { message: message.into(), help: help.into() }
}

fn unknown_action(action: &str) -> NoRequest {
    if action.contains("://") {
        let help = format!("write `GET {action}`, or `connect:tcp HOST:PORT` for a connection");
        return no(format!("`{action}` is a URL without an action"), help);
    }
    let known = [
        "connect:tcp",
        "connect:udp",
        "read",
        "write",
        "mount",
        "mcp",
        "GET",
        "POST",
        "PUT",
        "DELETE",
        "PATCH",
        "HEAD",
    ];
    // Swapped letters are a misspelling, even in a short word.
    let near = known.into_iter().filter(|known| {
        let (known, action) = (known.to_lowercase(), action.to_lowercase());
        strsim::jaro_winkler(&known, &action) > 0.8
            || strsim::damerau_levenshtein(&known, &action) == 1
    });
    let near = near.min_by_key(|known| strsim::damerau_levenshtein(known, action));
    if action == "request" {
        let help = "write the method first: `GET https://HOST/PATH`";
        return no("`request` is not an action without its method", help);
    }
    let near = match action {
        "tcp" => Some("connect:tcp"),
        "udp" => Some("connect:udp"),
        _ => near,
    };
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let forms = "ask for `connect:tcp HOST`, `connect:udp HOST`, `read PATH`, `write PATH`, `mount ro|rw PATH`, \
                 `METHOD URL` or `mcp ACTION TARGET`";
    no(format!("there is no action `{action}`"), format!("{near}{forms}"))
}

fn connect(udp: bool, rest: &str) -> Result<Request, NoRequest> {
    if rest.contains("://") {
        let (scheme, host) = rest.split_once("://").unwrap_or_default();
        let host = host.split(['/', '?', '#']).next().unwrap_or_default();
        let port =
            if scheme.eq_ignore_ascii_case("http") && !host.contains(':') { ":80" } else { "" };
        let protocol = if udp { "udp" } else { "tcp" };
        let help =
            format!("write `connect:{protocol} {host}{port}`, or ask for a method: `GET {rest}`");
        return Err(no(format!("`{rest}` is a URL"), help));
    }
    let (host, port) = authority(rest)?;
    Ok(Request::Connect { udp, host, port: port.unwrap_or(443) })
}

fn http(method: &'static str, rest: &str) -> Result<Request, NoRequest> {
    let shown = method.to_ascii_uppercase();
    let url = if rest.starts_with(char::is_alphanumeric) && !rest.contains(char::is_whitespace) {
        rest
    } else {
        "HOST/PATH"
    };
    // `connect` is a method too, but rarely the intended one.
    let help = match (method, rest.split_once(char::is_whitespace)) {
        ("connect", Some((protocol @ ("tcp" | "udp"), target))) => {
            format!("write `connect:{protocol} {}`", target.trim())
        }
        ("connect", _) => {
            format!("write `{shown} https://{url}`, or `connect:tcp {rest}` for a connection")
        }
        _ => format!("write `{shown} https://{url}`"),
    };
    let (scheme, rest) =
        rest.split_once("://").ok_or_else(|| no(format!("`{rest}` is not a URL"), &help))?;
    let usual = match scheme.to_ascii_lowercase().as_str() {
        "https" => 443,
        "http" => 80,
        _ => {
            return Err(no(
                format!("`{scheme}` is not a scheme of HTTP"),
                format!("write `{shown} https://{rest}`"),
            ));
        }
    };
    let (url, address) = match rest.split_once(" at ") {
        Some((url, address)) => (url, Some(address)),
        None => (rest, None),
    };
    let (host, path) = url.split_at(url.find(['/', '?', '#']).unwrap_or(url.len()));
    let host = address.map_or_else(|| host.to_owned(), |address| format!("{host} at {address}"));
    let (host, port) = authority(&host)?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if path.contains(char::is_whitespace) || path.contains("**") {
        return Err(no(
            format!("`{path}` is not a path of a request"),
            "ask for one path, without wildcards",
        ));
    }
    let path = if path.is_empty() { "/" } else { path }.to_owned();
    Ok(Request::Http { method, host, port: port.unwrap_or(usual), path })
}

/// `HOST[:PORT][ at ADDRESS]`.
fn authority(text: &str) -> Result<(Host, Option<u16>), NoRequest> {
    let help = "write a host name or an address, with `:PORT` where it matters, such as `cve.mitre.org:443`";
    let (authority, at) = match text.split_once(" at ") {
        Some((authority, at)) => (authority.trim(), Some(at.trim())),
        None => (text, None),
    };
    let wrong = || no(format!("`{authority}` is not a host"), help);
    if let Ok(address) = authority.trim_matches(['[', ']']).parse() {
        return Ok((Host::Address(address), None));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let port = match port.map(|port| port.parse::<u16>()) {
        None => None,
        Some(Ok(port)) if port != 0 => Some(port),
        Some(_) => {
            return Err(no(
                format!("`{authority}` has an invalid port"),
                "a port is a number from 1 to 65535",
            ));
        }
    };
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Ok((Host::Address(address), port));
    }
    if host.contains(['*', '?', '[']) {
        return Err(no(
            format!("`{host}` is a pattern"),
            "ask for one host; patterns are what rules have",
        ));
    }
    if host.is_empty() || host.contains(['/', '@', ',']) || !is_name(host) {
        return Err(wrong());
    }
    let address = match at.map(str::parse) {
        None => None,
        Some(Ok(address)) => Some(address),
        Some(Err(_)) => {
            return Err(no("what follows `at` is not an address", "write `at 10.1.2.3`"));
        }
    };
    Ok((Host::Name(labels(host), address), port))
}

fn folder(read: bool, write: bool, path: &str) -> Result<Request, NoRequest> {
    let help = "write it from the root (`/data`), from the home folder (`~/src`), or from a drive (`C:\\data`)";
    if has_variable(path) {
        return Err(no(
            format!("`{path}` has an environment variable"),
            "variables are not expanded: write the path itself",
        ));
    }
    let segments =
        folder_segments(path).ok_or_else(|| no(format!("`{path}` is not a whole path"), help))?;
    if segments.iter().any(|segment| segment == "." || segment == "..") {
        return Err(no(
            format!("`{path}` goes up or nowhere"),
            "write the path without `.` and `..`",
        ));
    }
    if segments.iter().skip(1).any(|segment| segment.contains('*')) {
        return Err(no(
            format!("`{path}` is a pattern"),
            "ask for one path; patterns are what rules have",
        ));
    }
    let segments = segments.into_iter().filter(|segment| !segment.is_empty()).collect();
    Ok(Request::Folder { read, write, segments })
}

/// Segments of a request's path, and `true` if the path has the documented form.
pub(super) fn request_path(path: &str) -> (bool, Vec<String>) {
    (is_canonical(path), http_segments(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_people_write_them() {
        for (text, shown) in [
            ("connect:tcp cve.mitre.org", "connect:tcp cve.mitre.org:443"), // a bare host is asked for on 443
            ("connect:udp CVE.mitre.org.:53", "connect:udp cve.mitre.org:53"), // one spelling of hosts
            ("connect:tcp 10.1.2.3", "connect:tcp 10.1.2.3:443"),
            ("connect:tcp [2001:db8::1]:22", "connect:tcp [2001:db8::1]:22"),
            ("connect:tcp 2001:db8::1", "connect:tcp [2001:db8::1]:443"),
            (
                "connect:tcp db.corp.example at 10.1.1.1",
                "connect:tcp db.corp.example:443 at 10.1.1.1",
            ),
            ("GET https://api.github.com/repos/x", "GET https://api.github.com/repos/x"),
            ("get http://api.github.com", "GET http://api.github.com/"), // the root
            ("request:post https://h.example:8443/a?b=c#d", "POST https://h.example:8443/a"), // no query
            ("read ~/src", "read ~/src"),
            ("write C:\\data\\x", "write C:\\data\\x"),
            ("mount ro /data/", "read /data"),
            ("mount rw ~", "mount rw ~"),
            (
                "mcp invokeTool notion/search {\"readOnly\": true}",
                "mcp invokeTool notion/search {\"readOnly\":true}",
            ),
        ] {
            assert_eq!(Request::parse(text).expect(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_request_says_what_to_write() {
        for (text, message, help) in [
            (
                "connect tcp x.example:22",
                "`tcp x.example:22` is not a URL",
                "write `connect:tcp x.example:22`",
            ),
            (
                "request GET https://x.example/",
                "`request` is not an action without its method",
                "write the method first: `GET https://HOST/PATH`",
            ),
            ("conect:tcp x", "there is no action `conect:tcp`", "did you mean `connect:tcp`?"),
            ("GTE https://x.example/", "there is no action `GTE`", "did you mean `GET`?"),
            ("tcp x.example:443", "there is no action `tcp`", "did you mean `connect:tcp`?"),
            (
                "https://x.example/a",
                "`https://x.example/a` is a URL without an action",
                "write `GET https://x.example/a`",
            ),
            (
                "connect:tcp *.x.example",
                "`*.x.example` is a pattern",
                "ask for one host; patterns are what rules have",
            ),
            (
                "connect:tcp x.example:0",
                "`x.example:0` has an invalid port",
                "a port is a number from 1 to 65535",
            ),
            ("connect:tcp 10.0.0.0/8", "`10.0.0.0/8` is not a host", "write a host name"),
            (
                "connect:tcp https://x.example",
                "`https://x.example` is a URL",
                "write `connect:tcp x.example`",
            ),
            (
                "connect:udp http://x.example/a",
                "`http://x.example/a` is a URL",
                "write `connect:udp x.example:80`",
            ),
            ("GET x.example/a", "`x.example/a` is not a URL", "write `GET https://x.example/a`"),
            ("POST /a", "`/a` is not a URL", "write `POST https://HOST/PATH`"),
            (
                "GET ftp://x.example/a",
                "`ftp` is not a scheme of HTTP",
                "write `GET https://x.example/a`",
            ),
            (
                "connect x.example:22",
                "`x.example:22` is not a URL",
                "write `CONNECT https://x.example:22`, or `connect:tcp x.example:22` for a connection",
            ),
            (
                "GET https://x.example/a/**",
                "`/a/**` is not a path of a request",
                "ask for one path",
            ),
            ("read src", "`src` is not a whole path", "write it from the root"),
            ("read $HOME/x", "`$HOME/x` has an environment variable", "variables are not expanded"),
            ("read /a/../b", "`/a/../b` goes up or nowhere", "write the path without"),
            ("mount ~/x", "a mount is `ro` or `rw`", "write `mount ro PATH`"),
            ("", "there is no action ``", "ask for `connect:tcp HOST`"),
        ] {
            let wrong = Request::parse(text).expect_err(text);
            assert_eq!(wrong.message, message, "{text}");
            assert!(wrong.help.starts_with(help), "{text}: {}", wrong.help);
        }
    }
}
