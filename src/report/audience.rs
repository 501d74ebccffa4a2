//! What each audience may, by the engine that plans use.
//!
//! Two comparisons say it all. From *nothing* to the policies, whatever is widened is allowed, for the smallest audience of
//! which that is true: so what everyone may is told once. From the policies *without their denies* to the policies, whatever is
//! narrowed is what denies take away from what rules allow.
//!
//! Invariant: nothing is decided here. What is uncertain is told as uncertain, with what it hangs on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::dense::{Lists, Whole};
use super::destination::{Kind, Parts};
use super::id::{Id, Inherited};
use super::named::{Named, RuleRef};
use super::text::{count, listed};
use crate::access::cedar::{APPROVAL, Effect, statements};
use crate::access::{Access, Cause, Changes, Comparison, Entry, Request, State, compare};
use crate::model::{Body, Cedar, Decision, Policy, TeamDirectory};

/// Up to so many entries in all, each stands in a line of its own; beyond, long lists are told by policy.
const MOST_ENTRIES: usize = 8_000;
/// A list of so many entries is not long.
const FEW_ENTRIES: usize = 200;
/// So many bytes the long lists take in all.
const MOST_BYTES: usize = 3_200_000;
/// So many lines of uncertain access are listed for an audience.
const MOST_DOUBTS: usize = 100;
/// So many lines of what denies take away.
const MOST_DENIED: usize = 400;
/// So many uncertain entries are asked about one by one; of more, that would take long, and nobody would read it.
const MOST_ASKED: usize = 1_000;
/// What is said of the others.
const NOT_ASKED: &str = "there is too much of this to say of each what it hangs on; `seawall can` tells it of one";
/// So many destinations are named that an audience has as everyone.
const MOST_INHERITED: usize = 60;
/// A statement that governs and permits nothing. Where no statement governs, MCP calls are not restricted, which is another
/// state.
const PERMITS_NOTHING: &str = "permit (principal, action, resource) when { false };";
/// So many teams are named in a heading.
const MOST_NAMED: usize = 4;

/// What an audience may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audience {
    /// For links.
    pub id: Id,
    /// What people call it.
    pub name: String,
    /// One sentence.
    pub about: String,
    /// True if it is a member of no team.
    pub everyone: bool,
    /// The teams, each of which has this access; of a pair both.
    pub teams: Vec<String>,
    /// True if it stands for members of both teams.
    pub pair: bool,
    /// What is allowed, beyond what everyone may.
    pub groups: Vec<Group>,
    /// How much that is.
    pub allowed: usize,
    /// What is allowed, by policies, where there is too much of it for a line each.
    pub summary: Vec<Whole>,
    /// What a rule allows and a deny takes away.
    pub denied: Vec<Line>,
    /// How much of that is not listed.
    pub denied_more: usize,
    /// What is allowed once a person approves.
    pub approvals: Vec<Line>,
    /// What is uncertain.
    pub uncertain: Vec<Line>,
    /// How much is uncertain.
    pub doubts: usize,
    /// How much of that is not listed.
    pub more: usize,
    /// What it has as everyone.
    pub inherits: Vec<Inherited>,
    /// How many more destinations those are.
    pub inherits_more: usize,
}

/// What is allowed of one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// For links.
    pub id: Id,
    /// What kind of destination it is.
    pub kind: Kind,
    /// The registrable domain, folder or server.
    pub name: String,
    /// What is allowed.
    pub lines: Vec<Line>,
}

/// What the same rules do to some targets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Line {
    /// What is done.
    pub action: String,
    /// On what, in the patterns of the rules.
    pub objects: Vec<String>,
    /// The rules behind it.
    pub rules: Vec<RuleRef>,
    /// Why it is uncertain.
    pub why: Option<String>,
}

/// Something uncertain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doubt {
    /// What it hangs on.
    pub reason: String,
    /// How much hangs on it.
    pub count: usize,
    /// A request.
    pub example: Option<String>,
    /// Whose.
    pub audience: String,
}

/// An entry of a comparison that is looked at further, with the teams of its audience by their keys.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) teams: Vec<String>,
    pub(super) entry: Entry,
}

/// All that the two comparisons found.
#[derive(Debug, Default)]
pub(super) struct Effective {
    pub(super) allowed: Vec<Found>,
    pub(super) uncertain: Vec<Found>,
    pub(super) denied: Vec<Found>,
    /// Why the comparison was cut short, if it was.
    pub(super) cut: Option<String>,
}

/// Teams that the same policies govern.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// True if some policy names them.
    pub(super) governed: bool,
    /// Keys, sorted by name.
    pub(super) keys: Vec<String>,
    pub(super) names: Vec<String>,
}

/// Runs the comparisons.
pub(super) fn effective(policies: &[Policy]) -> Effective {
    let (mut effective, directory) = (Effective::default(), TeamDirectory::default());
    let (changes, cut) = changes(compare(&nothing(policies), policies, &directory));
    let Changes { widened, narrowed: _, uncertain } = changes;
    effective.cut = cut;
    effective.allowed = widened.into_iter().flat_map(found).collect();
    effective.uncertain = uncertain.into_iter().filter(|entry| entry.widens).flat_map(found).collect();
    if policies.iter().any(has_denies) {
        let bare: Vec<Policy> = policies.iter().map(|policy| only(policy, Decision::Allow)).collect();
        let (Changes { narrowed, .. }, _) = self::changes(compare(&bare, policies, &directory));
        effective.denied = narrowed.into_iter().flat_map(found).collect();
    }
    effective
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

/// The entry for each audience that it holds for; none for what says nothing but [`PERMITS_NOTHING`].
fn found(mut entry: Entry) -> Vec<Found> {
    if entry.access.parts().0 == "mcp" {
        let text = entry.access.text().into_owned();
        if text.ends_with("&& false") {
            return Vec::new();
        }
        let text = text.replace("where false, ", "").replace(", where false", "").replace(" except where false", "");
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
        [one, other, ..] => {
            one.iter().flat_map(|one| other.iter().map(move |other| vec![one.clone(), other.clone()])).collect()
        }
    };
    audiences.into_iter().map(|teams| Found { teams, entry: entry.clone() }).collect()
}

/// Policies of the same scopes that allow nothing.
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
        Body::Cedar(cedar) => {
            statements(&cedar.text).is_ok_and(|all| all.iter().any(|one| one.effect == Effect::Forbid))
        }
    }
}

