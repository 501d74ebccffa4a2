//! Effective access of each audience, computed by the same engine as plans.
//!
//! Three comparisons give all of it. Compared with policies that allow nothing, every widened entry
//! is allowed access of the smallest audience that has it, so that access of everyone is listed
//! once. Compared with the same policies without their denies, every narrowed entry is access that
//! a deny takes away. Compared with nothing, the denies as allows give the destinations of the
//! denies.
//!
//! Invariant: this module decides no access. Uncertain entries stay uncertain, with the reason. A
//! comparison that was cut short is said, and nothing is concluded from what it lacks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::dense::{Lists, Whole};
use super::destination::{Kind, Parts};
use super::id::{Id, Inherited};
use super::named::{Named, RuleRef};
use super::text::{count, listed};
use crate::access::cedar::{APPROVAL, Effect, statements};
use crate::access::{Access, Cause, Changes, Comparison, Entry, Request, State, compare};
use crate::model::{Body, Cedar, Decision, Domain, Policy, TeamDirectory};

/// Largest number of entries that are listed one by one; beyond it, long lists are summarized by
/// policy.
const MOST_ENTRIES: usize = 8_000;
/// Largest number of entries of an audience that are never summarized.
const FEW_ENTRIES: usize = 200;
/// Approximate limit of the summarized lists together, in bytes of HTML.
const MOST_BYTES: usize = 3_200_000;
/// Largest number of uncertain lines for one audience.
const MOST_DOUBTS: usize = 100;
/// Largest number of denied lines for one audience.
const MOST_DENIED: usize = 400;
/// Largest number of uncertain entries whose reason is computed: each takes a request to the
/// engine.
const MOST_ASKED: usize = 1_000;
/// Reason of the uncertain entries beyond [`MOST_ASKED`].
const NOT_ASKED: &str = "there are too many entries to explain each; `seawall can` explains one";
/// Largest number of everyone's destinations that are listed again for another audience.
const MOST_INHERITED: usize = 60;
/// Cedar statement that brings MCP calls under governance and permits none: without any statement,
/// they would be unrestricted.
const PERMITS_NOTHING: &str = "permit (principal, action, resource) when { false };";
/// Largest number of teams in a heading.
const MOST_NAMED: usize = 4;

/// Effective access of one audience.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audience {
    /// Fragment id of its section.
    pub id: Id,
    /// Heading: `Everyone`, or the names of the teams.
    pub name: String,
    /// Description in one sentence.
    pub about: String,
    /// True for the audience of an agent in no team.
    pub everyone: bool,
    /// Names of the teams. Members of any one of them have this access; of a pair, members of both.
    pub teams: Vec<String>,
    /// True if it is the audience of members of both teams.
    pub pair: bool,
    /// Access that the audience has and everyone has not, grouped by destination; empty if it is
    /// summarized.
    pub groups: Vec<Group>,
    /// Number of allowed entries, listed or summarized.
    pub allowed: usize,
    /// Allowed access summarized by policy, if there are too many entries to list.
    pub summary: Vec<Whole>,
    /// Access that a rule allows and a deny takes away.
    pub denied: Vec<Line>,
    /// Number of denied targets that are not listed.
    pub denied_more: usize,
    /// Access that needs the approval of a person.
    pub approvals: Vec<Line>,
    /// Access that may be allowed, depending on something unknown.
    pub uncertain: Vec<Line>,
    /// Number of uncertain entries.
    pub doubts: usize,
    /// Number of uncertain targets that are not listed.
    pub more: usize,
    /// Destinations that the audience reaches because everyone does.
    pub inherits: Vec<Inherited>,
    /// Number of such destinations that are not listed.
    pub inherits_more: usize,
}

/// Allowed access to one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Fragment id of the group.
    pub id: Id,
    /// Kind of the destination.
    pub kind: Kind,
    /// The registrable domain, folder or server.
    pub name: String,
    /// One line for each set of rules.
    pub lines: Vec<Line>,
}

/// Targets with the same actions and the same rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Line {
    /// Actions, separated by commas.
    pub action: String,
    /// Targets, in the patterns of the rules.
    pub objects: Vec<String>,
    /// Rules that cause the entry.
    pub rules: Vec<RuleRef>,
    /// Reason of an uncertain entry; `None` for others.
    pub why: Option<String>,
}

/// Something uncertain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doubt {
    /// The unknown fact that the decision depends on.
    pub reason: String,
    /// Number of entries that depend on it.
    pub count: usize,
    /// Example of a request; `None` where a whole domain is ungoverned.
    pub example: Option<String>,
    /// First audience with such an entry.
    pub audience: String,
}

