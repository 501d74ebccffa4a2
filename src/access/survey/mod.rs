//! What rules say about each other: which cover another, which meet another at all.
//!
//! Patterns are looked up in tries and in maps of blocks, so that the cost grows with the rules and not with their square.
//! Unlike a comparison this looks at one pattern beside another: a pattern that only several others cover together is not
//! called covered. Invariant: *covered* is certain, and what does not *meet* certainly has no request in common.

mod allowed;
mod beside;
mod walk;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use super::clause::{Actions, Clause, Target, clauses};
use super::host::{Destination, HostPattern};
use super::pattern::Token;
use super::trie::{Case, Hit, Trie};
use super::unknowns::Unknowns;
use crate::model::{Decision, Policy, Resources, Rule, Scope};

use self::allowed::{Allowed, surrounding};
pub use beside::Bare;

/// One resource of one rule.
#[derive(Debug)]
pub struct Item {
    /// The policy's place among those that were given.
    pub policy: usize,
    /// The rule's place in the policy.
    pub rule: usize,
    /// The resource's place in the rule.
    pub resource: usize,
    /// What the rule decides.
    pub decision: Decision,
    clause: Clause,
    scope: Scope,
}

/// All rules, ready to be asked about each other.
#[derive(Debug)]
pub struct Survey {
    items: Vec<Item>,
    hosts: Trie,
    groups: Vec<Group>,
    literals: BTreeMap<IpAddr, usize>,
    blocks: BTreeMap<IpNet, Vec<u32>>,
    folders: Trie,
    allowed: Allowed,
}

/// The items with the same host pattern.
#[derive(Debug)]
struct Group {
    network: Vec<u32>,
    http: Vec<u32>,
    paths: Trie,
}

