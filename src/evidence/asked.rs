//! A recorded request in the terms of the engine.
//!
//! Invariant: one request has one spelling, whatever record describes it. A request that the engine
//! cannot express keeps the record's own words, and its decision is unknown.

use std::fmt;

use super::observation::{Kind, Mode, Observation};
use crate::access::cedar::McpAction;
use crate::access::{Host, Request};
use crate::model::Action;

/// A recorded request.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The request as people write it.
    pub text: String,
    /// The subject of the request.
    pub subject: Subject,
}

/// A subject that the engine can decide.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are of one request")]
pub enum Subject {
    /// One request.
    One(Request),
    /// A mount for reading or for writing: the record does not say which.
    EitherMode(Box<[Request; 2]>),
    /// A call through an MCP gateway of which only the action is known.
    Mcp(McpAction),
    /// A request that no rule can match.
    Unreadable,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Asked {
    pub(super) fn from_observation(seen: &Observation<'_>) -> Self {
        let resource = seen.resource.trim();
        let found = match seen.kind {
            Kind::Connect => connect(&seen.protocol, resource),
            Kind::Http => http(seen),
            Kind::Mount => return mount(resource, seen.mode),
            Kind::Tool => return mcp(McpAction::InvokeTool, resource),
            Kind::Resource => return mcp(McpAction::ReadResource, resource),
            Kind::Prompt => return mcp(McpAction::GetPrompt, resource),
            Kind::Registration => return mcp(McpAction::Register, resource),
        };
        match found {
            Ok(request) => Self { text: request.to_string(), subject: Subject::One(request) },
            Err(text) => Self { text, subject: Subject::Unreadable },
        }
    }

    /// The connection that an HTTP request is made on.
    pub(super) fn connection(&self) -> Option<String> {
        match &self.subject {
            Subject::One(Request::Http { host, port, .. }) => {
                Some(Request::Connect { udp: false, host: host.clone(), port: *port }.to_string())
            }
            Subject::One(_) | Subject::EitherMode(_) | Subject::Mcp(_) | Subject::Unreadable => {
                None
            }
        }
    }

    /// Returns `true` if it is about UDP.
    pub(super) fn is_udp(&self) -> bool {
        matches!(self.subject, Subject::One(Request::Connect { udp: true, .. }))
    }
}

fn connect(protocol: &str, resource: &str) -> Result<Request, String> {
    let protocol = if protocol.is_empty() { "tcp" } else { protocol };
    let text = format!("connect:{} {resource}", protocol.to_ascii_lowercase());
    // A connection needs a port: where people leave it out they mean every port, but a record is
    // about one.
    let port = resource
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok())
        .filter(|port| *port > 0);
    let udp = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => false,
        "udp" => true,
        _ => return Err(text),
    };
    let request = match address_and_port(resource) {
        Some((host, port)) => Ok(Request::Connect { udp, host, port }),
        None if port.is_some() => Request::parse(&text),
        None => return Err(text),
    };
    request
        .ok()
        .filter(|request| matches!(request, Request::Connect { .. }) && has_one_host(request))
        .ok_or(text)
}

/// An address with a port. IPv6 addresses are accepted with and without brackets.
fn address_and_port(resource: &str) -> Option<(Host, u16)> {
    let (host, port) = resource.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
        .parse()
        .ok()?;
    Some((Host::Address(address), port))
}

/// Returns `true` if the request does not say what its name resolves to, since no record does.
fn has_one_host(request: &Request) -> bool {
    !matches!(request.host(), Some(Host::Name(_, Some(_))))
}

fn http(seen: &Observation<'_>) -> Result<Request, String> {
    let (own, port) = match seen.resource.trim().rsplit_once(':') {
        Some((host, port)) => (host, port),
        None => (seen.resource.trim(), ""),
    };
    let host = if seen.host.is_empty() { own } else { seen.host.trim() };
    let port = if seen.port.is_empty() { port } else { seen.port.trim() };
    let upper = seen.method.trim().to_ascii_uppercase();
    let method = upper.strip_prefix("HTTP_METHOD_").unwrap_or(&upper);
    let path = seen.path.split(['?', '#']).next().unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    let text = || {
        let host = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        format!("{} https://{host}:{port}{path}", if method.is_empty() { "?" } else { method })
    };
    let known = Action::METHODS
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(method))
        .ok_or_else(text)?;
    let number = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(text)?;
    if !path.starts_with('/') {
        return Err(text());
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = match bare.parse() {
        Ok(address) => Host::Address(address),
        Err(_) => match connect("tcp", &format!("{bare}:{number}")) {
            Ok(Request::Connect { host, .. }) => host,
            Ok(_) | Err(_) => return Err(text()),
        },
    };
    Ok(Request::Http { method: known, host, port: number, path: path.to_owned() })
}

