//! The classes that change, with the audiences and the addresses.
//!
//! Invariant: equivalent classes are judged once, so that the cost grows with the distinctions of
//! rules, not with audiences times classes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::atom::Atom;
use crate::classes::Class;
use crate::clause::Actions;
use crate::hash::HashMap;
use crate::parallel;
use crate::point::{Match, Point, Role};
use crate::points::AddressGroups;
use crate::universe::{Host, HostClass, Requests, Universe};

use super::outcome::{Outcome, Teams, outcomes};
use super::state_clauses::StateClauses;

/// At which classes of addresses, as [`ChangeClasses::places`] tells; `None` at all.
pub(super) type At = Option<usize>;

/// A set of targets with the same change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChangeClass {
    pub(super) teams: Teams,
    pub(super) outcome: Outcome,
    pub(super) atom: Atom,
    pub(super) kind: Kind,
    pub(super) at: At,
}

/// The kind of the members of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Folders,
    Hosts,
    /// In the numbering of [`request_offsets`].
    Requests,
    /// All names with such an address, unless rules on the name decide. In the numbering of
    /// [`Universe::ports_of_any_address`] times addresses.
    Addresses,
}

/// The classes with the same change.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// The positions of the classes to report, sorted.
    pub(super) report: Vec<usize>,
    /// The slots whose members have the change, sorted, reported or not: the change may follow from
    /// one that is reported elsewhere.
    slots: Vec<u32>,
}

/// The classes grouped by their change.
#[derive(Clone, Debug, Default)]
pub(super) struct ChangeClasses {
    pub(super) change_classes: BTreeMap<ChangeClass, Members>,
    /// Sets of classes of addresses.
    pub(super) places: Vec<BTreeSet<usize>>,
    /// Sets of equivalent methods. ChangeClasses are about the first method of each.
    methods: Vec<Actions>,
    slots: SlotsOfMembers,
}

/// By position: the slot of a class, whose members have the same changes; [`NO_SLOT`] without any.
/// Thousands of classes may have the same dozens of changes.
type SlotsOfMembers = BTreeMap<(Kind, Atom), Vec<u32>>;

/// The slot of a class that does not change.
const NO_SLOT: u32 = u32::MAX;

impl ChangeClasses {
    /// Returns `true` if a class of this kind has members that are reported.
    pub(super) fn reports(&self, kind: Kind) -> bool {
        self.change_classes
            .iter()
            .any(|(class, members)| class.kind == kind && !members.report.is_empty())
    }

    /// The methods that are equivalent to this one.
    pub(super) fn methods_like(&self, method: &str) -> Actions {
        let own = Actions::method(method);
        self.methods.iter().copied().find(|alike| alike.meets(own)).unwrap_or(own)
    }

    /// Tells if a class has a change of which these are the members.
    pub(super) fn belongs(&self, cell: &ChangeClass, members: &Members) -> impl Fn(usize) -> bool {
        let slots = self.slots.get(&(cell.kind, cell.atom)).map(Vec::as_slice).unwrap_or_default();
        let is_of_addresses = cell.kind == Kind::Addresses;
        move |member| match is_of_addresses {
            // All of them are reported.
            true => members.report.binary_search(&member).is_ok(),
            false => {
                slots.get(member).is_some_and(|slot| members.slots.binary_search(slot).is_ok())
            }
        }
    }

    /// The classes of addresses at which something changes; `None` for all.
    pub(super) fn places(&self, at: At) -> Option<&BTreeSet<usize>> {
        self.places.get(at?)
    }
}

/// The numbers at which the requests of each host start, in one numbering of all requests. A host
/// without HTTP clauses has one number, which represents all its requests.
pub(super) fn request_offsets(universe: &Universe) -> Vec<usize> {
    let mut next = 0;
    universe
        .hosts
        .iter()
        .map(|class| {
            let first = next;
            next += universe.requests_of(class).list().len().max(1);
            first
        })
        .collect()
}