/// Entry of a comparison for one audience, with the keys of its teams.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) teams: Vec<String>,
    pub(super) entry: Entry,
}

/// Result of the three comparisons.
#[derive(Debug, Default)]
pub(super) struct Effective {
    pub(super) allowed: Vec<Found>,
    pub(super) uncertain: Vec<Found>,
    pub(super) denied: Vec<Found>,
    /// Access that the denies would give if they were allows.
    pub(super) closed: Vec<Entry>,
    /// Reason why the comparison for allowed access was cut short; `None` if it was complete.
    pub(super) cut: Option<String>,
    /// For each comparison that was cut short, what the report may lack and why.
    pub(super) lacks: Vec<String>,
}

/// Teams that the same policies govern.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// True if some policy names them.
    pub(super) governed: bool,
    /// Team ids, sorted by name.
    pub(super) keys: Vec<String>,
    pub(super) names: Vec<String>,
}

/// Compares the policies with ones that allow nothing, with the same ones without denies, and
/// their denies as allows with nothing.
pub(super) fn effective(policies: &[Policy]) -> Effective {
    let (mut effective, directory) = (Effective::default(), TeamDirectory::default());
    let (changes, cut) = changes(compare(&nothing(policies), policies, &directory));
    let Changes { widened, narrowed: _, uncertain } = changes;
    let mut lacks = vec![("access that is allowed", cut.clone())];
    effective.cut = cut;
    effective.allowed = widened.into_iter().flat_map(found).collect();
    effective.uncertain =
        uncertain.into_iter().filter(|entry| entry.widens).flat_map(found).collect();
    if policies.iter().any(has_denies) {
        let bare: Vec<Policy> =
            policies.iter().map(|policy| only(policy, Decision::Allow)).collect();
        let (Changes { narrowed, .. }, cut) = self::changes(compare(&bare, policies, &directory));
        effective.denied = narrowed.into_iter().flat_map(found).collect();
        lacks.push(("access that denies close", cut));
        let (Changes { widened, .. }, cut) =
            self::changes(compare(&[], &reversed(policies), &directory));
        effective.closed = widened;
        lacks.push(("rows of the matrix for destinations of denies", cut));
    }
    let lack = |(what, cut): (&str, Option<String>)| Some(format!("{what}: {}", cut?));
    effective.lacks = lacks.into_iter().filter_map(lack).collect();
    effective
}

/// The denies of the allowlists as allows.
fn reversed(policies: &[Policy]) -> Vec<Policy> {
    policies
        .iter()
        .filter(|policy| policy.domain() != Some(Domain::Mcp))
        .map(|policy| {
            let Policy { name, scope, body } = only(policy, Decision::Deny);
            let body = match body {
                Body::Allowlist(mut rules) => {
                    rules.iter_mut().for_each(|rule| rule.decision = Decision::Allow);
                    Body::Allowlist(rules)
                }
                Body::Cedar(_) => body,
            };
            Policy { name, scope, body }
        })
        .collect()
}

fn changes(comparison: Comparison) -> (Changes, Option<String>) {
    match comparison {
        Comparison::Complete(changes) => (changes, None),
        Comparison::Incomplete(changes, incomplete) => {
            let why: Vec<String> = incomplete.why.iter().map(ToString::to_string).collect();
            (changes, Some(why.join(", and ")))
        }
    }
}

/// Splits an entry by audience; empty for an entry that only [`PERMITS_NOTHING`] causes.
fn found(mut entry: Entry) -> Vec<Found> {
    if entry.access.parts().0 == "mcp" {
        let text = entry.access.text().into_owned();
        if text.ends_with("&& false") {
            return Vec::new();
        }
        let text = text
            .replace("where false, ", "")
            .replace(", where false", "")
            .replace(" except where false", "");
        entry.access = Access::from(text);
    }
    let audience = &entry.audience;
    let others = |place: usize| audience.alike.get(place).into_iter().flatten().cloned();
    let sets: Vec<Vec<String>> = audience
        .teams
        .iter()
        .enumerate()
        .map(|(place, team)| std::iter::once(team.clone()).chain(others(place)).collect())
        .collect();
    let audiences: Vec<Vec<String>> = match sets.as_slice() {
        [] => vec![Vec::new()],
        [one] => one.iter().map(|team| vec![team.clone()]).collect(),
        [one, other, ..] => one
            .iter()
            .flat_map(|one| other.iter().map(move |other| vec![one.clone(), other.clone()]))
            .collect(),
    };
    audiences.into_iter().map(|teams| Found { teams, entry: entry.clone() }).collect()
}

