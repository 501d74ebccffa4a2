//! What changes, in words.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::address::AddressClass;
use crate::access::clause::{Actions, Clause, Target};
use crate::access::host::Destination;
use crate::access::point::Atom;
use crate::access::text;
use crate::access::trie::Hit;
use crate::access::universe::{Host, HostClass, RequestClass, Universe};
use crate::access::witness::{Witness, bracketed};
use crate::model::{Action, Decision, Policy, Scope, TeamDirectory};

use super::cells::{At, Cell, Cells, Kind, Members, request_offsets};
use super::cover::{Catalogue, Description, Named};
use super::outcome::Outcome;
use super::reach::Statements;
use super::{Audience, Cause, Entry};

/// The entries for what changes: the organization's first, then those of teams and pairs; of each the smallest first.
pub(super) fn entries(
    universe: &Universe,
    statements: &Statements,
    cells: Cells,
    states: (&[Policy], &[Policy]),
    teams: &TeamDirectory,
) -> Vec<(Outcome, Entry)> {
    let words = Words::of(universe, &cells);
    let mut described: BTreeMap<Key, (BTreeSet<usize>, Entry)> = BTreeMap::new();
    for (cell, members) in cells.iter().filter(|(_, members)| !members.report.is_empty()) {
        let audience = audience(statements, &cell.teams, teams);
        for description in words.describe(cell, members, &cells) {
            let Some(&sample) = description.covered.iter().min_by_key(|member| words.rank(cell.kind, **member)) else {
                continue;
            };
            let (widens, narrows) = match cell.outcome {
                Outcome::Widened => (true, false),
                Outcome::Narrowed => (false, true),
                Outcome::Uncertain { widens, narrows } => (widens, narrows),
            };
            let entry = Entry {
                audience: audience.clone(),
                access: String::new(),
                witness: words.witness(cell, sample).to_string(),
                because: causes(statements, cell, &words.hits(cell, sample), universe, states),
                widens,
                narrows,
            };
            let object = format!("{}{}", description.text, words.at(&cell.at));
            let (word, method) = match cell.atom {
                Atom::Http(method) => (String::new(), Action::METHODS.iter().position(|own| *own == method)),
                atom @ (Atom::Tcp | Atom::Udp | Atom::Read | Atom::Write) => (atom.to_string(), None),
            };
            let key = Key {
                teams: cell.teams.len(),
                audience: audience.clone(),
                size: description.size,
                object,
                word,
                outcome: cell.outcome,
            };
            // The example is a request of the first method, in the service's order.
            let (methods, example) = described.entry(key).or_insert_with(|| (BTreeSet::new(), entry.clone()));
            if method < methods.first().copied() {
                *example = entry;
            }
            methods.extend(method);
        }
    }
    described
        .into_iter()
        .map(|(key, (methods, entry))| {
            let word = if methods.is_empty() { key.word } else { methods_text(&methods) };
            (key.outcome, Entry { access: format!("{word} {}", key.object), ..entry })
        })
        .collect()
}

/// The order of entries, and what the methods of one entry share.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    teams: usize,
    audience: Audience,
    size: usize,
    object: String,
    word: String,
    outcome: Outcome,
}

fn methods_text(methods: &BTreeSet<usize>) -> String {
    let all = Action::METHODS;
    if methods.len() == all.len() {
        return "ANY".to_owned();
    }
    let names: Vec<String> =
        methods.iter().filter_map(|at| all.get(*at)).map(|name| name.to_ascii_uppercase()).collect();
    names.join(",")
}

fn audience(statements: &Statements, members: &[usize], teams: &TeamDirectory) -> Audience {
    let mut names: Vec<String> =
        members.iter().filter_map(|team| statements.teams.get(*team)).map(|key| teams.name(key).to_owned()).collect();
    names.sort();
    Audience { teams: names }
}

