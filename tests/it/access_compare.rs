//! The comparison of two states against brute force: every request of a small closed world, for
//! every set of teams, under every answer to what is not documented, by a matcher that shares no
//! code with the program's.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use seawall::access::{Changes, Comparison, Entry, State, Verdict, compare};
use seawall::model::{
    Action, Body, Decision, Domain, HttpResource, Policy, Resources, Rule, Scope, TeamDirectory,
};

const TEAMS: [&str; 3] = ["red", "green", "blue"];
const METHODS: [&str; 2] = ["get", "delete"];
const BLOCKS: [&str; 3] = ["10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/16"];
/// An address that rules name.
const LITERAL: &str = "10.1.0.1";
const ADDRESSES: [[u8; 4]; 4] = [[203, 0, 113, 1], [10, 0, 0, 1], [10, 1, 0, 1], [192, 168, 0, 1]];

/// One way to answer what is not documented.
#[derive(Clone, Copy)]
struct World {
    apex: bool,
    folder: bool,
    root: bool,
    uninspected_blocked: bool,
    /// A path in another letter case is the same path.
    any_case: bool,
    /// The usual place of home folders at which the home folder is, as a position in [`PLACES`].
    home: Option<usize>,
    /// `**` decides a connection straight to an address like a name, and like a block.
    as_name: bool,
    as_block: bool,
}

/// All ways to answer so many questions.
fn answers<const N: usize>() -> impl Iterator<Item = [bool; N]> {
    (0..1_u32 << N).map(|bits| std::array::from_fn(|at| bits & (1 << at) != 0))
}

