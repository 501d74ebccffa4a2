//! Decides which HTTP requests the emulator answers at all, before it looks at their content.
//!
//! Invariant: a request is answered only if it names the emulator by a loopback name and its own
//! port, and no other web site sent it. A page whose name was rebound to 127.0.0.1 sends its own
//! name as `Host`. A page of another site, also on another local port, reveals this in `Origin` or
//! `Sec-Fetch-Site`, which scripts cannot change.

use std::net::Ipv4Addr;

use axum::http::{HeaderMap, Uri, header, uri::Authority};

/// The reason to refuse a request, as a message for the client; `None` for a request that is
/// answered. `port` is the emulator's.
pub(super) fn refusal(uri: &Uri, headers: &HeaderMap, port: u16) -> Option<&'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    };
    let is_own = |authority: &str| is_own(authority, port);
    if !host.is_some_and(is_own)
        || uri.authority().is_some_and(|authority| !is_own(authority.as_str()))
    {
        return Some(
            "the emulator answers to `127.0.0.1`, `[::1]` and `localhost` with its own port only",
        );
    }
    let is_own_origin = |origin: &[u8]| {
        std::str::from_utf8(origin)
            .ok()
            .and_then(|text| text.strip_prefix("http://"))
            .is_some_and(is_own)
    };
    let foreign =
        headers.get_all(header::ORIGIN).iter().any(|origin| !is_own_origin(origin.as_bytes()))
            || headers
                .get_all("sec-fetch-site")
                .iter()
                .any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    foreign.then_some("the emulator answers no requests of other web sites")
}

/// Returns `true` if `host:port` is a loopback name with this port; only the default port of HTTP
/// may be left out.
fn is_own(text: &str, port: u16) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let host = authority.host();
    let written = text.strip_prefix(host);
    let is_port = match written {
        Some("") => port == 80,
        Some(rest) => rest.strip_prefix(':').is_some_and(|digits| digits == port.to_string()),
        None => false, // something stands in front of the host: a user
    };
    let is_loopback = host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    is_port && is_loopback
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::refusal;

    #[test]
    fn only_loopback_names_and_the_own_site_are_answered() {
        let host = |name: &'static str| vec![("host", name)];
        let with = |name: &'static str, value: &'static str| {
            vec![("host", "127.0.0.1:8080"), (name, value)]
        };
        let table = [
            (host("127.0.0.1:8080"), true),
            (host("127.1.2.3:8080"), true), // all of 127/8 is this machine
            (host("localhost:8080"), true),
            (host("LocalHost:8080"), true),
            (host("[::1]:8080"), true),
            (host("127.0.0.1"), false), // another port
            (host("127.0.0.1:80"), false),
            (host("127.0.0.1:08080"), false),
            (host("evil.example.com:8080"), false), // a name that was rebound
            (host("localhost.evil.example.com:8080"), false),
            (host("127.0.0.1.evil.example.com:8080"), false),
            (host("localhost.:8080"), false),
            (host("0.0.0.0:8080"), false), // reaches this machine, and browsers send it
            (host("[::]:8080"), false),
            (host("[::ffff:127.0.0.1]:8080"), false),
            (host("128.0.0.1:8080"), false),
            (host("user@127.0.0.1:8080"), false),
            (host(""), false),
            (vec![], false),
            (vec![("host", "127.0.0.1:8080"), ("host", "evil.example.com:8080")], false),
            (with("origin", "http://127.0.0.1:8080"), true),
            (with("origin", "http://localhost:8080"), true),
            (with("origin", "http://localhost:3000"), false), // another page of this machine
            (with("origin", "https://evil.example.com"), false),
            (with("origin", "http://evil.example.com:8080"), false),
            (with("origin", "null"), false), // a sandboxed frame
            (with("origin", ""), false),
            (with("sec-fetch-site", "same-origin"), true),
            (with("sec-fetch-site", "none"), true), // typed by a person
            (with("sec-fetch-site", "same-site"), false),
            (with("sec-fetch-site", "cross-site"), false),
            (with("sec-fetch-site", "Cross-Site"), false),
        ];
        for (pairs, answered) in table {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| {
                    (HeaderName::from_static(name), HeaderValue::from_static(value))
                })
                .fold(HeaderMap::new(), |mut all, (name, value)| {
                    all.append(name, value);
                    all
                });
            assert_eq!(
                refusal(&"/v2".parse().unwrap(), &headers, 8080).is_none(),
                answered,
                "{pairs:?}"
            );
        }
        let own: HeaderMap = [(axum::http::header::HOST, HeaderValue::from_static("127.0.0.1"))]
            .into_iter()
            .collect();
        assert_eq!(refusal(&"/v2".parse().unwrap(), &own, 80), None);
        // The form for proxies names the host twice.
        let own: HeaderMap =
            [(axum::http::header::HOST, HeaderValue::from_static("127.0.0.1:8080"))]
                .into_iter()
                .collect();
        assert!(refusal(&"http://evil.example.com:8080/v2".parse().unwrap(), &own, 8080).is_some());
        assert_eq!(refusal(&"http://127.0.0.1:8080/v2".parse().unwrap(), &own, 8080), None);
    }
}
