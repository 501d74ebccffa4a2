//! Recorded requests decided under two states: the effect that a change would have had on them.
//!
//! Invariant: each request that counts is in exactly one of newly denied, newly allowed, unchanged
//! and unknown. The agreement of the older state with the recorded decisions comes first, since all
//! other figures rest on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::asked::Asked;
use super::decide::{Case, Gap, Judge, Member, Ruling};
use super::membership::{Memberships, Teams};
use super::observation::{RecordedDecision, Refusal};
use super::requests::{RequestGroup, Requests, Window};
use super::shared::HashMap;
use super::time;
use crate::access::{self, Cause, Reason};
use crate::diagnostic::sanitize;
use crate::diagnostic::sanitize::acts_or_hides;
use crate::json::schema_generator;
use crate::model::{Decision, DesiredPolicy, Domain, Origin, Policy, TeamDirectory};
use crate::source::parallel;

/// The version of the format. Keys may be added within it; none is renamed or removed.
pub const FORMAT_VERSION: u32 = 1;

/// The policies of one state, and where they are declared.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The policies.
    pub policies: &'a [Policy],
    /// The locations of their rules.
    pub places: &'a RuleOrigins,
}

/// The locations where rules are declared, by the names of policy and rule; that of a policy itself
/// by the empty name. A rule without a location exists only in live state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleOrigins(HashMap<String, HashMap<String, Origin>>);

impl RuleOrigins {
    /// The locations of declared policies and their rules.
    #[must_use]
    pub fn new(declared: &[DesiredPolicy]) -> Self {
        let mut places = Self::default();
        for one in declared {
            let policy = &one.policy.name;
            places.add(policy, "", &one.origin);
            match one.domain {
                Domain::Mcp => places.add_statements(policy, one),
                Domain::Network | Domain::Filesystem => {
                    let named = one.policy.rules().iter().zip(&one.rules);
                    let named =
                        named.map(|(rule, beside)| (rule.name.clone(), beside.origin.clone()));
                    places.0.entry(policy.clone()).or_default().extend(named);
                }
            }
        }
        places
    }

    /// The same locations in another version of the documents: a git ref or a folder, as given on
    /// the command line.
    #[must_use]
    pub fn of_version(mut self, version: &str) -> Self {
        for origin in self.0.values_mut().flat_map(HashMap::values_mut) {
            origin.file = format!("{version}:{}", origin.file);
        }
        self
    }

    /// Adds the locations of the statements of a Cedar text, which have numbers in place of names.
    pub fn add_statements(&mut self, policy: &str, declared: &DesiredPolicy) {
        for (number, beside) in (1..).zip(&declared.rules) {
            self.add(policy, &format!("statement {number}"), &beside.origin);
        }
    }

    /// Adds the location of a rule; of the policy, if the name is empty.
    pub fn add(&mut self, policy: &str, rule: &str, origin: &Origin) {
        self.0.entry(policy.to_owned()).or_default().insert(rule.to_owned(), origin.clone());
    }

    fn origin(&self, reason: &Reason) -> Option<&Origin> {
        self.0.get(&reason.policy_name)?.get(reason.rule_name.as_deref().unwrap_or_default())
    }
}

/// Records decided under two states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "seawall replay")]
pub struct Replay {
    /// The version of the format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub format_version: u32,
    /// The time and the amount of the records.
    pub window: Window,
    /// The agreement of the older state with the recorded decisions.
    pub agreement: Agreement,
    /// Requests that were allowed and would be denied, the most frequent first.
    pub newly_denied: Vec<Change>,
    /// Requests that were denied and would be allowed.
    pub newly_allowed: Vec<Change>,
    /// The number of users who asked for requests that are newly denied.
    #[serde(default)]
    pub denied_users: usize,
    /// The number of requests whose decision does not change.
    pub unchanged: u64,
    /// Requests that cannot be decided, by reason.
    pub unknown: Vec<Unknowns>,
}

