//! Names of hosts that no rule tells apart, of which one is compared for all.
//!
//! Threat feeds list tens of thousands of hosts. Two names below one domain that stand in the same
//! rules of both states have the same access, unless a pattern with a wildcard matches one of them
//! and not the other. A wildcard for a whole label matches both; so only names whose first label
//! some other pattern names or matches in part are left alone.
//!
//! Invariant: the comparison of the reduced states, with each representative's entries repeated for
//! the names that it represents, is the comparison of the whole states.

use crate::glob::Glob;
use crate::hash::{HashMap, HashSet};
use crate::host::{Destination, HOST_ALIAS, HostPattern, canonical_name};
use crate::model::{Body, Layer, Policy, Resources, Rule};
use crate::pattern::Token;

/// The number of wildcards for a part of a label above which it would take longer to try them all.
const MOST_GLOBS: usize = 64;

/// By representative: all names that it represents, itself included.
#[derive(Debug, Default)]
pub(super) struct AlikeHosts<'a>(HashMap<&'a str, Vec<&'a str>>);

/// Two states without the names that others represent.
pub(super) struct Reduced<'a> {
    pub(super) old: Vec<Policy>,
    pub(super) new: Vec<Policy>,
    pub(super) alike: AlikeHosts<'a>,
}

impl<'a> AlikeHosts<'a> {
    /// The representative that a pattern is about; `None` for any other pattern.
    pub(super) fn of_pattern(&self, text: &str) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let host = rest.split([':', '/']).next().unwrap_or_default();
        self.0.get_key_value(host).map(|(own, _)| *own)
    }

    /// The names that a representative represents, itself included.
    pub(super) fn names(&self, representative: &str) -> &[&'a str] {
        self.0.get(representative).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Both states without the names that others represent; `None` if there are no such names.
pub(super) fn reduce<'a>(old: &'a [Policy], new: &'a [Policy]) -> Option<Reduced<'a>> {
    let sets = memberships(old.iter().chain(new).flat_map(Policy::rules));
    let mut known: HashSet<(&str, u32)> = HashSet::default();
    // Reading the other patterns takes longer than this.
    if sets.iter().all(|(host, set)| known.insert((domain(host), *set))) {
        return None;
    }
    let others = Others::new(old.iter().chain(new).flat_map(Policy::rules));
    if others.globs.len() > MOST_GLOBS {
        return None;
    }
    let mut groups: HashMap<(&'a str, u32), Vec<&'a str>> = HashMap::default();
    sets.into_iter().filter(|(host, _)| !others.tell_apart(host)).for_each(|(host, set)| {
        groups.entry((domain(host), set)).or_default().push(host);
    });
    let mut left_out: HashSet<&str> = HashSet::default();
    let mut alike = AlikeHosts::default();
    groups.into_values().filter(|names| names.len() > 1).for_each(|mut names| {
        // The first in the order in which classes are found, so that the same examples are chosen.
        names.sort_unstable();
        names.shrink_to_fit();
        left_out.extend(names.iter().skip(1));
        alike.0.extend(names.first().copied().map(|first| (first, names)));
    });
    if left_out.is_empty() {
        return None;
    }
    let without = |policies: &[Policy]| {
        policies.iter().map(|policy| policy_without(policy, &left_out)).collect()
    };
    Some(Reduced { old: without(old), new: without(new), alike })
}

/// For each plainly written name, the number of the set of rules and ports that it stands in.
fn memberships<'a>(rules: impl Iterator<Item = &'a Rule>) -> HashMap<&'a str, u32> {
    let mut numbers: HashMap<(u32, u32, Option<u16>), u32> = HashMap::default();
    let mut sets: HashMap<&str, u32> = HashMap::default();
    for (number, rule) in (0..).zip(rules) {
        for (host, port) in plain(rule).filter_map(|resource| exact(resource)) {
            let set = sets.entry(host).or_default();
            let next = u32::try_from(numbers.len() + 1).expect("fewer sets than bytes of policies");
            *set = *numbers.entry((*set, number, port)).or_insert(next);
        }
    }
    sets
}

/// The resources of a rule that are about hosts.
fn plain(rule: &Rule) -> impl Iterator<Item = &String> {
    let (layer, Resources::Plain(resources)) = (rule.layer(), &rule.resources) else {
        return [].iter();
    };
    if layer == Some(Layer::Network) { resources.iter() } else { [].iter() }
}

/// The host and the port of a resource, if it is a name that others may represent.
fn exact(resource: &str) -> Option<(&str, Option<u16>)> {
    canonical_name(resource).filter(|(host, _)| *host != HOST_ALIAS)
}

/// Everything after the first label.
fn domain(host: &str) -> &str {
    host.split_once('.').map_or("", |(_, domain)| domain)
}

/// The labels and wildcards of all other patterns, which distinguish hosts too.
struct Others {
    labels: HashSet<String>,
    globs: Vec<Glob>,
}

impl Others {
    fn new<'a>(rules: impl Iterator<Item = &'a Rule>) -> Self {
        let mut others = Self { labels: HashSet::default(), globs: Vec::new() };
        for rule in rules.filter(|rule| rule.layer() != Some(Layer::Filesystem)) {
            let is_plain = rule.layer() == Some(Layer::Network);
            match &rule.resources {
                Resources::Plain(resources) => resources
                    .iter()
                    .filter(|resource| !is_plain || exact(resource).is_none())
                    .for_each(|resource| others.add(Destination::parse(resource))),
                Resources::Http(targets) => {
                    targets.iter().for_each(|target| {
                        others.add(Destination::http(&target.host, target.port))
                    });
                }
            }
        }
        others.globs.sort();
        others.globs.dedup();
        others
    }

    fn add(&mut self, destination: Destination) {
        let HostPattern::Names(names) = destination.host else { return };
        for token in names.tokens {
            match token {
                Token::Literal(label) => drop(self.labels.insert(label)),
                Token::Glob(glob) => self.globs.push(*glob),
                Token::One | Token::Deep => {}
            }
        }
    }

    fn tell_apart(&self, host: &str) -> bool {
        let first = host.split('.').next().unwrap_or_default();
        self.labels.contains(first) || self.globs.iter().any(|glob| glob.matches(first))
    }
}

fn policy_without(policy: &Policy, left_out: &HashSet<&str>) -> Policy {
    let Policy { name, scope, body } = policy;
    let body = match body {
        Body::Allowlist(rules) => {
            Body::Allowlist(rules.iter().map(|rule| rule_without(rule, left_out)).collect())
        }
        Body::Cedar(cedar) => Body::Cedar(cedar.clone()),
    };
    Policy { name: name.clone(), scope: scope.clone(), body }
}

fn rule_without(rule: &Rule, left_out: &HashSet<&str>) -> Rule {
    let Rule { name, decision, actions, resources } = rule;
    let resources = match resources {
        Resources::Plain(all) if rule.layer() == Some(Layer::Network) => {
            let stays = |resource: &&String| {
                exact(resource).is_none_or(|(host, _)| !left_out.contains(host))
            };
            Resources::Plain(all.iter().filter(stays).cloned().collect())
        }
        Resources::Plain(_) | Resources::Http(_) => resources.clone(),
    };
    Rule { name: name.clone(), decision: *decision, actions: actions.clone(), resources }
}
