//! The points of a universe: equivalent classes are merged, and hosts are combined with addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::atom::Atom;
use super::clause::Actions;
use super::point::{Match, Point, Role};
use super::trie::Hit;
use super::universe::{Host, HostClass, Requests, Universe};
use super::witness::Witness;
use crate::hash::HashMap;
use crate::model::Decision;

/// Equivalent matches at addresses, and the classes of these addresses.
pub(super) type AddressGroup = (Vec<Match>, Vec<usize>);

/// The groups of addresses, computed once.
#[derive(Debug, Default)]
pub(super) struct AddressGroups(HashMap<(bool, Option<usize>), Rc<Vec<AddressGroup>>>);

impl AddressGroups {
    /// The groups of all addresses, or of the class `own` alone.
    pub(super) fn get(
        &mut self,
        universe: &Universe,
        atom: Atom,
        own: Option<usize>,
    ) -> Rc<Vec<AddressGroup>> {
        let udp = atom == Atom::Udp;
        Rc::clone(
            self.0.entry((udp, own)).or_insert_with(|| Rc::new(universe.address_groups(udp, own))),
        )
    }
}

impl Universe {
    /// Every point, with one representative request.
    #[must_use]
    pub fn points(&self) -> BTreeMap<Point, Witness> {
        self.points_about(|_| true)
    }

    /// The points that a rule of such a group matches, with one representative request each. The
    /// effect of the other rules on a request does not depend on which of these groups are in
    /// force.
    ///
    /// A rule of such a group may match the address alone. The rules on a name then always add the
    /// same: they decide, or they leave the decision to the address, as for a host that no rule
    /// names. That host therefore represents all of them, except for requests that a rule allows
    /// unless their address is denied.
    pub fn points_about(&self, group: impl Fn(usize) -> bool) -> BTreeMap<Point, Witness> {
        let mut points = BTreeMap::new();
        let about = |matches: &[Match]| matches.iter().any(|one| group(one.group));
        for class in &self.folders {
            for (atom, action) in [(Atom::Read, Actions::READ), (Atom::Write, Actions::WRITE)] {
                let matches = self.matches(&class.hits, action, Role::Folder);
                if about(&matches) {
                    points
                        .entry(Point::new(atom, matches))
                        .or_insert_with(|| Witness::folder(atom, &class.labels));
                }
            }
        }
        let mut groups = AddressGroups::default();
        let mut met: BTreeSet<(Atom, Vec<Match>, Option<usize>)> = BTreeSet::new();
        for class in &self.hosts {
            let requests = self.requests_of(class);
            let own = self.own_address(class);
            for (atom, matches, path) in self.host_points(class, requests) {
                if !met.insert((atom, matches.clone(), own)) {
                    continue;
                }
                let always = about(&matches);
                let denied = |matches: &[Match]| {
                    matches.iter().any(|one| group(one.group) && one.decision == Decision::Deny)
                };
                for (addresses, classes) in groups.get(self, atom, own).iter() {
                    let stands_for_all = class.host == Host::AnyAddress && about(addresses);
                    if !(always
                        || stands_for_all
                        || matches!(atom, Atom::Http(_)) && denied(addresses))
                    {
                        continue;
                    }
                    let joint = matches.iter().chain(addresses).copied().collect();
                    let first = classes.first().and_then(|at| self.addresses.get(*at));
                    let address = first.filter(|_| !addresses.is_empty());
                    points.entry(Point::new(atom, joint)).or_insert_with(|| {
                        let path = path.as_deref();
                        Witness::host(atom, class, path, address.map(|class| class.witness))
                    });
                }
            }
        }
        points
    }

    /// The points of a class of hosts, without addresses.
    fn host_points(
        &self,
        class: &HostClass,
        requests: &Requests,
    ) -> Vec<(Atom, Vec<Match>, Option<String>)> {
        let tcp = self.matches(&class.hits, Actions::TCP, Role::Name);
        let mut covered = tcp.clone();
        covered.extend(self.matches(&class.hits, Actions::HTTP, Role::Cover));
        let mut points = vec![
            (Atom::Tcp, covered, None),
            (Atom::Udp, self.matches(&class.hits, Actions::UDP, Role::Name), None),
        ];
        for request in requests.list() {
            let Some(method) = request.methods.methods().next() else { continue };
            let mut matches = tcp.clone();
            matches.extend(requests.matches(request));
            points.push((Atom::Http(method), matches, Some(requests.path(request))));
        }
        points
    }

    /// The class of addresses that the hosts have, if it is a single one.
    pub(super) fn own_address(&self, class: &HostClass) -> Option<usize> {
        let Host::Address(address) = class.host else { return None };
        self.places.get(&super::address::hits(&self.blocks, address)).copied()
    }

