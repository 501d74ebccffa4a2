//! The patterns of the rules, for each kind of members with reported changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::atom::Atom;
use crate::clause::{Actions, Target};
use crate::host::Destination;
use crate::parallel;
use crate::path::folder_text;
use crate::text;
use crate::trie::Hit;
use crate::universe::{Host, HostClass, Universe};
use crate::unknowns::{Unknown, Unknowns};
use crate::witness::bracketed;

use super::change_classes::{At, ChangeClass, ChangeClasses, Kind, Members};
use super::cover::{Catalogue, Description, Named};
use super::numbering::Numbering;

/// The text for targets that may be another spelling of a name in rules.
pub(super) const RESPELLED: &str = "** in another spelling";

/// Addresses that no rule names.
const ANY_OTHER_ADDRESS: &str = "any other address";

/// The number of places below which one thread is faster.
const PLACES_A_THREAD: usize = 8;

/// The number of classes that are described at a time.
const CLASSES_AT_A_TIME: usize = 1_000;

/// The patterns of the rules, for each kind of members with reported changes.
pub(super) struct Words<'a> {
    pub(super) change_classes: &'a ChangeClasses,
    pub(super) numbering: Numbering<'a>,
    folders: Catalogue,
    hosts: Catalogue,
    requests: Catalogue,
    addresses: Catalogue,
    /// The places to which the address must belong for the change to occur, by number.
    places: Vec<Arc<str>>,
}

impl<'a> Words<'a> {
    pub(super) fn new(universe: &'a Universe, change_classes: &'a ChangeClasses) -> Self {
        let needs = |kind| {
            change_classes.change_classes.iter().any(|(cell, members)| cell.kind == kind && !members.report.is_empty())
        };
        let narrowed = |hit: &Hit| universe.clause(hit).target.narrowed(hit.unknowns);
        let patterns = |hits: &[Hit]| -> Vec<String> {
            hits.iter().filter_map(narrowed).map(|target| target.to_string()).collect()
        };
        // HTTP rules contribute hosts to the description of connections, and rules about connections to that of
        // requests.
        let destinations = |hits: &[Hit]| -> Vec<Destination> {
            let destinations = hits.iter().filter_map(narrowed).filter_map(|target| match target.into_owned() {
                Target::Network(destination) | Target::Http(destination, _) => Some(destination),
                Target::Folder(_) => None,
            });
            destinations.collect()
        };
        let named_port = |class: &HostClass| Some(class.port).filter(|_| !class.other_port);
        let connections = |class: &HostClass| {
            let own = own_name(&class.host).into_iter();
            let own = own.flat_map(|own| [None, named_port(class)].map(|port| text::connections(&own, port)));
            own.chain(destinations(&class.hits).iter().map(Destination::to_string)).collect()
        };
        let all_requests = |class: &HostClass| -> Vec<String> {
            let destinations = destinations(&class.hits).into_iter();
            destinations.map(|Destination { host, port, .. }| text::requests(host, port, "/**")).collect()
        };
        // A single host, for changes that do not apply to every host of a pattern.
        let of_host = |class: &HostClass, hits: &[Hit]| -> Vec<String> {
            let Some(own) = own_name(&class.host) else { return Vec::new() };
            let port = named_port(class);
            // For an address, the path is described with its own name, whatever pattern of names matches it.
            let on_own = |hit: &Hit| {
                let unknowns = hit.unknowns.without(Unknown::AddressAsName);
                universe.clause(hit).target.narrowed(unknowns)
            };
            let targets = hits.iter().filter_map(on_own).filter_map(|target| match target.as_ref() {
                Target::Http(destination, path) => Some((destination.port, text::request_path(path))),
                Target::Network(_) | Target::Folder(_) => None,
            });
            let targets = targets.chain([(None, "/**".to_owned())]);
            let texts = targets.flat_map(|(stated, path)| [stated, port].map(|port| text::requests(&own, port, &path)));
            texts.collect()
        };
        let loose = |hits: &[Hit]| -> Vec<String> {
            let spelling = |all: Unknowns| all.without(Unknown::Case).without(Unknown::HomeFolder);
            let respelled = hits.iter().filter(|hit| spelling(hit.unknowns) != hit.unknowns);
            let same = |hit: &Hit| universe.clause(hit).target.narrowed(spelling(hit.unknowns));
            respelled.filter_map(same).map(|target| target.to_string()).collect()
        };
        let numbering = Numbering::new(universe, change_classes);
        let addresses = || {
            catalogue(universe.ports_of_any_address(), |port| {
                let own = if port.other_port { None } else { Some(port.port) };
                let texts = universe.addresses.iter().map(|class| {
                    let blocks = patterns(&class.hits);
                    let with_port: Vec<String> = blocks.iter().map(|block| text::connections(block, own)).collect();
                    [blocks, with_port].concat()
                });
                texts.collect()
            })
        };
        let folders = || {
            let mut folders = catalogue(&universe.folders, |class| {
                let own = class.single.then(|| folder_text(&class.labels));
                vec![patterns(&class.hits).into_iter().chain(own).collect()]
            });
            for (at, class) in universe.folders.iter().enumerate() {
                folders.add_loose(at, loose(&class.hits));
            }
            folders
        };
        let hosts = || catalogue(&universe.hosts, |class| vec![connections(class)]);
        let requests = || {
            let mut requests = catalogue(&universe.hosts, |class| {
                let whole = all_requests(class);
                let each = |hits: &[Hit]| [whole.clone(), patterns(hits), of_host(class, hits)].concat();
                match universe.requests_of(class) {
                    [] => vec![each(&[])],
                    requests => requests.iter().map(|request| each(&request.hits)).collect(),
                }
            });
            for (class, offset) in universe.hosts.iter().zip(&numbering.offsets) {
                for (request, number) in universe.requests_of(class).iter().zip(*offset..) {
                    requests.add_loose(number, loose(&request.hits));
                }
            }
            requests
        };
        let places = || {
            if change_classes.places.is_empty() {
                return Vec::new();
            }
            let blocks = catalogue(&universe.addresses, |class| vec![patterns(&class.hits)]);
            let places = change_classes.places.iter().collect();
            parallel::map(places, PLACES_A_THREAD, |classes| place(universe, &blocks, classes).into())
        };
        let needed = |kind, of: &dyn Fn() -> Catalogue| if needs(kind) { of() } else { Catalogue::default() };
        let ((hosts, addresses, places), (requests, folders)) = parallel::both(
            || (needed(Kind::Hosts, &hosts), needed(Kind::Addresses, &addresses), places()),
            || (needed(Kind::Requests, &requests), needed(Kind::Folders, &folders)),
        );
        Self { change_classes, numbering, folders, hosts, requests, addresses, places }
    }

