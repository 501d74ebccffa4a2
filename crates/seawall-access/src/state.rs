//! The policies of one state, prepared for questions, and requests as points of them.

use std::collections::BTreeSet;

use crate::address::{self, AddressClass, address_classes};
use crate::atom::Atom;
use crate::cedar::{McpAction, McpPolicies};
use crate::clause::{Actions, Clause, Target, clauses};
use crate::host::{HOST_ALIAS, canonical_name};
use crate::host_paths::HostPaths;
use crate::model::{Decision, Domain, Layer, Policy};
use crate::point::{Match, Point, Role};
use crate::question::{MatchedPoint, Part, Question};
use crate::ranges::Known;
use crate::request::{Host, Request, request_path};
use crate::trie::Hit;
use crate::universe::Index;
use crate::unknowns::Unknown;

/// The policies of one state, prepared for questions.
#[derive(Debug)]
pub struct State<'a> {
    pub(super) policies: &'a [Policy],
    /// The policy and the rule of each group.
    pub(super) rules: Vec<(usize, usize)>,
    pub(super) clauses: Vec<Clause>,
    pub(super) index: Index,
    /// The classes of addresses that the blocks distinguish.
    pub(super) addresses: Vec<AddressClass>,
    mcp: McpPolicies,
    pub(super) paths: HostPaths,
}

/// The policies without the resources that plainly match none of these requests: names and domains
/// of hosts, and folders. A state of them answers the requests alike, whatever the size of the
/// lists that were left out.
#[must_use]
pub fn policies_about(policies: &[Policy], requests: &[Request]) -> Vec<Policy> {
    let host = |request: &Request| match request {
        Request::Connect { host: Host::Name(labels, _), .. }
        | Request::Http { host: Host::Name(labels, _), .. } => Some(labels.join(".")),
        Request::Connect { .. }
        | Request::Http { .. }
        | Request::Folder { .. }
        | Request::Mcp(_) => None,
    };
    let hosts: BTreeSet<String> = requests.iter().filter_map(host).collect();
    let hosts: BTreeSet<&str> =
        hosts.iter().map(String::as_str).chain(std::iter::once(HOST_ALIAS)).collect();
    let domains: BTreeSet<&str> = hosts.iter().flat_map(|host| with_domains(host)).collect();
    let is_folder = |request: &Request| matches!(request, Request::Folder { .. });
    let folders = requests.iter().any(is_folder);
    let matters = |layer, resource: &str| {
        let below = resource.strip_prefix("**.").or_else(|| resource.strip_prefix("*."));
        let known = if below.is_some() { &domains } else { &hosts };
        match layer {
            Layer::Filesystem => folders,
            Layer::Network | Layer::Http => canonical_name(below.unwrap_or(resource))
                .is_none_or(|(host, _)| known.contains(host)),
        }
    };
    policies.iter().map(|policy| policy.with_resources(matters)).collect()
}

/// A host and all domains that it belongs to.
fn with_domains(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(host), |own| Some(own.split_once('.')?.1))
}

impl<'a> State<'a> {
    /// Prepares policies.
    #[must_use]
    pub fn new(policies: &'a [Policy]) -> Self {
        let mut rules = Vec::new();
        let mut all = Vec::new();
        for (at, policy) in policies.iter().enumerate() {
            for (number, rule) in policy.rules().iter().enumerate() {
                all.extend(clauses(rule, rules.len()));
                rules.push((at, number));
            }
        }
        let index = Index::new(&all);
        let addresses = address_classes(&index.blocks, &BTreeSet::new());
        Self {
            policies,
            rules,
            index,
            addresses,
            clauses: all,
            mcp: McpPolicies::new(policies),
            paths: HostPaths::default(),
        }
    }