    /// The matches for `atom` at addresses, each with the classes of addresses to which it applies;
    /// of the class `own` alone, if it is known.
    fn address_groups(&self, udp: bool, own: Option<usize>) -> Vec<AddressGroup> {
        let action = if udp { Actions::UDP } else { Actions::TCP };
        let mut groups: BTreeMap<Vec<Match>, Vec<usize>> = BTreeMap::new();
        let own = own.map_or(0..self.addresses.len(), |own| own..own + 1);
        for (class, at) in self.addresses.get(own.clone()).unwrap_or_default().iter().zip(own) {
            groups.entry(self.matches(&class.hits, action, Role::Address)).or_default().push(at);
        }
        groups.into_iter().collect()
    }

    /// The classes of ports of addresses that no rule names. They are the first of the hosts.
    pub(super) fn ports_of_any_address(&self) -> &[HostClass] {
        let count = self.hosts.iter().take_while(|class| class.host == Host::AnyAddress).count();
        self.hosts.get(..count).unwrap_or_default()
    }

    /// The class of a port among those: the class that is named with it, or that of any other port.
    pub(super) fn port_of_any_address(&self, port: u16) -> usize {
        let ports = self.ports_of_any_address();
        let named = ports.iter().position(|class| !class.other_port && class.port == port);
        named.or_else(|| ports.iter().position(|class| class.other_port)).unwrap_or_default()
    }

    /// The classes of requests to a class of hosts.
    pub(super) fn requests_of(&self, class: &HostClass) -> &Requests {
        self.requests.get(class.requests).expect("a host of this universe")
    }

    /// The hits of clauses for an action, as matches in a role.
    pub(super) fn matches(&self, hits: &[Hit], action: Actions, role: Role) -> Vec<Match> {
        let found =
            hits.iter().filter_map(|hit| Match::new(self.clause(hit), hit.unknowns, action, role));
        let mut matches: Vec<Match> = found.collect();
        let as_blocks: Vec<Match> = matches.iter().filter_map(Match::as_block).collect();
        matches.extend(as_blocks);
        matches.sort_unstable();
        matches.dedup();
        matches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::model::{Action, Resources, Rule};

    fn rule(decision: Decision, action: Action, resource: &str) -> Rule {
        let resources = Resources::Plain(vec![resource.to_owned()].into());
        Rule { name: resource.to_owned(), decision, actions: vec![action], resources }
    }

    #[test]
    fn points_tell_apart_what_rules_tell_apart() {
        let rules = [
            rule(Decision::Allow, Action::ConnectTcp, "**.example.com:443"),
            rule(Decision::Deny, Action::ConnectTcp, "bad.example.com"),
            rule(Decision::Allow, Action::ConnectTcp, "10.0.0.0/8"),
            rule(Decision::Allow, Action::Read, "~/src/**"),
        ];
        let universe = Universe::build(rules.iter().zip(0..)).unwrap();
        let verdicts: Vec<String> = universe
            .points()
            .iter()
            .map(|(point, witness)| (witness.to_string(), point.verdict(|_| true)))
            .filter(|(_, verdict)| *verdict != Verdict::Deny)
            .map(|(witness, verdict)| format!("{witness}: {verdict:?}"))
            .collect();
        let expected = [
            // The address decides if no name does.
            "connect:tcp 10.0.0.1:443: Allow",
            // A name that decides leaves the address unasked.
            "connect:tcp other.example.com:443: Allow",
            "connect:tcp other.example.com:443 at 10.0.0.1: Allow",
            // The documentation does not say if the apex is included, but its address may be
            // allowed.
            "connect:tcp example.com:443: Uncertain",
            "connect:tcp example.com:443 at 10.0.0.1: Allow",
            "read ~/src/other: Allow",
            "read ~/src: Uncertain",
            // It is unknown whose home folder this is, and if case matters.
            "read /root/src/other: Uncertain",
            "read /root/src: Uncertain",
            "read ~/Src/other: Uncertain",
            "read ~/Src: Uncertain",
            "read /root/Src/other: Uncertain",
            "read /root/Src: Uncertain",
        ];
        let mut sorted = (verdicts.clone(), expected.map(str::to_owned).to_vec());
        sorted.0.sort();
        sorted.1.sort();
        assert_eq!(sorted.0, sorted.1);
        // A deny in force closes exactly what it matches.
        let without_deny = universe.points_about(|group| group == 1);
        assert!(
            without_deny
                .iter()
                .any(|(point, _)| point.verdict(|group| group != 1) == Verdict::Allow)
        );
        assert!(without_deny.iter().all(|(point, _)| point.verdict(|_| true) == Verdict::Deny));
    }
}