/// Sets of methods that no class of requests distinguishes.
fn methods_alike(universe: &Universe) -> Vec<Actions> {
    let told: BTreeSet<Actions> =
        universe.requests.iter().flat_map(Requests::list).map(|class| class.methods).collect();
    told.into_iter().fold(vec![Actions::HTTP], |alike, own| {
        let parts = alike.into_iter().flat_map(|all| [all.intersection(own), all.difference(own)]);
        parts.filter(|part| *part != Actions::default()).collect()
    })
}

/// Judges every class.
pub(super) fn change_classes(universe: &Universe, statements: &StateClauses) -> ChangeClasses {
    // A target is a folder or a host: neither has to do with the other.
    let (folders, mut hosts) = parallel::both(
        || {
            let mut judge = Judge::new(universe, statements);
            universe.folders.iter().enumerate().for_each(|(at, class)| judge.folder(class, at));
            judge.finish()
        },
        || {
            let mut judge = Judge::new(universe, statements);
            let offsets = request_offsets(universe);
            for (at, (class, offset)) in universe.hosts.iter().zip(offsets).enumerate() {
                judge.host(class, at, offset);
            }
            judge.finish()
        },
    );
    hosts.change_classes.extend(folders.change_classes);
    hosts.slots.extend(folders.slots);
    hosts
}

/// The audience, the change, and the addresses.
type Changed = (Teams, Outcome, At);

/// All changes of targets that some clauses match.
#[derive(Debug)]
struct Changes {
    /// The changes of exactly these clauses.
    number: usize,
    list: Vec<Changed>,
}

struct Judge<'a> {
    universe: &'a Universe,
    statements: &'a StateClauses,
    groups: AddressGroups,
    /// As [`ChangeClasses::methods`].
    methods: Vec<Actions>,
    memory: HashMap<(Atom, Vec<Match>, Option<usize>), Rc<Changes>>,
    /// By what changes and what else decides about reporting it.
    slots: HashMap<(usize, Kind, Atom, usize), u32>,
    slots_of_members: SlotsOfMembers,
    /// By slot: cells by number, each with whether to report members there.
    cells: Vec<Vec<(usize, bool)>>,
    numbers: BTreeMap<ChangeClass, usize>,
    /// By number of the cell: addresses to report.
    addresses: Vec<Vec<usize>>,
    /// By protocol and groups of addresses.
    place_numbers: HashMap<(bool, Vec<usize>), usize>,
    places: Vec<BTreeSet<usize>>,
    /// The changes of addresses, whatever their name: the change on a port, and its addresses.
    by_address: Vec<(Teams, Outcome, Atom, usize, BTreeSet<usize>)>,
}

impl<'a> Judge<'a> {
    fn new(universe: &'a Universe, statements: &'a StateClauses) -> Self {
        Self {
            universe,
            statements,
            groups: AddressGroups::default(),
            methods: methods_alike(universe),
            memory: HashMap::default(),
            slots: HashMap::default(),
            slots_of_members: BTreeMap::new(),
            cells: Vec::new(),
            numbers: BTreeMap::new(),
            addresses: Vec::new(),
            place_numbers: HashMap::default(),
            places: Vec::new(),
            by_address: Vec::new(),
        }
    }

    fn folder(&mut self, class: &Class, at: usize) {
        for (atom, action) in [(Atom::Read, Actions::READ), (Atom::Write, Actions::WRITE)] {
            let matches = self.universe.matches(&class.hits, action, Role::Folder);
            let changes = self.changes(atom, matches, Some(0));
            self.add(&changes, Kind::Folders, atom, (at, 0), |_, _| false);
        }
    }