/// The rules among `hits` that come into force or no longer are, where that leads to the outcome.
fn causes(
    statements: &Statements,
    cell: &Cell,
    hits: &[Hit],
    universe: &Universe,
    (old, new): (&[Policy], &[Policy]),
) -> Vec<Cause> {
    let action = Actions::needed(cell.atom);
    let mut causes = Vec::new();
    for hit in hits {
        let Clause { group, decision, ref target, .. } = *universe.clause(hit);
        let change = statements.change(group);
        let comes = change.new.includes(&cell.teams);
        let opens = comes == (decision == Decision::Allow);
        let covers = cell.atom == Atom::Tcp && matches!(target, Target::Http(..));
        let leads = match cell.outcome {
            Outcome::Widened => opens && !covers,
            Outcome::Narrowed => !opens && !covers,
            Outcome::Uncertain { .. } => true,
        };
        if comes == change.old.includes(&cell.teams) || !leads {
            continue;
        }
        let action = if covers { Actions::HTTP } else { action };
        for source in statements.sources(hit.clause, action).filter(|source| source.new == comes) {
            let Some(policy) = (if comes { new } else { old }).get(source.policy) else { continue };
            let governs = match &policy.scope {
                Scope::Organization => true,
                Scope::Teams(own) => {
                    cell.teams.iter().filter_map(|team| statements.teams.get(*team)).any(|team| own.contains(team))
                }
            };
            if governs && let Some(rule) = policy.rules().get(source.rule) {
                let (policy, rule) = (policy.name.clone(), Some(rule.name.clone()));
                causes.push(Cause { comes, policy, rule, decision: Some(decision) });
            }
        }
    }
    causes.sort();
    causes.dedup();
    causes
}

/// How one host is called that is not like others.
fn own_name(host: &Host) -> Option<String> {
    match host {
        Host::Name { name, single } => single.then(|| name.clone()),
        Host::Address(address) => Some(bracketed(*address)),
        Host::AnyAddress => Some("any other address".to_owned()),
    }
}

/// The patterns of the rules, for each kind of members that something is reported of.
struct Words<'a> {
    universe: &'a Universe,
    offsets: Vec<usize>,
    folders: Catalogue,
    hosts: Catalogue,
    requests: Catalogue,
    addresses: Catalogue,
    blocks: Catalogue,
}

impl<'a> Words<'a> {
    fn of(universe: &'a Universe, cells: &Cells) -> Self {
        let needs = |kind| cells.iter().any(|(cell, members)| cell.kind == kind && !members.report.is_empty());
        let narrowed = |hit: &Hit| universe.clause(hit).target.narrowed(hit.unknowns);
        let patterns = |hits: &[Hit]| -> Vec<String> {
            hits.iter().filter_map(narrowed).map(|target| target.to_string()).collect()
        };
        // A connection is described by the hosts of HTTP rules as well, and a request by those of connections.
        let destinations = |hits: &[Hit]| -> Vec<Destination> {
            let destinations = hits.iter().filter_map(narrowed).filter_map(|target| match target {
                Target::Network(destination) | Target::Http(destination, _) => Some(destination),
                Target::Folder(_) => None,
            });
            destinations.collect()
        };
        let named_port = |class: &HostClass| Some(class.port).filter(|_| !class.other_port);
        let connections = |class: &HostClass| {
            let own = own_name(&class.host).into_iter();
            let own = own.flat_map(|own| [None, named_port(class)].map(|port| text::connections(&own, port)));
            own.chain(destinations(&class.hits).iter().map(Destination::to_string)).collect()
        };
        let all_requests = |class: &HostClass| -> Vec<String> {
            let destinations = destinations(&class.hits).into_iter();
            destinations.map(|Destination { host, port, .. }| text::requests(host, port, "/**")).collect()
        };
        // One host by itself, for what is not the same on every host of a pattern.
        let of_host = |class: &HostClass, hits: &[Hit]| -> Vec<String> {
            let Some(own) = own_name(&class.host) else { return Vec::new() };
            let port = named_port(class);
            let targets = hits.iter().filter_map(narrowed).filter_map(|target| match target {
                Target::Http(destination, path) => Some((destination.port, text::request_path(&path))),
                Target::Network(_) | Target::Folder(_) => None,
            });
            let targets = targets.chain([(None, "/**".to_owned())]);
            let texts = targets.flat_map(|(stated, path)| [stated, port].map(|port| text::requests(&own, port, &path)));
            texts.collect()
        };
        let mut words = Self {
            universe,
            offsets: request_offsets(universe),
            folders: Catalogue::default(),
            hosts: Catalogue::default(),
            requests: Catalogue::default(),
            addresses: Catalogue::of(universe.ports_of_any_address().iter().flat_map(|port| {
                let own = if port.other_port { None } else { Some(port.port) };
                let blocks = universe.addresses.iter().map(|class| patterns(&class.hits));
                let texts = blocks.map(move |blocks| {
                    let with_port = blocks.iter().map(|block| text::connections(block, own));
                    blocks.iter().cloned().chain(with_port).collect()
                });
                texts.collect::<Vec<Vec<String>>>()
            })),
            blocks: Catalogue::of(universe.addresses.iter().map(|class| patterns(&class.hits))),
        };
        if needs(Kind::Folders) {
            words.folders = Catalogue::of(universe.folders.iter().map(|class| patterns(&class.hits)));
        }
        if needs(Kind::Hosts) {
            words.hosts = Catalogue::of(universe.hosts.iter().map(connections));
        }
        if needs(Kind::Requests) {
            words.requests = Catalogue::of(universe.hosts.iter().flat_map(|class| {
                let whole = all_requests(class);
                let requests = universe.requests_of(class);
                let each = |hits: &[Hit]| [whole.clone(), patterns(hits), of_host(class, hits)].concat();
                match requests {
                    [] => vec![each(&[])],
                    requests => requests.iter().map(|request| each(&request.hits)).collect(),
                }
            }));
        }
        words
    }