    /// The request as points, whose groups are the rules in the order of the policies. MCP requests
    /// have none.
    #[must_use]
    pub fn question(&self, request: &Request) -> Question {
        let parts = match request {
            Request::Mcp(_) => Vec::new(),
            Request::Folder { read, write, segments } => {
                let hits = self.index.hits_of_folder(segments);
                let atoms = [(*read, Atom::Read), (*write, Atom::Write)];
                let wanted = atoms.into_iter().filter(|(wanted, _)| *wanted);
                wanted.map(|(_, atom)| Part::single(self.place(atom, &hits, &[], &[]))).collect()
            }
            Request::Connect { udp, host, port } => {
                let atom = if *udp { Atom::Udp } else { Atom::Tcp };
                vec![self.at_addresses(atom, host, &self.host_hits(host, *port), &[])]
            }
            Request::Http { method, host, port, path } => {
                let hits = self.host_hits(host, *port);
                let requests = self.request_hits(&hits, path);
                vec![self.at_addresses(Atom::Http(method), host, &hits, &requests)]
            }
        };
        Question { parts }
    }

    /// Returns `true` if a policy of the domain exists. Otherwise nothing is known about the domain
    /// ([`Unknown::NoPolicy`]).
    #[must_use]
    pub fn is_governed(&self, domain: Domain) -> bool {
        self.policies.iter().any(|policy| policy.domain() == Some(domain))
    }

    /// The statements about an MCP action, by policy and number; and whether each matches every
    /// request of the action.
    #[must_use]
    pub fn mcp_statements_about(&self, action: McpAction) -> Vec<((usize, usize), bool)> {
        self.mcp.statements_about(action)
    }

    /// The MCP policies.
    pub(super) fn mcp(&self) -> &McpPolicies {
        &self.mcp
    }