    fn host(&mut self, class: &HostClass, at: usize, offset: usize) {
        let universe = self.universe;
        let own = universe.own_address(class);
        let tcp = universe.matches(&class.hits, Actions::TCP, Role::Name);
        let udp = universe.matches(&class.hits, Actions::UDP, Role::Name);
        let mut covered = tcp.clone();
        covered.extend(universe.matches(&class.hits, Actions::HTTP, Role::Cover));
        let connect = self.changes(Atom::Tcp, covered, own);
        let datagrams = self.changes(Atom::Udp, udp, own);
        let port = universe.port_of_any_address(class.port);
        for (atom, changes) in [(Atom::Tcp, &connect), (Atom::Udp, &datagrams)] {
            if class.host == Host::AnyAddress {
                self.any_address(atom, changes, port);
            }
            self.add(changes, Kind::Hosts, atom, (at, port), |judge, (teams, outcome, at)| {
                let places = judge.places(*at, own);
                judge.by_address.iter().any(|(whom, what, how, on, more)| {
                    (whom, *what, *how, *on) == (teams, *outcome, atom, port)
                        && places.is_subset(more)
                })
            });
        }
        let requests = universe.requests_of(class);
        for (request, number) in requests.list().iter().zip(offset..) {
            let Some(first) = request.methods.methods().next() else { continue };
            let mut matches = tcp.clone();
            matches.extend(requests.matches(request));
            let changes = self.changes(Atom::Http(first), matches, own);
            let alike = self.methods.iter().filter(|alike| alike.meets(request.methods));
            let firsts: Vec<&str> = alike.filter_map(|alike| alike.methods().next()).collect();
            for method in firsts {
                self.add(
                    &changes,
                    Kind::Requests,
                    Atom::Http(method),
                    (number, connect.number),
                    |_, change| connect.list.contains(change),
                );
            }
        }
    }

    /// Records the change that an address alone makes on a port. It is reported once, for the
    /// address.
    fn any_address(&mut self, atom: Atom, changes: &Changes, port: usize) {
        let addresses = &self.universe.addresses;
        for (teams, outcome, at) in &changes.list {
            let places = self.places(*at, None);
            if places
                .iter()
                .all(|place| addresses.get(*place).is_some_and(|class| !class.hits.is_empty()))
            {
                let cell = self.cell(ChangeClass {
                    teams: teams.clone(),
                    outcome: *outcome,
                    atom,
                    kind: Kind::Addresses,
                    at: None,
                });
                let members = places.iter().map(|place| port * addresses.len() + place);
                self.addresses
                    .get_mut(cell)
                    .into_iter()
                    .for_each(|list| list.extend(members.clone()));
                self.by_address.push((teams.clone(), *outcome, atom, port, places));
            }
        }
    }

    /// Adds a member to the classes of its changes, once. It is not reported where it `follows` from
    /// a change that is reported elsewhere, as the number beside the member determines.
    fn add(
        &mut self,
        changes: &Changes,
        kind: Kind,
        atom: Atom,
        (member, beside): (usize, usize),
        follows: impl Fn(&Self, &Changed) -> bool,
    ) {
        if changes.list.is_empty() {
            return;
        }
        let key = (changes.number, kind, atom, beside);
        let slot = match self.slots.get(&key) {
            Some(slot) => *slot,
            None => {
                let mut cells = Vec::new();
                for change in &changes.list {
                    let report = !follows(self, change);
                    let (teams, outcome, at) = change.clone();
                    cells.push((self.cell(ChangeClass { teams, outcome, atom, kind, at }), report));
                }
                let slot = u32::try_from(self.cells.len()).expect("fewer slots than classes");
                self.cells.push(cells);
                self.slots.insert(key, slot);
                slot
            }
        };
        let slots = self.slots_of_members.entry((kind, atom)).or_default();
        if slots.len() <= member {
            slots.resize(member + 1, NO_SLOT);
        }
        slots.iter_mut().skip(member).take(1).for_each(|own| *own = slot);
    }

    /// The number of a cell.
    fn cell(&mut self, cell: ChangeClass) -> usize {
        let next = self.addresses.len();
        let number = *self.numbers.entry(cell).or_insert(next);
        if number == next {
            self.addresses.push(Vec::new());
        }
        number
    }

