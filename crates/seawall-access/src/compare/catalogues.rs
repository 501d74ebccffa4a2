//! The patterns of the rules that match the classes of a universe, from which descriptions are
//! chosen.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::clause::Target;
use crate::hash::HashMap;
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

/// Addresses that no rule names.
pub(super) const ANY_OTHER_ADDRESS: &str = "any other address";

/// The number of places below which one thread is faster.
const PLACES_A_THREAD: usize = 8;

/// The largest number of classes that are described at a time, and the number of parts in which
/// fewer are.
const CLASSES_AT_A_TIME: usize = 1_000;
const PARTS: usize = 8;

/// The texts of some classes. What a match is called is made once: very many classes share their
/// matches.
#[derive(Default)]
struct Texts {
    list: Vec<String>,
    known: HashMap<(Form, Hit), Option<u32>>,
    /// The same for texts about one host, by its matches, and for the host as a whole.
    host_texts: HashMap<Option<Hit>, [Option<u32>; 2]>,
    /// By class: the positions of its texts.
    classes: Vec<Vec<u32>>,
}

/// The part of a rule that a text is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Pattern,
    Connections,
    AllRequests,
}

impl Texts {
    fn add(&mut self, text: String) -> u32 {
        self.list.push(text);
        u32::try_from(self.list.len() - 1).expect("fewer texts than bytes of policies")
    }

    /// The text for a match in a form; `None` if no pattern expresses it.
    fn of(&mut self, form: Form, hit: &Hit, text: impl FnOnce() -> Option<String>) -> Option<u32> {
        if let Some(known) = self.known.get(&(form, *hit)) {
            return *known;
        }
        let own = text().map(|text| self.add(text));
        self.known.insert((form, *hit), own);
        own
    }

    /// The texts for a match, or without one, about one host.
    fn of_host(
        &mut self,
        hit: Option<&Hit>,
        texts: impl FnOnce(&mut Self) -> [Option<u32>; 2],
    ) -> [Option<u32>; 2] {
        let key = hit.copied();
        if let Some(known) = self.host_texts.get(&key) {
            return *known;
        }
        let own = texts(self);
        self.host_texts.insert(key, own);
        own
    }