/// The agreement of the older state with the recorded decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agreement {
    /// The number of requests that the older state decides as recorded.
    pub agree: u64,
    /// The number decided the other way: the policies were different then, or this program is wrong
    /// about them.
    pub disagree: u64,
    /// The number that cannot be decided.
    pub unknown: u64,
    /// The requests that are decided differently than recorded.
    pub disagreements: Vec<Disagreement>,
}

/// A request that is decided differently than it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    /// The request.
    pub request: String,
    /// The recorded decision: `allow` or `deny`.
    #[schemars(with = "String")]
    pub recorded: Decision,
    /// The decision of the older state: `allow` or `deny`.
    #[schemars(with = "String")]
    pub computed: Decision,
    /// The number of such requests.
    pub count: u64,
}

/// A request whose decision changes, for users with the same teams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The request, as `can` takes it.
    pub request: String,
    /// The names of all teams of the users, sorted. Empty for members of no team, and if the teams
    /// are not known.
    pub teams: Vec<String>,
    /// True if the teams are known. If they are not, the decision changes for every possible
    /// membership.
    #[serde(default = "known", skip_serializing_if = "is_known")]
    pub teams_known: bool,
    /// The number of requests.
    pub count: u64,
    /// The number of users who made them.
    pub users: usize,
    /// The names of the users, if they were requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The time of the first request; null if no record has a time.
    pub first: Option<String>,
    /// The time of the last request.
    pub last: Option<String>,
    /// The rules that make the difference, each with the place of its declaration, or `live`.
    pub because: Vec<String>,
}

/// Requests that cannot be decided for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unknowns {
    /// The reason.
    pub reason: Gap,
    /// The number of requests.
    pub count: u64,
    /// An example.
    pub example: String,
}

fn known() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_known(known: &bool) -> bool {
    *known
}

/// The input of a replay.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The records.
    pub requests: &'a Requests,
    /// The older state.
    pub before: Side<'a>,
    /// The newer state.
    pub after: Side<'a>,
    /// The teams of the users, by the names or ids that scopes use.
    pub memberships: &'a Memberships,
    /// The names of teams.
    pub teams: &'a TeamDirectory,
    /// True to include the names of users.
    pub named: bool,
}

/// The JSON Schema (2020-12) of a replay.
#[must_use]
pub fn schema() -> Value {
    schema_generator().into_root_schema_for::<Replay>().into()
}

/// The most frequent requests as expectations: those that both states decide as recorded. Each
/// membership has its own list.
#[must_use]
pub fn frequent(input: Input<'_>, most: usize) -> Vec<Expected> {
    let Input { requests, before, after, memberships, teams, .. } = input;
    let (old, new) = (Judge::new(before.policies), Judge::new(after.policies));
    let (classes, of_user) = memberships.classes(requests);
    let mut found: BTreeMap<Vec<String>, Vec<(u64, Decision, &str)>> = BTreeMap::new();
    for (asked, groups) in requests.by_request() {
        if !matches!(asked.subject, super::Subject::One(_)) || !is_expressible(&asked.text) {
            continue;
        }
        let (was, will) = (old.case(asked), new.case(asked));
        for (class, membership) in classes.iter().enumerate() {
            let own = || groups.iter().filter(|group| of_user.get(group.user) == Some(&class));
            if own().next().is_none() {
                continue;
            }
            let decisions: BTreeSet<Option<Decision>> =
                own().map(|group| recorded(group.recorded)).collect();
            let Ruling::Known(decision) = old.rule(&was, membership) else { continue };
            if !decisions.iter().eq([&Some(decision)])
                || new.rule(&will, membership) != Ruling::Known(decision)
            {
                continue;
            }
            let names = match membership {
                Teams::Known(keys) => keys.iter().map(|key| teams.name(key).to_owned()).collect(),
                // The teams are irrelevant to these decisions, so that they are tested for a member
                // of none.
                Teams::Unknown => Vec::new(),
            };
            found.entry(names).or_default().push((
                own().map(|group| group.count).sum(),
                decision,
                &asked.text,
            ));
        }
    }
    let expected = found.into_iter().map(|(teams, mut requests)| {
        requests.sort_by_key(|(count, _, text)| (std::cmp::Reverse(*count), *text));
        requests.dedup_by_key(|(_, _, text)| *text);
        let requests = requests.into_iter().take(most);
        Expected {
            teams,
            requests: requests.map(|(_, decision, text)| (decision, text.to_owned())).collect(),
        }
    });
    expected.collect()
}