    /// The classes of addresses: all of them, or the one that the host has.
    fn places(&self, at: At, own: Option<usize>) -> BTreeSet<usize> {
        match (at.and_then(|at| self.places.get(at)), own) {
            (Some(places), _) => places.clone(),
            (None, Some(own)) => BTreeSet::from([own]),
            (None, None) => (0..self.universe.addresses.len()).collect(),
        }
    }

    /// The changes if these clauses match and every address is possible, or only the class `own`.
    fn changes(&mut self, atom: Atom, matches: Vec<Match>, own: Option<usize>) -> Rc<Changes> {
        // All methods have the same result once the clauses are known.
        let kind = if matches!(atom, Atom::Http(_)) { Atom::Http("") } else { atom };
        let key = (kind, matches, own);
        if let Some(known) = self.memory.get(&key) {
            return Rc::clone(known);
        }
        let changes =
            Rc::new(Changes { number: self.memory.len(), list: self.judge(atom, &key.1, own) });
        self.memory.insert(key, Rc::clone(&changes));
        changes
    }

    fn judge(&mut self, atom: Atom, matches: &[Match], own: Option<usize>) -> Vec<Changed> {
        let folder = matches!(atom, Atom::Read | Atom::Write);
        let addresses = if folder {
            Rc::new(vec![(Vec::new(), Vec::new())])
        } else {
            self.groups.get(self.universe, atom, own)
        };
        let mut found: BTreeMap<(Teams, Outcome), Vec<usize>> = BTreeMap::new();
        for (group, (address, _)) in addresses.iter().enumerate() {
            let point = Point::new(atom, matches.iter().chain(address).copied().collect());
            for change in outcomes(&point, self.statements) {
                found.entry(change).or_default().push(group);
            }
        }
        let mut place = |groups: Vec<usize>| {
            // A single class needs a single group.
            let everywhere = groups.len() == addresses.len();
            (!everywhere).then(|| {
                *self.place_numbers.entry((atom == Atom::Udp, groups)).or_insert_with_key(
                    |(_, groups)| {
                        let classes = groups
                            .iter()
                            .filter_map(|group| addresses.get(*group))
                            .flat_map(|(_, own)| own);
                        self.places.push(classes.copied().collect());
                        self.places.len() - 1
                    },
                )
            })
        };
        found
            .into_iter()
            .map(|((teams, outcome), groups)| (teams, outcome, place(groups)))
            .collect()
    }

    fn finish(self) -> ChangeClasses {
        let Self { numbers, addresses, slots_of_members, cells, places, methods, .. } = self;
        let mut all: Vec<Members> =
            addresses.into_iter().map(|report| Members { report, slots: Vec::new() }).collect();
        for (slot, (cell, _)) in
            (0..).zip(&cells).flat_map(|(slot, own)| own.iter().map(move |cell| (slot, cell)))
        {
            all.get_mut(*cell).into_iter().for_each(|members| members.slots.push(slot));
        }
        let reported: Vec<Vec<usize>> = cells
            .into_iter()
            .map(|own| own.into_iter().filter_map(|(cell, is)| is.then_some(cell)).collect())
            .collect();
        for (member, slot) in slots_of_members.values().flat_map(|slots| slots.iter().enumerate()) {
            for cell in reported.get(*slot as usize).into_iter().flatten() {
                all.get_mut(*cell).into_iter().for_each(|members| members.report.push(member));
            }
        }
        let mut of = |number: usize| {
            let mut own = all.get_mut(number).map(std::mem::take).unwrap_or_default();
            own.report.sort_unstable();
            own.report.dedup();
            own
        };
        ChangeClasses {
            change_classes: numbers.into_iter().map(|(cell, number)| (cell, of(number))).collect(),
            places,
            methods,
            slots: slots_of_members,
        }
    }
}
