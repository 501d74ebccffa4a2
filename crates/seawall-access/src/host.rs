//! Hosts, addresses and ports, in rules and in requests.
//!
//! Invariant: two spellings of one host are one value: lower case, without one trailing dot,
//! international labels in A-label form. DNS compares names this way; the service's manuals do not
//! say, so that a pattern in another spelling is uncertain.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::pattern::{Sequence, Token, partial_unknowns};
use super::unknowns::{Unknown, Unknowns};

/// The name of the developer's own machine inside of sandboxes.
pub(super) const HOST_ALIAS: &str = "host.docker.internal";
/// The host for which the proxy asks rules instead of [`HOST_ALIAS`].
pub(super) const LOCAL_HOST: &str = "localhost";

/// The host part of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum HostPattern {
    /// Names, from the last label to the first. `**` alone also matches addresses.
    Names(Sequence),
    /// An address that is requested directly.
    Address(IpAddr),
    /// A block of addresses: matches a host that is, or resolves to, one of them.
    Cidr(IpNet),
}

/// A `resources` entry of a `connect:*` rule, or the host and port of an HTTP target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Destination {
    pub(super) host: HostPattern,
    /// The port; `None` for every port.
    pub(super) port: Option<u16>,
    pub(super) unknowns: Unknowns,
    /// The host as written, if that is not its canonical spelling.
    pub(super) written: Option<Box<str>>,
}

impl Destination {
    fn new(host: HostPattern, port: Option<u16>) -> Self {
        Self { host, port, unknowns: Unknowns::NONE, written: None }
    }

    /// The destination of a [`canonical_name`].
    pub(super) fn canonical(host: &str, port: Option<u16>) -> Self {
        let labels = host.rsplit('.').map(|label| Token::Literal(label.to_owned()));
        let names = Sequence {
            tokens: labels.collect(),
            unknowns: Unknowns::NONE,
            bare: Unknown::Apex.into(),
        };
        Self::new(HostPattern::Names(names), port)
    }

    fn doubting(mut self, unknown: Unknown) -> Self {
        self.unknowns = self.unknowns.union(unknown.into());
        self
    }

    /// Every host and port, uncertain.
    pub(super) fn anything(unknown: Unknown) -> Self {
        Self::new(HostPattern::Names(names("**")), None).doubting(unknown)
    }

    /// Parses a resource of a `connect:*` rule.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Some(destination) = address(text) {
            return destination;
        }
        // A scheme, a path or user information is not documented: at most the host inside is
        // matched.
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
        let bare = bare.split(['/', '#']).next().unwrap_or_default();
        let bare = bare.rsplit('@').next().unwrap_or_default();
        let (host, port) = match bare.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (bare, None),
        };
        let number = port.and_then(parse_port);
        if host.is_empty() || host.chars().all(|c| c.is_ascii_digit()) {
            return Self {
                port: number.or_else(|| parse_port(host)),
                ..Self::anything(Unknown::Malformed)
            };
        }
        let pattern = names(host);
        let broken = bare != text
            || number.is_none() != port.is_none()
            || !is_name(host)
            || !host.contains('[') && host.contains([']', '!']);
        let mut destination = Self::new(HostPattern::Names(pattern), number);
        destination.unknowns = spelling_unknowns(host);
        if !destination.unknowns.is_empty() || host == "*" {
            destination.written = Some(host.into());
        }
        if broken { destination.doubting(Unknown::Malformed) } else { destination }
    }

    /// Parses the host and port of an HTTP target.
    pub(super) fn http(host: &str, port: Option<u16>) -> Self {
        let read = Self::parse(host);
        let doubtful = match read.host {
            HostPattern::Names(_) => read.port.is_some().then_some(Unknown::Malformed),
            HostPattern::Address(_) => Some(Unknown::HttpAddress),
            HostPattern::Cidr(_) => return Self { port, ..Self::anything(Unknown::Malformed) },
        };
        let port = port.or(read.port);
        doubtful.into_iter().fold(Self { port, ..read }, Self::doubting)
    }
}

/// The host and the port of a `connect:*` resource that is a name with a domain in its canonical
/// spelling: most resources of large policies. It is a match without open questions.
pub(super) fn canonical_name(resource: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match resource.split_once(':') {
        Some((_, port)) if port.starts_with(['0', '+']) => return None,
        Some((host, port)) => (host, Some(parse_port(port)?)),
        None => (resource, None),
    };
    let last = host.rsplit_once('.')?.1;
    let is_spelled = host.bytes().all(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
    });
    // An address ends in a digit.
    let is_name = last.starts_with(|sign: char| sign.is_ascii_lowercase());
    let is_whole = host.as_bytes().split(|byte| *byte == b'.').all(|label| !label.is_empty());
    (is_spelled && is_name && is_whole).then_some((host, port))
}

