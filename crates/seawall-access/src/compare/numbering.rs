//! The members of change classes by number: their identity, an example of each, and its matches.
//!
//! Invariant: an example belongs to its cell, at an address at which the change occurs.

use std::borrow::Cow;

use ipnet::IpNet;

use crate::address::AddressClass;
use crate::atom::Atom;
use crate::clause::{Actions, Target};
use crate::hash::{HashMap, HashSet};
use crate::model::Decision;
use crate::parallel;
use crate::ranges::Known;
use crate::trie::Hit;
use crate::universe::{Host, HostClass, RequestClass, Requests, Universe};
use crate::unknowns::Unknown;
use crate::witness::Witness;

use super::change_classes::{At, ChangeClass, ChangeClasses, Kind, request_offsets};

/// The universe with its requests numbered.
pub(super) struct Numbering<'a> {
    universe: &'a Universe,
    change_classes: &'a ChangeClasses,
    /// The numbers at which the requests of each host start.
    pub(super) offsets: Vec<usize>,
    /// The matches of each class of folders.
    folders: HashSet<&'a [Hit]>,
    /// The matches of classes of requests, and their methods, in the order of
    /// [`Universe::requests`]; none unless requests are reported.
    requests: Vec<HashMap<Vec<Hit>, Actions>>,
}

impl<'a> Numbering<'a> {
    pub(super) fn new(universe: &'a Universe, change_classes: &'a ChangeClasses) -> Self {
        let folders = universe.folders.iter().map(|class| class.hits.as_slice()).collect();
        let is_reported = change_classes.reports(Kind::Requests);
        let of_hosts = universe.requests.iter().filter(|_| is_reported).collect();
        let requests = parallel::map(of_hosts, 2, |of_host: &Requests| {
            let mut all: HashMap<Vec<Hit>, Actions> = HashMap::default();
            for own in of_host.list() {
                let methods = all.entry(universe.request_hits(of_host, own)).or_default();
                *methods = methods.union(own.methods);
            }
            all
        });
        Self { universe, change_classes, offsets: request_offsets(universe), folders, requests }
    }

