//! The classes of HTTP requests to each host.
//!
//! A gateway has hundreds of routes on each of its hosts, which rules tell apart in half a million
//! ways. Hosts with the same paths therefore share the classes of these, and the matches of a class
//! are put together when they are asked for.
//!
//! Invariant: the clauses that match a class of requests are those that a trie of all paths of its
//! host would find, for each of its methods.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Universe;
use crate::classes::{Alphabet, Class, classes};
use crate::clause::{Actions, Target, insert_path};
use crate::essential::{Patterns, Sequences, Wanted, essential};
use crate::glob::TooMany;
use crate::hash::HashMap;
use crate::parallel;
use crate::pattern::{Sequence, Token};
use crate::point::{Match, Role};
use crate::trie::{Case, Hit, Trie, least_doubtful};
use crate::unknowns::Unknowns;

/// The requests to hosts that the same HTTP clauses cover; none if no clause covers them.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// The classes of paths.
    paths: Arc<Vec<Class>>,
    /// By number of a path: the matches of clauses with that path, as far as the host decides. The
    /// classes of paths are then matched by these numbers, otherwise by clauses.
    by_path: Option<Vec<Vec<Hit>>>,
    list: Vec<RequestClass>,
    /// Few combinations of clauses decide differently.
    matches: Vec<Vec<Match>>,
}

/// HTTP requests to one host that the same clauses match.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestClass {
    /// The number of its class of paths.
    path: u32,
    /// The methods of the class.
    pub(crate) methods: Actions,
    /// The number of its matches.
    matches: u32,
}

impl Requests {
    pub(crate) fn list(&self) -> &[RequestClass] {
        &self.list
    }

    fn class(&self, request: &RequestClass) -> &Class {
        self.paths.get(request.path as usize).expect("a request has one of these paths")
    }

    /// An example of a path.
    pub(crate) fn path(&self, request: &RequestClass) -> String {
        format!("/{}", self.class(request).labels.join("/"))
    }

    /// Like [`Class::respelled`].
    pub(crate) fn is_respelled(&self, request: &RequestClass) -> bool {
        self.class(request).respelled
    }

