//! The patterns of the rules that match the classes of a universe, from which descriptions are
//! chosen.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::clause::Target;
use crate::host::Destination;
use crate::parallel;
use crate::path::folder_text;
use crate::text;
use crate::trie::Hit;
use crate::universe::{Host, HostClass, Universe};
use crate::unknowns::{Unknown, Unknowns};
use crate::witness::bracketed;

use super::alike::AlikeHosts;
use super::cover::{Catalogue, Named};
use super::numbering::Numbering;

/// Addresses that no rule names.
pub(super) const ANY_OTHER_ADDRESS: &str = "any other address";

/// The number of places below which one thread is faster.
const PLACES_A_THREAD: usize = 8;

/// The number of classes that are described at a time.
const CLASSES_AT_A_TIME: usize = 1_000;

/// Makes the catalogues of a universe.
pub(super) struct Catalogues<'a> {
    universe: &'a Universe,
    alike: &'a AlikeHosts<'a>,
}

impl<'a> Catalogues<'a> {
    pub(super) fn new(universe: &'a Universe, alike: &'a AlikeHosts<'a>) -> Self {
        Self { universe, alike }
    }

    pub(super) fn folders(&self) -> Catalogue<'a> {
        let mut folders = self.catalogue(&self.universe.folders, |class| {
            let own = class.single.then(|| folder_text(&class.labels));
            vec![self.patterns(&class.hits).into_iter().chain(own).collect()]
        });
        for (at, class) in self.universe.folders.iter().enumerate() {
            folders.add_loose(at, self.respelled(&class.hits));
        }
        folders
    }

    pub(super) fn hosts(&self) -> Catalogue<'a> {
        self.catalogue(&self.universe.hosts, |class| vec![self.connections(class)])
    }

    pub(super) fn requests(&self, numbering: &Numbering<'_>) -> Catalogue<'a> {
        let mut requests = self.catalogue(&self.universe.hosts, |class| {
            let whole = self.all_requests(class);
            let each = |hits: &[Hit]| {
                [whole.clone(), self.patterns(hits), self.requests_of_host(class, hits)].concat()
            };
            match self.universe.requests_of(class) {
                [] => vec![each(&[])],
                requests => requests.iter().map(|request| each(&request.hits)).collect(),
            }
        });
        for (class, offset) in self.universe.hosts.iter().zip(&numbering.offsets) {
            for (request, number) in self.universe.requests_of(class).iter().zip(*offset..) {
                requests.add_loose(number, self.respelled(&request.hits));
            }
        }
        requests
    }

    pub(super) fn addresses(&self) -> Catalogue<'a> {
        self.catalogue(self.universe.ports_of_any_address(), |port| {
            let own = named_port(port);
            let texts = self.universe.addresses.iter().map(|class| {
                let blocks = self.patterns(&class.hits);
                let with_port: Vec<String> =
                    blocks.iter().map(|block| text::connections(block, own)).collect();
                [blocks, with_port].concat()
            });
            texts.collect()
        })
    }

    /// Sets of classes of addresses, described.
    pub(super) fn places(&self, sets: &[BTreeSet<usize>]) -> Vec<Arc<str>> {
        if sets.is_empty() {
            return Vec::new();
        }
        let blocks =
            self.catalogue(&self.universe.addresses, |class| vec![self.patterns(&class.hits)]);
        parallel::map(sets.iter().collect(), PLACES_A_THREAD, |classes| {
            place(self.universe, &blocks, classes).into()
        })
    }

    /// A catalogue of classes, each of which may represent several; `texts` has the patterns of
    /// each.
    fn catalogue<T: Sync>(
        &self,
        classes: &[T],
        texts: impl Fn(&T) -> Vec<Vec<String>> + Sync,
    ) -> Catalogue<'a> {
        let chunks = classes.chunks(CLASSES_AT_A_TIME).collect();
        let texts = |chunk: &[T]| chunk.iter().flat_map(&texts).collect::<Vec<Vec<String>>>();
        Catalogue::new(parallel::map(chunks, 1, texts).into_iter().flatten(), self.alike)
    }

    /// The pattern of the clause for what it matches with these open questions.
    fn narrowed(&self, hit: &Hit, unknowns: Unknowns) -> Option<Cow<'a, Target>> {
        self.universe.clause(hit).target.narrowed(unknowns)
    }

    fn patterns(&self, hits: &[Hit]) -> Vec<String> {
        hits.iter()
            .filter_map(|hit| self.narrowed(hit, hit.unknowns))
            .map(|target| target.to_string())
            .collect()
    }

    /// The destinations of rules: HTTP rules contribute hosts to the description of connections,
    /// and rules about connections to that of requests.
    fn destinations(&self, hits: &[Hit]) -> Vec<Destination> {
        let targets = hits.iter().filter_map(|hit| self.narrowed(hit, hit.unknowns));
        let destinations = targets.filter_map(|target| match target.into_owned() {
            Target::Network(destination) | Target::Http(destination, _) => Some(destination),
            Target::Folder(_) => None,
        });
        destinations.collect()
    }

    fn connections(&self, class: &HostClass) -> Vec<String> {
        let own = own_name(&class.host).into_iter();
        let own =
            own.flat_map(|own| [None, named_port(class)].map(|port| text::connections(&own, port)));
        own.chain(self.destinations(&class.hits).iter().map(Destination::to_string)).collect()
    }

    fn all_requests(&self, class: &HostClass) -> Vec<String> {
        let destinations = self.destinations(&class.hits).into_iter();
        destinations
            .map(|Destination { host, port, .. }| text::requests(host, port, "/**"))
            .collect()
    }

    /// Requests to a single host, for changes that do not apply to every host of a pattern.
    fn requests_of_host(&self, class: &HostClass, hits: &[Hit]) -> Vec<String> {
        let Some(own) = own_name(&class.host) else { return Vec::new() };
        // For an address, the path is described with its own name, whatever pattern of names
        // matches it.
        let targets = hits
            .iter()
            .filter_map(|hit| self.narrowed(hit, hit.unknowns.without(Unknown::AddressAsName)));
        let paths = targets.filter_map(|target| match target.as_ref() {
            Target::Http(destination, path) => Some((destination.port, text::request_path(path))),
            Target::Network(_) | Target::Folder(_) => None,
        });
        let paths = paths.chain([(None, "/**".to_owned())]);
        let port = named_port(class);
        paths
            .flat_map(|(stated, path)| [stated, port].map(|port| text::requests(&own, port, &path)))
            .collect()
    }

    /// The patterns that match another spelling of their own text.
    fn respelled(&self, hits: &[Hit]) -> Vec<String> {
        let spelling = |all: Unknowns| all.without(Unknown::Case).without(Unknown::HomeFolder);
        let respelled = hits.iter().filter(|hit| spelling(hit.unknowns) != hit.unknowns);
        let targets = respelled.filter_map(|hit| self.narrowed(hit, spelling(hit.unknowns)));
        targets.map(|target| target.to_string()).collect()
    }
}