    pub(super) fn host(&self, at: usize) -> &'a HostClass {
        self.universe.hosts.get(at).expect("a host of this universe")
    }

    /// The port and the address of a member.
    pub(super) fn of_any_address(&self, member: usize) -> (&'a HostClass, &'a AddressClass) {
        let port = self.universe.ports_of_any_address().get(member / self.universe.addresses.len());
        let class = self.universe.addresses.get(member % self.universe.addresses.len());
        port.zip(class).expect("a port and an address of this universe")
    }

    /// The position of the host of a request.
    fn host_of(&self, number: usize) -> usize {
        self.offsets.partition_point(|offset| *offset <= number).saturating_sub(1)
    }

    /// The position of the host that a number represents as a whole, because no HTTP clause covers
    /// it.
    pub(super) fn uncovered(&self, number: usize) -> Option<usize> {
        let at = self.host_of(number);
        self.universe.requests_of(self.host(at)).list().is_empty().then_some(at)
    }

    /// The host and the request of a number.
    pub(super) fn request(&self, number: usize) -> (&'a HostClass, Option<&'a RequestClass>) {
        let at = self.host_of(number);
        let class = self.host(at);
        let first = self.offsets.get(at).copied().unwrap_or_default();
        (class, self.universe.requests_of(class).list().get(number - first))
    }

    /// An example of a path of a request; `None` where a number represents a whole host.
    pub(super) fn path(&self, number: usize) -> Option<String> {
        let (class, request) = self.request(number);
        Some(self.universe.requests_of(class).path(request?))
    }

    /// The matches of the HTTP clauses on a request.
    fn request_hits(&self, number: usize) -> Option<Vec<Hit>> {
        let (class, request) = self.request(number);
        Some(self.universe.request_hits(self.universe.requests_of(class), request?))
    }

    /// Returns `true` if a member differs from a name in rules only in letter case.
    pub(super) fn is_respelled(&self, kind: Kind, member: usize) -> bool {
        match kind {
            Kind::Folders => self.universe.folders.get(member).is_some_and(|class| class.respelled),
            Kind::Requests => {
                let (class, request) = self.request(member);
                let requests = self.universe.requests_of(class);
                request.is_some_and(|request| requests.is_respelled(request))
            }
            Kind::Hosts | Kind::Addresses => false,
        }
    }

    /// Returns `true` if a member is like another one if letter case matters.
    pub(super) fn follows(&self, cell: &ChangeClass, member: usize) -> bool {
        let cased = |own: &[Hit]| -> Vec<Hit> {
            own.iter().filter(|hit| !hit.unknowns.contains(Unknown::Case)).copied().collect()
        };
        let differ = |own: &[Hit]| own.iter().any(|hit| hit.unknowns.contains(Unknown::Case));
        match (cell.kind, cell.atom) {
            (Kind::Folders, _) => self.universe.folders.get(member).is_some_and(|class| {
                // A single folder has its own name, which may be an exception.
                !class.single
                    && differ(&class.hits)
                    && self.folders.contains(cased(&class.hits).as_slice())
            }),
            (Kind::Requests, Atom::Http(method)) => {
                let all = self.requests.get(self.request(member).0.requests);
                self.request_hits(member).zip(all).is_some_and(|(hits, all)| {
                    let methods = || all.get(&cased(&hits));
                    differ(&hits)
                        && methods().is_some_and(|methods| methods.meets(Actions::method(method)))
                })
            }
            (Kind::Requests | Kind::Hosts | Kind::Addresses, _) => false,
        }
    }

    /// Returns `true` if a member may be another spelling of a name in some rules. A single folder
    /// has its own name.
    pub(super) fn may_be_respelled(&self, kind: Kind, member: usize) -> bool {
        let hits = match kind {
            Kind::Folders => self
                .universe
                .folders
                .get(member)
                .filter(|class| !class.single)
                .map(|class| Cow::Borrowed(class.hits.as_slice())),
            Kind::Requests => self.request_hits(member).map(Cow::Owned),
            Kind::Hosts | Kind::Addresses => None,
        };
        let in_doubt = |hit: &Hit| {
            hit.unknowns.contains(Unknown::Case) || hit.unknowns.contains(Unknown::HomeFolder)
        };
        hits.is_some_and(|hits| hits.iter().any(in_doubt))
    }

    /// The rank of a member as an example: a name before an address, the usual port, the simplest.
    pub(super) fn rank(&self, kind: Kind, member: usize) -> (bool, bool, usize) {
        let host = match kind {
            Kind::Hosts => Some(self.host(member)),
            Kind::Requests => Some(self.request(member).0),
            Kind::Folders | Kind::Addresses => None,
        };
        host.map_or((false, false, member), |class| {
            (class.host == Host::AnyAddress, class.port != 443, member)
        })
    }

    /// An address at which the change occurs, if it does not occur at all of them. `can` needs no
    /// address if all others are denied, or if it is one that the host usually does not have.
    fn address(&self, at: At, host: &Host) -> Option<&'a AddressClass> {
        let classes = self.change_classes.places(at)?;
        let first = self.universe.addresses.get(*classes.first()?)?;
        let Host::Name { name, .. } = host else { return Some(first) };
        let known = Known::from_name(name);
        let hardly = |class: &AddressClass| {
            let clauses = || class.hits.iter().map(|hit| self.universe.clause(hit));
            let narrowest =
                clauses().filter_map(|clause| clause.target.block()).max_by_key(IpNet::prefix_len);
            clauses().all(|clause| clause.decision == Decision::Deny)
                && narrowest.is_some_and(|block| known.hardly_has(&block))
        };
        let mut others =
            (0..).zip(&self.universe.addresses).filter(|(class, _)| !classes.contains(class));
        (!first.hits.is_empty() || others.any(|(_, class)| !hardly(class))).then_some(first)
    }

    /// The clauses on an address at which the change occurs.
    pub(super) fn address_hits(&self, cell: &ChangeClass, member: usize) -> &'a [Hit] {
        let class = match cell.kind {
            Kind::Hosts => Some(self.host(member)),
            Kind::Requests => Some(self.request(member).0),
            Kind::Folders | Kind::Addresses => return &[],
        };
        let own = class.and_then(|class| self.universe.own_address(class));
        let at = own
            .or_else(|| {
                self.change_classes.places(cell.at).and_then(|classes| classes.first().copied())
            })
            .unwrap_or_default();
        self.universe.addresses.get(at).map(|class| class.hits.as_slice()).unwrap_or_default()
    }

    pub(super) fn witness(&self, cell: &ChangeClass, member: usize) -> Witness {
        let address =
            |host: &HostClass| self.address(cell.at, &host.host).map(|class| class.witness);
        match cell.kind {
            Kind::Folders => {
                let labels = self.universe.folders.get(member).map(|class| class.labels.as_slice());
                Witness::folder(cell.atom, labels.unwrap_or_default())
            }
            Kind::Hosts => {
                let host = self.host(member);
                Witness::host(cell.atom, host, None, address(host))
            }
            Kind::Requests => {
                let class = self.request(member).0;
                Witness::host(cell.atom, class, self.path(member).as_deref(), address(class))
            }
            Kind::Addresses => {
                let (port, class) = self.of_any_address(member);
                // If rules name the address itself, another host must have it.
                let alike = |other: &&HostClass| {
                    matches!(other.host, Host::Name { .. }) && other.hits == port.hits
                };
                match self.universe.hosts.iter().find(alike).filter(|_| class.named) {
                    Some(host) => Witness::host(cell.atom, host, None, Some(class.witness)),
                    None => Witness::address(cell.atom, class.witness, port.port),
                }
            }
        }
    }

    /// Everything that matches a member, for the action of the cell.
    pub(super) fn hits(&self, cell: &ChangeClass, member: usize) -> Vec<Hit> {
        let own: Vec<Hit> = match cell.kind {
            Kind::Folders => self
                .universe
                .folders
                .get(member)
                .map(|class| class.hits.clone())
                .unwrap_or_default(),
            Kind::Hosts => self.host(member).hits.clone(),
            Kind::Requests => {
                let connections = self.request(member).0.hits.iter().copied();
                let connections = connections
                    .filter(|hit| matches!(self.universe.clause(hit).target, Target::Network(_)));
                connections.chain(self.request_hits(member).into_iter().flatten()).collect()
            }
            Kind::Addresses => {
                let (port, class) = self.of_any_address(member);
                [port.hits.as_slice(), class.hits.as_slice()].concat()
            }
        };
        own.into_iter().chain(self.address_hits(cell, member).iter().copied()).collect()
    }
}
