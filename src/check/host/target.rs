//! The parts of a resource of a connection, or of the host of an HTTP target.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::Verdict;
use super::invalid::wrong;

/// A parsed resource.
pub(super) enum Target<'a> {
    /// An IPv6 address without a prefix length, bare or in brackets.
    Ipv6(&'a str),
    /// A CIDR block.
    Block(IpNet),
    /// A host, a pattern or an address.
    Host {
        /// The text without its port.
        host: &'a str,
        /// The port, as digits.
        port: Option<&'a str>,
    },
}

/// Parses a resource.
pub(super) fn split(text: &str, http: bool) -> Result<Target<'_>, Box<Verdict>> {
    if let Some(placeholder) = placeholder(text) {
        let message = format!("`{text}` holds `{placeholder}`, which nothing fills in");
        return wrong(
            message,
            "write the host itself, or let the tool that fills it in write this file",
        );
    }
    if text.contains(['“', '”', '„', '‘', '’']) {
        let message = format!("`{text}` holds typographic quotes");
        return wrong(message, "write straight quotes, `\"`, or none");
    }
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return wrong(
            format!("`{text}` holds spaces or control characters"),
            "write each host as an item of its own",
        );
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return wrong(
            format!("`{text}` holds a scheme (`{scheme}://`)"),
            instead_of_url(rest, http),
        );
    }
    if let Some(host) = repository(text) {
        let message = format!("`{text}` is the address of a repository");
        let help =
            format!("write `{host}:22` for SSH, `{host}:443` for HTTPS; rules name no repository");
        return wrong(
            message,
            if http { format!("write `host: {host}` and `path`") } else { help },
        );
    }
    if text.contains('@') {
        return wrong(format!("`{text}` holds a user name"), instead_of_url(text, http));
    }
    if text.contains('/') {
        return block(text, http);
    }
    if let Some(blocks) = range_of_addresses(text) {
        let help = if http { "name the host".to_owned() } else { format!("write {blocks}") };
        return wrong(format!("`{text}` is a range of addresses, which rules do not read"), help);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        if http {
            return wrong(
                format!("`{text}` is not a host name"),
                "name the host; addresses belong into `resources`",
            );
        }
        return Ok(Target::Ipv6(text));
    }
    if let Some((address, port)) = text
        .strip_prefix('[')
        .and_then(|rest| rest.rsplit_once(']'))
        .filter(|(inner, _)| inner.contains(':'))
    {
        return bracketed(text, address, port, http);
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        if let Some(address) = as_number(text) {
            let message =
                format!("`{text}` is the address `{address}` as a number, which rules do not read");
            return wrong(message, format!("write `{address}`"));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong(format!("`{text}` is a port without a host"), every_host(text, http));
        }
        return Ok(Target::Host { host: text, port: None });
    };
    if host.is_empty() {
        return wrong(format!("`{text}` is a port without a host"), every_host(port, http));
    }
    if http {
        return wrong(
            format!("`{text}` holds a port"),
            format!("write `host: {host}` and `port: {port}`"),
        );
    }
    check_port(text, port)?;
    Ok(Target::Host { host, port: Some(port) })
}

/// The placeholder that a template or a shell would fill in.
fn placeholder(text: &str) -> Option<&str> {
    let between = |open: &str, close: &str| {
        let start = text.find(open)?;
        let end = text.get(start + open.len()..)?.find(close)? + start + open.len() + close.len();
        text.get(start..end)
    };
    let shell = || {
        let start = text.find('$')?;
        let name = text.get(start + 1..)?;
        let end = name
            .find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_')
            .unwrap_or(name.len());
        (end > 0 && name.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_'))
            .then(|| text.get(start..start + 1 + end))?
    };
    between("{{", "}}")
        .or_else(|| between("${", "}"))
        .or_else(|| between("<", ">"))
        .or_else(shell)
        .or_else(|| between("{", "}"))
        .or_else(|| {
            let name = between("%", "%")?;
            name.trim_matches('%')
                .starts_with(|sign: char| sign.is_ascii_alphabetic())
                .then_some(name)
        })
}

/// The host of `git@github.com:acme/web.git`.
fn repository(text: &str) -> Option<&str> {
    let (host, path) = text.split_once('@')?.1.split_once(':')?;
    let is_port = path.bytes().all(|byte| byte.is_ascii_digit());
    (!host.is_empty() && !is_port && !host.contains('/')).then_some(host)
}

/// An address written as one number, decimal or hexadecimal.
fn as_number(text: &str) -> Option<Ipv4Addr> {
    let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => text.parse().ok().filter(|number| *number > u32::from(u16::MAX))?,
    };
    Some(number.into())
}

/// `10.0.0.0/255.0.0.0` with a prefix length.
fn with_prefix(address: &str, mask: &str) -> Option<IpNet> {
    let prefix = ipnet::ipv4_mask_to_prefix(mask.parse().ok()?).ok()?;
    Some(IpNet::new(address.parse().ok()?, prefix).ok()?.trunc())
}

/// `10.0.0.1-10.0.0.9` as CIDR blocks; the first of them where there are many.
fn range_of_addresses(text: &str) -> Option<String> {
    const MOST: usize = 4;
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.parse::<Ipv4Addr>().ok()?, last.parse::<Ipv4Addr>().ok()?);
    let mut blocks = ipnet::Ipv4Subnets::new(first, last, 0);
    let listed: Vec<String> =
        blocks.by_ref().take(MOST).map(|block| format!("`{block}`")).collect();
    let more = if blocks.next().is_some() { " and so on" } else { "" };
    (!listed.is_empty()).then(|| format!("{}{more}", listed.join(", ")))
}