/// Some classes of addresses, described.
fn place(universe: &Universe, blocks: &Catalogue<'_>, classes: &BTreeSet<usize>) -> String {
    let unmatched =
        |class: &usize| universe.addresses.get(*class).is_some_and(|class| class.hits.is_empty());
    let all = || 0..universe.addresses.len();
    let (word, set): (&str, Vec<usize>) = if classes.iter().any(unmatched) {
        (" except at ", all().filter(|class| !classes.contains(class)).collect())
    } else {
        (" at ", classes.iter().copied().collect())
    };
    let name = |left: &BTreeSet<usize>| -> Named {
        let text =
            |class: &usize| universe.addresses.get(*class).map(|class| class.witness.to_string());
        left.iter().map(|class| (text(class).unwrap_or_default(), vec![*class])).collect()
    };
    let descriptions =
        blocks.describe(&set, &|class| set.binary_search(&class).is_ok(), &|_| true, &name);
    let texts: Vec<String> = descriptions.into_iter().map(|description| description.text).collect();
    format!("{word}{}", texts.join(", "))
}

/// The port, if the class is about one that rules name.
fn named_port(class: &HostClass) -> Option<u16> {
    Some(class.port).filter(|_| !class.other_port)
}

/// The own name of a host that differs from others.
pub(super) fn own_name(host: &Host) -> Option<String> {
    match host {
        Host::Name { name, single } => single.then(|| name.clone()),
        Host::Address(address) => Some(bracketed(*address)),
        Host::AnyAddress => Some(ANY_OTHER_ADDRESS.to_owned()),
    }
}
