//! Relations between rules: which cover another one, and which overlap another one at all.
//!
//! Patterns are looked up in tries and in maps of blocks, so that the cost grows with the rules,
//! not with their square. Unlike a comparison, this relates one pattern to another: a pattern that
//! only several others cover together is not reported as covered. Invariant: *covered* is certain,
//! and patterns that do not *overlap* certainly have no request in common.

mod allowed;
mod coverage;
mod covering;
mod decide;
mod gaps;
mod neighbours;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::clause::{Actions, Clause, Target, clauses_by_resource};
use super::host::{Destination, HostPattern};
use super::pattern::Token;
use super::request::Host;
use super::target_index::surrounding;
use super::trie::{Case, Hit, Trie};
use super::unknowns::Unknowns;
use crate::hash::HashMap;
use crate::model::{Decision, Policy, Rule, Scope};
use crate::parallel;

use self::allowed::Allowed;
use self::coverage::{Coverage, Steps};
pub use self::neighbours::Bare;
pub use gaps::{Gap, GapKind, Gaps};

/// One resource of one rule.
#[derive(Debug)]
pub struct Item {
    /// The policy's index in the given list.
    pub policy: usize,
    /// The rule's index in the policy.
    pub rule: usize,
    /// The resource's index in the rule.
    pub resource: usize,
    /// The decision of the rule.
    pub decision: Decision,
    clause: Clause,
    /// The policy's scope, shared by all items of policies with the same one.
    scope: Arc<Scope>,
    /// The number of its target, which other items may have too.
    pattern: u32,
}

/// All rules, prepared for questions about their relations.
#[derive(Debug)]
pub struct Survey {
    items: Vec<Item>,
    hosts: Trie,
    groups: Vec<Group>,
    literals: BTreeMap<IpAddr, usize>,
    blocks: BTreeMap<IpNet, Vec<u32>>,
    folders: Trie,
    allowed: Allowed,
    /// Home folders that allow rules name.
    homes: BTreeSet<Vec<String>>,
    coverage: Coverage,
}

/// The items with the same host pattern.
#[derive(Debug)]
struct Group {
    network: Vec<u32>,
    http: Vec<u32>,
    /// `None` without requests: most hosts are for connections only.
    paths: Option<Box<Trie>>,
}

/// The kind of resource that a rule concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Connections to a host or an address.
    Host,
    /// Connections to a CIDR block.
    Block(IpNet),
    /// HTTP requests.
    Http,
    /// Folders.
    Folder,
}

