//! Every request that a set of rules distinguishes.
//!
//! Hosts, ports, addresses, HTTP requests and folders are split into classes separately. Hosts and
//! addresses are combined only in [`Universe::points`], which merges equivalent classes, so that a
//! hundred thousand hosts beside a thousand blocks stay a hundred thousand and a thousand.
//! Invariant: every request has the same matches as one of the points, in any letter case and
//! place, unless only [`Spelling::Written`] was requested. If rules have too many distinctions to
//! explore, the universe has the classes that suffice ([`essential`]); if these are too many as
//! well, that is reported ([`SurveyLimit`]), and none are there.

mod requests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::hash::HashMap;
use crate::model::Rule;
use crate::parallel;

use super::address::{AddressClass, Blocks, address_classes};
use super::classes::{Alphabet, Class, Spelling, classes};
use super::clause::{Clause, Target, clauses};
use super::essential::{Part, Patterns, Sequences, Wanted, Why, essential};
use super::glob::TooMany;
use super::host::{HOST_ALIAS, HostPattern, LOCAL_HOST, labels};
use super::path;
use super::target_index::around;
use super::trie::{Case, Hit, Trie};
use super::unknowns::Unknown;

pub(super) use requests::{RequestClass, Requests};

/// The requests that a set of rules distinguishes.
#[derive(Debug)]
pub struct Universe {
    pub(super) clauses: Vec<Clause>,
    pub(super) blocks: Blocks,
    /// The classes of addresses by what matches them.
    pub(super) places: HashMap<Vec<Hit>, usize>,
    pub(super) hosts: Vec<HostClass>,
    pub(super) addresses: Vec<AddressClass>,
    /// By the HTTP clauses that cover a host.
    pub(super) requests: Vec<Requests>,
    pub(super) folders: Vec<Class>,
    pub(super) spelling: Spelling,
}

/// A kind of target with more distinctions than can be explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SurveyLimit {
    /// Names of hosts.
    Hosts,
    /// Paths of HTTP requests.
    Paths,
    /// Folders.
    Folders,
}

impl SurveyLimit {
    /// Returns `true` if it includes the kind of the target.
    pub(super) fn is_about(self, target: &Target) -> bool {
        match (self, target) {
            (Self::Folders, Target::Folder(_))
            | (Self::Hosts | Self::Paths, Target::Network(_) | Target::Http(..)) => true,
            (Self::Folders, Target::Network(_) | Target::Http(..))
            | (Self::Hosts | Self::Paths, Target::Folder(_)) => false,
        }
    }
}

impl fmt::Display for SurveyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Hosts => "hosts",
            Self::Paths => "paths of HTTP requests",
            Self::Folders => "folders",
        };
        write!(f, "the wildcards of the rules distinguish more {what} than can be compared")
    }
}

/// Hosts with a port that the same clauses match.
#[derive(Clone, Debug)]
pub(super) struct HostClass {
    pub(super) host: Host,
    pub(super) port: u16,
    /// True if the port represents all ports that no rule names.
    pub(super) other_port: bool,
    /// The matches of clauses for connections and of HTTP clauses that cover the host; sorted.
    pub(super) hits: Vec<Hit>,
    /// The position in [`Universe::requests`].
    pub(super) requests: usize,
}

/// A member of a class of hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Host {
    /// A name, which resolves to some address; the only member of its class, or one of several.
    Name { name: String, single: bool },
    /// An address that rules name.
    Address(IpAddr),
    /// Any other address.
    AnyAddress,
}

const HOSTS: Alphabet = Alphabet {
    closed: |_| &[],
    allowed: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_',
    whole: |start| start.length > 0,
};

const DRIVES: [&str; 26] = [
    "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U",
    "V", "W", "X", "Y", "Z", "A", "B",
];

const FOLDERS: Alphabet = Alphabet {
    closed: |start| match (start.first, start.length) {
        (None, _) => &[path::UNIX, path::HOME, path::DRIVE, path::WSL, path::SHARE],
        (Some(path::DRIVE), 1) => &DRIVES,
        _ => &[],
    },
    allowed: |c| c.is_ascii_graphic() && !matches!(c, '/' | '\\'),
    whole: |start| path::is_whole(start.first, start.length),
};