/// Cedar policies with the same scopes that permit nothing; allowlists are left out.
fn nothing(policies: &[Policy]) -> Vec<Policy> {
    let empty = |policy: &Policy| match &policy.body {
        Body::Cedar(cedar) => {
            let text = PERMITS_NOTHING.to_owned();
            let body = Body::Cedar(Cedar { text, schema_url: cedar.schema_url.clone() });
            Some(Policy { body, ..policy.clone() })
        }
        Body::Allowlist(_) => None,
    };
    policies.iter().filter_map(empty).collect()
}

fn has_denies(policy: &Policy) -> bool {
    match &policy.body {
        Body::Allowlist(rules) => rules.iter().any(|rule| rule.decision == Decision::Deny),
        Body::Cedar(cedar) => statements(&cedar.text)
            .is_ok_and(|all| all.iter().any(|one| one.effect == Effect::Forbid)),
    }
}

/// The policy with only its rules of this decision.
fn only(policy: &Policy, decision: Decision) -> Policy {
    let body = match &policy.body {
        Body::Allowlist(rules) => Body::Allowlist(
            rules.iter().filter(|rule| rule.decision == decision).cloned().collect(),
        ),
        Body::Cedar(cedar) => {
            let wanted = if decision == Decision::Allow { Effect::Permit } else { Effect::Forbid };
            match statements(&cedar.text) {
                Ok(all) => {
                    let kept = all
                        .iter()
                        .filter(|one| one.effect == wanted)
                        .map(|one| one.source.as_str());
                    let text = kept.chain([PERMITS_NOTHING]).collect::<Vec<_>>().join("\n");
                    Body::Cedar(Cedar { text, schema_url: cedar.schema_url.clone() })
                }
                // A text that does not parse stays the same on both sides.
                Err(_) => policy.body.clone(),
            }
        }
    };
    Policy { body, ..policy.clone() }
}

/// Groups the teams of all scopes and `others` by the set of policies that govern them.
pub(super) fn classes(
    policies: &[Policy],
    teams: &TeamDirectory,
    others: &BTreeSet<String>,
) -> Vec<Class> {
    let mut governed: BTreeMap<&str, Vec<usize>> =
        others.iter().map(|team| (team.as_str(), Vec::new())).collect();
    for (number, policy) in policies.iter().enumerate() {
        for team in policy.scope.teams() {
            governed.entry(team).or_default().push(number);
        }
    }
    let mut sets: BTreeMap<Vec<usize>, Vec<(String, String)>> = BTreeMap::new();
    for (team, set) in governed {
        sets.entry(set).or_default().push((teams.name(team).to_owned(), team.to_owned()));
    }
    let mut classes: Vec<Class> = sets
        .into_iter()
        .map(|(set, mut teams)| {
            teams.sort();
            let (names, keys) = teams.into_iter().unzip();
            Class { governed: !set.is_empty(), keys, names }
        })
        .collect();
    classes.sort_by(|one, other| (!one.governed, &one.names).cmp(&(!other.governed, &other.names)));
    classes
}

/// Input of [`audiences`].
pub(super) struct Input<'a> {
    pub(super) organization: &'a str,
    pub(super) alone: bool,
    pub(super) state: &'a State<'a>,
    pub(super) named: &'a Named<'a>,
    pub(super) classes: &'a [Class],
    pub(super) teams: &'a TeamDirectory,
    pub(super) effective: &'a Effective,
}