    fn get(&self, at: u32) -> &str {
        self.list.get(at as usize).map(String::as_str).unwrap_or_default()
    }
}

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
        self.catalogue(&self.universe.folders, |class, texts, loose| {
            let mut own = self.patterns(&class.hits, texts);
            own.extend(class.single.then(|| texts.add(folder_text(&class.labels))));
            texts.classes.push(own);
            self.respelled(&class.hits, loose);
        })
    }

    pub(super) fn hosts(&self) -> Catalogue<'a> {
        self.catalogue(&self.universe.hosts, |class, texts, _| {
            let own = own_name(&class.host).into_iter();
            let own = own.flat_map(|own| {
                [None, named_port(class)].map(|port| text::connections(&own, port))
            });
            let mut own: Vec<u32> = own.map(|text| texts.add(text)).collect();
            own.extend(class.hits.iter().filter_map(|hit| {
                texts.of(Form::Connections, hit, || Some(self.destination(hit)?.to_string()))
            }));
            texts.classes.push(own);
        })
    }

    pub(super) fn requests(&self) -> Catalogue<'a> {
        self.catalogue(&self.universe.hosts, |class, texts, loose| {
            let whole = |hit: &Hit| {
                let Destination { host, port, .. } = self.destination(hit)?;
                Some(text::requests(host, port, "/**"))
            };
            let whole: Vec<u32> = class
                .hits
                .iter()
                .filter_map(|hit| texts.of(Form::AllRequests, hit, || whole(hit)))
                .collect();
            let name = own_name(&class.host);
            let mut each = |hits: &[Hit]| {
                let mut own = whole.clone();
                own.extend(self.patterns(hits, texts));
                own.extend(self.requests_of_host((class, name.as_deref()), hits, texts));
                texts.classes.push(own);
                self.respelled(hits, loose);
            };
            let requests = self.universe.requests_of(class);
            match requests.list() {
                [] => each(&[]),
                all => all
                    .iter()
                    .for_each(|request| each(&self.universe.request_hits(requests, request))),
            }
            texts.host_texts.clear();
        })
    }

    pub(super) fn addresses(&self) -> Catalogue<'a> {
        self.catalogue(self.universe.ports_of_any_address(), |port, texts, _| {
            for class in &self.universe.addresses {
                let mut own = self.patterns(&class.hits, texts);
                // Without a port, both texts are one.
                if let Some(port) = named_port(port) {
                    for hit in &class.hits {
                        let with_port = |texts: &mut Texts| {
                            let block = texts.of(Form::Pattern, hit, || self.pattern(hit))?;
                            let text = text::connections(texts.get(block), Some(port));
                            Some(texts.add(text))
                        };
                        let with_port = texts.of_host(Some(hit), |texts| [with_port(texts), None]);
                        own.extend(with_port.into_iter().flatten());
                    }
                }
                texts.classes.push(own);
            }
            texts.host_texts.clear();
        })
    }

    /// Sets of classes of addresses, described.
    pub(super) fn places(&self, sets: &[BTreeSet<usize>]) -> Vec<Arc<str>> {
        if sets.is_empty() {
            return Vec::new();
        }
        let blocks = self.catalogue(&self.universe.addresses, |class, texts, _| {
            let own = self.patterns(&class.hits, texts);
            texts.classes.push(own);
        });
        parallel::map(sets.iter().collect(), PLACES_A_THREAD, |classes| {
            place(self.universe, &blocks, classes).into()
        })
    }

    /// A catalogue of classes, each of which may represent several; `describe` adds the patterns of
    /// each, and those that may match it in another spelling.
    fn catalogue<T: Sync>(
        &self,
        classes: &[T],
        describe: impl Fn(&T, &mut Texts, &mut Texts) + Sync,
    ) -> Catalogue<'a> {
        let size = classes.len().div_ceil(PARTS).clamp(1, CLASSES_AT_A_TIME);
        let described = parallel::map(classes.chunks(size).collect(), 1, |chunk: &[T]| {
            let (mut texts, mut loose) = (Texts::default(), Texts::default());
            chunk.iter().for_each(|class| describe(class, &mut texts, &mut loose));
            [texts, loose].map(|texts| (texts.list, texts.classes))
        });
        let mut catalogue = Catalogue::new(self.alike);
        catalogue.reserve(described.iter().map(|[(texts, _), _]| texts.len()).sum(), classes.len());
        let (texts, loose): (Vec<_>, Vec<_>) =
            described.into_iter().map(|[texts, loose]| (texts, loose)).unzip();
        texts.into_iter().for_each(|(texts, classes)| catalogue.add(texts, classes));
        let mut first = 0;
        for (texts, classes) in loose {
            let count = classes.len();
            catalogue.add_loose(first, texts, classes);
            first += count;
        }
        catalogue
    }

    /// The pattern of the clause for what it matches with these open questions.
    fn narrowed(&self, hit: &Hit, unknowns: Unknowns) -> Option<Cow<'a, Target>> {
        self.universe.clause(hit).target.narrowed(unknowns)
    }

    fn pattern(&self, hit: &Hit) -> Option<String> {
        Some(self.narrowed(hit, hit.unknowns)?.to_string())
    }

    fn patterns(&self, hits: &[Hit], texts: &mut Texts) -> Vec<u32> {
        hits.iter().filter_map(|hit| texts.of(Form::Pattern, hit, || self.pattern(hit))).collect()
    }

    /// The destination of a rule: HTTP rules contribute hosts to the description of connections,
    /// and rules about connections to that of requests.
    fn destination(&self, hit: &Hit) -> Option<Destination> {
        match self.narrowed(hit, hit.unknowns)?.into_owned() {
            Target::Network(destination) | Target::Http(destination, _) => Some(destination),
            Target::Folder(_) => None,
        }
    }

    /// Requests to a single host of this name, for changes that do not apply to every host of a
    /// pattern.
    fn requests_of_host(
        &self,
        (class, name): (&HostClass, Option<&str>),
        hits: &[Hit],
        texts: &mut Texts,
    ) -> Vec<u32> {
        let Some(name) = name else { return Vec::new() };
        // For an address, the path is described with its own name, whatever pattern of names
        // matches it.
        let path = |hit: &Hit| {
            let target = self.narrowed(hit, hit.unknowns.without(Unknown::AddressAsName))?;
            match target.as_ref() {
                Target::Http(destination, path) => {
                    Some((destination.port, text::request_path(path)))
                }
                Target::Network(_) | Target::Folder(_) => None,
            }
        };
        let mut all = Vec::with_capacity(2 * hits.len() + 2);
        for hit in hits.iter().map(Some).chain([None]) {
            let own = texts.of_host(hit, |texts| {
                let path = hit.map_or_else(|| Some((None, "/**".to_owned())), path);
                path.map_or([None; 2], |(stated, path)| {
                    [stated, named_port(class)]
                        .map(|port| Some(texts.add(text::requests(name, port, &path))))
                })
            });
            all.extend(own.into_iter().flatten());
        }
        all
    }

    /// Adds the patterns that match another spelling of their own text.
    fn respelled(&self, hits: &[Hit], loose: &mut Texts) {
        let own = hits.iter().filter_map(|hit| {
            let unknowns = hit.unknowns.without(Unknown::Case).without(Unknown::HomeFolder);
            let own = Hit { unknowns, ..*hit };
            (own != *hit).then(|| loose.of(Form::Pattern, &own, || self.pattern(&own)))?
        });
        let own = own.collect();
        loose.classes.push(own);
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
