//! Clauses, the smallest parts of rules: one decision for some actions on one resource.
//!
//! Invariant: splitting, joining, renaming or reordering rules leaves their clauses as they are.

use ipnet::IpNet;

use crate::model::{Action, Decision, HttpResource, Layer, Resources, Rule};

use super::atom::Atom;
use super::host::{Destination, HostPattern};
use super::path::{self, PathPattern};
use super::pattern::{Sequence, Token};
use super::trie::{Hit, Trie};
use super::unknowns::{Unknown, Unknowns};

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Actions(pub(super) u16);

impl Actions {
    pub(super) const TCP: Self = Self(1);
    pub(super) const UDP: Self = Self(2);
    pub(super) const READ: Self = Self(4);
    pub(super) const WRITE: Self = Self(8);
    pub(super) const NETWORK: Self = Self(3);
    pub(super) const FILESYSTEM: Self = Self(12);
    pub(super) const HTTP: Self = Self(0x1ff << 4);

    /// The action for an HTTP method in lower case; empty for a method without an action.
    pub(super) fn method(method: &str) -> Self {
        Action::METHODS.iter().position(|own| *own == method).map_or(Self(0), |at| Self(16 << at))
    }

    /// The HTTP methods of the set, in lower case.
    pub(super) fn methods(self) -> impl Iterator<Item = &'static str> {
        Action::METHODS.into_iter().filter(move |method| self.meets(Self::method(method)))
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The first action in the service's order.
    pub(super) fn first(self) -> Option<Self> {
        self.single().next()
    }

    /// Each action separately.
    pub(super) fn single(self) -> impl Iterator<Item = Self> {
        (0..16).map(|bit| Self(1 << bit)).filter(move |one| self.meets(*one))
    }

    /// The action that a request requires.
    pub(super) fn needed(atom: Atom) -> Self {
        match atom {
            Atom::Tcp => Self::TCP,
            Atom::Udp => Self::UDP,
            Atom::Http(method) => Self::method(method).union(Self::TCP),
            Atom::Read => Self::READ,
            Atom::Write => Self::WRITE,
        }
    }

    fn from_action(action: &Action) -> Self {
        match action {
            Action::ConnectTcp => Self::TCP,
            Action::ConnectUdp => Self::UDP,
            Action::Read => Self::READ,
            Action::Write => Self::WRITE,
            Action::Request(method) => Self::method(method),
            Action::Unknown(_) => Self(0),
        }
    }
}

/// The target of a clause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Target {
    /// Hosts and addresses, for connections.
    Network(Destination),
    /// Requests to a host.
    Http(Destination, Sequence),
    /// Folders.
    Folder(Sequence),
}

impl Target {
    /// The port, if there is only one.
    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Self::Network(destination) | Self::Http(destination, _) => destination.port,
            Self::Folder(_) => None,
        }
    }

    /// The host, if the target has one.
    pub(super) fn host(&self) -> Option<&HostPattern> {
        Some(&self.destination()?.host)
    }

    /// The host and port, if the target has a host.
    pub(super) fn destination(&self) -> Option<&Destination> {
        match self {
            Self::Network(destination) | Self::Http(destination, _) => Some(destination),
            Self::Folder(_) => None,
        }
    }

    /// The pattern of host names, if the target has one.
    pub(super) fn names(&self) -> Option<&Sequence> {
        match self.host()? {
            HostPattern::Names(names) => Some(names),
            HostPattern::Address(_) | HostPattern::Cidr(_) => None,
        }
    }

    /// The CIDR block, if the target is one.
    pub(super) fn block(&self) -> Option<IpNet> {
        match self {
            Self::Network(Destination { host: HostPattern::Cidr(block), .. }) => Some(*block),
            Self::Network(_) | Self::Http(..) | Self::Folder(_) => None,
        }
    }

    /// Combines the path of a target for requests with those of others; `hit` is the match of its
    /// host.
    pub(super) fn insert_path(&self, paths: &mut Trie, hit: &Hit) {
        if let Self::Http(_, path) = self {
            insert_path(paths, path, hit.unknowns, hit.clause);
        }
    }
}