    fn describe(&self, cell: &Cell, members: &Members, cells: &Cells) -> Vec<Description> {
        let Members { report, truth } = members;
        match cell.kind {
            Kind::Folders => self.folders.describe(report, truth, &|_| true, &|left| self.each(cell, left)),
            Kind::Addresses => self.addresses.describe(report, truth, &|_| true, &|left| self.each(cell, left)),
            Kind::Hosts => self.hosts.describe(report, truth, &|_| true, &|left| self.each_host(left)),
            Kind::Requests => {
                // Requests to hosts without HTTP clauses change as their connections do.
                let tcp = Cell { atom: Atom::Tcp, kind: Kind::Hosts, ..cell.clone() };
                let connections = cells.get(&tcp).map(|members| &members.truth).into_iter().flatten();
                let uncovered = connections
                    .filter(|host| {
                        self.universe.hosts.get(**host).is_some_and(|own| self.universe.requests_of(own).is_empty())
                    })
                    .filter_map(|host| self.offsets.get(*host));
                let truth = truth.iter().chain(uncovered).copied().collect();
                let exists = |number| match (self.request(number).1, cell.atom) {
                    (Some(request), Atom::Http(method)) => request.methods.meets(Actions::method(method)),
                    _ => true,
                };
                self.requests.describe(report, &truth, &exists, &|left| self.each(cell, left))
            }
        }
    }