/// The worlds that can make a difference to a request.
fn worlds(request: &Request) -> Vec<World> {
    let world = World {
        apex: false,
        folder: false,
        root: false,
        uninspected_blocked: false,
        any_case: false,
        home: None,
        as_name: false,
        as_block: false,
    };
    match request {
        Request::Connect { host, .. } if is_address(host) => answers()
            .map(|[uninspected_blocked, as_name, as_block]| World {
                uninspected_blocked,
                as_name,
                as_block,
                ..world
            })
            .collect(),
        Request::Http { host, .. } if is_address(host) => answers()
            .map(|[root, any_case, as_name, as_block]| World {
                root,
                any_case,
                as_name,
                as_block,
                ..world
            })
            .collect(),
        Request::Connect { .. } => answers()
            .map(|[apex, uninspected_blocked]| World { apex, uninspected_blocked, ..world })
            .collect(),
        Request::Http { .. } => answers()
            .map(|[apex, root, any_case]| World { apex, root, any_case, ..world })
            .collect(),
        Request::Folder { path, .. } => {
            let path: Vec<&str> = path.split(['/', '\\']).collect();
            let concerns = |place: &usize| {
                path.first() == Some(&"~") || below(PLACES[*place], &path, true).is_some()
            };
            let homes = (0..PLACES.len()).filter(concerns).map(Some).chain([None]);
            homes
                .flat_map(|home| {
                    answers().map(move |[folder, any_case]| World {
                        folder,
                        any_case,
                        home,
                        ..world
                    })
                })
                .collect()
        }
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Request {
    Connect { udp: bool, host: String, port: u16, address: [u8; 4] },
    Http { method: &'static str, host: String, port: u16, path: String, address: [u8; 4] },
    Folder { write: bool, path: String },
}

/// Labels against a pattern that is read from the first label; `**` takes one or more, or none
/// where `none` says so.
fn labels_match(pattern: &[&str], labels: &[&str], none: bool, any_case: bool) -> bool {
    let rest_match = |rest, labels| labels_match(rest, labels, none, any_case);
    match (pattern, labels) {
        ([], []) => true,
        (["**"], []) => none,
        (["**", rest @ ..], labels) => {
            (1..=labels.len()).any(|taken| rest_match(rest, &labels[taken..]))
                || none && rest_match(rest, labels)
        }
        (["*", rest @ ..], [_, labels @ ..]) => rest_match(rest, labels),
        (["*:", rest @ ..], [drive, labels @ ..]) => {
            drive.ends_with(':') && rest_match(rest, labels)
        }
        ([own, rest @ ..], [label, labels @ ..]) => {
            (own == label || any_case && own.eq_ignore_ascii_case(label))
                && rest_match(rest, labels)
        }
        _ => false,
    }
}

fn is_address(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn host_matches(pattern: &str, host: &str, apex: bool) -> bool {
    if pattern == "**" {
        return !is_address(host);
    }
    if is_address(host) || is_address(pattern) {
        return pattern == host;
    }
    labels_match(
        &pattern.split('.').collect::<Vec<_>>(),
        &host.split('.').collect::<Vec<_>>(),
        apex,
        false,
    )
}

fn split_port(text: &str) -> (&str, Option<u16>) {
    text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port.parse().unwrap())))
}

fn in_block(block: &str, address: [u8; 4]) -> bool {
    let (net, bits) = block.split_once('/').unwrap();
    let net: std::net::Ipv4Addr = net.parse().unwrap();
    let shift = 32 - bits.parse::<u32>().unwrap();
    u32::from(net) >> shift == u32::from_be_bytes(address) >> shift
}

fn path_matches(pattern: &str, path: &str, root: bool, any_case: bool) -> bool {
    let segments = |text: &str| {
        text.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let (pattern, path) = (segments(pattern), segments(path));
    if pattern == ["*"] && path.is_empty() {
        return root;
    }
    let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
    labels_match(&pattern, &path.iter().map(String::as_str).collect::<Vec<_>>(), true, any_case)
}

/// Of the home folder of somebody whose name is not known.
const SOMEBODY: &str = "?";

/// The usual places of home folders.
const PLACES: [&[&str]; 32] = [
    &["", "home", SOMEBODY],
    &["", "Users", SOMEBODY],
    &["", "root"],
    &["", "var", "home", SOMEBODY],
    &["", "var", "root"],
    &["", "export", "home", SOMEBODY],
    &["", "usr", "home", SOMEBODY],
    &["", "mnt", "home", SOMEBODY],
    &["", "nfs", "home", SOMEBODY],
    &["", "net", SOMEBODY, "home", SOMEBODY],
    &["", "homes", SOMEBODY],
    &["", "net", SOMEBODY, "export", "home", SOMEBODY],
    &["", "mnt", "nfs", "home", SOMEBODY],
    &["", "Network", "Servers", SOMEBODY, "Users", SOMEBODY],
    &["", "Volumes", SOMEBODY, "Users", SOMEBODY],
    &["", "srv", "home", SOMEBODY],
    &["", "afs", SOMEBODY, "home", SOMEBODY],
    &["", "afs", SOMEBODY, "user", SOMEBODY, SOMEBODY],
    &["", "usr", "users", SOMEBODY],
    &["", "private", "var", "root"],
    &["", "System", "Volumes", "Data", "Users", SOMEBODY],
    &["", "mnt", "c", "Users", SOMEBODY],
    &["", "home", SOMEBODY, SOMEBODY],
    &["", "export", "home", SOMEBODY, SOMEBODY],
    &["", "var", "home", SOMEBODY, SOMEBODY],
    &["", "home", "local", SOMEBODY, SOMEBODY],
    &["?:", "Users", SOMEBODY],
    &["?:", "Documents and Settings", SOMEBODY],
    &["", "", "wsl.localhost", SOMEBODY, "home", SOMEBODY],
    &["", "", "wsl.localhost", SOMEBODY, "root"],
    &["", "", SOMEBODY, SOMEBODY],
    &["", "", SOMEBODY, SOMEBODY, SOMEBODY],
];

/// The rest of a path below a place.
fn below<'a, 'b>(place: &[&str], path: &'a [&'b str], any_case: bool) -> Option<&'a [&'b str]> {
    let (start, rest) = path.split_at_checked(place.len())?;
    let fits = |(own, label): (&&str, &&str)| match *own {
        // The folders of a system of its own, and no server.
        SOMEBODY => !label.is_empty() && *label != "wsl.localhost",
        "?:" => label.ends_with(':'),
        own => own == *label || any_case && own.eq_ignore_ascii_case(label),
    };
    place.iter().zip(start).all(fits).then_some(rest)
}

/// The names of folders that rules name in home folders, in lower case.
fn named_in_homes(policies: &[&[Policy]]) -> BTreeSet<String> {
    let rules = policies.iter().copied().flatten().flat_map(Policy::rules);
    let paths = rules.flat_map(|rule| match &rule.resources {
        Resources::Plain(paths) => &paths[..],
        Resources::Http(_) => &[],
    });
    let rest = paths.filter_map(|path| path.strip_prefix("~/").or(path.strip_prefix("$HOME/")));
    rest.filter_map(|rest| rest.split('/').next()).map(str::to_lowercase).collect()
}

/// Another way to write a folder, if home folders are at this place. A folder that rules name in
/// home folders, or one in it, is not the home folder of a domain's member.
fn at_home<'a>(
    path: &[&'a str],
    any_case: bool,
    place: usize,
    named: &BTreeSet<String>,
) -> Option<Vec<&'a str>> {
    let place = PLACES[place];
    if let ["~", rest @ ..] = path {
        return Some([place, rest].concat());
    }
    let rest = below(place, path, any_case)?;
    let last = place.len() - 1;
    let is_hidden = path[last].starts_with('.');
    let is_named = |at: usize| named.contains(&path[at].to_lowercase());
    let is_known = PLACES.iter().filter(|outer| outer.len() < place.len()).any(|outer| {
        let mut start = outer.iter().zip(place);
        let holds = start.all(|(outer, own)| *outer == SOMEBODY || outer == own);
        holds && (is_hidden || is_named(outer.len()))
            || outer.len() == last
                && below(outer, path, true).is_some()
                && (is_hidden || is_named(last))
    });
    (!is_known).then(|| [&["~"], rest].concat())
}