/// Every audience: everyone, each class of teams, and pairs of teams of which one denies access
/// that the other allows. Also the causes of uncertain access, most frequent first.
pub(super) fn audiences(input: &Input<'_>) -> (Vec<Audience>, Vec<Doubt>) {
    let Input { effective, classes, .. } = input;
    // The first team of a class represents all of it.
    let first: BTreeSet<&str> =
        classes.iter().filter_map(|class| class.keys.first()).map(String::as_str).collect();
    let stands = |found: &&Found| found.teams.iter().all(|team| first.contains(team.as_str()));
    let mut by_audience: BTreeMap<&[String], [Vec<&Entry>; 3]> = BTreeMap::new();
    let kinds = [&effective.allowed, &effective.uncertain, &effective.denied];
    for (kind, all) in kinds.into_iter().enumerate() {
        for found in all.iter().filter(stands) {
            let own = by_audience.entry(found.teams.as_slice()).or_default();
            own.iter_mut().skip(kind).take(1).for_each(|list| list.push(&found.entry));
        }
    }
    let mut reasons: BTreeMap<String, Doubt> = BTreeMap::new();
    let all: usize = by_audience.values().map(|[allowed, ..]| allowed.len()).sum();
    let mut lists = Lists::new(MOST_BYTES);
    let lists = &mut (all > MOST_ENTRIES).then_some(&mut lists);
    let everyone = Audience {
        id: id(input, "audience", "everyone"),
        name: "Everyone".to_owned(),
        about: "A member of no team. What holds here holds for the whole organization.".to_owned(),
        everyone: true,
        ..Audience::default()
    };
    let nobody: &[String] = &[];
    let own = by_audience.remove(nobody).unwrap_or_default();
    let everyone = filled(input, everyone, &[], own, lists, &mut reasons);
    let inherits: Vec<Inherited> = everyone
        .groups
        .iter()
        .map(|group| Inherited { id: group.id.clone(), name: group.name.clone() })
        .collect();
    let mut audiences = vec![everyone];
    for class in *classes {
        let Some(key) = class.keys.first() else { continue };
        let audience = Audience {
            id: id(input, "team", &class.names.join(" ")),
            name: listed(&class.names, MOST_NAMED),
            about: about(class),
            teams: class.names.clone(),
            inherits: inherits.iter().take(MOST_INHERITED).cloned().collect(),
            inherits_more: inherits.len().saturating_sub(MOST_INHERITED),
            ..Audience::default()
        };
        let own = by_audience.remove(std::slice::from_ref(key)).unwrap_or_default();
        audiences.push(filled(
            input,
            audience,
            std::slice::from_ref(key),
            own,
            lists,
            &mut reasons,
        ));
    }
    for (pair, own) in by_audience {
        let names: Vec<String> = pair.iter().map(|key| input.teams.name(key).to_owned()).collect();
        let audience = Audience {
            id: id(input, "team", &names.join(" ")),
            name: format!("{} together", listed(&names, MOST_NAMED)),
            about: "Members of both teams: what one of them denies, the other does not reopen."
                .to_owned(),
            teams: names,
            pair: true,
            ..Audience::default()
        };
        audiences.push(filled(input, audience, pair, own, lists, &mut reasons));
    }
    let mut doubts: Vec<Doubt> = reasons.into_values().collect();
    doubts.sort_by(|one, other| (other.count, &one.reason).cmp(&(one.count, &other.reason)));
    (audiences, doubts)
}

fn id(input: &Input<'_>, kind: &str, name: &str) -> Id {
    match input.alone {
        true => Id::readable(kind, &[name]),
        false => Id::readable(kind, &[input.organization, name]),
    }
}

fn about(Class { governed, names, keys: _ }: &Class) -> String {
    match (governed, names.as_slice()) {
        (true, [one]) => format!("Members of the team {one}."),
        (true, many) => format!(
            "Members of one of {}, which the same policies govern: {}.",
            count(many.len(), "team"),
            many.join(", ")
        ),
        (false, [one]) => {
            format!("Members of the team {one}, which no policy names: they may what everyone may.")
        }
        (false, many) => format!(
            "Members of one of {}, which no policy names: {}. They may what everyone may.",
            count(many.len(), "team"),
            many.join(", ")
        ),
    }
}

