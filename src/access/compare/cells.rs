//! Which classes change, for whom and at which addresses.
//!
//! Invariant: classes with the same meaning are judged once, so that the cost grows with what rules tell apart and not
//! with audiences times classes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::access::clause::Actions;
use crate::access::point::{Atom, Match, Point, Role};
use crate::access::points::AddressGroups;
use crate::access::universe::{Host, HostClass, Universe};

use super::outcome::{Outcome, Teams, outcomes};
use super::reach::Statements;

/// At which classes of addresses; `None` at all.
pub(super) type At = Option<Rc<BTreeSet<usize>>>;

/// What changes alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) teams: Teams,
    pub(super) outcome: Outcome,
    pub(super) atom: Atom,
    pub(super) kind: Kind,
    pub(super) at: At,
}

/// What the members of a cell are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Folders,
    Hosts,
    /// In the numbering of [`request_offsets`].
    Requests,
    /// Whatever name has such an address, unless rules on the name decide. In the numbering of
    /// [`Universe::ports_of_any_address`] times addresses.
    Addresses,
}

/// The classes that change alike, by position.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// Those to report.
    pub(super) report: BTreeSet<usize>,
    /// Those too, and those that change but follow from what is reported elsewhere.
    pub(super) truth: BTreeSet<usize>,
}

/// By what changes alike.
pub(super) type Cells = BTreeMap<Cell, Members>;

/// Where the requests of each host start, in one numbering of all requests. A host without HTTP clauses has one, which
/// stands for all of them.
pub(super) fn request_offsets(universe: &Universe) -> Vec<usize> {
    let mut next = 0;
    universe
        .hosts
        .iter()
        .map(|class| {
            let first = next;
            next += universe.requests_of(class).len().max(1);
            first
        })
        .collect()
}

/// Judges every class.
pub(super) fn cells(universe: &Universe, statements: &Statements) -> Cells {
    let mut cells = Cells::new();
    let mut judge = Judge { universe, statements, memory: HashMap::new(), groups: AddressGroups::default() };
    for (at, class) in universe.folders.iter().enumerate() {
        for (atom, action) in [(Atom::Read, Actions::READ), (Atom::Write, Actions::WRITE)] {
            let matches = universe.matches(&class.hits, action, Role::Folder);
            for (teams, outcome, addresses) in judge.changes(atom, &matches, Some(0)).iter() {
                let cell = Cell::new(teams, *outcome, atom, Kind::Folders, addresses);
                cells.entry(cell).or_default().add(at, true);
            }
        }
    }
    let mut by_address = Vec::new();
    let offsets = request_offsets(universe);
    for (at, (class, offset)) in universe.hosts.iter().zip(offsets).enumerate() {
        host_cells(&mut judge, &mut cells, &mut by_address, (class, at, offset));
    }
    cells
}

/// What addresses alone decide, whatever their name, on a port.
type ByAddress = Vec<(Cell, usize, BTreeSet<usize>)>;

