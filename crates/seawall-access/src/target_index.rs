//! An index of targets that finds overlaps: targets that may match a request that an indexed target
//! matches.
//!
//! Invariant: `false` from [`TargetIndex::meets`] is certain. Clauses that do not overlap a change
//! therefore do not affect its meaning, and leaving them out changes no answer.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::clause::{Clause, RuleClauses, Target, clauses};
use super::host::{Destination, HOST_ALIAS, HostPattern, LOCAL_HOST, canonical_name, labels};
use super::pattern::{Sequence, Token};
use super::trie::{Case, Trie};
use super::unknowns::Unknowns;
use crate::model::{Resources, Rule};
use crate::parallel;

/// The number of rules below which one thread is faster.
pub(super) const RULES_A_THREAD: usize = 1_000;
/// The number of nodes of a trie that are looked at for a name before its pattern is read.
const MOST_NODES: usize = 64;

/// Targets, each with a number.
#[derive(Debug)]
pub(super) struct TargetIndex {
    names: Trie,
    folders: Trie,
    literals: BTreeMap<IpAddr, Vec<u32>>,
    blocks: BTreeMap<IpNet, Vec<u32>>,
    has_names: bool,
    /// True if patterns of names meet blocks: whatever its name, a host may have an address.
    names_meet_blocks: bool,
    /// The numbers of patterns of names that match every host, addresses included.
    taking_addresses: Vec<u32>,
}

impl TargetIndex {
    pub(super) fn new<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Self {
        let mut index = Self {
            names: Trie::new(Case::Folded),
            folders: Trie::new(Case::Unknown),
            literals: BTreeMap::new(),
            blocks: BTreeMap::new(),
            has_names: false,
            names_meet_blocks: true,
            taking_addresses: Vec::new(),
        };
        targets.into_iter().zip(0..).for_each(|(target, number)| index.insert(target, number));
        index
    }

    /// The same if a name that is restricted does not meet a block by itself.
    fn with_blocks_apart(self) -> Self {
        Self { names_meet_blocks: false, ..self }
    }

    pub(super) fn insert(&mut self, target: &Target, number: u32) {
        match target {
            Target::Folder(folder) => self.folders.insert(folder, Unknowns::NONE, number),
            Target::Network(Destination { host, .. })
            | Target::Http(Destination { host, .. }, _) => match host {
                HostPattern::Names(names) => {
                    self.names.insert(names, Unknowns::NONE, number);
                    // A request for one may be decided as one for the other.
                    for (own, other) in [(HOST_ALIAS, LOCAL_HOST), (LOCAL_HOST, HOST_ALIAS)] {
                        if may_be(names, own) {
                            let tokens =
                                labels(other).into_iter().rev().map(Token::Literal).collect();
                            let other =
                                Sequence { tokens, unknowns: Unknowns::NONE, bare: Unknowns::NONE };
                            self.names.insert(&other, Unknowns::NONE, number);
                        }
                    }
                    self.has_names = true;
                    self.taking_addresses.extend(takes_addresses(names).then_some(number));
                }
                HostPattern::Address(address) => {
                    self.literals.entry(*address).or_default().push(number)
                }
                HostPattern::Cidr(block) => self.blocks.entry(*block).or_default().push(number),
            },
        }
    }

    /// Returns `true` if a request may match both the target and an indexed one. Ports and paths
    /// are ignored: a host represents all its requests.
    pub(super) fn meets(&self, target: &Target) -> bool {
        let crosses = !self.blocks.is_empty()
            && target.names().is_some_and(|own| self.names_meet_blocks || takes_addresses(own))
            || matches!(target.host(), Some(HostPattern::Cidr(_))) && self.has_names;
        crosses || self.meets_alike(target, |_| true)
    }

    /// The clauses of a rule that meet an indexed target.
    pub(super) fn near(&self, rule: &Rule, group: usize) -> Vec<Clause> {
        let mut near = self.maybe_near(rule, group);
        near.retain(|clause| self.meets(&clause.target));
        near
    }

    /// The same, with some that meet none: those whose texts do not say so.
    pub(super) fn maybe_near(&self, rule: &Rule, group: usize) -> Vec<Clause> {
        let of = RuleClauses::new(rule, group);
        match &rule.resources {
            Resources::Plain(resources) => {
                let is_of_hosts = of.connections().is_some();
                let may_meet = |resource: &&String| !is_of_hosts || self.may_meet(resource);
                resources.iter().filter(may_meet).flat_map(|own| of.plain(own)).collect()
            }
            Resources::Http(targets) => targets.iter().flat_map(|own| of.http(own)).collect(),
        }
    }

