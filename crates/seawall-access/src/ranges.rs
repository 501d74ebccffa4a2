//! Reserved ranges of addresses, and the names that may have such an address.
//!
//! Source: the registries of special-purpose addresses (RFC 6890), and the documentation of
//! metadata services by clouds. Ranges for documentation are left out, since they represent public
//! ones.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The purpose for which a range of addresses is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The service that provides the credentials of a machine.
    Metadata,
    /// Hosts on the same link.
    LinkLocal,
    /// The machine itself.
    Loopback,
    /// Networks of an organization.
    Private,
    /// Any other purpose that is not a single host.
    Reserved,
}

impl Purpose {
    /// A short phrase for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "metadata service",
            Self::LinkLocal => "link-local",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Reserved => "reserved",
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length))
}

const fn v6(a: u16, b: u16, last: u16, length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, last), length))
}

/// The ranges; the narrower of two overlapping ones comes first.
pub const SET_ASIDE: [(IpNet, Purpose); 20] = [
    (v4(169, 254, 169, 254, 32), Purpose::Metadata),
    (v4(100, 100, 100, 200, 32), Purpose::Metadata),
    (v4(168, 63, 129, 16, 32), Purpose::Metadata),
    (v6(0xfd00, 0xec2, 0, 32), Purpose::Metadata),
    (v6(0xfd20, 0xce, 0, 32), Purpose::Metadata),
    (v4(169, 254, 0, 0, 16), Purpose::LinkLocal),
    (v6(0xfe80, 0, 0, 10), Purpose::LinkLocal),
    (v4(127, 0, 0, 0, 8), Purpose::Loopback),
    (v6(0, 0, 1, 128), Purpose::Loopback),
    (v4(10, 0, 0, 0, 8), Purpose::Private),
    (v4(172, 16, 0, 0, 12), Purpose::Private),
    (v4(192, 168, 0, 0, 16), Purpose::Private),
    (v4(100, 64, 0, 0, 10), Purpose::Private),
    (v6(0xfc00, 0, 0, 7), Purpose::Private),
    (v4(0, 0, 0, 0, 8), Purpose::Reserved),
    (v4(192, 0, 0, 0, 24), Purpose::Reserved),
    (v4(198, 18, 0, 0, 15), Purpose::Reserved),
    (v4(224, 0, 0, 0, 3), Purpose::Reserved),
    (v6(0, 0, 0, 128), Purpose::Reserved),
    (v6(0xff00, 0, 0, 8), Purpose::Reserved),
];

/// The purpose of a whole block.
#[must_use]
pub fn purpose(block: &IpNet) -> Option<Purpose> {
    SET_ASIDE.iter().find(|(range, _)| range.contains(block)).map(|(_, purpose)| *purpose)
}

/// The parties that know a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// Single machines, or their network.
    Locally,
    /// Possibly only the organization.
    Privately,
    /// Everybody: it ends like names of the public DNS.
    Publicly,
}

impl Known {
    /// The parties that know this name.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let local = ["internal", "local", "localhost", "localdomain", "arpa"];
        match name.rsplit_once('.') {
            None => Self::Locally,
            Some((_, last)) if local.contains(&last) => Self::Locally,
            Some(_) if psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known()) => {
                Self::Publicly
            }
            Some(_) => Self::Privately,
        }
    }

    /// Returns `true` if such a name usually has no address in a block: a name in the public DNS
    /// has a public address, and only locally known names resolve to loopback and link-local
    /// addresses.
    #[must_use]
    pub fn hardly_has(self, block: &IpNet) -> bool {
        match purpose(block) {
            None => false,
            Some(Purpose::Private) => self == Self::Publicly,
            Some(
                Purpose::Metadata | Purpose::LinkLocal | Purpose::Loopback | Purpose::Reserved,
            ) => self != Self::Locally,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_hardly_resolves_to() {
        for (name, block, expected) in [
            ("api.github.com", "169.254.0.0/16", true),
            ("api.github.com", "169.254.169.254/32", true),
            ("api.github.com", "fd00:ec2::254/128", true),
            ("api.github.com", "127.0.0.0/8", true),
            ("api.github.com", "10.1.0.0/16", true), // a name of the public DNS
            ("db.corp.example", "10.1.0.0/16", false), // an organization's own name may
            ("db.corp.example", "169.254.0.0/16", true), // but is hardly on the same link
            ("localhost", "127.0.0.0/8", false),
            ("metadata.google.internal", "169.254.169.254/32", false),
            ("printer.local", "169.254.0.0/16", false),
            ("api.github.com", "140.82.112.0/20", false), // an ordinary block
            ("api.github.com", "203.0.113.0/24", false),  // stands for one
            ("api.github.com", "0.0.0.0/0", false),
            ("api.github.com", "8.0.0.0/6", false), // more than the private range in it
        ] {
            let block: IpNet = block.parse().expect(block);
            assert_eq!(Known::from_name(name).hardly_has(&block), expected, "{name} {block}");
        }
    }
}
