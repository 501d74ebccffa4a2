//! The declared rules that recorded requests rest on.
//!
//! A rule is looked at where it matches, and the request is decided once more without it: that costs as much as the matches
//! that there are, and not rules times requests. Invariant: *decides* is said exactly of rules whose removal changes what
//! becomes of a recorded request for certain; *unused* is never said of what records cannot show.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decide::{Case, Judge, Ruling};
use super::membership::{Memberships, Teams};
use super::requests::{RequestGroup, Requests, Window};
use super::{Asked, time};
use crate::access::{Match, Role};
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
    /// The time and the amount of the records.
    pub window: Window,
    /// Every declared rule, in the order of the policies.
    pub rules: Vec<RuleUse>,
}

/// The use of a rule by recorded requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleUse {
    /// The policy's name.
    pub policy: String,
    /// The rule's name, or which statement of a Cedar text it is.
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
    /// On how many machines.
    pub machines: usize,
    /// The last time; null where it matches none, or no record tells the time.
    pub last: Option<String>,
    /// The location where a document declares the rule.
    pub source: Origin,
}

/// Whether recorded requests rest on a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Without it, some recorded request would be decided the other way round.
    Decides,
    /// It matches, and others decide the same.
    Redundant,
    /// It matches no recorded request.
    Unused,
    /// Records cannot tell.
    Unknown,
}

/// The reason why records cannot show the use of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownUse {
    /// The records reach over too short a time.
    WindowTooShort,
    /// The attributes of MCP calls that a statement reads are not recorded.
    AttributesNotRecorded,
    /// No record tells of UDP.
    UdpNotRecorded,
    /// It may match a recorded request, depending on what the record does not say or nobody has documented.
    MayMatch,
}

impl UnknownUse {
    /// A phrase for people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::WindowTooShort => "the records reach over too short a time",
            Self::AttributesNotRecorded => "what the statement reads is not recorded",
            Self::UdpNotRecorded => "records do not contain UDP",
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
    /// The time that records have to span before a rule is called unused, in microseconds.
    pub least: i64,
}

/// The JSON Schema (2020-12) of a usage report.
#[must_use]
pub fn schema() -> Value {
    schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Usage>().into()
}

/// The results for one rule.
#[derive(Clone, Debug, Default)]
struct Tally {
    decides: bool,
    /// True if it is open what becomes of a request that it may match.
    open: bool,
    may_match: bool,
    matches: u64,
    users: BTreeSet<usize>,
    machines: BTreeSet<usize>,
    last: Option<i64>,
}

/// Looks at every rule.
#[must_use]
pub fn usage(input: Input<'_>) -> Usage {
    let Input { requests, declared, memberships, least } = input;
    let policies: Vec<Policy> = declared.iter().map(|one| one.policy.clone()).collect();
    let judge = Judge::new(&policies);
    let (classes, of_user) = memberships.classes(requests);
    let all: Vec<(&Asked, &[RequestGroup])> = requests.by_request().collect();
    let parts = parallel::map(all.chunks(512).collect(), 1, |chunk: &[(&Asked, &[RequestGroup])]| {
        let mut tallies: BTreeMap<usize, Tally> = BTreeMap::new();
        for (asked, cells) in chunk {
            look(&judge, (&classes, &of_user), asked, cells, &mut tallies);
        }
        tallies
    });
    let mut tallies: BTreeMap<usize, Tally> = BTreeMap::new();
    for (rule, tally) in parts.into_iter().flatten() {
        tallies.entry(rule).or_default().join(tally);
    }
    let short = requests.length() < least;
    let mut numbers: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    numbers.extend(judge.state().rules().iter().enumerate().map(|(number, place)| (*place, number)));
    let mut rules = Vec::new();
    for (at, one) in declared.iter().enumerate() {
        for (number, place) in one.rules.iter().enumerate() {
            let tally = numbers.get(&(at, number)).and_then(|rule| tallies.get(rule)).cloned().unwrap_or_default();
            rules.push(rule_use(one, number, &place.origin, tally, short));
        }
    }
    Usage { format_version: FORMAT_VERSION, window: requests.window(), rules }
}

