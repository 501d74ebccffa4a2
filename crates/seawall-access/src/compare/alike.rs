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
use crate::model::{Layer, Policy, Resources, Rule};
use crate::parallel;
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
    let Names { list, places } = Names::new(old.iter().chain(new).flat_map(Policy::rules));
    let mut known: HashSet<(&str, u32)> = HashSet::default();
    // Reading the other patterns takes longer than this.
    if list.iter().all(|(host, set)| known.insert((domain(host), *set))) {
        return None;
    }
    let others = Others::new(old.iter().chain(new).flat_map(Policy::rules));
    if others.globs.len() > MOST_GLOBS {
        return None;
    }
    let mut groups: HashMap<(&'a str, u32), Vec<u32>> = HashMap::default();
    for (at, (host, set)) in (0..).zip(&list) {
        if !others.tell_apart(host) {
            groups.entry((domain(host), *set)).or_default().push(at);
        }
    }
    let groups: Vec<Vec<u32>> = groups.into_values().filter(|group| group.len() > 1).collect();
    if groups.is_empty() {
        return None;
    }
    let name = |at: u32| list.get(at as usize).map_or("", |(host, _)| *host);
    // The first in the order in which classes are found, so that the same examples are chosen.
    let groups = parallel::map(groups, 2, |mut group| {
        group.sort_unstable_by_key(|at| name(*at));
        group
    });
    let mut stays = vec![true; list.len()];
    for at in groups.iter().flat_map(|group| group.iter().skip(1)) {
        stays.iter_mut().skip(*at as usize).take(1).for_each(|stays| *stays = false);
    }
    let names = groups.iter().map(|group| group.iter().map(|at| name(*at)).collect::<Vec<_>>());
    let alike = names.filter_map(|names| Some((*names.first()?, names))).collect();
    let stays = |place: u32| stays.get(place as usize).copied().unwrap_or(true);
    let mut places = places.iter().map(|place| stays(*place));
    let [old, new] = [old, new].map(|policies| {
        let mut stays = |layer, _: &str| layer != Layer::Network || places.next().unwrap_or(true);
        policies.iter().map(|policy| policy.with_resources(&mut stays)).collect()
    });
    Some(Reduced { old, new, alike: AlikeHosts(alike) })
}

/// The plainly written names in rules.
struct Names<'a> {
    /// Each name with the number of the set of rules and ports that it stands in.
    list: Vec<(&'a str, u32)>,
    /// The resources about hosts, in order: the position of the name, or [`NO_NAME`].
    places: Vec<u32>,
}

/// The place of a resource that is not a plainly written name.
const NO_NAME: u32 = u32::MAX;

impl<'a> Names<'a> {
    fn new(rules: impl Iterator<Item = &'a Rule> + Clone) -> Self {
        let count = rules.clone().map(|rule| plain(rule).len()).sum();
        let mut names = Self { list: Vec::new(), places: Vec::with_capacity(count) };
        let mut numbers: HashMap<(u32, u32, Option<u16>), u32> = HashMap::default();
        let mut known: HashMap<&str, u32> = HashMap::default();
        // Most names are in both states.
        known.reserve(count.div_ceil(2));
        for (number, rule) in (0..).zip(rules) {
            for resource in plain(rule) {
                let Some((host, port)) = exact(resource) else {
                    names.places.push(NO_NAME);
                    continue;
                };
                let at = *known.entry(host).or_insert_with(|| {
                    names.list.push((host, 0));
                    u32::try_from(names.list.len() - 1).expect("fewer names than bytes of policies")
                });
                names.places.push(at);
                if let Some((_, set)) = names.list.get_mut(at as usize) {
                    let next = u32::try_from(numbers.len() + 1)
                        .expect("fewer sets than bytes of policies");
                    *set = *numbers.entry((*set, number, port)).or_insert(next);
                }
            }
        }
        names
    }
}

/// The resources of a rule that are about hosts.
fn plain(rule: &Rule) -> &[String] {
    match &rule.resources {
        Resources::Plain(resources) if rule.layer() == Some(Layer::Network) => resources,
        Resources::Plain(_) | Resources::Http(_) => &[],
    }
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
