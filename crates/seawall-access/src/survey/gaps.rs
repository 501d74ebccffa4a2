//! Requests that a deny leaves open although its readers believe them to be denied.
//!
//! Each kind of gap is a pair of requests: one that the deny matches, and a related one that a
//! reader expects to be denied with it. The engine decides both. It is a gap if somebody whom the
//! deny governs may make the second request, by a rule that would allow the first as well without
//! the deny: an exception that is narrower than it looks. A rule that allows only the second was
//! written for it.
//!
//! Invariant: the engine does not deny the request of a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::decide::Asked;
use super::{Item, Survey};
use crate::clause::{Actions, Target};
use crate::hash::{HashMap, HashSet};
use crate::host::{Destination, HostPattern};
use crate::model::{Decision, Scope};
use crate::parallel;
use crate::path;
use crate::pattern::{Sequence, Token};
use crate::point::Verdict;
use crate::request::{Host, Request};
use crate::trie::{ANY, HOMES};
use crate::unknowns::Unknown;

/// The relation of a request to a denied one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapKind {
    /// Names below a host.
    Subdomains,
    /// The same host over UDP instead of TCP, or vice versa.
    Protocol,
    /// Paths below one of a request.
    Paths,
    /// Folders below one.
    Folders,
    /// A mount of a parent of a denied folder.
    MountAround,
}

/// A request that a deny leaves open.
#[derive(Clone, Debug)]
pub struct Gap<'a> {
    /// The relation of the request to the denied one.
    pub kind: GapKind,
    /// The request.
    pub request: Request,
    /// True if it is certainly allowed.
    pub is_certain: bool,
    /// The item that allows it.
    pub allow: &'a Item<'a>,
}

/// A request that readers expect to be denied, related to one that is.
struct Pair {
    kind: GapKind,
    /// `None` if every rule that allows the other is a gap.
    denied: Option<Request>,
    beside: Request,
}

/// The number of pairs of requests whose gaps are remembered.
const MOST_KNOWN: usize = 20_000;
/// The number of ports that are tried for a deny of every port.
const MOST_PORTS: usize = 8;
/// The number of items on a host whose ports are tried.
const MOST_ITEMS: usize = 500;
/// The number of audiences that are tried for a pair of scopes.
const MOST_AUDIENCES: usize = 40;
/// The number of home folders that are tried beside the examples.
const MOST_HOMES: usize = 64;
/// The number of folders of allows that are compared with a denied pattern.
const MOST_MOUNTS: usize = 64;
/// The number of these that are tried as a parent of what it denies.
const MOST_PARENTS: usize = 8;
/// The number of segments of patterns and folders that are compared for this.
const MOST_SEGMENTS: usize = 16;
/// Names of files with credentials and settings that have no extension, and extensions of such
/// files.
const FILES: [&str; 14] = [
    ".bash_history",
    ".env",
    ".git-credentials",
    ".gitconfig",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".zsh_history",
    "authorized_keys",
    "docker.sock",
    "id_ed25519",
    "id_rsa",
    "known_hosts",
];
const FILE_EXTENSIONS: [&str; 12] =
    ["cfg", "conf", "crt", "env", "ini", "json", "key", "p12", "pem", "toml", "yaml", "yml"];
/// Labels that represent any name in front of a host or below a folder. The second is for rules
/// that name the first.
const LABELS: [&str; 2] = ["www", "any-other"];
const SEGMENTS: [&str; 2] = ["x", "any-other"];
/// Addresses that a name of the public DNS may have, for hosts that are allowed by address.
const ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 10)),
    IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 4, 4)),
    IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8844)),
];
/// Names of single machines, which have no subdomains.
const MACHINES: [&str; 6] = [
    "metadata.azure.internal",
    "metadata.google.internal",
    "instance-data.ec2.internal",
    "host.docker.internal",
    "gateway.docker.internal",
    "localhost.localdomain",
];

/// The gaps of denies. Those that deny the same to the same people have the same, which are found
/// once.
#[derive(Debug)]
pub struct Gaps<'a> {
    survey: &'a Survey<'a>,
    shared: HashMap<Alike, Vec<Gap<'a>>>,
    known: Known<'a>,
}

