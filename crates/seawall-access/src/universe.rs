//! Every request that a set of rules can tell from others.
//!
//! Hosts, ports, addresses, HTTP requests and folders are split into classes separately. A host meets an address only
//! in [`Universe::points`], where classes with the same meaning are one, so that a hundred thousand hosts beside a
//! thousand blocks stay a hundred thousand and a thousand. Invariant: whatever somebody asks for has the same matches
//! as one of the points, in whatever letter case and place it is written, unless [`Universe::is_complete`] is false or
//! only [`Spelling::Written`] was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::hash::HashMap;
use crate::model::Rule;
use crate::parallel;

use super::address::{AddressClass, Blocks, address_classes};
use super::classes::{Alphabet, Class, Spelling, classes};
use super::clause::{Actions, Clause, Target, clauses};
use super::host::{HOST_ALIAS, HostPattern, LOCAL_HOST, labels};
use super::path;
use super::trie::{Case, Hit, Trie};
use super::unknowns::Unknown;
use super::vicinity::around;

/// The requests that a set of rules can tell apart.
#[derive(Debug)]
pub struct Universe {
    pub(super) clauses: Vec<Clause>,
    pub(super) blocks: Blocks,
    /// The classes of addresses by what matches them.
    pub(super) places: HashMap<Vec<Hit>, usize>,
    pub(super) hosts: Vec<HostClass>,
    pub(super) addresses: Vec<AddressClass>,
    /// By the HTTP clauses that cover a host.
    pub(super) requests: Vec<Vec<RequestClass>>,
    pub(super) folders: Vec<Class>,
    spelling: Spelling,
    complete: bool,
}

/// Hosts with a port that the same clauses match.
#[derive(Clone, Debug)]
pub(super) struct HostClass {
    pub(super) host: Host,
    pub(super) port: u16,
    /// Whether the port stands for all that no rule names.
    pub(super) other_port: bool,
    /// Of clauses for connections and of HTTP clauses that cover the host; sorted.
    pub(super) hits: Vec<Hit>,
    /// The position in [`Universe::requests`].
    pub(super) requests: usize,
}

/// A member of a class of hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Host {
    /// A name, which resolves to some address; the only one of its class, or one of several.
    Name { name: String, single: bool },
    /// An address that rules name.
    Address(IpAddr),
    /// Any other address.
    AnyAddress,
}

/// HTTP requests to one host that the same clauses match.
#[derive(Clone, Debug)]
pub(super) struct RequestClass {
    pub(super) path: String,
    /// The methods of the class.
    pub(super) methods: Actions,
    /// Empty for requests that no HTTP clause matches.
    pub(super) hits: Vec<Hit>,
    /// Like [`Class::respelled`].
    pub(super) respelled: bool,
}

const HOSTS: Alphabet = Alphabet {
    closed: |_| &[],
    allowed: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_',
    whole: |labels| !labels.is_empty(),
};

const HTTP_PATHS: Alphabet = Alphabet {
    closed: |_| &[],
    allowed: |c| c.is_ascii_graphic() && !matches!(c, '/' | '%' | '?' | '#' | '\\'),
    whole: |_| true,
};

const DRIVES: [&str; 26] = [
    "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y",
    "Z", "A", "B",
];

const FOLDERS: Alphabet = Alphabet {
    closed: |labels| match labels {
        [] => &[path::UNIX, path::HOME, path::DRIVE, path::WSL, path::SHARE],
        [format] if format == path::DRIVE => &DRIVES,
        _ => &[],
    },
    allowed: |c| c.is_ascii_graphic() && !matches!(c, '/' | '\\'),
    whole: path::is_folder,
};