/// Adds the path of a request; `unknowns` are the open questions besides those of the path.
pub(super) fn insert_path(paths: &mut Trie, path: &Sequence, unknowns: Unknowns, number: u32) {
    paths.insert(path, unknowns, number);
    if path.tokens == [Token::One] {
        // `/*` may match `/`.
        let root = Sequence { tokens: Vec::new(), unknowns: Unknowns::NONE, bare: Unknowns::NONE };
        paths.insert(&root, unknowns.union(Unknown::EmptySegment.into()), number);
    }
}

/// One decision for some actions on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Clause {
    pub(super) target: Target,
    pub(super) decision: Decision,
    pub(super) actions: Actions,
    /// The open questions that the clause depends on, besides its target.
    pub(super) unknowns: Unknowns,
    /// Clauses of one group are in force together.
    pub(super) group: usize,
}

/// The clauses of a rule. Resources that never match give none.
pub(super) fn clauses(rule: &Rule, group: usize) -> Vec<Clause> {
    let of = RuleClauses::new(rule, group);
    match &rule.resources {
        Resources::Plain(resources) => resources.iter().flat_map(|own| of.plain(own)).collect(),
        Resources::Http(targets) => targets.iter().flat_map(|own| of.http(own)).collect(),
    }
}

/// Makes the clauses of the resources of a rule.
pub(super) struct RuleClauses<'a> {
    rule: &'a Rule,
    layer: Option<Layer>,
    actions: Actions,
    /// True if an action of the rule is unknown.
    has_unknown: bool,
    group: usize,
}

impl<'a> RuleClauses<'a> {
    pub(super) fn new(rule: &'a Rule, group: usize) -> Self {
        let actions = rule
            .actions
            .iter()
            .fold(Actions::default(), |all, action| all.union(Actions::from_action(action)));
        let has_unknown = rule.actions.iter().any(|action| action.layer().is_none());
        Self { rule, layer: rule.layer(), actions, has_unknown, group }
    }

    /// The actions on a resource that is a host, if all actions of the rule are known and about
    /// connections.
    pub(super) fn connections(&self) -> Option<Actions> {
        (self.layer == Some(Layer::Network) && !self.has_unknown)
            .then(|| self.actions.intersection(Actions::NETWORK))
    }

    /// The clauses of a `resources` entry.
    pub(super) fn plain(&self, resource: &str) -> Vec<Clause> {
        let mut clauses = Vec::new();
        if self.layer != Some(Layer::Filesystem) {
            clauses
                .extend(self.on(Target::Network(Destination::parse(resource)), Actions::NETWORK));
        }
        if self.layer != Some(Layer::Network)
            && let PathPattern::Folders(folders) = PathPattern::parse(resource)
        {
            clauses.extend(self.on(Target::Folder(folders), Actions::FILESYSTEM));
        }
        clauses
    }

    /// The clauses of an `http_resources` entry.
    pub(super) fn http(&self, resource: &HttpResource) -> Vec<Clause> {
        let destination = Destination::http(&resource.host, resource.port);
        let target = Target::Http(destination, path::http_pattern(&resource.path));
        self.on(target, Actions::HTTP).collect()
    }

    fn on(&self, target: Target, layer: Actions) -> impl Iterator<Item = Clause> {
        let known = self.actions.intersection(layer);
        // An unknown action may concern everything in its layer.
        let rest = if self.has_unknown { layer.difference(known) } else { Actions::default() };
        let clause = |target, actions, unknowns| Clause {
            target,
            decision: self.rule.decision,
            actions,
            unknowns,
            group: self.group,
        };
        let is_some = |actions: Actions| actions != Actions::default();
        let doubtful = is_some(rest).then(|| clause(target.clone(), rest, Unknown::Action.into()));
        let certain = is_some(known).then(|| clause(target, known, Unknowns::NONE));
        certain.into_iter().chain(doubtful)
    }
}