fn mount(path: &str, mode: Option<Mode>) -> Asked {
    let parse = |word: &str| Request::parse(&format!("{word} {path}")).ok();
    let (read, write) = (parse("read"), parse("write"));
    let subject = match (mode, read, write) {
        (Some(Mode::Read), Some(read), _) => Subject::One(read),
        (Some(Mode::Write), _, Some(write)) => Subject::One(write),
        (None, Some(read), Some(write)) => Subject::EitherMode(Box::new([read, write])),
        (_, _, _) => Subject::Unreadable,
    };
    let text = match &subject {
        Subject::One(request) => request.to_string(),
        Subject::EitherMode(both) => {
            let [read, _] = &**both;
            let read = read.to_string();
            format!("mount {}", read.strip_prefix("read ").unwrap_or(&read))
        }
        Subject::Mcp(_) | Subject::Unreadable => format!("mount {path}"),
    };
    Asked { text, subject }
}

fn mcp(action: McpAction, name: &str) -> Asked {
    Asked { text: format!("mcp {action} {name}"), subject: Subject::Mcp(action) }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::evidence::observation::RecordedDecision;

    fn seen(kind: Kind, resource: &'static str) -> Observation<'static> {
        let none = || Cow::Borrowed("");
        Observation {
            kind,
            resource: resource.into(),
            protocol: none(),
            method: none(),
            host: none(),
            port: none(),
            path: none(),
            mode: None,
            recorded: RecordedDecision::Allow,
            user: none(),
            machine: none(),
            id: none(),
            count: 1,
            first: None,
            last: None,
        }
    }

    #[test]
    fn requests_have_one_spelling() {
        for (kind, resource, text, asks) in [
            (Kind::Connect, "Example.COM.:443", "connect:tcp example.com:443", true),
            (Kind::Connect, "169.254.169.254:80", "connect:tcp 169.254.169.254:80", true),
            (Kind::Connect, "[2001:db8::1]:443", "connect:tcp [2001:db8::1]:443", true),
            (Kind::Connect, "2001:db8::1:443", "connect:tcp [2001:db8::1]:443", true), // brackets are not documented
            (Kind::Connect, "example.com", "connect:tcp example.com", false),          // no port
            (Kind::Connect, "*.example.com:443", "connect:tcp *.example.com:443", false),
            (
                Kind::Connect,
                "a.example at 10.0.0.1:443",
                "connect:tcp a.example at 10.0.0.1:443",
                false,
            ),
            (Kind::Mount, "/data/", "mount /data", true),
            (Kind::Mount, "data", "mount data", false),
            (Kind::Tool, "notion/search", "mcp invokeTool notion/search", true),
        ] {
            let asked = Asked::from_observation(&seen(kind, resource));
            assert_eq!(
                (asked.text.as_str(), asked.subject != Subject::Unreadable),
                (text, asks),
                "{resource}"
            );
        }
    }

    #[test]
    fn a_protocol_that_no_rule_names_is_no_connection_that_rules_decide() {
        for (protocol, resource, asks) in [
            ("", "192.0.2.1:443", true),
            ("TCP", "192.0.2.1:443", true),
            ("udp", "192.0.2.1:443", true),
            ("quic", "192.0.2.1:443", false),
            ("quic", "example.com:443", false),
        ] {
            let mut seen = seen(Kind::Connect, resource);
            seen.protocol = protocol.into();
            assert_eq!(
                Asked::from_observation(&seen).subject != Subject::Unreadable,
                asks,
                "{protocol} {resource}"
            );
        }
    }

    #[test]
    fn http_requests_are_read_with_the_port_as_text_and_addresses_without_brackets() {
        for (method, host, port, path, text) in [
            (
                "HTTP_METHOD_GET",
                "api.example.com",
                "443",
                "/v1?x=1",
                "GET https://api.example.com/v1",
            ),
            ("post", "api.example.com", "8443", "", "POST https://api.example.com:8443/"),
            ("HTTP_METHOD_PUT", "2001:db8::1", "443", "/a", "PUT https://[2001:db8::1]/a"),
            ("HTTP_METHOD_PROPFIND", "a.example", "443", "/", "PROPFIND https://a.example:443/"),
        ] {
            let mut seen = seen(Kind::Http, "ignored.example:1");
            (seen.method, seen.host, seen.port, seen.path) =
                (method.into(), host.into(), port.into(), path.into());
            assert_eq!(Asked::from_observation(&seen).text, text);
        }
        let mut aggregated = seen(Kind::Http, "api.example.com:443");
        (aggregated.method, aggregated.path) = ("GET".into(), "/v1".into());
        let asked = Asked::from_observation(&aggregated);
        assert_eq!(asked.text, "GET https://api.example.com/v1");
        assert_eq!(asked.connection().as_deref(), Some("connect:tcp api.example.com:443"));
    }

    #[test]
    fn a_mount_is_for_both_unless_the_reason_says_which() {
        let mut one = seen(Kind::Mount, "/data");
        assert!(matches!(Asked::from_observation(&one).subject, Subject::EitherMode(_)));
        one.mode = Some(Mode::Write);
        assert_eq!(Asked::from_observation(&one).text, "write /data");
    }
}
