//! The only table of undocumented behaviour in matching and evaluation.
//!
//! Invariant: if an answer would need a guess, the match carries the [`Unknown`]s that it depends
//! on, and the answer is *uncertain* exactly if it differs between two ways of settling them. No
//! other code decides an open question. Sources name the public manual or specification that is
//! silent or contradictory.

use std::fmt;

/// A question about the service's behaviour that its documentation leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unknown {
    /// `**.example.com` and the host `example.com`.
    Apex,
    /// `/data/**` and the folder `/data`.
    FolderItself,
    /// `/*` and the path `/`.
    EmptySegment,
    /// `/a/**/b` and the path `/a/b`.
    MiddleDoubleStar,
    /// The host `*`.
    LoneStar,
    /// `bedrock.*.example.com`, `*.*`: a wildcard label that is not the first, or nothing but
    /// wildcards.
    InnerWildcard,
    /// `api-*.example.com`, `/v*/x`: a wildcard for a part of a label or segment.
    PartialWildcard,
    /// `api?.example.com`.
    QuestionMark,
    /// `api[12].example.com`.
    CharacterClass,
    /// `/Data` and the path `/data`.
    Case,
    /// `Example.com` and the host `example.com`.
    HostCase,
    /// `example.com.` and the host `example.com`.
    HostDot,
    /// `bücher.example` and the host `xn--bcher-kva.example`.
    HostLetters,
    /// `**` and a connection straight to an address, decided like a name.
    AddressAsName,
    /// `**` and a connection straight to an address, decided like a block that holds it.
    AddressAsBlock,
    /// A rule that matches `localhost`, and the host `host.docker.internal`.
    Rewritten,
    /// A rule that matches `host.docker.internal`, which may never be asked for: the opposite of
    /// [`Self::Rewritten`].
    NotRewritten,
    /// `[2001:db8::1]:443` and `2001:db8::1`.
    Ipv6Literal,
    /// An address as the host of an HTTP rule.
    HttpAddress,
    /// `10.1.2.3/8`.
    CidrHostBits,
    /// `10.0.0.0/8:443`.
    CidrPort,
    /// `~/src` and a pattern such as `/home/**` that may cover home folders, and the other way
    /// round.
    HomeFolder,
    /// An HTTP path pattern that is not canonical.
    PatternForm,
    /// An HTTP request whose path is not canonical.
    RequestForm,
    /// A connection that the proxy cannot inspect, to a host that has HTTP rules.
    Uninspected,
    /// A resource that follows no documented syntax.
    Malformed,
    /// An action that this version does not know.
    Action,
    /// No policy of the domain in the organization.
    NoPolicy,
}

impl Unknown {
    /// Every open question, in the order of the table.
    pub const ALL: [Self; 28] = [
        Self::Apex,
        Self::FolderItself,
        Self::EmptySegment,
        Self::MiddleDoubleStar,
        Self::LoneStar,
        Self::InnerWildcard,
        Self::PartialWildcard,
        Self::QuestionMark,
        Self::CharacterClass,
        Self::Case,
        Self::HostCase,
        Self::HostDot,
        Self::HostLetters,
        Self::AddressAsName,
        Self::AddressAsBlock,
        Self::Rewritten,
        Self::NotRewritten,
        Self::Ipv6Literal,
        Self::HttpAddress,
        Self::CidrHostBits,
        Self::CidrPort,
        Self::HomeFolder,
        Self::PatternForm,
        Self::RequestForm,
        Self::Uninspected,
        Self::Malformed,
        Self::Action,
        Self::NoPolicy,
    ];