    /// Patterns are those of the rules, with their meaning to the service, whether letter case matters or not. Another
    /// spelling is therefore described separately if it is uncertain, and never makes a pattern untrue.
    pub(super) fn describe(&self, cell: &ChangeClass, members: &Members) -> Vec<Description> {
        let report = &members.report;
        let numbering = &self.numbering;
        let is_apart = |member: &usize| {
            numbering.is_respelled(cell.kind, *member) || numbering.may_be_respelled(cell.kind, *member)
        };
        if !cell.outcome.is_uncertain() {
            // A certain change is the same as the change if case matters, which is described.
            let said = |member: &usize| !numbering.follows(cell, *member);
            return self.in_patterns(cell, &report.iter().copied().filter(said).collect::<Vec<usize>>(), members);
        }
        let (covered, report): (Vec<usize>, Vec<usize>) = report.iter().copied().partition(is_apart);
        let mut descriptions = self.in_patterns(cell, &report, members);
        if !covered.is_empty() {
            descriptions.push(Description { text: RESPELLED.to_owned(), size: usize::MAX, covered });
        }
        descriptions
    }

    fn in_patterns(&self, cell: &ChangeClass, report: &[usize], members: &Members) -> Vec<Description> {
        let is_true = |member: usize| members.has(member);
        let counts = |member: usize| members.has(member) || !self.numbering.is_respelled(cell.kind, member);
        match cell.kind {
            Kind::Folders => self.folders.describe(report, &is_true, &counts, &|left| self.each(cell, left)),
            Kind::Addresses => self.addresses.describe(report, &is_true, &|_| true, &|left| self.each(cell, left)),
            Kind::Hosts => self.hosts.describe(report, &is_true, &|_| true, &|left| self.each_host(left)),
            Kind::Requests => {
                // Requests to hosts without HTTP clauses change like their connections.
                let tcp = ChangeClass { atom: Atom::Tcp, kind: Kind::Hosts, ..cell.clone() };
                let connections = self.change_classes.change_classes.get(&tcp);
                let is_true = |number| {
                    let uncovered = || self.numbering.uncovered(number);
                    members.has(number)
                        || connections.is_some_and(|members| uncovered().is_some_and(|host| members.has(host)))
                };
                let exists = |number| {
                    counts(number)
                        && match (self.numbering.request(number).1, cell.atom) {
                            (Some(request), Atom::Http(method)) => request.methods.meets(Actions::method(method)),
                            _ => true,
                        }
                };
                self.requests.describe(report, &is_true, &exists, &|left| self.each(cell, left))
            }
        }
    }