fn folder_matches(
    pattern: &str,
    path: &str,
    (folder, any_case): (bool, bool),
    home: Option<usize>,
    named: &BTreeSet<String>,
) -> bool {
    if pattern == "**" {
        return true;
    }
    let separator = |text: &str| if text.contains(['\\', ':']) { '\\' } else { '/' };
    let pattern: Vec<&str> = pattern.split(separator(pattern)).collect();
    let path: Vec<&str> = path.split(separator(path)).collect();
    let other = home.and_then(|place| at_home(&path, any_case, place, named));
    std::iter::once(path).chain(other).any(|path| labels_match(&pattern, &path, folder, any_case))
}

/// The relation of a rule to a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bearing {
    Name,
    Address,
    Http,
    Cover,
    Folder,
}

/// The rules that bear on a request: for whom, how, and what they decide.
fn bearings<'a>(
    policies: &'a [Policy],
    request: &Request,
    world: World,
    named: &BTreeSet<String>,
) -> Vec<(&'a Scope, Bearing, Decision)> {
    let mut all = Vec::new();
    for policy in policies {
        for rule in policy.rules() {
            let mut push = |bearing| all.push((&policy.scope, bearing, rule.decision));
            let speaks = |action: &str| rule.actions.contains(&Action::parse(action));
            let name = |resource: &str, host: &str, port: u16| {
                let (pattern, own) = split_port(resource);
                !resource.contains('/')
                    && own.is_none_or(|own| own == port)
                    && host_matches(pattern, host, world.apex)
            };
            // Of an address that is asked for by itself.
            let any = |resource: &str, host: &str, port: u16| {
                let (pattern, own) = split_port(resource);
                pattern == "**" && is_address(host) && own.is_none_or(|own| own == port)
            };
            let covers = |target: &HttpResource, host: &str, port: u16| {
                let by_name = host_matches(&target.host, host, world.apex);
                let by_any = target.host == "**" && is_address(host) && world.as_name;
                target.port.is_none_or(|own| own == port) && (by_name || by_any)
            };
            match (request, &rule.resources) {
                (
                    Request::Connect { host, port, address, .. }
                    | Request::Http { host, port, address, .. },
                    Resources::Plain(resources),
                ) => {
                    if speaks(if matches!(request, Request::Connect { udp: true, .. }) {
                        "connect:udp"
                    } else {
                        "connect:tcp"
                    }) {
                        resources
                            .iter()
                            .filter(|own| name(own, host, *port))
                            .for_each(|_| push(Bearing::Name));
                        for _ in resources.iter().filter(|own| any(own, host, *port)) {
                            if world.as_name {
                                push(Bearing::Name);
                            }
                            if world.as_block {
                                push(Bearing::Address);
                            }
                        }
                        let blocks = resources
                            .iter()
                            .filter(|own| own.contains('/') && in_block(own, *address));
                        blocks.for_each(|_| push(Bearing::Address));
                    }
                }
                (Request::Connect { udp, host, port, .. }, Resources::Http(targets)) => {
                    targets
                        .iter()
                        .filter(|own| !udp && covers(own, host, *port))
                        .for_each(|_| push(Bearing::Cover));
                }
                (Request::Http { method, host, port, path, .. }, Resources::Http(targets)) => {
                    let hit = |own: &&HttpResource| {
                        covers(own, host, *port)
                            && path_matches(&own.path, path, world.root, world.any_case)
                    };
                    if speaks(&format!("request:{method}")) {
                        targets.iter().filter(hit).for_each(|_| push(Bearing::Http));
                    }
                }
                (Request::Folder { write, path }, Resources::Plain(resources)) => {
                    if speaks(if *write { "write" } else { "read" }) {
                        let hit = |own: &&String| {
                            folder_matches(
                                own,
                                path,
                                (world.folder, world.any_case),
                                world.home,
                                named,
                            )
                        };
                        resources.iter().filter(hit).for_each(|_| push(Bearing::Folder));
                    }
                }
                (Request::Folder { .. }, Resources::Http(_)) => {}
            }
        }
    }
    all
}

