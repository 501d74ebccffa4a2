//! Matrix of audiences by destinations.
//!
//! Invariant: each cell is the engine's answer to concrete requests, the examples that the
//! comparisons give for the rules about the destination. No cell is derived from patterns.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::audience::{Audience, Class, Effective, is_approval};
use super::destination::{Destination, Kind, Parts};
use crate::access::{AccessLevel, Host, Match, Question, Request, Role, State, Verdict};
use crate::model::{Decision, Policy};
use crate::source::parallel;

/// Largest number of rows without folding; beyond it, destinations of one domain with equal cells
/// share a row.
const MOST_APART: usize = 80;
/// Largest number of rows.
const MOST_ROWS: usize = 400;
/// Largest number of example requests for one destination.
const MOST_PROBES: usize = 4;

/// Matrix of audiences by destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// Destinations that some audiences have other access to than everyone.
    pub rows: Vec<Row>,
    /// Destinations that all audiences have the same access to.
    pub same: Vec<Row>,
    /// Number of rows that are not shown.
    pub more: usize,
}

/// Row of a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Host, path or tools.
    pub name: String,
    /// `folder` or `MCP`; `None` for hosts and addresses.
    pub kind: Option<&'static str>,
    /// Number of further destinations that share the row.
    pub more: usize,
    /// One cell for each audience, in the order of the section.
    pub cells: Vec<Cell>,
}

/// Access of an audience to a destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cell {
    /// The access.
    pub access: CellAccess,
    /// CSS classes.
    pub class: String,
    /// The access in words.
    pub word: String,
    /// True if the access differs from that of everyone.
    pub differs: bool,
}

/// Access of an audience to a destination, summarized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CellAccess {
    /// All access that the rules name.
    Allowed,
    /// Some access: by path or method, read but not write, or except for a deny.
    Part,
    /// Access with an approval of a person.
    Approval,
    /// Access that depends on something unknown.
    Uncertain,
    /// No access: a rule denies it.
    Denied,
    /// No access: no rule allows it.
    No,
}

impl CellAccess {
    fn letter(self) -> &'static str {
        match self {
            Self::Allowed => "ca",
            Self::Part => "cp",
            Self::Approval => "cq",
            Self::Uncertain => "cu",
            Self::Denied => "cd",
            Self::No => "cn",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Part => "in part",
            Self::Approval => "once a person approves",
            Self::Uncertain => "uncertain",
            Self::Denied => "denied by a rule",
            Self::No => "not allowed",
        }
    }
}

/// Example request for a destination.
#[derive(Clone, Debug, PartialEq)]
struct Probe {
    request: Request,
    /// True if the example is for access that needs an approval. An example for other access may
    /// need one as well, if its request matches such a statement.
    approval: bool,
}

/// Answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Allow,
    /// The access is allowed, but this request needs an approval.
    Part,
    Approval,
    Uncertain,
    /// Denied; true if by a rule, false if for lack of an allow.
    Deny(bool),
}

/// Builds the matrix of these audiences.
pub(super) fn matrix(
    state: &State<'_>,
    effective: &Effective,
    audiences: &[Audience],
    classes: &[Class],
) -> Matrix {
    let keys: Vec<BTreeSet<String>> =
        audiences.iter().map(|audience| keys(audience, classes)).collect();
    let destinations: Vec<(Destination, Vec<Probe>)> =
        destinations(state.policies(), effective).into_iter().collect();
    let rows = parallel::map(destinations, 16, |(destination, probes)| {
        let accesses: Vec<CellAccess> = cells(state, &destination, &probes, &keys);
        (destination, accesses)
    });
    let apart = rows.len() <= MOST_APART;
    let mut folded: Vec<(Destination, usize, Vec<CellAccess>)> = Vec::new();
    let mut known: BTreeMap<(Kind, String, Vec<CellAccess>), usize> = BTreeMap::new();
    for (destination, accesses) in rows {
        let key = (destination.kind, destination.group.clone(), accesses.clone());
        match known.get(&key).filter(|_| !apart).and_then(|at| folded.get_mut(*at)) {
            Some((_, more, _)) => *more += 1,
            None => {
                known.insert(key, folded.len());
                folded.push((destination, 0, accesses));
            }
        }
    }
    let differ = |(_, _, accesses): &(Destination, usize, Vec<CellAccess>)| {
        accesses.iter().any(|access| Some(access) != accesses.first())
    };
    let (differing, alike): (Vec<_>, Vec<_>) = folded.into_iter().partition(differ);
    let all = differing.len() + alike.len();
    let rows: Vec<Row> = differing.into_iter().take(MOST_ROWS).map(row).collect();
    let same: Vec<Row> = alike.into_iter().take(MOST_ROWS - rows.len()).map(row).collect();
    Matrix { more: all - rows.len() - same.len(), rows, same }
}