/// `10.0.*.*` and `10.*` as a block.
pub(super) fn starred_block(host: &str) -> Option<IpNet> {
    let stars = host.find(".*")?;
    let (numbers, rest) = host.split_at_checked(stars)?;
    if rest.split('.').skip(1).any(|label| !matches!(label, "*" | "**")) {
        return None;
    }
    short_block(&format!("{numbers}/{}", 8 * numbers.split('.').count()))
}

/// `169.254/16`, completed to four numbers.
fn short_block(text: &str) -> Option<IpNet> {
    let (front, prefix) = text.split_once('/')?;
    let numbers: Vec<&str> = front.split('.').collect();
    let zeros = 4_usize.checked_sub(numbers.len()).filter(|zeros| *zeros > 0)?;
    let all =
        numbers.into_iter().chain(std::iter::repeat_n("0", zeros)).collect::<Vec<_>>().join(".");
    format!("{all}/{prefix}").parse::<IpNet>().ok().map(|block| block.trunc())
}

/// The replacement for a URL: the text without its scheme.
fn instead_of_url(rest: &str, http: bool) -> String {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    if rest.starts_with('/') {
        return "name a host; a `FilesystemPolicy` is for paths, and no rule is for sockets"
            .to_owned();
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split(['?', '#']).next().filter(|path| !path.is_empty());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if !http {
        let paths = path.map_or("", |_| "; for paths, use `request:…` with `http_resources`");
        return format!("write the host alone: `{host}`{paths}");
    }
    let (host, port) =
        host.rsplit_once(':').map_or((host, None), |(host, port)| (host, Some(port)));
    let port = port.map(|port| format!("`port: {port}`"));
    let path = path.map(|path| format!("`path: {path}`"));
    let parts: Vec<String> =
        std::iter::once(format!("`host: {host}`")).chain(port).chain(path).collect();
    format!("write {}", parts.join(", "))
}

fn every_host(port: &str, http: bool) -> String {
    if http {
        return format!("write a host; `host: \"**\"` with `port: {port}` is every host");
    }
    match check_port(port, port) {
        Ok(()) => format!("write a host, or `**:{port}` for this port on every host"),
        Err(_) => "write a host, or `**` for every host and port".to_owned(),
    }
}

pub(super) fn check_port(text: &str, port: &str) -> Result<(), Box<Verdict>> {
    let number =
        port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse::<u16>().ok()).flatten();
    match number {
        Some(1..) if !port.starts_with('0') => Ok(()),
        _ if port.contains('-') || port.contains('*') || port.contains(',') => {
            let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
            // What `*` alone matches is not documented.
            let host = if host == "*" { "**" } else { host };
            let help = format!(
                "list each port as an item of its own; without a port, `{host}` is every port"
            );
            wrong(format!("`{text}` holds several ports, which the service does not match"), help)
        }
        _ => wrong(format!("`{port}` is not a port"), "a port is a number from 1 to 65535"),
    }
}

fn bracketed<'a>(
    text: &str,
    address: &'a str,
    port: &str,
    http: bool,
) -> Result<Target<'a>, Box<Verdict>> {
    if address.parse::<Ipv6Addr>().is_err() {
        return wrong(
            format!("`{address}` is not an IPv6 address"),
            "write `[2001:db8::1]:443` or `2001:db8::1/128`",
        );
    }
    if http {
        return wrong(
            format!("`{text}` is not a host name"),
            "name the host; addresses belong into `resources`",
        );
    }
    match port.strip_prefix(':') {
        Some(port) => check_port(text, port)?,
        None if port.is_empty() => {}
        None => {
            return wrong(
                format!("`{text}` is not an address with a port"),
                "write `[2001:db8::1]:443`",
            );
        }
    }
    Ok(Target::Ipv6(address))
}

/// Parses a target with a `/`: a CIDR block, or a fault.
fn block(text: &str, http: bool) -> Result<Target<'_>, Box<Verdict>> {
    let Ok(block) = text.parse::<IpNet>() else {
        let (front, back) = text.split_once('/').unwrap_or((text, ""));
        let address = front.trim_matches(['[', ']']);
        if address.parse::<IpAddr>().is_ok() || text.starts_with('[') {
            return match back.split_once(':') {
                Some((prefix, _)) => wrong(
                    format!(
                        "`{text}` is a CIDR block with a port, which the service does not match"
                    ),
                    format!("write `{address}/{prefix}`, which covers every port"),
                ),
                None => wrong(
                    format!("`{text}` is not a CIDR block"),
                    match with_prefix(address, back) {
                        Some(block) => format!("write `{block}`"),
                        None => "write a block such as `10.0.0.0/8` or `2001:db8::/32`".to_owned(),
                    },
                ),
            };
        }
        if let Some(block) = short_block(text) {
            return wrong(
                format!("`{text}` is not a CIDR block: an address has four numbers"),
                format!("write `{block}`"),
            );
        }
        return wrong(format!("`{text}` holds a path"), instead_of_url(text, http));
    };
    if http {
        return wrong(
            format!("`{text}` is a CIDR block, which HTTP rules do not match"),
            "name the host",
        );
    }
    Ok(Target::Block(block))
}