impl Universe {
    /// Splits what rules speak about. Rules of one group are in force together: a caller that gives rules which are
    /// always in force for the same audiences the same group gets fewer points.
    #[must_use]
    pub fn build<'a>(rules: impl IntoIterator<Item = (&'a Rule, usize)>) -> Self {
        Self::of(rules.into_iter().flat_map(|(rule, group)| clauses(rule, group)).collect(), Spelling::Any)
    }

    /// Splits what can meet a rule of such a group: all that [`Self::points_about`] these groups asks for. Targets are those
    /// in the rules' own letter case, which is enough for what is judged world by world.
    #[must_use]
    pub fn build_about<'a>(rules: impl IntoIterator<Item = (&'a Rule, usize)>, about: impl Fn(usize) -> bool) -> Self {
        Self::of(
            around(rules.into_iter().flat_map(|(rule, group)| clauses(rule, group)).collect(), about),
            Spelling::Written,
        )
    }

    /// Splits what clauses speak about.
    pub(super) fn of(clauses: Vec<Clause>, spelling: Spelling) -> Self {
        let index = Index::of(&clauses);
        let names = || classes(&index.names, &HOSTS, spelling);
        let (names, folders) = parallel::both(names, || classes(&index.folders, &FOLDERS, spelling));
        let addresses = address_classes(&index.blocks, &index.literals.keys().copied().collect());
        let mut universe = Self {
            places: addresses.iter().map(|class| class.hits.clone()).zip(0..).collect(),
            addresses,
            hosts: Vec::new(),
            requests: Vec::new(),
            folders: folders.list,
            spelling,
            complete: names.complete && folders.complete,
            blocks: index.blocks.clone(),
            clauses,
        };
        let mut sets = HashMap::default();
        universe.add_host(Host::AnyAddress, &index.hits_of_any_address(), &mut sets);
        for &address in index.literals.keys() {
            universe.add_host(Host::Address(address), &index.hits_of_address(address), &mut sets);
        }
        if index.tells_host_alias {
            let host = Host::Name { name: HOST_ALIAS.to_owned(), single: true };
            universe.add_host(host, &index.hits_of_name(&labels(HOST_ALIAS)), &mut sets);
        }
        for class in &names.list {
            let name: Vec<&str> = class.labels.iter().rev().map(String::as_str).collect();
            let name = name.join(".");
            if !(index.tells_host_alias && name == HOST_ALIAS) {
                universe.add_host(Host::Name { name, single: class.single }, &class.hits, &mut sets);
            }
        }
        universe
    }

    /// Whether every request is like one of the points. False only for patterns whose combinations explode.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    pub(super) fn clause(&self, hit: &Hit) -> &Clause {
        self.clauses.get(hit.clause as usize).expect("hits are of these clauses")
    }

    fn add_host(&mut self, host: Host, hits: &[Hit], sets: &mut HashMap<Vec<Hit>, usize>) {
        let named: BTreeSet<u16> = hits.iter().filter_map(|hit| self.clause(hit).target.port()).collect();
        let other = [443, 80, 8443].into_iter().chain(1..).find(|port| !named.contains(port));
        let mut ports: Vec<u16> = other.into_iter().chain(named).collect();
        ports.sort_by_key(|port| *port != 443);
        for port in ports {
            let other_port = Some(port) == other;
            let hits: Vec<Hit> = hits
                .iter()
                .filter(|hit| self.clause(hit).target.port().is_none_or(|own| own == port))
                .copied()
                .collect();
            let http: Vec<Hit> =
                hits.iter().filter(|hit| matches!(self.clause(hit).target, Target::Http(..))).copied().collect();
            let next = sets.len();
            let requests = *sets.entry(http).or_insert(next);
            if requests == self.requests.len() {
                let classes = self.request_classes(&hits);
                self.requests.push(classes);
            }
            self.hosts.push(HostClass { host: host.clone(), port, other_port, hits, requests });
        }
    }

    /// The classes of requests to a host; none where no HTTP clause covers it.
    fn request_classes(&mut self, hits: &[Hit]) -> Vec<RequestClass> {
        if !hits.iter().any(|hit| matches!(self.clause(hit).target, Target::Http(..))) {
            return Vec::new();
        }
        let mut trie = Trie::new(Case::Unknown);
        for hit in hits {
            self.clause(hit).target.insert_path(&mut trie, hit);
        }
        let paths = classes(&trie, &HTTP_PATHS, self.spelling);
        self.complete &= paths.complete;
        let mut list = Vec::new();
        let mut unmatched = Actions::default();
        for class in paths.list {
            let mut by_hits: BTreeMap<Vec<Hit>, Actions> = BTreeMap::new();
            for method in Actions::HTTP.single() {
                let hits: Vec<Hit> =
                    class.hits.iter().filter(|hit| self.clause(hit).actions.meets(method)).copied().collect();
                let methods = by_hits.entry(hits).or_default();
                *methods = methods.and(method);
            }
            let path = format!("/{}", class.labels.join("/"));
            for (hits, methods) in by_hits {
                // For each method, one request that no clause matches stands for all of them.
                let methods = if hits.is_empty() { methods.without(unmatched) } else { methods };
                if hits.is_empty() {
                    unmatched = unmatched.and(methods);
                }
                if methods != Actions::default() {
                    let (path, respelled) = (path.clone(), class.respelled);
                    list.push(RequestClass { path, methods, hits, respelled });
                }
            }
        }
        list
    }
}