    /// The matches of clauses about such requests.
    pub(crate) fn matches(&self, request: &RequestClass) -> &[Match] {
        self.matches.get(request.matches as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// The matches of a class of paths, for any method; sorted.
    fn hits(&self, class: &Class) -> Vec<Hit> {
        let Some(by_path) = &self.by_path else { return class.hits.clone() };
        let hits = class.hits.iter().flat_map(|path| {
            let own = by_path.get(path.clause as usize).map(Vec::as_slice).unwrap_or_default();
            own.iter().map(|hit| (hit.clause, hit.unknowns.union(path.unknowns)))
        });
        least_doubtful(hits.collect())
    }
}

const HTTP_PATHS: Alphabet = Alphabet {
    closed: |_| &[],
    allowed: |c| c.is_ascii_graphic() && !matches!(c, '/' | '%' | '?' | '#' | '\\'),
    whole: |_| true,
};

/// The clauses that cover a host.
struct Covering {
    hits: Vec<Hit>,
    /// The number of its set of paths.
    paths: usize,
    by_path: Vec<Vec<Hit>>,
}

impl Universe {
    /// The matches of a class of requests; empty for requests that no HTTP clause matches.
    pub(crate) fn request_hits(&self, requests: &Requests, request: &RequestClass) -> Vec<Hit> {
        let mut hits = requests.hits(requests.class(request));
        hits.retain(|hit| self.clause(hit).actions.meets(request.methods));
        hits
    }

    /// The classes of requests to hosts that such HTTP clauses cover.
    pub(crate) fn request_classes(
        &self,
        sets: Vec<Vec<Hit>>,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Requests>, TooMany> {
        let mut path_sets: HashMap<Vec<&Sequence>, usize> = HashMap::default();
        let mut covering = |hits: Vec<Hit>| {
            let mut paths: Vec<&Sequence> = Vec::new();
            let mut by_path: Vec<Vec<Hit>> = Vec::new();
            let mut own: Vec<(&Sequence, Hit)> =
                hits.iter().filter_map(|hit| Some((self.path(hit)?, *hit))).collect();
            own.sort_unstable();
            for (path, hit) in own {
                if paths.last() != Some(&path) {
                    paths.push(path);
                    by_path.push(Vec::new());
                }
                by_path.last_mut().into_iter().for_each(|hits| hits.push(hit));
            }
            let next = path_sets.len();
            Covering { hits, paths: *path_sets.entry(paths).or_insert(next), by_path }
        };
        let sets: Vec<Covering> = sets.into_iter().map(&mut covering).collect();
        let mut path_sets: Vec<(usize, Vec<&Sequence>)> =
            path_sets.into_iter().map(|(paths, number)| (number, paths)).collect();
        path_sets.sort_unstable();
        let paths = parallel::map(path_sets, 2, |(_, paths)| {
            let mut trie = Trie::new(Case::Unknown);
            for (number, path) in (0..).zip(paths) {
                insert_path(&mut trie, path, Unknowns::NONE, number);
            }
            classes(&trie, &HTTP_PATHS, self.spelling, wanted.effort.nodes).map(Arc::new)
        });
        // Too many paths of one host are too many, whatever the others have.
        let failed = AtomicBool::new(false);
        let requests = parallel::map(sets, 2, |Covering { hits, paths: at, by_path }| {
            let requests = match paths.get(at) {
                _ if hits.is_empty() => Ok(Requests::default()),
                _ if failed.load(Ordering::Relaxed) => Err(TooMany),
                Some(Ok(paths)) => Ok(self.requests_to(Arc::clone(paths), Some(by_path))),
                Some(Err(TooMany)) | None => self
                    .essential_paths(&hits, wanted)
                    .map(|paths| self.requests_to(Arc::new(paths), None)),
            };
            failed.fetch_or(requests.is_err(), Ordering::Relaxed);
            requests
        });
        requests.into_iter().collect()
    }

    fn path(&self, hit: &Hit) -> Option<&Sequence> {
        match &self.clause(hit).target {
            Target::Http(_, path) => Some(path),
            Target::Network(_) | Target::Folder(_) => None,
        }
    }

    /// The classes of requests with these paths.
    fn requests_to(&self, paths: Arc<Vec<Class>>, by_path: Option<Vec<Vec<Hit>>>) -> Requests {
        let mut requests = Requests { paths, by_path, list: Vec::new(), matches: Vec::new() };
        // Classes of paths that the same clauses match are one class, with the example that was
        // found first, in the spelling of the rules if possible.
        let mut known: HashMap<Vec<Hit>, usize> = HashMap::default();
        let mut distinct: Vec<(u32, &Class, Vec<Hit>)> = Vec::new();
        let paths = Arc::clone(&requests.paths);
        for (number, class) in (0..).zip(&*paths) {
            let next = distinct.len();
            let at = *known.entry(requests.hits(class)).or_insert(next);
            match distinct.get_mut(at) {
                None => distinct.push((number, class, Vec::new())),
                Some((own_number, own, _)) => {
                    let order = |class: &Class| (class.respelled, class.found);
                    if order(class) < order(own) {
                        (*own_number, *own) = (number, class);
                    }
                }
            }
        }
        known.into_iter().for_each(|(hits, at)| {
            if let Some((_, _, own)) = distinct.get_mut(at) {
                *own = hits;
            }
        });
        let mut known: HashMap<Vec<Match>, u32> = HashMap::default();
        let mut unmatched = Actions::default();
        for (path, _, hits) in distinct {
            let hits_for = |methods: Actions| -> Vec<Hit> {
                hits.iter().filter(|hit| self.clause(hit).actions.meets(methods)).copied().collect()
            };
            let mut by_hits: Vec<(Vec<Hit>, Actions)> = self
                .methods_alike(&hits)
                .into_iter()
                .map(|methods| (hits_for(methods), methods))
                .collect();
            by_hits.sort_unstable();
            for (hits, methods) in by_hits {
                // For each method, one request that no clause matches represents all of them.
                let methods = if hits.is_empty() { methods.difference(unmatched) } else { methods };
                if hits.is_empty() {
                    unmatched = unmatched.union(methods);
                }
                if methods == Actions::default() {
                    continue;
                }
                let matches = *known
                    .entry(self.matches(&hits, methods, Role::Http))
                    .or_insert_with_key(|matches| {
                        requests.matches.push(matches.clone());
                        u32::try_from(requests.matches.len() - 1).expect("fewer than classes")
                    });
                requests.list.push(RequestClass { path, methods, matches });
            }
        }
        requests.list.shrink_to_fit();
        requests
    }

    /// The sets of methods that the same of these clauses concern.
    fn methods_alike(&self, hits: &[Hit]) -> Vec<Actions> {
        let mut alike = vec![Actions::HTTP];
        let mut known: Vec<Actions> = Vec::new();
        for own in hits.iter().map(|hit| self.clause(hit).actions) {
            if !known.contains(&own) {
                known.push(own);
                let parts = |all: Actions| [all.intersection(own), all.difference(own)];
                alike = alike.into_iter().flat_map(parts).collect();
                alike.retain(|part| *part != Actions::default());
            }
        }
        alike
    }

    /// The classes of paths that suffice.
    fn essential_paths(&self, hits: &[Hit], wanted: &Wanted<'_>) -> Result<Vec<Class>, TooMany> {
        let mut trie = Trie::new(Case::Unknown);
        for hit in hits {
            self.clause(hit).target.insert_path(&mut trie, hit);
        }
        let hits: BTreeMap<u32, &Hit> = hits.iter().map(|hit| (hit.clause, hit)).collect();
        let insert = |paths: &mut Trie, clause: u32| {
            if let Some(hit) = hits.get(&clause) {
                self.clause(hit).target.insert_path(paths, hit);
            }
        };
        let sequences: Sequences = |clause| match &clause.target {
            // `/*` may match `/`.
            Target::Http(_, path) if path.tokens == [Token::One] => {
                let root = Sequence { tokens: Vec::new(), ..path.clone() };
                vec![Cow::Borrowed(path), Cow::Owned(root)]
            }
            Target::Http(_, path) => vec![Cow::Borrowed(path)],
            Target::Network(_) | Target::Folder(_) => Vec::new(),
        };
        let (clauses, members) = (self.clauses.as_slice(), hits.keys().copied().collect());
        let trie = &trie;
        essential(
            &Patterns { trie, alphabet: &HTTP_PATHS, clauses, members, insert: &insert, sequences },
            wanted,
        )
    }
}