/// An address or block, with or without a port.
fn address(text: &str) -> Option<Destination> {
    // Nearly all hosts are names, with a letter that no address has.
    let front = text.rsplit_once(':').map_or(text, |(front, _)| front);
    let fits = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'/' | b']');
    if !text.starts_with('[') && !front.bytes().all(fits) {
        return None;
    }
    if let Ok(IpAddr::V4(v4)) = text.parse() {
        return Some(Destination::new(HostPattern::Address(v4.into()), None));
    }
    if let Ok(v6) = text.parse::<Ipv6Addr>() {
        return Some(
            Destination::new(HostPattern::Address(v6.into()), None).doubting(Unknown::Ipv6Literal),
        );
    }
    if let Some(block) = cidr(text) {
        return Some(block);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').and_then(|(host, rest)| match rest {
            "" => Some((host, None)),
            _ => rest.strip_prefix(':').map(|port| (host, Some(port))),
        })?,
        None => text.rsplit_once(':').map(|(host, port)| (host, Some(port)))?,
    };
    if let Some(block) = cidr(host).or_else(|| cidr(text.rsplit_once(':')?.0)) {
        return Some(block.doubting(Unknown::CidrPort));
    }
    let address: IpAddr = host.parse().ok()?;
    let number = port.and_then(parse_port);
    let mut destination = Destination::new(HostPattern::Address(address), number);
    if address.is_ipv6() {
        destination = destination.doubting(Unknown::Ipv6Literal);
    }
    Some(if number.is_none() != port.is_none() {
        destination.doubting(Unknown::Malformed)
    } else {
        destination
    })
}

fn cidr(text: &str) -> Option<Destination> {
    let block: IpNet = text.parse().ok()?;
    let destination = Destination::new(HostPattern::Cidr(block.trunc()), None);
    Some(if block.trunc() == block {
        destination
    } else {
        destination.doubting(Unknown::CidrHostBits)
    })
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

pub(super) fn is_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.as_bytes().split(|byte| *byte == b'.').all(|label| !label.is_empty())
        && !host.contains(|sign: char| matches!(sign, ' ' | '\\' | '%' | ':') || sign.is_control())
}

/// The open questions of a match if a host is not written in its canonical spelling.
fn spelling_unknowns(host: &str) -> Unknowns {
    let has = |holds: bool, unknown: Unknown| if holds { unknown.into() } else { Unknowns::NONE };
    has(host.bytes().any(|byte| byte.is_ascii_uppercase()), Unknown::HostCase)
        .union(has(host.ends_with('.'), Unknown::HostDot))
        .union(has(!host.is_ascii(), Unknown::HostLetters))
}

/// The pattern for a name, in the canonical spelling of hosts.
fn names(host: &str) -> Sequence {
    let labels = labels(host);
    let mut unknowns =
        labels.iter().fold(Unknowns::NONE, |all, label| all.union(partial_unknowns(label)));
    let wild = |label: &String| matches!(label.as_str(), "*" | "**");
    if labels == ["*"] {
        // Treated as every host, in case it is accepted as anything.
        return Sequence {
            tokens: vec![Token::Deep],
            unknowns: Unknown::LoneStar.into(),
            bare: Unknowns::NONE,
        };
    }
    let only_wildcards = labels.len() > 1 && labels.iter().all(wild);
    if only_wildcards || labels.iter().skip(1).any(wild) {
        unknowns = unknowns.union(Unknown::InnerWildcard.into());
    }
    let tokens = labels.into_iter().rev().map(Token::from_string).collect();
    Sequence { tokens, unknowns, bare: Unknown::Apex.into() }
}

/// The labels of a host from the first to the last, in the canonical spelling.
pub(super) fn labels(host: &str) -> Vec<String> {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.split('.').map(spelling).collect()
}

fn spelling(label: &str) -> String {
    if label.is_ascii() {
        return label.to_ascii_lowercase();
    }
    idna::domain_to_ascii(label).unwrap_or_else(|_| label.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canonical_name_is_read_as_its_labels() {
        for (resource, expected) in [
            ("research.mitre.org", Some(("research.mitre.org", None))),
            ("api.example.com:443", Some(("api.example.com", Some(443)))),
            ("_dmarc.a-b.x1.example", Some(("_dmarc.a-b.x1.example", None))),
            ("10.1.2.a3", Some(("10.1.2.a3", None))),
            ("example.com:0", None),
            ("example.com:0443", None),
            ("example.com:+443", None),
            ("example.com:65536", None),
            ("example.com:443:80", None),
            ("example.com.", None),
            (".example.com", None),
            ("a..example.com", None),
            ("Example.com", None),
            ("b\u{fc}cher.example", None),
            ("*.example.com", None),
            ("api-*.example.com", None),
            ("https://example.com", None),
            ("example.com/x", None),
            (" example.com", None),
            ("localhost", None),
            ("10.1.2.3", None),
            ("10.1.2.3:443", None),
            ("2001:db8::a", None),
            ("", None),
        ] {
            let found = canonical_name(resource);
            assert_eq!(found, expected, "{resource}");
            let Some((host, port)) = found else { continue };
            assert_eq!(
                Destination::canonical(host, port),
                Destination::parse(resource),
                "{resource}"
            );
        }
    }
}