    /// The question, as a phrase that completes “it is not documented …”, and the statements of the
    /// public sources.
    #[must_use]
    pub fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Apex => (
                "whether `**.example.com` matches `example.com` itself",
                "the concepts manual lists only subdomains; HTTP paths include the bare path under `**`",
            ),
            Self::FolderItself => (
                "whether `/data/**` matches `/data` itself",
                "the file system manual says “any depth below”; HTTP paths include the bare path under `**`",
            ),
            Self::EmptySegment => {
                ("whether `/*` matches `/`", "the API describes `*` as within one segment")
            }
            Self::MiddleDoubleStar => (
                "whether `**` between two segments matches no segment",
                "the API documents `**` only at the end of a path",
            ),
            Self::LoneStar => (
                "what the host `*` matches",
                "the command line refuses it; an older kit specification takes it as every host",
            ),
            Self::InnerWildcard => (
                "whether a wildcard label is allowed anywhere but in front of a name",
                "the concepts manual shows `*.` and `**.` in front only",
            ),
            Self::PartialWildcard => (
                "whether `*` matches a part of a label or segment",
                "the concepts manual shows whole labels and segments only",
            ),
            Self::QuestionMark => (
                "whether `?` matches one character",
                "named in a first-party skill, absent from the manuals",
            ),
            Self::CharacterClass => (
                "whether `[…]` matches a set of characters",
                "named in a first-party skill, absent from the manuals",
            ),
            Self::Case => {
                ("whether paths are compared with case", "neither the API nor the manuals say")
            }
            Self::HostCase => (
                "whether a host in upper case matches the same name in lower case",
                "neither the API nor the manuals say; names of the DNS have no case",
            ),
            Self::HostDot => (
                "whether a host with a dot at the end matches the same name without it",
                "neither the API nor the manuals say",
            ),
            Self::HostLetters => (
                "whether a host with letters beyond ASCII matches its ASCII form",
                "neither the API nor the manuals say",
            ),
            Self::AddressAsName | Self::AddressAsBlock => (
                "whether a pattern of host names such as `**` decides a connection straight to an address",
                "the network manual wants a rule for the address, and says that a deny of its block wins",
            ),
            Self::Rewritten | Self::NotRewritten => (
                "whether `host.docker.internal` is rewritten to `localhost` before rules are asked",
                "a report says that the proxy does; the manuals say nothing",
            ),
            Self::Ipv6Literal => (
                "whether the service accepts an IPv6 address that is not a CIDR block",
                "known of the command line only",
            ),
            Self::HttpAddress => (
                "whether an address may be the host of an HTTP rule",
                "the API says domain or glob, the rule reference admits addresses",
            ),
            Self::CidrHostBits => (
                "how a CIDR block with host bits is read",
                "the manuals show network addresses only",
            ),
            Self::CidrPort => ("whether a CIDR block may have a port", "no source shows one"),
            Self::HomeFolder => (
                "where the home folder of the user is",
                "the file system manual: `~` is the home folder on every system, and formats are disjoint",
            ),
            Self::PatternForm => (
                "how a path pattern that is not canonical is read",
                "the manual requires canonical patterns",
            ),
            Self::RequestForm => (
                "how a request path that is not canonical is normalised",
                "known only of approvals, where it stays blocked",
            ),
            Self::Uninspected => (
                "whether a connection that is not HTTP may be opened to a host that has HTTP rules",
                "the concepts manual blocks what cannot be inspected, and says that HTTP rules never match other traffic",
            ),
            Self::Malformed => (
                "what a resource without a documented syntax matches",
                "the API does not say whether it validates",
            ),
            Self::Action => (
                "what an action that this version does not know governs",
                "the API lists thirteen actions",
            ),
            Self::NoPolicy => (
                "whether anything is denied in a domain for which the organization has no policy",
                "the manuals say default deny; a lab saw local rules come back",
            ),
        }
    }

    /// The opposite question.
    pub(super) fn opposite(self) -> Option<Self> {
        (self == Self::NotRewritten).then_some(Self::Rewritten)
    }

    /// Returns `true` if the answer may differ between two rules that raise the question.
    pub(crate) fn is_per_rule(self) -> bool {
        matches!(self, Self::Malformed | Self::Action | Self::PatternForm)
    }

    fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is not documented {}", self.entry().0)
    }
}

/// A set of open questions that must all be settled in favour for a match; empty for a certain
/// match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unknowns {
    open: u32,
    /// The usual places of home folders, a bit each, where the home folder of the user must not be.
    /// There is one home folder, so that matches in different places never hold together.
    not_at: u32,
}

impl Unknowns {
    /// No open question.
    pub const NONE: Self = Self { open: 0, not_at: 0 };

    /// The question [`Unknown::HomeFolder`], settled in favour where the home folder is in one
    /// usual place.
    pub(super) fn at_home(place: u32) -> Self {
        Self { open: Unknown::HomeFolder.bit(), not_at: !(1 << place) }
    }

    /// The usual places where the home folder may be for the match to hold, a bit each; `None`
    /// where it does not matter.
    pub(super) fn homes(self) -> Option<u32> {
        self.contains(Unknown::HomeFolder).then_some(!self.not_at)
    }

    /// The set for a match that holds in the home folders of both, where nothing else tells them
    /// apart.
    pub(super) fn at_either_home(self, other: Self) -> Option<Self> {
        let merged = Self { open: self.open, not_at: self.not_at & other.not_at };
        (self.open == other.open).then_some(merged)
    }

    /// Returns `true` if there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.open == 0
    }

    /// The union of both sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { open: self.open | other.open, not_at: self.not_at | other.not_at }
    }

    /// The set without one question.
    #[must_use]
    pub fn without(self, unknown: Unknown) -> Self {
        let not_at = if unknown == Unknown::HomeFolder { 0 } else { self.not_at };
        Self { open: self.open & !unknown.bit(), not_at }
    }

    /// Returns `true` if every question of this set is also in `other`.
    #[must_use]
    pub fn is_subset(self, other: Self) -> bool {
        self.open & !other.open == 0 && self.not_at & !other.not_at == 0
    }

    /// Returns `true` if the question is among them.
    #[must_use]
    pub fn contains(self, unknown: Unknown) -> bool {
        self.open & unknown.bit() != 0
    }

    /// The questions, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Unknown> {
        Unknown::ALL.into_iter().filter(move |unknown| self.contains(*unknown))
    }
}

impl From<Unknown> for Unknowns {
    fn from(unknown: Unknown) -> Self {
        Self { open: unknown.bit(), not_at: 0 }
    }
}