/// Returns `true` if an access test can express the request: documents with hidden characters are
/// refused.
fn is_expressible(request: &str) -> bool {
    !request.chars().any(acts_or_hides) && access::Request::parse(request).is_ok()
}

/// The most frequent requests of one membership, with their decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The names of the teams, sorted.
    pub teams: Vec<String>,
    /// The requests with their decisions.
    pub requests: Vec<(Decision, String)>,
}

/// The result for one request.
#[derive(Default)]
struct Part {
    agreement: Agreement,
    denied: Vec<Change>,
    allowed: Vec<Change>,
    /// Indexes into the list of users.
    denied_users: BTreeSet<usize>,
    unchanged: u64,
    unknown: BTreeMap<Gap, (u64, String)>,
}

/// Users with the same teams.
struct Class<'a> {
    teams: &'a Teams,
    /// As both judges know them.
    known: [Option<Arc<Member>>; 2],
}

impl<'a> Class<'a> {
    fn new(judges: &[Judge<'_>; 2], teams: &'a Teams) -> Self {
        Self { teams, known: judges.each_ref().map(|judge| judge.known(teams)) }
    }
}

/// Prepares two states in parallel.
fn judges(policies: [&[Policy]; 2]) -> [Judge<'_>; 2] {
    let [old, new] = policies;
    std::thread::scope(|scope| {
        let new = scope.spawn(|| Judge::new(new));
        [Judge::new(old), new.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))]
    })
}

/// Decides every request under both states.
#[must_use]
pub fn replay(input: Input<'_>) -> Replay {
    let Input { requests, before, after, memberships, .. } = input;
    let judges = judges([before.policies, after.policies]);
    let (classes, of_user) = memberships.classes(requests);
    let classes: Vec<Class<'_>> = classes.iter().map(|teams| Class::new(&judges, teams)).collect();
    let all: Vec<(&Asked, &[RequestGroup])> = requests.by_request().collect();
    let parts =
        parallel::map(all.chunks(512).collect(), 1, |chunk: &[(&Asked, &[RequestGroup])]| {
            let mut part = Part::default();
            for (asked, groups) in chunk {
                part.add(&input, &judges, (&classes, &of_user), asked, groups);
            }
            part
        });
    let mut whole = Part::default();
    for part in parts {
        whole.join(part);
    }
    let Part { mut agreement, mut denied, mut allowed, denied_users, unchanged, unknown } = whole;
    agreement.disagreements.sort_by(|one, other| {
        (other.count, &one.request, one.recorded).cmp(&(one.count, &other.request, other.recorded))
    });
    for changes in [&mut denied, &mut allowed] {
        changes.sort_by(|one, other| {
            (other.count, &one.request, &one.teams, one.teams_known).cmp(&(
                one.count,
                &other.request,
                &other.teams,
                other.teams_known,
            ))
        });
    }
    let unknown =
        unknown.into_iter().map(|(reason, (count, example))| Unknowns { reason, count, example });
    Replay {
        format_version: FORMAT_VERSION,
        window: requests.window(),
        agreement,
        newly_denied: denied,
        newly_allowed: allowed,
        // The first entry stands for records without a user, and counts as no user.
        denied_users: denied_users.into_iter().filter(|user| *user > 0).count(),
        unchanged,
        unknown: unknown.collect(),
    }
}

