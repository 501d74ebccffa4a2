//! The HTTP client of a service, and its errors.
//!
//! Invariant: it follows no redirect, uses no proxy for this machine, and its errors contain no
//! URLs or secrets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::BaseUrl;
use super::refusal::safe;
use super::secret::Secrets;

/// The limits of a connection, in time and size.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The time to connect.
    pub connect: Duration,
    /// The time for one request and its whole answer.
    pub request: Duration,
    /// The time for all attempts of one call together; no wait may exceed it.
    pub total: Duration,
    /// The largest answer, in bytes, after decompression.
    pub body: usize,
    /// The number of concurrent calls.
    pub concurrency: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            total: Duration::from_secs(120),
            body: 32 << 20,
            concurrency: 8,
        }
    }
}

/// A client for the service below `base` only.
pub(super) fn client(base: &BaseUrl, limits: &Limits) -> Result<reqwest::Client, reqwest::Error> {
    // Only the first installation in a process takes effect, and no other provider is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("seawall/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect)
        .timeout(limits.request)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false);
    if base.is_loopback() {
        // A proxy is another machine, and a name server may resolve `localhost` to one.
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        builder = builder
            .no_proxy()
            .resolve_to_addrs("localhost", &loopback.map(|address| SocketAddr::new(address, 0)));
    }
    if base.is_plain() {
        builder = builder.tls_certs_only([]); // the system's certificates take time to read
    }
    builder.build()
}

/// The causes of the library's error, without the URL.
pub(super) fn causes(error: reqwest::Error, secrets: &Secrets) -> String {
    let error = error.without_url();
    let mut causes: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        let text = error.to_string();
        // The library's description of the position adds nothing to the message.
        if !text.starts_with("client error (") && !causes.iter().any(|known| known.contains(&text))
        {
            causes.push(text);
        }
        cause = error.source();
    }
    safe(&if causes.is_empty() { error.to_string() } else { causes.join(": ") }, secrets)
}