fn rule_use(declared: &DesiredPolicy, number: usize, origin: &Origin, tally: Tally, short: bool) -> RuleUse {
    let rule = declared.policy.rules().get(number);
    let Tally { decides, open, may_match, matches, users, machines, last } = tally;
    let udp = rule.is_some_and(|rule| rule.actions.iter().all(|action| *action == Action::ConnectUdp));
    let (used, why) = match (decides, declared.domain) {
        (_, Domain::Mcp) => (Use::Unknown, Some(UnknownUse::AttributesNotRecorded)),
        (true, _) => (Use::Decides, None),
        (false, _) if open => (Use::Unknown, Some(UnknownUse::MayMatch)),
        (false, _) if matches > 0 => (Use::Redundant, None),
        (false, _) if may_match => (Use::Unknown, Some(UnknownUse::MayMatch)),
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
        // The first is nobody.
        users: users.into_iter().filter(|user| *user > 0).count(),
        machines: machines.into_iter().filter(|machine| *machine > 0).count(),
        last: last.map(time::text),
        source: origin.clone(),
    }
}

impl Tally {
    fn join(&mut self, other: Self) {
        let Self { decides, open, may_match, matches, users, machines, last } = other;
        self.decides |= decides;
        self.open |= open;
        self.may_match |= may_match;
        self.matches += matches;
        self.users.extend(users);
        self.machines.extend(machines);
        self.last = self.last.max(last);
    }
}

/// Looks at one request: for each membership and rule that bears on it, what becomes of it without the rule.
fn look(
    judge: &Judge<'_>,
    (classes, of_user): (&[Teams], &[usize]),
    asked: &Asked,
    cells: &[RequestGroup],
    tallies: &mut BTreeMap<usize, Tally>,
) {
    let case = judge.case(asked);
    let Case::Questions(questions) = &case else { return };
    let bearing: BTreeSet<usize> = questions.iter().flat_map(|(_, question)| question.rules()).collect();
    if bearing.is_empty() {
        return;
    }
    let mut by_class: BTreeMap<usize, Vec<&RequestGroup>> = BTreeMap::new();
    for cell in cells {
        by_class.entry(of_user.get(cell.user).copied().unwrap_or_default()).or_default().push(cell);
    }
    for (class, cells) in by_class {
        let Some(teams) = classes.get(class) else { continue };
        let with = judge.rule(&case, teams);
        for rule in &bearing {
            let in_force = match teams {
                Teams::Known(teams) => judge.state().governs(*rule, teams),
                Teams::Unknown => true,
            };
            if !in_force {
                continue;
            }
            let tally = tallies.entry(*rule).or_default();
            // Every part has to be matched at every address, whatever the mode.
            let points = || questions.iter().flat_map(|(_, question)| question.points());
            let matched = |one: &&Match| one.group == *rule && one.unknowns.is_empty() && one.role != Role::Cover;
            let certain = points().all(|point| point.matches().iter().any(|one| matched(&one)))
                && !(*teams == Teams::Unknown && judge.is_for_teams(*rule));
            if certain {
                tally.matches += cells.iter().map(|cell| cell.count).sum::<u64>();
                tally.users.extend(cells.iter().map(|cell| cell.user));
                tally.machines.extend(cells.iter().map(|cell| cell.machine));
                tally.last = tally.last.max(cells.iter().filter_map(|cell| cell.last).max());
            } else {
                tally.may_match = true;
            }
            match (with, judge.rule_without(&case, teams, Some(*rule))) {
                (Ruling::Known(with), Ruling::Known(without)) => tally.decides |= with != without,
                (Ruling::Unknown(_), _) | (_, Ruling::Unknown(_)) => tally.open = true,
            }
        }
    }
}

impl Usage {
    /// As JSON, with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("text and numbers are JSON") + "\n"
    }
}
