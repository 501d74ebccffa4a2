//! The decision on one concrete request, from the patterns that a survey has looked up already.
//!
//! Invariant: the answer is that of the same [`Point`] that [`crate::State`] asks, for the stated
//! address.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Group, Item, Survey};
use crate::atom::Atom;
use crate::clause::Actions;
use crate::model::{Decision, Scope};
use crate::path::http_segments;
use crate::point::{Match, Point, Role, Verdict};
use crate::request::{Host, Request};
use crate::target_index::surrounding;
use crate::trie::Hit;
use crate::unknowns::{Unknown, Unknowns};

/// A request with its matches. The group of a match is the number of its item.
#[derive(Debug)]
pub(super) struct Asked {
    point: Point,
}

impl Asked {
    /// The decision for a member of exactly these teams.
    pub(super) fn verdict(&self, survey: &Survey<'_>, teams: &BTreeSet<String>) -> Verdict {
        self.point
            .verdict(|number| survey.items.get(number).is_some_and(|item| item.governs(teams)))
    }

    /// The numbers of the items that match, whether patterns of names decide connections straight
    /// to an address or not.
    pub(super) fn certain(&self) -> BTreeSet<usize> {
        let certain = |unknowns: Unknowns| {
            unknowns.without(Unknown::AddressAsName).without(Unknown::AddressAsBlock).is_empty()
        };
        self.point
            .matches()
            .iter()
            .filter(|one| certain(one.unknowns))
            .map(|one| one.group)
            .collect()
    }
}

impl Item<'_> {
    /// Returns `true` if it is in force for a member of exactly these teams.
    pub(super) fn governs(&self, teams: &BTreeSet<String>) -> bool {
        self.scope.governs(teams)
    }
}

