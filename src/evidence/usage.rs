//! The declared rules that recorded requests rest on.
//!
//! A rule is evaluated where it matches: the request is decided once more without it. The cost is
//! the number of matches, not rules times requests. Invariant: *decides* is reported only for rules
//! whose removal certainly changes the decision of a recorded request, and *unused* never for what
//! records cannot show.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decide::{AddressRules, Case, Evaluation, Gap, Judge, Place, Ruling};
use super::membership::{Memberships, Teams};
use super::observation::{RecordedDecision, Refusal};
use super::requests::{RequestGroup, Requests, Window};
use super::{Asked, time};
use crate::access::{AddressRule, Match, Point, Role};
use crate::diagnostic::sanitize;
use crate::json::schema_generator;
use crate::model::{Action, DesiredPolicy, Domain, Origin, Policy};
use crate::source::parallel;

/// The version of the format. Keys may be added within it; none is renamed or removed.
pub const FORMAT_VERSION: u32 = 1;

/// The use of the declared rules by recorded requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "seawall usage")]
pub struct Usage {
    /// The version of the format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub format_version: u32,
    /// The period and the number of records.
    pub window: Window,
    /// The declared rules, in the order of the policies.
    pub rules: Vec<RuleUse>,
}

/// The use of a rule by recorded requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleUse {
    /// The policy's name.
    pub policy: String,
    /// The rule's name, or the number of a statement in a Cedar text.
    pub rule: String,
    /// The use of the rule.
    #[serde(rename = "use")]
    pub used: Use,
    /// The reason why records cannot show the use; absent if they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<UnknownUse>,
    /// The number of recorded requests that the rule matches.
    pub matches: u64,
    /// The number of users who made them.
    pub users: usize,
    /// The number of machines on which they were made.
    pub machines: usize,
    /// The time of the last one; null if the rule matches none, or no record has a time.
    pub last: Option<String>,
    /// The location where a document declares the rule.
    pub source: Origin,
}

/// The use of a rule by recorded requests.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Without the rule, a recorded request would be decided the other way.
    Decides,
    /// The rule matches, but other rules decide the same.
    Redundant,
    /// It matches no recorded request.
    Unused,
    /// Records cannot tell.
    Unknown,
}

/// The reason why records cannot show the use of a rule.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum UnknownUse {
    /// The records cover too short a period.
    WindowTooShort,
    /// The attributes of MCP calls that a statement reads are not recorded.
    AttributesNotRecorded,
    /// Records never show UDP.
    UdpNotRecorded,
    /// Its use depends on the teams of a user, which are not known.
    TeamUnknown,
    /// It may match a recorded request: that depends on something that the record leaves out or the
    /// documentation leaves open.
    MayMatch,
}

impl UnknownUse {
    /// A short phrase for people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::WindowTooShort => "the records reach over too short a time",
            Self::AttributesNotRecorded => "what the statement reads is not recorded",
            Self::UdpNotRecorded => "records do not contain UDP",
            Self::TeamUnknown => Gap::TeamUnknown.phrase(),
            Self::MayMatch => "it may match requests that records describe only in part",
        }
    }
}

/// The input of a usage report.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The records.
    pub requests: &'a Requests,
    /// The declared policies.
    pub declared: &'a [DesiredPolicy],
    /// The teams of the users, by the names or ids in scopes.
    pub memberships: &'a Memberships,
    /// The period that records must cover before a rule is called unused, in microseconds.
    pub least: i64,
}

/// The JSON Schema (2020-12) of a usage report.
#[must_use]
pub fn schema() -> Value {
    schema_generator().into_root_schema_for::<Usage>().into()
}

/// The results for one rule.
#[derive(Clone, Debug, Default)]
struct Tally {
    decides: bool,
    /// True if the decision of a request that it may match is unknown.
    open: bool,
    may_match: bool,
    /// True if one of these is because the teams of a user are not known.
    by_team: bool,
    matches: u64,
    users: BTreeSet<usize>,
    machines: BTreeSet<usize>,
    last: Option<i64>,
}

/// Evaluates every rule.
#[must_use]
pub fn usage(input: Input<'_>) -> Usage {
    let Input { requests, declared, memberships, least } = input;
    let policies: Vec<Policy> = declared.iter().map(|one| one.policy.clone()).collect();
    let judge = Judge::new(&policies);
    let (classes, of_user) = memberships.classes(requests);
    let all: Vec<(&Asked, &[RequestGroup])> = requests.by_request().collect();
    let parts =
        parallel::map(all.chunks(512).collect(), 1, |chunk: &[(&Asked, &[RequestGroup])]| {
            let mut tallies = Tallies::default();
            for (asked, groups) in chunk {
                look(&judge, (&classes, &of_user), asked, groups, &mut tallies);
            }
            tallies
        });
    let mut tallies = Tallies::default();
    parts.into_iter().for_each(|part| tallies.join(part));
    let mut tallies = tallies.spread();
    let short = requests.length() < least;
    let mut rules = Vec::new();
    for (at, one) in declared.iter().enumerate() {
        for (number, place) in one.rules.iter().enumerate() {
            let tally = tallies.remove(&(at, number)).unwrap_or_default();
            rules.push(rule_use(one, number, &place.origin, tally, short));
        }
    }
    Usage { format_version: FORMAT_VERSION, window: requests.window(), rules }
}

