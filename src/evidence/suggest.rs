//! The narrowest rules for requests that were denied because no rule matched.
//!
//! Invariant: nothing is suggested that a deny covers, and each request that is left out has a
//! reason. A wildcard replaces the names of hosts only if enough of them were asked for, and no
//! deny overlaps it.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{Case, Gap, Judge, Ruling};
use super::membership::{Memberships, Teams};
use super::observation::{RecordedDecision, Refusal};
use super::requests::{RequestGroup, Requests};
use super::{Asked, Subject};
use crate::access::{Host, Request, Role};
use crate::model::{Decision, DesiredPolicy, Policy, Resources};

/// The input of a suggestion.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The records.
    pub requests: &'a Requests,
    /// The declared policies.
    pub declared: &'a [DesiredPolicy],
    /// The teams of the users, by the names or ids in scopes.
    pub memberships: &'a Memberships,
    /// The smallest number of users who must have asked.
    pub min_users: usize,
    /// The smallest number of times that a request must have been made.
    pub min_count: u64,
    /// The number of names in one registrable domain from which on a wildcard is suggested.
    pub min_names: usize,
}

/// The suggested policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggestion {
    /// New policies, by domain and teams.
    pub policies: Vec<Suggested>,
    /// Requests that are left out, with the reason and their number.
    pub left_out: Vec<(String, &'static str, u64)>,
}

/// A new policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggested {
    /// `NetworkPolicy` or `FilesystemPolicy`.
    pub kind: &'static str,
    /// A name that no declared policy uses.
    pub name: String,
    /// The teams that asked; empty for the whole organization.
    pub teams: Vec<String>,
    /// The rules, sorted.
    pub rules: Vec<SuggestedRule>,
}

/// A new rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestedRule {
    /// Unique in the policy.
    pub name: String,
    /// The action.
    pub action: String,
    /// The target that it allows.
    pub target: Target,
    /// The number of requests.
    pub count: u64,
    /// The number of users who made them.
    pub users: usize,
    /// The names that a wildcard replaces.
    pub names: Vec<String>,
}

/// The target of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A resource as documents write it.
    Plain(String),
    /// Host, port and path of an HTTP request.
    Http(String, u16, String),
}

/// The requests of some users: their number, and the users.
#[derive(Clone, Debug, Default)]
struct Wanted {
    count: u64,
    users: BTreeSet<usize>,
}