    /// Members one by one.
    fn each(&self, cell: &ChangeClass, members: &BTreeSet<usize>) -> Named {
        let object = |member: usize| {
            if cell.kind == Kind::Requests
                && let (class, request) = self.numbering.request(member)
                && class.host == Host::AnyAddress
            {
                let path = request.map_or("/", |request| request.path.as_str());
                return text::requests(ANY_OTHER_ADDRESS, Some(class.port), path);
            }
            self.numbering.witness(&ChangeClass { at: None, ..cell.clone() }, member).object().to_owned()
        };
        members.iter().map(|member| (object(*member), vec![*member])).collect()
    }

    /// Hosts one by one.
    fn each_host(&self, members: &BTreeSet<usize>) -> Named {
        let name = |class: &HostClass| {
            let host = own_name(&class.host).unwrap_or_else(|| self.witness_host(class));
            text::connections(host, Some(class.port).filter(|_| !class.other_port))
        };
        members.iter().map(|member| (name(self.numbering.host(*member)), vec![*member])).collect()
    }

    fn witness_host(&self, class: &HostClass) -> String {
        match &class.host {
            Host::Name { name, .. } => name.clone(),
            Host::Address(address) => bracketed(*address),
            Host::AnyAddress => String::new(),
        }
    }

    /// The place to which the address must belong for the change to occur.
    pub(super) fn at(&self, at: At) -> Arc<str> {
        at.and_then(|at| self.places.get(at)).cloned().unwrap_or_default()
    }
}

/// A catalogue of classes, each of which may represent several; `texts` has the patterns of each.
fn catalogue<T: Sync>(classes: &[T], texts: impl Fn(&T) -> Vec<Vec<String>> + Sync) -> Catalogue {
    let chunks = classes.chunks(CLASSES_AT_A_TIME).collect();
    let texts = |chunk: &[T]| chunk.iter().flat_map(&texts).collect::<Vec<Vec<String>>>();
    Catalogue::new(parallel::map(chunks, 1, texts).into_iter().flatten())
}

/// Some classes of addresses, described.
fn place(universe: &Universe, blocks: &Catalogue, classes: &BTreeSet<usize>) -> String {
    let unmatched = |class: &usize| universe.addresses.get(*class).is_some_and(|class| class.hits.is_empty());
    let all = || 0..universe.addresses.len();
    let (word, set): (&str, Vec<usize>) = if classes.iter().any(unmatched) {
        (" except at ", all().filter(|class| !classes.contains(class)).collect())
    } else {
        (" at ", classes.iter().copied().collect())
    };
    let name = |left: &BTreeSet<usize>| -> Named {
        let text = |class: &usize| universe.addresses.get(*class).map(|class| class.witness.to_string());
        left.iter().map(|class| (text(class).unwrap_or_default(), vec![*class])).collect()
    };
    let descriptions = blocks.describe(&set, &|class| set.binary_search(&class).is_ok(), &|_| true, &name);
    let texts: Vec<String> = descriptions.into_iter().map(|description| description.text).collect();
    format!("{word}{}", texts.join(", "))
}

/// The own name of a host that differs from others.
fn own_name(host: &Host) -> Option<String> {
    match host {
        Host::Name { name, single } => single.then(|| name.clone()),
        Host::Address(address) => Some(bracketed(*address)),
        Host::AnyAddress => Some(ANY_OTHER_ADDRESS.to_owned()),
    }
}