fn rule_use(
    declared: &DesiredPolicy,
    number: usize,
    origin: &Origin,
    tally: Tally,
    short: bool,
) -> RuleUse {
    let rule = declared.policy.rules().get(number);
    let Tally { decides, open, may_match, by_team, matches, users, machines, last } = tally;
    let may_match_why = if by_team { UnknownUse::TeamUnknown } else { UnknownUse::MayMatch };
    let udp =
        rule.is_some_and(|rule| rule.actions.iter().all(|action| *action == Action::ConnectUdp));
    let (used, why) = match (decides, declared.domain) {
        (true, _) => (Use::Decides, None),
        // Records cannot show that a statement matches nothing, unless it is about the action
        // alone.
        (false, Domain::Mcp) if open || matches == 0 => {
            (Use::Unknown, Some(UnknownUse::AttributesNotRecorded))
        }
        (false, _) if open => (Use::Unknown, Some(may_match_why)),
        (false, _) if matches > 0 => (Use::Redundant, None),
        (false, _) if may_match => (Use::Unknown, Some(may_match_why)),
        (false, _) if udp => (Use::Unknown, Some(UnknownUse::UdpNotRecorded)),
        (false, _) if short => (Use::Unknown, Some(UnknownUse::WindowTooShort)),
        (false, _) => (Use::Unused, None),
    };
    RuleUse {
        policy: declared.policy.name.clone(),
        rule: rule.map_or_else(|| format!("statement {}", number + 1), |rule| rule.name.clone()),
        used,
        why,
        matches,
        // The first entry stands for records without a user.
        users: users.into_iter().filter(|user| *user > 0).count(),
        machines: machines.into_iter().filter(|machine| *machine > 0).count(),
        last: last.map(time::text),
        source: origin.clone(),
    }
}

impl Tally {
    /// Adds requests that the rule matches.
    fn add(&mut self, groups: &[&RequestGroup]) {
        self.matches += groups.iter().map(|group| group.count).sum::<u64>();
        self.users.extend(groups.iter().map(|group| group.user));
        self.machines.extend(groups.iter().map(|group| group.machine));
        self.last = self.last.max(groups.iter().filter_map(|group| group.last).max());
    }

    fn join(&mut self, other: Self) {
        let Self { decides, open, may_match, by_team, matches, users, machines, last } = other;
        self.decides |= decides;
        self.open |= open;
        self.may_match |= may_match;
        self.by_team |= by_team;
        self.matches += matches;
        self.users.extend(users);
        self.machines.extend(machines);
        self.last = self.last.max(last);
    }
}

/// The use of rules about addresses by requests whose address is unknown. There are many such
/// rules, and most are interchangeable.
#[derive(Debug)]
struct AddressTally {
    rules: Arc<AddressRules>,
    /// By protocol: TCP and UDP.
    all: [Tally; 2],
    /// For each group of rules and protocol, whether it decides, and whether that is unknown.
    groups: Vec<[(bool, bool); 2]>,
}

/// The results for requests, by rules.
#[derive(Debug, Default)]
struct Tallies {
    by_rule: BTreeMap<Place, Tally>,
    by_address: BTreeMap<Vec<usize>, AddressTally>,
}

impl Tallies {
    fn join(&mut self, other: Self) {
        for (rule, tally) in other.by_rule {
            self.by_rule.entry(rule).or_default().join(tally);
        }
        for (key, tally) in other.by_address {
            match self.by_address.entry(key) {
                Entry::Vacant(entry) => drop(entry.insert(tally)),
                Entry::Occupied(mut entry) => entry.get_mut().join(tally),
            }
        }
    }

    /// The results for each rule.
    fn spread(self) -> BTreeMap<Place, Tally> {
        let mut by_rule = self.by_rule;
        for AddressTally { rules, all, groups } in self.by_address.into_values() {
            for (protocol, tally) in all.into_iter().enumerate().filter(|(_, own)| own.may_match) {
                let about = |rule: &AddressRule| rule.protocols.get(protocol) == Some(&true);
                for (place, rule, always) in rules.rules.iter().filter(|(_, rule, _)| about(rule)) {
                    let own = by_rule.entry(*place).or_default();
                    if rule.is_everywhere && *always {
                        own.join(Tally { may_match: false, ..tally.clone() });
                    } else {
                        (own.may_match, own.open) = (true, own.open | tally.open);
                        own.by_team |= tally.by_team;
                    }
                }
                for (group, flags) in rules.groups.iter().zip(&groups) {
                    let (decides, open) = flags.get(protocol).copied().unwrap_or_default();
                    for place in &group.rules {
                        let own = by_rule.entry(*place).or_default();
                        (own.decides, own.open) = (own.decides | decides, own.open | open);
                    }
                }
            }
        }
        by_rule
    }
}

