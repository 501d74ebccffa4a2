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
mod item;
mod neighbours;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock};

use ipnet::IpNet;

use super::clause::{Actions, Target};
use super::few::Few;
use super::host::{Destination, HostPattern};
use super::pattern::{Sequence, Token};
use super::request::Host;
use super::target_index::surrounding;
use super::text;
use super::trie::{Case, Hit, Trie};
use super::unknowns::Unknowns;
use crate::hash::HashMap;
use crate::model::{Decision, Policy, Scope};
use crate::parallel;

use self::allowed::Allowed;
use self::coverage::{Coverage, Steps};
pub use self::item::{Item, Kind};
pub use self::neighbours::Bare;
pub use gaps::{Gap, GapKind, Gaps};

/// All rules, prepared for questions about their relations.
#[derive(Debug)]
pub struct Survey<'a> {
    items: Vec<Item<'a>>,
    /// The patterns of hosts that are not written as plain names, each with its group.
    hosts: Trie,
    /// The plain names, which are most hosts of large policies. Nearly all questions are about a
    /// name as a whole.
    names: HashMap<&'a str, u32>,
    /// The plain names by their labels, once somebody asks for those that a pattern matches.
    names_by_label: OnceLock<Trie>,
    /// The groups of patterns that match every host, which may match addresses too.
    any_address: Vec<u32>,
    groups: Vec<Group>,
    literals: BTreeMap<IpAddr, u32>,
    blocks: HashMap<IpNet, Vec<u32>>,
    folders: Trie,
    allowed: Allowed,
    /// Home folders that allow rules name.
    homes: BTreeSet<Vec<String>>,
    /// True for patterns and actions of items of which something is allowed: very many rules repeat
    /// the same patterns.
    met: Mutex<HashMap<(u32, Actions), bool>>,
    /// Folders that allow rules let be mounted; `None` if they are too many to look at.
    mounts: Option<BTreeSet<Vec<String>>>,
    coverage: Coverage,
}

/// The items with the same host pattern.
#[derive(Debug, Default)]
struct Group {
    network: Few<u32>,
    /// `None` without requests: most hosts are for connections only.
    requests: Option<Box<Requests>>,
}

/// The items for requests to a host.
#[derive(Debug)]
struct Requests {
    items: Vec<u32>,
    paths: Trie,
}

impl Group {
    /// The items for requests.
    fn http(&self) -> &[u32] {
        self.requests.as_ref().map(|requests| requests.items.as_slice()).unwrap_or_default()
    }

    fn paths(&self) -> Option<&Trie> {
        Some(&self.requests.as_ref()?.paths)
    }
}

impl<'a> Survey<'a> {
    /// Surveys all rules of some policies.
    #[must_use]
    pub fn new(policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        Self::with_steps(policies, &Steps::default())
    }

    fn with_steps(policies: impl IntoIterator<Item = &'a Policy>, steps: &Steps) -> Self {
        let mut scopes: HashMap<&Scope, &Scope> = HashMap::default();
        let mut shared = |scope| *scopes.entry(scope).or_insert(scope);
        let policies: Vec<(usize, &Policy, &Scope)> =
            (0..).zip(policies).map(|(at, policy)| (at, policy, shared(&policy.scope))).collect();
        let parts =
            parallel::map(policies, 8, |(at, policy, scope)| item::items(at, policy, scope));
        let mut items = Vec::with_capacity(parts.iter().map(Vec::len).sum());
        items.extend(parts.into_iter().flatten());
        let mut survey = Self {
            items: Vec::new(),
            hosts: Trie::new(Case::Folded),
            names: HashMap::default(),
            names_by_label: OnceLock::new(),
            any_address: Vec::new(),
            groups: Vec::new(),
            literals: BTreeMap::new(),
            blocks: HashMap::default(),
            folders: Trie::new(Case::Unknown),
            allowed: Allowed::default(),
            met: Mutex::default(),
            homes: gaps::named_homes(&items),
            mounts: gaps::mounts(&items),
            coverage: Coverage::default(),
        };
        survey.names.reserve(items.iter().filter(|item| item.name().is_some()).count());
        for (number, item) in (0..).zip(&mut items) {
            match item.name() {
                Some((host, _)) => item.pattern = survey.add_name(number, host),
                None => survey.add(number, item),
            }
        }
        survey.items = items;
        let every_host = survey.hosts.hits(&survey.hosts.step(&survey.hosts.start(), ":"));
        let certain = every_host.iter().filter(|hit| hit.unknowns.is_empty());
        survey.any_address = certain.map(|hit| hit.clause).collect();
        let mut coverage = Coverage::new(&mut survey.items, survey.groups.len());
        coverage.look_up(&survey.items, steps, |item| survey.covering_item(item, steps));
        survey.coverage = coverage;
        survey
    }