impl Universe {
    /// Splits the targets of rules, to find which groups share a request. Rules of one group are in
    /// force together: a caller that puts rules with the same audiences into one group gets fewer
    /// points.
    ///
    /// # Errors
    ///
    /// Returns the kind of target of which there are too many.
    pub fn build<'a>(
        rules: impl IntoIterator<Item = (&'a Rule, usize)>,
    ) -> Result<Self, SurveyLimit> {
        let clauses = rules.into_iter().flat_map(|(rule, group)| clauses(rule, group)).collect();
        whole(Self::divide(clauses, Spelling::Any, &Wanted::new(Why::Shared)))
    }

    /// Splits the targets that overlap a rule of a group that changes, to judge every state between
    /// two: everything that [`Self::points_about`] these groups needs. `ends` returns if a group
    /// exists in the first and in the second state. Targets have the letter case of the rules,
    /// which suffices if each world is judged separately.
    ///
    /// # Errors
    ///
    /// Returns the kind of target of which there are too many.
    pub fn build_about<'a>(
        rules: impl IntoIterator<Item = (&'a Rule, usize)>,
        changes: impl Fn(usize) -> bool + Sync,
        ends: impl Fn(usize) -> [bool; 2] + Sync,
    ) -> Result<Self, SurveyLimit> {
        let part = |group: usize| {
            let [old, new] = ends(group);
            Part { old, new, changes: changes(group) }
        };
        let wanted = Wanted::new(Why::Change { part: &part, between: true });
        let clauses = around(rules.into_iter().collect(), &changes);
        whole(Self::divide(clauses, Spelling::Written, &wanted))
    }

    /// Splits the targets of clauses. A part that is cut is left out: everything about hosts, or
    /// all folders.
    pub(super) fn divide(
        clauses: Vec<Clause>,
        spelling: Spelling,
        wanted: &Wanted<'_>,
    ) -> (Self, BTreeSet<SurveyLimit>) {
        let mut index = Index::new(&clauses);
        let nodes = wanted.effort.nodes;
        let names = || classes(&index.names, &HOSTS, spelling, nodes);
        let (names, folders) =
            parallel::both(names, || classes(&index.folders, &FOLDERS, spelling, nodes));
        let names = names.or_else(|TooMany| index.essential_names(&clauses, wanted));
        let folders = folders.or_else(|TooMany| index.essential_folders(&clauses, wanted));
        let mut cuts = BTreeSet::new();
        cuts.extend(names.is_err().then_some(SurveyLimit::Hosts));
        cuts.extend(folders.is_err().then_some(SurveyLimit::Folders));
        let blocks = std::mem::take(&mut index.blocks);
        let addresses = address_classes(&blocks, &index.literals.keys().copied().collect());
        let mut universe = Self {
            places: addresses.iter().map(|class| class.hits.clone()).zip(0..).collect(),
            addresses,
            hosts: Vec::new(),
            requests: Vec::new(),
            folders: folders.unwrap_or_default(),
            spelling,
            blocks,
            clauses,
        };
        if let Ok(names) = names
            && universe.add_hosts(&index, &names, wanted).is_err()
        {
            cuts.insert(SurveyLimit::Paths);
            universe.hosts.clear();
            universe.requests.clear();
        }
        (universe, cuts)
    }

    fn add_hosts(
        &mut self,
        index: &Index,
        names: &[Class],
        wanted: &Wanted<'_>,
    ) -> Result<(), TooMany> {
        let mut sets = HttpSets::default();
        // Most names have a class of a port, and one of all others.
        self.hosts.reserve(2 * names.len());
        self.add_host(Host::AnyAddress, &index.hits_of_any_address(), &mut sets);
        for &address in index.literals.keys() {
            self.add_host(Host::Address(address), &index.hits_of_address(address), &mut sets);
        }
        if index.tells_host_alias {
            let host = Host::Name { name: HOST_ALIAS.to_owned(), single: true };
            self.add_host(host, &index.hits_of_name(&labels(HOST_ALIAS)), &mut sets);
        }
        for class in names {
            let name: Vec<&str> = class.labels.iter().rev().map(String::as_str).collect();
            let name = name.join(".");
            if !(index.tells_host_alias && name == HOST_ALIAS) {
                let host = Host::Name { name, single: class.single };
                self.add_host(host, &class.hits, &mut sets);
            }
        }
        self.requests = self.request_classes(sets.list, wanted)?;
        Ok(())
    }