/// Fills the lists of an audience from its entries, and counts the causes of uncertain ones in
/// `reasons`.
fn filled(
    input: &Input<'_>,
    mut audience: Audience,
    keys: &[String],
    [allowed, uncertain, denied]: [Vec<&Entry>; 3],
    lists: &mut Option<&mut Lists>,
    reasons: &mut BTreeMap<String, Doubt>,
) -> Audience {
    let Input { state, named, effective, .. } = input;
    let teams: BTreeSet<String> = keys.iter().cloned().collect();
    let answer = |entry: &Entry| {
        Request::parse(&entry.witness).ok().map(|request| state.ask(&teams, &request))
    };
    let is_approval = |entry: &Entry| is_approval(state.policies(), entry);
    let (approvals, allowed): (Vec<&Entry>, Vec<&Entry>) =
        allowed.into_iter().partition(|entry| is_approval(entry));
    audience.allowed = allowed.len();
    match lists {
        Some(lists) if allowed.len() > FEW_ENTRIES => {
            let own = Inherited { id: audience.id.clone(), name: audience.name.clone() };
            audience.summary = lists.by_policy(named, &allowed, &own);
        }
        Some(_) | None => audience.groups = groups(named, &allowed, &audience.id),
    }
    audience.approvals = merged(named, approvals.iter().map(|entry| (*entry, None)));
    (audience.denied, audience.denied_more) =
        cut(merged(named, denied.iter().map(|entry| (*entry, None))), MOST_DENIED);
    audience.doubts = uncertain.len();
    let mut told = Vec::new();
    for entry in uncertain {
        let asked: usize = reasons.values().map(|doubt| doubt.count).sum();
        let answer = if asked < MOST_ASKED { answer(entry) } else { None };
        let reason = match (answer, &effective.cut) {
            (Some(answer), _) => answer.reason,
            (None, Some(cut)) => format!("the comparison is incomplete: {cut}"),
            (None, None) if asked < MOST_ASKED => {
                "it hangs on something that is not documented or was not said".to_owned()
            }
            (None, None) => NOT_ASKED.to_owned(),
        };
        let doubt = reasons.entry(reason.clone()).or_insert_with(|| Doubt {
            reason: reason.clone(),
            count: 0,
            example: Some(entry.witness.clone()),
            audience: if audience.everyone { "everyone".to_owned() } else { audience.name.clone() },
        });
        doubt.count += 1;
        told.push((entry, Some(reason)));
    }
    (audience.uncertain, audience.more) = cut(merged(named, told.into_iter()), MOST_DOUBTS);
    audience
}

/// Returns `true` if every cause of an entry is a statement that requires an approval.
pub(super) fn is_approval(policies: &[Policy], entry: &Entry) -> bool {
    let asks = |cause: &&std::sync::Arc<Cause>| {
        let policy = policies.iter().find(|policy| policy.name == cause.policy);
        policy.is_some_and(|policy| match &policy.body {
            Body::Cedar(cedar) => statements(&cedar.text).is_ok_and(|all| {
                let own = cause.statement.and_then(|number| all.get(number));
                own.is_some_and(|statement| statement.annotations.contains_key(APPROVAL))
            }),
            Body::Allowlist(_) => false,
        })
    };
    let mut own = entry.because.iter().filter(|cause| cause.comes).peekable();
    own.peek().is_some() && own.all(|cause| asks(&cause))
}

/// The first lines, and the number of targets on the others.
fn cut(mut lines: Vec<Line>, most: usize) -> (Vec<Line>, usize) {
    let more = lines.iter().skip(most).map(|line| line.objects.len()).sum();
    lines.truncate(most);
    (lines, more)
}

/// Groups entries by destination.
fn groups(named: &Named<'_>, entries: &[&Entry], audience: &Id) -> Vec<Group> {
    let mut groups: BTreeMap<(Kind, String), Vec<&Entry>> = BTreeMap::new();
    for &entry in entries {
        let destination = Parts::new(&entry.access).destination;
        groups.entry((destination.kind, destination.group)).or_default().push(entry);
    }
    let group = |((kind, name), entries): ((Kind, String), Vec<&Entry>)| Group {
        id: Id::new("g", &[audience.as_str(), &name]),
        kind,
        lines: merged(named, entries.into_iter().map(|entry| (entry, None))),
        name,
    };
    groups.into_iter().map(group).collect()
}

/// Key of lines that differ only in their actions: targets, rules, and the reason if uncertain.
type Targets = (Vec<String>, Vec<RuleRef>, Option<String>);

/// Merges entries with the same rules, and then the same targets, into one line each.
pub(super) fn merged<'a>(
    named: &Named<'_>,
    entries: impl Iterator<Item = (&'a Entry, Option<String>)>,
) -> Vec<Line> {
    let mut by_rules: BTreeMap<(Vec<RuleRef>, String, Option<String>), BTreeSet<String>> =
        BTreeMap::new();
    for (entry, why) in entries {
        let Parts { action, object, .. } = Parts::new(&entry.access);
        let rules = named.causes(entry);
        by_rules.entry((rules, action, why)).or_default().insert(object);
    }
    // Lines with the same targets and other actions become one.
    let mut lines: BTreeMap<Targets, BTreeSet<String>> = BTreeMap::new();
    for ((rules, action, why), objects) in by_rules {
        lines.entry((objects.into_iter().collect(), rules, why)).or_default().insert(action);
    }
    let line = |((objects, rules, why), actions): (Targets, BTreeSet<String>)| Line {
        action: actions.into_iter().collect::<Vec<_>>().join(", "),
        objects,
        rules,
        why,
    };
    lines.into_iter().map(line).collect()
}
