//! Destination of an entry of a comparison: its registrable domain, folder or MCP server.
//!
//! Invariant: this module decides no access. A destination only groups entries for display.

use serde::Serialize;

use crate::access::Access;

/// Kind of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A registrable domain.
    Domain,
    /// Addresses and blocks of them.
    Addresses,
    /// Any host, or names below no registrable domain.
    Hosts,
    /// A folder.
    Folder,
    /// An MCP server.
    Mcp,
}

/// Destination of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Destination {
    /// The kind of the group.
    pub(super) kind: Kind,
    /// The registrable domain, the first folder or the server.
    pub(super) group: String,
    /// The host, the path or the tools, in the words of the rules.
    pub(super) name: String,
}

/// Access in the parts that lists display.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parts {
    /// `connect:tcp`, `GET,HEAD`, `read`, `mcp invokeTool`.
    pub(super) action: String,
    /// Target, in the patterns of the rules.
    pub(super) object: String,
    /// Destination of the target.
    pub(super) destination: Destination,
}

impl Parts {
    /// Splits an access into its parts.
    pub(super) fn new(access: &Access) -> Self {
        let (action, object) = access.parts();
        if action == "mcp" {
            return Self::mcp(&object);
        }
        let bare = object
            .split(" except ")
            .next()
            .unwrap_or_default()
            .split(" at ")
            .next()
            .unwrap_or_default();
        let bare = bare.strip_suffix(" in part").unwrap_or(bare);
        let destination = match action {
            "read" | "write" => {
                Destination { kind: Kind::Folder, group: first_folder(bare), name: bare.to_owned() }
            }
            _ => host(bare),
        };
        Self { action: action.to_owned(), object: object.into_owned(), destination }
    }

    fn mcp(object: &str) -> Self {
        let (action, rest) = object.split_once(' ').unwrap_or((object, ""));
        // Several actions are separated by commas: `invokePrimordial, readResource, getPrompt`.
        let (action, rest) = match action.ends_with(',') {
            true => (object, ""),
            false => (action, rest),
        };
        let first = rest.split(' ').next().unwrap_or_default();
        let server =
            first.split_once('/').map(|(server, _)| server).filter(|server| !server.is_empty());
        let group = server
            .filter(|server| *server != "*")
            .map_or_else(|| "any server".to_owned(), str::to_owned);
        let object = if rest.is_empty() { "everything".to_owned() } else { rest.to_owned() };
        let name = if rest.is_empty() { action.to_owned() } else { format!("{action} {rest}") };
        Self {
            action: format!("mcp {action}"),
            object,
            destination: Destination { kind: Kind::Mcp, group, name },
        }
    }
}

fn first_folder(path: &str) -> String {
    let mut segments = path.split_inclusive('/');
    let first = segments.next().unwrap_or_default();
    let name = if first == "/" {
        format!("/{}", segments.next().unwrap_or_default())
    } else {
        first.to_owned()
    };
    if name.len() > 1 { name.trim_end_matches('/').to_owned() } else { name }
}

/// The destination of a host with or without scheme, port and path.
fn host(object: &str) -> Destination {
    let object = object.split_once("://").map_or(object, |(_, rest)| rest);
    let address =
        object.parse::<ipnet::IpNet>().is_ok() || object.parse::<std::net::IpAddr>().is_ok();
    let host = if address { object } else { object.split('/').next().unwrap_or_default() };
    let host = match host.rsplit_once(':') {
        Some((host, port))
            if !address
                && port.bytes().all(|byte| byte.is_ascii_digit())
                && !host.ends_with(':') =>
        {
            host
        }
        Some(_) | None => host,
    };
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.to_owned();
    if address || plain.parse::<std::net::IpAddr>().is_ok() {
        return Destination { kind: Kind::Addresses, group: "Addresses".to_owned(), name };
    }
    let bare = plain.trim_end_matches('.').to_lowercase();
    let bare = bare.trim_start_matches("**.").trim_start_matches("*.");
    let domain = psl::domain_str(bare).filter(|domain| !domain.contains(['*', '?', '[', '{']));
    match domain {
        Some(domain) => Destination { kind: Kind::Domain, group: domain.to_owned(), name },
        None if bare.is_empty() || bare.contains(['*', '?', '[', '{']) => {
            Destination { kind: Kind::Hosts, group: "Any host".to_owned(), name }
        }
        None => Destination { kind: Kind::Hosts, group: bare.to_owned(), name },
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Parts};
    use crate::access::Access;

    #[test]
    fn entries_are_listed_beside_what_they_are_about() {
        let table = [
            ("connect:tcp cve.mitre.org:443", Kind::Domain, "mitre.org", "cve.mitre.org"),
            ("connect:udp **.a.co.uk", Kind::Domain, "a.co.uk", "**.a.co.uk"),
            (
                "GET,HEAD https://api.github.com/repos/x/** except at 10.0.0.0/8",
                Kind::Domain,
                "github.com",
                "api.github.com",
            ),
            ("connect:tcp ** except pastebin.com", Kind::Hosts, "Any host", "**"),
            ("connect:tcp *.com", Kind::Hosts, "com", "*.com"),
            ("connect:tcp localhost:8080", Kind::Hosts, "localhost", "localhost"),
            ("connect:tcp 10.0.0.0/8", Kind::Addresses, "Addresses", "10.0.0.0/8"),
            ("connect:tcp [2001:db8::1]:443", Kind::Addresses, "Addresses", "[2001:db8::1]"),
            ("connect:tcp fd00::/8", Kind::Addresses, "Addresses", "fd00::/8"),
            ("read /data/shared/**", Kind::Folder, "/data", "/data/shared/**"),
            ("write ~/src", Kind::Folder, "~", "~/src"),
            ("read **", Kind::Folder, "**", "**"),
            (
                "mcp invokeTool github/* where resource.readOnly",
                Kind::Mcp,
                "github",
                "invokeTool github/* where resource.readOnly",
            ),
            (
                "mcp register where resource.type == \"a/b\"",
                Kind::Mcp,
                "any server",
                "register where resource.type == \"a/b\"",
            ),
            (
                "mcp invokePrimordial, readResource, getPrompt",
                Kind::Mcp,
                "any server",
                "invokePrimordial, readResource, getPrompt",
            ),
        ];
        for (access, kind, group, name) in table {
            let found = Parts::new(&Access::from(access.to_owned())).destination;
            assert_eq!(
                (found.kind, found.group.as_str(), found.name.as_str()),
                (kind, group, name),
                "{access}"
            );
        }
    }
}