impl Survey {
    /// Surveys all rules of some policies.
    #[must_use]
    pub fn new<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        Self::with_steps(policies, &Steps::default())
    }

    fn with_steps<'a>(policies: impl IntoIterator<Item = &'a Policy>, steps: &Steps) -> Self {
        let mut scopes: HashMap<&Scope, Arc<Scope>> = HashMap::default();
        let mut shared =
            |scope| Arc::clone(scopes.entry(scope).or_insert_with(|| Arc::new(scope.clone())));
        let policies: Vec<(usize, &Policy, Arc<Scope>)> =
            (0..).zip(policies).map(|(at, policy)| (at, policy, shared(&policy.scope))).collect();
        let items: Vec<Item> =
            parallel::map(policies, 8, |(at, policy, scope)| items(at, policy, &scope))
                .into_iter()
                .flatten()
                .collect();
        let mut survey = Self {
            items: Vec::new(),
            hosts: Trie::new(Case::Folded),
            groups: Vec::new(),
            literals: BTreeMap::new(),
            blocks: BTreeMap::new(),
            folders: Trie::new(Case::Unknown),
            allowed: Allowed::default(),
            homes: gaps::named_homes(&items),
            coverage: Coverage::default(),
        };
        let mut known = HashMap::default();
        for (number, item) in (0..).zip(&items) {
            survey.add(number, item, &mut known);
        }
        survey.items = items;
        let mut coverage = Coverage::new(&mut survey.items);
        coverage.look_up(&survey.items, steps, |target| survey.covering(target, steps));
        survey.coverage = coverage;
        // The group of an item's matches is the item.
        for (number, item) in survey.items.iter_mut().enumerate() {
            item.clause.group = number;
        }
        survey
    }

    /// Returns `true` if it is known which patterns cover which. Otherwise nothing is reported as
    /// covered.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.coverage.is_complete()
    }

    fn add<'a>(
        &mut self,
        number: u32,
        item: &'a Item,
        known: &mut HashMap<&'a HostPattern, usize>,
    ) {
        if item.decision == Decision::Allow {
            self.allowed.add(&item.clause);
        }
        match &item.clause.target {
            Target::Folder(folder) => self.folders.insert(folder, Unknowns::NONE, number),
            Target::Network(Destination { host: HostPattern::Cidr(block), .. }) => {
                self.blocks.entry(*block).or_default().push(number);
            }
            Target::Network(Destination { host, .. })
            | Target::Http(Destination { host, .. }, _) => {
                let at = *known.entry(host).or_insert(self.groups.len());
                if at == self.groups.len() {
                    self.groups.push(Group { network: Vec::new(), http: Vec::new(), paths: None });
                    let group = u32::try_from(at).expect("fewer hosts than bytes of policies");
                    match host {
                        HostPattern::Names(names) => {
                            self.hosts.insert(names, Unknowns::NONE, group)
                        }
                        HostPattern::Address(address) => drop(self.literals.insert(*address, at)),
                        HostPattern::Cidr(_) => {}
                    }
                }
                let Some(group) = self.groups.get_mut(at) else { return };
                if matches!(item.clause.target, Target::Http(..)) {
                    let hit = Hit { clause: number, unknowns: Unknowns::NONE };
                    let paths =
                        group.paths.get_or_insert_with(|| Box::new(Trie::new(Case::Unknown)));
                    item.clause.target.insert_path(paths, &hit);
                    group.http.push(number);
                } else {
                    group.network.push(number);
                }
            }
        }
    }

    /// Every resource of every rule, in the order given.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    fn item(&self, number: u32) -> &Item {
        self.items.get(number as usize).expect("a number of this survey")
    }

    fn group(&self, number: u32) -> Option<&Group> {
        self.groups.get(number as usize)
    }

    /// Returns `true` if items that `takes` accepts together certainly cover all actions of `of`;
    /// returns one of them.
    #[must_use]
    pub fn covered_by(&self, of: &Item, takes: impl Fn(&Item) -> bool) -> Option<&Item> {
        self.first_covering(&of.clause, of, self.coverage.covering(of.pattern), takes)
    }

    fn covered(&self, clause: &Clause, of: &Item, takes: impl Fn(&Item) -> bool) -> Option<&Item> {
        // A question about a single pattern has its own limit.
        let numbers = self.covering(&clause.target, &Steps::default());
        self.first_covering(clause, of, numbers.into_iter(), takes)
    }

    /// The first of some items that cover the target of a clause, if these cover all of its
    /// actions.
    fn first_covering(
        &self,
        clause: &Clause,
        of: &Item,
        numbers: impl Iterator<Item = u32>,
        takes: impl Fn(&Item) -> bool,
    ) -> Option<&Item> {
        let mut left = clause.actions;
        let mut first = None;
        for item in numbers.map(|number| self.item(number)) {
            let actions = actions_covered(item, clause);
            if left.meets(actions) && !std::ptr::eq(item, of) && takes(item) {
                left = left.difference(actions);
                first = first.or(Some(item));
                if left == Actions::default() {
                    return first;
                }
            }
        }
        None
    }

    /// The numbers of the items that certainly match everything that a target matches, whatever
    /// their actions.
    fn covering(&self, of: &Target, steps: &Steps) -> Vec<u32> {
        let mut found = Vec::new();
        let mut take = |number: u32| {
            let is_certain = match (&self.item(number).clause.target, of) {
                (Target::Network(own), Target::Network(other) | Target::Http(other, _))
                | (Target::Http(own, _), Target::Http(other, _)) => {
                    own.unknowns.is_empty() && own.port.is_none_or(|port| other.port == Some(port))
                }
                (Target::Folder(_), Target::Folder(_)) => true,
                (Target::Network(_) | Target::Http(..) | Target::Folder(_), _) => false,
            };
            if is_certain {
                found.push(number);
            }
        };
        let (destination, path) = match of {
            Target::Folder(folder) => {
                covering::find(&self.folders, folder, steps).into_iter().for_each(take);
                return found;
            }
            Target::Network(destination) => (destination, None),
            Target::Http(destination, path) => (destination, Some(path)),
        };
        if !destination.unknowns.is_empty() {
            return found;
        }
        for group in self.groups_covering(&destination.host, steps) {
            if steps.take(group.network.len()) {
                group.network.iter().copied().for_each(&mut take);
            }
            if let (Some(path), Some(paths)) = (path, &group.paths) {
                covering::find(paths, path, steps).into_iter().for_each(&mut take);
            }
        }
        if let HostPattern::Cidr(block) = &destination.host {
            surrounding(*block)
                .filter_map(|net| self.blocks.get(&net))
                .flatten()
                .copied()
                .for_each(take);
        }
        found
    }

    fn groups_covering(&self, host: &HostPattern, steps: &Steps) -> Vec<&Group> {
        match host {
            HostPattern::Names(names) => covering::find(&self.hosts, names, steps)
                .into_iter()
                .filter_map(|at| self.group(at))
                .collect(),
            // It is open if a pattern of names decides a request to an address.
            HostPattern::Address(address) => {
                self.literals.get(address).and_then(|at| self.groups.get(*at)).into_iter().collect()
            }
            HostPattern::Cidr(_) => Vec::new(),
        }
    }

    /// The rules that may concern the host or the address of a request, by indexes of policy and
    /// rule.
    #[must_use]
    pub fn rules_about(&self, host: &Host) -> BTreeSet<(usize, usize)> {
        let (labels, address) = match host {
            Host::Name(labels, address) => (Some(labels), *address),
            Host::Address(address) => (None, Some(*address)),
        };
        let named = labels.into_iter().flat_map(|labels| {
            let state = labels
                .iter()
                .rev()
                .fold(self.hosts.start(), |state, label| self.hosts.step(&state, label));
            self.hosts.hits(&state)
        });
        let named =
            named.filter_map(|hit| self.group(hit.clause)).chain(self.groups_of_any_address());
        let own = address
            .and_then(|address| self.literals.get(&address))
            .and_then(|at| self.groups.get(*at));
        let by_host = named.chain(own).flat_map(|group| group.network.iter().chain(&group.http));
        let blocks = address.into_iter().flat_map(|address| surrounding(IpNet::from(address)));
        let by_block = blocks.filter_map(|net| self.blocks.get(&net)).flatten();
        by_host
            .chain(by_block)
            .map(|number| self.item(*number))
            .map(|item| (item.policy, item.rule))
            .collect()
    }

    /// The items of a rule.
    #[must_use]
    pub fn items_of(&self, policy: usize, rule: usize) -> &[Item] {
        let before = |item: &Item| (item.policy, item.rule) < (policy, rule);
        let from = self.items.partition_point(before);
        let items = self.items.get(from..).unwrap_or_default();
        let until = items.partition_point(|item| (item.policy, item.rule) == (policy, rule));
        items.get(..until).unwrap_or_default()
    }

    /// The items on every host, which may match addresses too.
    fn groups_of_any_address(&self) -> impl Iterator<Item = &Group> {
        let hits = self.hosts.hits(&self.hosts.step(&self.hosts.start(), ":"));
        hits.into_iter()
            .filter(|hit| hit.unknowns.is_empty())
            .filter_map(|hit| self.group(hit.clause))
    }
}