/// The decision for a member of `audience`, by the reference algorithm of the manuals.
fn allowed(
    all: &[(&Scope, Bearing, Decision)],
    audience: &BTreeSet<String>,
    request: &Request,
    world: World,
) -> bool {
    let governs = |scope: &Scope| match scope {
        Scope::Organization => true,
        Scope::Teams(teams) => !teams.is_disjoint(audience),
    };
    let decide = |bearing: Bearing| -> Option<bool> {
        let of = all.iter().filter(|(scope, own, _)| *own == bearing && governs(scope));
        let decisions: Vec<Decision> = of.map(|(_, _, decision)| *decision).collect();
        (!decisions.is_empty()).then(|| !decisions.contains(&Decision::Deny))
    };
    let network = decide(Bearing::Name).or_else(|| decide(Bearing::Address));
    match request {
        Request::Connect { .. } => {
            network == Some(true)
                && !(world.uninspected_blocked && decide(Bearing::Cover).is_some())
        }
        Request::Http { .. } => match network {
            Some(false) => false,
            Some(true) => decide(Bearing::Http) != Some(false),
            None => decide(Bearing::Http) == Some(true),
        },
        Request::Folder { .. } => decide(Bearing::Folder) == Some(true),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Same,
    Widened,
    Narrowed,
    Uncertain { widens: bool, narrows: bool },
}

/// The effect of a change for each audience.
fn outcomes(
    old: &[Policy],
    new: &[Policy],
    audiences: &[BTreeSet<String>],
    request: &Request,
) -> Vec<Outcome> {
    let mut answers = vec![BTreeSet::new(); audiences.len()];
    let named = named_in_homes(&[old, new]);
    for world in worlds(request) {
        let (old, new) =
            (bearings(old, request, world, &named), bearings(new, request, world, &named));
        for (audience, answers) in audiences.iter().zip(&mut answers) {
            answers.insert((
                allowed(&old, audience, request, world),
                allowed(&new, audience, request, world),
            ));
        }
    }
    let outcome = |answers: &BTreeSet<(bool, bool)>| match answers.iter().collect::<Vec<_>>()[..] {
        [(false, true)] => Outcome::Widened,
        [(true, false)] => Outcome::Narrowed,
        _ if answers.iter().all(|(old, new)| old == new) => Outcome::Same,
        _ => Outcome::Uncertain {
            widens: answers.contains(&(false, true)),
            narrows: answers.contains(&(true, false)),
        },
    };
    answers.iter().map(outcome).collect()
}

fn outcome(
    old: &[Policy],
    new: &[Policy],
    audience: &BTreeSet<String>,
    request: &Request,
) -> Outcome {
    outcomes(old, new, std::slice::from_ref(audience), request)[0]
}

fn address_text(address: [u8; 4]) -> String {
    std::net::Ipv4Addr::from(address).to_string()
}

/// Every request of the small world.
fn requests() -> Vec<Request> {
    let labels = ["a", "b", "other"];
    let mut names: Vec<String> = labels.map(str::to_owned).to_vec();
    for _ in 0..2 {
        let longer: Vec<String> =
            names.iter().flat_map(|name| labels.map(|label| format!("{label}.{name}"))).collect();
        names.extend(longer);
    }
    names.sort();
    names.dedup();
    let mut hosts: Vec<(String, [u8; 4])> =
        names.iter().flat_map(|name| ADDRESSES.map(|address| (name.clone(), address))).collect();
    hosts.extend(ADDRESSES.map(|address| (address_text(address), address)));
    let mut all = Vec::new();
    for (host, address) in hosts {
        for port in [443, 22] {
            for udp in [false, true] {
                all.push(Request::Connect { udp, host: host.clone(), port, address });
            }
            for (method, path) in
                METHODS.into_iter().flat_map(|method| PATHS.map(|path| (method, path)))
            {
                let respelled = path.contains(char::is_uppercase);
                if host.matches('.').count() != 2 && !(respelled && host.contains("b")) {
                    all.push(Request::Http {
                        method,
                        host: host.clone(),
                        port,
                        path: path.to_owned(),
                        address,
                    });
                }
            }
        }
    }
    let segments = ["x", "y", "other"];
    for write in [false, true] {
        for root in ["~", "/data"] {
            all.push(Request::Folder { write, path: root.to_owned() });
            for one in segments {
                all.push(Request::Folder { write, path: format!("{root}/{one}") });
                all.extend(
                    segments
                        .map(|two| Request::Folder { write, path: format!("{root}/{one}/{two}") }),
                );
            }
        }
        all.extend(RESPELLED.map(|path| Request::Folder { write, path: path.to_owned() }));
    }
    all
}

const PATHS: [&str; 9] = ["/", "/x", "/y", "/other", "/x/y", "/x/other", "/y/x/x", "/X", "/x/Y"];
/// Folders that may be others, and folders of other systems.
const RESPELLED: [&str; 25] = [
    "/Data",
    "/DATA/x",
    "/data/X",
    "/data/X/y",
    "/data/other/Y",
    "~/X",
    "~/X/y",
    "/home",
    "/home/u",
    "/HOME/u",
    "/home/u/x",
    "/home/U/x",
    "/home/u/x/y",
    "/Users/other/x",
    "/root",
    "/root/x",
    "/root/X/y",
    "C:\\Users\\u\\x",
    "C:\\Data\\x",
    "C:\\data\\x",
    "D:\\data\\x",
    "D:\\DATA\\x",
    "\\\\wsl.localhost\\ubuntu\\data\\x",
    "\\\\wsl.localhost\\Ubuntu\\data\\x",
    "\\\\wsl.localhost\\debian\\data\\x",
];

/// Returns `true` if an entry is about a request, as it is written or as a world reads it.
fn speaks_about(entry: &Entry, request: &Request, world: Option<World>, literal: bool) -> bool {
    // Addresses that no rule names.
    let is_other = |host: &str| is_address(host) && !(literal && host == LITERAL);
    let (any_case, home) = world.map_or((false, None), |world| (world.any_case, world.home));
    let named = BTreeSet::new();
    let access = entry.access.text();
    let (word, object) = access.split_once(' ').unwrap();
    let (object, at) = match object.rsplit_once(" at ") {
        Some((object, at)) if object.ends_with(" except") => {
            (object.trim_end_matches(" except"), Some((false, at)))
        }
        Some((object, at)) => (object, Some((true, at))),
        None => (object, None),
    };
    let (pattern, exceptions) = object.split_once(" except ").unwrap_or((object, ""));
    let exceptions = exceptions.split(" and ").next().unwrap();
    // Which part of it is not said.
    let pattern = pattern.strip_suffix(" in part").unwrap_or(pattern);
    // An exception below `~` is one wherever that is; nothing else is said of it.
    let hits = |text: &str, home: Option<usize>| match request {
        Request::Connect { udp, .. }
            if word != if *udp { "connect:udp" } else { "connect:tcp" } =>
        {
            false
        }
        Request::Connect { host, port, address, .. } => {
            let (name, own) = split_port(text);
            own.is_none_or(|own| own == *port)
                && match name {
                    "any other address" => is_other(host),
                    // A block stands for every name that has such an address.
                    _ if name.contains('/') => in_block(name, *address),
                    _ => host_matches(name, host, false),
                }
        }
        Request::Http { .. } if !word.starts_with(char::is_uppercase) => false,
        Request::Http { method, host, port, path, .. } => {
            let (own, rest) = match text.split_once("://") {
                Some(("https", rest)) => (Some(443), rest),
                Some((_, rest)) => (Some(80), rest),
                None => (None, text),
            };
            let (authority, own_path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let (name, explicit) = split_port(authority);
            (word == "ANY" || word.split(',').any(|one| one.eq_ignore_ascii_case(method)))
                && explicit.or(own).is_none_or(|own| own == *port)
                && match name {
                    "any other address" => is_other(host),
                    _ => host_matches(name, host, false),
                }
                && path_matches(own_path, path, false, any_case)
        }
        Request::Folder { write, path } => {
            word == if *write { "write" } else { "read" }
                && folder_matches(text, path, (false, any_case), home, &named)
        }
    };
    let here = match (request, at) {
        (_, None) | (Request::Folder { .. }, _) => true,
        (
            Request::Connect { address, .. } | Request::Http { address, .. },
            Some((inside, blocks)),
        ) => {
            let inside_blocks = blocks.split(", ").any(|block| {
                let (block, without) =
                    block.split_once(" except ").unwrap_or((block, "0.0.0.0/32"));
                in_block(block, *address) && !in_block(without, *address)
            });
            inside_blocks == inside
        }
    };
    here && pattern.split(" within ").all(|text| hits(text, None))
        && !exceptions.split(", ").any(|exception| !exception.is_empty() && hits(exception, home))
}

/// The request that a witness names.
fn witness(text: &str) -> Request {
    let (word, object) = text.split_once(' ').unwrap();
    let (object, at) = object.split_once(" at ").unwrap_or((object, "203.0.113.1"));
    let address = |host: &str| {
        host.parse().or(at.parse()).map(|address: std::net::Ipv4Addr| address.octets()).unwrap()
    };
    match word {
        "read" | "write" => Request::Folder { write: word == "write", path: object.to_owned() },
        "connect:tcp" | "connect:udp" => {
            let (host, port) = split_port(object);
            Request::Connect {
                udp: word.ends_with("udp"),
                host: host.to_owned(),
                port: port.unwrap(),
                address: address(host),
            }
        }
        _ => {
            let (scheme, rest) = object.split_once("://").unwrap();
            let (authority, path) = rest.split_at(rest.find('/').unwrap());
            let (host, port) = split_port(authority);
            let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
            let method =
                Action::METHODS.into_iter().find(|own| own.eq_ignore_ascii_case(word)).unwrap();
            Request::Http {
                method,
                host: host.to_owned(),
                port,
                path: path.to_owned(),
                address: address(host),
            }
        }
    }
}

fn domain(request: &seawall::access::Request) -> Domain {
    match request {
        seawall::access::Request::Folder { .. } => Domain::Filesystem,
        _ => Domain::Network,
    }
}

fn subsets(teams: &[String]) -> Vec<BTreeSet<String>> {
    (0..1_u32 << teams.len())
        .map(|bits| {
            teams
                .iter()
                .enumerate()
                .filter(|(at, _)| bits & (1 << at) != 0)
                .map(|(_, team)| team.clone())
                .collect()
        })
        .collect()
}

/// What is said of all paths at once that rules may name in another spelling.
const RESPELLINGS: &str = "** in another spelling";

/// Whether something certain is said of the audience in the same directions, of which other
/// spellings may follow.
fn goes_without_saying(
    entries: &[(Outcome, &Entry)],
    audience: &BTreeSet<String>,
    (widens, narrows): (bool, bool),
) -> bool {
    let certain = |wanted: Outcome| {
        let mut smaller = entries
            .iter()
            .filter(|(_, entry)| entry.audience.teams.iter().all(|team| audience.contains(team)));
        smaller.any(|(own, _)| *own == wanted)
    };
    (!widens || certain(Outcome::Widened)) && (!narrows || certain(Outcome::Narrowed))
}

/// The names in the paths of rules.
fn segments(policies: &[Policy]) -> impl Iterator<Item = String> {
    let rules = policies.iter().flat_map(Policy::rules);
    let paths = rules.flat_map(|rule| match &rule.resources {
        Resources::Plain(paths) => paths.to_vec(),
        Resources::Http(targets) => targets.iter().map(|target| target.path.clone()).collect(),
    });
    paths.flat_map(|path| path.split(['/', '\\']).map(str::to_owned).collect::<Vec<_>>())
}

/// Returns `true` if a rule names the only address of these rules.
fn names_literal(policies: &[Policy]) -> bool {
    policies.iter().flat_map(Policy::rules).any(|rule| match &rule.resources {
        Resources::Plain(resources) => {
            resources.iter().any(|own| own.split(':').next() == Some(LITERAL))
        }
        Resources::Http(_) => false,
    })
}

/// Returns `true` if a path may be one that rules name, in another letter case or through the place
/// of the home folder.
fn is_respelled(request: &Request, names: &BTreeSet<String>) -> bool {
    let path = match request {
        Request::Connect { .. } => return false,
        Request::Http { path, .. } | Request::Folder { path, .. } => path,
    };
    let mut segments = path.split(['/', '\\']);
    let recased = |segment: &str| {
        names.iter().any(|name| name != segment && name.eq_ignore_ascii_case(segment))
    };
    let homes = ["~", "home", "users", "root"];
    segments.any(|segment| recased(segment) || homes.contains(&segment.to_lowercase().as_str()))
}

fn check(old: &[Policy], new: &[Policy]) {
    let comparison = compare(old, new, &TeamDirectory::default());
    let Comparison::Complete(Changes { widened, narrowed, uncertain }) = comparison else {
        panic!("incomplete")
    };
    let mut entries: Vec<(Outcome, &Entry)> = Vec::new();
    entries.extend(widened.iter().map(|entry| (Outcome::Widened, entry)));
    entries.extend(narrowed.iter().map(|entry| (Outcome::Narrowed, entry)));
    entries.extend(uncertain.iter().map(|entry| {
        let Entry { widens, narrows, .. } = *entry;
        (Outcome::Uncertain { widens, narrows }, entry)
    }));
    // A domain that loses its last policy is said apart.
    let entries: Vec<_> = entries
        .into_iter()
        .filter(|(_, entry)| entry.because.iter().all(|cause| cause.rule.is_some()))
        .collect();
    for (expected, entry) in &entries {
        let audience: BTreeSet<String> = entry.audience.teams.iter().cloned().collect();
        let request = witness(&entry.witness);
        assert_eq!(outcome(old, new, &audience, &request), *expected, "the witness of {entry:?}");
        assert!(!entry.because.is_empty(), "no cause for {entry:?}");
        for smaller in
            subsets(&entry.audience.teams).into_iter().filter(|smaller| *smaller != audience)
        {
            assert_ne!(
                outcome(old, new, &smaller, &request),
                *expected,
                "{smaller:?} is enough for {entry:?}"
            );
        }
    }
    for (expected, entry) in &entries {
        // `can` takes the witness as it is printed, and answers as the comparison does.
        let teams: BTreeSet<String> = entry.audience.teams.iter().cloned().collect();
        let request = seawall::access::Request::parse(&entry.witness).unwrap();
        let ask = |policies: &[Policy]| {
            // A policy has one domain, other than the random ones.
            let alone = |policy: &Policy, rule: &Rule| Policy {
                body: Body::Allowlist(vec![rule.clone()]),
                ..policy.clone()
            };
            let rules = policies
                .iter()
                .flat_map(|policy| policy.rules().iter().map(move |rule| alone(policy, rule)));
            let policies: Vec<Policy> = rules.collect();
            let domain_is_known =
                policies.iter().any(|policy| policy.domain() == Some(domain(&request)));
            let verdict = State::new(&policies).ask(&teams, &request).verdict;
            if domain_is_known { verdict } else { Verdict::Deny }
        };
        match expected {
            Outcome::Widened => {
                assert_eq!((ask(old), ask(new)), (Verdict::Deny, Verdict::Allow), "{entry:?}")
            }
            Outcome::Narrowed => {
                assert_eq!((ask(old), ask(new)), (Verdict::Allow, Verdict::Deny), "{entry:?}")
            }
            Outcome::Uncertain { .. } => {
                assert!(
                    [ask(old), ask(new)].contains(&Verdict::Uncertain),
                    "{entry:?}: {:?} {:?}",
                    ask(old),
                    ask(new)
                );
            }
            Outcome::Same => unreachable!(),
        }
    }
    let audiences = subsets(&TEAMS.map(str::to_owned));
    let names = segments(old).chain(segments(new)).collect();
    let literal = names_literal(old) || names_literal(new);
    for request in requests() {
        let respelled = is_respelled(&request, &names);
        let outcomes: BTreeMap<&BTreeSet<String>, Outcome> =
            audiences.iter().zip(outcomes(old, new, &audiences, &request)).collect();
        for (audience, outcome) in &outcomes {
            // The request itself, or the connection that it follows from.
            let connection = match &request {
                Request::Http { host, port, address, .. } => Some(Request::Connect {
                    udp: false,
                    host: host.clone(),
                    port: *port,
                    address: *address,
                }),
                Request::Connect { .. } | Request::Folder { .. } => None,
            };
            let says = |entry: &Entry| {
                if entry.access.text().contains(RESPELLINGS) {
                    // It is said of every host, and of addresses too.
                    let all = match &request {
                        Request::Http { host, .. } => format!("{host}/**"),
                        Request::Connect { .. } | Request::Folder { .. } => "**".to_owned(),
                    };
                    let all = Entry {
                        access: entry.access.text().replace(RESPELLINGS, &all).into(),
                        ..(*entry).clone()
                    };
                    return respelled && speaks_about(&all, &request, None, literal);
                }
                speaks_about(entry, &request, None, literal)
                    || connection
                        .as_ref()
                        .is_some_and(|connection| speaks_about(entry, connection, None, literal))
            };
            let said = |enough: &dyn Fn(Outcome, &Entry) -> bool| {
                let mut smaller = entries.iter().filter(|(_, entry)| {
                    entry.audience.teams.iter().all(|team| audience.contains(team))
                });
                smaller.any(|(own, entry)| enough(*own, entry) && says(entry))
            };
            let found = match *outcome {
                Outcome::Same => true,
                certain @ (Outcome::Widened | Outcome::Narrowed) => said(&|own, _| own == certain),
                Outcome::Uncertain { widens, narrows } => {
                    (!widens || said(&|_, entry| entry.widens))
                        && (!narrows || said(&|_, entry| entry.narrows))
                        || respelled && goes_without_saying(&entries, audience, (widens, narrows))
                }
            };
            assert!(found, "{outcome:?} for {audience:?}, but not said: {request:?}\n{entries:#?}");
        }
        for (own, entry) in &entries {
            let audience: BTreeSet<String> = entry.audience.teams.iter().cloned().collect();
            // A block is said of what no name decides, as an address that is asked for by itself.
            let of_block =
                entry.access.text().split(' ').nth(1).is_some_and(|object| {
                    object.starts_with(char::is_numeric) && object.contains('/')
                });
            let by_name = |host: &str| host.starts_with(char::is_alphabetic) || host == LITERAL;
            let by_name = matches!(&request, Request::Connect { host, .. } if by_name(host));
            let in_part = entry.access.text().contains(" in part");
            if entry.access.text().contains(" more")
                || in_part
                || of_block && by_name
                || entry.access.text().contains(RESPELLINGS)
            {
                continue;
            }
            let wanted = match own {
                Outcome::Widened => (false, true),
                Outcome::Narrowed => (true, false),
                _ if respelled => continue,
                Outcome::Same | Outcome::Uncertain { .. } => {
                    let says = speaks_about(entry, &request, None, literal);
                    assert!(
                        !says || outcomes[&audience] == *own,
                        "{entry:?} says too much: {request:?}"
                    );
                    continue;
                }
            };
            // Patterns mean what they mean to the service, whether it minds letter case or not.
            let named = named_in_homes(&[old, new]);
            for world in worlds(&request)
                .into_iter()
                .filter(|world| speaks_about(entry, &request, Some(*world), literal))
            {
                let is = |policies| {
                    allowed(
                        &bearings(policies, &request, world, &named),
                        &audience,
                        &request,
                        world,
                    )
                };
                assert_eq!((is(old), is(new)), wanted, "{entry:?} says too much: {request:?}");
            }
        }
    }
}

fn network_resource() -> impl Strategy<Value = String> {
    let name = prop::collection::vec(prop::sample::select(vec!["a", "b"]), 1..3)
        .prop_map(|labels| labels.join("."));
    let front = prop::sample::select(vec!["", "", "*.", "**."]);
    let pattern = (front, name).prop_map(|(front, name)| format!("{front}{name}"));
    let pattern =
        prop_oneof![8 => pattern, 1 => Just("**".to_owned()), 1 => Just(LITERAL.to_owned())];
    let named =
        (pattern, prop::option::weighted(0.2, Just(443))).prop_map(|(pattern, port)| match port {
            Some(port) => format!("{pattern}:{port}"),
            None => pattern,
        });
    prop_oneof![3 => named, 1 => prop::sample::select(BLOCKS.map(str::to_owned).to_vec())]
}

fn rule() -> impl Strategy<Value = Rule> {
    let decision = prop::sample::select(vec![Decision::Allow, Decision::Allow, Decision::Deny]);
    let actions = |names: &[&str]| {
        let all: Vec<Action> = names.iter().map(|name| Action::parse(name)).collect();
        prop::sample::subsequence(all, 1..=names.len())
    };
    let network =
        (actions(&["connect:tcp", "connect:udp"]), prop::collection::vec(network_resource(), 1..3))
            .prop_map(|(actions, resources)| (actions, Resources::Plain(resources.into())));
    let host = prop::sample::select(vec!["a", "b.a", "*.a", "**.a", "**"]);
    let path = prop::sample::select(vec![
        "/", "/x", "/x/**", "/*", "/**", "/y/*/x", "/x/y", "/X/**", "/x/Y",
    ]);
    let target =
        (host, prop::option::weighted(0.3, Just(443)), path).prop_map(|(host, port, path)| {
            HttpResource { host: host.to_owned(), port, path: path.to_owned() }
        });
    let http = (actions(&["request:get", "request:delete"]), prop::collection::vec(target, 1..3))
        .prop_map(|(actions, targets)| (actions, Resources::Http(targets)));
    let posix =
        vec!["~/x", "~/x/**", "~/**", "~/*", "/data/x", "/data/**", "/data", "/data/*/y", "**"];
    let respelled = vec![
        "/Data/**",
        "/data/X",
        "~/X/y",
        "/home/**",
        "/home/u/**",
        "/home/*/x",
        "/root/x",
        "$HOME/**",
    ];
    let windows =
        vec!["*:\\data\\**", "D:\\data\\x", "C:\\Users\\**", "\\\\wsl.localhost\\ubuntu\\data\\**"];
    let folder = prop_oneof![
        4 => prop::sample::select(posix),
        3 => prop::sample::select(respelled),
        2 => prop::sample::select(windows),
    ];
    let folders = (actions(&["read", "write"]), prop::collection::vec(folder, 1..3)).prop_map(
        |(actions, paths)| {
            (actions, Resources::Plain(paths.into_iter().map(str::to_owned).collect()))
        },
    );
    (decision, prop_oneof![4 => network, 3 => http, 3 => folders]).prop_map(
        |(decision, (actions, resources))| Rule {
            name: "rule".to_owned(),
            decision,
            actions,
            resources,
        },
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    let scope = prop::sample::subsequence(TEAMS.to_vec(), 0..=2)
        .prop_map(|teams| Scope::from_teams(teams.into_iter().map(str::to_owned)));
    (scope, prop::collection::vec(rule(), 1..4)).prop_map(|(scope, rules)| Policy {
        name: "policy".to_owned(),
        scope,
        body: Body::Allowlist(rules),
    })
}

proptest! {
    // Each case looks at thousands of requests; `PROPTEST_CASES` raises the number.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    /// Every reported change is real, and every real change is reported.
    #[test]
    fn the_comparison_is_brute_force(
        kept in prop::collection::vec(policy(), 0..2),
        gone in prop::collection::vec(policy(), 0..3),
        come in prop::collection::vec(policy(), 0..3),
    ) {
        let old = [kept.clone(), gone].concat();
        let new = [come, kept].concat();
        check(&old, &new);
    }
}