    /// Returns `false` if a `connect:*` resource certainly meets no indexed target. It says so of
    /// most resources of large policies without reading them.
    fn may_meet(&self, resource: &str) -> bool {
        let below = resource.strip_prefix("**.").or_else(|| resource.strip_prefix("*."));
        let Some((host, _)) = canonical_name(below.unwrap_or(resource)) else { return true };
        if self.names_meet_blocks && !self.blocks.is_empty() {
            return true;
        }
        let mut state = self.names.start();
        for label in host.rsplit('.') {
            state = self.names.step(&state, label);
            if state.is_empty() || state.len() > MOST_NODES {
                return !state.is_empty();
            }
        }
        // Below a wildcard, further labels may lead to a match.
        below.is_some()
            || state.iter().any(|(node, _)| !self.names.edges(*node).accepts.as_slice().is_empty())
    }

    /// Returns `true` if `is_met` takes any of these that may match a request that the target
    /// matches, patterns of names beside blocks aside.
    pub(super) fn meets_alike(&self, target: &Target, mut is_met: impl FnMut(u32) -> bool) -> bool {
        match target {
            Target::Folder(folder) => self.folders.meets(folder, is_met),
            Target::Network(Destination { host, .. })
            | Target::Http(Destination { host, .. }, _) => match host {
                HostPattern::Names(names) => {
                    takes_addresses(names)
                        && self.literals.values().flatten().any(|number| is_met(*number))
                        || self.has_names && self.names.meets(names, is_met)
                }
                HostPattern::Address(address) => {
                    let own = self.literals.get(address).into_iter();
                    let around =
                        surrounding(IpNet::from(*address)).filter_map(|net| self.blocks.get(&net));
                    let mut met = own.chain(around).chain([&self.taking_addresses]).flatten();
                    met.any(|number| is_met(*number))
                }
                HostPattern::Cidr(block) => {
                    let around = surrounding(*block).filter_map(|net| self.blocks.get(&net));
                    let inside = self.blocks.range(*block..=IpNet::from(block.broadcast()));
                    let inside = inside
                        .filter(|(net, _)| *net != block && block.contains(*net))
                        .map(|(_, all)| all);
                    let literals = self
                        .literals
                        .range(block.network()..=block.broadcast())
                        .map(|(_, all)| all);
                    let mut met = around.chain(inside).chain(literals).flatten();
                    met.any(|number| is_met(*number))
                }
            },
        }
    }
}

/// The block and all that hold it.
pub(super) fn surrounding(block: IpNet) -> impl Iterator<Item = IpNet> {
    (0..=block.prefix_len())
        .filter_map(move |length| IpNet::new(block.network(), length).ok())
        .map(|net| net.trunc())
}

/// The clauses that are of such a group, or that meet one, in the order of the rules: all that
/// [`Universe::points_about`](crate::Universe::points_about) these groups need.
///
/// A host that no rule names stands for all names at an address, except for HTTP requests.
pub(super) fn around(
    rules: Vec<(&Rule, usize)>,
    about: impl Fn(usize) -> bool + Sync,
) -> Vec<Clause> {
    let of_it = rules.iter().copied().filter(|(_, group)| about(*group)).collect();
    let of_it: Vec<Vec<Clause>> =
        parallel::map(of_it, RULES_A_THREAD, |(rule, group)| clauses(rule, group));
    let target_index = TargetIndex::new(of_it.iter().flatten().map(|clause| &clause.target));
    let is_http = |(rule, _): &(&Rule, usize)| matches!(rule.resources, Resources::Http(_));
    let target_index = match rules.iter().any(is_http) {
        true => target_index,
        false => target_index.with_blocks_apart(),
    };
    let mut of_it = of_it.into_iter();
    let all = rules
        .into_iter()
        .map(|(rule, group)| (rule, group, about(group).then(|| of_it.next()).flatten()));
    let all = parallel::map(all.collect(), RULES_A_THREAD, |(rule, group, own)| match own {
        Some(own) => own,
        None => target_index.near(rule, group),
    });
    all.into_iter().flatten().collect()
}