    /// Returns `true` if it is known which patterns cover which. Otherwise nothing is reported as
    /// covered.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.coverage.is_complete()
    }

    /// Returns `true` if the folders that are allowed were looked at for those that lie around a
    /// denied pattern.
    #[must_use]
    pub fn has_parents(&self) -> bool {
        self.mounts.is_some()
    }

    /// Adds an item about connections to a plain name. Returns the group of the name.
    fn add_name(&mut self, number: u32, host: &'a str) -> u32 {
        let fresh = self.next_group();
        // A rule about requests may have named it already.
        let at = *self.names.entry(host).or_insert_with(|| self.hosts.find(host).unwrap_or(fresh));
        if at == fresh {
            self.groups.push(Group::default());
        }
        if let Some(group) = self.groups.get_mut(at as usize) {
            group.network.push(number);
        }
        at
    }

    /// The number of the next group.
    fn next_group(&self) -> u32 {
        u32::try_from(self.groups.len()).expect("fewer hosts than bytes of policies")
    }

    fn add(&mut self, number: u32, item: &Item<'_>) {
        let target = &*item.target();
        if item.decision == Decision::Allow {
            self.allowed.add(target, item.actions);
        }
        let host = match target {
            Target::Folder(folder) => {
                return self.folders.insert(folder, Unknowns::NONE, number);
            }
            Target::Network(destination) | Target::Http(destination, _) => &destination.host,
        };
        let fresh = self.next_group();
        let at = match host {
            HostPattern::Cidr(block) => {
                return self.blocks.entry(*block).or_default().push(number);
            }
            HostPattern::Names(names) => {
                let known = self.group_of_plain(names).unwrap_or(fresh);
                self.hosts.find_or_insert(names, known)
            }
            HostPattern::Address(address) => *self.literals.entry(*address).or_insert(fresh),
        };
        if at == fresh {
            self.groups.push(Group::default());
        }
        let Some(group) = self.groups.get_mut(at as usize) else { return };
        if item.is_http() {
            let requests = group.requests.get_or_insert_with(|| {
                Box::new(Requests { items: Vec::new(), paths: Trie::new(Case::Unknown) })
            });
            let hit = Hit { clause: number, unknowns: Unknowns::NONE };
            target.insert_path(&mut requests.paths, &hit);
            requests.items.push(number);
        } else {
            group.network.push(number);
        }
    }

    /// Every resource of every rule, in the order given.
    #[must_use]
    pub fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    fn item(&self, number: u32) -> &Item<'a> {
        self.items.get(number as usize).expect("a number of this survey")
    }

    fn group(&self, number: u32) -> Option<&Group> {
        self.groups.get(number as usize)
    }

    /// The group of a pattern that is a plain name.
    fn group_of_plain(&self, names: &Sequence) -> Option<u32> {
        let is_plain = names.tokens.iter().all(|token| matches!(token, Token::Literal(_)));
        if is_plain { self.names.get(text::name(names).as_str()).copied() } else { None }
    }

    /// Returns `true` if `is_met` accepts a group of a host that a pattern may match.
    fn meets_host(&self, pattern: &Sequence, mut is_met: impl FnMut(u32) -> bool) -> bool {
        if self.hosts.meets(pattern, &mut is_met) {
            return true;
        }
        let is_plain = pattern.tokens.iter().all(|token| matches!(token, Token::Literal(_)));
        if is_plain {
            return self.group_of_plain(pattern).is_some_and(is_met);
        }
        let names = self.names_by_label.get_or_init(|| {
            let mut names = Trie::new(Case::Folded);
            for (host, port) in self.items.iter().filter_map(Item::name) {
                let Destination { host: HostPattern::Names(labels), .. } =
                    Destination::canonical(host, port)
                else {
                    continue;
                };
                names.find_or_insert(&labels, self.names.get(host).copied().unwrap_or_default());
            }
            names
        });
        names.meets(pattern, is_met)
    }

    /// Returns `true` if items that `takes` accepts together certainly cover all actions of `of`;
    /// returns one of them.
    #[must_use]
    pub fn covered_by(
        &self,
        of: &Item<'_>,
        takes: impl Fn(&Item<'_>) -> bool,
    ) -> Option<&Item<'a>> {
        let numbers = self.coverage.covering(of.pattern);
        self.first_covering((of.actions, of.is_http()), of, numbers, takes)
    }

    /// The same for these actions on another target than the item's.
    fn covered(
        &self,
        (target, actions): (&Target, Actions),
        of: &Item<'_>,
        takes: impl Fn(&Item<'_>) -> bool,
    ) -> Option<&Item<'a>> {
        // A question about a single pattern has its own limit.
        let numbers = self.covering(target, &Steps::default());
        let is_http = matches!(target, Target::Http(..));
        self.first_covering((actions, is_http), of, numbers.into_iter(), takes)
    }

    /// The first of some items that cover a target, if these cover all of these actions on it;
    /// `is_http` for a target for requests.
    fn first_covering(
        &self,
        (wanted, is_http): (Actions, bool),
        of: &Item<'_>,
        numbers: impl Iterator<Item = u32>,
        takes: impl Fn(&Item<'_>) -> bool,
    ) -> Option<&Item<'a>> {
        let mut left = wanted;
        let mut first = None;
        for item in numbers.map(|number| self.item(number)) {
            let actions = actions_covered(item, wanted, is_http);
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

    /// The numbers of the items that certainly match everything that an item matches, whatever
    /// their actions.
    fn covering_item(&self, of: &Item<'_>, steps: &Steps) -> Vec<u32> {
        let Some((host, port)) = of.name() else {
            return self.covering(&of.target(), steps);
        };
        let mut groups = covering::find_name(&self.hosts, host, steps);
        groups.extend(self.names.get(host));
        let mut found = Vec::new();
        for group in self.groups(groups) {
            if steps.take(group.network.as_slice().len()) {
                let certain = |number: &&u32| self.item(**number).is_certain_at(port);
                found.extend(group.network.iter().filter(certain));
            }
        }
        found
    }

    /// The same for a target.
    fn covering(&self, of: &Target, steps: &Steps) -> Vec<u32> {
        let mut found = Vec::new();
        let mut take = |number: u32| {
            let own = self.item(number);
            let is_certain = match of {
                Target::Folder(_) => own.folder().is_some(),
                Target::Network(_) if own.is_http() => false,
                Target::Network(other) | Target::Http(other, _) => own.is_certain_at(other.port),
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
            if steps.take(group.network.as_slice().len()) {
                group.network.iter().copied().for_each(&mut take);
            }
            if let Some((path, paths)) = path.zip(group.paths()) {
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

    /// The groups of these numbers.
    fn groups(&self, mut numbers: Vec<u32>) -> Vec<&Group> {
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().filter_map(|at| self.group(at)).collect()
    }

    fn groups_covering(&self, host: &HostPattern, steps: &Steps) -> Vec<&Group> {
        match host {
            HostPattern::Names(names) => {
                let mut groups = covering::find(&self.hosts, names, steps);
                groups.extend(self.group_of_plain(names));
                self.groups(groups)
            }
            // It is open if a pattern of names decides a request to an address.
            HostPattern::Address(address) => self.group_at(*address).into_iter().collect(),
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
        let named = labels.into_iter().flat_map(|labels| self.groups_of_name(labels));
        let named = named.map(|(group, _)| group).chain(self.groups_of_any_address());
        let own = address.and_then(|address| self.group_at(address));
        let by_host = named.chain(own).flat_map(|group| group.network.iter().chain(group.http()));
        let blocks = address.into_iter().flat_map(|address| surrounding(IpNet::from(address)));
        let by_block = blocks.filter_map(|net| self.blocks.get(&net)).flatten();
        by_host.chain(by_block).map(|number| self.item(*number)).map(Item::of_rule).collect()
    }

    /// The items of a rule.
    #[must_use]
    pub fn items_of(&self, policy: usize, rule: usize) -> &[Item<'a>] {
        let before = |item: &Item<'_>| item.of_rule() < (policy, rule);
        let from = self.items.partition_point(before);
        let items = self.items.get(from..).unwrap_or_default();
        let until = items.partition_point(|item| item.of_rule() == (policy, rule));
        items.get(..until).unwrap_or_default()
    }

    /// The items on an address.
    fn group_at(&self, address: IpAddr) -> Option<&Group> {
        self.group(*self.literals.get(&address)?)
    }

    /// The items on every host, which may match addresses too.
    fn groups_of_any_address(&self) -> impl Iterator<Item = &Group> {
        self.any_address.iter().filter_map(|number| self.group(*number))
    }
}

/// The actions that an item has too, if it covers their target; a connection includes all requests.
fn actions_covered(item: &Item<'_>, wanted: Actions, is_http: bool) -> Actions {
    let is_connection = !item.is_http() && item.folder().is_none();
    match (is_http && is_connection, item.actions.meets(Actions::TCP)) {
        (true, true) => wanted,
        (true, false) => Actions::default(),
        (false, _) => item.actions.intersection(wanted),
    }
}
