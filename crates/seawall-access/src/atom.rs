//! The kinds of access that a request needs.

use std::fmt;

/// The object of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    /// A TCP connection with any protocol.
    Tcp,
    /// UDP datagrams.
    Udp,
    /// An HTTP request; the method in lower case.
    Http(&'static str),
    /// The read part of a mount.
    Read,
    /// The write part of a mount.
    Write,
}

impl Atom {
    /// The action; empty for an HTTP request, which has a method instead.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tcp => "connect:tcp",
            Self::Udp => "connect:udp",
            Self::Http(_) => "",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Http(method) = self {
            return f.write_str(&method.to_ascii_uppercase());
        }
        f.write_str(self.word())
    }
}