/// All clauses, ready to be walked.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) names: Trie,
    pub(super) folders: Trie,
    pub(super) literals: BTreeMap<IpAddr, Vec<Hit>>,
    pub(super) blocks: Blocks,
    /// Whether `host.docker.internal` is matched by other clauses than `localhost`.
    tells_host_alias: bool,
}

impl Index {
    pub(super) fn of(clauses: &[Clause]) -> Self {
        let (names, folders) = (Trie::new(Case::Folded), Trie::new(Case::Unknown));
        let (literals, blocks) = (BTreeMap::new(), Blocks::new());
        let mut index = Self { names, folders, literals, blocks, tells_host_alias: false };
        for (at, clause) in clauses.iter().enumerate() {
            let at = u32::try_from(at).expect("fewer clauses than bytes of policies");
            match &clause.target {
                Target::Folder(folder) => index.folders.insert(folder, clause.unknowns, at),
                Target::Network(destination) | Target::Http(destination, _) => {
                    let hit = Hit { clause: at, unknowns: clause.unknowns.and(destination.unknowns) };
                    match &destination.host {
                        HostPattern::Names(names) => index.names.insert(names, hit.unknowns, at),
                        HostPattern::Address(address) => index.literals.entry(*address).or_default().push(hit),
                        HostPattern::Cidr(block) => index.blocks.entry(*block).or_default().push(hit),
                    }
                }
            }
        }
        let clauses =
            |host: &str| -> Vec<u32> { index.walk(&labels(host)).into_iter().map(|hit| hit.clause).collect() };
        index.tells_host_alias = clauses(HOST_ALIAS) != clauses(LOCAL_HOST);
        index
    }

    /// The clauses on an address that is asked for by itself, the address's blocks aside.
    pub(super) fn hits_of_address(&self, address: IpAddr) -> Vec<Hit> {
        let mut hits = self.literals.get(&address).cloned().unwrap_or_default();
        hits.extend(self.hits_of_any_address());
        hits.sort_unstable();
        hits
    }

    /// The clauses on a host name; of [`HOST_ALIAS`] also those on what it may be rewritten to.
    pub(super) fn hits_of_name(&self, name: &[String]) -> Vec<Hit> {
        let own = self.walk(name);
        if !name.iter().map(String::as_str).eq(HOST_ALIAS.split('.')) {
            return own;
        }
        let local = self.walk(&labels(LOCAL_HOST));
        let in_both = |hit: &Hit, others: &[Hit]| others.iter().any(|other| other == hit);
        let doubted = |hits: &[Hit], others: &[Hit], unknown: Unknown| -> Vec<Hit> {
            let apart = hits.iter().filter(|hit| !in_both(hit, others));
            apart.map(|hit| Hit { unknowns: hit.unknowns.and(unknown.into()), ..*hit }).collect()
        };
        let mut hits: Vec<Hit> = own.iter().filter(|hit| in_both(hit, &local)).copied().collect();
        hits.extend(doubted(&own, &local, Unknown::NotRewritten));
        hits.extend(doubted(&local, &own, Unknown::Rewritten));
        hits.sort_unstable();
        hits
    }

    fn walk(&self, labels: &[String]) -> Vec<Hit> {
        let last_first = labels.iter().rev();
        self.names.hits(&last_first.fold(self.names.start(), |state, label| self.names.step(&state, label)))
    }

    /// The clauses on a folder.
    pub(super) fn hits_of_folder(&self, segments: &[String]) -> Vec<Hit> {
        self.folders.hits(&segments.iter().fold(self.folders.start(), |state, label| self.folders.step(&state, label)))
    }

    /// The clauses that may match any address: those on every host.
    pub(super) fn hits_of_any_address(&self) -> Vec<Hit> {
        // One label that is no name, as an address has no labels.
        let mut hits = self.names.hits(&self.names.step(&self.names.start(), ":"));
        for hit in &mut hits {
            hit.unknowns = hit.unknowns.and(Unknown::AddressAsName.into());
        }
        hits
    }
}