/// The key of a rule: kind, teams, action and target.
type Key = (&'static str, Vec<String>, String, Target);

/// Suggests rules.
#[must_use]
pub fn suggest(input: Input<'_>) -> Suggestion {
    let policies: Vec<Policy> = input.declared.iter().map(|one| one.policy.clone()).collect();
    let judge = Judge::new(&policies);
    let mut found = Found::default();
    for (asked, groups) in input.requests.by_request() {
        found.add(&input, &judge, asked, groups);
    }
    let left_out = found.left_out.into_iter().map(|((request, why), count)| (request, why, count));
    Suggestion {
        left_out: left_out.collect(),
        policies: named(grouped(&input, found.wanted), input.declared),
    }
}

/// The denied requests: those that become rules, and those that are left out, with the reason and
/// their number.
#[derive(Default)]
struct Found {
    wanted: BTreeMap<Key, Wanted>,
    left_out: BTreeMap<(String, &'static str), u64>,
}

impl Found {
    fn add(
        &mut self,
        input: &Input<'_>,
        judge: &Judge<'_>,
        asked: &Asked,
        groups: &[RequestGroup],
    ) {
        let denied: Vec<&RequestGroup> = groups
            .iter()
            .filter(|group| {
                matches!(group.recorded, RecordedDecision::Deny(_) | RecordedDecision::Approval(_))
            })
            .collect();
        if denied.is_empty() {
            return;
        }
        let count = denied.iter().map(|group| group.count).sum();
        let case = judge.case(asked);
        let (kind, action, target) = match written(asked) {
            Ok(written) => written,
            Err(why) => return self.leave_out(asked, why, count),
        };
        if is_denied(judge, &case) {
            return self.leave_out(asked, "a deny is about it", count);
        }
        let mut askers: Vec<&RequestGroup> = Vec::new();
        for group in denied {
            let teams = input
                .memberships
                .teams(input.requests.users.get(group.user).map_or("", String::as_str));
            match reason_to_leave_out(judge, group, &case, judge.rule(&case, &teams)) {
                Some(why) => self.leave_out(asked, why, group.count),
                None => askers.push(group),
            }
        }
        let (teams, apart) = scope(input, &askers);
        for (group, why) in apart {
            self.leave_out(asked, why, group.count);
            askers.retain(|asker| !std::ptr::eq(*asker, group));
        }
        let users: BTreeSet<usize> =
            askers.iter().map(|group| group.user).filter(|user| *user > 0).collect();
        let count: u64 = askers.iter().map(|group| group.count).sum();
        if askers.is_empty() {
            return;
        }
        if users.len() < input.min_users || count < input.min_count {
            return self.leave_out(asked, "too few asked for it", count);
        }
        let own = self.wanted.entry((kind, teams, action, target)).or_default();
        own.count += count;
        own.users.extend(users);
    }

    fn leave_out(&mut self, asked: &Asked, why: &'static str, count: u64) {
        *self.left_out.entry((asked.text.clone(), why)).or_default() += count;
    }
}

/// The reason why requests that were denied do not become a rule; `None` if they do.
fn reason_to_leave_out(
    judge: &Judge<'_>,
    group: &RequestGroup,
    case: &Case,
    ruling: Ruling,
) -> Option<&'static str> {
    match (group.recorded, ruling) {
        (RecordedDecision::Deny(Refusal::Local), _) => {
            Some("a rule of the machine or of a kit denied it")
        }
        (RecordedDecision::Deny(Refusal::Rule), _) => Some("a rule denied it when it was recorded"),
        (RecordedDecision::Approval(_), _) => Some("a person was asked"),
        (_, Ruling::Known(Decision::Allow)) => Some("the documents allow it by now"),
        // The request may have been denied by a rule about addresses, since records do not say what
        // the name resolved to.
        (RecordedDecision::Deny(Refusal::Unsaid), _) if may_be_denied(judge, case) => {
            Some(Gap::AddressNotRecorded.phrase())
        }
        (_, Ruling::Unknown(gap)) => Some(gap.phrase()),
        (_, Ruling::Known(Decision::Deny)) => None,
    }
}

/// The policies of the rules, with names that no declared policy has.
fn named(
    rules: BTreeMap<(&'static str, Vec<String>), Vec<SuggestedRule>>,
    declared: &[DesiredPolicy],
) -> Vec<Suggested> {
    let names: BTreeSet<&str> = declared.iter().map(|one| one.policy.name.as_str()).collect();
    let policies = rules.into_iter().map(|((kind, teams), mut rules)| {
        let what = if kind == "NetworkPolicy" { "network" } else { "mounts" };
        let whom =
            if teams.is_empty() { String::new() } else { format!(" for {}", teams.join(" and ")) };
        let plain = format!("Suggested from records: {what}{whom}");
        let numbered = (2..).map(|number| format!("{plain} ({number})"));
        let name =
            [plain.clone()].into_iter().chain(numbered).find(|name| !names.contains(name.as_str()));
        name_rules(&mut rules);
        Suggested { kind, name: name.unwrap_or(plain), teams, rules }
    });
    policies.collect()
}

/// The kind of policy, the action and the target that allow exactly this request.
fn written(asked: &Asked) -> Result<(&'static str, String, Target), &'static str> {
    let request = match &asked.subject {
        Subject::One(request) => request,
        Subject::EitherMode(_) => {
            return Err("it is not recorded whether the mount was for reading or writing");
        }
        Subject::Mcp(_) => return Err("the attributes that MCP policies read are not recorded"),
        Subject::Unreadable => return Err("it is in a form that no rule can have"),
    };
    let host = |host: &Host| match host {
        // The service's documentation does not say how it reads an IPv6 address.
        Host::Address(address) if address.is_ipv6() => {
            Err("no documented rule is about an IPv6 address")
        }
        host @ (Host::Name(..) | Host::Address(_)) => Ok(host.to_string()),
    };
    match request {
        Request::Connect { udp, host: own, port } => {
            let action = if *udp { "connect:udp" } else { "connect:tcp" };
            Ok((
                "NetworkPolicy",
                action.to_owned(),
                Target::Plain(format!("{}:{port}", host(own)?)),
            ))
        }
        Request::Http { host: Host::Address(_), .. } => {
            Err("no documented HTTP rule is about an address")
        }
        Request::Http { method, host: own, port, path } => {
            if path.contains(['*', '?', '[', '%']) {
                return Err("its path cannot be written as a pattern of its own");
            }
            Ok((
                "NetworkPolicy",
                format!("request:{method}"),
                Target::Http(host(own)?, *port, path.clone()),
            ))
        }
        Request::Folder { write, .. } => {
            let path = asked.text.split_once(' ').map_or("", |(_, path)| path).to_owned();
            if path.contains(['*', '?', '[']) {
                return Err("its path cannot be written as a pattern of its own");
            }
            Ok((
                "FilesystemPolicy",
                if *write { "write" } else { "read" }.to_owned(),
                Target::Plain(path),
            ))
        }
        Request::Mcp(_) => Err("the attributes that MCP policies read are not recorded"),
    }
}

/// Returns `true` if a deny matches a request, whoever it is for. A deny of addresses does not
/// match a request to a name, which it decides only if the name resolves there.
fn is_denied(judge: &Judge<'_>, case: &Case) -> bool {
    judge.questions(case).iter().any(|question| {
        let single = question.points().count() == 1;
        let mut matches = question.points().flat_map(|point| point.matches());
        matches.any(|one| one.decision == Decision::Deny && (one.role != Role::Address || single))
    })
}

/// Returns `true` if a deny may match a request at any address.
fn may_be_denied(judge: &Judge<'_>, case: &Case) -> bool {
    let questions = judge.questions(case);
    let mut points = questions.iter().flat_map(|question| question.points());
    points.any(|point| point.matches().iter().any(|one| one.decision == Decision::Deny))
}

/// Users who asked and whom a rule for teams does not cover, with the reason.
type Apart<'a> = Vec<(&'a RequestGroup, &'static str)>;

/// The fewest teams of which every user with known teams is a member of one, and the remaining
/// users. No team, which means the whole organization, if no user is known to be in a team.
fn scope<'a>(input: &Input<'_>, askers: &[&'a RequestGroup]) -> (Vec<String>, Apart<'a>) {
    let mut left: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    let mut apart = Vec::new();
    for asker in askers {
        match input
            .memberships
            .teams(input.requests.users.get(asker.user).map_or("", String::as_str))
        {
            Teams::Known(teams) if teams.is_empty() => apart.push((
                *asker,
                "a rule for the teams that asked does not reach a member of no team",
            )),
            Teams::Known(teams) => drop(left.insert(teams)),
            Teams::Unknown => apart.push((*asker, Gap::TeamUnknown.phrase())),
        }
    }
    if left.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut chosen = BTreeSet::new();
    while !left.is_empty() {
        let mut reach: BTreeMap<&str, usize> = BTreeMap::new();
        for team in left.iter().flatten() {
            *reach.entry(team).or_default() += 1;
        }
        let best = reach.iter().max_by_key(|(team, count)| (**count, std::cmp::Reverse(**team)));
        let Some(best) = best.map(|(team, _)| (*team).to_owned()) else { break };
        left.retain(|teams| !teams.contains(&best));
        chosen.insert(best);
    }
    (chosen.into_iter().collect(), apart)
}

/// The rules by kind and teams. Hosts of one domain are combined if there are enough of them.
fn grouped(
    input: &Input<'_>,
    wanted: BTreeMap<Key, Wanted>,
) -> BTreeMap<(&'static str, Vec<String>), Vec<SuggestedRule>> {
    type Group = (Vec<String>, String, String, String);
    let mut groups: BTreeMap<Group, Vec<(String, Wanted)>> = BTreeMap::new();
    let mut rules: BTreeMap<(&'static str, Vec<String>), Vec<SuggestedRule>> = BTreeMap::new();
    let rule = |action: String, target: Target, own: Wanted, names: Vec<String>| SuggestedRule {
        name: String::new(),
        action,
        target,
        count: own.count,
        users: own.users.len(),
        names,
    };
    for ((kind, teams, action, target), own) in wanted {
        let domain = match &target {
            Target::Plain(resource) if action.starts_with("connect:") => registrable(resource),
            Target::Plain(_) | Target::Http(..) => None,
        };
        match domain {
            Some((domain, port)) => {
                let name = match &target {
                    Target::Plain(resource) => resource.clone(),
                    Target::Http(host, ..) => host.clone(),
                };
                groups.entry((teams, action, domain, port)).or_default().push((name, own));
            }
            None => {
                rules.entry((kind, teams)).or_default().push(rule(action, target, own, Vec::new()))
            }
        }
    }
    for ((teams, action, domain, port), members) in groups {
        let own = rules.entry(("NetworkPolicy", teams)).or_default();
        let below = |name: &str| name.strip_suffix(&format!(".{domain}:{port}")).map(str::to_owned);
        let (inside, rest): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|(name, _)| below(name).is_some());
        let group = inside.len() >= input.min_names && !is_about(input.declared, &domain);
        if group {
            let deep =
                inside.iter().any(|(name, _)| below(name).is_some_and(|label| label.contains('.')));
            let mut all = Wanted::default();
            let mut names = Vec::new();
            for (name, one) in inside {
                all.count += one.count;
                all.users.extend(one.users);
                names.push(name);
            }
            let star = if deep { "**" } else { "*" };
            own.push(rule(
                action.clone(),
                Target::Plain(format!("{star}.{domain}:{port}")),
                all,
                names,
            ));
        } else {
            own.extend(
                inside
                    .into_iter()
                    .map(|(name, one)| rule(action.clone(), Target::Plain(name), one, Vec::new())),
            );
        }
        own.extend(
            rest.into_iter()
                .map(|(name, one)| rule(action.clone(), Target::Plain(name), one, Vec::new())),
        );
    }
    for rules in rules.values_mut() {
        rules.sort_by(|one, other| (&one.action, &one.target).cmp(&(&other.action, &other.target)));
    }
    rules
}

/// The registrable domain of `HOST:PORT`, if the host is a name below one.
fn registrable(resource: &str) -> Option<(String, String)> {
    let (host, port) = resource.rsplit_once(':')?;
    if host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let domain = psl::domain_str(host)?;
    Some((domain.to_owned(), port.to_owned()))
}

/// Returns `true` if a deny names a host of a domain, or has a pattern that may match one.
fn is_about(declared: &[DesiredPolicy], domain: &str) -> bool {
    let mut denies = declared
        .iter()
        .flat_map(|one| one.policy.rules())
        .filter(|rule| rule.decision == Decision::Deny);
    denies.any(|rule| {
        let hosts: Vec<&str> = match &rule.resources {
            Resources::Plain(resources) => resources.iter().map(String::as_str).collect(),
            Resources::Http(targets) => targets.iter().map(|target| target.host.as_str()).collect(),
        };
        hosts.iter().any(|host| {
            let host = host.split(':').next().unwrap_or_default().to_lowercase();
            let bare = host.trim_start_matches("**.").trim_start_matches("*.");
            bare.contains('*')
                || bare == domain
                || bare.ends_with(&format!(".{domain}"))
                || domain.ends_with(&format!(".{bare}"))
        })
    })
}

fn name_rules(rules: &mut [SuggestedRule]) {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for rule in rules {
        let target = match &rule.target {
            Target::Plain(resource) => resource.clone(),
            Target::Http(host, port, path) => format!("{host}:{port}{path}"),
        };
        let verb = rule.action.replace("connect:", "").replace("request:", "");
        // Names have a length limit that hosts and paths may exceed.
        let plain: String = format!("{verb} {target}").chars().take(100).collect();
        let numbered = (2..).map(|number| format!("{plain} ({number})"));
        let name = [plain.clone()]
            .into_iter()
            .chain(numbered)
            .find(|name| !known.contains(name))
            .unwrap_or(plain);
        known.insert(name.clone());
        rule.name = name;
    }
}