/// The items of a policy with this scope, one for each resource.
fn items(policy: usize, own: &Policy, scope: &Arc<Scope>) -> Vec<Item> {
    let of = |(rule, stated): (usize, &Rule)| {
        let decision = stated.decision;
        let by_resource =
            clauses_by_resource(stated, 0).enumerate().filter_map(move |(resource, clauses)| {
                // Documents have no unknown actions, so that there is one clause.
                let clause = clauses.into_iter().find(|clause| clause.unknowns.is_empty())?;
                Some(Item {
                    policy,
                    rule,
                    resource,
                    decision,
                    clause,
                    scope: Arc::clone(scope),
                    pattern: 0,
                })
            });
        by_resource.collect::<Vec<_>>()
    };
    own.rules().iter().enumerate().flat_map(of).collect()
}

/// The actions of a clause that an item has too; a connection includes all requests.
fn actions_covered(item: &Item, of: &Clause) -> Actions {
    match (&item.clause.target, &of.target) {
        (Target::Network(_), Target::Http(..)) if item.clause.actions.meets(Actions::TCP) => {
            of.actions
        }
        (Target::Network(_), Target::Http(..)) => Actions::default(),
        (Target::Network(_) | Target::Http(..) | Target::Folder(_), _) => {
            item.clause.actions.intersection(of.actions)
        }
    }
}

impl Item {
    /// Returns `true` if this item governs everybody whom `other` governs.
    #[must_use]
    pub fn governs_all_of(&self, other: &Self) -> bool {
        self.scope.governs_all_of(&other.scope)
    }

    /// The kind of resource that it concerns.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.clause.target {
            Target::Network(Destination { host: HostPattern::Cidr(block), .. }) => {
                Kind::Block(*block)
            }
            Target::Network(_) => Kind::Host,
            Target::Http(..) => Kind::Http,
            Target::Folder(_) => Kind::Folder,
        }
    }

    /// Returns `true` if it matches every host.
    #[must_use]
    pub fn is_every_host(&self) -> bool {
        let Target::Network(Destination { host: HostPattern::Names(names), .. }) =
            &self.clause.target
        else {
            return false;
        };
        names.tokens == [Token::Deep]
    }
}