/// What a rule speaks about.
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
    /// Looks at all rules of some policies.
    #[must_use]
    pub fn of<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        let mut survey = Self {
            items: Vec::new(),
            hosts: Trie::new(Case::Folded),
            groups: Vec::new(),
            literals: BTreeMap::new(),
            blocks: BTreeMap::new(),
            folders: Trie::new(Case::Unknown),
            allowed: Allowed::default(),
        };
        let mut known: HashMap<HostPattern, usize> = HashMap::new();
        for (policy, own) in policies.into_iter().enumerate() {
            for (rule, stated) in own.rules().iter().enumerate() {
                for (resource, single) in singles(stated).enumerate() {
                    // Documents have no actions that are not known, so that there is one clause.
                    let Some(clause) = clauses(&single, 0).into_iter().find(|clause| clause.unknowns.is_empty()) else {
                        continue;
                    };
                    let scope = own.scope.clone();
                    survey.add(Item { policy, rule, resource, decision: stated.decision, clause, scope }, &mut known);
                }
            }
        }
        survey
    }

    fn add(&mut self, item: Item, known: &mut HashMap<HostPattern, usize>) {
        if item.decision == Decision::Allow {
            self.allowed.add(&item.clause);
        }
        let number = u32::try_from(self.items.len()).expect("fewer items than bytes of policies");
        match &item.clause.target {
            Target::Folder(folder) => self.folders.insert(folder, Unknowns::NONE, number),
            Target::Network(Destination { host: HostPattern::Cidr(block), .. }) => {
                self.blocks.entry(*block).or_default().push(number);
            }
            Target::Network(Destination { host, .. }) | Target::Http(Destination { host, .. }, _) => {
                let at = *known.entry(host.clone()).or_insert(self.groups.len());
                if at == self.groups.len() {
                    self.groups.push(Group { network: Vec::new(), http: Vec::new(), paths: Trie::new(Case::Unknown) });
                    let group = u32::try_from(at).expect("fewer hosts than bytes of policies");
                    match host {
                        HostPattern::Names(names) => self.hosts.insert(names, Unknowns::NONE, group),
                        HostPattern::Address(address) => drop(self.literals.insert(*address, at)),
                        HostPattern::Cidr(_) => {}
                    }
                }
                let Some(group) = self.groups.get_mut(at) else { return };
                if matches!(item.clause.target, Target::Http(..)) {
                    let hit = Hit { clause: number, unknowns: Unknowns::NONE };
                    item.clause.target.insert_path(&mut group.paths, &hit);
                    group.http.push(number);
                } else {
                    group.network.push(number);
                }
            }
        }
        self.items.push(item);
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

    /// Whether items that `takes` accepts certainly cover all actions of `of` among them; one is returned.
    #[must_use]
    pub fn covered_by(&self, of: &Item, takes: impl Fn(&Item) -> bool) -> Option<&Item> {
        self.covered(&of.clause, of, takes)
    }

    fn covered(&self, clause: &Clause, of: &Item, takes: impl Fn(&Item) -> bool) -> Option<&Item> {
        let mut left = clause.actions;
        let mut first = None;
        for (item, actions) in self.covering_clause(clause) {
            if !std::ptr::eq(item, of) && takes(item) && left.meets(actions) {
                left = left.without(actions);
                first = first.or(Some(item));
            }
        }
        first.filter(|_| left == Actions::default())
    }

    /// The same, each with the actions that it covers.
    fn covering_clause(&self, of: &Clause) -> Vec<(&Item, Actions)> {
        let mut found = Vec::new();
        let mut take = |number: u32| {
            let item = self.item(number);
            let (actions, certain) = match (&item.clause.target, &of.target) {
                (Target::Network(own), Target::Http(other, _)) => {
                    let all = if item.clause.actions.meets(Actions::TCP) { of.actions } else { Actions::default() };
                    (all, own.unknowns.is_empty() && own.port.is_none_or(|port| other.port == Some(port)))
                }
                (Target::Network(own), Target::Network(other)) | (Target::Http(own, _), Target::Http(other, _)) => {
                    let certain = own.unknowns.is_empty() && own.port.is_none_or(|port| other.port == Some(port));
                    (item.clause.actions.within(of.actions), certain)
                }
                (Target::Folder(_), Target::Folder(_)) => (item.clause.actions.within(of.actions), true),
                (Target::Network(_) | Target::Http(..) | Target::Folder(_), _) => (Actions::default(), false),
            };
            if certain && actions != Actions::default() {
                found.push((item, actions));
            }
        };
        let (destination, path) = match &of.target {
            Target::Folder(folder) => {
                walk::covering(&self.folders, folder).into_iter().for_each(take);
                return found;
            }
            Target::Network(destination) => (destination, None),
            Target::Http(destination, path) => (destination, Some(path)),
        };
        if !destination.unknowns.is_empty() {
            return found;
        }
        for group in self.groups_covering(&destination.host) {
            group.network.iter().copied().for_each(&mut take);
            if let Some(path) = path {
                walk::covering(&group.paths, path).into_iter().for_each(&mut take);
            }
        }
        if let HostPattern::Cidr(block) = &destination.host {
            surrounding(*block).filter_map(|net| self.blocks.get(&net)).flatten().copied().for_each(take);
        }
        found
    }

    fn groups_covering(&self, host: &HostPattern) -> Vec<&Group> {
        match host {
            HostPattern::Names(names) => {
                walk::covering(&self.hosts, names).into_iter().filter_map(|at| self.group(at)).collect()
            }
            HostPattern::Address(address) => {
                let own = self.literals.get(address).and_then(|at| self.groups.get(*at));
                own.into_iter().chain(self.groups_of_any_address()).collect()
            }
            HostPattern::Cidr(_) => self.groups_of_any_address().collect(),
        }
    }

    /// Those on every host, which addresses do not escape.
    fn groups_of_any_address(&self) -> impl Iterator<Item = &Group> {
        let hits = self.hosts.hits(&self.hosts.step(&Trie::start(), ":"));
        hits.into_iter().filter(|hit| hit.unknowns.is_empty()).filter_map(|hit| self.group(hit.clause))
    }
}

/// The rule once for each of its resources.
fn singles(rule: &Rule) -> impl Iterator<Item = Rule> {
    let resources: Vec<Resources> = match &rule.resources {
        Resources::Plain(all) => all.iter().map(|one| Resources::Plain(vec![one.clone()])).collect(),
        Resources::Http(all) => all.iter().map(|one| Resources::Http(vec![one.clone()])).collect(),
    };
    let frame = Rule { resources: Resources::Plain(Vec::new()), ..rule.clone() };
    resources.into_iter().map(move |resources| Rule { resources, ..frame.clone() })
}

impl Item {
    /// Whether whoever is governed by `other` is governed by this item too.
    #[must_use]
    pub fn governs_all_of(&self, other: &Self) -> bool {
        match (&self.scope, &other.scope) {
            (Scope::Organization, _) => true,
            (Scope::Teams(own), Scope::Teams(others)) => others.is_subset(own),
            (Scope::Teams(_), Scope::Organization) => false,
        }
    }

    /// What it speaks about.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.clause.target {
            Target::Network(Destination { host: HostPattern::Cidr(block), .. }) => Kind::Block(*block),
            Target::Network(_) => Kind::Host,
            Target::Http(..) => Kind::Http,
            Target::Folder(_) => Kind::Folder,
        }
    }

    /// Whether it stands for every host.
    #[must_use]
    pub fn is_every_host(&self) -> bool {
        let Target::Network(Destination { host: HostPattern::Names(names), .. }) = &self.clause.target else {
            return false;
        };
        names.tokens == [Token::Deep]
    }
}
