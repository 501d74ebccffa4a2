//! An example request, in the form that `can` and access tests take.

use std::fmt;
use std::net::IpAddr;

use super::atom::Atom;
use super::path::folder_text;
use super::universe::{Host, HostClass};

/// A concrete request. Its text is the form for `can`; an address that the host must resolve to
/// follows after `at`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    atom: Atom,
    /// A host with its port and path, or a folder.
    object: String,
    address: Option<IpAddr>,
}

impl Witness {
    pub(super) fn folder(atom: Atom, labels: &[String]) -> Self {
        Self { atom, object: folder_text(labels), address: None }
    }

    /// A connection straight to an address.
    pub(super) fn address(atom: Atom, address: IpAddr, port: u16) -> Self {
        Self { atom, object: format!("{}:{port}", bracketed(address)), address: None }
    }

    /// The object of the request, without the action.
    pub(super) fn object(&self) -> &str {
        &self.object
    }

    pub(super) fn host(
        atom: Atom,
        class: &HostClass,
        path: Option<&str>,
        address: Option<IpAddr>,
    ) -> Self {
        let (host, address) = match &class.host {
            Host::Name { name, .. } => (name.clone(), address),
            Host::Address(own) => (bracketed(*own), None),
            Host::AnyAddress => (bracketed(address.unwrap_or(IpAddr::from([192, 0, 2, 1]))), None),
        };
        let port = class.port;
        let object = match (atom, port) {
            (Atom::Tcp | Atom::Udp | Atom::Read | Atom::Write, _) => format!("{host}:{port}"),
            (Atom::Http(_), 443) => format!("https://{host}{}", path.unwrap_or("/")),
            (Atom::Http(_), 80) => format!("http://{host}{}", path.unwrap_or("/")),
            (Atom::Http(_), _) => format!("https://{host}:{port}{}", path.unwrap_or("/")),
        };
        Self { atom, object, address }
    }
}

pub(super) fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.atom, self.object)?;
        match self.address {
            Some(address) => write!(f, " at {address}"),
            None => Ok(()),
        }
    }
}