    pub(super) fn clause(&self, hit: &Hit) -> &Clause {
        self.clauses.get(hit.clause as usize).expect("hits are of these clauses")
    }

    fn add_host(&mut self, host: Host, hits: &[Hit], sets: &mut HttpSets) {
        let named: BTreeSet<u16> =
            hits.iter().filter_map(|hit| self.clause(hit).target.port()).collect();
        let other = [443, 80, 8443].into_iter().chain(1..).find(|port| !named.contains(port));
        let mut ports: Vec<u16> = other.into_iter().chain(named).collect();
        ports.sort_by_key(|port| *port != 443);
        for port in ports {
            let other_port = Some(port) == other;
            let on_port = |hit: &&Hit| self.clause(hit).target.port().is_none_or(|own| own == port);
            let mut own = Vec::with_capacity(hits.iter().filter(on_port).count());
            own.extend(hits.iter().filter(on_port).copied());
            let hits = own;
            let http: Vec<Hit> = hits
                .iter()
                .filter(|hit| matches!(self.clause(hit).target, Target::Http(..)))
                .copied()
                .collect();
            let requests = sets.number(http);
            self.hosts.push(HostClass { host: host.clone(), port, other_port, hits, requests });
        }
    }
}

/// The sets of HTTP clauses that cover hosts.
#[derive(Default)]
struct HttpSets {
    numbers: HashMap<Vec<Hit>, usize>,
    list: Vec<Vec<Hit>>,
}

impl HttpSets {
    fn number(&mut self, hits: Vec<Hit>) -> usize {
        *self.numbers.entry(hits).or_insert_with_key(|hits| {
            self.list.push(hits.clone());
            self.list.len() - 1
        })
    }
}

/// A complete universe.
fn whole((universe, cuts): (Universe, BTreeSet<SurveyLimit>)) -> Result<Universe, SurveyLimit> {
    match cuts.first() {
        None => Ok(universe),
        Some(cut) => Err(*cut),
    }
}

/// All clauses, in tries.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) names: Trie,
    pub(super) folders: Trie,
    pub(super) literals: BTreeMap<IpAddr, Vec<Hit>>,
    pub(super) blocks: Blocks,
    /// True if other clauses match `host.docker.internal` than `localhost`.
    tells_host_alias: bool,
}

impl Index {
    pub(super) fn new(clauses: &[Clause]) -> Self {
        let (names, folders) = (Trie::new(Case::Folded), Trie::new(Case::Unknown));
        let (literals, blocks) = (BTreeMap::new(), Blocks::new());
        let mut index = Self { names, folders, literals, blocks, tells_host_alias: false };
        for (at, clause) in clauses.iter().enumerate() {
            let at = u32::try_from(at).expect("fewer clauses than bytes of policies");
            match &clause.target {
                Target::Folder(_) => insert_folder(&mut index.folders, clause, at),
                Target::Network(destination) | Target::Http(destination, _) => {
                    let hit =
                        Hit { clause: at, unknowns: clause.unknowns.union(destination.unknowns) };
                    match &destination.host {
                        HostPattern::Names(_) => insert_name(&mut index.names, clause, at),
                        HostPattern::Address(address) => {
                            index.literals.entry(*address).or_default().push(hit)
                        }
                        HostPattern::Cidr(block) => {
                            index.blocks.entry(*block).or_default().push(hit)
                        }
                    }
                }
            }
        }
        let clauses = |host: &str| -> Vec<u32> {
            index.walk(&labels(host)).into_iter().map(|hit| hit.clause).collect()
        };
        index.tells_host_alias = clauses(HOST_ALIAS) != clauses(LOCAL_HOST);
        index
    }