    /// The policies.
    #[must_use]
    pub fn policies(&self) -> &'a [Policy] {
        self.policies
    }

    /// The rules in order: the indexes of policy and rule of each.
    #[must_use]
    pub fn rules(&self) -> &[(usize, usize)] {
        &self.rules
    }

    /// Returns `true` if a rule is in force for a member of exactly these teams.
    #[must_use]
    pub fn governs(&self, group: usize, teams: &BTreeSet<String>) -> bool {
        let policy = self.rules.get(group).and_then(|(policy, _)| self.policies.get(*policy));
        policy.is_some_and(|policy| policy.scope.governs(teams))
    }

    /// The domain of a rule, by its index in [`State::rules`].
    #[must_use]
    pub fn domain_of(&self, rule: usize) -> Option<Domain> {
        let (policy, rule) = self.rules.get(rule)?;
        self.policies.get(*policy)?.rules().get(*rule)?.domain()
    }

    pub(super) fn host_hits(&self, host: &Host, port: u16) -> Vec<Hit> {
        let mut hits = match host {
            Host::Name(labels, _) => self.index.hits_of_name(labels),
            Host::Address(address) => self.index.hits_of_address(*address),
        };
        hits.retain(|hit| self.clause(hit).target.port().is_none_or(|own| own == port));
        hits
    }

    /// The clauses on a request to a host that these clauses match.
    pub(super) fn request_hits(&self, of_host: &[Hit], path: &str) -> Vec<Hit> {
        let (canonical, segments) = request_path(path);
        let is_http = |hit: &&Hit| matches!(self.clause(hit).target, Target::Http(..));
        let of_requests: Vec<Hit> = of_host.iter().filter(is_http).copied().collect();
        if of_requests.is_empty() {
            return Vec::new();
        }
        let paths = self.paths.of(&of_requests, |hit| self.clause(hit));
        let mut hits = paths
            .hits(&segments.iter().fold(paths.start(), |state, label| paths.step(&state, label)));
        if !canonical {
            for hit in &mut hits {
                if self.clause(hit).decision == Decision::Allow {
                    hit.unknowns = hit.unknowns.union(Unknown::RequestForm.into());
                }
            }
        }
        hits
    }

    fn at_addresses(&self, atom: Atom, host: &Host, hits: &[Hit], requests: &[Hit]) -> Part {
        match host {
            Host::Address(address) | Host::Name(_, Some(address)) => {
                let blocks = address::hits(&self.index.blocks, *address);
                Part::single(self.place(atom, hits, &blocks, requests))
            }
            Host::Name(labels, None) => {
                let place = |class: &AddressClass| {
                    let blocks =
                        class.hits.iter().filter_map(|hit| self.clause(hit).target.block());
                    (
                        blocks.max_by_key(ipnet::IpNet::prefix_len),
                        self.place(atom, hits, &class.hits, requests),
                    )
                };
                Part::at_addresses(
                    Known::from_name(&labels.join(".")),
                    self.addresses.iter().map(place),
                )
            }
        }
    }

    /// A point from the clauses that match its host or folder, its address and its request.
    pub(super) fn place(
        &self,
        atom: Atom,
        own: &[Hit],
        blocks: &[Hit],
        requests: &[Hit],
    ) -> MatchedPoint {
        let action = Actions::needed(atom);
        let roles: &[(&[Hit], Actions, Role)] = match atom {
            Atom::Read | Atom::Write => &[(own, action, Role::Folder)],
            Atom::Udp => &[(own, Actions::UDP, Role::Name), (blocks, Actions::UDP, Role::Address)],
            Atom::Tcp => &[
                (own, Actions::TCP, Role::Name),
                (own, Actions::HTTP, Role::Cover),
                (blocks, Actions::TCP, Role::Address),
            ],
            Atom::Http(method) => &[
                (own, Actions::TCP, Role::Name),
                (blocks, Actions::TCP, Role::Address),
                (requests, Actions::method(method), Role::Http),
            ],
        };
        let mut found: Vec<(Match, u32)> = Vec::new();
        for (hits, action, role) in roles {
            let matches = hits.iter().map(|hit| {
                (Match::new(self.clause(hit), hit.unknowns, *action, *role), hit.clause)
            });
            found.extend(matches.filter_map(|(found, clause)| Some((found?, clause))));
        }
        let as_blocks: Vec<(Match, u32)> =
            found.iter().filter_map(|(found, clause)| Some((found.as_block()?, *clause))).collect();
        found.extend(as_blocks);
        MatchedPoint {
            point: Point::new(atom, found.iter().map(|(found, _)| *found).collect()),
            found,
        }
    }

    pub(super) fn clause(&self, hit: &Hit) -> &Clause {
        self.clauses.get(hit.clause as usize).expect("hits are of these clauses")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{State, policies_about};
    use crate::model::Resources;
    use crate::request::Request;

    #[test]
    fn the_names_that_requests_are_about_answer_them() {
        let policies = crate::compare::tests::policies(
            "org: allow connect:tcp **\n\
             org: deny connect:tcp a.example.com b.example.com:443 host.docker.internal 10.1.2.3\n\
             org: deny connect:tcp c.example.com d.example.com\n\
             org: allow connect:tcp **.b.example.com *.example.org:443\n\
             org: deny connect:tcp *.docker.internal",
        );
        for (text, left) in [
            ("connect:tcp a.example.com:443", 5),
            ("connect:tcp b.example.com:443", 6),
            ("connect:tcp b.example.com:80", 6),
            ("connect:tcp x.b.example.com:443", 5),
            ("connect:tcp xb.example.com:443", 4),
            ("connect:tcp www.example.com:443", 4),
            ("connect:tcp www.example.org:443", 5),
            ("connect:tcp a.www.example.org:443", 5),
            ("connect:tcp localhost:443", 4),
            ("connect:tcp host.docker.internal:443", 4),
            ("connect:tcp 10.1.2.3:443", 4),
        ] {
            let request = Request::parse(text).unwrap();
            let about = policies_about(&policies, std::slice::from_ref(&request));
            let [all, few] = [&policies, &about]
                .map(|policies| State::new(policies).ask(&BTreeSet::new(), &request).verdict);
            assert_eq!(all, few, "{text}");
            let rules = about.iter().flat_map(|policy| policy.rules());
            let kept = rules.map(|rule| match &rule.resources {
                Resources::Plain(all) => all.len(),
                Resources::Http(all) => all.len(),
            });
            assert_eq!(kept.sum::<usize>(), left, "{text}");
        }
    }
}