impl Survey<'_> {
    /// Looks up a request that is not for MCP. Inspection of connections is ignored.
    pub(super) fn ask(&self, request: &Request) -> Asked {
        let mut matches = Vec::new();
        let atom = match request {
            Request::Connect { udp, host, port } => {
                let (atom, action) =
                    if *udp { (Atom::Udp, Actions::UDP) } else { (Atom::Tcp, Actions::TCP) };
                self.connections(host, *port, action, &mut matches);
                atom
            }
            Request::Http { method, host, port, path } => {
                self.connections(host, *port, Actions::TCP, &mut matches);
                self.requests(method, host, *port, path, &mut matches);
                Atom::Http(method)
            }
            Request::Folder { read, segments, .. } => {
                let (atom, action) =
                    if *read { (Atom::Read, Actions::READ) } else { (Atom::Write, Actions::WRITE) };
                for hit in self.folders.hits(&self.folders.walk(segments)) {
                    self.add_match(hit.clause, hit.unknowns, action, Role::Folder, &mut matches);
                }
                atom
            }
            Request::Mcp(_) => Atom::Tcp,
        };
        Asked { point: Point::new(atom, matches) }
    }

    /// Returns `true` if a rule for the whole organization certainly denies a request that is not
    /// for MCP, whatever else matches it.
    pub(super) fn is_denied_to_everybody(&self, request: &Request) -> bool {
        let denies = |number: u32, action: Actions, port: Option<u16>| {
            let own = self.item(number);
            let on_port = own.port().zip(port).is_none_or(|(own, port)| own == port);
            let is_deny = own.decision == Decision::Deny && *own.scope == Scope::Organization;
            is_deny && own.unknowns().is_empty() && on_port && own.actions.meets(action)
        };
        let (host, port, action) = match request {
            Request::Connect { udp: true, host, port } => (host, *port, Actions::UDP),
            Request::Connect { host, port, .. } | Request::Http { host, port, .. } => {
                (host, *port, Actions::TCP)
            }
            Request::Folder { read, segments, .. } => {
                let action = if *read { Actions::READ } else { Actions::WRITE };
                return self
                    .folders
                    .certain(&self.folders.walk(segments))
                    .any(|number| denies(number, action, None));
            }
            Request::Mcp(_) => return false,
        };
        let http = if let Request::Http { method, path, .. } = request {
            Some((*method, path))
        } else {
            None
        };
        let groups = self.groups_at(host);
        let mut certain = groups.iter().filter(|(_, unknowns)| unknowns.is_empty());
        certain.any(|(group, _)| {
            let by_path = || {
                let ((method, path), paths) = http.zip(group.paths())?;
                let state = paths.walk(&http_segments(path));
                Some(
                    paths
                        .certain(&state)
                        .any(|number| denies(number, Actions::method(method), Some(port))),
                )
            };
            group.network.iter().any(|number| denies(*number, action, Some(port)))
                || by_path() == Some(true)
        })
    }

    fn add_match(
        &self,
        number: u32,
        unknowns: Unknowns,
        action: Actions,
        role: Role,
        matches: &mut Vec<Match>,
    ) {
        let item = self.item(number);
        if item.actions.meets(action) {
            let unknowns = unknowns.union(item.unknowns());
            let own = Match::of_group(number as usize, item.decision, role, unknowns);
            matches.extend(own.as_block());
            matches.push(own);
        }
    }

    fn connections(&self, host: &Host, port: u16, action: Actions, matches: &mut Vec<Match>) {
        let on_port = |number: u32| self.item(number).port().is_none_or(|own| own == port);
        for (group, unknowns) in self.groups_at(host) {
            for number in group.network.iter().filter(|number| on_port(**number)) {
                self.add_match(*number, unknowns, action, Role::Name, matches);
            }
        }
        let address = match host {
            Host::Name(_, address) => *address,
            Host::Address(address) => Some(*address),
        };
        let nets = address.into_iter().flat_map(|address| surrounding(IpNet::from(address)));
        for number in nets.filter_map(|net| self.blocks.get(&net)).flatten() {
            self.add_match(*number, Unknowns::NONE, action, Role::Address, matches);
        }
    }

    fn requests(&self, method: &str, host: &Host, port: u16, path: &str, matches: &mut Vec<Match>) {
        let segments = http_segments(path);
        for (group, unknowns) in self.groups_at(host) {
            let Some(paths) = group.paths() else { continue };
            for hit in paths.hits(&paths.walk(&segments)) {
                if self.item(hit.clause).port().is_none_or(|own| own == port) {
                    let unknowns = unknowns.union(hit.unknowns);
                    self.add_match(
                        hit.clause,
                        unknowns,
                        Actions::method(method),
                        Role::Http,
                        matches,
                    );
                }
            }
        }
    }

    /// The items on a host, each with the open questions of a match of its name.
    pub(super) fn groups_at(&self, host: &Host) -> Vec<(&Group, Unknowns)> {
        match host {
            Host::Name(labels, _) => self.groups_of_name(labels),
            Host::Address(address) => self.groups_at_address(*address),
        }
    }

    /// The items on a host name, each with the open questions of a match.
    pub(super) fn groups_of_name(&self, labels: &[String]) -> Vec<(&Group, Unknowns)> {
        let last_first = labels.iter().rev();
        let state =
            last_first.fold(self.hosts.start(), |state, label| self.hosts.step(&state, label));
        let mut hits = self.hosts.hits(&state);
        if let Some(own) = self.names.get(labels.join(".").as_str()) {
            hits.retain(|hit| hit.clause != *own);
            hits.push(Hit { clause: *own, unknowns: Unknowns::NONE });
            hits.sort_unstable();
        }
        let group = |hit: Hit| Some((self.group(hit.clause)?, hit.unknowns));
        hits.into_iter().filter_map(group).collect()
    }

    fn groups_at_address(&self, address: IpAddr) -> Vec<(&Group, Unknowns)> {
        let own = self.group_at(address).into_iter().map(|group| (group, Unknowns::NONE));
        own.chain(self.groups_of_any_address().map(|group| (group, Unknown::AddressAsName.into())))
            .collect()
    }
}