    /// The classes of names that suffice.
    fn essential_names(
        &self,
        clauses: &[Clause],
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Class>, TooMany> {
        let sequences: Sequences =
            |clause| clause.target.names().map(Cow::Borrowed).into_iter().collect();
        let insert: Insert = insert_name;
        essential_of(&self.names, &HOSTS, clauses, (insert, sequences), wanted)
    }

    /// The classes of folders that suffice.
    fn essential_folders(
        &self,
        clauses: &[Clause],
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Class>, TooMany> {
        let sequences: Sequences = |clause| match &clause.target {
            Target::Folder(folder) => vec![Cow::Borrowed(folder)],
            Target::Network(_) | Target::Http(..) => Vec::new(),
        };
        essential_of(&self.folders, &FOLDERS, clauses, (insert_folder, sequences), wanted)
    }

    /// The clauses on an address that is requested directly, without the blocks of the address.
    pub(super) fn hits_of_address(&self, address: IpAddr) -> Vec<Hit> {
        let mut hits = self.literals.get(&address).cloned().unwrap_or_default();
        hits.extend(self.hits_of_any_address());
        hits.sort_unstable();
        hits
    }

    /// The clauses on a host name; for [`HOST_ALIAS`] also those on its replacement.
    pub(super) fn hits_of_name(&self, name: &[String]) -> Vec<Hit> {
        let own = self.walk(name);
        if !name.iter().map(String::as_str).eq(HOST_ALIAS.split('.')) {
            return own;
        }
        let local = self.walk(&labels(LOCAL_HOST));
        let in_both = |hit: &Hit, others: &[Hit]| others.iter().any(|other| other == hit);
        let doubted = |hits: &[Hit], others: &[Hit], unknown: Unknown| -> Vec<Hit> {
            let apart = hits.iter().filter(|hit| !in_both(hit, others));
            apart.map(|hit| Hit { unknowns: hit.unknowns.union(unknown.into()), ..*hit }).collect()
        };
        let mut hits: Vec<Hit> = own.iter().filter(|hit| in_both(hit, &local)).copied().collect();
        hits.extend(doubted(&own, &local, Unknown::NotRewritten));
        hits.extend(doubted(&local, &own, Unknown::Rewritten));
        hits.sort_unstable();
        hits
    }

    fn walk(&self, labels: &[String]) -> Vec<Hit> {
        let last_first = labels.iter().rev();
        self.names.hits(
            &last_first.fold(self.names.start(), |state, label| self.names.step(&state, label)),
        )
    }

    /// The clauses on a folder.
    pub(super) fn hits_of_folder(&self, segments: &[String]) -> Vec<Hit> {
        self.folders.hits(&self.folders.walk(segments))
    }

    /// The clauses that may match any address: those on every host.
    pub(super) fn hits_of_any_address(&self) -> Vec<Hit> {
        // A label that is not a name, since an address has no labels.
        let mut hits = self.names.hits(&self.names.step(&self.names.start(), ":"));
        for hit in &mut hits {
            hit.unknowns = hit.unknowns.union(Unknown::AddressAsName.into());
        }
        hits
    }
}

type Insert = fn(&mut Trie, &Clause, u32);

fn insert_name(trie: &mut Trie, clause: &Clause, at: u32) {
    if let (Some(names), Some(destination)) = (clause.target.names(), clause.target.destination()) {
        trie.insert(names, clause.unknowns.union(destination.unknowns), at);
    }
}

fn insert_folder(trie: &mut Trie, clause: &Clause, at: u32) {
    if let Target::Folder(folder) = &clause.target {
        trie.insert(folder, clause.unknowns, at);
    }
}

fn essential_of(
    trie: &Trie,
    alphabet: &Alphabet,
    clauses: &[Clause],
    (insert, sequences): (Insert, Sequences),
    wanted: &Wanted<'_>,
) -> Result<Vec<Class>, TooMany> {
    let members = (0..).zip(clauses).filter(|(_, clause)| !sequences(clause).is_empty());
    let members: Vec<u32> = members.map(|(at, _)| at).collect();
    let insert = |trie: &mut Trie, at: u32| {
        let clause = clauses.get(at as usize).expect("members are of these clauses");
        insert(trie, clause, at);
    };
    essential(&Patterns { trie, alphabet, clauses, members, insert: &insert, sequences }, wanted)
}
