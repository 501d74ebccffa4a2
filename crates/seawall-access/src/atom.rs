//! The kinds of access that a request asks for.

use std::fmt;

/// The object of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    /// Opening a TCP connection of whatever protocol.
    Tcp,
    /// Sending UDP datagrams.
    Udp,
    /// An HTTP request; the method in lower case.
    Http(&'static str),
    /// Mounting a folder: its read half.
    Read,
    /// Mounting a folder: its write half.
    Write,
}

impl Atom {
    /// The action; empty for a request, which its method stands for.
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