/// Returns `true` if a pattern of names may match this one.
fn may_be(names: &Sequence, name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    if matches!(names.tokens.first(), Some(Token::Literal(own)) if own != last) {
        return false;
    }
    let mut trie = Trie::new(Case::Folded);
    trie.insert(names, Unknowns::NONE, 0);
    let state =
        labels(name).iter().rev().fold(trie.start(), |state, label| trie.step(&state, label));
    !trie.hits(&state).is_empty()
}

/// Returns `true` if a pattern of names may match an address that is requested directly: it
/// restricts no label.
fn takes_addresses(names: &Sequence) -> bool {
    !names.tokens.iter().any(|token| matches!(token, Token::Literal(_)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::collections::BTreeSet;

    use super::*;
    use crate::classes::Spelling;
    use crate::clause::clauses;
    use crate::essential::{Part, Wanted, Why};
    use crate::model::{Action, Decision, HttpResource, Resources, Rule};
    use crate::path::folder_segments;
    use crate::universe::{Index, Universe};

    fn rule(action: &Action, resource: &str) -> Rule {
        let resources = Resources::Plain(vec![resource.to_owned()].into());
        Rule {
            name: "r".into(),
            decision: Decision::Allow,
            actions: vec![action.clone()],
            resources,
        }
    }

    fn clause(action: &Action, resource: &str) -> Clause {
        clauses(&rule(action, resource), 0).remove(0)
    }

    /// Returns `true` if both match a common request.
    fn share(one: &Clause, other: &Clause, requests: &[Vec<String>], folders: bool) -> bool {
        let [one, other] = [one, other].map(|clause| Index::new(std::slice::from_ref(clause)));
        let matches = |index: &Index, labels: &[String]| match folders {
            true => !index.hits_of_folder(labels).is_empty(),
            false => !index.hits_of_name(labels).is_empty(),
        };
        requests.iter().any(|labels| matches(&one, labels) && matches(&other, labels))
    }

    fn joined(parts: &[&str], separator: &str, most: usize) -> Vec<String> {
        let mut all = vec![vec![]];
        let mut texts = Vec::new();
        for _ in 0..most {
            all = all
                .iter()
                .flat_map(|start: &Vec<&str>| {
                    parts.iter().map(|part| [start.as_slice(), &[*part]].concat())
                })
                .collect();
            texts.extend(all.iter().map(|parts| parts.join(separator)));
        }
        texts
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn what_shares_a_request_meets(seed in 0..u64::MAX) {
            let mut random = fastrand::Rng::with_seed(seed);
            let hosts = joined(&["a", "b", "*", "**", "a*"], ".", 3);
            let names: Vec<Vec<String>> = joined(&["a", "b", "ab", "c"], ".", 4).iter().map(|host| labels(host)).collect();
            let formats = ["/", "~/", "C:\\", "*:\\"];
            let inner = joined(&["a", "A", "home", "Users", "root", "*", "**"], "/", 3);
            let folders: Vec<String> = formats
                .iter()
                .flat_map(|format| inner.iter().map(move |rest| format!("{format}{rest}")))
                .map(|path| if path.contains(':') { path.replace('/', "\\") } else { path })
                .chain(["**".to_owned(), "/".to_owned(), "~".to_owned()])
                .collect();
            let asked = joined(&["a", "home", "Users", "root", "u"], "/", 3);
            let asked: Vec<Vec<String>> = ["/", "~/", "C:\\"]
                .iter()
                .flat_map(|format| asked.iter().map(move |rest| format!("{format}{rest}")))
                .map(|path| if path.contains(':') { path.replace('/', "\\") } else { path })
                .filter_map(|path| folder_segments(&path))
                .collect();
            for (action, resources, requests) in
                [(Action::ConnectTcp, &hosts, &names), (Action::Read, &folders, &asked)]
            {
                let mut any = || resources[random.usize(..resources.len())].as_str();
                let (one, resource) = (clause(&action, any()), any());
                let other = clause(&action, resource);
                let target_index = TargetIndex::new([&one.target]);
                prop_assert!(target_index.meets(&one.target));
                // A text that says so is not read, and nothing else is left out.
                let near = target_index.near(&rule(&action, resource), 0);
                prop_assert_eq!(!near.is_empty(), target_index.meets(&other.target), "{} and {}", one.target, resource);
                if share(&one, &other, requests, action == Action::Read) {
                    prop_assert!(target_index.meets(&other.target), "{} and {}", one.target, other.target);
                }
            }
        }
    }

    /// A rule on one of a few names and blocks, or on requests.
    fn any_rule(random: &mut fastrand::Rng, with_http: bool) -> Rule {
        const PLAIN: [&str; 12] = [
            "a.example.com",
            "b.example.com:8443",
            "*.example.com",
            "**.example.com:443",
            "**",
            "*",
            "a*.example.com",
            "localhost",
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.3",
            "::/0",
        ];
        let action = if random.bool() { Action::ConnectTcp } else { Action::ConnectUdp };
        let decision = if random.bool() { Decision::Allow } else { Decision::Deny };
        if with_http && random.u8(..3) == 0 {
            let host = ["a.example.com", "**.example.com"][random.usize(..2)].to_owned();
            let target = HttpResource { host, port: Some(443), path: "/a/**".to_owned() };
            let resources = Resources::Http(vec![target]);
            return Rule {
                decision,
                actions: vec![Action::Request("get")],
                resources,
                ..rule(&action, "")
            };
        }
        Rule { decision, ..rule(&action, PLAIN[random.usize(..PLAIN.len())]) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn the_clauses_around_a_change_have_all_its_points(seed in 0..u64::MAX) {
            let mut random = fastrand::Rng::with_seed(seed);
            let with_http = random.bool();
            let rules: Vec<Rule> = (0..random.usize(2..7)).map(|_| any_rule(&mut random, with_http)).collect();
            let changing: BTreeSet<usize> = (0..rules.len()).filter(|_| random.u8(..3) == 0).collect();
            let about = |group: usize| changing.contains(&group);
            let ends = |group: usize| if about(group) { [true, false] } else { [true; 2] };
            let part = |group: usize| {
                let [old, new] = ends(group);
                Part { old, new, changes: about(group) }
            };
            let wanted = Wanted::new(Why::Change { part: &part, between: true });
            let all = rules.iter().zip(0..).flat_map(|(rule, group)| clauses(rule, group)).collect();
            let (whole, cuts) = Universe::divide(all, Spelling::Written, &wanted);
            prop_assert!(cuts.is_empty());
            let few = Universe::build_about(rules.iter().zip(0..), about, ends).unwrap();
            let [whole, few] = [whole, few].map(|universe| universe.points_about(about));
            prop_assert!(whole.keys().eq(few.keys()), "{:?} of {:?}", changing, rules);
        }
    }

    #[test]
    fn what_cannot_meet_is_left_out() {
        let target_index = |resources: &[&str]| {
            let clauses: Vec<Clause> =
                resources.iter().map(|one| clause(&Action::ConnectTcp, one)).collect();
            TargetIndex::new(clauses.iter().map(|clause| &clause.target))
        };
        let meets = |target_index: &TargetIndex, resource: &str| {
            target_index.meets(&clause(&Action::ConnectTcp, resource).target)
        };
        for (changed, other, expected) in [
            ("a.example.com", "a.example.com:443", true),
            ("a.example.com", "**.example.com", true),
            ("a.example.com", "*.com", false),
            ("a.example.com", "b.example.com", false),
            ("**.example.com", "**.a.example.com", true),
            ("**.example.com", "**.example.org", false),
            // Whatever its name is, a host may have the address.
            ("a.example.com", "10.0.0.0/8", true),
            ("10.0.0.0/8", "a.example.com", true),
            ("10.0.0.1", "10.0.0.0/8", true),
            ("10.0.0.0/8", "10.0.0.1", true),
            ("10.0.0.1", "11.0.0.0/8", false),
            ("10.0.0.0/8", "10.0.0.0/16", true),
            ("10.0.0.0/16", "10.0.0.0/8", true),
            ("10.1.0.0/16", "10.2.0.0/16", false),
            ("::/0", "10.0.0.0/8", false),
            // An address that is asked for by itself has no name.
            ("a.example.com", "10.0.0.1", false),
            ("10.0.0.1", "a.example.com", false),
            ("10.0.0.1", "**", true),
            ("**", "10.0.0.1", true),
        ] {
            assert_eq!(meets(&target_index(&[changed]), other), expected, "{changed} and {other}");
            let near = target_index(&[changed]).near(&rule(&Action::ConnectTcp, other), 0);
            assert_eq!(!near.is_empty(), expected, "{changed} and {other}");
        }
    }
}
