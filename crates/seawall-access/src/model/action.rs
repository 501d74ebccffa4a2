//! The actions of rules, and the layer of each.

use std::fmt;

/// One action of a rule, as the service spells it (`connect:tcp`, `request:get`, `read`, …).
///
/// Source: the `RuleActions` schema of the Docker AI Governance API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Open a TCP connection.
    ConnectTcp,
    /// Exchange UDP datagrams (experimental on the sandboxes' side).
    ConnectUdp,
    /// Mount a path for reading.
    Read,
    /// Mount a path for writing.
    Write,
    /// An HTTP request; the method in lower case as the service spells it after `request:`, one of
    /// [`Action::METHODS`].
    Request(&'static str),
    /// An action that the service knows and this version does not. Only live objects have one,
    /// since documents are checked against the schema. Access that depends on it is uncertain.
    Unknown(String),
}

/// The common layer of the actions of a rule; the service refuses rules with several layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// `connect:*` with `resources`.
    Network,
    /// `request:*` with `http_resources`.
    Http,
    /// `read` and `write` with `resources`.
    Filesystem,
}

impl Action {
    /// The HTTP methods that have an action, in the service's order.
    pub const METHODS: [&'static str; 9] =
        ["get", "post", "put", "delete", "patch", "head", "options", "connect", "trace"];

    /// Every action that a document may name, in the service's order.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::ConnectTcp, Self::ConnectUdp, Self::Read, Self::Write];
        all.extend(Self::METHODS.iter().map(|method| Self::Request(method)));
        all
    }

    /// Parses the service's spelling; any other text becomes [`Action::Unknown`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let method = text
            .strip_prefix("request:")
            .and_then(|method| Self::METHODS.iter().find(|known| **known == method));
        match (text, method) {
            (_, Some(method)) => Self::Request(method),
            ("connect:tcp", None) => Self::ConnectTcp,
            ("connect:udp", None) => Self::ConnectUdp,
            ("read", None) => Self::Read,
            ("write", None) => Self::Write,
            (_, None) => Self::Unknown(text.to_owned()),
        }
    }

    /// The layer; `None` for an action that this version does not know.
    #[must_use]
    pub fn layer(&self) -> Option<Layer> {
        match self {
            Self::ConnectTcp | Self::ConnectUdp => Some(Layer::Network),
            Self::Read | Self::Write => Some(Layer::Filesystem),
            Self::Request(_) => Some(Layer::Http),
            Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectTcp => f.write_str("connect:tcp"),
            Self::ConnectUdp => f.write_str("connect:udp"),
            Self::Read => f.write_str("read"),
            Self::Write => f.write_str("write"),
            Self::Request(method) => write!(f, "request:{method}"),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}