impl Part {
    fn add(
        &mut self,
        input: &Input<'_>,
        [old, new]: &[Judge<'_>; 2],
        (classes, of_user): (&[Class<'_>], &[usize]),
        asked: &Asked,
        groups: &[RequestGroup],
    ) {
        let (was, will) = (old.case(asked), new.case(asked));
        let class_of = |group: &RequestGroup| of_user.get(group.user).copied().unwrap_or_default();
        let mut by_class: Vec<(usize, &RequestGroup)> =
            groups.iter().map(|group| (class_of(group), group)).collect();
        by_class.sort_by_key(|(class, _)| *class);
        let mut disagree: BTreeMap<(Decision, Decision), u64> = BTreeMap::new();
        for same in by_class.chunk_by(|(one, _), (other, _)| one == other) {
            let class = same.first().and_then(|(class, _)| classes.get(*class));
            let Some(Class { teams, known: [known_before, known_after] }) = class else { continue };
            let before = old.rule_for(&was, teams, known_before.as_deref());
            let after = new.rule_for(&will, teams, known_after.as_deref());
            let mut changed = Vec::new();
            for (_, group) in same {
                match (recorded(group.recorded), before) {
                    (Some(recorded), Ruling::Known(computed)) if recorded == computed => {
                        self.agreement.agree += group.count;
                    }
                    (Some(recorded), Ruling::Known(computed)) => {
                        self.agreement.disagree += group.count;
                        *disagree.entry((recorded, computed)).or_default() += group.count;
                    }
                    (_, _) => self.agreement.unknown += group.count,
                }
                let local = group.recorded == RecordedDecision::Deny(Refusal::Local);
                match (before, after) {
                    (_, _) if local => self.doubt(Gap::LocalRule, group.count, asked),
                    (Ruling::Unknown(gap), _) | (_, Ruling::Unknown(gap)) => {
                        self.doubt(gap, group.count, asked)
                    }
                    (Ruling::Known(before), Ruling::Known(after)) if before == after => {
                        self.unchanged += group.count
                    }
                    (Ruling::Known(_), Ruling::Known(_)) => changed.push(*group),
                }
            }
            if changed.is_empty() {
                continue;
            }
            let denied = after == Ruling::Known(Decision::Deny);
            let because = causes(input, ((old, &was), (new, &will)), asked, teams, denied);
            let change = change(input, asked, teams, &changed, because);
            if denied {
                self.denied_users.extend(changed.iter().map(|group| group.user));
                self.denied.push(change);
            } else {
                self.allowed.push(change);
            }
        }
        self.agreement.disagreements.extend(disagree.into_iter().map(
            |((recorded, computed), count)| Disagreement {
                request: asked.text.clone(),
                recorded,
                computed,
                count,
            },
        ));
    }

    fn doubt(&mut self, gap: Gap, count: u64, asked: &Asked) {
        let own = self.unknown.entry(gap).or_insert_with(|| (0, asked.text.clone()));
        own.0 += count;
    }

    /// Adds the result for a later request.
    fn join(&mut self, other: Self) {
        let Self { agreement, denied, allowed, denied_users, unchanged, unknown } = other;
        self.denied_users.extend(denied_users);
        self.agreement.agree += agreement.agree;
        self.agreement.disagree += agreement.disagree;
        self.agreement.unknown += agreement.unknown;
        self.agreement.disagreements.extend(agreement.disagreements);
        self.denied.extend(denied);
        self.allowed.extend(allowed);
        self.unchanged += unchanged;
        for (gap, (count, example)) in unknown {
            self.unknown.entry(gap).or_insert((0, example)).0 += count;
        }
    }
}

/// The recorded decision; `None` if a person or a rule of the machine decided.
fn recorded(recorded: RecordedDecision) -> Option<Decision> {
    match recorded {
        RecordedDecision::Allow => Some(Decision::Allow),
        RecordedDecision::Deny(Refusal::Local) | RecordedDecision::Approval(_) => None,
        RecordedDecision::Deny(_) => Some(Decision::Deny),
    }
}

fn change(
    input: &Input<'_>,
    asked: &Asked,
    teams: &Teams,
    groups: &[&RequestGroup],
    because: Vec<String>,
) -> Change {
    let users: BTreeSet<&str> = groups
        .iter()
        .filter_map(|group| input.requests.users.get(group.user))
        .map(String::as_str)
        .collect();
    let users: Vec<&str> = users.into_iter().filter(|user| !user.is_empty()).collect();
    let (teams, teams_known) = match teams {
        Teams::Known(keys) => {
            let names: BTreeSet<String> =
                keys.iter().map(|key| input.teams.name(key).to_owned()).collect();
            (names.into_iter().collect(), true)
        }
        Teams::Unknown => (Vec::new(), false),
    };
    Change {
        request: asked.text.clone(),
        teams,
        teams_known,
        count: groups.iter().map(|group| group.count).sum(),
        users: users.len(),
        names: if input.named {
            users.into_iter().map(str::to_owned).collect()
        } else {
            Vec::new()
        },
        first: groups.iter().filter_map(|group| group.first).min().map(time::text),
        last: groups.iter().filter_map(|group| group.last).max().map(time::text),
        because,
    }
}

/// The rules that make the difference: those that start and those that stop to decide; if there are
/// none, the rules that decide in the new state.
fn causes(
    input: &Input<'_>,
    ((old, known), (new, next)): ((&Judge<'_>, &Case), (&Judge<'_>, &Case)),
    asked: &Asked,
    teams: &Teams,
    denied: bool,
) -> Vec<String> {
    let told = |side: Side<'_>, reasons: Vec<Reason>, comes: bool| -> BTreeSet<String> {
        reasons.iter().map(|reason| tell(side, reason, comes)).collect()
    };
    let (was, will) = (old.because(asked, teams), new.because(asked, teams));
    // A rule that decided before makes the difference only if it no longer applies to the request.
    let bears = |judge: &Judge<'_>, case: &Case, one: &Reason| judge.bears(case, teams, one);
    let wanted = if denied { Decision::Deny } else { Decision::Allow };
    let (gone, come): (Vec<Reason>, Vec<Reason>) = (
        was.iter().filter(|one| !bears(new, next, one)).cloned().collect(),
        will.iter()
            .filter(|one| one.decision == Some(wanted) && !bears(old, known, one))
            .cloned()
            .collect(),
    );
    let mut all = told(input.after, come, true);
    if all.is_empty() || !denied {
        all.extend(told(input.before, gone, false));
    }
    if all.is_empty() {
        all = told(input.after, will, true);
    }
    all.into_iter().collect()
}

/// A rule with its location.
fn tell(side: Side<'_>, reason: &Reason, comes: bool) -> String {
    let cause = Cause {
        comes,
        policy: reason.policy_name.clone(),
        rule: reason.rule_name.clone(),
        decision: reason.decision,
        statement: None,
    };
    match side.places.origin(reason) {
        Some(origin) => format!("{cause} ({origin})"),
        None => format!("{cause} (live)"),
    }
}

impl Replay {
    /// Returns `true` if no known decision changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.newly_denied.is_empty() && self.newly_allowed.is_empty()
    }

    /// The number of requests that were allowed and would be denied.
    #[must_use]
    pub fn denied(&self) -> u64 {
        self.newly_denied.iter().map(|change| change.count).sum()
    }

    /// The number of requests that cannot be decided.
    #[must_use]
    pub fn untold(&self) -> u64 {
        self.unknown.iter().map(|one| one.count).sum()
    }

    /// Returns `true` if the figures add up: every request that counts is in one of newly denied,
    /// newly allowed, unchanged and unknown, and was compared with its record.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let Self {
            format_version,
            window,
            agreement,
            newly_denied,
            newly_allowed,
            unchanged,
            unknown,
            denied_users: _,
        } = self;
        let Agreement { agree, disagree, unknown: untold, disagreements: _ } = agreement;
        let changes = newly_denied.iter().chain(newly_allowed).map(|change| change.count);
        let all: Vec<u64> =
            changes.chain(unknown.iter().map(|one| one.count)).chain([*unchanged]).collect();
        let is_all = |counts: &[u64]| {
            counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count))
                == Some(window.records)
        };
        *format_version == FORMAT_VERSION && is_all(&all) && is_all(&[*agree, *disagree, *untold])
    }

    /// The replay as JSON, with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        sanitize::json(self)
    }
}
