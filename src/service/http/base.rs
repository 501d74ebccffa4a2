//! Base addresses of services, and the one place where paths are encoded into URLs.
//!
//! Invariant: a URL of [`BaseUrl::join`] is below the base, whatever the segments are. A base is
//! `https`, or `http` to this machine. No message repeats a part of a URL that may be a password.

use std::net::IpAddr;

use reqwest::Url;

use crate::exit::{Exit, Explain};

/// The address below which a service answers. Its path has no slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// The reason why an address is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Not a URL with a host.
    #[error("the endpoint is not a URL: {0}")]
    NotUrl(String),
    /// A scheme other than `https` or `http`.
    #[error("the endpoint's scheme is `{0}`")]
    Scheme(String),
    /// `http` to another machine.
    #[error("plain http to `{0}` would show credentials on the network")]
    PlainHttp(String),
    /// A user, a query or a fragment.
    #[error("the endpoint holds a {0}")]
    Extra(&'static str),
    /// A host with an invalid name, or one that is written in an unusual way.
    #[error("the endpoint's host is not a valid name: {0}")]
    Host(&'static str),
    /// The path does not end like the service's base path.
    #[error("the endpoint's path does not end in `{0}`")]
    Path(&'static str),
    /// A segment that would leave the base: empty, `.` or `..`.
    #[error("`{0}` cannot be a path segment")]
    Segment(String),
}

impl Explain for BaseUrlError {
    fn hint(&self) -> String {
        let hint = match self {
            Self::NotUrl(_) | Self::Scheme(_) | Self::Host(_) => {
                "write it like `https://hub.docker.com/v2`"
            }
            Self::PlainHttp(_) => "use https; plain http is only for 127.0.0.1, ::1 and localhost",
            Self::Extra(_) => {
                "write scheme, host, port and path only; credentials come from the environment"
            }
            Self::Path(_) => "write the whole base URL, as in `https://hub.docker.com/v2`",
            Self::Segment(_) => "this is a fault of seawall: report it",
        };
        hint.to_owned()
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Segment(_) => Exit::Failed,
            Self::NotUrl(_)
            | Self::Scheme(_)
            | Self::PlainHttp(_)
            | Self::Extra(_)
            | Self::Host(_)
            | Self::Path(_) => Exit::Usage,
        }
    }
}

impl BaseUrl {
    /// Parses an address from a setting.
    ///
    /// # Errors
    ///
    /// Returns an error for anything but a plain `https` URL, or `http` to loopback.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let text = text.trim();
        let mut url = Url::parse(text).map_err(|error| BaseUrlError::NotUrl(error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(BaseUrlError::Scheme(url.scheme().to_owned()));
        }
        let host = url.host_str().ok_or_else(|| BaseUrlError::NotUrl("no host".to_owned()))?;
        as_written(text, host, url.port_or_known_default())?;
        if url.scheme() == "http" && !is_loopback(host) {
            return Err(BaseUrlError::PlainHttp(host.to_owned()));
        }
        let extra = [
            (!url.username().is_empty() || url.password().is_some(), "user or password"),
            (url.query().is_some(), "query"),
            (url.fragment().is_some(), "fragment"),
        ];
        if let Some((_, what)) = extra.iter().find(|(present, _)| *present) {
            return Err(BaseUrlError::Extra(what));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The address, if its path ends in this segment.
    ///
    /// # Errors
    ///
    /// Returns an error if the path does not end in it.
    pub fn ending_in(self, segment: &'static str) -> Result<Self, BaseUrlError> {
        match self.0.path().rsplit('/').next() {
            Some(last) if last == segment => Ok(self),
            Some(_) | None => Err(BaseUrlError::Path(segment)),
        }
    }

    /// The URL of a path below the base, with a query.
    ///
    /// # Errors
    ///
    /// Returns an error if a segment is empty, `.` or `..`: clients and servers interpret these as
    /// steps along the path, however they are encoded.
    pub fn join<S: AsRef<str>>(
        &self,
        path: &[S],
        query: &[(&str, &str)],
    ) -> Result<Url, BaseUrlError> {
        let mut whole = self.0.path().trim_end_matches('/').to_owned();
        for segment in path {
            let segment = segment.as_ref();
            if matches!(segment, "" | "." | "..") {
                return Err(BaseUrlError::Segment(segment.to_owned()));
            }
            whole.push('/');
            encode(segment, &mut whole);
        }
        let mut url = self.0.clone();
        url.set_path(&whole);
        if !query.is_empty() {
            let mut text = String::new();
            for (key, value) in query {
                text.push_str(if text.is_empty() { "" } else { "&" });
                encode(key, &mut text);
                text.push('=');
                encode(value, &mut text);
            }
            url.set_query(Some(&text));
        }
        Ok(url)
    }

    /// [`Self::join`] with a slash at the end, which some services require for collections.
    ///
    /// # Errors
    ///
    /// As [`Self::join`].
    pub fn join_collection<S: AsRef<str>>(
        &self,
        path: &[S],
        query: &[(&str, &str)],
    ) -> Result<Url, BaseUrlError> {
        let mut url = self.join(path, query)?;
        url.set_path(&format!("{}/", url.path()));
        Ok(url)
    }

    /// A link from the service, if it is below the base: same scheme, host, port and path.
    #[must_use]
    pub fn own(&self, link: &str) -> Option<Url> {
        let url = self.0.join(link).ok()?;
        let below = url.path().strip_prefix(self.0.path().trim_end_matches('/'))?.starts_with('/');
        let plain = url.username().is_empty() && url.password().is_none();
        (url.origin() == self.0.origin() && below && plain).then_some(url)
    }

    /// The address with a slash added to or removed from its path, if the service redirects to
    /// exactly that. Only host and path of the link are compared, because services behind a gateway
    /// often do not know their own scheme.
    pub(super) fn with_other_slash(url: &Url, link: &str) -> Option<Url> {
        let to = url.join(link).ok()?;
        let other = match url.path().strip_suffix('/') {
            Some(without) => without.to_owned(),
            None => format!("{}/", url.path()),
        };
        let here =
            (to.host_str(), to.port(), to.path()) == (url.host_str(), url.port(), other.as_str());
        here.then(|| {
            let mut url = url.clone();
            url.set_path(&other);
            url
        })
    }

    /// Host and port, for messages.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Returns `true` if the service is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.0.host_str().is_some_and(is_loopback)
    }

    /// Returns `true` if the connection to the service is not encrypted.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}

/// The URL without a slash at its end.
impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Refuses everything that the URL library corrects silently, since browsers then read it
/// differently than people.
fn as_written(text: &str, host: &str, port: Option<u16>) -> Result<(), BaseUrlError> {
    let not_url = |reason: &str| Err(BaseUrlError::NotUrl(reason.to_owned()));
    if text
        .chars()
        .any(|character| character == '\\' || character.is_whitespace() || character.is_control())
    {
        return not_url("a blank, a backslash or a control character");
    }
    let Some((_, rest)) = text.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', ':']))
    else {
        return not_url("no `://` after the scheme");
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    if authority.is_empty() {
        return not_url("no host after `://`");
    }
    if authority.contains('@') {
        return Err(BaseUrlError::Extra("user or password"));
    }
    if port == Some(0) || authority.ends_with(':') {
        return not_url("an empty port");
    }
    let is_step = |segment: &str| {
        matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "" | "." | "..")
    };
    if path.split('/').skip(1).any(is_step) {
        return not_url("an empty segment, `.` or `..` in the path");
    }
    let written = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        Some(_) | None => authority,
    };
    named(written, host).map_or(Ok(()), |fault| Err(BaseUrlError::Host(fault)))
}

/// The fault in a host, as it was written and as the URL library parses it.
fn named(written: &str, host: &str) -> Option<&'static str> {
    if host.starts_with('[') {
        return None; // the library takes whole addresses only
    }
    if host.parse::<IpAddr>().is_ok() {
        return (written != host).then_some("an address is written as four decimal numbers");
    }
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_wrong =
        |label: &str| label.starts_with('-') || label.ends_with('-') || !label.bytes().all(usual);
    let faults = [
        (written.contains('%'), "it holds an escape"),
        (host.ends_with('.'), "it ends in a dot"),
        (host.split('.').any(str::is_empty), "it has an empty label"),
        (host.len() > 253 || host.split('.').any(|label| label.len() > 63), "it is too long"),
        (
            host.split('.').any(is_wrong),
            "it has a label with other characters than letters, digits and inner hyphens",
        ),
    ];
    faults.into_iter().find_map(|(is_fault, words)| is_fault.then_some(words))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Percent-encodes everything but the unreserved characters of RFC 3986, section 2.3; a space too,
/// since every server decodes it.
fn encode(segment: &str, path: &mut String) {
    const HEX: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.extend(
                [byte >> 4, byte & 15].iter().filter_map(|half| HEX.get(usize::from(*half))),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseUrl, BaseUrlError};
    use proptest::prelude::*;

    #[test]
    fn only_https_or_loopback_is_taken() {
        let table = [
            ("https://hub.docker.com/v2", Some("https://hub.docker.com/v2")),
            ("https://hub.docker.com/v2/", Some("https://hub.docker.com/v2")), // a slash at the end is nothing
            ("http://127.0.0.1:8080/v2", Some("http://127.0.0.1:8080/v2")),
            ("http://127.9.9.9/v2", Some("http://127.9.9.9/v2")), // all of 127/8 is this machine
            ("http://[::1]:1/v2", Some("http://[::1]:1/v2")),
            ("http://localhost:1/v2", Some("http://localhost:1/v2")),
            ("http://hub.docker.com/v2", None),
            ("http://0.0.0.0/v2", None),
            ("http://localhost.example.com/v2", None),
            ("http://127.0.0.1.example.com/v2", None),
            ("http://127.0.0.1@example.com/v2", None), // the host is example.com
            ("https://user:hunter2@example.com/v2", None),
            ("https://example.com/v2?token=hunter2", None),
            ("https://example.com/v2#x", None),
            ("ftp://example.com/v2", None),
            ("hub.docker.com/v2", None),
            ("", None),
            // Texts that are not hosts.
            ("https://.docker.com/v2", None),
            ("https://hub..docker.com/v2", None),
            ("https://hub.docker.com./v2", None),
            ("https://./v2", None),
            ("https://hub.docker.com../v2", None),
            ("https://-hub.docker.com/v2", None),
            ("https://hub-.docker.com/v2", None),
            ("https://*.docker.com/v2", None),
            ("https://hub%2edocker.com/v2", None),
            ("https://hub.docker.com%00.example.com/v2", None),
            ("https://hub docker.com/v2", None),
            ("https://hub.docker.com\\@example.com/v2", None), // a browser's host is hub.docker.com
            ("https:\\\\hub.docker.com\\v2", None),
            ("https:hub.docker.com/v2", None), // mended in silence by browsers
            ("https:/hub.docker.com/v2", None),
            ("https:///hub.docker.com/v2", None),
            ("https://hub.do\tcker.com/v2", None),
            ("https://hub.do\ncker.com/v2", None),
            ("http://localhost./v2", None),
            ("http://127.1/v2", None), // other ways to write 127.0.0.1
            ("http://0x7f.0.0.1/v2", None),
            ("http://2130706433/v2", None),
            ("http://127.0.0.01/v2", None),
            ("http://[::ffff:127.0.0.1]/v2", None),
            ("https://xn--.example.com/v2", None),
            ("https://my_gateway.corp.example/v2", Some("https://my_gateway.corp.example/v2")),
            ("https://HUB.docker.com/v2", Some("https://hub.docker.com/v2")),
            // Users, ports and fragments, also empty ones.
            ("https://@hub.docker.com/v2", None),
            ("https://:@hub.docker.com/v2", None),
            ("https://hub.docker.com@example.com/v2", None),
            ("https://hub.docker.com:/v2", None),
            ("https://hub.docker.com:0/v2", None),
            ("https://hub.docker.com:65536/v2", None),
            ("https://hub.docker.com:-1/v2", None),
            ("https://hub.docker.com:443/v2", Some("https://hub.docker.com/v2")),
            ("https://hub.docker.com:8443/v2", Some("https://hub.docker.com:8443/v2")),
            ("https://hub.docker.com/v2#", None),
            ("https://hub.docker.com/v2?", None),
            // Paths that lead elsewhere than they seem to.
            ("https://hub.docker.com/a/../v2", None),
            ("https://hub.docker.com/a/%2E%2e/v2", None),
            ("https://hub.docker.com/./v2", None),
            ("https://hub.docker.com//v2", None),
            ("https://example.com", Some("https://example.com")),
        ];
        for (text, base) in table {
            let parsed = BaseUrl::parse(text);
            assert_eq!(parsed.as_ref().ok().map(ToString::to_string).as_deref(), base, "{text:?}");
            assert!(!format!("{parsed:?}").contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_base_must_end_in_the_services_path() {
        assert!(BaseUrl::parse("https://example.com/hub/v2/").unwrap().ending_in("v2").is_ok());
        for text in ["https://example.com", "https://example.com/v1", "https://example.com/xv2"] {
            assert_eq!(
                BaseUrl::parse(text).unwrap().ending_in("v2"),
                Err(BaseUrlError::Path("v2"))
            );
        }
    }

    #[test]
    fn links_are_followed_only_below_the_base() {
        let base = BaseUrl::parse("https://example.com/hub/v2").unwrap();
        let table = [
            ("https://example.com/hub/v2/orgs/a/groups?page=2", true),
            ("https://example.com:443/hub/v2/x", true), // the same port
            ("/hub/v2/x?page=2", true),
            ("http://example.com/hub/v2/x", false), // without TLS
            ("https://example.com:8443/hub/v2/x", false), // another port
            ("https://evil.example/hub/v2/x", false), // another host
            ("//evil.example/hub/v2/x", false),     // the same, without a scheme
            ("https://example.com/hub/v2evil", false), // another path
            ("https://example.com/hub/v2/../../admin", false), // a path that climbs out
            ("https://u@example.com/hub/v2/x", false), // with a user
        ];
        for (link, own) in table {
            assert_eq!(base.own(link).is_some(), own, "{link}");
        }
    }

    proptest! {
        #[test]
        fn a_segment_stays_one_segment_below_the_base(segment in "\\PC{0,12}|[./%\\\\?#]{1,4}") {
            let base = BaseUrl::parse("https://example.com/v2").unwrap();
            match base.join(&["orgs", &segment, "end"], &[]) {
                Ok(url) => {
                    let segments: Vec<_> = url.path_segments().unwrap().collect();
                    prop_assert_eq!(segments.len(), 4);
                    prop_assert_eq!((segments[0], segments[1], segments[3]), ("v2", "orgs", "end"));
                    prop_assert!(url.query().is_none() && url.fragment().is_none());
                    prop_assert!(base.own(url.as_str()).is_some());
                }
                Err(_) => prop_assert!(matches!(segment.as_str(), "" | "." | "..")),
            }
        }
    }
}