fn keys(audience: &Audience, classes: &[Class]) -> BTreeSet<String> {
    let key = |name: &String| {
        let mut all = classes.iter().flat_map(|class| class.names.iter().zip(&class.keys));
        all.find(|(own, _)| *own == name).map(|(_, key)| key.clone())
    };
    let named = if audience.pair { audience.teams.len() } else { 1 };
    audience.teams.iter().take(named).filter_map(key).collect()
}

fn row((destination, more, accesses): (Destination, usize, Vec<CellAccess>)) -> Row {
    let first = accesses.first().copied();
    let cell = |access: CellAccess| {
        let differs = Some(access) != first;
        let (mark, unlike) = if differs { (" cx", ", unlike everyone") } else { ("", "") };
        let (class, word) =
            (format!("{}{mark}", access.letter()), format!("{}{unlike}", access.word()));
        Cell { access, class, word, differs }
    };
    let kind = match destination.kind {
        Kind::Domain | Kind::Hosts | Kind::Addresses => None,
        Kind::Folder => Some("folder"),
        Kind::Mcp => Some("MCP"),
    };
    Row { name: destination.name, kind, more, cells: accesses.into_iter().map(cell).collect() }
}

/// Destinations of all rules, each with example requests.
fn destinations(policies: &[Policy], effective: &Effective) -> BTreeMap<Destination, Vec<Probe>> {
    let found = [&effective.allowed, &effective.denied, &effective.uncertain];
    let found = found.into_iter().flatten().map(|found| &found.entry);
    let mut all: BTreeMap<Destination, Vec<Probe>> = BTreeMap::new();
    for entry in found.chain(&effective.closed) {
        let Ok(request) = Request::parse(&entry.witness) else { continue };
        let probes = all.entry(Parts::new(&entry.access).destination).or_default();
        let probe = Probe { request, approval: is_approval(policies, entry) };
        if probes.len() < MOST_PROBES && !probes.contains(&probe) {
            probes.push(probe);
        }
    }
    all
}

fn cells(
    state: &State<'_>,
    destination: &Destination,
    probes: &[Probe],
    audiences: &[BTreeSet<String>],
) -> Vec<CellAccess> {
    let asked: Vec<Asked> = probes.iter().flat_map(|probe| around(state, probe)).collect();
    audiences
        .iter()
        .map(|teams| {
            let said: Vec<(bool, Said)> =
                asked.iter().map(|asked| (asked.whole, asked.answer(state, teams))).collect();
            summed(destination.kind, &said)
        })
        .collect()
}

/// Requests that decide the cell of an example: the whole connection beside an HTTP request,
/// writing beside reading.
fn around(state: &State<'_>, probe: &Probe) -> Vec<Asked> {
    let ask = |whole, request| Asked::new(state, whole, request);
    match &probe.request {
        Request::Http { host, port, .. } => {
            let connect = Request::Connect { udp: false, host: host.clone(), port: *port };
            vec![ask(true, connect), ask(false, probe.request.clone())]
        }
        Request::Folder { segments, .. } => [(true, false), (false, true)]
            .into_iter()
            .map(|(read, write)| {
                ask(true, Request::Folder { read, write, segments: segments.clone() })
            })
            .collect(),
        // The lists show rules about addresses; here, a name is asked for without an address.
        Request::Connect { udp, host: Host::Name(labels, _), port } => {
            vec![ask(
                true,
                Request::Connect { udp: *udp, host: Host::Name(labels.clone(), None), port: *port },
            )]
        }
        Request::Connect { host: Host::Address(_), .. } => vec![ask(true, probe.request.clone())],
        Request::Mcp(_) => {
            vec![Asked { approval: probe.approval, ..ask(true, probe.request.clone()) }]
        }
    }
}