fn host_cells(
    judge: &mut Judge<'_>,
    cells: &mut Cells,
    by_address: &mut ByAddress,
    (class, at, offset): (&HostClass, usize, usize),
) {
    let universe = judge.universe;
    let own = universe.own_address(class);
    let tcp = universe.matches(&class.hits, Actions::TCP, Role::Name);
    let udp = universe.matches(&class.hits, Actions::UDP, Role::Name);
    let mut covered = tcp.clone();
    covered.extend(universe.matches(&class.hits, Actions::HTTP, Role::Cover));
    let connect = judge.changes(Atom::Tcp, &covered, own);
    for (atom, changes) in [(Atom::Tcp, connect.clone()), (Atom::Udp, judge.changes(Atom::Udp, &udp, own))] {
        for (teams, outcome, addresses) in changes.iter() {
            let cell = Cell::new(teams, *outcome, atom, Kind::Addresses, &None);
            let places = match (addresses, own) {
                (Some(some), _) => some.as_ref().clone(),
                (None, Some(own)) => BTreeSet::from([own]),
                (None, None) => (0..universe.addresses.len()).collect(),
            };
            let matched = |place: &usize| universe.addresses.get(*place).is_some_and(|class| !class.hits.is_empty());
            let port = universe.port_of_any_address(class.port);
            if class.host == Host::AnyAddress && places.iter().all(matched) {
                let members = cells.entry(cell.clone()).or_default();
                places.iter().for_each(|place| members.add(port * universe.addresses.len() + place, true));
                by_address.push((cell.clone(), port, places.clone()));
            }
            // What an address alone changes is said once, of the address.
            let said =
                by_address.iter().any(|(other, on, more)| *other == cell && *on == port && places.is_subset(more));
            let cell = Cell::new(teams, *outcome, atom, Kind::Hosts, addresses);
            cells.entry(cell).or_default().add(at, !said);
        }
    }
    for (request, number) in universe.requests_of(class).iter().zip(offset..) {
        let Some(first) = request.methods.methods().next() else { continue };
        let mut matches = tcp.clone();
        matches.extend(universe.matches(&request.hits, Actions::method(first), Role::Http));
        for change in judge.changes(Atom::Http(first), &matches, own).iter() {
            let (teams, outcome, addresses) = change;
            for method in request.methods.methods() {
                let cell = Cell::new(teams, *outcome, Atom::Http(method), Kind::Requests, addresses);
                cells.entry(cell).or_default().add(number, !connect.contains(change));
            }
        }
    }
}

impl Cell {
    fn new(teams: &Teams, outcome: Outcome, atom: Atom, kind: Kind, at: &At) -> Self {
        Self { teams: teams.clone(), outcome, atom, kind, at: at.clone() }
    }
}

impl Members {
    fn add(&mut self, class: usize, report: bool) {
        self.truth.insert(class);
        if report {
            self.report.insert(class);
        }
    }
}

/// For whom, what, and at which addresses.
type Changes = Rc<Vec<(Teams, Outcome, At)>>;

struct Judge<'a> {
    universe: &'a Universe,
    statements: &'a Statements,
    memory: HashMap<(Atom, Vec<Match>, Option<usize>), Changes>,
    groups: AddressGroups,
}

impl Judge<'_> {
    /// What changes where these clauses match and every address is possible, or only the class `own`.
    fn changes(&mut self, atom: Atom, matches: &[Match], own: Option<usize>) -> Changes {
        // All methods are judged alike once the clauses are known.
        let kind = if matches!(atom, Atom::Http(_)) { Atom::Http("") } else { atom };
        let key = (kind, matches.to_vec(), own);
        if let Some(known) = self.memory.get(&key) {
            return Rc::clone(known);
        }
        let changes = Rc::new(self.judge(atom, matches, own));
        self.memory.insert(key, Rc::clone(&changes));
        changes
    }

    fn judge(&mut self, atom: Atom, matches: &[Match], own: Option<usize>) -> Vec<(Teams, Outcome, At)> {
        let folder = matches!(atom, Atom::Read | Atom::Write);
        let addresses =
            if folder { Rc::new(vec![(Vec::new(), Vec::new())]) } else { self.groups.of(self.universe, atom, own) };
        let everywhere = addresses.len();
        let mut found: BTreeMap<(Teams, Outcome), (usize, BTreeSet<usize>)> = BTreeMap::new();
        for (address, classes) in addresses.iter() {
            let point = Point::new(atom, matches.iter().chain(address).copied().collect());
            for change in outcomes(&point, self.statements) {
                let (count, all) = found.entry(change).or_default();
                *count += 1;
                all.extend(classes);
            }
        }
        found
            .into_iter()
            .map(|((teams, outcome), (count, classes))| {
                (teams, outcome, (count < everywhere).then(|| Rc::new(classes)))
            })
            .collect()
    }
}