/// The gaps of pairs of requests. Patterns with wildcards have few examples, so that many denies
/// ask for the same.
#[derive(Debug, Default)]
struct Known<'a>(Mutex<HashMap<Asking, Option<Gap<'a>>>>);

/// A pair of requests in their text, and the address of the scope of the deny.
type Asking = (GapKind, Option<String>, String, usize);

/// The properties that denies with the same gaps share: the number of the pattern, the actions, and the
/// address of the scope.
type Alike = (u32, Actions, usize);

/// Denies are looked at by so many at a time.
const DENIES_AT_A_TIME: usize = 20;

impl<'a> Gaps<'a> {
    /// The gaps of a deny, one of each kind at most.
    #[must_use]
    pub fn of(&self, deny: &Item<'_>) -> Vec<Gap<'a>> {
        let shared = self.shared.get(&deny.alike()).cloned();
        shared.unwrap_or_else(|| self.survey.gaps_of(deny, &self.known))
    }
}

impl<'a> Known<'a> {
    fn gap(&self, survey: &'a Survey<'a>, deny: &Item<'_>, pair: Pair) -> Option<Gap<'a>> {
        // The other protocol of a host depends on the pattern of the deny.
        if pair.kind == GapKind::Protocol {
            return survey.gap(deny, pair);
        }
        let denied = pair.denied.as_ref().map(ToString::to_string);
        let scope = std::ptr::from_ref(deny.scope).addr();
        let key = (pair.kind, denied, pair.beside.to_string(), scope);
        if let Some(known) = self.lock().get(&key) {
            return known.clone();
        }
        let found = survey.gap(deny, pair);
        let mut known = self.lock();
        if known.len() < MOST_KNOWN {
            known.insert(key, found.clone());
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Asking, Option<Gap<'a>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Survey<'a> {
    /// The gaps of these items, ready to be asked for.
    #[must_use]
    pub fn gaps(&'a self, items: impl IntoIterator<Item = &'a Item<'a>>) -> Gaps<'a> {
        let mut known: HashSet<Alike> = HashSet::default();
        let mut shared: BTreeMap<Alike, &Item<'_>> = BTreeMap::new();
        for deny in items {
            if !known.insert(deny.alike()) {
                shared.insert(deny.alike(), deny);
            }
        }
        let shared: Vec<(Alike, &Item<'_>)> = shared.into_iter().collect();
        let chunks: Vec<&[(Alike, &Item<'_>)]> = shared.chunks(DENIES_AT_A_TIME).collect();
        let known = Known::default();
        let found = parallel::map(chunks, 1, |chunk| {
            let gaps = |deny| self.gaps_of(deny, &known);
            chunk.iter().map(|(alike, deny)| (*alike, gaps(deny))).collect::<Vec<_>>()
        });
        Gaps { survey: self, shared: found.into_iter().flatten().collect(), known }
    }

    /// The gaps of a deny, one of each kind at most.
    fn gaps_of(&'a self, deny: &Item<'_>, known: &Known<'a>) -> Vec<Gap<'a>> {
        let mut gaps: Vec<Gap<'a>> = Vec::new();
        if deny.decision != Decision::Deny || deny.is_malformed() {
            return gaps;
        }
        for pair in self.pairs(deny) {
            if !gaps.iter().any(|gap| gap.kind == pair.kind) {
                gaps.extend(known.gap(self, deny, pair));
            }
        }
        gaps
    }

    fn gap(&'a self, deny: &Item<'_>, pair: Pair) -> Option<Gap<'a>> {
        let Pair { kind, denied, beside } = pair;
        if self.is_denied_to_everybody(&beside) {
            return None;
        }
        let asked = self.ask(&beside);
        let mut both = None;
        // By the address of the scope of an allow.
        let mut verdicts: HashMap<usize, Option<Verdict>> = HashMap::default();
        let certain = asked.certain();
        let (allow, verdict) = certain.into_iter().find_map(|number| {
            let allow = self.items.get(number).filter(|item| item.decision == Decision::Allow)?;
            let open = || self.open(&asked, deny.scope, allow.scope);
            let verdict =
                (*verdicts.entry(std::ptr::from_ref(allow.scope).addr()).or_insert_with(open))?;
            let fits = match kind {
                // An allow of exactly this host in both protocols, and a deny in one, is
                // intentional.
                GapKind::Protocol => allow.target().host() != deny.target().host(),
                GapKind::MountAround => verdict == Verdict::Allow,
                GapKind::Subdomains | GapKind::Paths | GapKind::Folders => {
                    denied.as_ref().is_none_or(|denied| {
                        both.get_or_insert_with(|| self.rules_matching(denied))
                            .contains(&allow.of_rule())
                    })
                }
            };
            fits.then_some((allow, verdict))
        })?;
        Some(Gap { kind, request: beside, is_certain: verdict == Verdict::Allow, allow })
    }

    /// The rules of which an item certainly matches a request.
    fn rules_matching(&self, request: &Request) -> BTreeSet<(usize, usize)> {
        let items =
            self.ask(request).certain().into_iter().filter_map(|number| self.items.get(number));
        items.map(Item::of_rule).collect()
    }

    /// The decision on a request for somebody whom both scopes govern; `None` if it is denied to
    /// all of them.
    fn open(&self, asked: &Asked, deny: &Scope, allow: &Scope) -> Option<Verdict> {
        let verdicts = audiences(deny, allow).into_iter().map(|teams| asked.verdict(self, &teams));
        verdicts.max().filter(|verdict| *verdict != Verdict::Deny)
    }

    /// The requests to try, the most readable first.
    fn pairs(&self, deny: &Item<'_>) -> Vec<Pair> {
        match &*deny.target() {
            Target::Network(destination) => {
                let mut pairs = self.subdomains(deny, destination, None);
                pairs.extend(self.protocols(deny, destination));
                pairs
            }
            Target::Http(destination, path) => {
                let whole = path.tokens == [Token::Deep];
                if whole {
                    self.subdomains(deny, destination, Some("/"))
                } else {
                    self.paths(deny, destination, path)
                }
            }
            Target::Folder(folder) => {
                let mut pairs = below_folder(deny, folder);
                pairs.extend(around_folder(folder, &self.homes));
                pairs.extend(self.around_pattern(folder));
                pairs
            }
        }
    }

    /// `evil.example` and `www.evil.example`, `*.evil.example` and `a.b.evil.example`.
    fn subdomains(
        &self,
        deny: &Item<'_>,
        destination: &Destination,
        path: Option<&str>,
    ) -> Vec<Pair> {
        let HostPattern::Names(names) = &destination.host else { return Vec::new() };
        let Some(own) = instance(names, "a") else { return Vec::new() };
        let own: Vec<String> = own.into_iter().rev().collect();
        let host = own.join(".");
        let is_leaf = own.len() < 2
            || own.first().is_some_and(|label| label == "www")
            || MACHINES.contains(&&*host);
        if names.tokens.last() == Some(&Token::Deep) || is_leaf {
            return Vec::new();
        }
        let below = |label: &str| {
            std::iter::once(label.to_owned()).chain(own.iter().cloned()).collect::<Vec<String>>()
        };
        let mut pairs = Vec::new();
        for label in LABELS {
            for port in self.ports(destination, &Host::Name(below(label), None)) {
                for address in self.addresses() {
                    let request = |labels: &[String]| match path {
                        Some(path) => http(deny, Host::Name(labels.to_vec(), address), port, path),
                        None => {
                            let udp = !deny.actions.meets(Actions::TCP);
                            Some(Request::Connect {
                                udp,
                                host: Host::Name(labels.to_vec(), address),
                                port,
                            })
                        }
                    };
                    if let (denied, Some(beside)) = (request(&own), request(&below(label))) {
                        pairs.push(Pair { kind: GapKind::Subdomains, denied, beside });
                    }
                }
            }
        }
        pairs
    }

    /// TCP denied and UDP not, and vice versa. A general lack of UDP is another intention.
    fn protocols(&self, deny: &Item<'_>, destination: &Destination) -> Vec<Pair> {
        let udp = deny.actions.meets(Actions::UDP);
        if udp == deny.actions.meets(Actions::TCP) || udp && deny.is_every_host() {
            return Vec::new();
        }
        let host = |address: Option<IpAddr>, label: &str| match &destination.host {
            HostPattern::Names(names) if names.tokens == [Token::Deep] => Some(Host::Name(
                vec![label.to_owned(), "example".to_owned(), "com".to_owned()],
                address,
            )),
            HostPattern::Names(names) => {
                Some(Host::Name(instance(names, label)?.into_iter().rev().collect(), address))
            }
            HostPattern::Address(address) => Some(Host::Address(*address)),
            HostPattern::Cidr(block) => {
                Some(Host::Address(block.hosts().next().unwrap_or(block.network())))
            }
        };
        let mut hosts: Vec<Host> = Vec::new();
        for label in LABELS {
            for address in self.addresses() {
                // A block has one example.
                hosts.extend(host(address, label).filter(|host| !hosts.contains(host)));
            }
        }
        let mut pairs = Vec::new();
        for host in hosts {
            for port in self.ports(destination, &host) {
                // The rules that allow the other protocol, whatever they allow of this one.
                let beside = Request::Connect { udp: !udp, host: host.clone(), port };
                pairs.push(Pair { kind: GapKind::Protocol, denied: None, beside });
            }
        }
        pairs
    }

    /// `/x` and `/x/*`, and what is below.
    fn paths(&self, deny: &Item<'_>, destination: &Destination, path: &Sequence) -> Vec<Pair> {
        let (Some(own), Some(labels)) = (instance(path, "x"), name(destination)) else {
            return Vec::new();
        };
        if path.tokens.last() == Some(&Token::Deep) || path.unknowns.contains(Unknown::PatternForm)
        {
            return Vec::new();
        }
        let mut pairs = Vec::new();
        for segment in SEGMENTS {
            let below = [own.as_slice(), &[segment.to_owned()]].concat();
            for port in self.ports(destination, &Host::Name(labels.clone(), None)) {
                for address in self.addresses() {
                    let request = |segments: &[String]| {
                        let path = format!("/{}", segments.join("/"));
                        http(deny, Host::Name(labels.clone(), address), port, &path)
                    };
                    if let (denied, Some(beside)) = (request(&own), request(&below)) {
                        pairs.push(Pair { kind: GapKind::Paths, denied, beside });
                    }
                }
            }
        }
        pairs
    }

    /// The allowed folders around a denied folder with wildcards: `/home/bob` around `/home/*/.ssh`,
    /// `~` around `/**/.ssh`.
    fn around_pattern(&self, folder: &Sequence) -> Vec<Pair> {
        let tokens = folder.tokens.strip_suffix(&[Token::Deep]).unwrap_or(&folder.tokens);
        let is_plain = tokens.iter().all(|token| matches!(token, Token::Literal(_)));
        if is_plain || tokens.len() > MOST_SEGMENTS {
            return Vec::new();
        }
        let holds =
            |mount: &&Vec<String>| spellings(mount).iter().any(|own| continues(tokens, own));
        let pair = |mount: &Vec<String>| Pair {
            kind: GapKind::MountAround,
            denied: None,
            beside: Request::Folder { read: true, write: false, segments: mount.clone() },
        };
        self.mounts.iter().flatten().filter(holds).take(MOST_PARENTS).map(pair).collect()
    }

    /// The ports to try: the deny's own, or those on which something is allowed.
    fn ports(&self, destination: &Destination, host: &Host) -> Vec<u16> {
        if let Some(port) = destination.port {
            return vec![port];
        }
        let groups = self.groups_at(host).into_iter();
        let numbers =
            groups.flat_map(|(group, _)| group.network.iter().chain(group.http())).take(MOST_ITEMS);
        let allows = numbers
            .map(|number| self.item(*number))
            .filter(|item| item.decision == Decision::Allow);
        let found: BTreeSet<Option<u16>> = allows.map(|item| item.port()).collect();
        let by_address = self.addresses().len() > 1;
        let every = (found.contains(&None) || by_address).then_some(443);
        let named = found.into_iter().flatten().filter(|port| Some(*port) != every);
        every.into_iter().chain(named).take(MOST_PORTS).collect()
    }

    /// The addresses that a name may have, if relevant: none in particular, and some if nearly all
    /// are allowed.
    fn addresses(&self) -> Vec<Option<IpAddr>> {
        let allowed = ADDRESSES.into_iter().filter(|address| self.allowed.has_address(*address));
        std::iter::once(None).chain(allowed.map(Some)).collect()
    }
}

impl Gap<'_> {
    /// The object of the request, without the action.
    #[must_use]
    pub fn object(&self) -> String {
        let text = self.request.to_string();
        text.split_once(' ').map_or(text.clone(), |(_, object)| object.to_owned())
    }
}

impl Item<'_> {
    fn alike(&self) -> Alike {
        (self.pattern, self.actions, std::ptr::from_ref(self.scope).addr())
    }

    /// The host of the pattern, and the pattern for all names below it, each with its port.
    #[must_use]
    pub fn with_subdomains(&self) -> (String, String) {
        let (Target::Network(destination) | Target::Http(destination, _)) = &*self.target() else {
            return (self.text(), self.text());
        };
        let mut own = destination.clone();
        if let HostPattern::Names(names) = &mut own.host {
            while names.tokens.last() == Some(&Token::One) {
                names.tokens.pop();
            }
        }
        // In the spelling that the service certainly reads.
        let own = own.to_string().to_lowercase();
        let deep = format!("**.{own}");
        (own, deep)
    }

    /// The path pattern for this path and everything below.
    #[must_use]
    pub fn with_paths_below(&self) -> String {
        let Target::Http(_, path) = &*self.target() else { return self.text() };
        let segments = match path.tokens.split_last() {
            Some((Token::One, before)) => before,
            Some(_) | None => path.tokens.as_slice(),
        };
        let segments = segments.iter().chain([&Token::Deep]).map(|token| format!("/{token}"));
        segments.collect()
    }

    /// The folder, and the pattern for everything below.
    #[must_use]
    pub fn with_folders_below(&self) -> (String, String) {
        let Some(folder) = self.folder() else { return (self.text(), self.text()) };
        let written = |tokens: Vec<Token>| {
            Target::Folder(Sequence { tokens, unknowns: folder.unknowns, bare: folder.bare })
                .to_string()
        };
        let mut own = folder.tokens.clone();
        if own.last() == Some(&Token::One) {
            own.pop();
        }
        let deep = own.iter().cloned().chain([Token::Deep]).collect();
        (written(own), written(deep))
    }
}

/// The host of a target for requests, if it is a name.
fn name(destination: &Destination) -> Option<Vec<String>> {
    match &destination.host {
        HostPattern::Names(names) if names.tokens == [Token::Deep] => {
            Some(["www", "example", "com"].map(str::to_owned).to_vec())
        }
        HostPattern::Names(names) => Some(instance(names, "a")?.into_iter().rev().collect()),
        HostPattern::Address(_) | HostPattern::Cidr(_) => None,
    }
}

fn http(deny: &Item<'_>, host: Host, port: u16, path: &str) -> Option<Request> {
    let method = deny.actions.methods().next()?;
    Some(Request::Http { method, host, port, path: path.to_owned() })
}

/// `/dir` and `/dir/*`, and folders below. Denying a mount of `/` or `~` as a whole is another
/// intention.
fn below_folder(deny: &Item<'_>, folder: &Sequence) -> Vec<Pair> {
    let Some(own) = instance(folder, "x") else { return Vec::new() };
    let is_root =
        own.len() < 2 || own.first().is_some_and(|format| format == path::DRIVE) && own.len() < 3;
    if folder.tokens.last() == Some(&Token::Deep)
        || is_root
        || is_file(&own)
        || !path::is_folder(&own)
    {
        return Vec::new();
    }
    let read = deny.actions.meets(Actions::READ);
    let request = |segments: Vec<String>| Request::Folder { read, write: !read, segments };
    let pair = |segment: &str| Pair {
        kind: GapKind::Folders,
        denied: Some(request(own.clone())),
        beside: request([own.as_slice(), &[segment.to_owned()]].concat()),
    };
    SEGMENTS.into_iter().map(pair).collect()
}

/// Returns `true` if a path has the name of a file, so that nothing is below it.
fn is_file(segments: &[String]) -> bool {
    let Some(name) = segments.last() else { return false };
    let extension = name.trim_start_matches('.').rsplit_once('.').map(|(_, extension)| extension);
    FILES.contains(&name.as_str())
        || extension.is_some_and(|extension| FILE_EXTENSIONS.contains(&extension))
}

/// The parents of a denied folder, also if it is below a home folder.
fn around_folder(folder: &Sequence, homes: &BTreeSet<Vec<String>>) -> Vec<Pair> {
    let Some(mut own) = instance(folder, "user") else { return Vec::new() };
    // A deny of `/x/**` has its parent already.
    let behind = if folder.tokens.last() == Some(&Token::Deep) { 2 } else { 1 };
    own.truncate(own.len().saturating_sub(behind));
    let mut around: Vec<Vec<String>> =
        (1..=own.len()).filter_map(|taken| Some(own.get(..taken)?.to_vec())).collect();
    if own.first().is_some_and(|format| format == path::HOME) {
        let examples =
            HOMES.into_iter().map(|place| (0..place.len()).map(|at| example(place, at)).collect());
        for place in examples.chain(homes.iter().cloned()).collect::<Vec<Vec<String>>>() {
            let below = [place.as_slice(), own.get(1..).unwrap_or_default()].concat();
            let longest = (1..=below.len()).filter_map(|taken| Some(below.get(..taken)?.to_vec()));
            around.extend(longest);
        }
    } else if let Some(place) = HOMES.into_iter().find(|place| starts_with(&own, place)) {
        let below = own.get(place.len()..).unwrap_or_default();
        let home =
            std::iter::once(path::HOME.to_owned()).chain(below.iter().cloned()).collect::<Vec<_>>();
        around.extend((1..=home.len()).filter_map(|taken| Some(home.get(..taken)?.to_vec())));
    }
    around.retain(|segments| path::is_folder(segments));
    let pair = |segments| Pair {
        kind: GapKind::MountAround,
        denied: None,
        beside: Request::Folder { read: true, write: false, segments },
    };
    around.into_iter().map(pair).collect()
}

/// A segment of a place of home folders, with an example for an unknown name.
fn example(place: &[&str], at: usize) -> String {
    match place.get(at) {
        Some(&ANY) if place.first() == Some(&path::DRIVE) && at == 1 => "C".to_owned(),
        Some(&ANY) if at + 1 == place.len() => "user".to_owned(),
        Some(&ANY) => "var".to_owned(),
        label => label.map_or_else(String::new, |label| (*label).to_owned()),
    }
}

/// The home folders of people that allow rules name: `/home/bob`, `D:\\Users\\bob`.
pub(super) fn named_homes(items: &[Item<'_>]) -> BTreeSet<Vec<String>> {
    let allows = items.iter().filter(|item| item.decision == Decision::Allow);
    let folders = allows.filter_map(Item::folder).map(|folder| &folder.tokens);
    let homes =
        folders.flat_map(|tokens| HOMES.into_iter().filter_map(|place| named_home(tokens, place)));
    homes.take(MOST_HOMES).collect()
}

/// A folder of each allow that may be mounted; `None` if there are very many, since each would be
/// compared with each deny that has wildcards, and some deny has.
pub(super) fn mounts(items: &[Item<'_>]) -> Option<BTreeSet<Vec<String>>> {
    let is_denied_pattern = |item: &Item<'_>| {
        item.decision == Decision::Deny && item.folder().is_some() && item.text().contains('*')
    };
    if !items.iter().any(is_denied_pattern) {
        return Some(BTreeSet::new());
    }
    let allows = items.iter().filter(|item| item.decision == Decision::Allow);
    let folders = allows.filter_map(Item::folder).filter_map(|folder| instance(folder, "user"));
    let fits = |own: &Vec<String>| path::is_folder(own) && own.len() <= MOST_SEGMENTS;
    let mounts: BTreeSet<Vec<String>> = folders.filter(fits).collect();
    (mounts.len() <= MOST_MOUNTS).then_some(mounts)
}

/// A folder, and the same below a home folder or as one.
fn spellings(mount: &[String]) -> Vec<Vec<String>> {
    let mut all = vec![mount.to_vec()];
    let usual = |format: &str| HOMES.into_iter().find(|place| place.first() == Some(&format));
    if let Some((path::HOME, below)) = mount.split_first().map(|(own, rest)| (own.as_str(), rest)) {
        for place in [usual(path::UNIX), usual(path::DRIVE)].into_iter().flatten() {
            let home = (0..place.len()).map(|at| example(place, at));
            all.push(home.chain(below.iter().cloned()).collect());
        }
    } else if let Some(place) = HOMES.into_iter().find(|place| starts_with(mount, place)) {
        let below = mount.get(place.len()..).unwrap_or_default();
        all.push(std::iter::once(path::HOME.to_owned()).chain(below.iter().cloned()).collect());
    }
    all
}

/// Returns `true` if tokens can match something below a folder.
fn continues(tokens: &[Token], folder: &[String]) -> bool {
    // The positions at which the tokens may be after some segments.
    let skip = |at: &mut BTreeSet<usize>| {
        for (number, token) in tokens.iter().enumerate() {
            if at.contains(&number) && *token == Token::Deep {
                at.insert(number + 1);
            }
        }
    };
    let mut at = BTreeSet::from([0]);
    skip(&mut at);
    for segment in folder {
        let next = at.iter().filter_map(|number| match tokens.get(*number)? {
            Token::Literal(text) => (text == segment).then_some(number + 1),
            Token::One => Some(number + 1),
            Token::Deep => Some(*number),
            Token::Glob(_) => None,
        });
        at = next.collect();
        skip(&mut at);
    }
    at.into_iter().any(|number| number < tokens.len())
}

/// The home folder in this place that a pattern names, or one that it covers.
fn named_home(tokens: &[Token], place: &[&str]) -> Option<Vec<String>> {
    let mut home = Vec::new();
    let mut tokens = tokens.iter();
    for (at, label) in place.iter().enumerate() {
        match tokens.next()? {
            Token::Literal(text) if *label == ANY || text.eq_ignore_ascii_case(label) => {
                home.push(text.clone())
            }
            Token::One => home.push(example(place, at)),
            Token::Literal(_) | Token::Deep | Token::Glob(_) => return None,
        }
    }
    Some(home)
}

fn starts_with(own: &[String], place: &[&str]) -> bool {
    own.len() >= place.len()
        && own.iter().zip(place).all(|(own, label)| *label == ANY || own == label)
}

/// A target that a pattern matches, with this replacement for each wildcard; `None` if a wildcard
/// is a part of a label.
fn instance(pattern: &Sequence, filling: &str) -> Option<Vec<String>> {
    let label = |token: &Token| match token {
        Token::Literal(text) => Some(text.clone()),
        Token::One | Token::Deep => Some(filling.to_owned()),
        Token::Glob(_) => None,
    };
    pattern.tokens.iter().map(label).collect()
}

/// Members of few teams whom both scopes govern.
fn audiences(deny: &Scope, allow: &Scope) -> Vec<BTreeSet<String>> {
    let members =
        |teams: &[&String]| teams.iter().map(|team| (*team).clone()).collect::<BTreeSet<String>>();
    match (deny, allow) {
        (Scope::Organization, Scope::Organization) => vec![BTreeSet::new()],
        (Scope::Teams(teams), Scope::Organization) | (Scope::Organization, Scope::Teams(teams)) => {
            teams.iter().take(MOST_AUDIENCES).map(|team| members(&[team])).collect()
        }
        (Scope::Teams(denied), Scope::Teams(allowed)) => {
            let shared = denied.intersection(allowed).map(|team| members(&[team]));
            let apart = denied
                .iter()
                .flat_map(|one| allowed.iter().map(move |other| members(&[one, other])));
            shared.chain(apart).take(MOST_AUDIENCES).collect()
        }
    }
}