/// Request prepared once, to be decided for many audiences.
struct Asked {
    /// True if it is for the destination as a whole.
    whole: bool,
    approval: bool,
    request: Request,
    question: Option<Question>,
    /// Groups of the denies that match it, by their indexes in the state.
    denies: Vec<usize>,
}

impl Asked {
    fn new(state: &State<'_>, whole: bool, request: Request) -> Self {
        let question = match &request {
            Request::Mcp(_) => None,
            Request::Connect { .. } | Request::Http { .. } | Request::Folder { .. } => {
                Some(state.question(&request))
                    .filter(|question| state.is_governed(question.domain()))
            }
        };
        let matches = question
            .iter()
            .flat_map(|question| question.points())
            .flat_map(|point| point.matches());
        // A denied block of addresses does not deny a name: the name may resolve elsewhere.
        let is_address = matches!(&request, Request::Connect { host: Host::Address(_), .. });
        let is_own = |found: &&Match| match found.role {
            Role::Name | Role::Http | Role::Folder => true,
            Role::Address => is_address,
            Role::Cover => false,
        };
        let denies = matches.filter(|found| found.decision == Decision::Deny).filter(is_own);
        let denies = denies.map(|found| found.group).collect();
        Self { whole, approval: false, request, question, denies }
    }

    fn answer(&self, state: &State<'_>, teams: &BTreeSet<String>) -> Said {
        let Some(question) = &self.question else {
            let answer = state.ask(teams, &self.request);
            return match answer.level() {
                AccessLevel::Allow => Said::Allow,
                AccessLevel::Deny => Said::Deny(!answer.because.is_empty()),
                AccessLevel::Approval if self.approval => Said::Approval,
                AccessLevel::Approval => Said::Part,
                AccessLevel::Uncertain => Said::Uncertain,
            };
        };
        let in_force = |group| state.governs(group, teams);
        match question.verdict(in_force) {
            Verdict::Allow => Said::Allow,
            Verdict::Uncertain => Said::Uncertain,
            Verdict::Deny => Said::Deny(self.denies.iter().any(|group| in_force(*group))),
        }
    }
}

/// Combines the answers for a destination into one cell.
fn summed(kind: Kind, said: &[(bool, Said)]) -> CellAccess {
    let any = |wanted: &dyn Fn(bool, Said) -> bool| {
        said.iter().any(|(whole, said)| wanted(*whole, *said))
    };
    let allows = any(&|_, said| matches!(said, Said::Allow | Said::Part));
    let as_a_whole = any(&|whole, said| whole && said == Said::Allow);
    let all = said.iter().all(|(_, said)| *said == Said::Allow);
    let denies = any(&|_, said| matches!(said, Said::Deny(_)));
    let opens = match kind {
        // A destination counts as allowed although other ports are not; a deny of a port or of a
        // request makes it partial.
        Kind::Domain | Kind::Hosts | Kind::Addresses => {
            as_a_whole
                && !any(&|whole, said| said == Said::Deny(true) || !whole && said != Said::Allow)
        }
        Kind::Folder | Kind::Mcp => all,
    };
    match () {
        () if opens => CellAccess::Allowed,
        () if allows => CellAccess::Part,
        () if any(&|_, said| said == Said::Approval) => CellAccess::Approval,
        () if any(&|_, said| said == Said::Uncertain) => CellAccess::Uncertain,
        () if denies && any(&|_, said| said == Said::Deny(true)) => CellAccess::Denied,
        () => CellAccess::No,
    }
}