    fn host(&self, at: usize) -> &'a HostClass {
        self.universe.hosts.get(at).expect("a host of this universe")
    }

    /// The port and the address of a member.
    fn of_any_address(&self, member: usize) -> (&'a HostClass, &'a AddressClass) {
        let port = self.universe.ports_of_any_address().get(member / self.universe.addresses.len());
        let class = self.universe.addresses.get(member % self.universe.addresses.len());
        port.zip(class).expect("a port and an address of this universe")
    }

    /// The host and the request of a number.
    fn request(&self, number: usize) -> (&'a HostClass, Option<&'a RequestClass>) {
        let at = self.offsets.partition_point(|offset| *offset <= number).saturating_sub(1);
        let class = self.host(at);
        let first = self.offsets.get(at).copied().unwrap_or_default();
        (class, self.universe.requests_of(class).get(number - first))
    }

    /// Members one by one.
    fn each(&self, cell: &Cell, members: &BTreeSet<usize>) -> Named {
        let object = |member: usize| self.witness(&Cell { at: None, ..cell.clone() }, member).object().to_owned();
        members.iter().map(|member| (object(*member), vec![*member])).collect()
    }

    /// Hosts one by one.
    fn each_host(&self, members: &BTreeSet<usize>) -> Named {
        let name = |class: &HostClass| {
            let host = own_name(&class.host).unwrap_or_else(|| self.witness_host(class));
            text::connections(host, Some(class.port).filter(|_| !class.other_port))
        };
        members.iter().map(|member| (name(self.host(*member)), vec![*member])).collect()
    }

    fn witness_host(&self, class: &HostClass) -> String {
        match &class.host {
            Host::Name { name, .. } => name.clone(),
            Host::Address(address) => bracketed(*address),
            Host::AnyAddress => String::new(),
        }
    }

    /// Which member makes the better example: a name before an address, the usual port, the simplest.
    fn rank(&self, kind: Kind, member: usize) -> (bool, bool, usize) {
        let host = match kind {
            Kind::Hosts => Some(self.host(member)),
            Kind::Requests => Some(self.request(member).0),
            Kind::Folders | Kind::Addresses => None,
        };
        host.map_or((false, false, member), |class| (class.host == Host::AnyAddress, class.port != 443, member))
    }

    /// An address at which the change happens, where it does not happen at all of them.
    fn address(&self, at: &At) -> Option<&'a AddressClass> {
        let first = at.as_ref().and_then(|classes| classes.first())?;
        self.universe.addresses.get(*first).filter(|class| !class.hits.is_empty())
    }

    /// The clauses on an address at which the change happens.
    fn address_hits(&self, cell: &Cell, member: usize) -> &'a [Hit] {
        let class = match cell.kind {
            Kind::Hosts => Some(self.host(member)),
            Kind::Requests => Some(self.request(member).0),
            Kind::Folders | Kind::Addresses => return &[],
        };
        let own = class.and_then(|class| self.universe.own_address(class));
        let at = own.or_else(|| cell.at.as_ref().and_then(|classes| classes.first().copied())).unwrap_or_default();
        self.universe.addresses.get(at).map(|class| class.hits.as_slice()).unwrap_or_default()
    }

    fn witness(&self, cell: &Cell, member: usize) -> Witness {
        let address = self.address(&cell.at).map(|class| class.witness);
        match cell.kind {
            Kind::Folders => {
                let labels = self.universe.folders.get(member).map(|class| class.labels.as_slice());
                Witness::folder(cell.atom, labels.unwrap_or_default())
            }
            Kind::Hosts => Witness::host(cell.atom, self.host(member), None, address),
            Kind::Requests => {
                let (class, request) = self.request(member);
                Witness::host(cell.atom, class, request.map(|request| request.path.as_str()), address)
            }
            Kind::Addresses => {
                let (port, class) = self.of_any_address(member);
                // Where rules name the address itself, somebody else must have it.
                let alike = |other: &&HostClass| matches!(other.host, Host::Name { .. }) && other.hits == port.hits;
                match self.universe.hosts.iter().find(alike).filter(|_| class.named) {
                    Some(host) => Witness::host(cell.atom, host, None, Some(class.witness)),
                    None => Witness::address(cell.atom, class.witness, port.port),
                }
            }
        }
    }

    /// Everything that matches a member, for the action of the cell.
    fn hits(&self, cell: &Cell, member: usize) -> Vec<Hit> {
        let own: Vec<Hit> = match cell.kind {
            Kind::Folders => self.universe.folders.get(member).map(|class| class.hits.clone()).unwrap_or_default(),
            Kind::Hosts => self.host(member).hits.clone(),
            Kind::Requests => {
                let (class, request) = self.request(member);
                let connections = class.hits.iter().copied();
                let connections =
                    connections.filter(|hit| matches!(self.universe.clause(hit).target, Target::Network(_)));
                connections.chain(request.into_iter().flat_map(|request| request.hits.iter().copied())).collect()
            }
            Kind::Addresses => {
                let (port, class) = self.of_any_address(member);
                [port.hits.as_slice(), class.hits.as_slice()].concat()
            }
        };
        own.into_iter().chain(self.address_hits(cell, member).iter().copied()).collect()
    }

    /// Where the address must be for the change to happen.
    fn at(&self, at: &At) -> String {
        let Some(classes) = at else { return String::new() };
        let unmatched = |class: &usize| self.universe.addresses.get(*class).is_some_and(|class| class.hits.is_empty());
        let all = || 0..self.universe.addresses.len();
        let (word, set) = if classes.iter().any(unmatched) {
            (" except at ", all().filter(|class| !classes.contains(class)).collect())
        } else {
            (" at ", classes.as_ref().clone())
        };
        let name = |left: &BTreeSet<usize>| -> Named {
            let text = |class: &usize| self.universe.addresses.get(*class).map(|class| class.witness.to_string());
            left.iter().map(|class| (text(class).unwrap_or_default(), vec![*class])).collect()
        };
        let descriptions = self.blocks.describe(&set, &set, &|_| true, &name);
        let texts: Vec<String> = descriptions.into_iter().map(|description| description.text).collect();
        format!("{word}{}", texts.join(", "))
    }
}