impl AddressTally {
    fn new(rules: &Arc<AddressRules>) -> Self {
        let groups = vec![[(false, false); 2]; rules.groups.len()];
        Self { rules: Arc::clone(rules), all: <[Tally; 2]>::default(), groups }
    }

    fn join(&mut self, other: Self) {
        for (own, other) in self.all.iter_mut().zip(other.all) {
            own.join(other);
        }
        for (own, other) in self.groups.iter_mut().flatten().zip(other.groups.iter().flatten()) {
            (own.0, own.1) = (own.0 | other.0, own.1 | other.1);
        }
    }

    /// Adds the result for a request.
    fn add(
        &mut self,
        protocol: usize,
        evaluation: &Evaluation<'_, '_>,
        with: Ruling,
        groups: &[&RequestGroup],
    ) {
        let Some(all) = self.all.get_mut(protocol) else { return };
        all.add(groups);
        all.may_match = true;
        if is_local(groups) || matches!(with, Ruling::Unknown(_)) {
            all.open = true;
            all.by_team |= with == Ruling::Unknown(Gap::TeamUnknown);
            return;
        }
        for (addresses, flags) in self.rules.groups.iter().zip(&mut self.groups) {
            let Some((decides, open)) = flags.get_mut(protocol) else { continue };
            if *decides {
                continue;
            }
            match evaluation.ruling_without_one(addresses) {
                Ruling::Unknown(_) => *open = true,
                without @ Ruling::Known(_) => *decides = with != without,
            }
        }
    }
}

/// Returns `true` if a rule of the machine denied all of these, whatever the organization's rules
/// decide.
fn is_local(groups: &[&RequestGroup]) -> bool {
    groups.iter().all(|group| group.recorded == RecordedDecision::Deny(Refusal::Local))
}

/// Evaluates one request: for each membership and applicable rule, the decision without that rule.
fn look(
    judge: &Judge<'_>,
    (classes, of_user): (&[Teams], &[usize]),
    asked: &Asked,
    groups: &[RequestGroup],
    tallies: &mut Tallies,
) {
    let case = judge.case(asked);
    let bearing = bearing(judge, &case);
    let mut by_class: BTreeMap<usize, Vec<&RequestGroup>> = BTreeMap::new();
    for group in groups {
        by_class
            .entry(of_user.get(group.user).copied().unwrap_or_default())
            .or_default()
            .push(group);
    }
    for (class, groups) in by_class {
        let Some(teams) = classes.get(class) else { continue };
        let evaluation = judge.evaluate(&case, teams);
        let with = evaluation.ruling();
        if let Some(rules) = evaluation.address_rules() {
            let key = || rules.key.clone();
            let tally =
                tallies.by_address.entry(key()).or_insert_with(|| AddressTally::new(&rules));
            tally.add(usize::from(asked.is_udp()), &evaluation, with, &groups);
        }
        for (rule, certain) in &bearing {
            if !judge.may_govern(*rule, teams) {
                continue;
            }
            let tally = tallies.by_rule.entry(*rule).or_default();
            let by_team = *teams == Teams::Unknown && judge.is_for_teams(*rule);
            if *certain && !by_team {
                tally.add(&groups);
            } else {
                tally.may_match = true;
                tally.by_team |= by_team;
            }
            if is_local(&groups) {
                tally.open = true;
                continue;
            }
            match (with, evaluation.ruling_without(*rule)) {
                (Ruling::Known(with), Ruling::Known(without)) => tally.decides |= with != without,
                (Ruling::Unknown(gap), _) | (_, Ruling::Unknown(gap)) => {
                    tally.open = true;
                    tally.by_team |= gap == Gap::TeamUnknown;
                }
            }
        }
    }
}

/// The rules and statements that apply to a request, whoever asks, without those about an address
/// that is unknown; and whether each certainly matches it.
fn bearing(judge: &Judge<'_>, case: &Case) -> Vec<(Place, bool)> {
    // A name is matched alike whatever its address.
    let (points, open): (Vec<&Point>, bool) = match case {
        Case::Named(named) => (vec![named.1.point()], true),
        Case::Questions(questions) => {
            (questions.iter().flat_map(|(_, question)| question.points()).collect(), false)
        }
        Case::Mcp(action) => return judge.state().mcp_statements_about(*action),
        Case::Unreadable => return Vec::new(),
    };
    let matches = points.iter().flat_map(|point| point.matches());
    let rules: BTreeSet<usize> =
        matches.filter(|one| !(open && one.role == Role::Address)).map(|one| one.group).collect();
    // Every part has to match at every address, whatever the mode.
    let is_certain = |rule: usize| {
        let matched =
            |one: &Match| one.group == rule && one.unknowns.is_empty() && one.role != Role::Cover;
        points.iter().all(|point| point.matches().iter().any(matched))
    };
    let placed = rules
        .into_iter()
        .filter_map(|rule| Some((*judge.state().rules().get(rule)?, is_certain(rule))));
    placed.collect()
}

impl Usage {
    /// The report as JSON, with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        sanitize::json(self)
    }
}