/// The policy with its rules of this decision alone.
pub(super) fn only(policy: &Policy, decision: Decision) -> Policy {
    let body = match &policy.body {
        Body::Allowlist(rules) => {
            Body::Allowlist(rules.iter().filter(|rule| rule.decision == decision).cloned().collect())
        }
        Body::Cedar(cedar) => {
            let wanted = if decision == Decision::Allow { Effect::Permit } else { Effect::Forbid };
            match statements(&cedar.text) {
                Ok(all) => {
                    let kept = all.iter().filter(|one| one.effect == wanted).map(|one| one.source.as_str());
                    let text = kept.chain([PERMITS_NOTHING]).collect::<Vec<_>>().join("\n");
                    Body::Cedar(Cedar { text, schema_url: cedar.schema_url.clone() })
                }
                // What is not understood is the same on both sides.
                Err(_) => policy.body.clone(),
            }
        }
    };
    Policy { body, ..policy.clone() }
}

/// The teams that scopes name, and these others, those together that the same policies govern.
pub(super) fn classes(policies: &[Policy], teams: &TeamDirectory, others: &BTreeSet<String>) -> Vec<Class> {
    let mut governed: BTreeMap<&str, Vec<usize>> = others.iter().map(|team| (team.as_str(), Vec::new())).collect();
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

/// What the audiences are made from.
pub(super) struct Input<'a> {
    pub(super) organization: &'a str,
    pub(super) alone: bool,
    pub(super) state: &'a State<'a>,
    pub(super) named: &'a Named<'a>,
    pub(super) classes: &'a [Class],
    pub(super) teams: &'a TeamDirectory,
    pub(super) effective: &'a Effective,
}

/// Every audience: everyone, the teams, and pairs of teams of which one denies what the other allows. And what is
/// uncertain, by what it hangs on.
pub(super) fn audiences(input: &Input<'_>) -> (Vec<Audience>, Vec<Doubt>) {
    let Input { effective, classes, .. } = input;
    // Of teams that are governed alike, the first stands for all.
    let first: BTreeSet<&str> = classes.iter().filter_map(|class| class.keys.first()).map(String::as_str).collect();
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
    let inherits: Vec<Inherited> =
        everyone.groups.iter().map(|group| Inherited { id: group.id.clone(), name: group.name.clone() }).collect();
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
        audiences.push(filled(input, audience, std::slice::from_ref(key), own, lists, &mut reasons));
    }
    for (pair, own) in by_audience {
        let names: Vec<String> = pair.iter().map(|key| input.teams.name(key).to_owned()).collect();
        let audience = Audience {
            id: id(input, "team", &names.join(" ")),
            name: format!("{} together", listed(&names, MOST_NAMED)),
            about: "Members of both teams: what one of them denies, the other does not reopen.".to_owned(),
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
        (false, [one]) => format!("Members of the team {one}, which no policy names: they may what everyone may."),
        (false, many) => format!(
            "Members of one of {}, which no policy names: {}. They may what everyone may.",
            count(many.len(), "team"),
            many.join(", ")
        ),
    }
}

/// An audience with its lists.
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
    let answer = |entry: &Entry| Request::parse(&entry.witness).ok().map(|request| state.ask(&teams, &request));
    let is_approval = |entry: &Entry| is_approval(state.policies(), entry);
    let (approvals, allowed): (Vec<&Entry>, Vec<&Entry>) = allowed.into_iter().partition(|entry| is_approval(entry));
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
            (None, Some(cut)) => format!("not all of it was looked through: {cut}"),
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

/// Returns `true` if all that an entry rests on are statements that ask a person first.
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

/// As many lines as are listed, and how many targets the others have.
fn cut(mut lines: Vec<Line>, most: usize) -> (Vec<Line>, usize) {
    let more = lines.iter().skip(most).map(|line| line.objects.len()).sum();
    lines.truncate(most);
    (lines, more)
}

/// Entries by destination.
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

/// What lines that share everything but their actions share: the targets, the rules, and why they are uncertain.
type Targets = (Vec<String>, Vec<RuleRef>, Option<String>);

/// One line for all that the same rules do.
pub(super) fn merged<'a>(named: &Named<'_>, entries: impl Iterator<Item = (&'a Entry, Option<String>)>) -> Vec<Line> {
    let mut by_rules: BTreeMap<(Vec<RuleRef>, String, Option<String>), BTreeSet<String>> = BTreeMap::new();
    for (entry, why) in entries {
        let Parts { action, object, .. } = Parts::new(&entry.access);
        let rules = causes(named, entry);
        by_rules.entry((rules, action, why)).or_default().insert(object);
    }
    // The same targets with other actions share a line.
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

/// The rules behind an entry. What a comparison starts from has none.
fn causes(named: &Named<'_>, entry: &Entry) -> Vec<RuleRef> {
    entry.because.iter().filter(|cause| cause.comes).map(|cause| named.cause(cause)).collect()
}
